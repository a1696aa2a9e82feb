/* cli_run: warploom run: a kernel on real tensors, on a GPU or the emulated device, compared with float64. */
#include "gen/cli.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gen/cli_run.h"
#include "gen/json.h"
#include "runtime/driver.h"
#include "runtime/half.h"

#define SIZE_MAX_ALLOWED 2147483647.0

static const struct wl_run_values defaults = {.dtype = -1, .seed = 1};

/* clang-format off */
#define AT(field) offsetof(struct wl_run_values, field)
static const struct wl_cli_option options[] = {
    {"--batch",    WL_CLI_INT,    AT(batch),    "N",    1, SIZE_MAX_ALLOWED, "sequences (1)"},
    {"--heads",    WL_CLI_INT,    AT(heads),    "N",    1, SIZE_MAX_ALLOWED, "query heads (4)"},
    {"--kv-heads", WL_CLI_INT,    AT(heads_kv), "N",    1, SIZE_MAX_ALLOWED, "key and value heads (as --heads); divides --heads"},
    {"--seq-q",    WL_CLI_INT,    AT(seq_q),    "N",    1, SIZE_MAX_ALLOWED, "query rows a sequence (1024)"},
    {"--seq-k",    WL_CLI_INT,    AT(seq_k),    "N",    1, SIZE_MAX_ALLOWED, "keys a sequence (as --seq-q)"},
    {"--head-dim", WL_CLI_INT,    AT(head_dim), "N",    8, 256,              "elements a row (the schedule's)"},
    {"--head-dim-v", WL_CLI_INT,  AT(head_dim_v), "N",  8, 256,              "elements a row of V and O (the schedule's, else as --head-dim)"},
    {"--dtype",    WL_CLI_CHOICE, AT(dtype),    "bf16|fp16", 0, 0,           "element type (the schedule's)"},
    {"--causal",   WL_CLI_FLAG,   AT(causal),   NULL,   0, 0,                "causal mask, bottom-right aligned"},
    {"--scale",    WL_CLI_NUMBER, AT(scale),    "X",    1e-30, 1e30,         "softmax scale (1 / sqrt(head_dim))"},
    {"--q",        WL_CLI_TEXT,   AT(files[0]), "FILE", 0, 0,                "Q from an .npy file, float32 or float16, (batch, seq, head, dim)"},
    {"--k",        WL_CLI_TEXT,   AT(files[1]), "FILE", 0, 0,                "K likewise"},
    {"--v",        WL_CLI_TEXT,   AT(files[2]), "FILE", 0, 0,                "V likewise"},
    {"-o",         WL_CLI_TEXT,   AT(out),      "FILE", 0, 0,                "write O as .npy (float16 for fp16, float32 for bf16)"},
    {"--lse",      WL_CLI_TEXT,   AT(lse),      "FILE", 0, 0,                "write the log-sum-exp as .npy, float32, (batch, head, seq)"},
    {"--input",    WL_CLI_CHOICE, AT(input),    "normal|large|constant|outlier", 0, 0, "what Q, K and V hold where no file is given (normal)"},
    {"--seed",     WL_CLI_INT,    AT(seed),     "N",    0, 9.2e18,           "of the made-up tensors (1)"},
    {"--device",   WL_CLI_TEXT,   AT(device),   "auto|emu|cuda:N", 0, 0,     "where to run ($WARPLOOM_DEVICE, else auto: a GPU that can, else the emulated device)"},
    {"--order",    WL_CLI_TEXT,   AT(order),    "eager|late|random:SEED", 0, 0, "when the emulated device lets asynchronous work happen (eager)"},
    {"--check",    WL_CLI_FLAG,   AT(check),    NULL,   0, 0,                "compare with a float64 reference; exit code 1 when it differs too much"},
    {"--json",     WL_CLI_FLAG,   AT(json),     NULL,   0, 0,                "report as JSON"},
    {0},
};
/* clang-format on */

/* The emulated device reads its settings from the environment when it is opened. */
static enum wl_status set_order(const char *order, struct wl_error *error) {
    if (!order) return WL_OK;
    bool random =
        !strncmp(order, "random:", 7) && order[7] && order[7 + strspn(order + 7, "0123456789")] == 0;
    if (!random && strcmp(order, "late") && strcmp(order, "eager"))
        return wl_fail(error, WL_ERR_USAGE, NULL, 0, "--order", "\"%s\" is none of eager, late, random:SEED",
                       order);
    setenv("WARPLOOM_EMU_ORDER", order, 1);
    return WL_OK;
}

/* What nothing has given by now. */
static void fill_in(struct wl_run_values *v) {
    if (!v->batch) v->batch = 1;
    if (!v->heads) v->heads = 4;
    if (!v->heads_kv) v->heads_kv = v->heads;
    if (!v->seq_q) v->seq_q = 1024;
    if (!v->seq_k) v->seq_k = v->seq_q;
}

static const char *device_text(const struct wl_driver *d, char *out, size_t room) {
    snprintf(out, room, "%s, CUDA %d.%d", d->name, d->version / 1000, d->version % 1000 / 10);
    return out;
}

static void report_text(const struct wl_trial *t, const struct wl_trial_result *r, const char *device,
                        struct wl_text *text) {
    const struct wl_attention *p = &r->problem;
    const struct wl_launch *l = &r->plan.launch;
    const struct wl_compare *c = &r->compare;
    char smem[32], dim_v[32] = "";
    if (wl_attention_dim_v(p) != p->head_dim) snprintf(dim_v, sizeof dim_v, "/%" PRId64, wl_attention_dim_v(p));
    wl_text_printf(text, "%s on %s\n", l->entry, device);
    wl_text_printf(text,
                   "  problem batch %" PRId64 ", heads %" PRId64 "/%" PRId64 ", seq %" PRId64 " x %" PRId64
                   ", head_dim %" PRId64 "%s, %s, %s, scale %.6g\n",
                   p->batch, p->heads, p->heads_kv, p->seqlen_q, p->seqlen_k, p->head_dim, dim_v,
                   wl_dtype_name(p->dtype), p->causal ? "causal" : "full", wl_attention_scale(p));
    wl_text_printf(text, "  kernel  %s, %u threads, %d registers, %d B local, shared memory %s\n", l->target,
                   l->threads, r->registers, r->local_bytes, wl_cli_bytes(l->smem_bytes, smem, sizeof smem));
    wl_text_printf(text, "  time    emit %.1f ms, load %.1f ms, run %.1f ms", r->emit_ms, r->load_ms,
                   r->run_ms);
    if (!t->check) {
        wl_text_printf(text, "\n");
        return;
    }
    wl_text_printf(text, ", references %.1f ms\n", r->reference_ms);
    wl_text_printf(
        text,
        "  O       max error against float64 %.3g, bound %.3g (2 x plain 16-bit kernel's %.3g + 1e-5)\n",
        c->error, c->bound, c->plain_error);
    wl_text_printf(text, "  LSE     max error %.3g, bound %.3g\n", c->lse_error, c->lse_bound);
    wl_text_printf(text, "  check   %s\n", c->right ? "right" : "WRONG");
}

static void report_json(const struct wl_trial *t, const struct wl_trial_result *r, const struct wl_driver *d,
                        struct wl_text *text) {
    const struct wl_attention *p = &r->problem;
    const struct wl_launch *l = &r->plan.launch;
    struct wl_json json = {.text = text};
    wl_json_open(&json, NULL, '{');
    wl_json_text(&json, "device", d->name);
    wl_json_bool(&json, "emulated", d->emulated);
    wl_json_int(&json, "cuda_version", d->version);
    wl_json_text(&json, "schedule", r->plan.schedule.source);
    wl_json_text(&json, "entry", l->entry);
    wl_json_text(&json, "target", l->target);
    wl_json_int(&json, "batch", p->batch);
    wl_json_int(&json, "heads", p->heads);
    wl_json_int(&json, "kv_heads", p->heads_kv);
    wl_json_int(&json, "seq_q", p->seqlen_q);
    wl_json_int(&json, "seq_k", p->seqlen_k);
    wl_json_int(&json, "head_dim", p->head_dim);
    wl_json_int(&json, "head_dim_v", wl_attention_dim_v(p));
    wl_json_text(&json, "dtype", wl_dtype_name(p->dtype));
    wl_json_bool(&json, "causal", p->causal);
    wl_json_number(&json, "scale", wl_attention_scale(p));
    wl_json_int(&json, "threads", l->threads);
    wl_json_int(&json, "registers", r->registers);
    wl_json_int(&json, "local_bytes", r->local_bytes);
    wl_json_int(&json, "smem_bytes", l->smem_bytes);
    wl_json_number(&json, "emit_ms", r->emit_ms);
    wl_json_number(&json, "load_ms", r->load_ms);
    wl_json_number(&json, "run_ms", r->run_ms);
    wl_json_bool(&json, "checked", t->check);
    if (t->check) {
        wl_json_bool(&json, "right", r->compare.right);
        wl_json_number(&json, "error", r->compare.error);
        wl_json_number(&json, "plain_error", r->compare.plain_error);
        wl_json_number(&json, "bound", r->compare.bound);
        wl_json_number(&json, "lse_error", r->compare.lse_error);
        wl_json_number(&json, "lse_bound", r->compare.lse_bound);
        wl_json_text(&json, "worst", r->compare.worst);
    }
    wl_json_close(&json);
}

static enum wl_status report(const struct wl_run_values *v, const struct wl_trial *t,
                             const struct wl_trial_result *r, const struct wl_driver *d,
                             struct wl_error *error) {
    struct wl_text text = {0};
    char device[192];
    if (v->json) report_json(t, r, d, &text);
    else report_text(t, r, device_text(d, device, sizeof device), &text);
    enum wl_status status = wl_cli_output(NULL, &text, error);
    wl_text_fini(&text);
    return status;
}

static enum wl_status try_it(const struct wl_run_values *v, const struct wl_trial *t,
                             struct wl_trial_result *r, struct wl_error *error) {
    struct wl_driver *driver = NULL;
    enum wl_status status = set_order(v->order, error);
    if (!status) status = wl_driver_open(&driver, v->device, r->plan.launch.target, error);
    if (status) return status;
    wl_run_progress_start(driver);
    status = wl_trial_run(driver, t, r, error);
    wl_run_progress_stop(driver);
    if (!status ||
        status == WL_ERR_WRONG) { /* a wrong result is shown and stored too: it has to be looked at */
        enum wl_status shown = report(v, t, r, driver, error);
        if (!shown) shown = wl_run_store(v, r, error);
        if (!status) status = shown;
    }
    wl_driver_close(driver);
    return status;
}

static enum wl_status run(const struct wl_cli_call *call, struct wl_error *error) {
    struct wl_run_values v = *(const struct wl_run_values *)call->values;
    struct wl_trial_result result = {0};
    float *given[3] = {NULL, NULL, NULL};
    enum wl_status status = wl_run_load(&v, given, error);
    if (status) goto out;
    fill_in(&v);
    const struct wl_trial trial = {
        .schedule = call->words[0],
        .overrides = call->words + 1,
        .override_count = call->word_count - 1,
        .batch = v.batch,
        .heads = v.heads,
        .heads_kv = v.heads_kv,
        .seq_q = v.seq_q,
        .seq_k = v.seq_k,
        .head_dim = (int)v.head_dim,
        .head_dim_v = (int)v.head_dim_v,
        .dtype = v.dtype,
        .causal = v.causal ? 1 : -1,
        .scale = v.scale,
        .given = {given[0], given[1], given[2]},
        .input = (enum wl_input)v.input,
        .seed = (uint64_t)v.seed,
        .check = v.check,
    };
    status = wl_trial_prepare(&trial, &result, error);
    if (!status) status = try_it(&v, &trial, &result, error);
out:
    wl_trial_fini(&result);
    for (int i = 0; i < 3; i++) wl_free(given[i]);
    return status;
}

const struct wl_cli_command wl_cli_run = {
    .name = "run",
    .arguments = "SCHEDULE [key=value ...] [options]",
    .doc = "run the kernel of a schedule on tensors, on a GPU or the emulated device",
    .options = options,
    .defaults = &defaults,
    .values_bytes = sizeof defaults,
    .words_min = 1,
    .words_max = -1,
    .run = run,
};
