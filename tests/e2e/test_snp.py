"""The backend `snp`, on a simulated security processor: what it measures is what `broch image measure` says, a
Steward that believes its roots certifies the keep, and everybody else refuses it."""
import contextlib
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

import deploy_host
import steward_host
from deploy_host import config
from steward_host import MEASUREMENT
from world import World, free_port, running

ROOT = pathlib.Path(__file__).resolve().parents[2]
TREE = ["src/cli/broch", "src/keep/broch-keep", "src/shim/kvm/broch-shim-kvm", "src/shim/sgx/broch-shim-sgx"]


def broch(build, *words, **options):
    return subprocess.run([build / "src/cli/broch", *map(str, words)], capture_output=True, text=True, timeout=60,
                          check=False, stdin=subprocess.DEVNULL, **options)


def measure(build, *words):
    """The first measurement, in hexadecimal: as the loader starts it."""
    done = broch(build, "image", "measure", "--json", *words)
    assert done.returncode == 0, done.stderr
    first = json.loads(done.stdout)["measurements"][0]
    assert (first["technology"], first["variant"]) == ("snp", "kvm")
    return first["measurement"]


class Simulated(World):
    """A world whose Steward admits the images of a file of reference values, and no others."""

    def make_steward(self, name, lifetime_hours=24, *words):
        reference = self.folder / "reference.toml"
        done = broch(self.build, "image", "measure", "--reference", reference)
        assert done.returncode == 0, done.stderr
        steward = super().make_steward(name, lifetime_hours, *words)
        steward.stop()
        steward.configure(lambda text: f'references = ["{reference}"]\n'
                          + text.replace(MEASUREMENT, "77" * 48))
        return steward.start()

    backend = ("--backend", "snp", "--simulate")

    def deploy(self, package, *words, backend=None, build=None):
        env = {**os.environ, "BROCH_SIM_DIR": str(self.folder / "sim")}
        return broch(build or self.build, "deploy", "--timeout", 50, *(backend or self.backend), *words, package, env=env)


@pytest.fixture(scope="module")
def world(build, tmp_path_factory, kvm):
    assert kvm
    world = Simulated(build, tmp_path_factory.mktemp("snp"))
    yield world
    world.stop()


@pytest.fixture(scope="module")
def hello(world, tmp_path_factory):
    source = tmp_path_factory.mktemp("hello") / "hello.c"
    source.write_text('#include <stdio.h>\nint main(void) { puts("hello"); return 7; }\n')
    subprocess.run(["clang-14", "--target=wasm32-wasi", "-O1", source, "-o", source.with_suffix(".wasm")], check=True)
    return world.package("hello", source.with_suffix(".wasm").read_bytes(), config())


@pytest.fixture(scope="module")
def peer(tmp_path_factory):
    return deploy_host.compile_guest(tmp_path_factory.mktemp("guests"), "peer")


# ---- attestation ----

def test_a_keep_is_certified(build, world, hello):
    """By the CA for simulations, as what `image measure` says of it."""
    seen = len(world.steward.audit())
    done = world.deploy(hello)
    assert (done.returncode, done.stdout) == (7, "hello\n"), done.stderr
    assert "this keep is SIMULATED: nothing is hidden from this machine" in done.stderr
    assert re.search(r"attested +\d", done.stderr)
    line = [line for line in world.steward.audit()[seen:] if line["event"] == "issued"]
    assert len(line) == 1 and line[0]["measurement"] == measure(build), line


def test_the_certificate_is_for_others_to_see(build, world, peer):
    """Its measurement in the certificate that a client is shown."""
    port = free_port()
    package = world.package("server", peer, config(["serve", port], f"[network.incoming.{port}]\nanonymous = true\n"))
    with running(deploying(world), package) as keep:
        keep.wait_for("serving")
        done = broch(build, "inspect", "--json", f"localhost:{port}", "--steward-ca", package / "steward.pem")
        shown = json.loads(done.stdout)
    text = json.dumps(shown)
    assert measure(build) in text and '"simulated": true' in text, text


def deploying(world):
    """As testhost.Testhost, for world.running: `broch deploy` on the simulated platform."""
    class Deploy:
        words = [str(world.build / "src/cli/broch"), "deploy", *world.backend, "--sim-dir",
                 str(world.folder / "sim")]

        @contextlib.contextmanager
        def start(self, *words):
            with subprocess.Popen([*self.words, *map(str, words)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE) as process:
                try:
                    yield process
                finally:
                    process.kill()
    return Deploy()


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
    assert "snp.chain: there is no certificate of its issuer" in done.stderr, done.stderr


@pytest.mark.parametrize("backend", ["kvm", "nil"])
def test_what_is_no_tee_is_refused(world, hello, backend):
    done = world.deploy(hello, backend=("--backend", backend))
    assert (done.returncode, done.stdout) == (125, ""), done
    assert "the Steward refused" in done.stderr and "evidence" in done.stderr


def test_without_hardware(world, hello):
    """Nothing is simulated unasked; what is missing is said."""
    done = world.deploy(hello, backend=("--backend", "snp"))
    assert (done.returncode, done.stdout) == (1, "")
    assert "snp: " in done.stderr and "--simulate does without" in done.stderr, done.stderr


def test_simulation_of_what_is_no_tee(world, hello):
    for backend in ("nil", "kvm"):
        done = world.deploy(hello, backend=("--backend", backend, "--simulate"))
        assert done.returncode == 2 and "it is no TEE" in done.stderr
    done = world.deploy(hello, backend=("--simulate",))
    assert done.returncode == 7 and "snp: " in done.stderr


def test_no_roots(build, hello, tmp_path):
    done = broch(build, "run", "--backend", "snp", "--simulate", "--sim-dir", tmp_path, hello)
    assert done.returncode == 1 and "'broch sim init' makes them" in done.stderr
    (tmp_path / "collateral").mkdir()
    (tmp_path / "snp.pem").write_text("rubbish\n")
    (tmp_path / "collateral/snp-crl.der").write_text("rubbish\n")
    done = broch(build, "run", "--backend", "snp", "--simulate", "--sim-dir", tmp_path, hello)
    assert done.returncode == 1 and "broch: snp: " in done.stderr


def test_no_device(world, hello):
    env = {**os.environ, "BROCH_KVM_DEVICE": "/nonexistent", "BROCH_SIM_DIR": str(world.folder / "sim")}
    done = broch(world.build, "deploy", "--backend", "snp", "--simulate", hello, env=env)
    assert done.returncode == 1 and "there is no /dev/kvm that you may use" in done.stderr


# ---- the image ----

class Installation:
    """A copy of what is needed, whose image can be changed."""

    def __init__(self, build, folder):
        self.folder, self.build = folder, folder / "build"
        for name in TREE:
            (self.build / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(build / name, self.build / name)

    def flip(self, name, at):
        data = bytearray((self.build / name).read_bytes())
        data[at] ^= 1
        (self.build / name).write_bytes(data)


def section(path, name):
    """Where a section lies in a file: offset, size."""
    out = subprocess.run(["readelf", "-SW", path], capture_output=True, text=True, check=True).stdout
    found = re.search(rf" {re.escape(name)} +\w+ +\w+ (\w+) (\w+) ", out)
    return int(found[1], 16), int(found[2], 16)


@pytest.mark.parametrize("name, where", [("src/shim/kvm/broch-shim-kvm", ".krodata"),
                                         ("src/shim/kvm/broch-shim-kvm", ".udata"),
                                         ("src/keep/broch-keep", ".comment"), ("src/keep/broch-keep", ".rodata")])
def test_one_byte(build, world, hello, tmp_path, name, where):
    """Of the shim or the exec layer, used or not: the measurement is another, and the Steward refuses it."""
    changed = Installation(build, tmp_path)
    at, size = section(build / name, where)
    changed.flip(name, at + size - 1)
    assert measure(changed.build) != measure(build)
    done = world.deploy(hello, build=changed.build)
    assert (done.returncode, done.stdout) == (125, ""), done.stderr
    assert "measurement" in done.stderr, done.stderr


def test_images_as_files(build, world, hello, tmp_path):
    """Built twice they are the same; they run as they are; and what is no image is said to be none."""
    one, two = tmp_path / "one.img", tmp_path / "two.img"
    for path in (one, two):
        assert broch(build, "image", "build", "--out", path).returncode == 0
    assert one.read_bytes() == two.read_bytes() and measure(build, one) == measure(build)
    done = world.deploy(hello, "--image", one)
    assert (done.returncode, done.stdout) == (7, "hello\n"), done.stderr
    for text in (b"", b"BROCHIM1", b"\x7fELF" + bytes(100), one.read_bytes()[:-1]):
        two.write_bytes(text)
        done = world.deploy(hello, "--image", two)
        assert done.returncode == 1 and "image" in done.stderr and "Success" not in done.stderr
        assert broch(build, "image", "show", two).returncode == 1
    done = world.deploy(hello, "--image", tmp_path / "none")
    assert done.returncode == 1 and "No such file" in done.stderr
    done = broch(build, "run", "--backend", "nil", "--image", one, hello)
    assert done.returncode == 2 and "nil runs the exec layer itself" in done.stderr


def test_other_parts(build, tmp_path):
    """--shim and --keep take the place of the installation's."""
    changed = Installation(build, tmp_path / "x")
    changed.flip(TREE[1], section(build / TREE[1], ".comment")[0])
    done = broch(build, "image", "build", "--keep", changed.build / TREE[1], "--out", tmp_path / "i")
    assert done.returncode == 0 and measure(build, tmp_path / "i") == measure(changed.build)
    done = broch(build, "image", "build", "--shim", build / TREE[1], "--out", tmp_path / "i")
    assert done.returncode == 1 and "segment of the shim" in done.stderr


# ---- signatures ----

@pytest.fixture
def signed(build, tmp_path):
    """An image and two keys; sign() signs it."""
    class Signed:
        image, id_key, author_key = tmp_path / "keep.img", tmp_path / "id.pem", tmp_path / "author.pem"

        def sign(self, *words):
            return broch(build, "image", "sign", "--sev-id-key", self.id_key, *words, self.image)

        def digest(self, key):
            return broch(build, "key", "sev", "digest", key).stdout

        def show(self):
            return broch(build, "image", "show", "--json", self.image)
    made = Signed()
    assert broch(build, "image", "build", "--out", made.image).returncode == 0
    for key in (made.id_key, made.author_key):
        assert broch(build, "key", "sev", "create", "--out", key).returncode == 0
        assert key.stat().st_mode & 0o777 == 0o600
    return made


def public_key_bytes(path):
    """A key of AMD's structure, 1028 bytes, as OpenSSL has its point."""
    text = subprocess.run(["openssl", "pkey", "-in", path, "-pubout", "-outform", "DER"], capture_output=True,
                          check=True).stdout
    x, y = text[-96:-48], text[-48:]
    return ((2).to_bytes(4, "little") + x[::-1].ljust(72, b"\0") + y[::-1].ljust(72, b"\0")).ljust(1028, b"\0")


def test_digests_of_keys(signed):
    for key in (signed.id_key, signed.author_key):
        assert signed.digest(key) == hashlib.sha384(public_key_bytes(key)).hexdigest()


def test_a_signed_image(build, world, hello, signed):
    """It runs, and its report shows by whom it was signed, which a policy can demand."""
    assert signed.sign("--sev-author-key", signed.author_key, "--svn", "3", "--family", "ab" * 16).returncode == 0
    shown = json.loads(signed.show().stdout)
    sev = shown["sev"]
    assert sev == {"svn": 3, "family": "ab" * 16, "image": "00" * 16, "id_key": signed.digest(signed.id_key),
                   "author_key": signed.digest(signed.author_key)}
    assert shown["measurements"][0]["measurement"] == measure(build)  # which it does not change
    seen = len(world.steward.audit())
    assert world.deploy(hello, "--image", signed.image).returncode == 7
    assert "issued" in [line["event"] for line in world.steward.audit()[seen:]]


def test_a_policy_that_wants_a_signature(build, world, hello, signed):
    signed.sign("--svn", "2")
    key = signed.digest(signed.id_key)
    before = world.steward.config.read_text()
    try:
        for key_wanted, svn, code in ((key, 2, 7), (key, 3, 125), ("33" * 48, 2, 125)):
            world.steward.stop()
            world.steward.config.write_text(re.sub(
                r"\[snp\]\n", f'[snp]\nid_keys = ["{key_wanted}"]\nguest_svn_min = {svn}\n', before))
            world.steward.start()
            package = world.package("again", (hello / "main.wasm").read_bytes(), config())
            assert world.deploy(package, "--image", signed.image).returncode == code
        assert world.deploy(package).returncode == 125  # nobody signed this one
    finally:
        world.steward.stop()
        world.steward.config.write_text(before)
        world.steward.start()


def test_the_author_signs_elsewhere(build, signed, tmp_path):
    """`key sev sign` makes what `image sign` takes."""
    vouching = tmp_path / "vouching"
    assert broch(build, "key", "sev", "sign", "--author-key", signed.author_key, "--id-key", signed.id_key, "--out",
                 vouching).returncode == 0
    content = vouching.read_bytes()
    assert len(content) == 1540 and content[512:] == public_key_bytes(signed.author_key)
    assert signed.sign("--sev-id-key-signature", vouching).returncode == 0
    assert json.loads(signed.show().stdout)["sev"]["author_key"] == signed.digest(signed.author_key)
    other = tmp_path / "other"
    assert broch(build, "key", "sev", "sign", "--author-key", signed.author_key, "--id-key", signed.author_key,
                 "--out", other).returncode == 0
    for bad in (other.read_bytes(), content[:-1], content + b"x", bytes([content[0] ^ 1]) + content[1:]):
        vouching.write_bytes(bad)
        assert signed.sign("--sev-id-key-signature", vouching).returncode == 1


def test_a_signature_of_another_image(build, world, hello, signed, tmp_path):
    """The processor does not start it, and `show` says so."""
    signed.sign()
    whole = bytearray(signed.image.read_bytes())
    at = whole.index(b"BROCHIM1") + 8 + 8 + (build / TREE[2]).stat().st_size + 8 + 5000
    whole[at] ^= 1
    signed.image.write_bytes(whole)
    done = world.deploy(hello, "--image", signed.image)
    assert done.returncode == 1 and "the signed image is another: its launch digest differs" in done.stderr
    done = signed.show()
    assert done.returncode == 1 and "the signature is that of another image" in done.stderr
    for at in (len(whole) - 4096 + 100, len(whole) - 4096 + 600, len(whole) - 4096 - 8 - 10):  # signature, key, block
        broken = bytearray(whole)
        broken[at] ^= 1
        signed.image.write_bytes(broken)
        done = world.deploy(hello, "--image", signed.image)
        assert done.returncode == 1 and done.stdout == "", done


@pytest.mark.parametrize("words, said", [
    ([], "--sev-id-key"), (["--svn", "x"], "--svn"), (["--svn", "4294967296"], "--svn"), (["--family", "ab"], "16 bytes"),
    (["--image", "x" * 32], "16 bytes"),
    (["--sev-author-key", "a", "--sev-id-key-signature", "b"], "give one of them"),
])
def test_bad_words(build, signed, words, said):
    done = signed.sign(*words) if words else broch(build, "image", "sign", signed.image)
    assert done.returncode == 2 and said in done.stderr


def test_keys_that_are_none(build, signed, tmp_path):
    other = tmp_path / "p256.pem"
    subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", other], check=True)
    signed.id_key = other
    done = signed.sign()
    assert done.returncode == 1 and "curve" in done.stderr
    other.write_text("rubbish")
    done = signed.sign()
    assert done.returncode == 1 and "is no private key in PEM" in done.stderr
    assert broch(build, "key", "sev", "digest", other).returncode == 1
    assert broch(build, "key", "sev", "create", "--out", other).returncode == 1  # it is there


# ---- reference values ----

def test_reference_values(build, tmp_path):
    """What went into the image: each archive is the one of its package, by a hash that others make too."""
    reference = tmp_path / "reference.toml"
    assert broch(build, "image", "measure", "--reference", reference).returncode == 0
    text = reference.read_text()
    assert measure(build) in text and re.search(r'^commit = "[0-9a-f]{40}', text, re.MULTILINE)
    assert re.search(r'^compiler = "gcc .* 12', text, re.MULTILINE)
    for name in ("libssl.a", "libcrypto.a"):
        archive = pathlib.Path("/usr/lib/x86_64-linux-gnu") / name
        version = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "libssl-dev"], capture_output=True,
                                 text=True, check=True).stdout
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
        assert f'name = "{name}"\nversion = "{version}"\nsha256 = "{digest}"\n' in text
    done = broch(build, "image", "reproduce", reference)
    assert (done.returncode, done.stdout) == (0, "the measurements are the same\n"), done
    reference.write_text(text.replace(measure(build), "11" * 48))
    done = broch(build, "image", "reproduce", reference)
    assert done.returncode == 1 and "differs" not in done.stdout and "SOURCE_DATE_EPOCH" in done.stdout, done
    reference.write_text(text.replace(measure(build), "11" * 48).replace(digest, "22" * 32)
                         .replace('compiler = "gcc', 'compiler = "cc'))
    done = broch(build, "image", "reproduce", reference)
    assert done.returncode == 1 and done.stdout.startswith("the measurements differ\n")
    assert "archive libcrypto.a differs: 2222" in done.stdout and "compiler differs: cc" in done.stdout
    shown = json.loads(broch(build, "image", "reproduce", "--json", reference).stdout)
    assert shown["same"] is False and {d["what"] for d in shown["differences"]} == {"archive", "compiler"}


@pytest.mark.parametrize("text, said", [
    ("", "there is no reference value in it"), ("[snp]\nmeasurements = []\n", "no reference value"),
    ('[snp]\nmeasurements = ["12"]\n', "expected 48 bytes"), ('[snp]\nmeasurments = ["12"]\n', "did you mean"),
    ("archives = 3\n", "an array of tables"), ("x", "line 1"),
])
def test_bad_reference_files(build, tmp_path, text, said):
    path = tmp_path / "reference.toml"
    path.write_text(text)
    done = broch(build, "image", "reproduce", path)
    assert done.returncode == 1 and said in done.stderr
    policy = tmp_path / "policy.toml"
    policy.write_text('references = ["reference.toml"]\n')
    done = broch(build, "evidence", "verify", "--policy", policy, path)
    assert done.returncode != 0 and said in done.stderr, done


def test_a_steward_and_its_reference_files(world):
    """One that is missing or bad keeps it from starting, with the file's name."""
    before = world.steward.config.read_text()
    try:
        world.steward.config.write_text('references = ["gone.toml"]\n' + before.partition("\n")[2])
        done = world.steward.broch("policy", "explain", check=False)
        assert done.returncode != 0 and "gone.toml" in done.stderr
    finally:
        world.steward.config.write_text(before)
