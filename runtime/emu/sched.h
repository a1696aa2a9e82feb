/* sched: turns of warps, clusters on host threads; and what the interpreter and the scheduler tell each
 * other. */
#ifndef EMU_SCHED_H
#define EMU_SCHED_H

#include <stddef.h>
#include "runtime/emu/exec.h"

enum emu_turn {                 /* how a warp's turn ended */
                EMU_TURN_MOVED, /* it blocked or exited, having done something */
                EMU_TURN_STUCK, /* nothing of it could run */
                EMU_TURN_SPUN,  /* it yielded, or used up its turn: maybe it polls */
                EMU_TURN_FAULT,
};

/* ---- exec.c ---- */
/* Runs a warp until it blocks, yields, exits or has executed `budget` instructions. */
enum emu_turn emu_warp_turn(struct emu_warp *warp, uint32_t budget);
/* Whether a turn would do anything. */
bool emu_warp_ready(const struct emu_warp *warp);

/* ---- split.c: the lanes of a warp that has diverged ---- */
/* Adds lanes at pc as a split of their own, or to one that stands there. */
void emu_split_add(struct emu_warp *warp, uint32_t pc, uint32_t mask);
void emu_split_remove(struct emu_warp *warp, uint32_t index);
/* Picks the split to run, merged with all that stand at its pc, into warp->current; false: none can run. */
bool emu_split_pick(struct emu_warp *warp);
bool emu_split_ready(const struct emu_warp *warp, const struct emu_split *split);
/* Least pc at which another split waits to be joined by the current one; UINT32_MAX: none. */
uint32_t emu_split_meeting(const struct emu_warp *warp);
/* Lanes leave: exit. */
void emu_split_exit(struct emu_warp *warp, uint32_t mask);

/* ---- launch.c: memory of a cluster ---- */
struct emu_cluster *emu_cluster_create(struct emu_launch *launch, uint64_t index);
void emu_cluster_destroy(struct emu_cluster *cluster);
/* Takes a cluster that has not been launched, the last or the next, so that it never is; false: none waits. */
bool emu_launch_cancel(struct emu_launch *launch, bool last, uint64_t *index);

uint64_t emu_now_ns(void);

/* ---- cluster_run.c ---- */
enum emu_cluster_state { EMU_CLUSTER_DONE, EMU_CLUSTER_RUNS, EMU_CLUSTER_POLLS, EMU_CLUSTER_FAILED };
/* Runs a cluster until it is done, has failed, or does nothing but poll for something from outside (POLLS);
 * or comes back after a while with RUNS, so that the clock can be looked at. */
enum emu_cluster_state emu_cluster_run(struct emu_cluster *cluster);
/* Lanes have exited: barriers that count all threads may be complete now. */
enum emu_step emu_lanes_left(struct emu_warp *warp);
/* Called by every warp whose last lane has exited. */
enum emu_step emu_warp_ended(struct emu_warp *warp);

/* ---- report.c ---- */
/* Ends the launch with a report on every split of the cluster that has not exited. */
void emu_report_stuck(struct emu_cluster *cluster, int cu_result, const char *headline);

#endif
