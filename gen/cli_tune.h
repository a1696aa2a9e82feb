/* cli_tune: what the parts of `warploom tune` share. Candidates are built by threads, a few ahead, and taken
 * in their order by the main thread, which alone measures, saves and draws. */
#ifndef WL_CLI_TUNE_H
#define WL_CLI_TUNE_H

#include "gen/cli.h"
#include "gen/tune.h"
#include "runtime/driver.h"

struct wl_tune_job {
    struct wl_tune tune;
    struct wl_driver *driver; /* NULL or emulated: the model decides */
    bool measured;            /* on a GPU */
    bool counted;             /* the model counts machine code */
    double ms;                /* of measuring a problem */
    int threads;
    const char *device; /* for messages and the state file: a GPU's name, or the model's */
    const char *state;  /* path of the state file, NULL: none is kept */
    double start_ms;
    int done, resumed, all; /* of the progress bar */
};

/* Settles every candidate that is open. */
enum wl_status wl_tune_job_model(struct wl_tune_job *job, struct wl_error *error);
enum wl_status wl_tune_job_measure(struct wl_tune_job *job, struct wl_error *error);

/* Runs work(context, i) for the open candidates on job->threads threads, at most `ahead` before the one being
 * taken, and take(context, i) for each on the calling thread, in order. The first failure of `take` ends it.
 */
enum wl_status wl_tune_job_run(struct wl_tune_job *job, void *context, int ahead,
                               void (*work)(void *context, int i),
                               enum wl_status (*take)(void *context, int i, struct wl_error *error),
                               struct wl_error *error);

/* After each candidate: the state file, the bar. */
enum wl_status wl_tune_job_settled(struct wl_tune_job *job, struct wl_error *error);
void wl_tune_job_clear_bar(const struct wl_tune_job *job);

#endif
