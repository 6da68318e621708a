/* The exec layer's file (System V ABI, x86-64; static-PIE): its segments at a random base, and a
 * stack as Linux gives one. The file is measured; its form is checked all the same. */
#include <elf.h>

#include "shim/kvm/user.h"

#define STACK_SIZE (4ull * FRAME_SIZE)
#define HEADERS_MAX 16

static const Elf64_Ehdr *header(void)
{
    return (const Elf64_Ehdr *)IMAGE_VA;
}

static uint64_t page_down(uint64_t value)
{
    return value & ~(uint64_t)(PAGE_SIZE - 1);
}

static uint64_t page_up(uint64_t value)
{
    return page_down(value + PAGE_SIZE - 1);
}

/* Whether a page of the file would be both written and run. */
static bool is_shared_code(const Elf64_Phdr *code, const Elf64_Phdr *data)
{
    return code->p_type == PT_LOAD && data->p_type == PT_LOAD && (code->p_flags & PF_X) != 0 &&
           (data->p_flags & PF_W) != 0 &&
           page_down(code->p_offset) < page_up(data->p_offset + data->p_filesz) &&
           page_down(data->p_offset) < page_up(code->p_offset + code->p_filesz);
}

static const Elf64_Phdr *check(uint64_t image_size, uint64_t *span)
{
    const Elf64_Ehdr *e = header();
    const Elf64_Phdr *p = (const Elf64_Phdr *)(IMAGE_VA + sizeof *e);

    if (image_size > IMAGE_SIZE_MAX || image_size < sizeof *e + HEADERS_MAX * sizeof *p ||
        *(const uint32_t *)(const void *)e->e_ident != 0x464c457f || e->e_type != ET_DYN ||
        e->e_machine != EM_X86_64 || e->e_phoff != sizeof *e || e->e_phentsize != sizeof *p ||
        e->e_phnum > HEADERS_MAX)
        proxy_panic("the exec layer is no static-PIE", image_size);
    *span = 0;
    for (unsigned i = 0; i < e->e_phnum; i++) {
        if (p[i].p_type != PT_LOAD)
            continue;
        if (p[i].p_filesz > image_size || p[i].p_offset > image_size - p[i].p_filesz ||
            p[i].p_memsz < p[i].p_filesz || p[i].p_memsz > IMAGE_SIZE_MAX ||
            p[i].p_vaddr > IMAGE_SIZE_MAX ||
            ((p[i].p_vaddr - p[i].p_offset) & (PAGE_SIZE - 1)) != 0 ||
            page_down(p[i].p_vaddr) < *span || (p[i].p_flags & (PF_W | PF_X)) == (PF_W | PF_X))
            proxy_panic("a segment of the exec layer cannot be mapped", i);
        *span = page_up(p[i].p_vaddr + p[i].p_memsz);
        for (unsigned k = 0; k < e->e_phnum; k++) {
            if (is_shared_code(&p[i], &p[k]) || is_shared_code(&p[k], &p[i]))
                proxy_panic("a segment of the exec layer cannot be mapped", i);
        }
    }
    return p;
}

static void must(int64_t result, const char *why)
{
    if (result != 0)
        proxy_panic(why, (uint64_t)result);
}

/* The part of a segment that the file has, and behind it memory of its own. */
static void map_segment(const Elf64_Phdr *p, uint64_t base)
{
    uint64_t from = page_down(p->p_vaddr), file_end = p->p_vaddr + p->p_filesz;
    uint64_t prot =
        ((p->p_flags & PF_W) != 0 ? PROT_BITS : 1) | ((p->p_flags & PF_X) != 0 ? PROT_CODE : 0);
    uint64_t size = page_up(file_end) - from, end = page_up(p->p_vaddr + p->p_memsz);

    must(kernel_request(KERNEL_MAP, base + from, IMAGE_PA + page_down(p->p_offset), size, prot),
         "no room for the exec layer");
    if ((p->p_flags & PF_W) == 0)
        return;
    for (uint64_t at = base + file_end; at < base + page_up(file_end); at++)
        *(volatile uint8_t *)at = 0;
    if (end <= from + size)
        return;
    uint64_t more = end - from - size, frames = memory_frames(more);
    if (frames == 0)
        proxy_panic("no memory for the exec layer", more);
    must(kernel_request(KERNEL_MAP, base + from + size, frames, more, prot),
         "no room for the exec layer");
    memory_clean(base + from + size, more);
}

static uint64_t build_stack(uint64_t base)
{
    uint64_t top = memory_stack(STACK_SIZE);

    if (top == 0)
        proxy_panic("no memory for the stack", 0);
    return stack_build(top, base, header());
}

void elf_start(uint64_t image_size, uint64_t *entry, uint64_t *stack)
{
    uint64_t span;
    const Elf64_Phdr *p = check(image_size, &span);
    uint64_t base = memory_place(span);

    if (base == 0)
        proxy_panic("no room for the exec layer", span);
    for (unsigned i = 0; i < header()->e_phnum; i++) {
        if (p[i].p_type == PT_LOAD)
            map_segment(&p[i], base);
    }
    *entry = base + header()->e_entry;
    *stack = build_stack(base);
}
