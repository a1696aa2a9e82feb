/* report: faults and deadlocks, for people. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "runtime/emu/arrivals.h"
#include "runtime/emu/decode.h"
#include "runtime/emu/module.h"
#include "runtime/emu/sched.h"
#include "runtime/emu/wgmma.h"

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

/* "softmax.ptx:31 (PTX line 412)": the template's line first, where .loc names one */
static void put_place(struct out *o, const struct emu_function *fn, const struct emu_insn *insn) {
    const struct ptx_pos *pos = &insn->source->pos;
    const struct ptx_module *m = fn->module->ptx;
    if (pos->loc_file < m->file_count && m->files[pos->loc_file] && pos->loc_line)
        put(o, "%s:%u (PTX line %u)", m->files[pos->loc_file], pos->loc_line, pos->line);
    else put(o, "PTX line %u", pos->line);
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
    put_arrivals(o, cluster, address, 0, "; in this phase arrived");
    put_arrivals(o, cluster, address, 1, "; not yet, though in an earlier one,");
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
    char state[160] = "";
    switch (wait->kind) {
    case EMU_WAIT_MBARRIER:
        if (emu_mbarrier_describe) emu_mbarrier_describe(cluster, wait->address, state, sizeof state);
        put(o, "waits for the mbarrier at 0x%08x to complete phase parity %u%s%s", wait->address,
            wait->detail, state[0] ? "; it has " : "", state);
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

static void put_warp(struct out *o, struct emu_warp *w) {
    for (uint32_t k = 0; k < w->split_count; k++) {
        const struct emu_split *s = &w->split[k];
        const struct emu_insn *insn = &w->fn->code[s->pc];
        /* a split that yielded stands behind the instruction that it polls with */
        if (s->state == EMU_SPLIT_YIELDED && s->wait.kind != EMU_WAIT_NONE && s->pc) insn--;
        put(o, "\n  CTA %u warp %u", w->cta->rank, w->index);
        if (s->mask != EMU_FULL) put(o, " lanes 0x%08x", s->mask);
        put(o, " at ");
        put_place(o, w->fn, insn);
        put(o, ", %s: ", insn->source->mnemonic);
        put_wait(o, w, s);
    }
}

void emu_report_stuck(struct emu_cluster *cluster, int cu_result, const char *headline) {
    static const char *const orders[] = {"eager", "late", "random"};
    struct emu_launch *launch = cluster->launch;
    struct out o;
    if (!claim(launch, cu_result, &o)) return;
    put(&o, "%s: %s in cluster (%u,%u,%u), order %s", launch->fn->source->name, headline,
        cluster->clusterid[0], cluster->clusterid[1], cluster->clusterid[2], orders[launch->order]);
    if (launch->order == EMU_ORDER_RANDOM) put(&o, ", seed %llu", (unsigned long long)launch->seed);
    for (uint32_t c = 0; c < cluster->cta_count; c++)
        for (uint32_t k = 0; k < cluster->ctas[c]->warp_count; k++) put_warp(&o, &cluster->ctas[c]->warps[k]);
}
