#!/usr/bin/python3
"""Times what workloads do with the world under `broch run`, beside the same C source built natively.

Writing blocks of 4 KiB to a file, /dev/null and a pipe; the echo server of tests/e2e/programs over
loopback, driven by echo_load; start and memory of a hello world; start of a large module. Peers are
measured in turn and medians are compared.

What it builds goes to BUILD/bench/wasi, the file that is written too.
"""
import contextlib
import os
import pathlib
import resource
import shlex
import socket
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "bench/wasm")]

import bench_wasm  # noqa: E402 (its folder is no package)
import parts  # noqa: E402
from bench_wasm import CLANG, FLAGS, Failure, build_if_older  # noqa: E402

WASI = ["--target=wasm32-wasi", "-Wl,-z,stack-size=1048576"]
BLOCK = 4096
BLOCKS = {"file": 100_000, "/dev/null": 2_000_000, "pipe": 300_000}
CONNECTIONS = {1: 30_000, 16: 100_000, 200: 100_000}  # and how many requests
REQUEST_SIZE = 64
LARGE_SIZE = 20_000_000
STDIO = "".join(f'[{name}]\nkind = "host"\n' for name in ("stdin", "stdout", "stderr"))

# Targets. Where nothing is moved, as to /dev/null, what is seen is the interpreter: shown, without a target.
WRITE_MIN = 0.8
ECHO_MIN = 0.7
HELLO_MS_MAX = 20
HELLO_MB_MAX = 12
LARGE_S_MAX = 0.5


class Bench:
    def __init__(self, options):
        self.build = options.build
        self.folder = options.build / "bench" / "wasi"
        self.broch = options.build / "src" / "cli" / "broch"
        self.load = options.build / "bench" / "echo_load"
        self.measure_program = self.folder / "measure"
        self.quick = options.quick
        self.runs = 3 if options.quick else options.runs
        for program in (self.broch, self.load):
            if not program.exists():
                raise Failure(f"there is no {program}: build it first")

    def build_programs(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        build_if_older(self.measure_program, [ROOT / "bench/wasm/measure.c"],
                       [CLANG, *FLAGS, "-static", ROOT / "bench/wasm/measure.c", "-o", self.measure_program])
        for source in (HERE / "write.c", HERE / "hello.c", ROOT / "tests/e2e/programs/echo.c"):
            build_if_older(self.native(source.stem), [source],
                           [CLANG, *FLAGS, source, "-o", self.native(source.stem)])
            build_if_older(self.module(source.stem), [source],
                           [CLANG, *FLAGS, *WASI, source, "-o", self.module(source.stem)])

    def native(self, name):
        return self.folder / name

    def module(self, name):
        return self.folder / f"{name}.wasm"

    def run_words(self, name, *args, config=None):
        words = [self.broch, "run"]
        if config is not None:
            path = self.folder / "Keep.toml"
            path.write_text(config)
            words += ["--wasmcfgfile", path]
        return [*words, self.module(name), "--", *map(str, args)]

    def seconds(self, command, out):
        """The wall-clock time of a command whose standard output is `out`."""
        done = subprocess.run([self.measure_program, *command], stdin=subprocess.DEVNULL, stdout=out,
                              stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            raise Failure(f"{shlex.join(map(str, command))} ended with {done.returncode}\n{done.stderr}")
        return int(done.stderr.split()[-2]) / 1e9

    def processor_seconds(self, command, out):
        """The processor time of a command and of what it starts, in user and kernel mode: what it takes
        to write, however busy the machine and its disk are."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.seconds(command, out)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime

    def medians(self, commands, measure):
        """Of each named command, measured in turn; the first turn warms up."""
        samples = {name: [] for name in commands}
        for turn in range(self.runs + 1):
            for name, command in commands.items():
                value = measure(command)
                if turn > 0:
                    samples[name].append(value)
        return {name: statistics.median(values) for name, values in samples.items()}


@contextlib.contextmanager
def one_processor():
    """What is started in the block shares one, and takes turns. On two, times hang on how often one waits
    for the other and has to be woken: they differ threefold from run to run, whichever the peer."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


# Writing

def write_to_file(bench, path, count, command):
    with open(path, "wb") as out:  # truncated each time, and removed, so that all start alike
        seconds = bench.processor_seconds(command, out)
    size = path.stat().st_size
    path.unlink()
    if size != count * BLOCK:
        raise Failure(f"{command[0]} wrote {size} bytes, not {count * BLOCK}")
    return seconds


def write_to_pipe(bench, count, command):
    with one_processor(), \
            subprocess.Popen(["wc", "-c"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as reader:
        seconds = bench.processor_seconds(command, reader.stdin)
        reader.stdin.close()
        size = int(reader.stdout.read())
    if size != count * BLOCK:
        raise Failure(f"{command[0]} wrote {size} bytes, not {count * BLOCK}")
    return seconds


def write_to_null(bench, command):
    with open("/dev/null", "wb") as out:
        return bench.processor_seconds(command, out)


def write_figures(bench, report):
    for where, blocks in BLOCKS.items():
        count = blocks // (10 if bench.quick else 1)
        commands = {"native": [bench.native("write"), str(count)],
                    "broch": bench.run_words("write", count)}
        measure = {"file": lambda c, n=count: write_to_file(bench, bench.folder / "written", n, c),
                   "pipe": lambda c, n=count: write_to_pipe(bench, n, c),
                   "/dev/null": lambda c: write_to_null(bench, c)}[where]
        times = bench.medians(commands, measure)
        ns = {name: seconds / count * 1e9 for name, seconds in times.items()}
        report.peer(f"4 KiB to {where}", times["native"] / times["broch"], "native", ns["broch"], ns["native"], "ns",
                    at_least=None if where == "/dev/null" else WRITE_MIN)


# The echo server

def free_port():
    with socket.socket(socket.AF_INET6) as s:
        s.bind(("::", 0))
        return s.getsockname()[1]


@contextlib.contextmanager
def serving(command):
    """Runs a server, which has said that it listens, until the end of the block."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.PIPE) as process:
        try:
            if process.stdout.readline() != "listening\n":
                raise Failure(f"{shlex.join(map(str, command))} does not listen\n{process.stderr.read()}")
            yield
            out, err = process.communicate(timeout=60)
            if process.returncode != 0 or not out.endswith(" 0 broken\n"):
                raise Failure(f"{shlex.join(map(str, command))} said {out}{err}")
        finally:
            process.kill()


def echo_figures(bench, report):
    ports = {"native": free_port(), "broch": free_port()}
    config = f'{STDIO}[network.incoming.{ports["broch"]}]\nprot = "tcp"\n'
    with one_processor(), serving([bench.native("echo"), str(ports["native"])]), \
            serving(bench.run_words("echo", ports["broch"], config=config)):
        for connections, requests in CONNECTIONS.items():
            count = requests // (10 if bench.quick else 1)

            def load(port, connections=connections, count=count):
                done = subprocess.run([bench.load, *map(str, (port, connections, count, REQUEST_SIZE))],
                                      capture_output=True, text=True, check=False)
                if done.returncode != 0:
                    raise Failure(f"echo_load ended with {done.returncode}\n{done.stderr}")
                return int(done.stdout) / count
            ns = bench.medians(ports, load)
            rate = {name: 1e9 / value for name, value in ns.items()}
            report.peer(f"echo, {connections} at once", rate["broch"] / rate["native"], "native", rate["broch"],
                        rate["native"], "/s", at_least=ECHO_MIN)


# Start

def high_water_mb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise Failure("the kernel tells no VmHWM")


def hello_memory(bench):
    """The most memory that the loader and the keep have had when the workload runs, in MB."""
    with subprocess.Popen(bench.run_words("hello", "wait"), stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii")
        sizes = {"loader": high_water_mb(process.pid)}
        for number, pid in enumerate(children.split()):
            sizes["keep" if number == 0 else f"keep {number}"] = high_water_mb(pid)
        process.communicate()
        if process.returncode != 0 or len(sizes) < 2:
            raise Failure(f"hello ended with {process.returncode}, processes: {' '.join(sizes)}")
    return sizes


def start_seconds(bench, command, runs):
    """The median of the wall-clock time, once it has run."""
    with open("/dev/null", "wb") as out:
        bench.seconds(command, out)
        return statistics.median(bench.seconds(command, out) for _ in range(runs))


def hello_figures(bench, report):
    runs = bench.runs * 4
    native = start_seconds(bench, [bench.native("hello")], runs)
    report.target(f"hello, whole process (native {native * 1e3:.1f} ms)",
                  start_seconds(bench, bench.run_words("hello"), runs) * 1e3, "ms", at_most=HELLO_MS_MAX)
    for name, megabytes in hello_memory(bench).items():
        report.target(f"hello, peak memory of the {name}", megabytes, "MB", at_most=HELLO_MB_MAX)


def build_large(bench):
    """All scalar kernels behind the hello world, their code repeated until it is large."""
    bench_wasm.build_large(bench.folder)
    objects = [bench.folder / f"{name}.o" for name in bench_wasm.SCALARS]
    linked, large = bench.folder / "hello_kernels.wasm", bench.module("large_hello")
    exports = [f"-Wl,--export=run_{name}" for name in bench_wasm.SCALARS]
    build_if_older(linked, [*objects, HERE / "hello.c"],
                   [CLANG, *FLAGS, *WASI, "-mbulk-memory", "-ftls-model=local-exec", HERE / "hello.c",
                    *objects, *exports, "-o", linked])
    if not large.exists() or large.stat().st_mtime < linked.stat().st_mtime:
        large.write_bytes(bench_wasm.enlarge(linked.read_bytes(), LARGE_SIZE))
    return large.stat().st_size


def large_figures(bench, report):
    size = build_large(bench)
    seconds = start_seconds(bench, bench.run_words("large_hello"), bench.runs)
    report.target(f"start of a module of {size / 1e6:.1f} MB", seconds, "s", at_most=LARGE_S_MAX)


PARTS = {"write": write_figures, "echo": echo_figures, "hello": hello_figures, "large": large_figures}


def main():
    options = parts.read_options(__doc__, PARTS, quick="a tenth of the work, three runs")
    report = parts.Report(options.json)
    try:
        bench = Bench(options)
        bench.build_programs()
    except (Failure, OSError) as failure:
        report.wrong("bench_wasi", failure)
        return 1
    parts.measure(options, report, PARTS, (Failure,), bench)
    return parts.finish(options, report)


if __name__ == "__main__":
    sys.exit(main())
