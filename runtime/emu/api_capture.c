/* api_capture: streams whose work becomes nodes of a graph instead of being done.
 *
 * Captures belong to the streams of one context. A stream joins another one's capture by waiting for an event that
 * was recorded in it, and what it is given from then on comes behind what that event stands for. */
#include "runtime/emu/api.h"

#include <pthread.h>
#include <string.h>
#include "gen/arena.h"

struct emu_capture {
    struct CUgraph_st *graph; /* NULL: destroyed under way */
    bool given;               /* the program's own graph */
    CUstream origin;
    CUstreamCaptureMode mode;
    pthread_t thread;
    unsigned long long id;
    bool invalid;
    size_t first; /* nodes that were in the graph before */
    struct emu_capture *next;
};

static struct emu_capture *captures; /* all that are under way */
static _Thread_local CUstreamCaptureMode thread_mode = CU_STREAM_CAPTURE_MODE_GLOBAL;

static bool is_stream(CUstream stream) { return emu_handle_is(stream, EMU_KIND_STREAM); }
static struct emu_capture *own(CUstream stream) { return is_stream(stream) ? stream->capture : NULL; }

/* ---- what a capture forbids ---- */

/* The legacy stream waits for all streams but the non-blocking ones, so for captures on those. */
static CUresult check_implicit(void) {
    for (struct emu_capture *c = captures; c; c = c->next) {
        if (c->origin->flags & CU_STREAM_NON_BLOCKING || c->origin->object.context != emu_context()) continue;
        c->invalid = true;
        return CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
    }
    return CUDA_SUCCESS;
}

CUresult emu_capture_of(CUstream stream, struct emu_capture **capture) {
    *capture = NULL;
    if (!emu_stream_valid(stream)) return CUDA_ERROR_INVALID_HANDLE;
    if (!is_stream(stream)) return stream == CU_STREAM_PER_THREAD ? CUDA_SUCCESS : check_implicit();
    *capture = stream->capture;
    return *capture && (*capture)->invalid ? CUDA_ERROR_STREAM_CAPTURE_INVALIDATED : CUDA_SUCCESS;
}

CUresult emu_capture_calm(void) {
    if (thread_mode == CU_STREAM_CAPTURE_MODE_RELAXED) return CUDA_SUCCESS;
    for (struct emu_capture *c = captures; c; c = c->next) {
        bool mine = pthread_equal(c->thread, pthread_self());
        bool forbidden = mine ? c->mode != CU_STREAM_CAPTURE_MODE_RELAXED
                              : c->mode == CU_STREAM_CAPTURE_MODE_GLOBAL &&
                                    thread_mode == CU_STREAM_CAPTURE_MODE_GLOBAL;
        if (!forbidden) continue;
        c->invalid = true;
        return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    }
    return CUDA_SUCCESS;
}

/* Nothing that is captured can be waited for. */
CUresult emu_capture_idle(CUstream stream) {
    struct emu_capture *capture = own(stream);
    if (!capture) return is_stream(stream) || stream == CU_STREAM_PER_THREAD ? CUDA_SUCCESS : check_implicit();
    capture->invalid = true;
    return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
}

CUresult emu_cuThreadExchangeStreamCaptureMode(CUstreamCaptureMode *mode) {
    if (!mode || *mode < CU_STREAM_CAPTURE_MODE_GLOBAL || *mode > CU_STREAM_CAPTURE_MODE_RELAXED)
        return CUDA_ERROR_INVALID_VALUE;
    CUstreamCaptureMode old = thread_mode;
    thread_mode = *mode;
    *mode = old;
    return CUDA_SUCCESS;
}

/* ---- nodes ---- */

static bool set_after(struct emu_nodes *set, struct CUgraphNode_st *const *nodes, size_t count) {
    emu_nodes_clear(set);
    for (size_t i = 0; i < count; i++)
        if (!emu_nodes_add(set, nodes[i])) return false;
    return true;
}

CUresult emu_capture_add(CUstream stream, struct emu_work *work) {
    struct CUgraphNode_st *node;
    CUresult result = emu_graph_add(&node, stream->capture->graph, stream->after.at, stream->after.count, work);
    if (!result && !set_after(&stream->after, &node, 1)) result = CUDA_ERROR_OUT_OF_MEMORY;
    return result;
}

/* What everything that refers to a capture is told when it ends. */
static void forget(struct emu_capture *capture) {
    for (struct emu_object *o = capture->origin->object.context->objects; o; o = o->next) {
        if (o->kind == EMU_KIND_STREAM && ((CUstream)o)->capture == capture) {
            ((CUstream)o)->capture = NULL;
            emu_nodes_clear(&((CUstream)o)->after);
        }
        if (o->kind == EMU_KIND_EVENT && ((CUevent)o)->capture == capture) {
            ((CUevent)o)->capture = NULL;
            emu_nodes_clear(&((CUevent)o)->after);
        }
    }
    struct emu_capture **link = &captures;
    while (*link != capture) link = &(*link)->next;
    *link = capture->next;
    wl_free(capture);
}

static void drop(struct emu_capture *capture) {
    if (capture->graph && !capture->given) emu_graph_destroy(capture->graph);
    forget(capture);
}

void emu_capture_stream_gone(CUstream stream) {
    if (stream->capture && stream->capture->origin == stream) drop(stream->capture);
    else if (stream->capture) stream->capture->invalid = true;
    emu_nodes_clear(&stream->after);
}

void emu_capture_graph_gone(struct CUgraph_st *graph) {
    for (struct emu_capture *c = captures; c; c = c->next) {
        if (c->graph != graph) continue;
        c->graph = NULL;
        c->invalid = true;
    }
}

/* ---- events between captured streams ---- */

CUresult emu_capture_record(CUstream stream, CUevent event) {
    event->capture = stream->capture;
    return set_after(&event->after, stream->after.at, stream->after.count) ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

CUresult emu_capture_wait(CUstream stream, CUevent event) {
    struct emu_capture *theirs = event->capture, *ours = own(stream);
    if (!theirs) { /* a captured stream cannot wait for what happens outside */
        if (ours) ours->invalid = true;
        return ours ? CUDA_ERROR_STREAM_CAPTURE_ISOLATION : CUDA_SUCCESS;
    }
    if (theirs->invalid) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    if (!is_stream(stream)) {
        theirs->invalid = true;
        return CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
    }
    if (ours && ours != theirs) {
        ours->invalid = theirs->invalid = true;
        return CUDA_ERROR_STREAM_CAPTURE_MERGE;
    }
    if (stream->object.context != theirs->origin->object.context) return CUDA_ERROR_STREAM_CAPTURE_ISOLATION;
    stream->capture = theirs;
    for (size_t i = 0; i < event->after.count; i++)
        if (!emu_nodes_add(&stream->after, event->after.at[i])) return CUDA_ERROR_OUT_OF_MEMORY;
    return CUDA_SUCCESS;
}

/* ---- begin ---- */

static CUresult begin(CUstream stream, struct CUgraph_st *graph, CUstreamCaptureMode mode) {
    if (mode < CU_STREAM_CAPTURE_MODE_GLOBAL || mode > CU_STREAM_CAPTURE_MODE_RELAXED) return CUDA_ERROR_INVALID_VALUE;
    if (!emu_stream_valid(stream)) return CUDA_ERROR_INVALID_HANDLE;
    if (!is_stream(stream)) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED; /* the per-thread one too, here */
    if (stream->capture) return CUDA_ERROR_ILLEGAL_STATE;
    struct emu_capture *capture = wl_realloc(NULL, sizeof *capture);
    if (!capture) return CUDA_ERROR_OUT_OF_MEMORY;
    *capture = (struct emu_capture){.graph = graph ? graph : emu_graph_create(),
                                    .given = graph != NULL,
                                    .origin = stream,
                                    .mode = mode,
                                    .thread = pthread_self(),
                                    .id = ++emu_driver.ids,
                                    .next = captures};
    if (!capture->graph) {
        wl_free(capture);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    capture->first = capture->graph->nodes.count;
    captures = stream->capture = capture;
    return CUDA_SUCCESS;
}

CUresult emu_cuStreamBeginCapture_v2(CUstream stream, CUstreamCaptureMode mode) { return begin(stream, NULL, mode); }
CUresult emu_cuStreamBeginCapture(CUstream stream) { return begin(stream, NULL, CU_STREAM_CAPTURE_MODE_GLOBAL); }

static CUresult set_dependencies(CUstream stream, const CUgraphNode *after, size_t count) {
    if (count && !after) return CUDA_ERROR_INVALID_VALUE;
    for (size_t i = 0; i < count; i++)
        if (!emu_handle_is(after[i], EMU_KIND_NODE) || after[i]->graph != stream->capture->graph)
            return CUDA_ERROR_INVALID_VALUE;
    for (size_t i = 0; i < count; i++)
        if (!emu_nodes_add(&stream->after, after[i])) return CUDA_ERROR_OUT_OF_MEMORY;
    return CUDA_SUCCESS;
}

CUresult emu_cuStreamBeginCaptureToGraph(CUstream stream, CUgraph graph, const CUgraphNode *after,
                                         const CUgraphEdgeData *edges, size_t after_count, CUstreamCaptureMode mode) {
    (void)edges; /* what they could ask for, to start before the node before is done, never happens here */
    if (!emu_handle_is(graph, EMU_KIND_GRAPH)) return CUDA_ERROR_INVALID_VALUE;
    CUresult result = begin(stream, graph, mode);
    if (result) return result;
    result = set_dependencies(stream, after, after_count);
    if (result) drop(stream->capture);
    return result;
}

CUresult emu_cuStreamUpdateCaptureDependencies_v2(CUstream stream, CUgraphNode *after, const CUgraphEdgeData *edges,
                                                  size_t after_count, unsigned int flags) {
    (void)edges;
    if (flags > CU_STREAM_SET_CAPTURE_DEPENDENCIES) return CUDA_ERROR_INVALID_VALUE;
    if (!own(stream)) return is_stream(stream) ? CUDA_ERROR_ILLEGAL_STATE : CUDA_ERROR_INVALID_HANDLE;
    if (stream->capture->invalid) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    if (flags == CU_STREAM_SET_CAPTURE_DEPENDENCIES) emu_nodes_clear(&stream->after);
    return set_dependencies(stream, after, after_count);
}
CUresult emu_cuStreamUpdateCaptureDependencies(CUstream stream, CUgraphNode *after, size_t after_count,
                                               unsigned int flags) {
    return emu_cuStreamUpdateCaptureDependencies_v2(stream, after, NULL, after_count, flags);
}

/* ---- end ---- */

static void mark(struct CUgraphNode_st *node) { /* and all that it comes after */
    if (node->index) return;
    node->index = 1;
    for (size_t i = 0; i < node->after.count; i++) mark(node->after.at[i]);
}

/* Whether all that was captured comes before what the origin stream has arrived at. */
static bool joined(const struct emu_capture *capture) {
    const struct emu_nodes *nodes = &capture->graph->nodes;
    for (size_t i = 0; i < nodes->count; i++) nodes->at[i]->index = 0;
    for (size_t i = 0; i < capture->origin->after.count; i++) mark(capture->origin->after.at[i]);
    for (size_t i = capture->first; i < nodes->count; i++)
        if (!nodes->at[i]->index) return false;
    return true;
}

CUresult emu_cuStreamEndCapture(CUstream stream, CUgraph *graph) {
    if (!graph) return CUDA_ERROR_INVALID_VALUE;
    *graph = NULL;
    if (!emu_stream_valid(stream)) return CUDA_ERROR_INVALID_HANDLE;
    struct emu_capture *capture = own(stream);
    if (!capture) return CUDA_ERROR_ILLEGAL_STATE;
    if (capture->origin != stream) {
        capture->invalid = true;
        return CUDA_ERROR_STREAM_CAPTURE_UNMATCHED;
    }
    if (capture->mode != CU_STREAM_CAPTURE_MODE_RELAXED && !pthread_equal(capture->thread, pthread_self()))
        return CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD;
    CUresult result = CUDA_SUCCESS;
    if (capture->invalid) result = CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    else if (!joined(capture)) result = CUDA_ERROR_STREAM_CAPTURE_UNJOINED;
    if (result) {
        drop(capture);
        return result;
    }
    *graph = capture->graph;
    forget(capture);
    return CUDA_SUCCESS;
}

/* ---- questions ---- */

CUresult emu_cuStreamIsCapturing(CUstream stream, CUstreamCaptureStatus *status) {
    if (!status) return CUDA_ERROR_INVALID_VALUE;
    if (!emu_stream_valid(stream)) return CUDA_ERROR_INVALID_HANDLE;
    if (!is_stream(stream) && stream != CU_STREAM_PER_THREAD) {
        for (struct emu_capture *c = captures; c; c = c->next) /* it asks for the legacy stream's sake */
            if (!(c->origin->flags & CU_STREAM_NON_BLOCKING) && c->origin->object.context == emu_context())
                return CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
    }
    struct emu_capture *capture = own(stream);
    *status = !capture           ? CU_STREAM_CAPTURE_STATUS_NONE
              : capture->invalid ? CU_STREAM_CAPTURE_STATUS_INVALIDATED
                                 : CU_STREAM_CAPTURE_STATUS_ACTIVE;
    return CUDA_SUCCESS;
}

CUresult emu_cuStreamGetCaptureInfo_v3(CUstream stream, CUstreamCaptureStatus *status, cuuint64_t *id, CUgraph *graph,
                                       const CUgraphNode **after, const CUgraphEdgeData **edges, size_t *after_count) {
    CUresult result = emu_cuStreamIsCapturing(stream, status);
    if (result || *status != CU_STREAM_CAPTURE_STATUS_ACTIVE) return result;
    if (id) *id = stream->capture->id;
    if (graph) *graph = stream->capture->graph;
    if (after) *after = stream->after.at;
    if (edges) *edges = NULL; /* none with anything to say */
    if (after_count) *after_count = stream->after.count;
    return CUDA_SUCCESS;
}
CUresult emu_cuStreamGetCaptureInfo_v2(CUstream stream, CUstreamCaptureStatus *status, cuuint64_t *id, CUgraph *graph,
                                       const CUgraphNode **after, size_t *after_count) {
    return emu_cuStreamGetCaptureInfo_v3(stream, status, id, graph, after, NULL, after_count);
}
CUresult emu_cuStreamGetCaptureInfo(CUstream stream, CUstreamCaptureStatus *status, cuuint64_t *id) {
    return emu_cuStreamGetCaptureInfo_v3(stream, status, id, NULL, NULL, NULL, NULL);
}
