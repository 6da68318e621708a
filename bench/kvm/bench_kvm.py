#!/usr/bin/python3
"""Times the backend kvm beside nil: bench_kvm.py BUILD

A kernel's time by the workload's own clock; calls that leave the machine; the time from `broch run` to a workload's
first line; memory of a keep that waits; the echo server of tests/e2e/programs. The backends are measured in turn.
Limits of calls and start are others where KVM is itself software. Ends with 1 if a limit was missed.

What it builds goes to BUILD/bench/wasi, beside what bench_wasi.py builds.
"""
import os
import pathlib
import re
import shlex
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(ROOT / other) for other in ("bench", "bench/wasm", "bench/wasi")]

import bench_wasi  # noqa: E402 (its folder is no package)
import bench_wasm  # noqa: E402
import parts  # noqa: E402
from bench_wasm import CLANG, FLAGS, Failure, build_if_older  # noqa: E402

# Compute, memory, floating point, and jumps that nobody can foresee.
KERNELS = ["sha256", "hash_table", "gemm", "bytecode_interpreter"]
CALLS = {"clock": 2_000, "write": 2_000}
CONNECTIONS = {1: 3_000, 16: 10_000}

COMPUTE_MAX = 1.03
CALL_US_MAX = {"hardware": 3, "software": 60}
START_MS_MAX = {"hardware": 50, "software": 1000}
STARTS = 20
IDLE_MB_MAX = 40


def kind_of_kvm():
    """Without instructions for virtual machines there is no KVM but one of software."""
    text = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
    return "hardware" if re.search(r"^flags\s*:.*\b(vmx|svm)\b", text, re.MULTILINE) else "software"


class Bench(bench_wasi.Bench):
    def build_programs(self):
        super().build_programs()
        source, headers = HERE / "work.c", [ROOT / "bench/wasm/kernels/kernel.h"]
        for name in KERNELS:
            kernel = ROOT / f"bench/wasm/kernels/{name}.c"
            build_if_older(self.module(f"work_{name}"), [source, kernel, *headers],
                           [CLANG, *FLAGS, *bench_wasi.WASI, "-mbulk-memory", source, kernel, "-o",
                            self.module(f"work_{name}")])

    def words(self, backend, name, *args, **options):
        command = self.run_words(name, *args, **options)
        return [*command[:2], "--backend", backend, *command[2:]]

    def inside(self, backend, *words):
        """The result and the nanoseconds that a workload tells."""
        command = self.words(backend, *words)
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              text=True, check=False)
        if done.returncode != 0:
            raise Failure(f"{shlex.join(map(str, command))} ended with {done.returncode}\n{done.stderr}")
        return tuple(map(int, done.stderr.split()))


def compute_figures(bench, report):
    for name in KERNELS:
        scale = bench_wasm.SCALARS[name] // (40 if bench.quick else 8)
        ratios = []
        for turn in range(2 * bench.runs + 1):
            (result, nil), (same, kvm) = (bench.inside(backend, f"work_{name}", "kernel", scale)
                                          for backend in ("nil", "kvm"))
            if result != same:
                raise Failure(f"{name} is {result} on nil, {same} on kvm")
            if turn > 0:
                ratios.append(kvm / nil)
        report.target(f"{name}, {2 * bench.runs} pairs, {nil / 1e6:.0f} ms", statistics.median(ratios), "x nil",
                      at_most=COMPUTE_MAX)


def call_figures(bench, report):
    for name, calls in CALLS.items():
        count = calls // (10 if bench.quick else 1)
        # the least: what others on the machine take of its time is not the call's
        us = {backend: min(bench.inside(backend, f"work_{KERNELS[0]}", name, count)[1]
                           for _ in range(4 * bench.runs)) / count / 1e3 for backend in ("nil", "kvm")}
        report.target(f"a call: {name}, {bench.kind} KVM (nil {us['nil']:.2f} us)", us["kvm"], "us",
                      at_most=CALL_US_MAX[bench.kind])


def start_ms(bench, backend):
    begin = time.monotonic()
    with subprocess.Popen(bench.words(backend, "hello"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        line = process.stdout.readline()
        ms = (time.monotonic() - begin) * 1e3
    if process.returncode != 0 or line != b"hello, world\n":
        raise Failure(f"hello ended with {process.returncode}")
    return ms


def start_figures(bench, report):
    ms = {backend: statistics.median(start_ms(bench, backend) for _ in range(STARTS)) for backend in ("nil", "kvm")}
    report.target(f"start to the first line, {bench.kind} KVM (nil {ms['nil']:.1f} ms)", ms["kvm"], "ms",
                  at_most=START_MS_MAX[bench.kind])


def resident_mb(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(re.search(r"^VmRSS:\s+(\d+) kB", text, re.MULTILINE)[1]) * 1024 / 1e6


def memory_figures(bench, report):
    with subprocess.Popen(bench.words("kvm", "hello", "wait"), stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii")
        sizes = [resident_mb(pid) for pid in (process.pid, *children.split())]
        process.communicate()
    if process.returncode != 0 or len(sizes) != 2:
        raise Failure(f"hello ended with {process.returncode}, {len(sizes)} processes")
    report.target(f"idle: loader {sizes[0]:.1f} MB, machine {sizes[1]:.1f} MB", sum(sizes), "MB", at_most=IDLE_MB_MAX)


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
    samples = {backend: [] for backend in ("nil", "kvm")}
    for _ in range(bench.runs):
        for backend, rates in samples.items():
            rates.append(echo_rates(bench, backend))
    for connections in CONNECTIONS:
        nil, kvm = (statistics.median(rates[connections] for rates in samples[backend]) for backend in samples)
        name = f"echo, {connections} at once: {kvm:.0f}/s, nil {nil:.0f}"
        report.figures[name] = kvm / nil
        report.say(f"{name:<42} {kvm / nil:9.3f} x nil     no target")


PARTS = {"compute": compute_figures, "call": call_figures, "start": start_figures, "memory": memory_figures,
         "echo": echo_figures}


def main():
    options = parts.read_options(__doc__, PARTS)
    report = bench_wasm.Report(options.json)
    device = os.environ.get("BROCH_KVM_DEVICE") or "/dev/kvm"
    if not os.access(device, os.R_OK | os.W_OK):
        report.say(f"not measured: {device} cannot be used")
        return 0
    try:
        bench = Bench(options)
        bench.kind = kind_of_kvm()
        bench.build_programs()
    except (Failure, OSError) as failure:
        report.wrong("bench_kvm", failure)
        return 1
    parts.measure(options, report, PARTS, (Failure,), bench)
    return parts.finish(options, report)


if __name__ == "__main__":
    sys.exit(main())
