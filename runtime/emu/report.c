/* report: faults and deadlocks, for people. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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

static void put_wait(struct out *o, struct emu_warp *w, const struct emu_split *s) {
    const struct emu_wait *wait = &s->wait;
    struct emu_cluster *cluster = w->cta->cluster;
    char state[160] = "";
    switch (wait->kind) {
    case EMU_WAIT_MBARRIER:
        if (emu_mbarrier_describe) emu_mbarrier_describe(cluster, wait->address, state, sizeof state);
        put(o, "waits for the mbarrier at 0x%08x to complete phase parity %u%s%s", wait->address,
            wait->detail, state[0] ? "; it has " : "", state);
        break;
    case EMU_WAIT_BARRIER: {
        const struct emu_named_barrier *b = &w->cta->barrier[wait->address & 15];
        if (b->expected)
            put(o, "waits at barrier %u: %u of %u threads have arrived", wait->address, b->arrived,
                b->expected);
        else
            put(o, "waits at barrier %u for all threads of the CTA: %u have arrived", wait->address,
                b->arrived);
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
