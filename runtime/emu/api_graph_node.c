/* api_graph_node: what the nodes of a graph do, said and asked kind by kind. */
#include "runtime/emu/api.h"

#include <string.h>

/* Adds a node; what the work holds is freed where that fails. */
static CUresult add(CUgraphNode *node, CUgraph graph, const CUgraphNode *after, size_t count, struct emu_work *work) {
    CUresult result = CUDA_SUCCESS;
    if (!node || !emu_handle_is(graph, EMU_KIND_GRAPH) || (count && !after)) result = CUDA_ERROR_INVALID_VALUE;
    for (size_t i = 0; i < count && !result; i++)
        if (!emu_handle_is(after[i], EMU_KIND_NODE) || after[i]->graph != graph) result = CUDA_ERROR_INVALID_VALUE;
    if (!result) result = emu_graph_add(node, graph, after, count, work);
    emu_work_fini(work);
    return result;
}

CUresult emu_graph_node_params(CUgraphNode node, struct emu_work *work) {
    CUresult result = emu_handle_is(node, EMU_KIND_NODE) && node->work.kind == work->kind ? CUDA_SUCCESS
                                                                                         : CUDA_ERROR_INVALID_VALUE;
    if (!result) {
        emu_work_fini(&node->work);
        node->work = *work;
        *work = (struct emu_work){.kind = CU_GRAPH_NODE_TYPE_EMPTY};
    }
    emu_work_fini(work);
    return result;
}

static bool is(CUgraphNode node, CUgraphNodeType kind) {
    return emu_handle_is(node, EMU_KIND_NODE) && node->work.kind == kind;
}

CUresult emu_cuGraphAddEmptyNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *after, size_t after_count) {
    struct emu_work work = {.kind = CU_GRAPH_NODE_TYPE_EMPTY};
    return add(node, graph, after, after_count, &work);
}

/* ---- kernels ---- */

static CUresult take_kernel(struct emu_work *work, const CUDA_KERNEL_NODE_PARAMS *params) {
    if (!params) return CUDA_ERROR_INVALID_VALUE;
    CUfunction function = params->func ? params->func : (CUfunction)params->kern;
    *work = (struct emu_work){.kind = CU_GRAPH_NODE_TYPE_KERNEL,
                              .kernel = {.function = emu_function_of(function),
                                         .grid = {params->gridDimX, params->gridDimY, params->gridDimZ},
                                         .block = {params->blockDimX, params->blockDimY, params->blockDimZ},
                                         .dynamic_smem = params->sharedMemBytes}};
    CUresult result = emu_kernel_prepare(&work->kernel, params->kernelParams, params->extra);
    if (result) emu_work_fini(work);
    return result;
}

CUresult emu_cuGraphAddKernelNode_v2(CUgraphNode *node, CUgraph graph, const CUgraphNode *after, size_t after_count,
                                     const CUDA_KERNEL_NODE_PARAMS *params) {
    struct emu_work work;
    CUresult result = take_kernel(&work, params);
    return result ? result : add(node, graph, after, after_count, &work);
}

CUresult emu_cuGraphKernelNodeGetParams_v2(CUgraphNode node, CUDA_KERNEL_NODE_PARAMS *params) {
    if (!params || !is(node, CU_GRAPH_NODE_TYPE_KERNEL)) return CUDA_ERROR_INVALID_VALUE;
    const struct emu_kernel *k = &node->work.kernel;
    *params = (CUDA_KERNEL_NODE_PARAMS){.func = k->function,
                                        .gridDimX = k->grid[0],
                                        .gridDimY = k->grid[1],
                                        .gridDimZ = k->grid[2],
                                        .blockDimX = k->block[0],
                                        .blockDimY = k->block[1],
                                        .blockDimZ = k->block[2],
                                        .sharedMemBytes = k->dynamic_smem,
                                        .kernelParams = k->pointers,
                                        .ctx = emu_context()};
    return CUDA_SUCCESS;
}

CUresult emu_graph_kernel_again(CUgraphNode node, const CUDA_KERNEL_NODE_PARAMS *params) {
    struct emu_work work;
    if (!is(node, CU_GRAPH_NODE_TYPE_KERNEL)) return CUDA_ERROR_INVALID_VALUE;
    CUresult result = take_kernel(&work, params);
    if (result) return result;
    memcpy(work.kernel.cluster, node->work.kernel.cluster, sizeof work.kernel.cluster);
    work.kernel.cluster_given = node->work.kernel.cluster_given;
    work.kernel.cooperative = node->work.kernel.cooperative;
    return emu_graph_node_params(node, &work);
}
CUresult emu_cuGraphKernelNodeSetParams_v2(CUgraphNode node, const CUDA_KERNEL_NODE_PARAMS *params) {
    return emu_graph_kernel_again(node, params);
}

CUresult emu_cuGraphKernelNodeGetAttribute(CUgraphNode node, CUkernelNodeAttrID attribute, CUkernelNodeAttrValue *value) {
    if (!value || !is(node, CU_GRAPH_NODE_TYPE_KERNEL)) return CUDA_ERROR_INVALID_VALUE;
    memset(value, 0, sizeof *value); /* what is only a hint is not kept */
    if (attribute == CU_LAUNCH_ATTRIBUTE_COOPERATIVE) value->cooperative = node->work.kernel.cooperative;
    if (attribute == CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION)
        memcpy(&value->clusterDim, node->work.kernel.cluster, sizeof value->clusterDim);
    return CUDA_SUCCESS;
}

CUresult emu_cuGraphKernelNodeSetAttribute(CUgraphNode node, CUkernelNodeAttrID attribute,
                                           const CUkernelNodeAttrValue *value) {
    if (!value || !is(node, CU_GRAPH_NODE_TYPE_KERNEL)) return CUDA_ERROR_INVALID_VALUE;
    return emu_kernel_attribute(&node->work.kernel, attribute, value);
}

/* ---- copies, fills, host functions ---- */

CUresult emu_graph_copy(struct emu_work *work, const CUDA_MEMCPY3D *params) {
    if (!params) return CUDA_ERROR_INVALID_VALUE;
    *work = (struct emu_work){.kind = CU_GRAPH_NODE_TYPE_MEMCPY, .copy = *params};
    return emu_copy_check(params);
}

CUresult emu_graph_fill(struct emu_work *work, const CUDA_MEMSET_NODE_PARAMS *params) {
    if (!params) return CUDA_ERROR_INVALID_VALUE;
    *work = (struct emu_work){.kind = CU_GRAPH_NODE_TYPE_MEMSET, .fill = *params};
    return emu_fill_check(params);
}

CUresult emu_graph_host(struct emu_work *work, const CUDA_HOST_NODE_PARAMS *params) {
    if (!params || !params->fn) return CUDA_ERROR_INVALID_VALUE;
    *work = (struct emu_work){.kind = CU_GRAPH_NODE_TYPE_HOST, .host = *params};
    return CUDA_SUCCESS;
}

CUresult emu_cuGraphAddMemcpyNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *after, size_t after_count,
                                  const CUDA_MEMCPY3D *params, CUcontext context) {
    struct emu_work work;
    if (!emu_handle_is(context, EMU_KIND_CONTEXT)) return CUDA_ERROR_INVALID_VALUE;
    CUresult result = emu_graph_copy(&work, params);
    return result ? result : add(node, graph, after, after_count, &work);
}

CUresult emu_cuGraphMemcpyNodeGetParams(CUgraphNode node, CUDA_MEMCPY3D *params) {
    if (!params || !is(node, CU_GRAPH_NODE_TYPE_MEMCPY)) return CUDA_ERROR_INVALID_VALUE;
    *params = node->work.copy;
    return CUDA_SUCCESS;
}

CUresult emu_cuGraphMemcpyNodeSetParams(CUgraphNode node, const CUDA_MEMCPY3D *params) {
    struct emu_work work;
    CUresult result = emu_graph_copy(&work, params);
    return result ? result : emu_graph_node_params(node, &work);
}

CUresult emu_cuGraphAddMemsetNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *after, size_t after_count,
                                  const CUDA_MEMSET_NODE_PARAMS *params, CUcontext context) {
    struct emu_work work;
    if (!emu_handle_is(context, EMU_KIND_CONTEXT)) return CUDA_ERROR_INVALID_VALUE;
    CUresult result = emu_graph_fill(&work, params);
    return result ? result : add(node, graph, after, after_count, &work);
}

CUresult emu_cuGraphMemsetNodeGetParams(CUgraphNode node, CUDA_MEMSET_NODE_PARAMS *params) {
    if (!params || !is(node, CU_GRAPH_NODE_TYPE_MEMSET)) return CUDA_ERROR_INVALID_VALUE;
    *params = node->work.fill;
    return CUDA_SUCCESS;
}

CUresult emu_cuGraphMemsetNodeSetParams(CUgraphNode node, const CUDA_MEMSET_NODE_PARAMS *params) {
    struct emu_work work;
    CUresult result = emu_graph_fill(&work, params);
    return result ? result : emu_graph_node_params(node, &work);
}

CUresult emu_cuGraphAddHostNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *after, size_t after_count,
                                const CUDA_HOST_NODE_PARAMS *params) {
    struct emu_work work;
    CUresult result = emu_graph_host(&work, params);
    return result ? result : add(node, graph, after, after_count, &work);
}

CUresult emu_cuGraphHostNodeGetParams(CUgraphNode node, CUDA_HOST_NODE_PARAMS *params) {
    if (!params || !is(node, CU_GRAPH_NODE_TYPE_HOST)) return CUDA_ERROR_INVALID_VALUE;
    *params = node->work.host;
    return CUDA_SUCCESS;
}

CUresult emu_cuGraphHostNodeSetParams(CUgraphNode node, const CUDA_HOST_NODE_PARAMS *params) {
    struct emu_work work;
    CUresult result = emu_graph_host(&work, params);
    return result ? result : emu_graph_node_params(node, &work);
}

/* ---- graphs in graphs, events ---- */

CUresult emu_cuGraphAddChildGraphNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *after, size_t after_count,
                                      CUgraph child) {
    if (!emu_handle_is(child, EMU_KIND_GRAPH) || child == graph) return CUDA_ERROR_INVALID_VALUE;
    struct emu_work work = {.kind = CU_GRAPH_NODE_TYPE_GRAPH, .child = emu_graph_clone(child)};
    return work.child ? add(node, graph, after, after_count, &work) : CUDA_ERROR_OUT_OF_MEMORY;
}

CUresult emu_cuGraphChildGraphNodeGetGraph(CUgraphNode node, CUgraph *graph) {
    if (!graph || !is(node, CU_GRAPH_NODE_TYPE_GRAPH)) return CUDA_ERROR_INVALID_VALUE;
    *graph = node->work.child;
    return CUDA_SUCCESS;
}

static CUresult add_event(CUgraphNode *node, CUgraph graph, const CUgraphNode *after, size_t count, CUgraphNodeType kind,
                          CUevent event) {
    if (!emu_handle_is(event, EMU_KIND_EVENT)) return CUDA_ERROR_INVALID_HANDLE;
    struct emu_work work = {.kind = kind, .event = event};
    return add(node, graph, after, count, &work);
}

CUresult emu_cuGraphAddEventRecordNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *after, size_t after_count,
                                       CUevent event) {
    return add_event(node, graph, after, after_count, CU_GRAPH_NODE_TYPE_EVENT_RECORD, event);
}

CUresult emu_cuGraphAddEventWaitNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *after, size_t after_count,
                                     CUevent event) {
    return add_event(node, graph, after, after_count, CU_GRAPH_NODE_TYPE_WAIT_EVENT, event);
}
