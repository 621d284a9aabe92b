/* report/numbers.c: numbers as people read them, and which methods the page names first. */
#include "report/page.h"

#include <math.h>
#include <string.h>

static pithp_num format(double v, int digits, const char *unit)
{
    pithp_num t = { "" };
    if (isfinite(v))
        snprintf(t.s, sizeof t.s, "%.*f%s", digits, v, unit);
    return t;
}

pithp_num pithp_percent(double share, int digits) { return format(100 * share, digits, "%"); }

pithp_num pithp_count_of(double n)
{
    pithp_num t = { "" };
    char plain[40];
    if (!isfinite(n) || fabs(n) >= 1e18)
        return t;
    int length = snprintf(plain, sizeof plain, "%.0f", n), at = 0;
    for (int i = 0; i < length; i++) {
        t.s[at++] = plain[i];
        if ((length - i - 1) % 3 == 0 && i + 1 < length && plain[i] != '-')
            t.s[at++] = ',';
    }
    t.s[at] = 0;
    return t;
}

pithp_num pithp_bytes(double n)
{
    if (n >= 10000 * 1024.0)
        return format(n / 1048576, 1, " MB");
    pithp_num t = n >= 99.95 * 1024 ? pithp_count_of(n / 1024)
                  : n >= 1024       ? format(n / 1024, 1, "")
                                    : format(n, 0, " B");
    if (n >= 1024)
        snprintf(t.s + strlen(t.s), 8, " KB");
    return t;
}

pithp_num pithp_short(double n)
{
    static const char *const unit[] = { "", " k", " M", " G", " T" };
    int k = 0;
    for (; n >= 999.5 && k < 4; k++)
        n /= 1000;
    return format(n, k == 0 || n >= 99.95 ? 0 : n >= 9.995 ? 1 : 2, unit[k]);
}

pithp_num pithp_digits(double v, int significant)
{
    if (v == 0 || !isfinite(v))
        return format(v, 0, "");
    int before = (int)floor(log10(fabs(v))) + 1, digits = significant - before;
    if (before > 4)
        return pithp_count_of(v);
    return format(v, PITHP_MAX(0, PITHP_MIN(digits, 9)), "");
}

pithp_num pithp_seconds(double s)
{
    pithp_num t = { "" };
    if (isfinite(s) && s >= 5400)
        snprintf(t.s, sizeof t.s, "%.0f h %02.0f min", floor(s / 3600), floor(fmod(s, 3600) / 60));
    else if (isfinite(s) && s >= 90)
        snprintf(t.s, sizeof t.s, "%.0f min", s / 60);
    else if (isfinite(s))
        snprintf(t.s, sizeof t.s, "%.3g s", s);
    return t;
}

pithp_num pithp_p_value(double p)
{
    pithp_num t = { "" };
    if (p < 0.001)
        snprintf(t.s, sizeof t.s, "&lt; 0.001");
    else if (isfinite(p))
        snprintf(t.s, sizeof t.s, "%.*f", p < 0.1 ? 3 : 2, p);
    return t;
}

/* ---- The answer ------------------------------------------------------------------------------------------ */
double pithp_points(const pithp_run *u) { return isnan(u->points) ? 1 : u->points; }

double pithp_least_bytes(const pithp_result *r)
{
    return fmin(r->file, r->packed); /* fmin passes over NAN */
}

static bool within(const pithp_lab *lab, int run, const pithp_result *r)
{
    const pithp_run *u = &lab->run[run];
    if (r->run != run || !pithp_done(r) || u->reference < 0)
        return false;
    return lab->result[u->reference].accuracy - r->accuracy <= pithp_points(u) / 100 + 1e-9;
}

static int named(const pithp_lab *lab, int run, const char *id)
{
    for (int i = 0; i < lab->n; i++)
        if (lab->result[i].run == run && id[0] != 0 && strcmp(lab->result[i].id, id) == 0 &&
            pithp_done(&lab->result[i]))
            return i;
    return -1;
}

/* Ties go to the more accurate one. */
static int best(const pithp_lab *lab, int run, double (*cost)(const pithp_result *r))
{
    int at = -1;
    for (int i = 0; i < lab->n; i++) {
        const pithp_result *r = &lab->result[i];
        if (!within(lab, run, r) || isnan(cost(r)))
            continue;
        double here = cost(r), there = at < 0 ? INFINITY : cost(&lab->result[at]);
        if (here < there || (here == there && at >= 0 && r->accuracy > lab->result[at].accuracy))
            at = i;
    }
    return at;
}

static double latency(const pithp_result *r) { return r->latency; }

int pithp_smallest(const pithp_lab *lab, int run)
{
    int at = named(lab, run, lab->run[run].smallest);
    return at >= 0 ? at : best(lab, run, pithp_least_bytes);
}

int pithp_fastest(const pithp_lab *lab, int run)
{
    int at = named(lab, run, lab->run[run].fastest);
    return at >= 0 ? at : best(lab, run, latency);
}
