/* judge: finds what can go wrong in another order than the one that ran (WARPLOOM_EMU_CHECK).
 *
 * Every synchronisation carries vector clocks, every access to shared and tensor memory is held against the
 * accesses remembered for that place: two that conflict, and of which neither is known to be over before the
 * other begins, are reported, whichever came first here. README.md, "The judge", has the model.
 *
 * Calls are made only while checks are on: `if (warp->judge) emu_judge_...(...)`. None of them fails; a
 * launch in which something was found ends with CUDA_ERROR_ASSERT and the reports, see emu_judge_verdict().
 */
#ifndef EMU_JUDGE_H
#define EMU_JUDGE_H

#include "runtime/emu/async.h"
#include "runtime/emu/mbarrier.h"

/* ---- a launch, a cluster, a warp's end ---- */
bool emu_judge_begin(struct emu_launch *launch);     /* false: no memory */
void emu_judge_verdict(struct emu_launch *launch);   /* writes launch->report and status, frees the log */
bool emu_judge_cluster(struct emu_cluster *cluster); /* makes the cluster's judge; false: no memory */
void emu_judge_exit(struct emu_warp *warp);          /* its last lane has exited */
void emu_judge_end(struct emu_cluster *cluster);     /* all warps have exited and all effects have happened */

/* ---- generic accesses: of one lane; what kind of access it is says the mnemonic ---- */
void emu_judge_shared(struct emu_warp *warp, const struct emu_insn *insn, uint32_t address, uint32_t bytes,
                      uint32_t lane);
void emu_judge_global(struct emu_warp *warp, const struct emu_insn *insn, uint64_t address);
void emu_judge_fence(struct emu_warp *warp, const struct emu_insn *insn);

/* ---- barriers of threads. wait: after the generation has ended ---- */
void emu_judge_bar_arrive(struct emu_warp *warp, uint32_t barrier);
void emu_judge_bar_wait(struct emu_warp *warp, uint32_t barrier, uint32_t generation);
void emu_judge_cluster_arrive(struct emu_warp *warp, const struct emu_insn *insn);
void emu_judge_cluster_wait(struct emu_warp *warp, uint32_t generation);

/* ---- lanes: some of a warp reach an .aligned instruction while others are elsewhere ---- */
void emu_judge_apart(struct emu_warp *warp, const struct emu_insn *insn, uint32_t mask);

/* ---- mbarriers, by shared address ---- */
void emu_judge_mbarrier_init(struct emu_warp *warp, const struct emu_insn *insn, uint32_t address);
void emu_judge_mbarrier_inval(struct emu_warp *warp, uint32_t address);
/* before: its state; ended: the update ended the phase. From a warp, or from the effect that runs. */
void emu_judge_mbarrier_update(struct emu_warp *warp, const struct emu_insn *insn, uint32_t address,
                               const struct emu_mbarrier_update *update, const struct emu_mbarrier *before,
                               bool ended);
/* The warp has found the phase of a parity to be over. */
void emu_judge_mbarrier_seen(struct emu_warp *warp, const struct emu_insn *insn, uint32_t address);
/* Whether it has to find that: it knew already, or its own arrival ended the phase. */
bool emu_judge_mbarrier_known(const struct emu_warp *warp, uint32_t address);

/* ---- asynchronous effects ---- */
void emu_judge_issue(struct emu_cluster *cluster, struct emu_async *op);
/* Between these two it is the one that acts; effects may nest. */
struct emu_judge_op *emu_judge_run(struct emu_cluster *cluster, struct emu_async *op);
void emu_judge_done(struct emu_cluster *cluster, struct emu_async *op, struct emu_judge_op *outer);
/* The phase of this mbarrier tells of its end: called before it touches memory. */
void emu_judge_completes(struct emu_cluster *cluster, struct emu_async *op, uint32_t address);
void emu_judge_async_smem(struct emu_cta *cta, struct emu_async *op, uint32_t offset, uint32_t bytes,
                          enum emu_access access);
/* Groups: what was issued since the last commit; all but the newest `pending` are over. */
/* By each of the four warps. known: what all of them know that have issued it; NULL at first. begins: what is posted next
 * is it. */
struct judge_snapshot;
void emu_judge_wgmma_issue(struct emu_warp *warp, struct judge_snapshot **known);
void emu_judge_wgmma_begins(struct emu_warp *warp, struct judge_snapshot *known);
/* A warp has passed this wait_group. */
void emu_judge_wgmma_waits(struct emu_warp *warp, const struct emu_insn *insn);
/* An instruction names a register of a wgmma that the warp has not waited for. */
void emu_judge_wgmma_touched(struct emu_warp *warp, const struct emu_insn *insn, const struct emu_insn *wgmma);
enum emu_judge_group { EMU_GROUP_BULK, EMU_GROUP_CP_ASYNC, EMU_GROUP_WGMMA };
void emu_judge_group_commit(struct emu_warp *warp, enum emu_judge_group group);
void emu_judge_group_wait(struct emu_warp *warp, enum emu_judge_group group, uint64_t pending);

/* ---- tensor maps in global memory, by address: made, fenced for the tensormap proxy, named by a copy ---- */
void emu_judge_map_written(struct emu_warp *warp, const struct emu_insn *insn, uint64_t address);
void emu_judge_map_acquired(struct emu_warp *warp, uint64_t address);
void emu_judge_map_used(struct emu_warp *warp, const struct emu_insn *insn, uint64_t address);

/* ---- tensor memory ---- */
/* op NULL: the warp itself, at issue (an access of tcgen05.st is the one that its effect makes). */
void emu_judge_tmem(struct emu_cta *cta, struct emu_warp *warp, const struct emu_insn *insn,
                    struct emu_async *op, uint32_t lane, uint32_t lanes, uint32_t column, uint32_t columns,
                    enum emu_access access);
void emu_judge_tmem_given(struct emu_warp *warp, const struct emu_insn *insn, struct emu_cta *cta,
                          uint32_t column, uint32_t columns, bool alloc); /* else dealloc */
void emu_judge_tmem_wait(struct emu_warp *warp, bool loads);              /* else stores */
void emu_judge_tcgen05_fence(struct emu_warp *warp, bool before);         /* else after_thread_sync */

#endif
