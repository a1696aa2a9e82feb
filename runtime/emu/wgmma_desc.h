/* wgmma_desc: the 64-bit shared-memory matrix descriptor of wgmma, read from a field table that is written
 * from PTX ISA 9.1 §9.7.15.5.1.2.2. What follows from its fields, where each chunk of the matrix lies, is
 * umma_desc.h's: the layouts are the same (facts 10.1). */
#ifndef EMU_WGMMA_DESC_H
#define EMU_WGMMA_DESC_H

#include "runtime/emu/umma_desc.h"

/* False: no legal descriptor; why holds one line. */
bool emu_wgmma_matrix_decode(struct emu_smem_matrix *m, uint64_t descriptor, char *why, size_t why_bytes);

#endif
