/* What a hostile loader does to an enclave beside lying about its calls: what is in the heap before
 * it starts, how and when it is entered, pages that it takes, interrupts, quotes that are none. It
 * does what a host could do on hardware: it does not look into the enclave, nor write to it once it
 * runs. */
#include "testhost.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/time.h>

#include "host/sgx.h"
#include "host/sgx_quoting.h"
#include "host/sgx_sim.h"
#include "shim/sgx/layout.h"

#define PAGES_MAX 8
#define TICK_US 150
#define ROUNDS_AFTER_END 400
#define UNTOUCHED 0xee     /* of the block before a call */
#define ODD_FLAGS 0x40c01u /* carry, direction, overflow, alignment check */
#define ODD_FCW 0x0000u    /* no exception is masked, single precision */
#define ODD_MXCSR 0xe03fu  /* likewise, towards zero, flags set, denormals are flushed */

const char enclave_help[] =
    "  --enter KIND[,N]  what is done to an enclave, at the Nth occasion; else at the first once "
    "the\n"
    "                    keep has made a call. May be given several times:\n"
    "      again       EENTER once more after an exception was dealt with, instead of ERESUME\n"
    "      resume      ERESUME where the shim waits to be entered\n"
    "      resume-call ERESUME and the call was not made      early  ERESUME before all else\n"
    "      block       later entries have another block's address\n"
    "      null, odd, high, inside, across    what the first entry has as the block's address\n"
    "      sgx1        pages do not come and go       lying-sgx2  likewise, and it says they do\n"
    "      dirty       the heap is full of something before the start\n"
    "      interrupts  come all the time      interrupts-told  and are told as exceptions; ,1: "
    "from\n"
    "                  the start on\n"
    "      after-end   entered and resumed by turns once the shim has said that it is over\n"
    "      deny        what is asked about pages is refused, from the Nth request on; lazy  it is\n"
    "                  said to be done; only-remove  but for trimming and rights, with either\n"
    "      away,OFFSET,SIZE    pages are not there any more, as a kernel can have it;\n"
    "      trim,OFFSET,SIZE  remove,OFFSET,SIZE  restrict,OFFSET,SIZE    likewise by the "
    "processor\n"
    "      entry-flags entered with odd flags, and odd control words of x87 and SSE\n"
    "      cpuid       CPUID and RDTSC with UD2 before them are trapped, as all are on hardware\n"
    "      registers   tell at the end what exits left in registers, and in the block beside "
    "calls\n"
    "  --quote KIND  instead of each quote: flip,BIT; busy; empty; noise; other (the first one)\n";

enum kind {
    AGAIN,
    RESUME,
    RESUME_CALL,
    EARLY,
    BLOCK,
    NULL_BLOCK,
    ODD,
    HIGH,
    INSIDE,
    ACROSS,
    SGX1,
    LYING_SGX2,
    DIRTY,
    INTERRUPTS,
    INTERRUPTS_TOLD,
    DENY,
    LAZY,
    ONLY_REMOVE,
    AFTER_END,
    ENTRY_FLAGS,
    CPUID,
    REGISTERS,
    KIND_COUNT
};

static const char *const names[KIND_COUNT] = {
    "again",     "resume",      "resume-call",     "early",    "block", "null",
    "odd",       "high",        "inside",          "across",   "sgx1",  "lying-sgx2",
    "dirty",     "interrupts",  "interrupts-told", "deny",     "lazy",  "only-remove",
    "after-end", "entry-flags", "cpuid",           "registers"};

static struct {
    bool is_planned;
    uint64_t nth, count; /* 0: the first, once the keep has begun */
} plan[KIND_COUNT];

enum page_kind { AWAY, TRIM, REMOVE, RESTRICT, PAGE_KIND_COUNT };
static const char *const page_names[PAGE_KIND_COUNT] = {"away,", "trim,", "remove,", "restrict,"};

static struct {
    enum page_kind kind;
    uint64_t offset, size, nth;
} pages[PAGES_MAX];
static size_t page_count;

static const char *quote_kind;
static uint64_t quote_bit;

static struct sgx_processor *enclave;
static bool has_begun;
static uint64_t last_exit, entries, exits, leaked;

/* ---- what is asked for ---- */

static bool add_pages(const char *text)
{
    for (unsigned i = 0; i < PAGE_KIND_COUNT; i++) {
        size_t size = strlen(page_names[i]);
        char *end;
        if (strncmp(text, page_names[i], size) != 0)
            continue;
        must(page_count < PAGES_MAX, "too many pages");
        pages[page_count].kind = (enum page_kind)i;
        pages[page_count].offset = strtoull(text + size, &end, 0);
        must(*end == ',', "--enter: OFFSET,SIZE of pages");
        pages[page_count].size = strtoull(end + 1, &end, 0);
        pages[page_count++].nth = *end == ',' ? strtoull(end + 1, NULL, 10) : 0;
        return true;
    }
    return false;
}

void enclave_add(const char *text)
{
    size_t size = strcspn(text, ",");

    if (add_pages(text))
        return;
    for (unsigned i = 0; i < KIND_COUNT; i++) {
        if (strlen(names[i]) != size || strncmp(names[i], text, size) != 0)
            continue;
        plan[i].is_planned = true;
        plan[i].nth = text[size] == ',' ? strtoull(text + size + 1, NULL, 10) : 0;
        return;
    }
    fail("--enter: no such kind");
}

void enclave_set_quote(const char *text)
{
    quote_kind = text;
    if (strncmp(text, "flip,", 5) == 0)
        quote_bit = strtoull(text + 5, NULL, 0);
}

/* An occasion for something: whether it is the one. */
static bool is_time(enum kind kind)
{
    if (!plan[kind].is_planned || (plan[kind].nth == 0 && !has_begun))
        return false;
    bool is_so = ++plan[kind].count == (plan[kind].nth != 0 ? plan[kind].nth : 1);
    if (is_so)
        log_info("the loader does it", log_str("what", names[kind]));
    return is_so;
}

/* ---- before the start ---- */

/* The processor's own. */
static struct sgx_processor honest;

/* Whether a request about pages is not granted. */
static bool is_denied(void)
{
    enum kind kind = plan[LAZY].is_planned ? LAZY : DENY;

    plan[kind].count++;
    return plan[kind].nth != 0 ? plan[kind].count >= plan[kind].nth : has_begun;
}

static int denied(void)
{
    return plan[LAZY].is_planned ? 0 : EPERM;
}

static int deny_rights(struct sgx_processor *p, uint64_t offset, uint64_t size, uint64_t rights)
{
    return is_denied() ? denied() : honest.restrict_rights(p, offset, size, rights);
}

static int deny_trim(struct sgx_processor *p, uint64_t offset, uint64_t size)
{
    return !plan[ONLY_REMOVE].is_planned && is_denied() ? denied() : honest.trim(p, offset, size);
}

static int deny_remove(struct sgx_processor *p, uint64_t offset, uint64_t size)
{
    return is_denied() ? denied() : honest.remove(p, offset, size);
}

static void start_timer(void)
{
    const struct itimerval time = {.it_interval = {.tv_usec = TICK_US},
                                   .it_value = {.tv_usec = TICK_US}};

    must(setitimer(ITIMER_REAL, &time, NULL) == 0, "no timer");
}

/* Interrupts come while the enclave runs alone: a call that one ends early would be another test.
 */
static void let_interrupts(bool may_come)
{
    sigset_t alarm;

    if (!plan[INTERRUPTS].is_planned && !plan[INTERRUPTS_TOLD].is_planned)
        return;
    (void)sigemptyset(&alarm);
    (void)sigaddset(&alarm, SIGALRM);
    (void)pthread_sigmask(may_come ? SIG_UNBLOCK : SIG_BLOCK, &alarm, NULL);
}

void platform_enclave(struct sgx_processor *processor, struct block *block)
{
    enclave = processor;
    if (plan[SGX1].is_planned || plan[LYING_SGX2].is_planned) {
        sgx_sim_set_sgx1(processor);
        block->can_grow = plan[LYING_SGX2].is_planned ? 1 : 0;
    }
    if (plan[DIRTY].is_planned) /* what is not measured may be anything */
        memset((void *)(uintptr_t)(processor->base + HEAP_AT), 0xa5, HEAP_SIZE);
    if (plan[DENY].is_planned || plan[LAZY].is_planned) {
        honest = *processor;
        processor->trim = deny_trim;
        processor->remove = deny_remove;
        if (!plan[ONLY_REMOVE].is_planned)
            processor->restrict_rights = deny_rights;
    }
    if (plan[ENTRY_FLAGS].is_planned)
        sgx_sim_set_entry_state(processor, ODD_FLAGS, ODD_FCW, ODD_MXCSR);
    if (plan[CPUID].is_planned)
        sgx_sim_trap_cpuid(processor);
    let_interrupts(false);
    if (plan[INTERRUPTS].is_planned || plan[INTERRUPTS_TOLD].is_planned)
        start_timer();
    machine_scribble(block);
}

void enclave_has_called(const struct call *call)
{
    has_begun = true;
    if (plan[REGISTERS].is_planned && strcmp(call->name, "exit_group") == 0)
        log_info("exits of the enclave", log_u64("count", exits), log_u64("leaked", leaked));
}

/* ---- pages ---- */

static int take(struct sgx_processor *p, enum page_kind kind, uint64_t at, uint64_t size)
{
    switch (kind) {
    case AWAY:
        return mprotect((void *)(uintptr_t)(p->base + at), size, PROT_NONE) == 0 ? 0 : errno;
    case TRIM:
        return p->trim(p, at, size);
    case REMOVE:
        return p->remove(p, at, size);
    default:
        return p->restrict_rights(p, at, size, SGX_SECINFO_R);
    }
}

static void take_pages(struct sgx_processor *p)
{
    static bool is_done[PAGES_MAX];

    for (size_t i = 0; i < page_count && has_begun; i++) {
        if (is_done[i] || entries < pages[i].nth)
            continue;
        is_done[i] = true;
        int number = take(p, pages[i].kind, pages[i].offset, pages[i].size);
        log_info("the loader takes pages", log_u64("errno", (uint64_t)number));
    }
}

/* ---- entering ---- */

static uint64_t address_to_say(const struct sgx_processor *p, uint64_t block_address)
{
    static const enum kind kinds[] = {NULL_BLOCK, ODD, HIGH, INSIDE, ACROSS};
    const uint64_t addresses[] = {0, block_address + 8, UINT64_C(0x8000000000000000),
                                  p->base + HEAP_AT, p->base - SGX_PAGE_SIZE};

    for (size_t i = 0; i < COUNT_OF(kinds) && entries == 1; i++) {
        if (plan[kinds[i]].is_planned)
            return addresses[i];
    }
    /* the end of the enclave, too, for all later entries */
    return plan[BLOCK].is_planned && entries != 1 ? p->base + SHIM_STACK_AT : block_address;
}

static enum sgx_leaf leaf_to_take(enum sgx_leaf leaf)
{
    bool waits = last_exit >= EXIT_ASK && last_exit != EXIT_END;

    if (entries == 1 && plan[EARLY].is_planned)
        return SGX_ERESUME;
    if (last_exit == EXIT_RESUME && is_time(AGAIN))
        return SGX_EENTER;
    if (waits && is_time(RESUME))
        return SGX_ERESUME;
    return leaf;
}

/* Memory of an enclave's goes to its host in aligned words and no parts of them: behind the end of
 * a piece is zero, not what was there. */
static uint64_t count_parts(const struct block *block, uint64_t end)
{
    uint64_t count = 0;

    for (; end % 8 != 0 && end < BLOCK_DATA_SIZE; end++)
        count += block->data[end] != 0;
    return count;
}

/* What a call in the block says beside what it has to: registers and memory of no meaning. */
static uint64_t count_leaks(const struct block *block)
{
    const struct call *call = call_find(block->number);
    uint64_t count = 0;

    for (unsigned i = 0; i < 6; i++) {
        enum call_arg_kind kind = call != NULL ? call->args[i].kind : CALL_ARG_NONE;
        uint64_t at = block->args[i];
        count += kind == CALL_ARG_NONE && at != 0;
        if (kind == CALL_ARG_IN && at <= BLOCK_DATA_SIZE)
            count += count_parts(block, at + block->args[call->args[i].value]);
        if (kind != CALL_ARG_TAKE || call->args[i].value <= 4 ||
            at > BLOCK_DATA_SIZE - SGX_PAGE_SIZE)
            continue;
        for (int64_t k = 0; k < call->args[i].value; k++)
            count += block->data[at + (uint64_t)k] != UNTOUCHED;
    }
    return count;
}

/* So that what is in it after an exit, the enclave has put there. */
static void clean(struct block *block, enum sgx_leaf leaf)
{
    if (plan[REGISTERS].is_planned && leaf == SGX_EENTER && last_exit == 0)
        memset(block->data, UNTOUCHED, BLOCK_DATA_SIZE);
}

static bool enter(struct sgx_processor *p, enum sgx_leaf leaf, uint64_t address,
                  struct sgx_exit *out, struct err *err)
{
    let_interrupts(true);
    bool ok = p->enter(p, THREAD_AT, leaf, address, out, err);
    let_interrupts(false);
    if (ok && out->leaf == SGX_EEXIT) {
        exits++;
        leaked += sgx_sim_leaked_registers();
    }
    return ok;
}

/* An interrupt of which we are told: entered as if it had been an exception, where the processor
 * lets us. */
static bool forge(struct sgx_processor *p, uint64_t address, struct sgx_exit *out, struct err *err)
{
    while (out->leaf != SGX_EEXIT && out->vector == SGX_SIM_INTERRUPT) {
        if (enter(p, SGX_EENTER, address, out, err))
            continue;
        if (!enter(p, SGX_ERESUME, address, out, err))
            return false;
    }
    return true;
}

/* The shim has said that it is over: whether the enclave makes a call all the same. */
static void go_on(struct sgx_processor *p, uint64_t address, struct block *block)
{
    uint64_t ends = 0, others = 0, runs = 0;
    struct sgx_exit how;
    struct err err;

    for (unsigned i = 0; i < ROUNDS_AFTER_END; i++) {
        block->exit = 0;
        /* no interrupt any more: one in the handler would be counted as its answer */
        if (!p->enter(p, THREAD_AT, i % 2 == 0 ? SGX_ERESUME : SGX_EENTER, address, &how, &err))
            continue;
        runs += how.leaf != SGX_EEXIT;
        ends += how.leaf == SGX_EEXIT && block->exit == EXIT_END;
        others += how.leaf == SGX_EEXIT && block->exit != EXIT_END;
    }
    log_info("after the end", log_u64("ran", runs), log_u64("ended", ends),
             log_u64("else", others));
    block->exit = EXIT_END;
}

bool platform_enter(struct sgx_processor *processor, enum sgx_leaf leaf, uint64_t block_address,
                    struct sgx_exit *out, struct err *err)
{
    struct block *block = (struct block *)(uintptr_t)block_address;

    entries++;
    take_pages(processor);
    leaf = leaf_to_take(leaf);
    uint64_t address = address_to_say(processor, block_address);
    bool is_told = plan[INTERRUPTS_TOLD].nth == 1 || has_begun;
    sgx_sim_leave_at_interrupts(processor, plan[INTERRUPTS_TOLD].is_planned && is_told);
    clean(block, leaf);
    if (!enter(processor, leaf, address, out, err) || !forge(processor, address, out, err))
        return false;
    last_exit = out->leaf == SGX_EEXIT ? block->exit : 0;
    if (last_exit == EXIT_CALL || last_exit == EXIT_ASK)
        leaked += count_leaks(block);
    if (last_exit == EXIT_END && plan[AFTER_END].is_planned)
        go_on(processor, address, block);
    if (last_exit == EXIT_CALL && is_time(RESUME_CALL))
        return enter(processor, SGX_ERESUME, address, out, err);
    return true;
}

/* ---- evidence ---- */

static bool change_quote(struct bytes quote, struct writer *out)
{
    static uint8_t first[SGX_QUOTE_MAX], now[SGX_QUOTE_MAX];
    static size_t first_size;

    must(quote.size <= sizeof now, "a large quote");
    memcpy(now, quote.data, quote.size);
    if (first_size == 0) {
        memcpy(first, now, quote.size);
        first_size = quote.size;
    }
    if (strncmp(quote_kind, "flip,", 5) == 0)
        now[quote_bit / 8 % quote.size] ^= (uint8_t)(1u << (quote_bit % 8));
    else if (strcmp(quote_kind, "noise") == 0)
        must(getrandom(now, quote.size < 256 ? quote.size : 256, 0) > 0, "no random bytes");
    else if (strcmp(quote_kind, "other") == 0)
        memcpy(now, first, first_size);
    else if (strcmp(quote_kind, "empty") == 0)
        return true;
    else
        fail("--quote: no such kind");
    writer_bytes(out, bytes_from(now, quote.size));
    return true;
}

bool platform_quote(struct sgx_quoting *quoting, const uint8_t report[SGX_WHOLE_REPORT_SIZE],
                    struct writer *out, struct err *err)
{
    static uint8_t memory[2 * SGX_QUOTE_MAX];
    struct writer true_one = writer_fixed(memory, sizeof memory);
    struct bytes quote;

    if (quote_kind == NULL)
        return quoting->quote(quoting, report, out, err);
    if (strcmp(quote_kind, "busy") == 0)
        return err_set(err, ERR_IO, "the quoting enclave is busy", EBUSY);
    return quoting->quote(quoting, report, &true_one, err) && writer_done(&true_one, &quote, err) &&
           change_quote(quote, out);
}
