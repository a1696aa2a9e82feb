/* ptxas: finds an assembler that knows the target and runs it. */
#include "gen/ptxas.h"

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

enum wl_status wl_ptxas_find(const char *target, char *path, size_t path_bytes, struct wl_error *error) {
    char other[1024] = "";
    for (int i = 0, there; (there = wl_tool_place("ptxas", i, path, path_bytes)) >= 0; i++) {
        if (!there || access(path, X_OK)) continue;
        if (knows(path, target)) return WL_OK;
        snprintf(other, sizeof other, "%s", path);
    }
    if (*other)
        return wl_fail(error, WL_ERR_ENVIRONMENT, NULL, 0, "ptxas",
                       "%s does not know %s; `make deps` fetches one that does", other, target);
    return wl_tool_find("ptxas", path, path_bytes, error);
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
}

static void read_version(const char *path, const struct wl_tool_room *room, struct wl_ptxas_report *report) {
    char *argv[] = {(char *)path, "--version", NULL}, *text = NULL;
    size_t size;
    if (wl_tool_run(argv, room->log) || wl_file_read(room->log, &text, &size, NULL)) return;
    const char *release = strstr(text, "release ");
    if (release)
        snprintf(report->version, sizeof report->version, "%.*s", (int)strcspn(release + 8, ", \n"),
                 release + 8);
    wl_free(text);
}

enum wl_status wl_ptxas_run(const char *ptx, size_t bytes, const char *target, struct wl_ptxas_report *report,
                            struct wl_error *error) {
    char path[1024], arch[32], *log = NULL;
    size_t size;
    struct wl_tool_room room;
    *report = (struct wl_ptxas_report){0};
    enum wl_status status = wl_ptxas_find(target, path, sizeof path, error);
    if (!status) status = wl_tool_enter(&room, "kernel.ptx", "kernel.cubin", error);
    if (status) return status;
    snprintf(arch, sizeof arch, "-arch=%s", target);
    status = wl_file_write(room.in, ptx, bytes, error);
    if (status) goto out;
    read_version(path, &room, report);
    char *argv[] = {path, "-v", arch, "--generate-line-info", room.in, "-o", room.out, NULL};
    double start = now_ms();
    int rc = wl_tool_run(argv, room.log);
    report->ms = now_ms() - start;
    if (rc < 0) {
        status = wl_fail(error, WL_ERR_ENVIRONMENT, path, 0, NULL, "cannot run: %s", strerror(errno));
        goto out;
    }
    status = wl_file_read(room.log, &log, &size, error);
    if (status) goto out;
    if (rc) {
        status = wl_ptx_diagnose(ptx, log, WL_ERR_INTERNAL, error);
        goto out;
    }
    wl_ptxas_scan(log, report);
    status = wl_file_read(room.out, (char **)&report->cubin, &report->cubin_bytes, error);
out:
    wl_free(log);
    wl_tool_leave(&room);
    return status;
}

void wl_ptxas_fini(struct wl_ptxas_report *report) {
    wl_free(report->cubin);
    *report = (struct wl_ptxas_report){0};
}
