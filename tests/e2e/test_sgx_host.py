"""A host that does what it should not to an enclave of `sgx`, on a processor with SGX in software: how and when it is
entered, its block, its pages, interrupts, the quotes that it is given, the images that are loaded. What a host can do
on hardware, and no more. The keep goes on as if nothing was, or ends with a reason; it never does anything else."""
import os
import re
import subprocess

import pytest

import testhost as hosts
from deploy_host import Private, config
from test_kvm_host import PF_W, PF_X, Elf
from test_sgx import KEEP, SHIM, World, broch, measure

HEAP, STACK_SIZE, RESERVED, LOADED_END = 0x4000000, 0x400000, 0x6600000, 0x8000000
SHIM_STACK, HANDLER_STACK = 0x127000, 0x147000  # their first pages
PAGE = 4096
REFUSED = "the processor does not enter the enclave: its state is not for it"
NO_EXCEPTION = "the enclave was entered for an exception, and there was none"
NOT_LIMITED = "the processor has not taken the right to write from pages of the exec layer"
PAGE_FAULT = "a page fault"


@pytest.fixture(scope="module")
def world(build, tmp_path_factory):
    world = World(build, tmp_path_factory.mktemp("sgx"))
    yield world
    world.stop()


@pytest.fixture(scope="module")
def module(tmp_path_factory):
    """It computes, in integers and floats, tells the time, and takes memory that has to be zero: long enough to be
    disturbed."""
    source = tmp_path_factory.mktemp("spin") / "spin.c"
    source.write_text("""
        #include <stdio.h>
        #include <stdlib.h>
        #include <time.h>
        int main(void)
        {
            volatile unsigned x = 1;
            volatile double d = 1;
            struct timespec t;
            for (int k = 0; k < 40; k++) {
                for (int i = 0; i < 200000; i++) {
                    x = x * 3 + 1;
                    d = d * 1.0000001 + 0.5;
                }
                clock_gettime(CLOCK_MONOTONIC, &t);
                char *more = calloc(1, 200000);
                for (int i = 0; i < 200000; i++)
                    if (more[i] != 0)
                        return 3;
                more[199999] = 1;
                printf("%d\\n", k);
                fflush(stdout);
            }
            printf("%u %.9g\\n", x, d);
            puts("done");
            return 0;
        }""")
    subprocess.run(["clang-14", "--target=wasm32-wasi", "-O1", source, "-o", source.with_suffix(".wasm")], check=True)
    return source.with_suffix(".wasm")


@pytest.fixture(scope="module")
def run(build, sim_dir, module):
    """The module, to whose keep a host does things: words are kinds of --enter, or options."""
    host = hosts.Testhost(build, "--backend", "sgx", "--sim", sim_dir, "--timeout", 50)

    def start(*kinds, what=(module,), options=()):
        return host.run(*(word for kind in kinds for word in ("--enter", kind)), *options, *what)
    return start


@pytest.fixture(scope="module")
def guest(root, tmp_path_factory):
    out = tmp_path_factory.mktemp("guest") / "main.wasm"
    subprocess.run(["clang-14", "--target=wasm32-wasi", "-O1", "-g0", root / "tests/e2e/keep/guest.c", "-o", out],
                   check=True)
    return out


@pytest.fixture(scope="module")
def said(run):
    """What it prints when nothing is done to it."""
    done = run()
    assert (done.returncode, done.stdout[-5:]) == (0, "done\n"), done.stderr
    return done.stdout


def ended(done):
    """Why it did, as its loader tells, once."""
    assert done.returncode > 128 and "done" not in done.stdout, done
    found = re.findall(r'the keep failed reason="([^"]+)" vector=|the enclave stopped reason="([^"]+)"', done.stderr)
    assert len(found) == 1 and "the shim failed" not in done.stderr, done.stderr
    return "".join(found[0])


def times(done, what):
    """How often the loader did it."""
    return len(re.findall(rf"the loader does it what={what}$", done.stderr, re.MULTILINE))


# ---- entries ----

@pytest.mark.parametrize("kind", ["block", "dirty", "interrupts", "entry-flags", "sgx1"])
def test_what_does_no_harm(run, said, kind):
    """Another block later, anything in the heap before, interrupts, odd flags and control words: all is as ever, and
    every exit leaves nothing in registers."""
    done = run(kind, "registers")
    assert (done.returncode, done.stdout) == (0, said), done.stderr
    count, leaked = map(int, re.search(r"exits of the enclave count=(\d+) leaked=(\d+)", done.stderr).groups())
    assert count > 100 and leaked == 0


def test_all_of_it_at_once(run, said):
    done = run("block", "dirty", "interrupts", "entry-flags", "sgx1", "registers")
    assert (done.returncode, done.stdout) == (0, said) and " leaked=0" in done.stderr, done.stderr


@pytest.mark.parametrize("nth", [1, 2, 5])
def test_entered_again(run, nth):
    """Where an exception has been dealt with it is gone: who enters once more finds none, and that is the end."""
    done = run(f"again,{nth}")
    assert times(done, "again") == 1 and ended(done) == NO_EXCEPTION


def test_an_interrupt_told_as_an_exception(run):
    """The report has nothing in it of the call before."""
    done = run("interrupts-told")
    assert ended(done) == NO_EXCEPTION
    assert f" vector=0 error=0 rip={'0' * 16} address={'0' * 16}\n" in done.stderr


def test_an_interrupt_told_at_the_start(run):
    """Before the shim has a block there is nowhere to say what it was."""
    done = run("interrupts-told,1")
    assert ended(done) in (NO_EXCEPTION, REFUSED) and done.stdout == ""


@pytest.mark.parametrize("kinds", [("again,1",), ("again,30",), ("interrupts-told",), ("deny,1",),
                                   (f"away,{RESERVED},{0x200000},150",)])
def test_after_the_end(run, kinds):
    """Entered and resumed by turns, the exec layer runs on, and at its next call the shim is at its end as before."""
    done = run("after-end", *kinds)
    assert ended(done) and "after the end ran=200 ended=200 else=0" in done.stderr, done


def test_resumed_where_the_shim_waits(run, said):
    """The exec layer makes its call once more, and the shim goes on where it was, once."""
    done = run("resume,1")
    assert times(done, "resume") == 1 and (done.returncode, done.stdout) == (0, said), done


def test_a_call_that_is_not_made(run):
    """Then its result is what the block has: here the first page of the boot request, once more."""
    done = run("resume-call")
    assert times(done, "resume-call") == 1 and done.returncode == 1 and "cannot boot" in done.stderr, done


def test_resumed_before_all_else(run):
    assert ended(run("early")) == REFUSED


@pytest.mark.parametrize("kind", ["null", "odd", "high", "inside", "across"])
def test_blocks_at_odd_places(run, kind):
    """Nothing of the enclave's is ever taken for the block. There is no block then to say so in."""
    done = run(kind)
    assert ended(done) == REFUSED and done.stdout == ""


def test_a_frame_too_many(run):
    """The handler's stack goes away: an exception of the handler's own has no third frame, and no handler."""
    assert ended(run(f"away,{HANDLER_STACK},{PAGE}")) == REFUSED


# ---- pages ----

@pytest.mark.parametrize("at, size, nth, reason", [
    (SHIM_STACK, PAGE, 0, PAGE_FAULT),  # which the shim itself needs, at CSSA 0
    (HEAP, STACK_SIZE, 0, PAGE_FAULT),  # the exec layer's stack
    (RESERVED, 0x200000, 150, PAGE_FAULT),  # linear memory, about whose faults the exec layer has a handler
    (0x400000, 0x400000, 150, PAGE_FAULT),  # code
])
@pytest.mark.parametrize("how", ["away", "trim"])
def test_pages_that_go(run, how, at, size, nth, reason):
    """What has to be there is not: no handler of the exec layer's hears of it, and the keep ends. What is trimmed by
    the processor at a place with holes is not trimmed at all."""
    done = run(f"{how},{at},{size},{nth}")
    (number,) = re.findall(r"the loader takes pages errno=(\d+)", done.stderr)
    if int(number) == 0:
        assert ended(done) == reason, done
        assert how != "away" or "vector=14 error=" in done.stderr
    else:
        assert done.returncode == 0, done


def test_pages_that_cannot_be_written(run):
    """As if linear memory had been made so by the exec layer, which did not ask for it."""
    done = run(f"restrict,{RESERVED},{0x200000},150")
    assert ended(done) == PAGE_FAULT and " error=7 " in done.stderr


def test_pages_that_cannot_be_removed(run, said):
    """By the processor: the enclave has not given them up."""
    done = run(f"remove,{RESERVED},{0x200000},150")
    assert "the loader takes pages errno=1\n" in done.stderr and (done.returncode, done.stdout) == (0, said)


def test_pages_that_are_nobodys(run, said):
    """Yet: pages of the heap that nothing lies in. What goes later is never taken for zero."""
    done = run(f"trim,{LOADED_END - 0x200000},{0x200000}")
    assert "the loader takes pages errno=0\n" in done.stderr
    assert (done.returncode, done.stdout) == (0, said), done


@pytest.mark.parametrize("kind", ["lying-sgx2", "deny,1", "lazy,1"])
def test_a_loader_that_does_not_do_it(run, kind):
    """It says that there is SGX2, and refuses, or does not do what it says: EACCEPT finds out."""
    assert ended(run(kind)) == NOT_LIMITED


@pytest.mark.parametrize("kinds", [("deny",), ("lazy",), ("deny", "only-remove"), ("lazy", "only-remove")])
def test_a_loader_that_takes_nothing_back(run, said, kinds):
    """Pages that are given up and stay, whatever is said of it, are zero when they are had again."""
    done = run(*kinds)
    assert (done.returncode, done.stdout) == (0, said), done


@pytest.mark.parametrize("options, wants", [((), 0), (("--word", "can_grow=0"), 0), (("--word", "can_grow=2"), 0)])
def test_words_of_the_block(run, said, options, wants):
    """Pages that could come and do not: there is less memory, that is all."""
    done = run(options=options)
    assert done.returncode == wants and done.stdout == said, done


@pytest.mark.parametrize("kinds, mebibytes, code", [(("sgx1",), 16, 0), (("sgx1", "dirty"), 16, 0), (("sgx1",), 100, 1),
                                                    ((), 100, 0), (("dirty",), 100, 0)])
def test_memory(run, guest, kinds, mebibytes, code):
    """Without SGX2 there is what was loaded, and an error beyond; with it there is more."""
    done = run(*kinds, what=(guest, "memory", mebibytes))
    assert done.returncode == code and (code == 0 or done.stdout == "none\n"), done


# ---- the block, while it is read ----

def test_a_block_that_changes_while_it_is_read(run, said):
    """What is copied is checked, and nothing is read twice: an error, other words, or the end, and never a crash."""
    outcomes = set()
    for _ in range(10):
        done = run(options=("--disturb", "scribble"))
        assert "the keep failed" not in done.stderr and "the enclave" not in done.stderr, done
        outcomes.add((done.returncode, done.stdout == said))
        if outcomes - {(0, True)}:
            return
    pytest.fail("nobody scribbled in time")


# ---- evidence ----

@pytest.fixture(scope="module")
def package(world, module):
    return world.package("spin", module.read_bytes(), config())


@pytest.fixture
def attested(world, package):
    """A keep with a Steward."""
    def start(*words):
        return world.testhost("--backend", "sgx", "--timeout", 50, *words).run(package)
    return start


def test_an_honest_host(attested):
    done = attested()
    assert (done.returncode, done.stdout[-5:]) == (0, "done\n"), done.stderr


@pytest.mark.parametrize("kinds", [("sgx1",), ("sgx1", "dirty"), ("interrupts",), ("entry-flags", "block")])
def test_the_same_measurement(build, world, attested, kinds):
    """With SGX2 and without, whatever is in the heap: what the keep is certified as is what the image is."""
    seen = len(world.steward.audit())
    done = attested(*(word for kind in kinds for word in ("--enter", kind)))
    assert done.returncode == 0, done.stderr
    issued = [line["measurement"] for line in world.steward.audit()[seen:] if line["event"] == "issued"]
    assert issued == [measure(build)]


# Of a quote v3 (Intel SGX ECDSA QuoteGenReferenceAPI, appendix A): header 48 bytes, REPORT's body, size, signature
@pytest.mark.parametrize("bit, said", [
    (0, "quote"), (8 * 2, "quote"), (8 * (48 + 64), "quote"), (8 * (48 + 48) + 1, "quote"), (8 * (48 + 320), "quote"),
    (8 * 432, "quote"), (8 * 436, "quote"), (8 * (436 + 64), "quote"), (8 * (436 + 128), "quote")])
def test_a_bit_of_the_quote(attested, bit, said):
    """Version, key type, measurement, attributes, report data, size, signature, key, the quoting enclave's REPORT."""
    done = attested("--quote", f"flip,{bit}")
    assert (done.returncode, done.stdout) == (125, ""), done
    assert said in done.stderr and ("the Steward refused" in done.stderr or "reason=" in done.stderr), done.stderr


@pytest.mark.parametrize("kind", ["noise", "empty", "busy"])
def test_no_quote(attested, kind):
    done = attested("--quote", kind)
    assert (done.returncode, done.stdout) == (125, "") and "reason=" in done.stderr, done


def test_a_quote_twice(world, module, tmp_path_factory):
    """The platform's certificate takes one quote, the keep's another: the first is none for the second's key."""
    package = world.package("ours", module.read_bytes(), config())
    private = Private(world, tmp_path_factory.mktemp("client"), package)
    try:
        done, _ = private.run("ours", "--backend", "sgx", "--timeout", "50")
        assert done.returncode == 0, done.stderr
        done, _ = private.run("ours", "--backend", "sgx", "--timeout", "50", "--quote", "other")
        assert (done.returncode, done.stdout) == (125, ""), done
        assert "the Steward refused" in done.stderr, done.stderr
    finally:
        private.other.stop()


@pytest.mark.parametrize("nth", [2, 3])
def test_resumed_while_it_attests(attested, nth):
    """Where the shim waits for a target, and for the quote: the call is made anew, and answered by what there is."""
    done = attested("--enter", f"resume,{nth}")
    assert times(done, "resume") == 1 and (done.returncode, done.stdout[-5:]) == (0, "done\n"), done


# the first call asks for whom a REPORT is to be; the second gives it, and wants a quote
@pytest.mark.parametrize("lie, said", [
    *((f"attest,1,{kind}", "evidence") for kind in ("errno,5", "errno,38", "long", "huge", "negative", "zero",
                                                    "pointer")),
    ("attest,1,noise", "evidence"), ("attest,1,flip,0", "evidence"), ("attest,1,flip,300", "evidence"),
    *((f"attest,2,{kind}", "evidence") for kind in ("errno,16", "long", "huge", "negative", "zero", "noise")),
    ("attest,2,flip,0", "evidence"), ("attest,2,flip,9000", "evidence"), ("attest,all,errno,38", "evidence")])
def test_lies_about_evidence(attested, lie, said):
    """About the target a REPORT is for, which the quoting enclave finds out; about the quote, which keep or Steward
    do."""
    done = attested("--lie", lie)
    assert (done.returncode, done.stdout) == (125, "") and said in done.stderr, done


# ---- images ----

def writable_code(elf):
    elf.set(elf.find(PF_X), "flags", 7)


def unreadable_code(elf):
    elf.set(elf.find(PF_X), "flags", 1)


def beyond_the_file(elf):
    elf.set(elf.find(PF_X), "offset", 1 << 24)


def far_in_the_file(elf):
    elf.set(elf.find(PF_X), "offset", (1 << 64) - 8)


def huge_in_memory(elf):
    elf.set(elf.find(PF_W), "memsz", 1 << 62)


def smaller_in_memory(elf):
    elf.set(elf.find(PF_W), "memsz", 16)


def nothing_in_memory(elf):
    elf.set(elf.find(PF_W), "filesz", 0)
    elf.set(elf.find(PF_W), "memsz", 0)


def far_away(elf):
    elf.set(elf.find(PF_W), "vaddr", 1 << 63)


def one_over_the_other(elf):
    code, data = elf.find(PF_X), elf.find(PF_W)
    elf.set(data, "vaddr", elf.get(code, "vaddr") + elf.get(data, "offset") % 4096)


def out_of_order(elf):
    elf.set(elf.find(PF_W), "vaddr", 0)


def no_segment(elf):
    for number in elf.loads:
        elf.set(number, "type", 0)


FAULTS = {SHIM: ("--shim", "this is no shim of enclaves that fits its place"),
          KEEP: ("--keep", "the exec layer cannot be laid out in an enclave")}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("change", [writable_code, unreadable_code, beyond_the_file, far_in_the_file, huge_in_memory,
                                    smaller_in_memory, nothing_in_memory, far_away, one_over_the_other, out_of_order,
                                    no_segment])
def test_segments(build, run, tmp_path, name, change):
    """No page is ever added twice, outside its place, or with a right to write and one to run."""
    change(Elf(build / name, tmp_path / "file"))
    option, message = FAULTS[name]
    done = run(options=(option, tmp_path / "file"))
    assert done.returncode == 2 and message in done.stderr, done


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("at, size", [(0, 1), (16, 1), (18, 1), (32, 1), (54, 1), (56, 2), (24, 4)])
def test_headers(build, run, tmp_path, name, at, size):
    """Magic, type, machine, where the program headers are, their size, their count, the entry."""
    content = bytearray((build / name).read_bytes())
    content[at:at + size] = b"\xff" * size
    (tmp_path / "file").write_bytes(content)
    option, message = FAULTS[name]
    done = run(options=(option, tmp_path / "file"))
    assert done.returncode == 2 and message in done.stderr, done


@pytest.mark.parametrize("name", FAULTS)
def test_short_files(build, run, tmp_path, name):
    content = (build / name).read_bytes()
    option, message = FAULTS[name]
    for size in (1, 63, 64, 64 + 55, 400, 5000, len(content) // 2):
        (tmp_path / "file").write_bytes(content[:size])
        done = run(options=(option, tmp_path / "file"))
        assert done.returncode == 2 and message in done.stderr, (size, done)


def test_the_shim_has_no_vectors_and_fences_its_loads(build):
    """What it does not use it cannot leak at an exit, but that all are cleared at the start; each return waits for its
    address, as does each jump to one (INTEL-SA-00334), but the first, whose address was never in memory."""
    out = subprocess.run(["objdump", "-d", "--no-show-raw-insn", build / SHIM], capture_output=True, text=True,
                         check=True).stdout
    assert "vzeroall" in out and not re.search(r"%[xyz]mm|%k\d", out)
    lines = [line.split("\t")[1].strip() for line in out.splitlines() if "\t" in line]
    returns = [i for i, line in enumerate(lines) if line == "ret"]
    assert len(returns) > 20 and {lines[i - 1] for i in returns} == {"lfence"}
    jumps = [i for i, line in enumerate(lines) if re.match(r"(jmp|call) +\*", line)]
    assert [lines[i] for i in jumps] == ["jmp    *%rcx"] * 2 and lines[jumps[1] - 1] == "lfence"


# ---- where it runs ----

def test_no_device_is_needed(build, module, said, sim_dir):
    done = broch(build, "run", "--backend", "sgx", "--simulate", "--sim-dir", sim_dir, module,
                 env={**os.environ, "BROCH_KVM_DEVICE": "/nonexistent"})
    assert (done.returncode, done.stdout) == (0, said), done.stderr


def test_in_a_user_namespace(build, module, said, sim_dir):
    """Of a container that has no privileges; where the system lets one make it."""
    command = ["unshare", "-U", "-r", "-m", "-p", "-f"]
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("there are no user namespaces here")
    done = subprocess.run([*command, build / "src/cli/broch", "run", "--backend", "sgx", "--simulate", "--sim-dir",
                           sim_dir, module], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60,
                          check=False)
    assert (done.returncode, done.stdout) == (0, said), done.stderr
