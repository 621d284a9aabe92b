/* Shapes of convolutions of every kind, for the suites of the kernels. */
#ifndef PITH_TESTS_CONVS_HELP_H
#define PITH_TESTS_CONVS_HELP_H

#include "kernels_help.h"

/* P and Q from padding on both sides; a negative result is the caller's to avoid. */
static int64_t outputs(int64_t in, int64_t taps, int64_t stride, int64_t dil, int64_t pads)
{
    int64_t room = in + pads - (taps - 1) * dil - 1;
    return room < 0 ? 0 : room / stride + 1;
}

typedef enum { POINTWISE, DENSE, GROUPED, DEPTHWISE, TINY, KINDS } kind;

static pithp_conv geometry(kind what, int64_t i, pithp_rand *r)
{
    static const int64_t cs[] = { 1, 3, 16, 17, 24, 96, 112, 2, 5, 40, 33, 64 };
    pithp_conv g = {
        .n = pick(r, 1, 4), .r = 1, .s = 1, .stride_h = 1, .stride_w = 1, .dil_h = 1, .dil_w = 1, .groups = 1
    };
    g.c = cs[i % (int64_t)PITHP_LEN(cs)];
    g.k = cs[pick(r, 0, PITHP_LEN(cs) - 1)];
    g.h = pick(r, 3, 9), g.w = pick(r, 3, 19);
    int64_t pb = 0, pr = 0;
    if (what == POINTWISE) {
        if (i % 5 == 0)
            g.n = 21, g.h = 9, g.w = 13; /* more pixels than one tile per slot */
    } else {
        static const int64_t sizes[] = { 3, 5, 3, 5, 1, 2, 4, 7 };
        g.r = sizes[i % 4 + (i % 8 == 7 ? 4 : 0)], g.s = i % 6 ? g.r : sizes[pick(r, 0, 7)];
        g.stride_h = pick(r, 1, 3), g.stride_w = i % 4 ? g.stride_h : pick(r, 1, 3);
        if (i % 3 == 0)
            g.stride_h = g.stride_w = 1 + i % 2;
        g.dil_h = i % 5 == 4 ? pick(r, 1, 3) : 1, g.dil_w = i % 5 == 4 ? pick(r, 1, 3) : 1;
        /* same, valid, or anything */
        g.pt = i % 3 ? (g.r - 1) * g.dil_h / 2 : i % 2 ? 0 : pick(r, 0, g.r);
        g.pl = i % 3 ? (g.s - 1) * g.dil_w / 2 : i % 2 ? 0 : pick(r, 0, g.s);
        pb = i % 3 ? (g.r - 1) * g.dil_h - g.pt : i % 2 ? 0 : pick(r, 0, g.r);
        pr = i % 3 ? (g.s - 1) * g.dil_w - g.pl : i % 2 ? 0 : pick(r, 0, g.s);
        if (what == DENSE)
            g.c = g.c > 24 ? 24 : g.c, g.k = g.k > 40 ? 40 : g.k;
        if (what == GROUPED)
            g.groups = pick(r, 2, 4), g.c = g.groups * pick(r, 1, 5), g.k = g.groups * pick(r, 1, 9);
        if (what == GROUPED && i % 8 == 5)
            g.groups = g.k = g.c; /* a filter a channel, but not depthwise's layout */
        if (what == GROUPED && i % 4 == 0)
            g.groups = g.c, g.k = 2 * g.c; /* depthwise with a multiplier */
        if (what == DEPTHWISE)
            g.w = pick(r, 5, 40);
        if (what == TINY)
            g.r = g.s = 5, g.pt = g.pl = 2, pb = pr = 2, g.dil_h = g.dil_w = 1;
        if (what == TINY)
            g.h = pick(r, 1, 6), g.w = pick(r, 1, 6), g.n = i % 4 ? 1 : 37;
        if (what >= DEPTHWISE)
            g.groups = g.k = g.c, g.depthwise = true;
    }
    g.p = outputs(g.h, g.r, g.stride_h, g.dil_h, g.pt + pb);
    g.q = outputs(g.w, g.s, g.stride_w, g.dil_w, g.pl + pr);
    if (g.p < 1 || g.q < 1) { /* the window is larger than the padded input: pad more */
        g.pt = (g.r - 1) * g.dil_h, g.pl = (g.s - 1) * g.dil_w;
        g.p = outputs(g.h, g.r, g.stride_h, g.dil_h, g.pt),
        g.q = outputs(g.w, g.s, g.stride_w, g.dil_w, g.pl);
    }
    return g;
}

static int64_t weights(const pithp_conv *g) { return g->k * g->r * g->s * (g->c / g->groups); }

#endif
