#!/usr/bin/env python3
"""peers: our kernels beside PyTorch's, in one process on one GPU, in shuffled alternation.

    python3 tests/bench/peers.py build [--warploom build/warploom] [--dir build/bench] [SCHEDULE[,key=value..] ...]
        here: writes a cubin and its launch record for each kernel; needs ptxas and no GPU
    python3 tests/bench/peers.py run [--dir build/bench] [options]
        on the GPU: needs torch and what build wrote, nothing else of warploom

Peers: cuDNN and FlashAttention-2 through scaled_dot_product_attention, with --peers ...,fa4 FlashAttention-4's sm_90 kernel,
and with ...,triton the Triton kernels of torch's flex_attention. Each point is checked first: sampled rows against float64, with the error of a plain 16-bit
attention as the yardstick. A peer that fails is reported as absent, with the reason. Exit code 1: a result was wrong.
"""
import argparse, ctypes as C, datetime, json, math, os, platform, random, statistics, subprocess, sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SHIPPED = [f"sm90_fwd_{name}" for name in ("hd64", "hd96", "hd128", "hd192", "hd256")]


# ---- build: cubins and launch records ----

def kernel_name(spec, causal):
    return spec.replace(",", ".").replace("=", "-") + (".causal" if causal else ".full")


def masks_of(warploom, schedule):
    """Which of (full, causal) it serves: what it does by itself, and the other where its field masks is \"any\"."""
    listed = {s["schedule"]: s for s in json.loads(subprocess.run([warploom, "list", "--json"], capture_output=True).stdout)}
    serves = listed[schedule]["masks"] if schedule in listed else "any"
    return [causal for causal in (False, True) if serves in ("any", "causal" if causal else "full")]


def build(args):
    os.makedirs(args.dir, exist_ok=True)
    for spec in args.schedules or SHIPPED:
        schedule, *overrides = spec.split(",")
        for causal in masks_of(args.warploom, schedule):
            base = os.path.join(args.dir, kernel_name(os.path.basename(spec), causal))
            command = [args.warploom, "emit", schedule, *overrides, f"causal={str(causal).lower()}", "--cubin", "--json",
                       "-o", base + ".cubin"]
            made = subprocess.run(command, capture_output=True, text=True)
            if made.returncode:
                sys.exit(made.stderr.strip())
            with open(base + ".json", "w") as out:
                out.write(made.stdout)
            record = json.loads(made.stdout)
            print(f"{base}.cubin  {record['launch']['target']}  {record['ptxas']['registers']} registers, "
                  f"{record['ptxas']['spill_store_bytes'] + record['ptxas']['spill_load_bytes']} B spilled")


# ---- the driver, through ctypes ----

class LaunchAttribute(C.Structure):
    _fields_ = [("id", C.c_int), ("pad", C.c_char * 4), ("value", C.c_uint * 16)]


class LaunchConfig(C.Structure):
    _fields_ = [("grid", C.c_uint * 3), ("block", C.c_uint * 3), ("smem", C.c_uint), ("stream", C.c_void_p),
                ("attributes", C.POINTER(LaunchAttribute)), ("attribute_count", C.c_uint)]


CLUSTER_DIMENSION, MAX_DYNAMIC_SMEM = 4, 8  # CU_LAUNCH_ATTRIBUTE_..., CU_FUNC_ATTRIBUTE_...
DTYPES = {"bf16": ("bfloat16", 9), "fp16": ("float16", 6)}  # torch's name, CU_TENSOR_MAP_DATA_TYPE_...
SWIZZLES = {0: 0, 32: 1, 64: 2, 128: 3}
L2_128B = 2


class Cuda:
    """The few entries of libcuda.so.1 that a launch needs; torch has made the context."""

    def __init__(self):
        self.lib = C.CDLL("libcuda.so.1")

    def __call__(self, name, *arguments):
        result = getattr(self.lib, name)(*arguments)
        if result:
            text = C.c_char_p()
            self.lib.cuGetErrorName(result, C.byref(text))
            raise RuntimeError(f"{name}: {text.value.decode() if text.value else result}")


def tensor_map(cuda, tensor, box, swizzle_bytes, dtype):
    """128 bytes for a (batch, seq, head, dim) tensor whose last dimension is dense."""
    b, s, h, d = tensor.shape
    strides = [tensor.stride(i) * 2 for i in (1, 2, 0)]
    room = (C.c_byte * 192)()
    address = (C.addressof(room) + 63) & ~63
    cuda("cuTensorMapEncodeTiled", C.c_void_p(address), DTYPES[dtype][1], 4, C.c_void_p(tensor.data_ptr()),
         (C.c_uint64 * 4)(d, s, h, b), (C.c_uint64 * 3)(*strides), (C.c_uint32 * 4)(*box),
         (C.c_uint32 * 4)(1, 1, 1, 1), 0, SWIZZLES[swizzle_bytes], L2_128B, 0)
    return C.create_string_buffer(C.string_at(address, 128), 128)


class Kernel:
    def __init__(self, cuda, torch, base):
        with open(base + ".json") as file:
            self.record = json.load(file)
        with open(base + ".cubin", "rb") as file:
            self.image = file.read()
        self.cuda, self.torch, self.launch = cuda, torch, self.record["launch"]
        self.module, self.function = C.c_void_p(), C.c_void_p()
        cuda("cuModuleLoadData", C.byref(self.module), self.image)
        cuda("cuModuleGetFunction", C.byref(self.function), self.module, self.launch["entry"].encode())
        cuda("cuFuncSetAttribute", self.function, MAX_DYNAMIC_SMEM, self.launch["smem_bytes"])

    def resident(self, config):
        count, launch = C.c_int(), self.launch
        if launch["cluster"] > 1:
            self.cuda("cuOccupancyMaxActiveClusters", C.byref(count), self.function, C.byref(config))
            return count.value
        self.cuda("cuOccupancyMaxActiveBlocksPerMultiprocessor", C.byref(count), self.function, launch["threads"],
                  C.c_size_t(launch["smem_bytes"]))
        return count.value * self.torch.cuda.get_device_properties(0).multi_processor_count

    def arguments(self, tensors, lse, scale):
        q, k, launch = tensors["q"], tensors["k"], self.launch
        b, sq, h, _ = q.shape
        m_tiles = -(-sq // launch["rows_per_tile"])
        self.tiles = m_tiles * h * b
        numbers = {"seqlen_q": sq, "seqlen_k": k.shape[1], "batch": b, "heads": h, "heads_kv": k.shape[2],
                   "head_ratio": h // k.shape[2], "tiles": self.tiles, "m_tiles": m_tiles}
        for p in launch["params"]:
            if p["kind"] == "tensor_map":
                yield tensor_map(self.cuda, tensors[p["tensor"]], p["box"], p["swizzle_bytes"], launch["dtype"])
            elif p["kind"] == "pointer":
                yield C.c_uint64(lse.data_ptr() if p["tensor"] == "lse" else tensors[p["tensor"]].data_ptr())
            elif p["kind"] == "scale_log2":
                yield C.c_float(scale * math.log2(math.e))
            else:
                yield C.c_uint32(numbers[p["kind"]])

    def prepare(self, q, k, v, o, lse, scale):
        """A function that launches on torch's current stream."""
        launch = self.launch
        values = list(self.arguments({"q": q, "k": k, "v": v, "o": o}, lse, scale))
        pointers = (C.c_void_p * len(values))(*[C.cast(C.byref(x), C.c_void_p) for x in values])
        cluster = LaunchAttribute(CLUSTER_DIMENSION, b"", (C.c_uint * 16)(launch["cluster"], 1, 1))
        config = LaunchConfig((C.c_uint * 3)(launch["cluster"], 1, 1), (C.c_uint * 3)(launch["threads"], 1, 1),
                              launch["smem_bytes"], None, C.pointer(cluster), int(launch["cluster"] > 1))
        clusters = self.tiles
        if launch["grid"] == "persistent":
            clusters = min(clusters, self.resident(config))
        config.grid[0] = clusters * launch["cluster"]

        def run():
            config.stream = self.torch.cuda.current_stream().cuda_stream
            self.cuda("cuLaunchKernelEx", C.byref(config), self.function, pointers, None)
        run.keep = (values, cluster, config)
        return run


# ---- the GPU's state ----

class Nvml:
    """Clocks, temperature, power; nothing where NVML is not there."""

    def __init__(self, cuda):
        self.device = None
        try:
            self.lib = C.CDLL("libnvidia-ml.so.1")
            bus, device = C.create_string_buffer(32), C.c_void_p()
            cuda("cuDeviceGetPCIBusId", bus, 32, 0)
            if not self.lib.nvmlInit_v2() and not self.lib.nvmlDeviceGetHandleByPciBusId_v2(bus, C.byref(device)):
                self.device = device
        except (OSError, AttributeError, RuntimeError):
            pass

    def number(self, name, *arguments):
        value = C.c_uint()
        return None if getattr(self.lib, name)(self.device, *arguments, C.byref(value)) else value.value

    def state(self):
        if not self.device:
            return {}
        power = self.number("nvmlDeviceGetPowerUsage")
        return {"sm_mhz": self.number("nvmlDeviceGetClockInfo", 1), "memory_mhz": self.number("nvmlDeviceGetClockInfo", 2),
                "celsius": self.number("nvmlDeviceGetTemperature", 0), "watts": power and power / 1000}

    def driver(self):
        text = C.create_string_buffer(96)
        return text.value.decode() if self.device and not self.lib.nvmlSystemGetDriverVersion(text, 96) else None


# ---- what is right ----

def exact_rows(torch, q, k, v, rows, causal, scale, plain=False):
    """O and LSE of some rows of one head, in float64; or O as a plain 16-bit kernel rounds it: P and O to 16 bits."""
    kind = torch.float32 if plain else torch.float64
    s = (q[rows].to(kind) @ k.to(kind).T) * scale
    if causal:
        last = torch.as_tensor(rows, device=s.device)[:, None] + k.shape[0] - q.shape[0]
        s = s.masked_fill(torch.arange(k.shape[0], device=s.device)[None] > last, -math.inf)
    lse = torch.logsumexp(s, -1)
    p = torch.exp(s - torch.where(lse.isfinite(), lse, 0.0)[:, None])
    if not plain:
        return p @ v.to(kind), lse
    p = torch.exp(s - torch.where(lse.isfinite(), s.amax(-1), 0.0)[:, None])
    o = p.to(q.dtype).to(kind) @ v.to(kind) / p.sum(-1).clamp_min(1e-30)[:, None]
    return o.to(q.dtype), lse


def check(torch, q, k, v, o, lse, causal, scale, heads=3, rows=192):
    """Compares sampled rows of sampled heads; the first and the last row are among them."""
    pick = random.Random(1)
    b, sq, h, _ = q.shape
    worst = {"error": 0.0, "plain": 0.0, "lse_error": 0.0}
    empty_right = True
    for _ in range(heads):
        i, j = pick.randrange(b), pick.randrange(h)
        some = sorted({0, sq - 1, *(pick.randrange(sq) for _ in range(rows))})
        kv = j // (h // k.shape[2])
        one = (q[i, :, j], k[i, :, kv], v[i, :, kv], some, causal, scale)
        exact, exact_lse = exact_rows(torch, *one)
        plain, _ = exact_rows(torch, *one, plain=True)
        there = exact_lse.isfinite()
        ours, ours_lse = o[i, some, j].double(), lse[i, j, some].double()
        empty_right &= bool((ours_lse[~there] == -math.inf).all()) and bool((ours[~there] == 0).all())
        for name, a, e in (("error", ours[there], exact[there]), ("plain", plain.double()[there], exact[there]),
                           ("lse_error", ours_lse[there], exact_lse[there])):
            if e.numel():
                gap = (a - e).abs().max().item()
                worst[name] = math.inf if gap != gap else max(worst[name], gap)
    worst["right"] = (worst["error"] <= 2 * worst["plain"] + 1e-5 and worst["lse_error"] <= 1e-3 and empty_right)
    return worst


def checked(torch, *arguments):
    """check, whose own failure is a wrong result and no reason to lose the times."""
    try:
        return check(torch, *arguments)
    except RuntimeError as why:
        return {"right": False, "failed": str(why).splitlines()[0][:200]}


def check_shapes(torch, kernel, shapes):
    """Shapes that bite, each checked; the worst comes back."""
    launch = kernel.launch
    d, dtype = launch["head_dim"], getattr(torch, DTYPES[launch["dtype"]][0])
    results = []
    for b, h, hk, sq, sk in shapes:
        torch.manual_seed(1)
        q = torch.randn(b, sq, h, d, device="cuda", dtype=dtype)
        k, v = (torch.randn(b, sk, hk, d, device="cuda", dtype=dtype) for _ in range(2))
        o, lse = torch.full_like(q, math.nan), torch.full((b, h, sq), math.nan, device="cuda")
        kernel.prepare(q, k, v, o, lse, d ** -0.5)()
        torch.cuda.synchronize()
        results.append({"shape": [b, h, hk, sq, sk], **checked(torch, q, k, v, o, lse, launch["causal"], d ** -0.5)})
    return results


SHAPES = [(1, 1, 1, 1, 1), (1, 2, 1, 300, 300), (2, 4, 2, 257, 1000), (1, 3, 3, 1000, 257), (1, 1, 1, 1, 513),
          (1, 16, 4, 1024, 1024), (3, 2, 2, 2000, 4099)]


# ---- the peers ----

def sdpa(torch, backend, q, k, v, causal):
    from torch.nn.attention import SDPBackend, sdpa_kernel
    qt, kt, vt = (x.transpose(1, 2) for x in (q, k, v))
    which = {"cudnn": SDPBackend.CUDNN_ATTENTION, "flash": SDPBackend.FLASH_ATTENTION}[backend]

    def run():
        with sdpa_kernel(which):
            return torch.nn.functional.scaled_dot_product_attention(qt, kt, vt, is_causal=causal)
    return run


def flex(torch, q, k, v, causal):
    """torch's Triton kernels."""
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention
    qt, kt, vt = (x.transpose(1, 2) for x in (q, k, v))
    mask = None
    if causal:
        mask = create_block_mask(lambda b, h, i, j: i >= j, None, None, q.shape[1], k.shape[1], device="cuda")
    compiled = torch.compile(flex_attention, dynamic=False)
    return lambda: compiled(qt, kt, vt, block_mask=mask)


def fa4_object(folder, q, causal):
    """FlashAttention-4's kernel from what fa4_build.py wrote; needs tvm_ffi and no compiler."""
    import tvm_ffi
    C.CDLL("libcudart.so.13", mode=C.RTLD_GLOBAL)
    base = os.path.join(folder, f"fa4_hd{q.shape[-1]}_{'causal' if causal else 'full'}.so")
    return tvm_ffi.load_module(os.path.abspath(base)).func


def fa4(torch, folder, q, k, v, causal):
    """FlashAttention-4's kernel for this GPU, LSE written as ours does."""
    if not folder:
        from flash_attn.cute import flash_attn_func
        return lambda: flash_attn_func(q, k, v, causal=causal)
    kernel = fa4_object(folder, q, causal)
    o, lse = torch.full_like(q, math.nan), torch.full((q.shape[0], q.shape[2], q.shape[1]), math.nan, device="cuda")
    run = lambda: kernel(q, k, v, o, lse, q.shape[-1] ** -0.5, *[None] * 9, (None, None), None, None)
    run.keep = (kernel, o, lse)
    run.check = lambda: checked(torch, q, k, v, o, lse, causal, q.shape[-1] ** -0.5)
    return run


def make_peers(torch, args, q, k, v, causal, absent, checks):
    made = {}
    for name in args.peers:
        try:
            if name == "triton":
                run = flex(torch, q, k, v, causal)
            elif name == "fa4":
                run = fa4(torch, args.fa4, q, k, v, causal)
            else:
                run = sdpa(torch, name, q, k, v, causal)
            run()
            torch.cuda.synchronize()
            if hasattr(run, "check"):
                checks[name] = run.check()
            made[name] = run
        except Exception as why:  # whatever a peer lacks here is its own business
            absent[name] = f"{type(why).__name__}: {why}".splitlines()[0][:200]
    return made


# ---- the measurement ----

def time_once(torch, run, ms):
    """Mean milliseconds of as many launches as fit into `ms`, by events; one launch goes before."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record(); run(); end.record()
    end.synchronize()
    launches = max(3, int(ms / max(start.elapsed_time(end), 0.005)))
    start.record()
    for _ in range(launches):
        run()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / launches


def measure(torch, runs, rounds, ms, seed):
    order, samples = random.Random(seed), {name: [] for name in runs}
    for run in runs.values():
        time_once(torch, run, ms)
    for _ in range(rounds):
        names = list(runs)
        order.shuffle(names)
        for name in names:
            samples[name].append(time_once(torch, runs[name], ms))
    return samples


def run_point(torch, args, nvml, kernels, seq):
    """One problem, all kernels for it and all peers. Our first kernel's error comes with it."""
    launch = kernels[0][1].launch
    d, causal, dtype = launch["head_dim"], launch["causal"], getattr(torch, DTYPES[launch["dtype"]][0])
    b, h = max(1, args.tokens // seq), args.heads or 2048 // d
    hk = args.kv_heads or h
    torch.manual_seed(0)
    q = torch.randn(b, seq, h, d, device="cuda", dtype=dtype)
    k, v = (torch.randn(b, seq, hk, d, device="cuda", dtype=dtype) for _ in range(2))
    runs, checks, absent = {}, {}, {}
    for name, kernel in kernels:
        o, lse = torch.full_like(q, math.nan), torch.full((b, h, seq), math.nan, device="cuda")
        runs[name] = kernel.prepare(q, k, v, o, lse, d ** -0.5)
        runs[name]()
        torch.cuda.synchronize()
        checks[name] = checked(torch, q, k, v, o, lse, causal, d ** -0.5)
    if hk == h:
        runs.update(make_peers(torch, args, q, k, v, causal, absent, checks))
    else:
        absent = {name: "not asked with fewer key heads" for name in args.peers}
    before = nvml.state()
    samples = measure(torch, runs, args.rounds, args.ms, seq)
    flops = 4 * b * h * seq * seq * d / (2 if causal else 1)
    point = {"head_dim": d, "causal": causal, "dtype": launch["dtype"], "seq": seq, "batch": b, "heads": h, "kv_heads": hk,
             "tflops": {}, "ms": {}, "samples_ms": samples, "check": checks, "absent": absent, "before": before,
             "after": nvml.state()}
    for name, times in samples.items():
        point["ms"][name] = statistics.median(times)
        point["tflops"][name] = flops / point["ms"][name] * 1e-9
    return point


def show(point, ours):
    peers = {n: t for n, t in point["tflops"].items() if n not in ours}
    best = max(peers.values(), default=None)
    line = f"hd{point['head_dim']:<3} {'causal' if point['causal'] else 'full  '} {point['seq']:>6}"
    for name, tflops in point["tflops"].items():
        ratio = f" ({tflops / best:.3f})" if best and name in ours else ""
        line += f"  {name} {tflops:.0f}{ratio}"
    wrong = [n for n, c in point["check"].items() if not c["right"]]
    state = point["after"]
    line += f"  {state['sm_mhz']} MHz {state['celsius']} C" if state else ""
    print(line + (f"  WRONG: {', '.join(wrong)}" if wrong else ""), flush=True)


def find_kernels(args, cuda, torch):
    """Kernels of the folder that this GPU can load, grouped by what they compute."""
    major, minor = torch.cuda.get_device_capability()
    groups = {}
    for file in sorted(os.listdir(args.dir)):
        base = os.path.join(args.dir, file[:-5])
        if not file.endswith(".json") or not os.path.exists(base + ".cubin") or args.only not in file:
            continue
        with open(base + ".json") as record:
            launch = json.load(record)["launch"]
        if launch["target"] != f"sm_{major}{minor}a":
            continue
        kernel = Kernel(cuda, torch, base)
        groups.setdefault((launch["head_dim"], launch["causal"], launch["dtype"]), []).append((file[:-5], kernel))
    if not groups:
        sys.exit(f"{args.dir} holds no kernel for sm_{major}{minor}a; `peers.py build` makes them")
    return groups


def run(args):
    import torch
    torch.zeros(1, device="cuda")
    cuda = Cuda()
    nvml = Nvml(cuda)
    result = {"date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
              "gpu": torch.cuda.get_device_name(0), "driver": nvml.driver(), "torch": torch.__version__,
              "cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version(), "python": platform.python_version(),
              "command": sys.argv[1:], "state": nvml.state(), "kernels": {}, "shapes": {}, "points": []}
    print(f"{result['gpu']}, driver {result['driver']}, torch {result['torch']}, cuDNN {result['cudnn']}")
    groups, wrong = find_kernels(args, cuda, torch), 0
    for _, kernels in sorted(groups.items()):
        for name, kernel in kernels:
            result["kernels"][name] = {key: kernel.record[key] for key in ("schedule", "ptx_hash", "ptxas")}
            if not args.no_shapes:
                result["shapes"][name] = check_shapes(torch, kernel, SHAPES)
                bad = [c["shape"] for c in result["shapes"][name] if not c["right"]]
                wrong += len(bad)
                print(f"{name}: {len(SHAPES)} shapes against float64: {'WRONG ' + str(bad) if bad else 'right'}", flush=True)
        for seq in args.seq:
            point = run_point(torch, args, nvml, kernels, seq)
            result["points"].append(point)
            wrong += sum(not c["right"] for c in point["check"].values())
            show(point, [name for name, _ in kernels])
            store(args, result)
    print(f"wrote {args.out}")
    return 1 if wrong else 0


def store(args, result):
    """After every point, so that a run that is cut off leaves what it had."""
    if not args.out:
        gpu = "".join(c if c.isalnum() else "-" for c in result["gpu"].lower())
        args.out = os.path.join(ROOT, "tests", "bench", "results", f"peers-{gpu}-{result['date'][:10]}.json")
    os.makedirs(os.path.dirname(os.path.abspath(args.out)), exist_ok=True)
    with open(args.out + ".new", "w") as file:
        json.dump(result, file, indent=1)
    os.replace(args.out + ".new", args.out)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    b = commands.add_parser("build", help="write cubins and launch records")
    b.add_argument("schedules", nargs="*", help="SCHEDULE or SCHEDULE,key=value,.. (the shipped sm90 ones)")
    b.add_argument("--warploom", default=os.path.join(ROOT, "build", "warploom"))
    r = commands.add_parser("run", help="measure on the GPU")
    for p in (b, r):
        p.add_argument("--dir", default=os.path.join(ROOT, "build", "bench"))
    numbers = lambda text: [int(x) for x in text.split(",")]
    r.add_argument("--seq", type=numbers, default=[1024, 4096, 16384])
    r.add_argument("--tokens", type=int, default=16384, help="batch x sequence length")
    r.add_argument("--heads", type=int, default=0, help="2048 / head_dim")
    r.add_argument("--kv-heads", type=int, default=0)
    r.add_argument("--peers", type=lambda t: [x for x in t.split(",") if x], default=["cudnn", "flash"],
                   help="of cudnn,flash,fa4,triton")
    r.add_argument("--fa4", default="", help="folder that fa4_build.py filled; else the package flash-attn-4 is used")
    r.add_argument("--rounds", type=int, default=9)
    r.add_argument("--ms", type=float, default=20, help="of each sample")
    r.add_argument("--only", default="", help="part of the kernels' names")
    r.add_argument("--no-shapes", action="store_true", help="skip the odd shapes")
    r.add_argument("-o", dest="out", default="", help="JSON file (tests/bench/results/peers-GPU-DATE.json)")
    args = parser.parse_args()
    sys.exit(build(args) if args.command == "build" else run(args))


if __name__ == "__main__":
    main()
