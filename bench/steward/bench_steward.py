#!/usr/bin/python3
"""How many certificates a Steward issues in a second on one core: bench_steward.py BUILD

The peer is OpenSSL with the three signatures that each certificate needs, in the same run: the request's
(P-256) and the report's (P-384) verified, the certificate made (P-256). The server has one core, the keeps
another; their requests are made before the clock starts. SNP evidence of a simulated platform, whose chain
the Steward knows, over kept HTTPS connections.
"""
import json
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time

COUNT, THREADS, RUNS = 1200, 16, 5


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
        sys.exit(f"steward bench: {result['issued']} of {count} were issued")
    return result


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        steward = Steward(build, pathlib.Path(folder))
        try:
            load(build, steward, count=200)  # warms it up
            rates, bounds = [], []
            for _ in range(RUNS):
                bound = json.loads(subprocess.run(
                    ["taskset", "-c", "0", build / "tests/e2e/steward/attest_load", "bound"], check=True,
                    capture_output=True, text=True).stdout)
                bounds.append(1 / sum(bound.values()))
                rates.append(COUNT / load(build, steward)["seconds"])
                time.sleep(0.2)
            rate, bound = statistics.median(rates), statistics.median(bounds)
            ratio = statistics.median(r / b for r, b in zip(rates, bounds))
            half = load(build, steward, f"rate={rate / 2:.0f}")
            tail, memory = half["p99"] / half["median"], rss(steward.process.pid)
        finally:
            steward.stop()
    print(f"certificates a second on one core  {rate:8.0f}   bound by signatures {bound:.0f}")
    print(f"of the bound                       {ratio:8.2f}   target: at least 0.80")
    print(f"p99 / median at half load          {tail:8.2f}   target: at most 5 "
          f"({half['p99'] * 1e3:.1f} ms / {half['median'] * 1e3:.1f} ms)")
    print(f"resident, MiB, all processes       {memory:8.1f}   target: at most 40")
    sys.exit(not (ratio >= 0.8 and tail <= 5 and memory <= 40))


main()
