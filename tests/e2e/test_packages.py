"""The packages of ./run package: what is in them, and all of Broch from them alone, on a Debian of its own."""
import contextlib
import hashlib
import http.client
import json
import os
import pathlib
import re
import shutil
import ssl
import stat
import subprocess
import time

import pytest

from debian import debian, environment
from test_units import exec_start, lines

NAMES = ["broch", "broch-drawbridge", "broch-steward"]
# (module (import "wasi_snapshot_preview1" "proc_exit" (func (param i32))) (memory (export "memory") 1)
#   (func (export "_start") (call 0 (i32.const 42))))
MODULE = (b"\0asm\1\0\0\0" b"\1\x08\2\x60\1\x7f\0\x60\0\0" b"\2\x24\1\x16wasi_snapshot_preview1\x09proc_exit\0\0"
          b"\3\2\1\1" b"\5\3\1\0\1" b"\7\x13\2\6memory\2\0\6_start\0\1" b"\x0a\x08\1\6\0\x41\x2a\x10\0\x0b")


@pytest.fixture(scope="module")
def packages(root):
    """The packages, by their names."""
    done = subprocess.run([root / "run", "package"], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          timeout=900, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = {path.name.partition("_")[0]: path for path in (root / "build/package").glob("*.deb")}
    assert sorted(found) == NAMES
    return found


@pytest.fixture(scope="module")
def made(root, packages):
    """The build that they were made of."""
    assert packages
    return root / "build/deb"


@pytest.fixture(scope="module")
def trees(packages, tmp_path_factory):
    """The packages' contents, unpacked; what dpkg is told about them is in DEBIAN."""
    folder = tmp_path_factory.mktemp("packages")
    for name, path in packages.items():
        subprocess.run(["dpkg-deb", "--raw-extract", path, folder / name], check=True)
    return {name: folder / name for name in packages}


def contents(tree):
    """The files of a package."""
    return [path for path in sorted(tree.rglob("*"))
            if not path.is_relative_to(tree / "DEBIAN") and (path.is_symlink() or not path.is_dir())]


def field(package, name):
    return subprocess.run(["dpkg-deb", "--field", package, name], capture_output=True, text=True, check=True).stdout.strip()


# ---- what is in them ----

def test_all_that_is_installed_is_in_one_of_them(trees, made, tmp_path):
    subprocess.run(["meson", "install", "-C", made, "--no-rebuild", "--quiet"], check=True, capture_output=True,
                   env={**os.environ, "DESTDIR": str(tmp_path)})
    installed = sorted(str(path.relative_to(tmp_path)) for path in contents(tmp_path))
    packed = [re.sub(r"(/man\d/.*)\.gz$", r"\1", str(path.relative_to(tree)))
              for tree in trees.values() for path in contents(tree)]
    assert sorted(path for path in packed if not re.match("usr/share/(doc|lintian)/", path)) == installed
    commands = {path for path in installed if path.startswith("usr/bin/")}
    assert {path.replace("usr/bin", "usr/share/man/man1") + ".1" for path in commands} <= set(installed)
    assert {"usr/bin/broch", "usr/share/man/man1/broch-steward.1", "usr/lib/systemd/system/broch-steward.service",
            "usr/share/bash-completion/completions/broch"} <= set(installed)
    for server in ("broch-steward", "broch-drawbridge"):
        assert (trees[server] / f"usr/bin/{server}").exists()
        assert (trees[server] / f"usr/lib/systemd/system/{server}.service").exists()


def test_nothing_has_rights(packages):
    for path in packages.values():
        listed = subprocess.run(["dpkg-deb", "--contents", path], capture_output=True, text=True, check=True).stdout
        for line in listed.splitlines():
            mode, owner = line.split()[:2]
            assert mode in ("drwxr-xr-x", "-rwxr-xr-x", "-rw-r--r--", "lrwxrwxrwx") and owner == "root/root", line


def test_control(packages, trees, made):
    project = json.loads(subprocess.run(["meson", "introspect", "--projectinfo", made], capture_output=True,
                                        check=True).stdout)
    for name, path in packages.items():
        assert field(path, "Version") == project["version"]
        sums = dict(reversed(line.split("  ")) for line in (trees[name] / "DEBIAN/md5sums").read_text().splitlines())
        files = [file for file in contents(trees[name]) if not file.is_symlink()]
        assert sums == {str(file.relative_to(trees[name])): hashlib.md5(file.read_bytes()).hexdigest() for file in files}
        # dpkg-shlibdeps knows what each symbol needs; here, that no library is missing
        libraries = {line for file in files if is_elf(file) for line in needed(file)}
        assert libraries or name == "broch"
        for library in libraries:
            owner = subprocess.run(["dpkg-query", "-S", f"*/{library}"], capture_output=True, text=True,
                                   check=True).stdout.partition(":")[0]
            assert re.search(rf"(^|, ){re.escape(owner)}[ ,]", field(path, "Depends") + ","), library
        assert not (trees[name] / "etc").exists(), "files of /etc have to be conffiles"
    for server in ("broch-steward", "broch-drawbridge"):
        assert f"broch (= {project['version']})" in field(packages[server], "Depends")
    assert re.search(r"\bopenssl \(= \S+\)", field(packages["broch"], "Built-Using"))


def is_elf(path):
    return not path.is_symlink() and path.read_bytes()[:4] == b"\x7fELF"


def needed(path):
    """The libraries of a program."""
    said = subprocess.run(["readelf", "--dynamic", path], capture_output=True, text=True, check=True).stdout
    return re.findall(r"\(NEEDED\).*\[(.*)\]", said)


def test_programs_are_stripped_and_images_are_not_touched(trees, made):
    """What is measured is what was built, to the byte."""
    measured = {path.name: path for path in contents(trees["broch"]) if path.parent.name == "broch" and is_elf(path)}
    assert "broch-keep" in measured
    for name, path in measured.items():
        assert str(path.relative_to(trees["broch"])) == f"usr/libexec/broch/{name}"
        [built] = [file for file in (made / "src").rglob(name) if file.is_file()]
        assert path.read_bytes() == built.read_bytes(), name
    programs = [path for tree in trees.values() for path in contents(tree)
                if is_elf(path) and path not in measured.values()]
    assert len(programs) > 3
    for path in programs:
        said = subprocess.run(["readelf", "--sections", "--wide", path], capture_output=True, text=True, check=True)
        assert ".symtab" not in said.stdout and ".debug_info" not in said.stdout, path


def test_the_image_is_measured_as_in_the_build(trees, made):
    def measure(broch):
        return subprocess.run([broch, "image", "measure"], capture_output=True, text=True, check=True).stdout
    assert measure(trees["broch"] / "usr/bin/broch") == measure(made / "src/cli/broch") != ""


def test_the_same_build_gives_the_same_packages(root, packages, made):
    again = root / "build/package-again"
    env = {**os.environ, "TZ": "Pacific/Kiritimati", "LC_ALL": "C"}
    try:
        subprocess.run([root / "tools/package.py", made, again], check=True, capture_output=True, env=env, umask=0o077)
        for path in packages.values():
            assert (again / path.name).read_bytes() == path.read_bytes(), path.name
    finally:
        shutil.rmtree(again)


@pytest.mark.skipif(shutil.which("lintian") is None, reason="lintian is not installed")
def test_lintian_finds_no_error(packages):
    done = subprocess.run(["lintian", "--fail-on=error", "--allow-root", "--tag-display-limit=0", *packages.values()],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


# ---- a Debian with nothing else ----

@pytest.fixture(scope="module")
def here(root, packages, tmp_path_factory):
    """A Debian with the packages, by apt, and what was there before."""
    started = time.monotonic()
    with debian(root / "build") as system:
        system.run("apt-get", "update", "-q")
        system.before = system.files()
        for path in packages.values():
            shutil.copy(path, system.root / "tmp")
        system.run("apt-get", "install", "-y", "-q", "--no-install-recommends",
                   *(f"/tmp/{path.name}" for path in packages.values()))
        system.seconds = time.monotonic() - started
        place = system.root / "root/app"
        place.mkdir()
        (place / "main.wasm").write_bytes(MODULE)
        yield system


def test_the_command_line(here, packages, record_property):
    record_property("detail", f"a Debian with Broch from packages: made in {here.seconds:.0f} s")
    assert here.run("broch", "--version").stdout == f"broch {field(packages['broch'], 'Version')}\n"
    assert here.run("broch", "image", "measure").stdout != ""
    for server in ("broch-steward", "broch-drawbridge"):
        assert here.run(server, "--version").stdout.startswith("broch ")


def test_a_workload_runs(here):
    done = here.run("broch", "run", "/root/app/main.wasm", check=False)
    assert (done.returncode, done.stdout, done.stderr) == (42, "", "")


def test_completion_and_manual_are_there(here):
    said = here.run("bash", "-c", ". /usr/share/bash-completion/completions/broch-steward; COMP_WORDS=(broch ru)"
                    " COMP_CWORD=1; _broch; echo $COMPREPLY")
    assert said.stdout == "run\n"
    pages = here.run("dpkg-query", "-L", *NAMES).stdout
    assert "/usr/share/man/man1/broch.1.gz" in pages and "/usr/share/man/man1/broch-steward.1.gz" in pages


@contextlib.contextmanager
def serving(here, server):
    """A server started as its unit says, as its user, who has its folder: the port."""
    unit = (here.root / f"usr/lib/systemd/system/{server}.service").read_text()
    user, folder = lines(unit, "User")[0], "/var/lib/" + lines(unit, "StateDirectory")[0]
    assert here.run("test", "-e", lines(unit, "ConditionPathExists")[0], check=False).returncode == 0
    here.run("chown", "-R", f"{user}:{user}", folder)
    words = exec_start(unit, pathlib.Path("/usr/bin"), pathlib.Path("/var/lib"))
    assert words[0] == lines(unit, "ExecStart")[0].split()[0]
    log = here.root / f"root/{server}.log"
    with open(log, "wb") as errors:
        process = subprocess.Popen(here.command("setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups",
                                                "--no-new-privs", "--bounding-set=-all", *words),
                                   stdout=subprocess.PIPE, stderr=errors, text=True, env=environment())
    try:
        line = process.stdout.readline()
        assert "listening on" in line, log.read_text()
        yield int(line.rpartition(":")[2])
    finally:
        process.terminate()
        assert process.wait(30) == 0, log.read_text()
        process.stdout.close()


def ask(here, server, port, path):
    context = ssl.create_default_context(cafile=here.root / f"var/lib/{server}/root.pem")
    with contextlib.closing(http.client.HTTPSConnection("localhost", port, context=context, timeout=30)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()


def test_a_steward(here):
    here.run("broch", "steward", "init", "/var/lib/broch-steward", "--trust-domain", "example.org", "--host",
             "localhost:0")
    with serving(here, "broch-steward") as port:
        status, body = ask(here, "broch-steward", port, "/v1/nonce?spki=" + "00" * 32)
        assert status == 200 and json.loads(body)["nonce"]
        assert ask(here, "broch-steward", port, "/v1/crl")[0] == 200  # which the signing process signs
    verified = here.run("broch", "steward", "audit", "verify", "/var/lib/broch-steward/audit.log")
    assert "none changed" in verified.stdout
    assert stat.S_IMODE((here.root / "var/lib/broch-steward/ca-key.pem").stat().st_mode) == 0o600


def test_a_drawbridge_and_a_keep_that_fetches(here):
    """A package's whole way: published, then fetched and run by a keep."""
    folder = here.root / "var/lib/broch-drawbridge"
    here.run("broch", "drawbridge", "init", "/var/lib/broch-drawbridge", "--host", "localhost")
    config = folder / "drawbridge.toml"
    config.write_text(re.sub("listen = .*", 'listen = "127.0.0.1:0"', config.read_text()))
    with serving(here, "broch-drawbridge") as port:
        assert ask(here, "broch-drawbridge", port, "/health")[0] == 200
        token = here.run("broch", "drawbridge", "token", "create", "--config", "/var/lib/broch-drawbridge/drawbridge.toml",
                         "--user", "alice", "--scope", "all").stdout
        (here.root / "root/token").write_text(token)
        (here.root / "root/token").chmod(0o600)
        ca = "--ca-bundle=/var/lib/broch-drawbridge/root.pem"
        place, known = f"localhost:{port}/alice", [ca, "--token-file=/root/token"]
        here.run("broch", "user", "register", place, *known)
        here.run("broch", "repo", "register", place + "/app", *known)
        here.run("broch", "package", "publish", place + "/app:0.1.0", "/root/app", *known)
        done = here.run("broch", "deploy", "--backend", "nil", place + "/app:0.1.0",
                        "--registry-ca=/var/lib/broch-drawbridge/root.pem", check=False)
        assert done.returncode == 42, done.stderr


# What apt, dpkg and others keep about what once was.
OTHERS = re.compile(r"(var/(lib/(dpkg|apt|systemd)|cache/(apt|debconf|ldconfig)|log)|etc/(passwd|group|g?shadow|sub[ug]id)-?$|tmp|root)"
                    r"(/|$)")


def test_nothing_is_left_behind(here):
    """But for keys, which their owner destroys, and the servers' users, as is Debian's custom."""
    for server in ("broch-steward", "broch-drawbridge"):
        (here.root / f"var/lib/{server}").mkdir(exist_ok=True)
        wants = here.root / "etc/systemd/system/multi-user.target.wants"
        wants.mkdir(parents=True, exist_ok=True)  # as after systemctl enable
        (wants / f"{server}.service").symlink_to(f"/usr/lib/systemd/system/{server}.service")
    said = here.run("apt-get", "purge", "-y", "-q", "--autoremove", *NAMES).stdout
    left = {path for path in here.files() - here.before if not OTHERS.match(path)}
    kept = {path for path in left if re.match("var/lib/broch-", path)}
    assert left - kept == {"etc/systemd/system/multi-user.target.wants"} - here.before
    assert {"var/lib/broch-steward", "var/lib/broch-drawbridge"} <= kept
    for server in ("broch-steward", "broch-drawbridge"):
        assert f"{server}: /var/lib/{server} is left, with its keys and its store" in said
