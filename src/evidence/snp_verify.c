/* The verdict about an SNP report. AMD 56860; AMD 57230; the checks are those of checks.def. */
#include "evidence/snp_vek.h"
#include "evidence/verifier.h"

#define POLICY_BITS_KNOWN UINT64_C(0x3ffffff)

struct snp_run {
    struct run *run;
    struct verdict *verdict;
    const struct evidence_policy *policy;
    struct snp_report report;
    enum snp_product product;
    const struct certificate *certificate; /* of the endorsement key; NULL: there is none */
    bool has_vek;
    struct snp_vek vek;
    struct chain chain;
};

/* ---- the report itself ---- */

static bool judge_format(struct snp_run *s)
{
    struct err err;
    char text[ERR_TEXT_SIZE];

    bool ok = snp_report_parse(s->run->input->evidence, &s->report, &err);
    return verdict_judge(s->verdict, CHECK_SNP_FORMAT, ok, "1184 bytes of version 2 to 5",
                         ok ? "well formed"
                            : verdict_text(s->verdict, "%s", err_text(&err, NULL, text)));
}

static void judge_head(struct snp_run *s)
{
    const struct snp_report *r = &s->report;

    (void)verdict_judge(
        s->verdict, CHECK_SNP_VERSION, (s->policy->snp.versions >> r->version & 1) != 0,
        "a version that the policy allows", verdict_text(s->verdict, "version %u", r->version));
    (void)verdict_judge(s->verdict, CHECK_SNP_ALGORITHM, r->signature_algorithm == 1,
                        "1, ECDSA P-384 with SHA-384",
                        verdict_text(s->verdict, "%u", r->signature_algorithm));
}

static void judge_product(struct snp_run *s)
{
    const struct snp_report *r = &s->report;

    s->product = r->has_cpuid ? snp_report_product(r) : s->policy->snp.product_of_version_2;
    if (!r->has_cpuid)
        (void)verdict_judge(s->verdict, CHECK_SNP_PRODUCT, s->product != SNP_PRODUCT_UNKNOWN,
                            "a product that the policy names, as version 2 does not",
                            snp_product_name(s->product));
    else
        (void)verdict_judge(s->verdict, CHECK_SNP_PRODUCT, s->product != SNP_PRODUCT_UNKNOWN,
                            "Milan, Genoa or Turin",
                            verdict_text(s->verdict, "family 0x%x, model 0x%x: %s", r->cpuid_family,
                                         r->cpuid_model, snp_product_name(s->product)));
}

/* ---- the key and its chain ---- */

/* How well a certificate fits the report: its kind, then its chip or TCB. */
static unsigned fitness(const struct snp_run *s, const struct certificate *c)
{
    bool is_vlek = strcmp(c->name, SNP_VLEK_NAME) == 0;
    struct snp_vek vek;
    struct snp_tcb reported;
    struct err err;
    unsigned fit = 1;

    if (is_vlek == (s->report.signing_key == SNP_SIGNED_BY_VLEK))
        fit += 4;
    if (!snp_vek_parse(c, &vek, &err))
        return fit;
    if (vek.is_vlek || bytes_equal(vek.chip_id, bytes_from(s->report.chip_id, vek.chip_id.size)))
        fit += 2;
    if (snp_tcb_parse(s->report.reported_tcb, vek.product, &reported) &&
        snp_tcb_is_at_least(&reported, &vek.tcb) && snp_tcb_is_at_least(&vek.tcb, &reported))
        fit += 1;
    return fit;
}

static void find_vek(struct snp_run *s)
{
    const struct collateral_view *c = s->run->collateral;
    unsigned best = 0;

    for (size_t i = 0; i < c->certificate_count; i++) {
        unsigned fit = snp_vek_is_meant(&c->certificates[i]) ? fitness(s, &c->certificates[i]) : 0;
        if (fit > best) {
            best = fit;
            s->certificate = &c->certificates[i];
        }
    }
}

static void judge_vek(struct snp_run *s)
{
    static const char expected[] = "the certificate of a VCEK or VLEK of the report's product";
    struct err err = {.msg = ""};

    if (s->certificate == NULL) {
        (void)verdict_judge(s->verdict, CHECK_SNP_VEK, false, expected, "there is none");
        return;
    }
    s->has_vek = snp_vek_parse(s->certificate, &s->vek, &err);
    if (!s->has_vek)
        (void)verdict_judge(s->verdict, CHECK_SNP_VEK, false, expected, err.msg);
    else
        (void)verdict_judge(s->verdict, CHECK_SNP_VEK, s->vek.product == s->product, expected,
                            verdict_text(s->verdict, "%s of %s", s->certificate->name,
                                         snp_product_name(s->vek.product)));
}

static void judge_key_kind(struct snp_run *s)
{
    const struct snp_report *r = &s->report;
    const char *named = r->signing_key == SNP_SIGNED_BY_VCEK   ? "VCEK"
                        : r->signing_key == SNP_SIGNED_BY_VLEK ? "VLEK"
                                                               : "no key";
    bool is_vlek = s->certificate != NULL && strcmp(s->certificate->name, SNP_VLEK_NAME) == 0;
    bool is_allowed = r->signing_key == SNP_SIGNED_BY_VCEK   ? s->policy->snp.vcek
                      : r->signing_key == SNP_SIGNED_BY_VLEK ? s->policy->snp.vlek
                                                             : false;
    bool fits = s->certificate == NULL || is_vlek == (r->signing_key == SNP_SIGNED_BY_VLEK);
    /* a platform that masks its chip's key does not sign with it */
    bool is_consistent = !(r->masks_chip_key && r->signing_key == SNP_SIGNED_BY_VCEK);

    (void)verdict_judge(
        s->verdict, CHECK_SNP_KEY_KIND, is_allowed && fits && is_consistent,
        s->policy->snp.vlek ? s->policy->snp.vcek ? "VCEK or VLEK, as certified" : "VLEK, certified"
                            : "VCEK, certified",
        verdict_text(s->verdict, "the report names %s%s%s%s", named,
                     r->masks_chip_key ? ", masked" : "", s->certificate != NULL ? "; given: " : "",
                     s->certificate != NULL ? s->certificate->name : ""));
}

/* SEV-Milan for VCEKs, SEV-VLEK-Milan for VLEKs: an ASK may not stand in for an ASVK. */
static bool is_right_issuer(const struct snp_run *s)
{
    char wanted[COMMON_NAME_SIZE];
    struct writer w = writer_fixed(wanted, sizeof wanted);

    writer_format(&w, "%s%s",
                  strcmp(s->certificate->name, SNP_VLEK_NAME) == 0 ? "SEV-VLEK-" : "SEV-",
                  snp_product_name(s->product));
    return bytes_is(bytes_from(w.data, w.size), s->certificate->issuer);
}

static void judge_chain(struct snp_run *s)
{
    const struct chain_pool pool = run_pool(s->run);
    struct chain_roots roots;
    const struct certificate *links[3];

    if (s->certificate == NULL || s->product == SNP_PRODUCT_UNKNOWN)
        return;
    run_roots(s->run, root_of_product(s->product), &roots);
    const char *root = verdict_text(s->verdict, "%s, pinned", roots.items[0]->name);
    chain_build(s->certificate, true, &pool, &roots, X509_FORM_AMD, s->run->verifier->signatures,
                &s->chain);
    s->verdict->is_simulated = s->chain.fault == CHAIN_GOOD && s->chain.is_simulated;
    const char *impostor =
        chain_impostor(&pool, &roots, X509_FORM_AMD, s->run->verifier->signatures);
    if (impostor != NULL)
        (void)verdict_judge(s->verdict, CHECK_SNP_ROOT, false, root, impostor);
    if (s->chain.fault == CHAIN_UNPINNED || s->chain.root == NULL) {
        (void)verdict_judge(s->verdict,
                            s->chain.fault == CHAIN_UNPINNED ? CHECK_SNP_ROOT : CHECK_SNP_CHAIN,
                            false, root, s->chain.why);
    } else {
        (void)verdict_judge(s->verdict, CHECK_SNP_ROOT, true, root,
                            s->chain.is_simulated ? "it, SIMULATED" : "it");
        (void)verdict_judge(
            s->verdict, CHECK_SNP_CHAIN, s->chain.fault == CHAIN_GOOD && is_right_issuer(s),
            "RSA-PSS with SHA-384 from link to link",
            s->chain.fault != CHAIN_GOOD ? s->chain.why
            : is_right_issuer(s) ? verdict_text(s->verdict, "%s, %s, %s", s->chain.root->name,
                                                s->chain.intermediate->name, s->certificate->name)
                                 : verdict_text(s->verdict, "%s issued a %s",
                                                s->certificate->issuer, s->certificate->name));
    }
    run_judge_dates(s->run, CHECK_SNP_CHAIN_DATES, links, chain_links(&s->chain, links));
}

/* A revocation list of an issuer; whether there is one. *bad: what is wrong with it; *listed: the
 * certificate that it lists. */
static bool look_up(struct snp_run *s, const struct certificate *issuer, bool is_wanted,
                    const char **bad, const struct certificate **listed)
{
    const struct certificate *links[3];
    const char *why;
    const struct crl *crl = run_find_crl(s->run, issuer, X509_FORM_AMD, &why);
    size_t count = chain_links(&s->chain, links);

    if (why != NULL && (crl != NULL || is_wanted))
        *bad = why;
    for (size_t i = 0; crl != NULL && i < count; i++) {
        if (certificate_is_issued_by(links[i], issuer) && crl_lists(crl, links[i]))
            *listed = links[i];
    }
    return crl != NULL;
}

static void judge_revocation(struct snp_run *s)
{
    const char *bad = NULL;
    const struct certificate *listed = NULL;

    if (s->certificate == NULL || s->chain.fault != CHAIN_GOOD)
        return;
    /* AMD publishes one list of a product's root; should there be one of the intermediate, it
     * counts as well */
    bool has_root = look_up(s, s->chain.root, s->policy->require_crls, &bad, &listed);
    bool has_other = look_up(s, s->chain.intermediate, false, &bad, &listed);
    if (!has_root && !has_other && !s->policy->require_crls) {
        verdict_skip(s->verdict, CHECK_SNP_CRL, "the policy asks for no list, and there is none");
        verdict_skip(s->verdict, CHECK_SNP_REVOKED, "there is no list");
        return;
    }
    (void)verdict_judge(s->verdict, CHECK_SNP_CRL, bad == NULL,
                        verdict_text(s->verdict, "a current list of %s", s->chain.root->name),
                        bad != NULL ? bad
                        : has_root  ? "it"
                                   : "one of the intermediate, and none of the root, as the policy "
                                     "asks for neither");
    (void)verdict_judge(s->verdict, CHECK_SNP_REVOKED, listed == NULL, "no certificate is listed",
                        listed == NULL ? "none is"
                                       : verdict_text(s->verdict, "%s is", listed->name));
}

static void judge_signature(struct snp_run *s)
{
    struct err err = {.msg = "good"};
    EVP_PKEY *key = s->certificate != NULL ? X509_get0_pubkey(s->certificate->x509) : NULL;

    if (key == NULL)
        return;
    bool ok = snp_report_verify_signature(&s->report, key, &err);
    (void)verdict_judge(s->verdict, CHECK_SNP_SIGNATURE, ok, "a signature of the endorsement key",
                        err.msg);
}

/* ---- TCB and chip ---- */

static const char *tcb_text(struct snp_run *s, const struct snp_tcb *t)
{
    return s->product == SNP_TURIN
               ? verdict_text(s->verdict, "fmc=%u bl=%u tee=%u snp=%u ucode=%u", t->fmc,
                              t->bootloader, t->tee, t->snp, t->microcode)
               : verdict_text(s->verdict, "bl=%u tee=%u snp=%u ucode=%u", t->bootloader, t->tee,
                              t->snp, t->microcode);
}

static bool tcb_is_equal(const struct snp_tcb *a, const struct snp_tcb *b)
{
    return snp_tcb_is_at_least(a, b) && snp_tcb_is_at_least(b, a);
}

static void judge_tcb(struct snp_run *s)
{
    const struct snp_report *r = &s->report;
    const struct snp_tcb *min = &s->policy->snp.tcb_min[s->product];
    struct snp_tcb reported = {.snp = 0}, committed = {.snp = 0}, current = {.snp = 0},
                   launch = {.snp = 0};

    if (s->product == SNP_PRODUCT_UNKNOWN)
        return;
    bool ok = snp_tcb_parse(r->reported_tcb, s->product, &reported) &&
              snp_tcb_parse(r->committed_tcb, s->product, &committed) &&
              snp_tcb_parse(r->current_tcb, s->product, &current) &&
              snp_tcb_parse(r->launch_tcb, s->product, &launch);
    if (!verdict_judge(s->verdict, CHECK_SNP_TCB_FORM, ok, "reserved bytes are zero",
                       ok ? "they are" : "they are not"))
        return;
    if (s->has_vek)
        (void)verdict_judge(s->verdict, CHECK_SNP_VEK_TCB, tcb_is_equal(&s->vek.tcb, &reported),
                            tcb_text(s, &s->vek.tcb), tcb_text(s, &reported));
    ok = snp_tcb_is_at_least(&current, &committed) && snp_tcb_is_at_least(&committed, &reported) &&
         snp_tcb_is_at_least(&current, &launch);
    (void)verdict_judge(s->verdict, CHECK_SNP_TCB_ORDER, ok,
                        "reported <= committed <= current, launch <= current",
                        verdict_text(s->verdict, "reported %s; committed %s; current %s; launch %s",
                                     tcb_text(s, &reported), tcb_text(s, &committed),
                                     tcb_text(s, &current), tcb_text(s, &launch)));
    ok = snp_tcb_is_at_least(&reported, min) && snp_tcb_is_at_least(&committed, min) &&
         snp_tcb_is_at_least(&launch, min);
    (void)verdict_judge(s->verdict, CHECK_SNP_TCB_MINIMUM, ok,
                        verdict_text(s->verdict, "at least %s", tcb_text(s, min)),
                        verdict_text(s->verdict, "reported %s; committed %s; launch %s",
                                     tcb_text(s, &reported), tcb_text(s, &committed),
                                     tcb_text(s, &launch)));
}

static void judge_chip(struct snp_run *s)
{
    const uint8_t *chip = s->report.chip_id;
    struct bytes whole = bytes_from(chip, SNP_CHIP_ID_SIZE);
    bool is_masked = bytes_are_zero(whole);

    if (s->has_vek && s->vek.is_vlek) {
        verdict_skip(s->verdict, CHECK_SNP_CHIP, "a VLEK is for no chip");
    } else if (is_masked && s->policy->snp.masked_chip_id) {
        verdict_skip(s->verdict, CHECK_SNP_CHIP, "the chip is masked, which the policy allows");
    } else if (s->has_vek) {
        size_t size = s->vek.chip_id.size;
        bool ok = !is_masked && bytes_equal(s->vek.chip_id, bytes_from(chip, size)) &&
                  bytes_are_zero(bytes_after(whole, size));
        (void)verdict_judge(s->verdict, CHECK_SNP_CHIP, ok, verdict_hex(s->verdict, s->vek.chip_id),
                            is_masked ? "masked: all zero" : verdict_hex(s->verdict, whole));
    }
    run_judge_list(s->run, CHECK_SNP_CHIP_ALLOWED, &s->policy->snp.chip_ids, whole,
                   "the policy lists no chips");
    if (!is_masked) {
        memcpy(s->verdict->platform, chip, SNP_CHIP_ID_SIZE);
        s->verdict->platform_size = SNP_CHIP_ID_SIZE;
    }
    if (!s->has_vek)
        return;
    if (!s->vek.is_vlek)
        verdict_skip(s->verdict, CHECK_SNP_CSP, "a VCEK is lent to no cloud");
    else if (s->policy->snp.csp_ids.count == 0)
        verdict_skip(s->verdict, CHECK_SNP_CSP, "the policy lists no clouds");
    else
        (void)verdict_judge(
            s->verdict, CHECK_SNP_CSP, bytes_list_has(&s->policy->snp.csp_ids, s->vek.csp),
            "one that the policy lists",
            verdict_text(s->verdict, "%.*s", (int)bytes_before(s->vek.csp, 200).size,
                         (const char *)s->vek.csp.data));
}

static uint32_t version_number(struct snp_firmware_version v)
{
    return (uint32_t)v.major << 16 | (uint32_t)v.minor << 8 | v.build;
}

static void judge_firmware(struct snp_run *s)
{
    const struct snp_report *r = &s->report;
    struct snp_firmware_version min = s->policy->snp.firmware_min;
    uint64_t wanted = s->policy->snp.mitigations;

    (void)verdict_judge(
        s->verdict, CHECK_SNP_FIRMWARE, version_number(r->committed) >= version_number(min),
        verdict_text(s->verdict, "at least %u.%u.%u", min.major, min.minor, min.build),
        verdict_text(s->verdict, "%u.%u.%u", r->committed.major, r->committed.minor,
                     r->committed.build));
    if (wanted == 0)
        verdict_skip(s->verdict, CHECK_SNP_MITIGATION, "the policy asks for none");
    else
        (void)verdict_judge(s->verdict, CHECK_SNP_MITIGATION,
                            (r->launch_mit_vector & r->current_mit_vector & wanted) == wanted,
                            verdict_text(s->verdict, "0x%llx", (unsigned long long)wanted),
                            verdict_text(s->verdict, "launch 0x%llx, current 0x%llx",
                                         (unsigned long long)r->launch_mit_vector,
                                         (unsigned long long)r->current_mit_vector));
}

/* ---- the guest's policy and the platform ---- */

/* Bits that must be there, and bits that must not. */
static void judge_bits(struct snp_run *s, enum check_id id, uint64_t bits, uint64_t required,
                       uint64_t forbidden)
{
    (void)verdict_judge(s->verdict, id, (bits & required) == required && (bits & forbidden) == 0,
                        verdict_text(s->verdict, "with 0x%llx, without 0x%llx",
                                     (unsigned long long)required, (unsigned long long)forbidden),
                        verdict_text(s->verdict, "0x%llx", (unsigned long long)bits));
}

static void judge_guest(struct snp_run *s)
{
    const struct snp_report *r = &s->report;
    const uint8_t *abi = s->policy->snp.abi_min;

    (void)verdict_judge(s->verdict, CHECK_SNP_POLICY_FORM,
                        (r->policy & SNP_POLICY_RESERVED_ONE) != 0 &&
                            (r->policy & ~POLICY_BITS_KNOWN) == 0,
                        "bit 17 set, bits 26 to 63 clear",
                        verdict_text(s->verdict, "0x%llx", (unsigned long long)r->policy));
    bool is_debug = (r->policy & SNP_POLICY_DEBUG) != 0;
    (void)verdict_judge(s->verdict, CHECK_SNP_DEBUG, !is_debug || s->policy->debug,
                        s->policy->debug ? "anything: the policy allows debugging" : "DEBUG clear",
                        is_debug ? "DEBUG set" : "DEBUG clear");
    bool migrates = (r->policy & SNP_POLICY_MIGRATE_MA) != 0;
    (void)verdict_judge(s->verdict, CHECK_SNP_MIGRATION,
                        !migrates || s->policy->snp.migration_agent, "MIGRATE_MA as allowed",
                        migrates ? "MIGRATE_MA set" : "MIGRATE_MA clear");
    judge_bits(s, CHECK_SNP_POLICY_BITS, r->policy, s->policy->snp.policy_required,
               s->policy->snp.policy_forbidden);
    (void)verdict_judge(
        s->verdict, CHECK_SNP_ABI,
        r->policy_abi_major > abi[0] ||
            (r->policy_abi_major == abi[0] && r->policy_abi_minor >= abi[1]),
        verdict_text(s->verdict, "at least %u.%u", abi[0], abi[1]),
        verdict_text(s->verdict, "%u.%u", r->policy_abi_major, r->policy_abi_minor));
    judge_bits(s, CHECK_SNP_PLATFORM, r->platform_info, s->policy->snp.platform_required,
               s->policy->snp.platform_forbidden);
    (void)verdict_judge(s->verdict, CHECK_SNP_VMPL,
                        r->vmpl <= 3 && (s->policy->snp.vmpls >> r->vmpl & 1) != 0,
                        "a level that the policy lists", verdict_text(s->verdict, "%u", r->vmpl));
}

/* ---- what runs ---- */

static void judge_id_key(struct snp_run *s)
{
    const struct snp_report *r = &s->report;
    struct bytes id = bytes_from(r->id_key_digest, sizeof r->id_key_digest);
    struct bytes author = bytes_from(r->author_key_digest, sizeof r->author_key_digest);
    bool has_author = !bytes_are_zero(author);
    const struct bytes_list *ids = &s->policy->snp.id_keys, *authors = &s->policy->snp.author_keys;

    if (has_author != r->has_author_key) {
        (void)verdict_judge(s->verdict, CHECK_SNP_ID_KEY, false, "AUTHOR_KEY_EN and digest agree",
                            "they do not");
        return;
    }
    if (bytes_list_has(&s->policy->snp.id_keys_denied, id)) {
        (void)verdict_judge(s->verdict, CHECK_SNP_ID_KEY, false,
                            "a key that the policy does not deny", verdict_hex(s->verdict, id));
        return;
    }
    if (ids->count == 0 && authors->count == 0) {
        verdict_skip(s->verdict, CHECK_SNP_ID_KEY, "the policy lists no keys");
        return;
    }
    if (ids->count != 0)
        run_judge_list(s->run, CHECK_SNP_ID_KEY, ids, id, NULL);
    if (authors->count != 0)
        run_judge_list(s->run, CHECK_SNP_ID_KEY, authors, author, NULL);
}

static void judge_image(struct snp_run *s)
{
    const struct snp_report *r = &s->report;
    const struct bytes_list *families = &s->policy->snp.family_ids;
    const struct bytes_list *images = &s->policy->snp.image_ids;

    struct bytes measured = bytes_from(r->measurement, sizeof r->measurement);

    run_judge_list(s->run, CHECK_SNP_MEASUREMENT, &s->policy->snp.measurements, measured,
                   s->policy->any_workload ? "the policy allows any image" : NULL);
    if (bytes_list_has(&s->policy->snp.measurements_denied, measured))
        (void)verdict_judge(s->verdict, CHECK_SNP_MEASUREMENT, false,
                            "a measurement that the policy does not deny",
                            verdict_hex(s->verdict, measured));
    run_judge_list(s->run, CHECK_SNP_HOST_DATA, &s->policy->snp.host_data,
                   bytes_from(r->host_data, sizeof r->host_data), "the policy lists none");
    judge_id_key(s);
    if (families->count == 0 && images->count == 0)
        verdict_skip(s->verdict, CHECK_SNP_FAMILY, "the policy lists none");
    if (families->count != 0)
        run_judge_list(s->run, CHECK_SNP_FAMILY, families,
                       bytes_from(r->family_id, sizeof r->family_id), NULL);
    if (images->count != 0)
        run_judge_list(s->run, CHECK_SNP_FAMILY, images,
                       bytes_from(r->image_id, sizeof r->image_id), NULL);
    (void)verdict_judge(s->verdict, CHECK_SNP_SVN, r->guest_svn >= s->policy->snp.guest_svn_min,
                        verdict_text(s->verdict, "at least %u", s->policy->snp.guest_svn_min),
                        verdict_text(s->verdict, "%u", r->guest_svn));
    run_judge_report_data(s->run, CHECK_SNP_REPORT_DATA, r->report_data);
}

void snp_verify(struct run *run)
{
    struct snp_run s = {.run = run, .verdict = run->verdict, .policy = run->policy};

    if (!judge_format(&s))
        return;
    judge_head(&s);
    judge_product(&s);
    find_vek(&s);
    judge_key_kind(&s);
    judge_vek(&s);
    judge_chain(&s);
    judge_revocation(&s);
    judge_signature(&s);
    judge_tcb(&s);
    judge_chip(&s);
    judge_firmware(&s);
    judge_guest(&s);
    judge_image(&s);
}
