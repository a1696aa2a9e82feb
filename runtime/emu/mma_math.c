#include "runtime/emu/mma_math.h"

#include <math.h>
#include <string.h>
#include "runtime/emu/float.h"
#if defined(__AVX512BW__) && !defined(__clang__)
#include <immintrin.h>
#endif

/* ---- elements ---- */

static const struct {
    uint8_t bits;
    int8_t least;  /* exponent of the subnormals */
    uint8_t cut;   /* see mma_math.h */
    uint32_t lost; /* bits of a float32 result that are always 0 */
} types[EMU_MMA_TYPES] = {
    /* clang-format off */
    [EMU_MMA_F16]  = {16,  -14, 25, 0},     [EMU_MMA_BF16] = {16, -126, 25, 0},     [EMU_MMA_TF32] = {32, -126, 25, 0},
    [EMU_MMA_E4M3] = { 8,   -6, 13, 0x3ff}, [EMU_MMA_E5M2] = { 8,  -14, 13, 0x3ff},
    [EMU_MMA_S8]   = { 8,    0,  0, 0},     [EMU_MMA_U8]   = { 8,    0,  0, 0},
    /* clang-format on */
};

/* Exponents of zeros and specials: sums of two stay recognisable. */
enum { ZERO = -6000, SPECIAL = 12000, NOTHING = -4000, SPECIALS = 4000 };
/* Between these, float32 holds every product and the scale factors; outside, lanes are summed one by one. */
enum { LOWEST = -100, HIGHEST = 125 };

uint32_t emu_mma_bits(enum emu_mma_type type) { return types[type].bits; }
uint32_t emu_mma_d_registers(const struct emu_mma *m) {
    return m->rows * m->n / EMU_MMA_LANES / (m->d == EMU_MMA_D_F16 ? 2 : 1);
}
uint32_t emu_mma_a_registers(const struct emu_mma *m) {
    return m->rows * m->k * types[m->a].bits / 32 / EMU_MMA_LANES;
}
uint32_t emu_mma_b_registers(const struct emu_mma *m) {
    return 8 * m->k * types[m->b].bits / 32 / EMU_MMA_LANES;
}

static inline float e4m3_to_f32(uint32_t x) {
    uint32_t magnitude = x & 0x7f, sign = (x & 0x80) << 24;
    uint32_t bits = emu_bits_of_f32(emu_f32_of_bits(magnitude << 20) * 0x1p120f);
    return emu_f32_of_bits((magnitude == 0x7f ? EMU_NAN32 : bits) | sign);
}

/* bits: an element each, in the low bits */
static void convert(enum emu_mma_type type, const uint32_t *bits, uint32_t count, float *out) {
    switch (type) {
    case EMU_MMA_F16: EMU_LOOP(i, count) out[i] = emu_f16_to_f32((uint16_t)bits[i]); break;
    case EMU_MMA_BF16: EMU_LOOP(i, count) out[i] = emu_f32_of_bits(bits[i] << 16); break;
    case EMU_MMA_TF32: EMU_LOOP(i, count) out[i] = emu_f32_of_bits(bits[i] & ~0x1fffu); break;
    case EMU_MMA_E4M3: EMU_LOOP(i, count) out[i] = e4m3_to_f32(bits[i]); break;
    case EMU_MMA_E5M2: EMU_LOOP(i, count) out[i] = emu_f16_to_f32((uint16_t)(bits[i] << 8)); break;
    case EMU_MMA_S8: EMU_LOOP(i, count) out[i] = (float)(int8_t)bits[i]; break;
    default: EMU_LOOP(i, count) out[i] = (float)(bits[i] & 0xff);
    }
}

EMU_INLINE int32_t exponent_of(float f, int32_t least) {
    uint32_t u = emu_bits_of_f32(f), field = u >> 23 & 0xff;
    int32_t e = (int32_t)field - 127;
    e = e < least ? least : e;
    e = field == 0xff ? SPECIAL : e;
    return u << 1 ? e : ZERO;
}
static void exponents(const float *values, uint32_t count, int32_t least, int16_t *out) {
    EMU_LOOP(i, count) out[i] = (int16_t)exponent_of(values[i], least);
}

/* ---- vectors: 16 floats or 32 exponents; a register is two of the former ---- */

enum { WIDE = 16 };
typedef float vf __attribute__((vector_size(64)));
typedef int32_t vi __attribute__((vector_size(64)));
typedef uint32_t vu __attribute__((vector_size(64)));
typedef int64_t vl __attribute__((vector_size(64)));
typedef int16_t vh __attribute__((vector_size(64)));
typedef int16_t vh_half __attribute__((vector_size(32)));
typedef float vf_loose __attribute__((vector_size(64), aligned(4), may_alias));
typedef int32_t vi_loose __attribute__((vector_size(64), aligned(4), may_alias));
typedef int64_t __attribute__((aligned(2), may_alias)) four_exponents;

/* The elements of a vector by their numbers. */
#if defined(__clang__) || __GNUC__ >= 12
#define SHUFFLE(x, ...) __builtin_shufflevector(x, x, __VA_ARGS__)
#else
#define SHUFFLE(x, ...) __builtin_shuffle(x, (vi){__VA_ARGS__})
#endif

/* ---- panels ---- */

/* Lane 4g + q of a word goes to lanes 4g to 4g + 3. */
#define SPREAD(x, q)                                                                                         \
    SHUFFLE(x, q, q, q, q, q + 4, q + 4, q + 4, q + 4, q + 8, q + 8, q + 8, q + 8, q + 12, q + 12, q + 12,   \
            q + 12)
static void spread(const vf *word, uint32_t q, vf *to) {
    for (int i = 0; i < 2; i++) switch (q) {
        case 0: to[i] = SPREAD(word[i], 0); break;
        case 1: to[i] = SPREAD(word[i], 1); break;
        case 2: to[i] = SPREAD(word[i], 2); break;
        default: to[i] = SPREAD(word[i], 3);
        }
}

/* Element i of every word of a register. */
static void elements(enum emu_mma_type type, const uint32_t *words, uint32_t i, float *out) {
    uint32_t element[EMU_MMA_LANES], bits = types[type].bits, mask = bits == 32 ? EMU_FULL : (1u << bits) - 1;
    EMU_LOOP(l, EMU_MMA_LANES) element[l] = words[l] >> bits * i & mask;
    convert(type, element, EMU_MMA_LANES, out);
}

void emu_mma_load_a(struct emu_mma_a *a, const struct emu_mma *m, const uint32_t (*registers)[EMU_MMA_LANES],
                    bool negate) {
    uint32_t per_word = 32 / types[m->a].bits, halves = m->rows / 8, count = emu_mma_a_registers(m);
    for (uint32_t r = 0; r < count; r++)
        for (uint32_t i = 0; i < per_word; i++) {
            vf word[2];
            elements(m->a, registers[r], i, (float *)word);
            if (negate) word[0] = -word[0], word[1] = -word[1];
            for (uint32_t q = 0; q < 4; q++) {
                uint32_t k = r / halves * 4 * per_word + q * per_word + i, half = r % halves;
                spread(word, q, (vf *)a->value[k][half]);
                exponents(a->value[k][half], EMU_MMA_LANES, types[m->a].least, a->exponent[k][half]);
            }
        }
}

void emu_mma_load_b(struct emu_mma_b *b, const struct emu_mma *m,
                    const uint32_t (*registers)[EMU_MMA_LANES]) {
    uint32_t per_word = 32 / types[m->b].bits, count = emu_mma_b_registers(m);
    for (uint32_t r = 0; r < count; r++)
        for (uint32_t i = 0; i < per_word; i++) {
            float word[EMU_MMA_LANES];
            elements(m->b, registers[r], i, word);
            for (uint32_t q = 0; q < 4; q++) {
                float *to = b->value + (size_t)(r * 4 * per_word + q * per_word + i) * 8;
                for (uint32_t g = 0; g < 8; g++) to[emu_mma_place(g)] = word[4 * g + q];
            }
        }
    exponents(b->value, 8 * m->k, types[m->b].least, b->exponent);
}

void emu_mma_load_b_raw(struct emu_mma_b *b, const struct emu_mma *m, const uint32_t *raw, bool negate) {
    uint32_t count = m->k * m->n;
    convert(m->b, raw, count, b->value);
    exponents(b->value, count, types[m->b].least, b->exponent);
    if (negate) EMU_LOOP(i, count) b->value[i] = -b->value[i];
}

EMU_INLINE vh larger(vh a, vh b) {
#if defined(__clang__)
    return __builtin_elementwise_max(a, b);
#elif defined(__AVX512BW__)
    return (vh)_mm512_max_epi16((__m512i)a, (__m512i)b);
#else
    vh more = a > b;
    return (a & more) | (b & ~more);
#endif
}

/* The four columns of a register, for each row. */
EMU_INLINE vf columns_of(const float *b) {
    vf x = *(const vf_loose *)b;
    return SHUFFLE(x, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3);
}
EMU_INLINE vh column_exponents(const int16_t *b) { return (vh)((vl){0} + *(const four_exponents *)b); }

EMU_INLINE bool any(vl x) { return x[0] | x[1] | x[2] | x[3] | x[4] | x[5] | x[6] | x[7]; }
EMU_INLINE vi pick(vi mask, vi yes, vi no) { return (yes & mask) | (no & ~mask); }

/* ---- one lane, for any exponents ---- */

struct lane { /* an element of D: what is summed for it */
    const struct emu_mma *m;
    const struct emu_mma_a *a;
    const struct emu_mma_b *b;
    uint32_t half, column, lane;
    float c;
    int32_t c_exponent;
};

static double product(const struct lane *s, uint32_t k, int32_t *exponent) {
    uint32_t at = k * s->m->n + s->column + s->lane % 4;
    *exponent = s->a->exponent[k][s->half][s->lane] + s->b->exponent[at];
    return (double)s->a->value[k][s->half][s->lane] * (double)s->b->value[at];
}

/* Cut toward zero to what a float32 has, subnormal ones too. */
static float cut_to_f32(double x, uint32_t lost) {
    uint64_t mask = (((uint64_t)lost + 1) << 29) - 1;
    x = emu_f64_of_bits(emu_bits_of_f64(x) & ~mask);
    if (fabs(x) < 0x1p-126) x = ldexp(trunc(ldexp(x, 149)), -149);
    return (float)(x + 0.0); /* no sum is -0 */
}

/* Rounded to odd: a float32 that rounds to float16 as x does. */
static float odd_f32(double x) {
    float cut = cut_to_f32(x, 0);
    return (double)cut == x ? cut : emu_f32_of_bits(emu_bits_of_f32(cut) | 1);
}

static float sum_lane(const struct lane *s) {
    int32_t most = s->c_exponent, e, cut = types[s->m->a].cut;
    double infinite = s->c;
    for (uint32_t k = 0; k < s->m->k; k++) {
        infinite += product(s, k, &e);
        if (e > most) most = e;
    }
    if (most > SPECIALS) return emu_one_nan((float)infinite); /* an infinity or NaN takes part */
    if (most < NOTHING) return 0.0f;
    double sum = trunc(ldexp(s->c, cut - most));
    for (uint32_t k = 0; k < s->m->k; k++) sum += trunc(ldexp(product(s, k, &e), cut - most));
    sum = ldexp(sum, most - cut);
    return s->m->d == EMU_MMA_D_F16 ? odd_f32(sum) : cut_to_f32(sum, types[s->m->a].lost);
}

/* ---- one register: 8 rows x 4 columns ---- */

struct slot {
    const struct emu_mma *m;
    const struct emu_mma_a *a;
    const struct emu_mma_b *b;
    uint32_t half, column; /* column: of the panel */
};

static void sum_lanes(const struct slot *s, uint32_t lanes, const float *c, const vh *c_exponents,
                      float *out) {
    EMU_FOR_LANES(lanes, l) {
        struct lane one = {s->m, s->a, s->b, s->half, s->column, l, c ? c[l] : 0.0f, (*c_exponents)[l]};
        out[l] = sum_lane(&one);
    }
}

EMU_INLINE vh exponents_of_c(const float *c, int32_t least) {
    vh e;
    int16_t t[EMU_MMA_LANES];
    EMU_LOOP(i, EMU_MMA_LANES) t[i] = (int16_t)exponent_of(c[i], least);
    memcpy(&e, t, sizeof e);
    return e;
}

EMU_INLINE vh largest_exponents(const struct slot *s, vh e) {
    const int16_t *b = s->b->exponent + s->column;
    for (uint32_t k = 0; k < s->m->k; k++, b += s->m->n)
        e = larger(e, *(const vh *)s->a->exponent[k][s->half] + column_exponents(b));
    return e;
}

EMU_INLINE vi widened(vh e, int which) {
    vh_half h;
    memcpy(&h, (const int16_t *)&e + which * WIDE, sizeof h);
    return __builtin_convertvector(h, vi);
}

EMU_INLINE vu magnitude(vi x) {
    vu sign = (vu)(x >> 31);
    return ((vu)x ^ sign) - sign;
}

/* An integer as a float, cut toward zero; odd: its last bit set where something was cut. */
EMU_INLINE vf cut_to_float(vi x, bool odd) {
    vf f = __builtin_convertvector(x, vf), most = (vf){0} + 2147483520.0f; /* the largest below 2^31 */
    f = (vf)pick(f > most, (vi)most, (vi)f);
    vi back = __builtin_convertvector(f, vi);
    vi bits = (vi)f + (vi)(magnitude(back) > magnitude(x)); /* one down where the nearest is beyond */
    if (odd) bits |= (back != x) & 1;
    return (vf)bits;
}

EMU_INLINE uint32_t sign_bits(vi x) {
    uint32_t bits = 0;
    for (uint32_t i = 0; i < WIDE; i++) bits |= (uint32_t)x[i] >> 31 << i;
    return bits;
}

/* Whether C makes a sum overflow: the products alone never do, each being below 4 * 2^25. */
EMU_INLINE uint32_t overflows(vi products, vi c, vi sum, uint32_t shift) {
    vi over = (products ^ sum) & (c ^ sum);
    return any((vl)(over < 0)) ? sign_bits(over) << shift : 0;
}

EMU_INLINE uint32_t outside(vh e) {
    vh bad = (e > HIGHEST) | ((e < LOWEST) & (e > NOTHING));
    uint32_t lanes = 0;
    if (any((vl)bad))
        for (uint32_t i = 0; i < EMU_MMA_LANES; i++) lanes |= (uint32_t)(bad[i] & 1) << i;
    return lanes;
}

EMU_INLINE void products_of(const struct slot *s, const vf scale[2], vi sum[2]) {
    const float *b = s->b->value + s->column;
    vu s0 = {0}, s1 = {0}; /* unsigned: lanes that are done again may wrap */
    for (uint32_t k = 0; k < s->m->k; k++, b += s->m->n) {
        const vf *a = (const vf *)s->a->value[k][s->half];
        vf columns = columns_of(b);
        s0 += (vu) __builtin_convertvector(a[0] * columns * scale[0], vi);
        s1 += (vu) __builtin_convertvector(a[1] * columns * scale[1], vi);
    }
    sum[0] = (vi)s0, sum[1] = (vi)s1;
}

static void sum_slot(const struct slot *s, const float *c, float *out) {
    const int cut = types[s->m->a].cut;
    const bool f16 = s->m->d == EMU_MMA_D_F16;
    vh c_exponents = c ? exponents_of_c(c, f16 ? -14 : -126) : (vh){0} + 2 * ZERO;
    vh e = largest_exponents(s, c_exponents);
    uint32_t exceptions = outside(e);
    vh floor = (vh){0} + (int16_t)LOWEST, ceiling = (vh){0} + (int16_t)-HIGHEST;
    e = -larger(-larger(e, floor), ceiling); /* where nothing is summed, or the lane is done again below */
    vf scale[2], back[2], result[2];
    vi sum[2];
    for (int i = 0; i < 2; i++) {
        vi wide = widened(e, i);
        scale[i] = (vf)((cut + 127 - wide) << 23);
        back[i] = (vf)((wide - cut + 127) << 23);
    }
    products_of(s, scale, sum);
    for (int i = 0; i < 2; i++) {
        if (c) {
            vi term = __builtin_convertvector(((const vf_loose *)c)[i] * scale[i], vi),
               total = (vi)((vu)sum[i] + (vu)term);
            exceptions |= overflows(sum[i], term, total, i * WIDE);
            sum[i] = total;
        }
        vf f = cut_to_float(sum[i], f16);
        if (!f16) f = (vf)((vi)f & ~(int32_t)types[s->m->a].lost);
        result[i] = f * back[i];
    }
    float old[EMU_MMA_LANES]; /* out may be c */
    if (exceptions && c) memcpy(old, c, sizeof old);
    for (int i = 0; i < 2; i++) ((vf_loose *)out)[i] = result[i];
    if (exceptions) sum_lanes(s, exceptions, c ? old : NULL, &c_exponents, out);
}

/* Products of 8-bit integers and sums of 32 of them are exact in float32. */
static void sum_slot_int(const struct slot *s, const uint32_t *c, uint32_t *out) {
    const float *b = s->b->value + s->column;
    vf sum[2] = {{0}, {0}};
    for (uint32_t k = 0; k < s->m->k; k++, b += s->m->n) {
        const vf *a = (const vf *)s->a->value[k][s->half];
        vf columns = columns_of(b);
        sum[0] += a[0] * columns;
        sum[1] += a[1] * columns;
    }
    for (int i = 0; i < 2; i++) {
        vi x = __builtin_convertvector(sum[i], vi), old = {0};
        if (c) old = ((const vi_loose *)c)[i];
        vi total = (vi)((vu)x + (vu)old);
        if (s->m->saturate) total = pick(((x ^ total) & (old ^ total)) < 0, (old >> 31) ^ INT32_MAX, total);
        ((vi_loose *)out)[i] = total;
    }
}

/* ---- all of D ---- */

/* No sum is -0, not even one that rounds to it. */
EMU_INLINE uint32_t f16_sum(float f) {
    uint32_t half = emu_f32_to_f16(f);
    return half == 0x8000 ? 0 : half;
}

/* The two columns' values that share a register of float16 pairs. */
static void sum_pair(struct slot s, const uint32_t *c, uint32_t *d) {
    float old[2][EMU_MMA_LANES], out[2][EMU_MMA_LANES];
    for (uint32_t p = 0; p < 2; p++) {
        if (c) EMU_LOOP(i, EMU_MMA_LANES) old[p][i] = emu_f16_to_f32((uint16_t)(c[i] >> 16 * p));
        sum_slot(&s, c ? old[p] : NULL, out[p]);
        s.column += 4;
    }
    EMU_LOOP(i, EMU_MMA_LANES) d[i] = f16_sum(out[0][i]) | f16_sum(out[1][i]) << 16;
}

void emu_mma_multiply(const struct emu_mma *m, const struct emu_mma_a *a, const struct emu_mma_b *b,
                      const uint32_t *const *c, uint32_t *const *d) {
    uint32_t halves = m->rows / 8;
    for (uint32_t j = 0, r = 0; j < m->n / 8; j++)
        for (uint32_t half = 0; half < halves; half++) {
            struct slot s = {m, a, b, half, 8 * j};
            if (m->d == EMU_MMA_D_F16) {
                sum_pair(s, c ? c[r] : NULL, d[r]);
                r++;
                continue;
            }
            for (uint32_t p = 0; p < 2; p++, r++, s.column += 4) {
                if (m->d == EMU_MMA_D_S32) sum_slot_int(&s, c ? c[r] : NULL, d[r]);
                else sum_slot(&s, (const float *)(const void *)(c ? c[r] : NULL), (float *)(void *)d[r]);
            }
        }
}
