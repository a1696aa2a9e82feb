/* attend: an attention problem with its tensors on a runtime's device, and the verdict on what a kernel made of it. */
#ifndef WL_TEST_ATTEND_H
#define WL_TEST_ATTEND_H

#include "runtime/warploom.h"

struct attend {
    struct wl_attention problem; /* dense, with LSE */
    uint16_t *host[4];           /* Q, K, V, O */
    size_t count[4];             /* elements of each */
    float *lse;
    size_t rows;
};

/* Sizes, dtype and mask are taken from `problem`; an error fails the test. */
void attend_upload(struct attend *a, struct wl_runtime *runtime, const struct wl_attention *problem);
/* NaN into O and LSE on the device. */
void attend_spoil(struct attend *a, struct wl_runtime *runtime);
/* Waits, fetches O and LSE, compares with float64 as `warploom run --check` does. */
void attend_expect_right(struct attend *a, struct wl_runtime *runtime, const char *what);
/* The problem captured into a CUDA graph, which is replayed three times: right each time. Where there is an NVRTC,
 * a second graph has the plain kernel behind it, which writes the same tensors anew. */
void attend_captured(struct wl_runtime *runtime, const struct wl_attention *problem);
void attend_release(struct attend *a, struct wl_runtime *runtime);

#endif
