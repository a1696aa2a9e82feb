/* sem_bits: logic, shifts and bit fields. PTX ISA 9.1 §9.7.1.14 to .22, §9.7.8, §9.7.9.7. */
#include "runtime/emu/lanes.h"

/* clang-format off: it takes a * b in these lists for a pointer */
/* ---- and, or, xor, not, cnot ---- */

EMU_SEM2(sem_and_b32, u32, u32, u32, a &b)
EMU_SEM2(sem_and_b64, u64, u64, u64, a &b)
EMU_SEM2(sem_or_b32, u32, u32, u32, a | b)
EMU_SEM2(sem_or_b64, u64, u64, u64, a | b)
EMU_SEM2(sem_xor_b32, u32, u32, u32, a ^ b)
EMU_SEM2(sem_xor_b64, u64, u64, u64, a ^ b)
EMU_SEM1(sem_not_b16, u16, u16, ~a)
EMU_SEM1(sem_not_b32, u32, u32, ~a)
EMU_SEM1(sem_not_b64, u64, u64, ~a)
EMU_SEM1(sem_cnot_b32, u32, u32, a == 0)
EMU_SEM1(sem_cnot_b64, u64, u64, a == 0)

static enum emu_step set_pred(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask,
                              uint32_t value) {
    emu_set_pred(w, &insn->op[0], mask, value);
    return EMU_NEXT;
}
#define EMU_SEM_PRED(name, expr)                                                                             \
    enum emu_step name(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {                     \
        uint32_t a = emu_pred(w, &insn->op[1]), b = insn->op_count > 2 ? emu_pred(w, &insn->op[2]) : 0;      \
        (void)b;                                                                                             \
        return set_pred(w, insn, mask, expr);                                                                \
    }
EMU_SEM_PRED(sem_and_pred, a &b)
EMU_SEM_PRED(sem_or_pred, a | b)
EMU_SEM_PRED(sem_xor_pred, a ^ b)
EMU_SEM_PRED(sem_not_pred, ~a)
EMU_SEM_PRED(sem_mov_pred, a)

/* ---- lop3 ---- */

/* bit by bit: table bit 4a + 2b + c */
static inline uint32_t lop3(uint32_t a, uint32_t b, uint32_t c, const uint32_t on[8]) {
    return (~a & ~b & ~c & on[0]) | (~a & ~b & c & on[1]) | (~a & b & ~c & on[2]) | (~a & b & c & on[3]) |
           (a & ~b & ~c & on[4]) | (a & ~b & c & on[5]) | (a & b & ~c & on[6]) | (a & b & c & on[7]);
}

static void table_bits(const struct emu_opnd *o, uint32_t on[8]) {
    for (int k = 0; k < 8; k++) on[k] = o->imm >> k & 1 ? EMU_FULL : 0;
}
#define TABLE                                                                                                \
    uint32_t on[8];                                                                                          \
    table_bits(&insn->op[4], on)
EMU_SEM3_WITH(sem_lop3, TABLE, u32, u32, u32, u32, lop3(a, b, c, on))

/* d|p, a, b, c, table, q */
EMU_SEM_HEAD(sem_lop3_pred) {
    uint32_t on[8], q = emu_pred(w, &insn->op[6]), nonzero = 0;
    table_bits(&insn->op[5], on);
    emu_l32 *d = emu_lanes(w, &insn->op[0]);
    EMU_SOURCE(pa, u32, 2) EMU_SOURCE(pb, u32, 3) EMU_SOURCE(pc, u32, 4) EMU_FOR_LANES(mask, i) {
        uint32_t v = lop3(pa[i], pb[i], pc[i], on);
        d[i] = v;
        nonzero |= (uint32_t)(v != 0) << i;
    }
    emu_set_pred(w, &insn->op[1], mask, insn->mod[0] == 1 ? nonzero | q : nonzero & q);
    return EMU_NEXT;
}

/* ---- shifts: amounts beyond the width shift everything out ---- */

EMU_SEM2(sem_shl_b16, u16, u16, u32, b > 15 ? 0u : (uint32_t)a << b)
EMU_SEM2(sem_shl_b32, u32, u32, u32, b > 31 ? 0 : a << (b & 31))
EMU_SEM2(sem_shl_b64, u64, u64, u32, b > 63 ? 0 : a << (b & 63))
EMU_SEM2(sem_shr_u16, u16, u16, u32, b > 15 ? 0 : a >> b)
EMU_SEM2(sem_shr_u32, u32, u32, u32, b > 31 ? 0 : a >> (b & 31))
EMU_SEM2(sem_shr_u64, u64, u64, u32, b > 63 ? 0 : a >> (b & 63))
EMU_SEM2(sem_shr_s16, s16, s16, u32, a >> (b > 15 ? 15 : b))
EMU_SEM2(sem_shr_s32, s32, s32, u32, a >> (b > 31 ? 31 : b))
EMU_SEM2(sem_shr_s64, s64, s64, u32, a >> (b > 63 ? 63 : b))

/* funnel: b:a shifted, the upper half of a left shift, the lower of a right shift */
static inline uint64_t funnel(uint32_t a, uint32_t b) { return (uint64_t)b << 32 | a; }
EMU_SEM3(sem_shf_l_clamp, u32, u32, u32, u32, c > 31 ? a : funnel(a, b) << (c & 31) >> 32)
EMU_SEM3(sem_shf_l_wrap, u32, u32, u32, u32, funnel(a, b) << (c & 31) >> 32)
EMU_SEM3(sem_shf_r_clamp, u32, u32, u32, u32, c > 31 ? b : funnel(a, b) >> (c & 31))
EMU_SEM3(sem_shf_r_wrap, u32, u32, u32, u32, funnel(a, b) >> (c & 31))

/* ---- counting and finding ---- */

EMU_SEM1(sem_popc_b32, u32, u32, __builtin_popcount(a))
EMU_SEM1(sem_popc_b64, u32, u64, __builtin_popcountll(a))
EMU_SEM1(sem_clz_b32, u32, u32, a ? __builtin_clz(a) : 32)
EMU_SEM1(sem_clz_b64, u32, u64, a ? __builtin_clzll(a) : 64)

static inline uint32_t found(uint64_t v, uint32_t msb, bool shift) {
    uint32_t at = v ? 63 - (uint32_t)__builtin_clzll(v) : UINT32_MAX;
    return v && shift ? msb - at : at;
}
#define SHIFT const bool shift = insn->mod[0]
EMU_SEM1_WITH(sem_bfind_u32, SHIFT, u32, u32, found(a, 31, shift))
EMU_SEM1_WITH(sem_bfind_u64, SHIFT, u32, u64, found(a, 63, shift))
EMU_SEM1_WITH(sem_bfind_s32, SHIFT, u32, s32, found((uint32_t)(a < 0 ? ~a : a), 31, shift))
EMU_SEM1_WITH(sem_bfind_s64, SHIFT, u32, s64, found((uint64_t)(a < 0 ? ~a : a), 63, shift))

static inline uint32_t nth_set(uint32_t bits, uint32_t base, int32_t offset) {
    if (base > 31) return UINT32_MAX;
    if (offset == 0) return bits >> base & 1 ? base : UINT32_MAX;
    uint32_t count = offset > 0 ? (uint32_t)offset : 0 - (uint32_t)offset;
    for (int32_t at = (int32_t)base; at >= 0 && at<32; at += offset> 0 ? 1 : -1)
        if (bits >> at & 1 && --count == 0) return (uint32_t)at;
    return UINT32_MAX;
}
EMU_SEM3(sem_fns, u32, u32, u32, s32, nth_set(a, b, c))

static inline uint32_t reversed(uint32_t v) {
    v = (v >> 1 & 0x55555555) | (v & 0x55555555) << 1;
    v = (v >> 2 & 0x33333333) | (v & 0x33333333) << 2;
    v = (v >> 4 & 0x0f0f0f0f) | (v & 0x0f0f0f0f) << 4;
    return __builtin_bswap32(v);
}
EMU_SEM1(sem_brev_b32, u32, u32, reversed(a))
EMU_SEM1(sem_brev_b64, u64, u64, (uint64_t)reversed((uint32_t)a) << 32 | reversed((uint32_t)(a >> 32)))

/* ---- bit fields: position and length are 0 to 255. Beyond, the machine takes the low eight bits in 32-bit
 * forms and all of them in 64-bit forms [captured on an H200] ---- */

static inline uint64_t low_bits(uint32_t length) { return length > 63 ? UINT64_MAX : (1ull << length) - 1; }

static inline uint64_t extract(uint64_t a, uint32_t position, uint32_t length, uint32_t msb, bool is_signed) {
    uint32_t room = position > msb ? 0 : msb - position + 1, valid = room < length ? room : length;
    uint64_t field = position > msb ? 0 : a >> position & low_bits(length);
    bool negative = is_signed && length && a >> (length > room ? msb : position + length - 1) & 1;
    return negative ? field | ~low_bits(valid) : field;
}
EMU_SEM3(sem_bfe_u32, u32, u32, u32, u32, extract(a, b & 255, c & 255, 31, false))
EMU_SEM3(sem_bfe_u64, u64, u64, u32, u32, extract(a, b, c, 63, false))
EMU_SEM3(sem_bfe_s32, u32, u32, u32, u32, extract(a, b & 255, c & 255, 31, true))
EMU_SEM3(sem_bfe_s64, u64, u64, u32, u32, extract(a, b, c, 63, true))

static inline uint64_t insert(uint64_t a, uint64_t b, uint32_t position, uint32_t length, uint32_t msb) {
    if (position > msb) return b;
    uint64_t field = low_bits(length) << position;
    return (b & ~field) | (a << position & field);
}
EMU_SEM4(sem_bfi_b32, u32, u32, u32, u32, u32, insert(a, b, c & 255, e & 255, 31))
EMU_SEM4(sem_bfi_b64, u64, u64, u64, u32, u32, insert(a, b, c, e, 63))

static inline uint32_t extended(uint32_t a, uint32_t b, bool clamp, bool is_signed) {
    uint32_t n = b & 31;
    if (clamp && b > 31) return a;
    uint32_t low = a & ((1u << n) - 1);
    return is_signed && n && a >> (n - 1) & 1 ? low | EMU_FULL << n : low;
}
#define CLAMP const bool clamp = insn->mod[0] == 2
EMU_SEM2_WITH(sem_szext_u32, CLAMP, u32, u32, u32, extended(a, b, clamp, false))
EMU_SEM2_WITH(sem_szext_s32, CLAMP, u32, u32, u32, extended(a, b, clamp, true))

static inline uint32_t bit_mask(uint32_t a, uint32_t b, bool clamp) {
    uint32_t at = a & 31, length = b & 31, above = at + length;
    if (clamp && a > 31) return 0;
    if (above > 31 || (clamp && b > 31)) return EMU_FULL << at;
    return length ? EMU_FULL << at & ~(EMU_FULL << above) : 0;
}
EMU_SEM2_WITH(sem_bmsk, CLAMP, u32, u32, u32, bit_mask(a, b, clamp))

/* ---- prmt ---- */

static inline uint32_t permute(uint32_t a, uint32_t b, uint32_t control) {
    uint64_t bytes = (uint64_t)b << 32 | a;
    uint32_t r = 0;
    for (uint32_t k = 0; k < 4; k++) {
        uint32_t select = control >> (4 * k), byte = (uint32_t)(bytes >> (8 * (select & 7))) & 255;
        if (select & 8) byte = byte & 128 ? 255 : 0;
        r |= byte << (8 * k);
    }
    return r;
}
EMU_SEM3(sem_prmt, u32, u32, u32, u32, permute(a, b, c))

/* The modes as general selectors, by mode and the two low bits of the control operand. */
static const uint16_t prmt_modes[6][4] = {
    {0x3210, 0x4321, 0x5432, 0x6543}, /* f4e */
    {0x5670, 0x6701, 0x7012, 0x0123}, /* b4e */
    {0x0000, 0x1111, 0x2222, 0x3333}, /* rc8 */
    {0x3210, 0x3211, 0x3222, 0x3333}, /* ecl */
    {0x0000, 0x1110, 0x2210, 0x3210}, /* ecr */
    {0x1010, 0x3232, 0x1010, 0x3232}, /* rc16 */
};
#define MODE const uint16_t *const mode = prmt_modes[insn->mod[0] - 1]
EMU_SEM3_WITH(sem_prmt_mode, MODE, u32, u32, u32, u32, permute(a, b, mode[c & 3]))
