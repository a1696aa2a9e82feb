"""Triton with its own launcher and without torch: kernels compiled, loaded and launched by Triton itself."""
import ctypes
import numpy as np
import triton
import triton.language as tl
from cuda.bindings import driver


def ok(r):
    assert int(r[0]) == 0, r[0]
    return r[1] if len(r) == 2 else r[1:]


class Buffer:  # what Triton asks of a tensor
    def __init__(self, array, dtype):
        self.array, self.dtype = array, dtype
        self.at = ok(driver.cuMemAlloc(array.nbytes))
        ok(driver.cuMemcpyHtoD(self.at, array.ctypes.data, array.nbytes))

    def data_ptr(self):
        return int(self.at)

    def numpy(self):
        ok(driver.cuMemcpyDtoH(self.array.ctypes.data, self.at, self.array.nbytes))
        return self.array


@triton.jit
def add(x, y, out, n, BLOCK: tl.constexpr):
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out + i, tl.load(x + i, i < n) + tl.load(y + i, i < n), i < n)


@triton.jit
def matmul(a, b, c, K, M: tl.constexpr, N: tl.constexpr, BK: tl.constexpr):
    m, n, k = tl.arange(0, M), tl.arange(0, N), tl.arange(0, BK)
    total = tl.zeros((M, N), tl.float32)
    for k0 in range(0, K, BK):
        x = tl.load(a + m[:, None] * K + (k0 + k)[None, :])
        y = tl.load(b + (k0 + k)[:, None] * N + n[None, :])
        total = tl.dot(x, y, total)
    tl.store(c + m[:, None] * N + n[None, :], total)


target = triton.runtime.driver.active.get_current_target()
triton.runtime.driver.active.set_current_device(0)
random = np.random.default_rng(1)
x, y = random.standard_normal(1000, np.float32), random.standard_normal(1000, np.float32)
out = Buffer(np.zeros(1000, np.float32), "fp32")
add[(8,)](Buffer(x, "fp32"), Buffer(y, "fp32"), out, 1000, BLOCK=128)
assert (out.numpy() == x + y).all()
M, N, K = 128, 128, 256
a, b = random.standard_normal((M, K)).astype(np.float16), random.standard_normal((K, N)).astype(np.float16)
c = Buffer(np.zeros((M, N), np.float32), "fp32")
matmul[(1,)](Buffer(a, "fp16"), Buffer(b, "fp16"), c, K, M=M, N=N, BK=64, num_warps=4)
worst = np.abs(c.numpy() - a.astype(np.float64) @ b.astype(np.float64)).max()
assert worst < 1e-3, worst
print("right: Triton", triton.__version__, target)
