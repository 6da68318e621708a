/* Error names and texts. No heap, no I/O. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/banned.h"

const char *err_code_name(enum err_code code)
{
    static const char *const names[] = {
        [ERR_NONE] = "none",       [ERR_FORMAT] = "format",       [ERR_INVALID] = "invalid",
        [ERR_LIMIT] = "limit",     [ERR_MEMORY] = "memory",       [ERR_UNSUPPORTED] = "unsupported",
        [ERR_POLICY] = "policy",   [ERR_CRYPTO] = "crypto",       [ERR_IO] = "io",
        [ERR_TIMEOUT] = "timeout", [ERR_NOT_FOUND] = "not-found",
    };
    _Static_assert(COUNT_OF(names) == ERR_CODE_COUNT, "every error code has a name");

    return (unsigned)code < COUNT_OF(names) ? names[code] : "unknown";
}

const char *err_text(const struct err *err, const char *(*strerror_fn)(int),
                     char text[ERR_TEXT_SIZE])
{
    const char *msg = err->msg != NULL ? err->msg : err_code_name(err->code);

    if (err->at == ERR_NO_AT)
        (void)snprintf(text, ERR_TEXT_SIZE, "%s", msg);
    else if (err->code == ERR_IO && strerror_fn != NULL)
        (void)snprintf(text, ERR_TEXT_SIZE, "%s: %s", msg, strerror_fn((int)err->at));
    else
        (void)snprintf(text, ERR_TEXT_SIZE, "%s %llu", msg, (unsigned long long)err->at);
    return text;
}

bool text_error_set(struct text_error *error, uint32_t line, uint32_t column, const char *format,
                    ...)
{
    va_list args;

    error->line = line;
    error->column = column;
    va_start(args, format);
    (void)vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    return false;
}

enum { NEAREST_WORD_MAX = 64 };

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned least = a < b ? a : b;
    return least < c ? least : c;
}

/* Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours cost one.
 * Both sizes are at most NEAREST_WORD_MAX. */
static unsigned edit_distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
    unsigned rows[3][NEAREST_WORD_MAX + 1];
    unsigned *before = rows[0], *above = rows[1], *row = rows[2];

    for (size_t j = 0; j <= b_size; j++)
        above[j] = (unsigned)j;
    for (size_t i = 1; i <= a_size; i++) {
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_size; j++) {
            unsigned cost = a[i - 1] == b[j - 1] ? 0 : 1;
            row[j] = min3(above[j] + 1, row[j - 1] + 1, above[j - 1] + cost);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = min3(row[j], before[j - 2] + 1, row[j]);
        }
        unsigned *spare = before;
        before = above;
        above = row;
        row = spare;
    }
    return above[b_size];
}

const char *nearest_word(const char *word, size_t word_size, const char *const *words, size_t count)
{
    const char *nearest = NULL;
    unsigned least = NEAREST_WORD_MAX;

    if (word_size == 0 || word_size > NEAREST_WORD_MAX)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        size_t size = strlen(words[i]);
        if (size > NEAREST_WORD_MAX)
            continue;
        unsigned distance = edit_distance(word, word_size, words[i], size);
        size_t longer = size > word_size ? size : word_size;
        if (distance < least && (size_t)distance * 3 <= longer) {
            least = distance;
            nearest = words[i];
        }
    }
    return nearest;
}
