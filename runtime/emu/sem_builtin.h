/* sem_builtin: the functions that a CUDA driver brings along: what nvcc makes of printf and assert. */
#ifndef EMU_SEM_BUILTIN_H
#define EMU_SEM_BUILTIN_H

#include "runtime/emu/exec.h"

#define EMU_BUILTIN_PARAMS 5

struct emu_builtin {
    const char *name;
    emu_sem_fn *fn;
    uint32_t params, result_bytes;
};

struct emu_builtin_call { /* insn->extra: where the call's .param variables are in local memory */
    uint32_t param[EMU_BUILTIN_PARAMS], result;
};

const struct emu_builtin *emu_builtin_find(const char *name); /* NULL: none */

#endif
