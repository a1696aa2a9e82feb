/* Captures of the matrix instructions from a real GPU of Hopper's generation.
 *
 *   matrix OUT RAW     runs every form on the GPU; OUT gets "form class hash" lines, RAW all output bytes
 *
 * gcc -std=gnu11 -O2 -I. -o matrix tests/capture/matrix.c tests/matrix_forms.c -ldl */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/matrix_forms.h"

typedef unsigned long long address;
static int (*init)(unsigned), (*retain)(void **, int), (*set)(void *), (*alloc)(address *, size_t);
static int (*upload)(address, const void *, size_t), (*download)(void *, address, size_t),
    (*load)(void **, const void *);
static int (*get)(void **, void *, const char *), (*wait_all)(void);
static int (*launch)(void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void *,
                     void **, void **);

static int open_gpu(void) {
    void *lib = dlopen("libcuda.so.1", RTLD_NOW), *context;
    if (!lib) return 1;
#define GET(name, symbol) *(void **)&name = dlsym(lib, symbol)
    GET(init, "cuInit");
    GET(retain, "cuDevicePrimaryCtxRetain");
    GET(set, "cuCtxSetCurrent");
    GET(alloc, "cuMemAlloc_v2");
    GET(upload, "cuMemcpyHtoD_v2");
    GET(download, "cuMemcpyDtoH_v2");
    GET(load, "cuModuleLoadData");
    GET(get, "cuModuleGetFunction");
    GET(wait_all, "cuCtxSynchronize");
    GET(launch, "cuLaunchKernel");
    return init(0) || retain(&context, 0) || set(context);
}

int main(int argc, char **argv) {
    static char text[1 << 17];
    static uint8_t in[MATRIX_BLOCKS * 131072], out[MATRIX_BLOCKS * 131072];
    address d_in, d_out;
    FILE *hashes = argc == 3 ? fopen(argv[1], "w") : NULL, *raw = hashes ? fopen(argv[2], "wb") : NULL;
    if (!raw || open_gpu() || alloc(&d_in, sizeof in) || alloc(&d_out, sizeof out))
        return fprintf(stderr, "usage: matrix OUT RAW, on a machine with a GPU\n"), 2;
    for (size_t i = 0; i < matrix_form_count(); i++) {
        struct matrix_size size = matrix_form_size(i);
        void *module, *fn, *args[] = {&d_in, &d_out};
        int n = snprintf(text, sizeof text, ".version 8.7\n.target sm_90a\n.address_size 64\n");
        matrix_form_text(i, "test", text + n, sizeof text - (size_t)n);
        matrix_form_inputs(i, in);
        memset(out, 0, sizeof out);
        int rc = load(&module, text) || get(&fn, module, "test") ||
                 upload(d_in, in, (size_t)MATRIX_BLOCKS * size.in_bytes) ||
                 launch(fn, MATRIX_BLOCKS, 1, 1, size.threads, 1, 1, 0, NULL, args, NULL) || wait_all() ||
                 download(out, d_out, (size_t)MATRIX_BLOCKS * size.out_bytes);
        if (rc) return printf("%s failed\n", matrix_form_name(i)), 1;
        for (uint32_t c = 0; c < MATRIX_CLASSES; c++)
            fprintf(hashes, "%s %u %016llx\n", matrix_form_name(i), c,
                    (unsigned long long)matrix_hash(out + (size_t)4 * c * size.out_bytes,
                                                    (size_t)4 * size.out_bytes));
        fwrite(out, size.out_bytes, MATRIX_BLOCKS, raw);
    }
    printf("%zu forms\n", matrix_form_count());
    return 0;
}
