/* Ring 0's dealings with a hypervisor, against a double of the processor: its RMP, the MSR and the
 * page of the GHCB (AMD 56421), memory that is given once. */
#include "support.h"

#include "shim/kvm/kernel.h"

#define MSR_GHCB 0xc0010130
#define PAGES 8192 /* of the RMP that the double has, from the pool on */

static struct {
    uint64_t sev_status, msr, asked;
    uint8_t block[FRAME_SIZE];
    uint64_t scratch;
    bool is_registered;
    /* the RMP: given by the host, taken by the guest; pages that the host has in small pieces */
    bool given[PAGES], taken[PAGES], is_split;
    unsigned exits, frames_asked, pages_asked;
    /* how the host lies */
    uint64_t information, features, registered, info1, info2;
    bool gives_nothing, no_progress;
} k;

static _Thread_local jmp_buf after_end;
static uint64_t ended_with;

static int set_up(void **state)
{
    (void)state;
    memset(&k, 0, sizeof k);
    k.sev_status = 7;
    k.information = 2ULL << 48 | 1ULL << 32 | 51ULL << 24 | 1;
    k.features = 1 << 12 | 0x81;
    k.registered = GHCB_PA | 0x13;
    return 0;
}

/* ---- the processor ---- */

static uint64_t *ghcb(unsigned at)
{
    return (uint64_t *)(void *)(k.block + (GHCB_PA - BLOCK_PA) + at);
}

static bool is_valid(unsigned at)
{
    return (*ghcb(0x3f0 + at / 512 * 8) >> (at / 8 % 64) & 1) != 0;
}

void *cpu_alias(uint64_t pa)
{
    if (pa >= BLOCK_PA && pa < BLOCK_PA + BLOCK_SIZE)
        return k.block + (pa - BLOCK_PA);
    return (void *)(uintptr_t)pa; /* only named */
}

void *kernel_scratch(uint64_t pa)
{
    k.scratch = pa;
    return (void *)SCRATCH_VA;
}

uint64_t cpu_read_msr(uint32_t msr)
{
    return msr == MSR_GHCB ? k.msr : k.sev_status;
}

void cpu_write_msr(uint32_t msr, uint64_t value)
{
    assert_int_equal(msr, MSR_GHCB);
    k.msr = value;
}

/* AMD APM volume 3, PVALIDATE. */
uint64_t cpu_validate(void *address, uint64_t is_frame)
{
    uint64_t at = (uint64_t)(uintptr_t)address;
    uint64_t pa = at >= SCRATCH_VA ? k.scratch + (at - SCRATCH_VA) : at;
    uint64_t first = (pa - POOL_PA) / PAGE_SIZE, count = is_frame != 0 ? 512 : 1, changed = 0;

    assert_true(pa % (count * PAGE_SIZE) == 0 && first + count <= PAGES);
    if (is_frame != 0 && k.is_split)
        return 6; /* FAIL_SIZEMISMATCH */
    for (uint64_t i = first; i < first + count; i++) {
        if (!k.given[i])
            return 1; /* which in truth is a fault of its own */
        changed += !k.taken[i];
        k.taken[i] = true;
    }
    return changed == count ? 0 : 1ULL << 32;
}

/* ---- the hypervisor ---- */

static void change_state(void)
{
    uint64_t *entry = ghcb(0x808), pa = *entry & 0xffffffffff000, is_frame = *entry >> 56 & 1;
    uint64_t first = (pa - POOL_PA) / PAGE_SIZE;

    assert_true(is_valid(0x3a8) && *ghcb(0x3a8) == GHCB_PA + 0x800);
    assert_int_equal(*ghcb(0x800), 0);
    assert_int_equal(*entry >> 52 & 0xf, 1); /* private */
    k.frames_asked += is_frame != 0;
    k.pages_asked += is_frame == 0;
    for (uint64_t i = 0; i < (is_frame != 0 ? 512 : 1) && !k.gives_nothing; i++)
        k.given[first + i] = true;
    *ghcb(0x800) = k.no_progress ? 0 : 1;
    *ghcb(0x3a0) = k.info2;
}

static void by_page(void)
{
    uint64_t code = *ghcb(0x390);

    assert_true(is_valid(0x390) && is_valid(0x398) && is_valid(0x3a0));
    assert_int_equal(*ghcb(0xff8), 2 << 16); /* version, usage */
    k.asked = code;
    if (code == 0x80000010) {
        change_state();
    } else if (code == 0x7b) {
        assert_true(is_valid(0x1f8));
        assert_int_equal(*ghcb(0x398) & 0xffff, 0x210);
    } else {
        assert_int_equal(code, 0x80000012);
        assert_true(is_valid(0x1f8) && is_valid(0x318));
        assert_true(*ghcb(0x398) == REQUEST_PA && *ghcb(0x3a0) == RESPONSE_PA);
        assert_true(*ghcb(0x1f8) == CERTS_PA && *ghcb(0x318) == CERTS_SIZE / PAGE_SIZE);
        *ghcb(0x3a0) = k.info2;
    }
    *ghcb(0x398) = k.info1;
}

void cpu_exit(void)
{
    k.exits++;
    switch (k.msr & 0xfff) {
    case 0:
        assert_true(k.is_registered && k.msr == GHCB_PA);
        by_page();
        return;
    case 2:
        k.msr = k.information;
        return;
    case 0x80:
        k.msr = k.features;
        return;
    case 0x12:
        assert_int_equal(k.msr, GHCB_PA | 0x12);
        k.is_registered = true;
        k.msr = k.registered;
        return;
    default:
        ended_with = k.msr; /* a termination never comes back */
        longjmp(after_end, 1);
    }
}

/* ---- tests ---- */

static void start(void **state)
{
    (void)state;
    assert_true(ghcb_start());
    assert_int_equal(k.msr, GHCB_PA);
    k.sev_status = 3; /* encrypted, but no SNP */
    assert_false(ghcb_start());
    k.sev_status = 0;
    k.exits = 0;
    assert_false(ghcb_start());
    assert_int_equal(k.exits, 0); /* elsewhere VMGEXIT does not come back */
}

static void expect_end(uint64_t reason)
{
    ended_with = 0;
    if (setjmp(after_end) == 0) {
        (void)ghcb_start();
        fail_msg("it went on");
    }
    assert_int_equal(ended_with, 0x100 | TERMINATE_SET << 12 | reason << 16);
}

static void hosts_that_do_not_fit(void **state)
{
    set_up(state);
    k.information = 2ULL << 48 | 1ULL << 32 | 47ULL << 24 | 1;
    expect_end(TERMINATE_C_BIT);
    k.information = 2ULL << 48 | 1ULL << 32 | 51ULL << 24 | 2; /* another answer */
    expect_end(TERMINATE_C_BIT);
    set_up(state);
    k.information = 1ULL << 48 | 1ULL << 32 | 51ULL << 24 | 1;
    expect_end(TERMINATE_PROTOCOL);
    k.information = 9ULL << 48 | 3ULL << 32 | 51ULL << 24 | 1;
    expect_end(TERMINATE_PROTOCOL);
    set_up(state);
    k.features = 0x81;
    expect_end(TERMINATE_FEATURES);
    k.features = 1 << 12 | 0x82;
    expect_end(TERMINATE_FEATURES);
    set_up(state);
    k.registered = 0xfffffffffffff000 | 0x13;
    expect_end(TERMINATE_REGISTER);
}

static void leaving(void **state)
{
    (void)state;
    assert_true(ghcb_start());
    ghcb_leave(PORT_CALL);
    assert_int_equal(k.asked, 0x7b);
    assert_false(is_valid(0x318)); /* nothing is shown that is not asked for */
}

static void guest_requests(void **state)
{
    (void)state;
    assert_true(ghcb_start());
    assert_int_equal(ghcb_guest_request(), 0);
    k.info2 = 2ULL << 32;
    assert_int_equal(ghcb_guest_request(), 2LL << 32);
    k.info2 = 0;
    k.info1 = 2; /* the host wants to inject something */
    assert_int_equal(ghcb_guest_request(), -1);
}

static void frames(void **state)
{
    (void)state;
    assert_true(ghcb_start());
    assert_true(ghcb_accept_frame(POOL_PA) && ghcb_accept_frame(POOL_PA + FRAME_SIZE));
    assert_int_equal(k.frames_asked, 2);
    assert_true(k.taken[0] && k.taken[1023] && !k.taken[1024]);
    assert_true(ghcb_accept_page(POOL_PA + 2ULL * FRAME_SIZE));
    assert_true(k.pages_asked == 1 && k.taken[1024] && !k.taken[1025]);
}

/* A page that was taken before is at two places: that is never gone along with. */
static void twice(void **state)
{
    (void)state;
    assert_true(ghcb_start());
    assert_true(ghcb_accept_frame(POOL_PA));
    assert_false(ghcb_accept_frame(POOL_PA));
    assert_false(ghcb_accept_page(POOL_PA));
    assert_true(ghcb_accept_page(POOL_PA + FRAME_SIZE));
    assert_false(ghcb_accept_page(POOL_PA + FRAME_SIZE));
    assert_false(ghcb_accept_frame(POOL_PA + FRAME_SIZE)); /* a part of it */
    k.is_split = true;
    assert_false(ghcb_accept_frame(POOL_PA + FRAME_SIZE));
}

static void in_small_pages(void **state)
{
    (void)state;
    assert_true(ghcb_start());
    k.is_split = true;
    assert_true(ghcb_accept_frame(POOL_PA));
    for (unsigned i = 0; i < 512; i++)
        assert_true(k.taken[i]);
}

static void hosts_that_do_not_give(void **state)
{
    (void)state;
    assert_true(ghcb_start());
    k.gives_nothing = true;
    assert_false(ghcb_accept_frame(POOL_PA) || ghcb_accept_page(POOL_PA));
    k.gives_nothing = false;
    k.no_progress = true;
    assert_false(ghcb_accept_frame(POOL_PA) || ghcb_accept_page(POOL_PA));
    k.no_progress = false;
    k.info2 = 1;
    assert_false(ghcb_accept_frame(POOL_PA) || ghcb_accept_page(POOL_PA));
    k.info2 = 0;
    k.info1 = 1;
    assert_false(ghcb_accept_frame(POOL_PA) || ghcb_accept_page(POOL_PA));
    assert_false(k.taken[0]);
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(start),          TEST(hosts_that_do_not_fit),
        TEST(leaving),        TEST(guest_requests),
        TEST(frames),         TEST(twice),
        TEST(in_small_pages), TEST(hosts_that_do_not_give),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
