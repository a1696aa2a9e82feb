/* umma: shared-memory and instruction descriptors of tcgen05.mma, as pure functions over named fields.
 *
 * PTX ISA 9.1 §9.7.16.4 (matrix and instruction descriptors). The bit positions live in one field table each in
 * umma.c. What a field cannot hold gives 0, which is no descriptor (bit 46 of one, M of the other are never 0): the
 * planner chooses the values, so a 0 is our own bug, WL_ERR_INTERNAL to the caller. */
#ifndef WL_UMMA_H
#define WL_UMMA_H

#include <stdbool.h>
#include <stdint.h>
#include "gen/launch.h"

enum wl_major { WL_MAJOR_K, WL_MAJOR_MN };

struct wl_smem_desc { /* bytes; start may be 0 when a kernel adds its address at run time */
    uint32_t start, lbo, sbo;
    uint32_t base_offset;   /* 0..7, 0 for patterns aligned to 8 * swizzle_bytes */
    uint32_t swizzle_bytes; /* 0, 32, 64, 128 */
};
uint64_t wl_umma_smem_desc(const struct wl_smem_desc *fields);
/* The same matrix for wgmma (sm_90a): no version bits, another swizzle code. PTX ISA 9.1 §9.7.15.5.1. */
uint64_t wl_wgmma_smem_desc(const struct wl_smem_desc *fields);

struct wl_instr_desc { /* kind::f16 */
    enum wl_dtype ab;       /* element type of A and B */
    bool d_f32;             /* accumulator float32 (else float16) */
    enum wl_major a_major, b_major;
    int m, n;
};
uint32_t wl_umma_instr_desc(const struct wl_instr_desc *fields);

#endif
