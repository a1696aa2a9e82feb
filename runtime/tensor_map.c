/* tensor_map: see tensor_map.h. Limits: facts sheet 6.1. */
#include "runtime/tensor_map.h"

#include <inttypes.h>
#include <string.h>

#define ELEMENT_BYTES 2
#define ALIGN         16
#define MAX_STRIDE    ((uint64_t)1 << 40)
#define MAX_SIZE      ((uint64_t)1 << 32)
#define SETS          16
#define WAYS          4 /* Q, K, V and O of one problem always have room side by side */

static const char *const dimensions[WL_TENSOR_MAP_RANK] = {"dim", "seq", "head", "batch"};

static enum wl_status take_swizzle(CUtensorMapSwizzle *swizzle, const struct wl_tensor_view *tensor,
                                   const struct wl_tensor_box *box, struct wl_error *error) {
    switch (box->swizzle_bytes) {
    case 0: *swizzle = CU_TENSOR_MAP_SWIZZLE_NONE; return WL_OK;
    case 32: *swizzle = CU_TENSOR_MAP_SWIZZLE_32B; return WL_OK;
    case 64: *swizzle = CU_TENSOR_MAP_SWIZZLE_64B; return WL_OK;
    case 128: *swizzle = CU_TENSOR_MAP_SWIZZLE_128B; return WL_OK;
    }
    return wl_fail(error, WL_ERR_INTERNAL, NULL, 0, tensor->name,
                   "a box with a swizzle of %u bytes; 0, 32, 64 and 128 exist", box->swizzle_bytes);
}

static enum wl_status take_dimension(struct wl_tensor_map_arguments *arguments,
                                     const struct wl_tensor_view *tensor, int d, struct wl_error *error) {
    uint64_t size = tensor->size[d];
    int64_t stride = tensor->stride[d];
    if (size < 1 || size > MAX_SIZE)
        return wl_fail(error, WL_ERR_INPUT, NULL, 0, tensor->name,
                       "%" PRIu64 " elements along %s; 1 to 2^32 are possible", size, dimensions[d]);
    arguments->size[d] = size;
    if (d == 0) return WL_OK;
    if (size == 1) { /* never stepped along: any legal value does */
        uint64_t below = d == 1 ? tensor->size[0] * ELEMENT_BYTES : arguments->stride_bytes[d - 2];
        arguments->stride_bytes[d - 1] = (below + ALIGN - 1) / ALIGN * ALIGN;
        return WL_OK;
    }
    if (stride < 0 || (uint64_t)stride >= MAX_STRIDE / ELEMENT_BYTES)
        return wl_fail(error, WL_ERR_INPUT, NULL, 0, tensor->name,
                       "%s stride of %" PRId64 " elements; 0 to 2^39 - 1 are possible", dimensions[d],
                       stride);
    if (stride * ELEMENT_BYTES % ALIGN)
        return wl_fail(error, WL_ERR_INPUT, NULL, 0, tensor->name,
                       "%s stride of %" PRId64 " elements is %" PRId64
                       " bytes, not a multiple of 16: make it a multiple of 8 elements",
                       dimensions[d], stride, stride * ELEMENT_BYTES);
    arguments->stride_bytes[d - 1] = (uint64_t)stride * ELEMENT_BYTES;
    return WL_OK;
}

enum wl_status wl_tensor_map_arguments(struct wl_tensor_map_arguments *arguments,
                                       const struct wl_tensor_view *tensor, const struct wl_tensor_box *box,
                                       struct wl_error *error) {
    memset(arguments, 0, sizeof *arguments); /* padding too: they are compared as bytes */
    arguments->address = tensor->address;
    arguments->type =
        tensor->dtype == WL_BF16 ? CU_TENSOR_MAP_DATA_TYPE_BFLOAT16 : CU_TENSOR_MAP_DATA_TYPE_FLOAT16;
    if (!tensor->address || tensor->address % ALIGN)
        return wl_fail(error, WL_ERR_INPUT, NULL, 0, tensor->name, "address 0x%" PRIx64 " is %s",
                       tensor->address, tensor->address ? "not a multiple of 16" : "null");
    enum wl_status status = take_swizzle(&arguments->swizzle, tensor, box, error);
    for (int d = 0; !status && d < WL_TENSOR_MAP_RANK; d++) {
        status = take_dimension(arguments, tensor, d, error);
        arguments->box[d] = box->box[d];
    }
    return status;
}

/* A map follows from its arguments alone, and programs launch on the same tensors again and again: each
 * thread keeps its last ones, since the driver takes longer to encode one than a launch may take. */
struct kept {
    void *encoder; /* tells drivers apart; NULL: empty */
    struct wl_tensor_map_arguments arguments;
    CUtensorMap map;
};
struct set {
    struct kept ways[WAYS];
    unsigned int next; /* to be replaced */
};
static _Thread_local struct set sets[SETS];

static struct set *set_of(const struct wl_tensor_map_arguments *a) {
    uint64_t hash = a->address ^ (a->size[1] << 7) ^ (a->size[3] << 13) ^ (a->stride_bytes[0] << 3);
    hash ^= (uint64_t)a->box[1] << 21 ^ (uint64_t)a->box[0] << 27;
    return &sets[(hash * 0x9e3779b97f4a7c15u) >> 60];
}

static const struct kept *find_kept(const struct set *set, const void *encoder,
                                    const struct wl_tensor_map_arguments *a) {
    for (int i = 0; i < WAYS; i++)
        if (set->ways[i].encoder == encoder && !memcmp(&set->ways[i].arguments, a, sizeof *a))
            return &set->ways[i];
    return NULL;
}

enum wl_status wl_tensor_map_encode(const struct wl_driver *driver, CUtensorMap *map,
                                    const struct wl_tensor_view *tensor, const struct wl_tensor_box *box,
                                    struct wl_error *error) {
    static const cuuint32_t element_strides[WL_TENSOR_MAP_RANK] = {1, 1, 1, 1};
    struct wl_tensor_map_arguments a;
    enum wl_status status = wl_tensor_map_arguments(&a, tensor, box, error);
    if (status) return status;
    void *encoder;
    memcpy(&encoder, &driver->fn.cuTensorMapEncodeTiled, sizeof encoder);
    struct set *set = set_of(&a);
    const struct kept *kept = find_kept(set, encoder, &a);
    if (kept) {
        *map = kept->map;
        return WL_OK;
    }
    CUresult result = driver->fn.cuTensorMapEncodeTiled(
        map, a.type, WL_TENSOR_MAP_RANK, (void *)(uintptr_t)a.address, a.size, a.stride_bytes, a.box,
        element_strides, CU_TENSOR_MAP_INTERLEAVE_NONE, a.swizzle, CU_TENSOR_MAP_L2_PROMOTION_L2_128B,
        CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
    if (!result) {
        set->ways[set->next++ % WAYS] = (struct kept){encoder, a, *map};
        return WL_OK;
    }
    struct wl_error inner = {0};
    wl_driver_check(driver, result, "cuTensorMapEncodeTiled", &inner);
    return wl_fail(error, inner.status, NULL, 0, tensor->name, "%s", inner.text);
}
