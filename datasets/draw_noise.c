/* Random numbers, value noise and colours of the drawn set. */
#include "draw.h"

#include <math.h>

/* The finaliser of SplitMix64 (Steele, Lea, Flood 2014): a bijection of 64 bits that passes as a random
 * function. */
uint64_t draw_mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

draw_rng draw_rng_for(uint64_t picture, int use)
{
    return (draw_rng){ draw_mix(picture ^ draw_mix((uint64_t)use)), 0 };
}

uint64_t draw_bits(draw_rng *r) { return draw_mix(r->key ^ draw_mix(r->count++)); }

float draw_uniform(draw_rng *r, float lo, float hi)
{
    return lo + (hi - lo) * (float)(draw_bits(r) >> 40) * (1.0f / 16777216.0f);
}

int draw_chance(draw_rng *r, float p) { return draw_uniform(r, 0, 1) < p; }

int draw_pick(draw_rng *r, int n) { return (int)((draw_bits(r) >> 32) * (uint64_t)n >> 32); }

static float lattice(uint32_t seed, int x, int y)
{
    uint32_t h = seed ^ (uint32_t)x * 0x8da6b343u ^ (uint32_t)y * 0xd8163841u;
    h = (h ^ (h >> 15)) * 0x2c1b3c6du;
    h = (h ^ (h >> 12)) * 0x297a2d39u;
    return (float)((h ^ (h >> 15)) >> 8) * (1.0f / 16777216.0f);
}

float draw_value_noise(uint32_t seed, float x, float y)
{
    float fx = floorf(x), fy = floorf(y);
    int ix = (int)fx, iy = (int)fy;
    x -= fx;
    y -= fy;
    x = x * x * (3 - 2 * x);
    y = y * y * (3 - 2 * y);
    float a = lattice(seed, ix, iy), b = lattice(seed, ix + 1, iy);
    float c = lattice(seed, ix, iy + 1), d = lattice(seed, ix + 1, iy + 1);
    float top = a + (b - a) * x, low = c + (d - c) * x;
    return top + (low - top) * y;
}

/* h in turns, s and v in 0..1. */
draw_rgb draw_hsv(float h, float s, float v)
{
    float k[3] = { 5, 3, 1 }, out[3];
    for (int i = 0; i < 3; i++) {
        float t = fmodf(k[i] + (h - floorf(h)) * 6, 6);
        float d = t < 4 - t ? t : 4 - t;
        out[i] = v - v * s * draw_clamp(d, 0, 1);
    }
    return (draw_rgb){ out[0], out[1], out[2] };
}
