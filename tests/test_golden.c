/* Golden PTX: what a few small kernels were when somebody last looked. A golden says "changed", never
 * "right": tests/test_attention.c runs the same kernels. */
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gen/emit.h"
#include "gen/file.h"

/* clang-format off */
static const struct golden { const char *name, *schedule; int head_dim; const char *overrides[8]; } goldens[] = {
    {"sm90_fwd_small",   "sm90_fwd_hd64",  16, {"tile_n=64", "stages_kv=2", "scheduler=single"}},
    {"sm100_fwd_small",  "sm100_fwd_hd64", 16, {"tile_n=32", "stages_kv=2", "scheduler=single", "p_split=32", "exp2_share=0.25"}},
    {"sm100_fwd_pair",   "sm100_fwd_hd64", 40, {"tile_n=32", "q_tiles=1", "causal=true", "cta_pair=true", "stages_kv=4", "p_split=32"}},
    {"sm100_fwd_clc",    "sm100_fwd_hd64", 64, {"tile_n=32", "q_tiles=1", "stages_kv=2", "scheduler=clc", "head_order=section", "exp2_share=0"}},
    {"sm100_fwd_stages", "sm100_fwd_hd64", 24, {"tile_n=32", "q_tiles=1", "s_stages=2", "stages_kv=3", "p_split=16", "exp2_share=0"}},
    {"sm100_fwd_causal", "sm100_fwd_hd64", 40, {"tile_n=32", "q_tiles=1", "causal=true", "p_split=16", "exp2_share=0", "dtype=fp16"}},
};
/* clang-format on */

static enum wl_status emit(const struct golden *g, struct wl_text *ptx, struct wl_error *error) {
    struct wl_schedule schedule;
    struct wl_plan plan;
    const struct wl_specialization special = {g->head_dim, -1, -1, 0};
    int count = 0;
    while (count < 8 && g->overrides[count]) count++;
    enum wl_status status = wl_schedule_load(&schedule, g->schedule, g->overrides, count, error);
    if (!status) status = wl_plan_make(&plan, &schedule, &special, error);
    return status ? status : wl_emit(&plan, ptx, error);
}

/* .loc lines move with every line of a template; what they lead to is tests/test_template.c's business. */
static void drop_locs(char *text) {
    char *out = text;
    for (char *line = text, *next; *line; line = next) {
        next = line + strcspn(line, "\n");
        next += *next == '\n';
        if (!strncmp(line, ".loc", 4)) continue;
        memmove(out, line, (size_t)(next - line));
        out += next - line;
    }
    *out = 0;
}

ParameterizedTestParameters(golden, unchanged) { return wl_test_rows(WL_LEN(goldens)); }
ParameterizedTest(size_t *i, golden, unchanged) {
    const struct golden *g = &goldens[*i];
    struct wl_text ptx = {0};
    struct wl_error error = {0};
    char kept_path[128], new_path[128], command[512], *kept = NULL;
    size_t size;
    cr_assert_eq(emit(g, &ptx, &error), WL_OK, "%s: %s", g->name, error.text);
    drop_locs(ptx.bytes);
    snprintf(kept_path, sizeof kept_path, "tests/golden/%s.ptx", g->name);
    snprintf(new_path, sizeof new_path, "build/golden/%s.ptx", g->name);
    if (!wl_file_read(kept_path, &kept, &size, &error) && !strcmp(kept, ptx.bytes)) {
        unlink(new_path); /* of an earlier change */
        goto out;
    }
    mkdir("build/golden", 0777);
    cr_assert_eq(wl_file_write(new_path, ptx.bytes, strlen(ptx.bytes), NULL), WL_OK);
    snprintf(command, sizeof command, "diff -u %s %s | head -40 >&2", kept_path, new_path);
    if (system(command)) fprintf(stderr, "(no diff)\n");
    cr_expect(0, "%s changed. To accept: make golden, and say in its commit why each hunk changed",
              kept_path);
out:
    wl_free(kept);
    wl_text_fini(&ptx);
}
