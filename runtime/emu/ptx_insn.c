/* ptx_insn: one instruction: guard, mnemonic, operands. */
#include "runtime/emu/ptx_parser.h"

#include <string.h>

static void operand(struct ptx_parser *p, struct ptx_operand *o, bool call);

struct list { /* operands until their number is known */
    struct ptx_operand *items;
    uint32_t count, capacity;
};

static struct ptx_operand *append(struct ptx_parser *p, struct list *l) {
    l->items = ptx_grow(p, l->items, l->count, &l->capacity, sizeof *l->items);
    return &l->items[l->count++];
}

/* Names resolved later are found by the address of their operand, so that items stay where they are from here
 * on. */
static void settle(struct ptx_parser *p, struct ptx_operand *o, const struct list *l) {
    o->items = l->items;
    o->count = l->count;
    for (uint32_t k = 0; k < l->count; k++)
        if (l->items[k].kind == PTX_OP_LABEL && l->items[k].name) ptx_pending_add(p, &l->items[k]);
}

static void sequence(struct ptx_parser *p, struct ptx_operand *o, enum ptx_operand_kind kind, const char *end,
                     bool call) {
    struct list l = {0};
    o->kind = kind;
    ptx_deeper(p);
    if (!ptx_is(p, end)) do
            operand(p, append(p, &l), call);
        while (ptx_accept(p, ","));
    p->depth--;
    ptx_expect(p, end);
    settle(p, o, &l);
}

static void number(struct ptx_parser *p, struct ptx_operand *o) {
    struct ptx_lexer lexer = p->lexer;
    struct ptx_token token = p->token;
    bool negative = ptx_accept(p, "-");
    if (p->token.kind == PTX_TOK_FLOAT) {
        o->kind = PTX_OP_FLOAT;
        o->f = negative ? -p->token.f : p->token.f;
        o->float_bits = p->token.float_bits;
        o->i = (int64_t)p->token.i;
        if (negative && o->float_bits == 32) o->i ^= 0x80000000ll;
        if (negative && o->float_bits == 64) o->i ^= INT64_MIN;
        ptx_next(p);
        return;
    }
    p->lexer = lexer;
    p->token = token;
    o->kind = PTX_OP_INT;
    o->i = ptx_expr(p);
}

static void name(struct ptx_parser *p, struct ptx_operand *o) {
    o->name = ptx_text(p, p->token.text, p->token.length);
    ptx_next(p);
    if (strcmp(o->name, "_") == 0) {
        o->kind = PTX_OP_SINK;
        return;
    }
    struct ptx_name *n = ptx_name_find(p, p->scope, o->name);
    if (n && n->kind == PTX_NAME_VAR) {
        o->var = n->var;
        o->kind = n->var->space == PTX_REG ? PTX_OP_REG : PTX_OP_SYMBOL;
    } else if (o->name[0] == '%') {
        o->kind = PTX_OP_SPECIAL;
    } else {
        o->kind = PTX_OP_LABEL; /* until the end of the function */
        return;
    }
    if (o->kind == PTX_OP_SYMBOL && (ptx_is(p, "+") || ptx_is(p, "-"))) o->offset = ptx_expr(p);
}

static void address(struct ptx_parser *p, struct ptx_operand *o) {
    struct list l = {0};
    o->kind = PTX_OP_ADDRESS;
    struct ptx_operand *base = append(p, &l);
    base->pos = ptx_here(p);
    if (p->token.kind == PTX_TOK_WORD && !ptx_is(p, "WARP_SZ")) {
        name(p, base);
        if (base->kind != PTX_OP_REG && base->kind != PTX_OP_SYMBOL)
            ptx_fail_at(p, base->pos, "'%s' is no register or variable: it cannot be an address", base->name);
        o->offset = base->offset;
        base->offset = 0;
        if (ptx_is(p, "+") || ptx_is(p, "-")) o->offset += ptx_expr(p);
    } else number(p, base);
    while (ptx_accept(p, ",")) operand(p, append(p, &l), false);
    ptx_expect(p, "]");
    settle(p, o, &l);
}

static void simple(struct ptx_parser *p, struct ptx_operand *o, bool call) {
    o->pos = ptx_here(p);
    if (ptx_accept(p, "{")) sequence(p, o, PTX_OP_VECTOR, "}", false);
    else if (ptx_accept(p, "[")) address(p, o);
    else if (call && ptx_accept(p, "(")) sequence(p, o, PTX_OP_LIST, ")", false);
    else if (p->token.kind == PTX_TOK_PUNCT && ptx_is(p, "!")) {
        struct ptx_lexer lexer = p->lexer;
        struct ptx_token token = p->token;
        ptx_next(p);
        if (p->token.kind == PTX_TOK_WORD) {
            name(p, o);
            o->negated = true;
        } else {
            p->lexer = lexer;
            p->token = token;
            number(p, o);
        }
    } else if (p->token.kind == PTX_TOK_WORD && !ptx_is(p, "WARP_SZ")) name(p, o);
    else number(p, o);
}

static void operand(struct ptx_parser *p, struct ptx_operand *o, bool call) {
    simple(p, o, call);
    if (!ptx_is(p, "|") || (o->kind != PTX_OP_REG && o->kind != PTX_OP_SINK)) return;
    struct list l = {0};
    struct ptx_pos pos = o->pos;
    *append(p, &l) = *o;
    ptx_next(p);
    simple(p, append(p, &l), false);
    *o = (struct ptx_operand){.kind = PTX_OP_PAIR, .pos = pos};
    settle(p, o, &l);
}

static struct ptx_operand *guard(struct ptx_parser *p) {
    struct ptx_operand *o = ptx_alloc(p, sizeof *o);
    o->negated = ptx_accept(p, "!");
    o->pos = ptx_here(p);
    if (p->token.kind != PTX_TOK_WORD) ptx_fail(p, "a predicate is wanted behind '@'");
    bool negated = o->negated;
    name(p, o);
    o->negated = negated;
    if (o->kind != PTX_OP_REG || o->var->type.bytes != 0)
        ptx_fail_at(p, o->pos, "'%s' is no predicate register", o->name);
    return o;
}

void ptx_instruction(struct ptx_parser *p) {
    struct ptx_function *f = p->function;
    f->insns = ptx_grow(p, f->insns, f->insn_count, &p->insn_capacity, sizeof *f->insns);
    struct ptx_insn insn = {.pos = ptx_here(p), .under = p->under};
    if (ptx_accept(p, "@")) insn.guard = guard(p);
    if (insn.guard) insn.pos = ptx_here(p);
    if (p->token.kind != PTX_TOK_WORD || p->token.text[0] == '.' || p->token.text[0] == '%')
        ptx_fail(p, "an instruction is wanted");
    insn.mnemonic = ptx_text(p, p->token.text, p->token.length);
    ptx_next(p);
    bool call = strncmp(insn.mnemonic, "call", 4) == 0;
    struct ptx_operand all = {0};
    if (!ptx_is(p, ";")) sequence(p, &all, PTX_OP_LIST, ";", call);
    else ptx_next(p);
    insn.operands = all.items;
    insn.count = all.count;
    f->insns[f->insn_count++] = insn;
}

void ptx_label_list(struct ptx_parser *p, const char *text, struct ptx_pos pos) {
    struct ptx_operand *o = ptx_alloc(p, sizeof *o);
    sequence(p, o, PTX_OP_LIST, ";", false);
    ptx_name_add(p, text, PTX_NAME_TARGETS, pos)->targets = o;
}
