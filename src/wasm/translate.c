/* From validated function bodies to the internal form (ir.h), in one pass.
 *
 * Operands are followed symbolically: a local.get, a constant, or the sum of both makes no code, it
 * is named by the instruction that uses it. Each operand has a home, its slot in the frame; what is
 * computed goes there unless the next instruction is a local.set, which redirects it. A local that
 * is about to change is first copied to the homes of the operands that still mean its old value. An
 * operand that the instruction before has made is read from the accumulator. At labels every
 * operand that a branch can carry is in its home. The body is trusted: validate.c has seen it. */
#include "wasm/ir.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "wasm/runtime.h"
#include "base/banned.h"

/* Where values go, as ir.def has it. */
#define NOWHERE 0
#define ACC 0xff
#define TO(distance) (distance)
static const uint8_t ir_values[IR_COUNT] = {
#define IR(id, words, value) value,
#include "wasm/ir.def"
};

enum operand_kind { OPERAND_HOME, OPERAND_LOCAL, OPERAND_CONST };

struct operand {
    uint8_t kind; /* enum operand_kind */
    uint8_t type;
    uint16_t home;
    uint32_t local;  /* index */
    uint32_t before; /* of OPERAND_LOCAL: the next lower operand of the same local, plus one */
    uint64_t value;  /* of OPERAND_CONST; of OPERAND_LOCAL what is to be added, mod 2^32 */
};

#define NO_CHAIN UINT32_MAX

struct control {
    uint16_t op;
    bool was_dead; /* never entered: the code is skipped */
    uint32_t height;
    uint32_t base;       /* home of the first label operand */
    uint32_t loop_start; /* word, of a loop */
    uint32_t ends;       /* chain of branches to the end */
    uint32_t elses;      /* chain of branches to the else */
    struct wasm_func_type type;
};

/* The last value-making instruction, while nothing follows it. */
struct last {
    uint32_t word;
    uint32_t at;         /* offset in the module of what it does */
    bool can_change;     /* its value may still go elsewhere, or be made by another instruction */
    bool in_accumulator; /* its value */
};

struct translator {
    const struct wasm_module *m;
    bool guard;
    bool is_plain; /* no instruction changes another */
    uint64_t *words;
    uint32_t count, capacity;
    struct operand *operands;
    uint32_t size, operand_capacity;
    uint32_t flushed; /* operands below this are not OPERAND_LOCAL */
    struct control *controls;
    uint32_t depth, control_capacity;
    uint32_t next_home, most_slots;
    uint32_t local_count, local_slots;
    uint32_t *local_slot; /* by local index */
    uint8_t *local_type;
    uint32_t *local_newest; /* the highest operand of the local, plus one; 0: none */
    struct last last;
    struct last before;    /* what was last when the last was made */
    uint32_t pair_end;     /* where a move or addition ends that may become one of two; 0: none
                            * since the last label */
    bool compares_home[2]; /* which operands of the last comparison are used by nothing else */
    bool dead;             /* code here is never reached */
    bool failed;           /* no memory */
    struct insn insn;
    uint32_t at;      /* offset in the module of the instruction that code is now made for */
    uint32_t locate;  /* the word whose instruction is sought */
    uint32_t located; /* its offset in the module */
};

/* ---- growing arrays ---- */

static bool grow(struct translator *t, void **array, uint32_t *capacity, uint32_t need, size_t size)
{
    if (LIKELY(need <= *capacity))
        return true;
    uint32_t wish = *capacity * 2 > need ? *capacity * 2 : need + 64;
    void *larger = realloc(*array, (size_t)wish * size);
    if (larger == NULL) {
        t->failed = true;
        return false;
    }
    *array = larger;
    *capacity = wish;
    return true;
}

static void forget_last(struct translator *t)
{
    t->last.can_change = false;
    t->last.in_accumulator = false;
}

static void emit(struct translator *t, uint64_t word)
{
    if (t->count ==
        t->locate) /* what is fused or redirected is written again: the last one counts */
        t->located = t->at;
    if (grow(t, (void **)&t->words, &t->capacity, t->count + 1, sizeof *t->words))
        t->words[t->count++] = word;
    forget_last(t);
}

/* Where the next instruction, which makes a value, will stand. */
static uint32_t begin_value(struct translator *t)
{
    t->before = t->last;
    return t->count;
}

/* Marks the instruction that begins at `start` as one whose value may still be redirected or fused.
 */
static void set_last(struct translator *t, uint32_t start)
{
    if (t->failed)
        return;
    t->last = (struct last){.word = start,
                            .at = t->at,
                            .can_change = !t->is_plain,
                            .in_accumulator =
                                !t->is_plain && ir_values[IR_OP(t->words[start])] != NOWHERE};
}

/* ---- operands ---- */

static void push(struct translator *t, enum operand_kind kind, uint8_t type)
{
    if (!grow(t, (void **)&t->operands, &t->operand_capacity, t->size + 1, sizeof *t->operands))
        return;
    t->operands[t->size++] =
        (struct operand){.kind = (uint8_t)kind, .type = type, .home = (uint16_t)t->next_home};
    t->next_home += slots_of(type);
    if (t->next_home > t->most_slots)
        t->most_slots = t->next_home;
}

static void push_const(struct translator *t, uint8_t type, uint64_t value)
{
    push(t, OPERAND_CONST, type);
    if (!t->failed)
        t->operands[t->size - 1].value = value;
}

/* The value of a local, plus a constant. */
static void push_local(struct translator *t, uint32_t local, uint32_t plus)
{
    push(t, OPERAND_LOCAL, t->local_type[local]);
    if (t->failed)
        return;
    struct operand *o = &t->operands[t->size - 1];
    o->local = local;
    o->value = plus;
    o->before = t->local_newest[local];
    t->local_newest[local] = t->size;
}

/* Takes an operand off; *out stays readable. Operands of one local are taken newest first. */
static struct operand pop(struct translator *t)
{
    assert(t->size != 0);
    struct operand o = t->operands[--t->size];
    t->next_home -= slots_of(o.type);
    if (o.kind == OPERAND_LOCAL)
        t->local_newest[o.local] = o.before;
    if (t->flushed > t->size)
        t->flushed = t->size;
    return o;
}

static void emit_move(struct translator *t, uint32_t to, uint32_t from, uint8_t type)
{
    if (to == from)
        return;
    if (type == WASM_V128) {
        emit(t, ir_word(IR_move_v128, to, from, 0));
        return;
    }
    bool is_second = t->pair_end == t->count && t->count != 0 && !t->is_plain &&
                     IR_OP(t->words[t->count - 1]) == IR_move;
    emit(t, ir_word(IR_move, to, from, 0));
    if (is_second && !t->failed)
        t->words[t->count - 2] += IR_move2 - IR_move;
    else
        t->pair_end = t->count;
}

static void emit_const(struct translator *t, uint32_t to, uint64_t value)
{
    uint32_t start = begin_value(t);

    if (value <= UINT32_MAX) {
        emit(t, ir_wide(IR_const32, to, (uint32_t)value));
    } else {
        emit(t, ir_word(IR_const64, to, 0, 0));
        emit(t, value);
    }
    set_last(t, start);
}

/* Whether an operand can be read from a slot as it is. */
static bool is_plain(const struct operand *o)
{
    return o->kind == OPERAND_HOME || (o->kind == OPERAND_LOCAL && o->value == 0);
}

/* The slot of a plain operand. */
static uint32_t slot_of(const struct translator *t, const struct operand *o)
{
    return o->kind == OPERAND_LOCAL ? t->local_slot[o->local] : o->home;
}

/* Whether the accumulator holds what is in `slot`. When nothing else wants it there (is_home), the
 * instruction that made it no longer writes it. */
static bool take_accumulator(struct translator *t, uint32_t slot, bool is_home)
{
    if (!t->last.in_accumulator || IR_A(t->words[t->last.word]) != slot)
        return false;
    uint64_t *word = &t->words[t->last.word];
    uint8_t distance = ir_values[IR_OP(*word)];
    if (is_home && t->last.can_change && distance != ACC)
        *word += distance;
    return true;
}

/* The same of a plain operand that was popped. */
static bool take_operand(struct translator *t, const struct operand *o)
{
    return take_accumulator(t, slot_of(t, o), o->kind == OPERAND_HOME);
}

/* Puts the value of an operand into slot `to`. */
static void emit_copy(struct translator *t, uint32_t to, const struct operand *o)
{
    if (o->kind == OPERAND_CONST) {
        emit_const(t, to, o->value);
    } else if (is_plain(o)) {
        emit_move(t, to, slot_of(t, o), o->type);
    } else {
        uint32_t slot = t->local_slot[o->local];
        unsigned op = take_accumulator(t, slot, false) ? IR_i32_add_ak : IR_i32_add_k;
        uint32_t start = begin_value(t);
        emit(t, ir_word(op, to, slot, 0));
        emit(t, o->value);
        set_last(t, start);
    }
}

/* Puts operand i, which is still on the stack, into its home. */
static void settle(struct translator *t, uint32_t i)
{
    struct operand *o = &t->operands[i];

    if (o->kind == OPERAND_HOME)
        return;
    emit_copy(t, o->home, o);
    forget_last(t);
    o->kind = OPERAND_HOME;
}

/* Unlinks all operands of a local that changes now, having settled them. */
static void settle_local(struct translator *t, uint32_t local)
{
    uint32_t i = t->local_newest[local];

    while (i != 0) {
        uint32_t before = t->operands[i - 1].before;
        settle(t, i - 1);
        i = before;
    }
    t->local_newest[local] = 0;
}

/* Settles every operand that names a local: before code that may be left or entered by branches. */
static void settle_locals(struct translator *t)
{
    for (; t->flushed < t->size; t->flushed++) {
        struct operand *o = &t->operands[t->flushed];
        if (o->kind == OPERAND_LOCAL)
            settle_local(t, o->local);
    }
}

static void settle_top(struct translator *t, uint32_t count)
{
    for (uint32_t i = t->size - count; i < t->size; i++) {
        if (t->operands[i].kind == OPERAND_LOCAL)
            settle_local(t, t->operands[i].local);
        else
            settle(t, i);
    }
}

/* Makes a popped operand plain. */
static void make_plain(struct translator *t, struct operand *o)
{
    if (is_plain(o))
        return;
    emit_copy(t, o->home, o);
    o->kind = OPERAND_HOME;
}

/* The slot in which a popped operand can be read. */
static uint32_t slot_for(struct translator *t, struct operand *o)
{
    make_plain(t, o);
    return slot_of(t, o);
}

/* Whether the last instruction made this operand, and nothing else wants its value. */
static bool is_last(const struct translator *t, const struct operand *o)
{
    return t->last.can_change && o->kind == OPERAND_HOME && IR_A(t->words[t->last.word]) == o->home;
}

/* Sends the value of the last instruction to another slot. */
static void set_destination(struct translator *t, uint32_t slot)
{
    uint64_t *word = &t->words[t->last.word];

    *word = (*word & ~((uint64_t)0xffff << 16)) | (uint64_t)slot << 16;
    t->last.can_change = false;
}

static uint32_t push_home(struct translator *t, uint8_t type)
{
    push(t, OPERAND_HOME, type);
    return t->failed ? 0 : t->operands[t->size - 1].home;
}

/* ---- branches ---- */

/* Chains run through the offset fields: a reference is word * 2 + half. */
static uint32_t get_offset(const struct translator *t, uint32_t reference)
{
    uint64_t word = t->words[reference / 2];
    return (uint32_t)(word >> (reference % 2 * 32));
}

static void set_offset(struct translator *t, uint32_t reference, uint32_t offset)
{
    uint64_t *word = &t->words[reference / 2];
    unsigned shift = reference % 2 * 32;
    *word = (*word & ~((uint64_t)UINT32_MAX << shift)) | (uint64_t)offset << shift;
}

static void chain(struct translator *t, uint32_t *head, uint32_t reference)
{
    if (t->failed)
        return;
    set_offset(t, reference, *head);
    *head = reference;
}

static void bind(struct translator *t, uint32_t head, uint32_t target)
{
    while (head != NO_CHAIN && !t->failed) {
        uint32_t next = get_offset(t, head);
        set_offset(t, head, target - head / 2);
        head = next;
    }
    forget_last(t);
    t->pair_end = 0;
}

/* Branches of one offset field: to a known word, or into a chain. */
struct label {
    bool is_known;
    uint32_t target;
    uint32_t *chain;
};

static struct label label_of(struct control *c)
{
    if (c->op == OP_loop)
        return (struct label){.is_known = true, .target = c->loop_start};
    return (struct label){.chain = &c->ends};
}

static void aim(struct translator *t, const struct label *l, uint32_t reference)
{
    if (t->failed)
        return;
    if (l->is_known)
        set_offset(t, reference, l->target - reference / 2);
    else
        chain(t, l->chain, reference);
}

static void emit_jump(struct translator *t, const struct label *l)
{
    emit(t, ir_wide(IR_jump, 0, 0));
    aim(t, l, (t->count - 1) * 2 + 1);
}

/* The compare-and-branch for a comparison, taken when it is (not) true, of its first form; IR_COUNT
 * when there is none. */
static unsigned compare_branch(unsigned op, bool when)
{
    switch (op) {
#define X(id, type, operator, opposite, mirror) \
    case IR_##id:                               \
    case IR_##id##_k:                           \
        return when ? IR_br_##id : IR_br_##opposite;
        IR_INT_COMPARES(X)
#undef X
#define X(id, type, operator, mirror) \
    case IR_##id:                     \
        return when ? IR_br_##id : IR_br_not_##id;
        IR_FLOAT_COMPARES(X)
#undef X
    case IR_i64_eqz:
        return when ? IR_br_i64_eq : IR_br_i64_ne;
    default:
        return IR_COUNT;
    }
}

/* A compare-and-branch with its operands in the other order. */
static unsigned mirrored(unsigned branch)
{
    switch (branch) {
#define X(id, type, operator, opposite, mirror) \
    case IR_br_##id:                            \
        return IR_br_##mirror;
        IR_INT_COMPARES(X)
#undef X
#define X(id, type, operator, mirror) \
    case IR_br_##id:                  \
        return IR_br_##mirror;        \
    case IR_br_not_##id:              \
        return IR_br_not_##mirror;
        IR_FLOAT_COMPARES(X)
#undef X
    default:
        return branch;
    }
}

/* Forms of a compare-and-branch, added to the first; of floats there are no constants. */
enum { BRANCH_K = 1, BRANCH_A = 2, BRANCH_FLOAT_A = 1, BRANCH_FORMS = 4 };

static unsigned accumulator_form(unsigned branch)
{
    return branch >= IR_br_f32_eq ? BRANCH_FLOAT_A : BRANCH_A;
}

/* Whether the constant of a _k comparison fits the half word that a branch has for it. */
static bool fits_branch(unsigned op, uint64_t constant)
{
    if (op >= IR_i64_eqz) /* 64-bit comparisons extend their 32 bits with the sign */
        return (int64_t)constant == (int32_t)constant;
    return true;
}

/* Keeps what fuse_branch needs, before a comparison is made. */
static void note_compare(struct translator *t, const struct operand *a, const struct operand *b)
{
    t->compares_home[0] = a->kind == OPERAND_HOME;
    t->compares_home[1] = b->kind == OPERAND_HOME;
}

/* The second word of the last instruction; 0 when it has none. */
static uint64_t last_constant(const struct translator *t)
{
    return t->last.word + 1 < t->count ? t->words[t->last.word + 1] : 0;
}

/* Takes the last instruction back. */
static void take_back(struct translator *t)
{
    t->count = t->last.word;
    t->last = t->before;
}

/* A branch by comparing slot a, which the last instruction made by adding a constant: with slot b,
 * or with a constant. */
static bool fuse_add_branch(struct translator *t, unsigned branch, uint32_t a, uint32_t b,
                            bool has_constant, uint32_t constant, const struct label *l)
{
    if (!t->last.in_accumulator || branch >= IR_br_i64_eq)
        return false;
    uint64_t word = t->words[t->last.word];
    if (IR_OP(word) != IR_i32_add_k || IR_A(word) != a)
        return false;
    unsigned op = IR_add_br_i32_eq + (branch - IR_br_i32_eq) / BRANCH_FORMS * 2 + has_constant;
    uint32_t plus = (uint32_t)t->words[t->last.word + 1];
    t->count = t->last.word;
    emit(t, ir_word(op, a, IR_B(word), b));
    emit(t, ir_pair(plus, constant));
    emit(t, 0);
    aim(t, l, (t->count - 1) * 2);
    return true;
}

/* Takes back the comparison that was just made, and branches by its operands instead. */
static bool fuse_branch(struct translator *t, bool when, const struct label *l)
{
    uint64_t word = t->words[t->last.word];
    unsigned op = IR_OP(word);
    uint32_t a = IR_B(word), b = IR_C(word);
    unsigned branch = compare_branch(op, when);
    bool has_constant = t->count - t->last.word == 2 || op == IR_i64_eqz;
    uint64_t constant = has_constant && op != IR_i64_eqz ? t->words[t->last.word + 1] : 0;

    if (op != IR_i32_eqz && (branch == IR_COUNT || (has_constant && !fits_branch(op, constant))))
        return false;
    take_back(t);
    if (op == IR_i32_eqz) {
        if (fuse_add_branch(t, when ? IR_br_i32_eq : IR_br_i32_ne, a, 0, true, 0, l))
            return true;
        unsigned form = take_accumulator(t, a, t->compares_home[0]) ? 1 : 0;
        emit(t, ir_wide((when ? IR_br_unless : IR_br_if) + form, a, 0));
        aim(t, l, (t->count - 1) * 2 + 1);
        return true;
    }
    if (fuse_add_branch(t, branch, a, b, has_constant, (uint32_t)constant, l))
        return true;
    if (take_accumulator(t, a, t->compares_home[0])) {
        branch += accumulator_form(branch);
    } else if (!has_constant && take_accumulator(t, b, t->compares_home[1])) {
        branch = mirrored(branch);
        branch += accumulator_form(branch);
        b = a;
    }
    emit(t, ir_word(branch + (has_constant ? BRANCH_K : 0), a, b, 0));
    emit(t, ir_pair(0, (uint32_t)constant));
    aim(t, l, (t->count - 1) * 2);
    return true;
}

/* A branch taken when the condition, an operand just popped, is (not) zero. */
static void emit_branch(struct translator *t, struct operand *o, bool when, const struct label *l)
{
    if (is_last(t, o) && fuse_branch(t, when, l))
        return;
    uint32_t condition = slot_for(t, o);
    if (fuse_add_branch(t, when ? IR_br_i32_ne : IR_br_i32_eq, condition, 0, true, 0, l))
        return;
    unsigned form = take_operand(t, o) ? 1 : 0;
    emit(t, ir_wide((when ? IR_br_if : IR_br_unless) + form, condition, 0));
    aim(t, l, (t->count - 1) * 2 + 1);
}

static void label_types(const struct control *c, const uint8_t **types, uint32_t *count)
{
    *types = c->op == OP_loop ? c->type.params : c->type.results;
    *count = c->op == OP_loop ? c->type.param_count : c->type.result_count;
}

/* Copies the top operands, which stay, to the label's homes. These are never above the operands'
 * own, so the lowest goes first and nothing is lost. */
static void emit_label_moves(struct translator *t, const struct control *c, uint32_t count)
{
    uint32_t to = c->base;

    for (uint32_t i = t->size - count; i < t->size; i++) {
        const struct operand *o = &t->operands[i];
        uint8_t type = o->type;
        if (o->kind != OPERAND_HOME || o->home != to)
            emit_copy(t, to, o);
        to += slots_of(type);
    }
    forget_last(t);
}

/* Whether a branch with the top operands needs no moves, once they are settled. */
static bool label_is_home(const struct translator *t, const struct control *c, uint32_t count)
{
    return count == 0 || t->operands[t->size - count].home == c->base;
}

static void emit_return(struct translator *t)
{
    const struct wasm_func_type *type = &t->controls[0].type;

    if (type->result_count == 0) {
        emit(t, ir_word(IR_return, 0, 0, 0));
    } else if (type->result_count == 1 && type->results[0] != WASM_V128) {
        struct operand o = t->operands[t->size - 1];
        if (is_last(t, &o)) { /* the value is made where it is to be returned */
            set_destination(t, 0);
            emit(t, ir_word(IR_return, 0, 0, 0));
        } else {
            emit(t, ir_word(IR_return_1, slot_for(t, &o), 0, 0));
        }
    } else {
        settle_top(t, type->result_count);
        emit(t, ir_wide(IR_return_n, t->operands[t->size - type->result_count].home,
                        slots_of_all(type->results, type->result_count)));
    }
}

/* An unconditional branch: the operands that it carries are the top ones. */
static void emit_br(struct translator *t, uint32_t depth)
{
    struct control *c = &t->controls[t->depth - 1 - depth];
    const uint8_t *types;
    uint32_t count;

    if (c == &t->controls[0]) {
        emit_return(t);
        return;
    }
    label_types(c, &types, &count);
    emit_label_moves(t, c, count);
    struct label l = label_of(c);
    emit_jump(t, &l);
}

static void translate_br_if(struct translator *t)
{
    struct operand condition = pop(t);
    struct control *c = &t->controls[t->depth - 1 - t->insn.a];
    const uint8_t *types;
    uint32_t count;

    label_types(c, &types, &count);
    bool is_return = c == &t->controls[0];
    if (!is_return && count == 0) {
        struct label l = label_of(c);
        emit_branch(t, &condition, true, &l);
        return;
    }
    /* settling the operands would come between the comparison and the branch: before it is better,
     * but it is too late; so the condition is branched on by its slot, unless nothing is to settle
     */
    bool settled = true;
    for (uint32_t i = t->size - count; i < t->size; i++)
        settled &= t->operands[i].kind == OPERAND_HOME;
    if (!is_return && settled && label_is_home(t, c, count)) {
        struct label l = label_of(c);
        emit_branch(t, &condition, true, &l);
        return;
    }
    uint32_t skip = NO_CHAIN;
    struct label over = {.chain = &skip};
    emit_branch(t, &condition, false, &over);
    /* what is put into homes on the branch's way only is not settled afterwards */
    if (is_return && count > 0) {
        for (uint32_t i = t->size - count; i < t->size; i++)
            emit_copy(t, t->operands[i].home, &t->operands[i]);
        if (count == 1 && types[0] != WASM_V128)
            emit(t, ir_word(IR_return_1, t->operands[t->size - 1].home, 0, 0));
        else
            emit(t, ir_wide(IR_return_n, t->operands[t->size - count].home,
                            slots_of_all(types, count)));
    } else {
        emit_br(t, t->insn.a);
    }
    bind(t, skip, t->count);
}

static void translate_br_table(struct translator *t, struct reader *r)
{
    uint32_t count = t->insn.a;
    struct operand index = pop(t);
    struct err ignored;
    uint32_t slot = slot_for(t, &index);
    const uint8_t *types;
    uint32_t arity = 0;
    struct reader labels = *r;
    uint32_t label = 0;

    if (!read_u32(&labels, &label, &ignored))
        return;
    label_types(&t->controls[t->depth - 1 - label], &types, &arity);
    settle_top(t, arity);
    uint32_t start = t->count;
    emit(t, ir_wide(IR_br_table, slot, count));
    for (uint32_t i = 0; i <= count; i++)
        emit(t, 0);
    for (uint32_t i = 0; i <= count && !t->failed; i++) {
        if (!read_u32(r, &label, &ignored))
            return;
        struct control *c = &t->controls[t->depth - 1 - label];
        uint32_t reference = (start + 1 + i) * 2;
        if (c != &t->controls[0] && label_is_home(t, c, arity)) {
            struct label l = label_of(c);
            aim(t, &l, reference);
        } else { /* by way of a few instructions of its own */
            set_offset(t, reference, t->count - (start + 1 + i));
            emit_br(t, label);
        }
    }
}

/* ---- blocks ---- */

static void push_control(struct translator *t, uint16_t op)
{
    if (!grow(t, (void **)&t->controls, &t->control_capacity, t->depth + 1, sizeof *t->controls))
        return;
    struct control *c = &t->controls[t->depth++];
    *c = (struct control){.op = op, .was_dead = t->dead, .ends = NO_CHAIN, .elses = NO_CHAIN};
}

static void push_all(struct translator *t, const uint8_t *types, uint32_t count)
{
    for (uint32_t i = 0; i < count && !t->failed; i++)
        (void)push_home(t, types[i]);
}

/* Takes operands off until `height` are left. */
static void drop_to(struct translator *t, uint32_t height)
{
    while (t->size > height)
        (void)pop(t);
}

static void translate_block(struct translator *t)
{
    struct wasm_func_type type;
    struct operand condition = {.type = WASM_I32};
    bool is_if = t->insn.op == OP_if;
    bool ok = block_type_of(t->m, t->insn.block_type, &type);

    assert(ok);
    /* a comparison stays last, to be fused, when nothing needs to be settled behind it */
    if (is_if)
        condition = pop(t);
    uint32_t elses = NO_CHAIN;
    struct label l = {.chain = &elses};
    bool nothing_to_settle = t->flushed == t->size && type.param_count == 0;
    if (is_if && nothing_to_settle) {
        emit_branch(t, &condition, false, &l);
    } else {
        settle_locals(t);
        settle_top(t, type.param_count);
        forget_last(t);
        if (is_if)
            emit_branch(t, &condition, false, &l);
    }
    push_control(t, t->insn.op);
    if (t->failed)
        return;
    struct control *c = &t->controls[t->depth - 1];
    c->type = type;
    c->elses = elses;
    c->height = t->size - type.param_count;
    c->base = type.param_count != 0 ? t->operands[c->height].home : t->next_home;
    c->loop_start = t->count;
    forget_last(t);
    t->pair_end = 0;
}

static void translate_else(struct translator *t)
{
    struct control *c = &t->controls[t->depth - 1];

    if (!t->dead) {
        settle_top(t, c->type.result_count);
        struct label l = {.chain = &c->ends};
        emit_jump(t, &l);
    }
    t->dead = false;
    drop_to(t, c->height);
    bind(t, c->elses, t->count);
    c->elses = NO_CHAIN;
    c->op = OP_else;
    push_all(t, c->type.params, c->type.param_count);
}

static void translate_end(struct translator *t)
{
    struct control c = t->controls[t->depth - 1];

    if (t->depth == 1) {
        if (!t->dead)
            emit_return(t);
        bind(t, c.ends, t->count);
        t->depth = 0;
        return;
    }
    if (!t->dead)
        settle_top(t, c.type.result_count);
    drop_to(t, c.height);
    bind(t, c.ends, t->count);
    bind(t, c.elses, t->count);
    t->depth--;
    t->dead = false;
    push_all(t, c.type.results, c.type.result_count);
}

/* ---- simple instructions ---- */

/* What an instruction is translated by. */
enum form_kind {
    FORM_NONE,
    FORM_UNARY,
    FORM_BINARY,
    FORM_ARITH,
    FORM_LOAD,
    FORM_STORE,
    FORM_OTHER
};

static const struct ir_form {
    uint16_t op;   /* the first form */
    uint8_t kind;  /* enum form_kind */
    uint8_t guard; /* added for memory with guard pages */
} ir_forms[OP_COUNT] = {
#define MISC(code, id, immediate)
#define UNARY(code, id, result, a, value) [code] = {IR_##id, FORM_UNARY, 0},
#define BINARY(code, id, result, a, value) [code] = {IR_##id, FORM_BINARY, 0},
#define BINARY_TRAP BINARY
#define ARITH(code, id, type, value) [code] = {IR_##id, FORM_ARITH, 0},
#define LOAD(code, id, type, memory) [code] = {IR_##id, FORM_LOAD, IR_##id##_g - IR_##id},
#define STORE(code, id, type, memory) [code] = {IR_##id, FORM_STORE, IR_##id##_g - IR_##id},
#define SIMD_LOAD(code, id, size) LOAD(code, id, , )
#define SIMD_STORE(code, id, size) STORE(code, id, , )
#define ANY(code, id) [code] = {IR_##id, FORM_OTHER, 0},
#include "wasm/ops.def"
};

/* Binary operations whose operands may change places. */
static bool commutes(uint16_t op)
{
    switch (op) {
    case OP_i32_add:
    case OP_i32_mul:
    case OP_i32_and:
    case OP_i32_or:
    case OP_i32_xor:
    case OP_i32_eq:
    case OP_i32_ne:
    case OP_i64_add:
    case OP_i64_mul:
    case OP_i64_and:
    case OP_i64_or:
    case OP_i64_xor:
    case OP_i64_eq:
    case OP_i64_ne:
    case OP_f32_add:
    case OP_f32_mul:
    case OP_f64_add:
    case OP_f64_mul:
        return true;
    default:
        return false;
    }
}

/* Forms of arithmetic, added to the first. */
enum { ARITH_K = 1, ARITH_A = 2, ARITH_AK = 3, ARITH_B = 4 };

/* Forms of memory accesses, added to the first. */
enum { ADDRESS_X = 1, ADDRESS_K = 2, ADDRESS_A = 3, ADDRESS_S = 4, ADDRESS_A_S = 5, STORE_V = 4 };

/* What a shift by a constant and an operation on its value make together; IR_COUNT: nothing. */
static unsigned shift_pair(uint16_t op, unsigned made)
{
#define X(id, type, shift, operation, value)                                         \
    if (op == OP_##operation && (made == IR_##shift##_k || made == IR_##shift##_ak)) \
        return IR_##id;
    IR_SHIFT_PAIRS(X)
#undef X
    return IR_COUNT;
}

enum { SHIFT_A = 1, SHIFT_B = 2 };

/* Combines the last instruction, a shift, with the operation of the present one. */
static bool fuse_shift(struct translator *t, const struct operand *other, uint8_t result)
{
    uint64_t word = t->words[t->last.word];
    unsigned op = shift_pair(t->insn.op, IR_OP(word));

    if (op == IR_COUNT)
        return false;
    bool is_taken = shift_pair(t->insn.op, IR_OP(word) + ARITH_K - ARITH_AK) == op;
    uint64_t count = t->words[t->last.word + 1] & (result == WASM_I64 ? 63 : 31);
    take_back(t);
    if (is_taken)
        op += SHIFT_A;
    else if (take_operand(t, other))
        op += SHIFT_B;
    uint32_t start = begin_value(t);
    emit(t, ir_word(op, push_home(t, result), IR_B(word), slot_of(t, other)));
    emit(t, count);
    set_last(t, start);
    return true;
}

/* The same of a multiplication. */
static bool fuse_mul_add(struct translator *t, const struct operand *other, uint8_t result)
{
    uint64_t word = t->words[t->last.word];
    unsigned op = t->insn.op == OP_i32_add && IR_OP(word) == IR_i32_mul   ? IR_i32_mul_add
                  : t->insn.op == OP_f64_add && IR_OP(word) == IR_f64_mul ? IR_f64_mul_add
                  : t->insn.op == OP_f32_add && IR_OP(word) == IR_f32_mul ? IR_f32_mul_add
                                                                          : IR_COUNT;
    if (op == IR_COUNT)
        return false;
    take_back(t);
    if (take_operand(t, other))
        op++;
    uint32_t start = begin_value(t);
    emit(t, ir_word(op, push_home(t, result), IR_B(word), IR_C(word)));
    emit(t, slot_of(t, other));
    set_last(t, start);
    return true;
}

/* Arithmetic with memory: the first form, and which load makes its operand. */
static const struct memory_arith {
    uint16_t op, update, load; /* of the internal form */
    uint16_t store, arith;     /* of the module */
} memory_ariths[] = {
#define X(id, type, operator, load, store) \
    {IR_##id##_m, IR_##id##_u, IR_##load, OP_##store, OP_##id},
    IR_MEMORY_ARITH(X)
#undef X
};

enum { MEMORY_LEFT_A = 4, MEMORY_FORMS = 7, MEMORY_GUARD = 14, UPDATE_A = 1, UPDATE_GUARD = 2 };

/* Where arithmetic with memory, of a slot or constant address, finds its operand. */
struct memory_operand {
    const struct memory_arith *m;
    bool left_is_accumulator;
    uint32_t slot;  /* of the address */
    uint64_t place; /* offset and constant */
    uint32_t at;
};

/* Whether the instruction at `last` is such, with its value in any place. */
static bool memory_operand_of(const struct translator *t, const struct last *last,
                              struct memory_operand *out)
{
    uint64_t word = t->words[last->word];

    for (size_t i = 0; i < COUNT_OF(memory_ariths); i++) {
        const struct memory_arith *m = &memory_ariths[i];
        unsigned form = (unsigned)IR_OP(word) - m->op - (t->guard ? MEMORY_GUARD : 0);
        if (form >= MEMORY_FORMS * 2)
            continue;
        unsigned address = form % MEMORY_FORMS % MEMORY_LEFT_A;
        *out = (struct memory_operand){.m = m,
                                       .left_is_accumulator = form % MEMORY_FORMS >= MEMORY_LEFT_A,
                                       .slot = IR_C(word),
                                       .place = t->words[last->word + 1],
                                       .at = last->at};
        return address == 0 || address == ADDRESS_K;
    }
    return false;
}

/* Emits an instruction of two places in memory. Traps tell them apart by the word. */
static void emit_places(struct translator *t, uint64_t word, const struct memory_operand *x,
                        const struct memory_operand *y)
{
    t->at = x->at;
    emit(t, word);
    t->at = y->at;
    emit(t, x->place);
    emit(t, y->place);
}

/* A sum of the accumulator and two operands in memory, the second just added. */
static bool fuse_add2(struct translator *t, uint8_t result)
{
    struct memory_operand x, y;

    if (t->before.word + 2 != t->last.word || !t->before.in_accumulator ||
        !memory_operand_of(t, &t->last, &y) || !memory_operand_of(t, &t->before, &x) ||
        x.m != y.m || !x.left_is_accumulator || !y.left_is_accumulator ||
        (y.m->arith != OP_f32_add && y.m->arith != OP_f64_add) ||
        ir_values[IR_OP(t->words[t->before.word])] != ACC)
        return false;
    unsigned op = result == WASM_F32 ? IR_f32_add2 : IR_f64_add2;
    unsigned guard = t->guard ? IR_f32_add2_g - IR_f32_add2 : 0;
    uint32_t home = IR_A(t->words[t->last.word]);
    t->count = t->before.word;
    forget_last(t);
    uint32_t start = begin_value(t);
    emit_places(t, ir_word(op + guard, home, x.slot, y.slot), &x, &y);
    set_last(t, start);
    return true;
}

/* Combines the last instruction, a load, with the operation of the present one. */
static bool fuse_memory(struct translator *t, const struct operand *left, uint8_t result)
{
    uint64_t word = t->words[t->last.word], place = last_constant(t);
    const struct memory_arith *m = memory_ariths;

    while (m->arith != t->insn.op) {
        if (++m == memory_ariths + COUNT_OF(memory_ariths))
            return false;
    }
    unsigned guard = t->guard ? IR_f64_load_g - IR_f64_load : 0;
    unsigned form = (unsigned)IR_OP(word) - m->load - guard;
    if (form > ADDRESS_A)
        return false;
    t->at = t->last.at; /* it is the load that can trap */
    take_back(t);
    bool is_float_mul = m->arith == OP_f32_mul || m->arith == OP_f64_mul;
    if (form == ADDRESS_A && is_float_mul && ir_values[IR_OP(t->words[t->last.word])] != ACC)
        form = 0; /* the address is in its slot, too, where fuse_update can find it */
    unsigned op = m->op + form + (t->guard ? MEMORY_GUARD : 0);
    if (form != ADDRESS_A && take_operand(t, left))
        op += MEMORY_LEFT_A;
    uint32_t start = begin_value(t);
    emit(t, ir_word(op, push_home(t, result), slot_of(t, left), IR_B(word)));
    emit(t, place);
    set_last(t, start);
    (void)fuse_add2(t, result);
    return true;
}

/* Takes in the instruction that has just made an operand, if it can. */
static bool fuse_binary(struct translator *t, const struct operand *a, const struct operand *b,
                        uint8_t result)
{
    bool is_b = is_last(t, b);

    if (!is_b && !(is_last(t, a) && commutes(t->insn.op)))
        return false;
    const struct operand *other = is_b ? a : b;
    if (!is_plain(other))
        return false;
    return fuse_memory(t, other, result) ||
           (commutes(t->insn.op) &&
            (fuse_shift(t, other, result) || fuse_mul_add(t, other, result)));
}

static void translate_binary(struct translator *t, const struct ir_form *ir,
                             const struct op_shape *shape)
{
    struct operand b = pop(t), a = pop(t);
    uint64_t folded;

    if (!t->is_plain && a.kind == OPERAND_CONST && b.kind == OPERAND_CONST &&
        fold(t->insn.op, a.value, b.value, &folded)) {
        push_const(t, shape->result, folded);
        return;
    }
    if (a.kind == OPERAND_CONST && b.kind != OPERAND_CONST && commutes(t->insn.op)) {
        struct operand swapped = a;
        a = b;
        b = swapped;
    }
    if (!t->is_plain && a.kind == OPERAND_LOCAL && b.kind == OPERAND_CONST &&
        (t->insn.op == OP_i32_add || t->insn.op == OP_i32_sub)) {
        uint64_t plus = t->insn.op == OP_i32_add ? b.value : 0 - b.value;
        push_local(t, a.local, (uint32_t)(a.value + plus));
        return;
    }
    if (fuse_binary(t, &a, &b, shape->result))
        return;
    bool has_constant = b.kind == OPERAND_CONST;
    make_plain(t, &a);
    if (!has_constant)
        make_plain(t, &b);
    unsigned form = has_constant ? ARITH_K : 0;
    if (ir->kind == FORM_BINARY)
        note_compare(t, &a, &b);
    else if (!has_constant && take_operand(t, &b))
        form = ARITH_B;
    else if (take_operand(t, &a))
        form += ARITH_A;
    uint32_t start = begin_value(t);
    uint32_t home = push_home(t, shape->result);
    emit(t, ir_word(ir->op + form, home, slot_of(t, &a), has_constant ? 0 : slot_of(t, &b)));
    if (has_constant)
        emit(t, b.value);
    set_last(t, start);
}

static void translate_unary(struct translator *t, const struct ir_form *ir,
                            const struct op_shape *shape)
{
    struct operand a = pop(t);
    uint64_t folded;

    if (!t->is_plain && a.kind == OPERAND_CONST && fold(t->insn.op, a.value, 0, &folded)) {
        push_const(t, shape->result, folded);
        return;
    }
    make_plain(t, &a);
    unsigned form = 0;
    if (ir->op == IR_i32_eqz || ir->op == IR_i64_eqz)
        note_compare(t, &a, &a);
    else if (take_operand(t, &a))
        form = 1;
    uint32_t start = begin_value(t);
    uint32_t home = push_home(t, shape->result);
    emit(t, ir_word(ir->op + form, home, slot_of(t, &a), 0));
    set_last(t, start);
}

static void use_memory(struct translator *t, uint32_t memory)
{
    if (t->insn.a != 0)
        emit(t, ir_wide(IR_use_memory, 0, memory));
}

/* Where an access finds its address: the form, added to the first, and its fields. */
struct address {
    unsigned form;
    uint32_t slot;
    uint32_t shift; /* of ADDRESS_S */
    uint32_t plus;  /* constant, or of ADDRESS_X the index's slot and shift */
};

/* An address that the last instruction made, in a form that makes it itself. */
static bool fuse_address(struct translator *t, bool may_scale, struct address *out)
{
    uint64_t word = t->words[t->last.word];
    uint32_t constant = (uint32_t)last_constant(t);

    switch (IR_OP(word)) {
    case IR_i32_add:
        *out = (struct address){.form = ADDRESS_X, .slot = IR_B(word), .plus = IR_C(word)};
        break;
    case IR_i32_shl_add:
        *out = (struct address){
            .form = ADDRESS_X, .slot = IR_C(word), .plus = IR_B(word) | constant << 16};
        break;
    case IR_i32_add_k:
        *out = (struct address){.form = ADDRESS_K, .slot = IR_B(word), .plus = constant};
        break;
    case IR_i32_shl_k:
    case IR_i32_shl_ak:
        if (!may_scale)
            return false;
        *out = (struct address){.form = IR_OP(word) == IR_i32_shl_k ? ADDRESS_S : ADDRESS_A_S,
                                .slot = IR_B(word),
                                .shift = constant & 31};
        break;
    case IR_i32_add_ak: {
        uint64_t shift = t->words[t->before.word];
        bool is_slot = IR_OP(shift) == IR_i32_shl_k_t;
        if (!may_scale || t->before.word + 2 != t->last.word ||
            !(is_slot || IR_OP(shift) == IR_i32_shl_ak_t))
            return false;
        *out = (struct address){.form = is_slot ? ADDRESS_S : ADDRESS_A_S,
                                .slot = IR_B(shift),
                                .shift = (uint32_t)t->words[t->before.word + 1] & 31,
                                .plus = constant};
        t->count = t->before.word;
        forget_last(t);
        return true;
    }
    default:
        return false;
    }
    take_back(t);
    return true;
}

static struct address address_of(struct translator *t, struct operand *o, bool may_scale)
{
    struct address fused;

    if (o->kind == OPERAND_LOCAL && o->value != 0)
        return (struct address){
            .form = ADDRESS_K, .slot = t->local_slot[o->local], .plus = (uint32_t)o->value};
    if (is_last(t, o) && t->insn.a == 0 && fuse_address(t, may_scale, &fused))
        return fused;
    struct address plain = {.slot = slot_for(t, o)};
    if (t->insn.a == 0 && take_operand(t, o))
        plain.form = ADDRESS_A;
    return plain;
}

static void translate_load(struct translator *t, const struct ir_form *ir,
                           const struct op_shape *shape)
{
    struct operand o = pop(t);
    struct address from = address_of(t, &o, shape->result != WASM_V128);

    use_memory(t, t->insn.a);
    uint32_t start = begin_value(t);
    uint32_t home = push_home(t, shape->result);
    emit(t, ir_word(ir->op + from.form + (t->guard ? ir->guard : 0), home, from.slot, from.shift));
    emit(t, ir_pair((uint32_t)t->insn.value, from.plus));
    set_last(t, start);
    use_memory(t, 0);
}

/* A store of what the last instruction made of the value in the same place; with a multiplication
 * by another value in memory before it, all three are one. */
static bool fuse_update(struct translator *t, uint32_t slot, uint64_t place)
{
    struct memory_operand x, y;

    if (!memory_operand_of(t, &t->last, &y) || y.m->store != t->insn.op || y.slot != slot ||
        y.place != place)
        return false;
    bool is_float = y.m->arith == OP_f32_add || y.m->arith == OP_f64_add;
    uint16_t mul = y.m->arith == OP_f32_add ? OP_f32_mul : OP_f64_mul;
    uint64_t before = t->words[t->before.word];
    if (is_float && y.left_is_accumulator && t->before.word + 2 == t->last.word &&
        memory_operand_of(t, &t->before, &x) && x.m->arith == mul && !x.left_is_accumulator &&
        ir_values[IR_OP(before)] == ACC) {
        unsigned op = mul == OP_f32_mul ? IR_f32_axpy : IR_f64_axpy;
        t->count = t->before.word;
        emit_places(t, ir_word(op, IR_B(before), x.slot, y.slot), &x, &y);
        return true;
    }
    unsigned forms = (y.left_is_accumulator ? UPDATE_A : 0U) + (t->guard ? UPDATE_GUARD : 0U);
    t->words[t->last.word] = ir_word(y.m->update + forms, 0, IR_B(t->words[t->last.word]), slot);
    forget_last(t);
    return true;
}

/* Arithmetic of floats: its first form, the first whose value goes to memory, and the store. */
static const struct float_arith {
    uint16_t op, to_memory, store;
} float_ariths[] = {
#define X(id, type, operator, store) {IR_##id, IR_##id##_a_s, OP_##store},
    IR_FLOAT_ARITH(X)
#undef X
};

enum { TO_MEMORY_AK = 1, TO_MEMORY_B = 2, TO_MEMORY_GUARD = 3 };

/* A store of what the last instruction made of the accumulator and another value. */
static bool fuse_arith_store(struct translator *t, uint32_t slot, uint64_t place)
{
    uint64_t word = t->words[t->last.word], constant = last_constant(t);

    for (size_t i = 0; i < COUNT_OF(float_ariths); i++) {
        const struct float_arith *f = &float_ariths[i];
        unsigned form = (unsigned)IR_OP(word) - f->op;
        if (f->store != t->insn.op || form < ARITH_A || form > ARITH_B)
            continue;
        unsigned to = form == ARITH_A ? 0 : form == ARITH_AK ? TO_MEMORY_AK : TO_MEMORY_B;
        t->count = t->last.word;
        emit(t, ir_word(f->to_memory + to + (t->guard ? TO_MEMORY_GUARD : 0),
                        form == ARITH_B ? IR_B(word) : IR_C(word), slot, 0));
        emit(t, place);
        if (form == ARITH_AK)
            emit(t, constant);
        return true;
    }
    return false;
}

/* A store of a value that the last instruction has just made. */
static bool fuse_store(struct translator *t, const struct operand *value, const struct operand *o)
{
    if (!is_last(t, value) || o->kind == OPERAND_CONST || t->insn.a != 0)
        return false;
    uint32_t slot = slot_of(t, o);
    uint64_t place =
        ir_pair((uint32_t)t->insn.value, o->kind == OPERAND_LOCAL ? (uint32_t)o->value : 0);
    return fuse_update(t, slot, place) || fuse_arith_store(t, slot, place);
}

static void translate_store(struct translator *t, const struct ir_form *ir)
{
    struct operand value = pop(t), o = pop(t);
    struct address to;

    if (fuse_store(t, &value, &o))
        return;
    bool is_plain_local = value.kind == OPERAND_LOCAL && value.value == 0;
    bool is_sum = o.kind == OPERAND_LOCAL && o.value != 0;
    if (!is_plain_local) {
        make_plain(t, &value);
        if (!is_sum)
            make_plain(t, &o);
    }
    bool is_taken = t->insn.a == 0 && value.type != WASM_V128 && (is_sum || is_plain(&o)) &&
                    take_operand(t, &value);
    if (is_plain_local && !is_taken)
        to = address_of(t, &o, false);
    else
        to = is_sum ? address_of(t, &o, false) : (struct address){.slot = slot_of(t, &o)};
    use_memory(t, t->insn.a);
    emit(t, ir_word(ir->op + to.form + (is_taken ? STORE_V : 0) + (t->guard ? ir->guard : 0),
                    to.slot, slot_of(t, &value), 0));
    emit(t, ir_pair((uint32_t)t->insn.value, to.plus));
    use_memory(t, 0);
}

static void translate_lane_access(struct translator *t, unsigned op, const struct op_shape *shape)
{
    struct operand vector = pop(t), address = pop(t);
    uint32_t v = slot_for(t, &vector), a = slot_for(t, &address);

    use_memory(t, t->insn.a);
    uint32_t home = shape->result != 0 ? push_home(t, shape->result) : 0;
    emit(t, ir_word(op + (t->guard ? 1 : 0), home, a, v));
    emit(t, ir_pair((uint32_t)t->insn.value, t->insn.lane));
    use_memory(t, 0);
}

static void translate_simple(struct translator *t, const struct op_shape *shape)
{
    const struct ir_form *ir = &ir_forms[t->insn.op];
    uint32_t slots[3] = {0};

    switch (ir->kind) {
    case FORM_UNARY:
        translate_unary(t, ir, shape);
        return;
    case FORM_BINARY:
    case FORM_ARITH:
        translate_binary(t, ir, shape);
        return;
    case FORM_LOAD:
        translate_load(t, ir, shape);
        return;
    case FORM_STORE:
        translate_store(t, ir);
        return;
    default:
        assert(ir->kind == FORM_OTHER);
        break;
    }
    if (shape->immediate == IMM_MEMARG_LANE) {
        translate_lane_access(t, ir->op, shape);
        return;
    }
    for (unsigned i = shape->operand_count; i-- > 0;) {
        struct operand o = pop(t);
        slots[i] = slot_for(t, &o);
    }
    uint32_t start = begin_value(t);
    uint32_t home = push_home(t, shape->result);
    bool is_extract = shape->immediate == IMM_LANE && shape->operand_count == 1;
    emit(t, ir_word(ir->op, home, slots[0], is_extract ? t->insn.lane : slots[1]));
    if (shape->operand_count == 3)
        emit(t, slots[2]);
    else if (shape->immediate == IMM_LANE && !is_extract)
        emit(t, t->insn.lane);
    set_last(t, start);
}

/* ---- the rest, one by one ---- */

/* Makes one instruction of two additions whose values have both gone to locals. */
static void pair_additions(struct translator *t)
{
    uint32_t word = t->last.word;

    if (IR_OP(t->words[word]) != IR_i32_add)
        return;
    if (t->pair_end == word && word != 0 && IR_OP(t->words[word - 1]) == IR_i32_add) {
        uint64_t first = t->words[word - 1];
        t->words[word - 1] = t->words[word] + IR_i32_add_twice - IR_i32_add;
        t->words[word] = first;
        t->last.word = word - 1;
        t->pair_end = 0;
    } else {
        t->pair_end = word + 1;
    }
}

static void translate_local_write(struct translator *t, bool keeps)
{
    uint32_t local = t->insn.a, slot = t->local_slot[local];
    struct operand value = pop(t);

    if (t->local_newest[local] != 0)
        settle_local(t, local);
    if (is_last(t, &value)) {
        set_destination(t, slot);
        pair_additions(t);
    } else {
        emit_copy(t, slot, &value);
        t->last.can_change = false;
    }
    if (!keeps)
        return;
    if (value.kind == OPERAND_CONST)
        push_const(t, value.type, value.value);
    else
        push_local(t, local, 0);
}

static void translate_select(struct translator *t)
{
    struct operand condition = pop(t), b = pop(t), a = pop(t);
    uint32_t c_slot = slot_for(t, &condition);
    uint32_t a_slot = slot_for(t, &a), b_slot = slot_for(t, &b);
    uint8_t type = a.type;
    unsigned op = type == WASM_V128             ? IR_select_v128
                  : take_operand(t, &condition) ? IR_select_a
                                                : IR_select;
    uint32_t start = begin_value(t);
    uint32_t home = push_home(t, type);

    emit(t, ir_word(op, home, a_slot, b_slot));
    emit(t, c_slot);
    set_last(t, start);
}

/* The arguments go to their homes, which become the callee's first slots. Returns the first. */
static uint32_t settle_arguments(struct translator *t, const struct wasm_func_type *type)
{
    settle_top(t, type->param_count);
    drop_to(t, t->size - type->param_count);
    return t->next_home;
}

static void translate_call(struct translator *t)
{
    bool is_tail = t->insn.op == OP_return_call;
    const struct wasm_func_type *type = func_type_of(t->m, t->insn.a);
    uint32_t base = settle_arguments(t, type);

    emit(t, ir_wide(is_tail ? IR_tail_call : IR_call, base, t->insn.a));
    if (is_tail)
        emit(t, slots_of_all(type->params, type->param_count));
    else
        push_all(t, type->results, type->result_count);
    t->dead = is_tail;
}

static void translate_call_indirect(struct translator *t)
{
    bool is_tail = t->insn.op == OP_return_call_indirect;
    const struct wasm_func_type *type = &t->m->types[t->insn.a];
    struct operand index = pop(t);

    /* its home is behind the arguments, where settling them cannot reach it */
    uint32_t index_slot = slot_for(t, &index);
    uint32_t base = settle_arguments(t, type);
    emit(t,
         ir_word(is_tail ? IR_tail_call_indirect : IR_call_indirect, base, index_slot, t->insn.b));
    emit(t, ir_pair(t->insn.a, slots_of_all(type->params, type->param_count)));
    if (!is_tail)
        push_all(t, type->results, type->result_count);
    t->dead = is_tail;
}

static void translate_global(struct translator *t)
{
    uint8_t type = t->m->globals[t->insn.a].type;
    bool is_wide = type == WASM_V128;

    if (t->insn.op == OP_global_get) {
        uint32_t start = begin_value(t);
        uint32_t home = push_home(t, type);
        emit(t, ir_wide(is_wide ? IR_global_get_v128 : IR_global_get, home, t->insn.a));
        set_last(t, start);
    } else {
        struct operand value = pop(t);
        uint32_t slot = slot_for(t, &value);
        emit(t, ir_wide(is_wide ? IR_global_set_v128 : IR_global_set, slot, t->insn.a));
    }
}

/* Three i32 operands and what the next word says. */
static void translate_bulk(struct translator *t, unsigned op, uint64_t word)
{
    struct operand c = pop(t), b = pop(t), a = pop(t);
    uint32_t c_slot = slot_for(t, &c), b_slot = slot_for(t, &b), a_slot = slot_for(t, &a);

    emit(t, ir_word(op, a_slot, b_slot, c_slot));
    emit(t, word);
}

/* One operand, one result, and a word or none. */
static void translate_grow(struct translator *t, unsigned op, unsigned operand_count)
{
    struct operand count = pop(t);
    uint32_t count_slot = slot_for(t, &count), value_slot = 0;

    if (operand_count == 2) {
        struct operand value = pop(t);
        value_slot = slot_for(t, &value);
    }
    uint32_t home = push_home(t, WASM_I32);
    if (operand_count == 2)
        emit(t, ir_word(op, home, value_slot, count_slot));
    else
        emit(t, ir_word(op, home, count_slot, 0));
    emit(t, t->insn.a);
}

/* An instruction that makes a value of an index. */
static void translate_index(struct translator *t, unsigned op, uint8_t type)
{
    uint32_t start = begin_value(t);
    uint32_t home = push_home(t, type);

    emit(t, ir_wide(op, home, t->insn.a));
    set_last(t, start);
}

static void translate_table_access(struct translator *t)
{
    struct operand o = pop(t);
    uint32_t slot = slot_for(t, &o);

    if (t->insn.op == OP_table_get) {
        uint32_t home = push_home(t, t->m->tables[t->insn.a].type);
        emit(t, ir_word(IR_table_get, home, slot, t->insn.a));
    } else {
        struct operand index = pop(t);
        uint32_t index_slot = slot_for(t, &index);
        emit(t, ir_word(IR_table_set, index_slot, slot, t->insn.a));
    }
}

static void translate_vector(struct translator *t)
{
    uint64_t halves[2];

    assert(t->insn.bytes != NULL);
    memcpy(halves, t->insn.bytes, sizeof halves);
    if (t->insn.op == OP_v128_const) {
        uint32_t start = begin_value(t);
        uint32_t home = push_home(t, WASM_V128);
        emit(t, ir_word(IR_const_v128, home, 0, 0));
        emit(t, halves[0]);
        emit(t, halves[1]);
        set_last(t, start);
        return;
    }
    struct operand b = pop(t), a = pop(t);
    uint32_t b_slot = slot_for(t, &b), a_slot = slot_for(t, &a);
    uint32_t home = push_home(t, WASM_V128);
    emit(t, ir_word(IR_i8x16_shuffle, home, a_slot, b_slot));
    emit(t, halves[0]);
    emit(t, halves[1]);
}

static void translate_insn(struct translator *t, struct reader *r)
{
    const struct op_shape *shape = &op_shapes[t->insn.op];
    const struct insn *i = &t->insn;

    if (LIKELY(shape->is_simple)) {
        translate_simple(t, shape);
        return;
    }
    switch (i->op) {
    case OP_local_get:
        push_local(t, i->a, 0);
        break;
    case OP_local_set:
    case OP_local_tee:
        translate_local_write(t, i->op == OP_local_tee);
        break;
    case OP_i32_const:
        push_const(t, WASM_I32, i->value);
        break;
    case OP_i64_const:
        push_const(t, WASM_I64, i->value);
        break;
    case OP_f32_const:
        push_const(t, WASM_F32, i->value);
        break;
    case OP_f64_const:
        push_const(t, WASM_F64, i->value);
        break;
    case OP_ref_null:
        push_const(t, (uint8_t)i->a, 0);
        break;
    case OP_nop:
        break;
    case OP_unreachable:
        emit(t, ir_word(IR_unreachable, 0, 0, 0));
        t->dead = true;
        break;
    case OP_block:
    case OP_loop:
    case OP_if:
        translate_block(t);
        break;
    case OP_else:
        translate_else(t);
        break;
    case OP_end:
        translate_end(t);
        break;
    case OP_br:
        emit_br(t, i->a);
        t->dead = true;
        break;
    case OP_br_if:
        translate_br_if(t);
        break;
    case OP_br_table:
        translate_br_table(t, r);
        t->dead = true;
        break;
    case OP_return:
        emit_return(t);
        t->dead = true;
        break;
    case OP_call:
    case OP_return_call:
        translate_call(t);
        break;
    case OP_call_indirect:
    case OP_return_call_indirect:
        translate_call_indirect(t);
        break;
    case OP_drop:
        (void)pop(t);
        break;
    case OP_select:
    case OP_select_t:
        translate_select(t);
        break;
    case OP_global_get:
    case OP_global_set:
        translate_global(t);
        break;
    case OP_table_get:
    case OP_table_set:
        translate_table_access(t);
        break;
    case OP_table_size:
        translate_index(t, IR_table_size, WASM_I32);
        break;
    case OP_table_grow:
        translate_grow(t, IR_table_grow, 2);
        break;
    case OP_table_fill:
        translate_bulk(t, IR_table_fill, i->a);
        break;
    case OP_table_copy:
        translate_bulk(t, IR_table_copy, ir_pair(i->a, i->b));
        break;
    case OP_table_init:
        translate_bulk(t, IR_table_init, ir_pair(i->a, i->b));
        break;
    case OP_elem_drop:
        emit(t, ir_wide(IR_elem_drop, 0, i->a));
        break;
    case OP_memory_size:
        translate_index(t, IR_memory_size, WASM_I32);
        break;
    case OP_memory_grow:
        translate_grow(t, IR_memory_grow, 1);
        break;
    case OP_memory_fill:
        translate_bulk(t, IR_memory_fill, i->a);
        break;
    case OP_memory_copy:
        translate_bulk(t, IR_memory_copy, ir_pair(i->a, i->b));
        break;
    case OP_memory_init:
        translate_bulk(t, IR_memory_init, ir_pair(i->a, i->b));
        break;
    case OP_data_drop:
        emit(t, ir_wide(IR_data_drop, 0, i->a));
        break;
    case OP_ref_func:
        translate_index(t, IR_ref_func, WASM_FUNCREF);
        break;
    case OP_ref_is_null: {
        struct operand o = pop(t);
        uint32_t slot = slot_for(t, &o);
        uint32_t home = push_home(t, WASM_I32);
        emit(t, ir_word(IR_ref_is_null, home, slot, 0));
        break;
    }
    default:
        translate_vector(t);
        break;
    }
}

/* Code that is never reached makes nothing; only its blocks are counted. */
static void skip_dead(struct translator *t, struct reader *r)
{
    struct err ignored;
    uint32_t label;

    switch (t->insn.op) {
    case OP_block:
    case OP_loop:
    case OP_if:
        push_control(t, t->insn.op);
        break;
    case OP_else:
        if (!t->controls[t->depth - 1].was_dead)
            translate_else(t);
        break;
    case OP_end:
        if (t->controls[t->depth - 1].was_dead)
            t->depth--;
        else
            translate_end(t);
        break;
    case OP_br_table:
        for (uint32_t i = 0; i <= t->insn.a; i++) {
            if (!read_u32(r, &label, &ignored))
                return;
        }
        break;
    default:
        break;
    }
}

/* ---- the function ---- */

static bool read_locals(struct translator *t, const struct wasm_func_type *type, struct reader *r)
{
    struct reader again = *r;
    struct err ignored;
    uint32_t groups, count;
    uint8_t local;

    t->local_count = type->param_count;
    if (!read_u32(r, &groups, &ignored))
        return false;
    for (uint32_t i = 0; i < groups; i++) {
        if (!read_u32(r, &count, &ignored) || !reader_u8(r, &local))
            return false;
        t->local_count += count;
    }
    t->local_slot = malloc((size_t)(t->local_count + 1) * sizeof *t->local_slot);
    t->local_newest = calloc(t->local_count + 1, sizeof *t->local_newest);
    t->local_type = malloc(t->local_count + 1);
    if (t->local_slot == NULL || t->local_newest == NULL || t->local_type == NULL)
        return false;
    if (type->param_count != 0)
        memcpy(t->local_type, type->params, type->param_count);
    uint32_t at = type->param_count;
    if (!read_u32(&again, &groups, &ignored))
        return false;
    for (uint32_t i = 0; i < groups; i++) {
        if (!read_u32(&again, &count, &ignored) || !reader_u8(&again, &local))
            return false;
        memset(t->local_type + at, local, count);
        at += count;
    }
    for (uint32_t i = 0; i < t->local_count; i++) {
        t->local_slot[i] = t->local_slots;
        t->local_slots += slots_of(t->local_type[i]);
    }
    return true;
}

static bool run(struct translator *t, uint32_t func)
{
    const struct func *f = &t->m->funcs[func];
    const struct wasm_func_type *type = func_type_of(t->m, func);
    struct reader r = {.in = bytes_before(t->m->binary, f->body_end), .at = f->body_at};
    struct err ignored;

    if (!read_locals(t, type, &r))
        return false;
    uint32_t result_slots = slots_of_all(type->results, type->result_count);
    t->next_home = t->local_slots;
    t->most_slots = t->local_slots > result_slots ? t->local_slots : result_slots;
    push_control(t, OP_nop);
    if (t->failed)
        return false;
    t->controls[0].type = *type;
    while (t->depth != 0 && !t->failed) {
        if (!insn_read(&r, &t->insn, &ignored))
            return false;
        t->at = (uint32_t)t->insn.at;
        if (t->dead)
            skip_dead(t, &r);
        else
            translate_insn(t, &r);
    }
    return !t->failed;
}

static void translator_done(struct translator *t)
{
    free(t->words);
    free(t->operands);
    free(t->controls);
    free(t->local_slot);
    free(t->local_newest);
    free(t->local_type);
}

bool translate(const struct wasm_module *m, uint32_t func, struct engine_code **out,
               struct err *err)
{
    struct translator t = {.m = m,
                           .guard = engine_has_guard(m->engine),
                           .is_plain = m->engine->config.is_plain,
                           .locate = UINT32_MAX};
    const struct wasm_func_type *type = func_type_of(m, func);
    struct engine_code *code = NULL;

    if (run(&t, func))
        code = malloc(sizeof *code + t.count * sizeof code->words[0]);
    if (code != NULL) {
        *code = (struct engine_code){
            .word_count = t.count,
            .frame_slots = t.most_slots,
            .param_slots = slots_of_all(type->params, type->param_count),
            .local_slots = t.local_slots,
            .result_slots = slots_of_all(type->results, type->result_count),
        };
        memcpy(code->words, t.words, t.count * sizeof code->words[0]);
        *out = code;
    }
    translator_done(&t);
    return code != NULL || err_set(err, ERR_MEMORY, "no memory to translate function", func);
}

uint32_t translate_locate(const struct wasm_module *m, uint32_t func, uint32_t word)
{
    struct translator t = {.m = m,
                           .guard = engine_has_guard(m->engine),
                           .is_plain = m->engine->config.is_plain,
                           .locate = word};
    bool ok = run(&t, func);

    translator_done(&t);
    return ok ? t.located : 0;
}
