/* One picture: backdrop, animal, foreground, then the lens. */
#include "draw.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#pragma GCC optimize("O3") /* for the blur: it vectorises, and is a fifth of the work */

enum { BLUR_MOST = 12 };

/* One row of a blur: out = sum of w[k] * rows[k], n floats each. */
static void weigh(float *restrict out, const float *restrict in, ptrdiff_t step, const float *w, int taps,
                  int n)
{
    for (int i = 0; i < n; i++)
        out[i] = w[0] * in[i];
    for (int k = 1; k < taps; k++)
        for (int i = 0; i < n; i++)
            out[i] += w[k] * in[i + k * step];
}

/* Gaussian blur; the edge of the picture repeats.  spare: room for (size + 24)^2 * 3 floats. */
static void blur(draw_canvas *c, float *spare, float sigma)
{
    float w[2 * BLUR_MOST + 1], sum = 0;
    int reach = (int)ceilf(2 * sigma), n = c->size, taps, wide;
    reach = reach > BLUR_MOST ? BLUR_MOST : reach;
    if (sigma < 0.25f)
        return;
    for (int k = -reach; k <= reach; k++)
        sum += w[k + reach] = expf(-0.5f * (float)(k * k) / (sigma * sigma));
    for (int k = 0; k <= 2 * reach; k++)
        w[k] /= sum;
    taps = 2 * reach + 1;
    wide = 3 * (n + 2 * reach);
    for (int y = 0; y < n + 2 * reach; y++) { /* pad */
        int from = y < reach ? 0 : y - reach >= n ? n - 1 : y - reach;
        const float *row = c->rgb + 3 * (size_t)from * (size_t)n;
        float *out = spare + (size_t)y * (size_t)wide;
        for (int x = 0; x < n + 2 * reach; x++)
            memcpy(out + 3 * x,
                   row + 3 * (x < reach        ? 0
                              : x - reach >= n ? n - 1
                                               : x - reach),
                   3 * sizeof *row);
    }
    for (int y = 0; y < n; y++) { /* down the columns in place: row y is not needed again */
        float *row = spare + (size_t)y * (size_t)wide;
        for (int i = 0; i < wide; i++)
            row[i] *= w[0];
        for (int k = 1; k < taps; k++)
            for (int i = 0; i < wide; i++)
                row[i] += w[k] * row[i + (ptrdiff_t)k * wide];
        weigh(c->rgb + 3 * (size_t)y * (size_t)n, row, 3, w, taps, 3 * n);
    }
}

static void set_light(draw_canvas *c, draw_rng *r)
{
    float a = draw_uniform(r, -3.0f, -0.14f),
          flat = draw_uniform(r, 0.45f, 0.85f); /* from above, left or right */
    c->lx = flat * cosf(a);
    c->ly = flat * sinf(a);
    c->lz = sqrtf(1 - flat * flat);
    c->ambient = draw_uniform(r, 0.45f, 0.75f);
    c->diffuse = (1.12f - c->ambient) * draw_uniform(r, 0.9f, 1.2f);
    c->outline = draw_chance(r, 0.25f) ? 0 : draw_uniform(r, 0.2f, 0.8f);
    c->fuzz = draw_chance(r, 0.4f) ? 0 : draw_uniform(r, 0.01f, 0.06f);
    c->seed = (uint32_t)draw_bits(r);
}

/* Where the animal goes: scale, turn, mirror and place, so that most of it (and always its head) is in the
 * picture. */
static draw_frame place(const draw_canvas *c, const draw_animal *a, draw_rng *r, draw_vec *head,
                        float *floor_y)
{
    draw_vec lo, hi, at;
    draw_animal_extent(a, &lo, &hi, &at);
    float n = (float)c->size, wide = hi.x - lo.x, high = hi.y - lo.y;
    float k = draw_uniform(r, 0.82f, 1.35f) / fmaxf(wide, high);
    float turn = draw_uniform(r, -1, 1) + draw_uniform(r, -1, 1), mirror = draw_chance(r, 0.5f) ? -1 : 1;
    float stretch = draw_uniform(r, 0.92f, 1.08f), sx = k * stretch * mirror, sy = k / stretch;
    float rx = fmaxf(0, 0.5f - 0.42f * k * wide), ry = fmaxf(0, 0.5f - 0.42f * k * high);
    draw_frame f = { { n, 0, 0, n }, { 0, 0 } };
    f = draw_frame_at(f, 0.5f + draw_uniform(r, -rx, rx) * 1.0f, 0.5f + draw_uniform(r, -ry, ry), 0.2f * turn,
                      sx, sy);
    draw_vec mid = draw_to_pixels(f, (lo.x + hi.x) / 2, (lo.y + hi.y) / 2), h;
    f.o.x += f.o.x - mid.x;
    f.o.y += f.o.y - mid.y;
    h = draw_to_pixels(f, at.x, at.y);
    float room = fminf(0.45f, 0.9f * k) * n; /* keep the head in, and some of what it looks at */
    float ahead = a->profile ? fminf(0.2f, 0.4f * k) * n : 0;
    f.o.x += draw_clamp(h.x, room + (mirror < 0 ? ahead : 0), n - room - (mirror > 0 ? ahead : 0)) - h.x;
    f.o.y += draw_clamp(h.y, room, n - room) - h.y;
    h = draw_to_pixels(f, at.x, at.y);
    *head = (draw_vec){ h.x / n, h.y / n };
    *floor_y = draw_to_pixels(f, (lo.x + hi.x) / 2, hi.y).y / n;
    return f;
}

static void ground_shadow(draw_canvas *c, draw_frame f, const draw_animal *a)
{
    draw_vec lo, hi, head;
    draw_animal_extent(a, &lo, &hi, &head);
    draw_shape s;
    draw_paint p = { .flat = { 0.05f, 0.05f, 0.06f }, .alpha = 0.45f, .soft = 0.3f };
    shape_new(&s, 0);
    shape_ellipse(&s, 0.5f * (lo.x + hi.x), hi.y - 0.12f, 0.36f * (hi.x - lo.x), 0.2f, 0);
    if (a->pose != POSE_FACE)
        draw_shape_paint(c, f, &s, &p);
}

static void finish(const draw_canvas *c, draw_rng *r, uint64_t pixel_key, uint8_t *out)
{
    float gain = draw_uniform(r, 0.88f, 1.25f), gamma = draw_uniform(r, 0.8f, 1.1f),
          vignette = draw_uniform(r, 0, 0.3f);
    float grain = draw_chance(r, 0.5f) ? 0 : draw_uniform(r, 0.005f, 0.045f),
          colour = draw_uniform(r, 0.2f, 1);
    float tint[3], n = (float)c->size, table[1025];
    for (int ch = 0; ch < 3; ch++)
        tint[ch] = gain * draw_uniform(r, 0.93f, 1.07f);
    for (int i = 0; i <= 1024; i++)
        table[i] = powf((float)i / 1024, gamma);
    for (int y = 0; y < c->size; y++)
        for (int x = 0; x < c->size; x++) {
            float dx = ((float)x + 0.5f) / n - 0.5f, dy = ((float)y + 0.5f) / n - 0.5f,
                  v = 1 - vignette * 2 * (dx * dx + dy * dy);
            uint64_t bits = draw_mix(pixel_key + (uint64_t)(y * c->size + x));
            const float *p = c->rgb + 3 * ((size_t)y * (size_t)c->size + (size_t)x);
            float grey = (float)(bits >> 48) / 32768 - 1;
            for (int ch = 0; ch < 3; ch++) {
                float own = (float)(bits >> (16 * ch) & 0xffff) / 32768 - 1;
                float q = draw_clamp(p[ch] * tint[ch] * v, 0, 1);
                q = table[(int)(q * 1024)] + grain * (grey + colour * own);
                *out++ = (uint8_t)(draw_clamp(q, 0, 1) * 255 + 0.5f);
            }
        }
}

int draw_picture(uint64_t seed, int split, int cls, uint32_t index, int size, uint8_t *rgb, int *quality)
{
    uint64_t id = draw_mix(draw_mix(seed) ^ ((uint64_t)split << 40 | (uint64_t)cls << 36 | index));
    size_t n = (size_t)size * (size_t)size;
    size_t padded = (size_t)(size + 2 * BLUR_MOST) * (size_t)(size + 2 * BLUR_MOST);
    float *block = calloc(n * 5 + padded * 3, sizeof *block);
    if (!block)
        return -1;
    draw_canvas c = { .size = size, .rgb = block, .dist = block + 3 * n, .lit = block + 4 * n };
    draw_rng coat_r = draw_rng_for(id, USE_COAT), scene = draw_rng_for(id, USE_SCENE),
             object = draw_rng_for(id, USE_OBJECT);
    draw_rng where = draw_rng_for(id, USE_PLACE), pose = draw_rng_for(id, USE_POSE),
             body = draw_rng_for(id, USE_BODY);
    draw_rng light = draw_rng_for(id, USE_LIGHT), front = draw_rng_for(id, USE_FRONT),
             lens = draw_rng_for(id, USE_LENS);
    draw_coat coat = draw_coat_new(&coat_r);
    draw_animal animal = draw_animal_new(cls, &pose, &body);
    draw_vec head;
    float floor_y, pixel = (float)size / 128;
    draw_frame f = place(&c, &animal, &where, &head, &floor_y);
    set_light(&c, &light);
    draw_backdrop(&c, &scene, &object, floor_y);
    blur(&c, block + 5 * n, draw_uniform(&lens, 0.5f, 2.2f) * pixel); /* depth of field */
    ground_shadow(&c, f, &animal);
    draw_animal_paint(&c, f, &animal, &coat);
    draw_foreground(&c, &front, head, 1.1f * draw_frame_scale(f) / (float)size);
    blur(&c, block + 5 * n, (draw_chance(&lens, 0.8f) ? 0.3f : draw_uniform(&lens, 0.3f, 0.9f)) * pixel);
    *quality = 80 + draw_pick(&lens, 16);
    finish(&c, &lens, draw_mix(id ^ draw_mix(USE_PIXEL)), rgb);
    free(block);
    return 0;
}
