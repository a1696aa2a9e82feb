/* assemble: PTX to a cubin, by the first of these that is there and can:
 *
 *     ptxas        gen/ptxas.h
 *     driver       a GPU's driver's linker (cuLink...)
 *     nvjitlink    gen/nvjitlink.h
 *
 * WARPLOOM_ASSEMBLER names one of them, or none. The linkers assemble for linking and ignore setmaxnreg
 * [nvJitLink 13.0; driver 580.159.04 on an H200]. */
#ifndef WL_ASSEMBLE_H
#define WL_ASSEMBLE_H

#include "gen/ptxas.h"
#include "runtime/driver.h"

/* driver: whose linker may be used; NULL: that of a GPU, where there is one. keep_setmaxnreg: a cubin that
 * lost it is none, unless the variable asks for that assembler. ptx[bytes] must be 0. WL_ERR_ENVIRONMENT: no
 * assembler; the text has what each lacks. WL_ERR_INTERNAL: the PTX is refused. WL_ERR_USAGE: no such
 * WARPLOOM_ASSEMBLER. */
enum wl_status wl_assemble(const char *ptx, size_t bytes, const char *target, const struct wl_driver *driver,
                           bool keep_setmaxnreg, struct wl_ptxas_report *report, struct wl_error *error);

#endif
