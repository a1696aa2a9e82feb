/* cli_emit: warploom emit: a schedule becomes PTX, or with --cubin a cubin, or with --fatbin both in one file. */
#include "gen/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "gen/c_header.h"
#include "gen/emit.h"
#include "gen/file.h"
#include "gen/json.h"
#include "gen/launch_json.h"
#include "gen/fatbin.h"
#include "runtime/assemble.h"

struct values {
    int64_t head_dim, head_dim_v;
    const char *out;
    bool cubin, fatbin, json, c_header;
};
static const struct values defaults = {0};

/* clang-format off */
static const struct wl_cli_option options[] = {
    {"--head-dim", WL_CLI_INT,  offsetof(struct values, head_dim), "N",    8, 256, "specialise for this head dimension (the schedule's)"},
    {"--head-dim-v", WL_CLI_INT, offsetof(struct values, head_dim_v), "N", 8, 256, "and V and O for this one (the schedule's, else as --head-dim)"},
    {"-o",         WL_CLI_TEXT, offsetof(struct values, out),      "FILE", 0, 0,   "write there instead of to standard output"},
    {"--cubin",    WL_CLI_FLAG, offsetof(struct values, cubin),    NULL,   0, 0,   "assemble (ptxas, else the driver's linker, else nvJitLink); -o FILE gets the cubin"},
    {"--fatbin",   WL_CLI_FLAG, offsetof(struct values, fatbin),   NULL,   0, 0,   "assemble; -o FILE gets a fat binary of the cubin and the PTX"},
    {"--c-header", WL_CLI_FLAG, offsetof(struct values, c_header), NULL,   0, 0,   "-o FILE gets a C header: the launch record and the PTX, cubin or fat binary"},
    {"--json",     WL_CLI_FLAG, offsetof(struct values, json),     NULL,   0, 0,   "report sizes, times, registers as JSON on standard output"},
    {0},
};
/* clang-format on */

/* What there is to report of one emission. */
struct emission {
    struct wl_plan plan;
    struct wl_text ptx;
    uint64_t hash;
    double ms; /* of loading, planning and expanding */
    bool assembled;
    struct wl_ptxas_report ptxas;
    char *fatbin;
    size_t fatbin_bytes;
};

static uint64_t fnv1a(const char *bytes, size_t length) {
    uint64_t hash = 0xcbf29ce484222325ull;
    for (size_t i = 0; i < length; i++) hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3ull;
    return hash;
}

static int count_lines(const struct wl_text *text) {
    int lines = 0;
    for (size_t i = 0; i < text->length; i++) lines += text->bytes[i] == '\n';
    return lines;
}

static enum wl_status emit(const struct wl_cli_call *call, const struct values *v, struct emission *e,
                           struct wl_error *error) {
    struct wl_schedule schedule;
    struct wl_specialization special = {(int)v->head_dim, -1, -1, (int)v->head_dim_v};
    double start = wl_cli_now_ms();
    enum wl_status status =
        wl_schedule_load(&schedule, call->words[0], call->words + 1, call->word_count - 1, error);
    if (!status) status = wl_plan_make(&e->plan, &schedule, &special, error);
    if (!status) status = wl_emit(&e->plan, &e->ptx, error);
    e->ms = wl_cli_now_ms() - start;
    if (status) return status;
    e->hash = fnv1a(e->ptx.bytes, e->ptx.length);
    if (!v->cubin && !v->fatbin) return WL_OK;
    e->assembled = true;
    status = wl_assemble(e->ptx.bytes, e->ptx.length, e->plan.arch->name, NULL, false, &e->ptxas, error);
    if (status || !v->fatbin) return status;
    return wl_fatbin_make(e->ptx.bytes, e->ptx.length, e->ptxas.cubin, e->ptxas.cubin_bytes, e->plan.arch->name,
                          &e->fatbin, &e->fatbin_bytes, error);
}

static int barrier_objects(const struct wl_plan *plan) {
    int sum = 0;
    for (int i = 0; i < plan->barrier_count; i++) sum += plan->barriers[i].count;
    return sum;
}

static void report_text(const struct emission *e, const char *out, struct wl_text *text) {
    const struct wl_plan *p = &e->plan;
    char a[32], b[32];
    wl_text_printf(text, "%s  %s  %s  head_dim %d  %s\n", p->launch.entry, p->arch->name,
                   p->dtype == WL_BF16 ? "bf16" : "fp16", p->head_dim, p->causal ? "causal" : "full");
    wl_text_printf(text, "  PTX     %s, %d lines in %.1f ms, hash %016" PRIx64 "\n",
                   wl_cli_bytes((double)e->ptx.length, a, sizeof a), count_lines(&e->ptx), e->ms, e->hash);
    wl_text_printf(text,
                   "  plan    %d threads, shared memory %s of %s, tensor memory %d columns, %d mbarriers\n",
                   p->threads, wl_cli_bytes(p->smem_bytes, a, sizeof a),
                   wl_cli_bytes(p->arch->smem_bytes, b, sizeof b), p->tmem_cols, barrier_objects(p));
    if (e->assembled)
        wl_text_printf(
            text,
            "  %-7s %s: %d registers (plan %d), %d B spilled, %d B stack, %d named barriers, cubin "
            "%s in %.0f ms\n",
            e->ptxas.tool, e->ptxas.version, e->ptxas.registers, p->regs_launch,
            e->ptxas.spill_store_bytes + e->ptxas.spill_load_bytes, e->ptxas.stack_bytes, e->ptxas.barriers,
            wl_cli_bytes((double)e->ptxas.cubin_bytes, a, sizeof a), e->ptxas.ms);
    if (e->ptxas.setmaxnreg_ignored)
        wl_text_printf(text, "  slow    %s ignores setmaxnreg: the roles' register budgets are lost; ptxas keeps them\n",
                       e->ptxas.tool);
    if (out) wl_text_printf(text, "  wrote   %s\n", out);
}

static void report_ptxas(const struct emission *e, struct wl_json *json) {
    wl_json_open(json, "ptxas", '{');
    wl_json_text(json, "tool", e->ptxas.tool);
    wl_json_text(json, "version", e->ptxas.version);
    wl_json_bool(json, "setmaxnreg_ignored", e->ptxas.setmaxnreg_ignored);
    wl_json_int(json, "registers", e->ptxas.registers);
    wl_json_int(json, "spill_store_bytes", e->ptxas.spill_store_bytes);
    wl_json_int(json, "spill_load_bytes", e->ptxas.spill_load_bytes);
    wl_json_int(json, "stack_bytes", e->ptxas.stack_bytes);
    wl_json_int(json, "barriers", e->ptxas.barriers);
    wl_json_int(json, "cubin_bytes", (int64_t)e->ptxas.cubin_bytes);
    wl_json_number(json, "ms", e->ptxas.ms);
    wl_json_close(json);
}

static void report_json(const struct emission *e, const char *out, struct wl_text *text) {
    const struct wl_plan *p = &e->plan;
    struct wl_json json = {.text = text};
    char hash[20];
    snprintf(hash, sizeof hash, "%016" PRIx64, e->hash);
    wl_json_open(&json, NULL, '{');
    wl_json_text(&json, "schedule", p->schedule.source);
    wl_json_text(&json, "entry", p->launch.entry);
    wl_json_text(&json, "target", p->arch->name);
    wl_json_text(&json, "dtype", p->dtype == WL_BF16 ? "bf16" : "fp16");
    wl_json_int(&json, "head_dim", p->head_dim);
    wl_json_int(&json, "head_dim_v", p->head_dim_v);
    wl_json_bool(&json, "causal", p->causal);
    wl_json_int(&json, "ptx_bytes", (int64_t)e->ptx.length);
    wl_json_int(&json, "ptx_lines", count_lines(&e->ptx));
    wl_json_text(&json, "ptx_hash", hash);
    wl_json_number(&json, "emit_ms", e->ms);
    wl_json_int(&json, "threads", p->threads);
    wl_json_int(&json, "registers_at_launch", p->regs_launch);
    wl_json_int(&json, "smem_bytes", p->smem_bytes);
    wl_json_int(&json, "tmem_columns", p->tmem_cols);
    wl_json_int(&json, "mbarriers", barrier_objects(p));
    if (e->assembled) report_ptxas(e, &json);
    wl_launch_json(&json, "launch", &p->launch);
    wl_json_text(&json, "output", out);
    wl_json_close(&json);
}

static enum wl_status write_output(const struct emission *e, const struct values *v, struct wl_error *error) {
    const void *image = v->fatbin ? e->fatbin : v->cubin ? e->ptxas.cubin : e->ptx.bytes;
    size_t bytes = v->fatbin ? e->fatbin_bytes : v->cubin ? e->ptxas.cubin_bytes : e->ptx.length;
    struct wl_text header = {0};
    if (!v->c_header) return wl_file_write(v->out, image, bytes, error);
    wl_c_header(&header, &e->plan.launch, image, bytes);
    enum wl_status status = wl_cli_output(v->out, &header, error);
    wl_text_fini(&header);
    return status;
}

static enum wl_status run(const struct wl_cli_call *call, struct wl_error *error) {
    const struct values *v = call->values;
    struct emission e = {0};
    struct wl_text report = {0};
    if (v->cubin && !v->out && !v->json)
        return wl_fail(error, WL_ERR_USAGE, NULL, 0, "--cubin",
                       "needs -o FILE for the cubin, or --json for its figures alone");
    if (v->fatbin && !v->out) return wl_fail(error, WL_ERR_USAGE, NULL, 0, "--fatbin", "needs -o FILE");
    if (v->fatbin && v->cubin)
        return wl_fail(error, WL_ERR_USAGE, NULL, 0, "--fatbin", "holds the cubin too; without --cubin");
    if (v->c_header && !v->out) return wl_fail(error, WL_ERR_USAGE, NULL, 0, "--c-header", "needs -o FILE");
    enum wl_status status = emit(call, v, &e, error);
    if (status) goto out;
    if (!v->out && !v->json) {
        status = wl_cli_output(NULL, &e.ptx, error);
        goto out;
    }
    if (v->out) status = write_output(&e, v, error);
    if (status) goto out;
    (v->json ? report_json : report_text)(&e, v->out, &report);
    status = wl_cli_output(NULL, &report, error);
out:
    wl_ptxas_fini(&e.ptxas);
    wl_free(e.fatbin);
    wl_text_fini(&report);
    wl_text_fini(&e.ptx);
    return status;
}

const struct wl_cli_command wl_cli_emit = {
    .name = "emit",
    .arguments = "SCHEDULE [key=value ...] [options]",
    .doc = "write the PTX of a schedule, with fields overridden by key=value",
    .options = options,
    .defaults = &defaults,
    .values_bytes = sizeof defaults,
    .words_min = 1,
    .words_max = -1,
    .run = run,
};
