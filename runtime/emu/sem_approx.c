/* sem_approx: the approximate functions: what the unit gives (mufu.h), and what ptxas puts around it for sm_90a: inputs and
 * results that the unit would flush are scaled there and back. PTX ISA 9.1 §9.7.3.8 to .22.
 *
 * Rows: NAME.approx{.ftz}.f32, so that .ftz is mod[0]. */
#include "runtime/emu/mufu.h"

/* clang-format off: it takes a * b in these lists for a pointer */
EMU_INLINE bool small(float x) { return fabsf(x) < 0x1p-126f; }

EMU_INLINE float lg2_full(float x) { return small(x) ? emu_one_nan(mufu_lg2(x * 0x1p24f) - 24.0f) : mufu_lg2(x); }
EMU_INLINE float rcp_full(float x) {
    float scale = small(x) ? 0x1p24f : fabsf(x) > 0x1p126f ? 0.25f : 1.0f;
    return emu_one_nan(scale * mufu_rcp(x * scale));
}
EMU_INLINE float rsqrt_full(float x) { return small(x) ? emu_one_nan(mufu_rsqrt(x * 0x1p24f) * 0x1p12f) : mufu_rsqrt(x); }

EMU_INLINE float sqrt_full(float x) { return small(x) ? emu_one_nan(mufu_sqrt(x * 0x1p24f) * 0x1p-12f) : mufu_sqrt(x); }

/* x / (2 pi), the product cut. */
EMU_INLINE float turns(float x) {
    double exact = (double)x * (double)emu_f32_of_bits(0x3e22f983);
    float near = (float)exact;
    return fabs((double)near) > fabs(exact) ? emu_f32_of_bits(emu_bits_of_f32(near) - 1) : near;
}

/* The product with .ftz. */
EMU_INLINE float flushed_product(float a, float b) {
    float x = emu_flushed(a), y = emu_flushed(b);
    return emu_one_nan(emu_flushed_result(x * y, (double)x * y, EMU_RN));
}
EMU_INLINE float div_approx(float a, float b, bool ftz) {
    float scale = !ftz && small(b) ? 0x1p24f : 1.0f, r = mufu_rcp(b * scale);
    return ftz ? flushed_product(a, r) : emu_one_nan(r * (a * scale));
}
EMU_INLINE float div_full(float a, float b, bool ftz) {
    bool large = fabsf(b) > 0x1p126f;
    if (ftz) return large ? flushed_product(mufu_rcp(flushed_product(b, 0.25f)), flushed_product(a, 0.25f)) : flushed_product(mufu_rcp(b), a);
    float scale = large ? 0.25f : small(b) ? 0x1p24f : 1.0f;
    return emu_one_nan(mufu_rcp(b * scale) * (a * scale));
}

#define FLUSH  const bool ftz = insn->mod[0]
#define IN(x)  (ftz ? emu_flushed(x) : (x))
#define OUT(x) (ftz ? emu_flushed(emu_one_nan(x)) : emu_one_nan(x))

/* All lanes in three loops: compilers make vector code of the outer two. Without .ftz x < -126 is halved, its result squared. */
EMU_SEM_HEAD(sem_ex2_f32) {
    const bool ftz = insn->mod[0];
    const emu_lf32 *a = emu_lanes(w, &insn->op[1]);
    emu_lf32 *d = emu_lanes(w, &insn->op[0]), t[EMU_LANES];
    float in[EMU_LANES];
    int32_t fixed[EMU_LANES];
    uint32_t c[EMU_LANES], m[EMU_LANES], q[EMU_LANES];
    EMU_LOOP(i, EMU_LANES) in[i] = !ftz && a[i] < -126.0f ? a[i] * 0.5f : a[i];
    EMU_LOOP(i, EMU_LANES) fixed[i] = mufu_ex2_fixed(in[i]);
    for (uint32_t i = 0; i < EMU_LANES; i++) {
        const struct mufu_segment *g = &mufu_ex2_table[fixed[i] >> 17 & 63];
        c[i] = g->c, m[i] = (uint32_t)g->m, q[i] = (uint32_t)g->q;
    }
    EMU_LOOP(i, EMU_LANES) t[i] = mufu_ex2_result(in[i], fixed[i], c[i], m[i], q[i]);
    if (!ftz) EMU_LOOP(i, EMU_LANES) t[i] = a[i] < -126.0f ? t[i] * t[i] : t[i];
    emu_blend4(d, t, mask);
    return EMU_NEXT;
}

EMU_SEM1_WITH(sem_lg2_f32, FLUSH, f32, f32, ftz ? mufu_lg2(a) : lg2_full(a))
EMU_SEM1_WITH(sem_rcp_approx_f32, FLUSH, f32, f32, ftz ? mufu_rcp(a) : rcp_full(a))
EMU_SEM1_WITH(sem_rsqrt_f32, FLUSH, f32, f32, ftz ? mufu_rsqrt(a) : rsqrt_full(a))
EMU_SEM1_WITH(sem_sqrt_approx_f32, FLUSH, f32, f32, ftz ? mufu_sqrt(a) : sqrt_full(a))
EMU_SEM1(sem_sin_f32, f32, f32, mufu_sin(turns(a), 0))
EMU_SEM1(sem_cos_f32, f32, f32, mufu_sin(turns(a), 1))
EMU_SEM1(sem_tanh_f32, f32, f32, mufu_tanh(a))
EMU_SEM2_WITH(sem_div_approx_f32, FLUSH, f32, f32, f32, div_approx(a, b, ftz))
EMU_SEM2_WITH(sem_div_full_f32, FLUSH, f32, f32, f32, div_full(a, b, ftz))
