/* bulk: async-groups by thread: what it has issued, committed, and waits for. A warp has two sets: warp->bulk
 * for operations with .bulk_group, warp->copies for cp.async.
 *
 * An operation joins its thread's open group; its source read and its write end separately, since
 * wait_group.read asks only for the former. PTX ISA 9.1 §9.7.9.25.1.1, §9.7.9.27.2. */
#ifndef EMU_BULK_H
#define EMU_BULK_H

#include "runtime/emu/machine.h"

struct emu_bulk_group;

/* Counts one operation in the open group of this lane; NULL after emu_fault(). *set is made when it is NULL.
 */
struct emu_bulk_group *emu_bulk_join(struct emu_warp *warp, const struct emu_insn *insn, uint32_t lane,
                                     struct emu_bulk **set);
void emu_bulk_read_done(struct emu_cluster *cluster, struct emu_bulk_group *group);
void emu_bulk_write_done(struct emu_cluster *cluster, struct emu_bulk_group *group);

/* Closes the open group (an empty one, where nothing was issued). */
enum emu_step emu_bulk_commit(struct emu_warp *warp, const struct emu_insn *insn, uint32_t lane,
                              struct emu_bulk **set);
/* Whether all but the newest `pending` committed groups are done (read_only: have read their sources). */
bool emu_bulk_reached(struct emu_bulk *set, uint32_t lane, uint64_t pending, bool read_only);

#endif
