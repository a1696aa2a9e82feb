/* api_work: a piece of work for a stream: done now, or kept as a node of a graph and done at each of its launches. */
#include "runtime/emu/api.h"

#include <string.h>
#include "gen/arena.h"
#include "runtime/emu/machine.h"

CUresult emu_work_run(struct emu_work *work) {
    switch (work->kind) {
    case CU_GRAPH_NODE_TYPE_KERNEL: return emu_kernel_run(&work->kernel);
    case CU_GRAPH_NODE_TYPE_MEMCPY: return emu_copy_run(&work->copy);
    case CU_GRAPH_NODE_TYPE_MEMSET: return emu_fill_run(&work->fill);
    case CU_GRAPH_NODE_TYPE_HOST: work->host.fn(work->host.userData); return CUDA_SUCCESS;
    case CU_GRAPH_NODE_TYPE_GRAPH: return emu_graph_run(work->child);
    case CU_GRAPH_NODE_TYPE_EVENT_RECORD: return emu_event_record(work->event);
    default: return CUDA_SUCCESS; /* an empty node; an event, which was recorded when it was */
    }
}

static bool copy_kernel(struct emu_kernel *to, const struct emu_kernel *from) {
    const struct emu_function *fn = from->function->fn;
    uint32_t count = fn->source->param_count;
    to->params = wl_realloc(NULL, fn->param_bytes + 1);
    to->pointers = wl_realloc(NULL, (count + 1) * sizeof *to->pointers);
    if (!to->params || !to->pointers) return false;
    memcpy(to->params, from->params, fn->param_bytes);
    for (uint32_t i = 0; i < count; i++) to->pointers[i] = to->params + fn->source->params[i]->slot;
    return true;
}

bool emu_work_copy(struct emu_work *to, const struct emu_work *from) {
    *to = *from;
    bool whole = true;
    if (from->kind == CU_GRAPH_NODE_TYPE_KERNEL) whole = copy_kernel(&to->kernel, &from->kernel);
    if (from->kind == CU_GRAPH_NODE_TYPE_GRAPH) whole = (to->child = emu_graph_clone(from->child)) != NULL;
    if (!whole) emu_work_fini(to);
    return whole;
}

void emu_work_fini(struct emu_work *work) {
    if (work->kind == CU_GRAPH_NODE_TYPE_KERNEL) {
        wl_free(work->kernel.params);
        wl_free(work->kernel.pointers);
    }
    if (work->kind == CU_GRAPH_NODE_TYPE_GRAPH && work->child) emu_graph_destroy(work->child);
    *work = (struct emu_work){.kind = CU_GRAPH_NODE_TYPE_EMPTY};
}

static CUresult check(const struct emu_work *work) {
    if (work->kind == CU_GRAPH_NODE_TYPE_MEMCPY) return emu_copy_check(&work->copy);
    if (work->kind == CU_GRAPH_NODE_TYPE_MEMSET) return emu_fill_check(&work->fill);
    return CUDA_SUCCESS;
}

CUresult emu_submit(CUstream stream, struct emu_work *work) {
    struct emu_capture *capture = NULL;
    CUresult result = emu_stream_valid(stream) ? check(work) : CUDA_ERROR_INVALID_HANDLE;
    if (!result) result = emu_capture_of(stream, &capture);
    if (!result) result = capture ? emu_capture_add(stream, work) : emu_work_run(work);
    emu_work_fini(work);
    return result;
}
