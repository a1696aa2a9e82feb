/* sem_flow: what the decoder leaves in insn->extra for branches and calls. */
#ifndef EMU_SEM_FLOW_H
#define EMU_SEM_FLOW_H

#include <stdint.h>

struct emu_targets { /* brx.idx */
    uint32_t count;
    uint32_t pc[];
};

struct emu_call_copies { /* parameters of a call, in local memory */
    uint32_t count;
    struct {
        uint32_t to, from, bytes;
    } copy[];
};

#endif
