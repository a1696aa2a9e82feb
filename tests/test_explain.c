/* explain: its forms are well formed and say what the plan says; its cost model counts what the kernels do.
 */
#include "tests/test.h"

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "gen/emit.h"
#include "gen/explain.h"

static void make_plan(struct wl_plan *plan, const char *schedule, const char *const *overrides, int count) {
    struct wl_schedule s;
    struct wl_error error = {0};
    char line[4000];
    enum wl_status status = wl_schedule_load(&s, schedule, overrides, count, &error);
    if (status == WL_OK) status = wl_plan_make(plan, &s, NULL, &error);
    cr_assert_eq(status, WL_OK, "%s", wl_error_format(&error, line, sizeof line));
}

static char *explain(const struct wl_plan *plan, enum wl_explain_form form) {
    struct wl_text out = {0};
    struct wl_error error = {0};
    cr_assert_eq(wl_explain(plan, form, NULL, &out, &error), WL_OK, "%s", error.text);
    cr_assert_eq(strlen(out.bytes), out.length);
    return out.bytes;
}

static const struct {
    const char *schedule, *overrides[2];
    int count;
} rows[] = {
    {"sm100_fwd_hd128", {0}, 0},
    {"sm100_fwd_hd64", {"causal=true"}, 1},
    {"sm100_fwd_hd128", {"exp2_share=0.5", "exp2_degree=4"}, 2},
    {"sm100_fwd_hd128", {"q_tiles=1", "tile_n=32"}, 2},
    {"sm100_fwd_hd128", {"cta_pair=true", "stages_kv=6"}, 2},
    {"sm100_fwd_hd256", {0}, 0},
    {"sm100_fwd_hd128", {"rescale_always=true"}, 1},
    {"sm90_fwd_hd128", {0}, 0},
    {"sm90_fwd_hd128", {"exp2_share=0.25"}, 1},
};

/* ---- a problem on a device ---- */

/* 128-row tiles of 2 heads on one SM's worth: 1024 keys are 8 steps of 128. A memory so slow that it goes
 * first, one so quick that it goes last, one that is not known. */
Test(explain, units_of_a_problem) {
    static const struct {
        double gb_per_s;
        int place; /* of "memory" */
        double ms;
    } memories[] = {{1, 0, 1.0}, {1e6, 6, 1e-6}, {0, -1, 0}};
    struct wl_plan plan;
    struct wl_cost cost;
    struct wl_error error = {0};
    make_plan(&plan, "sm90_fwd_hd128", NULL, 0);
    cr_assert_eq(wl_cost_estimate(&plan, &cost, &error), WL_OK);
    for (size_t m = 0; m < WL_LEN(memories); m++) {
        struct wl_explain_unit units[WL_EXPLAIN_UNITS];
        struct wl_explain_device device = {
            .name = "D", .steps = 8, .ghz = 2, .bytes = 1e6, .gb_per_s = memories[m].gb_per_s};
        int place = -1;
        wl_explain_units(&plan, &cost, &device, units);
        for (int u = 0; u < WL_EXPLAIN_UNITS; u++) {
            bool memory = strcmp(units[u].name, "memory") == 0;
            if (u) cr_expect_leq(units[u].ms, units[u - 1].ms);
            if (strcmp(units[u].name, "mma") == 0) cr_expect_float_eq(units[u].ms, 8 * 2048 / 2e6, 1e-12);
            if (memory) cr_expect_float_eq(units[u].ms, memories[m].ms, 1e-12);
            if (memory && units[u].ms > 0) place = u;
        }
        cr_expect_eq(place, memories[m].place, "memory %zu at %d", m, place);
    }
}

/* Measured: shares of the time; else none. */
Test(explain, measured) {
    struct wl_plan plan;
    struct wl_error error = {0};
    struct wl_explain_device device = {.name = "D",
                                       .batch = 4,
                                       .heads = 16,
                                       .heads_kv = 2,
                                       .seq = 4096,
                                       .steps = 512,
                                       .ghz = 2.048,
                                       .bytes = 1e6,
                                       .gb_per_s = 1,
                                       .ms = 1.024,
                                       .tflops = 537,
                                       .launches = 77};
    make_plan(&plan, "sm90_fwd_hd128", NULL, 0);
    for (int measured = 1; measured >= 0; measured--) {
        struct wl_text text = {0}, json = {0};
        if (!measured) device.ms = 0;
        cr_assert_eq(wl_explain(&plan, WL_EXPLAIN_TEXT, &device, &text, &error), WL_OK, "%s", error.text);
        cr_assert_eq(wl_explain(&plan, WL_EXPLAIN_JSON, &device, &json, &error), WL_OK, "%s", error.text);
        cr_expect(strstr(text.bytes, "heads 16/2, 4096 x 4096"));
        cr_expect_eq(!!strstr(text.bytes, "mma       0.5120 ms   50 % of the time"), measured, "%s",
                     text.bytes);
        cr_expect_eq(!!strstr(text.bytes, "median of 77"), measured);
        cr_expect_eq(!!strstr(text.bytes, "says nothing about a GPU"), !measured);
        cr_expect_eq(!!strstr(json.bytes, "\"tflops\": 537"), measured);
        cr_expect(strstr(json.bytes, "\"mma\": 0.512"));
        wl_text_fini(&text);
        wl_text_fini(&json);
    }
}

/* ---- the cost model against the kernel's inner loop ---- */

/* The emitted text between two labels, without the parts between two others (branches that this step does not
 * take). */
static char *cut(const char *ptx, const char *from, const char *to, const char *skip_from,
                 const char *skip_to) {
    const char *start = strstr(ptx, from), *end = start ? strstr(start, to) : NULL;
    cr_assert(start && end, "the PTX has no %s ... %s", from, to);
    char *text = strndup(start, (size_t)(end - start));
    char *skip = skip_from ? strstr(text, skip_from) : NULL;
    cr_assert(!skip_from || skip, "no %s", skip_from);
    for (char *behind; skip; skip = strstr(skip, skip_from)) {
        cr_assert((behind = strstr(skip, skip_to)), "no %s ... %s", skip_from, skip_to);
        memmove(skip, behind, strlen(behind) + 1);
    }
    return text;
}

struct seen {
    double issue, fma, mufu, mma;
};

/* Counts a thread's instructions; what ptxas makes free or merges is left out: pairs of registers, shifts. */
static struct seen count_instructions(char *text) {
    struct seen seen = {0};
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        while (*line == ' ' || *line == '\t') line++;
        if (*line == '@') line += strcspn(line, " ") + 1;
        if (!islower((unsigned char)*line) || strncmp(line, "mov.b64", 7) == 0 ||
            strncmp(line, "mov.b32 %n", 10) == 0)
            continue;
        bool packed = strstr(line, "f32x2") != NULL;
        bool on_fma = strncmp(line, "fma.", 4) == 0 ||
                      (strncmp(line, "add.", 4) == 0 && strstr(line, "f32")) ||
                      (strncmp(line, "sub.", 4) == 0 && strstr(line, "f32")) ||
                      (strncmp(line, "mul.", 4) == 0 && strstr(line, "f32")) ||
                      strncmp(line, "neg.f32", 7) == 0 || strncmp(line, "mad.lo.s32", 10) == 0;
        if (on_fma) seen.fma += packed ? 2 : 1;
        if (strncmp(line, "ex2.", 4) == 0) seen.mufu++;
        if (strstr(line, "mma.cta_group") || strstr(line, "wgmma.mma_async")) seen.mma++;
        seen.issue++;
    }
    free(text);
    return seen;
}

static double amount(const struct wl_cost *cost, const char *unit, const char *what) {
    double sum = 0;
    for (int i = 0; i < cost->row_count; i++)
        if (strcmp(cost->rows[i].unit, unit) == 0 && strcmp(cost->rows[i].what, what) == 0)
            sum += cost->rows[i].amount;
    return sum;
}

static void expect_near(const char *what, double model, double kernel, double tolerance) {
    cr_expect(fabs(model - kernel) <= fmax(6, tolerance * kernel), "%s: the model has %.1f, the kernel %.1f",
              what, model, kernel);
}

static void check_sm100(const struct wl_plan *plan, const struct wl_cost *cost, const char *ptx) {
    double threads = plan->schedule.q_tiles * plan->schedule.tile_m, warps = threads / 32,
           q = plan->schedule.q_tiles;
    char *unmasked = cut(ptx, "\nSOFTMAX_BLOCK:", "bra.uni SOFTMAX_BLOCK;",
                         "@%more bra.uni SOFTMAX_UNMASKED;", "SOFTMAX_UNMASKED:\n");
    struct seen softmax = count_instructions(cut(unmasked, "\nSOFTMAX_BLOCK:", "setp.ne.u32 %more, %block, 0",
                                                 "@!%flag bra.uni SOFTMAX_SAME;", "SOFTMAX_SAME:\n"));
    free(unmasked);
    cr_expect_eq(amount(cost, "mufu", "softmax") / threads, softmax.mufu);
    expect_near("fma", amount(cost, "fma", "softmax") / threads, softmax.fma, 0.01);
    expect_near("softmax issue", amount(cost, "issue", "softmax") / warps, softmax.issue, 0.03);
    bool branch = !plan->schedule.rescale_always;
    char *step = cut(ptx, "\nCORRECTION_BLOCK:", "sub.u32 %blocks, %blocks, 1", branch ? "tcgen05.fence::after" : NULL,
                     branch ? "RESCALED:\n" : NULL);
    struct seen correction = count_instructions(step);
    expect_near("correction issue", amount(cost, "issue", "correction") / (4 * q),
                correction.issue / (plan->turns_unrolled ? q : 1), 0.35);
    struct seen mma = count_instructions(cut(ptx, "\nMMA_BLOCK:", "bra.uni MMA_BLOCK;", NULL, NULL));
    cr_expect_eq(mma.mma, q * (plan->head_dim_qk / 16 + plan->schedule.tile_n / 16));
    expect_near("mma issue", amount(cost, "issue", "mma"), mma.issue, 0.3);
}

static void check_sm90(const struct wl_plan *plan, const struct wl_cost *cost, const char *ptx) {
    double threads = 2 * plan->schedule.tile_m, warps = threads / 32;
    char *block = cut(ptx, "\nCONSUMER_BLOCK:", "bra.uni CONSUMER_BLOCK;",
                      "@%more bra.uni CONSUMER_UNMASKED;", "CONSUMER_UNMASKED:\n");
    char *unscaled = cut(block, "\nCONSUMER_BLOCK:", "setp.ne.u32 %more, %block, 0", "bra.uni DONE;\n", "DONE:\n");
    struct seen consumer = count_instructions(unscaled);
    free(block);
    cr_expect_eq(amount(cost, "mufu", "consumer") / threads, consumer.mufu);
    expect_near("fma", amount(cost, "fma", "consumer") / threads, consumer.fma, 0.02);
    expect_near("consumer issue", amount(cost, "issue", "consumer") / warps, consumer.issue, 0.05);
    cr_expect_eq(consumer.mma, plan->head_dim_qk / 16 + plan->schedule.tile_n / 16);
}

Test(explain, model_counts_what_the_kernel_does) {
    for (size_t i = 0; i < WL_LEN(rows); i++) {
        struct wl_plan plan;
        struct wl_cost cost;
        struct wl_text ptx = {0};
        struct wl_error error = {0};
        make_plan(&plan, rows[i].schedule, rows[i].overrides, rows[i].count);
        cr_assert_eq(wl_cost_estimate(&plan, &cost, &error), WL_OK, "%s", error.text);
        cr_assert_eq(wl_emit(&plan, &ptx, &error), WL_OK, "%s", error.text);
        if (plan.tmem_count) check_sm100(&plan, &cost, ptx.bytes);
        else check_sm90(&plan, &cost, ptx.bytes);
        wl_text_fini(&ptx);
    }
}

Test(explain, worked_figures) {
    struct wl_plan plan;
    struct wl_cost cost;
    make_plan(&plan, "sm100_fwd_hd128", (const char *[]){"exp2_share=0"}, 1);
    wl_cost_estimate(&plan, &cost, NULL);
    /* two query tiles: 2 * (QK + PV) of 128 x 128 x 128 at 8192 FLOP a clock; 128 * 128 exp2 at
     * 16 */
    cr_expect_eq(cost.mma, 2048);
    cr_expect_eq(cost.mufu, 2 * 1024);
    cr_expect_eq(cost.bound_clocks, fmax(cost.mufu, fmax(cost.mma, cost.smem)));
    cr_expect_eq(cost.peak_share, cost.mma / cost.bound_clocks);
    double alone = cost.smem;
    make_plan(&plan, "sm100_fwd_hd128", (const char *[]){"exp2_share=0", "cta_pair=true"}, 2);
    wl_cost_estimate(&plan, &cost, NULL);
    /* half of K and V, 32768 B each: written once, read for each query tile */
    cr_expect_eq(cost.mma, 2048);
    cr_expect_eq(alone - cost.smem, 3 * 32768 / 128);
    make_plan(&plan, "sm100_fwd_hd64", (const char *[]){"exp2_share=0"}, 1);
    wl_cost_estimate(&plan, &cost, NULL);
    cr_expect_str_eq(cost.bound, "mufu"); /* half the MMA work for the same exp2 */
    make_plan(&plan, "sm100_fwd_hd128", (const char *[]){"target=sm_103a", "exp2_share=0"}, 2);
    wl_cost_estimate(&plan, &cost, NULL);
    cr_expect_eq(cost.mufu, 1024); /* twice the rate */
}

/* ---- forms ---- */

static const char *skip_value(const char *p);

static const char *skip_blank(const char *p) { return p + strspn(p, " \n"); }

static const char *skip_string(const char *p) {
    if (!p || *p != '"') return NULL;
    for (p++; *p && *p != '"'; p++) {
        if ((unsigned char)*p < ' ') return NULL;
        if (*p == '\\' && !strchr("\"\\/bfnrtu", *++p)) return NULL;
    }
    return *p ? p + 1 : NULL;
}

static const char *skip_members(const char *p, char close) {
    for (p = skip_blank(p); *p != close;) {
        if (close == '}') {
            if (!(p = skip_string(p)) || *(p = skip_blank(p)) != ':') return NULL;
            p = skip_blank(p + 1);
        }
        if (!(p = skip_value(p))) return NULL;
        p = skip_blank(p);
        if (*p == ',') p = skip_blank(p + 1);
        else if (*p != close) return NULL;
    }
    return p + 1;
}

/* Behind one JSON value, NULL where there is none. */
static const char *skip_value(const char *p) {
    char *end;
    if (*p == '"') return skip_string(p);
    if (*p == '{') return skip_members(p + 1, '}');
    if (*p == '[') return skip_members(p + 1, ']');
    if (strncmp(p, "true", 4) == 0 || strncmp(p, "null", 4) == 0) return p + 4;
    if (strncmp(p, "false", 5) == 0) return p + 5;
    strtod(p, &end);
    return end > p ? end : NULL;
}

Test(explain, json_is_json) {
    for (size_t i = 0; i < WL_LEN(rows); i++) {
        struct wl_plan plan;
        make_plan(&plan, rows[i].schedule, rows[i].overrides, rows[i].count);
        snprintf(plan.schedule.source, sizeof plan.schedule.source, "a \"quoted\\\" <path>\n&.lua");
        char *json = explain(&plan, WL_EXPLAIN_JSON);
        const char *end = skip_value(json);
        cr_expect(end && !*skip_blank(end), "row %zu: not JSON near: %.60s", i, end ? end : json);
        cr_expect(strstr(json, "\"a \\\"quoted\\\\\\\" <path>\\n&.lua\""));
        cr_expect(strstr(json, "\"bound\": \"") && strstr(json, "\"barriers\": [") &&
                  strstr(json, "\"kv_full\""));
        free(json);
    }
}

/* Every element that opens closes, in order; every attribute is quoted; no bare '<' or '&' in text. */
static const char *xml_error(const char *p) {
    static char open[32][16];
    int depth = 0;
    for (; *p; p++) {
        if (*p == '&' && strncmp(p, "&lt;", 4) && strncmp(p, "&gt;", 4) && strncmp(p, "&amp;", 5) &&
            strncmp(p, "&quot;", 6))
            return p;
        if (*p != '<') continue;
        const char *start = p, *close = strchr(p, '>');
        char name[16] = "";
        if (!close || depth == 31) return start;
        if (p[1] == '/') {
            sscanf(p + 2, "%15[a-z]", name);
            if (depth-- == 0 || strcmp(name, open[depth]) != 0) return start;
        } else if (sscanf(p + 1, "%15[a-z]", name) != 1) {
            return start;
        } else if (close[-1] != '/') {
            strcpy(open[depth++], name);
        }
        int quotes = 0;
        for (; p < close; p++) quotes += *p == '"';
        if (quotes % 2) return start;
    }
    return depth ? p : NULL;
}

Test(explain, svg_is_xml) {
    for (size_t i = 0; i < WL_LEN(rows); i++) {
        struct wl_plan plan;
        make_plan(&plan, rows[i].schedule, rows[i].overrides, rows[i].count);
        char *svg = explain(&plan, WL_EXPLAIN_SVG);
        const char *wrong = xml_error(svg);
        cr_expect_null(wrong, "row %zu: near %.60s", i, wrong);
        cr_expect(strncmp(svg, "<svg xmlns=", 11) == 0 && strstr(svg, "load -&gt; "));
        free(svg);
    }
}

Test(explain, text_shows_everything) {
    for (size_t i = 0; i < WL_LEN(rows); i++) {
        struct wl_plan plan;
        make_plan(&plan, rows[i].schedule, rows[i].overrides, rows[i].count);
        char *text = explain(&plan, WL_EXPLAIN_TEXT);
        for (int f = 0; f < WL_FIELD_COUNT; f++)
            if (wl_field_applies(f, plan.arch->name))
                cr_expect(strstr(text, wl_field_name(f)), "no %s", wl_field_name(f));
        for (int b = 0; b < plan.barrier_count; b++) {
            cr_expect(strstr(text, plan.barriers[b].name) && strstr(text, plan.barriers[b].protects), "%s",
                      plan.barriers[b].name);
        }
        for (int r = 0; r < plan.role_count; r++) cr_expect(strstr(text, plan.roles[r].name));
        cr_expect(strstr(text, ".lua:") && strstr(text, "bound: "));
        for (int o = 0; o < rows[i].count; o++) cr_expect(strstr(text, "key=value"));
        free(text);
    }
}

/* S and P share columns, so the map has two lines: what it draws stands where the plan says. */
Test(explain, tensor_memory_map) {
    struct wl_plan plan;
    make_plan(&plan, "sm100_fwd_hd128", NULL, 0);
    char *text = explain(&plan, WL_EXPLAIN_TEXT), *map = strstr(text, "  [S0--");
    cr_assert(map);
    char *below = strchr(map, '\n') + 1;
    cr_expect(strncmp(map + 2 + 24, "[S1--", 5) == 0 && strncmp(map + 2 + 48, "[O0--", 5) == 0, "%.100s",
              map);
    cr_expect(strncmp(below + 2 + 12, "[P0--", 5) == 0 && strncmp(below + 2 + 36, "[P1--", 5) == 0, "%.100s",
              below);
    free(text);
}

Test(explain, a_kernel_without_a_model_is_told) {
    struct wl_plan plan;
    struct wl_cost cost;
    struct wl_error error = {0};
    make_plan(&plan, "sm100_fwd_hd128", NULL, 0);
    plan.kernel = "sm100/sideways/kernel";
    cr_expect_eq(wl_cost_estimate(&plan, &cost, &error), WL_ERR_INTERNAL);
    cr_expect_str_eq(error.text, "kernel sm100/sideways/kernel has no cost model");
}
