#!/bin/sh
# Other people's programs on the emulated driver, fetched from PyPI into build/clients (some 600 MB, once). `make clients`.
# Not a part of `make test`: it needs the network and a minute.
set -u
build=$(cd "${1:-build}" && pwd) here=$(cd "$(dirname "$0")" && pwd)
venv=$build/clients/venv
mkdir -p "$build/clients"
if [ ! -f "$build/clients/ready" ]; then
    python3 -m venv "$venv" &&
        "$venv/bin/pip" install -q 'cuda-bindings==13.*' numpy 'triton==3.9.*' 'nvidia-cutlass-dsl==4.8.*' || exit 3
    touch "$build/clients/ready"
fi
rc=0
run() { # NAME DEVICE SCRIPT: in a folder of its own, with the judge on
    dir=$build/clients/$1.$2
    rm -rf "$dir" && mkdir -p "$dir" && cd "$dir" || exit 3
    if env LD_LIBRARY_PATH="$build/emu" WARPLOOM_EMU_DEVICE="$2" WARPLOOM_EMU_CHECK=error WARPLOOM_EMU_REPORT="$dir/report" \
        TRITON_CACHE_DIR="$dir/cache" TRITON_PTXAS_PATH="$here/ptxas" TRITON_PTXAS_BLACKWELL_PATH="$here/ptxas" \
        CUTE_DSL_KEEP_PTX=1 "$venv/bin/python" -W ignore "$here/$3" >out 2>&1; then
        printf '%-12s %-5s %s\n' "$1" "$2" "$(tail -1 out)"
    else
        printf '%-12s %-5s FAILED:\n' "$1" "$2"
        tail -20 out
        rc=1
    fi
}
run cuda-python h100 cuda_python.py
run triton a100 triton_kernels.py
run triton h100 triton_kernels.py
run triton b200 triton_kernels.py
CUTE_DSL_ARCH=sm_90a run cute-dsl h100 cute_dsl.py
exit $rc
