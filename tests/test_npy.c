/* npy: what NumPy writes is read, what is wrong is refused with one line. */
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gen/file.h"
#include "gen/npy.h"

/* One row: a header's text (its length is put in front), how many bytes follow it, and either the shape it
 * has or a part of the refusal. */
/* clang-format off */
static const struct row {
    int major; const char *header; int data_bytes; const char *shape, *refusal;
} rows[] = {
    {1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n",      24, "(2, 3)", NULL},
    {2, "{'descr': '<f2', 'fortran_order': False, 'shape': (2, 3), }   \n",   12, "(2, 3)", NULL},
    {3, "{'shape': (4,), 'fortran_order': False, 'descr': '<f4'}",            16, "(4,)", NULL},
    {1, "{\"descr\": \"<f4\", \"fortran_order\": False, \"shape\": ()}\n",     4, "()", NULL},
    {1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2L, 0L), }\n",     0, "(2, 0)", NULL},
    {1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n",      23, NULL, "does not match the 23 bytes"},
    {1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n",      25, NULL, "does not match the 25 bytes"},
    {1, "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }\n",       24, NULL, "fortran_order: the array is in Fortran order"},
    {1, "{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }\n",        24, NULL, "descr: elements are '<f8'"},
    {1, "{'descr': '>f4', 'fortran_order': False, 'shape': (6,), }\n",        24, NULL, "descr: elements are '>f4'"},
    {1, "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (6,), }", 24, NULL, "descr: not a plain type"},
    {1, "{'descr': '<f4', 'fortran_order': 0, 'shape': (6,), }\n",            24, NULL, "fortran_order: neither"},
    {1, "{'descr': '<f4', 'fortran_order': False, 'shape': (6), }\n",         24, NULL, "shape: not a tuple"},
    {1, "{'descr': '<f4', 'fortran_order': False, 'shape': (-6,), }\n",       24, NULL, "shape: not a tuple"},
    {1, "{'descr': '<f4', 'fortran_order': False, 'shape': 6, }\n",           24, NULL, "shape: not a tuple"},
    {1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2 3), }\n",       24, NULL, "shape: a comma is missing"},
    {1, "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1)}", 4, NULL, "shape: more than 8"},
    {1, "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}", 4, NULL, "shape: a size does not fit"},
    {1, "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}", 4, NULL, "number of elements does not fit"},
    {1, "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904,)}", 0, NULL, "does not match the 0 bytes"},
    {1, "{'descr': '<f4', 'fortran_order': False}\n",                         24, NULL, "shape: missing"},
    {1, "{'descr': '<f4', 'descr': '<f4', 'shape': (6,)}\n",                  24, NULL, "repeated key 'descr'"},
    {1, "{'descr': '<f4', 'order': False, 'shape': (6,)}\n",                  24, NULL, "unknown key 'order'"},
    {1, "{'descr': '<f4', 'fortran_order': False, 'shape': (6,)} x\n",        24, NULL, "something follows"},
    {1, "{'descr': '<f4', 'fortran_order': False, 'shape': (6,)\n",           24, NULL, "has no end"},
    {1, "['descr']\n",                                                         0, NULL, "not a Python dictionary"},
    {1, "",                                                                    0, NULL, "not a Python dictionary"},
    {0, "",                                                                    0, NULL, "format version 0.0"},
    {4, "{'descr': '<f4', 'fortran_order': False, 'shape': (6,)}",            24, NULL, "format version 4.0"},
};
/* clang-format on */

static size_t build(const struct row *row, char *file) {
    size_t length = strlen(row->header), at = row->major == 1 ? 10 : 12;
    memcpy(file, "\x93NUMPY\0\0\0\0\0\0", 12);
    file[6] = (char)row->major;
    file[8] = (char)(length & 255);
    file[9] = (char)(length >> 8);
    memcpy(file + at, row->header, length);
    memset(file + at + length, 0, (size_t)row->data_bytes);
    return at + length + (size_t)row->data_bytes;
}

Test(npy, headers) {
    for (size_t i = 0; i < WL_LEN(rows); i++) {
        const struct row *row = &rows[i];
        char file[512], text[4096], shape[256];
        struct wl_npy array;
        struct wl_error error = {0};
        size_t size = build(row, file);
        enum wl_status status = wl_npy_parse(&array, file, size, "x.npy", &error);
        wl_error_format(&error, text, sizeof text);
        if (row->shape) {
            cr_expect_eq(status, WL_OK, "%s: %s", row->header, text);
            cr_expect_str_eq(wl_npy_shape_text(array.rank, array.shape, shape, sizeof shape), row->shape);
        } else {
            cr_expect_eq(status, WL_ERR_INPUT, "accepted: %s", row->header);
            cr_expect(strstr(text, row->refusal), "%s: \"%s\" lacks \"%s\"", row->header, text, row->refusal);
        }
    }
}

/* Every prefix of a good file but the whole is refused. */
Test(npy, truncated) {
    char file[512];
    size_t size = build(&rows[0], file);
    for (size_t cut = 0; cut < size; cut++) {
        struct wl_npy array;
        char *exact = malloc(cut + 1); /* so that a sanitizer sees a read past the end */
        memcpy(exact, file, cut);
        cr_expect_eq(wl_npy_parse(&array, exact, cut, "x.npy", NULL), WL_ERR_INPUT, "%zu of %zu bytes", cut,
                     size);
        free(exact);
    }
}

static void temp_path(char *out, size_t room, const char *name) {
    const char *folder = getenv("TMPDIR");
    snprintf(out, room, "%s/wl-test-%ld-%s", folder ? folder : "/tmp", (long)getpid(), name);
}

Test(npy, round_trip) {
    const float data[6] = {1, -2, 3.5f, 0, 1e30f, -1e-30f};
    const int64_t shape[3] = {1, 2, 3};
    char path[512], text[4096];
    struct wl_npy array;
    struct wl_error error = {0};
    temp_path(path, sizeof path, "round.npy");
    enum wl_status status = wl_npy_write(path, WL_NPY_F32, 3, shape, data, &error);
    if (!status) status = wl_npy_read(&array, path, &error);
    cr_assert_eq(status, WL_OK, "%s", wl_error_format(&error, text, sizeof text));
    cr_expect_eq(array.rank, 3);
    cr_expect_eq(array.type, WL_NPY_F32);
    cr_expect_arr_eq(array.shape, shape, sizeof shape);
    cr_expect_arr_eq(array.data, data, sizeof data);
    struct stat info;
    stat(path, &info);
    cr_expect_eq(info.st_size % 64, (off_t)(sizeof data % 64), "NumPy aligns data to 64 bytes");
    wl_npy_fini(&array);
    unlink(path);
}

Test(file, failures_leave_nothing) {
    char path[512];
    struct wl_error error = {0};
    cr_expect_eq(wl_file_write("/nowhere/at/all", "x", 1, &error), WL_ERR_IO);
    cr_expect(strstr(error.text, "cannot create"), "%s", error.text);
    temp_path(path, sizeof path, "folder");
    mkdir(path, 0700);
    error = (struct wl_error){0};
    cr_expect_eq(wl_file_write(path, "x", 1, &error), WL_ERR_IO);
    cr_expect(strstr(error.text, "directory"), "%s", error.text);
    cr_expect_eq(rmdir(path), 0, "the folder is still empty");
    char *bytes;
    size_t size;
    cr_expect_eq(wl_file_read("/nowhere/at/all", &bytes, &size, NULL), WL_ERR_INPUT);
    cr_expect_eq(wl_file_read("/", &bytes, &size, NULL), WL_ERR_INPUT, "a directory is no file");
}

Test(file, grows_while_reading) {
    char *bytes;
    size_t size;
    cr_assert_eq(wl_file_read("/proc/self/maps", &bytes, &size, NULL), WL_OK,
                 "a file that says it has 0 bytes");
    cr_expect(size > 0 && bytes[size] == 0);
}
