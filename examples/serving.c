/* serving: kernels for several head dimensions are made ready before the first request; then threads serve
 * requests of all of them at once; then the same call is captured into a CUDA graph and replayed. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <warploom.h>

enum { SEQ = 130, HEADS = 2, THREADS = 4, REQUESTS = 6, MAX_DIM = 128, ROWS = SEQ * HEADS };

static const int dims[] = {32, 64, 80, 96, 128};
enum { DIMS = sizeof dims / sizeof *dims };

static struct wl_runtime *runtime;
static atomic_int served, wrong;

static void need(enum wl_status status, const struct wl_error *error) {
    char text[4096];
    if (!status) return;
    fprintf(stderr, "%s\n", wl_error_format(error, text, sizeof text));
    exit(1);
}

/* ---- a request: V is 1 everywhere, so O must be ---- */

static struct wl_attention start(int dim) {
    struct wl_error error = {0};
    struct wl_attention p = {
        .batch = 1, .heads = HEADS, .heads_kv = 1, .seqlen_q = SEQ, .seqlen_k = SEQ, .head_dim = dim};
    uint64_t *const tensors[] = {&p.q.address, &p.k.address, &p.v.address, &p.o.address};
    uint16_t ones[ROWS * MAX_DIM];
    size_t bytes = (size_t)ROWS * (size_t)dim * 2;
    for (int i = 0; i < ROWS * MAX_DIM; i++) ones[i] = 0x3f80;
    wl_attention_dense(&p);
    for (int i = 0; i < 4; i++) need(wl_device_alloc(runtime, bytes, tensors[i], &error), &error);
    for (int i = 0; i < 3; i++) need(wl_device_upload(runtime, *tensors[i], ones, bytes, &error), &error);
    return p;
}

static void finish(struct wl_attention *p) {
    struct wl_error error = {0};
    uint16_t out[ROWS * MAX_DIM];
    const uint64_t tensors[] = {p->q.address, p->k.address, p->v.address, p->o.address};
    int count = ROWS * (int)p->head_dim, bad = 0;
    need(wl_synchronize(runtime, &error), &error);
    need(wl_device_download(runtime, out, p->o.address, (size_t)count * 2, &error), &error);
    for (int i = 0; i < count; i++) bad += out[i] != 0x3f80;
    atomic_fetch_add(&wrong, bad != 0);
    atomic_fetch_add(&served, 1);
    for (int i = 0; i < 4; i++) wl_device_free(runtime, tensors[i]);
}

static void *serve(void *user) {
    for (int i = 0; i < REQUESTS; i++) {
        struct wl_error error = {0};
        struct wl_attention p = start(dims[((long)(size_t)user + i) % DIMS]);
        need(wl_attention_forward(runtime, &p, NULL, &error), &error);
        finish(&p);
    }
    return NULL;
}

/* ---- a graph ---- */

typedef int create_stream(struct CUstream_st **, unsigned), begin(struct CUstream_st *, int);
typedef int end(struct CUstream_st *, void **), instantiate(void **, void *, unsigned long long);
typedef int launch(void *, struct CUstream_st *), get_current(void **), retain(void **, int),
    set_current(void *);

static int graph(const char *driver) {
    void *cuda = dlopen(driver, RTLD_NOW);
    struct wl_error error = {0};
    struct CUstream_st *stream;
    void *context, *captured, *ready;
#define GET(type, name) ((type *)dlsym(cuda, name))
    if (!cuda || GET(retain, "cuDevicePrimaryCtxRetain")(&context, 0) ||
        GET(set_current, "cuCtxSetCurrent")(context))
        return 1;
    struct wl_attention p = start(128);
    if (GET(create_stream, "cuStreamCreate")(&stream, 1) || GET(begin, "cuStreamBeginCapture_v2")(stream, 0))
        return 1;
    need(wl_attention_forward(runtime, &p, stream, &error), &error);
    if (GET(end, "cuStreamEndCapture")(stream, &captured)) return 1;
    if (GET(instantiate, "cuGraphInstantiateWithFlags")(&ready, captured, 0)) return 1;
    for (int i = 0; i < 3; i++)
        if (GET(launch, "cuGraphLaunch")(ready, stream)) return 1;
    finish(&p);
    puts("a graph of one launch, replayed 3 times");
    return 0;
}

int main(void) {
    struct wl_error error = {0};
    struct wl_problem problems[DIMS];
    struct wl_runtime_report report;
    pthread_t threads[THREADS];
    need(wl_open(&runtime, NULL, &error), &error);
    for (int i = 0; i < DIMS; i++) problems[i] = (struct wl_problem){dims[i], WL_BF16, false, NULL, 0};
    need(wl_prepare(runtime, problems, DIMS, 0, &error), &error);
    for (int t = 0; t < THREADS; t++)
        if (pthread_create(&threads[t], NULL, serve, (void *)(size_t)t)) return 1;
    for (int t = 0; t < THREADS; t++) pthread_join(threads[t], NULL);
    wl_runtime_info(runtime, &report);
    if (graph(report.driver)) return puts("graph: a call of the driver failed"), 1;
    printf("%d requests of %d head dimensions on %d threads, %d wrong\n", served, DIMS, THREADS, wrong);
    wl_close(runtime);
    return wrong != 0;
}
