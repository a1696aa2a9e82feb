/* image: what a kernel is made of before it is loaded, and what the disk cache keeps of it. */
#ifndef WL_IMAGE_H
#define WL_IMAGE_H

#include "gen/launch.h"
#include "gen/ptxas.h"
#include "runtime/choose.h"
#include "runtime/driver.h"
#include "runtime/log.h"

struct wl_image { /* zeroed: none; pieces are ended by wl_image_fini */
    struct wl_launch launch;
    char schedule[256]; /* its source */
    char *ptx, *cubin;
    size_t ptx_bytes, cubin_bytes; /* cubin_bytes 0: the driver is given the PTX */
    double generate_ms, assemble_ms;
};
void wl_image_fini(struct wl_image *image);

/* Schedule, plan, PTX; an auxiliary kernel's PTX is NVRTC's (nvrtc.h). */
enum wl_status wl_image_generate(struct wl_image *image, const struct wl_choice *choice,
                                 struct wl_error *error);

/* Whether cubins lead back to the templates' lines, for ncu and compute-sanitizer: WARPLOOM_LINEINFO=1. Without,
 * a cubin is a third as large and ptxas a little quicker; the PTX has its .loc lines either way. */
bool wl_image_lines(void);

/* Adds a cubin, as wl_assemble() makes it of the PTX; *report has no cubin. Nothing is added where it fails.
 */
enum wl_status wl_image_cubin(struct wl_image *image, const struct wl_driver *driver, bool keep_setmaxnreg,
                              struct wl_ptxas_report *report, struct wl_error *error);

/* The same where something can assemble without harm (assemble.h); else the PTX stays alone, which log says.
 */
enum wl_status wl_image_assemble(struct wl_image *image, const struct wl_driver *driver,
                                 const struct wl_log *log, struct wl_error *error);

#endif
