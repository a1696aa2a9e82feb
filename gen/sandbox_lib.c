/* sandbox_lib: see sandbox_lib.h.
 *
 * The machine's instruction count sees only Lua code, so library functions that loop in C are charged here by
 * how far they can loop. There are no metatables: with them, `#t` could claim any length, and __gc would run
 * uncounted. */
#include "gen/sandbox_lib.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <math.h>
#include <string.h>
#include "gen/sandbox.h"

static const char *const base_kept[] = {"assert", "error",  "ipairs",   "rawequal", "rawget",  "rawlen",
                                        "rawset", "select", "tonumber", "type",     "_VERSION"};

/* Calls the original function, which is upvalue 1, with the arguments as they are. */
static int call_original(lua_State *L) {
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

static double length_of(lua_State *L, int index) {
    int type = lua_type(L, index);
    return type == LUA_TTABLE || type == LUA_TSTRING ? (double)lua_rawlen(L, index) : 0;
}

/* Linear in its first argument. */
static int charged_linear(lua_State *L) {
    wl_sandbox_charge(L, length_of(L, 1) / 4);
    return call_original(L);
}

static int charged_sort(lua_State *L) {
    double length = length_of(L, 1);
    wl_sandbox_charge(L, length * log2(length + 2));
    return call_original(L);
}

/* string.rep(s, n, sep): loops n times even where it adds nothing; where it adds, the memory limit is met
 * first. */
static int charged_rep(lua_State *L) {
    lua_Number times = luaL_checknumber(L, 2);
    if (times > 0 && length_of(L, 1) + length_of(L, 3) == 0) wl_sandbox_charge(L, times / 4);
    return call_original(L);
}

/* table.move(a, first, last, ...) loops over nils too. */
static int charged_move(lua_State *L) {
    lua_Number count = luaL_checknumber(L, 3) - luaL_checknumber(L, 2);
    if (count > 0) wl_sandbox_charge(L, count);
    return call_original(L);
}

static const char *skip_set(const char *p, const char *end) {
    if (p < end && *p == '^') p++;
    do {
        if (p < end && *p++ == '%') p++;
    } while (p < end && *p != ']');
    return p < end ? p + 1 : end;
}

/* How many steps a pattern may take on `length` bytes: every open repetition, and every start, can try each
 * of them. */
static double pattern_work(const char *p, size_t pattern_length, double length) {
    const char *end = p + pattern_length;
    double work = (double)pattern_length + 1;
    if (p < end && *p == '^') p++;
    else work *= length + 1;
    while (p < end) {
        char c = *p++;
        if (c == '%' && p < end) {
            c = *p++;
            if (c == 'b' || (c >= '0' && c <= '9')) work *= length + 1;
            if (c == 'b') p += 2;
            if (c == 'f' && p < end && *p == '[') p = skip_set(p + 1, end);
        } else if (c == '[') {
            p = skip_set(p, end);
        }
        if (p < end && *p == '?') work *= 2;
        else if (p < end && (*p == '*' || *p == '+' || *p == '-')) work *= length + 1;
    }
    return work;
}

/* string.find, match, gmatch, gsub (s, pattern, ...) */
static int charged_pattern(lua_State *L) {
    size_t length, pattern_length;
    luaL_checklstring(L, 1, &length);
    const char *pattern = luaL_checklstring(L, 2, &pattern_length);
    wl_sandbox_charge(L, pattern_work(pattern, pattern_length, (double)length) / 8);
    return call_original(L);
}

/* An address in a text would differ from run to run. */
static int format_without_addresses(lua_State *L) {
    const char *format = luaL_checkstring(L, 1);
    for (const char *p = strchr(format, '%'); p; p = strchr(p, '%')) {
        p += 1 + strspn(p + 1, "-+ #0123456789.");
        if (*p == 'p') return luaL_error(L, "string.format: %%p is not allowed");
        if (*p) p++;
    }
    for (int i = 2; i <= lua_gettop(L); i++)
        if (lua_type(L, i) > LUA_TSTRING)
            return luaL_error(L, "string.format: cannot print a %s", luaL_typename(L, i));
    return call_original(L);
}

static int tostring_without_addresses(lua_State *L) {
    luaL_checkany(L, 1);
    if (lua_type(L, 1) > LUA_TSTRING) lua_pushstring(L, luaL_typename(L, 1));
    else luaL_tolstring(L, 1, NULL);
    return 1;
}

static int key_rank(lua_State *L, int index) {
    int type = lua_type(L, index);
    return type == LUA_TNUMBER ? 0 : type == LUA_TSTRING ? 1 : 2;
}

/* Numbers, then strings by their bytes, then false, true. */
static int key_less(lua_State *L) {
    int a_rank = key_rank(L, 1), b_rank = key_rank(L, 2), less;
    if (a_rank != b_rank) less = a_rank < b_rank;
    else if (a_rank == 0) less = lua_compare(L, 1, 2, LUA_OPLT);
    else if (a_rank == 2) less = lua_toboolean(L, 1) < lua_toboolean(L, 2);
    else {
        size_t a_length, b_length;
        const char *a = lua_tolstring(L, 1, &a_length), *b = lua_tolstring(L, 2, &b_length);
        int order = memcmp(a, b, a_length < b_length ? a_length : b_length);
        less = order ? order < 0 : a_length < b_length;
    }
    lua_pushboolean(L, less);
    return 1;
}

/* Upvalues: sorted keys, how many were given. Keys whose value went away meanwhile are skipped. */
static int sorted_next(lua_State *L) {
    lua_Integer i = lua_tointeger(L, lua_upvalueindex(2));
    for (;;) {
        lua_settop(L, 1);
        int type = lua_rawgeti(L, lua_upvalueindex(1), ++i);
        if (type == LUA_TNIL) return 1;
        lua_pushvalue(L, -1);
        if (lua_rawget(L, 1) != LUA_TNIL) break;
    }
    lua_pushinteger(L, i);
    lua_replace(L, lua_upvalueindex(2));
    return 2;
}

/* Upvalue 1: the original table.sort. */
static int sorted_pairs(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_newtable(L);
    lua_Integer count = 0;
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
        int type = lua_type(L, -2);
        if (type != LUA_TNUMBER && type != LUA_TSTRING && type != LUA_TBOOLEAN)
            return luaL_error(L, "pairs: a key is a %s, which has no order", luaL_typename(L, -2));
        lua_pushvalue(L, -2);
        lua_rawseti(L, 2, ++count);
    }
    wl_sandbox_charge(L, 8.0 * (double)count * log2((double)count + 2));
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushvalue(L, 2);
    lua_pushcfunction(L, key_less);
    lua_call(L, 2, 0);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, sorted_next, 2);
    lua_pushvalue(L, 1);
    lua_pushnil(L);
    return 3;
}

static const struct {
    const char *library, *name;
    lua_CFunction replacement; /* NULL: taken out */
} changes[] = {
    {"string", "dump", NULL},
    {"string", "rep", charged_rep},
    {"string", "find", charged_pattern},
    {"string", "match", charged_pattern},
    {"string", "gmatch", charged_pattern},
    {"string", "gsub", charged_pattern},
    {"string", "format", format_without_addresses},
    {"table", "sort", charged_sort},
    {"table", "insert", charged_linear},
    {"table", "remove", charged_linear},
    {"table", "concat", charged_linear},
    {"table", "unpack", charged_linear},
    {"table", "move", charged_move},
    {"math", "random", NULL},
    {"math", "randomseed", NULL},
    {"utf8", "len", charged_linear},
    {"utf8", "codepoint", charged_linear},
    {"utf8", "offset", charged_linear},
    {"_G", "tonumber", charged_linear},
};

/* Stack: 1 the new globals. */
static void apply_changes(lua_State *L) {
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        if (strcmp(changes[i].library, "_G") == 0) lua_pushvalue(L, 1);
        else lua_getfield(L, 1, changes[i].library);
        if (changes[i].replacement) {
            lua_getfield(L, -1, changes[i].name);
            lua_pushcclosure(L, changes[i].replacement, 1);
        } else {
            lua_pushnil(L);
        }
        lua_setfield(L, -2, changes[i].name);
        lua_pop(L, 1);
    }
}

static int undefined_global(lua_State *L) {
    const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?";
    return luaL_error(L, "variable '%s' is not defined", name);
}

void wl_sandbox_seal(lua_State *L) {
    lua_pushglobaltable(L);
    lua_newtable(L);
    lua_pushcfunction(L, undefined_global);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
    lua_pop(L, 1);
}

int wl_sandbox_open_libs(lua_State *L) {
    static const luaL_Reg libraries[] = {
        {"string", luaopen_string}, {"table", luaopen_table}, {"math", luaopen_math}, {"utf8", luaopen_utf8}};
    lua_newtable(L); /* 1: the globals; what is not put in here is not there */
    luaL_requiref(L, "_G", luaopen_base, 0);
    for (size_t i = 0; i < sizeof base_kept / sizeof base_kept[0]; i++) {
        lua_getfield(L, 2, base_kept[i]);
        lua_setfield(L, 1, base_kept[i]);
    }
    for (size_t i = 0; i < sizeof libraries / sizeof libraries[0]; i++) {
        luaL_requiref(L, libraries[i].name, libraries[i].func, 0);
        lua_setfield(L, 1, libraries[i].name);
    }
    lua_getfield(L, 1, "table");
    lua_getfield(L, -1, "sort");
    lua_pushcclosure(L, sorted_pairs, 1);
    lua_setfield(L, 1, "pairs");
    lua_pushcfunction(L, tostring_without_addresses);
    lua_setfield(L, 1, "tostring");
    apply_changes(L);
    lua_pushvalue(L, 1);
    lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    return 0;
}
