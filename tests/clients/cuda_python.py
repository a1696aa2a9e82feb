import numpy as np
from cuda.bindings import driver, nvrtc
def ok(r):
    e, *rest = r
    assert int(e) == 0, e
    return rest[0] if len(rest) == 1 else tuple(rest)
ok(driver.cuInit(0))
dev = ok(driver.cuDeviceGet(0))
print(ok(driver.cuDeviceGetName(64, dev)))
ctx = ok(driver.cuDevicePrimaryCtxRetain(dev)); ok(driver.cuCtxSetCurrent(ctx))
ptx = b""".version 8.0
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
lib = ok(driver.cuLibraryLoadData(ptx, [], [], 0, [], [], 0))
k = ok(driver.cuLibraryGetKernel(lib, b"saxpy"))
n = 1000
x = np.arange(n, dtype=np.float32); y = np.ones(n, np.float32)
s = ok(driver.cuStreamCreate(0))
dx = ok(driver.cuMemAllocAsync(x.nbytes, s)); dy = ok(driver.cuMemAllocAsync(y.nbytes, s))
ok(driver.cuMemcpyHtoDAsync(dx, x.ctypes.data, x.nbytes, s)); ok(driver.cuMemcpyHtoDAsync(dy, y.ctypes.data, y.nbytes, s))
import ctypes
args = ((2.0, dx, dy, n), (ctypes.c_float, None, None, ctypes.c_uint32))
ok(driver.cuStreamBeginCapture(s, driver.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_GLOBAL))
ok(driver.cuLaunchKernel(driver.CUfunction(int(k)), 4, 1, 1, 256, 1, 1, 0, s, args, 0))
g = ok(driver.cuStreamEndCapture(s))
ge = ok(driver.cuGraphInstantiate(g, 0))
for _ in range(3): ok(driver.cuGraphLaunch(ge, s))
ok(driver.cuMemcpyDtoHAsync(y.ctypes.data, dy, y.nbytes, s)); ok(driver.cuStreamSynchronize(s))
assert (y == 6 * x + 1).all()
ok(driver.cuMemFreeAsync(dx, s)); ok(driver.cuMemFreeAsync(dy, s))
print("right")
