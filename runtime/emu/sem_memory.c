/* sem_memory: ld, st, addresses, fences and hints. PTX ISA 9.1 §9.7.9.8 to .20, §9.7.13.4.
 *
 * The decoder works out what a mnemonic says (struct access) and takes the loop for its space and width.
 * Warps of a cluster take turns, so that shared memory is sequentially consistent; global memory is the
 * host's. */
#include <string.h>

#include "runtime/emu/decode.h"
#include "runtime/emu/device.h"
#include "runtime/emu/fault.h"
#include "runtime/emu/float.h"
#include "runtime/emu/judge.h"
#include "runtime/emu/lanes.h"
#include "runtime/emu/module.h"
#include "runtime/emu/mufu.h"
#include "runtime/emu/ptx_parser.h"

enum space { GLOBAL, SHARED, LOCAL, PARAM, GENERIC };

struct access {
    uint32_t count, bytes;   /* elements, and bytes of one */
    bool is_signed, cluster; /* cluster: .shared::cluster */
};

EMU_INLINE uint8_t *at(struct emu_warp *w, const struct emu_insn *insn, const struct emu_opnd *a,
                       const struct access *access, enum space space, uint32_t bytes, uint32_t lane) {
    uint64_t address = emu_address(w, a, lane);
    switch (space) {
    case GLOBAL: return emu_global_at(w, insn, address, bytes, bytes, lane);
    case SHARED: return emu_shared_at(w, insn, address, bytes, bytes, lane, !access->cluster);
    case LOCAL: return emu_local_at(w, insn, address, bytes, bytes, lane);
    case PARAM: /* of a call: local memory; of the kernel: the launch's block */
        if (a->space == PTX_LOCAL) return emu_local_at(w, insn, address, bytes, bytes, lane);
        return emu_global_at(w, insn, address, bytes, bytes, lane);
    default: return emu_generic_at(w, insn, address, bytes, bytes, lane);
    }
}

EMU_INLINE enum emu_step load(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask,
                              enum space space, uint32_t bytes) {
    const struct access *access = insn->extra;
    const struct emu_opnd *a = &insn->op[1], *d = insn->op[0].elems;
    uint32_t count = access->count;
    EMU_FOR_LANES(mask, i) {
        const uint8_t *p = at(w, insn, a, access, space, bytes * count, i);
        if (!p) return EMU_FAULT;
        for (uint32_t k = 0; k < count; k++) {
            uint64_t v[2] = {0, 0};
            memcpy(v, p + k * bytes, bytes);
            if (bytes < 8 && access->is_signed)
                v[0] = (uint64_t)((int64_t)(v[0] << (64 - 8 * bytes)) >> (64 - 8 * bytes));
            void *lanes = emu_lanes(w, &d[k]);
            if (d[k].bytes >= 8) ((uint64_t *)lanes)[i] = v[0];
            else
                ((uint32_t *)lanes)[i] =
                    d[k].bytes == 4 ? (uint32_t)v[0] : (uint32_t)v[0] & ((1u << 8 * d[k].bytes) - 1);
            if (bytes == 16) ((uint64_t *)lanes)[EMU_LANES + i] = v[1];
        }
    }
    return EMU_NEXT;
}

EMU_INLINE enum emu_step store(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask,
                               enum space space, uint32_t bytes) {
    const struct access *access = insn->extra;
    const struct emu_opnd *a = &insn->op[0], *b = insn->op[1].elems;
    uint32_t count = access->count;
    EMU_FOR_LANES(mask, i) {
        uint8_t *p = at(w, insn, a, access, space, bytes * count, i);
        if (!p) return EMU_FAULT;
        for (uint32_t k = 0; k < count; k++) {
            const void *lanes = emu_lanes(w, &b[k]);
            uint64_t v[2] = {b[k].bytes >= 8 ? ((const uint64_t *)lanes)[i] : ((const uint32_t *)lanes)[i],
                             0};
            if (bytes == 16) v[1] = ((const uint64_t *)lanes)[EMU_LANES + i];
            memcpy(p + k * bytes, v, bytes);
        }
    }
    return EMU_NEXT;
}

#define WIDTHS(verb, space, SPACE)                                                                           \
    static EMU_SEM_HEAD(verb##_##space##_1) { return verb(w, insn, mask, SPACE, 1); }                        \
    static EMU_SEM_HEAD(verb##_##space##_2) { return verb(w, insn, mask, SPACE, 2); }                        \
    static EMU_SEM_HEAD(verb##_##space##_4) { return verb(w, insn, mask, SPACE, 4); }                        \
    static EMU_SEM_HEAD(verb##_##space##_8) { return verb(w, insn, mask, SPACE, 8); }                        \
    static EMU_SEM_HEAD(verb##_##space##_16) { return verb(w, insn, mask, SPACE, 16); }                      \
    static emu_sem_fn *const verb##_##space[5] = {verb##_##space##_1, verb##_##space##_2,                    \
                                                  verb##_##space##_4, verb##_##space##_8,                    \
                                                  verb##_##space##_16};
WIDTHS(load, global, GLOBAL)
WIDTHS(load, shared, SHARED)
WIDTHS(load, local, LOCAL)
WIDTHS(load, param, PARAM)
WIDTHS(load, generic, GENERIC)
WIDTHS(store, global, GLOBAL)
WIDTHS(store, shared, SHARED)
WIDTHS(store, local, LOCAL)
WIDTHS(store, param, PARAM)
WIDTHS(store, generic, GENERIC)

/* What the mnemonic says; the row has made sure that it is well formed. */
static struct access *decode_access(struct emu_decoder *d, struct emu_insn *insn, uint32_t vector) {
    const char *name = insn->source->mnemonic, *type = strrchr(name, '.') + 1;
    struct access *access = emu_decode_alloc(d, sizeof *access);
    struct ptx_type found = {.bytes = 1};
    uint32_t count = 1;
    if (strstr(name, ".v2.")) count = 2;
    if (strstr(name, ".v4.")) count = 4;
    if (strstr(name, ".v8.")) count = 8;
    const struct emu_opnd *v = &insn->op[vector];
    ptx_type_find(type, (uint32_t)strlen(type), &found);
    access->bytes = found.bytes;
    access->count = v->count;
    access->is_signed = type[0] == 's';
    access->cluster = strstr(name, ".shared::cluster") != NULL;
    if (v->count != count) emu_decode_fail(d, insn, "'%s' takes %u registers, not %u", name, count, v->count);
    if (access->bytes * count > 32) emu_decode_fail(d, insn, "'%s' moves more than 32 bytes", name);
    insn->extra = access;
    return access;
}

#define DECODE(verb, space, vector)                                                                          \
    void emu_decode_##verb##_##space(struct emu_decoder *d, struct emu_insn *insn) {                         \
        struct access *access = decode_access(d, insn, vector);                                              \
        insn->fn = verb##_##space[__builtin_ctz(access->bytes)];                                             \
    }                                                                                                        \
    EMU_SEM_HEAD(sem_##verb##_##space) { return verb##_##space[0](w, insn, mask); }
DECODE(load, global, 0)
DECODE(load, shared, 0)
DECODE(load, local, 0)
DECODE(load, param, 0)
DECODE(load, generic, 0)
DECODE(store, global, 1)
DECODE(store, shared, 1)
DECODE(store, local, 1)
DECODE(store, param, 1)
DECODE(store, generic, 1)

/* ---- addresses ---- */

EMU_SEM1(sem_cvta_same, u64, u64, a)
EMU_SEM1(sem_cvta_shared, u64, u64, EMU_SHARED_WINDOW + a)
EMU_SEM1(sem_cvta_local, u64, u64, EMU_LOCAL_WINDOW + a)
EMU_SEM1(sem_cvta_to_window, u64, u64, (uint32_t)a)

static bool in_const(const struct emu_module *m, uint64_t address) {
    for (uint32_t k = 0; k < m->ptx->variable_count; k++)
        if (m->ptx->variables[k]->space == PTX_CONST && m->addresses[k] && address - m->addresses[k] < m->ptx->variables[k]->bytes) return true;
    return false;
}

EMU_SEM_HEAD(
    sem_isspacep) { /* mod[0]: const global local shared::cta shared::cluster shared param::entry param */
    EMU_SOURCE(pa, u64, 1)
    const struct emu_launch *launch = w->cta->cluster->launch;
    uint32_t p = 0, shared;
    EMU_FOR_LANES(mask, i) {
        bool in_shared = emu_generic_is_shared(pa[i], &shared),
             in_local = pa[i] - EMU_LOCAL_WINDOW < 0x100000000ull;
        bool in_param = pa[i] - (uint64_t)(uintptr_t)launch->params < w->fn->param_bytes;
        bool own = in_shared && shared >> 24 == w->cta->rank, yes;
        switch (insn->mod[0]) {
        case 1: yes = in_const(w->fn->module, pa[i]); break;
        case 2: yes = !in_shared && !in_local && !in_const(w->fn->module, pa[i]); break;
        case 3: yes = in_local; break;
        case 5: yes = in_shared; break;
        case 7:
        case 8: yes = in_param; break;
        default: yes = own; break;
        }
        p |= (uint32_t)yes << i;
    }
    emu_set_pred(w, &insn->op[0], mask, p);
    return EMU_NEXT;
}

/* ---- fences ---- */

/* Orders this host thread's accesses for other clusters, which run on other host threads. Inside the cluster
 * nothing is ever out of order. One function for every kind, so that a judge can tell them by insn->row. */
EMU_SEM_HEAD(sem_fence) {
    (void)mask;
    if (w->judge) emu_judge_fence(w, insn);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return EMU_NEXT;
}

EMU_SEM_HEAD(sem_fence_tensormap) {
    EMU_FOR_LANES(mask, lane)
    if (w->judge) emu_judge_map_acquired(w, emu_address(w, &insn->op[0], lane));
    return sem_fence(w, insn, mask);
}

/* fence.proxy.tensormap::generic.acquire.scope [address], 128 */
void emu_decode_fence_tensormap(struct emu_decoder *d, struct emu_insn *insn) {
    if (insn->op[1].imm != 128)
        emu_decode_fail(d, insn, "the size must be 128, not %lld", (long long)insn->op[1].imm);
}

/* ---- hints: prefetches and cache policies change nothing that a program can see ---- */

EMU_SEM_HEAD(sem_hint) {
    (void)w, (void)insn, (void)mask;
    return EMU_NEXT;
}

/* Bits 56 and up: the primary priority and, as 1, a secondary one of evict_first [measured H200]. */
static uint64_t priorities(const uint8_t *mod) {
    static const uint8_t primary[] = {0x14, 0x16, 0x12, 0x10}; /* evict_last evict_normal evict_first evict_unchanged */
    return (uint64_t)(primary[mod[0] - 1] | (mod[1] == 1)) << 56;
}

/* Bits 52 to 55: 16 * fraction - 1. */
EMU_SEM_HEAD(sem_createpolicy) {
    const struct emu_opnd *fraction = &insn->op[1];
    EMU_FOR_LANES(mask, i) {
        float f = fraction->kind == EMU_OP_LANES ? emu_f32_of_bits((uint32_t)emu_lane(w, fraction, i)) : 1.0f;
        uint64_t sixteenths = f > 0 && f <= 1 ? (uint64_t)(16 * f + 0.5f) : 16;
        emu_set_lane64(w, &insn->op[0], i, priorities(insn->mod) | (sixteenths - (sixteenths > 0)) << 52);
    }
    return EMU_NEXT;
}
EMU_SEM1(sem_createpolicy_cvt, u64, u64, a)

/* Bit 59; blocks of 2^shift bytes, so that the total size has about 128 at most; shift - 12 in bits 52 to 55, the number of the
 * first block in bits 44 to 50, how many hold the primary size in bits 37 to 43 [SASS of ptxas 13.0, measured H200]. */
static uint64_t range(uint64_t address, uint32_t primary, uint32_t total) {
    uint32_t log = (uint32_t)ceilf(mufu_lg2((float)total)), shift = log > 19 ? log - 7 : 12;
    uint64_t first = address >> shift, count = ((address + (primary - 1 + (1u << shift))) >> shift) - first;
    return (uint64_t)(shift - 12) << 52 | (first & 127) << 44 | (count < 127 ? count : 127) << 37;
}
EMU_SEM_HEAD(sem_createpolicy_range) {
    EMU_FOR_LANES(mask, i) {
        uint32_t primary = (uint32_t)emu_lane(w, &insn->op[2], i), total = (uint32_t)emu_lane(w, &insn->op[3], i);
        uint64_t policy = total ? priorities(insn->mod + 1) | range(emu_address(w, &insn->op[1], i), primary, total) : 0x10ull << 56;
        emu_set_lane64(w, &insn->op[0], i, policy | 1ull << 59);
    }
    return EMU_NEXT;
}
