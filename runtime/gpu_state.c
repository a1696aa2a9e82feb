/* gpu_state: see gpu_state.h. NVML's few entries by name; its ABI: int results (0 right), opaque handles. */
#include "runtime/gpu_state.h"

#include <dlfcn.h>
#include <string.h>

#include "gen/arena.h"

#define NVML_LIBRARY "libnvidia-ml.so.1"
#define CLOCK_SM     1
#define CLOCK_MEMORY 2
#define SENSOR_GPU   0

struct wl_gpu_monitor {
    void *library, *device;
    char version[96];
    int (*shutdown)(void);
    int (*clock)(void *device, int which, unsigned *mhz);
    int (*temperature)(void *device, int sensor, unsigned *celsius);
    int (*power)(void *device, unsigned *milliwatts);
};

/* Object and function pointers are the same size wherever there is dlsym. */
static bool entry(void *library, const char *name, void *function) {
    void *found = dlsym(library, name);
    memcpy(function, &found, sizeof found);
    return found != NULL;
}

/* CUDA and NVML count GPUs differently; the PCI address is what both know. */
static bool find_device(struct wl_gpu_monitor *monitor, const struct wl_driver *driver) {
    int (*by_bus)(const char *bus, void **device);
    CUresult (*bus_id)(char *bus, int bytes, CUdevice device);
    char bus[32];
    void *found = wl_driver_symbol(driver, "cuDeviceGetPCIBusId");
    memcpy(&bus_id, &found, sizeof found);
    return found && entry(monitor->library, "nvmlDeviceGetHandleByPciBusId_v2", &by_bus) &&
           !bus_id(bus, sizeof bus, driver->device) && !by_bus(bus, &monitor->device);
}

static bool start(struct wl_gpu_monitor *monitor, const struct wl_driver *driver) {
    int (*init)(void), (*version)(char *text, unsigned bytes);
    void *library = monitor->library;
    if (!entry(library, "nvmlInit_v2", &init) || !entry(library, "nvmlShutdown", &monitor->shutdown) ||
        !entry(library, "nvmlDeviceGetClockInfo", &monitor->clock) ||
        !entry(library, "nvmlDeviceGetTemperature", &monitor->temperature) ||
        !entry(library, "nvmlDeviceGetPowerUsage", &monitor->power) || init())
        return false;
    if (find_device(monitor, driver)) {
        if (!entry(library, "nvmlSystemGetDriverVersion", &version) ||
            version(monitor->version, sizeof monitor->version))
            monitor->version[0] = 0;
        return true;
    }
    monitor->shutdown();
    return false;
}

struct wl_gpu_monitor *wl_gpu_monitor_open(const struct wl_driver *driver) {
    if (driver->emulated) return NULL;
    struct wl_gpu_monitor *monitor = wl_realloc(NULL, sizeof *monitor);
    if (!monitor) return NULL;
    *monitor = (struct wl_gpu_monitor){.library = dlopen(NVML_LIBRARY, RTLD_NOW | RTLD_LOCAL)};
    if (monitor->library && start(monitor, driver)) return monitor;
    if (monitor->library) dlclose(monitor->library);
    wl_free(monitor);
    return NULL;
}

void wl_gpu_monitor_close(struct wl_gpu_monitor *monitor) {
    if (!monitor) return;
    monitor->shutdown();
    dlclose(monitor->library);
    wl_free(monitor);
}

const char *wl_gpu_driver_version(const struct wl_gpu_monitor *monitor) {
    return monitor ? monitor->version : "";
}

struct wl_gpu_state wl_gpu_state_now(const struct wl_gpu_monitor *monitor) {
    struct wl_gpu_state state = {0};
    unsigned milliwatts = 0;
    if (!monitor) return state;
    if (monitor->clock(monitor->device, CLOCK_SM, &state.sm_mhz)) state.sm_mhz = 0;
    if (monitor->clock(monitor->device, CLOCK_MEMORY, &state.memory_mhz)) state.memory_mhz = 0;
    if (monitor->temperature(monitor->device, SENSOR_GPU, &state.celsius)) state.celsius = 0;
    if (!monitor->power(monitor->device, &milliwatts)) state.watts = milliwatts / 1000.0;
    return state;
}
