/* cost: the cost model of explain.h.
 *
 * What a thread does in a step is counted from the templates' inner loops:
 * templates/sm100/forward/softmax.ptx, correction.ptx and mma.ptx, templates/sm90/forward/consumer.ptx.
 * tests/test_explain.c counts the same in the emitted PTX, so that the two cannot drift apart. Packed f32x2
 * operations are two on the FMA pipe, one to issue. */
#include "gen/explain.h"

#include <string.h>

/* Instructions of one thread in one step, by the pipe that executes them; issue counts all of them. */
struct counts {
    double issue, fma, alu, mufu;
};

static void add_row(struct wl_cost *cost, const char *unit, const char *what, const char *of, double amount,
                    double rate) {
    if (amount <= 0 || rate <= 0 || cost->row_count == WL_COST_MAX_ROWS) return;
    cost->rows[cost->row_count++] = (struct wl_cost_row){
        .unit = unit, .what = what, .of = of, .amount = amount, .rate = rate, .clocks = amount / rate};
}

/* A role's threads at work: the arithmetic pipes take lanes, the schedulers warps. */
static void add_role(struct wl_cost *cost, const struct wl_arch *arch, const char *role, int threads,
                     struct counts c) {
    add_row(cost, "mufu", role, "op", threads * c.mufu, arch->mufu);
    add_row(cost, "fma", role, "op", threads * c.fma, arch->fma);
    add_row(cost, "alu", role, "op", threads * c.alu, arch->alu);
    add_row(cost, "issue", role, "warp instruction", threads / 32.0 * c.issue, arch->issue_warps);
}

/* ---- sm_100: a row per thread ---- */

/* Waiting for s_full, seeing that the row's maximum has not grown, handing the factor on: all that does not
 * grow with tile_n. */
static const struct counts sm100_softmax_fixed = {.issue = 24, .fma = 1, .alu = 6};
/* Waiting for the factor, deciding that O keeps its scale; then the next query tile's turn, where there are
 * two. */
static const struct counts sm100_correction_step = {.issue = 8, .alu = 2},
                           sm100_correction_turn = {.issue = 7, .alu = 3};
/* Waiting for the PV before; the other S tile's turn. */
static const struct counts sm100_correction_stage = {.issue = 8, .alu = 7};

/* Rescaling O in every step: packed products, and tensor memory in and out by 64 columns. */
static struct counts sm100_rescale(const struct wl_plan *plan) {
    const double pv = plan->head_dim_pv;
    return (struct counts){.issue = pv / 2 + 3 * pv / 64 + 3, .fma = pv};
}

static struct counts sm100_softmax(const struct wl_plan *plan) {
    const int n = plan->schedule.tile_n, degree = plan->poly.degree;
    const double pairs = n / 2.0, poly = plan->exp2_pairs, mufu = pairs - poly;
    struct counts c = sm100_softmax_fixed;
    c.alu += n / 2.0 + 2;           /* 3-input maxima */
    c.fma += 2 * pairs + 2 * pairs; /* scale, sum */
    c.alu += pairs;                 /* pack to 16 bits */
    c.mufu += 2 * mufu;
    c.fma += poly * 2 * (3 + degree); /* n, e by two, Horner (a step less than its degree), exponent */
    c.issue += n / 2.0 + 2 + 3 * pairs + 2 * mufu + poly * (5 + degree);
    c.issue += n / 32.0 + n / 32.0; /* tensor memory in and out */
    if (plan->schedule.s_stages > 1) c.issue += 7, c.alu += 7; /* the other S tile's turn */
    return c;
}

static void sm100_forward(const struct wl_plan *plan, struct wl_cost *cost) {
    const struct wl_schedule *s = &plan->schedule;
    const struct wl_arch *arch = plan->arch;
    const double q = s->q_tiles, m = s->tile_m, n = s->tile_n, qk = plan->head_dim_qk, pv = plan->head_dim_pv;
    const double share = 1.0 / plan->cluster; /* of K and V: a pair halves them */
    const double kv_bytes = plan->qk.blocks * plan->qk.row_bytes * plan->kv_rows + plan->v.blocks * plan->v.row_bytes * n;
    add_row(cost, "mma", "S = Q K^T", "FLOP", q * 2 * m * n * qk, arch->mma_flops_16bit);
    add_row(cost, "mma", "O += P V", "FLOP", q * 2 * m * n * pv, arch->mma_flops_16bit);
    add_row(cost, "smem", "Q and K read by QK", "B", q * (m + n * share) * qk * 2, arch->smem_bytes_clk);
    add_row(cost, "smem", "V read by PV", "B", q * n * share * pv * 2, arch->smem_bytes_clk);
    add_row(cost, "smem", "K and V written by TMA", "B", kv_bytes, arch->smem_bytes_clk);
    add_row(cost, "smem", "rescale factors", "B", q * m * 4 * 2, arch->smem_bytes_clk);
    add_row(cost, "tmem", "S read by softmax", "B", q * m * n * 4, arch->tmem_read_bytes);
    if (s->rescale_always) add_row(cost, "tmem", "O read by correction", "B", q * m * pv * 4, arch->tmem_read_bytes);
    add_role(cost, arch, "softmax", (int)(q * m), sm100_softmax(plan));
    for (int i = 0; i < s->q_tiles; i++) {
        add_role(cost, arch, "correction", (int)m, sm100_correction_step);
        if (s->q_tiles > 1 && !plan->turns_unrolled) add_role(cost, arch, "correction", (int)m, sm100_correction_turn);
        if (s->s_stages > 1) add_role(cost, arch, "correction", (int)m, sm100_correction_stage);
        if (s->rescale_always) add_role(cost, arch, "correction", (int)m, sm100_rescale(plan));
    }
    /* Q's descriptors, MMAs, waiting for P, commits; descriptors of K and V; of a pair, the leader's */
    double mma_warp = q * (2 * qk / 16 + n / 16 + 8) + (qk + n) / 16 + 22;
    add_row(cost, "issue", "mma", "warp instruction", mma_warp, arch->issue_warps);
    /* under the diagonal a select for each key; seven keys' bits become predicates at once. Else an addition */
    if (plan->causal) cost->mask_alu = q * m * (n + n / 7 + 14) / arch->alu;
    else cost->mask_fma = q * m * n / arch->fma;
}

/* ---- sm_90: half a row's quarter per thread, twice; P and O in registers ---- */

/* Both rows' new maximum, its weight and factor, waiting, releasing. */
static const struct counts sm90_consumer_fixed = {.issue = 78, .fma = 16, .alu = 24, .mufu = 2};

static struct counts sm90_consumer(const struct wl_plan *plan) {
    const int degree = plan->poly.degree;
    const double values = plan->schedule.tile_n / 2.0, poly = plan->exp2_pairs, mufu = values - poly;
    struct counts c = sm90_consumer_fixed;
    c.alu += values + values / 2; /* maxima, pack */
    c.fma += 2 * values;          /* scale, sum */
    c.mufu += mufu;
    c.fma += poly * (4 + degree); /* clamp, then as on sm_100 */
    c.issue += values * 3.5 + mufu + poly * (4 + degree);
    c.issue += 3 * plan->head_dim_qk / 16.0 + 2 * plan->schedule.tile_n / 16.0;
    return c;
}

static void sm90_forward(const struct wl_plan *plan, struct wl_cost *cost) {
    const struct wl_schedule *s = &plan->schedule;
    const struct wl_arch *arch = plan->arch;
    const double m = s->tile_m, n = s->tile_n, groups = m / 64, qk = plan->head_dim_qk,
                 pv = plan->head_dim_pv;
    add_row(cost, "mma", "S = Q K^T", "FLOP", 2 * m * n * qk, arch->mma_flops_16bit);
    add_row(cost, "mma", "O += P V", "FLOP", 2 * m * n * pv, arch->mma_flops_16bit);
    add_row(cost, "smem", "Q and K read by QK", "B", groups * (64 + n) * qk * 2, arch->smem_bytes_clk);
    add_row(cost, "smem", "V read by PV", "B", groups * n * pv * 2, arch->smem_bytes_clk);
    add_row(cost, "smem", "K and V written by TMA", "B", 2.0 * plan->qk.blocks * plan->qk.row_bytes * n,
            arch->smem_bytes_clk);
    add_role(cost, arch, "consumer", (int)(groups * 128), sm90_consumer(plan));
    cost->mask_alu = groups * 128 * (n + 3) / arch->alu;
}

/* ---- the sum ---- */

static const struct {
    const char *kernel;
    void (*estimate)(const struct wl_plan *plan, struct wl_cost *cost);
} models[] = {
    {"sm100/forward/kernel", sm100_forward},
    {"sm90/forward/kernel", sm90_forward},
};

/* Rows of one unit and what (a role that works once per query tile) become one. */
static void merge_rows(struct wl_cost *cost) {
    int kept = 0;
    for (int i = 0; i < cost->row_count; i++) {
        struct wl_cost_row *row = &cost->rows[i];
        int same = 0;
        while (same < kept &&
               (strcmp(cost->rows[same].unit, row->unit) || strcmp(cost->rows[same].what, row->what)))
            same++;
        if (same == kept) {
            cost->rows[kept++] = *row;
        } else {
            cost->rows[same].amount += row->amount;
            cost->rows[same].clocks += row->clocks;
        }
    }
    cost->row_count = kept;
}

enum wl_status wl_cost_estimate(const struct wl_plan *plan, struct wl_cost *cost, struct wl_error *error) {
    size_t model = 0;
    *cost = (struct wl_cost){0};
    while (model < sizeof models / sizeof models[0] && strcmp(models[model].kernel, plan->kernel) != 0)
        model++;
    if (model == sizeof models / sizeof models[0])
        return wl_fail(error, WL_ERR_INTERNAL, NULL, 0, NULL, "kernel %s has no cost model", plan->kernel);
    models[model].estimate(plan, cost);
    merge_rows(cost);
    const struct {
        const char *unit;
        double *sum;
    } units[WL_COST_UNITS] = {{"mma", &cost->mma},  {"mufu", &cost->mufu}, {"fma", &cost->fma},
                              {"alu", &cost->alu},  {"smem", &cost->smem}, {"issue", &cost->issue},
                              {"tmem", &cost->tmem}};
    for (int u = 0; u < WL_COST_UNITS; u++) {
        for (int i = 0; i < cost->row_count; i++)
            if (strcmp(cost->rows[i].unit, units[u].unit) == 0) *units[u].sum += cost->rows[i].clocks;
        if (*units[u].sum > cost->bound_clocks) {
            cost->bound_clocks = *units[u].sum;
            cost->bound = units[u].unit;
        }
    }
    cost->peak_share = cost->mma / cost->bound_clocks;
    return WL_OK;
}
