#include "cli/sim_work.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/sim_folder.h"
#include "evidence/evidence.h"
#include "evidence/simulated.h"
#include "os/os.h"
#include "base/banned.h"

#define ARENA_LIMIT ((size_t)16 << 20)
#define FILE_MAX ((size_t)1 << 20)
#define PATH_SIZE 4096
#define LIFETIME_S (INT64_C(10) * 365 * 86400)
#define BACKDATED_S INT64_C(300) /* for clocks that are behind */

#define ENDORSEMENTS "collateral" /* the folder of what a verifier needs beside the evidence */
#define ENDORSEMENTS_MAX 4

/* What is in the folder. */
struct platform_files {
    const char *technology, *keys, *root;
    const char *endorsements[ENDORSEMENTS_MAX + 1]; /* ended by NULL */
};

static const struct platform_files platforms[] = {
    {"snp",
     "snp.pem",
     "snp-root.pem",
     {ENDORSEMENTS "/snp-chain.pem", ENDORSEMENTS "/snp-crl.der", NULL}},
    {"sgx",
     "sgx.pem",
     "sgx-root.pem",
     {ENDORSEMENTS "/sgx-tcb-chain.pem", ENDORSEMENTS "/sgx-qe-identity.json",
      ENDORSEMENTS "/sgx-root-crl.der", ENDORSEMENTS "/sgx-pck-crl.der", NULL}},
};

/* The folder; false, and said, when nothing says where it is. */
static bool find_folder(const struct cli_args *args, char out[SIM_FOLDER_SIZE], int *code)
{
    const char *why;

    if (sim_folder_find(cli_value(args, "--dir"), out, &why))
        return true;
    *code = cli_fail("sim", why);
    return false;
}

static void join(char out[PATH_SIZE], const char *folder, const char *name)
{
    (void)snprintf(out, PATH_SIZE, "%s/%s", folder, name);
}

static bool fail_io(struct err *err, const char *msg)
{
    return err_set(err, ERR_IO, msg, (uint64_t)errno);
}

/* ---- making ---- */

/* The folder and those above it. */
static bool make_folders(const char *path, struct err *err)
{
    char part[PATH_SIZE];

    (void)snprintf(part, sizeof part, "%s", path);
    for (char *slash = strchr(part + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(part, 0777) != 0 && errno != EEXIST)
            return fail_io(err, "cannot make the folder");
        *slash = '/';
    }
    if (mkdir(part, 0700) != 0 && errno != EEXIST)
        return fail_io(err, "cannot make the folder");
    return true;
}

static bool write_new(const char *folder, const char *name, struct bytes content, mode_t mode,
                      struct err *err)
{
    char path[PATH_SIZE];

    join(path, folder, name);
    CLEANUP(os_closep) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return errno == EEXIST
                   ? err_set(err, ERR_INVALID,
                             "there are roots already; broch sim remove removes them", ERR_NO_AT)
                   : fail_io(err, "cannot make a file in the folder");
    if (!os_write_fd(fd, content, err))
        return false;
    return fsync(fd) == 0 || fail_io(err, "cannot write a file in the folder");
}

/* DER of a certificate as PEM. */
static bool to_pem(struct bytes der, struct writer *w, struct err *err)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;

    bool ok = bio != NULL && PEM_write_bio(bio, PEM_STRING_X509, "", der.data, (long)der.size) > 0;
    if (ok) {
        long size = BIO_get_mem_data(bio, &text);
        writer_bytes(w, bytes_from(text, (size_t)size));
    }
    BIO_free(bio);
    return ok || err_set(err, ERR_MEMORY, "no memory for a certificate", ERR_NO_AT);
}

/* What a platform's files hold. */
struct content {
    struct writer keys, root;
    struct writer endorsements[ENDORSEMENTS_MAX]; /* in the order of platform_files */
};

static bool make_snp(struct simulated_dates dates, struct content *c, struct err *err)
{
    struct simulated_snp *snp;

    if (!simulated_snp_new(SNP_GENOA, dates, &snp, err))
        return false;
    bool ok = simulated_snp_write(snp, &c->keys, err) && simulated_snp_root(snp, &c->root, err) &&
              simulated_snp_chain(snp, &c->endorsements[0], err) &&
              simulated_snp_crl(snp, dates, false, &c->endorsements[1], err);
    simulated_snp_free(snp);
    return ok;
}

static bool make_sgx(struct simulated_dates dates, struct content *c, struct err *err)
{
    struct simulated_sgx *sgx;

    if (!simulated_sgx_new(dates, &sgx, err))
        return false;
    bool ok = simulated_sgx_write(sgx, &c->keys, err) && simulated_sgx_root(sgx, &c->root, err) &&
              simulated_sgx_tcb_chain(sgx, &c->endorsements[0], err) &&
              simulated_sgx_qe_identity(sgx, dates, &c->endorsements[1], err) &&
              simulated_sgx_root_crl(sgx, dates, false, &c->endorsements[2], err) &&
              simulated_sgx_pck_crl(sgx, dates, NULL, &c->endorsements[3], err);
    simulated_sgx_free(sgx);
    return ok;
}

/* Writes what was made, under its name. */
static bool write_made(const char *folder, const char *name, const struct writer *w, mode_t mode,
                       struct err *err)
{
    struct bytes content;

    return writer_done(w, &content, err) && write_new(folder, name, content, mode, err);
}

/* One platform's files. The arena is wiped. */
static bool make(size_t which, const char *folder, struct arena *arena, struct err *err)
{
    const struct platform_files *p = &platforms[which];
    int64_t now = os_unix_ms() / 1000;
    const struct simulated_dates dates = {now - BACKDATED_S, now + LIFETIME_S};
    struct writer pem = writer_growable(arena, FILE_MAX);
    struct content c = {.keys = writer_growable(arena, FILE_MAX),
                        .root = writer_growable(arena, FILE_MAX)};
    struct bytes der;

    for (size_t i = 0; i < ENDORSEMENTS_MAX; i++)
        c.endorsements[i] = writer_growable(arena, FILE_MAX);
    if (!(which == 0 ? make_snp(dates, &c, err) : make_sgx(dates, &c, err)))
        return false;
    bool ok = writer_done(&c.root, &der, err) && to_pem(der, &pem, err) &&
              write_made(folder, p->keys, &c.keys, 0600, err) &&
              write_made(folder, p->root, &pem, 0644, err);
    for (size_t i = 0; ok && p->endorsements[i] != NULL; i++)
        ok = write_made(folder, p->endorsements[i], &c.endorsements[i], 0644, err);
    return ok;
}

/* The folder in it for endorsements. */
static bool make_endorsements_folder(const char *folder, struct err *err)
{
    char path[PATH_SIZE];

    join(path, folder, ENDORSEMENTS);
    return mkdir(path, 0755) == 0 || errno == EEXIST || fail_io(err, "cannot make the folder");
}

static bool has_any(const char *folder)
{
    char path[PATH_SIZE];

    for (size_t i = 0; i < COUNT_OF(platforms); i++) {
        join(path, folder, platforms[i].keys);
        if (access(path, F_OK) == 0)
            return true;
    }
    return false;
}

int cli_sim_init(const struct cli_args *args)
{
    char folder[SIM_FOLDER_SIZE];
    struct arena arena;
    struct err err;
    int code;

    if (!find_folder(args, folder, &code))
        return code;
    if (has_any(folder))
        return cli_fail(folder, "there are roots already; broch sim remove removes them");
    (void)fputs("making keys, which takes some seconds\n", stderr);
    arena_init(&arena, arena_heap, ARENA_LIMIT);
    arena_set_wipe(&arena);
    bool ok = make_folders(folder, &err) && make_endorsements_folder(folder, &err);
    for (size_t i = 0; ok && i < COUNT_OF(platforms); i++)
        ok = make(i, folder, &arena, &err);
    arena_done(&arena);
    return ok ? cli_sim_show(args) : cli_fail_err(folder, &err);
}

/* ---- showing ---- */

static const char *fact_of(const struct fact_item *item, const char *name)
{
    for (size_t i = 0; i < item->count; i++) {
        if (strcmp(item->facts[i].name, name) == 0)
            return item->facts[i].value;
    }
    return "";
}

static bool show_root(struct writer *w, bool json, const char *folder, size_t which,
                      struct arena *arena, struct err *err)
{
    const struct platform_files *p = &platforms[which];
    char path[PATH_SIZE];
    struct fact_list list;
    struct bytes file;

    join(path, folder, p->root);
    if (!os_read_file(path, FILE_MAX, arena, &file, err) ||
        !evidence_facts(file, arena, &list, err))
        return false;
    const struct fact_item *item = &list.items[0];
    const char *const facts[] = {"subject", "sha256", "not_after"};
    if (json) {
        writer_format(w, "%s{\"technology\":\"%s\",\"root\":", which != 0 ? "," : "",
                      p->technology);
        writer_json(w, bytes_of(path));
        for (size_t i = 0; i < COUNT_OF(facts); i++)
            writer_format(w, ",\"%s\":\"%s\"", facts[i], fact_of(item, facts[i]));
        writer_text(w, "}");
    } else {
        writer_format(w, "%s  ", p->technology);
        writer_shown(w, bytes_of(path));
        for (size_t i = 0; i < COUNT_OF(facts); i++)
            writer_format(w, "\n     %-10s %s", facts[i], fact_of(item, facts[i]));
        writer_text(w, "\n");
    }
    return true;
}

int cli_sim_show(const struct cli_args *args)
{
    char folder[SIM_FOLDER_SIZE];
    struct arena arena;
    struct bytes out;
    struct err err;
    int code;

    if (!find_folder(args, folder, &code))
        return code;
    if (!has_any(folder))
        return cli_fail(folder, "there are no simulated platforms; broch sim init makes them");
    arena_init(&arena, arena_heap, ARENA_LIMIT);
    struct writer w = writer_growable(&arena, FILE_MAX);
    bool ok = true;
    writer_text(&w, args->json ? "{\"platforms\":[" : "");
    for (size_t i = 0; ok && i < COUNT_OF(platforms); i++)
        ok = show_root(&w, args->json, folder, i, &arena, &err);
    writer_text(&w, args->json ? "]}\n" : "SIMULATED: they protect nothing.\n");
    ok = ok && writer_done(&w, &out, &err);
    if (ok)
        (void)fwrite(out.data, 1, out.size, stdout);
    else
        code = cli_fail_err(folder, &err);
    arena_done(&arena);
    return ok ? CLI_OK : code;
}

/* ---- removing ---- */

static bool remove_file(const char *folder, const char *name, struct err *err)
{
    char path[PATH_SIZE];

    join(path, folder, name);
    return unlink(path) == 0 || errno == ENOENT || fail_io(err, "cannot remove a file");
}

int cli_sim_remove(const struct cli_args *args)
{
    char folder[SIM_FOLDER_SIZE];
    struct err err;
    bool ok = true;
    int code;

    if (!find_folder(args, folder, &code))
        return code;
    if (!has_any(folder))
        return cli_fail(folder, "there are no simulated platforms");
    for (size_t i = 0; ok && i < COUNT_OF(platforms); i++) {
        for (size_t k = 0; ok && platforms[i].endorsements[k] != NULL; k++)
            ok = remove_file(folder, platforms[i].endorsements[k], &err);
        ok = ok && remove_file(folder, platforms[i].root, &err) &&
             remove_file(folder, platforms[i].keys, &err);
    }
    if (!ok)
        return cli_fail_err(folder, &err);
    char endorsements[PATH_SIZE];
    join(endorsements, folder, ENDORSEMENTS);
    (void)rmdir(endorsements);
    (void)rmdir(folder); /* whatever else is there stays */
    return CLI_OK;
}
