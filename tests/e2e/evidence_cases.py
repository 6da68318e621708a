"""What broch must say of every vector: one Case for each piece of evidence with the endorsements that go
with it. Paths are below shared/vectors; those that begin with ./ are in the folder of the evidence.

A case needs tolerances: each is a part of a policy, and the check that refuses without it. With all of
them the verdict is genuine, or `refusal` is why it is not; with none of them the default policy refuses.
`label` says which lines of the manifest the case is about; the window is theirs unless it has its own, and
`before` and `after` are the checks that refuse a second outside it."""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    evidence: str
    given: tuple = ()
    at: str = ""
    needs: tuple = ()
    refusal: str = None
    label: str = ""
    status: str = ""
    advisories: tuple = ()
    window: tuple = ()
    before: str = ""
    after: str = ""
    fails: tuple = ()  # checks that must fail as well

    @property
    def folder(self):
        return self.evidence.rpartition("/")[0]

    @property
    def files(self):
        """Evidence and endorsements, below shared/vectors."""
        return [self.evidence] + [path.replace(".", self.folder, 1) if path.startswith("./") else path
                                  for path in self.given]


# Tolerances
NO_CRLS = ({"require_crls": False}, "{kind}.crl")
DEBUG = ({"debug": True}, "{kind}.debug")
MILAN_2 = ({"snp": {"versions": [2], "product_of_version_2": "Milan"}}, "snp.version")
GENOA_2 = ({"snp": {"versions": [2], "product_of_version_2": "Genoa"}}, "snp.version")
VLEK = ({"snp": {"keys": ["vlek"]}}, "snp.key-kind")
TCB_INFO_2 = ({"intel": {"tcb_info_versions": [2]}}, "quote.tcb-info")
VMPL_1 = ({"snp": {"vmpls": [1]}}, "snp.vmpl")


def floor(product, snp):
    return {"snp": {"tcb_min": {product: {"snp": snp}}}}, "snp.tcb-minimum"


def status(*words):
    return {"intel": {"tcb_statuses": list(words)}}, "quote.tcb-status"


def advisories(*ids):
    return {"intel": {"advisories": list(ids)}}, "quote.advisories"


EVERY_STATUS = status("UpToDate", "SWHardeningNeeded", "ConfigurationNeeded", "ConfigurationAndSWHardeningNeeded",
                      "OutOfDate", "OutOfDateConfigurationNeeded")

# Endorsements that several sets have use for: signers of TCB info before and after 2025-05-21, lists
SIGNER_2018 = "sgx/platform-oasis/tcb_info_chain.pem"
SIGNER_2025 = "sgx/trust/tcb_signing_chain_2025.pem"
ROOT_CRL_2025 = "tdx/v4-gcp-automata/root_crl.der"
MILAN_CRL = "snp/steward-milan-csr/crl_ark-milan.der"
TEEPOT = "sgx/teepot-pcs/"
SPR = "tdx/v4-google-spr/"

SNP = [
    # no certificate was published
    Case("genoa-v2-parse-only", "snp/genoa-v2-parse-only/report.bin", (), "2025-01-01T00:00:00Z",
         (GENOA_2, floor("genoa", 14)), "snp.vek"),
    Case("genoa-v3", "snp/genoa-v3/report.bin", ("./vcek_chain.pem",), "2026-01-01T00:00:00Z",
         (NO_CRLS,), label="vcek_chain.pem"),
    Case("genoa-v3-azure", "snp/genoa-v3-azure/report.bin", ("./vcek.pem",), "2026-01-01T00:00:00Z",
         (NO_CRLS,), label="vcek.pem"),
    Case("genoa-v3-exttable", "snp/genoa-v3-exttable/report.bin", ("./vcek.pem",), "2026-01-01T00:00:00Z",
         (NO_CRLS,), label="vcek.pem"),
    Case("genoa-v3-certificate-table", "snp/genoa-v3-exttable/report.bin", ("./certtable.bin",),
         "2026-01-01T00:00:00Z", (NO_CRLS,)),
    # the certificate of another chip, and the TCB of another machine
    Case("genoa-v3-of-another-chip", "snp/genoa-v3/report.bin", ("snp/genoa-v5/vcek_chain.pem",),
         "2026-01-01T00:00:00Z", (NO_CRLS,), "snp.signature", fails=("snp.chip", "snp.vek-tcb")),
    Case("genoa-v5", "snp/genoa-v5/report.bin", ("./vcek_chain.pem",), "2026-01-01T00:00:00Z",
         (NO_CRLS,), label="vcek_chain.pem"),
    Case("milan-v2", "snp/milan-v2/report.bin", ("./vcek.der",), "2025-01-01T00:00:00Z",
         (MILAN_2, NO_CRLS, floor("milan", 8)), label="vcek.der"),
    Case("milan-v2-hexadecimal", "snp/milan-v2/report.hex", ("./vcek.der", MILAN_CRL), "2023-04-15T00:00:00Z",
         (MILAN_2, floor("milan", 8)), window=("2023-04-03T19:23:43Z", "2023-05-09T23:00:00Z"),
         before="snp.chain-dates", after="snp.crl"),
    # version 2 does not say its product: the policy's word is held against the certificate
    Case("milan-v2-called-genoa", "snp/milan-v2/report.bin", ("./vcek.der",), "2025-01-01T00:00:00Z",
         (GENOA_2, NO_CRLS), "snp.vek"),
    Case("milan-v2-automata", "snp/milan-v2-automata/report.bin", ("./vcek.der",), "2025-01-01T00:00:00Z",
         (MILAN_2, NO_CRLS, floor("milan", 22)), label="vcek.der"),
    Case("milan-v2-azure-hcl", "snp/milan-v2-azure-hcl/hcl-report.bin", ("./vcek.pem",), "2025-01-01T00:00:00Z",
         (MILAN_2, NO_CRLS, floor("milan", 8)), label="vcek.pem"),
    Case("milan-v2-azure-idkey", "snp/milan-v2-azure-idkey/report.bin", ("./vcek.der",), "2025-01-01T00:00:00Z",
         (MILAN_2, NO_CRLS, floor("milan", 8)), label="vcek.der"),
    Case("milan-v2-wrong-vcek-legacy", "snp/milan-v2-azure-idkey/report.bin", ("./vcek_wrong_legacy.der",),
         "2025-01-01T00:00:00Z", (MILAN_2, NO_CRLS, floor("milan", 8)), "snp.chain", "vcek_wrong_legacy.der"),
    Case("milan-v2-wrong-vcek-new", "snp/milan-v2-azure-idkey/report.bin", ("./vcek_wrong_new.der",),
         "2025-01-01T00:00:00Z", (MILAN_2, NO_CRLS, floor("milan", 8)), "snp.chain", "vcek_wrong_new.der"),
    # wrong ones beside the right one do not keep it from being found
    Case("milan-v2-three-vceks", "snp/milan-v2-azure-idkey/report.bin",
         ("./vcek_wrong_legacy.der", "./vcek_wrong_new.der", "./vcek.der"), "2025-01-01T00:00:00Z",
         (MILAN_2, NO_CRLS, floor("milan", 8))),
    Case("milan-v2-debug", "snp/milan-v2-debug/report.bin", ("./vcek.der",), "2025-01-01T00:00:00Z",
         (MILAN_2, NO_CRLS, DEBUG, floor("milan", 5)), label="vcek.der"),
    Case("milan-v3-azure-a", "snp/milan-v3-azure-a/report.bin", ("./vcek.pem",), "2026-01-01T00:00:00Z",
         (NO_CRLS,), label="vcek.pem"),
    Case("milan-v3-vlek-vmpl1", "snp/milan-v3-vlek-vmpl1/report.bin", ("./vlek.der",), "2025-06-01T00:00:00Z",
         (VLEK, VMPL_1, NO_CRLS), label="vlek.der"),
    Case("milan-v3-vlek-of-another-cloud", "snp/milan-v3-vlek-vmpl1/report.bin", ("./vlek.der",),
         "2025-06-01T00:00:00Z", (VLEK, VMPL_1, NO_CRLS, ({"snp": {"csp_ids": ["example.com"]}}, "snp.csp")),
         "snp.csp"),
    Case("milan-v3-vlek-with-a-vcek", "snp/milan-v3-vlek-vmpl1/report.bin", ("snp/milan-v3-azure-a/vcek.pem",),
         "2025-06-01T00:00:00Z", (VLEK, VMPL_1, NO_CRLS), "snp.key-kind"),
    Case("steward-milan-csr", "snp/steward-milan-csr/evidence.csr", (), "2023-01-01T00:00:00Z",
         (MILAN_2, floor("milan", 6)), window=("2022-09-29T12:48:56Z", "2023-05-09T23:00:00Z"),
         before="snp.chain-dates", after="snp.crl"),
    Case("steward-milan", "snp/steward-milan-csr/report.bin", ("./vcek.der",), "2025-01-01T00:00:00Z",
         (MILAN_2, NO_CRLS, floor("milan", 6)), label="vcek.der"),
    # a list of another product is no list, current or not
    Case("steward-milan-genoa-list", "snp/steward-milan-csr/report.bin", ("./vcek.der", "./crl_ark-genoa.der"),
         "2023-01-01T00:00:00Z", (MILAN_2, floor("milan", 6)), "snp.crl"),
    Case("turin-v5", "snp/turin-v5/report.bin", ("./vcek_chain.pem",), "2026-01-01T00:00:00Z",
         (NO_CRLS,), label="vcek_chain.pem"),
    Case("turin-vcek-only", "snp/turin-v5/report.bin", ("snp/turin-vcek-only/vcek.der",), "2026-01-01T00:00:00Z",
         (NO_CRLS,), "snp.signature", "snp/turin-vcek-only vcek.der", fails=("snp.chip", "snp.vek-tcb")),
    Case("turin-two-vceks", "snp/turin-v5/report.bin", ("snp/turin-vcek-only/vcek.der", "./vcek_chain.pem"),
         "2026-01-01T00:00:00Z", (NO_CRLS,)),
]

# AMD's certificates in each of the forms that they are published in, beside a VCEK or VLEK
TRUST = {
    "snp/milan-v3-azure-a/report.bin": ("./vcek.pem", (NO_CRLS,), [
        "milan.pkipath", "milan_ark.pem", "milan_ask.pem", "milan_ask_ark_asvk.pem", "milan_vcek_cert_chain.pem"]),
    "snp/milan-v3-vlek-vmpl1/report.bin": ("./vlek.der", (VLEK, VMPL_1, NO_CRLS), ["milan_vlek_cert_chain.pem"]),
    "snp/genoa-v3-azure/report.bin": ("./vcek.pem", (NO_CRLS,), [
        "genoa.pkipath", "genoa_ark.pem", "genoa_ask.pem", "genoa_ask_ark_asvk.pem", "genoa_vcek_cert_chain.pem",
        "genoa_vlek_cert_chain.pem"]),
    "snp/turin-v5/report.bin": ("./vcek_chain.pem", (NO_CRLS,), [
        "turin_ark.pem", "turin_ask.pem", "turin_ask_ark_asvk.pem", "turin_vcek_cert_chain.pem",
        "turin_vlek_cert_chain.pem"]),
}
SNP += [Case(f"trust-{file}", evidence, (f"snp/trust/{file}", vek), "2025-11-20T00:00:00Z", needs)
        for evidence, (vek, needs, files) in TRUST.items() for file in files]

OUT_OF_DATE_ICELAKE = ("INTEL-SA-00586", "INTEL-SA-00614", "INTEL-SA-00615", "INTEL-SA-00657", "INTEL-SA-00730",
                       "INTEL-SA-00738", "INTEL-SA-00767", "INTEL-SA-00828", "INTEL-SA-00837", "INTEL-SA-00960")
OUT_OF_DATE_COFFEE_LAKE = ("INTEL-SA-00828", "INTEL-SA-00219", "INTEL-SA-00289", "INTEL-SA-01153",
                           "INTEL-SA-00334", "INTEL-SA-00615")
AUTOMATA_AUGUST = ("sgx/platform-automata/tcb_info.json", "sgx/platform-automata/qe_identity.json",
                   "sgx/platform-automata/platform_crl.der", SIGNER_2025)
COFFEE_LAKE_JUNE = (TEEPOT + "pck_crl_processor.json", ROOT_CRL_2025)
QVL_SGX = "sgx/intel-qvl-sample-testroot/"
QVL_TDX = "tdx/intel-qvl-sample-testroot/"

SGX = [
    Case("debug-platform-occlum", "sgx/debug-platform-occlum/quote.bin", (), "2025-09-01T00:00:00Z",
         (NO_CRLS, DEBUG), "quote.qe-identity", "quote.bin",
         before="quote.chain-dates", after="quote.chain-dates"),
    Case("debug-platform-occlum-complete", "sgx/debug-platform-occlum/quote.bin", (*AUTOMATA_AUGUST, ROOT_CRL_2025),
         "2025-09-01T00:00:00Z", (DEBUG, status("OutOfDate"), advisories(*OUT_OF_DATE_ICELAKE)),
         status="OutOfDate", advisories=OUT_OF_DATE_ICELAKE),
    # TCB info of version 2, which knows of nothing but SGX
    Case("fortanix-pcs", "sgx/fortanix-pcs/quote.bin", ("./00906ea10000.tcb", "./qe3_identity.id", "./processor.crl"),
         "2020-06-01T00:00:00Z", (NO_CRLS, DEBUG, TCB_INFO_2, status("SWHardeningNeeded")), None, "quote.bin",
         before="quote.tcb-info-dates", after="quote.crl"),
    Case("fortanix-pcs-corrupted", "sgx/fortanix-pcs/quote.bin",
         ("./corrupted_00906ea10000.tcb", "./corrupted_qe3_identity.id"), "2020-06-01T00:00:00Z",
         (NO_CRLS, DEBUG), "quote.qe-identity", "quote.bin corrupted collateral"),
    Case("qvl-sample", QVL_SGX + "quote.dat",
         ("./pckCert.pem", "./pckSignChain.pem", "./tcbInfo.json", "./tcbSignChain.pem", "./qeIdentity.json",
          "./intermediateCaCrl.der", "./rootCaCrl.der", "./trustedRootCaCert.pem"), "2025-01-01T00:00:00Z",
         (), "quote.root", "quote.dat"),
    Case("qvl-sample-pem-lists", QVL_SGX + "quote.dat",
         ("./pckCert.pem", "./pckSignChain.pem", "./tcbInfo.json", "./tcbSignChain.pem", "./qveIdentity.json",
          "./intermediateCaCrl.pem", "./rootCaCrl.pem", "./trustedRootCaCert.pem"), "2025-01-01T00:00:00Z",
         (), "quote.root"),
    Case("platform-automata", "sgx/platform-automata/quote.bin", (*AUTOMATA_AUGUST, ROOT_CRL_2025),
         "2025-09-01T00:00:00Z", (status("SWHardeningNeeded"), advisories("INTEL-SA-00615")), None, "quote.bin",
         before="quote.crl", after="quote.qe-identity-dates"),
    Case("platform-automata-one-list", "sgx/platform-automata/quote.bin", AUTOMATA_AUGUST,
         "2025-09-01T00:00:00Z", (NO_CRLS, status("SWHardeningNeeded"), advisories("INTEL-SA-00615"))),
    # an advisory may be tolerated until a day: the one before is the last
    Case("platform-automata-until", "sgx/platform-automata/quote.bin", (*AUTOMATA_AUGUST, ROOT_CRL_2025),
         "2025-08-31T12:00:00Z",
         (status("SWHardeningNeeded"), advisories({"id": "INTEL-SA-00615", "until": "2025-09-01"})),
         window=("2025-08-15T05:41:26Z", "2025-08-31T23:59:59Z"), before="quote.crl", after="quote.advisories"),
    Case("platform-oasis", "sgx/platform-oasis/quote.bin",
         ("./tcb_info.json", "./tcb_info_chain.pem", "./qe_identity.json"), "2023-01-01T00:00:00Z",
         (NO_CRLS, status("SWHardeningNeeded"), advisories("INTEL-SA-00615", "INTEL-SA-00657")), None, "quote.bin",
         before="quote.tcb-info-dates", after="quote.qe-identity-dates"),
    Case("platform-oasis-bad-chain", "sgx/platform-oasis/quote.bin",
         ("./tcb_info.json", "./tcb_info_chain_bad.pem", "./qe_identity.json"), "2023-01-01T00:00:00Z",
         (NO_CRLS, status("SWHardeningNeeded"), advisories("INTEL-SA-00615", "INTEL-SA-00657")), "quote.qe-identity",
         "quote.bin with tcb_info_chain_bad.pem", window=("2022-12-19T09:40:10Z", "2023-01-15T12:45:36Z"),
         before="quote.tcb-info-dates", after="quote.qe-identity-dates"),
    # the platform is named by an encrypted number, with no certificate
    Case("platform-oasis-ppid", "sgx/platform-oasis/quote_ppid_certtype3.bin",
         ("./tcb_info.json", "./tcb_info_chain.pem", "./qe_identity.json"), "2023-01-01T00:00:00Z",
         (NO_CRLS,), "quote.pck", "quote_ppid_certtype3.bin"),
    Case("processor-automata-debug", "sgx/processor-automata-debug/quote.bin", ("./tcb_info.json", SIGNER_2025),
         "2025-05-30T00:00:00Z",
         (NO_CRLS, DEBUG, status("ConfigurationAndSWHardeningNeeded"), advisories("INTEL-SA-00289", "INTEL-SA-00615")),
         "quote.qe-identity", "quote.bin", before="quote.tcb-info-dates", after="quote.tcb-info-dates"),
    Case("processor-automata-debug-complete", "sgx/processor-automata-debug/quote.bin",
         ("./tcb_info.json", TEEPOT + "sgx_qe_identity.json", TEEPOT + "pck_crl_processor.json", ROOT_CRL_2025,
          SIGNER_2025), "2025-05-30T00:00:00Z",
         (DEBUG, status("ConfigurationAndSWHardeningNeeded"), advisories("INTEL-SA-00289", "INTEL-SA-00615")),
         status="ConfigurationAndSWHardeningNeeded", advisories=("INTEL-SA-00289", "INTEL-SA-00615")),
    Case("processor-oe-debug-2", "sgx/processor-oe-debug-2/quote.bin", (), "2025-06-10T00:00:00Z",
         (NO_CRLS, DEBUG), "quote.qe-identity", "quote.bin", before="quote.chain-dates", after="quote.chain-dates"),
    Case("processor-oe-debug-2-complete", "sgx/processor-oe-debug-2/quote.bin",
         ("sgx/fortanix-pcs/00906ed50000-19.tcb", TEEPOT + "sgx_qe_identity.json", *COFFEE_LAKE_JUNE),
         "2025-06-10T00:00:00Z", (DEBUG, status("OutOfDate"), advisories(*OUT_OF_DATE_COFFEE_LAKE)),
         status="OutOfDate", advisories=OUT_OF_DATE_COFFEE_LAKE),
    # version 2 of TCB info names no advisories
    Case("processor-oe-debug-2-tcb-info-v2", "sgx/processor-oe-debug-2/quote.bin",
         (TEEPOT + "sgx_tcb_info_v3.json", TEEPOT + "sgx_qe_identity.json", *COFFEE_LAKE_JUNE),
         "2025-06-10T00:00:00Z", (DEBUG, TCB_INFO_2, status("OutOfDate")), status="OutOfDate"),
    # the identity of the verification enclave, signed by Intel as well, is no identity of a quoting enclave
    Case("processor-oe-debug-2-qve", "sgx/processor-oe-debug-2/quote.bin",
         ("sgx/fortanix-pcs/00906ed50000-19.tcb", TEEPOT + "sgx_qve_identity.json", *COFFEE_LAKE_JUNE),
         "2025-06-10T00:00:00Z", (DEBUG, EVERY_STATUS, advisories(*OUT_OF_DATE_COFFEE_LAKE)), "quote.qe-identity"),
    Case("processor-phala", "sgx/processor-phala/quote.bin", ("./collateral.json",), "2025-07-01T00:00:00Z",
         (status("ConfigurationAndSWHardeningNeeded"), advisories("INTEL-SA-00289", "INTEL-SA-00615")), None,
         "quote.bin", before="quote.tcb-info-dates", after="quote.qe-identity-dates"),
    Case("processor-phala-root-given", "sgx/processor-phala/quote.bin",
         ("./collateral.json", "sgx/trust/intel_sgx_root_ca.der", "sgx/trust/intel_sgx_root_ca.pem"),
         "2025-07-01T00:00:00Z",
         (status("ConfigurationAndSWHardeningNeeded"), advisories("INTEL-SA-00289", "INTEL-SA-00615"))),
    # Steward's evidence has no identity of the quoting enclave
    Case("steward-icelake-csr", "sgx/steward-icelake-xeon-csr/evidence.csr", (), "2023-02-01T00:00:00Z",
         (EVERY_STATUS,), "quote.qe-identity"),
    Case("steward-icelake", "sgx/steward-icelake-xeon-csr/quote.bin",
         ("./tcb_info.json", SIGNER_2018, "./crl_intel_sgx_pck_platform_ca.der",
          "./crl_intel_sgx_pck_processor_ca.der", "./crl_intel_sgx_root_ca.der"), "2023-02-01T00:00:00Z",
         (EVERY_STATUS,), "quote.qe-identity", "quote.bin", window=("2023-01-26T11:33:44Z", "2023-02-24T06:00:49Z"),
         before="quote.tcb-info-dates", after="quote.crl"),
    Case("steward-icelake-stale-identity", "sgx/steward-icelake-xeon-csr/evidence.csr",
         ("sgx/platform-oasis/qe_identity.json",), "2023-02-01T00:00:00Z",
         (EVERY_STATUS,), "quote.qe-identity-dates"),
    Case("steward-icelake-complete", "sgx/steward-icelake-xeon-csr/quote.bin", (*AUTOMATA_AUGUST, ROOT_CRL_2025),
         "2025-09-01T00:00:00Z", (status("OutOfDate"), advisories(*OUT_OF_DATE_ICELAKE)),
         status="OutOfDate", advisories=OUT_OF_DATE_ICELAKE),
    # the list of the other CA does not count
    Case("steward-icelake-wrong-list", "sgx/steward-icelake-xeon-csr/quote.bin",
         ("./tcb_info.json", SIGNER_2018, "./crl_intel_sgx_pck_processor_ca.der", "./crl_intel_sgx_root_ca.der"),
         "2023-02-01T00:00:00Z", (EVERY_STATUS,), "quote.crl"),
    # leaf, root, intermediate: taken in whatever order
    Case("wrong-order-chain", "sgx/wrong-order-chain-fortanix/quote.bin", (), "2025-01-01T00:00:00Z",
         (NO_CRLS, DEBUG), "quote.qe-identity", "quote.bin", before="quote.chain-dates", after="quote.chain-dates"),
    # platform and quoting enclave are both out of date
    Case("wrong-order-chain-complete", "sgx/wrong-order-chain-fortanix/quote.bin",
         ("sgx/fortanix-pcs/00906ea10000.tcb", "sgx/fortanix-pcs/qe3_identity.id", "sgx/fortanix-pcs/processor.crl"),
         "2020-06-01T00:00:00Z", (NO_CRLS, DEBUG, TCB_INFO_2, status("OutOfDate")), status="OutOfDate"),
    Case("wrong-order-chain-corrupted", "sgx/wrong-order-chain-fortanix/quote_corrupted.bin", (),
         "2025-01-01T00:00:00Z", (NO_CRLS, DEBUG), "quote.signature", "quote_corrupted.bin",
         before="quote.chain-dates", after="quote.chain-dates"),
]

GOOGLE_SPR = (SPR + "tcb_info.json", SPR + "qe_identity.json", SPR + "pck_platform_crl.der", SPR + "root_crl.der",
              SIGNER_2018)
TDX_MAY = (TEEPOT + "tdx_tcb_info.json", TEEPOT + "tdx_qe_identity.json", ROOT_CRL_2025)
ALIBABA = ("./tcb_info.json", "./qe_identity.json", SIGNER_2025)
AZURE = "tdx/v5-azure-outdated/collateral.json"
GCP_ADVISORIES = ("INTEL-SA-00960", "INTEL-SA-00982", "INTEL-SA-00986")
MRCONFIGID_GNR = ({"tdx": {"mrconfigids": [
    "889abf4718f037e38d74464c11e7c91a6e9890b5546409e1e7df9de7a51ca93152bf847bd2440328e90adb18b150ed67"]}}, "tdx.owner")
SERVICE_ALIBABA = ({"tdx": {"mrservicetds": [
    "383c87d3bbb047b2d171eaca95312ede99f258088dc788f6ae2ccf8b6dd848fe8d47629e08b3f6cbd4a00dd47a5a033d"]}},
    "tdx.service")
NO_SEPT_VE = ({"tdx": {"sept_ve_disable": False, "attributes_allowed": ["pks"]}}, "tdx.attributes")

TDX = [
    # its chain is not PEM but DER, one behind the other, root first: that is no certification data of type 5
    Case("qvl-sample", QVL_TDX + "quote.dat",
         ("./pckCert.pem", "./pckSignChain.pem", "./tcbInfo.json", "./tcbSignChain.pem", "./qeIdentity.json",
          "./intermediateCaCrl.der", "./rootCaCrl.der", "./trustedRootCaCert.pem"), "2025-01-01T00:00:00Z",
         (), "quote.pck", "quote.dat"),
    Case("v4-debug-trustee", "tdx/v4-debug-trustee/quote.bin", (), "2025-01-01T00:00:00Z", (NO_CRLS, DEBUG),
         "quote.qe-identity", "quote.bin", before="quote.chain-dates", after="quote.chain-dates"),
    Case("v4-debug-trustee-complete", "tdx/v4-debug-trustee/quote.bin", GOOGLE_SPR, "2023-07-01T00:00:00Z",
         (DEBUG,), status="UpToDate"),
    Case("v4-gcp-automata", "tdx/v4-gcp-automata/quote.bin",
         ("./tcb_info.json", "./tcb_signing.der", "./qe_identity.json", "./pck_platform_crl.der", "./root_crl.der",
          "./platform_ca.der"), "2025-07-20T00:00:00Z", (status("OutOfDate"), advisories(*GCP_ADVISORIES)), None,
         "quote.bin", before="quote.qe-identity-dates", after="quote.tcb-info-dates"),
    Case("v4-gnr-trustee", "tdx/v4-gnr-trustee/quote.bin",
         ("./tcb_info.json", "./qe_identity.json", SIGNER_2025, ROOT_CRL_2025), "2025-11-10T00:00:00Z",
         (NO_CRLS, status("OutOfDate"), MRCONFIGID_GNR), None, "quote.bin",
         before="quote.qe-identity-dates", after="quote.tcb-info-dates"),
    Case("v4-gnr-trustee-2026", "tdx/v4-gnr-trustee/quote.bin", ("tdx/fortanix-pcs/tcb-tdx.json", AZURE),
         "2026-03-10T00:00:00Z", (status("OutOfDate"), MRCONFIGID_GNR), status="OutOfDate"),
    # Intel's description of the same kind of platform, for SGX
    Case("v4-gnr-trustee-tcb-info-of-sgx", "tdx/v4-gnr-trustee/quote.bin",
         ("sgx/fortanix-pcs/tcb-json_tcb-sgx.json", SIGNER_2025), "2026-03-10T00:00:00Z", (NO_CRLS, EVERY_STATUS),
         "quote.qe-identity", fails=("quote.tcb-info",)),
    # the description of another kind of platform
    Case("v4-gnr-trustee-tcb-info-of-another", "tdx/v4-gnr-trustee/quote.bin", (AZURE,), "2026-03-10T00:00:00Z",
         (EVERY_STATUS, MRCONFIGID_GNR), "quote.tcb-match"),
    Case("v4-google-cos113", "tdx/v4-google-cos113/quote.bin", (), "2025-06-10T00:00:00Z", (NO_CRLS,),
         "quote.qe-identity", "quote.bin", before="quote.chain-dates", after="quote.chain-dates"),
    # nothing to tolerate: the default policy alone
    Case("v4-google-cos113-complete", "tdx/v4-google-cos113/quote.bin",
         (*TDX_MAY, TEEPOT + "pck_crl_platform.json"), "2025-06-10T00:00:00Z", status="UpToDate",
         window=("2025-05-27T19:31:43Z", "2025-06-26T19:22:46Z"),
         before="quote.tcb-info-dates", after="quote.qe-identity-dates"),
    Case("v4-google-cos113-may", "tdx/v4-google-cos113/quote.bin", (*TDX_MAY, "sgx/fortanix-pcs/platform.crl"),
         "2025-05-30T00:00:00Z", status="UpToDate", window=("2025-05-27T19:31:43Z", "2025-05-31T13:16:32Z"),
         before="quote.tcb-info-dates", after="quote.crl"),
    # no level of Intel's list is as old as this platform; its file is the same with text behind it, see UNREADABLE
    Case("v4-google-spr", "tdx/v4-oasis/quote_out_of_date.bin", GOOGLE_SPR, "2023-07-01T01:00:00Z",
         (EVERY_STATUS, NO_SEPT_VE), "quote.tcb-status", "tdx/v4-google-spr quote.bin",
         before="quote.tcb-info-dates", after="quote.qe-identity-dates"),
    Case("v4-oasis", "tdx/v4-oasis/quote.bin", ("./tcb_info_C0806F.json", "./qe_identity2.json", SIGNER_2018),
         "2024-09-25T00:00:00Z", (NO_CRLS,), None, "quote.bin",
         before="quote.tcb-info-dates", after="quote.qe-identity-dates"),
    Case("v4-oasis-trailing", "tdx/v4-oasis/quote_trailing.bin",
         ("./tcb_info_C0806F.json", "./qe_identity2.json", SIGNER_2018), "2024-09-25T00:00:00Z", (NO_CRLS,), None,
         "quote_trailing.bin", before="quote.chain-dates", after="quote.qe-identity-dates"),
    Case("v4-oasis-out-of-date", "tdx/v4-oasis/quote_out_of_date.bin", GOOGLE_SPR, "2023-06-20T00:00:00Z",
         (EVERY_STATUS, NO_SEPT_VE), "quote.tcb-status", "quote_out_of_date.bin",
         before="quote.tcb-info-dates", after="quote.qe-identity-dates"),
    Case("v4-phala", "tdx/v4-phala/quote.bin", ("./collateral.json",), "2025-07-01T00:00:00Z", (), None, "quote.bin",
         before="quote.qe-identity-dates", after="quote.crl"),
    Case("v4-phala-2026", "tdx/v4-phala/quote.bin", ("tdx/fortanix-pcs/tcb-tdx-2.json", AZURE),
         "2026-03-10T00:00:00Z", status="UpToDate"),
    Case("v5-alibaba-automata", "tdx/v5-alibaba-automata/quote.bin", ALIBABA, "2025-06-20T00:00:00Z",
         (NO_CRLS, SERVICE_ALIBABA), None, "quote.bin", before="quote.chain-dates", after="quote.qe-identity-dates"),
    Case("v5-alibaba-automata-complete", "tdx/v5-alibaba-automata/quote.bin",
         (*ALIBABA, TEEPOT + "pck_crl_platform.json", ROOT_CRL_2025), "2025-06-20T00:00:00Z", (SERVICE_ALIBABA,),
         status="UpToDate"),
    Case("v5-azure-outdated", "tdx/v5-azure-outdated/quote.bin", ("./collateral.json",), "2026-03-01T00:00:00Z",
         (EVERY_STATUS,), "quote.tcb-status", "quote.bin", before="quote.tcb-info-dates", after="quote.crl"),
    Case("v5-google", "tdx/v5-google/quote.bin",
         ("./tcb_info.json", "tdx/fortanix-pcs/qeid-tdx.json", ROOT_CRL_2025, SIGNER_2025),
         "2026-02-03T01:00:00Z", (NO_CRLS,), None, "quote.bin",
         window=("2026-02-01T14:49:26Z", "2026-02-06T12:03:53Z"),
         before="quote.tcb-info-dates", after="quote.qe-identity-dates"),
    Case("v5-google-complete", "tdx/v5-google/quote.bin",
         ("./tcb_info.json", AZURE, "sgx/fortanix-pcs/IntelSGXRootCA.crl"), "2026-02-20T00:00:00Z", status="UpToDate"),
    # what is stale beside what is current, and before it: the current counts
    Case("v5-google-stale-beside-current", "tdx/v5-google/quote.bin",
         ("tdx/v5-alibaba-automata/tcb_info.json", "tdx/v5-alibaba-automata/qe_identity.json", "./tcb_info.json", AZURE),
         "2026-02-20T00:00:00Z", status="UpToDate"),
    # a list from after the time of the verdict is none
    Case("v5-google-list-of-the-future", "tdx/v5-google/quote.bin",
         ("./tcb_info.json", "tdx/fortanix-pcs/qeid-tdx.json", "sgx/fortanix-pcs/IntelSGXRootCA.crl", SIGNER_2025),
         "2026-02-03T01:00:00Z", (), "quote.crl"),
    Case("v5-google-identity-of-sgx", "tdx/v5-google/quote.bin",
         ("./tcb_info.json", "sgx/fortanix-pcs/qe-identity_qeid-sgx.json", SIGNER_2025), "2026-02-03T01:00:00Z",
         (NO_CRLS,), "quote.qe-identity"),
    Case("v5-trustee", "tdx/v5-trustee/quote.bin", (), "2025-06-20T00:00:00Z", (NO_CRLS,), "quote.qe-identity",
         "quote.bin", before="quote.chain-dates", after="quote.chain-dates"),
    Case("v5-trustee-complete", "tdx/v5-trustee/quote.bin", (AZURE,), "2026-03-01T00:00:00Z", (EVERY_STATUS,),
         "quote.tcb-status", status="NotSupported"),
]

CASES = {f"{case.evidence.partition('/')[0]}-{case.name}": case for case in SNP + SGX + TDX}
assert len(CASES) == len(SNP + SGX + TDX)

# Files that neither `show` nor `verify` reads, and why.
UNREADABLE = {
    "snp/genoa-v3-azure/evidence.json": "a TPM's evidence, which Broch does not judge",
    "snp/milan-v3-azure-a/evidence.json": "the same in an older form",
    "snp/genoa-v3-exttable/tsm-report.json": "the container of a tool; its parts are given as they are",
    "snp/genoa-v3-exttable/tsm-report.cbor": "the same as CBOR",
    "tdx/v4-google-spr/quote.bin": "text follows the quote; tdx/v4-oasis/quote_out_of_date.bin is it without",
    "tdx/intel-qvl-sample-testroot/tcbInfo.json": "its TCB components are not of a byte each: made up",
    **{f"sgx/oe-json-parser/tcbInfoNegative{defect}.json": "its name says the defect" for defect in (
        "CompSvn", "Float", "IntegerOverflow", "IntegerWithSign", "InvalidIssueDate", "InvalidNextUpdate",
        "MissingNextUpdate", "PceSvn", "PropertyMissingLevel0", "PropertyMissingLevel1", "PropertyMissingLevel2",
        "PropertyMissingLevel3", "PropertyWrongTypeLevel0", "PropertyWrongTypeLevel1", "PropertyWrongTypeLevel2",
        "PropertyWrongTypeLevel3", "Signature", "StringEscape")},
}

# The certificates in files of which the manifest prints no facts: their subjects, in any order.
INTEL_SIGNING = ["Intel SGX TCB Signing", "Intel SGX Root CA"]
CERTIFICATES = {
    **{f"snp/trust/{product.lower()}_{form}": [name.format(product) for name in names]
       for product in ("Milan", "Genoa", "Turin") for form, names in {
           "ark.pem": ["ARK-{}"], "ask.pem": ["SEV-{}"], "ask_ark_asvk.pem": ["SEV-{}", "ARK-{}", "SEV-VLEK-{}"],
           "vcek_cert_chain.pem": ["SEV-{}", "ARK-{}"], "vlek_cert_chain.pem": ["SEV-VLEK-{}", "ARK-{}"]}.items()},
    "snp/trust/milan.pkipath": ["ARK-Milan", "SEV-Milan"],
    "snp/trust/genoa.pkipath": ["ARK-Genoa", "SEV-Genoa"],
    "snp/genoa-v3-exttable/certtable.bin": ["ARK-Genoa", "SEV-Genoa", "SEV-VCEK"],
    "sgx/trust/intel_sgx_root_ca.der": ["Intel SGX Root CA"],
    "sgx/trust/intel_sgx_root_ca.pem": ["Intel SGX Root CA"],
    "sgx/trust/tcb_signing_chain_2025.pem": INTEL_SIGNING,
    "sgx/platform-oasis/tcb_info_chain.pem": INTEL_SIGNING,
    "sgx/platform-oasis/tcb_info_chain_bad.pem": ["Intel SGX PCK Platform CA", "Intel SGX Root CA"],
    # of this answer only the chain is read: the list of evaluations is for a person to choose from
    "sgx/teepot-pcs/sgx_tcb_eval_nums.json": INTEL_SIGNING,
    "sgx/intel-qvl-sample-testroot/tcbSignChain.pem": INTEL_SIGNING,
    "tdx/intel-qvl-sample-testroot/tcbSignChain.pem": INTEL_SIGNING,
    "tdx/v4-gcp-automata/tcb_signing.der": ["Intel SGX TCB Signing"],
    "tdx/v4-gcp-automata/platform_ca.der": ["Intel SGX PCK Platform CA"],
}
