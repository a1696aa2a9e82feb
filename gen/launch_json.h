/* launch_json: a launch record for programs that launch a cubin by themselves (tests/bench/peers.py). */
#ifndef WL_LAUNCH_JSON_H
#define WL_LAUNCH_JSON_H

#include "gen/json.h"
#include "gen/launch.h"

void wl_launch_json(struct wl_json *json, const char *key, const struct wl_launch *launch);

#endif
