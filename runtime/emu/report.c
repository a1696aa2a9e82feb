/* report: faults and deadlocks, for people. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "runtime/emu/arrivals.h"
#include "runtime/emu/decode.h"
#include "runtime/emu/module.h"
#include "runtime/emu/sched.h"
#include "runtime/emu/wgmma.h"

enum { PLACE_BYTES = 512, NAME_BYTES = 128 };

struct out { /* the end of launch->report */
    char *text;
    size_t left;
};

static void put(struct out *o, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct out *o, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int n = vsnprintf(o->text, o->left, format, args);
    va_end(args);
    size_t used = n < 0 ? 0 : (size_t)n < o->left ? (size_t)n : o->left - 1;
    o->text += used;
    o->left -= used;
}

/* The first who fails a launch writes its report; all others only stop. */
static bool claim(struct emu_launch *launch, int cu_result, struct out *o) {
    if (__sync_val_compare_and_swap(&launch->failed, 0, 1) != 0) return false;
    launch->status = cu_result;
    *o = (struct out){launch->report, sizeof launch->report};
    return true;
}

const char *emu_place(const struct emu_function *fn, const struct ptx_insn *insn, char *out, size_t bytes) {
    const struct ptx_pos *pos = &insn->pos;
    const struct ptx_module *m = fn->module->ptx;
    const char *under = insn->under && insn->under[0] != '$' ? insn->under : NULL;
    if (pos->loc_file < m->file_count && m->files[pos->loc_file] && pos->loc_line)
        snprintf(out, bytes, "%s:%u (PTX line %u%s%s)", m->files[pos->loc_file], pos->loc_line, pos->line,
                 under ? ", in " : "", under ? under : "");
    else snprintf(out, bytes, "PTX line %u%s%s%s", pos->line, under ? " (in " : "", under ? under : "", under ? ")" : "");
    return out;
}

const char *emu_shared_name(const struct emu_function *fn, uint32_t address, char *out, size_t bytes) {
    uint32_t offset = address & 0xffffff;
    *out = '\0';
    for (const struct emu_shared_name *n = fn->shared_names; n; n = n->next) {
        if (offset - n->offset >= n->bytes) continue;
        if (offset == n->offset) snprintf(out, bytes, " (%s)", n->name);
        else snprintf(out, bytes, " (%s + %u)", n->name, offset - n->offset);
    }
    return out;
}

static void put_place(struct out *o, const struct emu_function *fn, const struct emu_insn *insn) {
    char place[PLACE_BYTES];
    put(o, "%s", emu_place(fn, insn->source, place, sizeof place));
}

enum emu_step emu_fault(struct emu_warp *w, const struct emu_insn *insn, int cu_result, const char *format,
                        ...) {
    struct out o;
    const struct emu_cta *cta = w->cta;
    if (!claim(cta->cluster->launch, cu_result, &o)) return EMU_FAULT;
    put(&o, "%s: ", w->fn->source->name);
    if (insn) {
        put_place(&o, w->fn, insn);
        put(&o, ": %s: ", insn->source->mnemonic);
    }
    put(&o, "CTA (%u,%u,%u) warp %u: ", cta->ctaid[0], cta->ctaid[1], cta->ctaid[2], w->index);
    va_list args;
    va_start(args, format);
    vsnprintf(o.text, o.left, format, args);
    va_end(args);
    return EMU_FAULT;
}

#define NAMES 6u /* warps that a report lists, at most */

static void put_arrivals(struct out *o, const struct emu_cluster *cluster, uint32_t address, int phase, const char *what) {
    struct emu_arrival list[NAMES + 1];
    uint32_t count = emu_arrivals_find(cluster, address, phase, list, NAMES + 1);
    for (uint32_t i = 0; i < count && i < NAMES; i++) {
        const struct emu_warp *w = list[i].warp;
        put(o, "%s CTA %u warp %u (%s at ", i ? "," : what, w->cta->rank, w->index, list[i].insn->source->mnemonic);
        put_place(o, w->fn, list[i].insn);
        put(o, ")");
    }
    if (count > NAMES) put(o, " and others");
}

static void put_mbarrier(struct out *o, const struct emu_cluster *cluster, uint32_t address) {
    struct emu_arrival one;
    put_arrivals(o, cluster, address, 0, "; in it have arrived");
    put_arrivals(o, cluster, address, 1, "; not yet in it, but in an earlier one:");
    if (!emu_arrivals_find(cluster, address, 0, &one, 1) && !emu_arrivals_find(cluster, address, 1, &one, 1))
        put(o, "; nobody has ever arrived");
}

static bool waits_at(const struct emu_warp *w, uint32_t barrier) {
    for (uint32_t k = 0; k < w->split_count; k++)
        if (w->split[k].wait.kind == EMU_WAIT_BARRIER && (w->split[k].wait.address & 15) == barrier) return true;
    return false;
}

/* Warps that are not at a barrier: those that go elsewhere, those that have ended. */
static void put_absent(struct out *o, const struct emu_cta *cta, uint32_t barrier) {
    for (int ended = 0; ended < 2; ended++) {
        uint32_t count = 0;
        for (uint32_t k = 0; k < cta->warp_count; k++) {
            const struct emu_warp *w = &cta->warps[k];
            if (waits_at(w, barrier) || (w->split_count == 0) != ended) continue;
            if (count < NAMES) put(o, "%s %u", count ? "," : ended ? "; ended: warp" : "; elsewhere: warp", k);
            count++;
        }
        if (count > NAMES) put(o, " and %u more", count - NAMES);
    }
}

static void put_wait(struct out *o, struct emu_warp *w, const struct emu_split *s) {
    const struct emu_wait *wait = &s->wait;
    struct emu_cluster *cluster = w->cta->cluster;
    char state[160] = "", name[NAME_BYTES];
    switch (wait->kind) {
    case EMU_WAIT_MBARRIER:
        if (emu_mbarrier_describe) emu_mbarrier_describe(cluster, wait->address, state, sizeof state);
        put(o, "waits until the mbarrier at 0x%08x%s completes a phase of parity %u%s%s", wait->address,
            emu_shared_name(w->fn, wait->address, name, sizeof name), wait->detail, state[0] ? "; " : "", state);
        put_mbarrier(o, cluster, wait->address);
        break;
    case EMU_WAIT_BARRIER: {
        const struct emu_named_barrier *b = &w->cta->barrier[wait->address & 15];
        if (b->expected)
            put(o, "waits at barrier %u: %u of %u threads have arrived", wait->address, b->arrived,
                b->expected);
        else
            put(o, "waits at barrier %u for all threads of the CTA: %u have arrived", wait->address,
                b->arrived);
        put_absent(o, w->cta, wait->address & 15);
        break;
    }
    case EMU_WAIT_CLUSTER:
        put(o, "waits at the cluster barrier: %u threads have arrived", cluster->barrier.arrived);
        break;
    case EMU_WAIT_WARP:
        put(o, "waits for lanes 0x%08x of its warp", wait->detail & w->live & ~s->mask);
        break;
    case EMU_WAIT_BULK: put(o, "waits until at most %u bulk groups are pending", wait->detail); break;
    case EMU_WAIT_TMEM_ALLOC: put(o, "waits for %u columns of tensor memory", wait->detail); break;
    case EMU_WAIT_WGMMA:
        emu_wgmma_describe(w, state, sizeof state);
        put(o, "waits until at most %u wgmma groups are pending%s%s", wait->detail, state[0] ? "; " : "",
            state);
        break;
    case EMU_WAIT_OTHER: put(o, "waits (%u)", wait->detail); break;
    case EMU_WAIT_NONE: put(o, "runs"); break;
    }
}

/* Warps of a CTA, one behind the other, of which there is the same to say. */
struct alike {
    const struct emu_warp *first, *last; /* NULL: none */
    char text[2048];
};

static void put_alike(struct out *o, struct alike *a) {
    if (!a->first) return;
    uint32_t more = a->last->index - a->first->index;
    put(o, "\n  CTA %u warp%s %u", a->first->cta->rank, more ? "s" : "", a->first->index);
    if (more) put(o, " %s %u", more > 1 ? "to" : "and", a->last->index);
    put(o, "%s", a->text);
    a->first = NULL;
}

static void put_split(struct out *o, struct emu_warp *w, const struct emu_split *s, struct alike *a) {
    const struct emu_insn *insn = &w->fn->code[s->pc];
    char text[sizeof a->text] = "";
    struct out line = {text, sizeof text};
    /* a split that yielded stands behind the instruction that it polls with */
    if (s->state == EMU_SPLIT_YIELDED && s->wait.kind != EMU_WAIT_NONE && s->pc) insn--;
    if (s->mask != EMU_FULL) put(&line, " lanes 0x%08x", s->mask);
    put(&line, " at ");
    put_place(&line, w->fn, insn);
    put(&line, ", %s: ", insn->source->mnemonic);
    put_wait(&line, w, s);
    bool same = a->first && a->first->cta == w->cta && a->last->index + 1 == w->index && strcmp(a->text, text) == 0;
    if (!same) {
        put_alike(o, a);
        a->first = w;
        memcpy(a->text, text, sizeof text);
    }
    a->last = w;
}

void emu_report_stuck(struct emu_cluster *cluster, int cu_result, const char *headline) {
    static const char *const orders[] = {"eager", "late", "random"};
    struct emu_launch *launch = cluster->launch;
    struct out o;
    if (!claim(launch, cu_result, &o)) return;
    put(&o, "%s: %s in cluster (%u,%u,%u), order %s", launch->fn->source->name, headline,
        cluster->clusterid[0], cluster->clusterid[1], cluster->clusterid[2], orders[launch->order]);
    if (launch->order == EMU_ORDER_RANDOM) put(&o, ", seed %llu", (unsigned long long)launch->seed);
    struct alike alike = {.first = NULL};
    for (uint32_t c = 0; c < cluster->cta_count; c++)
        for (uint32_t k = 0; k < cluster->ctas[c]->warp_count; k++) {
            struct emu_warp *w = &cluster->ctas[c]->warps[k];
            for (uint32_t i = 0; i < w->split_count; i++) put_split(&o, w, &w->split[i], &alike);
        }
    put_alike(&o, &alike);
}
