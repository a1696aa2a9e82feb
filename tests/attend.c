/* attend: see attend.h. */
#include "tests/attend.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/compare.h"
#include "runtime/half.h"
#include "runtime/input.h"
#include "runtime/reference.h"
#include "runtime/runtime.h"
#include "tests/test.h"

static struct wl_view *view_of(struct wl_attention *p, int i) {
    struct wl_view *views[] = {&p->q, &p->k, &p->v, &p->o};
    return views[i];
}

static void put(struct wl_runtime *runtime, uint64_t *address, const void *bytes, size_t size) {
    struct wl_error error = {0};
    cr_assert_eq(wl_device_alloc(runtime, size, address, &error), WL_OK, "%s", error.text);
    cr_assert_eq(wl_device_upload(runtime, *address, bytes, size, &error), WL_OK, "%s", error.text);
}

void attend_upload(struct attend *a, struct wl_runtime *runtime, const struct wl_attention *problem) {
    size_t dim = (size_t)problem->head_dim;
    *a = (struct attend){.problem = *problem,
                         .rows = (size_t)(problem->batch * problem->heads * problem->seqlen_q)};
    wl_attention_dense(&a->problem);
    float *row = malloc(dim * sizeof *row);
    for (int i = 0; i < 4; i++) {
        struct wl_input_stream stream;
        bool keys = i == 1 || i == 2;
        size_t rows = keys ? (size_t)(problem->batch * problem->heads_kv * problem->seqlen_k) : a->rows;
        a->count[i] = rows * dim;
        a->host[i] = malloc(a->count[i] * sizeof *a->host[i]);
        wl_input_start(&stream, WL_INPUT_NORMAL, i, 3);
        for (size_t r = 0; r < rows; r++) {
            wl_input_row(&stream, r, row, (int64_t)dim);
            wl_dtype_narrow(problem->dtype, a->host[i] + r * dim, row, dim);
        }
        put(runtime, &view_of(&a->problem, i)->address, a->host[i], a->count[i] * 2);
    }
    a->lse = malloc(a->rows * sizeof *a->lse);
    memset(a->lse, 0xff, a->rows * sizeof *a->lse);
    put(runtime, &a->problem.lse, a->lse, a->rows * sizeof *a->lse);
    free(row);
}

void attend_spoil(struct attend *a, struct wl_runtime *runtime) {
    struct wl_error error = {0};
    memset(a->host[3], 0xff, a->count[3] * 2);
    memset(a->lse, 0xff, a->rows * sizeof *a->lse);
    cr_assert_eq(wl_device_upload(runtime, a->problem.o.address, a->host[3], a->count[3] * 2, &error), WL_OK);
    cr_assert_eq(wl_device_upload(runtime, a->problem.lse, a->lse, a->rows * sizeof *a->lse, &error), WL_OK);
}

void attend_expect_right(struct attend *a, struct wl_runtime *runtime, const char *what) {
    struct wl_error error = {0};
    struct wl_compare compare;
    struct wl_attention host = a->problem;
    double *exact = malloc(a->count[3] * sizeof *exact), *exact_lse = malloc(a->rows * sizeof *exact_lse);
    float *plain = malloc(a->count[3] * sizeof *plain);
    cr_assert_eq(wl_synchronize(runtime, &error), WL_OK, "%s: %s", what, error.text);
    cr_assert_eq(wl_device_download(runtime, a->host[3], host.o.address, a->count[3] * 2, &error), WL_OK);
    cr_assert_eq(wl_device_download(runtime, a->lse, host.lse, a->rows * sizeof *a->lse, &error), WL_OK);
    for (int i = 0; i < 4; i++) view_of(&host, i)->address = (uintptr_t)a->host[i];
    cr_assert_eq(wl_reference_exact(&host, exact, exact_lse, 0, &error), WL_OK, "%s", error.text);
    cr_assert_eq(wl_reference_plain(&host, plain, 0, &error), WL_OK, "%s", error.text);
    wl_compare_output(&compare, &host, exact, plain);
    wl_compare_lse(&compare, &host, a->lse, exact_lse);
    cr_expect(compare.right, "%s: %s", what, compare.worst);
    free(exact), free(exact_lse), free(plain);
}

void attend_release(struct attend *a, struct wl_runtime *runtime) {
    for (int i = 0; i < 4; i++) {
        wl_device_free(runtime, view_of(&a->problem, i)->address);
        free(a->host[i]);
    }
    wl_device_free(runtime, a->problem.lse);
    free(a->lse);
}

/* ---- a graph ---- */

struct graph { /* what of the Driver API it takes */
    CUresult (*create_stream)(CUstream *, unsigned);
    CUresult (*destroy_stream)(CUstream);
    CUresult (*begin)(CUstream, int);
    CUresult (*end)(CUstream, void **);
    CUresult (*instantiate)(void **, void *, unsigned long long);
    CUresult (*launch)(void *, CUstream);
    CUresult (*wait)(CUstream);
    CUresult (*destroy)(void *);
    CUresult (*destroy_exec)(void *);
};
static const char *const entries[] = {"cuStreamCreate",
                                      "cuStreamDestroy_v2",
                                      "cuStreamBeginCapture_v2",
                                      "cuStreamEndCapture",
                                      "cuGraphInstantiateWithFlags",
                                      "cuGraphLaunch",
                                      "cuStreamSynchronize",
                                      "cuGraphDestroy",
                                      "cuGraphExecDestroy"};

static void capture(struct attend *a, struct wl_runtime *runtime, const struct graph *g, CUstream stream,
                    bool plain, void **graph) {
    struct wl_error error = {0};
    cr_assert_eq(g->begin(stream, 0), CUDA_SUCCESS);
    cr_assert_eq(wl_attention_forward(runtime, &a->problem, stream, &error), WL_OK, "%s", error.text);
    if (plain)
        cr_assert_eq(wl_attention_plain(runtime, &a->problem, stream, &error), WL_OK, "%s", error.text);
    cr_assert_eq(g->end(stream, graph), CUDA_SUCCESS);
}

void attend_captured(struct wl_runtime *runtime, const struct wl_attention *problem) {
    struct graph g;
    struct attend a;
    struct wl_error error = {0};
    const struct wl_driver *driver = runtime->driver;
    const struct wl_problem special = {(int32_t)problem->head_dim, problem->dtype, problem->causal, NULL, 0};
    const struct wl_kernel *kernel;
    void *graph, *ready, *found[sizeof entries / sizeof *entries];
    CUstream stream;
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++)
        cr_assert(found[i] = wl_driver_symbol(driver, entries[i]), "no %s", entries[i]);
    memcpy(&g, found, sizeof g);
    /* loading a module is no part of a graph */
    cr_assert_eq(wl_specialize(runtime, &special, &kernel, &error), WL_OK, "%s", error.text);
    bool plain = !wl_prepare_auxiliary(runtime, NULL);
    attend_upload(&a, runtime, problem);
    cr_assert_eq(wl_driver_enter(driver, NULL), WL_OK);
    cr_assert_eq(g.create_stream(&stream, 1), CUDA_SUCCESS);
    for (int both = 0; both <= plain; both++) {
        capture(&a, runtime, &g, stream, both, &graph);
        cr_assert_eq(g.instantiate(&ready, graph, 0), CUDA_SUCCESS);
        for (int i = 0; i < 3; i++) {
            attend_spoil(&a, runtime);
            cr_assert_eq(g.launch(ready, stream), CUDA_SUCCESS);
            cr_assert_eq(g.wait(stream), CUDA_SUCCESS);
            attend_expect_right(&a, runtime, both ? "replayed, with plain" : "replayed");
        }
        g.destroy_exec(ready), g.destroy(graph);
    }
    g.destroy_stream(stream);
    wl_driver_leave(driver);
    attend_release(&a, runtime);
}
