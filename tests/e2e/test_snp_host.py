"""A host that does what it should not to a machine of `snp`, on the simulated security processor: how it is started,
its pages, the processor's answers, its block while it is read, exits and interrupts at odd times."""
import re
import subprocess

import pytest

from deploy_host import Private, config
from test_snp import Simulated

SNP, SIM = 0x504e53, 0x4d4953
SECRETS, CPUID, BLOCK = 0x300000, 0x301000, 0xc00000
NOT_THE_PROCESSOR = "it is not its security processor that answers"


@pytest.fixture(scope="module")
def world(build, tmp_path_factory, kvm):
    assert kvm
    world = Simulated(build, tmp_path_factory.mktemp("snp"))
    yield world
    world.stop()


@pytest.fixture(scope="module")
def module(tmp_path_factory):
    """It computes and tells the time, long enough to be disturbed; and reads what it is given."""
    source = tmp_path_factory.mktemp("spin") / "spin.c"
    source.write_text("""
        #include <stdio.h>
        #include <time.h>
        int main(void)
        {
            volatile unsigned x = 1;
            struct timespec t;
            for (int k = 0; k < 40; k++) {
                for (int i = 0; i < 300000; i++)
                    x = x * 3 + 1;
                clock_gettime(CLOCK_MONOTONIC, &t);
                printf("%d\\n", k);
                fflush(stdout);
            }
            puts("done");
            return 0;
        }""")
    subprocess.run(["clang-14", "--target=wasm32-wasi", "-O1", source, "-o", source.with_suffix(".wasm")], check=True)
    return source.with_suffix(".wasm")


@pytest.fixture(scope="module")
def package(world, module):
    return world.package("spin", module.read_bytes(), config())


@pytest.fixture
def run(world, package):
    """A keep with a Steward."""
    def start(*words):
        return world.testhost("--backend", "snp", "--timeout", 50, *words).run(package)
    return start


def ended(done):
    """Why the machine did, as its loader tells."""
    assert done.returncode > 128 and "done" not in done.stdout, done
    found = re.findall(r'the (?:keep|shim) failed reason=(\S+|"[^"]+") vector=|the machine stopped reason=("[^"]+")',
                       done.stderr)
    assert len(found) == 1, done.stderr
    return "".join(found[0]).strip('"')


# ---- how it is started ----

def test_an_honest_host(run):
    done = run()
    assert (done.returncode, done.stdout[-5:]) == (0, "done\n"), done.stderr


@pytest.mark.parametrize("mode, said", [
    (SNP, "this is no machine with SEV-SNP"), (7, "the shim was started in a way that it does not know"),
    (2 ** 64 - 1, "the shim was started in a way that it does not know")])
def test_modes(run, mode, said):
    assert ended(run("--mode", mode)) == said


def test_a_processor_that_is_hidden(run):
    """Started as plain `kvm` there is no processor to ask, and so no evidence: the Steward refuses."""
    done = run("--mode", 0)
    assert done.returncode == 125 and "the Steward refused" not in done.stdout and done.stdout == "", done


def test_a_processor_that_is_not_there(world, package):
    """The other way round: a plain machine, started as if it had one."""
    done = world.testhost("--backend", "kvm", "--mode", SIM, "--timeout", 50).run(package)
    assert ended(done) == "the CPUID page is none"


@pytest.mark.parametrize("pokes, said", [
    ([(CPUID, 0)], "the CPUID page is none"),
    ([(CPUID, 65)], "the CPUID page is none"),
    ([(CPUID + 3, 1)], "the CPUID page is none"),
    ([(CPUID, 1)], "the C-bit is not where the image has it"),
    ([(SECRETS, 0)], "the secrets page is none"),
    ([(SECRETS, 9)], "the secrets page is none"),
    ([(SECRETS + 1, 1)], "the secrets page is none"),
])
def test_pages_of_the_processor(run, pokes, said):
    words = [word for at, value in pokes for word in ("--poke", f"{at:#x}={value}")]
    assert ended(run(*words)) == said


def test_another_c_bit(run):
    """Of the last entry of the CPUID page, EBX."""
    for entry in range(64):
        done = run("--poke", f"{CPUID + 16 + 48 * entry + 28:#x}=47")
        if done.returncode != 0:
            assert ended(done) in ("the C-bit is not where the image has it", "the processor has no FSGSBASE",
                                   "the processor has no RDRAND"), done
            if ended(done) == "the C-bit is not where the image has it":
                return
    pytest.fail("no entry has the C-bit")


def test_another_key(run):
    """Both sides must have it: a key that the host put there is not the processor's."""
    done = run("--poke", f"{SECRETS + 0x20:#x}=1", "--poke", f"{SECRETS + 0x21:#x}=2")
    assert done.returncode == 125 and "the security processor does not answer" in done.stderr and done.stdout == ""


# ---- what the processor answers ----

@pytest.mark.parametrize("bit", [0, 8 * 15 + 7, 8 * 0x20, 8 * 0x30, 8 * 0x34, 8 * 0x36 + 12, 8 * 0x36, 8 * 0x3c,
                                 8 * 0x5f, 8 * 0x60, 8 * (0x60 + 32 + 0x90), 8 * (0x60 + 1200)])
def test_a_bit_of_the_answer(run, bit):
    """Tag, header, status, report: whatever is changed, the keep ends."""
    done = run("--guest", f"0,flip,{bit}")
    assert done.returncode == 125 and NOT_THE_PROCESSOR in done.stderr and done.stdout == "", done


@pytest.mark.parametrize("kind", ["request", "empty"])
def test_other_answers(run, kind):
    done = run("--guest", f"1,{kind}")
    assert done.returncode == 125 and NOT_THE_PROCESSOR in done.stderr, done


def test_what_is_outside_the_message(run):
    """Behind it there is nothing that counts."""
    assert run("--guest", f"0,flip,{8 * 4095}").returncode == 0


def test_an_answer_twice(world, module, tmp_path_factory):
    """The platform's certificate takes one message, the keep's another: the first answer is none to the second."""
    package = world.package("ours", module.read_bytes(), config())
    private = Private(world, tmp_path_factory.mktemp("client"), package)
    try:
        done, _ = private.run("ours", "--backend", "snp", "--timeout", "50")
        assert done.returncode == 0, done.stderr
        done, _ = private.run("ours", "--backend", "snp", "--timeout", "50", "--guest", "2,first")
        assert done.returncode == 125 and NOT_THE_PROCESSOR in done.stderr and done.stdout == "", done.stderr
    finally:
        private.other.stop()


def test_a_host_that_is_busy(run):
    """The same message goes once more; for ever is too long."""
    done = run("--guest", f"1,result,{2 << 32}")
    assert done.returncode == 0, done.stderr
    done = run("--guest", f"0,result,{2 << 32}")
    assert done.returncode == 125 and "the security processor does not answer" in done.stderr, done


@pytest.mark.parametrize("result", [1, 0x16, 1 << 32, 2 ** 63, 2 ** 64 - 1])
def test_a_processor_that_fails(run, result):
    done = run("--guest", f"1,result,{result}")
    assert done.returncode == 125 and "the security processor does not answer" in done.stderr, done


@pytest.mark.parametrize("kind", ["no-certificates", "bad-certificates"])
def test_tables_of_certificates(run, kind):
    """Where there is none the loader has it, too; what the keep sends, the Steward judges."""
    assert run("--guest", f"1,{kind}").returncode == 0


# ---- while it runs ----

def test_exits_at_odd_times(run):
    done = run("--disturb", "signals")
    assert (done.returncode, done.stdout[-5:]) == (0, "done\n"), done.stderr


@pytest.mark.parametrize("backend", ["kvm", "snp"])
@pytest.mark.parametrize("what", ["nmi", "interrupt", *(f"exception,{n}" for n in (0, 1, 6, 8, 13, 14, 18, 28, 29))])
def test_what_a_host_injects(world, module, backend, what):
    """Nothing of it is ever right: the machine ends, with what came."""
    done = world.testhost("--backend", backend, "--disturb", what, "--timeout", 50).run(module)
    assert done.returncode > 128, done
    assert ended(done) != ""


@pytest.mark.parametrize("vector", [13, 14, 5])
def test_one_fault_is_enough(world, module, vector):
    """The keep has handlers for faults of its own. What a host injects between two instructions must not come to one,
    which would go on with other vector registers: a faulty step of a cipher."""
    done = world.testhost("--backend", "snp", "--disturb", f"exception,{vector},once", "--timeout", 50).run(module)
    assert ended(done) != ""


def test_a_block_that_changes_while_it_is_read(world, module):
    """What is copied is checked, and nothing is read twice: an error, or the end, and never a crash. On a busy machine
    whoever scribbles may come too late for all of a run's calls."""
    for backend in ("kvm", "snp"):
        for _ in range(10):
            done = world.testhost("--backend", backend, "--disturb", "scribble", "--timeout", 20).run(module)
            said = done.stdout + done.stderr
            assert "a page fault" not in said and "the shim failed" not in said, done
            assert "a general protection fault" not in said and "the machine stopped" not in said, done
            if done.returncode != 0:
                break
        assert done.returncode != 0, done


def test_the_key_is_gone(run):
    """Once the exec layer has it, it is nowhere in what shim and host have."""
    done = run("--seek-key")
    assert done.returncode == 0 and "the key in_the_block=0 in_the_secrets_page=0 in_the_shim=0" in done.stderr, done
