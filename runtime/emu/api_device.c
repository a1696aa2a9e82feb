/* api_device: the driver itself and the one device it has. */
#include "runtime/emu/api.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define DRIVER_VERSION 13000
#define LAST_ATTRIBUTE 147            /* of CUDA 13.0 */
#define PCI_BUS_ID     "0000:00:1f.0" /* any program only hands it back */

CUresult emu_cuInit(unsigned int flags) {
    if (flags) return CUDA_ERROR_INVALID_VALUE;
    if (emu_driver.initialised) return CUDA_SUCCESS;
    char why[256];
    if (!emu_config_read(&emu_driver.config, why, sizeof why)) {
        emu_report("%s", why);
        return CUDA_ERROR_INVALID_VALUE;
    }
    if (!emu_driver.config.profile) emu_driver.config.profile = emu_driver.suggested;
    if (!emu_driver.config.profile) emu_driver.config.profile = emu_profile_find(NULL);
    emu_driver.device = emu_device_create(emu_driver.config.profile);
    if (!emu_driver.device) {
        emu_report("no memory, or the addresses from 0x%" PRIx64
                   " on, where kernels see shared memory, are in use in this process",
                   (uint64_t)EMU_SHARED_WINDOW);
        return CUDA_ERROR_OPERATING_SYSTEM;
    }
    emu_device_reach_host(emu_driver.device, emu_driver.config.hmm);
    emu_driver.initialised = true;
    return CUDA_SUCCESS;
}

/* The library is unloaded, or the process ends: the device's addresses go back, unless something is still allocated,
 * which somebody may touch later than this. */
static void __attribute__((destructor)) unload(void) {
    if (!emu_driver.initialised || emu_device_count(emu_driver.device)) return;
    emu_driver.initialised = false;
    emu_device_destroy(emu_driver.device);
    emu_driver.device = NULL;
}

CUresult emu_cuDriverGetVersion(int *version) {
    if (!version) return CUDA_ERROR_INVALID_VALUE;
    *version = DRIVER_VERSION;
    return CUDA_SUCCESS;
}

CUresult emu_cuDeviceGetCount(int *count) {
    if (!count) return CUDA_ERROR_INVALID_VALUE;
    *count = EMU_DEVICE_COUNT;
    return CUDA_SUCCESS;
}

static CUresult check_device(CUdevice device, const void *out) {
    if (!out) return CUDA_ERROR_INVALID_VALUE;
    return device >= 0 && device < EMU_DEVICE_COUNT ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}

CUresult emu_cuDeviceGet(CUdevice *device, int ordinal) {
    CUresult result = check_device(ordinal, device);
    if (!result) *device = ordinal;
    return result;
}

/* Cuts what does not fit, without a terminator then, as the real one does [H200]. */
static CUresult put_text(char *out, int bytes, const char *text) {
    if (bytes < 1) return CUDA_ERROR_INVALID_VALUE;
    size_t wanted = strlen(text) + 1;
    memcpy(out, text, wanted < (size_t)bytes ? wanted : (size_t)bytes);
    return CUDA_SUCCESS;
}

CUresult emu_cuDeviceGetName(char *name, int bytes, CUdevice device) {
    CUresult result = check_device(device, name);
    return result ? result : put_text(name, bytes, emu_driver.config.profile->name);
}

CUresult emu_cuDeviceGetUuid(CUuuid *uuid, CUdevice device) {
    CUresult result = check_device(device, uuid);
    if (result) return result;
    memset(uuid, 0, sizeof *uuid);
    memcpy(uuid->bytes, "warploom", 8);
    strncpy(uuid->bytes + 8, emu_driver.config.profile->key, 8); /* the rest is not a string */
    return CUDA_SUCCESS;
}

CUresult emu_cuDeviceGetUuid_v2(CUuuid *uuid, CUdevice device) { return emu_cuDeviceGetUuid(uuid, device); }

CUresult emu_cuDeviceTotalMem_v2(size_t *bytes, CUdevice device) {
    CUresult result = check_device(device, bytes);
    if (!result) *bytes = emu_driver.config.profile->memory_bytes;
    return result;
}

CUresult emu_cuDeviceComputeCapability(int *major, int *minor, CUdevice device) {
    CUresult result = check_device(device, major && minor ? major : NULL);
    if (result) return result;
    *major = emu_driver.config.profile->cc_major;
    *minor = emu_driver.config.profile->cc_minor;
    return CUDA_SUCCESS;
}

CUresult emu_cuDeviceGetPCIBusId(char *id, int bytes, CUdevice device) {
    CUresult result = check_device(device, id);
    return result ? result : put_text(id, bytes, PCI_BUS_ID);
}

CUresult emu_cuDeviceGetByPCIBusId(CUdevice *device, const char *id) {
    if (!device || !id) return CUDA_ERROR_INVALID_VALUE;
    if (strcasecmp(id, PCI_BUS_ID) && strcasecmp(id, &PCI_BUS_ID[5])) return CUDA_ERROR_INVALID_DEVICE;
    *device = 0;
    return CUDA_SUCCESS;
}

CUresult emu_cuDeviceCanAccessPeer(int *can, CUdevice device, CUdevice peer) {
    CUresult result = check_device(device, can);
    if (!result) result = check_device(peer, can);
    if (!result) *can = 0; /* a device is no peer of itself */
    return result;
}

/* ---- attributes ---- */

#define FIELD(field)  .offset = (int)offsetof(struct emu_profile, field)
#define VALUE(number) .offset = -1, .value = (number)

/* What is not here is 0: textures and surfaces above all, which this device has not got. */
/* clang-format off */
static const struct attribute {
    CUdevice_attribute attribute;
    int offset, value;
} attributes[] = {
    {CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK,                 VALUE(1024)},
    {CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X,                       VALUE(1024)},
    {CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y,                       VALUE(1024)},
    {CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z,                       VALUE(64)},
    {CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X,                        VALUE(0x7fffffff)},
    {CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y,                        VALUE(65535)},
    {CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z,                        VALUE(65535)},
    {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK,           VALUE(49152)},
    {CU_DEVICE_ATTRIBUTE_TOTAL_CONSTANT_MEMORY,                 VALUE(65536)},
    {CU_DEVICE_ATTRIBUTE_WARP_SIZE,                             VALUE(32)},
    {CU_DEVICE_ATTRIBUTE_MAX_PITCH,                             VALUE(0x7fffffff)},
    {CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK,               FIELD(regs_per_sm)},
    {CU_DEVICE_ATTRIBUTE_CLOCK_RATE,                            FIELD(clock_khz)},
    {CU_DEVICE_ATTRIBUTE_TEXTURE_ALIGNMENT,                     VALUE(512)},
    {CU_DEVICE_ATTRIBUTE_TEXTURE_PITCH_ALIGNMENT,               VALUE(32)},
    {CU_DEVICE_ATTRIBUTE_SURFACE_ALIGNMENT,                     VALUE(512)},
    {CU_DEVICE_ATTRIBUTE_GPU_OVERLAP,                           VALUE(1)},
    {CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT,                  FIELD(sms)},
    {CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY,                   VALUE(1)},
    {CU_DEVICE_ATTRIBUTE_CONCURRENT_KERNELS,                    VALUE(1)},
    {CU_DEVICE_ATTRIBUTE_PCI_DEVICE_ID,                         VALUE(0x1f)},
    {CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE,                     FIELD(memory_clock_khz)},
    {CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH,               FIELD(memory_bus_bits)},
    {CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE,                         FIELD(l2_bytes)},
    {CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR,        FIELD(threads_per_sm)},
    {CU_DEVICE_ATTRIBUTE_ASYNC_ENGINE_COUNT,                    FIELD(async_engines)},
    {CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING,                    VALUE(1)},
    {CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR,              FIELD(cc_major)},
    {CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR,              FIELD(cc_minor)},
    {CU_DEVICE_ATTRIBUTE_STREAM_PRIORITIES_SUPPORTED,           VALUE(1)},
    {CU_DEVICE_ATTRIBUTE_GLOBAL_L1_CACHE_SUPPORTED,             VALUE(1)},
    {CU_DEVICE_ATTRIBUTE_LOCAL_L1_CACHE_SUPPORTED,              VALUE(1)},
    {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR,  FIELD(smem_per_sm)},
    {CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR,      FIELD(regs_per_sm)},
    {CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY,                        VALUE(1)},
    {CU_DEVICE_ATTRIBUTE_SINGLE_TO_DOUBLE_PRECISION_PERF_RATIO, FIELD(fp32_to_fp64)},
    {CU_DEVICE_ATTRIBUTE_COMPUTE_PREEMPTION_SUPPORTED,          VALUE(1)},
    {CU_DEVICE_ATTRIBUTE_CAN_USE_HOST_POINTER_FOR_REGISTERED_MEM, VALUE(1)},
    {CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH,                    VALUE(1)},
    {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN,     FIELD(smem_per_block)},
    {CU_DEVICE_ATTRIBUTE_HOST_REGISTER_SUPPORTED,               VALUE(1)},
    {CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR,         FIELD(blocks_per_sm)},
    {CU_DEVICE_ATTRIBUTE_MAX_PERSISTING_L2_CACHE_SIZE,          FIELD(l2_persisting_bytes)},
    {CU_DEVICE_ATTRIBUTE_MAX_ACCESS_POLICY_WINDOW_SIZE,         VALUE(128 << 20)},
    {CU_DEVICE_ATTRIBUTE_RESERVED_SHARED_MEMORY_PER_BLOCK,      VALUE(1024)},
    {CU_DEVICE_ATTRIBUTE_READ_ONLY_HOST_REGISTER_SUPPORTED,     VALUE(1)},
    {CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED,                VALUE(1)},
    {CU_DEVICE_ATTRIBUTE_MEM_SYNC_DOMAIN_COUNT,                 VALUE(4)},
    {CU_DEVICE_ATTRIBUTE_NUMA_ID,                               VALUE(-1)},
};
/* clang-format on */

/* The newer attributes that hang on the compute capability: both came with Hopper. */
static bool from_hopper_on(CUdevice_attribute attribute) {
    return attribute == CU_DEVICE_ATTRIBUTE_CLUSTER_LAUNCH ||
           attribute == CU_DEVICE_ATTRIBUTE_TENSOR_MAP_ACCESS_SUPPORTED;
}

CUresult emu_cuDeviceGetAttribute(int *value, CUdevice_attribute attribute, CUdevice device) {
    if (!value || attribute < 1 || attribute > LAST_ATTRIBUTE) return CUDA_ERROR_INVALID_VALUE;
    CUresult result = check_device(device, value);
    if (result) return result;
    const struct emu_profile *profile = emu_driver.config.profile;
    *value = from_hopper_on(attribute) && profile->cc_major >= 9;
    if (attribute == CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS) *value = emu_driver.config.hmm;
    for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++) {
        const struct attribute *row = &attributes[i];
        if (row->attribute != attribute) continue;
        *value = row->offset < 0 ? row->value : *(const int *)((const char *)profile + row->offset);
    }
    return CUDA_SUCCESS;
}
