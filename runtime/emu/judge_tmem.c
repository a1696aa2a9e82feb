/* judge_tmem: who touched which columns of tensor memory last, by quarters of 32 lanes. PTX ISA 9.1
 * §9.7.16.6.
 *
 * All of tcgen05.mma, cp, shift, ld and st are asynchronous. For one to come after a conflicting other,
 *   - the other must be known to be over: a commit's mbarrier for mma, cp and shift, wait::ld and wait::st;
 * or the two are a pair that stays in order (same accumulator and shape; cp, then mma; ...);
 *   - between threads, a fence::before_thread_sync (a commit is one) and a fence::after_thread_sync stand
 * around the synchronisation. Today's assembler and chip do without: level strict; so do they without
 * wait::ld. */
#include <stdio.h>

#include "runtime/emu/judge_parts.h"
#include "runtime/emu/tmem.h"
#include "runtime/emu/umma.h"

struct visit {
    struct emu_judge *judge;
    const struct emu_cta *cta;
    const struct judge_clock *clock;
    const uint32_t *t;
    const struct emu_judge_warp *by;
    struct judge_party party;
    bool writes;
    uint32_t quarter, column; /* of the cell */
};

static void say(const struct visit *v, const char *name, enum judge_level level,
                const struct judge_party *then, bool then_writes, const char *text) {
    char where[96];
    snprintf(where, sizeof where, "tensor memory of CTA %u, lanes %u to %u, column %u", v->cta->rank,
             v->quarter * 32, v->quarter * 32 + 31, v->column);
    struct judge_report r = {name, level, &v->party, then, then_writes, v->writes, NULL};
    judge_say(v->judge, &r, where, "%s", text);
}

static bool is_pipe(const struct judge_party *p) {
    return p->kind == JUDGE_MMA || p->kind == JUDGE_CP || p->kind == JUDGE_SHIFT;
}

/* Pairs that stay in order when one thread issues them, or fences order their threads. */
static bool is_pair(const struct judge_party *then, const struct judge_party *now) {
    if (now->kind == JUDGE_MMA) return then->kind != JUDGE_MMA || then->aux == now->aux;
    return now->kind == JUDGE_SHIFT ? then->kind == JUDGE_MMA : then->kind == JUDGE_SHIFT;
}

/* After what a pipe did. */
static void check_pipe(const struct visit *v, const struct judge_party *then, bool then_writes) {
    const struct judge_party *now = &v->party;
    if (is_pipe(now) && now->who == then->who) {
        if (then->epoch >= now->epoch && !is_pair(then, now))
            say(v, "tcgen05 order", JUDGE_STRICT, then, then_writes,
                "the two are no pipeline (same accumulator and shape), and no "
                "tcgen05.fence::before_thread_sync stands between");
        return;
    }
    uint32_t fenced = then->who - JUDGE_PIPE + JUDGE_FENCE;
    bool over = v->clock->g[then->who] >= then->epoch, through = is_pipe(now) && is_pair(then, now);
    if (!over && !(through && v->clock->g[fenced] >= then->epoch))
        say(v, "tmem race", JUDGE_ERROR, then, then_writes,
            "it may be under way: no tcgen05.commit behind it is known to have arrived");
    else if (now->kind != JUDGE_DEALLOC && v->t[over ? then->who : fenced] < then->epoch)
        say(v, "tcgen05 fence", JUDGE_STRICT, then, then_writes,
            "no tcgen05.fence::after_thread_sync behind the wait for its commit");
}

/* After what a warp did with tcgen05.ld or st. */
static void check_port(const struct visit *v, const struct judge_party *then, bool then_writes) {
    struct emu_judge_warp *w = judge_warp_of(v->judge, then->who);
    bool load = then->kind == JUDGE_TLD, same = w == v->by;
    uint32_t port = w->base + (load ? JUDGE_LD : JUDGE_ST), fence = w->base + JUDGE_FENCE;
    if (!same && !judge_knows(v->clock->g, then)) {
        say(v, "tmem race", JUDGE_ERROR, then, then_writes, "nothing orders them");
    } else if (v->clock->g[port] < then->aux) {
        if (load)
            say(v, "wait::ld", JUDGE_STRICT, then, then_writes,
                "no tcgen05.wait::ld follows the load before it is signalled");
        else
            say(v, "wait::st", JUDGE_ERROR, then, then_writes,
                "no tcgen05.wait::st follows the store before it is signalled");
    } else if (!same && v->clock->g[fence] < then->fence) {
        say(v, "tcgen05 fence", JUDGE_STRICT, then, then_writes,
            "no tcgen05.fence::before_thread_sync follows it before it is signalled");
    } else if (!same && v->party.kind != JUDGE_DEALLOC && v->t[fence] < then->fence) {
        say(v, "tcgen05 fence", JUDGE_STRICT, then, then_writes,
            "no tcgen05.fence::after_thread_sync behind the wait for its signal");
    }
}

/* After alloc or dealloc, which are synchronous. */
static void check_allocation(const struct visit *v, const struct judge_party *then) {
    if (judge_warp_of(v->judge, then->who) == v->by) return;
    if (!judge_knows(v->clock->g, then)) say(v, "tmem race", JUDGE_ERROR, then, true, "nothing orders them");
    else if (v->party.kind != JUDGE_DEALLOC && v->party.kind != JUDGE_ALLOC && !judge_knows(v->t, then))
        say(v, "tcgen05 fence", JUDGE_STRICT, then, true,
            "no tcgen05.fence::after_thread_sync behind the synchronisation with it");
}

/* `then` was issued later, but came first. */
static void say_overtaken(const struct visit *v, const struct judge_party *then, bool then_writes) {
    struct visit turned = *v;
    turned.party = *then;
    turned.writes = then_writes;
    if (v->party.kind == JUDGE_TST)
        say(&turned, "wait::st", JUDGE_ERROR, &v->party, true,
            "the store may be under way: no tcgen05.wait::st follows it before it is signalled");
    else
        say(&turned, "tmem race", JUDGE_ERROR, &v->party, v->writes,
            "it may be under way: no tcgen05.commit behind it is known to have arrived");
}

static void check(const struct visit *v, const struct judge_party *then, bool then_writes) {
    if (!(then->mask & v->party.mask)) return;
    if (judge_overtook(then, &v->party)) say_overtaken(v, then, then_writes);
    else if (is_pipe(then)) check_pipe(v, then, then_writes);
    else if (then->kind == JUDGE_TLD || then->kind == JUDGE_TST) check_port(v, then, then_writes);
    else check_allocation(v, then);
}

static bool same(const struct judge_party *a, const struct judge_party *b) {
    return a->who == b->who && a->epoch == b->epoch && a->kind == b->kind && a->aux == b->aux &&
           a->fence == b->fence && !(b->mask & ~a->mask);
}

static void remember_read(struct judge_cell *cell, const struct judge_party *now) {
    struct judge_party *slot = &cell->read[0];
    for (uint32_t i = 0; i < JUDGE_READERS; i++) {
        struct judge_party *r = &cell->read[i];
        slot = r;
        if (!r->kind || (r->who == now->who && !(r->mask & ~now->mask))) break;
        if (i + 1 == JUDGE_READERS) { /* the oldest leaves */
            cell->read[0] = cell->read[1];
            cell->read[1] = cell->read[2];
        }
    }
    *slot = *now;
}

static void visit_cell(const struct visit *v, struct judge_cell *cell) {
    const struct judge_party *now = &v->party;
    if (v->writes ? same(&cell->write, now) && !cell->read[0].kind : same(&cell->read[0], now)) return;
    if (cell->write.kind) check(v, &cell->write, true);
    if (!v->writes) {
        remember_read(cell, now);
        return;
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < JUDGE_READERS; i++) {
        struct judge_party *r = &cell->read[i];
        if (!r->kind) continue;
        check(v, r, false);
        bool keep = r->mask & ~now->mask;
        struct judge_party copy = *r;
        r->kind = JUDGE_NOBODY;
        if (keep) cell->read[kept++] = copy;
    }
    cell->write = *now;
}

static void visit_cells(struct visit *v, uint32_t lane, uint32_t lanes, uint32_t column, uint32_t columns) {
    struct emu_judge_cta *cta = v->cta->judge;
    uint8_t halves = v->party.mask;
    if (!cta->tmem) cta->tmem = judge_alloc(v->judge, EMU_TMEM_COLUMNS * sizeof *cta->tmem);
    for (uint32_t c = column; c < column + columns && cta->tmem; c++)
        for (uint32_t q = lane / 32; q <= (lane + lanes - 1) / 32; q++) {
            uint32_t low = lane > q * 32 ? lane - q * 32 : 0,
                     high = lane + lanes < q * 32 + 32 ? lane + lanes - q * 32 : 32;
            v->party.mask = (uint8_t)(halves & ((low < 16 ? 1 : 0) | (high > 16 ? 2 : 0)));
            v->quarter = q, v->column = c;
            if (v->party.mask) visit_cell(v, &cta->tmem[c][q]);
        }
}

/* An accumulator of 64 rows lies in 16 lanes of each quarter. */
static uint8_t halves_of(const struct emu_async *op, enum emu_access access) {
    const struct emu_umma_op *m = (const struct emu_umma_op *)op;
    bool half = access == EMU_WRITE && m->cta_group == 1 && m->shape.m == 64 && !m->weight_stationary;
    return !half ? 3 : m->d_lane ? 2 : 1;
}

void emu_judge_tmem(struct emu_cta *cta, struct emu_warp *warp, const struct emu_insn *insn,
                    struct emu_async *op, uint32_t lane, uint32_t lanes, uint32_t column, uint32_t columns,
                    enum emu_access access) {
    struct emu_judge_warp *w = warp->judge;
    struct visit v = {.judge = w->judge, .cta = cta, .by = w, .writes = access == EMU_WRITE};
    if (op) {
        if (!op->judge || !op->judge->snap) return;
        v.clock = &op->judge->snap->clock;
        v.t = op->judge->snap->t;
        v.party = op->judge->party;
        v.party.mask = v.party.kind == JUDGE_MMA ? halves_of(op, access) : 3;
    } else {
        if (access == EMU_WRITE) return;
        judge_touch(w);
        v.clock = &w->clock;
        v.t = w->t;
        v.party = (struct judge_party){.who = (uint16_t)w->base,
                                       .epoch = w->clock.g[w->base],
                                       .aux = w->epoch[JUDGE_LD],
                                       .fence = w->epoch[JUDGE_FENCE],
                                       .pc = judge_pc(warp, insn),
                                       .serial = ++w->judge->serial,
                                       .kind = JUDGE_TLD,
                                       .mask = 3};
    }
    visit_cells(&v, lane, lanes, column, columns);
}

void emu_judge_tmem_given(struct emu_warp *warp, const struct emu_insn *insn, struct emu_cta *cta,
                          uint32_t column, uint32_t columns, bool alloc) {
    struct emu_judge_warp *w = warp->judge;
    judge_touch(w);
    struct visit v = {.judge = w->judge, .cta = cta, .clock = &w->clock, .t = w->t, .by = w, .writes = true};
    v.party = (struct judge_party){.who = (uint16_t)w->base,
                                   .epoch = w->clock.g[w->base],
                                   .pc = judge_pc(warp, insn),
                                   .serial = ++w->judge->serial,
                                   .kind = alloc ? JUDGE_ALLOC : JUDGE_DEALLOC,
                                   .mask = 3};
    visit_cells(&v, 0, 128, column, columns);
}

void emu_judge_tmem_wait(struct emu_warp *warp, bool loads) {
    struct emu_judge_warp *w = warp->judge;
    enum judge_component c = loads ? JUDGE_LD : JUDGE_ST;
    judge_publish(w, c, w->epoch[c]++);
}

void emu_judge_tcgen05_fence(struct emu_warp *warp, bool before) {
    struct emu_judge_warp *w = warp->judge;
    if (before) {
        judge_fence_before(w);
        return;
    }
    for (uint32_t i = 0; i < w->judge->width; i++) w->t[i] = w->clock.g[i];
    judge_changed(w);
}
