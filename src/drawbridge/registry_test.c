/* The registry on a disk: what a publisher does, what goes wrong meanwhile, what is left of it. */
#include "support.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "drawbridge/registry.h"
#include "drawbridge/token.h"
#include "os/os.h"

#define NOW INT64_C(1800000000)

struct place {
    char folder[64];
    struct registry *registry;
    struct arena arena;
    struct err err;
    int64_t repo;
};

static int set_up(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    struct registry_user user = {.subject = bytes_of("s"), .content = bytes_of("{}")};
    struct registry_repo repo;

    assert_non_null(p);
    (void)snprintf(p->folder, sizeof p->folder, "/tmp/registry-XXXXXX");
    assert_non_null(mkdtemp(p->folder));
    arena_init(&p->arena, arena_heap, 1 << 26);
    assert_true(registry_open(p->folder, &p->registry, &p->err));
    assert_true(registry_serve_alone(p->registry, &p->err));
    assert_int_equal(registry_add_user(p->registry, bytes_of("alice"), &user, NOW, &p->err),
                     REGISTRY_DONE);
    assert_int_equal(
        registry_add_repo(p->registry, bytes_of("alice"), bytes_of("app"), true, NOW, &p->err),
        REGISTRY_DONE);
    assert_int_equal(registry_repo(p->registry, bytes_of("alice"), bytes_of("app"), &repo, &p->err),
                     REGISTRY_DONE);
    p->repo = repo.id;
    *state = p;
    return 0;
}

static void remove_tree(int parent, const char *name)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY);
    DIR *entries = fdopendir(fd);
    const struct dirent *entry;

    assert_non_null(entries);
    while ((entry = readdir(entries)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (unlinkat(fd, entry->d_name, 0) != 0)
            remove_tree(fd, entry->d_name);
    }
    (void)closedir(entries);
    assert_int_equal(unlinkat(parent, name, AT_REMOVEDIR), 0);
}

static int tear_down(void **state)
{
    struct place *p = *state;

    registry_close(p->registry);
    arena_done(&p->arena);
    remove_tree(AT_FDCWD, p->folder);
    free(p);
    return 0;
}

/* ---- a publisher's steps ---- */

static enum registry_answer add_tag(struct place *p, const char *name, const struct entry *root)
{
    struct writer w = writer_growable(&p->arena, 4096);
    struct registry_tag tag = {.name = bytes_of(name),
                               .type = bytes_of(MEDIA_ENTRY),
                               .digests = bytes_of("sha-256=::"),
                               .created = NOW};

    entry_write(&w, root);
    assert_true(writer_done(&w, &tag.content, &p->err));
    return registry_add_tag(p->registry, p->repo, &tag, root, &p->err);
}

static struct registry_tag get_tag(struct place *p, const char *name)
{
    struct registry_tag tag = {.id = 0};
    enum registry_answer answer =
        registry_tag(p->registry, p->repo, bytes_of(name), &p->arena, &tag, &p->err);

    assert_int_equal(answer, REGISTRY_DONE);
    return tag;
}

static struct blob_hash hash_of(const struct digest_set *digests)
{
    struct blob_hash hash;

    memcpy(hash.bytes, digests->of[DIGEST_SHA256].bytes, sizeof hash.bytes);
    return hash;
}

static enum registry_answer put(struct place *p, int64_t tag, const char *path,
                                struct bytes content, const struct directory *directory,
                                uint64_t *missing)
{
    struct blob_upload upload;
    struct digest_set digests;

    assert_true(blob_upload_begin(registry_blobs(p->registry), 0, &upload, &p->err));
    assert_true(blob_upload_add(&upload, content, &p->err));
    assert_true(blob_upload_finish(&upload, &digests, &p->err));
    struct blob_hash hash = hash_of(&digests);
    enum registry_answer answer = registry_put_node(p->registry, tag, bytes_of(path), &upload,
                                                    &hash, directory, NOW, missing, &p->err);
    blob_upload_done(&upload);
    return answer;
}

/* A package of two files, one in a directory. */
struct sample {
    struct directory_item outer[2], inner[1];
    struct directory root, below;
    struct bytes root_json, below_json;
    struct entry root_entry;
};

static void make_sample(struct place *p, struct sample *s)
{
    struct writer inner = writer_growable(&p->arena, 4096);
    struct writer outer = writer_growable(&p->arena, 4096);

    s->inner[0].name = bytes_of("page");
    assert_true(entry_of(bytes_of("hello"), MEDIA_OCTETS, &s->inner[0].entry, &p->err));
    s->below = (struct directory){.items = s->inner, .count = 1};
    directory_write(&inner, &s->below);
    assert_true(writer_done(&inner, &s->below_json, &p->err));
    s->outer[0].name = bytes_of("main.wasm");
    assert_true(entry_of(bytes_of("module"), MEDIA_WASM, &s->outer[0].entry, &p->err));
    s->outer[1].name = bytes_of("www");
    assert_true(entry_of(s->below_json, MEDIA_DIRECTORY, &s->outer[1].entry, &p->err));
    s->root = (struct directory){.items = s->outer, .count = 2};
    directory_write(&outer, &s->root);
    assert_true(writer_done(&outer, &s->root_json, &p->err));
    assert_true(entry_of(s->root_json, MEDIA_DIRECTORY, &s->root_entry, &p->err));
}

static void publish(struct place *p, const char *name, const struct sample *s)
{
    uint64_t missing = 0;

    assert_int_equal(add_tag(p, name, &s->root_entry), REGISTRY_DONE);
    int64_t tag = get_tag(p, name).id;
    assert_int_equal(put(p, tag, "", s->root_json, &s->root, &missing), REGISTRY_DONE);
    assert_int_equal(put(p, tag, "main.wasm", bytes_of("module"), NULL, &missing), REGISTRY_DONE);
    assert_int_equal(put(p, tag, "www", s->below_json, &s->below, &missing), REGISTRY_DONE);
    assert_int_equal(missing, 1);
    assert_int_equal(put(p, tag, "www/page", bytes_of("hello"), NULL, &missing), REGISTRY_DONE);
    assert_int_equal(missing, 0);
}

/* ---- fsck ---- */

struct faults {
    unsigned count;
    char last[100];
};

static void on_fault(void *context, const char *what, struct bytes where)
{
    struct faults *f = context;

    (void)where;
    f->count++;
    (void)snprintf(f->last, sizeof f->last, "%s", what);
}

static struct registry_summary check(struct place *p, struct faults *faults)
{
    const struct registry_check c = {.fault = on_fault, .context = faults};
    struct registry_summary summary;

    *faults = (struct faults){.count = 0};
    assert_true(registry_fsck(p->registry, &c, &summary, &p->err));
    assert_int_equal(summary.faults, faults->count);
    return summary;
}

static void expect_clean(struct place *p)
{
    struct faults faults;

    (void)check(p, &faults);
    if (faults.count != 0)
        fail_msg("%s", faults.last);
}

/* ---- tests ---- */

static void a_package_is_published(void **state)
{
    struct place *p = *state;
    struct registry_node node;
    struct faults faults;
    struct sample s;
    uint64_t missing;

    make_sample(p, &s);
    publish(p, "0.1.0", &s);
    struct registry_tag tag = get_tag(p, "0.1.0");
    assert_int_equal(tag.missing, 0);
    assert_int_equal(
        registry_node(p->registry, tag.id, bytes_of("www/page"), &p->arena, &node, &p->err),
        REGISTRY_DONE);
    assert_true(node.is_there && entry_equal(&node.entry, &s.inner[0].entry));
    assert_int_equal(put(p, tag.id, "www/page", bytes_of("hello"), NULL, &missing),
                     REGISTRY_EXISTS);
    struct registry_summary summary = check(p, &faults);
    assert_int_equal(faults.count, 0);
    assert_int_equal(summary.tags, 1);
    assert_int_equal(summary.nodes, 4);
    assert_int_equal(summary.blobs, 4);
}

static void content_is_kept_once(void **state)
{
    struct place *p = *state;
    struct faults faults;
    struct sample s;

    make_sample(p, &s);
    publish(p, "0.1.0", &s);
    publish(p, "0.2.0", &s);
    struct registry_summary summary = check(p, &faults);
    assert_int_equal(faults.count, 0);
    assert_int_equal(summary.nodes, 8);
    assert_int_equal(summary.blobs, 4);
}

static void nodes_need_their_parents(void **state)
{
    struct place *p = *state;
    struct registry_node node;
    struct registry_names missing;
    struct sample s;
    uint64_t left;

    make_sample(p, &s);
    assert_int_equal(add_tag(p, "0.1.0", &s.root_entry), REGISTRY_DONE);
    int64_t tag = get_tag(p, "0.1.0").id;
    assert_int_equal(
        registry_node(p->registry, tag, bytes_of("main.wasm"), &p->arena, &node, &p->err),
        REGISTRY_ABSENT);
    assert_int_equal(put(p, tag, "", s.root_json, &s.root, &left), REGISTRY_DONE);
    assert_int_equal(left, 2);
    assert_int_equal(
        registry_node(p->registry, tag, bytes_of("main.wasm"), &p->arena, &node, &p->err),
        REGISTRY_DONE);
    assert_false(node.is_there);
    assert_int_equal(registry_node(p->registry, tag, bytes_of("other"), &p->arena, &node, &p->err),
                     REGISTRY_ABSENT);
    assert_true(registry_missing(p->registry, tag, &p->arena, &missing, &p->err));
    assert_int_equal(missing.count, 2);
    assert_true(bytes_is(missing.items[0], "main.wasm"));
    assert_true(bytes_is(missing.items[1], "www"));
    expect_clean(p);
}

static void names_are_taken_once(void **state)
{
    struct place *p = *state;
    struct registry_user user = {.subject = bytes_of("t"), .content = bytes_of("{}")};
    struct sample s;

    make_sample(p, &s);
    assert_int_equal(registry_add_user(p->registry, bytes_of("alice"), &user, NOW, &p->err),
                     REGISTRY_EXISTS);
    assert_int_equal(
        registry_add_repo(p->registry, bytes_of("alice"), bytes_of("app"), false, NOW, &p->err),
        REGISTRY_EXISTS);
    assert_int_equal(
        registry_add_repo(p->registry, bytes_of("bob"), bytes_of("app"), true, NOW, &p->err),
        REGISTRY_ABSENT);
    assert_int_equal(add_tag(p, "0.1.0", &s.root_entry), REGISTRY_DONE);
    assert_int_equal(add_tag(p, "0.1.0", &s.root_entry), REGISTRY_EXISTS);
    assert_int_equal(add_tag(p, "0.1.0", &s.outer[0].entry), REGISTRY_EXISTS);
    expect_clean(p);
}

static void only_what_was_never_whole_is_deleted(void **state)
{
    struct place *p = *state;
    struct registry_garbage garbage;
    struct registry_tag tag;
    struct sample s;
    uint64_t missing;

    make_sample(p, &s);
    publish(p, "0.1.0", &s);
    assert_int_equal(registry_delete_tag(p->registry, get_tag(p, "0.1.0").id, &p->err),
                     REGISTRY_EXISTS);
    assert_int_equal(add_tag(p, "0.2.0", &s.outer[1].entry), REGISTRY_DONE);
    int64_t id = get_tag(p, "0.2.0").id;
    assert_int_equal(put(p, id, "", s.below_json, &s.below, &missing), REGISTRY_DONE);
    assert_int_equal(registry_delete_tag(p->registry, id, &p->err), REGISTRY_DONE);
    assert_int_equal(
        registry_tag(p->registry, p->repo, bytes_of("0.2.0"), &p->arena, &tag, &p->err),
        REGISTRY_ABSENT);
    /* an upload that comes too late: it is not there, and its publisher is not to believe so */
    assert_int_equal(put(p, id, "page", bytes_of("hello"), NULL, &missing), REGISTRY_ABSENT);
    assert_true(registry_collect(p->registry, NOW + 1, &garbage, &p->err));
    assert_int_equal(garbage.count, 0); /* the other tag has it all */
    expect_clean(p);
}

static void garbage_is_collected(void **state)
{
    struct place *p = *state;
    struct registry_garbage garbage;
    struct entry entry;
    struct sample s;
    uint64_t missing;

    make_sample(p, &s);
    publish(p, "0.1.0", &s);
    assert_true(entry_of(bytes_of("{}"), MEDIA_DIRECTORY, &entry, &p->err));
    struct directory_item items[] = {{.name = bytes_of("a"), .entry = entry}};
    struct directory directory = {.items = items, .count = 1};
    struct writer w = writer_growable(&p->arena, 4096);
    struct bytes json;
    directory_write(&w, &directory);
    assert_true(writer_done(&w, &json, &p->err));
    assert_true(entry_of(json, MEDIA_DIRECTORY, &entry, &p->err));
    assert_int_equal(add_tag(p, "0.2.0", &entry), REGISTRY_DONE);
    int64_t tag = get_tag(p, "0.2.0").id;
    assert_int_equal(put(p, tag, "", json, &directory, &missing), REGISTRY_DONE);
    assert_int_equal(registry_delete_tag(p->registry, tag, &p->err), REGISTRY_DONE);
    assert_true(registry_collect(p->registry, NOW, &garbage, &p->err));
    assert_int_equal(garbage.count, 0); /* too young */
    assert_true(registry_collect(p->registry, NOW + 1, &garbage, &p->err));
    assert_int_equal(garbage.count, 1);
    assert_int_equal(garbage.size, json.size);
    expect_clean(p);
    /* what is collected may come again */
    assert_int_equal(add_tag(p, "0.2.0", &entry), REGISTRY_DONE);
    assert_int_equal(put(p, get_tag(p, "0.2.0").id, "", json, &directory, &missing), REGISTRY_DONE);
    expect_clean(p);
}

static struct bytes blob_path(struct place *p, const char *text, char out[200])
{
    struct digest_set digests;
    char hex[64];

    assert_true(digest_compute(bytes_of(text), 1u << DIGEST_SHA256, &digests, &p->err));
    hex_encode(bytes_from(digests.of[DIGEST_SHA256].bytes, 32), hex);
    (void)snprintf(out, 200, "%s/blobs/%.2s/%.64s", p->folder, hex, hex);
    return bytes_of(out);
}

static void damage_is_found(void **state)
{
    struct place *p = *state;
    struct faults faults;
    char path[200], other[200];
    struct sample s;

    make_sample(p, &s);
    publish(p, "0.1.0", &s);
    (void)blob_path(p, "hello", path);
    int fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "H", 1, 0), 1);
    (void)close(fd);
    (void)check(p, &faults);
    assert_int_equal(faults.count, 1);
    assert_string_equal(faults.last, "content has another digest than its name");
    assert_int_equal(unlink(path), 0);
    (void)check(p, &faults);
    assert_int_equal(faults.count, 1);
    assert_string_equal(faults.last, "content is lost");
    (void)snprintf(other, sizeof other, "%s/blobs/00/what", p->folder);
    assert_int_equal(close(open(other, O_CREAT | O_WRONLY, 0600)), 0);
    (void)check(p, &faults);
    assert_int_equal(faults.count, 2);
    assert_string_equal(faults.last, "a file is none of the store's");
}

/* What is published and taken back while trees are checked is no fault. */
struct busy {
    struct place *place;
    unsigned faults;
};

static void publish_meanwhile(void *context, const char *what, struct bytes where)
{
    struct busy *b = context;
    struct place *p = b->place;
    uint64_t missing;

    (void)what;
    (void)where;
    if (b->faults++ != 0)
        return;
    assert_int_equal(put(p, get_tag(p, "0.2.0").id, "page", bytes_of("hello"), NULL, &missing),
                     REGISTRY_DONE);
    assert_int_equal(registry_delete_tag(p->registry, get_tag(p, "0.3.0").id, &p->err),
                     REGISTRY_DONE);
}

static void fsck_may_run_while_it_is_served(void **state)
{
    struct place *p = *state;
    struct sample s;
    struct busy busy = {.place = p};
    const struct registry_check c = {.fault = publish_meanwhile, .context = &busy};
    struct registry_summary summary;
    char path[200];
    uint64_t missing;

    make_sample(p, &s);
    publish(p, "0.1.0", &s);
    for (unsigned i = 2; i <= 3; i++) { /* both lack their page */
        char name[] = "0.0.0";
        name[2] = (char)('0' + i);
        assert_int_equal(add_tag(p, name, &s.outer[1].entry), REGISTRY_DONE);
        assert_int_equal(put(p, get_tag(p, name).id, "", s.below_json, &s.below, &missing),
                         REGISTRY_DONE);
    }
    /* a fault of the first tag, at which the others change */
    assert_int_equal(unlink((const char *)blob_path(p, "module", path).data), 0);
    char *json = strndup((const char *)s.root_json.data, s.root_json.size);
    assert_non_null(json);
    assert_int_equal(unlink((const char *)blob_path(p, json, path).data), 0);
    free(json);
    assert_true(registry_fsck(p->registry, &c, &summary, &p->err));
    assert_int_equal(busy.faults, 3); /* of the first tag, and two files that are lost */
    assert_int_equal(summary.tags, 2);
}

/* A file that lost bytes comes back with the next upload of its content. */
static void what_was_cut_short_is_replaced(void **state)
{
    struct place *p = *state;
    struct faults faults;
    struct sample s;
    char path[200];

    make_sample(p, &s);
    publish(p, "0.1.0", &s);
    assert_int_equal(truncate((const char *)blob_path(p, "hello", path).data, 2), 0);
    (void)check(p, &faults);
    assert_int_equal(faults.count, 1);
    publish(p, "0.2.0", &s);
    expect_clean(p);
}

static void strays_are_collected(void **state)
{
    struct place *p = *state;
    struct registry_garbage garbage;
    struct blob_upload upload;
    struct digest_set digests;
    char path[200];

    /* a process that was killed between the rename and the commit */
    assert_true(blob_upload_begin(registry_blobs(p->registry), 0, &upload, &p->err));
    assert_true(blob_upload_add(&upload, bytes_of("stray"), &p->err));
    assert_true(blob_upload_finish(&upload, &digests, &p->err));
    struct blob_hash hash = hash_of(&digests);
    assert_true(blob_upload_keep(&upload, &hash, &p->err));
    blob_upload_done(&upload);
    assert_int_equal(access((const char *)blob_path(p, "stray", path).data, F_OK), 0);
    expect_clean(p);
    assert_true(registry_collect(p->registry, os_unix_ms() / 1000 + 1000, &garbage, &p->err));
    assert_int_equal(garbage.count, 1);
    assert_int_not_equal(access(path, F_OK), 0);
    expect_clean(p);
}

static void one_process_serves(void **state)
{
    struct place *p = *state;
    struct registry *second;
    struct err err;

    assert_true(registry_open(p->folder, &second, &err));
    assert_false(registry_serve_alone(second, &err));
    assert_int_equal(err.code, ERR_POLICY);
    registry_close(second);
}

/* Two publishers of one tag, from two processes as it were. */
struct racer {
    struct registry *registry;
    int64_t repo;
    unsigned won;
};

static void *race(void *context)
{
    struct racer *r = context;
    struct arena arena;
    struct err err;

    arena_init(&arena, arena_heap, 1 << 24);
    for (unsigned i = 0; i < 50; i++) {
        char name[32];
        struct entry entry;
        (void)snprintf(name, sizeof name, "0.0.%u", i);
        bool ok = entry_of(bytes_of("x"), MEDIA_WASM, &entry, &err);
        struct registry_tag tag = {.name = bytes_of(name), .type = bytes_of(MEDIA_ENTRY)};
        r->won += ok && registry_add_tag(r->registry, r->repo, &tag, &entry, &err) == REGISTRY_DONE;
    }
    arena_done(&arena);
    return NULL;
}

static void one_publisher_wins(void **state)
{
    struct place *p = *state;
    struct registry *second;
    const struct registry_tag *tags;
    pthread_t threads[2];
    size_t count;

    assert_true(registry_open(p->folder, &second, &p->err));
    struct racer racers[] = {{.registry = p->registry, .repo = p->repo},
                             {.registry = second, .repo = p->repo}};
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    registry_close(second);
    assert_int_equal(racers[0].won + racers[1].won, 50);
    assert_true(registry_tags(p->registry, p->repo, &p->arena, &tags, &count, &p->err));
    assert_int_equal(count, 50);
    assert_true(bytes_is(tags[9].name, "0.0.9")); /* as versions, not as text */
    assert_true(bytes_is(tags[10].name, "0.0.10"));
}

static void tags_are_yanked(void **state)
{
    struct place *p = *state;
    struct sample s;

    make_sample(p, &s);
    publish(p, "0.1.0", &s);
    int64_t id = get_tag(p, "0.1.0").id;
    assert_false(get_tag(p, "0.1.0").is_yanked);
    assert_true(registry_yank(p->registry, id, true, bytes_of("it leaks"), &p->err));
    assert_true(get_tag(p, "0.1.0").is_yanked);
    assert_true(bytes_is(get_tag(p, "0.1.0").reason, "it leaks"));
    assert_true(registry_yank(p->registry, id, false, bytes_of(""), &p->err));
    assert_false(get_tag(p, "0.1.0").is_yanked);
}

static void lists_are_searched(void **state)
{
    struct place *p = *state;
    struct registry_user user = {.subject = bytes_of("b"), .content = bytes_of("{}")};
    const struct registry_page all = {.limit = 10}, page = {.search = bytes_of("pp"), .limit = 10};
    const struct registry_page behind = {.after = bytes_of("alice/app"), .limit = 10};
    struct registry_names names;
    struct registry_repo repo;

    assert_int_equal(registry_add_user(p->registry, bytes_of("bob"), &user, NOW, &p->err),
                     REGISTRY_DONE);
    assert_int_equal(
        registry_add_repo(p->registry, bytes_of("bob"), bytes_of("own"), false, NOW, &p->err),
        REGISTRY_DONE);
    assert_true(registry_users(p->registry, &all, &p->arena, &names, &p->err));
    assert_int_equal(names.count, 1); /* bob has nothing to show */
    assert_true(registry_repos(p->registry, &all, bytes_of(""), &p->arena, &names, &p->err));
    assert_int_equal(names.count, 1);
    assert_true(bytes_is(names.items[0], "alice/app"));
    assert_true(registry_repos(p->registry, &all, bytes_of("bob"), &p->arena, &names, &p->err));
    assert_int_equal(names.count, 2);
    assert_true(registry_repos(p->registry, &page, bytes_of("bob"), &p->arena, &names, &p->err));
    assert_int_equal(names.count, 1);
    assert_true(registry_repos(p->registry, &behind, bytes_of("bob"), &p->arena, &names, &p->err));
    assert_int_equal(names.count, 1);
    assert_int_equal(registry_repo(p->registry, bytes_of("bob"), bytes_of("own"), &repo, &p->err),
                     REGISTRY_DONE);
    assert_false(repo.is_public);
    assert_true(registry_set_public(p->registry, repo.id, true, &p->err));
    assert_true(registry_users(p->registry, &all, &p->arena, &names, &p->err));
    assert_int_equal(names.count, 2);
}

static void stewards_are_listed(void **state)
{
    struct place *p = *state;
    const struct registry_steward steward = {
        .name = bytes_of("one"), .ca = bytes_of("PEM"), .is_simulated = true, .technologies = 2};
    const struct registry_steward *list;
    size_t count;

    assert_true(registry_put_steward(p->registry, p->repo, &steward, &p->err));
    assert_true(registry_put_steward(p->registry, p->repo, &steward, &p->err));
    assert_true(registry_stewards(p->registry, p->repo, &p->arena, &list, &count, &p->err));
    assert_int_equal(count, 1);
    assert_true(list[0].is_simulated && list[0].technologies == 2);
    assert_int_equal(registry_delete_steward(p->registry, p->repo, bytes_of("one"), &p->err),
                     REGISTRY_DONE);
    assert_int_equal(registry_delete_steward(p->registry, p->repo, bytes_of("one"), &p->err),
                     REGISTRY_ABSENT);
}

static void tokens_are_checked(void **state)
{
    struct place *p = *state;
    struct registry_token token = {.user = bytes_of("alice"),
                                   .scopes = bytes_of("manage:drawbridge_tags"),
                                   .created = NOW,
                                   .expires = NOW + 10},
                          found;
    char text[TOKEN_TEXT_SIZE];
    struct registry *r = p->registry;

    assert_true(token_create(r, &token, &p->arena, text, &p->err));
    assert_true(token_is_local(bytes_of(text)));
    assert_int_equal(token_check(r, bytes_of(text), NOW, &p->arena, &found, &p->err),
                     REGISTRY_DONE);
    assert_true(bytes_is(found.user, "alice"));
    assert_int_equal(token_check(r, bytes_of(text), NOW + 10, &p->arena, &found, &p->err),
                     REGISTRY_ABSENT);
    char forged[TOKEN_TEXT_SIZE];
    memcpy(forged, text, sizeof forged);
    forged[strlen(forged) - 2] ^= 1;
    assert_int_equal(token_check(r, bytes_of(forged), NOW, &p->arena, &found, &p->err),
                     REGISTRY_ABSENT);
    assert_false(token_is_local(bytes_of("broch_")));
    assert_false(token_is_local(bytes_of("a.b.c")));
    assert_int_equal(registry_revoke_token(r, token.id, &p->err), REGISTRY_DONE);
    assert_int_equal(token_check(r, bytes_of(text), NOW, &p->arena, &found, &p->err),
                     REGISTRY_ABSENT);
    assert_int_equal(registry_revoke_token(r, bytes_of("none"), &p->err), REGISTRY_ABSENT);
}

static void scopes_are_levels(void **state)
{
    const struct bytes manage = bytes_of("openid manage:drawbridge_tags  read:drawbridge_users");

    (void)state;
    assert_true(scope_has(manage, SCOPE_READ, SCOPE_TAGS));
    assert_true(scope_has(manage, SCOPE_WRITE, SCOPE_TAGS));
    assert_true(scope_has(manage, SCOPE_READ, SCOPE_USERS));
    assert_false(scope_has(manage, SCOPE_WRITE, SCOPE_USERS));
    assert_false(scope_has(manage, SCOPE_READ, SCOPE_REPOSITORIES));
    assert_false(scope_has(bytes_of(""), SCOPE_READ, SCOPE_TAGS));
    assert_false(scope_has(bytes_of("read:drawbridge_tagss"), SCOPE_READ, SCOPE_TAGS));
    assert_true(scope_is_known(bytes_of("write:drawbridge_repositories")));
    assert_false(scope_is_known(bytes_of("write:drawbridge")));
    assert_false(scope_is_known(bytes_of("all")));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_package_is_published),
        TEST(content_is_kept_once),
        TEST(nodes_need_their_parents),
        TEST(names_are_taken_once),
        TEST(only_what_was_never_whole_is_deleted),
        TEST(garbage_is_collected),
        TEST(damage_is_found),
        TEST(fsck_may_run_while_it_is_served),
        TEST(what_was_cut_short_is_replaced),
        TEST(strays_are_collected),
        TEST(one_process_serves),
        TEST(one_publisher_wins),
        TEST(tags_are_yanked),
        TEST(lists_are_searched),
        TEST(stewards_are_listed),
        TEST(tokens_are_checked),
        cmocka_unit_test(scopes_are_levels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
