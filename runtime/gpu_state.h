/* gpu_state: a GPU's clocks, temperature and power while it works, from NVML, where libnvidia-ml.so.1 can be
 * opened. Nothing here fails: what is not known is 0. */
#ifndef WL_GPU_STATE_H
#define WL_GPU_STATE_H

#include "runtime/driver.h"

struct wl_gpu_state {
    unsigned sm_mhz, memory_mhz, celsius;
    double watts;
};

struct wl_gpu_monitor; /* opaque */

/* NULL where there is no NVML, for the emulated device, and out of memory; the functions below take that. */
struct wl_gpu_monitor *wl_gpu_monitor_open(const struct wl_driver *driver);
void wl_gpu_monitor_close(struct wl_gpu_monitor *monitor);

const char *wl_gpu_driver_version(const struct wl_gpu_monitor *monitor); /* "580.95.05", "" */
struct wl_gpu_state wl_gpu_state_now(const struct wl_gpu_monitor *monitor);

#endif
