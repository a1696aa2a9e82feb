/* sass: see sass.h. */
#include "gen/sass.h"

#include <ctype.h>
#include <elf.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gen/file.h"
#include "gen/tool.h"

#define MAX_FILES 64

struct label {
    const char *name;
    int insn; /* of this function; the one that follows */
};

struct parser {
    struct wl_arena *arena;
    struct wl_sass *sass;
    struct wl_sass_function *function; /* the current one */
    int room;                          /* of function->insns */
    struct label *labels;              /* of the current function */
    int label_count, label_room;
    const char *files[MAX_FILES];
    const char *file; /* of the next instruction */
    int line;
    bool failed; /* no memory */
};

/* Twice the room, where it is full. */
static void *grow(struct parser *p, void *array, int count, int *room, size_t item) {
    if (count < *room) return array;
    int more = *room ? *room * 2 : 256;
    void *bigger = wl_arena_alloc(p->arena, (size_t)more * item);
    if (!bigger) p->failed = true;
    else if (count) memcpy(bigger, array, (size_t)count * item);
    *room = bigger ? more : *room;
    return bigger ? bigger : array;
}

static const char *intern_file(struct parser *p, const char *name) {
    int i = 0;
    for (; i < MAX_FILES && p->files[i]; i++)
        if (!strcmp(p->files[i], name)) return p->files[i];
    return i < MAX_FILES ? (p->files[i] = name) : name;
}

/* Whether control goes on behind it whatever its predicate is: what a branch needs to be conditional is a
 * guard or a predicate before its label (BRA.U UP0, `(.L_x_3)). */
static bool may_fall(const struct wl_sass_insn *insn) {
    static const char *const ends[] = {"BRA", "EXIT", "RET", "JMP", "BRX", "JMX", "KILL"};
    size_t length = strcspn(insn->op, ".");
    bool leaves = false;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        leaves |= strlen(ends[i]) == length && !memcmp(ends[i], insn->op, length);
    if (!leaves || *insn->guard) return true;
    const char *comma = strchr(insn->operands, ','), *label = strchr(insn->operands, '`');
    return label && comma && comma < label;
}

static const char *branch_label(const struct wl_sass_insn *insn) {
    const char *label = strstr(insn->operands, "`(");
    return label && (!strncmp(insn->op, "BRA", 3) || !strncmp(insn->op, "JMP", 3)) ? label + 2 : NULL;
}

/* Labels become indices once the function is whole. */
static void resolve(struct parser *p) {
    struct wl_sass_function *f = p->function;
    for (int i = 0; f && i < f->count; i++) {
        const char *label = branch_label(&f->insns[i]);
        size_t length = label ? strcspn(label, ")") : 0;
        for (int k = 0; label && k < p->label_count; k++)
            if (strlen(p->labels[k].name) == length && !memcmp(p->labels[k].name, label, length))
                f->insns[i].target = p->labels[k].insn;
        if (f->insns[i].target >= f->count) f->insns[i].target = -1;
    }
    p->label_count = 0;
}

static void begin_function(struct parser *p, const char *name) {
    resolve(p);
    p->function = NULL;
    p->room = 0;
    p->file = NULL;
    if (p->sass->count == WL_SASS_MAX_FUNCTIONS) return;
    p->function = &p->sass->functions[p->sass->count++];
    *p->function = (struct wl_sass_function){.name = name};
}

/* "@!P0 BRA `(.L_x_0)": cut at the blanks. */
static void add_insn(struct parser *p, unsigned address, char *text) {
    struct wl_sass_function *f = p->function;
    f->insns = grow(p, f->insns, f->count, &p->room, sizeof *f->insns);
    if (p->failed) return;
    struct wl_sass_insn *insn = &f->insns[f->count++];
    *insn = (struct wl_sass_insn){
        .address = address, .guard = "", .operands = "", .file = p->file, .line = p->line, .target = -1};
    if (*text == '@') {
        insn->guard = text;
        text += strcspn(text, " ");
        if (*text) *text++ = 0;
        text += strspn(text, " ");
    }
    insn->op = text;
    text += strcspn(text, " ");
    if (*text) {
        *text++ = 0;
        insn->operands = text;
    }
    insn->falls = may_fall(insn);
}

/*  //## File "templates/lib/tmem.ptx", line 12 */
static void read_location(struct parser *p, char *at) {
    char *name = strchr(at, '"'), *end = name ? strchr(name + 1, '"') : NULL, *line;
    if (!end) return;
    *end = 0;
    line = strstr(end + 1, "line ");
    p->file = intern_file(p, name + 1);
    p->line = line ? atoi(line + 5) : 0;
}

static void read_label(struct parser *p, const char *name) {
    if (!strncmp(name, ".text.", 6)) begin_function(p, name + 6);
    if (!p->function) return;
    p->labels = grow(p, p->labels, p->label_count, &p->label_room, sizeof *p->labels);
    if (!p->failed) p->labels[p->label_count++] = (struct label){name, p->function->count};
}

static void read_line(struct parser *p, char *text) {
    char *at = text + strspn(text, " \t"), *end;
    if (!strncmp(at, "//## File", 9)) {
        read_location(p, at);
    } else if (at[0] == '/' && at[1] == '*' && p->function) {
        unsigned address = (unsigned)strtoul(at + 2, &end, 16);
        if (end == at + 2 || end[0] != '*' || end[1] != '/') return;
        at = end + 2 + strspn(end + 2, " \t");
        end = strrchr(at, ';');
        if (!end) return;
        while (end > at && end[-1] == ' ') end--;
        *end = 0;
        if (*at) add_insn(p, address, at);
    } else if (!strncmp(at, ".target", 7)) {
        at += 7 + strspn(at + 7, " \t");
        snprintf(p->sass->target, sizeof p->sass->target, "%.*s", (int)strcspn(at, " \t,"), at);
    } else if (at == text && (end = strchr(at, ':')) && !end[1]) {
        *end = 0;
        read_label(p, at);
    }
}

enum wl_status wl_sass_parse(struct wl_arena *arena, char *text, struct wl_sass *sass,
                             struct wl_error *error) {
    struct parser p = {.arena = arena, .sass = sass};
    *sass = (struct wl_sass){0};
    for (char *next; text && *text && !p.failed; text = next) {
        next = strchr(text, '\n');
        if (next) *next++ = 0;
        read_line(&p, text);
    }
    resolve(&p);
    if (p.failed) return wl_fail(error, WL_ERR_NO_MEMORY, NULL, 0, NULL, "out of memory");
    for (int i = 0; i < sass->count; i++)
        if (sass->functions[i].count) return WL_OK;
    return wl_fail(error, WL_ERR_INPUT, NULL, 0, NULL, "holds no machine code");
}

/* ---- registers: .nv.info has a record for each kernel, {4, 0x2f, 8, symbol, registers}; .text.NAME's header
 * has the symbol, and in older cubins the registers too, in its top byte ---- */

struct image {
    const unsigned char *bytes;
    size_t size;
    Elf64_Ehdr head;
    Elf64_Shdr names;
};

static bool image_section(const struct image *image, int index, Elf64_Shdr *section) {
    memcpy(section, image->bytes + image->head.e_shoff + (size_t)index * sizeof *section, sizeof *section);
    return section->sh_type == SHT_NOBITS ||
           (section->sh_offset <= image->size && section->sh_size <= image->size - section->sh_offset);
}

static bool image_open(struct image *image, const void *cubin, size_t size) {
    *image = (struct image){.bytes = cubin, .size = size};
    if (size < sizeof image->head) return false;
    memcpy(&image->head, cubin, sizeof image->head);
    const Elf64_Ehdr *head = &image->head;
    if (head->e_shentsize != sizeof(Elf64_Shdr) || head->e_shoff > size ||
        head->e_shstrndx >= head->e_shnum || (size - head->e_shoff) / sizeof(Elf64_Shdr) < head->e_shnum)
        return false;
    /* names end with a zero, so that what begins inside them ends inside them */
    return image_section(image, head->e_shstrndx, &image->names) && image->names.sh_type == SHT_STRTAB &&
           image->names.sh_size && !image->bytes[image->names.sh_offset + image->names.sh_size - 1];
}

static const char *image_name(const struct image *image, const Elf64_Shdr *section) {
    return section->sh_name < image->names.sh_size
               ? (const char *)image->bytes + image->names.sh_offset + section->sh_name
               : "";
}

/* Registers of the kernel whose symbol this is, from the records of .nv.info; 0: none. */
static int registers_of(const struct image *image, uint32_t symbol) {
    Elf64_Shdr section;
    for (int s = 0; s < image->head.e_shnum; s++) {
        if (!image_section(image, s, &section) || strcmp(image_name(image, &section), ".nv.info")) continue;
        const unsigned char *at = image->bytes + section.sh_offset;
        for (size_t left = section.sh_size; left >= 12;) {
            uint32_t words[2];
            uint16_t size = (uint16_t)(at[2] | at[3] << 8);
            size_t step = 4 + (at[0] == 4 ? size : 0u); /* other formats keep their value in `size` */
            memcpy(words, at + 4, sizeof words);
            if (at[0] == 4 && at[1] == 0x2f && size == 8 && words[0] == symbol) return (int)words[1];
            if (step > left) break;
            at += step, left -= step;
        }
    }
    return 0;
}

static void read_registers(struct wl_sass *sass, const void *cubin, size_t bytes) {
    struct image image;
    Elf64_Shdr section;
    if (!image_open(&image, cubin, bytes)) return;
    for (int s = 0; s < image.head.e_shnum; s++) {
        const char *name = image_section(&image, s, &section) ? image_name(&image, &section) : "";
        for (int i = 0; i < sass->count && !strncmp(name, ".text.", 6); i++) {
            int registers = (int)(section.sh_info >> 24);
            if (strcmp(name + 6, sass->functions[i].name)) continue;
            sass->functions[i].registers =
                registers ? registers : registers_of(&image, section.sh_info & 0xffffff);
        }
    }
}

static enum wl_status disassemble(const struct wl_tool_room *room, const void *cubin, size_t bytes,
                                  char **text, struct wl_error *error) {
    char path[1024];
    size_t size;
    enum wl_status status = wl_tool_find("nvdisasm", path, sizeof path, error);
    if (!status) status = wl_file_write(room->in, cubin, bytes, error);
    if (status) return status;
    char *argv[] = {path, "-c", "-g", (char *)room->in, NULL};
    int rc = wl_tool_run(argv, room->log);
    if (rc < 0) return wl_fail(error, WL_ERR_ENVIRONMENT, path, 0, NULL, "cannot run: %s", strerror(errno));
    status = wl_file_read(room->log, text, &size, error);
    if (!status && rc)
        status = wl_fail(error, WL_ERR_INPUT, NULL, 0, "nvdisasm", "%.*s", (int)strcspn(*text, "\n"), *text);
    return status;
}

enum wl_status wl_sass_read(struct wl_arena *arena, const void *cubin, size_t bytes, struct wl_sass *sass,
                            struct wl_error *error) {
    struct wl_tool_room room;
    char *text = NULL, *copy = NULL;
    if (bytes < 4 || memcmp(cubin, ELFMAG, SELFMAG))
        return wl_fail(error, WL_ERR_INPUT, NULL, 0, NULL, "is not a cubin: no ELF file");
    enum wl_status status = wl_tool_enter(&room, "kernel.cubin", "unused", error);
    if (status) return status;
    status = disassemble(&room, cubin, bytes, &text, error);
    wl_tool_leave(&room);
    if (!status && !(copy = wl_arena_strdup(arena, text)))
        status = wl_fail(error, WL_ERR_NO_MEMORY, NULL, 0, NULL, "out of memory");
    wl_free(text);
    if (!status) status = wl_sass_parse(arena, copy, sass, error);
    if (!status) read_registers(sass, cubin, bytes);
    return status;
}
