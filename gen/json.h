/* json: writes JSON into a text, commas and escapes taken care of.
 *
 *     struct wl_json json = {.text = &out};
 *     wl_json_open(&json, NULL, '{');
 *     wl_json_int(&json, "registers", 192);
 *     wl_json_open(&json, "roles", '[');  ...  wl_json_close(&json);
 *     wl_json_close(&json);               ends with a line feed after the outermost one
 *
 * key is NULL inside arrays and for the outermost value. Running out of memory shows in text->failed, as
 * always. */
#ifndef WL_JSON_H
#define WL_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include "gen/arena.h"

#define WL_JSON_MAX_DEPTH 32

struct wl_json {
    struct wl_text *text;
    int depth;
    char closer[WL_JSON_MAX_DEPTH];
    bool filled[WL_JSON_MAX_DEPTH]; /* whether a comma is due */
};

void wl_json_open(struct wl_json *json, const char *key, char bracket); /* '{' or '[' */
void wl_json_close(struct wl_json *json);
void wl_json_text(struct wl_json *json, const char *key, const char *value); /* NULL: null */
void wl_json_int(struct wl_json *json, const char *key, int64_t value);
void wl_json_number(struct wl_json *json, const char *key,
                    double value); /* shortest that reads back; not finite: null */
void wl_json_bool(struct wl_json *json, const char *key, bool value);

#endif
