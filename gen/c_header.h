/* c_header: a kernel as a C header: its launch record as a static struct, its image as an array. A program
 * that includes it launches the kernel with nothing but the Driver API (examples/aot). */
#ifndef WL_C_HEADER_H
#define WL_C_HEADER_H

#include "gen/arena.h"
#include "gen/launch.h"

/* image: PTX text (a 0 goes behind it) or a cubin. Out of memory shows in out->failed. */
void wl_c_header(struct wl_text *out, const struct wl_launch *launch, const void *image, size_t bytes);

#endif
