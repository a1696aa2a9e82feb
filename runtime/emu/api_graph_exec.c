/* api_graph_exec: graphs made executable: a copy of the graph as it was then, run node by node at each launch.
 *
 * Nodes that no edge orders may run in any order. WARPLOOM_EMU_ORDER chooses it, as it does inside a kernel: eager
 * takes the oldest node that can run, late the newest, random any. */
#include "runtime/emu/api.h"

#include "gen/arena.h"

struct CUgraphExec_st {
    struct CUgraph_st *body; /* each node's ->original is the program's node */
    unsigned long long flags;
};

/* ---- order ---- */

static uint64_t chance(void) { /* splitmix64 */
    static uint64_t state;
    uint64_t z = (state += 0x9e3779b97f4a7c15ull) ^ emu_driver.config.seed;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

/* A node that waits for nothing any more, among those that are not done (waits is not DONE); NULL: none. */
#define DONE SIZE_MAX
static struct CUgraphNode_st *pick(const struct emu_nodes *nodes, enum emu_order order) {
    struct CUgraphNode_st *found = NULL;
    uint64_t ready = 0;
    for (size_t i = 0; i < nodes->count; i++) {
        struct CUgraphNode_st *node = nodes->at[i];
        if (node->waits) continue;
        if (order == EMU_ORDER_EAGER) return node;
        ready++;
        if (order == EMU_ORDER_LATE || chance() % ready == 0) found = node;
    }
    return found;
}

/* Does a node, as far as the ones behind it see. */
static void finish(const struct emu_nodes *nodes, struct CUgraphNode_st *done) {
    done->waits = DONE;
    for (size_t i = 0; i < nodes->count; i++)
        if (nodes->at[i]->waits != DONE && emu_nodes_has(&nodes->at[i]->after, done)) nodes->at[i]->waits--;
}

/* False: some node waits for itself. */
static bool acyclic(struct CUgraph_st *graph) {
    const struct emu_nodes *nodes = &graph->nodes;
    size_t done = 0;
    for (size_t i = 0; i < nodes->count; i++) nodes->at[i]->waits = nodes->at[i]->after.count;
    for (struct CUgraphNode_st *node; (node = pick(nodes, EMU_ORDER_EAGER)); done++) finish(nodes, node);
    return done == nodes->count;
}

CUresult emu_graph_run(struct CUgraph_st *graph) {
    const struct emu_nodes *nodes = &graph->nodes;
    for (size_t i = 0; i < nodes->count; i++) nodes->at[i]->waits = nodes->at[i]->after.count;
    for (struct CUgraphNode_st *node; (node = pick(nodes, emu_driver.config.order)); finish(nodes, node)) {
        CUresult result = node->disabled ? CUDA_SUCCESS : emu_work_run(&node->work);
        if (result) return result;
        if (emu_context()->failed) break; /* a kernel failed: the launch has succeeded, what comes next says it */
    }
    return CUDA_SUCCESS;
}

/* ---- instantiation ---- */

static CUresult instantiate(CUgraphExec *out, CUgraph graph, unsigned long long flags) {
    unsigned long long known =
        CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH | CUDA_GRAPH_INSTANTIATE_FLAG_UPLOAD |
        CUDA_GRAPH_INSTANTIATE_FLAG_USE_NODE_PRIORITY;
    if (!out || !emu_handle_is(graph, EMU_KIND_GRAPH)) return CUDA_ERROR_INVALID_VALUE;
    if (flags & CUDA_GRAPH_INSTANTIATE_FLAG_DEVICE_LAUNCH) return CUDA_ERROR_NOT_SUPPORTED;
    if (flags & ~known || !acyclic(graph)) return CUDA_ERROR_INVALID_VALUE;
    struct CUgraphExec_st *exec = wl_realloc(NULL, sizeof *exec);
    if (!exec) return CUDA_ERROR_OUT_OF_MEMORY;
    *exec = (struct CUgraphExec_st){.body = emu_graph_clone(graph), .flags = flags};
    if (!exec->body || !emu_handle_add(exec, EMU_KIND_EXEC)) {
        if (exec->body) emu_graph_destroy(exec->body);
        wl_free(exec);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    *out = exec;
    return CUDA_SUCCESS;
}

CUresult emu_cuGraphInstantiateWithFlags(CUgraphExec *exec, CUgraph graph, unsigned long long flags) {
    return instantiate(exec, graph, flags);
}

CUresult emu_cuGraphInstantiateWithParams(CUgraphExec *exec, CUgraph graph, CUDA_GRAPH_INSTANTIATE_PARAMS *params) {
    if (!params) return CUDA_ERROR_INVALID_VALUE;
    CUresult result = instantiate(exec, graph, params->flags);
    params->hErrNode_out = NULL;
    params->result_out = !result ? CUDA_GRAPH_INSTANTIATE_SUCCESS
                         : emu_handle_is(graph, EMU_KIND_GRAPH) && !acyclic(graph)
                             ? CUDA_GRAPH_INSTANTIATE_INVALID_STRUCTURE
                             : CUDA_GRAPH_INSTANTIATE_ERROR;
    return result;
}

CUresult emu_cuGraphInstantiate_v2(CUgraphExec *exec, CUgraph graph, CUgraphNode *error, char *log, size_t log_bytes) {
    if (error) *error = NULL;
    if (log && log_bytes) *log = '\0';
    return instantiate(exec, graph, 0);
}
CUresult emu_cuGraphInstantiate(CUgraphExec *exec, CUgraph graph, CUgraphNode *error, char *log, size_t log_bytes) {
    return emu_cuGraphInstantiate_v2(exec, graph, error, log, log_bytes);
}

static bool is_exec(CUgraphExec exec) { return emu_handle_is(exec, EMU_KIND_EXEC); }

CUresult emu_cuGraphExecGetFlags(CUgraphExec exec, cuuint64_t *flags) {
    if (!flags || !is_exec(exec)) return CUDA_ERROR_INVALID_VALUE;
    *flags = exec->flags;
    return CUDA_SUCCESS;
}

CUresult emu_cuGraphExecDestroy(CUgraphExec exec) {
    if (!is_exec(exec)) return CUDA_ERROR_INVALID_VALUE;
    emu_handle_remove(exec);
    emu_graph_destroy(exec->body);
    wl_free(exec);
    return CUDA_SUCCESS;
}

/* ---- launching ---- */

CUresult emu_cuGraphUpload(CUgraphExec exec, CUstream stream) {
    if (!is_exec(exec)) return CUDA_ERROR_INVALID_VALUE;
    return emu_stream_valid(stream) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

/* Not to be captured: a child graph node is what a program wants then [H200]. */
CUresult emu_cuGraphLaunch(CUgraphExec exec, CUstream stream) {
    if (!is_exec(exec)) return CUDA_ERROR_INVALID_VALUE;
    if (!emu_stream_valid(stream)) return CUDA_ERROR_INVALID_HANDLE;
    CUresult result = emu_capture_idle(stream);
    return result ? result : emu_graph_run(exec->body);
}

/* ---- changes ---- */

/* The executable graph's own node that stands for one of the program's. */
static struct CUgraphNode_st *inside(CUgraphExec exec, CUgraphNode node) {
    for (size_t i = 0; is_exec(exec) && node && i < exec->body->nodes.count; i++)
        if (exec->body->nodes.at[i]->original == node) return exec->body->nodes.at[i];
    return NULL;
}

CUresult emu_cuGraphExecKernelNodeSetParams_v2(CUgraphExec exec, CUgraphNode node,
                                               const CUDA_KERNEL_NODE_PARAMS *params) {
    return emu_graph_kernel_again(inside(exec, node), params);
}

CUresult emu_cuGraphExecMemcpyNodeSetParams(CUgraphExec exec, CUgraphNode node, const CUDA_MEMCPY3D *params,
                                            CUcontext context) {
    struct emu_work work;
    if (!emu_handle_is(context, EMU_KIND_CONTEXT)) return CUDA_ERROR_INVALID_VALUE;
    CUresult result = emu_graph_copy(&work, params);
    return result ? result : emu_graph_node_params(inside(exec, node), &work);
}

CUresult emu_cuGraphExecMemsetNodeSetParams(CUgraphExec exec, CUgraphNode node, const CUDA_MEMSET_NODE_PARAMS *params,
                                            CUcontext context) {
    struct emu_work work;
    if (!emu_handle_is(context, EMU_KIND_CONTEXT)) return CUDA_ERROR_INVALID_VALUE;
    CUresult result = emu_graph_fill(&work, params);
    return result ? result : emu_graph_node_params(inside(exec, node), &work);
}

CUresult emu_cuGraphExecHostNodeSetParams(CUgraphExec exec, CUgraphNode node, const CUDA_HOST_NODE_PARAMS *params) {
    struct emu_work work;
    CUresult result = emu_graph_host(&work, params);
    return result ? result : emu_graph_node_params(inside(exec, node), &work);
}

static bool can_be_disabled(const struct CUgraphNode_st *node) {
    return node && (node->work.kind == CU_GRAPH_NODE_TYPE_KERNEL || node->work.kind == CU_GRAPH_NODE_TYPE_MEMSET ||
                    node->work.kind == CU_GRAPH_NODE_TYPE_MEMCPY);
}

CUresult emu_cuGraphNodeSetEnabled(CUgraphExec exec, CUgraphNode node, unsigned int enabled) {
    struct CUgraphNode_st *own = inside(exec, node);
    if (!can_be_disabled(own)) return CUDA_ERROR_INVALID_VALUE;
    own->disabled = !enabled;
    return CUDA_SUCCESS;
}

CUresult emu_cuGraphNodeGetEnabled(CUgraphExec exec, CUgraphNode node, unsigned int *enabled) {
    const struct CUgraphNode_st *own = inside(exec, node);
    if (!enabled || !can_be_disabled(own)) return CUDA_ERROR_INVALID_VALUE;
    *enabled = !own->disabled;
    return CUDA_SUCCESS;
}

/* Whether node i of both graphs comes after the same ones. */
static bool same_edges(const struct CUgraph_st *a, const struct CUgraph_st *b, size_t i) {
    const struct emu_nodes *x = &a->nodes.at[i]->after, *y = &b->nodes.at[i]->after;
    if (x->count != y->count) return false;
    for (size_t k = 0; k < x->count; k++)
        if (!emu_nodes_has(y, b->nodes.at[x->at[k]->index])) return false;
    return true;
}

static CUgraphExecUpdateResult compare(struct CUgraph_st *body, CUgraph graph, CUgraphNode *error) {
    if (body->nodes.count != graph->nodes.count) return CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED;
    for (size_t i = 0; i < body->nodes.count; i++) body->nodes.at[i]->index = i;
    for (size_t i = 0; i < body->nodes.count; i++) {
        *error = graph->nodes.at[i];
        if (body->nodes.at[i]->work.kind != graph->nodes.at[i]->work.kind)
            return CU_GRAPH_EXEC_UPDATE_ERROR_NODE_TYPE_CHANGED;
        if (!same_edges(body, graph, i)) return CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED;
    }
    *error = NULL;
    return CU_GRAPH_EXEC_UPDATE_SUCCESS;
}

/* The nodes of both are matched in the order in which they were added. */
CUresult emu_cuGraphExecUpdate_v2(CUgraphExec exec, CUgraph graph, CUgraphExecUpdateResultInfo *info) {
    if (!info || !is_exec(exec) || !emu_handle_is(graph, EMU_KIND_GRAPH)) return CUDA_ERROR_INVALID_VALUE;
    *info = (CUgraphExecUpdateResultInfo){0};
    info->result = compare(exec->body, graph, &info->errorNode);
    if (info->result) return CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE;
    struct CUgraph_st *body = emu_graph_clone(graph);
    if (!body) return CUDA_ERROR_OUT_OF_MEMORY;
    for (size_t i = 0; i < body->nodes.count; i++) {
        body->nodes.at[i]->original = exec->body->nodes.at[i]->original;
        body->nodes.at[i]->disabled = exec->body->nodes.at[i]->disabled;
    }
    emu_graph_destroy(exec->body);
    exec->body = body;
    return CUDA_SUCCESS;
}
