/* client: see client.h. */
#include "tests/client.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/test.h"

#define LIBRARY "libwarploom_cuda.so"

/* build/tests/all finds build/libwarploom_cuda.so. */
static void find_library(char *path, size_t bytes) {
    char here[PATH_MAX];
    const char *given = getenv("WARPLOOM_TEST_DRIVER");
    snprintf(path, bytes, "%s", given ? given : "");
    if (given) return;
    ssize_t length = readlink("/proc/self/exe", here, sizeof here - 1);
    cr_assert(length > 0);
    here[length] = '\0';
    *strrchr(here, '/') = '\0';
    snprintf(path, bytes, "%s/" LIBRARY, here);
    if (access(path, R_OK)) snprintf(path, bytes, "%s/../" LIBRARY, here);
}

static void *entry(const struct client *client, const char *name) {
    void *address = dlsym(client->library, name);
    cr_assert(address != NULL, "the driver has no %s", name);
    return address;
}

struct client client_open(void) {
    struct client client = {0};
    char path[2 * PATH_MAX];
    find_library(path, sizeof path);
    client.library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    cr_assert(client.library != NULL, "%s", dlerror());
    void *address;
#define WL_API(symbol, name, version, need, parameters, arguments)                                           \
    address = entry(&client, #symbol);                                                                       \
    memcpy(&client.symbol, &address, sizeof address);
#include "runtime/emu/api.def"
#undef WL_API
    client.emulated = dlsym(client.library, "wlemu_version") != NULL;
    return client;
}

struct client client_start(void) {
    struct client cuda = client_open();
    NEEDS(cuda.cuInit(0));
    NEEDS(cuda.cuDeviceGet(&cuda.device, 0));
    NEEDS(cuda.cuCtxCreate_v2(&cuda.context, 0, cuda.device));
    return cuda;
}

struct client client_load(const char *ptx, CUmodule *module) {
    struct client cuda = client_start();
    NEEDS(cuda.cuModuleLoadData(module, ptx));
    return cuda;
}

const char *client_name(const struct client *client, CUresult result) {
    const char *name = "an unknown code";
    client->cuGetErrorName(result, &name);
    return name ? name : "an unknown code";
}

const char *client_report(const struct client *client) {
    if (!client->emulated) return "";
    void *address = entry(client, "wlemu_last_report");
    const char *(*report)(void);
    memcpy(&report, &address, sizeof address);
    return report();
}
