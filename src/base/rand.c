/* base/rand.c: random numbers as a function of (seed, epoch, sample, use).
   Philox 4x32-10: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011. */
#include "base/base.h"
#include <math.h>

void pithp_philox(const uint32_t key[2], const uint32_t ctr[4], uint32_t out[4])
{
    uint32_t k0 = key[0], k1 = key[1];
    uint32_t x0 = ctr[0], x1 = ctr[1], x2 = ctr[2], x3 = ctr[3];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * x0, p1 = (uint64_t)0xCD9E8D57u * x2;
        x0 = (uint32_t)(p1 >> 32) ^ x1 ^ k0;
        x1 = (uint32_t)p1;
        x2 = (uint32_t)(p0 >> 32) ^ x3 ^ k1;
        x3 = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = x0, out[1] = x1, out[2] = x2, out[3] = x3;
}

/* key = { seed low, seed high ^ use << 16 }, counter = { block index, epoch, sample low, sample high }.
   The use stands in the key, not in the counter, because a sample number may fill its 64 bits (a hash, a
   node id in the high ones): within one seed no two (epoch, sample, use) share a block. */
pithp_rand pithp_rand_at(uint64_t seed, uint32_t epoch, uint64_t sample, uint32_t use)
{
    return (pithp_rand){ .key = { (uint32_t)seed, (uint32_t)(seed >> 32) ^ use << 16 },
                         .ctr = { 0, epoch, (uint32_t)sample, (uint32_t)(sample >> 32) } };
}

uint32_t pithp_rand_u32(pithp_rand *r)
{
    if (!r->left) {
        pithp_philox(r->key, r->ctr, r->out);
        r->ctr[0]++;
        r->left = 4;
    }
    return r->out[4 - r->left--];
}

static uint64_t u64(pithp_rand *r)
{
    uint64_t low = pithp_rand_u32(r);
    return (uint64_t)pithp_rand_u32(r) << 32 | low;
}

double pithp_rand_uniform(pithp_rand *r) { return (double)(u64(r) >> 11) * 0x1p-53; }

/* Box, Muller: "A note on the generation of random normal deviates", 1958. The second deviate is not kept:
   a stream's n-th number must not depend on what was drawn before it in another shape. */
double pithp_rand_normal(pithp_rand *r)
{
    const double two_pi = 6.283185307179586476925286766559;
    double u = 1 - pithp_rand_uniform(r); /* (0,1] */
    double v = pithp_rand_uniform(r);
    return sqrt(-2 * log(u)) * cos(two_pi * v);
}

/* Lemire: "Fast random integer generation in an interval", ACM TOMACS 2019. */
uint64_t pithp_rand_below(pithp_rand *r, uint64_t bound)
{
    if (bound <= 1)
        return 0;
    if (bound <= UINT32_MAX) {
        uint32_t b = (uint32_t)bound;
        uint64_t m = (uint64_t)pithp_rand_u32(r) * b;
        if ((uint32_t)m < b)
            for (uint32_t floor = -b % b; (uint32_t)m < floor;)
                m = (uint64_t)pithp_rand_u32(r) * b;
        return m >> 32;
    }
    __extension__ typedef unsigned __int128 u128;
    u128 m = (u128)u64(r) * bound;
    if ((uint64_t)m < bound)
        for (uint64_t floor = -bound % bound; (uint64_t)m < floor;)
            m = (u128)u64(r) * bound;
    return (uint64_t)(m >> 64);
}

/* FNV-1a over the bytes; then the finaliser of splitmix64, because FNV's high bits hardly move on short
   names. */
uint64_t pithp_hash64(const void *p, size_t n)
{
    uint64_t h = 0xCBF29CE484222325u;
    for (const uint8_t *s = p; n--; s++)
        h = (h ^ *s) * 0x100000001B3u;
    h = (h ^ h >> 30) * 0xBF58476D1CE4E5B9u;
    h = (h ^ h >> 27) * 0x94D049BB133111EBu;
    return h ^ h >> 31;
}
