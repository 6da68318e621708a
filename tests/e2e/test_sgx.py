"""The backend `sgx`, on a processor with SGX in software: what it measures is what `broch image measure` says and what
the manual's arithmetic gives, a Steward that believes its roots certifies the keep, and everybody else refuses it."""
import hashlib
import json
import os
import re
import shutil
import struct
import subprocess

import pytest

import deploy_host
import steward_host
from deploy_host import config
from test_snp import ROOT, Installation, Simulated, broch, deploying, section
from world import free_port, running

SHIM, KEEP = "src/shim/sgx/broch-shim-sgx", "src/keep/broch-keep"
SIGSTRUCT_SIZE = 1808


def measure(build, *words):
    """MRENCLAVE, in hexadecimal."""
    done = broch(build, "image", "measure", "--json", *words)
    assert done.returncode == 0, done.stderr
    found = [m for m in json.loads(done.stdout)["measurements"] if m["technology"] == "sgx"]
    assert [m["variant"] for m in found] == ["enclave"]
    return found[0]["measurement"]


class World(Simulated):
    backend = ("--backend", "sgx", "--simulate")


@pytest.fixture(scope="module")
def world(build, tmp_path_factory):
    world = World(build, tmp_path_factory.mktemp("sgx"))
    yield world
    world.stop()


@pytest.fixture(scope="module")
def hello(world, tmp_path_factory):
    source = tmp_path_factory.mktemp("hello") / "hello.c"
    source.write_text('#include <stdio.h>\nint main(void) { puts("hello"); return 7; }\n')
    subprocess.run(["clang-14", "--target=wasm32-wasi", "-O1", source, "-o", source.with_suffix(".wasm")], check=True)
    return world.package("hello", source.with_suffix(".wasm").read_bytes(), config())


# ---- attestation ----

def test_a_keep_is_certified(build, world, hello):
    """By the CA for simulations, as what `image measure` says of it."""
    seen = len(world.steward.audit())
    done = world.deploy(hello)
    assert (done.returncode, done.stdout) == (7, "hello\n"), done.stderr
    assert "this keep is SIMULATED: nothing is hidden from this machine" in done.stderr
    assert re.search(r"attested +\d", done.stderr)
    line = [line for line in world.steward.audit()[seen:] if line["event"] == "issued"]
    assert len(line) == 1 and (line[0]["technology"], line[0]["measurement"]) == ("sgx", measure(build)), line


def test_the_certificate_is_for_others_to_see(build, world, tmp_path_factory):
    port = free_port()
    peer = deploy_host.compile_guest(tmp_path_factory.mktemp("guests"), "peer")
    package = world.package("server", peer, config(["serve", port], f"[network.incoming.{port}]\nanonymous = true\n"))
    with running(deploying(world), package) as keep:
        keep.wait_for("serving")
        done = broch(build, "inspect", "--json", f"localhost:{port}", "--steward-ca", package / "steward.pem")
        text = json.dumps(json.loads(done.stdout))
    assert measure(build) in text and '"simulated": true' in text and '"sgx"' in text, text


def test_a_steward_that_does_not_believe_in_simulations(world, hello, tmp_path):
    """It says so, and the keep does not run."""
    steward = steward_host.Steward(world.platforms, tmp_path / "real", change=lambda text: text)
    steward.start()
    try:
        package = shutil.copytree(hello, tmp_path / "package")
        head = (package / "Keep.toml").read_text()
        (package / "Keep.toml").write_text(head.replace(world.steward.url, steward.url))
        (package / "steward.pem").write_text((steward.folder / "root.pem").read_text())
        done = world.deploy(package)
    finally:
        steward.stop()
    assert (done.returncode, done.stdout) == (125, "") and "the Steward refused" in done.stderr
    assert "quote.root: the root that signed it is not pinned" in done.stderr, done.stderr


def test_without_hardware(world, hello):
    """Nothing is simulated unasked; what is missing is said."""
    done = world.deploy(hello, backend=("--backend", "sgx"))
    assert (done.returncode, done.stdout) == (1, "")
    assert "sgx: " in done.stderr and "--simulate does without" in done.stderr, done.stderr


def test_without_kvm(world, hello):
    """And unasked for by name, where no machine can be simulated."""
    env = {**os.environ, "BROCH_KVM_DEVICE": "/nonexistent", "BROCH_SIM_DIR": str(world.folder / "sim")}
    done = broch(world.build, "deploy", "--simulate", hello, env=env)
    assert (done.returncode, done.stdout) == (7, "hello\n") and "sgx: " in done.stderr, done.stderr


def test_without_privileges(build, world, tmp_path):
    """Nobody in particular, without a capability."""
    (tmp_path / "main.wasm").write_bytes(b"\0asm\1\0\0\0" b"\1\4\1\x60\0\0" b"\3\2\1\0" b"\7\x0a\1\6_start\0\0"
                                         b"\x0a\4\1\2\0\x0b")
    shutil.copytree(world.folder / "sim", tmp_path / "sim")
    subprocess.run(["chown", "-R", "nobody:", tmp_path], check=True)
    (tmp_path / "bin").mkdir()
    for name in ["src/cli/broch", SHIM, KEEP]:
        shutil.copy(build / name, tmp_path / "bin")
    for folder in [tmp_path, *list(tmp_path.parents)[:-1]]:
        if folder.stat().st_mode & 0o5 != 0o5 and folder.stat().st_uid == os.getuid():
            folder.chmod(folder.stat().st_mode | 0o5)
    done = subprocess.run(["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--bounding-set=-all",
                           "--inh-caps=-all", "--no-new-privs", tmp_path / "bin/broch", "run", "--backend", "sgx",
                           "--simulate", "--sim-dir", tmp_path / "sim", tmp_path / "main.wasm"],
                          capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr


def test_no_roots(build, hello, tmp_path):
    done = broch(build, "run", "--backend", "sgx", "--simulate", "--sim-dir", tmp_path, hello)
    assert done.returncode == 1 and "'broch sim init' makes them" in done.stderr
    (tmp_path / "sgx.pem").write_text("rubbish\n")
    done = broch(build, "run", "--backend", "sgx", "--simulate", "--sim-dir", tmp_path, hello)
    assert done.returncode == 1 and "broch: sgx: " in done.stderr


def test_little_address_space(build, hello, world):
    done = subprocess.run(["prlimit", f"--as={1 << 34}", build / "src/cli/broch", "run", "--backend", "sgx", "--simulate",
                           "--sim-dir", world.folder / "sim", hello], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=60, check=False)
    assert done.returncode == 1 and "32 GiB of address space" in done.stderr, done


# ---- what is measured ----

class Enclave:
    """MRENCLAVE as the manual computes it (volume 3D: ECREATE, EADD, EEXTEND), of the enclave that DESIGN.md §4
    describes, with the places of src/shim/sgx/layout.h."""

    R, W, X, TCS, REG = 1, 2, 4, 1 << 8, 2 << 8

    def __init__(self):
        text = (ROOT / "src/shim/sgx/layout.h").read_text()
        self.at = {name: int(value, 0) for name, value in re.findall(r"#define (\w+) (0x\w+|\d+)", text)}
        self.hash = hashlib.sha256()
        self.hash.update(b"ECREATE\0" + struct.pack("<IQ", self.at["SSA_FRAME_PAGES"], self.at["ENCLAVE_SIZE"])
                         + bytes(44))

    def page(self, offset, flags, content):
        self.hash.update(b"EADD\0\0\0\0" + struct.pack("<QQ", offset, flags) + bytes(40))
        for at in range(0, len(content), 256):
            self.hash.update(b"EEXTEND\0" + struct.pack("<Q", offset + at) + bytes(48) + content[at:at + 256])

    def pages(self, offset, flags, content):
        for at in range(0, len(content), 4096):
            self.page(offset + at, flags, content[at:at + 4096])

    def file(self, path, base):
        data = path.read_bytes()
        start, = struct.unpack_from("<Q", data, 32)
        count, = struct.unpack_from("<H", data, 56)
        for i in range(count):
            kind, rights, offset, vaddr, _, filesz, memsz, _ = struct.unpack_from("<IIQQQQQQ", data, start + 56 * i)
            if kind == 1:
                head = vaddr % 4096
                content = bytes(head) + data[offset:offset + filesz] + bytes(memsz - filesz)
                flags = self.REG | (self.R if rights & 4 else 0) | (self.W if rights & 2 else 0) | (
                    self.X if rights & 1 else 0)
                self.pages(base + vaddr - head, flags, content + bytes(-len(content) % 4096))
        return struct.unpack_from("<Q", data, 24)[0]

    def measure(self, shim, keep):
        at, data = self.at, self.REG | self.R | self.W
        entry = self.file(shim, 0)
        tcs = struct.pack("<QQQIIQQQQII", 0, 0, at["SSA_AT"], 0, at["SSA_FRAMES"], entry, 0, 0, 0, 2**32 - 1, 2**32 - 1)
        self.page(at["THREAD_AT"], self.TCS, tcs + bytes(4096 - len(tcs)))
        self.pages(at["SSA_AT"], data, bytes(4096 * at["SSA_FRAMES"] * at["SSA_FRAME_PAGES"]))
        self.pages(at["SHIM_STACK_AT"], data, bytes(at["ENCLAVE_STACK_SIZE"]))
        self.pages(at["HANDLER_STACK_AT"], data, bytes(at["ENCLAVE_STACK_SIZE"]))
        self.file(keep, at["KEEP_AT"])
        for offset in range(0, at["HEAP_SIZE"], 4096):  # there, and not what is in it
            self.page(at["HEAP_AT"] + offset, data, b"")
        return self.hash.hexdigest()


def test_the_measurement_computed_apart(build):
    assert Enclave().measure(build / SHIM, build / KEEP) == measure(build)


@pytest.mark.parametrize("name, where", [(SHIM, ".text"), (SHIM, ".rodata"), (SHIM, ".data"), (KEEP, ".text"),
                                         (KEEP, ".rodata"), (KEEP, ".data")])
def test_one_byte(build, world, hello, tmp_path, name, where):
    """Of what is in the enclave, used or not: MRENCLAVE is another, and the Steward refuses it."""
    changed = Installation(build, tmp_path)
    at, size = section(build / name, where)
    changed.flip(name, at + size - 1)
    assert measure(changed.build) != measure(build)
    done = world.deploy(hello, build=changed.build)
    assert (done.returncode, done.stdout) == (125, ""), done.stderr
    assert "measurement" in done.stderr or "signer" in done.stderr, done.stderr


# ---- signatures ----

@pytest.fixture
def signed(build, tmp_path):
    """An image that is signed, and the key."""
    class Signed:
        image, key = tmp_path / "keep.img", tmp_path / "key.pem"

        def sign(self, *words):
            return broch(build, "image", "sign", "--sgx-key", self.key, *words, self.image)

        def sigstruct(self):
            return self.image.read_bytes()[-SIGSTRUCT_SIZE:]

        def show(self):
            return broch(build, "image", "show", "--json", self.image)
    made = Signed()
    assert broch(build, "image", "build", "--out", made.image).returncode == 0
    assert broch(build, "key", "sgx", "create", "--out", made.key).returncode == 0
    assert made.key.stat().st_mode & 0o777 == 0o600
    return made


def test_openssl_verifies_sigstruct(build, signed, tmp_path):
    """By the key's public half, over the two regions that the manual names; and Q1, Q2 by arithmetic."""
    assert signed.sign("--svn", "7", "--product", "3").returncode == 0
    s = signed.sigstruct()
    (tmp_path / "message").write_bytes(s[:128] + s[900:1028])
    (tmp_path / "signature").write_bytes(s[516:900][::-1])
    subprocess.run(["openssl", "pkey", "-in", signed.key, "-pubout", "-out", tmp_path / "public.pem"], check=True)
    subprocess.run(["openssl", "dgst", "-sha256", "-verify", tmp_path / "public.pem", "-signature",
                    tmp_path / "signature", tmp_path / "message"], check=True, capture_output=True)
    modulus, signature, q1, q2 = (int.from_bytes(s[at:at + 384], "little") for at in (128, 516, 1040, 1424))
    assert q1 == signature ** 2 // modulus
    assert q2 == (signature ** 3 - q1 * signature * modulus) // modulus
    assert s[960:992].hex() == measure(build) and s[512:516] == b"\3\0\0\0"
    digest = broch(build, "key", "sgx", "digest", signed.key).stdout
    assert digest == hashlib.sha256(s[128:512]).hexdigest()
    assert json.loads(signed.show().stdout)["sgx"] == {"svn": 7, "product": 3, "signer": digest}


def test_signed_images_run(world, hello, signed):
    assert signed.sign().returncode == 0
    done = world.deploy(hello, "--image", signed.image)
    assert (done.returncode, done.stdout) == (7, "hello\n"), done.stderr


def test_a_policy_of_signers(build, world, hello, signed):
    """Whoever signed it, at least of that version: the measurement is not asked for."""
    assert signed.sign("--svn", "7").returncode == 0
    digest = broch(build, "key", "sgx", "digest", signed.key).stdout
    before = world.steward.config.read_text()

    def trust(svn):
        signer = f'signers = [{{ mrsigner = "{digest}", product = 1, svn_min = {svn} }}]'
        world.steward.stop()
        world.steward.config.write_text(re.sub("mrenclaves = .*", signer, before.replace("references", "# references")))
        world.steward.start()
    try:
        trust(7)
        done = world.deploy(hello, "--image", signed.image)
        assert (done.returncode, done.stdout) == (7, "hello\n"), done.stderr
        trust(8)
        assert world.deploy(hello, "--image", signed.image).returncode == 125
        assert world.deploy(hello).returncode == 125  # the development key is nobody's
    finally:
        world.steward.stop()
        world.steward.config.write_text(before)
        world.steward.start()


def test_einit_refuses_another_image(build, world, hello, signed, tmp_path):
    """A signature for one enclave is none for another; nor one that is damaged."""
    assert signed.sign().returncode == 0
    whole = bytearray(signed.image.read_bytes())
    for change, said in [(lambda d: flip(d, d.find((build / SHIM).read_bytes()[-64:]) + 63), None),
                         (lambda d: flip(d, len(d) - SIGSTRUCT_SIZE + 516), "signature does not verify"),
                         (lambda d: flip(d, len(d) - SIGSTRUCT_SIZE + 1040), "Q1 or Q2"),
                         (lambda d: flip(d, len(d) - SIGSTRUCT_SIZE + 960), "signature does not verify"),
                         (lambda d: flip(d, len(d) - SIGSTRUCT_SIZE), "SIGSTRUCT: a fixed or reserved field")]:
        data = bytearray(whole)
        change(data)
        (tmp_path / "other.img").write_bytes(data)
        done = world.deploy(hello, "--image", tmp_path / "other.img")
        if said is not None:
            assert done.returncode == 1 and said in done.stderr, done
        assert broch(build, "image", "show", tmp_path / "other.img").returncode in (0, 1)
    changed = Installation(build, tmp_path)
    at, size = section(build / KEEP, ".rodata")
    changed.flip(KEEP, at + size // 2)
    data = whole.replace((build / KEEP).read_bytes(), (changed.build / KEEP).read_bytes())
    (tmp_path / "other.img").write_bytes(data)
    done = world.deploy(hello, "--image", tmp_path / "other.img")
    assert done.returncode == 1 and "MRENCLAVE differs" in done.stderr, done
    done = broch(build, "image", "show", tmp_path / "other.img")
    assert done.returncode == 1 and "that of another image" in done.stderr


def flip(data, at):
    data[at] ^= 1


@pytest.mark.parametrize("words, said", [
    ((), "one of them is required"),
    (("--sgx-key", "/nonexistent"), "No such file"),
    (("--sgx-key", "EC"), "RSA of 3072 bits with exponent 3"),
    (("--sgx-key", "KEY", "--svn", "65536"), "at most 65535"),
    (("--sgx-key", "KEY", "--product", "x"), "take a number"),
])
def test_bad_requests(build, signed, tmp_path, words, said):
    subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out",
                    tmp_path / "ec.pem"], check=True)
    words = [{"EC": tmp_path / "ec.pem", "KEY": signed.key}.get(word, word) for word in words]
    before = signed.image.read_bytes()
    done = broch(build, "image", "sign", *words, signed.image)
    assert done.returncode in (1, 2) and said in done.stderr, done
    assert signed.image.read_bytes() == before
