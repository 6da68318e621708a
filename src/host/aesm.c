/* The client of AESM: its messages (aesm.proto), in the order of Intel's sgx_select_att_key_id,
 * sgx_init_quote_ex and sgx_get_quote_ex. */
#include "host/aesm.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "evidence/quote.h"
#include "host/aesm.pb-c.h"
#include "host/aesm_wire.h"
#include "host/host.h"
#include "os/os.h"
#include "base/banned.h"

#define REQUEST_MAX 4096u
/* An answer, and what protobuf-c makes of it: of each unknown field, which has 2 bytes at least,
 * some 100 in its own structures. */
#define MEMORY_MAX ((size_t)64 << 20)

/* sgx_att_key_id_t: what quotes are signed by. Offset, size:
 *     0 2 id, 0      2 2 version, 0      4 2 size of MRSIGNER, 32      6 48 MRSIGNER
 *     54 4 ISVPRODID  58 96 ISVEXTPRODID, CONFIGID, ISVFAMILYID, 0     154 4 algorithm
 *     158 98 of EPID, and reserved, 0 */
#define KEY_ID_SIZE 256u
#define KEY_ID_BASE_SIZE 158u
#define LIST_HEAD_SIZE 8u  /* u16le 0, u16le 0, u32le count */
#define KEY_NAME_MAX 1024u /* SHA-256 of the key */
#define ALGORITHM_P256 2u  /* ECDSA */
#define QE_PROD_ID 1u      /* of Intel's quoting enclave for ECDSA */

/* Of that enclave: also what Intel's QE identity says. */
static const uint8_t qe_mrsigner[32] = {
    0x8c, 0x4f, 0x57, 0x75, 0xd7, 0x96, 0x50, 0x3e, 0x96, 0x13, 0x7f, 0x77, 0xc6, 0x8a, 0x82, 0x9a,
    0x00, 0x56, 0xac, 0x8d, 0xed, 0x70, 0x14, 0x0b, 0x08, 0x1b, 0x09, 0x44, 0x90, 0xc5, 0x7b, 0xff};

struct aesm {
    aesm_exchange *exchange;
    const void *context;
    struct sockaddr_un address;
    uint64_t timeout_ms;
    uint8_t key_id[KEY_ID_SIZE];
    bool has_key;
};

/* What one call of `struct sgx_quoting` needs. */
struct talk {
    struct aesm *aesm;
    struct deadline deadline;
    struct arena arena;
};

/* ---- a request and its answer ---- */

static void *take(void *arena, size_t size)
{
    return arena_alloc(arena, size, _Alignof(max_align_t));
}

/* The arena is given back as a whole. */
static void leave(void *arena, void *piece)
{
    (void)arena;
    (void)piece;
}

static bool ask(struct talk *t, const Aesm__Request *request, Aesm__Response **out, struct err *err)
{
    ProtobufCAllocator memory = {.alloc = take, .free = leave, .allocator_data = &t->arena};
    uint8_t message[REQUEST_MAX];
    size_t size = aesm__request__get_packed_size(request);
    struct bytes answer = {.size = 0};

    assert(size <= sizeof message); /* of lists and REPORTs of one size */
    (void)aesm__request__pack(request, message);
    if (!t->aesm->exchange(t->aesm->context, t->deadline, bytes_from(message, size), &t->arena,
                           &answer, err))
        return false;
    *out = aesm__response__unpack(&memory, answer.size, answer.data);
    return *out != NULL || err_set(err, ERR_FORMAT,
                                   "aesmd's answer cannot be read; is it AESM at that socket? Its "
                                   "bytes:",
                                   answer.size);
}

static bool other_kind(struct err *err)
{
    return err_set(err, ERR_FORMAT,
                   "aesmd answers something that it was not asked; update sgx-aesm-service",
                   ERR_NO_AT);
}

static bool lacks(const char *what, struct err *err)
{
    return err_set(err, ERR_FORMAT, what, ERR_NO_AT);
}

/* What is left, as the protocol has it. */
static uint32_t left_us(const struct talk *t)
{
    uint64_t ms = (uint64_t)deadline_left_ms(t->deadline, os_monotonic_ns());

    return ms > UINT32_MAX / 1000 ? UINT32_MAX : (uint32_t)ms * 1000;
}

static ProtobufCBinaryData key_of(const struct talk *t)
{
    return (ProtobufCBinaryData){.data = t->aesm->key_id, .len = KEY_ID_SIZE};
}

/* ---- which key ---- */

static bool write_key_list(uint8_t out[LIST_HEAD_SIZE + KEY_ID_SIZE], struct err *err)
{
    struct writer w = writer_fixed(out, LIST_HEAD_SIZE + KEY_ID_SIZE);
    const uint8_t zeroes[KEY_ID_SIZE] = {0};
    struct bytes whole;

    writer_u32le(&w, 0);
    writer_u32le(&w, 1);
    writer_u32le(&w, 0);
    writer_u16le(&w, sizeof qe_mrsigner);
    writer_bytes(&w, bytes_from(qe_mrsigner, sizeof qe_mrsigner));
    writer_bytes(&w, bytes_from(zeroes, 48 - sizeof qe_mrsigner));
    writer_u32le(&w, QE_PROD_ID);
    writer_bytes(&w, bytes_from(zeroes, 96));
    writer_u32le(&w, ALGORITHM_P256);
    writer_bytes(&w, bytes_from(zeroes, KEY_ID_SIZE - KEY_ID_BASE_SIZE));
    return writer_done(&w, &whole, err);
}

static bool select_key(struct talk *t, struct err *err)
{
    uint8_t list[LIST_HEAD_SIZE + KEY_ID_SIZE] = {0};
    Aesm__SelectAttKeyIDRequest select = AESM__SELECT_ATT_KEY_IDREQUEST__INIT;
    Aesm__Request request = AESM__REQUEST__INIT;
    Aesm__Response *response;

    if (!write_key_list(list, err))
        return false;
    select.has_att_key_id_list = 1;
    select.att_key_id_list = (ProtobufCBinaryData){.data = list, .len = sizeof list};
    select.has_timeout = 1;
    select.timeout = left_us(t);
    request.select_att_key_id = &select;
    if (!ask(t, &request, &response, err))
        return false;
    const Aesm__SelectAttKeyIDResponse *answer = response->select_att_key_id;
    if (answer == NULL)
        return other_kind(err);
    if (answer->error_code != 0)
        return aesm_error_set(answer->error_code, err);
    if (!answer->has_selected_att_key_id || answer->selected_att_key_id.len != KEY_ID_SIZE ||
        memcmp(answer->selected_att_key_id.data, list + LIST_HEAD_SIZE, KEY_ID_BASE_SIZE) != 0)
        return lacks("aesmd has chosen another key than Intel's for ECDSA on P-256, which was all "
                     "it was offered",
                     err);
    memcpy(t->aesm->key_id, answer->selected_att_key_id.data, KEY_ID_SIZE);
    t->aesm->has_key = true;
    return true;
}

/* ---- for whom a REPORT has to be ---- */

/* name_size 0: asks for the size of the key's name alone. */
static bool init_quote(struct talk *t, uint64_t name_size, const Aesm__InitQuoteExResponse **answer,
                       struct err *err)
{
    Aesm__InitQuoteExRequest init = AESM__INIT_QUOTE_EX_REQUEST__INIT;
    Aesm__Request request = AESM__REQUEST__INIT;
    Aesm__Response *response;

    init.has_att_key_id = 1;
    init.att_key_id = key_of(t);
    init.b_pub_key_id = name_size != 0;
    init.has_buf_size = name_size != 0;
    init.buf_size = name_size;
    init.has_timeout = 1;
    init.timeout = left_us(t);
    request.init_quote_ex = &init;
    if (!ask(t, &request, &response, err))
        return false;
    *answer = response->init_quote_ex;
    if (*answer == NULL)
        return other_kind(err);
    return (*answer)->error_code == 0 || aesm_error_set((*answer)->error_code, err);
}

static bool ask_target(struct talk *t, uint8_t out[SGX_TARGET_INFO_SIZE], struct err *err)
{
    const Aesm__InitQuoteExResponse *answer = NULL;

    if (!select_key(t, err) || !init_quote(t, 0, &answer, err))
        return false;
    if (!answer->has_pub_key_id_size || answer->pub_key_id_size == 0 ||
        answer->pub_key_id_size > KEY_NAME_MAX)
        return lacks("aesmd does not say the size of its key's name", err);
    uint64_t name_size = answer->pub_key_id_size;
    if (!init_quote(t, name_size, &answer, err))
        return false;
    if (!answer->has_pub_key_id || answer->pub_key_id.len != name_size)
        return lacks("aesmd does not name its key as long as it said", err);
    if (!answer->has_target_info || answer->target_info.len != SGX_TARGET_INFO_SIZE)
        return lacks("aesmd gives no TARGETINFO of 512 bytes", err);
    memcpy(out, answer->target_info.data, SGX_TARGET_INFO_SIZE);
    return true;
}

/* ---- quotes ---- */

static bool ask_size(struct talk *t, uint32_t *out, struct err *err)
{
    Aesm__GetQuoteSizeExRequest of = AESM__GET_QUOTE_SIZE_EX_REQUEST__INIT;
    Aesm__Request request = AESM__REQUEST__INIT;
    Aesm__Response *response;

    of.has_att_key_id = 1;
    of.att_key_id = key_of(t);
    of.has_timeout = 1;
    of.timeout = left_us(t);
    request.get_quote_size_ex = &of;
    if (!ask(t, &request, &response, err))
        return false;
    const Aesm__GetQuoteSizeExResponse *answer = response->get_quote_size_ex;
    if (answer == NULL)
        return other_kind(err);
    if (answer->error_code != 0)
        return aesm_error_set(answer->error_code, err);
    if (!answer->has_quote_size || answer->quote_size == 0 || answer->quote_size > SGX_QUOTE_MAX)
        return err_set(err, ERR_FORMAT, "aesmd names a size that no quote has, in bytes",
                       answer->quote_size);
    *out = answer->quote_size;
    return true;
}

/* A quote that is about this REPORT; *size: without zeroes behind it. */
static bool check_quote(struct bytes bytes, const uint8_t *report, size_t *size, struct err *err)
{
    struct quote quote;

    if (!quote_parse(bytes, &quote, err))
        return err_set(err, ERR_FORMAT, "aesmd's quote cannot be read, at offset", err->at);
    if (quote.body != QUOTE_BODY_SGX)
        return lacks("aesmd's quote is not of SGX", err);
    /* the host only carries it; but a mix-up is better named here than at a Steward */
    if (!bytes_equal(quote.sgx.raw, bytes_from(report, SGX_REPORT_BODY_SIZE)))
        return err_set(err, ERR_POLICY, "aesmd gives a quote for another report", ERR_NO_AT);
    *size = bytes.size - quote.padding;
    return true;
}

static bool ask_quote(struct talk *t, const uint8_t *report, struct writer *out, struct err *err)
{
    Aesm__GetQuoteExRequest of = AESM__GET_QUOTE_EX_REQUEST__INIT;
    Aesm__Request request = AESM__REQUEST__INIT;
    uint8_t copy[SGX_WHOLE_REPORT_SIZE];
    Aesm__Response *response;
    size_t size = 0;

    if ((!t->aesm->has_key && !select_key(t, err)) || !ask_size(t, &of.buf_size, err))
        return false;
    memcpy(copy, report, sizeof copy);
    of.report = (ProtobufCBinaryData){.data = copy, .len = sizeof copy};
    of.has_att_key_id = 1;
    of.att_key_id = key_of(t);
    of.has_timeout = 1;
    of.timeout = left_us(t);
    request.get_quote_ex = &of;
    if (!ask(t, &request, &response, err))
        return false;
    const Aesm__GetQuoteExResponse *answer = response->get_quote_ex;
    if (answer == NULL)
        return other_kind(err);
    if (answer->error_code != 0)
        return aesm_error_set(answer->error_code, err);
    if (!answer->has_quote || answer->quote.len > of.buf_size)
        return err_set(err, ERR_FORMAT, "aesmd gives no quote, or a longer one than it said",
                       ERR_NO_AT);
    struct bytes quote = bytes_from(answer->quote.data, answer->quote.len);
    if (!check_quote(quote, report, &size, err))
        return false;
    writer_bytes(out, bytes_before(quote, size));
    return true;
}

/* ---- the interface ---- */

static struct talk talk_begin(struct sgx_quoting *quoting)
{
    struct aesm *aesm = quoting->self;
    struct talk t = {.aesm = aesm, .deadline = deadline_after(os_monotonic_ns(), aesm->timeout_ms)};

    arena_init(&t.arena, arena_heap, MEMORY_MAX);
    return t;
}

static bool aesm_target(struct sgx_quoting *quoting, uint8_t out[SGX_TARGET_INFO_SIZE],
                        struct err *err)
{
    struct talk t = talk_begin(quoting);
    bool ok = ask_target(&t, out, err);

    arena_done(&t.arena);
    return ok;
}

static bool aesm_quote(struct sgx_quoting *quoting, const uint8_t report[SGX_WHOLE_REPORT_SIZE],
                       struct writer *out, struct err *err)
{
    struct talk t = talk_begin(quoting);
    bool ok = ask_quote(&t, report, out, err);

    arena_done(&t.arena);
    return ok;
}

bool aesm_quoting_over(aesm_exchange *exchange, const void *context, struct sgx_quoting *out,
                       struct err *err)
{
    struct aesm *aesm = calloc(1, sizeof *aesm);

    if (aesm == NULL)
        return err_set(err, ERR_MEMORY, "no memory for aesmd", ERR_NO_AT);
    aesm->exchange = exchange;
    aesm->context = context;
    aesm->timeout_ms = AESM_TIMEOUT_MS;
    *out = (struct sgx_quoting){.self = aesm, .target = aesm_target, .quote = aesm_quote};
    return true;
}

bool aesm_quoting_new(const char *socket_path, struct sgx_quoting *out, struct err *err)
{
    const char *path = socket_path != NULL ? socket_path : host_aesm_socket();
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = strlen(path);

    if (size >= sizeof address.sun_path)
        return err_set(err, ERR_LIMIT, "the path of aesmd's socket is too long, in bytes", size);
    if (!aesm_quoting_over(aesm_wire_exchange, NULL, out, err))
        return false;
    struct aesm *aesm = out->self;
    memcpy(address.sun_path, path, size + 1);
    aesm->address = address;
    aesm->context = &aesm->address;
    return true;
}

void aesm_quoting_set_timeout(struct sgx_quoting *quoting, uint64_t timeout_ms)
{
    struct aesm *aesm = quoting->self;

    aesm->timeout_ms = timeout_ms;
}

void aesm_quoting_free(struct sgx_quoting *quoting)
{
    free(quoting->self);
    *quoting = (struct sgx_quoting){.self = NULL};
}
