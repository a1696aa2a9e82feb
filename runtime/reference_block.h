/* reference_block: attention for one block of query rows, in one arithmetic. reference.c includes this once a
 * type:
 *
 *     REAL        double, float           EXP(x)      its exp
 *     NAME(x)     x with the type's suffix ROUND_P(x)  what P is rounded to before PV
 *
 *     scores (rows x keys) = q (rows x dim) * kt (dim x KEYS, a block of keys at a time)
 *     acc    (rows x dim)  = p (rows x keys) * v (KEYS x dim, likewise)
 *
 * Products are made in tiles of 2 rows and 2 vectors, which stay in registers; every sum runs over its terms
 * in order, so the result depends neither on the tiling nor on the threads. */

typedef REAL NAME(vector) __attribute__((vector_size(32), aligned(sizeof(REAL)), may_alias));
#define LANES ((int64_t)(32 / sizeof(REAL)))

struct NAME(buffers) {
    REAL *q, *kt, *v, *scores, *acc, *sum;
};

/* c (rows x columns) += a (rows x terms) * b (terms x columns); rows even, columns a multiple of 2 vectors.
 */
static void NAME(multiply)(REAL *c, int64_t c_step, const REAL *a, int64_t a_step, const REAL *b,
                           int64_t b_step, int64_t rows, int64_t columns, int64_t terms) {
    for (int64_t n = 0; n < columns; n += 2 * LANES)
        for (int64_t m = 0; m < rows; m += 2) {
            NAME(vector) *upper = (NAME(vector) *)(c + m * c_step + n),
                         *lower = (NAME(vector) *)(c + (m + 1) * c_step + n);
            NAME(vector) u0 = upper[0], u1 = upper[1], l0 = lower[0], l1 = lower[1];
            const REAL *a0 = a + m * a_step, *a1 = a0 + a_step;
            for (int64_t k = 0; k < terms; k++) {
                const NAME(vector) *row = (const NAME(vector) *)(b + k * b_step + n);
                u0 += a0[k] * row[0];
                u1 += a0[k] * row[1];
                l0 += a1[k] * row[0];
                l1 += a1[k] * row[1];
            }
            upper[0] = u0, upper[1] = u1, lower[0] = l0, lower[1] = l1;
        }
}

/* One row of a tensor, widened. */
static void NAME(widen)(REAL *to, int64_t step, const struct job *job, const struct wl_view *view,
                        int64_t batch, int64_t row, int64_t head) {
    const uint16_t *from = row_of(view, batch, row, head);
    for (int64_t d = 0; d < job->problem->head_dim; d++)
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
        REAL *place = transposed ? to + j : to + j * job->dim_padded;
        int64_t step = transposed ? KEYS : 1;
        if (first + j < problem->seqlen_k)
            NAME(widen)(place, step, job, view, task->batch, first + j, task->head_kv);
        else
            for (int64_t d = 0; d < problem->head_dim; d++) place[d * step] = 0;
    }
}

/* Fills buffers->acc (not yet divided) and sum; lse of row r through job->lse where wanted. */
static void NAME(block)(const struct job *job, struct NAME(buffers) * b, const struct task *task) {
    const struct wl_attention *problem = job->problem;
    int64_t dim = job->dim_padded, keys = task->keys;
    memset(b->scores, 0, (size_t)(job->rows * job->keys_padded) * sizeof(REAL));
    memset(b->acc, 0, (size_t)(job->rows * dim) * sizeof(REAL));
    memset(b->q, 0, (size_t)(job->rows * dim) * sizeof(REAL));
    for (int64_t r = 0; r < task->rows; r++)
        NAME(widen)(b->q + r * dim, 1, job, &problem->q, task->batch, task->first + r, task->head);
    for (int64_t first = 0; first < keys; first += KEYS) {
        NAME(load_keys)(job, b->kt, task, first, true);
        NAME(multiply)
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
        NAME(multiply)(b->acc, dim, b->scores + first, job->keys_padded, b->v, dim, job->rows, dim, KEYS);
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

#undef LANES
