/* sem_atomic: atom and red. PTX ISA 9.1 §9.7.13.5, .6. Compare-and-swap on the host's memory, since other
 * clusters run on other host threads; a vector is as many atomics, one by one. */
#include <string.h>

#include "runtime/emu/decode.h"
#include "runtime/emu/float.h"
#include "runtime/emu/format.h"
#include "runtime/emu/lanes.h"
#include "runtime/emu/ptx_parser.h"
#include "runtime/emu/reduce.h"

enum kind { UNSIGNED, SIGNED, FLOAT, HALF, HALF2 };

struct atomic;
typedef uint64_t combine_fn(uint64_t old, uint64_t value, const struct atomic *a);

struct atomic {
    combine_fn *combine;
    uint32_t count, bytes;
    enum { IN_GENERIC, IN_GLOBAL, IN_OWN_SHARED, IN_SHARED } where;
    bool global;               /* the place at hand; generic addresses tell only then */
    enum emu_format_id format; /* of halves */
};

/* ---- what becomes of the old value ---- */

/* clang-format off */
static uint64_t add(uint64_t o, uint64_t v, const struct atomic *a) { (void)a; return o + v; }
static uint64_t and_(uint64_t o, uint64_t v, const struct atomic *a) { (void)a; return o & v; }
static uint64_t or_(uint64_t o, uint64_t v, const struct atomic *a) { (void)a; return o | v; }
static uint64_t xor_(uint64_t o, uint64_t v, const struct atomic *a) { (void)a; return o ^ v; }
static uint64_t exch(uint64_t o, uint64_t v, const struct atomic *a) { (void)a, (void)o; return v; }
static uint64_t inc(uint64_t o, uint64_t v, const struct atomic *a) { (void)a; return o >= v ? 0 : o + 1; }
static uint64_t dec(uint64_t o, uint64_t v, const struct atomic *a) { (void)a; return o == 0 || o > v ? v : o - 1; }
static uint64_t min_u(uint64_t o, uint64_t v, const struct atomic *a) { (void)a; return o < v ? o : v; }
static uint64_t max_u(uint64_t o, uint64_t v, const struct atomic *a) { (void)a; return o > v ? o : v; }
static uint64_t min_s32(uint64_t o, uint64_t v, const struct atomic *a) { (void)a; return (int32_t)o < (int32_t)v ? o : v; }
static uint64_t max_s32(uint64_t o, uint64_t v, const struct atomic *a) { (void)a; return (int32_t)o > (int32_t)v ? o : v; }
static uint64_t min_s64(uint64_t o, uint64_t v, const struct atomic *a) { (void)a; return (int64_t)o < (int64_t)v ? o : v; }
static uint64_t max_s64(uint64_t o, uint64_t v, const struct atomic *a) { (void)a; return (int64_t)o > (int64_t)v ? o : v; }
/* clang-format on */

/* Global memory flushes subnormals, shared memory keeps them (§9.7.13.5). */
static uint64_t add_f32(uint64_t o, uint64_t v, const struct atomic *a) {
    float x = emu_f32_of_bits((uint32_t)o), y = emu_f32_of_bits((uint32_t)v);
    float r = a->global ? emu_flushed(emu_flushed(x) + emu_flushed(y)) : x + y;
    return emu_bits_of_f32(emu_one_nan(r));
}
static uint64_t add_f64(uint64_t o, uint64_t v, const struct atomic *a) { return emu_atomic_add_f64(o, v, a->global); }

enum half_op { HALF_ADD, HALF_MIN, HALF_MAX };

static uint32_t half(uint32_t o, uint32_t v, enum emu_format_id id, enum half_op op) {
    double x = emu_format_value(id, o), y = emu_format_value(id, v), r;
    if (op == HALF_ADD) {
        double s = x + y;
        r = emu_round_to_odd(s, isfinite(s) ? emu_sum_error(x, y, s) : 0);
    } else if (x != x || y != y) r = x != x ? y : x;
    else if (x == y) r = (op == HALF_MIN) == (signbit(x) != 0) ? x : y;
    else r = (x < y) == (op == HALF_MIN) ? x : y;
    return emu_format_round(id, r, (struct emu_format_how){.round = EMU_RN});
}

#define HALVES(name, op)                                                                                     \
    static uint64_t name(uint64_t o, uint64_t v, const struct atomic *a) {                                   \
        uint32_t low = half((uint32_t)o & 0xffff, (uint32_t)v & 0xffff, a->format, op);                      \
        if (a->bytes == 2) return low;                                                                       \
        return half((uint32_t)o >> 16, (uint32_t)v >> 16, a->format, op) << 16 | low;                        \
    }
HALVES(add_half, HALF_ADD)
HALVES(min_half, HALF_MIN)
HALVES(max_half, HALF_MAX)

/* ---- memory ---- */

#define SWAP(T)                                                                                              \
    static uint64_t swap_##T(uint8_t *p, uint64_t v, const struct atomic *a) {                               \
        T *at = (T *)(void *)p, old = __atomic_load_n(at, __ATOMIC_RELAXED);                                 \
        while (!__atomic_compare_exchange_n(at, &old, (T)a->combine(old, v, a), true, __ATOMIC_SEQ_CST,      \
                                            __ATOMIC_RELAXED)) {}                                            \
        return old;                                                                                          \
    }
SWAP(uint16_t)
SWAP(uint32_t)
SWAP(uint64_t)

static uint64_t swap(uint8_t *p, uint64_t v, const struct atomic *a) {
    if (a->bytes == 2) return swap_uint16_t(p, v, a);
    if (a->bytes == 4) return swap_uint32_t(p, v, a);
    return swap_uint64_t(p, v, a);
}

static uint8_t *locate(struct emu_warp *w, const struct emu_insn *insn, const struct emu_opnd *o,
                       uint32_t bytes, uint32_t lane) {
    const struct atomic *a = insn->extra;
    uint64_t address = emu_address(w, o, lane);
    if (a->where == IN_GENERIC) return emu_generic_at(w, insn, address, bytes, bytes, lane);
    if (a->where == IN_GLOBAL) return emu_global_at(w, insn, address, bytes, bytes, lane);
    return emu_shared_at(w, insn, address, bytes, bytes, lane, a->where == IN_OWN_SHARED);
}

static void set(struct emu_warp *w, const struct emu_opnd *d, uint32_t lane, uint64_t v) {
    if (d->bytes >= 8) emu_set_lane64(w, d, lane, v);
    else emu_set_lane32(w, d, lane, (uint32_t)v);
}

static bool in_shared(const struct atomic *a, uint64_t address) {
    uint32_t shared;
    return a->where == IN_GENERIC ? emu_generic_is_shared(address, &shared) : a->where != IN_GLOBAL;
}

static enum emu_step run(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask,
                         const struct emu_opnd *d, const struct emu_opnd *m, const struct emu_opnd *v) {
    struct atomic a = *(const struct atomic *)insn->extra;
    EMU_FOR_LANES(mask, i) {
        uint8_t *p = locate(w, insn, m, a.bytes * a.count, i);
        if (!p) return EMU_FAULT;
        a.global = !in_shared(&a, emu_address(w, m, i));
        for (uint32_t k = 0; k < a.count; k++) {
            uint64_t old = swap(p + k * a.bytes, emu_lane(w, &v->elems[k], i), &a);
            if (d) set(w, &d->elems[k], i, old);
        }
    }
    emu_notify(w->cta->cluster);
    return EMU_NEXT;
}

EMU_SEM_HEAD(sem_atom) { return run(w, insn, mask, &insn->op[0], &insn->op[1], &insn->op[2]); }
EMU_SEM_HEAD(sem_red) { return run(w, insn, mask, NULL, &insn->op[0], &insn->op[1]); }

#define CAS(T)                                                                                               \
    do {                                                                                                     \
        T expected = (T)compare;                                                                             \
        __atomic_compare_exchange_n((T *)(void *)p, &expected, (T)value, false, __ATOMIC_SEQ_CST,            \
                                    __ATOMIC_SEQ_CST);                                                       \
        return expected;                                                                                     \
    } while (0)
static uint64_t cas(uint8_t *p, uint32_t bytes, uint64_t compare, uint64_t value) {
    if (bytes == 2) CAS(uint16_t);
    if (bytes == 4) CAS(uint32_t);
    CAS(uint64_t);
}

EMU_SEM_HEAD(sem_atom_cas) {
    const struct atomic *a = insn->extra;
    EMU_FOR_LANES(mask, i) {
        uint8_t *p = locate(w, insn, &insn->op[1], a->bytes, i);
        if (!p) return EMU_FAULT;
        set(w, &insn->op[0], i, cas(p, a->bytes, emu_lane(w, &insn->op[2], i), emu_lane(w, &insn->op[3], i)));
    }
    emu_notify(w->cta->cluster);
    return EMU_NEXT;
}

/* 128 bits: one lock for the process, since not every host has an instruction for it; plain accesses that
 * overlap are not ordered by it, as the manual's model of mixed-size races allows. */
static int lock_128;

EMU_SEM_HEAD(sem_atom_128) {
    bool compare = insn->op[3].kind != EMU_OP_NONE && insn->op[3].bytes == 16;
    const struct emu_opnd *d = &insn->op[0], *value = &insn->op[compare ? 3 : 2];
    EMU_FOR_LANES(mask, i) {
        uint64_t old[2], v[2], expected[2];
        uint8_t *p = locate(w, insn, &insn->op[1], 16, i);
        if (!p) return EMU_FAULT;
        for (uint32_t k = 0; k < 2; k++) {
            v[k] = ((const uint64_t *)emu_lanes(w, value))[k * EMU_LANES + i];
            expected[k] = ((const uint64_t *)emu_lanes(w, &insn->op[2]))[k * EMU_LANES + i];
        }
        while (__atomic_exchange_n(&lock_128, 1, __ATOMIC_ACQUIRE)) {}
        memcpy(old, p, 16);
        if (!compare || memcmp(old, expected, 16) == 0) memcpy(p, v, 16);
        __atomic_store_n(&lock_128, 0, __ATOMIC_RELEASE);
        for (uint32_t k = 0; k < 2; k++) ((uint64_t *)emu_lanes(w, d))[k * EMU_LANES + i] = old[k];
    }
    emu_notify(w->cta->cluster);
    return EMU_NEXT;
}

/* ---- decoding ---- */

static const struct {
    const char *op;
    combine_fn *by_kind[5][2]; /* UNSIGNED, SIGNED, FLOAT, HALF, HALF2; 32 (or fewer) and 64 bits */
} operations[] = {
    {"add", {{add, add}, {add, add}, {add_f32, add_f64}, {add_half}, {add_half}}},
    {"min", {{min_u, min_u}, {min_s32, min_s64}, {NULL}, {min_half}, {min_half}}},
    {"max", {{max_u, max_u}, {max_s32, max_s64}, {NULL}, {max_half}, {max_half}}},
    {"inc", {{inc}}},
    {"dec", {{dec}}},
    {"and", {{and_, and_}}},
    {"or", {{or_, or_}}},
    {"xor", {{xor_, xor_}}},
    {"exch", {{exch, exch}, {exch, exch}, {exch, exch}}},
};

static enum kind kind_of(const char *type) {
    if (strcmp(type, "f32") == 0 || strcmp(type, "f64") == 0) return FLOAT;
    if (strstr(type, "16x2")) return HALF2;
    if (strstr(type, "f16")) return HALF;
    return type[0] == 's' ? SIGNED : UNSIGNED;
}

static struct atomic *decode(struct emu_decoder *d, struct emu_insn *insn) {
    const char *name = insn->source->mnemonic;
    struct atomic *a = emu_decode_alloc(d, sizeof *a);
    struct ptx_type type = {.bytes = 4};
    const char *suffix = strrchr(name, '.') + 1;
    ptx_type_find(suffix, (uint32_t)strlen(suffix), &type);
    a->bytes = type.bytes;
    a->count = emu_mnemonic_has(name, "v2")   ? 2
               : emu_mnemonic_has(name, "v4") ? 4
               : emu_mnemonic_has(name, "v8") ? 8
                                              : 1;
    a->where = IN_GENERIC;
    if (emu_mnemonic_has(name, "global")) a->where = IN_GLOBAL;
    if (emu_mnemonic_has(name, "shared") || emu_mnemonic_has(name, "shared::cta")) a->where = IN_OWN_SHARED;
    if (emu_mnemonic_has(name, "shared::cluster")) a->where = IN_SHARED;
    a->format = strncmp(suffix, "bf16", 4) == 0 ? EMU_BF16 : EMU_F16;
    insn->extra = a;
    return a;
}

static void decode_combine(struct emu_decoder *d, struct emu_insn *insn, const struct emu_opnd *value) {
    struct atomic *a = decode(d, insn);
    const char *name = insn->source->mnemonic;
    enum kind kind = kind_of(strrchr(name, '.') + 1);
    for (size_t k = 0; k < sizeof operations / sizeof operations[0]; k++)
        if (emu_mnemonic_has(name, operations[k].op)) a->combine = operations[k].by_kind[kind][a->bytes == 8];
    if (!a->combine) emu_decode_fail(d, insn, "'%s': the operation does not exist for this type", name);
    if (value->count != a->count)
        emu_decode_fail(d, insn, "'%s' takes %u registers, not %u", name, a->count, value->count);
}

void emu_decode_atom(struct emu_decoder *d, struct emu_insn *insn) {
    decode_combine(d, insn, &insn->op[2]);
    if (insn->op[0].count != insn->op[2].count)
        emu_decode_fail(d, insn, "'%s' gives %u registers and takes %u", insn->source->mnemonic,
                        insn->op[0].count, insn->op[2].count);
}
void emu_decode_red(struct emu_decoder *d, struct emu_insn *insn) { decode_combine(d, insn, &insn->op[1]); }
void emu_decode_atom_cas(struct emu_decoder *d, struct emu_insn *insn) { decode(d, insn); }
void emu_decode_atom_128(struct emu_decoder *d, struct emu_insn *insn) { decode(d, insn); }
