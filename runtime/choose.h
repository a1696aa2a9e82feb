/* choose: which schedule serves a problem, and the key that stands for all that shapes its kernel.
 *
 * The candidates in their order: the user's file, or the .lua files of the user's folder by name (those that
 * start with '_' or '.' are for include alone); then the shipped ones by name. The first that fits the target,
 * the head dimension and the mask is taken. */
#ifndef WL_CHOOSE_H
#define WL_CHOOSE_H

#include "gen/arena.h"
#include "gen/schedule.h"
#include "runtime/warploom.h"

/* What kernels are made for on a device of this compute capability; NULL: none can be. */
const char *wl_choose_target(int cc_major, int cc_minor);
/* All such targets, with commas between them, for wl_driver_open(). */
const char *wl_choose_targets(char *out, size_t out_bytes);

struct wl_choice {
    const char *user; /* file or folder of schedules; NULL: the shipped ones alone */
    const char *target;
    const struct wl_problem *problem;
    const char *auxiliary; /* "copy": not a schedule's kernel but this one, whatever the problem; NULL: none */
};

/* Whether this schedule serves the choice's target and problem; reason: in a few words, why or why not. */
bool wl_choose_fits(const struct wl_schedule *schedule, const struct wl_choice *choice, char *reason,
                    size_t reason_bytes);

/* Runs the candidates' Lua until one fits, or the one that problem->schedule names. WL_ERR_INPUT: none fits
 * (the text has the candidates), or a candidate is wrong. why: a line for each candidate is added; may be
 * NULL. */
enum wl_status wl_choose_schedule(struct wl_schedule *schedule, const struct wl_choice *choice,
                                  struct wl_text *why, struct wl_error *error);

struct wl_key {
    uint8_t bytes[16];
};
void wl_key_text(const struct wl_key *key, char out[33]);

/* XXH3-128 of the generator's version, every shipped schedule and template, the bytes of whatever the user's
 * choice may read, the problem, the target, and the driver (its version; whether emulated), WARPLOOM_LINEINFO. Runs no Lua. */
enum wl_status wl_choose_key(struct wl_key *key, const struct wl_choice *choice, int driver_version,
                             bool emulated, struct wl_error *error);

/* Of the problem (or the auxiliary kernel) and the target alone: what a bundle finds a kernel by. */
void wl_choose_bundle_key(struct wl_key *key, const struct wl_choice *choice);

#endif
