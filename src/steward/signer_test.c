/* The signing process, asked directly: what it certifies, and what it refuses whoever asks. */
#include "support.h"

#include <ftw.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/os.h"
#include "steward/signer_wire.h"
#include "steward/steward.h"

static char folder[] = "/tmp/broch-signer-test-XXXXXX";
static char ca[64], ca_key[64], simulation_ca[64], simulation_key[64], audit[64];
static struct arena arena;
static struct bytes spki;

static void make_path(char out[64], const char *name)
{
    (void)snprintf(out, 64, "%s/s/%s", folder, name);
}

static int set_up(void **state)
{
    static uint8_t der[256];
    char steward[64];
    struct err err;

    (void)state;
    arena_init(&arena, arena_heap, (size_t)64 << 20);
    assert_non_null(mkdtemp(folder));
    make_path(steward, "");
    const struct steward_init init = {
        .folder = steward, .trust_domain = "example.org", .host = "localhost", .simulation = true};
    assert_true(steward_init(&init, &err));
    make_path(ca, "ca.pem");
    make_path(ca_key, "ca-key.pem");
    make_path(simulation_ca, "simulation-ca.pem");
    make_path(simulation_key, "simulation-ca-key.pem");
    make_path(audit, "audit.log");
    EVP_PKEY *key = EVP_EC_gen("P-256");
    uint8_t *at = der;
    int size = i2d_PUBKEY(key, &at);
    EVP_PKEY_free(key);
    spki = bytes_from(der, (size_t)size);
    return 0;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *ftw)
{
    (void)status;
    (void)kind;
    (void)ftw;
    return remove(path);
}

static int tear_down(void **state)
{
    (void)state;
    arena_done(&arena);
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* A process, and its exit status when it is left. */
struct process {
    pid_t pid;
    int channel;
};

static struct process start(bool is_simulation)
{
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    (void)unlink(audit);
    pid_t pid = fork();
    if (pid == 0) {
        const struct signer_options options = {
            .channel = ends[1],
            .audit = audit,
            .certificate = is_simulation ? simulation_ca : ca,
            .key = is_simulation ? simulation_key : ca_key,
            .trust_domain = "example.org",
            .crl_url = "https://localhost/v1/crl",
            .lifetime_max_s = 86400,
            .is_simulation = is_simulation,
        };
        (void)close(ends[0]);
        _exit(signer_main(&options));
    }
    (void)close(ends[1]);
    return (struct process){.pid = pid, .channel = ends[0]};
}

static int end(const struct process *p)
{
    int status;

    assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static struct identity_fields good_fields(bool is_simulated)
{
    static const uint8_t measurement[48] = {1}, tcb[8] = {2};
    int64_t now = os_unix_ms() / 1000;

    return (struct identity_fields){
        .spki = spki,
        .trust_domain = bytes_of("example.org"),
        .identity = {.claims = {.has_digest = true, .digest = {7}},
                     .technology = IDENTITY_SNP,
                     .measurement = bytes_from(measurement, sizeof measurement),
                     .tcb = bytes_from(tcb, sizeof tcb),
                     .is_simulated = is_simulated},
        .serial = {1, 2, 3},
        .not_before = now - SIGNER_BACKDATE_S,
        .not_after = now + 86400,
    };
}

static const struct signer_note note = {.interface = "attest"};

static struct err issue(struct signer *signer, const struct identity_fields *fields)
{
    struct bytes der;
    struct err err = {.code = ERR_NONE};

    if (signer_issue(signer, fields, &note, &arena, &der, &err))
        err.code = ERR_NONE;
    return err;
}

static void it_certifies_what_its_ca_is_for(void **state)
{
    (void)state;
    for (int is_simulation = 0; is_simulation < 2; is_simulation++) {
        struct process p = start(is_simulation);
        struct identity_fields fields = good_fields(is_simulation);
        struct identity_fields other = good_fields(!is_simulation);
        struct signer *signer;
        struct err err;
        assert_true(signer_new(p.channel, &signer, &err));
        assert_int_equal(issue(signer, &fields).code, ERR_NONE);
        /* simulated platforms have a CA of their own, and it has nobody else */
        assert_int_equal(issue(signer, &other).code, ERR_POLICY);
        signer_free(signer);
        assert_int_equal(end(&p), 0);
    }
}

static void it_refuses_what_is_not_the_profile(void **state)
{
    struct process p = start(false);
    struct signer *signer;
    struct err err;

    (void)state;
    assert_true(signer_new(p.channel, &signer, &err));
    struct identity_fields f = good_fields(false);
    f.trust_domain = bytes_of("example.com");
    assert_int_equal(issue(signer, &f).code, ERR_POLICY);
    f = good_fields(false);
    f.not_after += 120;
    assert_int_equal(issue(signer, &f).code, ERR_POLICY);
    f = good_fields(false);
    f.not_before -= 3600;
    assert_int_equal(issue(signer, &f).code, ERR_POLICY);
    f = good_fields(false);
    f.not_before += 3600;
    assert_int_equal(issue(signer, &f).code, ERR_POLICY);
    f = good_fields(false);
    f.serial[0] |= 0x80;
    assert_int_equal(issue(signer, &f).code, ERR_INVALID);
    f = good_fields(false);
    f.spki = bytes_before(spki, spki.size - 1);
    assert_int_equal(issue(signer, &f).code, ERR_CRYPTO);
    f = good_fields(false);
    assert_int_equal(issue(signer, &f).code, ERR_NONE);
    signer_free(signer);
    assert_int_equal(end(&p), 0);
}

/* One message as it crosses; false when the process hangs up. */
static bool ask(int channel, struct bytes message, uint8_t *kind)
{
    uint8_t header[SIGNER_HEADER_SIZE], rest[4096];
    struct err err;
    size_t got;
    uint32_t size;

    if (!os_write_fd(channel, message, &err) ||
        !os_read_exactly(channel, header, sizeof header, &got, &err) || got != sizeof header)
        return false;
    memcpy(&size, header, sizeof size);
    size -= SIGNER_HEADER_SIZE - 4;
    assert_true(size <= sizeof rest && os_read_exactly(channel, rest, size, &got, &err));
    *kind = header[12];
    return true;
}

static void it_ends_when_it_is_told_nonsense(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
    } nonsense[] = {{"\x01\x00\x00\x00", 4}, /* smaller than a header */
                    {"\xff\xff\xff\xff", 4}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(nonsense); i++) {
        struct process p = start(false);
        uint8_t kind = 0;
        assert_true(ask(p.channel, bytes_of(""), &kind) && kind == SIGNER_DONE);
        assert_false(ask(p.channel, bytes_from(nonsense[i].bytes, nonsense[i].size), &kind));
        (void)close(p.channel);
        assert_int_equal(end(&p), 1);
    }
}

/* Every prefix of an issue's fields, and an unknown kind, is refused and no certificate. */
static void it_refuses_what_is_cut_short(void **state)
{
    struct process p = start(false);
    struct identity_fields fields = good_fields(false);
    uint8_t memory[4096], kind = 0;
    struct err err;

    (void)state;
    assert_true(ask(p.channel, bytes_of(""), &kind) && kind == SIGNER_DONE);
    struct writer w = writer_fixed(memory, sizeof memory);
    writer_u32le(&w, 0);
    writer_u64le(&w, 1);
    writer_u8(&w, SIGNER_ISSUE);
    signer_write_fields(&w, &fields);
    signer_write_note(&w, &note);
    struct bytes whole;
    assert_true(writer_done(&w, &whole, &err));
    for (size_t size = SIGNER_HEADER_SIZE; size < whole.size; size += 3) {
        uint32_t length = (uint32_t)size - 4;
        memcpy(memory, &length, sizeof length);
        assert_true(ask(p.channel, bytes_before(whole, size), &kind));
        assert_int_equal(kind, SIGNER_FAILED);
    }
    uint32_t length = (uint32_t)whole.size - 4;
    memcpy(memory, &length, sizeof length);
    assert_true(ask(p.channel, whole, &kind) && kind == SIGNER_DONE);
    memory[12] = 99;
    assert_true(ask(p.channel, whole, &kind) && kind == SIGNER_FAILED);
    (void)close(p.channel);
    assert_int_equal(end(&p), 0);
}

static void who_asks_is_told_when_it_has_gone(void **state)
{
    struct process p = start(false);
    struct identity_fields fields = good_fields(false);
    struct signer *signer;
    struct err err;

    (void)state;
    assert_true(signer_new(p.channel, &signer, &err));
    assert_true(signer_is_alive(signer));
    assert_int_equal(kill(p.pid, SIGKILL), 0);
    assert_int_equal(end(&p), 1000 + SIGKILL);
    assert_int_equal(issue(signer, &fields).code, ERR_IO);
    assert_false(signer_is_alive(signer));
    signer_free(signer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_certifies_what_its_ca_is_for),
        cmocka_unit_test(it_refuses_what_is_not_the_profile),
        cmocka_unit_test(it_ends_when_it_is_told_nonsense),
        cmocka_unit_test(it_refuses_what_is_cut_short),
        cmocka_unit_test(who_asks_is_told_when_it_has_gone),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
