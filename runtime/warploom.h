/* warploom: attention kernels, specialised for a problem when they are first needed, kept in memory and on
 * disk.
 *
 *     struct wl_runtime *runtime;
 *     wl_open(&runtime, NULL, &error);
 *     wl_attention_forward(runtime, &problem, stream, &error);    finds, loads or builds the kernel; launches
 * it wl_close(runtime);
 *
 * The device is a GPU behind the CUDA driver, or the emulated one that warploom brings along. Work goes onto
 * the caller's stream and nothing here waits for it; once a problem's kernel is there, a launch allocates
 * nothing, takes no lock and may be captured into a CUDA graph. Every function may be called from any thread.
 *
 * WARPLOOM_DUMP=plan,ptx,cubin,cache,trace writes every stage of every kernel into WARPLOOM_DUMP_DIR (warploom-dump).
 *
 * A function that can fail returns enum wl_status and fills a struct wl_error (may be NULL) that the caller
 * set to zero; a record that holds an error already is left as it is. */
#ifndef WARPLOOM_H
#define WARPLOOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- errors ---- */

enum wl_status {
    WL_OK = 0,
    WL_ERR_USAGE, /* a bad argument or option */
    WL_ERR_INPUT, /* a schedule, problem or file that is wrong */
    WL_ERR_FIT,   /* a plan that does not fit the machine */
    WL_ERR_NO_MEMORY,
    WL_ERR_IO,
    WL_ERR_ENVIRONMENT, /* something the machine lacks: a driver, a device, ptxas */
    WL_ERR_DRIVER,      /* a Driver API call failed */
    WL_ERR_WRONG,       /* a checked result is wrong */
    WL_ERR_INTERNAL,    /* our own bug */
};

struct wl_error {
    enum wl_status status;
    int line;        /* 0: no line */
    char file[256];  /* "": no file */
    char field[64];  /* "": no field */
    char text[3072]; /* one line; a ptxas or JIT log may follow after '\n' */
};

/* Writes "file:line: field: text" (parts that are empty left out) into out, always terminated. Returns out.
 */
const char *wl_error_format(const struct wl_error *error, char *out, size_t out_bytes);

const char *wl_version(void); /* "0.1.0" */

/* ---- the runtime: a device, the kernels loaded on it, the disk cache ---- */

struct wl_runtime; /* opaque */

enum wl_log_level { WL_LOG_ERROR, WL_LOG_WARN, WL_LOG_INFO, WL_LOG_DEBUG };
typedef void wl_log_fn(void *user, enum wl_log_level level, const char *line);

struct wl_options { /* zero: the default of each */
    const char
        *device;        /* "auto", "emu", "cuda:N", "current" (the calling thread's context);
                           NULL: $WARPLOOM_DEVICE, else "auto": the first GPU that can be used, else emulated */
    const char *target; /* "sm_90a": only a device that runs it; the emulated device then is such a one */
    const char
        *schedules; /* Lua file or folder that goes before the shipped ones; NULL: $WARPLOOM_SCHEDULES */
    const char
        *cache_dir; /* NULL: $WARPLOOM_CACHE_DIR, else $XDG_CACHE_HOME/warploom, else ~/.cache/warploom */
    uint64_t cache_bytes; /* 0: $WARPLOOM_CACHE_BYTES, else 1 GiB */
    bool no_cache;        /* neither read nor write the disk */
    const char *bundle;   /* a file of `warploom pack`: looked into first; NULL: $WARPLOOM_BUNDLE, else none */
    bool bundle_only;     /* what the bundle lacks is an error, not built */
    wl_log_fn *log; /* NULL: lines of up to $WARPLOOM_LOG (error, warn, info, debug; warn) go to stderr */
    void *log_user;
};

/* options may be NULL. A runtime keeps the device's primary context (or "current" the one that was), the
 * caller keeps that alive and ends the runtime with wl_close(). */
enum wl_status wl_open(struct wl_runtime **runtime, const struct wl_options *options, struct wl_error *error);

/* Unloads every kernel; no call of this runtime may be under way, and its work on the device must be done.
 * NULL allowed. */
void wl_close(struct wl_runtime *runtime);

struct wl_runtime_report {
    const char *device;    /* "NVIDIA B200", owned by the runtime as all of these */
    const char *target;    /* "sm_100a": what kernels are made for; NULL: none can be */
    const char *driver;    /* the driver library's path */
    const char *cache_dir; /* NULL: no disk cache */
    const char *bundle;    /* NULL: none */
    int driver_version;    /* 13000 = CUDA 13.0 */
    int cc_major, cc_minor, sms;
    bool emulated;
};
void wl_runtime_info(const struct wl_runtime *runtime, struct wl_runtime_report *info);

/* ---- an attention problem ----
 *
 *     S = scale * Q K^T, P = softmax of the rows of S, O = P V;  lse = natural log of the sum of exp of a row
 * of S causal: query row i sees keys 0 .. i + seqlen_k - seqlen_q (the last query row sees the last key); a
 * row that sees none gives O = 0 and lse = -inf
 *
 * Query head h uses key head h / (heads / heads_kv). Elements along head_dim are dense; the other strides are
 * free. */

enum wl_dtype { WL_BF16, WL_FP16 };

struct wl_view {                                   /* of a 16-bit tensor (batch, seq, head, dim) */
    uint64_t address;                              /* on the device; for the reference, on the host */
    int64_t batch_stride, seq_stride, head_stride; /* elements */
};

struct wl_attention {
    int64_t batch, heads, heads_kv, seqlen_q, seqlen_k, head_dim;
    int64_t head_dim_v; /* of V and O; 0: as head_dim, that of Q and K */
    enum wl_dtype dtype;
    bool causal;
    double scale; /* 0: 1 / sqrt(head_dim) */
    struct wl_view q, k, v, o;
    uint64_t lse; /* float32, dense (batch, head, seq_q); 0: not wanted */
};

/* Sets the strides of tensors that lie densely in (batch, seq, head, dim) order. Sizes must be set and right.
 */
void wl_attention_dense(struct wl_attention *problem);

/* WL_ERR_INPUT with the field's name for sizes, scale, strides and addresses that no kernel can use: zero,
 * not divisible, null, not 16-byte aligned, out of range, an O whose rows overlap. Every launch checks this.
 */
enum wl_status wl_attention_check(const struct wl_attention *problem, struct wl_error *error);

struct CUstream_st; /* a CUstream, which is a cudaStream_t; NULL: the default stream */

/* Puts the problem's work on the stream: wl_specialize(), then wl_launch(). What the kernel does wrong shows
 * when the stream is next waited for. */
enum wl_status wl_attention_forward(struct wl_runtime *runtime, const struct wl_attention *problem,
                                    struct CUstream_st *stream, struct wl_error *error);

/* ---- kernels ---- */

struct wl_kernel; /* opaque; owned by its runtime, good until wl_close() */

struct wl_problem { /* what a kernel is specialised for */
    int32_t head_dim;
    enum wl_dtype dtype;
    bool causal;
    const char *schedule; /* a Lua file or a shipped name; NULL: the first that serves the problem */
    int32_t head_dim_v;   /* of V and O; 0: as head_dim */
};

/* The kernel for a problem: from memory, else from the bundle (where no schedule is named), else from disk, else
 * built. A bundle's kernel that is broken is WL_ERR_INPUT. Threads that ask for the same one at
 * once get one. */
enum wl_status wl_specialize(struct wl_runtime *runtime, const struct wl_problem *problem,
                             const struct wl_kernel **kernel, struct wl_error *error);

/* wl_specialize() for many, on up to `threads` threads (0: one a core), before serving starts. All are tried;
 * the error is that of the first in the list that failed. */
enum wl_status wl_prepare(struct wl_runtime *runtime, const struct wl_problem *problems, size_t count,
                          int threads, struct wl_error *error);

/* The problem must be one that the kernel is for, else WL_ERR_INPUT. */
enum wl_status wl_launch(const struct wl_kernel *kernel, const struct wl_attention *problem,
                         struct CUstream_st *stream, struct wl_error *error);

enum wl_origin { WL_FROM_DISK, WL_BUILT, WL_FROM_BUNDLE };

struct wl_kernel_report {
    const char *entry, *target, *schedule; /* strings are owned by the kernel */
    const char *ptx; /* its text, which begins with the plan: roles, registers, memory, barriers */
    size_t ptx_bytes;
    char key[33]; /* of its cache entry, in hexadecimal */
    enum wl_origin origin;
    /* Its key and the cache; Lua, plan and templates; ptxas or the driver's linker; the driver's loading. */
    double cache_ms, generate_ms, assemble_ms, load_ms;
    size_t cubin_bytes; /* 0: the driver was given PTX */
    int registers;      /* per thread, as the driver says */
    int local_bytes;    /* per thread: stack and spills */
    uint32_t smem_bytes, threads, cluster;
    int64_t resident; /* clusters that the device holds at once; 0: one a tile is launched anyway */
};
void wl_kernel_info(const struct wl_kernel *kernel, struct wl_kernel_report *info);

/* ---- auxiliary kernels ----
 *
 * CUDA C, compiled by NVRTC (CUDA 12 or 13) when first needed, then kept in the same caches and bundles as all kernels.
 * Each puts its work onto the stream as wl_attention_forward() does. WL_ERR_INPUT: sizes below 1, a null or unaligned
 * address, strides that reach past 64 bits or make written elements overlap. WL_ERR_ENVIRONMENT: a kernel must be
 * built and there is no NVRTC; the text says how to install it. */

/* Builds or loads them all, before serving starts or a graph is captured. */
enum wl_status wl_prepare_auxiliary(struct wl_runtime *runtime, struct wl_error *error);

enum wl_element { WL_ELEMENT_BF16, WL_ELEMENT_FP16, WL_ELEMENT_FP32 };

struct wl_array { /* on the device, of four axes: batch, seq, head, dim */
    uint64_t address;
    enum wl_element element;
    int64_t stride[4]; /* elements, not negative */
};

/* to = from, rounded to nearest even where `to` has fewer bits: another type, another layout, or both. The two must not
 * overlap; a stride of 0 in `from` repeats. */
enum wl_status wl_copy(struct wl_runtime *runtime, const struct wl_array *to, const struct wl_array *from,
                       const int64_t size[4], struct CUstream_st *stream, struct wl_error *error);

/* The problem without tricks, in float32 (head_dim up to 512): slow, and what fast results may be compared with on the
 * device. Tensors as wl_attention_forward() takes them; O is rounded once. */
enum wl_status wl_attention_plain(struct wl_runtime *runtime, const struct wl_attention *problem,
                                  struct CUstream_st *stream, struct wl_error *error);

/* Attention over disjoint parts of the keys, made one: O = sum of exp(lse_i - lse) O_i, lse = log of the sum of
 * exp(lse_i). A row that no part has keys for (all lse_i = -inf) gives O = 0 and lse = -inf. */
struct wl_combine {
    int64_t parts, batch, seqlen_q, heads, head_dim;
    struct wl_array part; /* the first part's O; the i-th lies i * part_stride elements further */
    int64_t part_stride;
    uint64_t part_lse; /* float32, dense (part, batch, head, seq_q) */
    struct wl_array o;
    uint64_t lse; /* float32, dense (batch, head, seq_q); 0: not wanted */
};
enum wl_status wl_attention_combine(struct wl_runtime *runtime, const struct wl_combine *combine,
                                    struct CUstream_st *stream, struct wl_error *error);

/* ---- device memory, for programs that have no CUDA of their own ---- */

/* The caller owns it until wl_device_free(), which takes 0 too. */
enum wl_status wl_device_alloc(struct wl_runtime *runtime, size_t bytes, uint64_t *address,
                               struct wl_error *error);
void wl_device_free(struct wl_runtime *runtime, uint64_t address);
enum wl_status wl_device_upload(struct wl_runtime *runtime, uint64_t to, const void *from, size_t bytes,
                                struct wl_error *error);
enum wl_status wl_device_download(struct wl_runtime *runtime, void *to, uint64_t from, size_t bytes,
                                  struct wl_error *error);
/* Waits for all work of the device; reports what a kernel did wrong. */
enum wl_status wl_synchronize(struct wl_runtime *runtime, struct wl_error *error);

#ifdef __cplusplus
}
#endif
#endif
