/* Hostile .npy files: refused with one clear line, or every element can be read. */
#include "tests/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "gen/npy.h"

static const char *const headers[] = {
    "\x93NUMPY\x01\0\x3d\0{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }   \n",
    "\x93NUMPY\x02\0\x3d\0\0\0{'descr': '<f2', 'fortran_order': False, 'shape': (2, 2), }   \n",
    "\x93NUMPY\x03\0\x3d\0\0\0{'shape': (8,), \"fortran_order\": False,'descr': '|i1'      }\n",
};
const char *const wl_fuzz_words[] = {"'descr'",
                                     "'<f4'",
                                     "'<f2'",
                                     "'shape'",
                                     "'fortran_order'",
                                     "False",
                                     "True",
                                     "(",
                                     ")",
                                     ",",
                                     "9223372036854775807",
                                     "4294967296",
                                     "0",
                                     "-1",
                                     "{",
                                     "}",
                                     ": ",
                                     "\"",
                                     "L",
                                     "\n",
                                     NULL};

size_t wl_fuzz_seed(size_t index, uint8_t *out, size_t room) {
    if (index >= sizeof headers / sizeof *headers || room < 128) return 0;
    size_t start = headers[index][6] == 1 ? 10 : 12, size = start + 0x3d;
    memcpy(out, headers[index], size);
    memset(out + size, 0x3c, 8);
    return size + 8;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct wl_npy array;
    struct wl_error error = {0};
    uint8_t *exact = malloc(size ? size : 1); /* no byte to spare: a read past the end is seen */
    if (!exact) return 0;
    if (size) memcpy(exact, bytes, size);
    enum wl_status status = wl_npy_parse(&array, exact, size, "fuzz.npy", &error);
    if (status) {
        if (status != WL_ERR_INPUT || !error.text[0] || strchr(error.text, '\n')) abort();
    } else {
        size_t data = (size_t)array.count * (array.type == WL_NPY_F32 ? 4 : 2);
        if (data && (const uint8_t *)array.data + data != exact + size) abort();
    }
    free(exact);
    return 0;
}
