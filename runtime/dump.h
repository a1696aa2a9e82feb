/* dump: every stage of a kernel's life as files, for people who look for what went wrong.
 *
 *     WARPLOOM_DUMP=plan,ptx,cubin,cache,trace      some of them, or all
 *     WARPLOOM_DUMP_DIR                             the folder; else warploom-dump in the current one
 *
 *     KEY.plan.txt   roles, registers, memory, barriers (the PTX's own header)
 *     KEY.ptx        as soon as it is generated: also what an assembler then refuses
 *     KEY.cubin
 *     KEY.cache.txt  where it came from, what the key stands for, how long each step took
 *     KEY.trace.txt  a line for each launch: sizes, grid, stream
 *
 * KEY is the cache entry's name, and that of `warploom cache show`. Files are written again when a kernel is
 * made or loaded again; the trace grows. What cannot be written is one warning. */
#ifndef WL_DUMP_H
#define WL_DUMP_H

#include <stdatomic.h>

#include "runtime/choose.h"
#include "runtime/image.h"
#include "runtime/log.h"

enum wl_dump_stage { WL_DUMP_PLAN, WL_DUMP_PTX, WL_DUMP_CUBIN, WL_DUMP_CACHE, WL_DUMP_TRACE, WL_DUMP_STAGES };

struct wl_dump {     /* zeroed: nothing is wanted */
    unsigned stages; /* bits */
    const struct wl_log *log;
    atomic_bool warned;
    char folder[512];
};

/* WL_ERR_USAGE: WARPLOOM_DUMP names something else. log lives longer. */
enum wl_status wl_dump_init(struct wl_dump *dump, const struct wl_log *log, struct wl_error *error);
bool wl_dump_wants(const struct wl_dump *dump, enum wl_dump_stage stage);

void wl_dump_bytes(struct wl_dump *dump, enum wl_dump_stage stage, const struct wl_key *key,
                   const void *bytes, size_t size);
void wl_dump_image(struct wl_dump *dump, const struct wl_key *key,
                   const struct wl_image *image); /* what it has */

/* What a kernel's launches are traced by; its kernel points to one, or to none. */
struct wl_trace {
    struct wl_dump *dump;
    struct wl_key key;
};
void wl_dump_launch(const struct wl_trace *trace, const CUlaunchConfig *config, const char *sizes);

#endif
