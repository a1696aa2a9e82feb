/* arrivals: see arrivals.h. */
#include "runtime/emu/arrivals.h"

#include "gen/arena.h"

void emu_arrivals_note(struct emu_cluster *cluster, const struct emu_arrival *arrival) {
    if (!cluster->arrivals) cluster->arrivals = wl_arena_alloc(cluster->arena, sizeof *cluster->arrivals);
    struct emu_arrivals *ring = cluster->arrivals;
    if (ring) ring->at[ring->count++ % EMU_ARRIVALS_KEPT] = *arrival; /* without memory, the report says less */
}

static bool done_again(const struct emu_arrival *list, uint32_t count, const struct emu_arrival *one) {
    for (uint32_t i = 0; i < count; i++)
        if (list[i].warp == one->warp && list[i].bytes == one->bytes) return true;
    return false;
}

static bool known(const struct emu_arrival *list, uint32_t count, const struct emu_arrival *one) {
    for (uint32_t i = 0; i < count; i++)
        if (list[i].warp == one->warp && list[i].insn == one->insn) return true;
    return false;
}

uint32_t emu_arrivals_find(const struct emu_cluster *cluster, uint32_t address, int phase, struct emu_arrival *out,
                           uint32_t room) {
    const struct emu_arrivals *ring = cluster->arrivals;
    struct emu_arrival now[64]; /* of the open phase */
    uint32_t here = 0, count = 0;
    bool open = true;
    if (!ring) return 0;
    uint64_t kept = ring->count < EMU_ARRIVALS_KEPT ? ring->count : EMU_ARRIVALS_KEPT;
    for (uint64_t i = 1; i <= kept && count < room; i++) { /* newest first */
        const struct emu_arrival *a = &ring->at[(ring->count - i) % EMU_ARRIVALS_KEPT];
        if (a->address != address) continue;
        if (a->ended) open = false;
        if (open && here < 64 && !known(now, here, a)) now[here++] = *a;
        if (open == (phase != 0) || known(out, count, a)) continue;
        if (phase && done_again(now, here, a)) continue;
        out[count++] = *a;
    }
    return count;
}
