/* Prints the table of calls as docs/calls.md has it, from the compiled table. */
#include <inttypes.h>
#include <stdio.h>

#include "sallyport/sallyport.h"

static const char *const homes[] = {
    [CALL_LOCAL] = "inside", [CALL_HOST] = "host", [CALL_KEEP] = "keep call"};

static void show_arg(const struct call_arg *arg)
{
    switch (arg->kind) {
    case CALL_ARG_ANY:
        printf("any");
        break;
    case CALL_ARG_FD:
        printf("descriptor");
        break;
    case CALL_ARG_SIZE:
        printf("size");
        break;
    case CALL_ARG_PLACE:
        printf("address");
        break;
    case CALL_ARG_IN:
        printf("reads, size in %" PRId64, arg->value);
        break;
    case CALL_ARG_OUT:
        printf("writes, size in %" PRId64, arg->value);
        break;
    case CALL_ARG_OUT_AT:
        printf("writes, size at %" PRId64, arg->value);
        break;
    case CALL_ARG_GIVE:
        printf("reads %" PRId64 " or null", arg->value);
        break;
    case CALL_ARG_TAKE:
        printf("writes %" PRId64 " or null", arg->value);
        break;
    case CALL_ARG_POLLFDS:
        printf("pollfds, count in %" PRId64, arg->value);
        break;
    case CALL_ARG_MASK:
        printf("**only bits 0x%" PRIx64 "**", (uint64_t)arg->value);
        break;
    case CALL_ARG_IS:
        printf("**%" PRId64 "**", arg->value);
        break;
    case CALL_ARG_EITHER:
        printf("**%" PRId64 " or %" PRId64 "**", arg->value, arg->other);
        break;
    case CALL_ARG_NONE:
        break;
    }
}

int main(void)
{
    puts("| call | number | answered | 0 | 1 | 2 | 3 | 4 | 5 "
         "|\n|---|---|---|---|---|---|---|---|---|");
    for (size_t i = 0; i < call_count; i++) {
        printf("| `%s` | %" PRIu32 " | %s |", calls[i].name, calls[i].number, homes[calls[i].home]);
        for (size_t k = 0; k < 6; k++) {
            printf(" ");
            show_arg(&calls[i].args[k]);
            printf(" |");
        }
        puts("");
    }
    return 0;
}
