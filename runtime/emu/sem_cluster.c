/* The cluster barrier, mapa and getctarank. PTX ISA 9.1 §9.7.13.3, §9.7.9.23, §9.7.9.24. */
#include "gen/arena.h"
#include "runtime/emu/cluster.h"
#include "runtime/emu/exec.h"
#include "runtime/emu/fault.h"
#include "runtime/emu/judge.h"

static bool all_arrived(const struct emu_cluster *cluster) {
    for (uint32_t c = 0; c < cluster->cta_count; c++)
        for (uint32_t i = 0; i < cluster->ctas[c]->warp_count; i++) {
            const struct emu_warp *w = &cluster->ctas[c]->warps[i];
            if (w->live & ~w->cluster_arrived) return false;
        }
    return true;
}

void emu_cluster_barrier_check(struct emu_cluster *cluster) {
    if (!cluster->barrier.arrived || !all_arrived(cluster)) return;
    for (uint32_t c = 0; c < cluster->cta_count; c++)
        for (uint32_t i = 0; i < cluster->ctas[c]->warp_count; i++)
            cluster->ctas[c]->warps[i].cluster_arrived = 0;
    cluster->barrier.arrived = 0;
    cluster->barrier.generation++;
    emu_notify(cluster);
}

enum emu_step sem_cluster_arrive(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    struct emu_cluster *cluster = w->cta->cluster;
    if (!w->cluster_generation)
        w->cluster_generation = wl_arena_alloc(cluster->arena, EMU_LANES * sizeof *w->cluster_generation);
    if (!w->cluster_generation)
        return emu_fault(w, insn, EMU_FAULT_NO_MEMORY, "no memory for the cluster barrier");
    if (w->cluster_arrived & mask)
        return emu_fault(w, insn, EMU_FAULT_LAUNCH_FAILED,
                         "lanes 0x%08x arrive at the cluster barrier twice before it completed",
                         w->cluster_arrived & mask);
    if (w->judge) emu_judge_cluster_arrive(w, insn);
    EMU_FOR_LANES(mask, lane) w->cluster_generation[lane] = cluster->barrier.generation + 1;
    w->cluster_arrived |= mask;
    cluster->barrier.arrived += (uint32_t)__builtin_popcount(mask);
    emu_cluster_barrier_check(cluster);
    return EMU_NEXT;
}

enum emu_step sem_cluster_wait(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    struct emu_cluster *cluster = w->cta->cluster;
    EMU_FOR_LANES(mask, lane) {
        uint32_t generation = w->cluster_generation ? w->cluster_generation[lane] : 0;
        if (!generation)
            return emu_fault(w, insn, EMU_FAULT_LAUNCH_FAILED,
                             "lane %u waits at the cluster barrier without having arrived", lane);
        if (generation == cluster->barrier.generation + 1)
            return emu_wait(w, EMU_WAIT_CLUSTER, 0, cluster->barrier.arrived);
    }
    if (w->judge) emu_judge_cluster_wait(w, w->cluster_generation[__builtin_ctz(mask)] - 1);
    EMU_FOR_LANES(mask, lane) w->cluster_generation[lane] = 0;
    return EMU_NEXT;
}

enum { RANK_AT = 24 };
#define OFFSET_MASK 0xffffffull

static uint64_t with_rank(uint64_t address, uint32_t rank) {
    uint64_t high = address & ~0xffffffffull; /* the window, of a generic address */
    return high | (uint32_t)(rank << RANK_AT) | (address & OFFSET_MASK);
}

static void set_lane(struct emu_warp *w, const struct emu_opnd *d, uint32_t lane, uint64_t value) {
    if (d->bytes == 8) emu_set_lane64(w, d, lane, value);
    else emu_set_lane32(w, d, lane, (uint32_t)value);
}

/* A rank that does not exist still gives an address; only its use faults (facts 7.1). */
enum emu_step sem_mapa_shared(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    EMU_FOR_LANES(mask, lane)
    set_lane(w, &insn->op[0], lane,
             with_rank((uint32_t)emu_lane(w, &insn->op[1], lane), (uint32_t)emu_lane(w, &insn->op[2], lane)));
    return EMU_NEXT;
}

static enum emu_step generic_shared(struct emu_warp *w, const struct emu_insn *insn, uint32_t lane,
                                    uint64_t *address) {
    uint32_t shared;
    *address = emu_lane(w, &insn->op[1], lane);
    if (emu_generic_is_shared(*address, &shared)) return EMU_NEXT;
    return emu_fault(w, insn, EMU_FAULT_ILLEGAL_ADDRESS,
                     "lane %u: generic address 0x%llx is not in shared memory", lane,
                     (unsigned long long)*address);
}

enum emu_step sem_mapa_generic(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    EMU_FOR_LANES(mask, lane) {
        uint64_t address;
        if (generic_shared(w, insn, lane, &address) == EMU_FAULT) return EMU_FAULT;
        emu_set_lane64(w, &insn->op[0], lane, with_rank(address, (uint32_t)emu_lane(w, &insn->op[2], lane)));
    }
    return EMU_NEXT;
}

enum emu_step sem_getctarank_shared(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    EMU_FOR_LANES(mask, lane)
    emu_set_lane32(w, &insn->op[0], lane, (uint32_t)emu_lane(w, &insn->op[1], lane) >> RANK_AT);
    return EMU_NEXT;
}

enum emu_step sem_getctarank_generic(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    EMU_FOR_LANES(mask, lane) {
        uint64_t address;
        if (generic_shared(w, insn, lane, &address) == EMU_FAULT) return EMU_FAULT;
        emu_set_lane32(w, &insn->op[0], lane, (uint32_t)address >> RANK_AT);
    }
    return EMU_NEXT;
}
