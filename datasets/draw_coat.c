/* Fur: colours and patterns.  Nothing in this file knows whether a cat or a dog will wear the coat. */
#include "draw.h"

#include <math.h>

static const draw_rgb furs[] = {
    { 0.13f, 0.12f, 0.13f }, /* black */
    { 0.33f, 0.33f, 0.36f }, /* slate */
    { 0.52f, 0.52f, 0.55f }, /* grey */
    { 0.72f, 0.71f, 0.70f }, /* silver */
    { 0.30f, 0.19f, 0.13f }, /* chocolate */
    { 0.50f, 0.33f, 0.20f }, /* brown */
    { 0.68f, 0.48f, 0.30f }, /* fawn */
    { 0.82f, 0.50f, 0.22f }, /* ginger */
    { 0.88f, 0.67f, 0.40f }, /* gold */
    { 0.91f, 0.81f, 0.65f }, /* cream */
    { 0.95f, 0.94f, 0.91f }, /* white */
};
enum { FURS = sizeof furs / sizeof *furs };

static const draw_rgb irises[] = {
    { 0.55f, 0.72f, 0.25f }, { 0.90f, 0.75f, 0.22f }, { 0.80f, 0.50f, 0.15f },
    { 0.45f, 0.27f, 0.12f }, { 0.40f, 0.65f, 0.85f }, { 0.30f, 0.20f, 0.14f },
};

static draw_rgb jitter(draw_rgb c, draw_rng *r)
{
    float k = draw_uniform(r, 0.85f, 1.12f);
    c.r = draw_clamp(c.r * k + draw_uniform(r, -0.03f, 0.03f), 0.05f, 0.97f);
    c.g = draw_clamp(c.g * k + draw_uniform(r, -0.03f, 0.03f), 0.05f, 0.97f);
    c.b = draw_clamp(c.b * k + draw_uniform(r, -0.03f, 0.03f), 0.05f, 0.97f);
    return c;
}

static float luma(draw_rgb c) { return 0.3f * c.r + 0.59f * c.g + 0.11f * c.b; }

draw_coat draw_coat_new(draw_rng *r)
{
    static const draw_rgb noses[] = { { 0.12f, 0.10f, 0.11f },
                                      { 0.86f, 0.55f, 0.55f },
                                      { 0.42f, 0.26f, 0.22f } };
    draw_coat c = { .kind = draw_pick(r, COAT_KINDS) };
    c.base = jitter(furs[draw_pick(r, FURS)], r);
    /* Markings are darker than a light coat and lighter than a dark one, so that they show. */
    c.second = luma(c.base) > 0.3f ? draw_scale(c.base, draw_uniform(r, 0.42f, 0.65f))
                                   : draw_lerp(c.base, jitter(furs[6 + draw_pick(r, 3)], r), 0.55f);
    if (c.kind == COAT_PATCHES)
        do
            c.second = jitter(furs[draw_pick(r, FURS)], r);
        while (fabsf(luma(c.second) - luma(c.base)) < 0.18f);
    c.third = jitter(furs[4 + draw_pick(r, 5)], r);
    c.pale = draw_lerp(jitter(furs[10], r), c.base, draw_uniform(r, 0.0f, 0.25f));
    c.nose = jitter(noses[draw_chance(r, 0.6f) ? 0 : 1 + draw_pick(r, 2)], r);
    c.iris = jitter(irises[draw_pick(r, 6)], r);
    /* Only a cat shows much of its ears' inside: were that always pink, pink alone would tell. */
    c.inner = draw_chance(r, 0.4f) ? jitter((draw_rgb){ 0.88f, 0.62f, 0.58f }, r)
                                   : jitter(furs[draw_pick(r, FURS)], r);
    c.inner = draw_lerp(c.inner, c.base, draw_uniform(r, 0.2f, 0.7f));
    c.ink = draw_lerp((draw_rgb){ 0.04f, 0.03f, 0.03f }, draw_scale(furs[draw_pick(r, FURS)], 0.4f),
                      draw_uniform(r, 0, 0.9f));
    c.whisker = luma(c.base) > 0.5f && !c.white
                    ? draw_scale(c.base, draw_uniform(r, 0.3f, 0.6f))
                    : draw_lerp(c.base, (draw_rgb){ 1, 1, 1 }, draw_uniform(r, 0.55f, 0.9f));
    c.collar = draw_hsv(draw_uniform(r, 0, 1), draw_uniform(r, 0.5f, 0.9f), draw_uniform(r, 0.45f, 0.9f));
    c.has_collar = draw_chance(r, 0.3f);
    c.white = draw_chance(r, 0.45f);
    c.points = !c.white && draw_chance(r, 0.25f);
    c.freq = draw_uniform(r, 0.8f, 1.3f);
    c.angle = draw_uniform(r, -0.4f, 0.4f);
    c.warp = draw_uniform(r, 0.6f, 2.2f);
    c.edge = draw_uniform(r, 0.05f, 0.25f);
    c.texture = draw_uniform(r, 0.03f, 0.16f);
    c.seed = (uint32_t)draw_bits(r);
    return c;
}

static float stripes(const draw_coat *c, float x, float y, float freq)
{
    float w = c->warp * draw_value_noise(c->seed, x * 1.6f, y * 1.6f);
    float s = sinf(freq * (x * cosf(c->angle) + y * sinf(c->angle)) + 3 * w);
    return draw_step(0.25f - c->edge, 0.25f + c->edge, s);
}

static draw_rgb pattern(const draw_coat *c, float x, float y)
{
    float t;
    switch (c->kind) {
    case COAT_TABBY: return draw_lerp(c->base, c->second, 0.85f * stripes(c, x, y, 9 * c->freq));
    case COAT_BRINDLE: return draw_lerp(c->base, c->second, 0.6f * stripes(c, x, y, 21 * c->freq));
    case COAT_SPOTS:
        t = draw_value_noise(c->seed, x * 4.2f * c->freq, y * 4.2f * c->freq);
        return draw_lerp(c->base, c->second, draw_step(0.64f - 0.3f * c->edge, 0.64f + 0.3f * c->edge, t));
    case COAT_PATCHES:
        t = draw_value_noise(c->seed, x * 1.5f * c->freq, y * 1.5f * c->freq);
        if (c->warp > 1.6f && draw_value_noise(c->seed + 7, x * 1.7f, y * 1.7f) > 0.62f)
            return c->third;
        return draw_lerp(c->base, c->second, draw_step(0.52f - 0.1f * c->edge, 0.52f + 0.1f * c->edge, t));
    case COAT_SHADED:
        t = draw_value_noise(c->seed, x * 0.8f, y * 0.8f);
        return draw_lerp(c->base, c->second, 0.7f * draw_step(0.2f, 0.9f, t));
    default: return c->base;
    }
}

draw_rgb draw_coat_at(const draw_coat *c, int region, float x, float y)
{
    draw_rgb q;
    if (c->white && (region == REGION_PAW || region == REGION_MUZZLE || region == REGION_CHEST))
        q = c->pale;
    else if (c->points && (region == REGION_PAW || region == REGION_MUZZLE || region == REGION_EAR ||
                           region == REGION_TAIL))
        q = draw_scale(c->second, 0.8f);
    else
        q = pattern(c, x, y);
    float hair = draw_value_noise(c->seed + 3, x * 16, y * 7) - 0.5f;
    return draw_scale(q, 1 + 2 * c->texture * hair);
}
