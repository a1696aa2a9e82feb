/* api: what the entries of the Driver API share: the driver's state, handles, contexts, the last report.
 *
 * api.c exports every row of api.def: it takes the lock, checks what the row needs, calls emu_<symbol>() and
 * lets go. So an entry's own code runs alone, with a live context where its row asks for one.
 *
 * All work happens at the time of the call, in order: a stream has nothing outstanding, an event is complete
 * once it is recorded. Work for a stream is a struct emu_work (api_work.c): emu_submit() does it, or makes it a node
 * of the graph that the stream is captured into. A failed kernel is what CUDA makes of it: the launch itself succeeds, and from then on
 * every HEALTHY entry answers its error until the context is destroyed. */
#ifndef EMU_API_H
#define EMU_API_H

#include <time.h>

#include "runtime/cuda_api.h"
#include "runtime/emu/device.h"
#include "runtime/emu/machine.h"

enum emu_need { EMU_NEED_NOTHING, EMU_NEED_INIT, EMU_NEED_CONTEXT, EMU_NEED_HEALTHY, EMU_NEED_CALM };

#define WL_API(symbol, name, version, need, parameters, arguments) CUresult emu_##symbol parameters;
#include "runtime/emu/api.def"
#undef WL_API

struct emu_config {                    /* from the environment, read by cuInit */
    const struct emu_profile *profile; /* WARPLOOM_EMU_DEVICE; NULL: not set */
    enum emu_order order;              /* WARPLOOM_EMU_ORDER */
    uint64_t seed;
    enum emu_check check; /* WARPLOOM_EMU_CHECK */
    uint64_t timeout_ms; /* WARPLOOM_EMU_TIMEOUT, in seconds there */
    uint32_t threads;    /* WARPLOOM_EMU_THREADS */
    char report[512];    /* WARPLOOM_EMU_REPORT: file to which failures are appended; "": none */
    bool hmm;            /* WARPLOOM_EMU_HMM: kernels reach the host's own memory */
};
/* False: why says which variable holds what, and what it may hold. */
bool emu_config_read(struct emu_config *config, char *why, size_t why_bytes);

/* ---- handles: every pointer that a program hands in is looked up before it is believed ---- */
enum emu_kind { EMU_KIND_CONTEXT = 1, EMU_KIND_MODULE, EMU_KIND_FUNCTION, EMU_KIND_STREAM, EMU_KIND_EVENT, EMU_KIND_LIBRARY,
                EMU_KIND_KERNEL, EMU_KIND_LINK, EMU_KIND_POOL, EMU_KIND_GRAPH, EMU_KIND_NODE, EMU_KIND_EXEC };
bool emu_handle_add(const void *handle, enum emu_kind kind); /* false: no memory */
void emu_handle_remove(const void *handle);
bool emu_handle_is(const void *handle, enum emu_kind kind);

struct emu_object { /* head of what a context owns: modules, streams, events */
    enum emu_kind kind;
    struct CUctx_st *context;
    struct emu_object *previous, *next;
};

#define EMU_LIMITS 10

struct CUctx_st { /* never freed: a destroyed one is still told from garbage */
    bool alive, primary;
    int retained; /* of the primary context */
    unsigned int flags, version;
    unsigned long long id;
    CUresult failed; /* of a kernel; sticky */
    size_t limits[EMU_LIMITS];
    CUfunc_cache cache;
    struct emu_object *objects;
};

struct emu_driver { /* the one emulated GPU, and the process's state */
    bool initialised;
    const struct emu_profile *suggested; /* NULL: none */
    struct emu_config config;
    struct emu_device *device;
    struct CUctx_st *primary;
    unsigned long long ids; /* of contexts and streams */
    void (*progress)(void *user, uint64_t done, uint64_t total);
    void *progress_user;
    bool noop; /* launches are checked and packed, not run */
};
extern struct emu_driver emu_driver;

#define EMU_DEVICE_COUNT 1

/* ---- contexts (api_context.c) ---- */
struct CUctx_st *emu_context(void); /* current in this thread; NULL: none */
/* Allocates an object of the current context and registers it as a handle; NULL: no memory. */
void *emu_object_create(enum emu_kind kind, size_t bytes);
void emu_object_destroy(struct emu_object *object); /* unlinks, unregisters, frees */
void emu_module_object_fini(
    struct emu_object *object); /* api_module.c: what a module holds beside its struct */

/* ---- modules and functions (api_module.c) ---- */
struct emu_module;
struct CUfunc_st {
    struct CUmod_st *module;
    const struct emu_function *fn;
    int max_dynamic_smem, carveout, scheduling;
    bool nonportable_cluster;
    unsigned int required_cluster[3]; /* 0: none */
    struct CUfunc_st *next;
};
struct CUmod_st {
    struct emu_object object;
    struct emu_module *loaded;
    struct CUfunc_st *functions;
    struct CUlib_st *library; /* NULL: loaded as a module */
    struct CUmod_st *sibling; /* of the same library, in another context */
};
struct ptx_error;
/* A module of the current context from PTX text; *error is filled on CUDA_ERROR_INVALID_PTX. */
CUresult emu_module_create(CUmodule *module, const char *ptx, struct ptx_error *error);
struct CUfunc_st *emu_function_get(struct CUmod_st *module, const struct emu_function *fn); /* NULL: no memory */
void emu_function_init(struct CUfunc_st *function, struct CUmod_st *module, const struct emu_function *fn);
CUresult emu_function_attribute(int *value, CUfunction_attribute attribute, const struct CUfunc_st *function);
CUresult emu_function_set(struct CUfunc_st *function, CUfunction_attribute attribute, int value);
/* What a program passes as a function: one, or a library's kernel, which stands for its function in the current
 * context; NULL: neither. */
struct CUfunc_st *emu_function_of(CUfunction handle);

/* The logs that a program may ask for with its JIT options: where the buffers are, which slots take the lengths. */
struct emu_logs {
    struct emu_log {
        char *buffer;
        size_t bytes, used;
        void **length; /* receives used */
    } info, error;
    bool verbose;
};
CUresult emu_logs_read(struct emu_logs *logs, unsigned int count, const CUjit_option *options, void **values);
void emu_logs_finish(struct emu_logs *logs);
CUresult emu_logs_fail(struct emu_logs *logs, CUresult result, const char *text); /* gives result */
CUresult emu_logs_ptx_error(struct emu_logs *logs, const struct ptx_error *error); /* gives CUDA_ERROR_INVALID_PTX */
/* PTX text out of what a program calls an image (image.c): text itself, or the best entry of a fatbin. Allocated
 * anew; on failure the log says why. */
CUresult emu_image_text(char **text, const void *image, struct emu_logs *logs);
/* A whole file, with a zero byte behind it; NULL: none, too large, or no memory. */
char *emu_file_read(const char *path, CUresult *result);

/* ---- libraries (api_library.c) ---- */
struct CUfunc_st *emu_kernel_function(CUkernel kernel, CUresult *result); /* in the current context */
void emu_library_forget(struct CUmod_st *module);
/* Registers per thread: an upper bound, since nothing here allots any (api_function.c). */
int emu_function_registers(const struct emu_function *fn);
int emu_function_local(const struct emu_function *fn); /* bytes of local memory per thread */
/* Blocks of a function that an SM holds at once, as the hardware's allocation rules give it; 0: not even one.
 */
int emu_function_occupancy(const struct CUfunc_st *function, uint64_t threads, uint64_t dynamic_smem);

/* ---- streams and events (api_stream.c) ---- */
struct emu_capture;
struct emu_nodes { /* a list of nodes, or a set of them */
    struct CUgraphNode_st **at;
    size_t count, capacity;
};
struct CUstream_st {
    struct emu_object object;
    unsigned int flags;
    int priority;
    unsigned long long id;
    struct emu_capture *capture; /* NULL: none under way */
    struct emu_nodes after;      /* what the next captured node waits for */
};
struct CUevent_st {
    struct emu_object object;
    unsigned int flags;
    bool recorded;
    struct timespec when;
    struct emu_capture *capture; /* recorded in one last */
    struct emu_nodes after;
};
bool emu_stream_valid(CUstream stream); /* a live one, or a default stream */
CUresult emu_event_record(CUevent event);

/* ---- work (api_work.c): what is done now, or when a graph is launched ---- */
struct emu_kernel {
    struct CUfunc_st *function;
    uint32_t grid[3], block[3], cluster[3];
    bool cluster_given, cooperative;
    uint32_t dynamic_smem;
    CUevent record;  /* completed by this launch, or NULL */
    uint8_t *params; /* the block, on the heap */
    void **pointers; /* to each parameter in it: what a program that asks gets */
};
struct emu_work {
    CUgraphNodeType kind;
    union {
        struct emu_kernel kernel;
        CUDA_MEMCPY3D copy;
        CUDA_MEMSET_NODE_PARAMS fill;
        CUDA_HOST_NODE_PARAMS host;
        CUevent event;
        struct CUgraph_st *child; /* owned */
    };
};
CUresult emu_work_run(struct emu_work *work);
bool emu_work_copy(struct emu_work *to, const struct emu_work *from); /* false: no memory */
void emu_work_fini(struct emu_work *work);
/* Does it, or captures it. What it holds is taken over. */
CUresult emu_submit(CUstream stream, struct emu_work *work);
CUresult emu_copy_check(const CUDA_MEMCPY3D *copy); /* its shape, not its memory */
CUresult emu_fill_check(const CUDA_MEMSET_NODE_PARAMS *fill);
CUresult emu_copy_run(const CUDA_MEMCPY3D *copy);
CUresult emu_fill_run(const CUDA_MEMSET_NODE_PARAMS *fill);
/* Checks a launch and packs its parameters into kernel->params. */
CUresult emu_kernel_prepare(struct emu_kernel *kernel, void **parameters, void **extra);
CUresult emu_kernel_attribute(struct emu_kernel *kernel, CUlaunchAttributeID id, const CUlaunchAttributeValue *value);
CUresult emu_kernel_run(struct emu_kernel *kernel);

/* ---- captures (api_capture.c) ---- */
/* What is under way on a stream, or why nothing may be given to it: CUDA_ERROR_STREAM_CAPTURE_IMPLICIT, _INVALIDATED. */
CUresult emu_capture_of(CUstream stream, struct emu_capture **capture);
CUresult emu_capture_add(CUstream stream, struct emu_work *work);
/* Calls that a capture forbids (_UNSUPPORTED) and that end it: those of EMU_NEED_CALM, and waiting for a captured stream. */
CUresult emu_capture_calm(void);
CUresult emu_capture_idle(CUstream stream);
void emu_capture_stream_gone(CUstream stream);
CUresult emu_capture_record(CUstream stream, CUevent event);
CUresult emu_capture_wait(CUstream stream, CUevent event);

/* ---- graphs (api_graph.c) ---- */
struct CUgraphNode_st {
    struct CUgraph_st *graph;
    const struct CUgraphNode_st *original; /* of a clone: maybe gone */
    struct emu_work work;
    struct emu_nodes after; /* nodes that it waits for */
    bool disabled;
    size_t index, waits; /* api_graph_exec.c: place in the graph, nodes it still waits for */
};
struct CUgraph_st {
    struct emu_nodes nodes;
    bool owned; /* by a node or an executable graph: not the program's to destroy */
};
struct CUgraph_st *emu_graph_create(void);
void emu_graph_destroy(struct CUgraph_st *graph);
struct CUgraph_st *emu_graph_clone(const struct CUgraph_st *graph); /* owned; NULL: no memory */
/* Takes the work over where it succeeds. */
CUresult emu_graph_add(CUgraphNode *node, struct CUgraph_st *graph, struct CUgraphNode_st *const *after, size_t count,
                       struct emu_work *work);
CUresult emu_graph_kernel_again(CUgraphNode node, const CUDA_KERNEL_NODE_PARAMS *params); /* its attributes stay */
CUresult emu_graph_copy(struct emu_work *work, const CUDA_MEMCPY3D *params);
CUresult emu_graph_fill(struct emu_work *work, const CUDA_MEMSET_NODE_PARAMS *params);
CUresult emu_graph_host(struct emu_work *work, const CUDA_HOST_NODE_PARAMS *params);
CUresult emu_graph_run(struct CUgraph_st *graph); /* every node, in an order that the edges allow */
CUresult emu_graph_node_params(CUgraphNode node, struct emu_work *work); /* replaces what the node does */
bool emu_nodes_add(struct emu_nodes *set, struct CUgraphNode_st *node); /* once; false: no memory */
bool emu_nodes_has(const struct emu_nodes *set, const struct CUgraphNode_st *node);
void emu_nodes_clear(struct emu_nodes *set);
void emu_capture_graph_gone(struct CUgraph_st *graph);

/* ---- memory ---- */
void emu_memory_release(const struct emu_range *range);     /* api_memory.c: whatever kind it is of */
void emu_pool_freed(CUmemoryPool pool, size_t bytes); /* api_pool.c */

/* ---- reports (api_error.c) ---- */
void emu_report(const char *format, ...)
    __attribute__((format(printf, 1, 2))); /* to stderr, and kept for wlemu_last_report() */
void emu_report_quietly(const char *text);
void emu_report_launch(void); /* that there was a launch, for who reads the file */

/* What cuGetProcAddress finds (api.c). */
struct emu_entry {
    const char *symbol, *name;
    int version; /* 0: refused */
    void *address;
};
extern const struct emu_entry emu_entries[];
extern const size_t emu_entry_count;

/* ---- exported beside the Driver API ---- */
const char *wlemu_version(void);
/* The text of the last failed launch, load or refused environment; "" before. Valid until the next one. */
const char *wlemu_last_report(void);
/* Before the first cuInit: what is emulated, unless WARPLOOM_EMU_DEVICE says, is the first device that loads PTX of
 * this target ("sm_90a"). No effect later, or where there is none. */
void wlemu_suggest_target(const char *target);
/* Called while a launch runs, from any thread; it must not call the driver. fn NULL: none. */
void wlemu_set_progress(void (*fn)(void *user, uint64_t done, uint64_t total), void *user);
/* From now on launches are checked as ever and then run nothing: to time what leads up to them. */
void wlemu_set_noop(int on);

#endif
