"""Programs under tests/e2e/programs, compiled as their languages' own people would, and run by broch."""
import contextlib
import os
import pathlib
import socket
import subprocess

HERE = pathlib.Path(__file__).resolve().parent / "programs"
CLANG = ["-O2", "--target=wasm32-wasi", "-Wall", "-Wextra", "-Werror", "-Wl,-z,stack-size=1048576"]
COMPILERS = {
    ".c": ["clang-14", "-std=gnu17", *CLANG, "{source}", "-o", "{out}"],
    ".cc": ["clang++-14", "-std=c++17", "-fno-exceptions", *CLANG, "{source}", "-o", "{out}"],
    # Debian's, which is the one that knows of Debian's library for wasm32
    ".rs": ["/usr/bin/rustc", "--target=wasm32-wasi", "--edition=2021", "-O", "{source}", "-o", "{out}"],
    ".ts": ["node", "node_modules/assemblyscript/bin/asc.js", "{source}", "-O2", "--config",
            "node_modules/@assemblyscript/wasi-shim/asconfig.json", "-o", "{out}"],
}
STDIO = "".join(f'[{name}]\nkind = "host"\n' for name in ("stdin", "stdout", "stderr"))


def compile_program(name, root, build, out_name=None, includes=()):
    """The module of programs/NAME, unless it is there and newer."""
    source, out = HERE / name, build / "programs" / (out_name or f"{pathlib.Path(name).stem}.wasm")
    inputs = (source, pathlib.Path(__file__), *includes)
    if not out.exists() or out.stat().st_mtime < max(p.stat().st_mtime for p in inputs):
        out.parent.mkdir(exist_ok=True)
        command = [word.format(source=source, out=out) for word in COMPILERS[source.suffix]]
        npm = root / "build/npm"  # asc looks for its library below the folder where it is started
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                              cwd=npm if source.suffix == ".ts" else root, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return out


class Broch:
    """Starts workloads; `words` is the command, up to the options of `broch run`."""

    def __init__(self, words, folder):
        self.words = words
        self.folder = folder

    def command(self, module, *args, config=None, dialect="Keep.toml", env=()):
        words = [*self.words]
        if config is not None:
            path = self.folder / dialect
            path.write_text(config)
            words += ["--wasmcfgfile", path]
        for pair in env:
            words += ["--env", pair]
        return list(map(str, [*words, module, "--", *args]))

    def run(self, module, *args, stdin="", timeout=60, **options):
        """Runs it to its end; stdin and both outputs are text, or bytes if stdin is."""
        is_text = isinstance(stdin, str)
        return subprocess.run(self.command(module, *args, **options), input=stdin, text=is_text,
                              capture_output=True, timeout=timeout, check=False)

    @contextlib.contextmanager
    def start(self, module, *args, **options):
        """A process with three pipes, which is gone at the end of the block."""
        with subprocess.Popen(self.command(module, *args, **options), stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            try:
                yield process
            finally:
                process.kill()


def free_port():
    """A port that nothing listens on now, in both families."""
    with socket.socket(socket.AF_INET6) as s:
        s.bind(("::", 0))
        return s.getsockname()[1]


def incoming(port):
    return f'{STDIO}[network.incoming.{port}]\nprot = "tcp"\n'


def outgoing(host):
    return f'{STDIO}[network.outgoing."{host}"]\nprot = "tcp"\n'


def process_tree(pid):
    """The process and its descendants."""
    found = [pid]
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += process_tree(int(child))
    return found


def runs_keep(pid):
    """Whether a process is a keep, or runs its machine."""
    if os.readlink(f"/proc/{pid}/exe").endswith("/broch-keep"):
        return True
    return any(os.readlink(link).startswith("anon_inode:kvm-vcpu") for link in pathlib.Path(f"/proc/{pid}/fd").iterdir())


def keep_of(pid):
    """The process below `pid` that runs the keep."""
    tree = process_tree(pid)
    keeps = [p for p in tree if runs_keep(p)] or tree[1:]  # that of an enclave has no mark of its own
    assert len(keeps) == 1, keeps
    return keeps[0]


def resident_kib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


def descriptor_count(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))
