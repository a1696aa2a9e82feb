/* sem_float: float32 arithmetic, plain and packed in pairs (f32x2: 64 floats instead of 32). PTX ISA 9.1
 * §9.7.3.
 *
 * Rows have the modifiers {.rn} or <rz|rm|rp>, {.ftz}, {.sat} in this order: mod[0], mod[1], mod[2]. */
#include "runtime/emu/float.h"

/* clang-format off: it takes a * b in these lists for a pointer */
#define BOTH 64 /* floats of a packed register */

/* Loops over n floats; `expr` is the result before NaN, flushing and saturation, `exact` its value before
 * rounding. */
#define FLOAT_SOURCE(P, k) const emu_lf32 *const P = emu_lanes(w, &insn->op[k]);
#define FLOAT_IN(v, P)     const float v = ftz ? emu_flushed(P[i]) : P[i];
#define FLOAT_LOOPS(n, in, expr, exact, round)                                                               \
    emu_lf32 *const d = emu_lanes(w, &insn->op[0]);                                                          \
    emu_lf32 t[n], *const to = mask == EMU_FULL ? d : t;                                                     \
    if (!insn->mod[1] && !insn->mod[2]) {                                                                    \
        const bool ftz = false;                                                                              \
        EMU_LOOP(i, n) { in to[i] = emu_one_nan(expr); }                                                     \
    } else {                                                                                                 \
        const bool ftz = insn->mod[1], sat = insn->mod[2];                                                   \
        EMU_LOOP(i, n) {                                                                                     \
            in float r = emu_one_nan(expr);                                                                  \
            r = ftz ? emu_flushed_result(r, exact, round) : r;                                               \
            to[i] = sat ? emu_saturated(r) : r;                                                              \
        }                                                                                                    \
    }                                                                                                        \
    if (mask != EMU_FULL) {                                                                                  \
        if ((n) == BOTH) emu_blend8(d, t, mask);                                                             \
        else emu_blend4(d, t, mask);                                                                         \
    }
#define FLOAT1(name, n, expr, exact, round)                                                                  \
    EMU_SEM_HEAD(name) {                                                                                     \
        FLOAT_SOURCE(pa, 1) FLOAT_LOOPS(n, FLOAT_IN(a, pa), expr, exact, round) return EMU_NEXT;             \
    }
#define FLOAT2(name, n, expr, exact, round)                                                                  \
    EMU_SEM_HEAD(name) {                                                                                     \
        FLOAT_SOURCE(pa, 1)                                                                                  \
        FLOAT_SOURCE(pb, 2)                                                                                  \
            FLOAT_LOOPS(n, FLOAT_IN(a, pa) FLOAT_IN(b, pb), expr, exact, round) return EMU_NEXT;             \
    }
#define FLOAT3(name, n, expr, exact, round)                                                                  \
    EMU_SEM_HEAD(name) {                                                                                     \
        FLOAT_SOURCE(pa, 1)                                                                                  \
        FLOAT_SOURCE(pb, 2) FLOAT_SOURCE(pc, 3) FLOAT_LOOPS(                                                 \
            n, FLOAT_IN(a, pa) FLOAT_IN(b, pb) FLOAT_IN(c, pc), expr, exact, round) return EMU_NEXT;         \
    }

FLOAT2(sem_add_f32, EMU_LANES, a + b, (double)a + b, EMU_RN)
FLOAT2(sem_sub_f32, EMU_LANES, a - b, (double)a - b, EMU_RN)
FLOAT2(sem_mul_f32, EMU_LANES, a *b, (double)a *b, EMU_RN)
FLOAT3(sem_fma_f32, EMU_LANES, __builtin_fmaf(a, b, c), (double)a *b + c, EMU_RN)
FLOAT2(sem_add_f32x2, BOTH, a + b, (double)a + b, EMU_RN)
FLOAT2(sem_sub_f32x2, BOTH, a - b, (double)a - b, EMU_RN)
FLOAT2(sem_mul_f32x2, BOTH, a *b, (double)a *b, EMU_RN)
FLOAT3(sem_fma_f32x2, BOTH, __builtin_fmaf(a, b, c), (double)a *b + c, EMU_RN)

/* ---- directed rounding: exact in double, then one rounding whose direction is known (float.h) ---- */

#define DIRECTED(make, name, n, call, exact)                                                                 \
    make(name##_rz, n, call, exact, EMU_RZ) make(name##_rm, n, call, exact, EMU_RM)                          \
        make(name##_rp, n, call, exact, EMU_RP) EMU_SEM_HEAD(name) {                                         \
        switch (insn->mod[0]) {                                                                              \
        case EMU_RZ: return name##_rz(w, insn, mask);                                                        \
        case EMU_RM: return name##_rm(w, insn, mask);                                                        \
        default: return name##_rp(w, insn, mask);                                                            \
        }                                                                                                    \
    }
#define DIRECTED2(name, n, call, exact, round) static FLOAT2(name, n, call(a, b, round), exact, round)
#define DIRECTED3(name, n, call, exact, round) static FLOAT3(name, n, call(a, b, c, round), exact, round)

EMU_INLINE float add_directed(float a, float b, enum emu_round round) {
    return emu_add_directed(a, b, round);
}
EMU_INLINE float sub_directed(float a, float b, enum emu_round round) {
    return emu_add_directed(a, -(double)b, round);
}
EMU_INLINE float mul_directed(float a, float b, enum emu_round round) {
    return emu_rounded((double)a * b, 0, round);
}
EMU_INLINE float fma_directed(float a, float b, float c, enum emu_round round) {
    return emu_add_directed((double)a * b, c, round);
}

DIRECTED(DIRECTED2, sem_add_f32_directed, EMU_LANES, add_directed, (double)a + b)
DIRECTED(DIRECTED2, sem_sub_f32_directed, EMU_LANES, sub_directed, (double)a - b)
DIRECTED(DIRECTED2, sem_mul_f32_directed, EMU_LANES, mul_directed, (double)a *b)
DIRECTED(DIRECTED3, sem_fma_f32_directed, EMU_LANES, fma_directed, (double)a *b + c)
DIRECTED(DIRECTED2, sem_add_f32x2_directed, BOTH, add_directed, (double)a + b)
DIRECTED(DIRECTED2, sem_sub_f32x2_directed, BOTH, sub_directed, (double)a - b)
DIRECTED(DIRECTED2, sem_mul_f32x2_directed, BOTH, mul_directed, (double)a *b)
DIRECTED(DIRECTED3, sem_fma_f32x2_directed, BOTH, fma_directed, (double)a *b + c)

/* ---- min, max: {.ftz}{.NaN}{.xorsign.abs} or, of three, {.abs} ---- */

/* Integers in the order of the floats, -0 below +0. */
EMU_INLINE int32_t order_of(uint32_t u) { return (int32_t)(u ^ ((uint32_t)((int32_t)u >> 31) & 0x7fffffff)); }

EMU_INLINE uint32_t extreme(uint32_t a, uint32_t b, bool max, bool keep_nan) {
    bool a_nan = (a & 0x7fffffff) > 0x7f800000, b_nan = (b & 0x7fffffff) > 0x7f800000;
    bool first = max ? order_of(a) >= order_of(b) : order_of(a) <= order_of(b);
    uint32_t r = first ? a : b;
    if (keep_nan) return a_nan || b_nan ? EMU_NAN32 : r;
    r = a_nan ? b : r;
    r = b_nan ? a : r;
    return a_nan && b_nan ? EMU_NAN32 : r;
}

EMU_INLINE uint32_t prepared(uint32_t u, bool ftz, bool absolute) {
    u = ftz && !(u & 0x7f800000) ? u & 0x80000000 : u;
    return absolute ? u & 0x7fffffff : u;
}

EMU_INLINE uint32_t extreme_with(uint32_t a, uint32_t b, const uint8_t *mod, bool max) {
    bool ftz = mod[0], absolute = mod[2];
    uint32_t sign = absolute ? (a ^ b) & 0x80000000 : 0;
    uint32_t r = extreme(prepared(a, ftz, absolute), prepared(b, ftz, absolute), max, mod[1]);
    return r == EMU_NAN32 ? r : r | sign;
}

EMU_INLINE uint32_t extreme3(uint32_t a, uint32_t b, uint32_t c, const uint8_t *mod, bool max) {
    bool ftz = mod[0], absolute = mod[2];
    uint32_t r = extreme(prepared(a, ftz, absolute), prepared(b, ftz, absolute), max, mod[1]);
    /* a NaN of the first two wins with .NaN and loses without, as any other */
    return extreme(r, prepared(c, ftz, absolute), max, mod[1]);
}

#define PLAIN (!insn->mod[0] && !insn->mod[1] && !insn->mod[2])
#define MODS  const uint8_t mod[3] = {insn->mod[0], insn->mod[1], insn->mod[2]}
#define EXTREMES(which, max)                                                                                 \
    static EMU_SEM2(which##_plain, u32, u32, u32, extreme(a, b, max, false)) static EMU_SEM2_WITH(           \
        which##_modified, MODS, u32, u32, u32,                                                               \
        extreme_with(a, b, mod,                                                                              \
                     max)) static EMU_SEM3(which##3_plain, u32, u32, u32, u32,                               \
                                           extreme(extreme(a, b, max, false), c, max,                        \
                                                   false)) static EMU_SEM3_WITH(which##3_modified, MODS,     \
                                                                                u32, u32, u32, u32,          \
                                                                                extreme3(a, b, c, mod, max)) \
        EMU_SEM_HEAD(sem_##which##_f32) {                                                                    \
        return (PLAIN ? which##_plain : which##_modified)(w, insn, mask);                                    \
    }                                                                                                        \
    EMU_SEM_HEAD(sem_##which##3_f32) { return (PLAIN ? which##3_plain : which##3_modified)(w, insn, mask); }
EXTREMES(min, false)
EXTREMES(max, true)

/* ---- abs, neg, copysign, testp ---- */

/* {.ftz} is mod[0] */
#define UNARY_BITS(name, expr)                                                                               \
    EMU_SEM1_WITH(name, const bool ftz = insn->mod[0], u32, u32,                                             \
                  (a & 0x7fffffff) > 0x7f800000 ? EMU_NAN32 : prepared(expr, ftz, false))
UNARY_BITS(sem_abs_f32, a & 0x7fffffff)
UNARY_BITS(sem_neg_f32, a ^ 0x80000000)
EMU_SEM2(sem_copysign_f32, u32, u32, u32, (b & 0x7fffffff) | (a & 0x80000000))
EMU_SEM2(sem_copysign_f64, u64, u64, u64, (b & INT64_MAX) | (a & 1ull << 63))

/* finite infinite number notanumber normal subnormal, from the magnitude's bits */
EMU_INLINE bool is_class(uint64_t magnitude, uint64_t infinity, uint64_t least_normal, uint8_t which) {
    switch (which) {
    case 1: return magnitude < infinity;
    case 2: return magnitude == infinity;
    case 3: return magnitude <= infinity;
    case 4: return magnitude > infinity;
    case 5:
        return (magnitude >= least_normal || magnitude == 0) &&
               magnitude < infinity; /* zeros count as normal [ISA] */
    default: return magnitude > 0 && magnitude < least_normal;
    }
}
EMU_SEM_HEAD(sem_testp_f32) {
    EMU_SOURCE(pa, u32, 1)
    uint32_t p = 0;
    EMU_FOR_LANES(mask, i)
    p |= (uint32_t)is_class(pa[i] & 0x7fffffff, 0x7f800000, 0x00800000, insn->mod[0]) << i;
    emu_set_pred(w, &insn->op[0], mask, p);
    return EMU_NEXT;
}
EMU_SEM_HEAD(sem_testp_f64) {
    EMU_SOURCE(pa, u64, 1)
    uint32_t p = 0;
    EMU_FOR_LANES(mask, i)
    p |= (uint32_t)is_class(pa[i] & INT64_MAX, 0x7ff0000000000000, 0x0010000000000000, insn->mod[0]) << i;
    emu_set_pred(w, &insn->op[0], mask, p);
    return EMU_NEXT;
}

/* ---- division, reciprocal, square root: IEEE ---- */

/* Rounds the quotient r ~ n / m, or root, by the sign of what it left out: r * m is exact in double. */
EMU_INLINE float corrected(float r, double left_out, enum emu_round round) {
    bool above = left_out<0, below = left_out> 0;
    bool down = round == EMU_RM || (round == EMU_RZ && r > 0),
         up = round == EMU_RP || (round == EMU_RZ && r < 0);
    float lower = emu_next_down(r), upper = emu_next_up(r);
    r = down && above ? lower : r;
    return up && below ? upper : r;
}

EMU_INLINE float div_directed(float a, float b, enum emu_round round) {
    float r = a / b;
    double left_out =
        ((double)a - (double)r * b) * (b < 0 ? -1 : 1); /* NaN, and so no step, where something is infinite */
    if (isinf(r) && isfinite(a) && isfinite(b) && b != 0) left_out = r > 0 ? -1 : 1; /* it overflowed */
    if (r == 0 && a != 0 && isfinite(b)) { /* it underflowed: a zero of the quotient's sign */
        bool negative = emu_bits_of_f32(a) >> 31 != emu_bits_of_f32(b) >> 31;
        left_out = negative ? -1 : 1;
        if ((round == EMU_RM && negative) || (round == EMU_RP && !negative))
            return negative ? -0x1p-149f : 0x1p-149f;
        return r;
    }
    return corrected(r, left_out, round);
}
EMU_INLINE float sqrt_directed(float a, enum emu_round round) {
    float r = __builtin_sqrtf(a);
    return a > 0 && isfinite(a) ? corrected(r, (double)a - (double)r * r, round) : r;
}

FLOAT2(sem_div_f32, EMU_LANES, a / b, (double)a / b, EMU_RN)
FLOAT1(sem_rcp_f32, EMU_LANES, 1.0f / a, 1.0 / a, EMU_RN)
FLOAT1(sem_sqrt_f32, EMU_LANES, __builtin_sqrtf(a), a, EMU_RN)
DIRECTED(DIRECTED2, sem_div_f32_directed, EMU_LANES, div_directed, (double)a / b)
#define DIRECTED_RCP(name, n, call, exact, round)  static FLOAT1(name, n, call(1.0f, a, round), exact, round)
#define DIRECTED_SQRT(name, n, call, exact, round) static FLOAT1(name, n, call(a, round), exact, round)
DIRECTED(DIRECTED_RCP, sem_rcp_f32_directed, EMU_LANES, div_directed, 1.0 / a)
DIRECTED(DIRECTED_SQRT, sem_sqrt_f32_directed, EMU_LANES, sqrt_directed, a)
