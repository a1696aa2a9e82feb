/* tile: one box of a tiled tensor, row by row: where each row lies in global memory, which part of it is
 * inside the tensor, and where shared memory keeps it.
 *
 * A row is the box's extent in dimension 0; rows are counted over dimensions 1 and up, 1 fastest. In shared
 * memory a row starts every `pitch` bytes (the swizzle's span, or the row itself), then each 16-byte chunk
 * moves as the swizzle says. */
#ifndef EMU_TILE_H
#define EMU_TILE_H

#include "runtime/emu/tensor_map.h"

struct emu_tile {
    const struct emu_tensor_map *map;
    int64_t start[EMU_TENSOR_MAX_RANK]; /* coordinates */
    uint32_t
        count[EMU_TENSOR_MAX_RANK];   /* elements that are moved in each dimension (after element strides) */
    uint32_t at[EMU_TENSOR_MAX_RANK]; /* of the next row */
    uint32_t row_bytes, pitch, rows, bytes; /* bytes: of all rows, what an mbarrier is told */
    uint32_t first, last; /* the part [first, last) of every row that dimension 0 leaves inside */
};

struct emu_tile_row {
    uint64_t address;     /* of the row's byte 0, inside the tensor or not */
    uint32_t first, last; /* bytes of the row that are inside the tensor; equal: none */
};

/* False: such a box traps; why holds one line. */
bool emu_tile_begin(struct emu_tile *tile, const struct emu_tensor_map *map, const int32_t *start, char *why,
                    size_t why_bytes);
/* The next row; call it tile->rows times. */
void emu_tile_next(struct emu_tile *tile, struct emu_tile_row *row);
/* The bytes from the first to the last that is inside the tensor; false: none is. */
bool emu_tile_span(const struct emu_tile *tile, uint64_t *address, uint64_t *bytes);
/* Bytes that the box takes in shared memory. */
uint32_t emu_tile_smem_bytes(const struct emu_tile *tile);

/* One row to and from shared memory; `smem` is the place of shared address `base`, at which the box starts.
 */
void emu_tile_scatter(const struct emu_tile *tile, uint32_t row, uint8_t *smem, uint32_t base,
                      const uint8_t *bytes);
void emu_tile_gather(const struct emu_tile *tile, uint32_t row, const uint8_t *smem, uint32_t base,
                     uint8_t *bytes);

#endif
