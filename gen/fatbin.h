/* fatbin: a cubin and the PTX it came from in one file, which a driver chooses from, by NVIDIA's `fatbinary`.
 */
#ifndef WL_FATBIN_H
#define WL_FATBIN_H

#include <stddef.h>

#include "gen/error.h"

/* The caller frees *fatbin with wl_free. WL_ERR_ENVIRONMENT: no fatbinary (tool.h); WL_ERR_INTERNAL: it
 * refuses. */
enum wl_status wl_fatbin_make(const char *ptx, size_t ptx_bytes, const void *cubin, size_t cubin_bytes,
                              const char *target, char **fatbin, size_t *fatbin_bytes,
                              struct wl_error *error);

#endif
