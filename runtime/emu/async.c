#include "runtime/emu/async.h"

#include <string.h>
#include "gen/arena.h"
#include "runtime/emu/device.h"
#include "runtime/emu/fault.h"
#include "runtime/emu/judge.h"

enum { SMALLEST = 128, CLASSES = 16 }; /* size class c holds SMALLEST << c bytes: up to 4 MiB */

struct emu_async_queue {
    struct emu_async *head, *tail;
    uint32_t count;
    uint64_t serial;
    struct emu_async *spare[CLASSES];
};

static void free_list(struct emu_async *op) {
    while (op) {
        struct emu_async *next = op->next;
        wl_free(op);
        op = next;
    }
}

struct emu_async_queue *emu_async_create(struct emu_cluster *cluster) {
    (void)cluster;
    struct emu_async_queue *queue = wl_realloc(NULL, sizeof *queue);
    if (queue) memset(queue, 0, sizeof *queue);
    return queue;
}

void emu_async_destroy(struct emu_async_queue *queue) {
    if (!queue) return;
    free_list(queue->head);
    for (int i = 0; i < CLASSES; i++) free_list(queue->spare[i]);
    wl_free(queue);
}

bool emu_async_empty(const struct emu_cluster *cluster) { return !cluster->async->head; }

void *emu_async_alloc(struct emu_cluster *cluster, uint32_t bytes) {
    struct emu_async_queue *queue = cluster->async;
    uint32_t class = 0;
    while (class < CLASSES && (uint32_t)SMALLEST << class < bytes) class ++;
    if (class == CLASSES) return NULL;
    struct emu_async *op = queue->spare[class];
    if (op) queue->spare[class] = op->next;
    else op = wl_realloc(NULL, (size_t)SMALLEST << class);
    if (!op) return NULL;
    memset(op, 0, bytes < 512 ? bytes : 512); /* the rest is payload, which its owner fills */
    op->size_class = class;
    return op;
}

void *emu_async_new(struct emu_warp *warp, uint32_t lane, const struct emu_insn *insn, emu_async_fn *run,
                    uint32_t bytes) {
    struct emu_async *op = emu_async_alloc(warp->cta->cluster, bytes);
    if (!op) {
        emu_fault(warp, insn, EMU_FAULT_NO_MEMORY, "no memory for an asynchronous operation of %u bytes",
                  bytes);
        return NULL;
    }
    op->warp = warp, op->lane = lane, op->insn = insn, op->run = run;
    return op;
}

static enum emu_step carry_out(struct emu_cluster *cluster, struct emu_async *op) {
    struct emu_judge_op *outer = cluster->judge ? emu_judge_run(cluster, op) : NULL;
    enum emu_step step = op->run(cluster, op);
    if (cluster->judge) emu_judge_done(cluster, op, outer);
    struct emu_async_queue *queue = cluster->async;
    op->next = queue->spare[op->size_class];
    queue->spare[op->size_class] = op;
    return step;
}

enum emu_step emu_async_issue(struct emu_cluster *cluster, struct emu_async *op) {
    struct emu_async_queue *queue = cluster->async;
    op->serial = ++queue->serial;
    op->next = NULL;
    if (cluster->judge) emu_judge_issue(cluster, op);
    /* Eager: nothing is ever queued, so that no pipe holds anything to wait behind. */
    if (cluster->launch->order == EMU_ORDER_EAGER) return carry_out(cluster, op);
    if (queue->tail) queue->tail->next = op;
    else queue->head = op;
    queue->tail = op;
    queue->count++;
    return EMU_NEXT;
}

/* Takes out the oldest effect of the pipe of the index-th one (of pipe 0: that one itself). */
static struct emu_async *take(struct emu_async_queue *queue, uint32_t index) {
    struct emu_async *chosen = queue->head;
    for (uint32_t i = 0; i < index; i++) chosen = chosen->next;
    struct emu_async *before = NULL, *op = queue->head;
    while (op != chosen && !(chosen->pipe && op->pipe == chosen->pipe)) before = op, op = op->next;
    if (before) before->next = op->next;
    else queue->head = op->next;
    if (queue->tail == op) queue->tail = before;
    queue->count--;
    return op;
}

int emu_async_step(struct emu_cluster *cluster) {
    struct emu_async_queue *queue = cluster->async;
    if (!queue->head) return 0;
    bool random = cluster->launch->order == EMU_ORDER_RANDOM;
    struct emu_async *op = take(queue, random ? emu_random(cluster) % queue->count : 0);
    return carry_out(cluster, op) == EMU_FAULT ? -1 : 1;
}

enum emu_step emu_async_post(struct emu_warp *warp, uint32_t lane, const struct emu_insn *insn,
                             emu_async_fn *run, const void *what, uint32_t bytes) {
    struct emu_async *op = emu_async_new(warp, lane, insn, run, bytes);
    if (!op) return EMU_FAULT;
    op->pipe = ((const struct emu_async *)what)->pipe;
    memcpy(op + 1, (const struct emu_async *)what + 1, bytes - sizeof *op);
    return emu_async_issue(warp->cta->cluster, op);
}

uint64_t emu_async_tensor_pipe(const struct emu_warp *warp, uint32_t lane) {
    return 1ull << 63 | (uint64_t)warp->cta->rank << 32 | (uint64_t)warp->index << 8 | lane;
}

uint8_t *emu_async_smem_refused(struct emu_cta *cta, struct emu_async *op, uint32_t offset, uint32_t bytes,
                                enum emu_access access) {
    bool reserved = access == EMU_WRITE && offset < EMU_SMEM_RESERVED;
    emu_fault(op->warp, op->insn, EMU_FAULT_LAUNCH_FAILED,
              "asynchronous %s of %u bytes at offset 0x%x of CTA %u's shared memory (0x%x bytes): %s",
              access == EMU_WRITE ? "write" : "read", bytes, offset, cta->rank, cta->smem_bytes,
              reserved ? "the first 1024 bytes are the system's" : "no such memory");
    return NULL;
}

uint8_t *emu_async_smem(struct emu_cluster *cluster, struct emu_async *op, uint32_t address, uint32_t bytes,
                        enum emu_access access) {
    uint32_t rank = address >> 24;
    if (rank < cluster->cta_count)
        return emu_async_smem_of(cluster->ctas[rank], op, address & 0xffffff, bytes, access);
    emu_fault(op->warp, op->insn, EMU_FAULT_LAUNCH_FAILED,
              "asynchronous access to shared address 0x%x: the cluster has no CTA %u", address, rank);
    return NULL;
}

bool emu_async_global(struct emu_cluster *cluster, struct emu_async *op, uint64_t address, uint64_t bytes) {
    if (emu_device_contains(cluster->launch->device, address, bytes)) return true;
    char where[160];
    emu_device_describe(cluster->launch->device, address, where, sizeof where);
    emu_fault(op->warp, op->insn, EMU_FAULT_ILLEGAL_ADDRESS,
              "asynchronous access to %llu bytes of global memory at 0x%llx: %s", (unsigned long long)bytes,
              (unsigned long long)address, where);
    return false;
}
