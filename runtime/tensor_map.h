/* tensor_map: the arguments of cuTensorMapEncodeTiled for one tensor of a problem and the box of one kernel
 * parameter.
 *
 * The map is 4-D {dim, seq, head, batch}. Strides become bytes; those of dimensions of size 1, which nothing
 * uses, become legal ones. */
#ifndef WL_TENSOR_MAP_H
#define WL_TENSOR_MAP_H

#include "gen/error.h"
#include "gen/launch.h"
#include "runtime/driver.h"

#define WL_TENSOR_MAP_RANK 4

struct wl_tensor_view { /* 16-bit elements, dimensions {dim, seq, head, batch} */
    const char *name;   /* for messages: "q" */
    enum wl_dtype dtype;
    uint64_t address;
    uint64_t size[WL_TENSOR_MAP_RANK];
    int64_t stride[WL_TENSOR_MAP_RANK]; /* elements; [0] is 1 */
};

struct wl_tensor_map_arguments {
    CUtensorMapDataType type;
    uint64_t address;
    cuuint64_t size[WL_TENSOR_MAP_RANK];
    cuuint64_t stride_bytes[WL_TENSOR_MAP_RANK - 1]; /* of dimension 1 .. */
    cuuint32_t box[WL_TENSOR_MAP_RANK];
    CUtensorMapSwizzle swizzle;
};

/* WL_ERR_INPUT names the tensor: address or stride not a multiple of 16 bytes, stride negative or 2^40 or
 * more. */
enum wl_status wl_tensor_map_arguments(struct wl_tensor_map_arguments *arguments,
                                       const struct wl_tensor_view *tensor, const struct wl_tensor_box *box,
                                       struct wl_error *error);
enum wl_status wl_tensor_map_encode(const struct wl_driver *driver, CUtensorMap *map,
                                    const struct wl_tensor_view *tensor, const struct wl_tensor_box *box,
                                    struct wl_error *error);

#endif
