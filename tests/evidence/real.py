"""Mutants of evidence and endorsements from real machines (shared/vectors; its MANIFEST.md says what each is,
and most of what is done to them here under "Suggested mutations")."""
import json
import struct

import der
import quotes
import snp
import x509
from signing import P384, EcKey
from suite import merged
from x509 import CRL_SIGN, KEY_CERT_SIGN

ANY = {"any_workload": True}
SWEEP_COUNT = 25  # flips of a document, evenly apart
NO_LISTS = {"require_crls": False}


def flip(data, at, bits=1):
    return data[:at] + bytes([data[at] ^ bits]) + data[at + 1:]


class Vectors:
    def __init__(self, folder):
        self.folder = folder

    def __call__(self, path):
        return path, (self.folder / path).read_bytes()

    def bytes(self, path):
        return (self.folder / path).read_bytes()


# ---- SEV-SNP ----

def floor(product, svn):
    return {"snp": {"tcb_min": {product: {"snp": svn}}}}


MILAN_2 = {"snp": {"versions": [2], "product_of_version_2": "Milan"}}
MILAN_CRL = "snp/steward-milan-csr/crl_ark-milan.der"
VLEK_1 = {"snp": {"keys": ["vlek"], "vmpls": [1]}}
SNP_SETS = {
    # evidence, endorsements, policy, time
    "milan-v2": ("milan-v2/report.bin", ["snp/milan-v2/vcek.der", MILAN_CRL], merged(MILAN_2, floor("milan", 8)),
                 "2023-04-15T00:00:00Z"),
    "milan-v3": ("milan-v3-azure-a/report.bin", ["snp/milan-v3-azure-a/vcek.pem"], NO_LISTS, "2026-01-01T00:00:00Z"),
    "milan-vlek": ("milan-v3-vlek-vmpl1/report.bin", ["snp/milan-v3-vlek-vmpl1/vlek.der"], merged(VLEK_1, NO_LISTS),
                   "2025-06-01T00:00:00Z"),
    "genoa-v3": ("genoa-v3/report.bin", ["snp/genoa-v3/vcek_chain.pem"], NO_LISTS, "2026-01-01T00:00:00Z"),
    "genoa-v5": ("genoa-v5/report.bin", ["snp/genoa-v5/vcek_chain.pem"], NO_LISTS, "2026-01-01T00:00:00Z"),
    "turin-v5": ("turin-v5/report.bin", ["snp/turin-v5/vcek_chain.pem"], NO_LISTS, "2026-01-01T00:00:00Z"),
}


def snp_base(group, vectors, name):
    evidence, given, policy, at = SNP_SETS[name]
    files = {"evidence": vectors(f"snp/{evidence}")}
    files |= {path.rpartition("/")[2]: vectors(path) for path in given}
    group.base(name, files, policy=merged(ANY, policy), at=at)
    return files["evidence"][1]


def snp_report_cases(group, vectors):
    n = P384.n
    for name in SNP_SETS:
        report = snp_base(group, vectors, name)
        version = report[0]

        def mutant(word, refusal, data):
            group.case(f"{name}-{word}", name, refusal, {"evidence": data})

        # the table of the manifest
        mutant("version", {2: "snp.version", 3: "snp.signature", 5: "snp.format"}[version], flip(report, 0, 7))
        for at, bits in ((0xa, 8), (0xa, 4), (0x30, 3), (0x50, 1), (0x8f, 0x80), (0x90, 1), (0xc0, 1), (0x180, 1),
                         (0x1a0, 1), (0x2a0, 1), (0x2cf, 0x80), (0x2d0, 1), (0x2e8, 1), (0x317, 0x80), (0x318, 1),
                         (0x32f, 1), (0x04, 1), (0x10, 1), (0x2f, 1), (0x38, 1), (0x40, 1), (0xe0, 1),
                         (0x140, 1), (0x160, 1), (0x1e0, 1), (0x1e8, 1), (0x1ec, 1), (0x1f0, 1)):
            mutant(f"{at:#x}-{bits:#x}", "snp.signature", flip(report, at, bits))
        mutant("algorithm", "snp.algorithm", flip(report, 0x34, 3))
        mutant("key-kind", "snp.key-kind", flip(report, 0x48, 4))
        for at in (0x330, 0x400, 0x49f, 0x29f, 0x4c, 0x18b, 0x1eb, 0x1ef, 0x208):
            mutant(f"reserved-{at:#x}", "snp.format", flip(report, at))
        for size in (1183, 672):
            mutant(f"cut-to-{size}", "snp.format", report[:size])
        mutant("cut-to-0", "unreadable", b"")
        mutant("and-a-byte", "snp.format", report + b"\0")
        r, s = (int.from_bytes(report[at:at + 72], "little") for at in (0x2a0, 0x2e8))
        for word, x, y in (("r-zero", 0, s), ("s-zero", r, 0), ("r-is-n", n, s), ("s-is-n", r, n),
                           ("r-plus-n", n + r, s), ("s-plus-n", r, n + s), ("swapped", s, r)):
            mutant(word, "snp.signature", report[:0x2a0] + snp.signature_field(x, y))
        mutant("big-endian", "snp.signature", report[:0x2a0] + snp.signature_field(r, s, "big"))
        mutant("hexadecimal-with-a-wrong-digit", "unreadable", report.hex().encode()[:-1] + b"g")
        group.case(f"{name}-in-hexadecimal", name, None, {"evidence": report.hex().encode()})


def amd_name(common_name):
    return x509.name((11, "Engineering"), (6, "US"), (7, "Santa Clara"), (8, "CA"), (10, "Advanced Micro Devices"),
                     (3, common_name))


def forged_authority(subject, issuer, key, signer):
    return x509.certificate(
        subject=amd_name(subject), issuer=amd_name(issuer), public=key.public(), signer=signer, dates=snp.LONG,
        serial=0x10000, extensions=[x509.basic_constraints(True), x509.key_usage(KEY_CERT_SIGN | CRL_SIGN)])


def snp_endorsement_cases(group, vectors):
    for name in SNP_SETS:
        snp_base(group, vectors, name)
    milan = "milan-v2"
    vcek = vectors.bytes("snp/milan-v2/vcek.der")

    def mutant(word, refusal, base=milan, at=None, policy=None, **files):
        group.case(word, base, refusal, {key.replace("_", ".", 1): value for key, value in files.items()}, at=at,
                   policy=policy)

    # ---- of another set ----
    mutant("vcek-missing", "snp.vek", vcek_der=None)
    mutant("vcek-of-milan-v2-automata", "snp.chain-dates", vcek_der=vectors("snp/milan-v2-automata/vcek.der"))
    for other in ("milan-v2-azure-idkey", "milan-v2-debug", "steward-milan-csr"):
        mutant(f"vcek-of-{other}", "snp.signature", vcek_der=vectors(f"snp/{other}/vcek.der"))
    mutant("vcek-of-turin", "snp.vek", vcek_der=vectors("snp/turin-vcek-only/vcek.der"))
    mutant("vcek-of-genoa", "snp.vek", vcek_der=vectors("snp/genoa-v3-azure/vcek.pem"))
    mutant("vlek-for-a-vcek", "snp.key-kind", vcek_der=vectors("snp/milan-v3-vlek-vmpl1/vlek.der"))
    mutant("vcek-for-a-vlek", "snp.key-kind", "milan-vlek", vlek_der=vectors("snp/milan-v3-azure-a/vcek.pem"))
    group.case("genoa-vcek-of-another-chip", "genoa-v3", "snp.signature",
               {"vcek_chain.pem": vectors("snp/genoa-v5/vcek_chain.pem")})
    group.case("turin-vcek-of-another-chip", "turin-v5", "snp.signature",
               {"vcek_chain.pem": vectors("snp/turin-vcek-only/vcek.der")})
    mutant("version-2-called-genoa", "snp.vek", policy={"snp": {"product_of_version_2": "Genoa"}})

    # ---- bytes of the certificate ----
    tail = len(vcek) - 1
    for word, refusal, data in (
            ("signature-last-byte", "snp.chain", flip(vcek, tail)),
            ("signature-first-byte", "snp.chain", flip(vcek, tail - 511)),
            ("hwid", "snp.chain", flip(vcek, vcek.index(der.oid("1.3.6.1.4.1.3704.1.4")) + 20)),
            ("microcode", "snp.chain", flip(vcek, vcek.index(der.oid("1.3.6.1.4.1.3704.1.3.8")) + 16)),
            ("product", "snp.vek", vcek.replace(b"Milan-B0", b"Nilan-B0")),
            ("stepping", "snp.chain", vcek.replace(b"Milan-B0", b"Milan-B1")),
            ("name", "snp.vek", vcek.replace(b"SEV-VCEK", b"SEV-WCEK")),
            ("issuer", "snp.chain", vcek.replace(b"SEV-Milan", b"SEV-Milam")),
            ("followed-by-a-byte", "snp.vek", vcek + b"\0"), ("cut", "snp.vek", vcek[:-1]),
            ("cut-in-half", "snp.vek", vcek[:680]), ("length-one-more", "snp.vek", flip(vcek, 3)),
            ("body-length-one-more", "snp.vek", flip(vcek, 7))):
        mutant(f"vcek-{word}", refusal, vcek_der=data)
    year = vcek.index(b"\x17\x0d") + 2
    mutant("vcek-year", "snp.chain", vcek_der=flip(vcek, year + 1))
    mutant("vcek-point", "snp.vek", vcek_der=flip(vcek, vcek.index(der.oid(P384.oid)) + 7 + 3 + 95))

    # ---- dates: of the VCEK, of the CRL ----
    for word, base, at, refusal in (
            ("before-the-vcek", milan, "2022-01-01T00:00:00Z", "snp.chain-dates"),
            ("after-the-list", milan, "2023-05-09T23:00:01Z", "snp.crl"),
            ("after-the-vcek", milan, "2031-01-01T00:00:00Z", "snp.chain-dates"),
            ("after-the-vlek", "milan-vlek", "2025-12-10T22:14:22Z", "snp.chain-dates"),
            ("before-the-genoa-vcek", "genoa-v3", "2025-07-20T22:15:41Z", "snp.chain-dates"),
            ("after-the-genoa-vcek", "genoa-v3", "2032-07-20T22:15:43Z", "snp.chain-dates"),
            ("after-amd", "turin-v5", "2060-01-01T00:00:00Z", "snp.chain-dates")):
        mutant(word, refusal, base, at=at)

    # ---- lists ----
    crl = vectors.bytes(MILAN_CRL)
    file = "crl_ark-milan.der"

    def listed(word, refusal, data, **how):
        group.case(word, milan, refusal, {file: data}, **how)

    listed("list-missing", "snp.crl", None)
    listed("list-of-genoa", "snp.crl", vectors("snp/steward-milan-csr/crl_ark-genoa.der"))
    listed("list-called-genoa", "snp.crl", crl.replace(b"ARK-Milan", b"ARK-Genoa"))
    genoa = vectors.bytes("snp/steward-milan-csr/crl_ark-genoa.der")
    listed("list-of-genoa-called-milan", "snp.crl", genoa.replace(b"ARK-Genoa", b"ARK-Milan"))
    listed("list-signature-flipped", "snp.crl", flip(crl, len(crl) - 1))
    listed("list-with-a-longer-life", "snp.crl", crl.replace(b"230509", b"330509"), at="2026-01-01T00:00:00Z")
    listed("list-followed-by-a-byte", "snp.crl", crl + b"\0")
    listed("list-cut", "snp.crl", crl[:-1])
    for at in range(0, len(crl), len(crl) // SWEEP_COUNT):
        listed(f"list-{at:#x}", "snp.crl", flip(crl, at))
    listed("list-in-hexadecimal", None, crl.hex().encode())
    listed("list-in-pem", None, der.pem("X509 CRL", crl))

    # ---- roots: forged in AMD's exact names ----
    ark = forged_authority("ARK-Milan", "ARK-Milan", snp.ARK, snp.ARK)
    ask = forged_authority("SEV-Milan", "ARK-Milan", snp.ASK, snp.ARK)
    mutant("forged-root-beside-the-real-chain", "snp.root", ark_der=ark)
    fake = snp.Platform("Milan", 3)
    forged_vek = x509.certificate(
        subject=amd_name("SEV-VCEK"), issuer=amd_name("SEV-Milan"), public=snp.VEK.public(), signer=snp.ASK,
        dates=snp.SHORT, serial=0, extensions=[
            x509.extension(snp.OID_AMD + oid, value) for oid, value in (
                ("1", der.integer(0)), ("2", der.ia5("Milan-B0")), ("3.1", der.integer(4)), ("3.2", der.integer(1)),
                ("3.3", der.integer(27)), ("3.8", der.integer(219)), ("4", snp.CHIP))])
    files = {"evidence": fake.report(), "vcek.pem": forged_vek, "ask.der": ask}
    group.case("forged-chain-with-its-root", "milan-v3", "snp.root", files | {"ark.der": ark})
    group.case("forged-chain-without-its-root", "milan-v3", "snp.chain", files)
    group.case("forged-vcek-alone", "milan-v3", "snp.chain", {"evidence": fake.report(), "vcek.pem": forged_vek})
    group.case("forged-chain-believed-as-simulated", "milan-v3", None, files | {"root.der": ark}, simulated=True)
    # the simulated root has the real one's very name: each vouches for its own alone
    forged_list = x509.crl(issuer=amd_name("ARK-Milan"), signer=snp.ARK, dates=snp.LONG)
    group.case("list-of-a-simulated-root-for-a-real-chain", milan, "snp.crl",
               {"crl_ark-milan.der": forged_list, "root.der": ark})
    group.case("real-chain-beside-a-simulated-root", "milan-v3", None, {"root.der": snp.Platform("Milan", 3).ark()})
    milan_ask, milan_ark = vectors("snp/trust/milan_ask.pem"), vectors("snp/trust/milan_ark.pem")
    group.case("chain-in-either-order", "milan-v3", None, {"a.pem": milan_ark, "b.pem": milan_ask})

    # ---- what a production policy does not take ----
    debug = {"evidence": vectors("snp/milan-v2-debug/report.bin"), "vcek.der": vectors("snp/milan-v2-debug/vcek.der")}
    group.base("milan-v2-debug", debug, policy=merged(ANY, MILAN_2, NO_LISTS, {"debug": True}, floor("milan", 5)),
               at="2025-01-01T00:00:00Z")
    group.case("debug-in-production", "milan-v2-debug", "snp.debug", policy={"debug": False})
    group.case("debug-below-the-floor", "milan-v2-debug", "snp.tcb-minimum", policy=floor("milan", 6))
    mutant("vmpl-1-in-production", "snp.vmpl", "milan-vlek", policy={"snp": {"vmpls": [0]}})
    mutant("vlek-in-production", "snp.key-kind", "milan-vlek", policy={"snp": {"keys": ["vcek"]}})
    mutant("version-2-in-production", "snp.version", policy={"snp": {"versions": [3, 4, 5]}})
    mutant("old-firmware-in-production", "snp.tcb-minimum", policy=floor("milan", 0x18))
    for base in ("genoa-v3", "genoa-v5", "turin-v5", "milan-v3"):
        mutant(f"{base}-lists-required", "snp.crl", base, policy={"require_crls": True})
        mutant(f"{base}-no-workload-named", "snp.measurement", base, policy={"any_workload": False})
        group.case(f"{base}-about-something-else", base, "snp.report-data", report_data="5a" * 64)


def table(entries, end=True):
    """AMD's certificate table: (GUID, offset or None for the right one, size or None, content)."""
    at = 24 * (len(entries) + (1 if end else 0))
    head, body = b"", b""
    for guid, offset, size, content in entries:
        head += guid + struct.pack("<II", at if offset is None else offset, len(content) if size is None else size)
        body += content
        at += len(content)
    return head + (bytes(24) if end else b"") + body


def container_cases(group, vectors):
    """Certificate tables; Azure's report; requests and certificates with evidence in them."""
    given = vectors.bytes("snp/genoa-v3-exttable/certtable.bin")
    group.base("certificate-table", {"evidence": vectors("snp/genoa-v3-exttable/report.bin"),
                                     "certtable.bin": vectors("snp/genoa-v3-exttable/certtable.bin")},
               policy=merged(ANY, NO_LISTS), at="2026-01-01T00:00:00Z")
    entries, at = [], 0
    while any(given[at:at + 16]):
        offset, size = struct.unpack_from("<II", given, at + 16)
        entries.append((given[at:at + 16], None, None, given[offset:offset + size]))
        at += 24
    vcek = max(range(len(entries)), key=lambda i: b"SEV-VCEK" in entries[i][3])

    def mutant(word, refusal, data):
        group.case(f"table-{word}", "certificate-table", refusal, {"certtable.bin": data})

    def entry(offset=None, size=None, content=None, guid=None):
        changed = list(entries)
        old = entries[vcek]
        changed[vcek] = (guid or old[0], offset, size, old[3] if content is None else content)
        return changed

    mutant("made-again", None, table(entries))
    mutant("offset-past-the-end", "snp.vek", table(entry(offset=len(given) + 100)))
    mutant("offset-at-the-end", "snp.vek", table(entry(offset=len(table(entries)))))
    mutant("size-past-the-end", "snp.vek", table(entry(size=len(given))))
    mutant("size-largest", "snp.vek", table(entry(size=0xffffffff)))
    mutant("sum-wraps", "snp.vek", table(entry(offset=0xffffff00, size=0x200)))
    mutant("offset-largest", "snp.vek", table(entry(offset=0xffffffff)))
    mutant("size-zero", "snp.vek", table(entry(size=0)))
    mutant("offset-in-its-head", "snp.vek", table(entry(offset=24)))
    mutant("offset-zero", "snp.vek", table(entry(offset=0)))
    mutant("guid-twice", "snp.vek", table([*entries, entries[vcek]]))
    mutant("without-an-end", "snp.vek", table(entries, end=False))
    mutant("head-alone", "snp.vek", given[:24 * len(entries)])
    mutant("cut", "snp.vek", given[:-1])
    mutant("end-with-a-size", "snp.vek", given[:at + 20] + b"\1" + given[at + 21:])
    mutant("guid-unknown", "snp.vek", table(entry(guid=b"\x77" * 16)))
    mutant("size-short-by-two", "snp.vek", table(entry(size=len(entries[vcek][3]) - 2)))  # the last is a newline
    mutant("of-1000-entries", "snp.vek", table([(bytes([i % 251 + 1]) * 12 + i.to_bytes(4, "big"), None, None, b"x")
                                                for i in range(1000)]))
    mutant("vcek-of-noise", "snp.vek", table(entry(content=b"\x30\x82\x05\x00" + b"\xee" * 1280)))

    # ---- Azure ----
    hcl = vectors.bytes("snp/milan-v2-azure-hcl/hcl-report.bin")
    group.base("azure", {"evidence": vectors("snp/milan-v2-azure-hcl/hcl-report.bin"),
                         "vcek.pem": vectors("snp/milan-v2-azure-hcl/vcek.pem")},
               policy=merged(ANY, MILAN_2, NO_LISTS, floor("milan", 8)), at="2025-01-01T00:00:00Z")
    group.case("azure-magic", "azure", "unreadable", {"evidence": flip(hcl, 0)})
    group.case("azure-cut", "azure", "snp.format", {"evidence": hcl[:32 + 1183]})
    group.case("azure-head-alone", "azure", "unreadable", {"evidence": hcl[:32]})
    group.case("azure-measurement", "azure", "snp.signature", {"evidence": flip(hcl, 32 + 0x90)})
    group.case("azure-signature", "azure", "snp.signature", {"evidence": flip(hcl, 32 + 0x2a0)})
    group.case("azure-reserved", "azure", "snp.format", {"evidence": flip(hcl, 32 + 0x49f)})
    group.case("azure-report-alone", "azure", None, {"evidence": hcl[32:32 + 1184]})

    # ---- Enarx's requests ----
    policy = merged(ANY, MILAN_2, floor("milan", 6))
    group.base("request", {"evidence": vectors("snp/steward-milan-csr/evidence.csr")}, policy=policy,
               at="2023-01-01T00:00:00Z")
    request = vectors.bytes("snp/steward-milan-csr/evidence.csr")
    report = vectors.bytes("snp/steward-milan-csr/report.bin")
    at = request.index(report)

    def enarx(word, refusal, data, **how):
        group.case(f"request-{word}", "request", refusal, {"evidence": data}, **how)

    enarx("signature-flipped", "unreadable", flip(request, len(request) - 1))
    enarx("report-flipped", "unreadable", flip(request, at + 0x90))
    enarx("cut", "unreadable", request[:-1])
    enarx("followed-by-a-byte", "unreadable", request + b"\0")
    enarx("in-pem", None, der.pem("CERTIFICATE REQUEST", request))
    key = EcKey(P384, "requester")
    oid = der.oid("1.3.6.1.4.1.58270.1.3")
    start = request.index(oid) + len(oid)
    _, content, _ = next(der.elements(request[start:]))

    def made(*contents, signer=key, oid="1.3.6.1.4.1.58270.1.3"):
        extensions = der.sequence(*(x509.extension(oid, one) for one in contents))
        attribute = der.sequence(der.oid("1.2.840.113549.1.9.14"), der.set_of(extensions))
        return x509.signed(der.sequence(der.integer(0), x509.name((3, "relay")), key.public(),
                                        der.explicit(0, attribute)), signer)

    # evidence of one machine, in the request of another: the key is not the one that it is about
    enarx("of-another-key", "snp.report-data", made(content))
    certificate = x509.certificate(
        subject=x509.name((3, "relay")), issuer=x509.name((3, "relay")), public=key.public(), signer=key,
        dates=snp.LONG, serial=1, extensions=[x509.basic_constraints(True),
                                              x509.extension("1.3.6.1.4.1.58270.1.3", content)])
    # a certificate that is its own authority is nobody's leave to skip that
    enarx("as-a-certificate-of-its-own", "snp.report-data", certificate)
    enarx("of-another-key-that-says-so", None, made(content),
          report_data=report[0x50:0x90].hex(), why="what the caller expects goes before the request's key")
    enarx("without-evidence", "unreadable", made())
    enarx("with-evidence-twice", "unreadable", made(content, content))
    enarx("signed-by-another", "unreadable", made(content, signer=EcKey(P384, "thief")))
    enarx("evidence-followed-by-a-byte", "unreadable", made(content + b"\0"))
    enarx("evidence-cut", "unreadable", made(content[:-1]))
    enarx("evidence-empty", "unreadable", made(der.sequence()))
    enarx("evidence-of-noise", "unreadable", made(b"\xff" * 100))
    enarx("report-called-quote", "unreadable", made(content, oid="1.3.6.1.4.1.58270.1.2"))
    nested = b""
    for _ in range(1000):
        nested = der.sequence(nested)
    enarx("evidence-nested-1000-deep", "unreadable", made(nested))
    parts = list(der.elements(next(der.elements(content))[1]))
    endorsements, report_part = parts[0], parts[1]
    enarx("report-of-1183", "snp.format", made(der.sequence(endorsements[2], der.octets(report_part[1][:-1]))))
    enarx("report-missing", "unreadable", made(der.sequence(endorsements[2])))
    vcek_part = next(der.elements(endorsements[1]))[2]
    enarx("lists-missing", "unreadable", made(der.sequence(der.sequence(vcek_part), report_part[2])))
    enarx("lists-empty", "snp.crl", made(der.sequence(der.sequence(
        vcek_part, der.sequence(der.sequence())), report_part[2])), report_data=report[0x50:0x90].hex())


# ---- SGX and TDX ----

SIGNER_2018, SIGNER_2025 = "sgx/platform-oasis/tcb_info_chain.pem", "sgx/trust/tcb_signing_chain_2025.pem"
ROOT_CRL = "tdx/v4-gcp-automata/root_crl.der"
TEEPOT = "sgx/teepot-pcs/"


def intel(statuses=(), advisories=()):
    return {"intel": {"tcb_statuses": ["UpToDate", *statuses], "advisories": list(advisories)}}


PHALA = intel(["ConfigurationAndSWHardeningNeeded"], ["INTEL-SA-00289", "INTEL-SA-00615"])
AUTOMATA = intel(["SWHardeningNeeded"], ["INTEL-SA-00615"])
AUGUST = ["sgx/platform-automata/tcb_info.json", "sgx/platform-automata/qe_identity.json",
          "sgx/platform-automata/platform_crl.der", SIGNER_2025, ROOT_CRL]
QUOTE_SETS = {
    "sgx-processor": ("sgx/processor-phala/quote.bin", ["sgx/processor-phala/collateral.json"], PHALA,
                      "2025-07-01T00:00:00Z"),
    "sgx-platform": ("sgx/platform-automata/quote.bin", AUGUST, AUTOMATA, "2025-09-01T00:00:00Z"),
    "tdx-v4": ("tdx/v4-phala/quote.bin", ["tdx/v4-phala/collateral.json"], {}, "2025-07-01T00:00:00Z"),
    "tdx-v4-padded": ("tdx/v4-google-cos113/quote.bin", [
        TEEPOT + "tdx_tcb_info.json", TEEPOT + "tdx_qe_identity.json", TEEPOT + "pck_crl_platform.json", ROOT_CRL], {},
        "2025-06-10T00:00:00Z"),
    "tdx-v5": ("tdx/v5-google/quote.bin", [
        "tdx/v5-google/tcb_info.json", "tdx/v5-azure-outdated/collateral.json",
        "sgx/fortanix-pcs/IntelSGXRootCA.crl"], {}, "2026-02-20T00:00:00Z"),
    "tdx-v5-1.5": ("tdx/v5-alibaba-automata/quote.bin", [
        "tdx/v5-alibaba-automata/tcb_info.json", "tdx/v5-alibaba-automata/qe_identity.json", SIGNER_2025,
        TEEPOT + "pck_crl_platform.json", ROOT_CRL], {"tdx": {"mrservicetds": [
            "383c87d3bbb047b2d171eaca95312ede99f258088dc788f6ae2ccf8b6dd848fe8d47629e08b3f6cbd4a00dd47a5a033d"]}},
        "2025-06-20T00:00:00Z"),
}


class Layout:
    """Where the parts of a quote are."""

    def __init__(self, quote):
        self.version, self.is_tdx = quote[0], quote[4] == 0x81
        if self.version == 5:
            self.body, self.body_size = 54, struct.unpack_from("<I", quote, 50)[0]
        else:
            self.body, self.body_size = 48, 584 if self.is_tdx else 384
        self.size_at = self.body + self.body_size
        self.signature = self.size_at + 4
        self.key = self.signature + 64
        self.outer = self.key + 64
        self.qe = self.outer + (6 if self.version > 3 else 0)
        self.qe_signature = self.qe + 384
        self.auth_size = self.qe_signature + 64
        self.auth = self.auth_size + 2
        self.cert = self.auth + struct.unpack_from("<H", quote, self.auth_size)[0]
        self.chain = self.cert + 6
        self.end = self.chain + struct.unpack_from("<I", quote, self.cert + 2)[0]


def quote_base(group, vectors, name):
    evidence, given, policy, at = QUOTE_SETS[name]
    files = {"evidence": vectors(evidence)} | {path.rpartition("/")[2]: vectors(path) for path in given}
    group.base(name, files, policy=merged(ANY, policy), at=at)
    return files["evidence"][1]


def resized(quote, at, by, form="<I"):
    size, = struct.unpack_from(form, quote, at)
    size = (size + by) % 256 ** struct.calcsize(form)
    return quote[:at] + struct.pack(form, size) + quote[at + struct.calcsize(form):]


def split_chain(text):
    """The certificates of a chain, in DER."""
    return [der.unpem(part.decode()) for part in text.split(b"-----END CERTIFICATE-----")[:-1]]


def quote_cases(group, vectors):
    for name in QUOTE_SETS:
        quote = quote_base(group, vectors, name)
        lay = Layout(quote)
        padding = quote[lay.end:]
        assert not any(padding)

        def mutant(word, refusal, data):
            group.case(f"{name}-{word}", name, refusal, {"evidence": data})

        # ---- the table of the manifest, and more of its kind ----
        mutant("version", "quote.format", flip(quote, 0) if lay.version != 5 else flip(quote, 0, 2))
        mutant("key-type", "quote.header", flip(quote, 2))
        mutant("tee-type", "quote.format", flip(quote, 4))
        mutant("vendor", "quote.vendor", flip(quote, 0xc))
        fields = quotes.TD_FIELDS if lay.is_tdx else quotes.SGX_FIELDS
        for field, (at, size) in fields.items():
            if at < lay.body_size:
                mutant(field, "quote.signature", flip(quote, lay.body + at + size // 2))
        mutant("debug", "quote.signature",
               flip(quote, lay.body + fields["td_attributes" if lay.is_tdx else "attributes"][0],
                    1 if lay.is_tdx else 2))
        for word, at, refusal in (
                ("user-data", 0x1c, "quote.signature"), ("qe-svn", 8, "quote.signature"),
                ("last-signed-byte", lay.size_at - 1, "quote.signature"),
                ("signature-r", lay.signature, "quote.signature"), ("signature-s", lay.signature + 32, "quote.signature"),
                ("key-x", lay.key, "quote.qe-binding"), ("key-y", lay.key + 63, "quote.qe-binding"),
                ("qe-first-byte", lay.qe, "quote.qe-signature"), ("qe-mrsigner", lay.qe + 128, "quote.qe-signature"),
                ("qe-isvsvn", lay.qe + 258, "quote.qe-signature"), ("qe-binding", lay.qe + 320, "quote.qe-signature"),
                ("qe-last-byte", lay.qe + 383, "quote.qe-signature"),
                ("qe-signature-r", lay.qe_signature, "quote.qe-signature"),
                ("qe-signature-s", lay.qe_signature + 63, "quote.qe-signature"),
                ("auth-first-byte", lay.auth, "quote.qe-binding"), ("auth-last-byte", lay.cert - 1, "quote.qe-binding")):
            mutant(word, refusal, flip(quote, at))
        for word, at, size in (("signature", lay.signature, 64), ("qe-signature", lay.qe_signature, 64)):
            check = f"quote.{word}"
            order = quotes.P256.n.to_bytes(32, "big")
            mutant(f"{word}-zero", check, quote[:at] + bytes(64) + quote[at + 64:])
            mutant(f"{word}-r-is-n", check, quote[:at] + order + quote[at + 32:])
            mutant(f"{word}-s-is-n", check, quote[:at + 32] + order + quote[at + 64:])
            mutant(f"{word}-swapped", check, quote[:at] + quote[at + 32:at + 64] + quote[at:at + 32] + quote[at + 64:])
            mutant(f"{word}-little-endian", check, quote[:at] + quote[at:at + 32][::-1] +
                   quote[at + 32:at + 64][::-1] + quote[at + 64:])
        mutant("key-and-signature-of-another", "quote.qe-binding",
               quote[:lay.signature] + quotes.STRANGER.sign_raw(quote[:lay.size_at]) + quotes.STRANGER.point() +
               quote[lay.outer:])

        # ---- sizes ----
        for word, at, form in (("signature", lay.size_at, "<I"), ("auth", lay.auth_size, "<H"), ("cert", lay.cert + 2, "<I")):
            for by in (-1, 1):
                mutant(f"{word}-size-{by:+}", "quote.format", resized(quote, at, by, form))
            mutant(f"{word}-size-largest", "quote.format", quote[:at] + b"\xff" * struct.calcsize(form) +
                   quote[at + struct.calcsize(form):])
        for size in (0, 3):
            mutant(f"cut-to-{size}", "unreadable", quote[:size])
        for size in (4, 47, 48, lay.size_at - 1, lay.size_at, lay.signature, lay.key, lay.outer, lay.qe_signature,
                     lay.auth, lay.chain, lay.end - 1):
            mutant(f"cut-to-{size}", "quote.format", quote[:size])
        if padding:
            mutant("cut-of-its-padding", None, quote[:lay.end])
        mutant("followed-by-a-byte", "quote.format", quote + b"\1")
        mutant("followed-by-its-beginning", "quote.format", quote + quote[:64])
        for kind in (1, 3, 4, 7):
            mutant(f"cert-type-{kind}", "quote.pck", quote[:lay.cert] + struct.pack("<H", kind) + quote[lay.cert + 2:])

        # ---- the chain in it ----
        end = quote[lay.chain:lay.end]
        certificates = split_chain(end)
        rest = end[len(b"".join(der.pem("CERTIFICATE", one) for one in certificates)):]
        assert end == b"".join(der.pem("CERTIFICATE", one) for one in certificates) + rest and len(certificates) == 3

        def chained(word, refusal, *ones, tail=rest):
            text = b"".join(der.pem("CERTIFICATE", one) for one in ones) + tail
            by = len(text) - len(end)
            data = resized(resized(quote[:lay.chain] + text + padding, lay.cert + 2, by), lay.size_at, by)
            mutant(word, refusal, resized(data, lay.outer + 2, by) if lay.version > 3 else data)

        pck, ca, root = certificates
        chained("pck-signature", "quote.chain", flip(pck, len(pck) - 1), ca, root)
        chained("pck-fmspc", "quote.chain", flip(pck, pck.index(der.oid("1.2.840.113741.1.13.1.4")) + 15), ca, root)
        chained("ca-signature", "quote.chain", pck, flip(ca, len(ca) - 1), root)
        chained("root-signature", "quote.root", pck, ca, flip(root, len(root) - 1))
        chained("without-pck", "quote.pck", ca, root)
        chained("without-ca", "quote.chain", pck, root)
        chained("pck-twice", "quote.pck", pck, pck, ca, root)
        chained("pck-and-nul-and-more", "quote.pck", pck, ca, root, tail=b"\0" + der.pem("CERTIFICATE", root))
        chained("text-behind-the-chain", "quote.pck", pck, ca, root, tail=b"text")
        forged = quotes.BASES["sgx-v3"].root(key=quotes.STRANGER, signer=quotes.STRANGER)
        chained("root-of-another-name", "quote.chain", pck, ca, forged)
        intel_root = x509.certificate(
            subject=intel_name("Intel SGX Root CA"), issuer=intel_name("Intel SGX Root CA"),
            public=quotes.STRANGER.public(), signer=quotes.STRANGER, dates=quotes.LONG, serial=1,
            extensions=[x509.subject_key(quotes.STRANGER), x509.basic_constraints(True),
                        x509.key_usage(KEY_CERT_SIGN | CRL_SIGN)])
        chained("forged-root", "quote.root", pck, ca, intel_root)
        group.case(f"{name}-forged-root-beside", name, "quote.root", {"forged.der": intel_root})


def intel_name(common_name):
    return x509.name((3, common_name), (10, "Intel Corporation"), (7, "Santa Clara"), (8, "CA"), (6, "US"))


def collateral_cases(group, vectors):
    for name in QUOTE_SETS:
        quote_base(group, vectors, name)
        group.case(f"{name}-without-collateral", name, "quote.crl",
                   {path.rpartition("/")[2]: None for path in QUOTE_SETS[name][1]})
        group.case(f"{name}-about-something-else", name, "quote.report-data", report_data="5a" * 64)
        group.case(f"{name}-no-workload-named", name, name[:3] + ".measurement", policy={"any_workload": False})
        group.case(f"{name}-before-everything", name, "quote.chain-dates", at="2015-01-01T00:00:00Z")
        group.case(f"{name}-after-everything", name, "quote.chain-dates", at="2060-01-01T00:00:00Z")

    # ---- one bundle: dcap-qvl's ----
    sets = (("sgx-processor", "sgx/processor-phala/collateral.json", "tdx/v4-phala/collateral.json"),
            ("tdx-v4", "tdx/v4-phala/collateral.json", "sgx/processor-phala/collateral.json"))
    for name, path, other_path in sets:
        whole = vectors.bytes(path).decode()
        bundle, other = (json.loads(vectors.bytes(one)) for one in (path, other_path))

        def mutant(word, refusal, **changes):
            """changes: of values; None: under a key that nobody knows."""
            text = whole
            for key, value in changes.items():
                old = json.dumps(bundle[key]) if value is not None else json.dumps(key)
                assert text.count(old) >= 1
                at = text.index(old, text.index(json.dumps(key)))
                text = text[:at] + json.dumps(value if value is not None else "x" + key) + text[at + len(old):]
            group.case(f"{name}-{word}", name, refusal, {"collateral.json": text.encode()})

        group.case(f"{name}-bundle-written-again", name, None, {"collateral.json": json.dumps(bundle).encode()})
        for word, check in (("tcb_info", "quote.tcb-info"), ("qe_identity", "quote.qe-identity")):
            text, signature = bundle[word], bundle[f"{word}_signature"]
            dropped = {word: None, f"{word}_signature": None}
            mutant(f"{word}-missing", check, **dropped)
            mutant(f"{word}-digit", check, **{word: text.replace('Number":17', 'Number":18')})
            mutant(f"{word}-year", check, **{word: text.replace('nextUpdate":"2025', 'nextUpdate":"2026')})
            mutant(f"{word}-status", check, **{word: text.replace('"OutOfDate"', '"UpToDate"') if '"OutOfDate"' in text
                                              else text.replace('"UpToDate"', '"Revoked"')})
            mutant(f"{word}-space", check, **{word: text.replace(",", ", ", 1)})
            mutant(f"{word}-space-behind", check, **{word: text + " "})
            mutant(f"{word}-written-again", check, **{word: json.dumps(json.loads(text))})
            mutant(f"{word}-signature-flipped", check, **{
                f"{word}_signature": ("1" if signature[0] != "1" else "2") + signature[1:]})
            mutant(f"{word}-signature-zero", check, **{f"{word}_signature": "00" * 64})
            mutant(f"{word}-signature-of-the-other", check, **{
                f"{word}_signature": bundle["qe_identity_signature" if word == "tcb_info" else "tcb_info_signature"]})
            mutant(f"{word}-of-the-other-kind", check, **{
                key: other[key] for key in (word, f"{word}_signature")})
        mutant("pck-crl-of-the-other-ca", "quote.crl", pck_crl=other["pck_crl"])
        mutant("pck-crl-missing", "quote.crl", pck_crl=None)
        mutant("root-crl-missing", "quote.crl", root_ca_crl=None)
        for key in ("pck_crl", "root_ca_crl"):
            crl = bytes.fromhex(bundle[key])
            mutant(f"{key}-flipped", "quote.crl", **{key: flip(crl, len(crl) - 1).hex()})
            mutant(f"{key}-followed-by-a-byte", "quote.crl", **{key: (crl + b"\0").hex()})
            mutant(f"{key}-cut", "quote.crl", **{key: crl[:-1].hex()})
        signer, root = split_chain(bundle["qe_identity_issuer_chain"].encode())
        flipped = (der.pem("CERTIFICATE", flip(signer, len(signer) - 1)) + der.pem("CERTIFICATE", root)).decode()
        mutant("signer-flipped", "quote.qe-identity", tcb_info_issuer_chain=flipped, qe_identity_issuer_chain=flipped)
        mutant("signer-missing", "quote.qe-identity", tcb_info_issuer_chain=None, qe_identity_issuer_chain=None)

    # ---- Intel's samples and what their names say ----
    for path in sorted((vectors.folder / "sgx/oe-json-parser").glob("*.json")):
        group.case(f"open-enclave-{path.stem}", "sgx-platform", "quote.tcb-info",
                   {"tcb_info.json": vectors(f"sgx/oe-json-parser/{path.name}")})
    for word, path, check in (
            ("tcb-info-of-tdx", "tdx/v4-oasis/tcb_info_C0806F.json", "quote.tcb-info"),
            ("tcb-info-stale", "sgx/platform-oasis/tcb_info.json", "quote.tcb-info-dates")):
        group.case(f"sgx-platform-{word}", "sgx-platform", check, {"tcb_info.json": vectors(path)})
    for word, path, check in (
            ("qe-identity-of-tdx", "tdx/v4-gcp-automata/qe_identity.json", "quote.qe-identity"),
            ("qe-identity-of-qve", TEEPOT + "sgx_qve_identity.json", "quote.qe-identity"),
            ("qe-identity-stale", "sgx/platform-oasis/qe_identity.json", "quote.qe-identity-dates")):
        group.case(f"sgx-platform-{word}", "sgx-platform", check, {"qe_identity.json": vectors(path)})
    for word, path in (("processor", TEEPOT + "pck_crl_processor.json"), ("root", ROOT_CRL),
                       ("stale", "sgx/steward-icelake-xeon-csr/crl_intel_sgx_pck_platform_ca.der")):
        group.case(f"sgx-platform-list-{word}", "sgx-platform", "quote.crl", {"platform_crl.der": vectors(path)})
    for word, path in (("of-the-wrong-chain", "sgx/platform-oasis/tcb_info_chain_bad.pem"),
                       ("of-a-test-root", "sgx/intel-qvl-sample-testroot/tcbSignChain.pem")):
        group.case(f"sgx-platform-signer-{word}", "sgx-platform",
                   "quote.root" if "test-root" in word else "quote.qe-identity",
                   {"tcb_signing_chain_2025.pem": vectors(path)})
    group.case("sgx-platform-signer-that-expired", "sgx-platform", "quote.qe-identity-dates",
               {"tcb_signing_chain_2025.pem": vectors(SIGNER_2018)})
    group.case("sgx-platform-status", "sgx-platform", "quote.tcb-status",
               policy={"intel": {"tcb_statuses": ["UpToDate"]}})
    group.case("sgx-platform-advisory", "sgx-platform", "quote.advisories", policy={"intel": {"advisories": []}})
    group.case("sgx-processor-status", "sgx-processor", "quote.tcb-status",
               policy={"intel": {"tcb_statuses": ["UpToDate", "SWHardeningNeeded", "ConfigurationNeeded"]}})
    group.case("sgx-processor-one-advisory", "sgx-processor", "quote.advisories",
               policy={"intel": {"advisories": ["INTEL-SA-00615"]}})
    group.case("tdx-v4-evaluation", "tdx-v4", "quote.tcb-evaluation", policy={"intel": {"tcb_evaluation_min": 18}})
    group.case("tdx-v5-1.5-service-domain", "tdx-v5-1.5", "tdx.service", policy={"tdx": {"mrservicetds": []}})
    # the other set's is of the same kind of platform, and valid as well
    group.case("tdx-v5-tcb-info-of-another-set", "tdx-v5", None, {"tcb_info.json": None})

    # ---- any byte of a document or a list ----
    for base, path, check in (("sgx-platform", AUGUST[0], "quote.tcb-info"), ("sgx-platform", AUGUST[1], "quote.qe-identity"),
                              ("sgx-platform", AUGUST[2], "quote.crl"), ("sgx-platform", ROOT_CRL, "quote.crl"),
                              ("tdx-v5-1.5", "tdx/v5-alibaba-automata/tcb_info.json", "quote.tcb-info"),
                              ("tdx-v5-1.5", "tdx/v5-alibaba-automata/qe_identity.json", "quote.qe-identity")):
        data, file = vectors.bytes(path), path.rpartition("/")[2]
        for at in range(0, len(data.rstrip()), len(data) // SWEEP_COUNT):
            group.case(f"{base}-{file}-{at:#x}", base, check, {file: flip(data, at)})

    # ---- simulated collateral for a real platform, though the policy believes simulated roots ----
    forged = quotes.Platform("SGX", 3)
    fmspc = json.loads(vectors.bytes(AUGUST[0]))["tcbInfo"]["fmspc"]
    signer = {"root.der": forged.root(), "signer.der": forged.signer()}
    group.case("sgx-platform-simulated-tcb-info", "sgx-platform", "quote.tcb-info",
               signer | {"tcb_info.json": forged.tcb_body(quotes.under(["fmspc"], fmspc))})
    group.case("sgx-platform-simulated-qe-identity", "sgx-platform", "quote.qe-identity",
               signer | {"qe_identity.json": forged.qe_body()})
    group.case("sgx-platform-simulated-list", "sgx-platform", "quote.crl",
               {"root.der": forged.root(), "platform_crl.der": forged.pck_crl()})
    group.case("sgx-platform-beside-a-simulated-root", "sgx-platform", None, signer)
    # and real collateral for a simulated platform
    group.case("sgx-platform-simulated-quote", "sgx-platform", "quote.qe-identity", signer | {
        "evidence": forged.quote(), "a.der": quotes.BASES["sgx-v3"].root_crl(dates=quotes.LONG),
        "b.der": quotes.BASES["sgx-v3"].pck_crl(dates=quotes.LONG)})

    # ---- sets that a production policy refuses ----
    def refused(name, check, evidence, given, tolerant, strict, at):
        files = {"evidence": vectors(evidence)} | {path.rpartition("/")[2]: vectors(path) for path in given}
        group.base(name, files, policy=merged(ANY, tolerant), at=at)
        group.case(f"{name}-in-production", name, check, policy=strict)

    every = ["SWHardeningNeeded", "ConfigurationNeeded", "ConfigurationAndSWHardeningNeeded", "OutOfDate",
             "OutOfDateConfigurationNeeded"]
    icelake = ["INTEL-SA-00586", "INTEL-SA-00614", "INTEL-SA-00615", "INTEL-SA-00657", "INTEL-SA-00730",
               "INTEL-SA-00738", "INTEL-SA-00767", "INTEL-SA-00828", "INTEL-SA-00837", "INTEL-SA-00960"]
    debug = merged(intel(every, icelake), {"debug": True})
    refused("sgx-debug", "sgx.debug", "sgx/debug-platform-occlum/quote.bin", AUGUST, debug, {"debug": False},
            "2025-09-01T00:00:00Z")
    spr = ["tdx/v4-google-spr/tcb_info.json", "tdx/v4-google-spr/qe_identity.json",
           "tdx/v4-google-spr/pck_platform_crl.der", "tdx/v4-google-spr/root_crl.der", SIGNER_2018]
    refused("tdx-debug", "tdx.debug", "tdx/v4-debug-trustee/quote.bin", spr, {"debug": True}, {"debug": False},
            "2023-07-01T00:00:00Z")
    refused("sgx-out-of-date", "quote.tcb-status", "sgx/steward-icelake-xeon-csr/quote.bin", AUGUST,
            intel(every, icelake), {"intel": {"tcb_statuses": ["UpToDate", "SWHardeningNeeded"]}},
            "2025-09-01T00:00:00Z")
    # as old as no level, whatever is accepted; text behind a quote; a sample under Intel's test root
    group.case("tdx-of-no-level", "tdx-debug", "quote.tcb-status", {"evidence": vectors("tdx/v4-oasis/quote_out_of_date.bin")},
               policy=merged(intel(every), {"tdx": {"sept_ve_disable": False, "attributes_allowed": ["pks"]}}))
    group.case("tdx-before-text", "tdx-debug", "quote.format", {"evidence": vectors("tdx/v4-google-spr/quote.bin")})
    sample = "sgx/intel-qvl-sample-testroot/"
    files = {"evidence": vectors(sample + "quote.dat")} | {name: vectors(sample + name) for name in (
        "pckCert.pem", "pckSignChain.pem", "tcbInfo.json", "tcbSignChain.pem", "qeIdentity.json",
        "intermediateCaCrl.der", "rootCaCrl.der", "trustedRootCaCert.pem")}
    group.case("sgx-sample-of-a-test-root", "sgx-platform", "quote.root",
               files | {path.rpartition("/")[2]: None for path in AUGUST})
    group.case("sgx-without-a-certificate", "sgx-platform", "quote.pck",
               {"evidence": vectors("sgx/platform-oasis/quote_ppid_certtype3.bin")})
    group.case("sgx-corrupted", "sgx-platform", "quote.crl",
               {"evidence": vectors("sgx/wrong-order-chain-fortanix/quote_corrupted.bin")},
               why="its CA is another, of which there is no list; its signature is bad as well")


GROUPS = {"snp-real-report": snp_report_cases, "snp-real-endorsements": snp_endorsement_cases,
          "real-containers": container_cases, "quote-real": quote_cases, "quote-real-collateral": collateral_cases}
