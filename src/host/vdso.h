/* The library that the kernel maps into every process (vdso(7)): where a function of it lies. */
#pragma once

#include "base/base.h"

/* Larger ones are not read. Linux's has two to four pages. */
#define VDSO_SIZE_MAX 65536u
/* It is mapped by the page, so that so much of it is there. */
#define VDSO_PAGE_SIZE 4096u

/* The whole image, by the headers in its first page; false where these make no sense. */
MUST_CHECK bool vdso_size(struct bytes first_page, size_t *out);
/* The offset in the image of the function that it exports by this name; false: it has none. */
MUST_CHECK bool vdso_find(struct bytes image, const char *name, size_t *out);

/* This process's; of size 0 where there is none that can be read. */
struct bytes vdso_of_process(void);
