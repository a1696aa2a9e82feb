/* measure: medians, the count of operations, and a kernel timed on the emulated device. */
#include "tests/test.h"

#include <math.h>
#include <string.h>

#include "gen/emit.h"
#include "runtime/gpu_state.h"
#include "runtime/measure.h"

Test(measure, median) {
    double odd[] = {5, 1, 1e9}, even[] = {4, 1, 3, 2}, one[] = {7};
    cr_expect_eq(wl_median(odd, 3), 5);
    cr_expect_eq(wl_median(even, 4), 2.5);
    cr_expect_eq(wl_median(one, 1), 7);
    cr_expect(isnan(wl_median(one, 0)));
}

Test(measure, flops) {
    struct wl_attention p = {
        .batch = 2, .heads = 3, .heads_kv = 1, .seqlen_q = 5, .seqlen_k = 7, .head_dim = 64};
    cr_expect_eq(wl_attention_flops(&p), 4.0 * 2 * 3 * 5 * 7 * 64);
    p.causal = true;
    cr_expect_eq(wl_attention_flops(&p), 2.0 * 2 * 3 * 5 * 7 * 64);
}

/* A shipped kernel, loaded on the emulated device. */
static void load(struct wl_driver **driver, struct wl_kernel *kernel) {
    static struct wl_plan plan;
    struct wl_schedule schedule;
    struct wl_specialization special = {0, -1, -1, 0};
    struct wl_text ptx = {0};
    struct wl_error error = {0};
    cr_assert_eq(wl_schedule_load(&schedule, "sm100_fwd_hd64", NULL, 0, &error), WL_OK, "%s", error.text);
    cr_assert_eq(wl_plan_make(&plan, &schedule, &special, &error), WL_OK, "%s", error.text);
    cr_assert_eq(wl_emit(&plan, &ptx, &error), WL_OK, "%s", error.text);
    cr_assert_eq(wl_driver_open(driver, "emu", plan.launch.target, &error), WL_OK, "%s", error.text);
    cr_assert_eq(wl_jit_load(kernel, *driver, ptx.bytes, ptx.length, NULL, &plan.launch, &error), WL_OK, "%s",
                 error.text);
    wl_text_fini(&ptx);
}

Test(measure, on_the_emulated_device) {
    struct wl_driver *driver;
    struct wl_kernel kernel = {0};
    struct wl_error error = {0};
    struct wl_measurement time;
    struct wl_attention p = {
        .batch = 1, .heads = 1, .heads_kv = 1, .seqlen_q = 100, .seqlen_k = 100, .head_dim = 64};
    load(&driver, &kernel);
    cr_assert_eq(wl_measure_tensors(driver, &p, &error), WL_OK, "%s", error.text);
    struct wl_measure how = {.budget_ms = 1, .samples_min = 6, .samples_max = 6};
    cr_assert_eq(wl_measure_kernel(&kernel, &p, &how, &time, &error), WL_OK, "%s", error.text);
    cr_expect_eq(time.samples, 6);
    cr_expect(time.launches >= 6 && !time.stopped);
    cr_expect(time.least_ms > 0 && time.least_ms <= time.median_ms && time.median_ms <= time.most_ms);
    how.stop_above_ms = time.least_ms / 1000;
    cr_assert_eq(wl_measure_kernel(&kernel, &p, &how, &time, &error), WL_OK, "%s", error.text);
    cr_expect(!time.stopped || time.samples < 6);
    how = (struct wl_measure){.budget_ms = 1, .samples_min = 9, .samples_max = 9, .stop_above_ms = 1e-9};
    cr_assert_eq(wl_measure_kernel(&kernel, &p, &how, &time, &error), WL_OK, "%s", error.text);
    cr_expect(time.stopped && time.samples == 3, "given up after a third: %d", time.samples);
    how.samples_min = 0;
    cr_expect_eq(wl_measure_kernel(&kernel, &p, &how, &time, NULL), WL_ERR_USAGE);
    cr_expect(wl_gpu_monitor_open(driver) == NULL, "an emulated device has no clocks");
    cr_expect_eq(wl_gpu_state_now(NULL).sm_mhz, 0);
    wl_measure_free(driver, &p);
    cr_expect_eq(p.q.address, 0);
    wl_jit_unload(&kernel);
    wl_driver_close(driver);
}

Test(measure, tensors_of_no_problem) {
    struct wl_attention p = {.batch = 1, .heads = 0};
    cr_expect_eq(wl_measure_tensors(NULL, &p, NULL), WL_ERR_INPUT);
}
