"""shared/vectors/MANIFEST.md as data: the files of its table, and every line of "Facts and checks per
set", read into facts that must be shown and judgements that must be reached. A line that nothing here
understands is an error, so that none is passed over silently."""
import ast
import dataclasses
import json
import re

SECTION = "## Facts and checks per set"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
DATES = rf"({TIME})\.\.({TIME})"
HEX = r"([0-9a-f]+)"
WORD = r"(\S+)"
VERDICT = {"GOOD": "pass", "BAD": "fail", "True": "pass", "False": "fail", "n/a (VLEK)": "not applicable"}

# Lines that state nothing about a file that is read as evidence, and why they are passed over.
NO_FACT = {
    r"[\w.]+: not checked \(.*\)": "the manifest's tools could not read it either; see test_unreadable",
    r"VERIFIED: sgx_tcb_eval_nums\.json: .*": "the list of evaluations is not read: the floor is a person's "
                                              "decision (tcb_evaluation_min)",
    r"VERIFIED: tcbInfoNegative.*": "refused as a whole, and so not shown; see test_unreadable",
    r"CSR self signature True": "a request that its key did not sign is unreadable: test_evidence_failures.py",
}

# The files that lines speak of without naming them: by set and label, else by set.
TCB_INFO = {
    ("sgx/fortanix-pcs", "quote.bin"): "00906ea10000.tcb",
    ("sgx/fortanix-pcs", "quote.bin corrupted collateral"): "corrupted_00906ea10000.tcb",
    ("tdx/v4-oasis", "quote_out_of_date.bin"): "../v4-google-spr/tcb_info.json",
    "tdx/v4-oasis": "tcb_info_C0806F.json",
}
QE_IDENTITY = {
    ("sgx/fortanix-pcs", "quote.bin"): "qe3_identity.id",
    ("sgx/fortanix-pcs", "quote.bin corrupted collateral"): "corrupted_qe3_identity.id",
    ("tdx/v4-oasis", "quote_out_of_date.bin"): "../v4-google-spr/qe_identity.json",
    "tdx/v4-oasis": "qe_identity2.json",
}
WITH_BUNDLE = ("sgx/processor-phala", "tdx/v4-phala", "tdx/v5-azure-outdated")  # collateral.json has it all


@dataclasses.dataclass(frozen=True)
class Shown:
    """Facts of an item of a file. A value that ends in * is a beginning."""
    path: str
    kind: str
    facts: dict
    line: str


@dataclasses.dataclass(frozen=True)
class Judged:
    """What a check must come to; `needs` is the check without which it need not be made."""
    check: str
    result: str
    needs: str = ""


@dataclasses.dataclass
class Verdict:
    """All that is said about one piece of evidence with its collateral (or one certificate of it)."""
    judged: list = dataclasses.field(default_factory=list)
    window: tuple = ()
    status: str = ""
    advisories: tuple = ()


class Manifest:
    """files: those of the table but for measure/; shown; verdicts by (set, label)."""

    def __init__(self, text):
        self.files = [row.split("|")[1].strip() for row in text.splitlines()
                      if re.match(r"\| [\w./-]+ \| [0-9a-f]{64} \|", row) and not row.startswith("| measure/")]
        self.shown, self.verdicts, self.unknown = [], {}, []
        facts = text[text.index(SECTION):]
        for part in re.split(r"^### ", facts, flags=re.MULTILINE)[1:]:
            name, _, body = part.partition("\n")
            if name.startswith(("snp/", "sgx/", "tdx/")):
                for line in re.findall(r"^- (.*)", body, re.MULTILINE):
                    Line(self, name, line).read()

    def verdict(self, name, label):
        return self.verdicts.setdefault((name, label), Verdict())


def time_of(text):
    """2025-07-20 22:15:42 as RFC 3339."""
    return text.replace(" ", "T").rstrip("Z") + "Z"


def tcb_text(text):
    """The manifest's Python dictionary as `broch evidence show` has it."""
    return " ".join(f"{key}={value}" for key, value in ast.literal_eval(text).items())


def id_of(text):
    return "-" if text == "None" else text


class Line:
    """One line. Each reader below is a pattern and what its groups mean."""
    READERS = []

    def __init__(self, manifest, name, line):
        self.manifest, self.name, self.line = manifest, name, line
        bracket = re.match(r"\[([^]]+)\] (.*)", line)
        self.label, self.text = bracket.groups() if bracket else ("", line)
        if name.endswith("intel-qvl-sample-testroot"):
            self.label = "quote.dat"

    def read(self):
        if any(re.fullmatch(pattern, self.text) for pattern in NO_FACT):
            return
        for pattern, reader in self.READERS:
            match = re.fullmatch(pattern, self.text)
            if match:
                reader(self, *match.groups())
                return
        self.manifest.unknown.append(f"{self.name}: {self.line}")

    def file(self, table, default):
        """The file of the set that has a document which the line does not name."""
        if self.name in WITH_BUNDLE:
            return "collateral.json"
        return table.get((self.name, self.label), table.get(self.name, default))

    def show(self, file, kind, **facts):
        folder, path = self.name, file
        while path.startswith("../"):
            folder, path = folder.rpartition("/")[0], path[3:]
        self.manifest.shown.append(Shown(f"{folder}/{path}", kind, facts, self.line))

    def judge(self, check, result, needs="", label=None):
        verdict = self.manifest.verdict(self.name, label or self.label)
        verdict.judged.append(Judged(check, result, needs))

    @property
    def evidence(self):
        """The file of the evidence: the label's first word."""
        return self.label.split()[0] if self.label else "report.bin"


def reads(pattern):
    """Adds a reader for the lines that are as the pattern says."""
    def add(reader):
        Line.READERS.append((pattern, reader))
        return reader
    return add


# ---- quotes ----

@reads(rf"quote v(\d) SGX cert_type (\d) qe_svn (\d+) pce_svn (\d+) debug (\d) MRENCLAVE {HEX} MRSIGNER {HEX} "
       rf"prod (\d+) svn (\d+) attributes {HEX} report_data {HEX} trailing (\d+)")
def sgx_quote(line, *values):
    names = ("version", "cert_type", "qe_svn", "pce_svn", "debug", "mrenclave", "mrsigner", "isv_prod_id",
             "isv_svn", "attributes", "report_data", "padding")
    line.show(line.evidence, "quote", tee="SGX", **dict(zip(names, values)))


@reads(rf"quote v(\d) TDX body_type (\d) debug (\d) TEE_TCB_SVN {HEX} (?:TEE_TCB_SVN_2 {HEX} )?MRSEAM {HEX} "
       rf"TDATTR {HEX} XFAM {HEX} MRTD {HEX} RTMR0\.\.3 {HEX} {HEX} {HEX} {HEX} report_data {HEX} trailing (\d+)")
def tdx_quote(line, *values):
    names = ("version", "body_type", "debug", "tee_tcb_svn", "tee_tcb_svn_2", "mrseam", "td_attributes", "xfam",
             "mrtd", "rtmr0", "rtmr1", "rtmr2", "rtmr3", "report_data", "padding")
    line.show(line.evidence, "quote", tee="TDX", **{n: v for n, v in zip(names, values) if v is not None})


@reads(r"quote v4 TDX; signature data (\d+) bytes, file (\d+)")
def tdx_sizes(line, signature, file):
    rest = int(file) - (48 + 584 + 4 + int(signature))
    line.show(line.evidence, "quote", tee="TDX", version="4", padding=str(rest))


@reads(r"VERIFIED: (?:ECDSA P-256 )?quote signature (?:by attestation key )?(GOOD|BAD)"
       r"(?:; QE report_data binds key (GOOD))?")
def quote_signature(line, signature, binding):
    line.judge("quote.signature", VERDICT[signature])
    if binding:
        line.judge("quote.qe-binding", VERDICT[binding])


@reads(rf"VERIFIED: QE report signature by PCK (GOOD); chain PCK->(Intel SGX PCK \w+ CA)->root (GOOD)"
       rf"(?: \(chain order leaf,root,intermediate\))?; embedded root (is|HAS THE KEY OF) the pinned root; "
       rf"PCK sn {HEX} {DATES} FMSPC {HEX} PCEID {HEX} CPUSVN {HEX} PCESVN (\d+)")
def pck(line, signature, issuer, chain, root, serial, since, until, fmspc, pceid, cpusvn, pcesvn):
    line.judge("quote.qe-signature", VERDICT[signature])
    line.judge("quote.chain", VERDICT[chain])
    line.judge("quote.root", "pass")
    line.show(line.evidence, "certificate", subject="Intel SGX PCK Certificate", issuer=issuer, serial=serial,
              not_before=since, not_after=until, fmspc=fmspc, pceid=pceid, cpusvn=cpusvn, pcesvn=pcesvn)
    # Intel's earlier root certificate has the key of the later one, and other dates
    line.show(line.evidence, "certificate", subject="Intel SGX Root CA",
              not_after="2049-12-31T23:59:59Z" if root == "is" else "2033-05-21T10:41:10Z")


@reads(r"VERIFIED: QE report signature by pckCert\.pem (GOOD)"
       r"(?:; key binding GOOD; inner certification data type (\d))?")
def sample_qe(line, signature, kind):
    line.judge("quote.qe-signature", VERDICT[signature], "quote.pck")
    if kind:
        line.judge("quote.qe-binding", "pass")
        line.show(line.evidence, "quote", cert_type=kind)


@reads(r"VERIFIED: chain pckCert->(Intel SGX PCK Processor CA)->test root True")
def sample_chain(line, issuer):
    line.show("pckCert.pem", "certificate", subject="Intel SGX PCK Certificate", issuer=issuer)
    line.show("pckSignChain.pem", "certificate", subject=issuer, issuer="Intel SGX Root CA")
    line.show("trustedRootCaCert.pem", "certificate", subject="Intel SGX Root CA", issuer="Intel SGX Root CA")


@reads(r"computed: FMSPC ([0-9a-f]+) platform TCB level \('UpToDate', \[\], '.*'\)")
def sample_level(line, fmspc):
    line.show("pckCert.pem", "certificate", subject="Intel SGX PCK Certificate", fmspc=fmspc)


# ---- Intel's documents ----

@reads(rf"VERIFIED: TCB info v(\d) id (\w+) fmspc {WORD} tcbEvaluationDataNumber (\d+) {DATES} signature (GOOD|BAD)")
def tcb_info(line, version, name, fmspc, number, since, until, signature):
    line.judge("quote.tcb-info", VERDICT[signature])
    line.show(line.file(TCB_INFO, "tcb_info.json"), "tcb info", version=version, id=id_of(name),
              fmspc=fmspc.lower(), tcb_evaluation=number, issue_date=since, next_update=until)


@reads(rf"VERIFIED: QE identity v(\d) id (\w+) fmspc - tcbEvaluationDataNumber (\d+) {DATES} signature (GOOD|BAD)")
def qe_identity(line, version, name, number, since, until, signature):
    line.judge("quote.qe-identity", VERDICT[signature])
    line.show(line.file(QE_IDENTITY, "qe_identity.json"), "qe identity", version=version, id=name,
              tcb_evaluation=number, issue_date=since, next_update=until)


@reads(rf"VERIFIED: ([\w.-]+): (?:tcbInfo |enclaveIdentity )?id (\w+) v(\d) fmspc {WORD} eval {WORD} {DATES} "
       rf"signature (?:GOOD|BAD)")
def document(line, file, name, version, fmspc, number, since, until):
    common = {"version": version, "tcb_evaluation": number, "issue_date": since, "next_update": until}
    if fmspc == "-":
        line.show(file, "qe identity", id=name, **common)
    else:
        line.show(file, "tcb info", id=id_of(name), fmspc=fmspc.lower(), **common)


@reads(rf"VERIFIED: (\w+\.json) version (\d) (?:id (\w+) )?{DATES} signature True")
def sample_document(line, file, version, name, since, until):
    kind, default = ("tcb info", "-") if file == "tcbInfo.json" else ("qe identity", "QE")
    line.show(file, kind, version=version, id=name or default, issue_date=since, next_update=until)


@reads(r"computed: FMSPC match (True), PCEID match True")
def tcb_match(line, result):
    line.judge("quote.tcb-match", VERDICT[result], "quote.tcb-info")


@reads(rf"computed: platform TCB level (\w+) date {WORD} advisories (\[.*\])")
def platform_level(line, status, _date, advisories):
    # the verdict's status is this one joined with the others; the last line of a set has it
    line.manifest.verdict(line.name, line.label).advisories = tuple(ast.literal_eval(advisories))
    line.manifest.verdict(line.name, line.label).status = status


@reads(r"computed: TDX module TDX_\d\d isvsvn \d+ -> UpToDate; MRSIGNERSEAM match (True)")
def tdx_module(line, result):
    line.judge("quote.tdx-module", VERDICT[result], "quote.tcb-info")
    line.judge("tdx.seam", VERDICT[result])


@reads(r"computed: QE identity matches QE report (True); QE isvsvn (\d+) -> UpToDate")
def qe_match(line, result, svn):
    line.judge("quote.qe-match", VERDICT[result], "quote.qe-identity")
    line.show(line.evidence, "quote", qe_isv_svn=svn)


@reads(rf"computed: all inputs valid together ({TIME}) \(\d+\) \.\. ({TIME}) \(\d+\)( -- EMPTY: no such time)?")
def window(line, since, until, empty):
    line.manifest.verdict(line.name, line.label).window = () if empty else (since, until)


@reads(r"computed verdict inside that window: (\w+)(?: \+ DEBUG enclave/TD: production REFUSE)?"
       r"(?: advisories (\[.*\]))?")
def computed(line, status, advisories):
    verdict = line.manifest.verdict(line.name, line.label)
    verdict.status = status
    verdict.advisories = tuple(ast.literal_eval(advisories or "[]"))


# ---- revocation lists ----

def show_crl(line, file, issuer, since, until, count):
    line.show(file, "crl", issuer=issuer, this_update=since, next_update=until, revoked=count)


@reads(rf"VERIFIED: ([\w.]+|root CRL|PCK CRL) issuer ([\w ]+) {DATES} (\d+) revoked; "
       r"signature (?:GOOD|BAD/unknown issuer); revokes this chain: False; right CA for this PCK: (True|False)")
def crl_of_chain(line, file, issuer, since, until, count, is_right):
    if is_right == "True":
        line.judge("quote.revoked", "pass")
    show_crl(line, "collateral.json" if " " in file else file, issuer, since, until, count)


@reads(rf"VERIFIED: ([\w.]+): CRL ([\w ]+) {DATES} (\d+) revoked signature GOOD")
def crl(line, file, issuer, since, until, count):
    show_crl(line, file, issuer, since, until, count)


@reads(r"VERIFIED: ([\w.]+) issuer ([\w ]+) (\d{4}-\d\d-\d\d)\.\.(\d{4}-\d\d-\d\d) (\d+) revoked signature True")
def sample_crl(line, file, issuer, since, until, count):
    show_crl(line, file, issuer, since + "*", until + "*", count)


@reads(rf"([\w.-]+): issuer (ARK-\w+) {DATES} revoked (\[.*\]) signature by ARK GOOD")
def amd_crl(line, file, issuer, since, until, serials):
    show_crl(line, file, issuer, since, until, str(len(ast.literal_eval(serials))))


# ---- SEV-SNP ----

@reads(rf"report v(\d) policy (0x[0-9a-f]+) \(debug (\d), migrate_ma (\d), smt (\d), abi min (\d+\.\d+)\) vmpl (\d) "
       rf"guest_svn (\d+) signing_key (\w+) mask_chip_key (\d) author_key_en (\d) platform_info (0x[0-9a-f]+) "
       rf"cpuid\(fam,mod,step\) (None|\(.*?\)) reported_tcb (\{{.*?\}}) committed_tcb (\{{.*?\}}) current {WORD} "
       rf"committed {WORD} measurement {HEX} report_data {HEX} host_data {HEX} chip_id {HEX} id_key_digest {HEX} "
       rf"report_id {HEX}")
def snp_report(line, *values):
    names = ("version", "policy", "debug", "migrate_ma", "smt", "abi_min", "vmpl", "guest_svn", "signing_key",
             "mask_chip_key", "author_key_en", "platform_info", "cpuid", "reported_tcb", "committed_tcb", "current",
             "committed", "measurement", "report_data", "host_data", "chip_id", "id_key_digest", "report_id")
    facts = dict(zip(names, values))
    cpuid = ast.literal_eval(facts.pop("cpuid"))
    for name, value in zip(("family", "model", "stepping"), cpuid or (None,) * 3):
        facts["cpuid_" + name] = value if value is None else str(value)
    for name in ("reported_tcb", "committed_tcb"):
        facts[name] = tcb_text(facts[name])
    report = "hcl-report.bin" if line.name.endswith("azure-hcl") else "report.bin"
    line.show(report, "snp report", **facts)
    if line.name == "snp/milan-v2":
        line.show("report.hex", "snp report", **facts)
    if line.name == "snp/steward-milan-csr":
        line.show("evidence.csr", "snp report", **facts)


@reads(r"([\w.]+): (SEV-V[CL]EK) <- (SEV-[\w-]+) sn=(\d+) (\S+ \S+)\.\.(\S+ \S+); chain to pinned ARK (GOOD|BAD); "
       r"ext (\{.*?\})(?:; report signature \(P-384 over bytes 0\.\.671\) (GOOD|BAD); "
       r"reported_tcb==cert TCB (True|False); hwID==chip_id (True|False|n/a \(VLEK\)))?")
def vek(line, file, subject, issuer, serial, since, until, chain, extensions, signature, tcb, chip):
    ext = json.loads(extensions)
    facts = {"struct_version": str(ext.pop("structVersion")), "product": ext.pop("product")}
    facts.update({name: ext.pop(name) for name in ("hwid", "csp") if name in ext})
    facts["tcb"] = " ".join(f"{name}={value}" for name, value in ext.items())
    since, until = time_of(since), time_of(until)
    line.show(file, "certificate", subject=subject, issuer=issuer, serial=serial, not_before=since, not_after=until,
              **facts)
    line.judge("snp.chain", VERDICT[chain], label=file)
    if chain == "GOOD":
        line.judge("snp.root", "pass", label=file)
    if signature:
        line.judge("snp.signature", VERDICT[signature], label=file)
        line.judge("snp.vek-tcb", VERDICT[tcb], label=file)
        line.judge("snp.chip", VERDICT[chip], label=file)
    if chain == "GOOD" and signature:
        line.manifest.verdict(line.name, file).window = (since, until)
