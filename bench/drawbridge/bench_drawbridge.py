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

RUNS, SECONDS, BIG, HUGE, TAGS = 5, 2, 100 << 20, 1 << 30, 10000
NGINX = """worker_processes 2; daemon off; pid {folder}/pid; error_log {folder}/log;
events {{ worker_connections 1024; }}
http {{ access_log off; sendfile on; open_file_cache max=20000; keepalive_requests 100000000;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {folder}/server.pem; ssl_certificate_key {folder}/key.pem;
    ssl_protocols TLSv1.3; root {folder}/root; }} }}
"""


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
                sys.exit(f"drawbridge bench: PUT {path} is answered by {answer.status}")

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
        sys.exit(f"drawbridge bench: {url} is not answered by 200")
    return float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))


def bytes_per_second(ca, url):
    return float(run("curl", "-sf", "--cacert", ca, "-o", "/dev/null", "-w", "%{speed_download}", url))


def ratios(measure, ours, peer):
    """Ours, the peer's, and their ratio: medians of runs in turn."""
    measure(ours), measure(peer)
    pairs = [(measure(ours), measure(peer)) for _ in range(RUNS)]
    return *(statistics.median(column) for column in zip(*pairs)), statistics.median(a / b for a, b in pairs)


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


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        os.chmod(folder, 0o755)  # nginx's workers are somebody else
        make_files(folder)
        registry = Registry(build, folder)
        port = registry.process.pid % 10000 + 20000
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port))
        nginx = subprocess.Popen(["/usr/sbin/nginx", "-c", folder / "nginx.conf", "-p", folder],
                                 stderr=subprocess.DEVNULL)
        try:
            registry.publish("0.1.0", folder / "package")
            many = statistics.median(registry.publish(f"1.0.{i}", folder / "many") for i in range(3))
            os.link(folder / "package/big", folder / "root/big")
            tag = run("curl", "-sf", "--cacert", folder / "server.pem", registry.url + "/0.1.0")
            (folder / "root/tag").write_text(tag)
            peer = f"https://localhost:{port}"
            small = ratios(requests_per_second, registry.url + "/0.1.0", peer + "/tag")
            content = registry.put_tags(folder / "server.pem")
            (folder / "root/many").mkdir()
            for i in range(TAGS):
                (folder / f"root/many/{i}.0.0").write_bytes(content)
            ours, theirs = any_of_many(folder, "/api/v0.1.0/alice/many/_tag/"), any_of_many(folder, "/many/")
            any_one = ratios(lambda words: requests_per_second(*words), (f"https://{registry.host}/", *ours),
                             (peer + "/", *theirs))
            large = ratios(lambda url: bytes_per_second(folder / "server.pem", url), registry.url + "/0.1.0/tree/big",
                           peer + "/big")
            digests = []
            for _ in range(3):
                ours = seconds(registry.programs / "broch", "tree", "digest", folder / "huge")
                openssl = sum(seconds("openssl", "dgst", algorithm, folder / "huge/file")
                              for algorithm in ("-sha256", "-sha384"))
                digests.append((openssl / ours, ours, openssl))
            digest = statistics.median(digests)
        finally:
            for process in (registry.process, nginx):
                process.send_signal(signal.SIGTERM)
                process.wait(30)
    print(f"reads of a tag, a second           {small[0]:8.0f}   nginx {small[1]:.0f}")
    print(f"of nginx's                         {small[2]:8.2f}   target: at least 0.70")
    print(f"of one of {TAGS:,} tags, a second    {any_one[0]:8.0f}   nginx {any_one[1]:.0f}")
    print(f"of nginx's                         {any_one[2]:8.2f}   target: at least 0.70")
    print(f"read of 100 MiB, MB/s              {large[0] / 1e6:8.0f}   nginx {large[1] / 1e6:.0f}")
    print(f"of nginx's                         {large[2]:8.2f}   target: at least 0.80")
    print(f"publish of 1,000 small files, s    {many:8.2f}   target: at most 3")
    print(f"tree digest of 1 GiB, s            {digest[1]:8.2f}   openssl dgst {digest[2]:.2f}")
    print(f"of its speed                       {digest[0]:8.2f}   target: at least 0.90")
    sys.exit(not (small[2] >= 0.7 and any_one[2] >= 0.7 and large[2] >= 0.8 and many <= 3 and digest[0] >= 0.9))


main()
