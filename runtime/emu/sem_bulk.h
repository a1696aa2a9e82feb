/* sem_bulk: what the bulk and the tensor copies share. */
#ifndef EMU_SEM_BULK_H
#define EMU_SEM_BULK_H

#include "runtime/emu/machine.h"

/* Calls each for every CTA of a multicast mask; EMU_FAULT where the cluster has no such CTA. */
typedef enum emu_step emu_each_cta_fn(struct emu_warp *w, const struct emu_insn *insn, uint32_t lane,
                                      uint32_t rank, const void *what);
enum emu_step emu_for_each_cta(struct emu_warp *w, const struct emu_insn *insn, uint32_t lane, uint32_t mask,
                               emu_each_cta_fn *each, const void *what);

#endif
