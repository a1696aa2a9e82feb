/* Emission: the same bytes every time, of a size that stays quick to assemble, changed by every knob, and
 * taken by ptxas without a spill. */
#include "tests/test.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "gen/emit.h"
#include "gen/ptxas.h"
#include "tests/knobs.h"

static void emit(const char *schedule, const char *const *overrides, int count, struct wl_plan *plan,
                 struct wl_text *ptx) {
    struct wl_schedule s;
    struct wl_error error = {0};
    char text[4096];
    enum wl_status status = wl_schedule_load(&s, schedule, overrides, count, &error);
    if (!status) status = wl_plan_make(plan, &s, NULL, &error);
    if (!status) status = wl_emit(plan, ptx, &error);
    cr_assert_eq(status, WL_OK, "%s %s: %s", schedule, count ? overrides[0] : "",
                 wl_error_format(&error, text, sizeof text));
}

static void *emit_again(void *user) {
    struct wl_plan plan;
    emit("sm100_fwd_hd128", NULL, 0, &plan, user);
    return NULL;
}

Test(emit, same_bytes_from_run_to_run_and_in_threads) {
    struct wl_text texts[4] = {0};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) cr_assert_eq(pthread_create(&threads[i], NULL, emit_again, &texts[i]), 0);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    for (int i = 1; i < 4; i++) cr_expect(!strcmp(texts[0].bytes, texts[i].bytes), "emission %d differs", i);
    for (int i = 0; i < 4; i++) wl_text_fini(&texts[i]);
}

/* Whether any field has another value than in the schedule itself. */
static bool schedules_differ(const struct wl_schedule *a, const struct wl_schedule *b) {
    for (int field = 0; field < WL_FIELD_COUNT; field++) {
        char x[64], y[64];
        if (strcmp(wl_schedule_value(a, field, x, sizeof x), wl_schedule_value(b, field, y, sizeof y)))
            return true;
    }
    return false;
}

ParameterizedTestParameters(emit, knob_changes_ptx) { return wl_test_rows(WL_LEN(wl_knobs)); }
ParameterizedTest(size_t *i, emit, knob_changes_ptx) {
    const struct wl_knob *knob = &wl_knobs[*i];
    struct wl_plan own_plan, other_plan;
    struct wl_text own = {0}, other = {0};
    const char *overrides[7];
    int count = wl_knob_overrides(knob, overrides);
    emit(knob->schedule, &knob->base, knob->base != NULL, &own_plan, &own);
    emit(knob->schedule, overrides, count, &other_plan, &other);
    /* the header comment states the schedule; what counts stands behind it */
    const char *a = strstr(own.bytes, ".version"), *b = strstr(other.bytes, ".version");
    cr_assert(a && b);
    bool differ = schedules_differ(&own_plan.schedule, &other_plan.schedule);
    cr_expect_eq(strcmp(a, b) != 0, differ, "%s %s: the PTX %s", knob->schedule, knob->overrides[0],
                 differ ? "does not change" : "changes");
    wl_text_fini(&own);
    wl_text_fini(&other);
}

/* clang-format off */
static const struct kernel { const char *schedule, *overrides[3]; } kernels[] = {
    {"sm100_fwd_hd128", {"causal=false"}},
    {"sm100_fwd_hd128", {"causal=true"}},
    {"sm100_fwd_hd128", {"causal=true", "target=sm_103a"}},
    {"sm100_fwd_hd128", {"dtype=fp16"}},
    {"sm100_fwd_hd64",  {"causal=true"}},
    {"sm100_fwd_hd64",  {"causal=true", "scheduler=clc"}},
    {"sm100_fwd_full_hd128", {"scheduler=clc"}},
    {"sm100_fwd_hd128", {"scheduler=clc"}},
    {"sm100_fwd_hd128", {"scheduler=clc", "cta_pair=true"}},
    {"sm100_fwd_hd128", {"scheduler=clc", "rescale_always=true"}},
    {"sm100_fwd_hd192", {"causal=false"}},
    {"sm100_fwd_hd192", {"causal=true", "dtype=fp16"}},
    {"sm100_fwd_hd96",  {"causal=false"}},
    {"sm100_fwd_hd96",  {"causal=true", "dtype=fp16"}},
    {"sm100_fwd_hd64",  {"causal=false", "dtype=fp16"}},
    {"sm100_fwd_hd128", {"exp2_degree=4"}},
    {"sm100_fwd_hd128", {"exp2_share=0", "p_split=16"}},
    {"sm100_fwd_hd64",  {"tile_n=32", "q_tiles=1"}},
    {"sm100_fwd_hd128", {"cta_pair=true", "stages_kv=6"}},
    {"sm100_fwd_hd64",  {"cta_pair=true", "causal=true"}},
    {"sm100_fwd_hd128", {"q_tiles=1", "s_stages=2"}},
};
/* clang-format on */

static int overrides_of(const struct kernel *kernel) {
    int count = 0;
    while (count < 3 && kernel->overrides[count]) count++;
    return count;
}

Test(emit, ptx_is_small) {
    for (size_t i = 0; i < WL_LEN(kernels); i++) {
        struct wl_plan plan;
        struct wl_text ptx = {0};
        emit(kernels[i].schedule, kernels[i].overrides, overrides_of(&kernels[i]), &plan, &ptx);
        cr_expect_lt(ptx.length, 150000, "%s %s: %zu bytes", kernels[i].schedule, kernels[i].overrides[0],
                     ptx.length);
        wl_text_fini(&ptx);
    }
}

/* FlashAttention-4's: 225 kB full, 281 kB causal. */
Test(emit, ptx_of_hd128_is_at_most_110_kB) {
    static const struct {
        const char *schedule, *overrides[1];
    } rows[] = {{"sm100_fwd_full_hd128", {"causal=false"}},
                {"sm100_fwd_hd128", {"causal=false"}},
                {"sm100_fwd_hd128", {"causal=true"}}};
    for (size_t i = 0; i < WL_LEN(rows); i++) {
        struct wl_plan plan;
        struct wl_text ptx = {0};
        emit(rows[i].schedule, rows[i].overrides, 1, &plan, &ptx);
        cr_expect_leq(ptx.length, 110000, "%s %s: %zu bytes", rows[i].schedule, rows[i].overrides[0], ptx.length);
        wl_text_fini(&ptx);
    }
}

/* At a tile's end correction divides and stores one query tile's O while the next one's PV runs: its o_full is committed before. */
Test(emit, o_is_told_before_the_next_query_tiles_pv) {
    static const char *const overrides[] = {"causal=false", "cta_pair=true"};
    for (size_t i = 0; i < WL_LEN(overrides); i++) {
        struct wl_plan plan;
        struct wl_text ptx = {0};
        char told[2][32];
        emit("sm100_fwd_hd128", &overrides[i], 1, &plan, &ptx);
        const struct wl_plan_barrier *o_full = wl_plan_barrier(&plan, "o_full");
        cr_assert(o_full && o_full->count == 2);
        for (int q = 0; q < 2; q++) snprintf(told[q], sizeof told[q], "[%%smem + %d]", o_full->offset + 8 * q);
        const char *first = strstr(ptx.bytes, "\nMMA_LAST:");
        first = first ? strstr(first, told[0]) : NULL;
        cr_assert(first, "%s", overrides[i]);
        const char *second = strstr(first, told[1]);
        cr_assert(second, "%s", overrides[i]);
        int between = 0;
        for (const char *at = first; (at = strstr(at, "tcgen05.mma")) && at < second; at++) between++;
        cr_expect_eq(between, plan.schedule.tile_n / 16, "%s: %d MMAs", overrides[i], between);
        wl_text_fini(&ptx);
    }
}

ParameterizedTestParameters(emit, ptxas_takes) { return wl_test_rows(WL_LEN(kernels)); }
ParameterizedTest(size_t *i, emit, ptxas_takes) {
    const struct kernel *kernel = &kernels[*i];
    struct wl_plan plan;
    struct wl_text ptx = {0};
    struct wl_ptxas_report report;
    struct wl_error error = {0};
    char text[4096];
    emit(kernel->schedule, kernel->overrides, overrides_of(kernel), &plan, &ptx);
    enum wl_status status = wl_ptxas_run(ptx.bytes, ptx.length, plan.arch->name, &report, &error);
    if (status == WL_ERR_ENVIRONMENT) cr_skip_test("%s", error.text);
    cr_assert_eq(status, WL_OK, "%s: %s", kernel->schedule, wl_error_format(&error, text, sizeof text));
    cr_expect_eq(report.spill_store_bytes + report.spill_load_bytes + report.stack_bytes, 0, "%s %s spills",
                 kernel->schedule, kernel->overrides[0]);
    cr_expect_leq(report.registers, plan.regs_launch, "%s %s: %d registers, %d planned", kernel->schedule,
                  kernel->overrides[0], report.registers, plan.regs_launch);
    wl_ptxas_fini(&report);
    wl_text_fini(&ptx);
}
