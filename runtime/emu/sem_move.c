/* sem_move: mov with packing, selection, clocks. PTX ISA 9.1 §9.7.9.3, §9.7.9.4, §9.7.6.3, §9.7.6.4. */
#include <time.h>

#include "runtime/emu/decode.h"
#include "runtime/emu/device.h"
#include "runtime/emu/lanes.h"

/* clang-format off: it takes a * b in these lists for a pointer */
EMU_SEM1(sem_mov_b16, u16, u16, a)
EMU_SEM1(sem_mov_b32, u32, u32, a)
EMU_SEM1(sem_mov_b64, u64, u64, a)

EMU_SEM_HEAD(sem_mov_b128) {
    uint64_t *d = emu_lanes(w, &insn->op[0]);
    const uint64_t *a = emu_lanes(w, &insn->op[1]);
    EMU_FOR_LANES(mask, i) {
        d[i] = a[i];
        d[EMU_LANES + i] = a[EMU_LANES + i];
    }
    return EMU_NEXT;
}

/* ---- packing: the first element is the lowest ---- */

void emu_decode_pack(struct emu_decoder *d, struct emu_insn *insn) {
    const struct emu_opnd *whole = &insn->op[0], *parts = &insn->op[1];
    if (whole->kind == EMU_OP_VECTOR) whole = &insn->op[1], parts = &insn->op[0];
    if (parts->count * parts->bytes != whole->bytes || parts->count < 2)
        emu_decode_fail(d, insn, "'%s': %u elements of %u bytes do not make %u bytes", insn->source->mnemonic,
                        parts->count, parts->bytes, whole->bytes);
}

EMU_SEM_HEAD(sem_pack_b64) {
    emu_l64 *const d = emu_lanes(w, &insn->op[0]);
    const emu_l32 *const lo = emu_lanes(w, &insn->op[1].elems[0]), *const hi =
                                                                       emu_lanes(w, &insn->op[1].elems[1]);
    uint64_t t[EMU_LANES];
    EMU_LOOP(i, EMU_LANES) t[i] = (uint64_t)hi[i] << 32 | lo[i];
    if (mask == EMU_FULL) memcpy(d, t, sizeof t);
    else emu_blend8(d, t, mask);
    return EMU_NEXT;
}

EMU_SEM_HEAD(sem_unpack_b64) {
    emu_l32 *const lo = emu_lanes(w, &insn->op[0].elems[0]), *const hi = emu_lanes(w, &insn->op[0].elems[1]);
    const emu_l64 *const a = emu_lanes(w, &insn->op[1]);
    uint32_t l[EMU_LANES], h[EMU_LANES];
    EMU_LOOP(i, EMU_LANES) {
        l[i] = (uint32_t)a[i];
        h[i] = (uint32_t)(a[i] >> 32);
    }
    if (mask == EMU_FULL) {
        memcpy(lo, l, sizeof l);
        memcpy(hi, h, sizeof h);
    } else {
        emu_blend4(lo, l, mask);
        emu_blend4(hi, h, mask);
    }
    return EMU_NEXT;
}

/* Any other packing: elements of 1, 2, 4 or 8 bytes, wholes of 2 to 16. */
EMU_SEM_HEAD(sem_pack) {
    const struct emu_opnd *d = &insn->op[0], *parts = &insn->op[1];
    EMU_FOR_LANES(mask, i) {
        uint64_t v[2] = {0, 0};
        for (uint32_t k = 0; k < parts->count; k++) {
            uint64_t part = emu_lane(w, &parts->elems[k], i);
            memcpy((uint8_t *)v + k * parts->bytes, &part, parts->bytes);
        }
        if (d->bytes >= 8) emu_set_lane64(w, d, i, v[0]);
        else emu_set_lane32(w, d, i, (uint32_t)v[0]);
        if (d->bytes == 16) ((uint64_t *)emu_lanes(w, d))[EMU_LANES + i] = v[1];
    }
    return EMU_NEXT;
}

EMU_SEM_HEAD(sem_unpack) {
    const struct emu_opnd *parts = &insn->op[0], *a = &insn->op[1];
    EMU_FOR_LANES(mask, i) {
        uint64_t v[2] = {a->bytes >= 8 ? ((uint64_t *)emu_lanes(w, a))[i] : emu_lane(w, a, i), 0};
        if (a->bytes == 16) v[1] = ((uint64_t *)emu_lanes(w, a))[EMU_LANES + i];
        for (uint32_t k = 0; k < parts->count; k++) {
            uint64_t part = 0;
            memcpy(&part, (uint8_t *)v + k * parts->bytes, parts->bytes);
            if (parts->bytes == 8) emu_set_lane64(w, &parts->elems[k], i, part);
            else emu_set_lane32(w, &parts->elems[k], i, (uint32_t)part);
        }
    }
    return EMU_NEXT;
}

/* ---- selection ---- */

#define CHOICE const uint32_t p = emu_pred(w, &insn->op[3])
EMU_SEM2_WITH(sem_selp_b16, CHOICE, u16, u16, u16, p >> i & 1 ? a : b)
EMU_SEM2_WITH(sem_selp_b32, CHOICE, u32, u32, u32, p >> i & 1 ? a : b)
EMU_SEM2_WITH(sem_selp_b64, CHOICE, u64, u64, u64, p >> i & 1 ? a : b)

EMU_SEM3(sem_slct_b16_s32, u16, u16, u16, s32, c >= 0 ? a : b)
EMU_SEM3(sem_slct_b32_s32, u32, u32, u32, s32, c >= 0 ? a : b)
EMU_SEM3(sem_slct_b64_s32, u64, u64, u64, s32, c >= 0 ? a : b)
/* with .ftz a negative subnormal counts as -0, which is not below zero */
#define BELOW const float below = insn->mod[0] ? -0x1p-126f : -0x1p-149f
EMU_SEM3_WITH(sem_slct_b16_f32, BELOW, u16, u16, u16, f32, c >= 0 || (c > below && c < 0) ? a : b)
EMU_SEM3_WITH(sem_slct_b32_f32, BELOW, u32, u32, u32, f32, c >= 0 || (c > below && c < 0) ? a : b)
EMU_SEM3_WITH(sem_slct_b64_f32, BELOW, u64, u64, u64, f32, c >= 0 || (c > below && c < 0) ? a : b)

/* ---- clocks: host time; %clock at the profile's rate ---- */

static uint64_t nanoseconds(clockid_t id) {
    struct timespec t;
    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t clock_value(const struct emu_warp *w, int64_t which) {
    if (which > 3) {
        uint64_t ns = nanoseconds(CLOCK_REALTIME);
        return which == 5 ? ns >> 32 : ns;
    }
    uint64_t khz = (uint64_t)emu_device_profile(w->cta->cluster->launch->device)->clock_khz;
    uint64_t ticks = (uint64_t)((unsigned __int128)nanoseconds(CLOCK_MONOTONIC) * khz / 1000000u);
    return which == 2 ? ticks >> 32 : ticks;
}

EMU_SEM_HEAD(sem_mov_clock) {
    uint64_t v = clock_value(w, insn->op[1].imm);
    if (insn->op[0].bytes == 8) {
        EMU_FOR_LANES(mask, i) emu_set_lane64(w, &insn->op[0], i, v);
    } else {
        EMU_FOR_LANES(mask, i) emu_set_lane32(w, &insn->op[0], i, (uint32_t)v);
    }
    return EMU_NEXT;
}

void emu_decode_clock(struct emu_decoder *d, struct emu_insn *insn) {
    if (insn->op[0].bytes != insn->op[1].bytes)
        emu_decode_fail(d, insn, "this clock has %u bytes, '%s' moves %u", insn->op[1].bytes,
                        insn->source->mnemonic, insn->op[0].bytes);
}
