/* Hostile templates: expanded, or refused with one clear line that names the template. */
#include "tests/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lua.h>

#include "gen/template.h"

static const char *const seeds[] = {
    ".version 9.0\n.target $(target)\n.files\n//| note\n| function wait(bar, parity)\n{\n  .reg .pred "
    "%p;\nL:\n"
    "  mbarrier.try_wait.b64 %p, [$(bar)], $(parity);\n  @!%p bra L;\n}\n| end\n.entry k(.param .u64 p)\n{\n"
    "| for i = 1, n do\n  add.u32 %r$(i), %r0, $(hex(i * 16)); //| sum\n  wait\n| wait('%r' .. i, i % 2)\n| "
    "end\n\n\n}\n",
    "mov.f32 %f0, $(f32(0.5));\n.reg .b32 %r<$(4 * 2)>; /* block\ncomment */ mov.b32 %r0, { %r1,\n %r2 };\n",
    "| local t = { 'a', \"b)\" }\n$(t[1]) $(t[2]:rep(3)) $((1 + 2) * 3) $(4 / 2)\n| include 'lib/mbarrier'\n",
    ".global .b32 x[2] = { 1,\n 2 };\n.entry k()\n.reqntid 128\n{ ret; }\n.file 1 \"x\"\n",
};
const char *const wl_fuzz_words[] = {"$(",
                                     ")",
                                     "|",
                                     "//|",
                                     "//",
                                     "/*",
                                     "*/",
                                     "{",
                                     "}",
                                     ";",
                                     ":",
                                     "::",
                                     "\"",
                                     "'",
                                     "\n",
                                     "| end\n",
                                     "| function f()\n",
                                     "f32(",
                                     "hex(",
                                     "include",
                                     ".files\n",
                                     ".loc 1 2 3\n",
                                     ".file",
                                     "| for i=1,1e9 do\n",
                                     "| while true do\n",
                                     "string.rep('x', 1e7)",
                                     "nil",
                                     "{}",
                                     "0.5",
                                     "--",
                                     "[[",
                                     "| return\n",
                                     "_text(1)",
                                     "_text(99999)",
                                     "_text(-1)",
                                     "\\",
                                     "\t",
                                     NULL};

size_t wl_fuzz_seed(size_t index, uint8_t *out, size_t room) {
    if (index >= sizeof seeds / sizeof *seeds || strlen(seeds[index]) > room) return 0;
    memcpy(out, seeds[index], strlen(seeds[index]));
    return strlen(seeds[index]);
}

static int globals(lua_State *L, const void *data) {
    (void)data;
    lua_pushinteger(L, 3);
    lua_setfield(L, -2, "n");
    lua_pushliteral(L, "sm_100a");
    lua_setfield(L, -2, "target");
    return 0;
}

/* Templates are read from a folder, so the input is written there. */
static const char *template_folder(void) {
    static char folder[64];
    if (!folder[0]) {
        snprintf(folder, sizeof folder, "%s/warploom_fuzz_XXXXXX",
                 access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
        if (!mkdtemp(folder)) abort();
        setenv("WARPLOOM_TEMPLATES", folder, 1);
    }
    return folder;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct wl_text out = {0};
    struct wl_error error = {0};
    char path[128];
    snprintf(path, sizeof path, "%s/fuzz.ptx", template_folder());
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, size, file) != size || fclose(file)) abort();
    enum wl_status status = wl_template_expand("fuzz", globals, NULL, &out, &error);
    if (status && (status != WL_ERR_INPUT || !error.text[0] || !error.file[0] || strchr(error.text, '\n')))
        abort();
    if (!status && out.length && strlen(out.bytes) > out.length) abort();
    wl_text_fini(&out);
    unlink(path);
    return 0;
}
