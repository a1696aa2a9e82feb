/* address: from addresses of a kernel to host memory, checked. */
#include "runtime/emu/device.h"
#include "runtime/emu/exec.h"
#include "runtime/emu/fault.h"
#include "runtime/emu/judge.h"

#define WINDOW_BYTES 0x100000000ull

static uint8_t *misaligned(struct emu_warp *w, const struct emu_insn *insn, const char *space,
                           uint64_t address, uint32_t align, uint32_t lane) {
    emu_fault(w, insn, EMU_FAULT_MISALIGNED, "lane %u: %s address 0x%llx is not a multiple of %u", lane,
              space, (unsigned long long)address, align);
    return NULL;
}

/* Notes the allocation for the warp's next access. Of the host's memory, of which no bounds are known, it widens the range
 * that was seen to be there. */
static bool allocated(struct emu_warp *w, uint64_t address, uint32_t bytes) {
    struct emu_device *device = w->cta->cluster->launch->device;
    struct emu_range range;
    if (emu_device_find(device, address, &range) && bytes <= range.bytes - (address - range.address)) {
        w->global_lo = range.address;
        w->global_hi = range.address + range.bytes;
        return true;
    }
    if (!emu_device_reaches(device, address, bytes)) return false;
    uint64_t lo = address < w->global_lo ? address : w->global_lo;
    uint64_t hi = address + bytes > w->global_hi ? address + bytes : w->global_hi;
    if (w->global_hi && emu_device_reaches(device, lo, hi - lo)) {
        w->global_lo = lo;
        w->global_hi = hi;
    } else {
        w->global_lo = address;
        w->global_hi = address + bytes;
    }
    return true;
}

uint8_t *emu_global_at(struct emu_warp *w, const struct emu_insn *insn, uint64_t address, uint32_t bytes,
                       uint32_t align, uint32_t lane) {
    if (address & (align - 1)) {
        char where[160];
        emu_device_describe(w->cta->cluster->launch->device, address, where, sizeof where);
        emu_fault(w, insn, EMU_FAULT_MISALIGNED, "lane %u: global address 0x%llx is not a multiple of %u: %s",
                  lane, (unsigned long long)address, align, where);
        return NULL;
    }
    if (w->judge) emu_judge_global(w, insn, address);
    uint8_t *p = (uint8_t *)(uintptr_t)address;
    if (address >= w->global_lo && address < w->global_hi && bytes <= w->global_hi - address) return p;
    const struct emu_launch *launch = w->cta->cluster->launch;
    uint64_t params = (uint64_t)(uintptr_t)launch->params;
    if (address - params < w->fn->param_bytes && bytes <= w->fn->param_bytes - (address - params)) return p;
    if (allocated(w, address, bytes)) return p;
    char where[160];
    emu_device_describe(launch->device, address, where, sizeof where);
    emu_fault(w, insn, EMU_FAULT_ILLEGAL_ADDRESS,
              "lane %u: %u bytes at global address 0x%llx are not allocated: %s", lane, bytes,
              (unsigned long long)address, where);
    return NULL;
}

uint8_t *emu_shared(struct emu_cluster *cluster, uint32_t address, uint32_t bytes) {
    uint32_t rank = address >> 24, offset = address & 0xffffff;
    if (rank >= cluster->cta_count) return NULL;
    struct emu_cta *cta = cluster->ctas[rank];
    if (offset > cta->smem_bytes || bytes > cta->smem_bytes - offset) return NULL;
    return cta->smem + offset;
}

uint8_t *emu_shared_at(struct emu_warp *w, const struct emu_insn *insn, uint64_t address, uint32_t bytes,
                       uint32_t align, uint32_t lane, bool own_cta_only) {
    if (address & (align - 1)) return misaligned(w, insn, "shared", address, align, lane);
    if (own_cta_only && address >> 24 != w->cta->rank) { /* facts 7.1: the machine traps */
        emu_fault(w, insn, EMU_FAULT_ILLEGAL_INSTRUCTION,
                  "lane %u: shared address 0x%llx is not of this CTA, whose addresses start at 0x%08x", lane,
                  (unsigned long long)address, w->cta->rank << 24);
        return NULL;
    }
    uint8_t *p = address >> 32 ? NULL : emu_shared(w->cta->cluster, (uint32_t)address, bytes);
    if (!p)
        emu_fault(
            w, insn, EMU_FAULT_ILLEGAL_ADDRESS,
            "lane %u: %u bytes at shared address 0x%llx are outside shared memory, which ends at 0x%08x",
            lane, bytes, (unsigned long long)address, w->cta->rank << 24 | w->cta->smem_bytes);
    else if (w->judge) emu_judge_shared(w, insn, (uint32_t)address, bytes, lane);
    return p;
}

bool emu_generic_is_shared(uint64_t address, uint32_t *shared) {
    if (address - EMU_SHARED_WINDOW >= WINDOW_BYTES) return false;
    *shared = (uint32_t)address;
    return true;
}

uint8_t *emu_local_at(struct emu_warp *w, const struct emu_insn *insn, uint64_t address, uint32_t bytes,
                      uint32_t align, uint32_t lane) {
    if (address & (align - 1)) return misaligned(w, insn, "local", address, align, lane);
    if (address < w->fn->local_bytes && bytes <= w->fn->local_bytes - address)
        return w->local + (uint64_t)lane * w->fn->local_bytes + address;
    emu_fault(w, insn, EMU_FAULT_ILLEGAL_ADDRESS,
              "lane %u: %u bytes at local address 0x%llx are outside its %u bytes", lane, bytes,
              (unsigned long long)address, w->fn->local_bytes);
    return NULL;
}

uint8_t *emu_generic_at(struct emu_warp *w, const struct emu_insn *insn, uint64_t address, uint32_t bytes,
                        uint32_t align, uint32_t lane) {
    uint32_t shared;
    if (emu_generic_is_shared(address, &shared))
        return emu_shared_at(w, insn, shared, bytes, align, lane, false);
    if (address - EMU_LOCAL_WINDOW < WINDOW_BYTES)
        return emu_local_at(w, insn, address - EMU_LOCAL_WINDOW, bytes, align, lane);
    return emu_global_at(w, insn, address, bytes, align, lane);
}
