/* mutate: takes a generated kernel, removes or weakens one synchronisation at a time, runs small problems
 * under the judge, and says which mutants were caught and how. `make mutate` runs it on the shipped kernels.
 *
 *     build/tests/mutate SCHEDULE [key=value ...] [--only N] [--list] [--verbose]
 *
 * Both masks, where the schedule serves both and none is asked for (causal=true): these are two kernels.
 * Exit status 0: every mutant was caught, but for those that the table below explains. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/trial.h"
#include "tests/mutants.h"

enum { PARALLEL = 2, SECONDS = 30, OVERRIDES = 32 };

/* ---- mutants that are no mistakes ---- */

static const struct {
    const char *kernel, *where; /* beginnings of the kernel's name and of the label */
    int nth;                    /* 0: each */
    const char *what, *reason;  /* what: part of the text */
} equivalents[] = {
    {"sm100_fwd", "INITIALISED", 1, "before_thread_sync",
     "tcgen05.alloc is synchronous: nothing asynchronous stands before it"},
    {"sm100_fwd", "INITIALISED", 1, "bar.warp.sync",
     "the lanes meet at bar.sync 0, which orders the inits as well"},
    {"sm100_fwd", "SET_UP", 1, "after_thread_sync",
     "the MMA warp, which allocated, is the only one to use tensor memory before its next after_thread_sync"},
    {"sm100_fwd", "LOAD_TILE", 0, "wait.parity.shared::cta.b64 %done, [%bar + ",
     "a tile's first K and V go where the tile before, but for its last V, lay: q_empty, waited for before, "
     "is behind its reads"},
    {"sm100_fwd", "LOAD_TILE", 0, "wait.parity.shared::cta.b64 %done, [%smem + 24]",
     "the first query tile's q_empty, waited for before, is committed behind the same multiplies"},
    {"sm100_fwd", "MMA_TILE", 0, "before_thread_sync",
     "a commit, which is such a fence, stands between the last PV and this QK"},
    {"sm100_fwd", "MMA_BLOCK", 2, "before_thread_sync",
     "the commit to kv_empty, which is such a fence, stands between PV and QK"},
    {"sm100_fwd", "CORRECTION_LAST", 0, "removed: tcgen05.wait::ld",
     "use of the registers is ordered by dependency (9.7.16.6.4.5), and a later wait::ld covers the load"},
    {"sm100_fwd", "SCHEDULER_TILE", 0, "%wanted_phase,",
     "how far ahead tiles are asked for, for a better balance: nothing is unsafe without it"},
    {"sm100_fwd", "EPILOGUE_TILE", 0, "cp.async.bulk.wait_group 0",
     "all sources have been read (wait_group.read 0 before), and a kernel's end completes its writes"},
    {"sm100_fwd", "JOIN", 1, "before_thread_sync",
     "every role's last tcgen05 operation is followed by such a fence or a commit"},
    {"sm100_fwd", "JOIN", 1, "after_thread_sync",
     "tcgen05.dealloc is synchronous: nothing asynchronous comes behind it"},
    {"sm90_fwd", "STORE_TILE", 0, "cp.async.bulk.wait_group 0",
     "all sources have been read (wait_group.read 0 before), and a kernel's end completes its writes"},
    {"sm90_fwd", "CONSUMER_BLOCK", 0, "removed: wgmma.fence",
     "O and P are touched before the fence in front of QK only, which covers PV as well"},
    {"sm90_fwd", "NOT_MINE", 0, "removed: bar.warp.sync",
     "ptxas 13.0 puts BSSY and BSYNC around this branch with or without it; the judge names it only where a "
     "poll keeps "
     "some of the lanes back"},
    {"sm90_fwd_hd256", "CONSUMER_IDLE", 0, "bar.sync %own",
     "with one slot of Q the next tile's loads are behind q_empty, hence behind o_full, where every thread arrives "
     "after this wait"},
    {"sm90_fwd_hd96", "CONSUMER_IDLE", 0, "bar.sync %own",
     "with one slot of Q the next tile's loads are behind q_empty, hence behind o_full, where every thread arrives "
     "after this wait"},
    {"sm90_fwd", "CONSUMER_UNMASKED", 0, "removed: bar.warp.sync",
     "says only where ptxas is to put the wait behind it: the warp has met in the vote before"},
    {"sm90_fwd", "CONSUMER_LAST", 1, "bar.sync %own",
     "a wgmma is the whole warpgroup's: a warp that waited for its group knows that all rows of Q are read"},
};

static const char *reason_of(const char *kernel, const struct mutant *m) {
    for (size_t i = 0; i < sizeof equivalents / sizeof *equivalents; i++)
        if (strncmp(kernel, equivalents[i].kernel, strlen(equivalents[i].kernel)) == 0 &&
            strncmp(m->where, equivalents[i].where, strlen(equivalents[i].where)) == 0 &&
            (!equivalents[i].nth || equivalents[i].nth == m->nth) && strstr(m->what, equivalents[i].what))
            return equivalents[i].reason;
    return NULL;
}

/* ---- one run, in a process of its own ---- */

static const struct run {
    const char *order;
    int64_t heads, seq_q, seq_k;
} runs[] = {
    /* one CTA or pair each, so that it has several tiles */
    {"late", 2, 300, 300},     {"random:1", 3, 128, 128},
    {"late", 1, 400, 450}, /* sm90, causal: a warpgroup skips a block when the ring has gone round */
    {"eager", 1, 520, 520},    {"late", 1, 128, 900}, /* more K and V tiles than the ring holds */
    {"random:2", 2, 300, 300}, {"random:3", 1, 257, 400},
    {"eager", 3, 300, 300}, /* more tiles than slots of their ring, and no try_cancel that fails for no reason */
    {"late", 2, 64, 900}, /* sm90: warpgroups without rows, whose ring goes round within a tile */
    {"late", 5, 300, 300}, /* a pair's ring of tiles goes round twice */
};

enum outcome { SURVIVED, JUDGED, STUCK, WRONG, FAULT, BROKEN, OUTCOMES }; /* broken: no run, so no verdict */
static const char *const outcomes[] = {"survived", "judge", "deadlock", "wrong result", "fault", "broken"};

static enum outcome outcome_of(enum wl_status status, const char *text) {
    if (!status) return SURVIVED;
    if (status == WL_ERR_WRONG) return WRONG;
    if (strstr(text, "deadlock") || strstr(text, "not done after")) return STUCK;
    if (strstr(text, "hazard(s) found")) return JUDGED;
    return strstr(text, "cuCtxSynchronize") ? FAULT : BROKEN;
}

/* In the child: prints the outcome's number, then what was said. */
static void run_child(const struct wl_trial *plain, const struct run *run, const struct wl_text *ptx,
                      int out) {
    static struct wl_error error;
    static char text[16384];
    struct wl_trial trial = *plain;
    struct wl_trial_result result = {0};
    struct wl_driver *driver = NULL;
    trial.heads = trial.heads_kv = run->heads, trial.seq_q = run->seq_q, trial.seq_k = run->seq_k;
    setenv("WARPLOOM_EMU_CHECK", "strict", 1);
    setenv("WARPLOOM_EMU_ORDER", run->order, 1);
    setenv("WARPLOOM_EMU_TIMEOUT", "20", 1);
    setenv("WARPLOOM_EMU_THREADS", "1", 1);
    setenv("WARPLOOM_EMU_DEVICE", strncmp(trial.schedule, "sm90", 4) == 0 ? "h100" : "b200", 1);
    alarm(SECONDS);
    if (!freopen("/dev/null", "w", stderr)) _exit(BROKEN);
    enum wl_status status = wl_trial_prepare(&trial, &result, &error);
    wl_text_fini(&result.ptx);
    result.ptx = *ptx;
    if (!status) status = wl_driver_open(&driver, "emu", result.plan.launch.target, &error);
    if (!status) {
        trial.clusters = 1; /* persistent ones: one takes all tiles */
        status = wl_trial_run(driver, &trial, &result, &error);
    }
    if (status) wl_error_format(&error, text, sizeof text);
    if (write(out, text, strlen(text)) < 0) _exit(BROKEN);
    _exit((int)outcome_of(status, text));
}

struct job {
    pid_t pid;
    int pipe;
    size_t mutant, run;
    char text[4096];
};

static bool start(struct job *job, const struct wl_trial *trial, const struct wl_text *ptx) {
    int ends[2];
    fflush(stdout);
    if (pipe(ends)) return false;
    job->pid = fork();
    if (job->pid == 0) {
        close(ends[0]);
        run_child(trial, &runs[job->run], ptx, ends[1]);
    }
    close(ends[1]);
    job->pipe = ends[0];
    return job->pid > 0;
}

/* Reads what it says, waits; a child that its alarm ended was stuck. */
static enum outcome finish(struct job *job) {
    size_t used = 0;
    ssize_t n;
    char rest[512];
    while (used < sizeof job->text - 1 &&
           (n = read(job->pipe, job->text + used, sizeof job->text - 1 - used)) > 0)
        used += (size_t)n;
    while (read(job->pipe, rest, sizeof rest) > 0) continue;
    job->text[used] = '\0';
    close(job->pipe);
    int status;
    while (waitpid(job->pid, &status, 0) < 0 && errno == EINTR) continue;
    if (WIFSIGNALED(status)) return WTERMSIG(status) == SIGALRM ? STUCK : BROKEN;
    return (enum outcome)WEXITSTATUS(status);
}

/* ---- all mutants ---- */

struct tally {
    size_t by[OUTCOMES], explained;
};

static void print_mutant(size_t index, const struct mutant *m, const char *verdict) {
    printf("%4zu  %-13s %s:%d (PTX line %d) %s: %s\n", index, verdict, m->file, m->line, m->ptx_line,
           m->where, m->what);
}

static void conclude(const struct job *job, enum outcome outcome, const struct mutant *m, const char *kernel,
                     bool verbose, struct tally *tally) {
    const char *reason = outcome == SURVIVED ? reason_of(kernel, m) : NULL;
    tally->explained += reason != NULL;
    if (!reason) tally->by[outcome]++;
    if (outcome != SURVIVED && outcome != BROKEN && !verbose) return;
    print_mutant(job->mutant, m, reason ? "equivalent" : outcomes[outcome]);
    if (reason) printf("        %s\n", reason);
    if (outcome != SURVIVED && (verbose || outcome == BROKEN)) printf("%s\n", job->text);
}

/* Each mutant goes through the runs until one catches it; PARALLEL mutants at a time. */
static void run_all(const struct wl_trial *trial, const struct mutants *all, const char *kernel, size_t from,
                    size_t to, bool verbose, struct tally *tally) {
    struct job jobs[PARALLEL] = {{0}};
    struct wl_text texts[PARALLEL] = {{0}};
    size_t next = from, done = from;
    while (done < to)
        for (int k = 0; k < PARALLEL; k++) {
            struct job *job = &jobs[k];
            if (job->pid) {
                enum outcome outcome = finish(job);
                job->pid = 0;
                if (outcome == SURVIVED && ++job->run < sizeof runs / sizeof *runs) {
                    if (!start(job, trial, &texts[k])) exit(2);
                    continue;
                }
                conclude(job, outcome, &all->list[job->mutant], kernel, verbose, tally);
                done++;
            }
            if (next >= to) continue;
            job->mutant = next++;
            job->run = 0;
            wl_text_fini(&texts[k]);
            texts[k] = (struct wl_text){0};
            mutants_apply(all, job->mutant, &texts[k]);
            if (!start(job, trial, &texts[k])) exit(2);
        }
    for (int k = 0; k < PARALLEL; k++) wl_text_fini(&texts[k]);
}

/* The kernel as it is must be silent, or nothing that follows means anything. */
static bool sound(const struct wl_trial *trial, const struct wl_text *ptx) {
    bool right = true;
    for (size_t r = 0; r < sizeof runs / sizeof *runs; r++) {
        struct job job = {.run = r};
        if (!start(&job, trial, ptx)) exit(2);
        enum outcome outcome = finish(&job);
        if (outcome == SURVIVED) continue;
        printf("the kernel itself, order %s: %s\n%s\n", runs[r].order, outcomes[outcome], job.text);
        right = false;
    }
    return right;
}

/* All mutants of one kernel, or the one with the number `only`. 0: all caught or explained. */
static int run_kernel(const struct wl_trial *trial, long only, bool list, bool verbose) {
    static struct wl_error error;
    struct wl_trial_result result = {0};
    char text[4096];
    if (wl_trial_prepare(trial, &result, &error)) {
        fprintf(stderr, "%s\n", wl_error_format(&error, text, sizeof text));
        return 2;
    }
    const char *kernel = result.plan.launch.entry;
    struct mutants all;
    if (!mutants_find(&all, result.ptx.bytes)) return 2;
    for (size_t i = 0; list && i < all.count; i++) print_mutant(i, &all.list[i], "");
    if (!list && !sound(trial, &result.ptx)) return 2;
    struct tally tally = {{0}, 0};
    size_t from = only >= 0 ? (size_t)only : 0, to = only >= 0 && from < all.count ? from + 1 : all.count;
    if (!list) {
        run_all(trial, &all, kernel, from, to, verbose, &tally);
        printf("%s: %zu mutants, %zu equivalent", kernel, to - from, tally.explained);
        for (int o = JUDGED; o < BROKEN; o++) printf(", %zu by %s", tally.by[o], outcomes[o]);
        printf(", %zu broken, %zu survived\n", tally.by[BROKEN], tally.by[SURVIVED]);
    }
    mutants_fini(&all);
    wl_trial_fini(&result);
    return tally.by[SURVIVED] + tally.by[BROKEN] != 0;
}

/* The masks that a schedule serves, or the one that an override asks for. */
static bool is_wanted(const struct wl_schedule *schedule, const struct wl_trial *trial, bool causal) {
    for (int i = 0; i < trial->override_count; i++)
        if (!strncmp(trial->overrides[i], "causal=", 7)) return schedule->causal == causal;
    return wl_schedule_serves(schedule, causal);
}

static int usage(void) {
    fputs("usage: mutate SCHEDULE [key=value ...] [--only N] [--list] [--verbose]\n", stderr);
    return 2;
}

int main(int argc, char **argv) {
    static struct wl_error error;
    static struct wl_schedule schedule;
    const char *overrides[OVERRIDES];
    struct wl_trial trial = {.batch = 1,
                             .heads = 1,
                             .heads_kv = 1,
                             .seq_q = 128,
                             .seq_k = 128,
                             .dtype = -1,
                             .seed = 1,
                             .check = true,
                             .overrides = overrides};
    bool verbose = false, list = false;
    long only = -1;
    char text[4096];
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--verbose")) verbose = true;
        else if (!strcmp(argv[i], "--list")) list = true;
        else if (!strcmp(argv[i], "--only") && i + 1 < argc) only = strtol(argv[++i], NULL, 10);
        else if (strchr(argv[i], '=') && trial.override_count < OVERRIDES)
            overrides[trial.override_count++] = argv[i];
        else if (!trial.schedule) trial.schedule = argv[i];
        else return usage();
    }
    if (!trial.schedule) return usage();
    if (wl_schedule_load(&schedule, trial.schedule, overrides, trial.override_count, &error)) {
        fprintf(stderr, "%s\n", wl_error_format(&error, text, sizeof text));
        return 2;
    }
    int worst = 0;
    for (trial.causal = 0; trial.causal < 2; trial.causal++) {
        if (!is_wanted(&schedule, &trial, trial.causal)) continue;
        int status = run_kernel(&trial, only, list, verbose);
        if (status > worst) worst = status;
    }
    return worst;
}
