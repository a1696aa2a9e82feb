/* mufu: the machine's unit for approximate functions, bit by bit as an H200 has it [measured H200, driver 580.159.04; whether
 * sm_100's is the same: OPEN]. One quadratic a segment, the shape that Oberman and Siu describe ("A high-performance
 * area-efficient multifunction interpolator", 2005): with the top bits of the fraction naming the segment and x the rest,
 *
 *     v = (c + m * x + q * s(x)) >> k        s(x) = x * x, its partial products below bit 19 left out
 *
 * Here it is with fused inputs and outputs: 32-bit floats, subnormals flushed both ways, as MUFU itself does it. */
#ifndef EMU_MUFU_H
#define EMU_MUFU_H

#include "runtime/emu/float.h"

struct mufu_segment {
    uint32_t c;
    int32_t m, q;
};
#include "runtime/emu/mufu_tables.h"

enum { MUFU_X = (1 << 17) - 1 };

/* The sum of x_i x_j 2^(i + j + 1) for i < j and x_i 4^i, those below 2^19 left out, over 2^19; x < 2^17. */
EMU_INLINE uint32_t mufu_square(uint32_t x) {
    uint32_t high = x >> 10, s = 2 * high * high + ((0u - (x >> 9 & 1)) & 2 * high);
    s += (0u - (x >> 8 & 1)) & x >> 10;
    s += (0u - (x >> 7 & 1)) & x >> 11;
    s += (0u - (x >> 6 & 1)) & x >> 12;
    s += (0u - (x >> 5 & 1)) & x >> 13;
    s += (0u - (x >> 4 & 1)) & x >> 14;
    s += (0u - (x >> 3 & 1)) & x >> 15;
    return s + ((0u - (x >> 2 & 1)) & x >> 16);
}

/* c << shift, and what x adds to it. */
EMU_INLINE int64_t mufu_sum(const struct mufu_segment *segment, int shift, int64_t bias, uint32_t x, uint32_t s, int twice) {
    return ((int64_t)segment->c << shift) + bias + (int64_t)segment->m * x + (int64_t)segment->q * (int64_t)s * twice;
}

/* a in units of 2^-23, cut; when negative the one's complement, but of whole numbers. NaN: seen to in mufu_ex2_result. */
EMU_INLINE int32_t mufu_ex2_fixed(float a) {
    float size = fabsf(a) < 255.0f ? fabsf(a) : 255.0f;
    int32_t fixed = (int32_t)(size * 0x1p23f);
    int32_t negative = fixed & 0x7fffff ? ~fixed : -fixed;
    return emu_bits_of_f32(a) >> 31 ? negative : fixed;
}
EMU_INLINE float mufu_ex2_result(float a, int32_t fixed, uint32_t c, uint32_t m, uint32_t q) {
    /* the sum has 38 bits: all but its last one, and c's upper part apart */
    uint32_t x = (uint32_t)fixed & MUFU_X, low = ((c & 3) << 13) + 6114 + m * (x & 1) + q * mufu_square(x);
    uint32_t v = (c >> 2) + ((m * (x >> 1) + (low >> 1)) >> 14);
    int32_t n = fixed >> 23;
    uint32_t bits = ((uint32_t)(n + 127) << 23) + v;
    bits = n > 127 ? 0x7f800000 : n < -126 ? 0 : bits;
    return emu_f32_of_bits(a != a ? EMU_NAN32 : bits);
}
EMU_INLINE float mufu_ex2(float a) {
    int32_t fixed = mufu_ex2_fixed(a);
    const struct mufu_segment *g = &mufu_ex2_table[fixed >> 17 & 63];
    return mufu_ex2_result(a, fixed, g->c, (uint32_t)g->m, (uint32_t)g->q);
}

EMU_INLINE float mufu_rcp(float a) {
    uint32_t u = emu_bits_of_f32(a), sign = u & 0x80000000, e = u >> 23 & 255, x = 2 * (u & 0xffff);
    int64_t v = mufu_sum(&mufu_rcp_table[u >> 16 & 127], 13, 2023, x / 2, mufu_square(x), 1) >> 15;
    uint32_t bits = ((253 - e) << 23) + (uint32_t)v;
    bits = e >= 253 && !(e == 253 && v == 1 << 23) ? 0 : bits; /* below 2^-126, and 1 / infinity */
    bits = e == 0 ? 0x7f800000 : bits;
    return emu_f32_of_bits(a != a ? EMU_NAN32 : sign | bits);
}

EMU_INLINE float mufu_rsqrt(float a) {
    uint32_t u = emu_bits_of_f32(a), e = u >> 23 & 255, odd = ~e & 1, x = u & MUFU_X; /* 1 is 2^(127 - 127) */
    int64_t v = mufu_sum(&mufu_rsqrt_table[64 * odd + (u >> 17 & 63)], 14, -1, x, mufu_square(x), 1) >> 16;
    v = !odd && (u & 0x7fffff) == 0 ? 1 << 23 : v;
    uint32_t bits = ((126 + 63 - (e - 1) / 2) << 23) + (uint32_t)v;
    bits = e == 0 ? 0x7f800000 | (u & 0x80000000) : u >> 31 ? EMU_NAN32 : e == 255 ? 0 : bits;
    return emu_f32_of_bits(a != a ? EMU_NAN32 : bits);
}

EMU_INLINE float mufu_sqrt(float a) {
    uint32_t u = emu_bits_of_f32(a), e = u >> 23 & 255, odd = ~e & 1, x = u & MUFU_X;
    int64_t v = mufu_sum(&mufu_sqrt_table[64 * odd + (u >> 17 & 63)], 15 - (int)odd, -1, x, mufu_square(x), 1) >> (17 - odd);
    uint32_t bits = ((126 + e) / 2 << 23) + (uint32_t)v - 0x800000 + (odd ? 0 : 0x800000);
    bits = e == 0 ? u & 0x80000000 : u >> 31 ? EMU_NAN32 : e == 255 ? u : bits;
    return emu_f32_of_bits(a != a ? EMU_NAN32 : bits);
}

/* The value / 2^38, cut to 24 bits. */
EMU_INLINE uint32_t mufu_normal(int64_t value) {
    uint32_t top = 63u - (uint32_t)__builtin_clzll((uint64_t)value | 1);
    uint64_t cut = top > 23 ? (uint64_t)value >> (top - 23) : (uint64_t)value << (23 - top);
    return value ? ((top + 126 - 38) << 23) + (uint32_t)cut : 0;
}

EMU_INLINE float mufu_lg2(float a) {
    uint32_t u = emu_bits_of_f32(a), x = u & MUFU_X;
    int32_t e = (int32_t)(u >> 23 & 255) - 127;
    int64_t v = mufu_sum(&mufu_lg2_table[u >> 17 & 63], 12, 837, x, mufu_square(x), 1);
    int64_t total = u == 0x3f800000 ? 0 : e * (1ll << 38) + v;
    uint32_t bits = mufu_normal(total < 0 ? ~total & ~3ll : total & ~3ll) | (total < 0 ? 0x80000000 : 0);
    bits = e == -127 ? 0xff800000 : u >> 31 ? EMU_NAN32 : e == 128 ? 0x7f800000 : bits;
    return emu_f32_of_bits(a != a ? EMU_NAN32 : bits);
}

/* The sine of so many turns, quarter 0; the cosine, quarter 1. Whole turns are dropped, 25 bits of the rest are kept; in odd
 * quarters its one's complement. */
EMU_INLINE float mufu_sin(float turns, uint32_t quarter) {
    float size = fabsf(turns), rest = size - truncf(size);
    uint32_t fixed = (uint32_t)((rest < 1 ? rest : 0) * 0x1p25f) + (quarter << 23), odd = 0u - (fixed >> 23 & 1), f = (fixed ^ odd) & 0x7fffff;
    uint32_t x = f & MUFU_X, sign = (fixed >> 24 & 1) << 31 ^ (quarter ? 0 : emu_bits_of_f32(turns) & 0x80000000);
    uint32_t bits = sign | mufu_normal(2 * mufu_sum(&mufu_sin_table[f >> 17], 12, 0, x, mufu_square(x), 1));
    return emu_f32_of_bits(size < INFINITY ? bits : EMU_NAN32);
}

EMU_INLINE float mufu_tanh(float a) {
    static const uint8_t first[] = {0, 1, 2, 3, 5, 7, 11, 15, 19, 27, 43}, bits_of[] = {0, 0, 0, 1, 1, 2, 2, 2, 3, 4, 3};
    uint32_t u = emu_bits_of_f32(a) & 0x7fffffff, e = u >> 23, sign = emu_bits_of_f32(a) & 0x80000000;
    if (e < 119) return a;
    if (e > 129) return a != a ? emu_f32_of_bits(EMU_NAN32) : emu_f32_of_bits(sign | 0x3f800000);
    uint32_t n = bits_of[e - 119], x = u >> (6 - n) & MUFU_X;
    const struct mufu_segment *g = &mufu_tanh_table[first[e - 119] + (u >> (23 - n) & ((1u << n) - 1))];
    return emu_f32_of_bits(sign | mufu_normal(mufu_sum(g, 15, 0, x, mufu_square(x), 1) >> 1));
}

#endif
