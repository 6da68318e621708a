#include "host/sgx_sim_quoting.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>

#include "evidence/simulated.h"
#include "host/internal.h"
#include "os/os.h"
#include "base/banned.h"

#define FILE_MAX ((size_t)1 << 20)
#define BACKDATED_S 300
#define LIFETIME_S (INT64_C(7) * 86400)
/* Of a REPORT (Intel SDM volume 3D, "REPORT"): what the MAC is about; then KEYID, MAC. */
#define MACED_SIZE 384

/* The simulated platform: an Ice Lake server as of its making. */
static const struct simulated_platform description = {
    .ppid = {0xb1}, .fmspc = {0x30, 0x60, 0x6a}, .svns = {9, 9, 2}, .pce_svn = 13};
static const char name[] = "broch simulated quoting enclave";
static const uint8_t attributes[16] = {5, 0, 0, 0, 0, 0, 0, 0, 3};

struct quoting {
    struct arena arena;
    struct sgx_platform platform;
    struct simulated_quoting *key;
    uint8_t mrenclave[32];
};

static bool target(struct sgx_quoting *q, uint8_t out[SGX_TARGET_INFO_SIZE], struct err *err)
{
    const struct quoting *s = q->self;

    (void)err;
    memset(out, 0, SGX_TARGET_INFO_SIZE);
    memcpy(out, s->mrenclave, sizeof s->mrenclave);
    memcpy(out + 32, attributes, sizeof attributes);
    return true;
}

static bool quote(struct sgx_quoting *q, const uint8_t report[SGX_WHOLE_REPORT_SIZE],
                  struct writer *out, struct err *err)
{
    const struct quoting *s = q->self;
    const uint8_t *key_id = report + MACED_SIZE, *mac = key_id + SGX_KEY_ID_SIZE;
    uint8_t key[SGX_KEY_BYTES], expected[SGX_MAC_SIZE];

    if (!sgx_report_key(&s->platform, s->mrenclave, attributes, 0, key_id, key, err) ||
        !sgx_mac(key, bytes_from(report, MACED_SIZE), expected, err))
        return false;
    secret_wipe(key, sizeof key);
    if (CRYPTO_memcmp(expected, mac, sizeof expected) != 0)
        return err_set(err, ERR_POLICY,
                       "the quoting enclave refuses a REPORT that was not made for it here",
                       ERR_NO_AT);
    return simulated_quote(s->key, report, out, err);
}

static bool read_roots(struct quoting *s, const char *folder, struct simulated_sgx **out,
                       struct err *err)
{
    struct writer path = writer_growable(&s->arena, 8192);
    struct bytes text, pem;

    writer_format(&path, "%s/sgx.pem%c", folder, '\0');
    if (!writer_done(&path, &text, err))
        return false;
    if (!os_read_file((const char *)text.data, FILE_MAX, &s->arena, &pem, err))
        return err_set(err, ERR_NOT_FOUND,
                       "there are no simulated roots; 'broch sim init' makes them", ERR_NO_AT);
    return simulated_sgx_parse(pem, out, err);
}

static bool make(struct quoting *s, const char *folder, struct keep_evidence *endorsements,
                 struct err *err)
{
    int64_t now = os_unix_ms() / 1000;
    const struct simulated_dates dates = {now - BACKDATED_S, now + LIFETIME_S};
    struct writer info = writer_growable(&s->arena, FILE_MAX);
    struct simulated_sgx *roots;

    memcpy(s->platform.cpu_svn, description.svns, sizeof s->platform.cpu_svn);
    if (RAND_priv_bytes(s->platform.secret, sizeof s->platform.secret) != 1 ||
        EVP_Digest(name, sizeof name, s->mrenclave, NULL, EVP_sha256(), NULL) != 1)
        return err_set(err, ERR_CRYPTO, "no random bytes", ERR_NO_AT);
    if (!read_roots(s, folder, &roots, err))
        return false;
    *endorsements = (struct keep_evidence){.technology = KEEP_SGX};
    bool ok = simulated_quoting_new(roots, &description, dates, &s->key, err) &&
              simulated_sgx_tcb_info(roots, &description, dates, &info, err) &&
              writer_done(&info, &endorsements->tcb_info, err);
    simulated_sgx_free(roots);
    return ok;
}

bool sgx_sim_quoting_new(const char *sim_folder, struct sgx_platform *platform,
                         struct sgx_quoting *out, struct keep_evidence *endorsements,
                         struct err *err)
{
    struct quoting *s = calloc(1, sizeof *s);

    if (s == NULL)
        return err_set(err, ERR_MEMORY, "no memory for a simulated platform", ERR_NO_AT);
    arena_init(&s->arena, arena_heap, 16 * FILE_MAX);
    arena_set_wipe(&s->arena);
    *out = (struct sgx_quoting){.self = s, .target = target, .quote = quote};
    if (!make(s, sim_folder, endorsements, err)) {
        sgx_sim_quoting_free(out);
        return false;
    }
    *platform = s->platform;
    return true;
}

void sgx_sim_quoting_free(struct sgx_quoting *quoting)
{
    struct quoting *s = quoting->self;

    if (s == NULL)
        return;
    simulated_quoting_free(s->key);
    arena_done(&s->arena);
    secret_wipe(s, sizeof *s);
    free(s);
    quoting->self = NULL;
}
