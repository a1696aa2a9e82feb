/* compare: whether a kernel's results are right.
 *
 *     o     max |o - exact| <= 2 max |plain - exact| + 1e-5
 *     lse   |lse - exact| <= 1e-4 + 1e-5 |exact| for each row; a row that sees no key: exactly -inf
 *
 * A NaN, or an infinity where the exact value is finite, is never right. */
#ifndef WL_COMPARE_H
#define WL_COMPARE_H

#include <stdbool.h>

#include "runtime/attention.h"

struct wl_compare {
    bool right;   /* both */
    double error; /* max |o - exact|; infinite when an element is not finite */
    double plain_error, bound;
    double lse_error, lse_bound; /* of the row whose error is the largest part of its bound */
    char worst[256];             /* what is wrong, with coordinates and both values; "" when right */
};

/* o: read through problem->o (a host address). exact and plain: dense, as the reference writes them. */
void wl_compare_output(struct wl_compare *result, const struct wl_attention *problem, const double *exact,
                       const float *plain);
/* Adds the row sums to a result that wl_compare_output() has filled. lse: dense. */
void wl_compare_lse(struct wl_compare *result, const struct wl_attention *problem, const float *lse,
                    const double *exact);

#endif
