/* split: the sets of lanes into which a diverged warp has fallen.
 *
 * The split with the least pc goes first, so that lanes meet again behind a branch; splits that stand at one
 * pc merge, unless one of them has begun an instruction that it could not finish. A split that yielded goes
 * behind all others. */
#include "runtime/emu/sched.h"

static struct emu_split *current(struct emu_warp *w) { return &w->split[w->current]; }

/* Waiting only for other lanes of the warp: nothing has been begun. */
static bool joinable(const struct emu_split *s) {
    return s->state != EMU_SPLIT_BLOCKED || s->wait.kind == EMU_WAIT_WARP;
}

bool emu_split_ready(const struct emu_warp *w, const struct emu_split *s) {
    if (s->state != EMU_SPLIT_BLOCKED) return true;
    if (s->wait.kind == EMU_WAIT_WARP) return (s->wait.detail & w->live & ~s->mask) == 0;
    return s->wait.since != w->cta->cluster->version;
}

static void clear_wait(struct emu_split *s) {
    s->state = EMU_SPLIT_READY;
    s->wait = (struct emu_wait){.kind = EMU_WAIT_NONE};
}

void emu_split_add(struct emu_warp *w, uint32_t pc, uint32_t mask) {
    if (!mask) return;
    for (uint32_t k = 0; k < w->split_count; k++) {
        struct emu_split *s = &w->split[k];
        if (s->pc == pc && k != w->current && joinable(s)) {
            s->mask |= mask;
            clear_wait(s);
            return;
        }
    }
    w->split[w->split_count++] = (struct emu_split){.pc = pc, .mask = mask};
}

void emu_split_remove(struct emu_warp *w, uint32_t index) {
    uint32_t last = --w->split_count;
    w->split[index] = w->split[last];
    if (w->current == last) w->current = index < last ? index : 0;
}

void emu_split_exit(struct emu_warp *w, uint32_t mask) {
    w->live &= ~mask;
    current(w)->mask &= ~mask;
    if (!current(w)->mask) emu_split_remove(w, w->current);
}

static bool better(const struct emu_split *a, const struct emu_split *b) {
    bool ya = a->state == EMU_SPLIT_YIELDED, yb = b->state == EMU_SPLIT_YIELDED;
    if (ya != yb) return yb;
    return ya ? a->wait.since < b->wait.since : a->pc < b->pc;
}

static void merge_into_current(struct emu_warp *w) {
    for (uint32_t k = w->split_count; k-- > 0;) {
        struct emu_split *s = &w->split[k], *c = current(w);
        if (s == c || s->pc != c->pc || !joinable(s)) continue;
        c->mask |= s->mask;
        emu_split_remove(w, k);
    }
}

bool emu_split_pick(struct emu_warp *w) {
    int best = -1;
    for (uint32_t k = 0; k < w->split_count; k++)
        if (emu_split_ready(w, &w->split[k]) && (best < 0 || better(&w->split[k], &w->split[best])))
            best = (int)k;
    if (best < 0) return false;
    w->current = (uint32_t)best;
    if (!joinable(current(w))) return true; /* goes on with what it has begun */
    if (w->split_count > 1) merge_into_current(w);
    clear_wait(current(w));
    return true;
}

uint32_t emu_split_meeting(const struct emu_warp *w) {
    uint32_t least = UINT32_MAX;
    for (uint32_t k = 0; k < w->split_count; k++) {
        const struct emu_split *s = &w->split[k];
        if (k != w->current && joinable(s) && s->state != EMU_SPLIT_YIELDED && s->pc < least) least = s->pc;
    }
    return least;
}
