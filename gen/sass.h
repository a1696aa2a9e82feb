/* sass: machine code, as nvdisasm prints it, as data: instructions with their branches and the template line
 * that each came from (ptxas --generate-line-info keeps it).
 *
 *     .target  sm_100a
 *     .text.NAME:
 *             //## File "templates/sm100/forward/mma.ptx", line 28
 *     .L_x_43:
 *             / *3020* /          @!P0 BRA `(.L_x_37) ; */
#ifndef WL_SASS_H
#define WL_SASS_H

#include <stdbool.h>
#include <stddef.h>

#include "gen/arena.h"
#include "gen/error.h"

struct wl_sass_insn {
    unsigned address;
    const char *guard; /* "@!P0", "" */
    const char *op;    /* "SYNCS.PHASECHK.TRANS64.TRYWAIT" */
    const char *operands;
    const char *file; /* the template, NULL: none known; the same pointer for the same file */
    int line;
    int target; /* index of the instruction that it may branch to, -1: it is no branch */
    bool falls; /* whether the next instruction may follow it */
};

struct wl_sass_function {
    const char *name;
    struct wl_sass_insn *insns;
    int count;
    int registers; /* as launched, from the cubin's section header; 0: not known */
};

#define WL_SASS_MAX_FUNCTIONS 64

struct wl_sass {
    char target[16]; /* "sm_100a" */
    struct wl_sass_function functions[WL_SASS_MAX_FUNCTIONS];
    int count;
};

/* Disassembles a cubin; what *sass points to is the arena's. WL_ERR_ENVIRONMENT: no nvdisasm; WL_ERR_INPUT:
 * not a cubin, or one without code. */
enum wl_status wl_sass_read(struct wl_arena *arena, const void *cubin, size_t bytes, struct wl_sass *sass,
                            struct wl_error *error);

/* The same from what `nvdisasm -c -g` printed; `text` is cut into pieces and must live as long as *sass. */
enum wl_status wl_sass_parse(struct wl_arena *arena, char *text, struct wl_sass *sass,
                             struct wl_error *error);

#endif
