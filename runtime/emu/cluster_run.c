/* cluster_run: whose turn it is in a cluster. See async.h for the orders. */
#include "gen/arena.h"
#include "runtime/emu/async.h"
#include "runtime/emu/cluster.h"
#include "runtime/emu/fault.h"
#include "runtime/emu/judge.h"
#include "runtime/emu/sched.h"
#include "runtime/emu/sem_barrier.h"
#include "runtime/emu/wgmma.h"

#define TURN         20000u /* instructions of a turn */
#define SHORT_TURN   500u   /* of a cluster that has long been polling */
#define RANDOM_TURN  256u   /* at most, under random order */
#define POLL_ROUNDS  12u    /* rounds without any progress before the cluster is set aside */
#define CLOCK_ROUNDS 64u    /* rounds after which the clock is looked at */
#define EXPIRIES     32u    /* times that blocked try_waits give up while nothing else happens */
#define HOPELESS_ROUNDS                                                                                      \
    20000u /* ... before polling mbarriers that nothing can complete counts as a deadlock */

uint32_t emu_random(struct emu_cluster *cluster) { /* splitmix64 */
    uint64_t z = cluster->random += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return (uint32_t)((z ^ z >> 31) >> 32);
}

enum emu_step emu_lanes_left(struct emu_warp *w) {
    struct emu_cta *cta = w->cta;
    emu_notify(cta->cluster);
    emu_cluster_barrier_check(cta->cluster);
    emu_barriers_check(cta);
    return EMU_NEXT;
}

enum emu_step emu_warp_ended(struct emu_warp *w) {
    struct emu_cta *cta = w->cta;
    w->split_count = 0;
    if (w->judge) emu_judge_exit(w);
    if (--cta->warps_live) return EMU_NEXT;
    if (emu_tmem_cta_end && emu_tmem_cta_end(cta, w) == EMU_FAULT) return EMU_FAULT;
    return emu_wgmma_cta_end(cta, w);
}

struct round { /* what the warps did since anything moved */
    bool moved, spun, fault;
};

static void take_turn(struct emu_warp *w, uint32_t budget, struct round *r) {
    switch (emu_warp_turn(w, budget)) {
    case EMU_TURN_MOVED: r->moved = true; break;
    case EMU_TURN_SPUN: r->spun = true; break;
    case EMU_TURN_FAULT: r->fault = true; break;
    case EMU_TURN_STUCK: break;
    }
}

static void in_order(struct emu_cluster *cluster, struct round *r) {
    for (uint32_t c = 0; c < cluster->cta_count; c++)
        for (uint32_t k = 0; k < cluster->ctas[c]->warp_count && !r->fault; k++) {
            struct emu_warp *w = &cluster->ctas[c]->warps[k];
            if (w->live && emu_warp_ready(w)) take_turn(w, cluster->turn, r);
        }
}

/* As many turns as there are warps, each of a random one that can run; between them, asynchronous effects. */
static void at_random(struct emu_cluster *cluster, struct round *r) {
    uint32_t per_cta = cluster->ctas[0]->warp_count, total = per_cta * cluster->cta_count;
    for (uint32_t turn = 0; turn < total && !r->fault; turn++) {
        if (!emu_async_empty(cluster) && emu_random(cluster) % 4 == 0) {
            r->moved = true;
            if (emu_async_step(cluster) < 0) r->fault = true;
            continue;
        }
        uint32_t first = emu_random(cluster) % total;
        for (uint32_t k = 0; k < total; k++) {
            uint32_t at = (first + k) % total;
            struct emu_warp *w = &cluster->ctas[at / per_cta]->warps[at % per_cta];
            if (!w->live || !emu_warp_ready(w)) continue;
            take_turn(w, 1 + emu_random(cluster) % RANDOM_TURN, r);
            break;
        }
    }
}

static bool finished(const struct emu_cluster *cluster) {
    for (uint32_t c = 0; c < cluster->cta_count; c++)
        if (cluster->ctas[c]->warps_live) return false;
    return true;
}

/* All that is left runs inside the cluster and waits for what only the cluster can do. */
static bool hopeless(const struct emu_cluster *cluster) {
    for (uint32_t c = 0; c < cluster->cta_count; c++)
        for (uint32_t k = 0; k < cluster->ctas[c]->warp_count; k++) {
            const struct emu_warp *w = &cluster->ctas[c]->warps[k];
            for (uint32_t s = 0; s < w->split_count; s++)
                if (w->split[s].wait.kind == EMU_WAIT_NONE) return false;
        }
    return true;
}

/* A real try_wait gives up after a while, and a program may count on it: one that only peeks at a barrier
 * must not hang. So before a deadlock is called, all of them give up, and again a few times for those that
 * peek at several. */
static bool expire_waits(struct emu_cluster *cluster) {
    bool any = false;
    if (cluster->expired_at != cluster->version) cluster->expiries = 0;
    cluster->expired_at = cluster->version;
    if (++cluster->expiries > EXPIRIES) return false;
    for (uint32_t c = 0; c < cluster->cta_count; c++)
        for (uint32_t k = 0; k < cluster->ctas[c]->warp_count; k++) {
            struct emu_warp *w = &cluster->ctas[c]->warps[k];
            for (uint32_t s = 0; s < w->split_count; s++) {
                struct emu_split *split = &w->split[s];
                if (split->state != EMU_SPLIT_BLOCKED || split->wait.kind != EMU_WAIT_MBARRIER) continue;
                split->wait.expired = any = true;
                split->wait.since = cluster->version - 1; /* to be retried */
            }
        }
    return any;
}

static enum emu_cluster_state drain(struct emu_cluster *cluster) {
    int ran;
    do ran = emu_async_step(cluster);
    while (ran > 0);
    if (ran == 0 && cluster->judge) emu_judge_end(cluster);
    return ran < 0 ? EMU_CLUSTER_FAILED : EMU_CLUSTER_DONE;
}

enum emu_cluster_state emu_cluster_run(struct emu_cluster *cluster) {
    struct emu_launch *launch = cluster->launch;
    if (!cluster->turn) cluster->turn = TURN;
    for (uint32_t idle = 0, rounds = 0; !launch->failed; rounds++) {
        struct round r = {false, false, false};
        uint64_t version = cluster->version;
        if (launch->order == EMU_ORDER_RANDOM) at_random(cluster, &r);
        else in_order(cluster, &r);
        if (r.fault) return EMU_CLUSTER_FAILED;
        if (finished(cluster)) return drain(cluster);
        bool look = r.spun || rounds % CLOCK_ROUNDS == 0;
        if (launch->deadline_ns && look && emu_now_ns() > launch->deadline_ns) return EMU_CLUSTER_RUNS;
        if (r.moved || cluster->version != version) {
            idle = cluster->idle_rounds = 0;
            cluster->turn = TURN;
            continue;
        }
        int ran = emu_async_step(cluster);
        if (ran < 0) return EMU_CLUSTER_FAILED;
        if (ran > 0) continue;
        bool stuck = !r.spun && launch->order != EMU_ORDER_RANDOM;
        if (!r.spun && launch->order == EMU_ORDER_RANDOM) {
            in_order(cluster, &r); /* chance may have passed over the only one that could run */
            stuck = !r.spun && !r.moved && cluster->version == version;
        }
        if (stuck && expire_waits(cluster)) continue;
        if (stuck || (++cluster->idle_rounds > HOPELESS_ROUNDS && hopeless(cluster))) {
            emu_report_stuck(cluster, EMU_FAULT_TIMEOUT, "deadlock: nothing can move");
            return EMU_CLUSTER_FAILED;
        }
        /* half the patience with every round: who waits for another cluster soon costs little */
        if (cluster->turn > SHORT_TURN) cluster->turn /= 2;
        if (++idle >= POLL_ROUNDS) return EMU_CLUSTER_POLLS;
    }
    return EMU_CLUSTER_FAILED;
}
