/* reference: against a naive loop in long double, against cases done by hand, and against itself cut up
 * differently. */
#include "runtime/compare.h"
#include "runtime/half.h"
#include "runtime/reference.h"
#include "tests/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct tensors {
    struct wl_attention problem;
    uint16_t *q, *k, *v, *o;
    double *exact, *lse;
    float *plain;
};

static uint64_t next(uint64_t *state) { /* xorshift64*: the same numbers everywhere */
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1dull;
}

static uint16_t *fill(enum wl_dtype dtype, int64_t count, uint64_t *state, float range) {
    uint16_t *out = malloc((size_t)count * sizeof *out);
    for (int64_t i = 0; i < count; i++)
        out[i] = wl_dtype_from_float(dtype, ((float)(next(state) >> 40) / (float)(1 << 23) - 1) * range);
    return out;
}

static int64_t output_count(const struct wl_attention *p) {
    return p->batch * p->seqlen_q * p->heads * p->head_dim;
}

/* padding: elements left free after each row of each head. */
static struct tensors make(struct wl_attention problem, int64_t padding, float range) {
    uint64_t state = 0x9e3779b97f4a7c15ull;
    struct tensors t = {.problem = problem};
    struct wl_attention *p = &t.problem;
    wl_attention_dense(p);
    int64_t step = p->head_dim + padding;
    p->q.head_stride = p->k.head_stride = p->v.head_stride = step;
    p->q.seq_stride = p->heads * step, p->k.seq_stride = p->v.seq_stride = p->heads_kv * step;
    p->q.batch_stride = p->seqlen_q * p->q.seq_stride;
    p->k.batch_stride = p->v.batch_stride = p->seqlen_k * p->k.seq_stride;
    t.q = fill(p->dtype, p->batch * p->q.batch_stride, &state, range);
    t.k = fill(p->dtype, p->batch * p->k.batch_stride, &state, range);
    t.v = fill(p->dtype, p->batch * p->v.batch_stride, &state, range);
    t.o = calloc((size_t)output_count(p), sizeof *t.o);
    t.exact = malloc((size_t)output_count(p) * sizeof *t.exact);
    t.plain = malloc((size_t)output_count(p) * sizeof *t.plain);
    t.lse = malloc((size_t)(p->batch * p->heads * p->seqlen_q) * sizeof *t.lse);
    p->q.address = (uintptr_t)t.q, p->k.address = (uintptr_t)t.k, p->v.address = (uintptr_t)t.v;
    p->o.address = (uintptr_t)t.o;
    return t;
}

static void release(struct tensors *t) {
    free(t->q), free(t->k), free(t->v), free(t->o), free(t->exact), free(t->plain), free(t->lse);
}

static long double element(const struct wl_attention *p, const struct wl_view *view, int64_t b, int64_t row,
                           int64_t h, int64_t d) {
    const uint16_t *start = (const uint16_t *)(uintptr_t)view->address;
    return wl_dtype_to_float(
        p->dtype, start[b * view->batch_stride + row * view->seq_stride + h * view->head_stride + d]);
}

/* One row, as the definition says it. */
static long double naive_row(const struct wl_attention *p, int64_t b, int64_t h, int64_t i,
                             long double *out) {
    int64_t kv = h / (p->heads / p->heads_kv),
            visible = p->causal ? i + p->seqlen_k - p->seqlen_q + 1 : p->seqlen_k;
    long double scale = p->scale != 0 ? p->scale : 1 / sqrtl(p->head_dim), most = -INFINITY, sum = 0;
    long double *scores = calloc((size_t)p->seqlen_k, sizeof *scores);
    for (int64_t d = 0; d < p->head_dim; d++) out[d] = 0;
    for (int64_t j = 0; j < visible; j++) {
        for (int64_t d = 0; d < p->head_dim; d++)
            scores[j] += element(p, &p->q, b, i, h, d) * element(p, &p->k, b, j, kv, d);
        scores[j] *= scale;
        if (scores[j] > most) most = scores[j];
    }
    for (int64_t j = 0; j < visible; j++) sum += expl(scores[j] - most);
    for (int64_t j = 0; j < visible; j++)
        for (int64_t d = 0; d < p->head_dim; d++)
            out[d] += expl(scores[j] - most) / sum * element(p, &p->v, b, j, kv, d);
    free(scores);
    return visible > 0 ? most + logl(sum) : -INFINITY;
}

static const struct shape {
    struct wl_attention problem;
    int64_t padding;
} shapes[] = {
    {{.batch = 1, .heads = 1, .heads_kv = 1, .seqlen_q = 1, .seqlen_k = 1, .head_dim = 8}, 0},
    {{.batch = 2, .heads = 3, .heads_kv = 3, .seqlen_q = 37, .seqlen_k = 65, .head_dim = 40}, 0},
    {{.batch = 2,
      .heads = 4,
      .heads_kv = 2,
      .seqlen_q = 33,
      .seqlen_k = 64,
      .head_dim = 64,
      .dtype = WL_FP16},
     8},
    {{.batch = 1, .heads = 6, .heads_kv = 1, .seqlen_q = 5, .seqlen_k = 131, .head_dim = 128, .scale = 0.3},
     16},
    {{.batch = 1, .heads = 2, .heads_kv = 1, .seqlen_q = 50, .seqlen_k = 50, .head_dim = 24, .causal = true},
     0},
    {{.batch = 1, .heads = 1, .heads_kv = 1, .seqlen_q = 10, .seqlen_k = 140, .head_dim = 16, .causal = true},
     0},
    {{.batch = 2,
      .heads = 2,
      .heads_kv = 2,
      .seqlen_q = 140,
      .seqlen_k = 9,
      .head_dim = 8,
      .causal = true,
      .dtype = WL_FP16},
     0},
};

ParameterizedTestParameters(reference, agrees_with_the_definition) { return wl_test_rows(WL_LEN(shapes)); }
ParameterizedTest(size_t *row, reference, agrees_with_the_definition) {
    struct tensors t = make(shapes[*row].problem, shapes[*row].padding, 2);
    const struct wl_attention *p = &t.problem;
    struct wl_error error = {0};
    cr_assert_eq(wl_reference_exact(p, t.exact, t.lse, 0, &error), WL_OK, "%s", error.text);
    cr_assert_eq(wl_reference_plain(p, t.plain, 0, &error), WL_OK, "%s", error.text);
    double plain_error = 0;
    for (int64_t b = 0; b < p->batch; b++)
        for (int64_t h = 0; h < p->heads; h++)
            for (int64_t i = 0; i < p->seqlen_q; i++) {
                long double wanted[128], lse = naive_row(p, b, h, i, wanted);
                int64_t at = ((b * p->seqlen_q + i) * p->heads + h) * p->head_dim;
                double got = t.lse[(b * p->heads + h) * p->seqlen_q + i];
                cr_expect(got == lse || fabsl(got - lse) < 1e-13L * (1 + fabsl(lse)), "lse %g, not %Lg", got,
                          lse);
                for (int64_t d = 0; d < p->head_dim; d++) {
                    cr_expect(fabsl(t.exact[at + d] - wanted[d]) < 1e-13L,
                              "o[%ld,%ld,%ld,%ld] is %g, not %Lg", (long)b, (long)i, (long)h, (long)d,
                              t.exact[at + d], wanted[d]);
                    plain_error = fmax(plain_error, fabs(t.plain[at + d] - (double)wanted[d]));
                }
            }
    double step = p->dtype == WL_BF16 ? 0x1p-8 : 0x1p-11; /* relative rounding of P, of O, each half of it */
    cr_expect_lt(plain_error, 3 * 2 * step, "the plain implementation is off by %g", plain_error);
    release(&t);
}

/* One query, two keys with scores 0 and ln 3: weights 1/4 and 3/4. */
Test(reference, by_hand) {
    float ln3 = wl_half_to_float(wl_half_from_float(1.0986123f));
    struct tensors t = make((struct wl_attention){.batch = 1,
                                                  .heads = 1,
                                                  .heads_kv = 1,
                                                  .seqlen_q = 1,
                                                  .seqlen_k = 2,
                                                  .head_dim = 8,
                                                  .scale = 1,
                                                  .dtype = WL_FP16},
                            0, 0);
    t.q[0] = wl_half_from_float(1);
    t.k[8] = wl_half_from_float(ln3);
    for (int d = 0; d < 8; d++) t.v[d] = wl_half_from_float(4), t.v[8 + d] = wl_half_from_float((float)d);
    cr_assert_eq(wl_reference_exact(&t.problem, t.exact, t.lse, 1, NULL), WL_OK);
    double weight = exp(ln3) / (1 + exp(ln3));
    cr_expect_float_eq(t.lse[0], log(1 + exp(ln3)), 1e-15);
    for (int d = 0; d < 8; d++) cr_expect_float_eq(t.exact[d], (1 - weight) * 4 + weight * d, 1e-14);
    release(&t);
}

/* With all scores equal a row's output is the mean of the keys it sees: keys 0 .. i + seqlen_k - seqlen_q. */
Test(reference, causal_is_aligned_bottom_right) {
    static const int64_t lengths[][2] = {{4, 4}, {3, 7}, {7, 3}, {1, 5}};
    for (size_t n = 0; n < WL_LEN(lengths); n++) {
        struct tensors t = make((struct wl_attention){.batch = 1,
                                                      .heads = 1,
                                                      .heads_kv = 1,
                                                      .seqlen_q = lengths[n][0],
                                                      .seqlen_k = lengths[n][1],
                                                      .head_dim = 8,
                                                      .causal = true},
                                0, 0);
        for (int64_t j = 0; j < lengths[n][1]; j++) t.v[8 * j] = wl_bf16_from_float((float)j);
        cr_assert_eq(wl_reference_exact(&t.problem, t.exact, t.lse, 2, NULL), WL_OK);
        cr_assert_eq(wl_reference_plain(&t.problem, t.plain, 2, NULL), WL_OK);
        for (int64_t i = 0; i < lengths[n][0]; i++) {
            int64_t seen = i + lengths[n][1] - lengths[n][0] + 1;
            double mean = seen > 0 ? (double)(seen - 1) / 2 : 0,
                   lse = seen > 0 ? log((double)seen) : -INFINITY;
            cr_expect(fabs(t.exact[8 * i] - mean) < 1e-15, "lengths %zu row %ld: %g, not %g", n, (long)i,
                      t.exact[8 * i], mean);
            cr_expect(t.lse[i] == lse || fabs(t.lse[i] - lse) < 1e-15, "lengths %zu row %ld: lse %g", n,
                      (long)i, t.lse[i]);
            cr_expect_float_eq(t.plain[8 * i], mean, 1e-6, "lengths %zu row %ld: plain %g", n, (long)i,
                               t.plain[8 * i]);
        }
        release(&t);
    }
}

/* The plain one rounds P: 1 + 2^-9 weights, exact in float, are gone in bf16. */
Test(reference, plain_rounds_p) {
    struct tensors t = make(
        (struct wl_attention){
            .batch = 1, .heads = 1, .heads_kv = 1, .seqlen_q = 1, .seqlen_k = 2, .head_dim = 8, .scale = 1},
        0, 0);
    t.q[0] = wl_bf16_from_float(1);
    t.k[8] = wl_bf16_from_float(-0.0019f); /* P about 1 - 2^-9: rounds to 1 */
    t.v[0] = wl_bf16_from_float(-1), t.v[8] = wl_bf16_from_float(1);
    cr_assert_eq(wl_reference_exact(&t.problem, t.exact, NULL, 1, NULL), WL_OK);
    cr_assert_eq(wl_reference_plain(&t.problem, t.plain, 1, NULL), WL_OK);
    cr_expect_lt(t.exact[0], -9e-4);
    cr_expect_eq(t.plain[0], 0);
    release(&t);
}

Test(reference, threads_change_nothing) {
    struct tensors t = make((struct wl_attention){.batch = 2,
                                                  .heads = 3,
                                                  .heads_kv = 1,
                                                  .seqlen_q = 97,
                                                  .seqlen_k = 130,
                                                  .head_dim = 32,
                                                  .causal = true},
                            0, 3);
    int64_t count = output_count(&t.problem);
    double *again = malloc((size_t)count * sizeof *again);
    wl_reference_exact(&t.problem, t.exact, t.lse, 1, NULL);
    wl_reference_exact(&t.problem, again, NULL, 5, NULL);
    cr_expect_eq(memcmp(again, t.exact, (size_t)count * sizeof *again), 0);
    free(again);
    release(&t);
}

/* V's columns know nothing of each other: of fewer, each is what it was. */
Test(reference, head_dim_of_v) {
    const struct wl_attention problem = {
        .batch = 2, .heads = 2, .heads_kv = 1, .seqlen_q = 9, .seqlen_k = 70, .head_dim = 40, .causal = true};
    struct tensors t = make(problem, 8, 1);
    const int64_t rows = 2 * 2 * 9, narrow = 24;
    double *exact = malloc((size_t)(rows * narrow) * sizeof *exact), *lse = malloc((size_t)rows * sizeof *lse);
    float *plain = malloc((size_t)(rows * narrow) * sizeof *plain);
    struct wl_error error = {0};
    cr_assert_eq(wl_reference_exact(&t.problem, t.exact, t.lse, 1, &error), WL_OK, "%s", error.text);
    cr_assert_eq(wl_reference_plain(&t.problem, t.plain, 1, &error), WL_OK, "%s", error.text);
    t.problem.head_dim_v = narrow;
    cr_assert_eq(wl_reference_exact(&t.problem, exact, lse, 1, &error), WL_OK, "%s", error.text);
    cr_assert_eq(wl_reference_plain(&t.problem, plain, 1, &error), WL_OK, "%s", error.text);
    cr_expect(!memcmp(lse, t.lse, (size_t)rows * sizeof *lse));
    for (int64_t r = 0; r < rows; r++) {
        cr_expect(!memcmp(exact + r * narrow, t.exact + r * 40, (size_t)narrow * sizeof *exact), "row %d", (int)r);
        cr_expect(!memcmp(plain + r * narrow, t.plain + r * 40, (size_t)narrow * sizeof *plain), "row %d", (int)r);
    }
    free(exact), free(lse), free(plain);
    release(&t);
}

Test(reference, refuses_a_bad_problem) {
    struct wl_attention problem = {
        .batch = 1, .heads = 1, .heads_kv = 1, .seqlen_q = 1, .seqlen_k = 0, .head_dim = 8};
    struct wl_error error = {0};
    cr_expect_eq(wl_reference_exact(&problem, NULL, NULL, 0, &error), WL_ERR_INPUT);
    cr_expect_str_eq(error.field, "seqlen_k");
}

/* ---- compare ---- */

static struct tensors compared(struct wl_compare *result) {
    struct tensors t = make((struct wl_attention){.batch = 2,
                                                  .heads = 2,
                                                  .heads_kv = 1,
                                                  .seqlen_q = 12,
                                                  .seqlen_k = 10,
                                                  .head_dim = 16,
                                                  .causal = true},
                            0, 2);
    wl_reference_exact(&t.problem, t.exact, t.lse, 1, NULL);
    wl_reference_plain(&t.problem, t.plain, 1, NULL);
    wl_dtype_narrow(WL_BF16, t.o, t.plain, (size_t)output_count(&t.problem));
    wl_compare_output(result, &t.problem, t.exact, t.plain);
    return t;
}

Test(compare, plain_is_right_by_its_own_bound) {
    struct wl_compare result;
    struct tensors t = compared(&result);
    cr_expect(result.right, "%s", result.worst);
    cr_expect_eq(result.error, result.plain_error);
    cr_expect_float_eq(result.bound, 2 * result.plain_error + 1e-5, 1e-18);
    release(&t);
}

Test(compare, one_wrong_element_is_named) {
    static const struct {
        uint16_t bits;
        const char *value;
    } rows[] = {{0x7fc0, "nan"}, {0x7f80, "inf"}, {0x4120, "is 10"}};
    for (size_t i = 0; i < WL_LEN(rows); i++) {
        struct wl_compare result;
        struct tensors t = compared(&result);
        t.o[((1 * 12 + 7) * 2 + 1) * 16 + 5] = rows[i].bits;
        wl_compare_output(&result, &t.problem, t.exact, t.plain);
        cr_expect_not(result.right);
        cr_expect(strstr(result.worst, "o[batch 1, row 7, head 1, dim 5]"), "%s", result.worst);
        cr_expect(strstr(result.worst, rows[i].value), "%s", result.worst);
        release(&t);
    }
}

/* A reference that is not a number proves nothing. */
Test(compare, a_nan_in_the_reference_is_not_right) {
    struct wl_compare result;
    struct tensors t = compared(&result);
    t.exact[3] = NAN;
    wl_compare_output(&result, &t.problem, t.exact, t.plain);
    cr_expect_not(result.right);
    release(&t);
}

Test(compare, row_sums) {
    static const struct {
        float change;
        int64_t at; /* rows 0 and 1 of each head see no key */
        bool right;
        const char *where;
    } rows[] = {{0, 5, true, ""},
                {0.9e-4f, 5, true, ""},
                {1e-3f, 5, false, "lse[batch 0, head 0, row 5]"},
                {NAN, 12 + 7, false, "lse[batch 0, head 1, row 7]"},
                {INFINITY, 24 + 3, false, "lse[batch 1, head 0, row 3]"},
                {INFINITY, 1, false, "lse[batch 0, head 0, row 1]"}, /* +inf - inf: NaN where -inf is right */
                {NAN, 0, false, "row 0]"}};
    for (size_t i = 0; i < WL_LEN(rows); i++) {
        struct wl_compare result;
        struct tensors t = compared(&result);
        float lse[48];
        for (int j = 0; j < 48; j++) lse[j] = (float)t.lse[j];
        lse[rows[i].at] += rows[i].change;
        wl_compare_lse(&result, &t.problem, lse, t.lse);
        cr_expect_eq(result.right, rows[i].right, "row %zu: %s", i, result.worst);
        cr_expect(strstr(result.worst, rows[i].where), "row %zu: %s", i, result.worst);
        release(&t);
    }
}
