/* sandbox: a Lua 5.4 state that cannot leave its process, run for ever, eat the memory, or differ from run to
 * run.
 *
 * Schedules and templates run in one each. There is base (without load, dofile, print, pcall, metatables,
 * ...), string (without dump), table, math (without random) and utf8. pairs walks keys in sorted order;
 * nothing prints an address.
 *
 * All work in the state happens inside wl_sandbox_run, so that every Lua error, and memory running out, comes
 * back as a wl_error with file and line. Functions that take a lua_State raise Lua errors: call them from
 * inside only. */
#ifndef WL_SANDBOX_H
#define WL_SANDBOX_H

#include <stddef.h>
#include "gen/error.h"

struct lua_State;
struct wl_sandbox; /* opaque */

struct wl_sandbox_limits {
    size_t memory_bytes; /* alive at once; what is allocated in all may be 64 times as much */
    long instructions;   /* of the Lua machine; library functions that loop are charged for it */
};

struct wl_sandbox *wl_sandbox_create(const struct wl_sandbox_limits *limits); /* NULL: no memory */
void wl_sandbox_destroy(struct wl_sandbox *sandbox);                          /* NULL allowed */

/* Calls body(L) with `data` as a light userdata at index 1, protected. `file` names the errors that have no
 * place. */
enum wl_status wl_sandbox_run(struct wl_sandbox *sandbox, int (*body)(struct lua_State *L), void *data,
                              const char *file, struct wl_error *error);

/* Compiles a chunk of text (never bytecode) and pushes it as a function. Errors in it will name `file` in
 * full. */
void wl_sandbox_load(struct lua_State *L, const char *text, size_t bytes, const char *file);

/* Raises an error at file:line; where file is NULL, at the running Lua function's place. */
int wl_sandbox_error_at(struct lua_State *L, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* From here on, reading a global that nobody set is an error: it is a slip of the pen. */
void wl_sandbox_seal(struct lua_State *L);

/* Takes `work` instructions off the budget, for library functions of the caller that loop. */
void wl_sandbox_charge(struct lua_State *L, double work);

#endif
