/* float: what the machine's floating-point arithmetic adds to IEEE's: one NaN, flushing, saturation, directed
 * rounding. Facts 9: NaN results are 0x7FFFFFFF. */
#ifndef EMU_FLOAT_H
#define EMU_FLOAT_H

#include <float.h>
#include <math.h>
#include "runtime/emu/half.h"
#include "runtime/emu/lanes.h"

#define EMU_NAN32 0x7fffffffu
#define EMU_NAN64 0x7fffffffffffffffull

enum emu_round { EMU_RN, EMU_RZ, EMU_RM, EMU_RP }; /* the rows' angle <rz|rm|rp> gives 1, 2, 3 */

EMU_INLINE double emu_f64_of_bits(uint64_t bits) {
    double d;
    memcpy(&d, &bits, 8);
    return d;
}
EMU_INLINE uint64_t emu_bits_of_f64(double d) {
    uint64_t bits;
    memcpy(&bits, &d, 8);
    return bits;
}

/* Subnormals become zero of the same sign. */
EMU_INLINE float emu_flushed(float f) {
    uint32_t u = emu_bits_of_f32(f);
    return emu_f32_of_bits(u & 0x7f800000 ? u : u & 0x80000000);
}
/* A result with .ftz; `exact` is the value before it was rounded (in double at least). What is below 2^-126
 * when rounded with an unbounded exponent is flushed, even where rounding it to a subnormal's place carried
 * it up to 2^-126. */
EMU_INLINE float emu_flushed_result(float f, double exact, enum emu_round round) {
    bool away = (round == EMU_RP && exact > 0) || (round == EMU_RM && exact < 0);
    double size = fabs(exact);
    bool tiny = round == EMU_RN ? size < 0x1p-126 * (1 - 0x1p-25)
                : away          ? size <= 0x1p-126 * (1 - 0x1p-24)
                                : size < 0x1p-126;
    return emu_flushed(tiny ? f * 0.0f : f);
}
EMU_INLINE float emu_one_nan(float f) { return f != f ? emu_f32_of_bits(EMU_NAN32) : f; }
EMU_INLINE double emu_one_nan64(double d) { return d != d ? emu_f64_of_bits(EMU_NAN64) : d; }
/* [0, 1]; NaN and -0 become +0 */
EMU_INLINE float emu_saturated(float f) {
    f = f > 0.0f ? f : 0.0f;
    return f < 1.0f ? f : 1.0f;
}

EMU_INLINE float emu_next_up(float f) {
    uint32_t u = emu_bits_of_f32(f);
    u = (u & 0x7fffffff) == 0 ? 1 : u >> 31 ? u - 1 : u + 1;
    return emu_f32_of_bits(u);
}
EMU_INLINE float emu_next_down(float f) {
    uint32_t u = emu_bits_of_f32(f);
    u = (u & 0x7fffffff) == 0 ? 0x80000001 : u >> 31 ? u + 1 : u - 1;
    return emu_f32_of_bits(u);
}

/* The value s + error, where s is that sum rounded to double and only the sign of error counts, rounded to
 * float in a given direction. Floats are doubles, so that none lies between s and s + error. */
EMU_INLINE float emu_rounded(double s, double error, enum emu_round round) {
    float f = (float)s;
    if (round == EMU_RN) return f; /* only where error is 0: two roundings are not one */
    bool above = (double)f > s || ((double)f == s && error < 0); /* f is above the exact value */
    bool below = (double)f < s || ((double)f == s && error > 0);
    bool down = round == EMU_RM || (round == EMU_RZ && s > 0),
         up = round == EMU_RP || (round == EMU_RZ && s < 0);
    float lower = emu_next_down(f), upper = emu_next_up(f);
    f = down && above ? lower : f;
    return up && below ? upper : f;
}

/* What a + b = s left out, exactly (Knuth). */
EMU_INLINE double emu_sum_error(double a, double b, double s) {
    double bb = s - a;
    return (a - (s - bb)) + (b - bb);
}

/* a * b + c for floats, exact but for the last rounding. Products of floats are exact in double. */
EMU_INLINE float emu_add_directed(double a, double b, enum emu_round round) {
    double s = a + b;
    float f = emu_rounded(s, emu_sum_error(a, b, s), round);
    /* an exact zero from terms that are not both zeros of one sign is -0 only when rounding down */
    bool cancelled = s == 0 && a == -b && (a != 0 || emu_bits_of_f64(a) != emu_bits_of_f64(b));
    return cancelled && round == EMU_RM ? -0.0f : f;
}

#endif
