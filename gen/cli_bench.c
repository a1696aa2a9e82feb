/* cli_bench: warploom bench: how quick kernels are, over sequence lengths, with and without the mask. */
#include "gen/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gen/embed.h"
#include "gen/emit.h"
#include "gen/json.h"
#include "gen/ptxas.h"
#include "runtime/gpu_state.h"
#include "runtime/measure.h"

#define MAX_SEQS 32
#define SIZES    2147483647.0

struct values {
    int64_t head_dim, tokens, heads, heads_kv, ms;
    const char *seq, *device;
    int causal, dtype;
    bool ptxas, json, csv;
};
static const struct values defaults = {.causal = -1, .dtype = -1, .ms = 300};

/* clang-format off */
#define AT(field) offsetof(struct values, field)
static const struct wl_cli_option options[] = {
    {"--seq",      WL_CLI_TEXT,   AT(seq),      "N,N,...", 0, 0,     "sequence lengths (1024,4096,16384; 256,512 on the emulated device)"},
    {"--head-dim", WL_CLI_INT,    AT(head_dim), "N",    8, 256,      "elements a row (the schedule's)"},
    {"--causal",   WL_CLI_CHOICE, AT(causal),   "full|causal|both", 0, 0, "with or without the mask (both)"},
    {"--tokens",   WL_CLI_INT,    AT(tokens),   "N",    1, SIZES,    "batch x sequence length (16384; 512 on the emulated device)"},
    {"--heads",    WL_CLI_INT,    AT(heads),    "N",    1, SIZES,    "query heads (2048 / head_dim; 2 on the emulated device)"},
    {"--kv-heads", WL_CLI_INT,    AT(heads_kv), "N",    1, SIZES,    "key and value heads (as --heads)"},
    {"--dtype",    WL_CLI_CHOICE, AT(dtype),    "bf16|fp16", 0, 0,   "element type (the schedule's)"},
    {"--device",   WL_CLI_TEXT,   AT(device),   "auto|emu|cuda:N", 0, 0, "where to run ($WARPLOOM_DEVICE, else auto)"},
    {"--ms",       WL_CLI_INT,    AT(ms),       "N",    1, 100000,   "milliseconds to measure each point (300)"},
    {"--ptxas",    WL_CLI_FLAG,   AT(ptxas),    NULL,   0, 0,        "assemble with ptxas instead of in the driver"},
    {"--json",     WL_CLI_FLAG,   AT(json),     NULL,   0, 0,        "as JSON"},
    {"--csv",      WL_CLI_FLAG,   AT(csv),      NULL,   0, 0,        "as CSV"},
    {0},
};
/* clang-format on */

struct bench {
    struct values v;
    const char *const *overrides;
    int override_count;
    int64_t seqs[MAX_SEQS];
    int seq_count;
    struct wl_driver *driver;
    struct wl_gpu_monitor *monitor;
    struct wl_json json;
    struct wl_text *out; /* JSON gathers here; the other forms are printed a row at a time */
    int points;
};

/* One measured point. */
struct point {
    const struct wl_plan *plan;
    const struct wl_kernel *kernel;
    const struct wl_attention *problem;
    struct wl_measurement time;
    struct wl_gpu_state state;
    double tflops;
};

/* ---- the forms ---- */

static void put_head_text(const struct bench *b, struct wl_text *text) {
    const struct wl_driver *d = b->driver;
    struct wl_gpu_state s = wl_gpu_state_now(b->monitor);
    const char *version = wl_gpu_driver_version(b->monitor);
    wl_text_printf(text, "%s, %d SMs, CUDA %d.%d", d->name, d->sms, d->version / 1000,
                   d->version % 1000 / 10);
    if (*version) wl_text_printf(text, ", driver %s", version);
    if (s.sm_mhz) wl_text_printf(text, ", at rest %u MHz, %u C, %.0f W", s.sm_mhz, s.celsius, s.watts);
    wl_text_printf(text, "\n");
    if (d->emulated)
        wl_text_printf(text,
                       "the device is emulated: times are the emulator's and say nothing about a GPU\n");
    wl_text_printf(text, "%-18s %4s %-6s %6s %6s %6s %9s %8s %7s %5s%s\n", "schedule", "dim", "mask", "seq",
                   "batch", "heads", "ms", "TFLOP/s", "spread", "runs", b->monitor ? "    MHz   C    W" : "");
}

static void put_row_text(const struct bench *b, const struct point *p, struct wl_text *text) {
    wl_text_printf(text, "%-18s %4d %-6s %6" PRId64 " %6" PRId64 " %6" PRId64 " %9.4f %8.*f %6.2f%% %5d",
                   p->plan->schedule.name, p->plan->head_dim, p->plan->causal ? "causal" : "full",
                   p->problem->seqlen_q, p->problem->batch, p->problem->heads, p->time.median_ms,
                   p->tflops < 1 ? 5 : 1, p->tflops, p->time.spread * 100, p->time.launches);
    if (b->monitor)
        wl_text_printf(text, "  %5u %3u %4.0f", p->state.sm_mhz, p->state.celsius, p->state.watts);
    wl_text_printf(text, "\n");
}

static void put_head_csv(const struct bench *b, struct wl_text *text) {
    (void)b;
    wl_text_printf(text,
                   "device,emulated,schedule,target,dtype,head_dim,causal,seq,batch,heads,kv_heads,median_ms,"
                   "least_ms,most_ms,spread,launches,tflops,sm_mhz,memory_mhz,celsius,watts\n");
}

static void put_row_csv(const struct bench *b, const struct point *p, struct wl_text *text) {
    const struct wl_attention *a = p->problem;
    wl_text_printf(text, "\"%s\",%d,%s,%s,%s,%d,%d,%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64,
                   b->driver->name, b->driver->emulated, p->plan->schedule.name, p->plan->arch->name,
                   p->plan->dtype == WL_BF16 ? "bf16" : "fp16", p->plan->head_dim, p->plan->causal,
                   a->seqlen_q, a->batch, a->heads, a->heads_kv);
    wl_text_printf(text, ",%.6g,%.6g,%.6g,%.4g,%d,%.6g,%u,%u,%u,%.1f\n", p->time.median_ms, p->time.least_ms,
                   p->time.most_ms, p->time.spread, p->time.launches, p->tflops, p->state.sm_mhz,
                   p->state.memory_mhz, p->state.celsius, p->state.watts);
}

static void put_state(struct wl_json *json, const struct bench *b, const struct wl_gpu_state *s) {
    if (!b->monitor) return;
    wl_json_int(json, "sm_mhz", s->sm_mhz);
    wl_json_int(json, "memory_mhz", s->memory_mhz);
    wl_json_int(json, "celsius", s->celsius);
    wl_json_number(json, "watts", s->watts);
}

static void put_head_json(struct bench *b) {
    struct wl_gpu_state s = wl_gpu_state_now(b->monitor);
    wl_json_open(&b->json, NULL, '{');
    wl_json_text(&b->json, "device", b->driver->name);
    wl_json_bool(&b->json, "emulated", b->driver->emulated);
    wl_json_int(&b->json, "sms", b->driver->sms);
    wl_json_int(&b->json, "cuda_version", b->driver->version);
    if (b->monitor) wl_json_text(&b->json, "driver", wl_gpu_driver_version(b->monitor));
    put_state(&b->json, b, &s);
    wl_json_open(&b->json, "points", '[');
}

static void put_row_json(struct bench *b, const struct point *p) {
    struct wl_json *json = &b->json;
    const struct wl_attention *a = p->problem;
    wl_json_open(json, NULL, '{');
    wl_json_text(json, "schedule", p->plan->schedule.source);
    wl_json_text(json, "target", p->plan->arch->name);
    wl_json_text(json, "dtype", p->plan->dtype == WL_BF16 ? "bf16" : "fp16");
    wl_json_int(json, "head_dim", p->plan->head_dim);
    wl_json_bool(json, "causal", p->plan->causal);
    wl_json_int(json, "seq", a->seqlen_q);
    wl_json_int(json, "batch", a->batch);
    wl_json_int(json, "heads", a->heads);
    wl_json_int(json, "kv_heads", a->heads_kv);
    wl_json_int(json, "registers", p->kernel->registers);
    wl_json_int(json, "local_bytes", p->kernel->local_bytes);
    wl_json_number(json, "median_ms", p->time.median_ms);
    wl_json_number(json, "least_ms", p->time.least_ms);
    wl_json_number(json, "most_ms", p->time.most_ms);
    wl_json_number(json, "spread", p->time.spread);
    wl_json_int(json, "launches", p->time.launches);
    wl_json_number(json, "tflops", p->tflops);
    put_state(json, b, &p->state);
    wl_json_close(json);
}

static enum wl_status put(struct bench *b, const struct point *p, struct wl_error *error) {
    struct wl_text text = {0};
    if (b->v.json && !p) put_head_json(b);
    else if (b->v.json) put_row_json(b, p);
    else if (!p) (b->v.csv ? put_head_csv : put_head_text)(b, &text);
    else (b->v.csv ? put_row_csv : put_row_text)(b, p, &text);
    enum wl_status status = b->v.json ? WL_OK : wl_cli_output(NULL, &text, error);
    wl_text_fini(&text);
    return status;
}

/* ---- the runs ---- */

static enum wl_status measure(struct bench *b, const struct wl_plan *plan, const struct wl_kernel *kernel,
                              int64_t seq, struct wl_error *error) {
    const struct values *v = &b->v;
    int64_t heads = v->heads ? v->heads : 2048 / plan->head_dim;
    struct wl_attention problem = {.batch = v->tokens / seq ? v->tokens / seq : 1,
                                   .heads = heads,
                                   .heads_kv = v->heads_kv ? v->heads_kv : heads,
                                   .seqlen_q = seq,
                                   .seqlen_k = seq,
                                   .head_dim = plan->head_dim,
                                   .head_dim_v = plan->head_dim_v,
                                   .dtype = plan->dtype,
                                   .causal = plan->causal};
    /* the emulator's time does not depend on what ran before, and a run of it is long */
    struct wl_measure how = {.warm_ms = b->driver->emulated ? 0 : (double)v->ms / 3,
                             .budget_ms = (double)v->ms,
                             .samples_min = b->driver->emulated ? 1 : 7,
                             .samples_max = 501};
    struct point point = {.plan = plan, .kernel = kernel, .problem = &problem};
    enum wl_status status = wl_measure_tensors(b->driver, &problem, error);
    if (status) return status;
    status = wl_measure_kernel(kernel, &problem, &how, &point.time, error);
    point.state = wl_gpu_state_now(b->monitor);
    wl_measure_free(b->driver, &problem);
    if (status) return status;
    point.tflops = wl_attention_flops(&problem) / point.time.median_ms * 1e-9;
    b->points++;
    return put(b, &point, error);
}

static enum wl_status load(struct bench *b, const struct wl_plan *plan, struct wl_kernel *kernel,
                           struct wl_error *error) {
    struct wl_text ptx = {0};
    struct wl_ptxas_report ptxas = {0};
    enum wl_status status = wl_emit(plan, &ptx, error);
    bool assemble = b->v.ptxas && !b->driver->emulated; /* the emulated device runs PTX alone */
    if (!status && assemble) status = wl_ptxas_run(ptx.bytes, ptx.length, plan->arch->name, &ptxas, error);
    if (!status)
        status =
            wl_jit_load(kernel, b->driver, assemble ? ptxas.cubin : ptx.bytes,
                        assemble ? ptxas.cubin_bytes : ptx.length, plan->launch.entry, &plan->launch, error);
    wl_ptxas_fini(&ptxas);
    wl_text_fini(&ptx);
    return status;
}

static enum wl_status bench_schedule(struct bench *b, const struct wl_schedule *schedule, int causal,
                                     struct wl_error *error) {
    struct wl_plan plan;
    struct wl_kernel kernel = {0};
    struct wl_specialization special = {(int)b->v.head_dim, b->v.dtype, causal, 0};
    enum wl_status status = wl_plan_make(&plan, schedule, &special, error);
    if (!status) status = load(b, &plan, &kernel, error);
    for (int i = 0; i < b->seq_count && !status; i++) status = measure(b, &plan, &kernel, b->seqs[i], error);
    wl_jit_unload(&kernel);
    return status;
}

/* Both masks, or the one that was asked for. */
static enum wl_status bench_masks(struct bench *b, const struct wl_schedule *schedule,
                                  struct wl_error *error) {
    enum wl_status status = WL_OK;
    for (int causal = 0; causal < 2 && !status; causal++)
        if (b->v.causal < 0 || b->v.causal == 2 || b->v.causal == causal)
            status = bench_schedule(b, schedule, causal, error);
    return status;
}

/* All shipped schedules that the device can run, or with a head dimension those that serve it. */
static enum wl_status bench_shipped(struct bench *b, struct wl_error *error) {
    struct wl_schedule schedule;
    enum wl_status status = WL_OK;
    for (const struct wl_embedded *file = wl_embedded_files; file->name && !status; file++) {
        if (strncmp(file->name, "schedules/", 10)) continue;
        status = wl_schedule_load(&schedule, file->name + 10, b->overrides, b->override_count, error);
        if (status || !wl_driver_can_run(b->driver->cc_major, b->driver->cc_minor, schedule.target)) continue;
        if (b->v.head_dim && (b->v.head_dim > schedule.head_dim || b->v.head_dim < schedule.head_dim_min))
            continue;
        status = bench_masks(b, &schedule, error);
    }
    if (!status && !b->points)
        return wl_fail(error, WL_ERR_INPUT, NULL, 0, "--head-dim",
                       "no shipped schedule serves %d on %s (compute capability %d.%d)", (int)b->v.head_dim,
                       b->driver->name, b->driver->cc_major, b->driver->cc_minor);
    return status;
}

/* Sizes that nobody gave: what a GPU or an emulator does in a moment. */
static enum wl_status fill_in(struct bench *b, struct wl_error *error) {
    bool emulated = b->driver->emulated;
    if (!b->v.tokens) b->v.tokens = emulated ? 512 : 16384;
    if (!b->v.heads && emulated) b->v.heads = 2;
    return wl_cli_numbers("--seq",
                          b->v.seq   ? b->v.seq
                          : emulated ? "256,512"
                                     : "1024,4096,16384",
                          b->seqs, MAX_SEQS, &b->seq_count, error);
}

static enum wl_status run_all(struct bench *b, const struct wl_schedule *schedule, struct wl_error *error) {
    struct wl_text gathered = {0};
    b->json.text = b->out = &gathered;
    b->monitor = wl_gpu_monitor_open(b->driver);
    enum wl_status status = fill_in(b, error);
    if (!status) status = put(b, NULL, error);
    if (!status) status = schedule ? bench_masks(b, schedule, error) : bench_shipped(b, error);
    if (!status && b->v.json) {
        wl_json_close(&b->json);
        wl_json_close(&b->json);
        status = wl_cli_output(NULL, &gathered, error);
    }
    wl_gpu_monitor_close(b->monitor);
    wl_text_fini(&gathered);
    return status;
}

static enum wl_status run(const struct wl_cli_call *call, struct wl_error *error) {
    struct bench b = {.v = *(const struct values *)call->values};
    struct wl_schedule schedule;
    bool named = call->word_count > 0 && !strchr(call->words[0], '=');
    b.overrides = call->words + named;
    b.override_count = call->word_count - named;
    if (b.v.json && b.v.csv)
        return wl_fail(error, WL_ERR_USAGE, NULL, 0, "--csv", "and --json exclude each other");
    enum wl_status status = WL_OK;
    if (named) status = wl_schedule_load(&schedule, call->words[0], b.overrides, b.override_count, error);
    if (!status) status = wl_driver_open(&b.driver, b.v.device, named ? schedule.target : NULL, error);
    if (status) return status;
    status = run_all(&b, named ? &schedule : NULL, error);
    wl_driver_close(b.driver);
    return status;
}

const struct wl_cli_command wl_cli_bench = {
    .name = "bench",
    .arguments = "[SCHEDULE] [key=value ...] [options]",
    .doc = "measure kernels over sequence lengths: TFLOP/s, medians, clocks",
    .options = options,
    .defaults = &defaults,
    .values_bytes = sizeof defaults,
    .words_min = 0,
    .words_max = -1,
    .run = run,
};
