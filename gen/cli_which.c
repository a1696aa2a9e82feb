/* cli_which: warploom which: the schedule that a problem gets, and why not the ones before it. */
#include "gen/cli.h"

#include <stdlib.h>

#include "gen/arch.h"
#include "gen/json.h"
#include "runtime/choose.h"
#include "runtime/driver.h"

struct values {
    int64_t head_dim, head_dim_v;
    const char *target, *device, *schedules;
    int dtype;
    bool causal, json;
};
static const struct values defaults = {.head_dim = 128};

/* clang-format off */
static const struct wl_cli_option options[] = {
    {"--head-dim",  WL_CLI_INT,    offsetof(struct values, head_dim),  "N",         8, 65528, "head dimension (128)"},
    {"--head-dim-v", WL_CLI_INT,   offsetof(struct values, head_dim_v), "N",        8, 65528, "head dimension of V and O (as --head-dim)"},
    {"--dtype",     WL_CLI_CHOICE, offsetof(struct values, dtype),     "bf16|fp16", 0, 0, "element type (bf16)"},
    {"--causal",    WL_CLI_FLAG,   offsetof(struct values, causal),    NULL,        0, 0, "with the causal mask"},
    {"--target",    WL_CLI_TEXT,   offsetof(struct values, target),    "SM",        0, 0, "for this target, not for the device's"},
    {"--device",    WL_CLI_TEXT,   offsetof(struct values, device),    "NAME",      0, 0, "auto, emu, cuda:N (WARPLOOM_DEVICE)"},
    {"--schedules", WL_CLI_TEXT,   offsetof(struct values, schedules), "PATH",      0, 0, "Lua file or folder that goes first (WARPLOOM_SCHEDULES)"},
    {"--json",      WL_CLI_FLAG,   offsetof(struct values, json),      NULL,        0, 0, "as JSON"},
    {0},
};
/* clang-format on */

/* The target asked for, or that of the device; of the driver also what goes into a key. */
static enum wl_status find_target(const struct values *v, const char **target, int *version, bool *emulated,
                                  struct wl_error *error) {
    char targets[128];
    struct wl_driver *driver;
    if (v->target) {
        *target = v->target;
        if (wl_arch_find(v->target)) return WL_OK;
        return wl_fail(error, WL_ERR_USAGE, NULL, 0, "--target", "\"%s\": kernels are made for %s", v->target,
                       wl_choose_targets(targets, sizeof targets));
    }
    enum wl_status status =
        wl_driver_open(&driver, v->device, wl_choose_targets(targets, sizeof targets), error);
    if (status) return status;
    *target = wl_choose_target(driver->cc_major, driver->cc_minor);
    *version = driver->version;
    *emulated = driver->emulated;
    wl_driver_close(driver);
    return WL_OK;
}

static void report_json(const struct values *v, const char *target, const char *source, const char *key,
                        struct wl_text *text) {
    struct wl_json json = {.text = text};
    wl_json_open(&json, NULL, '{');
    wl_json_int(&json, "head_dim", v->head_dim);
    wl_json_int(&json, "head_dim_v", v->head_dim_v ? v->head_dim_v : v->head_dim);
    wl_json_text(&json, "target", target);
    wl_json_text(&json, "schedule", source);
    wl_json_text(&json, "key", key);
    wl_json_close(&json);
}

static enum wl_status run(const struct wl_cli_call *call, struct wl_error *error) {
    const struct values *v = call->values;
    const struct wl_problem problem = {(int32_t)v->head_dim, (enum wl_dtype)v->dtype, v->causal,
                                       call->word_count ? call->words[0] : NULL, (int32_t)v->head_dim_v};
    struct wl_choice choice = {v->schedules ? v->schedules : getenv("WARPLOOM_SCHEDULES"), NULL, &problem, NULL};
    struct wl_schedule schedule;
    struct wl_text why = {0}, out = {0};
    struct wl_key key;
    char text[33] = "";
    int version = 0;
    bool emulated = false;
    enum wl_status status = find_target(v, &choice.target, &version, &emulated, error);
    if (!status) status = wl_choose_schedule(&schedule, &choice, &why, error);
    if (!status && !v->target) {
        status = wl_choose_key(&key, &choice, version, emulated, error);
        if (!status) wl_key_text(&key, text);
    }
    if (!status && v->json) report_json(v, choice.target, schedule.source, *text ? text : NULL, &out);
    else if (!status) {
        wl_text_printf(&out, "head_dim %d, %s, %s, on %s:\n%s", problem.head_dim, v->dtype ? "fp16" : "bf16",
                       v->causal ? "causal" : "full", choice.target, why.bytes ? why.bytes : "");
        if (*text) wl_text_printf(&out, "key %s\n", text);
    }
    if (!status) status = wl_cli_output(NULL, &out, error);
    wl_text_fini(&out);
    wl_text_fini(&why);
    return status;
}

const struct wl_cli_command wl_cli_which = {
    .name = "which",
    .arguments = "[SCHEDULE] [options]",
    .doc = "name the schedule that serves a problem, and say why",
    .options = options,
    .defaults = &defaults,
    .values_bytes = sizeof defaults,
    .words_max = 1,
    .run = run,
};
