/* judge_clock: vector clocks, and the judge's part of a cluster. */
#include <stdio.h>
#include <string.h>

#include "gen/arena.h"
#include "runtime/emu/fault.h"
#include "runtime/emu/judge_parts.h"

void *judge_alloc(struct emu_judge *judge, size_t bytes) {
    void *memory = wl_arena_alloc(judge->cluster->arena, bytes);
    struct emu_launch *launch = judge->cluster->launch;
    if (!memory && __sync_val_compare_and_swap(&launch->failed, 0, 1) == 0) {
        launch->status = EMU_FAULT_NO_MEMORY;
        snprintf(launch->report, sizeof launch->report, "no memory for the checks of a cluster");
    }
    return memory;
}

struct judge_clock judge_clock_new(struct emu_judge *judge) {
    uint32_t *words = judge_alloc(judge, 2 * sizeof *words * judge->width);
    return (struct judge_clock){words, words ? words + judge->width : NULL};
}

static void join(uint32_t *restrict to, const uint32_t *restrict from, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) to[i] = to[i] > from[i] ? to[i] : from[i];
}

void judge_join(const struct emu_judge *judge, struct judge_clock *to, const struct judge_clock *from) {
    join(to->g, from->g, judge->width);
    join(to->a, from->a, judge->width);
}

/* ---- a warp's ---- */

void judge_changed(struct emu_judge_warp *w) {
    w->version++;
    if (w->snap) judge_snapshot_drop(w->judge, w->snap);
    w->snap = NULL;
}

void judge_touch(struct emu_judge_warp *w) {
    if (!w->released) return;
    w->released = false;
    w->clock.g[w->base + JUDGE_WARP]++;
    judge_changed(w);
}

void judge_publish(struct emu_judge_warp *w, enum judge_component c, uint32_t epoch) {
    uint32_t at = judge_component_of(w, c);
    if (w->clock.g[at] >= epoch) return;
    w->clock.g[at] = w->clock.a[at] = epoch;
    judge_changed(w);
}

void judge_order(struct emu_judge_warp *w) { judge_publish(w, JUDGE_ORDER, w->epoch[JUDGE_ORDER]++); }

/* Ends an epoch of the pipe: what was issued in it is ordered before what the thread does next. */
void judge_fence_before(struct emu_judge_warp *w) { judge_publish(w, JUDGE_FENCE, w->epoch[JUDGE_FENCE]++); }

void judge_release(struct emu_judge_warp *w, struct judge_clock *to) {
    judge_order(w); /* who is behind it in memory order is so in execution, too */
    judge_join(w->judge, to, &w->clock);
    w->released = true;
}

void judge_acquire(struct emu_judge_warp *w, const struct judge_clock *from) {
    judge_touch(w);
    if (!from->g) return;
    judge_join(w->judge, &w->clock, from);
    judge_changed(w);
}

/* ---- snapshots: clocks as they were at an issue ---- */

struct judge_snapshot *judge_snapshot_fresh(struct emu_judge *judge) {
    struct judge_snapshot *s = judge->spare_snaps;
    if (s) judge->spare_snaps = s->next;
    else {
        s = judge_alloc(judge, sizeof *s + 3 * sizeof(uint32_t) * judge->width);
        if (!s) return NULL;
        s->clock.g = (uint32_t *)(s + 1);
        s->clock.a = s->clock.g + judge->width;
        s->t = s->clock.a + judge->width;
    }
    s->refs = 0;
    return s;
}

struct judge_snapshot *judge_snapshot(struct emu_judge_warp *w) {
    size_t bytes = sizeof(uint32_t) * w->judge->width;
    if (!w->snap) {
        judge_touch(w);
        struct judge_snapshot *s = judge_snapshot_fresh(w->judge);
        if (!s) return NULL;
        memcpy(s->clock.g, w->clock.g, bytes);
        memcpy(s->clock.a, w->clock.a, bytes);
        memcpy(s->t, w->t, bytes);
        s->refs = 1;
        w->snap = s;
    }
    w->snap->refs++;
    return w->snap;
}

void judge_snapshot_drop(struct emu_judge *judge, struct judge_snapshot *s) {
    if (--s->refs) return;
    s->next = judge->spare_snaps;
    judge->spare_snaps = s;
}

/* ---- components ---- */

struct emu_judge_warp *judge_warp_of(const struct emu_judge *judge, uint32_t component) {
    uint32_t cta = component / judge->per_cta, at = component % judge->per_cta / JUDGE_COMPONENTS;
    return at < judge->warps ? judge->cluster->ctas[cta]->warps[at].judge : NULL;
}

uint32_t judge_warp_number(const struct emu_judge_warp *w) {
    return w->warp->cta->rank * w->judge->warps + w->warp->index;
}

uint32_t judge_pc(const struct emu_warp *w, const struct emu_insn *insn) {
    return (uint32_t)(insn - w->fn->code);
}

/* ---- a cluster ---- */

static bool make_warp(struct emu_judge *judge, struct emu_warp *warp) {
    struct emu_judge_warp *w = judge_alloc(judge, sizeof *w);
    if (!w) return false;
    w->judge = judge;
    w->warp = warp;
    w->base = warp->cta->rank * judge->per_cta + warp->index * JUDGE_COMPONENTS;
    w->clock = judge_clock_new(judge);
    w->t = judge_alloc(judge, sizeof *w->t * judge->width);
    if (!w->clock.g || !w->t) return false;
    for (int c = 0; c < JUDGE_COMPONENTS; c++) w->epoch[c] = 1;
    w->clock.g[w->base + JUDGE_WARP] = 2; /* epoch 1: it has started, which even a relaxed arrival tells */
    warp->judge = w;
    return true;
}

static bool make_cta(struct emu_judge *judge, struct emu_cta *cta) {
    struct emu_judge_cta *c = judge_alloc(judge, sizeof *c);
    if (!c) return false;
    uint32_t warps = judge->warps * judge->cluster->cta_count;
    c->pages = judge_alloc(judge, (cta->smem_bytes / (16 * JUDGE_PAGE) + 1) * sizeof *c->pages);
    c->barrier_at = judge_alloc(judge, cta->smem_bytes / 8 + 1);
    c->barriers = judge_alloc(judge, JUDGE_BARRIERS * sizeof *c->barriers);
    c->end = judge_alloc(judge, judge->width * sizeof *c->end);
    c->remote = judge_alloc(judge, warps * sizeof *c->remote);
    if (!c->pages || !c->barrier_at || !c->barriers || !c->end || !c->remote) return false;
    cta->judge = c;
    for (uint32_t k = 0; k < cta->warp_count; k++)
        if (!make_warp(judge, &cta->warps[k])) return false;
    return true;
}

bool emu_judge_cluster(struct emu_cluster *cluster) {
    struct emu_judge *judge = wl_arena_alloc(cluster->arena, sizeof *judge);
    if (!judge) return false;
    judge->cluster = cluster;
    judge->warps = cluster->ctas[0]->warp_count;
    judge->per_cta = judge->warps * JUDGE_COMPONENTS + JUDGE_BARRIERS + JUDGE_NAMED;
    judge->width = judge->per_cta * cluster->cta_count;
    judge->how = wl_arena_alloc(cluster->arena, cluster->launch->fn->code_count * sizeof *judge->how);
    if (!judge->how) return false;
    for (uint32_t c = 0; c < cluster->cta_count; c++)
        if (!make_cta(judge, cluster->ctas[c])) return false;
    cluster->judge = judge;
    const uint32_t *id = cluster->clusterid;
    if (cluster->launch->check == EMU_CHECK_STRICT && !(id[0] | id[1] | id[2])) judge_registers(judge);
    return true;
}

void emu_judge_exit(struct emu_warp *warp) {
    join(warp->cta->judge->end, warp->judge->clock.g, warp->judge->judge->width);
}
