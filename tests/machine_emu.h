/* machine_emu: a form of machine_forms on the emulator. */
#ifndef MACHINE_EMU_H
#define MACHINE_EMU_H

#include "runtime/emu/machine.h"
#include "tests/machine_forms.h"

struct machine_emu;
struct machine_emu *machine_emu_create(void); /* an emulated H100, its buffers */
void machine_emu_destroy(struct machine_emu *emu);

/* The output after the form has run; the CUresult, -1: does not load, -2: its tensor map is refused. report may be NULL. */
int machine_emu_run(struct machine_emu *emu, const struct machine_form *form, enum emu_order order,
                    const uint8_t **out, char *report, size_t report_bytes);

/* Marks the rows of insn.def (by index in emu_rows) that the PTX text's functions execute. */
void machine_emu_rows(const char *text, bool *seen);

#endif
