/* umma: one issued tcgen05.mma as an asynchronous effect: what it will read and write, and the doing of it.
 */
#ifndef EMU_UMMA_H
#define EMU_UMMA_H

#include "runtime/emu/async.h"
#include "runtime/emu/umma_desc.h"

struct emu_umma_op { /* lives in the tensor pipe of the thread that issued it */
    struct emu_async base;
    struct emu_umma shape;
    struct emu_smem_matrix a, b;
    uint32_t cta_group;
    bool weight_stationary, a_in_tmem, accumulate, shift_a;
    uint32_t d_lane, d_column, a_lane, a_column;
    uint32_t scale_d;          /* D is scaled by 2^-scale_d */
    uint32_t skip[8];          /* lanes of D that are not written: four words a CTA */
    uint64_t zero_columns;     /* .ws: zero-column mask descriptor; 0: B as it is */
    uint32_t scale_vector;     /* block-scaled: scale factors of a row; 0: none */
    uint32_t scale_a, scale_b; /* their TMEM addresses */
};

/* Multiplies A's panel ([k][128] by lane, of a CTA's `rows` rows) or B's (element (n, k) at b[n * b_n + k *
 * b_k]) by the scale factors in the CTA's TMEM; false after emu_fault(). */
bool emu_umma_scale_a(struct emu_umma_op *op, struct emu_cta *cta, uint32_t rows, float *panel);
bool emu_umma_scale_b(struct emu_umma_op *op, struct emu_cta *cta, float *panel, uint32_t b_n, uint32_t b_k);
/* Zeroes the columns of B that the mask names. */
void emu_umma_zero_columns(const struct emu_umma_op *op, float *panel, uint32_t b_n, uint32_t b_k);

/* Fills what follows from shape and form and checks it against the machine's rules; why as in umma_desc.h. */
bool emu_umma_op_check(const struct emu_umma_op *op, char *why, size_t why_bytes);
emu_async_fn emu_umma_run;

#endif
