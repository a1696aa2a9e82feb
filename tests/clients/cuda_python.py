"""cuda-python: a library from PTX, memory in stream order, a captured graph launched three times."""
import ctypes
import numpy as np
import cuda.bindings
from cuda.bindings import driver


def ok(r):
    assert int(r[0]) == 0, r[0]
    return r[1] if len(r) == 2 else r[1:]


PTX = b""".version 8.0
.target sm_80
.address_size 64
.visible .entry saxpy(.param .f32 a, .param .u64 x, .param .u64 y, .param .u32 n) {
 .reg .b64 %p<4>; .reg .f32 %f<4>; .reg .b32 %r<5>; .reg .pred %q;
 mov.u32 %r0, %ctaid.x; mov.u32 %r1, %ntid.x; mov.u32 %r2, %tid.x; mad.lo.u32 %r0, %r0, %r1, %r2;
 ld.param.u32 %r3, [n]; setp.ge.u32 %q, %r0, %r3; @%q ret;
 ld.param.f32 %f0, [a]; ld.param.u64 %p0, [x]; ld.param.u64 %p1, [y]; mul.wide.u32 %p2, %r0, 4;
 add.u64 %p0, %p0, %p2; add.u64 %p1, %p1, %p2; ld.global.f32 %f1, [%p0]; ld.global.f32 %f2, [%p1];
 fma.rn.f32 %f2, %f0, %f1, %f2; st.global.f32 [%p1], %f2; ret; }
"""

ok(driver.cuInit(0))
ok(driver.cuCtxSetCurrent(ok(driver.cuDevicePrimaryCtxRetain(ok(driver.cuDeviceGet(0))))))
library = ok(driver.cuLibraryLoadData(PTX, [], [], 0, [], [], 0))
kernel = ok(driver.cuLibraryGetKernel(library, b"saxpy"))
n = 1000
x, y = np.arange(n, dtype=np.float32), np.ones(n, np.float32)
s = ok(driver.cuStreamCreate(0))
dx, dy = ok(driver.cuMemAllocAsync(x.nbytes, s)), ok(driver.cuMemAllocAsync(y.nbytes, s))
ok(driver.cuMemcpyHtoDAsync(dx, x.ctypes.data, x.nbytes, s))
ok(driver.cuMemcpyHtoDAsync(dy, y.ctypes.data, y.nbytes, s))
arguments = ((2.0, dx, dy, n), (ctypes.c_float, None, None, ctypes.c_uint32))
ok(driver.cuStreamBeginCapture(s, driver.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_GLOBAL))
ok(driver.cuLaunchKernel(driver.CUfunction(int(kernel)), 4, 1, 1, 256, 1, 1, 0, s, arguments, 0))
graph = ok(driver.cuGraphInstantiate(ok(driver.cuStreamEndCapture(s)), 0))
for _ in range(3):
    ok(driver.cuGraphLaunch(graph, s))
ok(driver.cuMemcpyDtoHAsync(y.ctypes.data, dy, y.nbytes, s))
ok(driver.cuStreamSynchronize(s))
assert (y == 6 * x + 1).all()
ok(driver.cuMemFreeAsync(dx, s))
ok(driver.cuMemFreeAsync(dy, s))
print("right: cuda-bindings", cuda.bindings.__version__)
