/* tmem: tensor memory of a CTA: 128 lanes x 512 columns x 32 bits, its allocation, and the one door to its
 * cells. PTX ISA 9.1 §9.7.16.1, §9.7.16.7.
 *
 *     address   31..16 lane   15..0 column        cell[column][lane], so that one register of a 32x32b access
 * is a row
 *
 * Columns are given out in blocks of a power of two, 32 at least. Fresh columns hold NaN in every float
 * format. */
#ifndef EMU_TMEM_H
#define EMU_TMEM_H

#include "runtime/emu/async.h"

enum { EMU_TMEM_LANES = 128, EMU_TMEM_COLUMNS = 512, EMU_TMEM_UNIT = 32 };

enum emu_tmem_request { EMU_TMEM_IDLE, EMU_TMEM_ALLOC, EMU_TMEM_DEALLOC };

struct emu_tmem { /* in the cluster's arena */
    uint32_t (*cell)[EMU_TMEM_LANES];
    uint16_t used;     /* bit i: columns [32 i, 32 i + 32) are given out */
    uint8_t block[16]; /* units of the block that starts at unit i; 0: none starts there */
    bool relinquished;
    uint32_t last_columns; /* of the latest allocation: sizes must not grow */
    uint32_t cta_group;    /* 1 or 2, of all tcgen05 instructions; 0: none yet */
    struct {               /* the pair's half of an operation of cta_group::2 that waits for the other half */
        enum emu_tmem_request what;
        struct emu_warp *warp;
        bool granted;
        uint32_t columns, address;
    } request;
};

struct emu_tmem_port { /* of a warp: tcgen05.st that have not happened, tcgen05.ld that have not been waited
                          for */
    uint32_t stores, loads;
};

/* The CTA's tensor memory, made when first asked for; NULL after emu_fault(). */
struct emu_tmem *emu_tmem_get(struct emu_cta *cta, struct emu_warp *warp, const struct emu_insn *insn);
struct emu_tmem_port *emu_tmem_port_get(struct emu_warp *warp, const struct emu_insn *insn);

/* Remembers that the kernel uses cta_group 1 or 2; EMU_FAULT when it used the other before. */
enum emu_step emu_tmem_group(struct emu_warp *warp, const struct emu_insn *insn, uint32_t cta_group);

/* Takes a block; false: not enough columns are free now. */
bool emu_tmem_take(struct emu_tmem *tmem, struct emu_cluster *cluster, uint32_t columns, uint32_t *column);
/* Marks in this CTA the block that its pair's other CTA was given: a pair's allocations are the same in both.
 */
void emu_tmem_mirror(struct emu_tmem *tmem, uint32_t column, uint32_t columns);
/* Gives a block back; false: no such block was given out. */
bool emu_tmem_give(struct emu_tmem *tmem, uint32_t column, uint32_t columns);

/* The one door to the cells: columns [column, +columns) of lanes [lane, +lanes), for op (NULL: the warp
 * itself). They must be given out. The first column, or NULL after emu_fault(). */
uint32_t (*emu_tmem_access(struct emu_cta *cta, struct emu_warp *warp, const struct emu_insn *insn,
                           struct emu_async *op, uint32_t lane, uint32_t lanes, uint32_t column,
                           uint32_t columns, enum emu_access access))[EMU_TMEM_LANES];

#endif
