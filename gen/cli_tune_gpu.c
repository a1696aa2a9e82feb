/* cli_tune_gpu: tuning by measurement: cubins from threads, times from events, slow candidates given up
 * early, and the best few measured again side by side, since clocks drift. */
#include "gen/cli_tune.h"

#include <stdio.h>
#include <string.h>

#include "gen/emit.h"
#include "gen/ptxas.h"
#include "runtime/measure.h"

#define AHEAD     32
#define GIVE_UP   1.15 /* times the best candidate's time */
#define FINALISTS 4    /* beside the schedule as it stands */
#define ROUNDS    5
#define SAMPLES   101

/* A candidate's kernels, one for each mask that the problems have. */
struct build {
    struct wl_text ptx[2];
    struct wl_ptxas_report image[2]; /* no cubin: no ptxas here, the driver assembles */
    struct wl_launch launch[2];
    struct wl_error error;
};

struct gpu {
    struct wl_tune_job *job;
    struct build *builds;
    struct wl_attention problems[WL_TUNE_MAX_PROBLEMS];
    int best; /* candidate, -1: none yet */
};

static void drop(struct wl_tune_candidate *c, const char *why) {
    c->state = WL_TUNE_DROPPED;
    snprintf(c->why, sizeof c->why, "%.190s", why);
}

static enum wl_status build_mask(const struct wl_tune *tune, const struct wl_tune_candidate *c, int causal,
                                 struct build *b, struct wl_error *error) {
    struct wl_plan *plan = wl_realloc(NULL, sizeof *plan);
    if (!plan) return wl_fail(error, WL_ERR_NO_MEMORY, NULL, 0, NULL, "out of memory");
    enum wl_status status = wl_tune_plan(tune, c, causal, plan, error);
    if (!status) status = wl_emit(plan, &b->ptx[causal], error);
    if (!status) {
        struct wl_error why = {0};
        b->launch[causal] = plan->launch;
        status = wl_ptxas_run(b->ptx[causal].bytes, b->ptx[causal].length, plan->arch->name,
                              &b->image[causal], &why);
        if (status == WL_ERR_ENVIRONMENT) status = WL_OK;
        else if (status) wl_fail(error, status, why.file, why.line, why.field, "%s", why.text);
    }
    wl_free(plan);
    return status;
}

static void build_one(void *context, int i) {
    struct gpu *gpu = context;
    const struct wl_tune *tune = &gpu->job->tune;
    struct build *b = &gpu->builds[i];
    enum wl_status status = WL_OK;
    *b = (struct build){0};
    for (int causal = 0; causal < 2 && !status; causal++)
        if (wl_tune_has(tune, causal)) status = build_mask(tune, &tune->candidates[i], causal, b, &b->error);
}

static void build_free(struct build *b) {
    for (int m = 0; m < 2; m++) {
        wl_text_fini(&b->ptx[m]);
        wl_ptxas_fini(&b->image[m]);
    }
}

static enum wl_status load(const struct gpu *gpu, const struct build *b, int causal, struct wl_kernel *kernel,
                           struct wl_error *error) {
    const struct wl_ptxas_report *image = &b->image[causal];
    return wl_jit_load(kernel, gpu->job->driver, image->cubin ? image->cubin : b->ptx[causal].bytes,
                       image->cubin ? image->cubin_bytes : b->ptx[causal].length, b->launch[causal].entry,
                       &b->launch[causal], error);
}

static int spilled(const struct build *b) {
    int sum = 0;
    for (int m = 0; m < 2; m++) sum += b->image[m].spill_store_bytes + b->image[m].spill_load_bytes;
    return sum;
}

/* Whether what is known of the candidate already lies plainly behind the best. */
static bool behind(const struct gpu *gpu, const struct wl_tune_candidate *c, int problems) {
    double ours = 0, theirs = 0;
    if (gpu->best < 0) return false;
    for (int p = 0; p < problems; p++) {
        ours += c->ms[p] / gpu->job->tune.candidates[gpu->best].ms[p];
        theirs += 1;
    }
    return problems > 1 && ours > theirs * (1 + (GIVE_UP - 1) / 2);
}

static enum wl_status measure(struct gpu *gpu, int i, const struct wl_kernel kernels[2],
                              struct wl_error *error) {
    struct wl_tune_job *job = gpu->job;
    struct wl_tune_candidate *c = &job->tune.candidates[i];
    for (int p = 0; p < job->tune.problem_count; p++) {
        struct wl_measure how = {
            .warm_ms = job->ms / 3, .budget_ms = job->ms, .samples_min = 7, .samples_max = SAMPLES};
        struct wl_measurement time;
        if (gpu->best >= 0) how.stop_above_ms = job->tune.candidates[gpu->best].ms[p] * GIVE_UP;
        enum wl_status status =
            wl_measure_kernel(&kernels[job->tune.problems[p].causal], &gpu->problems[p], &how, &time, error);
        if (status) return status;
        c->ms[p] = time.median_ms;
        if (time.stopped || behind(gpu, c, p + 1)) {
            c->state = WL_TUNE_PRUNED;
            return WL_OK;
        }
    }
    wl_tune_score(&job->tune, c);
    c->state = WL_TUNE_DONE;
    if (gpu->best < 0 || c->score > job->tune.candidates[gpu->best].score) gpu->best = i;
    return WL_OK;
}

static enum wl_status take_one(void *context, int i, struct wl_error *error) {
    struct gpu *gpu = context;
    struct wl_tune *tune = &gpu->job->tune;
    struct build *b = &gpu->builds[i];
    struct wl_kernel kernels[2] = {{0}};
    enum wl_status status = WL_OK;
    char why[64];
    if (b->error.status)
        status = wl_fail(error, b->error.status, b->error.file, b->error.line, b->error.field, "%s",
                         b->error.text);
    if (!status && spilled(b)) {
        snprintf(why, sizeof why, "spills %d B", spilled(b));
        drop(&tune->candidates[i], why);
    } else {
        for (int m = 0; m < 2 && !status; m++)
            if (wl_tune_has(tune, m)) status = load(gpu, b, m, &kernels[m], error);
        if (!status) status = measure(gpu, i, kernels, error);
    }
    for (int m = 0; m < 2; m++) wl_jit_unload(&kernels[m]);
    build_free(b);
    return status ? status : wl_tune_job_settled(gpu->job, error);
}

/* ---- the finalists ---- */

static enum wl_status one_round(struct gpu *gpu, int count, struct wl_kernel (*kernels)[2], int p, double *ms,
                                struct wl_error *error) {
    struct wl_measure how = {
        .warm_ms = 1, .budget_ms = gpu->job->ms / ROUNDS, .samples_min = 5, .samples_max = SAMPLES};
    int causal = gpu->job->tune.problems[p].causal;
    for (int f = 0; f < count; f++) {
        struct wl_measurement time;
        enum wl_status status = wl_measure_kernel(&kernels[f][causal], &gpu->problems[p], &how, &time, error);
        if (status) return status;
        ms[f] = time.median_ms;
    }
    return WL_OK;
}

static enum wl_status compare(struct gpu *gpu, const int *who, int count, struct wl_kernel (*kernels)[2],
                              struct wl_error *error) {
    struct wl_tune *tune = &gpu->job->tune;
    for (int p = 0; p < tune->problem_count; p++) {
        double rounds[ROUNDS][FINALISTS + 1], column[ROUNDS];
        for (int r = 0; r < ROUNDS; r++) {
            enum wl_status status = one_round(gpu, count, kernels, p, rounds[r], error);
            if (status) return status;
        }
        for (int f = 0; f < count; f++) {
            for (int r = 0; r < ROUNDS; r++) column[r] = rounds[r][f];
            tune->candidates[who[f]].ms[p] = wl_median(column, ROUNDS);
        }
    }
    for (int f = 0; f < count; f++) wl_tune_score(tune, &tune->candidates[who[f]]);
    return WL_OK;
}

/* The best few and the schedule as it stands, in alternation. */
static enum wl_status final_round(struct gpu *gpu, struct wl_error *error) {
    struct wl_tune *tune = &gpu->job->tune;
    struct wl_kernel kernels[FINALISTS + 1][2] = {{{0}}};
    int who[FINALISTS + 1] = {0}, count = 0;
    int *order = wl_realloc(NULL, (size_t)tune->count * sizeof *order);
    if (!order) return wl_fail(error, WL_ERR_NO_MEMORY, NULL, 0, NULL, "out of memory");
    int ranked = wl_tune_rank(tune, order);
    for (int r = 0; r < ranked && count < FINALISTS; r++) who[count++] = order[r];
    bool base = false;
    for (int f = 0; f < count; f++) base |= who[f] == 0;
    if (!base && tune->candidates[0].state == WL_TUNE_DONE) who[count++] = 0;
    wl_free(order);
    enum wl_status status = WL_OK;
    for (int f = 0; f < count && !status; f++) {
        struct build b = {0};
        for (int m = 0; m < 2 && !status; m++) {
            if (!wl_tune_has(tune, m)) continue;
            status = build_mask(tune, &tune->candidates[who[f]], m, &b, error);
            if (!status) status = load(gpu, &b, m, &kernels[f][m], error);
        }
        build_free(&b);
    }
    if (!status) status = compare(gpu, who, count, kernels, error);
    for (int f = 0; f < count; f++)
        for (int m = 0; m < 2; m++) wl_jit_unload(&kernels[f][m]);
    return status;
}

enum wl_status wl_tune_job_measure(struct wl_tune_job *job, struct wl_error *error) {
    struct wl_tune *tune = &job->tune;
    struct gpu gpu = {.job = job, .best = -1};
    size_t bytes = (size_t)tune->count * sizeof *gpu.builds;
    enum wl_status status = WL_OK;
    gpu.builds = wl_realloc(NULL, bytes);
    if (!gpu.builds)
        return wl_fail(error, WL_ERR_NO_MEMORY, NULL, 0, NULL, "no memory for %d candidates", tune->count);
    memset(gpu.builds, 0, bytes);
    for (int i = 0; i < tune->count; i++)
        if (tune->candidates[i].state == WL_TUNE_DONE &&
            (gpu.best < 0 || tune->candidates[i].score > tune->candidates[gpu.best].score))
            gpu.best = i;
    for (int p = 0; p < tune->problem_count && !status; p++) {
        const struct wl_tune_problem *q = &tune->problems[p];
        gpu.problems[p] =
            (struct wl_attention){.batch = q->batch,
                                  .heads = q->heads,
                                  .heads_kv = q->heads_kv,
                                  .seqlen_q = q->seq,
                                  .seqlen_k = q->seq,
                                  .causal = q->causal,
                                  .head_dim = tune->head_dim ? tune->head_dim : tune->base.head_dim,
                                  .head_dim_v = tune->base.head_dim_v,
                                  .dtype = tune->base.dtype};
        status = wl_measure_tensors(job->driver, &gpu.problems[p], error);
    }
    if (!status) status = wl_tune_job_run(job, &gpu, AHEAD, build_one, take_one, error);
    if (!status) status = final_round(&gpu, error);
    for (int i = 0; i < tune->count; i++) build_free(&gpu.builds[i]);
    for (int p = 0; p < tune->problem_count; p++) wl_measure_free(job->driver, &gpu.problems[p]);
    wl_free(gpu.builds);
    return status;
}
