/* umma_math: the arithmetic of one tcgen05.mma: panels of converted elements, and the blocked multiply into
 * TMEM.
 *
 * What is modelled: products exact in float32 (all 16-, 8-, 6-, 4-bit and tf32 inputs), the K products of one
 * instruction summed in float32 from zero in the order of K, round to nearest even, then added once to D
 * (times 2^-scale). How sm_100 rounds inside one instruction is not established (facts 3.3, 10.5); this is at
 * least as exact. */
#ifndef EMU_UMMA_MATH_H
#define EMU_UMMA_MATH_H

#include "runtime/emu/umma_desc.h"

enum { EMU_UMMA_MAX_K = 64, EMU_UMMA_MAX_N = 256, EMU_UMMA_LANES = 128 };

/* How many elements 16 bytes of shared memory hold (6- and 4-bit ones are padded to 16 but in the mxf4 kinds:
 * 32). */
uint32_t emu_umma_per_chunk(const struct emu_umma *umma, enum emu_element element);
/* Converts 16 bytes of shared memory; i8 kinds give exact integers as floats. */
void emu_umma_convert(const uint8_t chunk[16], enum emu_element element, uint32_t per_chunk, float *out);

struct emu_umma_tile {
    uint32_t (*d)[EMU_UMMA_LANES]; /* first column of D */
    uint32_t lane, lanes;          /* which lanes of D: multiples of 32 */
    uint32_t columns, k;           /* columns: a multiple of 4 */
    const float *a;                /* [k][128], by lane */
    const float *b;                /* element (n, k) at b[n * b_n + k * b_k] */
    uint32_t b_n, b_k;
    bool accumulate, f16;
    float scale;          /* of the old D */
    const uint32_t *skip; /* [4]: lanes that are not written, a bit each; NULL: all are */
};
void emu_umma_multiply(const struct emu_umma_tile *tile);
/* kind::i8: exact sums in int32; saturate: clamped, else wrapping. */
void emu_umma_multiply_int(const struct emu_umma_tile *tile, bool saturate);

#endif
