/* emit_check: the header comments of the role templates against the plan, so that they cannot rot. */
#ifndef WL_EMIT_CHECK_H
#define WL_EMIT_CHECK_H

#include "gen/plan.h"

/* In PTX text, each "// role: NAME" line and the "// waits: A B   signals: C" line after it must list exactly the
 * barriers that the plan's table gives that role. WL_ERR_INTERNAL names the role and the barrier. */
enum wl_status wl_emit_check(const struct wl_plan *plan, const char *ptx, struct wl_error *error);

#endif
