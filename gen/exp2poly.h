/* exp2poly: 2^x by a polynomial, as the FMA pipe evaluates it, with its worst error.
 *
 *     y = (x + 127) / 256, clamped to [0, 1]      scaling, and what .sat does
 *     t = magic + y, rounded down                 its last bit is 2^-8: in its bits n = floor(x) + a constant
 *     e = k y + (r - k t)                         k (f + h) / 256 with f = x - floor(x)
 *     p = (e^2 + a[degree - 2]) e + ... + a[0]    2^f less a whole power of two, by Horner's rule
 *     2^x = p's bits + (t's bits << 23)           p's exponent and magic leave what makes it 2^x
 *
 * Any polynomial has a form in which the highest coefficient is 1 and the next is 0: k and h make it so, which saves a step.
 * It is the minimax polynomial (Remez exchange, relative error) of 2^f on [0, 1) with p(0) = 1, so that a row's maximum
 * weighs 1. At y = 0, a masked score, the result is 0 exactly.
 *
 * With y go 24 bits, with e as many: x and so the result's exponent are good to 2^-17, which is why no degree above 4 helps. */
#ifndef WL_EXP2POLY_H
#define WL_EXP2POLY_H

#include "gen/error.h"

#define WL_EXP2_DEGREE_MIN 3 /* a parabola is off by 2e-3, and the LSE of a row that one key rules with it */
#define WL_EXP2_DEGREE_MAX 4

struct wl_exp2poly {
    int degree;
    float magic, k, r;
    float a[WL_EXP2_DEGREE_MAX - 1]; /* a[0] to a[degree - 2] */
    double worst; /* bound of |result / 2^x - 1| for the x that y stands for, x from -126 to 16; at most 1.3 times what is reached */
};

enum wl_status wl_exp2poly_fit(struct wl_exp2poly *poly, int degree, struct wl_error *error); /* under 2 ms */
float wl_exp2poly_eval(const struct wl_exp2poly *poly, float y); /* 2^x as the machine computes it; y in [0, 1] */

#endif
