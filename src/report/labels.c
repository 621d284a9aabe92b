/* report/labels.c: each name tries the places around its point, near ones first. */
#include "report/labels.h"

#include <math.h>

typedef struct {
    double left, top, right, bottom;
} box;

static double overlap(box a, box b)
{
    double w = PITHP_MIN(a.right, b.right) - PITHP_MAX(a.left, b.left),
           h = PITHP_MIN(a.bottom, b.bottom) - PITHP_MAX(a.top, b.top);
    return w > 0 && h > 0 ? w * h : 0;
}

static box label_box(const pithp_label *l)
{
    return (box){ l->left - 1, l->top, l->left + l->width + 1, l->top + l->height };
}

/* Place k of those around the point: 8 directions, each at some distances. */
static void try_place(pithp_label *l, int k, double radius)
{
    static const double dx[2][8] = { { 1, -1, 0, 0, 1, -1, 1, -1 }, { -1, 1, 0, -1, 1, 0, 1, -1 } },
                        dy[2][8] = { { 0, 0, -1, 1, -1, -1, 1, 1 }, { -1, -1, -1, 0, 1, 1, 0, 1 } };
    double away = radius + 4 + 13 * (k / 8), x = dx[l->above][k % 8], y = dy[l->above][k % 8];
    double reach = x != 0 && y != 0 ? 0.75 * away : away;
    l->left = l->x + reach * x - (x > 0 ? 0 : x < 0 ? l->width : l->width / 2);
    l->top = l->y + reach * y - (y > 0 ? 0 : y < 0 ? l->height : l->height / 2);
}

enum { PLACES = 8 * 5 };

void pithp_labels_place(pithp_label *label, int n, double radius, double left, double top, double right,
                        double bottom)
{
    for (int i = 0; i < n; i++) {
        pithp_label *l = &label[i];
        double least = INFINITY;
        int best = 0;
        for (int k = 0; k < PLACES && least > 0; k++) {
            try_place(l, k, radius);
            box b = label_box(l);
            double cost = PITHP_MAX(left - b.left, 0) + PITHP_MAX(b.right - right, 0) +
                          PITHP_MAX(top - b.top, 0) + PITHP_MAX(b.bottom - bottom, 0);
            cost *= 1000;
            for (int m = 0; m < n; m++) {
                const pithp_label *o = &label[m];
                cost += overlap(b, (box){ o->x - radius, o->y - radius, o->x + radius, o->y + radius });
                if (m < i && o->shown)
                    cost += 4 * overlap(b, label_box(o));
            }
            if (cost < least) {
                least = cost;
                best = k;
            }
        }
        try_place(l, best, radius);
        l->shown = least <= 0 || l->must;
    }
}

void pithp_labels_spread(double *y, int n, double gap, double low, double high)
{
    /* Blocks that touch are centred on what they want: pushing down, then up, then down settles it. */
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < n; i++) {
            double least = i > 0 ? y[i - 1] + gap : low;
            if (y[i] < least) {
                double half = i > 0 && round == 0 ? (least - y[i]) / 2 : 0;
                y[i] = least - half;
                if (i > 0)
                    y[i - 1] -= half;
            }
        }
        for (int i = n - 1; i >= 0; i--) {
            double most = i + 1 < n ? y[i + 1] - gap : high;
            if (y[i] > most && (i + 1 < n || n * gap <= high - low + gap))
                y[i] = most;
        }
    }
    for (int i = 1; i < n; i++)
        y[i] = PITHP_MAX(y[i], y[i - 1] + gap);
}
