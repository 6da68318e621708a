/* What the files of the room share. */
#pragma once

#include "wasi/wasi.h"

/* ---- numbers of the specification (witx) ---- */

#define RIGHT(bit) (UINT64_C(1) << (bit))
#define RIGHT_FD_DATASYNC RIGHT(0)
#define RIGHT_FD_READ RIGHT(1)
#define RIGHT_FD_SEEK RIGHT(2)
#define RIGHT_FD_FDSTAT_SET_FLAGS RIGHT(3)
#define RIGHT_FD_SYNC RIGHT(4)
#define RIGHT_FD_TELL RIGHT(5)
#define RIGHT_FD_WRITE RIGHT(6)
#define RIGHT_FD_ADVISE RIGHT(7)
#define RIGHT_FD_ALLOCATE RIGHT(8)
#define RIGHT_PATH_CREATE_DIRECTORY RIGHT(9)
#define RIGHT_PATH_CREATE_FILE RIGHT(10)
#define RIGHT_PATH_LINK_SOURCE RIGHT(11)
#define RIGHT_PATH_LINK_TARGET RIGHT(12)
#define RIGHT_PATH_OPEN RIGHT(13)
#define RIGHT_FD_READDIR RIGHT(14)
#define RIGHT_PATH_READLINK RIGHT(15)
#define RIGHT_PATH_RENAME_SOURCE RIGHT(16)
#define RIGHT_PATH_RENAME_TARGET RIGHT(17)
#define RIGHT_PATH_FILESTAT_GET RIGHT(18)
#define RIGHT_PATH_FILESTAT_SET_SIZE RIGHT(19)
#define RIGHT_PATH_FILESTAT_SET_TIMES RIGHT(20)
#define RIGHT_FD_FILESTAT_GET RIGHT(21)
#define RIGHT_FD_FILESTAT_SET_SIZE RIGHT(22)
#define RIGHT_FD_FILESTAT_SET_TIMES RIGHT(23)
#define RIGHT_PATH_SYMLINK RIGHT(24)
#define RIGHT_PATH_REMOVE_DIRECTORY RIGHT(25)
#define RIGHT_PATH_UNLINK_FILE RIGHT(26)
#define RIGHT_POLL_FD_READWRITE RIGHT(27)
#define RIGHT_SOCK_SHUTDOWN RIGHT(28)
#define RIGHT_SOCK_ACCEPT RIGHT(29)
#define RIGHTS_ALL (RIGHT(30) - 1)

#define FDFLAG_APPEND 1u
#define FDFLAG_NONBLOCK 4u
#define FDFLAGS_ALL 31u

#define LOOKUP_SYMLINK_FOLLOW 1u

#define FSTFLAG_ATIM 1u
#define FSTFLAG_ATIM_NOW 2u
#define FSTFLAG_MTIM 4u
#define FSTFLAG_MTIM_NOW 8u

#define CLOCK_REALTIME_ID 0u
#define CLOCK_MONOTONIC_ID 1u

/* ---- descriptors ---- */

struct descriptor {
    struct vfs_node *node; /* NULL: not open */
    uint64_t offset;
    uint64_t rights, inheriting;
    uint16_t flags;
    const char *preopen_name; /* NULL: was opened by the workload */
};

struct wasi {
    struct wasi_config config;
    struct descriptor *descriptors;
    size_t descriptor_count, open_count;
    uint32_t lowest_free; /* no descriptor below it is free */
    /* The memory of the instance that called last. */
    struct wasm_instance *instance;
    struct wasm_memory *memory;
    uint8_t *bounce;         /* BOUNCE_SIZE, for what iovecs have in pieces */
    struct poll_item *items; /* of poll_oneoff, kept for the next */
    struct vfs_wait *waits;
    size_t item_capacity;
    struct wasi_function_context *contexts;
};

#define BOUNCE_SIZE 65536u

/* A call of a function. */
struct call {
    struct wasi *wasi;
    struct wasm_memory *memory;
    const union wasm_value *args;
    struct wasm_trap *trap;
    bool has_ended; /* the workload ends; trap is filled */
};

static inline uint32_t arg32(const struct call *c, unsigned index)
{
    return c->args[index].i32;
}

static inline uint64_t arg64(const struct call *c, unsigned index)
{
    return c->args[index].i64;
}

/* The open descriptor of a number that has all the rights. */
enum vfs_error descriptor_get(struct wasi *wasi, uint32_t fd, uint64_t rights,
                              struct descriptor **out);
/* As descriptor_get, and VFS_NOTDIR when it is no directory. */
enum vfs_error descriptor_directory(struct wasi *wasi, uint32_t fd, uint64_t rights,
                                    struct descriptor **out);
/* The lowest free number for d, whose reference becomes the table's. */
enum vfs_error descriptor_add(struct wasi *wasi, struct descriptor d, uint32_t *fd);
void descriptor_close(struct wasi *wasi, uint32_t fd);

static inline bool descriptor_is_nonblocking(const struct descriptor *d)
{
    return (d->flags & FDFLAG_NONBLOCK) != 0;
}

/* What a socket may do that the workload got by accepting or opening. */
#define RIGHTS_CONNECTION                                                                 \
    (RIGHT_FD_READ | RIGHT_FD_WRITE | RIGHT_FD_FDSTAT_SET_FLAGS | RIGHT_FD_FILESTAT_GET | \
     RIGHT_POLL_FD_READWRITE | RIGHT_SOCK_SHUTDOWN)
#define RIGHTS_LISTENER                                                                            \
    (RIGHT_FD_READ | RIGHT_FD_FDSTAT_SET_FLAGS | RIGHT_FD_FILESTAT_GET | RIGHT_POLL_FD_READWRITE | \
     RIGHT_SOCK_ACCEPT | RIGHT_SOCK_SHUTDOWN)

/* ---- guest memory: the only way to it ---- */

/* The bytes of the guest, or NULL when they are not all inside its memory. */
uint8_t *guest_at(const struct call *c, uint32_t address, uint64_t size);

/* Bytes as a slice. */
enum vfs_error guest_bytes(const struct call *c, uint32_t address, uint32_t size,
                           struct bytes *out);

void store_u16(uint8_t *at, uint16_t value);
void store_u32(uint8_t *at, uint32_t value);
void store_u64(uint8_t *at, uint64_t value);
uint16_t load_u16(const uint8_t *at);
uint32_t load_u32(const uint8_t *at);
uint64_t load_u64(const uint8_t *at);

#define IOVECS_MAX 1024u

/* A checked list of buffers: all are inside the memory, and have less than 4 GiB together. */
struct iovecs {
    const struct call *call;
    const uint8_t *list; /* in guest memory, `count` pairs of address and size */
    uint32_t count;
    uint64_t size; /* of all together */
};

enum vfs_error iovecs_parse(const struct call *c, uint32_t address, uint32_t count,
                            struct iovecs *out);
/* A buffer of the list; size 0 gives NULL. */
uint8_t *iovecs_at(const struct iovecs *v, uint32_t index, uint32_t *size);

/* ---- shared by families ---- */

/* Nanoseconds for time flags; *out points to them or is NULL. VFS_INVAL for both forms at once. */
enum vfs_error times_parse(const struct call *c, uint64_t accessed_ns, uint64_t modified_ns,
                           uint32_t flags, uint64_t storage[2], struct vfs_times *out);
void filestat_store(uint8_t *at, const struct vfs_stat *stat);
#define FILESTAT_SIZE 64u

/* Reads into all buffers from the descriptor: until one is not filled. */
enum vfs_error read_iovecs(const struct call *c, struct descriptor *d, uint64_t offset,
                           const struct iovecs *v, bool wait_for_all, size_t *done);
enum vfs_error write_iovecs(const struct call *c, struct descriptor *d, uint64_t offset,
                            const struct iovecs *v, size_t *done);

#define WASI(name, params) enum vfs_error wasi_##name(struct call *c);
#include "wasi/wasi.def"
#undef WASI
