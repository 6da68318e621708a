/* Text that is put together and written, without printf, which alone is larger than a small
 * workload. */
#ifndef WORKLOADS_TEXT_H
#define WORKLOADS_TEXT_H

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

/* The longest line of the chat with the longest name before it fits. */
#define TEXT_SIZE_MAX 6144

struct text {
    size_t size;
    char data[TEXT_SIZE_MAX];
};

/* What does not fit is left out. */
static inline void text_add_bytes(struct text *t, const char *data, size_t size)
{
    if (size > TEXT_SIZE_MAX - t->size)
        size = TEXT_SIZE_MAX - t->size;
    memcpy(t->data + t->size, data, size);
    t->size += size;
}

static inline void text_add(struct text *t, const char *s)
{
    text_add_bytes(t, s, strlen(s));
}

static inline void text_add_number(struct text *t, unsigned number)
{
    char digits[10];
    size_t at = sizeof digits;

    do
        digits[--at] = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    text_add_bytes(t, digits + at, sizeof digits - at);
}

/* Writes all, waiting where it has to. False and errno when that cannot be. */
static inline bool write_all(int fd, const char *data, size_t size)
{
    while (size != 0) {
        ssize_t done = write(fd, data, size);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return false;
        data += done;
        size -= (size_t)done;
    }
    return true;
}

/* Writes strings, as one; the last argument is (char *)NULL. Whether anybody reads them is not our
 * concern. */
static inline void say(int fd, ...)
{
    struct text t;
    va_list strings;

    t.size = 0;
    va_start(strings, fd);
    for (const char *s; (s = va_arg(strings, const char *)) != NULL;)
        text_add(&t, s);
    va_end(strings);
    (void)write_all(fd, t.data, t.size);
}

#endif
