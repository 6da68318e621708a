/* A map from numbers to numbers with linear probing: a thousand updates and removals for a unit of
 * scale. Key 0 marks an empty slot, and with fewer keys than slots there always is one. */
#include "kernel.h"

enum { SLOTS = 1 << 14, KEYS = 14000 };

struct slot {
    uint32_t key, value;
};

static struct slot slots[SLOTS];
static uint32_t used;

static uint32_t home(uint32_t key)
{
    return key * 0x9e3779b1U >> 18;
}

/* The slot that has the key, or the empty one where it belongs. */
static struct slot *find(uint32_t key)
{
    uint32_t i = home(key);

    while (slots[i].key != 0 && slots[i].key != key)
        i = (i + 1) % SLOTS;
    return &slots[i];
}

/* Empties a slot and moves up those behind it that may not stay behind a hole. */
static void clear(struct slot *hole)
{
    uint32_t empty = (uint32_t)(hole - slots);

    for (uint32_t i = (empty + 1) % SLOTS; slots[i].key != 0; i = (i + 1) % SLOTS)
        if ((i - home(slots[i].key)) % SLOTS >= (i - empty) % SLOTS) {
            slots[empty] = slots[i];
            empty = i;
        }
    slots[empty] = (struct slot){0};
    used--;
}

int32_t run(int32_t scale)
{
    uint32_t seed = 8, sum = 0;

    for (int32_t round = 0; round < scale; round++) {
        for (int i = 0; i < 1000; i++) {
            uint32_t r = random_next(&seed), key = (r >> 4) % KEYS + 1;
            struct slot *s = find(key);

            if (s->key == 0) {
                *s = (struct slot){.key = key, .value = r};
                used++;
            } else if (r % 3 == 0) {
                sum += s->value;
                clear(s);
            } else {
                s->value += key;
            }
        }
        sum = mix(sum, used);
    }
    for (int i = 0; i < SLOTS; i++)
        sum = mix(sum, slots[i].key + slots[i].value);
    return (int32_t)sum;
}
