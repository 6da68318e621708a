/* The header of a message, 96 bytes:
 *
 *     0  32 AUTHTAG, of which GCM uses 16     0x34  1 MSG_TYPE
 *  0x20   8 MSG_SEQNO                         0x35  1 MSG_VERSION, 1
 *  0x28   8 reserved                          0x36  2 MSG_SIZE
 *  0x30   1 ALGO, 1: AES-256-GCM              0x38  4 reserved
 *  0x31   1 HDR_VERSION, 1                    0x3c  1 MSG_VMPCK
 *  0x32   2 HDR_SIZE, 0x60                    0x3d 35 reserved
 *
 * The nonce is the sequence number in 12 bytes; what is authenticated besides the message is the
 * header from ALGO on. */
#include "evidence/snp_message.h"

#include <openssl/evp.h>

#define HEADER_SIZE 0x60u
#define TAG_SIZE 16
#define SEQUENCE_AT 0x20u
#define ALGORITHM_AT 0x30u
#define SIZE_AT 0x36u
#define ALGORITHM 1u
#define VERSION 1u
#define NONCE_SIZE 12

static void write_header(uint64_t sequence, enum snp_message_type type, size_t size, uint8_t *page)
{
    struct writer w = writer_fixed(page + SEQUENCE_AT, HEADER_SIZE - SEQUENCE_AT);

    memset(page, 0, HEADER_SIZE);
    writer_u64le(&w, sequence);
    writer_u64le(&w, 0);
    writer_u8(&w, ALGORITHM);
    writer_u8(&w, VERSION);
    writer_u16le(&w, HEADER_SIZE);
    writer_u8(&w, (uint8_t)type);
    writer_u8(&w, VERSION);
    writer_u16le(&w, (uint16_t)size);
}

static bool crypt(bool is_sealing, const uint8_t key[SNP_MESSAGE_KEY_SIZE], uint64_t sequence,
                  const uint8_t *header, struct bytes in, uint8_t *out, uint8_t tag[TAG_SIZE])
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    uint8_t nonce[NONCE_SIZE] = {0};
    struct writer w = writer_fixed(nonce, sizeof nonce);
    int size, last;

    writer_u64le(&w, sequence);
    bool ok =
        context != NULL &&
        EVP_CipherInit_ex(context, EVP_aes_256_gcm(), NULL, key, nonce, is_sealing) == 1 &&
        EVP_CipherUpdate(context, NULL, &size, header + ALGORITHM_AT, HEADER_SIZE - ALGORITHM_AT) ==
            1 &&
        EVP_CipherUpdate(context, out, &size, in.data, (int)in.size) == 1 &&
        (is_sealing || EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, TAG_SIZE, tag) == 1) &&
        EVP_CipherFinal_ex(context, out + size, &last) == 1 &&
        (!is_sealing || EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, TAG_SIZE, tag) == 1);
    EVP_CIPHER_CTX_free(context);
    return ok;
}

bool snp_message_seal(const uint8_t key[SNP_MESSAGE_KEY_SIZE], uint64_t sequence,
                      enum snp_message_type type, struct bytes message, uint8_t page[SNP_PAGE_SIZE],
                      struct err *err)
{
    uint8_t tag[TAG_SIZE];

    if (message.size > SNP_MESSAGE_MAX)
        return err_set(err, ERR_LIMIT, "a message to the security processor has at most, in bytes",
                       SNP_MESSAGE_MAX);
    memset(page, 0, SNP_PAGE_SIZE);
    write_header(sequence, type, message.size, page);
    if (!crypt(true, key, sequence, page, message, page + HEADER_SIZE, tag))
        return err_set(err, ERR_CRYPTO, "cannot seal a message", ERR_NO_AT);
    memcpy(page, tag, TAG_SIZE);
    return true;
}

bool snp_message_open(const uint8_t key[SNP_MESSAGE_KEY_SIZE], uint64_t sequence,
                      enum snp_message_type type, const uint8_t page[SNP_PAGE_SIZE], uint8_t *out,
                      struct bytes *message, struct err *err)
{
    struct reader r = {.in = bytes_from(page + SIZE_AT, 2)};
    uint8_t expected[HEADER_SIZE], tag[TAG_SIZE];
    uint16_t size;

    if (!reader_u16le(&r, &size) || size > SNP_MESSAGE_MAX)
        return err_set(err, ERR_FORMAT, "a message of the security processor is too long",
                       ERR_NO_AT);
    write_header(sequence, type, size, expected);
    if (memcmp(expected + SEQUENCE_AT, page + SEQUENCE_AT, HEADER_SIZE - SEQUENCE_AT) != 0)
        return err_set(err, ERR_POLICY, "this is not the message that was to come", ERR_NO_AT);
    memcpy(tag, page, TAG_SIZE);
    if (!crypt(false, key, sequence, page, bytes_from(page + HEADER_SIZE, size), out, tag))
        return err_set(err, ERR_CRYPTO, "a message was not sealed by the security processor",
                       ERR_NO_AT);
    *message = bytes_from(out, size);
    return true;
}

/* ---- asking for a report ---- */

void snp_report_request_write(const uint8_t data[64], uint32_t vmpl,
                              uint8_t out[SNP_REPORT_REQUEST_SIZE])
{
    struct writer w = writer_fixed(out, SNP_REPORT_REQUEST_SIZE);

    memset(out, 0, SNP_REPORT_REQUEST_SIZE);
    writer_bytes(&w, bytes_from(data, 64));
    writer_u32le(&w, vmpl);
}

bool snp_report_request_parse(struct bytes in, uint8_t data[64], uint32_t *vmpl, struct err *err)
{
    struct reader r = {.in = in};
    struct bytes report_data;

    if (in.size != SNP_REPORT_REQUEST_SIZE || !reader_bytes(&r, 64, &report_data) ||
        !reader_u32le(&r, vmpl))
        return err_set(err, ERR_FORMAT, "this asks for no report", ERR_NO_AT);
    memcpy(data, report_data.data, 64);
    return true;
}

void snp_report_response_write(const uint8_t report[SNP_REPORT_SIZE],
                               uint8_t out[SNP_REPORT_RESPONSE_SIZE])
{
    struct writer w = writer_fixed(out, SNP_REPORT_RESPONSE_SIZE);

    memset(out, 0, SNP_REPORT_RESPONSE_SIZE);
    writer_u32le(&w, 0);
    writer_u32le(&w, SNP_REPORT_SIZE);
    memcpy(out + 32, report, SNP_REPORT_SIZE);
}

bool snp_report_response_parse(struct bytes in, struct bytes *report, struct err *err)
{
    struct reader r = {.in = in};
    uint32_t status, size;
    struct bytes reserved;

    if (!reader_u32le(&r, &status) || !reader_u32le(&r, &size))
        return err_set(err, ERR_FORMAT, "the security processor's answer ends early", r.at);
    if (status != 0)
        return err_set(err, ERR_IO, "the security processor gives no report", status);
    if (size != SNP_REPORT_SIZE || !reader_bytes(&r, 24, &reserved) ||
        !reader_bytes(&r, size, report))
        return err_set(err, ERR_FORMAT, "the security processor's report has another size than",
                       SNP_REPORT_SIZE);
    return true;
}
