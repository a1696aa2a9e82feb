/* bulk: bulk async-groups: what each thread has issued with .bulk_group, committed, and waits for.
 *
 * An operation joins its thread's open group; its source read and its write end separately, since
 * wait_group.read asks only for the former. PTX ISA 9.1 §9.7.9.27.2. */
#ifndef EMU_BULK_H
#define EMU_BULK_H

#include "runtime/emu/machine.h"

struct emu_bulk_group;

/* Counts one operation in the open group of this lane; NULL after emu_fault(). */
struct emu_bulk_group *emu_bulk_join(struct emu_warp *warp, const struct emu_insn *insn, uint32_t lane);
void emu_bulk_read_done(struct emu_cluster *cluster, struct emu_bulk_group *group);
void emu_bulk_write_done(struct emu_cluster *cluster, struct emu_bulk_group *group);

/* Closes the open group (an empty one, where nothing was issued). */
enum emu_step emu_bulk_commit(struct emu_warp *warp, const struct emu_insn *insn, uint32_t lane);
/* Whether all but the newest `pending` committed groups are done (read_only: have read their sources). */
bool emu_bulk_reached(struct emu_warp *warp, uint32_t lane, uint64_t pending, bool read_only);

#endif
