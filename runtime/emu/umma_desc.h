/* umma_desc: what tcgen05.mma is told in numbers: the 64-bit shared-memory matrix descriptor and the 32-bit
 * instruction descriptor, read from field tables (umma_desc.c) that are written from PTX ISA 9.1 §9.7.16.4
 * and know nothing of whoever wrote the numbers; and which shapes and types are legal (§9.7.16.2,
 * §9.7.16.10). */
#ifndef EMU_UMMA_DESC_H
#define EMU_UMMA_DESC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "runtime/emu/swizzle.h"

enum emu_umma_kind {
    EMU_UMMA_F16,
    EMU_UMMA_TF32,
    EMU_UMMA_F8F6F4,
    EMU_UMMA_I8,
    EMU_UMMA_MXF8F6F4,
    EMU_UMMA_MXF4,
    EMU_UMMA_MXF4NVF4,
    EMU_UMMA_KINDS
};
enum emu_element {
    EMU_F16,
    EMU_BF16,
    EMU_TF32,
    EMU_E4M3,
    EMU_E5M2,
    EMU_E2M3,
    EMU_E3M2,
    EMU_E2M1,
    EMU_U8,
    EMU_S8,
    EMU_ELEMENTS
};

const char *emu_umma_kind_name(enum emu_umma_kind kind);
const char *emu_element_name(enum emu_element element);

struct emu_smem_matrix { /* bytes, relative to the CTA */
    uint32_t start, lbo, sbo, base_offset;
    enum emu_swizzle swizzle;
};
/* False: no legal descriptor; why holds one line. */
bool emu_smem_matrix_decode(struct emu_smem_matrix *m, uint64_t descriptor, char *why, size_t why_bytes);

/* Shared-memory address of a 16-byte chunk of the matrix. K-major: row mn, chunk-th 16 bytes along k.
 * MN-major: chunk-th 16 bytes along mn, element k. Facts 1.2. */
uint32_t emu_smem_matrix_k_major(const struct emu_smem_matrix *m, uint32_t mn, uint32_t chunk);
uint32_t emu_smem_matrix_mn_major(const struct emu_smem_matrix *m, uint32_t chunk, uint32_t k);

struct emu_umma { /* one instruction's shape */
    enum emu_umma_kind kind;
    uint32_t m, n, k;
    enum emu_element a, b;
    bool d_f16; /* else f32 (i8: s32) */
    bool negate_a, negate_b, a_mn_major, b_mn_major, saturate, sparse;
    uint32_t scale_a_id, scale_b_id; /* block-scaled kinds: byte of the 32-bit column */
    bool scale_ue8m0;                /* else ue4m3 */
};
struct emu_umma_form {
    enum emu_umma_kind kind;
    uint32_t cta_group;
    bool weight_stationary, a_in_tmem, sparse;
};
/* False: illegal for this form of the instruction; why holds one line with the value and what is legal. */
bool emu_umma_decode(struct emu_umma *umma, uint32_t descriptor, const struct emu_umma_form *form, char *why,
                     size_t why_bytes);
/* What the swizzle and layout of an operand in shared memory must satisfy beside the descriptor itself. */
bool emu_umma_operand_legal(const struct emu_umma *umma, const struct emu_smem_matrix *m, bool mn_major,
                            enum emu_element element, char *why, size_t why_bytes);

#endif
