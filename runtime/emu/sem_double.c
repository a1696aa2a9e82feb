/* sem_double: float64. PTX ISA 9.1 §9.7.3. Directed roundings use the host's, which is set for the row and
 * put back. */
#include <fenv.h>

#include "runtime/emu/float.h"
#include "runtime/emu/mufu.h"

/* clang-format off: it takes a * b in these lists for a pointer */
/* Unlike float32, a NaN keeps its bits but for the quiet one; a new one is 0xfff8 and zeros. Of two the
 * second wins, but the first in a division; of three b, then c, then a. Captured on an H200 (tests/captures).
 */
#define NEW_NAN 0xfff8000000000000ull
EMU_INLINE double kept(double nan) { return emu_f64_of_bits(emu_bits_of_f64(nan) | 1ull << 51); }
EMU_INLINE double of1(double r, double a) { return a != a ? kept(a) : r != r ? emu_f64_of_bits(NEW_NAN) : r; }
EMU_INLINE double of2(double r, double a, double b) { return b != b ? kept(b) : of1(r, a); }
EMU_INLINE double of3(double r, double a, double b, double c) { return b != b ? kept(b) : of2(r, a, c); }

EMU_SEM2(sem_add_f64, f64, f64, f64, of2(a + b, a, b))
EMU_SEM2(sem_sub_f64, f64, f64, f64, of2(a - b, a, b))
EMU_SEM2(sem_mul_f64, f64, f64, f64, of2(a *b, a, b))
EMU_SEM2(sem_div_f64, f64, f64, f64, of2(a / b, b, a))
EMU_SEM3(sem_fma_f64, f64, f64, f64, f64, of3(__builtin_fma(a, b, c), a, b, c))
EMU_SEM1(sem_rcp_f64, f64, f64, of1(1.0 / a, a))
EMU_SEM1(sem_sqrt_f64, f64, f64, of1(__builtin_sqrt(a), a))

enum operation { ADD, SUB, MUL, DIV, FMA, SQRT };

/* volatile: nothing moves across the change of rounding */
static double operate(enum operation op, volatile double a, volatile double b, volatile double c) {
    volatile double r;
    switch (op) {
    case ADD: r = a + b; return of2(r, a, b);
    case SUB: r = a - b; return of2(r, a, b);
    case MUL: r = a * b; return of2(r, a, b);
    case DIV: r = a / b; return of2(r, b, a);
    case FMA: r = fma(a, b, c); return of3(r, a, b, c);
    default: r = sqrt(a); return of1(r, a);
    }
}

static enum emu_step directed(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask,
                              enum operation op, int first) {
    static const int rounds[] = {FE_TONEAREST, FE_TOWARDZERO, FE_DOWNWARD, FE_UPWARD};
    emu_lf64 *d = emu_lanes(w, &insn->op[0]);
    const emu_lf64 *a = emu_lanes(w, &insn->op[1]), *b = a, *c = a;
    if (insn->op_count > 2) b = emu_lanes(w, &insn->op[2]);
    if (insn->op_count > 3) c = emu_lanes(w, &insn->op[3]);
    int before = fegetround();
    fesetround(rounds[insn->mod[0]]);
    EMU_FOR_LANES(mask, i) d[i] = first ? operate(op, first, a[i], 0) : operate(op, a[i], b[i], c[i]);
    fesetround(before);
    return EMU_NEXT;
}

EMU_SEM_HEAD(sem_add_f64_directed) { return directed(w, insn, mask, ADD, 0); }
EMU_SEM_HEAD(sem_sub_f64_directed) { return directed(w, insn, mask, SUB, 0); }
EMU_SEM_HEAD(sem_mul_f64_directed) { return directed(w, insn, mask, MUL, 0); }
EMU_SEM_HEAD(sem_div_f64_directed) { return directed(w, insn, mask, DIV, 0); }
EMU_SEM_HEAD(sem_fma_f64_directed) { return directed(w, insn, mask, FMA, 0); }
EMU_SEM_HEAD(sem_rcp_f64_directed) { return directed(w, insn, mask, DIV, 1); }
EMU_SEM_HEAD(sem_sqrt_f64_directed) { return directed(w, insn, mask, SQRT, 0); }

/* ---- min, max, abs, neg ---- */

EMU_INLINE int64_t order_of(uint64_t u) { return (int64_t)(u ^ ((uint64_t)((int64_t)u >> 63) & INT64_MAX)); }
EMU_INLINE bool is_nan(uint64_t u) { return (u & INT64_MAX) > 0x7ff0000000000000; }
EMU_INLINE uint64_t extreme(uint64_t a, uint64_t b, bool max) {
    uint64_t r = (max ? order_of(a) >= order_of(b) : order_of(a) <= order_of(b)) ? a : b;
    r = is_nan(a) ? b : is_nan(b) ? a : r;
    return is_nan(r) ? r | 1ull << 51 : r;
}
EMU_SEM2(sem_min_f64, u64, u64, u64, extreme(a, b, false))
EMU_SEM2(sem_max_f64, u64, u64, u64, extreme(a, b, true))
EMU_SEM1(sem_abs_f64, u64, u64, is_nan(a) ? a | 1ull << 51 : a & INT64_MAX)
EMU_SEM1(sem_neg_f64, u64, u64, is_nan(a) ? a | 1ull << 51 : a ^ 1ull << 63)

/* ---- approximations: §9.7.3.14, .16, .17. The unit sees the upper word and gives one, cut to it, by the tables for float32
 * [measured H200]; subnormals are flushed both ways. ---- */

enum { ONE = 0x3f800000, NAN_HIGH = 0x7fffffff, INFINITE = 0x7ff00000 };

/* 2^exponent times a float of [1/2, 1], as an upper word */
EMU_INLINE uint32_t upper(uint32_t sign, int exponent, float y) {
    uint32_t u = emu_bits_of_f32(y);
    int e = (int)(u >> 23) - 127 + 1023 + exponent;
    return e > 0 ? sign | (uint32_t)e << 20 | (u >> 3 & 0xfffff) : sign;
}
EMU_INLINE uint32_t rcp_upper(uint32_t u) {
    uint32_t sign = u & 0x80000000, e = u >> 20 & 0x7ff, m = u & 0xfffff;
    if (e == 0x7ff) return m ? NAN_HIGH : sign;
    return e == 0 ? sign | INFINITE : upper(sign, 1023 - (int)e, mufu_rcp(emu_f32_of_bits(ONE | m << 3)));
}
EMU_INLINE uint32_t rsqrt_upper(uint32_t u) {
    uint32_t sign = u & 0x80000000, e = u >> 20 & 0x7ff, m = u & 0xfffff, odd = ~e & 1;
    if (e == 0) return sign | INFINITE;
    if (sign || (e == 0x7ff && m)) return NAN_HIGH;
    return e == 0x7ff ? 0 : upper(0, (1023 - (int)(e - odd)) / 2, mufu_rsqrt(emu_f32_of_bits((ONE + (odd << 23)) | m << 3)));
}
EMU_SEM1(sem_rcp_approx_f64, u64, u64, (uint64_t)rcp_upper((uint32_t)(a >> 32)) << 32)
EMU_SEM1(sem_rsqrt_approx_f64, u64, u64, (uint64_t)rsqrt_upper((uint32_t)(a >> 32)) << 32)

/* What ptxas makes of it: one step of an iteration behind the unit. */
EMU_INLINE double rsqrt_refined(double a) {
    double y = emu_f64_of_bits((uint64_t)rsqrt_upper((uint32_t)(emu_bits_of_f64(a) >> 32)) << 32);
    double e = __builtin_fma(a, -(y * y), 1), half = __builtin_fma(e, 0.375, 0.5);
    return __builtin_fma(half, y * e, y);
}
EMU_INLINE double rsqrt_full(double a) {
    if (a != a) return kept(a);
    if (a == 0) return emu_f64_of_bits(emu_bits_of_f64(a) | 0x7ff0000000000000);
    if (a < 0) return emu_f64_of_bits(NEW_NAN);
    if (a == INFINITY) return 0;
    return a < 0x1p-1022 ? rsqrt_refined(a * 0x1p54) * 0x1p27 : rsqrt_refined(a);
}
EMU_SEM1(sem_rsqrt_f64, f64, f64, rsqrt_full(a))
