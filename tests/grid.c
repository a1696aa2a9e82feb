/* grid: runs the whole correctness grid, or a part, and prints a row for each kernel.
 *
 *     build/tests/grid [--family sm100|sm90] [--sample N] [--max-scores X] [--device D] [--order O] [--from
 * I] [--seed S] [--set key=value]... [--verbose] */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "runtime/half.h"
#include "tests/cases.h"

enum { ROWS_MAX = 64, SETS_MAX = 8 };

struct arguments {
    enum wl_family family;
    size_t sample, from;
    uint64_t seed; /* added to every case's own: other inputs for the same shapes */
    double max_scores;
    const char *device;
    const char *sets[SETS_MAX]; /* key=value, of every case's schedule */
    int set_count;
    bool verbose;
};

/* One kernel's share of the grid. */
struct row {
    int head_dim, dtype, causal;
    int cases, wrong;
    double error_share, lse_share; /* the largest error / bound */
    double error, run_s;
};

static struct row rows[ROWS_MAX];
static int row_count;

static struct row *row_of(const struct wl_trial *t) {
    for (int i = 0; i < row_count; i++)
        if (rows[i].head_dim == t->head_dim && rows[i].dtype == t->dtype && rows[i].causal == t->causal)
            return &rows[i];
    rows[row_count] = (struct row){.head_dim = t->head_dim, .dtype = t->dtype, .causal = t->causal};
    return &rows[row_count++];
}

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void count(const struct wl_trial_result *r, bool right, struct row *row) {
    const struct wl_compare *c = &r->compare;
    row->cases++;
    row->wrong += !right;
    row->run_s += r->run_ms / 1e3;
    if (c->error > row->error) row->error = c->error;
    if (c->bound > 0 && c->error / c->bound > row->error_share) row->error_share = c->error / c->bound;
    if (c->lse_bound > 0 && c->lse_error / c->lse_bound > row->lse_share)
        row->lse_share = c->lse_error / c->lse_bound;
}

/* Runs one case; false: it did not give the right answer, and why is on stderr with the command that replays
 * it. */
static bool run_case(struct wl_driver *driver, const struct arguments *a, size_t index) {
    struct wl_trial trial;
    struct wl_trial_result result = {0};
    static struct wl_error error;
    char text[4096], command[512];
    const char *overrides[SETS_MAX + WL_CASE_OVERRIDES];
    error = (struct wl_error){0};
    wl_case_get(a->family, index, &trial);
    trial.seed += a->seed;
    int own = trial.override_count;
    memcpy(overrides, trial.overrides, (size_t)own * sizeof *overrides);
    memcpy(overrides + own, a->sets, (size_t)a->set_count * sizeof *overrides);
    trial.overrides = overrides;
    trial.override_count = own + a->set_count;
    enum wl_status status = wl_trial_prepare(&trial, &result, &error);
    if (!status) status = wl_trial_run(driver, &trial, &result, &error);
    count(&result, status == WL_OK, row_of(&trial));
    wl_case_command(&trial, command, sizeof command);
    if (status)
        fprintf(stderr, "\rcase %zu: %s\n    warploom run %s\n", index,
                wl_error_format(&error, text, sizeof text), command);
    else if (a->verbose)
        printf("case %zu: error %.3g of %.3g, run %.0f ms: %s\n", index, result.compare.error,
               result.compare.bound, result.run_ms, command);
    wl_trial_fini(&result);
    return status == WL_OK;
}

static int by_kernel(const void *a, const void *b) {
    const struct row *x = a, *y = b;
    int dims = x->head_dim - y->head_dim, types = x->dtype - y->dtype;
    return dims ? dims : types ? types : x->causal - y->causal;
}

static void print_table(double seconds) {
    int cases = 0, wrong = 0;
    qsort(rows, (size_t)row_count, sizeof *rows, by_kernel);
    printf("%8s %5s %6s %6s %6s %10s %12s %12s %8s\n", "head_dim", "dtype", "mask", "cases", "wrong",
           "max error", "error/bound", "lse/bound", "run s");
    for (int i = 0; i < row_count; i++) {
        const struct row *r = &rows[i];
        printf("%8d %5s %6s %6d %6d %10.3g %12.3f %12.3f %8.1f\n", r->head_dim,
               wl_dtype_name((enum wl_dtype)r->dtype), r->causal ? "causal" : "full", r->cases, r->wrong,
               r->error, r->error_share, r->lse_share, r->run_s);
        cases += r->cases;
        wrong += r->wrong;
    }
    printf("%d of %d cases right in %.0f s\n", cases - wrong, cases, seconds);
}

static void show_progress(size_t done, size_t total, double start) {
    if (!isatty(STDERR_FILENO)) return;
    double spent = now_s() - start;
    fprintf(stderr, "\r%zu of %zu cases, %.0f s left   ", done, total,
            spent / (double)done * (double)(total - done));
    if (done == total) fprintf(stderr, "\r%50s\r", "");
}

static int usage(void) {
    fputs("usage: grid [--family sm100|sm90] [--sample N] [--max-scores X] [--device D] [--order O] [--from "
          "I] [--seed S] [--set key=value]... [--verbose]\n",
          stderr);
    return 2;
}

static bool take_family(const char *name, enum wl_family *family) {
    for (*family = 0; *family < WL_FAMILY_COUNT; ++*family)
        if (!strcmp(name, wl_family_name(*family))) return true;
    return false;
}

static bool parse(int argc, char **argv, struct arguments *a) {
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (!strcmp(argv[i], "--verbose")) {
            a->verbose = true;
            continue;
        }
        if (!value) return false;
        if (!strcmp(argv[i], "--family")) {
            if (!take_family(value, &a->family)) return false;
        } else if (!strcmp(argv[i], "--sample")) a->sample = strtoul(value, NULL, 10);
        else if (!strcmp(argv[i], "--from")) a->from = strtoul(value, NULL, 10);
        else if (!strcmp(argv[i], "--seed")) a->seed = strtoull(value, NULL, 10);
        else if (!strcmp(argv[i], "--max-scores")) a->max_scores = strtod(value, NULL);
        else if (!strcmp(argv[i], "--device")) a->device = value;
        else if (!strcmp(argv[i], "--order")) setenv("WARPLOOM_EMU_ORDER", value, 1);
        else if (!strcmp(argv[i], "--set") && a->set_count < SETS_MAX) a->sets[a->set_count++] = value;
        else return false;
        i++;
    }
    return true;
}

int main(int argc, char **argv) {
    struct arguments a = {0};
    static struct wl_error error;
    char text[4096];
    struct wl_driver *driver = NULL;
    if (!parse(argc, argv, &a)) return usage();
    setenv("WARPLOOM_EMU_CHECK", "strict", 0); /* what is emulated is judged, too, unless the caller says otherwise */
    if (wl_driver_open(&driver, a.device, wl_family_target(a.family), &error)) {
        fprintf(stderr, "grid: %s\n", wl_error_format(&error, text, sizeof text));
        return wl_exit_code(error.status);
    }
    size_t total = a.sample ? a.sample : wl_case_count(a.family);
    double start = now_s();
    bool right = true;
    printf("%zu cases on %s\n", total - a.from, driver->name);
    for (size_t i = a.from; i < total; i++) {
        bool spread = a.sample || a.max_scores > 0;
        right &=
            run_case(driver, &a, spread ? wl_case_spread(a.family, i, a.max_scores) : i);
        show_progress(i + 1 - a.from, total - a.from, start);
        fflush(stdout);
    }
    print_table(now_s() - start);
    wl_driver_close(driver);
    return right ? 0 : 1;
}
