#include "cli/image_work.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/image_key.h"
#include "evidence/civil.h"
#include "evidence/reference.h"
#include "host/host.h"
#include "image/image.h"
#include "os/os.h"
#include "base/banned.h"

#define SHIM "broch-shim-kvm"
#define ENCLAVE_SHIM "broch-shim-sgx"
#define KEEP "broch-keep"
#define OUTPUT_MAX ((size_t)1 << 20)

/* From what this build was made: tools/build_facts.py. */
struct build_archive {
    const char *name, *version, *sha256;
};
#include "cli/build_facts.inc"

struct work {
    const struct cli_args *args;
    struct arena arena;
    const char *name; /* of the image, for messages */
    struct image_file file;
    struct image image;
    struct enclave_image enclave; /* nothing, of an image without a shim of enclaves */
    uint8_t digests[IMAGE_VARIANTS][SNP_DIGEST_SIZE];
    uint8_t mrenclave[SGX_MEASUREMENT_SIZE];
};

static bool has_enclave(const struct work *w)
{
    return w->file.enclave_shim.size != 0;
}

static void work_open(struct work *w, const struct cli_args *args)
{
    *w = (struct work){.args = args};
    arena_init(&w->arena, arena_heap, 8 * IMAGE_FILE_MAX);
}

/* ---- images ---- */

/* A part: the file that was named, or the installation's. */
static int read_part(struct work *w, const char *path, const char *name, struct bytes *out)
{
    struct err err;

    w->name = path != NULL ? path : name;
    if (path == NULL && !host_image_path(name, &w->arena, &path, &err))
        return cli_fail_err(name, &err);
    return os_read_file(path, IMAGE_FILE_MAX / 2, &w->arena, out, &err) ? CLI_OK
                                                                        : cli_fail_err(path, &err);
}

static int compose(struct work *w)
{
    struct err err;

    return image_compose(w->file.shim, w->file.keep, &w->arena, &w->image, &err) &&
                   (!has_enclave(w) || enclave_compose(w->file.enclave_shim, w->file.keep,
                                                       &w->arena, &w->enclave, &err))
               ? CLI_OK
               : cli_fail_err(w->name, &err);
}

static int read_parts(struct work *w, const char *shim, const char *enclave_shim, const char *keep)
{
    int code = read_part(w, shim, SHIM, &w->file.shim);

    if (code == CLI_OK)
        code = read_part(w, enclave_shim, ENCLAVE_SHIM, &w->file.enclave_shim);
    if (code == CLI_OK)
        code = read_part(w, keep, KEEP, &w->file.keep);
    if (code == CLI_OK && shim == NULL && enclave_shim == NULL && keep == NULL)
        w->name = "this installation's image";
    return code == CLI_OK ? compose(w) : code;
}

static int read_image(struct work *w, const char *path)
{
    struct bytes text;
    struct err err;

    if (path == NULL)
        return read_parts(w, NULL, NULL, NULL);
    w->name = path;
    if (!os_read_file(path, IMAGE_FILE_MAX, &w->arena, &text, &err) ||
        !image_file_parse(text, &w->file, &err))
        return cli_fail_err(path, &err);
    return compose(w);
}

/* The positional FILE, or none. */
static int open_image(struct work *w)
{
    return read_image(w, w->args->positional_count != 0 ? w->args->positionals[0] : NULL);
}

static int measure(struct work *w)
{
    struct err err;

    for (size_t i = 0; i < IMAGE_VARIANTS; i++) {
        if (!image_measure(&w->image, &image_variants[i], w->digests[i], &err))
            return cli_fail_err(w->name, &err);
    }
    return !has_enclave(w) || enclave_measure(&w->enclave, w->mrenclave, &err)
               ? CLI_OK
               : cli_fail_err(w->name, &err);
}

/* Writes a file in one step: a name that is there is replaced by the whole of it. */
static int replace_file(struct work *w, const char *path, const struct writer *content)
{
    struct writer name = writer_growable(&w->arena, 8192);
    struct bytes whole, part;
    struct err err;

    writer_format(&name, "%s.part%c", path, '\0');
    if (!writer_done(content, &whole, &err) || !writer_done(&name, &part, &err))
        return cli_fail_err(path, &err);
    const char *part_name = (const char *)part.data;
    (void)unlink(part_name);
    int code = image_key_write_out(part_name, 0644, whole);
    if (code == CLI_OK && rename(part_name, path) != 0)
        code = cli_fail(path, os_strerror(errno));
    return code;
}

int cli_image_build(const struct cli_args *args)
{
    const char *out = cli_value(args, "--out");
    struct work w;

    if (out == NULL)
        return cli_usage_error(args, "--out", "is required");
    work_open(&w, args);
    int code = read_parts(&w, cli_value(args, "--shim"), cli_value(args, "--enclave-shim"),
                          cli_value(args, "--keep"));
    struct writer content = writer_growable(&w.arena, IMAGE_FILE_MAX);
    image_file_write(&content, &w.file);
    if (code == CLI_OK)
        code = replace_file(&w, out, &content);
    arena_done(&w.arena);
    return code;
}

/* ---- measurements ---- */

static int print(const struct writer *w, const char *name)
{
    struct bytes text;
    struct err err;

    if (!writer_done(w, &text, &err))
        return cli_fail_err(name, &err);
    return os_write_fd(STDOUT_FILENO, text, &err) ? CLI_OK : cli_fail_err("standard output", &err);
}

static void write_measurements(struct writer *out, const struct work *w, bool is_json)
{
    if (is_json)
        writer_text(out, "\"measurements\":[");
    for (size_t i = 0; i < IMAGE_VARIANTS; i++) {
        const struct image_variant *v = &image_variants[i];
        if (is_json) {
            writer_format(out, "%s{\"technology\":\"snp\",\"variant\":\"%s\",\"measurement\":\"",
                          i != 0 ? "," : "", v->name);
            writer_hex(out, bytes_from(w->digests[i], SNP_DIGEST_SIZE));
            writer_text(out, "\"}");
        } else {
            writer_format(out, "snp  %-15s ", v->name);
            writer_hex(out, bytes_from(w->digests[i], SNP_DIGEST_SIZE));
            writer_format(out, "  %s\n", v->summary);
        }
    }
    if (has_enclave(w)) {
        writer_text(out, is_json
                             ? ",{\"technology\":\"sgx\",\"variant\":\"enclave\",\"measurement\":\""
                             : "sgx  enclave         ");
        writer_hex(out, bytes_from(w->mrenclave, sizeof w->mrenclave));
        writer_text(out, is_json ? "\"}" : "  MRENCLAVE, wherever it runs\n");
    }
    if (is_json)
        writer_text(out, "]");
}

static struct evidence_reference reference_of(struct work *w)
{
    struct bytes *values = ARENA_ARRAY(&w->arena, struct bytes, IMAGE_VARIANTS + 1);
    size_t count = COUNT_OF(build_archives) - 1;
    struct evidence_archive *archives = ARENA_ARRAY(&w->arena, struct evidence_archive, count + 1);

    if (values == NULL || archives == NULL)
        return (struct evidence_reference){.archive_count = 0};
    for (size_t i = 0; i < IMAGE_VARIANTS; i++)
        values[i] = bytes_from(w->digests[i], SNP_DIGEST_SIZE);
    values[IMAGE_VARIANTS] = bytes_from(w->mrenclave, sizeof w->mrenclave);
    for (size_t i = 0; i < count; i++)
        archives[i] = (struct evidence_archive){bytes_of(build_archives[i].name),
                                                bytes_of(build_archives[i].version),
                                                bytes_of(build_archives[i].sha256)};
    return (struct evidence_reference){
        .broch = bytes_of(cli_version),
        .commit = bytes_of(BUILD_COMMIT),
        .compiler = bytes_of(BUILD_COMPILER),
        .snp = {.items = values, .count = IMAGE_VARIANTS},
        .sgx = {.items = values + IMAGE_VARIANTS, .count = has_enclave(w) ? 1 : 0},
        .archives = archives,
        .archive_count = count};
}

int cli_image_measure(const struct cli_args *args)
{
    const char *reference_path = cli_value(args, "--reference");
    struct work w;

    work_open(&w, args);
    struct writer out = writer_growable(&w.arena, OUTPUT_MAX), reference = out;
    int code = open_image(&w);
    if (code == CLI_OK)
        code = measure(&w);
    if (code == CLI_OK && reference_path != NULL) {
        const struct evidence_reference values = reference_of(&w);
        evidence_reference_write(&reference, &values);
        code = replace_file(&w, reference_path, &reference);
    }
    if (code == CLI_OK) {
        writer_text(&out, args->json ? "{" : "");
        write_measurements(&out, &w, args->json);
        writer_text(&out, args->json ? "}\n" : "");
        code = print(&out, w.name);
    }
    arena_done(&w.arena);
    return code;
}

/* ---- signatures ---- */

static bool take_id(const char *text, uint8_t out[16])
{
    struct err err;
    size_t size;

    return text == NULL || (hex_decode(bytes_of(text), out, 16, &size, &err) && size == 16);
}

static bool take_svn(const char *text, uint32_t *out)
{
    char *end;

    if (text == NULL)
        return true;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    *out = (uint32_t)value;
    return errno == 0 && text[0] >= '0' && text[0] <= '9' && *end == '\0' && value <= UINT32_MAX;
}

/* What vouches for the ID key; *has false: nothing does. */
static int read_vouching(struct work *w, EVP_PKEY *id_key, uint8_t out[SNP_VOUCHING_SIZE],
                         bool *has)
{
    const char *author_path = cli_value(w->args, "--sev-author-key");
    const char *signature_path = cli_value(w->args, "--sev-id-key-signature");
    struct bytes signature;
    EVP_PKEY *author;
    struct err err;

    *has = author_path != NULL || signature_path != NULL;
    if (author_path != NULL) {
        if (!image_key_read(author_path, true, &author))
            return CLI_FAILED;
        bool ok = snp_key_vouch(author, id_key, out, &err);
        EVP_PKEY_free(author);
        return ok ? CLI_OK : cli_fail(author_path, "both keys must be on P-384");
    }
    if (signature_path == NULL)
        return CLI_OK;
    if (!os_read_file(signature_path, SNP_VOUCHING_SIZE + 1, &w->arena, &signature, &err))
        return cli_fail_err(signature_path, &err);
    if (signature.size != SNP_VOUCHING_SIZE)
        return cli_fail(signature_path, "is no signature of 'key sev sign': those have 1540 bytes");
    memcpy(out, signature.data, SNP_VOUCHING_SIZE);
    return CLI_OK;
}

static int sign_for_snp(struct work *w, struct snp_id_block *block, EVP_PKEY *id_key)
{
    uint8_t *block_bytes = arena_alloc(&w->arena, SNP_ID_BLOCK_SIZE, 1);
    uint8_t *auth = arena_alloc(&w->arena, SNP_ID_AUTH_SIZE, 1);
    uint8_t vouching[SNP_VOUCHING_SIZE];
    struct snp_id_keys keys;
    bool has_author;
    struct err err;

    if (block_bytes == NULL || auth == NULL)
        return cli_fail(w->name, "no memory");
    int code = read_vouching(w, id_key, vouching, &has_author);
    if (code != CLI_OK)
        return code;
    memcpy(block->launch_digest, w->digests[0], SNP_DIGEST_SIZE);
    snp_id_block_write(block, block_bytes);
    /* what was given may be about another key */
    if (!snp_id_auth_sign(block, id_key, has_author ? vouching : NULL, auth, &err) ||
        !snp_id_auth_verify(bytes_from(auth, SNP_ID_AUTH_SIZE), block, &keys, &err))
        return cli_fail_err(w->name, &err);
    w->file.id_block = bytes_from(block_bytes, SNP_ID_BLOCK_SIZE);
    w->file.id_auth = bytes_from(auth, SNP_ID_AUTH_SIZE);
    return CLI_OK;
}

/* Today, as SIGSTRUCT has it: digits as digits of hexadecimal. */
static uint32_t today(void)
{
    char text[CIVIL_TEXT_SIZE];
    uint32_t out = 0;

    civil_format(os_unix_ms() / 1000, text);
    for (size_t i = 0; i < strlen("2026-11-23"); i++)
        out = text[i] == '-' ? out : out << 4 | (uint32_t)(text[i] - '0');
    return out;
}

static int sign_for_sgx(struct work *w, const struct enclave_author *author, const char *key_path)
{
    uint8_t *sigstruct = arena_alloc(&w->arena, SGX_SIGSTRUCT_SIZE, 1);
    EVP_PKEY *key;
    struct err err;

    if (sigstruct == NULL)
        return cli_fail(w->name, "no memory");
    if (!has_enclave(w))
        return cli_fail(w->name, "has no shim of enclaves; 'broch image build' puts one in");
    if (!image_key_read(key_path, true, &key))
        return CLI_FAILED;
    bool ok = enclave_sign(w->mrenclave, author, key, sigstruct, &err);
    EVP_PKEY_free(key);
    if (!ok)
        return cli_fail_err(key_path, &err);
    w->file.sigstruct = bytes_from(sigstruct, SGX_SIGSTRUCT_SIZE);
    return CLI_OK;
}

static int sign(struct work *w, struct snp_id_block *block, const struct enclave_author *author)
{
    const char *sev_path = cli_value(w->args, "--sev-id-key");
    const char *sgx_path = cli_value(w->args, "--sgx-key");
    EVP_PKEY *id_key = NULL;
    int code = CLI_OK;

    if (sev_path != NULL) {
        if (!image_key_read(sev_path, true, &id_key))
            return CLI_FAILED;
        code = sign_for_snp(w, block, id_key);
        EVP_PKEY_free(id_key);
    }
    return code == CLI_OK && sgx_path != NULL ? sign_for_sgx(w, author, sgx_path) : code;
}

int cli_image_sign(const struct cli_args *args)
{
    struct snp_id_block block = {.policy = IMAGE_SNP_POLICY};
    struct enclave_author author = {.date = today()};
    uint32_t product = 1;
    struct work w;

    if (!cli_is_given(args, "--sev-id-key") && !cli_is_given(args, "--sgx-key"))
        return cli_usage_error(args, "--sev-id-key, --sgx-key", "one of them is required");
    if (cli_is_given(args, "--sev-author-key") && cli_is_given(args, "--sev-id-key-signature"))
        return cli_usage_error(args, "--sev-author-key",
                               "stands for --sev-id-key-signature; give one of them");
    if (!take_id(cli_value(args, "--family"), block.family_id) ||
        !take_id(cli_value(args, "--image"), block.image_id))
        return cli_usage_error(args, "--family, --image", "take 16 bytes in hexadecimal");
    if (!take_svn(cli_value(args, "--svn"), &block.guest_svn) ||
        !take_svn(cli_value(args, "--product"), &product))
        return cli_usage_error(args, "--svn, --product", "take a number");
    if (product > UINT16_MAX || (cli_is_given(args, "--sgx-key") && block.guest_svn > UINT16_MAX))
        return cli_usage_error(args, "--svn, --product", "of SGX are at most 65535");
    author.product = (uint16_t)product;
    author.svn = (uint16_t)block.guest_svn;
    work_open(&w, args);
    struct writer content = writer_growable(&w.arena, IMAGE_FILE_MAX);
    int code = open_image(&w);
    if (code == CLI_OK)
        code = measure(&w);
    if (code == CLI_OK)
        code = sign(&w, &block, &author);
    image_file_write(&content, &w.file);
    if (code == CLI_OK)
        code = replace_file(&w, args->positionals[0], &content);
    arena_done(&w.arena);
    return code;
}

/* ---- showing ---- */

/* The signature for SEV-SNP, judged. */
static int judge(struct work *w, struct snp_id_block *block, struct snp_id_keys *keys)
{
    struct err err;

    if (!snp_id_block_parse(w->file.id_block, block, &err) ||
        !snp_id_auth_verify(w->file.id_auth, block, keys, &err))
        return cli_fail_err(w->name, &err);
    if (memcmp(block->launch_digest, w->digests[0], SNP_DIGEST_SIZE) != 0)
        return cli_fail(w->name, "the signature is that of another image");
    return CLI_OK;
}

static int judge_enclave(struct work *w, struct sgx_sigstruct *s)
{
    struct err err;

    if (!sgx_sigstruct_parse(w->file.sigstruct, s, &err) || !sgx_sigstruct_verify(s, &err))
        return cli_fail_err(w->name, &err);
    if (memcmp(s->enclave_hash, w->mrenclave, sizeof w->mrenclave) != 0)
        return cli_fail(w->name, "the signature for SGX is that of another image");
    return CLI_OK;
}

static void write_item(struct writer *out, bool is_json, const char *name, struct bytes value)
{
    writer_format(out, is_json ? ",\"%s\":\"" : "%-16s ", name);
    writer_hex(out, value);
    writer_text(out, is_json ? "\"" : "\n");
}

static bool write_part(struct writer *out, bool is_json, const char *name, struct bytes part)
{
    uint8_t hash[32];

    if (EVP_Digest(part.data, part.size, hash, NULL, EVP_sha256(), NULL) != 1)
        return false;
    if (is_json)
        writer_format(out, "\"%s\":{\"bytes\":%zu,\"sha256\":\"", name, part.size);
    else
        writer_format(out, "%-16s %zu bytes, sha256 ", name, part.size);
    writer_hex(out, bytes_from(hash, sizeof hash));
    writer_text(out, is_json ? "\"}," : "\n");
    return true;
}

static void write_signature(struct writer *out, bool is_json, const struct snp_id_block *block,
                            const struct snp_id_keys *keys)
{
    writer_format(out, is_json ? ",\"sev\":{\"svn\":%u" : "svn              %u\n",
                  block->guest_svn);
    write_item(out, is_json, "id_key", bytes_from(keys->id_key_digest, SNP_DIGEST_SIZE));
    if (keys->has_author)
        write_item(out, is_json, "author_key",
                   bytes_from(keys->author_key_digest, SNP_DIGEST_SIZE));
    write_item(out, is_json, "family", bytes_from(block->family_id, 16));
    write_item(out, is_json, "image", bytes_from(block->image_id, 16));
    writer_text(out, is_json ? "}" : "");
}

static bool write_enclave_signature(struct writer *out, bool is_json, const struct sgx_sigstruct *s)
{
    uint8_t signer[SGX_SIGNER_SIZE];
    struct err err;

    if (!sgx_signer(s->modulus, signer, &err))
        return false;
    writer_format(out,
                  is_json ? ",\"sgx\":{\"svn\":%u,\"product\":%u"
                          : "sgx svn          %u\nsgx product      %u\n",
                  s->isv_svn, s->isv_prod_id);
    write_item(out, is_json, is_json ? "signer" : "sgx signer", bytes_from(signer, sizeof signer));
    writer_text(out, is_json ? "}" : "");
    return true;
}

int cli_image_show(const struct cli_args *args)
{
    struct snp_id_block block;
    struct snp_id_keys keys;
    struct sgx_sigstruct sigstruct = {.vendor = 0};
    struct work w;

    work_open(&w, args);
    struct writer out = writer_growable(&w.arena, OUTPUT_MAX);
    int code = open_image(&w);
    bool is_signed = w.file.id_block.size != 0;
    if (code == CLI_OK)
        code = measure(&w);
    if (code == CLI_OK && is_signed)
        code = judge(&w, &block, &keys);
    if (code == CLI_OK && w.file.sigstruct.size != 0)
        code = judge_enclave(&w, &sigstruct);
    if (code == CLI_OK) {
        writer_text(&out, args->json ? "{" : "");
        if (!write_part(&out, args->json, "shim", w.file.shim) ||
            (has_enclave(&w) &&
             !write_part(&out, args->json, "enclave_shim", w.file.enclave_shim)) ||
            !write_part(&out, args->json, "keep", w.file.keep))
            code = cli_fail(w.name, "no SHA-256");
        write_measurements(&out, &w, args->json);
        if (is_signed)
            write_signature(&out, args->json, &block, &keys);
        if (w.file.sigstruct.size != 0 && !write_enclave_signature(&out, args->json, &sigstruct))
            code = cli_fail(w.name, "no SHA-256");
        writer_text(&out, args->json ? "}\n" : "");
    }
    if (code == CLI_OK)
        code = print(&out, w.name);
    arena_done(&w.arena);
    return code;
}

/* ---- the same again ---- */

struct difference {
    struct writer *out;
    bool is_json;
    size_t count;
};

static void tell(struct difference *d, const char *kind, struct bytes name, struct bytes theirs,
                 struct bytes ours)
{
    if (bytes_equal(theirs, ours))
        return;
    if (d->is_json) {
        writer_format(d->out, "%s{\"what\":\"%s\",\"name\":", d->count != 0 ? "," : "", kind);
        writer_json(d->out, name);
        writer_text(d->out, ",\"reference\":");
        writer_json(d->out, theirs);
        writer_text(d->out, ",\"here\":");
        writer_json(d->out, ours);
        writer_text(d->out, "}");
    } else {
        writer_format(d->out, "%s%s", kind, name.size != 0 ? " " : "");
        writer_shown(d->out, name);
        writer_text(d->out, " differs: ");
        writer_shown(d->out, theirs.size != 0 ? theirs : bytes_of("(none)"));
        writer_text(d->out, " there, ");
        writer_shown(d->out, ours.size != 0 ? ours : bytes_of("(none)"));
        writer_text(d->out, " here\n");
    }
    d->count++;
}

static const struct evidence_archive *find_archive(const struct evidence_reference *r,
                                                   struct bytes name)
{
    for (size_t i = 0; i < r->archive_count; i++) {
        if (bytes_equal(r->archives[i].name, name))
            return &r->archives[i];
    }
    return NULL;
}

static void compare_archives(struct difference *d, const struct evidence_reference *theirs,
                             const struct evidence_reference *ours)
{
    const struct bytes none = bytes_of("");

    for (size_t i = 0; i < theirs->archive_count; i++) {
        const struct evidence_archive *a = &theirs->archives[i], *b = find_archive(ours, a->name);
        tell(d, "version of", a->name, a->version, b != NULL ? b->version : none);
        tell(d, "archive", a->name, a->sha256, b != NULL ? b->sha256 : none);
    }
    for (size_t i = 0; i < ours->archive_count; i++) {
        const struct evidence_archive *b = &ours->archives[i];
        if (find_archive(theirs, b->name) == NULL)
            tell(d, "archive", b->name, none, b->sha256);
    }
}

/* Whether every measurement of the reference is one of ours. */
static bool is_same(const struct evidence_reference *theirs, const struct evidence_reference *ours)
{
    for (size_t i = 0; i < theirs->snp.count; i++) {
        if (!bytes_list_has(&ours->snp, theirs->snp.items[i]))
            return false;
    }
    for (size_t i = 0; i < theirs->sgx.count; i++) {
        if (!bytes_list_has(&ours->sgx, theirs->sgx.items[i]))
            return false;
    }
    return theirs->snp.count + theirs->sgx.count != 0;
}

/* When the images differ and nothing that is written down of them does. */
static const char of_another_time[] =
    "all that is written down of them is the same. A build has the time of the commit at which it "
    "was "
    "set up, or SOURCE_DATE_EPOCH: './run clean', and build again\n";

static int reproduce(struct work *w, const char *path, struct writer *out)
{
    struct difference d = {.out = out, .is_json = w->args->json};
    struct evidence_reference theirs, ours;
    const struct bytes none = bytes_of("");
    struct text_error error;
    struct bytes text;
    struct err err;
    char why[256];

    if (!os_read_file(path, REFERENCE_SIZE_MAX, &w->arena, &text, &err))
        return cli_fail_err(path, &err);
    if (!evidence_reference_parse(text, &w->arena, &theirs, &error)) {
        (void)snprintf(why, sizeof why, "line %u: %s", error.line, error.text);
        return cli_fail(path, why);
    }
    ours = reference_of(w);
    bool same = is_same(&theirs, &ours);
    if (d.is_json)
        writer_format(out, "{\"same\":%s,\"differences\":[", same ? "true" : "false");
    else
        writer_text(out, same ? "the measurements are the same\n" : "the measurements differ\n");
    tell(&d, "version", none, theirs.broch, ours.broch);
    tell(&d, "source", none, theirs.commit, ours.commit);
    tell(&d, "compiler", none, theirs.compiler, ours.compiler);
    compare_archives(&d, &theirs, &ours);
    if (d.is_json)
        writer_text(out, "]}\n");
    else if (!same && d.count == 0)
        writer_text(out, of_another_time);
    return same ? CLI_OK : CLI_FAILED;
}

int cli_image_reproduce(const struct cli_args *args)
{
    struct work w;

    work_open(&w, args);
    struct writer out = writer_growable(&w.arena, OUTPUT_MAX);
    int code = read_parts(&w, NULL, NULL, NULL);
    if (code == CLI_OK)
        code = measure(&w);
    if (code == CLI_OK) {
        code = reproduce(&w, args->positionals[0], &out);
        int printed = print(&out, w.name);
        code = code == CLI_OK ? printed : code;
    }
    arena_done(&w.arena);
    return code;
}
