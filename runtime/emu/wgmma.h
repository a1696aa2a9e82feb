/* wgmma: the multiplies of a warpgroup between their issue and their end. PTX ISA 9.1 §9.7.15.
 *
 * Four warps issue a wgmma each for itself, in the same order; it can begin once all four have. From then on
 * it is one effect, in order with the warpgroup's others: it reads A and B and writes all 64 rows of D,
 * whenever the launch's order says so. Groups are counted by warp, as each commits and waits for itself. That
 * a wait of one warp covers the reads of the others too is what real kernels count on: one thread of the
 * warpgroup frees the shared memory for all. */
#ifndef EMU_WGMMA_H
#define EMU_WGMMA_H

#include "runtime/emu/async.h"
#include "runtime/emu/mma_math.h"

enum { EMU_WARPGROUP = 4 };

struct emu_wgmma_form { /* insn->extra of wgmma.mma_async */
    struct emu_mma mma; /* of one warp */
    bool a_in_registers, a_mn_major, b_mn_major, negate_a, negate_b;
};

/* The warp issues one: descriptors (a: unless in registers) and scale-d. */
enum emu_step emu_wgmma_issue(struct emu_warp *warp, const struct emu_insn *insn, uint64_t a, uint64_t b,
                              bool accumulate);
enum emu_step emu_wgmma_commit(struct emu_warp *warp, const struct emu_insn *insn);
/* Whether all that the warp has issued is done, committed or not. */
bool emu_wgmma_idle(const struct emu_warp *warp);
/* Whether all but the warp's newest `pending` committed groups are done. */
bool emu_wgmma_reached(const struct emu_warp *warp, uint64_t pending);
/* The warp's wgmmas for which none of its waits has passed, at most the newest of them; their number. */
enum { EMU_WGMMA_RECENT = 64 };
uint32_t emu_wgmma_unwaited(const struct emu_warp *warp, const struct emu_insn *pending[EMU_WGMMA_RECENT]);
/* The warp's wait for all but `pending` groups has passed. */
void emu_wgmma_waited(struct emu_warp *warp, uint64_t pending);
/* When a function has been decoded (wgmma_touch.c). */
struct emu_decoder;
void emu_wgmma_watch(struct emu_decoder *d, struct emu_function *fn);
/* Who of the warpgroup has to issue something before this warp's wgmmas can begin ("" when nobody), for
 * reports. */
void emu_wgmma_describe(const struct emu_warp *warp, char *out, size_t out_bytes);
/* A CTA's last warp has exited: a wgmma that not all four warps have issued is a fault. */
enum emu_step emu_wgmma_cta_end(struct emu_cta *cta, struct emu_warp *last);

#endif
