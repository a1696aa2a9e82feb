"""Compiles kernels.py ahead of time, without a GPU, into this folder: a .ptx a row and oracle.def, which names them.

    pip install triton==3.9.0; python tests/oracle/make.py
"""
import os
import pathlib
import re

os.environ["TRITON_DISABLE_LINE_INFO"] = "1"
import triton  # noqa: E402
import triton.language as tl  # noqa: E402
from triton.backends.compiler import GPUTarget  # noqa: E402
from triton.compiler import ASTSource  # noqa: E402
from triton.experimental.gluon._runtime import GluonASTSource  # noqa: E402

import gluon_kernels  # noqa: E402
import kernels  # noqa: E402

here = pathlib.Path(__file__).parent
DEVICE = {80: "a100", 90: "h100", 100: "b200"}


def gemm(a, c, acc, **blocks):
    return kernels.gemm, dict(a=a, b=a, c=c, m="i32", n="i32", k="i32"), dict(ACC=acc, **blocks)


def tma(ws):
    sig = dict(a="*fp16", b="*fp16", c="*fp16", m="i32", n="i32", k="i32")
    return kernels.tma_gemm, sig, dict(WS=ws, BM=64 if not ws else 128, BN=64, BK=64)


def layout(kind, dtype, cc, bn, bk, acc=tl.float32):
    """kind: n or t for A and for B; bn and bk decide the swizzles."""
    sig = dict(a="*" + dtype, b="*" + dtype, c="*fp32", m="i32", n="i32", k="i32")
    return kernels.layouts, sig, dict(TA=kind[0] == "t", TB=kind[1] == "t", BM=128 if cc == 100 else 64, BN=bn, BK=bk)


LAYOUTS = [("nn", "fp16", 64, 64), ("tt", "bf16", 64, 64), ("nt", "fp16", 64, 32), ("nn", "bf16", 32, 32), ("nt", "bf16", 64, 16),
           ("tn", "fp16", 16, 16), ("nt", "fp8e5", 32, 32), ("nt", "fp32", 32, 32)]
LAYOUT_ROWS = [(f"layout_{kind}_{dtype}_{bn}x{bk}", layout(kind, dtype, cc, bn, bk), (cc,)) for cc in (90, 100)
               for kind, dtype, bn, bk in LAYOUTS]
PAIR = (gluon_kernels.pair_gemm, dict(a="*fp16", b="*fp16", c="*fp32", m="i32", n="i32", k="i32"), dict(BM=256, BN=128, BK=64))
SOFTMAX = (kernels.softmax, dict(x="*fp32", y="*fp32", columns="i32"))
ATTENTION = (kernels.attention, dict(q="*fp16", k="*fp16", v="*fp16", o="*fp16", length="i32", scale="fp32"),
             dict(D=64, BM=64, BN=32))
ROWS = [
    ("gemm_bf16", gemm("*bf16", "*fp32", tl.float32, BM=64, BN=32, BK=32), (80, 90)),
    ("gemm_bf16", gemm("*bf16", "*fp32", tl.float32, BM=128, BN=32, BK=32), (100,)),
    ("gemm_fp16", gemm("*fp16", "*fp16", tl.float16, BM=64, BN=32, BK=32), (80, 90)),
    ("gemm_tf32", gemm("*fp32", "*fp32", tl.float32, BM=64, BN=32, BK=16), (80, 90)),
    ("gemm_e4m3", gemm("*fp8e4nv", "*fp32", tl.float32, BM=64, BN=32, BK=32), (90,)),
    ("gemm_e4m3", gemm("*fp8e4nv", "*fp32", tl.float32, BM=128, BN=32, BK=32), (100,)),
    ("gemm_i8", gemm("*i8", "*i32", tl.int32, BM=64, BN=32, BK=32), (80, 90)),
    ("gemm_f64", gemm("*fp64", "*fp64", tl.float64, BM=32, BN=32, BK=16), (80, 90)),
    ("tma", tma(False), (90, 100)),
    ("tma_ws", tma(True), (90, 100)),
    ("scaled", (kernels.scaled, dict(a="*fp8e4nv", sa="*u8", b="*fp8e4nv", sb="*u8", c="*fp32"), dict(M=128, N=32, K=64)), (100,)),
    ("attention", ATTENTION, (80, 90)),
    ("attention", ATTENTION[:2] + (dict(D=64, BM=128, BN=32),), (100,)),
    ("softmax", SOFTMAX + (dict(BLOCK=1024),), (80, 100)),
    ("softmax_cluster", SOFTMAX + (dict(BLOCK=2048),), (90, 100), dict(num_ctas=4)),
    ("gemm_cluster", gemm("*fp16", "*fp32", tl.float32, BM=128, BN=64, BK=32), (90,), dict(num_ctas=2)),
    ("pair", PAIR, (100,), dict(num_ctas=2)),
    ("atomics", (kernels.atomics, dict(x="*i32", sums="*fp32", least="*i32", most="*fp32", bits="*i32", halves="*fp16"), dict(BLOCK=256)), (80, 90)),
    ("sorted", (kernels.sorted_rows, dict(x="*i32", y="*i32", counts="*i32"), dict(BLOCK=256)), (80, 100)),
    ("scan", (kernels.scan, dict(x="*fp32", sums="*fp32", largest="*fp32", where="*i32", positive="*i32"), dict(BLOCK=256)), (80, 90)),
    ("locked", (kernels.locked, dict(lock="*i32", data="*i32"), dict(BLOCK=128)), (90,)),
] + LAYOUT_ROWS


WITH_MAPS = (kernels.tma_gemm, kernels.layouts, gluon_kernels.pair_gemm)


def compile_row(fn, signature, constants, cc, **options):
    names = fn.arg_names
    aligned = {n for n, t in signature.items() if t.startswith("*") or (fn in WITH_MAPS and t == "i32")}
    make = GluonASTSource if fn.__module__ == "gluon_kernels" else ASTSource
    source = make(fn=fn, signature={n: signature.get(n, "constexpr") for n in names},
                  constexprs={(names.index(n),): v for n, v in constants.items()},
                  attrs={(names.index(n),): [["tt.divisibility", 16]] for n in aligned})
    return triton.compile(source, target=GPUTarget("cuda", cc, 32), options=dict(num_warps=4, num_stages=2, **options))


def tidy(ptx):
    """Without comments and debug sections, which nothing here reads."""
    ptx = ptx.split("\t.section\t")[0]
    lines = [re.sub(r"\s*//.*", "", line).rstrip() for line in ptx.split("\n")]
    return "\n".join(line for line in lines if line.strip() and not line.strip().startswith((".file", ".loc"))) + "\n"


def main():
    rows = ["/* name, entry, device, threads, shared memory, scratch memory of a block, CTAs of a cluster; made by make.py, Triton %s */" % triton.__version__]
    for name, (fn, signature, constants), targets, *options in ROWS:
        options = options[0] if options else {}
        for cc in targets:
            built = compile_row(fn, signature, constants, cc, **options)
            text, meta = tidy(built.asm["ptx"]), built.metadata
            threads = int(re.search(r"\.(?:req|max)ntid (\d+)", text)[1])
            (here / f"{name}_{cc}.ptx").write_text(text)
            rows.append(f'ORACLE({name}_{cc}, "{meta.name}", "{DEVICE[cc]}", {threads}, {meta.shared}, {meta.global_scratch_size}, {options.get("num_ctas", 1)})')
    (here / "oracle.def").write_text("\n".join(rows) + "\n")


main()
