#!/usr/bin/python3
"""Times a keep's TLS beside OpenSSL's own programs, and a keep's way from a registry to its first instruction.

A download and an echo over one connection with TLS_AES_128_GCM_SHA256; handshakes with certificates on both sides,
the keep's and the client's from a Steward; a deploy of 1 MiB by testhost, with evidence of a simulated platform,
and of a hello world on the simulated backends snp and sgx; start, size and memory. All clients are tls_load. Peers
are measured in turn and medians are compared.

What it builds goes to BUILD/bench/net.
"""
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(ROOT / other) for other in ("bench", "bench/wasm", "bench/wasi", "tests/e2e")]

import backend  # noqa: E402 (these folders are no packages)
import bench_wasm  # noqa: E402
import parts  # noqa: E402
import programs  # noqa: E402
import steward_host  # noqa: E402
import world  # noqa: E402
from bench_wasi import WASI, one_processor  # noqa: E402
from bench_wasm import CLANG, FLAGS, Failure, build_if_older  # noqa: E402

SIZE = 256 << 20
HANDSHAKES = 300
PACKAGE_SIZE = 1 << 20

# Targets (DESIGN.md §12)
DOWNLOAD_MIN = 0.9
ECHO_MIN = 0.45
HANDSHAKES_MIN = 0.8
DEPLOY_MS_MAX = 150
SNP_MS_MAX = {"hardware": 250, "software": 1000}
SGX_MS_MAX = 250
START_MS_MAX = 20
IMAGE_MIB_MAX = 8

KEEP = """steward = "{steward}"
steward_ca = "steward.pem"
args = ARGS
[stdin]
kind = "host"
[stdout]
kind = "host"
[stderr]
kind = "host"
[trust]
simulated = true
"""


class Bench:
    def __init__(self, options):
        self.build = options.build.resolve()
        self.folder = self.build / "bench" / "net"
        self.load = self.build / "bench" / "tls_load"
        self.quick = options.quick
        self.runs = 3 if options.quick else options.runs
        self.size = SIZE // 8 if options.quick else SIZE
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.load.exists():
            raise Failure(f"there is no {self.load}: build it first")
        self.echo = self.compile("tests/e2e/programs/echo.c")
        self.send = self.compile("bench/net/send.c")
        self.hello = self.compile("bench/wasi/hello.c")

    def compile(self, source):
        source = ROOT / source
        out = self.folder / f"{source.stem}.wasm"
        build_if_older(out, [source], [CLANG, *FLAGS, *WASI, source, "-o", out])
        return out

    def measure(self, *words):
        """Seconds that tls_load counted."""
        done = subprocess.run([self.load, *map(str, words)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failure(f"tls_load {words[0]} ended with {done.returncode}\n{done.stderr}")
        return int(done.stdout) / 1e9


# Servers

def processor_seconds(pid):
    """What the process and those below it have had so far."""
    total = 0
    for each in programs.process_tree(pid):
        for task in pathlib.Path(f"/proc/{each}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


class Server:
    def __init__(self, pid, port):
        self.pid, self.port = pid, port


@contextlib.contextmanager
def started(words, port, said, **options):
    """A server while it runs; `said` is a line of it by which it is ready, None: when its port answers."""
    with tempfile.TemporaryFile("w+") as log, \
            subprocess.Popen([str(word) for word in words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                             text=True, **options) as process:
        try:
            line = process.stdout.readline() if said is not None else None
            if line != said:
                log.seek(0)
                raise Failure(f"{words[0]} does not serve: {line}{log.read()}")
            if said is None:
                wait_for_port(port)
            yield Server(process.pid, port)
        finally:
            process.kill()


def is_listening(port):
    rows = [line.split() for name in ("tcp", "tcp6")
            for line in pathlib.Path(f"/proc/net/{name}").read_text(encoding="ascii").splitlines()[1:]]
    return any(row[1].endswith(f":{port:04X}") and row[3] == "0A" for row in rows)


def wait_for_port(port):
    for _ in range(500):
        if is_listening(port):
            return
        time.sleep(0.01)
    raise Failure(f"nobody listens at port {port}")


def openssl_server(identity, *words, **options):
    port = world.free_port()
    return started(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-quiet", "-tls1_3", "-num_tickets", "0",
                    "-ciphersuites", "TLS_AES_128_GCM_SHA256", "-cert", identity.chain, "-cert_chain", identity.rest,
                    "-key", identity.key, *words], port, None, **options)


@contextlib.contextmanager
def keep(bench, module, *args):
    """A keep without a Steward, whom everybody reaches; its module's arguments after the port."""
    port = world.free_port()
    config = bench.folder / f"{port}.toml"
    config.write_text(f"{programs.STDIO}[network.incoming.{port}]\nanonymous = true\n", encoding="ascii")
    words = [bench.build / "src/cli/broch", "run", "--wasmcfgfile", config, module, "--", port, *args]
    with started(words, port, "listening\n") as server:
        config.unlink()
        yield server


class Identity:
    """A key, and what a Steward has issued for it: the chain as a keep shows it, which is without the root; and what
    of that is behind the leaf."""

    def __init__(self, bench, around):
        self.key, self.chain, self.rest, self.roots = (
            bench.folder / name for name in ("key.pem", "chain.pem", "rest.pem", "roots.pem"))
        around.platforms.key(self.key)
        status, _, chain = around.steward.attest(self.key, "digest=" + "11" * 32)
        if status != 200:
            raise Failure(f"the Steward refuses: {chain}")
        leaf, *others, _ = steward_host.split(chain)
        self.chain.write_bytes(leaf + b"".join(others))
        self.rest.write_bytes(b"".join(others))
        self.roots.write_text(around.roots, encoding="ascii")


# What is measured

class Figure:
    """Of one server: seconds and its processor's seconds, medians."""

    def __init__(self):
        self.walls, self.loads = [], []

    @property
    def wall(self):
        return statistics.median(self.walls)

    @property
    def load(self):
        return statistics.median(self.loads)


def in_turn(bench, measures):
    """Of each named (server, measure); the first turn warms up."""
    figures = {name: Figure() for name in measures}
    for turn in range(bench.runs + 1):
        for name, (server, measure) in measures.items():
            before = processor_seconds(server.pid)
            wall = measure(server.port)
            load = processor_seconds(server.pid) - before
            if turn > 0:
                figures[name].walls.append(wall)
                figures[name].loads.append(load)
    return figures


def say_load(report, figures, peer, count, unit, scale):
    keep_load, peer_load = figures["keep"].load / count * scale, figures[peer].load / count * scale
    report.peer("  processor of the server alone", keep_load / peer_load, peer, keep_load, peer_load, unit)


def stream_figures(bench, report, around):
    """Downloads and echoes. A ratio is of rates."""
    identity = Identity(bench, around)
    (bench.folder / "file").write_bytes(os.urandom(bench.size))
    with openssl_server(identity, "-WWW", cwd=bench.folder) as www, \
            started([bench.load, "serve", port := world.free_port(), identity.key, identity.chain], port,
                    "listening\n") as native, \
            keep(bench, bench.send, bench.size) as sender, \
            keep(bench, bench.echo) as echo:
        downloads = in_turn(bench, {
            "s_server": (www, lambda port: bench.measure("download", port, bench.size, "file")),
            "keep": (sender, lambda port: bench.measure("download", port, bench.size))})
        echoes = in_turn(bench, {
            "native": (native, lambda port: bench.measure("echo", port, bench.size // 2)),
            "keep": (echo, lambda port: bench.measure("echo", port, bench.size // 2))})
    (bench.folder / "file").unlink()
    rates = {name: bench.size / 1e6 / figure.wall for name, figure in downloads.items()}
    report.peer("download", rates["keep"] / rates["s_server"], "s_server -WWW", rates["keep"], rates["s_server"], "MB/s",
                at_least=DOWNLOAD_MIN)
    say_load(report, downloads, "s_server", bench.size, "ns/B", 1e9)
    echo_rates = {name: bench.size / 2e6 / figure.wall for name, figure in echoes.items()}
    report.peer("echo", echo_rates["keep"] / echo_rates["native"], "native", echo_rates["keep"], echo_rates["native"],
                "MB/s", at_least=ECHO_MIN)
    report.peer("echo, of s_server's download", echo_rates["keep"] / rates["s_server"], "s_server -WWW",
                echo_rates["keep"], rates["s_server"], "MB/s", at_least=ECHO_MIN)
    say_load(report, echoes, "native", bench.size // 2, "ns/B", 1e9)


@contextlib.contextmanager
def attested_keep(bench, around):
    """The echo server, attested, with a certificate; it admits any keep of its Steward's."""
    port = world.free_port()
    config = KEEP.replace("ARGS", f'["{port}"]') + f'[network.incoming.{port}]\npeers = "any"\n'
    around.publish("alice/app/_tag/1.0.0", around.package("echo", bench.echo.read_bytes(), config))
    words = around.testhost("--log-level", "warn").words + around.deploy_words("alice/app:1.0.0")
    with started(words, port, "listening\n") as server:
        yield server


def handshake_figures(bench, report, around):
    identity = Identity(bench, around)
    count = HANDSHAKES // (4 if bench.quick else 1)

    def measure(port):
        return bench.measure("handshakes", port, count, identity.key, identity.chain, identity.roots)
    with one_processor(), attested_keep(bench, around) as server, \
            openssl_server(identity, "-www", "-Verify", "4", "-verify_return_error", "-CAfile", identity.roots) as peer:
        figures = in_turn(bench, {"s_server": (peer, measure), "keep": (server, measure)})
    rates = {name: count / figure.wall for name, figure in figures.items()}
    report.peer("mutual handshakes", rates["keep"] / rates["s_server"], "s_server -Verify", rates["keep"],
                rates["s_server"], "/s", at_least=HANDSHAKES_MIN)
    say_load(report, figures, "s_server", count, "ms", 1e3)


def large_module(bench):
    """The hello world with the engine's kernels, repeated until it has the package's size."""
    bench_wasm.build_large(bench.folder)
    objects = [bench.folder / f"{name}.o" for name in bench_wasm.SCALARS]
    linked = bench.folder / "hello_kernels.wasm"
    build_if_older(linked, [*objects, ROOT / "bench/wasi/hello.c"],
                   [CLANG, *FLAGS, *WASI, "-mbulk-memory", "-ftls-model=local-exec", ROOT / "bench/wasi/hello.c",
                    *objects, *(f"-Wl,--export=run_{name}" for name in bench_wasm.SCALARS), "-o", linked])
    return bench_wasm.enlarge(linked.read_bytes(), PACKAGE_SIZE)


def say_phases(report, totals):
    """Says what each phase took, of medians of the times when they were over; the same as pairs."""
    took, last = [], 0.0
    for name, values in totals.items():
        at = statistics.median(values)
        report.say(f"  {name:<12} {at - last:8.1f} ms, all {at:.1f} ms")
        took.append((name, at - last))
        last = at
    return took


def publish(around, name, module, version):
    """A package that has no arguments; as deploy takes it."""
    slug = f"alice/app/_tag/{version}"
    around.publish(slug, around.package(name, module, KEEP.replace("ARGS", "[]")))
    return slug.replace("/_tag/", ":")


def deploy_times(bench, around, package):
    """Milliseconds when each phase was over, of deploys by testhost; and those that testhost itself took."""
    phases = bench.folder / "phases"
    words = ["--log-level", "warn", "--phases", phases]
    times, wholes = {}, []
    for turn in range(4 if bench.quick else 11):
        phases.unlink(missing_ok=True)
        begin = time.monotonic()
        done = around.testhost(*words).run(*around.deploy_words(package))
        took = (time.monotonic() - begin) * 1e3
        if done.returncode != 0 or done.stdout != "hello, world\n":
            raise Failure(f"a deploy ended with {done.returncode}: {done.stdout}{done.stderr}")
        if turn > 0:  # the first warms up, the Steward's view of the registry too
            for name, ms in map(str.split, phases.read_text(encoding="ascii").splitlines()):
                times.setdefault(name, []).append(float(ms))
            wholes.append(took)
    return times, wholes


def deploy_figures(bench, report, around):
    module = large_module(bench)
    times, wholes = deploy_times(bench, around, publish(around, "large", module, "2.0.0"))
    say_phases(report, times)
    report.target(f"deploy of {len(module) / 2**20:.2f} MiB, start to first instruction",
                  statistics.median(times["running"]), "ms", at_most=DEPLOY_MS_MAX)
    report.say(f"  testhost from its own start to its end: {statistics.median(wholes):.1f} ms")
    report.say("a hello world:")
    times, _ = deploy_times(bench, around, publish(around, "small", bench.hello.read_bytes(), "2.1.0"))
    report.keep("phases, testhost", {"phases": say_phases(report, times), "ms_max": None})


def admit(around, name, build):
    """Has the Steward admit this build's image; name is of a part."""
    broch = build / "src/cli/broch"
    told = json.loads(subprocess.run([broch, "image", "measure", "--json"], capture_output=True, check=True).stdout)
    measurement = next(m["measurement"] for m in told["measurements"] if m["technology"] == name)
    placeholder = {"snp": steward_host.MEASUREMENT, "sgx": steward_host.MRENCLAVE}[name]
    around.steward.stop()
    around.steward.configure(lambda text: text.replace(placeholder, measurement))
    around.steward.start()


def simulated_figures(bench, report, around, name, kind, ms_max):
    """A deploy of a hello world by `broch` on a simulated backend, whose Steward lists this build's image."""
    admit(around, name, bench.build)
    package = publish(around, f"on-{name}", bench.hello.read_bytes(), {"snp": "3.0.0", "sgx": "3.1.0"}[name])
    words = [bench.build / "src/cli/broch", "deploy", "--json", "--backend", name, "--simulate",
             "--sim-dir", around.folder / "sim", "--registry-ca", around.registry.ca,
             f"{around.host}/{package}"]
    totals = {}
    for turn in range(4 if bench.quick else 11):
        done = subprocess.run(list(map(str, words)), capture_output=True, text=True, stdin=subprocess.DEVNULL,
                              check=False)
        if done.returncode != 0 or done.stdout != "hello, world\n":
            raise Failure(f"a deploy ended with {done.returncode}: {done.stdout}{done.stderr}")
        if turn > 0:
            for line in done.stderr.splitlines():
                if line.startswith('{"phase"'):
                    phase = json.loads(line)
                    totals.setdefault(phase["phase"], []).append(phase["total_ms"])
    report.keep(f"phases, {name}", {"phases": say_phases(report, totals), "ms_max": ms_max})
    report.target(f"{name}, attested, to the first instruction, {kind}", statistics.median(totals["running"]), "ms",
                  at_most=ms_max)


def snp_figures(bench, report, around):
    if backend.kvm_device() is None:
        report.absent("snp", "no device of KVM can be used")
        return
    kind = backend.kind_of_kvm()
    simulated_figures(bench, report, around, "snp", f"{kind} KVM", SNP_MS_MAX[kind])


def sgx_figures(bench, report, around):
    simulated_figures(bench, report, around, "sgx", "simulated", SGX_MS_MAX)


def start_figures(bench, report, _):
    """From the loader's start to what the workload says first."""
    times = []
    for _ in range(bench.runs * 4):
        begin = time.monotonic()
        with subprocess.Popen([bench.build / "src/cli/broch", "run", bench.hello], stdout=subprocess.PIPE,
                              stdin=subprocess.DEVNULL) as process:
            process.stdout.read(1)
            times.append((time.monotonic() - begin) * 1e3)
    report.target(f"start to first output (least {min(times):.1f})", statistics.median(times), "ms",
                  at_most=START_MS_MAX)
    image = bench.folder / "broch-keep"
    subprocess.run(["strip", "-o", image, bench.build / "src/keep/broch-keep"], check=True)
    report.target("image, stripped", image.stat().st_size / 2**20, "MiB", at_most=IMAGE_MIB_MAX)


def memory_of(pid):
    """Resident MiB of the keep."""
    return programs.resident_kib(programs.keep_of(pid)) / 1024


@contextlib.contextmanager
def held(bench, port, count):
    """So many connections, with a byte echoed on each, until the end of the block."""
    with subprocess.Popen([bench.load, "hold", str(port), str(count)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as load:
        if load.stdout.readline() != "held\n":
            raise Failure("the connections are not held")
        yield
        load.communicate()


def many_figures(bench, report, _):
    """What connections take: of memory, and of the processor's time for one more. They show no certificate."""
    with one_processor(), keep(bench, bench.echo) as server:
        memory, times = [memory_of(server.pid)], []
        for count in (100, 800):
            with held(bench, server.port, count):
                memory.append(memory_of(server.pid))
                times.append(min(one_more(bench, server) for _ in range(5)))
    each = (memory[1] - memory[0]) * 1024 / 100
    report.target("a keep that serves TLS, idle", memory[0], "MiB")
    report.target("each of 100 connections", each, "KiB")
    for beside, ms in zip((100, 800), times):
        report.target(f"one more connection beside {beside}, its processor", ms, "ms")


def one_more(bench, server):
    """Milliseconds of the server's processor for a connection with a byte echoed: of fifty."""
    before = processor_seconds(server.pid)
    with held(bench, server.port, 50):
        return (processor_seconds(server.pid) - before) / 50 * 1e3


PARTS = {"stream": stream_figures, "handshakes": handshake_figures, "deploy": deploy_figures, "snp": snp_figures,
         "sgx": sgx_figures, "start": start_figures, "many": many_figures}


@contextlib.contextmanager
def a_world(build):
    with tempfile.TemporaryDirectory() as name:
        around = world.World(build, pathlib.Path(name))
        try:
            yield around
        finally:
            around.stop()


def main():
    options = parts.read_options(__doc__, PARTS, runs=7)
    report = parts.Report(options.json)
    try:
        bench = Bench(options)
        with a_world(bench.build) as around:
            parts.measure(options, report, PARTS, (Failure,), bench, around)
    except (Failure, OSError, AssertionError) as failure:
        report.wrong("bench_net", failure)
    return parts.finish(options, report)


if __name__ == "__main__":
    sys.exit(main())
