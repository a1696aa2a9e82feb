/* judge_mbarrier: what mbarriers order, and whether they are used so that they can.
 *
 * Phases are counted from 0. An arrival that lands in phase n must know that phase n - 1 is over, else it
 * could have landed there. When phase n ends, every warp that has seen the end of n - 1 must have told so
 * before (as far as the arrivals of n know), else it could have been late: it would have found the parity of
 * n + 1 and missed its phase. */
#include <stdio.h>
#include <string.h>

#include "runtime/emu/judge_parts.h"

static uint32_t warps_of(const struct emu_judge *judge) { return judge->warps * judge->cluster->cta_count; }

struct judge_barrier *judge_barrier_at(struct emu_judge *judge, uint32_t address) {
    if (address >> 24 >= judge->cluster->cta_count) return NULL;
    struct emu_judge_cta *cta = judge->cluster->ctas[address >> 24]->judge;
    uint8_t at = cta->barrier_at[(address & 0xffffff) / 8];
    return at && cta->barriers[at - 1].live ? &cta->barriers[at - 1] : NULL;
}

struct judge_barrier *judge_barrier_of(struct emu_judge *judge, uint32_t component) {
    uint32_t first = judge->warps * JUDGE_COMPONENTS;
    return &judge->cluster->ctas[component / judge->per_cta]
                ->judge->barriers[component % judge->per_cta - first];
}

static void where_is(const struct emu_judge *judge, const struct judge_barrier *b, char *out, size_t bytes) {
    char name[128];
    snprintf(out, bytes, "mbarrier 0x%08x%s", b->address,
             emu_shared_name(judge->cluster->launch->fn, b->address, name, sizeof name));
}

static void say(struct emu_judge *judge, const struct judge_barrier *b, const char *name,
                enum judge_level level, const struct judge_party *now, const char *text) {
    char where[192];
    where_is(judge, b, where, sizeof where);
    judge_say(judge, &(struct judge_report){.name = name, .level = level, .now = now}, where, "%s", text);
}

/* ---- init ---- */

static struct judge_barrier *make(struct emu_judge *judge, struct emu_judge_cta *cta, uint32_t address) {
    uint8_t *at = &cta->barrier_at[(address & 0xffffff) / 8];
    if (*at) return &cta->barriers[*at - 1];
    if (cta->barrier_count == JUDGE_BARRIERS) return NULL; /* said in README.md */
    struct judge_barrier *b = &cta->barriers[cta->barrier_count];
    b->component = (address >> 24) * judge->per_cta + judge->warps * JUDGE_COMPONENTS + cta->barrier_count;
    b->address = address;
    b->sum = judge_clock_new(judge);
    b->done = judge_clock_new(judge);
    b->seen = judge_alloc(judge, warps_of(judge) * sizeof *b->seen);
    b->known = judge_alloc(judge, warps_of(judge));
    if (!b->sum.g || !b->done.g || !b->seen || !b->known) return NULL;
    *at = (uint8_t)++cta->barrier_count;
    return b;
}

void emu_judge_mbarrier_init(struct emu_warp *warp, const struct emu_insn *insn, uint32_t address) {
    struct emu_judge_warp *w = warp->judge;
    struct judge_barrier *b = make(w->judge, warp->cta->cluster->ctas[address >> 24]->judge, address);
    if (!b) return;
    judge_touch(w);
    b->live = true;
    b->init.by = w;
    b->init.epoch = w->clock.g[w->base];
    b->init.pc = judge_pc(warp, insn);
    b->init.fenced = false;
    b->phases += b->phases & 1; /* used before: an even phase, whose parity is 0, comes next */
    memset(b->seen, 0, warps_of(w->judge) * sizeof *b->seen);
    memset(b->known, 0, warps_of(w->judge));
    judge_publish(w, (enum judge_component)(b->component - w->base), b->phases);
    b->known[judge_warp_number(w)] = 1;
}

void emu_judge_mbarrier_inval(struct emu_warp *warp, uint32_t address) {
    struct judge_barrier *b = judge_barrier_at(warp->judge->judge, address);
    if (b) b->live = false;
}

/* ---- use ---- */

/* Whether whoever has this clock knows of the init; and, from the async proxy or another CTA, of its fence.
 */
static void check_init(struct judge_barrier *b, struct emu_judge_warp *w, const struct judge_clock *clock,
                       const struct judge_party *now, bool fence_needed) {
    uint8_t *known = &b->known[judge_warp_number(w)], bit = fence_needed ? 2 : 1;
    if (*known & bit) return;
    *known |= bit;
    const struct emu_judge_warp *by = b->init.by;
    bool fenced = b->init.fenced && (w == by || clock->g[by->base + JUDGE_ORDER] >= b->init.order);
    bool ordered = clock->g[by->base] >= b->init.epoch;
    bool remote = w->warp->cta->rank != b->address >> 24;
    struct judge_party init = {
        .who = (uint16_t)by->base, .epoch = b->init.epoch, .pc = b->init.pc, .kind = JUDGE_LDST};
    char where[192];
    where_is(w->judge, b, where, sizeof where);
    struct judge_report r = {.name = "init", .now = now, .then = &init, .verb = " uses what "};
    if (!ordered && !fenced)
        judge_say(w->judge, &r, where, "nothing orders this use behind the barrier's init");
    else if ((fence_needed || remote) && !fenced) {
        r.level = remote ? JUDGE_ERROR : JUDGE_STRICT;
        r.name = "init fence";
        judge_say(w->judge, &r, where, "no fence.mbarrier_init.release.cluster follows the init");
    }
}

/* A count of 1 and no bytes: every arrival ends a phase, and which one it is cannot go wrong. */
static bool certain(const struct emu_mbarrier_update *u, const struct emu_mbarrier *before) {
    return before->expected == u->arrive && before->pending == u->arrive && !u->expect && !u->complete &&
           !before->tx;
}

/* Whether a clock is behind a wait that saw the last phase end, if only in execution. */
static bool behind_a_wait(struct emu_judge *judge, const struct judge_barrier *b, const struct judge_clock *clock) {
    for (uint32_t n = 0; n < warps_of(judge); n++) {
        const struct judge_seen *s = &b->seen[n];
        uint32_t base = n / judge->warps * judge->per_cta + n % judge->warps * JUDGE_COMPONENTS;
        if (s->any && s->phases == b->phases && clock->g[base + JUDGE_ORDER] >= s->first) return true;
    }
    return false;
}

static void check_turn(struct emu_judge *judge, struct judge_barrier *b, const struct judge_clock *clock,
                       const struct judge_party *now) {
    if (clock->g[b->component] >= b->phases || behind_a_wait(judge, b, clock)) return;
    char text[160];
    snprintf(text, sizeof text,
             "it lands in phase %u but could have come while phase %u was open, whose end is not waited for",
             b->phases, b->phases - 1);
    say(judge, b, "early arrival", JUDGE_ERROR, now, text);
}

/* Everybody who saw the last phase end told so before this one ended. */
static void check_missed(struct emu_judge *judge, const struct judge_barrier *b) {
    for (uint32_t n = 0; n < warps_of(judge); n++) {
        const struct judge_seen *s = &b->seen[n];
        if (!s->any || s->phases != b->phases) continue;
        const struct emu_judge_warp *w =
            judge->cluster->ctas[n / judge->warps]->warps[n % judge->warps].judge;
        if (b->sum.g[w->base] >= s->epoch || b->sum.g[w->base + JUDGE_ORDER] >= s->order) continue;
        struct judge_party now = {
            .who = (uint16_t)w->base, .epoch = s->epoch, .pc = s->pc, .kind = JUDGE_LDST};
        char text[160];
        snprintf(text, sizeof text,
                 "phase %u may end before this wait has seen the end of the phase before: it would wait for "
                 "the wrong one",
                 b->phases);
        say(judge, b, "missed phase", JUDGE_ERROR, &now, text);
    }
}

static void end_phase(struct emu_judge *judge, struct judge_barrier *b) {
    check_missed(judge, b);
    b->phases++;
    b->sum.g[b->component] = b->sum.a[b->component] = b->phases;
    memcpy(b->done.g, b->sum.g, 2 * sizeof(uint32_t) * judge->width);
}

/* A phase does not end before the bytes that land in it were asked for: execution order, no more. */
static void join_order(const struct emu_judge *judge, struct judge_clock *to, const struct judge_clock *from) {
    for (uint32_t n = 0; n < warps_of(judge); n++) {
        uint32_t at = n / judge->warps * judge->per_cta + n % judge->warps * JUDGE_COMPONENTS + JUDGE_ORDER;
        if (to->g[at] < from->g[at]) to->g[at] = to->a[at] = from->g[at];
    }
}

/* What an asynchronous arrival brings: the clocks of its issue, and that what it stands behind is over. */
static void join_effect(struct emu_judge *judge, struct judge_barrier *b, const struct emu_judge_op *o) {
    if (o->party.kind == JUDGE_TMA) { /* its end is the phase itself */
        join_order(judge, &b->sum, &o->snap->clock);
        return;
    }
    judge_join(judge, &b->sum, &o->snap->clock);
    uint32_t at = o->party.who;
    bool brings = o->party.kind == JUDGE_COMMIT || o->party.kind == JUDGE_COPY_ARRIVE;
    if (brings && b->sum.g[at] < o->party.epoch) b->sum.g[at] = b->sum.a[at] = o->party.epoch;
}

static void update_by_effect(struct emu_judge *judge, struct judge_barrier *b, struct emu_judge_op *o,
                             const struct emu_mbarrier_update *u, const struct emu_mbarrier *before) {
    check_init(b, o->issuer, &o->snap->clock, &o->party, o->party.kind != JUDGE_ARRIVE);
    if (!certain(u, before)) check_turn(judge, b, &o->snap->clock, &o->party);
    join_effect(judge, b, o);
    b->last_by = NULL;
    b->async_phase = b->phases + 1;
    b->async_pc = o->party.pc;
    b->async_commit = o->party.kind == JUDGE_COMMIT && o->issuer->warp->cta->rank == b->address >> 24;
}

static void update_by_warp(struct emu_judge_warp *w, struct judge_barrier *b, const struct emu_insn *insn,
                           const struct emu_mbarrier_update *u, const struct emu_mbarrier *before) {
    struct judge_party now = {.who = (uint16_t)w->base,
                              .epoch = w->clock.g[w->base],
                              .pc = judge_pc(w->warp, insn),
                              .kind = JUDGE_LDST};
    check_init(b, w, &w->clock, &now, false);
    if (!certain(u, before)) check_turn(w->judge, b, &w->clock, &now);
    if (!u->arrive) return;
    if (b->last_by == w && b->last_version == w->version) { /* another lane of the same instruction */
        w->released = true;
        return;
    }
    judge_release(w, &b->sum);
    b->last_by = w;
    b->last_version = w->version;
}

void emu_judge_mbarrier_update(struct emu_warp *warp, const struct emu_insn *insn, uint32_t address,
                               const struct emu_mbarrier_update *update, const struct emu_mbarrier *before,
                               bool ended) {
    struct emu_judge *judge = warp->judge->judge;
    struct judge_barrier *b = judge_barrier_at(judge, address);
    if (!b) return;
    if (judge->running && judge->running->snap) update_by_effect(judge, b, judge->running, update, before);
    else update_by_warp(warp->judge, b, insn, update, before);
    if (!ended) return;
    end_phase(judge, b);
    b->ended_by = judge->running ? NULL : warp;
}

void emu_judge_mbarrier_seen(struct emu_warp *warp, const struct emu_insn *insn, uint32_t address) {
    struct emu_judge_warp *w = warp->judge;
    struct judge_barrier *b = judge_barrier_at(w->judge, address);
    if (!b) return;
    struct judge_party now = {.who = (uint16_t)w->base,
                              .epoch = w->clock.g[w->base],
                              .pc = judge_pc(warp, insn),
                              .kind = JUDGE_LDST};
    check_init(b, w, &w->clock, &now, false);
    judge_touch(w);
    if (w->clock.g[b->component] < b->phases) judge_acquire(w, &b->done);
    struct judge_seen *s = &b->seen[judge_warp_number(w)];
    uint32_t order = w->epoch[JUDGE_ORDER], first = s->any && s->phases == b->phases ? s->first : order;
    *s = (struct judge_seen){.any = true, .phases = b->phases, .epoch = w->clock.g[w->base], .order = order, .first = first, .pc = now.pc};
}

bool emu_judge_mbarrier_known(const struct emu_warp *warp, uint32_t address) {
    const struct judge_barrier *b = judge_barrier_at(warp->judge->judge, address);
    return !b || b->ended_by == warp || warp->judge->clock.g[b->component] >= b->phases;
}

void emu_judge_completes(struct emu_cluster *cluster, struct emu_async *op, uint32_t address) {
    const struct judge_barrier *b = judge_barrier_at(cluster->judge, address);
    if (!op->judge || !b) return;
    op->judge->party.kind = JUDGE_TMA;
    op->judge->party.who = (uint16_t)b->component;
    op->judge->party.epoch = b->phases + 1;
}
