/* plan_sm100: the planner of the sm_100a forward kernel (templates/sm100/forward). */
#ifndef WL_PLAN_SM100_H
#define WL_PLAN_SM100_H

#include "gen/plan.h"

/* Fills everything of *plan but schedule, arch, dtype, causal and head_dim, which are given. */
enum wl_status wl_plan_sm100_forward(struct wl_plan *plan, struct wl_error *error);

#endif
