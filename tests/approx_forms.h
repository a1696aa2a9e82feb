/* approx_forms: the approximate functions over whole binades, or samples of all arguments, as kernels. What a GPU gave is in
 * tests/captures/approx_h200.txt as hashes; where a function is new, the results themselves show how the unit works. */
#ifndef APPROX_FORMS_H
#define APPROX_FORMS_H

#include <stddef.h>
#include <stdint.h>

enum { APPROX_BLOCK = 256 };

struct approx_form {
    const char *name, *body;       /* %r0 (%f0, %h0, the upper half of %d0) to %r1 */
    uint32_t first, count, stride; /* argument k has the bits first + k * stride */
    double (*exact)(double);       /* NULL: not a function of float32 */
};

size_t approx_form_count(void);
const struct approx_form *approx_form(size_t i);

/* PTX of an entry k(out): thread k leaves result k, 32 bits, there. Blocks of APPROX_BLOCK threads. */
void approx_form_text(size_t i, char *out, size_t bytes);
static inline uint32_t approx_form_grid(const struct approx_form *f) { return (f->count + APPROX_BLOCK - 1) / APPROX_BLOCK; }

/* In place: results minus the rounded function's, as bits; of others the difference to the one before. They pack well. */
void approx_form_deltas(size_t i, uint32_t *results);

#endif
