/* cuda_api: every constant, layout and prototype that is declared here, checked against NVIDIA's cuda.h by
 * the compiler, where that header is found: $CUDA_HOME, /usr/local/cuda, the system's folders, pip's nvidia
 * packages. */
#include "runtime/cuda_api.h"
#include "tests/test.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char check[] =
    "#define __CUDA_API_VERSION_INTERNAL /* old forms are declared too, and nothing renamed */\n"
    "#include <cuda.h>\n"
    "#define SAME(a, b, what) _Static_assert((a) == (b), what)\n"
    "#if CUDA_VERSION >= 13000\n"
    "#define WL_CU_ERROR(name, value, text) SAME((int)name, value, #name);\n"
    "#define WL_CU_CONST(name, value) SAME((int)name, value, #name);\n"
    "#define WL_CU_SIZE(type, bytes, align) SAME(sizeof(type), bytes, #type); "
    "SAME(_Alignof(type), align, #type);\n"
    "#define WL_CU_FIELD(type, field, offset) SAME(__builtin_offsetof(type, field), offset, #type);\n"
    "#define CALLS(name, parameters) "
    "SAME(__builtin_types_compatible_p(__typeof__(name), CUresult parameters), 1, #name);\n"
    "#define WL_CU_FN(name, parameters) CALLS(name, parameters)\n"
    "#define WL_API(symbol, name, version, need, parameters, arguments) CALLS(symbol, parameters)\n"
    "#define WL_API_TWIN(symbol, twin) SAME(sizeof(&symbol), sizeof(&twin), #symbol);\n"
    "#define WL_API_REFUSED(symbol) SAME(sizeof(&symbol), sizeof(void *), #symbol);\n"
    "#include \"runtime/cuda_errors.def\"\n"
    "#include \"runtime/cuda_constants.def\"\n"
    "#include \"runtime/cuda_structs.def\"\n"
    "#include \"runtime/cuda_functions.def\"\n"
    "#include \"runtime/emu/api.def\"\n"
    "#include \"runtime/emu/api_twins.def\"\n"
    "#include \"runtime/emu/api_refused.def\"\n"
    "#else\n"
    "#error OLD_HEADER\n"
    "#endif\n";

static bool try_folder(const char *folder, char *found, size_t bytes) {
    char header[512];
    snprintf(header, sizeof header, "%s/cuda.h", folder);
    snprintf(found, bytes, "%s", folder);
    return !access(header, R_OK);
}

static bool find_header(char *found, size_t bytes) {
    static const char *const patterns[] = {"/usr/local/cuda/include",
                                           "/usr/local/cuda-*/include",
                                           "/opt/cuda/include",
                                           "/usr/include",
                                           "/usr/lib/python3*/*-packages/nvidia/*/include",
                                           "/usr/local/lib/python3*/*-packages/nvidia/*/include"};
    char folder[480];
    const char *home = getenv("CUDA_HOME");
    snprintf(folder, sizeof folder, "%s/include", home ? home : "");
    if (home && try_folder(folder, found, bytes)) return true;
    for (size_t i = 0; i < WL_LEN(patterns); i++) {
        glob_t paths;
        bool have = false;
        if (glob(patterns[i], 0, NULL, &paths)) continue;
        for (size_t j = 0; !have && j < paths.gl_pathc; j++)
            have = try_folder(paths.gl_pathv[j], found, bytes);
        globfree(&paths);
        if (have) return true;
    }
    return false;
}

Test(cuda_api, agrees_with_cuda_h) {
    char folder[480], command[1024], line[512], said[4096] = "";
    if (access("runtime/cuda_errors.def", R_OK)) cr_skip_test("not run from the repository's root");
    if (!find_header(folder, sizeof folder))
        cr_skip_test("there is no cuda.h here (CUDA_HOME may name its folder)");
    char source[] = "/tmp/warploom_cuda_api_XXXXXX.c";
    int fd = mkstemps(source, 2);
    cr_assert(fd >= 0 && write(fd, check, strlen(check)) == (ssize_t)strlen(check));
    close(fd);
    const char *cc = getenv("CC");
    snprintf(command, sizeof command, "%s -std=gnu11 -w -I. -I'%s' -fsyntax-only %s 2>&1", cc ? cc : "cc",
             folder, source);
    FILE *compiler = popen(command, "r");
    cr_assert(compiler != NULL);
    while (fgets(line, sizeof line, compiler))
        if (strlen(said) + strlen(line) < sizeof said) strcat(said, line);
    int status = pclose(compiler);
    unlink(source);
    if (strstr(said, "OLD_HEADER")) cr_skip_test("the cuda.h in %s is older than 13.0", folder);
    cr_expect_eq(status, 0, "%s/cuda.h does not agree:\n%s", folder, said);
}

/* The player calls only what the referee has. */
Test(cuda_api, runtime_calls_are_emulated) {
    static const char *const called[] = {
#define WL_CU_FN(name, parameters) #name,
#include "runtime/cuda_functions.def"
#undef WL_CU_FN
    };
    static const char *const emulated[] = {
#define WL_API(symbol, name, version, need, parameters, arguments) #symbol,
#include "runtime/emu/api.def"
#undef WL_API
    };
    for (size_t i = 0; i < WL_LEN(called); i++) {
        size_t j = 0;
        while (j < WL_LEN(emulated) && strcmp(called[i], emulated[j])) j++;
        cr_expect(j < WL_LEN(emulated), "the emulated driver has no %s", called[i]);
    }
}
