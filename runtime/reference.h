/* reference: attention on the host, to compare with. Both read the problem's q, k and v (host addresses, any
 * strides) and write dense results: o (batch, seq_q, head, dim), lse (batch, head, seq_q).
 *
 *     exact   everything in float64
 *     plain   what a straightforward 16-bit implementation gives: scores, softmax and accumulation in float32
 * in one pass over whole rows, P rounded to the problem's type before PV, o rounded to it at the end
 *
 * threads: how many to use, 0 = as many as there are cores. The results do not depend on it. */
#ifndef WL_REFERENCE_H
#define WL_REFERENCE_H

#include "gen/error.h"
#include "runtime/attention.h"

/* lse may be NULL. Sizes must pass wl_attention_check_sizes(), which both ask. */
enum wl_status wl_reference_exact(const struct wl_attention *problem, double *o, double *lse, int threads,
                                  struct wl_error *error);
enum wl_status wl_reference_plain(const struct wl_attention *problem, float *o, int threads,
                                  struct wl_error *error);

#endif
