/* sem_mma_bits: mma.sync of 4-bit integers and of single bits. PTX ISA 9.1 §9.7.14.5.
 *
 * A lane l holds, with g = l / 4 and q = l % 4 and W = 32 / width elements to a register:
 *   A, register r: row g + 8 * (r % 2), columns 4 W * (r / 2) + W q and on (8 rows: row g)
 *   B, register r: rows 4 W * r + W q and on, column g
 *   C, D, register r: row g + 8 * (r / 2), column 2 q + r % 2 */
#include <string.h>

#include "runtime/emu/decode.h"
#include "runtime/emu/fault.h"
#include "runtime/emu/lanes.h"

enum { OP_D, OP_A, OP_B, OP_C };

struct bits_mma {
    uint32_t rows, chunks;   /* chunks of 4 W elements of K */
    bool a_signed, b_signed; /* 4 bits */
    bool saturate, both;     /* both: of single bits, .and, else .xor */
};

static void check(struct emu_decoder *d, struct emu_insn *insn, uint32_t op, uint32_t wanted) {
    if (insn->op[op].count != wanted)
        emu_decode_fail(d, insn, "%c has %u registers, this shape takes %u", "DABC"[op], insn -> op[op].count,
                        wanted);
}

static struct bits_mma *decode(struct emu_decoder *d, struct emu_insn *insn) {
    struct bits_mma *m = emu_decode_alloc(d, sizeof *m);
    m->rows = insn->mod[0] == 1 ? 8 : 16; /* <m8n8k|m16n8k|m16n8k2> */
    m->chunks = insn->mod[0] == 3 ? 2 : 1;
    check(d, insn, OP_D, m->rows / 4);
    check(d, insn, OP_A, m->rows / 8 * m->chunks);
    check(d, insn, OP_B, m->chunks);
    check(d, insn, OP_C, m->rows / 4);
    return insn->extra = m;
}

/* <shape>.row.col{.satfinite}.s32.<s4|u4>.<s4|u4>.s32 */
void emu_decode_mma_int4(struct emu_decoder *d, struct emu_insn *insn) {
    struct bits_mma *m = decode(d, insn);
    m->saturate = insn->mod[1];
    m->a_signed = insn->mod[2] == 1;
    m->b_signed = insn->mod[3] == 1;
}
/* <shape>.row.col.s32.b1.b1.s32.<xor|and>.popc */
void emu_decode_mma_b1(struct emu_decoder *d, struct emu_insn *insn) {
    decode(d, insn)->both = insn->mod[1] == 2;
}

static int32_t nibble(uint32_t word, uint32_t i, bool is_signed) {
    uint32_t v = word >> 4 * i & 15;
    return is_signed && v & 8 ? (int32_t)v - 16 : (int32_t)v;
}

static int64_t product4(const struct bits_mma *m, uint32_t a, uint32_t b) {
    int64_t sum = 0;
    for (uint32_t i = 0; i < 8; i++) sum += nibble(a, i, m->a_signed) * nibble(b, i, m->b_signed);
    return sum;
}
static int64_t product1(const struct bits_mma *m, uint32_t a, uint32_t b) {
    return __builtin_popcount(m->both ? a & b : a ^ b);
}

static uint32_t finished(const struct bits_mma *m, int64_t sum) {
    if (m->saturate) sum = sum > INT32_MAX ? INT32_MAX : sum < INT32_MIN ? INT32_MIN : sum;
    return (uint32_t)sum;
}

static enum emu_step multiply(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask,
                              int64_t (*product)(const struct bits_mma *m, uint32_t a, uint32_t b)) {
    const struct bits_mma *m = insn->extra;
    const struct emu_opnd *o = insn->op;
    uint32_t halves = m->rows / 8, d[4][EMU_LANES];
    if (mask != EMU_FULL)
        return emu_fault(w, insn, EMU_FAULT_ILLEGAL_INSTRUCTION,
                         "lanes 0x%08x execute this; it needs all 32 lanes of the warp", mask);
    for (uint32_t r = 0; r < o[OP_D].count; r++) {
        const emu_l32 *c = emu_lanes(w, &o[OP_C].elems[r]);
        for (uint32_t l = 0; l < EMU_LANES; l++) {
            int64_t sum = (int32_t)c[l];
            for (uint32_t chunk = 0; chunk < m->chunks; chunk++) {
                const emu_l32 *a = emu_lanes(w, &o[OP_A].elems[r / 2 + halves * chunk]);
                const emu_l32 *b = emu_lanes(w, &o[OP_B].elems[chunk]);
                for (uint32_t q = 0; q < 4; q++)
                    sum += product(m, a[l / 4 * 4 + q], b[4 * (2 * (l % 4) + r % 2) + q]);
            }
            d[r][l] = finished(m, sum);
        }
    }
    for (uint32_t r = 0; r < o[OP_D].count; r++) memcpy(emu_lanes(w, &o[OP_D].elems[r]), d[r], sizeof d[r]);
    return EMU_NEXT;
}

EMU_SEM_HEAD(sem_mma_sync_int4) { return multiply(w, insn, mask, product4); }
EMU_SEM_HEAD(sem_mma_sync_b1) { return multiply(w, insn, mask, product1); }
