/* sass_count: what a kernel's steady state costs: the instructions of each role's loop, by the pipe that
 * executes them, and, where the plan is known, the clocks of a step in the form of explain's cost model.
 *
 * A role's step loop is its most deeply nested one (the largest of those); tile loops and polls are none.
 * Where a loop in it has the same header, that one is a turn, once for each query tile. */
#ifndef WL_SASS_COUNT_H
#define WL_SASS_COUNT_H

#include "gen/explain.h"
#include "gen/sass_flow.h"

/* The order of the columns that reports print. */
#define WL_SASS_PIPES(row)                                                                                   \
    row(MUFU, "mufu") row(FMA, "fma") row(ALU, "alu") row(MMA, "mma") row(TMEM, "tmem")                      \
        row(SHARED, "shared") row(GLOBAL, "global") row(LOCAL, "local") row(TMA, "tma")                      \
            row(UNIFORM, "uniform") row(CONTROL, "control") row(OTHER, "other")

enum wl_sass_pipe {
#define WL_SASS_PIPE_ID(id, name) WL_SASS_##id,
    WL_SASS_PIPES(WL_SASS_PIPE_ID)
#undef WL_SASS_PIPE_ID
        WL_SASS_PIPE_COUNT
};
extern const char *const wl_sass_pipe_names[WL_SASS_PIPE_COUNT];

struct wl_sass_counts {
    int all, pipe[WL_SASS_PIPE_COUNT];
    int fma_ops;         /* of a thread: a packed instruction is two */
    int tmem_read_bytes; /* of a warp */
    int shared_bytes;    /* of a warp */
};

enum wl_sass_pipe wl_sass_pipe_of(const char *op);
void wl_sass_count_insn(struct wl_sass_counts *counts, const struct wl_sass_insn *insn);

/* One role's step. */
struct wl_sass_role {
    const char *name;
    int loop;                        /* of the flow; -1: the role has no step loop */
    int turns;                       /* how often the turn inside runs a step; 1: there is none */
    int in_turn;                     /* instructions of the turn, laid out once; 0 without turns */
    unsigned address;                /* of the loop's header */
    struct wl_sass_counts always;    /* a step without masks or rescaling, all turns together */
    struct wl_sass_counts mask;      /* what a masked step adds */
    struct wl_sass_counts sometimes; /* what else is stepped over where it can be: rescaling */
    struct wl_sass_counts whole;     /* everything of the role, laid out once */
    int apart;                       /* slow paths of waits, laid out elsewhere */
};

/* FlashAttention-4's kernel, assembled by ptxas 13.0, for the same work. */
struct wl_sass_peer {
    const char *role, *what; /* "softmax", "step" | "masked step" | "mufu" | "rescaling step" */
    int ours, theirs;
};
#define WL_SASS_MAX_PEERS 8

struct wl_sass_report {
    const struct wl_plan *plan; /* NULL: machine code from elsewhere */
    const char *name, *target;
    int instructions, registers;
    bool assembled; /* what ptxas said is known: version, spills, stack */
    char ptxas[32];
    int spill_bytes, stack_bytes;
    struct wl_sass_role roles[WL_SASS_MAX_ROLES];
    int role_count;
    struct wl_cost model, counted; /* explain's, and the same from the counts; only with a plan */
    struct wl_sass_peer peers[WL_SASS_MAX_PEERS];
    int peer_count;
    struct wl_sass_flow flow;
};

enum wl_status wl_sass_measure(struct wl_arena *arena, const struct wl_sass *sass,
                               const struct wl_sass_function *function, const struct wl_plan *plan,
                               struct wl_sass_report *report, struct wl_error *error);

/* What a role's step is in full: always + mask where masked, + what is stepped over where rescaling. */
int wl_sass_step(const struct wl_sass_role *role, bool masked, bool rescaling);

#endif
