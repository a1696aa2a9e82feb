/* exp2poly: see exp2poly.h.
 *
 * Plain double arithmetic, and no function of the C library whose last bit differs between machines: the same
 * degree gives the same bits everywhere. Doubles suffice, as coefficients end as floats: over [0, 1] the
 * systems solved here lose 7 of 16 digits at worst. */
#include "gen/exp2poly.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#define UNKNOWNS_MAX (WL_EXP2_DEGREE_MAX + 1) /* the coefficients but c[0], and the levelled error */
#define GRID         512
#define EXCHANGES    8

/* 2^x on [0, 1] within 3e-16: the Taylor series about 1/2. */
static double exp2_exact(double x) {
    double u = (x - 0.5) * 0.69314718055994530942, sum = 1;
    for (int k = 17; k >= 1; k--) sum = 1 + sum * u / k;
    return sum * 1.41421356237309504880;
}

static double horner(const double *c, int degree, double x) {
    double sum = c[degree];
    for (int k = degree - 1; k >= 0; k--) sum = sum * x + c[k];
    return sum;
}

static double relative_error(const double *c, int degree, double x) {
    return horner(c, degree, x) / exp2_exact(x) - 1;
}

/* ---- Remez exchange: c[0] is 1, so c[1..degree] and the level E are found from degree + 1 points ---- */

/* Gaussian elimination with pivoting of n rows, the right side in column n. */
static bool solve(double a[UNKNOWNS_MAX][UNKNOWNS_MAX + 1], int n) {
    for (int column = 0; column < n; column++) {
        int pivot = column;
        for (int row = column; row < n; row++)
            if (fabs(a[row][column]) > fabs(a[pivot][column])) pivot = row;
        if (a[pivot][column] == 0) return false;
        for (int k = 0; k <= n; k++) {
            double kept = a[column][k];
            a[column][k] = a[pivot][k];
            a[pivot][k] = kept;
        }
        for (int row = 0; row < n; row++) {
            double factor = row == column ? 0 : a[row][column] / a[column][column];
            for (int k = column; k <= n; k++) a[row][k] -= factor * a[column][k];
        }
    }
    for (int row = 0; row < n; row++) a[row][n] /= a[row][row];
    return true;
}

/* The polynomial whose relative error is +E, -E, +E, ... at x[0..degree]. */
static bool level(const double *x, int degree, double *c) {
    double a[UNKNOWNS_MAX][UNKNOWNS_MAX + 1];
    int n = degree + 1;
    for (int row = 0; row < n; row++) {
        double weight = 1 / exp2_exact(x[row]), power = weight;
        for (int k = 1; k <= degree; k++) a[row][k - 1] = power *= x[row];
        a[row][degree] = row % 2 ? 1 : -1;
        a[row][n] = 1 - weight;
    }
    if (!solve(a, n)) return false;
    c[0] = 1;
    for (int k = 1; k <= degree; k++) c[k] = a[k - 1][n];
    return true;
}

/* Where the parabola through the error at x - h, x, x + h has its top. */
static double refine(const double *c, int degree, double x) {
    const double h = 1.0 / GRID;
    if (x + h > 1) return x;
    double left = relative_error(c, degree, x - h), here = relative_error(c, degree, x);
    double right = relative_error(c, degree, x + h), bend = left - 2 * here + right;
    return bend == 0 ? x : x + 0.5 * h * (left - right) / bend;
}

/* Moves x[] to the extrema of the error, one in each run of equal signs. */
static void exchange(double *x, int degree, const double *c) {
    double found[UNKNOWNS_MAX + 1], best = 0;
    int count = 0;
    for (int i = 1; i <= GRID && count <= degree + 1; i++) {
        double here = (double)i / GRID, error = relative_error(c, degree, here);
        if (count == 0 || error * best < 0) { /* a new run */
            found[count++] = here;
            best = error;
        } else if (fabs(error) > fabs(best)) {
            found[count - 1] = here;
            best = error;
        }
    }
    if (count != degree + 1) return; /* as good as level already: noise decides the signs */
    for (int i = 0; i < count; i++) x[i] = refine(c, degree, found[i]);
}

static bool remez(int degree, double *c) {
    double x[UNKNOWNS_MAX];
    for (int i = 0; i <= degree; i++) { /* close to Chebyshev's points */
        double s = (double)(i + 1) / (degree + 1);
        x[i] = s * s * (3 - 2 * s);
    }
    for (int i = 0; i < EXCHANGES; i++) {
        if (!level(x, degree, c)) return false;
        exchange(x, degree, c);
    }
    return true;
}

/* ---- the form that the machine evaluates ---- */

/* x^(1 / n) for x in (0, 1), by Newton's method from above. */
static double root(double x, int n) {
    double r = 1;
    for (int i = 0; i < 100; i++) {
        double power = 1;
        for (int k = 1; k < n; k++) power *= r;
        r -= (r - x / power) / n;
    }
    return r;
}

/* c[] in powers of f becomes c[] in powers of f + h. */
static void shift(double *c, int degree, double h) {
    for (int i = 0; i < degree; i++)
        for (int k = degree - 1; k >= i; k--) c[k] -= h * c[k + 1];
}

#define MAGICS 16384 /* of the 24 bits of magic the first is 1, and the last 9 are for the exponent */
#define NEAR   32    /* so many 2^-24 of r's last place may be missing: 2e-6 of f */

/* k, which is to be `scale`, and magic such that r = k (magic + h / 256) is a float. k is free in its last bits and magic in
 * its first: of 4 * 10^5 pairs one is right. whole: what the last 9 bits of magic are to be. */
static bool find_floats(struct wl_exp2poly *poly, double scale, double h, int whole) {
    for (int i = 0; i < 256; i++) {
        int64_t k = (int64_t)ldexp(scale, 24) + (i % 2 ? i / 2 + 1 : -(i / 2)), part = (int64_t)(h * (double)k);
        for (int64_t magic = (1 << 23) + (whole & 511), j = 0; j < MAGICS; j++, magic += 512) {
            int64_t r = magic * k + part + NEAR;
            if ((r & 0xffffff) > 2 * NEAR) continue;
            poly->magic = ldexpf((float)magic, -8);
            poly->k = ldexpf((float)k, -24);
            poly->r = ldexpf((float)(r >> 24), -8);
            return true;
        }
    }
    return false;
}

static float polynomial(const struct wl_exp2poly *poly, float e) {
    float p = e;
    for (int i = poly->degree - 2; i >= 0; i--) p = fmaf(p, e, poly->a[i]);
    return p;
}

/* a[] from c[]; a[0] such that y = 0 gives 2^-less and not the float before, whose sum with -127 in the exponent is no number. */
static bool find_coefficients(struct wl_exp2poly *poly, double *c, int less) {
    double k = poly->k, h = ((double)poly->r / k - poly->magic) * 256, power = ldexp(1, -less);
    shift(c, poly->degree, h);
    for (int i = 0; i <= poly->degree - 2; i++, power *= 256 / k) poly->a[i] = (float)(power * c[i]);
    float least = ldexpf(1, -less), e = fmaf(-poly->magic, poly->k, poly->r);
    for (int i = 0; i < 16 && polynomial(poly, e) < least; i++) poly->a[0] = nextafterf(poly->a[0], 1);
    for (int i = 0; i < 16 && polynomial(poly, e) > least; i++) poly->a[0] = nextafterf(poly->a[0], 0);
    return polynomial(poly, e) == least;
}

/* Half a unit in the last place of floats as large as x: the most that rounding to x adds. */
static double half_ulp(double x) {
    int exponent;
    frexp(x, &exponent);
    return ldexp(1, exponent - 25);
}

/* The bound: error without rounding, and on top what rounding each step can add. Taken on a grid; between its points the
 * error, a smooth curve of a few arches, can rise by no more than a 10^-4th of itself, and so can the steps' sizes, which
 * say how large their roundings are. The largest is that of r - k t where x is: up to 16. */
static double worst_rounded(const struct wl_exp2poly *poly, int less) {
    enum { STEPS = 1024 };
    const double slack = 1 + 1e-4, k = poly->k, least = fma(-(double)poly->magic, k, (double)poly->r);
    double worst = 0;
    for (int i = 0; i <= STEPS; i++) {
        double f = (double)i / STEPS, e = least + k * f / 256, p = e, exact = ldexp(exp2_exact(f), -less);
        double rounding = half_ulp(k * (127 + 16) / 256) + half_ulp(e * slack), off_e = rounding;
        for (int j = poly->degree - 2; j >= 0; j--) {
            rounding = rounding * e + off_e * p;
            p = p * e + poly->a[j];
            rounding += half_ulp(fabs(p) * slack);
        }
        worst = fmax(worst, (fabs(p / exact - 1) + rounding / exact) * slack);
    }
    return worst;
}

enum wl_status wl_exp2poly_fit(struct wl_exp2poly *poly, int degree, struct wl_error *error) {
    double c[WL_EXP2_DEGREE_MAX + 1], scale = 2;
    int less = 0;
    if (degree < WL_EXP2_DEGREE_MIN || degree > WL_EXP2_DEGREE_MAX)
        return wl_fail(error, WL_ERR_INPUT, NULL, 0, "exp2_degree", "%d is not allowed: %d to %d", degree,
                       WL_EXP2_DEGREE_MIN, WL_EXP2_DEGREE_MAX);
    *poly = (struct wl_exp2poly){.degree = degree};
    bool found = remez(degree, c);
    while (found && scale >= 1) scale = 256 * root(ldexp(c[degree], -++less), degree);
    if (!found || !find_floats(poly, scale, c[degree - 1] / (degree * c[degree]), less - 127) || !find_coefficients(poly, c, less))
        return wl_fail(error, WL_ERR_INTERNAL, NULL, 0, "exp2_degree", "no polynomial of degree %d found",
                       degree);
    poly->worst = worst_rounded(poly, less);
    return WL_OK;
}

float wl_exp2poly_eval(const struct wl_exp2poly *poly, float y) {
    union { float f; uint32_t bits; } t = {poly->magic + (float)(int)(y * 256) / 256}, p;
    p.f = polynomial(poly, fmaf(y, poly->k, fmaf(-t.f, poly->k, poly->r)));
    p.bits += t.bits << 23;
    return p.f;
}
