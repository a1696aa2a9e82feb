/* matrix_forms: the matrix instructions of Ampere and Hopper as kernels, and the inputs that they get. A GPU
 * and the emulator run the same text on the same bits; tests/captures/matrix_h200.txt holds what an H200 made
 * of them. */
#ifndef MATRIX_FORMS_H
#define MATRIX_FORMS_H

#include <stddef.h>
#include <stdint.h>

/* What the elements of a block's inputs are like. */
enum matrix_class {
    MATRIX_NARROW, /* exponents around 1 */
    MATRIX_WIDE,   /* all finite ones */
    MATRIX_CANCEL, /* few different values, so that sums cancel */
    MATRIX_TINY,   /* zeros, subnormals and the smallest normal ones */
    MATRIX_HUGE,   /* the largest, so that sums overflow */
    MATRIX_ANY,    /* any bits: infinities and NaN too */
    MATRIX_CLASSES
};
#define MATRIX_BLOCKS (4 * MATRIX_CLASSES) /* a kernel's; block b gets class b / 4 */

size_t matrix_form_count(void);
struct matrix_size {                       /* of form i */
    uint32_t threads, in_bytes, out_bytes; /* bytes: of one block */
};
struct matrix_size matrix_form_size(size_t i);
const char *matrix_form_name(size_t i);
/* The text of an entry `name`(.param .u64 in, .param .u64 out), without .version and .target. */
void matrix_form_text(size_t i, const char *name, char *out, size_t out_bytes);
/* in: MATRIX_BLOCKS * in_bytes. */
void matrix_form_inputs(size_t i, uint8_t *in);
uint64_t matrix_hash(const void *bytes, size_t count);

#endif
