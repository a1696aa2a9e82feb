/* tcgen05.ld, st, wait and fence: tensor memory to registers and back. PTX ISA 9.1 §9.7.16.8, §9.7.16.11.
 *
 * A load delivers its registers at once (hardware orders their use by the register dependence); that it has
 * not been waited for is remembered. A store is an asynchronous effect: nothing but tcgen05.wait::st orders
 * it, not even a later ld or st of the same warp (§9.7.16.6.2 has no such pair). */
#include <string.h>
#include "runtime/emu/decode.h"
#include "runtime/emu/fault.h"
#include "runtime/emu/judge.h"
#include "runtime/emu/operand.h"
#include "runtime/emu/tmem.h"

enum shape { S16x64, S16x128, S16x256, S32x32, S16x32x2 };

static const struct {
    const char *name;
    uint8_t registers, columns, lanes;
} shapes[] = {
    /* of .x1 */
    /* clang-format off */
    [S16x64]   = {"16x64b",   1, 2, 16}, [S16x128] = {"16x128b", 2, 4, 16}, [S16x256] = {"16x256b", 4, 8, 16},
    [S32x32]   = {"32x32b",   1, 1, 32}, [S16x32x2] = {"16x32bx2", 1, 1, 16},
    /* clang-format on */
};

struct access { /* insn->extra */
    enum shape shape;
    uint32_t registers, columns; /* columns: of one half, for 16x32bx2 */
    uint32_t split;              /* 16x32bx2: the second half's distance in columns */
    bool packed;                 /* two 16-bit columns a register */
};

/* Where register r of thread l lies, relative to the address (facts 4.5). Packed: in pairs of columns. */
static inline void cell_of(enum shape shape, uint32_t r, uint32_t l, uint32_t *lane, uint32_t *column) {
    switch (shape) {
    case S32x32: *lane = l, *column = r; break;
    case S16x64: *lane = l / 4 + 8 * (l % 2), *column = l / 2 % 2 + 2 * r; break;
    case S16x128: *lane = l / 4 + 8 * (r % 2), *column = l % 4 + 4 * (r / 2); break;
    case S16x256: *lane = l / 4 + 8 * (r / 2 % 2), *column = 2 * (l % 4) + r % 2 + 8 * (r / 4); break;
    default: *lane = l % 16, *column = r; break;
    }
}

static void decode(struct emu_decoder *d, struct emu_insn *insn, const struct emu_opnd *vector,
                   const struct emu_opnd *split) {
    struct access *a = emu_decode_alloc(d, sizeof *a);
    bool halves = split != NULL;
    uint32_t num = 1u << (insn->mod[halves ? 0 : 1] - 1);
    a->shape = halves ? S16x32x2 : (enum shape)(insn->mod[0] - 1);
    a->packed = insn->mod[halves ? 1 : 2];
    a->registers = num * shapes[a->shape].registers;
    a->columns = num * shapes[a->shape].columns << a->packed;
    a->split = halves ? (uint32_t)split->imm : 0;
    if (a->registers > 128)
        emu_decode_fail(d, insn, "%s.x%u would take %u registers, 128 are legal", shapes[a->shape].name, num,
                        a->registers);
    if (vector->count != a->registers)
        emu_decode_fail(d, insn, "%s.x%u takes %u registers, here are %u", shapes[a->shape].name, num,
                        a->registers, vector->count);
    insn->extra = a;
}
void emu_decode_tmem_ld(struct emu_decoder *d, struct emu_insn *insn) { decode(d, insn, &insn->op[0], NULL); }
void emu_decode_tmem_ld_halves(struct emu_decoder *d, struct emu_insn *insn) {
    decode(d, insn, &insn->op[0], &insn->op[2]);
}
void emu_decode_tmem_st(struct emu_decoder *d, struct emu_insn *insn) { decode(d, insn, &insn->op[1], NULL); }
void emu_decode_tmem_st_halves(struct emu_decoder *d, struct emu_insn *insn) {
    decode(d, insn, &insn->op[2], &insn->op[1]);
}

/* The address, once all lanes agree on it and it is in the warp's quarter. */
static enum emu_step address_of(struct emu_warp *w, const struct emu_insn *insn, const struct emu_opnd *o,
                                uint32_t mask, uint32_t *lane, uint32_t *column) {
    const struct access *a = insn->extra;
    uint64_t address;
    if (mask != EMU_FULL)
        return emu_fault(w, insn, EMU_FAULT_ILLEGAL_INSTRUCTION,
                         "lanes 0x%08x execute this; it needs all 32 lanes of the warp", mask);
    if (!emu_uniform(w, o, mask, &address))
        return emu_fault(w, insn, EMU_FAULT_ILLEGAL_INSTRUCTION,
                         "the lanes disagree on the tensor memory address");
    *lane = (uint32_t)address >> 16, *column = address & 0xffff;
    uint32_t quarter = w->index % 4 * 32;
    bool legal = *lane == quarter || (shapes[a->shape].lanes == 16 && *lane == quarter + 16);
    if (legal) return EMU_NEXT;
    return emu_fault(w, insn, EMU_FAULT_LAUNCH_FAILED,
                     "%s access at lane %u: warp %u of the CTA reaches lanes %u to %u, from lane %u%s",
                     shapes[a->shape].name, *lane, w->index, quarter, quarter + 31, quarter,
                     shapes[a->shape].lanes == 16 ? " or 16 above" : "");
}

/* The columns of the first half (all, for other shapes) and of the second. */
static enum emu_step open_cells(struct emu_warp *w, const struct emu_insn *insn, struct emu_async *op,
                                uint32_t lane, uint32_t column, enum emu_access access,
                                uint32_t (*half[2])[EMU_TMEM_LANES]) {
    const struct access *a = insn->extra;
    uint32_t lanes = shapes[a->shape].lanes;
    half[0] = emu_tmem_access(w->cta, w, insn, op, lane, lanes, column, a->columns, access);
    half[1] = half[0];
    if (half[0] && a->shape == S16x32x2)
        half[1] = emu_tmem_access(w->cta, w, insn, op, lane, lanes, column + a->split, a->columns, access);
    return half[0] && half[1] ? EMU_NEXT : EMU_FAULT;
}

static enum emu_step load(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    const struct access *a = insn->extra;
    uint32_t base, first, lane, column, (*half[2])[EMU_TMEM_LANES];
    struct emu_tmem_port *port = emu_tmem_port_get(w, insn);
    if (!port || address_of(w, insn, &insn->op[1], mask, &base, &first) == EMU_FAULT ||
        open_cells(w, insn, NULL, base, first, EMU_READ, half) == EMU_FAULT)
        return EMU_FAULT;
    port->loads++;
    for (uint32_t r = 0; r < a->registers; r++) {
        const struct emu_opnd *o = &insn->op[0].elems[r];
        if (o->kind != EMU_OP_LANES) continue;
        uint32_t *d = emu_lanes(w, o);
        if (a->shape == S32x32 && !a->packed) {
            memcpy(d, &half[0][r][base], EMU_SLOT_BYTES);
            continue;
        }
        for (uint32_t l = 0; l < EMU_LANES; l++) {
            cell_of(a->shape, r, l, &lane, &column);
            uint32_t(*cells)[EMU_TMEM_LANES] = half[l / 16];
            if (a->packed)
                d[l] = (cells[2 * column][base + lane] & 0xffff) | cells[2 * column + 1][base + lane] << 16;
            else d[l] = cells[column][base + lane];
        }
    }
    return EMU_NEXT;
}

enum emu_step sem_tmem_ld(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    return load(w, insn, mask);
}
enum emu_step sem_tmem_ld_halves(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    return load(w, insn, mask);
}

struct tmem_store {
    struct emu_async base;
    uint32_t lane, column;
    uint32_t value[][EMU_LANES]; /* by register */
};

static enum emu_step run_store(struct emu_cluster *cluster, struct emu_async *op) {
    struct tmem_store *s = (struct tmem_store *)op;
    const struct access *a = op->insn->extra;
    uint32_t lane, column, (*half[2])[EMU_TMEM_LANES];
    if (open_cells(op->warp, op->insn, op, s->lane, s->column, EMU_WRITE, half) == EMU_FAULT)
        return EMU_FAULT;
    for (uint32_t r = 0; r < a->registers; r++) {
        if (a->shape == S32x32 && !a->packed) {
            memcpy(&half[0][r][s->lane], s->value[r], EMU_SLOT_BYTES);
            continue;
        }
        for (uint32_t l = 0; l < EMU_LANES; l++) {
            uint32_t(*cells)[EMU_TMEM_LANES] = half[l / 16], v = s->value[r][l];
            cell_of(a->shape, r, l, &lane, &column);
            if (!a->packed) cells[column][s->lane + lane] = v;
            else
                cells[2 * column][s->lane + lane] = v & 0xffff,
                                            cells[2 * column + 1][s->lane + lane] = v >> 16;
        }
    }
    if (--op->warp->tmem->stores == 0) emu_notify(cluster);
    return EMU_NEXT;
}

static enum emu_step store(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask,
                           const struct emu_opnd *from) {
    const struct access *a = insn->extra;
    struct emu_tmem_port *port = emu_tmem_port_get(w, insn);
    uint32_t lane, column, (*half[2])[EMU_TMEM_LANES];
    if (!port || address_of(w, insn, &insn->op[0], mask, &lane, &column) == EMU_FAULT ||
        open_cells(w, insn, NULL, lane, column, EMU_WRITE, half) == EMU_FAULT)
        return EMU_FAULT;
    uint32_t bytes = (uint32_t)(sizeof(struct tmem_store) + a->registers * sizeof(uint32_t[EMU_LANES]));
    struct tmem_store *s = emu_async_new(w, 0, insn, run_store, bytes);
    if (!s) return EMU_FAULT;
    s->lane = lane, s->column = column;
    for (uint32_t r = 0; r < a->registers; r++)
        memcpy(s->value[r], emu_lanes(w, &from->elems[r]), EMU_SLOT_BYTES);
    port->stores++;
    return emu_async_issue(w->cta->cluster, &s->base);
}

enum emu_step sem_tmem_st(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    return store(w, insn, mask, &insn->op[1]);
}
enum emu_step sem_tmem_st_halves(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    return store(w, insn, mask, &insn->op[2]);
}

enum emu_step sem_tmem_wait_ld(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    (void)insn, (void)mask;
    if (w->judge) emu_judge_tmem_wait(w, true);
    if (w->tmem) w->tmem->loads = 0;
    return EMU_NEXT;
}

enum emu_step sem_tmem_wait_st(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    (void)insn, (void)mask;
    if (w->tmem && w->tmem->stores) return emu_wait(w, EMU_WAIT_OTHER, 0, w->tmem->stores);
    if (w->judge) emu_judge_tmem_wait(w, false);
    return EMU_NEXT;
}

/* They order tcgen05 operations of one thread around others' synchronisation; effects here are ordered by
 * their waits. */
enum emu_step sem_tmem_fence(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    (void)mask;
    if (w->judge) emu_judge_tcgen05_fence(w, insn->mod[0] == 1);
    return EMU_NEXT;
}
