/* tool: see tool.h. */
#include "gen/tool.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* "ptxas" -> "WARPLOOM_PTXAS" */
static const char *variable_of(const char *name, char *out, size_t room) {
    snprintf(out, room, "WARPLOOM_%s", name);
    for (char *c = out; *c; c++) *c = (char)toupper((unsigned char)*c);
    return out;
}

/* PATH comes as many places. */
int wl_tool_place(const char *name, int index, char *path, size_t room) {
    char variable[64];
    const char *own = getenv(variable_of(name, variable, sizeof variable)), *list = getenv("PATH"),
               *home = getenv("CUDA_HOME");
    if (index == 0) return own && *own && snprintf(path, room, "%s", own) < (int)room;
    int entry = 1;
    for (; list && *list; entry++) {
        size_t length = strcspn(list, ":");
        if (entry == index)
            return length && snprintf(path, room, "%.*s/%s", (int)length, list, name) < (int)room;
        list += length + (list[length] == ':');
    }
    if (index == entry) return home && *home && snprintf(path, room, "%s/bin/%s", home, name) < (int)room;
    if (index == entry + 1) return snprintf(path, room, "/usr/local/cuda/bin/%s", name) < (int)room;
    if (index > entry + 2) return -1;
    ssize_t length = readlink("/proc/self/exe", path, room);
    if (length <= 0 || (size_t)length >= room) return 0;
    path[length] = 0;
    char *slash = strrchr(path, '/');
    size_t left = slash ? room - (size_t)(slash - path) : 0;
    return slash && snprintf(slash, left, "/cuda/bin/%s", name) < (int)left;
}

enum wl_status wl_tool_find(const char *name, char *path, size_t path_bytes, struct wl_error *error) {
    char variable[64];
    for (int i = 0, there; (there = wl_tool_place(name, i, path, path_bytes)) >= 0; i++)
        if (there && !access(path, X_OK)) return WL_OK;
    return wl_fail(error, WL_ERR_ENVIRONMENT, NULL, 0, name,
                   "not found in %s, PATH, CUDA_HOME/bin, /usr/local/cuda/bin or beside this program; "
                   "`make deps` fetches it",
                   variable_of(name, variable, sizeof variable));
}

enum wl_status wl_tool_enter(struct wl_tool_room *room, const char *in_name, const char *out_name,
                             struct wl_error *error) {
    const char *base = getenv("TMPDIR");
    snprintf(room->folder, sizeof room->folder, "%s/warploom.XXXXXX", base && *base ? base : "/tmp");
    if (!mkdtemp(room->folder))
        return wl_fail(error, WL_ERR_IO, room->folder, 0, NULL, "cannot create a folder: %s",
                       strerror(errno));
    snprintf(room->in, sizeof room->in, "%s/%s", room->folder, in_name);
    snprintf(room->out, sizeof room->out, "%s/%s", room->folder, out_name);
    snprintf(room->log, sizeof room->log, "%s/log", room->folder);
    return WL_OK;
}

void wl_tool_leave(const struct wl_tool_room *room) {
    unlink(room->in);
    unlink(room->out);
    unlink(room->log);
    rmdir(room->folder);
}

int wl_tool_run(char *const argv[], const char *log) {
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
