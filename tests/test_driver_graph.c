/* driver_graph: graphs and captures as a program meets them; the same tests run on a real driver (client.h). */
#include "tests/client.h"
#include "tests/test.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define HEAD ".version 8.0\n.target sm_80\n.address_size 64\n"

/* append: *p = *p * 10 + v, so that a number tells in which order kernels ran */
static const char kernels[] =
    HEAD ".visible .entry append(.param .u64 p, .param .u32 v) {\n"
         "  .reg .b64 %a; .reg .b32 %x, %v;\n"
         "  ld.param.u64 %a, [p]; ld.param.u32 %v, [v]; ld.global.u32 %x, [%a];\n"
         "  mad.lo.u32 %x, %x, 10, %v; st.global.u32 [%a], %x; ret; }\n";

struct stage {
    struct client cuda;
    CUfunction append;
    CUdeviceptr number;
    CUstream stream, other;
};

static struct stage start(void) {
    struct stage s;
    CUmodule module;
    s.cuda = client_load(kernels, &module);
    struct client cuda = s.cuda;
    NEEDS(cuda.cuModuleGetFunction(&s.append, module, "append"));
    NEEDS(cuda.cuMemAlloc_v2(&s.number, 4));
    NEEDS(cuda.cuMemsetD32_v2(s.number, 0, 1));
    NEEDS(cuda.cuCtxSynchronize());
    NEEDS(cuda.cuStreamCreate(&s.stream, CU_STREAM_NON_BLOCKING));
    NEEDS(cuda.cuStreamCreate(&s.other, CU_STREAM_NON_BLOCKING));
    return s;
}

static CUresult launch(const struct stage *s, unsigned int value, CUstream stream) {
    CUdeviceptr p = s->number;
    void *parameters[] = {&p, &value};
    CUresult result = s->cuda.cuLaunchKernel(s->append, 1, 1, 1, 1, 1, 1, 0, stream, parameters, NULL);
    p = 0; /* what was captured is a copy */
    value = 9;
    return result;
}

static unsigned int number(const struct stage *s) {
    struct client cuda = s->cuda;
    unsigned int value = 0;
    NEEDS(cuda.cuCtxSynchronize());
    NEEDS(cuda.cuMemcpyDtoH_v2(&value, s->number, 4));
    return value;
}

static void run(const struct stage *s, CUgraph graph, int times) {
    struct client cuda = s->cuda;
    CUgraphExec exec;
    NEEDS(cuda.cuGraphInstantiateWithFlags(&exec, graph, 0));
    NEEDS(cuda.cuGraphDestroy(graph)); /* the executable one stands alone */
    for (int i = 0; i < times; i++) NEEDS(cuda.cuGraphLaunch(exec, s->stream));
    NEEDS(cuda.cuStreamSynchronize(s->stream));
    NEEDS(cuda.cuGraphExecDestroy(exec));
}

/* ---- capture ---- */

static void count_up(void *user) { ++*(int *)user; }

Test(driver_graph, captured_work_happens_when_the_graph_is_launched) {
    struct stage s = start();
    struct client cuda = s.cuda;
    CUgraph graph = NULL;
    static int calls;
    unsigned int back = 77;
    CUstreamCaptureStatus status;
    NEEDS(cuda.cuStreamBeginCapture_v2(s.stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
    GIVES(cuda.cuStreamIsCapturing(s.stream, &status), CUDA_SUCCESS);
    cr_expect_eq(status, CU_STREAM_CAPTURE_STATUS_ACTIVE);
    GIVES(cuda.cuMemsetD32Async(s.number, 0, 1, s.stream), CUDA_SUCCESS);
    GIVES(launch(&s, 4, s.stream), CUDA_SUCCESS);
    GIVES(launch(&s, 2, s.stream), CUDA_SUCCESS);
    GIVES(cuda.cuLaunchHostFunc(s.stream, count_up, &calls), CUDA_SUCCESS);
    GIVES(cuda.cuMemcpyDtoHAsync_v2(&back, s.number, 4, s.stream), CUDA_SUCCESS);
    GIVES(cuda.cuStreamEndCapture(s.stream, &graph), CUDA_SUCCESS);
    cr_assert_not_null(graph);
    GIVES(cuda.cuStreamIsCapturing(s.stream, &status), CUDA_SUCCESS);
    cr_expect_eq(status, CU_STREAM_CAPTURE_STATUS_NONE);
    cr_expect_eq(calls, 0);
    cr_expect_eq(back, 77u);
    cr_expect_eq(number(&s), 0u);

    CUgraphNode nodes[8];
    CUgraphNodeType type, wanted[] = {CU_GRAPH_NODE_TYPE_MEMSET, CU_GRAPH_NODE_TYPE_KERNEL, CU_GRAPH_NODE_TYPE_KERNEL,
                                      CU_GRAPH_NODE_TYPE_HOST, CU_GRAPH_NODE_TYPE_MEMCPY};
    size_t count = 0;
    GIVES(cuda.cuGraphGetNodes(graph, NULL, &count), CUDA_SUCCESS);
    cr_assert_eq(count, 5u, "%zu nodes", count);
    count = 8;
    GIVES(cuda.cuGraphGetNodes(graph, nodes, &count), CUDA_SUCCESS);
    cr_expect_eq(count, 5u);
    for (size_t i = 0; i < 5; i++) {
        GIVES(cuda.cuGraphNodeGetType(nodes[i], &type), CUDA_SUCCESS);
        cr_expect_eq(type, wanted[i], "node %zu is of type %d", i, type);
    }
    CUDA_KERNEL_NODE_PARAMS params;
    GIVES(cuda.cuGraphKernelNodeGetParams_v2(nodes[1], &params), CUDA_SUCCESS);
    cr_expect_eq(params.func, s.append);
    cr_expect_eq(*(unsigned int *)params.kernelParams[1], 4u);
    GIVES(cuda.cuGraphGetRootNodes(graph, NULL, &count), CUDA_SUCCESS);
    cr_expect_eq(count, 1u);
    GIVES(cuda.cuGraphGetEdges(graph, NULL, NULL, &count), CUDA_SUCCESS);
    cr_expect_eq(count, 4u);
    run(&s, graph, 3);
    cr_expect_eq(number(&s), 42u);
    cr_expect_eq(calls, 3);
    cr_expect_eq(back, 42u);
}

/* A second stream joins by an event and must join back. */
Test(driver_graph, events_fork_and_join) {
    struct stage s = start();
    struct client cuda = s.cuda;
    CUevent forked, joined;
    CUgraph graph = NULL;
    size_t edges = 0, roots = 0;
    NEEDS(cuda.cuEventCreate(&forked, 0));
    NEEDS(cuda.cuEventCreate(&joined, 0));
    NEEDS(cuda.cuStreamBeginCapture_v2(s.stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
    GIVES(launch(&s, 1, s.stream), CUDA_SUCCESS);
    GIVES(cuda.cuEventRecord(forked, s.stream), CUDA_SUCCESS);
    GIVES(cuda.cuStreamWaitEvent(s.other, forked, 0), CUDA_SUCCESS);
    GIVES(launch(&s, 2, s.other), CUDA_SUCCESS);
    GIVES(cuda.cuEventRecord(joined, s.other), CUDA_SUCCESS);
    GIVES(cuda.cuStreamWaitEvent(s.stream, joined, 0), CUDA_SUCCESS);
    GIVES(launch(&s, 3, s.stream), CUDA_SUCCESS);
    GIVES(cuda.cuStreamEndCapture(s.stream, &graph), CUDA_SUCCESS);
    cr_assert_not_null(graph);
    GIVES(cuda.cuGraphGetRootNodes(graph, NULL, &roots), CUDA_SUCCESS);
    GIVES(cuda.cuGraphGetEdges(graph, NULL, NULL, &edges), CUDA_SUCCESS);
    cr_expect_eq(roots, 1u);
    cr_expect(edges == 2 || edges == 3, "%zu edges", edges); /* 1 to 3 is implied by the others */
    run(&s, graph, 2);
    cr_expect_eq(number(&s), 123123u);
}

Test(driver_graph, a_fork_that_does_not_join) {
    struct stage s = start();
    struct client cuda = s.cuda;
    CUevent forked;
    CUgraph graph = (CUgraph)&s;
    NEEDS(cuda.cuEventCreate(&forked, 0));
    NEEDS(cuda.cuStreamBeginCapture_v2(s.stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
    GIVES(launch(&s, 1, s.stream), CUDA_SUCCESS);
    GIVES(cuda.cuEventRecord(forked, s.stream), CUDA_SUCCESS);
    GIVES(cuda.cuStreamWaitEvent(s.other, forked, 0), CUDA_SUCCESS);
    GIVES(launch(&s, 2, s.other), CUDA_SUCCESS);
    GIVES(cuda.cuStreamEndCapture(s.stream, &graph), CUDA_ERROR_STREAM_CAPTURE_UNJOINED);
    cr_expect_null(graph);
    GIVES(launch(&s, 5, s.other), CUDA_SUCCESS); /* both are free again */
    GIVES(launch(&s, 6, s.stream), CUDA_SUCCESS);
}

/* ---- what a capture forbids ---- */

Test(driver_graph, calls_that_spoil_a_capture) {
    struct stage s = start();
    struct client cuda = s.cuda;
    CUgraph graph;
    CUdeviceptr p;
    CUevent event;
    NEEDS(cuda.cuEventCreate(&event, 0));
    GIVES(cuda.cuStreamEndCapture(s.stream, &graph), CUDA_ERROR_ILLEGAL_STATE);
    GIVES(cuda.cuStreamBeginCapture_v2(NULL, CU_STREAM_CAPTURE_MODE_GLOBAL), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    GIVES(cuda.cuStreamBeginCapture_v2(s.stream, 7), CUDA_ERROR_INVALID_VALUE);

    NEEDS(cuda.cuStreamBeginCapture_v2(s.stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
    GIVES(cuda.cuStreamBeginCapture_v2(s.stream, CU_STREAM_CAPTURE_MODE_GLOBAL), CUDA_ERROR_ILLEGAL_STATE);
    GIVES(cuda.cuMemAlloc_v2(&p, 64), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    GIVES(launch(&s, 1, s.stream), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
    GIVES(cuda.cuStreamEndCapture(s.stream, &graph), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
    cr_expect_null(graph);

    NEEDS(cuda.cuStreamBeginCapture_v2(s.stream, CU_STREAM_CAPTURE_MODE_RELAXED));
    GIVES(cuda.cuMemAlloc_v2(&p, 64), CUDA_SUCCESS);
    GIVES(cuda.cuStreamSynchronize(s.stream), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    GIVES(cuda.cuStreamEndCapture(s.stream, &graph), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);

    NEEDS(cuda.cuStreamBeginCapture_v2(s.stream, CU_STREAM_CAPTURE_MODE_RELAXED));
    GIVES(cuda.cuEventRecord(event, s.stream), CUDA_SUCCESS);
    GIVES(cuda.cuEventQuery(event), CUDA_ERROR_CAPTURED_EVENT);
    cuda.cuStreamEndCapture(s.stream, &graph);
    GIVES(launch(&s, 5, s.stream), CUDA_SUCCESS);
    cr_expect_eq(number(&s), 5u);
}

/* The legacy stream waits for a capturing one that is not non-blocking. */
Test(driver_graph, the_legacy_stream_is_no_bystander) {
    struct stage s = start();
    struct client cuda = s.cuda;
    CUstream blocking;
    CUgraph graph;
    NEEDS(cuda.cuStreamCreate(&blocking, CU_STREAM_DEFAULT));
    NEEDS(cuda.cuStreamBeginCapture_v2(blocking, CU_STREAM_CAPTURE_MODE_RELAXED));
    GIVES(launch(&s, 1, NULL), CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
    GIVES(cuda.cuStreamEndCapture(blocking, &graph), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
    NEEDS(cuda.cuStreamBeginCapture_v2(s.stream, CU_STREAM_CAPTURE_MODE_RELAXED));
    GIVES(launch(&s, 7, NULL), CUDA_SUCCESS);
    GIVES(cuda.cuStreamEndCapture(s.stream, &graph), CUDA_SUCCESS);
    GIVES(cuda.cuGraphDestroy(graph), CUDA_SUCCESS);
    cr_expect_eq(number(&s), 7u);
}

static void *end_elsewhere(void *argument) {
    struct stage *s = argument;
    struct client cuda = s->cuda;
    CUgraph graph;
    NEEDS(cuda.cuCtxSetCurrent(cuda.context));
    GIVES(cuda.cuStreamEndCapture(s->stream, &graph), CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD);
    return NULL;
}

Test(driver_graph, a_capture_ends_where_it_began) {
    struct stage s = start();
    struct client cuda = s.cuda;
    CUgraph graph;
    pthread_t thread;
    NEEDS(cuda.cuStreamBeginCapture_v2(s.stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL));
    GIVES(launch(&s, 3, s.stream), CUDA_SUCCESS);
    cr_assert_eq(pthread_create(&thread, NULL, end_elsewhere, &s), 0);
    pthread_join(thread, NULL);
    cuda.cuStreamEndCapture(s.stream, &graph);
}

/* ---- graphs made by hand ---- */

static CUgraphNode add(const struct stage *s, CUgraph graph, unsigned int value, const CUgraphNode *after, size_t count) {
    struct client cuda = s->cuda;
    CUdeviceptr p = s->number;
    void *parameters[] = {&p, &value};
    CUDA_KERNEL_NODE_PARAMS params = {.func = s->append,
                                      .gridDimX = 1,
                                      .gridDimY = 1,
                                      .gridDimZ = 1,
                                      .blockDimX = 1,
                                      .blockDimY = 1,
                                      .blockDimZ = 1,
                                      .kernelParams = parameters};
    CUgraphNode node;
    NEEDS(cuda.cuGraphAddKernelNode_v2(&node, graph, after, count, &params));
    return node;
}

Test(driver_graph, edges_order_the_nodes) {
    struct stage s = start();
    struct client cuda = s.cuda;
    CUgraph graph, clone;
    NEEDS(cuda.cuGraphCreate(&graph, 0));
    CUgraphNode three = add(&s, graph, 3, NULL, 0), one = add(&s, graph, 1, NULL, 0), two = add(&s, graph, 2, &one, 1);
    GIVES(cuda.cuGraphAddDependencies(graph, &two, &three, 1), CUDA_SUCCESS);
    GIVES(cuda.cuGraphAddDependencies(graph, &two, &three, 1), CUDA_ERROR_INVALID_VALUE); /* is there */
    GIVES(cuda.cuGraphAddDependencies(graph, &two, &two, 1), CUDA_ERROR_INVALID_VALUE);
    CUgraphNode found[4];
    size_t count = 4;
    GIVES(cuda.cuGraphNodeGetDependencies(three, found, &count), CUDA_SUCCESS);
    cr_expect_eq(count, 1u);
    cr_expect_eq(found[0], two);
    count = 4;
    GIVES(cuda.cuGraphNodeGetDependentNodes(one, found, &count), CUDA_SUCCESS);
    cr_expect_eq(count, 1u);
    cr_expect_eq(found[0], two);
    GIVES(cuda.cuGraphClone(&clone, graph), CUDA_SUCCESS);
    GIVES(cuda.cuGraphNodeFindInClone(&found[0], three, clone), CUDA_SUCCESS);
    cr_expect_neq(found[0], three);
    run(&s, clone, 1);
    cr_expect_eq(number(&s), 123u);
    GIVES(cuda.cuGraphDestroyNode(one), CUDA_SUCCESS);
    run(&s, graph, 1);
    cr_expect_eq(number(&s), 12323u);
}

Test(driver_graph, a_circle_is_refused) {
    struct stage s = start();
    struct client cuda = s.cuda;
    CUgraph graph;
    CUgraphExec exec;
    NEEDS(cuda.cuGraphCreate(&graph, 0));
    CUgraphNode one = add(&s, graph, 1, NULL, 0), two = add(&s, graph, 2, &one, 1);
    CUresult result = cuda.cuGraphAddDependencies(graph, &two, &one, 1);
    if (!result) result = cuda.cuGraphInstantiateWithFlags(&exec, graph, 0);
    cr_expect_eq(result, CUDA_ERROR_INVALID_VALUE, "%s", client_name(&cuda, result));
}

static void host(void *user) { *(unsigned int *)user += 100; }

Test(driver_graph, nodes_of_every_kind) {
    struct stage s = start();
    struct client cuda = s.cuda;
    CUgraph graph, child;
    static unsigned int got;
    CUgraphNode fill, kernel, copy, call, inner, empty;
    NEEDS(cuda.cuGraphCreate(&graph, 0));
    CUDA_MEMSET_NODE_PARAMS fills = {.dst = s.number, .value = 4, .elementSize = 4, .width = 1, .height = 1};
    GIVES(cuda.cuGraphAddMemsetNode(&fill, graph, NULL, 0, &fills, cuda.context), CUDA_SUCCESS);
    kernel = add(&s, graph, 5, &fill, 1);
    NEEDS(cuda.cuGraphCreate(&child, 0));
    add(&s, child, 6, NULL, 0);
    GIVES(cuda.cuGraphAddChildGraphNode(&inner, graph, &kernel, 1, child), CUDA_SUCCESS);
    GIVES(cuda.cuGraphDestroy(child), CUDA_SUCCESS); /* the node has its own */
    GIVES(cuda.cuGraphAddEmptyNode(&empty, graph, &inner, 1), CUDA_SUCCESS);
    CUDA_MEMCPY3D copies = {.srcMemoryType = CU_MEMORYTYPE_DEVICE,
                            .srcDevice = s.number,
                            .dstMemoryType = CU_MEMORYTYPE_HOST,
                            .dstHost = &got,
                            .WidthInBytes = 4,
                            .Height = 1,
                            .Depth = 1};
    GIVES(cuda.cuGraphAddMemcpyNode(&copy, graph, &empty, 1, &copies, cuda.context), CUDA_SUCCESS);
    CUDA_HOST_NODE_PARAMS calls = {host, &got};
    GIVES(cuda.cuGraphAddHostNode(&call, graph, &copy, 1, &calls), CUDA_SUCCESS);

    CUgraphExec exec;
    CUDA_GRAPH_INSTANTIATE_PARAMS how = {0};
    GIVES(cuda.cuGraphInstantiateWithParams(&exec, graph, &how), CUDA_SUCCESS);
    cr_expect_eq(how.result_out, CUDA_GRAPH_INSTANTIATE_SUCCESS);
    GIVES(cuda.cuGraphLaunch(exec, s.stream), CUDA_SUCCESS);
    GIVES(cuda.cuStreamSynchronize(s.stream), CUDA_SUCCESS);
    cr_expect_eq(got, 556u); /* 456 + 100 */

    /* Changes to the executable graph alone. */
    CUdeviceptr p = s.number;
    unsigned int value = 7, enabled;
    void *parameters[] = {&p, &value};
    CUDA_KERNEL_NODE_PARAMS changed = {.func = s.append, .gridDimX = 1, .gridDimY = 1, .gridDimZ = 1,
                                       .blockDimX = 1, .blockDimY = 1, .blockDimZ = 1, .kernelParams = parameters};
    GIVES(cuda.cuGraphExecKernelNodeSetParams_v2(exec, kernel, &changed), CUDA_SUCCESS);
    fills.value = 1;
    GIVES(cuda.cuGraphExecMemsetNodeSetParams(exec, fill, &fills, cuda.context), CUDA_SUCCESS);
    GIVES(cuda.cuGraphLaunch(exec, s.stream), CUDA_SUCCESS);
    GIVES(cuda.cuStreamSynchronize(s.stream), CUDA_SUCCESS);
    cr_expect_eq(got, 276u); /* 176 + 100 */
    GIVES(cuda.cuGraphNodeSetEnabled(exec, kernel, 0), CUDA_SUCCESS);
    GIVES(cuda.cuGraphNodeGetEnabled(exec, kernel, &enabled), CUDA_SUCCESS);
    cr_expect_eq(enabled, 0u);
    GIVES(cuda.cuGraphLaunch(exec, s.stream), CUDA_SUCCESS);
    GIVES(cuda.cuStreamSynchronize(s.stream), CUDA_SUCCESS);
    cr_expect_eq(got, 116u); /* 16 + 100 */

    /* An update takes over what the graph says, not what was changed above. */
    CUgraphExecUpdateResultInfo info;
    GIVES(cuda.cuGraphNodeSetEnabled(exec, kernel, 1), CUDA_SUCCESS);
    GIVES(cuda.cuGraphExecUpdate_v2(exec, graph, &info), CUDA_SUCCESS);
    cr_expect_eq(info.result, CU_GRAPH_EXEC_UPDATE_SUCCESS);
    GIVES(cuda.cuGraphLaunch(exec, s.stream), CUDA_SUCCESS);
    GIVES(cuda.cuStreamSynchronize(s.stream), CUDA_SUCCESS);
    cr_expect_eq(got, 556u);
    GIVES(cuda.cuGraphDestroyNode(call), CUDA_SUCCESS);
    GIVES(cuda.cuGraphExecUpdate_v2(exec, graph, &info), CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE);
    cr_expect_eq(info.result, CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED);
}

Test(driver_graph, a_launch_is_not_captured) {
    struct stage s = start();
    struct client cuda = s.cuda;
    CUgraph inner, outer;
    CUgraphExec exec;
    NEEDS(cuda.cuGraphCreate(&inner, 0));
    add(&s, inner, 2, NULL, 0);
    NEEDS(cuda.cuGraphInstantiateWithFlags(&exec, inner, 0));
    NEEDS(cuda.cuStreamBeginCapture_v2(s.stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
    GIVES(launch(&s, 1, s.stream), CUDA_SUCCESS);
    GIVES(cuda.cuGraphLaunch(exec, s.stream), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    GIVES(launch(&s, 3, s.stream), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
    GIVES(cuda.cuStreamEndCapture(s.stream, &outer), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
    GIVES(cuda.cuGraphLaunch(exec, s.stream), CUDA_SUCCESS);
    cr_expect_eq(number(&s), 2u);
}

/* Nodes that no edge orders run in the order that WARPLOOM_EMU_ORDER asks for. */
static const struct order {
    const char *name;
    unsigned int number;
} orders[] = {{"eager", 123}, {"late", 321}};

ParameterizedTestParameters(driver_graph, unordered_nodes) { return wl_test_rows(WL_LEN(orders)); }
ParameterizedTest(size_t *i, driver_graph, unordered_nodes) {
    setenv("WARPLOOM_EMU_ORDER", orders[*i].name, 1);
    struct stage s = start();
    struct client cuda = s.cuda;
    CUgraph graph;
    if (!cuda.emulated) cr_skip_test("of the emulated driver");
    NEEDS(cuda.cuGraphCreate(&graph, 0));
    for (unsigned int v = 1; v <= 3; v++) add(&s, graph, v, NULL, 0);
    run(&s, graph, 1);
    cr_expect_eq(number(&s), orders[*i].number);
}

/* ---- handles ---- */

Test(driver_graph, made_up_handles) {
    struct stage s = start();
    struct client cuda = s.cuda;
    if (!cuda.emulated) cr_skip_test("a real driver follows them");
    CUgraph none = (CUgraph)&s;
    CUgraphNode node = (CUgraphNode)&s;
    CUgraphExec exec = (CUgraphExec)&s;
    CUgraphNodeType type;
    size_t count;
    GIVES(cuda.cuGraphDestroy(none), CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuGraphGetNodes(none, NULL, &count), CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuGraphNodeGetType(node, &type), CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuGraphInstantiateWithFlags(&exec, none, 0), CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuGraphLaunch(exec, s.stream), CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuGraphExecDestroy(exec), CUDA_ERROR_INVALID_VALUE);
}
