/* sem_double: float64. PTX ISA 9.1 §9.7.3. Directed roundings use the host's, which is set for the row and put back. */
#include <fenv.h>

#include "runtime/emu/float.h"

EMU_SEM2(sem_add_f64, f64, f64, f64, emu_one_nan64(a + b))
EMU_SEM2(sem_sub_f64, f64, f64, f64, emu_one_nan64(a - b))
EMU_SEM2(sem_mul_f64, f64, f64, f64, emu_one_nan64(a * b))
EMU_SEM2(sem_div_f64, f64, f64, f64, emu_one_nan64(a / b))
EMU_SEM3(sem_fma_f64, f64, f64, f64, f64, emu_one_nan64(__builtin_fma(a, b, c)))
EMU_SEM1(sem_rcp_f64, f64, f64, emu_one_nan64(1.0 / a))
EMU_SEM1(sem_sqrt_f64, f64, f64, emu_one_nan64(__builtin_sqrt(a)))

enum operation { ADD, SUB, MUL, DIV, FMA, SQRT };

/* volatile: nothing moves across the change of rounding */
static double operate(enum operation op, volatile double a, volatile double b, volatile double c) {
    volatile double r;
    switch (op) {
    case ADD: r = a + b; break;
    case SUB: r = a - b; break;
    case MUL: r = a * b; break;
    case DIV: r = a / b; break;
    case FMA: r = fma(a, b, c); break;
    default: r = sqrt(a); break;
    }
    return emu_one_nan64(r);
}

static enum emu_step directed(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask, enum operation op, int first) {
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
    return is_nan(r) ? EMU_NAN64 : r;
}
EMU_SEM2(sem_min_f64, u64, u64, u64, extreme(a, b, false))
EMU_SEM2(sem_max_f64, u64, u64, u64, extreme(a, b, true))
EMU_SEM1(sem_abs_f64, u64, u64, is_nan(a) ? EMU_NAN64 : a & INT64_MAX)
EMU_SEM1(sem_neg_f64, u64, u64, is_nan(a) ? EMU_NAN64 : a ^ 1ull << 63)

/* ---- approximations that keep the upper word only: §9.7.3.14, §9.7.3.17 ---- */

EMU_INLINE double flushed(double d) {
    uint64_t u = emu_bits_of_f64(d);
    return emu_f64_of_bits(u & 0x7ff0000000000000 ? u : u & 1ull << 63);
}
EMU_INLINE double upper_word(double d) { return emu_f64_of_bits(emu_bits_of_f64(emu_one_nan64(d)) & 0xffffffff00000000); }
EMU_SEM1(sem_rcp_approx_f64, f64, f64, upper_word(flushed(1.0 / flushed(a))))
EMU_SEM1(sem_rsqrt_approx_f64, f64, f64, upper_word(1.0 / __builtin_sqrt(flushed(a))))
EMU_SEM1(sem_rsqrt_f64, f64, f64, emu_one_nan64(1.0 / __builtin_sqrt(a)))
