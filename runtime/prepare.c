/* prepare: many kernels at once, before serving starts. */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "gen/arena.h"
#include "runtime/runtime.h"

#define THREADS_MAX 64

struct work {
    struct wl_runtime *runtime;
    const struct wl_problem *problems;
    size_t count;
    atomic_size_t next;
    pthread_mutex_t lock;
    size_t failed; /* the first in the list that failed; count: none */
    struct wl_error error;
};

static void note(struct work *work, size_t index, const struct wl_error *error) {
    pthread_mutex_lock(&work->lock);
    if (index < work->failed) {
        work->failed = index;
        work->error = *error;
    }
    pthread_mutex_unlock(&work->lock);
}

static void *run(void *user) {
    struct work *work = user;
    for (size_t i; (i = atomic_fetch_add(&work->next, 1)) < work->count;) {
        const struct wl_kernel *kernel;
        struct wl_error error = {0};
        if (wl_specialize(work->runtime, &work->problems[i], &kernel, &error)) note(work, i, &error);
    }
    return NULL;
}

enum wl_status wl_prepare(struct wl_runtime *runtime, const struct wl_problem *problems, size_t count,
                          int threads, struct wl_error *error) {
    struct work work = {.runtime = runtime, .problems = problems, .count = count, .failed = count};
    pthread_t others[THREADS_MAX];
    int started = 0;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (threads <= 0) threads = cores > 0 ? (int)cores : 1;
    if (threads > THREADS_MAX) threads = THREADS_MAX;
    if ((size_t)threads > count) threads = (int)count;
    atomic_init(&work.next, 0);
    pthread_mutex_init(&work.lock, NULL);
    /* this thread is one of them; where no more can be had, it is the only one */
    while (started < threads - 1 && !pthread_create(&others[started], NULL, run, &work)) started++;
    run(&work);
    for (int i = 0; i < started; i++) pthread_join(others[i], NULL);
    pthread_mutex_destroy(&work.lock);
    if (work.failed == count) return WL_OK;
    const struct wl_error *e = &work.error;
    return wl_fail(error, e->status, e->file, e->line, e->field, "%s", e->text);
}
