/* driver: one device behind the CUDA Driver API: a GPU behind the real libcuda, or the emulated device.
 *
 * Which one: the `device` argument, else $WARPLOOM_DEVICE, else "auto":
 *     auto     the first GPU that can run the target; where there is none, the emulated device
 *     emu      the emulated device: what $WARPLOOM_EMU_DEVICE names, else one that can run the target
 *     cuda:N   the N-th GPU of the real driver, or an error
 * The emulated driver is libwarploom_cuda.so: $WARPLOOM_EMU_LIBRARY, else beside the executable or library
 * that holds this code, in its parent folder, or in ../lib.
 *
 * Any thread may use a driver; each function here makes its context current and puts the old one back. */
#ifndef WL_DRIVER_H
#define WL_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gen/error.h"
#include "runtime/cuda_api.h"

#define WL_CU_FN(name, parameters) CUresult(*name) parameters;
struct wl_driver_functions {
#include "runtime/cuda_functions.def"
};
#undef WL_CU_FN

struct wl_driver { /* read only */
    struct wl_driver_functions fn;
    void *library;
    char path[512]; /* of the library */
    bool emulated;
    int version; /* 13000 = CUDA 13.0 */
    CUdevice device;
    CUcontext context; /* the device's primary context, retained, or a borrowed one */
    bool borrowed;
    char name[128];
    int cc_major, cc_minor, sms, smem_per_block; /* smem_per_block: the most that a function may ask for */
};

/* target: "sm_100a" and the like, several with commas between them, or NULL for any device. WL_ERR_USAGE: no such device string;
 * WL_ERR_ENVIRONMENT: no driver, or no device of it that can run the target. */
enum wl_status wl_driver_open(struct wl_driver **driver, const char *device, const char *target,
                              struct wl_error *error);
/* On the context that is current in this thread, which its owner keeps alive. Likewise. */
enum wl_status wl_driver_open_current(struct wl_driver **driver, const char *target, struct wl_error *error);
void wl_driver_close(struct wl_driver *driver); /* NULL allowed */

/* Whether a device of this compute capability runs code for the target: sm_100a only on 10.0, sm_100f
 * on 10.x, sm_100 on 10.0 and all later ones. */
bool wl_driver_can_run(int cc_major, int cc_minor, const char *target);

/* An entry of the library by name; NULL: it has none. */
void *wl_driver_symbol(const struct wl_driver *driver, const char *name);

/* CUDA_SUCCESS gives WL_OK; anything else WL_ERR_DRIVER (WL_ERR_NO_MEMORY where memory ran out), naming the
 * call and the error; on the emulated device its report follows. */
enum wl_status wl_driver_check(const struct wl_driver *driver, CUresult result, const char *call,
                               struct wl_error *error);

/* Makes the driver's context current in this thread until wl_driver_leave(). */
enum wl_status wl_driver_enter(const struct wl_driver *driver, struct wl_error *error);
void wl_driver_leave(const struct wl_driver *driver);

/* Device memory: the caller owns it until wl_driver_free(), which takes 0 too. */
enum wl_status wl_driver_alloc(struct wl_driver *driver, size_t bytes, CUdeviceptr *address,
                               struct wl_error *error);
void wl_driver_free(struct wl_driver *driver, CUdeviceptr address);
enum wl_status wl_driver_upload(struct wl_driver *driver, CUdeviceptr to, const void *from, size_t bytes,
                                struct wl_error *error);
enum wl_status wl_driver_download(struct wl_driver *driver, void *to, CUdeviceptr from, size_t bytes,
                                  struct wl_error *error);
/* Waits for all work of the device; reports what a kernel did wrong. */
enum wl_status wl_driver_synchronize(struct wl_driver *driver, struct wl_error *error);

#endif
