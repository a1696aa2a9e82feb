/* What `make install` leaves: a program builds against it with pkg-config alone, shared and static, and runs;
 * nothing but the header's functions is visible. */
#include "tests/test.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[200];

static int shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int shell(const char *format, ...) {
    char command[4096];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    return system(command);
}

static void set_up(void) {
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/wl-install.XXXXXX", base ? base : "/tmp");
    cr_assert(mkdtemp(folder));
    setenv("D", folder, 1);
    setenv("WARPLOOM_CACHE_DIR", folder, 1);
    setenv("WARPLOOM_DEVICE", "emu", 1);
    unsetenv("MAKEFLAGS"), unsetenv("MAKELEVEL");
}

static void tear_down(void) { cr_expect_eq(shell("rm -rf '%s'", folder), 0); }

Test(install, a_program_builds_against_it, .init = set_up, .fini = tear_down, .timeout = 100) {
    if (shell("command -v pkg-config objcopy nm >/dev/null")) cr_skip_test("no pkg-config or binutils here");
    if (access("build/libwarploom.so.0", R_OK) || access("build/warploom", R_OK))
        cr_skip_test("build/ holds no library");
    /* what `make install` calls, with make's own LIBS */
    cr_assert_eq(shell("LIBS=\"$(sed -n 's/^LUA_LIBS := //p' build/deps.mk) -lxxhash -lm -ldl -pthread\" "
                       "PREFIX=/usr DESTDIR=$D .ci/install build >$D/log"),
                 0);
    cr_expect_eq(shell("test -x $D/usr/bin/warploom && test -f $D/usr/include/warploom.h && "
                       "test -f $D/usr/lib/libwarploom_cuda.so"),
                 0);
    cr_expect_eq(shell("objdump -p $D/usr/lib/libwarploom.so | grep -q 'SONAME *libwarploom.so.0$'"), 0);
    cr_assert_eq(
        shell("export PKG_CONFIG_PATH=$D/usr/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$D "
              "PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 PKG_CONFIG_ALLOW_SYSTEM_LIBS=1; "
              "cc -o $D/shared examples/minimal.c $(pkg-config --cflags --libs warploom) && "
              "cc -o $D/static examples/minimal.c $(pkg-config --cflags warploom) $D/usr/lib/libwarploom.a "
              "$(pkg-config --static --libs-only-l warploom | sed 's/-lwarploom//') -lm -ldl -pthread"),
        0);
    cr_expect_eq(shell("LD_LIBRARY_PATH=$D/usr/lib $D/shared | grep -qx right"), 0);
    cr_expect_eq(shell("WARPLOOM_EMU_LIBRARY=$D/usr/lib/libwarploom_cuda.so $D/static | grep -qx right"), 0);
    cr_expect_eq(shell("test $(nm -g --defined-only $D/usr/lib/libwarploom.a | grep -c ' [TDBR] ') = "
                       "$(grep -o 'wl_[a-z_]*;' runtime/warploom.map | wc -l)"),
                 0, "the static library shows more, or less, than the header's functions");
}
