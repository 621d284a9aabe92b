/* Backdrops, the things that stand about, and what stands in front.  Frames here have unit 1 = the side of
 * the picture. */
#include "draw.h"

#include <math.h>

enum {
    SCENE_STUDIO,
    SCENE_MEADOW,
    SCENE_ROOM,
    SCENE_KITCHEN,
    SCENE_BOKEH,
    SCENE_WALL,
    SCENE_CLUTTER,
    SCENES
};

static draw_frame unit_frame(const draw_canvas *c)
{
    float n = (float)c->size;
    return (draw_frame){ { n, 0, 0, n }, { 0, 0 } };
}

static draw_rgb any_colour(draw_rng *r)
{
    float s = draw_uniform(r, 0, 1);
    return draw_hsv(draw_uniform(r, 0, 1), 0.65f * s * s + 0.05f, draw_uniform(r, 0.25f, 0.95f));
}

/* Colours near those of fur, so that colour alone does not say where the animal is. */
static draw_rgb earth_colour(draw_rng *r)
{
    return draw_hsv(draw_uniform(r, 0.04f, 0.13f), draw_uniform(r, 0.1f, 0.6f), draw_uniform(r, 0.2f, 0.95f));
}

static draw_rgb scene_colour(draw_rng *r) { return draw_chance(r, 0.4f) ? earth_colour(r) : any_colour(r); }

typedef struct {
    int kind, style;
    draw_rgb a, b, c, d;
    float floor, slope, freq, tex, tex_scale;
    uint32_t seed;
} backdrop;

static float stripe(float t, float width)
{
    t -= floorf(t);
    return draw_step(0, width, t) * (1 - draw_step(0.5f, 0.5f + width, t));
}

static draw_rgb backdrop_at(const backdrop *b, float x, float y)
{
    float h = b->floor + b->slope * (x - 0.5f), noise;
    int below = y > h;
    draw_rgb q = b->a;
    switch (b->kind) {
    case SCENE_STUDIO:
    case SCENE_BOKEH:
    case SCENE_CLUTTER: q = draw_lerp(b->a, b->b, draw_clamp(y + b->slope * 3 * (x - 0.5f), 0, 1)); break;
    case SCENE_MEADOW:
        noise = draw_value_noise(b->seed, x * 3, 0.5f) * 0.2f;
        if (!below)
            q = y > h - noise ? draw_lerp(b->c, b->a, 0.3f) : draw_lerp(b->b, b->a, y);
        else
            q = draw_lerp(b->c, b->d, 0.6f * draw_value_noise(b->seed + 1, x * 40, y * 14) + 0.5f * (y - h));
        break;
    case SCENE_ROOM:
        if (!below)
            q = b->style ? draw_lerp(b->a, b->b, 0.5f * stripe(x * b->freq, 0.08f))
                         : draw_scale(b->a, 1.05f - 0.2f * y);
        else
            q = draw_scale(draw_lerp(b->c, b->d, draw_value_noise(b->seed, x * 4, y * 60)),
                           1 - 0.25f * (stripe((y - h) * 9, 0.06f) < 0.05f));
        break;
    case SCENE_KITCHEN:
        if (!below) {
            int tile = stripe(x * b->freq, 0.03f) < 0.03f || stripe(y * b->freq, 0.03f) < 0.03f;
            q = tile ? draw_scale(b->a, 0.85f) : b->a;
        } else {
            float depth = 0.12f / (y - h + 0.12f), u = (x - 0.5f) * depth * b->freq, v = depth * b->freq;
            q = ((int)floorf(u) + (int)floorf(v)) & 1 ? b->c : b->d;
        }
        break;
    default: /* SCENE_WALL: bricks or planks above, ground below */
        if (!below) {
            float row = floorf(y * b->freq * 1.6f),
                  u = x * b->freq * (b->style ? 0.8f : 0.1f) + 0.5f * fmodf(row, 2);
            float joint = fminf(u - floorf(u), 4 * (y * b->freq * 1.6f - row));
            q = draw_lerp(b->a, b->b, draw_value_noise(b->seed, floorf(u) * 3.7f, row * 5.3f));
            q = draw_scale(q, joint < 0.14f ? 0.75f : 1);
        } else {
            q = draw_lerp(b->c, b->d, draw_value_noise(b->seed, x * 8, y * 20));
        }
    }
    noise = draw_value_noise(b->seed + 5, x * b->tex_scale, y * b->tex_scale) - 0.5f;
    return draw_scale(q, 1 + b->tex * noise);
}

static void solid(draw_canvas *c, draw_frame f, const draw_shape *s, draw_rgb colour, float round,
                  float shadow)
{
    draw_paint p = { .flat = colour, .round = round, .line = 0.7f, .shadow = shadow };
    draw_shape_paint(c, f, s, &p);
}

/* A sofa, a cushion, a pot plant, a lamp, a picture on the wall, a ball, a box, a bowl, a book, a bone-
 * coloured toy ... */
enum {
    THING_SOFA,
    THING_FRAME,
    THING_PLANT,
    THING_LAMP,
    THING_BALL,
    THING_BOX,
    THING_BOWL,
    THING_CONE,
    THING_PILLOW,
    THINGS
};

static void leaves(draw_canvas *c, draw_frame f, draw_rng *r, int n, float length, draw_rgb colour)
{
    for (int i = 0; i < n; i++) {
        float a = draw_uniform(r, -1.2f, 1.2f), len = length * draw_uniform(r, 0.6f, 1.1f);
        draw_frame g = draw_frame_at(f, 0, 0, a, 1, 1);
        draw_shape s;
        shape_new(&s, 0);
        shape_ellipse(&s, 0, -len * 0.55f, len * 0.17f, len * 0.5f, 0);
        solid(c, g, &s, draw_scale(colour, draw_uniform(r, 0.75f, 1.15f)), 0.1f, 0.1f);
    }
}

/* Draws a thing about one unit high that stands on the origin of f. */
static void thing(draw_canvas *c, draw_frame f, draw_rng *r, int kind)
{
    draw_rgb q = scene_colour(r), other = scene_colour(r);
    draw_shape s;
    shape_new(&s, 0.02f);
    switch (kind) {
    case THING_SOFA:
        shape_box(&s, -1.2f, -1.0f, 1.2f, 0, 0.12f);
        solid(c, f, &s, q, 0.2f, 0.15f);
        for (int k = -1; k <= 1; k += 2) {
            shape_new(&s, 0);
            shape_box(&s, (float)k * 0.5f - 0.48f, -0.55f, (float)k * 0.5f + 0.48f, -0.15f, 0.1f);
            solid(c, f, &s, draw_scale(q, 1.1f), 0.15f, 0.2f);
            shape_new(&s, 0);
            shape_box(&s, (float)k * 1.25f - 0.22f, -0.7f, (float)k * 1.25f + 0.22f, 0.03f, 0.14f);
            solid(c, f, &s, draw_scale(q, 0.92f), 0.15f, 0.2f);
        }
        return;
    case THING_FRAME:
        shape_box(&s, -0.4f, -1.0f, 0.4f, -0.1f, 0.02f);
        solid(c, f, &s, draw_scale(q, 0.6f), 0.05f, 0.2f);
        shape_new(&s, 0);
        shape_box(&s, -0.31f, -0.91f, 0.31f, -0.19f, 0.01f);
        solid(c, f, &s, other, 0, 0);
        shape_new(&s, 0);
        shape_ellipse(&s, draw_uniform(r, -0.1f, 0.1f), -0.5f, 0.18f, 0.2f, 0);
        solid(c, f, &s, q, 0, 0);
        return;
    case THING_PLANT:
        leaves(c, draw_frame_at(f, 0, -0.35f, 0, 1, 1), r, 7, 0.75f,
               draw_hsv(draw_uniform(r, 0.2f, 0.42f), 0.55f, 0.55f));
        shape_new(&s, 0);
        shape_cone(&s, 0, -0.33f, 0.2f, 0, -0.12f, 0.14f);
        solid(c, f, &s, q, 0.15f, 0.15f);
        return;
    case THING_LAMP:
        shape_box(&s, -0.03f, -0.7f, 0.03f, 0, 0.01f);
        shape_box(&s, -0.2f, -0.06f, 0.2f, 0, 0.02f);
        solid(c, f, &s, draw_scale(q, 0.5f), 0.05f, 0.1f);
        shape_new(&s, 0);
        shape_cone(&s, 0, -0.88f, 0.12f, 0, -0.68f, 0.24f);
        solid(c, f, &s, draw_lerp(other, (draw_rgb){ 1, 0.95f, 0.8f }, 0.6f), 0.3f, 0.1f);
        return;
    case THING_BALL:
        shape_ellipse(&s, 0, -0.35f, 0.35f, 0.35f, 0);
        solid(c, f, &s, q, 0.33f, 0.25f);
        shape_new(&s, 0);
        shape_cone(&s, -0.25f, -0.45f, 0.05f, 0.25f, -0.3f, 0.05f);
        solid(c, f, &s, other, 0, 0);
        return;
    case THING_BOX:
        shape_box(&s, -0.45f, -0.75f, 0.45f, 0, 0.02f);
        solid(c, f, &s, q, 0.05f, 0.2f);
        shape_new(&s, 0);
        shape_box(&s, -0.07f, -0.75f, 0.07f, 0, 0.01f);
        solid(c, f, &s, draw_scale(q, 0.8f), 0, 0);
        return;
    case THING_BOWL:
        shape_ellipse(&s, 0, -0.3f, 0.5f, 0.13f, 0);
        shape_cone(&s, 0, -0.26f, 0.38f, 0, -0.2f, 0.3f);
        solid(c, f, &s, q, 0.2f, 0.2f);
        shape_new(&s, 0);
        shape_ellipse(&s, 0, -0.45f, 0.38f, 0.12f, 0);
        solid(c, f, &s, draw_scale(other, 0.7f), 0, 0);
        return;
    case THING_CONE: /* a tent, a fir, an ear to the careless */
        shape_triangle(&s, (draw_vec){ -0.4f, -0.05f }, (draw_vec){ 0.4f, -0.05f },
                       (draw_vec){ draw_uniform(r, -0.2f, 0.2f), -0.95f }, 0.04f);
        solid(c, f, &s, q, 0.3f, 0.2f);
        return;
    default: /* THING_PILLOW: hangs like an ear would */
        shape_ellipse(&s, 0, -0.4f, 0.28f, 0.42f, draw_uniform(r, -0.6f, 0.6f));
        solid(c, f, &s, q, 0.25f, 0.2f);
    }
}

static void things(draw_canvas *c, draw_rng *r, int n, float lo, float hi, float ground)
{
    for (int i = 0; i < n; i++) {
        float x = draw_uniform(r, -0.05f, 1.05f), y = ground + draw_uniform(r, lo, hi),
              k = draw_uniform(r, 0.16f, 0.42f);
        draw_frame f = draw_frame_at(unit_frame(c), x, y, draw_uniform(r, -0.15f, 0.15f), k, k);
        thing(c, f, r, draw_pick(r, THINGS));
    }
}

static void discs(draw_canvas *c, draw_rng *r, int n)
{
    for (int i = 0; i < n; i++) {
        float k = draw_uniform(r, 0.03f, 0.14f);
        draw_shape s;
        draw_paint p = { .flat = scene_colour(r), .soft = 0.03f, .alpha = draw_uniform(r, 0.25f, 0.8f) };
        shape_new(&s, 0);
        shape_ellipse(&s, draw_uniform(r, 0, 1), draw_uniform(r, 0, 1), k, k, 0);
        draw_shape_paint(c, unit_frame(c), &s, &p);
    }
}

void draw_backdrop(draw_canvas *c, draw_rng *scene, draw_rng *object, float floor_y)
{
    backdrop b = { .kind = draw_pick(scene, SCENES), .style = draw_chance(scene, 0.5f) };
    b.a = scene_colour(scene);
    b.b = draw_chance(scene, 0.5f) ? scene_colour(scene) : draw_scale(b.a, draw_uniform(scene, 0.7f, 1.2f));
    b.c = scene_colour(scene);
    b.d = draw_lerp(b.c, scene_colour(scene), draw_uniform(scene, 0.2f, 0.8f));
    if (b.kind == SCENE_MEADOW) {
        b.a = draw_hsv(draw_uniform(scene, 0.5f, 0.65f), draw_uniform(scene, 0.1f, 0.4f),
                       draw_uniform(scene, 0.75f, 0.98f));
        b.b = draw_hsv(draw_uniform(scene, 0.5f, 0.65f), draw_uniform(scene, 0.2f, 0.5f),
                       draw_uniform(scene, 0.6f, 0.95f));
        b.c = draw_hsv(draw_uniform(scene, 0.1f, 0.36f), draw_uniform(scene, 0.3f, 0.6f),
                       draw_uniform(scene, 0.35f, 0.8f));
        b.d = draw_scale(b.c, draw_uniform(scene, 0.6f, 0.9f));
    }
    b.floor = draw_clamp(floor_y - draw_uniform(scene, 0.05f, 0.3f), 0.3f, 0.95f);
    b.slope = draw_uniform(scene, -0.12f, 0.12f);
    b.freq = draw_uniform(scene, 4, 9);
    b.tex = draw_uniform(scene, 0, 0.22f);
    b.tex_scale = draw_uniform(scene, 4, 50);
    b.seed = (uint32_t)draw_bits(scene);
    float *out = c->rgb, step = 1 / (float)c->size;
    for (int y = 0; y < c->size; y++)
        for (int x = 0; x < c->size; x++, out += 3) {
            draw_rgb q = backdrop_at(&b, ((float)x + 0.5f) * step, ((float)y + 0.5f) * step);
            out[0] = q.r;
            out[1] = q.g;
            out[2] = q.b;
        }
    if (b.kind == SCENE_ROOM && draw_chance(object, 0.6f)) {
        float k = draw_uniform(object, 0.3f, 0.5f);
        thing(c, draw_frame_at(unit_frame(c), draw_uniform(object, 0.2f, 0.8f), b.floor + 0.06f, 0, k, k),
              object, THING_SOFA);
    }
    if (b.kind == SCENE_ROOM && draw_chance(object, 0.6f))
        thing(c, draw_frame_at(unit_frame(c), draw_uniform(object, 0, 1), 0.35f, 0, 0.3f, 0.3f), object,
              THING_FRAME);
    if (b.kind == SCENE_BOKEH)
        discs(c, object, 14);
    else if (b.kind == SCENE_CLUTTER)
        things(c, object, 4 + draw_pick(object, 5), -0.6f, 0.3f, 0.7f);
    else if (b.kind != SCENE_STUDIO)
        things(c, object, draw_pick(object, 4), 0.0f, 0.2f, b.floor);
}

static void grass(draw_canvas *c, draw_rng *r)
{
    draw_rgb q =
        draw_hsv(draw_uniform(r, 0.12f, 0.4f), draw_uniform(r, 0.3f, 0.65f), draw_uniform(r, 0.3f, 0.7f));
    int n = 10 + draw_pick(r, 20);
    for (int i = 0; i < n; i++) {
        float x = draw_uniform(r, 0, 1), tall = draw_uniform(r, 0.06f, 0.24f),
              lean = draw_uniform(r, -0.08f, 0.08f);
        draw_shape s;
        shape_new(&s, 0);
        shape_cone(&s, x, 1.02f, 0.014f, x + lean, 1.0f - tall, 0.003f);
        solid(c, unit_frame(c), &s, draw_scale(q, draw_uniform(r, 0.7f, 1.2f)), 0.01f, 0);
    }
}

/* Things in front, anywhere but within `clear` of the head (both in sides of the picture). */
void draw_foreground(draw_canvas *c, draw_rng *r, draw_vec head, float clear)
{
    if (draw_chance(r, 0.2f))
        grass(c, r);
    if (!draw_chance(r, 0.25f))
        return;
    int n = 1 + draw_pick(r, 2);
    for (int i = 0; i < n; i++) {
        float x = draw_uniform(r, 0, 1), y = draw_uniform(r, 0.55f, 1.15f), k = draw_uniform(r, 0.18f, 0.4f);
        int kind = draw_pick(r, THINGS - 1) + 1;
        float turn = draw_uniform(r, -0.3f, 0.3f);
        uint64_t own = draw_bits(r);
        if (hypotf(x - head.x, y - 0.5f * k - head.y) < clear + 0.5f * k)
            continue;
        draw_rng rr = { own, 0 };
        thing(c, draw_frame_at(unit_frame(c), x, y, turn, k, k), &rr, kind);
    }
}
