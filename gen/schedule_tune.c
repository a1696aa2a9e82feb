/* schedule_tune: see schedule_tune.h. */
#include "gen/schedule_tune.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

void wl_lua_value(lua_State *L, int index, struct wl_field_value *value) {
    *value = (struct wl_field_value){.kind = WL_VALUE_OTHER, .type = luaL_typename(L, index)};
    switch (lua_type(L, index)) {
    case LUA_TNUMBER:
        value->kind = WL_VALUE_NUMBER;
        value->number = lua_tonumber(L, index);
        break;
    case LUA_TBOOLEAN:
        value->kind = WL_VALUE_BOOL;
        value->number = lua_toboolean(L, index);
        break;
    case LUA_TSTRING:
        value->kind = WL_VALUE_TEXT;
        value->text = lua_tostring(L, index);
        break;
    }
}

/* What is computed, not how. */
static bool is_problem(enum wl_field field) {
    static const enum wl_field problem[] = {WL_FIELD_name,     WL_FIELD_target,       WL_FIELD_pass,
                                            WL_FIELD_head_dim, WL_FIELD_head_dim_min, WL_FIELD_dtype,
                                            WL_FIELD_causal,   WL_FIELD_masks};
    for (size_t i = 0; i < sizeof problem / sizeof *problem; i++)
        if (problem[i] == field) return true;
    return false;
}

/* Lua keeps keys in no order: of several that are wrong the first by name is told. */
static enum wl_status check_names(lua_State *L, const struct wl_field_place *place, struct wl_error *error) {
    const char *first = NULL;
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            return wl_fail(error, WL_ERR_INPUT, place->file, place->line, "tune",
                           "every list of candidates has a field's name: tune = { tile_n = {96, 128} }");
        const char *name = lua_tostring(L, -2);
        if (wl_field_find(name) == WL_FIELD_COUNT && (!first || strcmp(name, first) < 0)) first = name;
    }
    if (!first) return WL_OK;
    char shown[64];
    snprintf(shown, sizeof shown, "tune.%s", first);
    return wl_field_unknown(first, &(struct wl_field_place){place->file, place->line, shown}, error);
}

/* One candidate, checked by setting it in a copy, kept as the text that key=value takes. */
static enum wl_status add_value(struct wl_tune_knob *knob, const struct wl_schedule *schedule,
                                const struct wl_field_value *value, const struct wl_field_place *place,
                                struct wl_error *error) {
    struct wl_schedule copy = *schedule;
    char text[sizeof knob->values[0]];
    enum wl_status status = wl_field_set(&copy, knob->field, value, place, error);
    if (status) return status;
    wl_schedule_value(&copy, knob->field, text, sizeof text);
    for (int i = 0; i < knob->count; i++)
        if (!strcmp(knob->values[i], text))
            return wl_fail(error, WL_ERR_INPUT, place->file, place->line, place->field,
                           "%s stands there twice", text);
    if (knob->count == WL_TUNE_MAX_VALUES)
        return wl_fail(error, WL_ERR_INPUT, place->file, place->line, place->field, "more than %d candidates",
                       WL_TUNE_MAX_VALUES);
    memcpy(knob->values[knob->count++], text, sizeof text);
    return WL_OK;
}

/* Elements of the list on top of the stack; 0 for what is no list, or has other keys beside 1, 2, 3 ... */
static size_t list_length(lua_State *L) {
    size_t keys = 0, length = lua_istable(L, -1) ? (size_t)lua_rawlen(L, -1) : 0;
    if (!length) return 0;
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) keys++;
    return keys == length ? length : 0;
}

/* The list on top of the stack. */
static enum wl_status read_knob(lua_State *L, struct wl_schedule *schedule, enum wl_field field,
                                const struct wl_field_place *tune, struct wl_error *error) {
    char name[64];
    struct wl_field_place place = {tune->file, tune->line, name};
    snprintf(name, sizeof name, "tune.%s", wl_field_name(field));
    if (is_problem(field))
        return wl_fail(error, WL_ERR_INPUT, place.file, place.line, name,
                       "says what is computed, not how: give another value with key=value");
    size_t count = list_length(L);
    if (!count)
        return wl_fail(
            error, WL_ERR_INPUT, place.file, place.line, name,
            "must be a list of candidates, as in {%s}, is %s", field == WL_FIELD_tile_n ? "96, 128" : "a, b",
            lua_istable(L, -1) ? "another table" : lua_pushfstring(L, "a %s", luaL_typename(L, -1)));
    if (schedule->tune_count == WL_TUNE_MAX_KNOBS)
        return wl_fail(error, WL_ERR_INPUT, place.file, place.line, name, "more than %d fields to tune",
                       WL_TUNE_MAX_KNOBS);
    struct wl_tune_knob *knob = &schedule->tune[schedule->tune_count++];
    *knob = (struct wl_tune_knob){.field = field};
    enum wl_status status = WL_OK;
    for (size_t i = 1; i <= count && !status; i++) {
        struct wl_field_value value;
        lua_rawgeti(L, -1, (lua_Integer)i);
        wl_lua_value(L, -1, &value);
        status = add_value(knob, schedule, &value, &place, error);
        lua_pop(L, 1);
    }
    return status;
}

enum wl_status wl_schedule_read_tune(lua_State *L, struct wl_schedule *schedule,
                                     const struct wl_field_place *place, struct wl_error *error) {
    if (!lua_istable(L, -1))
        return wl_fail(error, WL_ERR_INPUT, place->file, place->line, "tune",
                       "must be a table, as in { tile_n = {96, 128} }, is a %s", luaL_typename(L, -1));
    enum wl_status status = check_names(L, place, error);
    for (int field = 0; field < WL_FIELD_COUNT && !status; field++) {
        lua_pushstring(L, wl_field_name(field));
        if (lua_rawget(L, -2) != LUA_TNIL) status = read_knob(L, schedule, field, place, error);
        if (!status) lua_pop(L, 1);
    }
    return status;
}

enum wl_status wl_schedule_check_tune(const struct wl_schedule *schedule, struct wl_error *error) {
    for (int k = 0; k < schedule->tune_count; k++) {
        char name[64];
        snprintf(name, sizeof name, "tune.%s", wl_field_name(schedule->tune[k].field));
        if (!wl_field_applies(schedule->tune[k].field, schedule->target))
            return wl_fail(error, WL_ERR_INPUT, schedule->source, 0, name,
                           "kernels for %s have no such field", schedule->target);
    }
    return WL_OK;
}
