"""CuTe DSL's PTX. Its own launcher goes through a CUDA runtime that asks the driver for private tables, which the emulated
one has none of: the launch is expected to be refused, and the PTX that CUTE_DSL_KEEP_PTX=1 keeps is launched from here."""
import glob
import numpy as np
import cutlass
import cutlass.cute as cute
from cutlass.cute.runtime import make_ptr
from cuda.bindings import driver


def ok(r):
    assert int(r[0]) == 0, r[0]
    return r[1] if len(r) == 2 else r[1:]


@cute.kernel
def add_kernel(a: cute.Tensor, b: cute.Tensor, c: cute.Tensor):
    t, _, _ = cute.arch.thread_idx()
    k, _, _ = cute.arch.block_idx()
    n, _, _ = cute.arch.block_dim()
    i = k * n + t
    c[i] = a[i] + b[i]


@cute.jit
def add(pa: cute.Pointer, pb: cute.Pointer, pc: cute.Pointer):
    shape = cute.make_layout(1024)
    tensors = [cute.make_tensor(p, shape) for p in (pa, pb, pc)]
    add_kernel(*tensors).launch(grid=[8, 1, 1], block=[128, 1, 1])


ok(driver.cuInit(0))
ok(driver.cuCtxSetCurrent(ok(driver.cuDevicePrimaryCtxRetain(0))))
x = np.arange(1024, dtype=np.float32)
buffers = [ok(driver.cuMemAlloc(x.nbytes)) for _ in range(3)]
for buffer in buffers[:2]:
    ok(driver.cuMemcpyHtoD(buffer, x.ctypes.data, x.nbytes))
try:
    add(*[make_ptr(cutlass.Float32, int(b), cute.AddressSpace.gmem, assumed_align=16) for b in buffers])
    how = "its own launcher"
except Exception as error:
    assert "801" in str(error) or "NotSupported" in str(error), error
    how = "its PTX; its own launcher is refused (801)"
    text = open(glob.glob("*.ptx")[0], "rb").read()
    name = text.split(b".entry ")[1].split(b"(")[0]
    kernel = ok(driver.cuModuleGetFunction(ok(driver.cuModuleLoadData(text + b"\0")), name))
    arguments = (tuple(buffers), (None, None, None))
    ok(driver.cuLaunchKernel(kernel, 8, 1, 1, 128, 1, 1, 0, 0, arguments, 0))
ok(driver.cuCtxSynchronize())
y = np.zeros_like(x)
ok(driver.cuMemcpyDtoH(y.ctypes.data, buffers[2], y.nbytes))
assert (y == 2 * x).all()
print("right: CuTe DSL", cutlass.__version__, "-", how)
