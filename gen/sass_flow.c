/* sass_flow: see sass_flow.h. Dominators after Cooper, Harvey and Kennedy, on instructions: a kernel has a
 * few thousand of them, each with two ways on at most. */
#include "gen/sass_flow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gen/embed.h"

struct graph {
    const struct wl_sass_insn *insns;
    int count;
    int *order, *rank; /* reverse postorder, and the place of each in it; rank -1: not reached */
    int ordered;
    int *idom;
    int *pred_head, *pred_next, *pred_of; /* edges to an instruction, a list: 2 * count edges at most */
};

static int successor(const struct graph *g, int i, int which) {
    if (which == 0) return g->insns[i].falls && i + 1 < g->count ? i + 1 : -1;
    return g->insns[i].target;
}

static void link_predecessors(struct graph *g) {
    int edges = 0;
    for (int i = 0; i < g->count; i++) g->pred_head[i] = -1;
    for (int i = 0; i < g->count; i++)
        for (int w = 0; w < 2; w++) {
            int to = successor(g, i, w);
            if (to < 0 || g->rank[i] < 0) continue;
            g->pred_of[edges] = i;
            g->pred_next[edges] = g->pred_head[to];
            g->pred_head[to] = edges++;
        }
}

/* Depth first with a stack of its own; rank holds the next way to take (0, 1, 2) while under way. */
static void order(struct graph *g, int *stack) {
    int depth = 0, finished = g->count;
    for (int i = 0; i < g->count; i++) g->rank[i] = -1;
    stack[depth++] = 0;
    g->rank[0] = 0;
    while (depth) {
        int i = stack[depth - 1], way = g->rank[i]++;
        if (way == 2) {
            g->order[--finished] = i;
            depth--;
            continue;
        }
        int to = successor(g, i, way);
        if (to >= 0 && g->rank[to] < 0) {
            g->rank[to] = 0;
            stack[depth++] = to;
        }
    }
    g->ordered = g->count - finished;
    memmove(g->order, g->order + finished, (size_t)g->ordered * sizeof *g->order);
    for (int k = 0; k < g->ordered; k++) g->rank[g->order[k]] = k;
}

static void dominators(struct graph *g) {
    bool changed = true;
    for (int i = 0; i < g->count; i++) g->idom[i] = -1;
    g->idom[0] = 0;
    while (changed) {
        changed = false;
        for (int k = 1; k < g->ordered; k++) {
            int i = g->order[k], best = -1;
            for (int e = g->pred_head[i]; e >= 0; e = g->pred_next[e]) {
                int a = g->pred_of[e], b = best;
                if (g->idom[a] < 0) continue;
                while (b >= 0 && a != b) {
                    while (g->rank[a] > g->rank[b]) a = g->idom[a];
                    while (g->rank[b] > g->rank[a]) b = g->idom[b];
                }
                best = a;
            }
            if (best >= 0 && g->idom[i] != best) g->idom[i] = best, changed = true;
        }
    }
}

static bool dominates(const struct graph *g, int a, int b) {
    if (g->rank[a] < 0 || g->rank[b] < 0) return false;
    while (g->rank[b] > g->rank[a]) b = g->idom[b];
    return a == b;
}

static bool graph_init(struct graph *g, struct wl_arena *arena, const struct wl_sass_function *f) {
    size_t n = (size_t)f->count;
    int *room = wl_arena_alloc(arena, 9 * n * sizeof *room);
    if (!room) return false;
    *g = (struct graph){.insns = f->insns, .count = f->count};
    g->order = room, g->rank = room + n, g->idom = room + 2 * n, g->pred_head = room + 3 * n;
    g->pred_next = room + 4 * n, g->pred_of = room + 6 * n;
    order(g, room + 8 * n);
    link_predecessors(g);
    dominators(g);
    return true;
}

/* ---- loops ---- */

/* in[i] for all that reach `last` without passing `first`; returns how many. */
static int loop_body(const struct graph *g, int first, int last, bool *in, int *stack) {
    int depth = 0, size = 1;
    memset(in, 0, (size_t)g->count);
    in[first] = true;
    if (!in[last]) in[last] = true, stack[depth++] = last, size++;
    while (depth) {
        int i = stack[--depth];
        for (int e = g->pred_head[i]; e >= 0; e = g->pred_next[e]) {
            int from = g->pred_of[e];
            if (!in[from]) in[from] = true, stack[depth++] = from, size++;
        }
    }
    return size;
}

static bool begins_with_any(const char *op, const char *const *names) {
    for (; *names; names++)
        if (!strncmp(op, *names, strlen(*names))) return true;
    return false;
}

/* A few instructions around one that asks whether something has happened, and none that does any work. */
static bool is_poll(const struct graph *g, const bool *in, int size) {
    static const char *const asks[] = {"SYNCS.PHASECHK", "USETMAXREG", "NANOSLEEP", NULL};
    static const char *const idle[] = {"SYNCS",  "USETMAXREG", "NANOSLEEP", "BRA", "NOP",
                                       "YIELD",  "IMAD",       "SHF",       "MOV", "UMOV",
                                       "DEPBAR", "UTCATOMSWS", NULL};
    bool found = false;
    if (size > 12) return false;
    for (int i = 0; i < g->count; i++) {
        if (!in[i]) continue;
        if (!begins_with_any(g->insns[i].op, idle)) return false;
        found |= begins_with_any(g->insns[i].op, asks);
    }
    return found;
}

static bool ends_with(const char *text, const char *end) {
    size_t a = text ? strlen(text) : 0, b = strlen(end);
    return a >= b && !strcmp(text + a - b, end);
}

struct bodies {
    bool *in[WL_SASS_MAX_LOOPS];
    int size[WL_SASS_MAX_LOOPS];
};

static void find_parents(struct wl_sass_flow *flow, const struct bodies *bodies) {
    for (int a = 0; a < flow->loop_count; a++) {
        struct wl_sass_loop *loop = &flow->loops[a];
        loop->parent = -1;
        for (int b = 0; b < flow->loop_count; b++)
            if (b != a && !flow->loops[b].poll && bodies->size[b] > bodies->size[a] &&
                bodies->in[b][loop->first] && bodies->in[b][loop->last] &&
                (loop->parent < 0 || bodies->size[b] < bodies->size[loop->parent]))
                loop->parent = b;
    }
    for (int a = 0; a < flow->loop_count; a++)
        for (int p = a; p >= 0; p = flow->loops[p].parent) flow->loops[a].depth++;
}

static void mark_insns(struct wl_sass_flow *flow, const struct graph *g, const struct bodies *bodies) {
    for (int i = 0; i < g->count; i++) {
        int best = -1;
        for (int l = 0; l < flow->loop_count; l++)
            if (bodies->in[l][i] && !flow->loops[l].poll &&
                (best < 0 || bodies->size[l] < bodies->size[best]))
                best = l;
        flow->loop[i] = (short)best;
        if (best < 0) continue;
        flow->apart[i] = i < flow->loops[best].first || i > flow->loops[best].last;
        flow->skipped[i] = !flow->apart[i] && !dominates(g, i, flow->loops[best].last);
    }
}

static enum wl_status find_loops(struct wl_arena *arena, struct wl_sass_flow *flow, const struct graph *g,
                                 struct wl_error *error) {
    struct bodies *bodies = wl_arena_alloc(arena, sizeof *bodies);
    int *stack = wl_arena_alloc(arena, (size_t)g->count * sizeof *stack);
    bool memory = bodies && stack;
    for (int i = 0; memory && i < g->count; i++) {
        int first = g->insns[i].target;
        if (first < 0 || !dominates(g, first, i)) continue;
        if (flow->loop_count == WL_SASS_MAX_LOOPS)
            return wl_fail(error, WL_ERR_INPUT, NULL, 0, NULL, "%s has more than %d loops",
                           flow->function->name, WL_SASS_MAX_LOOPS);
        int l = flow->loop_count++;
        memory = (bodies->in[l] = wl_arena_alloc(arena, (size_t)g->count)) != NULL;
        if (!memory) break;
        bodies->size[l] = loop_body(g, first, i, bodies->in[l], stack);
        flow->loops[l] = (struct wl_sass_loop){.first = first,
                                               .last = i,
                                               .poll = is_poll(g, bodies->in[l], bodies->size[l]),
                                               .tile = ends_with(g->insns[i].file, "/tile.ptx")};
    }
    if (!memory) return wl_fail(error, WL_ERR_NO_MEMORY, NULL, 0, NULL, "out of memory");
    find_parents(flow, bodies);
    mark_insns(flow, g, bodies);
    return WL_OK;
}

/* ---- roles ---- */

/* The role that a template file is for: its stem; 0 for the kernel's frame; -1 for libraries and unknown
 * files. */
static int role_of_file(struct wl_sass_flow *flow, struct wl_arena *arena, const char *file) {
    if (!file || strncmp(file, "templates/", 10) || strstr(file, "/lib/")) return -1;
    const char *stem = strrchr(file, '/') + 1;
    size_t length = strcspn(stem, ".");
    if (length == 6 && !strncmp(stem, "kernel", 6)) return 0;
    int r = 1;
    for (; r < flow->role_count; r++)
        if (strlen(flow->roles[r]) == length && !strncmp(flow->roles[r], stem, length)) return r;
    if (r == WL_SASS_MAX_ROLES) return -1;
    flow->roles[r] = wl_arena_strndup(arena, stem, length);
    if (!flow->roles[r]) return -1;
    flow->role_count++;
    return r;
}

/* Library lines belong to the role that leads to them, else to the one they lead to. */
static void spread_roles(struct wl_sass_flow *flow, const struct graph *g, bool forward) {
    for (bool changed = true; changed;) {
        changed = false;
        for (int i = 0; i < g->count; i++)
            for (int w = 0; w < 2; w++) {
                int to = successor(g, i, w), from = i;
                if (to < 0) continue;
                if (!forward) from = to, to = i;
                if (flow->role[to] >= 0 || flow->role[from] <= 0) continue;
                flow->role[to] = flow->role[from];
                changed = true;
            }
    }
}

static void find_roles(struct wl_arena *arena, struct wl_sass_flow *flow, const struct graph *g) {
    flow->roles[0] = "frame";
    flow->role_count = 1;
    for (int i = 0; i < g->count; i++) flow->role[i] = (short)role_of_file(flow, arena, g->insns[i].file);
    spread_roles(flow, g, true);
    spread_roles(flow, g, false);
    for (int i = 0; i < g->count; i++)
        if (flow->role[i] < 0) flow->role[i] = 0;
    for (int l = 0; l < flow->loop_count; l++) flow->loops[l].role = flow->role[flow->loops[l].first];
}

enum wl_status wl_sass_flow(struct wl_arena *arena, const struct wl_sass_function *function,
                            struct wl_sass_flow *flow, struct wl_error *error) {
    size_t n = (size_t)function->count;
    struct graph g;
    *flow = (struct wl_sass_flow){.function = function};
    if (!n) return WL_OK;
    flow->role = wl_arena_alloc(arena, n * sizeof *flow->role);
    flow->loop = wl_arena_alloc(arena, n * sizeof *flow->loop);
    flow->apart = wl_arena_alloc(arena, n);
    flow->skipped = wl_arena_alloc(arena, n);
    if (!flow->role || !flow->loop || !flow->apart || !flow->skipped || !graph_init(&g, arena, function))
        return wl_fail(error, WL_ERR_NO_MEMORY, NULL, 0, NULL, "out of memory");
    enum wl_status status = find_loops(arena, flow, &g, error);
    if (!status) find_roles(arena, flow, &g);
    return status;
}

/* ---- templates ---- */

const char *wl_sass_template_function(const char *file, int line, char *out, size_t out_bytes) {
    const struct wl_embedded *found = file ? wl_embedded_find(file) : NULL;
    const char *at = found ? found->bytes : "";
    *out = 0;
    for (int number = 1; *at && number < line; number++, at += *at == '\n') {
        const char *word = at + strspn(at, "| \t");
        bool lua = *at == '|';
        if (lua && !strncmp(word, "function ", 9))
            snprintf(out, out_bytes, "%.*s", (int)strcspn(word + 9, "( \n"), word + 9);
        else if (lua && !strncmp(at, "| end\n", 6)) *out = 0;
        at += strcspn(at, "\n");
    }
    return out;
}
