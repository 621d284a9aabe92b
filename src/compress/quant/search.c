/* compress/quant/search.c: the range that leaves the least error. The error over ranges is bumpy at the scale of one
   code, so: a grid over one common factor, then a pattern search over the ends with steps that halve. */
#include "compress/quant/quantizer.h"
#include <math.h>

enum { GRID = 128, FINEST = 4096 };

typedef struct {
    pithp_range_error error;
    void *arg;
    double lo0, hi0; /* the whole range */
    double flo, fhi; /* shares of it: where we stand */
    double best;
} search;

/* Moves to the shares (flo,fhi) if the error is less there. */
static bool try_at(search *s, double flo, double fhi)
{
    if (flo <= 0 || fhi <= 0 || flo > 1 || fhi > 1)
        return false;
    double e = s->error(s->arg, s->lo0 * flo, s->hi0 * fhi);
    if (!(e < s->best))
        return false;
    s->best = e, s->flo = flo, s->fhi = fhi;
    return true;
}

void pithp_range_search(pithp_range_error error, void *arg, bool symmetric, double *lo, double *hi)
{
    search s = { error, arg, *lo, *hi, 1, 1, INFINITY };
    for (int i = GRID; i >= 1; i--) /* from the whole range down: of equals the widest */
        try_at(&s, (double)i / GRID, (double)i / GRID);
    bool both = !symmetric && *lo < 0 && *hi > 0;
    for (double step = 1.0 / GRID * (both ? 4 : 0.5); step * FINEST >= 1; step /= 2) {
        for (int turn = 0; turn < 8; turn++) {
            bool moved = try_at(&s, s.flo + step, s.fhi + step) || try_at(&s, s.flo - step, s.fhi - step);
            if (both)
                for (int d = -1; d <= 1; d += 2) {
                    moved |= try_at(&s, s.flo + d * step, s.fhi);
                    moved |= try_at(&s, s.flo, s.fhi + d * step);
                }
            if (!moved)
                break;
        }
    }
    *lo = s.lo0 * s.flo, *hi = s.hi0 * s.fhi;
}
