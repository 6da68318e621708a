/* poll_oneoff: clocks and descriptors. */
#include "wasi.h"

struct subscription_ {
    uint64_t userdata;
    uint8_t type; /* 0 clock, 1 read, 2 write */
    uint8_t pad[7];
    uint32_t id; /* of a clock, or a descriptor */
    uint32_t pad2;
    uint64_t timeout, precision;
    uint16_t flags;
};
_Static_assert(sizeof(struct subscription_) == 48, "as the specification has it");

struct event_ {
    uint64_t userdata;
    uint16_t error;
    uint8_t type;
    uint64_t size;
    uint16_t flags;
};
_Static_assert(sizeof(struct event_) == 32, "as the specification has it");

static struct event_ events[8];
static uint32_t happened;

static struct subscription_ clock_of(uint64_t userdata, uint32_t id, uint64_t timeout,
                                     uint16_t flags)
{
    return (struct subscription_){
        .userdata = userdata, .id = id, .timeout = timeout, .flags = flags};
}

static struct subscription_ fd_of(uint64_t userdata, uint8_t type, uint32_t fd)
{
    return (struct subscription_){.userdata = userdata, .type = type, .id = fd};
}

static uint64_t now(int id)
{
    uint64_t ns = 0;

    w_clock_time_get(id, 0, place(&ns));
    return ns;
}

#define MS UINT64_C(1000000)

static void clocks(void)
{
    for (int id = 0; id < 2; id++) {
        uint64_t start = now(1);
        struct subscription_ s = clock_of(42, (uint32_t)id, 20 * MS, 0);
        WORKS(poll_oneoff, "a relative time", place(&s), place(events), 1, place(&happened));
        HOLDS(poll_oneoff, "has passed",
              now(1) - start >= 20 * MS && happened == 1 && events[0].userdata == 42 &&
                  events[0].error == 0 && events[0].type == 0);
        start = now(1);
        s = clock_of(43, (uint32_t)id, now(id) + 20 * MS, 1);
        WORKS(poll_oneoff, "an absolute time", place(&s), place(events), 1, place(&happened));
        HOLDS(poll_oneoff, "has come", now(1) - start >= 19 * MS && happened == 1);
        s = clock_of(44, (uint32_t)id, 1, 1);
        WORKS(poll_oneoff, "a time long past", place(&s), place(events), 1, place(&happened));
        HOLDS(poll_oneoff, "at once", happened == 1);
    }
    uint64_t start = now(1);
    struct subscription_ both[2] = {clock_of(1, 1, UINT64_C(3600000) * MS, 0),
                                    clock_of(2, 1, 5 * MS, 0)};
    WORKS(poll_oneoff, "two clocks", place(both), place(events), 2, place(&happened));
    HOLDS(poll_oneoff, "the sooner",
          happened == 1 && events[0].userdata == 2 && now(1) - start >= 5 * MS);
    struct subscription_ bad = clock_of(5, 2, 0, 0);
    WORKS(poll_oneoff, "the clock of the process", place(&bad), place(events), 1, place(&happened));
    HOLDS(poll_oneoff, "is refused in its event", happened == 1 && events[0].error == E_NOTSUP);
    bad = clock_of(5, 9, 0, 0);
    WORKS(poll_oneoff, "an unknown clock", place(&bad), place(events), 1, place(&happened));
    HOLDS(poll_oneoff, "is refused in its event", happened == 1 && events[0].error == E_INVAL);
    bad = clock_of(5, 1, 0, 2);
    WORKS(poll_oneoff, "unknown flags", place(&bad), place(events), 1, place(&happened));
    HOLDS(poll_oneoff, "are refused in their event", happened == 1 && events[0].error == E_INVAL);
}

static void descriptors(void)
{
    make_file("tmp/f", "12345");
    int fd = open_at(ROOT, "tmp/f", 0, 0);
    char two[2];
    read_some(fd, two, 2);
    struct subscription_ s[4] = {fd_of(1, 1, (uint32_t)fd), fd_of(2, 2, (uint32_t)fd),
                                 fd_of(3, 2, 1), clock_of(4, 1, UINT64_C(3600000) * MS, 0)};
    WORKS(poll_oneoff, "a file, standard output and a far time", place(s), place(events), 4,
          place(&happened));
    HOLDS(poll_oneoff, "all but the time",
          happened == 3 && events[0].userdata == 1 && events[1].userdata == 2 &&
              events[2].userdata == 3);
    HOLDS(poll_oneoff, "what is left to read", events[0].size == 3 && events[0].type == 1);
    s[0] = fd_of(7, 1, 99);
    WORKS(poll_oneoff, "what is not open", place(s), place(events), 1, place(&happened));
    HOLDS(poll_oneoff, "is refused in its event", happened == 1 && events[0].error == E_BADF);
    s[0] = fd_of(8, 1, 0);
    WORKS(poll_oneoff, "standard input at its end", place(s), place(events), 1, place(&happened));
    HOLDS(poll_oneoff, "can be read", happened == 1 && events[0].error == 0);
    s[0] = (struct subscription_){.type = 9};
    WORKS(poll_oneoff, "an unknown kind", place(s), place(events), 1, place(&happened));
    HOLDS(poll_oneoff, "is refused in its event", happened == 1 && events[0].error == E_INVAL);
    w_fd_fdstat_set_rights(fd, 0, 0);
    s[0] = fd_of(9, 1, (uint32_t)fd);
    WORKS(poll_oneoff, "without the right", place(s), place(events), 1, place(&happened));
    HOLDS(poll_oneoff, "is refused in its event", happened == 1 && events[0].error == E_NOTCAPABLE);
    w_fd_close(fd);
}

int main(void)
{
    struct subscription_ s = clock_of(1, 1, 0, 0);

    clocks();
    descriptors();
    REFUSED(poll_oneoff, "nothing", E_INVAL, place(&s), place(events), 0, place(&happened));
    REFUSED(poll_oneoff, "2^32-1 of them", E_INVAL, place(&s), place(events), 0xffffffff,
            place(&happened));
    REFUSED(poll_oneoff, "list beyond memory", E_FAULT, NOWHERE, place(events), 1,
            place(&happened));
    REFUSED(poll_oneoff, "events beyond memory", E_FAULT, place(&s), NOWHERE, 1, place(&happened));
    REFUSED(poll_oneoff, "count beyond memory", E_FAULT, place(&s), place(events), 1, NOWHERE);
    return done_testing();
}
