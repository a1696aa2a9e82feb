/* nvrtc: see nvrtc.h. */
#define _GNU_SOURCE /* dladdr */
#include "runtime/nvrtc.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "gen/arena.h"
#include "gen/embed.h"
#include "gen/tool.h"

#define FOLDER  "runtime/auxiliary/"
#define THREADS 128

const char *const wl_auxiliary_names[] = {"copy", "plain", "combine", NULL};

enum { BAD_OPTION = 5 }; /* nvrtcResult: an architecture that it does not know */

typedef struct nvrtcProgram *program;
struct functions {
    int (*version)(int *, int *);
    int (*create)(program *, const char *, const char *, int, const char *const *, const char *const *);
    int (*destroy)(program *);
    int (*compile)(program, int, const char *const *);
    int (*log_size)(program, size_t *);
    int (*log)(program, char *);
    int (*ptx_size)(program, size_t *);
    int (*ptx)(program, char *);
};
static const char *const names[] = {
    "nvrtcVersion",           "nvrtcCreateProgram", "nvrtcDestroyProgram", "nvrtcCompileProgram",
    "nvrtcGetProgramLogSize", "nvrtcGetProgramLog", "nvrtcGetPTXSize",     "nvrtcGetPTX"};
_Static_assert(sizeof names / sizeof *names == sizeof(struct functions) / sizeof(void *), "one name each");

static enum wl_status no_memory(struct wl_error *error) {
    return wl_fail(error, WL_ERR_NO_MEMORY, NULL, 0, NULL, "no memory to compile");
}

/* Text that the program gives; its size counts the 0 behind it. NULL: no memory. */
static char *fetch(program p, int (*size)(program, size_t *), int (*get)(program, char *), size_t *bytes) {
    *bytes = 0;
    if (size(p, bytes)) *bytes = 0;
    char *out = wl_realloc(NULL, *bytes + 1);
    if (!out) return NULL;
    if (*bytes && get(p, out)) *bytes = 0;
    out[*bytes] = '\0';
    *bytes = strlen(out);
    return out;
}

static enum wl_status refused(const struct functions *f, program p, int result, const char *file,
                              const char *target, struct wl_error *error) {
    int major = 0, minor = 0;
    size_t bytes;
    char *log = fetch(p, f->log_size, f->log, &bytes);
    if (!log) return no_memory(error);
    f->version(&major, &minor);
    enum wl_status status =
        result == BAD_OPTION ? wl_fail(error, WL_ERR_ENVIRONMENT, NULL, 0, "nvrtc",
                                       "NVRTC %d.%d does not know %s; a newer one does", major, minor, target)
                             : wl_fail(error, WL_ERR_INTERNAL, file, 0, "nvrtc",
                                       "NVRTC %d.%d refused it (%d)\n%.2000s", major, minor, result, log);
    wl_free(log);
    return status;
}

static enum wl_status compile(const struct functions *f, const struct wl_embedded *file, const char *target,
                              struct wl_image *image, struct wl_error *error) {
    const struct wl_embedded *element = wl_embedded_find(FOLDER "element.cuh");
    const char *sources[] = {element->bytes}, *includes[] = {"element.cuh"};
    char arch[48];
    const char *options[] = {arch, "--std=c++17"};
    program p = NULL;
    snprintf(arch, sizeof arch, "--gpu-architecture=compute_%s", target + 3);
    if (f->create(&p, file->bytes, file->name, 1, sources, includes)) return no_memory(error);
    int result = f->compile(p, 2, options);
    enum wl_status status = WL_OK;
    if (result) status = refused(f, p, result, file->name, target, error);
    else if (!(image->ptx = fetch(p, f->ptx_size, f->ptx, &image->ptx_bytes))) status = no_memory(error);
    f->destroy(&p);
    return status;
}

/* NVRTC opens its builtins by their bare name, so where both lie outside the dynamic linker's folders (PyPI's
 * package, files copied beside a program) it finds them only when they are loaded already. NULL: they are not
 * beside it, and NVRTC says itself what it lacks. */
static void *open_builtins(const struct functions *f) {
    char path[PATH_MAX + 64];
    int major = 0, minor = 0;
    Dl_info info;
    void *version;
    memcpy(&version, &f->version, sizeof version);
    if (f->version(&major, &minor) || !dladdr(version, &info)) return NULL;
    const char *slash = strrchr(info.dli_fname, '/');
    if (!slash) return NULL;
    int length = snprintf(path, sizeof path, "%.*slibnvrtc-builtins.so.%d.%d",
                          (int)(slash + 1 - info.dli_fname), info.dli_fname, major, minor);
    return length < (int)sizeof path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
}

/* The record says what a runtime must know to launch it; its parameters are the caller's (auxiliary.c). */
static void describe(struct wl_image *image, const char *name, const char *target) {
    struct wl_launch *l = &image->launch;
    snprintf(image->schedule, sizeof image->schedule, "embedded:%s.cu", name);
    snprintf(l->entry, sizeof l->entry, "wl_%s", name);
    snprintf(l->target, sizeof l->target, "%s", target);
    l->threads = THREADS;
    l->cluster = l->rows_per_tile = 1;
    l->grid = WL_GRID_TILES;
}

static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

enum wl_status wl_nvrtc_generate(struct wl_image *image, const char *name, const char *target,
                                 struct wl_error *error) {
    struct functions f;
    void *library, *entries[sizeof names / sizeof *names];
    char path[64];
    double start = now_ms();
    *image = (struct wl_image){0};
    snprintf(path, sizeof path, FOLDER "%s.cu", name);
    const struct wl_embedded *file = wl_embedded_find(path);
    if (!file) return wl_fail(error, WL_ERR_INTERNAL, path, 0, NULL, "no such auxiliary kernel");
    enum wl_status status = wl_tool_library(&library, "nvrtc", "nvidia-cuda-nvrtc", error);
    if (status) return status;
    status = wl_tool_functions(library, names, entries, sizeof names / sizeof *names, error);
    if (!status) {
        memcpy(&f, entries, sizeof f);
        void *builtins = open_builtins(&f);
        status = compile(&f, file, target, image, error);
        if (builtins) dlclose(builtins);
    }
    dlclose(library);
    describe(image, name, target);
    image->generate_ms = now_ms() - start;
    if (status) wl_image_fini(image);
    return status;
}
