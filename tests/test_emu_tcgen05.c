/* tcgen05 in kernels: tensor memory, loads and stores of every shape, multiplies of every kind against
 * float64, commit. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "runtime/emu/half.h"
#include "tests/emu_kernel.h"
#include "tests/test.h"

static const enum emu_order orders[] = {EMU_ORDER_EAGER, EMU_ORDER_LATE, EMU_ORDER_RANDOM};

static uint32_t next(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

/* ---- allocation ---- */

#define ALLOC_HEAD                                                                                           \
    ".extern .shared .align 16 .b8 smem[];\n.visible .entry k(.param .u64 out)\n.reqntid 32,1,1\n{\n"        \
    ".reg .b32 %s, %t, %u;\n.reg .b64 %o;\nmov.b32 %s, smem;\nld.param.u64 %o, [out];\n"
#define ALLOC(n)                                                                                             \
    "tcgen05.alloc.cta_group::1.sync.aligned.shared::cta.b32 [%s], " n ";\nld.shared.b32 %t, [%s];\n"
#define DEALLOC(t, n) "tcgen05.dealloc.cta_group::1.sync.aligned.b32 " t ", " n ";\n"
#define RELINQUISH    "tcgen05.relinquish_alloc_permit.cta_group::1.sync.aligned;\n"

static const struct {
    const char *name, *ptx, *says;
} allocations[] = {
    /* says: NULL when it must run through */
    {"alloc, dealloc", ALLOC_HEAD ALLOC("64") RELINQUISH DEALLOC("%t", "64") "ret;\n}\n", NULL},
    {"two blocks, shrinking",
     ALLOC_HEAD ALLOC("256") "mov.b32 %u, %t;\n" ALLOC("128") DEALLOC("%t", "128")
         DEALLOC("%u", "256") "ret;\n}\n",
     NULL},
    {"leak", ALLOC_HEAD ALLOC("64") "ret;\n}\n", "TMEM leak"},
    {"alloc after relinquish", ALLOC_HEAD RELINQUISH ALLOC("64") "ret;\n}\n", "after relinquish"},
    {"growing", ALLOC_HEAD ALLOC("32") ALLOC("64") "ret;\n}\n", "must not grow"},
    {"48 columns", ALLOC_HEAD ALLOC("48") "ret;\n}\n", "powers of two"},
    {"1024 columns", ALLOC_HEAD ALLOC("1024") "ret;\n}\n", "powers of two"},
    {"dealloc of nothing", ALLOC_HEAD "mov.b32 %t, 0;\n" DEALLOC("%t", "64") "ret;\n}\n",
     "no such allocation"},
    {"dealloc of half", ALLOC_HEAD ALLOC("64") DEALLOC("%t", "32") "ret;\n}\n", "no such allocation"},
    {"dealloc twice", ALLOC_HEAD ALLOC("64") DEALLOC("%t", "64") DEALLOC("%t", "64") "ret;\n}\n",
     "no such allocation"},
    {"more than there is", ALLOC_HEAD ALLOC("512") ALLOC("32") "ret;\n}\n", "columns of tensor memory"},
    {"two groups",
     ALLOC_HEAD ALLOC("64") "tcgen05.relinquish_alloc_permit.cta_group::2.sync.aligned;\nret;\n}\n", "peer"},
    {"load outside the allocation",
     ALLOC_HEAD ALLOC("32") "tcgen05.ld.sync.aligned.32x32b.x1.b32 {%u}, [%t + 32];\nret;\n}\n",
     "not all of these columns"},
    {"load of another warp's quarter",
     ALLOC_HEAD ALLOC(
         "32") "add.u32 %t, %t, 0x200000;\ntcgen05.ld.sync.aligned.32x32b.x1.b32 {%u}, [%t];\nret;\n}\n",
     "reaches lanes 0 to 31"},
};

ParameterizedTestParameters(emu_tcgen05, allocation) { return wl_test_rows(WL_LEN(allocations)); }
ParameterizedTest(size_t *i, emu_tcgen05, allocation) {
    for (size_t o = 0; o < WL_LEN(orders); o++) {
        char report[4096];
        uint64_t out = 0;
        struct emu_kernel k = {allocations[*i].ptx, 1, 32, 1, 64, &out, sizeof out};
        int result = emu_kernel_run(&k, orders[o], 1, report, sizeof report);
        if (!allocations[*i].says) cr_expect_eq(result, 0, "%s: %s", allocations[*i].name, report);
        else
            cr_expect(result > 0 && strstr(report, allocations[*i].says),
                      "%s (order %d): %d '%s' does not say '%s'", allocations[*i].name, orders[o], result,
                      report, allocations[*i].says);
    }
}

/* ---- loads and stores ---- */

/* Tensor memory is filled with lane << 16 | column by 32x32b.x1 stores, then read in a shape; or the other
 * way round. */
static const struct {
    const char *shape;
    uint32_t per_x, columns_per_x, most_x;
} shapes[] = {{"32x32b", 1, 1, 128},
              {"16x64b", 1, 2, 128},
              {"16x128b", 2, 4, 64},
              {"16x256b", 4, 8, 32},
              {"16x32bx2", 1, 1, 128}};

static void expected_cell(size_t shape, uint32_t r, uint32_t l, uint32_t split, uint32_t *lane,
                          uint32_t *column) {
    switch (shape) { /* facts 4.5 */
    case 0: *lane = l, *column = r; break;
    case 1: *lane = l / 4 + 8 * (l % 2), *column = l / 2 % 2 + 2 * r; break;
    case 2: *lane = l / 4 + 8 * (r % 2), *column = l % 4 + 4 * (r / 2); break;
    case 3: *lane = l / 4 + 8 * (r / 2 % 2), *column = 2 * (l % 4) + r % 2 + 8 * (r / 4); break;
    default: *lane = l % 16, *column = l < 16 ? r : split + r; break;
    }
}

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
    t->at += n, t->left -= (size_t)n;
}

static void put_vector(struct text *t, uint32_t count) {
    put(t, "{");
    for (uint32_t r = 0; r < count; r++) put(t, "%s%%v%u", r ? ", " : "", r);
    put(t, "}");
}

/* Warps 0..3 fill 256 columns, read `x` registers at column 8, lane 0 or 16 of their quarter, and write them
 * out. */
static char *load_kernel(size_t shape, uint32_t x, uint32_t half, bool pack, bool store_first) {
    static char ptx[1 << 16];
    struct text t = {ptx, sizeof ptx};
    uint32_t count = x * shapes[shape].per_x;
    const char *split = shape == 4 ? ", 64" : "";
    put(&t,
        ".extern .shared .align 16 .b8 smem[];\n.visible .entry k(.param .u64 out)\n.reqntid 128,1,1\n{\n"
        ".reg .b32 %%s, %%t, %%w, %%l, %%c, %%x, %%a, %%th;\n.reg .b32 %%v<128>;\n.reg .b64 %%o, %%d;\n.reg "
        ".pred %%p;\n"
        "mov.b32 %%s, smem;\nld.param.u64 %%o, [out];\nmov.u32 %%th, %%tid.x;\nshr.u32 %%w, %%th, 5;\n"
        "setp.ne.u32 %%p, %%w, 0;\n@%%p bra READY;\n"
        "tcgen05.alloc.cta_group::1.sync.aligned.shared::cta.b32 [%%s], 256;\nREADY:\nbar.sync 0;\n"
        "ld.shared.b32 %%t, [%%s];\nshl.b32 %%l, %%w, 21;\nadd.u32 %%a, %%t, %%l;\nmov.u32 %%c, 0;\n"
        "FILL:\nshl.b32 %%x, %%th, 16;\nor.b32 %%x, %%x, %%c;\nadd.u32 %%l, %%a, %%c;\n"
        "tcgen05.st.sync.aligned.32x32b.x1.b32 [%%l], {%%x};\nadd.u32 %%c, %%c, 1;\nsetp.lt.u32 %%p, %%c, "
        "256;\n@%%p bra FILL;\n"
        "tcgen05.wait::st.sync.aligned;\nadd.u32 %%a, %%a, %u;\n",
        half << 16 | 8);
    if (store_first) { /* what is loaded is stored back 100 columns on with 16-bit halves apart, and must read
                          the same */
        put(&t, "tcgen05.ld.sync.aligned.%s.x%u.b32 ", shapes[shape].shape, x);
        put_vector(&t, count);
        put(&t,
            ", [%%a]%s;\ntcgen05.wait::ld.sync.aligned;\ntcgen05.st.sync.aligned.%s.x%u.unpack::16b.b32 [%%a "
            "+ 100]%s, ",
            split, shapes[shape].shape, x, split);
        put_vector(&t, count);
        put(&t, ";\ntcgen05.wait::st.sync.aligned;\nadd.u32 %%a, %%a, 100;\n");
    }
    put(&t, "tcgen05.ld.sync.aligned.%s.x%u%s.b32 ", shapes[shape].shape, x, pack ? ".pack::16b" : "");
    put_vector(&t, count);
    put(&t,
        ", [%%a]%s;\ntcgen05.wait::ld.sync.aligned;\nmul.wide.u32 %%d, %%th, %u;\nadd.u64 %%o, %%o, %%d;\n",
        split, count * 4);
    for (uint32_t r = 0; r < count; r++) put(&t, "st.global.b32 [%%o + %u], %%v%u;\n", 4 * r, r);
    put(&t, "bar.sync 0;\nsetp.ne.u32 %%p, %%w, 0;\n@%%p bra END;\n"
            "tcgen05.dealloc.cta_group::1.sync.aligned.b32 %%t, 256;\nEND:\nret;\n}\n");
    return ptx;
}

static void check_load(size_t shape, uint32_t x, uint32_t half, bool pack, bool store_first) {
    uint32_t count = x * shapes[shape].per_x;
    uint32_t *out = emu_kernel_memory(128 * 128 * 4);
    char report[4096];
    struct emu_kernel k = {load_kernel(shape, x, half, pack, store_first), 1, 128, 1, 64, &out, sizeof out};
    int result = emu_kernel_run(&k, EMU_ORDER_LATE, 1, report, sizeof report);
    cr_assert_eq(result, 0, "%s.x%u: %s", shapes[shape].shape, x, report);
    for (uint32_t thread = 0; thread < 128; thread++)
        for (uint32_t r = 0; r < count; r++) {
            uint32_t lane, column;
            expected_cell(shape, r, thread % 32, 64, &lane, &column);
            lane += thread / 32 * 32 + half;
            uint32_t first = shape == 4 && thread % 32 >= 16 && pack && !store_first
                                 ? 8 + 64 + 2 * (column - 64)
                                 : 8 + column;
            if (pack && !store_first && !(shape == 4 && thread % 32 >= 16)) first = 8 + 2 * column;
            uint32_t expected =
                pack && !store_first ? (first & 0xffff) | (first + 1) << 16 : lane << 16 | first;
            cr_assert_eq(out[thread * count + r], expected,
                         "%s.x%u half %u pack %d: thread %u register %u is %08x, expected %08x",
                         shapes[shape].shape, x, half, pack, thread, r, out[thread * count + r], expected);
        }
}

Test(emu_tcgen05, loads_of_every_shape) {
    for (size_t s = 0; s < WL_LEN(shapes); s++)
        for (uint32_t x = 1; x <= shapes[s].most_x && x * shapes[s].columns_per_x <= 128; x *= 2)
            for (uint32_t half = 0; half <= (s ? 16u : 0u); half += 16) check_load(s, x, half, false, false);
}
Test(emu_tcgen05, packed_loads_of_every_shape) {
    for (size_t s = 0; s < WL_LEN(shapes); s++)
        for (uint32_t x = 1; x * shapes[s].columns_per_x <= 32; x *= 2) check_load(s, x, 0, true, false);
}
Test(emu_tcgen05, unpacked_stores_of_every_shape) {
    for (size_t s = 0; s < WL_LEN(shapes); s++)
        for (uint32_t x = 1; x * shapes[s].columns_per_x <= 16; x *= 2) check_load(s, x, 0, true, true);
}

/* ---- multiplies ---- */

struct mma_params { /* of the kernel below */
    uint64_t image, out;
    uint32_t bytes, idesc;
    uint64_t a, b, a_step, b_step;
    uint32_t steps, columns;
};

/* Each CTA gets its image in shared memory (offset 0x400) by a bulk copy; A may go on to tensor memory,
 * column 256, 8 columns a step; then `steps` instructions, commit, and columns x 128 words of D to out. %s: A
 * operand. */
static const char mma_head[] =
    ".extern .shared .align 1024 .b8 smem[];\n"
    ".visible .entry k(.param .u64 image, .param .u64 out, .param .u32 bytes, .param .u32 idesc, .param .u64 "
    "a, .param .u64 b,"
    " .param .u64 a_step, .param .u64 b_step, .param .u32 steps, .param .u32 columns)\n.reqntid 128,1,1\n{\n"
    ".reg .b32 %th, %w, %bytes, %idesc, %steps, %columns, %s, %t, %x, %y, %i, %rank, %at;\n"
    ".reg .b32 %l<4>;\n.reg .b16 %h;\n.reg .b64 %image, %out, %a, %b, %as, %bs, %d;\n.reg .pred %p, %first, "
    "%done, %issuer;\n"
    "ld.param.u64 %image, [image];\nld.param.u64 %out, [out];\nld.param.u32 %bytes, [bytes];\nld.param.u32 "
    "%idesc, [idesc];\n"
    "ld.param.u64 %a, [a];\nld.param.u64 %b, [b];\nld.param.u64 %as, [a_step];\nld.param.u64 %bs, [b_step];\n"
    "ld.param.u32 %steps, [steps];\nld.param.u32 %columns, [columns];\n"
    "mov.u32 %th, %tid.x;\nshr.u32 %w, %th, 5;\nmov.b32 %s, smem;\nmov.u32 %rank, %cluster_ctarank;\n"
    "mul.wide.u32 %d, %rank, %bytes;\nadd.u64 %image, %image, %d;\n"
    "setp.ne.u32 %p, %w, 0;\n@%p bra SET;\n";

static const char mma_load[] =
    "tcgen05.alloc.cta_group::$GROUP.sync.aligned.shared::cta.b32 [%s + $POINTER], 512;\n"
    "setp.ne.u32 %p, %th, 0;\n@%p bra SET;\n"
    "mbarrier.init.shared::cta.b64 [%s + $BARS], 1;\nmbarrier.init.shared::cta.b64 [%s + $BARS + 8], 1;\n"
    "fence.mbarrier_init.release.cluster;\n"
    "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%s + $BARS], %bytes;\n"
    "cp.async.bulk.shared::cta.global.mbarrier::complete_tx::bytes [%s], [%image], %bytes, [%s + $BARS];\n"
    "SET:\nbar.sync 0;\nbarrier.cluster.arrive.release.aligned;\nbarrier.cluster.wait.acquire.aligned;\n"
    "ld.shared.b32 %t, [%s + $POINTER];\n"
    "WAIT:\nmbarrier.try_wait.parity.shared::cta.b64 %done, [%s + $BARS], 0;\n@!%done bra WAIT;\n";

static const char mma_to_tmem[] = /* A's image, 8 words a step and row, word by word */
    "mul.lo.u32 %i, %steps, 8;\nmov.u32 %at, 0;\n"
    "TO:\nmul.lo.u32 %x, %at, 512;\nshl.b32 %y, %th, 2;\nadd.u32 %x, %x, %y;\nadd.u32 %x, %x, "
    "%s;\nld.shared.b32 %x, [%x];\n"
    "and.b32 %y, %th, 96;\nshl.b32 %y, %y, 16;\nadd.u32 %y, %y, %t;\nadd.u32 %y, %y, %at;\n"
    "tcgen05.st.sync.aligned.32x32b.x1.b32 [%y + 256], {%x};\nadd.u32 %at, %at, 1;\nsetp.lt.u32 %p, %at, "
    "%i;\n@%p bra TO;\n"
    "tcgen05.wait::st.sync.aligned;\ntcgen05.fence::before_thread_sync;\nbar.sync "
    "0;\ntcgen05.fence::after_thread_sync;\n";

static const char mma_body[] =
    "barrier.cluster.arrive.release.aligned;\nbarrier.cluster.wait.acquire.aligned;\n"
    "or.b32 %x, %th, %rank;\nsetp.ne.u32 %p, %x, 0;\n@%p bra ISSUED;\n"
    "mov.u32 %i, 0;\nmov.b32 %y, %t;\nadd.u32 %y, %y, 256;\nmov.b16 %h, 3;\n"
    "mov.b32 %l0, 15;\nmov.b32 %l1, 0;\nmov.b32 %l2, 0x80000000;\n"
    "MMA:\nsetp.ne.u32 %first, %i, 0;\n"
    "tcgen05.mma.cta_group::$GROUP.kind::$KIND [%t], $A, %b, %idesc, $LANES%first;\n"
    "add.u64 %a, %a, %as;\nadd.u64 %b, %b, %bs;\nadd.u32 %y, %y, 8;\n"
    "add.u32 %i, %i, 1;\nsetp.lt.u32 %p, %i, %steps;\n@%p bra MMA;\n"
    "tcgen05.commit.cta_group::$GROUP.mbarrier::arrive::one.shared::cluster$COMMIT;\n"
    "ISSUED:\n";

static const char mma_wait[] =
    "DONE:\nmbarrier.try_wait.parity.shared::cta.b64 %done, [%s + $BARS + 8], 0;\n@!%done bra DONE;\n"
    "tcgen05.fence::after_thread_sync;\n";

static const char mma_read[] =
    "mul.wide.u32 %d, %rank, %columns;\nshl.b64 %d, %d, 9;\nadd.u64 %out, %out, %d;\n"
    "mul.wide.u32 %d, %th, 4;\nadd.u64 %out, %out, %d;\nand.b32 %y, %th, 96;\nshl.b32 %y, %y, 16;\nadd.u32 "
    "%y, %y, %t;\n"
    "mov.u32 %i, 0;\n"
    "OUT:\nadd.u32 %x, %y, %i;\ntcgen05.ld.sync.aligned.32x32b.x1.b32 {%x}, "
    "[%x];\ntcgen05.wait::ld.sync.aligned;\n"
    "st.global.b32 [%out], %x;\nadd.u64 %out, %out, 512;\nadd.u32 %i, %i, 1;\nsetp.lt.u32 %p, %i, "
    "%columns;\n@%p bra OUT;\n";

static const char mma_tail[] =
    "bar.sync 0;\nbarrier.cluster.arrive.release.aligned;\nbarrier.cluster.wait.acquire.aligned;\n"
    "setp.ne.u32 %p, %w, 0;\n@%p bra END;\ntcgen05.dealloc.cta_group::$GROUP.sync.aligned.b32 %t, "
    "512;\nEND:\nret;\n}\n";

enum type { BF16, F16, TF32, E4M3, S8 };
static const struct {
    const char *kind;
    uint32_t bytes, k, code;
} types[] = {{"f16", 2, 16, 1}, {"f16", 2, 16, 0}, {"tf32", 4, 8, 2}, {"f8f6f4", 1, 32, 0}, {"i8", 1, 32, 1}};

static const struct mma_case {
    const char *name;
    enum type type;
    uint32_t group, m, n, steps, span; /* span: swizzle, 16 is none */
    bool a_mn, b_mn, a_tmem, d_f16;
} cases[] = {
    /* clang-format off */
    {"bf16 128x128 K-major 128B",          BF16, 1, 128, 128, 4, 128, 0, 0, 0, 0},
    {"bf16 128x128 B N-major",             BF16, 1, 128, 128, 4, 128, 0, 1, 0, 0},
    {"bf16 128x64 both MN-major",          BF16, 1, 128,  64, 4, 128, 1, 1, 0, 0},
    {"bf16 128x256",                       BF16, 1, 128, 256, 4, 128, 0, 0, 0, 0},
    {"bf16 128x8",                         BF16, 1, 128,   8, 4, 128, 0, 0, 0, 0},
    {"bf16 128x40 64B",                    BF16, 1, 128,  40, 2,  64, 0, 0, 0, 0},
    {"bf16 128x64 32B",                    BF16, 1, 128,  64, 1,  32, 0, 0, 0, 0},
    {"bf16 128x64 no swizzle",             BF16, 1, 128,  64, 2,  16, 0, 0, 0, 0},
    {"bf16 128x64 no swizzle MN-major",    BF16, 1, 128,  64, 2,  16, 1, 1, 0, 0},
    {"bf16 128x64 64B MN-major",           BF16, 1, 128,  64, 2,  64, 1, 1, 0, 0},
    {"bf16 64x128",                        BF16, 1,  64, 128, 4, 128, 0, 0, 0, 0},
    {"bf16 128x128 A in TMEM",             BF16, 1, 128, 128, 8, 128, 0, 1, 1, 0},
    {"f16 128x128 A in TMEM",              F16,  1, 128, 128, 4, 128, 0, 0, 1, 0},
    {"f16 128x128",                        F16,  1, 128, 128, 4, 128, 0, 0, 0, 0},
    {"f16 128x64 to f16",                  F16,  1, 128,  64, 4, 128, 0, 0, 0, 1},
    {"tf32 128x64",                        TF32, 1, 128,  64, 4, 128, 0, 0, 0, 0},
    {"e4m3 128x64",                        E4M3, 1, 128,  64, 4, 128, 0, 0, 0, 0},
    {"e4m3 128x128 B N-major",             E4M3, 1, 128, 128, 4, 128, 0, 1, 0, 0},
    {"s8 128x64",                          S8,   1, 128,  64, 4, 128, 0, 0, 0, 0},
    {"bf16 pair 256x128",                  BF16, 2, 256, 128, 4, 128, 0, 0, 0, 0},
    {"bf16 pair 256x128 B N-major",        BF16, 2, 256, 128, 4, 128, 0, 1, 0, 0},
    {"bf16 pair 256x256 A in TMEM",        BF16, 2, 256, 256, 4, 128, 0, 0, 1, 0},
    {"bf16 pair 128x128 both MN-major",    BF16, 2, 128, 128, 4, 128, 1, 1, 0, 0},
    /* clang-format on */
};

static uint32_t encode(enum type type, double v) {
    switch (type) {
    case BF16: return emu_f32_to_bf16((float)v);
    case F16: return emu_f32_to_f16((float)v);
    case TF32: return emu_bits_of_f32((float)v);
    case S8: return (uint8_t)(int8_t)v;
    default: { /* e4m3 of a multiple of 1/8 below 2 */
        uint32_t sign = v < 0 ? 0x80 : 0, n = (uint32_t)(fabs(v) * 8);
        if (!n) return sign;
        uint32_t top = 31 - (uint32_t)__builtin_clz(n); /* n = 1.f * 2^top eighths */
        return sign | (top + 4) << 3 | ((n << (3 - top)) & 7);
    }
    }
}

/* A value that every type holds exactly. */
static double sample(enum type type, uint64_t *state) {
    int n = (int)(next(state) % 31) - 15;
    return type == S8 ? n * 8 : n / 8.0;
}

/* Where the canonical layouts put element (mn, k) of a rows x (steps * k) operand: facts 1.2, written out
 * again. */
static uint32_t place(const struct mma_case *c, bool mn_major, uint32_t rows, uint32_t mn, uint32_t k) {
    uint32_t es = types[c->type].bytes, span = c->span, k_total = c->steps * types[c->type].k, at;
    if (!mn_major) { /* blocks of `span` bytes of K, each rows x span */
        uint32_t kb = k * es;
        at = span == 16 ? kb / 16 * (rows * 16) + mn * 16 + kb % 16
                        : kb / span * (rows * span) + mn * span + kb % span;
    } else { /* blocks of `span` bytes of MN, each k_total x span */
        uint32_t mb = mn * es;
        at = mb / span * (k_total * span) + k * span + mb % span;
    }
    if (span == 128) at ^= at >> 3 & 0x70;
    if (span == 64) at ^= at >> 3 & 0x30;
    if (span == 32) at ^= at >> 3 & 0x10;
    return at;
}

static uint64_t descriptor(const struct mma_case *c, bool mn_major, uint32_t rows, uint32_t start) {
    uint64_t lbo, sbo, mode = c->span == 128 ? 2 : c->span == 64 ? 4 : c->span == 32 ? 6 : 0;
    uint32_t k_total = c->steps * types[c->type].k;
    if (!mn_major) lbo = c->span == 16 ? rows * 16 : 16, sbo = 8 * c->span;
    else if (c->span == 16) lbo = 128, sbo = k_total * 16;
    else lbo = k_total * c->span, sbo = 8 * c->span;
    return mode << 61 | 1ull << 46 | sbo >> 4 << 32 | lbo >> 4 << 16 | start >> 4;
}

/* What the start address advances by for the next instruction; K-major stays within one block of the swizzle.
 */
static uint64_t step_of(const struct mma_case *c, bool mn_major, uint32_t rows) {
    if (mn_major) return types[c->type].k * c->span >> 4;
    return c->span == 16 ? 2 * rows * 16 >> 4 : 2;
}

/* The lane and column of D's row i (of its CTA) and column j: facts 4.2. */
static uint32_t cell(const struct mma_case *c, uint32_t i, uint32_t j) {
    uint32_t rows = c->m / c->group;
    if (rows == 128) return j * 128 + i;
    if (c->group == 2) return j % (c->n / 2) * 128 + i + 64 * (j / (c->n / 2));
    return j * 128 + 32 * (i / 16) + i % 16;
}

enum { BARRIERS = 131072, POINTER = BARRIERS + 32 };

/* Text with each $NAME replaced. */
static void put_text(struct text *t, const char *text, const char *const names[][2], size_t count) {
    while (*text) {
        size_t plain = strcspn(text, "$"), i = 0;
        put(t, "%.*s", (int)plain, text);
        text += plain;
        if (!*text) return;
        while (i < count && strncmp(text + 1, names[i][0], strlen(names[i][0])) != 0) i++;
        cr_assert(i < count, "%.20s", text);
        put(t, "%s", names[i][1]);
        text += 1 + strlen(names[i][0]);
    }
}

static char *mma_kernel(const struct mma_case *c, bool wait, const char *lanes) {
    static char ptx[16384];
    char commit[128];
    struct text t = {ptx, sizeof ptx};
    snprintf(commit, sizeof commit,
             c->group == 2 ? ".multicast::cluster.b64 [%%s + %u], %%h" : ".b64 [%%s + %u]", BARRIERS + 8);
    char bars[16], group[4], pointer[16];
    snprintf(bars, sizeof bars, "%u", BARRIERS);
    snprintf(group, sizeof group, "%u", c->group);
    snprintf(pointer, sizeof pointer, "%u", POINTER);
    const char *const names[][2] = {{"BARS", bars},
                                    {"GROUP", group},
                                    {"POINTER", pointer},
                                    {"KIND", types[c->type].kind},
                                    {"A", c->a_tmem ? "[%y]" : "%a"},
                                    {"LANES", lanes},
                                    {"COMMIT", commit}};
    const char *const parts[] = {mma_head,
                                 mma_load,
                                 c->a_tmem ? mma_to_tmem : "",
                                 mma_body,
                                 wait ? mma_wait : "",
                                 mma_read,
                                 wait ? "" : mma_wait,
                                 mma_tail};
    for (size_t i = 0; i < WL_LEN(parts); i++) put_text(&t, parts[i], names, WL_LEN(names));
    return ptx;
}

struct operands {
    double *a, *b;
    uint8_t *image;
    uint32_t bytes, b_start;
};

static struct operands make_operands(const struct mma_case *c, uint64_t seed) {
    uint32_t k = c->steps * types[c->type].k, rows = c->m / c->group, share = c->n / c->group,
             es = types[c->type].bytes;
    struct operands o = {.a = malloc(c->m * k * sizeof(double)), .b = malloc(c->n * k * sizeof(double))};
    o.b_start = (128 * k * es + 1023) / 1024 * 1024; /* A takes 128 rows in tensor memory */
    o.bytes = o.b_start + (share * k * es + 1023) / 1024 * 1024;
    o.image = emu_kernel_memory((size_t)o.bytes * c->group);
    memset(o.image, 0, (size_t)o.bytes * c->group);
    for (uint32_t i = 0; i < c->m * k; i++) o.a[i] = sample(c->type, &seed);
    for (uint32_t i = 0; i < c->n * k; i++) o.b[i] = sample(c->type, &seed);
    for (uint32_t cta = 0; cta < c->group; cta++)
        for (uint32_t x = 0; x < k; x++) {
            uint8_t *image = o.image + (size_t)cta * o.bytes;
            for (uint32_t i = 0; i < rows; i++) {
                uint32_t bits = encode(c->type, o.a[(cta * rows + i) * k + x]);
                /* in tensor memory: word (x * es / 4) of row i, little end first */
                uint32_t at =
                    c->a_tmem ? x * es / 4 * 512 + i * 4 + x * es % 4 : place(c, c->a_mn, rows, i, x);
                memcpy(image + at, &bits, es);
            }
            for (uint32_t j = 0; j < share; j++) {
                uint32_t bits = encode(c->type, o.b[(cta * share + j) * k + x]);
                memcpy(image + o.b_start + place(c, c->b_mn, share, j, x), &bits, es);
            }
        }
    return o;
}

static uint32_t idesc_of(const struct mma_case *c) {
    uint32_t d = c->type == S8 ? 2 : c->d_f16 ? 0 : 1, code = types[c->type].code;
    return d << 4 | code << 7 | code << 10 | (uint32_t)c->a_mn << 15 | (uint32_t)c->b_mn << 16 |
           c->n / 8 << 17 | c->m / 16 << 24;
}

/* Runs a case; D comes back as group x columns x 128 words. */
static int run_case(const struct mma_case *c, const struct operands *o, const char *ptx, enum emu_order order,
                    uint32_t **out, char *report, size_t report_bytes) {
    uint32_t rows = c->m / c->group, share = c->n / c->group,
             columns = rows == 64 && c->group == 2 ? c->n / 2 : c->n;
    *out = emu_kernel_memory((size_t)c->group * columns * 512);
    struct mma_params p = {.image = (uint64_t)(uintptr_t)o->image,
                           .out = (uint64_t)(uintptr_t)*out,
                           .bytes = o->bytes,
                           .idesc = idesc_of(c),
                           .a = descriptor(c, c->a_mn, rows, 0x400),
                           .b = descriptor(c, c->b_mn, share, 0x400 + o->b_start),
                           .a_step = step_of(c, c->a_mn, rows),
                           .b_step = step_of(c, c->b_mn, share),
                           .steps = c->steps,
                           .columns = columns};
    struct emu_kernel k = {ptx, c->group, 128, c->group, POINTER + 16, &p, sizeof p};
    return emu_kernel_run(&k, order, 3, report, report_bytes);
}

static double value_of(const struct mma_case *c, uint32_t word) {
    if (c->type == S8) return (int32_t)word;
    return c->d_f16 ? emu_f16_to_f32((uint16_t)word) : emu_f32_of_bits(word);
}

static double expected(const struct mma_case *c, const struct operands *o, uint32_t i, uint32_t j) {
    uint32_t k = c->steps * types[c->type].k;
    double sum = 0;
    for (uint32_t x = 0; x < k; x++) sum += o->a[i * k + x] * o->b[j * k + x];
    return c->d_f16 ? emu_f16_to_f32(emu_f32_to_f16((float)sum)) : sum;
}

ParameterizedTestParameters(emu_tcgen05, mma) { return wl_test_rows(WL_LEN(cases)); }
ParameterizedTest(size_t *i, emu_tcgen05, mma) {
    const struct mma_case *c = &cases[*i];
    struct operands o = make_operands(c, 42);
    uint32_t rows = c->m / c->group, columns = rows == 64 && c->group == 2 ? c->n / 2 : c->n;
    for (size_t order = 0; order < WL_LEN(orders); order++) {
        uint32_t *out;
        char report[4096];
        int result = run_case(c, &o, mma_kernel(c, true, ""), orders[order], &out, report, sizeof report);
        cr_assert_eq(result, 0, "%s: %s", c->name, report);
        for (uint32_t m = 0; m < c->m; m++)
            for (uint32_t n = 0; n < c->n; n++) { /* small multiples of 1/64: every sum is exact */
                uint32_t word = out[(size_t)(m / rows) * columns * 128 + cell(c, m % rows, n)];
                double got = value_of(c, word), want = expected(c, &o, m, n);
                bool close = c->d_f16 ? fabs(got - want) <= 0x1p-9 * (1 + fabs(want)) : got == want;
                cr_assert(close, "%s, order %d: D(%u, %u) is %g, expected %g", c->name, orders[order], m, n,
                          got, want);
            }
    }
}

/* Without the wait for the commit, late order shows what was there before: nothing hides the missing wait. */
Test(emu_tcgen05, missing_wait_shows_under_late_order) {
    const struct mma_case *c = &cases[0];
    struct operands o = make_operands(c, 1);
    uint32_t *out;
    char report[4096];
    cr_assert_eq(run_case(c, &o, mma_kernel(c, false, ""), EMU_ORDER_EAGER, &out, report, sizeof report), 0,
                 "%s", report);
    cr_expect_eq(value_of(c, out[5 * 128 + 3]), expected(c, &o, 3, 5), "eager: the MMA has happened");
    cr_assert_eq(run_case(c, &o, mma_kernel(c, false, ""), EMU_ORDER_LATE, &out, report, sizeof report), 0,
                 "%s", report);
    cr_expect(isnan(value_of(c, out[5 * 128 + 3])), "late: D must still be untouched, it is %g",
              value_of(c, out[5 * 128 + 3]));
}

Test(emu_tcgen05, disabled_lanes_keep_what_they_had) {
    const struct mma_case *c = &cases[0];
    struct operands o = make_operands(c, 2);
    uint32_t *out;
    char report[4096];
    const char *ptx = mma_kernel(c, true, "{%l0, %l1, %l2, %l1}, ");
    cr_assert_eq(run_case(c, &o, ptx, EMU_ORDER_EAGER, &out, report, sizeof report), 0, "%s", report);
    for (uint32_t m = 0; m < 128; m++) {
        bool disabled = m < 4 || m == 95;
        double got = value_of(c, out[7 * 128 + m]);
        cr_expect(disabled ? isnan(got) : got == expected(c, &o, m, 7), "lane %u is %g", m, got);
    }
}

Test(emu_tcgen05, illegal_descriptors_are_named) {
    const struct mma_case *c = &cases[0];
    struct operands o = make_operands(c, 2);
    struct mma_case bad = *c;
    uint32_t *out;
    char report[4096];
    bad.m = 192; /* the shape is told by the instruction descriptor alone */
    bad.group = 1;
    cr_expect_eq(run_case(&bad, &o, mma_kernel(c, true, ""), EMU_ORDER_EAGER, &out, report, sizeof report),
                 715);
    cr_expect(strstr(report, "M = 192 is not legal") && strstr(report, "tcgen05.mma"), "%s", report);
}
