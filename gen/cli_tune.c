/* cli_tune: warploom tune: the best of a schedule's candidates, measured or by the model, as a new schedule.
 */
#include "gen/cli_tune.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gen/file.h"
#include "runtime/trial.h"

#define MAX_SEQS (WL_TUNE_MAX_PROBLEMS / 2)
#define SIZES    2147483647.0
#define SHOWN    10

struct values {
    int64_t head_dim, tokens, heads, heads_kv, ms, jobs;
    const char *seq, *device, *out;
    int causal;
    bool model;
};
static const struct values defaults = {.causal = 2, .tokens = 16384, .ms = 60, .seq = "4096"};

/* clang-format off */
#define AT(field) offsetof(struct values, field)
static const struct wl_cli_option options[] = {
    {"-o",         WL_CLI_TEXT,   AT(out),      "FILE", 0, 0,        "write the best schedule there (standard output); FILE.tune keeps what an interrupted run knew"},
    {"--device",   WL_CLI_TEXT,   AT(device),   "auto|emu|cuda:N", 0, 0, "measure on this GPU; emu, or auto without a GPU: by the cost model"},
    {"--model",    WL_CLI_FLAG,   AT(model),    NULL,   0, 0,        "by the cost model, even where there is a GPU"},
    {"--seq",      WL_CLI_TEXT,   AT(seq),      "N,N,...", 0, 0,     "sequence lengths to be good at (4096)"},
    {"--causal",   WL_CLI_CHOICE, AT(causal),   "full|causal|both", 0, 0, "with or without the mask (both)"},
    {"--tokens",   WL_CLI_INT,    AT(tokens),   "N",    1, SIZES,    "batch x sequence length (16384)"},
    {"--heads",    WL_CLI_INT,    AT(heads),    "N",    1, SIZES,    "query heads (2048 / head_dim)"},
    {"--kv-heads", WL_CLI_INT,    AT(heads_kv), "N",    1, SIZES,    "key and value heads (as --heads)"},
    {"--head-dim", WL_CLI_INT,    AT(head_dim), "N",    8, 256,      "elements a row (the schedule's)"},
    {"--ms",       WL_CLI_INT,    AT(ms),       "N",    1, 100000,   "milliseconds to measure a candidate on a problem (60)"},
    {"--jobs",     WL_CLI_INT,    AT(jobs),     "N",    1, 64,       "candidates built at a time (one a core)"},
    {0},
};
/* clang-format on */

static enum wl_status add_problems(struct wl_tune *tune, const struct values *v, struct wl_error *error) {
    int64_t seqs[MAX_SEQS];
    int count;
    int64_t head_dim = tune->head_dim ? tune->head_dim : tune->base.head_dim;
    int64_t heads = v->heads ? v->heads : 2048 / head_dim;
    enum wl_status status = wl_cli_numbers("--seq", v->seq, seqs, MAX_SEQS, &count, error);
    if (status) return status;
    if (v->heads_kv && heads % v->heads_kv)
        return wl_fail(error, WL_ERR_INPUT, NULL, 0, "--kv-heads",
                       "%" PRId64 " must divide the %" PRId64 " heads", v->heads_kv, heads);
    for (int causal = 0; causal < 2; causal++)
        for (int i = 0; i < count; i++)
            if (v->causal == 2 || v->causal == causal)
                tune->problems[tune->problem_count++] =
                    (struct wl_tune_problem){.batch = v->tokens / seqs[i] ? v->tokens / seqs[i] : 1,
                                             .heads = heads,
                                             .heads_kv = v->heads_kv ? v->heads_kv : heads,
                                             .seq = seqs[i],
                                             .causal = causal};
    return WL_OK;
}

/* A driver that cannot be opened is no obstacle to the model, unless it was asked for by name. */
static enum wl_status open_device(struct wl_tune_job *job, const struct values *v, struct wl_error *error) {
    struct wl_error why = {0};
    bool must = v->device && strcmp(v->device, "auto") != 0;
    if (v->model) return WL_OK;
    enum wl_status status = wl_driver_open(&job->driver, v->device, job->tune.base.target, &why);
    if (status && (must || status == WL_ERR_USAGE))
        return wl_fail(error, status, why.file, why.line, why.field, "%s", why.text);
    job->measured = job->driver && !job->driver->emulated;
    return WL_OK;
}

static void resume(struct wl_tune_job *job) {
    char *text = NULL;
    size_t size;
    if (!job->state || access(job->state, R_OK) || wl_file_read(job->state, &text, &size, NULL)) return;
    job->resumed = job->done = wl_tune_resume(&job->tune, job->device, text);
    wl_free(text);
    if (job->resumed)
        fprintf(stderr, "%s: %d results of an earlier run are kept\n", job->state, job->resumed);
}

/* ---- the winner ---- */

/* A small problem of each mask against float64. */
static enum wl_status verify(const struct wl_tune_job *job, const struct wl_tune_candidate *c,
                             struct wl_error *error) {
    const struct wl_tune *tune = &job->tune;
    char texts[WL_TUNE_MAX_KNOBS][96];
    const char *words[64 + WL_TUNE_MAX_KNOBS];
    int count = 0;
    for (; count < tune->override_count; count++) words[count] = tune->overrides[count];
    for (int k = 0; k < tune->base.tune_count; k++) {
        snprintf(texts[k], sizeof texts[k], "%s=%s", wl_field_name(tune->base.tune[k].field),
                 tune->base.tune[k].values[c->value[k]]);
        words[count++] = texts[k];
    }
    enum wl_status status = WL_OK;
    for (int causal = 0; causal < 2 && !status; causal++) {
        struct wl_trial trial = {.schedule = tune->path,
                                 .overrides = words,
                                 .override_count = count,
                                 .batch = 1,
                                 .heads = 2,
                                 .heads_kv = 1,
                                 .seq_q = 300,
                                 .seq_k = 700,
                                 .head_dim = tune->head_dim,
                                 .dtype = -1,
                                 .causal = causal,
                                 .seed = 1,
                                 .check = true};
        struct wl_trial_result result = {0};
        if (!wl_tune_has(tune, causal)) continue;
        status = wl_trial_prepare(&trial, &result, error);
        if (!status) status = wl_trial_run(job->driver, &trial, &result, error);
        wl_trial_fini(&result);
    }
    return status;
}

/* The best candidate whose results are right, -1: none. */
static enum wl_status choose(struct wl_tune_job *job, int *order, int ranked, int *best,
                             struct wl_error *error) {
    *best = -1;
    for (int r = 0; r < ranked && *best < 0; r++) {
        struct wl_tune_candidate *c = &job->tune.candidates[order[r]];
        struct wl_error why = {0};
        enum wl_status status = job->driver ? verify(job, c, &why) : WL_OK;
        if (!status) *best = order[r];
        else if (status != WL_ERR_WRONG)
            return wl_fail(error, status, why.file, why.line, why.field, "%s", why.text);
        else {
            c->state = WL_TUNE_DROPPED;
            snprintf(c->why, sizeof c->why, "wrong result: %.150s", why.text);
            fprintf(stderr, "%s: %s\n", c->choice, c->why);
        }
    }
    return WL_OK;
}

/* ---- what it says ---- */

static void put_table(const struct wl_tune_job *job, const int *order, int ranked, struct wl_text *out) {
    const struct wl_tune *tune = &job->tune;
    int states[WL_TUNE_DONE + 1] = {0};
    const char *why = "";
    for (int i = 0; i < tune->count; i++) {
        states[tune->candidates[i].state]++;
        if (tune->candidates[i].state == WL_TUNE_DROPPED) why = tune->candidates[i].why;
    }
    wl_text_printf(out, "%s on %s: %d candidates, %d compared, %d given up early, %d dropped%s%s\n",
                   tune->base.source, job->device, tune->count, states[WL_TUNE_DONE], states[WL_TUNE_PRUNED],
                   states[WL_TUNE_DROPPED], *why ? ", as " : "", why);
    for (int r = 0; r < ranked; r++) {
        const struct wl_tune_candidate *c = &tune->candidates[order[r]];
        if (r >= SHOWN && order[r] != 0) continue;
        if (c->state == WL_TUNE_DONE)
            wl_text_printf(out, "  %3d  %8.1f TFLOP/s  %s%s\n", r + 1, c->score, c->choice,
                           order[r] == 0 ? "  (the schedule as it stands)" : "");
    }
}

static enum wl_status write_best(const struct wl_tune_job *job, const struct values *v, const int *order,
                                 int ranked, int best, struct wl_error *error) {
    struct wl_text lua = {0}, table = {0};
    const char *how = job->measured  ? "medians of events, finalists in alternation"
                      : job->counted ? "cost model with the counts of the machine code"
                                     : "cost model alone (no ptxas or nvdisasm)";
    put_table(job, order, ranked, &table);
    wl_tune_lua(&job->tune, &job->tune.candidates[best], job->device, how, &lua);
    if (v->out) wl_text_printf(&table, "wrote %s\n", v->out);
    enum wl_status status = lua.failed ? wl_fail(error, WL_ERR_NO_MEMORY, NULL, 0, NULL, "out of memory")
                                       : wl_cli_output(v->out, &lua, error);
    if (!status && v->out) status = wl_cli_output(NULL, &table, error);
    else if (!status) fprintf(stderr, "%s", table.bytes ? table.bytes : "");
    if (!status && job->state) unlink(job->state);
    wl_text_fini(&table);
    wl_text_fini(&lua);
    return status;
}

/* ---- the command ---- */

static enum wl_status tune(struct wl_tune_job *job, const struct values *v, struct wl_error *error) {
    int best, kept = wl_tune_expand(&job->tune);
    if (kept < 0) return wl_fail(error, WL_ERR_NO_MEMORY, NULL, 0, NULL, "out of memory");
    if (!kept)
        return wl_fail(error, WL_ERR_FIT, job->tune.base.source, 0, "tune",
                       "not one of %d candidates has a plan: %s", job->tune.count,
                       job->tune.candidates[0].why);
    job->all = kept;
    resume(job);
    job->start_ms = wl_cli_now_ms();
    enum wl_status status = job->measured ? wl_tune_job_measure(job, error) : wl_tune_job_model(job, error);
    wl_tune_job_clear_bar(job);
    if (status) return status;
    int *order = wl_realloc(NULL, (size_t)job->tune.count * sizeof *order);
    if (!order) return wl_fail(error, WL_ERR_NO_MEMORY, NULL, 0, NULL, "out of memory");
    int ranked = wl_tune_rank(&job->tune, order);
    status = choose(job, order, ranked, &best, error);
    if (!status && best < 0)
        status = wl_fail(error, WL_ERR_FIT, job->tune.base.source, 0, "tune", "no candidate is left: %s",
                         job->tune.candidates[0].why);
    if (!status) status = write_best(job, v, order, ranked, best, error);
    wl_free(order);
    return status;
}

static enum wl_status run(const struct wl_cli_call *call, struct wl_error *error) {
    const struct values *v = call->values;
    char state[4096], device[160] = "";
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    struct wl_tune_job job = {.ms = (double)v->ms,
                              .counted = true,
                              .device = device,
                              .threads = v->jobs     ? (int)v->jobs
                                         : cores > 0 ? (int)cores
                                                     : 1};
    if (v->out && snprintf(state, sizeof state, "%s.tune", v->out) >= (int)sizeof state)
        return wl_fail(error, WL_ERR_USAGE, NULL, 0, "-o", "the name is too long");
    if (v->out) job.state = state;
    enum wl_status status = wl_tune_init(&job.tune, call->words[0], call->words + 1, call->word_count - 1,
                                         (int)v->head_dim, error);
    if (!status) status = add_problems(&job.tune, v, error);
    if (!status) status = open_device(&job, v, error);
    if (!status) {
        if (job.measured) snprintf(device, sizeof device, "%s", job.driver->name);
        else snprintf(device, sizeof device, "the cost model of %s", job.tune.base.target);
        status = tune(&job, v, error);
    }
    wl_driver_close(job.driver);
    wl_tune_fini(&job.tune);
    return status;
}

const struct wl_cli_command wl_cli_tune = {
    .name = "tune",
    .arguments = "SCHEDULE [key=value ...] [options]",
    .doc = "find the best of a schedule's candidates, by measurement or by the cost model",
    .options = options,
    .defaults = &defaults,
    .values_bytes = sizeof defaults,
    .words_min = 1,
    .words_max = -1,
    .run = run,
};
