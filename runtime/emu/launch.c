/* launch: the memory of a cluster, and clusters on host threads. */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "gen/arena.h"
#include "runtime/emu/async.h"
#include "runtime/emu/decode.h"
#include "runtime/emu/device.h"
#include "runtime/emu/fault.h"
#include "runtime/emu/judge.h"
#include "runtime/emu/sched.h"

#define UNINITIALISED 0xC7 /* what registers, shared and local memory hold before they are written */
#define MAX_WORKERS   256

static uint32_t product(const uint32_t v[3]) { return v[0] * v[1] * v[2]; }

/* ---- a cluster's memory ---- */

static void *aligned(struct wl_arena *arena, size_t bytes) { /* to 64, as vectors like it */
    uint8_t *p = wl_arena_alloc(arena, bytes + 64);
    return p ? p + (-(uintptr_t)p & 63) : NULL;
}

static void *filled(struct wl_arena *arena, size_t bytes) {
    void *p = aligned(arena, bytes);
    if (p) memset(p, UNINITIALISED, bytes);
    return p;
}

static bool init_warp(struct emu_cta *cta, struct emu_warp *w, uint32_t index, uint32_t threads) {
    struct wl_arena *arena = cta->cluster->arena;
    const struct emu_function *fn = cta->cluster->launch->fn;
    uint32_t lanes = threads - index * EMU_LANES;
    w->cta = cta;
    w->fn = fn;
    w->index = index;
    w->live = lanes >= EMU_LANES ? EMU_FULL : (1u << lanes) - 1;
    w->regs_per_thread = cta->regs_known;
    w->bank[EMU_BANK_REGS] = filled(arena, (size_t)fn->reg_slots * EMU_SLOT_BYTES);
    w->bank[EMU_BANK_CONST] = fn->consts;
    w->bank[EMU_BANK_SPECIAL] = aligned(arena, (size_t)fn->special_slots * EMU_SLOT_BYTES);
    w->local = filled(arena, (size_t)fn->local_bytes * EMU_LANES);
    if (!w->bank[EMU_BANK_REGS] || !w->bank[EMU_BANK_SPECIAL] || !w->local) return false;
    emu_warp_specials(w);
    w->split[0] = (struct emu_split){.mask = w->live};
    w->split_count = 1;
    return true;
}

/* What ptxas would give each thread at most: facts 9, setmaxnreg; known only where the kernel says its size.
 */
static uint32_t known_registers(const struct emu_launch *launch) {
    const struct ptx_function *f = launch->fn->source;
    uint32_t most = 255 & ~7u;
    if (f->maxnreg) return f->maxnreg;
    if (!f->reqntid[0] && !f->maxntid[0]) return 0;
    const uint32_t *size = f->reqntid[0] ? f->reqntid : f->maxntid;
    uint32_t threads = (product(size) + 127) / 128 * 128 * (f->minnctapersm ? f->minnctapersm : 1);
    uint32_t regs = (uint32_t)emu_device_profile(launch->device)->regs_per_sm / threads & ~7u;
    return regs < most ? regs : most;
}

static struct emu_cta *create_cta(struct emu_cluster *cluster, uint32_t rank) {
    const struct emu_launch *launch = cluster->launch;
    const uint32_t *size = launch->cluster, threads = product(launch->block);
    struct emu_cta *cta = wl_arena_alloc(cluster->arena, sizeof *cta);
    if (!cta) return NULL;
    cta->cluster = cluster;
    cta->rank = rank;
    cta->ctaid[0] = cluster->clusterid[0] * size[0] + rank % size[0];
    cta->ctaid[1] = cluster->clusterid[1] * size[1] + rank / size[0] % size[1];
    cta->ctaid[2] = cluster->clusterid[2] * size[2] + rank / size[0] / size[1];
    cta->smem_bytes = launch->fn->dynamic_smem_offset + launch->dynamic_smem;
    cta->smem = filled(cluster->arena, cta->smem_bytes + 16);
    cta->warp_count = cta->warps_live = (threads + EMU_LANES - 1) / EMU_LANES;
    cta->regs_known = known_registers(launch);
    cta->warps = wl_arena_alloc(cluster->arena, cta->warp_count * sizeof *cta->warps);
    if (!cta->smem || !cta->warps) return NULL;
    for (uint32_t k = 0; k < cta->warp_count; k++)
        if (!init_warp(cta, &cta->warps[k], k, threads)) return NULL;
    return cta;
}

struct emu_cluster *emu_cluster_create(struct emu_launch *launch, uint64_t index) {
    struct wl_arena *arena = wl_arena_create();
    struct emu_cluster *cluster = arena ? wl_arena_alloc(arena, sizeof *cluster) : NULL;
    if (!cluster) {
        wl_arena_destroy(arena);
        return NULL;
    }
    uint64_t across = launch->grid[0] / launch->cluster[0], down = launch->grid[1] / launch->cluster[1];
    cluster->arena = arena;
    cluster->launch = launch;
    cluster->clusterid[0] = (uint32_t)(index % across);
    cluster->clusterid[1] = (uint32_t)(index / across % down);
    cluster->clusterid[2] = (uint32_t)(index / across / down);
    cluster->random = launch->seed * 0xd1342543de82ef95ull + index;
    cluster->version = 1; /* emu_wait.since starts at 0 */
    cluster->cta_count = product(launch->cluster);
    cluster->async = emu_async_create(cluster);
    bool whole = cluster->async != NULL;
    for (uint32_t k = 0; k < cluster->cta_count && whole; k++)
        whole = (cluster->ctas[k] = create_cta(cluster, k)) != NULL;
    if (whole && launch->check) whole = emu_judge_cluster(cluster);
    if (whole) return cluster;
    emu_cluster_destroy(cluster);
    return NULL;
}

void emu_cluster_destroy(struct emu_cluster *cluster) {
    emu_async_destroy(cluster->async);
    wl_arena_destroy(cluster->arena);
}

/* ---- the grid ---- */

struct run {
    struct emu_launch *launch;
    uint64_t total, done; /* clusters; done is counted atomically */
    uint32_t alive_limit;       /* clusters that one worker keeps at once, where they poll for each other */
    pthread_mutex_t progress;
};

uint64_t emu_now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void refuse(struct emu_launch *launch, int cu_result, const char *text) {
    if (__sync_val_compare_and_swap(&launch->failed, 0, 1) != 0) return;
    launch->status = cu_result;
    snprintf(launch->report, sizeof launch->report, "%s: %s", launch->fn->source->name, text);
}

static bool take(struct emu_launch *launch, bool last, bool cancels, uint64_t *index) {
    struct emu_waiting *waiting = &launch->waiting;
    while (__atomic_test_and_set(&waiting->lock, __ATOMIC_ACQUIRE)) sched_yield();
    bool any = waiting->next < waiting->end;
    if (any) *index = last ? --waiting->end : waiting->next++;
    if (any && cancels) waiting->canceled++;
    __atomic_clear(&waiting->lock, __ATOMIC_RELEASE);
    return any;
}

bool emu_launch_cancel(struct emu_launch *launch, bool last, uint64_t *index) {
    return take(launch, last, true, index);
}

static struct emu_cluster *start_next(struct run *run) {
    uint64_t index;
    if (!take(run->launch, false, false, &index)) return NULL;
    struct emu_cluster *cluster = emu_cluster_create(run->launch, index);
    if (!cluster) refuse(run->launch, EMU_FAULT_NO_MEMORY, "no memory for another cluster");
    return cluster;
}

static void finish(struct run *run, struct emu_cluster *cluster, bool done) {
    emu_cluster_destroy(cluster);
    if (!done) return;
    uint64_t count = __atomic_add_fetch(&run->done, 1, __ATOMIC_RELAXED);
    if (!run->launch->progress) return;
    pthread_mutex_lock(&run->progress);
    count += __atomic_load_n(&run->launch->waiting.canceled, __ATOMIC_RELAXED); /* others did their work */
    run->launch->progress(run->launch->progress_user, count, run->total);
    pthread_mutex_unlock(&run->progress);
}

static bool late(struct run *run, struct emu_cluster *cluster) {
    if (!run->launch->deadline_ns || emu_now_ns() < run->launch->deadline_ns) return false;
    char headline[64];
    snprintf(headline, sizeof headline, "not done after %llu ms",
             (unsigned long long)run->launch->timeout_ms);
    emu_report_stuck(cluster, EMU_FAULT_TIMEOUT, headline);
    return true;
}

/* Runs clusters one after the other. One that only polls is set aside and others are started, as many as the
 * device could hold, since it may wait for what they write. */
static void *work(void *argument) {
    struct run *run = argument;
    struct emu_launch *launch = run->launch;
    struct emu_cluster **alive = wl_realloc(NULL, run->alive_limit * sizeof *alive);
    if (!alive) refuse(launch, EMU_FAULT_NO_MEMORY, "no memory for a host thread");
    uint32_t count = 0, at = 0;
    while (alive && !launch->failed) {
        if (at >= count && count < run->alive_limit) {
            struct emu_cluster *fresh = start_next(run);
            if (fresh) alive[count++] = fresh;
        }
        if (!count) break;
        if (at >= count) {
            at = 0;
            sched_yield();
        }
        enum emu_cluster_state state = emu_cluster_run(alive[at]);
        if (state == EMU_CLUSTER_POLLS || state == EMU_CLUSTER_RUNS) {
            if (late(run, alive[at])) break;
            at += state == EMU_CLUSTER_POLLS;
        } else {
            finish(run, alive[at], state == EMU_CLUSTER_DONE);
            alive[at] = alive[--count];
        }
    }
    for (uint32_t k = 0; k < count; k++) finish(run, alive[k], false);
    wl_free(alive);
    return NULL;
}

static uint32_t worker_count(const struct emu_launch *launch, uint64_t clusters) {
    long n = launch->threads ? (long)launch->threads : sysconf(_SC_NPROCESSORS_ONLN);
    if (n < 1) n = 1;
    if (n > MAX_WORKERS) n = MAX_WORKERS;
    return (uint64_t)n > clusters ? (uint32_t)clusters : (uint32_t)n;
}

/* CTAs that the whole device holds at once. */
static uint32_t resident_ctas(const struct emu_launch *launch) {
    const struct emu_profile *p = emu_device_profile(launch->device);
    uint32_t smem = launch->fn->dynamic_smem_offset + launch->dynamic_smem;
    uint32_t by_threads = (uint32_t)p->threads_per_sm / product(launch->block);
    uint32_t by_smem = (uint32_t)p->smem_per_sm / smem, per_sm = by_threads < by_smem ? by_threads : by_smem;
    if (per_sm > 32) per_sm = 32;
    return (per_sm ? per_sm : 1) * (uint32_t)p->sms;
}

static bool launchable(struct emu_launch *launch) {
    for (int k = 0; k < 3; k++)
        if (!launch->grid[k] || !launch->block[k] || !launch->cluster[k] ||
            launch->grid[k] % launch->cluster[k])
            return false;
    return (uint64_t)launch->block[0] * launch->block[1] <= 1024 && product(launch->block) <= 1024 &&
           (uint64_t)launch->cluster[0] * launch->cluster[1] <= EMU_MAX_CLUSTER &&
           product(launch->cluster) <= EMU_MAX_CLUSTER && launch->dynamic_smem < 1u << 24;
}

int emu_launch_run(struct emu_launch *launch) {
    struct run run = {.launch = launch, .progress = PTHREAD_MUTEX_INITIALIZER};
    pthread_t threads[MAX_WORKERS];
    launch->failed = launch->status = 0;
    launch->deadline_ns = 0;
    launch->report[0] = '\0';
    if (!launchable(launch)) {
        refuse(launch, 1, "the sizes of grid, cluster and block do not fit each other or the machine");
        return launch->status;
    }
    if (launch->check && !emu_judge_begin(launch)) {
        refuse(launch, EMU_FAULT_NO_MEMORY, "no memory for the checks");
        return launch->status;
    }
    run.total = (uint64_t)launch->grid[0] * launch->grid[1] * launch->grid[2] / product(launch->cluster);
    launch->waiting = (struct emu_waiting){.end = run.total};
    if (launch->timeout_ms) launch->deadline_ns = emu_now_ns() + launch->timeout_ms * 1000000u;
    uint32_t workers = worker_count(launch, run.total), started = 0;
    run.alive_limit =
        resident_ctas(launch) / product(launch->cluster) / workers + 1; /* of a worker; all fit */
    while (started + 1 < workers && pthread_create(&threads[started], NULL, work, &run) == 0) started++;
    work(&run);
    for (uint32_t k = 0; k < started; k++) pthread_join(threads[k], NULL);
    pthread_mutex_destroy(&run.progress);
    emu_judge_verdict(launch);
    return launch->status;
}
