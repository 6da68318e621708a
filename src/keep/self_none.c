/* In the place of self.c where there is no OpenSSL: no TLS, no identity, no registry. */
#include "keep/keep.h"
#include "package/config.h"

bool self_new(const struct boot *boot, struct self **out, struct err *err)
{
    (void)boot;
    (void)err;
    *out = NULL;
    return true;
}

void self_free(struct self *self)
{
    (void)self;
}

int self_fetch(struct self *self, struct arena *arena, struct package *out)
{
    (void)self;
    (void)arena;
    (void)out;
    log_error("this build has no TLS, and fetches no packages");
    return KEEP_FAILED;
}

int self_become(struct self *self, const struct boot *boot, const struct config *config,
                struct package *package)
{
    (void)self;
    (void)package;
    if (config->steward.size == 0 && boot->steward.size == 0)
        return 0;
    log_error("this build has no TLS, and no Steward can be asked");
    return KEEP_NO_IDENTITY;
}

const struct net_tls *self_tls(struct self *self)
{
    (void)self;
    return NULL;
}

bool self_wait(const struct self *self, struct vfs_wait *out)
{
    (void)self;
    (void)out;
    return false;
}

uint64_t self_due_ns(const struct self *self)
{
    (void)self;
    return UINT64_MAX;
}

bool self_advance(struct self *self)
{
    (void)self;
    return false;
}
