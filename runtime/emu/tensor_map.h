/* tensor_map: the 128 bytes of a CUtensorMap, tiled mode, in the layout that real drivers write: some
 * programs write them without asking cuTensorMapEncodeTiled. Sixteen 64-bit words, little endian;
 * tensor_map.c has the table of fields.
 *
 * Hopper writes format version 0, sm_100 version 2; both are read. */
#ifndef EMU_TENSOR_MAP_H
#define EMU_TENSOR_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "runtime/emu/swizzle.h"

#define EMU_TENSOR_MAX_RANK  5
#define EMU_TENSOR_MAP_BYTES 128

enum emu_tensor_type { /* the driver's CUtensorMapDataType */
                       EMU_TENSOR_U8,
                       EMU_TENSOR_U16,
                       EMU_TENSOR_U32,
                       EMU_TENSOR_S32,
                       EMU_TENSOR_U64,
                       EMU_TENSOR_S64,
                       EMU_TENSOR_F16,
                       EMU_TENSOR_F32,
                       EMU_TENSOR_F64,
                       EMU_TENSOR_BF16,
                       EMU_TENSOR_F32_FTZ,
                       EMU_TENSOR_TF32,
                       EMU_TENSOR_TF32_FTZ,
                       EMU_TENSOR_TYPES,
};

struct emu_tensor_map { /* arguments of cuTensorMapEncodeTiled, by the driver's numbers */
    enum emu_tensor_type type;
    uint32_t rank;
    uint64_t address;
    uint64_t size[EMU_TENSOR_MAX_RANK]; /* elements, 1..2^32 */
    uint64_t
        stride[EMU_TENSOR_MAX_RANK]; /* bytes; [0] is the element's, [i] the driver's globalStrides[i - 1] */
    uint32_t box[EMU_TENSOR_MAX_RANK];            /* elements, 1..256 */
    uint32_t element_stride[EMU_TENSOR_MAX_RANK]; /* 1..8 */
    uint32_t interleave;                          /* 0 none, 1 16 B, 2 32 B */
    enum emu_swizzle swizzle;
    uint32_t l2_promotion; /* 0..3 */
    bool nan_fill;
    uint32_t version; /* decoded only */
};

uint32_t emu_tensor_type_bytes(enum emu_tensor_type type);
const char *emu_tensor_type_name(enum emu_tensor_type type);

/* Writes the descriptor for a device of this compute capability. False: refused as the driver refuses
 * (CUDA_ERROR_INVALID_VALUE), why (may be NULL) holding one line that says what and what is legal. */
bool emu_tensor_map_encode(uint8_t out[EMU_TENSOR_MAP_BYTES], const struct emu_tensor_map *map, int cc_major,
                           char *why, size_t why_bytes);
/* Reads one. False: these bytes are no tiled tensor map; why as above. */
bool emu_tensor_map_decode(struct emu_tensor_map *map, const uint8_t bytes[EMU_TENSOR_MAP_BYTES], char *why,
                           size_t why_bytes);

enum emu_tensor_field { /* of tensormap.replace, in the order of its row (insn_bulk.def) */
                        EMU_TENSOR_ADDRESS,
                        EMU_TENSOR_STRIDE, /* bytes; ordinal 0 is dimension 1's */
                        EMU_TENSOR_BOX,
                        EMU_TENSOR_SIZE,
                        EMU_TENSOR_STEP,
                        EMU_TENSOR_RANK, /* less one */
                        EMU_TENSOR_ELEMENT,
                        EMU_TENSOR_INTERLEAVE,
                        EMU_TENSOR_SWIZZLE,
                        EMU_TENSOR_ATOM,
                        EMU_TENSOR_FILL,
                        EMU_TENSOR_FIELDS
};
/* What tensormap.replace may be given: ordinals below the first, values below the second (0: any). */
struct emu_tensor_limits {
    const char *name;
    uint32_t ordinals, values;
};
extern const struct emu_tensor_limits emu_tensor_limits[EMU_TENSOR_FIELDS];
/* Writes one field, by the numbers of PTX (not the driver's), unchecked as the machine does it: the
 * descriptor is judged when it is used. */
void emu_tensor_map_replace(uint8_t bytes[EMU_TENSOR_MAP_BYTES], enum emu_tensor_field field,
                            uint32_t ordinal, uint64_t value);

#endif
