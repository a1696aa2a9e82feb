/* cp.async.bulk and cp.reduce.async.bulk, one-dimensional, and the bulk groups. PTX ISA 9.1 §9.7.9.25.4,
 * §9.7.9.27.2.
 *
 * A copy to shared memory is one effect a destination CTA: data, then complete_tx on that CTA's barrier. A
 * copy to global memory is two: the source is read, then the destination is written. */
#include <string.h>
#include "runtime/emu/async.h"
#include "runtime/emu/bulk.h"
#include "runtime/emu/decode.h"
#include "runtime/emu/fault.h"
#include "runtime/emu/judge.h"
#include "runtime/emu/mbarrier.h"
#include "runtime/emu/operand.h"
#include "runtime/emu/reduce.h"
#include "runtime/emu/sem_bulk.h"

struct bulk_copy {
    struct emu_async base;
    uint64_t global;
    uint32_t source, target, bytes, barrier; /* shared addresses */
    uint16_t byte_mask;
    uint8_t reduce, op, type;
    struct emu_bulk_group *group;
    uint8_t data[]; /* to global: what was read */
};

static enum emu_step run_to_shared(struct emu_cluster *cluster, struct emu_async *base) {
    struct bulk_copy *c = (struct bulk_copy *)base;
    if (cluster->judge) emu_judge_completes(cluster, base, c->barrier);
    uint8_t *target = emu_async_smem(cluster, base, c->target, c->bytes, EMU_WRITE);
    if (!target || !emu_async_global(cluster, base, c->global, c->bytes)) return EMU_FAULT;
    memcpy(target, (const void *)(uintptr_t)c->global, c->bytes);
    return emu_mbarrier_complete(base->warp, base->insn, c->barrier, c->bytes);
}

static enum emu_step run_shared_to_shared(struct emu_cluster *cluster, struct emu_async *base) {
    struct bulk_copy *c = (struct bulk_copy *)base;
    if (cluster->judge) emu_judge_completes(cluster, base, c->barrier);
    uint8_t *source = emu_async_smem(cluster, base, c->source, c->bytes, EMU_READ);
    uint8_t *target = source ? emu_async_smem(cluster, base, c->target, c->bytes, EMU_WRITE) : NULL;
    if (!target) return EMU_FAULT;
    if (c->reduce) emu_reduce(target, source, c->bytes, c->op, c->type);
    else memmove(target, source, c->bytes);
    return emu_mbarrier_complete(base->warp, base->insn, c->barrier, c->bytes);
}

static enum emu_step run_write_global(struct emu_cluster *cluster, struct emu_async *base) {
    struct bulk_copy *c = (struct bulk_copy *)base;
    if (!emu_async_global(cluster, base, c->global, c->bytes)) return EMU_FAULT;
    uint8_t *target = (uint8_t *)(uintptr_t)c->global;
    if (c->reduce) emu_reduce(target, c->data, c->bytes, c->op, c->type);
    else if (c->byte_mask == 0xffff) memcpy(target, c->data, c->bytes);
    else
        for (uint32_t i = 0; i < c->bytes; i++)
            if (c->byte_mask >> i % 16 & 1) target[i] = c->data[i];
    emu_bulk_write_done(cluster, c->group);
    return EMU_NEXT;
}

static enum emu_step run_read_shared(struct emu_cluster *cluster, struct emu_async *base) {
    struct bulk_copy *c = (struct bulk_copy *)base;
    const uint8_t *source = emu_async_smem(cluster, base, c->source, c->bytes, EMU_READ);
    if (!source) return EMU_FAULT;
    struct bulk_copy *write =
        emu_async_new(base->warp, base->lane, base->insn, run_write_global, (uint32_t)sizeof *c + c->bytes);
    if (!write) return EMU_FAULT;
    struct emu_async head = write->base;
    memcpy(write, c, sizeof *c);
    write->base = head;
    memcpy(write->data, source, c->bytes);
    emu_bulk_read_done(cluster, c->group);
    return emu_async_issue(cluster, &write->base);
}

static enum emu_step check_size(struct emu_warp *w, const struct emu_insn *insn, uint32_t bytes) {
    if (bytes % 16 == 0) return EMU_NEXT;
    return emu_fault(w, insn, EMU_FAULT_ILLEGAL_INSTRUCTION, "bulk copy of %u bytes: not a multiple of 16",
                     bytes);
}

static enum emu_step global_at(struct emu_warp *w, const struct emu_insn *insn, const struct emu_opnd *o,
                               uint32_t lane, uint64_t *address) {
    *address = emu_address(w, o, lane);
    if (*address % 16 == 0) return EMU_NEXT;
    return emu_fault(w, insn, EMU_FAULT_MISALIGNED, "lane %u: global address 0x%llx is not a multiple of 16",
                     lane, (unsigned long long)*address);
}

static enum emu_step own_cta(struct emu_warp *w, const struct emu_insn *insn, uint32_t address) {
    if (address >> 24 == w->cta->rank) return EMU_NEXT;
    return emu_fault(w, insn, EMU_FAULT_ILLEGAL_ADDRESS,
                     "0x%x is in CTA %u of the cluster, .shared::cta means the own, %u", address,
                     address >> 24, w->cta->rank);
}

static enum emu_step same_cta(struct emu_warp *w, const struct emu_insn *insn, uint32_t target,
                              uint32_t barrier) {
    if (target >> 24 == barrier >> 24) return EMU_NEXT;
    return emu_fault(w, insn, EMU_FAULT_LAUNCH_FAILED,
                     "destination 0x%x and mbarrier 0x%x are in different CTAs", target, barrier);
}

/* Issues the copy to one CTA: at the same offsets, with that CTA's barrier. */
static enum emu_step issue_to(struct emu_warp *w, const struct emu_insn *insn, uint32_t lane, uint32_t rank,
                              const struct bulk_copy *what) {
    struct bulk_copy c = {.global = what->global, .bytes = what->bytes};
    c.target = rank << 24 | (what->target & 0xffffff);
    c.barrier = rank << 24 | (what->barrier & 0xffffff);
    return emu_async_post(w, lane, insn, run_to_shared, &c, sizeof c);
}

enum emu_step emu_for_each_cta(struct emu_warp *w, const struct emu_insn *insn, uint32_t lane, uint32_t mask,
                               emu_each_cta_fn *each, const void *what) {
    uint32_t existing = (1u << w->cta->cluster->cta_count) - 1;
    if (mask & ~existing)
        return emu_fault(w, insn, EMU_FAULT_LAUNCH_FAILED, "multicast to CTAs 0x%x of a cluster of %u", mask,
                         w->cta->cluster->cta_count);
    for (; mask; mask &= mask - 1)
        if (each(w, insn, lane, (uint32_t)__builtin_ctz(mask), what) == EMU_FAULT) return EMU_FAULT;
    return EMU_NEXT;
}

static enum emu_step issue_each(struct emu_warp *w, const struct emu_insn *insn, uint32_t lane, uint32_t rank,
                                const void *what) {
    return issue_to(w, insn, lane, rank, what);
}

/* [dst], [src], size, [mbar] {, mask}; multicast: op[4] is the mask. */
static enum emu_step to_shared(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask, bool own,
                               bool multicast) {
    EMU_FOR_LANES(mask, lane) {
        struct bulk_copy c = {.bytes = (uint32_t)emu_lane(w, &insn->op[2], lane)};
        if (check_size(w, insn, c.bytes) == EMU_FAULT ||
            global_at(w, insn, &insn->op[1], lane, &c.global) == EMU_FAULT ||
            emu_lane_shared(w, insn, &insn->op[0], lane, false, 16, &c.target) == EMU_FAULT ||
            emu_lane_shared(w, insn, &insn->op[3], lane, false, 8, &c.barrier) == EMU_FAULT)
            return EMU_FAULT;
        if (own && (own_cta(w, insn, c.target) == EMU_FAULT || own_cta(w, insn, c.barrier) == EMU_FAULT))
            return EMU_FAULT;
        if (!multicast && same_cta(w, insn, c.target, c.barrier) == EMU_FAULT) return EMU_FAULT;
        uint32_t ctas = multicast ? (uint16_t)emu_lane(w, &insn->op[4], lane) : 1u << (c.target >> 24 & 31);
        if (emu_for_each_cta(w, insn, lane, ctas, issue_each, &c) == EMU_FAULT) return EMU_FAULT;
    }
    return EMU_NEXT;
}

enum emu_step sem_bulk_load_cta(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    return to_shared(w, insn, mask, true, false);
}
enum emu_step sem_bulk_load_cluster(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    return to_shared(w, insn, mask, false, false);
}
enum emu_step sem_bulk_load_multicast(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    return to_shared(w, insn, mask, false, true);
}

/* What a reduce row does: its pattern ends in .<op>{.noftz}.<type>, and has no other choices. */
static const uint8_t type_choice[] = {EMU_REDUCE_U32, EMU_REDUCE_S32, EMU_REDUCE_U64, EMU_REDUCE_S64,
                                      EMU_REDUCE_B32, EMU_REDUCE_B64, EMU_REDUCE_F16, EMU_REDUCE_BF16,
                                      EMU_REDUCE_F32, EMU_REDUCE_F64};

static void reduction(const struct emu_insn *insn, struct bulk_copy *c) {
    c->reduce = true;
    c->op = (uint8_t)(insn->mod[0] - 1);
    c->type = type_choice[insn->mod[2] - 1];
}

static void check_reduction(struct emu_decoder *d, struct emu_insn *insn, bool shared) {
    struct bulk_copy c;
    reduction(insn, &c);
    if (!emu_reduce_legal(c.op, c.type, shared))
        emu_decode_fail(d, insn, "this operation has no form for this type");
    bool half = c.type == EMU_REDUCE_F16 || c.type == EMU_REDUCE_BF16;
    bool no_flush = insn->mod[1];
    if (no_flush != (half && c.op == EMU_REDUCE_ADD))
        emu_decode_fail(d, insn, ".noftz belongs to add of f16 and bf16, and must stand there");
}
void emu_decode_bulk_reduce_global(struct emu_decoder *d, struct emu_insn *insn) {
    check_reduction(d, insn, false);
}
void emu_decode_bulk_reduce_shared(struct emu_decoder *d, struct emu_insn *insn) {
    check_reduction(d, insn, true);
}

/* [dst], [src], size, [mbar] between shared memories */
static enum emu_step between_shared(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask,
                                    bool reduce) {
    EMU_FOR_LANES(mask, lane) {
        struct bulk_copy c = {.bytes = (uint32_t)emu_lane(w, &insn->op[2], lane)};
        if (reduce) reduction(insn, &c);
        if (check_size(w, insn, c.bytes) == EMU_FAULT ||
            emu_lane_shared(w, insn, &insn->op[0], lane, false, 16, &c.target) == EMU_FAULT ||
            emu_lane_shared(w, insn, &insn->op[1], lane, false, 16, &c.source) == EMU_FAULT ||
            emu_lane_shared(w, insn, &insn->op[3], lane, false, 8, &c.barrier) == EMU_FAULT ||
            own_cta(w, insn, c.source) == EMU_FAULT || same_cta(w, insn, c.target, c.barrier) == EMU_FAULT ||
            emu_async_post(w, lane, insn, run_shared_to_shared, &c, sizeof c) == EMU_FAULT)
            return EMU_FAULT;
    }
    return EMU_NEXT;
}

enum emu_step sem_bulk_shared_to_shared(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    return between_shared(w, insn, mask, false);
}
enum emu_step sem_bulk_reduce_shared(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    return between_shared(w, insn, mask, true);
}

/* [dst], [src], size {, policy} {, byte mask} */
static enum emu_step to_global(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask, bool reduce,
                               const struct emu_opnd *byte_mask) {
    EMU_FOR_LANES(mask, lane) {
        struct bulk_copy c = {.bytes = (uint32_t)emu_lane(w, &insn->op[2], lane), .byte_mask = 0xffff};
        if (byte_mask) c.byte_mask = (uint16_t)emu_lane(w, byte_mask, lane);
        if (reduce) reduction(insn, &c);
        if (check_size(w, insn, c.bytes) == EMU_FAULT ||
            global_at(w, insn, &insn->op[0], lane, &c.global) == EMU_FAULT ||
            emu_lane_shared(w, insn, &insn->op[1], lane, false, 16, &c.source) == EMU_FAULT ||
            own_cta(w, insn, c.source) == EMU_FAULT || !(c.group = emu_bulk_join(w, insn, lane, &w->bulk)) ||
            emu_async_post(w, lane, insn, run_read_shared, &c, sizeof c) == EMU_FAULT)
            return EMU_FAULT;
    }
    return EMU_NEXT;
}

enum emu_step sem_bulk_store(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    return to_global(w, insn, mask, false, NULL);
}
enum emu_step sem_bulk_store_masked(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    return to_global(w, insn, mask, false, &insn->op[insn->op_count - 1]);
}
enum emu_step sem_bulk_reduce_global(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    return to_global(w, insn, mask, true, NULL);
}

/* A hint to the cache: its address is checked, nothing moves. */
enum emu_step sem_bulk_prefetch(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    EMU_FOR_LANES(mask, lane) {
        uint64_t address;
        if (global_at(w, insn, &insn->op[0], lane, &address) == EMU_FAULT ||
            check_size(w, insn, (uint32_t)emu_lane(w, &insn->op[1], lane)) == EMU_FAULT)
            return EMU_FAULT;
    }
    return EMU_NEXT;
}

enum emu_step sem_bulk_commit_group(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    EMU_FOR_LANES(mask, lane)
    if (emu_bulk_commit(w, insn, lane, &w->bulk) == EMU_FAULT) return EMU_FAULT;
    if (w->judge) emu_judge_group_commit(w, EMU_GROUP_BULK);
    return EMU_NEXT;
}

enum emu_step sem_bulk_wait_group(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    uint64_t pending = (uint64_t)insn->op[0].imm;
    EMU_FOR_LANES(mask, lane)
    if (!emu_bulk_reached(w->bulk, lane, pending, insn->mod[0]))
        return emu_wait(w, EMU_WAIT_BULK, 0, (uint32_t)pending);
    if (w->judge) emu_judge_group_wait(w, EMU_GROUP_BULK, pending);
    return EMU_NEXT;
}
