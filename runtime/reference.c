/* reference: see reference.h. The work is cut into blocks of query rows of one head; threads take them one by
 * one. */
#include "runtime/reference.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "gen/arena.h"
#include "runtime/half.h"

#define KEYS        64 /* keys of a block */
#define BUFFERS     6
#define MAX_ROWS    32
#define MAX_THREADS 64
#define SCORES_GOAL ((int64_t)1 << 18) /* scores of a block: they should stay in a core's cache */

struct job {
    const struct wl_attention *problem;
    double *o, *lse;                       /* exact: both dense; lse may be NULL */
    float *plain;                          /* plain: o, dense */
    int64_t rows, keys_padded, dim_padded; /* of a block; padded to whole tiles */
    int64_t dim_v, dim_v_padded;
    int64_t row_blocks, tasks;
    bool wide; /* 32-byte vectors */
    _Atomic int64_t next;
};

struct task {
    int64_t batch, head, head_kv, first, rows;
    int64_t keys; /* that any of its rows sees */
};

struct worker {
    struct job *job;
    void *memory;
    pthread_t thread;
};

static const uint16_t *row_of(const struct wl_view *view, int64_t batch, int64_t row, int64_t head) {
    const uint16_t *start = (const uint16_t *)(uintptr_t)view->address;
    return start + batch * view->batch_stride + row * view->seq_stride + head * view->head_stride;
}

static int64_t visible_keys(const struct wl_attention *problem, int64_t row) {
    if (!problem->causal) return problem->seqlen_k;
    int64_t visible = row + 1 + problem->seqlen_k - problem->seqlen_q;
    return visible < 0 ? 0 : visible;
}

/* ---- tasks ---- */

static bool take(struct job *job, struct task *task) {
    const struct wl_attention *problem = job->problem;
    int64_t i = atomic_fetch_add(&job->next, 1);
    if (i >= job->tasks) return false;
    /* The last rows first: with a causal mask they are the longest. */
    task->first = (job->row_blocks - 1 - i % job->row_blocks) * job->rows;
    task->head = i / job->row_blocks % problem->heads;
    task->head_kv = task->head / (problem->heads / problem->heads_kv);
    task->batch = i / job->row_blocks / problem->heads;
    int64_t left = problem->seqlen_q - task->first;
    task->rows = left < job->rows ? left : job->rows;
    task->keys = visible_keys(problem, task->first + task->rows - 1);
    return true;
}

/* Elements of each buffer, in the order of struct buffers_*. */
static void count_elements(const struct job *job, int64_t counts[BUFFERS]) {
    counts[0] = job->rows * job->dim_padded;
    counts[1] = job->problem->head_dim * KEYS;
    counts[2] = KEYS * job->dim_v_padded;
    counts[3] = job->rows * job->keys_padded;
    counts[4] = job->rows * job->dim_v_padded;
    counts[5] = job->rows;
}

/* ---- the two arithmetics ---- */

#define REAL       double
#define NAME(x)    x##_double
#define EXP(x)     exp(x)
#define ROUND_P(x) (x)
#include "runtime/reference_block.h"
#undef REAL
#undef NAME
#undef EXP
#undef ROUND_P

#define REAL       float
#define NAME(x)    x##_float
#define EXP(x)     expf(x)
#define ROUND_P(x) wl_dtype_to_float(job->problem->dtype, wl_dtype_from_float(job->problem->dtype, x))
#include "runtime/reference_block.h"
#undef REAL
#undef NAME
#undef EXP
#undef ROUND_P

/* ---- results ---- */

/* Where a row's output lies: dense (batch, seq_q, head, dim). */
static int64_t output_at(const struct wl_attention *problem, const struct task *task, int64_t r) {
    return ((task->batch * problem->seqlen_q + task->first + r) * problem->heads + task->head) *
           wl_attention_dim_v(problem);
}

static void store_double(const struct job *job, const struct buffers_double *b, const struct task *task) {
    for (int64_t r = 0; r < task->rows; r++) {
        double *out = job->o + output_at(job->problem, task, r), *acc = b->acc + r * job->dim_v_padded;
        bool empty = !visible_keys(job->problem, task->first + r);
        for (int64_t d = 0; d < job->dim_v; d++) out[d] = empty ? 0 : acc[d] / b->sum[r];
    }
}

static void store_float(const struct job *job, const struct buffers_float *b, const struct task *task) {
    enum wl_dtype dtype = job->problem->dtype;
    for (int64_t r = 0; r < task->rows; r++) {
        float *out = job->plain + output_at(job->problem, task, r), *acc = b->acc + r * job->dim_v_padded;
        bool empty = !visible_keys(job->problem, task->first + r);
        for (int64_t d = 0; d < job->dim_v; d++)
            out[d] = empty ? 0 : wl_dtype_to_float(dtype, wl_dtype_from_float(dtype, acc[d] / b->sum[r]));
    }
}

/* ---- threads ---- */

static void *run_worker(void *argument) {
    struct worker *worker = argument;
    if (worker->job->plain) run_float(worker->job, worker->memory);
    else run_double(worker->job, worker->memory);
    return NULL;
}

static int choose_threads(int threads, int64_t tasks) {
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int64_t count = threads > 0 ? threads : cores > 0 ? cores : 1;
    if (count > MAX_THREADS) count = MAX_THREADS;
    return (int)(count < tasks ? count : tasks);
}

/* The caller works too; a thread that cannot be had leaves its share to the others. */
static void run_all(struct worker *workers, int count) {
    bool started[MAX_THREADS] = {false};
    for (int i = 1; i < count; i++)
        started[i] = !pthread_create(&workers[i].thread, NULL, run_worker, &workers[i]);
    run_worker(&workers[0]);
    for (int i = 1; i < count; i++)
        if (started[i]) pthread_join(workers[i].thread, NULL);
}

static int64_t round_up(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }

static enum wl_status run(struct job *job, int threads, struct wl_error *error) {
    const struct wl_attention *problem = job->problem;
    enum wl_status status = wl_attention_check_sizes(problem, error);
    if (status) return status;
    job->keys_padded = round_up(problem->seqlen_k, KEYS);
    job->dim_padded = round_up(problem->head_dim, 32);
    job->dim_v = wl_attention_dim_v(problem);
    job->dim_v_padded = round_up(job->dim_v, 32);
#ifdef __x86_64__
    job->wide = __builtin_cpu_supports("avx2");
#endif
    job->rows = SCORES_GOAL / job->keys_padded / 2 * 2; /* even: multiply() takes rows in pairs */
    job->rows = job->rows < 2 ? 2 : job->rows > MAX_ROWS ? MAX_ROWS : job->rows;
    job->row_blocks = (problem->seqlen_q + job->rows - 1) / job->rows;
    job->tasks = job->row_blocks * problem->heads * problem->batch;
    int count = choose_threads(threads, job->tasks);
    int64_t counts[BUFFERS], elements = 0;
    count_elements(job, counts);
    for (int i = 0; i < BUFFERS; i++) elements += counts[i];
    size_t bytes = (size_t)elements * (job->plain ? sizeof(float) : sizeof(double));
    struct worker workers[MAX_THREADS] = {{0}};
    for (int i = 0; i < count; i++) {
        workers[i] = (struct worker){.job = job, .memory = wl_realloc(NULL, bytes)};
        if (workers[i].memory) continue;
        if (!i)
            return wl_fail(error, WL_ERR_NO_MEMORY, NULL, 0, NULL, "no memory for a reference: %zu bytes",
                           bytes);
        count = i;
    }
    run_all(workers, count);
    for (int i = 0; i < count; i++) wl_free(workers[i].memory);
    return WL_OK;
}

enum wl_status wl_reference_exact(const struct wl_attention *problem, double *o, double *lse, int threads,
                                  struct wl_error *error) {
    struct job job = {.problem = problem, .o = o, .lse = lse};
    return run(&job, threads, error);
}

enum wl_status wl_reference_plain(const struct wl_attention *problem, float *o, int threads,
                                  struct wl_error *error) {
    struct job job = {.problem = problem, .plain = o};
    return run(&job, threads, error);
}
