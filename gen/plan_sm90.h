/* plan_sm90: the planner of the sm_90a forward kernel (templates/sm90/forward). */
#ifndef WL_PLAN_SM90_H
#define WL_PLAN_SM90_H

#include "gen/plan.h"

/* Fills what the kernel decides; wl_plan_make has filled schedule, arch, dtype, causal, head dimensions and exp2. */
enum wl_status wl_plan_sm90_forward(struct wl_plan *plan, struct wl_error *error);

#endif
