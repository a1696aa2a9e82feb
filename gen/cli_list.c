/* cli_list: warploom list: the schedules that are shipped inside the program. */
#include "gen/cli.h"

#include <stdio.h>
#include <string.h>

#include "gen/embed.h"
#include "gen/json.h"

struct values {
    bool json;
};
static const struct values defaults = {0};

static const struct wl_cli_option options[] = {
    {"--json", WL_CLI_FLAG, offsetof(struct values, json), NULL, 0, 0, "as JSON"},
    {0},
};

/* "schedules/sm100_fwd_hd64.lua" -> "sm100_fwd_hd64"; false: no schedule of the top folder. */
static bool schedule_name(const char *path, char *name, size_t room) {
    static const char folder[] = "schedules/", suffix[] = ".lua";
    size_t length = strlen(path);
    if (strncmp(path, folder, sizeof folder - 1) || length < sizeof folder + sizeof suffix) return false;
    if (strcmp(path + length - (sizeof suffix - 1), suffix)) return false;
    snprintf(name, room, "%.*s", (int)(length - (sizeof folder - 1) - (sizeof suffix - 1)),
             path + sizeof folder - 1);
    return !strchr(name, '/');
}

static void list_json(const char *name, const struct wl_schedule *s, struct wl_json *json) {
    wl_json_open(json, NULL, '{');
    wl_json_text(json, "schedule", name);
    for (int field = 0; field < WL_FIELD_COUNT; field++) {
        char value[64];
        wl_json_text(json, wl_field_name(field), wl_schedule_value(s, field, value, sizeof value));
    }
    wl_json_close(json);
}

static void list_text(const char *name, const struct wl_schedule *s, struct wl_text *text) {
    char dim_v[32] = "";
    if (s->head_dim_v) snprintf(dim_v, sizeof dim_v, " (V to %d)", s->head_dim_v);
    wl_text_printf(text, "%-20s %s %s, head_dim %d to %d%s, %s, %s\n", name, s->target, s->pass,
                   s->head_dim_min, s->head_dim, dim_v, s->dtype == WL_BF16 ? "bf16" : "fp16",
                   s->causal ? "causal" : "full");
}

static enum wl_status run(const struct wl_cli_call *call, struct wl_error *error) {
    const struct values *v = call->values;
    struct wl_text text = {0};
    struct wl_json json = {.text = &text};
    enum wl_status status = WL_OK;
    if (v->json) wl_json_open(&json, NULL, '[');
    for (const struct wl_embedded *file = wl_embedded_files; file->name && !status; file++) {
        struct wl_schedule schedule;
        char name[128];
        if (!schedule_name(file->name, name, sizeof name)) continue;
        status = wl_schedule_parse(&schedule, file->bytes, file->length, file->name, NULL, 0, error);
        if (status) break;
        if (v->json) list_json(name, &schedule, &json);
        else list_text(name, &schedule, &text);
    }
    if (v->json) wl_json_close(&json);
    if (!status) status = wl_cli_output(NULL, &text, error);
    wl_text_fini(&text);
    return status;
}

const struct wl_cli_command wl_cli_list = {
    .name = "list",
    .arguments = "[options]",
    .doc = "name the schedules that are shipped with warploom",
    .options = options,
    .defaults = &defaults,
    .values_bytes = sizeof defaults,
    .words_max = 0,
    .run = run,
};
