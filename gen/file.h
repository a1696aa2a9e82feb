/* file: whole files in and out. An output file is written beside its name, synced and renamed, so that nobody
 * ever sees half of one; a name that is no regular file (/dev/null, a pipe) is written straight. Fails with
 * WL_ERR_IO naming the file and the reason, or WL_ERR_NO_MEMORY. */
#ifndef WL_FILE_H
#define WL_FILE_H

#include "gen/error.h"

/* Reads all of `path` into *bytes, a terminating 0 added behind; the caller frees it with wl_free. A missing
 * or unreadable file is WL_ERR_INPUT. */
enum wl_status wl_file_read(const char *path, char **bytes, size_t *size, struct wl_error *error);

enum wl_status wl_file_write(const char *path, const void *bytes, size_t size, struct wl_error *error);

/* The same from two pieces, head first (either may be empty). */
enum wl_status wl_file_write2(const char *path, const void *head, size_t head_size, const void *bytes,
                              size_t size, struct wl_error *error);

#endif
