/* cli_explain: warploom explain: the plan, its maps and the cost model. */
#include "gen/cli.h"

#include "gen/explain.h"

struct values {
    int64_t head_dim, head_dim_v;
    const char *out;
    bool json, svg;
};
static const struct values defaults = {0};

/* clang-format off */
static const struct wl_cli_option options[] = {
    {"--head-dim", WL_CLI_INT,  offsetof(struct values, head_dim), "N",    8, 256, "specialise for this head dimension (the schedule's)"},
    {"--head-dim-v", WL_CLI_INT, offsetof(struct values, head_dim_v), "N", 8, 256, "and V and O for this one (the schedule's, else as --head-dim)"},
    {"-o",         WL_CLI_TEXT, offsetof(struct values, out),      "FILE", 0, 0,   "write there instead of to standard output"},
    {"--json",     WL_CLI_FLAG, offsetof(struct values, json),     NULL,   0, 0,   "as JSON"},
    {"--svg",      WL_CLI_FLAG, offsetof(struct values, svg),      NULL,   0, 0,   "as a drawing"},
    {0},
};
/* clang-format on */

static enum wl_status run(const struct wl_cli_call *call, struct wl_error *error) {
    const struct values *v = call->values;
    struct wl_schedule schedule;
    struct wl_plan plan;
    struct wl_text text = {0};
    struct wl_specialization special = {(int)v->head_dim, -1, -1, (int)v->head_dim_v};
    if (v->json && v->svg)
        return wl_fail(error, WL_ERR_USAGE, NULL, 0, "--svg", "and --json exclude each other");
    enum wl_explain_form form = v->json ? WL_EXPLAIN_JSON : v->svg ? WL_EXPLAIN_SVG : WL_EXPLAIN_TEXT;
    enum wl_status status =
        wl_schedule_load(&schedule, call->words[0], call->words + 1, call->word_count - 1, error);
    if (!status) status = wl_plan_make(&plan, &schedule, &special, error);
    if (!status) status = wl_explain(&plan, form, &text, error);
    if (!status) status = wl_cli_output(v->out, &text, error);
    wl_text_fini(&text);
    return status;
}

const struct wl_cli_command wl_cli_explain = {
    .name = "explain",
    .arguments = "SCHEDULE [key=value ...] [options]",
    .doc = "show roles, registers, memory maps, barriers and where the cycles go",
    .options = options,
    .defaults = &defaults,
    .values_bytes = sizeof defaults,
    .words_min = 1,
    .words_max = -1,
    .run = run,
};
