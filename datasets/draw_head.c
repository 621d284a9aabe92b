/* The heads: where cats and dogs differ most.  Origin: centre of the skull; unit: its radius. */
#include "draw.h"

#include <math.h>

static draw_vec at(float x, float y) { return (draw_vec){ x, y }; }

static draw_paint fur(const draw_coat *coat, int region, float round)
{
    return (
        draw_paint){ .coat = coat, .region = region, .round = round, .line = 1, .shadow = 0.3f, .fur = 1 };
}

static draw_paint mark(const draw_coat *coat, int region, float soft)
{
    return (draw_paint){ .coat = coat, .region = region, .soft = soft, .marking = 1 };
}

static draw_paint flat(draw_rgb colour, float round)
{
    return (draw_paint){ .flat = colour, .round = round };
}

static void stroke(draw_canvas *c, draw_frame f, const draw_vec p[4], float ra, float rb, draw_rgb colour)
{
    /* Lines keep at least 0.8 pixel, or small pictures would lose them. */
    float least = 0.4f / draw_frame_scale(f);
    draw_shape s;
    draw_paint paint = flat(colour, 0);
    shape_new(&s, 0);
    shape_curve(&s, p, fmaxf(ra, least), fmaxf(rb, least), 6);
    draw_shape_paint(c, f, &s, &paint);
}

/* ---- ears ---- */

/* Upright ears: a triangle on the base (x0,y0)-(x1,y1) with its tip at (tx,ty), and a smaller one inside
 * it. */
static void upright_ear(draw_canvas *c, draw_frame f, const draw_coat *coat, draw_vec b0, draw_vec b1,
                        draw_vec tip, float round, int inside)
{
    draw_shape s;
    draw_paint p = fur(coat, REGION_EAR, 0.25f);
    shape_new(&s, 0);
    shape_triangle(&s, b0, b1, tip, round);
    draw_shape_paint(c, f, &s, &p);
    if (!inside)
        return;
    draw_vec m = { (b0.x + b1.x + 1.2f * tip.x) / 3.2f, (b0.y + b1.y + 1.2f * tip.y) / 3.2f };
    const float k = 0.58f;
    p = flat(coat->inner, 0);
    p.soft = 0.05f;
    p.marking = 1;
    shape_new(&s, 0);
    shape_triangle(&s, at(m.x + k * (b0.x - m.x), m.y + k * (b0.y - m.y)),
                   at(m.x + k * (b1.x - m.x), m.y + k * (b1.y - m.y)),
                   at(m.x + k * (tip.x - m.x), m.y + k * (tip.y - m.y)), round * 0.6f);
    draw_shape_paint(c, f, &s, &p);
}

/* Hanging ears: a flap from its root at (x,y), falling by `drop` and leaning out by `out`. */
static void hanging_ear(draw_canvas *c, draw_frame f, const draw_coat *coat, draw_vec root, float out,
                        float drop, float wide)
{
    draw_shape s;
    draw_paint p = fur(coat, REGION_EAR, 0.3f);
    p.dim = 0.9f;
    shape_new(&s, 0.15f);
    shape_cone(&s, root.x, root.y, wide * 0.62f, root.x + out * 0.8f, root.y + drop * 0.5f, wide);
    shape_cone(&s, root.x + out * 0.8f, root.y + drop * 0.5f, wide, root.x + out, root.y + drop,
               wide * 0.85f);
    draw_shape_paint(c, f, &s, &p);
}

static void ears_front(draw_canvas *c, draw_frame f, const draw_animal *a, const draw_coat *coat,
                       int before_skull)
{
    for (int side = -1; side <= 1; side += 2) {
        float k = (float)side, w = a->width, h = a->height, e = a->ear_size;
        float turn = a->ear_turn + 0.12f * k * a->yaw, near = 1 - 0.12f * k * a->yaw;
        if (a->ear == EAR_POINTED && before_skull)
            upright_ear(c, f, coat, at(k * 0.22f * w, -0.62f * h), at(k * 0.97f * w, -0.05f * h),
                        at(k * (0.86f + turn) * w, -h * 0.62f - 0.86f * e * near), 0.05f, 1);
        else if (a->ear == EAR_PRICKED && before_skull)
            upright_ear(c, f, coat, at(k * 0.30f * w, -0.70f * h), at(k * 0.80f * w, -0.35f * h),
                        at(k * (0.80f + turn) * w, -h * 0.72f - 0.66f * e * near), 0.12f, 1);
        else if (a->ear == EAR_DROP && !before_skull)
            hanging_ear(c, f, coat, at(k * 0.74f * w, -0.62f * h), k * (0.26f + turn),
                        (0.72f + 0.2f * near) * e, 0.25f);
        else if (a->ear == EAR_LONG && !before_skull)
            hanging_ear(c, f, coat, at(k * 0.80f * w, -0.45f * h), k * (0.24f + turn), 1.35f * e * near,
                        0.28f);
    }
}

/* ---- eyes ---- */

static void eye(draw_canvas *c, draw_frame f, const draw_animal *a, const draw_coat *coat, float x, float y,
                float squash, float slant)
{
    const draw_rgb dark = coat->ink, glint = draw_lerp((draw_rgb){ 1, 1, 1 }, coat->iris, 0.2f);
    float rx = a->eye * squash * (a->dog ? 0.94f : 1.06f), ry = a->eye * (a->dog ? 0.96f : 0.95f) * a->lid;
    draw_shape s;
    draw_paint p = flat(dark, 0);
    shape_new(&s, 0);
    shape_ellipse(&s, x, y, rx + 0.045f, ry + 0.045f, slant);
    draw_shape_paint(c, f, &s, &p);
    p = flat(coat->iris, 0);
    shape_new(&s, 0);
    shape_ellipse(&s, x, y, rx, ry, slant);
    draw_shape_paint(c, f, &s, &p);
    /* A cat's pupil is a slit as high as the eye; a dog's is round and fills most of it. */
    p = flat(dark, 0);
    shape_new(&s, 0);
    if (a->dog)
        shape_ellipse(&s, x, y, rx * (0.42f + 0.3f * a->pupil), fminf(ry, rx) * (0.42f + 0.3f * a->pupil), 0);
    else
        shape_ellipse(&s, x, y, rx * (0.18f + 0.37f * a->pupil), ry * 0.92f, 0);
    draw_shape_paint(c, f, &s, &p);
    p = flat(glint, 0);
    shape_new(&s, 0);
    shape_ellipse(&s, x - 0.3f * rx, y - 0.35f * ry, 0.24f * a->eye, 0.24f * a->eye, 0);
    draw_shape_paint(c, f, &s, &p);
}

/* ---- faces seen from the front ---- */

static void whiskers(draw_canvas *c, draw_frame f, const draw_coat *coat, float x, float y, float k,
                     float reach)
{
    for (int i = -1; i <= 1; i++) {
        float up = 0.16f * (float)i;
        const draw_vec p[4] = { { x, y + 0.4f * up },
                                { x + k * reach * 0.4f, y + up - 0.05f },
                                { x + k * reach * 0.75f, y + 1.3f * up - 0.04f },
                                { x + k * reach, y + 2.0f * up + 0.05f } };
        stroke(c, f, p, 0.034f, 0.014f, coat->whisker);
    }
}

static void cat_muzzle(draw_canvas *c, draw_frame f, const draw_animal *a, const draw_coat *coat, float x)
{
    float y = 0.34f * a->height, m = a->muzzle;
    draw_shape s;
    draw_paint p = mark(coat, REGION_MUZZLE, 0.07f);
    shape_new(&s, 0.1f);
    shape_ellipse(&s, x - 0.17f * m, y + 0.16f, 0.25f * m, 0.20f * m, 0);
    shape_ellipse(&s, x + 0.17f * m, y + 0.16f, 0.25f * m, 0.20f * m, 0);
    draw_shape_paint(c, f, &s, &p);
    if (a->tongue) {
        p = flat((draw_rgb){ 0.85f, 0.42f, 0.45f }, 0.1f);
        shape_new(&s, 0);
        shape_ellipse(&s, x, y + 0.34f, 0.10f, 0.11f, 0);
        draw_shape_paint(c, f, &s, &p);
    }
    for (int k = -1; k <= 1; k += 2) {
        float q = (float)k;
        const draw_vec mouth[4] = { { x, y + 0.08f },
                                    { x + q * 0.02f, y + 0.30f },
                                    { x + q * 0.20f, y + 0.32f },
                                    { x + q * 0.29f, y + 0.20f } };
        stroke(c, f, mouth, 0.026f, 0.02f, coat->ink);
        whiskers(c, f, coat, x + q * 0.28f, y + 0.14f, q, 0.95f);
    }
    p = flat(coat->nose, 0.08f);
    shape_new(&s, 0);
    shape_triangle(&s, at(x - 0.09f, y - 0.03f), at(x + 0.09f, y - 0.03f), at(x, y + 0.06f), 0.045f);
    draw_shape_paint(c, f, &s, &p);
}

static void dog_muzzle(draw_canvas *c, draw_frame f, const draw_animal *a, const draw_coat *coat, float x)
{
    float y = 0.42f * a->height, m = a->muzzle, push = 0.18f * a->yaw;
    draw_shape s;
    draw_paint p;
    if (a->tongue) {
        p = flat((draw_rgb){ 0.85f, 0.42f, 0.45f }, 0.12f);
        p.line = 0.6f;
        shape_new(&s, 0);
        shape_cone(&s, x + push, y + 0.28f * m, 0.14f, x + push, y + 0.58f * m, 0.15f);
        draw_shape_paint(c, f, &s, &p);
    }
    /* The snout comes towards the viewer: a bulge of its own, with its own light and its own shadow on the
     * cheeks. */
    p = fur(coat, REGION_MUZZLE, 0.34f);
    p.line = 0.35f;
    shape_new(&s, 0.2f);
    shape_cone(&s, x, y - 0.28f, 0.26f * m, x + push, y + 0.04f, 0.40f * m);
    shape_ellipse(&s, x + push - 0.20f * m, y + 0.20f * m, 0.30f * m, 0.25f * m, 0.2f);
    shape_ellipse(&s, x + push + 0.20f * m, y + 0.20f * m, 0.30f * m, 0.25f * m, -0.2f);
    draw_shape_paint(c, f, &s, &p);
    for (int k = -1; k <= 1; k += 2) {
        float q = (float)k, nx = x + push;
        const draw_vec mouth[4] = { { nx, y + 0.05f },
                                    { nx + q * 0.02f, y + 0.36f * m },
                                    { nx + q * 0.25f * m, y + 0.42f * m },
                                    { nx + q * 0.44f * m, y + 0.22f * m } };
        stroke(c, f, mouth, 0.032f, 0.026f, coat->ink);
    }
    p = flat(coat->nose, 0.14f);
    shape_new(&s, 0.06f);
    shape_ellipse(&s, x + push, y - 0.13f, 0.23f * m, 0.16f * m, 0);
    shape_ellipse(&s, x + push, y - 0.05f, 0.11f * m, 0.11f * m, 0);
    draw_shape_paint(c, f, &s, &p);
    p = flat((draw_rgb){ 0.95f, 0.95f, 0.95f }, 0);
    p.alpha = 0.6f;
    p.soft = 0.03f;
    shape_new(&s, 0);
    shape_ellipse(&s, x + push - 0.06f, y - 0.19f, 0.06f, 0.03f, 0);
    draw_shape_paint(c, f, &s, &p);
}

static void head_front(draw_canvas *c, draw_frame f, const draw_animal *a, const draw_coat *coat)
{
    float w = a->width, h = a->height, x = 0.26f * a->yaw;
    draw_shape s;
    draw_paint p = fur(coat, REGION_HEAD, 0.75f);
    ears_front(c, f, a, coat, 1);
    shape_new(&s, 0.3f);
    shape_ellipse(&s, 0, 0, w, h, 0);
    if (a->dog) {
        shape_ellipse(&s, x * 0.8f, 0.45f * h, 0.66f * w, 0.58f * h, 0);
    } else {
        shape_ellipse(&s, -0.55f * w, 0.30f * h, 0.50f * w, 0.44f * h, 0.3f);
        shape_ellipse(&s, 0.55f * w, 0.30f * h, 0.50f * w, 0.44f * h, -0.3f);
    }
    draw_shape_paint(c, f, &s, &p);
    if (coat->white) { /* a blaze from brow to muzzle */
        p = mark(coat, REGION_CHEST, 0.08f);
        shape_new(&s, 0.1f);
        shape_cone(&s, x, -0.55f * h, 0.05f, x, 0.3f * h, 0.3f);
        draw_shape_paint(c, f, &s, &p);
    }
    ears_front(c, f, a, coat, 0);
    float apart = a->dog ? 0.36f : 0.41f, y = a->dog ? -0.14f : -0.04f;
    for (int k = -1; k <= 1; k += 2)
        eye(c, f, a, coat, x + (float)k * apart * w, y * h, 1 - 0.22f * (float)k * a->yaw,
            a->dog ? 0 : -0.22f * (float)k);
    if (a->dog)
        dog_muzzle(c, f, a, coat, x * 1.25f);
    else
        cat_muzzle(c, f, a, coat, x * 1.1f);
}

/* ---- faces seen from the side, looking right ---- */

static void cat_side(draw_canvas *c, draw_frame f, const draw_animal *a, const draw_coat *coat)
{
    float e = a->ear_size, t = a->ear_turn, m = a->muzzle;
    draw_shape s;
    draw_paint p = fur(coat, REGION_HEAD, 0.7f);
    upright_ear(c, f, coat, at(0.05f, -0.6f), at(0.62f, -0.45f), at(0.48f + t, -0.62f - 0.78f * e), 0.05f, 0);
    shape_new(&s, 0.25f);
    shape_ellipse(&s, 0, 0, 0.95f * a->width, 0.86f * a->height, 0);
    shape_ellipse(&s, 0.62f, 0.28f, 0.40f * m, 0.32f * m, 0);
    shape_ellipse(&s, -0.1f, 0.42f, 0.6f, 0.44f, 0);
    draw_shape_paint(c, f, &s, &p);
    p = mark(coat, REGION_MUZZLE, 0.08f);
    shape_new(&s, 0);
    shape_ellipse(&s, 0.70f, 0.36f, 0.27f * m, 0.20f * m, 0.1f);
    draw_shape_paint(c, f, &s, &p);
    upright_ear(c, f, coat, at(-0.62f, -0.42f), at(0.14f, -0.66f), at(-0.36f + t, -0.66f - 0.88f * e), 0.05f,
                1);
    eye(c, f, a, coat, 0.47f, -0.08f, 0.8f, -0.2f);
    const draw_vec mouth[4] = { { 0.98f, 0.33f }, { 0.88f, 0.50f }, { 0.70f, 0.52f }, { 0.58f, 0.44f } };
    stroke(c, f, mouth, 0.026f, 0.02f, coat->ink);
    whiskers(c, f, coat, 0.72f, 0.36f, -1, 0.75f);
    whiskers(c, f, coat, 0.86f, 0.36f, 1, 0.65f);
    p = flat(coat->nose, 0.08f);
    shape_new(&s, 0);
    shape_ellipse(&s, 0.62f + 0.37f * m, 0.20f, 0.09f, 0.075f, 0.5f);
    draw_shape_paint(c, f, &s, &p);
}

static void dog_side(draw_canvas *c, draw_frame f, const draw_animal *a, const draw_coat *coat)
{
    float m = a->muzzle, tip = 0.75f + 0.62f * m, e = a->ear_size, t = a->ear_turn;
    draw_shape s;
    draw_paint p;
    if (a->ear == EAR_PRICKED)
        upright_ear(c, f, coat, at(-0.1f, -0.55f), at(0.42f, -0.55f), at(0.28f + t, -0.62f - 0.7f * e), 0.1f,
                    0);
    if (a->tongue) {
        p = flat((draw_rgb){ 0.85f, 0.42f, 0.45f }, 0.1f);
        p.line = 0.6f;
        shape_new(&s, 0);
        shape_cone(&s, tip - 0.32f, 0.42f, 0.10f, tip - 0.24f, 0.80f, 0.12f);
        draw_shape_paint(c, f, &s, &p);
    }
    p = fur(coat, REGION_HEAD, 0.6f);
    shape_new(&s, 0.22f);
    shape_ellipse(&s, 0, -0.02f, 0.84f * a->width, 0.84f * a->height, 0);
    shape_cone(&s, 0.35f, 0.22f, 0.42f, tip, 0.26f, 0.23f + 0.05f * m);
    draw_shape_paint(c, f, &s, &p);
    p = mark(coat, REGION_MUZZLE, 0.1f);
    shape_new(&s, 0.1f);
    shape_cone(&s, 0.72f, 0.32f, 0.24f, tip, 0.28f, 0.24f);
    draw_shape_paint(c, f, &s, &p);
    const draw_vec mouth[4] = {
        { tip + 0.12f, 0.38f }, { tip - 0.2f, 0.52f }, { 0.85f, 0.50f }, { 0.58f, 0.40f }
    };
    stroke(c, f, mouth, 0.028f, 0.022f, coat->ink);
    eye(c, f, a, coat, 0.36f, -0.20f, 0.9f, 0);
    if (a->ear == EAR_PRICKED)
        upright_ear(c, f, coat, at(-0.62f, -0.35f), at(0.02f, -0.64f), at(-0.26f + t, -0.68f - 0.74f * e),
                    0.12f, 1);
    else
        hanging_ear(c, f, coat, at(-0.25f, -0.46f), -0.18f + t, (a->ear == EAR_LONG ? 1.35f : 0.85f) * e,
                    0.27f);
    p = flat(coat->nose, 0.14f);
    shape_new(&s, 0);
    shape_ellipse(&s, tip + 0.17f, 0.12f, 0.16f, 0.13f, 0.2f);
    draw_shape_paint(c, f, &s, &p);
}

void draw_head_paint(draw_canvas *c, draw_frame f, const draw_animal *a, const draw_coat *coat)
{
    if (!a->profile)
        head_front(c, f, a, coat);
    else if (a->dog)
        dog_side(c, f, a, coat);
    else
        cat_side(c, f, a, coat);
}
