/* emu_run: runs PTX text on the emulator itself, without the Driver API: for tests of instructions. */
#ifndef EMU_RUN_H
#define EMU_RUN_H

#include "runtime/emu/device.h"
#include "runtime/emu/machine.h"

struct emu_run { /* set what differs from the defaults: one block of 32 threads, no cluster, eager order */
    const char *ptx, *entry; /* entry NULL: "test" */
    uint32_t grid[3], block[3], cluster[3], smem;
    const void *params;
    size_t param_bytes;
    enum emu_order order;
    enum emu_check check;
    uint64_t seed, timeout_ms;
    struct emu_device *device; /* NULL: one is made for the run; buffers need one that outlives it */
    int status;                /* CUresult; -1: the module did not load */
    char report[16384];
};

/* Returns run->status. */
int emu_run(struct emu_run *run);

/* The emulated B200 that the helpers below and emu_run() use where none is given: made once a process. */
struct emu_device *emu_run_device(void);

/* A kernel around `body`, which may use %r0-%r31 (b32), %rd0-%rd31 (b64), %h0-%h15 (b16), %f0-%f31 (f32),
 * %fd0-%fd15 (f64), %q0-%q3 (b128), %p0-%p15 (pred). Before it, every lane's word of input k is in %r<k>
 * (and, of inputs 2k and 2k + 1 together, in %rd<k>); after it, %r0 to %r3 go to the outputs. in: inputs x 32
 * words, out: 4 x 32 words. `room` is 4096 bytes of global memory. */
int emu_run_lanes(const char *body, const uint32_t *in, uint32_t inputs, uint32_t out[4][32],
                  char report[16384]);

#endif
