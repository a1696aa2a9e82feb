/* nvrtc: the auxiliary kernels (runtime/auxiliary, CUDA C) to PTX, by NVIDIA's runtime compiler, which is
 * opened when the first of them is built and not before. From there on they are images like all others:
 * assembled, cached, loaded the same way. */
#ifndef WL_NVRTC_H
#define WL_NVRTC_H

#include "runtime/image.h"

extern const char *const wl_auxiliary_names[]; /* "copy" ...; ends with NULL */

/* name: "copy", "plain" or "combine"; its entry is wl_<name>. Fills launch, schedule and PTX of *image. An
 * error names where the library was looked for (WL_ERR_ENVIRONMENT), or has the compiler's log
 * (WL_ERR_INTERNAL). */
enum wl_status wl_nvrtc_generate(struct wl_image *image, const char *name, const char *target,
                                 struct wl_error *error);

#endif
