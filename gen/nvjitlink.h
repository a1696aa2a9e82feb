/* nvjitlink: NVIDIA's assembler as a library (libnvJitLink), for where there is no ptxas.
 *
 * It assembles as if other objects were to be linked and therefore ignores setmaxnreg [nvJitLink 13.0]: a
 * kernel of roles with register budgets comes out right, but spills; report->setmaxnreg_ignored says so. */
#ifndef WL_NVJITLINK_H
#define WL_NVJITLINK_H

#include "gen/ptxas.h"

/* As wl_ptxas_run(). ptx[bytes] must be 0. */
enum wl_status wl_nvjitlink_run(const char *ptx, size_t bytes, const char *target,
                                struct wl_ptxas_report *report, struct wl_error *error);

#endif
