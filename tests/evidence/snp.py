"""Simulated SEV-SNP evidence. AMD 56860 table 23 (the report), AMD 57230 (certificates)."""
import der
import x509
from signing import P256, P384, EcKey, RsaKey
from x509 import CRL_SIGN, DIGITAL_SIGNATURE, KEY_CERT_SIGN, Ecdsa, Pkcs1, Pss

AT = "2026-06-01T00:00:00Z"
LONG = ("2020-10-22T17:23:05Z", "2045-10-22T17:23:05Z")
SHORT = ("2025-01-01T00:00:00Z", "2032-01-01T00:00:00Z")
OF_LIST = ("2026-01-01T00:00:00Z", "2026-12-31T00:00:00Z")
OID_AMD = "1.3.6.1.4.1.3704.1."

ARK, ASK, ASVK, STRANGER = (RsaKey(f"rsa4096-{name}") for name in ("ark", "ask", "asvk", "stranger"))
SMALL = RsaKey("rsa3072")
VEK = EcKey(P384, "vek")
OTHER = EcKey(P384, "other vek")

# offset, size
FIELDS = {
    "version": (0x000, 4), "guest_svn": (0x004, 4), "policy": (0x008, 8), "family_id": (0x010, 16),
    "image_id": (0x020, 16), "vmpl": (0x030, 4), "signature_algo": (0x034, 4), "current_tcb": (0x038, 8),
    "platform_info": (0x040, 8), "key_info": (0x048, 4), "reserved_4c": (0x04c, 4), "report_data": (0x050, 64),
    "measurement": (0x090, 48), "host_data": (0x0c0, 32), "id_key_digest": (0x0e0, 48),
    "author_key_digest": (0x110, 48), "report_id": (0x140, 32), "report_id_ma": (0x160, 32),
    "reported_tcb": (0x180, 8), "cpuid": (0x188, 3), "reserved_18b": (0x18b, 21), "chip_id": (0x1a0, 64),
    "committed_tcb": (0x1e0, 8), "current": (0x1e8, 3), "reserved_1eb": (0x1eb, 1), "committed": (0x1ec, 3),
    "reserved_1ef": (0x1ef, 1), "launch_tcb": (0x1f0, 8), "launch_mit_vector": (0x1f8, 8),
    "current_mit_vector": (0x200, 8), "reserved_208": (0x208, 152),
}
SIGNED_SIZE = 0x2a0
SIGNATURE_PART = 72

CPUID = {"Milan": (0x19, 0x01, 1), "Genoa": (0x19, 0x11, 1), "Turin": (0x1a, 0x02, 1)}
TCB = {"Milan": {"bl": 4, "tee": 1, "snp": 27, "ucode": 219}, "Genoa": {"bl": 10, "tee": 1, "snp": 24, "ucode": 84},
       "Turin": {"fmc": 1, "bl": 2, "tee": 1, "snp": 4, "ucode": 74}}
CHIP = bytes(range(0x80, 0xc0))


def tcb_bytes(product, tcb):
    if product == "Turin":
        return bytes([tcb["fmc"], tcb["bl"], tcb["tee"], tcb["snp"], 0, 0, 0, tcb["ucode"]])
    return bytes([tcb["bl"], tcb["tee"], 0, 0, 0, 0, tcb["snp"], tcb["ucode"]])


def report_body(fields):
    body = bytearray(SIGNED_SIZE)
    for name, value in fields.items():
        at, size = FIELDS[name]
        body[at:at + size] = value.to_bytes(size, "little") if isinstance(value, int) else bytes(value).ljust(size, b"\0")
    assert len(body) == SIGNED_SIZE
    return bytes(body)


def signature_field(r, s, order="little"):
    return (r.to_bytes(SIGNATURE_PART, order) + s.to_bytes(SIGNATURE_PART, order)).ljust(512, b"\0")


def amd_name(common_name):
    return x509.name((11, "Engineering"), (6, "US"), (7, "Santa Clara"), (8, "CA"),
                     (10, "Simulated by the negative suite"), (3, common_name))


class Platform:
    """A product with its roots, a chip and a guest. Every method makes what is right, less what is said."""

    def __init__(self, product, version, kind="VCEK"):
        self.product, self.version, self.kind = product, version, kind
        self.tcb = TCB[product]
        self.chip = CHIP[:8] if product == "Turin" else CHIP

    # ---- certificates ----

    def ark(self, **changes):
        form = {"subject": f"ARK-{self.product}", "issuer": f"ARK-{self.product}", "key": ARK, "signer": ARK,
                "dates": LONG, "serial": 0x10000, "is_ca": True, "usage": KEY_CERT_SIGN | CRL_SIGN}
        return self.authority(form | changes)

    def ask(self, **changes):
        vlek = self.kind == "VLEK"
        form = {"subject": f"SEV-{'VLEK-' if vlek else ''}{self.product}", "issuer": f"ARK-{self.product}",
                "key": ASVK if vlek else ASK, "signer": ARK, "dates": LONG, "serial": 0x10001, "is_ca": True,
                "usage": KEY_CERT_SIGN | CRL_SIGN}
        return self.authority(form | changes)

    def authority(self, form):
        extensions = [x509.subject_key(form["key"])]
        if form["is_ca"] is not None:
            extensions.append(x509.basic_constraints(form["is_ca"]))
        if form["usage"]:
            extensions.append(x509.key_usage(form["usage"]))
        return x509.certificate(
            subject=amd_name(form["subject"]), issuer=amd_name(form["issuer"]), public=form["key"].public(),
            signer=form["signer"], dates=form["dates"], serial=form["serial"],
            extensions=extensions + form.get("more", []), algorithm=form.get("algorithm"), outer=form.get("outer"))

    def vek(self, **changes):
        """changes: of the certificate, or `oids`: by the last numbers, other values; None: without it."""
        vlek = self.kind == "VLEK"
        tcb = changes.pop("tcb", self.tcb)
        oids = {"1": der.integer(1 if vlek else 0), "2": der.ia5(self.product if vlek else f"{self.product}-B0"),
                "3.1": der.integer(tcb["bl"]), "3.2": der.integer(tcb["tee"]), "3.3": der.integer(tcb["snp"]),
                "3.4": der.integer(0), "3.5": der.integer(0), "3.6": der.integer(0), "3.7": der.integer(0),
                "3.8": der.integer(tcb["ucode"])}
        if self.product == "Turin":
            oids["3.9"] = der.integer(tcb["fmc"])
        oids |= {"5": der.ia5("cloud.example")} if vlek else {"4": self.chip}
        oids |= changes.pop("oids", {})
        form = {"subject": f"SEV-{self.kind}", "issuer": f"SEV-{'VLEK-' if vlek else ''}{self.product}",
                "signer": ASVK if vlek else ASK, "public": VEK.public(), "dates": SHORT, "serial": 0, "more": []}
        form |= changes
        more = form.pop("more")
        form["subject"], form["issuer"] = amd_name(form["subject"]), amd_name(form["issuer"])
        form["extensions"] = [x509.extension(OID_AMD + oid, value) for oid, value in oids.items()
                              if value is not None] + more
        return x509.certificate(**form)

    def crl(self, **changes):
        form = {"issuer": f"ARK-{self.product}", "signer": ARK, "dates": OF_LIST}
        form |= changes
        form["issuer"] = amd_name(form["issuer"])
        return x509.crl(**form)

    # ---- the report ----

    def fields(self, **changes):
        tcb = tcb_bytes(self.product, self.tcb)
        fields = {
            "version": self.version, "guest_svn": 2, "policy": 0x30000 | 1 << 8 | 51, "family_id": b"family",
            "image_id": b"image", "signature_algo": 1, "current_tcb": tcb, "platform_info": 0x25,
            "key_info": 4 if self.kind == "VLEK" else 0, "report_data": bytes(range(64)),
            "measurement": bytes(range(100, 148)), "host_data": bytes(range(200, 232)),
            "id_key_digest": b"\x11" * 48, "report_id": b"\x22" * 32, "report_id_ma": b"\xff" * 32,
            "reported_tcb": tcb, "chip_id": self.chip, "committed_tcb": tcb, "current": (21, 55, 1),
            "committed": (21, 55, 1), "launch_tcb": tcb}
        if self.version >= 3:
            fields["cpuid"] = CPUID[self.product]
        if self.version >= 5:
            fields |= {"launch_mit_vector": 3, "current_mit_vector": 7}
        return fields | changes

    def report(self, key=VEK, **changes):
        body = report_body(self.fields(**changes))
        return body + signature_field(*key.sign(body))

    def files(self):
        return {"evidence": self.report(), "vek.der": self.vek(), "ask.der": self.ask(), "crl.der": self.crl(),
                "root.der": self.ark()}

    def policy(self):
        policy = {"any_workload": True}
        if self.kind == "VLEK":
            policy["snp"] = {"keys": ["vlek"]}
        if self.version == 2:
            policy["snp"] = {"versions": [2], "product_of_version_2": self.product}
        return policy


def bump(tcb, part, by):
    return tcb | {part: tcb[part] + by}


# ---- groups of cases ----

BASES = {"milan-v3": Platform("Milan", 3), "genoa-v3": Platform("Genoa", 3), "genoa-v5": Platform("Genoa", 5),
         "turin-v5": Platform("Turin", 5), "milan-v2": Platform("Milan", 2), "milan-v4": Platform("Milan", 4),
         "milan-vlek": Platform("Milan", 3, "VLEK"), "turin-vlek": Platform("Turin", 5, "VLEK")}


def add_bases(group, *names):
    for name in names:
        group.base(name, BASES[name].files(), policy=BASES[name].policy(), at=AT)


def form_cases(group):
    """What the report itself must be."""
    add_bases(group, *BASES)
    milan = BASES["milan-v3"]

    def mutant(name, refusal, base="milan-v3", key=VEK, policy=None, **fields):
        group.case(name, base, refusal, {"evidence": BASES[base].report(key, **fields)}, policy=policy)

    whole = milan.report()
    for size in (1183, 1184 - 512, 100, 4):
        group.case(f"cut-to-{size}", "milan-v3", "snp.format", {"evidence": whole[:size]})
    for size in (3, 0):
        group.case(f"cut-to-{size}", "milan-v3", "unreadable", {"evidence": whole[:size]})
    for extra in (b"\0", b"\1", b"\0" * 16, whole):
        group.case(f"followed-by-{len(extra)}-of-{extra[0]}", "milan-v3", "snp.format", {"evidence": whole + extra})
    every = {"snp": {"versions": [2, 3, 4, 5]}}
    for version in (0, 1, 6, 255, 0x10003, 0x80000003):
        mutant(f"version-{version:#x}", "snp.format", version=version, policy=every)
    for name, at in (("4c", 0), ("18b", 0), ("18b", 20), ("1eb", 0), ("1ef", 0), ("208", 0), ("208", 151)):
        mutant(f"reserved-{int(name, 16) + at:#x}", "snp.format",
               **{f"reserved_{name}": b"\0" * at + b"\1"})
    mutant("reserved-of-key-info", "snp.format", key_info=0x20)
    mutant("reserved-of-key-info-high", "snp.format", key_info=0x80000000)
    mutant("mitigations-in-version-3", "snp.format", launch_mit_vector=1)
    mutant("mitigations-in-version-4", "snp.format", "milan-v4", current_mit_vector=1)
    mutant("cpuid-in-version-2", "snp.format", "milan-v2", cpuid=CPUID["Milan"])
    for at in (SIGNED_SIZE + 144, 1183):
        group.case(f"byte-behind-the-signature-{at:#x}", "milan-v3", "snp.format",
                   {"evidence": whole[:at] + b"\1" + whole[at + 1:]})
    group.case("hexadecimal-of-odd-length", "milan-v3", "unreadable", {"evidence": whole.hex()[:-1].encode()})

    group.case("version-2-by-default", "milan-v2", "snp.version", policy={"snp": {"versions": [3, 4, 5]}})
    group.case("version-3-not-allowed", "milan-v3", "snp.version", policy={"snp": {"versions": [5]}})
    group.case("version-4-not-allowed", "milan-v4", "snp.version", policy={"snp": {"versions": [3, 5]}})
    group.case("version-5-not-allowed", "genoa-v5", "snp.version", policy={"snp": {"versions": [3, 4]}})
    for algorithm in (0, 2, 0x101, 0xffffffff):
        mutant(f"algorithm-{algorithm:#x}", "snp.algorithm", signature_algo=algorithm)
    for cpuid in ((0x18, 1, 1), (0x19, 0x20, 1), (0x19, 0xb0, 1), (0x1a, 0x60, 1), (0x1b, 1, 1), (0, 0, 0)):
        mutant("processor-" + bytes(cpuid).hex(), "snp.product", cpuid=cpuid)
    # the VCEK is of another product, by the fields that are signed
    mutant("milan-says-genoa", "snp.vek", cpuid=CPUID["Genoa"])
    mutant("milan-says-turin", "snp.vek", cpuid=CPUID["Turin"])
    mutant("genoa-says-milan", "snp.vek", "genoa-v3", cpuid=CPUID["Milan"])
    mutant("turin-says-genoa", "snp.vek", "turin-v5", cpuid=CPUID["Genoa"])
    group.case("version-2-called-genoa", "milan-v2", "snp.vek", policy={"snp": {"product_of_version_2": "Genoa"}})

    # ---- which key ----
    both = {"snp": {"keys": ["vcek", "vlek"]}}
    for kind in (7, 2, 3, 6):
        mutant(f"signing-key-{kind}", "snp.key-kind", key_info=kind << 2, policy=both)
    mutant("vcek-called-vlek", "snp.key-kind", key_info=4, policy=both)
    mutant("vlek-called-vcek", "snp.key-kind", "milan-vlek", key_info=0, policy=both)
    mutant("vcek-of-a-masked-key", "snp.key-kind", key_info=2)
    group.case("vlek-by-default", "milan-vlek", "snp.key-kind", policy={"snp": {"keys": ["vcek"]}})
    group.case("vcek-not-allowed", "milan-v3", "snp.key-kind", policy={"snp": {"keys": ["vlek"]}})
    group.case("vlek-allowed-beside-vcek", "milan-vlek", None, policy=both)
    group.case("vcek-allowed-beside-vlek", "milan-v3", None, policy=both)


def signature_cases(group):
    add_bases(group, "milan-v3", "genoa-v5", "turin-v5")
    p, n = BASES["milan-v3"], P384.n
    whole, body = p.report(), report_body(p.fields())
    r, s = VEK.sign(body)

    def mutant(name, r, s, order="little"):
        group.case(name, "milan-v3", "snp.signature", {"evidence": body + signature_field(r, s, order)})

    for name, x, y in (("r-zero", 0, s), ("s-zero", r, 0), ("both-zero", 0, 0), ("r-is-n", n, s), ("s-is-n", r, n),
                       ("r-plus-n", r + n, s), ("s-plus-n", r, s + n), ("both-plus-n", r + n, s + n),
                       ("r-one", 1, s), ("s-one", r, 1), ("both-one", 1, 1), ("r-negated", n - r, s),
                       ("swapped", s, r), ("r-above-384-bits", r | 1 << 384, s), ("s-above-384-bits", r, s | 1 << 575),
                       ("r-all-ones", 2**384 - 1, s), ("s-all-ones", r, 2**384 - 1)):
        mutant(name, x, y)
    mutant("big-endian", r << 192, s << 192, "big")
    mutant("big-endian-unpadded", r, s, "big")
    group.case("of-another-key", "milan-v3", "snp.signature", {"evidence": p.report(OTHER)})
    group.case("of-another-report", "milan-v3", "snp.signature",
               {"evidence": body + signature_field(*VEK.sign(report_body(p.fields(guest_svn=3))))})
    group.case("of-the-whole-field", "milan-v3", "snp.signature",
               {"evidence": body + signature_field(*VEK.sign(body + b"\0" * 512))})
    group.case("certificate-of-another-key", "milan-v3", "snp.signature", {"vek.der": p.vek(public=OTHER.public())})
    # one bit of each field that no earlier check is about
    for base, bit in (("milan-v3", 0x01), ("genoa-v5", 0x80), ("turin-v5", 0x10)):
        signed = BASES[base].report()
        for name, (at, size) in FIELDS.items():
            if name.startswith("reserved") or name in ("version", "signature_algo", "key_info", "cpuid"):
                continue
            if name.endswith("mit_vector") and BASES[base].version < 5:
                continue
            where = at + size - 1 if bit == 0x80 else at
            group.case(f"{base}-{name}-flipped", base, "snp.signature",
                       {"evidence": signed[:where] + bytes([signed[where] ^ bit]) + signed[where + 1:]})
    stepping = FIELDS["cpuid"][0] + 2
    group.case("stepping-flipped", "milan-v3", "snp.signature",
               {"evidence": whole[:stepping] + b"\2" + whole[stepping + 1:]})


def vek_cases(group):
    """The endorsement key's certificate."""
    add_bases(group, "milan-v3", "turin-v5", "milan-vlek")

    def mutant(name, refusal="snp.vek", base="milan-v3", data=None, **changes):
        group.case(name, base, refusal, {"vek.der": data if data is not None else BASES[base].vek(**changes)})

    group.case("none", "milan-v3", "snp.vek", {"vek.der": None})
    for oid in ("1", "2", "3.1", "3.2", "3.3", "3.8", "4"):
        mutant(f"without-{oid}", oids={oid: None})
    mutant("turin-without-fmc", base="turin-v5", oids={"3.9": None})
    mutant("milan-with-fmc", oids={"3.9": der.integer(0)})
    mutant("vlek-without-csp", base="milan-vlek", oids={"5": None})
    mutant("vlek-with-chip", base="milan-vlek", oids={"4": CHIP})
    mutant("vcek-with-csp", oids={"5": der.ia5("cloud.example")})
    for oid in ("3.3", "3.8", "4", "2"):
        again = {"3.3": der.integer(27), "3.8": der.integer(219), "4": CHIP, "2": der.ia5("Milan-B0")}[oid]
        mutant(f"{oid}-twice", more=[x509.extension(OID_AMD + oid, again)])
    for oid in ("3.4", "3.7"):
        mutant(f"reserved-{oid}", oids={oid: der.integer(1)})
    mutant("spl-of-256", oids={"3.3": der.integer(256)})
    mutant("spl-negative", oids={"3.3": der.integer(-229)})
    mutant("spl-with-a-needless-zero", oids={"3.3": b"\2\2\0\x1b"})
    mutant("spl-followed-by-a-byte", oids={"3.3": der.integer(27) + b"\0"})
    mutant("spl-in-long-form", oids={"3.3": b"\2\x81\1\x1b"})
    mutant("spl-without-bytes", oids={"3.3": b"\2\0"})
    mutant("spl-as-octets", oids={"3.3": der.octets(b"\x1b")})
    mutant("spl-empty", oids={"3.3": b""})
    mutant("version-negative", oids={"1": der.integer(-1)})
    mutant("product-rome", oids={"2": der.ia5("Rome-B0")})
    mutant("product-genoa", oids={"2": der.ia5("Genoa-B1")})
    mutant("product-milano", oids={"2": der.ia5("Milano")})
    mutant("product-empty", oids={"2": der.ia5("")})
    mutant("product-as-octets", oids={"2": der.octets(b"Milan")})
    mutant("product-followed-by-a-byte", oids={"2": der.ia5("Milan-B0") + b"\0"})
    for size in (0, 8, 63):
        mutant(f"chip-of-{size}", oids={"4": CHIP[:size]})
    mutant("chip-of-65", oids={"4": CHIP + b"\0"})
    mutant("chip-in-octets-of-63", oids={"4": der.octets(CHIP[:63]) + b"\0"})
    mutant("turin-chip-of-64", base="turin-v5", oids={"4": CHIP})
    mutant("turin-chip-of-7", base="turin-v5", oids={"4": CHIP[:7]})
    for name in ("VCEK", "SEV-VCEK2", "SEV-vcek", "SEV-VCEK ", "SEV-Milan", ""):
        mutant(f"called-{name or 'nothing'}".replace(" ", "-and-space"), subject=name)
    mutant("called-with-a-nul", subject="SEV-VCEK\0.example")
    for name, key in (("p256", EcKey(P256, "small")), ("rsa", ASK)):
        mutant(f"key-on-{name}", public=key.public())
    mutant("key-off-the-curve", public=der.sequence(
        der.sequence(der.oid("1.2.840.10045.2.1"), der.oid(P384.oid)),
        der.bits(b"\4" + VEK.point()[:-1] + bytes([VEK.point()[-1] ^ 1]))))
    mutant("key-at-infinity", public=der.sequence(
        der.sequence(der.oid("1.2.840.10045.2.1"), der.oid(P384.oid)), der.bits(b"\0")))
    # with which anybody could sign, were it taken for a point: r is the abscissa of e·G, s is one
    body = report_body(BASES["milan-v3"].fields())
    forged = P384.multiply(int.from_bytes(P384.digest(body).digest(), "big") % P384.n)[0] % P384.n
    group.case("key-at-infinity-and-what-it-signs", "milan-v3", "snp.vek", {
        "evidence": body + signature_field(forged, 1), "vek.der": BASES["milan-v3"].vek(public=der.sequence(
            der.sequence(der.oid("1.2.840.10045.2.1"), der.oid(P384.oid)), der.bits(b"\0")))})
    mutant("is-an-authority", more=[x509.basic_constraints(True)])
    mutant("may-sign-certificates-alone", more=[x509.key_usage(KEY_CERT_SIGN)])
    mutant("may-agree-keys-alone", more=[x509.key_usage(x509.KEY_AGREEMENT)])
    mutant("unknown-critical-extension", more=[x509.extension("1.2.3.4.5", der.null(), True)])
    mutant("of-x509-version-1", version=0)
    mutant("of-x509-version-2", version=1)
    good = BASES["milan-v3"].vek()
    mutant("followed-by-a-byte", data=good + b"\0")
    mutant("cut-by-a-byte", data=good[:-1])
    mutant("followed-by-a-byte-in-pem", data=der.pem("CERTIFICATE", good + b"\0"))
    mutant("of-indefinite-length", data=b"\x30\x80" + good[4:] + b"\0\0")
    mutant("of-indefinite-length-in-pem", data=der.pem("CERTIFICATE", b"\x30\x80" + good[4:] + b"\0\0"))
    mutant("in-needlessly-long-form", data=b"\x30\x83\0" + good[2:])
    mutant("in-needlessly-long-form-in-pem", data=der.pem("CERTIFICATE", b"\x30\x83\0" + good[2:]))
    mutant("length-past-the-end", data=good[:2] + b"\xff\xff" + good[4:])
    mutant("length-of-eight-bytes", data=b"\x30\x88" + b"\xff" * 8 + good[4:])
    mutant("length-short-by-one", data=good[:2] + (len(good) - 5).to_bytes(2, "big") + good[4:])
    bomb = b"\x30\x80" * 20000
    mutant("nested-without-end", data=bomb)
    nested = b""
    for _ in range(1000):
        nested = der.sequence(nested)
    mutant("nested-1000-deep", data=nested)
    mutant("nested-extension-value", oids={"3.3": nested})
    mutant("pem-without-an-end", data=der.pem("CERTIFICATE", good)[:-30])
    mutant("pem-of-another-label", data=der.pem("PUBLIC KEY", good))
    mutant("pem-with-headers", data=der.pem("CERTIFICATE", good).replace(b"-----\n", b"-----\nProc-Type: 4\n\n", 1))
    mutant("empty", data=b"")
    mutant("in-pem", None, data=der.pem("CERTIFICATE", good))
    mutant("product-without-stepping", None, oids={"2": der.ia5("Milan")})
    mutant("chip-in-octets", None, oids={"4": der.octets(CHIP)})
    mutant("with-usage", None, more=[x509.key_usage(DIGITAL_SIGNATURE), x509.basic_constraints(False)])


def chain_cases(group):
    """What is above the endorsement key's certificate, and revocation."""
    add_bases(group, "milan-v3", "turin-v5", "milan-vlek")
    p, vlek = BASES["milan-v3"], BASES["milan-vlek"]

    def mutant(name, refusal, base="milan-v3", at=None, **files):
        group.case(name, base, refusal, {key.replace("_", "."): value for key, value in files.items()}, at=at)

    # ---- the root ----
    mutant("no-root", "snp.root", root_der=None)
    mutant("root-beside-the-chain-alone", "snp.root", root_der=None, ark_der=p.ark())
    other = {"key": STRANGER, "signer": STRANGER}
    mutant("another-root-of-the-same-name", "snp.root", root_der=p.ark(**other), ark_der=p.ark())
    mutant("whole-chain-under-another-root", "snp.root", ask_der=p.ask(signer=STRANGER), ark_der=p.ark(**other))
    mutant("another-root-beside-the-right-one", "snp.root", ark_der=p.ark(**other))
    mutant("root-of-another-product", "snp.root", root_der=BASES["genoa-v3"].ark())
    mutant("root-of-another-name", "snp.root", root_der=p.ark(subject="ARK-Milan2", issuer="ARK-Milan2"))
    mutant("intermediate-as-root", "snp.root", root_der=p.ask())
    mutant("intermediate-signs-itself", "snp.root", ask_der=p.ask(issuer="SEV-Milan", signer=ASK))
    mutant("intermediate-under-another-name", "snp.root", ask_der=p.ask(issuer="ARK-Genoa"))
    mutant("root-in-its-own-chain", None, ark_der=p.ark())
    group.case("root-in-the-policy", "milan-v3", None, {"root.der": None},
               policy={"simulated_roots": [der.pem("CERTIFICATE", p.ark()).decode()]})
    # nothing tells that root's absence from a bad signature
    group.case("another-root-in-the-policy", "milan-v3", "snp.chain", {"root.der": None},
               policy={"simulated_roots": [der.pem("CERTIFICATE", p.ark(**other)).decode()]})

    # ---- the links ----
    mutant("no-intermediate", "snp.chain", ask_der=None)
    mutant("intermediate-of-another-product", "snp.chain", ask_der=BASES["turin-v5"].ask())
    mutant("intermediate-may-not-sign", "snp.chain", ask_der=p.ask(is_ca=False))
    mutant("intermediate-without-constraints", "snp.chain", ask_der=p.ask(is_ca=None))
    mutant("intermediate-without-usage", "snp.chain", ask_der=p.ask(usage=0))
    mutant("intermediate-for-lists-alone", "snp.chain", ask_der=p.ask(usage=CRL_SIGN))
    mutant("intermediate-for-signatures-alone", "snp.chain", ask_der=p.ask(usage=DIGITAL_SIGNATURE))
    mutant("intermediate-critical-extension", "snp.chain",
           ask_der=p.ask(more=[x509.extension("1.2.3.4.5", der.null(), True)]))
    mutant("intermediate-not-signed-by-the-root", "snp.chain", ask_der=p.ask(signer=STRANGER))
    for name, algorithm in (("pkcs1", Pkcs1()), ("pkcs1-sha256", Pkcs1("sha256")), ("pss-sha256", Pss("sha256", 32)),
                            ("salt-32", Pss(salt_size=32)), ("salt-0", Pss(salt_size=0))):
        mutant(f"intermediate-signed-with-{name}", "snp.chain", ask_der=p.ask(algorithm=algorithm))
        mutant(f"vcek-signed-with-{name}", "snp.chain", vek_der=p.vek(algorithm=algorithm))
    mutant("vcek-signed-with-pkcs1-called-pss", "snp.chain", vek_der=p.vek(algorithm=Pkcs1(), outer=Pss()))
    mutant("vcek-signed-with-pss-called-pkcs1", "snp.chain", vek_der=p.vek(outer=Pkcs1()))
    mutant("intermediate-key-on-a-curve", "snp.chain", ask_der=p.ask(key=OTHER),
           vek_der=p.vek(signer=OTHER, algorithm=Ecdsa("sha384")))
    mutant("intermediate-key-of-3072-bits", "snp.chain", ask_der=p.ask(key=SMALL), vek_der=p.vek(signer=SMALL))
    mutant("root-key-of-3072-bits", "snp.chain", ask_der=p.ask(signer=SMALL), root_der=p.ark(key=SMALL, signer=SMALL))
    mutant("root-may-not-sign", "snp.chain", root_der=p.ark(is_ca=False))
    mutant("root-for-lists-alone", "snp.chain", root_der=p.ark(usage=CRL_SIGN))
    mutant("vcek-not-signed-by-the-intermediate", "snp.chain", vek_der=p.vek(signer=STRANGER))
    mutant("vcek-signed-by-the-root", "snp.chain", vek_der=p.vek(signer=ARK))
    mutant("vcek-issued-by-the-root", "snp.chain", vek_der=p.vek(issuer="ARK-Milan", signer=ARK), ark_der=p.ark())
    mutant("vcek-issued-by-itself", "snp.chain", vek_der=p.vek(issuer="SEV-VCEK", signer=ASK))
    mutant("vcek-issued-by-nobody", "snp.chain", vek_der=p.vek(issuer="SEV-Rome"))
    mutant("vcek-issued-by-the-vlek-authority", "snp.chain",
           vek_der=p.vek(issuer="SEV-VLEK-Milan", signer=ASVK), asvk_der=vlek.ask())
    mutant("vlek-issued-by-the-vcek-authority", "snp.chain", "milan-vlek",
           vek_der=vlek.vek(issuer="SEV-Milan", signer=ASK), asvk_der=p.ask())
    mutant("intermediate-of-another-role-name", "snp.chain", ask_der=p.ask(subject="SEV-Genoa"),
           vek_der=p.vek(issuer="SEV-Genoa"))
    good = p.vek()
    for name, at in (("serial", 20), ("chip", good.index(CHIP)), ("key", good.index(VEK.point()) + 95),
                     ("signature", len(good) - 1), ("signature-first", len(good) - 512)):
        refusal = "snp.vek" if name == "key" else "snp.chain"
        flipped = good[:at] + bytes([good[at] ^ 1]) + good[at + 1:]
        if name == "serial":
            at = good.index(der.integer(0), 8) + 2
            flipped = good[:at] + b"\1" + good[at + 1:]
        mutant(f"vcek-{name}-flipped", refusal, vek_der=flipped)
    constraint = der.sequence(der.explicit(1, der.sequence(der.explicit(4, x509.name((11, "Engineering"))))))
    mutant("intermediate-excludes-the-vcek-by-name", "snp.chain",
           ask_der=p.ask(more=[x509.extension("2.5.29.30", constraint, True)]))
    mutant("vcek-for-web-servers", "snp.vek", vek_der=p.vek(
        more=[x509.extension("2.5.29.37", der.sequence(der.oid("1.3.6.1.5.5.7.3.1")), True)]))

    # ---- dates ----
    early, late = ("2026-06-01T00:00:01Z", "2045-01-01T00:00:00Z"), ("2020-01-01T00:00:00Z", "2026-05-31T23:59:59Z")
    for word, dates in (("not-yet-valid", early), ("expired", late), ("backwards", early[::-1])):
        mutant(f"vcek-{word}", "snp.chain-dates", vek_der=p.vek(dates=dates))
        mutant(f"intermediate-{word}", "snp.chain-dates", ask_der=p.ask(dates=dates))
        mutant(f"root-{word}", "snp.chain-dates", root_der=p.ark(dates=dates))
    mutant("before-everything", "snp.chain-dates", at="2020-10-22T17:23:04Z")
    mutant("after-everything", "snp.chain-dates", at="2045-10-22T17:23:06Z")
    mutant("at-zero", "snp.chain-dates", at="1970-01-01T00:00:00Z")
    mutant("at-the-end-of-time", "snp.chain-dates", at="9999-12-31T23:59:59Z")
    exact = (AT, AT)
    mutant("valid-for-this-second", None, vek_der=p.vek(dates=exact), crl_der=p.crl(dates=exact))
    mutant("valid-for-ever", None, vek_der=p.vek(dates=(LONG[0], "9999-12-31T23:59:59Z")))

    # ---- lists ----
    def listed(name, refusal, data, base="milan-v3", **files):
        mutant(name, refusal, base, crl_der=data, **files)

    listed("no-list", "snp.crl", None)
    group.case("no-list-but-none-required", "milan-v3", None, {"crl.der": None}, policy={"require_crls": False})
    for word, dates in (("from-the-future", early), ("stale", late), ("without-an-end", (AT, None))):
        listed(f"list-{word}", "snp.crl", p.crl(dates=dates))
        group.case(f"list-{word}-though-none-required", "milan-v3", "snp.crl", {"crl.der": p.crl(dates=dates)},
                   policy={"require_crls": False})
    listed("list-of-another-product", "snp.crl", BASES["turin-v5"].crl())
    listed("list-of-the-intermediate-alone", "snp.crl", p.crl(issuer="SEV-Milan", signer=ASK))
    listed("list-signed-by-another", "snp.crl", p.crl(signer=STRANGER))
    listed("list-signed-by-the-intermediate", "snp.crl", p.crl(signer=ASK))
    listed("list-signed-with-pkcs1", "snp.crl", p.crl(algorithm=Pkcs1()))
    listed("list-signed-with-sha256", "snp.crl", p.crl(algorithm=Pss("sha256", 32)))
    listed("list-of-version-1", "snp.crl", p.crl(version=0))
    listed("list-with-a-critical-extension", "snp.crl",
           p.crl(extensions=[x509.extension("1.2.3.4.5", der.null(), True)]))
    listed("list-of-changes", "snp.crl", p.crl(extensions=[x509.extension("2.5.29.27", der.integer(1), True)]))
    listed("list-for-users-alone", "snp.crl", p.crl(extensions=[x509.extension(
        "2.5.29.28", der.sequence(der.implicit(1, b"\xff")), True)]))
    listed("list-followed-by-a-byte", "snp.crl", p.crl() + b"\0")
    listed("list-of-another-key-of-the-name", "snp.crl", p.crl(extensions=[x509.authority_key(STRANGER)]))
    flipped = p.crl()
    listed("list-signature-flipped", "snp.crl", flipped[:-1] + bytes([flipped[-1] ^ 1]))
    mutant("root-may-not-sign-lists", "snp.crl", root_der=p.ark(usage=KEY_CERT_SIGN))
    listed("intermediate-revoked", "snp.revoked", p.crl(revoked=[0x10001]))
    listed("intermediate-revoked-among-many", "snp.revoked", p.crl(revoked=[*range(1, 400), 0x10001, 0x10002]))
    unknown = x509.extension("1.2.3.4.5", der.null(), True)
    listed("intermediate-revoked-for-an-unknown-critical-reason", "snp.crl", p.crl(revoked=[(0x10001, unknown)]))
    listed("another-revoked-for-an-unknown-critical-reason", "snp.crl", p.crl(revoked=[(5, unknown)]))
    listed("intermediate-revoked-for-a-reason", "snp.revoked",
           p.crl(revoked=[(0x10001, x509.extension("2.5.29.21", der.enumerated(1)))]))
    listed("intermediate-on-hold", "snp.revoked",
           p.crl(revoked=[(0x10001, x509.extension("2.5.29.21", der.enumerated(6)))]))
    listed("intermediate-revoked-but-stale", "snp.crl", p.crl(revoked=[0x10001], dates=late))
    listed("others-revoked", None, p.crl(revoked=[1, 0x100, 0x1000100, 0x100010001]))
    listed("vlek-intermediate-revoked", "snp.revoked", vlek.crl(revoked=[0x10001]), "milan-vlek")
    leaf_list = {"issuer": "SEV-Milan", "signer": ASK, "revoked": [0]}
    mutant("vcek-revoked", "snp.revoked", askcrl_der=p.crl(**leaf_list))
    mutant("vcek-list-stale", "snp.crl", askcrl_der=p.crl(**leaf_list | {"revoked": [], "dates": late}))
    mutant("vcek-list-not-signed", "snp.crl", askcrl_der=p.crl(**leaf_list | {"signer": STRANGER}))
    newer = p.crl(revoked=[0x10001], dates=("2026-02-01T00:00:00Z", "2026-12-31T00:00:00Z"))
    mutant("intermediate-revoked-in-a-newer-list-behind", "snp.revoked", z_der=newer)
    mutant("intermediate-revoked-in-a-newer-list-in-front", "snp.revoked", a_der=newer)
    mutant("stale-list-beside-a-current-one", None, a_der=p.crl(dates=late))


def policy_cases(group):
    """Reports that are genuine, and not what a policy wants."""
    add_bases(group, "milan-v3", "genoa-v5", "turin-v5", "milan-v2", "milan-vlek")

    def mutant(name, refusal, base="milan-v3", policy=None, report_data=None, vek=None, **fields):
        """fields that differ; vek: a certificate for them."""
        files = {"evidence": BASES[base].report(**fields)} | ({"vek.der": BASES[base].vek(**vek)} if vek else {})
        group.case(name, base, refusal, files, policy={"snp": policy} if policy else None, report_data=report_data)

    def both_ways(name, refusal, bad, good, base="milan-v3", **fields):
        """A policy that refuses, and one that does not."""
        mutant(name, refusal, base, bad, **fields)
        mutant(f"{name}-control", None, base, good, **fields)

    for base, reserved in (("milan-v3", (2, 3, 4, 5)), ("turin-v5", (4, 5, 6))):
        tcb = tcb_bytes(BASES[base].product, BASES[base].tcb)
        for at, field in zip(reserved, ("reported_tcb", "committed_tcb", "current_tcb", "launch_tcb")):
            mutant(f"{base}-{field}-reserved-byte", "snp.tcb-form", base,
                   **{field: tcb[:at] + b"\1" + tcb[at + 1:]})
    turin = BASES["turin-v5"].tcb
    as_milan = tcb_bytes("Milan", turin)
    mutant("turin-in-the-layout-of-milan", "snp.tcb-form", "turin-v5",
           **{field: as_milan for field in ("reported_tcb", "committed_tcb", "current_tcb", "launch_tcb")})
    for base in ("milan-v3", "turin-v5"):
        tcb = BASES[base].tcb
        for part in tcb:
            for word, by in (("newer", 1), ("older", -1)):
                mutant(f"{base}-vcek-for-{word}-{part}", "snp.vek-tcb", base, vek={"tcb": bump(tcb, part, by)})
    mutant("vlek-for-newer-snp", "snp.vek-tcb", "milan-vlek", vek={"tcb": bump(TCB["Milan"], "snp", 1)})

    mutant("chip-differs-at-the-end", "snp.chip", chip_id=CHIP[:-1] + b"\0")
    mutant("chip-differs-in-front", "snp.chip", chip_id=b"\0" + CHIP[1:])
    mutant("chip-masked", "snp.chip", chip_id=bytes(64))
    mutant("chip-masked-control", None, policy={"masked_chip_id": True}, chip_id=bytes(64))
    mutant("chip-masked-and-certified-so", "snp.chip", chip_id=bytes(64), vek={"oids": {"4": bytes(64)}})
    mutant("turin-chip-with-a-tail", "snp.chip", "turin-v5", chip_id=CHIP)
    mutant("turin-chip-differs", "snp.chip", "turin-v5", chip_id=CHIP[1:9])
    both_ways("chip-not-listed", "snp.chip-allowed", {"chip_ids": [bytes(64).hex()]},
              {"chip_ids": [bytes(64).hex(), CHIP.hex()]})
    both_ways("cloud-not-listed", "snp.csp", {"csp_ids": ["cloud.example.org"]},
              {"csp_ids": ["other.example", "cloud.example"]}, "milan-vlek")
    mutant("cloud-listed-by-its-beginning", "snp.csp", "milan-vlek", {"csp_ids": ["cloud.exampl"]})

    for base in ("milan-v3", "turin-v5"):
        product, tcb = BASES[base].product, BASES[base].tcb
        for part in tcb:
            less, more = tcb_bytes(product, bump(tcb, part, -1)), tcb_bytes(product, bump(tcb, part, 1))
            mutant(f"{base}-committed-{part}-behind-reported", "snp.tcb-order", base, committed_tcb=less)
            mutant(f"{base}-current-{part}-behind-committed", "snp.tcb-order", base, current_tcb=less)
            mutant(f"{base}-launch-{part}-ahead-of-current", "snp.tcb-order", base, launch_tcb=more)
    # as one number it would be newer
    tcb = TCB["Milan"]
    mixed = tcb_bytes("Milan", bump(bump(tcb, "ucode", 1), "bl", -1))
    mutant("committed-newer-as-a-number-alone", "snp.tcb-order", committed_tcb=mixed, current_tcb=mixed)
    mutant("launch-older-is-fine", None, launch_tcb=tcb_bytes("Milan", bump(tcb, "ucode", -1)))

    old = bump(tcb, "snp", 0x17 - tcb["snp"])
    old_bytes = tcb_bytes("Milan", old)
    mutant("below-the-built-in-floor", "snp.tcb-minimum", vek={"tcb": old}, reported_tcb=old_bytes)
    mutant("launched-below-the-built-in-floor", "snp.tcb-minimum", launch_tcb=old_bytes)
    mutant("committed-below-the-built-in-floor", "snp.tcb-minimum", vek={"tcb": old}, reported_tcb=old_bytes,
           committed_tcb=old_bytes)
    mutant("below-the-built-in-floor-control", None, policy={"tcb_min": {"milan": {"snp": 0x17}}}, vek={"tcb": old},
           reported_tcb=old_bytes)
    long = {"bl": "bootloader", "tee": "tee", "snp": "snp", "ucode": "microcode", "fmc": "fmc"}
    for base in ("milan-v3", "turin-v5"):
        product, tcb = BASES[base].product, BASES[base].tcb
        floor = {long[part]: svn for part, svn in tcb.items()}
        mutant(f"{base}-at-the-floor", None, base, {"tcb_min": {product.lower(): floor}})
        for part in tcb:
            mutant(f"{base}-{part}-below-the-floor", "snp.tcb-minimum", base,
                   {"tcb_min": {product.lower(): floor | {long[part]: tcb[part] + 1}}})

    for word, floor in (("build", "1.55.22"), ("minor", "1.56.0"), ("major", "2.0.0")):
        mutant(f"firmware-{word}-below", "snp.firmware", policy={"firmware_min": floor})
    mutant("firmware-committed-below-current", "snp.firmware", policy={"firmware_min": "1.55.21"},
           committed=(20, 55, 1))
    mutant("firmware-control", None, policy={"firmware_min": "1.55.21"})
    both_ways("mitigation-missing-at-launch", "snp.mitigation", {"mitigations": 4}, {"mitigations": 3}, "genoa-v5")
    mutant("mitigation-gone-since-launch", "snp.mitigation", "genoa-v5", {"mitigations": 1}, current_mit_vector=6)
    mutant("mitigation-asked-of-version-3", "snp.mitigation", "milan-v3", {"mitigations": 1})
    mutant("mitigation-one-of-two", "snp.mitigation", "genoa-v5", {"mitigations": 5})

    fixed = BASES["milan-v3"].fields()["policy"]

    def guest(name, refusal, bits, policy=None, **top):
        group.case(name, "milan-v3", refusal, {"evidence": BASES["milan-v3"].report(policy=bits)},
                   policy=({"snp": policy} if policy else {}) | top or None)

    guest("policy-without-its-fixed-bit", "snp.policy-form", fixed & ~(1 << 17))
    for bit in (26, 40, 63):
        guest(f"policy-with-bit-{bit}", "snp.policy-form", fixed | 1 << bit)
    guest("debug", "snp.debug", fixed | 1 << 19)
    guest("debug-control", None, fixed | 1 << 19, debug=True)
    guest("migration", "snp.migration", fixed | 1 << 18)
    guest("migration-control", None, fixed | 1 << 18, {"migration_agent": True})
    guest("debug-and-migration", "snp.debug", fixed | 3 << 18)
    for bit, word in zip((16, 20, 21, 22, 23, 24, 25), (
            "smt", "single-socket", "cxl-allow", "mem-aes-256-xts", "rapl-dis", "ciphertext-hiding-dram",
            "page-swap-disable")):
        guest(f"policy-lacks-{word}", "snp.policy-bits", fixed & ~(1 << bit), {"policy_required": [word]})
        guest(f"policy-has-{word}", "snp.policy-bits", fixed | 1 << bit, {"policy_forbidden": [word]})
        guest(f"policy-has-{word}-control", None, fixed | 1 << bit, {"policy_required": [word]})
        guest(f"policy-lacks-{word}-control", None, fixed & ~(1 << bit), {"policy_forbidden": [word]})
    for name, abi in (("minor", "1.52"), ("major", "2.0")):
        mutant(f"abi-{name}-below", "snp.abi", policy={"abi_min": abi})
    mutant("abi-control", None, policy={"abi_min": "1.51"})
    mutant("abi-major-above-control", None, policy={"abi_min": "0.99"})
    for bit, word in zip((0, 1, 2, 3, 4, 5, 7), ("smt", "tsme", "ecc", "rapl-dis", "ciphertext-hiding-dram",
                                                 "alias-check-complete", "tio")):
        mutant(f"platform-lacks-{word}", "snp.platform", policy={"platform_required": [word]},
               platform_info=0xbf & ~(1 << bit))
        mutant(f"platform-has-{word}", "snp.platform", policy={"platform_forbidden": [word]}, platform_info=1 << bit)
        mutant(f"platform-has-{word}-control", None, policy={"platform_required": [word]}, platform_info=1 << bit)
    for level in (1, 3, 4, 32, 0x100, 0xffffffff):
        mutant(f"vmpl-{level:#x}", "snp.vmpl", vmpl=level)
    both_ways("vmpl-not-listed", "snp.vmpl", {"vmpls": [2, 3]}, {"vmpls": [1]}, vmpl=1)

    measured, host = bytes(range(100, 148)).hex(), bytes(range(200, 232)).hex()
    group.case("no-workload-named", "milan-v3", "snp.measurement", policy={"any_workload": False})
    for word, value in (("another", "00" * 48), ("differs-at-the-end", measured[:-2] + "00")):
        group.case(f"measurement-{word}", "milan-v3", "snp.measurement",
                   policy={"any_workload": False, "snp": {"measurements": [value]}})
    group.case("measurement-listed-though-any-is-allowed", "milan-v3", "snp.measurement",
               policy={"snp": {"measurements": ["00" * 48]}})
    group.case("measurement-control", "milan-v3", None,
               policy={"any_workload": False, "snp": {"measurements": ["00" * 48, measured]}})
    both_ways("host-data-another", "snp.host-data", {"host_data": ["00" * 32]}, {"host_data": ["00" * 32, host]})
    both_ways("id-key-another", "snp.id-key", {"id_keys": ["12" * 48]}, {"id_keys": ["11" * 48]})
    mutant("id-key-none", "snp.id-key", policy={"id_keys": ["11" * 48]}, id_key_digest=bytes(48))
    author = {"author_key_digest": b"\x33" * 48, "key_info": 1}
    both_ways("author-key-another", "snp.id-key", {"author_keys": ["11" * 48]}, {"author_keys": ["33" * 48]}, **author)
    mutant("author-key-none", "snp.id-key", policy={"author_keys": ["33" * 48]})
    mutant("author-key-right-but-id-key-wrong", "snp.id-key", policy={"author_keys": ["33" * 48],
                                                                      "id_keys": ["12" * 48]}, **author)
    mutant("author-key-not-enabled", "snp.id-key", author_key_digest=b"\x33" * 48)
    mutant("author-key-enabled-and-none", "snp.id-key", key_info=1)
    family, image = b"family".ljust(16, b"\0").hex(), b"image".ljust(16, b"\0").hex()
    both_ways("family-another", "snp.family", {"family_ids": [image]}, {"family_ids": [family]})
    both_ways("image-another", "snp.family", {"image_ids": [family]}, {"image_ids": [image]})
    mutant("family-right-but-image-wrong", "snp.family", policy={"family_ids": [family], "image_ids": [family]})
    both_ways("svn-below", "snp.svn", {"guest_svn_min": 3}, {"guest_svn_min": 2})
    data = bytes(range(64))
    mutant("report-data-differs-in-front", "snp.report-data", report_data=(b"\1" + data[1:]).hex())
    mutant("report-data-differs-at-the-end", "snp.report-data", report_data=(data[:-1] + b"\0").hex())
    mutant("report-data-control", None, report_data=data.hex())
    group.case("report-data-zero", "milan-v3", "snp.report-data",
               {"evidence": BASES["milan-v3"].report(report_data=bytes(64))}, report_data=data.hex())


GROUPS = {"snp-simulated-form": form_cases, "snp-simulated-signature": signature_cases,
          "snp-simulated-certificate": vek_cases, "snp-simulated-chain": chain_cases,
          "snp-simulated-policy": policy_cases}
