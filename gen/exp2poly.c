/* exp2poly: see exp2poly.h.
 *
 * Plain double arithmetic, and no function of the C library whose last bit differs between machines: the same
 * degree gives the same bits everywhere. Doubles suffice, as coefficients end as floats: over [0, 1] the
 * systems solved here lose 7 of 16 digits at worst. */
#include "gen/exp2poly.h"

#include <math.h>
#include <stdbool.h>

#define UNKNOWNS_MAX (WL_EXP2_DEGREE_MAX + 1) /* the coefficients but c[0], and the levelled error */
#define GRID         512
#define EXCHANGES    8
#define SQUARINGS_2  3 /* 2 would leave 1.4e-4, more than a row's LSE may be off */

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

/* What p is to be close to: 2^(x / 2^squarings), which squared so often is 2^x. */
static int squarings_of(int degree) { return degree == 2 ? SQUARINGS_2 : 0; }
static double target(int degree, double x) { return exp2_exact(ldexp(x, -squarings_of(degree))); }

static double relative_error(const double *c, int degree, double x) {
    return horner(c, degree, x) / target(degree, x) - 1;
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
        double weight = 1 / target(degree, x[row]), power = weight;
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

/* ---- to floats ---- */

#define SETTLE_STEPS 96

/* The worst error as if no step were rounded; exact[] holds 2^f at the points. */
static double worst_unrounded(const struct wl_exp2poly *poly, const double *exact) {
    double c[WL_EXP2_DEGREE_MAX + 1], worst = 0;
    for (int k = 0; k <= poly->degree; k++) c[k] = poly->c[k];
    for (int i = 1; i <= SETTLE_STEPS; i++) {
        double p = horner(c, poly->degree, (double)i / SETTLE_STEPS);
        worst = fmax(worst, fabs(p - exact[i]) / exact[i]);
    }
    return worst;
}

/* Coefficients rounded one by one are not best together: their neighbours are tried while that helps. */
static void settle(struct wl_exp2poly *poly) {
    double exact[SETTLE_STEPS + 1];
    for (int i = 0; i <= SETTLE_STEPS; i++) exact[i] = target(poly->degree, (double)i / SETTLE_STEPS);
    double best = worst_unrounded(poly, exact);
    for (bool better = true; better;) {
        better = false;
        for (int k = 1; k <= poly->degree; k++) {
            for (int up = 0; up < 2; up++) {
                float kept = poly->c[k];
                poly->c[k] = nextafterf(kept, up ? 2.0f : -2.0f);
                double worst = worst_unrounded(poly, exact);
                if (worst < best) best = worst, better = true;
                else poly->c[k] = kept;
            }
        }
    }
}

/* Half a unit in the last place of floats as large as x: the most that rounding to x adds. */
static double half_ulp(double x) {
    int exponent;
    frexp(x, &exponent);
    return ldexp(1, exponent - 25);
}

/* The bound: error without rounding, and on top what rounding every step of Horner's rule can add. Taken on a
 * grid; between its points the error, a smooth curve of a few arches, can rise by no more than a 10^-4th of
 * itself, and so can the steps' sizes, which say how large their roundings are. */
static double worst_rounded(const struct wl_exp2poly *poly) {
    enum { STEPS = 1024 };
    const double slack = 1 + 1e-4;
    double worst = 0;
    for (int i = 0; i <= STEPS; i++) {
        double f = (double)i / STEPS, sum = poly->c[poly->degree], rounding = 0;
        for (int k = poly->degree - 1; k >= 0; k--) {
            sum = sum * f + poly->c[k];
            rounding = rounding * f + half_ulp(fabs(sum) * slack);
        }
        double exact = target(poly->degree, f), error = fabs(sum / exact - 1) * slack + rounding * slack / exact;
        for (int k = 0; k < poly->squarings; k++) error = error * (2 + error) + half_ulp(1);
        worst = fmax(worst, error);
    }
    return worst;
}

enum wl_status wl_exp2poly_fit(struct wl_exp2poly *poly, int degree, struct wl_error *error) {
    double c[WL_EXP2_DEGREE_MAX + 1];
    if (degree < WL_EXP2_DEGREE_MIN || degree > WL_EXP2_DEGREE_MAX)
        return wl_fail(error, WL_ERR_INPUT, NULL, 0, "exp2_degree", "%d is not allowed: %d to %d", degree,
                       WL_EXP2_DEGREE_MIN, WL_EXP2_DEGREE_MAX);
    if (!remez(degree, c))
        return wl_fail(error, WL_ERR_INTERNAL, NULL, 0, "exp2_degree", "no polynomial of degree %d found",
                       degree);
    *poly = (struct wl_exp2poly){.degree = degree, .squarings = squarings_of(degree)};
    for (int k = 0; k <= degree; k++) poly->c[k] = (float)c[k];
    settle(poly);
    poly->worst = worst_rounded(poly);
    return WL_OK;
}

float wl_exp2poly_eval(const struct wl_exp2poly *poly, float f) {
    float sum = poly->c[poly->degree];
    for (int k = poly->degree - 1; k >= 0; k--) sum = fmaf(sum, f, poly->c[k]);
    for (int k = 0; k < poly->squarings; k++) sum *= sum;
    return sum;
}
