"""Times a backend beside nil, for the scripts of each.

A kernel's time on the processor; calls that leave the keep; the time from `broch run` to a workload's
first line, without attestation; memory of a keep that waits; the echo server of tests/e2e/programs. The backends are
measured in turn. What is built goes to BUILD/bench/wasi, beside what bench_wasi.py builds.
"""
import contextlib
import dataclasses
import os
import pathlib
import re
import resource
import shlex
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(HERE / other) for other in ("wasm", "wasi")]

import bench_wasi  # noqa: E402 (its folder is no package)
import bench_wasm  # noqa: E402
import parts  # noqa: E402
from bench_wasm import CLANG, FLAGS, Failure, build_if_older  # noqa: E402

# Compute, memory, floating point, and jumps that nobody can foresee.
KERNELS = ["sha256", "hash_table", "gemm", "bytecode_interpreter"]
CALLS = {"clock": 2_000, "write": 2_000}
CONNECTIONS = {1: 3_000, 16: 10_000}

COMPUTE_MAX = 1.03
STARTS = 20


@dataclasses.dataclass
class Backend:
    """Its name and limits; a limit of None: there is none."""
    name: str
    kind: str  # what it runs on here
    call_us_max: float
    start_ms_max: float
    idle_mb_max: float
    words: tuple = ()  # more options of `broch run`


def kvm_device():
    """None: it cannot be used."""
    device = os.environ.get("BROCH_KVM_DEVICE") or "/dev/kvm"
    return device if os.access(device, os.R_OK | os.W_OK) else None


def kind_of_kvm():
    """Without instructions for virtual machines there is no KVM but one of software."""
    text = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
    return "hardware" if re.search(r"^flags\s*:.*\b(vmx|svm)\b", text, re.MULTILINE) else "software"


class Bench(bench_wasi.Bench):
    def __init__(self, options, backend):
        super().__init__(options)
        self.backend = backend

    @property
    def names(self):
        """The peer, then what is measured."""
        return "nil", self.backend.name

    def build_programs(self):
        super().build_programs()
        source, headers = HERE / "work.c", [HERE / "wasm/kernels/kernel.h"]
        for name in KERNELS:
            kernel = HERE / f"wasm/kernels/{name}.c"
            build_if_older(self.module(f"work_{name}"), [source, kernel, *headers],
                           [CLANG, *FLAGS, *bench_wasi.WASI, "-mbulk-memory", source, kernel, "-o",
                            self.module(f"work_{name}")])

    def words(self, backend, name, *args, **options):
        command = self.run_words(name, *args, **options)
        more = self.backend.words if backend == self.backend.name else ()
        return [*command[:2], "--backend", backend, *more, *command[2:]]

    def inside(self, backend, *words):
        """The result and the nanoseconds that a workload tells."""
        command = self.words(backend, *words)
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              text=True, check=False)
        if done.returncode != 0:
            raise Failure(f"{shlex.join(map(str, command))} ended with {done.returncode}\n{done.stderr}")
        return tuple(map(int, done.stderr.splitlines()[-1].split()))  # a simulation says so first


def processor_ms(bench, backend, name, scale):
    """The result of a kernel, and the processor's time of everything that ran for it."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result, _ = bench.inside(backend, f"work_{name}", "kernel", scale)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return result, (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime) * 1e3


def compute_figures(bench, report):
    """The processor's time, less that of a start: however busy the machine is."""
    for name in KERNELS:
        scale = bench_wasm.SCALARS[name] // (40 if bench.quick else 8)
        starts = {backend: statistics.median(processor_ms(bench, backend, name, 1)[1] for _ in range(bench.runs))
                  for backend in bench.names}
        times = []
        for turn in range(bench.runs + 1):
            (result, nil), (same, ours) = (processor_ms(bench, backend, name, scale) for backend in bench.names)
            if result != same:
                raise Failure(f"{name} is {result} on nil, {same} on {bench.backend.name}")
            if turn > 0:
                times.append((nil - starts["nil"], ours - starts[bench.backend.name]))
        ratio = statistics.median(ours / nil for nil, ours in times)
        nil, ours = (statistics.median(column) for column in zip(*times))
        report.peer(name, ratio, "nil", ours, nil, "ms", at_most=COMPUTE_MAX)


def call_figures(bench, report):
    for name, calls in CALLS.items():
        count = calls // (10 if bench.quick else 1)
        # the least: what others on the machine take of its time is not the call's
        nil, ours = (min(bench.inside(backend, f"work_{KERNELS[0]}", name, count)[1]
                         for _ in range(4 * bench.runs)) / count / 1e3 for backend in bench.names)
        report.target(f"a call: {name}, {bench.backend.kind} (nil {nil:.2f})", ours, "us",
                      at_most=bench.backend.call_us_max)


def start_ms(bench, backend):
    begin = time.monotonic()
    with subprocess.Popen(bench.words(backend, "hello"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as process:
        line = process.stdout.readline()
        ms = (time.monotonic() - begin) * 1e3
    if process.returncode != 0 or line != b"hello, world\n":
        raise Failure(f"hello ended with {process.returncode}")
    return ms


def start_figures(bench, report):
    samples = {backend: [] for backend in bench.names}
    for _ in range(STARTS):
        for backend, ms in samples.items():
            ms.append(start_ms(bench, backend))
    nil, ours = (statistics.median(ms) for ms in samples.values())
    report.target(f"start to the first line, {bench.backend.kind} (nil {nil:.1f})", ours, "ms",
                  at_most=bench.backend.start_ms_max)


def resident_mb(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(re.search(r"^VmRSS:\s+(\d+) kB", text, re.MULTILINE)[1]) * 1024 / 1e6


def memory_figures(bench, report):
    with subprocess.Popen(bench.words(bench.backend.name, "hello", "wait"), stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        process.stdout.readline()
        children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii")
        sizes = [resident_mb(pid) for pid in (process.pid, *children.split())]
        process.communicate()
    if process.returncode != 0 or len(sizes) != 2:
        raise Failure(f"hello ended with {process.returncode}, {len(sizes)} processes")
    report.target(f"resident, idle (loader {sizes[0]:.1f}, keep {sizes[1]:.1f})", sum(sizes), "MB",
                  at_most=bench.backend.idle_mb_max)


def echo_rates(bench, backend):
    port = bench_wasi.free_port()
    config = f'{bench_wasi.STDIO}[network.incoming.{port}]\nprot = "tcp"\n'
    rates = {}
    with bench_wasi.one_processor(), bench_wasi.serving(bench.words(backend, "echo", port, config=config)):
        for connections, requests in CONNECTIONS.items():
            count = requests // (10 if bench.quick else 1)
            words = map(str, (bench.load, port, connections, count, bench_wasi.REQUEST_SIZE))
            done = subprocess.run([*words], capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise Failure(f"echo_load ended with {done.returncode}\n{done.stderr}")
            rates[connections] = count / int(done.stdout) * 1e9
    return rates


def echo_figures(bench, report):
    samples = {backend: [] for backend in bench.names}
    for _ in range(bench.runs):
        for backend, rates in samples.items():
            rates.append(echo_rates(bench, backend))
    for connections in CONNECTIONS:
        nil, ours = (statistics.median(rates[connections] for rates in samples[backend]) for backend in samples)
        report.peer(f"echo, {connections} at once", ours / nil, "nil", ours, nil, "/s")


PARTS = {"compute": compute_figures, "call": call_figures, "start": start_figures, "memory": memory_figures,
         "echo": echo_figures}


@contextlib.contextmanager
def simulated_platforms(build):
    """The options of `broch` for simulated platforms that are there until the end of the block."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name) / "sim"
        done = subprocess.run([build / "src/cli/broch", "sim", "init", "--dir", folder], capture_output=True, text=True,
                              check=False)
        if done.returncode != 0:
            raise Failure(f"broch sim init ended with {done.returncode}\n{done.stderr}")
        yield "--simulate", "--sim-dir", folder


def measure(options, report, backend):
    """Runs the parts; the exit status of the script."""
    try:
        bench = Bench(options, backend)
        bench.build_programs()
    except (Failure, OSError) as failure:
        report.wrong(f"bench_{backend.name}", failure)
    else:
        parts.measure(options, report, PARTS, (Failure,), bench)
    return parts.finish(options, report)
