/* st.async and red.async: a thread's few bytes into a CTA's shared memory, told to an mbarrier beside them.
 * PTX ISA 9.1 §9.7.9.12, §9.7.13.7. */
#include <string.h>
#include "runtime/emu/async.h"
#include "runtime/emu/decode.h"
#include "runtime/emu/fault.h"
#include "runtime/emu/lanes.h"
#include "runtime/emu/mbarrier.h"
#include "runtime/emu/operand.h"
#include "runtime/emu/reduce.h"

struct remote_store {
    struct emu_async base;
    uint32_t target, barrier, bytes; /* shared addresses */
    bool reduce;
    uint8_t op, type;
    uint8_t data[32] __attribute__((aligned(8)));
};

static enum emu_step run_store(struct emu_cluster *cluster, struct emu_async *base) {
    struct remote_store *s = (struct remote_store *)base;
    uint8_t *target = emu_async_smem(cluster, base, s->target, s->bytes, EMU_WRITE);
    if (!target) return EMU_FAULT;
    if (s->reduce)
        emu_reduce(target, s->data, s->bytes, (enum emu_reduce_op)s->op, (enum emu_reduce_type)s->type);
    else memcpy(target, s->data, s->bytes);
    return emu_mbarrier_complete(base->warp, base->insn, s->barrier, s->bytes);
}

static enum emu_step issue(struct emu_warp *w, const struct emu_insn *insn, uint32_t lane, bool generic,
                           struct remote_store *s) {
    if (emu_lane_shared(w, insn, &insn->op[0], lane, generic, s->bytes, &s->target) == EMU_FAULT ||
        emu_lane_shared(w, insn, &insn->op[2], lane, generic, 8, &s->barrier) == EMU_FAULT)
        return EMU_FAULT;
    if (s->target >> 24 != s->barrier >> 24)
        return emu_fault(w, insn, EMU_FAULT_LAUNCH_FAILED,
                         "destination 0x%x and mbarrier 0x%x are in different CTAs", s->target, s->barrier);
    return emu_async_post(w, lane, insn, run_store, s, sizeof *s);
}

/* st.async{.weak|.cluster}{.shared::cluster}...{.vec}.type */
enum { MOD_SPACE = 1, MOD_VEC = 2 };

void emu_decode_st_async(struct emu_decoder *d, struct emu_insn *insn) {
    static const uint32_t counts[] = {1, 2, 4};
    uint32_t wanted = counts[insn->mod[MOD_VEC]], bytes = wanted * insn->op[1].bytes;
    if (insn->op[1].count != wanted)
        emu_decode_fail(d, insn, "%u values, this form stores %u", insn->op[1].count, wanted);
    if (bytes > 16 && insn->op[1].bytes == 8) emu_decode_fail(d, insn, ".v4 is of 32-bit types only");
}

enum emu_step sem_st_async(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    const struct emu_opnd *values = &insn->op[1];
    EMU_FOR_LANES(mask, lane) {
        struct remote_store s = {.bytes = (uint32_t)values->count * values->bytes};
        for (uint32_t i = 0; i < values->count; i++) {
            uint64_t value = emu_lane(w, &values->elems[i], lane);
            memcpy(s.data + i * values->bytes, &value, values->bytes);
        }
        if (issue(w, insn, lane, !insn->mod[MOD_SPACE], &s) == EMU_FAULT) return EMU_FAULT;
    }
    return EMU_NEXT;
}

/* red.async.relaxed.cluster{.shared::cluster}....<op>.<type> */
enum { MOD_RED_SPACE = 0, MOD_OP = 1, MOD_TYPE = 2 };
static const uint8_t red_types[] = {EMU_REDUCE_U32, EMU_REDUCE_S32, EMU_REDUCE_B32, EMU_REDUCE_U64};

void emu_decode_red_async(struct emu_decoder *d, struct emu_insn *insn) {
    enum emu_reduce_type type = (enum emu_reduce_type)red_types[insn->mod[MOD_TYPE] - 1];
    if (!emu_reduce_legal((enum emu_reduce_op)(insn->mod[MOD_OP] - 1), type, true))
        emu_decode_fail(d, insn, "this operation has no form for this type");
    if (insn->op[1].bytes != emu_reduce_bytes(type))
        emu_decode_fail(d, insn, "the value is not of the instruction's type");
}

enum emu_step sem_red_async(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    EMU_FOR_LANES(mask, lane) {
        struct remote_store s = {
            .reduce = true, .op = insn->mod[MOD_OP] - 1, .type = red_types[insn->mod[MOD_TYPE] - 1]};
        uint64_t value = emu_lane(w, &insn->op[1], lane);
        s.bytes = emu_reduce_bytes((enum emu_reduce_type)s.type);
        memcpy(s.data, &value, s.bytes);
        if (issue(w, insn, lane, !insn->mod[MOD_RED_SPACE], &s) == EMU_FAULT) return EMU_FAULT;
    }
    return EMU_NEXT;
}

/* ---- to global memory: st.async{.mmio}.release.<gpu|sys>.global, red.async likewise: nothing tells of their
 * end ---- */

struct global_store {
    struct emu_async base;
    uint64_t target;
    uint32_t bytes;
    bool reduce;
    uint8_t op, type;
    uint64_t value;
};

static enum emu_step run_global(struct emu_cluster *cluster, struct emu_async *base) {
    struct global_store *s = (struct global_store *)base;
    uint8_t *target = (uint8_t *)(uintptr_t)s->target;
    if (!emu_async_global(cluster, base, s->target, s->bytes)) return EMU_FAULT;
    if (s->reduce)
        emu_reduce(target, (const uint8_t *)&s->value, s->bytes, (enum emu_reduce_op)s->op,
                   (enum emu_reduce_type)s->type);
    else memcpy(target, &s->value, s->bytes);
    return EMU_NEXT;
}

static enum emu_step issue_global(struct emu_warp *w, const struct emu_insn *insn, uint32_t lane,
                                  struct global_store *s) {
    s->target = emu_address(w, &insn->op[0], lane);
    s->value = emu_lane(w, &insn->op[1], lane);
    if (s->target % s->bytes)
        return emu_fault(w, insn, EMU_FAULT_MISALIGNED,
                         "lane %u: global address 0x%llx is not a multiple of %u", lane,
                         (unsigned long long)s->target, s->bytes);
    return emu_async_post(w, lane, insn, run_global, s, sizeof *s);
}

/* mod[2]: the type, of 8 16 32 64 bits, three or four of each */
static const uint8_t global_bytes[] = {1, 1, 1, 2, 2, 2, 4, 4, 4, 4, 8, 8, 8, 8};

void emu_decode_st_async_global(struct emu_decoder *d, struct emu_insn *insn) {
    if (insn->op[1].bytes < global_bytes[insn->mod[2] - 1])
        emu_decode_fail(d, insn, "the value has %u bytes, this form stores %u", insn->op[1].bytes,
                        global_bytes[insn->mod[2] - 1]);
}

EMU_SEM_HEAD(sem_st_async_global) {
    EMU_FOR_LANES(mask, lane) {
        struct global_store s = {.bytes = global_bytes[insn->mod[2] - 1]};
        if (issue_global(w, insn, lane, &s) == EMU_FAULT) return EMU_FAULT;
    }
    return EMU_NEXT;
}

/* red.async{.mmio}.release.<gpu|sys>.global.<op>.<u32|s32|u64> */
static const uint8_t global_types[] = {EMU_REDUCE_U32, EMU_REDUCE_S32, EMU_REDUCE_U64};

void emu_decode_red_async_global(struct emu_decoder *d, struct emu_insn *insn) {
    if (insn->op[1].bytes != emu_reduce_bytes((enum emu_reduce_type)global_types[insn->mod[2] - 1]))
        emu_decode_fail(d, insn, "the value is not of the instruction's type");
}

EMU_SEM_HEAD(sem_red_async_global) {
    EMU_FOR_LANES(mask, lane) {
        struct global_store s = {
            .reduce = true, .op = EMU_REDUCE_ADD, .type = global_types[insn->mod[2] - 1]};
        s.bytes = emu_reduce_bytes((enum emu_reduce_type)s.type);
        if (issue_global(w, insn, lane, &s) == EMU_FAULT) return EMU_FAULT;
    }
    return EMU_NEXT;
}

/* ---- st.bulk: zeros to shared memory, at once ---- */

EMU_SEM_HEAD(sem_st_bulk) { /* {.weak}{.shared::cta} */
    EMU_FOR_LANES(mask, lane) {
        uint32_t target;
        uint64_t bytes = emu_lane(w, &insn->op[1], lane);
        if (bytes % 8 || bytes > 1u << 24)
            return emu_fault(w, insn, EMU_FAULT_ILLEGAL_INSTRUCTION,
                             "lane %u: %llu bytes: a multiple of 8, at most 16777216", lane,
                             (unsigned long long)bytes);
        if (!bytes) continue;
        if (emu_lane_shared(w, insn, &insn->op[0], lane, !insn->mod[1], 8, &target) == EMU_FAULT)
            return EMU_FAULT;
        if (target >> 24 != w->cta->rank)
            return emu_fault(w, insn, EMU_FAULT_ILLEGAL_ADDRESS, "lane %u: 0x%x is not in this CTA", lane,
                             target);
        for (uint64_t at = 0; at < bytes; at += 8) {
            uint8_t *p = emu_shared_at(w, insn, target + at, 8, 8, lane, true);
            if (!p) return EMU_FAULT;
            memset(p, 0, 8);
        }
    }
    return EMU_NEXT;
}

void emu_decode_st_bulk(struct emu_decoder *d, struct emu_insn *insn) {
    if (insn->op[2].imm)
        emu_decode_fail(d, insn, "the value must be 0, not %lld", (long long)insn->op[2].imm);
}
