/* The forward kernels against float64, under the judge: a spread of the grid under every order of asynchronous work, and
 * every knob. */
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/cases.h"
#include "tests/knobs.h"

/* Asynchronous work as early as possible, as late as the rules allow, and at random. */
static const char *order(size_t index, char *out, size_t room) {
    if (index % 4 == 0) return "eager";
    if (index % 4 == 1) return "late";
    snprintf(out, room, "random:%zu", index);
    return out;
}

static void run(const struct wl_trial *trial, const char *in_order) {
    struct wl_driver *driver = NULL;
    struct wl_trial_result result = {0};
    static struct wl_error error;
    char text[4096], command[512];
    error = (struct wl_error){0};
    setenv("WARPLOOM_EMU_ORDER", in_order, 1); /* a test is a process of its own, and has not opened the device yet */
    setenv("WARPLOOM_EMU_CHECK", "strict", 1);
    enum wl_status status = wl_trial_prepare(trial, &result, &error);
    if (!status) status = wl_driver_open(&driver, "emu", result.plan.launch.target, &error);
    if (status == WL_ERR_ENVIRONMENT) cr_skip_test("%s", error.text); /* a target that is not emulated */
    if (!status) status = wl_trial_run(driver, trial, &result, &error);
    cr_expect_eq(status, WL_OK, "%s\n    warploom run %s --order %s",
                 wl_error_format(&error, text, sizeof text), wl_case_command(trial, command, sizeof command),
                 in_order);
    wl_trial_fini(&result);
    wl_driver_close(driver);
}

ParameterizedTestParameters(attention, grid) { return wl_test_rows(72); }
ParameterizedTest(size_t *i, attention, grid) {
    struct wl_trial trial;
    char text[32];
    const enum wl_family family = *i % 3 ? WL_SM100 : WL_SM90;
    wl_case_get(family, wl_case_spread(family, *i, 2e6), &trial);
    run(&trial, order(*i, text, sizeof text));
}

/* One problem for all knobs: several key tiles, partly filled query and key tiles, a head ratio, masked
 * tails. */
ParameterizedTestParameters(attention, knobs) { return wl_test_rows(WL_LEN(wl_knobs)); }
ParameterizedTest(size_t *i, attention, knobs) {
    const struct wl_knob *knob = &wl_knobs[*i];
    const char *overrides[7];
    int count = wl_knob_overrides(knob, overrides);
    char text[32];
    for (int causal = 0; causal < 2; causal++) {
        const struct wl_trial trial = {.schedule = knob->schedule,
                                       .overrides = overrides,
                                       .override_count = count,
                                       .batch = 1,
                                       .heads = 2,
                                       .heads_kv = 1,
                                       .seq_q = 300,
                                       .seq_k = 450,
                                       .dtype = -1,
                                       .causal = causal,
                                       .input = WL_INPUT_LARGE,
                                       .seed = 7,
                                       .check = true,
                                       .clusters = 1};
        run(&trial, order(*i, text, sizeof text));
    }
}
