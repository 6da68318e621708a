/* What goes on beside the program: handshakes, renewal, revocation lists. It goes on while the
 * program waits, and, when it makes no call for long, between two steps of the engine. */
#include "keep/keep.h"

/* Ticks of the engine between two looks at the clock: some milliseconds of computing. */
#define TICKS 64
/* What is due by realtime is looked at so often while the program waits: the clock may have jumped,
 * as after a machine's sleep, and no wait ends by that. */
#define LOOK_NS UINT64_C(10000000000)

static struct net *the_net;
static struct self *the_self;

void background_set(struct net *net, struct self *self)
{
    the_net = net;
    the_self = self;
}

size_t background_waits(struct vfs_wait *out, size_t capacity)
{
    size_t count = the_net != NULL ? net_waits(the_net, out, capacity) : 0;

    if (the_self != NULL && count < capacity && self_wait(the_self, &out[count]))
        count++;
    return count;
}

uint64_t background_due_ns(void)
{
    uint64_t of_net = the_net != NULL ? net_due_ns(the_net) : UINT64_MAX;
    uint64_t of_self = the_self != NULL ? self_due_ns(the_self) : UINT64_MAX;

    uint64_t due = of_net < of_self ? of_net : of_self;

    if (due == UINT64_MAX)
        return due;
    uint64_t look = keep_platform.monotonic_ns(NULL) + LOOK_NS;
    return due < look ? due : look;
}

bool background_advance(void)
{
    bool has_news = the_self != NULL && self_advance(the_self);

    if (the_net == NULL)
        return false;
    if (has_news)
        net_recheck(the_net);
    return net_advance(the_net) || has_news;
}

void background_tick(void *context)
{
    static unsigned ticks;

    (void)context;
    if (++ticks % TICKS == 0)
        (void)background_advance();
}
