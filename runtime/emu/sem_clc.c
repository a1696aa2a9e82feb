/* clusterlaunchcontrol: a running cluster asks for the work of one that has not been launched, which then
 * never is. PTX ISA 9.1 §9.7.13.17, §9.7.13.18.
 *
 * The request is decided and its response written when the effect happens, not when it is issued; under late
 * and random order it may fail while clusters wait. The response is opaque to programs; its bits are those
 * that ptxas 13.0's code for query_cancel looks at, and a tag that only try_cancel writes:
 *
 *     word 0   x        word 1   y in bits 0-15, z in 16-31
 *     word 2   bit 0: canceled; else undefined, as are words 0 and 1 of a failure        word 3   tag */
#include <string.h>

#include "runtime/emu/async.h"
#include "runtime/emu/decode.h"
#include "runtime/emu/fault.h"
#include "runtime/emu/judge.h"
#include "runtime/emu/mbarrier.h"
#include "runtime/emu/operand.h"
#include "runtime/emu/sched.h"

enum { RESPONSE_BYTES = 16, CANCELED = 1, UNLUCKY = 4 /* one in so many fails for no reason */ };
#define TAG 0xc1c0ffeeu

struct response {
    uint32_t word[4];
};

struct cancel {
    struct emu_async base;
    uint32_t target, barrier; /* shared addresses; multicast: offsets in each CTA */
    bool multicast;
    struct response response;
};

/* ---- try_cancel ---- */

static struct response decide(struct emu_cluster *cluster) {
    struct emu_launch *launch = cluster->launch;
    struct response r = {{0xbadc0de0, 0xbadc0de0, 0xbadc0de0 & ~(uint32_t)CANCELED, TAG}};
    uint64_t index, across = launch->grid[0] / launch->cluster[0], down = launch->grid[1] / launch->cluster[1];
    bool unlucky = launch->order != EMU_ORDER_EAGER && emu_random(cluster) % UNLUCKY == 0;
    bool last = launch->order == EMU_ORDER_RANDOM && emu_random(cluster) % 2;
    if (unlucky || !emu_launch_cancel(launch, last, &index)) return r;
    r.word[0] = (uint32_t)(index % across) * launch->cluster[0];
    r.word[1] = (uint32_t)(index / across % down) * launch->cluster[1] |
                (uint32_t)(index / across / down) * launch->cluster[2] << 16;
    r.word[2] |= CANCELED;
    return r;
}

static enum emu_step run_write(struct emu_cluster *cluster, struct emu_async *base) {
    struct cancel *c = (struct cancel *)base;
    const struct emu_cta *cta = cluster->ctas[c->target >> 24];
    if (!cta->warps_live && c->multicast)
        return emu_fault(base->warp, base->insn, EMU_FAULT_LAUNCH_FAILED,
                         "multicast of the response, and CTA %u of the cluster has exited: undefined", cta->rank);
    if (cluster->judge) emu_judge_completes(cluster, base, c->barrier);
    uint8_t *target = emu_async_smem(cluster, base, c->target, RESPONSE_BYTES, EMU_WRITE);
    if (!target) return EMU_FAULT;
    memcpy(target, &c->response, RESPONSE_BYTES);
    return emu_mbarrier_complete(base->warp, base->insn, c->barrier, RESPONSE_BYTES);
}

/* The same response for each CTA of the cluster, each at a time of its own. */
static enum emu_step run_multicast(struct emu_cluster *cluster, struct emu_async *base) {
    const struct cancel *c = (const struct cancel *)base;
    struct response response = decide(cluster);
    for (uint32_t rank = 0; rank < cluster->cta_count; rank++) {
        struct cancel one = {.target = rank << 24 | (c->target & 0xffffff),
                             .barrier = rank << 24 | (c->barrier & 0xffffff),
                             .multicast = true,
                             .response = response};
        if (emu_async_post(base->warp, base->lane, base->insn, run_write, &one, sizeof one) == EMU_FAULT)
            return EMU_FAULT;
    }
    return EMU_NEXT;
}

static enum emu_step run_cancel(struct emu_cluster *cluster, struct emu_async *base) {
    ((struct cancel *)base)->response = decide(cluster);
    return run_write(cluster, base);
}

static enum emu_step own(struct emu_warp *w, const struct emu_insn *insn, const struct emu_opnd *o,
                         uint32_t lane, uint32_t alignment, uint32_t *address) {
    if (emu_lane_shared(w, insn, o, lane, !insn->mod[0], alignment, address) == EMU_FAULT) return EMU_FAULT;
    if (*address >> 24 == w->cta->rank) return EMU_NEXT;
    return emu_fault(w, insn, EMU_FAULT_ILLEGAL_ADDRESS,
                     "lane %u: 0x%x is in CTA %u of the cluster, the response goes to the own, %u", lane, *address,
                     *address >> 24, w->cta->rank);
}

static enum emu_step try_cancel(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask, bool multicast) {
    EMU_FOR_LANES(mask, lane) {
        struct cancel c = {.multicast = multicast};
        if (w->cta->cancel_failed)
            return emu_fault(w, insn, EMU_FAULT_LAUNCH_FAILED,
                             "lane %u: this CTA has seen a try_cancel fail: another one is undefined behaviour", lane);
        if (own(w, insn, &insn->op[0], lane, RESPONSE_BYTES, &c.target) == EMU_FAULT ||
            own(w, insn, &insn->op[1], lane, 8, &c.barrier) == EMU_FAULT ||
            emu_async_post(w, lane, insn, multicast ? run_multicast : run_cancel, &c, sizeof c) == EMU_FAULT)
            return EMU_FAULT;
    }
    return EMU_NEXT;
}

enum emu_step sem_cancel(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    return try_cancel(w, insn, mask, false);
}
enum emu_step sem_cancel_multicast(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    return try_cancel(w, insn, mask, true);
}

/* ---- query_cancel ---- */

static enum emu_step take(struct emu_warp *w, const struct emu_insn *insn, uint32_t lane, struct response *r) {
    const uint64_t *lanes = emu_lanes(w, &insn->op[1]);
    memcpy(&r->word[0], &lanes[lane], 8);
    memcpy(&r->word[2], &lanes[EMU_LANES + lane], 8);
    if (r->word[3] == TAG) return EMU_NEXT;
    return emu_fault(w, insn, EMU_FAULT_LAUNCH_FAILED, "lane %u: no response of try_cancel: 0x%08x%08x%08x%08x", lane,
                     r->word[3], r->word[2], r->word[1], r->word[0]);
}

enum emu_step sem_query_canceled(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    uint32_t canceled = 0;
    EMU_FOR_LANES(mask, lane) {
        struct response r;
        if (take(w, insn, lane, &r) == EMU_FAULT) return EMU_FAULT;
        if (r.word[2] & CANCELED) canceled |= 1u << lane;
        else w->cta->cancel_failed = true;
    }
    emu_set_pred(w, &insn->op[0], mask, canceled);
    return EMU_NEXT;
}

static enum emu_step first_ctaid(struct emu_warp *w, const struct emu_insn *insn, uint32_t lane, uint32_t id[4]) {
    struct response r;
    if (take(w, insn, lane, &r) == EMU_FAULT) return EMU_FAULT;
    if (!(r.word[2] & CANCELED))
        return emu_fault(w, insn, EMU_FAULT_LAUNCH_FAILED,
                         "lane %u: get_first_ctaid of a try_cancel that failed: undefined behaviour", lane);
    id[0] = r.word[0], id[1] = r.word[1] & 0xffff, id[2] = r.word[1] >> 16;
    id[3] = 0xbadc0de0; /* unspecified */
    return EMU_NEXT;
}

void emu_decode_query_ctaid(struct emu_decoder *d, struct emu_insn *insn) {
    if (insn->op[0].count != 4)
        emu_decode_fail(d, insn, "%u destinations, .v4 has 4", insn->op[0].count);
}

enum emu_step sem_query_ctaid_vector(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    EMU_FOR_LANES(mask, lane) {
        uint32_t id[4] = {0};
        if (first_ctaid(w, insn, lane, id) == EMU_FAULT) return EMU_FAULT;
        for (uint32_t i = 0; i < 4; i++) emu_set_lane32(w, &insn->op[0].elems[i], lane, id[i]);
    }
    return EMU_NEXT;
}

enum emu_step sem_query_ctaid(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    EMU_FOR_LANES(mask, lane) {
        uint32_t id[4] = {0};
        if (first_ctaid(w, insn, lane, id) == EMU_FAULT) return EMU_FAULT;
        emu_set_lane32(w, &insn->op[0], lane, id[insn->mod[0] - 1]);
    }
    return EMU_NEXT;
}
