#!/usr/bin/env python3
"""fa4_build: FlashAttention-4's sm_90 forward kernels, compiled ahead of time where there is no GPU, for peers.py --fa4 DIR.

    python3 -m venv fa4 && fa4/bin/pip install --pre flash-attn-4 torch 'nvidia-cutlass-dsl[cu13]'     once, outside this repository
    fa4/bin/python tests/bench/fa4_build.py [--dir build/fa4] [--head-dim 64,96,128,192,256]

Writes fa4_hd{D}_{full,causal}.so, bf16, any batch, lengths and (equal) head counts, LSE written, and versions.json. They need libcudart.so.13
and the package tvm_ffi, whose extension belongs to one Python version: --tvm-ffi DIR copies what it needs at run time from this Python's.
"""
import argparse, glob, importlib.metadata, json, os, shutil, subprocess, sys, tempfile

# The GPU that is not here; flash_attn reads these when it is imported.
os.environ.update(FLASH_ATTENTION_ARCH="sm_90", CUTE_DSL_ARCH="sm_90a", FLASH_ATTENTION_NUM_SMS="132")
# The one entry of libcute_dsl_runtime.so (44 MB) that the launch code calls: how an error of CUDA is raised.
RAISE = """
#include <stdio.h>
typedef void raise_parts(const char *kind, const char **parts, int count);
void CuteDSLRT_TVMFFISetRaisedCudaError(raise_parts *raise, int code) {
    char text[40];
    const char *parts[] = {text};
    snprintf(text, sizeof text, "CUDA error %d", code);
    if (raise) raise("RuntimeError", parts, 1);
}
"""
PACKAGES = ("flash-attn-4", "nvidia-cutlass-dsl", "apache-tvm-ffi", "quack-kernels", "torch")


def compiled(head_dim, causal):
    """Their own entry with tensors that have a shape and no memory: it compiles and launches nothing."""
    import torch
    from flash_attn.cute import interface
    from torch._subclasses.fake_tensor import FakeTensorMode
    cache = interface._flash_attn_fwd.compile_cache
    cache.clear()
    with FakeTensorMode():
        q, k, v = (torch.empty(2, 4096, 4, head_dim, device="cuda", dtype=torch.bfloat16) for _ in range(3))
        interface._flash_attn_fwd(q, k, v, causal=causal, return_lse=True)
    (kernel,) = cache.cache.values()
    return kernel


def libraries():
    """The DSL's launch code, linked in; the CUDA runtime, which torch brings too; tvm_ffi's. From the CUDA 13 packages."""
    import nvidia_cutlass_dsl
    import torch
    import tvm_ffi
    dsl = os.path.dirname(nvidia_cutlass_dsl.__file__ or list(nvidia_cutlass_dsl.__path__)[0] + "/")
    site = os.path.dirname(os.path.dirname(torch.__file__))
    return [(glob.glob(f"{folder}/{pattern}") or sys.exit(f"no {pattern} in {folder}"))[0]
            for folder, pattern in ((dsl, "cu13/lib/libcuda_dialect_runtime_static.a"), (site, "nvidia/cu13/lib/libcudart.so.13"),
                                    (os.path.dirname(tvm_ffi.__file__), "lib/libtvm_ffi.so"))]


def link(kernel, path):
    with tempfile.TemporaryDirectory() as scratch:
        kernel.export_to_c(object_file_path=f"{scratch}/kernel.o", function_name="func")
        with open(f"{scratch}/raise.c", "w") as out:
            out.write(RAISE)
        subprocess.run(["cc", "-shared", "-fPIC", "-Wl,--no-undefined", "-o", path, f"{scratch}/raise.c", f"{scratch}/kernel.o",
                        *libraries(), "-lstdc++", "-lm"], check=True)


def copy_tvm_ffi(folder):
    import tvm_ffi
    source = os.path.dirname(tvm_ffi.__file__)
    shutil.copytree(source, os.path.join(folder, "tvm_ffi"), dirs_exist_ok=True,
                    ignore=shutil.ignore_patterns("__pycache__", "include", "3rdparty", "src", "share", "cython"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", default="build/fa4")
    parser.add_argument("--head-dim", type=lambda text: [int(x) for x in text.split(",")], default=[64, 96, 128, 192, 256])
    parser.add_argument("--tvm-ffi", metavar="DIR")
    args = parser.parse_args()
    os.makedirs(args.dir, exist_ok=True)
    for head_dim in args.head_dim:
        for causal in (False, True):
            path = os.path.join(args.dir, f"fa4_hd{head_dim}_{'causal' if causal else 'full'}.so")
            link(compiled(head_dim, causal), path)
            print(f"{path}  {os.path.getsize(path)} B", flush=True)
    if args.tvm_ffi:
        copy_tvm_ffi(args.tvm_ffi)
    with open(os.path.join(args.dir, "versions.json"), "w") as out:
        json.dump({name: importlib.metadata.version(name) for name in PACKAGES}, out)


if __name__ == "__main__":
    main()
