"""What code in a machine's ring 3 can do: a program in the exec layer's place that makes requests of ring 0, does what
only ring 0 may, has its faults handled, and uses memory. Where Linux does the same it is asked, too."""
import os
import re
import subprocess

import pytest

import testhost as hosts

FULL = bool(os.environ.get("BROCH_FULL"))
PAGE_FAULT, PROTECTION, NO_INSTRUCTION = "a page fault", "a general protection fault", "an instruction that there is not"
REASONS = {"ud2": NO_INSTRUCTION, "divide": "division", "far-stack": "a fault", "no-stack": PAGE_FAULT,
           "overflow": PAGE_FAULT, "flags": NO_INSTRUCTION, "read-far": PROTECTION, "run-far": PROTECTION,
           "int-14": None, "int-80": None}  # which software takes for no instruction


@pytest.fixture
def inside(build, tmp_path, kvm):
    host = hosts.Testhost(build, *kvm, "--timeout", "50", "--keep", build / "tests/testhost/inside")

    def run(*words):
        (tmp_path / "try").write_text(f"try:{' '.join(map(str, words))}.")
        return host.run(tmp_path / "try")
    return run


@pytest.fixture
def outside(build, tmp_path):
    """The same program, as one of Linux's."""
    def run(*words):
        (tmp_path / "try").write_text(f"try:{' '.join(map(str, words))}.")
        with open(tmp_path / "try", "rb") as file:
            return subprocess.run([build / "tests/testhost/inside"], capture_output=True, text=True, timeout=60,
                                  check=False, preexec_fn=lambda: os.dup2(file.fileno(), 4), pass_fds=[4])
    return run


def ended(done):
    """Why the keep did, as its loader tells."""
    assert done.returncode > 128 and done.stderr.count("the keep failed reason=") == 1, done
    return done.stderr.partition("reason=")[2].partition(" vector")[0].strip('"')


def test_requests(inside):
    """Ring 0 maps no memory but what is the exec layer's, nowhere else, and nothing that is code."""
    done = inside("requests")
    assert (done.returncode, done.stdout, done.stderr) == (0, "as it should be\n", "")


def test_requests_as_hardware_makes_them(build, tmp_path, kvm):
    """Where KVM is software, SYSCALL stays in ring 3. Here the loader does what the processor does elsewhere: ring 0 at
    LSTAR, on the stack of ring 3."""
    host = hosts.Testhost(build, *kvm, "--timeout", "50", "--disturb", "syscalls", "--keep",
                          build / "tests/testhost/inside")
    (tmp_path / "try").write_text("try:requests-by-loader.")
    done = host.run(tmp_path / "try")
    assert (done.returncode, done.stdout) == (0, "as it should be\n"), done
    (times,) = re.findall(r"the loader made SYSCALL times=(\d+)", done.stderr)
    assert int(times) > 150


def test_what_only_ring_0_may(inside):
    """Each instruction, access and jump is a fault, and the end, with a report."""
    names = inside("list").stdout.split()
    assert len(names) > 40
    for name in names:
        done = inside(name)
        memory = name.startswith(("read-", "write-", "run-")) and name not in ("read-cr0", "write-cr0", "write-cr3",
                                                                               "read-cr4", "write-dr7")
        expected = REASONS.get(name, PAGE_FAULT if memory else PROTECTION)
        assert ended(done) == (expected or ended(done)) and "went on" not in done.stdout, name


def test_a_report_is_for_people(inside):
    said = inside("read-nothing").stderr
    assert " vector=14 error=4 rip=0000" in said and " address=0000000000000008" in said


def test_code_that_is_made_writable(inside, outside):
    """It is no code any more."""
    done = inside("changed-code")
    assert ended(done) == PAGE_FAULT and done.stdout.startswith("changed\n")
    assert outside("changed-code").returncode < 0


def test_faults_are_handled(inside, outside):
    """As an engine needs it: 8 GiB that are reserved, opened bit by bit, with a handler that jumps, or returns."""
    there, here = inside("guards"), outside("guards")
    assert there.returncode == here.returncode == 0 and there.stdout == here.stdout, (there, here)
    assert "resumed: 77 5 9\n" in here.stdout


def test_a_fault_in_a_handler(inside, outside):
    assert ended(inside("nested")) == PAGE_FAULT
    assert outside("nested").returncode < 0


@pytest.mark.parametrize("seed", range(1, 30 if FULL else 4))
def test_memory(inside, outside, seed):
    """At random, against a model: content is kept, what is new is zero, nothing lies on something else."""
    words = ["stress", seed, 4000 if FULL else 1000]
    assert outside(*words).stdout == "as the model\n"  # so the model is right
    done = inside(*words)
    assert (done.returncode, done.stdout) == (0, "as the model\n"), done


@pytest.mark.parametrize("size, count", [(1 << 30, 1100), (8 << 30, 200), (3 << 20, 300)])
def test_addresses_are_used_again(inside, size, count):
    """More reservations than there are addresses, or tables for them, one after the other."""
    done = inside("churn", size, count * 4 if FULL else count)
    assert (done.returncode, done.stdout) == (0, "as often as one likes\n"), done


def symbol(build, name):
    """Its address in the shim."""
    symbols = subprocess.run(["nm", build / "src/shim/kvm/broch-shim-kvm"], capture_output=True, text=True, check=True)
    (address,) = [int(line.split()[0], 16) for line in symbols.stdout.splitlines() if line.endswith(f" {name}")]
    return address


@pytest.mark.parametrize("name", ["user_stack", "user_fault_stack"])
def test_nothing_is_below_a_stack(build, inside, name):
    """Those of the user half; ring 0's looks the same from here, and is made by the same code."""
    guard = symbol(build, f"{name}_guard")
    assert ended(inside("read", guard)) == ended(inside("read", guard + 4095)) == PAGE_FAULT
    assert inside("read", guard + 4096).returncode == 0


def test_both_ways_into_ring_0(build, inside):
    """A fault at the entry is a call: what SYSCALL makes where KVM is software, and where it is not, a jump does. The
    other way is SYSCALL itself, which all the other tests go where the processor makes it."""
    entry = symbol(build, "syscall_entry")
    assert inside("entry", entry, 0).stdout == "-1\n"
    done = inside("entry", entry, 1)
    assert done.returncode > 128 and " failed reason=" in done.stderr and " vector=13 " in done.stderr, done
