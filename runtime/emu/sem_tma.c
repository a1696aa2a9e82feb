/* cp.async.bulk.tensor, cp.reduce.async.bulk.tensor and their prefetch, tiled mode. PTX ISA 9.1 §9.7.9.27.1.
 *
 * A load is one effect a destination CTA: the box is read, filled where it leaves the tensor, swizzled into
 * shared memory, and its whole size is told to an mbarrier. A store is two effects: the source is read, then
 * global memory is written. The tensor map is read by the effect, not at issue. */
#include <string.h>
#include "runtime/emu/async.h"
#include "runtime/emu/bulk.h"
#include "runtime/emu/decode.h"
#include "runtime/emu/device.h"
#include "runtime/emu/fault.h"
#include "runtime/emu/half.h"
#include "runtime/emu/judge.h"
#include "runtime/emu/mbarrier.h"
#include "runtime/emu/operand.h"
#include "runtime/emu/reduce.h"
#include "runtime/emu/sem_bulk.h"
#include "runtime/emu/tile.h"

enum { LONGEST_ROW = 256 * 8 };

struct tensor_copy {
    struct emu_async base;
    uint64_t map;
    int32_t start[EMU_TENSOR_MAX_RANK];
    uint32_t dims, smem, barrier; /* shared addresses */
    bool four;                    /* gather4, scatter4: start is {column, row, row, row, row}, a box each */
    uint8_t reduce, op;
    struct emu_bulk_group *group;
    uint8_t data[]; /* stores: the box, packed, once it has been read */
};

/* ---- the tensor map ---- */

/* In a kernel parameter, or anywhere in global memory. */
static bool readable_map(const struct emu_cluster *cluster, uint64_t address) {
    const struct emu_launch *launch = cluster->launch;
    uint64_t params = (uint64_t)(uintptr_t)launch->params;
    if (address >= params && address + EMU_TENSOR_MAP_BYTES <= params + launch->fn->param_bytes) return true;
    return emu_device_contains(launch->device, address, EMU_TENSOR_MAP_BYTES);
}

/* The part-th box: of gather4 and scatter4 there are four. */
static enum emu_step begin_part(struct tensor_copy *c, const struct emu_tensor_map *map,
                                struct emu_tile *tile, uint32_t part) {
    const int32_t one[2] = {c->start[0], c->start[1 + part]};
    char why[160];
    if (emu_tile_begin(tile, map, c->four ? one : c->start, why, sizeof why)) return EMU_NEXT;
    return emu_fault(c->base.warp, c->base.insn, EMU_FAULT_ILLEGAL_INSTRUCTION, "%s", why);
}

/* The box that the copy is about, or the first of four; its map in *map. */
static enum emu_step begin(struct emu_cluster *cluster, struct tensor_copy *c, struct emu_tensor_map *map,
                           struct emu_tile *tile) {
    struct emu_warp *w = c->base.warp;
    const struct emu_insn *insn = c->base.insn;
    char why[160];
    if (c->map % 64)
        return emu_fault(w, insn, EMU_FAULT_MISALIGNED, "tensor map at 0x%llx: not 64-byte aligned",
                         (unsigned long long)c->map);
    if (!readable_map(cluster, c->map))
        return emu_fault(w, insn, EMU_FAULT_ILLEGAL_ADDRESS, "tensor map at 0x%llx: no such memory",
                         (unsigned long long)c->map);
    if (!emu_tensor_map_decode(map, (const uint8_t *)(uintptr_t)c->map, why, sizeof why))
        return emu_fault(w, insn, EMU_FAULT_ILLEGAL_INSTRUCTION, "no tensor map at 0x%llx: %s",
                         (unsigned long long)c->map, why);
    if (map->rank != c->dims)
        return emu_fault(w, insn, EMU_FAULT_ILLEGAL_INSTRUCTION, "%ud copy with a tensor map of rank %u",
                         c->dims, map->rank);
    if (c->four && (map->box[1] != 1 || map->interleave))
        return emu_fault(w, insn, EMU_FAULT_ILLEGAL_INSTRUCTION,
                         "a box of %u rows%s: gather4 and scatter4 take one row, without interleave",
                         map->box[1], map->interleave ? ", interleaved" : "");
    return begin_part(c, map, tile, 0);
}

static uint32_t parts_of(const struct tensor_copy *c) { return c->four ? 4 : 1; }
static uint32_t smem_bytes(const struct tensor_copy *c, const struct emu_tile *tile) {
    return (parts_of(c) - 1) * tile->pitch + emu_tile_smem_bytes(tile);
}

/* The part of global memory that the box touches: asked about as one span first, row by row where that is not
 * one allocation. */
static bool check_global(struct emu_cluster *cluster, struct emu_async *base, const struct emu_tile *tile) {
    uint64_t address, bytes;
    if (!emu_tile_span(tile, &address, &bytes) ||
        emu_device_contains(cluster->launch->device, address, bytes))
        return true;
    struct emu_tile walk = *tile;
    struct emu_tile_row row;
    for (uint32_t r = 0; r < tile->rows; r++) {
        emu_tile_next(&walk, &row);
        if (row.first < row.last &&
            !emu_async_global(cluster, base, row.address + row.first, row.last - row.first))
            return false;
    }
    return true;
}

/* ---- loads ---- */

static bool is_tf32(const struct emu_tensor_map *map) {
    return map->type == EMU_TENSOR_TF32 || map->type == EMU_TENSOR_TF32_FTZ;
}

/* tf32 maps round what they load to nearest even at 10 mantissa bits; NaN is 0x7fffe000 (facts 6.2). */
static void round_tf32(uint8_t *bytes, uint32_t count) {
    for (uint32_t i = 0; i < count; i += 4) {
        uint32_t u;
        memcpy(&u, bytes + i, 4);
        bool nan = (u & 0x7fffffff) > 0x7f800000, finite = (u & 0x7f800000) != 0x7f800000;
        u = nan ? 0x7fffe000 : finite ? (u + 0xfff + (u >> 13 & 1)) & ~0x1fffu : u;
        memcpy(bytes + i, &u, 4);
    }
}

/* The row with its parts outside the tensor filled, and converted; in `buffer`, or where it is when nothing
 * is to do. */
static const uint8_t *load_row(const struct emu_tile *tile, const struct emu_tile_row *row, uint8_t *buffer) {
    const uint8_t *source = (const uint8_t *)(uintptr_t)row->address;
    bool whole = row->first == 0 && row->last == tile->row_bytes;
    if (whole && !is_tf32(tile->map)) return source;
    if (!whole) {
        uint16_t fill = tile->map->nan_fill ? 0x7ff7 : 0;
        for (uint32_t i = 0; i < tile->row_bytes; i += 2) memcpy(buffer + i, &fill, 2);
    }
    if (row->first < row->last) memcpy(buffer + row->first, source + row->first, row->last - row->first);
    if (is_tf32(tile->map)) round_tf32(buffer + row->first, row->last - row->first);
    return buffer;
}

static enum emu_step run_load(struct emu_cluster *cluster, struct emu_async *base) {
    struct tensor_copy *c = (struct tensor_copy *)base;
    struct emu_tensor_map map;
    struct emu_tile tile;
    if (begin(cluster, c, &map, &tile) == EMU_FAULT) return EMU_FAULT;
    if (cluster->judge) emu_judge_completes(cluster, base, c->barrier);
    uint8_t *smem = emu_async_smem(cluster, base, c->smem, smem_bytes(c, &tile), EMU_WRITE);
    if (!smem) return EMU_FAULT;
    for (uint32_t part = 0; part < parts_of(c); part++) {
        if (part && begin_part(c, &map, &tile, part) == EMU_FAULT) return EMU_FAULT;
        if (!check_global(cluster, base, &tile)) return EMU_FAULT;
        for (uint32_t r = 0; r < tile.rows; r++) {
            uint8_t buffer[LONGEST_ROW];
            struct emu_tile_row row;
            emu_tile_next(&tile, &row);
            emu_tile_scatter(&tile, part + r, smem, c->smem, load_row(&tile, &row, buffer));
        }
    }
    return emu_mbarrier_complete(base->warp, base->insn, c->barrier, parts_of(c) * tile.bytes);
}

/* ---- stores ---- */

static const int8_t reduce_types[EMU_TENSOR_TYPES] = {
    /* clang-format off */
    [EMU_TENSOR_U8] = -1,              [EMU_TENSOR_U16] = -1,              [EMU_TENSOR_U32] = EMU_REDUCE_U32,
    [EMU_TENSOR_S32] = EMU_REDUCE_S32, [EMU_TENSOR_U64] = EMU_REDUCE_U64,  [EMU_TENSOR_S64] = EMU_REDUCE_S64,
    [EMU_TENSOR_F16] = EMU_REDUCE_F16, [EMU_TENSOR_F32] = EMU_REDUCE_F32,  [EMU_TENSOR_F64] = -1,
    [EMU_TENSOR_BF16] = EMU_REDUCE_BF16, [EMU_TENSOR_F32_FTZ] = EMU_REDUCE_F32_FTZ,
    [EMU_TENSOR_TF32] = -1,            [EMU_TENSOR_TF32_FTZ] = -1,
    /* clang-format on */
};

/* The element type of a reduction through this map; -1: there is none. The bit operations take three types [measured H200]. */
static int reduce_type(const struct emu_tensor_map *map, enum emu_reduce_op op) {
    bool bits = op == EMU_REDUCE_AND || op == EMU_REDUCE_OR || op == EMU_REDUCE_XOR;
    int type = reduce_types[map->type];
    if (bits)
        type = type == EMU_REDUCE_U32 || type == EMU_REDUCE_S32 ? EMU_REDUCE_B32 : type == EMU_REDUCE_U64 ? EMU_REDUCE_B64 : -1;
    return type >= 0 && emu_reduce_legal(op, (enum emu_reduce_type)type, false) ? type : -1;
}

/* Where a row's store ends: its last 16 bytes of global memory are written whole, though the tensor end in them [measured
 * H200]; not over the end of an allocation here, where that chip has nothing of anybody's. */
static uint32_t written_to(const struct emu_cluster *cluster, const struct emu_tile_row *row) {
    uint32_t end = (row->last + 15) & ~15u;
    bool owned = emu_device_contains(cluster->launch->device, row->address + row->first, end - row->first);
    return owned ? end : row->last;
}

static enum emu_step run_write(struct emu_cluster *cluster, struct emu_async *base) {
    struct tensor_copy *c = (struct tensor_copy *)base;
    struct emu_tensor_map map;
    struct emu_tile tile;
    if (begin(cluster, c, &map, &tile) == EMU_FAULT) return EMU_FAULT;
    int type = c->reduce ? reduce_type(&map, c->op) : 0;
    for (uint32_t part = 0; part < parts_of(c); part++) {
        if (part && begin_part(c, &map, &tile, part) == EMU_FAULT) return EMU_FAULT;
        if (!check_global(cluster, base, &tile)) return EMU_FAULT;
        for (uint32_t r = 0; r < tile.rows; r++) {
            struct emu_tile_row row;
            emu_tile_next(&tile, &row);
            if (row.first == row.last) continue;
            uint8_t *target = (uint8_t *)(uintptr_t)(row.address + row.first);
            const uint8_t *source = c->data + (part + r) * tile.row_bytes + row.first;
            uint32_t bytes = written_to(cluster, &row) - row.first;
            if (c->reduce) emu_reduce(target, source, bytes, c->op, (enum emu_reduce_type)type);
            else memcpy(target, source, bytes);
        }
    }
    emu_bulk_write_done(cluster, c->group);
    return EMU_NEXT;
}

static enum emu_step check_store(const struct tensor_copy *c, const struct emu_tensor_map *map) {
    for (uint32_t i = 0; i < (c->four ? 5 : c->dims); i++)
        if (c->start[i] < 0) /* facts 6.2 */
            return emu_fault(c->base.warp, c->base.insn, EMU_FAULT_ILLEGAL_INSTRUCTION,
                             "store to coordinate %d in dimension %u: stores start inside the tensor",
                             c->start[i], i);
    if (c->reduce && reduce_type(map, c->op) < 0)
        return emu_fault(c->base.warp, c->base.insn, EMU_FAULT_ILLEGAL_INSTRUCTION,
                         "this reduction has no form for %s elements", emu_tensor_type_name(map->type));
    return EMU_NEXT;
}

static enum emu_step run_read(struct emu_cluster *cluster, struct emu_async *base) {
    struct tensor_copy *c = (struct tensor_copy *)base;
    struct emu_tensor_map map;
    struct emu_tile tile;
    if (begin(cluster, c, &map, &tile) == EMU_FAULT || check_store(c, &map) == EMU_FAULT) return EMU_FAULT;
    const uint8_t *smem = emu_async_smem(cluster, base, c->smem, smem_bytes(c, &tile), EMU_READ);
    if (!smem) return EMU_FAULT;
    uint32_t rows = parts_of(c) * tile.rows;
    struct tensor_copy *write = emu_async_new(base->warp, base->lane, base->insn, run_write,
                                              (uint32_t)sizeof *c + rows * tile.row_bytes);
    if (!write) return EMU_FAULT;
    memcpy(&write->base + 1, &c->base + 1, sizeof *c - sizeof c->base);
    for (uint32_t r = 0; r < rows; r++)
        emu_tile_gather(&tile, r, smem, c->smem, write->data + r * tile.row_bytes);
    emu_bulk_read_done(cluster, c->group);
    return emu_async_issue(cluster, &write->base);
}

/* ---- issue ---- */

/* The map and the coordinates of a [map, {c...}] operand. */
static enum emu_step operand_of(struct emu_warp *w, const struct emu_insn *insn, const struct emu_opnd *o,
                                uint32_t lane, struct tensor_copy *c) {
    c->map = emu_address(w, o, lane);
    if (w->judge) emu_judge_map_used(w, insn, c->map);
    c->dims = c->four ? 2 : insn->mod[0];
    for (uint32_t i = 0; i < o->count; i++) c->start[i] = (int32_t)emu_lane(w, &o->elems[i + 1], lane);
    return EMU_NEXT;
}

static enum emu_step tile_at(struct emu_warp *w, const struct emu_insn *insn, const struct emu_opnd *o,
                             uint32_t lane, bool own, uint32_t *address) {
    if (emu_lane_shared(w, insn, o, lane, false, 128, address) == EMU_FAULT) return EMU_FAULT;
    if (!own || *address >> 24 == w->cta->rank) return EMU_NEXT;
    return emu_fault(w, insn, EMU_FAULT_ILLEGAL_ADDRESS,
                     "0x%x is in CTA %u of the cluster, .shared::cta means the own, %u", *address,
                     *address >> 24, w->cta->rank);
}

/* Rows of loads: cp.async.bulk.tensor.<dim>{.tile}.<own|cluster>.global{.tile}.mbarrier...{.tile} and then,
 * in any order,
 * {.L2::cache_hint} {.multicast::cluster} {.cta_group}. */
enum { MOD_DIM = 0, MOD_SPACE = 2, MOD_GROUP = 8, SPACE_CTA = 1, GROUP_2 = 2 };
static const uint8_t hint_mods[] = {5, 7, 9}, multicast_mods[] = {6, 10};

static bool any_mod(const struct emu_insn *insn, const uint8_t *mods, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        if (insn->mod[mods[i]]) return true;
    return false;
}

struct load {
    bool pair, multicast;
    struct tensor_copy copy;
};

static enum emu_step issue_load(struct emu_warp *w, const struct emu_insn *insn, uint32_t lane, uint32_t rank,
                                const void *what) {
    const struct load *l = what;
    struct tensor_copy c = l->copy;
    uint32_t parity = l->copy.barrier >> 24 & 1, target = l->multicast ? rank : l->copy.barrier >> 24;
    if (l->multicast && l->pair)
        target = (rank & ~1u) | parity; /* all even or all odd CTAs of the pairs are told */
    c.smem = rank << 24 | (c.smem & 0xffffff);
    c.barrier = target << 24 | (c.barrier & 0xffffff);
    return emu_async_post(w, lane, insn, run_load, &c, sizeof c);
}

/* Without cta_group::2 the barrier must be in the destination's CTA; with it, in the destination's pair. */
static enum emu_step check_barrier(struct emu_warp *w, const struct emu_insn *insn, const struct load *l) {
    uint32_t target = l->copy.smem >> 24, barrier = l->copy.barrier >> 24;
    if (l->multicast || target == barrier || (l->pair && (target ^ barrier) == 1)) return EMU_NEXT;
    return emu_fault(w, insn, EMU_FAULT_LAUNCH_FAILED,
                     "destination 0x%x and mbarrier 0x%x are in different CTAs%s", l->copy.smem,
                     l->copy.barrier, l->pair ? " of different pairs" : "; .cta_group::2 allows the pair's");
}

static enum emu_step load(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask, bool four) {
    EMU_FOR_LANES(mask, lane) {
        struct load l = {.pair = insn->mod[MOD_GROUP] == GROUP_2,
                         .multicast = insn->op[3].kind != EMU_OP_NONE,
                         .copy = {.four = four}};
        bool own = insn->mod[MOD_SPACE] == SPACE_CTA;
        if (tile_at(w, insn, &insn->op[0], lane, own, &l.copy.smem) == EMU_FAULT ||
            operand_of(w, insn, &insn->op[1], lane, &l.copy) == EMU_FAULT ||
            emu_lane_shared(w, insn, &insn->op[2], lane, false, 8, &l.copy.barrier) == EMU_FAULT ||
            check_barrier(w, insn, &l) == EMU_FAULT)
            return EMU_FAULT;
        uint32_t ctas = 1u << (l.copy.smem >> 24 & 31);
        if (l.multicast) ctas = (uint16_t)emu_lane(w, &insn->op[3], lane);
        if (emu_for_each_cta(w, insn, lane, ctas, issue_load, &l) == EMU_FAULT) return EMU_FAULT;
    }
    return EMU_NEXT;
}

enum emu_step sem_tma_load(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    return load(w, insn, mask, false);
}
enum emu_step sem_tma_gather4(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    return load(w, insn, mask, true);
}

static void check_four(struct emu_decoder *d, struct emu_insn *insn, const struct emu_opnd *map) {
    if (map->count != 5)
        emu_decode_fail(d, insn, "%u coordinates: this form takes a column and four rows", map->count);
}
static void check_coordinates(struct emu_decoder *d, struct emu_insn *insn, const struct emu_opnd *map) {
    if (map->count != insn->mod[MOD_DIM])
        emu_decode_fail(d, insn, "%u coordinates for a %ud tensor", map->count, insn->mod[MOD_DIM]);
}

static void decode_load(struct emu_decoder *d, struct emu_insn *insn) {
    bool hint = any_mod(insn, hint_mods, sizeof hint_mods),
         multicast = any_mod(insn, multicast_mods, sizeof multicast_mods);
    if (hint && !multicast &&
        insn->op[4].kind == EMU_OP_NONE) { /* a literal policy fits the mask's column too */
        insn->op[4] = insn->op[3];
        insn->op[3] = (struct emu_opnd){0};
    }
    if (multicast && insn->mod[MOD_SPACE] == SPACE_CTA)
        emu_decode_fail(d, insn, ".multicast::cluster needs .shared::cluster");
    if ((insn->op[3].kind != EMU_OP_NONE) != multicast || (insn->op[4].kind != EMU_OP_NONE) != hint)
        emu_decode_fail(
            d, insn, "%s, %s", multicast ? ".multicast::cluster wants a 16-bit CTA mask" : "no CTA mask here",
            hint ? ".L2::cache_hint wants a 64-bit policy" : "no cache policy without .L2::cache_hint");
}

void emu_decode_tma_load(struct emu_decoder *d, struct emu_insn *insn) {
    check_coordinates(d, insn, &insn->op[1]);
    decode_load(d, insn);
}
void emu_decode_tma_gather4(struct emu_decoder *d, struct emu_insn *insn) {
    check_four(d, insn, &insn->op[1]);
    decode_load(d, insn);
}

/* Stores: cp.async.bulk.tensor.<dim>... ; reductions have .<op> as mod[1]. */
static enum emu_step store(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask, bool reduce,
                           bool four) {
    EMU_FOR_LANES(mask, lane) {
        struct tensor_copy c = {
            .four = four, .reduce = reduce, .op = reduce ? (uint8_t)(insn->mod[1] - 1) : 0};
        if (operand_of(w, insn, &insn->op[0], lane, &c) == EMU_FAULT ||
            tile_at(w, insn, &insn->op[1], lane, true, &c.smem) == EMU_FAULT ||
            !(c.group = emu_bulk_join(w, insn, lane, &w->bulk)) ||
            emu_async_post(w, lane, insn, run_read, &c, sizeof c) == EMU_FAULT)
            return EMU_FAULT;
    }
    return EMU_NEXT;
}

enum emu_step sem_tma_store(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    return store(w, insn, mask, false, false);
}
enum emu_step sem_tma_scatter4(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    return store(w, insn, mask, false, true);
}
enum emu_step sem_tma_reduce(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    return store(w, insn, mask, true, false);
}
void emu_decode_tma_store(struct emu_decoder *d, struct emu_insn *insn) {
    check_coordinates(d, insn, &insn->op[0]);
}
void emu_decode_tma_scatter4(struct emu_decoder *d, struct emu_insn *insn) {
    check_four(d, insn, &insn->op[0]);
}

/* Hints to the caches: nothing moves. */
enum emu_step sem_tma_prefetch(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    (void)w, (void)insn, (void)mask;
    return EMU_NEXT;
}
