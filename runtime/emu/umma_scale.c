/* What changes a multiply's panels before it: scale factors of the block-scaled kinds, the zero-column mask
 * of .ws. PTX ISA 9.1 §9.7.16.10.7, §9.7.16.4.3.
 *
 * Scale factors of row (or column) i lie in the 32 lanes of each quarter, i mod 32, column i div 32 of the
 * address, a byte each from byte `id` on; all four quarters must hold the same. */
#include <math.h>
#include "runtime/emu/fault.h"
#include "runtime/emu/tmem.h"
#include "runtime/emu/umma.h"
#include "runtime/emu/umma_math.h"

enum { QUARTER = 32 };

static float factor(const struct emu_umma *u, uint32_t byte) {
    if (u->scale_ue8m0) return byte == 0xff ? NAN : ldexpf(1.0f, (int)byte - 127);
    float value;
    emu_umma_convert((const uint8_t[16]){(uint8_t)(byte & 0x7f)}, EMU_E4M3, 1, &value);
    return value;
}

/* The 32-bit words that hold the factors of `count` rows. CUTLASS leaves the id in the address's two top
 * bits. */
static bool factor_words(struct emu_umma_op *op, struct emu_cta *cta, uint32_t address, uint32_t count,
                         uint32_t *words) {
    uint32_t column = address & 0xffff, lane = address >> 16 & 0x3fff,
             columns = (count + QUARTER - 1) / QUARTER;
    struct emu_warp *w = op->base.warp;
    if (lane)
        return emu_fault(w, op->base.insn, EMU_FAULT_ILLEGAL_INSTRUCTION,
                         "scale factors at lane %u, must be 0", lane),
               false;
    uint32_t(*cells)[EMU_TMEM_LANES] =
        emu_tmem_access(cta, w, op->base.insn, &op->base, 0, EMU_TMEM_LANES, column, columns, EMU_READ);
    if (!cells) return false;
    for (uint32_t i = 0; i < count; i++) {
        words[i] = cells[i / QUARTER][i % QUARTER];
        for (uint32_t q = 1; q < EMU_TMEM_LANES / QUARTER; q++)
            if (cells[i / QUARTER][q * QUARTER + i % QUARTER] != words[i]) {
                emu_fault(w, op->base.insn, EMU_FAULT_LAUNCH_FAILED,
                          "scale factors of row %u differ between lanes %u and %u of column %u: each quarter "
                          "needs a copy",
                          i, i % QUARTER, q * QUARTER + i % QUARTER, column + i / QUARTER);
                return false;
            }
    }
    return true;
}

static float factor_of(const struct emu_umma_op *op, uint32_t word, uint32_t id, uint32_t k) {
    uint32_t block = k / (op->shape.k / op->scale_vector);
    return factor(&op->shape, word >> 8 * (id + block) & 0xff);
}

bool emu_umma_scale_a(struct emu_umma_op *op, struct emu_cta *cta, uint32_t rows, float *panel) {
    uint32_t words[EMU_UMMA_LANES];
    if (!factor_words(op, cta, op->scale_a, rows, words)) return false;
    for (uint32_t k = 0; k < op->shape.k; k++)
        for (uint32_t lane = 0; lane < EMU_UMMA_LANES; lane++)
            panel[k * EMU_UMMA_LANES + lane] *= factor_of(op, words[lane % rows], op->shape.scale_a_id, k);
    return true;
}

bool emu_umma_scale_b(struct emu_umma_op *op, struct emu_cta *cta, float *panel, uint32_t b_n, uint32_t b_k) {
    uint32_t words[EMU_UMMA_MAX_N];
    if (!factor_words(op, cta, op->scale_b, op->shape.n, words)) return false;
    for (uint32_t n = 0; n < op->shape.n; n++)
        for (uint32_t k = 0; k < op->shape.k; k++)
            panel[n * b_n + k * b_k] *= factor_of(op, words[n], op->shape.scale_b_id, k);
    return true;
}

/* Whether column n of B is zeroed: runs of ones and zeros, started per part of N (the examples of §9.7.16.4.3
 * count the ones with the field called skip span and the zeros with the one called use span, each plus 1). */
static bool is_zeroed(const struct emu_umma_op *op, uint32_t n) {
    uint64_t d = op->zero_columns;
    uint32_t parts = EMU_UMMA_LANES / op->shape.m, width = op->shape.n / parts, part = n / width;
    uint32_t ones = (uint32_t)(d >> 40 & 0xff) + 1, zeros = (uint32_t)(d >> 48 & 0xff) + 1;
    uint32_t at = n % width + (uint32_t)(d >> 8 * part & 0xff);
    bool first_is_one = d >> (32 + part) & 1;
    at %= ones + zeros;
    return first_is_one ? at < ones : at >= zeros;
}

void emu_umma_zero_columns(const struct emu_umma_op *op, float *panel, uint32_t b_n, uint32_t b_k) {
    if (!(op->zero_columns >> 39 & 1)) return;
    for (uint32_t n = 0; n < op->shape.n; n++)
        for (uint32_t k = 0; k < op->shape.k && is_zeroed(op, n); k++) panel[n * b_n + k * b_k] = 0.0f;
}
