/* machine_forms: memory, warp, barrier, cluster and asynchronous instructions as kernels. A GPU and the emulator run the
 * same text on the same bits; tests/captures/machine_h200.txt holds what a GPU made of them.
 *
 * A row of a table is a body of PTX with choices, <a|b>; every combination of them is a form. The body finds
 *   %r0-%r11     the thread's words of the input; %rd0-%rd5 pairs of them, %h0-%h7 the halves of %r0-%r3
 *   %o0-%o3      what it leaves there is the thread's result; before: 0, 1, 2, 3
 *   %gin         input, MACHINE_IN bytes;   %tile    of the input: what tensor maps of loads are about
 *   %gout        its CTA's part of the output, MACHINE_PART bytes, not zero before; %own its thread's 16 bytes at 2048
 *   %s, %bar     its CTA's shared memory: MACHINE_SMEM bytes, and mbarriers
 *   %thread %lane %cta %rank, %first (thread 0 of the CTA), %map (the tensor map's address)
 * and may use %r12-%r31, %rd6-%rd31, %h8-%h15, %f0-%f7, %fd0-%fd7, %q0-%q3, %p0-%p7, %t. */
#ifndef MACHINE_FORMS_H
#define MACHINE_FORMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MACHINE_IN = 131072,
    MACHINE_TILE = 32768, /* offset of %tile in the input */
    MACHINE_PART = 16384,
    MACHINE_CTAS = 4,
    MACHINE_OUT = 131072, /* the parts, and behind them what tensor maps of stores are about */
    MACHINE_SMEM = 8192,
};

enum machine_flags {
    MACHINE_FILL = 1,   /* shared memory holds input before */
    MACHINE_DUMP = 2,   /* all of it goes to the output at 4096 of the part afterwards */
    MACHINE_BAR = 4,    /* two mbarriers, of count 1 and 2 */
    MACHINE_STORES = 8, /* the tensor map is about the output */
};

struct machine_tensor { /* arguments of cuTensorMapEncodeTiled, by the driver's numbers */
    uint8_t type, rank;
    uint32_t size[5], stride[4], box[5], step[5]; /* strides in bytes, of dimension 1 on */
    uint8_t swizzle, nan_fill;
};

struct machine_row {
    const char *body, *before; /* before: text in front of the entry */
    uint16_t flags, threads, ctas, cluster; /* 0: 32 threads, 1 CTA, no cluster */
    const struct machine_tensor *tensor;
};

struct machine_form {
    char name[256];   /* the body, cut */
    char text[16384]; /* all of the PTX; entry k(in, out, map[128]) */
    uint32_t threads, ctas, cluster;
    uint16_t flags;
    const struct machine_tensor *tensor;
};

size_t machine_form_count(void);
void machine_form(size_t i, struct machine_form *form);

uint32_t machine_form_key(const struct machine_form *form); /* hash of the text */

/* The buffers before a run; the same for all forms. */
void machine_inputs(uint8_t in[MACHINE_IN], uint8_t out[MACHINE_OUT]);
uint64_t machine_hash(const void *bytes, size_t count);

/* The tables. */
extern const struct machine_row machine_memory_rows[], machine_warp_rows[], machine_async_rows[],
    machine_refused_rows[];
extern const size_t machine_memory_count, machine_warp_count, machine_async_count, machine_refused_count;
/* TMA rows are made of tensors and coordinates. */
size_t machine_tensor_row_count(void);
struct machine_row machine_tensor_row(size_t i, char *body, size_t bytes);

#endif
