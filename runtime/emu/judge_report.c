/* judge_report: what was found in a launch, each pair of instructions once, and the verdict. */
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "gen/arena.h"
#include "runtime/emu/fault.h"
#include "runtime/emu/judge_parts.h"
#include "runtime/emu/module.h"

enum { MOST = 20, KNOWN = 256 };

struct emu_judge_log { /* of a launch: its clusters run on several host threads */
    pthread_mutex_t lock;
    uint32_t found, printed;
    struct known {
        const char *name;
        uint32_t now, then;
    } known[KNOWN];
    size_t used;
    char text[12288];
};

static const char *const kinds[JUDGE_KINDS] = {
    /* clang-format off */
    [JUDGE_LDST] = "access",                [JUDGE_ATOMIC] = "atomic access",     [JUDGE_CP_ASYNC] = "cp.async copy",
    [JUDGE_ALLOC] = "allocation",           [JUDGE_DEALLOC] = "deallocation",     [JUDGE_TLD] = "tcgen05.ld",
    [JUDGE_TST] = "tcgen05.st",             [JUDGE_MMA] = "tcgen05.mma",          [JUDGE_CP] = "tcgen05.cp",
    [JUDGE_SHIFT] = "tcgen05.shift",        [JUDGE_COMMIT] = "tcgen05.commit",    [JUDGE_TMA] = "asynchronous copy",
    [JUDGE_BULK_STORE] = "bulk store",      [JUDGE_WGMMA_OP] = "wgmma",           [JUDGE_ARRIVE] = "remote arrival",
    [JUDGE_COPY_ARRIVE] = "cp.async arrival",
    /* clang-format on */
};

bool emu_judge_begin(struct emu_launch *launch) {
    struct emu_judge_log *log = wl_realloc(NULL, sizeof *log);
    if (!log) return false;
    memset(log, 0, sizeof *log);
    pthread_mutex_init(&log->lock, NULL);
    launch->judge = log;
    return true;
}

void emu_judge_verdict(struct emu_launch *launch) {
    struct emu_judge_log *log = launch->judge;
    if (!log) return;
    if (log->found) {
        size_t used = strlen(launch->report);
        if (!launch->status) launch->status = EMU_FAULT_ASSERT;
        snprintf(launch->report + used, sizeof launch->report - used, "%s%s: %u hazard(s) found%s%s",
                 used ? "\n" : "", launch->fn->source->name, log->found,
                 log->found > log->printed ? ", not all shown" : "", log->text);
    }
    pthread_mutex_destroy(&log->lock);
    wl_free(log);
    launch->judge = NULL;
}

static void put(struct emu_judge_log *log, const char *format, va_list args) {
    size_t left = sizeof log->text - log->used;
    int n = vsnprintf(log->text + log->used, left, format, args);
    log->used += n < 0 ? 0 : (size_t)n < left ? (size_t)n : left - 1;
}
static void say(struct emu_judge_log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct emu_judge_log *log, const char *format, ...) {
    va_list args;
    va_start(args, format);
    put(log, format, args);
    va_end(args);
}

static void say_party(struct emu_judge_log *log, struct emu_judge *judge, const struct judge_party *p) {
    const struct emu_function *fn = judge->cluster->launch->fn;
    const struct emu_judge_warp *w = judge_warp_of(judge, p->who);
    const struct ptx_insn *insn = fn->code[p->pc].source;
    const char *mnemonic = insn->mnemonic;
    char place[512];
    say(log, "%s", emu_place(fn, insn, place, sizeof place));
    if (p->kind == JUDGE_LDST || strncmp(mnemonic, kinds[p->kind], strlen(kinds[p->kind])) == 0)
        say(log, " %s", mnemonic);
    else say(log, " %s (%s)", kinds[p->kind], mnemonic);
    if (!p->epoch) return; /* of the text, not of a warp */
    if (w) say(log, " of CTA %u warp %u", w->warp->cta->rank, w->warp->index);
    else
        say(log, " of CTA %u warp %u that ends with phase %u of the mbarrier at 0x%08x", p->fence / judge->warps,
            p->fence % judge->warps, p->epoch - 1, judge_barrier_of(judge, p->who)->address);
}

/* The line that a person wrote: unrolled copies of it are one. */
static uint32_t line_of(const struct emu_function *fn, const struct judge_party *p) {
    if (!p) return UINT32_MAX;
    const struct ptx_pos *pos = &fn->code[p->pc].source->pos;
    return pos->loc_line ? 1u << 31 | pos->loc_file << 20 | pos->loc_line : pos->line;
}

static bool is_known(struct emu_judge_log *log, const struct known *k) {
    for (uint32_t i = 0; i < log->found && i < KNOWN; i++)
        if (log->known[i].name == k->name && log->known[i].now == k->now && log->known[i].then == k->then)
            return true;
    if (log->found < KNOWN) log->known[log->found] = *k;
    return log->found >= KNOWN;
}

void judge_say(struct emu_judge *judge, const struct judge_report *r, const char *where, const char *format,
               ...) {
    struct emu_launch *launch = judge->cluster->launch;
    struct emu_judge_log *log = launch->judge;
    struct known key = {r->name, line_of(launch->fn, r->now), line_of(launch->fn, r->then)};
    if (r->level == JUDGE_STRICT && launch->check != EMU_CHECK_STRICT) return;
    pthread_mutex_lock(&log->lock);
    if (!is_known(log, &key) && log->found++ < MOST) {
        const uint32_t *id = judge->cluster->clusterid;
        log->printed++;
        say(log, "\n  %s [%s] cluster (%u,%u,%u), %s: ", r->level == JUDGE_ERROR ? "error" : "strict",
            r->name, id[0], id[1], id[2], where);
        if (r->now) say_party(log, judge, r->now);
        if (r->then) {
            say(log, "%s", r->verb ? r->verb : r->now_writes ? " writes what " : " reads what ");
            say_party(log, judge, r->then);
            if (!r->verb) say(log, r->then_writes ? " writes" : " reads");
        }
        say(log, ": ");
        va_list args;
        va_start(args, format);
        put(log, format, args);
        va_end(args);
    }
    pthread_mutex_unlock(&log->lock);
}
