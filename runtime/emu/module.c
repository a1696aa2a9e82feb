/* module: see module.h. */
#include "runtime/emu/module.h"

#include <stdio.h>
#include <string.h>

#include "runtime/emu/decode.h"

static bool fail(struct ptx_error *error, const char *format, const char *a, const char *b) {
    *error = (struct ptx_error){0};
    snprintf(error->text, sizeof error->text, format, a, b);
    return false;
}

/* Whether `word` is one of the blank-separated words of list. */
static bool listed(const char *list, const char *word) {
    size_t length = strlen(word);
    for (const char *s = list; *s; s += strspn(s, " ")) {
        size_t n = strcspn(s, " ");
        if (n == length && memcmp(s, word, n) == 0) return true;
        s += n;
    }
    return false;
}

static bool check_target(const struct emu_module *m, struct ptx_error *error) {
    const struct emu_profile *profile = emu_device_profile(m->device);
    if (listed(profile->targets, m->ptx->target)) return true;
    fail(error, ".target %s is not for this device, which runs %s", m->ptx->target, profile->targets);
    error->line = m->ptx->target_pos.line, error->column = m->ptx->target_pos.column;
    return false;
}

static bool is_global(const struct ptx_var *v) { return v->space == PTX_GLOBAL || v->space == PTX_CONST; }

static bool place_variables(struct emu_module *m, struct ptx_error *error) {
    m->addresses = wl_arena_alloc(m->arena, (m->ptx->variable_count + 1) * sizeof *m->addresses);
    if (!m->addresses) return fail(error, "out of memory%s%s", "", "");
    for (uint32_t k = 0; k < m->ptx->variable_count; k++) {
        const struct ptx_var *v = m->ptx->variables[k];
        if (!is_global(v) || v->external) continue;
        m->addresses[k] = emu_device_alloc(m->device, v->bytes ? v->bytes : 1);
        if (!m->addresses[k]) return fail(error, "no device memory for the variable '%s'%s", v->name, "");
        void *memory = (void *)(uintptr_t)m->addresses[k];
        if (v->init) memcpy(memory, v->init, v->bytes);
        else memset(memory, 0, v->bytes);
    }
    return true;
}

static uint64_t address_of(const struct emu_module *m, const struct ptx_var *v) {
    for (uint32_t k = 0; k < m->ptx->variable_count; k++)
        if (m->ptx->variables[k] == v) return m->addresses[k];
    return 0;
}

static bool relocate(struct emu_module *m, struct ptx_error *error) {
    for (uint32_t k = 0; k < m->ptx->variable_count; k++)
        for (const struct ptx_reloc *r = m->ptx->variables[k]->relocs; r; r = r->next) {
            uint64_t to = address_of(m, r->var);
            if (!to) return fail(error, "'%s' is external: it has no address%s", r->var->name, "");
            to += (uint64_t)r->addend;
            memcpy((uint8_t *)(uintptr_t)m->addresses[k] + r->offset, &to, sizeof to);
        }
    return true;
}

struct emu_module *emu_module_load(struct emu_device *device, const char *text, size_t bytes,
                                   struct ptx_error *error) {
    struct ptx_module *ptx = ptx_parse(text, bytes, error);
    if (!ptx) return NULL;
    struct emu_module *m = wl_arena_alloc(ptx->arena, sizeof *m);
    if (!m) {
        fail(error, "out of memory%s%s", "", "");
        wl_arena_destroy(ptx->arena);
        return NULL;
    }
    m->ptx = ptx;
    m->arena = ptx->arena;
    m->device = device;
    if (check_target(m, error) && place_variables(m, error) && relocate(m, error) &&
        emu_decode_module(m, error))
        return m;
    emu_module_unload(m);
    return NULL;
}

void emu_module_unload(struct emu_module *m) {
    if (!m) return;
    for (uint32_t k = 0; m->addresses && k < m->ptx->variable_count; k++)
        if (m->addresses[k]) emu_device_free(m->device, m->addresses[k]);
    wl_arena_destroy(m->arena);
}

const struct emu_function *emu_module_function(const struct emu_module *m, const char *name) {
    for (uint32_t k = 0; k < m->ptx->function_count; k++)
        if (m->functions[k].code && strcmp(m->ptx->functions[k].name, name) == 0) return &m->functions[k];
    return NULL;
}

bool emu_module_global(const struct emu_module *m, const char *name, uint64_t *address, size_t *bytes) {
    for (uint32_t k = 0; k < m->ptx->variable_count; k++)
        if (m->addresses[k] && strcmp(m->ptx->variables[k]->name, name) == 0) {
            *address = m->addresses[k];
            *bytes = m->ptx->variables[k]->bytes;
            return true;
        }
    return false;
}
