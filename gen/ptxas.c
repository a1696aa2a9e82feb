/* ptxas: finds the assembler and runs it, without a shell, in a folder of its own. */
#include "gen/ptxas.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "gen/arena.h"
#include "gen/file.h"

extern char **environ;

/* Runs argv with both outputs in the file `log`. Returns the exit status, or -1 with errno. */
static int spawn(char *const argv[], const char *log) {
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int state, rc;
    if (posix_spawn_file_actions_init(&actions)) return -1;
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    rc = posix_spawn(&pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (rc) {
        errno = rc;
        return -1;
    }
    while (waitpid(pid, &state, 0) < 0)
        if (errno != EINTR) return -1;
    return WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
}

/* A private folder for one run, with three files in it. */
struct room {
    char folder[256], ptx[300], cubin[300], log[300];
};

static enum wl_status room_create(struct room *room, struct wl_error *error) {
    const char *base = getenv("TMPDIR");
    snprintf(room->folder, sizeof room->folder, "%s/warploom.XXXXXX", base && *base ? base : "/tmp");
    if (!mkdtemp(room->folder))
        return wl_fail(error, WL_ERR_IO, room->folder, 0, NULL, "cannot create a folder: %s",
                       strerror(errno));
    snprintf(room->ptx, sizeof room->ptx, "%s/kernel.ptx", room->folder);
    snprintf(room->cubin, sizeof room->cubin, "%s/kernel.cubin", room->folder);
    snprintf(room->log, sizeof room->log, "%s/log", room->folder);
    return WL_OK;
}

static void room_destroy(const struct room *room) {
    unlink(room->ptx);
    unlink(room->cubin);
    unlink(room->log);
    rmdir(room->folder);
}

/* Whether this ptxas runs and lists the target among those it knows. */
static bool knows(const char *path, const char *target) {
    char *argv[] = {(char *)path, "--help", NULL}, quoted[64], *help = NULL;
    struct room room;
    size_t size;
    bool found = false;
    if (access(path, X_OK) || room_create(&room, NULL)) return false;
    snprintf(quoted, sizeof quoted, "'%s'", target);
    if (!spawn(argv, room.log) && !wl_file_read(room.log, &help, &size, NULL))
        found = strstr(help, quoted) != NULL;
    wl_free(help);
    room_destroy(&room);
    return found;
}

/* The index-th place to look at. 1: written to path; 0: nothing there; -1: no more places. PATH comes as
 * many. */
static int place(int index, char *path, size_t room) {
    const char *own = getenv("WARPLOOM_PTXAS"), *list = getenv("PATH"), *home = getenv("CUDA_HOME");
    if (index == 0) return own && *own && snprintf(path, room, "%s", own) < (int)room;
    int entry = 1;
    for (; list && *list; entry++) {
        size_t length = strcspn(list, ":");
        if (entry == index)
            return length && snprintf(path, room, "%.*s/ptxas", (int)length, list) < (int)room;
        list += length + (list[length] == ':');
    }
    if (index == entry) return home && *home && snprintf(path, room, "%s/bin/ptxas", home) < (int)room;
    if (index == entry + 1) return snprintf(path, room, "/usr/local/cuda/bin/ptxas") < (int)room;
    if (index > entry + 2) return -1;
    ssize_t length = readlink("/proc/self/exe", path, room);
    if (length <= 0 || (size_t)length >= room) return 0;
    path[length] = 0;
    char *slash = strrchr(path, '/');
    size_t left = slash ? room - (size_t)(slash - path) : 0;
    return slash && snprintf(slash, left, "/cuda/bin/ptxas") < (int)left;
}

enum wl_status wl_ptxas_find(const char *target, char *path, size_t path_bytes, struct wl_error *error) {
    char other[1024] = "";
    for (int i = 0, there; (there = place(i, path, path_bytes)) >= 0; i++) {
        if (!there || access(path, X_OK)) continue;
        if (knows(path, target)) return WL_OK;
        snprintf(other, sizeof other, "%s", path);
    }
    if (*other)
        return wl_fail(error, WL_ERR_ENVIRONMENT, NULL, 0, "ptxas",
                       "%s does not know %s; `make deps` fetches one that does", other, target);
    return wl_fail(
        error, WL_ERR_ENVIRONMENT, NULL, 0, "ptxas",
        "not found in WARPLOOM_PTXAS, PATH, CUDA_HOME/bin, /usr/local/cuda/bin or beside this program; "
        "`make deps` fetches it");
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

static void read_version(const char *path, const struct room *room, struct wl_ptxas_report *report) {
    char *argv[] = {(char *)path, "--version", NULL}, *text = NULL;
    size_t size;
    if (spawn(argv, room->log) || wl_file_read(room->log, &text, &size, NULL)) return;
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
    struct room room;
    *report = (struct wl_ptxas_report){0};
    enum wl_status status = wl_ptxas_find(target, path, sizeof path, error);
    if (!status) status = room_create(&room, error);
    if (status) return status;
    snprintf(arch, sizeof arch, "-arch=%s", target);
    status = wl_file_write(room.ptx, ptx, bytes, error);
    if (status) goto out;
    read_version(path, &room, report);
    char *argv[] = {path, "-v", arch, "--generate-line-info", room.ptx, "-o", room.cubin, NULL};
    double start = now_ms();
    int rc = spawn(argv, room.log);
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
    status = wl_file_read(room.cubin, (char **)&report->cubin, &report->cubin_bytes, error);
out:
    wl_free(log);
    room_destroy(&room);
    return status;
}

void wl_ptxas_fini(struct wl_ptxas_report *report) {
    wl_free(report->cubin);
    *report = (struct wl_ptxas_report){0};
}
