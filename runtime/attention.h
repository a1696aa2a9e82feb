/* attention: an attention problem (struct wl_attention of warploom.h): its checks and its launch. */
#ifndef WL_ATTENTION_H
#define WL_ATTENTION_H

#include "gen/error.h"
#include "gen/launch.h"
#include "runtime/jit.h"
#include "runtime/warploom.h"

static inline int64_t wl_attention_dim_v(const struct wl_attention *problem) { /* of V and O */
    return problem->head_dim_v ? problem->head_dim_v : problem->head_dim;
}

double wl_attention_scale(const struct wl_attention *problem); /* as used */

/* WL_ERR_INPUT with the field's name for sizes and scale that are no problem at all: zero, negative, not
 * divisible, too large for 32 or 64 bits. Looks at no address and no stride. */
enum wl_status wl_attention_check_sizes(const struct wl_attention *problem, struct wl_error *error);

/* Puts the kernel on the stream. The problem must pass wl_attention_check() and be the one that the kernel is
 * for (WL_ERR_INPUT otherwise). What the kernel does wrong shows at the next synchronisation. */
enum wl_status wl_attention_launch(const struct wl_kernel *kernel, const struct wl_attention *problem,
                                   CUstream stream, struct wl_error *error);

#endif
