/* api_tensor_map: tensor maps made by the host. What the 128 bytes mean is tensor_map.h's. */
#include "runtime/emu/api.h"

#include <string.h>
#include "runtime/emu/tensor_map.h"

static CUresult encode(CUtensorMap *out, const struct emu_tensor_map *map) {
    char why[256];
    uint8_t bytes[EMU_TENSOR_MAP_BYTES];
    if (!emu_tensor_map_encode(bytes, map, emu_driver.config.profile->cc_major, why, sizeof why)) {
        emu_report_quietly(why); /* a program may be probing what is legal */
        return CUDA_ERROR_INVALID_VALUE;
    }
    memcpy(out, bytes, sizeof bytes);
    return CUDA_SUCCESS;
}

CUresult emu_cuTensorMapEncodeTiled(CUtensorMap *map, CUtensorMapDataType type, cuuint32_t rank,
                                    void *address, const cuuint64_t *dims, const cuuint64_t *strides,
                                    const cuuint32_t *box, const cuuint32_t *element_strides,
                                    CUtensorMapInterleave interleave, CUtensorMapSwizzle swizzle,
                                    CUtensorMapL2promotion l2, CUtensorMapFloatOOBfill fill) {
    if (!map || (uintptr_t)map % 64 || !dims || !box || !element_strides || (!strides && rank > 1))
        return CUDA_ERROR_INVALID_VALUE;
    if (rank < 1 || rank > EMU_TENSOR_MAX_RANK || type < 0 || type >= EMU_TENSOR_TYPES)
        return CUDA_ERROR_INVALID_VALUE;
    if (fill < CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE || fill > CU_TENSOR_MAP_FLOAT_OOB_FILL_NAN_REQUEST_ZERO_FMA)
        return CUDA_ERROR_INVALID_VALUE;
    if (interleave < 0 || swizzle < 0 || l2 < 0) return CUDA_ERROR_INVALID_VALUE;
    struct emu_tensor_map wanted = {.type = (enum emu_tensor_type)type,
                                    .rank = rank,
                                    .address = (uintptr_t)address,
                                    .interleave = (uint32_t)interleave,
                                    .swizzle = (enum emu_swizzle)swizzle,
                                    .l2_promotion = (uint32_t)l2,
                                    .nan_fill = fill != 0};
    wanted.stride[0] = emu_tensor_type_bytes(wanted.type);
    for (uint32_t i = 0; i < rank; i++) {
        wanted.size[i] = dims[i];
        wanted.box[i] = box[i];
        wanted.element_stride[i] = element_strides[i];
        if (i) wanted.stride[i] = strides[i - 1];
    }
    return encode(map, &wanted);
}

CUresult emu_cuTensorMapReplaceAddress(CUtensorMap *map, void *address) {
    struct emu_tensor_map old;
    if (!map || (uintptr_t)map % 64) return CUDA_ERROR_INVALID_VALUE;
    if (!emu_tensor_map_decode(&old, (const uint8_t *)map, NULL, 0)) return CUDA_ERROR_INVALID_VALUE;
    old.address = (uintptr_t)address;
    return encode(map, &old);
}
