/* tool: see tool.h. */
#include "gen/tool.h"

#include <ctype.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
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

/* The folder cuda beside the running program, or (up) beside its folder, where tests are. */
static bool beside(bool up, char *path, size_t room) {
    ssize_t length = readlink("/proc/self/exe", path, room);
    if (length <= 0 || (size_t)length >= room) return false;
    path[length] = '\0';
    char *slash = strrchr(path, '/');
    if (!slash) return false;
    size_t left = room - (size_t)(slash - path);
    return snprintf(slash, left, up ? "/../cuda" : "/cuda") < (int)left;
}

static bool append(char *path, size_t room, const char *middle, const char *name) {
    size_t length = strlen(path);
    return snprintf(path + length, room - length, "%s%s", middle, name) < (int)(room - length);
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
    return beside(false, path, room) && append(path, room, "/bin/", name);
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

enum wl_status wl_tool_write(const struct wl_tool_room *room, const char *bytes, size_t size,
                             struct wl_error *error) {
    FILE *file = fopen(room->in, "we");
    bool good = file && fwrite(bytes, 1, size, file) == size;
    if (file && fclose(file)) good = false;
    if (good) return WL_OK;
    return wl_fail(error, WL_ERR_IO, room->in, 0, NULL, "cannot write: %s", strerror(errno));
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

/* ---- libraries ---- */

/* "lib/libX.so.13" of a folder; "" stands for wherever the dynamic linker looks. */
static void *open_in(const char *folder, const char *name) {
    static const char *const places[] = {"/lib64/", "/lib/"}, *const versions[] = {".13", ".12"};
    char path[1200];
    void *library = NULL;
    for (size_t v = 0; !library && v < 2; v++)
        for (size_t p = 0; !library && p < (*folder ? 2 : 1); p++) {
            int length = snprintf(path, sizeof path, "%s%slib%s.so%s", folder, *folder ? places[p] : "", name,
                                  versions[v]);
            if (length < (int)sizeof path) library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        }
    return library;
}

static void *open_beside(bool up, const char *name) {
    char folder[1100];
    return beside(up, folder, sizeof folder) ? open_in(folder, name) : NULL;
}

enum wl_status wl_tool_library(void **library, const char *name, const char *package,
                               struct wl_error *error) {
    char variable[64];
    const char *own = getenv(variable_of(name, variable, sizeof variable)), *home = getenv("CUDA_HOME");
    if (own && *own) {
        if ((*library = dlopen(own, RTLD_NOW | RTLD_LOCAL))) return WL_OK;
        return wl_fail(error, WL_ERR_ENVIRONMENT, NULL, 0, name, "%s: %s", variable, dlerror());
    }
    *library = open_in("", name);
    if (!*library && home && *home) *library = open_in(home, name);
    if (!*library) *library = open_in("/usr/local/cuda", name);
    for (int up = 0; !*library && up < 2; up++) *library = open_beside(up, name);
    if (*library) return WL_OK;
    return wl_fail(
        error, WL_ERR_ENVIRONMENT, NULL, 0, name,
        "lib%s.so.13 (or .12) is not where the dynamic linker looks, nor in CUDA_HOME or /usr/local/cuda; "
        "install it with `pip install %s` and name the file in %s",
        name, package, variable);
}

enum wl_status wl_tool_functions(void *library, const char *const *names, void **functions, size_t count,
                                 struct wl_error *error) {
    for (size_t i = 0; i < count; i++)
        if (!(functions[i] = dlsym(library, names[i])))
            return wl_fail(error, WL_ERR_ENVIRONMENT, NULL, 0, names[i], "%s", dlerror());
    return WL_OK;
}
