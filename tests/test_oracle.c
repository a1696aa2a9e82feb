/* PTX that another compiler made: Triton, of tests/oracle/kernels.py, ahead of time for sm_80, sm_90a and
 * sm_100a (make.py there says how). Every kernel runs under three orders and is compared with float64. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/emu/half.h"
#include "tests/emu_run.h"
#include "tests/test.h"

static const struct oracle {
    const char *name, *entry, *device;
    uint32_t threads, smem, scratch, ctas; /* scratch: global memory of a block; ctas: of a cluster */
} oracles[] = {
#define ORACLE(name, entry, device, threads, smem, scratch, ctas)                                            \
    {#name, entry, device, threads, smem, scratch, ctas},
#include "tests/oracle/oracle.def"
#undef ORACLE
};

/* ---- elements ---- */

enum type { F64, F32, F16, BF16, E4M3, E5M2, I8, I32 };
static const uint8_t bytes_of[] = {
    [F64] = 8, [F32] = 4, [F16] = 2, [BF16] = 2, [E4M3] = 1, [E5M2] = 1, [I8] = 1, [I32] = 4};

static double e4m3(uint8_t x) {
    int exponent = x >> 3 & 15, mantissa = x & 7;
    double magnitude = exponent ? ldexp(8 + mantissa, exponent - 10) : ldexp(mantissa, -9);
    return x & 0x80 ? -magnitude : magnitude;
}

static double get(const void *array, enum type type, size_t i) {
    const uint8_t *at = (const uint8_t *)array + i * bytes_of[type];
    double d;
    float f;
    uint16_t half;
    int32_t word;
    switch (type) {
    case F64: return memcpy(&d, at, 8), d;
    case F32: return memcpy(&f, at, 4), f;
    case F16: return memcpy(&half, at, 2), emu_f16_to_f32(half);
    case BF16: return memcpy(&half, at, 2), emu_bf16_to_f32(half);
    case E4M3: return e4m3(*at);
    case E5M2: return emu_f16_to_f32((uint16_t)(*at << 8));
    case I8: return (int8_t)*at;
    default: return memcpy(&word, at, 4), word;
    }
}

static uint64_t state;
static uint32_t next(void) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33);
}

/* Between -2 and 2, or any bits where a byte is an element (but NaN). */
static void make(void *array, enum type type, size_t count) {
    for (size_t i = 0; i < count; i++) {
        uint8_t *at = (uint8_t *)array + i * bytes_of[type], byte = (uint8_t)next();
        float f = (float)(int32_t)(next() & 0xffff) / 16384.0f - 2.0f;
        double d = f + 1e-9 * (double)(next() & 0xffff);
        uint16_t half = type == F16 ? emu_f32_to_f16(f) : emu_f32_to_bf16(f);
        if (type == F64) memcpy(at, &d, 8);
        else if (type == F32) memcpy(at, &f, 4);
        else if (type == F16 || type == BF16) memcpy(at, &half, 2);
        else if (type == E5M2) *at = (uint8_t)((byte & 0x83) | ((byte & 0x3c) % 24 + 48));
        else *at = type == E4M3 && (byte & 0x7f) == 0x7f ? 1 : byte;
    }
}

/* ---- a launch ---- */

struct launch {
    const struct oracle *oracle;
    struct emu_device *device;
    uint8_t params[256];
    size_t param_bytes;
};

static void *memory(struct launch *l, size_t bytes) { /* zeroed, and the next parameter */
    uint64_t address = emu_device_alloc(l->device, bytes);
    memset((void *)(uintptr_t)address, 0, bytes);
    l->param_bytes = (l->param_bytes + 7) / 8 * 8;
    memcpy(l->params + l->param_bytes, &address, 8);
    l->param_bytes += 8;
    return (void *)(uintptr_t)address;
}
static void *made(struct launch *l, enum type type, size_t count) {
    void *array = memory(l, count * bytes_of[type]);
    make(array, type, count);
    return array;
}
static void word(struct launch *l, uint32_t value) {
    memcpy(l->params + l->param_bytes, &value, 4);
    l->param_bytes += 4;
}

static char *read_text(const char *name) {
    char path[128];
    snprintf(path, sizeof path, "tests/oracle/%s.ptx", name);
    FILE *file = fopen(path, "r");
    cr_assert(file, "%s is not there", path);
    char *text = calloc(1, 1 << 20);
    size_t got = fread(text, 1, (1 << 20) - 1, file);
    fclose(file);
    cr_assert(got, "%s is empty", path);
    return text;
}

/* Lines that hold `word` become blank. */
static void cut(char *text, const char *word) {
    for (char *at = text; (at = strstr(at, word));) {
        while (at > text && at[-1] != '\n') at--;
        while (*at && *at != '\n') *at++ = ' ';
    }
}

static const char *missing; /* what the kernel is run without, and what is then said */
static const char *said;

/* Triton's two last parameters are scratch memory and a profiler's, which there is none. */
static void run(struct launch *l, enum emu_order order, uint32_t x, uint32_t y) {
    char *text = read_text(l->oracle->name);
    if (missing) cut(text, missing);
    memory(l, (size_t)l->oracle->scratch * x * l->oracle->ctas * y + 16);
    memory(l, 16);
    struct emu_run *r = calloc(1, sizeof *r);
    *r = (struct emu_run){.ptx = text,
                          .entry = l->oracle->entry,
                          .grid = {x * l->oracle->ctas, y, 1},
                          .cluster = {l->oracle->ctas, 1, 1},
                          .block = {l->oracle->threads, 1, 1},
                          .smem = l->oracle->smem,
                          .params = l->params,
                          .param_bytes = l->param_bytes,
                          .order = order,
                          .check = EMU_CHECK_ERROR,
                          .seed = 11,
                          .timeout_ms = 60000,
                          .device = l->device};
    int status = emu_run(r);
    if (missing) cr_expect(status == 710 && strstr(r->report, said), "%s without %s, order %d: %d: %s", l->oracle->name, missing, order, status, r->report);
    else cr_assert_eq(status, 0, "%s, order %d: %d: %s", l->oracle->name, order, status, r->report);
    free(r);
    free(text);
}

/* ---- what the kernels compute ---- */

/* bound: of the error, against the sum of the products' magnitudes */
static const struct multiply {
    const char *name;
    enum type in, out;
    uint32_t m, n, k, rows, columns; /* rows x columns: a block's */
    bool transposed;                 /* B is n x k */
    double bound;
    bool a_transposed; /* A is k x m */
} multiplies[] = {
    {"gemm_bf16_100", BF16, F32, 150, 70, 90, 128, 32, false, 1e-6, false},
    {"gemm_bf16", BF16, F32, 100, 70, 90, 64, 32, false, 1e-6, false},
    {"gemm_fp16", F16, F16, 100, 70, 90, 64, 32, false, 1e-3, false},
    {"gemm_tf32", F32, F32, 100, 70, 90, 64, 32, false, 2e-3, false},
    {"gemm_e4m3_100", E4M3, F32, 150, 70, 90, 128, 32, false, 1e-6, false},
    {"gemm_e4m3", E4M3, F32, 100, 70, 90, 64, 32, false, 1e-3, false},
    {"gemm_i8", I8, I32, 100, 70, 90, 64, 32, false, 0, false},
    {"gemm_f64", F64, F64, 50, 40, 45, 32, 32, false, 1e-15, false},
    {"tma_ws", F16, F16, 208, 80, 144, 128, 64, true, 1e-3, false},
    {"tma", F16, F16, 80, 96, 144, 64, 64, true, 1e-3, false},
    {"gemm_cluster", F16, F32, 150, 70, 90, 128, 64, false, 1e-6, false},
    {"pair", F16, F32, 400, 208, 144, 256, 128, false, 1e-6, false},
    /* maps: rows of 128, 64 and 32 bytes of A and B, along K (n for A, t for B) and across */
    {"layout_nn_fp16_64x64_90", F16, F32, 80, 96, 144, 64, 64, false, 1e-6, false},
    {"layout_tt_bf16_64x64_90", BF16, F32, 80, 96, 144, 64, 64, true, 1e-6, true},
    {"layout_nt_fp16_64x32_90", F16, F32, 80, 96, 112, 64, 64, true, 1e-6, false},
    {"layout_nn_bf16_32x32_90", BF16, F32, 80, 48, 112, 64, 32, false, 1e-6, false},
    {"layout_nt_bf16_64x16_90", BF16, F32, 80, 96, 48, 64, 64, true, 1e-6, false},
    {"layout_tn_fp16_16x16_90", F16, F32, 80, 32, 48, 64, 16, false, 1e-6, true},
    {"layout_nt_fp8e5_32x32_90", E5M2, F32, 80, 48, 112, 64, 32, true, 1e-3, false},
    {"layout_nt_fp32_32x32_90", F32, F32, 80, 48, 112, 64, 32, true, 2e-3, false},
    {"layout_nn_fp16_64x64_100", F16, F32, 144, 96, 144, 128, 64, false, 1e-6, false},
    {"layout_tt_bf16_64x64_100", BF16, F32, 144, 96, 144, 128, 64, true, 1e-6, true},
    {"layout_nt_fp16_64x32_100", F16, F32, 144, 96, 112, 128, 64, true, 1e-6, false},
    {"layout_nn_bf16_32x32_100", BF16, F32, 144, 48, 112, 128, 32, false, 1e-6, false},
    {"layout_nt_bf16_64x16_100", BF16, F32, 144, 96, 48, 128, 64, true, 1e-6, false},
    {"layout_tn_fp16_16x16_100", F16, F32, 144, 32, 48, 128, 16, false, 1e-6, true},
    {"layout_nt_fp8e5_32x32_100", E5M2, F32, 144, 48, 112, 128, 32, true, 1e-6, false},
    {"layout_nt_fp32_32x32_100", F32, F32, 144, 48, 112, 128, 32, true, 2e-3, false},
};

static bool multiply(struct launch *l, enum emu_order order) {
    const struct multiply *p = NULL;
    for (size_t i = 0; !p && i < WL_LEN(multiplies); i++)
        if (strncmp(l->oracle->name, multiplies[i].name, strlen(multiplies[i].name)) == 0) p = &multiplies[i];
    if (!p) return false;
    const void *a = made(l, p->in, (size_t)p->m * p->k), *b = made(l, p->in, (size_t)p->k * p->n);
    const void *c = memory(l, (size_t)p->m * p->n * bytes_of[p->out]);
    word(l, p->m), word(l, p->n), word(l, p->k);
    run(l, order, (p->m + p->rows - 1) / p->rows, (p->n + p->columns - 1) / p->columns);
    if (missing) return true; /* what it gives is nobody's business */
    for (uint32_t i = 0; i < p->m; i++)
        for (uint32_t j = 0; j < p->n; j++) {
            double sum = 0, magnitude = 0, got = get(c, p->out, (size_t)i * p->n + j);
            for (uint32_t k = 0; k < p->k; k++) {
                double x = get(a, p->in, p->a_transposed ? (size_t)k * p->m + i : (size_t)i * p->k + k) *
                           get(b, p->in, p->transposed ? (size_t)j * p->k + k : (size_t)k * p->n + j);
                sum += x, magnitude += fabs(x);
            }
            cr_assert(fabs(got - sum) <= p->bound * magnitude, "%s, order %d: C(%u, %u) is %.9g, not %.9g",
                      l->oracle->name, order, i, j, got, sum);
        }
    return true;
}

static void scaled(struct launch *l, enum emu_order order) {
    enum { M = 128, N = 32, K = 64, GROUPS = K / 32 };
    const uint8_t *a = made(l, E4M3, M * K);
    uint8_t *sa = memory(l, M * GROUPS);
    const uint8_t *b = made(l, E4M3, N * K);
    uint8_t *sb = memory(l, N * GROUPS);
    const float *c = memory(l, M * N * 4);
    for (uint32_t i = 0; i < M * GROUPS; i++) sa[i] = (uint8_t)(120 + next() % 12);
    for (uint32_t i = 0; i < N * GROUPS; i++) sb[i] = (uint8_t)(120 + next() % 12);
    run(l, order, 1, 1);
    for (uint32_t i = 0; i < M; i++)
        for (uint32_t j = 0; j < N; j++) {
            double sum = 0, magnitude = 0;
            for (uint32_t k = 0; k < K; k++) {
                int scale = sa[i * GROUPS + k / 32] + sb[j * GROUPS + k / 32] - 254;
                double x = ldexp(e4m3(a[i * K + k]) * e4m3(b[j * K + k]), scale);
                sum += x, magnitude += fabs(x);
            }
            cr_assert(fabs(c[i * N + j] - sum) <= 1e-6 * magnitude, "%s, order %d: C(%u, %u) is %g, not %g",
                      l->oracle->name, order, i, j, (double)c[i * N + j], sum);
        }
}

static void attention(struct launch *l, enum emu_order order) {
    enum { HEADS = 2, LENGTH = 150, D = 64 };
    const float scale = 0.125f;
    uint32_t scale_bits, rows = strstr(l->oracle->name, "_100") ? 128 : 64;
    const void *tensor[3];
    for (int i = 0; i < 3; i++) tensor[i] = made(l, F16, HEADS * LENGTH * D);
    const void *o = memory(l, HEADS * LENGTH * D * 2);
    memcpy(&scale_bits, &scale, 4);
    word(l, LENGTH), word(l, scale_bits);
    run(l, order, (LENGTH + rows - 1) / rows, HEADS);
    for (uint32_t row = 0; row < HEADS * LENGTH; row++) {
        double p[LENGTH], total = 0, wanted[D] = {0};
        uint32_t first = row / LENGTH * LENGTH;
        for (uint32_t key = 0; key <= row % LENGTH; key++) {
            p[key] = 0;
            for (uint32_t d = 0; d < D; d++)
                p[key] += get(tensor[0], F16, row * D + d) * get(tensor[1], F16, (first + key) * D + d);
            total += p[key] = exp(p[key] * scale);
        }
        for (uint32_t key = 0; key <= row % LENGTH; key++)
            for (uint32_t d = 0; d < D; d++)
                wanted[d] += p[key] / total * get(tensor[2], F16, (first + key) * D + d);
        for (uint32_t d = 0; d < D; d++)
            cr_assert(fabs(get(o, F16, row * D + d) - wanted[d]) <= 3e-3,
                      "%s, order %d: O(%u, %u) is %g, not %g", l->oracle->name, order, row, d,
                      get(o, F16, row * D + d), wanted[d]);
    }
}

static void softmax(struct launch *l, enum emu_order order) {
    enum { ROWS = 5, COLUMNS = 777 };
    const float *x = made(l, F32, ROWS * COLUMNS), *y = memory(l, ROWS * COLUMNS * 4);
    word(l, COLUMNS);
    run(l, order, ROWS, 1);
    for (uint32_t row = 0; row < ROWS; row++) {
        double total = 0;
        for (uint32_t i = 0; i < COLUMNS; i++) total += exp(x[row * COLUMNS + i]);
        for (uint32_t i = 0; i < COLUMNS; i++) {
            double wanted = exp(x[row * COLUMNS + i]) / total, got = y[row * COLUMNS + i];
            cr_assert(fabs(got - wanted) <= 1e-6 * wanted + 1e-9, "%s, order %d: (%u, %u) is %g, not %g",
                      l->oracle->name, order, row, i, got, wanted);
        }
    }
}

static void scan(struct launch *l, enum emu_order order) {
    enum { ROWS = 6, BLOCK = 256 };
    const float *x = made(l, F32, ROWS * BLOCK), *sums = memory(l, ROWS * BLOCK * 4),
                *largest = memory(l, ROWS * 4);
    const int32_t *where = memory(l, ROWS * 4), *positive = memory(l, 4);
    int32_t count = 0;
    run(l, order, ROWS, 1);
    for (uint32_t row = 0; row < ROWS; row++) {
        double sum = 0;
        int32_t best = 0;
        for (int32_t i = 0; i < BLOCK; i++) {
            float v = x[row * BLOCK + (uint32_t)i];
            sum += v, count += v > 0;
            if (v > x[row * BLOCK + (uint32_t)best]) best = i;
            cr_assert(fabs(sums[row * BLOCK + (uint32_t)i] - sum) < 1e-3, "%s: sum (%u, %d) is %g, not %g",
                      l->oracle->name, row, i, (double)sums[row * BLOCK + (uint32_t)i], sum);
        }
        cr_expect_eq(where[row], best, "%s: the largest of row %u", l->oracle->name, row);
        cr_expect_eq(largest[row], x[row * BLOCK + (uint32_t)best]);
    }
    cr_expect_eq(*positive, count);
}

/* Of the values x % 16, in the words for them. */
static void atomics(struct launch *l, enum emu_order order) {
    enum { BLOCKS = 4, BLOCK = 256 };
    int32_t *x = memory(l, BLOCKS * BLOCK * 4);
    const float *sums = memory(l, 64);
    const int32_t *least = memory(l, 64);
    const float *most = memory(l, 64);
    const uint32_t *bits = memory(l, 64);
    const uint16_t *halves = memory(l, 32);
    struct {
        int32_t sum, least, most, halves;
        uint32_t bits;
    } wanted[16] = {{0}};
    for (uint32_t i = 0; i < BLOCKS * BLOCK; i++) {
        int32_t v = x[i] = (int32_t)(next() % 2000) - 1000, to = v & 15;
        wanted[to].sum += v, wanted[to].halves += v & 3, wanted[to].bits |= 1u << (v & 31);
        if (v < wanted[to].least) wanted[to].least = v;
        if (v > wanted[to].most) wanted[to].most = v;
    }
    run(l, order, BLOCKS, 1);
    for (int k = 0; k < 16; k++)
        cr_expect(sums[k] == (float)wanted[k].sum && least[k] == wanted[k].least &&
                      most[k] == (float)wanted[k].most * 0.5f && bits[k] == wanted[k].bits &&
                      emu_f16_to_f32(halves[k]) == (float)wanted[k].halves,
                  "%s, order %d, word %d: %g %d %g %08x %g", l->oracle->name, order, k, (double)sums[k],
                  least[k], (double)most[k], bits[k], (double)emu_f16_to_f32(halves[k]));
}

static int by_value(const void *a, const void *b) {
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static void sorted(struct launch *l, enum emu_order order) {
    enum { ROWS = 3, BLOCK = 256 };
    int32_t *x = memory(l, ROWS * BLOCK * 4), wanted[BLOCK];
    const int32_t *y = memory(l, ROWS * BLOCK * 4), *counts = memory(l, ROWS * 64);
    for (uint32_t i = 0; i < ROWS * BLOCK; i++) x[i] = (int32_t)(next() - next());
    run(l, order, ROWS, 1);
    for (uint32_t row = 0; row < ROWS; row++) {
        int32_t count[16] = {0};
        memcpy(wanted, x + row * BLOCK, sizeof wanted);
        qsort(wanted, BLOCK, 4, by_value);
        for (uint32_t i = 0; i < BLOCK; i++) count[wanted[i] & 15]++;
        cr_expect(memcmp(wanted, y + row * BLOCK, sizeof wanted) == 0, "%s, order %d: row %u is not sorted",
                  l->oracle->name, order, row);
        cr_expect(memcmp(count, counts + row * 16, sizeof count) == 0, "%s, order %d: counts of row %u",
                  l->oracle->name, order, row);
    }
}

static void locked(struct launch *l, enum emu_order order) {
    enum { BLOCKS = 7, BLOCK = 128 };
    const int32_t *lock = memory(l, 4), *data = memory(l, BLOCK * 4);
    run(l, order, BLOCKS, 1);
    cr_expect_eq(*lock, 0);
    for (int32_t i = 0; i < BLOCK; i++)
        cr_expect_eq(data[i], BLOCKS * i, "%s: data[%d] is %d", l->oracle->name, i, data[i]);
}

static const struct {
    const char *entry;
    void (*check)(struct launch *l, enum emu_order order);
} checks[] = {{"scaled", scaled}, {"attention", attention}, {"softmax", softmax},   {"scan", scan},
              {"locked", locked}, {"atomics", atomics},     {"sorted_rows", sorted}};

ParameterizedTestParameters(oracle, triton) { return wl_test_rows(WL_LEN(oracles)); }
ParameterizedTest(size_t *i, oracle, triton) {
    static const enum emu_order orders[] = {EMU_ORDER_EAGER, EMU_ORDER_LATE, EMU_ORDER_RANDOM};
    for (size_t o = 0; o < WL_LEN(orders); o++) {
        struct launch l = {.oracle = &oracles[*i],
                           .device = emu_device_create(emu_profile_find(oracles[*i].device))};
        state = 1 + *i;
        bool checked = multiply(&l, orders[o]);
        for (size_t k = 0; k < WL_LEN(checks); k++) {
            if (strcmp(checks[k].entry, l.oracle->entry)) continue;
            checks[k].check(&l, orders[o]);
            checked = true;
        }
        cr_expect(checked, "nobody knows what %s computes", l.oracle->name);
        emu_device_destroy(l.device);
    }
}

/* ---- without one of its synchronisations ---- */

static const struct {
    const char *name, *missing, *said;
} faults[] = {
    {"tma_90", "fence.proxy.tensormap", ", tensor map at 0x"},
    {"tma_100", "fence.proxy.tensormap", "no fence.proxy.tensormap::generic.acquire of it stands between"},
    {"tma_ws_90", "fence.proxy.tensormap", "no fence.proxy.tensormap::generic.acquire of it stands between"},
};

ParameterizedTestParameters(oracle, fault) { return wl_test_rows(WL_LEN(faults)); }
ParameterizedTest(size_t *i, oracle, fault) {
    for (size_t k = 0; k < WL_LEN(oracles); k++) {
        if (strcmp(oracles[k].name, faults[*i].name)) continue;
        for (enum emu_order order = EMU_ORDER_EAGER; order <= EMU_ORDER_RANDOM; order++) {
            struct launch l = {.oracle = &oracles[k], .device = emu_device_create(emu_profile_find(oracles[k].device))};
            missing = faults[*i].missing, said = faults[*i].said;
            state = 1;
            cr_expect(multiply(&l, order), "%s is no multiply", l.oracle->name);
            emu_device_destroy(l.device);
        }
    }
}
