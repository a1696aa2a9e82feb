/* runtime: what is behind struct wl_runtime: the device, the kernels on it, who builds what at the moment. */
#ifndef WL_RUNTIME_H
#define WL_RUNTIME_H

#include <pthread.h>

#include "runtime/bundle.h"
#include "runtime/cache.h"
#include "runtime/choose.h"
#include "runtime/driver.h"
#include "runtime/dump.h"
#include "runtime/jit.h"
#include "runtime/log.h"
#include "runtime/table.h"

struct wl_loaded { /* a kernel and how it came to be; item and kernel are its two faces */
    struct wl_table_item item;
    struct wl_kernel kernel;
    struct wl_image image; /* its cubin is gone once loaded, its size stays */
    struct wl_key key;
    struct wl_trace trace; /* kernel.trace, where launches are traced */
    enum wl_origin origin;
    double cache_ms, load_ms;
    char *named; /* the problem's schedule, NULL: none named */
};

struct wl_building; /* of specialize.c */

struct wl_runtime {
    struct wl_driver *driver;
    const char *target;     /* NULL: the device runs nothing that can be made */
    char *schedules;        /* NULL: the shipped ones alone */
    struct wl_cache *cache; /* NULL: none */
    struct wl_bundle *bundle; /* NULL: none */
    bool bundle_only;
    struct wl_log log;
    struct wl_dump dump;
    struct wl_table table;
    pthread_mutex_t lock; /* of the table's writers and of `building` */
    pthread_cond_t built;
    struct wl_building *building;
};

void wl_loaded_destroy(struct wl_loaded *loaded);

/* The auxiliary kernel "copy", "plain" or "combine": found, loaded or built as any other. */
enum wl_status wl_specialize_auxiliary(struct wl_runtime *runtime, const char *name, const struct wl_kernel **kernel,
                                       struct wl_error *error);

#endif
