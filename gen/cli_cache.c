/* cli_cache: warploom cache: what lies on disk, and tidying it up. */
#include "gen/cli.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "gen/json.h"
#include "runtime/cache.h"

struct values {
    const char *folder;
    int64_t bytes;
    bool json;
};
static const struct values defaults = {0};

/* clang-format off */
static const struct wl_cli_option options[] = {
    {"--dir",   WL_CLI_TEXT, offsetof(struct values, folder), "FOLDER", 0, 0, "the cache's folder (WARPLOOM_CACHE_DIR, ...)"},
    {"--bytes", WL_CLI_INT,  offsetof(struct values, bytes),  "N",      1, 9e18, "prune: what may stay (WARPLOOM_CACHE_BYTES, 1 GiB)"},
    {"--json",  WL_CLI_FLAG, offsetof(struct values, json),   NULL,     0, 0, "list, show: as JSON"},
    {0},
};
/* clang-format on */

struct visit { /* one walk over the entries */
    struct wl_cache *cache;
    struct wl_text text;
    struct wl_json json;
    const char *wanted; /* show: how the key begins */
    int count, wrong, removed;
    uint64_t bytes;
    bool as_json;
};

static const char *stem(const struct wl_cache_entry *entry, char out[33]) {
    snprintf(out, 33, "%.32s", entry->name);
    return out;
}

static const char *when(int64_t seconds, char *out, size_t room) {
    time_t t = (time_t)seconds;
    struct tm parts;
    if (!localtime_r(&t, &parts) || !strftime(out, room, "%Y-%m-%d %H:%M", &parts)) snprintf(out, room, "?");
    return out;
}

/* ---- what is done to each ---- */

static void as_json(struct visit *v, const struct wl_cache_entry *e) {
    const struct wl_launch *launch = &e->image.launch;
    char key[33];
    wl_json_open(&v->json, NULL, '{');
    wl_json_text(&v->json, "key", stem(e, key));
    wl_json_int(&v->json, "bytes", (int64_t)e->bytes);
    wl_json_int(&v->json, "used", e->used);
    wl_json_text(&v->json, "wrong", *e->wrong ? e->wrong : NULL);
    if (!*e->wrong) {
        wl_json_text(&v->json, "entry", launch->entry);
        wl_json_text(&v->json, "target", launch->target);
        wl_json_text(&v->json, "schedule", e->image.schedule);
        wl_json_int(&v->json, "head_dim", launch->head_dim);
        wl_json_text(&v->json, "dtype", launch->dtype == WL_BF16 ? "bf16" : "fp16");
        wl_json_bool(&v->json, "causal", launch->causal != 0);
        wl_json_int(&v->json, "cubin_bytes", (int64_t)e->image.cubin_bytes);
        wl_json_int(&v->json, "ptx_bytes", (int64_t)e->image.ptx_bytes);
    }
    wl_json_close(&v->json);
}

static bool list(void *user, const struct wl_cache_entry *e) {
    struct visit *v = user;
    char key[33], size[32], used[32];
    v->count++;
    v->bytes += e->bytes;
    if (v->as_json) as_json(v, e);
    else
        wl_text_printf(&v->text, "%s  %8s  %s  %s%s\n", stem(e, key),
                       wl_cli_bytes((double)e->bytes, size, sizeof size), when(e->used, used, sizeof used),
                       *e->wrong ? "WRONG: " : "", *e->wrong ? e->wrong : e->image.launch.entry);
    return true;
}

static bool show(void *user, const struct wl_cache_entry *e) {
    struct visit *v = user;
    const struct wl_launch *launch = &e->image.launch;
    char key[33], size[32], used[32];
    if (strncmp(e->name, v->wanted, strlen(v->wanted))) return true;
    v->count++;
    if (v->as_json) return as_json(v, e), true;
    wl_text_printf(&v->text, "%s  %s, used %s\n", stem(e, key),
                   wl_cli_bytes((double)e->bytes, size, sizeof size), when(e->used, used, sizeof used));
    if (*e->wrong) return wl_text_printf(&v->text, "  WRONG: %s\n", e->wrong), true;
    wl_text_printf(&v->text, "  entry     %s\n  schedule  %s\n  problem   head_dim %u, %s, %s\n",
                   launch->entry, e->image.schedule, launch->head_dim,
                   launch->dtype == WL_BF16 ? "bf16" : "fp16", launch->causal ? "causal" : "full");
    wl_text_printf(&v->text,
                   "  launch    %s, %u threads, clusters of %u, %u B of shared memory, %u parameters\n",
                   launch->target, launch->threads, launch->cluster, launch->smem_bytes, launch->param_count);
    wl_text_printf(&v->text, "  holds     cubin %zu B, PTX %zu B\n", e->image.cubin_bytes,
                   e->image.ptx_bytes);
    return true;
}

static bool verify(void *user, const struct wl_cache_entry *e) {
    struct visit *v = user;
    v->count++;
    v->bytes += e->bytes;
    if (!*e->wrong) return true;
    v->wrong++;
    wl_text_printf(&v->text, "%s: %s\n", e->name, e->wrong);
    return true;
}

static bool clear(void *user, const struct wl_cache_entry *e) {
    struct visit *v = user;
    v->removed += wl_cache_remove(v->cache, e->name);
    return true;
}

/* ---- the words ---- */

static enum wl_status do_list(struct visit *v, const struct values *values, struct wl_error *error) {
    char size[32];
    v->as_json = values->json;
    if (v->as_json) wl_json_open(&v->json, NULL, '[');
    enum wl_status status = wl_cache_each(v->cache, v->wanted ? show : list, v, error);
    if (v->as_json) wl_json_close(&v->json);
    else if (!v->wanted)
        wl_text_printf(&v->text, "%d kernels, %s in %s\n", v->count,
                       wl_cli_bytes((double)v->bytes, size, sizeof size), wl_cache_folder(v->cache));
    if (!status && v->wanted && !v->count)
        status = wl_fail(error, WL_ERR_INPUT, NULL, 0, "cache show", "no key begins with %s", v->wanted);
    return status;
}

static enum wl_status do_verify(struct visit *v, const struct values *values, struct wl_error *error) {
    (void)values;
    enum wl_status status = wl_cache_each(v->cache, verify, v, error);
    wl_text_printf(&v->text, "%d kernels, %d wrong\n", v->count, v->wrong);
    if (!status && v->wrong) {
        wl_cli_output(NULL, &v->text, NULL);
        v->text.length = 0;
        status = wl_fail(error, WL_ERR_WRONG, wl_cache_folder(v->cache), 0, NULL,
                         "%d of %d entries are wrong; they are built again when they are needed", v->wrong,
                         v->count);
    }
    return status;
}

static enum wl_status do_prune(struct visit *v, const struct values *values, struct wl_error *error) {
    uint64_t bytes;
    enum wl_status status = wl_cache_limit((uint64_t)values->bytes, &bytes, error);
    if (status) return status;
    wl_text_printf(&v->text, "%d files removed\n", wl_cache_prune(v->cache, bytes));
    return WL_OK;
}

static enum wl_status do_clear(struct visit *v, const struct values *values, struct wl_error *error) {
    (void)values;
    enum wl_status status = wl_cache_each(v->cache, clear, v, error);
    wl_cache_prune(v->cache, UINT64_MAX);
    wl_text_printf(&v->text, "%d kernels removed\n", v->removed);
    return status;
}

static enum wl_status do_path(struct visit *v, const struct values *values, struct wl_error *error) {
    char path[PATH_MAX]; /* there may be nothing yet */
    enum wl_status status = wl_cache_path(values->folder, path, sizeof path, error);
    if (!status) wl_text_printf(&v->text, "%s\n", path);
    return status;
}

static const struct word {
    const char *name;
    int words; /* with the name */
    enum wl_status (*run)(struct visit *visit, const struct values *values, struct wl_error *error);
} words[] = {{"list", 1, do_list},   {"show", 2, do_list},   {"verify", 1, do_verify},
             {"prune", 1, do_prune}, {"clear", 1, do_clear}, {"path", 1, do_path}};

static const struct word *find_word(const struct wl_cli_call *call, struct wl_error *error) {
    const char *names[sizeof words / sizeof *words + 1] = {NULL};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        names[i] = words[i].name;
        if (strcmp(call->words[0], words[i].name)) continue;
        if (call->word_count == words[i].words) return &words[i];
        wl_fail(error, WL_ERR_USAGE, NULL, 0, NULL, "cache %s takes %s", words[i].name,
                words[i].words == 1 ? "no further word" : "a KEY, or how it begins");
        return NULL;
    }
    const char *near = wl_cli_nearest(call->words[0], names);
    wl_fail(error, WL_ERR_USAGE, NULL, 0, NULL, "no command \"cache %s\"; %s%s", call->words[0],
            near ? "did you mean cache " : "there are list, show, verify, prune, clear and path",
            near ? near : "");
    return NULL;
}

static enum wl_status run(const struct wl_cli_call *call, struct wl_error *error) {
    const struct values *values = call->values;
    struct visit visit = {.wanted = call->word_count > 1 ? call->words[1] : NULL};
    struct wl_log log;
    char path[PATH_MAX];
    const struct word *word = find_word(call, error);
    if (!word) return WL_ERR_USAGE;
    visit.json.text = &visit.text;
    enum wl_status status = wl_log_init(&log, NULL, NULL, error);
    if (!status) status = wl_cache_path(values->folder, path, sizeof path, error);
    if (!status && word->run != do_path)
        status = wl_cache_open(&visit.cache, path, WL_CACHE_BYTES_DEFAULT, &log, error);
    if (!status) status = word->run(&visit, values, error);
    if (!status) status = wl_cli_output(NULL, &visit.text, error);
    wl_text_fini(&visit.text);
    wl_cache_close(visit.cache);
    return status;
}

const struct wl_cli_command wl_cli_cache = {
    .name = "cache",
    .arguments = "list|show KEY|verify|prune|clear|path [options]",
    .doc = "look at the kernels on disk, check them, remove them",
    .options = options,
    .defaults = &defaults,
    .values_bytes = sizeof defaults,
    .words_min = 1,
    .words_max = 2,
    .run = run,
};
