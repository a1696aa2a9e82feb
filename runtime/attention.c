/* attention: what a problem must be. The launch is attention_launch.c. */
#include "runtime/attention.h"

#include <inttypes.h>
#include <math.h>
#include <stddef.h>

#define ELEMENT_BYTES 2
#define ALIGN         16
#define MAX_SIZE      ((int64_t)INT32_MAX)     /* kernels count in 32 bits */
#define MAX_STRIDE    (((int64_t)1 << 39) - 1) /* elements; tensor maps have 40 bits of bytes */
#define LOG2_E        1.4426950408889634

#define bad(error, field, ...) wl_fail(error, WL_ERR_INPUT, NULL, 0, field, __VA_ARGS__)

double wl_attention_scale(const struct wl_attention *problem) {
    return problem->scale != 0 ? problem->scale : 1 / sqrt((double)problem->head_dim);
}

static void dense(struct wl_view *view, int64_t seqlen, int64_t heads, int64_t dim) {
    view->head_stride = dim;
    view->seq_stride = heads * dim;
    view->batch_stride = seqlen * heads * dim;
}

void wl_attention_dense(struct wl_attention *problem) {
    dense(&problem->q, problem->seqlen_q, problem->heads, problem->head_dim);
    dense(&problem->k, problem->seqlen_k, problem->heads_kv, problem->head_dim);
    dense(&problem->v, problem->seqlen_k, problem->heads_kv, wl_attention_dim_v(problem));
    dense(&problem->o, problem->seqlen_q, problem->heads, wl_attention_dim_v(problem));
}

/* ---- sizes ---- */

/* Whether a dense tensor's bytes can be counted in 63 bits. */
static bool countable(int64_t batch, int64_t seqlen, int64_t heads, int64_t dim, int64_t element_bytes) {
    int64_t product = batch;
    return !__builtin_mul_overflow(product, seqlen, &product) &&
           !__builtin_mul_overflow(product, heads, &product) &&
           !__builtin_mul_overflow(product, dim, &product) &&
           !__builtin_mul_overflow(product, element_bytes, &product);
}

static enum wl_status check_scale(const struct wl_attention *problem, struct wl_error *error) {
    if (problem->scale == 0) return WL_OK;
    if (!(problem->scale > 0) || !isfinite(problem->scale))
        return bad(error, "scale", "%g: must be positive and finite, or 0 for 1/sqrt(head_dim)",
                   problem->scale);
    if (!isnormal((float)(problem->scale * LOG2_E)))
        return bad(error, "scale", "%g: times log2(e) it must be a normal float", problem->scale);
    return WL_OK;
}

enum wl_status wl_attention_check_sizes(const struct wl_attention *problem, struct wl_error *error) {
    const struct {
        const char *field;
        int64_t value;
    } rows[] = {{"batch", problem->batch},       {"heads", problem->heads},
                {"heads_kv", problem->heads_kv}, {"seqlen_q", problem->seqlen_q},
                {"seqlen_k", problem->seqlen_k}, {"head_dim", problem->head_dim},
                {"head_dim_v", wl_attention_dim_v(problem)}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].value < 1)
            return bad(error, rows[i].field, "%" PRId64 ": must be at least 1", rows[i].value);
        if (rows[i].value > MAX_SIZE)
            return bad(error, rows[i].field, "%" PRId64 ": must be at most %" PRId64 " (32 bits)",
                       rows[i].value, MAX_SIZE);
    }
    if (problem->head_dim % 8)
        return bad(error, "head_dim", "%" PRId64 ": must be a multiple of 8", problem->head_dim);
    if (problem->head_dim_v % 8)
        return bad(error, "head_dim_v", "%" PRId64 ": must be a multiple of 8", problem->head_dim_v);
    if (problem->heads % problem->heads_kv)
        return bad(error, "heads_kv", "%" PRId64 ": must divide heads, which is %" PRId64, problem->heads_kv,
                   problem->heads);
    if (!countable(problem->batch, problem->seqlen_q, problem->heads, problem->head_dim, ELEMENT_BYTES))
        return bad(error, "q", "its size in bytes does not fit in 64 bits");
    if (!countable(problem->batch, problem->seqlen_k, problem->heads_kv, problem->head_dim, ELEMENT_BYTES))
        return bad(error, "k", "its size in bytes does not fit in 64 bits");
    if (!countable(problem->batch, problem->seqlen_k, problem->heads_kv, wl_attention_dim_v(problem), ELEMENT_BYTES))
        return bad(error, "v", "its size in bytes does not fit in 64 bits");
    if (!countable(problem->batch, problem->seqlen_q, problem->heads, wl_attention_dim_v(problem), ELEMENT_BYTES))
        return bad(error, "o", "its size in bytes does not fit in 64 bits");
    if (!countable(problem->batch, problem->seqlen_q, problem->heads, 1, sizeof(float)))
        return bad(error, "lse", "its size in bytes does not fit in 64 bits");
    if (problem->dtype != WL_BF16 && problem->dtype != WL_FP16)
        return bad(error, "dtype", "%d: must be bf16 or fp16", (int)problem->dtype);
    return check_scale(problem, error);
}

/* ---- tensors ---- */

struct axis {
    const char *name;
    int64_t size, stride;
};

static enum wl_status check_axis(const char *tensor, const struct axis *axis, struct wl_error *error) {
    if (axis->size == 1) return WL_OK; /* never stepped along */
    if (axis->stride < 0 || axis->stride > MAX_STRIDE)
        return bad(error, tensor, "%s stride of %" PRId64 " elements: must be 0 to %" PRId64, axis->name,
                   axis->stride, MAX_STRIDE);
    if (axis->stride * ELEMENT_BYTES % ALIGN)
        return bad(error, tensor,
                   "%s stride of %" PRId64 " elements is %" PRId64 " bytes: must be a multiple of 16",
                   axis->name, axis->stride, axis->stride * ELEMENT_BYTES);
    return WL_OK;
}

/* Axes from the shortest stride to the longest: each must step over all that the ones before it cover. */
static bool rows_overlap(const struct axis axes[3], int64_t dim) {
    struct axis sorted[3] = {axes[0], axes[1], axes[2]};
    for (int i = 0; i < 3; i++)
        for (int j = i + 1; j < 3; j++)
            if (sorted[j].stride < sorted[i].stride) {
                struct axis other = sorted[i];
                sorted[i] = sorted[j];
                sorted[j] = other;
            }
    int64_t covered = dim;
    for (int i = 0; i < 3; i++) {
        if (sorted[i].size == 1) continue;
        if (sorted[i].stride < covered) return true;
        covered += (sorted[i].size - 1) * sorted[i].stride; /* below 2^71: the caller has checked the sum */
    }
    return false;
}

static enum wl_status check_tensor(const char *name, const struct wl_view *view,
                                   const struct wl_attention *problem, int64_t seqlen, int64_t heads,
                                   int64_t dim, bool written, struct wl_error *error) {
    const struct axis axes[3] = {{"batch", problem->batch, view->batch_stride},
                                 {"seq", seqlen, view->seq_stride},
                                 {"head", heads, view->head_stride}};
    if (!view->address) return bad(error, name, "no address");
    if (view->address % ALIGN)
        return bad(error, name, "address 0x%" PRIx64 " is not a multiple of 16", view->address);
    int64_t last = dim; /* elements from the address to the end of the last row */
    for (int i = 0; i < 3; i++) {
        enum wl_status status = check_axis(name, &axes[i], error);
        if (status) return status;
        int64_t span;
        if (axes[i].size > 1 && (__builtin_mul_overflow(axes[i].size - 1, axes[i].stride, &span) ||
                                 __builtin_add_overflow(last, span, &last)))
            return bad(error, name, "its strides reach further than 64 bits");
    }
    uint64_t bytes, end;
    if (__builtin_mul_overflow((uint64_t)last, ELEMENT_BYTES, &bytes) ||
        __builtin_add_overflow(view->address, bytes, &end))
        return bad(error, name, "its strides reach further than 64 bits");
    if (written && rows_overlap(axes, dim))
        return bad(error, name, "its strides make rows overlap");
    return WL_OK;
}

enum wl_status wl_attention_check(const struct wl_attention *problem, struct wl_error *error) {
    const struct wl_attention *p = problem;
    enum wl_status status = wl_attention_check_sizes(p, error);
    if (!status) status = check_tensor("q", &p->q, p, p->seqlen_q, p->heads, p->head_dim, false, error);
    if (!status) status = check_tensor("k", &p->k, p, p->seqlen_k, p->heads_kv, p->head_dim, false, error);
    if (!status) status = check_tensor("v", &p->v, p, p->seqlen_k, p->heads_kv, wl_attention_dim_v(p), false, error);
    if (!status) status = check_tensor("o", &p->o, p, p->seqlen_q, p->heads, wl_attention_dim_v(p), true, error);
    if (!status && p->lse % sizeof(float))
        status = bad(error, "lse", "address 0x%" PRIx64 " is not a multiple of 4", p->lse);
    return status;
}
