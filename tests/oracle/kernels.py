"""Kernels that Triton compiles for tests/test_oracle.c. make.py does it; test_oracle.c knows what they compute."""
import triton
import triton.language as tl


@triton.jit
def gemm(a, b, c, m, n, k, ACC: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr):
    """C = A B, of any shape: pointers, masks, a pipelined loop."""
    rows = tl.program_id(0) * BM + tl.arange(0, BM)
    columns = tl.program_id(1) * BN + tl.arange(0, BN)
    inner = tl.arange(0, BK)
    acc = tl.zeros((BM, BN), dtype=ACC)
    for start in range(0, k, BK):
        left = (start + inner) < k
        x = tl.load(a + rows[:, None] * k + (start + inner)[None, :], mask=(rows < m)[:, None] & left[None, :], other=0.0)
        y = tl.load(b + (start + inner)[:, None] * n + columns[None, :], mask=left[:, None] & (columns < n)[None, :], other=0.0)
        acc = tl.dot(x, y, acc, out_dtype=ACC)
    tl.store(c + rows[:, None] * n + columns[None, :], acc.to(c.dtype.element_ty), mask=(rows < m)[:, None] & (columns < n)[None, :])


@triton.jit
def tma_gemm(a, b, c, m, n, k, WS: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr):
    """C = A B^T, by tensor maps that the kernel makes; WS: a warp for the copies, others for the multiplies."""
    x = tl.make_tensor_descriptor(a, [m, k], [k, 1], [BM, BK])
    y = tl.make_tensor_descriptor(b, [n, k], [k, 1], [BN, BK])
    z = tl.make_tensor_descriptor(c, [m, n], [n, 1], [BM, BN])
    row = tl.program_id(0) * BM
    column = tl.program_id(1) * BN
    acc = tl.zeros((BM, BN), dtype=tl.float32)
    for start in tl.range(0, k, BK, warp_specialize=WS):
        acc = tl.dot(x.load([row, start]), y.load([column, start]).T, acc)
    z.store([row, column], acc.to(c.dtype.element_ty))


@triton.jit
def scaled(a, sa, b, sb, c, M: tl.constexpr, N: tl.constexpr, K: tl.constexpr):
    """C = A B^T of e4m3 with a power of two to each 32 elements of K."""
    m = tl.arange(0, M)
    n = tl.arange(0, N)
    k = tl.arange(0, K)
    g = tl.arange(0, K // 32)
    x = tl.load(a + m[:, None] * K + k[None, :])
    y = tl.load(b + k[:, None] + n[None, :] * K)
    xs = tl.load(sa + m[:, None] * (K // 32) + g[None, :])
    ys = tl.load(sb + n[:, None] * (K // 32) + g[None, :])
    tl.store(c + m[:, None] * N + n[None, :], tl.dot_scaled(x, xs, "e4m3", y, ys, "e4m3"))


@triton.jit
def attention(q, k, v, o, length, scale, D: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr):
    """Causal attention of (head, length, D)."""
    head = tl.program_id(1) * length * D
    rows = tl.program_id(0) * BM + tl.arange(0, BM)
    d = tl.arange(0, D)
    x = tl.load(q + head + rows[:, None] * D + d[None, :], mask=(rows < length)[:, None], other=0.0)
    biggest = tl.full((BM,), float("-inf"), dtype=tl.float32)
    total = tl.zeros((BM,), dtype=tl.float32)
    acc = tl.zeros((BM, D), dtype=tl.float32)
    for start in range(0, tl.minimum(length, (tl.program_id(0) + 1) * BM), BN):
        keys = start + tl.arange(0, BN)
        there = keys < length
        y = tl.load(k + head + keys[None, :] * D + d[:, None], mask=there[None, :], other=0.0)
        s = tl.where(there[None, :] & (keys[None, :] <= rows[:, None]), tl.dot(x, y) * scale, float("-inf"))
        new = tl.maximum(biggest, tl.max(s, 1))
        p = tl.exp2((s - new[:, None]) * 1.4426950408889634)
        shrink = tl.exp2((biggest - new) * 1.4426950408889634)
        total = total * shrink + tl.sum(p, 1)
        z = tl.load(v + head + keys[:, None] * D + d[None, :], mask=there[:, None], other=0.0)
        acc = tl.dot(p.to(z.dtype), z, acc * shrink[:, None])
        biggest = new
    tl.store(o + head + rows[:, None] * D + d[None, :], (acc / total[:, None]).to(o.dtype.element_ty), mask=(rows < length)[:, None])


@triton.jit
def softmax(x, y, columns, BLOCK: tl.constexpr):
    """Of each row: block-wide reductions."""
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    v = tl.load(x + row * columns + at, mask=at < columns, other=float("-inf"))
    e = tl.exp(v - tl.max(v, 0))
    tl.store(y + row * columns + at, e / tl.sum(e, 0), mask=at < columns)


@triton.jit
def scan(x, sums, largest, where, positive, BLOCK: tl.constexpr):
    """Of each row: running sums, the maximum and its place; over all rows: how many are positive."""
    at = tl.arange(0, BLOCK)
    row = tl.program_id(0)
    v = tl.load(x + row * BLOCK + at)
    tl.store(sums + row * BLOCK + at, tl.cumsum(v, 0))
    tl.store(largest + row, tl.max(v, 0))
    tl.store(where + row, tl.argmax(v, 0))
    tl.atomic_add(positive, tl.sum((v > 0).to(tl.int32), 0))


@triton.jit
def locked(lock, data, BLOCK: tl.constexpr):
    """data += 0, 1, 2, ...: blocks take turns by a spin lock."""
    while tl.atomic_cas(lock, 0, 1) == 1:
        pass
    at = tl.arange(0, BLOCK)
    tl.store(data + at, tl.load(data + at) + at)
    tl.debug_barrier()
    tl.atomic_xchg(lock, 0)


@triton.jit
def layouts(a, b, c, m, n, k, TA: tl.constexpr, TB: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr):
    """C = A B by tensor maps; A is stored k x m where TA, B n x k where TB."""
    if TA:
        x = tl.make_tensor_descriptor(a, [k, m], [m, 1], [BK, BM])
    else:
        x = tl.make_tensor_descriptor(a, [m, k], [k, 1], [BM, BK])
    if TB:
        y = tl.make_tensor_descriptor(b, [n, k], [k, 1], [BN, BK])
    else:
        y = tl.make_tensor_descriptor(b, [k, n], [n, 1], [BK, BN])
    row = tl.program_id(0) * BM
    column = tl.program_id(1) * BN
    acc = tl.zeros((BM, BN), dtype=tl.float32)
    for start in range(0, k, BK):
        if TA:
            left = x.load([start, row]).T
        else:
            left = x.load([row, start])
        if TB:
            right = y.load([column, start]).T
        else:
            right = y.load([start, column])
        acc = tl.dot(left, right, acc)
    rows = row + tl.arange(0, BM)
    columns = column + tl.arange(0, BN)
    tl.store(c + rows[:, None] * n + columns[None, :], acc, mask=(rows < m)[:, None] & (columns < n)[None, :])


@triton.jit
def atomics(x, sums, least, most, bits, halves, BLOCK: tl.constexpr):
    """Into 16 words each, by x % 16: sums of x as float32, least and most of x, or of 1 << x % 32; sums as float16."""
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    v = tl.load(x + at)
    to = v & 15
    tl.atomic_add(sums + to, v.to(tl.float32))
    tl.atomic_min(least + to, v)
    tl.atomic_max(most + to, v.to(tl.float32) * 0.5)
    tl.atomic_or(bits + to, 1 << (v & 31))
    tl.atomic_add(halves + to, (v & 3).to(tl.float16), sem="release", scope="gpu")


@triton.jit
def sorted_rows(x, y, counts, BLOCK: tl.constexpr):
    """Each row sorted, and how often each value's low four bits occur in it."""
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    v = tl.load(x + row * BLOCK + at)
    tl.store(y + row * BLOCK + at, tl.sort(v))
    tl.store(counts + row * 16 + tl.arange(0, 16), tl.histogram(v & 15, 16))
