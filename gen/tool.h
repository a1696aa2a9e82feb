/* tool: NVIDIA's command-line tools (ptxas, nvdisasm) and compiler libraries (NVRTC, nvJitLink): where they are, and
 * running a tool, without a shell, in a folder of its own.
 *
 * Looked for in this order: $WARPLOOM_PTXAS (WARPLOOM_NVDISASM ...), PATH, $CUDA_HOME/bin,
 * /usr/local/cuda/bin, and cuda/bin beside the running program (where `make deps` puts PyPI's).
 * Libraries: $WARPLOOM_NVRTC (WARPLOOM_NVJITLINK), the dynamic linker's folders, then lib64 and lib of the same,
 * and of cuda beside the program's folder, where tests are. */
#ifndef WL_TOOL_H
#define WL_TOOL_H

#include <stddef.h>

#include "gen/error.h"

/* The index-th place for `name`. 1: written to path; 0: nothing there; -1: no more places. */
int wl_tool_place(const char *name, int index, char *path, size_t path_bytes);

/* The first place that has an executable file. WL_ERR_ENVIRONMENT: none has; the text says where it was
 * looked for. */
enum wl_status wl_tool_find(const char *name, char *path, size_t path_bytes, struct wl_error *error);

/* A private folder for one run, with three files in it. */
struct wl_tool_room {
    char folder[256], in[300], out[300], log[300];
};
enum wl_status wl_tool_enter(struct wl_tool_room *room, const char *in_name, const char *out_name,
                             struct wl_error *error);
/* The room's input file, not synced. */
enum wl_status wl_tool_write(const struct wl_tool_room *room, const char *bytes, size_t size,
                             struct wl_error *error);
void wl_tool_leave(const struct wl_tool_room *room);

/* Runs argv (argv[0] a path) with both outputs in the file `log`. Returns the exit status, or -1 with errno.
 */
int wl_tool_run(char *const argv[], const char *log);

/* dlopen of the library "nvrtc" or "nvJitLink", of CUDA 13 or 12; the caller ends it with dlclose. A variable that
 * names one is final. WL_ERR_ENVIRONMENT: there is none; the text says how PyPI's `package` brings it. */
enum wl_status wl_tool_library(void **library, const char *name, const char *package, struct wl_error *error);
/* Its functions by name, into an array of function pointers. WL_ERR_ENVIRONMENT: it lacks one. */
enum wl_status wl_tool_functions(void *library, const char *const *names, void **functions, size_t count,
                                 struct wl_error *error);

#endif
