/* Sorts 4096 random numbers for a unit of scale. */
#include "kernel.h"

enum { COUNT = 4096, SMALL = 12 };

static uint32_t numbers[COUNT];

static void sort_small(uint32_t *a, int count)
{
    for (int i = 1; i < count; i++) {
        uint32_t x = a[i];
        int j = i;

        for (; j > 0 && a[j - 1] > x; j--)
            a[j] = a[j - 1];
        a[j] = x;
    }
}

static void sort(uint32_t *a, int count)
{
    while (count > SMALL) {
        uint32_t pivot = a[count / 2];
        int low = 0, high = count - 1;

        while (low <= high) {
            while (a[low] < pivot)
                low++;
            while (a[high] > pivot)
                high--;
            if (low <= high) {
                uint32_t t = a[low];

                a[low++] = a[high];
                a[high--] = t;
            }
        }
        sort(a, high + 1);
        a += low;
        count -= low;
    }
    sort_small(a, count);
}

int32_t run(int32_t scale)
{
    uint32_t seed = 7, sum = 0;

    for (int32_t round = 0; round < scale; round++) {
        for (int i = 0; i < COUNT; i++)
            numbers[i] = random_next(&seed);
        sort(numbers, COUNT);
        for (int i = 0; i < COUNT; i++)
            sum = sum * 31 + numbers[i];
    }
    return (int32_t)sum;
}
