/* ptxas: finds an assembler that knows the target and runs it. */
#define _GNU_SOURCE /* memmem */
#include "gen/ptxas.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "gen/arena.h"
#include "gen/file.h"
#include "gen/tool.h"

/* Whether this ptxas runs and lists the target among those it knows. */
static bool knows(const char *path, const char *target) {
    char *argv[] = {(char *)path, "--help", NULL}, quoted[64], *help = NULL;
    struct wl_tool_room room;
    size_t size;
    bool found = false;
    if (access(path, X_OK) || wl_tool_enter(&room, "kernel.ptx", "kernel.cubin", NULL)) return false;
    snprintf(quoted, sizeof quoted, "'%s'", target);
    if (!wl_tool_run(argv, room.log) && !wl_file_read(room.log, &help, &size, NULL))
        found = strstr(help, quoted) != NULL;
    wl_free(help);
    wl_tool_leave(&room);
    return found;
}

static enum wl_status too_old(const char *path, const char *target, struct wl_error *error) {
    return wl_fail(error, WL_ERR_ENVIRONMENT, NULL, 0, "ptxas",
                   "%s does not know %s; `make deps` fetches one that does", path, target);
}

enum wl_status wl_ptxas_find(const char *target, char *path, size_t path_bytes, struct wl_error *error) {
    char other[1024] = "";
    for (int i = 0, there; (there = wl_tool_place("ptxas", i, path, path_bytes)) >= 0; i++) {
        if (!there || access(path, X_OK)) continue;
        if (knows(path, target)) return WL_OK;
        snprintf(other, sizeof other, "%s", path);
    }
    return *other ? too_old(other, target, error) : wl_tool_find("ptxas", path, path_bytes, error);
}

static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

/* Reads the number that stands right before `what`, summed over all functions of the log. */
static int scan_before(const char *log, const char *what) {
    int sum = 0;
    for (const char *at = log; (at = strstr(at, what)); at++) {
        const char *digit = at;
        while (digit > log && digit[-1] >= '0' && digit[-1] <= '9') digit--;
        sum += atoi(digit);
    }
    return sum;
}

static int scan_after(const char *log, const char *what) {
    const char *at = strstr(log, what);
    return at ? atoi(at + strlen(what)) : 0;
}

void wl_ptxas_scan(const char *log, struct wl_ptxas_report *report) {
    report->registers = scan_after(log, "Used ");
    report->barriers = scan_after(log, " registers, used ");
    report->spill_store_bytes = scan_before(log, " bytes spill stores");
    report->spill_load_bytes = scan_before(log, " bytes spill loads");
    report->stack_bytes = scan_before(log, " bytes stack frame");
    report->setmaxnreg_ignored = strstr(log, "'setmaxnreg' ignored") != NULL;
}

/* "Cuda compilation tools, release 13.0, V13.0.88": a cubin says who made it from CUDA 13 on. */
static const char *release_in(const void *bytes, size_t size, char *out, size_t room) {
    static const char word[] = "tools, release ";
    const char *at = memmem(bytes, size, word, sizeof word - 1);
    *out = '\0';
    if (!at) return out;
    at += sizeof word - 1;
    size_t left = (size_t)((const char *)bytes + size - at), length = 0;
    while (length < left && (isdigit((unsigned char)at[length]) || at[length] == '.')) length++;
    snprintf(out, room, "%.*s", (int)length, at);
    return out;
}

static void read_version(char *path, const struct wl_tool_room *room, struct wl_ptxas_report *report) {
    char *argv[] = {path, "--version", NULL}, *text = NULL;
    size_t size;
    if (*release_in(report->cubin, report->cubin_bytes, report->version, sizeof report->version)) return;
    if (wl_tool_run(argv, room->log) || wl_file_read(room->log, &text, &size, NULL)) return;
    release_in(text, size, report->version, sizeof report->version);
    wl_free(text);
}

/* One ptxas on what lies in the room. *log, the caller's to free, tells more where the PTX is refused. */
static enum wl_status run_one(char *path, const char *target, bool lines, const struct wl_tool_room *room,
                              struct wl_ptxas_report *report, char **log, struct wl_error *error) {
    char arch[32];
    size_t size;
    snprintf(arch, sizeof arch, "-arch=%s", target);
    char *argv[] = {
        path, "-v", arch, (char *)room->in, "-o", (char *)room->out, lines ? "--generate-line-info" : NULL,
        NULL};
    double start = now_ms();
    int rc = wl_tool_run(argv, room->log);
    report->ms = now_ms() - start;
    if (rc < 0) return wl_fail(error, WL_ERR_ENVIRONMENT, path, 0, NULL, "cannot run: %s", strerror(errno));
    enum wl_status status = wl_file_read(room->log, log, &size, error);
    if (status) return status;
    if (rc && strstr(*log, "is not defined for option 'gpu-name'")) return too_old(path, target, error);
    if (rc) return WL_ERR_INTERNAL;
    wl_ptxas_scan(*log, report);
    status = wl_file_read(room->out, (char **)&report->cubin, &report->cubin_bytes, error);
    if (!status) read_version(path, room, report);
    return status;
}

/* The first that knows the target: each says so by trying, since asking first costs as much as a small
 * kernel. */
static enum wl_status run_first(const char *ptx, const char *target, const struct wl_tool_room *room,
                                struct wl_ptxas_report *report, struct wl_error *error) {
    char path[1024];
    struct wl_error why = {0};
    enum wl_status status = WL_ERR_ENVIRONMENT;
    for (int i = 0, there; (there = wl_tool_place("ptxas", i, path, sizeof path)) >= 0; i++) {
        char *log = NULL;
        if (!there || access(path, X_OK)) continue;
        why = (struct wl_error){0};
        status = run_one(path, target, strstr(ptx, ".loc ") != NULL, room, report, &log, &why);
        if (status && log && !why.status) wl_ptx_diagnose(ptx, log, WL_ERR_INTERNAL, &why);
        wl_free(log);
        if (status != WL_ERR_ENVIRONMENT) break;
    }
    if (!status) return WL_OK;
    if (!why.status) return wl_tool_find("ptxas", path, sizeof path, error);
    return wl_fail(error, status, why.file, why.line, why.field, "%s", why.text);
}

enum wl_status wl_ptxas_run(const char *ptx, size_t bytes, const char *target, struct wl_ptxas_report *report,
                            struct wl_error *error) {
    struct wl_tool_room room;
    *report = (struct wl_ptxas_report){.tool = "ptxas"};
    enum wl_status status = wl_tool_enter(&room, "kernel.ptx", "kernel.cubin", error);
    if (status) return status;
    status = wl_tool_write(&room, ptx, bytes, error);
    if (!status) status = run_first(ptx, target, &room, report, error);
    wl_tool_leave(&room);
    return status;
}

void wl_ptxas_fini(struct wl_ptxas_report *report) {
    wl_free(report->cubin);
    *report = (struct wl_ptxas_report){0};
}
