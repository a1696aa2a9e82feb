/* README.md shows what `make demo` prints. Numbers may move with machine and templates, lines and verdict may
 * not. */
#include "tests/test.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gen/arena.h"
#include "gen/file.h"
#include "gen/ptxas.h"

#define INDENT 4

/* Every run of digits becomes one '#', a hash (16 hexadecimal digits) too. */
static void mask(char *line) {
    char *out = line;
    for (char *at = line; *at;) {
        size_t hex = strspn(at, "0123456789abcdef"), number = strspn(at, "0123456789.e-");
        size_t skip = hex == 16 ? hex : isdigit((unsigned char)*at) ? number : 0;
        if (skip) *out++ = '#';
        else *out++ = *at;
        at += skip ? skip : 1;
    }
    while (out > line && isspace((unsigned char)out[-1])) out--;
    *out = 0;
}

/* The README's next line of the block, without its indent; false where the block ends. */
static bool shown_line(const char **at, char *line, size_t room) {
    size_t length = strcspn(*at, "\n");
    snprintf(line, room, "%.*s", (int)length, *at);
    *at += length + ((*at)[length] == '\n');
    if (!*line) return true;
    if (strncmp(line, "    ", INDENT)) return false;
    memmove(line, line + INDENT, strlen(line + INDENT) + 1);
    return strncmp(line, "$ ", 2) != 0;
}

Test(readme, shows_what_demo_prints) {
    char path[1024], shown[1024], printed[1024], *text = NULL;
    struct wl_error error = {0};
    size_t size;
    if (wl_ptxas_find("sm_103a", path, sizeof path, &error)) cr_skip_test("%s", error.text);
    cr_assert_eq(wl_file_read("README.md", &text, &size, &error), WL_OK, "%s", error.text);
    const char *at = strstr(text, "    $ make demo\n");
    cr_assert(at, "README.md has no block of make demo");
    at = strchr(at, '\n') + 1;
    FILE *demo = popen("WARPLOOM_DEVICE=emu sh .ci/demo build 2>&1", "r");
    cr_assert(demo);
    while (fgets(printed, sizeof printed, demo)) {
        mask(printed);
        if (!shown_line(&at, shown, sizeof shown)) *shown = 0;
        mask(shown);
        cr_expect_str_eq(printed, shown);
    }
    cr_expect_eq(pclose(demo), 0);
    wl_free(text);
}
