/* cli: warploom's commands. */
#include "gen/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gen/file.h"
#include "gen/version.h"

static const struct wl_cli_command *const commands[] = {
    &wl_cli_emit,  &wl_cli_explain, &wl_cli_sass, &wl_cli_run, &wl_cli_check,
    &wl_cli_bench, &wl_cli_tune,    &wl_cli_list, &wl_cli_which, &wl_cli_emu, &wl_cli_cache,
    &wl_cli_pack,  NULL};

double wl_cli_now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

const char *wl_cli_bytes(double bytes, char *out, size_t out_bytes) {
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    int unit = 0;
    for (; bytes >= 1000 && unit < 4; unit++) bytes /= 1000;
    snprintf(out, out_bytes, unit && bytes < 100 ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
    return out;
}

enum wl_status wl_cli_output(const char *path, const struct wl_text *text, struct wl_error *error) {
    if (text->failed) return wl_fail(error, WL_ERR_NO_MEMORY, NULL, 0, NULL, "no memory for the output");
    if (path) return wl_file_write(path, text->bytes, text->length, error);
    if (fwrite(text->bytes, 1, text->length, stdout) != text->length || fflush(stdout))
        return wl_fail(error, WL_ERR_IO, NULL, 0, NULL, "cannot write to standard output");
    return WL_OK;
}

static enum wl_status print_usage(const struct wl_cli_command *command, struct wl_error *error) {
    struct wl_text text = {0};
    if (command) {
        wl_cli_usage(command, &text);
    } else {
        wl_text_printf(&text, "warploom COMMAND ...: attention kernels from Lua schedules\n\n");
        for (int i = 0; commands[i]; i++)
            wl_text_printf(&text, "  %-8s %s\n", commands[i]->name, commands[i]->doc);
        wl_text_printf(
            &text,
            "\nwarploom COMMAND --help has the options; warploom --version the version.\n"
            "Exit codes: 0 right, 1 wrong result, 2 bad usage or input, 3 something is missing here.\n");
    }
    enum wl_status status = wl_cli_output(NULL, &text, error);
    wl_text_fini(&text);
    return status;
}

static enum wl_status run_command(const struct wl_cli_command *command, int argc, char **argv,
                                  struct wl_error *error) {
    struct wl_cli_call call = {0};
    bool help;
    void *values = wl_realloc(NULL, command->values_bytes + 1);
    const char **words = wl_realloc(NULL, ((size_t)argc + 1) * sizeof *words);
    enum wl_status status = WL_OK;
    if (!values || !words) {
        status = wl_fail(error, WL_ERR_NO_MEMORY, NULL, 0, NULL, "no memory");
        goto out;
    }
    memcpy(values, command->defaults, command->values_bytes);
    status = wl_cli_parse(command, argc, argv, values, words, &call.word_count, &help, error);
    if (status) goto out;
    call.values = values;
    call.words = words;
    status = help ? print_usage(command, error) : command->run(&call, error);
out:
    wl_free(words);
    wl_free(values);
    return status;
}

static enum wl_status unknown_command(const char *name, struct wl_error *error) {
    const char *names[sizeof commands / sizeof *commands];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        names[i] = commands[i] ? commands[i]->name : NULL;
    const char *near = wl_cli_nearest(name, names);
    return wl_fail(error, WL_ERR_USAGE, NULL, 0, NULL, "no command \"%s\"; %s%s%s", name,
                   near ? "did you mean \"" : "see ", near ? near : "warploom --help", near ? "\"?" : "");
}

static enum wl_status dispatch(int argc, char **argv, struct wl_error *error) {
    if (argc < 2) {
        print_usage(NULL, error);
        return WL_ERR_USAGE;
    }
    const char *name = argv[1];
    if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help"))
        return print_usage(NULL, error);
    if (!strcmp(name, "--version")) {
        puts("warploom " WL_VERSION);
        return WL_OK;
    }
    for (int i = 0; commands[i]; i++)
        if (!strcmp(commands[i]->name, name)) return run_command(commands[i], argc - 2, argv + 2, error);
    return unknown_command(name, error);
}

int main(int argc, char **argv) {
    static struct wl_error error;
    char text[4096];
    enum wl_status status = dispatch(argc, argv, &error);
    if (error.status) fprintf(stderr, "warploom: %s\n", wl_error_format(&error, text, sizeof text));
    return wl_exit_code(status);
}
