#include "runtime/emu/umma_math.h"

#include <math.h>
#include <string.h>
#include "runtime/emu/half.h"

/* ---- elements ---- */

uint32_t emu_umma_per_chunk(const struct emu_umma *u, enum emu_element element) {
    switch (element) {
    case EMU_F16:
    case EMU_BF16: return 8;
    case EMU_TF32: return 4;
    case EMU_E2M1: return u->kind == EMU_UMMA_F8F6F4 || u->kind == EMU_UMMA_MXF8F6F4 ? 16 : 32;
    default: return 16;
    }
}

/* A small float of e exponent and m mantissa bits. ieee: the top exponent holds infinity and NaN; else only
 * e4m3's all-ones is NaN and the 6- and 4-bit types have neither. */
static float small_float(uint32_t bits, int e, int m, int bias, bool ieee, bool nan_at_top) {
    uint32_t exponent = bits >> m & ((1u << e) - 1), mantissa = bits & ((1u << m) - 1), top = (1u << e) - 1;
    float sign = bits >> (e + m) & 1 ? -1.0f : 1.0f;
    if (ieee && exponent == top) return mantissa ? NAN : sign * INFINITY;
    if (nan_at_top && exponent == top && mantissa == (1u << m) - 1) return NAN;
    float fraction = (float)mantissa / (float)(1u << m);
    return sign * (exponent ? ldexpf(1.0f + fraction, (int)exponent - bias) : ldexpf(fraction, 1 - bias));
}

static float element_value(uint32_t bits, enum emu_element element) {
    switch (element) {
    case EMU_E4M3: return small_float(bits, 4, 3, 7, false, true);
    case EMU_E5M2: return small_float(bits, 5, 2, 15, true, false);
    case EMU_E2M3: return small_float(bits, 2, 3, 1, false, false);
    case EMU_E3M2: return small_float(bits, 3, 2, 3, false, false);
    case EMU_E2M1: return small_float(bits, 2, 1, 1, false, false);
    case EMU_U8: return (float)bits;
    default: return (float)(int8_t)bits;
    }
}

static uint32_t element_bits(enum emu_element element) {
    return element == EMU_E2M1 ? 4 : element == EMU_E2M3 || element == EMU_E3M2 ? 6 : 8;
}

void emu_umma_convert(const uint8_t chunk[16], enum emu_element element, uint32_t per_chunk, float *out) {
    uint16_t half[8];
    uint32_t word[4];
    switch (element) {
    case EMU_F16:
        memcpy(half, chunk, 16);
        for (int i = 0; i < 8; i++) out[i] = emu_f16_to_f32(half[i]);
        return;
    case EMU_BF16:
        memcpy(half, chunk, 16);
        for (int i = 0; i < 8; i++) out[i] = emu_bf16_to_f32(half[i]);
        return;
    case EMU_TF32: /* the low 13 bits are not looked at (facts 10.2) */
        memcpy(word, chunk, 16);
        for (int i = 0; i < 4; i++) out[i] = emu_f32_of_bits(word[i] & ~0x1fffu);
        return;
    default: break;
    }
    uint32_t width = element_bits(element);
    for (uint32_t i = 0; i < per_chunk; i++) { /* packed without gaps from the chunk's first bit */
        uint32_t at = i * width, pair = chunk[at / 8] | (at / 8 < 15 ? (uint32_t)chunk[at / 8 + 1] << 8 : 0);
        out[i] = element_value(pair >> at % 8 & ((1u << width) - 1), element);
    }
}

/* ---- the multiply ---- */

/* A block is 4 columns x LANES lanes of sums, held in registers: 8 vectors of what the machine has. All of A and
 * B is exact in float32 and so is each product, barring underflow: a fused multiply-add gives the same sum. */
#pragma GCC optimize("fp-contract=fast")
#ifdef __AVX512F__
enum { WIDE = 16 };
#else
enum { WIDE = 8 };
#endif
enum { BLOCK = 4, LANES = 2 * WIDE };
typedef float vector __attribute__((vector_size(4 * WIDE)));
typedef float loose_vector __attribute__((vector_size(4 * WIDE), aligned(4), may_alias)); /* in memory */

static inline void dot_block(const struct emu_umma_tile *t, const float *a, const float *b,
                             vector sum[BLOCK][2]) {
    vector s[BLOCK][2] = {0};
    for (uint32_t k = 0; k < t->k; k++, a += EMU_UMMA_LANES, b += t->b_k) {
        vector a0 = *(const loose_vector *)a, a1 = *(const loose_vector *)(a + WIDE);
        for (int c = 0; c < BLOCK; c++) {
            float factor = b[(uint32_t)c * t->b_n];
            s[c][0] += a0 * factor;
            s[c][1] += a1 * factor;
        }
    }
    memcpy(sum, s, sizeof s);
}

/* One column of a block into D, the slow way: float16 results, or lanes left out. */
static void finish_lanes(const struct emu_umma_tile *t, uint32_t *d, const float *sum, uint32_t lane) {
    for (uint32_t i = 0; i < LANES; i++) {
        if (t->skip && t->skip[lane / 32] >> (lane + i) % 32 & 1) continue;
        float old = t->f16 ? emu_f16_to_f32((uint16_t)d[i]) : emu_f32_of_bits(d[i]);
        float value = t->accumulate ? sum[i] + old * t->scale : sum[i];
        d[i] = t->f16 ? emu_f32_to_f16(value) : emu_bits_of_f32(value);
    }
}

static inline void finish_block(const struct emu_umma_tile *t, uint32_t column, uint32_t lane,
                                const vector sum[BLOCK][2]) {
    bool plain = !t->f16 && !(t->skip && t->skip[lane / 32]);
    for (uint32_t c = 0; c < BLOCK; c++) {
        uint32_t *d = &t->d[column + c][lane];
        if (!plain) {
            finish_lanes(t, d, (const float *)sum[c], lane);
            continue;
        }
        loose_vector *to = (loose_vector *)d;
        vector result[2] = {sum[c][0], sum[c][1]};
        if (t->accumulate) {
            result[0] += to[0] * t->scale;
            result[1] += to[1] * t->scale;
        }
        to[0] = result[0], to[1] = result[1];
    }
}

void emu_umma_multiply(const struct emu_umma_tile *t) {
    for (uint32_t column = 0; column < t->columns; column += BLOCK)
        for (uint32_t lane = t->lane; lane < t->lane + t->lanes; lane += LANES) {
            vector sum[BLOCK][2];
            dot_block(t, t->a + lane, t->b + (size_t)column * t->b_n, sum);
            finish_block(t, column, lane, sum);
        }
}

void emu_umma_multiply_int(const struct emu_umma_tile *t, bool saturate) {
    for (uint32_t column = 0; column < t->columns; column++)
        for (uint32_t lane = t->lane; lane < t->lane + t->lanes; lane++) {
            if (t->skip && t->skip[lane / 32] >> lane % 32 & 1) continue;
            int64_t sum = t->accumulate ? (int32_t)t->d[column][lane] : 0;
            for (uint32_t k = 0; k < t->k; k++)
                sum += (int64_t)(t->a[k * EMU_UMMA_LANES + lane] *
                                 t->b[(size_t)column * t->b_n + (size_t)k * t->b_k]);
            if (saturate) sum = sum > INT32_MAX ? INT32_MAX : sum < INT32_MIN ? INT32_MIN : sum;
            t->d[column][lane] = (uint32_t)sum;
        }
}
