/* sandbox_lib: what a sandboxed Lua state may call; used by sandbox.c alone. */
#ifndef WL_SANDBOX_LIB_H
#define WL_SANDBOX_LIB_H

struct lua_State;

/* A lua_CFunction: opens the libraries, takes out what may not be there, and puts the charged functions in.
 */
int wl_sandbox_open_libs(struct lua_State *L);

#endif
