/* cli_pack: warploom pack: kernels into one file, for machines that shall build none (runtime/bundle.h). */
#include "gen/cli.h"

#include <stdio.h>
#include <string.h>

#include "gen/arch.h"
#include "gen/embed.h"
#include "gen/json.h"
#include "runtime/bundle.h"
#include "runtime/choose.h"
#include "runtime/nvrtc.h"

enum { DIMS_MAX = 64, SCHEDULES_MAX = 64, TARGETS_MAX = 8 };

struct values {
    const char *out, *dims, *target, *list;
    int64_t dim_v;
    int dtype, causal;
    bool ptx, auxiliary, json;
};
static const struct values defaults = {.dims = "64,128"};

/* clang-format off */
static const struct wl_cli_option options[] = {
    {"-o",         WL_CLI_TEXT,   offsetof(struct values, out),    "FILE",           0, 0, "the bundle to write"},
    {"--head-dim", WL_CLI_TEXT,   offsetof(struct values, dims),   "N,N...",         0, 0, "head dimensions (64,128)"},
    {"--head-dim-v", WL_CLI_INT,  offsetof(struct values, dim_v),  "N",              8, 4096, "of V and O (that of Q and K)"},
    {"--dtype",    WL_CLI_CHOICE, offsetof(struct values, dtype),  "bf16|fp16|bf16,fp16|fp16,bf16", 0, 0, "element types (bf16)"},
    {"--causal",   WL_CLI_CHOICE, offsetof(struct values, causal), "no|yes|both",    0, 0, "masks (no)"},
    {"--target",   WL_CLI_TEXT,   offsetof(struct values, target), "SM",             0, 0, "for this target alone (those of the schedules)"},
    {"--auxiliary", WL_CLI_FLAG,  offsetof(struct values, auxiliary), NULL,          0, 0, "the auxiliary kernels too (NVRTC compiles them)"},
    {"--ptx",      WL_CLI_FLAG,   offsetof(struct values, ptx),    NULL,             0, 0, "no machine code: the driver assembles at every start"},
    {"--list",     WL_CLI_TEXT,   offsetof(struct values, list),   "FILE",           0, 0, "check a bundle and list what it holds, instead"},
    {"--json",     WL_CLI_FLAG,   offsetof(struct values, json),   NULL,             0, 0, "as JSON"},
    {0},
};
/* clang-format on */

struct candidate {
    char name[256];
    struct wl_schedule schedule;
};

struct packing {
    const struct values *values;
    struct candidate candidates[SCHEDULES_MAX];
    int candidate_count;
    int64_t dims[DIMS_MAX];
    int dim_count;
    const char *targets[TARGETS_MAX]; /* each once, in the schedules' order */
    int target_count;
    struct wl_bundle_item *items;
    size_t item_count;
    struct wl_text report;
    struct wl_json json;
    bool slow;
    const char *slow_tool;
};

/* ---- which schedules ---- */

static void add_target(struct packing *p, const char *target) {
    for (int i = 0; i < p->target_count; i++)
        if (!strcmp(p->targets[i], target)) return;
    if (p->target_count < TARGETS_MAX) p->targets[p->target_count++] = target;
}

static enum wl_status add_schedule(struct packing *p, const char *name, struct wl_error *error) {
    if (p->candidate_count == SCHEDULES_MAX)
        return wl_fail(error, WL_ERR_USAGE, NULL, 0, "pack", "more than %d schedules", SCHEDULES_MAX);
    struct candidate *c = &p->candidates[p->candidate_count];
    enum wl_status status = wl_schedule_load(&c->schedule, name, NULL, 0, error);
    if (status || strcmp(c->schedule.pass, "forward")) return status;
    p->candidate_count++;
    if (snprintf(c->name, sizeof c->name, "%s", name) >= (int)sizeof c->name)
        return wl_fail(error, WL_ERR_USAGE, name, 0, NULL, "a path longer than %zu bytes",
                       sizeof c->name - 1);
    if (!p->values->target) add_target(p, c->schedule.target);
    return WL_OK;
}

/* "schedules/sm100_fwd_hd64.lua" by its stem; files that begin with '_' are for include alone. */
static enum wl_status add_shipped(struct packing *p, struct wl_error *error) {
    static const char folder[] = "schedules/";
    enum wl_status status = WL_OK;
    for (const struct wl_embedded *f = wl_embedded_files; f->name && !status; f++) {
        const char *stem = f->name + sizeof folder - 1, *dot = strrchr(f->name, '.');
        char name[128];
        if (strncmp(f->name, folder, sizeof folder - 1) || strchr(stem, '/') || *stem == '_' ||
            strcmp(dot, ".lua"))
            continue;
        snprintf(name, sizeof name, "%.*s", (int)(dot - stem), stem);
        status = add_schedule(p, name, error);
    }
    return status;
}

static const struct candidate *find(const struct packing *p, const char *target, const struct wl_problem *problem) {
    const struct wl_choice choice = {.target = target, .problem = problem};
    char reason[160];
    for (int i = 0; i < p->candidate_count; i++)
        if (wl_choose_fits(&p->candidates[i].schedule, &choice, reason, sizeof reason)) return &p->candidates[i];
    return NULL;
}

static bool wants_mask(const struct values *v, bool causal) { return v->causal == 2 || v->causal == (int)causal; }

/* The nth of the four problems of a head dimension; false: it was not asked for. */
static bool problem_at(const struct values *v, int64_t dim, int n, struct wl_problem *problem) {
    *problem = (struct wl_problem){.head_dim = (int32_t)dim, .dtype = n & 2 ? WL_FP16 : WL_BF16, .causal = n & 1,
                                   .head_dim_v = (int32_t)v->dim_v};
    return (v->dtype >= 2 || v->dtype == (int)problem->dtype) && wants_mask(v, problem->causal);
}

static enum wl_status collect(struct packing *p, const struct wl_cli_call *call, struct wl_error *error) {
    char targets[128];
    enum wl_status status =
        wl_cli_numbers("--head-dim", p->values->dims, p->dims, DIMS_MAX, &p->dim_count, error);
    if (!status && p->values->target && !wl_arch_find(p->values->target))
        status = wl_fail(error, WL_ERR_USAGE, NULL, 0, "--target", "\"%s\": kernels are made for %s",
                         p->values->target, wl_choose_targets(targets, sizeof targets));
    if (p->values->target) add_target(p, p->values->target);
    if (!status && !call->word_count) status = add_shipped(p, error);
    for (int i = 0; !status && i < call->word_count; i++) status = add_schedule(p, call->words[i], error);
    for (int d = 0; !status && d < p->dim_count; d++) {
        bool served = false;
        struct wl_problem problem;
        for (int t = 0; t < p->target_count; t++)
            for (int n = 0; n < 4; n++)
                served |= problem_at(p->values, p->dims[d], n, &problem) && find(p, p->targets[t], &problem);
        if (!served)
            status = wl_fail(error, WL_ERR_INPUT, NULL, 0, "--head-dim", "no schedule given serves %lld%s%s",
                             (long long)p->dims[d], p->values->target ? " on " : "",
                             p->values->target ? p->values->target : "");
    }
    return status;
}

/* ---- making them ---- */

static enum wl_status assemble(struct packing *p, struct wl_image *image, struct wl_error *error) {
    struct wl_ptxas_report report;
    enum wl_status status = wl_image_cubin(image, NULL, false, &report, error);
    if (!status && report.setmaxnreg_ignored) p->slow = true, p->slow_tool = report.tool;
    return status;
}

static void describe(struct packing *p, const struct wl_image *image) {
    const struct wl_launch *l = &image->launch;
    char a[32], b[32];
    if (p->values->json) {
        wl_json_open(&p->json, NULL, '{');
        wl_json_text(&p->json, "entry", l->entry);
        wl_json_text(&p->json, "target", l->target);
        wl_json_text(&p->json, "schedule", image->schedule);
        wl_json_int(&p->json, "head_dim", l->head_dim);
        wl_json_text(&p->json, "dtype", l->dtype == WL_BF16 ? "bf16" : "fp16");
        wl_json_bool(&p->json, "causal", l->causal != 0);
        wl_json_int(&p->json, "cubin_bytes", (int64_t)image->cubin_bytes);
        wl_json_int(&p->json, "ptx_bytes", (int64_t)image->ptx_bytes);
        wl_json_close(&p->json);
        return;
    }
    wl_text_printf(&p->report, "  %-8s %-48s cubin %8s  PTX %8s  %s\n", l->target, l->entry,
                   image->cubin_bytes ? wl_cli_bytes((double)image->cubin_bytes, a, sizeof a) : "none",
                   wl_cli_bytes((double)image->ptx_bytes, b, sizeof b), image->schedule);
}

/* made: what is built; found: what it is found by. */
static enum wl_status make(struct packing *p, const struct wl_choice *made, const struct wl_choice *found,
                           struct wl_error *error) {
    struct wl_bundle_item *item = &p->items[p->item_count];
    *item = (struct wl_bundle_item){0};
    wl_choose_bundle_key(&item->key, found);
    enum wl_status status = wl_image_generate(&item->image, made, error);
    if (status) return status;
    p->item_count++;
    if (!p->values->ptx) status = assemble(p, &item->image, error);
    if (!status) describe(p, &item->image);
    return status;
}

static enum wl_status make_problem(struct packing *p, const struct candidate *c, const char *target,
                                   const struct wl_problem *problem, struct wl_error *error) {
    struct wl_problem named = *problem;
    named.schedule = c->name;
    return make(p, &(struct wl_choice){.target = target, .problem = &named},
                &(struct wl_choice){.target = target, .problem = problem}, error);
}

static enum wl_status make_auxiliary(struct packing *p, const char *target, struct wl_error *error) {
    static const struct wl_problem none;
    enum wl_status status = WL_OK;
    for (int i = 0; !status && wl_auxiliary_names[i]; i++) {
        const struct wl_choice choice = {NULL, target, &none, wl_auxiliary_names[i]};
        status = make(p, &choice, &choice, error);
    }
    return status;
}

static enum wl_status make_all(struct packing *p, struct wl_error *error) {
    const struct values *v = p->values;
    enum wl_status status = WL_OK;
    p->items = wl_realloc(NULL, (size_t)(p->target_count * (p->dim_count * 4 + 4) + 1) * sizeof *p->items);
    if (!p->items) return wl_fail(error, WL_ERR_NO_MEMORY, NULL, 0, NULL, "no memory for a bundle");
    for (int t = 0; t < p->target_count && !status && v->auxiliary; t++)
        status = make_auxiliary(p, p->targets[t], error);
    for (int t = 0; t < p->target_count && !status; t++)
        for (int i = 0; i < p->dim_count * 4 && !status; i++) {
            struct wl_problem problem;
            int64_t dim = p->dims[i / 4];
            if (!problem_at(v, dim, i % 4, &problem)) continue;
            const struct candidate *c = find(p, p->targets[t], &problem);
            if (c)
                status = make_problem(p, c, p->targets[t], &problem, error);
            else if (!v->json)
                wl_text_printf(&p->report, "  %-8s head_dim %lld %s %s left out: no schedule given serves it there\n",
                               p->targets[t], (long long)dim, problem.dtype == WL_BF16 ? "bf16" : "fp16",
                               problem.causal ? "causal" : "full");
        }
    return status;
}

static enum wl_status pack(struct packing *p, const struct wl_cli_call *call, struct wl_error *error) {
    if (!p->values->out) return wl_fail(error, WL_ERR_USAGE, NULL, 0, "-o", "pack needs -o FILE");
    enum wl_status status = collect(p, call, error);
    if (!status) status = make_all(p, error);
    if (!status) status = wl_bundle_write(p->values->out, p->items, p->item_count, error);
    if (!status && !p->values->json) {
        if (p->slow)
            wl_text_printf(&p->report, "  slow: %s ignores setmaxnreg; ptxas keeps the register budgets\n",
                           p->slow_tool);
        wl_text_printf(&p->report, "%zu kernels in %s\n", p->item_count, p->values->out);
    }
    for (size_t i = 0; i < p->item_count; i++) wl_image_fini(&p->items[i].image);
    wl_free(p->items);
    return status;
}

/* ---- looking at one ---- */

static enum wl_status list_one(void *user, const struct wl_key *key, const struct wl_image *image,
                               struct wl_error *error) {
    struct packing *p = user;
    (void)key, (void)error;
    describe(p, image);
    p->item_count++;
    return WL_OK;
}

static enum wl_status list(struct packing *p, struct wl_error *error) {
    struct wl_bundle *bundle;
    enum wl_status status = wl_bundle_open(&bundle, p->values->list, error);
    if (!status) status = wl_bundle_each(bundle, list_one, p, error);
    if (!status && !p->values->json)
        wl_text_printf(&p->report, "%zu kernels, all whole, for %s\n", p->item_count,
                       wl_bundle_targets(bundle));
    wl_bundle_close(bundle);
    return status;
}

static enum wl_status run(const struct wl_cli_call *call, struct wl_error *error) {
    struct packing *p = wl_realloc(NULL, sizeof *p);
    if (!p) return wl_fail(error, WL_ERR_NO_MEMORY, NULL, 0, NULL, "no memory to pack");
    memset(p, 0, sizeof *p);
    p->values = call->values;
    p->json.text = &p->report;
    if (p->values->json) wl_json_open(&p->json, NULL, '[');
    enum wl_status status = p->values->list ? list(p, error) : pack(p, call, error);
    if (p->values->json) wl_json_close(&p->json);
    if (!status) status = wl_cli_output(NULL, &p->report, error);
    wl_text_fini(&p->report);
    wl_free(p);
    return status;
}

const struct wl_cli_command wl_cli_pack = {
    .name = "pack",
    .arguments = "-o FILE [SCHEDULE...] [options]",
    .doc = "build kernels (of these schedules, or of the shipped ones) into one file, for machines that "
           "build none",
    .options = options,
    .defaults = &defaults,
    .values_bytes = sizeof defaults,
    .words_min = 0,
    .words_max = -1,
    .run = run,
};
