/* sem_pack: conversions of float32 to packed pairs of 16 bits, of 8 and fewer, and back. PTX ISA 9.1
 * §9.7.9.21. The first source goes to the upper half. */
#include "runtime/emu/decode.h"
#include "runtime/emu/float.h"
#include "runtime/emu/format.h"

/* The common ones: nearest, no modifiers. */
static EMU_SEM2(pack_bf16x2, u32, f32, f32,
                (uint32_t)emu_f32_to_bf16(a) << 16 |
                    emu_f32_to_bf16(b)) static EMU_SEM2(pack_f16x2, u32, f32, f32,
                                                        (uint32_t)emu_f32_to_f16(a) << 16 | emu_f32_to_f16(b))

    struct packing {
    enum emu_format_id to, from;
    struct emu_format_how how;
    uint32_t bits; /* of one element's place */
};

static struct packing *packing(struct emu_decoder *d, struct emu_insn *insn) {
    struct packing *p = emu_decode_alloc(d, sizeof *p);
    insn->extra = p;
    return p;
}

/* ---- f32 to f16 and bf16: <rn|rz>{.relu}{.satfinite}.<f16|bf16>, and the x2 of both ---- */

static void decode_half(struct emu_decoder *d, struct emu_insn *insn) {
    const uint8_t *m = insn->mod;
    struct packing *p = packing(d, insn);
    p->to = m[3] == 1 ? EMU_F16 : EMU_BF16;
    p->how = (struct emu_format_how){.round = m[0] == 1 ? EMU_RN : EMU_RZ, .relu = m[1], .satfinite = m[2]};
    p->bits = 16;
}
void emu_decode_cvt_half(struct emu_decoder *d, struct emu_insn *insn) { decode_half(d, insn); }
void emu_decode_cvt_half2(struct emu_decoder *d, struct emu_insn *insn) {
    const uint8_t *m = insn->mod;
    decode_half(d, insn);
    if (m[0] == 1 && !m[1] && !m[2]) insn->fn = m[3] == 1 ? pack_f16x2 : pack_bf16x2;
}

EMU_SEM_HEAD(sem_cvt_half) {
    const struct packing *p = insn->extra;
    const emu_lf32 *a = emu_lanes(w, &insn->op[1]);
    EMU_FOR_LANES(mask, i) emu_set_lane32(w, &insn->op[0], i, emu_format_round(p->to, (double)a[i], p->how));
    return EMU_NEXT;
}

/* Two floats to one register; also the smaller formats. */
EMU_SEM_HEAD(sem_cvt_pack2) {
    const struct packing *p = insn->extra;
    const emu_lf32 *a = emu_lanes(w, &insn->op[1]), *b = emu_lanes(w, &insn->op[2]);
    EMU_FOR_LANES(mask, i) {
        uint32_t high = emu_format_round(p->to, (double)a[i], p->how),
                 low = emu_format_round(p->to, (double)b[i], p->how);
        emu_set_lane32(w, &insn->op[0], i, high << p->bits | low);
    }
    return EMU_NEXT;
}

/* ---- f32 to tf32: the upper 19 bits ---- */

/* Facts 9: rna adds half a unit to the bits; of a NaN the low bits are only cut. satfinite takes a unit away
 * from what then has the largest exponent, NaN or not [captured on an H200]. */
EMU_SEM_HEAD(sem_cvt_tf32_rna) {
    EMU_SOURCE(pa, u32, 1)
    EMU_FOR_LANES(mask, i) {
        uint32_t u = pa[i], nan = (u & 0x7fffffff) > 0x7f800000;
        uint32_t r = (nan ? u : u + 0x1000) & ~0x1fffu;
        if (insn->mod[0] && (r & 0x7f800000) == 0x7f800000) r -= 0x2000;
        emu_set_lane32(w, &insn->op[0], i, r);
    }
    return EMU_NEXT;
}
EMU_SEM_HEAD(sem_cvt_tf32) { /* <rn|rz>{.satfinite}{.relu} */
    const emu_lf32 *a = emu_lanes(w, &insn->op[1]);
    struct emu_format_how how = {
        .round = insn->mod[0] == 1 ? EMU_RN : EMU_RZ, .satfinite = insn->mod[1], .relu = insn->mod[2]};
    EMU_FOR_LANES(mask, i) {
        emu_set_lane32(w, &insn->op[0], i, emu_format_round(EMU_TF32, (double)a[i], how) << 13);
    }
    return EMU_NEXT;
}

/* ---- 8, 6 and 4 bits ---- */

/* order of the rows' angle <e4m3x2|e5m2x2|e2m3x2|e3m2x2|e2m1x2> */
static const enum emu_format_id small_formats[] = {EMU_E4M3, EMU_E5M2, EMU_E2M3, EMU_E3M2, EMU_E2M1};

EMU_SEM_HEAD(sem_cvt_small_f32) { return sem_cvt_pack2(w, insn, mask); }

/* cvt.rn.satfinite{.relu}.small.<f32|f16x2|bf16x2> */
void emu_decode_cvt_small(struct emu_decoder *d, struct emu_insn *insn) {
    struct packing *p = packing(d, insn);
    p->to = small_formats[insn->mod[1] - 1];
    p->from = insn->mod[2] == 1 ? EMU_F16 : EMU_BF16;
    p->how = (struct emu_format_how){.round = EMU_RN, .satfinite = true, .relu = insn->mod[0]};
    p->bits = p->to == EMU_E2M1 ? 4 : 8;
}

EMU_SEM_HEAD(sem_cvt_small) { /* of a packed pair */
    const struct packing *p = insn->extra;
    EMU_SOURCE(pa, u32, 1)
    EMU_FOR_LANES(mask, i) {
        uint32_t high = emu_format_round(p->to, emu_format_value(p->from, pa[i] >> 16), p->how);
        uint32_t low = emu_format_round(p->to, emu_format_value(p->from, pa[i] & 0xffff), p->how);
        emu_set_lane32(w, &insn->op[0], i, high << p->bits | low);
    }
    return EMU_NEXT;
}

/* cvt.rn{.relu}.f16x2.small */
void emu_decode_cvt_unsmall(struct emu_decoder *d, struct emu_insn *insn) {
    struct packing *p = packing(d, insn);
    p->from = small_formats[insn->mod[1] - 1];
    p->to = EMU_F16;
    p->how = (struct emu_format_how){.round = EMU_RN, .relu = insn->mod[0]};
    p->bits = p->from == EMU_E2M1 ? 4 : 8;
}

EMU_SEM_HEAD(sem_cvt_unsmall) {
    const struct packing *p = insn->extra;
    uint32_t all = (emu_formats[p->from].sign << 1) - 1;
    EMU_SOURCE(pa, u32, 1)
    EMU_FOR_LANES(mask, i) {
        uint32_t high = emu_format_round(EMU_F16, emu_format_value(p->from, pa[i] >> p->bits & all), p->how);
        uint32_t low = emu_format_round(EMU_F16, emu_format_value(p->from, pa[i] & all), p->how);
        emu_set_lane32(w, &insn->op[0], i, high << 16 | low);
    }
    return EMU_NEXT;
}

/* ---- f32 to bf16 by random bits: they are added to the 16 that are cut off, and the carry decides ---- */

static uint32_t rounded_by(uint32_t u, uint32_t random, bool relu, bool satfinite) {
    if ((u & 0x7fffffff) > 0x7f800000) return 0x7fff;
    if (relu && u >> 31) return 0;
    uint32_t r = (u + random) >> 16;
    return satfinite && (r & 0x7fff) == 0x7f80 ? r - 1 : r;
}
EMU_SEM3_WITH(sem_cvt_rs_bf16x2, const bool relu = insn->mod[0]; const bool satfinite = insn->mod[1];
              , u32, u32, u32, u32,
              rounded_by(a, c >> 16, relu, satfinite) << 16 | rounded_by(b, c & 0xffff, relu, satfinite))

/* ---- ue8m0: 2^(x - 127), 0xff: NaN. The sign is dropped; what is least becomes x = 0, zero too. As
 * cuda_fp8.hpp of CUDA 13.0 has it for hosts ---- */

static uint32_t ue8m0_of(uint32_t u, bool up, bool satfinite) {
    uint32_t magnitude = u & 0x7fffffff, exponent = magnitude >> 23, mantissa = magnitude & 0x7fffff;
    if (magnitude > 0x7f800000) return 0xff;
    if (up) exponent += mantissa > (exponent ? 0u : 0x400000u); /* 2^-127 is a subnormal float */
    return exponent >= 0xff && satfinite ? 0xfe : exponent;
}
static uint32_t bf16_of_ue8m0(uint32_t x) { return x == 0xff ? 0x7fff : x ? x << 7 : 0x40; }

EMU_SEM2_WITH(sem_cvt_ue8m0_f32, const bool up = insn->mod[0] == 2; const bool satfinite = insn->mod[1];
              , u32, u32, u32, ue8m0_of(a, up, satfinite) << 8 | ue8m0_of(b, up, satfinite))
EMU_SEM1_WITH(sem_cvt_ue8m0_bf16x2, const bool up = insn->mod[0] == 2; const bool satfinite = insn->mod[1];
              , u32, u32, ue8m0_of(a & 0xffff0000, up, satfinite) << 8 | ue8m0_of(a << 16, up, satfinite))
EMU_SEM1(sem_cvt_bf16x2_ue8m0, u32, u16, bf16_of_ue8m0(a >> 8) << 16 | bf16_of_ue8m0(a & 0xff))

/* ---- cvt.pack.sat.TYPE.s32{.b32} d, a, b{, c}: two integers of few bits, a above b, c above both ---- */

/* mod[0]: <u16|s16>, or <u2|s2|u4|s4|u8|s8> of the form with c */
static uint32_t pack_saturated(uint32_t v, uint32_t bits, bool is_signed) {
    int32_t max = (int32_t)((1u << (bits - is_signed)) - 1), min = is_signed ? -max - 1 : 0,
            value = (int32_t)v;
    value = value > max ? max : value < min ? min : value;
    return (uint32_t)value & ((1u << bits) - 1);
}
EMU_SEM_HEAD(sem_cvt_pack_int) {
    EMU_SOURCE(pa, u32, 1)
    EMU_SOURCE(pb, u32, 2) bool third = insn->op_count > 3, is_signed = insn->mod[0] % 2 == 0;
    uint32_t bits = third ? 2u << (insn->mod[0] - 1) / 2 : 16;
    const emu_l32 *c = emu_lanes(w, &insn->op[third ? 3 : 1]);
    EMU_FOR_LANES(mask, i) {
        uint32_t r = pack_saturated(pa[i], bits, is_signed) << bits | pack_saturated(pb[i], bits, is_signed);
        emu_set_lane32(w, &insn->op[0], i, third ? c[i] << 2 * bits | r : r);
    }
    return EMU_NEXT;
}
