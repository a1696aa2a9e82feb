/* sem_mma: mma.sync: one multiply of a warp, all in registers. PTX ISA 9.1 §9.7.14.5. */
#include <fenv.h>
#include <math.h>
#include <string.h>
#include "runtime/emu/decode.h"
#include "runtime/emu/fault.h"
#include "runtime/emu/float.h"
#include "runtime/emu/mma_math.h"

enum { OP_D, OP_A, OP_B, OP_C };

/* ---- decoding: what the row's types are, and how many registers that takes ---- */

static void check_count(struct emu_decoder *d, struct emu_insn *insn, uint32_t op, uint32_t wanted) {
    static const char *const names[] = {"D", "A", "B", "C"};
    if (insn->op[op].count != wanted)
        emu_decode_fail(d, insn, "%s has %u registers, this shape takes %u", names[op], insn->op[op].count,
                        wanted);
}

static void decode(struct emu_decoder *d, struct emu_insn *insn, struct emu_mma m) {
    struct emu_mma *own = emu_decode_alloc(d, sizeof *own);
    *own = m;
    check_count(d, insn, OP_D, emu_mma_d_registers(own));
    check_count(d, insn, OP_A, emu_mma_a_registers(own));
    check_count(d, insn, OP_B, emu_mma_b_registers(own));
    check_count(d, insn, OP_C, emu_mma_d_registers(own));
    insn->extra = own;
}

/* <m16n8k8|m16n8k16>.row.col */
static void decode_f16(struct emu_decoder *d, struct emu_insn *insn, enum emu_mma_result result) {
    decode(d, insn,
           (struct emu_mma){
               .rows = 16, .n = 8, .k = 8u * insn->mod[0], .a = EMU_MMA_F16, .b = EMU_MMA_F16, .d = result});
}
void emu_decode_mma_f16_f16(struct emu_decoder *d, struct emu_insn *insn) {
    decode_f16(d, insn, EMU_MMA_D_F16);
}
void emu_decode_mma_f16_f32(struct emu_decoder *d, struct emu_insn *insn) {
    decode_f16(d, insn, EMU_MMA_D_F32);
}
void emu_decode_mma_bf16(struct emu_decoder *d, struct emu_insn *insn) {
    decode(d, insn,
           (struct emu_mma){.rows = 16,
                            .n = 8,
                            .k = 8u * insn->mod[0],
                            .a = EMU_MMA_BF16,
                            .b = EMU_MMA_BF16,
                            .d = EMU_MMA_D_F32});
}
/* <m16n8k4|m16n8k8> */
void emu_decode_mma_tf32(struct emu_decoder *d, struct emu_insn *insn) {
    decode(d, insn,
           (struct emu_mma){.rows = 16,
                            .n = 8,
                            .k = 4u * insn->mod[0],
                            .a = EMU_MMA_TF32,
                            .b = EMU_MMA_TF32,
                            .d = EMU_MMA_D_F32});
}
/* <m16n8k16|m16n8k32>.row.col{.kind::f8f6f4}.D.<e4m3|e5m2>.<e4m3|e5m2>.D */
static void decode_f8(struct emu_decoder *d, struct emu_insn *insn, enum emu_mma_result result) {
    decode(d, insn,
           (struct emu_mma){
               .rows = 16,
               .n = 8,
               .k = 16u * insn->mod[0],
               .a = insn->mod[2] == 1 ? EMU_MMA_E4M3 : EMU_MMA_E5M2,
               .b = insn->mod[3] == 1 ? EMU_MMA_E4M3 : EMU_MMA_E5M2,
               .d = result,
           });
}
void emu_decode_mma_f8_f16(struct emu_decoder *d, struct emu_insn *insn) {
    decode_f8(d, insn, EMU_MMA_D_F16);
}
void emu_decode_mma_f8_f32(struct emu_decoder *d, struct emu_insn *insn) {
    decode_f8(d, insn, EMU_MMA_D_F32);
}
/* <m8n8k16|m16n8k16|m16n8k32>.row.col{.satfinite}.s32.<s8|u8>.<s8|u8>.s32 */
void emu_decode_mma_int(struct emu_decoder *d, struct emu_insn *insn) {
    decode(d, insn,
           (struct emu_mma){.rows = insn->mod[0] == 1 ? 8 : 16,
                            .n = 8,
                            .k = insn->mod[0] == 3 ? 32 : 16,
                            .a = insn->mod[2] == 1 ? EMU_MMA_S8 : EMU_MMA_U8,
                            .b = insn->mod[3] == 1 ? EMU_MMA_S8 : EMU_MMA_U8,
                            .d = EMU_MMA_D_S32,
                            .saturate = insn->mod[1]});
}
/* <m8n8k4|m16n8k4|m16n8k8|m16n8k16>.row.col{.<rn|rz|rm|rp>}; k in A's count of registers */
void emu_decode_mma_f64(struct emu_decoder *d, struct emu_insn *insn) {
    static const uint8_t ks[] = {4, 4, 8, 16};
    uint32_t rows = insn->mod[0] == 1 ? 8 : 16, k = ks[insn->mod[0] - 1];
    check_count(d, insn, OP_D, rows / 4);
    check_count(d, insn, OP_A, rows * k / EMU_LANES);
    check_count(d, insn, OP_B, k / 4);
    check_count(d, insn, OP_C, rows / 4);
}

/* ---- execution ---- */

static enum emu_step partial(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    return emu_fault(w, insn, EMU_FAULT_ILLEGAL_INSTRUCTION,
                     "lanes 0x%08x execute this; it needs all 32 lanes of the warp", mask);
}

static void gather(const struct emu_warp *w, const struct emu_opnd *vector, uint32_t (*out)[EMU_LANES]) {
    for (uint32_t r = 0; r < vector->count; r++)
        memcpy(out[r], emu_lanes(w, &vector->elems[r]), EMU_SLOT_BYTES);
}

static void multiply_once(const struct emu_mma *m, const uint32_t (*a_words)[EMU_LANES],
                          const uint32_t (*b_words)[EMU_LANES], const uint32_t *const *c,
                          uint32_t *const *d) {
    struct emu_mma_a a;
    struct emu_mma_b b;
    emu_mma_load_a(&a, m, a_words, false);
    emu_mma_load_b(&b, m, b_words);
    emu_mma_multiply(m, &a, &b, c, d);
}

static enum emu_step multiply(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    uint32_t a[4][EMU_LANES], b[2][EMU_LANES], sum[4][EMU_LANES];
    uint32_t *d[4] = {sum[0], sum[1], sum[2], sum[3]};
    if (mask != EMU_FULL) return partial(w, insn, mask);
    gather(w, &insn->op[OP_A], a); /* D may be any of the sources, in any order */
    gather(w, &insn->op[OP_B], b);
    gather(w, &insn->op[OP_C], sum);
    multiply_once(insn->extra, (const uint32_t(*)[EMU_LANES])a, (const uint32_t(*)[EMU_LANES])b,
                  (const uint32_t *const *)d, d);
    for (uint32_t r = 0; r < insn->op[OP_D].count; r++)
        memcpy(emu_lanes(w, &insn->op[OP_D].elems[r]), sum[r], EMU_SLOT_BYTES);
    return EMU_NEXT;
}

/* ---- 8-bit floats ----
 *
 * Hopper multiplies them as float16 [ptxas][H200]: the low halves of all registers, then the high halves on
 * top of that, and C is added last, rounding to nearest. */

static uint32_t widened(enum emu_mma_type type, uint32_t x) {
    if (type == EMU_MMA_E5M2) return x << 8;
    uint32_t magnitude = x & 0x7f; /* e4m3's exponent is 8 less than float16's */
    float value = emu_f16_to_f32((uint16_t)(magnitude << 7)) * 256.0f;
    return (magnitude == 0x7f ? 0x7fff : emu_f32_to_f16(value)) | (x & 0x80) << 8;
}

static void widen(enum emu_mma_type type, uint32_t half, uint32_t registers,
                  const uint32_t (*from)[EMU_LANES], uint32_t (*to)[EMU_LANES]) {
    for (uint32_t r = 0; r < registers; r++)
        for (uint32_t l = 0; l < EMU_LANES; l++) {
            uint32_t pair = from[r][l] >> 16 * half;
            to[r][l] = widened(type, pair & 0xff) | widened(type, pair >> 8 & 0xff) << 16;
        }
}

static uint32_t add_c(enum emu_mma_result result, uint32_t c, uint32_t sum) {
    if (result == EMU_MMA_D_F32)
        return emu_bits_of_f32(emu_one_nan(emu_f32_of_bits(c) + emu_f32_of_bits(sum)));
    uint32_t d = 0; /* float32 holds what decides the rounding of a sum of two float16 */
    for (uint32_t s = 0; s < 32; s += 16)
        d |= (uint32_t)emu_f32_to_f16(emu_f16_to_f32((uint16_t)(c >> s)) +
                                      emu_f16_to_f32((uint16_t)(sum >> s)))
             << s;
    return d;
}

static enum emu_step multiply_f8(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    const struct emu_mma *m = insn->extra;
    const struct emu_mma step = {
        .rows = 16, .n = 8, .k = m->k / 2, .a = EMU_MMA_F16, .b = EMU_MMA_F16, .d = m->d};
    uint32_t a[4][EMU_LANES], b[2][EMU_LANES], c[4][EMU_LANES], sum[4][EMU_LANES], wide_a[4][EMU_LANES],
        wide_b[2][EMU_LANES];
    uint32_t *d[4] = {sum[0], sum[1], sum[2], sum[3]};
    if (mask != EMU_FULL) return partial(w, insn, mask);
    gather(w, &insn->op[OP_A], a);
    gather(w, &insn->op[OP_B], b);
    gather(w, &insn->op[OP_C], c);
    for (uint32_t half = 0; half < 2; half++) {
        widen(m->a, half, insn->op[OP_A].count, (const uint32_t(*)[EMU_LANES])a, wide_a);
        widen(m->b, half, insn->op[OP_B].count, (const uint32_t(*)[EMU_LANES])b, wide_b);
        multiply_once(&step, (const uint32_t(*)[EMU_LANES])wide_a, (const uint32_t(*)[EMU_LANES])wide_b,
                      half ? (const uint32_t *const *)d : NULL, d);
    }
    for (uint32_t r = 0; r < insn->op[OP_D].count; r++) {
        uint32_t *to = emu_lanes(w, &insn->op[OP_D].elems[r]);
        for (uint32_t l = 0; l < EMU_LANES; l++) to[l] = add_c(m->d, c[r][l], sum[r][l]);
    }
    return EMU_NEXT;
}

#define MULTIPLY(name, how)                                                                                  \
    enum emu_step name(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {                     \
        return how(w, insn, mask);                                                                           \
    }
MULTIPLY(sem_mma_sync_f16_f16, multiply)
MULTIPLY(sem_mma_sync_f16_f32, multiply)
MULTIPLY(sem_mma_sync_bf16, multiply)
MULTIPLY(sem_mma_sync_tf32, multiply)
MULTIPLY(sem_mma_sync_f8_f16, multiply_f8)
MULTIPLY(sem_mma_sync_f8_f32, multiply_f8)
MULTIPLY(sem_mma_sync_int, multiply)

/* ---- float64: fused multiply-adds in the order of K [H200] ---- */

static double quiet(double nan) { return emu_f64_of_bits(emu_bits_of_f64(nan) | 1ull << 51); }

/* Which NaN comes out is as in fma (sem_double.c). */
static double fma_as_machine(volatile double a, volatile double b, volatile double c) {
    volatile double r = fma(a, b, c); /* volatile: nothing moves across a change of rounding */
    if (r == r) return r;
    return b != b ? quiet(b) : c != c ? quiet(c) : a != a ? quiet(a) : emu_f64_of_bits(0xfff8000000000000ull);
}

/* Register r of A holds row g + 8 * (r % 2), column q + 4 * (r / 2) (8 rows: row g). */
enum emu_step sem_mma_sync_f64(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    const struct emu_opnd *o = insn->op;
    static const int rounds[] = {FE_TONEAREST, FE_TONEAREST, FE_TOWARDZERO, FE_DOWNWARD, FE_UPWARD};
    uint32_t halves = o[OP_D].count / 2;
    double d[4][EMU_LANES];
    if (mask != EMU_FULL) return partial(w, insn, mask);
    int before = fegetround();
    fesetround(rounds[insn->mod[1]]);
    for (uint32_t v = 0; v < o[OP_D].count; v++) {
        const double *c = emu_lanes(w, &o[OP_C].elems[v]);
        for (uint32_t l = 0; l < EMU_LANES; l++) {
            double sum = c[l];
            for (uint32_t k = 0; k < 4 * o[OP_B].count; k++) {
                const double *a = emu_lanes(w, &o[OP_A].elems[v / 2 + halves * (k / 4)]);
                const double *b = emu_lanes(w, &o[OP_B].elems[k / 4]);
                sum = fma_as_machine(a[l / 4 * 4 + k % 4], b[4 * (2 * (l % 4) + v % 2) + k % 4], sum);
            }
            d[v][l] = sum;
        }
    }
    fesetround(before);
    for (uint32_t v = 0; v < o[OP_D].count; v++) memcpy(emu_lanes(w, &o[OP_D].elems[v]), d[v], sizeof d[v]);
    return EMU_NEXT;
}
