/* api: what the entries of the Driver API share: the driver's state, handles, contexts, the last report.
 *
 * api.c exports every row of api.def: it takes the lock, checks what the row needs, calls emu_<symbol>() and
 * lets go. So an entry's own code runs alone, with a live context where its row asks for one.
 *
 * All work happens at the time of the call, in order: a stream has nothing outstanding, an event is complete
 * once it is recorded. A failed kernel is what CUDA makes of it: the launch itself succeeds, and from then on
 * every HEALTHY entry answers its error until the context is destroyed. */
#ifndef EMU_API_H
#define EMU_API_H

#include "runtime/cuda_api.h"
#include "runtime/emu/device.h"
#include "runtime/emu/machine.h"

enum emu_need { EMU_NEED_NOTHING, EMU_NEED_INIT, EMU_NEED_CONTEXT, EMU_NEED_HEALTHY };

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
};
/* False: why says which variable holds what, and what it may hold. */
bool emu_config_read(struct emu_config *config, char *why, size_t why_bytes);

/* ---- handles: every pointer that a program hands in is looked up before it is believed ---- */
enum emu_kind { EMU_KIND_CONTEXT = 1, EMU_KIND_MODULE, EMU_KIND_FUNCTION, EMU_KIND_STREAM, EMU_KIND_EVENT };
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
};
/* Registers per thread: an upper bound, since nothing here allots any (api_function.c). */
int emu_function_registers(const struct emu_function *fn);
int emu_function_local(const struct emu_function *fn); /* bytes of local memory per thread */
/* Blocks of a function that an SM holds at once, as the hardware's allocation rules give it; 0: not even one.
 */
int emu_function_occupancy(const struct CUfunc_st *function, uint64_t threads, uint64_t dynamic_smem);

/* ---- streams and events (api_stream.c) ---- */
struct CUstream_st {
    struct emu_object object;
    unsigned int flags;
    int priority;
    unsigned long long id;
};
bool emu_stream_valid(CUstream stream); /* a live one, or a default stream */
CUresult emu_event_record(CUevent event);

/* ---- reports (api_error.c) ---- */
void emu_report(const char *format, ...)
    __attribute__((format(printf, 1, 2))); /* to stderr, and kept for wlemu_last_report() */
void emu_report_quietly(const char *text);

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
