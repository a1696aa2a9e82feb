/* file: whole files in and out. */
#include "gen/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gen/arena.h"

enum wl_status wl_file_read(const char *path, char **bytes, size_t *size, struct wl_error *error) {
    enum wl_status status = WL_OK;
    char *buffer = NULL;
    size_t length = 0, capacity = 0;
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return wl_fail(error, WL_ERR_INPUT, path, 0, NULL, "cannot open: %s", strerror(errno));
    if (!fstat(fd, &info) && S_ISREG(info.st_mode)) capacity = (size_t)info.st_size + 1;
    for (;;) {
        if (!buffer ||
            length + 1 >= capacity) { /* room for one byte more, so that a full buffer still meets the end */
            capacity = buffer || capacity < 4096 ? capacity * 2 + 4096 : capacity + 1;
            char *larger = wl_realloc(buffer, capacity);
            if (!larger) {
                status = wl_fail(error, WL_ERR_NO_MEMORY, path, 0, NULL, "no memory for %zu bytes", capacity);
                goto out;
            }
            buffer = larger;
        }
        ssize_t got = read(fd, buffer + length, capacity - length - 1);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            status = wl_fail(error, WL_ERR_INPUT, path, 0, NULL, "cannot read: %s", strerror(errno));
            goto out;
        }
        if (!got) break;
        length += (size_t)got;
    }
    buffer[length] = 0;
    *bytes = buffer;
    *size = length;
    buffer = NULL;
out:
    wl_free(buffer);
    close(fd);
    return status;
}

static int write_all(int fd, const char *bytes, size_t size) {
    while (size) {
        ssize_t put = write(fd, bytes, size);
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) return -1;
        bytes += put;
        size -= (size_t)put;
    }
    return 0;
}

static enum wl_status io_error(struct wl_error *error, const char *path, const char *what) {
    return wl_fail(error, WL_ERR_IO, path, 0, NULL, "cannot %s: %s", what, strerror(errno));
}

static enum wl_status write_straight(const char *path, const void *head, size_t head_size, const void *bytes,
                                     size_t size, struct wl_error *error) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return io_error(error, path, "open for writing");
    int bad = write_all(fd, head, head_size) || write_all(fd, bytes, size);
    if (bad) io_error(error, path, "write");
    if (close(fd) && !bad) bad = 1, io_error(error, path, "write");
    return bad ? WL_ERR_IO : WL_OK;
}

/* A new file beside `path`; like mkstemp, but with the mode that the user's umask gives. */
static int create_beside(const char *path, char *name, size_t room) {
    static atomic_uint serial;
    for (int attempt = 0; attempt < 100; attempt++) {
        snprintf(name, room, "%s.%ld-%u.tmp", path, (long)getpid(), atomic_fetch_add(&serial, 1));
        int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0 || errno != EEXIST) return fd;
    }
    return -1;
}

enum wl_status wl_file_write2(const char *path, const void *head, size_t head_size, const void *bytes,
                              size_t size, struct wl_error *error) {
    struct stat info;
    if (!stat(path, &info) && !S_ISREG(info.st_mode)) {
        if (!S_ISDIR(info.st_mode)) return write_straight(path, head, head_size, bytes, size, error);
        return wl_fail(error, WL_ERR_IO, path, 0, NULL, "cannot write: it is a directory");
    }
    size_t room = strlen(path) + 48;
    char *beside = wl_realloc(NULL, room);
    if (!beside) return wl_fail(error, WL_ERR_NO_MEMORY, path, 0, NULL, "no memory");
    enum wl_status status = WL_OK;
    int fd = create_beside(path, beside, room);
    if (fd < 0) {
        status = io_error(error, path, "create");
        goto out;
    }
    if (write_all(fd, head, head_size) || write_all(fd, bytes, size) || fsync(fd))
        status = io_error(error, path, "write");
    if (close(fd) && !status) status = io_error(error, path, "write");
    if (!status && rename(beside, path)) status = io_error(error, path, "rename into place");
    if (status) unlink(beside);
out:
    wl_free(beside);
    return status;
}

enum wl_status wl_file_write(const char *path, const void *bytes, size_t size, struct wl_error *error) {
    return wl_file_write2(path, NULL, 0, bytes, size, error);
}
