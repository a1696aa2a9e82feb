#include "runtime/emu/tile.h"

#include <stdio.h>
#include <string.h>

/* What dimension 0 leaves of a row. */
static void clip_row(struct emu_tile *t) {
    int64_t es = t->map->stride[0], size = (int64_t)t->map->size[0];
    int64_t first = t->start[0] < 0 ? -t->start[0] : 0, last = size - t->start[0];
    if (last > (int64_t)t->count[0]) last = t->count[0];
    t->first = last > first ? (uint32_t)(first * es) : 0;
    t->last = last > first ? (uint32_t)(last * es) : 0;
}

bool emu_tile_begin(struct emu_tile *t, const struct emu_tensor_map *map, const int32_t *start, char *why,
                    size_t why_bytes) {
    memset(t, 0, sizeof *t);
    t->map = map;
    if (map->interleave) {
        snprintf(why, why_bytes, "interleaved tensor maps are not supported");
        return false;
    }
    uint32_t es = (uint32_t)map->stride[0];
    if ((int64_t)start[0] * es % 16) { /* facts 6.2: traps on Hopper, loads and stores alike */
        snprintf(why, why_bytes,
                 "innermost coordinate %d of %u-byte elements is not at a multiple of 16 bytes", start[0],
                 es);
        return false;
    }
    t->rows = 1;
    for (uint32_t i = 0; i < map->rank; i++) {
        t->start[i] = start[i];
        uint32_t step = i ? map->element_stride[i] : 1; /* dimension 0's is ignored (facts 6.2) */
        t->count[i] = (map->box[i] + step - 1) / step;
        if (i) t->rows *= t->count[i];
    }
    t->row_bytes = map->box[0] * es;
    t->pitch = map->swizzle ? emu_swizzle_span(map->swizzle) : t->row_bytes;
    t->bytes = t->rows * t->row_bytes;
    clip_row(t);
    return true;
}

void emu_tile_next(struct emu_tile *t, struct emu_tile_row *row) {
    const struct emu_tensor_map *m = t->map;
    int64_t offset = t->start[0] * (int64_t)m->stride[0];
    bool inside = true;
    for (uint32_t i = 1; i < m->rank; i++) {
        int64_t c = t->start[i] + (int64_t)t->at[i] * m->element_stride[i];
        inside = inside && c >= 0 && c < (int64_t)m->size[i];
        offset += c * (int64_t)m->stride[i];
    }
    row->address = m->address + (uint64_t)offset;
    row->first = inside ? t->first : 0;
    row->last = inside ? t->last : 0;
    for (uint32_t i = 1; i < m->rank && ++t->at[i] == t->count[i]; i++) t->at[i] = 0;
}

bool emu_tile_span(const struct emu_tile *t, uint64_t *address, uint64_t *bytes) {
    const struct emu_tensor_map *m = t->map;
    if (t->first == t->last) return false;
    uint64_t low = m->address + (uint64_t)(t->start[0] * (int64_t)m->stride[0]) + t->first,
             high = low + t->last - t->first;
    for (uint32_t i = 1; i < m->rank; i++) {
        int64_t step = m->element_stride[i], first = t->start[i] < 0 ? (-t->start[i] + step - 1) / step : 0;
        int64_t last = t->count[i] - 1, most = ((int64_t)m->size[i] - 1 - t->start[i]);
        if (most < 0) return false;
        if (last > most / step) last = most / step;
        if (last < first) return false;
        low += (uint64_t)(t->start[i] + first * step) * m->stride[i];
        high += (uint64_t)(t->start[i] + last * step) * m->stride[i];
    }
    *address = low;
    *bytes = high - low;
    return true;
}

uint32_t emu_tile_smem_bytes(const struct emu_tile *t) { return (t->rows - 1) * t->pitch + t->row_bytes; }

/* A row lies within one line of 128 bytes wherever it is swizzled: its chunks all move by the same XOR. */
static uint32_t move_of(const struct emu_tile *t, uint32_t address) {
    return emu_swizzle_address(t->map->swizzle, address, 0) ^ address;
}

void emu_tile_scatter(const struct emu_tile *t, uint32_t row, uint8_t *smem, uint32_t base,
                      const uint8_t *bytes) {
    uint32_t at = row * t->pitch, move = move_of(t, base + at);
    if (!t->map->swizzle) {
        memcpy(smem + at, bytes, t->row_bytes);
        return;
    }
    uint32_t step = move & 8 ? 8 : 16;
    for (uint32_t i = 0; i < t->row_bytes; i += step)
        memcpy(smem + (((base + at + i) ^ move) - base), bytes + i, step);
}

void emu_tile_gather(const struct emu_tile *t, uint32_t row, const uint8_t *smem, uint32_t base,
                     uint8_t *bytes) {
    uint32_t at = row * t->pitch, move = move_of(t, base + at);
    if (!t->map->swizzle) {
        memcpy(bytes, smem + at, t->row_bytes);
        return;
    }
    uint32_t step = move & 8 ? 8 : 16;
    for (uint32_t i = 0; i < t->row_bytes; i += step)
        memcpy(bytes + i, smem + (((base + at + i) ^ move) - base), step);
}
