/* minimal: one attention call. Weights of a softmax sum to one, so where all of V is 1, all of O is 1. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <warploom.h>

static struct wl_error error;

static void need(enum wl_status status) {
    char text[4096];
    if (!status) return;
    fprintf(stderr, "%s\n", wl_error_format(&error, text, sizeof text));
    exit(1);
}

int main(void) {
    enum { SEQ = 200, HEADS = 2, DIM = 128, COUNT = SEQ * HEADS * DIM };
    static uint16_t ones[COUNT], out[COUNT];
    struct wl_runtime *runtime;
    struct wl_attention p = {.batch = 1,
                             .heads = HEADS,
                             .heads_kv = HEADS,
                             .seqlen_q = SEQ,
                             .seqlen_k = SEQ,
                             .head_dim = DIM,
                             .dtype = WL_BF16,
                             .causal = true};
    uint64_t *const tensors[] = {&p.q.address, &p.k.address, &p.v.address, &p.o.address};
    for (int i = 0; i < COUNT; i++) ones[i] = 0x3f80; /* 1 in bfloat16 */
    need(wl_open(&runtime, NULL, &error));
    wl_attention_dense(&p);
    for (int i = 0; i < 4; i++) need(wl_device_alloc(runtime, sizeof ones, tensors[i], &error));
    for (int i = 0; i < 3; i++) need(wl_device_upload(runtime, *tensors[i], ones, sizeof ones, &error));
    need(wl_attention_forward(runtime, &p, NULL, &error));
    need(wl_synchronize(runtime, &error));
    need(wl_device_download(runtime, out, p.o.address, sizeof out, &error));
    for (int i = 0; i < 4; i++) wl_device_free(runtime, *tensors[i]);
    wl_close(runtime);
    puts(memcmp(ones, out, sizeof out) ? "wrong" : "right");
    return memcmp(ones, out, sizeof out) != 0;
}
