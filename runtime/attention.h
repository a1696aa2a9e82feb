/* attention: an attention problem: what is computed, where its tensors lie; its checks; its launch.
 *
 *     S = scale * Q K^T, P = softmax of the rows of S, O = P V;  lse = natural log of the sum of exp of a row
 * of S causal: query row i sees keys 0 .. i + seqlen_k - seqlen_q (the last query row sees the last key); a
 * row that sees none gives O = 0 and lse = -inf
 *
 * Query head h uses key head h / (heads / heads_kv). Elements along head_dim are dense; the other strides are
 * free. */
#ifndef WL_ATTENTION_H
#define WL_ATTENTION_H

#include <stdbool.h>
#include <stdint.h>

#include "gen/error.h"
#include "gen/launch.h"
#include "runtime/jit.h"

struct wl_view {                                   /* of a 16-bit tensor (batch, seq, head, dim) */
    uint64_t address;                              /* on the device; for the reference, on the host */
    int64_t batch_stride, seq_stride, head_stride; /* elements */
};

struct wl_attention {
    int64_t batch, heads, heads_kv, seqlen_q, seqlen_k, head_dim;
    enum wl_dtype dtype;
    bool causal;
    double scale; /* 0: 1 / sqrt(head_dim) */
    struct wl_view q, k, v, o;
    uint64_t lse; /* float32, dense (batch, head, seq_q); 0: not wanted */
};

/* Sets the strides of tensors that lie densely in (batch, seq, head, dim) order. Sizes must be set and right.
 */
void wl_attention_dense(struct wl_attention *problem);

double wl_attention_scale(const struct wl_attention *problem); /* as used */

/* WL_ERR_INPUT with the field's name for sizes and scale that are no problem at all: zero, negative, not
 * divisible, too large for 32 or 64 bits. Looks at no address and no stride. */
enum wl_status wl_attention_check_sizes(const struct wl_attention *problem, struct wl_error *error);

/* Likewise, and for strides and addresses that a kernel cannot use: null, not 16-byte aligned, out of range,
 * an O whose rows overlap. */
enum wl_status wl_attention_check(const struct wl_attention *problem, struct wl_error *error);

/* Puts the kernel on the stream. The problem must pass wl_attention_check() and be the one that the kernel is
 * for (WL_ERR_INPUT otherwise). What the kernel does wrong shows at the next synchronisation. */
enum wl_status wl_attention_launch(const struct wl_kernel *kernel, const struct wl_attention *problem,
                                   CUstream stream, struct wl_error *error);

#endif
