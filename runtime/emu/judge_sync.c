/* judge_sync: barriers of threads, fences, and flags in memory.
 *
 * Flags: atomics and strong (volatile, relaxed, acquire, release) accesses give and take clocks by address,
 * all addresses of a bucket together: more order than there is, never less. */
#include <stdio.h>
#include <string.h>

#include "runtime/emu/decode.h"
#include "runtime/emu/judge_parts.h"

/* ---- bar, barrier.cta, barrier.cluster ---- */

/* The clock of a generation that is still open. */
static struct judge_clock *meeting(struct emu_judge *judge, struct judge_rendezvous *r, uint32_t generation) {
    if (!r->clock.g) r->clock = judge_clock_new(judge);
    if (!r->clock.g) return NULL;
    if (r->generation != generation) memset(r->clock.g, 0, 2 * sizeof(uint32_t) * judge->width);
    r->generation = generation;
    return &r->clock;
}

/* The component that counts a named barrier's generations that are over. */
static uint32_t generations_of(const struct emu_judge_warp *w, uint32_t barrier) {
    return w->warp->cta->rank * w->judge->per_cta + w->judge->warps * JUDGE_COMPONENTS + JUDGE_BARRIERS +
           barrier;
}

/* bar.arrive does not wait: who arrives again must know that what it arrived for before is over, else both
 * arrivals could count for one generation. */
static void check_generation(struct emu_judge_warp *w, uint32_t barrier, uint32_t generation) {
    if (w->clock.g[generations_of(w, barrier)] >= generation) return;
    struct judge_party now = {.who = (uint16_t)w->base,
                              .epoch = w->clock.g[w->base],
                              .pc = w->warp->split[w->warp->current].pc,
                              .kind = JUDGE_LDST};
    char where[32];
    snprintf(where, sizeof where, "barrier %u", barrier);
    judge_say(
        w->judge, &(struct judge_report){.name = "early arrival", .now = &now}, where,
        "it counts for use %u of the barrier but could have come during use %u, whose end is not waited for",
        generation + 1, generation);
}

void emu_judge_bar_arrive(struct emu_warp *warp, uint32_t barrier) {
    struct emu_judge_warp *w = warp->judge;
    uint32_t generation = warp->cta->barrier[barrier].generation;
    struct judge_clock *clock =
        meeting(w->judge, &warp->cta->judge->named[barrier][generation & 3], generation);
    check_generation(w, barrier, generation);
    if (clock) judge_release(w, clock);
}

void emu_judge_bar_wait(struct emu_warp *warp, uint32_t barrier, uint32_t generation) {
    struct emu_judge_warp *w = warp->judge;
    const struct judge_rendezvous *r = &warp->cta->judge->named[barrier][generation & 3];
    if (r->generation == generation) judge_acquire(w, &r->clock);
    uint32_t *over = &w->clock.g[generations_of(w, barrier)];
    if (*over > generation) return;
    *over = generation + 1;
    judge_changed(w);
}

/* A relaxed arrival orders execution, not memory: but for the init fence, tcgen05's fences, and "it has
 * started". */
static void release_order(struct emu_judge_warp *w, struct judge_clock *to) {
    static const uint8_t kept[] = {JUDGE_PIPE, JUDGE_FENCE, JUDGE_ORDER};
    struct emu_judge *judge = w->judge;
    for (uint32_t n = 0; n < judge->warps * judge->cluster->cta_count; n++) {
        uint32_t base = n / judge->warps * judge->per_cta + n % judge->warps * JUDGE_COMPONENTS;
        for (size_t i = 0; i < sizeof kept; i++) {
            uint32_t at = base + kept[i];
            if (to->g[at] < w->clock.g[at]) to->g[at] = to->a[at] = w->clock.g[at];
        }
    }
    if (!to->g[w->base + JUDGE_WARP]) to->g[w->base + JUDGE_WARP] = 1;
}

void emu_judge_cluster_arrive(struct emu_warp *warp, const struct emu_insn *insn) {
    struct emu_judge_warp *w = warp->judge;
    uint32_t generation = warp->cta->cluster->barrier.generation;
    struct judge_clock *clock = meeting(w->judge, &w->judge->all[generation & 3], generation);
    if (!clock) return;
    judge_order(w);
    if (emu_mnemonic_has(insn->source->mnemonic, "relaxed")) release_order(w, clock);
    else judge_release(w, clock);
}

void emu_judge_cluster_wait(struct emu_warp *warp, uint32_t generation) {
    const struct judge_rendezvous *r = &warp->judge->judge->all[generation & 3];
    if (r->generation == generation) judge_acquire(warp->judge, &r->clock);
}

/* ---- lanes ---- */

static bool waits(const struct emu_warp *warp, const struct emu_split *s) {
    const struct emu_insn *before = &warp->fn->code[s->pc ? s->pc - 1 : 0];
    if (s->state == EMU_SPLIT_BLOCKED) return s->wait.kind != EMU_WAIT_WARP;
    return s->state == EMU_SPLIT_YIELDED &&
           strncmp(before->source->mnemonic, "mbarrier", 8) == 0; /* it polls */
}

/* The others wait for something: they will come, but nothing brings the lanes together before the
 * instruction. Lanes that a branch parted and that meet behind it are not looked at: compilers count on it.
 */
void emu_judge_apart(struct emu_warp *warp, const struct emu_insn *insn, uint32_t mask) {
    struct emu_judge_warp *w = warp->judge;
    for (uint32_t k = 0; k < warp->split_count; k++) {
        const struct emu_split *s = &warp->split[k];
        if (!waits(warp, s)) continue;
        struct judge_party now = {
            .who = (uint16_t)w->base, .epoch = 1, .pc = judge_pc(warp, insn), .kind = JUDGE_LDST};
        struct judge_party then = {.who = (uint16_t)w->base, .epoch = 1, .pc = s->pc, .kind = JUDGE_LDST};
        judge_say(w->judge,
                  &(struct judge_report){.name = "aligned",
                                         .level = JUDGE_STRICT,
                                         .now = &now,
                                         .then = &then,
                                         .verb = " is reached by some lanes while others are at "},
                  "lanes of a warp", "0x%08x and 0x%08x: no bar.warp.sync brings them together before it",
                  mask, s->mask);
    }
}

/* ---- fences ---- */

/* The async proxy sees what happened before: of shared memory, unless it says otherwise. */
static void fence_proxy(struct emu_judge_warp *w) {
    memcpy(w->clock.a, w->clock.g, sizeof(uint32_t) * w->judge->width);
    w->released = true; /* what comes next is not fenced */
    judge_changed(w);
}

static void fence_init(struct emu_judge_warp *w) {
    struct emu_judge_cta *cta = w->warp->cta->judge;
    for (uint32_t i = 0; i < cta->barrier_count; i++) {
        struct judge_barrier *b = &cta->barriers[i];
        if (b->init.by != w || b->init.fenced) continue;
        b->init.fenced = true;
        b->init.order = w->epoch[JUDGE_ORDER];
    }
    judge_order(w);
}

void emu_judge_fence(struct emu_warp *warp, const struct emu_insn *insn) {
    const char *name = insn->source->mnemonic;
    bool init = strncmp(name, "fence.mbarrier_init", 19) == 0,
         proxy = strncmp(name, "fence.proxy.async", 17) == 0;
    if (init || proxy) fence_init(warp->judge);
    if (proxy && !emu_mnemonic_has(name, "global")) fence_proxy(warp->judge);
}

/* ---- what an access is ---- */

const struct judge_access *judge_access_of(struct emu_judge *judge, const struct emu_insn *insn) {
    static const char *const strong[] = {"volatile", "relaxed", "mmio", "acquire", "release", "acq_rel"};
    const char *name = insn->source->mnemonic;
    struct judge_access *how = &judge->how[insn - judge->cluster->launch->fn->code];
    if (how->known) return how;
    bool tensor = strncmp(name, "tcgen05", 7) == 0;
    how->known = true;
    how->atomic = name[0] == 'a' || name[0] == 'r';
    how->read = name[0] == 'l' || how->atomic;
    how->write = name[0] == 's' || tensor || how->atomic;
    for (size_t i = 0; i < sizeof strong / sizeof *strong && !how->atomic; i++)
        how->atomic = emu_mnemonic_has(name, strong[i]);
    how->acquires = how->atomic && how->read;
    how->releases = how->atomic && how->write;
    return how;
}

void emu_judge_global(struct emu_warp *warp, const struct emu_insn *insn, uint64_t address) {
    struct emu_judge_warp *w = warp->judge;
    const struct judge_access *how = judge_access_of(w->judge, insn);
    if (!how->atomic) return;
    struct judge_clock *bucket = &w->judge->bucket[(address / 4) * 0x9e3779b97f4a7c15ull >> 58];
    if (!bucket->g) *bucket = judge_clock_new(w->judge);
    if (!bucket->g) return;
    if (how->acquires) judge_acquire(w, bucket);
    if (how->releases) judge_release(w, bucket);
}
