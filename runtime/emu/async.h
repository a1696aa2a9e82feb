/* async: what has been issued and has not happened yet.
 *
 * Every asynchronous effect (a TMA copy, an MMA, a commit's arrival, a remote arrival, a bulk store's read
 * and its write) is one emu_async in its cluster's queue. Effects with the same non-zero pipe happen in the
 * order of issue (the tensor pipe of one thread, say); all others in any order. launch->order decides when:
 *   eager   at once, when issued
 *   late    only when no warp can move otherwise, then the oldest that may run
 *   random  any effect that may run, at any time, from the cluster's generator */
#ifndef EMU_ASYNC_H
#define EMU_ASYNC_H

#include "runtime/emu/machine.h"

struct emu_async;
typedef enum emu_step emu_async_fn(struct emu_cluster *cluster,
                                   struct emu_async *op); /* EMU_NEXT or EMU_FAULT */

struct emu_async {
    struct emu_async *next;
    uint64_t pipe; /* 0: unordered */
    emu_async_fn *run;
    struct emu_warp *warp; /* who issued it; stays valid to the end of the cluster */
    uint32_t lane;
    uint32_t size_class; /* of its allocation */
    const struct emu_insn *insn;
    uint64_t serial; /* order of issue in the cluster */
    struct emu_judge_op *judge; /* NULL: checks are off */
    /* the operation's own data follows: struct tma_load { struct emu_async base; ... } */
};

/* Allocates bytes (>= sizeof(struct emu_async)) from the queue's free lists, the first 512 of them zeroed;
 * NULL: no memory. */
void *emu_async_alloc(struct emu_cluster *cluster, uint32_t bytes);
/* The same with issuer and function filled in; NULL after emu_fault(). */
void *emu_async_new(struct emu_warp *warp, uint32_t lane, const struct emu_insn *insn, emu_async_fn *run,
                    uint32_t bytes);
/* Issues a copy of `what`, bytes long, whose first member is a struct emu_async of which only the pipe is
 * set. */
enum emu_step emu_async_post(struct emu_warp *warp, uint32_t lane, const struct emu_insn *insn,
                             emu_async_fn *run, const void *what, uint32_t bytes);
/* Issues it: runs it at once under eager order (after whatever its pipe still holds), else queues it. Owns op
 * from here. */
enum emu_step emu_async_issue(struct emu_cluster *cluster, struct emu_async *op);
/* Runs one that may run, as the order says. Returns 0 when the queue is empty, 1 when one ran, -1 on a fault.
 */
int emu_async_step(struct emu_cluster *cluster);
bool emu_async_empty(const struct emu_cluster *cluster);
struct emu_async_queue *emu_async_create(struct emu_cluster *cluster);
void emu_async_destroy(struct emu_async_queue *queue);

/* The pipe in which the tcgen05.mma, cp, shift and commit of one thread stay in order. */
uint64_t emu_async_tensor_pipe(const struct emu_warp *warp, uint32_t lane);

/* The one door through which asynchronous effects touch shared memory, by CTA and offset, and the same by
 * shared address (rank in bits 24 and up). Checked: NULL after emu_fault(). */
enum emu_access { EMU_READ, EMU_WRITE };
uint8_t *emu_async_smem_refused(struct emu_cta *cta, struct emu_async *op, uint32_t offset, uint32_t bytes,
                                enum emu_access access);
void emu_judge_async_smem(struct emu_cta *cta, struct emu_async *op, uint32_t offset, uint32_t bytes,
                          enum emu_access access);
static inline uint8_t *emu_async_smem_of(struct emu_cta *cta, struct emu_async *op, uint32_t offset,
                                         uint32_t bytes, enum emu_access access) {
    bool inside = (uint64_t)offset + bytes <= cta->smem_bytes;
    if (inside && (access == EMU_READ || offset >= EMU_SMEM_RESERVED)) {
        if (cta->judge) emu_judge_async_smem(cta, op, offset, bytes, access);
        return cta->smem + offset;
    }
    return emu_async_smem_refused(cta, op, offset, bytes, access);
}
uint8_t *emu_async_smem(struct emu_cluster *cluster, struct emu_async *op, uint32_t address, uint32_t bytes,
                        enum emu_access access);

/* Whether the effect may touch these bytes of global memory; false after emu_fault(). */
bool emu_async_global(struct emu_cluster *cluster, struct emu_async *op, uint64_t address, uint64_t bytes);

#endif
