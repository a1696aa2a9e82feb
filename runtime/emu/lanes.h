/* lanes: how semantics of LANE rows are written: an expression of a, b, c, from which a loop over 32 lanes is
 * made that compilers turn into vector code. Under a partial mask the results are blended in.
 *
 *   EMU_SEM2(sem_add_u32, u32, u32, u32, a + b)      d, a, b: types of destination and sources
 *
 * A type says how a value is used (V_), how a lane is stored (S_: 16-bit values are zero-extended to 32) and
 * how it is written (W_). Source registers and the destination are the same or disjoint, which is what ivdep
 * asserts. */
#ifndef EMU_LANES_H
#define EMU_LANES_H

#include <string.h>
#include "runtime/emu/exec.h"

/* clang-format off: lists of macros */
#ifdef __clang__
#pragma clang diagnostic ignored "-Wpass-failed" /* some loops stay scalar: division, libm */
#define EMU_LOOP(i, n) _Pragma("clang loop vectorize(assume_safety)") for (uint32_t i = 0; i < (n); i++)
#else
#define EMU_LOOP(i, n) _Pragma("GCC ivdep") for (uint32_t i = 0; i < (n); i++)
#endif
#define EMU_INLINE static inline __attribute__((always_inline))

/* lanes are read as whatever an instruction takes them for */
typedef uint32_t __attribute__((may_alias)) emu_l32;
typedef uint64_t __attribute__((may_alias)) emu_l64;
typedef float __attribute__((may_alias)) emu_lf32;
typedef double __attribute__((may_alias)) emu_lf64;

#define S_u16    emu_l32
#define S_s16    emu_l32
#define S_u32    emu_l32
#define S_s32    emu_l32
#define S_u64    emu_l64
#define S_s64    emu_l64
#define S_f32    emu_lf32
#define S_f64    emu_lf64
#define V_u16    uint16_t
#define V_s16    int16_t
#define V_u32    uint32_t
#define V_s32    int32_t
#define V_u64    uint64_t
#define V_s64    int64_t
#define V_f32    float
#define V_f64    double
#define W_u16(x) (uint16_t)(x)
#define W_s16(x) (uint16_t)(x)
#define W_u32(x) (uint32_t)(x)
#define W_s32(x) (uint32_t)(x)
#define W_u64(x) (uint64_t)(x)
#define W_s64(x) (uint64_t)(x)
#define W_f32(x) (x)
#define W_f64(x) (x)

EMU_INLINE void emu_blend4(void *d, const void *t, uint32_t mask) {
    emu_l32 *to = d;
    const emu_l32 *from = t;
    EMU_LOOP(i, EMU_LANES) to[i] = mask >> i & 1 ? from[i] : to[i];
}
EMU_INLINE void emu_blend8(void *d, const void *t, uint32_t mask) {
    emu_l64 *to = d;
    const emu_l64 *from = t;
    EMU_LOOP(i, EMU_LANES) to[i] = mask >> i & 1 ? from[i] : to[i];
}
#define EMU_BLEND(d, t, mask) (sizeof *(d) == 8 ? emu_blend8(d, t, mask) : emu_blend4(d, t, mask))

#define EMU_SEM_BODY(D, loads, expr)                                                                         \
    S_##D *const d = emu_lanes(w, &insn->op[0]);                                                             \
    S_##D t[EMU_LANES], *const to = mask == EMU_FULL ? d : t;                                                \
    EMU_LOOP(i, EMU_LANES) { loads to[i] = W_##D(expr); }                                                    \
    if (mask != EMU_FULL) EMU_BLEND(d, t, mask);                                                             \
    return EMU_NEXT;
#define EMU_SOURCE(P, T, k) const S_##T *const P = emu_lanes(w, &insn->op[k]);
#define EMU_SEM_HEAD(name)  enum emu_step name(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask)

/* The _WITH forms have declarations before the loop: what the expression needs of insn. */
#define EMU_SEM1_WITH(name, with, D, A, expr)                                                                \
    EMU_SEM_HEAD(name) {                                                                                     \
        EMU_SOURCE(pa, A, 1) with;                                                                           \
        EMU_SEM_BODY(D, const V_##A a = (V_##A)pa[i];, expr)                                                 \
    }
#define EMU_SEM2_WITH(name, with, D, A, B, expr)                                                             \
    EMU_SEM_HEAD(name) {                                                                                     \
        EMU_SOURCE(pa, A, 1) EMU_SOURCE(pb, B, 2) with;                                                      \
        EMU_SEM_BODY(D, const V_##A a = (V_##A)pa[i]; const V_##B b = (V_##B)pb[i];, expr)                   \
    }
#define EMU_SEM3_WITH(name, with, D, A, B, C, expr)                                                          \
    EMU_SEM_HEAD(name) {                                                                                     \
        EMU_SOURCE(pa, A, 1) EMU_SOURCE(pb, B, 2) EMU_SOURCE(pc, C, 3) with;                                 \
        EMU_SEM_BODY(D, const V_##A a = (V_##A)pa[i]; const V_##B b = (V_##B)pb[i];                          \
                     const V_##C c = (V_##C)pc[i];, expr)                                                    \
    }
#define EMU_SEM4(name, D, A, B, C, E, expr)                                                                  \
    EMU_SEM_HEAD(name) {                                                                                     \
        EMU_SOURCE(pa, A, 1)                                                                                 \
        EMU_SOURCE(pb, B, 2) EMU_SOURCE(pc, C, 3) EMU_SOURCE(pe, E, 4)                                       \
            EMU_SEM_BODY(D, const V_##A a = (V_##A)pa[i]; const V_##B b = (V_##B)pb[i];                      \
                         const V_##C c = (V_##C)pc[i]; const V_##E e = (V_##E)pe[i];, expr)                  \
    }
#define EMU_SEM1(name, D, A, expr)       EMU_SEM1_WITH(name, , D, A, expr)
#define EMU_SEM2(name, D, A, B, expr)    EMU_SEM2_WITH(name, , D, A, B, expr)
#define EMU_SEM3(name, D, A, B, C, expr) EMU_SEM3_WITH(name, , D, A, B, C, expr)

#endif
