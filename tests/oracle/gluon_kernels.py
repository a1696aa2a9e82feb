"""Kernels in Gluon, where CTAs of a cluster work together. make.py compiles them; test_oracle.c knows what they compute."""
from triton.experimental import gluon
from triton.experimental.gluon import language as ttgl
from triton.experimental.gluon.language.nvidia.blackwell import TensorMemoryLayout, allocate_tensor_memory, tcgen05_mma
from triton.experimental.gluon.language.nvidia.hopper import mbarrier, tma


@gluon.jit
def pair_gemm(a, b, c, m, n, k, BM: ttgl.constexpr, BN: ttgl.constexpr, BK: ttgl.constexpr):
    """C = A B by CTA pairs (tcgen05.mma.cta_group::2): each CTA of a pair brings half of A's rows and half of B's columns."""
    a_layout: ttgl.constexpr = ttgl.NVMMASharedLayout(swizzle_byte_width=128, element_bitwidth=16, rank=2, cga_layout=[[1, 0]])
    b_layout: ttgl.constexpr = ttgl.NVMMASharedLayout(swizzle_byte_width=128, element_bitwidth=16, rank=2, cga_layout=[[0, 1]])
    x = tma.make_tensor_descriptor(a, [m, k], [k, 1], [BM, BK], a_layout)
    y = tma.make_tensor_descriptor(b, [k, n], [n, 1], [BK, BN], b_layout)
    xs = ttgl.allocate_shared_memory(ttgl.float16, [BM, BK], a_layout)
    ys = ttgl.allocate_shared_memory(ttgl.float16, [BK, BN], b_layout)
    full = mbarrier.allocate_mbarrier(two_ctas=True)
    done = mbarrier.allocate_mbarrier()
    mbarrier.init(full, count=1)
    mbarrier.init(done, count=1)
    acc = allocate_tensor_memory(ttgl.float32, [BM, BN], TensorMemoryLayout([BM // 2, BN], 1, cga_layout=[[1, 0]], two_ctas=True))
    row = ttgl.program_id(0) * BM
    column = ttgl.program_id(1) * BN
    phase = 0
    for start in range(0, k, BK):
        mbarrier.expect(full, x.nbytes_per_cta + y.nbytes_per_cta)
        tma.async_load(x, [row, start], full, xs)
        tma.async_load(y, [start, column], full, ys)
        mbarrier.wait(full, phase)
        tcgen05_mma(xs, ys, acc, use_acc=start > 0, mbarriers=[done], multicast=True)
        mbarrier.wait(done, phase)
        phase ^= 1
    mbarrier.invalidate(full)
    mbarrier.invalidate(done)
    got = acc.load()
    out: ttgl.constexpr = ttgl.BlockedLayout([1, 4], [4, 8], [4, 1], [1, 0], cga_layout=[[1, 0]])
    got = ttgl.convert_layout(got, out)
    rows = row + ttgl.arange(0, BM, ttgl.SliceLayout(1, out))
    columns = column + ttgl.arange(0, BN, ttgl.SliceLayout(0, out))
    ttgl.store(c + rows[:, None] * n + columns[None, :], got, mask=(rows < m)[:, None] & (columns < n)[None, :])
