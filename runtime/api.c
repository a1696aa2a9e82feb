/* api: opening and closing a runtime, what is known of it and its kernels, device memory. The way from a
 * problem to a kernel is specialize.c. */
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "gen/arena.h"
#include "gen/version.h"
#include "runtime/runtime.h"

const char *wl_version(void) { return WL_VERSION; }

/* ---- opening ---- */

static enum wl_status copy_text(char **out, const char *text, struct wl_error *error) {
    *out = NULL;
    if (!text || !*text) return WL_OK;
    *out = wl_realloc(NULL, strlen(text) + 1);
    if (!*out) return wl_fail(error, WL_ERR_NO_MEMORY, NULL, 0, NULL, "no memory for a runtime");
    strcpy(*out, text);
    return WL_OK;
}

/* Before the driver: the device is to be one that the bundle's kernels run on. */
static enum wl_status open_bundle(struct wl_runtime *runtime, const struct wl_options *o,
                                  struct wl_error *error) {
    const char *path = o->bundle ? o->bundle : getenv("WARPLOOM_BUNDLE");
    runtime->bundle_only = o->bundle_only;
    if (path && *path) return wl_bundle_open(&runtime->bundle, path, error);
    if (!o->bundle_only) return WL_OK;
    return wl_fail(error, WL_ERR_USAGE, NULL, 0, "bundle_only", "no bundle is given");
}

/* Of a bundle the device must be able to run something: that nothing fits is a mistake, said at once. */
static enum wl_status open_driver(struct wl_runtime *runtime, const struct wl_options *o,
                                  struct wl_error *error) {
    char all[128];
    struct wl_error why = {0};
    const char *device = o->device ? o->device : getenv("WARPLOOM_DEVICE");
    const char *bundled = runtime->bundle ? wl_bundle_targets(runtime->bundle) : NULL;
    const char *target = o->target ? o->target : bundled ? bundled : wl_choose_targets(all, sizeof all);
    enum wl_status status = device && !strcmp(device, "current")
                                ? wl_driver_open_current(&runtime->driver, target, &why)
                                : wl_driver_open(&runtime->driver, device, target, &why);
    if (status && !bundled) return wl_fail(error, status, why.file, why.line, why.field, "%s", why.text);
    if (status)
        return wl_fail(error, status, wl_bundle_path(runtime->bundle), 0, NULL,
                       "the bundle's kernels are for %s: %s", bundled, why.text);
    const struct wl_driver *driver = runtime->driver;
    runtime->target = wl_choose_target(driver->cc_major, driver->cc_minor);
    if (!bundled || wl_driver_can_run(driver->cc_major, driver->cc_minor, bundled)) return WL_OK;
    return wl_fail(error, WL_ERR_INPUT, wl_bundle_path(runtime->bundle), 0, NULL,
                   "the bundle's kernels are for %s: %s has compute capability %d.%d", bundled, driver->name,
                   driver->cc_major, driver->cc_minor);
}

/* Without a cache all still works, so only a value that is no value stops here. */
static enum wl_status open_cache(struct wl_runtime *runtime, const struct wl_options *o,
                                 struct wl_error *error) {
    char path[PATH_MAX], text[1024];
    uint64_t bytes;
    struct wl_error why = {0};
    if (o->no_cache) return WL_OK;
    enum wl_status status = wl_cache_limit(o->cache_bytes, &bytes, error);
    if (status) return status;
    status = wl_cache_path(o->cache_dir, path, sizeof path, &why);
    if (!status) status = wl_cache_open(&runtime->cache, path, bytes, &runtime->log, &why);
    if (status == WL_ERR_NO_MEMORY) return wl_fail(error, status, NULL, 0, NULL, "%s", why.text);
    if (status)
        wl_log_line(&runtime->log, WL_LOG_WARN, "no disk cache: %s; kernels are built each time",
                    wl_error_format(&why, text, sizeof text));
    return WL_OK;
}

enum wl_status wl_open(struct wl_runtime **runtime, const struct wl_options *options,
                       struct wl_error *error) {
    static const struct wl_options none;
    const struct wl_options *o = options ? options : &none;
    *runtime = NULL;
    struct wl_runtime *fresh = wl_realloc(NULL, sizeof *fresh);
    if (!fresh) return wl_fail(error, WL_ERR_NO_MEMORY, NULL, 0, NULL, "no memory for a runtime");
    *fresh = (struct wl_runtime){0};
    pthread_mutex_init(&fresh->lock, NULL);
    pthread_cond_init(&fresh->built, NULL);
    enum wl_status status = wl_log_init(&fresh->log, o->log, o->log_user, error);
    if (!status) status = wl_dump_init(&fresh->dump, &fresh->log, error);
    if (!status)
        status =
            copy_text(&fresh->schedules, o->schedules ? o->schedules : getenv("WARPLOOM_SCHEDULES"), error);
    if (!status) status = open_bundle(fresh, o, error);
    if (!status) status = open_driver(fresh, o, error);
    if (!status) status = open_cache(fresh, o, error);
    if (status) wl_close(fresh);
    else *runtime = fresh;
    return status;
}

static void destroy_item(struct wl_table_item *item) { wl_loaded_destroy((struct wl_loaded *)item); }

void wl_close(struct wl_runtime *runtime) {
    if (!runtime) return;
    wl_table_each(&runtime->table, destroy_item);
    wl_table_fini(&runtime->table);
    wl_cache_close(runtime->cache);
    wl_bundle_close(runtime->bundle);
    wl_driver_close(runtime->driver);
    pthread_cond_destroy(&runtime->built);
    pthread_mutex_destroy(&runtime->lock);
    wl_free(runtime->schedules);
    wl_free(runtime);
}

/* ---- what is known ---- */

void wl_runtime_info(const struct wl_runtime *runtime, struct wl_runtime_report *info) {
    const struct wl_driver *driver = runtime->driver;
    *info = (struct wl_runtime_report){.device = driver->name,
                                     .target = runtime->target,
                                     .driver = driver->path,
                                     .cache_dir = runtime->cache ? wl_cache_folder(runtime->cache) : NULL,
                                     .bundle = runtime->bundle ? wl_bundle_path(runtime->bundle) : NULL,
                                     .driver_version = driver->version,
                                     .cc_major = driver->cc_major,
                                     .cc_minor = driver->cc_minor,
                                     .sms = driver->sms,
                                     .emulated = driver->emulated};
}

void wl_kernel_info(const struct wl_kernel *kernel, struct wl_kernel_report *info) {
    const char *base = (const char *)kernel - offsetof(struct wl_loaded, kernel);
    const struct wl_loaded *loaded = (const struct wl_loaded *)base;
    const struct wl_launch *launch = &kernel->launch;
    *info = (struct wl_kernel_report){.entry = launch->entry,
                                    .target = launch->target,
                                    .schedule = loaded->image.schedule,
                                    .ptx = loaded->image.ptx,
                                    .ptx_bytes = loaded->image.ptx_bytes,
                                    .origin = loaded->origin,
                                    .cache_ms = loaded->cache_ms,
                                    .generate_ms = loaded->image.generate_ms,
                                    .assemble_ms = loaded->image.assemble_ms,
                                    .load_ms = loaded->load_ms,
                                    .cubin_bytes = loaded->image.cubin_bytes,
                                    .registers = kernel->registers,
                                    .local_bytes = kernel->local_bytes,
                                    .smem_bytes = launch->smem_bytes,
                                    .threads = launch->threads,
                                    .cluster = launch->cluster,
                                    .resident = kernel->resident};
    wl_key_text(&loaded->key, info->key);
}

/* ---- device memory ---- */

enum wl_status wl_device_alloc(struct wl_runtime *runtime, size_t bytes, uint64_t *address,
                               struct wl_error *error) {
    CUdeviceptr fresh;
    enum wl_status status = wl_driver_alloc(runtime->driver, bytes, &fresh, error);
    *address = fresh;
    return status;
}

void wl_device_free(struct wl_runtime *runtime, uint64_t address) {
    wl_driver_free(runtime->driver, address);
}

enum wl_status wl_device_upload(struct wl_runtime *runtime, uint64_t to, const void *from, size_t bytes,
                                struct wl_error *error) {
    return wl_driver_upload(runtime->driver, to, from, bytes, error);
}

enum wl_status wl_device_download(struct wl_runtime *runtime, void *to, uint64_t from, size_t bytes,
                                  struct wl_error *error) {
    return wl_driver_download(runtime->driver, to, from, bytes, error);
}

enum wl_status wl_synchronize(struct wl_runtime *runtime, struct wl_error *error) {
    return wl_driver_synchronize(runtime->driver, error);
}
