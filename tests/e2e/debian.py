"""A Debian of its own to install packages in: made by debootstrap once, then from a tarball under build/."""
import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request

import pytest

SUITE = "bookworm"
DEFAULT_MIRROR = "http://deb.debian.org/debian"
KEEP = {"http_proxy", "https_proxy", "no_proxy"}
# /proc and /dev are there for one command at a time, in a namespace of its own: nothing is ever left mounted.
INSIDE = 'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" "$@"'


def mirror():
    """Where this machine has Debian from."""
    for path in [pathlib.Path("/etc/apt/sources.list"), *sorted(pathlib.Path("/etc/apt/sources.list.d").glob("*"))]:
        if not path.exists():
            continue
        text = re.sub(r"^\s*#.*$", "", path.read_text(), flags=re.MULTILINE)
        found = re.search(rf"^deb (?:\[[^]]*\] )?(\S+) {SUITE} .*main", text, re.MULTILINE)
        if found:
            return found[1]
        for stanza in text.split("\n\n"):
            if re.search(rf"^Suites:.*\b{SUITE}(\s|$)", stanza, re.MULTILINE):
                return re.search(r"^URIs: *(\S+)", stanza, re.MULTILINE)[1]
    return DEFAULT_MIRROR


def environment():
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/root",
            "DEBIAN_FRONTEND": "noninteractive", **{name: os.environ[name] for name in KEEP & set(os.environ)}}


def proxies():
    """What apt is told here of proxies, as lines of its configuration."""
    said = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True).stdout
    return "".join(line + "\n" for line in said.splitlines() if re.match(r"Acquire::\w+::Proxy", line))


def skip_where_there_can_be_none():
    if os.getuid() != 0:
        pytest.skip("debootstrap, which makes a Debian to install the packages in, needs root")
    tried = subprocess.run(["unshare", "--mount", "sh", "-c", "mount -t tmpfs none /mnt"], capture_output=True, text=True,
                           check=False)
    if tried.returncode != 0:
        pytest.skip(f"debootstrap needs to mount, which is refused here: {tried.stderr.strip()}")
    try:
        with urllib.request.urlopen(f"{mirror()}/dists/{SUITE}/Release", timeout=20) as answer:
            answer.read(1)
    except (urllib.error.URLError, OSError) as refused:
        pytest.skip(f"debootstrap needs a mirror of Debian, and {mirror()} does not answer: {refused}")


def bootstrap(tarball):
    """Makes the tarball of a smallest Debian."""
    tarball.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=tarball.parent) as work:
        made = pathlib.Path(work) / "root"
        done = subprocess.run(["unshare", "--mount", "debootstrap", "--variant=minbase", SUITE, made, mirror()],
                              capture_output=True, text=True, env=environment(), timeout=600, check=False)
        assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
        (made / "etc/apt/apt.conf.d/00here").write_text(proxies())
        packed = pathlib.Path(work) / "packed"
        subprocess.run(["tar", "--create", "--file", packed, "--use-compress-program=gzip -1", "--one-file-system",
                        "--exclude=./var/cache/apt/archives/*.deb", "-C", made, "."], check=True)
        packed.rename(tarball)


class Debian:
    """A root folder, and commands in it."""

    def __init__(self, root):
        self.root = root

    def command(self, *words):
        """The words that run words inside."""
        return ["unshare", "--mount", "sh", "-c", INSIDE, str(self.root), *map(str, words)]

    def run(self, *words, check=True, timeout=300, **options):
        done = subprocess.run(self.command(*words), capture_output=True, text=True, stdin=subprocess.DEVNULL,
                              env=environment(), timeout=timeout, check=False, **options)
        assert not check or done.returncode == 0, (words, done.returncode, (done.stdout + done.stderr)[-4000:])
        return done

    def files(self):
        """Every path, but for what is another's: devices, processes."""
        found = set()
        for folder, folders, names in os.walk(self.root):
            where = pathlib.Path(folder).relative_to(self.root)
            if where == pathlib.Path("."):
                folders[:] = [name for name in folders if name not in ("proc", "dev", "sys")]
            found.update(str(where / name) for name in folders + names)
        return found


@contextlib.contextmanager
def debian(build):
    """A new Debian, for as long as the context lasts; build is the checkout's folder for what is made."""
    skip_where_there_can_be_none()
    tarball = build / f"chroot/{SUITE}.tar.gz"
    if not tarball.exists():
        bootstrap(tarball)
    root = pathlib.Path(tempfile.mkdtemp(prefix="debian-", dir=tarball.parent))
    try:
        subprocess.run(["tar", "--extract", "--file", tarball, "-C", root], check=True)
        shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
        yield Debian(root)
    finally:
        subprocess.run(["rm", "-rf", "--one-file-system", root], check=True)
