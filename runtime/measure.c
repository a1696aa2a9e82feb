/* measure: see measure.h. */
#include "runtime/measure.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "gen/arena.h"
#include "runtime/half.h"
#include "runtime/input.h"

#define SAMPLES_LIMIT 1024
#define SAMPLE_MS     0.5 /* shorter kernels are launched several times a sample */
#define BLOCK_ROWS    4096

double wl_attention_flops(const struct wl_attention *p) {
    double all = 2.0 * (double)p->batch * (double)p->heads * (double)p->seqlen_q * (double)p->seqlen_k *
                 (double)(p->head_dim + wl_attention_dim_v(p));
    return p->causal ? all / 2 : all;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double wl_median(double *values, int count) {
    if (count < 1) return NAN;
    qsort(values, (size_t)count, sizeof *values, ascending);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

/* ---- time ---- */

struct watch {
    struct wl_driver *driver;
    CUevent start, end;
};

static enum wl_status watch_init(struct watch *watch, struct wl_driver *driver, struct wl_error *error) {
    *watch = (struct watch){.driver = driver};
    CUresult result = driver->fn.cuEventCreate(&watch->start, 0);
    if (!result) result = driver->fn.cuEventCreate(&watch->end, 0);
    return wl_driver_check(driver, result, "cuEventCreate", error);
}

static void watch_fini(struct watch *watch) {
    if (watch->start) watch->driver->fn.cuEventDestroy_v2(watch->start);
    if (watch->end) watch->driver->fn.cuEventDestroy_v2(watch->end);
}

/* Mean milliseconds of `launches` launches in a row. */
static enum wl_status time_launches(const struct watch *watch, const struct wl_kernel *kernel,
                                    const struct wl_attention *problem, int launches, double *ms,
                                    struct wl_error *error) {
    const struct wl_driver *driver = watch->driver;
    float elapsed = 0;
    enum wl_status status =
        wl_driver_check(driver, driver->fn.cuEventRecord(watch->start, NULL), "cuEventRecord", error);
    for (int i = 0; i < launches && !status; i++) status = wl_attention_launch(kernel, problem, NULL, error);
    if (status) return status;
    CUresult result = driver->fn.cuEventRecord(watch->end, NULL);
    const char *call = "cuEventRecord";
    if (!result) result = driver->fn.cuEventSynchronize(watch->end), call = "cuEventSynchronize";
    if (!result)
        result = driver->fn.cuEventElapsedTime(&elapsed, watch->start, watch->end),
        call = "cuEventElapsedTime";
    *ms = elapsed / launches;
    return wl_driver_check(driver, result, call, error);
}

/* Launches for warm_ms; *ms is what the last one took. */
static enum wl_status warm_up(const struct watch *watch, const struct wl_kernel *kernel,
                              const struct wl_attention *problem, double warm_ms, double *ms,
                              struct wl_error *error) {
    double spent = 0;
    do {
        enum wl_status status = time_launches(watch, kernel, problem, 1, ms, error);
        if (status) return status;
        spent += *ms > 1e-3 ? *ms : 1e-3;
    } while (spent < warm_ms);
    return WL_OK;
}

static void summarise(double *values, int count, int launches, struct wl_measurement *out) {
    *out = (struct wl_measurement){.samples = count, .launches = count * launches, .stopped = out->stopped};
    out->median_ms = wl_median(values, count);
    out->least_ms = values[0];
    out->most_ms = values[count - 1];
    for (int i = 0; i < count; i++) values[i] = fabs(values[i] - out->median_ms);
    out->spread = out->median_ms > 0 ? wl_median(values, count) / out->median_ms : 0;
}

/* Whether this many samples say that the rest need not be taken. */
static bool hopeless(const double *values, int count, int wanted, double limit) {
    double copy[SAMPLES_LIMIT];
    if (limit <= 0 || count < 3 || count != (wanted + 2) / 3) return false;
    for (int i = 0; i < count; i++) copy[i] = values[i];
    return wl_median(copy, count) > limit;
}

static enum wl_status sample(const struct watch *watch, const struct wl_kernel *kernel,
                             const struct wl_attention *problem, const struct wl_measure *how,
                             struct wl_measurement *out, struct wl_error *error) {
    double values[SAMPLES_LIMIT], estimate = 0;
    int taken = 0;
    enum wl_status status = warm_up(watch, kernel, problem, how->warm_ms, &estimate, error);
    if (status) return status;
    *out = (struct wl_measurement){0};
    if (estimate < 1e-3) estimate = 1e-3;
    int launches = estimate < SAMPLE_MS ? (int)ceil(SAMPLE_MS / estimate) : 1;
    double fit = how->budget_ms / (estimate * launches);
    int wanted = fit < how->samples_min   ? how->samples_min
                 : fit > how->samples_max ? how->samples_max
                                          : (int)fit;
    if (wanted > SAMPLES_LIMIT) wanted = SAMPLES_LIMIT;
    while (taken < wanted && !out->stopped) {
        status = time_launches(watch, kernel, problem, launches, &values[taken], error);
        if (status) return status;
        taken++;
        out->stopped = hopeless(values, taken, wanted, how->stop_above_ms);
    }
    summarise(values, taken, launches, out);
    return WL_OK;
}

enum wl_status wl_measure_kernel(const struct wl_kernel *kernel, const struct wl_attention *problem,
                                 const struct wl_measure *how, struct wl_measurement *out,
                                 struct wl_error *error) {
    struct watch watch;
    if (how->samples_min < 1 || how->samples_max < how->samples_min)
        return wl_fail(error, WL_ERR_USAGE, NULL, 0, "samples", "%d to %d: at least 1, in this order",
                       how->samples_min, how->samples_max);
    enum wl_status status = wl_attention_check(problem, error);
    if (!status) status = wl_driver_enter(kernel->driver, error);
    if (status) return status;
    status = watch_init(&watch, kernel->driver, error);
    if (!status) status = sample(&watch, kernel, problem, how, out, error);
    watch_fini(&watch);
    wl_driver_leave(kernel->driver);
    return status;
}

/* ---- tensors ---- */

static enum wl_status fill(struct wl_driver *driver, CUdeviceptr to, size_t bytes, const uint16_t *block,
                           size_t block_bytes, struct wl_error *error) {
    enum wl_status status = WL_OK;
    for (size_t at = 0; at < bytes && !status; at += block_bytes)
        status = wl_driver_upload(driver, to + at, block, bytes - at < block_bytes ? bytes - at : block_bytes,
                                  error);
    return status;
}

/* BLOCK_ROWS rows of a tensor. */
static void make_block(const struct wl_attention *p, int tensor, uint16_t *block) {
    struct wl_input_stream stream;
    float row[256];
    size_t dim = (size_t)(tensor == WL_TENSOR_V ? wl_attention_dim_v(p) : p->head_dim);
    wl_input_start(&stream, WL_INPUT_NORMAL, tensor, 1);
    for (size_t i = 0; i < BLOCK_ROWS; i++) {
        wl_input_row(&stream, i, row, (int)dim);
        wl_dtype_narrow(p->dtype, block + i * dim, row, dim);
    }
}

enum wl_status wl_measure_tensors(struct wl_driver *driver, struct wl_attention *p, struct wl_error *error) {
    struct wl_view *const views[] = {&p->q, &p->k, &p->v, &p->o};
    enum wl_status status = wl_attention_check_sizes(p, error);
    if (status) return status;
    int64_t dim_v = wl_attention_dim_v(p), most = dim_v > p->head_dim ? dim_v : p->head_dim;
    if (most > 256)
        return wl_fail(error, WL_ERR_INPUT, NULL, 0, "head_dim", "%d: at most 256", (int)most);
    size_t block_bytes = BLOCK_ROWS * (size_t)most * 2;
    size_t query = (size_t)p->batch * (size_t)p->heads * (size_t)p->seqlen_q;
    size_t key = (size_t)p->batch * (size_t)p->heads_kv * (size_t)p->seqlen_k;
    uint16_t *block = wl_realloc(NULL, block_bytes);
    if (!block)
        return wl_fail(error, WL_ERR_NO_MEMORY, NULL, 0, NULL, "no memory for %zu bytes", block_bytes);
    wl_attention_dense(p);
    for (int i = 0; i < 4 && !status; i++) {
        CUdeviceptr address = 0;
        size_t row = (size_t)(i < 2 ? p->head_dim : dim_v) * 2, bytes = (i == 0 || i == 3 ? query : key) * row;
        status = wl_driver_alloc(driver, bytes, &address, error);
        views[i]->address = address;
        if (status || i == 3) continue;
        make_block(p, i, block);
        status = fill(driver, address, bytes, block, BLOCK_ROWS * row, error);
    }
    CUdeviceptr lse = 0;
    if (!status) status = wl_driver_alloc(driver, query * sizeof(float), &lse, error);
    p->lse = lse;
    wl_free(block);
    if (status) wl_measure_free(driver, p);
    return status;
}

void wl_measure_free(struct wl_driver *driver, struct wl_attention *p) {
    struct wl_view *const views[] = {&p->q, &p->k, &p->v, &p->o};
    for (int i = 0; i < 4; i++) {
        wl_driver_free(driver, views[i]->address);
        views[i]->address = 0;
    }
    wl_driver_free(driver, p->lse);
    p->lse = 0;
}
