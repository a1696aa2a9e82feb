/* sem_int: integer arithmetic. PTX ISA 9.1 §9.7.1 and §9.7.2. Signed values are added and multiplied as
 * unsigned ones, which wrap. */
#include "runtime/emu/lanes.h"

/* clang-format off: it takes a * b in these lists for a pointer */
/* ---- add, sub, mul, mad ---- */

static inline int32_t saturated(int64_t v) {
    return v > INT32_MAX ? INT32_MAX : v < INT32_MIN ? INT32_MIN : (int32_t)v;
}

EMU_SEM2(sem_add_u16, u16, u16, u16, a + b)
EMU_SEM2(sem_add_u32, u32, u32, u32, a + b)
EMU_SEM2(sem_add_u64, u64, u64, u64, a + b)
EMU_SEM2(sem_add_sat_s32, s32, s32, s32, saturated((int64_t)a + b))
EMU_SEM2(sem_sub_u16, u16, u16, u16, a - b)
EMU_SEM2(sem_sub_u32, u32, u32, u32, a - b)
EMU_SEM2(sem_sub_u64, u64, u64, u64, a - b)
EMU_SEM2(sem_sub_sat_s32, s32, s32, s32, saturated((int64_t)a - b))
EMU_SEM2(sem_add_u16x2, u32, u32, u32, ((a & 0x7fff7fff) + (b & 0x7fff7fff)) ^ ((a ^ b) & 0x80008000))

static inline uint64_t high_u64(uint64_t a, uint64_t b) { return (uint64_t)((unsigned __int128)a * b >> 64); }
static inline int64_t high_s64(int64_t a, int64_t b) { return (int64_t)((__int128)a * b >> 64); }
static inline uint32_t high_u32(uint32_t a, uint32_t b) { return (uint32_t)((uint64_t)a * b >> 32); }
static inline int32_t high_s32(int32_t a, int32_t b) { return (int32_t)((int64_t)a * b >> 32); }

EMU_SEM2(sem_mul_lo_u16, u16, u16, u16, (uint32_t)a *b)
EMU_SEM2(sem_mul_lo_u32, u32, u32, u32, a *b)
EMU_SEM2(sem_mul_lo_u64, u64, u64, u64, a *b)
EMU_SEM2(sem_mul_hi_u16, u16, u16, u16, (uint32_t)a *b >> 16)
EMU_SEM2(sem_mul_hi_s16, s16, s16, s16, a *b >> 16)
EMU_SEM2(sem_mul_hi_u32, u32, u32, u32, high_u32(a, b))
EMU_SEM2(sem_mul_hi_s32, s32, s32, s32, high_s32(a, b))
EMU_SEM2(sem_mul_hi_u64, u64, u64, u64, high_u64(a, b))
EMU_SEM2(sem_mul_hi_s64, s64, s64, s64, high_s64(a, b))
EMU_SEM2(sem_mul_wide_u16, u32, u16, u16, (uint32_t)a *b)
EMU_SEM2(sem_mul_wide_s16, s32, s16, s16, a *b)
EMU_SEM2(sem_mul_wide_u32, u64, u32, u32, (uint64_t)a *b)
EMU_SEM2(sem_mul_wide_s32, s64, s32, s32, (int64_t)a *b)

EMU_SEM3(sem_mad_lo_u16, u16, u16, u16, u16, (uint32_t)a *b + c)
EMU_SEM3(sem_mad_lo_u32, u32, u32, u32, u32, a *b + c)
EMU_SEM3(sem_mad_lo_u64, u64, u64, u64, u64, a *b + c)
EMU_SEM3(sem_mad_hi_u16, u16, u16, u16, u16, ((uint32_t)a * b >> 16) + c)
EMU_SEM3(sem_mad_hi_s16, s16, s16, s16, s16, (a * b >> 16) + c)
EMU_SEM3(sem_mad_hi_u32, u32, u32, u32, u32, high_u32(a, b) + c)
EMU_SEM3(sem_mad_hi_s32, s32, s32, s32, u32, (uint32_t)high_s32(a, b) + c)
EMU_SEM3(sem_mad_hi_sat_s32, s32, s32, s32, s32, saturated((int64_t)high_s32(a, b) + c))
EMU_SEM3(sem_mad_hi_u64, u64, u64, u64, u64, high_u64(a, b) + c)
EMU_SEM3(sem_mad_hi_s64, s64, s64, s64, u64, (uint64_t)high_s64(a, b) + c)
EMU_SEM3(sem_mad_wide_u16, u32, u16, u16, u32, (uint32_t)a *b + c)
EMU_SEM3(sem_mad_wide_s16, u32, s16, s16, u32, (uint32_t)(a *b) + c)
EMU_SEM3(sem_mad_wide_u32, u64, u32, u32, u64, (uint64_t)a *b + c)
EMU_SEM3(sem_mad_wide_s32, u64, s32, s32, u64, (uint64_t)((int64_t)a *b) + c)

static inline int64_t signed24(uint32_t v) { return (int32_t)(v << 8) >> 8; }
EMU_SEM2(sem_mul24_lo_u32, u32, u32, u32, (uint64_t)(a & 0xffffff) * (b & 0xffffff))
EMU_SEM2(sem_mul24_hi_u32, u32, u32, u32, (uint64_t)(a & 0xffffff) * (b & 0xffffff) >> 16)
EMU_SEM2(sem_mul24_lo_s32, s32, u32, u32, signed24(a) * signed24(b))
EMU_SEM2(sem_mul24_hi_s32, s32, u32, u32, signed24(a) * signed24(b) >> 16)
EMU_SEM3(sem_mad24_lo_u32, u32, u32, u32, u32, (uint64_t)(a & 0xffffff) * (b & 0xffffff) + c)
EMU_SEM3(sem_mad24_hi_u32, u32, u32, u32, u32, ((uint64_t)(a & 0xffffff) * (b & 0xffffff) >> 16) + c)
EMU_SEM3(sem_mad24_lo_s32, s32, u32, u32, u32, (uint64_t)(signed24(a) * signed24(b)) + c)
EMU_SEM3(sem_mad24_hi_s32, s32, u32, u32, u32, (uint64_t)(signed24(a) * signed24(b) >> 16) + c)
EMU_SEM3(sem_mad24_hi_sat_s32, s32, u32, u32, s32, saturated((signed24(a) * signed24(b) >> 16) + c))

EMU_SEM3(sem_sad_u16, u16, u16, u16, u16, c + (a < b ? b - a : a - b))
EMU_SEM3(sem_sad_s16, u16, s16, s16, u16, c + (a < b ? b - a : a - b))
EMU_SEM3(sem_sad_u32, u32, u32, u32, u32, c + (a < b ? b - a : a - b))
EMU_SEM3(sem_sad_s32, u32, s32, s32, u32, c + (a < b ? (uint32_t)b - (uint32_t)a : (uint32_t)a - (uint32_t)b))
EMU_SEM3(sem_sad_u64, u64, u64, u64, u64, c + (a < b ? b - a : a - b))
EMU_SEM3(sem_sad_s64, u64, s64, s64, u64, c + (a < b ? (uint64_t)b - (uint64_t)a : (uint64_t)a - (uint64_t)b))

/* ---- div, rem: of a division by zero both are all ones [captured on an H200]; the manual leaves it open
 * ---- */

EMU_SEM2(sem_div_u16, u16, u16, u16, b ? a / b : 0xffff)
EMU_SEM2(sem_div_s16, s16, s16, s16, b ? a / b : -1)
EMU_SEM2(sem_div_u32, u32, u32, u32, b ? a / b : UINT32_MAX)
EMU_SEM2(sem_div_s32, s32, s32, s32, b ? (int64_t)a / b : -1)
EMU_SEM2(sem_div_u64, u64, u64, u64, b ? a / b : UINT64_MAX)
EMU_SEM2(sem_div_s64, u64, s64, s64, b == 0 ? UINT64_MAX : b == -1 ? 0 - (uint64_t)a : (uint64_t)(a / b))
EMU_SEM2(sem_rem_u16, u16, u16, u16, b ? a % b : 0xffff)
EMU_SEM2(sem_rem_s16, s16, s16, s16, b ? a % b : -1)
EMU_SEM2(sem_rem_u32, u32, u32, u32, b ? a % b : UINT32_MAX)
EMU_SEM2(sem_rem_s32, s32, s32, s32, b ? (int64_t)a % b : -1)
EMU_SEM2(sem_rem_u64, u64, u64, u64, b ? a % b : UINT64_MAX)
EMU_SEM2(sem_rem_s64, s64, s64, s64, b == 0 ? -1 : b == -1 ? 0 : a % b)

/* ---- abs, neg, min, max ---- */

EMU_SEM1(sem_abs_s16, u16, s16, a < 0 ? -a : a)
EMU_SEM1(sem_abs_s32, u32, s32, a < 0 ? 0 - (uint32_t)a : (uint32_t)a)
EMU_SEM1(sem_abs_s64, u64, s64, a < 0 ? 0 - (uint64_t)a : (uint64_t)a)
EMU_SEM1(sem_neg_s16, u16, u16, 0 - a)
EMU_SEM1(sem_neg_s32, u32, u32, 0 - a)
EMU_SEM1(sem_neg_s64, u64, u64, 0 - a)

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
EMU_SEM2(sem_min_u16, u16, u16, u16, MIN(a, b))
EMU_SEM2(sem_min_s16, s16, s16, s16, MIN(a, b))
EMU_SEM2(sem_min_u32, u32, u32, u32, MIN(a, b))
EMU_SEM2(sem_min_s32, s32, s32, s32, MIN(a, b))
EMU_SEM2(sem_min_relu_s32, s32, s32, s32, MAX(MIN(a, b), 0))
EMU_SEM2(sem_min_u64, u64, u64, u64, MIN(a, b))
EMU_SEM2(sem_min_s64, s64, s64, s64, MIN(a, b))
EMU_SEM2(sem_max_u16, u16, u16, u16, MAX(a, b))
EMU_SEM2(sem_max_s16, s16, s16, s16, MAX(a, b))
EMU_SEM2(sem_max_u32, u32, u32, u32, MAX(a, b))
EMU_SEM2(sem_max_s32, s32, s32, s32, MAX(a, b))
EMU_SEM2(sem_max_relu_s32, s32, s32, s32, MAX(MAX(a, b), 0))
EMU_SEM2(sem_max_u64, u64, u64, u64, MAX(a, b))
EMU_SEM2(sem_max_s64, s64, s64, s64, MAX(a, b))

#define HALVES(T, f)   ((uint32_t)(uint16_t)f((T)(a >> 16), (T)(b >> 16)) << 16 | (uint16_t)f((T)a, (T)b))
#define RELU_MIN(a, b) MAX(MIN(a, b), 0)
#define RELU_MAX(a, b) MAX(MAX(a, b), 0)
EMU_SEM2(sem_min_u16x2, u32, u32, u32, HALVES(uint16_t, MIN))
EMU_SEM2(sem_min_s16x2, u32, u32, u32, HALVES(int16_t, MIN))
EMU_SEM2(sem_min_relu_s16x2, u32, u32, u32, HALVES(int16_t, RELU_MIN))
EMU_SEM2(sem_max_u16x2, u32, u32, u32, HALVES(uint16_t, MAX))
EMU_SEM2(sem_max_s16x2, u32, u32, u32, HALVES(int16_t, MAX))
EMU_SEM2(sem_max_relu_s16x2, u32, u32, u32, HALVES(int16_t, RELU_MAX))

/* ---- extended precision: CC.CF of each lane is a bit of w->carry ---- */

#define EMU_SEM_CARRY(name, T, C, wide, third, expr, keep)                                                   \
    enum emu_step name(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {                     \
        S_##T *const d = emu_lanes(w, &insn->op[0]);                                                         \
        EMU_SOURCE(pa, T, 1) EMU_SOURCE(pb, T, 2) EMU_SOURCE(pc, T, third) uint32_t carry = w->carry;        \
        EMU_FOR_LANES(mask, i) {                                                                             \
            const V_##T a = (V_##T)pa[i], b = (V_##T)pb[i], c = (V_##T)pc[i];                                \
            const wide cf = C ? w->carry >> i & 1 : 0, v = (expr);                                           \
            (void)c, (void)cf;                                                                               \
            d[i] = W_##T(v);                                                                                 \
            carry = (carry & ~(1u << i)) | (uint32_t)(v >> (8 * sizeof(V_##T)) & 1) << i;                    \
        }                                                                                                    \
        if (keep) w->carry = carry;                                                                          \
        return EMU_NEXT;                                                                                     \
    }
typedef unsigned __int128 u128;
#define EMU_SEM_CARRIES(bits, wide)                                                                          \
    EMU_SEM_CARRY(sem_add_cc_##bits, u##bits, false, wide, 2, (wide)a + b, true)                             \
    EMU_SEM_CARRY(sem_addc_##bits, u##bits, true, wide, 2, (wide)a + b + cf, false)                          \
    EMU_SEM_CARRY(sem_addc_cc_##bits, u##bits, true, wide, 2, (wide)a + b + cf, true)                        \
    EMU_SEM_CARRY(sem_sub_cc_##bits, u##bits, false, wide, 2, (wide)a - b, true)                             \
    EMU_SEM_CARRY(sem_subc_##bits, u##bits, true, wide, 2, (wide)a - b - cf, false)                          \
    EMU_SEM_CARRY(sem_subc_cc_##bits, u##bits, true, wide, 2, (wide)a - b - cf, true)                        \
    EMU_SEM_CARRY(sem_mad_lo_cc_##bits, u##bits, false, wide, 3, (wide)(V_u##bits)((wide)a * b) + c, true)   \
    EMU_SEM_CARRY(sem_madc_lo_##bits, u##bits, true, wide, 3, (wide)(V_u##bits)((wide)a * b) + c + cf,       \
                  false)                                                                                     \
    EMU_SEM_CARRY(sem_madc_lo_cc_##bits, u##bits, true, wide, 3, (wide)(V_u##bits)((wide)a * b) + c + cf,    \
                  true)                                                                                      \
    EMU_SEM_CARRY(sem_mad_hi_cc_u##bits, u##bits, false, wide, 3, (wide)high_u##bits(a, b) + c, true)        \
    EMU_SEM_CARRY(sem_madc_hi_u##bits, u##bits, true, wide, 3, (wide)high_u##bits(a, b) + c + cf, false)     \
    EMU_SEM_CARRY(sem_madc_hi_cc_u##bits, u##bits, true, wide, 3, (wide)high_u##bits(a, b) + c + cf, true)   \
    EMU_SEM_CARRY(sem_mad_hi_cc_s##bits, u##bits, false, wide, 3,                                            \
                  (wide)(V_u##bits)high_s##bits((V_s##bits)a, (V_s##bits)b) + c, true)                       \
    EMU_SEM_CARRY(sem_madc_hi_s##bits, u##bits, true, wide, 3,                                               \
                  (wide)(V_u##bits)high_s##bits((V_s##bits)a, (V_s##bits)b) + c + cf, false)                 \
    EMU_SEM_CARRY(sem_madc_hi_cc_s##bits, u##bits, true, wide, 3,                                            \
                  (wide)(V_u##bits)high_s##bits((V_s##bits)a, (V_s##bits)b) + c + cf, true)
EMU_SEM_CARRIES(32, uint64_t)
EMU_SEM_CARRIES(64, u128)

/* ---- dot products ---- */

static inline uint32_t part(uint32_t v, int bits, int k, bool is_signed) {
    uint32_t low = v >> (bits * k) & ((1u << bits) - 1), sign = 1u << (bits - 1);
    return is_signed ? (low ^ sign) - sign : low;
}
static inline uint32_t dot4(uint32_t a, uint32_t b, uint32_t c, bool sa, bool sb) {
    for (int k = 0; k < 4; k++) c += part(a, 8, k, sa) * part(b, 8, k, sb);
    return c;
}
static inline uint32_t dot2(uint32_t a, uint32_t b, uint32_t c, bool sa, bool sb, int first) {
    for (int k = 0; k < 2; k++) c += part(a, 16, k, sa) * part(b, 8, first + k, sb);
    return c;
}
/* mod: types of a and b, 1 unsigned, 2 signed */
#define SIGNS const bool sa = insn->mod[0] == 2, sb = insn->mod[1] == 2
EMU_SEM3_WITH(sem_dp4a, SIGNS, u32, u32, u32, u32, dot4(a, b, c, sa, sb))
EMU_SEM3_WITH(sem_dp2a_lo, SIGNS, u32, u32, u32, u32, dot2(a, b, c, sa, sb, 0))
EMU_SEM3_WITH(sem_dp2a_hi, SIGNS, u32, u32, u32, u32, dot2(a, b, c, sa, sb, 2))
