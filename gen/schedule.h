/* schedule: a Lua file becomes a struct wl_schedule, every field checked.
 *
 * The file returns one flat table. It runs sandboxed: no io, os, package, debug, load*, and no bytecode; an
 * instruction limit and a memory limit; `include "sibling.lua"` runs a file of the same folder (of the embedded set
 * for an embedded schedule) in the same sandbox and returns its value. Errors read
 *     file:line: field: what is wrong, what is allowed
 * where line is the field's line in the file. Unknown fields name the nearest known one. */
#ifndef WL_SCHEDULE_H
#define WL_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include "gen/error.h"
#include "gen/launch.h"

enum wl_rescale { WL_RESCALE_LATE, WL_RESCALE_EARLY };
enum wl_scheduler { WL_SCHEDULER_AUTO, WL_SCHEDULER_SINGLE, WL_SCHEDULER_PERSISTENT, WL_SCHEDULER_LPT, WL_SCHEDULER_CLC };
enum wl_masks { WL_MASKS_ANY, WL_MASKS_FULL, WL_MASKS_CAUSAL };
enum wl_head_order { WL_HEAD_ORDER_AUTO, WL_HEAD_ORDER_HEAD, WL_HEAD_ORDER_GROUP, WL_HEAD_ORDER_SECTION };

/* Candidates of one field, from the schedule's `tune` table (schedule_tune.h), as key=value takes them. */
#define WL_TUNE_MAX_KNOBS 12
#define WL_TUNE_MAX_VALUES 16
struct wl_tune_knob {
    int field; /* enum wl_field */
    int count;
    char values[WL_TUNE_MAX_VALUES][24];
};

/* One field each of schedule_fields.def; comments there. Strings are owned by the schedule. */
struct wl_schedule {
    char name[64];   /* entry name prefix; defaults to the file's stem */
    char source[256]; /* where it came from, for messages: path or "embedded:NAME" */
    char target[16];
    char pass[16];   /* "forward" */
    int head_dim;    /* largest head dimension it serves; tiles are padded to it */
    int head_dim_min; /* smallest */
    enum wl_masks masks;
    int head_dim_v;   /* largest of V and O; 0: always that of Q and K */
    enum wl_dtype dtype;
    bool causal;
    int tile_m, tile_n, q_tiles;
    int s_stages;
    int stages_kv, stages_q;
    bool cta_pair;
    bool o_over_q;
    int exp2_degree;
    double exp2_share;
    double rescale_threshold, rescale_weight;
    bool rescale_always;
    int p_split;
    int warp_softmax, warp_correction, warp_mma, warp_load, warp_epilogue;
    int regs_softmax, regs_correction, regs_other;
    bool ping_pong;
    enum wl_rescale rescale;
    int cluster;
    int regs_consumer, regs_load;
    enum wl_scheduler scheduler;
    enum wl_head_order head_order;
    int line[64];    /* line[i]: source line of the i-th row of schedule_fields.def, 0 = default, -1 = key=value override */
    unsigned char from[64];  /* which file that line is in: 0 = source, i = includes[i - 1], or WL_FROM_DEFAULT */
    char includes[4][256];   /* files that the source included */
    struct wl_tune_knob tune[WL_TUNE_MAX_KNOBS]; /* in the order of schedule_fields.def */
    int tune_count;
};
#define WL_FROM_DEFAULT 255

/* The row number of a field of schedule_fields.def, WL_FIELD_tile_n and so on: index into .line. */
enum wl_field {
#define WL_SCHEDULE_FIELD(name, type, fallback, lo, hi, step, choices, on, doc) WL_FIELD_##name,
#include "gen/schedule_fields.def"
#undef WL_SCHEDULE_FIELD
    WL_FIELD_COUNT
};

/* Reads `path`; where no such file exists and it names a shipped schedule ("sm100_fwd_hd128", with or without .lua),
 * reads the embedded one. overrides: `count` strings "key=value" (may be NULL/0). On failure *schedule is undefined. */
enum wl_status wl_schedule_load(struct wl_schedule *schedule, const char *path, const char *const *overrides, int count,
                                struct wl_error *error);

/* The same from memory; name is used in messages. */
enum wl_status wl_schedule_parse(struct wl_schedule *schedule, const char *text, size_t bytes, const char *name,
                                 const char *const *overrides, int count, struct wl_error *error);

bool wl_schedule_serves(const struct wl_schedule *schedule, bool causal); /* that mask */

/* The file that line[field] is in. */
const char *wl_schedule_file(const struct wl_schedule *schedule, enum wl_field field);

/* Where a value came from: "schedules/mine.lua:14", "default" or "key=value". */
const char *wl_schedule_origin(const struct wl_schedule *schedule, enum wl_field field, char *out, size_t out_bytes);

/* One final value as text ("128", "0.125", "lpt"), for explain and the PTX header. */
const char *wl_schedule_value(const struct wl_schedule *schedule, enum wl_field field, char *out, size_t out_bytes);
/* Whether kernels for this target have the field. */
bool wl_field_applies(enum wl_field field, const char *target);
const char *wl_field_name(enum wl_field field);
const char *wl_field_doc(enum wl_field field);
/* The index-th choice of an ENUM field ("lpt"). */
const char *wl_field_choice(enum wl_field field, int index, char *out, size_t out_bytes);
const char *wl_field_allowed(enum wl_field field, char *out, size_t out_bytes); /* "32 to 128 in steps of 32" */

#endif
