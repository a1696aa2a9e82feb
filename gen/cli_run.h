/* cli_run: what the parts of `warploom run` share: its values, its files, its progress bar. */
#ifndef WL_CLI_RUN_H
#define WL_CLI_RUN_H

#include "gen/cli.h"
#include "runtime/trial.h"

struct wl_run_values {
    int64_t batch, heads, heads_kv, seq_q, seq_k, head_dim, head_dim_v, seed; /* 0: not given */
    double scale;
    const char *files[3], *out, *lse; /* Q, K, V; NULL: not given */
    const char *device, *order;
    int dtype, input;
    bool causal, check, json;
};

/* Reads the given files into float32 (each freed with wl_free) and takes the sizes that they fix; a size that
 * was given on the command line too must agree. */
enum wl_status wl_run_load(struct wl_run_values *values, float *given[3], struct wl_error *error);

/* Writes O and LSE where the values ask for them. */
enum wl_status wl_run_store(const struct wl_run_values *values, const struct wl_trial_result *result,
                            struct wl_error *error);

/* A bar on stderr from the second second on, when stderr is a terminal and the device is emulated. */
void wl_run_progress_start(struct wl_driver *driver);
void wl_run_progress_stop(struct wl_driver *driver);

#endif
