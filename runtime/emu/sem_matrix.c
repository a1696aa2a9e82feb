/* sem_matrix: ldmatrix, stmatrix, movmatrix: 8x8 matrices of 16-bit elements (and what there is for 8-bit
 * ones) between shared memory and a warp's registers. PTX ISA 9.1 §9.7.14.5.15 to .17.
 *
 * A matrix in registers is one word a lane: lane l holds row l / 4, bytes 4 * (l % 4) on, of rows of 16
 * bytes; a row's address is a lane's of eight (or 16) that belong to the matrix. */
#include <string.h>
#include "runtime/emu/decode.h"
#include "runtime/emu/fault.h"
#include "runtime/emu/operand.h"

enum { ROW = 16 /* bytes */, MOST_WORDS = 4 };
enum unpack { PLAIN, SIX, FOUR };

struct tiles {                /* insn->extra */
    uint32_t registers, rows; /* rows: addresses that count */
    bool generic, transposed;
    enum unpack unpack;
};

static struct tiles *decode(struct emu_decoder *d, struct emu_insn *insn, const struct emu_opnd *vector,
                            uint32_t registers, uint32_t rows) {
    struct tiles *t = emu_decode_alloc(d, sizeof *t);
    if (vector->count != registers)
        emu_decode_fail(d, insn, "takes %u registers, here are %u", registers, vector->count);
    *t = (struct tiles){.registers = registers, .rows = rows};
    insn->extra = t;
    return t;
}

static uint32_t count_of(uint8_t choice) { return 1u << (choice - 1); } /* x1, x2, x4 */

/* m8n8.x{.trans}{.ss} */
void emu_decode_ldmatrix(struct emu_decoder *d, struct emu_insn *insn) {
    uint32_t count = count_of(insn->mod[0]);
    struct tiles *t = decode(d, insn, &insn->op[0], count, 8 * count);
    t->transposed = insn->mod[1], t->generic = !insn->mod[2];
}
void emu_decode_stmatrix(struct emu_decoder *d, struct emu_insn *insn) {
    uint32_t count = count_of(insn->mod[0]);
    struct tiles *t = decode(d, insn, &insn->op[1], count, 8 * count);
    t->transposed = insn->mod[1], t->generic = !insn->mod[2];
}
/* m16n16.x.trans{.ss}.<b8|b6|b4>, m8n16.x{.ss}.<b6|b4>, m16n8.x.trans{.ss}.b8 */
void emu_decode_ldmatrix_16x16(struct emu_decoder *d, struct emu_insn *insn) {
    uint32_t count = count_of(insn->mod[0]);
    struct tiles *t = decode(d, insn, &insn->op[0], 2 * count, 16 * count);
    t->generic = !insn->mod[1], t->unpack = (enum unpack)(insn->mod[2] - 1);
}
void emu_decode_ldmatrix_8x16(struct emu_decoder *d, struct emu_insn *insn) {
    uint32_t count = count_of(insn->mod[0]);
    struct tiles *t = decode(d, insn, &insn->op[0], count, 8 * count);
    t->generic = !insn->mod[1], t->unpack = (enum unpack)insn->mod[2];
}
void emu_decode_stmatrix_16x8(struct emu_decoder *d, struct emu_insn *insn) {
    uint32_t count = count_of(insn->mod[0]);
    struct tiles *t = decode(d, insn, &insn->op[1], count, 8 * count);
    t->generic = !insn->mod[1];
}

/* ---- rows in shared memory ---- */

/* Where each row lies; the addresses of lanes behind the last are not looked at. */
static enum emu_step rows_of(struct emu_warp *w, const struct emu_insn *insn, const struct emu_opnd *address,
                             uint32_t mask, uint8_t *row[EMU_LANES]) {
    const struct tiles *t = insn->extra;
    if (mask != EMU_FULL)
        return emu_fault(w, insn, EMU_FAULT_ILLEGAL_INSTRUCTION,
                         "lanes 0x%08x execute this; it needs all 32 lanes of the warp", mask);
    for (uint32_t i = 0; i < t->rows; i++) {
        uint32_t at;
        if (emu_lane_shared(w, insn, address, i, t->generic, ROW, &at) == EMU_FAULT) return EMU_FAULT;
        row[i] = emu_shared_at(w, insn, at, ROW, ROW, i, true);
        if (!row[i]) return EMU_FAULT;
    }
    return EMU_NEXT;
}

static uint16_t *half_of(uint32_t *word, uint32_t i) { return (uint16_t *)(void *)word + i; }

/* Element (row, column) of a transposed matrix is in this lane, in half row % 2. */
static uint32_t lane_of(uint32_t row, uint32_t column) { return 4 * column + row / 2; }

static void transpose_in(uint32_t *words, uint8_t *const row[8]) {
    for (uint32_t r = 0; r < 8; r++)
        for (uint32_t c = 0; c < 8; c++) memcpy(half_of(&words[lane_of(r, c)], r % 2), row[r] + 2 * c, 2);
}
static void transpose_out(uint8_t *const row[8], uint32_t *words) {
    for (uint32_t r = 0; r < 8; r++)
        for (uint32_t c = 0; c < 8; c++) memcpy(row[r] + 2 * c, half_of(&words[lane_of(r, c)], r % 2), 2);
}

/* Sixteen 6- or 4-bit elements become bytes: 0xxxxxx0 and 00xxxx00 (facts 4.3). */
static void expand(const uint8_t row[ROW], enum unpack unpack, uint8_t out[ROW]) {
    uint32_t width = unpack == SIX ? 6 : 4, shift = unpack == SIX ? 1 : 2;
    for (uint32_t i = 0; i < ROW; i++) {
        uint32_t at = i * width, pair = row[at / 8] | (uint32_t)row[at / 8 + 1] << 8;
        out[i] = unpack == PLAIN ? row[i] : (uint8_t)((pair >> at % 8 & ((1u << width) - 1)) << shift);
    }
}

/* ---- execution ---- */

enum emu_step sem_ldmatrix(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    const struct tiles *t = insn->extra;
    uint8_t *row[EMU_LANES];
    if (rows_of(w, insn, &insn->op[1], mask, row) == EMU_FAULT) return EMU_FAULT;
    for (uint32_t i = 0; i < t->registers; i++) {
        uint32_t *d = emu_lanes(w, &insn->op[0].elems[i]);
        if (t->transposed) transpose_in(d, row + 8 * i);
        else
            for (uint32_t r = 0; r < 8; r++) memcpy(d + 4 * r, row[8 * i + r], ROW);
    }
    return EMU_NEXT;
}

enum emu_step sem_stmatrix(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    const struct tiles *t = insn->extra;
    uint8_t *row[EMU_LANES];
    if (rows_of(w, insn, &insn->op[0], mask, row) == EMU_FAULT) return EMU_FAULT;
    for (uint32_t i = 0; i < t->registers; i++) {
        uint32_t *a = emu_lanes(w, &insn->op[1].elems[i]);
        if (t->transposed) transpose_out(row + 8 * i, a);
        else
            for (uint32_t r = 0; r < 8; r++) memcpy(row[8 * i + r], a + 4 * r, ROW);
    }
    return EMU_NEXT;
}

enum emu_step sem_movmatrix(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    uint32_t a[EMU_LANES], *d = emu_lanes(w, &insn->op[0]);
    uint8_t *row[8];
    if (mask != EMU_FULL)
        return emu_fault(w, insn, EMU_FAULT_ILLEGAL_INSTRUCTION,
                         "lanes 0x%08x execute this; it needs all 32 lanes of the warp", mask);
    memcpy(a, emu_lanes(w, &insn->op[1]), sizeof a);
    for (uint32_t r = 0; r < 8; r++) row[r] = (uint8_t *)(a + 4 * r);
    transpose_in(d, row);
    return EMU_NEXT;
}

/* ---- 8-bit elements (sm_100) ---- */

/* The lane of 16 whose address is row k, seen by lane l's byte b of a matrix's register r; its column there.
 * [oracle: cutlass, SM100_U8x8_LDSM_T] */
enum emu_step sem_ldmatrix_16x16(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    const struct tiles *t = insn->extra;
    uint8_t *row[EMU_LANES], bytes[EMU_LANES][ROW];
    if (rows_of(w, insn, &insn->op[1], mask, row) == EMU_FAULT) return EMU_FAULT;
    for (uint32_t i = 0; i < t->rows; i++) expand(row[i], t->unpack, bytes[i]);
    for (uint32_t r = 0; r < t->registers; r++) {
        uint32_t *d = emu_lanes(w, &insn->op[0].elems[r]);
        for (uint32_t l = 0; l < EMU_LANES; l++) {
            uint8_t word[4];
            for (uint32_t b = 0; b < 4; b++) {
                uint32_t k = 4 * (l % 4) + 2 * (r % 2) + b % 2;
                word[b] = bytes[r / 2 * 16 + k][l / 4 + 8 * (b / 2)];
            }
            memcpy(&d[l], word, sizeof word);
        }
    }
    return EMU_NEXT;
}

enum emu_step sem_ldmatrix_8x16(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    const struct tiles *t = insn->extra;
    uint8_t *row[EMU_LANES], bytes[ROW];
    if (rows_of(w, insn, &insn->op[1], mask, row) == EMU_FAULT) return EMU_FAULT;
    for (uint32_t i = 0; i < t->rows; i++) {
        expand(row[i], t->unpack, bytes);
        memcpy((uint32_t *)emu_lanes(w, &insn->op[0].elems[i / 8]) + 4 * (i % 8), bytes, ROW);
    }
    return EMU_NEXT;
}

/* Byte b of lane l goes to row 2 * (l % 4) + b % 2, column l / 4 + 8 * (b / 2). [oracle: cutlass,
 * SM100_U8x4_STSM_T] */
enum emu_step sem_stmatrix_16x8(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    const struct tiles *t = insn->extra;
    uint8_t *row[EMU_LANES];
    if (rows_of(w, insn, &insn->op[0], mask, row) == EMU_FAULT) return EMU_FAULT;
    for (uint32_t i = 0; i < t->registers; i++) {
        const uint32_t *a = emu_lanes(w, &insn->op[1].elems[i]);
        for (uint32_t l = 0; l < EMU_LANES; l++)
            for (uint32_t b = 0; b < 4; b++)
                row[8 * i + 2 * (l % 4) + b % 2][l / 4 + 8 * (b / 2)] = (uint8_t)(a[l] >> 8 * b);
    }
    return EMU_NEXT;
}
