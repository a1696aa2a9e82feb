/* template: expands PTX templates with embedded Lua.
 *
 * A line whose first non-blank character is '|' is Lua. Every other line is PTX text in which $(expression) is replaced
 * by the expression's value (integers print without a fraction; nil is an error). A Lua function defined around text
 * lines emits them when called, which is how templates/lib defines its vocabulary. `| include "lib/mbarrier"` runs
 * another template once (a second include of the same name does nothing). `//` comments go through; `//|` comments, to
 * the end of their line, and blank lines at the ends of blocks do not. f32(x) gives 0f3F800000, hex(n) gives 0xFF.
 * Reading a global that nobody set is an error.
 *
 * Each PTX line is led back: the expander writes `.file` rows and a `.loc FILE LINE 0` whenever the template line
 * changes between instructions; the rows go where a line `.files` stands, else to the end. All lines of a function of lib/
 * are led to its first: what matters is who called it, and PTX is 5 % shorter. Errors (Lua's or the
 * expander's) name template file and line, and the line of another template that called there.
 *
 * The Lua state is sandboxed as in schedule.h. Templates come from $WARPLOOM_TEMPLATES (a folder) where set, else from
 * the embedded set. */
#ifndef WL_TEMPLATE_H
#define WL_TEMPLATE_H

#include "gen/arena.h"
#include "gen/error.h"

struct lua_State;

/* Puts the plan's tables into the templates' environment (a table on top of the stack); 0 or a Lua error. */
typedef int wl_template_globals_fn(struct lua_State *L, const void *data);

/* Expands template `name` ("sm100/forward/kernel", without .ptx) into out, which the caller owns. */
enum wl_status wl_template_expand(const char *name, wl_template_globals_fn *globals, const void *data,
                                  struct wl_text *out, struct wl_error *error);

/* The text of a template file as it would be used: caller frees with wl_free. */
enum wl_status wl_template_read(const char *name, char **text, size_t *bytes, struct wl_error *error);

#endif
