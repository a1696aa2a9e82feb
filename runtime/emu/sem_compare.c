/* sem_compare: setp and set. PTX ISA 9.1 §9.7.6.1, §9.7.6.2.
 *
 * The comparison is mod[0]: eq ne lt le gt ge lo ls hi hs for integers; eq ne lt le gt ge equ neu ltu leu gtu
 * geu num nan for floating point, where the ordered ones are false and the unordered ones true of NaN. mod[1]
 * is the boolean operation with a third predicate: and or xor. */
#include "runtime/emu/decode.h"
#include "runtime/emu/float.h"
#include "runtime/emu/lanes.h"

/* clang-format off: it takes a * b in these lists for a pointer */
/* Lanes in which a `op` b, as a mask. One loop each, so that it becomes vector compares. */
#define COLLECT(test)                                                                                        \
    do {                                                                                                     \
        uint32_t r = 0;                                                                                      \
        for (uint32_t i = 0; i < EMU_LANES; i++) { r |= (uint32_t)(test) << i; }                             \
        return r;                                                                                            \
    } while (0)

#define EMU_COMPARE_INT(T)                                                                                   \
    static uint32_t compare_##T(const S_##T *pa, const S_##T *pb, uint8_t how) {                             \
        switch (how) {                                                                                       \
        case 1: COLLECT((V_##T)pa[i] == (V_##T)pb[i]);                                                       \
        case 2: COLLECT((V_##T)pa[i] != (V_##T)pb[i]);                                                       \
        case 3:                                                                                              \
        case 7: COLLECT((V_##T)pa[i] < (V_##T)pb[i]);                                                        \
        case 4:                                                                                              \
        case 8: COLLECT((V_##T)pa[i] <= (V_##T)pb[i]);                                                       \
        case 5:                                                                                              \
        case 9: COLLECT((V_##T)pa[i] > (V_##T)pb[i]);                                                        \
        default: COLLECT((V_##T)pa[i] >= (V_##T)pb[i]);                                                      \
        }                                                                                                    \
    }
EMU_COMPARE_INT(u16)
EMU_COMPARE_INT(s16)
EMU_COMPARE_INT(u32)
EMU_COMPARE_INT(s32)
EMU_COMPARE_INT(u64)
EMU_COMPARE_INT(s64)

#define EMU_COMPARE_FLOAT(name, T)                                                                           \
    static uint32_t name(const T *pa, const T *pb, uint8_t how) {                                            \
        switch (how) {                                                                                       \
        case 1: COLLECT(pa[i] == pb[i]);                                                                     \
        case 2: COLLECT(pa[i]<pb[i] || pa[i]> pb[i]);                                                        \
        case 3: COLLECT(pa[i] < pb[i]);                                                                      \
        case 4: COLLECT(pa[i] <= pb[i]);                                                                     \
        case 5: COLLECT(pa[i] > pb[i]);                                                                      \
        case 6: COLLECT(pa[i] >= pb[i]);                                                                     \
        case 7: COLLECT(!(pa[i] < pb[i] || pa[i] > pb[i]));                                                  \
        case 8: COLLECT(pa[i] != pb[i]);                                                                     \
        case 9: COLLECT(!(pa[i] >= pb[i]));                                                                  \
        case 10: COLLECT(!(pa[i] > pb[i]));                                                                  \
        case 11: COLLECT(!(pa[i] <= pb[i]));                                                                 \
        case 12: COLLECT(!(pa[i] < pb[i]));                                                                  \
        case 13: COLLECT(pa[i] == pa[i] && pb[i] == pb[i]);                                                  \
        default: COLLECT(pa[i] != pa[i] || pb[i] != pb[i]);                                                  \
        }                                                                                                    \
    }
EMU_COMPARE_FLOAT(compare_f32, emu_lf32)
EMU_COMPARE_FLOAT(compare_f64, emu_lf64)

/* sources are op[first], op[first + 1]; .ftz is mod[2] of the f32 rows */
#define EMU_COMPARE_OPS(T)                                                                                   \
    static uint32_t test_##T(const struct emu_warp *w, const struct emu_insn *insn, uint32_t first) {        \
        return compare_##T(emu_lanes(w, &insn->op[first]), emu_lanes(w, &insn->op[first + 1]),               \
                           insn->mod[0]);                                                                    \
    }
EMU_COMPARE_OPS(u16)
EMU_COMPARE_OPS(s16)
EMU_COMPARE_OPS(u32)
EMU_COMPARE_OPS(s32)
EMU_COMPARE_OPS(u64)
EMU_COMPARE_OPS(s64)
EMU_COMPARE_OPS(f64)

static uint32_t test_f32(const struct emu_warp *w, const struct emu_insn *insn, uint32_t first) {
    const emu_lf32 *a = emu_lanes(w, &insn->op[first]), *b = emu_lanes(w, &insn->op[first + 1]);
    if (!insn->mod[2]) return compare_f32(a, b, insn->mod[0]);
    emu_lf32 fa[EMU_LANES], fb[EMU_LANES];
    EMU_LOOP(i, EMU_LANES) {
        fa[i] = emu_flushed(a[i]);
        fb[i] = emu_flushed(b[i]);
    }
    return compare_f32(fa, fb, insn->mod[0]);
}

static inline uint32_t with_third(const struct emu_warp *w, const struct emu_insn *insn, uint32_t first,
                                  uint32_t t) {
    if (!insn->mod[1]) return t;
    uint32_t c = emu_pred(w, &insn->op[first + 2]);
    return insn->mod[1] == 1 ? t & c : insn->mod[1] == 2 ? t | c : t ^ c;
}

#define EMU_SETP(T)                                                                                          \
    EMU_SEM_HEAD(sem_setp_##T) {                                                                             \
        uint32_t t = test_##T(w, insn, 2), p = with_third(w, insn, 2, t), q = with_third(w, insn, 2, ~t);    \
        emu_set_pred(w, &insn->op[0], mask, p);                                                              \
        emu_set_pred(w, &insn->op[1], mask, q);                                                              \
        return EMU_NEXT;                                                                                     \
    }
EMU_SETP(u16)
EMU_SETP(s16)
EMU_SETP(u32)
EMU_SETP(s32)
EMU_SETP(u64)
EMU_SETP(s64)
EMU_SETP(f32)
EMU_SETP(f64)

/* set: all ones, or 1.0 where the destination is .f32 (the row's last angle but one, mod[3]: 3) */
static enum emu_step set_lanes(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask, uint32_t t) {
    emu_l32 *d = emu_lanes(w, &insn->op[0]);
    uint32_t p = with_third(w, insn, 1, t), yes = insn->mod[3] == 3 ? 0x3f800000 : EMU_FULL;
    EMU_FOR_LANES(mask, i) d[i] = p >> i & 1 ? yes : 0;
    return EMU_NEXT;
}
#define EMU_SET(T)                                                                                           \
    EMU_SEM_HEAD(sem_set_##T) { return set_lanes(w, insn, mask, test_##T(w, insn, 1)); }
EMU_SET(u16)
EMU_SET(s16)
EMU_SET(u32)
EMU_SET(s32)
EMU_SET(u64)
EMU_SET(s64)
EMU_SET(f32)
EMU_SET(f64)

/* The third predicate is there exactly when a boolean operation is. */
void emu_decode_compare(struct emu_decoder *d, struct emu_insn *insn) {
    bool have = insn->op[insn->op_count - 1].kind != EMU_OP_NONE;
    if (have != (insn->mod[1] != 0))
        emu_decode_fail(d, insn, "'%s' %s", insn->source->mnemonic,
                        have ? "has a third predicate but no .and, .or or .xor" : "needs a third predicate");
}
