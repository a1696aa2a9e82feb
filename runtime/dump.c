/* dump: see dump.h. */
#include "runtime/dump.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "gen/file.h"

static const struct {
    const char *name, *suffix;
} stages[WL_DUMP_STAGES] = {[WL_DUMP_PLAN] = {"plan", "plan.txt"},
                            [WL_DUMP_PTX] = {"ptx", "ptx"},
                            [WL_DUMP_CUBIN] = {"cubin", "cubin"},
                            [WL_DUMP_CACHE] = {"cache", "cache.txt"},
                            [WL_DUMP_TRACE] = {"trace", "trace.txt"}};

static unsigned stage_bits(const char *word, size_t length) {
    if (length == 3 && !strncmp(word, "all", 3)) return (1u << WL_DUMP_STAGES) - 1;
    for (unsigned i = 0; i < WL_DUMP_STAGES; i++)
        if (strlen(stages[i].name) == length && !strncmp(word, stages[i].name, length)) return 1u << i;
    return 0;
}

enum wl_status wl_dump_init(struct wl_dump *dump, const struct wl_log *log, struct wl_error *error) {
    const char *wanted = getenv("WARPLOOM_DUMP"), *folder = getenv("WARPLOOM_DUMP_DIR");
    dump->stages = 0;
    dump->log = log;
    atomic_init(&dump->warned, false);
    if (!folder || !*folder) folder = "warploom-dump";
    int length = snprintf(dump->folder, sizeof dump->folder, "%s", folder);
    for (const char *at = wanted; at && *at;) {
        size_t span = strcspn(at, ",");
        unsigned bits = stage_bits(at, span);
        if (!bits)
            return wl_fail(error, WL_ERR_USAGE, NULL, 0, "WARPLOOM_DUMP",
                           "\"%.*s\": must be plan, ptx, cubin, cache, trace or all, with commas between",
                           (int)span, at);
        dump->stages |= bits;
        at += span + (at[span] == ',');
    }
    if (!dump->stages || (length > 0 && (size_t)length < sizeof dump->folder - 64)) return WL_OK;
    return wl_fail(error, WL_ERR_USAGE, NULL, 0, "WARPLOOM_DUMP_DIR", "longer than %zu bytes",
                   sizeof dump->folder - 65);
}

bool wl_dump_wants(const struct wl_dump *dump, enum wl_dump_stage stage) { return dump->stages >> stage & 1; }

static void warn(struct wl_dump *dump, const char *path, const char *why) {
    bool again = atomic_exchange(&dump->warned, true);
    wl_log_line(dump->log, again ? WL_LOG_DEBUG : WL_LOG_WARN, "dump %s: %s", path, why);
}

static void path_of(struct wl_dump *dump, enum wl_dump_stage stage, const struct wl_key *key, char *out,
                    size_t room) {
    char text[33];
    wl_key_text(key, text);
    mkdir(dump->folder, 0777); /* if it cannot be, writing says so */
    snprintf(out, room, "%s/%s.%s", dump->folder, text, stages[stage].suffix);
}

void wl_dump_bytes(struct wl_dump *dump, enum wl_dump_stage stage, const struct wl_key *key,
                   const void *bytes, size_t size) {
    char path[600];
    struct wl_error why = {0};
    if (!wl_dump_wants(dump, stage)) return;
    path_of(dump, stage, key, path, sizeof path);
    if (wl_file_write(path, bytes, size, &why)) warn(dump, path, why.text);
}

/* The comment that a generated kernel begins with, without what follows. */
static size_t header_bytes(const char *ptx) {
    const char *at = ptx;
    while (!strncmp(at, "//", 2)) {
        at += strcspn(at, "\n");
        at += *at == '\n';
    }
    return (size_t)(at - ptx);
}

void wl_dump_image(struct wl_dump *dump, const struct wl_key *key, const struct wl_image *image) {
    if (!dump->stages) return;
    if (image->ptx) {
        wl_dump_bytes(dump, WL_DUMP_PLAN, key, image->ptx, header_bytes(image->ptx));
        wl_dump_bytes(dump, WL_DUMP_PTX, key, image->ptx, image->ptx_bytes);
    }
    if (image->cubin) wl_dump_bytes(dump, WL_DUMP_CUBIN, key, image->cubin, image->cubin_bytes);
}

void wl_dump_launch(const struct wl_trace *trace, const CUlaunchConfig *config, const char *sizes) {
    char path[600];
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    path_of(trace->dump, WL_DUMP_TRACE, &trace->key, path, sizeof path);
    FILE *file = fopen(path, "ae");
    if (!file) return warn(trace->dump, path, strerror(errno));
    fprintf(file, "%lld.%06ld grid %u, threads %u, shared memory %u B, stream %p: %s\n",
            (long long)now.tv_sec, now.tv_nsec / 1000, config->gridDimX, config->blockDimX,
            config->sharedMemBytes, (void *)config->hStream, sizes);
    if (fclose(file)) warn(trace->dump, path, strerror(errno));
}
