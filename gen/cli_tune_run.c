/* cli_tune_run: candidates through threads, the state file, the bar; and tuning by the model. */
#include "gen/cli_tune.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gen/file.h"

#define BAR_CELLS   30
#define MAX_THREADS 64

/* ---- threads ---- */

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct wl_tune_job *job;
    void *context;
    void (*work)(void *context, int i);
    unsigned char *built; /* per candidate */
    int next, taken, ahead;
    bool stop;
};

/* The next open candidate, or -1; waits while too many are built and not taken. Under the lock. */
static int claim(struct pool *pool) {
    while (true) {
        while (pool->next < pool->job->tune.count && pool->built[pool->next]) pool->next++;
        if (pool->stop || pool->next >= pool->job->tune.count) return -1;
        if (pool->next - pool->taken <= pool->ahead) return pool->next++;
        pthread_cond_wait(&pool->changed, &pool->lock);
    }
}

static void *worker(void *argument) {
    struct pool *pool = argument;
    pthread_mutex_lock(&pool->lock);
    for (int i; (i = claim(pool)) >= 0;) {
        pthread_mutex_unlock(&pool->lock);
        pool->work(pool->context, i);
        pthread_mutex_lock(&pool->lock);
        pool->built[i] = 1;
        pthread_cond_broadcast(&pool->changed);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

static void wait_built(struct pool *pool, int i) {
    pthread_mutex_lock(&pool->lock);
    pool->taken = i;
    pthread_cond_broadcast(&pool->changed);
    while (!pool->built[i]) pthread_cond_wait(&pool->changed, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
}

enum wl_status wl_tune_job_run(struct wl_tune_job *job, void *context, int ahead,
                               void (*work)(void *context, int i),
                               enum wl_status (*take)(void *context, int i, struct wl_error *error),
                               struct wl_error *error) {
    struct pool pool = {.job = job, .context = context, .work = work, .ahead = ahead};
    pthread_t threads[MAX_THREADS];
    int started = 0, wanted = job->threads < MAX_THREADS ? job->threads : MAX_THREADS;
    enum wl_status status = WL_OK;
    pool.built = wl_realloc(NULL, (size_t)job->tune.count);
    bool *open = wl_realloc(NULL, (size_t)job->tune.count * sizeof *open);
    if (!pool.built || !open) {
        status = wl_fail(error, WL_ERR_NO_MEMORY, NULL, 0, NULL, "out of memory");
        goto out;
    }
    for (int i = 0; i < job->tune.count; i++) {
        open[i] = job->tune.candidates[i].state == WL_TUNE_OPEN;
        pool.built[i] = !open[i];
    }
    pthread_mutex_init(&pool.lock, NULL);
    pthread_cond_init(&pool.changed, NULL);
    while (started < wanted && !pthread_create(&threads[started], NULL, worker, &pool)) started++;
    if (!started) status = wl_fail(error, WL_ERR_ENVIRONMENT, NULL, 0, NULL, "cannot start a thread");
    for (int i = 0; i < job->tune.count && !status; i++) {
        if (!open[i]) continue;
        wait_built(&pool, i);
        status = take(context, i, error);
    }
    pthread_mutex_lock(&pool.lock);
    pool.stop = true;
    pthread_cond_broadcast(&pool.changed);
    pthread_mutex_unlock(&pool.lock);
    while (started) pthread_join(threads[--started], NULL);
    pthread_cond_destroy(&pool.changed);
    pthread_mutex_destroy(&pool.lock);
out:
    wl_free(open);
    wl_free(pool.built);
    return status;
}

/* ---- the state file and the bar ---- */

static enum wl_status save(const struct wl_tune_job *job, struct wl_error *error) {
    struct wl_text text = {0};
    if (!job->state) return WL_OK;
    wl_tune_save(&job->tune, job->device, &text);
    enum wl_status status = text.failed ? wl_fail(error, WL_ERR_NO_MEMORY, NULL, 0, NULL, "out of memory")
                                        : wl_file_write(job->state, text.bytes, text.length, error);
    wl_text_fini(&text);
    return status;
}

static void draw(const struct wl_tune_job *job) {
    int fresh = job->done - job->resumed;
    double spent = wl_cli_now_ms() - job->start_ms,
           left = fresh ? spent / fresh * (job->all - job->done) / 1e3 : 0;
    int cells = job->all ? job->done * BAR_CELLS / job->all : BAR_CELLS;
    double best = 0;
    for (int i = 0; i < job->tune.count; i++)
        if (job->tune.candidates[i].state == WL_TUNE_DONE && job->tune.candidates[i].score > best)
            best = job->tune.candidates[i].score;
    fprintf(stderr, "\r[%.*s%*s] %d of %d  best %.1f TFLOP/s  %.0f s left   ", cells,
            "##############################", BAR_CELLS - cells, "", job->done, job->all, best, left);
    fflush(stderr);
}

enum wl_status wl_tune_job_settled(struct wl_tune_job *job, struct wl_error *error) {
    job->done++;
    if (isatty(STDERR_FILENO)) draw(job);
    return save(job, error);
}

void wl_tune_job_clear_bar(const struct wl_tune_job *job) {
    if (job->done > job->resumed && isatty(STDERR_FILENO)) fprintf(stderr, "\r%*s\r", BAR_CELLS + 60, "");
}

/* ---- by the model ---- */

struct modelling {
    struct wl_tune_job *job;
    struct wl_error *errors; /* per candidate; status 0: none */
    bool *counted;           /* per candidate */
};

static void model_one(void *context, int i) {
    struct modelling *m = context;
    struct wl_error error = {0};
    m->counted[i] = m->job->counted;
    wl_tune_model(&m->job->tune, &m->job->tune.candidates[i], &m->counted[i], &error);
    m->errors[i] = error;
}

/* A kernel that ptxas refuses is a bug of ours, not a slow candidate: it ends the run. */
static enum wl_status take_model(void *context, int i, struct wl_error *error) {
    struct modelling *m = context;
    const struct wl_error *e = &m->errors[i];
    if (e->status) return wl_fail(error, e->status, e->file, e->line, e->field, "%s", e->text);
    m->job->counted &= m->counted[i];
    return wl_tune_job_settled(m->job, error);
}

enum wl_status wl_tune_job_model(struct wl_tune_job *job, struct wl_error *error) {
    size_t count = (size_t)job->tune.count;
    struct modelling m = {.job = job};
    enum wl_status status = WL_OK;
    m.errors = wl_realloc(NULL, count * sizeof *m.errors);
    m.counted = wl_realloc(NULL, count * sizeof *m.counted);
    if (m.errors && m.counted)
        status = wl_tune_job_run(job, &m, job->tune.count, model_one, take_model, error);
    else status = wl_fail(error, WL_ERR_NO_MEMORY, NULL, 0, NULL, "out of memory");
    wl_free(m.counted);
    wl_free(m.errors);
    return status;
}
