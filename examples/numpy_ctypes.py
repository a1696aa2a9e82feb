#!/usr/bin/env python3
"""NumPy arrays through ctypes: attention in half precision, beside NumPy's own in float64.

    python3 examples/numpy_ctypes.py build/libwarploom.so
"""
import ctypes as c
import sys

import numpy as np


class Error(c.Structure):
    _fields_ = [("status", c.c_int), ("line", c.c_int), ("file", c.c_char * 256), ("field", c.c_char * 64),
                ("text", c.c_char * 3072)]


class View(c.Structure):
    _fields_ = [("address", c.c_uint64), ("batch_stride", c.c_int64), ("seq_stride", c.c_int64),
                ("head_stride", c.c_int64)]


class Attention(c.Structure):
    _fields_ = [(name, c.c_int64) for name in ("batch", "heads", "heads_kv", "seqlen_q", "seqlen_k", "head_dim",
                                               "head_dim_v")] + [
        ("dtype", c.c_int), ("causal", c.c_bool), ("scale", c.c_double),
        ("q", View), ("k", View), ("v", View), ("o", View), ("lse", c.c_uint64)]


BF16, FP16 = 0, 1
warploom = c.CDLL(sys.argv[1] if len(sys.argv) > 1 else "libwarploom.so.0")
error = Error()


def call(name, *arguments):
    if getattr(warploom, name)(*arguments, c.byref(error)):
        sys.exit(f"{name}: {error.field.decode()}: {error.text.decode()}")


def upload(runtime, array):
    address = c.c_uint64()
    call("wl_device_alloc", runtime, c.c_size_t(array.nbytes), c.byref(address))
    call("wl_device_upload", runtime, address, array.ctypes.data_as(c.c_void_p), c.c_size_t(array.nbytes))
    return address.value


def attention(runtime, q, k, v, causal=False):
    """q, k, v: float16 arrays (batch, seq, head, dim), dense."""
    batch, seq_q, heads, dim = q.shape
    o, lse = np.empty_like(q), np.empty((batch, heads, seq_q), np.float32)
    p = Attention(batch=batch, heads=heads, heads_kv=k.shape[2], seqlen_q=seq_q, seqlen_k=k.shape[1], head_dim=dim,
                  dtype=FP16, causal=causal)
    warploom.wl_attention_dense(c.byref(p))
    p.q.address, p.k.address, p.v.address, p.o.address, p.lse = (upload(runtime, a) for a in (q, k, v, o, lse))
    call("wl_attention_forward", runtime, c.byref(p), None)
    call("wl_synchronize", runtime)
    for array, address in ((o, p.o.address), (lse, p.lse)):
        call("wl_device_download", runtime, array.ctypes.data_as(c.c_void_p), c.c_uint64(address),
             c.c_size_t(array.nbytes))
    for address in (p.q.address, p.k.address, p.v.address, p.o.address, p.lse):
        warploom.wl_device_free(runtime, c.c_uint64(address))
    return o, lse


def reference(q, k, v):
    q, k, v = (a.astype(np.float64) for a in (q, k, v))
    s = np.einsum("bqhd,bkhd->bhqk", q, k) / np.sqrt(q.shape[3])
    top = s.max(-1, keepdims=True)
    e = np.exp(s - top)
    return np.einsum("bhqk,bkhd->bqhd", e / e.sum(-1, keepdims=True), v), np.log(e.sum(-1)) + top[..., 0]


runtime = c.c_void_p()
call("wl_open", c.byref(runtime), None)
rng = np.random.default_rng(1)
q, k, v = (rng.standard_normal((1, 160, 2, 64)).astype(np.float16) for _ in range(3))
o, lse = attention(runtime, q, k, v)
exact, exact_lse = reference(q, k, v)
warploom.wl_close(runtime)
worst, worst_lse = np.abs(o - exact).max(), np.abs(lse - exact_lse).max()
print(f"largest error {worst:.1e} of O, {worst_lse:.1e} of LSE")
sys.exit(not (worst < 2e-3 and worst_lse < 1e-3))
