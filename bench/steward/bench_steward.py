#!/usr/bin/python3
"""How many certificates a Steward issues in a second on one core: bench_steward.py BUILD

The peer is OpenSSL with the three signatures that each certificate needs, in the same run: the request's
(P-256) and the report's (P-384) verified, the certificate made (P-256). The server has one core, the keeps
another; their requests are made before the clock starts. SNP evidence of a simulated platform, whose chain
the Steward knows, over kept HTTPS connections.
"""
import contextlib
import json
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import parts  # noqa: E402 (its folder is no package)

COUNT, THREADS = 1200, 16

OF_BOUND_MIN = 0.8
TAIL_MAX = 5
RESIDENT_MIB_MAX = 40


class Failure(Exception):
    """The Steward did not do what it must."""


def rss(root):
    """The resident MiB of a process and its children, shared pages counted once each."""
    total = 0
    for pid in [root, *children(root)]:
        text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
        total += int(re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE).group(1))
    return total / 1024


def children(root):
    """The processes that a process started."""
    return pathlib.Path(f"/proc/{root}/task/{root}/children").read_text().split()


class Steward:
    """A Steward for simulated platforms in a folder, on one core."""

    def __init__(self, build, folder):
        self.folder, self.sim = folder / "steward", folder / "sim"
        self.programs = build / "src/cli"
        env = {"BROCH_SIM_DIR": str(self.sim)}
        for words in (["sim", "init"],
                      ["steward", "init", self.folder, "--trust-domain", "bench.example", "--simulation",
                       "--host", "localhost:0"]):
            subprocess.run([self.programs / "broch", *words], env=env, check=True, capture_output=True)
        config = self.folder / "steward.toml"
        config.write_text(config.read_text().replace("requests_per_second", "# requests_per_second").replace("measurements = []", f'measurements = ["{"00" * 48}"]'))
        self.process = subprocess.Popen(["taskset", "-c", "0", self.programs / "broch-steward", "--config", config],
                                        stdout=subprocess.PIPE, text=True)
        self.url = "https://localhost:" + self.process.stdout.readline().strip().rpartition(":")[2]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


def load(build, steward, *words, count=COUNT, threads=THREADS):
    """One run of keeps; what it measured."""
    out = subprocess.run(["taskset", "-c", "1", build / "tests/e2e/steward/attest_load", steward.url,
                          steward.folder / "root.pem", steward.sim, str(count), str(threads), "prepare", *words],
                         check=True, capture_output=True, text=True).stdout
    result = json.loads(out.splitlines()[-1])
    if result["issued"] != count:
        raise Failure(f"{result['issued']} of {count} were issued")
    return result


@contextlib.contextmanager
def a_steward(build):
    with tempfile.TemporaryDirectory() as folder:
        steward = Steward(build, pathlib.Path(folder))
        try:
            load(build, steward, count=200)  # warms it up
            yield steward
        finally:
            steward.stop()


def bound(build):
    """Certificates a second if there were the signatures alone."""
    told = subprocess.run(["taskset", "-c", "0", build / "tests/e2e/steward/attest_load", "bound"], check=True,
                          capture_output=True, text=True).stdout
    return 1 / sum(json.loads(told).values())


def figures(steward, report, build, options):
    count = COUNT // (4 if options.quick else 1)
    pairs = []
    for _ in range(3 if options.quick else options.runs):
        of_signatures = bound(build)
        pairs.append((count / load(build, steward, count=count)["seconds"], of_signatures))
        time.sleep(0.2)
    rate, of_signatures = (statistics.median(column) for column in zip(*pairs))
    report.peer("certificates a second on one core", statistics.median(r / b for r, b in pairs), "signatures alone", rate,
                of_signatures, "/s", at_least=OF_BOUND_MIN)
    report.keep("steward", {"rate": rate, "bound": of_signatures, "of_bound_min": OF_BOUND_MIN})
    half = load(build, steward, f"rate={rate / 2:.0f}", count=count)
    report.target(f"p99 / median ({half['median'] * 1e3:.1f} ms) at half load", half["p99"] / half["median"], "x",
                  at_most=TAIL_MAX)
    report.target("resident, all processes", rss(steward.process.pid), "MiB", at_most=RESIDENT_MIB_MAX)


def main():
    options = parts.read_options(__doc__, {})
    report = parts.Report(options.json)
    try:
        with a_steward(options.build) as steward:
            figures(steward, report, options.build, options)
    except (Failure, OSError, subprocess.SubprocessError) as failure:
        report.wrong("bench_steward", failure)
    return parts.finish(options, report)


if __name__ == "__main__":
    sys.exit(main())
