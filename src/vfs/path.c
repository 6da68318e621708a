/* Paths: from a directory and a text to a file. The text is the workload's, and hostile.
 *
 * A walk keeps the directories that it came through, so ".." is a step back and cannot pass the
 * start. A symlink's target is put in front of what is left of the path. */
#include <string.h>

#include "vfs/internal.h"

/* Directories that a walk is in at once: as many as a path has names. */
#define DEPTH_MAX ((VFS_PATH_MAX + 1) / 2)

enum last_kind {
    LAST_NAME, /* a name, in the directory that the walk ended in */
    LAST_DOT   /* ".", "..", or a path that came back: the directory that the walk ended in */
};

struct walk {
    struct vfs *vfs;
    struct vfs_node *stack[DEPTH_MAX]; /* the start, then each directory entered; all held */
    size_t depth;                      /* how many of them; 0: not begun */
    uint8_t path[VFS_PATH_MAX + 1];    /* what is left of it, from `at` to `end` */
    size_t at, end;
    unsigned symlinks;
    /* the end of the walk */
    enum last_kind last;
    uint8_t name[VFS_NAME_MAX];
    size_t name_size;
    bool must_be_directory; /* the path ended with a slash */
    struct vfs_node *node;  /* what is there, held; NULL: nothing */
};

static struct vfs_node *top(const struct walk *w)
{
    return w->stack[w->depth - 1];
}

static struct bytes last_name(const struct walk *w)
{
    return bytes_from(w->name, w->name_size);
}

static void walk_done(struct walk *w)
{
    while (w->depth > 0)
        vfs_node_drop(w->stack[--w->depth]);
    vfs_node_drop(w->node);
}

static enum vfs_error check_text(struct bytes path)
{
    if (path.size == 0)
        return VFS_NOENT;
    if (path.size > VFS_PATH_MAX)
        return VFS_NAMETOOLONG;
    if (memchr(path.data, 0, path.size) != NULL)
        return VFS_INVAL;
    if (!utf8_is_valid(path))
        return VFS_ILSEQ;
    return path.data[0] == '/' ? VFS_PERM : VFS_OK;
}

static void skip_slashes(struct walk *w)
{
    while (w->at < w->end && w->path[w->at] == '/')
        w->at++;
}

/* The next name of the path; *is_last when nothing but slashes follows it. */
static struct bytes next_name(struct walk *w, bool *is_last)
{
    const uint8_t *start = w->path + w->at;
    const uint8_t *slash = memchr(start, '/', w->end - w->at);
    struct bytes name = bytes_from(start, slash != NULL ? (size_t)(slash - start) : w->end - w->at);

    w->at += name.size;
    w->must_be_directory = slash != NULL;
    skip_slashes(w);
    *is_last = w->at == w->end;
    return name;
}

/* Puts a symlink's target before what is left. */
static enum vfs_error expand(struct walk *w, struct vfs_node *symlink, bool is_last)
{
    struct bytes target = symlink->ops->target(symlink);
    size_t left = w->end - w->at;
    /* a slash behind the name is one behind the target */
    size_t slash = !is_last || w->must_be_directory ? 1 : 0;

    if (++w->symlinks > VFS_SYMLINKS_MAX)
        return VFS_LOOP;
    if (target.size + slash + left > VFS_PATH_MAX)
        return VFS_NAMETOOLONG;
    memmove(w->path + target.size + slash, w->path + w->at, left);
    memcpy(w->path, target.data, target.size);
    if (slash != 0)
        w->path[target.size] = '/';
    w->at = 0;
    w->end = target.size + slash + left;
    if (target.data[0] == '/') {
        if (w->stack[0] != w->vfs->root)
            return VFS_PERM;
        while (w->depth > 1)
            vfs_node_drop(w->stack[--w->depth]);
        skip_slashes(w);
    }
    return VFS_OK;
}

/* Goes into a directory; takes the reference over, whatever happens. */
static enum vfs_error enter(struct walk *w, struct vfs_node *node)
{
    if (node->ops->lookup != NULL && w->depth < DEPTH_MAX) {
        w->stack[w->depth++] = node;
        return VFS_OK;
    }
    enum vfs_error error = node->ops->lookup == NULL ? VFS_NOTDIR : VFS_NAMETOOLONG;
    vfs_node_drop(node);
    return error;
}

static enum vfs_error go_up(struct walk *w)
{
    if (w->depth == 1)
        return VFS_PERM;
    vfs_node_drop(w->stack[--w->depth]);
    return VFS_OK;
}

/* The walk ends at a name: node is what is there, or NULL. */
static enum vfs_error arrive(struct walk *w, struct bytes name, struct vfs_node *node)
{
    w->last = LAST_NAME;
    memcpy(w->name, name.data, name.size);
    w->name_size = name.size;
    w->node = node;
    if (node != NULL && w->must_be_directory && node->ops->type != VFS_DIRECTORY)
        return VFS_NOTDIR;
    return VFS_OK;
}

/* One name further. *is_done: the walk has ended. */
static enum vfs_error step(struct walk *w, bool follow, bool *is_done)
{
    struct vfs_node *node = NULL;
    bool is_last;

    if (w->at == w->end) { /* a symlink to the root */
        w->last = LAST_DOT;
        *is_done = true;
        return VFS_OK;
    }
    struct bytes name = next_name(w, &is_last);
    if (bytes_is(name, ".") || bytes_is(name, "..")) {
        enum vfs_error error = name.size == 2 ? go_up(w) : VFS_OK;
        w->last = LAST_DOT;
        *is_done = is_last;
        return error;
    }
    if (name.size > VFS_NAME_MAX)
        return VFS_NAMETOOLONG;
    enum vfs_error error = top(w)->ops->lookup(top(w), name, &node);
    *is_done = is_last && (error == VFS_OK || error == VFS_NOENT);
    if (error != VFS_OK)
        return *is_done ? arrive(w, name, NULL) : error;
    if (node->ops->type == VFS_SYMLINK && (!is_last || follow || w->must_be_directory)) {
        *is_done = false;
        error = expand(w, node, is_last);
        vfs_node_drop(node);
        return error;
    }
    return is_last ? arrive(w, name, node) : enter(w, node);
}

/* Walks to the end of the path: what must be there but the last is. walk_done afterwards, always.
 */
static enum vfs_error walk(struct walk *w, struct vfs *vfs, struct vfs_node *start,
                           struct bytes path, bool follow)
{
    enum vfs_error error;
    bool is_done = false;

    w->vfs = vfs;
    w->depth = 0;
    w->node = NULL;
    w->symlinks = 0;
    w->at = 0;
    w->end = path.size;
    w->must_be_directory = false;
    error = check_text(path);
    if (error != VFS_OK)
        return error;
    memcpy(w->path, path.data, path.size);
    error = enter(w, vfs_node_hold(start));
    while (error == VFS_OK && !is_done)
        error = step(w, follow, &is_done);
    if (error == VFS_OK && w->last == LAST_DOT)
        w->node = vfs_node_hold(top(w));
    return error;
}

enum vfs_error vfs_resolve(struct vfs *vfs, struct vfs_node *start, struct bytes path, bool follow,
                           struct vfs_node **out)
{
    struct walk w;
    enum vfs_error error = walk(&w, vfs, start, path, follow);

    if (error == VFS_OK && w.node == NULL)
        error = VFS_NOENT;
    if (error == VFS_OK)
        *out = vfs_node_hold(w.node);
    walk_done(&w);
    return error;
}

/* The file that an open means, made when there is none and that was asked for. */
static enum vfs_error open_target(struct walk *w, unsigned how, struct vfs_node **out)
{
    if (w->node != NULL) {
        if ((how & VFS_CREATE) != 0 && (how & VFS_EXCLUSIVE) != 0)
            return VFS_EXIST;
        if (w->node->ops->type == VFS_SYMLINK)
            return VFS_LOOP;
        if ((how & VFS_ONLY_DIRECTORY) != 0 && w->node->ops->type != VFS_DIRECTORY)
            return VFS_NOTDIR;
        *out = vfs_node_hold(w->node);
        return VFS_OK;
    }
    if ((how & VFS_CREATE) == 0)
        return VFS_NOENT;
    if (w->must_be_directory)
        return VFS_ISDIR;
    if (top(w)->ops->make == NULL)
        return VFS_ROFS;
    return top(w)->ops->make(top(w), last_name(w), VFS_REGULAR_FILE, bytes_of(""), out);
}

enum vfs_error vfs_open(struct vfs *vfs, struct vfs_node *start, struct bytes path, unsigned how,
                        unsigned flags, struct vfs_node **out)
{
    struct walk w;
    struct vfs_node *node = NULL;
    bool is_exclusive = (how & VFS_CREATE) != 0 && (how & VFS_EXCLUSIVE) != 0;

    if ((how & VFS_CREATE) != 0 && (how & VFS_ONLY_DIRECTORY) != 0)
        return VFS_INVAL;
    enum vfs_error error = walk(&w, vfs, start, path, (how & VFS_FOLLOW) != 0 && !is_exclusive);
    if (error == VFS_OK)
        error = open_target(&w, how, &node);
    walk_done(&w);
    if (error == VFS_OK && node->ops->type == VFS_DIRECTORY &&
        (flags & (VFS_OPEN_WRITE | VFS_OPEN_TRUNCATE)) != 0)
        error = VFS_ISDIR;
    if (error == VFS_OK && (flags & VFS_OPEN_TRUNCATE) != 0 && node->ops->resize != NULL)
        error = node->ops->resize(node, 0);
    if (error == VFS_OK && node->ops->open != NULL) {
        error = node->ops->open(node, flags, out);
        vfs_node_drop(node);
    } else if (error == VFS_OK) {
        *out = node;
    } else {
        vfs_node_drop(node);
    }
    return error;
}

/* Walks to where something new is to be: a name that is not taken. */
static enum vfs_error walk_to_new(struct walk *w, struct vfs *vfs, struct vfs_node *start,
                                  struct bytes path, bool is_directory)
{
    enum vfs_error error = walk(w, vfs, start, path, false);

    if (error != VFS_OK)
        return error == VFS_NOTDIR && w->node != NULL ? VFS_EXIST : error;
    if (w->node != NULL)
        return VFS_EXIST;
    return w->must_be_directory && !is_directory ? VFS_NOENT : VFS_OK;
}

static enum vfs_error make(struct vfs *vfs, struct vfs_node *start, struct bytes path,
                           enum vfs_type type, struct bytes target)
{
    struct walk w;
    struct vfs_node *made;
    enum vfs_error error = walk_to_new(&w, vfs, start, path, type == VFS_DIRECTORY);

    if (error == VFS_OK && top(&w)->ops->make == NULL)
        error = VFS_ROFS;
    if (error == VFS_OK)
        error = top(&w)->ops->make(top(&w), last_name(&w), type, target, &made);
    if (error == VFS_OK)
        vfs_node_drop(made);
    walk_done(&w);
    return error;
}

enum vfs_error vfs_make_directory(struct vfs *vfs, struct vfs_node *start, struct bytes path)
{
    return make(vfs, start, path, VFS_DIRECTORY, bytes_of(""));
}

enum vfs_error vfs_make_symlink(struct vfs *vfs, struct bytes target, struct vfs_node *start,
                                struct bytes path)
{
    enum vfs_error error = check_text(target);

    if (error != VFS_OK && error != VFS_PERM) /* absolute ones are judged when they are followed */
        return error;
    return make(vfs, start, path, VFS_SYMLINK, target);
}

enum vfs_error vfs_link(struct vfs *vfs, struct vfs_node *from_start, struct bytes from,
                        bool follow, struct vfs_node *start, struct bytes path)
{
    struct walk w;
    struct vfs_node *node = NULL;
    enum vfs_error error = vfs_resolve(vfs, from_start, from, follow, &node);

    if (error != VFS_OK)
        return error;
    error = walk_to_new(&w, vfs, start, path, false);
    if (error == VFS_OK)
        error = top(&w)->ops->link != NULL ? top(&w)->ops->link(top(&w), last_name(&w), node)
                                           : VFS_XDEV;
    walk_done(&w);
    vfs_node_drop(node);
    return error;
}

enum vfs_error vfs_remove(struct vfs *vfs, struct vfs_node *start, struct bytes path,
                          bool is_directory)
{
    struct walk w;
    enum vfs_error error = walk(&w, vfs, start, path, false);

    if (error == VFS_OK && w.node == NULL)
        error = VFS_NOENT;
    else if (error == VFS_OK && w.last == LAST_DOT)
        error = is_directory ? VFS_INVAL : VFS_ISDIR;
    else if (error == VFS_OK && top(&w)->ops->remove == NULL)
        error = VFS_ROFS;
    if (error == VFS_OK)
        error = top(&w)->ops->remove(top(&w), last_name(&w), is_directory);
    walk_done(&w);
    return error;
}

enum vfs_error vfs_rename(struct vfs *vfs, struct vfs_node *from_start, struct bytes from,
                          struct vfs_node *to_start, struct bytes to)
{
    struct walk a, b;
    enum vfs_error error = walk(&a, vfs, from_start, from, false);

    if (error == VFS_OK && a.node == NULL)
        error = VFS_NOENT;
    if (error == VFS_OK && a.last == LAST_DOT)
        error = VFS_INVAL;
    if (error != VFS_OK) {
        walk_done(&a);
        return error;
    }
    error = walk(&b, vfs, to_start, to, false);
    if (error == VFS_OK && b.last == LAST_DOT)
        error = VFS_INVAL;
    if (error == VFS_OK && b.must_be_directory && a.node->ops->type != VFS_DIRECTORY)
        error = VFS_NOTDIR;
    if (error == VFS_OK)
        error = top(&a)->ops->rename != NULL
                    ? top(&a)->ops->rename(top(&a), last_name(&a), top(&b), last_name(&b))
                    : VFS_XDEV;
    walk_done(&b);
    walk_done(&a);
    return error;
}
