/* judge_async: who an asynchronous effect is, what it knew when it was issued, and what must be over when a
 * CTA ends. */
#include <stdio.h>
#include <string.h>

#include "runtime/emu/judge_parts.h"
#include "runtime/emu/umma.h"

/* By mnemonic; the first that fits. tells: a word that it must have, or NULL. */
static const struct {
    const char *start, *tells;
    enum judge_kind kind;
    enum judge_component who;
} kinds[] = {
    /* clang-format off */
    {"tcgen05.mma",        NULL,                    JUDGE_MMA,         JUDGE_PIPE},
    {"tcgen05.commit",     NULL,                    JUDGE_COMMIT,      JUDGE_PIPE},
    {"tcgen05.cp",         NULL,                    JUDGE_CP,          JUDGE_PIPE},
    {"tcgen05.shift",      NULL,                    JUDGE_SHIFT,       JUDGE_PIPE},
    {"tcgen05.st",         NULL,                    JUDGE_TST,         JUDGE_WARP},
    {"cp.async.mbarrier",  NULL,                    JUDGE_COPY_ARRIVE, JUDGE_COPY},
    {"cp",                 "mbarrier::complete_tx::bytes", JUDGE_TMA,  JUDGE_WARP},
    {"cp",                 "bulk_group",            JUDGE_BULK_STORE,  JUDGE_BULK},
    {"cp.async",           NULL,                    JUDGE_CP_ASYNC,    JUDGE_COPY},
    {"wgmma",              NULL,                    JUDGE_WGMMA_OP,    JUDGE_WGMMA},
    {"mbarrier",           NULL,                    JUDGE_ARRIVE,      JUDGE_WARP},
    {"",                   "mbarrier::complete_tx::bytes", JUDGE_TMA,  JUDGE_WARP},
    /* clang-format on */
};

static int row_of(const char *mnemonic) {
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strncmp(mnemonic, kinds[i].start, strlen(kinds[i].start)) == 0 &&
            (!kinds[i].tells || strstr(mnemonic, kinds[i].tells)))
            return (int)i;
    return -1;
}

/* Same accumulator and shape: such multiplies of one thread are a pipeline. */
static uint32_t accumulator(const struct emu_umma_op *m) {
    return 1 + (m->d_lane << 16 | m->d_column) + (m->shape.m * 2u + m->cta_group) * 0x9e3779b1u +
           m->shape.n * 0x85ebca6bu;
}

static void note_last(struct emu_judge_warp *w, const struct judge_party *p) {
    switch (p->kind) {
    case JUDGE_MMA:
    case JUDGE_CP:
    case JUDGE_SHIFT: w->pipe_last = p->epoch, w->pipe_pc = p->pc; break;
    case JUDGE_BULK_STORE: w->bulk_last = p->epoch, w->bulk_pc = p->pc; break;
    case JUDGE_CP_ASYNC: w->copy_last = p->epoch, w->copy_pc = p->pc; break;
    default: break;
    }
}

/* Epochs of its components as they stand at the issue. */
static void identify(struct emu_judge_op *o, struct emu_judge_warp *w, const struct emu_async *op) {
    int row = row_of(op->insn->source->mnemonic);
    o->party =
        (struct judge_party){.pc = judge_pc(op->warp, op->insn), .serial = ++w->judge->serial, .mask = 0xf};
    if (row < 0) return; /* an effect that the judge does not know: it orders and touches nothing */
    enum judge_component who = kinds[row].who;
    o->party.kind = (uint8_t)kinds[row].kind;
    o->party.who = (uint16_t)judge_component_of(w, who);
    o->party.epoch =
        who == JUDGE_WARP ? w->clock.g[w->base] : w->epoch[who == JUDGE_PIPE ? JUDGE_FENCE : who];
    if (o->party.kind == JUDGE_TMA) {
        o->party.epoch = 0; /* until emu_judge_completes() */
        o->party.aux = strncmp(op->insn->source->mnemonic, "clusterlaunchcontrol", 20) == 0;
        o->party.fence = judge_warp_number(w);
    }
    if (o->party.kind == JUDGE_MMA) o->party.aux = accumulator((const struct emu_umma_op *)op);
    if (o->party.kind == JUDGE_TST) o->party.aux = w->epoch[JUDGE_ST], o->party.fence = w->epoch[JUDGE_FENCE];
    note_last(w, &o->party);
}

void emu_judge_issue(struct emu_cluster *cluster, struct emu_async *op) {
    struct emu_judge *judge = cluster->judge;
    struct emu_judge_warp *w = op->warp->judge;
    if (judge->running) { /* begotten by another effect: the same party */
        op->judge = judge->running;
        op->judge->refs++;
        return;
    }
    struct emu_judge_op *o = judge->spare_ops;
    if (o) judge->spare_ops = o->next;
    else o = judge_alloc(judge, sizeof *o);
    if (!o) return;
    *o = (struct emu_judge_op){.refs = 1, .issuer = w};
    const char *name = op->insn->source->mnemonic;
    if (strncmp(name, "mbarrier", 8) == 0 || strstr(name, "mbarrier::complete_tx")) judge_order(w);
    if (strncmp(name, "tcgen05.st", 10) == 0) judge_touch(w);
    o->snap = judge->begins ? judge->begins : judge_snapshot(w);
    judge->begins = NULL;
    identify(o, w, op);
    w->released = true; /* what the warp does from here on is not before it */
    if (o->party.kind == JUDGE_COMMIT) judge_fence_before(w);
    op->judge = o;
}

struct emu_judge_op *emu_judge_run(struct emu_cluster *cluster, struct emu_async *op) {
    struct emu_judge_op *outer = cluster->judge->running;
    cluster->judge->running = op->judge;
    return outer;
}

void emu_judge_done(struct emu_cluster *cluster, struct emu_async *op, struct emu_judge_op *outer) {
    struct emu_judge *judge = cluster->judge;
    struct emu_judge_op *o = op->judge;
    judge->running = outer;
    op->judge = NULL;
    if (!o || --o->refs) return;
    if (o->snap) judge_snapshot_drop(judge, o->snap);
    o->next = judge->spare_ops;
    judge->spare_ops = o;
}

/* ---- groups ---- */

static const enum judge_component group_component[] = {JUDGE_BULK, JUDGE_COPY, JUDGE_WGMMA};

void emu_judge_group_commit(struct emu_warp *warp, enum emu_judge_group group) {
    warp->judge->epoch[group_component[group]]++;
}

void emu_judge_group_wait(struct emu_warp *warp, enum emu_judge_group group, uint64_t pending) {
    struct emu_judge_warp *w = warp->judge;
    uint32_t closed = w->epoch[group_component[group]] - 1;
    judge_touch(w);
    if (closed <= pending) return;
    judge_publish(w, group_component[group], closed - (uint32_t)pending);
    if (group == EMU_GROUP_WGMMA) judge_wgmma_wait(w, closed - (uint32_t)pending);
}

/* ---- the end ---- */

static void say(struct emu_judge *judge, const struct emu_cta *cta, const struct judge_party *p,
                enum judge_level level, const char *text) {
    char where[64];
    snprintf(where, sizeof where, "end of CTA %u", cta->rank);
    judge_say(judge, &(struct judge_report){.name = "exit", .level = level, .now = p}, where, "%s", text);
}

static void check_warp(struct emu_judge *judge, struct emu_cta *cta, const struct emu_judge_warp *w) {
    const struct {
        enum judge_component c;
        enum judge_kind kind;
        uint32_t last, pc;
        const char *text;
    } rows[] = {
        {JUDGE_PIPE, JUDGE_MMA, w->pipe_last, w->pipe_pc,
         "the CTA may end while it is under way: nobody waits for a commit behind it"},
        {JUDGE_BULK, JUDGE_BULK_STORE, w->bulk_last, w->bulk_pc,
         "the CTA may end while it still reads shared memory: its group is not waited for"},
        {JUDGE_COPY, JUDGE_CP_ASYNC, w->copy_last, w->copy_pc,
         "the CTA may end while it is under way: its group is not waited for"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint32_t at = w->base + (uint32_t)rows[i].c;
        struct judge_party p = {
            .who = (uint16_t)at, .epoch = rows[i].last, .pc = rows[i].pc, .kind = (uint8_t)rows[i].kind};
        if (cta->judge->end[at] < rows[i].last) say(judge, cta, &p, JUDGE_ERROR, rows[i].text);
    }
}

/* That the multiplies behind a commit are over is asked of them (check_warp); of its arrival alone only the
 * manual's reader would ask: it touches nothing but the CTA's own mbarrier. Triton leaves such. */
static void check_barriers(struct emu_judge *judge, struct emu_cta *cta) {
    for (uint32_t i = 0; i < cta->judge->barrier_count; i++) {
        const struct judge_barrier *b = &cta->judge->barriers[i];
        if (cta->judge->end[b->component] >= b->async_phase) continue;
        struct judge_party p = {
            .who = (uint16_t)b->component, .epoch = b->async_phase, .pc = b->async_pc, .kind = JUDGE_TMA};
        say(judge, cta, &p, b->async_commit ? JUDGE_STRICT : JUDGE_ERROR,
            "the CTA may end before it arrives: no thread of it waits for that phase");
    }
}

static void check_peers(struct emu_judge *judge, struct emu_cta *cta) {
    for (uint32_t n = 0; n < judge->warps * judge->cluster->cta_count; n++) {
        const struct judge_party *p = &cta->judge->remote[n];
        if (p->kind && !judge_knows(cta->judge->end, p))
            say(judge, cta, p, JUDGE_ERROR,
                "another CTA's access, and this CTA may have ended: no barrier.cluster or wait behind it");
    }
}

void emu_judge_end(struct emu_cluster *cluster) {
    for (uint32_t c = 0; c < cluster->cta_count; c++) {
        struct emu_cta *cta = cluster->ctas[c];
        for (uint32_t k = 0; k < cta->warp_count; k++) check_warp(cluster->judge, cta, cta->warps[k].judge);
        check_barriers(cluster->judge, cta);
        check_peers(cluster->judge, cta);
    }
}
