/* sass_flow: which way a function goes: its loops, and whose each instruction is.
 *
 * A loop is a back edge to a header that dominates it, and all from which that edge is reached without
 * passing the header. Two back edges to one header are two loops, the smaller inside the larger: turns inside
 * a step.
 *
 *     header  ...  wait ─┐ ...  [ skipped: not on every way ]  ...  back edge
 *               ▲        ▼
 *               └── apart: laid out elsewhere, the slow path of a wait */
#ifndef WL_SASS_FLOW_H
#define WL_SASS_FLOW_H

#include "gen/sass.h"

struct wl_sass_loop {
    int first, last; /* the header and the back edge */
    int parent;      /* the loop around it, -1: none; polls are no parents */
    int depth;       /* 1: outermost */
    int role;
    bool poll; /* does nothing but wait */
    bool tile; /* goes on to the next work tile (its back edge is of lib/tile.ptx) */
};

#define WL_SASS_MAX_LOOPS 256
#define WL_SASS_MAX_ROLES 16

struct wl_sass_flow {
    const struct wl_sass_function *function;
    struct wl_sass_loop loops[WL_SASS_MAX_LOOPS]; /* polls too */
    int loop_count;
    const char *roles[WL_SASS_MAX_ROLES]; /* [0]: "frame", what is no role's */
    int role_count;
    /* per instruction */
    short *role, *loop; /* loop: the innermost that is no poll, -1: none */
    bool *apart, *skipped;
};

enum wl_status wl_sass_flow(struct wl_arena *arena, const struct wl_sass_function *function,
                            struct wl_sass_flow *flow, struct wl_error *error);

/* The function of a template ("softmax_mask") in which the line stands, as the shipped templates have it; ""
 * where it is in none. */
const char *wl_sass_template_function(const char *file, int line, char *out, size_t out_bytes);

#endif
