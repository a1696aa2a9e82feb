/* Strided tensors: a kernel on views of one packed buffer gives, bit for bit, what it gives on dense tensors.
 */
#include "gen/emit.h"
#include "runtime/attention.h"
#include "tests/test.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 2, HEADS = 4, HEADS_KV = 2, SEQ_Q = 150, SEQ_K = 200, DIM = 40, FILL = 0x5a };

static const struct layout {
    const char *schedule, *what;
    int seq_major; /* 1: (batch, seq, head, dim) inside a wider row; 0: (batch, head, seq, dim) */
    int pad;       /* elements between the rows of one tensor and the next: multiples of 8 */
} layouts[] = {
    {"sm100_fwd_hd64", "a packed row of all tensors", 1, 8},
    {"sm100_fwd_hd64", "heads outside the sequence", 0, 0},
    {"sm100_fwd_hd64", "heads outside the sequence, rows apart", 0, 24},
    {"sm90_fwd_hd64", "a packed row of all tensors", 1, 16},
};

struct side { /* one tensor: its view of the device buffer and where its elements lie */
    struct wl_view *view;
    int seq, heads;
    int64_t offset;
};

static int64_t element(const struct side *s, int b, int row, int head) {
    return s->offset + b * s->view->batch_stride + row * s->view->seq_stride + head * s->view->head_stride;
}

/* Gives the view its strides from `offset` on and returns the offset behind it. */
static int64_t lay_out(struct side *s, const struct layout *l, int64_t offset, int64_t packed_row) {
    struct wl_view *v = s->view;
    s->offset = offset;
    if (l->seq_major) {
        v->head_stride = DIM;
        v->seq_stride = packed_row;
        v->batch_stride = packed_row * (SEQ_Q > SEQ_K ? SEQ_Q : SEQ_K);
        return offset + (int64_t)s->heads * DIM + l->pad;
    }
    v->seq_stride = DIM + l->pad;
    v->head_stride = v->seq_stride * s->seq;
    v->batch_stride = v->head_stride * s->heads;
    return offset + v->batch_stride * BATCH;
}

static void sides_of(struct wl_attention *p, struct side *s) {
    s[0] = (struct side){&p->q, SEQ_Q, HEADS, 0};
    s[1] = (struct side){&p->k, SEQ_K, HEADS_KV, 0};
    s[2] = (struct side){&p->v, SEQ_K, HEADS_KV, 0};
    s[3] = (struct side){&p->o, SEQ_Q, HEADS, 0};
}

/* A number that depends on the logical element only. */
static uint16_t value(int tensor, int b, int row, int head, int d) {
    uint32_t h = (uint32_t)(((tensor * 7 + b) * 1009 + row) * 31 + head) * 2654435761u + (uint32_t)d * 40503u;
    h ^= h >> 15;
    return (uint16_t)(0x3f00 + (h & 0x80ff)); /* bf16, 0.5 to 2 of either sign */
}

/* Runs the problem with all tensors in one buffer of `elements`; the host copy comes back in `host`. */
static void run(struct wl_driver *driver, const struct wl_kernel *kernel, struct wl_attention *p,
                struct side *s, uint16_t *host, int64_t elements) {
    struct wl_error error = {0};
    CUdeviceptr base;
    memset(host, FILL, (size_t)elements * 2);
    for (int t = 0; t < 3; t++)
        for (int i = 0; i < BATCH * s[t].seq * s[t].heads; i++) {
            int b = i / (s[t].seq * s[t].heads), row = i / s[t].heads % s[t].seq, head = i % s[t].heads;
            for (int d = 0; d < DIM; d++) host[element(&s[t], b, row, head) + d] = value(t, b, row, head, d);
        }
    cr_assert_eq(wl_driver_alloc(driver, (size_t)elements * 2, &base, &error), WL_OK, "%s", error.text);
    cr_assert_eq(wl_driver_upload(driver, base, host, (size_t)elements * 2, &error), WL_OK, "%s", error.text);
    for (int t = 0; t < 4; t++) s[t].view->address = base + (CUdeviceptr)s[t].offset * 2;
    cr_assert_eq(wl_attention_launch(kernel, p, NULL, &error), WL_OK, "%s: %s", error.field, error.text);
    cr_assert_eq(wl_driver_synchronize(driver, &error), WL_OK, "%s", error.text);
    cr_assert_eq(wl_driver_download(driver, host, base, (size_t)elements * 2, &error), WL_OK, "%s",
                 error.text);
    wl_driver_free(driver, base);
}

static void load(const char *schedule, struct wl_driver **driver, struct wl_kernel *kernel) {
    struct wl_error error = {0};
    struct wl_schedule s;
    struct wl_plan plan;
    struct wl_text ptx = {0};
    const struct wl_specialization special = {.head_dim = DIM, .dtype = WL_BF16, .causal = 1};
    cr_assert_eq(wl_schedule_load(&s, schedule, NULL, 0, &error), WL_OK, "%s", error.text);
    cr_assert_eq(wl_plan_make(&plan, &s, &special, &error), WL_OK, "%s", error.text);
    cr_assert_eq(wl_emit(&plan, &ptx, &error), WL_OK, "%s", error.text);
    setenv("WARPLOOM_EMU_CHECK", "strict", 1);
    cr_assert_eq(wl_driver_open(driver, "emu", plan.launch.target, &error), WL_OK, "%s", error.text);
    cr_assert_eq(wl_jit_load(kernel, *driver, ptx.bytes, ptx.length, "strides.ptx", &plan.launch, &error),
                 WL_OK, "%s", error.text);
    wl_text_fini(&ptx);
}

ParameterizedTestParameters(strides, same_as_dense) { return wl_test_rows(WL_LEN(layouts)); }
ParameterizedTest(size_t *i, strides, same_as_dense) {
    const struct layout *l = &layouts[*i];
    struct wl_driver *driver;
    struct wl_kernel kernel;
    load(l->schedule, &driver, &kernel);
    const int64_t packed_row = 2 * (HEADS + HEADS_KV) * DIM + 4 * l->pad, room = (int64_t)1 << 20;
    uint16_t *host[2] = {malloc((size_t)room * 2), malloc((size_t)room * 2)};
    struct wl_attention problem[2];
    struct side s[2][4];
    for (int k = 0; k < 2; k++) { /* 0: dense, one tensor after the other */
        problem[k] = (struct wl_attention){.batch = BATCH,
                                           .heads = HEADS,
                                           .heads_kv = HEADS_KV,
                                           .seqlen_q = SEQ_Q,
                                           .seqlen_k = SEQ_K,
                                           .head_dim = DIM,
                                           .dtype = WL_BF16,
                                           .causal = 1};
        wl_attention_dense(&problem[k]);
        sides_of(&problem[k], s[k]);
        int64_t offset = 0;
        for (int t = 0; t < 4; t++)
            if (k == 1) offset = lay_out(&s[k][t], l, offset, packed_row);
            else s[k][t].offset = offset, offset += (int64_t)BATCH * s[k][t].seq * s[k][t].heads * DIM;
        run(driver, &kernel, &problem[k], s[k], host[k], room);
    }
    int differ = 0, unwritten = 0;
    for (int n = 0; n < BATCH * SEQ_Q * HEADS; n++) {
        int b = n / (SEQ_Q * HEADS), row = n / HEADS % SEQ_Q, head = n % HEADS;
        const uint16_t *dense = host[0] + element(&s[0][3], b, row, head),
                       *strided = host[1] + element(&s[1][3], b, row, head);
        differ += memcmp(dense, strided, DIM * 2) != 0;
        unwritten += dense[0] == FILL * 0x101;
    }
    cr_expect_eq(differ, 0, "%s: %d of %d rows differ", l->what, differ, BATCH * SEQ_Q * HEADS);
    cr_expect_eq(unwritten, 0, "%s: %d rows were not written", l->what, unwritten);
    if (l->pad) /* the gap behind a row of O belongs to somebody else */
        cr_expect_eq(host[1][element(&s[1][3], 0, 0, l->seq_major ? HEADS - 1 : 0) + DIM], FILL * 0x101,
                     "%s: written beyond a row", l->what);
    free(host[0]), free(host[1]);
    wl_jit_unload(&kernel);
    wl_driver_close(driver);
}
