/* race: threads that specialise and launch at once, built and from disk (and from a bundle, where WARPLOOM_BUNDLE names
 * one), with errors among them, for ThreadSanitizer or LeakSanitizer to watch. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "runtime/warploom.h"

enum { THREADS = 8, CALLS = 400, PROBLEMS = 30 };

static struct wl_runtime *runtime;
static atomic_int failed;

static void *run(void *user) {
    for (int i = 0; i < CALLS; i++) {
        struct wl_error error = {0};
        const struct wl_kernel *kernel;
        int at = (i * 7 + (int)(size_t)user * 5) % PROBLEMS;
        const struct wl_problem problem = {8 + at % 15 * 8, WL_BF16, at >= 15, NULL, 0};
        struct wl_attention a = {.batch = 1, .heads = 1, .heads_kv = 1, .seqlen_q = 8, .seqlen_k = 8};
        a.head_dim = problem.head_dim, a.causal = problem.causal;
        a.q.address = a.k.address = a.v.address = a.o.address = 4096 + 16 * (uint64_t)i;
        wl_attention_dense(&a);
        if (i % 50 == 49) { /* nobody serves these */
            const struct wl_problem none = {2000 + 8 * (i % 3), WL_BF16, false, i % 3 ? NULL : "nonsense"};
            if (wl_specialize(runtime, &none, &kernel, NULL) == WL_ERR_INPUT) continue;
        } else if (!wl_specialize(runtime, &problem, &kernel, &error) && !wl_launch(kernel, &a, NULL, &error))
            continue;
        printf("%s\n", error.text);
        atomic_store(&failed, 1);
    }
    return NULL;
}

int main(void) {
    for (int round = 0; round < 2; round++) {
        struct wl_error error = {0};
        pthread_t threads[THREADS];
        if (wl_open(&runtime, NULL, &error)) return printf("%s\n", error.text), 3;
        for (size_t i = 0; i < THREADS; i++)
            if (pthread_create(&threads[i], NULL, run, (void *)i)) return 3;
        for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
        wl_close(runtime);
    }
    printf("%d threads, %d calls each of %d problems, twice: %s\n", THREADS, CALLS, PROBLEMS,
           failed ? "wrong" : "right");
    return failed;
}
