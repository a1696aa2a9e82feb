#include "runtime/emu/tmem.h"

#include "gen/arena.h"
#include "runtime/emu/exec.h"
#include "runtime/emu/fault.h"
#include "runtime/emu/judge.h"

#define FRESH 0xffc7ffc7u /* NaN as f32, and both halves as bf16 and f16 */

struct emu_tmem *emu_tmem_get(struct emu_cta *cta, struct emu_warp *warp, const struct emu_insn *insn) {
    if (cta->tmem) return cta->tmem;
    struct wl_arena *arena = cta->cluster->arena;
    struct emu_tmem *tmem = wl_arena_alloc(arena, sizeof *tmem);
    if (tmem) tmem->cell = wl_arena_alloc(arena, EMU_TMEM_COLUMNS * sizeof *tmem->cell);
    if (!tmem || !tmem->cell) {
        emu_fault(warp, insn, EMU_FAULT_NO_MEMORY, "no memory for a CTA's tensor memory");
        return NULL;
    }
    return cta->tmem = tmem;
}

struct emu_tmem_port *emu_tmem_port_get(struct emu_warp *warp, const struct emu_insn *insn) {
    if (!warp->tmem) warp->tmem = wl_arena_alloc(warp->cta->cluster->arena, sizeof *warp->tmem);
    if (!warp->tmem) emu_fault(warp, insn, EMU_FAULT_NO_MEMORY, "no memory for a warp's tensor memory port");
    return warp->tmem;
}

enum emu_step emu_tmem_group(struct emu_warp *warp, const struct emu_insn *insn, uint32_t cta_group) {
    struct emu_tmem *tmem = emu_tmem_get(warp->cta, warp, insn);
    if (!tmem) return EMU_FAULT;
    if (cta_group == 2 && (warp->cta->rank ^ 1) >= warp->cta->cluster->cta_count)
        return emu_fault(warp, insn, EMU_FAULT_ILLEGAL_INSTRUCTION,
                         "cta_group::2 in CTA %u of a cluster of %u: it has no peer", warp->cta->rank,
                         warp->cta->cluster->cta_count);
    if (!tmem->cta_group) tmem->cta_group = cta_group;
    if (tmem->cta_group == cta_group) return EMU_NEXT;
    return emu_fault(warp, insn, EMU_FAULT_ILLEGAL_INSTRUCTION,
                     "cta_group::%u, but the kernel used cta_group::%u before: one value for all of it",
                     cta_group, tmem->cta_group);
}

void emu_tmem_mirror(struct emu_tmem *tmem, uint32_t column, uint32_t columns) {
    uint32_t at = column / EMU_TMEM_UNIT, units = columns / EMU_TMEM_UNIT;
    tmem->used |= (uint16_t)(((1u << units) - 1) << at);
    tmem->block[at] = (uint8_t)units;
    for (uint32_t c = 0; c < columns; c++)
        for (uint32_t lane = 0; lane < EMU_TMEM_LANES; lane++) tmem->cell[column + c][lane] = FRESH;
}

/* Blocks start at multiples of their size, so that shrinking requests never find the rest in pieces. A real
 * device may share the columns with other CTAs: under random order any free block is given, else the lowest.
 */
bool emu_tmem_take(struct emu_tmem *tmem, struct emu_cluster *cluster, uint32_t columns, uint32_t *column) {
    uint32_t units = columns / EMU_TMEM_UNIT, fitting[16], count = 0;
    for (uint32_t at = 0; at + units <= 16; at += units)
        if (!(tmem->used & ((1u << units) - 1) << at)) fitting[count++] = at;
    if (!count) return false;
    bool any = cluster->launch->order == EMU_ORDER_RANDOM && count > 1;
    uint32_t at = fitting[any ? emu_random(cluster) % count : 0];
    *column = at * EMU_TMEM_UNIT;
    emu_tmem_mirror(tmem, *column, columns);
    return true;
}

bool emu_tmem_give(struct emu_tmem *tmem, uint32_t column, uint32_t columns) {
    uint32_t at = column / EMU_TMEM_UNIT, units = columns / EMU_TMEM_UNIT;
    if (column % EMU_TMEM_UNIT || at >= 16 || !units || tmem->block[at] != units) return false;
    tmem->used &= (uint16_t) ~(((1u << units) - 1) << at);
    tmem->block[at] = 0;
    return true;
}

static bool given_out(const struct emu_tmem *tmem, uint32_t column, uint32_t columns) {
    for (uint32_t unit = column / EMU_TMEM_UNIT; unit <= (column + columns - 1) / EMU_TMEM_UNIT; unit++)
        if (unit >= 16 || !(tmem->used >> unit & 1)) return false;
    return true;
}

uint32_t (*emu_tmem_access(struct emu_cta *cta, struct emu_warp *warp, const struct emu_insn *insn,
                           struct emu_async *op, uint32_t lane, uint32_t lanes, uint32_t column,
                           uint32_t columns, enum emu_access access))[EMU_TMEM_LANES] {
    if (cta->tmem && lane + lanes <= EMU_TMEM_LANES && given_out(cta->tmem, column, columns)) {
        if (cta->judge) emu_judge_tmem(cta, warp, insn, op, lane, lanes, column, columns, access);
        return &cta->tmem->cell[column];
    }
    emu_fault(
        warp, insn, EMU_FAULT_LAUNCH_FAILED, "%s tensor memory of CTA %u, lanes %u..%u, columns %u..%u: %s",
        access == EMU_WRITE ? "writes" : "reads", cta->rank, lane, lane + lanes - 1, column,
        column + columns - 1,
        lane + lanes > EMU_TMEM_LANES ? "there are 128 lanes" : "not all of these columns are allocated");
    return NULL;
}
