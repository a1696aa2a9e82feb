/* cli_run_files: tensors of `warploom run` from and to .npy files. */
#include "gen/cli_run.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "gen/npy.h"
#include "runtime/half.h"

static const char *const file_options[3] = {"--q", "--k", "--v"};

/* Takes one size from a file; one that is known already must agree. */
static enum wl_status take_size(int64_t *size, int64_t found, const char *path, const char *name,
                                struct wl_error *error) {
    if (found < 1 || found > INT32_MAX)
        return wl_fail(error, WL_ERR_INPUT, path, 0, "shape", "%s is %" PRId64 "; 1 to %d is allowed", name,
                       found, INT32_MAX);
    if (*size && *size != found)
        return wl_fail(error, WL_ERR_INPUT, path, 0, "shape", "%s is %" PRId64 " here, %" PRId64 " elsewhere",
                       name, found, *size);
    *size = found;
    return WL_OK;
}

static enum wl_status take_shape(struct wl_run_values *v, int tensor, const struct wl_npy *array,
                                 struct wl_error *error) {
    const char *path = v->files[tensor];
    const struct {
        int64_t *size;
        const char *name;
    } q[4] = {{&v->batch, "batch"}, {&v->seq_q, "seq_q"}, {&v->heads, "heads"}, {&v->head_dim, "head_dim"}};
    const struct {
        int64_t *size;
        const char *name;
    } kv[4] = {
        {&v->batch, "batch"}, {&v->seq_k, "seq_k"}, {&v->heads_kv, "kv_heads"}, {&v->head_dim, "head_dim"}};
    int64_t *const dim_v = &v->head_dim_v;
    char shape[WL_NPY_MAX_RANK * 24];
    if (array->rank != 4)
        return wl_fail(error, WL_ERR_INPUT, path, 0, "shape",
                       "%s has %d dimensions; 4 are needed: (batch, seq, head, dim)",
                       wl_npy_shape_text(array->rank, array->shape, shape, sizeof shape), array->rank);
    enum wl_status status = WL_OK;
    for (int i = 0; i < 4 && !status; i++)
        status = tensor == 2 && i == 3 ? take_size(dim_v, array->shape[i], path, "head_dim_v", error)
                 : tensor ? take_size(kv[i].size, array->shape[i], path, kv[i].name, error)
                        : take_size(q[i].size, array->shape[i], path, q[i].name, error);
    return status;
}

static enum wl_status load_one(struct wl_run_values *v, int tensor, float **given, struct wl_error *error) {
    struct wl_npy array;
    enum wl_status status = wl_npy_read(&array, v->files[tensor], error);
    if (status) return status;
    status = take_shape(v, tensor, &array, error);
    if (!status && !(*given = wl_realloc(NULL, (size_t)array.count * sizeof **given)))
        status = wl_fail(error, WL_ERR_NO_MEMORY, v->files[tensor], 0, NULL,
                         "no memory for %" PRId64 " elements", array.count);
    if (status) goto out;
    if (array.type == WL_NPY_F32) memcpy(*given, array.data, (size_t)array.count * sizeof **given);
    else wl_dtype_widen(WL_FP16, *given, array.data, (size_t)array.count);
out:
    wl_npy_fini(&array);
    return status;
}

enum wl_status wl_run_load(struct wl_run_values *v, float *given[3], struct wl_error *error) {
    enum wl_status status = WL_OK;
    int files = 0;
    for (int i = 0; i < 3; i++) files += v->files[i] != NULL;
    if (!files) return WL_OK;
    for (int i = 0; i < 3; i++)
        if (!v->files[i])
            return wl_fail(error, WL_ERR_USAGE, NULL, 0, file_options[i],
                           "is missing: --q, --k and --v go together");
    for (int i = 0; i < 3 && !status; i++) status = load_one(v, i, &given[i], error);
    return status;
}

/* .npy has no bfloat16, so that goes out as the float32 that it is the front half of. */
static enum wl_status store_o(const char *path, const struct wl_trial_result *r, struct wl_error *error) {
    const struct wl_attention *p = &r->problem;
    const int64_t shape[4] = {p->batch, p->seqlen_q, p->heads, wl_attention_dim_v(p)};
    const uint16_t *o = r->tensors[WL_TENSOR_O];
    if (p->dtype == WL_FP16) return wl_npy_write(path, WL_NPY_F16, 4, shape, o, error);
    size_t count = (size_t)(shape[0] * shape[1] * shape[2] * shape[3]);
    float *wide = wl_realloc(NULL, count * sizeof *wide);
    if (!wide) return wl_fail(error, WL_ERR_NO_MEMORY, path, 0, NULL, "no memory for %zu elements", count);
    wl_dtype_widen(p->dtype, wide, o, count);
    enum wl_status status = wl_npy_write(path, WL_NPY_F32, 4, shape, wide, error);
    wl_free(wide);
    return status;
}

enum wl_status wl_run_store(const struct wl_run_values *v, const struct wl_trial_result *r,
                            struct wl_error *error) {
    const int64_t lse_shape[3] = {r->problem.batch, r->problem.heads, r->problem.seqlen_q};
    enum wl_status status = WL_OK;
    if (v->out) status = store_o(v->out, r, error);
    if (!status && v->lse) status = wl_npy_write(v->lse, WL_NPY_F32, 3, lse_shape, r->lse, error);
    return status;
}
