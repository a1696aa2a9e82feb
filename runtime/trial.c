/* trial: one kernel on one attention problem, compared with float64. */
#include "runtime/trial.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "gen/emit.h"
#include "runtime/half.h"
#include "runtime/reference.h"

static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

enum wl_status wl_trial_prepare(const struct wl_trial *t, struct wl_trial_result *r, struct wl_error *error) {
    struct wl_schedule schedule;
    const struct wl_specialization special = {t->head_dim, t->dtype, t->causal, t->head_dim_v};
    double start = now_ms();
    enum wl_status status = wl_schedule_load(&schedule, t->schedule, t->overrides, t->override_count, error);
    if (!status) status = wl_plan_make(&r->plan, &schedule, &special, error);
    if (status) return status;
    r->problem = (struct wl_attention){.batch = t->batch,
                                       .heads = t->heads,
                                       .heads_kv = t->heads_kv,
                                       .seqlen_q = t->seq_q,
                                       .seqlen_k = t->seq_k,
                                       .head_dim = r->plan.head_dim,
                                       .head_dim_v = r->plan.head_dim_v,
                                       .dtype = r->plan.dtype,
                                       .causal = r->plan.causal,
                                       .scale = t->scale};
    status = wl_attention_check_sizes(&r->problem, error);
    if (status) return status;
    wl_attention_dense(&r->problem);
    status = wl_emit(&r->plan, &r->ptx, error);
    r->emit_ms = now_ms() - start;
    return status;
}

/* ---- the tensors ---- */

static size_t dim_of(const struct wl_attention *p, int tensor) {
    return (size_t)(tensor == WL_TENSOR_V || tensor == WL_TENSOR_O ? wl_attention_dim_v(p) : p->head_dim);
}

static size_t rows_of(const struct wl_attention *p, int tensor) { /* of dim_of() elements */
    bool query = tensor == WL_TENSOR_Q || tensor == WL_TENSOR_O;
    return (size_t)p->batch * (size_t)(query ? p->heads : p->heads_kv) *
           (size_t)(query ? p->seqlen_q : p->seqlen_k);
}

static enum wl_status allocate(void **out, size_t count, size_t each, struct wl_error *error) {
    size_t bytes;
    *out = __builtin_mul_overflow(count, each, &bytes) ? NULL : wl_realloc(NULL, bytes);
    return *out ? WL_OK
                : wl_fail(error, WL_ERR_NO_MEMORY, NULL, 0, NULL, "no memory for %zu x %zu bytes", count,
                          each);
}

/* Q, K or V: given or made, then rounded to the kernel's type. A row at a time, to need no second whole copy.
 */
static void fill_input(const struct wl_trial *t, struct wl_trial_result *r, int tensor) {
    const struct wl_attention *p = &r->problem;
    size_t rows = rows_of(p, tensor), dim = dim_of(p, tensor);
    float row[1024];
    struct wl_input_stream stream;
    wl_input_start(&stream, t->input, tensor, t->seed);
    for (size_t i = 0; i < rows; i++) {
        const float *from = t->given[tensor] ? t->given[tensor] + i * dim : row;
        if (from == row) wl_input_row(&stream, i, row, (int)dim);
        wl_dtype_narrow(p->dtype, r->tensors[tensor] + i * dim, from, dim);
    }
}

/* What nobody writes must not look right: results start as NaN. */
static enum wl_status make_tensors(const struct wl_trial *t, struct wl_trial_result *r,
                                   struct wl_error *error) {
    const struct wl_attention *p = &r->problem;
    enum wl_status status = WL_OK;
    for (int i = 0; i < 4 && !status; i++)
        status = allocate((void **)&r->tensors[i], rows_of(p, i), dim_of(p, i) * 2, error);
    if (!status) status = allocate((void **)&r->lse, rows_of(p, WL_TENSOR_O), sizeof *r->lse, error);
    if (status) return status;
    for (int i = 0; i < 3; i++) fill_input(t, r, i);
    memset(r->tensors[WL_TENSOR_O], 0xff, rows_of(p, WL_TENSOR_O) * dim_of(p, WL_TENSOR_O) * 2);
    memset(r->lse, 0xff, rows_of(p, WL_TENSOR_O) * sizeof *r->lse);
    return WL_OK;
}

static struct wl_view *view_of(struct wl_attention *p, int tensor) {
    struct wl_view *const views[4] = {&p->q, &p->k, &p->v, &p->o};
    return views[tensor];
}

/* ---- on the device ---- */

struct buffers {
    CUdeviceptr tensors[4], lse;
};

static enum wl_status upload(struct wl_driver *driver, const void *host, size_t bytes, CUdeviceptr *address,
                             struct wl_error *error) {
    enum wl_status status = wl_driver_alloc(driver, bytes, address, error);
    return status ? status : wl_driver_upload(driver, *address, host, bytes, error);
}

static enum wl_status upload_all(struct wl_driver *driver, const struct wl_trial_result *r, struct buffers *b,
                                 struct wl_error *error) {
    const struct wl_attention *p = &r->problem;
    enum wl_status status = WL_OK;
    for (int i = 0; i < 4 && !status; i++)
        status =
            upload(driver, r->tensors[i], rows_of(p, i) * dim_of(p, i) * 2, &b->tensors[i], error);
    if (!status) status = upload(driver, r->lse, rows_of(p, WL_TENSOR_O) * sizeof *r->lse, &b->lse, error);
    return status;
}

static enum wl_status download_all(struct wl_driver *driver, struct wl_trial_result *r,
                                   const struct buffers *b, struct wl_error *error) {
    size_t rows = rows_of(&r->problem, WL_TENSOR_O);
    enum wl_status status = wl_driver_download(driver, r->tensors[WL_TENSOR_O], b->tensors[WL_TENSOR_O],
                                               rows * dim_of(&r->problem, WL_TENSOR_O) * 2, error);
    return status ? status : wl_driver_download(driver, r->lse, b->lse, rows * sizeof *r->lse, error);
}

static enum wl_status launch(struct wl_driver *driver, const struct wl_trial *t, struct wl_trial_result *r, struct wl_error *error) {
    struct wl_kernel kernel = {0};
    struct buffers buffers = {0};
    struct wl_attention problem = r->problem;
    double start = now_ms();
    enum wl_status status = wl_jit_load(&kernel, driver, r->ptx.bytes, r->ptx.length, r->plan.launch.entry,
                                        &r->plan.launch, error);
    if (status) return status;
    r->load_ms = now_ms() - start;
    if (t->clusters && t->clusters < kernel.resident) kernel.resident = t->clusters;
    r->registers = kernel.registers;
    r->local_bytes = kernel.local_bytes;
    status = upload_all(driver, r, &buffers, error);
    if (status) goto out;
    for (int i = 0; i < 4; i++) view_of(&problem, i)->address = buffers.tensors[i];
    problem.lse = buffers.lse;
    start = now_ms();
    status = wl_attention_launch(&kernel, &problem, NULL, error);
    if (!status) status = wl_driver_synchronize(driver, error);
    r->run_ms = now_ms() - start;
    if (!status) status = download_all(driver, r, &buffers, error);
out:
    for (int i = 0; i < 4; i++) wl_driver_free(driver, buffers.tensors[i]);
    wl_driver_free(driver, buffers.lse);
    wl_jit_unload(&kernel);
    return status;
}

/* ---- the check ---- */

static enum wl_status compare(struct wl_trial_result *r, struct wl_error *error) {
    const struct wl_attention *p = &r->problem;
    size_t rows = rows_of(p, WL_TENSOR_O), elements = rows * dim_of(p, WL_TENSOR_O);
    double *exact = NULL, *exact_lse = NULL, start = now_ms();
    float *plain = NULL;
    enum wl_status status = allocate((void **)&exact, elements, sizeof *exact, error);
    if (!status) status = allocate((void **)&exact_lse, rows, sizeof *exact_lse, error);
    if (!status) status = allocate((void **)&plain, elements, sizeof *plain, error);
    if (!status) status = wl_reference_exact(p, exact, exact_lse, 0, error);
    if (!status) status = wl_reference_plain(p, plain, 0, error);
    if (status) goto out;
    wl_compare_output(&r->compare, p, exact, plain);
    wl_compare_lse(&r->compare, p, r->lse, exact_lse);
    r->reference_ms = now_ms() - start;
    if (!r->compare.right)
        status = wl_fail(error, WL_ERR_WRONG, NULL, 0, r->plan.launch.entry, "%s", r->compare.worst);
out:
    wl_free(plain);
    wl_free(exact_lse);
    wl_free(exact);
    return status;
}

enum wl_status wl_trial_run(struct wl_driver *driver, const struct wl_trial *t, struct wl_trial_result *r,
                            struct wl_error *error) {
    enum wl_status status = make_tensors(t, r, error);
    if (!status) status = launch(driver, t, r, error);
    if (status) return status;
    for (int i = 0; i < 4; i++) view_of(&r->problem, i)->address = (uintptr_t)r->tensors[i];
    r->problem.lse = (uintptr_t)r->lse;
    return t->check ? compare(r, error) : WL_OK;
}

void wl_trial_fini(struct wl_trial_result *r) {
    for (int i = 0; i < 4; i++) wl_free(r->tensors[i]);
    wl_free(r->lse);
    wl_text_fini(&r->ptx);
    *r = (struct wl_trial_result){0};
}
