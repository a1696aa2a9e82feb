/* ptxas: its reports are read, its errors lead to the template, and a real one is run where there is one. */
#include "tests/test.h"

#include <stdio.h>
#include <string.h>

#include "gen/ptxas.h"

static const char kernel[] = ".version 8.7\n"                       /* 1 */
                             ".target sm_100a\n"                    /* 2 */
                             ".address_size 64\n"                   /* 3 */
                             ".file 1 \"templates/a.ptx\"\n"        /* 4 */
                             ".file 2 \"templates/lib/b.ptx\"\n"    /* 5 */
                             ".visible .entry k(.param .u64 p) {\n" /* 6 */
                             "    .reg .b32 %a; .reg .b64 %p;\n"    /* 7 */
                             "    .loc 2 70 0\n"                    /* 8 */
                             "    mov.u32 %a, %tid.x;\n"            /* 9 */
                             "    ld.param.u64 %p, [p];\n"          /* 10 */
                             "    .loc 1 9 0\n"                     /* 11 */
                             "    st.global.u32 [%p], %a;\n"        /* 12 */
                             "    ret;\n"                           /* 13 */
                             "}\n";

Test(ptxas, origin) {
    static const struct {
        int line, found, template_line;
        const char *file;
    } rows[] = {
        {7, 0, 0, ""},
        {9, 1, 70, "templates/lib/b.ptx"},
        {10, 1, 70, "templates/lib/b.ptx"},
        {12, 1, 9, "templates/a.ptx"},
        {13, 1, 9, "templates/a.ptx"},
        {99, 0, 0, ""},
    };
    for (size_t i = 0; i < WL_LEN(rows); i++) {
        char file[64] = "";
        int line = 0;
        cr_expect_eq(wl_ptx_origin(kernel, rows[i].line, file, sizeof file, &line), rows[i].found, "line %d",
                     rows[i].line);
        cr_expect_str_eq(file, rows[i].file);
        cr_expect_eq(line, rows[i].template_line);
    }
}

Test(ptxas, diagnose) {
    struct wl_error error = {0};
    char text[4096];
    const char *log = "ptxas info    : 0 bytes gmem\n"
                      "ptxas kernel.ptx, line 12; error   : Unknown symbol '%b'\n"
                      "ptxas kernel.ptx, line 13; error   : another\n"
                      "ptxas fatal   : Ptx assembly aborted due to errors\n";
    cr_expect_eq(wl_ptx_diagnose(kernel, log, WL_ERR_DRIVER, &error), WL_ERR_DRIVER);
    wl_error_format(&error, text, sizeof text);
    text[strcspn(text, "\n")] = 0;
    cr_expect_str_eq(text,
                     "templates/a.ptx:9: ptxas: Unknown symbol '%b' (PTX line 12: st.global.u32 [%p], %a;)");
    cr_expect(strstr(error.text, "\nptxas info"), "the log follows");
    error = (struct wl_error){0};
    cr_expect_eq(wl_ptx_diagnose(kernel, "ptxas fatal : no line here", WL_ERR_DRIVER, &error), WL_ERR_DRIVER);
    cr_expect(strstr(error.text, "no line here"));
}

Test(ptxas, scan) {
    struct wl_ptxas_report report = {0};
    wl_ptxas_scan("ptxas info    : Function properties for k\n"
                  "    16 bytes stack frame, 12 bytes spill stores, 24 bytes spill loads\n"
                  "ptxas info    : Used 168 registers, used 4 barriers, 400 bytes cmem[0]\n",
                  &report);
    cr_expect_eq(report.registers, 168);
    cr_expect_eq(report.barriers, 4);
    cr_expect_eq(report.stack_bytes, 16);
    cr_expect_eq(report.spill_store_bytes, 12);
    cr_expect_eq(report.spill_load_bytes, 24);
}

Test(ptxas, find_refuses_unknown_targets) {
    char path[1024];
    struct wl_error error = {0};
    cr_expect_eq(wl_ptxas_find("sm_1", path, sizeof path, &error), WL_ERR_ENVIRONMENT);
    cr_expect(strstr(error.text, "make deps"), "%s", error.text);
}

Test(ptxas, runs) {
    struct wl_ptxas_report report;
    struct wl_error error = {0};
    enum wl_status status = wl_ptxas_run(kernel, sizeof kernel - 1, "sm_100a", &report, &error);
    if (status == WL_ERR_ENVIRONMENT) cr_skip_test("%s", error.text);
    cr_assert_eq(status, WL_OK, "%s", error.text);
    cr_expect(report.cubin_bytes > 4 && !memcmp(report.cubin,
                                                "\x7f"
                                                "ELF",
                                                4));
    cr_expect(report.registers > 0 && report.registers < 32, "%d", report.registers);
    cr_expect(report.version[0] >= '1' && report.version[0] <= '9', "version \"%s\"", report.version);
    wl_ptxas_fini(&report);
}
