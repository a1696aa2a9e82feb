/* nvjitlink: see nvjitlink.h. */
#include "gen/nvjitlink.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "gen/arena.h"
#include "gen/tool.h"

enum { INPUT_PTX = 2 }; /* nvJitLinkInputType */

typedef struct nvJitLink *handle;
struct functions {
    int (*create)(handle *, uint32_t, const char **);
    int (*destroy)(handle *);
    int (*add)(handle, int, const void *, size_t, const char *);
    int (*complete)(handle);
    int (*cubin_size)(handle, size_t *);
    int (*cubin)(handle, void *);
    int (*error_size)(handle, size_t *);
    int (*error)(handle, char *);
    int (*info_size)(handle, size_t *);
    int (*info)(handle, char *);
    int (*version)(unsigned *, unsigned *);
};
static const char *const names[] = {"nvJitLinkCreate",
                                    "nvJitLinkDestroy",
                                    "nvJitLinkAddData",
                                    "nvJitLinkComplete",
                                    "nvJitLinkGetLinkedCubinSize",
                                    "nvJitLinkGetLinkedCubin",
                                    "nvJitLinkGetErrorLogSize",
                                    "nvJitLinkGetErrorLog",
                                    "nvJitLinkGetInfoLogSize",
                                    "nvJitLinkGetInfoLog",
                                    "nvJitLinkVersion"};
_Static_assert(sizeof names / sizeof *names == sizeof(struct functions) / sizeof(void *), "one name each");

static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

/* What a pair of functions gives, terminated; NULL: no memory. */
static char *fetch(handle link, int (*size)(handle, size_t *), int (*get)(handle, char *), size_t *bytes) {
    *bytes = 0;
    if (size(link, bytes)) *bytes = 0;
    char *out = wl_realloc(NULL, *bytes + 1);
    if (!out) return NULL;
    if (*bytes && get(link, out)) *bytes = 0;
    out[*bytes] = '\0';
    return out;
}

static enum wl_status no_memory(struct wl_error *error) {
    return wl_fail(error, WL_ERR_NO_MEMORY, NULL, 0, NULL, "no memory to assemble");
}

/* A library that lacks the target says so when it is given its options. */
static enum wl_status refused(const struct functions *f, handle link, const char *ptx, const char *target,
                              bool created, struct wl_error *error) {
    size_t bytes;
    char *log = fetch(link, f->error_size, f->error, &bytes);
    if (!log) return no_memory(error);
    enum wl_status status =
        created ? wl_ptx_diagnose(ptx, log, WL_ERR_INTERNAL, error)
                : wl_fail(error, WL_ERR_ENVIRONMENT, NULL, 0, "nvJitLink", "refuses %s: %.300s", target, log);
    wl_free(log);
    return status;
}

static enum wl_status take(const struct functions *f, handle link, struct wl_ptxas_report *report,
                           struct wl_error *error) {
    size_t bytes;
    int (*get)(handle, char *);
    memcpy(&get, &f->cubin, sizeof get);
    char *log = fetch(link, f->info_size, f->info, &bytes);
    if (!log) return no_memory(error);
    wl_ptxas_scan(log, report);
    wl_free(log);
    report->cubin = fetch(link, f->cubin_size, get, &report->cubin_bytes);
    if (!report->cubin) return no_memory(error);
    if (report->cubin_bytes) return WL_OK;
    return wl_fail(error, WL_ERR_INTERNAL, NULL, 0, "nvJitLink", "gave no cubin");
}

static enum wl_status run(const struct functions *f, const char *ptx, size_t bytes, const char *target,
                          struct wl_ptxas_report *report, struct wl_error *error) {
    char arch[32];
    const char *options[] = {arch, "-O3", "-verbose", "-lineinfo"};
    unsigned major = 0, minor = 0;
    handle link = NULL;
    snprintf(arch, sizeof arch, "-arch=%s", target);
    if (!f->version(&major, &minor)) snprintf(report->version, sizeof report->version, "%u.%u", major, minor);
    int created = !f->create(&link, strstr(ptx, ".loc ") ? 4 : 3, options);
    int done = created && !f->add(link, INPUT_PTX, ptx, bytes + 1, "kernel.ptx") && !f->complete(link);
    enum wl_status status =
        done ? take(f, link, report, error) : refused(f, link, ptx, target, created, error);
    if (link) f->destroy(&link);
    return status;
}

enum wl_status wl_nvjitlink_run(const char *ptx, size_t bytes, const char *target,
                                struct wl_ptxas_report *report, struct wl_error *error) {
    struct functions f;
    void *library, *entries[sizeof names / sizeof *names];
    *report = (struct wl_ptxas_report){.tool = "nvJitLink"};
    double start = now_ms();
    enum wl_status status = wl_tool_library(&library, "nvJitLink", "nvidia-nvjitlink", error);
    if (status) return status;
    status = wl_tool_functions(library, names, entries, sizeof names / sizeof *names, error);
    if (!status) {
        memcpy(&f, entries, sizeof f);
        status = run(&f, ptx, bytes, target, report, error);
    }
    dlclose(library);
    report->ms = now_ms() - start;
    return status;
}
