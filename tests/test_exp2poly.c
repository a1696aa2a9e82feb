/* 2^x by the polynomial against 2^x, for every y that a score comes to.
 *
 * y = (x + 127) / 256, from 1 / 256 (x = -126: below it no result is a normal float) to 143 / 256 (x = 16: no threshold lets x
 * grow so far). All these floats, 67 million, are evaluated, in blocks, against a reference in double that is itself within
 * 1e-15. */
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

enum { BLOCK = 1024, DEGREES = WL_EXP2_DEGREE_MAX - WL_EXP2_DEGREE_MIN + 1 };

/* A block of consecutive floats y, and 2^-f for each with f = x - floor(x), which is exact: by the Taylor series about 1/2
 * (17 terms: below 1e-17 of truncation). */
VECTORISED static void make_block(uint32_t bits, float *y, double *inverse) {
    for (int i = 0; i < BLOCK; i++) {
        uint32_t word = bits + (uint32_t)i;
        memcpy(&y[i], &word, sizeof word);
    }
    for (int i = 0; i < BLOCK; i++) {
        double f = (double)y[i] * 256 - (int)(y[i] * 256);
        double u = (0.5 - f) * 0.69314718055994530942, sum = 1 + u / 17;
        sum = 1 + sum * u * (1.0 / 16), sum = 1 + sum * u * (1.0 / 15), sum = 1 + sum * u * (1.0 / 14);
        sum = 1 + sum * u * (1.0 / 13), sum = 1 + sum * u * (1.0 / 12), sum = 1 + sum * u * (1.0 / 11);
        sum = 1 + sum * u * (1.0 / 10), sum = 1 + sum * u * (1.0 / 9), sum = 1 + sum * u * (1.0 / 8);
        sum = 1 + sum * u * (1.0 / 7), sum = 1 + sum * u * (1.0 / 6), sum = 1 + sum * u * (1.0 / 5);
        sum = 1 + sum * u * (1.0 / 4), sum = 1 + sum * u * (1.0 / 3), sum = 1 + sum * u * (1.0 / 2);
        inverse[i] = (1 + sum * u) * 0.70710678118654752440;
    }
}

/* Each slot of worst[] keeps the largest error that it has seen. The steps of wl_exp2poly_eval; for 2^floor(x) the result's
 * exponent is made that of floor(x) = 0. */
VECTORISED static void try_block(const struct wl_exp2poly *restrict poly, const float *restrict y,
                                 const double *restrict inverse, double *restrict worst) {
    float t[BLOCK], e[BLOCK], p[BLOCK];
    const float magic = poly->magic, k = poly->k, r = poly->r;
    for (int i = 0; i < BLOCK; i++) t[i] = magic + (float)(int)(y[i] * 256) * (1.0f / 256);
    for (int i = 0; i < BLOCK; i++) p[i] = e[i] = __builtin_fmaf(y[i], k, __builtin_fmaf(-t[i], k, r));
    for (int step = poly->degree - 2; step >= 0; step--)
        for (int i = 0; i < BLOCK; i++) p[i] = __builtin_fmaf(p[i], e[i], poly->a[step]);
    for (int i = 0; i < BLOCK; i++) {
        union { float f; uint32_t u; } at = {.f = t[i]}, result = {.f = p[i]};
        result.u += (at.u - (uint32_t)(int)(y[i] * 256) + 127) << 23;
        double error = __builtin_fabs((double)result.f * inverse[i] - 1);
        worst[i] = error > worst[i] ? error : worst[i];
    }
}

Test(exp2poly, bound_holds_for_every_float, .timeout = 300) {
    static float y[BLOCK];
    static double inverse[BLOCK], worst[DEGREES][BLOCK];
    struct wl_exp2poly poly[DEGREES];
    for (int d = 0; d < DEGREES; d++)
        cr_assert_eq(wl_exp2poly_fit(&poly[d], WL_EXP2_DEGREE_MIN + d, NULL), WL_OK);
    const float from = 1.0f / 256, to = 143.0f / 256;
    uint32_t first, last;
    memcpy(&first, &from, sizeof first);
    memcpy(&last, &to, sizeof last);
    for (uint32_t bits = first; bits < last; bits += BLOCK * STRIDE) {
        make_block(bits, y, inverse);
        for (int d = 0; d < DEGREES; d++) try_block(&poly[d], y, inverse, worst[d]);
    }
    for (int d = 0; d < DEGREES; d++) {
        double reached = 0;
        for (int i = 0; i < BLOCK; i++) reached = fmax(reached, worst[d][i]);
        cr_log_info("degree %d: bound %.4e, reached %.4e", poly[d].degree, poly[d].worst, reached);
        cr_expect(reached + 1e-15 <= poly[d].worst, "degree %d reaches %.9e, above its bound %.9e",
                  poly[d].degree, reached, poly[d].worst);
        cr_expect(poly[d].worst <= 1.3 * reached, "degree %d: bound %.9e is loose, reached is %.9e", poly[d].degree,
                  poly[d].worst, reached);
    }
}

Test(exp2poly, block_evaluation_is_the_machines) {
    struct wl_exp2poly poly;
    float y[BLOCK];
    double inverse[BLOCK];
    for (int degree = WL_EXP2_DEGREE_MIN; degree <= WL_EXP2_DEGREE_MAX; degree++) {
        wl_exp2poly_fit(&poly, degree, NULL);
        make_block(0x3ef23400u, y, inverse);
        for (int i = 0; i < BLOCK; i++) {
            double slot[BLOCK] = {0}, x = (double)y[i] * 256 - 127, whole = floor(x);
            cr_assert(fabs(inverse[i] / exp2(whole - x) - 1) < 1e-15);
            if (i % 64) continue;
            try_block(&poly, y, inverse, slot);
            cr_assert_eq(slot[i], fabs((double)wl_exp2poly_eval(&poly, y[i]) * exp2(-whole) * inverse[i] - 1));
        }
    }
}

Test(exp2poly, what_the_kernels_rely_on) {
    struct wl_exp2poly poly, again;
    double last = 1;
    for (int degree = WL_EXP2_DEGREE_MIN; degree <= WL_EXP2_DEGREE_MAX; degree++) {
        cr_assert_eq(wl_exp2poly_fit(&poly, degree, NULL), WL_OK);
        wl_exp2poly_fit(&again, degree, NULL);
        cr_expect(poly.degree == degree && memcmp(poly.a, again.a, sizeof poly.a) == 0 && poly.magic == again.magic &&
                  poly.k == again.k && poly.r == again.r);
        /* a masked score, and a row's maximum */
        cr_expect_eq(wl_exp2poly_eval(&poly, 0.0f), 0.0f);
        for (float y = 1e-30f; y < 1.0f / 256; y *= 3)
            cr_expect(wl_exp2poly_eval(&poly, y) >= 0 && wl_exp2poly_eval(&poly, y) < 2e-38f, "at %a", y);
        cr_expect(fabsf(wl_exp2poly_eval(&poly, 127.0f / 256) - 1) < 4e-6f, "%a", wl_exp2poly_eval(&poly, 127.0f / 256));
        cr_expect(poly.worst < last, "degree %d is no better than the one before", degree);
        last = poly.worst;
        /* a row's LSE may be off by 1e-4, and is by this where one key outweighs the others */
        cr_expect(poly.worst <= 9e-5, "degree %d: %.4e", degree, poly.worst);
    }
}

/* The same bits on every machine: these came out of gcc and clang, with and without FMA in hardware. */
Test(exp2poly, bits) {
    struct wl_exp2poly poly;
    wl_exp2poly_fit(&poly, 3, NULL);
    cr_expect_eq(poly.magic, 0x1.79972cp+15f, "%a", poly.magic);
    cr_expect_eq(poly.k, 0x1.b3c4eap-1f, "%a", poly.k);
    cr_expect_eq(poly.r, 0x1.415f2ap+15f, "%a", poly.r);
    cr_expect_eq(poly.a[0], 0x1.d9cfaep-23f, "%a", poly.a[0]);
    cr_expect_eq(poly.a[1], 0x1.1b5252p-14f, "%a", poly.a[1]);
}

Test(exp2poly, degrees_that_are_refused) {
    static const int degrees[] = {-1, 0, 2, 5, 1000};
    for (size_t i = 0; i < WL_LEN(degrees); i++) {
        struct wl_exp2poly poly;
        struct wl_error error = {0};
        cr_expect_eq(wl_exp2poly_fit(&poly, degrees[i], &error), WL_ERR_INPUT);
        cr_expect(strstr(error.text, "is not allowed: 3 to 4"), "%s", error.text);
    }
}
