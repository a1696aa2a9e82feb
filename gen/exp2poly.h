/* exp2poly: the minimax polynomial of 2^f on [0, 1), as the FMA pipe evaluates it, with its proven worst error.
 *
 * p(f) = c[0] + c[1] f + ... + c[degree] f^degree by Horner's rule in float32 fused multiply-adds. The relative error is
 * minimised (Remez exchange) with p(0) = 1 exactly, so that a row's maximum weighs exactly 1; the coefficients are then
 * rounded to float32 and settled among their neighbours. The bound holds for every float32 in [0, 1), rounding of each
 * step included: tests/test_exp2poly.c tries them all.
 *
 * A parabola is off by 2e-3 on [0, 1), and a row's LSE with it where one key outweighs the others, which may be off by
 * 1e-4. So degree 2 is a parabola close to 2^(f / 8), squared three times: as many operations as degree 5. */
#ifndef WL_EXP2POLY_H
#define WL_EXP2POLY_H

#include "gen/error.h"

#define WL_EXP2_DEGREE_MIN 2
#define WL_EXP2_DEGREE_MAX 6

struct wl_exp2poly {
    int degree;
    int squarings;             /* how often p(f) is squared: 3 for degree 2, else 0 */
    float c[WL_EXP2_DEGREE_MAX + 1]; /* c[0] == 1.0f */
    double worst;  /* bound of |p(f) / 2^f - 1|; at most twice what is reached, 1.3 times below degree 6 */
};

enum wl_status wl_exp2poly_fit(struct wl_exp2poly *poly, int degree, struct wl_error *error); /* under 1 ms */
float wl_exp2poly_eval(const struct wl_exp2poly *poly, float f);  /* as the machine does: fmaf Horner */

#endif
