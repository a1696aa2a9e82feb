/* api_function: what is known of a function, and how many of its blocks fit on the device. */
#include "runtime/emu/api.h"

#include <string.h>
#include "runtime/emu/decode.h"
#include "runtime/emu/module.h"

#define WARP_REG_UNIT                                                                                        \
    256u /* registers are given to warps in these, to each of an SM's four quarters apart                    \
          */
#define QUARTERS         4u
#define SMEM_UNIT        128u
#define MAX_THREADS      1024
#define REGS_PER_THREAD  255
#define PORTABLE_CLUSTER 8u

static uint32_t product(const uint32_t dims[3]) {
    return dims[0] * (dims[1] ? dims[1] : 1) * (dims[2] ? dims[2] : 1);
}

/* What ptxas may allot at most: .maxnreg, else what the declared block size (and blocks a SM) leaves. */
static uint32_t register_cap(const struct emu_function *fn) {
    const struct ptx_function *source = fn->source;
    if (source->maxnreg) return source->maxnreg < REGS_PER_THREAD ? source->maxnreg : REGS_PER_THREAD;
    uint32_t threads = product(source->reqntid[0] ? source->reqntid : source->maxntid);
    uint32_t blocks = source->minnctapersm ? source->minnctapersm : 1;
    if (!threads) return REGS_PER_THREAD;
    uint32_t warps = (threads + 31) / 32;
    uint32_t cap = (uint32_t)emu_driver.config.profile->regs_per_sm / (warps * 32 * blocks) / 8 * 8;
    return cap < REGS_PER_THREAD ? cap : REGS_PER_THREAD;
}

int emu_function_registers(const struct emu_function *fn) {
    uint32_t cap = register_cap(fn), declared = fn->reg_slots < 4 ? 4 : fn->reg_slots;
    return (int)(declared < cap ? declared : cap);
}

int emu_function_local(const struct emu_function *fn) { return (int)(fn->local_bytes - EMU_LOCAL_RESERVED); }

static uint32_t smaller(uint32_t a, uint32_t b) { return a < b ? a : b; }

int emu_function_occupancy(const struct CUfunc_st *function, uint64_t threads, uint64_t dynamic_smem) {
    const struct emu_profile *profile = emu_driver.config.profile;
    if (threads > MAX_THREADS || dynamic_smem > (uint64_t)function->max_dynamic_smem) return 0;
    uint32_t warps = (uint32_t)(threads + 31) / 32;
    uint32_t warp_regs = (uint32_t)emu_function_registers(function->fn) * 32;
    warp_regs = (warp_regs + WARP_REG_UNIT - 1) / WARP_REG_UNIT * WARP_REG_UNIT;
    uint32_t warps_by_regs = (uint32_t)profile->regs_per_sm / QUARTERS / warp_regs * QUARTERS;
    uint32_t smem = function->fn->static_smem_bytes + (uint32_t)dynamic_smem + EMU_SMEM_RESERVED;
    smem = (smem + SMEM_UNIT - 1) / SMEM_UNIT * SMEM_UNIT;
    uint32_t blocks =
        smaller((uint32_t)profile->blocks_per_sm, (uint32_t)profile->threads_per_sm / 32 / warps);
    blocks = smaller(blocks, warps_by_regs / warps);
    return (int)smaller(blocks, (uint32_t)profile->smem_per_sm / smem);
}

/* ---- attributes ---- */

/* "sm_100a" -> 100 */
static int target_number(const char *target) {
    const char *digits = strpbrk(target, "0123456789");
    int number = 0;
    for (; digits && *digits >= '0' && *digits <= '9'; digits++) number = 10 * number + (*digits - '0');
    return number;
}

static int max_threads(const struct emu_function *fn) {
    uint32_t warp_regs =
        ((uint32_t)emu_function_registers(fn) * 32 + WARP_REG_UNIT - 1) / WARP_REG_UNIT * WARP_REG_UNIT;
    uint32_t threads =
        (uint32_t)emu_driver.config.profile->regs_per_sm / QUARTERS / warp_regs * QUARTERS * 32;
    uint32_t declared = product(fn->source->reqntid[0] ? fn->source->reqntid : fn->source->maxntid);
    if (declared && declared < threads) threads = declared;
    return threads < MAX_THREADS ? (int)threads : MAX_THREADS;
}

static int const_bytes(const struct ptx_module *module) {
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < module->variable_count; i++)
        if (module->variables[i]->space == PTX_CONST) bytes += module->variables[i]->bytes;
    return (int)bytes;
}

struct CUfunc_st *emu_function_of(CUfunction handle) {
    CUresult ignored;
    if (emu_handle_is(handle, EMU_KIND_FUNCTION)) return handle;
    return emu_handle_is(handle, EMU_KIND_KERNEL) ? emu_kernel_function((CUkernel)handle, &ignored) : NULL;
}

CUresult emu_function_attribute(int *value, CUfunction_attribute attribute, const struct CUfunc_st *function) {
    const struct emu_function *fn = function->fn;
    const struct emu_profile *profile = emu_driver.config.profile;
    switch (attribute) {
    case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK: *value = max_threads(fn); break;
    case CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES: *value = (int)fn->static_smem_bytes; break;
    case CU_FUNC_ATTRIBUTE_CONST_SIZE_BYTES: *value = const_bytes(fn->module->ptx); break;
    case CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES: *value = emu_function_local(fn); break;
    case CU_FUNC_ATTRIBUTE_NUM_REGS: *value = emu_function_registers(fn); break;
    case CU_FUNC_ATTRIBUTE_PTX_VERSION: *value = target_number(fn->module->ptx->target); break;
    case CU_FUNC_ATTRIBUTE_BINARY_VERSION: *value = 10 * profile->cc_major + profile->cc_minor; break;
    case CU_FUNC_ATTRIBUTE_CACHE_MODE_CA: *value = 0; break;
    case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES: *value = function->max_dynamic_smem; break;
    case CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT: *value = function->carveout; break;
    case CU_FUNC_ATTRIBUTE_CLUSTER_SIZE_MUST_BE_SET:
        *value = fn->source->explicitcluster && !function->required_cluster[0];
        break;
    case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH:
    case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_HEIGHT:
    case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_DEPTH:
        *value = (int)function->required_cluster[attribute - CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH];
        break;
    case CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED: *value = function->nonportable_cluster; break;
    case CU_FUNC_ATTRIBUTE_CLUSTER_SCHEDULING_POLICY_PREFERENCE: *value = function->scheduling; break;
    default: return CUDA_ERROR_INVALID_VALUE;
    }
    return CUDA_SUCCESS;
}

CUresult emu_cuFuncGetAttribute(int *value, CUfunction_attribute attribute, CUfunction function) {
    if (!value) return CUDA_ERROR_INVALID_VALUE;
    if (!(function = emu_function_of(function))) return CUDA_ERROR_INVALID_HANDLE;
    return emu_function_attribute(value, attribute, function);
}

static CUresult set_int(int *field, int value, int low, int high) {
    if (value < low || value > high) return CUDA_ERROR_INVALID_VALUE;
    *field = value;
    return CUDA_SUCCESS;
}

CUresult emu_function_set(struct CUfunc_st *function, CUfunction_attribute attribute, int value) {
    int smem_left = emu_driver.config.profile->smem_per_block - (int)function->fn->static_smem_bytes;
    switch (attribute) {
    case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES:
        return set_int(&function->max_dynamic_smem, value, 0, smem_left);
    case CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT:
        return set_int(&function->carveout, value, -1, 100);
    case CU_FUNC_ATTRIBUTE_CLUSTER_SCHEDULING_POLICY_PREFERENCE:
        return set_int(&function->scheduling, value, 0, 2);
    case CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED:
        function->nonportable_cluster = value != 0;
        break;
    case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH:
    case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_HEIGHT:
    case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_DEPTH:
        if (function->fn->source->reqnctapercluster[0])
            return CUDA_ERROR_NOT_PERMITTED; /* the PTX has said it */
        if (value < 0) return CUDA_ERROR_INVALID_VALUE;
        function->required_cluster[attribute - CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH] =
            (unsigned int)value;
        break;
    default: return CUDA_ERROR_INVALID_VALUE;
    }
    return CUDA_SUCCESS;
}

CUresult emu_cuFuncSetAttribute(CUfunction function, CUfunction_attribute attribute, int value) {
    if (!(function = emu_function_of(function))) return CUDA_ERROR_INVALID_HANDLE;
    return emu_function_set(function, attribute, value);
}

/* A preference between caches that this device has not got. */
CUresult emu_cuFuncSetCacheConfig(CUfunction function, CUfunc_cache config) {
    if (!(function = emu_function_of(function))) return CUDA_ERROR_INVALID_HANDLE;
    bool legal = config >= CU_FUNC_CACHE_PREFER_NONE && config <= CU_FUNC_CACHE_PREFER_EQUAL;
    return legal ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult emu_cuFuncGetModule(CUmodule *module, CUfunction function) {
    if (!module) return CUDA_ERROR_INVALID_VALUE;
    if (!(function = emu_function_of(function))) return CUDA_ERROR_INVALID_HANDLE;
    *module = function->module;
    return CUDA_SUCCESS;
}

CUresult emu_cuFuncGetName(const char **name, CUfunction function) {
    if (!name) return CUDA_ERROR_INVALID_VALUE;
    if (!(function = emu_function_of(function))) return CUDA_ERROR_INVALID_HANDLE;
    *name = function->fn->source->name;
    return CUDA_SUCCESS;
}

CUresult emu_cuFuncGetParamInfo(CUfunction function, size_t index, size_t *offset, size_t *bytes) {
    if (!(function = emu_function_of(function))) return CUDA_ERROR_INVALID_HANDLE;
    if (!offset || index >= function->fn->source->param_count) return CUDA_ERROR_INVALID_VALUE;
    const struct ptx_var *parameter = function->fn->source->params[index];
    *offset = parameter->slot;
    if (bytes) *bytes = parameter->bytes;
    return CUDA_SUCCESS;
}

/* All of a module is loaded with it. */
CUresult emu_cuFuncIsLoaded(CUfunctionLoadingState *state, CUfunction function) {
    if (!state) return CUDA_ERROR_INVALID_VALUE;
    if (!(function = emu_function_of(function))) return CUDA_ERROR_INVALID_HANDLE;
    *state = CU_FUNCTION_LOADING_STATE_LOADED;
    return CUDA_SUCCESS;
}

CUresult emu_cuFuncLoad(CUfunction function) {
    return emu_function_of(function) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

/* ---- occupancy ---- */

CUresult emu_cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *blocks, CUfunction function,
                                                                  int block_size, size_t dynamic_smem,
                                                                  unsigned int flags) {
    if (!blocks || block_size <= 0 || flags > CU_OCCUPANCY_DISABLE_CACHING_OVERRIDE)
        return CUDA_ERROR_INVALID_VALUE;
    if (!(function = emu_function_of(function))) return CUDA_ERROR_INVALID_HANDLE;
    *blocks = emu_function_occupancy(function, (uint64_t)block_size, dynamic_smem);
    return CUDA_SUCCESS;
}

CUresult emu_cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, CUfunction function, int block_size,
                                                         size_t dynamic_smem) {
    return emu_cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(blocks, function, block_size,
                                                                    dynamic_smem, 0);
}

/* The most dynamic shared memory a block may have if `blocks` of them are to fit on an SM. */
CUresult emu_cuOccupancyAvailableDynamicSMemPerBlock(size_t *dynamic_smem, CUfunction function, int blocks,
                                                     int block_size) {
    if (!dynamic_smem || blocks <= 0 || block_size <= 0) return CUDA_ERROR_INVALID_VALUE;
    if (!(function = emu_function_of(function))) return CUDA_ERROR_INVALID_HANDLE;
    struct CUfunc_st free = *function;
    free.max_dynamic_smem = 0;
    if (emu_function_occupancy(&free, (uint64_t)block_size, 0) < blocks) return CUDA_ERROR_INVALID_VALUE;
    const struct emu_profile *profile = emu_driver.config.profile;
    uint32_t each = (uint32_t)profile->smem_per_sm / (uint32_t)blocks / SMEM_UNIT * SMEM_UNIT;
    uint32_t taken = EMU_SMEM_RESERVED + function->fn->static_smem_bytes;
    uint32_t most = (uint32_t)profile->smem_per_block - function->fn->static_smem_bytes;
    *dynamic_smem = each > taken ? smaller(each - taken, most) : 0;
    return CUDA_SUCCESS;
}

/* The block size with which most threads are resident; of equals, the largest. */
CUresult emu_cuOccupancyMaxPotentialBlockSizeWithFlags(int *grid_size, int *block_size, CUfunction function,
                                                       CUoccupancyB2DSize smem_of, size_t dynamic_smem, int limit,
                                                       unsigned int flags) {
    if (!grid_size || !block_size || limit < 0 || flags > CU_OCCUPANCY_DISABLE_CACHING_OVERRIDE)
        return CUDA_ERROR_INVALID_VALUE;
    if (!(function = emu_function_of(function))) return CUDA_ERROR_INVALID_HANDLE;
    int most = max_threads(function->fn), best = 0;
    if (limit && limit < most) most = limit;
    for (int size = (most + 31) / 32 * 32; size > 0; size -= 32) {
        int threads = size < most ? size : most;
        size_t smem = smem_of ? smem_of(threads) : dynamic_smem;
        int blocks = emu_function_occupancy(function, (uint64_t)threads, smem);
        if (blocks * threads <= best) continue;
        best = blocks * threads;
        *block_size = threads;
        *grid_size = blocks * emu_driver.config.profile->sms;
    }
    return best ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult emu_cuOccupancyMaxPotentialBlockSize(int *grid_size, int *block_size, CUfunction function,
                                              CUoccupancyB2DSize smem_of, size_t dynamic_smem, int limit) {
    return emu_cuOccupancyMaxPotentialBlockSizeWithFlags(grid_size, block_size, function, smem_of, dynamic_smem, limit,
                                                         0);
}

/* Largest cluster of such blocks. */
CUresult emu_cuOccupancyMaxPotentialClusterSize(int *size, CUfunction function, const CUlaunchConfig *config) {
    if (!size || !config || (config->numAttrs && !config->attrs)) return CUDA_ERROR_INVALID_VALUE;
    if (!(function = emu_function_of(function))) return CUDA_ERROR_INVALID_HANDLE;
    uint64_t threads = (uint64_t)config->blockDimX * config->blockDimY * config->blockDimZ;
    if (!threads) return CUDA_ERROR_INVALID_VALUE;
    int most = emu_driver.config.profile->max_cluster;
    if (most > (int)PORTABLE_CLUSTER && !function->nonportable_cluster) most = (int)PORTABLE_CLUSTER;
    *size = emu_function_occupancy(function, threads, config->sharedMemBytes) ? most : 0;
    return *size ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

/* Clusters live inside a graphics processing cluster; how many SMs one of those has is not told. The figure
 * here takes the whole device for one: an upper bound, as the blocks of an SM are. */
CUresult emu_cuOccupancyMaxActiveClusters(int *clusters, CUfunction function, const CUlaunchConfig *config) {
    if (!clusters || !config || (config->numAttrs && !config->attrs)) return CUDA_ERROR_INVALID_VALUE;
    if (!(function = emu_function_of(function))) return CUDA_ERROR_INVALID_HANDLE;
    const uint32_t *dims = function->required_cluster;
    for (unsigned int i = 0; i < config->numAttrs; i++)
        if (config->attrs[i].id == CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION)
            dims = &config->attrs[i].value.clusterDim.x;
    uint64_t size = dims[0] ? (uint64_t)dims[0] * dims[1] * dims[2] : 1;
    uint32_t most = (uint32_t)emu_driver.config.profile->max_cluster;
    if (!size || size > most || (size > PORTABLE_CLUSTER && !function->nonportable_cluster))
        return CUDA_ERROR_INVALID_CLUSTER_SIZE;
    uint64_t threads = (uint64_t)config->blockDimX * config->blockDimY * config->blockDimZ;
    if (!threads) return CUDA_ERROR_INVALID_VALUE;
    int blocks = emu_function_occupancy(function, threads, config->sharedMemBytes);
    *clusters = blocks * emu_driver.config.profile->sms / (int)size;
    return CUDA_SUCCESS;
}
