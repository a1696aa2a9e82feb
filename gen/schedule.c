/* schedule: see schedule.h. Reads and runs the file; the fields are schedule_field.c's business. */
#include "gen/schedule.h"

#include <ctype.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "gen/arena.h"
#include "gen/embed.h"
#include "gen/file.h"
#include "gen/sandbox.h"
#include "gen/schedule_field.h"
#include "gen/schedule_lines.h"
#include "gen/schedule_tune.h"

#define EMBEDDED_PREFIX    "embedded:"
#define SCHEDULE_BYTES_MAX ((size_t)1 << 20)
#define INCLUDES_MAX                                                                                         \
    (sizeof((struct wl_schedule *)0)->includes / sizeof((struct wl_schedule *)0)->includes[0])

static const struct wl_sandbox_limits schedule_limits = {.memory_bytes = (size_t)16 << 20,
                                                         .instructions = 10 * 1000 * 1000};

struct source {
    const char *name;
    const char *text; /* terminated */
    size_t bytes;
};

/* One schedule being read. */
struct reader {
    struct wl_schedule *schedule;
    struct wl_arena *arena;
    struct source sources[1 + INCLUDES_MAX]; /* the file and what it includes */
    size_t source_count;
    enum wl_status status; /* of what is found wrong without Lua's help */
    struct wl_error *error;
};

/* ---- files ---- */

static bool is_embedded(const char *name) {
    return strncmp(name, EMBEDDED_PREFIX, strlen(EMBEDDED_PREFIX)) == 0;
}

static const struct wl_embedded *find_shipped(const char *name) {
    char path[300];
    size_t length = strlen(name);
    bool has_suffix = length > 4 && strcmp(name + length - 4, ".lua") == 0;
    if (strchr(name, '/') || length > 128) return NULL;
    snprintf(path, sizeof path, "schedules/%s%s", name, has_suffix ? "" : ".lua");
    return wl_embedded_find(path);
}

static enum wl_status read_file(struct wl_arena *arena, const char *path, struct source *source,
                                struct wl_error *error) {
    struct stat info;
    char *bytes;
    size_t size;
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode))
        return wl_fail(error, WL_ERR_INPUT, path, 0, NULL, "is a folder, not a schedule");
    if (stat(path, &info) == 0 && (S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode)))
        return wl_fail(error, WL_ERR_INPUT, path, 0, NULL, "is a device, not a schedule");
    if (stat(path, &info) == 0 && (info.st_size > (off_t)SCHEDULE_BYTES_MAX))
        return wl_fail(error, WL_ERR_INPUT, path, 0, NULL, "has %lld bytes; a schedule may have %zu",
                       (long long)info.st_size, SCHEDULE_BYTES_MAX);
    enum wl_status status = wl_file_read(path, &bytes, &size, error);
    if (status != WL_OK) return status;
    source->text = wl_arena_strndup(arena, bytes, size);
    source->bytes = size;
    wl_free(bytes);
    return source->text ? WL_OK : wl_fail(error, WL_ERR_NO_MEMORY, path, 0, NULL, "out of memory");
}

/* `name` beside the schedule `beside`, as messages will name it. */
static const char *sibling_path(struct wl_arena *arena, const char *beside, const char *name) {
    if (is_embedded(beside)) return wl_arena_printf(arena, EMBEDDED_PREFIX "%s", name);
    const char *slash = strrchr(beside, '/');
    return wl_arena_printf(arena, "%.*s%s", slash ? (int)(slash + 1 - beside) : 0, beside, name);
}

static enum wl_status read_sibling(struct reader *reader, const char *name, struct source *source,
                                   struct wl_error *error) {
    const char *beside = reader->sources[0].name;
    source->name = sibling_path(reader->arena, beside, name);
    if (!source->name) return wl_fail(error, WL_ERR_NO_MEMORY, NULL, 0, NULL, "out of memory");
    if (!is_embedded(beside)) return read_file(reader->arena, source->name, source, error);
    const struct wl_embedded *found = find_shipped(name);
    if (!found) return wl_fail(error, WL_ERR_INPUT, source->name, 0, NULL, "no such shipped schedule");
    source->text = found->bytes;
    source->bytes = found->length;
    return WL_OK;
}

/* ---- Lua ---- */

static bool name_is_sibling(const char *name) {
    if (!*name || strlen(name) > 64 || *name == '.') return false;
    for (; *name; name++)
        if (!isalnum((unsigned char)*name) && !strchr("_-.", *name)) return false;
    return true;
}

/* include "sibling.lua"; upvalue 1: the reader. */
static int include(lua_State *L) {
    struct reader *reader = lua_touserdata(L, lua_upvalueindex(1));
    const char *name = luaL_checkstring(L, 1);
    struct wl_error why = {0};
    if (!name_is_sibling(name))
        return luaL_error(L, "include \"%s\": must be the name of a file in the same folder", name);
    if (reader->source_count > INCLUDES_MAX)
        return luaL_error(L, "include \"%s\": more than %d includes (a circle?)", name, (int)INCLUDES_MAX);
    struct source *source = &reader->sources[reader->source_count];
    if (read_sibling(reader, name, source, &why) != WL_OK) {
        char message[600];
        if (why.status == WL_ERR_NO_MEMORY) reader->status = WL_ERR_NO_MEMORY;
        return luaL_error(L, "include \"%s\": %s", name, wl_error_format(&why, message, sizeof message));
    }
    snprintf(reader->schedule->includes[reader->source_count - 1], sizeof reader->schedule->includes[0], "%s",
             source->name);
    reader->source_count++;
    lua_settop(L, 0);
    wl_sandbox_load(L, source->text, source->bytes, source->name);
    lua_call(L, 0, 1);
    return 1;
}

/* Finds the file and line that set `key`: in the schedule itself, else in the last include that has it. */
static struct wl_field_place find_place(const struct reader *reader, const char *key,
                                        const struct wl_field_value *value, size_t *from) {
    for (size_t i = 0; i < reader->source_count; i++) {
        *from = i ? reader->source_count - i : 0;
        const struct source *source = &reader->sources[*from];
        int line = wl_schedule_line_of(source->text, source->bytes, key, value);
        if (line) return (struct wl_field_place){source->name, line, key};
    }
    *from = 0;
    return (struct wl_field_place){reader->sources[0].name, 0, key};
}

/* Of several unknown fields the first in the file is named, whatever order Lua keeps them in. */
static enum wl_status check_names(lua_State *L, int table, const struct reader *reader) {
    struct wl_field_place first = {0};
    size_t from;
    for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            return wl_fail(reader->error, WL_ERR_INPUT, reader->sources[0].name, 0, NULL,
                           "every value of a schedule has a name; one has the key %s",
                           lua_isinteger(L, -2) ? lua_pushfstring(L, "%I", lua_tointeger(L, -2))
                                                : luaL_typename(L, -2));
        const char *name = lua_tostring(L, -2);
        if (wl_field_find(name) != WL_FIELD_COUNT || !strcmp(name, "tune")) continue;
        struct wl_field_place place = find_place(reader, name, NULL, &from);
        int order = first.field ? place.line - first.line : -1;
        if (order < 0 || (order == 0 && strcmp(name, first.field) < 0)) first = place;
    }
    return first.field ? wl_field_unknown(first.field, &first, reader->error) : WL_OK;
}

static enum wl_status set_fields(lua_State *L, int table, const struct reader *reader) {
    enum wl_status status = check_names(L, table, reader);
    for (int field = 0; field < WL_FIELD_COUNT && status == WL_OK; field++) {
        struct wl_schedule *schedule = reader->schedule;
        struct wl_field_value value;
        size_t from;
        wl_field_default(schedule, field);
        schedule->from[field] = WL_FROM_DEFAULT;
        lua_pushstring(L, wl_field_name(field));
        if (lua_rawget(L, table) != LUA_TNIL) {
            wl_lua_value(L, -1, &value);
            struct wl_field_place place = find_place(reader, wl_field_name(field), &value, &from);
            status = wl_field_set(schedule, field, &value, &place, reader->error);
            schedule->line[field] = place.line;
            schedule->from[field] = (unsigned char)from;
        }
        lua_pop(L, 1);
    }
    return status;
}

static enum wl_status set_tune(lua_State *L, int table, const struct reader *reader) {
    enum wl_status status = WL_OK;
    size_t from;
    lua_pushstring(L, "tune");
    if (lua_rawget(L, table) != LUA_TNIL) {
        struct wl_field_place place = find_place(reader, "tune", NULL, &from);
        status = wl_schedule_read_tune(L, reader->schedule, &place, reader->error);
    }
    lua_settop(L, table);
    return status;
}

static int run(lua_State *L) {
    struct reader *reader = lua_touserdata(L, 1);
    const struct source *main = &reader->sources[0];
    lua_pushlightuserdata(L, reader);
    lua_pushcclosure(L, include, 1);
    lua_setglobal(L, "include");
    wl_sandbox_seal(L);
    wl_sandbox_load(L, main->text, main->bytes, main->name);
    lua_call(L, 0, 1);
    if (lua_istable(L, -1)) {
        int table = lua_gettop(L);
        reader->status = set_fields(L, table, reader);
        if (!reader->status) reader->status = set_tune(L, table, reader);
    } else
        reader->status = wl_fail(
            reader->error, WL_ERR_INPUT, main->name, 0, NULL, "must return a table of fields, returned %s",
            lua_isnil(L, -1) ? "nothing" : lua_pushfstring(L, "a %s", luaL_typename(L, -1)));
    return 0;
}

static enum wl_status run_sandboxed(struct reader *reader) {
    struct wl_error found = {0};
    struct wl_sandbox *sandbox = wl_sandbox_create(&schedule_limits);
    if (!sandbox) return wl_fail(reader->error, WL_ERR_NO_MEMORY, NULL, 0, NULL, "out of memory");
    enum wl_status status = wl_sandbox_run(sandbox, run, reader, reader->sources[0].name, &found);
    wl_sandbox_destroy(sandbox);
    if (status == WL_OK) return reader->status;
    if (reader->status == WL_ERR_NO_MEMORY) status = WL_ERR_NO_MEMORY;
    return wl_fail(reader->error, status, found.file, found.line, found.field, "%s", found.text);
}

/* ---- after the table ---- */

static enum wl_status override(struct wl_schedule *schedule, const char *text, struct wl_error *error) {
    char key[64];
    struct wl_field_value value;
    struct wl_field_place place = {.field = text};
    const char *equals = strchr(text, '=');
    if (!equals || equals == text || (size_t)(equals - text) >= sizeof key)
        return wl_fail(error, WL_ERR_INPUT, NULL, 0, text,
                       "an override of a schedule's field reads key=value");
    snprintf(key, sizeof key, "%.*s", (int)(equals - text), text);
    enum wl_field field = wl_field_find(key);
    if (field == WL_FIELD_COUNT) return wl_field_unknown(key, &place, error);
    wl_field_read(field, equals + 1, &value);
    enum wl_status status = wl_field_set(schedule, field, &value, &place, error);
    schedule->line[field] = -1;
    schedule->from[field] = 0;
    return status;
}

/* "schedules/my-own.v2.lua" gives my_own_v2. */
static void name_from_source(struct wl_schedule *schedule) {
    const char *stem = strrchr(schedule->source, '/');
    stem = stem ? stem + 1 : schedule->source + (is_embedded(schedule->source) ? strlen(EMBEDDED_PREFIX) : 0);
    size_t length = strlen(stem);
    if (length > 4 && strcmp(stem + length - 4, ".lua") == 0) length -= 4;
    snprintf(schedule->name, sizeof schedule->name, "%s%.*s", isalpha((unsigned char)*stem) ? "" : "_",
             (int)length, stem);
    for (char *c = schedule->name; *c; c++)
        if ((unsigned char)*c > 127 || !isalnum((unsigned char)*c)) *c = '_';
}

static enum wl_status check_pairs(const struct wl_schedule *schedule, struct wl_error *error) {
    enum wl_field field = WL_FIELD_head_dim_min;
    if (schedule->head_dim_min <= schedule->head_dim) return WL_OK;
    if (schedule->line[field] == 0 || schedule->line[WL_FIELD_head_dim] < 0) field = WL_FIELD_head_dim;
    return wl_fail(error, WL_ERR_INPUT, wl_schedule_file(schedule, field), schedule->line[field],
                   wl_field_name(field), "head_dim_min %d is more than head_dim %d", schedule->head_dim_min,
                   schedule->head_dim);
}

/* A field that the target's kernels lack would change nothing: whoever sets it is told. */
static enum wl_status check_target(const struct wl_schedule *schedule, struct wl_error *error) {
    for (int field = 0; field < WL_FIELD_COUNT; field++)
        if (!wl_field_applies(field, schedule->target) &&
            (schedule->line[field] < 0 || schedule->from[field] != WL_FROM_DEFAULT))
            return wl_fail(error, WL_ERR_INPUT, wl_schedule_file(schedule, field), schedule->line[field],
                           wl_field_name(field), "kernels for %s have no such field", schedule->target);
    return WL_OK;
}

static enum wl_status read_schedule(struct reader *reader, const char *const *overrides, int count) {
    struct wl_schedule *schedule = reader->schedule;
    memset(schedule, 0, sizeof *schedule);
    snprintf(schedule->source, sizeof schedule->source, "%s", reader->sources[0].name);
    reader->source_count = 1;
    enum wl_status status = run_sandboxed(reader);
    for (int i = 0; i < count && status == WL_OK; i++)
        status = override(schedule, overrides[i], reader->error);
    if (status == WL_OK && !schedule->name[0]) name_from_source(schedule);
    if (status == WL_OK) status = check_target(schedule, reader->error);
    if (status == WL_OK) status = wl_schedule_check_tune(schedule, reader->error);
    return status == WL_OK ? check_pairs(schedule, reader->error) : status;
}

/* ---- the door ---- */

enum wl_status wl_schedule_parse(struct wl_schedule *schedule, const char *text, size_t bytes,
                                 const char *name, const char *const *overrides, int count,
                                 struct wl_error *error) {
    struct wl_arena *arena = wl_arena_create();
    const char *copy = arena ? wl_arena_strndup(arena, text, bytes) : NULL;
    enum wl_status status = WL_ERR_NO_MEMORY;
    if (copy) {
        struct reader reader = {.schedule = schedule, .arena = arena, .error = error};
        reader.sources[0] = (struct source){name, copy, bytes};
        status = read_schedule(&reader, overrides, count);
    } else wl_fail(error, status, name, 0, NULL, "out of memory");
    wl_arena_destroy(arena);
    return status;
}

/* The shipped names, so that a slip of the pen is easily put right. */
static enum wl_status no_such_schedule(const char *path, struct wl_error *error) {
    struct wl_text names = {0};
    for (const struct wl_embedded *file = wl_embedded_files; file->name; file++)
        if (strncmp(file->name, "schedules/", 10) == 0)
            wl_text_printf(&names, "%s%s", names.length ? ", " : "", file->name + 10);
    wl_fail(error, WL_ERR_INPUT, path, 0, NULL, "no such file, and no shipped schedule has that name (%s)",
            names.bytes ? names.bytes : "there are none");
    wl_text_fini(&names);
    return WL_ERR_INPUT;
}

enum wl_status wl_schedule_load(struct wl_schedule *schedule, const char *path, const char *const *overrides,
                                int count, struct wl_error *error) {
    struct stat info;
    if (stat(path, &info) != 0) {
        const struct wl_embedded *found = find_shipped(path);
        if (!found) return no_such_schedule(path, error);
        char name[160];
        snprintf(name, sizeof name, EMBEDDED_PREFIX "%s", strrchr(found->name, '/') + 1);
        return wl_schedule_parse(schedule, found->bytes, found->length, name, overrides, count, error);
    }
    struct source source;
    struct wl_arena *arena = wl_arena_create();
    if (!arena) return wl_fail(error, WL_ERR_NO_MEMORY, path, 0, NULL, "out of memory");
    enum wl_status status = read_file(arena, path, &source, error);
    if (status == WL_OK)
        status = wl_schedule_parse(schedule, source.text, source.bytes, path, overrides, count, error);
    wl_arena_destroy(arena);
    return status;
}

bool wl_schedule_serves(const struct wl_schedule *schedule, bool causal) {
    return schedule->masks == WL_MASKS_ANY || (schedule->masks == WL_MASKS_CAUSAL) == causal;
}

const char *wl_schedule_file(const struct wl_schedule *schedule, enum wl_field field) {
    unsigned from = schedule->from[field];
    return from > 0 && from <= INCLUDES_MAX ? schedule->includes[from - 1] : schedule->source;
}

const char *wl_schedule_origin(const struct wl_schedule *schedule, enum wl_field field, char *out,
                               size_t out_bytes) {
    if (schedule->line[field] < 0) snprintf(out, out_bytes, "key=value");
    else if (schedule->from[field] == WL_FROM_DEFAULT) snprintf(out, out_bytes, "default");
    else if (schedule->line[field] == 0) snprintf(out, out_bytes, "%s", wl_schedule_file(schedule, field));
    else snprintf(out, out_bytes, "%s:%d", wl_schedule_file(schedule, field), schedule->line[field]);
    return out;
}
