/* exp2_table: what exp2 on the FMA pipe and keeping a row's old maximum cost in accuracy. A row for each setting: its
 * error against float64, in parts of the error that the same kernel has with all exp2 on MUFU and threshold 0.
 *
 *     build/tests/exp2_table [SCHEDULE]
 *
 * Of every input and type, over all its seeds: the largest error of an element of O, and the root mean square.
 * A row has the worst ratio of either. The largest of some 800000 errors is one element's luck; the root mean
 * square is not. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/half.h"
#include "runtime/reference.h"
#include "runtime/trial.h"
#include "tests/test.h"

static const struct setting {
    int degree;
    double share, threshold, weight;
} settings[] = {
    {3, 0, 0, 1}, /* what the others are compared with */
    {3, 0, 8, 1}, {3, 0, 8, 0.125}, {3, 0, 8, 0.0625}, {3, 0, 8, 0.03125}, {3, 0, 8, 0.015625}, {3, 0, 2, 1}, {3, 0, 0.5, 1}, /* keeping maxima alone */
    {3, 0.171875, 0, 1}, {3, 0.234375, 0, 1}, {3, 0.5, 0, 1}, {3, 1, 0, 1}, {4, 0.234375, 0, 1}, {4, 1, 0, 1}, /* the polynomial alone */
    {3, 0.234375, 8, 1}, {3, 0.234375, 8, 0.0625}, {3, 0.171875, 8, 0.03125}, {3, 0.234375, 8, 0.03125}, {3, 0.25, 8, 0.03125}, {3, 1, 8, 0.03125}, /* both */
};

struct error {
    double max, square_sum;
};

/* Constant inputs have no error to compare. */
static const enum wl_input inputs[] = {WL_INPUT_NORMAL, WL_INPUT_LARGE, WL_INPUT_OUTLIER};

#define SEEDS 8
#define PROBLEMS ((int)WL_LEN(inputs) * 2)
static struct error errors[WL_LEN(settings)][PROBLEMS];
static double *exact;

/* Adds O as the kernel wrote it, against float64. */
static void measure(const struct wl_trial_result *r, size_t elements, struct error *e) {
    for (size_t i = 0; i < elements; i++) {
        double off = fabs(wl_dtype_to_float(r->plan.dtype, r->tensors[3][i]) - exact[i]);
        if (!(off <= e->max)) e->max = off;
        e->square_sum += off * off;
    }
}

static enum wl_status run(struct wl_driver *driver, const char *schedule, const struct setting *s, int problem,
                          int seed, bool reference, struct error *out, struct wl_error *error) {
    char degree[32], share[32], threshold[48], weight[48];
    const char *overrides[] = {degree, share, threshold, weight};
    struct wl_trial trial = {.schedule = schedule, .overrides = overrides, .override_count = 4, .batch = 1, .heads = 2,
                             .heads_kv = 1, .seq_q = 384, .seq_k = 1024, .causal = 0, .seed = 2026 + (uint64_t)seed,
                             .input = inputs[problem / 2], .dtype = problem % 2};
    struct wl_trial_result result = {0};
    snprintf(degree, sizeof degree, "exp2_degree=%d", s->degree);
    snprintf(share, sizeof share, "exp2_share=%g", s->share);
    snprintf(threshold, sizeof threshold, "rescale_threshold=%g", s->threshold);
    snprintf(weight, sizeof weight, "rescale_weight=%g", s->weight);
    enum wl_status status = wl_trial_prepare(&trial, &result, error);
    if (!status) status = wl_trial_run(driver, &trial, &result, error);
    size_t elements = (size_t)(trial.heads * trial.seq_q) * (size_t)result.plan.head_dim_v;
    if (!status && reference) {
        exact = realloc(exact, elements * sizeof *exact);
        status = exact ? wl_reference_exact(&result.problem, exact, NULL, 0, error) : WL_ERR_NO_MEMORY;
    }
    if (!status) measure(&result, elements, out);
    wl_trial_fini(&result);
    return status;
}

static void print(const char *schedule) {
    printf("%s, worst ratio over %d inputs and types (%d seeds each), to exp2_share 0 and rescale_threshold 0\n", schedule,
           PROBLEMS, SEEDS);
    printf("  degree     share  threshold     weight  max error  rms error\n");
    for (size_t i = 1; i < WL_LEN(settings); i++) {
        double max = 0, rms = 0;
        for (int p = 0; p < PROBLEMS; p++) {
            max = fmax(max, errors[i][p].max / errors[0][p].max);
            rms = fmax(rms, sqrt(errors[i][p].square_sum / errors[0][p].square_sum));
        }
        printf("  %6d  %8g  %9g  %9g  %9.3f  %9.3f\n", settings[i].degree, settings[i].share, settings[i].threshold,
               settings[i].weight, max, rms);
    }
}

int main(int argc, char **argv) {
    const char *schedule = argc > 1 ? argv[1] : "sm100_fwd_hd128";
    static struct wl_error error;
    char text[4096];
    struct wl_driver *driver = NULL;
    enum wl_status status = wl_driver_open(&driver, "emu", "sm_100a", &error);
    for (int seed = 0; seed < SEEDS; seed++)
        for (int p = 0; !status && p < PROBLEMS; p++)
            for (size_t i = 0; !status && i < WL_LEN(settings); i++)
                status = run(driver, schedule, &settings[i], p, seed, i == 0, &errors[i][p], &error);
    if (!status) print(schedule);
    else fprintf(stderr, "exp2_table: %s\n", wl_error_format(&error, text, sizeof text));
    if (driver) wl_driver_close(driver);
    free(exact);
    return wl_exit_code(status);
}
