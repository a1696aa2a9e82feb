/* half: see half.h.
 *
 *     bfloat16   | sign 15 | exponent 14..7, bias 127 | fraction 6..0 |     the upper half of a float
 *     half       | sign 15 | exponent 14..10, bias 15 | fraction 9..0 | */
#include "runtime/half.h"

#include <string.h>

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* bits >> shift, rounded to nearest, ties to even; shift 1 to 31. */
static uint32_t round_shift(uint32_t bits, int shift) {
    uint32_t half = 1u << (shift - 1), rest = bits & ((1u << shift) - 1), kept = bits >> shift;
    return kept + (rest > half || (rest == half && (kept & 1)));
}

float wl_bf16_to_float(uint16_t bits) { return float_of((uint32_t)bits << 16); }

uint16_t wl_bf16_from_float(float value) {
    uint32_t bits = bits_of(value);
    if ((bits & 0x7fffffff) > 0x7f800000) return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >>
                      16); /* a carry goes on into the exponent, up to infinity */
}

float wl_half_to_float(uint16_t bits) {
    uint32_t sign = (uint32_t)(bits & 0x8000) << 16, exponent = bits >> 10 & 31, fraction = bits & 0x3ff;
    if (exponent == 31) return float_of(sign | 0x7f800000 | fraction << 13);
    if (exponent) return float_of(sign | (exponent + 112) << 23 | fraction << 13);
    float value = (float)fraction * 0x1p-24f; /* subnormal: exact */
    return sign ? -value : value;
}

uint16_t wl_half_from_float(float value) {
    uint32_t bits = bits_of(value), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000) return (uint16_t)(sign | 0x7e00 | (magnitude >> 13 & 0x3ff));
    if (magnitude >= 0x47800000) return (uint16_t)(sign | 0x7c00); /* 2^16 and more */
    if (magnitude >= 0x38800000) /* normal: 2^-14 and more; a carry may reach infinity */
        return (uint16_t)(sign | round_shift(magnitude - 0x38000000, 13));
    uint32_t shift = 126 - (magnitude >> 23);  /* to units of 2^-24 */
    if (shift > 24 + 1) return (uint16_t)sign; /* below a quarter of the least subnormal */
    return (uint16_t)(sign | round_shift((magnitude & 0x7fffff) | 0x800000, (int)shift));
}

float wl_dtype_to_float(enum wl_dtype dtype, uint16_t bits) {
    return dtype == WL_BF16 ? wl_bf16_to_float(bits) : wl_half_to_float(bits);
}

uint16_t wl_dtype_from_float(enum wl_dtype dtype, float value) {
    return dtype == WL_BF16 ? wl_bf16_from_float(value) : wl_half_from_float(value);
}

void wl_dtype_widen(enum wl_dtype dtype, float *to, const uint16_t *from, size_t count) {
    if (dtype == WL_BF16)
        for (size_t i = 0; i < count; i++) to[i] = wl_bf16_to_float(from[i]);
    else
        for (size_t i = 0; i < count; i++) to[i] = wl_half_to_float(from[i]);
}

void wl_dtype_narrow(enum wl_dtype dtype, uint16_t *to, const float *from, size_t count) {
    if (dtype == WL_BF16)
        for (size_t i = 0; i < count; i++) to[i] = wl_bf16_from_float(from[i]);
    else
        for (size_t i = 0; i < count; i++) to[i] = wl_half_from_float(from[i]);
}

const char *wl_dtype_name(enum wl_dtype dtype) { return dtype == WL_BF16 ? "bf16" : "fp16"; }
