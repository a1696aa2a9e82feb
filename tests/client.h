/* client: a program's view of a CUDA driver: a library opened by name, its entries looked up by name.
 *
 * $WARPLOOM_TEST_DRIVER names the library, so that the same tests run on a real one:
 * WARPLOOM_TEST_DRIVER=libcuda.so.1. Without it, the emulated driver that was built beside the tests. */
#ifndef WL_TEST_CLIENT_H
#define WL_TEST_CLIENT_H

#include <stdbool.h>

#include "runtime/cuda_api.h"

#define WL_API(symbol, name, version, need, parameters, arguments) CUresult(*symbol) parameters;
struct client {
#include "runtime/emu/api.def"
    void *library;
    bool emulated;
    CUdevice device;
    CUcontext context;
};
#undef WL_API

/* Opens the driver; fails the test where there is none. Nothing is called. */
struct client client_open(void);
/* Likewise, and cuInit, device 0, a context of its own. */
struct client client_start(void);
/* Likewise with a module from this PTX. */
struct client client_load(const char *ptx, CUmodule *module);

const char *client_name(const struct client *client, CUresult result);
const char *client_report(const struct client *client); /* wlemu_last_report(), "" on a real driver */

/* Expects a call to give a result: GIVES(cuda.cuMemFree_v2(0), CUDA_SUCCESS), with the client in a variable
 * `cuda`. */
#define GIVES(call, wanted)                                                                                  \
    do {                                                                                                     \
        CUresult gives_ = (call);                                                                            \
        cr_expect(gives_ == (wanted), "%s gives %s, not %s", #call, client_name(&cuda, gives_), #wanted);    \
    } while (0)
/* The same for what the rest of the test stands on. */
#define NEEDS(call)                                                                                          \
    do {                                                                                                     \
        CUresult needs_ = (call);                                                                            \
        cr_assert(needs_ == CUDA_SUCCESS, "%s gives %s: %s", #call, client_name(&cuda, needs_),              \
                  client_report(&cuda));                                                                     \
    } while (0)

#endif
