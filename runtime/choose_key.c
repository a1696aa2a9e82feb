/* choose_key: the key of a kernel, from bytes alone. Each item goes in with its length before it, so that no
 * two lists of items are the same bytes. */
#define _GNU_SOURCE             /* memmem */
#define XXH_STATIC_LINKING_ONLY /* a state on the stack */
#include "runtime/choose.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

#include "gen/embed.h"
#include "gen/file.h"
#include "gen/version.h"
#include "runtime/choose_names.h"
#include "runtime/image.h"

static void add(XXH3_state_t *state, const void *bytes, size_t length) {
    uint64_t size = length;
    XXH3_128bits_update(state, &size, sizeof size);
    XXH3_128bits_update(state, bytes, length);
}

static void add_text(XXH3_state_t *state, const char *text) { add(state, text, strlen(text)); }

/* ---- what is inside the program: the same all its life ---- */

static XXH128_hash_t embedded;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void hash_embedded(void) {
    XXH3_state_t state;
    XXH3_128bits_reset(&state);
    add_text(&state, WL_VERSION);
    for (const struct wl_embedded *file = wl_embedded_files; file->name; file++) {
        add_text(&state, file->name);
        add(&state, file->bytes, file->length);
    }
    embedded = XXH3_128bits_digest(&state);
}

/* ---- what the user gives ---- */

static enum wl_status add_file(XXH3_state_t *state, const char *path, bool *includes,
                               struct wl_error *error) {
    char *bytes;
    size_t size;
    enum wl_status status = wl_file_read(path, &bytes, &size, error);
    if (status) return status;
    add_text(state, path);
    add(state, bytes, size);
    if (includes) *includes = memmem(bytes, size, "include", 7) != NULL;
    wl_free(bytes);
    return WL_OK;
}

static enum wl_status add_folder(XXH3_state_t *state, const char *folder, struct wl_error *error) {
    struct wl_names names;
    char path[PATH_MAX];
    enum wl_status status = wl_names_read(&names, folder, false, error);
    for (size_t i = 0; !status && i < names.count; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names.at[i]);
        status = add_file(state, path, NULL, error);
    }
    wl_names_fini(&names);
    return status;
}

/* A file that includes others may include any of its folder. */
static enum wl_status add_path(XXH3_state_t *state, const char *path, struct wl_error *error) {
    struct stat info;
    bool includes = false;
    char folder[PATH_MAX];
    if (stat(path, &info))
        return wl_fail(error, WL_ERR_INPUT, path, 0, NULL, "cannot read schedules: %s", strerror(errno));
    if (S_ISDIR(info.st_mode)) return add_folder(state, path, error);
    enum wl_status status = add_file(state, path, &includes, error);
    if (status || !includes) return status;
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
    return add_folder(state, folder, error);
}

/* ---- the key ---- */

static void add_problem(XXH3_state_t *state, const struct wl_choice *choice) {
    const struct wl_problem *p = choice->problem;
    const int32_t numbers[] = {p->head_dim, p->head_dim_v ? p->head_dim_v : p->head_dim, (int32_t)p->dtype, p->causal};
    if (choice->auxiliary) add_text(state, choice->auxiliary); /* of another length than all numbers */
    else add(state, numbers, sizeof numbers);
    add_text(state, choice->target);
}

static void finish(struct wl_key *key, const XXH3_state_t *state) {
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state));
    memcpy(key->bytes, canonical.digest, sizeof key->bytes);
}

void wl_choose_bundle_key(struct wl_key *key, const struct wl_choice *choice) {
    XXH3_state_t state;
    XXH3_128bits_reset(&state);
    add_problem(&state, choice);
    finish(key, &state);
}

enum wl_status wl_choose_key(struct wl_key *key, const struct wl_choice *choice, int driver_version,
                             bool is_emulated, struct wl_error *error) {
    const struct wl_problem *p = choice->problem;
    const int32_t numbers[] = {driver_version, is_emulated, wl_image_lines()};
    XXH3_state_t state;
    struct stat info;
    enum wl_status status = WL_OK;
    pthread_once(&once, hash_embedded);
    XXH3_128bits_reset(&state);
    add(&state, &embedded, sizeof embedded);
    add_problem(&state, choice);
    add(&state, numbers, sizeof numbers);
    add_text(&state, p->schedule ? p->schedule : "");
    if (p->schedule) {
        if (!stat(p->schedule, &info))
            status = add_path(&state, p->schedule, error); /* else a shipped name */
    } else if (!choice->auxiliary && choice->user && *choice->user) status = add_path(&state, choice->user, error);
    if (status) return status;
    finish(key, &state);
    return WL_OK;
}

void wl_key_text(const struct wl_key *key, char out[33]) {
    for (int i = 0; i < 16; i++) snprintf(out + 2 * i, 3, "%02x", key->bytes[i]);
}
