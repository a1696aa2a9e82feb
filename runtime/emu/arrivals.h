/* arrivals: who arrived at which mbarrier lately, so that a deadlock's report can say who has not. */
#ifndef EMU_ARRIVALS_H
#define EMU_ARRIVALS_H

#include "runtime/emu/machine.h"

enum { EMU_ARRIVALS_KEPT = 1024 }; /* of a cluster, a power of two */

struct emu_arrival { /* an arrival, or bytes that came, in the name of the warp that asked for them */
    const struct emu_warp *warp;
    const struct emu_insn *insn;
    uint32_t address;
    bool bytes; /* that came */
    bool ended; /* the phase, with this one */
};

struct emu_arrivals { /* a ring, of its cluster's arena */
    uint64_t count;
    struct emu_arrival at[EMU_ARRIVALS_KEPT];
};

void emu_arrivals_note(struct emu_cluster *cluster, const struct emu_arrival *arrival);
/* Those that are kept of one mbarrier, each pair of warp and instruction once: of the phase that is open (phase 0), or of
 * the ones before without those whose warp has done the like again since (phase 1). How many, at most `room`. */
uint32_t emu_arrivals_find(const struct emu_cluster *cluster, uint32_t address, int phase, struct emu_arrival *out,
                           uint32_t room);

#endif
