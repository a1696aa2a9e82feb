/* judge_shadow: who touched which bytes of shared memory last.
 *
 * A cell of 16 bytes, or four of 4 once somebody touched less, remembers the last write and up to
 * JUDGE_READERS reads since. Of more concurrent readers the oldest is forgotten: a hazard may go unnoticed,
 * none is made up. */
#include <stdio.h>
#include <string.h>

#include "runtime/emu/judge_parts.h"

struct visit { /* an access on its way through the cells */
    struct emu_judge *judge;
    const struct emu_cta *cta;
    const struct judge_clock *clock;
    struct judge_party party;
    bool writes;
    uint32_t offset;             /* of the cell, for the report */
    const struct emu_insn *insn; /* an st by `lane` of `bytes` to shared `address`, not yet done; else NULL */
    uint32_t lane, address, bytes;
};

/* What is missing between an access and a later one that conflicts with it. */
static void explain(const struct visit *v, const struct judge_report *r, const char *where) {
    const struct judge_party *then = r->then;
    switch (then->kind) {
    case JUDGE_TMA:
        judge_say(v->judge, r, where,
                  "the copy may be under way: nobody waited for phase %u of the mbarrier at 0x%08x",
                  then->epoch - 1, judge_barrier_of(v->judge, then->who)->address);
        break;
    case JUDGE_BULK_STORE:
        judge_say(v->judge, r, where,
                  "the store may still read: no cp.async.bulk.wait_group{.read} for its group is known to "
                  "have passed");
        break;
    case JUDGE_MMA:
    case JUDGE_CP:
        judge_say(v->judge, r, where,
                  "it may be under way: no tcgen05.commit behind it is known to have arrived");
        break;
    case JUDGE_CP_ASYNC:
        judge_say(v->judge, r, where,
                  "the copy may be under way: its group is not known to have been waited for");
        break;
    case JUDGE_WGMMA_OP:
        judge_say(v->judge, r, where,
                  "it may be under way: no wgmma.wait_group for its group is known to have passed");
        break;
    default:
        judge_say(v->judge, r, where, "nothing orders them: %s, or an arrival at an mbarrier and a wait for it, would",
                  then->who / v->judge->per_cta == v->party.who / v->judge->per_cta ? "bar.sync" : "barrier.cluster");
    }
}

/* Whether this store writes what is there already. */
static bool writes_same(const struct visit *v) {
    const struct emu_opnd *from = v->insn ? &v->insn->op[1] : NULL;
    if (!from || from->kind != EMU_OP_VECTOR) return false;
    const struct emu_warp *warp = judge_warp_of(v->judge, v->party.who)->warp;
    const uint8_t *there = emu_shared(v->judge->cluster, v->address, v->bytes);
    uint32_t each = v->bytes / from->count;
    for (uint32_t k = 0; k < from->count; k++) {
        const struct emu_opnd *e = &from->elems[k];
        const void *lanes = emu_lanes(warp, e);
        uint64_t value[2] = {
            e->bytes >= 8 ? ((const uint64_t *)lanes)[v->lane] : ((const uint32_t *)lanes)[v->lane], 0};
        if (each == 16) value[1] = ((const uint64_t *)lanes)[EMU_LANES + v->lane];
        if (!there || memcmp(value, there + k * each, each) != 0) return false;
    }
    return true;
}

/* Stores of one value to one place: a uniform-size data race (8.7.2), in which every read finds one of the
 * two, so that nothing depends on which came last. */
static bool is_harmless(const struct visit *v, const struct judge_party *then, bool then_writes) {
    return v->writes && then_writes && v->party.kind == JUDGE_LDST && then->kind == JUDGE_LDST &&
           then->mask == v->party.mask && writes_same(v);
}

static void say(const struct visit *v, const struct judge_party *then, bool then_writes) {
    char where[192], name[128];
    struct judge_report r = {
        .name = "race", .now = &v->party, .then = then, .then_writes = then_writes, .now_writes = v->writes};
    snprintf(where, sizeof where, "shared memory 0x%08x%s", v->cta->rank << 24 | v->offset,
             emu_shared_name(v->judge->cluster->launch->fn, v->offset, name, sizeof name));
    if (judge_overtook(then, &v->party)) { /* it was issued later, but came first */
        r = (struct judge_report){.name = "race",
                                  .now = then,
                                  .then = &v->party,
                                  .then_writes = v->writes,
                                  .now_writes = then_writes};
    } else if (judge_knows(v->clock->g, then)) {
        r.name = "proxy";
        r.level = then_writes ? JUDGE_ERROR : JUDGE_STRICT;
        judge_say(v->judge, &r, where,
                  "the one is over, but no fence.proxy.async stands between it and the asynchronous one");
        return;
    } else if (is_harmless(v, then, then_writes)) {
        r.level = JUDGE_STRICT;
        judge_say(v->judge, &r, where, "nothing orders them; the values are equal this time");
        return;
    }
    explain(v, &r, where);
}

/* Whether `then`, which conflicts, is known to be over and visible. */
static bool ordered(const struct visit *v, const struct judge_party *then, bool then_writes) {
    /* its own; two copies that one phase ends are not ordered by it */
    if (then->who == v->party.who && then->epoch == v->party.epoch)
        return then->kind != JUDGE_TMA || v->party.kind != JUDGE_TMA || then->serial == v->party.serial;
    if (then->kind == JUDGE_ATOMIC && v->party.kind == JUDGE_ATOMIC) return true;
    bool fenced = then_writes || (v->party.kind == JUDGE_TMA && v->party.aux);
    bool crosses = fenced && judge_is_async(v->party.kind) && !judge_is_async(then->kind);
    return judge_knows(crosses ? v->clock->a : v->clock->g, then);
}

static bool same(const struct judge_party *a, const struct judge_party *b) {
    return a->who == b->who && a->epoch == b->epoch && a->kind == b->kind && !(b->mask & ~a->mask);
}

static void remember_read(const struct visit *v, struct judge_cell *cell) {
    struct judge_party *slot = &cell->read[0];
    for (uint32_t i = 0; i < JUDGE_READERS; i++) {
        struct judge_party *r = &cell->read[i];
        if (r->kind == JUDGE_NOBODY || (r->who == v->party.who && !(r->mask & ~v->party.mask)) ||
            (judge_knows(v->clock->g, r) && !(r->mask & ~v->party.mask))) {
            slot = r;
            break;
        }
        if (i) cell->read[i - 1] = *r; /* the oldest leaves */
        slot = r;
    }
    *slot = v->party;
}

static void visit_cell(const struct visit *v, struct judge_cell *cell) {
    const struct judge_party *w = &cell->write;
    if (!v->writes && same(&cell->read[0], &v->party)) return;
    if (w->kind && w->mask & v->party.mask && !ordered(v, w, true)) say(v, w, true);
    if (!v->writes) {
        remember_read(v, cell);
        return;
    }
    for (uint32_t i = 0; i < JUDGE_READERS; i++) {
        struct judge_party *r = &cell->read[i];
        if (!r->kind || !(r->mask & v->party.mask)) continue;
        if (!ordered(v, r, false)) say(v, r, false);
        if (!(r->mask & ~v->party.mask)) r->kind = JUDGE_NOBODY;
    }
    cell->write = v->party;
}

static struct judge_block *block_at(struct emu_judge *judge, struct emu_judge_cta *cta, uint32_t index) {
    struct judge_block **page = &cta->pages[index / JUDGE_PAGE];
    if (!*page) *page = judge_alloc(judge, JUDGE_PAGE * sizeof **page);
    return *page ? &(*page)[index % JUDGE_PAGE] : NULL;
}

static bool split(struct emu_judge *judge, struct judge_block *block) {
    block->parts = judge_alloc(judge, 4 * sizeof *block->parts);
    for (int i = 0; i < 4 && block->parts; i++) block->parts[i] = block->whole;
    return block->parts != NULL;
}

/* Bytes [from, to) of a block. */
static void visit_block(struct visit *v, struct judge_block *block, uint32_t from, uint32_t to) {
    bool all = from == 0 && to == 16;
    uint32_t start = v->offset;
    v->party.mask = 0xf;
    if (!block->parts && (all || !split(v->judge, block))) {
        visit_cell(v, &block->whole);
        return;
    }
    for (uint32_t part = from / 4; part * 4 < to; part++) {
        uint32_t low = from > part * 4 ? from - part * 4 : 0, high = to < part * 4 + 4 ? to - part * 4 : 4;
        v->party.mask = (uint8_t)((1u << high) - (1u << low));
        v->offset = start + part * 4;
        visit_cell(v, &block->parts[part]);
    }
}

static void visit_range(struct visit *v, uint32_t offset, uint32_t bytes) {
    for (uint32_t at = offset & ~15u; at < offset + bytes; at += 16) {
        struct judge_block *block = block_at(v->judge, v->cta->judge, at / 16);
        uint32_t from = offset > at ? offset - at : 0,
                 to = offset + bytes < at + 16 ? offset + bytes - at : 16;
        v->offset = at;
        if (block) visit_block(v, block, from, to);
    }
}

/* ---- another CTA's shared memory: it must have started, and must not have ended ---- */

static void visit_peer(struct visit *v, struct emu_judge_warp *w) {
    struct emu_judge *judge = v->judge;
    uint32_t base = v->cta->rank * judge->per_cta;
    bool started = false;
    for (uint32_t k = 0; k < judge->warps; k++)
        started |= v->clock->g[base + k * JUDGE_COMPONENTS + JUDGE_WARP] > 0;
    struct judge_party *remote = &v->cta->judge->remote[judge_warp_number(w)];
    *remote = v->party;
    if (!judge_is_async(v->party.kind)) { /* it is over when the thread goes on: execution order is enough */
        remote->who = (uint16_t)(w->base + JUDGE_ORDER);
        remote->epoch = w->epoch[JUDGE_ORDER];
    }
    if (started) return;
    char where[64];
    snprintf(where, sizeof where, "shared memory of CTA %u", v->cta->rank);
    judge_say(judge, &(struct judge_report){.name = "peer start", .now = &v->party}, where,
              "the CTA may not have started: no barrier.cluster before");
}

/* ---- doors ---- */

void emu_judge_shared(struct emu_warp *warp, const struct emu_insn *insn, uint32_t address, uint32_t bytes,
                      uint32_t lane) {
    struct emu_judge_warp *w = warp->judge;
    const struct judge_access *how = judge_access_of(w->judge, insn);
    if (!how->read && !how->write) return;
    if (how->acquires) emu_judge_global(warp, insn, address);
    judge_touch(w);
    struct visit v = {.judge = w->judge, .cta = warp->cta->cluster->ctas[address >> 24], .clock = &w->clock};
    v.writes = how->write;
    if (how->write && !how->read) v.insn = insn, v.lane = lane, v.address = address, v.bytes = bytes;
    v.party = (struct judge_party){.who = (uint16_t)w->base,
                                   .epoch = w->clock.g[w->base],
                                   .pc = judge_pc(warp, insn),
                                   .serial = ++w->judge->serial,
                                   .kind = how->atomic ? JUDGE_ATOMIC : JUDGE_LDST};
    if (v.cta != warp->cta) visit_peer(&v, w);
    visit_range(&v, address & 0xffffff, bytes);
    if (how->releases && !how->acquires) emu_judge_global(warp, insn, address);
    else if (how->releases) w->released = true;
}

void emu_judge_async_smem(struct emu_cta *cta, struct emu_async *op, uint32_t offset, uint32_t bytes,
                          enum emu_access access) {
    struct emu_judge_op *o = op->judge;
    if (!o || !o->snap || !o->party.epoch) return;
    struct visit v = {.judge = cta->cluster->judge,
                      .cta = cta,
                      .clock = &o->snap->clock,
                      .party = o->party,
                      .writes = access == EMU_WRITE};
    if (cta != op->warp->cta) visit_peer(&v, o->issuer);
    visit_range(&v, offset, bytes);
}
