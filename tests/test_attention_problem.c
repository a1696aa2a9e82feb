/* attention: problems that are none are refused, naming the field; and how tensors become tensor maps. */
#include "runtime/attention.h"
#include "runtime/tensor_map.h"
#include "tests/test.h"

#include <math.h>
#include <string.h>

/* batch 2, 4 heads on 2, 100 x 200, head_dim 64, dense, at made-up addresses. */
static struct wl_attention good(void) {
    struct wl_attention problem = {
        .batch = 2, .heads = 4, .heads_kv = 2, .seqlen_q = 100, .seqlen_k = 200, .head_dim = 64};
    wl_attention_dense(&problem);
    problem.q.address = 0x10000;
    problem.k.address = 0x20000;
    problem.v.address = 0x30000;
    problem.o.address = 0x40000;
    problem.lse = 0x50000;
    return problem;
}

Test(attention_problem, good_one_passes) {
    struct wl_attention problem = good();
    struct wl_error error = {0};
    cr_expect_eq(wl_attention_check(&problem, &error), WL_OK, "%s: %s", error.field, error.text);
    problem.lse = 0; /* not wanted */
    problem.scale = 0.5;
    cr_expect_eq(wl_attention_check(&problem, &error), WL_OK, "%s: %s", error.field, error.text);
    problem.k.head_stride = problem.k.seq_stride = 0; /* one row for all keys and heads: inputs may overlap */
    cr_expect_eq(wl_attention_check(&problem, &error), WL_OK, "%s: %s", error.field, error.text);
}

Test(attention_problem, strides_of_single_steps_are_ignored) {
    struct wl_attention problem = good();
    struct wl_error error = {0};
    problem.batch = 1;
    problem.q.batch_stride = problem.k.batch_stride = problem.v.batch_stride = problem.o.batch_stride = -7;
    cr_expect_eq(wl_attention_check(&problem, &error), WL_OK, "%s: %s", error.field, error.text);
}

enum kind { INTEGER, REAL, ADDRESS };
#define OF(field) offsetof(struct wl_attention, field)

/* clang-format off */
static const struct row {
    enum kind kind;
    size_t offset;
    double value;
    const char *field, *text;
} rows[] = {
    {INTEGER, OF(batch),    0,               "batch",    "at least 1"},
    {INTEGER, OF(batch),    -1,              "batch",    "-1"},
    {INTEGER, OF(batch),    0x1p31,          "batch",    "2147483648: must be at most 2147483647"},
    {INTEGER, OF(heads),    0,               "heads",    "at least 1"},
    {INTEGER, OF(heads),    -4,              "heads",    "-4"},
    {INTEGER, OF(heads),    3,               "heads_kv", "must divide heads, which is 3"},
    {INTEGER, OF(heads_kv), 0,               "heads_kv", "at least 1"},
    {INTEGER, OF(heads_kv), 3,               "heads_kv", "3: must divide heads, which is 4"},
    {INTEGER, OF(heads_kv), 8,               "heads_kv", "8: must divide"},
    {INTEGER, OF(seqlen_q), 0,               "seqlen_q", "at least 1"},
    {INTEGER, OF(seqlen_q), -0x1p62,         "seqlen_q", "at least 1"},
    {INTEGER, OF(seqlen_q), 0x1p40,          "seqlen_q", "32 bits"},
    {INTEGER, OF(seqlen_k), 0,               "seqlen_k", "at least 1"},
    {INTEGER, OF(seqlen_k), 0x1p32,          "seqlen_k", "32 bits"},
    {INTEGER, OF(head_dim), 0,               "head_dim", "at least 1"},
    {INTEGER, OF(head_dim), 1,               "head_dim", "multiple of 8"},
    {INTEGER, OF(head_dim), 100,             "head_dim", "100: must be a multiple of 8"},
    {INTEGER, OF(head_dim), -64,             "head_dim", "-64"},
    {INTEGER, OF(head_dim_v), 100,           "head_dim_v", "100: must be a multiple of 8"},
    {INTEGER, OF(head_dim_v), -8,            "head_dim_v", "at least 1"},
    {REAL,    OF(scale),    -1,              "scale",    "positive"},
    {REAL,    OF(scale),    NAN,             "scale",    "finite"},
    {REAL,    OF(scale),    INFINITY,        "scale",    "finite"},
    {REAL,    OF(scale),    1e-60,           "scale",    "normal float"},
    {REAL,    OF(scale),    1e60,            "scale",    "normal float"},
    {ADDRESS, OF(q.address), 0,              "q",        "no address"},
    {ADDRESS, OF(k.address), 0x20008,        "k",        "0x20008 is not a multiple of 16"},
    {ADDRESS, OF(v.address), 0x30002,        "v",        "not a multiple of 16"},
    {ADDRESS, OF(o.address), 0,              "o",        "no address"},
    {ADDRESS, OF(lse),       0x50002,        "lse",      "multiple of 4"},
    {INTEGER, OF(q.seq_stride),   257,       "q",        "seq stride of 257 elements is 514 bytes: must be a multiple of 16"},
    {INTEGER, OF(k.head_stride),  4,         "k",        "head stride of 4 elements is 8 bytes"},
    {INTEGER, OF(v.batch_stride), -25600,    "v",        "batch stride of -25600"},
    {INTEGER, OF(v.seq_stride),   0x1p39,    "v",        "seq stride of 549755813888"},
    {INTEGER, OF(o.seq_stride),   0,         "o",        "rows overlap"},
    {INTEGER, OF(o.head_stride),  56,        "o",        "rows overlap"},
    {INTEGER, OF(o.batch_stride), 25592,     "o",        "rows overlap"},
};
/* clang-format on */

ParameterizedTestParameters(attention_problem, bad_ones_are_refused) { return wl_test_rows(WL_LEN(rows)); }
ParameterizedTest(size_t *i, attention_problem, bad_ones_are_refused) {
    const struct row *r = &rows[*i];
    struct wl_attention problem = good();
    char *field = (char *)&problem + r->offset;
    if (r->kind == INTEGER) memcpy(field, &(int64_t){(int64_t)r->value}, sizeof(int64_t));
    if (r->kind == ADDRESS) memcpy(field, &(uint64_t){(uint64_t)r->value}, sizeof(uint64_t));
    if (r->kind == REAL) memcpy(field, &r->value, sizeof r->value);
    struct wl_error error = {0};
    cr_expect_eq(wl_attention_check(&problem, &error), WL_ERR_INPUT, "row %zu passes", *i);
    cr_expect_str_eq(error.field, r->field, "row %zu: field %s: %s", *i, error.field, error.text);
    cr_expect(strstr(error.text, r->text), "row %zu: '%s' lacks '%s'", *i, error.text, r->text);
}

/* Each size fits in 32 bits, what they make together does not fit in 64. */
Test(attention_problem, sizes_that_overflow_together) {
    struct wl_attention problem = good();
    struct wl_error error = {0};
    problem.batch = problem.seqlen_q = INT32_MAX;
    problem.heads = problem.heads_kv = 1 << 20;
    cr_expect_eq(wl_attention_check(&problem, &error), WL_ERR_INPUT);
    cr_expect_str_eq(error.field, "q");
    cr_expect(strstr(error.text, "64 bits"), "%s", error.text);
}

Test(attention_problem, strides_that_overflow_together) {
    struct wl_attention problem = good();
    struct wl_error error = {0};
    problem.batch = INT32_MAX;
    problem.k.batch_stride = ((int64_t)1 << 39) - 8;
    problem.q.batch_stride = problem.o.batch_stride = 100 * 4 * 64;
    cr_expect_eq(wl_attention_check(&problem, &error), WL_ERR_INPUT);
    cr_expect_str_eq(error.field, "k");
    cr_expect(strstr(error.text, "64 bits"), "%s", error.text);
}

/* ---- tensor maps ---- */

static const struct wl_tensor_box box = {.box = {64, 128, 1, 1}, .swizzle_bytes = 128};

Test(attention_problem, tensor_map_arguments) {
    const struct wl_tensor_view tensor = {.name = "k",
                                          .dtype = WL_FP16,
                                          .address = 0x1000,
                                          .size = {64, 200, 2, 3},
                                          .stride = {1, 128, 64, 25600}};
    struct wl_tensor_map_arguments a;
    struct wl_error error = {0};
    cr_assert_eq(wl_tensor_map_arguments(&a, &tensor, &box, &error), WL_OK, "%s", error.text);
    cr_expect_eq(a.type, CU_TENSOR_MAP_DATA_TYPE_FLOAT16);
    cr_expect_eq(a.swizzle, CU_TENSOR_MAP_SWIZZLE_128B);
    cr_expect(a.size[0] == 64 && a.size[1] == 200 && a.size[2] == 2 && a.size[3] == 3);
    cr_expect(a.stride_bytes[0] == 256 && a.stride_bytes[1] == 128 && a.stride_bytes[2] == 51200);
    cr_expect(a.box[0] == 64 && a.box[1] == 128 && a.box[2] == 1 && a.box[3] == 1);
}

/* Whatever a caller writes there, the driver gets a stride that it takes. */
Test(attention_problem, tensor_map_of_single_steps) {
    const struct wl_tensor_view tensor = {.name = "q",
                                          .dtype = WL_BF16,
                                          .address = 0x1000,
                                          .size = {40, 1, 1, 1},
                                          .stride = {1, 3, -5, (int64_t)1 << 50}};
    struct wl_tensor_map_arguments a;
    struct wl_error error = {0};
    cr_assert_eq(wl_tensor_map_arguments(&a, &tensor, &box, &error), WL_OK, "%s", error.text);
    for (int d = 0; d < 3; d++)
        cr_expect(a.stride_bytes[d] >= 80 && a.stride_bytes[d] % 16 == 0 && a.stride_bytes[d] < 4096);
}

static const struct refusal {
    uint64_t address;
    int64_t seq_stride;
    const char *text;
} refusals[] = {
    {0x1008, 128, "address 0x1008 is not a multiple of 16"},
    {0, 128, "null"},
    {0x1000, 100, "seq stride of 100 elements is 200 bytes, not a multiple of 16"},
    {0x1000, -128, "seq stride of -128"},
    {0x1000, (int64_t)1 << 39, "seq stride of 549755813888"},
};

Test(attention_problem, tensor_map_refusals) {
    for (size_t i = 0; i < WL_LEN(refusals); i++) {
        struct wl_tensor_view tensor = {.name = "v",
                                        .address = refusals[i].address,
                                        .size = {64, 200, 2, 3},
                                        .stride = {1, refusals[i].seq_stride, 64, 25600}};
        struct wl_tensor_map_arguments a;
        struct wl_error error = {0};
        cr_expect_eq(wl_tensor_map_arguments(&a, &tensor, &box, &error), WL_ERR_INPUT, "row %zu passes", i);
        cr_expect_str_eq(error.field, "v");
        cr_expect(strstr(error.text, refusals[i].text), "row %zu: %s", i, error.text);
    }
}
