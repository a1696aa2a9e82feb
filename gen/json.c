/* json: writes JSON into a text. */
#include "gen/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void put_string(struct wl_text *text, const char *s) {
    wl_text_append(text, "\"", 1);
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\') wl_text_printf(text, "\\%c", c);
        else if (c == '\n') wl_text_append(text, "\\n", 2);
        else if (c < 0x20 || c == 0x7f) wl_text_printf(text, "\\u%04x", c);
        else wl_text_append(text, s, 1);
    }
    wl_text_append(text, "\"", 1);
}

/* What stands before every value: the comma, the line and the key. */
static void begin(struct wl_json *json, const char *key) {
    if (json->depth) {
        bool *filled = &json->filled[json->depth - 1];
        wl_text_printf(json->text, "%s\n%*s", *filled ? "," : "", json->depth * 2, "");
        *filled = true;
    }
    if (!key) return;
    put_string(json->text, key);
    wl_text_append(json->text, ": ", 2);
}

void wl_json_open(struct wl_json *json, const char *key, char bracket) {
    begin(json, key);
    wl_text_append(json->text, &bracket, 1);
    if (json->depth == WL_JSON_MAX_DEPTH) abort(); /* our own nesting, never a user's */
    json->closer[json->depth] = bracket == '{' ? '}' : ']';
    json->filled[json->depth++] = false;
}

void wl_json_close(struct wl_json *json) {
    json->depth--;
    if (json->filled[json->depth]) wl_text_printf(json->text, "\n%*s", json->depth * 2, "");
    wl_text_append(json->text, &json->closer[json->depth], 1);
    if (!json->depth) wl_text_append(json->text, "\n", 1);
}

void wl_json_text(struct wl_json *json, const char *key, const char *value) {
    begin(json, key);
    if (value) put_string(json->text, value);
    else wl_text_append(json->text, "null", 4);
}

void wl_json_int(struct wl_json *json, const char *key, int64_t value) {
    begin(json, key);
    wl_text_printf(json->text, "%" PRId64, value);
}

void wl_json_number(struct wl_json *json, const char *key, double value) {
    char digits[40];
    begin(json, key);
    for (int precision = 6; precision <= 17; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, value);
        if (strtod(digits, NULL) == value) break;
    }
    wl_text_printf(json->text, "%s", isfinite(value) ? digits : "null");
}

void wl_json_bool(struct wl_json *json, const char *key, bool value) {
    begin(json, key);
    wl_text_printf(json->text, value ? "true" : "false");
}
