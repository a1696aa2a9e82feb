/* ptxas: finds NVIDIA's assembler, runs it on generated PTX, and leads what it says back to the template's
 * line. Of the places of tool.h the first that knows the target wins. */
#ifndef WL_PTXAS_H
#define WL_PTXAS_H

#include <stdbool.h>

#include "gen/error.h"

struct wl_ptxas_report {
    const char *tool; /* what made it: "ptxas", "the driver's linker", "nvJitLink" */
    char version[32]; /* "13.0" */
    int registers;    /* per thread */
    int spill_store_bytes, spill_load_bytes, stack_bytes;
    int barriers; /* named ones that the kernel may use: 16 where their number is not constant */
    bool setmaxnreg_ignored; /* it said so: the kernel is right but slow */
    double ms;    /* the whole run */
    void *cubin;  /* freed by wl_ptxas_fini */
    size_t cubin_bytes;
};

/* Path of a ptxas that knows `target`. WL_ERR_ENVIRONMENT: there is none; the text says where it was looked
 * for. */
enum wl_status wl_ptxas_find(const char *target, char *path, size_t path_bytes, struct wl_error *error);

/* Assembles, with line information where the PTX has .loc lines. WL_ERR_ENVIRONMENT: no ptxas; WL_ERR_INTERNAL: ptxas refuses the PTX (see wl_ptx_diagnose). */
enum wl_status wl_ptxas_run(const char *ptx, size_t bytes, const char *target, struct wl_ptxas_report *report,
                            struct wl_error *error);
void wl_ptxas_fini(struct wl_ptxas_report *report);

/* Reads registers, spills, stack and barriers from what `ptxas -v` (or a JIT's info log) printed. */
void wl_ptxas_scan(const char *log, struct wl_ptxas_report *report);

/* Fills *error from the first "line N; error : what" of an assembler's or JIT's log: file and line are the
 * template's where .loc tells them, the text quotes the PTX line, the log follows after '\n'. Returns
 * `status`. */
enum wl_status wl_ptx_diagnose(const char *ptx, const char *log, enum wl_status status,
                               struct wl_error *error);

/* The template file and line that PTX line `line` came from; false when no .loc stands before it. */
int wl_ptx_origin(const char *ptx, int line, char *file, size_t file_bytes, int *template_line);

#endif
