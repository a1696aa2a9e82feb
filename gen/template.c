/* template: see template.h.
 *
 * A template file becomes a Lua chunk of as many lines, so that Lua's line numbers are the template's: a Lua
 * line goes in as it is, a text line as a call of `_text` with its line number and the values of its
 * expressions. The text itself stays here, cut into pieces. */
#include "gen/template.h"

#include <ctype.h>
#include <lauxlib.h>
#include <lua.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "gen/embed.h"
#include "gen/file.h"
#include "gen/sandbox.h"
#include "gen/weave.h"

#define OUTPUT_BYTES_MAX ((size_t)16 << 20)
#define FILES_MAX        64
#define LINE_BYTES_MAX   4096

static const struct wl_sandbox_limits template_limits = {.memory_bytes = (size_t)64 << 20,
                                                         .instructions = 50 * 1000 * 1000};

struct piece {
    const char *text; /* of the template */
    size_t length;
    bool is_expression;
};

struct line {
    uint32_t first, count; /* of the file's pieces */
    int loc;               /* the line that its .loc names */
};

struct file {
    struct expander *expander;
    const char *name; /* as included */
    const char *path; /* as messages and .file rows name it */
    char *text;       /* heap */
    size_t bytes;
    struct piece *pieces;
    struct line *lines; /* lines[1] is the first */
    size_t line_count;
    int loc; /* number of its .file row, 0 = not used yet */
};

struct expander {
    struct wl_arena *arena;
    struct wl_weave weave;
    struct wl_text scratch; /* the line being put together; chunks while they are made */
    struct file files[FILES_MAX];
    int file_count;
    const char *rows[FILES_MAX]; /* paths in the order of their .file numbers */
    int row_count;
    const char *main_name;
    wl_template_globals_fn *globals;
    const void *data;
    bool no_memory; /* a Lua error was raised for want of memory */
};

/* ---- reading ---- */

static bool name_is_safe(const char *name) {
    if (!*name || strlen(name) > 128 || !isalnum((unsigned char)*name)) return false;
    for (const char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '_' && *c != '-' && *c != '/') return false;
    return true;
}

/* Where a template comes from, as text: "templates/NAME.ptx" for the embedded. */
static void template_path(const char *name, char *path, size_t bytes, bool *embedded) {
    const char *folder = getenv("WARPLOOM_TEMPLATES");
    *embedded = !folder || !*folder;
    snprintf(path, bytes, "%s/%s.ptx", *embedded ? "templates" : folder, name);
}

enum wl_status wl_template_read(const char *name, char **text, size_t *bytes, struct wl_error *error) {
    char path[512];
    bool embedded;
    if (!name_is_safe(name))
        return wl_fail(error, WL_ERR_INPUT, NULL, 0, NULL, "\"%.128s\" cannot be a template's name", name);
    template_path(name, path, sizeof path, &embedded);
    if (!embedded) return wl_file_read(path, text, bytes, error);
    const struct wl_embedded *found = wl_embedded_find(path);
    if (!found) return wl_fail(error, WL_ERR_INPUT, path, 0, NULL, "there is no such template");
    char *copy = wl_realloc(NULL, found->length + 1);
    if (!copy) return wl_fail(error, WL_ERR_NO_MEMORY, path, 0, NULL, "out of memory");
    memcpy(copy, found->bytes, found->length);
    copy[found->length] = '\0';
    *text = copy;
    *bytes = found->length;
    return WL_OK;
}

static int out_of_memory(lua_State *L, struct expander *expander) {
    expander->no_memory = true;
    return luaL_error(L, "out of memory");
}

static void *alloc(lua_State *L, struct expander *expander, size_t bytes) {
    void *pointer = wl_arena_alloc(expander->arena, bytes);
    if (!pointer) out_of_memory(L, expander);
    return pointer;
}

/* ---- a file becomes a chunk ---- */

static bool is_lua(const char *first, const char *end) { return first < end && *first == '|'; }

static bool is_note(const char *first, const char *end) {
    return end - first >= 3 && memcmp(first, "//|", 3) == 0;
}

/* The end of the expression that starts behind "$(": its ')'. Brackets and quotes nest; what would break the
 * line-wise translation (comments, long strings) is refused. */
static const char *expression_end(lua_State *L, const struct file *file, int line, const char *start,
                                  const char *end) {
    int depth = 0;
    for (const char *p = start; p < end; p++) {
        if (*p == '"' || *p == '\'') {
            char quote = *p;
            for (p++; p < end && *p != quote; p++)
                if (*p == '\\') p++;
        } else if (p + 1 < end &&
                   ((*p == '-' && p[1] == '-') || (*p == '[' && (p[1] == '[' || p[1] == '=')))) {
            wl_sandbox_error_at(L, file->path, line, "\"%.2s\" is not allowed inside $( )", p);
        } else if (strchr("([{", *p)) {
            depth++;
        } else if (strchr(")]}", *p) && depth-- == 0) {
            return p;
        }
    }
    wl_sandbox_error_at(L, file->path, line, "$( without its )");
    return NULL;
}

static void add_piece(struct file *file, int line, const char *text, const char *end, bool is_expression) {
    struct line *row = &file->lines[line];
    if (end > text || is_expression)
        file->pieces[row->first + row->count++] = (struct piece){text, (size_t)(end - text), is_expression};
}

static void translate_text(lua_State *L, struct file *file, int line, const char *text, const char *end) {
    struct wl_text *chunk = &file->expander->scratch;
    wl_text_printf(chunk, "_text(%d", line);
    for (const char *p = text; p < end;) {
        if (*p == '/' && is_note(p, end)) {
            add_piece(file, line, text, p, false);
            text = end;
            break;
        }
        if (*p != '$' || p + 1 == end || p[1] != '(') {
            p++;
            continue;
        }
        add_piece(file, line, text, p, false);
        const char *close = expression_end(L, file, line, p + 2, end);
        add_piece(file, line, p + 2, close, true);
        wl_text_append(chunk, ",(", 2);
        wl_text_append(chunk, p + 2, (size_t)(close - p - 2));
        wl_text_append(chunk, ")", 1);
        p = text = close + 1;
    }
    add_piece(file, line, text, end, false);
    wl_text_append(chunk, ");", 2);
}

/* Upper bounds, to size the tables. */
static void count_parts(const struct file *file, size_t *lines, size_t *pieces) {
    *lines = *pieces = 2;
    for (size_t i = 0; i < file->bytes; i++) {
        *lines += file->text[i] == '\n';
        *pieces += file->text[i] == '\n' ? 1 : 2 * (file->text[i] == '$');
    }
}

static bool opens_function(const char *p, const char *end) {
    while (p < end && isspace((unsigned char)*p)) p++;
    return end - p > 9 && !strncmp(p, "function ", 9);
}

static void translate(lua_State *L, struct file *file) {
    struct expander *expander = file->expander;
    size_t lines, pieces;
    count_parts(file, &lines, &pieces);
    file->lines = alloc(L, expander, lines * sizeof *file->lines);
    file->line_count = lines;
    file->pieces = alloc(L, expander, pieces * sizeof *file->pieces);
    expander->scratch.length = 0;
    wl_text_printf(&expander->scratch, "local _text=...;");
    const char *p = file->text, *stop = file->text + file->bytes;
    uint32_t used = 0;
    const bool library = !strncmp(file->name, "lib/", 4);
    for (int line = 1, function = 0; p < stop; line++) {
        const char *end = memchr(p, '\n', (size_t)(stop - p)), *next = end ? end + 1 : stop;
        if (!end) end = stop;
        const char *first = p;
        while (first < end && isspace((unsigned char)*first)) first++;
        file->lines[line].first = used;
        if (is_lua(first, end)) {
            wl_text_append(&expander->scratch, first + 1, (size_t)(end - first - 1));
            if (opens_function(first + 1, end)) function = 0;
        } else if (!is_note(first, end)) {
            if (!function) function = line;
            file->lines[line].loc = library ? function : line;
            translate_text(L, file, line, p, end);
        }
        used += file->lines[line].count;
        wl_text_append(&expander->scratch, "\n", 1);
        p = next;
    }
    if (expander->scratch.failed) out_of_memory(L, expander);
}

/* ---- what a chunk calls ---- */

static void put_number(lua_State *L, const struct file *file, int line, const struct piece *piece,
                       int index) {
    lua_Number number = lua_tonumber(L, index);
    if (lua_isinteger(L, index))
        wl_text_printf(&file->expander->scratch, "%lld", (long long)lua_tointeger(L, index));
    else if (floor(number) == number && fabs(number) < 9007199254740992.0)
        wl_text_printf(&file->expander->scratch, "%.0f", number);
    else
        wl_sandbox_error_at(L, file->path, line, "$(%.*s) is %.17g: PTX needs f32() or an integer",
                            (int)piece->length, piece->text, number);
}

static void put_value(lua_State *L, const struct file *file, int line, const struct piece *piece, int index) {
    size_t length;
    const char *text;
    switch (lua_type(L, index)) {
    case LUA_TNUMBER: put_number(L, file, line, piece, index); return;
    case LUA_TSTRING:
        text = lua_tolstring(L, index, &length);
        for (size_t i = 0; i < length; i++)
            if ((unsigned char)text[i] < ' ' && text[i] != '\t')
                wl_sandbox_error_at(L, file->path, line,
                                    "$(%.*s) has a line break or control character in it", (int)piece->length,
                                    piece->text);
        wl_text_append(&file->expander->scratch, text, length);
        return;
    default:
        wl_sandbox_error_at(L, file->path, line, "$(%.*s) is a %s value, not a number or text",
                            (int)piece->length, piece->text, luaL_typename(L, index));
    }
}

/* _text(line, values...); upvalue 1: the file. */
static int text_line(lua_State *L) {
    struct file *file = lua_touserdata(L, lua_upvalueindex(1));
    struct expander *expander = file->expander;
    lua_Integer number = lua_tointeger(L, 1);
    if (number < 1 || (lua_Unsigned)number >= file->line_count)
        return luaL_error(L, "_text is not for templates");
    int line = (int)number, value = 2;
    const struct line *row = &file->lines[line];
    const struct piece *piece = &file->pieces[row->first];
    struct wl_text *scratch = &expander->scratch;
    const char *text = piece->text;
    size_t length = row->count ? piece->length : 0;
    if (row->count > 1 || (row->count == 1 && piece->is_expression)) {
        scratch->length = 0;
        for (uint32_t i = 0; i < row->count; i++, piece++) {
            if (piece->is_expression) put_value(L, file, line, piece, value++);
            else wl_text_append(scratch, piece->text, piece->length);
        }
        text = scratch->bytes;
        length = scratch->length;
    }
    int loc = file->loc ? file->loc : expander->row_count + 1;
    if (scratch->failed || expander->weave.out->failed) return out_of_memory(L, expander);
    if (wl_weave_line(&expander->weave, loc, row->loc, text, length) && !file->loc) {
        file->loc = loc;
        expander->rows[expander->row_count++] = file->path;
    }
    if (expander->weave.out->length > OUTPUT_BYTES_MAX)
        return wl_sandbox_error_at(L, file->path, line, "the PTX grew beyond %zu MiB",
                                   OUTPUT_BYTES_MAX >> 20);
    return 0;
}

static void run_file(lua_State *L, struct expander *expander, const char *name) {
    char path[512];
    bool embedded;
    struct wl_error why = {0};
    struct file *file = &expander->files[expander->file_count];
    if (expander->file_count == FILES_MAX) luaL_error(L, "more than %d templates", FILES_MAX);
    enum wl_status status = wl_template_read(name, &file->text, &file->bytes, &why);
    if (status == WL_ERR_NO_MEMORY) out_of_memory(L, expander);
    if (status != WL_OK) {
        char message[512];
        luaL_error(L, "%s", wl_error_format(&why, message, sizeof message));
    }
    expander->file_count++; /* from here on the text is freed with the expander */
    template_path(name, path, sizeof path, &embedded);
    file->expander = expander;
    file->path = wl_arena_strdup(expander->arena, path);
    file->name = wl_arena_strdup(expander->arena, name);
    if (!file->path || !file->name) out_of_memory(L, expander);
    translate(L, file);
    wl_sandbox_load(L, expander->scratch.bytes, expander->scratch.length, file->path);
    lua_pushlightuserdata(L, file);
    lua_pushcclosure(L, text_line, 1);
    lua_call(L, 1, 0);
}

/* include(name); upvalue 1: the expander. */
static int include(lua_State *L) {
    struct expander *expander = lua_touserdata(L, lua_upvalueindex(1));
    const char *name = luaL_checkstring(L, 1);
    for (int i = 0; i < expander->file_count; i++)
        if (strcmp(expander->files[i].name, name) == 0) return 0;
    run_file(L, expander, name);
    return 0;
}

/* f32(x): the nearest float as PTX writes it, 0f3F800000. */
static int f32(lua_State *L) {
    lua_Number number = luaL_checknumber(L, 1);
    float value = (float)number;
    uint32_t bits;
    if (isinf(value) && !isinf(number)) return luaL_error(L, "f32: %f is beyond a float's range", number);
    memcpy(&bits, &value, sizeof bits);
    char text[16];
    snprintf(text, sizeof text, "0f%08X", bits);
    lua_pushstring(L, text);
    return 1;
}

/* hex(x): an integer as 0x...; a negative one in two's complement of 64 bits. */
static int hex(lua_State *L) {
    char text[32];
    snprintf(text, sizeof text, "0x%llX", (unsigned long long)luaL_checkinteger(L, 1));
    lua_pushstring(L, text);
    return 1;
}

static int expand(lua_State *L) {
    struct expander *expander = lua_touserdata(L, 1);
    lua_pushcfunction(L, f32);
    lua_setglobal(L, "f32");
    lua_pushcfunction(L, hex);
    lua_setglobal(L, "hex");
    lua_pushlightuserdata(L, expander);
    lua_pushcclosure(L, include, 1);
    lua_setglobal(L, "include");
    lua_pushglobaltable(L);
    if (expander->globals && expander->globals(L, expander->data)) return lua_error(L);
    lua_settop(L, 1);
    wl_sandbox_seal(L);
    run_file(L, expander, expander->main_name);
    return 0;
}

/* ---- the door ---- */

static enum wl_status run(struct expander *expander, struct wl_error *error) {
    struct wl_sandbox *sandbox = wl_sandbox_create(&template_limits);
    struct wl_error found = {0};
    if (!sandbox) return wl_fail(error, WL_ERR_NO_MEMORY, NULL, 0, NULL, "out of memory");
    enum wl_status status = wl_sandbox_run(sandbox, expand, expander, expander->main_name, &found);
    wl_sandbox_destroy(sandbox);
    if (status != WL_OK && expander->no_memory) found.status = WL_ERR_NO_MEMORY;
    if (status != WL_OK) return wl_fail(error, found.status, found.file, found.line, NULL, "%s", found.text);
    wl_weave_files(&expander->weave, expander->rows, expander->row_count);
    if (expander->weave.out->failed) return wl_fail(error, WL_ERR_NO_MEMORY, NULL, 0, NULL, "out of memory");
    return WL_OK;
}

enum wl_status wl_template_expand(const char *name, wl_template_globals_fn *globals, const void *data,
                                  struct wl_text *out, struct wl_error *error) {
    struct wl_arena *arena = wl_arena_create();
    struct expander *expander = arena ? wl_arena_alloc(arena, sizeof *expander) : NULL;
    if (!expander) {
        wl_arena_destroy(arena);
        return wl_fail(error, WL_ERR_NO_MEMORY, NULL, 0, NULL, "out of memory");
    }
    expander->arena = arena;
    expander->main_name = name;
    expander->globals = globals;
    expander->data = data;
    wl_weave_init(&expander->weave, out);
    enum wl_status status = run(expander, error);
    for (int i = 0; i < expander->file_count; i++) wl_free(expander->files[i].text);
    wl_text_fini(&expander->scratch);
    wl_arena_destroy(arena);
    return status;
}
