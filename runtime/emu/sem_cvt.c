/* sem_cvt: conversions between integers and floats of all sizes. PTX ISA 9.1 §9.7.9.21.
 *
 * What a row's mnemonic says is worked out once by its decoder (struct conversion in insn->extra); the common
 * conversions then get a loop of their own. */
#include <math.h>

#include "runtime/emu/decode.h"
#include "runtime/emu/float.h"
#include "runtime/emu/format.h"

struct type {
    uint8_t bytes;
    bool is_float, is_signed;
    enum emu_format_id format; /* two-byte floats */
};

static const struct type int_types[] = {
    /* order of the rows' angle */
    {1, false, false, 0}, {1, false, true, 0}, {2, false, false, 0}, {2, false, true, 0},
    {4, false, false, 0}, {4, false, true, 0}, {8, false, false, 0}, {8, false, true, 0},
};
static const struct type float_types[] = {
    {2, true, true, EMU_F16},
    {2, true, true, EMU_BF16},
    {4, true, true, 0},
    {8, true, true, 0},
};

enum rounding { NONE, RN, RZ, RM, RP, RNI, RZI, RMI, RPI }; /* order of the rows' angle */

struct conversion {
    struct type to, from;
    enum rounding round;
    bool ftz, sat;
};

/* ---- lanes in and out ---- */

/* An integer of any size as 64 bits, sign- or zero-extended. */
EMU_INLINE uint64_t load_int(const struct emu_warp *w, const struct emu_opnd *o, uint32_t lane,
                             struct type t) {
    uint64_t v = emu_lane(w, o, lane);
    uint32_t unused = 64 - 8 * t.bytes;
    return t.is_signed ? (uint64_t)((int64_t)(v << unused) >> unused) : v << unused >> unused;
}

/* Destinations wider than the type are extended as the type says. */
EMU_INLINE void store_int(const struct emu_warp *w, const struct emu_opnd *o, uint32_t lane, struct type t,
                          uint64_t v) {
    uint32_t unused = 64 - 8 * t.bytes;
    v = t.is_signed ? (uint64_t)((int64_t)(v << unused) >> unused) : v << unused >> unused;
    if (o->bytes == 8) emu_set_lane64(w, o, lane, v);
    else emu_set_lane32(w, o, lane, (uint32_t)v & (o->bytes == 4 ? UINT32_MAX : (1u << 8 * o->bytes) - 1));
}

static double load_float(const struct emu_warp *w, const struct emu_opnd *o, uint32_t lane,
                         const struct conversion *c) {
    uint64_t v = emu_lane(w, o, lane);
    if (c->from.bytes == 2) return emu_format_value(c->from.format, (uint32_t)v & 0xffff);
    if (c->from.bytes == 8) return emu_f64_of_bits(v);
    float f = emu_f32_of_bits((uint32_t)v);
    bool to_f16 = c->to.is_float && c->to.bytes == 2 &&
                  c->to.format == EMU_F16; /* .ftz does nothing there [captured] */
    return c->ftz && !to_f16 ? emu_flushed(f) : f;
}

/* The exact value v + error (error 0 but for 64-bit integers) in the destination's type. */
static void store_float(const struct emu_warp *w, const struct emu_opnd *o, uint32_t lane,
                        const struct conversion *c, double v, double error) {
    enum emu_round round = c->round >= RN && c->round <= RP ? (enum emu_round)(c->round - RN) : EMU_RN;
    if (c->sat) {
        v = v > 0 ? (v < 1 ? v : 1) : 0;
        error = 0;
    }
    if (c->to.bytes == 8) {
        bool up = round == EMU_RP || (round == EMU_RZ && v < 0),
             down = round == EMU_RM || (round == EMU_RZ && v > 0);
        if (error > 0 && up) v = nextafter(v, INFINITY);
        if (error < 0 && down) v = nextafter(v, -INFINITY);
        uint64_t nan = c->from.bytes == 4 ? 0x7fffffffe0000000 : EMU_NAN64; /* that of float32, widened */
        emu_set_lane64(w, o, lane, v == v ? emu_bits_of_f64(v) : nan);
        return;
    }
    if (error != 0) v = emu_round_to_odd(v, error);
    if (c->to.bytes == 2) {
        struct emu_format_how how = {.round = (int)round};
        emu_set_lane32(w, o, lane, emu_format_round(c->to.format, v, how));
        return;
    }
    float f = round == EMU_RN ? (float)v : emu_rounded(v, 0, round);
    f = emu_one_nan(c->ftz ? emu_flushed_result(f, v, round) : f);
    emu_set_lane32(w, o, lane, emu_bits_of_f32(f));
}

static double to_integral(double v, enum rounding round) {
    switch (round) {
    case RNI: return rint(v);
    case RZI: return trunc(v);
    case RMI: return floor(v);
    case RPI: return ceil(v);
    default: return v;
    }
}

/* What becomes of a NaN, captured on an H200 (tests/captures): to and from float64 it keeps sign and payload,
 * as it does from bf16 to float32 and where nothing but a move is asked for; otherwise it is the one NaN of
 * its type. */
static bool keeps_nan(const struct conversion *c) {
    if (c->sat) return false;
    if (c->to.bytes == 8) return !c->ftz;
    if (c->from.bytes == 8) return true;
    if (c->from.bytes == 2) return c->from.format == EMU_BF16 && c->to.bytes == 4 && !c->ftz;
    return c->to.bytes == 4 && c->round == NONE && !c->ftz;
}

static uint64_t kept_nan(const struct conversion *c, uint64_t bits) {
    static const uint8_t exponent_bits[2] = {5, 8}; /* f16, bf16 */
    const struct type *types[2] = {&c->from, &c->to};
    uint32_t exponent[2], mantissa[2];
    for (int k = 0; k < 2; k++) {
        exponent[k] = types[k]->bytes == 8 ? 11 : types[k]->bytes == 4 ? 8 : exponent_bits[types[k]->format];
        mantissa[k] = 8 * types[k]->bytes - 1 - exponent[k];
    }
    uint64_t payload = bits << (63 - mantissa[0]) << 1,
             quiet = c->from.bytes > 2 || c->to.bytes == 8 ? 1ull << 63 : 0;
    uint64_t sign = bits >> (exponent[0] + mantissa[0]) & 1;
    if (c->from.bytes == c->to.bytes && c->round == NONE) quiet = 0; /* a move */
    return (sign << exponent[1] | ((1ull << exponent[1]) - 1)) << mantissa[1] |
           (payload | quiet) >> (64 - mantissa[1]);
}

/* ---- the general forms ---- */

static uint64_t clamped(uint64_t v, struct type from, struct type to) {
    bool negative = from.is_signed && (int64_t)v < 0;
    uint64_t max = UINT64_MAX >> (64 - 8 * to.bytes + to.is_signed), min = to.is_signed ? ~max : 0;
    if (negative) return to.is_signed && (int64_t)v > (int64_t)min ? v : min;
    return v > max ? max : v;
}

EMU_SEM_HEAD(sem_cvt_int) {
    const struct conversion *c = insn->extra;
    EMU_FOR_LANES(mask, i) {
        uint64_t v = load_int(w, &insn->op[1], i, c->from);
        store_int(w, &insn->op[0], i, c->to, c->sat ? clamped(v, c->from, c->to) : v);
    }
    return EMU_NEXT;
}

/* NaN: 0, but the highest bit where 64 bits are involved. */
static uint64_t integer_of(double v, const struct conversion *c) {
    uint64_t max = UINT64_MAX >> (64 - 8 * c->to.bytes + c->to.is_signed);
    if (isnan(v)) return c->from.bytes == 8 || c->to.bytes == 8 ? 1ull << (8 * c->to.bytes - 1) : 0;
    v = to_integral(v, c->round);
    if (v >= (double)max)
        return v == (double)max && c->to.bytes < 8 ? (uint64_t)v
                                                   : max; /* (double)max of 8 bytes is beyond it */
    if (!c->to.is_signed) return v <= 0 ? 0 : (uint64_t)v;
    return v <= -(double)max - 1 ? ~max : (uint64_t)(int64_t)v;
}

EMU_SEM_HEAD(sem_cvt_float_int) {
    const struct conversion *c = insn->extra;
    EMU_FOR_LANES(mask, i)
    store_int(w, &insn->op[0], i, c->to, integer_of(load_float(w, &insn->op[1], i, c), c));
    return EMU_NEXT;
}

EMU_SEM_HEAD(sem_cvt_int_float) {
    const struct conversion *c = insn->extra;
    EMU_FOR_LANES(mask, i) {
        uint64_t u = load_int(w, &insn->op[1], i, c->from);
        double high = c->from.is_signed ? (double)((int64_t)u >> 32) * 0x1p32 : (double)(u >> 32) * 0x1p32;
        double low = (double)(uint32_t)u, v = high + low;
        store_float(w, &insn->op[0], i, c, v, emu_sum_error(high, low, v));
    }
    return EMU_NEXT;
}

EMU_SEM_HEAD(sem_cvt_float) {
    const struct conversion *c = insn->extra;
    EMU_FOR_LANES(mask, i) {
        double v = to_integral(load_float(w, &insn->op[1], i, c), c->round);
        if (v == v || !keeps_nan(c)) store_float(w, &insn->op[0], i, c, v, 0);
        else if (c->to.bytes == 8)
            emu_set_lane64(w, &insn->op[0], i, kept_nan(c, emu_lane(w, &insn->op[1], i)));
        else emu_set_lane32(w, &insn->op[0], i, (uint32_t)kept_nan(c, emu_lane(w, &insn->op[1], i)));
    }
    return EMU_NEXT;
}

/* ---- loops for the common ones ---- */

/* clang-format off */
static EMU_SEM1(wide_u32, u64, u32, a)
static EMU_SEM1(wide_s32, s64, s32, a)
static EMU_SEM1(narrow_64, u32, u64, a)
static EMU_SEM1(same_32, u32, u32, a)
static EMU_SEM1(low_16, u16, u32, a)
static EMU_SEM1(f32_of_s32, f32, s32, (float)a)
static EMU_SEM1(f32_of_u32, f32, u32, (float)a)
static EMU_SEM1(f32_of_f16, u32, u16, emu_bits_of_f32(emu_one_nan(emu_f16_to_f32(a))))
static EMU_SEM1(f32_of_bf16, u32, u16, (uint32_t)a << 16)
static EMU_SEM1(f16_of_f32, u16, f32, emu_f32_to_f16(a))
static EMU_SEM1(bf16_of_f32, u16, f32, emu_f32_to_bf16(a))
static EMU_SEM1(s32_of_f32, s32, f32, a != a ? 0 : a >= 0x1p31f ? INT32_MAX : a < -0x1p31f ? INT32_MIN : (int32_t)a)
static EMU_SEM1(u32_of_f32, u32, f32, a >= 0x1p32f ? UINT32_MAX : a > 0 ? (uint32_t)a : 0)
    /* clang-format on */

    /* clang-format off */
static const struct {
    const char *mnemonic;
    uint8_t to, from; /* bytes of the registers */
    emu_sem_fn *fn;
} loops[] = {
    {"cvt.u64.u32", 8, 4, wide_u32},         {"cvt.s64.s32", 8, 4, wide_s32},       {"cvt.s64.u32", 8, 4, wide_u32},
    {"cvt.u32.u64", 4, 8, narrow_64},        {"cvt.s32.s64", 4, 8, narrow_64},      {"cvt.u32.s64", 4, 8, narrow_64},
    {"cvt.u32.u16", 4, 2, same_32},          {"cvt.s32.u16", 4, 2, same_32},        {"cvt.u16.u32", 2, 4, low_16},
    {"cvt.rn.f32.s32", 4, 4, f32_of_s32},    {"cvt.rn.f32.u32", 4, 4, f32_of_u32},  {"cvt.f32.f16", 4, 2, f32_of_f16},
    {"cvt.f32.bf16", 4, 2, f32_of_bf16},     {"cvt.rn.f16.f32", 2, 4, f16_of_f32},  {"cvt.rn.bf16.f32", 2, 4, bf16_of_f32},
    {"cvt.rzi.s32.f32", 4, 4, s32_of_f32},   {"cvt.rzi.u32.f32", 4, 4, u32_of_f32},
};
/* clang-format on */

static void finish(struct emu_decoder *d, struct emu_insn *insn, struct conversion c) {
    const struct emu_opnd *to = &insn->op[0], *from = &insn->op[1];
    const char *name = insn->source->mnemonic;
    if (to->bytes < c.to.bytes || from->bytes < c.from.bytes || (c.to.is_float && to->bytes != c.to.bytes) ||
        (c.from.is_float && from->bytes != c.from.bytes))
        emu_decode_fail(d, insn, "'%s' does not go from a register of %u bytes to one of %u", name,
                        from->bytes, to->bytes);
    bool single = (c.to.is_float && c.to.bytes == 4) || (c.from.is_float && c.from.bytes == 4);
    if (c.ftz && !single) emu_decode_fail(d, insn, "'%s': .ftz is of float32 only", name);
    struct conversion *extra = emu_decode_alloc(d, sizeof *extra);
    *extra = c;
    insn->extra = extra;
    for (size_t k = 0; k < sizeof loops / sizeof loops[0]; k++)
        if (strcmp(loops[k].mnemonic, name) == 0 && loops[k].to == to->bytes && loops[k].from == from->bytes)
            insn->fn = loops[k].fn;
}

void emu_decode_cvt_int(struct emu_decoder *d, struct emu_insn *insn) {
    const uint8_t *m = insn->mod; /* {.sat} to from */
    finish(d, insn, (struct conversion){.to = int_types[m[1] - 1], .from = int_types[m[2] - 1], .sat = m[0]});
}
void emu_decode_cvt_float_int(struct emu_decoder *d, struct emu_insn *insn) {
    const uint8_t *m = insn->mod; /* round {.ftz} {.sat} to from */
    finish(d, insn,
           (struct conversion){.to = int_types[m[3] - 1],
                               .from = float_types[m[4] - 1],
                               .round = (enum rounding)(m[0] + RP),
                               .ftz = m[1]});
}
void emu_decode_cvt_int_float(struct emu_decoder *d, struct emu_insn *insn) {
    const uint8_t *m = insn->mod; /* round {.ftz} {.sat} to from */
    finish(d, insn,
           (struct conversion){.to = float_types[m[3] - 1],
                               .from = int_types[m[4] - 1],
                               .round = (enum rounding)m[0],
                               .ftz = m[1],
                               .sat = m[2]});
}

static int precision(struct type t) {
    return t.bytes == 8 ? 53 : t.bytes == 4 ? 24 : t.format == EMU_F16 ? 11 : 8;
}

void emu_decode_cvt_float(struct emu_decoder *d, struct emu_insn *insn) {
    const uint8_t *m = insn->mod; /* {round} {.ftz} {.sat} to from */
    struct conversion c = {.to = float_types[m[3] - 1],
                           .from = float_types[m[4] - 1],
                           .round = (enum rounding)m[0],
                           .ftz = m[1],
                           .sat = m[2]};
    bool loses = precision(c.to) < precision(c.from);
    bool same = c.to.bytes == c.from.bytes && (c.to.bytes > 2 || c.to.format == c.from.format);
    if (loses && c.to.bytes < c.from.bytes && (c.round < RN || c.round > RP))
        emu_decode_fail(d, insn, "'%s' loses precision: it needs .rn, .rz, .rm or .rp",
                        insn->source->mnemonic);
    if (c.round >= RNI && !same)
        emu_decode_fail(d, insn, "'%s': rounding to integers needs two types of one size",
                        insn->source->mnemonic);
    finish(d, insn, c);
}
