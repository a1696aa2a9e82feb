/* api_stream: streams and events. Everything happens at the call, so a stream is its flags (and what it is captured
 * into) and an event the time at which it was recorded. */
#include "runtime/emu/api.h"

#define LEAST_PRIORITY    0
#define GREATEST_PRIORITY (-5)

static bool is_default(CUstream stream) {
    return !stream || stream == CU_STREAM_LEGACY || stream == CU_STREAM_PER_THREAD;
}

bool emu_stream_valid(CUstream stream) {
    return is_default(stream) || emu_handle_is(stream, EMU_KIND_STREAM);
}

static CUresult check(CUstream stream, const void *out) {
    if (!out) return CUDA_ERROR_INVALID_VALUE;
    return emu_stream_valid(stream) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

CUresult emu_cuStreamCreateWithPriority(CUstream *stream, unsigned int flags, int priority) {
    if (!stream || flags > CU_STREAM_NON_BLOCKING) return CUDA_ERROR_INVALID_VALUE;
    struct CUstream_st *fresh = emu_object_create(EMU_KIND_STREAM, sizeof *fresh);
    if (!fresh) return CUDA_ERROR_OUT_OF_MEMORY;
    fresh->flags = flags;
    fresh->priority = priority < GREATEST_PRIORITY ? GREATEST_PRIORITY
                      : priority > LEAST_PRIORITY  ? LEAST_PRIORITY
                                                   : priority;
    fresh->id = ++emu_driver.ids;
    *stream = fresh;
    return CUDA_SUCCESS;
}

CUresult emu_cuStreamCreate(CUstream *stream, unsigned int flags) {
    return emu_cuStreamCreateWithPriority(stream, flags, LEAST_PRIORITY);
}

CUresult emu_cuStreamDestroy_v2(CUstream stream) {
    if (!emu_handle_is(stream, EMU_KIND_STREAM)) return CUDA_ERROR_INVALID_HANDLE;
    emu_object_destroy(&stream->object);
    return CUDA_SUCCESS;
}
CUresult emu_cuStreamDestroy(CUstream stream) { return emu_cuStreamDestroy_v2(stream); }

CUresult emu_cuStreamSynchronize(CUstream stream) {
    CUresult result = check(stream, &stream);
    return result ? result : emu_capture_idle(stream);
}
CUresult emu_cuStreamQuery(CUstream stream) { return emu_cuStreamSynchronize(stream); }

CUresult emu_cuStreamWaitEvent(CUstream stream, CUevent event, unsigned int flags) {
    if (flags > CU_EVENT_WAIT_EXTERNAL) return CUDA_ERROR_INVALID_VALUE;
    if (!emu_handle_is(event, EMU_KIND_EVENT)) return CUDA_ERROR_INVALID_HANDLE;
    CUresult result = check(stream, &stream);
    if (result) return result;
    if (flags == CU_EVENT_WAIT_EXTERNAL) { /* a node, where the stream is captured */
        struct emu_work work = {.kind = CU_GRAPH_NODE_TYPE_WAIT_EVENT, .event = event};
        return emu_submit(stream, &work);
    }
    return emu_capture_wait(stream, event); /* what was recorded outside of captures has happened */
}

CUresult emu_cuStreamGetFlags(CUstream stream, unsigned int *flags) {
    CUresult result = check(stream, flags);
    if (!result) *flags = is_default(stream) ? CU_STREAM_DEFAULT : stream->flags;
    return result;
}

CUresult emu_cuStreamGetPriority(CUstream stream, int *priority) {
    CUresult result = check(stream, priority);
    if (!result) *priority = is_default(stream) ? LEAST_PRIORITY : stream->priority;
    return result;
}

CUresult emu_cuStreamGetId(CUstream stream, unsigned long long *id) {
    CUresult result = check(stream, id);
    if (!result)
        *id = is_default(stream) ? (uintptr_t)stream : stream->id + 2; /* 0 to 2: the default streams */
    return result;
}

CUresult emu_cuStreamGetCtx(CUstream stream, CUcontext *context) {
    CUresult result = check(stream, context);
    if (!result) *context = is_default(stream) ? emu_context() : stream->object.context;
    return result;
}

CUresult emu_cuStreamAddCallback(CUstream stream, CUstreamCallback callback, void *user, unsigned int flags) {
    if (!callback || flags) return CUDA_ERROR_INVALID_VALUE;
    CUresult result = check(stream, &stream);
    if (!result) result = emu_capture_idle(stream); /* not to be captured */
    if (!result) callback(stream, CUDA_SUCCESS, user);
    return result;
}

CUresult emu_cuLaunchHostFunc(CUstream stream, CUhostFn fn, void *user) {
    if (!fn) return CUDA_ERROR_INVALID_VALUE;
    struct emu_work work = {.kind = CU_GRAPH_NODE_TYPE_HOST, .host = {fn, user}};
    return emu_submit(stream, &work);
}

/* ---- events ---- */

CUresult emu_cuEventCreate(CUevent *event, unsigned int flags) {
    unsigned int known = CU_EVENT_BLOCKING_SYNC | CU_EVENT_DISABLE_TIMING | CU_EVENT_INTERPROCESS;
    if (!event || flags & ~known) return CUDA_ERROR_INVALID_VALUE;
    if (flags & CU_EVENT_INTERPROCESS && !(flags & CU_EVENT_DISABLE_TIMING)) return CUDA_ERROR_INVALID_VALUE;
    struct CUevent_st *fresh = emu_object_create(EMU_KIND_EVENT, sizeof *fresh);
    if (!fresh) return CUDA_ERROR_OUT_OF_MEMORY;
    fresh->flags = flags;
    *event = fresh;
    return CUDA_SUCCESS;
}

CUresult emu_cuEventDestroy_v2(CUevent event) {
    if (!emu_handle_is(event, EMU_KIND_EVENT)) return CUDA_ERROR_INVALID_HANDLE;
    emu_object_destroy(&event->object);
    return CUDA_SUCCESS;
}
CUresult emu_cuEventDestroy(CUevent event) { return emu_cuEventDestroy_v2(event); }

CUresult emu_event_record(CUevent event) {
    if (!emu_handle_is(event, EMU_KIND_EVENT)) return CUDA_ERROR_INVALID_HANDLE;
    event->recorded = true;
    event->capture = NULL;
    emu_nodes_clear(&event->after);
    clock_gettime(CLOCK_MONOTONIC, &event->when);
    return CUDA_SUCCESS;
}

CUresult emu_cuEventRecordWithFlags(CUevent event, CUstream stream, unsigned int flags) {
    if (flags > CU_EVENT_RECORD_EXTERNAL) return CUDA_ERROR_INVALID_VALUE;
    struct emu_capture *capture;
    if (!emu_handle_is(event, EMU_KIND_EVENT)) return CUDA_ERROR_INVALID_HANDLE;
    CUresult result = emu_capture_of(stream, &capture);
    if (result) return result;
    if (capture && flags == CU_EVENT_RECORD_EXTERNAL) {
        struct emu_work work = {.kind = CU_GRAPH_NODE_TYPE_EVENT_RECORD, .event = event};
        return emu_submit(stream, &work);
    }
    return capture ? emu_capture_record(stream, event) : emu_event_record(event);
}

CUresult emu_cuEventRecord(CUevent event, CUstream stream) {
    return emu_cuEventRecordWithFlags(event, stream, 0);
}

CUresult emu_cuEventQuery(CUevent event) {
    if (!emu_handle_is(event, EMU_KIND_EVENT)) return CUDA_ERROR_INVALID_HANDLE;
    return event->capture ? CUDA_ERROR_CAPTURED_EVENT : CUDA_SUCCESS;
}

CUresult emu_cuEventSynchronize(CUevent event) { return emu_cuEventQuery(event); }

CUresult emu_cuEventElapsedTime(float *milliseconds, CUevent start, CUevent end) {
    if (!milliseconds) return CUDA_ERROR_INVALID_VALUE;
    if (!emu_handle_is(start, EMU_KIND_EVENT) || !emu_handle_is(end, EMU_KIND_EVENT))
        return CUDA_ERROR_INVALID_HANDLE;
    if (start->capture || end->capture) return CUDA_ERROR_CAPTURED_EVENT;
    if (!start->recorded || !end->recorded) return CUDA_ERROR_INVALID_HANDLE;
    if ((start->flags | end->flags) & CU_EVENT_DISABLE_TIMING) return CUDA_ERROR_INVALID_HANDLE;
    double seconds = (double)(end->when.tv_sec - start->when.tv_sec);
    double nanoseconds = (double)(end->when.tv_nsec - start->when.tv_nsec);
    *milliseconds = (float)(seconds * 1e3 + nanoseconds * 1e-6);
    return CUDA_SUCCESS;
}

CUresult emu_cuEventElapsedTime_v2(float *milliseconds, CUevent start, CUevent end) {
    return emu_cuEventElapsedTime(milliseconds, start, end);
}
