#include "runtime/emu/wgmma.h"

#include <stdio.h>
#include <string.h>
#include "gen/arena.h"
#include "runtime/emu/exec.h"
#include "runtime/emu/fault.h"
#include "runtime/emu/judge.h"
#include "runtime/emu/wgmma_desc.h"

enum {
    MARKS = 64,
    CHUNK = 16,
    CHUNKS = 2
}; /* one instruction's K is two chunks of shared memory, whatever the type */

struct forming { /* issued by some of the four warps */
    struct forming *next;
    const struct emu_insn *insn;
    uint64_t a, b;
    uint32_t joined, accumulate; /* a bit a warp */
    struct judge_snapshot *known; /* the judge's own */
};

struct emu_wgmma { /* of a warpgroup, in the cluster's arena */
    struct forming *oldest, *newest, *spare;
    struct forming
        *next[EMU_WARPGROUP]; /* the one that a warp issues next; NULL: none of the others has yet */
    uint64_t done;            /* how many have ended */
    struct member {
        uint64_t issued, groups, waited;                 /* waited: the first so many are known to be over */
        const struct emu_insn *recent[EMU_WGMMA_RECENT]; /* the n-th issued, at n % EMU_WGMMA_RECENT */
        uint64_t mark[MARKS]; /* what was issued when group g was committed, at g % MARKS */
    } member[EMU_WARPGROUP];
};

struct multiply {
    struct emu_async base;
    struct emu_wgmma *group;
    struct emu_smem_matrix a, b;
    uint32_t accumulate;
};

static struct emu_warp *first_of(const struct emu_warp *w) {
    return &w->cta->warps[w->index / EMU_WARPGROUP * EMU_WARPGROUP];
}

/* ---- operands from shared memory ---- */

static const uint8_t *chunk_at(struct multiply *op, uint32_t address) {
    return emu_async_smem_of(op->base.warp->cta, &op->base, address, CHUNK, EMU_READ);
}

/* A's 16 rows of warp i as the fragment that registers would hold. A row's chunk is four lanes of a register.
 */
static bool gather_a(struct multiply *op, uint32_t i, uint32_t fragment[4][EMU_LANES]) {
    for (uint32_t row = 0; row < 16; row++)
        for (uint32_t c = 0; c < CHUNKS; c++) {
            const uint8_t *chunk = chunk_at(op, emu_smem_matrix_k_major(&op->a, 16 * i + row, c));
            if (!chunk) return false;
            memcpy(&fragment[row / 8 + 2 * c][row % 8 * 4], chunk, CHUNK);
        }
    return true;
}

/* The same of 16-bit elements whose rows run along memory. */
static bool gather_a_transposed(struct multiply *op, uint32_t i, uint32_t fragment[4][EMU_LANES]) {
    for (uint32_t half = 0; half < 2; half++)
        for (uint32_t k = 0; k < 16; k++) {
            const uint8_t *chunk = chunk_at(op, emu_smem_matrix_mn_major(&op->a, 2 * i + half, k));
            if (!chunk) return false;
            uint16_t rows[8];
            memcpy(rows, chunk, CHUNK);
            for (uint32_t row = 0; row < 8; row++) {
                uint32_t *word = &fragment[half + k / 8 * 2][4 * row + k % 8 / 2];
                *word = k % 2 ? (*word & 0xffff) | (uint32_t)rows[row] << 16 : rows[row];
            }
        }
    return true;
}

/* A chunk of B along K: one column's elements, into raw[k][place]. */
static void scatter_column(const uint8_t *chunk, uint32_t bytes, uint32_t n, uint32_t *raw) {
    uint16_t half[CHUNK / 2];
    uint32_t word[CHUNK / 4];
    switch (bytes) {
    case 1:
        for (uint32_t e = 0; e < CHUNK; e++) raw[e * n] = chunk[e];
        break;
    case 2:
        memcpy(half, chunk, CHUNK);
        for (uint32_t e = 0; e < CHUNK / 2; e++) raw[e * n] = half[e];
        break;
    default:
        memcpy(word, chunk, CHUNK);
        for (uint32_t e = 0; e < CHUNK / 4; e++) raw[e * n] = word[e];
    }
}

static bool gather_b(struct multiply *op, const struct emu_mma *m, uint32_t *raw) {
    uint32_t bytes = emu_mma_bits(m->b) / 8;
    for (uint32_t column = 0; column < m->n; column++)
        for (uint32_t c = 0; c < CHUNKS; c++) {
            const uint8_t *chunk = chunk_at(op, emu_smem_matrix_k_major(&op->b, column, c));
            if (!chunk) return false;
            scatter_column(chunk, bytes, m->n, raw + c * (CHUNK / bytes) * m->n + emu_mma_place(column));
        }
    return true;
}

static bool gather_b_transposed(struct multiply *op, const struct emu_mma *m, uint32_t *raw) {
    for (uint32_t k = 0; k < m->k; k++)
        for (uint32_t j = 0; j < m->n / 8; j++) {
            const uint8_t *chunk = chunk_at(op, emu_smem_matrix_mn_major(&op->b, j, k));
            if (!chunk) return false;
            uint16_t columns[8];
            memcpy(columns, chunk, CHUNK);
            for (uint32_t e = 0; e < 8; e++) raw[k * m->n + 8 * j + emu_mma_place(e)] = columns[e];
        }
    return true;
}

/* ---- the effect ---- */

static bool load_a(struct multiply *op, const struct emu_wgmma_form *form, uint32_t i, struct emu_mma_a *a) {
    uint32_t fragment[4][EMU_LANES];
    const struct emu_warp *w = first_of(op->base.warp) + i;
    if (form->a_in_registers)
        for (uint32_t r = 0; r < 4; r++)
            memcpy(fragment[r], emu_lanes(w, &op->base.insn->op[1].elems[r]), EMU_SLOT_BYTES);
    else if (form->a_mn_major ? !gather_a_transposed(op, i, fragment) : !gather_a(op, i, fragment))
        return false;
    emu_mma_load_a(a, &form->mma, (const uint32_t(*)[EMU_LANES])fragment, form->negate_a);
    return true;
}

static enum emu_step run(struct emu_cluster *cluster, struct emu_async *base) {
    struct multiply *op = (struct multiply *)base;
    const struct emu_wgmma_form *form = base->insn->extra;
    const struct emu_opnd *vector = &base->insn->op[0];
    uint32_t raw[EMU_MMA_MAX_K * EMU_MMA_MAX_N], *d[EMU_MMA_MAX_N / 2];
    struct emu_mma_a a;
    struct emu_mma_b b;
    if (form->b_mn_major ? !gather_b_transposed(op, &form->mma, raw) : !gather_b(op, &form->mma, raw))
        return EMU_FAULT;
    emu_mma_load_b_raw(&b, &form->mma, raw, form->negate_b);
    for (uint32_t i = 0; i < EMU_WARPGROUP; i++) {
        if (!load_a(op, form, i, &a)) return EMU_FAULT;
        for (uint32_t r = 0; r < vector->count; r++)
            d[r] = emu_lanes(first_of(base->warp) + i, &vector->elems[r]);
        bool accumulate = op->accumulate >> i & 1;
        emu_mma_multiply(&form->mma, &a, &b, accumulate ? (const uint32_t *const *)d : NULL, d);
    }
    op->group->done++;
    emu_notify(cluster);
    return EMU_NEXT;
}

/* ---- issue ---- */

static struct emu_wgmma *group_of(struct emu_warp *w, const struct emu_insn *insn) {
    struct emu_warp *first = first_of(w);
    if (first->wgmma) return first->wgmma;
    if ((w->index | (EMU_WARPGROUP - 1)) >= w->cta->warp_count) {
        emu_fault(w, insn, EMU_FAULT_ILLEGAL_INSTRUCTION,
                  "warps %u to %u are no warpgroup: the CTA has %u warps", first->index,
                  w->cta->warp_count - 1, w->cta->warp_count);
        return NULL;
    }
    first->wgmma = wl_arena_alloc(w->cta->cluster->arena, sizeof *first->wgmma);
    if (first->wgmma) memset(first->wgmma, 0, sizeof *first->wgmma);
    else emu_fault(w, insn, EMU_FAULT_NO_MEMORY, "no memory for a warpgroup");
    return first->wgmma;
}

/* The entry that this warp joins: the one that another warp has begun, or a new one. */
static struct forming *join(struct emu_wgmma *g, struct emu_warp *w, const struct emu_insn *insn) {
    uint32_t i = w->index % EMU_WARPGROUP;
    struct forming *f = g->next[i];
    if (f) {
        g->next[i] = f->next;
        return f;
    }
    f = g->spare;
    if (f) g->spare = f->next;
    else f = wl_arena_alloc(w->cta->cluster->arena, sizeof *f);
    if (!f) {
        emu_fault(w, insn, EMU_FAULT_NO_MEMORY, "no memory for a wgmma");
        return NULL;
    }
    *f = (struct forming){.insn = insn};
    if (g->newest) g->newest->next = f;
    else g->oldest = f;
    g->newest = f;
    for (uint32_t other = 0; other < EMU_WARPGROUP; other++)
        if (other != i && !g->next[other]) g->next[other] = f;
    return f;
}

static enum emu_step begin(struct emu_wgmma *g, struct emu_warp *w, struct forming *f) {
    const struct emu_wgmma_form *form = f->insn->extra;
    struct multiply op = {.group = g, .accumulate = f->accumulate};
    char why[192];
    op.base.pipe = 3ull << 61 | (uint64_t)w->cta->rank << 32 | first_of(w)->index;
    if ((!form->a_in_registers && !emu_wgmma_matrix_decode(&op.a, f->a, why, sizeof why)) ||
        !emu_wgmma_matrix_decode(&op.b, f->b, why, sizeof why))
        return emu_fault(w, f->insn, EMU_FAULT_ILLEGAL_INSTRUCTION, "%s", why);
    if (w->judge) emu_judge_wgmma_begins(w, f->known);
    g->oldest = f->next;
    if (!g->oldest) g->newest = NULL;
    f->next = g->spare;
    g->spare = f;
    return emu_async_post(w, 0, f->insn, run, &op, sizeof op);
}

/* What the four warps must agree on. */
static enum emu_step agree(const struct forming *f, struct emu_warp *w, const struct emu_insn *insn,
                           uint64_t a, uint64_t b) {
    if (f->insn != insn)
        return emu_fault(w, insn, EMU_FAULT_ILLEGAL_INSTRUCTION,
                         "another warp of the warpgroup has issued the wgmma of PTX line %u instead",
                         f->insn->source->pos.line);
    if (f->a != a || f->b != b)
        return emu_fault(w, insn, EMU_FAULT_ILLEGAL_INSTRUCTION,
                         "matrix descriptor 0x%016llx, but another warp of the warpgroup gave 0x%016llx",
                         (unsigned long long)(f->a != a ? a : b),
                         (unsigned long long)(f->a != a ? f->a : f->b));
    return EMU_NEXT;
}

enum emu_step emu_wgmma_issue(struct emu_warp *w, const struct emu_insn *insn, uint64_t a, uint64_t b,
                              bool accumulate) {
    struct emu_wgmma *g = group_of(w, insn);
    struct forming *f = g ? join(g, w, insn) : NULL;
    if (!f) return EMU_FAULT;
    uint32_t i = w->index % EMU_WARPGROUP;
    if (w->judge) emu_judge_wgmma_issue(w, &f->known);
    if (!f->joined) f->a = a, f->b = b;
    else if (agree(f, w, insn, a, b) == EMU_FAULT) return EMU_FAULT;
    f->joined |= 1u << i;
    f->accumulate |= (uint32_t)accumulate << i;
    g->member[i].recent[g->member[i].issued++ % EMU_WGMMA_RECENT] = insn;
    return f->joined == (1u << EMU_WARPGROUP) - 1 ? begin(g, w, f) : EMU_NEXT;
}

/* ---- groups ---- */

enum emu_step emu_wgmma_commit(struct emu_warp *w, const struct emu_insn *insn) {
    struct emu_wgmma *g = group_of(w, insn);
    if (!g) return EMU_FAULT;
    struct member *m = &g->member[w->index % EMU_WARPGROUP];
    m->mark[m->groups++ % MARKS] = m->issued;
    return EMU_NEXT;
}

bool emu_wgmma_idle(const struct emu_warp *w) {
    const struct emu_wgmma *g = first_of(w)->wgmma;
    return !g || g->done >= g->member[w->index % EMU_WARPGROUP].issued;
}

bool emu_wgmma_reached(const struct emu_warp *w, uint64_t pending) {
    const struct emu_wgmma *g = first_of(w)->wgmma;
    const struct member *m = g ? &g->member[w->index % EMU_WARPGROUP] : NULL;
    if (!m || m->groups <= pending) return true;
    if (pending >= MARKS) pending = MARKS - 1; /* waits for more than it must */
    return g->done >= m->mark[(m->groups - 1 - pending) % MARKS];
}

void emu_wgmma_waited(struct emu_warp *w, uint64_t pending) {
    struct emu_wgmma *g = first_of(w)->wgmma;
    struct member *m = g ? &g->member[w->index % EMU_WARPGROUP] : NULL;
    if (!m || m->groups <= pending || pending >= MARKS) return;
    uint64_t over = m->mark[(m->groups - 1 - pending) % MARKS];
    if (over > m->waited) m->waited = over;
}

uint32_t emu_wgmma_unwaited(const struct emu_warp *w, const struct emu_insn *pending[EMU_WGMMA_RECENT]) {
    const struct emu_wgmma *g = first_of(w)->wgmma;
    const struct member *m = g ? &g->member[w->index % EMU_WARPGROUP] : NULL;
    uint32_t count = 0;
    if (!m) return 0;
    for (uint64_t n = m->issued; n > m->waited && count < EMU_WGMMA_RECENT; n--)
        pending[count++] = m->recent[(n - 1) % EMU_WGMMA_RECENT];
    return count;
}

/* ---- reports ---- */

void emu_wgmma_describe(const struct emu_warp *w, char *out, size_t out_bytes) {
    const struct emu_wgmma *g = first_of(w)->wgmma;
    const struct forming *f = g ? g->oldest : NULL;
    *out = '\0';
    if (!f || !(f->joined >> w->index % EMU_WARPGROUP & 1)) return;
    int n = snprintf(out, out_bytes, "the wgmma of PTX line %u has yet to be issued by",
                     f->insn->source->pos.line);
    for (uint32_t i = 0; i < EMU_WARPGROUP && n > 0 && (size_t)n < out_bytes; i++)
        if (!(f->joined >> i & 1))
            n += snprintf(out + n, out_bytes - (size_t)n, " warp %u", first_of(w)->index + i);
}

enum emu_step emu_wgmma_cta_end(struct emu_cta *cta, struct emu_warp *last) {
    for (uint32_t i = 0; i < cta->warp_count; i += EMU_WARPGROUP) {
        const struct emu_wgmma *g = cta->warps[i].wgmma;
        if (!g || !g->oldest) continue;
        char text[160];
        emu_wgmma_describe(&cta->warps[i + (uint32_t)__builtin_ctz(g->oldest->joined)], text, sizeof text);
        return emu_fault(last, g->oldest->insn, EMU_FAULT_ILLEGAL_INSTRUCTION, "the CTA has ended, but %s",
                         text);
    }
    return EMU_NEXT;
}
