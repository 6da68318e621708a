#!/usr/bin/python3
"""How fast a registry is read and written: bench_drawbridge.py BUILD

The peer of reads is nginx with the same files, the same certificate and TLS 1.3, in the same run; of digests,
openssl dgst with the same algorithms. Small reads are wrk's over kept connections, large ones curl's.
"""
import base64
import concurrent.futures
import hashlib
import http.client
import json
import os
import pathlib
import re
import signal
import ssl
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import parts  # noqa: E402 (its folder is no package)

SECONDS, BIG, HUGE, TAGS = 2, 100 << 20, 1 << 30, 10000

SMALL_MIN = 0.7
LARGE_MIN = 0.8
DIGEST_MIN = 0.9
PUBLISH_S_MAX = 3
NGINX = """worker_processes 2; daemon off; pid {folder}/pid; error_log {folder}/log;
events {{ worker_connections 1024; }}
http {{ access_log off; sendfile on; open_file_cache max=20000; keepalive_requests 100000000;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {folder}/server.pem; ssl_certificate_key {folder}/key.pem;
    ssl_protocols TLSv1.3; root {folder}/root; }} }}
"""


class Failure(Exception):
    """A server did not do what it must."""


def run(*words, **options):
    return subprocess.run([str(word) for word in words], check=True, capture_output=True, text=True, **options).stdout


def seconds(*words, **options):
    begin = time.monotonic()
    run(*words, **options)
    return time.monotonic() - begin


class Registry:
    """A Drawbridge in a folder, and its user alice."""

    def __init__(self, build, folder):
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", folder / "key.pem",
            "-out", folder / "server.pem")
        (folder / "drawbridge.toml").write_text('[server]\nlisten = "127.0.0.1:0"\ncertificate = "server.pem"\n'
                                                'key = "key.pem"\n[store]\nfolder = "store"\n')
        self.programs = build / "src/cli"
        with open(folder / "registry.log", "wb") as log:
            self.process = subprocess.Popen([self.programs / "broch-drawbridge", "--config", folder / "drawbridge.toml"],
                                            stdout=subprocess.PIPE, stderr=log, text=True)
        port = int(self.process.stdout.readline().rpartition(":")[2])
        self.host, self.url = f"localhost:{port}", f"https://localhost:{port}/api/v0.1.0/alice/app/_tag"
        self.env = {**os.environ, "HOME": str(folder), "BROCH_CA_BUNDLE": str(folder / "server.pem")}
        self.env["BROCH_INSECURE_AUTH_TOKEN"] = self.broch("drawbridge", "token", "create", "--user", "alice", "--scope",
                                                           "all", "--config", folder / "drawbridge.toml").strip()
        self.broch("user", "register", self.host + "/alice")
        self.broch("repo", "register", self.host + "/alice/app")

    def broch(self, *words):
        return run(self.programs / "broch", *words, env=self.env)

    def publish(self, tag, folder):
        """Seconds."""
        return seconds(self.programs / "broch", "package", "publish", f"{self.host}/alice/app:{tag}", folder,
                       env=self.env)

    def put_tags(self, ca):
        """Puts many tags, 0.0.0 to TAGS-1.0.0, each of one small file; what is served of one."""
        def digests(content):
            return {f"sha-{size}": base64.b64encode(hashlib.new(f"sha{size}", content).digest()).decode()
                    for size in (256, 384)}

        def put(connection, path, content, media):
            connection.request("PUT", "/api/v0.1.0/alice/many/_tag/" + path, content, {
                "Authorization": "Bearer " + self.env["BROCH_INSECURE_AUTH_TOKEN"], "Content-Type": media,
                "Content-Digest": ",".join(f"{name}=:{value}:" for name, value in digests(content).items())})
            answer = connection.getresponse()
            answer.read()
            if answer.status != 201:
                raise Failure(f"PUT {path} is answered by {answer.status}")

        def put_some(first):
            connection = http.client.HTTPSConnection(self.host, context=ssl.create_default_context(cafile=str(ca)))
            for i in range(first, TAGS, 8):
                put(connection, f"{i}.0.0", tag, "application/vnd.drawbridge.entry.v1+json")
                put(connection, f"{i}.0.0/tree", b"x", "application/wasm")
        tag = json.dumps({"digest": digests(b"x"), "length": 1, "type": "application/wasm"}, separators=(",", ":")).encode()
        self.broch("repo", "register", self.host + "/alice/many")
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(put_some, range(8)))
        return tag


def requests_per_second(url, *words):
    out = run("wrk", "-t1", "-c16", f"-d{SECONDS}", *words, url)
    if "Non-2xx" in out:
        raise Failure(f"{url} is not answered by 200")
    return float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))


def bytes_per_second(ca, url):
    return float(run("curl", "-sf", "--cacert", ca, "-o", "/dev/null", "-w", "%{speed_download}", url))


def in_turn(measure, ours, peer, runs):
    """The ratio of ours to the peer's, ours, the peer's: medians of runs in turn."""
    measure(ours), measure(peer)
    pairs = [(measure(ours), measure(peer)) for _ in range(runs)]
    return statistics.median(a / b for a, b in pairs), *(statistics.median(column) for column in zip(*pairs))


def any_of_many(folder, prefix):
    """A script of wrk's that asks for one of many tags at random."""
    script = folder / (prefix.strip("/").replace("/", "-") + ".lua")
    script.write_text(f'request = function() return wrk.format("GET", "{prefix}" .. math.random(0, {TAGS - 1}) .. ".0.0") end\n')
    return "-s", script


def make_files(folder):
    """What is published: a package with a large file, one with a thousand small ones; and a gibibyte."""
    (folder / "package").mkdir()
    (folder / "many").mkdir()
    (folder / "huge").mkdir()
    (folder / "root").mkdir()
    for package in ("package", "many"):
        (folder / package / "main.wasm").write_bytes(b"\0asm\x01\0\0\0")
    (folder / "package/big").write_bytes(os.urandom(BIG))
    for i in range(1000):
        (folder / f"many/f{i}").write_text(f"file {i}\n")
    with open(folder / "huge/file", "wb") as file:
        block = os.urandom(1 << 20)
        for _ in range(HUGE >> 20):
            file.write(block)


class Servers:
    """A Drawbridge with a package published, and nginx with its files."""

    def __init__(self, build, folder):
        self.folder, self.ca = folder, folder / "server.pem"
        os.chmod(folder, 0o755)  # nginx's workers are somebody else
        make_files(folder)
        self.registry = Registry(build, folder)
        port = self.registry.process.pid % 10000 + 20000
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port))
        self.nginx = subprocess.Popen(["/usr/sbin/nginx", "-c", folder / "nginx.conf", "-p", folder],
                                      stderr=subprocess.DEVNULL)
        self.url, self.peer = self.registry.url, f"https://localhost:{port}"

    def stop(self):
        for process in (self.registry.process, self.nginx):
            process.send_signal(signal.SIGTERM)
            process.wait(30)

    def publish(self):
        self.registry.publish("0.1.0", self.folder / "package")
        os.link(self.folder / "package/big", self.folder / "root/big")
        tag = run("curl", "-sf", "--cacert", self.ca, self.url + "/0.1.0")
        (self.folder / "root/tag").write_text(tag)

    def publish_tags(self):
        """Many tags, at either; wrk's words and address to read them."""
        content = self.registry.put_tags(self.ca)
        (self.folder / "root/many").mkdir()
        for i in range(TAGS):
            (self.folder / f"root/many/{i}.0.0").write_bytes(content)
        return ((f"https://{self.registry.host}/", *any_of_many(self.folder, "/api/v0.1.0/alice/many/_tag/")),
                (self.peer + "/", *any_of_many(self.folder, "/many/")))


def figures(servers, report, runs):
    folder, registry = servers.folder, servers.registry
    servers.publish()
    reads = {}

    def read(what, unit, at_least, measure, ours, peer):
        ratio, rate, nginx = in_turn(measure, ours, peer, runs)
        report.peer(what, ratio, "nginx", rate, nginx, unit, at_least=at_least)
        reads[f"{what}, {unit}"] = {"drawbridge": rate, "nginx": nginx, "ratio": ratio, "min": at_least}
    many = statistics.median(registry.publish(f"1.0.{i}", folder / "many") for i in range(3))
    read("a tag", "/s", SMALL_MIN, requests_per_second, servers.url + "/0.1.0", servers.peer + "/tag")
    ours, peer = servers.publish_tags()
    read(f"one of {TAGS:,} tags", "/s", SMALL_MIN, lambda words: requests_per_second(*words), ours, peer)
    read("100 MiB", "MB/s", LARGE_MIN, lambda url: bytes_per_second(servers.ca, url) / 1e6,
         servers.url + "/0.1.0/tree/big", servers.peer + "/big")
    report.keep("drawbridge", reads)
    report.target("publish of 1,000 small files", many, "s", at_most=PUBLISH_S_MAX)
    digests = []
    for _ in range(3):
        ours = seconds(registry.programs / "broch", "tree", "digest", folder / "huge")
        openssl = sum(seconds("openssl", "dgst", algorithm, folder / "huge/file")
                      for algorithm in ("-sha256", "-sha384"))
        digests.append((openssl / ours, ours, openssl))
    ratio, ours, openssl = (statistics.median(column) for column in zip(*digests))
    report.peer("tree digest of 1 GiB", ratio, "openssl dgst", ours, openssl, "s", at_least=DIGEST_MIN)


def main():
    options = parts.read_options(__doc__, {}, quick="three runs")
    report = parts.Report(options.json)
    try:
        with tempfile.TemporaryDirectory() as name:
            servers = Servers(options.build, pathlib.Path(name))
            try:
                figures(servers, report, 3 if options.quick else options.runs)
            finally:
                servers.stop()
    except (Failure, OSError, subprocess.SubprocessError) as failure:
        report.wrong("bench_drawbridge", failure)
    return parts.finish(options, report)


if __name__ == "__main__":
    sys.exit(main())
