/* mma_math: the arithmetic of one matrix multiply of a warp: mma.sync, and each warp's 16 rows of a wgmma.
 *
 * D = A B + C, with D (and C) in fragments that hold, in lane 4g + q of value v (PTX ISA 9.1 §9.7.14.5,
 * §9.7.15.5), row g + 8 * (v / 2 % 2), column 2q + v % 2 + 8 * (v / 4)          (8 rows only: row g, column
 * 2q + v % 2) A vector of 32 lanes is therefore 8 rows x 4 columns, and nothing of D is ever moved. B's
 * columns are kept in that order: the column 8j + 2q + p at place 8j + 4p + q.
 *
 * What a Hopper GPU computes, bit for bit (facts 10.5): one fused sum over all K products and C. With E the
 * largest exponent among the terms, every term is cut toward zero below 2^(E - cut); their exact sum is cut
 * to 24 significant bits (8-bit inputs: cut 13 instead of 25, 14 bits), or rounded once to float16. */
#ifndef EMU_MMA_MATH_H
#define EMU_MMA_MATH_H

#include <stdbool.h>
#include <stdint.h>

enum { EMU_MMA_MAX_K = 32, EMU_MMA_MAX_N = 256, EMU_MMA_LANES = 32 };

enum emu_mma_type {
    EMU_MMA_F16,
    EMU_MMA_BF16,
    EMU_MMA_TF32,
    EMU_MMA_E4M3,
    EMU_MMA_E5M2,
    EMU_MMA_S8,
    EMU_MMA_U8,
    EMU_MMA_TYPES
};
enum emu_mma_result { EMU_MMA_D_F32, EMU_MMA_D_F16, EMU_MMA_D_S32 };

uint32_t emu_mma_bits(enum emu_mma_type type); /* of an element: 8, 16, 32 */

struct emu_mma {
    uint32_t rows, n, k; /* rows: 16 or 8; n: a multiple of 8 */
    enum emu_mma_type a, b;
    enum emu_mma_result d; /* of C too */
    bool saturate;         /* S32 */
};
/* Registers a lane holds: of D, of A, of B (n = 8). */
uint32_t emu_mma_d_registers(const struct emu_mma *m);
uint32_t emu_mma_a_registers(const struct emu_mma *m);
uint32_t emu_mma_b_registers(const struct emu_mma *m);

/* Values, and the exponents that decide where sums are cut: each element's own, or far outside for zeros and
 * specials. */
struct emu_mma_a {
    float value[EMU_MMA_MAX_K][2][EMU_MMA_LANES]; /* [k][row / 8][4 * (row % 8) + any] */
    int16_t exponent[EMU_MMA_MAX_K][2][EMU_MMA_LANES];
} __attribute__((aligned(64)));
struct emu_mma_b {
    float value[EMU_MMA_MAX_K * EMU_MMA_MAX_N + 16]; /* [k][place], n places */
    int16_t exponent[EMU_MMA_MAX_K * EMU_MMA_MAX_N + 16];
} __attribute__((aligned(64)));

static inline uint32_t emu_mma_place(uint32_t column) {
    return (column & ~7u) + 4 * (column % 2) + column % 8 / 2;
}

/* A from its fragment: register h + 2c holds row g + 8h, elements from c * 128 bits + q * 32 bits on. */
void emu_mma_load_a(struct emu_mma_a *a, const struct emu_mma *m, const uint32_t (*registers)[EMU_MMA_LANES],
                    bool negate);
/* B of 8 columns from its fragment: register c holds column g, elements from c * 128 bits + q * 32 bits on.
 */
void emu_mma_load_b(struct emu_mma_b *b, const struct emu_mma *m, const uint32_t (*registers)[EMU_MMA_LANES]);
/* B from raw elements, one a word: raw[k * n + place]. */
void emu_mma_load_b_raw(struct emu_mma_b *b, const struct emu_mma *m, const uint32_t *raw, bool negate);

/* c, d: the registers' lanes, in order; c NULL: no C. Each of D is written after the same of C was read, so
 * that the two may be one. */
void emu_mma_multiply(const struct emu_mma *m, const struct emu_mma_a *a, const struct emu_mma_b *b,
                      const uint32_t *const *c, uint32_t *const *d);

#endif
