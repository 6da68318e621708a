"""What code in an enclave can do and is given: a program in the exec layer's place has its faults handled, uses memory,
asks the processor for reports and keys, and loses no register. Where Linux does the same it is asked, too."""
import os
import re
import subprocess

import pytest

import testhost as hosts
from test_sgx import SHIM, Enclave

FULL = bool(os.environ.get("BROCH_FULL"))
PAGE_FAULT, PROTECTION = "a page fault", "a general protection fault"
NO_INSTRUCTION = "an instruction that there is not"
CIRCUMSTANCES = {"alone": (), "interrupted": ("interrupts",), "dirty": ("dirty",),
                 "entered oddly": ("entry-flags", "interrupts", "block")}
SIGSEGV = 11


@pytest.fixture
def inside(build, tmp_path, sim_dir):
    """What a try prints, of inside_enclave or, as Linux has no say in it, of the program for machines."""
    def run(*words, kinds=(), program="inside_enclave"):
        (tmp_path / "try").write_text(f"try:{' '.join(map(str, words))}.")
        host = hosts.Testhost(build, "--backend", "sgx", "--sim", sim_dir, "--timeout", "50", "--keep",
                              build / "tests/testhost" / program)
        return host.run(*(word for kind in kinds for word in ("--enter", kind)), tmp_path / "try")
    return run


@pytest.fixture
def outside(build, tmp_path):
    """The same program, as one of Linux's."""
    def run(*words):
        (tmp_path / "try").write_text(f"try:{' '.join(map(str, words))}.")
        with open(tmp_path / "try", "rb") as file:
            return subprocess.run([build / "tests/testhost/inside_enclave"], capture_output=True, text=True, timeout=60,
                                  check=False, preexec_fn=lambda: os.dup2(file.fileno(), 4), pass_fds=[4])
    return run


def out(done):
    assert done.returncode == 0, done
    return done.stdout


def table(done):
    """Lines of NAME: WHAT."""
    return dict(line.rsplit(": ", 1) for line in out(done).splitlines())


def ended(done):
    """Why the keep did, as its loader tells."""
    assert done.returncode > 128 and done.stderr.count("the keep failed reason=") == 1, done
    assert "went on" not in done.stdout
    return done.stderr.partition("reason=")[2].partition(" vector")[0].strip('"')


# ---- faults ----

@pytest.mark.parametrize("kinds", CIRCUMSTANCES.values(), ids=CIRCUMSTANCES)
def test_faults_are_handled(inside, outside, kinds):
    """8 GiB that are reserved, opened bit by bit, with a handler that jumps, or returns; begun with DF clear."""
    here, there = inside("guards", kinds=kinds), outside("guards")
    assert out(here) == out(there) and "resumed: 77 5 9\n" in here.stdout


@pytest.mark.parametrize("name, reason", [
    ("nested", PAGE_FAULT), ("overflow", PAGE_FAULT), ("divide", "division"), ("ud2", NO_INSTRUCTION),
    ("hlt", PROTECTION), ("jump-behind", PAGE_FAULT), ("constants", PAGE_FAULT)])
def test_faults_that_are_the_end(inside, name, reason):
    """Of a handler, of a stack that has run into the hole below it, of code that is not there, each with a report."""
    done = inside(name)
    assert ended(done) == reason and re.search(r" rip=0000[0-9a-f]{12} ", done.stderr)


def test_a_stack_that_overflows(inside):
    """Below it there is nothing: the address is in the page before the heap. Which of the page a processor hides."""
    address, = re.findall(r"address=([0-9a-f]{16})", inside("overflow").stderr)
    assert int(address, 16) % (1 << 32) == 0x4000000 - 4096


def test_a_page_that_is_only_read(inside):
    """Its content stays; to write to it is the end: no handler is told of faults at pages that are there."""
    done = inside("limited")
    assert done.stdout == "read 7\n" and ended(done) == PAGE_FAULT and " error=7 " in done.stderr
    assert out(inside("limited", kinds=("sgx1",))) == "read 7\nfaults 0\n"  # where pages keep their rights


# ---- memory ----

@pytest.mark.parametrize("kinds, mebibytes", [((), 200), (("dirty",), 200), (("sgx1",), 200), (("sgx1", "dirty"), 200),
                                              (("interrupts",), 50), (("deny,2",), 50), (("lazy,2",), 50),
                                              (("deny,2", "only-remove"), 50), (("lazy,2", "only-remove"), 50)])
def test_memory_is_zero(inside, kinds, mebibytes):
    """Pages and MiBs until there are no more, given back and taken again; the heap's end up and down.
    Also with a loader that refuses to take them, or says that it did."""
    assert out(inside("zero", mebibytes, kinds=kinds)) == "all zero\n"


@pytest.mark.parametrize("kinds", [(), ("interrupts",)], ids=["alone", "interrupted"])
@pytest.mark.parametrize("seed", range(1, 30 if FULL else 4))
def test_memory(inside, seed, kinds):
    """At random, against a model: content is kept, what is new is zero, nothing lies on something else."""
    done = inside("stress-enclave", seed, 4000 if FULL else 1000, kinds=kinds, program="inside")
    assert out(done) == "as the model\n"


@pytest.mark.parametrize("size, count", [(1 << 30, 60), (8 << 30, 30), (3 << 20, 300)])
def test_addresses_are_used_again(inside, size, count):
    """More reservations than there are addresses, one after the other."""
    assert out(inside("churn", size, count, program="inside")) == "as often as one likes\n"


@pytest.mark.parametrize("kinds", [(), ("sgx1",)])
def test_bad_arguments(inside, kinds):
    """Of memory calls, keep calls and others: each is refused, and nothing else happens."""
    tries = table(inside("arguments", kinds=kinds))
    assert len(tries) == 30 and set(tries.values()) == {"refused"}, tries


# ---- registers ----

@pytest.mark.parametrize("kinds", CIRCUMSTANCES.values(), ids=CIRCUMSTANCES)
def test_vectors_are_kept(inside, kinds):
    """All of AVX, MXCSR and the control word of x87, over calls that are made inside and outside, and interrupts."""
    assert out(inside("vectors", kinds=kinds)) == "as they were\n"


@pytest.mark.parametrize("kinds", CIRCUMSTANCES.values(), ids=CIRCUMSTANCES)
def test_it_begins_as_a_program_does(inside, outside, kinds):
    """Control words of x87 and SSE, direction and alignment: whatever the loader's are."""
    assert out(inside("state", kinds=kinds)) == out(outside("state")) == "37f 1f80 0\n"


@pytest.mark.parametrize("kinds", CIRCUMSTANCES.values(), ids=CIRCUMSTANCES)
def test_registers_are_kept(inside, kinds):
    """Over calls, as Linux keeps them: RCX is where it goes on, R11 the flags, of which none is another."""
    lines = out(inside("registers", kinds=kinds)).splitlines()
    assert [line[:2] for line in lines] == ["0:", "0:", "1:"]
    for line in lines:
        *kept, behind, changed, flags = [int(word, 16) for word in line.split()[1:]]
        assert kept == [0x11 * i for i in range(1, 13)] and behind == changed == 0 and flags & 0x401 == 0x401, line


def test_cpuid(inside):
    """Each leaf is the table's, whatever the processor has: who it is, ciphers, AVX, no SGX and no hypervisor."""
    answers = {name: [int(word, 16) for word in value.split()]
               for name, value in table(inside("cpuid", kinds=("cpuid",))).items()}
    vendor = b"".join(answers["0 0"][i].to_bytes(4, "little") for i in (1, 3, 2))
    assert vendor == b"GenuineIntel" and answers["0 0"][0] == 0xd
    features = answers["1 0"][2]
    for bit in (1, 20, 25, 27, 28, 30):  # PCLMULQDQ, SSE4.2, AES, OSXSAVE, AVX, RDRAND
        assert features >> bit & 1
    assert not features >> 31 and answers["d 0"] == [7, 832, 832, 0] and answers["d 2"] == [256, 576, 0, 0]
    for name in ("2 0", "7 1", "d 1", "12 0", "40000000 0", "80000008 0", "ffffffff 0"):
        assert answers[name] == [0, 0, 0, 0]


def test_there_is_no_counter(inside):
    """Without SGX2 RDTSC is no instruction in an enclave, and OpenSSL has one: it reads 0, and asks for the time."""
    assert out(inside("counter", kinds=("cpuid",))) == "0 0\n"


# ---- the processor ----

def cmac(key, message):
    done = subprocess.run(["openssl", "mac", "-cipher", "AES-128-CBC", "-macopt", f"hexkey:{key.hex()}", "-in", "-",
                           "-binary", "CMAC"], input=message, capture_output=True, check=True)
    return done.stdout


def own_report(done):
    return {name: bytes.fromhex(value) for name, value in (line.split(" ") for line in out(done).splitlines())}


@pytest.mark.parametrize("kinds", [(), ("sgx1",)])
def test_a_report(build, inside, kinds):
    """Each field is where the manual has it, and what the loader built: the measurement as it is computed apart; the
    MAC is that of the report key of whom it is for."""
    found = own_report(inside("report", kinds=kinds))
    report = found["report"]
    assert report[16:20] == b"\1\0\0\0" and not any(report[20:48])  # MISCSELECT: EXINFO
    assert int.from_bytes(report[48:56], "little") == 5 and int.from_bytes(report[56:64], "little") == 7
    assert report[64:96].hex() == Enclave().measure(build / SHIM, build / "tests/testhost/inside_enclave")
    assert not any(report[96:128]) and any(report[128:160]) and not any(report[160:256])
    assert report[256:260] == b"\1\0\0\0" and not any(report[260:320])  # product 1, version 0
    assert report[320:384] == bytes(i * 3 & 0xff for i in range(64))
    assert cmac(found["key"], report[:384]) == report[416:432]


def test_another_platform(inside):
    """Each run is on a platform of its own: the same enclave has other keys."""
    one, other = (own_report(inside("report")) for _ in range(2))
    assert one["report"][:384] == other["report"][:384] and one["key"] != other["key"]
    assert cmac(other["key"], one["report"][:384]) != one["report"][416:432]


def test_keys(inside):
    """The same request gives the same key, any other another, or the manual's error ("EGETKEY", "Error Codes")."""
    lines = [line.split() for line in out(inside("keys")).splitlines()]
    status, keys = {n: int(s) for n, s, _ in lines}, {n: k for n, _, k in lines}
    errors = {"isv-svn": 64, "cpu-svn": 32, "launch": 2, "provision": 2, "provision-seal": 2, "no-name": 256,
              "far-name": 256}
    assert {name: code for name, code in status.items() if code != 0} == errors
    assert keys["again"] == keys["attributes-init"] == keys["seal"]
    different = [keys[name] for name in keys if name not in (*errors, "again", "attributes-init")]
    assert len(set(different)) == len(different) == 10 and "00" * 16 not in different
    assert {keys[name] for name in errors} == {"00" * 16}


def test_accepting_pages(inside):
    """Only what the loader has done is accepted, as it is done, once (EACCEPT; 19: SGX_PAGE_ATTRIBUTES_MISMATCH)."""
    mismatches = ("modified", "restricted", "trimmed", "read", "to run", "again", "one of ours")
    assert table(inside("accept")) == {"pending": "0", **dict.fromkeys(mismatches, "19")}


def test_accepting_pages_without_sgx2(inside):
    assert ended(inside("accept", kinds=("sgx1",))) == PROTECTION


def test_operands(inside):
    """What is not aligned, or not in the enclave, is a general protection fault, as is a leaf that there is not."""
    tries = table(inside("operands"))
    assert len(tries) == 14 and set(tries.values()) == {str(SIGSEGV)}, tries
