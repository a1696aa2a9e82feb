/* compare: see compare.h. */
#include "runtime/compare.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "runtime/half.h"

#define OUTPUT_SLACK 1e-5
#define LSE_ABSOLUTE 1e-4
#define LSE_RELATIVE 1e-5

struct place {
    int64_t batch, row, head, dim;
};

static struct place place_of(const struct wl_attention *problem, int64_t dense) {
    struct place place = {.dim = dense % wl_attention_dim_v(problem)};
    dense /= wl_attention_dim_v(problem);
    place.head = dense % problem->heads;
    dense /= problem->heads;
    place.row = dense % problem->seqlen_q;
    place.batch = dense / problem->seqlen_q;
    return place;
}

static float output_at(const struct wl_attention *problem, const struct place *place) {
    const struct wl_view *view = &problem->o;
    const uint16_t *start = (const uint16_t *)(uintptr_t)view->address;
    int64_t offset =
        place->batch * view->batch_stride + place->row * view->seq_stride + place->head * view->head_stride;
    return wl_dtype_to_float(problem->dtype, start[offset + place->dim]);
}

/* Infinite where something is not a number: larger than any bound. */
static double distance(double value, double exact) {
    double error = fabs(value - exact);
    return isfinite(error) ? error : INFINITY;
}

void wl_compare_output(struct wl_compare *result, const struct wl_attention *problem, const double *exact,
                       const float *plain) {
    int64_t count = problem->batch * problem->seqlen_q * problem->heads * wl_attention_dim_v(problem), worst = 0;
    *result = (struct wl_compare){.error = -1};
    for (int64_t i = 0; i < count; i++) {
        struct place place = place_of(problem, i);
        double error = distance(output_at(problem, &place), exact[i]),
               plain_error = distance(plain[i], exact[i]);
        if (plain_error > result->plain_error) result->plain_error = plain_error;
        if (error <= result->error) continue;
        result->error = error;
        worst = i;
    }
    result->bound = 2 * result->plain_error + OUTPUT_SLACK;
    result->right = isfinite(result->bound) && result->error <= result->bound;
    if (result->right) return;
    struct place at = place_of(problem, worst);
    snprintf(result->worst, sizeof result->worst,
             "o[batch %" PRId64 ", row %" PRId64 ", head %" PRId64 ", dim %" PRId64
             "] is %.9g, exact is %.9g, off by %.3g; "
             "allowed is %.3g",
             at.batch, at.row, at.head, at.dim, output_at(problem, &at), exact[worst], result->error,
             result->bound);
}

void wl_compare_lse(struct wl_compare *result, const struct wl_attention *problem, const float *lse,
                    const double *exact) {
    int64_t count = problem->batch * problem->heads * problem->seqlen_q, worst = 0;
    double worst_share = -1;
    for (int64_t i = 0; i < count; i++) {
        bool empty = exact[i] == -INFINITY;
        double bound = empty ? 0 : LSE_ABSOLUTE + LSE_RELATIVE * fabs(exact[i]);
        double error = empty ? (lse[i] == -INFINITY ? 0 : INFINITY) : distance(lse[i], exact[i]);
        double share = empty ? error : error / bound;
        if (share <= worst_share) continue;
        worst_share = share;
        worst = i;
        result->lse_error = error;
        result->lse_bound = bound;
    }
    if (worst_share <= 1) return;
    result->right = false;
    if (result->worst[0]) return;
    int64_t row = worst % problem->seqlen_q, head = worst / problem->seqlen_q % problem->heads;
    snprintf(result->worst, sizeof result->worst,
             "lse[batch %" PRId64 ", head %" PRId64 ", row %" PRId64
             "] is %.9g, exact is %.9g, off by %.3g; allowed is %.3g",
             worst / problem->seqlen_q / problem->heads, head, row, lse[worst], exact[worst],
             result->lse_error, result->lse_bound);
}
