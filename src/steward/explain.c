#include "steward/explain.h"

#include "base/banned.h"

static void explain_rule(struct writer *w, const struct workload_rule *rule)
{
    static const char *const technologies[] = {"", "snp", "sgx", "tdx"};

    writer_text(w, "  - ");
    writer_shown(w, rule->workload.size != 0 ? rule->workload : bytes_of("any workload"));
    for (size_t i = 0; i < rule->tags.count; i++) {
        writer_text(w, i == 0 ? ", with tag " : " or ");
        writer_shown(w, rule->tags.items[i]);
    }
    for (size_t i = 0; i < rule->digest_texts.count; i++) {
        writer_text(w, i == 0 ? ", with digest " : " or ");
        writer_shown(w, rule->digest_texts.items[i]);
    }
    for (unsigned t = 1, n = 0; t < COUNT_OF(technologies); t++) {
        if ((rule->technologies >> t & 1) != 0)
            writer_format(w, "%s%s", n++ == 0 ? ", on " : " or ", technologies[t]);
    }
    writer_text(w, "\n");
}

static void explain_workloads(struct writer *w, const struct workload_policy *p)
{
    writer_text(w, "Workloads\n");
    if (p->any)
        writer_text(w, "  Any workload is certified: what it is stands in its certificate.\n");
    else if (p->rule_count == 0)
        writer_text(w, "  No workload is certified: [workloads] names none, and 'any' is false.\n");
    else
        writer_text(w, "  These workloads are certified, and no others:\n");
    for (size_t i = 0; !p->any && i < p->rule_count; i++)
        explain_rule(w, &p->rules[i]);
    writer_format(w, "  A keep that has no workload yet %s a platform certificate.\n",
                  p->platform ? "gets" : "does not get");
    writer_format(w, "  Keeps of Enarx %s certified, without a workload.\n",
                  p->enarx ? "are" : "are not");
}

static void explain_registries(struct writer *w, const struct steward_config *c)
{
    writer_text(w, c->registry_count != 0
                       ? "Slugs\n  They are proved at these registries, and no others:\n"
                       : "Slugs\n  None is proved: [registries] lists no registry.\n");
    for (size_t i = 0; i < c->registry_count; i++) {
        const struct steward_registry *r = &c->registries[i];
        writer_text(w, "  - ");
        writer_shown(w, r->host);
        writer_text(w, r->ca.size != 0 ? ", whose certificate ends in " : ", by the web's roots");
        writer_shown(w, r->ca);
        writer_text(w, r->certificate.size != 0 ? ", private repositories too\n" : "\n");
    }
    writer_text(w, c->workloads.unverified_as_local
                       ? "  A slug that cannot be proved is left out; the digest is certified.\n"
                       : "  A slug that cannot be proved is refused.\n");
}

static void explain_simulation(struct writer *w, const struct steward_config *c)
{
    if (c->simulation.certificate.size == 0) {
        writer_text(w, "Simulated platforms\n  They are refused.\n");
        return;
    }
    writer_format(w,
                  "Simulated platforms, WHICH PROVE NOTHING\n"
                  "  %zu roots are believed; what is under them is certified by a CA of its own.\n",
                  c->simulation.roots.count);
}

void steward_explain(struct writer *w, const struct steward_config *c)
{
    writer_text(w, "Certificates\n  They are for the trust domain ");
    writer_shown(w, c->trust_domain);
    writer_format(w, " and last %llu hours.\n", (unsigned long long)c->lifetime_hours);
    evidence_policy_explain(w, &c->evidence);
    explain_workloads(w, &c->workloads);
    explain_registries(w, c);
    explain_simulation(w, c);
}
