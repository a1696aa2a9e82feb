/* sandbox: see sandbox.h. What the state may call is in sandbox_lib.c; here are its limits and its errors. */
#include "gen/sandbox.h"

#include <lauxlib.h>
#include <lua.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "gen/arena.h"
#include "gen/sandbox_lib.h"

#define HOOK_INSTRUCTIONS 1000
#define CALL_DEPTH_MAX    1000
#define CPU_SECONDS_MAX   3.0 /* only what is hostile enough to be slow within its budget gets here */
#define TRAFFIC_FACTOR    64
#define FILES_MAX         256
#define MESSAGE_BYTES     900 /* enough for any honest message; some of Lua's quote the source */

struct wl_sandbox {
    lua_State *L;
    struct wl_arena *arena; /* file names */
    struct wl_sandbox_limits limits;
    size_t live_bytes, traffic_bytes;
    double instructions_left;
    double cpu_deadline;
    bool no_memory;           /* the machine had none for a file's name */
    bool over_memory;         /* a limit of ours refused memory, rather than the machine */
    int over_file, over_line; /* where that was */
    const char *files[FILES_MAX];
    int file_count;
};

static struct wl_sandbox *sandbox_of(lua_State *L) { return *(struct wl_sandbox **)lua_getextraspace(L); }

static double cpu_seconds(void) {
    struct timespec now;
    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now)) return 0;
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Chunks are named "#0", "#1", ... since Lua cuts long names short; messages are led back when they leave. */
static int file_of_chunk(const struct wl_sandbox *sandbox, const char *name) {
    int index = name[0] == '#' ? atoi(name + 1) : -1;
    return index >= 0 && index < sandbox->file_count ? index : -1;
}

/* The innermost Lua function's place, from level `level` of the stack outward, in a file other than
 * `not_file`. */
static bool find_place(struct wl_sandbox *sandbox, int level, int not_file, int *file, int *line) {
    lua_Debug frame;
    for (; lua_getstack(sandbox->L, level, &frame); level++) {
        if (!lua_getinfo(sandbox->L, "Sl", &frame) || frame.currentline <= 0) continue;
        *file = file_of_chunk(sandbox, frame.short_src);
        *line = frame.currentline;
        if (*file >= 0 && *file != not_file) return true;
    }
    return false;
}

static void *refuse(struct wl_sandbox *sandbox) {
    if (sandbox->over_memory) return NULL;
    sandbox->over_memory = true;
    sandbox->over_file = -1;
    /* Lua calls us with its program counter saved, as it may have to raise an error; looking is all we do. */
    if (sandbox->L) find_place(sandbox, 0, -1, &sandbox->over_file, &sandbox->over_line);
    return NULL;
}

static void *allocate(void *data, void *pointer, size_t old_bytes, size_t bytes) {
    struct wl_sandbox *sandbox = data;
    if (!pointer) old_bytes = 0; /* it then says what kind of object is made */
    if (bytes == 0) {
        wl_free(pointer);
        sandbox->live_bytes -= old_bytes;
        return NULL;
    }
    if (bytes > old_bytes) {
        size_t more = bytes - old_bytes;
        if (more > sandbox->limits.memory_bytes - sandbox->live_bytes) return refuse(sandbox);
        if (sandbox->traffic_bytes / TRAFFIC_FACTOR > sandbox->limits.memory_bytes) return refuse(sandbox);
        sandbox->traffic_bytes += bytes;
    }
    void *block = wl_realloc(pointer, bytes);
    if (!block) return bytes <= old_bytes ? pointer : NULL; /* Lua relies on shrinking */
    sandbox->live_bytes += bytes - old_bytes;
    return block;
}

static void out_of_instructions(lua_State *L) {
    wl_sandbox_error_at(L, NULL, 0, "still running after %ld Lua instructions (an endless loop?)",
                        sandbox_of(L)->limits.instructions);
}

void wl_sandbox_charge(lua_State *L, double work) {
    struct wl_sandbox *sandbox = sandbox_of(L);
    sandbox->instructions_left -= work;
    if (!(sandbox->instructions_left > 0)) out_of_instructions(L);
}

static void on_count(lua_State *L, lua_Debug *frame) {
    struct wl_sandbox *sandbox = sandbox_of(L);
    wl_sandbox_charge(L, HOOK_INSTRUCTIONS);
    if (cpu_seconds() > sandbox->cpu_deadline)
        wl_sandbox_error_at(L, NULL, 0, "still running after %g seconds", CPU_SECONDS_MAX);
    if (lua_getstack(L, CALL_DEPTH_MAX, frame))
        wl_sandbox_error_at(L, NULL, 0, "recursion is deeper than %d calls", CALL_DEPTH_MAX);
}

/* Runs where the error was raised: makes a line of text of it, with the place, and with the caller in another
 * file. */
static int on_error(lua_State *L) {
    struct wl_sandbox *sandbox = sandbox_of(L);
    int file = -1, line = 0;
    if (lua_type(L, 1) != LUA_TSTRING) {
        const char *what = lua_type(L, 1) == LUA_TNUMBER ? lua_tostring(L, 1) : luaL_typename(L, 1);
        lua_pushfstring(L, "error(%s)", what);
        lua_replace(L, 1);
    }
    lua_settop(L, 1);
    file = file_of_chunk(sandbox, lua_tostring(L, 1));
    if (file < 0 && find_place(sandbox, 1, -1, &file, &line)) {
        lua_pushfstring(L, "#%d:%d: %s", file, line, lua_tostring(L, 1));
        lua_replace(L, 1);
    }
    if (file >= 0 && find_place(sandbox, 1, file, &file, &line))
        lua_pushfstring(L, "%s (from %s:%d)", lua_tostring(L, 1), sandbox->files[file], line);
    return 1;
}

struct wl_sandbox *wl_sandbox_create(const struct wl_sandbox_limits *limits) {
    struct wl_arena *arena = wl_arena_create();
    struct wl_sandbox *sandbox = arena ? wl_arena_alloc(arena, sizeof *sandbox) : NULL;
    if (!sandbox) {
        wl_arena_destroy(arena);
        return NULL;
    }
    sandbox->arena = arena;
    sandbox->limits = *limits;
    sandbox->instructions_left = (double)limits->instructions;
    sandbox->cpu_deadline = cpu_seconds() + CPU_SECONDS_MAX;
    lua_State *L = lua_newstate(allocate, sandbox);
    if (!L) {
        wl_arena_destroy(arena);
        return NULL;
    }
    sandbox->L = L;
    *(struct wl_sandbox **)lua_getextraspace(L) = sandbox;
    lua_pushcfunction(L, wl_sandbox_open_libs);
    if (lua_pcall(L, 0, 0, 0) != LUA_OK) {
        wl_sandbox_destroy(sandbox);
        return NULL;
    }
    lua_sethook(L, on_count, LUA_MASKCOUNT, HOOK_INSTRUCTIONS);
    return sandbox;
}

void wl_sandbox_destroy(struct wl_sandbox *sandbox) {
    if (!sandbox) return;
    lua_close(sandbox->L);
    wl_arena_destroy(sandbox->arena); /* the sandbox itself lives there */
}

/* "#3:14: text" becomes the file's name, 14, and text on one line. */
static enum wl_status report(struct wl_sandbox *sandbox, const char *file, const char *message,
                             struct wl_error *error) {
    int line = 0, used = 0;
    int index = file_of_chunk(sandbox, message);
    if (index >= 0 && sscanf(message, "#%*d:%d: %n", &line, &used) == 1 && used > 0) {
        file = sandbox->files[index];
        message += used;
    }
    char text[MESSAGE_BYTES];
    if (strstr(message, "C stack overflow")) message = "nests too deeply for Lua (C stack overflow)";
    snprintf(text, sizeof text, "%s", message);
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 127) *c = ' ';
    return wl_fail(error, WL_ERR_INPUT, file, line, NULL, "%s", text);
}

static enum wl_status report_memory(struct wl_sandbox *sandbox, const char *file, struct wl_error *error) {
    if (!sandbox->over_memory) return wl_fail(error, WL_ERR_NO_MEMORY, file, 0, NULL, "out of memory");
    int line = 0;
    if (sandbox->over_file >= 0) {
        file = sandbox->files[sandbox->over_file];
        line = sandbox->over_line;
    }
    return wl_fail(error, WL_ERR_INPUT, file, line, NULL,
                   "needs more memory than the %zu MiB that it may use", sandbox->limits.memory_bytes >> 20);
}

enum wl_status wl_sandbox_run(struct wl_sandbox *sandbox, int (*body)(lua_State *L), void *data,
                              const char *file, struct wl_error *error) {
    lua_State *L = sandbox->L;
    sandbox->over_memory = false;
    lua_settop(L, 0); /* none of these three allocates */
    lua_pushcfunction(L, on_error);
    lua_pushcfunction(L, body);
    lua_pushlightuserdata(L, data);
    int result = lua_pcall(L, 1, 0, 1);
    if (result == LUA_OK) return WL_OK;
    if (sandbox->no_memory) return wl_fail(error, WL_ERR_NO_MEMORY, file, 0, NULL, "out of memory");
    if (result == LUA_ERRMEM) return report_memory(sandbox, file, error);
    if (lua_type(L, -1) != LUA_TSTRING)
        return wl_fail(error, WL_ERR_INPUT, file, 0, NULL, "failed with an error that is not text");
    return report(sandbox, file, lua_tostring(L, -1), error);
}

/* The index of a file's name; -1 where there is no room for it. */
static int file_index(struct wl_sandbox *sandbox, const char *file) {
    for (int i = 0; i < sandbox->file_count; i++)
        if (strcmp(sandbox->files[i], file) == 0) return i;
    if (sandbox->file_count == FILES_MAX) return -1;
    const char *name = wl_arena_strdup(sandbox->arena, file);
    if (!name) {
        sandbox->no_memory = true;
        return -1;
    }
    sandbox->files[sandbox->file_count] = name;
    return sandbox->file_count++;
}

void wl_sandbox_load(lua_State *L, const char *text, size_t bytes, const char *file) {
    char chunk[16];
    int index = file_index(sandbox_of(L), file);
    if (index < 0) luaL_error(L, "cannot load %s: too many files", file);
    if (bytes >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) text += 3, bytes -= 3;
    if (bytes && text[0] == LUA_SIGNATURE[0])
        wl_sandbox_error_at(L, file, 0, "is compiled Lua; only Lua text is read");
    snprintf(chunk, sizeof chunk, "=#%d", index);
    if (luaL_loadbufferx(L, text, bytes, chunk, "t") != LUA_OK) lua_error(L);
}

int wl_sandbox_error_at(lua_State *L, const char *file, int line, const char *format, ...) {
    char text[MESSAGE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    int index = file ? file_index(sandbox_of(L), file) : -1;
    if (index >= 0) lua_pushfstring(L, "#%d:%d: %s", index, line, text);
    else lua_pushstring(L, text);
    return lua_error(L);
}
