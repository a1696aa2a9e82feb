/* auxiliary: the kernels of runtime/auxiliary: their problems' checks and their launches. What is built,
 * cached and loaded is specialize.c's business. */
#include <inttypes.h>
#include <stddef.h>

#include "runtime/attention.h"
#include "runtime/nvrtc.h"
#include "runtime/runtime.h"

#define LOG2_E    1.4426950408889634
#define DIM_MOST  512   /* plain.cu: 16 times 32 */
#define BLOCKS    65536 /* warps take rows in turn */
#define WARPS     4     /* of a block: nvrtc.c's THREADS */
#define MOST_ROWS (INT64_MAX / 64)

_Static_assert(sizeof(struct wl_array) == 48 && offsetof(struct wl_array, stride) == 16,
               "element.cuh has the same");

enum wl_status wl_prepare_auxiliary(struct wl_runtime *runtime, struct wl_error *error) {
    const struct wl_kernel *kernel;
    enum wl_status status = WL_OK;
    for (int i = 0; wl_auxiliary_names[i] && !status; i++)
        status = wl_specialize_auxiliary(runtime, wl_auxiliary_names[i], &kernel, error);
    return status;
}

/* ---- checks ---- */

static int64_t element_bytes(enum wl_element element) { return element == WL_ELEMENT_FP32 ? 4 : 2; }

static enum wl_status check_sizes(const int64_t *size, int count, const char *const *fields,
                                  struct wl_error *error) {
    int64_t all = 1;
    for (int i = 0; i < count; i++) {
        if (size[i] < 1)
            return wl_fail(error, WL_ERR_INPUT, NULL, 0, fields[i], "%" PRId64 ": must be at least 1",
                           size[i]);
        if (__builtin_mul_overflow(all, size[i], &all) || all > MOST_ROWS)
            return wl_fail(error, WL_ERR_INPUT, NULL, 0, fields[i],
                           "the number of elements does not fit in 64 bits");
    }
    return WL_OK;
}

/* Axes from the shortest stride to the longest: each must step over all that the ones before it cover. */
static bool overlaps(const struct wl_array *a, const int64_t size[4]) {
    int order[4] = {0, 1, 2, 3};
    for (int i = 0; i < 4; i++)
        for (int j = i + 1; j < 4; j++)
            if (a->stride[order[j]] < a->stride[order[i]]) {
                int other = order[i];
                order[i] = order[j], order[j] = other;
            }
    int64_t covered = 1;
    for (int i = 0; i < 4; i++) {
        if (size[order[i]] == 1) continue;
        if (a->stride[order[i]] < covered) return true;
        covered += (size[order[i]] - 1) * a->stride[order[i]]; /* check_array() has seen that the sum fits */
    }
    return false;
}

static enum wl_status check_array(const char *name, const struct wl_array *a, const int64_t size[4],
                                  bool written, struct wl_error *error) {
    if (a->element != WL_ELEMENT_BF16 && a->element != WL_ELEMENT_FP16 && a->element != WL_ELEMENT_FP32)
        return wl_fail(error, WL_ERR_INPUT, NULL, 0, name, "element %d: must be bf16, fp16 or fp32",
                       (int)a->element);
    int64_t bytes = element_bytes(a->element), last = 1;
    if (!a->address || a->address % (uint64_t)bytes)
        return wl_fail(error, WL_ERR_INPUT, NULL, 0, name,
                       "address 0x%" PRIx64 ": must be a multiple of %" PRId64, a->address, bytes);
    for (int i = 0; i < 4; i++) {
        int64_t span;
        if (a->stride[i] < 0)
            return wl_fail(error, WL_ERR_INPUT, NULL, 0, name, "stride %" PRId64 ": must not be negative",
                           a->stride[i]);
        if (__builtin_mul_overflow(size[i] - 1, a->stride[i], &span) ||
            __builtin_add_overflow(last, span, &last) || last > INT64_MAX / 8)
            return wl_fail(error, WL_ERR_INPUT, NULL, 0, name, "its strides reach further than 64 bits");
    }
    if (written && overlaps(a, size))
        return wl_fail(error, WL_ERR_INPUT, NULL, 0, name, "its strides make elements overlap");
    return WL_OK;
}

static enum wl_status check_floats(const char *name, uint64_t address, bool needed, struct wl_error *error) {
    if ((address || !needed) && address % sizeof(float) == 0) return WL_OK;
    return wl_fail(error, WL_ERR_INPUT, NULL, 0, name, "address 0x%" PRIx64 ": must be a multiple of 4",
                   address);
}

/* ---- launching ---- */

static enum wl_status launch(struct wl_runtime *runtime, const char *name, int64_t rows, void **parameters,
                             CUstream stream, struct wl_error *error) {
    const struct wl_kernel *kernel;
    const struct wl_driver *driver = runtime->driver;
    enum wl_status status = wl_specialize_auxiliary(runtime, name, &kernel, error);
    if (status) return status;
    int64_t blocks = (rows + WARPS - 1) / WARPS;
    CUlaunchConfig config = {.gridDimX = (unsigned)(blocks < BLOCKS ? blocks : BLOCKS),
                             .gridDimY = 1,
                             .gridDimZ = 1,
                             .blockDimX = kernel->launch.threads,
                             .blockDimY = 1,
                             .blockDimZ = 1,
                             .hStream = stream};
    status = wl_driver_enter(driver, error);
    if (status) return status;
    CUresult result = driver->fn.cuLaunchKernelEx(&config, kernel->function, parameters, NULL);
    if (kernel->trace) wl_dump_launch(kernel->trace, &config, name);
    status = wl_driver_check(driver, result, "cuLaunchKernelEx", error);
    wl_driver_leave(driver);
    return status;
}

enum wl_status wl_copy(struct wl_runtime *runtime, const struct wl_array *to, const struct wl_array *from,
                       const int64_t size[4], struct CUstream_st *stream, struct wl_error *error) {
    static const char *const fields[] = {"size[0]", "size[1]", "size[2]", "size[3]"};
    struct wl_array a = *to, b = *from;
    int64_t n[4] = {size[0], size[1], size[2], size[3]};
    void *parameters[] = {&a, &b, &n[0], &n[1], &n[2], &n[3]};
    enum wl_status status = check_sizes(n, 4, fields, error);
    if (!status) status = check_array("to", to, n, true, error);
    if (!status) status = check_array("from", from, n, false, error);
    return status ? status : launch(runtime, "copy", n[0] * n[1] * n[2], parameters, stream, error);
}

static struct wl_array array_of(const struct wl_view *view, enum wl_dtype dtype) {
    enum wl_element element = dtype == WL_FP16 ? WL_ELEMENT_FP16 : WL_ELEMENT_BF16;
    return (struct wl_array){
        view->address, element, {view->batch_stride, view->seq_stride, view->head_stride, 1}};
}

enum wl_status wl_attention_plain(struct wl_runtime *runtime, const struct wl_attention *problem,
                                  struct CUstream_st *stream, struct wl_error *error) {
    struct wl_attention p = *problem;
    struct wl_array q = array_of(&p.q, p.dtype), k = array_of(&p.k, p.dtype), v = array_of(&p.v, p.dtype),
                    o = array_of(&p.o, p.dtype);
    int dim = (int)p.head_dim, causal = p.causal;
    float scale = (float)(wl_attention_scale(problem) * LOG2_E);
    void *parameters[] = {&q,          &k,          &v,          &o,   &p.lse, &p.batch, &p.heads,
                          &p.heads_kv, &p.seqlen_q, &p.seqlen_k, &dim, &dim,   &causal,  &scale};
    enum wl_status status = wl_attention_check(problem, error);
    if (!status && p.head_dim > DIM_MOST)
        status = wl_fail(error, WL_ERR_INPUT, NULL, 0, "head_dim", "%" PRId64 ": must be at most %d",
                         p.head_dim, DIM_MOST);
    return status ? status
                  : launch(runtime, "plain", p.batch * p.heads * p.seqlen_q, parameters, stream, error);
}

enum wl_status wl_attention_combine(struct wl_runtime *runtime, const struct wl_combine *combine,
                                    struct CUstream_st *stream, struct wl_error *error) {
    static const char *const fields[] = {"parts", "batch", "seqlen_q", "heads", "head_dim"};
    struct wl_combine c = *combine;
    const int64_t sizes[] = {c.parts, c.batch, c.seqlen_q, c.heads, c.head_dim}, *size = sizes + 1;
    struct wl_array last = c.part;
    int64_t reach;
    void *parameters[] = {&c.o,     &c.lse,   &c.part,  &c.part_stride, &c.part_lse,
                          &c.parts, &c.batch, &c.heads, &c.seqlen_q,    &c.head_dim};
    enum wl_status status = check_sizes(sizes, 5, fields, error);
    if (!status) status = check_array("o", &c.o, size, true, error);
    if (!status && (c.part_stride < 0 || __builtin_mul_overflow(c.parts - 1, c.part_stride, &reach) ||
                    reach > INT64_MAX / 16))
        status = wl_fail(error, WL_ERR_INPUT, NULL, 0, "part_stride", "%" PRId64 ": reaches out of 64 bits",
                         c.part_stride);
    if (!status) status = check_array("part", &last, size, false, error);
    if (!status) status = check_floats("part_lse", c.part_lse, true, error);
    if (!status) status = check_floats("lse", c.lse, false, error);
    return status ? status
                  : launch(runtime, "combine", c.batch * c.heads * c.seqlen_q, parameters, stream, error);
}
