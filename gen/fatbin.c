/* fatbin: see fatbin.h. */
#include "gen/fatbin.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gen/arena.h"
#include "gen/file.h"
#include "gen/tool.h"

static enum wl_status run(char *path, const struct wl_tool_room *room, const char *cubin, const char *target,
                          struct wl_error *error) {
    char create[320], elf[400], ptx[400], *log = NULL;
    size_t size;
    const char *number = target + 3; /* after "sm_" */
    snprintf(create, sizeof create, "--create=%s", room->out);
    snprintf(elf, sizeof elf, "--image3=kind=elf,sm=%s,file=%s", number, cubin);
    snprintf(ptx, sizeof ptx, "--image3=kind=ptx,sm=%s,file=%s", number, room->in);
    char *argv[] = {path, create, "-64", elf, ptx, NULL};
    int rc = wl_tool_run(argv, room->log);
    if (!rc) return WL_OK;
    if (rc < 0) return wl_fail(error, WL_ERR_ENVIRONMENT, path, 0, NULL, "cannot run: %s", strerror(errno));
    enum wl_status status = wl_file_read(room->log, &log, &size, error);
    if (!status)
        status = wl_fail(error, WL_ERR_INTERNAL, NULL, 0, "fatbinary", "refused the images: %.1000s", log);
    wl_free(log);
    return status;
}

enum wl_status wl_fatbin_make(const char *ptx, size_t ptx_bytes, const void *cubin, size_t cubin_bytes,
                              const char *target, char **fatbin, size_t *fatbin_bytes,
                              struct wl_error *error) {
    char path[1024], name[300];
    struct wl_tool_room room;
    *fatbin = NULL;
    enum wl_status status = wl_tool_find("fatbinary", path, sizeof path, error);
    if (!status) status = wl_tool_enter(&room, "kernel.ptx", "kernel.fatbin", error);
    if (status) return status;
    snprintf(name, sizeof name, "%s/kernel.cubin", room.folder);
    status = wl_tool_write(&room, ptx, ptx_bytes, error);
    if (!status) status = wl_file_write(name, cubin, cubin_bytes, error);
    if (!status) status = run(path, &room, name, target, error);
    if (!status) status = wl_file_read(room.out, fatbin, fatbin_bytes, error);
    unlink(name);
    wl_tool_leave(&room);
    return status;
}
