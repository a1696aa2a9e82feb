/* The auxiliary kernels, compiled by NVRTC where there is one and run on the emulated device, against
 * float64. */
#include "tests/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gen/arena.h"
#include "runtime/compare.h"
#include "runtime/half.h"
#include "runtime/input.h"
#include "runtime/nvrtc.h"
#include "runtime/reference.h"
#include "runtime/runtime.h"

static char folder[200];
static struct wl_runtime *runtime;
static struct wl_error error;

static void open_runtime(void) {
    error = (struct wl_error){0};
    cr_assert_eq(wl_open(&runtime, NULL, &error), WL_OK, "%s", error.text);
    enum wl_status status = wl_prepare_auxiliary(runtime, &error);
    if (status == WL_ERR_ENVIRONMENT) cr_skip_test("%s", error.text);
    cr_assert_eq(status, WL_OK, "%s", error.text);
}

static void set_up(void) {
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/wl-aux.XXXXXX", base ? base : "/tmp");
    cr_assert(mkdtemp(folder));
    setenv("WARPLOOM_CACHE_DIR", folder, 1);
    setenv("WARPLOOM_DEVICE", "emu", 1);
    setenv("WARPLOOM_EMU_CHECK", "strict", 1);
}

static void tear_down(void) {
    char command[300];
    wl_close(runtime);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    cr_expect_eq(system(command), 0);
}

static uint64_t put(const void *bytes, size_t size) {
    uint64_t address;
    cr_assert_eq(wl_device_alloc(runtime, size, &address, &error), WL_OK, "%s", error.text);
    cr_assert_eq(wl_device_upload(runtime, address, bytes, size, &error), WL_OK, "%s", error.text);
    return address;
}

static void get(void *bytes, uint64_t address, size_t size) {
    cr_assert_eq(wl_synchronize(runtime, &error), WL_OK, "%s", error.text);
    cr_assert_eq(wl_device_download(runtime, bytes, address, size, &error), WL_OK, "%s", error.text);
    wl_device_free(runtime, address);
}

/* ---- copy ---- */

enum { B = 2, S = 5, H = 3, D = 40, COUNT = B * S * H * D };

static size_t bytes_of(enum wl_element element) { return element == WL_ELEMENT_FP32 ? 4 : 2; }

static float read_one(const void *from, size_t at, enum wl_element element) {
    float value;
    if (element == WL_ELEMENT_FP32) return ((const float *)from)[at];
    wl_dtype_widen(element == WL_ELEMENT_FP16 ? WL_FP16 : WL_BF16, &value, (const uint16_t *)from + at, 1);
    return value;
}

static void write_one(void *to, size_t at, enum wl_element element, float value) {
    if (element == WL_ELEMENT_FP32) ((float *)to)[at] = value;
    else wl_dtype_narrow(element == WL_ELEMENT_FP16 ? WL_FP16 : WL_BF16, (uint16_t *)to + at, &value, 1);
}

/* (batch, seq, head, dim) into (batch, head, dim, seq), by all pairs of types. */
Test(auxiliary, copy, .init = set_up, .fini = tear_down, .timeout = 60) {
    static char host[4 * COUNT], out[4 * COUNT], wanted[4];
    static const float special[] = {0.0f,  -0.0f, INFINITY, -INFINITY, 65504,
                                    65520, 1e30f, 1e-7f,    6e-8f,     3.0001f};
    const int64_t size[4] = {B, S, H, D};
    open_runtime();
    for (int pair = 0; pair < 9; pair++) {
        enum wl_element from = pair % 3, to = pair / 3;
        for (size_t i = 0; i < COUNT; i++)
            write_one(host, i, from, i < WL_LEN(special) ? special[i] : (float)sin((double)i * 0.37) * 1000);
        struct wl_array a = {put(out, bytes_of(to) * COUNT), to, {S * H * D, 1, D * S, S}};
        struct wl_array b = {put(host, bytes_of(from) * COUNT), from, {S * H * D, H * D, D, 1}};
        cr_assert_eq(wl_copy(runtime, &a, &b, size, NULL, &error), WL_OK, "%s: %s", error.field, error.text);
        get(out, a.address, bytes_of(to) * COUNT);
        wl_device_free(runtime, b.address);
        for (size_t i = 0; i < COUNT; i++) {
            size_t d = i % D, h = i / D % H, s = i / D / H % S, n = i / D / H / S;
            size_t at = ((n * H + h) * D + d) * S + s;
            write_one(wanted, 0, to, read_one(host, i, from));
            cr_expect_eq(memcmp(out + at * bytes_of(to), wanted, bytes_of(to)), 0,
                         "types %d to %d, element %zu: %g for %g", from, to, i, read_one(out, at, to),
                         read_one(wanted, 0, to));
        }
    }
}

/* ---- attention ---- */

enum { SEQ = 70, KEYS = 90, HEADS = 4, KV = 2 };

struct tensors {
    uint16_t host[4][SEQ * HEADS * 128 * 2];
    float lse[SEQ * HEADS];
    struct wl_attention problem;
};

static void fill(struct tensors *t, int dim, enum wl_dtype dtype, bool causal, int seq, int keys) {
    t->problem = (struct wl_attention){.batch = 1,
                                       .heads = HEADS,
                                       .heads_kv = KV,
                                       .seqlen_q = seq,
                                       .seqlen_k = keys,
                                       .head_dim = dim,
                                       .dtype = dtype,
                                       .causal = causal};
    wl_attention_dense(&t->problem);
    struct wl_view *views[] = {&t->problem.q, &t->problem.k, &t->problem.v, &t->problem.o};
    for (int i = 0; i < 4; i++) {
        struct wl_input_stream stream;
        float row[128];
        wl_input_start(&stream, WL_INPUT_NORMAL, i, 5);
        size_t rows = i == 0 || i == 3 ? (size_t)seq * HEADS : (size_t)keys * KV;
        for (size_t r = 0; r < rows; r++) {
            wl_input_row(&stream, r, row, dim);
            wl_dtype_narrow(dtype, t->host[i] + r * (size_t)dim, row, dim);
        }
        views[i]->address = put(t->host[i], rows * (size_t)dim * 2);
    }
    t->problem.lse = put(t->lse, sizeof t->lse);
}

static void expect_right(struct tensors *t) {
    static double exact[SEQ * HEADS * 128], exact_lse[SEQ * HEADS];
    static float plain[SEQ * HEADS * 128];
    struct wl_compare compare;
    struct wl_attention host = t->problem;
    size_t rows = (size_t)(host.seqlen_q * host.heads);
    get(t->host[3], t->problem.o.address, rows * (size_t)host.head_dim * 2);
    get(t->lse, t->problem.lse, rows * 4);
    host.q.address = (uintptr_t)t->host[0], host.k.address = (uintptr_t)t->host[1];
    host.v.address = (uintptr_t)t->host[2], host.o.address = (uintptr_t)t->host[3];
    cr_assert_eq(wl_reference_exact(&host, exact, exact_lse, 0, &error), WL_OK, "%s", error.text);
    cr_assert_eq(wl_reference_plain(&host, plain, 0, &error), WL_OK);
    wl_compare_output(&compare, &host, exact, plain);
    wl_compare_lse(&compare, &host, t->lse, exact_lse);
    cr_expect(compare.right, "%s", compare.worst);
    wl_device_free(runtime, t->problem.q.address);
    wl_device_free(runtime, t->problem.k.address);
    wl_device_free(runtime, t->problem.v.address);
}

static const struct shape {
    int dim;
    enum wl_dtype dtype;
    bool causal;
    int seq, keys;
} shapes[] = {{64, WL_BF16, false, SEQ, KEYS},
              {64, WL_FP16, true, SEQ, KEYS},
              {8, WL_BF16, true, 40, 13},
              {128, WL_BF16, true, 33, 33},
              {72, WL_FP16, false, 1, 1}};

Test(auxiliary, plain, .init = set_up, .fini = tear_down, .timeout = 100) {
    static struct tensors t;
    open_runtime();
    for (size_t i = 0; i < WL_LEN(shapes); i++) {
        const struct shape *s = &shapes[i];
        fill(&t, s->dim, s->dtype, s->causal, s->seq, s->keys);
        cr_assert_eq(wl_attention_plain(runtime, &t.problem, NULL, &error), WL_OK, "%s: %s", error.field,
                     error.text);
        expect_right(&t);
    }
}

/* The keys in three parts, one of them empty for every row: wl_attention_forward or plain on each, then one
 * O. */
Test(auxiliary, combine, .init = set_up, .fini = tear_down, .timeout = 100) {
    static struct tensors t;
    enum { DIM = 64, PARTS = 3, ROWS = SEQ * HEADS };
    static const int cuts[PARTS + 1] = {0, 37, 37, KEYS};
    static float nothing[ROWS];
    static uint16_t nan_rows[ROWS * DIM];
    open_runtime();
    fill(&t, DIM, WL_BF16, false, SEQ, KEYS);
    for (int i = 0; i < ROWS; i++) nothing[i] = -INFINITY;
    memset(nan_rows, 0xff, sizeof nan_rows); /* what an empty part left in its O is not read */
    uint64_t lse, wide;
    cr_assert_eq(wl_device_alloc(runtime, PARTS * ROWS * 4, &lse, &error), WL_OK);
    cr_assert_eq(wl_device_alloc(runtime, PARTS * ROWS * DIM * 4, &wide, &error), WL_OK);
    for (int p = 0; p < PARTS; p++) {
        struct wl_attention part = t.problem;
        int64_t at = cuts[p];
        uint64_t narrow = put(nan_rows, sizeof nan_rows);
        part.seqlen_k = cuts[p + 1] - cuts[p];
        part.k.address += (uint64_t)(2 * at * part.k.seq_stride),
            part.v.address += (uint64_t)(2 * at * part.v.seq_stride);
        part.o.address = narrow, part.lse = lse + (uint64_t)(p * ROWS * 4);
        if (part.seqlen_k)
            cr_assert_eq(wl_attention_plain(runtime, &part, NULL, &error), WL_OK, "%s", error.text);
        else cr_assert_eq(wl_device_upload(runtime, part.lse, nothing, sizeof nothing, &error), WL_OK);
        /* to float32 and to (head, seq, dim) */
        const struct wl_array from = {narrow, WL_ELEMENT_BF16, {0, HEADS * DIM, DIM, 1}},
                              to = {wide + (uint64_t)(p * ROWS * DIM * 4),
                                    WL_ELEMENT_FP32,
                                    {0, DIM, SEQ * DIM, 1}};
        const int64_t size[4] = {1, SEQ, HEADS, DIM};
        cr_assert_eq(wl_copy(runtime, &to, &from, size, NULL, &error), WL_OK, "%s", error.text);
        cr_assert_eq(wl_synchronize(runtime, &error), WL_OK);
        wl_device_free(runtime, narrow);
    }
    const struct wl_combine c = {
        PARTS,        1,   SEQ,
        HEADS,        DIM, {wide, WL_ELEMENT_FP32, {0, DIM, SEQ * DIM, 1}},
        ROWS * DIM,   lse, {t.problem.o.address, WL_ELEMENT_BF16, {0, HEADS * DIM, DIM, 1}},
        t.problem.lse};
    cr_assert_eq(wl_attention_combine(runtime, &c, NULL, &error), WL_OK, "%s: %s", error.field, error.text);
    expect_right(&t);
    /* nothing at all: zero and -inf */
    for (int p = 0; p < PARTS; p++)
        cr_assert_eq(
            wl_device_upload(runtime, lse + (uint64_t)(p * ROWS * 4), nothing, sizeof nothing, &error),
            WL_OK);
    struct wl_combine empty = c;
    empty.o.address = put(nan_rows, sizeof nan_rows), empty.lse = put(t.lse, sizeof t.lse);
    cr_assert_eq(wl_attention_combine(runtime, &empty, NULL, &error), WL_OK);
    get(nan_rows, empty.o.address, sizeof nan_rows);
    get(t.lse, empty.lse, sizeof t.lse);
    for (int i = 0; i < ROWS * DIM; i++) cr_expect_eq(nan_rows[i], 0, "O %d: %x", i, nan_rows[i]);
    for (int i = 0; i < ROWS; i++) cr_expect_eq(t.lse[i], -INFINITY, "LSE %d: %g", i, t.lse[i]);
    wl_device_free(runtime, lse), wl_device_free(runtime, wide);
}

/* ---- from the cache; without NVRTC; wrong input; no memory ---- */

static enum wl_origin origin(void) {
    struct wl_kernel_report info;
    const struct wl_kernel *kernel;
    cr_assert_eq(wl_specialize_auxiliary(runtime, "copy", &kernel, &error), WL_OK, "%s", error.text);
    wl_kernel_info(kernel, &info);
    return info.origin;
}

Test(auxiliary, cached, .init = set_up, .fini = tear_down) {
    open_runtime();
    cr_expect_eq(origin(), WL_BUILT);
    wl_close(runtime);
    setenv("WARPLOOM_NVRTC", "/nowhere/libnvrtc.so", 1); /* a warm start needs none */
    open_runtime();
    cr_expect_eq(origin(), WL_FROM_DISK);
}

Test(auxiliary, bundled, .init = set_up, .fini = tear_down) {
    char binary[600], bundle[256], command[1000];
    ssize_t length = readlink("/proc/self/exe", binary, sizeof binary - 32);
    cr_assert(length > 0);
    binary[length] = '\0';
    strcpy(strrchr(binary, '/'), "/../warploom");
    open_runtime(); /* or there is no NVRTC */
    wl_close(runtime);
    snprintf(bundle, sizeof bundle, "%s/b.wlb", folder);
    snprintf(command, sizeof command, "'%s' pack -o '%s' sm100_fwd_hd64 --head-dim 64 --auxiliary --ptx",
             binary, bundle);
    cr_assert_eq(system(command), 0);
    setenv("WARPLOOM_NVRTC", "/nowhere/libnvrtc.so", 1);
    const struct wl_options o = {.bundle = bundle, .bundle_only = true, .no_cache = true};
    cr_assert_eq(wl_open(&runtime, &o, &error), WL_OK, "%s", error.text);
    cr_expect_eq(wl_prepare_auxiliary(runtime, &error), WL_OK, "%s", error.text);
    cr_expect_eq(origin(), WL_FROM_BUNDLE);
}

Test(auxiliary, no_nvrtc, .init = set_up, .fini = tear_down) {
    setenv("WARPLOOM_NVRTC", "/nowhere/libnvrtc.so", 1);
    cr_assert_eq(wl_open(&runtime, NULL, &error), WL_OK, "%s", error.text);
    const struct wl_kernel *kernel; /* who needs none is not troubled */
    const struct wl_problem problem = {64, WL_BF16, false, NULL};
    cr_expect_eq(wl_specialize(runtime, &problem, &kernel, &error), WL_OK, "%s", error.text);
    cr_expect_eq(wl_prepare_auxiliary(runtime, &error), WL_ERR_ENVIRONMENT);
    cr_expect(strstr(error.text, "WARPLOOM_NVRTC: /nowhere"), "%s", error.text);
    unsetenv("WARPLOOM_NVRTC");
}

static long allocations_left, held;

static void *scarce(void *pointer, size_t bytes) {
    if (!bytes) {
        held -= pointer != NULL;
        return free(pointer), NULL;
    }
    if (allocations_left-- <= 0) return NULL;
    held += !pointer;
    return realloc(pointer, bytes);
}

/* Each allocation in turn, with all built (some of them) and all from disk (each). */
Test(auxiliary, no_memory, .init = set_up, .fini = tear_down, .timeout = 100) {
    setenv("WARPLOOM_LOG", "error", 1);
    open_runtime(); /* or there is no NVRTC */
    wl_close(runtime);
    for (int warm = 1; warm >= 0; warm--) {
        enum wl_status status = WL_ERR_NO_MEMORY;
        for (long allowed = 0; status && allowed < 400; allowed += warm ? 1 : 17) {
            error = (struct wl_error){0};
            allocations_left = allowed, held = 0;
            wl_set_realloc(scarce);
            status = wl_open(&runtime, &(struct wl_options){.no_cache = !warm}, &error);
            if (!status) status = wl_prepare_auxiliary(runtime, &error);
            wl_close(runtime);
            wl_set_realloc(NULL);
            cr_expect_eq(held, 0, "%ld allowed: %ld blocks left behind", allowed, held);
            if (status) cr_expect_eq(status, WL_ERR_NO_MEMORY, "%ld allowed: %s", allowed, error.text);
        }
        cr_expect_eq(status, WL_OK);
    }
    runtime = NULL;
}

Test(auxiliary, unknown_architecture) {
    struct wl_image image;
    struct wl_error e = {0};
    enum wl_status status = wl_nvrtc_generate(&image, "copy", "sm_20", &e);
    if (status == WL_ERR_ENVIRONMENT && strstr(e.text, "pip install")) cr_skip_test("%s", e.text);
    cr_expect_eq(status, WL_ERR_ENVIRONMENT);
    cr_expect(strstr(e.text, "does not know sm_20"), "%s", e.text);
}

static const struct bad {
    struct wl_array to, from;
    int64_t size[4];
    const char *field, *text;
} bads[] = {
    {{64, 0, {8, 4, 2, 1}}, {64, 0, {8, 4, 2, 1}}, {1, 0, 1, 1}, "size[1]", "0: must be at least 1"},
    {{64, 0, {8, 4, 2, 1}}, {64, 0, {8, 4, 2, 1}}, {1, -3, 1, 1}, "size[1]", "-3: must be at least 1"},
    {{64, 0, {8, 4, 2, 1}},
     {64, 0, {8, 4, 2, 1}},
     {INT32_MAX, INT32_MAX, INT32_MAX, 2},
     "size[1]",
     "does not fit"},
    {{0, 0, {8, 4, 2, 1}}, {64, 0, {8, 4, 2, 1}}, {1, 2, 2, 2}, "to", "must be a multiple of 2"},
    {{66, 2, {8, 4, 2, 1}}, {64, 0, {8, 4, 2, 1}}, {1, 2, 2, 2}, "to", "must be a multiple of 4"},
    {{64, 7, {8, 4, 2, 1}}, {64, 0, {8, 4, 2, 1}}, {1, 2, 2, 2}, "to", "element 7: must be"},
    {{64, 0, {8, 2, 2, 1}}, {64, 0, {8, 4, 2, 1}}, {1, 2, 2, 2}, "to", "overlap"},
    {{64, 0, {8, 4, 2, 0}}, {64, 0, {8, 4, 2, 1}}, {1, 2, 2, 2}, "to", "overlap"},
    {{64, 0, {8, 4, 2, 1}}, {64, 0, {8, 4, -2, 1}}, {1, 2, 2, 2}, "from", "must not be negative"},
    {{64, 0, {8, 4, 2, 1}}, {64, 0, {8, INT64_MAX, 2, 1}}, {1, 3, 2, 2}, "from", "further than 64 bits"},
};

Test(auxiliary, refusals, .init = set_up, .fini = tear_down) {
    cr_assert_eq(wl_open(&runtime, NULL, &error), WL_OK, "%s", error.text);
    for (size_t i = 0; i < WL_LEN(bads); i++) {
        error = (struct wl_error){0};
        cr_expect_eq(wl_copy(runtime, &bads[i].to, &bads[i].from, bads[i].size, NULL, &error), WL_ERR_INPUT,
                     "row %zu", i);
        cr_expect_str_eq(error.field, bads[i].field, "row %zu: %s", i, error.text);
        cr_expect(strstr(error.text, bads[i].text), "row %zu: %s", i, error.text);
    }
    struct wl_combine c = {
        .parts = 2, .batch = 1, .seqlen_q = 1, .heads = 1, .head_dim = 1, .part_stride = -1};
    c.o.address = c.part.address = c.part_lse = 64;
    error = (struct wl_error){0};
    cr_expect_eq(wl_attention_combine(runtime, &c, NULL, &error), WL_ERR_INPUT);
    cr_expect_str_eq(error.field, "part_stride");
    c.part_stride = 1, c.part_lse = 0;
    error = (struct wl_error){0};
    cr_expect_eq(wl_attention_combine(runtime, &c, NULL, &error), WL_ERR_INPUT);
    cr_expect_str_eq(error.field, "part_lse");
}
