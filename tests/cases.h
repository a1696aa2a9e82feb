/* cases: the correctness grid of the forward kernels: head dimension x type x mask x lengths x heads x batch
 * x inputs. tests/grid.c runs all of it, tests/test_attention.c a spread. */
#ifndef WL_CASES_H
#define WL_CASES_H

#include <stddef.h>

#include "runtime/trial.h"

enum { WL_CASE_OVERRIDES = 2 }; /* of a case's schedule, at most */
enum wl_family { WL_SM100, WL_SM90, WL_FAMILY_COUNT };
const char *wl_family_name(enum wl_family family);   /* "sm100" */
const char *wl_family_target(enum wl_family family); /* "sm_100a" */

size_t wl_case_count(enum wl_family family);

/* The index-th case as a trial with its check on. */
void wl_case_get(enum wl_family family, size_t index, struct wl_trial *trial);

/* The index-th of a walk over all cases that changes every axis at each step; cases with more than max_scores
 * scores (batch x heads x seq_q x seq_k; 0: no limit) are left out. */
size_t wl_case_spread(enum wl_family family, size_t index, double max_scores);

/* What `warploom run` needs to run the same: "sm100_fwd_hd64 --head-dim 40 ... --check". */
const char *wl_case_command(const struct wl_trial *trial, char *out, size_t out_bytes);

#endif
