/* choose: see choose.h. The key is choose_key.c. */
#include "runtime/choose.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "gen/arch.h"
#include "gen/embed.h"
#include "runtime/choose_names.h"
#include "runtime/driver.h"

/* ---- targets ---- */

const char *wl_choose_target(int cc_major, int cc_minor) {
    const struct wl_arch *arch;
    for (int i = 0; (arch = wl_arch_at(i)); i++)
        if (wl_driver_can_run(cc_major, cc_minor, arch->name)) return arch->name;
    return NULL;
}

const char *wl_choose_targets(char *out, size_t out_bytes) {
    size_t length = 0;
    const struct wl_arch *arch;
    out[0] = '\0';
    for (int i = 0; (arch = wl_arch_at(i)) && length < out_bytes; i++)
        length += (size_t)snprintf(out + length, out_bytes - length, "%s%s", i ? "," : "", arch->name);
    return out;
}

/* ---- does it fit? ---- */

struct search {
    const struct wl_choice *choice;
    struct wl_schedule *schedule;
    struct wl_text *why; /* a line each; may be NULL */
    struct wl_text seen; /* the same on one line, for an error */
    struct wl_error *error;
    bool found;
};

/* A schedule for sm_100a also makes code for sm_103a, a part of the same family [ptxas]. */
static const char *target_override(const char *schedule, const char *device) {
    return !strcmp(schedule, "sm_100a") && !strcmp(device, "sm_103a") ? "target=sm_103a" : NULL;
}

bool wl_choose_fits(const struct wl_schedule *s, const struct wl_choice *c, char *reason, size_t room) {
    int dim = c->problem->head_dim;
    if (strcmp(s->target, c->target) && !target_override(s->target, c->target))
        return snprintf(reason, room, "is for %s", s->target), false;
    if (strcmp(s->pass, "forward")) return snprintf(reason, room, "is of the %s pass", s->pass), false;
    if (dim < s->head_dim_min || dim > s->head_dim)
        return snprintf(reason, room, "serves head dimensions %d to %d", s->head_dim_min, s->head_dim), false;
    if (!wl_schedule_serves(s, c->problem->causal))
        return snprintf(reason, room, "serves %s attention", s->masks == WL_MASKS_FULL ? "full" : "causal"), false;
    int dim_v = c->problem->head_dim_v ? c->problem->head_dim_v : dim;
    if (s->head_dim_v ? dim_v > s->head_dim_v : dim_v != dim)
        return snprintf(reason, room, s->head_dim_v ? "serves V and O of head dimension 8 to %d" : "serves V and O of the head dimension of Q and K",
                        s->head_dim_v), false;
    snprintf(reason, room, "taken: %s, head dimensions %d to %d", s->target, s->head_dim_min, s->head_dim);
    return true;
}

/* One candidate: a file's path, or an embedded one. */
static enum wl_status read_candidate(struct search *search, const char *path, const struct wl_embedded *file,
                                     const char *override) {
    char name[160];
    int count = override != NULL;
    if (!file) return wl_schedule_load(search->schedule, path, &override, count, search->error);
    snprintf(name, sizeof name, "embedded:%s", strrchr(file->name, '/') + 1);
    return wl_schedule_parse(search->schedule, file->bytes, file->length, name, &override, count,
                             search->error);
}

static enum wl_status consider(struct search *search, const char *path, const struct wl_embedded *file) {
    char reason[160];
    enum wl_status status = read_candidate(search, path, file, NULL);
    if (status) return status;
    search->found = wl_choose_fits(search->schedule, search->choice, reason, sizeof reason);
    const char *source = search->schedule->source;
    if (search->why) wl_text_printf(search->why, "  %-44s %s\n", source, reason);
    wl_text_printf(&search->seen, "%s%s %s", search->seen.length ? "; " : "", source, reason);
    const char *override = target_override(search->schedule->target, search->choice->target);
    return search->found && override ? read_candidate(search, path, file, override) : WL_OK;
}

/* ---- the candidates ---- */

static enum wl_status consider_user(struct search *search, const char *user) {
    struct stat info;
    struct wl_names names;
    char path[PATH_MAX];
    if (stat(user, &info))
        return wl_fail(search->error, WL_ERR_INPUT, user, 0, NULL, "cannot read schedules: %s",
                       strerror(errno));
    if (!S_ISDIR(info.st_mode)) return consider(search, user, NULL);
    enum wl_status status = wl_names_read(&names, user, true, search->error);
    for (size_t i = 0; !status && !search->found && i < names.count; i++) {
        snprintf(path, sizeof path, "%s/%s", user, names.at[i]);
        status = consider(search, path, NULL);
    }
    wl_names_fini(&names);
    return status;
}

static bool is_schedule(const char *name) {
    static const char folder[] = "schedules/", suffix[] = ".lua";
    size_t length = strlen(name), least = sizeof folder + sizeof suffix - 2;
    return length > least && !strncmp(name, folder, sizeof folder - 1) &&
           !strchr(name + sizeof folder - 1, '/') && !strcmp(name + length - (sizeof suffix - 1), suffix);
}

static enum wl_status consider_all(struct search *search) {
    enum wl_status status = WL_OK;
    const char *user = search->choice->user;
    if (user && *user) status = consider_user(search, user);
    for (const struct wl_embedded *f = wl_embedded_files; f->name && !status && !search->found; f++)
        if (is_schedule(f->name)) status = consider(search, NULL, f);
    return status;
}

enum wl_status wl_choose_schedule(struct wl_schedule *schedule, const struct wl_choice *choice,
                                  struct wl_text *why, struct wl_error *error) {
    struct search search = {.choice = choice, .schedule = schedule, .why = why, .error = error};
    const char *named = choice->problem->schedule;
    char dims[48];
    int length = snprintf(dims, sizeof dims, "%d", choice->problem->head_dim);
    if (choice->problem->head_dim_v && choice->problem->head_dim_v != choice->problem->head_dim)
        snprintf(dims + length, sizeof dims - (size_t)length, " with %d for V", choice->problem->head_dim_v);
    enum wl_status status = named ? consider(&search, named, NULL) : consider_all(&search);
    if (!status && (search.seen.failed || (why && why->failed)))
        status = wl_fail(error, WL_ERR_NO_MEMORY, NULL, 0, NULL, "no memory to look for a schedule");
    if (!status && !search.found)
        status = wl_fail(error, WL_ERR_INPUT, NULL, 0, "head_dim",
                         "no schedule serves head dimension %s on %s: %s", dims, choice->target, search.seen.bytes ? search.seen.bytes : "there is none");
    wl_text_fini(&search.seen);
    return status;
}
