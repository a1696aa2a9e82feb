/* schedule_tune: a schedule's `tune` table: candidates for `warploom tune`.
 *
 *     tune = { tile_n = {128, 176}, stages_kv = {2, 3}, ping_pong = {true, false} }
 *
 * Every key is a field of the schedule, every value one that the field may have. What a kernel computes
 * (head_dim, dtype, causal, ...) is not up for tuning. */
#ifndef WL_SCHEDULE_TUNE_H
#define WL_SCHEDULE_TUNE_H

#include <lua.h>

#include "gen/schedule_field.h"

/* A Lua value on its way into a field; text is Lua's. */
void wl_lua_value(lua_State *L, int index, struct wl_field_value *value);

/* Reads the table on top of the stack into schedule->tune. place: where `tune` stands. */
enum wl_status wl_schedule_read_tune(lua_State *L, struct wl_schedule *schedule,
                                     const struct wl_field_place *place, struct wl_error *error);

/* Once target is final: every knob must be one that its kernels have. */
enum wl_status wl_schedule_check_tune(const struct wl_schedule *schedule, struct wl_error *error);

#endif
