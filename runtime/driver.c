/* driver: see driver.h. */
#define _GNU_SOURCE /* dladdr */
#include "runtime/driver.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gen/arena.h"

#define REAL_LIBRARY "libcuda.so.1"
#define EMU_LIBRARY  "libwarploom_cuda.so"

/* ---- the libraries ---- */

static const struct {
    const char *name;
    size_t offset;
} functions[] = {
#define WL_CU_FN(name, parameters) {#name, offsetof(struct wl_driver_functions, name)},
#include "runtime/cuda_functions.def"
#undef WL_CU_FN
};

void *wl_driver_symbol(const struct wl_driver *driver, const char *name) {
    return dlsym(driver->library, name);
}

/* Opens a library as a driver with every function that the runtime calls. */
static enum wl_status open_library(struct wl_driver *driver, const char *path, struct wl_error *error) {
    driver->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!driver->library)
        return wl_fail(error, WL_ERR_ENVIRONMENT, NULL, 0, NULL, "no CUDA driver: %s", dlerror());
    snprintf(driver->path, sizeof driver->path, "%s", path);
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        void *function = wl_driver_symbol(driver, functions[i].name);
        if (!function)
            return wl_fail(
                error, WL_ERR_ENVIRONMENT, path, 0, NULL,
                "the driver has no %s: it is older than CUDA 12.0, which is the least that can be used",
                functions[i].name);
        memcpy((char *)&driver->fn + functions[i].offset, &function, sizeof function);
    }
    /* libcuda.so.1 may be the emulated driver under its other name. */
    driver->emulated = wl_driver_symbol(driver, "wlemu_version") != NULL;
    return WL_OK;
}

static void close_library(struct wl_driver *driver) {
    if (driver->library) dlclose(driver->library);
    driver->library = NULL;
}

/* The folder of a file, in place. */
static bool folder_of(char *path) {
    char *slash = strrchr(path, '/');
    if (slash) *slash = '\0';
    return slash != NULL;
}

/* Where the emulated driver may lie, seen from a folder. */
static bool find_from(const char *folder, char *path, size_t bytes) {
    static const char *const places[] = {"", "../", "../lib/"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        int length = snprintf(path, bytes, "%s/%s" EMU_LIBRARY, folder, places[i]);
        if (length > 0 && (size_t)length < bytes && !access(path, R_OK)) return true;
    }
    return false;
}

/* Beside the library or executable that this code is in; /proc knows an executable's path when argv[0] does
 * not. */
static bool find_emulated(char *path, size_t bytes) {
    char folder[PATH_MAX];
    Dl_info info;
    if (dladdr((void *)wl_driver_open, &info) && info.dli_fname && realpath(info.dli_fname, folder) &&
        folder_of(folder))
        if (find_from(folder, path, bytes)) return true;
    ssize_t length = readlink("/proc/self/exe", folder, sizeof folder - 1);
    if (length <= 0) return false;
    folder[length] = '\0';
    return folder_of(folder) && find_from(folder, path, bytes);
}

static enum wl_status open_emulated(struct wl_driver *driver, struct wl_error *error) {
    char path[PATH_MAX];
    const char *given = getenv("WARPLOOM_EMU_LIBRARY");
    if (given && *given) return open_library(driver, given, error);
    if (!find_emulated(path, sizeof path))
        return wl_fail(
            error, WL_ERR_ENVIRONMENT, NULL, 0, NULL,
            "the emulated driver %s is not beside this program, in its parent folder or in ../lib; "
            "WARPLOOM_EMU_LIBRARY may name it",
            EMU_LIBRARY);
    return open_library(driver, path, error);
}

/* ---- errors ---- */

enum wl_status wl_driver_check(const struct wl_driver *driver, CUresult result, const char *call,
                               struct wl_error *error) {
    if (result == CUDA_SUCCESS) return WL_OK;
    const char *name = NULL, *text = NULL, *report = "";
    driver->fn.cuGetErrorName(result, &name);
    driver->fn.cuGetErrorString(result, &text);
    void *entry = driver->emulated ? wl_driver_symbol(driver, "wlemu_last_report") : NULL;
    const char *(*last_report)(void);
    memcpy(&last_report, &entry, sizeof entry);
    if (entry) report = last_report();
    enum wl_status status = result == CUDA_ERROR_OUT_OF_MEMORY ? WL_ERR_NO_MEMORY : WL_ERR_DRIVER;
    return wl_fail(error, status, NULL, 0, NULL, "%s: %s (%d): %s%s%s", call, name ? name : "unknown error",
                   result, text ? text : "no text", *report ? "\n" : "", report);
}

/* ---- devices ---- */

static bool runs_one(int cc_major, int cc_minor, const char *target, size_t length) {
    int number = 0;
    size_t at = 3;
    if (length < 4 || strncmp(target, "sm_", 3)) return false;
    for (; at < length && target[at] >= '0' && target[at] <= '9' && number < 1000; at++)
        number = 10 * number + (target[at] - '0');
    int major = number / 10, minor = number % 10;
    char kind = at + 1 == length ? target[at] : '\0';
    if (kind == 'a') return cc_major == major && cc_minor == minor;
    if (kind == 'f') return cc_major == major && cc_minor >= minor;
    return at == length && number && (cc_major > major || (cc_major == major && cc_minor >= minor));
}

bool wl_driver_can_run(int cc_major, int cc_minor, const char *target) {
    for (;;) {
        size_t length = strcspn(target, ",");
        if (runs_one(cc_major, cc_minor, target, length)) return true;
        if (!target[length]) return false;
        target += length + 1;
    }
}

/* Fills in what is known of driver->device. */
static enum wl_status describe(struct wl_driver *driver, struct wl_error *error) {
    static const struct {
        CUdevice_attribute attribute;
        size_t offset;
    } rows[] = {
        {CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, offsetof(struct wl_driver, cc_major)},
        {CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, offsetof(struct wl_driver, cc_minor)},
        {CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, offsetof(struct wl_driver, sms)},
        {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, offsetof(struct wl_driver, smem_per_block)},
    };
    enum wl_status status = WL_OK;
    for (size_t i = 0; !status && i < sizeof rows / sizeof *rows; i++) {
        int *value = (int *)((char *)driver + rows[i].offset);
        CUresult result = driver->fn.cuDeviceGetAttribute(value, rows[i].attribute, driver->device);
        status = wl_driver_check(driver, result, "cuDeviceGetAttribute", error);
    }
    if (status) return status;
    CUresult result = driver->fn.cuDeviceGetName(driver->name, sizeof driver->name - 1, driver->device);
    return wl_driver_check(driver, result, "cuDeviceGetName", error);
}

/* Until WARPLOOM_EMU_DEVICE says what is emulated, a device that can run the target is. */
static void suggest_target(const struct wl_driver *driver, const char *target) {
    void *entry = driver->emulated && target ? wl_driver_symbol(driver, "wlemu_suggest_target") : NULL;
    void (*suggest)(const char *);
    memcpy(&suggest, &entry, sizeof entry);
    if (entry) suggest(target);
}

/* cuInit and the device count; no device is an error too. */
static enum wl_status start(struct wl_driver *driver, int *count, struct wl_error *error) {
    CUresult result = driver->fn.cuInit(0);
    const char *call = "cuInit";
    if (!result) result = driver->fn.cuDriverGetVersion(&driver->version), call = "cuDriverGetVersion";
    if (!result) result = driver->fn.cuDeviceGetCount(count), call = "cuDeviceGetCount";
    if (!result && !*count) result = CUDA_ERROR_NO_DEVICE;
    if (!result) return WL_OK;
    struct wl_error inner = {0};
    wl_driver_check(driver, result, call, &inner);
    return wl_fail(error, WL_ERR_ENVIRONMENT, driver->path, 0, NULL, "%s", inner.text);
}

static enum wl_status cannot_run(const struct wl_driver *driver, const char *target, struct wl_error *error) {
    const char *hint =
        driver->emulated ? "; WARPLOOM_EMU_DEVICE chooses what is emulated: b200, h100, a100" : "";
    return wl_fail(error, WL_ERR_ENVIRONMENT, NULL, 0, NULL,
                   "%s has compute capability %d.%d and cannot run %s code%s", driver->name, driver->cc_major,
                   driver->cc_minor, target, hint);
}

/* The device of that ordinal, or with -1 the first that can run the target. */
static enum wl_status choose_device(struct wl_driver *driver, int ordinal, const char *target,
                                    struct wl_error *error) {
    int count = 0;
    suggest_target(driver, target);
    enum wl_status status = start(driver, &count, error);
    if (status) return status;
    if (ordinal >= count)
        return wl_fail(error, WL_ERR_ENVIRONMENT, NULL, 0, NULL, "there is no GPU %d: %s has %d", ordinal,
                       driver->path, count);
    for (int i = ordinal < 0 ? 0 : ordinal; i < (ordinal < 0 ? count : ordinal + 1); i++) {
        status = wl_driver_check(driver, driver->fn.cuDeviceGet(&driver->device, i), "cuDeviceGet", error);
        if (!status) status = describe(driver, error);
        if (status || !target || wl_driver_can_run(driver->cc_major, driver->cc_minor, target)) return status;
    }
    return cannot_run(driver, target, error);
}

static enum wl_status retain(struct wl_driver *driver, struct wl_error *error) {
    CUresult result = driver->fn.cuDevicePrimaryCtxRetain(&driver->context, driver->device);
    return wl_driver_check(driver, result, "cuDevicePrimaryCtxRetain", error);
}

/* ---- opening ---- */

/* -1 auto, -2 emulated, else the ordinal. */
static enum wl_status parse_device(const char *device, int *ordinal, struct wl_error *error) {
    char extra;
    *ordinal = -1;
    if (!strcmp(device, "auto")) return WL_OK;
    *ordinal = -2;
    if (!strcmp(device, "emu")) return WL_OK;
    const char *digits = strncmp(device, "cuda:", 5) ? "" : device + 5;
    if (*digits >= '0' && *digits <= '9' && strlen(digits) < 5 &&
        sscanf(digits, "%d%c", ordinal, &extra) == 1)
        return WL_OK;
    return wl_fail(error, WL_ERR_USAGE, NULL, 0, NULL, "no such device: '%s'; auto, emu and cuda:N are",
                   device);
}

static enum wl_status open_one(struct wl_driver *driver, bool emulated, int ordinal, const char *target,
                               struct wl_error *error) {
    enum wl_status status =
        emulated ? open_emulated(driver, error) : open_library(driver, REAL_LIBRARY, error);
    /* The dynamic linker takes the emulated driver for libcuda.so.1 once it is loaded, or where
     * LD_LIBRARY_PATH says so. */
    if (!status && driver->emulated && ordinal >= 0)
        status = wl_fail(error, WL_ERR_ENVIRONMENT, NULL, 0, NULL,
                         REAL_LIBRARY " is the emulated driver in this process; there is no GPU %d behind it",
                         ordinal);
    if (!status) status = choose_device(driver, ordinal, target, error);
    if (!status) status = retain(driver, error);
    if (status) {
        close_library(driver);
        *driver = (struct wl_driver){0};
    }
    return status;
}

static enum wl_status open_any(struct wl_driver *driver, const char *target, struct wl_error *error) {
    struct wl_error gpu = {0}, emu = {0};
    if (!open_one(driver, false, -1, target, &gpu)) return WL_OK;
    enum wl_status status = open_one(driver, true, -1, target, &emu);
    if (!status) return WL_OK;
    return wl_fail(error, status, emu.file, 0, NULL, "%.1400s\nand no GPU: %.1400s", emu.text, gpu.text);
}

/* The context that is current in this thread, if this library has one; it stays its owner's. */
static enum wl_status borrow(struct wl_driver *driver, const char *target, struct wl_error *error) {
    CUresult result = driver->fn.cuCtxGetCurrent(&driver->context);
    const char *call = "cuCtxGetCurrent";
    if (!result && !driver->context) result = CUDA_ERROR_INVALID_CONTEXT;
    if (!result) result = driver->fn.cuCtxGetDevice(&driver->device), call = "cuCtxGetDevice";
    if (!result) result = driver->fn.cuDriverGetVersion(&driver->version), call = "cuDriverGetVersion";
    enum wl_status status = wl_driver_check(driver, result, call, error);
    if (!status) status = describe(driver, error);
    if (!status && target && !wl_driver_can_run(driver->cc_major, driver->cc_minor, target))
        status = cannot_run(driver, target, error);
    driver->borrowed = true;
    return status;
}

enum wl_status wl_driver_open_current(struct wl_driver **driver, const char *target, struct wl_error *error) {
    *driver = NULL;
    struct wl_error why[2] = {{0}};
    struct wl_driver *fresh = wl_realloc(NULL, sizeof *fresh);
    if (!fresh) return wl_fail(error, WL_ERR_NO_MEMORY, NULL, 0, NULL, "no memory for a driver");
    for (int emulated = 0; emulated < 2; emulated++) {
        *fresh = (struct wl_driver){0};
        enum wl_status status = emulated ? open_emulated(fresh, &why[1])
                                         : open_library(fresh, REAL_LIBRARY, &why[0]);
        if (!status) status = borrow(fresh, target, &why[emulated]);
        if (!status) {
            *driver = fresh;
            return WL_OK;
        }
        close_library(fresh);
    }
    wl_free(fresh);
    return wl_fail(error, WL_ERR_ENVIRONMENT, NULL, 0, NULL,
                   "this thread has no current CUDA context: %.1400s; emulated: %.1400s", why[0].text,
                   why[1].text);
}

enum wl_status wl_driver_open(struct wl_driver **driver, const char *device, const char *target,
                              struct wl_error *error) {
    *driver = NULL;
    if (!device || !*device) device = getenv("WARPLOOM_DEVICE");
    if (!device || !*device) device = "auto";
    int ordinal;
    enum wl_status status = parse_device(device, &ordinal, error);
    if (status) return status;
    struct wl_driver *fresh = wl_realloc(NULL, sizeof *fresh);
    if (!fresh) return wl_fail(error, WL_ERR_NO_MEMORY, NULL, 0, NULL, "no memory for a driver");
    *fresh = (struct wl_driver){0};
    if (ordinal == -1) status = open_any(fresh, target, error);
    else status = open_one(fresh, ordinal == -2, ordinal == -2 ? -1 : ordinal, target, error);
    if (status) wl_free(fresh);
    else *driver = fresh;
    return status;
}

void wl_driver_close(struct wl_driver *driver) {
    if (!driver) return;
    if (!driver->borrowed) driver->fn.cuDevicePrimaryCtxRelease_v2(driver->device);
    close_library(driver);
    wl_free(driver);
}

/* ---- the context, memory, waiting ---- */

enum wl_status wl_driver_enter(const struct wl_driver *driver, struct wl_error *error) {
    CUresult result = driver->fn.cuCtxPushCurrent_v2(driver->context);
    return wl_driver_check(driver, result, "cuCtxPushCurrent", error);
}

void wl_driver_leave(const struct wl_driver *driver) {
    CUcontext popped;
    driver->fn.cuCtxPopCurrent_v2(&popped);
}

enum wl_status wl_driver_alloc(struct wl_driver *driver, size_t bytes, CUdeviceptr *address,
                               struct wl_error *error) {
    *address = 0;
    enum wl_status status = wl_driver_enter(driver, error);
    if (status) return status;
    char call[64];
    snprintf(call, sizeof call, "cuMemAlloc of %zu bytes", bytes);
    status = wl_driver_check(driver, driver->fn.cuMemAlloc_v2(address, bytes), call, error);
    wl_driver_leave(driver);
    return status;
}

void wl_driver_free(struct wl_driver *driver, CUdeviceptr address) {
    if (!address || wl_driver_enter(driver, NULL)) return;
    driver->fn.cuMemFree_v2(address);
    wl_driver_leave(driver);
}

enum wl_status wl_driver_upload(struct wl_driver *driver, CUdeviceptr to, const void *from, size_t bytes,
                                struct wl_error *error) {
    enum wl_status status = wl_driver_enter(driver, error);
    if (status) return status;
    status = wl_driver_check(driver, driver->fn.cuMemcpyHtoD_v2(to, from, bytes), "cuMemcpyHtoD", error);
    wl_driver_leave(driver);
    return status;
}

enum wl_status wl_driver_download(struct wl_driver *driver, void *to, CUdeviceptr from, size_t bytes,
                                  struct wl_error *error) {
    enum wl_status status = wl_driver_enter(driver, error);
    if (status) return status;
    status = wl_driver_check(driver, driver->fn.cuMemcpyDtoH_v2(to, from, bytes), "cuMemcpyDtoH", error);
    wl_driver_leave(driver);
    return status;
}

enum wl_status wl_driver_synchronize(struct wl_driver *driver, struct wl_error *error) {
    enum wl_status status = wl_driver_enter(driver, error);
    if (status) return status;
    status = wl_driver_check(driver, driver->fn.cuCtxSynchronize(), "cuCtxSynchronize", error);
    wl_driver_leave(driver);
    return status;
}
