/* The polynomial of 2^f against 2^f, for every float in [0, 1).
 *
 * Floats below 2^-25 need no trying: there p's last step rounds 1 + t f with t f <= 0.75 * 2^-25 to 1
 * exactly, and 1 is within f ln 2 < 2^-25 of 2^f, less than any bound here. The other 25 * 2^23 are all
 * evaluated, in blocks, against a reference in double that is itself within 1e-15. */
#include "tests/test.h"

#include <math.h>
#include <stdint.h>
#include <string.h>
#include "gen/exp2poly.h"

/* Under sanitizers, which slow this a hundredfold, every 64th block is tried. */
#ifdef WL_SANITIZE
#define STRIDE 64
#else
#define STRIDE 1
#endif

#if defined(__x86_64__) && __GNUC__ >= 12 && !defined(__clang__) && !defined(WL_SANITIZE)
#define VECTORISED __attribute__((target_clones("arch=x86-64-v3", "default"), optimize("O3")))
#else
#define VECTORISED
#endif

enum { BLOCK = 1024, FIRST_EXPONENT = -25, DEGREES = WL_EXP2_DEGREE_MAX - WL_EXP2_DEGREE_MIN + 1 };

/* 2^-f for a block of consecutive floats, by the Taylor series about 1/2 (17 terms: below 1e-17 of
 * truncation). */
VECTORISED static void make_block(uint32_t bits, float *f, double *inverse) {
    for (int i = 0; i < BLOCK; i++) {
        uint32_t word = bits + (uint32_t)i;
        memcpy(&f[i], &word, sizeof word);
    }
    for (int i = 0; i < BLOCK; i++) {
        double u = (0.5 - (double)f[i]) * 0.69314718055994530942, sum = 1 + u / 17;
        sum = 1 + sum * u * (1.0 / 16), sum = 1 + sum * u * (1.0 / 15), sum = 1 + sum * u * (1.0 / 14);
        sum = 1 + sum * u * (1.0 / 13), sum = 1 + sum * u * (1.0 / 12), sum = 1 + sum * u * (1.0 / 11);
        sum = 1 + sum * u * (1.0 / 10), sum = 1 + sum * u * (1.0 / 9), sum = 1 + sum * u * (1.0 / 8);
        sum = 1 + sum * u * (1.0 / 7), sum = 1 + sum * u * (1.0 / 6), sum = 1 + sum * u * (1.0 / 5);
        sum = 1 + sum * u * (1.0 / 4), sum = 1 + sum * u * (1.0 / 3), sum = 1 + sum * u * (1.0 / 2);
        inverse[i] = (1 + sum * u) * 0.70710678118654752440;
    }
}

/* Each slot of worst[] keeps the largest error that it has seen. */
VECTORISED static void try_block(const float *restrict c, int degree, int squarings, const float *restrict f,
                                 const double *restrict inverse, double *restrict worst) {
    float sum[BLOCK];
    for (int i = 0; i < BLOCK; i++) sum[i] = c[degree];
    for (int k = degree - 1; k >= 0; k--)
        for (int i = 0; i < BLOCK; i++) sum[i] = __builtin_fmaf(sum[i], f[i], c[k]);
    for (int k = 0; k < squarings; k++)
        for (int i = 0; i < BLOCK; i++) sum[i] *= sum[i];
    for (int i = 0; i < BLOCK; i++) {
        double error = __builtin_fabs((double)sum[i] * inverse[i] - 1);
        worst[i] = error > worst[i] ? error : worst[i];
    }
}

Test(exp2poly, bound_holds_for_every_float, .timeout = 300) {
    static float f[BLOCK];
    static double inverse[BLOCK], worst[DEGREES][BLOCK];
    struct wl_exp2poly poly[DEGREES];
    for (int d = 0; d < DEGREES; d++)
        cr_assert_eq(wl_exp2poly_fit(&poly[d], WL_EXP2_DEGREE_MIN + d, NULL), WL_OK);
    uint32_t first = (uint32_t)(127 + FIRST_EXPONENT) << 23, last = 127u << 23;
    for (uint32_t bits = first; bits < last; bits += BLOCK * STRIDE) {
        make_block(bits, f, inverse);
        for (int d = 0; d < DEGREES; d++) try_block(poly[d].c, poly[d].degree, poly[d].squarings, f, inverse, worst[d]);
    }
    for (int d = 0; d < DEGREES; d++) {
        double reached = 0;
        for (int i = 0; i < BLOCK; i++) reached = fmax(reached, worst[d][i]);
        cr_log_info("degree %d: bound %.4e, reached %.4e", poly[d].degree, poly[d].worst, reached);
        cr_expect(reached + 1e-15 <= poly[d].worst, "degree %d reaches %.9e, above its bound %.9e",
                  poly[d].degree, reached, poly[d].worst);
        cr_expect(poly[d].worst <= (poly[d].degree < 6 ? 1.3 : 2) * reached,
                  "degree %d: bound %.9e is loose, reached is %.9e", poly[d].degree, poly[d].worst, reached);
        cr_expect(poly[d].worst > ldexp(1, FIRST_EXPONENT), "the argument for tiny floats needs this");
    }
}

Test(exp2poly, block_evaluation_is_the_machines) {
    struct wl_exp2poly poly;
    float f[BLOCK];
    double inverse[BLOCK];
    for (int degree = WL_EXP2_DEGREE_MIN; degree <= WL_EXP2_DEGREE_MAX; degree++) {
        wl_exp2poly_fit(&poly, degree, NULL);
        make_block(0x3f123400u, f, inverse);
        for (int i = 0; i < BLOCK; i++) {
            double slot[BLOCK] = {0}, reference = exp2(-(double)f[i]);
            cr_assert(fabs(inverse[i] / reference - 1) < 1e-15);
            if (i % 64) continue;
            try_block(poly.c, degree, poly.squarings, f, inverse, slot);
            cr_assert_eq(slot[i], fabs((double)wl_exp2poly_eval(&poly, f[i]) * inverse[i] - 1));
        }
    }
}

Test(exp2poly, what_the_kernels_rely_on) {
    struct wl_exp2poly poly, again;
    double last = 1;
    for (int degree = WL_EXP2_DEGREE_MIN; degree <= WL_EXP2_DEGREE_MAX; degree++) {
        cr_assert_eq(wl_exp2poly_fit(&poly, degree, NULL), WL_OK);
        wl_exp2poly_fit(&again, degree, NULL);
        cr_expect(poly.degree == degree && memcmp(poly.c, again.c, sizeof poly.c) == 0);
        cr_expect(poly.c[0] == 1.0f && wl_exp2poly_eval(&poly, 0.0f) == 1.0f &&
                  wl_exp2poly_eval(&poly, 1e-30f) == 1.0f);
        cr_expect(degree == 3 || poly.worst < last, "degree %d is no better than the one before", degree);
        last = poly.worst;
        /* a row's LSE may be off by 1e-4, and is by this where one key outweighs the others */
        cr_expect(poly.worst <= 8.8e-5, "degree %d: %.4e", degree, poly.worst);
    }
}

/* The same bits on every machine: these came out of gcc and clang, with and without FMA in hardware. */
Test(exp2poly, bits) {
    static const float degree3[] = {0x1p+0f, 0x1.63e65cp-1f, 0x1.d2378cp-3f, 0x1.3baaa6p-4f};
    struct wl_exp2poly poly;
    wl_exp2poly_fit(&poly, 3, NULL);
    for (int k = 0; k <= 3; k++) cr_expect_eq(poly.c[k], degree3[k], "c[%d] is %a", k, poly.c[k]);
}

Test(exp2poly, degrees_that_are_refused) {
    static const int degrees[] = {-1, 0, 1, 7, 1000};
    for (size_t i = 0; i < WL_LEN(degrees); i++) {
        struct wl_exp2poly poly;
        struct wl_error error = {0};
        cr_expect_eq(wl_exp2poly_fit(&poly, degrees[i], &error), WL_ERR_INPUT);
        cr_expect(strstr(error.text, "is not allowed: 2 to 6"), "%s", error.text);
    }
}
