/* report/axis.c: linear and logarithmic axes with ticks at round numbers. */
#include "report/axis.h"

#include <math.h>
#include <string.h>

static bool scaled(const pithp_axis *a, double v, double *out)
{
    if (!isfinite(v) || (a->log && v <= 0))
        return false;
    *out = a->log ? log10(v) : v;
    return true;
}

bool pithp_axis_place(const pithp_axis *a, double value, double *position)
{
    double v;
    if (!scaled(a, value, &v))
        return false;
    *position = a->at + a->span * (v - a->low) / (a->high - a->low);
    return true;
}

void pithp_axis_take(pithp_axis *a, double value)
{
    double v;
    if (!scaled(a, value, &v))
        return;
    a->low = PITHP_MIN(a->low, v);
    a->high = PITHP_MAX(a->high, v);
}

/* As short as reads well: 0.001, 25, 1e-5, 2e6. */
static void number(double v, double step, char text[24])
{
    if (v != 0 && (fabs(v) < 1e-3 * (1 - 1e-9) || fabs(v) >= 1e5)) {
        char *e;
        snprintf(text, 24, "%.3g", v);
        if ((e = strchr(text, 'e')) == NULL)
            snprintf(text, 24, "%.0e", v);
        if ((e = strchr(text, 'e')) != NULL)
            snprintf(e, (size_t)(24 - (e - text)), "e%d", (int)floor(log10(fabs(v)) + 1e-9));
        return;
    }
    int digits = step >= 1 ? 0 : (int)ceil(-log10(step) - 1e-9);
    snprintf(text, 24, "%.*f", PITHP_MIN(digits, 9), fabs(v) < step * 1e-6 ? 0.0 : v);
}

static void add(pithp_axis *a, double value, double step, bool minor)
{
    double p;
    if (a->n_ticks == PITHP_AXIS_TICKS || !pithp_axis_place(a, value, &p))
        return;
    double share = (p - a->at) / a->span;
    if (share < -1e-6 || share > 1 + 1e-6)
        return;
    a->tick[a->n_ticks].value = value;
    a->tick[a->n_ticks].position = p;
    a->tick[a->n_ticks].minor = minor;
    a->tick[a->n_ticks].text[0] = 0;
    if (!minor)
        number(value, step, a->tick[a->n_ticks].text);
    a->n_ticks++;
}

/* 1, 2 or 5 times a power of ten. */
static double round_step(double about)
{
    double power = pow(10, floor(log10(about))), m = about / power;
    return power * (m < 1.41 ? 1 : m < 3.16 ? 2 : m < 7.07 ? 5 : 10);
}

static void linear(pithp_axis *a, int wanted, bool rounded)
{
    double step = round_step((a->high - a->low) / wanted);
    if (rounded) {
        a->low = floor(a->low / step + 1e-9) * step;
        a->high = ceil(a->high / step - 1e-9) * step;
    }
    for (double k = ceil(a->low / step - 1e-9); k * step <= a->high + 1e-9 * step; k++)
        add(a, k * step, step, false);
}

/* Numbers at the decades, at 2 and 5 too where there are few of them. */
static void logarithmic(pithp_axis *a, int wanted)
{
    double decades = a->high - a->low;
    int every = decades > wanted ? (int)ceil(decades / wanted) : 1;
    for (int d = (int)floor(a->low); d <= (int)ceil(a->high); d++)
        for (int k = 1; k < 10; k++) {
            double v = k * pow(10, d);
            bool decade = k == 1 && d % every == 0, few = decades < 2.5 && (k == 2 || k == 5);
            if (decade || few)
                add(a, v, v, false);
            else if (decades < 12)
                add(a, v, v, true);
        }
}

void pithp_axis_set(pithp_axis *a, double at, double span, int wanted, bool rounded)
{
    if (!(a->high > a->low)) { /* one value, or none */
        double middle = a->low <= a->high ? a->low : a->log ? 0 : 0.5;
        double room = a->log || middle == 0 ? 0.5 : 0.1 * fabs(middle);
        a->low = middle - room, a->high = middle + room;
    }
    a->at = at;
    a->span = span;
    a->n_ticks = 0;
    if (a->log)
        logarithmic(a, wanted);
    else
        linear(a, wanted, rounded);
}
