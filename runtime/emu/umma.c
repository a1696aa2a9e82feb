#include "runtime/emu/umma.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include "runtime/emu/tmem.h"
#include "runtime/emu/umma_math.h"

enum { A_COLUMNS = 8, PAIR = 2 }; /* one instruction's A in TMEM: 32 bytes a row, whatever the type */

/* Where the rows of one CTA's D lie (facts 4.2). The lanes fall into `groups`, each holding columns/groups
 * columns. */
struct placement {
    uint32_t rows, groups;
    bool half; /* rows in 16 lanes of each quarter, from d_lane on */
};

static struct placement placement_of(const struct emu_umma_op *op) {
    uint32_t rows = op->shape.m / op->cta_group;
    struct placement p = {.rows = rows, .groups = 1};
    if (op->weight_stationary || (op->cta_group == PAIR && rows == 64)) p.groups = EMU_UMMA_LANES / rows;
    else p.half = rows == 64;
    return p;
}

/* The row of the CTA's part of A and D that a lane holds; -1: none. */
static int row_of_lane(const struct placement *p, uint32_t first_lane, uint32_t lane) {
    if (!p->half) return (int)(lane % p->rows);
    bool used = lane % 32 / 16 == first_lane / 16;
    return used ? (int)(lane / 32 * 16 + lane % 16) : -1;
}

static bool check_scale(const struct emu_umma_op *op, char *why, size_t why_bytes) {
    const struct emu_umma *u = &op->shape;
    if (u->scale_a_id % op->scale_vector || u->scale_b_id % op->scale_vector)
        return snprintf(why, why_bytes, "scale factor ids %u and %u: %u factors a row want multiples of it",
                        u->scale_a_id, u->scale_b_id, op->scale_vector),
               false;
    bool any_type = u->kind == EMU_UMMA_MXF4NVF4 && op->scale_vector == 4;
    if (!u->scale_ue8m0 && !any_type)
        return snprintf(why, why_bytes,
                        "scale type ue4m3 (bit 23 clear) is of kind::mxf4nvf4 with scale_vec::4X only"),
               false;
    return true;
}

bool emu_umma_op_check(const struct emu_umma_op *op, char *why, size_t why_bytes) {
    if (op->scale_vector && !check_scale(op, why, why_bytes)) return false;
    const struct placement p = placement_of(op);
    const char *rule = p.half ? "0 or 16" : "0";
    bool d_legal = op->d_lane == 0 || (p.half && op->d_lane == 16);
    if (!d_legal)
        return snprintf(why, why_bytes, "D at lane %u: M = %u wants lane %s", op->d_lane, op->shape.m, rule),
               false;
    if (op->a_in_tmem && op->a_lane != op->d_lane)
        return snprintf(why, why_bytes, "A at lane %u and D at lane %u: they must agree", op->a_lane,
                        op->d_lane),
               false;
    if (!op->a_in_tmem &&
        !emu_umma_operand_legal(&op->shape, &op->a, op->shape.a_mn_major, op->shape.a, why, why_bytes))
        return false;
    return emu_umma_operand_legal(&op->shape, &op->b, op->shape.b_mn_major, op->shape.b, why, why_bytes);
}

/* ---- operands from shared memory ---- */

/* count rows (of A) or columns (of B) of one CTA as floats: K-major at out[mn * k + ...], else at out[k *
 * pitch + mn]. */
static bool load_smem(struct emu_umma_op *op, struct emu_cta *cta, const struct emu_smem_matrix *m,
                      bool mn_major, enum emu_element element, uint32_t count, float *out, uint32_t pitch) {
    uint32_t per_chunk = emu_umma_per_chunk(&op->shape, element), k = op->shape.k;
    uint32_t outer = mn_major ? k : count, chunks = (mn_major ? count : k) / per_chunk;
    for (uint32_t i = 0; i < outer; i++)
        for (uint32_t c = 0; c < chunks; c++) {
            uint32_t address =
                mn_major ? emu_smem_matrix_mn_major(m, c, i) : emu_smem_matrix_k_major(m, i, c);
            const uint8_t *chunk = emu_async_smem_of(cta, &op->base, address, 16, EMU_READ);
            if (!chunk) return false;
            emu_umma_convert(chunk, element, per_chunk,
                             out + (size_t)i * (mn_major ? pitch : k) + c * per_chunk);
        }
    return true;
}

/* ---- A ---- */

static bool load_a_smem(struct emu_umma_op *op, struct emu_cta *cta, const struct placement *p,
                        float *panel) {
    float rows[EMU_UMMA_LANES * EMU_UMMA_MAX_K];
    uint32_t k_count = op->shape.k;
    bool mn_major = op->shape.a_mn_major;
    if (!load_smem(op, cta, &op->a, mn_major, op->shape.a, p->rows, rows, p->rows)) return false;
    uint32_t by_row = mn_major ? 1 : k_count, by_k = mn_major ? p->rows : 1;
    for (uint32_t lane = 0; lane < EMU_UMMA_LANES; lane++) {
        int row = row_of_lane(p, op->d_lane, lane);
        const float *from = rows + (row < 0 ? 0 : (uint32_t)row * by_row);
        for (uint32_t k = 0; k < k_count; k++)
            panel[k * EMU_UMMA_LANES + lane] = row < 0 ? 0.0f : from[k * by_k];
    }
    return true;
}

/* Element j of a 32-bit column of A in TMEM, as bytes that the shared-memory conversions understand
 * (facts 4.3). */
static void column_to_chunk(enum emu_element element, uint32_t per_column, uint32_t word, uint8_t chunk[16]) {
    memset(chunk, 0, 16);
    if (per_column != 4 || (element != EMU_E2M1 && element != EMU_E2M3 && element != EMU_E3M2)) {
        memcpy(chunk, &word, 4);
        return;
    }
    uint32_t shift = element == EMU_E2M1 ? 2 : 1, width = element == EMU_E2M1 ? 4 : 6, packed = 0;
    for (uint32_t j = 0; j < 4; j++) packed |= (word >> (8 * j + shift) & ((1u << width) - 1)) << width * j;
    memcpy(chunk, &packed, 4);
}

static bool load_a_tmem(struct emu_umma_op *op, struct emu_cta *cta, float *panel) {
    uint32_t(*cells)[EMU_TMEM_LANES] = emu_tmem_access(cta, op->base.warp, op->base.insn, &op->base, 0,
                                                       EMU_TMEM_LANES, op->a_column, A_COLUMNS, EMU_READ);
    if (!cells) return false;
    uint32_t per_column = op->shape.k / A_COLUMNS;
    for (uint32_t c = 0; c < A_COLUMNS; c++) {
        float *to = panel + c * per_column * EMU_UMMA_LANES;
        if (op->shape.a == EMU_BF16 && !op->shift_a) { /* the frequent case, a vector at a time */
            uint32_t *bits = (uint32_t *)(void *)to;
            for (uint32_t lane = 0; lane < EMU_UMMA_LANES; lane++) {
                bits[lane] = cells[c][lane] << 16;
                bits[EMU_UMMA_LANES + lane] = cells[c][lane] & 0xffff0000;
            }
            continue;
        }
        for (uint32_t lane = 0; lane < EMU_UMMA_LANES; lane++) {
            uint8_t chunk[16];
            float values[32];
            uint32_t from = op->shift_a && lane % 32 != 31 ? lane + 1 : lane; /* .ashift: facts 3.1 */
            column_to_chunk(op->shape.a, per_column, cells[c][from], chunk);
            emu_umma_convert(chunk, op->shape.a, per_column, values);
            for (uint32_t j = 0; j < per_column; j++) to[j * EMU_UMMA_LANES + lane] = values[j];
        }
    }
    return true;
}

/* ---- B: the pair's CTAs hold half of N each ---- */

static bool load_b(struct emu_umma_op *op, struct emu_cta *const *ctas, float *panel, uint32_t *b_n,
                   uint32_t *b_k) {
    const struct emu_umma *u = &op->shape;
    uint32_t share = u->n / op->cta_group;
    *b_n = u->b_mn_major ? 1 : u->k;
    *b_k = u->b_mn_major ? u->n : 1;
    for (uint32_t c = 0; c < op->cta_group; c++)
        if (!load_smem(op, ctas[c], &op->b, u->b_mn_major, u->b, share, panel + (size_t)c * share * *b_n,
                       u->n))
            return false;
    if (op->zero_columns) emu_umma_zero_columns(op, panel, *b_n, *b_k);
    if (u->negate_a != u->negate_b)
        for (uint32_t i = 0; i < u->n * u->k; i++) panel[i] = -panel[i];
    return true;
}

/* ---- the whole instruction ---- */

static bool multiply_cta(struct emu_umma_op *op, struct emu_cta *cta, uint32_t half, const float *b,
                         uint32_t b_n, uint32_t b_k) {
    const struct placement p = placement_of(op);
    const struct emu_umma *u = &op->shape;
    float a[EMU_UMMA_MAX_K * EMU_UMMA_LANES];
    if (op->a_in_tmem ? !load_a_tmem(op, cta, a) : !load_a_smem(op, cta, &p, a)) return false;
    float scaled[EMU_UMMA_MAX_N * EMU_UMMA_MAX_K]; /* the CTAs of a pair have scale factors of their own */
    if (op->scale_vector) {
        memcpy(scaled, b, u->n * u->k * sizeof *b);
        if (!emu_umma_scale_a(op, cta, p.rows, a) || !emu_umma_scale_b(op, cta, scaled, b_n, b_k))
            return false;
        b = scaled;
    }
    uint32_t columns = u->n / p.groups, skip[4];
    memcpy(skip, op->skip + 4 * half, sizeof skip);
    for (uint32_t i = 0; i < 4 && p.half; i++) skip[i] |= op->d_lane ? 0x0000ffffu : 0xffff0000u;
    uint32_t(*d)[EMU_TMEM_LANES] = emu_tmem_access(cta, op->base.warp, op->base.insn, &op->base, 0,
                                                   EMU_TMEM_LANES, op->d_column, columns, EMU_WRITE);
    if (!d) return false;
    struct emu_umma_tile tile = {.d = d,
                                 .lanes = EMU_UMMA_LANES / p.groups,
                                 .columns = columns,
                                 .k = u->k,
                                 .a = a,
                                 .b_n = b_n,
                                 .b_k = b_k,
                                 .accumulate = op->accumulate,
                                 .f16 = u->d_f16,
                                 .scale = ldexpf(1.0f, -(int)op->scale_d),
                                 .skip = skip[0] | skip[1] | skip[2] | skip[3] ? skip : NULL};
    for (uint32_t g = 0; g < p.groups; g++) {
        tile.lane = g * tile.lanes;
        tile.b = b + (size_t)g * columns * b_n;
        if (u->kind == EMU_UMMA_I8) emu_umma_multiply_int(&tile, u->saturate);
        else emu_umma_multiply(&tile);
    }
    return true;
}

enum emu_step emu_umma_run(struct emu_cluster *cluster, struct emu_async *base) {
    struct emu_umma_op *op = (struct emu_umma_op *)base;
    struct emu_cta *own = base->warp->cta, *ctas[PAIR] = {own, NULL};
    if (op->cta_group == PAIR)
        ctas[0] = cluster->ctas[own->rank & ~1u], ctas[1] = cluster->ctas[own->rank | 1];
    float b[EMU_UMMA_MAX_N * EMU_UMMA_MAX_K];
    uint32_t b_n, b_k;
    if (!load_b(op, ctas, b, &b_n, &b_k)) return EMU_FAULT;
    for (uint32_t c = 0; c < op->cta_group; c++)
        if (!multiply_cta(op, ctas[c], c, b, b_n, b_k)) return EMU_FAULT;
    return EMU_NEXT;
}
