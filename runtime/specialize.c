/* specialize: from a problem to its kernel: in memory, on disk, or built; each of them once. */
#include <string.h>
#include <time.h>

#include "gen/arena.h"
#include "runtime/attention.h"
#include "runtime/runtime.h"

struct wl_building { /* a kernel that one thread makes and others wait for */
    struct wl_building *next;
    struct wl_table_key key;
    int users; /* threads that look at this: the builder, and who waits */
    bool done;
    struct wl_loaded *loaded; /* once done; NULL: error says why */
    struct wl_error error;
};

static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static enum wl_status no_memory(struct wl_error *error) {
    return wl_fail(error, WL_ERR_NO_MEMORY, NULL, 0, NULL, "no memory for a kernel");
}

void wl_loaded_destroy(struct wl_loaded *loaded) {
    if (!loaded) return;
    wl_jit_unload(&loaded->kernel);
    wl_image_fini(&loaded->image);
    wl_free(loaded->named);
    wl_free(loaded);
}

/* ---- making one ---- */

/* The PTX is dumped before anything may refuse it. */
static enum wl_status build_image(struct wl_runtime *runtime, const struct wl_choice *choice,
                                  struct wl_loaded *loaded, struct wl_error *error) {
    struct wl_image *image = &loaded->image;
    enum wl_status status = wl_image_generate(image, choice, error);
    if (!status) wl_dump_image(&runtime->dump, &loaded->key, image);
    if (!status && !runtime->driver->emulated)
        status = wl_image_assemble(image, runtime->driver, &runtime->log, error);
    if (status) wl_image_fini(image);
    return status;
}

/* Under the key's lock of the cache: another process may have stored it while we waited. */
static enum wl_status get_or_build(struct wl_runtime *runtime, const struct wl_choice *choice,
                                   struct wl_loaded *loaded, struct wl_error *error) {
    struct wl_cache *cache = runtime->cache;
    struct wl_cache_lock lock = {.fd = -1};
    bool found = false;
    enum wl_status status = WL_OK;
    if (cache) {
        wl_cache_acquire(cache, &loaded->key, &lock);
        status = wl_cache_load(cache, &loaded->key, &loaded->image, &found, error);
    }
    if (!status && !found) {
        loaded->origin = WL_BUILT;
        status = build_image(runtime, choice, loaded, error);
        if (!status && cache) wl_cache_store(cache, &loaded->key, &loaded->image);
    }
    if (cache) wl_cache_release(cache, &lock);
    return status;
}

/* A kernel that is there and broken is an error: whoever gave a bundle wants no other. */
static enum wl_status look_in_bundle(struct wl_runtime *runtime, const struct wl_choice *choice,
                                     struct wl_loaded *loaded, bool *found, struct wl_error *error) {
    const struct wl_problem *p = choice->problem;
    enum wl_status status = WL_OK;
    if (!p->schedule) {
        wl_choose_bundle_key(&loaded->key, choice);
        status = wl_bundle_load(runtime->bundle, &loaded->key, &loaded->image, found, error);
    }
    if (status || *found || !runtime->bundle_only) return status;
    const char *path = wl_bundle_path(runtime->bundle);
    if (choice->auxiliary)
        return wl_fail(error, WL_ERR_INPUT, path, 0, NULL,
                       "the bundle has no auxiliary kernels; `warploom pack --auxiliary` puts them in");
    if (p->schedule)
        return wl_fail(error, WL_ERR_INPUT, path, 0, "schedule", "%s: a bundle knows no names", p->schedule);
    return wl_fail(error, WL_ERR_INPUT, path, 0, "head_dim", "the bundle has no kernel for %d, %s, %s on %s",
                   p->head_dim, p->dtype == WL_BF16 ? "bf16" : "fp16", p->causal ? "causal" : "full",
                   choice->target);
}

static enum wl_status get_image(struct wl_runtime *runtime, const struct wl_choice *choice,
                                struct wl_loaded *loaded, struct wl_error *error) {
    bool found = false;
    enum wl_status status = WL_OK;
    if (runtime->bundle) status = look_in_bundle(runtime, choice, loaded, &found, error);
    loaded->origin = WL_FROM_BUNDLE;
    if (status || found) return status;
    status = wl_choose_key(&loaded->key, choice, runtime->driver->version, runtime->driver->emulated, error);
    loaded->origin = WL_FROM_DISK;
    if (!status && runtime->cache)
        status = wl_cache_load(runtime->cache, &loaded->key, &loaded->image, &found, error);
    return status || found ? status : get_or_build(runtime, choice, loaded, error);
}

static enum wl_status load(struct wl_runtime *runtime, struct wl_loaded *loaded, struct wl_error *error) {
    struct wl_image *image = &loaded->image;
    bool cubin = image->cubin_bytes != 0;
    double start = now_ms();
    enum wl_status status = wl_jit_load(&loaded->kernel, runtime->driver, cubin ? image->cubin : image->ptx,
                                        cubin ? image->cubin_bytes : image->ptx_bytes, image->launch.entry,
                                        &image->launch, error);
    loaded->load_ms = now_ms() - start;
    wl_free(image->cubin);
    image->cubin = NULL;
    return status;
}

static void dump_origin(struct wl_runtime *runtime, const struct wl_choice *choice,
                        const struct wl_loaded *loaded) {
    static const char *const origins[] = {
        [WL_FROM_DISK] = "disk", [WL_BUILT] = "built", [WL_FROM_BUNDLE] = "bundle"};
    const struct wl_image *i = &loaded->image;
    struct wl_text text = {0};
    char key[33];
    if (!wl_dump_wants(&runtime->dump, WL_DUMP_CACHE)) return;
    wl_key_text(&loaded->key, key);
    wl_text_printf(&text, "key        %s\nfrom       %s\nkernel     %s\nschedule   %s\n", key,
                   origins[loaded->origin], i->launch.entry, i->schedule);
    wl_text_printf(&text, "target     %s\ndriver     %d%s\n", choice->target, runtime->driver->version,
                   runtime->driver->emulated ? ", emulated" : "");
    wl_text_printf(&text, "folder     %s\nbundle     %s\nschedules  %s\n",
                   runtime->cache ? wl_cache_folder(runtime->cache) : "none",
                   runtime->bundle ? wl_bundle_path(runtime->bundle) : "none",
                   choice->user ? choice->user : "shipped");
    wl_text_printf(&text, "holds      PTX %zu B, cubin %zu B\n", i->ptx_bytes, i->cubin_bytes);
    wl_text_printf(&text, "took       cache %.2f ms, generate %.2f ms, assemble %.2f ms, load %.2f ms\n",
                   loaded->cache_ms, i->generate_ms, i->assemble_ms, loaded->load_ms);
    if (!text.failed) wl_dump_bytes(&runtime->dump, WL_DUMP_CACHE, &loaded->key, text.bytes, text.length);
    wl_text_fini(&text);
}

static enum wl_status make(struct wl_runtime *runtime, const struct wl_problem *problem,
                           const struct wl_table_key *key, struct wl_loaded **out, struct wl_error *error) {
    const char *auxiliary = key->problem == WL_TABLE_AUXILIARY ? key->schedule : NULL;
    const struct wl_choice choice = {runtime->schedules, runtime->target, problem, auxiliary};
    double start = now_ms();
    struct wl_loaded *loaded = wl_realloc(NULL, sizeof *loaded);
    if (!loaded) return no_memory(error);
    memset(loaded, 0, sizeof *loaded);
    enum wl_status status = WL_OK;
    if (key->schedule) {
        size_t bytes = strlen(key->schedule) + 1;
        loaded->named = wl_realloc(NULL, bytes);
        if (loaded->named) memcpy(loaded->named, key->schedule, bytes);
        else status = no_memory(error);
    }
    if (!status) status = get_image(runtime, &choice, loaded, error);
    loaded->cache_ms = now_ms() - start - loaded->image.generate_ms - loaded->image.assemble_ms;
    if (!status) {
        wl_dump_image(&runtime->dump, &loaded->key, &loaded->image);
        status = load(runtime, loaded, error);
    }
    if (status) {
        wl_loaded_destroy(loaded);
        return status;
    }
    dump_origin(runtime, &choice, loaded);
    loaded->trace = (struct wl_trace){&runtime->dump, loaded->key};
    if (wl_dump_wants(&runtime->dump, WL_DUMP_TRACE)) loaded->kernel.trace = &loaded->trace;
    loaded->item.key = *key;
    loaded->item.key.schedule = loaded->named;
    wl_log_line(&runtime->log, WL_LOG_INFO,
                "%s %s from %s: cache %.1f ms, generate %.1f ms, assemble %.1f ms, load %.1f ms",
                loaded->kernel.launch.entry, loaded->origin == WL_BUILT ? "built" : "loaded",
                loaded->image.schedule, loaded->cache_ms, loaded->image.generate_ms,
                loaded->image.assemble_ms, loaded->load_ms);
    *out = loaded;
    return WL_OK;
}

/* ---- one thread makes it, the others wait ---- */

static struct wl_building *find_building(const struct wl_runtime *runtime, const struct wl_table_key *key) {
    for (struct wl_building *b = runtime->building; b; b = b->next)
        if (b->key.problem == key->problem && !b->key.schedule == !key->schedule &&
            (!key->schedule || !strcmp(b->key.schedule, key->schedule)))
            return b;
    return NULL;
}

/* The builder's: its key's string is the builder's own as long as it is listed. */
static struct wl_building *start_building(struct wl_runtime *runtime, const struct wl_table_key *key) {
    struct wl_building *b = wl_realloc(NULL, sizeof *b);
    if (!b) return NULL;
    *b = (struct wl_building){.next = runtime->building, .key = *key, .users = 1};
    runtime->building = b;
    return b;
}

static void finish_building(struct wl_runtime *runtime, struct wl_building *building) {
    struct wl_building **link = &runtime->building;
    while (*link != building) link = &(*link)->next;
    *link = building->next;
    building->done = true;
    pthread_cond_broadcast(&runtime->built);
}

/* With the lock held; lets go of it meanwhile. */
static void build(struct wl_runtime *runtime, const struct wl_problem *problem,
                  const struct wl_table_key *key, struct wl_building *b) {
    struct wl_loaded *loaded = NULL;
    pthread_mutex_unlock(&runtime->lock);
    enum wl_status status = make(runtime, problem, key, &loaded, &b->error);
    pthread_mutex_lock(&runtime->lock);
    if (!status && !wl_table_add(&runtime->table, &loaded->item)) {
        no_memory(&b->error);
        wl_loaded_destroy(loaded);
        loaded = NULL;
    }
    b->loaded = loaded;
    finish_building(runtime, b);
}

static enum wl_status make_once(struct wl_runtime *runtime, const struct wl_problem *problem,
                                const struct wl_table_key *key, struct wl_loaded **loaded,
                                struct wl_error *error) {
    enum wl_status status = WL_OK;
    pthread_mutex_lock(&runtime->lock);
    struct wl_table_item *item = wl_table_find(&runtime->table, key); /* added since the caller looked */
    struct wl_building *b = item ? NULL : find_building(runtime, key);
    if (item) {
        *loaded = (struct wl_loaded *)item;
    } else if (b) {
        b->users++;
        while (!b->done) pthread_cond_wait(&runtime->built, &runtime->lock);
    } else if ((b = start_building(runtime, key))) {
        build(runtime, problem, key, b);
    } else status = no_memory(error);
    if (b) {
        *loaded = b->loaded;
        if (!b->loaded)
            status = wl_fail(error, b->error.status, b->error.file, b->error.line, b->error.field, "%s",
                             b->error.text);
        if (!--b->users) wl_free(b);
    }
    pthread_mutex_unlock(&runtime->lock);
    return status;
}

/* ---- the door ---- */

static enum wl_status check_target(const struct wl_runtime *runtime, struct wl_error *error) {
    if (runtime->target) return WL_OK;
    return wl_fail(error, WL_ERR_ENVIRONMENT, NULL, 0, NULL,
                   "%s has compute capability %d.%d, which no kernel is made for", runtime->driver->name,
                   runtime->driver->cc_major, runtime->driver->cc_minor);
}

static enum wl_status check(const struct wl_runtime *runtime, const struct wl_problem *problem,
                            struct wl_error *error) {
    if (problem->head_dim < 8 || problem->head_dim % 8 || problem->head_dim > 65528)
        return wl_fail(error, WL_ERR_INPUT, NULL, 0, "head_dim", "%d: must be a multiple of 8, at least 8",
                       problem->head_dim);
    if (problem->head_dim_v < 0 || problem->head_dim_v % 8 || problem->head_dim_v > 65528)
        return wl_fail(error, WL_ERR_INPUT, NULL, 0, "head_dim_v", "%d: must be a multiple of 8, or 0 for head_dim",
                       problem->head_dim_v);
    if (problem->dtype != WL_BF16 && problem->dtype != WL_FP16)
        return wl_fail(error, WL_ERR_INPUT, NULL, 0, "dtype", "%d: must be bf16 or fp16",
                       (int)problem->dtype);
    return check_target(runtime, error);
}

enum wl_status wl_specialize(struct wl_runtime *runtime, const struct wl_problem *problem,
                             const struct wl_kernel **kernel, struct wl_error *error) {
    struct wl_table_key key = wl_table_key(problem);
    struct wl_loaded *loaded = (struct wl_loaded *)wl_table_find(&runtime->table, &key);
    enum wl_status status = WL_OK;
    if (!loaded) {
        status = check(runtime, problem, error);
        if (!status) status = make_once(runtime, problem, &key, &loaded, error);
    }
    *kernel = status ? NULL : &loaded->kernel;
    return status;
}

enum wl_status wl_specialize_auxiliary(struct wl_runtime *runtime, const char *name,
                                       const struct wl_kernel **kernel, struct wl_error *error) {
    const struct wl_table_key key = {WL_TABLE_AUXILIARY, name};
    static const struct wl_problem none;
    struct wl_loaded *loaded = (struct wl_loaded *)wl_table_find(&runtime->table, &key);
    enum wl_status status = WL_OK;
    if (!loaded) {
        status = check_target(runtime, error);
        if (!status) status = make_once(runtime, &none, &key, &loaded, error);
    }
    *kernel = status ? NULL : &loaded->kernel;
    return status;
}

enum wl_status wl_launch(const struct wl_kernel *kernel, const struct wl_attention *problem,
                         struct CUstream_st *stream, struct wl_error *error) {
    return wl_attention_launch(kernel, problem, stream, error);
}

enum wl_status wl_attention_forward(struct wl_runtime *runtime, const struct wl_attention *problem,
                                    struct CUstream_st *stream, struct wl_error *error) {
    int64_t dim = problem->head_dim, dim_v = wl_attention_dim_v(problem);
    const struct wl_problem special = {dim < 0 || dim > INT32_MAX ? 0 : (int32_t)dim, problem->dtype,
                                       problem->causal, NULL, dim_v < 0 || dim_v > INT32_MAX ? -1 : (int32_t)dim_v};
    const struct wl_kernel *kernel;
    enum wl_status status = wl_specialize(runtime, &special, &kernel, error);
    return status ? status : wl_attention_launch(kernel, problem, stream, error);
}
