/* Hostile schedules: refused with one clear line that names the file, or planned and emitted. */
#include "tests/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gen/embed.h"
#include "gen/emit.h"

/* clang-format off */
const char *const wl_fuzz_words[] = {
    "return {", "}", "=", ",", "nil", "true", "false", "-1", "0", "1e308", "0/0", "math.huge", "\"bf16\"", "\"lpt\"", "--", "\n",
    "while true do end", "string.rep(\"x\", 1e9)", "('x'):rep(1e6):find(('.-'):rep(30) .. 'y')", "include \"sm100_fwd_hd64.lua\"",
    "setmetatable({}, {})", "#", "function() end", "for i = 1, 1e9 do end", "{{{{{{{{", "goto x", "::x::",
#define WL_SCHEDULE_FIELD(name, ...) #name,
#include "gen/schedule_fields.def"
#undef WL_SCHEDULE_FIELD
    NULL};
static const char *const small[] = {
    "return { target = \"sm_100a\", head_dim = 64, tile_n = 32, stages_kv = 2 }\n",
    "local d = 64\nreturn { head_dim = d, tile_n = d, exp2_share = 1 / 4, causal = d == 64 }\n",
    "local t = include \"sm100_fwd_hd64.lua\"\nt.q_tiles = 1\nreturn t\n",
};
/* clang-format on */

size_t wl_fuzz_seed(size_t index, uint8_t *out, size_t room) {
    const char *text = NULL;
    size_t count = sizeof small / sizeof *small;
    if (index < count) text = small[index];
    for (const struct wl_embedded *f = wl_embedded_files; !text && f->name; f++)
        if (!strncmp(f->name, "schedules/", 10) && index == count++) text = f->bytes;
    if (!text || strlen(text) > room) return 0;
    memcpy(out, text, strlen(text));
    return strlen(text);
}

static void refused(enum wl_status status, const struct wl_error *error) {
    if (status != WL_ERR_INPUT && status != WL_ERR_FIT) {
        fprintf(stderr, "status %d: %s\n", status, error->text);
        abort();
    }
    if (!error->text[0] || strchr(error->text, '\n')) {
        fprintf(stderr, "not one line: [%s] %s\n", error->file, error->text);
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct wl_schedule schedule;
    struct wl_plan plan;
    struct wl_error error = {0};
    struct wl_text ptx = {0};
    char *exact = malloc(size ? size : 1);
    if (!exact) return 0;
    if (size) memcpy(exact, bytes, size);
    enum wl_status status = wl_schedule_parse(&schedule, exact, size, "schedules/fuzz.lua", NULL, 0, &error);
    if (!status) status = wl_plan_make(&plan, &schedule, NULL, &error);
    if (status) refused(status, &error);
    else if (wl_emit(&plan, &ptx, &error)) {
        fprintf(stderr, "a plan that cannot be emitted: %s\n", error.text);
        abort();
    }
    wl_text_fini(&ptx);
    free(exact);
    return 0;
}
