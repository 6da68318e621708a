/* Looks for private keys on P-256 in the memory of a process:
 *   key_scan PID HASH…
 * HASH is the SHA-256 of a key's SubjectPublicKeyInfo, in hexadecimal. For each scalar that is
 * found prints "HASH SCALAR ADDRESS", the scalar big-endian; last "scanned BYTES tried COUNT".
 *
 * Every 32 bytes at an address that 8 divides are taken for a scalar, in both byte orders
 * (OpenSSL's numbers are words of the machine, the least first), unless they do not look random. */
#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HASHES_MAX 16
#define SCALAR 32u
#define CHUNK ((size_t)1 << 20)
#define TRIES_MAX 4000000u /* some minutes */

struct scan {
    const EC_GROUP *group;
    EC_POINT *point;
    BN_CTX *bn;
    BIGNUM *number;
    char *const *hashes;
    int hash_count;
    unsigned long long bytes, tries;
};

static void must(int ok, const char *what)
{
    if (ok)
        return;
    (void)fprintf(stderr, "key_scan: %s\n", what);
    exit(2);
}

/* 32 random bytes have 30 different ones, and 128 bits that are set: some fewer or more, but next
 * to never as few, or as many, as these. */
static int looks_random(const uint8_t *at)
{
    uint64_t seen[4] = {0}, word;
    int different = 0, set = 0;

    for (unsigned i = 0; i < SCALAR; i++) {
        uint64_t bit = UINT64_C(1) << (at[i] & 63);
        different += (seen[at[i] >> 6] & bit) == 0;
        seen[at[i] >> 6] |= bit;
    }
    for (unsigned i = 0; i < SCALAR; i += sizeof word) {
        memcpy(&word, at + i, sizeof word);
        set += __builtin_popcountll(word);
    }
    return different >= 24 && set >= 88 && set <= 168;
}

/* The SubjectPublicKeyInfo of a point, hashed (RFC 5480). */
static void hash_point(struct scan *s, char out[65])
{
    static const uint8_t head[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                   0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                   0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};
    uint8_t spki[sizeof head + 65], hash[32];

    memcpy(spki, head, sizeof head);
    must(EC_POINT_point2oct(s->group, s->point, POINT_CONVERSION_UNCOMPRESSED, spki + sizeof head,
                            65, s->bn) == 65 &&
             EVP_Digest(spki, sizeof spki, hash, NULL, EVP_sha256(), NULL) == 1,
         "OpenSSL failed");
    for (size_t i = 0; i < sizeof hash; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", hash[i]);
}

static void try_scalar(struct scan *s, const uint8_t big[SCALAR], uint64_t address)
{
    char hash[65];

    must(BN_bin2bn(big, SCALAR, s->number) != NULL, "no memory");
    if (BN_is_zero(s->number) || BN_cmp(s->number, EC_GROUP_get0_order(s->group)) >= 0)
        return;
    must(++s->tries < TRIES_MAX, "too much that looks random");
    must(EC_POINT_mul(s->group, s->point, s->number, NULL, NULL, s->bn) == 1, "OpenSSL failed");
    hash_point(s, hash);
    for (int i = 0; i < s->hash_count; i++) {
        if (strcmp(hash, s->hashes[i]) != 0)
            continue;
        printf("%s ", hash);
        for (unsigned k = 0; k < SCALAR; k++)
            printf("%02x", big[k]);
        printf(" %llx\n", (unsigned long long)address);
    }
}

static void try_bytes(struct scan *s, const uint8_t *at, uint64_t address)
{
    uint8_t other[SCALAR];

    if (!looks_random(at))
        return;
    for (unsigned i = 0; i < SCALAR; i++)
        other[i] = at[SCALAR - 1 - i];
    try_scalar(s, other, address);
    try_scalar(s, at, address);
}

static void scan_range(struct scan *s, int memory, uint64_t from, uint64_t to)
{
    static uint8_t chunk[CHUNK + SCALAR];

    while (from < to) {
        size_t wanted = to - from < sizeof chunk ? (size_t)(to - from) : sizeof chunk;
        ssize_t got = pread(memory, chunk, wanted, (off_t)from);
        if (got <= 0)
            return;
        for (size_t i = 0; i + SCALAR <= (size_t)got; i += 8)
            try_bytes(s, chunk + i, from + i);
        s->bytes += (size_t)got;
        if ((size_t)got < sizeof chunk)
            return;
        from += CHUNK;
    }
}

int main(int argc, char **argv)
{
    char path[64], line[512];
    struct scan s = {.hashes = argv + 2, .hash_count = argc - 2};

    must(argc >= 3 && argc - 2 <= HASHES_MAX, "key_scan PID HASH…");
    s.group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    s.point = EC_POINT_new(s.group);
    s.bn = BN_CTX_new();
    s.number = BN_new();
    must(s.group != NULL && s.point != NULL && s.bn != NULL && s.number != NULL, "no memory");
    (void)snprintf(path, sizeof path, "/proc/%s/mem", argv[1]);
    int memory = open(path, O_RDONLY | O_CLOEXEC);
    (void)snprintf(path, sizeof path, "/proc/%s/maps", argv[1]);
    FILE *maps = fopen(path, "r");
    must(memory >= 0 && maps != NULL, "no such process");
    while (fgets(line, sizeof line, maps) != NULL) {
        /* "7f00-7f10 rw-p …" */
        char *at = line;
        unsigned long long from = strtoull(at, &at, 16),
                           to = *at == '-' ? strtoull(at + 1, &at, 16) : 0;
        if (strncmp(at, " rw", 3) == 0)
            scan_range(&s, memory, from, to);
    }
    printf("scanned %llu tried %llu\n", s.bytes, s.tries);
    return 0;
}
