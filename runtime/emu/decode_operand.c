/* decode_operand: the operands of one instruction against the operand column of a row. */
#include <string.h>

#include "runtime/emu/decoder.h"

/* ---- the column's text ---- */

/* clang-format off */
static const struct {
    const char *text;
    enum emu_column_type type;
    uint8_t bytes;
} column_types[] = {
    {"pred", EMU_COL_PRED, 0},   {"b8", EMU_COL_BITS, 1},    {"b16", EMU_COL_BITS, 2},    {"b32", EMU_COL_BITS, 4},
    {"b64", EMU_COL_BITS, 8},    {"b128", EMU_COL_BITS, 16}, {"f32", EMU_COL_FLOAT, 4},   {"f64", EMU_COL_FLOAT, 8},
    {"mem", EMU_COL_MEM, 0},     {"tmap", EMU_COL_TMAP, 0},  {"mask", EMU_COL_MASK, 4},   {"imm", EMU_COL_IMM, 0},
    {"label", EMU_COL_LABEL, 0}, {"sym", EMU_COL_SYM, 0},    {"labels", EMU_COL_LABELS, 0}, {"clock", EMU_COL_CLOCK, 0},
    {"list", EMU_COL_LIST, 0},
};
/* clang-format on */

static const char *parse_alternative(const char *s, struct emu_column *c) {
    size_t length = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789");
    for (size_t k = 0; k < sizeof column_types / sizeof column_types[0]; k++)
        if (strlen(column_types[k].text) == length && memcmp(column_types[k].text, s, length) == 0 &&
            c->count < 3) {
            c->alt[c->count].type = column_types[k].type;
            c->alt[c->count++].bytes = column_types[k].bytes;
        }
    return s + length;
}

uint32_t emu_columns_parse(const char *s, struct emu_column *columns, uint32_t capacity) {
    uint32_t n = 0;
    while (*s && n < capacity) {
        while (*s == ' ' || *s == ',') s++;
        if (!*s) break;
        struct emu_column *c = &columns[n++];
        *c = (struct emu_column){.text = s};
        for (c->dest = *s == '='; *s && *s != ',';) {
            if (*s == '=' || *s == '|' || *s == ' ') s++;
            else if (*s == '*') c->vector = true, s++;
            else if (*s == '+') c->wider = true, s++;
            else if (*s == '?') c->optional = true, s++;
            else s = parse_alternative(s, c);
        }
        c->length = (int)(s - c->text);
        if (c->count == 2 && c->alt[1].type == EMU_COL_PRED) {
            c->pair = true;
            c->count = 1;
        }
    }
    return n;
}

/* ---- constants and special lanes ---- */

/* Slots of the constant pool, all lanes equal; a predicate is 0 bytes. */
static uint32_t constant_slot(struct emu_decoder *d, uint64_t value, uint8_t bytes) {
    struct emu_constant **bucket =
        &d->constants[(value * 0x9e3779b97f4a7c15ull >> 40 ^ bytes) % EMU_CONSTANT_BUCKETS];
    for (struct emu_constant *c = *bucket; c; c = c->next)
        if (c->value == value && c->bytes == bytes) return c->slot;
    uint32_t slots = bytes == 16 ? 4 : bytes == 8 ? 2 : 1;
    while (d->const_slots + slots > d->const_capacity)
        d->consts = emu_decode_grow(d, d->consts, d->const_capacity, &d->const_capacity, EMU_SLOT_BYTES);
    struct emu_constant *c = emu_decode_alloc(d, sizeof *c);
    *c = (struct emu_constant){*bucket, value, bytes, d->const_slots};
    *bucket = c;
    uint8_t *lanes = d->consts + (uint64_t)d->const_slots * EMU_SLOT_BYTES;
    for (uint32_t lane = 0; lane < EMU_LANES; lane++) {
        if (slots > 1) ((uint64_t *)lanes)[lane] = value;
        else ((uint32_t *)lanes)[lane] = (uint32_t)value;
    }
    d->const_slots += slots;
    return c->slot;
}

struct emu_opnd emu_decode_const(struct emu_decoder *d, uint64_t value, uint8_t bytes) {
    return (struct emu_opnd){
        .kind = EMU_OP_LANES, .bank = EMU_BANK_CONST, .bytes = bytes, .slot = constant_slot(d, value, bytes)};
}

struct emu_opnd emu_decode_special(struct emu_decoder *d, enum emu_special what, int64_t value,
                                   uint8_t bytes) {
    struct emu_function *fn = d->fn;
    struct emu_opnd o = {
        .kind = bytes ? EMU_OP_LANES : EMU_OP_PRED, .bank = EMU_BANK_SPECIAL, .bytes = bytes};
    for (uint32_t k = 0; k < fn->special_count; k++)
        if (d->specials[k].what == what && d->specials[k].value == value && d->specials[k].bytes == bytes) {
            o.slot = d->specials[k].slot;
            return o;
        }
    d->specials =
        emu_decode_grow(d, d->specials, fn->special_count, &d->special_capacity, sizeof *d->specials);
    d->specials[fn->special_count++] = (struct emu_special_lanes){what, value, bytes, fn->special_slots};
    o.slot = fn->special_slots;
    fn->special_slots += bytes == 8 ? 2 : 1;
    return o;
}

/* ---- one operand ---- */

/* A variable's address as lanes of `bytes` (0: as wide as it is by nature); false: it has none of that width.
 */
static bool symbol(struct emu_decoder *d, const struct ptx_operand *p, int64_t offset, uint8_t bytes,
                   struct emu_opnd *o) {
    const struct ptx_var *v = p->var;
    switch (v->space) {
    case PTX_SHARED:
        *o = emu_decode_special(d, v->external ? EMU_SPECIAL_DYNAMIC : EMU_SPECIAL_SHARED,
                                (v->external ? 0 : (int64_t)v->slot) + offset, bytes ? bytes : 4);
        break;
    case PTX_PARAM: {
        bool of_kernel = false;
        for (uint32_t k = 0; d->source == d->fn->source && k < d->source->param_count; k++)
            of_kernel = of_kernel || d->source->params[k] == v;
        if (!of_kernel) { /* a parameter of a call lives in local memory */
            *o = emu_decode_const(d, v->slot + (uint64_t)offset, bytes ? bytes : 8);
            o->space = PTX_LOCAL;
            return true;
        }
        if (bytes && bytes != 8) return false;
        *o = emu_decode_special(d, EMU_SPECIAL_PARAM, (int64_t)v->slot + offset, 8);
        break;
    }
    case PTX_LOCAL: *o = emu_decode_const(d, v->slot + (uint64_t)offset, bytes ? bytes : 8); break;
    case PTX_GLOBAL:
    case PTX_CONST: {
        const struct ptx_module *m = d->module->ptx;
        if (bytes && bytes != 8) return false;
        for (uint32_t k = 0; k < m->variable_count; k++)
            if (m->variables[k] == v) {
                if (d->module->addresses[k] == 0)
                    emu_decode_fail_at(d, p->pos, "'%s' is external: it has no address", v->name);
                *o = emu_decode_const(d, d->module->addresses[k] + (uint64_t)offset, 8);
            }
        break;
    }
    default: return false;
    }
    o->space = (uint8_t)v->space;
    return true;
}

static bool fits_width(int64_t v, uint8_t bytes) {
    if (bytes >= 8) return true;
    return v >= -(1ll << (8 * bytes - 1)) && v < 1ll << (8 * bytes);
}

static bool float_value(const struct ptx_operand *p, bool float_column, uint8_t bytes, uint64_t *bits) {
    if (p->float_bits == 8 * bytes) *bits = (uint64_t)p->i;
    else if (!float_column) return false;
    else if (bytes == 4) {
        float f = (float)p->f;
        uint32_t u;
        memcpy(&u, &f, sizeof u);
        *bits = u;
    } else memcpy(bits, &p->f, sizeof *bits);
    return true;
}

static bool lanes(struct emu_decoder *d, const struct emu_column *c, int alt, const struct ptx_operand *p,
                  struct emu_opnd *o) {
    uint8_t bytes = c->alt[alt].bytes;
    bool is_float = c->alt[alt].type == EMU_COL_FLOAT;
    if (p->negated) return false;
    if (p->kind == PTX_OP_SINK && c->dest) {
        *o =
            (struct emu_opnd){.kind = EMU_OP_SINK, .bytes = bytes, .slot = d->fn->reg_slots - EMU_SINK_SLOTS};
        return true;
    }
    if (p->kind == PTX_OP_REG) {
        uint8_t have = p->var->type.bytes;
        *o = (struct emu_opnd){
            .kind = EMU_OP_LANES, .bank = EMU_BANK_REGS, .bytes = have, .slot = p->var->slot};
        return have == bytes || (have > bytes && c->wider);
    }
    if (c->dest) return false;
    if (p->kind == PTX_OP_INT && !is_float && fits_width(p->i, bytes)) {
        *o = emu_decode_const(d, bytes >= 8 ? (uint64_t)p->i : (uint64_t)p->i & ((1ull << 8 * bytes) - 1),
                              bytes);
        return true;
    }
    if (p->kind == PTX_OP_FLOAT) {
        uint64_t bits;
        if (bytes < 4 || bytes > 8 || !float_value(p, is_float, bytes, &bits)) return false;
        *o = emu_decode_const(d, bits, bytes);
        return true;
    }
    if (p->kind == PTX_OP_SYMBOL && !is_float) return symbol(d, p, p->offset, bytes, o);
    if (p->kind == PTX_OP_SPECIAL && !is_float) {
        enum emu_special what;
        int64_t value;
        uint8_t have;
        if (!emu_special_find(p->name, &what, &value, &have) || have == 0 || bytes < 2 || bytes > 8)
            return false;
        *o = emu_decode_special(d, what, value, bytes < 4 ? 4 : bytes);
        o->bytes = bytes;
        return true;
    }
    return false;
}

static bool predicate(struct emu_decoder *d, const struct emu_column *c, const struct ptx_operand *p,
                      struct emu_opnd *o) {
    if (p->kind == PTX_OP_SINK && c->dest) {
        *o = (struct emu_opnd){.kind = EMU_OP_SINK, .slot = d->fn->reg_slots - EMU_SINK_SLOTS};
        return true;
    }
    if (p->kind == PTX_OP_REG && p->var->type.bytes == 0) {
        *o = (struct emu_opnd){
            .kind = EMU_OP_PRED, .bank = EMU_BANK_REGS, .slot = p->var->slot, .negated = p->negated};
        return !(c->dest && p->negated);
    }
    if (c->dest) return false;
    if (p->kind == PTX_OP_INT) {
        *o = (struct emu_opnd){
            .kind = EMU_OP_PRED, .bank = EMU_BANK_CONST, .slot = constant_slot(d, p->i ? EMU_FULL : 0, 0)};
        return true;
    }
    enum emu_special what;
    int64_t value;
    uint8_t bytes;
    if (p->kind != PTX_OP_SPECIAL || !emu_special_find(p->name, &what, &value, &bytes) || bytes != 0)
        return false;
    *o = emu_decode_special(d, what, value, 0);
    return true;
}

static bool base(struct emu_decoder *d, const struct ptx_operand *p, int64_t offset, struct emu_opnd *o) {
    const struct ptx_operand *b = &p->items[0];
    if (b->kind == PTX_OP_REG) {
        uint8_t bytes = b->var->type.bytes;
        if (bytes != 4 && bytes != 8) return false;
        *o = (struct emu_opnd){.bank = EMU_BANK_REGS, .bytes = bytes, .slot = b->var->slot, .imm = offset};
    } else if (b->kind == PTX_OP_SYMBOL) {
        if (!symbol(d, b, offset, 0, o)) return false;
    } else if (b->kind == PTX_OP_INT) {
        *o = emu_decode_const(d, (uint64_t)b->i, 8);
    } else return false;
    o->kind = EMU_OP_ADDRESS;
    return true;
}

static bool address(struct emu_decoder *d, const struct ptx_operand *p, bool tensor, struct emu_opnd *o) {
    static const struct emu_column coordinate = {.count = 1, .alt = {{EMU_COL_BITS, 4}}};
    if (p->kind != PTX_OP_ADDRESS || p->count != (tensor ? 2u : 1u)) return false;
    if (!base(d, p, p->offset, o)) return false;
    if (!tensor) return true;
    const struct ptx_operand *v = &p->items[1];
    if (v->kind != PTX_OP_VECTOR || v->count > 8) return false;
    struct emu_opnd *elems = emu_decode_alloc(d, (v->count + 1) * sizeof *elems);
    elems[0] = *o;
    for (uint32_t k = 0; k < v->count; k++)
        if (!lanes(d, &coordinate, 0, &v->items[k], &elems[k + 1])) return false;
    o->elems = elems;
    o->count = (uint16_t)v->count;
    return true;
}

static bool vector(struct emu_decoder *d, const struct emu_column *c, int alt, const struct ptx_operand *p,
                   struct emu_opnd *o) {
    bool many = p->kind == PTX_OP_VECTOR;
    uint32_t count = many ? p->count : 1;
    struct emu_opnd *elems = emu_decode_alloc(d, (count ? count : 1) * sizeof *elems);
    *o = (struct emu_opnd){
        .kind = EMU_OP_VECTOR, .bytes = c->alt[alt].bytes, .count = (uint16_t)count, .elems = elems};
    for (uint32_t k = 0; k < count; k++)
        if (!lanes(d, c, alt, many ? &p->items[k] : p, &elems[k])) return false;
    return count > 0;
}

static bool fit_one(struct emu_decoder *d, const struct emu_column *c, int alt, const struct ptx_operand *p,
                    struct emu_insn *insn, struct emu_opnd *o) {
    *o = (struct emu_opnd){0};
    switch (c->alt[alt].type) {
    case EMU_COL_PRED: return predicate(d, c, p, o);
    case EMU_COL_BITS:
    case EMU_COL_FLOAT: return c->vector ? vector(d, c, alt, p, o) : lanes(d, c, alt, p, o);
    case EMU_COL_MASK: insn->member_op = (uint8_t)(o - insn->op + 1); return lanes(d, c, alt, p, o);
    case EMU_COL_MEM: return address(d, p, false, o);
    case EMU_COL_TMAP: return address(d, p, true, o);
    case EMU_COL_IMM: *o = (struct emu_opnd){.kind = EMU_OP_IMM, .imm = p->i}; return p->kind == PTX_OP_INT;
    case EMU_COL_LABEL:
        *o = (struct emu_opnd){.kind = EMU_OP_LABEL, .imm = p->i};
        return p->kind == PTX_OP_LABEL;
    case EMU_COL_LABELS:
    case EMU_COL_LIST:
        *o = (struct emu_opnd){.kind = EMU_OP_LABEL, .count = (uint16_t)p->count};
        return p->kind == PTX_OP_LIST;
    case EMU_COL_SYM:
        *o = (struct emu_opnd){.kind = EMU_OP_IMM, .imm = p->i};
        return p->kind == PTX_OP_FUNCTION;
    case EMU_COL_CLOCK:
        *o = (struct emu_opnd){.kind = EMU_OP_IMM};
        if (p->kind != PTX_OP_SPECIAL) return false;
        o->imm = emu_clock_find(p->name, &o->bytes);
        return o->imm != 0;
    }
    return false;
}

static bool fit_alternatives(struct emu_decoder *d, const struct emu_column *c, const struct ptx_operand *p,
                             struct emu_insn *insn, struct emu_opnd *o) {
    for (int alt = 0; alt < c->count; alt++)
        if (fit_one(d, c, alt, p, insn, o)) return true;
    return false;
}

/* d or d|p */
static bool fit_pair(struct emu_decoder *d, const struct emu_column *c, const struct ptx_operand *p,
                     struct emu_insn *insn, struct emu_opnd *o) {
    static const struct emu_column second = {.dest = true, .count = 1, .alt = {{EMU_COL_PRED, 0}}};
    o[1] = (struct emu_opnd){.kind = EMU_OP_NONE};
    if (p->kind != PTX_OP_PAIR) return fit_alternatives(d, c, p, insn, o);
    return fit_alternatives(d, c, &p->items[0], insn, o) && predicate(d, &second, &p->items[1], &o[1]);
}

struct fit {
    struct emu_column columns[10];
    uint32_t count;
};

/* Columns from ci on against operands from pi on, results from op[oi] on. */
static bool fit_from(struct emu_decoder *d, const struct fit *f, uint32_t ci, uint32_t pi, uint32_t oi,
                     struct emu_insn *insn) {
    const struct ptx_insn *source = d->insn;
    if (ci == f->count) {
        insn->op_count = (uint8_t)oi;
        if (pi > d->operand_failed && pi < source->count) d->operand_failed = pi;
        return pi == source->count;
    }
    const struct emu_column *c = &f->columns[ci];
    uint32_t width = c->pair ? 2 : 1;
    if (pi < source->count) {
        const struct ptx_operand *p = &source->operands[pi];
        bool fits =
            c->pair ? fit_pair(d, c, p, insn, &insn->op[oi]) : fit_alternatives(d, c, p, insn, &insn->op[oi]);
        if (fits && fit_from(d, f, ci + 1, pi + 1, oi + width, insn)) return true;
    }
    if (pi > d->operand_failed) d->operand_failed = pi;
    if (!c->optional) return false;
    memset(&insn->op[oi], 0, width * sizeof insn->op[oi]);
    return fit_from(d, f, ci + 1, pi, oi + width, insn);
}

bool emu_operands_fit(struct emu_decoder *d, const struct emu_row *row, struct emu_insn *insn) {
    struct fit f;
    f.count = emu_columns_parse(row->operands, f.columns, 10);
    insn->member_op = 0;
    return fit_from(d, &f, 0, 0, 0, insn);
}
