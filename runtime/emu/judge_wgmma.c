/* judge_wgmma: what a warpgroup's multiplies order. One is over once four warps have issued it; so whoever waits for
 * its group knows what the other three knew when they issued it. Nothing says that it begins no sooner: each warp's
 * rows may be under way when it has issued its own, and are behind what that warp alone knows. */
#include <string.h>

#include "runtime/emu/judge_parts.h"

enum {
    GROUPS = 4, /* that are told apart; a warp further ahead makes a slow one know a little too much */
    WAITS = 16  /* that are remembered; of older ones nothing is said */
};

struct judge_wgmma {                  /* of a warpgroup */
    struct judge_clock clock[GROUPS]; /* of all issues into group g, at g % GROUPS */
    uint32_t group[GROUPS];
    struct judge_wait {
        uint32_t pc, who; /* of the warp that came first */
    } wait[WAITS];        /* the n-th wait_group, at n % WAITS */
    uint32_t waits[4], newest;
};

static struct judge_wgmma *of(struct emu_judge_warp *w, bool make) {
    struct emu_judge_warp *first = (w->warp - w->warp->index % 4)->judge;
    if (first->wgmma || !make) return first->wgmma;
    struct judge_wgmma *g = judge_alloc(w->judge, sizeof *g);
    for (uint32_t i = 0; g && i < GROUPS; i++) {
        g->clock[i] = judge_clock_new(w->judge);
        if (!g->clock[i].g) return NULL;
    }
    return first->wgmma = g;
}

static void meet(uint32_t *restrict to, const uint32_t *restrict with, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) to[i] = to[i] < with[i] ? to[i] : with[i];
}

static void know(struct emu_judge_warp *w, struct judge_snapshot **known) {
    struct judge_snapshot *mine = judge_snapshot(w);
    uint32_t width = w->judge->width;
    if (!mine) return;
    if (!*known && (*known = judge_snapshot_fresh(w->judge))) {
        (*known)->refs = 1;
        memcpy((*known)->clock.g, mine->clock.g, 3 * sizeof(uint32_t) * width); /* a and t are behind g */
    } else if (*known) meet((*known)->clock.g, mine->clock.g, 3 * width);
    judge_snapshot_drop(w->judge, mine);
}

void emu_judge_wgmma_begins(struct emu_warp *warp, struct judge_snapshot *known) { warp->judge->judge->begins = known; }

void emu_judge_wgmma_issue(struct emu_warp *warp, struct judge_snapshot **known) {
    struct emu_judge_warp *w = warp->judge;
    know(w, known);
    struct judge_wgmma *g = of(w, true);
    uint32_t group = w->epoch[JUDGE_WGMMA], i = group % GROUPS;
    if (!g || g->group[i] > group) return;
    if (g->group[i] < group)
        memset(g->clock[i].g, 0, 2 * sizeof(uint32_t) * w->judge->width); /* a is behind g */
    g->group[i] = group;
    judge_release(w, &g->clock[i]);
}

void judge_wgmma_wait(struct emu_judge_warp *w, uint32_t group) {
    struct judge_wgmma *g = of(w, false);
    if (g && g->group[group % GROUPS] >= group) judge_acquire(w, &g->clock[group % GROUPS]);
}

/* The n-th wait of each warp must be the same instruction. It is compute-sanitizer's synccheck that says so, of a kernel
 * on an H200: "Mismatching warpgroup instruction pc between warps". */
void emu_judge_wgmma_waits(struct emu_warp *warp, const struct emu_insn *insn) {
    struct emu_judge_warp *w = warp->judge;
    struct judge_wgmma *g = of(w, true);
    if (!g) return;
    struct judge_wait here = {judge_pc(warp, insn), w->base};
    uint32_t n = g->waits[warp->index % 4]++;
    struct judge_wait *first = &g->wait[n % WAITS];
    if (n == g->newest) {
        *first = here;
        g->newest++;
    } else if (g->newest - n <= WAITS && first->pc != here.pc) {
        struct judge_party
            now = {.who = (uint16_t)here.who, .epoch = 1, .pc = here.pc, .kind = JUDGE_LDST},
            then = {.who = (uint16_t)first->who, .epoch = 1, .pc = first->pc, .kind = JUDGE_LDST};
        judge_say(w->judge,
                  &(struct judge_report){.name = "warpgroup",
                                         .level = JUDGE_STRICT,
                                         .now = &now,
                                         .then = &then,
                                         .verb = " is where one warp waits while another is at "},
                  "wgmma.wait_group", "the four warps of a warpgroup must come to the same one");
    }
}

void emu_judge_wgmma_touched(struct emu_warp *warp, const struct emu_insn *insn,
                             const struct emu_insn *wgmma) {
    struct emu_judge_warp *w = warp->judge;
    struct judge_party
        now = {.who = (uint16_t)w->base, .epoch = 1, .pc = judge_pc(warp, insn), .kind = JUDGE_LDST},
        then = {.who = (uint16_t)w->base, .epoch = 1, .pc = judge_pc(warp, wgmma), .kind = JUDGE_WGMMA_OP};
    judge_say(w->judge,
              &(struct judge_report){.name = "wgmma registers",
                                     .level = JUDGE_STRICT,
                                     .now = &now,
                                     .then = &then,
                                     .verb = " names registers of "},
              "registers",
              "no wgmma.wait_group for its group has passed: ptxas makes the multiplies wait for each other");
}
