/* The guest's side of SEV-ES and SEV-SNP (AMD 56421, GHCB protocol version 2; AMD APM volume 2,
 * §15.36). The GHCB and all answers are the host's: what is needed is read once. */
#include "shim/kvm/kernel.h"

#define MSR_GHCB 0xc0010130
#define MSR_SEV_STATUS 0xc0010131
#define SEV_ES_SNP 7ull /* of SEV_STATUS */

/* The MSR protocol: what the low 12 bits say (56421 §2.3.1). */
#define INFO_MASK 0xfffull
#define SEV_INFORMATION 0x001ull
#define ASK_SEV_INFORMATION 0x002ull
#define ASK_REGISTER 0x012ull
#define REGISTERED 0x013ull
#define ASK_FEATURES 0x080ull
#define FEATURES 0x081ull
#define TERMINATE 0x100ull
#define FEATURE_SNP 1ull
#define PROTOCOL 2u

/* Exit codes (56421 §4). */
#define EXIT_IOIO 0x7bull
#define EXIT_PAGE_STATE 0x80000010ull
#define EXIT_EXTENDED_GUEST_REQUEST 0x80000012ull
#define IOIO_OUT_8 0x210ull /* one byte, 64-bit addresses */

/* The GHCB's page (56421 §2.6): quadwords that are valid have their bit in a map. */
enum {
    AT_RAX = 0x1f8,
    AT_RBX = 0x318,
    AT_CODE = 0x390,
    AT_INFO1 = 0x398,
    AT_INFO2 = 0x3a0,
    AT_SCRATCH = 0x3a8,
    AT_VALID = 0x3f0,
    AT_BUFFER = 0x800,
    AT_VERSION = 0xff8 /* the protocol's, in bits 16 to 31; the usage, 0, above */
};

/* Page state changes (56421 §4.1.6). */
#define STATE_PRIVATE 1ull
#define VALIDATE_SIZE_MISMATCH 6u

static volatile uint64_t *ghcb(unsigned at)
{
    return (volatile void *)((uint8_t *)cpu_alias(GHCB_PA) + at);
}

static void set(unsigned at, uint64_t value)
{
    *ghcb(at) = value;
    *ghcb(AT_VALID + at / 512 * 8) |= 1ull << (at / 8 % 64);
}

static uint64_t by_msr(uint64_t value)
{
    cpu_write_msr(MSR_GHCB, value);
    cpu_exit();
    return cpu_read_msr(MSR_GHCB);
}

/* The end, where there is no GHCB to say why with: a number of layout.h. */
_Noreturn static void terminate(uint64_t reason)
{
    for (;;)
        (void)by_msr(TERMINATE | TERMINATE_SET << 12 | reason << 16);
}

bool ghcb_start(void)
{
    if ((cpu_read_msr(MSR_SEV_STATUS) & SEV_ES_SNP) != SEV_ES_SNP)
        return false;
    uint64_t info = by_msr(ASK_SEV_INFORMATION);
    if ((info & INFO_MASK) != SEV_INFORMATION || (info >> 24 & 0xff) != C_BIT)
        terminate(TERMINATE_C_BIT);
    if ((info >> 48) < PROTOCOL || (info >> 32 & 0xffff) > PROTOCOL)
        terminate(TERMINATE_PROTOCOL);
    uint64_t features = by_msr(ASK_FEATURES);
    if ((features & INFO_MASK) != FEATURES || (features >> 12 & FEATURE_SNP) == 0)
        terminate(TERMINATE_FEATURES);
    if (by_msr(GHCB_PA | ASK_REGISTER) != (GHCB_PA | REGISTERED))
        terminate(TERMINATE_REGISTER);
    cpu_write_msr(MSR_GHCB, GHCB_PA);
    return true;
}

/* Begins a call. */
static void begin(uint64_t code, uint64_t info1, uint64_t info2)
{
    *ghcb(AT_VALID) = 0;
    *ghcb(AT_VALID + 8) = 0;
    *ghcb(AT_VERSION) = (uint64_t)PROTOCOL << 16;
    set(AT_CODE, code);
    set(AT_INFO1, info1);
    set(AT_INFO2, info2);
}

/* Makes it; false: the host did not do it. */
static bool call(void)
{
    cpu_write_msr(MSR_GHCB, GHCB_PA);
    cpu_exit();
    return (uint32_t)*ghcb(AT_INFO1) == 0;
}

void ghcb_leave(uint64_t port)
{
    begin(EXIT_IOIO, port << 16 | IOIO_OUT_8, 0);
    set(AT_RAX, 0);
    (void)call();
}

int64_t ghcb_guest_request(void)
{
    begin(EXIT_EXTENDED_GUEST_REQUEST, REQUEST_PA, RESPONSE_PA);
    set(AT_RAX, CERTS_PA);
    set(AT_RBX, CERTS_SIZE / PAGE_SIZE);
    return call() ? (int64_t)*ghcb(AT_INFO2) : -1;
}

/* Asks the host to give a page, or a frame: one entry. */
static bool ask_private(uint64_t pa, uint64_t is_frame)
{
    begin(EXIT_PAGE_STATE, 0, 0);
    set(AT_SCRATCH, GHCB_PA + AT_BUFFER);
    *ghcb(AT_BUFFER) = 0; /* this entry, and the last one: both the first */
    *ghcb(AT_BUFFER + 8) = pa | STATE_PRIVATE << 52 | is_frame << 56;
    return call() && *ghcb(AT_INFO2) == 0 && (*ghcb(AT_BUFFER) & 0xffff) == 1;
}

/* That the RMP entry changes, without which the result is not 0, is what says that nobody has this
 * memory under another address, and that it is not taken twice (APM volume 2, §15.36.6). */
static bool validate_page(uint8_t *at)
{
    return cpu_validate(at, 0) == 0;
}

bool ghcb_accept_page(uint64_t pa)
{
    return ask_private(pa, 0) && validate_page(cpu_alias(pa));
}

bool ghcb_accept_frame(uint64_t pa)
{
    uint8_t *at = kernel_scratch(pa);

    if (at == 0 || !ask_private(pa, 1))
        return false;
    uint64_t result = cpu_validate(at, 1);
    if (result != VALIDATE_SIZE_MISMATCH) /* the host has it in small pages */
        return result == 0;
    for (uint64_t i = 0; i < FRAME_SIZE; i += PAGE_SIZE) {
        if (!validate_page(at + i))
            return false;
    }
    return true;
}
