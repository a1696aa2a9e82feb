/* reference_block: attention for one block of query rows, in one arithmetic. reference.c includes this once a
 * type:
 *
 *     REAL        double, float           EXP(x)      its exp
 *     NAME(x)     x with the type's suffix ROUND_P(x)  what P is rounded to before PV
 *
 *     scores (rows x keys) = q (rows x dim) * kt (dim x KEYS, a block of keys at a time)
 *     acc    (rows x dim_v) = p (rows x keys) * v (KEYS x dim_v, likewise)
 *
 * The results depend neither on the tiling nor on the threads: see reference_multiply.h. */

#define BYTES 16
#define TARGET
#define MULTIPLY NAME(multiply_narrow)
#define VECTOR   NAME(vector_narrow)
#include "runtime/reference_multiply.h"
#ifdef __x86_64__
#define BYTES    32
#define TARGET   __attribute__((target("avx2")))
#define MULTIPLY NAME(multiply_wide)
#define VECTOR   NAME(vector_wide)
#include "runtime/reference_multiply.h"
#define MULTIPLY_OF(job) ((job)->wide ? NAME(multiply_wide) : NAME(multiply_narrow))
#else
#define MULTIPLY_OF(job) NAME(multiply_narrow)
#endif

struct NAME(buffers) {
    REAL *q, *kt, *v, *scores, *acc, *sum;
};

/* One row of a tensor, widened. */
static void NAME(widen)(REAL *to, int64_t step, int64_t dim, const struct job *job, const struct wl_view *view,
                        int64_t batch, int64_t row, int64_t head) {
    const uint16_t *from = row_of(view, batch, row, head);
    for (int64_t d = 0; d < dim; d++)
        to[d * step] = wl_dtype_to_float(job->problem->dtype, from[d]);
}

/* Scores of a row become P, unnormalised; buffers->sum[r] is what to divide by. Returns the row's lse. */
static REAL NAME(softmax)(const struct job *job, struct NAME(buffers) * buffers, int64_t r, int64_t visible,
                          int64_t keys) {
    REAL *row = buffers->scores + r * job->keys_padded, scale = (REAL)wl_attention_scale(job->problem),
         most = -INFINITY, sum = 0;
    for (int64_t j = 0; j < visible; j++) {
        row[j] *= scale;
        if (row[j] > most || row[j] != row[j]) most = row[j]; /* a NaN stays */
    }
    for (int64_t j = 0; j < visible; j++) {
        REAL p = EXP(row[j] - most);
        sum += p;
        row[j] = ROUND_P(p);
    }
    for (int64_t j = visible; j < keys; j++) row[j] = 0;
    buffers->sum[r] = sum;
    return visible ? most + (REAL)log(sum) : -INFINITY;
}

/* A block of keys, its rows as columns where transposed; zeros past the last. */
static void NAME(load_keys)(const struct job *job, REAL *to, const struct task *task, int64_t first,
                            bool transposed) {
    const struct wl_attention *problem = job->problem;
    const struct wl_view *view = transposed ? &problem->k : &problem->v;
    for (int64_t j = 0; j < KEYS; j++) {
        REAL *place = transposed ? to + j : to + j * job->dim_v_padded;
        int64_t step = transposed ? KEYS : 1, dim = transposed ? problem->head_dim : job->dim_v;
        if (first + j < problem->seqlen_k)
            NAME(widen)(place, step, dim, job, view, task->batch, first + j, task->head_kv);
        else
            for (int64_t d = 0; d < dim; d++) place[d * step] = 0;
    }
}

/* Fills buffers->acc (not yet divided) and sum; lse of row r through job->lse where wanted. */
static void NAME(block)(const struct job *job, struct NAME(buffers) * b, const struct task *task) {
    const struct wl_attention *problem = job->problem;
    int64_t dim = job->dim_padded, dim_v = job->dim_v_padded, keys = task->keys;
    memset(b->scores, 0, (size_t)(job->rows * job->keys_padded) * sizeof(REAL));
    memset(b->acc, 0, (size_t)(job->rows * dim_v) * sizeof(REAL));
    memset(b->q, 0, (size_t)(job->rows * dim) * sizeof(REAL));
    for (int64_t r = 0; r < task->rows; r++)
        NAME(widen)(b->q + r * dim, 1, problem->head_dim, job, &problem->q, task->batch, task->first + r, task->head);
    for (int64_t first = 0; first < keys; first += KEYS) {
        NAME(load_keys)(job, b->kt, task, first, true);
        MULTIPLY_OF(job)
        (b->scores + first, job->keys_padded, b->q, dim, b->kt, KEYS, job->rows, KEYS, problem->head_dim);
    }
    for (int64_t r = 0; r < task->rows; r++) {
        int64_t padded = (keys + KEYS - 1) / KEYS * KEYS;
        REAL lse = NAME(softmax)(job, b, r, visible_keys(problem, task->first + r), padded);
        if (job->lse)
            job->lse[(task->batch * problem->heads + task->head) * problem->seqlen_q + task->first + r] = lse;
    }
    for (int64_t first = 0; first < keys; first += KEYS) {
        NAME(load_keys)(job, b->v, task, first, false);
        MULTIPLY_OF(job)
        (b->acc, dim_v, b->scores + first, job->keys_padded, b->v, dim_v, job->rows, dim_v, KEYS);
    }
}

/* Writes a block's results out; reference.c has it. */
static void NAME(store)(const struct job *job, const struct NAME(buffers) * b, const struct task *task);

/* One worker: blocks until there are none left. memory is as large as count_elements() says. */
static void NAME(run)(struct job *job, REAL *memory) {
    int64_t counts[BUFFERS];
    REAL *part[BUFFERS];
    count_elements(job, counts);
    for (int i = 0; i < BUFFERS; memory += counts[i++]) part[i] = memory;
    struct NAME(buffers) buffers = {part[0], part[1], part[2], part[3], part[4], part[5]};
    memset(buffers.v, 0, (size_t)counts[2] * sizeof(REAL)); /* its padding stays so */
    for (struct task task; take(job, &task);) {
        NAME(block)(job, &buffers, &task);
        NAME(store)(job, &buffers, &task);
    }
}

#undef MULTIPLY_OF
