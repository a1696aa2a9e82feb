/* cases: the correctness grid, one table an axis. */
#include "tests/cases.h"

#include <inttypes.h>
#include <stdio.h>

#include "runtime/half.h"

#define LEN(array) (sizeof(array) / sizeof((array)[0]))

/* clang-format off */
/* New kernels go to the end: a case's seed is its number. */
struct kernel { const char *schedule; int head_dim; const char *overrides[WL_CASE_OVERRIDES]; int head_dim_v; };
static const struct kernel sm100[] = {{"sm100_fwd_hd64", 40, {NULL}, 0},   {"sm100_fwd_hd64", 64, {NULL}, 0}, {"sm100_fwd_hd128", 128, {NULL}, 0},
                                      {"sm100_fwd_hd96", 96, {NULL}, 0}, {"sm100_fwd_hd64", 24, {NULL}, 0},
                                      {"sm100_fwd_hd256", 256, {NULL}, 0}, {"sm100_fwd_hd128", 128, {"cta_pair=true"}, 0},
                                      {"sm100_fwd_hd64", 64, {"cta_pair=true"}, 0},
                                      {"sm100_fwd_hd192", 192, {NULL}, 128}, {"sm100_fwd_hd192", 152, {NULL}, 72},
                                      {"sm100_fwd_hd64", 64, {"scheduler=clc"}, 0},
                                      {"sm100_fwd_hd64", 64, {"scheduler=clc", "cta_pair=true"}, 0},
                                      {"sm100_fwd_hd128", 128, {"scheduler=clc", "cta_pair=true"}, 0}};
static const struct kernel sm90[] = {{"sm90_fwd_hd64", 40, {NULL}, 0}, {"sm90_fwd_hd64", 64, {NULL}, 0}, {"sm90_fwd_hd128", 128, {NULL}, 0},
                                     {"sm90_fwd_hd192", 192, {NULL}, 0}, {"sm90_fwd_hd256", 256, {NULL}, 0}, {"sm90_fwd_hd96", 96, {NULL}, 0},
                                     {"sm90_fwd_hd128", 128, {"ping_pong=false"}, 0}};
/* spread: so many kernels are walked first (wl_case_spread), so that a sample stays what it was when one is added. */
static const struct { const char *name, *target; const struct kernel *kernels; size_t count, spread; } families[WL_FAMILY_COUNT] = {
    [WL_SM100] = {"sm100", "sm_100a", sm100, LEN(sm100), 11},
    [WL_SM90] = {"sm90", "sm_90a", sm90, LEN(sm90), LEN(sm90)},
};
static const struct { int q, k; } lengths[] = {
    {1, 1}, {1, 513}, {127, 129}, {128, 128}, {300, 300}, {257, 1000}, {1024, 1024}};
static const struct { int query, kv; } heads[] = {{1, 1}, {4, 1}, {6, 2}};
static const int batches[] = {1, 3};
static const int dtypes[] = {WL_BF16, WL_FP16};
static const int masks[] = {0, 1};
/* clang-format on */

const char *wl_family_name(enum wl_family family) { return families[family].name; }
const char *wl_family_target(enum wl_family family) { return families[family].target; }

static const size_t of_kernel = LEN(dtypes) * LEN(masks) * LEN(lengths) * LEN(heads) * LEN(batches) * WL_INPUT_COUNT;

size_t wl_case_count(enum wl_family family) { return families[family].count * of_kernel; }

/* Takes one digit of a mixed-radix number. */
static size_t digit(size_t *number, size_t base) {
    size_t value = *number % base;
    *number /= base;
    return value;
}

void wl_case_get(enum wl_family family, size_t index, struct wl_trial *t) {
    *t = (struct wl_trial){.seed = index + 1, .check = true};
    t->input = (enum wl_input)digit(&index, WL_INPUT_COUNT);
    t->batch = batches[digit(&index, LEN(batches))];
    size_t h = digit(&index, LEN(heads));
    t->heads = heads[h].query;
    t->heads_kv = heads[h].kv;
    size_t l = digit(&index, LEN(lengths));
    t->seq_q = lengths[l].q;
    t->seq_k = lengths[l].k;
    t->causal = masks[digit(&index, LEN(masks))];
    t->dtype = dtypes[digit(&index, LEN(dtypes))];
    size_t k = digit(&index, families[family].count);
    t->schedule = families[family].kernels[k].schedule;
    t->head_dim = families[family].kernels[k].head_dim;
    t->overrides = families[family].kernels[k].overrides;
    while (t->override_count < WL_CASE_OVERRIDES && t->overrides[t->override_count]) t->override_count++;
    t->head_dim_v = families[family].kernels[k].head_dim_v;
}

static double scores(const struct wl_trial *t) {
    return (double)t->batch * (double)t->heads * (double)t->seq_q * (double)t->seq_k;
}

/* The *index-th of a walk over cases first .. first + count - 1; false: there are fewer, and *index is less by as many. */
static bool walk(enum wl_family family, size_t first, size_t count, double max_scores, size_t *index, size_t *found) {
    /* coprime to the number of cases and no multiple of an axis, so that every axis moves at each step */
    const size_t step = 1247;
    size_t at = 0;
    for (size_t tries = 0; tries < count; tries++, at = (at + step) % count) {
        struct wl_trial trial;
        wl_case_get(family, first + at, &trial);
        *found = first + at;
        if (max_scores > 0 && scores(&trial) > max_scores) continue;
        if (!(*index)--) return true;
    }
    return false;
}

size_t wl_case_spread(enum wl_family family, size_t index, double max_scores) {
    size_t older = families[family].spread * of_kernel, newer = wl_case_count(family) - older, found;
    if (walk(family, 0, older, max_scores, &index, &found)) return found;
    if (walk(family, older, newer, max_scores, &index, &found)) return found;
    return 0; /* index is past the last: the walk starts over */
}

const char *wl_case_command(const struct wl_trial *t, char *out, size_t out_bytes) {
    char dim[64] = "", dtype[32] = "";
    int dims = t->head_dim > 0 ? snprintf(dim, sizeof dim, " --head-dim %d", t->head_dim) : 0;
    if (t->head_dim_v > 0) snprintf(dim + dims, sizeof dim - (size_t)dims, " --head-dim-v %d", t->head_dim_v);
    if (t->dtype >= 0) snprintf(dtype, sizeof dtype, " --dtype %s", wl_dtype_name((enum wl_dtype)t->dtype));
    int length = snprintf(out, out_bytes, "%s", t->schedule);
    for (int i = 0; i < t->override_count; i++)
        length += snprintf(out + length, out_bytes - (size_t)length, " %s", t->overrides[i]);
    snprintf(out + length, out_bytes - (size_t)length,
             "%s%s%s --batch %" PRId64 " --heads %" PRId64 " --kv-heads %" PRId64 " --seq-q %" PRId64
             " --seq-k %" PRId64 " --input %s --seed %" PRIu64 " --check",
             dim, dtype, t->causal > 0 ? " --causal" : "", t->batch, t->heads, t->heads_kv, t->seq_q,
             t->seq_k, wl_input_name(t->input), t->seed);
    return out;
}
