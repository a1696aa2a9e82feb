/* attention_launch: a problem and a kernel's launch record become one cuLaunchKernelEx. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/attention.h"
#include "runtime/dump.h"
#include "runtime/tensor_map.h"

#define LOG2_E   1.4426950408889634
#define MAX_GRID ((int64_t)INT32_MAX)

union argument {
    CUtensorMap map;
    uint64_t address;
    uint32_t integer;
    float real;
};

struct arguments {
    union argument values[WL_LAUNCH_MAX_PARAMS];
    void *pointers[WL_LAUNCH_MAX_PARAMS];
};

struct tiles {
    int64_t rows, all; /* tiles along seqlen_q, and of the whole problem */
};

/* ---- is the kernel for this problem? ---- */

static enum wl_status check_kernel(const struct wl_launch *launch, const struct wl_attention *problem,
                                   struct wl_error *error) {
    if (problem->head_dim != (int64_t)launch->head_dim)
        return wl_fail(error, WL_ERR_INPUT, NULL, 0, "head_dim", "%" PRId64 ": the kernel is for %u",
                       problem->head_dim, launch->head_dim);
    if (wl_attention_dim_v(problem) != (int64_t)launch->head_dim_v)
        return wl_fail(error, WL_ERR_INPUT, NULL, 0, "head_dim_v", "%" PRId64 ": the kernel is for %u",
                       wl_attention_dim_v(problem), launch->head_dim_v);
    if (problem->dtype != (enum wl_dtype)launch->dtype)
        return wl_fail(error, WL_ERR_INPUT, NULL, 0, "dtype", "the kernel is for %s",
                       launch->dtype == WL_BF16 ? "bf16" : "fp16");
    if (problem->causal != (launch->causal != 0))
        return wl_fail(error, WL_ERR_INPUT, NULL, 0, "causal", "the kernel is %s",
                       launch->causal ? "causal" : "not causal");
    return WL_OK;
}

static enum wl_status count_tiles(struct tiles *tiles, const struct wl_launch *launch,
                                  const struct wl_attention *problem, struct wl_error *error) {
    int64_t rows = launch->rows_per_tile;
    if (!rows || !launch->cluster || !launch->threads)
        return wl_fail(error, WL_ERR_INTERNAL, NULL, 0, "launch",
                       "rows_per_tile, cluster and threads must not be 0");
    tiles->rows = (problem->seqlen_q + rows - 1) / rows;
    bool fits = !__builtin_mul_overflow(tiles->rows, problem->heads, &tiles->all) &&
                !__builtin_mul_overflow(tiles->all, problem->batch, &tiles->all) &&
                tiles->all <= MAX_GRID / launch->cluster;
    if (fits) return WL_OK;
    return wl_fail(error, WL_ERR_INPUT, NULL, 0, "batch",
                   "%" PRId64 " sequences of %" PRId64 " heads of %" PRId64
                   " row tiles are more than a grid of %" PRId64 " has",
                   problem->batch, problem->heads, tiles->rows, MAX_GRID / launch->cluster);
}

/* ---- parameters ---- */

static void view_of(struct wl_tensor_view *tensor, const struct wl_attention *problem, enum wl_tensor which) {
    static const char *const names[] = {"q", "k", "v", "o"};
    const struct wl_view *views[] = {&problem->q, &problem->k, &problem->v, &problem->o};
    const struct wl_view *view = views[which];
    bool keys = which == WL_TENSOR_K || which == WL_TENSOR_V, values = which == WL_TENSOR_V || which == WL_TENSOR_O;
    *tensor = (struct wl_tensor_view){
        .name = names[which],
        .dtype = problem->dtype,
        .address = view->address,
        .size = {(uint64_t)(values ? wl_attention_dim_v(problem) : problem->head_dim), (uint64_t)(keys ? problem->seqlen_k : problem->seqlen_q),
                 (uint64_t)(keys ? problem->heads_kv : problem->heads), (uint64_t)problem->batch},
        .stride = {1, view->seq_stride, view->head_stride, view->batch_stride},
    };
}

static enum wl_status put_argument(union argument *argument, const struct wl_kernel *kernel,
                                   const struct wl_param *param, const struct wl_attention *problem,
                                   const struct tiles *tiles, struct wl_error *error) {
    const uint64_t addresses[WL_TENSOR_COUNT] = {problem->q.address, problem->k.address, problem->v.address,
                                                 problem->o.address, problem->lse};
    bool names_tensor = param->kind == WL_PARAM_TENSOR_MAP || param->kind == WL_PARAM_POINTER;
    if (names_tensor && param->tensor >= (param->kind == WL_PARAM_POINTER ? WL_TENSOR_COUNT : WL_TENSOR_LSE))
        return wl_fail(error, WL_ERR_INTERNAL, NULL, 0, "launch", "parameter of tensor %d", param->tensor);
    switch ((enum wl_param_kind)param->kind) {
    case WL_PARAM_TENSOR_MAP: {
        struct wl_tensor_view tensor;
        view_of(&tensor, problem, param->tensor);
        return wl_tensor_map_encode(kernel->driver, &argument->map, &tensor, &param->box, error);
    }
    case WL_PARAM_POINTER: argument->address = addresses[param->tensor]; return WL_OK;
    case WL_PARAM_SEQLEN_Q: argument->integer = (uint32_t)problem->seqlen_q; return WL_OK;
    case WL_PARAM_SEQLEN_K: argument->integer = (uint32_t)problem->seqlen_k; return WL_OK;
    case WL_PARAM_BATCH: argument->integer = (uint32_t)problem->batch; return WL_OK;
    case WL_PARAM_HEADS: argument->integer = (uint32_t)problem->heads; return WL_OK;
    case WL_PARAM_HEADS_KV: argument->integer = (uint32_t)problem->heads_kv; return WL_OK;
    case WL_PARAM_HEAD_RATIO:
        argument->integer = (uint32_t)(problem->heads / problem->heads_kv);
        return WL_OK;
    case WL_PARAM_TILES: argument->integer = (uint32_t)tiles->all; return WL_OK;
    case WL_PARAM_M_TILES: argument->integer = (uint32_t)tiles->rows; return WL_OK;
    case WL_PARAM_SCALE_LOG2: argument->real = (float)(wl_attention_scale(problem) * LOG2_E); return WL_OK;
    }
    return wl_fail(error, WL_ERR_INTERNAL, NULL, 0, "launch", "parameter of unknown kind %d", param->kind);
}

static enum wl_status put_arguments(struct arguments *arguments, const struct wl_kernel *kernel,
                                    const struct wl_attention *problem, const struct tiles *tiles,
                                    struct wl_error *error) {
    const struct wl_launch *launch = &kernel->launch;
    if (launch->param_count > WL_LAUNCH_MAX_PARAMS)
        return wl_fail(error, WL_ERR_INTERNAL, NULL, 0, "launch", "%u parameters; %d is the most",
                       launch->param_count, WL_LAUNCH_MAX_PARAMS);
    for (uint32_t i = 0; i < launch->param_count; i++) {
        enum wl_status status = /* no more is written than the driver will read */
            put_argument(&arguments->values[i], kernel, &launch->params[i], problem, tiles, error);
        if (status) return status;
        arguments->pointers[i] = &arguments->values[i];
    }
    return WL_OK;
}

/* ---- grid ---- */

static void trace(const struct wl_kernel *kernel, const CUlaunchConfig *config, const struct wl_attention *p) {
    char sizes[200];
    snprintf(sizes, sizeof sizes,
             "batch %" PRId64 ", heads %" PRId64 "/%" PRId64 ", seq %" PRId64 " x %" PRId64 ", scale %.9g", p->batch,
             p->heads, p->heads_kv, p->seqlen_q, p->seqlen_k, wl_attention_scale(p));
    wl_dump_launch(kernel->trace, config, sizes);
}

static enum wl_status launch(const struct wl_kernel *kernel, const struct wl_attention *problem,
                             const struct tiles *tiles, void **pointers, CUstream stream, struct wl_error *error) {
    const struct wl_launch *record = &kernel->launch;
    CUlaunchAttribute attribute = {.id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION,
                                   .value.clusterDim = {.x = record->cluster, .y = 1, .z = 1}};
    CUlaunchConfig config = {.gridDimX = record->cluster,
                             .gridDimY = 1,
                             .gridDimZ = 1,
                             .blockDimX = record->threads,
                             .blockDimY = 1,
                             .blockDimZ = 1,
                             .sharedMemBytes = record->smem_bytes,
                             .hStream = stream,
                             .attrs = &attribute,
                             .numAttrs = record->cluster > 1};
    int64_t clusters = tiles->all;
    if (record->grid == WL_GRID_PERSISTENT && clusters > kernel->resident) clusters = kernel->resident;
    config.gridDimX = (unsigned int)(clusters * record->cluster);
    CUresult result = kernel->driver->fn.cuLaunchKernelEx(&config, kernel->function, pointers, NULL);
    if (kernel->trace) trace(kernel, &config, problem);
    return wl_driver_check(kernel->driver, result, "cuLaunchKernelEx", error);
}

/* A real driver encodes tensor maps under a current context only [H200]. Most callers have ours current
 * already; asking costs less than a push and a pop. */
static enum wl_status enter(const struct wl_driver *driver, bool *pushed, struct wl_error *error) {
    CUcontext current = NULL;
    *pushed = driver->fn.cuCtxGetCurrent(&current) || current != driver->context;
    return *pushed ? wl_driver_enter(driver, error) : WL_OK;
}

enum wl_status wl_attention_launch(const struct wl_kernel *kernel, const struct wl_attention *problem,
                                   CUstream stream, struct wl_error *error) {
    struct arguments arguments;
    struct tiles tiles = {0};
    bool pushed;
    enum wl_status status = wl_attention_check(problem, error);
    if (!status) status = check_kernel(&kernel->launch, problem, error);
    if (!status) status = count_tiles(&tiles, &kernel->launch, problem, error);
    if (!status) status = enter(kernel->driver, &pushed, error);
    if (status) return status;
    status = put_arguments(&arguments, kernel, problem, &tiles, error);
    if (!status) status = launch(kernel, problem, &tiles, arguments.pointers, stream, error);
    if (pushed) wl_driver_leave(kernel->driver);
    return status;
}
