/* tcgen05.cp and tcgen05.shift: into and inside tensor memory, in the tensor pipe of the thread that issues
 * them. PTX ISA 9.1 §9.7.16.9. */
#include <string.h>
#include "runtime/emu/decode.h"
#include "runtime/emu/fault.h"
#include "runtime/emu/operand.h"
#include "runtime/emu/tmem.h"
#include "runtime/emu/umma_desc.h"

enum { MOD_GROUP = 0, MOD_SHAPE = 1, WORDS = 4 /* of a 16-byte chunk */ };
enum { UNPACK_NONE, UNPACK_6, UNPACK_4 };

/* What a row of the source becomes (facts 4.6): copies at lanes row, row + apart, ...; 01_23 spreads 32-row
 * halves. */
static const struct {
    uint8_t rows, chunks, copies, apart, row_step;
    bool halves;
} shapes[] = {
/* clang-format off */
#define CP_128X256 0
    {128, 2, 1,  0,  1, false},
#define CP_4X256 1
    {4,   2, 1,  0, 32, false},
#define CP_128X128 2
    {128, 1, 1,  0,  1, false},
#define CP_64X128_02_13 3
    {64,  1, 2, 64,  1, false},
#define CP_64X128_01_23 4
    {64,  1, 2, 32,  1, true},
#define CP_32X128_X4 5
    {32,  1, 4, 32,  1, false},
    /* clang-format on */
};

struct copy {
    struct emu_async base;
    struct emu_smem_matrix source;
    uint8_t shape, unpack, cta_group;
    uint32_t lane, column;
};

/* Sixteen 6- or 4-bit elements, packed from the chunk's first bit, become bytes: 0xxxxxx0 and 00xxxx00
 * (facts 4.3). */
static void unpack(uint8_t chunk[16], uint32_t width) {
    uint8_t out[16];
    for (uint32_t i = 0; i < 16; i++) {
        uint32_t at = i * width, pair = chunk[at / 8] | (uint32_t)chunk[at / 8 + 1] << 8;
        out[i] = (uint8_t)((pair >> at % 8 & ((1u << width) - 1)) << (width == 4 ? 2 : 1));
    }
    memcpy(chunk, out, 16);
}

static bool copy_to(struct copy *c, struct emu_cta *cta) {
    uint32_t lanes = shapes[c->shape].rows == 4 ? 97 : EMU_TMEM_LANES - c->lane,
             columns = shapes[c->shape].chunks * WORDS;
    uint32_t(*cells)[EMU_TMEM_LANES] = emu_tmem_access(cta, c->base.warp, c->base.insn, &c->base, c->lane,
                                                       lanes, c->column, columns, EMU_WRITE);
    if (!cells) return false;
    for (uint32_t row = 0; row < shapes[c->shape].rows; row++)
        for (uint32_t chunk = 0; chunk < shapes[c->shape].chunks; chunk++) {
            uint8_t bytes[16];
            uint32_t address = emu_smem_matrix_k_major(&c->source, row, chunk), words[WORDS];
            const uint8_t *source = emu_async_smem_of(cta, &c->base, address, 16, EMU_READ);
            if (!source) return false;
            memcpy(bytes, source, 16);
            if (c->unpack) unpack(bytes, c->unpack == UNPACK_6 ? 6 : 4);
            memcpy(words, bytes, 16);
            uint32_t first = row * shapes[c->shape].row_step + (shapes[c->shape].halves ? row / 32 * 32 : 0);
            for (uint32_t copy = 0; copy < shapes[c->shape].copies; copy++)
                for (uint32_t w = 0; w < WORDS; w++)
                    cells[chunk * WORDS + w][c->lane + first + copy * shapes[c->shape].apart] = words[w];
        }
    return true;
}

static enum emu_step run_copy(struct emu_cluster *cluster, struct emu_async *base) {
    struct copy *c = (struct copy *)base;
    struct emu_cta *own = base->warp->cta;
    if (!copy_to(c, own)) return EMU_FAULT;
    if (c->cta_group == 2 && !copy_to(c, cluster->ctas[own->rank ^ 1]))
        return EMU_FAULT; /* from its own shared memory */
    return EMU_NEXT;
}

static enum emu_step issue_copy(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask, uint8_t shape,
                                uint8_t unpack_mod) {
    if (emu_tmem_group(w, insn, insn->mod[MOD_GROUP]) == EMU_FAULT) return EMU_FAULT;
    EMU_FOR_LANES(mask, lane) {
        char why[160];
        uint32_t to = (uint32_t)emu_address(w, &insn->op[0], lane);
        struct copy c = {.base.pipe = emu_async_tensor_pipe(w, lane),
                         .shape = shape,
                         .unpack = insn->mod[unpack_mod],
                         .cta_group = insn->mod[MOD_GROUP],
                         .lane = to >> 16,
                         .column = to & 0xffff};
        if (!emu_smem_matrix_decode(&c.source, emu_lane(w, &insn->op[1], lane), why, sizeof why))
            return emu_fault(w, insn, EMU_FAULT_ILLEGAL_INSTRUCTION, "%s", why);
        bool legal = c.lane == 0 || (shape == CP_4X256 && c.lane < 32);
        if (!legal)
            return emu_fault(w, insn, EMU_FAULT_ILLEGAL_INSTRUCTION, "destination lane %u, must be 0",
                             c.lane);
        if (emu_async_post(w, lane, insn, run_copy, &c, sizeof c) == EMU_FAULT) return EMU_FAULT;
    }
    return EMU_NEXT;
}

/* Rows: <128x256b|4x256b|128x128b>{unpack}, 64x128b.<multicast>{unpack}, 32x128b.warpx4{unpack} */
enum emu_step sem_tmem_cp(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    return issue_copy(w, insn, mask, insn->mod[MOD_SHAPE] - 1, 2);
}
enum emu_step sem_tmem_cp_64(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    return issue_copy(w, insn, mask, insn->mod[MOD_SHAPE] == 1 ? CP_64X128_02_13 : CP_64X128_01_23, 2);
}
enum emu_step sem_tmem_cp_32(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    return issue_copy(w, insn, mask, CP_32X128_X4, 1);
}

/* ---- shift ---- */

struct shift {
    struct emu_async base;
    uint32_t lane, column, cta_group;
};

enum { SHIFT_COLUMNS = 8, SHIFT_LANES = 32 };

/* Lane r takes what lane r + 1 holds; the last of the 32 keeps its own. */
static bool shift_in(struct shift *s, struct emu_cta *cta) {
    uint32_t(*cells)[EMU_TMEM_LANES] = emu_tmem_access(cta, s->base.warp, s->base.insn, &s->base, s->lane,
                                                       SHIFT_LANES, s->column, SHIFT_COLUMNS, EMU_WRITE);
    for (uint32_t c = 0; cells && c < SHIFT_COLUMNS; c++)
        memmove(&cells[c][s->lane], &cells[c][s->lane + 1], (SHIFT_LANES - 1) * sizeof cells[c][0]);
    return cells != NULL;
}

static enum emu_step run_shift(struct emu_cluster *cluster, struct emu_async *base) {
    struct shift *s = (struct shift *)base;
    struct emu_cta *own = base->warp->cta;
    bool done = shift_in(s, own) && (s->cta_group == 1 || shift_in(s, cluster->ctas[own->rank ^ 1]));
    return done ? EMU_NEXT : EMU_FAULT;
}

enum emu_step sem_tmem_shift(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    if (emu_tmem_group(w, insn, insn->mod[MOD_GROUP]) == EMU_FAULT) return EMU_FAULT;
    EMU_FOR_LANES(mask, lane) {
        uint32_t at = (uint32_t)emu_address(w, &insn->op[0], lane);
        struct shift s = {.base.pipe = emu_async_tensor_pipe(w, lane),
                          .lane = at >> 16,
                          .column = at & 0xffff,
                          .cta_group = insn->mod[MOD_GROUP]};
        if (s.lane % SHIFT_LANES)
            return emu_fault(w, insn, EMU_FAULT_ILLEGAL_INSTRUCTION, "lane %u: must be a multiple of 32",
                             s.lane);
        if (emu_async_post(w, lane, insn, run_shift, &s, sizeof s) == EMU_FAULT) return EMU_FAULT;
    }
    return EMU_NEXT;
}
