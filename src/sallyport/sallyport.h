/* What crosses between the exec layer and its host, shared by both sides: the table of calls, the
 * keep calls, and the boot request. No I/O. The host's bytes are hostile to the keep and the keep's
 * to the host: each side reads them through the functions here. */
#pragma once

#include "base/base.h"

/* ---- calls ---- */

enum call_home { CALL_LOCAL, CALL_HOST, CALL_KEEP };

enum call_arg_kind {
    CALL_ARG_NONE,
    CALL_ARG_ANY,
    CALL_ARG_FD,
    CALL_ARG_SIZE,
    CALL_ARG_PLACE,   /* an address that is only named */
    CALL_ARG_IN,      /* memory that is read; value: the argument with its size */
    CALL_ARG_OUT,     /* memory that is written, likewise */
    CALL_ARG_OUT_AT,  /* likewise; value: the argument with the address of its 32-bit size */
    CALL_ARG_GIVE,    /* memory that is read, may be NULL; value: its size */
    CALL_ARG_TAKE,    /* memory that is written, or NULL; value: its size */
    CALL_ARG_POLLFDS, /* struct pollfd, read and written; value: the argument with their count */
    CALL_ARG_MASK,    /* a number with no other bits than value's; enforced */
    CALL_ARG_IS,      /* exactly value; enforced */
    CALL_ARG_EITHER   /* value or other; enforced */
};

struct call_arg {
    enum call_arg_kind kind;
    int64_t value, other;
};

struct call {
    const char *name;
    uint32_t number; /* of this machine's architecture */
    enum call_home home;
    struct call_arg args[6];
};

/* The table, in the order of calls.def, and how many there are. */
extern const struct call calls[];
extern const size_t call_count;

/* The call of a number; NULL when it is not in the table. */
const struct call *call_find(uint64_t number);

/* Whether arguments are what the table enforces. */
bool call_fits(const struct call *call, const uint64_t args[6]);

/* ---- keep calls ----
 *
 * As system calls where a backend delivers them:
 *   attest(data, size, out, out_size)     evidence of the platform about 64 bytes of data, as
 *                                         keep_evidence_parse reads it; ENOSYS where there is none.
 *                                         The shim of an enclave asks its host twice: with nothing,
 *                                         for 512 bytes of TARGETINFO, and with the REPORT of 432
 *                                         bytes that it has made for that, for the evidence
 *   resolve(name, size, out, out_size)    addresses of a host name: struct keep_address each;
 *                                         returns how many bytes; ENOENT when there is none
 *   log(level, text, size)                one line for the operator; enum log_level
 *   phase(number)                         how far the keep has come; enum keep_phase
 *   platform_key(out, size)               struct keep_platform_key, of SEV-SNP: once, EPERM after;
 *                                         from the shim, never the host. ENOSYS elsewhere
 *   guest_request(page, size, out, size)  a message to the security processor, sealed with that
 * key; KEEP_GUEST_PAGE bytes there, KEEP_GUEST_SPACE back: its answer, then a table of
 * certificates. EBUSY: once more, with the same bytes; EIO; ENOSYS elsewhere A negative result is
 * an errno: EINVAL a bad name or level, EMSGSIZE too long a text, EFAULT a pointer to nowhere.
 * Where a call gives ENOSYS and is not answered, the keep sends it as a message over the boot
 * socket (descriptor BOOT_SOCKET): a struct keep_request with `size` bytes behind it, answered by a
 * struct keep_reply and its bytes. */

#define KEEP_NAME_MAX 253        /* bytes of a host name, RFC 1035 §2.3.4 */
#define KEEP_LOG_MAX 4096        /* bytes of a line */
#define KEEP_ADDRESSES_MAX 16    /* of one name */
#define KEEP_MESSAGE_MAX 262144u /* bytes behind a request or a reply */
#define KEEP_REPORT_DATA_SIZE 64u

enum keep_call_number {
    KEEP_CALL_ATTEST = 0xEA00,
    KEEP_CALL_RESOLVE,
    KEEP_CALL_LOG,
    KEEP_CALL_PHASE,
    KEEP_CALL_PLATFORM_KEY,
    KEEP_CALL_GUEST_REQUEST
};

struct keep_platform_key {
    uint8_t key[32];   /* VMPCK0 */
    uint64_t sequence; /* of the last message with it */
};
_Static_assert(sizeof(struct keep_platform_key) == 40, "crosses a boundary");

#define KEEP_GUEST_PAGE 4096u
#define KEEP_GUEST_SPACE (KEEP_GUEST_PAGE + 16384u)

/* What a keep has done, in this order; those that a keep has no need of are left out. The loader
 * takes the times, so they are its own. */
enum keep_phase {
    KEEP_PHASE_BOOTED,   /* the boot request was read */
    KEEP_PHASE_FETCHED,  /* the package is there, every digest checked */
    KEEP_PHASE_ATTESTED, /* a Steward certified the keep */
    KEEP_PHASE_COMPILED, /* the module is ready */
    KEEP_PHASE_RUNNING,  /* its first instruction is next */
    KEEP_PHASE_COUNT
};
/* "booted", "fetched", … */
const char *keep_phase_name(enum keep_phase phase);

struct keep_address {
    uint8_t family; /* 4 or 6 */
    uint8_t bytes[16];
};
_Static_assert(sizeof(struct keep_address) == 17, "crosses a boundary");

/* Both little-endian in memory, as all machines that we know. */
struct keep_request {
    uint32_t number;
    uint32_t size;  /* bytes that follow: name, text or nonce */
    uint32_t value; /* log's level */
    uint32_t space; /* bytes that the reply may have */
};
struct keep_reply {
    int64_t result; /* as the call's */
    uint32_t size;  /* bytes that follow */
    uint32_t zero;
};
_Static_assert(sizeof(struct keep_request) == 16, "crosses a boundary");
_Static_assert(sizeof(struct keep_reply) == 16, "crosses a boundary");

/* ---- evidence ----
 *
 * What `attest` answers: sections, each u32le kind, u32le size, the bytes. It comes from the host
 * or through it: the Steward judges it, the keep only puts it into its request. */

#define KEEP_EVIDENCE_CRLS_MAX 16
#define KEEP_EVIDENCE_CHAIN_MAX 4
#define KEEP_EVIDENCE_URL_MAX 1024 /* bytes */

enum keep_technology { KEEP_SNP = 1, KEEP_SGX, KEEP_TDX };

enum keep_evidence_kind {
    KEEP_EVIDENCE_TECHNOLOGY = 1,  /* u8, enum keep_technology; once */
    KEEP_EVIDENCE_REPORT,          /* SNP's report or the quote; once */
    KEEP_EVIDENCE_VEK,             /* SNP: the certificate of its key, DER; once */
    KEEP_EVIDENCE_CRL,             /* u16le size of the address that it came from, that, DER */
    KEEP_EVIDENCE_TCB_CERTIFICATE, /* SGX: of the TCB info's signer and on, DER, in order */
    KEEP_EVIDENCE_TCB_INFO,        /* SGX: as Intel's service answered it; once */
    KEEP_EVIDENCE_KIND_COUNT
};

struct keep_crl {
    struct bytes url, der;
};

/* What is absent is empty. Borrowed. */
struct keep_evidence {
    uint8_t technology;
    struct bytes report, vek, tcb_info;
    struct keep_crl crls[KEEP_EVIDENCE_CRLS_MAX];
    size_t crl_count;
    struct bytes tcb_chain[KEEP_EVIDENCE_CHAIN_MAX];
    size_t tcb_chain_count;
};

/* For who answers `attest`. */
void keep_evidence_write(struct writer *w, const struct keep_evidence *evidence);
/* ERR_FORMAT, ERR_LIMIT. *out borrows. */
MUST_CHECK bool keep_evidence_parse(struct bytes in, struct keep_evidence *out, struct err *err);

/* ---- the boot request ----
 *
 * A file that the keep reads from descriptor BOOT_FILE to its end:
 *
 *     offset 0   "BROCHBT1"
 *     then sections: u32le kind, u32le size, the bytes
 *
 * It is untrusted input: nothing in it is ever a peer anchor (DESIGN.md §3). */

#define BOOT_SOCKET 3
#define BOOT_FILE 4
#define BOOT_MAGIC "BROCHBT1"
#define BOOT_MAGIC_SIZE 8
#define BOOT_SECTION_HEAD_SIZE 8

enum boot_kind {
    BOOT_LOG_LEVEL = 1, /* u8, enum log_level */
    BOOT_STDIO,         /* three u8, enum boot_stdio: what the host's descriptors 0 to 2 are */
    BOOT_ARG,           /* an argument; any of them replace those of the configuration */
    BOOT_ENV,           /* NAME=VALUE, added to the configuration's, or instead of the same name */
    BOOT_FUEL,          /* u64le */
    BOOT_MEMORY,        /* u64le, bytes of linear memory */
    BOOT_FILE_SECTION,  /* u16le size of the path, the path ("main.wasm", "data/x"), the content */
    BOOT_PACKAGE,       /* instead of files: HOST/USER/REPO:TAG, with "@" and a digest behind it or
                           not; "http://" before it only with the digest */
    BOOT_STEWARD,     /* https://HOST[:PORT]: for a package that names none, and for the platform's
                         certificate */
    BOOT_STEWARD_CA,  /* PEM: who is believed to be that Steward */
    BOOT_REGISTRY_CA, /* PEM: who is believed to be the registry; without it the Mozilla roots */
    BOOT_KIND_COUNT
};

enum boot_stdio { BOOT_STDIO_STREAM, BOOT_STDIO_TERMINAL, BOOT_STDIO_KIND_COUNT };

#define BOOT_PATH_MAX 4096
#define BOOT_SECTIONS_MAX 100000
#define BOOT_SECTION_SIZE_MAX (1u << 30)

struct boot_section {
    enum boot_kind kind;
    uint32_t size;
};

void boot_section_write(struct boot_section section, uint8_t out[BOOT_SECTION_HEAD_SIZE]);
/* ERR_FORMAT unknown kind; ERR_LIMIT. */
MUST_CHECK bool boot_section_parse(const uint8_t in[BOOT_SECTION_HEAD_SIZE],
                                   struct boot_section *out, struct err *err);
