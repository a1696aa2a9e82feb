/* emit: plan + templates -> PTX, with a header comment that states every resource used. Same plan, same bytes. */
#ifndef WL_EMIT_H
#define WL_EMIT_H

#include "gen/arena.h"
#include "gen/plan.h"

enum wl_status wl_emit(const struct wl_plan *plan, struct wl_text *ptx, struct wl_error *error);

#endif
