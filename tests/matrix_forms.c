#include "tests/matrix_forms.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum kind { MMA, WGMMA, WGMMA_REGISTERS, LOAD, STORE, MOVE };
enum type { BF16, F16, TF32, E4M3, E5M2, I8, F32, I32, F64 };

static const struct {
    uint8_t bits, mantissa, exponent; /* exponent 0: an integer */
} types[] = {
    /* clang-format off */
    [BF16] = {16, 7, 8}, [F16] = {16, 10, 5}, [TF32] = {32, 23, 8}, [E4M3] = {8, 3, 4}, [E5M2] = {8, 2, 5}, [I8] = {8, 0, 0},
    [F32] = {32, 23, 8}, [I32] = {32, 0, 0}, [F64] = {64, 52, 11},
    /* clang-format on */
};

/* Layouts of an operand in shared memory: leading and stride byte offset, swizzle field. */
struct layout {
    uint16_t lbo, sbo;
    uint8_t swizzle;
};
#define K128                                                                                                 \
    { 16, 1024, 1 }
#define K64                                                                                                  \
    { 16, 512, 2 }
#define K32                                                                                                  \
    { 16, 256, 3 }
#define K0                                                                                                   \
    { 128, 256, 0 }
#define MN128                                                                                                \
    { 2048, 1024, 1 }
#define MN64                                                                                                 \
    { 1024, 512, 2 }
#define MN32                                                                                                 \
    { 512, 256, 3 }
#define MN0                                                                                                  \
    { 4096, 128, 0 }

static const struct form {
    const char *text; /* the mnemonic */
    enum kind kind;
    enum type a, b, c;
    uint8_t registers[4]; /* 32-bit words a lane: A, B, C, D; LOAD, STORE: [0] */
    const char *tail;     /* WGMMA: operands from scale-d on */
    struct layout la, lb;
    uint16_t start; /* of A and B in their parts of shared memory */
} forms[] = {
#define SYNC  "mma.sync.aligned."
#define ASYNC "wgmma.mma_async.sync.aligned."
    /* clang-format off */
    {SYNC "m16n8k16.row.col.f32.bf16.bf16.f32", MMA, BF16, BF16, F32, {4, 2, 4, 4}, NULL, K0, K0, 0},
    {SYNC "m16n8k8.row.col.f32.bf16.bf16.f32", MMA, BF16, BF16, F32, {2, 1, 4, 4}, NULL, K0, K0, 0},
    {SYNC "m16n8k16.row.col.f32.f16.f16.f32", MMA, F16, F16, F32, {4, 2, 4, 4}, NULL, K0, K0, 0},
    {SYNC "m16n8k8.row.col.f32.f16.f16.f32", MMA, F16, F16, F32, {2, 1, 4, 4}, NULL, K0, K0, 0},
    {SYNC "m16n8k16.row.col.f16.f16.f16.f16", MMA, F16, F16, F16, {4, 2, 2, 2}, NULL, K0, K0, 0},
    {SYNC "m16n8k8.row.col.f16.f16.f16.f16", MMA, F16, F16, F16, {2, 1, 2, 2}, NULL, K0, K0, 0},
    {SYNC "m16n8k8.row.col.f32.tf32.tf32.f32", MMA, TF32, TF32, F32, {4, 2, 4, 4}, NULL, K0, K0, 0},
    {SYNC "m16n8k4.row.col.f32.tf32.tf32.f32", MMA, TF32, TF32, F32, {2, 1, 4, 4}, NULL, K0, K0, 0},
    {SYNC "m16n8k32.row.col.f32.e4m3.e4m3.f32", MMA, E4M3, E4M3, F32, {4, 2, 4, 4}, NULL, K0, K0, 0},
    {SYNC "m16n8k32.row.col.f32.e5m2.e4m3.f32", MMA, E5M2, E4M3, F32, {4, 2, 4, 4}, NULL, K0, K0, 0},
    {SYNC "m16n8k32.row.col.f16.e4m3.e5m2.f16", MMA, E4M3, E5M2, F16, {4, 2, 2, 2}, NULL, K0, K0, 0},
    {SYNC "m16n8k16.row.col.f32.e5m2.e5m2.f32", MMA, E5M2, E5M2, F32, {2, 1, 4, 4}, NULL, K0, K0, 0},
    {SYNC "m16n8k16.row.col.f16.e4m3.e4m3.f16", MMA, E4M3, E4M3, F16, {2, 1, 2, 2}, NULL, K0, K0, 0},
    {SYNC "m16n8k32.row.col.s32.s8.s8.s32", MMA, I8, I8, I32, {4, 2, 4, 4}, NULL, K0, K0, 0},
    {SYNC "m16n8k32.row.col.s32.u8.s8.s32", MMA, I8, I8, I32, {4, 2, 4, 4}, NULL, K0, K0, 0},
    {SYNC "m16n8k32.row.col.satfinite.s32.u8.u8.s32", MMA, I8, I8, I32, {4, 2, 4, 4}, NULL, K0, K0, 0},
    {SYNC "m16n8k16.row.col.s32.s8.u8.s32", MMA, I8, I8, I32, {2, 1, 4, 4}, NULL, K0, K0, 0},
    {SYNC "m8n8k16.row.col.satfinite.s32.s8.s8.s32", MMA, I8, I8, I32, {1, 1, 2, 2}, NULL, K0, K0, 0},
    {SYNC "m8n8k4.row.col.f64.f64.f64.f64", MMA, F64, F64, F64, {2, 2, 4, 4}, NULL, K0, K0, 0},
    {SYNC "m16n8k4.row.col.f64.f64.f64.f64", MMA, F64, F64, F64, {4, 2, 8, 8}, NULL, K0, K0, 0},
    {SYNC "m16n8k8.row.col.f64.f64.f64.f64", MMA, F64, F64, F64, {8, 4, 8, 8}, NULL, K0, K0, 0},
    {SYNC "m16n8k16.row.col.f64.f64.f64.f64", MMA, F64, F64, F64, {16, 8, 8, 8}, NULL, K0, K0, 0},
    {ASYNC "m64n8k16.f32.bf16.bf16", WGMMA, BF16, BF16, F32, {0, 0, 4, 4}, "1, 1, 1, 0, 0", K128, K128, 0},
    {ASYNC "m64n24k16.f32.bf16.bf16", WGMMA, BF16, BF16, F32, {0, 0, 12, 12}, "1, -1, 1, 1, 0", MN128, K64, 0},
    {ASYNC "m64n64k16.f32.bf16.bf16", WGMMA, BF16, BF16, F32, {0, 0, 32, 32}, "0, 1, 1, 0, 1", K32, MN64, 0},
    {ASYNC "m64n128k16.f32.bf16.bf16", WGMMA_REGISTERS, BF16, BF16, F32, {4, 0, 64, 64}, "1, 1, 1, 1", K0, MN128, 0},
    {ASYNC "m64n256k16.f32.bf16.bf16", WGMMA, BF16, BF16, F32, {0, 0, 128, 128}, "1, 1, -1, 0, 0", K0, K128, 32},
    {ASYNC "m64n16k16.f32.f16.f16", WGMMA, F16, F16, F32, {0, 0, 8, 8}, "1, 1, 1, 1, 1", MN64, MN32, 0},
    {ASYNC "m64n72k16.f32.f16.f16", WGMMA_REGISTERS, F16, F16, F32, {4, 0, 36, 36}, "1, -1, -1, 0", K0, K0, 0},
    {ASYNC "m64n40k16.f16.f16.f16", WGMMA, F16, F16, F16, {0, 0, 10, 10}, "1, 1, 1, 1, 1", MN0, MN0, 0},
    {ASYNC "m64n32k16.f16.f16.f16", WGMMA_REGISTERS, F16, F16, F16, {4, 0, 8, 8}, "1, 1, 1, 1", K0, MN128, 0},
    {ASYNC "m64n48k16.f16.f16.f16", WGMMA, F16, F16, F16, {0, 0, 12, 12}, "0, 1, 1, 1, 0", MN32, K32, 0},
    {ASYNC "m64n32k8.f32.tf32.tf32", WGMMA, TF32, TF32, F32, {0, 0, 16, 16}, "1, 1, 1", K128, K64, 64},
    {ASYNC "m64n96k8.f32.tf32.tf32", WGMMA_REGISTERS, TF32, TF32, F32, {4, 0, 48, 48}, "1, -1, 1", K0, K0, 0},
    {ASYNC "m64n16k32.f32.e4m3.e4m3", WGMMA, E4M3, E4M3, F32, {0, 0, 8, 8}, "1, 1, 1", K128, K128, 96},
    {ASYNC "m64n40k32.f32.e5m2.e4m3", WGMMA_REGISTERS, E5M2, E4M3, F32, {4, 0, 20, 20}, "1, 1, -1", K0, K64, 0},
    {ASYNC "m64n64k32.f16.e4m3.e5m2", WGMMA, E4M3, E5M2, F16, {0, 0, 16, 16}, "1, 1, 1", K32, K0, 0},
    {ASYNC "m64n32k32.s32.s8.s8", WGMMA, I8, I8, I32, {0, 0, 16, 16}, "1", K128, K32, 0},
    {ASYNC "m64n48k32.s32.u8.s8", WGMMA, I8, I8, I32, {0, 0, 24, 24}, "1", K64, K128, 0},
    {ASYNC "m64n80k32.satfinite.s32.s8.u8", WGMMA_REGISTERS, I8, I8, I32, {4, 0, 40, 40}, "1", K0, K128, 0},
    {ASYNC "m64n256k32.satfinite.s32.u8.u8", WGMMA, I8, I8, I32, {0, 0, 128, 128}, "1", K0, K128, 0},
    {"ldmatrix.sync.aligned.m8n8.x1.shared.b16", LOAD, I32, I32, I32, {1}, NULL, K0, K0, 0},
    {"ldmatrix.sync.aligned.m8n8.x2.shared::cta.b16", LOAD, I32, I32, I32, {2}, NULL, K0, K0, 0},
    {"ldmatrix.sync.aligned.m8n8.x4.shared.b16", LOAD, I32, I32, I32, {4}, NULL, K0, K0, 0},
    {"ldmatrix.sync.aligned.m8n8.x1.trans.shared.b16", LOAD, I32, I32, I32, {1}, NULL, K0, K0, 0},
    {"ldmatrix.sync.aligned.x2.trans.m8n8.shared.b16", LOAD, I32, I32, I32, {2}, NULL, K0, K0, 0},
    {"ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16", LOAD, I32, I32, I32, {4}, NULL, K0, K0, 0},
    {"stmatrix.sync.aligned.m8n8.x1.shared.b16", STORE, I32, I32, I32, {1}, NULL, K0, K0, 0},
    {"stmatrix.sync.aligned.x2.m8n8.shared.b16", STORE, I32, I32, I32, {2}, NULL, K0, K0, 0},
    {"stmatrix.sync.aligned.m8n8.x4.shared::cta.b16", STORE, I32, I32, I32, {4}, NULL, K0, K0, 0},
    {"stmatrix.sync.aligned.m8n8.x1.trans.shared.b16", STORE, I32, I32, I32, {1}, NULL, K0, K0, 0},
    {"stmatrix.sync.aligned.x2.trans.m8n8.shared.b16", STORE, I32, I32, I32, {2}, NULL, K0, K0, 0},
    {"stmatrix.sync.aligned.m8n8.x4.trans.shared.b16", STORE, I32, I32, I32, {4}, NULL, K0, K0, 0},
    {"movmatrix.sync.aligned.m8n8.trans.b16", MOVE, I32, I32, I32, {1}, NULL, K0, K0, 0},
    {SYNC "m8n8k32.row.col.s32.s4.s4.s32", MMA, I8, I8, I32, {1, 1, 2, 2}, NULL, K0, K0, 0},
    {SYNC "m8n8k32.row.col.s32.u4.u4.s32", MMA, I8, I8, I32, {1, 1, 2, 2}, NULL, K0, K0, 0},
    {SYNC "m16n8k32.row.col.s32.s4.s4.s32", MMA, I8, I8, I32, {2, 1, 4, 4}, NULL, K0, K0, 0},
    {SYNC "m16n8k32.row.col.s32.u4.u4.s32", MMA, I8, I8, I32, {2, 1, 4, 4}, NULL, K0, K0, 0},
    {SYNC "m16n8k64.row.col.s32.s4.s4.s32", MMA, I8, I8, I32, {4, 2, 4, 4}, NULL, K0, K0, 0},
    {SYNC "m16n8k64.row.col.s32.u4.u4.s32", MMA, I8, I8, I32, {4, 2, 4, 4}, NULL, K0, K0, 0},
    {SYNC "m8n8k32.row.col.satfinite.s32.u4.s4.s32", MMA, I8, I8, I32, {1, 1, 2, 2}, NULL, K0, K0, 0},
    {SYNC "m8n8k32.row.col.satfinite.s32.s4.u4.s32", MMA, I8, I8, I32, {1, 1, 2, 2}, NULL, K0, K0, 0},
    {SYNC "m16n8k32.row.col.satfinite.s32.u4.s4.s32", MMA, I8, I8, I32, {2, 1, 4, 4}, NULL, K0, K0, 0},
    {SYNC "m16n8k32.row.col.satfinite.s32.s4.u4.s32", MMA, I8, I8, I32, {2, 1, 4, 4}, NULL, K0, K0, 0},
    {SYNC "m16n8k64.row.col.satfinite.s32.u4.s4.s32", MMA, I8, I8, I32, {4, 2, 4, 4}, NULL, K0, K0, 0},
    {SYNC "m16n8k64.row.col.satfinite.s32.s4.u4.s32", MMA, I8, I8, I32, {4, 2, 4, 4}, NULL, K0, K0, 0},
    {SYNC "m8n8k128.row.col.s32.b1.b1.s32.xor.popc", MMA, I8, I8, I32, {1, 1, 2, 2}, NULL, K0, K0, 0},
    {SYNC "m8n8k128.row.col.s32.b1.b1.s32.and.popc", MMA, I8, I8, I32, {1, 1, 2, 2}, NULL, K0, K0, 0},
    {SYNC "m16n8k128.row.col.s32.b1.b1.s32.xor.popc", MMA, I8, I8, I32, {2, 1, 4, 4}, NULL, K0, K0, 0},
    {SYNC "m16n8k128.row.col.s32.b1.b1.s32.and.popc", MMA, I8, I8, I32, {2, 1, 4, 4}, NULL, K0, K0, 0},
    {SYNC "m16n8k256.row.col.s32.b1.b1.s32.xor.popc", MMA, I8, I8, I32, {4, 2, 4, 4}, NULL, K0, K0, 0},
    {SYNC "m16n8k256.row.col.s32.b1.b1.s32.and.popc", MMA, I8, I8, I32, {4, 2, 4, 4}, NULL, K0, K0, 0},
    {SYNC "m8n8k4.row.col.rz.f64.f64.f64.f64", MMA, F64, F64, F64, {2, 2, 4, 4}, NULL, K0, K0, 0},
    {SYNC "m8n8k4.row.col.rm.f64.f64.f64.f64", MMA, F64, F64, F64, {2, 2, 4, 4}, NULL, K0, K0, 0},
    {SYNC "m8n8k4.row.col.rp.f64.f64.f64.f64", MMA, F64, F64, F64, {2, 2, 4, 4}, NULL, K0, K0, 0},
    {SYNC "m16n8k4.row.col.rz.f64.f64.f64.f64", MMA, F64, F64, F64, {4, 2, 8, 8}, NULL, K0, K0, 0},
    {SYNC "m16n8k4.row.col.rm.f64.f64.f64.f64", MMA, F64, F64, F64, {4, 2, 8, 8}, NULL, K0, K0, 0},
    {SYNC "m16n8k4.row.col.rp.f64.f64.f64.f64", MMA, F64, F64, F64, {4, 2, 8, 8}, NULL, K0, K0, 0},
    {SYNC "m16n8k8.row.col.rz.f64.f64.f64.f64", MMA, F64, F64, F64, {8, 4, 8, 8}, NULL, K0, K0, 0},
    {SYNC "m16n8k8.row.col.rm.f64.f64.f64.f64", MMA, F64, F64, F64, {8, 4, 8, 8}, NULL, K0, K0, 0},
    {SYNC "m16n8k8.row.col.rp.f64.f64.f64.f64", MMA, F64, F64, F64, {8, 4, 8, 8}, NULL, K0, K0, 0},
    {SYNC "m16n8k16.row.col.rz.f64.f64.f64.f64", MMA, F64, F64, F64, {16, 8, 8, 8}, NULL, K0, K0, 0},
    {SYNC "m16n8k16.row.col.rm.f64.f64.f64.f64", MMA, F64, F64, F64, {16, 8, 8, 8}, NULL, K0, K0, 0},
    {SYNC "m16n8k16.row.col.rp.f64.f64.f64.f64", MMA, F64, F64, F64, {16, 8, 8, 8}, NULL, K0, K0, 0},
    /* clang-format on */
};

/* A kernel's shared memory, filled from its input: for WGMMA A's part and B's, else 32 rows of 16 bytes. */
enum { A_PART = 16384, B_PART = 32768, ROWS = 512 };

size_t matrix_form_count(void) { return sizeof forms / sizeof *forms; }
const char *matrix_form_name(size_t i) { return forms[i].text; }

static bool is_wgmma(const struct form *f) { return f->kind == WGMMA || f->kind == WGMMA_REGISTERS; }
static uint32_t smem_bytes(const struct form *f) {
    return is_wgmma(f) ? A_PART + B_PART : f->kind == LOAD || f->kind == STORE ? ROWS : 0;
}
/* Words that a lane reads: all registers, and for LOAD and STORE an address. */
static uint32_t in_words(const struct form *f) {
    switch (f->kind) {
    case LOAD: return 1;
    case STORE: return 1u + f->registers[0];
    case MOVE: return 1;
    default: return (uint32_t)f->registers[0] + f->registers[1] + f->registers[2];
    }
}
static uint32_t out_words(const struct form *f) {
    return f->kind == STORE                     ? ROWS / 4 / 32
           : f->kind == LOAD || f->kind == MOVE ? f->registers[0]
                                                : f->registers[3];
}

struct matrix_size matrix_form_size(size_t i) {
    const struct form *f = &forms[i];
    struct matrix_size s = {.threads = is_wgmma(f) ? 128 : 32};
    s.in_bytes = smem_bytes(f) + 4 * s.threads * in_words(f);
    s.out_bytes = 4 * s.threads * out_words(f);
    return s;
}

/* ---- the text ---- */

struct text {
    char *at;
    size_t left;
};
static void put(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct text *t, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int n = vsnprintf(t->at, t->left, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= t->left) n = 0;
    t->at += n, t->left -= (size_t)n;
}

/* {%v3, %v4, ..} or, of 64-bit elements, {%w1, %w2, ..} */
static void put_vector(struct text *t, enum type type, uint32_t first, uint32_t count) {
    bool wide = type == F64;
    put(t, "{");
    for (uint32_t r = 0; r < (wide ? count / 2 : count); r++)
        put(t, "%s%s%u", r ? ", " : "", wide ? "%w" : "%v", (wide ? first / 2 : first) + r);
    put(t, "}");
}

static void put_smem(struct text *t, const struct form *f, uint32_t threads) {
    if (!smem_bytes(f)) return;
    for (uint32_t at = 0; at < smem_bytes(f); at += 16 * threads)
        put(t,
            "ld.global.v4.b32 {%%x0, %%x1, %%x2, %%x3}, [%%row + %u];\nst.shared.v4.b32 [%%q + %u], {%%x0, "
            "%%x1, %%x2, %%x3};\n",
            at, at);
    if (is_wgmma(f)) put(t, "fence.proxy.async;\n");
    put(t, "bar.sync 0;\n");
}

static void put_descriptor(struct text *t, const char *name, uint32_t part, const struct form *f,
                           const struct layout *l) {
    put(t, "add.u32 %%t, %%s, %u;\nshr.u32 %%t, %%t, 4;\nor.b32 %%t, %%t, 0x%x;\nmov.b64 %s, {%%t, 0x%x};\n",
        part + f->start, (uint32_t)l->lbo / 16 << 16, name, l->sbo / 16u | (uint32_t)l->swizzle << 30);
}

static void put_wgmma(struct text *t, const struct form *f) {
    uint32_t a = f->registers[0];
    put_descriptor(t, "%da", 0, f, &f->la);
    put_descriptor(t, "%db", A_PART, f, &f->lb);
    put(t, "wgmma.fence.sync.aligned;\n%s ", f->text);
    put_vector(t, F32, a, f->registers[3]);
    put(t, ", ");
    if (a) put_vector(t, F32, 0, a);
    else put(t, "%%da");
    put(t, ", %%db, %s;\nwgmma.commit_group.sync.aligned;\nwgmma.wait_group.sync.aligned 0;\n", f->tail);
    for (uint32_t r = 0; r < f->registers[3]; r++) put(t, "mov.b32 %%o%u, %%v%u;\n", r, a + r);
}

static void put_mma(struct text *t, const struct form *f) {
    uint32_t first = 0, words = in_words(f);
    if (f->a == F64)
        for (uint32_t r = 0; r < words / 2; r++)
            put(t, "mov.b64 %%w%u, {%%v%u, %%v%u};\n", r, 2 * r, 2 * r + 1);
    put(t, "%s ", f->text);
    put_vector(t, f->c, words, f->registers[3]); /* %v behind the inputs; %w likewise */
    for (int op = 0; op < 3; op++) {
        put(t, ", ");
        put_vector(t, f->a, first, f->registers[op]);
        first += f->registers[op];
    }
    put(t, ";\n");
    for (uint32_t r = 0; r < f->registers[3]; r++) {
        if (f->a != F64) put(t, "mov.b32 %%o%u, %%v%u;\n", r, words + r);
        else if (r % 2 == 0) put(t, "mov.b64 {%%o%u, %%o%u}, %%w%u;\n", r, r + 1, words / 2 + r / 2);
    }
}

static void put_move(struct text *t, const struct form *f) {
    uint32_t count = f->registers[0];
    if (f->kind == MOVE) {
        put(t, "%s %%o0, %%v0;\n", f->text);
        return;
    }
    put(t, "add.u32 %%v0, %%v0, %%s;\n%s ", f->text);
    if (f->kind == STORE) put(t, "[%%v0], ");
    put_vector(t, F32, f->kind == STORE ? 1 : 8, count);
    if (f->kind == STORE) {
        put(t, ";\nbar.sync 0;\nld.shared.v4.b32 {%%o0, %%o1, %%o2, %%o3}, [%%q];\n");
        return;
    }
    put(t, ", [%%v0];\n");
    for (uint32_t r = 0; r < count; r++) put(t, "mov.b32 %%o%u, %%v%u;\n", r, 8 + r);
}

void matrix_form_text(size_t i, const char *name, char *out, size_t out_bytes) {
    const struct form *f = &forms[i];
    struct matrix_size size = matrix_form_size(i);
    struct text t = {out, out_bytes};
    put(&t, ".visible .entry %s(.param .u64 in, .param .u64 out)\n.reqntid %u, 1, 1\n{\n", name,
        size.threads);
    put(&t, ".reg .b32 %%v<160>, %%o<128>, %%x<4>, %%t, %%s, %%q, %%thread, %%block;\n.reg .f64 %%w<48>;\n"
            ".reg .b64 %%in, %%out, %%row, %%off, %%da, %%db;\n");
    put(&t, "ld.param.u64 %%in, [in];\nld.param.u64 %%out, [out];\nmov.u32 %%thread, %%tid.x;\nmov.u32 "
            "%%block, %%ctaid.x;\n");
    put(&t,
        "mul.wide.u32 %%off, %%block, %u;\nadd.u64 %%in, %%in, %%off;\nmul.wide.u32 %%off, %%block, "
        "%u;\nadd.u64 %%out, %%out, %%off;\n",
        size.in_bytes, size.out_bytes);
    put(&t, "mul.wide.u32 %%row, %%thread, 16;\nadd.u64 %%row, %%in, %%row;\nshl.b32 %%q, %%thread, 4;\n");
    if (smem_bytes(f))
        put(&t, ".shared .align 1024 .b8 smem[%u];\nmov.u32 %%s, smem;\nadd.u32 %%q, %%q, %%s;\n",
            smem_bytes(f));
    put_smem(&t, f, size.threads);
    put(&t, "mul.wide.u32 %%off, %%thread, 4;\nadd.u64 %%in, %%in, %%off;\nadd.u64 %%out, %%out, %%off;\n");
    for (uint32_t r = 0; r < in_words(f); r++)
        put(&t, "ld.global.b32 %%v%u, [%%in + %u];\n", r, smem_bytes(f) + 4 * size.threads * r);
    if (is_wgmma(f)) put_wgmma(&t, f);
    else if (f->kind == MMA) put_mma(&t, f);
    else put_move(&t, f);
    for (uint32_t r = 0; r < out_words(f); r++)
        put(&t, "st.global.b32 [%%out + %u], %%o%u;\n", 4 * size.threads * r, r);
    put(&t, "ret;\n}\n");
}

/* ---- inputs ---- */

static uint64_t next(uint64_t *state) { /* splitmix64 */
    uint64_t z = *state += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

/* The exponent field of an element of this class. */
static uint64_t exponent_of(enum type type, enum matrix_class class, uint64_t bits) {
    uint64_t top = (1ull << types[type].exponent) - 1, bias = top / 2;
    uint64_t most = type == E4M3 ? top : top - 1; /* of the finite ones */
    switch (class) {
    case MATRIX_NARROW: return bias + bits % 5 - 2;
    case MATRIX_WIDE: return bits % (most + 1);
    case MATRIX_CANCEL: return bias + bits % 2;
    case MATRIX_TINY: return bits % 3 ? 0 : bits / 3 % 3;
    case MATRIX_HUGE: return most - bits % 4;
    default: return bits % (top + 1);
    }
}

static uint64_t element(enum type type, enum matrix_class class, uint64_t *state) {
    uint64_t bits = next(state), mantissa_bits = types[type].mantissa,
             mantissa = next(state) & ((1ull << mantissa_bits) - 1);
    if (!types[type].exponent)
        return class == MATRIX_HUGE && type == I32 ? 0x7fffff00 ^ (bits % 2 ? 0 : 0xffffffff) : bits;
    if (class == MATRIX_CANCEL) mantissa &= 3ull << (mantissa_bits - 2);
    if (class == MATRIX_TINY && bits >> 40 & 1) mantissa = 0;
    uint64_t exponent = exponent_of(type, class, bits >> 8 & 0xffffff);
    uint64_t e4m3_nan = type == E4M3 && exponent == 15 && mantissa == 7 && class != MATRIX_ANY;
    return (bits & 1) << (types[type].bits - 1) | exponent << mantissa_bits | (mantissa - e4m3_nan);
}

/* count bytes of elements, or of 32-bit words that hold them: the same, little-endian. */
static uint8_t *fill(uint8_t *to, size_t count, enum type type, enum matrix_class class, uint64_t *state) {
    size_t bytes = types[type].bits / 8;
    for (size_t i = 0; i < count; i += bytes) {
        uint64_t e = element(type, class, state);
        memcpy(to + i, &e, bytes);
    }
    return to + count;
}

/* A register of 64-bit elements is two words: all lanes' low ones, then all high ones. */
static uint8_t *fill_registers(uint8_t *to, uint32_t words, uint32_t threads, enum type type,
                               enum matrix_class class, uint64_t *state) {
    if (type != F64) return fill(to, (size_t)4 * words * threads, type, class, state);
    for (uint32_t r = 0; r < words; r += 2, to += 8 * threads)
        for (uint32_t l = 0; l < threads; l++) {
            uint64_t e = element(F64, class, state);
            memcpy(to + 4 * l, &e, 4);
            memcpy(to + 4 * (threads + l), (uint8_t *)&e + 4, 4);
        }
    return to;
}

/* Rows in any order. */
static uint8_t *fill_addresses(uint8_t *to, uint64_t *state) {
    uint32_t row[32];
    for (uint32_t i = 0; i < 32; i++) row[i] = 16 * i;
    for (uint32_t i = 31; i > 0; i--) {
        uint32_t j = (uint32_t)(next(state) % (i + 1)), t = row[i];
        row[i] = row[j], row[j] = t;
    }
    memcpy(to, row, sizeof row);
    return to + sizeof row;
}

void matrix_form_inputs(size_t i, uint8_t *in) {
    const struct form *f = &forms[i];
    struct matrix_size size = matrix_form_size(i);
    for (uint32_t block = 0; block < MATRIX_BLOCKS; block++) {
        enum matrix_class class = (enum matrix_class)(block / 4);
        uint64_t state = 1000 * i + block;
        uint8_t *at = in + (size_t)block * size.in_bytes;
        if (is_wgmma(f)) {
            at = fill(at, A_PART, f->a, class, &state);
            at = fill(at, B_PART, f->b, class, &state);
        } else if (smem_bytes(f)) {
            at = fill(at, ROWS, I32, class, &state);
            at = fill_addresses(at, &state);
        }
        if (f->kind == STORE || f->kind == MOVE)
            fill_registers(at, f->registers[0], size.threads, I32, class, &state);
        if (f->kind == LOAD || f->kind == STORE || f->kind == MOVE) continue;
        const enum type operand[] = {f->a, f->b, f->c};
        for (int op = 0; op < 3; op++)
            at = fill_registers(at, f->registers[op], size.threads, operand[op], class, &state);
    }
}

uint64_t matrix_hash(const void *bytes, size_t count) { /* FNV-1a */
    uint64_t h = 0xcbf29ce484222325ull;
    for (size_t i = 0; i < count; i++) h = (h ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3ull;
    return h;
}
