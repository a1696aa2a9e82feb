/* sem_warp: what the lanes of a warp do together: vote, shuffle, match, reduce, elect. PTX ISA 9.1 §9.7.13.8
 * to .14, §9.7.9.6. mask: the lanes that one membermask names, all of them here. */
#include "runtime/emu/lanes.h"
#include "runtime/emu/float.h"

EMU_SEM_HEAD(sem_bar_warp_sync) {
    (void)w, (void)insn, (void)mask;
    return EMU_NEXT;
}

EMU_SEM_HEAD(sem_activemask) {
    EMU_FOR_LANES(mask, i) emu_set_lane32(w, &insn->op[0], i, mask);
    return EMU_NEXT;
}

/* The lowest lane of the mask (facts 9: in every case tried). */
EMU_SEM_HEAD(sem_elect) {
    uint32_t leader = (uint32_t)__builtin_ctz(mask);
    if (insn->op[0].kind == EMU_OP_LANES) EMU_FOR_LANES(mask, i) emu_set_lane32(w, &insn->op[0], i, leader);
    emu_set_pred(w, &insn->op[1], mask, 1u << leader);
    return EMU_NEXT;
}

EMU_SEM_HEAD(sem_vote) { /* mod[0]: all any uni */
    uint32_t p = emu_pred(w, &insn->op[1]) & mask;
    bool all = p == mask, holds = insn->mod[0] == 1 ? all : insn->mod[0] == 2 ? p != 0 : all || p == 0;
    emu_set_pred(w, &insn->op[0], mask, holds ? EMU_FULL : 0);
    return EMU_NEXT;
}

EMU_SEM_HEAD(sem_vote_ballot) {
    uint32_t p = emu_pred(w, &insn->op[1]) & mask;
    EMU_FOR_LANES(mask, i) emu_set_lane32(w, &insn->op[0], i, p);
    return EMU_NEXT;
}

/* d|p, a, b, c, membermask; mod[0]: up down bfly idx. A lane that does not take part gives 0 (facts 9). */
EMU_SEM_HEAD(sem_shfl) {
    uint32_t source[EMU_LANES], valid = 0;
    emu_l32 *d = emu_lanes(w, &insn->op[0]);
    EMU_SOURCE(pa, u32, 2)
    EMU_SOURCE(pb, u32, 3) EMU_SOURCE(pc, u32, 4) for (uint32_t k = 0; k < EMU_LANES; k++) source[k] =
        mask >> k & 1 ? pa[k] : 0;
    EMU_FOR_LANES(mask, i) {
        uint32_t b = pb[i] & 31, clamp = pc[i] & 31, segment = pc[i] >> 8 & 31;
        int32_t max = (int32_t)((i & segment) | (clamp & ~segment & 31)), min = (int32_t)(i & segment), j;
        bool in;
        switch (insn->mod[0]) {
        case 1: j = (int32_t)i - (int32_t)b, in = j >= max; break;
        case 2: j = (int32_t)(i + b), in = j <= max; break;
        case 3: j = (int32_t)(i ^ b), in = j <= max; break;
        default: j = min | (int32_t)(b & ~segment & 31), in = j <= max; break;
        }
        d[i] = source[in ? j : (int32_t)i];
        valid |= (uint32_t)in << i;
    }
    emu_set_pred(w, &insn->op[1], mask, valid);
    return EMU_NEXT;
}

/* ---- match ---- */

static uint32_t equal_lanes(const struct emu_warp *w, const struct emu_opnd *a, uint32_t lane,
                            uint32_t mask) {
    uint64_t v = emu_lane(w, a, lane);
    uint32_t same = 0;
    EMU_FOR_LANES(mask, k) same |= (uint32_t)(emu_lane(w, a, k) == v) << k;
    return same;
}

EMU_SEM_HEAD(sem_match_any) {
    uint32_t t[EMU_LANES];
    EMU_FOR_LANES(mask, i) t[i] = equal_lanes(w, &insn->op[1], i, mask);
    EMU_FOR_LANES(mask, i) emu_set_lane32(w, &insn->op[0], i, t[i]);
    return EMU_NEXT;
}

EMU_SEM_HEAD(sem_match_all) { /* d|p, a, membermask */
    bool all = equal_lanes(w, &insn->op[2], (uint32_t)__builtin_ctz(mask), mask) == mask;
    EMU_FOR_LANES(mask, i) emu_set_lane32(w, &insn->op[0], i, all ? mask : 0);
    emu_set_pred(w, &insn->op[1], mask, all ? EMU_FULL : 0);
    return EMU_NEXT;
}

/* ---- redux ---- */

#define EMU_REDUX(name, T, start, step)                                                                      \
    EMU_SEM_HEAD(name) {                                                                                     \
        EMU_SOURCE(pa, T, 1)                                                                                 \
        V_##T r = start;                                                                                     \
        EMU_FOR_LANES(mask, i) {                                                                             \
            const V_##T a = (V_##T)pa[i];                                                                    \
            r = step;                                                                                        \
        }                                                                                                    \
        EMU_FOR_LANES(mask, i) emu_set_lane32(w, &insn->op[0], i, (uint32_t)r);                              \
        return EMU_NEXT;                                                                                     \
    }
EMU_REDUX(sem_redux_add, u32, 0, r + a)
EMU_REDUX(sem_redux_min_u32, u32, UINT32_MAX, a < r ? a : r)
EMU_REDUX(sem_redux_max_u32, u32, 0, a > r ? a : r)
EMU_REDUX(sem_redux_min_s32, s32, INT32_MAX, a < r ? a : r)
EMU_REDUX(sem_redux_max_s32, s32, INT32_MIN, a > r ? a : r)
EMU_REDUX(sem_redux_and, u32, EMU_FULL, r &a)
EMU_REDUX(sem_redux_or, u32, 0, r | a)
EMU_REDUX(sem_redux_xor, u32, 0, r ^ a)

EMU_SEM_HEAD(sem_redux_f32) { /* <min|max>{.abs}{.NaN}: NaN is dropped, unless .NaN */
    EMU_SOURCE(pa, u32, 1)
    uint32_t r = EMU_NAN32;
    bool max = insn->mod[0] == 2, nan_seen = false;
    EMU_FOR_LANES(mask, i) {
        uint32_t a = insn->mod[1] ? pa[i] & 0x7fffffff : pa[i];
        float x = emu_f32_of_bits(a), y = emu_f32_of_bits(r);
        if (x != x) nan_seen = true;
        else if (y != y || (max ? x > y : x < y) || (x == y && (a >> 31) == (uint32_t)!max)) r = a;
    }
    if (nan_seen && insn->mod[2]) r = EMU_NAN32;
    EMU_FOR_LANES(mask, i) emu_set_lane32(w, &insn->op[0], i, r);
    return EMU_NEXT;
}
