/* An interpreter in the interpreter: a stack machine follows Collatz' walk from ten numbers for a
 * unit of scale, and adds up in its memory when the walk comes by a remainder. */
#include "kernel.h"

enum op {
    OP_PUSH,  /* value */
    OP_LOAD,  /* variable */
    OP_STORE, /* variable */
    OP_ADD,
    OP_MULTIPLY,
    OP_SHIFT_RIGHT,
    OP_AND,
    OP_EQUAL,
    OP_READ,         /* pops an address */
    OP_WRITE,        /* pops an address, then a value */
    OP_JUMP,         /* target */
    OP_JUMP_IF_ZERO, /* target */
    OP_HALT,
};

enum { X, STEPS, VARIABLES };
enum { CELLS = 64, STACK_SIZE = 16 };

/* Where in the program the jumps go. */
enum { AT_LOOP = 0, AT_STEP = 8, AT_EVEN = 27, AT_COUNT = 34 };

/* clang-format off */
static const uint32_t program[] = {
    /* 0: while (x != 1) */
    OP_LOAD, X, OP_PUSH, 1, OP_EQUAL, OP_JUMP_IF_ZERO, AT_STEP, OP_HALT,
    /* 8: if (x % 2 != 0) */
    OP_LOAD, X, OP_PUSH, 1, OP_AND, OP_JUMP_IF_ZERO, AT_EVEN,
    /* 15: x = 3 * x + 1 */
    OP_LOAD, X, OP_PUSH, 3, OP_MULTIPLY, OP_PUSH, 1, OP_ADD, OP_STORE, X, OP_JUMP, AT_COUNT,
    /* 27: else x = x >> 1 */
    OP_LOAD, X, OP_PUSH, 1, OP_SHIFT_RIGHT, OP_STORE, X,
    /* 34: cells[x % 64] += steps */
    OP_LOAD, X, OP_PUSH, CELLS - 1, OP_AND, OP_READ, OP_LOAD, STEPS, OP_ADD, OP_LOAD, X,
    OP_PUSH, CELLS - 1, OP_AND, OP_WRITE,
    /* 49: steps++ */
    OP_LOAD, STEPS, OP_PUSH, 1, OP_ADD, OP_STORE, STEPS, OP_JUMP, AT_LOOP,
};
/* clang-format on */

static uint32_t variables[VARIABLES], cells[CELLS];

static void interpret(const uint32_t *code)
{
    uint32_t stack[STACK_SIZE], *top = stack; /* top: the first free one */
    const uint32_t *pc = code;

    for (;;) {
        switch (*pc++) {
        case OP_PUSH:
            *top++ = *pc++;
            break;
        case OP_LOAD:
            *top++ = variables[*pc++];
            break;
        case OP_STORE:
            variables[*pc++] = *--top;
            break;
        case OP_ADD:
            top--;
            top[-1] += *top;
            break;
        case OP_MULTIPLY:
            top--;
            top[-1] *= *top;
            break;
        case OP_SHIFT_RIGHT:
            top--;
            top[-1] >>= *top % 32;
            break;
        case OP_AND:
            top--;
            top[-1] &= *top;
            break;
        case OP_EQUAL:
            top--;
            top[-1] = top[-1] == *top;
            break;
        case OP_READ:
            top[-1] = cells[top[-1]];
            break;
        case OP_WRITE:
            top -= 2;
            cells[top[1]] = top[0];
            break;
        case OP_JUMP:
            pc = code + *pc;
            break;
        case OP_JUMP_IF_ZERO:
            pc = *--top == 0 ? code + *pc : pc + 1;
            break;
        default: /* OP_HALT */
            return;
        }
    }
}

int32_t run(int32_t scale)
{
    uint32_t seed = 10, sum = 0;

    for (int32_t round = 0; round < scale; round++)
        for (int i = 0; i < 10; i++) {
            variables[X] = random_next(&seed) % 10000 + 1;
            interpret(program);
            sum = mix(sum, variables[STEPS]);
        }
    for (int i = 0; i < CELLS; i++)
        sum = mix(sum, cells[i]);
    return (int32_t)sum;
}
