/* Makes one key or one request: attest_request key KEY [enarx-snp]; attest_request hash KEY;
 * attest_request make SIM KEY OUT [snp|sgx] [nonce=HEX] [slug=TEXT] [digest=HEX]
 * [measurement=HEX] [flip=BIT]
 * Or writes what a host answers to `attest`: attest_request evidence SIM OUT snp|sgx
 * measurement=HEX data=HEX */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>

#include "attester.h"

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    (void)fprintf(stderr, "attest_request: %s\n", what);
    exit(2);
}

static EVP_PKEY *read_key(const char *path)
{
    FILE *file = fopen(path, "r");
    EVP_PKEY *key = file != NULL ? PEM_read_PrivateKey(file, NULL, NULL, NULL) : NULL;

    must(key != NULL && fclose(file) == 0, path);
    return key;
}

static void make_key(const char *path, bool is_p384)
{
    FILE *file = fopen(path, "w");
    EVP_PKEY *key = EVP_EC_gen(is_p384 ? "P-384" : "P-256");

    must(file != NULL && PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1 &&
             fclose(file) == 0,
         path);
    EVP_PKEY_free(key);
}

static void print_hash(const char *path)
{
    EVP_PKEY *key = read_key(path);
    char hash[65];

    attester_key_hash(key, hash);
    (void)puts(hash);
    EVP_PKEY_free(key);
}

static size_t take_hex(const char *text, uint8_t *out, size_t capacity)
{
    struct err err;
    size_t size;

    must(hex_decode(bytes_of(text), out, capacity, &size, &err), "malformed hexadecimal");
    return size;
}

static void take_word(struct attester_claim *claim, uint8_t nonce[IDENTITY_NONCE_MAX],
                      const char *word)
{
    const char *equals = strchr(word, '=');
    const char *value = equals != NULL ? equals + 1 : "";

    if (strcmp(word, "sgx") == 0)
        claim->technology = IDENTITY_SGX;
    else if (strcmp(word, "snp") == 0)
        claim->technology = IDENTITY_SNP;
    else if (strncmp(word, "nonce=", 6) == 0)
        claim->nonce = bytes_from(nonce, take_hex(value, nonce, IDENTITY_NONCE_MAX));
    else if (strncmp(word, "slug=", 5) == 0)
        claim->claims.slug = bytes_of(value);
    else if (strncmp(word, "digest=", 7) == 0)
        claim->claims.has_digest =
            take_hex(value, claim->claims.digest, sizeof claim->claims.digest) == 32;
    else if (strncmp(word, "measurement=", 12) == 0)
        (void)take_hex(value, claim->measurement, sizeof claim->measurement);
    else if (strncmp(word, "flip=", 5) == 0)
        claim->flip = strtoul(value, NULL, 10);
    else
        must(false, word);
}

static void make_request(char **words, int count)
{
    struct attester_claim claim = {.technology = IDENTITY_SNP};
    uint8_t nonce[IDENTITY_NONCE_MAX];
    struct arena arena;

    for (int i = 3; i < count; i++)
        take_word(&claim, nonce, words[i]);
    struct attester *attester = attester_new(words[0]);
    EVP_PKEY *key = read_key(words[1]);
    arena_init(&arena, arena_heap, (size_t)64 << 20);
    struct bytes request = attester_request(attester, &claim, key, &arena);
    FILE *file = fopen(words[2], "w");
    must(file != NULL && fwrite(request.data, 1, request.size, file) == request.size &&
             fclose(file) == 0,
         words[2]);
    EVP_PKEY_free(key);
    arena_done(&arena);
    attester_free(attester);
}

static void write_evidence(char **words)
{
    struct attester_claim claim = {.technology = IDENTITY_SNP};
    uint8_t data[KEEP_REPORT_DATA_SIZE];
    struct keep_evidence evidence;
    struct arena arena;
    struct bytes written;
    struct err err;

    take_word(&claim, NULL, words[2]);
    take_word(&claim, NULL, words[3]);
    must(strncmp(words[4], "data=", 5) == 0 &&
             take_hex(words[4] + 5, data, sizeof data) == sizeof data,
         words[4]);
    struct attester *attester = attester_new(words[0]);
    arena_init(&arena, arena_heap, (size_t)64 << 20);
    struct writer w = writer_growable(&arena, KEEP_MESSAGE_MAX);
    attester_evidence(attester, claim.technology, claim.measurement, data, &arena, &evidence);
    keep_evidence_write(&w, &evidence);
    FILE *file = fopen(words[1], "w");
    must(writer_done(&w, &written, &err) && file != NULL &&
             fwrite(written.data, 1, written.size, file) == written.size && fclose(file) == 0,
         words[1]);
    arena_done(&arena);
    attester_free(attester);
}

int main(int argc, char **argv)
{
    if (argc >= 3 && strcmp(argv[1], "key") == 0)
        make_key(argv[2], argc > 3);
    else if (argc == 3 && strcmp(argv[1], "hash") == 0)
        print_hash(argv[2]);
    else if (argc >= 5 && strcmp(argv[1], "make") == 0)
        make_request(argv + 2, argc - 2);
    else if (argc == 7 && strcmp(argv[1], "evidence") == 0)
        write_evidence(argv + 2);
    else
        must(false, "what?");
    return 0;
}
