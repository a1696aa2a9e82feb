/* cluster: the barrier of all threads of a cluster. PTX ISA 9.1 §9.7.13.3. */
#ifndef EMU_CLUSTER_H
#define EMU_CLUSTER_H

#include "runtime/emu/machine.h"

/* Ends the barrier's generation when every live thread has arrived: called after an arrival and after threads
 * exit. */
void emu_cluster_barrier_check(struct emu_cluster *cluster);

#endif
