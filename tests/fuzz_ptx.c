/* Hostile PTX: refused with one clear line, or run to its end, a fault, a deadlock report or the time limit.
 */
#include "tests/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "gen/arena.h"
#include "runtime/emu/device.h"
#include "runtime/emu/machine.h"
#include "runtime/emu/module.h"

#define HEAD  ".version 9.0\n.target sm_100a\n.address_size 64\n"
#define ENTRY ".visible .entry k(.param .u64 p, .param .align 8 .b8 q[16]) .reqntid 64 {\n"
#define REGS                                                                                                 \
    ".reg .b32 %r<6>; .reg .b64 %d<4>; .reg .b16 %h<2>; .reg .pred %p<3>; .shared .align 8 .b8 s[64]; "      \
    ".local .b32 l[4];\n"

static const char *const seeds[] = {
    HEAD ENTRY REGS "ld.param.u64 %d0, [p]; mov.u32 %r0, %tid.x; L: add.u32 %r0, %r0, 1; setp.lt.u32 %p0, "
                    "%r0, 70; @%p0 bra L;\n"
                    "st.global.u32 [%d0], %r0; bar.sync 0; vote.sync.ballot.b32 %r1, %p0, -1; ret; }",
    HEAD ENTRY REGS "mov.u32 %r0, s; and.b32 %r1, %r0, 28; st.shared.v2.b32 [%r0+8], {%r1, 5}; ld.shared.b64 "
                    "%d1, [%r0+8]; mov.b64 {%r2, _}, %d1;\n"
                    "cvta.shared.u64 %d2, %d1; atom.shared.add.u32 %r3, [%r0], %r2; mov.u64 %d3, l; "
                    "st.local.u32 [%d3+4], %r3; exit; }",
    HEAD ".func (.param .b32 o) f(.param .b32 i) { .reg .b32 %x; ld.param.b32 %x, [i]; mul.lo.u32 %x, %x, 3; "
         "st.param.b32 [o], %x; ret; }\n" ENTRY REGS
         "{ .param .b32 a; .param .b32 b; mov.u32 %r0, %laneid; st.param.b32 [a], %r0; @%p0 call (b), f, "
         "(a); ld.param.b32 %r1, [b]; }\n"
         "t: .branchtargets A, B; rem.u32 %r0, %r0, 2; brx.idx %r0, t; A: mov.u32 %r2, 1; B: bar.warp.sync "
         "-1; ret; }",
    HEAD ENTRY REGS "mov.u32 %r0, s; elect.sync _|%p0, -1; @%p0 mbarrier.init.shared::cta.b64 [%r0], 1; "
                    "bar.sync 0; mbarrier.arrive.shared::cta.b64 %d0, [%r0];\n"
                    "W: mbarrier.try_wait.parity.shared::cta.b64 %p1, [%r0], 0; @!%p1 bra W; "
                    "shfl.sync.bfly.b32 %r1|%p2, %r0, 1, 31, -1; trap; }",
    HEAD ".global .align 8 .u64 g[2] = {1, generic(g)+8}; .const .f32 c = -1.5;\n" ENTRY REGS
         "ld.const.f32 %r0, [c]; cvt.rn.bf16.f32 %h0, %r0; fma.rn.ftz.f32x2 %d0, %d0, %d1, "
         "0x3f800000bf800000; lop3.b32 %r1, %r0, 7, %r2, 0x96;\n"
         "ld.global.v2.u64 {%d2, %d3}, [g]; ld.u64 %d0, [%d3]; prmt.b32 %r3, %r1, %r0, 0x5410; "
         "setmaxnreg.dec.sync.aligned.u32 40; ret; }",
    HEAD ENTRY REGS "tcgen05.alloc.cta_group::1.sync.aligned.shared::cta.b32 [s], 32; ld.shared.b32 %r0, "
                    "[s]; tcgen05.st.sync.aligned.32x32b.x2.b32 [%r0], {%r1, %r2};\n"
                    "tcgen05.wait::st.sync.aligned; tcgen05.ld.sync.aligned.32x32b.x2.b32 {%r3, %r4}, [%r0]; "
                    "tcgen05.dealloc.cta_group::1.sync.aligned.b32 %r0, 32; ret; }",
};

const char *const wl_fuzz_words[] = {"%r0",
                                     "%d1",
                                     "%p2",
                                     "%h1",
                                     "[%r0+4]",
                                     "{%r0, %r1}",
                                     ".b64",
                                     ".v4",
                                     ".shared",
                                     ".global",
                                     "bra L;",
                                     "bar.sync 1;",
                                     "@!%p0 ",
                                     "0x7fffffffffffffff",
                                     "-1",
                                     "0f7F800000",
                                     "exit;",
                                     "}",
                                     "{",
                                     ".reg .b32 %r<999999>;",
                                     "L:",
                                     "%tid.x",
                                     "ld.global.u32",
                                     "st.shared.v4.b32",
                                     "mbarrier.init",
                                     "cp.async.bulk",
                                     "tcgen05.mma",
                                     "bar.arrive 2, 64;",
                                     "\n",
                                     NULL};

size_t wl_fuzz_seed(size_t index, uint8_t *out, size_t room) {
    if (index >= sizeof seeds / sizeof *seeds || strlen(seeds[index]) > room) return 0;
    memcpy(out, seeds[index], strlen(seeds[index]));
    return strlen(seeds[index]);
}

/* Declared sizes decide how much memory a module takes: what is honest but large is left alone. */
static int modest(const char *text, size_t size, struct ptx_error *error) {
    struct ptx_module *m = ptx_parse(text, size, error);
    int fine = m != NULL;
    if (!m && (!error->line || !error->text[0])) abort();
    for (uint32_t k = 0; m && k < m->variable_count; k++) fine = fine && m->variables[k]->bytes < 1 << 20;
    for (uint32_t f = 0; m && f < m->function_count; f++) {
        for (uint32_t k = 0; k < m->functions[f].local_count; k++)
            fine = fine && m->functions[f].locals[k]->bytes < 1 << 16;
        for (uint32_t k = 0; k < m->functions[f].param_count; k++)
            fine = fine && m->functions[f].params[k]->bytes < 1 << 12;
    }
    if (m) wl_arena_destroy(m->arena);
    return fine;
}

static void launch(struct emu_device *device, const struct emu_function *fn, const uint8_t *params) {
    struct emu_launch *launch = calloc(1, sizeof *launch);
    if (!launch) return;
    launch->fn = fn;
    launch->device = device;
    launch->params = params;
    launch->grid[0] = launch->grid[1] = launch->grid[2] = launch->cluster[0] = launch->cluster[1] =
        launch->cluster[2] = 1;
    launch->block[0] = 64;
    launch->block[1] = launch->block[2] = 1;
    launch->timeout_ms = 5;
    launch->order = EMU_ORDER_RANDOM;
    if (emu_launch_run(launch) && !launch->report[0]) abort();
    free(launch);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static struct emu_device *device;
    static uint64_t buffer;
    struct ptx_error error;
    if (!device) {
        device = emu_device_create(emu_profile_find(NULL));
        buffer = device ? emu_device_alloc(device, 256) : 0;
        if (!buffer) abort();
    }
    char *exact = malloc(size ? size : 1); /* no byte to spare: a read past the end is seen */
    uint8_t *params = aligned_alloc(64, 8192);
    if (!exact || !params) abort();
    if (size) memcpy(exact, bytes, size);
    memset(params, 0, 8192);
    memcpy(params, &buffer, sizeof buffer);
    if (modest(exact, size, &error)) {
        struct emu_module *module = emu_module_load(device, exact, size, &error);
        if (!module && !error.text[0]) abort();
        for (uint32_t k = 0; module && k < module->ptx->function_count; k++)
            if (module->functions[k].code && module->functions[k].param_bytes < 4096)
                launch(device, &module->functions[k], params);
        emu_module_unload(module);
    }
    free(params);
    free(exact);
    return 0;
}
