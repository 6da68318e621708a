"""Simulated SGX and TDX evidence. Intel's ECDSA quote library API, appendix A.3 and A.4 (quotes); PCK
certificate specification; provisioning certification service API version 4 (TCB info, enclave identity)."""
import copy
import hashlib
import json
import struct

import der
import x509
from signing import P256, P384, EcKey, RsaKey
from x509 import CRL_SIGN, DIGITAL_SIGNATURE, KEY_CERT_SIGN, NON_REPUDIATION, Ecdsa

AT = "2026-06-01T00:00:00Z"
LONG = ("2020-05-21T10:45:10Z", "2045-12-31T23:59:59Z")
SHORT = ("2025-01-01T00:00:00Z", "2032-01-01T00:00:00Z")
OF_LIST = ("2026-01-01T00:00:00Z", "2026-12-31T00:00:00Z")
EARLY, LATE = ("2026-06-01T00:00:01Z", "2045-01-01T00:00:00Z"), ("2020-06-01T00:00:00Z", "2026-05-31T23:59:59Z")
OID_SGX = "1.2.840.113741.1.13.1"
VENDOR = bytes.fromhex("939a7233f79c4ca9940a0db3957f0607")

ROOT, CA, SIGNER, PCK, ATTESTATION, STRANGER = (
    EcKey(P256, name) for name in ("root", "platform ca", "tcb signing", "pck", "attestation", "stranger"))
LARGE = EcKey(P384, "large")
RSA = RsaKey("rsa3072")
CA_SERIAL, SIGNER_SERIAL, PCK_SERIAL = 0xa11ce << 100, 0x51911e << 100, 0x9c4 << 120 | 7

FMSPC, PCE_ID, PPID = bytes.fromhex("00a06d080000"), b"\0\0", bytes(range(0x30, 0x40))
SVNS, PCE_SVN = [8, 9, 2, 2, 4, 1, 0, 5, 0, 0, 0, 0, 0, 0, 0, 1], 13
TDX_SVNS = [3, 1, 6] + [2] * 13
QE_SIGNER = {"SGX": hashlib.sha256(b"qe").digest(), "TDX": hashlib.sha256(b"td qe").digest()}
QE_PRODUCT = {"SGX": 1, "TDX": 2}
STATUSES = ("SWHardeningNeeded", "ConfigurationNeeded", "ConfigurationAndSWHardeningNeeded", "OutOfDate",
            "OutOfDateConfigurationNeeded")

# offset, size
SGX_FIELDS = {
    "cpu_svn": (0, 16), "misc_select": (16, 4), "reserved_20": (20, 12), "isv_ext_prod_id": (32, 16),
    "attributes": (48, 16), "mrenclave": (64, 32), "reserved_96": (96, 32), "mrsigner": (128, 32),
    "reserved_160": (160, 32), "config_id": (192, 64), "isv_prod_id": (256, 2), "isv_svn": (258, 2),
    "config_svn": (260, 2), "reserved_262": (262, 42), "isv_family_id": (304, 16), "report_data": (320, 64)}
TD_FIELDS = {
    "tee_tcb_svn": (0, 16), "mrseam": (16, 48), "mrsignerseam": (64, 48), "seam_attributes": (112, 8),
    "td_attributes": (120, 8), "xfam": (128, 8), "mrtd": (136, 48), "mrconfigid": (184, 48), "mrowner": (232, 48),
    "mrownerconfig": (280, 48), "rtmr0": (328, 48), "rtmr1": (376, 48), "rtmr2": (424, 48), "rtmr3": (472, 48),
    "report_data": (520, 64), "tee_tcb_svn_2": (584, 16), "mrservicetd": (600, 48)}


def filled(size, fields, values):
    out = bytearray(size)
    for name, value in values.items():
        at, room = fields[name]
        out[at:at + room] = value.to_bytes(room, "little") if isinstance(value, int) else value.ljust(room, b"\0")
    assert len(out) == size
    return bytes(out)


def attributes(flags, xfrm):
    return struct.pack("<QQ", flags, xfrm)


def intel_name(common_name):
    return x509.name((3, common_name), (10, "Simulated by the negative suite"), (7, "Santa Clara"), (8, "CA"),
                     (6, "US"))


def compact(document):
    return json.dumps(document, separators=(",", ":"))


def raw_signature(r, s):
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


class Platform:
    """A machine, its roots and its collateral. Every method makes what is right, less what is said."""

    def __init__(self, tee, version, body_type=None):
        self.tee, self.version = tee, version
        self.body_type = body_type or (1 if tee == "SGX" else 2)

    # ---- certificates ----

    def authority(self, form):
        extensions = [x509.authority_key(form.get("named_signer", form["signer"])), x509.subject_key(form["key"])]
        if form["usage"]:
            extensions.append(x509.key_usage(form["usage"]))
        if form["is_ca"] is not None:
            extensions.append(x509.basic_constraints(form["is_ca"]))
        return x509.certificate(
            subject=intel_name(form["subject"]), issuer=intel_name(form["issuer"]), public=form["key"].public(),
            signer=form["signer"], dates=form["dates"], serial=form["serial"],
            extensions=extensions + form.get("more", []), algorithm=form.get("algorithm"), outer=form.get("outer"))

    def root(self, **changes):
        return self.authority({"subject": "Intel SGX Root CA", "issuer": "Intel SGX Root CA", "key": ROOT,
                               "signer": ROOT, "dates": LONG, "serial": 0x1001, "is_ca": True,
                               "usage": KEY_CERT_SIGN | CRL_SIGN} | changes)

    def ca(self, **changes):
        return self.authority({"subject": "Intel SGX PCK Platform CA", "issuer": "Intel SGX Root CA", "key": CA,
                               "signer": ROOT, "dates": LONG, "serial": CA_SERIAL, "is_ca": True,
                               "usage": KEY_CERT_SIGN | CRL_SIGN} | changes)

    def signer(self, **changes):
        return self.authority({"subject": "Intel SGX TCB Signing", "issuer": "Intel SGX Root CA", "key": SIGNER,
                               "signer": ROOT, "dates": LONG, "serial": SIGNER_SERIAL, "is_ca": False,
                               "usage": DIGITAL_SIGNATURE | NON_REPUDIATION} | changes)

    def pck_extension(self, fields=None, tcb=None):
        """fields, tcb: by number, other values; None: without it; a list: several."""
        def items(prefix, values):
            for number, value in values.items():
                for one in value if isinstance(value, list) else [value]:
                    if one is not None:
                        yield der.sequence(der.oid(f"{prefix}.{number}"), one)
        numbers = {i + 1: der.integer(svn) for i, svn in enumerate(SVNS)}
        numbers |= {17: der.integer(PCE_SVN), 18: der.octets(bytes(SVNS))} | (tcb or {})
        values = {1: der.octets(PPID), 2: der.sequence(*items(f"{OID_SGX}.2", numbers)), 3: der.octets(PCE_ID),
                  4: der.octets(FMSPC), 5: der.enumerated(1)} | (fields or {})
        return der.sequence(*items(OID_SGX, values))

    def pck(self, fields=None, tcb=None, extension=b"", **changes):
        """extension: its content, None for none."""
        content = self.pck_extension(fields, tcb) if extension == b"" else extension
        form = {"subject": "Intel SGX PCK Certificate", "issuer": "Intel SGX PCK Platform CA", "public": PCK.public(),
                "signer": CA, "dates": SHORT, "serial": PCK_SERIAL, "usage": DIGITAL_SIGNATURE | NON_REPUDIATION,
                "is_ca": False} | changes
        usage, is_ca, more = form.pop("usage"), form.pop("is_ca"), form.pop("more", [])
        form["subject"], form["issuer"] = intel_name(form["subject"]), intel_name(form["issuer"])
        form["extensions"] = [x509.authority_key(form["signer"]), x509.key_usage(usage),
                              x509.basic_constraints(is_ca)]
        if content is not None:
            form["extensions"].append(x509.extension(OID_SGX, content))
        form["extensions"] += more
        return x509.certificate(**form)

    def crl(self, issuer, signer, **changes):
        form = {"dates": OF_LIST, "extensions": [x509.authority_key(signer)]} | changes
        return x509.crl(issuer=intel_name(issuer), signer=signer, **form)

    def root_crl(self, **changes):
        return self.crl("Intel SGX Root CA", ROOT, **changes)

    def pck_crl(self, **changes):
        return self.crl("Intel SGX PCK Platform CA", CA, **changes)

    # ---- documents ----

    def tcb_info(self):
        level = {"tcb": {"sgxtcbcomponents": [{"svn": svn} for svn in SVNS], "pcesvn": PCE_SVN},
                 "tcbDate": "2026-01-01T00:00:00Z", "tcbStatus": "UpToDate"}
        info = {"id": self.tee, "version": 3, "issueDate": OF_LIST[0], "nextUpdate": OF_LIST[1],
                "fmspc": FMSPC.hex().upper(), "pceId": PCE_ID.hex(), "tcbType": 0, "tcbEvaluationDataNumber": 17}
        if self.tee == "TDX":
            level["tcb"]["tdxtcbcomponents"] = [{"svn": svn} for svn in TDX_SVNS]
            module = {"mrsigner": "00" * 48, "attributes": "00" * 8, "attributesMask": "FF" * 8}
            info["tdxModule"] = module
            info["tdxModuleIdentities"] = [{"id": "TDX_01", **module, "tcbLevels": [
                {"tcb": {"isvsvn": TDX_SVNS[0]}, "tcbDate": "2026-01-01T00:00:00Z", "tcbStatus": "UpToDate"}]}]
        return info | {"tcbLevels": [level]}

    def qe_identity(self):
        return {"id": "QE" if self.tee == "SGX" else "TD_QE", "version": 2, "issueDate": OF_LIST[0],
                "nextUpdate": OF_LIST[1], "tcbEvaluationDataNumber": 17, "miscselect": "00000000",
                "miscselectMask": "FFFFFFFF", "attributes": "11" + "00" * 15,
                "attributesMask": "FBFFFFFFFFFFFFFF" + "00" * 8, "mrsigner": QE_SIGNER[self.tee].hex().upper(),
                "isvprodid": QE_PRODUCT[self.tee], "tcbLevels": [
                    {"tcb": {"isvsvn": 8}, "tcbDate": "2026-01-01T00:00:00Z", "tcbStatus": "UpToDate"}]}

    @staticmethod
    def body(name, text, key=SIGNER, signature=None):
        """What Intel's service answers."""
        signature = signature or key.sign_raw(text.encode())
        return f'{{"{name}":{text},"signature":"{signature.hex()}"}}'.encode()

    def tcb_body(self, change=None, **how):
        info = copy.deepcopy(self.tcb_info())
        if change:
            info = change(info) or info
        return self.body("tcbInfo", info if isinstance(info, str) else compact(info), **how)

    def qe_body(self, change=None, **how):
        identity = copy.deepcopy(self.qe_identity())
        if change:
            identity = change(identity) or identity
        return self.body("enclaveIdentity", identity if isinstance(identity, str) else compact(identity), **how)

    # ---- the quote ----

    def chain(self, **changes):
        """The certificates in the quote: PCK, CA, root."""
        return b"".join(der.pem("CERTIFICATE", changes.get(name) or getattr(self, name)())
                        for name in ("pck", "ca", "root"))

    def sgx_report(self, **changes):
        return filled(384, SGX_FIELDS, {
            "cpu_svn": bytes(SVNS), "attributes": attributes(5, 0xe7), "mrenclave": bytes(range(32)),
            "mrsigner": bytes(range(50, 82)), "isv_prod_id": 7, "isv_svn": 3, "report_data": bytes(range(64))} | changes)

    def td_report(self, **changes):
        is_1_5 = self.body_type == 3
        values = {"tee_tcb_svn": bytes(TDX_SVNS), "mrseam": b"\x44" * 48, "td_attributes": 1 << 28, "xfam": 0x618e7,
                  "mrtd": bytes(range(48)), "rtmr0": b"\1" * 48, "rtmr1": b"\2" * 48, "rtmr2": b"\3" * 48,
                  "report_data": bytes(range(64))}
        if is_1_5:
            values["tee_tcb_svn_2"] = bytes(TDX_SVNS)
        return filled(648 if is_1_5 else 584, TD_FIELDS, values | changes)

    def qe_report(self, binding, **changes):
        return filled(384, SGX_FIELDS, {
            "cpu_svn": bytes(SVNS), "attributes": attributes(0x11, 0xe7), "mrenclave": b"\x77" * 32,
            "mrsigner": QE_SIGNER[self.tee], "isv_prod_id": QE_PRODUCT[self.tee], "isv_svn": 8,
            "report_data": binding} | changes)

    def quote(self, *, header=None, body=None, report=None, key=ATTESTATION, point=None, signature=None, qe=None,
              qe_key=PCK, qe_signature=None, auth=bytes(range(32)), bound_auth=None, chain=None, cert_type=5,
              body_type=None, body_size=0, sizes=None, outer_type=6, tail=b""):
        """header, body, qe: fields that differ; report: the whole body; point: other bytes for the key; signature
        and qe_signature: functions of (r, s), or bytes; sizes: what is added to the size of "auth", "cert",
        "signature", "outer"."""
        sizes = {"auth": 0, "cert": 0, "signature": 0, "outer": 0} | (sizes or {})
        head = {"version": self.version, "key_type": 2, "tee_type": 0 if self.tee == "SGX" else 0x81, "qe_svn": 8,
                "pce_svn": PCE_SVN, "vendor": VENDOR, "user_data": b"\x55" * 20} | (header or {})
        out = struct.pack("<HHIHH16s20s", *head.values())
        if report is None:
            report = self.sgx_report(**body or {}) if self.tee == "SGX" else self.td_report(**body or {})
        if self.version == 5:
            out += struct.pack("<HI", self.body_type if body_type is None else body_type, len(report) + body_size)
        out += report
        point = key.point() if point is None else point
        binding = hashlib.sha256(point + (auth if bound_auth is None else bound_auth)).digest()
        qe_report = self.qe_report(binding, **qe or {})
        chain = self.chain() if chain is None else chain
        authenticated = (qe_report + self.made(qe_key, qe_report, qe_signature) +
                         struct.pack("<H", len(auth) + sizes["auth"]) + auth +
                         struct.pack("<HI", cert_type, len(chain) + sizes["cert"] & 0xffffffff) + chain)
        if self.version > 3:
            authenticated = struct.pack("<HI", outer_type, len(authenticated) + sizes["outer"] & 0xffffffff) + \
                authenticated
        data = self.made(key, out, signature) + point + authenticated
        return out + struct.pack("<I", len(data) + sizes["signature"] & 0xffffffff) + data + tail

    @staticmethod
    def made(key, message, signature):
        if isinstance(signature, bytes):
            return signature
        r, s = key.sign(message)
        return raw_signature(*(signature(r, s) if signature else (r, s)))

    def files(self):
        return {"evidence": self.quote(), "tcb_info.json": self.tcb_body(), "qe_identity.json": self.qe_body(),
                "tcb_chain.pem": der.pem("CERTIFICATE", self.signer()) + der.pem("CERTIFICATE", self.root()),
                "root_crl.der": self.root_crl(), "pck_crl.der": self.pck_crl(), "root.der": self.root()}


BASES = {"sgx-v3": Platform("SGX", 3), "tdx-v4": Platform("TDX", 4), "tdx-v5": Platform("TDX", 5),
         "tdx-v5-1.5": Platform("TDX", 5, 3)}
POLICY = {"any_workload": True}


def add_bases(group, *names):
    for name in names:
        group.base(name, BASES[name].files(), policy=POLICY, at=AT)


def flip(data, at, bit=1):
    return data[:at] + bytes([data[at] ^ bit]) + data[at + 1:]


def under(path, value):
    """A change of a document: the value of a path of keys and numbers; None takes it away."""
    def change(document):
        *way, last = path
        for key in way:
            document = document[key]
        if value is None:
            del document[last]
        else:
            document[last] = value
    return change


# ---- groups of cases ----

def form_cases(group):
    """The quote's form, header and vendor."""
    add_bases(group, *BASES)

    def mutant(name, refusal, base, **how):
        group.case(f"{base}-{name}", base, refusal, {"evidence": BASES[base].quote(**how)})

    for base, p in BASES.items():
        whole = p.quote()
        signed = 48 + (6 if p.version == 5 else 0) + len(p.sgx_report() if p.tee == "SGX" else p.td_report())
        data = signed + 4
        certified = data + 128 + (6 if p.version > 3 else 0)
        for word, at in (("in-its-header", 47), ("behind-its-header", 48), ("in-its-body", signed - 1),
                         ("behind-its-body", signed), ("in-a-size", signed + 3), ("behind-a-size", data),
                         ("in-its-signature", data + 63), ("behind-the-key", data + 128),
                         ("in-the-qe-report", certified + 383), ("behind-the-qe-signature", certified + 448),
                         ("in-the-auth-data", certified + 460), ("before-the-chain", certified + 488),
                         ("by-one", len(whole) - 1)):
            group.case(f"{base}-cut-{word}", base, "quote.format", {"evidence": whole[:at]})
        for which in ("auth", "cert", "signature") + (("outer",) if p.version > 3 else ()):
            for by in (-1, 1):
                mutant(f"{which}-size-{by:+}", "quote.format", base, sizes={which: by})
            if which != "auth":
                mutant(f"{which}-size-wraps", "quote.format", base, sizes={which: 0xfffffff0})
        mutant("auth-size-largest", "quote.format", base, sizes={"auth": 0xffff - 32})
        for tail in (b"\1", b"\0" * 69 + b"\1", whole):
            mutant(f"followed-by-{len(tail)}", "quote.format", base, tail=tail)
        mutant("followed-by-zeroes", None, base, tail=b"\0" * 70)
        mutant("without-auth-data", None, base, auth=b"")
        for version in (2, 6, 9):
            mutant(f"version-{version}", "quote.format", base, header={"version": version})
        for tee in (1, 0x80, 0x82, 0x8100, 0x80000081):
            mutant(f"tee-{tee:#x}", "quote.format", base, header={"tee_type": tee})
        for kind in (0, 1, 3, 4):
            # version and no key type: as 32 bits, the version of an SNP report
            mutant(f"key-type-{kind}", "quote.header" if kind else "snp.format", base, header={"key_type": kind})
        mutant("vendor-zero", "quote.vendor", base, header={"vendor": bytes(16)})
        mutant("vendor-differs-at-the-end", "quote.vendor", base, header={"vendor": VENDOR[:-1] + b"\6"})
    for base in ("tdx-v4", "tdx-v5"):
        for kind in (5, 4, 0):
            mutant(f"outer-type-{kind}", "quote.format", base, outer_type=kind)
    for kind in (0, 4, 0x102):
        mutant(f"body-type-{kind}", "quote.format", "tdx-v5", body_type=kind)
    for by in (-1, 1, 64):
        mutant(f"body-size-{by:+}", "quote.format", "tdx-v5", body_size=by)
    mutant("body-type-of-1.5", "quote.format", "tdx-v5", body_type=3)
    mutant("body-type-of-1.0", "quote.format", "tdx-v5-1.5", body_type=2)
    mutant("body-type-of-sgx", "quote.format", "tdx-v5", body_type=1)
    mutant("enclave-in-a-td-quote", "quote.header", "tdx-v5", body_type=1, report=BASES["sgx-v3"].sgx_report())
    mutant("td-called-enclave", "quote.header", "tdx-v5", header={"tee_type": 0})
    mutant("td-called-enclave", "quote.format", "tdx-v4", header={"tee_type": 0})
    mutant("enclave-called-td", "quote.format", "sgx-v3", header={"tee_type": 0x81})
    mutant("body-of-version-5", "quote.format", "tdx-v4", report=b"\2\0" + struct.pack("<I", 584) +
           BASES["tdx-v4"].td_report())
    mutant("body-of-1.5", "quote.format", "tdx-v4", report=BASES["tdx-v5-1.5"].td_report())
    mutant("called-version-4", "quote.format", "sgx-v3", header={"version": 4})
    mutant("called-version-5", "quote.format", "tdx-v4", header={"version": 5})
    group.case("sgx-v3-empty", "sgx-v3", "unreadable", {"evidence": b""})
    group.case("sgx-v3-of-three-bytes", "sgx-v3", "unreadable", {"evidence": b"\3\0\2"})


def signature_cases(group):
    add_bases(group, *BASES)
    n = P256.n
    wrong = {"r-zero": lambda r, s: (0, s), "s-zero": lambda r, s: (r, 0), "both-zero": lambda r, s: (0, 0),
             "r-is-n": lambda r, s: (n, s), "s-is-n": lambda r, s: (r, n), "both-one": lambda r, s: (1, 1),
             "swapped": lambda r, s: (s, r), "r-negated": lambda r, s: (n - r, s),
             "r-all-ones": lambda r, s: (2**256 - 1, s), "s-all-ones": lambda r, s: (r, 2**256 - 1),
             "r-plus-one": lambda r, s: (r + 1, s), "s-plus-one": lambda r, s: (r, s + 1)}

    def mutant(name, refusal, base, **how):
        group.case(f"{base}-{name}", base, refusal, {"evidence": BASES[base].quote(**how)})

    def little(r, s):
        return tuple(int.from_bytes(number.to_bytes(32, "little"), "big") for number in (r, s))

    for base in ("sgx-v3", "tdx-v5-1.5"):
        for word, change in wrong.items() if base == "sgx-v3" else [("both-zero", wrong["both-zero"])]:
            mutant(f"signature-{word}", "quote.signature", base, signature=change)
            mutant(f"qe-signature-{word}", "quote.qe-signature", base, qe_signature=change)
        mutant("signature-little-endian", "quote.signature", base, signature=little)
        mutant("qe-signature-little-endian", "quote.qe-signature", base, qe_signature=little)
        mutant("qe-signature-of-another", "quote.qe-signature", base, qe_key=STRANGER)
        mutant("qe-signature-of-the-attestation-key", "quote.qe-signature", base, qe_key=ATTESTATION)
        mutant("key-not-bound", "quote.qe-binding", base, qe={"report_data": bytes(64)})
        mutant("binding-with-a-tail", "quote.qe-binding", base, qe={
            "report_data": hashlib.sha256(ATTESTATION.point() + bytes(range(32))).digest() + bytes(31) + b"\1"})
        mutant("binding-of-the-key-alone", "quote.qe-binding", base, bound_auth=b"")
        mutant("binding-of-other-auth-data", "quote.qe-binding", base, bound_auth=bytes(32))
        mutant("binding-of-another-key", "quote.qe-binding", base, key=STRANGER, qe={
            "report_data": hashlib.sha256(ATTESTATION.point() + bytes(range(32))).digest()})
        mutant("signed-by-the-platform-key", "quote.signature", base,
               signature=PCK.sign_raw(b"") if base == "sgx-v3" else lambda r, s: (r, s ^ 1))
        mutant("key-off-the-curve", "quote.signature", base, point=flip(ATTESTATION.point(), 63))
        mutant("key-zero", "quote.signature", base, point=bytes(64))
        mutant("key-above-the-field", "quote.signature", base, point=b"\xff" * 64)
    for base, p in BASES.items():
        whole = p.quote()
        start = 48 + (6 if p.version == 5 else 0)
        fields = SGX_FIELDS if p.tee == "SGX" else TD_FIELDS
        room = 384 if p.tee == "SGX" else len(p.td_report())
        for name, (at, size) in fields.items():
            if at < room:
                group.case(f"{base}-{name}-flipped", base, "quote.signature",
                           {"evidence": flip(whole, start + at + size - 1, 0x40)})
        for name, at in (("qe-svn", 8), ("pce-svn", 11), ("user-data", 28), ("user-data-end", 47)):
            group.case(f"{base}-{name}-flipped", base, "quote.signature", {"evidence": flip(whole, at)})
        data = start + room + 4
        certified = data + 128 + (6 if p.version > 3 else 0)
        for name, at, refusal in (
                ("signature-r", data, "quote.signature"), ("signature-s", data + 63, "quote.signature"),
                ("key-x", data + 64, "quote.qe-binding"), ("key-y", data + 127, "quote.qe-binding"),
                ("qe-cpu-svn", certified, "quote.qe-signature"), ("qe-debug", certified + 48, "quote.qe-signature"),
                ("qe-binding", certified + 320, "quote.qe-signature"),
                ("qe-signature-r", certified + 384, "quote.qe-signature"),
                ("qe-signature-s", certified + 447, "quote.qe-signature"),
                ("auth-data", certified + 450, "quote.qe-binding")):
            group.case(f"{base}-{name}-flipped", base, refusal, {"evidence": flip(whole, at, 2)})


def pck_cases(group):
    """The platform's certificate."""
    add_bases(group, "sgx-v3", "tdx-v4")

    def chain(name, refusal, data, base="sgx-v3", **how):
        group.case(name, base, refusal, {"evidence": BASES[base].quote(chain=data, **how)})

    p = BASES["sgx-v3"]

    def mutant(name, refusal="quote.pck", **changes):
        chain(name, refusal, p.chain(pck=p.pck(**changes)))

    for kind in (0, 1, 2, 3, 4, 6, 7, 0xffff):
        chain(f"data-of-type-{kind}", "quote.pck", None, cert_type=kind)
        chain(f"tdx-data-of-type-{kind}", "quote.pck", None, "tdx-v4", cert_type=kind)
    for number, word in ((1, "ppid"), (2, "tcb"), (3, "pceid"), (4, "fmspc"), (5, "type")):
        mutant(f"without-{word}", fields={number: None})
    values = {1: der.octets(PPID), 3: der.octets(PCE_ID), 4: der.octets(FMSPC), 5: der.enumerated(1)}
    for number, value in values.items():
        mutant(f"field-{number}-twice", fields={number: [value, value]})
    mutant("field-8", fields={8: der.null()})
    for number in (1, 8, 16, 17, 18):
        mutant(f"without-tcb-{number}", tcb={number: None})
    mutant("tcb-5-twice", tcb={5: [der.integer(4), der.integer(4)]})
    mutant("tcb-19", tcb={19: der.integer(1)})
    mutant("tcb-0", tcb={0: der.integer(1)})
    mutant("svn-of-256", tcb={1: der.integer(256)})
    mutant("svn-negative", tcb={1: der.integer(-1)})
    mutant("svn-in-needlessly-many-bytes", tcb={1: b"\2\2\0\x08"})
    mutant("svn-as-octets", tcb={1: der.octets(b"\x08")})
    mutant("svn-followed-by-a-byte", tcb={1: der.integer(8) + b"\0"})
    mutant("pce-svn-of-65536", tcb={17: der.integer(65536)})
    mutant("cpu-svn-of-15", tcb={18: der.octets(bytes(15))})
    for word, number, value in (("ppid-of-15", 1, PPID[:15]), ("ppid-of-17", 1, PPID + b"\0"),
                                ("pceid-of-1", 3, b"\0"), ("pceid-of-3", 3, bytes(3)),
                                ("fmspc-of-5", 4, FMSPC[:5]), ("fmspc-of-7", 4, FMSPC + b"\0")):
        mutant(word, fields={number: der.octets(value)})
    mutant("fmspc-as-text", fields={4: der.utf8("00A06D080000")})
    mutant("type-as-integer", fields={5: der.integer(1)})
    content = p.pck_extension()
    mutant("extension-followed-by-a-byte", extension=content + b"\0")
    mutant("extension-cut", extension=content[:-1])
    mutant("extension-of-indefinite-length", extension=b"\x30\x80" + content[4:] + b"\0\0")
    mutant("extension-in-needlessly-long-form", extension=b"\x30\x83\0" + content[2:])
    mutant("extension-an-empty-sequence", extension=der.sequence())
    mutant("no-extension", extension=None)
    mutant("extension-twice", more=[x509.extension(OID_SGX, content)])
    nested = b""
    for _ in range(1000):
        nested = der.sequence(nested)
    mutant("extension-nested-1000-deep", extension=nested)
    for name in ("Intel SGX PCK", "Intel SGX PCK Certificate ", "intel sgx pck certificate", "Intel SGX TCB Signing"):
        mutant("called-" + name.replace(" ", "-"), subject=name)
    mutant("called-with-a-nul", subject="Intel SGX PCK Certificate\0x")
    mutant("key-on-p384", public=LARGE.public())
    mutant("key-of-rsa", public=RSA.public())
    mutant("is-an-authority", is_ca=True)
    mutant("may-sign-certificates-alone", usage=KEY_CERT_SIGN)
    mutant("unknown-critical-extension", more=[x509.extension("1.2.3.4.5", der.null(), True)])
    mutant("of-x509-version-1", version=0)
    mutant("type-scalable", None, fields={5: der.enumerated(0), 6: der.octets(bytes(16)), 7: der.sequence()})

    good = p.chain()
    pck, ca, root = (der.pem("CERTIFICATE", one) for one in (p.pck(), p.ca(), p.root()))
    chain("empty-chain", "quote.pck", b"")
    chain("chain-of-noise", "quote.pck", b"\x99" * 500)
    chain("chain-in-der", "quote.pck", p.pck() + p.ca() + p.root())
    chain("chain-behind-text", "quote.pck", b"subject=Intel\n" + good)
    chain("chain-before-text", "quote.pck", good + b"end")
    chain("chain-with-text-between", "quote.pck", pck + b"text\n" + ca + root)
    chain("chain-with-a-nul-between", "quote.pck", pck + b"\0" + ca + root)
    chain("chain-before-a-nul-and-more", "quote.pck", good + b"\0" + pck)
    chain("chain-before-a-nul", None, good + b"\0")
    chain("leaf-twice", "quote.pck", pck + pck + ca + root)
    chain("leaf-missing", "quote.pck", ca + root)
    chain("chain-with-a-list", "quote.pck", good + der.pem("X509 CRL", p.root_crl()))
    chain("chain-with-a-key", "quote.pck", good + der.pem("PUBLIC KEY", PCK.public()))
    chain("chain-with-damaged-base64", "quote.pck", good.replace(b"MII", b"M!I", 1))
    chain("chain-without-an-end", "quote.pck", good[:-10])
    chain("chain-of-20-more", "quote.pck", good + root * 20)
    other = der.pem("CERTIFICATE", p.pck(serial=PCK_SERIAL + 1))
    chain("two-leaves", "quote.chain", pck + other + ca + root)
    group.case("chain-beside-the-quote-alone", "sgx-v3", "quote.pck",
               {"evidence": p.quote(chain=b"", cert_type=5), "chain.pem": good})


def chain_cases(group):
    """What is above the platform's certificate, and revocation."""
    add_bases(group, "sgx-v3", "tdx-v4")
    p = BASES["sgx-v3"]

    def mutant(name, refusal, base="sgx-v3", at=None, policy=None, chain=None, **files):
        """chain: certificates that differ, in the quote."""
        named = {key[:-4] + "." + key[-3:] if key[-4] == "_" else key: value for key, value in files.items()}
        if "tcb_info" in named:
            named["tcb_info.json"] = named.pop("tcb_info")
        if chain is not None:
            named["evidence"] = BASES[base].quote(chain=BASES[base].chain(**chain) if isinstance(chain, dict) else chain)
        group.case(name, base, refusal, named, at=at, policy=policy)

    pck, ca, root = (der.pem("CERTIFICATE", one) for one in (p.pck(), p.ca(), p.root()))
    stranger = {"key": STRANGER, "signer": STRANGER}
    mutant("no-root", "quote.root", root_der=None)
    mutant("another-root-of-the-same-name", "quote.root", root_der=p.root(**stranger))
    mutant("whole-chain-under-another-root", "quote.root", chain={"ca": p.ca(signer=STRANGER), "root": p.root(**stranger)})
    mutant("another-root-in-the-chain", "quote.root", chain={"root": p.root(**stranger)})
    mutant("another-root-beside", "quote.root", other_der=p.root(**stranger))
    mutant("root-of-another-name", "quote.root", root_der=p.root(subject="Intel SGX Root CA 2", issuer="Intel SGX Root CA 2"))
    mutant("ca-as-root", "quote.root", root_der=p.ca())
    mutant("ca-signs-itself", "quote.root", chain={"ca": p.ca(issuer="Intel SGX PCK Platform CA", signer=CA)})
    mutant("chain-without-its-root", None, chain=pck + ca)

    mutant("no-ca", "quote.chain", chain=pck + root)
    mutant("no-ca-but-beside", "quote.chain", chain=pck + root, ca_der=p.ca())
    mutant("leaf-alone", "quote.chain", chain=pck)
    mutant("ca-may-not-sign", "quote.chain", chain={"ca": p.ca(is_ca=False)})
    mutant("ca-without-constraints", "quote.chain", chain={"ca": p.ca(is_ca=None)})
    mutant("ca-without-usage", "quote.chain", chain={"ca": p.ca(usage=0)})
    mutant("ca-for-lists-alone", "quote.chain", chain={"ca": p.ca(usage=CRL_SIGN)})
    mutant("ca-not-signed-by-the-root", "quote.chain", chain={"ca": p.ca(signer=STRANGER, named_signer=ROOT)})
    mutant("ca-on-p384", "quote.chain", chain={"ca": p.ca(key=LARGE), "pck": p.pck(signer=LARGE)})
    mutant("ca-of-rsa", "quote.chain", chain={"ca": p.ca(key=RSA), "pck": p.pck(signer=RSA)})
    mutant("ca-of-no-platforms", "quote.chain", chain={
        "ca": p.ca(subject="Intel SGX Something CA"), "pck": p.pck(issuer="Intel SGX Something CA")})
    mutant("signed-by-another", "quote.chain", chain={"pck": p.pck(signer=STRANGER)})
    mutant("signed-by-the-root", "quote.chain", chain=der.pem("CERTIFICATE", p.pck(
        issuer="Intel SGX Root CA", signer=ROOT)) + root)
    mutant("issued-by-the-tcb-signer", "quote.chain", chain={
        "pck": p.pck(issuer="Intel SGX TCB Signing", signer=SIGNER), "ca": p.signer()})
    mutant("issued-by-the-tcb-signer-as-authority", "quote.chain", chain={
        "pck": p.pck(issuer="Intel SGX TCB Signing", signer=SIGNER),
        "ca": p.signer(is_ca=True, usage=KEY_CERT_SIGN | DIGITAL_SIGNATURE)})
    mutant("issued-by-itself", "quote.chain", chain={"pck": p.pck(issuer="Intel SGX PCK Certificate", signer=PCK)})
    mutant("algorithms-differ", "quote.chain", chain={"pck": p.pck(outer=Ecdsa("sha384"))})
    mutant("called-sha384", "quote.chain", chain={"pck": p.pck(algorithm=Ecdsa("sha384"))})
    good = p.pck()
    for word, at in (("extension", good.index(FMSPC)), ("ppid", good.index(PPID)), ("svn", good.index(bytes(SVNS))),
                     ("signature", len(good) - 1)):
        mutant(f"{word}-flipped", "quote.chain", chain={"pck": flip(good, at)})
    mutant("root-may-not-sign", "quote.chain", root_der=p.root(is_ca=False), chain={"root": p.root(is_ca=False)})
    mutant("stranger-in-the-chain", "quote.chain", chain=pck + ca + root + der.pem("CERTIFICATE", p.signer()))
    mutant("processor-ca", None, chain={"ca": p.ca(subject="Intel SGX PCK Processor CA"),
                                        "pck": p.pck(issuer="Intel SGX PCK Processor CA")},
           pck_crl_der=p.crl("Intel SGX PCK Processor CA", CA))

    for word, dates in (("not-yet-valid", EARLY), ("expired", LATE), ("backwards", EARLY[::-1])):
        for base in ("sgx-v3", "tdx-v4"):
            mutant(f"{base}-pck-{word}", "quote.chain-dates", base, chain={"pck": p.pck(dates=dates)})
        mutant(f"ca-{word}", "quote.chain-dates", chain={"ca": p.ca(dates=dates)})
        mutant(f"root-{word}", "quote.chain-dates", root_der=p.root(dates=dates), chain={"root": p.root(dates=dates)})
    mutant("before-everything", "quote.chain-dates", at="2020-05-21T10:45:09Z")
    mutant("after-everything", "quote.chain-dates", at="2046-01-01T00:00:00Z")
    mutant("valid-for-this-second", None, chain={"pck": p.pck(dates=(AT, AT))}, root_crl_der=p.root_crl(dates=(AT, AT)),
           pck_crl_der=p.pck_crl(dates=(AT, AT)))

    for which, make, issuer, key in (("root_crl", p.root_crl, "Intel SGX Root CA", ROOT),
                                     ("pck_crl", p.pck_crl, "Intel SGX PCK Platform CA", CA)):
        word = which.replace("_", "-")

        def listed(name, data, refusal="quote.crl", **how):
            mutant(f"{word}-{name}", refusal, **{f"{which}_der": data}, **how)

        listed("missing", None)
        for base in ("tdx-v4",):
            listed("missing-for-tdx", None, base=base)
        for when, dates in (("from-the-future", EARLY), ("stale", LATE), ("without-an-end", (AT, None))):
            listed(when, make(dates=dates))
            listed(f"{when}-though-none-required", make(dates=dates), policy={"require_crls": False})
        listed("signed-by-another", p.crl(issuer, STRANGER, extensions=[x509.authority_key(key)]))
        listed("of-another-key-of-the-name", p.crl(issuer, STRANGER))
        listed("signature-flipped", flip(make(), len(make()) - 1))
        listed("followed-by-a-byte", make() + b"\0")
        listed("with-a-critical-extension", make(extensions=[x509.extension("1.2.3.4.5", der.null(), True)]))
        listed("of-changes", make(extensions=[x509.extension("2.5.29.27", der.integer(1), True)]))
        listed("of-version-1", make(version=0, extensions=[]))
        listed("of-the-processor-ca", p.crl("Intel SGX PCK Processor CA", CA))
    mutant("pck-crl-twice-and-no-root-crl", "quote.crl", root_crl_der=p.pck_crl())
    mutant("root-crl-twice-and-no-pck-crl", "quote.crl", pck_crl_der=p.root_crl())
    mutant("ca-may-not-sign-lists", "quote.crl", chain={"ca": p.ca(usage=KEY_CERT_SIGN)})
    mutant("root-may-not-sign-lists", "quote.crl", root_der=p.root(usage=KEY_CERT_SIGN),
           chain={"root": p.root(usage=KEY_CERT_SIGN)})
    mutant("no-lists-but-none-required", None, root_crl_der=None, pck_crl_der=None, policy={"require_crls": False})
    for base in ("sgx-v3", "tdx-v4"):
        mutant(f"{base}-pck-revoked", "quote.revoked", base, pck_crl_der=p.pck_crl(revoked=[PCK_SERIAL]))
        mutant(f"{base}-ca-revoked", "quote.revoked", base, root_crl_der=p.root_crl(revoked=[CA_SERIAL]))
        mutant(f"{base}-tcb-signer-revoked", "quote.revoked", base, root_crl_der=p.root_crl(revoked=[SIGNER_SERIAL]))
    mutant("pck-revoked-among-many", "quote.revoked", pck_crl_der=p.pck_crl(revoked=[*range(1, 400), PCK_SERIAL, 500]))
    unknown = x509.extension("1.2.3.4.5", der.null(), True)
    mutant("another-revoked-for-an-unknown-critical-reason", "quote.crl", pck_crl_der=p.pck_crl(revoked=[(5, unknown)]))
    mutant("pck-revoked-for-a-reason", "quote.revoked", pck_crl_der=p.pck_crl(
        revoked=[(PCK_SERIAL, x509.extension("2.5.29.21", der.enumerated(1)))]))
    mutant("pck-revoked-though-none-required", "quote.revoked", pck_crl_der=p.pck_crl(revoked=[PCK_SERIAL]),
           root_crl_der=p.root_crl(), policy={"require_crls": False})
    mutant("others-revoked", None, pck_crl_der=p.pck_crl(revoked=[CA_SERIAL, SIGNER_SERIAL, PCK_SERIAL + 1, 7]),
           root_crl_der=p.root_crl(revoked=[PCK_SERIAL, CA_SERIAL + 1]))
    newer = ("2026-02-01T00:00:00Z", "2026-12-31T00:00:00Z")
    for word, file in (("in-front", "a_der"), ("behind", "z_der")):
        mutant(f"pck-revoked-in-a-newer-list-{word}", "quote.revoked",
               **{file: p.pck_crl(revoked=[PCK_SERIAL], dates=newer)})
        mutant(f"ca-revoked-in-a-newer-list-{word}", "quote.revoked",
               **{file: p.root_crl(revoked=[CA_SERIAL], dates=newer)})
    mutant("stale-lists-beside-current-ones", None, a_der=p.pck_crl(dates=LATE), z_der=p.root_crl(dates=LATE))
    # the signing key of the documents was revoked, and another's list is shown for it
    signer2 = p.signer(key=STRANGER, serial=5)
    mutant("second-tcb-signer-revoked", "quote.revoked", tcb_info=p.tcb_body(key=STRANGER), signer_der=signer2,
           root_crl_der=p.root_crl(revoked=[5]))
    mutant("signer-of-the-qe-identity-revoked", "quote.revoked", **{"qe_identity.json": p.qe_body(key=STRANGER)},
           signer_der=signer2, root_crl_der=p.root_crl(revoked=[5]))


def document_cases(group):
    """TCB info and the quoting enclave's identity: who signed them, what they are, when they are valid."""
    add_bases(group, "sgx-v3", "tdx-v4", "tdx-v5-1.5")

    def mutants(base):
        p = BASES[base]
        documents = (("tcb-info", "tcb_info.json", p.tcb_body, "quote.tcb-info", "tcbInfo"),
                     ("qe-identity", "qe_identity.json", p.qe_body, "quote.qe-identity", "enclaveIdentity"))
        for word, file, make, check, key in documents:
            def mutant(name, refusal, data, **files):
                group.case(f"{base}-{word}-{name}", base, refusal, {file: data} | files)

            def changed(name, change, refusal=check, **how):
                mutant(name, refusal, make(change, **how))

            mutant("missing", check, None)
            changed("signed-by-another", None, key=STRANGER)
            changed("signed-by-the-root", None, key=ROOT)
            changed("signed-by-the-platform", None, key=PCK)
            good = make()
            mutant("signature-flipped", check, good[:-3] + (b"1" if good[-3:-2] != b"1" else b"2") + good[-2:])
            changed("signature-zero", None, signature=bytes(64))
            mutant("evaluation-changed", check, good.replace(b"Number\":17", b"Number\":18"))
            mutant("status-changed", check, good.replace(b"tcbStatus\":\"UpToDate", b"tcbStatus\":\"Revoked"))
            mutant("with-a-space", check, good.replace(b",\"version", b", \"version"))
            mutant("with-a-space-at-its-end", check, good.replace(b"]},\"signature", b"] },\"signature"))
            changed("with-spaces-that-were-signed", json.dumps, None)
            if base == "tdx-v4":
                continue
            mutant("signature-short", check, good[:-4] + b'"}')
            mutant("signature-long", check, good[:-2] + b'00"}')
            mutant("signature-not-hexadecimal", check, good[:-3] + b'g"}')
            mutant("signature-missing", check, good[:good.rindex(b',"signature')] + b"}")
            mutant("cut", check, good[:-1])
            mutant("followed-by-text", check, good + b"x")
            mutant("twice-in-one-file", check, good[:-1] + b"," + good[1:])
            mutant("key-with-an-escape", check, good.replace(key[:1].encode(), b"\\u00%02x" % ord(key[0]), 1))
            mutant("as-text", check, json.dumps({key: json.dumps(p.tcb_info()), "signature": "00" * 64}).encode())
            mutant("empty", check, b"")
            mutant("null", check, f'{{"{key}":null,"signature":"{"00" * 64}"}}'.encode())
            mutant("nested-100000-deep", check, b'{"' + key.encode() + b'":' + b"[" * 100000)
            mutant("nested-in-an-unknown-key", check, good.replace(
                b'"version"', b'"x":' + b'{"a":' * 500 + b"1" + b"}" * 500 + b',"version"'))
            mutant("with-a-nul", check, good.replace(b'"version"', b'"x":"\\u0000","version"'))
            mutant("with-a-raw-nul", check, good.replace(b'"version"', b'"x":"\0","version"'))
            mutant("with-bad-utf8", check, good.replace(b'"version"', b'"x":"\xff\xfe","version"'))
            changed("version-twice", lambda d: compact(d).replace('"version"', f'"version":{d["version"]},"version"', 1))
            changed("id-twice", lambda d: compact(d)[:-1] + ',"id":"' + d["id"] + '"}')
            changed("number-huge", lambda d: compact(d).replace('Number":17', 'Number":' + "9" * 60))
            changed("number-huge-exponent", lambda d: compact(d).replace('Number":17', 'Number":1e999'))
            changed("number-negative", under(["tcbEvaluationDataNumber"], -1))
            changed("number-with-fraction", under(["tcbEvaluationDataNumber"], 17.5))
            changed("number-as-text", under(["tcbEvaluationDataNumber"], "17"))
            for field in ("version", "issueDate", "nextUpdate", "tcbLevels", "tcbEvaluationDataNumber", "id"):
                changed(f"without-{field}", under([field], None))
            changed("levels-empty", under(["tcbLevels"], []))
            changed("levels-an-object", under(["tcbLevels"], {}))
            changed("level-not-an-object", under(["tcbLevels", 0], 7))
            changed("level-without-status", under(["tcbLevels", 0, "tcbStatus"], None))
            changed("status-unknown", under(["tcbLevels", 0, "tcbStatus"], "Splendid"))
            changed("status-in-lower-case", under(["tcbLevels", 0, "tcbStatus"], "uptodate"))
            changed("status-a-number", under(["tcbLevels", 0, "tcbStatus"], 0))
            changed("advisories-a-text", under(["tcbLevels", 0, "advisoryIDs"], "INTEL-SA-00001"))
            changed("advisories-of-numbers", under(["tcbLevels", 0, "advisoryIDs"], [1]))
            for name, time in (("month-13", "2026-13-01T00:00:00Z"), ("day-30-of-february", "2026-02-30T00:00:00Z"),
                               ("hour-24", "2026-01-01T24:00:00Z"), ("in-another-zone", "2026-01-01T00:00:00+00:00"),
                               ("with-a-fraction", "2026-01-01T00:00:00.0Z"), ("without-a-zone", "2026-01-01T00:00:00"),
                               ("a-word", "yesterday")):
                changed(f"issued-in-{name}", under(["issueDate"], time))
            dates = check + "-dates"
            changed("from-the-future", under(["issueDate"], EARLY[0]), dates)
            changed("stale", under(["nextUpdate"], LATE[1]), dates)
            changed("backwards", lambda d: d.update(issueDate=EARLY[0], nextUpdate=LATE[1]), dates)
            changed("valid-for-this-second", lambda d: d.update(issueDate=AT, nextUpdate=AT), None)
            # a signer of its own
            second = {"key": STRANGER, "serial": 99}
            own = make(key=STRANGER)
            mutant("of-a-second-signer", None, own, **{"second.der": p.signer(**second)})
            for when, window in (("not-yet-valid", EARLY), ("expired", LATE)):
                mutant(f"signer-{when}", dates, own, **{"second.der": p.signer(dates=window, **second)})
            for name, change in (("of-another-name", {"subject": "Intel SGX TCB Signer"}), ("an-authority", {"is_ca": True}),
                                 ("for-certificates-alone", {"usage": KEY_CERT_SIGN}),
                                 ("not-signed-by-the-root", {"signer": SIGNER, "named_signer": ROOT}),
                                 ("issued-by-the-ca", {"issuer": "Intel SGX PCK Platform CA", "signer": CA}),
                                 ("with-a-critical-extension",
                                  {"more": [x509.extension("1.2.3.4.5", der.null(), True)]}),
                                 ("on-p384", {"key": LARGE})):
                mutant(f"signer-{name}", check, own, **{"second.der": p.signer(**second | change)})
            for version in (1, 4, 0) if word == "tcb-info" else (1, 3, 0):
                changed(f"version-{version}", under(["version"], version))
        group.case(f"{base}-no-signer", base, "quote.qe-identity", {"tcb_chain.pem": None})
        return p

    for base in ("sgx-v3", "tdx-v4", "tdx-v5-1.5"):
        mutants(base)
    sgx, tdx = BASES["sgx-v3"], BASES["tdx-v4"]
    for base, p, other in (("sgx-v3", sgx, tdx), ("tdx-v4", tdx, sgx)):
        group.case(f"{base}-tcb-info-of-the-other-kind", base, "quote.tcb-info", {"tcb_info.json": other.tcb_body()})
        group.case(f"{base}-qe-identity-of-the-other-kind", base, "quote.qe-identity",
                   {"qe_identity.json": other.qe_body()})
        for name in ("QVE", "qe", ""):
            group.case(f"{base}-qe-identity-of-{name or 'nothing'}", base, "quote.qe-identity",
                       {"qe_identity.json": p.qe_body(under(["id"], name))})
        for name in ("sgx", "TDX2", ""):
            group.case(f"{base}-tcb-info-of-{name or 'nothing'}", base, "quote.tcb-info",
                       {"tcb_info.json": p.tcb_body(under(["id"], name))})
        group.case(f"{base}-tcb-type-1", base, "quote.tcb-info", {"tcb_info.json": p.tcb_body(under(["tcbType"], 1))})
    group.case("tdx-v4-tcb-info-version-2", "tdx-v4", "quote.tcb-info",
               {"tcb_info.json": tdx.tcb_body(under(["version"], 2))})
    level = ["tcbLevels", 0, "tcb", "sgxtcbcomponents"]
    for base, p in (("sgx-v3", sgx), ("tdx-v4", tdx)):
        for word, path, value in (
                ("15-components", level, [{"svn": svn} for svn in SVNS[:15]]),
                ("17-components", level, [{"svn": svn} for svn in SVNS] + [{"svn": 0}]),
                ("no-components", level, []), ("components-missing", level, None),
                ("components-an-object", level, {"svn": 1}), ("component-a-number", level + [3], 2),
                ("svn-of-256", level + [3, "svn"], 256), ("svn-negative", level + [3, "svn"], -1),
                ("svn-as-text", level + [3, "svn"], "2"), ("svn-missing", level + [15, "svn"], None),
                ("pce-svn-missing", ["tcbLevels", 0, "tcb", "pcesvn"], None),
                ("pce-svn-of-65536", ["tcbLevels", 0, "tcb", "pcesvn"], 65536),
                ("fmspc-missing", ["fmspc"], None), ("fmspc-short", ["fmspc"], "00A06D0800"),
                ("fmspc-not-hexadecimal", ["fmspc"], "00A06D08000G"), ("pce-id-missing", ["pceId"], None),
                ("tcb-type-missing", ["tcbType"], None)):
            group.case(f"{base}-{word}", base, "quote.tcb-info", {"tcb_info.json": p.tcb_body(under(path, value))})
    level[3] = "tdxtcbcomponents"
    for word, path, value in (("15-tdx-components", level, [{"svn": 0}] * 15), ("no-tdx-components", level, None),
                              ("17-tdx-components", level, [{"svn": 0}] * 17),
                              ("module-without-levels", ["tdxModuleIdentities", 0, "tcbLevels"], None),
                              ("module-without-signer", ["tdxModuleIdentities", 0, "mrsigner"], None),
                              ("module-signer-short", ["tdxModuleIdentities", 0, "mrsigner"], "00" * 47),
                              ("modules-an-object", ["tdxModuleIdentities"], {})):
        group.case(f"tdx-v4-{word}", "tdx-v4", "quote.tcb-info", {"tcb_info.json": tdx.tcb_body(under(path, value))})
    for field in ("mrsigner", "isvprodid", "attributes", "attributesMask", "miscselect", "miscselectMask"):
        group.case(f"sgx-v3-qe-identity-without-{field}", "sgx-v3", "quote.qe-identity",
                   {"qe_identity.json": sgx.qe_body(under([field], None))})
    group.case("tdx-v4-qe-isvsvn-of-65536", "tdx-v4", "quote.qe-identity",
               {"qe_identity.json": tdx.qe_body(under(["tcbLevels", 0, "tcb", "isvsvn"], 65536))})


def tcb_cases(group):
    """The quoting enclave, the platform and the TDX module against their descriptions."""
    add_bases(group, "sgx-v3", "tdx-v4", "tdx-v5-1.5")

    def mutant(name, refusal, base="sgx-v3", policy=None, quote=None, tcb=None, qe=None, report_data=None):
        p, files = BASES[base], {}
        if quote is not None:
            files["evidence"] = p.quote(**quote)
        if tcb is not None:
            files["tcb_info.json"] = p.tcb_body(tcb)
        if qe is not None:
            files["qe_identity.json"] = p.qe_body(qe)
        group.case(f"{base}-{name}", base, refusal, files, policy=policy, report_data=report_data)

    def intel(**keys):
        return {"intel": keys}

    every = intel(tcb_statuses=["UpToDate", *STATUSES])
    for base in ("sgx-v3", "tdx-v4", "tdx-v5-1.5"):
        def here(name, refusal, **how):
            mutant(name, refusal, base, **how)

        # ---- the quoting enclave ----
        here("qe-of-another-signer", "quote.qe-match", quote={"qe": {"mrsigner": bytes(32)}})
        here("qe-of-another-product", "quote.qe-match", quote={"qe": {"isv_prod_id": 3}})
        here("qe-in-debug", "quote.qe-match", quote={"qe": {"attributes": attributes(0x13, 0xe7)}})
        here("qe-in-debug-beyond-the-mask", "quote.qe-match", quote={"qe": {"attributes": attributes(0x13, 0xe7)}},
             qe=under(["attributesMask"], "F9FFFFFFFFFFFFFF" + "00" * 8))
        here("qe-in-debug-as-described", "quote.qe-match", quote={"qe": {"attributes": attributes(0x13, 0xe7)}},
             qe=under(["attributes"], "13" + "00" * 15))
        here("qe-without-provision-key", "quote.qe-match", quote={"qe": {"attributes": attributes(0x01, 0xe7)}})
        here("qe-with-an-attribute-more", "quote.qe-match", quote={"qe": {"attributes": attributes(1 << 63 | 0x11, 0xe7)}})
        here("qe-with-other-xfrm", None, quote={"qe": {"attributes": attributes(0x11, 3)}})
        here("qe-with-misc", "quote.qe-match", quote={"qe": {"misc_select": 1}})
        here("qe-with-high-misc", "quote.qe-match", quote={"qe": {"misc_select": 1 << 31}})
        here("qe-with-misc-beyond-the-mask", None, quote={"qe": {"misc_select": 1}}, qe=under(["miscselectMask"], "FEFFFFFF"))
        here("qe-below-every-level", "quote.qe-match", quote={"qe": {"isv_svn": 7}})
        here("qe-newer", None, quote={"qe": {"isv_svn": 9}})
        for field in ("reserved_20", "reserved_96", "reserved_160", "reserved_262"):
            here(f"qe-{field}", "quote.qe-match", quote={"qe": {field: b"\0\1"}})

        # ---- the kind of platform ----
        here("fmspc-another", "quote.tcb-match", tcb=under(["fmspc"], "00A06D080001"))
        here("fmspc-in-lower-case", None, tcb=under(["fmspc"], FMSPC.hex()))
        here("pce-id-another", "quote.tcb-match", tcb=under(["pceId"], "0100"))
        here("evaluation-below", "quote.tcb-evaluation", policy=intel(tcb_evaluation_min=18))
        here("evaluation-of-the-qe-below", "quote.tcb-evaluation", policy=intel(tcb_evaluation_min=17),
             qe=under(["tcbEvaluationDataNumber"], 16))
        here("evaluation-at-the-floor", None, policy=intel(tcb_evaluation_min=17))
        here("evaluation-zero", "quote.tcb-evaluation", policy=intel(tcb_evaluation_min=1),
             tcb=under(["tcbEvaluationDataNumber"], 0))

        # ---- levels ----
        level = ["tcbLevels", 0, "tcb", "sgxtcbcomponents"]
        for i, svn in enumerate(SVNS):
            here(f"component-{i + 1}-below", "quote.tcb-status", tcb=under([*level, i, "svn"], svn + 1), policy=every)
        here("pce-svn-below", "quote.tcb-status", tcb=under(["tcbLevels", 0, "tcb", "pcesvn"], PCE_SVN + 1), policy=every)
        for status in STATUSES:
            set_status = under(["tcbLevels", 0, "tcbStatus"], status)
            here(f"platform-{status}", "quote.tcb-status", tcb=set_status)
            here(f"platform-{status}-accepted", None, tcb=set_status, policy=intel(tcb_statuses=["UpToDate", status]))
        revoked = under(["tcbLevels", 0, "tcbStatus"], "Revoked")
        here("platform-revoked", "quote.tcb-status", tcb=revoked)
        here("platform-revoked-and-all-accepted", "quote.tcb-status", tcb=revoked, policy=every)
        here("up-to-date-not-accepted", "quote.tcb-status", policy=intel(tcb_statuses=["OutOfDate"]))

        def before(status):
            def change(info):
                first = copy.deepcopy(info["tcbLevels"][0])
                first["tcbStatus"], first["tcbDate"] = status, "2020-01-01T00:00:00Z"
                info["tcbLevels"].insert(0, first)
            return change

        def after(status):
            def change(info):
                last = copy.deepcopy(info["tcbLevels"][0])
                last["tcbStatus"] = status
                info["tcbLevels"].append(last)
            return change

        here("first-level-out-of-date", "quote.tcb-status", tcb=before("OutOfDate"))
        here("first-level-revoked", "quote.tcb-status", tcb=before("Revoked"), policy=every)
        here("second-level-out-of-date", None, tcb=after("OutOfDate"))

        def unreached(info):
            first = copy.deepcopy(info["tcbLevels"][0])
            first["tcb"]["pcesvn"] += 1
            info["tcbLevels"][0]["tcbStatus"] = "OutOfDate"
            info["tcbLevels"].insert(0, first)

        here("only-the-second-level-reached", "quote.tcb-status", tcb=unreached)
        here("qe-out-of-date", "quote.tcb-status", qe=under(["tcbLevels", 0, "tcbStatus"], "OutOfDate"))
        here("qe-revoked", "quote.tcb-status", qe=under(["tcbLevels", 0, "tcbStatus"], "Revoked"), policy=every)
        here("qe-out-of-date-on-a-platform-to-configure", "quote.tcb-status",
             qe=under(["tcbLevels", 0, "tcbStatus"], "OutOfDate"),
             tcb=under(["tcbLevels", 0, "tcbStatus"], "ConfigurationNeeded"),
             policy=intel(tcb_statuses=["UpToDate", "ConfigurationNeeded", "OutOfDate"]))
        here("qe-out-of-date-on-a-platform-to-harden", "quote.tcb-status",
             qe=under(["tcbLevels", 0, "tcbStatus"], "OutOfDate"),
             tcb=under(["tcbLevels", 0, "tcbStatus"], "SWHardeningNeeded"),
             policy=intel(tcb_statuses=["UpToDate", "SWHardeningNeeded"]))

        # ---- advisories ----
        ids = ["INTEL-SA-00615", "INTEL-SA-00657"]
        open_ = under(["tcbLevels", 0, "advisoryIDs"], ids)
        here("advisories", "quote.advisories", tcb=open_)
        here("advisories-one-tolerated", "quote.advisories", tcb=open_, policy=intel(advisories=ids[:1]))
        here("advisories-tolerated", None, tcb=open_, policy=intel(advisories=ids))
        here("advisories-tolerated-until-yesterday", "quote.advisories", tcb=open_,
             policy=intel(advisories=[ids[0], {"id": ids[1], "until": "2026-05-31"}]))
        here("advisories-tolerated-until-tomorrow", None, tcb=open_,
             policy=intel(advisories=[ids[0], {"id": ids[1], "until": "2026-06-02"}]))
        here("advisories-by-their-beginning", "quote.advisories", tcb=open_, policy=intel(advisories=["INTEL-SA-00"]))
        here("advisories-of-the-qe", "quote.advisories", qe=open_)
        here("advisories-of-the-qe-tolerated", None, qe=open_, policy=intel(advisories=ids))
        here("advisory-of-a-life-that-ends", "quote.advisories",
             tcb=under(["tcbLevels", 0, "advisoryIDs"], ["INTEL-DOC-10000"]))
        here("platform-not-listed", "quote.platform-allowed", policy=intel(ppids=[bytes(16).hex()]))
        here("platform-listed", None, policy=intel(ppids=[bytes(16).hex(), PPID.hex()]))
        data = bytes(range(64))
        here("report-data-differs-in-front", "quote.report-data", report_data=(b"\1" + data[1:]).hex())
        here("report-data-differs-at-the-end", "quote.report-data", report_data=(data[:-1] + b"\0").hex())
        here("report-data-control", None, report_data=data.hex())
        here("report-data-zero", "quote.report-data", quote={"body": {"report_data": bytes(64)}}, report_data=data.hex())

    # ---- the TDX module ----
    module = ["tdxModuleIdentities", 0]
    for base in ("tdx-v4", "tdx-v5-1.5"):
        def here(name, refusal, **how):
            mutant(name, refusal, base, **how)

        svns = bytes(TDX_SVNS)
        here("module-of-an-unknown-version", "quote.tdx-module", quote={"body": {"tee_tcb_svn": b"\3\2" + svns[2:]}})
        here("module-of-another-signer", "quote.tdx-module", quote={"body": {"mrsignerseam": b"\1"}})
        here("module-with-attributes", "quote.tdx-module", quote={"body": {"seam_attributes": 1 << 63}})
        here("module-below-every-level", "quote.tdx-module", quote={"body": {"tee_tcb_svn": b"\2\1" + svns[2:]}})
        here("module-of-another-signer-by-description", "quote.tdx-module", tcb=under([*module, "mrsigner"], "01" + "00" * 47))
        here("modules-missing", "quote.tdx-module", tcb=under(["tdxModuleIdentities"], None))
        here("modules-empty", "quote.tdx-module", tcb=under(["tdxModuleIdentities"], []))
        here("module-0-missing", "quote.tdx-module", tcb=under(["tdxModule"], None),
             quote={"body": {"tee_tcb_svn": b"\3\0" + svns[2:]}})
        here("module-out-of-date", "quote.tcb-status", tcb=under([*module, "tcbLevels", 0, "tcbStatus"], "OutOfDate"))
        here("module-out-of-date-accepted", None, tcb=under([*module, "tcbLevels", 0, "tcbStatus"], "OutOfDate"),
             policy=intel(tcb_statuses=["OutOfDate"]))
        here("module-revoked", "quote.tcb-status", tcb=under([*module, "tcbLevels", 0, "tcbStatus"], "Revoked"),
             policy=every)
        here("advisories-of-the-module", "quote.advisories",
             tcb=under([*module, "tcbLevels", 0, "advisoryIDs"], ["INTEL-SA-00837"]))
        for i in range(2, 16):
            here(f"tdx-component-{i + 1}-below", "quote.tcb-status", policy=every, tcb=under(
                ["tcbLevels", 0, "tcb", "tdxtcbcomponents", i, "svn"], TDX_SVNS[i] + 1))
        # of a module with an identity of its own, the platform's level does not judge the first two
        for i in (0, 1):
            here(f"tdx-component-{i + 1}-below", None, tcb=under(
                ["tcbLevels", 0, "tcb", "tdxtcbcomponents", i, "svn"], TDX_SVNS[i] + 1))
        zero = {"body": {"tee_tcb_svn": b"\3\0" + svns[2:]}}
        here("module-0", None, quote=zero, tcb=under(["tcbLevels", 0, "tcb", "tdxtcbcomponents", 1, "svn"], 0))
        here("module-0-below", "quote.tcb-status", quote=zero, policy=every)


def enclave_cases(group):
    """Enclaves that are genuine, and not what a policy wants."""
    add_bases(group, "sgx-v3")
    p = BASES["sgx-v3"]

    def mutant(name, refusal, policy=None, sgx=None, **body):
        policy = (policy or {}) | ({"sgx": sgx} if sgx else {})
        group.case(name, "sgx-v3", refusal, {"evidence": p.quote(body=body)}, policy=policy or None)

    for field, size in (("reserved_20", 12), ("reserved_96", 32), ("reserved_160", 32), ("reserved_262", 42)):
        mutant(f"{field}-first", "sgx.form", **{field: b"\1"})
        mutant(f"{field}-last", "sgx.form", **{field: bytes(size - 1) + b"\x80"})
    mutant("debug", "sgx.debug", attributes=attributes(7, 0xe7))
    mutant("debug-control", None, {"debug": True}, attributes=attributes(7, 0xe7))
    for word, flags in (("not-initialised", 4), ("32-bit", 1), ("nothing", 0), ("unknown-bit-3", 0xd), ("bit-8", 0x105),
                        ("bit-63", 1 << 63 | 5)):
        mutant(f"attributes-{word}", "sgx.attributes", attributes=attributes(flags, 0xe7))
    for bit, word in ((4, "provision-key"), (5, "einittoken-key"), (6, "cet")):
        bad = attributes(5 | 1 << bit, 0xe7)
        mutant(f"attributes-{word}", "sgx.attributes", attributes=bad)
        mutant(f"attributes-{word}-control", None, sgx={"attributes_allowed": [word]}, attributes=bad)
    for bit, word in ((7, "kss"), (10, "aex-notify")):
        mutant(f"attributes-{word}-control", None, attributes=attributes(5 | 1 << bit, 0xe7))
        mutant(f"attributes-{word}", "sgx.attributes", sgx={"attributes_allowed": []},
               attributes=attributes(5 | 1 << bit, 0xe7))
    for xfrm in (0, 1, 2):
        mutant(f"xfrm-{xfrm}", "sgx.attributes", attributes=attributes(5, xfrm))
    for misc in (4, 1 << 31):
        mutant(f"misc-{misc:#x}", "sgx.misc", misc_select=misc)
        mutant(f"misc-{misc:#x}-control", None, sgx={"misc_allowed": misc}, misc_select=misc)
    mutant("misc-not-allowed", "sgx.misc", sgx={"misc_allowed": 0}, misc_select=1)
    named = {"any_workload": False}
    measured, signer = bytes(range(32)).hex(), bytes(range(50, 82)).hex()
    mutant("no-workload-named", "sgx.measurement", named)
    mutant("mrenclave-another", "sgx.measurement", named, {"mrenclaves": ["00" * 32]})
    mutant("mrenclave-is-the-signer", "sgx.measurement", named, {"mrenclaves": [signer]})
    mutant("mrenclave-listed-though-any-is-allowed", "sgx.measurement", sgx={"mrenclaves": ["00" * 32]})
    mutant("mrenclave-control", None, named, {"mrenclaves": ["00" * 32, measured]})
    for word, entry in (("another", ("00" * 32, 7, 3)), ("of-another-product", (signer, 8, 3)),
                        ("of-a-newer-version", (signer, 7, 4)), ("is-the-measurement", (measured, 7, 3))):
        mutant(f"signer-{word}", "sgx.measurement", named,
               {"signers": [dict(zip(("mrsigner", "product", "svn_min"), entry))]})
    mutant("signer-control", None, named, {"signers": [{"mrsigner": signer, "product": 7, "svn_min": 3}]})
    config = b"\x66" * 64
    mutant("config-id", "sgx.config", config_id=config)
    mutant("config-id-last-byte", "sgx.config", config_id=bytes(63) + b"\1")
    mutant("config-id-another", "sgx.config", sgx={"config_ids": ["55" * 64]}, config_id=config)
    mutant("config-id-expected-and-none", "sgx.config", sgx={"config_ids": [config.hex()]})
    mutant("config-id-control", None, sgx={"config_ids": [config.hex()]}, config_id=config)
    mutant("config-svn-below", "sgx.config", sgx={"config_svn_min": 2}, config_svn=1)
    mutant("config-svn-control", None, sgx={"config_svn_min": 2}, config_svn=2)


def domain_cases(group):
    """Trust domains that are genuine, and not what a policy wants."""
    add_bases(group, "tdx-v4", "tdx-v5", "tdx-v5-1.5")
    ve = 1 << 28

    def mutant(name, refusal, base="tdx-v4", policy=None, tdx=None, tcb=None, **body):
        p = BASES[base]
        policy = (policy or {}) | ({"tdx": tdx} if tdx else {})
        files = {"evidence": p.quote(body=body)} | ({"tcb_info.json": p.tcb_body(tcb)} if tcb else {})
        group.case(f"{base}-{name}", base, refusal, files, policy=policy or None)

    for base in ("tdx-v4", "tdx-v5-1.5"):
        def here(name, refusal, policy=None, tdx=None, **how):
            mutant(name, refusal, base, policy, tdx, **how)

        for bit in range(8):
            here(f"tud-bit-{bit}", "tdx.debug", td_attributes=ve | 1 << bit)
        here("debug-control", None, {"debug": True}, td_attributes=ve | 1)
        for bit in (1, 7):
            here(f"tud-bit-{bit}-though-debug-is-allowed", "tdx.debug", {"debug": True}, td_attributes=ve | 1 << bit)
        here("sept-ve-not-disabled", "tdx.attributes", td_attributes=0)
        here("sept-ve-control", None, tdx={"sept_ve_disable": False}, td_attributes=0)
        for bit in (8, 16, 24, 32, 62):
            here(f"attribute-bit-{bit}", "tdx.attributes", td_attributes=ve | 1 << bit)
        for bit, word in ((27, "lass"), (29, "migratable"), (30, "pks"), (31, "kl"), (63, "perfmon")):
            here(f"attribute-{word}", "tdx.attributes", td_attributes=ve | 1 << bit)
            here(f"attribute-{word}-control", None, tdx={"attributes_allowed": [word]}, td_attributes=ve | 1 << bit)
        for word, xfam in (("none", 0), ("without-x87", 0x618e6), ("without-sse", 0x618e5), ("bit-3", 0x618ef),
                           ("bit-20", 0x7187e7), ("bit-63", 1 << 63 | 0x618e7)):
            here(f"xfam-{word}", "tdx.xfam", xfam=xfam)

        def own_module(**fields):
            def change(info):
                info["tdxModuleIdentities"][0].update(fields)
            return change

        # described by Intel, and yet not its production module
        here("seam-signer-not-intel", "tdx.seam", mrsignerseam=b"\1" * 48, tcb=own_module(mrsigner="01" * 48))
        here("seam-attributes", "tdx.seam", seam_attributes=1, tcb=own_module(attributesMask="00" * 8))
        here("seam-attributes-as-described", "tdx.seam", seam_attributes=1, tcb=own_module(attributes="01" + "00" * 7))
        named, measured = {"any_workload": False}, bytes(range(48)).hex()
        here("no-workload-named", "tdx.measurement", named)
        here("mrtd-another", "tdx.measurement", named, {"mrtds": ["00" * 48]})
        here("mrtd-listed-though-any-is-allowed", "tdx.measurement", tdx={"mrtds": ["00" * 48]})
        here("mrtd-control", None, named, {"mrtds": ["00" * 48, measured]})
        right = ["01" * 48, "02" * 48, "03" * 48, "00" * 48]
        for i in range(4):
            here(f"rtmr{i}-another", "tdx.rtmr", tdx={f"rtmr{k}": [right[k] if k != i else "09" * 48] for k in range(4)})
            here(f"rtmr{i}-control", None, tdx={f"rtmr{i}": ["09" * 48, right[i]]})
        for field in ("mrconfigid", "mrowner", "mrownerconfig"):
            value = b"\x66" * 48
            here(f"{field}-not-zero", "tdx.owner", **{field: value})
            here(f"{field}-last-byte", "tdx.owner", **{field: bytes(47) + b"\1"})
            here(f"{field}-another", "tdx.owner", tdx={f"{field}s": ["55" * 48]}, **{field: value})
            here(f"{field}-expected-and-none", "tdx.owner", tdx={f"{field}s": [value.hex()]})
            here(f"{field}-control", None, tdx={f"{field}s": [value.hex()]}, **{field: value})
    mutant("service-domain", "tdx.service", "tdx-v5-1.5", mrservicetd=b"\x66" * 48)
    mutant("service-domain-last-byte", "tdx.service", "tdx-v5-1.5", mrservicetd=bytes(47) + b"\1")
    mutant("service-domain-another", "tdx.service", "tdx-v5-1.5", tdx={"mrservicetds": ["55" * 48]},
           mrservicetd=b"\x66" * 48)
    mutant("service-domain-expected-and-none", "tdx.service", "tdx-v5-1.5", tdx={"mrservicetds": ["66" * 48]})
    mutant("service-domain-control", None, "tdx-v5-1.5", tdx={"mrservicetds": ["66" * 48]}, mrservicetd=b"\x66" * 48)


GROUPS = {"quote-simulated-form": form_cases, "quote-simulated-signature": signature_cases,
          "quote-simulated-certificate": pck_cases, "quote-simulated-chain": chain_cases,
          "quote-simulated-document": document_cases, "quote-simulated-tcb": tcb_cases,
          "sgx-simulated-policy": enclave_cases, "tdx-simulated-policy": domain_cases}
