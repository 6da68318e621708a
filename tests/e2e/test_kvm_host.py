"""A host that lies to a keep in a virtual machine: at the sallyport, call by call, in the words of its block before it
starts, and in the images that it loads. The keep stops, or says what is wrong; it never crashes or hangs, and neither
does the loader."""
import os
import pathlib
import random
import re
import shutil
import struct
import subprocess
import zlib

import pytest

import testhost as hosts
from test_testhost import CALLS, FIRST, ROOT, UNUSED, Talker

FULL = bool(os.environ.get("BROCH_FULL"))
SAMPLE = 6  # lies about a call, otherwise
# beside those of testhost.py: what only a block has
MORE = {"socket": ["fd,65536"], "accept4": ["fd,65536"]}
PT_LOAD, PF_X, PF_W = 1, 1, 2


def new_talker(request, build, tmp_path_factory):
    words = request.getfixturevalue(request.param)
    if request.param != "kvm":  # as testhost takes them
        words = ["--backend", request.param, "--sim", words[-1]]
    made = Talker(build, tmp_path_factory.mktemp("talker"), *words)
    made.share = SAMPLE if request.param == "kvm" else 2
    return made


@pytest.fixture(scope="module", params=["kvm", "snp", "sgx"])
def talker(request, build, tmp_path_factory):
    """In a machine or an enclave: both have a block."""
    return new_talker(request, build, tmp_path_factory)


@pytest.fixture(scope="module", params=["kvm", "snp"])
def machine(request, build, tmp_path_factory):
    return new_talker(request, build, tmp_path_factory)


def fault(lie, done):
    """As testhost.fault; but that the shim may end its machine with a reason: of its own, which is no fault's."""
    stopped = re.search(r'the keep failed reason="[^"]+" vector=0 ', done.stderr)
    if stopped and done.returncode > 128:
        return None
    if "the machine stopped" in done.stderr:
        return f"crashed: {done.stderr}"
    return hosts.fault(lie, done)


def told_about(counts, call, share):
    """The lies about a call of a run."""
    told = list(hosts.lies(ROOT, counts, call))
    for nth in [*range(1, min(counts.get(call, 0), 3) + 1), "all"] if call in counts else []:
        told += [f"{call},{nth},{kind}" for kind in ["scribble", *MORE.get(call, [])]]
    if FULL or len(told) <= share:
        return told
    return random.Random(zlib.crc32(call.encode())).sample(told, share)


def test_the_honest_run(talker):
    assert (talker.honest.returncode, talker.honest.stdout) == (0, "said\ndone\n"), talker.honest.stderr
    assert set(CALLS) - set(talker.counts) <= UNUSED | set(FIRST)
    assert {"log", "phase", "resolve"} <= set(talker.counts)  # which `nil` has as messages


@pytest.mark.parametrize("call", CALLS)
def test_lies(talker, record_property, call):
    first = FIRST.get(call, [])
    words = [word for lie in first for word in ("--lie", lie)]
    _, counts = talker.host.count(*words, *talker.words, stdin="said\n")
    told = told_about(counts, call, talker.share)
    assert told or call in UNUSED
    done = [(lie, talker.lied_to(*first, lie)) for lie in told]
    assert [(lie, fault(lie, d)) for lie, d in done if fault(lie, d) is not None] == []
    ended = sum(d.returncode != 0 for _, d in done)
    record_property("detail", f"{call}: {len(told)} lies, {ended} of them ended the keep")


@pytest.mark.parametrize("lie, said", [
    ("recvfrom,2,long", "recv: I/O error"),
    ("read,1,long", "cannot boot"),
    ("read,1,noise", "this is no boot request"),
    ("recvfrom,all,errno,104", "Connection reset"),
    ("recvfrom,2,flip", "something else came"),
    ("connect,1,errno,111", "Connection refused"),
    ("socket,1,fd,65536", "listen: I/O error"),
    ("accept4,1,length", "accept: I/O error"),
    ("accept4,1,fd", "peek"),
    ("getsockname,1,negative", None),
    ("recvfrom,all,scribble", None),
    ("ppoll,all,scribble", None),
])
def test_a_lie_is_told(talker, lie, said):
    """And what the shim makes of it: never more than was asked for, no number that is no errno."""
    done = talker.lied_to(lie)
    if said is None:
        assert done.returncode == 0 and done.stdout == talker.honest.stdout
    else:
        assert done.returncode == 1 and said in done.stderr


IMAGE, ADDRESS = "no static-PIE", "too little memory"


@pytest.mark.parametrize("word, said", [
    ("memory_end=0", ADDRESS),
    ("memory_end=-1", ADDRESS),
    ("memory_end=0x8000000001", ADDRESS),
    ("memory_end=0x3000123", ADDRESS),
    ("image_size=0", IMAGE),
    ("image_size=-1", IMAGE),
    ("image_size=959", IMAGE),  # less than a header, and sixteen of segments
    ("image_size=4096", "a segment of the exec layer"),
    ("image_size=1000001", "a segment of the exec layer"),
])
def test_words_of_the_block(machine, word, said):
    done = machine.host.run("--word", word, *machine.words, stdin="said\n")
    assert done.returncode > 128 and said in done.stderr, done


@pytest.mark.parametrize("word", ["memory_end=0x7fffffffff", "memory_end=0x4000000123", "image_size=25165824"])
def test_words_that_do_no_harm(machine, word):
    """Memory that is not there is the end for who uses it, which a keep of a small workload does not."""
    done = machine.host.run("--word", word, *machine.words, stdin="said\n")
    assert done.returncode == 0 and done.stdout == machine.honest.stdout, done


def test_a_workload_that_wants_more_memory(build, tmp_path, kvm):
    subprocess.run(["clang-14", "--target=wasm32-wasi", "-O1", "-g0", ROOT / "tests/e2e/keep/guest.c", "-o",
                    tmp_path / "main.wasm"], check=True)
    host = hosts.Testhost(build, *kvm, "--timeout", "20")
    done = host.run("--word", "memory_end=0x10000000", tmp_path / "main.wasm", "memory", "500")
    assert done.returncode == 1 and done.stdout == "none\n", done


def test_too_little_address_space(build, tmp_path, kvm):
    """Of the loader's."""
    (tmp_path / "main.wasm").write_bytes(b"\0asm\1\0\0\0")
    done = subprocess.run(["prlimit", f"--as={1 << 31}", build / "src/cli/broch", "run", *kvm, tmp_path / "main.wasm"],
                          capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60, check=False)
    assert done.returncode == 1 and "4 GiB of address space" in done.stderr, done


# ---- images ----

class Elf:
    """A copy of an ELF file whose program headers can be changed."""

    FIELDS = {"type": (0, "I"), "flags": (4, "I"), "offset": (8, "Q"), "vaddr": (16, "Q"), "paddr": (24, "Q"),
              "filesz": (32, "Q"), "memsz": (40, "Q")}

    def __init__(self, path, to):
        shutil.copy(path, to)
        self.path = to
        self.content = bytearray(to.read_bytes())
        at, = struct.unpack_from("<Q", self.content, 0x20)
        count, = struct.unpack_from("<H", self.content, 0x38)
        self.headers = [at + 56 * i for i in range(count)]
        self.loads = [i for i in range(count) if self.get(i, "type") == PT_LOAD]

    def get(self, number, field):
        at, kind = self.FIELDS[field]
        return struct.unpack_from("<" + kind, self.content, self.headers[number] + at)[0]

    def set(self, number, field, value):
        at, kind = self.FIELDS[field]
        struct.pack_into("<" + kind, self.content, self.headers[number] + at, value)
        self.path.write_bytes(self.content)

    def find(self, flag):
        return next(i for i in self.loads if self.get(i, "flags") & flag)


def writable_code(elf):
    elf.set(elf.find(PF_X), "flags", 7)


def beyond_the_file(elf):
    elf.set(elf.find(PF_X), "offset", 1 << 24)


def huge_in_memory(elf):
    elf.set(elf.find(PF_W), "memsz", 1 << 62)


def smaller_in_memory(elf):
    elf.set(elf.find(PF_W), "memsz", 16)


def far_away(elf):
    elf.set(elf.find(PF_W), "vaddr", 1 << 63)


def off_its_page(elf):
    elf.set(elf.find(PF_X), "vaddr", elf.get(elf.find(PF_X), "vaddr") + 8)


def one_over_the_other(elf):
    code, data = elf.find(PF_X), elf.find(PF_W)
    elf.set(data, "vaddr", elf.get(code, "vaddr") + elf.get(data, "offset") % 4096)


def out_of_order(elf):
    """The data before the code, where the size of all was once taken from the last alone."""
    elf.set(elf.find(PF_W), "vaddr", elf.get(elf.find(PF_W), "offset") % 4096)


def code_that_is_data_elsewhere(elf):
    """One page of the file, once to be written and once to be run."""
    code, data = elf.find(PF_X), elf.find(PF_W)
    elf.set(data, "offset", elf.get(code, "offset") + elf.get(data, "offset") % 4096)


@pytest.mark.parametrize("change", [writable_code, beyond_the_file, huge_in_memory, smaller_in_memory, far_away,
                                    off_its_page, one_over_the_other, out_of_order, code_that_is_data_elsewhere])
def test_segments_of_the_exec_layer(build, machine, tmp_path, change):
    change(Elf(build / "src/keep/broch-keep", tmp_path / "keep"))
    done = machine.host.run("--keep", tmp_path / "keep", *machine.words)
    assert done.returncode > 128 and "a segment of the exec layer cannot be mapped" in done.stderr, done


@pytest.mark.parametrize("field, value", [("paddr", 0), ("paddr", 0x400000), ("paddr", (1 << 64) - 4096),
                                          ("offset", (1 << 64) - 8), ("filesz", 1 << 32), ("memsz", (1 << 20) + 1),
                                          ("memsz", 0)])
@pytest.mark.parametrize("number", [0, 5])
def test_segments_of_the_shim(build, machine, tmp_path, number, field, value):
    Elf(build / "src/shim/kvm/broch-shim-kvm", tmp_path / "shim").set(number, field, value)
    done = machine.host.run("--shim", tmp_path / "shim", *machine.words)
    assert done.returncode == 2 and "a segment of the shim lies outside its place" in done.stderr, done


def test_noise_in_images(build, machine, tmp_path):
    """Bytes of both that are anything: whatever happens happens in the machine."""
    rng = random.Random(11)
    for name in ["src/shim/kvm/broch-shim-kvm", "src/keep/broch-keep"]:
        content = (build / name).read_bytes()
        for _ in range(40 if FULL else 6):
            damaged = bytearray(content)
            for _ in range(8):  # in headers, or in the first code
                damaged[rng.randrange(rng.choice([64, 1024, 16384]))] = rng.randrange(256)
            (tmp_path / "image").write_bytes(damaged)
            option = "--shim" if "shim" in name else "--keep"
            done = machine.host.run(option, tmp_path / "image", *machine.words, stdin="said\n")
            assert done.returncode in (0, 1, 2, 124) or done.returncode > 128, done
            assert done.returncode == 0 or done.stderr, done
