/* sem_half: arithmetic of f16 and bf16, plain and packed in pairs, and of float32 with them. PTX ISA 9.1
 * §9.7.4, §9.7.5. Values are computed in double, rounded to odd where that is not exact, and rounded once
 * more to their format. */
#include <math.h>

#include "runtime/emu/decode.h"
#include "runtime/emu/float.h"
#include "runtime/emu/format.h"
#include "runtime/emu/mufu.h"

#define OOB_NAN 0x7ff7u /* what a tensor copy fills with, §5.5.3.3; facts 6.2 */

enum operation { ADD, SUB, MUL, FMA, NEG, ABS, MIN, MAX, EX2, TANH };

struct half { /* insn->extra */
    enum operation op;
    enum emu_format_id format;
    bool pair, ftz, sat, relu, oob, nan, xorsign;
};

static double input(const struct half *h, uint32_t code) {
    const struct emu_format *f = &emu_formats[h->format];
    if (h->ftz && (code & (f->sign - 1)) >> f->mantissa == 0) code &= f->sign;
    return emu_format_value(h->format, code);
}

static uint32_t output(const struct half *h, double v) {
    const struct emu_format *f = &emu_formats[h->format];
    struct emu_format_how how = {.round = EMU_RN, .relu = h->relu};
    if (h->sat) v = v > 0 ? (v < 1 ? v : 1) : 0;
    /* the unit's result is cut, all but to infinity [measured H200] */
    if ((h->op == EX2 || h->op == TANH) && fabs(v) < (h->format == EMU_F16 ? 65536 : INFINITY)) how.round = EMU_RZ;
    uint32_t code = emu_format_round(h->format, v, how);
    if (h->ftz && (code & (f->sign - 1)) >> f->mantissa == 0) code &= f->sign;
    return code;
}

static double odd_sum(double a, double b) {
    double s = a + b;
    return isfinite(s) ? emu_round_to_odd(s, emu_sum_error(a, b, s)) : s;
}

/* min and max on values; NaN loses, unless .NaN */
static double extreme(const struct half *h, double a, double b) {
    bool max = h->op == MAX, sign = signbit(a) != signbit(b);
    if (h->xorsign) a = fabs(a), b = fabs(b);
    double r;
    if (isnan(a) || isnan(b)) r = h->nan || (isnan(a) && isnan(b)) ? NAN : isnan(a) ? b : a;
    else if (a == b) r = (signbit(a) != 0) == max ? b : a;
    else r = (a > b) == max ? a : b;
    return h->xorsign && sign && !isnan(r) ? -r : r;
}

static uint32_t compute(const struct half *h, uint32_t ca, uint32_t cb, uint32_t cc) {
    double a = input(h, ca), b = input(h, cb), c = input(h, cc);
    if (h->oob && (ca == OOB_NAN || cb == OOB_NAN || cc == OOB_NAN)) return 0;
    switch (h->op) {
    case ADD: return output(h, odd_sum(a, b));
    case SUB: return output(h, odd_sum(a, -b));
    case MUL: return output(h, a * b);
    case FMA: return output(h, odd_sum(a * b, c));
    case NEG: return output(h, -a);
    case ABS: return output(h, fabs(a));
    case MIN:
    case MAX: return output(h, extreme(h, a, b));
    case EX2: return output(h, mufu_ex2((float)a));
    default: return output(h, mufu_tanh((float)a));
    }
}

EMU_SEM_HEAD(sem_half) {
    const struct half *h = insn->extra;
    emu_l32 *d = emu_lanes(w, &insn->op[0]);
    const emu_l32 *a = emu_lanes(w, &insn->op[1]), *b = a, *c = a;
    if (insn->op_count > 2) b = emu_lanes(w, &insn->op[2]);
    if (insn->op_count > 3) c = emu_lanes(w, &insn->op[3]);
    EMU_FOR_LANES(mask, i) {
        uint32_t r = compute(h, a[i] & 0xffff, b[i] & 0xffff, c[i] & 0xffff);
        if (h->pair) r |= compute(h, a[i] >> 16, b[i] >> 16, c[i] >> 16) << 16;
        d[i] = r;
    }
    return EMU_NEXT;
}

void emu_decode_half(struct emu_decoder *d, struct emu_insn *insn) {
    static const char *const names[] = {"add", "sub", "mul", "fma", "neg",
                                        "abs", "min", "max", "ex2", "tanh"};
    const char *m = insn->source->mnemonic, *type = strrchr(m, '.') + 1;
    struct half *h = emu_decode_alloc(d, sizeof *h);
    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++)
        if (strncmp(m, names[k], strlen(names[k])) == 0) h->op = (enum operation)k;
    h->format = type[0] == 'b' ? EMU_BF16 : EMU_F16;
    h->pair = strstr(type, "x2") != NULL;
    h->ftz = emu_mnemonic_has(m, "ftz");
    h->sat = emu_mnemonic_has(m, "sat");
    h->relu = emu_mnemonic_has(m, "relu");
    h->oob = emu_mnemonic_has(m, "oob");
    h->nan = emu_mnemonic_has(m, "NaN");
    h->xorsign = emu_mnemonic_has(m, "xorsign");
    insn->extra = h;
}

/* ---- float32 with halves: OP{.<rn|rz|rm|rp>}{.sat}.f32.<f16|bf16> ---- */

EMU_INLINE float widened(const struct emu_insn *insn, uint32_t code) {
    return insn->mod[2] == 1 ? emu_f16_to_f32((uint16_t)code) : emu_bf16_to_f32((uint16_t)code);
}

static enum emu_step mixed(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask,
                           enum operation op) {
    enum emu_round round = insn->mod[0] ? (enum emu_round)(insn->mod[0] - 1) : EMU_RN;
    EMU_SOURCE(pa, u32, 1)
    EMU_SOURCE(pb, u32, 2) const emu_lf32 *last = emu_lanes(w, &insn->op[op == FMA ? 3 : 2]);
    EMU_FOR_LANES(mask, i) {
        float a = widened(insn, pa[i]), b = op == FMA ? widened(insn, pb[i]) : 1.0f,
              c = op == SUB ? -last[i] : last[i];
        float r = round == EMU_RN ? __builtin_fmaf(a, b, c) : emu_add_directed((double)a * b, c, round);
        r = emu_one_nan(r);
        emu_set_lane32(w, &insn->op[0], i, emu_bits_of_f32(insn->mod[1] ? emu_saturated(r) : r));
    }
    return EMU_NEXT;
}
EMU_SEM_HEAD(sem_add_mixed) { return mixed(w, insn, mask, ADD); }
EMU_SEM_HEAD(sem_sub_mixed) { return mixed(w, insn, mask, SUB); }
EMU_SEM_HEAD(sem_fma_mixed) { return mixed(w, insn, mask, FMA); }

/* ---- setp and set: CMP{.bool}{.ftz}, in the order of sem_compare.c ---- */

static bool compare(uint8_t how, double a, double b) {
    switch (how) {
    case 1: return a == b;
    case 2: return a < b || a > b;
    case 3: return a < b;
    case 4: return a <= b;
    case 5: return a > b;
    case 6: return a >= b;
    case 7: return !(a < b || a > b);
    case 8: return a != b;
    case 9: return !(a >= b);
    case 10: return !(a > b);
    case 11: return !(a <= b);
    case 12: return !(a < b);
    case 13: return a == a && b == b;
    default: return a != a || b != b;
    }
}

/* Lanes in which the halves at `shift` compare. */
static uint32_t test(const struct emu_warp *w, const struct emu_insn *insn, uint32_t first, uint32_t mask,
                     uint32_t shift) {
    const struct half *h = insn->extra;
    EMU_SOURCE(pa, u32, first) EMU_SOURCE(pb, u32, first + 1) uint32_t t = 0;
    EMU_FOR_LANES(mask, i)
    t |= (uint32_t)compare(insn->mod[0], input(h, pa[i] >> shift & 0xffff), input(h, pb[i] >> shift & 0xffff))
         << i;
    return t;
}

static uint32_t with_third(const struct emu_warp *w, const struct emu_insn *insn, uint32_t third,
                           uint32_t t) {
    if (!insn->mod[1]) return t;
    uint32_t c = emu_pred(w, &insn->op[third]);
    return insn->mod[1] == 1 ? t & c : insn->mod[1] == 2 ? t | c : t ^ c;
}

EMU_SEM_HEAD(sem_setp_half) { /* of a pair, q is the upper half's result; else the complement's */
    const struct half *h = insn->extra;
    uint32_t t = test(w, insn, 2, mask, 0), u = h->pair ? test(w, insn, 2, mask, 16) : ~t;
    uint32_t p = with_third(w, insn, 4, t), q = with_third(w, insn, 4, u);
    emu_set_pred(w, &insn->op[0], mask, p);
    emu_set_pred(w, &insn->op[1], mask, q);
    return EMU_NEXT;
}

/* mod[3]: destination <f16|bf16|u16|s16|u32|s32> or, of pairs, <f16x2|bf16x2|u32|s32> */
EMU_SEM_HEAD(sem_set_half) {
    const struct half *h = insn->extra;
    uint8_t to = insn->mod[3];
    uint32_t yes = to == 1 ? 0x3c00 : to == 2 ? 0x3f80 : 0xffff;
    uint32_t low = with_third(w, insn, 3, test(w, insn, 1, mask, 0));
    uint32_t high = h->pair ? with_third(w, insn, 3, test(w, insn, 1, mask, 16)) : low;
    bool wide = h->pair || to > 4;
    EMU_FOR_LANES(mask, i)
    emu_set_lane32(w, &insn->op[0], i, (low >> i & 1 ? yes : 0) | (wide && high >> i & 1 ? yes << 16 : 0));
    return EMU_NEXT;
}

void emu_decode_compare_half(struct emu_decoder *d, struct emu_insn *insn) {
    emu_decode_half(d, insn);
    emu_decode_compare(d, insn);
}
