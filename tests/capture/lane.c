/* Captures of lane instructions from a real GPU, and their comparison with the emulator.
 *
 * lane list TARGET
 *     every form as one PTX text on stdout, an entry f<N> each, for ptxas to filter
 * lane compare FORMS TARGET [OUT]
 *     runs the forms that FORMS lists ("ROW MNEMONIC" a line: those that ptxas takes) on the GPU and here, prints
 *     those that differ, and writes "MNEMONIC ROW HASH" lines of what the GPU gave to OUT
 *
 * tests/captures/lane_h200.txt is such an OUT as "ROW MNEMONIC HASH", without the approximate functions. To build:
 *     gcc -std=gnu11 -O2 -march=x86-64-v3 -ffp-contract=off -I. -o build/lane tests/capture/lane.c \
 *         tests/lane_forms.c tests/emu_run.c runtime/emu/[a-z]*.c gen/arena.c gen/error.c -lm -ldl -pthread */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/emu/module.h"
#include "tests/emu_run.h"
#include "tests/lane_forms.h"

static const char *target;

static const char *head(void) {
    static char text[128];
    snprintf(text, sizeof text, ".version %s\n.target %s\n.address_size 64\n",
             strcmp(target, "sm_90") == 0 ? "8.6" : "9.0", target);
    return text;
}

/* ---- list ---- */

static void print_form(void *user, const struct emu_row *row, const char *mnemonic) {
    char text[4096];
    unsigned *n = user;
    char name[32];
    snprintf(name, sizeof name, "f%u", *n);
    if (!lane_entry(row, mnemonic, name, text, sizeof text)) return;
    printf("// form %s %s\n%s", row->id, mnemonic, text);
    ++*n;
}

static int list(void) {
    unsigned n = 0;
    printf("%s", head());
    for (uint32_t k = 0; k < emu_row_count; k++)
        if (lane_row_fits(&emu_rows[k])) lane_forms(&emu_rows[k], print_form, &n);
    return 0;
}

/* ---- the GPU ---- */

typedef struct CUctx_st *CUcontext;
typedef struct CUmod_st *CUmodule;
typedef struct CUfunc_st *CUfunction;
typedef unsigned long long CUdeviceptr;
static int (*cuInit)(unsigned);
static int (*cuDevicePrimaryCtxRetain)(CUcontext *, int);
static int (*cuCtxSetCurrent)(CUcontext);
static int (*cuMemAlloc)(CUdeviceptr *, size_t);
static int (*cuMemcpyHtoD)(CUdeviceptr, const void *, size_t);
static int (*cuMemcpyDtoH)(void *, CUdeviceptr, size_t);
static int (*cuModuleLoadData)(CUmodule *, const void *);
static int (*cuModuleUnload)(CUmodule);
static int (*cuModuleGetFunction)(CUfunction *, CUmodule, const char *);
static int (*cuLaunchKernel)(CUfunction, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,
                             void *, void **, void **);
static int (*cuCtxSynchronize)(void);

static int open_gpu(void) {
    void *lib = dlopen("libcuda.so.1", RTLD_NOW);
    CUcontext context;
    if (!lib) return 1;
#define GET(name, symbol) *(void **)&name = dlsym(lib, symbol)
    GET(cuInit, "cuInit");
    GET(cuDevicePrimaryCtxRetain, "cuDevicePrimaryCtxRetain");
    GET(cuCtxSetCurrent, "cuCtxSetCurrent");
    GET(cuMemAlloc, "cuMemAlloc_v2");
    GET(cuMemcpyHtoD, "cuMemcpyHtoD_v2");
    GET(cuMemcpyDtoH, "cuMemcpyDtoH_v2");
    GET(cuModuleLoadData, "cuModuleLoadData");
    GET(cuModuleUnload, "cuModuleUnload");
    GET(cuModuleGetFunction, "cuModuleGetFunction");
    GET(cuLaunchKernel, "cuLaunchKernel");
    GET(cuCtxSynchronize, "cuCtxSynchronize");
    return cuInit(0) || cuDevicePrimaryCtxRetain(&context, 0) || cuCtxSetCurrent(context);
}

/* ---- compare ---- */

struct form {
    char row[48], mnemonic[160];
};

static const struct emu_row *row_named(const char *id) {
    for (uint32_t k = 0; k < emu_row_count; k++)
        if (strcmp(emu_rows[k].id, id) == 0) return &emu_rows[k];
    return NULL;
}

static void report(const struct form *f, const uint64_t *in, const uint32_t *gpu, const uint32_t *emu) {
    int bad = 0, shown = 0;
    for (int k = 0; k < 4 * LANE_THREADS; k++) bad += gpu[k] != emu[k];
    printf("DIFFERS %s %s: %d words\n", f->row, f->mnemonic, bad);
    for (int k = 0; k < 4 * LANE_THREADS && shown < 6; k++) {
        if (gpu[k] == emu[k]) continue;
        int t = k % LANE_THREADS;
        printf("   word %d of thread %d: gpu %08x emu %08x; in", k / LANE_THREADS, t, gpu[k], emu[k]);
        for (int s = 0; s < 4; s++) printf(" %016llx", (unsigned long long)in[s * LANE_THREADS + t]);
        printf("\n");
        shown++;
    }
}

#define BATCH 64

static int compare(const char *path, FILE *out) {
    static uint64_t in[LANE_SOURCES * LANE_THREADS];
    static uint32_t gpu[4 * LANE_THREADS];
    static char text[BATCH * 4096];
    struct emu_device *device = emu_run_device();
    uint64_t emu_in = emu_device_alloc(device, sizeof in), emu_out = emu_device_alloc(device, sizeof gpu);
    CUdeviceptr gpu_in = 0, gpu_out = 0;
    FILE *file = fopen(path, "r");
    int differ = 0, total = 0;
    lane_inputs(in);
    memcpy((void *)emu_in, in, sizeof in);
    if (!file || open_gpu() || cuMemAlloc(&gpu_in, sizeof in) || cuMemAlloc(&gpu_out, sizeof gpu) ||
        cuMemcpyHtoD(gpu_in, in, sizeof in)) {
        fprintf(stderr, "no list or no GPU\n");
        return 1;
    }
    for (bool more = true; more;) {
        static struct form forms[BATCH];
        int n = 0;
        size_t at = (size_t)sprintf(text, "%s", head());
        while (n < BATCH && (more = fscanf(file, "%47s %159s", forms[n].row, forms[n].mnemonic) == 2)) {
            char name[32];
            snprintf(name, sizeof name, "f%d", n);
            const struct emu_row *row = row_named(forms[n].row);
            if (!row || !lane_entry(row, forms[n].mnemonic, name, text + at, sizeof text - at)) continue;
            at += strlen(text + at);
            n++;
        }
        if (!n) break;
        CUmodule module;
        int rc = cuModuleLoadData(&module, text);
        if (rc) {
            printf("batch not loaded: %d (%s ...)\n", rc, forms[0].mnemonic);
            continue;
        }
        for (int k = 0; k < n; k++) {
            char name[32];
            CUfunction fn;
            void *args[] = {&gpu_in, &gpu_out};
            snprintf(name, sizeof name, "f%d", k);
            rc = cuModuleGetFunction(&fn, module, name);
            if (!rc) rc = cuLaunchKernel(fn, LANE_THREADS / 32, 1, 1, 32, 1, 1, 0, NULL, args, NULL);
            if (!rc) rc = cuCtxSynchronize();
            if (!rc) rc = cuMemcpyDtoH(gpu, gpu_out, sizeof gpu);
            if (rc) {
                printf("GPU error %d at %s\n", rc, forms[k].mnemonic);
                return 1;
            }
            uint64_t params[2] = {emu_in, emu_out};
            static struct emu_run run;
            static char one[8192];
            size_t length = (size_t)sprintf(one, "%s", head());
            lane_entry(row_named(forms[k].row), forms[k].mnemonic, name, one + length, sizeof one - length);
            run = (struct emu_run){
                .ptx = one, .entry = name, .params = params, .param_bytes = 16, .grid = {LANE_THREADS / 32}};
            total++;
            if (emu_run(&run)) printf("EMULATOR %s: %s\n", forms[k].mnemonic, run.report);
            else if (memcmp(gpu, (void *)emu_out, sizeof gpu)) {
                report(&forms[k], in, gpu, (uint32_t *)emu_out);
                differ++;
            }
            if (out)
                fprintf(out, "%s %s %016llx\n", forms[k].mnemonic, forms[k].row,
                        (unsigned long long)lane_hash(gpu));
        }
        cuModuleUnload(module);
    }
    printf("%d forms, %d differ\n", total, differ);
    return 0;
}

int main(int argc, char **argv) {
    if (argc < 3) return fprintf(stderr, "usage: lane list TARGET | lane compare FORMS TARGET [OUT]\n"), 2;
    if (strcmp(argv[1], "list") == 0) {
        target = argv[2];
        return list();
    }
    target = argv[3];
    return compare(argv[2], argc > 4 ? fopen(argv[4], "w") : NULL);
}
