/* From PTX to a cubin or a fat binary: by what is here, and one clear error where nothing is. */
#define _GNU_SOURCE /* memmem */
#include "tests/test.h"

#include <stdlib.h>
#include <string.h>

#include "gen/arena.h"
#include "gen/fatbin.h"
#include "gen/nvjitlink.h"
#include "runtime/assemble.h"
#include "runtime/image.h"

static const char plain[] = ".version 8.7\n.target sm_90a\n.address_size 64\n"
                            ".visible .entry k(.param .u64 p) {\n"
                            "    .reg .b32 %a; .reg .b64 %p;\n"
                            "    mov.u32 %a, %tid.x;\n"
                            "    ld.param.u64 %p, [p];\n"
                            "    st.global.u32 [%p], %a;\n"
                            "    ret;\n"
                            "}\n";
static const char roles[] = ".version 8.7\n.target sm_90a\n.address_size 64\n"
                            ".visible .entry k() .reqntid 256 {\n"
                            "    setmaxnreg.dec.sync.aligned.u32 24;\n"
                            "    ret;\n"
                            "}\n";

static bool is_elf(const struct wl_ptxas_report *report) {
    return report->cubin_bytes > 4 && !memcmp(report->cubin, "\177ELF", 4);
}

Test(assemble, nvjitlink) {
    struct wl_ptxas_report report;
    struct wl_error error = {0};
    enum wl_status status = wl_nvjitlink_run(plain, sizeof plain - 1, "sm_90a", &report, &error);
    if (status == WL_ERR_ENVIRONMENT) cr_skip_test("%s", error.text);
    cr_assert_eq(status, WL_OK, "%s", error.text);
    cr_expect(is_elf(&report) && report.registers > 0 && report.version[0] == '1' &&
              !report.setmaxnreg_ignored);
    wl_ptxas_fini(&report);
    cr_assert_eq(wl_nvjitlink_run(roles, sizeof roles - 1, "sm_90a", &report, &error), WL_OK, "%s",
                 error.text);
    cr_expect(report.setmaxnreg_ignored, "and it is known to be so");
    wl_ptxas_fini(&report);
    cr_expect_eq(wl_nvjitlink_run("nonsense", 8, "sm_90a", &report, &error), WL_ERR_INTERNAL);
    error = (struct wl_error){0};
    cr_expect_eq(wl_nvjitlink_run(plain, sizeof plain - 1, "sm_52", &report, &error), WL_ERR_ENVIRONMENT);
    cr_expect(strstr(error.text, "refuses sm_52"), "%s", error.text);
}

Test(assemble, nvjitlink_is_missing) {
    struct wl_ptxas_report report;
    struct wl_error error = {0};
    setenv("WARPLOOM_NVJITLINK", "/nowhere/libnvJitLink.so.13", 1);
    cr_expect_eq(wl_nvjitlink_run(plain, sizeof plain - 1, "sm_90a", &report, &error), WL_ERR_ENVIRONMENT);
    cr_expect(strstr(error.text, "WARPLOOM_NVJITLINK: /nowhere"), "%s", error.text);
}

/* WARPLOOM_ASSEMBLER; the driver's linker needs a GPU and is tried by `make device-test`. */
Test(assemble, by_whom) {
    static const struct {
        const char *variable;
        enum wl_status status;
        const char *text;
    } rows[] = {
        {"frob", WL_ERR_USAGE, "\"frob\": must be ptxas, driver, nvjitlink or none"},
        {"none", WL_ERR_ENVIRONMENT, "nothing here can assemble: WARPLOOM_ASSEMBLER is none"},
    };
    struct wl_ptxas_report report;
    for (size_t i = 0; i < WL_LEN(rows); i++) {
        struct wl_error error = {0};
        setenv("WARPLOOM_ASSEMBLER", rows[i].variable, 1);
        cr_expect_eq(wl_assemble(plain, sizeof plain - 1, "sm_90a", NULL, true, &report, &error),
                     rows[i].status);
        cr_expect(strstr(error.text, rows[i].text), "%s", error.text);
        wl_ptxas_fini(&report);
    }
    unsetenv("WARPLOOM_ASSEMBLER");
    struct wl_error error = {0};
    enum wl_status status = wl_assemble(plain, sizeof plain - 1, "sm_90a", NULL, true, &report, &error);
    if (status == WL_ERR_ENVIRONMENT) cr_skip_test("%s", error.text);
    cr_assert_eq(status, WL_OK, "%s", error.text);
    cr_expect(is_elf(&report));
    wl_ptxas_fini(&report);
}

/* Where only linkers are, a kernel of roles is not given to them: the driver shall have its PTX. */
Test(assemble, no_linker_where_setmaxnreg_counts) {
    struct wl_ptxas_report report;
    struct wl_error error = {0};
    setenv("PATH", "/nowhere", 1), setenv("CUDA_HOME", "/nowhere", 1);
    enum wl_status status = wl_assemble(roles, sizeof roles - 1, "sm_90a", NULL, true, &report, &error);
    wl_ptxas_fini(&report);
    if (!status) cr_skip_test("there is a ptxas beside the tests or in /usr/local/cuda");
    cr_expect_eq(status, WL_ERR_ENVIRONMENT);
    cr_expect(strstr(error.text, "and keep setmaxnreg"), "%s", error.text);
    cr_expect(!strstr(error.text, "nvjitlink:"), "%s", error.text);
}

static bool has(const void *bytes, size_t size, const char *word) {
    return memmem(bytes, size, word, strlen(word));
}

/* A kernel's cubin leads back to the templates where that is wanted; an error does so always. */
Test(assemble, lines) {
    static char good[] = ".version 8.7\n.target sm_90a\n.address_size 64\n.file 1 \"templates/a.ptx\"\n"
                         ".visible .entry k(.param .u64 p) {\n    .reg .b32 %a; .reg .b64 %p;\n"
                         "    .loc 1 7 0\n    mov.u32 %a, %tid.x;\n    ld.param.u64 %p, [p];\n"
                         "    .loc 1 9 0\n    st.global.u32 [%p], %a;\n    ret;\n}\n";
    for (int wanted = 0; wanted < 2; wanted++) {
        struct wl_image image = {.ptx = good, .ptx_bytes = sizeof good - 1};
        struct wl_ptxas_report report;
        struct wl_error error = {0};
        strcpy(image.launch.target, "sm_90a");
        setenv("WARPLOOM_LINEINFO", wanted ? "1" : "0", 1);
        enum wl_status status = wl_image_cubin(&image, NULL, true, &report, &error);
        if (status == WL_ERR_ENVIRONMENT) cr_skip_test("%s", error.text);
        cr_assert_eq(status, WL_OK, "%s", error.text);
        cr_expect_eq(has(image.cubin, image.cubin_bytes, "debug_line"), wanted);
        wl_free(image.cubin);
        char *bad = strstr(good, "st.global.u32");
        memcpy(bad, "st.global.x32", 13);
        image.cubin = NULL;
        cr_expect_eq(wl_image_cubin(&image, NULL, true, &report, &error), WL_ERR_INTERNAL);
        cr_expect(!strcmp(error.file, "templates/a.ptx") && error.line == 9, "%s:%d: %s", error.file,
                  error.line, error.text);
        memcpy(bad, "st.global.u32", 13);
    }
}

Test(assemble, fatbin) {
    struct wl_ptxas_report report;
    struct wl_error error = {0};
    char *fatbin;
    size_t bytes;
    enum wl_status status = wl_ptxas_run(plain, sizeof plain - 1, "sm_90a", &report, &error);
    if (!status)
        status = wl_fatbin_make(plain, sizeof plain - 1, report.cubin, report.cubin_bytes, "sm_90a", &fatbin,
                                &bytes, &error);
    wl_ptxas_fini(&report);
    if (status == WL_ERR_ENVIRONMENT) cr_skip_test("%s", error.text);
    cr_assert_eq(status, WL_OK, "%s", error.text);
    /* magic, version 1, header of 16 bytes, the size of what follows; then two images, ELF and PTX */
    uint64_t rest;
    memcpy(&rest, fatbin + 8, sizeof rest);
    cr_expect(bytes > 64 && !memcmp(fatbin, "\x50\xed\x55\xba\1\0\x10\0", 8));
    cr_expect_eq(rest, bytes - 16);
    int kinds = 0;
    for (size_t at = 16; at + 16 <= bytes;) {
        uint16_t kind;
        uint32_t header;
        uint64_t payload;
        memcpy(&kind, fatbin + at, 2), memcpy(&header, fatbin + at + 4, 4),
            memcpy(&payload, fatbin + at + 8, 8);
        kinds |= 1 << kind; /* 1: PTX, 2: ELF */
        at += header + payload;
    }
    cr_expect_eq(kinds, 1 << 1 | 1 << 2);
    wl_free(fatbin);
}

Test(assemble, no_fatbinary) {
    struct wl_error error = {0};
    char *fatbin;
    size_t bytes;
    setenv("PATH", "/nowhere", 1), setenv("CUDA_HOME", "/nowhere", 1);
    enum wl_status status = wl_fatbin_make("", 0, "", 0, "sm_90a", &fatbin, &bytes, &error);
    if (status != WL_ERR_ENVIRONMENT)
        cr_skip_test("there is a fatbinary in /usr/local/cuda or beside the tests");
    cr_expect(strstr(error.text, "make deps"), "%s", error.text);
}
