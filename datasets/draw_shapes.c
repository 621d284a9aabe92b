/* Shapes as signed distances, and the one function that paints them: coverage, light, outline, fur and
 * cast shadow all come from the distance, so edges are smooth without supersampling. */
#include "draw.h"

#include <math.h>
#include <string.h>

draw_frame draw_frame_at(draw_frame parent, float x, float y, float angle, float sx, float sy)
{
    float c = cosf(angle), s = sinf(angle);
    float l[4] = { c * sx, -s * sy, s * sx, c * sy };
    const float *p = parent.m;
    draw_frame f = { { p[0] * l[0] + p[1] * l[2], p[0] * l[1] + p[1] * l[3], p[2] * l[0] + p[3] * l[2],
                       p[2] * l[1] + p[3] * l[3] },
                     draw_to_pixels(parent, x, y) };
    return f;
}

draw_vec draw_to_pixels(draw_frame f, float x, float y)
{
    return (draw_vec){ f.m[0] * x + f.m[1] * y + f.o.x, f.m[2] * x + f.m[3] * y + f.o.y };
}

float draw_frame_scale(draw_frame f) { return sqrtf(fabsf(f.m[0] * f.m[3] - f.m[1] * f.m[2])); }

void shape_new(draw_shape *s, float blend)
{
    s->n = 0;
    s->blend = blend;
}

static draw_prim *add(draw_shape *s, int kind)
{
    /* A full shape drops what does not fit: the builders here never come near the limit. */
    draw_prim *p = &s->prim[s->n < DRAW_MAX_PRIMS ? s->n++ : DRAW_MAX_PRIMS - 1];
    memset(p, 0, sizeof *p);
    p->kind = kind;
    return p;
}

void shape_cone(draw_shape *s, float ax, float ay, float ra, float bx, float by, float rb)
{
    draw_prim *p = add(s, PRIM_CONE);
    p->p[0] = (draw_vec){ ax, ay };
    p->p[1] = (draw_vec){ bx - ax, by - ay };
    float len2 = p->p[1].x * p->p[1].x + p->p[1].y * p->p[1].y;
    p->c = len2 > 1e-12f ? 1 / len2 : 0;
    p->ra = ra;
    p->rb = rb;
}

void shape_ellipse(draw_shape *s, float x, float y, float rx, float ry, float angle)
{
    draw_prim *p = add(s, PRIM_ELLIPSE);
    p->p[0] = (draw_vec){ x, y };
    p->ra = rx;
    p->rb = ry;
    p->c = cosf(angle);
    p->s = sinf(angle);
}

void shape_triangle(draw_shape *s, draw_vec a, draw_vec b, draw_vec c, float round)
{
    draw_prim *p = add(s, PRIM_POLY);
    p->p[0] = a;
    p->p[1] = b;
    p->p[2] = c;
    p->n = 3;
    p->ra = round;
}

void shape_box(draw_shape *s, float x0, float y0, float x1, float y1, float round)
{
    draw_prim *p = add(s, PRIM_POLY);
    p->p[0] = (draw_vec){ x0 + round, y0 + round };
    p->p[1] = (draw_vec){ x1 - round, y0 + round };
    p->p[2] = (draw_vec){ x1 - round, y1 - round };
    p->p[3] = (draw_vec){ x0 + round, y1 - round };
    p->n = 4;
    p->ra = round;
}

void shape_curve(draw_shape *s, const draw_vec p[4], float ra, float rb, int pieces)
{
    draw_vec last = p[0];
    for (int i = 1; i <= pieces; i++) {
        float t = (float)i / (float)pieces, u = 1 - t, t0 = (float)(i - 1) / (float)pieces;
        float w0 = u * u * u, w1 = 3 * u * u * t, w2 = 3 * u * t * t, w3 = t * t * t;
        draw_vec q = { w0 * p[0].x + w1 * p[1].x + w2 * p[2].x + w3 * p[3].x,
                       w0 * p[0].y + w1 * p[1].y + w2 * p[2].y + w3 * p[3].y };
        shape_cone(s, last.x, last.y, ra + (rb - ra) * t0, q.x, q.y, ra + (rb - ra) * t);
        last = q;
    }
}

/* Distance to a closed polygon, negative inside (Quilez, "2D distance functions"). */
static float poly_distance(const draw_prim *p, float x, float y)
{
    float best = 1e30f, sign = 1;
    for (int i = 0, j = p->n - 1; i < p->n; j = i++) {
        float ex = p->p[j].x - p->p[i].x, ey = p->p[j].y - p->p[i].y;
        float wx = x - p->p[i].x, wy = y - p->p[i].y;
        float t = draw_clamp((wx * ex + wy * ey) / (ex * ex + ey * ey), 0, 1);
        float bx = wx - ex * t, by = wy - ey * t, d = bx * bx + by * by;
        best = d < best ? d : best;
        int a = y >= p->p[i].y, b = y<p->p[j].y, c = ex * wy> ey * wx;
        if ((a && b && c) || (!a && !b && !c))
            sign = -sign;
    }
    return sign * sqrtf(best) - p->ra;
}

static float prim_distance(const draw_prim *p, float x, float y)
{
    if (p->kind == PRIM_POLY)
        return poly_distance(p, x, y);
    x -= p->p[0].x;
    y -= p->p[0].y;
    if (p->kind == PRIM_CONE) {
        float t = draw_clamp((x * p->p[1].x + y * p->p[1].y) * p->c, 0, 1);
        float dx = x - p->p[1].x * t, dy = y - p->p[1].y * t;
        return sqrtf(dx * dx + dy * dy) - (p->ra + (p->rb - p->ra) * t);
    }
    float u = (p->c * x + p->s * y) / p->ra, v = (p->c * y - p->s * x) / p->rb;
    float k0 = sqrtf(u * u + v * v), gu = u / p->ra, gv = v / p->rb, k1 = sqrtf(gu * gu + gv * gv);
    return k1 > 1e-6f ? k0 * (k0 - 1) / k1 : -fminf(p->ra, p->rb);
}

/* The union of the primitives, with fillets of radius `blend` where they meet. */
static float shape_distance(const draw_shape *s, float x, float y)
{
    float d = prim_distance(&s->prim[0], x, y), k = s->blend;
    for (int i = 1; i < s->n; i++) {
        float e = prim_distance(&s->prim[i], x, y), h = k - fabsf(d - e);
        d = d < e ? d : e;
        if (h > 0)
            d -= h * h / (4 * k);
    }
    return d;
}

static float prim_reach(const draw_prim *p, draw_vec *centre)
{
    if (p->kind == PRIM_ELLIPSE) {
        *centre = p->p[0];
        return fmaxf(p->ra, p->rb);
    }
    if (p->kind == PRIM_CONE) {
        *centre = (draw_vec){ p->p[0].x + p->p[1].x / 2, p->p[0].y + p->p[1].y / 2 };
        return hypotf(p->p[1].x, p->p[1].y) / 2 + fmaxf(p->ra, p->rb);
    }
    draw_vec m = { 0, 0 };
    float r = 0;
    for (int i = 0; i < p->n; i++)
        m = (draw_vec){ m.x + p->p[i].x / (float)p->n, m.y + p->p[i].y / (float)p->n };
    for (int i = 0; i < p->n; i++)
        r = fmaxf(r, hypotf(p->p[i].x - m.x, p->p[i].y - m.y));
    *centre = m;
    return r + p->ra;
}

/* box: x0 y0 x1 y1, half open, within the canvas. */
static int pixel_box(const draw_canvas *c, draw_frame f, const draw_shape *s, float margin, int box[4])
{
    float x0 = 1e9f, y0 = 1e9f, x1 = -1e9f, y1 = -1e9f;
    float stretch = fmaxf(hypotf(f.m[0], f.m[2]), hypotf(f.m[1], f.m[3]));
    for (int i = 0; i < s->n; i++) {
        draw_vec m;
        float r = prim_reach(&s->prim[i], &m) * stretch + margin;
        m = draw_to_pixels(f, m.x, m.y);
        x0 = fminf(x0, m.x - r);
        y0 = fminf(y0, m.y - r);
        x1 = fmaxf(x1, m.x + r);
        y1 = fmaxf(y1, m.y + r);
    }
    float n = (float)c->size;
    box[0] = (int)floorf(draw_clamp(x0, 0, n));
    box[1] = (int)floorf(draw_clamp(y0, 0, n));
    box[2] = (int)ceilf(draw_clamp(x1, 0, n));
    box[3] = (int)ceilf(draw_clamp(y1, 0, n));
    return box[0] < box[2] && box[1] < box[3];
}

/* Brightness of a surface that bulges out of the picture: the normal lies flat at the edge and turns to
 * the viewer over `depth` pixels. */
static float brightness(const draw_canvas *c, const int box[4], int x, int y, float depth)
{
    const float *d = c->dist + (size_t)y * (size_t)c->size + x;
    int l = x > box[0], r = x + 1 < box[2], u = y > box[1], v = y + 1 < box[3];
    float gx = d[r] - d[-l], gy = (v ? d[c->size] : d[0]) - (u ? d[-c->size] : d[0]);
    gx /= (float)(l + r ? l + r : 1);
    gy /= (float)(u + v ? u + v : 1);
    float edge = draw_clamp(1 + d[0] / depth, 0, 1), len = hypotf(gx, gy);
    if (len > 1) {
        gx /= len;
        gy /= len;
    }
    edge *= edge;
    gx *= edge;
    gy *= edge;
    float nz = sqrtf(fmaxf(0, 1 - gx * gx - gy * gy)), dot = gx * c->lx + gy * c->ly + nz * c->lz;
    return c->ambient + c->diffuse * fmaxf(0, dot);
}

typedef struct {
    float scale, inv[4];
    draw_vec o;
    float halo, soft;
    int box[4];
} painting;

static void paint_pixel(draw_canvas *c, const draw_paint *p, const painting *g, int x, int y)
{
    size_t at = (size_t)y * (size_t)c->size + (size_t)x;
    float d = c->dist[at], *out = c->rgb + 3 * at;
    if (d > g->halo && d > g->soft && d > 0.5f)
        return;
    if (p->shadow > 0 && d > -1 && d < g->halo) {
        float k = 1 - p->shadow * (1 - draw_step(0, g->halo, d));
        for (int i = 0; i < 3; i++)
            out[i] *= k;
    }
    float cover = g->soft > 0 ? 1 - draw_step(-g->soft, g->soft, d) : draw_clamp(0.5f - d, 0, 1);
    cover *= p->alpha > 0 ? p->alpha : 1;
    if (cover <= 0 || (p->marking && c->lit[at] <= 0)) /* markings end where the fur does */
        return;
    float px = (float)x + 0.5f - g->o.x, py = (float)y + 0.5f - g->o.y;
    draw_rgb q = p->flat;
    if (p->coat)
        q = draw_coat_at(p->coat, p->region, g->inv[0] * px + g->inv[1] * py,
                         g->inv[2] * px + g->inv[3] * py);
    float lit = p->marking ? c->lit[at] : 1;
    if (p->round > 0 && !p->marking)
        lit = brightness(c, g->box, x, y, p->round * g->scale);
    if (!p->marking && cover > 0.5f)
        c->lit[at] = lit;
    if (p->dim > 0)
        lit *= p->dim;
    if (p->line > 0 && c->outline > 0)
        lit *= 1 - 0.75f * p->line * c->outline * draw_step(-0.09f * g->scale - 0.7f, 0, d);
    const float v[3] = { q.r * lit, q.g * lit, q.b * lit };
    for (int i = 0; i < 3; i++)
        out[i] += (v[i] - out[i]) * cover;
}

enum { BLOCK = 8 };

/* Fills a block of c->dist.  A block wholly outside, or so deep inside that the surface faces the viewer,
 * takes the distance of its middle: most of the picture, most of the time. */
static void measure_block(draw_canvas *c, const draw_shape *s, const painting *g, int x0, int y0,
                          float margin, float fuzz, float round)
{
    int x1 = x0 + BLOCK < g->box[2] ? x0 + BLOCK : g->box[2],
        y1 = y0 + BLOCK < g->box[3] ? y0 + BLOCK : g->box[3];
    float mx = 0.5f * (float)(x0 + x1) - g->o.x, my = 0.5f * (float)(y0 + y1) - g->o.y;
    float mid =
        shape_distance(s, g->inv[0] * mx + g->inv[1] * my, g->inv[2] * mx + g->inv[3] * my) * g->scale;
    /* 0.6: the distance to an ellipse is an estimate, and frames may stretch. */
    int far = 0.6f * mid > 0.75f * BLOCK + margin, deep = -0.6f * mid > 0.75f * BLOCK + margin + round;
    for (int y = y0; y < y1; y++)
        for (int x = x0; x < x1; x++) {
            float px = (float)x + 0.5f - g->o.x, py = (float)y + 0.5f - g->o.y, d = mid;
            float u = g->inv[0] * px + g->inv[1] * py, v = g->inv[2] * px + g->inv[3] * py;
            if (!far && !deep)
                d = shape_distance(s, u, v) * g->scale;
            if (fuzz > 0 && fabsf(d) < 4 * fuzz + 2)
                d += fuzz * (2 * draw_value_noise(c->seed, u * 9, v * 9) - 1);
            c->dist[(size_t)y * (size_t)c->size + (size_t)x] = d;
        }
}

void draw_shape_paint(draw_canvas *c, draw_frame f, const draw_shape *s, const draw_paint *p)
{
    float det = f.m[0] * f.m[3] - f.m[1] * f.m[2];
    painting g = { .scale = draw_frame_scale(f), .o = f.o };
    if (s->n == 0 || fabsf(det) < 1e-9f)
        return;
    g.inv[0] = f.m[3] / det;
    g.inv[1] = -f.m[1] / det;
    g.inv[2] = -f.m[2] / det;
    g.inv[3] = f.m[0] / det;
    g.halo = p->shadow > 0 ? 0.22f * g.scale : 0;
    g.soft = p->soft * g.scale;
    float fuzz = p->fur ? c->fuzz * g.scale : 0;
    float margin = fmaxf(g.halo, g.soft) + fuzz + s->blend * g.scale * 0.25f + 2;
    if (!pixel_box(c, f, s, margin, g.box))
        return;
    for (int y = g.box[1]; y < g.box[3]; y += BLOCK)
        for (int x = g.box[0]; x < g.box[2]; x += BLOCK)
            measure_block(c, s, &g, x, y, margin, fuzz, p->round * g.scale);
    for (int y = g.box[1]; y < g.box[3]; y++)
        for (int x = g.box[0]; x < g.box[2]; x++)
            paint_pixel(c, p, &g, x, y);
}
