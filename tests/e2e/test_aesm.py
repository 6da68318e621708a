"""The client of Intel's AESM daemon, against one in software (aesm_host.py) that answers well or ill. Quotes are real
ones; the REPORT is the one inside, with a KEYID and MAC that nobody here can judge."""
import os
import socket
import struct
import subprocess
import time

import pytest

import aesm_host
from aesm_host import BODY, BODY_SIZE, INIT_QUOTE, QUOTE, QUOTE_SIZE, SELECT_KEY, Aesm, answer, field
from conftest import SHARED

SGX = SHARED / "vectors/sgx"
NOBODY = 65534
TRAILER = bytes(48)  # KEYID and MAC of a REPORT


@pytest.fixture(name="material", scope="module")
def fixture_material():
    return (SGX / "platform-automata/quote.bin").read_bytes()


@pytest.fixture(name="ask")
def fixture_ask(build, tmp_path, material):
    """Asks the daemon at `path` for a quote of a REPORT with that body; the tool's lines."""
    def run(path=None, body=None, timeout_ms=20000, report=None, **options):
        file = tmp_path / "report"
        file.write_bytes(report if report is not None else (body or material[BODY:BODY + BODY_SIZE]) + TRAILER)
        file.chmod(0o644)
        env = {key: value for key, value in os.environ.items() if key != "BROCH_AESM_SOCKET"} | options.pop("env", {})
        done = subprocess.run([build / "tests/aesm_tool/aesm_tool", "quote", str(tmp_path / "aesm" if path is None else path),
                               str(timeout_ms), file], capture_output=True, text=True, timeout=60, check=False,
                              env=env, **options)
        assert done.returncode in (0, 1) and done.stderr == "", done
        return done.stdout.splitlines()
    run.path = tmp_path / "aesm"
    return run


@pytest.fixture(name="refused")
def fixture_refused(ask, material):
    """What the client says of a daemon that lies about answers of one kind."""
    def run(number, said, timeout_ms=20000):
        def lie(asked, honest):
            return said if asked == number and not callable(said) else said(honest) if asked == number else honest
        with Aesm(ask.path, material, lie):
            last = ask(timeout_ms=timeout_ms)[-1]
        assert last.startswith("error "), last
        return last.removeprefix("error ")
    return run


def framed(message):
    return struct.pack("<I", len(message)) + message


def test_a_quote(ask, material):
    with Aesm(ask.path, material) as aesm:
        lines = ask()
    assert lines == [f"target {aesm_host.TARGET.hex()}", f"quote {material.hex()}"]
    # as Intel's own library does: which key, the size of its name, its name and the target, the size of a quote, one
    assert [(number, asked.get(3)) for number, asked in aesm.asked] == [
        (SELECT_KEY, None), (INIT_QUOTE, 0), (INIT_QUOTE, 1), (QUOTE_SIZE, None), (QUOTE, None)]
    assert aesm.asked[-1][1][1] == material[BODY:BODY + BODY_SIZE] + TRAILER


@pytest.mark.parametrize("name", ["processor-phala", "debug-platform-occlum", "steward-icelake-xeon-csr"])
def test_other_quotes(ask, name):
    quote = (SGX / name / "quote.bin").read_bytes()
    with Aesm(ask.path, quote):
        assert ask(body=quote[BODY:BODY + BODY_SIZE])[-1] == f"quote {quote.hex()}"


def test_another_report(ask, material):
    """Software can say anything of an enclave: it is the quoting enclave that judges."""
    body = bytes(range(256)) + bytes(128)
    with Aesm(ask.path, material) as aesm:
        assert ask(body=body)[-1] == f"quote {aesm.quote(body).hex()}"


def test_zeroes_behind_a_quote_are_left(ask, material):
    def lie(number, honest):
        return framed(answer(QUOTE_SIZE, 0, field(2, len(material) + 100))) if number == QUOTE_SIZE else honest
    with Aesm(ask.path, material, lie) as aesm:
        assert ask()[-1] == f"quote {material.hex()}"
    assert aesm.asked[-1][1][4] == len(material) + 100


def test_a_socket_by_environment(ask, material):
    with Aesm(ask.path, material):
        assert ask(path="", env={"BROCH_AESM_SOCKET": str(ask.path)})[-1].startswith("quote ")


def test_answers_in_pieces(ask, material):
    with Aesm(ask.path, material, lambda _, honest: (honest[at:at + 700] for at in range(0, len(honest), 700))):
        assert ask()[-1] == f"quote {material.hex()}"


# ---- what aesmd calls an error ----

@pytest.mark.parametrize("number", [SELECT_KEY, INIT_QUOTE, QUOTE_SIZE, QUOTE])
@pytest.mark.parametrize("code, kind, name, mend", [
    (1, "io", "UNEXPECTED_ERROR", "qcnl.conf"), (2, "io", "NO_DEVICE_ERROR", "broch platform info"),
    (12, "io", "NETWORK_ERROR", "pccs_url"), (20, "io", "UPDATE_AVAILABLE", "update Intel's SGX packages"),
    (29, "io", "OUT_OF_EPC", "PRMRR"), (30, "io", "SERVICE_UNAVAILABLE", "libsgx-aesm-quote-ex-plugin"),
    (38, "io", "UNSUPPORTED_ATT_KEY_ID", "libsgx-aesm-ecdsa-plugin"),
    (44, "io", "NO_PLATFORM_CERT_DATA", "register"), (47, "policy", "INVALID_REPORT", "not of this machine"),
])
def test_errors_have_names(refused, number, code, kind, name, mend):
    said = refused(number, framed(answer(number, code)))
    assert said.startswith(f"{kind}: aesmd: {name} ({code}): ") and mend in said


def test_every_error_says_what_to_do(refused):
    for code in range(1, 60):
        said = refused(SELECT_KEY, framed(answer(SELECT_KEY, code)))
        assert f"({code})" in said or said == ("unsupported: aesmd answers with an error that is not known here "
                                               f"('journalctl -u aesmd' says more), number {code}")
        assert len(said) < 195  # nothing was cut


# ---- answers that are none ----

@pytest.mark.parametrize("number", [SELECT_KEY, INIT_QUOTE, QUOTE_SIZE, QUOTE])
@pytest.mark.parametrize("said, expected", [
    (lambda honest: framed(answer(INIT_QUOTE if honest[4] >> 3 != INIT_QUOTE else QUOTE_SIZE, 0)),
     "format: aesmd answers something that it was not asked"),
    (framed(b""), "format: aesmd answers something that it was not asked"),
    (framed(field(2, b"")), "format: aesmd answers something that it was not asked"),
    (framed(b"\xff" * 20), "format: aesmd's answer cannot be read; is it AESM at that socket? Its bytes: 20"),
    (b"HTTP/1.1 400 Bad Request\r\n\r\n", f"format: aesmd's answer is too large to be one, in bytes {0x50545448}"),
    (struct.pack("<I", (1 << 20) + 1), f"format: aesmd's answer is too large to be one, in bytes {(1 << 20) + 1}"),
    (b"", "format: aesmd hangs up before its answer ends; 'journalctl -u aesmd' may say why. Bytes that came: 0"),
    (b"\x05\x00", "format: aesmd hangs up before its answer ends; 'journalctl -u aesmd' may say why. "
                  "Bytes that came: 2"),
    (lambda honest: honest[:-1], "format: aesmd hangs up before its answer ends"),
], ids=["kind", "empty", "field", "rubbish", "http", "giant", "close", "cut-size", "cut"])
def test_answers_of_another_form(refused, number, said, expected):
    assert expected in refused(number, said)


@pytest.mark.parametrize("number", [SELECT_KEY, INIT_QUOTE, QUOTE_SIZE, QUOTE])
def test_an_answer_without_its_code(refused, number):
    assert "cannot be read" in refused(number, framed(answer(number, None)))


def test_an_answer_of_unknown_fields_alone(refused):
    """The largest, and the most that protobuf-c makes of it: memory has an end."""
    assert "not asked" in refused(SELECT_KEY, framed(field(2, 0) * (1 << 19)))


@pytest.mark.parametrize("number, rest, expected", [
    (SELECT_KEY, [], "chosen another key"), (SELECT_KEY, [field(2, bytes(256))], "chosen another key"),
    (SELECT_KEY, [field(2, aesm_host.KEY_ID[:-1])], "chosen another key"),
    (INIT_QUOTE, [], "size of its key's name"), (INIT_QUOTE, [field(3, 0)], "size of its key's name"),
    (INIT_QUOTE, [field(3, 1 << 40)], "size of its key's name"),
    (QUOTE_SIZE, [], "no quote has"), (QUOTE_SIZE, [field(2, 65537)], "no quote has, in bytes 65537"),
    (QUOTE, [], "gives no quote"), (QUOTE, [field(2, b"")], "quote cannot be read"),
    (QUOTE, [field(2, bytes(4734))], "quote cannot be read"), (QUOTE, [field(2, bytes(4735))], "longer one than it"),
])
def test_answers_that_lack_something(refused, number, rest, expected):
    said = refused(number, framed(answer(number, 0, *rest)))
    assert said.startswith("format: ") and expected in said


@pytest.mark.parametrize("rest, expected", [
    ([field(2, aesm_host.TARGET), field(4, bytes(31))], "name its key"),
    ([field(2, aesm_host.TARGET)], "name its key"),
    ([field(4, bytes(32))], "TARGETINFO"),
    ([field(2, bytes(511)), field(4, bytes(32))], "TARGETINFO"),
])
def test_targets_that_lack_something(ask, material, rest, expected):
    def lie(number, honest):
        wants_name = len(honest) > 30
        return framed(answer(number, 0, *rest)) if number == INIT_QUOTE and wants_name else honest
    with Aesm(ask.path, material, lie):
        (line,) = ask()
    assert line.startswith("error format: ") and expected in line


def test_a_quote_of_another_report(refused, material):
    for at in (BODY, BODY + 64, BODY + BODY_SIZE - 1):
        other = bytearray(material)
        other[at] ^= 1
        assert refused(QUOTE, framed(answer(QUOTE, 0, field(2, bytes(other))))) == \
            "policy: aesmd gives a quote for another report"


def test_a_quote_of_another_tee(ask, material):
    quote = (SHARED / "vectors/tdx/v4-phala/quote.bin").read_bytes()
    with Aesm(ask.path, quote, lambda number, honest: honest if number != QUOTE else
              framed(answer(QUOTE, 0, field(2, quote)))):
        assert ask(body=material[BODY:BODY + BODY_SIZE])[-1] == "error format: aesmd's quote is not of SGX"


def test_every_cut_of_a_quote(ask, material):
    cuts = iter([0, 1, 47, 48, 431, 432, 436, 600, len(material) - 1])
    for cut in cuts:
        def lie(number, honest, cut=cut):
            return framed(answer(QUOTE, 0, field(2, material[:cut]))) if number == QUOTE else honest
        with Aesm(ask.path, material, lie):
            assert "quote cannot be read" in ask()[-1], cut


# ---- time ----

@pytest.mark.parametrize("number", [SELECT_KEY, INIT_QUOTE, QUOTE_SIZE, QUOTE])
@pytest.mark.parametrize("said", [lambda honest: None, lambda honest: aesm_host.drip(honest, .1)],
                         ids=["silence", "drip"])
def test_one_deadline_for_all(refused, number, said):
    """However often a byte comes."""
    start = time.monotonic()
    assert refused(number, said, timeout_ms=700) == ("io: aesmd does not answer in time; 'journalctl -u aesmd' may say "
                                                     "why: Connection timed out")
    assert .6 < time.monotonic() - start < 5


def test_nobody_accepts(ask, tmp_path):
    """A daemon that hangs, with a full queue."""
    path = tmp_path / "full"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen(0)
        with socket.socket(socket.AF_UNIX) as other:
            other.connect(str(path))
            start = time.monotonic()
            (line,) = ask(path, timeout_ms=500)
    assert "does not answer in time" in line and .4 < time.monotonic() - start < 5


# ---- no daemon ----

def test_no_socket(ask, tmp_path):
    (line,) = ask(tmp_path / "nowhere")
    assert line == ("error io: there is no socket of aesmd: install sgx-aesm-service and 'sudo systemctl start aesmd', "
                    "or name its socket in BROCH_AESM_SOCKET: No such file or directory")


def test_nobody_listens(ask, material):
    aesm = Aesm(ask.path, material)
    aesm.server.close()
    (line,) = ask()
    assert "nobody listens at aesmd's socket; start it: sudo systemctl start aesmd: Connection refused" in line


def test_what_is_no_socket(ask, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    assert "Connection refused" in ask(tmp_path / "file")[0]


def test_a_path_that_no_socket_has(ask):
    assert ask("/" + "x" * 108)[0] == "error limit: the path of aesmd's socket is too long, in bytes 109"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become nobody")
def test_a_socket_that_may_not_be_used(ask, material, tmp_path):
    with Aesm(ask.path, material):
        ask.path.chmod(0o660)
        for folder in [tmp_path, *tmp_path.parents][:3]:
            folder.chmod(0o755)
        try:
            (line,) = ask(user=NOBODY, group=NOBODY, extra_groups=[])
        except PermissionError:
            pytest.skip("nobody may not run what was built here")
    assert "you may not use aesmd's socket: add yourself to its group, sudo usermod -aG" in line
    assert line.endswith("Permission denied")
