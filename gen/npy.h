/* npy: NumPy's array files, format versions 1.0, 2.0 and 3.0, little-endian float32 and float16 in C order.
 *
 *     \x93NUMPY  major minor  header length (2 bytes; 4 from version 2.0 on)  {'descr': ..., 'fortran_order':
 * ..., 'shape': ...} as a Python literal, padded with blanks and ended by a line feed  elements
 *
 * Whatever else a file holds is refused with WL_ERR_INPUT and one line that says what and where (`line` stays
 * 0, the field is the header's key). */
#ifndef WL_NPY_H
#define WL_NPY_H

#include <stdint.h>
#include "gen/error.h"

#define WL_NPY_MAX_RANK 8

enum wl_npy_type { WL_NPY_F32, WL_NPY_F16 };

struct wl_npy {
    enum wl_npy_type type;
    int rank;
    int64_t shape[WL_NPY_MAX_RANK];
    int64_t count; /* of elements, the product of shape */
    const void
        *data;   /* count elements, densely in C order; not aligned where parsed from the caller's bytes */
    void *owned; /* wl_npy_read's buffer */
};

/* Parses a file's bytes, which must outlive *array. name is for messages. */
enum wl_status wl_npy_parse(struct wl_npy *array, const void *bytes, size_t size, const char *name,
                            struct wl_error *error);

enum wl_status wl_npy_read(struct wl_npy *array, const char *path,
                           struct wl_error *error); /* data 16-byte aligned */
void wl_npy_fini(struct wl_npy *array);             /* after wl_npy_read */

/* Writes a version 1.0 file (beside, then renamed). */
enum wl_status wl_npy_write(const char *path, enum wl_npy_type type, int rank, const int64_t *shape,
                            const void *data, struct wl_error *error);

/* "(1, 1024, 4, 128)" */
const char *wl_npy_shape_text(int rank, const int64_t *shape, char *out, size_t out_bytes);

#endif
