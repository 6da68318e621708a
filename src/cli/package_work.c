/* Packages and trees. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/registry_open.h"
#include "cli/registry_work.h"
#include "os/os.h"
#include "base/banned.h"

#define OUTPUT_MAX ((size_t)256 << 20)
#define KEY_MAX ((size_t)64 << 10)

static const struct transfer_progress no_progress_yet = {.moved = NULL};

/* ---- what is common ---- */

static size_t count_files(const struct tree *tree)
{
    size_t count = 0;

    for (size_t i = 0; i < tree->count; i++)
        count += !entry_is_directory(&tree->nodes[i].entry);
    return count;
}

static bool read_key(struct registry_work *w, const char *option, struct bytes *out)
{
    const char *file = cli_value(w->args, option);
    struct err err;

    *out = (struct bytes){.size = 0};
    if (file == NULL)
        return true;
    if (!os_read_file(file, KEY_MAX, &w->remote.secrets, out, &err))
        return remote_fail_err(&w->fault, file, &err);
    return out->size != 0 || remote_fail(&w->fault, file, "the file is empty");
}

/* The tag, as the command line trusts it. */
static bool read_tag(struct registry_work *w, bool takes_yanked, struct remote_tag *tag)
{
    struct trust trust = {.pin = w->pin, .takes_yanked = takes_yanked};

    return read_key(w, "--publisher-key", &trust.publisher) &&
           remote_read_tag(&w->remote, &w->slug, tag, NULL) &&
           remote_check_tag(&w->remote, &w->slug, tag, &trust);
}

static bool read_tree(struct registry_work *w, struct tree *tree)
{
    struct remote_tag tag;

    return read_tag(w, false, &tag) && remote_read_tree(&w->remote, &w->slug, &tag.tag.root, tree);
}

/* "SLUG: what was done, N files, SIZE" and the digest; or the same as JSON. */
static int report(struct registry_work *w, const struct tree *tree, const char *done,
                  const char *json_key, const char *json_value)
{
    struct writer out = writer_growable(&w->arena, OUTPUT_MAX);
    char size[32];

    if (w->args->json) {
        writer_text(&out, "{\"slug\":\"");
        slug_write(&out, &w->slug);
        writer_text(&out, "\",\"digest\":\"");
        digest_write_hex(&out, entry_digest(&tree->nodes[0].entry));
        writer_format(&out, "\",\"files\":%zu,\"bytes\":%llu,\"%s\":", count_files(tree),
                      (unsigned long long)tree->bytes, json_key);
        writer_text(&out, json_value);
        writer_text(&out, "}\n");
    } else {
        slug_write(&out, &w->slug);
        writer_text(&out, ": ");
        writer_shown(&out, bytes_of(done));
        writer_format(&out, ", %zu files, %s\n", count_files(tree), size_text(tree->bytes, size));
        digest_write_hex(&out, entry_digest(&tree->nodes[0].entry));
        writer_text(&out, "\n");
    }
    return registry_print(w, &out);
}

/* ---- publish ---- */

static int publish(struct registry_work *w)
{
    const char *path = w->args->positionals[1];
    struct publish_options options = {.slug = w->slug,
                                      .restart = cli_is_given(w->args, "--restart")};
    struct transfer_progress hashing = registry_progress(w, "hashing", 0);
    struct tree tree;
    bool was_there;

    if (!read_key(w, "--sign", &options.key) ||
        !tree_read(path, hashing.moved, hashing.context, &w->arena, &tree, &w->fault))
        return registry_fail(w);
    options.progress = registry_progress(w, "uploading", tree.bytes);
    bool ok = tree_check_package(&tree, &w->arena, &w->fault) &&
              remote_publish(&w->remote, &options, &tree, &was_there);
    tree_close(&tree);
    if (!ok)
        return registry_fail(w);
    return report(w, &tree, was_there ? "was published already" : "published", "new",
                  was_there ? "false" : "true");
}

int cli_package_publish(const struct cli_args *args)
{
    struct registry_work w;
    int code;

    if (registry_open(&w, args, SPEC_TAG, &code))
        code = publish(&w);
    registry_done(&w);
    return code;
}

/* ---- fetch, verify ---- */

static const char *default_folder(struct registry_work *w)
{
    struct writer path = writer_growable(&w->arena, SLUG_SIZE_MAX);
    struct bytes text;
    struct err err;

    writer_bytes(&path, w->slug.repo);
    writer_text(&path, "-");
    writer_bytes(&path, w->slug.tag);
    writer_u8(&path, '\0');
    return writer_done(&path, &text, &err) ? (const char *)text.data : NULL;
}

static int fetch(struct registry_work *w)
{
    const char *given = cli_value(w->args, "--out");
    const char *folder = given != NULL ? given : default_folder(w);
    struct writer json = writer_growable(&w->arena, OUTPUT_MAX);
    struct writer words = writer_growable(&w->arena, OUTPUT_MAX);
    struct bytes json_text, text;
    struct tree tree;
    struct err err;

    if (folder == NULL || !read_tree(w, &tree))
        return registry_fail(w);
    struct transfer_progress progress = registry_progress(w, "fetching", tree.bytes);
    if (!remote_fetch(&w->remote, &w->slug, &tree, folder, &progress))
        return registry_fail(w);
    writer_json(&json, bytes_of(folder));
    writer_u8(&json, '\0');
    writer_format(&words, "fetched into %s", folder);
    writer_u8(&words, '\0');
    if (!writer_done(&json, &json_text, &err) || !writer_done(&words, &text, &err))
        return registry_fail_err(w, folder, &err);
    return report(w, &tree, (const char *)text.data, "folder", (const char *)json_text.data);
}

int cli_package_fetch(const struct cli_args *args)
{
    struct registry_work w;
    int code;

    if (registry_open(&w, args, SPEC_PINNED, &code))
        code = fetch(&w);
    registry_done(&w);
    return code;
}

static bool compare(struct registry_work *w, const struct tree *theirs, const char *folder)
{
    struct transfer_progress hashing = registry_progress(w, "hashing", theirs->bytes);
    struct tree ours;

    if (!tree_read(folder, hashing.moved, hashing.context, &w->arena, &ours, &w->fault))
        return false;
    tree_close(&ours);
    return remote_compare(&ours, theirs, &w->fault);
}

static int verify(struct registry_work *w)
{
    struct tree tree;

    if (!read_tree(w, &tree))
        return registry_fail(w);
    bool has_folder = w->args->positional_count == 2;
    struct transfer_progress progress = registry_progress(w, "fetching", tree.bytes);
    bool ok = has_folder ? compare(w, &tree, w->args->positionals[1])
                         : remote_fetch(&w->remote, &w->slug, &tree, NULL, &progress);
    return ok ? report(w, &tree, has_folder ? "the folder is the same" : "all of it is as it says",
                       "verified", "true")
              : registry_fail(w);
}

int cli_package_verify(const struct cli_args *args)
{
    struct registry_work w;
    int code;

    if (registry_open(&w, args, SPEC_PINNED, &code))
        code = verify(&w);
    registry_done(&w);
    return code;
}

/* ---- info, yank ---- */

static int show_tag(struct registry_work *w, const struct remote_tag *tag)
{
    struct writer out = writer_growable(&w->arena, OUTPUT_MAX),
                  json = writer_growable(&w->arena, OUTPUT_MAX);
    const struct entry *root = &tag->tag.root;
    struct bytes entry;
    struct err err;

    if (w->args->json) { /* the entry's own members, as Enarx's, and ours */
        entry_write(&json, root);
        if (!writer_done(&json, &entry, &err))
            return registry_fail_err(w, "tag", &err);
        writer_bytes(&out, bytes_before(entry, entry.size - 1));
        writer_format(&out, ",\"signed\":%s,\"yanked\":%s}\n",
                      tag->tag.is_signed ? "true" : "false", tag->is_yanked ? "true" : "false");
        return registry_print(w, &out);
    }
    slug_write(&out, &w->slug);
    writer_format(&out, "%s%s\n", tag->tag.is_signed ? ", signed" : "",
                  tag->is_yanked ? ", YANKED: its owner advises against it" : "");
    for (size_t i = 0; i < DIGEST_ALGORITHMS; i++) {
        if (root->digests.of[i].size == 0)
            continue;
        digest_write_hex(&out, &root->digests.of[i]);
        writer_text(&out, "\n");
    }
    writer_format(&out, "%llu bytes of ", (unsigned long long)root->length);
    writer_shown(&out, root->type);
    writer_text(&out, "\n");
    return registry_print(w, &out);
}

int cli_package_info(const struct cli_args *args)
{
    struct registry_work w;
    struct remote_tag tag;
    int code;

    if (registry_open(&w, args, SPEC_PINNED, &code))
        code = read_tag(&w, true, &tag) ? show_tag(&w, &tag) : registry_fail(&w);
    registry_done(&w);
    return code;
}

static int yank(struct registry_work *w)
{
    const char *path = remote_path(&w->remote, &w->slug), *reason = cli_value(w->args, "--reason");
    struct writer body = writer_growable(&w->arena, 8192);
    struct writer out = writer_growable(&w->arena, 8192);
    struct http_reply reply;
    bool is_undone = cli_is_given(w->args, "--undo");
    struct bytes json;
    struct err err;

    writer_text(&body, is_undone ? "{\"yanked\":false" : "{\"yanked\":true");
    if (reason != NULL) {
        writer_text(&body, ",\"reason\":");
        writer_json(&body, bytes_of(reason));
    }
    writer_text(&body, "}");
    if (!writer_done(&body, &json, &err))
        return registry_fail_err(w, "--reason", &err);
    if (path == NULL || !remote_call(&w->remote, "PUT", remote_url(&w->remote, "%s/_yank", path),
                                     json, &reply, NULL))
        return registry_fail(w);
    writer_text(&out, w->args->json ? "{\"slug\":\"" : "");
    slug_write(&out, &w->slug);
    if (w->args->json)
        writer_format(&out, "\",\"yanked\":%s}\n", is_undone ? "false" : "true");
    else
        writer_text(&out, is_undone ? ": yanked no longer\n" : ": yanked\n");
    return registry_print(w, &out);
}

int cli_package_yank(const struct cli_args *args)
{
    struct registry_work w;
    int code;

    if (cli_is_given(args, "--undo") && cli_value(args, "--reason") != NULL)
        return cli_usage_error(args, "--reason",
                               "says why a tag is yanked; --undo takes that back");
    if (registry_open(&w, args, SPEC_TAG, &code))
        code = yank(&w);
    registry_done(&w);
    return code;
}

/* ---- trees ---- */

int cli_tree_digest(const struct cli_args *args)
{
    struct registry_work w = {.args = args};
    struct tree tree;
    int code;

    arena_init(&w.arena, arena_heap, (size_t)1 << 30);
    struct writer out = writer_growable(&w.arena, OUTPUT_MAX);
    struct transfer_progress hashing = no_progress_yet;
    if (!cli_is_given(args, "--quiet"))
        hashing = registry_progress(&w, "hashing", 0);
    if (!tree_read(args->positionals[0], hashing.moved, hashing.context, &w.arena, &tree,
                   &w.fault)) {
        code = registry_fail(&w);
    } else {
        if (args->json)
            entry_write(&out, &tree.nodes[0].entry);
        else
            digest_write_hex(&out, entry_digest(&tree.nodes[0].entry));
        writer_text(&out, "\n");
        code = registry_print(&w, &out);
        tree_close(&tree);
    }
    arena_done(&w.arena);
    return code;
}

static void write_node(struct writer *out, const struct tree_node *node, bool as_json)
{
    if (as_json) {
        writer_text(out, "{\"path\":");
        writer_json(out, bytes_of(node->path));
        writer_text(out, ",\"entry\":");
        entry_write(out, &node->entry);
        writer_text(out, "}");
        return;
    }
    writer_format(out, "%12llu  ", (unsigned long long)node->entry.length);
    digest_write_hex(out, entry_digest(&node->entry));
    writer_format(out, "  /%s%s\n", node->path,
                  entry_is_directory(&node->entry) && node->path[0] != '\0' ? "/" : "");
}

int cli_tree_info(const struct cli_args *args)
{
    struct registry_work w;
    struct tree tree;
    int code;

    if (registry_open(&w, args, SPEC_PINNED, &code)) {
        struct writer out = writer_growable(&w.arena, OUTPUT_MAX);
        bool ok = read_tree(&w, &tree);
        writer_text(&out, args->json ? "[" : "");
        for (size_t i = 0; ok && i < tree.count; i++) {
            writer_text(&out, args->json && i != 0 ? "," : "");
            write_node(&out, &tree.nodes[i], args->json);
        }
        writer_text(&out, args->json ? "]\n" : "");
        code = ok ? registry_print(&w, &out) : registry_fail(&w);
    }
    registry_done(&w);
    return code;
}

/* Copies what was checked. */
static bool copy_out(struct registry_work *w, int from, int to, const char *what)
{
    uint8_t buffer[65536];
    uint64_t at = 0;
    ssize_t got;
    struct err err;

    while ((got = pread(from, buffer, sizeof buffer, (off_t)at)) > 0) {
        if (!os_write_fd(to, bytes_from(buffer, (size_t)got), &err))
            return remote_fail_err(&w->fault, what, &err);
        at += (uint64_t)got;
    }
    return got == 0 || remote_fail(&w->fault, what, os_strerror(errno));
}

/* Nothing goes out before all of it was checked. */
static bool fetch_node(struct registry_work *w, const struct tree_node *node)
{
    const char *out = cli_value(w->args, "--out");
    FILE *file = tmpfile();
    bool ok = file != NULL || remote_fail(&w->fault, "temporary file", os_strerror(errno));

    if (ok) {
        struct transfer_progress progress = registry_progress(w, "fetching", node->entry.length);
        ok = remote_fetch_node(&w->remote, &w->slug, node, fileno(file), &progress);
        progress_end(&w->progress);
    }
    CLEANUP(os_closep) int to = -1;
    if (ok && out != NULL) {
        to = open(out, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        ok = to >= 0 || remote_fail(&w->fault, out, os_strerror(errno));
    }
    ok = ok && copy_out(w, fileno(file), out != NULL ? to : STDOUT_FILENO,
                        out != NULL ? out : "standard output");
    if (file != NULL)
        (void)fclose(file);
    return ok;
}

static int fetch_path(struct registry_work *w)
{
    const char *path = w->args->positionals[1];
    struct tree tree;

    while (path[0] == '/')
        path++;
    if (!read_tree(w, &tree))
        return registry_fail(w);
    const struct tree_node *node = tree_find(&tree, path);
    if (node == NULL || entry_is_directory(&node->entry)) {
        (void)remote_fail(&w->fault, path,
                          node == NULL
                              ? "the package has no such file; 'broch tree info' lists them"
                              : "is a folder; 'broch package fetch' fetches them");
        return registry_fail(w);
    }
    return fetch_node(w, node) ? CLI_OK : registry_fail(w);
}

int cli_tree_fetch(const struct cli_args *args)
{
    struct registry_work w;
    int code;

    if (registry_open(&w, args, SPEC_PINNED, &code))
        code = fetch_path(&w);
    registry_done(&w);
    return code;
}
