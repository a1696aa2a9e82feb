/* api_launch: what a launch asks for, checked as the real driver checks it [H200], then run.
 *
 * The launch runs to its end inside the call. It succeeds as a call whatever the kernel does; a kernel that
 * failed leaves its CUresult in the context and its report on stderr. */
#include "runtime/emu/api.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "gen/arena.h"
#include "runtime/emu/module.h"

#define MAX_GRID_X       0x7fffffffu
#define MAX_GRID_YZ      65535u
#define MAX_THREADS      1024u
#define MAX_BLOCK_Z      64u
#define PORTABLE_CLUSTER 8u

/* ---- launch attributes ---- */

static CUresult take_event(struct emu_kernel *request, CUevent event) {
    if (!emu_handle_is(event, EMU_KIND_EVENT)) return CUDA_ERROR_INVALID_HANDLE;
    request->record = event; /* recorded at the end: later than it might be, which both attributes allow */
    return CUDA_SUCCESS;
}

CUresult emu_kernel_attribute(struct emu_kernel *request, CUlaunchAttributeID id,
                              const CUlaunchAttributeValue *value) {
    switch (id) {
    case CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION:
        memcpy(request->cluster, &value->clusterDim, sizeof request->cluster);
        request->cluster_given = true;
        return CUDA_SUCCESS;
    case CU_LAUNCH_ATTRIBUTE_COOPERATIVE:
        request->cooperative = value->cooperative != 0;
        return CUDA_SUCCESS;
    case CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_EVENT:
        return take_event(request, value->programmaticEvent.event);
    case CU_LAUNCH_ATTRIBUTE_LAUNCH_COMPLETION_EVENT:
        return take_event(request, value->launchCompletionEvent.event);
    case CU_LAUNCH_ATTRIBUTE_DEVICE_UPDATABLE_KERNEL_NODE: return CUDA_ERROR_NOT_SUPPORTED;
    /* Leave to overlap with the kernel before: launches here never do, and griddepcontrol.wait has nothing to
     * wait for. */
    case CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION:
    /* Hints about speed alone. */
    case CU_LAUNCH_ATTRIBUTE_IGNORE:
    case CU_LAUNCH_ATTRIBUTE_ACCESS_POLICY_WINDOW:
    case CU_LAUNCH_ATTRIBUTE_SYNCHRONIZATION_POLICY:
    case CU_LAUNCH_ATTRIBUTE_CLUSTER_SCHEDULING_POLICY_PREFERENCE:
    case CU_LAUNCH_ATTRIBUTE_PRIORITY:
    case CU_LAUNCH_ATTRIBUTE_MEM_SYNC_DOMAIN_MAP:
    case CU_LAUNCH_ATTRIBUTE_MEM_SYNC_DOMAIN:
    case CU_LAUNCH_ATTRIBUTE_PREFERRED_CLUSTER_DIMENSION:
    case CU_LAUNCH_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT:
    case CU_LAUNCH_ATTRIBUTE_NVLINK_UTIL_CENTRIC_SCHEDULING: return CUDA_SUCCESS;
    default: return CUDA_ERROR_INVALID_VALUE;
    }
}

/* ---- checks ---- */

static CUresult check_shape(const struct emu_kernel *request) {
    const uint32_t *grid = request->grid, *block = request->block;
    const struct ptx_function *source = request->function->fn->source;
    if (!grid[0] || !grid[1] || !grid[2] || !block[0] || !block[1] || !block[2])
        return CUDA_ERROR_INVALID_VALUE;
    if (grid[0] > MAX_GRID_X || grid[1] > MAX_GRID_YZ || grid[2] > MAX_GRID_YZ)
        return CUDA_ERROR_INVALID_VALUE;
    if (block[0] > MAX_THREADS || block[1] > MAX_THREADS || block[2] > MAX_BLOCK_Z)
        return CUDA_ERROR_INVALID_VALUE;
    uint32_t threads = block[0] * block[1] * block[2];
    if (threads > MAX_THREADS) return CUDA_ERROR_INVALID_VALUE;
    for (int i = 0; i < 3 && source->reqntid[0]; i++)
        if (block[i] != (source->reqntid[i] ? source->reqntid[i] : 1)) return CUDA_ERROR_INVALID_VALUE;
    uint64_t most = source->maxntid[0];
    for (int i = 1; i < 3; i++) most *= source->maxntid[i] ? source->maxntid[i] : 1;
    if (most && threads > most) return CUDA_ERROR_INVALID_VALUE;
    if (request->dynamic_smem > (uint32_t)request->function->max_dynamic_smem)
        return CUDA_ERROR_INVALID_VALUE;
    return CUDA_SUCCESS;
}

/* Fills request->cluster; afterwards each of its dimensions is at least 1 and divides the grid's. */
static CUresult check_cluster(struct emu_kernel *request) {
    const uint32_t *required = request->function->required_cluster;
    uint32_t *cluster = request->cluster;
    if (!request->cluster_given) {
        if (request->function->fn->source->explicitcluster && !required[0])
            return CUDA_ERROR_INVALID_CLUSTER_SIZE;
        for (int i = 0; i < 3; i++) cluster[i] = required[0] && required[i] ? required[i] : 1;
    }
    uint64_t size = 1;
    for (int i = 0; i < 3; i++) {
        if (!cluster[i] || request->grid[i] % cluster[i]) return CUDA_ERROR_INVALID_CLUSTER_SIZE;
        if (required[0] && cluster[i] != (required[i] ? required[i] : 1))
            return CUDA_ERROR_INVALID_CLUSTER_SIZE;
        size *= cluster[i]; /* at most 2^31 * 2^16 * 2^16 */
    }
    uint32_t most = (uint32_t)emu_driver.config.profile->max_cluster;
    if (most > PORTABLE_CLUSTER && !request->function->nonportable_cluster) most = PORTABLE_CLUSTER;
    return size <= most ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CLUSTER_SIZE;
}

static CUresult check_cooperative(const struct emu_kernel *request) {
    uint32_t threads = request->block[0] * request->block[1] * request->block[2];
    uint64_t fit = (uint64_t)emu_function_occupancy(request->function, threads, request->dynamic_smem);
    uint64_t blocks = (uint64_t)request->grid[0] * request->grid[1] * request->grid[2];
    bool fits = blocks <= fit * (uint64_t)emu_driver.config.profile->sms;
    return fits || !request->cooperative ? CUDA_SUCCESS : CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE;
}

/* ---- parameters ---- */

static CUresult pack_pointers(uint8_t *block, const struct emu_function *fn, void **parameters) {
    for (uint32_t i = 0; i < fn->source->param_count; i++) {
        const struct ptx_var *parameter = fn->source->params[i];
        if (!parameters[i]) return CUDA_ERROR_INVALID_VALUE;
        memcpy(block + parameter->slot, parameters[i], parameter->bytes);
    }
    return CUDA_SUCCESS;
}

/* The whole parameter block at once. A buffer that is too short is refused; the real driver reads what lies
 * behind it. */
static CUresult pack_buffer(uint8_t *block, const struct emu_function *fn, void **extra) {
    const void *buffer = NULL;
    const size_t *bytes = NULL;
    for (size_t i = 0; extra[i] != CU_LAUNCH_PARAM_END; i += 2) {
        if (extra[i] == CU_LAUNCH_PARAM_BUFFER_POINTER) buffer = extra[i + 1];
        else if (extra[i] == CU_LAUNCH_PARAM_BUFFER_SIZE) bytes = extra[i + 1];
        else return CUDA_ERROR_INVALID_VALUE;
    }
    if (!buffer || !bytes || *bytes < fn->param_bytes) return CUDA_ERROR_INVALID_VALUE;
    if (*bytes > fn->param_bytes) return CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES;
    memcpy(block, buffer, fn->param_bytes);
    return CUDA_SUCCESS;
}

static CUresult pack(uint8_t *block, const struct emu_function *fn, void **parameters, void **extra) {
    if (parameters && extra) return CUDA_ERROR_INVALID_VALUE;
    if (!fn->source->param_count) return CUDA_SUCCESS;
    if (parameters) return pack_pointers(block, fn, parameters);
    return extra ? pack_buffer(block, fn, extra) : CUDA_ERROR_INVALID_VALUE;
}

/* ---- running ---- */

static void fill(struct emu_launch *launch, const struct emu_kernel *request, const uint8_t *params) {
    const struct emu_config *config = &emu_driver.config;
    memset(launch, 0, sizeof *launch);
    launch->fn = request->function->fn;
    launch->device = emu_driver.device;
    memcpy(launch->grid, request->grid, sizeof launch->grid);
    memcpy(launch->block, request->block, sizeof launch->block);
    memcpy(launch->cluster, request->cluster, sizeof launch->cluster);
    launch->dynamic_smem = request->dynamic_smem;
    launch->params = params;
    launch->order = config->order;
    launch->seed = config->seed;
    launch->check = config->check;
    launch->threads = config->threads; /* of a cooperative launch too: clusters that poll let others run */
    launch->timeout_ms = config->timeout_ms;
    launch->progress = emu_driver.progress;
    launch->progress_user = emu_driver.progress_user;
}

/* The kernel runs on a copy of its parameters: tensor maps among them want 64-byte alignment, and it may write. */
CUresult emu_kernel_run(struct emu_kernel *kernel) {
    if (!emu_handle_is(kernel->function, EMU_KIND_FUNCTION)) return CUDA_ERROR_INVALID_HANDLE; /* unloaded since */
    uint32_t bytes = kernel->function->fn->param_bytes;
    struct emu_launch *launch = wl_realloc(NULL, sizeof *launch);
    uint8_t *params = wl_realloc(NULL, bytes + 128);
    CUresult result = launch && params ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
    emu_report_launch();
    if (!result && !emu_driver.noop) {
        uint8_t *block = params + (-(uintptr_t)params & 127);
        memcpy(block, kernel->params, bytes);
        fill(launch, kernel, block);
        emu_context()->failed = emu_launch_run(launch);
        if (emu_context()->failed) emu_report("%s", launch->report);
    }
    if (!result && kernel->record) result = emu_event_record(kernel->record);
    wl_free(params);
    wl_free(launch);
    return result;
}

static bool make_block(struct emu_kernel *kernel) {
    const struct emu_function *fn = kernel->function->fn;
    uint32_t count = fn->source->param_count;
    kernel->params = wl_realloc(NULL, fn->param_bytes + 1);
    kernel->pointers = wl_realloc(NULL, (count + 1) * sizeof *kernel->pointers);
    if (!kernel->params || !kernel->pointers) return false;
    memset(kernel->params, 0, fn->param_bytes);
    for (uint32_t i = 0; i < count; i++) kernel->pointers[i] = kernel->params + fn->source->params[i]->slot;
    return true;
}

CUresult emu_kernel_prepare(struct emu_kernel *kernel, void **parameters, void **extra) {
    if (!kernel->function) return CUDA_ERROR_INVALID_HANDLE;
    if (kernel->function->module->object.context != emu_context()) return CUDA_ERROR_INVALID_HANDLE;
    CUresult result = check_shape(kernel);
    if (!result) result = check_cluster(kernel);
    if (!result) result = check_cooperative(kernel);
    if (!result && !make_block(kernel)) result = CUDA_ERROR_OUT_OF_MEMORY;
    if (!result) result = pack(kernel->params, kernel->function->fn, parameters, extra);
    return result;
}

static CUresult launch(CUstream stream, struct emu_work *work, void **parameters, void **extra) {
    work->kind = CU_GRAPH_NODE_TYPE_KERNEL;
    CUresult result = emu_kernel_prepare(&work->kernel, parameters, extra);
    if (!result) return emu_submit(stream, work);
    emu_work_fini(work);
    return result;
}

CUresult emu_cuLaunchKernelEx(const CUlaunchConfig *config, CUfunction function, void **parameters,
                              void **extra) {
    if (!config || (config->numAttrs && !config->attrs)) return CUDA_ERROR_INVALID_VALUE;
    struct emu_work work = {.kernel = {.function = emu_function_of(function),
                                       .grid = {config->gridDimX, config->gridDimY, config->gridDimZ},
                                       .block = {config->blockDimX, config->blockDimY, config->blockDimZ},
                                       .dynamic_smem = config->sharedMemBytes}};
    for (unsigned int i = 0; i < config->numAttrs; i++) {
        CUresult result = emu_kernel_attribute(&work.kernel, config->attrs[i].id, &config->attrs[i].value);
        if (result) return result;
    }
    return launch(config->hStream, &work, parameters, extra);
}

CUresult emu_cuLaunchKernel(CUfunction function, unsigned int grid_x, unsigned int grid_y,
                            unsigned int grid_z, unsigned int block_x, unsigned int block_y,
                            unsigned int block_z, unsigned int dynamic_smem, CUstream stream,
                            void **parameters, void **extra) {
    struct emu_work work = {.kernel = {.function = emu_function_of(function),
                                       .grid = {grid_x, grid_y, grid_z},
                                       .block = {block_x, block_y, block_z},
                                       .dynamic_smem = dynamic_smem}};
    return launch(stream, &work, parameters, extra);
}

CUresult emu_cuLaunchCooperativeKernel(CUfunction function, unsigned int grid_x, unsigned int grid_y,
                                       unsigned int grid_z, unsigned int block_x, unsigned int block_y,
                                       unsigned int block_z, unsigned int dynamic_smem, CUstream stream,
                                       void **parameters) {
    struct emu_work work = {.kernel = {.function = emu_function_of(function),
                                       .grid = {grid_x, grid_y, grid_z},
                                       .block = {block_x, block_y, block_z},
                                       .dynamic_smem = dynamic_smem,
                                       .cooperative = true}};
    return launch(stream, &work, parameters, NULL);
}
