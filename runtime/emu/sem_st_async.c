/* st.async and red.async: a thread's few bytes into a CTA's shared memory, told to an mbarrier beside them.
 * PTX ISA 9.1 §9.7.9.12, §9.7.13.7. */
#include <string.h>
#include "runtime/emu/async.h"
#include "runtime/emu/decode.h"
#include "runtime/emu/fault.h"
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
