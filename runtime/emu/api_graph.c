/* api_graph: graphs, their nodes and what comes after what. */
#include "runtime/emu/api.h"

#include <string.h>
#include "gen/arena.h"

/* ---- lists of nodes ---- */

bool emu_nodes_has(const struct emu_nodes *set, const struct CUgraphNode_st *node) {
    for (size_t i = 0; i < set->count; i++)
        if (set->at[i] == node) return true;
    return false;
}

static bool append(struct emu_nodes *list, struct CUgraphNode_st *node) {
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 4;
        struct CUgraphNode_st **at = wl_realloc(list->at, capacity * sizeof *at);
        if (!at) return false;
        list->at = at;
        list->capacity = capacity;
    }
    list->at[list->count++] = node;
    return true;
}

bool emu_nodes_add(struct emu_nodes *set, struct CUgraphNode_st *node) {
    return emu_nodes_has(set, node) || append(set, node);
}

static void nodes_remove(struct emu_nodes *list, const struct CUgraphNode_st *node) {
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++)
        if (list->at[i] != node) list->at[kept++] = list->at[i];
    list->count = kept;
}

void emu_nodes_clear(struct emu_nodes *set) {
    wl_free(set->at);
    *set = (struct emu_nodes){0};
}

/* Fills a program's array of *count places, the unused ones with NULL; without an array, tells how many there are. */
static void put(CUgraphNode *out, size_t *count, const struct emu_nodes *list) {
    size_t places = out ? *count : 0;
    for (size_t i = 0; i < places; i++) out[i] = i < list->count ? list->at[i] : NULL;
    if (!out || *count > list->count) *count = list->count;
}

/* ---- making and ending ---- */

struct CUgraph_st *emu_graph_create(void) {
    struct CUgraph_st *graph = wl_realloc(NULL, sizeof *graph);
    if (!graph) return NULL;
    *graph = (struct CUgraph_st){0};
    if (emu_handle_add(graph, EMU_KIND_GRAPH)) return graph;
    wl_free(graph);
    return NULL;
}

static void destroy_node(struct CUgraphNode_st *node) {
    emu_handle_remove(node);
    emu_work_fini(&node->work);
    emu_nodes_clear(&node->after);
    wl_free(node);
}

void emu_graph_destroy(struct CUgraph_st *graph) {
    emu_capture_graph_gone(graph);
    for (size_t i = 0; i < graph->nodes.count; i++) destroy_node(graph->nodes.at[i]);
    emu_nodes_clear(&graph->nodes);
    emu_handle_remove(graph);
    wl_free(graph);
}

CUresult emu_graph_add(CUgraphNode *out, struct CUgraph_st *graph, struct CUgraphNode_st *const *after, size_t count,
                       struct emu_work *work) {
    struct CUgraphNode_st *node = wl_realloc(NULL, sizeof *node);
    if (!node) return CUDA_ERROR_OUT_OF_MEMORY;
    *node = (struct CUgraphNode_st){.graph = graph, .work = {.kind = CU_GRAPH_NODE_TYPE_EMPTY}};
    bool whole = emu_handle_add(node, EMU_KIND_NODE);
    for (size_t i = 0; i < count && whole; i++) whole = emu_nodes_add(&node->after, after[i]);
    if (whole) whole = append(&graph->nodes, node);
    if (!whole) {
        destroy_node(node);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    node->work = *work;
    *work = (struct emu_work){.kind = CU_GRAPH_NODE_TYPE_EMPTY};
    *out = node;
    return CUDA_SUCCESS;
}

struct CUgraph_st *emu_graph_clone(const struct CUgraph_st *graph) {
    struct CUgraph_st *clone = emu_graph_create();
    bool whole = clone != NULL;
    for (size_t i = 0; i < graph->nodes.count; i++) graph->nodes.at[i]->index = i;
    for (size_t i = 0; i < graph->nodes.count && whole; i++) {
        struct CUgraphNode_st *node, *from = graph->nodes.at[i];
        struct emu_work work;
        whole = emu_work_copy(&work, &from->work);
        if (whole) whole = emu_graph_add(&node, clone, NULL, 0, &work) == CUDA_SUCCESS;
        if (!whole) break;
        node->original = from;
        node->disabled = from->disabled;
    }
    for (size_t i = 0; i < graph->nodes.count && whole; i++)
        for (size_t k = 0; k < graph->nodes.at[i]->after.count && whole; k++)
            whole = emu_nodes_add(&clone->nodes.at[i]->after, clone->nodes.at[graph->nodes.at[i]->after.at[k]->index]);
    if (clone) clone->owned = true;
    if (clone && !whole) emu_graph_destroy(clone);
    return whole ? clone : NULL;
}

CUresult emu_cuGraphCreate(CUgraph *graph, unsigned int flags) {
    if (!graph || flags) return CUDA_ERROR_INVALID_VALUE;
    *graph = emu_graph_create();
    return *graph ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

CUresult emu_cuGraphDestroy(CUgraph graph) {
    if (!emu_handle_is(graph, EMU_KIND_GRAPH) || graph->owned) return CUDA_ERROR_INVALID_VALUE;
    emu_graph_destroy(graph);
    return CUDA_SUCCESS;
}

CUresult emu_cuGraphClone(CUgraph *clone, CUgraph graph) {
    if (!clone || !emu_handle_is(graph, EMU_KIND_GRAPH)) return CUDA_ERROR_INVALID_VALUE;
    struct CUgraph_st *made = emu_graph_clone(graph);
    if (!made) return CUDA_ERROR_OUT_OF_MEMORY;
    made->owned = false;
    *clone = made;
    return CUDA_SUCCESS;
}

CUresult emu_cuGraphNodeFindInClone(CUgraphNode *node, CUgraphNode original, CUgraph clone) {
    if (!node || !emu_handle_is(clone, EMU_KIND_GRAPH)) return CUDA_ERROR_INVALID_VALUE;
    for (size_t i = 0; i < clone->nodes.count; i++) {
        if (clone->nodes.at[i]->original != original) continue;
        *node = clone->nodes.at[i];
        return CUDA_SUCCESS;
    }
    return CUDA_ERROR_INVALID_VALUE;
}

CUresult emu_cuGraphDestroyNode(CUgraphNode node) {
    if (!emu_handle_is(node, EMU_KIND_NODE) || node->graph->owned) return CUDA_ERROR_INVALID_VALUE;
    struct emu_nodes *all = &node->graph->nodes;
    for (size_t i = 0; i < all->count; i++) nodes_remove(&all->at[i]->after, node);
    nodes_remove(all, node);
    destroy_node(node);
    return CUDA_SUCCESS;
}

CUresult emu_cuGraphNodeGetType(CUgraphNode node, CUgraphNodeType *type) {
    if (!type || !emu_handle_is(node, EMU_KIND_NODE)) return CUDA_ERROR_INVALID_VALUE;
    *type = node->work.kind;
    return CUDA_SUCCESS;
}

/* ---- lists ---- */

CUresult emu_cuGraphGetNodes(CUgraph graph, CUgraphNode *nodes, size_t *count) {
    if (!count || !emu_handle_is(graph, EMU_KIND_GRAPH)) return CUDA_ERROR_INVALID_VALUE;
    put(nodes, count, &graph->nodes);
    return CUDA_SUCCESS;
}

CUresult emu_cuGraphGetRootNodes(CUgraph graph, CUgraphNode *roots, size_t *count) {
    if (!count || !emu_handle_is(graph, EMU_KIND_GRAPH)) return CUDA_ERROR_INVALID_VALUE;
    struct emu_nodes found = {0};
    bool whole = true;
    for (size_t i = 0; i < graph->nodes.count && whole; i++)
        if (!graph->nodes.at[i]->after.count) whole = append(&found, graph->nodes.at[i]);
    if (whole) put(roots, count, &found);
    emu_nodes_clear(&found);
    return whole ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

static void put_edges(CUgraphEdgeData *edges, size_t count) {
    if (edges) memset(edges, 0, count * sizeof *edges);
}

CUresult emu_cuGraphNodeGetDependencies_v2(CUgraphNode node, CUgraphNode *after, CUgraphEdgeData *edges,
                                           size_t *after_count) {
    if (!after_count || !emu_handle_is(node, EMU_KIND_NODE)) return CUDA_ERROR_INVALID_VALUE;
    if (after) put_edges(edges, *after_count);
    put(after, after_count, &node->after);
    return CUDA_SUCCESS;
}
CUresult emu_cuGraphNodeGetDependencies(CUgraphNode node, CUgraphNode *after, size_t *after_count) {
    return emu_cuGraphNodeGetDependencies_v2(node, after, NULL, after_count);
}

CUresult emu_cuGraphNodeGetDependentNodes_v2(CUgraphNode node, CUgraphNode *before, CUgraphEdgeData *edges,
                                             size_t *before_count) {
    if (!before_count || !emu_handle_is(node, EMU_KIND_NODE)) return CUDA_ERROR_INVALID_VALUE;
    struct emu_nodes found = {0};
    const struct emu_nodes *all = &node->graph->nodes;
    bool whole = true;
    for (size_t i = 0; i < all->count && whole; i++)
        if (emu_nodes_has(&all->at[i]->after, node)) whole = append(&found, all->at[i]);
    if (whole && before) put_edges(edges, *before_count);
    if (whole) put(before, before_count, &found);
    emu_nodes_clear(&found);
    return whole ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}
CUresult emu_cuGraphNodeGetDependentNodes(CUgraphNode node, CUgraphNode *before, size_t *before_count) {
    return emu_cuGraphNodeGetDependentNodes_v2(node, before, NULL, before_count);
}

/* ---- edges ---- */

CUresult emu_cuGraphGetEdges_v2(CUgraph graph, CUgraphNode *from, CUgraphNode *to, CUgraphEdgeData *edges,
                                size_t *count) {
    if (!count || !from != !to || !emu_handle_is(graph, EMU_KIND_GRAPH)) return CUDA_ERROR_INVALID_VALUE;
    size_t places = from ? *count : 0, found = 0;
    for (size_t i = 0; i < places; i++) from[i] = to[i] = NULL;
    put_edges(edges, places);
    for (size_t i = 0; i < graph->nodes.count; i++)
        for (size_t k = 0; k < graph->nodes.at[i]->after.count; k++, found++) {
            if (found >= places) continue;
            from[found] = graph->nodes.at[i]->after.at[k];
            to[found] = graph->nodes.at[i];
        }
    if (!from || *count > found) *count = found;
    return CUDA_SUCCESS;
}
CUresult emu_cuGraphGetEdges(CUgraph graph, CUgraphNode *from, CUgraphNode *to, size_t *count) {
    return emu_cuGraphGetEdges_v2(graph, from, to, NULL, count);
}

static bool of_graph(const struct CUgraphNode_st *node, const struct CUgraph_st *graph) {
    return emu_handle_is(node, EMU_KIND_NODE) && node->graph == graph;
}

CUresult emu_cuGraphAddDependencies_v2(CUgraph graph, const CUgraphNode *from, const CUgraphNode *to,
                                       const CUgraphEdgeData *edges, size_t after_count) {
    (void)edges;
    if (!emu_handle_is(graph, EMU_KIND_GRAPH) || (after_count && (!from || !to))) return CUDA_ERROR_INVALID_VALUE;
    for (size_t i = 0; i < after_count; i++)
        if (!of_graph(from[i], graph) || !of_graph(to[i], graph) || from[i] == to[i] ||
            emu_nodes_has(&to[i]->after, from[i]))
            return CUDA_ERROR_INVALID_VALUE;
    for (size_t i = 0; i < after_count; i++)
        if (!emu_nodes_add(&to[i]->after, from[i])) return CUDA_ERROR_OUT_OF_MEMORY;
    return CUDA_SUCCESS;
}
CUresult emu_cuGraphAddDependencies(CUgraph graph, const CUgraphNode *from, const CUgraphNode *to, size_t after_count) {
    return emu_cuGraphAddDependencies_v2(graph, from, to, NULL, after_count);
}

CUresult emu_cuGraphRemoveDependencies_v2(CUgraph graph, const CUgraphNode *from, const CUgraphNode *to,
                                          const CUgraphEdgeData *edges, size_t after_count) {
    (void)edges;
    if (!emu_handle_is(graph, EMU_KIND_GRAPH) || (after_count && (!from || !to))) return CUDA_ERROR_INVALID_VALUE;
    for (size_t i = 0; i < after_count; i++)
        if (!of_graph(from[i], graph) || !of_graph(to[i], graph) || !emu_nodes_has(&to[i]->after, from[i]))
            return CUDA_ERROR_INVALID_VALUE;
    for (size_t i = 0; i < after_count; i++) nodes_remove(&to[i]->after, from[i]);
    return CUDA_SUCCESS;
}
CUresult emu_cuGraphRemoveDependencies(CUgraph graph, const CUgraphNode *from, const CUgraphNode *to,
                                       size_t after_count) {
    return emu_cuGraphRemoveDependencies_v2(graph, from, to, NULL, after_count);
}
