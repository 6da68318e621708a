/* The file system: files, directories, symlinks, paths, budgets. */
#include <stdio.h>

#include "support.h"

#include "vfs/vfs.h"

static uint64_t clock_ns;

static uint64_t ticking(void *context)
{
    (void)context;
    return clock_ns += 10;
}

static bool counting(void *context, void *out, size_t size)
{
    (void)context;
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)out)[i] = (uint8_t)i;
    return true;
}

static enum vfs_error no_wait(void *context, struct vfs_wait *waits, size_t count,
                              uint64_t until_ns)
{
    (void)context;
    (void)waits;
    (void)count;
    (void)until_ns;
    fail_msg("nothing in memory waits");
    return VFS_IO;
}

static const struct vfs_platform platform = {
    .realtime_ns = ticking, .monotonic_ns = ticking, .random = counting, .wait = no_wait};

static struct vfs *vfs;
static struct vfs_node *root;

#define TMP_SIZE (1u << 20)

static int set_up(void **state)
{
    struct err err;

    (void)state;
    assert_true(vfs_new(&platform, TMP_SIZE, &vfs, &err));
    assert_true(vfs_add_file(vfs, bytes_of("main.wasm"), bytes_of("module"), &err));
    assert_true(vfs_add_file(vfs, bytes_of("data/deep/text"), bytes_of("content"), &err));
    root = vfs_root(vfs);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    vfs_free(vfs);
    return 0;
}

static struct vfs_node *open_as(const char *path, unsigned how, unsigned flags)
{
    struct vfs_node *node = NULL;

    assert_int_equal(vfs_open(vfs, root, bytes_of(path), how, flags, &node), VFS_OK);
    return node;
}

static enum vfs_error open_error(const char *path, unsigned how, unsigned flags)
{
    struct vfs_node *node = NULL;
    enum vfs_error error = vfs_open(vfs, root, bytes_of(path), how, flags, &node);

    vfs_node_drop(node);
    return error;
}

static void write_file(const char *path, const char *text)
{
    struct vfs_node *node = open_as(path, VFS_CREATE, VFS_OPEN_WRITE | VFS_OPEN_TRUNCATE);
    size_t done;

    assert_int_equal(vfs_write(vfs, node, 0, bytes_of(text), false, &done), VFS_OK);
    assert_int_equal(done, strlen(text));
    vfs_node_drop(node);
}

static void assert_content(const char *path, const char *text)
{
    char got[256];
    struct vfs_node *node = open_as(path, VFS_FOLLOW, VFS_OPEN_READ);
    size_t done;

    assert_int_equal(vfs_read(vfs, node, 0, got, sizeof got, false, &done), VFS_OK);
    assert_int_equal(done, strlen(text));
    assert_memory_equal(got, text, done);
    vfs_node_drop(node);
}

static struct vfs_stat stat_of(const char *path)
{
    struct vfs_node *node;
    struct vfs_stat stat;

    assert_int_equal(vfs_resolve(vfs, root, bytes_of(path), false, &node), VFS_OK);
    vfs_stat(node, &stat);
    vfs_node_drop(node);
    return stat;
}

static void make_symlink(const char *target, const char *path)
{
    assert_int_equal(vfs_make_symlink(vfs, bytes_of(target), root, bytes_of(path)), VFS_OK);
}

static void make_directory(const char *path)
{
    assert_int_equal(vfs_make_directory(vfs, root, bytes_of(path)), VFS_OK);
}

static enum vfs_error rename_to(const char *from, const char *to)
{
    return vfs_rename(vfs, root, bytes_of(from), root, bytes_of(to));
}

static void the_package_is_read_only(void **state)
{
    (void)state;
    assert_content("main.wasm", "module");
    assert_content("data/deep/text", "content");
    assert_int_equal(open_error("main.wasm", 0, VFS_OPEN_WRITE), VFS_ROFS);
    assert_int_equal(open_error("main.wasm", 0, VFS_OPEN_TRUNCATE), VFS_ROFS);
    assert_int_equal(open_error("new", VFS_CREATE, VFS_OPEN_WRITE), VFS_ROFS);
    assert_int_equal(vfs_make_directory(vfs, root, bytes_of("data/new")), VFS_ROFS);
    assert_int_equal(vfs_remove(vfs, root, bytes_of("main.wasm"), false), VFS_ROFS);
    assert_int_equal(vfs_remove(vfs, root, bytes_of("tmp"), true), VFS_ROFS);
    assert_int_equal(rename_to("main.wasm", "data/main.wasm"), VFS_ROFS);
    assert_int_equal(rename_to("main.wasm", "tmp/main.wasm"), VFS_XDEV);
    assert_int_equal(
        vfs_link(vfs, root, bytes_of("main.wasm"), false, root, bytes_of("tmp/main.wasm")),
        VFS_XDEV);
    write_file("tmp/a", "a");
    assert_int_equal(rename_to("tmp/a", "dev/a"), VFS_XDEV);
}

static void bad_package_paths(void **state)
{
    static const char *const paths[] = {
        "",      "/x",       "x/",    "a//b",        ".",    "..",        "a/../b",
        "tmp/x", "dev/null", "net/x", "main.wasm/x", "data", "main.wasm", "\xff"};
    struct err err;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        assert_false(vfs_add_file(vfs, bytes_of(paths[i]), bytes_of(""), &err));
        assert_int_equal(err.code, ERR_INVALID);
    }
}

static void files_have_holes_and_ends(void **state)
{
    uint8_t got[16];
    size_t done;
    struct vfs_node *node = open_as("tmp/f", VFS_CREATE, VFS_OPEN_WRITE);

    (void)state;
    assert_int_equal(vfs_write(vfs, node, 10, bytes_of("end"), false, &done), VFS_OK);
    assert_int_equal(vfs_read(vfs, node, 0, got, sizeof got, false, &done), VFS_OK);
    assert_int_equal(done, 13);
    assert_memory_equal(got, "\0\0\0\0\0\0\0\0\0\0end", 13);
    assert_int_equal(vfs_read(vfs, node, 13, got, sizeof got, false, &done), VFS_OK);
    assert_int_equal(done, 0);
    assert_int_equal(vfs_read(vfs, node, UINT64_MAX, got, sizeof got, false, &done), VFS_OK);
    assert_int_equal(done, 0);
    /* what was cut off does not come back */
    assert_int_equal(vfs_resize(node, 11), VFS_OK);
    assert_int_equal(vfs_resize(node, 13), VFS_OK);
    assert_int_equal(vfs_read(vfs, node, 10, got, sizeof got, false, &done), VFS_OK);
    assert_memory_equal(got, "e\0\0", 3);
    assert_int_equal(vfs_resize(node, 0), VFS_OK);
    assert_int_equal(stat_of("tmp/f").size, 0);
    vfs_node_drop(node);
}

static void the_budget_holds(void **state)
{
    size_t done;
    char name[32];
    struct vfs_node *node = open_as("tmp/f", VFS_CREATE, VFS_OPEN_WRITE);

    (void)state;
    assert_int_equal(vfs_resize(node, UINT64_MAX), VFS_FBIG);
    assert_int_equal(vfs_resize(node, TMP_SIZE), VFS_NOSPC); /* the file itself takes some */
    assert_int_equal(vfs_write(vfs, node, UINT64_MAX, bytes_of("xy"), false, &done), VFS_FBIG);
    assert_int_equal(vfs_resize(node, TMP_SIZE / 2), VFS_OK);
    assert_int_equal(vfs_resize(node, 0), VFS_OK);
    /* names cost too, and removing gives everything back: twice as many as fit, again and again */
    for (int round = 0; round < 3; round++) {
        int made = 0;
        for (;; made++) {
            (void)snprintf(name, sizeof name, "tmp/%d", made);
            if (open_error(name, VFS_CREATE, VFS_OPEN_WRITE) != VFS_OK)
                break;
        }
        assert_in_range(made, 2000, 4000);
        while (made-- > 0) {
            (void)snprintf(name, sizeof name, "tmp/%d", made);
            assert_int_equal(vfs_remove(vfs, root, bytes_of(name), false), VFS_OK);
        }
    }
    assert_int_equal(vfs_resize(node, TMP_SIZE / 2), VFS_OK);
    vfs_node_drop(node);
}

static void removed_files_stay_open(void **state)
{
    char got[8];
    size_t done;
    struct vfs_stat stat;

    (void)state;
    write_file("tmp/f", "text");
    assert_int_equal(vfs_link(vfs, root, bytes_of("tmp/f"), false, root, bytes_of("tmp/g")),
                     VFS_OK);
    assert_int_equal(stat_of("tmp/g").links, 2);
    struct vfs_node *node = open_as("tmp/f", 0, VFS_OPEN_READ);
    assert_int_equal(vfs_remove(vfs, root, bytes_of("tmp/f"), false), VFS_OK);
    assert_int_equal(vfs_remove(vfs, root, bytes_of("tmp/g"), false), VFS_OK);
    vfs_stat(node, &stat);
    assert_int_equal(stat.links, 0);
    assert_int_equal(vfs_read(vfs, node, 0, got, sizeof got, false, &done), VFS_OK);
    assert_int_equal(done, 4);
    vfs_node_drop(node);
}

static void renaming(void **state)
{
    (void)state;
    make_directory("tmp/a");
    make_directory("tmp/a/b");
    make_directory("tmp/full");
    write_file("tmp/full/x", "x");
    write_file("tmp/f", "f");
    write_file("tmp/g", "g");
    assert_int_equal(rename_to("tmp/f", "tmp/g"), VFS_OK);
    assert_content("tmp/g", "f");
    assert_int_equal(open_error("tmp/f", 0, 0), VFS_NOENT);
    assert_int_equal(rename_to("tmp/f", "tmp/h"), VFS_NOENT);
    assert_int_equal(rename_to("tmp/a", "tmp/full"), VFS_NOTEMPTY);
    assert_int_equal(rename_to("tmp/a", "tmp/g"), VFS_NOTDIR);
    assert_int_equal(rename_to("tmp/g", "tmp/a"), VFS_ISDIR);
    assert_int_equal(rename_to("tmp/g", "tmp/h/"), VFS_NOTDIR);
    assert_int_equal(rename_to("tmp/a", "tmp/a/b/c"), VFS_INVAL);
    assert_int_equal(rename_to("tmp/a", "tmp/a"), VFS_OK);
    assert_int_equal(rename_to("tmp/full", "tmp/a/b"), VFS_OK);
    assert_content("tmp/a/b/x", "x");
    assert_int_equal(rename_to("tmp/a/b", "tmp/b"), VFS_OK);
    assert_int_equal(rename_to("tmp/a", "tmp/b/a"),
                     VFS_OK); /* a's parent is no longer its child's */
    assert_int_equal(rename_to("tmp/b", "tmp/b/a/b"), VFS_INVAL);
    assert_int_equal(rename_to("tmp", "tmp2"), VFS_ROFS);
    assert_int_equal(rename_to("tmp/.", "tmp/c"), VFS_INVAL);
}

/* The parent of a directory that is held may be freed before it: a move into it must not look. */
static void moving_into_a_removed_directory(void **state)
{
    (void)state;
    make_directory("tmp/a");
    make_directory("tmp/a/b");
    make_directory("tmp/d");
    struct vfs_node *held = open_as("tmp/a/b", 0, VFS_OPEN_READ);
    assert_int_equal(vfs_remove(vfs, root, bytes_of("tmp/a/b"), true), VFS_OK);
    assert_int_equal(vfs_remove(vfs, root, bytes_of("tmp/a"), true), VFS_OK);
    assert_int_equal(vfs_rename(vfs, root, bytes_of("tmp/d"), held, bytes_of("d")), VFS_NOENT);
    vfs_node_drop(held);
    assert_int_equal(rename_to("tmp/d", "tmp/d/d"), VFS_INVAL);
}

static void removing(void **state)
{
    (void)state;
    make_directory("tmp/d");
    write_file("tmp/d/f", "f");
    assert_int_equal(vfs_remove(vfs, root, bytes_of("tmp/d"), true), VFS_NOTEMPTY);
    assert_int_equal(vfs_remove(vfs, root, bytes_of("tmp/d"), false), VFS_ISDIR);
    assert_int_equal(vfs_remove(vfs, root, bytes_of("tmp/d/f"), true), VFS_NOTDIR);
    assert_int_equal(vfs_remove(vfs, root, bytes_of("tmp/d/f/"), false), VFS_NOTDIR);
    assert_int_equal(vfs_remove(vfs, root, bytes_of("tmp/d/f"), false), VFS_OK);
    assert_int_equal(vfs_remove(vfs, root, bytes_of("tmp/d/."), true), VFS_INVAL);
    struct vfs_node *open = open_as("tmp/d", VFS_ONLY_DIRECTORY, 0);
    assert_int_equal(vfs_remove(vfs, root, bytes_of("tmp/d/"), true), VFS_OK);
    assert_int_equal(vfs_remove(vfs, root, bytes_of("tmp/d"), true), VFS_NOENT);
    /* nothing can be made in what is gone */
    assert_int_equal(vfs_make_directory(vfs, open, bytes_of("x")), VFS_NOENT);
    vfs_node_drop(open);
}

static void symlinks(void **state)
{
    char path[32], target[32];

    (void)state;
    write_file("tmp/f", "text");
    make_directory("tmp/d");
    make_symlink("f", "tmp/to_f");
    make_symlink("../to_f", "tmp/d/up");
    make_symlink("/tmp/d", "tmp/absolute");
    make_symlink("nowhere", "tmp/dangling");
    make_symlink("../../..", "tmp/escape");
    assert_content("tmp/to_f", "text");
    assert_content("tmp/d/up", "text");
    assert_content("tmp/absolute/up", "text");
    assert_int_equal(open_error("tmp/to_f", 0, 0), VFS_LOOP); /* not to be followed */
    assert_int_equal(open_error("tmp/to_f/", VFS_FOLLOW, 0), VFS_NOTDIR);
    assert_int_equal(open_error("tmp/escape", VFS_FOLLOW, 0), VFS_PERM);
    assert_int_equal(open_error("tmp/dangling", VFS_FOLLOW, 0), VFS_NOENT);
    assert_int_equal(open_error("tmp/dangling", VFS_FOLLOW | VFS_CREATE | VFS_EXCLUSIVE, 0),
                     VFS_EXIST);
    assert_int_equal(open_error("tmp/dangling", VFS_FOLLOW | VFS_CREATE, VFS_OPEN_WRITE), VFS_OK);
    assert_content("tmp/nowhere", "");
    /* from a directory below the root, the root is outside */
    struct vfs_node *tmp = open_as("tmp", 0, 0), *node = NULL;
    assert_int_equal(vfs_open(vfs, tmp, bytes_of("absolute/up"), VFS_FOLLOW, 0, &node), VFS_PERM);
    assert_int_equal(vfs_open(vfs, tmp, bytes_of("../main.wasm"), VFS_FOLLOW, 0, &node), VFS_PERM);
    assert_int_equal(vfs_open(vfs, tmp, bytes_of("d/../../main.wasm"), 0, 0, &node), VFS_PERM);
    vfs_node_drop(tmp);
    /* a chain as long as is allowed, and one longer */
    for (int i = 0; i <= VFS_SYMLINKS_MAX; i++) {
        (void)snprintf(path, sizeof path, "tmp/l%d", i);
        (void)snprintf(target, sizeof target, i == 0 ? "f" : "l%d", i - 1);
        make_symlink(target, path);
    }
    assert_content("tmp/l39", "text");
    assert_int_equal(open_error("tmp/l40", VFS_FOLLOW, 0), VFS_LOOP);
    make_symlink("self", "tmp/self");
    assert_int_equal(open_error("tmp/self", VFS_FOLLOW, 0), VFS_LOOP);
    assert_int_equal(open_error("tmp/self/x", VFS_FOLLOW, 0), VFS_LOOP);
}

static void paths(void **state)
{
    static char long_path[VFS_PATH_MAX + 2], long_name[VFS_NAME_MAX + 6];
    struct vfs_node *node = NULL;

    (void)state;
    memset(long_path, '/', sizeof long_path - 1);
    memcpy(long_path, "tmp", 3);
    memcpy(long_name, "tmp/", 4);
    memset(long_name + 4, 'n', VFS_NAME_MAX + 1);
    write_file("tmp/f", "f");
    assert_int_equal(open_error("", 0, 0), VFS_NOENT);
    assert_int_equal(open_error("/tmp", 0, 0), VFS_PERM);
    assert_int_equal(open_error("..", 0, 0), VFS_PERM);
    assert_int_equal(open_error("tmp/..", 0, 0), VFS_OK);
    assert_int_equal(open_error("tmp/../..", 0, 0), VFS_PERM);
    assert_int_equal(open_error("./tmp//./f", 0, 0), VFS_OK);
    assert_int_equal(open_error("tmp/f/", 0, 0), VFS_NOTDIR);
    assert_int_equal(open_error("tmp/f/x", 0, 0), VFS_NOTDIR);
    assert_int_equal(open_error("tmp/f/..", 0, 0), VFS_NOTDIR);
    assert_int_equal(open_error("tmp/none/x", VFS_CREATE, 0), VFS_NOENT);
    assert_int_equal(open_error("tmp/new/", VFS_CREATE, 0), VFS_ISDIR);
    assert_int_equal(open_error("tmp", 0, VFS_OPEN_WRITE), VFS_ISDIR);
    assert_int_equal(open_error("tmp/\xff", 0, 0), VFS_ILSEQ);
    assert_int_equal(open_error(long_path, 0, 0), VFS_NAMETOOLONG);
    long_path[VFS_PATH_MAX] = '\0';
    assert_int_equal(open_error(long_path, 0, 0), VFS_OK);
    assert_int_equal(open_error(long_name, VFS_CREATE, VFS_OPEN_WRITE), VFS_NAMETOOLONG);
    long_name[VFS_NAME_MAX + 4] = '\0';
    assert_int_equal(open_error(long_name, VFS_CREATE, VFS_OPEN_WRITE), VFS_OK);
    assert_int_equal(vfs_open(vfs, root, bytes_from("tmp\0/f", 6), 0, 0, &node), VFS_INVAL);
}

/* Directories in each other as deep as anybody likes: made, and gone without the stack's help. */
static void deep_directories(void **state)
{
    struct vfs_node *at = open_as("tmp", 0, 0);
    unsigned depth = 0;

    (void)state;
    while (vfs_make_directory(vfs, at, bytes_of("d")) == VFS_OK) {
        struct vfs_node *below;
        assert_int_equal(vfs_resolve(vfs, at, bytes_of("d"), false, &below), VFS_OK);
        vfs_node_drop(at);
        at = below;
        depth++;
    }
    assert_true(depth > 3000);
    vfs_node_drop(at);
}

static void listing_is_stable(void **state)
{
    char name[32];
    struct vfs_entry entry;
    uint64_t cookie = 0;
    unsigned seen = 0;

    (void)state;
    for (int i = 0; i < 100; i++) {
        (void)snprintf(name, sizeof name, "tmp/%d", i);
        write_file(name, "");
    }
    struct vfs_node *tmp = open_as("tmp", 0, 0);
    while (vfs_list(tmp, cookie, &entry) == VFS_OK) {
        if (seen < 2)
            assert_true(bytes_is(entry.name, seen == 0 ? "." : ".."));
        cookie = entry.cookie;
        /* each is seen once, though it goes, and others come and go */
        if (seen >= 2 && seen < 102) {
            (void)snprintf(name, sizeof name, "%u", seen - 2);
            assert_true(bytes_is(entry.name, name));
            (void)snprintf(name, sizeof name, "tmp/%u", seen - 2);
            assert_int_equal(vfs_remove(vfs, root, bytes_of(name), false), VFS_OK);
            write_file("tmp/later", "");
        }
        seen++;
    }
    assert_int_equal(seen, 103);
    vfs_node_drop(tmp);
}

static void times(void **state)
{
    const uint64_t accessed = 5, modified = 7;

    (void)state;
    write_file("tmp/f", "f");
    struct vfs_stat made = stat_of("tmp/f");
    struct vfs_node *node = open_as("tmp/f", 0, VFS_OPEN_WRITE);
    assert_int_equal(vfs_set_times(node, (struct vfs_times){.modified_ns = &modified}), VFS_OK);
    assert_int_equal(stat_of("tmp/f").modified_ns, 7);
    assert_int_equal(stat_of("tmp/f").accessed_ns, made.accessed_ns);
    assert_int_equal(vfs_set_times(node, (struct vfs_times){.accessed_ns = &accessed}), VFS_OK);
    assert_int_equal(stat_of("tmp/f").accessed_ns, 5);
    assert_true(stat_of("tmp/f").changed_ns > made.changed_ns);
    size_t done;
    assert_int_equal(vfs_write(vfs, node, 0, bytes_of("g"), false, &done), VFS_OK);
    assert_true(stat_of("tmp/f").modified_ns > made.modified_ns);
    uint64_t directory = stat_of("tmp").modified_ns;
    write_file("tmp/g", "");
    assert_true(stat_of("tmp").modified_ns > directory);
    vfs_node_drop(node);
    node = open_as("main.wasm", 0, 0);
    assert_int_equal(vfs_set_times(node, (struct vfs_times){.modified_ns = &modified}), VFS_ROFS);
    vfs_node_drop(node);
}

static void devices(void **state)
{
    uint8_t got[4] = {9, 9, 9, 9};
    size_t done;

    (void)state;
    struct vfs_node *null = open_as("dev/null", 0, VFS_OPEN_WRITE);
    assert_int_equal(vfs_read(vfs, null, 0, got, 4, false, &done), VFS_OK);
    assert_int_equal(done, 0);
    assert_int_equal(vfs_write(vfs, null, 0, bytes_of("away"), false, &done), VFS_OK);
    assert_int_equal(done, 4);
    vfs_node_drop(null);
    struct vfs_node *zero = open_as("dev/zero", 0, 0);
    assert_int_equal(vfs_read(vfs, zero, 0, got, 4, false, &done), VFS_OK);
    assert_memory_equal(got, "\0\0\0\0", 4);
    vfs_node_drop(zero);
    struct vfs_node *random = open_as("dev/urandom", 0, 0);
    assert_int_equal(vfs_read(vfs, random, 0, got, 4, false, &done), VFS_OK);
    assert_memory_equal(got, "\0\1\2\3", 4);
    vfs_node_drop(random);
    assert_int_equal(stat_of("dev/random").type, VFS_CHARACTER_DEVICE);
    assert_int_equal(open_error("dev/tty", 0, 0), VFS_NOENT);
    assert_int_equal(vfs_remove(vfs, root, bytes_of("dev/null"), false), VFS_ROFS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_package_is_read_only),
        TEST(bad_package_paths),
        TEST(files_have_holes_and_ends),
        TEST(the_budget_holds),
        TEST(removed_files_stay_open),
        TEST(renaming),
        TEST(moving_into_a_removed_directory),
        TEST(removing),
        TEST(symlinks),
        TEST(paths),
        TEST(deep_directories),
        TEST(listing_is_stable),
        TEST(times),
        TEST(devices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
