/* compress/prune/rank.c: the order in which units go. A radix sort, so that equal scores keep the order of their numbers, on
   every machine, and a schedule may ask often. */
#include "compress/prune/prune.h"

#include <string.h>

enum { BITS = 11, BUCKETS = 1 << BITS };

static uint32_t key(float score)
{
    uint32_t bits;
    memcpy(&bits, &score,
           sizeof bits); /* of numbers that are not negative, the order of the bits is theirs */
    return bits;
}

void pithp_rank(const float *score, int64_t n, uint32_t *const order[2], uint32_t **sorted)
{
    uint32_t *from = order[0], *to = order[1];
    for (int shift = 0; shift < 32; shift += BITS) {
        int64_t at[BUCKETS] = { 0 }, sum = 0;
        for (int64_t i = 0; i < n; i++)
            at[key(score[from[i]]) >> shift & (BUCKETS - 1)]++;
        for (int b = 0; b < BUCKETS; b++) {
            int64_t count = at[b];
            at[b] = sum;
            sum += count;
        }
        for (int64_t i = 0; i < n; i++)
            to[at[key(score[from[i]]) >> shift & (BUCKETS - 1)]++] = from[i];
        uint32_t *other = from;
        from = to;
        to = other;
    }
    *sorted = from;
}
