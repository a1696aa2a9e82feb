/* sem_approx: the approximate functions: computed in double, rounded once. The machine's results differ from
 * these by at most the errors that the manual and facts 9.2 give; corner cases are the manual's. PTX ISA 9.1
 * §9.7.3.8 to .22.
 *
 * Rows: NAME.approx{.ftz}.f32, so that .ftz is mod[0]. */
#include "runtime/emu/float.h"

/* clang-format off: it takes a * b in these lists for a pointer */
/* 2^x for |x| <= 200, relative error below 1e-15: x = n + f, a Taylor polynomial of 2^f on [-1/2, 1/2]. */
EMU_INLINE double exp2_double(double x) {
    const double magic = 0x1.8p52; /* adding it leaves the nearest integer in the low bits */
    double shifted = x + magic, f = x - (shifted - magic), p = 4.4455382718708115e-10;
    p = p * f + 7.0549116208011233e-9;
    p = p * f + 1.0178086009239699e-7;
    p = p * f + 1.3215486790144307e-6;
    p = p * f + 1.5252733804059840e-5;
    p = p * f + 1.5403530393381610e-4;
    p = p * f + 1.3333558146428443e-3;
    p = p * f + 9.6181291076284770e-3;
    p = p * f + 5.5504108664821580e-2;
    p = p * f + 2.4022650695910072e-1;
    p = p * f + 6.9314718055994530942e-1;
    p = p * f + 1.0;
    return emu_f64_of_bits(emu_bits_of_f64(p) + (emu_bits_of_f64(shifted) << 52));
}

EMU_INLINE float exp2_float(float x) {
    double clamped = x < -200.0f ? -200.0 : x;
    clamped = clamped > 200.0 ? 200.0 : clamped;
    float r = (float)exp2_double(clamped);
    return x != x ? x : r;
}

/* log2 of a positive finite double: x = 2^e m with m near 1, s = (m - 1) / (m + 1), log2 m = 2/ln2 artanh s.
 */
EMU_INLINE double log2_double(double x) {
    const uint64_t root_half = 0x3fe6a09e667f3bcdull, magic_bits = 0x4338000000000000ull;
    uint64_t u = emu_bits_of_f64(x), e = (uint64_t)((int64_t)(u - root_half) >> 52);
    double exponent = emu_f64_of_bits(magic_bits + e) - 0x1.8p52;
    double m = emu_f64_of_bits(u - (e << 52)), s = (m - 1) / (m + 1), z = s * s, p = 1.0 / 21;
    p = p * z + 1.0 / 19;
    p = p * z + 1.0 / 17;
    p = p * z + 1.0 / 15;
    p = p * z + 1.0 / 13;
    p = p * z + 1.0 / 11;
    p = p * z + 1.0 / 9;
    p = p * z + 1.0 / 7;
    p = p * z + 1.0 / 5;
    p = p * z + 1.0 / 3;
    return exponent + s * 2.8853900817779268147 * (p * z + 1.0);
}

EMU_INLINE float log2_float(float x) {
    float r = (float)log2_double(x > 0 ? x : 1.0f);
    r = x == 0 ? -INFINITY : r;
    r = x == INFINITY ? x : r;
    return x >= 0 ? r : NAN;
}

EMU_INLINE float rsqrt_float(float x) { return (float)(1.0 / __builtin_sqrt((double)x)); }

/* a / b as a * (1 / b): nothing is left of a reciprocal below 2^-126 */
EMU_INLINE float div_float(float a, float b) {
    float r = (float)((double)a / b), size = fabsf(b);
    bool lost = size > 0x1p126f && size < INFINITY;
    float nothing = emu_f32_of_bits((emu_bits_of_f32(a) ^ emu_bits_of_f32(b)) & 0x80000000);
    return lost ? (fabsf(a) == INFINITY ? NAN : a != a ? a : nothing) : r;
}

#define FLUSH  const bool ftz = insn->mod[0]
#define IN(x)  (ftz ? emu_flushed(x) : (x))
#define OUT(x) (ftz ? emu_flushed(emu_one_nan(x)) : emu_one_nan(x))
EMU_SEM1_WITH(sem_ex2_f32, FLUSH, f32, f32, OUT(exp2_float(IN(a))))
EMU_SEM1_WITH(sem_lg2_f32, FLUSH, f32, f32, OUT(log2_float(IN(a))))
EMU_SEM1_WITH(sem_rcp_approx_f32, FLUSH, f32, f32, OUT((float)(1.0 / (double)IN(a))))
EMU_SEM1_WITH(sem_rsqrt_f32, FLUSH, f32, f32, OUT(rsqrt_float(IN(a))))
EMU_SEM1_WITH(sem_sqrt_approx_f32, FLUSH, f32, f32, OUT(__builtin_sqrtf(IN(a))))
EMU_SEM1_WITH(sem_sin_f32, FLUSH, f32, f32, OUT((float)sin(IN(a))))
EMU_SEM1_WITH(sem_cos_f32, FLUSH, f32, f32, OUT((float)cos(IN(a))))
EMU_SEM1(sem_tanh_f32, f32, f32, emu_one_nan((float)tanh(a)))
EMU_SEM2_WITH(sem_div_approx_f32, FLUSH, f32, f32, f32, OUT(div_float(IN(a), IN(b))))
EMU_SEM2_WITH(sem_div_full_f32, FLUSH, f32, f32, f32, OUT((float)((double)IN(a) / IN(b))))
