/* Kernels that nvcc compiled (tests/nvcc), optimised and with -G, against the same functions in C. */
#include "tests/test.h"

#include <criterion/redirect.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/emu/half.h"
#include "tests/emu_run.h"

static const char *const files[] = {"tests/nvcc/kernels.ptx", "tests/nvcc/kernels_debug.ptx"};
#define ORDERS   3
#define VARIANTS (WL_LEN(files) * ORDERS)

static char *read_text(const char *path) {
    FILE *file = fopen(path, "r");
    cr_assert(file, "run the tests from the repository's root");
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    char *text = calloc(1, (size_t)size + 1);
    cr_assert_eq(fread(text, 1, (size_t)size, file), (size_t)size);
    fclose(file);
    return text;
}

static void *memory(size_t bytes) { return (void *)(uintptr_t)emu_device_alloc(emu_run_device(), bytes); }

struct params { /* three pointers and a count, or fewer */
    void *a, *b, *c;
    int n;
};

static void launch(size_t variant, const char *entry, const void *params, size_t bytes, uint32_t grid,
                   uint32_t block) {
    static struct emu_run run;
    char *text = read_text(files[variant / ORDERS]);
    run = (struct emu_run){
        .ptx = text, .entry = entry, .params = params, .param_bytes = bytes, .timeout_ms = 60000};
    run.grid[0] = grid;
    run.block[0] = block;
    if (strcmp(entry, "matmul") == 0) run.grid[1] = grid, run.block[0] = run.block[1] = 16;
    run.order = (enum emu_order)(variant % ORDERS);
    run.check = EMU_CHECK_ERROR;
    run.seed = 7;
    cr_assert_eq(emu_run(&run), 0, "%s: %s", entry, run.report);
    free(text);
}

static uint64_t random_bits(uint64_t *state) {
    *state = *state * 6364136223846793005ull + 1442695040888963407ull;
    return *state ^ *state >> 29;
}

static void near_(double have, double want, double relative, const char *what, int i) {
    cr_expect(fabs(have - want) <= relative * fabs(want) + 1e-30 || (isnan(have) && isnan(want)),
              "%s %d: %.9g, wanted %.9g", what, i, have, want);
}

#define N 500

ParameterizedTestParameters(emu_nvcc, floats) { return wl_test_rows(VARIANTS); }
ParameterizedTest(size_t *v, emu_nvcc, floats) {
    static const float table[4] = {1.5f, 2.5f, 3.5f, 4.5f};
    struct params p = {memory(4 * N), memory(4 * N), memory(48 * N), N};
    float *a = p.a, *b = p.b, *o = p.c;
    uint64_t state = 1;
    for (int i = 0; i < N; i++) {
        a[i] = (float)((double)(int32_t)random_bits(&state) / (1 << 26));
        b[i] = (float)((double)(int32_t)random_bits(&state) / (1 << 28)) + 0.01f;
    }
    launch(*v, "floats", &p, 28, (N + 127) / 128, 128);
    for (int i = 0; i < N; i++, o += 12) {
        float x = a[i], y = b[i], s = 0, z = x * 0.01f;
        for (int k = 0; k < 7; k++) s = s * z + table[k & 3];
        near_(o[0], sin(x), 1e-5, "sinf", i);
        near_(o[1], exp(x * 0.1f), 1e-6, "expf", i);
        near_(o[2], log(fabsf(x) + 1e-3f), 1e-5, "logf", i);
        near_(o[3], pow(fabsf(x), y * 0.1f), 1e-5, "powf", i);
        near_(o[4], erf(x * .1f), 1e-5, "erff", i);
        cr_expect_eq(o[5], x / y, "division %d", i);
        cr_expect_eq(o[6], sqrtf(fabsf(x)), "sqrtf %d", i);
        cr_expect_eq(o[7], fmodf(x, y), "fmodf %d of %a %a: %a, wanted %a", i, x, y, o[7], fmodf(x, y));
        near_(o[8], tanh(x), 1e-5, "tanhf", i);
        near_(o[9], cbrt(x), 1e-6, "cbrtf", i);
        near_(o[10], s, 1e-5, "poly", i);
        cr_expect_eq(o[11], rintf(x) + floorf(y) + ceilf(x) + truncf(y), "roundings %d", i);
    }
}

ParameterizedTestParameters(emu_nvcc, doubles) { return wl_test_rows(VARIANTS); }
ParameterizedTest(size_t *v, emu_nvcc, doubles) {
    struct params p = {memory(8 * N), memory(8 * N), memory(64 * N), N};
    double *a = p.a, *b = p.b, *o = p.c;
    uint64_t state = 2;
    for (int i = 0; i < N; i++) {
        a[i] = (double)(int64_t)random_bits(&state) / (1ll << 58);
        b[i] = (double)(int64_t)random_bits(&state) / (1ll << 60) + 0.01;
    }
    launch(*v, "doubles", &p, 28, (N + 63) / 64, 64);
    for (int i = 0; i < N; i++, o += 8) {
        double x = a[i], y = b[i];
        near_(o[0], sin(x), 1e-14, "sin", i);
        near_(o[1], exp(x * 0.1), 1e-14, "exp", i);
        near_(o[2], log(fabs(x) + 1e-3), 1e-12, "log", i);
        near_(o[3], pow(fabs(x), y * 0.1), 1e-13, "pow", i);
        cr_expect_eq(o[4], x / y, "division %d", i);
        cr_expect_eq(o[5], sqrt(fabs(x)), "sqrt %d", i);
        cr_expect_eq(o[6], (double)(long long)x + (double)(unsigned)fabs(y), "conversions %d", i);
        cr_expect_eq(o[7], fma(x, y, i % 3 + 1), "fma %d", i);
    }
}

ParameterizedTestParameters(emu_nvcc, integers) { return wl_test_rows(VARIANTS); }
ParameterizedTest(size_t *v, emu_nvcc, integers) {
    struct params p = {memory(8 * N), memory(8 * N), memory(64 * N), N};
    long long *a = p.a, *b = p.b, *o = p.c;
    uint64_t state = 3;
    for (int i = 0; i < N; i++) {
        a[i] = (long long)random_bits(&state) >> (i % 50);
        b[i] = (long long)random_bits(&state) >> (i % 61);
    }
    launch(*v, "integers", &p, 28, (N + 95) / 96, 96);
    for (int i = 0; i < N; i++, o += 8) {
        long long x = a[i], y = b[i];
        int q = (int)y, r = (int)x;
        short s = (short)r;
        signed char c = (signed char)q;
        unsigned __int128 w =
            (unsigned __int128)(unsigned long long)x * (unsigned long long)y + (unsigned long long)x;
        long long want[8] = {x / (y | 1),
                             x % (y | 1),
                             (long long)((unsigned long long)x / ((unsigned long long)y | 1)),
                             __builtin_popcountll((unsigned long long)x) +
                                 (r ? __builtin_clz((unsigned)r) : 32) + __builtin_ffs(q),
                             r / (q | 1) + r % (q | 1),
                             (long long)((unsigned long long)x << (q & 63)) ^ (x >> (r & 63)),
                             (long long)(w >> 64) ^ (long long)w,
                             s * c + (s >> 3) - c * 4 + (unsigned char)r % 7};
        for (int k = 0; k < 8; k++)
            cr_expect_eq(o[k], want[k], "value %d of %d: %llx, wanted %llx", k, i, o[k], want[k]);
    }
}

ParameterizedTestParameters(emu_nvcc, reduce) { return wl_test_rows(VARIANTS); }
ParameterizedTest(size_t *v, emu_nvcc, reduce) {
    enum { BLOCKS = 5, COUNT = 10000 };
    struct {
        void *a, *o;
        int n;
    } p = {memory(4 * COUNT), memory(4 * (2 + BLOCKS)), COUNT};
    int *a = p.a, *o = p.o, sum = 0, most = 0, seen = 0;
    memset(o, 0, 4 * (2 + BLOCKS));
    for (int i = 0; i < COUNT; i++) sum += a[i] = i * 7919 % 1000;
    for (int block = 0; block < BLOCKS; block++) {
        int of_block = 0;
        for (int i = block * 256; i < COUNT; i += BLOCKS * 256)
            for (int k = i; k < i + 256 && k < COUNT; k++) of_block += a[k];
        if (of_block > most) most = of_block;
    }
    launch(*v, "reduce", &p, 20, BLOCKS, 256);
    for (int k = 0; k < BLOCKS; k++) seen |= 1 << o[2 + k];
    cr_expect_eq(o[0], sum);
    cr_expect_eq(o[1], most);
    cr_expect_eq(seen, (1 << BLOCKS) - 1,
                 "each block counted once, from 0: the module's variable starts there");
}

static int by_value(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

ParameterizedTestParameters(emu_nvcc, sort) { return wl_test_rows(VARIANTS); }
ParameterizedTest(size_t *v, emu_nvcc, sort) {
    enum { ROWS = 64, M = 50 };
    struct {
        void *data;
        int m;
    } p = {memory(4 * ROWS * M), M};
    int *data = p.data, want[ROWS][M];
    for (int i = 0; i < ROWS * M; i++)
        want[i / M][i % M] = data[i] = (int)((unsigned)i * 2654435761u >> 12) % 1000;
    for (int i = 0; i < ROWS; i++) qsort(want[i], M, sizeof(int), by_value);
    launch(*v, "sort", &p, 12, 2, ROWS / 2);
    cr_expect_eq(memcmp(data, want, sizeof want), 0);
}

ParameterizedTestParameters(emu_nvcc, matmul) { return wl_test_rows(VARIANTS); }
ParameterizedTest(size_t *v, emu_nvcc, matmul) {
    enum { DIM = 48 };
    struct params p = {memory(4 * DIM * DIM), memory(4 * DIM * DIM), memory(4 * DIM * DIM), DIM};
    float *a = p.a, *b = p.b, *c = p.c;
    for (int i = 0; i < DIM * DIM; i++) a[i] = (float)(i % 13) - 6.5f, b[i] = (float)(i % 7) * 0.3f;
    launch(*v, "matmul", &p, 28, DIM / 16, 16);
    for (int i = 0; i < DIM; i++)
        for (int j = 0; j < DIM; j++) {
            float s = 0;
            for (int k = 0; k < DIM; k++) s = fmaf(a[i * DIM + k], b[k * DIM + j], s);
            cr_expect_eq(c[i * DIM + j], s);
        }
}

static int branches(int a) {
    int r;
    switch (a % 11) {
    case 0: r = a * 3; break;
    case 1: r = a + 7; break;
    case 2: r = ~a; break;
    case 3: r = a ^ 0x55; break;
    case 4: r = __builtin_popcount((unsigned)a); break;
    case 5: r = a / 3; break;
    case 6: r = -a; break;
    case 7: r = a % 13; break;
    case 8: r = a * 8; break;
    case 9: r = 1; break;
    default: r = a > 5 ? 4 : 2;
    }
    for (int j = 0; j < (a & 7); j++) {
        if (((r >> j) & 3) == 2) continue;
        if (r == 17) break;
        r = (int)((unsigned)r * 5u + (unsigned)j);
    }
    return r;
}

ParameterizedTestParameters(emu_nvcc, branches) { return wl_test_rows(VARIANTS); }
ParameterizedTest(size_t *v, emu_nvcc, branches) {
    struct {
        void *a, *o;
        int n;
    } p = {memory(4 * N), memory(4 * N), N};
    int *a = p.a, *o = p.o;
    for (int i = 0; i < N; i++) a[i] = (int)((unsigned)i * 2654435761u >> 8) - (1 << 22);
    launch(*v, "branches", &p, 20, 4, 128);
    for (int i = 0; i < N; i++) cr_expect_eq(o[i], branches(a[i]), "%d", a[i]);
}

ParameterizedTestParameters(emu_nvcc, locked) { return wl_test_rows(VARIANTS); }
ParameterizedTest(size_t *v, emu_nvcc, locked) {
    struct {
        void *lock, *value;
        int n;
    } p = {memory(4), memory(4), 3};
    *(int *)p.lock = *(int *)p.value = 0;
    launch(*v, "locked", &p, 20, 4, 64);
    cr_expect_eq(*(int *)p.value, 3 * 4 * 64);
}

ParameterizedTestParameters(emu_nvcc, says) { return wl_test_rows(VARIANTS); }
ParameterizedTest(size_t *v, emu_nvcc, says, .init = cr_redirect_stdout) {
    static struct emu_run run;
    int n = 5;
    char *text = read_text(files[*v / ORDERS]);
    run = (struct emu_run){.ptx = text, .entry = "says", .params = &n, .param_bytes = 4, .block = {32}};
    cr_expect_eq(emu_run(&run), 0, "%s", run.report);
    run.block[0] = 64;
    cr_expect_eq(emu_run(&run), 710, "%s", run.report);
    cr_expect(strstr(run.report, "kernels.cu:") && strstr(run.report, "warp 1: ") &&
                  strstr(run.report, "assertion `threadIdx.x < 40` failed"),
              "%s", run.report);
    fflush(stdout);
    const char *first = "3 of 5:    4.500|abc  |z 123456789abc     7%   -1\n19 of 5:   28.500|abc  |z "
                        "123456789abc     7%   -1\n";
    char out[1024] = "";
    FILE *printed = cr_get_redirected_stdout();
    size_t length = fread(out, 1, strlen(first), printed);
    cr_expect(length == strlen(first) && strcmp(out, first) == 0, "printed:\n%s", out);
    free(text);
}

/* ---- tests/nvcc/cluster.cu: in every order, at level error ---- */

static void launch_cluster(size_t order, const char *entry, const void *params, size_t bytes, uint32_t grid,
                           uint32_t block, uint32_t cluster) {
    static struct emu_run run;
    char *text = read_text("tests/nvcc/cluster.ptx");
    run = (struct emu_run){.ptx = text,
                           .entry = entry,
                           .params = params,
                           .param_bytes = bytes,
                           .grid = {grid},
                           .block = {block},
                           .cluster = {cluster},
                           .order = (enum emu_order)order,
                           .check = EMU_CHECK_ERROR,
                           .seed = 5,
                           .timeout_ms = 60000};
    cr_assert_eq(emu_run(&run), 0, "%s: %s", entry, run.report);
    free(text);
}

ParameterizedTestParameters(emu_nvcc, histogram) { return wl_test_rows(ORDERS); }
ParameterizedTest(size_t *order, emu_nvcc, histogram) {
    enum { COUNT = 5000 };
    struct {
        void *values;
        int n, pad;
        void *bins;
    } p = {memory(COUNT), COUNT, 0, memory(4 * 256)};
    uint8_t *values = p.values;
    int *bins = p.bins, want[256] = {0};
    uint64_t state = 4;
    memset(bins, 0, 4 * 256);
    for (int i = 0; i < COUNT; i++) want[values[i] = (uint8_t)(random_bits(&state) >> 40)]++;
    launch_cluster(*order, "histogram", &p, sizeof p, 8, 64, 4);
    for (int i = 0; i < 256; i++)
        cr_expect_eq(bins[i], want[i], "bin %d: %d, wanted %d", i, bins[i], want[i]);
}

ParameterizedTestParameters(emu_nvcc, staged) { return wl_test_rows(ORDERS); }
ParameterizedTest(size_t *order, emu_nvcc, staged) {
    enum { ROWS = 7 };
    struct {
        void *a, *sums;
        int rows;
    } p = {memory(4 * 256 * ROWS), memory(4 * ROWS), ROWS};
    float *a = p.a, *sums = p.sums;
    memset(sums, 0, 4 * ROWS);
    for (int i = 0; i < 256 * ROWS; i++) a[i] = (float)(i * 37 % 101 - 50); /* sums are exact in any order */
    launch_cluster(*order, "staged", &p, 20, 1, 256, 1);
    for (int row = 0; row < ROWS; row++) {
        float want = 0;
        for (int i = 0; i < 256; i++) want += a[row * 256 + i];
        cr_expect_eq(sums[row], want, "row %d: %g, wanted %g", row, (double)sums[row], (double)want);
    }
}

ParameterizedTestParameters(emu_nvcc, warps) { return wl_test_rows(ORDERS); }
ParameterizedTest(size_t *order, emu_nvcc, warps) {
    enum { THREADS = 96 };
    struct {
        void *a, *o, *h;
    } p = {memory(4 * THREADS), memory(32 * THREADS), memory(16)};
    int *a = p.a, *o = p.o;
    uint16_t *h = p.h;
    float low[4] = {0};
    uint64_t state = 6;
    memset(h, 0, 16), memset(o, 0, 32 * THREADS);
    for (int i = 0; i < THREADS; i++) a[i] = (int)(random_bits(&state) >> 33) % 2000 - 1000;
    launch_cluster(*order, "warps", &p, sizeof p, 1, THREADS, 1);
    for (int i = 0; i < THREADS; i++) {
        int sum = 0, most = INT32_MIN, mix = 0, before = 0, odd = 0, v = a[i];
        uint32_t same = 0, positive = 0;
        for (int l = 0; l < 32; l++) {
            int u = a[i / 32 * 32 + l];
            sum += u, mix ^= u, most = u > most ? u : most;
            same |= (uint32_t)((u & 3) == (v & 3)) << l, positive |= (uint32_t)(u > 0) << l;
            odd += u & 1, before += l < i % 32 && (u & 1);
        }
        int dot = 7 + (int8_t)v * 4 + (int8_t)(v >> 8) * 3 + (int8_t)(v >> 16) * 2 + (int8_t)(v >> 24);
        int want[8] = {sum, most, mix, (int)same, v & 1 ? odd * 100 + before : 0, (int)positive, 32, dot};
        for (int k = 0; k < 8; k++)
            cr_expect_eq(o[i * 8 + k], want[k], "thread %d, value %d: %d, wanted %d", i, k, o[i * 8 + k],
                         want[k]);
        low[i % 4] += (float)(v & 7);
    }
    for (int k = 0; k < 4; k++)
        cr_expect(emu_f16_to_f32(h[2 * k]) == low[k] && emu_f16_to_f32(h[2 * k + 1]) == 0.5f * THREADS / 4,
                  "halves %d: %g %g", k, (double)emu_f16_to_f32(h[2 * k]),
                  (double)emu_f16_to_f32(h[2 * k + 1]));
}
