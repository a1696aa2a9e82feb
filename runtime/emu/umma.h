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
    uint32_t scale_vector;     /* block-scaled: scale factors of a row; 0: none */
    uint32_t scale_a, scale_b; /* their TMEM addresses */
};

/* Fills what follows from shape and form and checks it against the machine's rules; why as in umma_desc.h. */
bool emu_umma_op_check(const struct emu_umma_op *op, char *why, size_t why_bytes);
emu_async_fn emu_umma_run;

#endif
