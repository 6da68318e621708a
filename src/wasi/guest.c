/* Guest memory: every address and size of the workload is checked here and nowhere else. */
#include <string.h>

#include "wasi/internal.h"

uint8_t *guest_at(const struct call *c, uint32_t address, uint64_t size)
{
    return wasm_memory_at(c->memory, address, size);
}

enum vfs_error guest_bytes(const struct call *c, uint32_t address, uint32_t size, struct bytes *out)
{
    const uint8_t *at = guest_at(c, address, size);

    if (at == NULL)
        return VFS_FAULT;
    *out = bytes_from(at, size);
    return VFS_OK;
}

/* WebAssembly's memory is little-endian, and so is every machine that we build for. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are copied as they are");

void store_u16(uint8_t *at, uint16_t value)
{
    memcpy(at, &value, sizeof value);
}

void store_u32(uint8_t *at, uint32_t value)
{
    memcpy(at, &value, sizeof value);
}

void store_u64(uint8_t *at, uint64_t value)
{
    memcpy(at, &value, sizeof value);
}

uint16_t load_u16(const uint8_t *at)
{
    uint16_t value;

    memcpy(&value, at, sizeof value);
    return value;
}

uint32_t load_u32(const uint8_t *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof value);
    return value;
}

uint64_t load_u64(const uint8_t *at)
{
    uint64_t value;

    memcpy(&value, at, sizeof value);
    return value;
}

enum vfs_error iovecs_parse(const struct call *c, uint32_t address, uint32_t count,
                            struct iovecs *out)
{
    struct iovecs v = {.call = c, .count = count};

    if (count > IOVECS_MAX)
        return VFS_INVAL;
    v.list = guest_at(c, address, (uint64_t)count * 8);
    if (v.list == NULL)
        return VFS_FAULT;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t size = load_u32(v.list + (size_t)i * 8 + 4);
        if (guest_at(c, load_u32(v.list + (size_t)i * 8), size) == NULL)
            return VFS_FAULT;
        v.size += size;
    }
    if (v.size > UINT32_MAX)
        return VFS_INVAL;
    *out = v;
    return VFS_OK;
}

/* The list lies in the memory that a read fills, perhaps over itself: so each pair is checked again
 * when it is used. */
uint8_t *iovecs_at(const struct iovecs *v, uint32_t index, uint32_t *size)
{
    const uint8_t *pair = v->list + (size_t)index * 8;
    uint32_t wanted = load_u32(pair + 4);
    uint8_t *at = guest_at(v->call, load_u32(pair), wanted);

    *size = at == NULL ? 0 : wanted;
    return *size == 0 ? NULL : at;
}
