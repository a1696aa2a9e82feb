/* sem_barrier: the 16 named barriers of a CTA (bar, barrier.cta). */
#ifndef EMU_SEM_BARRIER_H
#define EMU_SEM_BARRIER_H

#include "runtime/emu/machine.h"

/* Completes the barriers that wait for all threads of the CTA, once those that have not exited have all
 * arrived. */
void emu_barriers_check(struct emu_cta *cta);

#endif
