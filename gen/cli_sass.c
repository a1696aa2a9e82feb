/* cli_sass: warploom sass: machine code of a schedule, a PTX file or a cubin, counted. */
#include "gen/cli.h"

#include <stdio.h>
#include <string.h>

#include "gen/emit.h"
#include "gen/file.h"
#include "gen/ptxas.h"
#include "gen/sass_report.h"

struct values {
    int64_t head_dim;
    const char *out;
    bool json, svg;
};
static const struct values defaults = {0};

/* clang-format off */
static const struct wl_cli_option options[] = {
    {"--head-dim", WL_CLI_INT,  offsetof(struct values, head_dim), "N",    8, 256, "specialise for this head dimension (the schedule's)"},
    {"-o",         WL_CLI_TEXT, offsetof(struct values, out),      "FILE", 0, 0,   "write there instead of to standard output"},
    {"--json",     WL_CLI_FLAG, offsetof(struct values, json),     NULL,   0, 0,   "as JSON: an array, an object for each kernel"},
    {"--svg",      WL_CLI_FLAG, offsetof(struct values, svg),      NULL,   0, 0,   "as a drawing (of the largest kernel)"},
    {0},
};
/* clang-format on */

/* What is looked at, on its way from words to machine code. */
struct subject {
    struct wl_plan plan;
    bool planned, assembled;
    char target[32];
    struct wl_ptxas_report ptxas;
    char *cubin; /* read from a file; freed with wl_free */
    size_t cubin_bytes;
    struct wl_sass sass;
};

static bool ends_with(const char *text, const char *end) {
    size_t a = strlen(text), b = strlen(end);
    return a > b && !strcmp(text + a - b, end);
}

/* The target of PTX text, from its .target line. */
static enum wl_status read_target(const char *path, const char *ptx, char *out, size_t room,
                                  struct wl_error *error) {
    const char *at = strstr(ptx, ".target");
    if (!at) return wl_fail(error, WL_ERR_INPUT, path, 0, NULL, "has no .target: is it PTX?");
    at += 7 + strspn(at + 7, " \t");
    snprintf(out, room, "%.*s", (int)strcspn(at, " \t,\r\n"), at);
    return WL_OK;
}

static enum wl_status take_ptx_file(const char *path, struct subject *s, struct wl_error *error) {
    char *ptx = NULL;
    size_t size;
    enum wl_status status = wl_file_read(path, &ptx, &size, error);
    if (!status) status = read_target(path, ptx, s->target, sizeof s->target, error);
    if (!status) status = wl_ptxas_run(ptx, size, s->target, &s->ptxas, error);
    s->assembled = !status;
    wl_free(ptx);
    /* what ptxas refuses is the user's text here, not ours */
    if (status == WL_ERR_INTERNAL && error) status = error->status = WL_ERR_INPUT;
    return status;
}

static enum wl_status take_schedule(const struct wl_cli_call *call, const struct values *v, struct subject *s,
                                    struct wl_error *error) {
    struct wl_schedule schedule;
    struct wl_text ptx = {0};
    struct wl_specialization special = {(int)v->head_dim, -1, -1, 0};
    enum wl_status status =
        wl_schedule_load(&schedule, call->words[0], call->words + 1, call->word_count - 1, error);
    if (!status) status = wl_plan_make(&s->plan, &schedule, &special, error);
    if (!status) status = wl_emit(&s->plan, &ptx, error);
    if (!status) status = wl_ptxas_run(ptx.bytes, ptx.length, s->plan.arch->name, &s->ptxas, error);
    s->planned = s->assembled = !status;
    wl_text_fini(&ptx);
    return status;
}

static enum wl_status take(const struct wl_cli_call *call, struct wl_arena *arena, struct subject *s,
                           struct wl_error *error) {
    const char *name = call->words[0];
    bool is_cubin = ends_with(name, ".cubin"), is_ptx = ends_with(name, ".ptx");
    const struct values *v = call->values;
    if ((is_cubin || is_ptx) && (call->word_count > 1 || v->head_dim))
        return wl_fail(error, WL_ERR_USAGE, NULL, 0, name,
                       "is no schedule: key=value and --head-dim say nothing about it");
    enum wl_status status = is_cubin ? wl_file_read(name, &s->cubin, &s->cubin_bytes, error)
                            : is_ptx ? take_ptx_file(name, s, error)
                                     : take_schedule(call, v, s, error);
    if (status) return status;
    status = is_cubin ? wl_sass_read(arena, s->cubin, s->cubin_bytes, &s->sass, error)
                      : wl_sass_read(arena, s->ptxas.cubin, s->ptxas.cubin_bytes, &s->sass, error);
    if (status && error && is_cubin && !error->file[0]) snprintf(error->file, sizeof error->file, "%s", name);
    return status;
}

static enum wl_status measure(struct wl_arena *arena, const struct subject *s, int index,
                              struct wl_sass_report *report, struct wl_error *error) {
    const struct wl_sass_function *function = &s->sass.functions[index];
    enum wl_status status =
        wl_sass_measure(arena, &s->sass, function, s->planned ? &s->plan : NULL, report, error);
    if (status || !s->assembled) return status;
    report->assembled = true;
    snprintf(report->ptxas, sizeof report->ptxas, "%s", s->ptxas.version);
    report->spill_bytes = s->ptxas.spill_store_bytes + s->ptxas.spill_load_bytes;
    report->stack_bytes = s->ptxas.stack_bytes;
    return WL_OK;
}

static int largest(const struct wl_sass *sass) {
    int best = 0;
    for (int i = 1; i < sass->count; i++)
        if (sass->functions[i].count > sass->functions[best].count) best = i;
    return best;
}

static enum wl_status report(const struct values *v, struct wl_arena *arena, const struct subject *s,
                             struct wl_text *out, struct wl_error *error) {
    struct wl_json json = {.text = out};
    struct wl_sass_report *r = wl_arena_alloc(arena, sizeof *r);
    enum wl_status status = WL_OK;
    if (!r) return wl_fail(error, WL_ERR_NO_MEMORY, NULL, 0, NULL, "out of memory");
    if (v->json) wl_json_open(&json, NULL, '[');
    for (int i = 0; i < s->sass.count && !status; i++) {
        if (v->svg && i != largest(&s->sass)) continue;
        status = measure(arena, s, i, r, error);
        if (status) break;
        if (v->json) wl_sass_json(r, &json);
        else if (v->svg) wl_sass_svg(r, out);
        else wl_sass_text(r, out);
    }
    if (v->json) wl_json_close(&json);
    return status;
}

static enum wl_status run(const struct wl_cli_call *call, struct wl_error *error) {
    const struct values *v = call->values;
    static struct subject subject;
    struct wl_text text = {0};
    if (v->json && v->svg)
        return wl_fail(error, WL_ERR_USAGE, NULL, 0, "--svg", "and --json exclude each other");
    struct wl_arena *arena = wl_arena_create();
    if (!arena) return wl_fail(error, WL_ERR_NO_MEMORY, NULL, 0, NULL, "out of memory");
    enum wl_status status = take(call, arena, &subject, error);
    if (!status) status = report(v, arena, &subject, &text, error);
    if (!status) status = wl_cli_output(v->out, &text, error);
    wl_text_fini(&text);
    wl_ptxas_fini(&subject.ptxas);
    wl_free(subject.cubin);
    wl_arena_destroy(arena);
    return status;
}

const struct wl_cli_command wl_cli_sass = {
    .name = "sass",
    .arguments = "SCHEDULE [key=value ...] | FILE.ptx | FILE.cubin [options]",
    .doc = "count the machine code of each role's loop, by pipe, and what binds it",
    .options = options,
    .defaults = &defaults,
    .values_bytes = sizeof defaults,
    .words_min = 1,
    .words_max = -1,
    .run = run,
};
