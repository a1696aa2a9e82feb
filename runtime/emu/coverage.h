/* coverage: which rows of insn.def a process has executed, and the table for other programs.
 *
 * With WARPLOOM_EMU_COVERAGE=FILE every row's id is appended to FILE, a line each, when it is first executed
 * without a fault; without it, nothing is watched and nothing costs time. */
#ifndef EMU_COVERAGE_H
#define EMU_COVERAGE_H

#include "runtime/emu/machine.h"

/* Puts the watch in front of each instruction of a decoded function, where one is wanted. */
void emu_coverage_watch(struct emu_function *fn);

/* For programs, by name: row `index` as text[] {id, pattern, operands, scope, ISA section}; false: no more.
 */
bool wlemu_row(uint32_t index, const char *text[5]);

#endif
