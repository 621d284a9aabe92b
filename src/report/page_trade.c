/* report/page_trade.c: accuracy against what it costs, with the front of methods that nothing beats. */
#include "report/labels.h"
#include "report/page.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    int n;
    int which[PITHP_STEPS]; /* of the lab's results */
    double x[PITHP_STEPS], y[PITHP_STEPS];
    bool front[PITHP_STEPS], below[PITHP_STEPS]; /* below the picture's lower edge: drawn on it */
    double floor, low, high;                     /* of the vertical axis; float's interval, NAN: none */
    bool log;
    const char *x_label, *unit;
    double (*cost)(const pithp_result *r);
} cloud;

/* ---- Gathering ------------------------------------------------------------------------------------------- */
static double kb_file(const pithp_result *r) { return r->file / 1024; }
static double kb_gzip(const pithp_result *r) { return r->gzip / 1024; }
static double kb_packed(const pithp_result *r) { return r->packed / 1024; }
static double latency(const pithp_result *r) { return r->latency; }

/* Far below float there is nothing to choose: such points stand on the lower edge, so that the others have room. */
static void find_floor(cloud *k)
{
    double top = -INFINITY, low = INFINITY;
    for (int i = 0; i < k->n; i++)
        top = fmax(top, k->y[i]);
    for (int i = 0; i < k->n; i++)
        if (k->y[i] >= top - 12)
            low = fmin(low, k->y[i]);
    k->floor = low - fmax(0.06 * (top - low), 0.15);
    for (int i = 0; i < k->n; i++) {
        k->below[i] = k->y[i] < low;
        if (!k->below[i])
            continue;
        k->floor = fmin(k->floor, low - 0.14 * fmax(top - low, 1));
    }
}

static int gather(const pithp_page *g, cloud *k)
{
    const pithp_lab *lab = g->lab;
    double least = INFINITY, most = 0;
    k->n = 0;
    k->low = k->high = NAN;
    for (int i = 0; i < lab->n; i++) {
        const pithp_result *r = &lab->result[i];
        double x = k->cost(r);
        if (!pithp_done(r) || !(x > 0) || !isfinite(x) || isnan(r->accuracy))
            continue;
        k->which[k->n] = i;
        k->x[k->n] = x;
        k->y[k->n++] = 100 * r->accuracy;
        least = fmin(least, x);
        most = fmax(most, x);
    }
    const int at = lab->run[0].reference;
    if (lab->n_runs == 1 && at >= 0) {
        k->low = 100 * lab->result[at].low;
        k->high = 100 * lab->result[at].high;
    }
    k->log = most > 3 * least;
    pithp_front(k->x, k->y, k->n, k->front);
    find_floor(k);
    return k->n;
}

/* ---- Drawing --------------------------------------------------------------------------------------------- */
static void lay(pithp_sheet *s, const cloud *k, const pithp_paper *paper)
{
    *s = (pithp_sheet){ .f = paper->f, .x_label = k->x_label, .y_label = "accuracy (%)" };
    s->x = (pithp_axis){ .log = k->log, .low = INFINITY, .high = -INFINITY };
    s->y = (pithp_axis){ .low = INFINITY, .high = -INFINITY };
    for (int i = 0; i < k->n; i++) {
        pithp_axis_take(&s->x, k->x[i] * (k->log ? 0.87 : 1));
        pithp_axis_take(&s->x, k->x[i] * (k->log ? 1.15 : 1.04));
        pithp_axis_take(&s->y, k->below[i] ? k->floor : k->y[i]);
    }
    if (!k->log)
        pithp_axis_take(&s->x, 0);
    pithp_axis_take(&s->y, k->floor);
    if (isfinite(k->high))
        pithp_axis_take(&s->y, fmin(k->high, 100));
    pithp_sheet_lay(s, paper->width, paper->height, 14, 16);
}

static void place(const pithp_sheet *s, const cloud *k, int i, double *x, double *y)
{
    pithp_axis_place(&s->x, k->x[i], x);
    if (k->below[i] || !pithp_axis_place(&s->y, k->y[i], y))
        *y = s->bottom - 9;
}

static void band(const pithp_sheet *s, const cloud *k)
{
    double low, high;
    if (!pithp_axis_place(&s->y, k->low, &low) || !pithp_axis_place(&s->y, k->high, &high))
        return;
    low = PITHP_MIN(low, s->bottom);
    high = PITHP_MAX(high, s->top);
    if (low <= high)
        return;
    fprintf(s->f, "<rect class=\"band\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n", s->left,
            high, s->right - s->left, low - high);
    pithp_text_at(s->f, s->right - 6, high + 14, "hint", "end", "95% interval of float");
}

static int by_x(const void *a, const void *b)
{
    const double *p = a, *q = b;
    return (p[0] > q[0]) - (p[0] < q[0]);
}

static void draw_front(const pithp_sheet *s, const cloud *k)
{
    double at[PITHP_STEPS][2];
    int n = 0;
    for (int i = 0; i < k->n; i++)
        if (k->front[i]) {
            place(s, k, i, &at[n][0], &at[n][1]);
            n++;
        }
    qsort(at, (size_t)n, sizeof at[0], by_x);
    if (n == 0)
        return;
    fprintf(s->f, "<path class=\"front\" d=\"M%.1f %.1f", at[0][0], at[0][1]);
    for (int i = 1; i < n; i++)
        fprintf(s->f, "H%.1fV%.1f", at[i][0], at[i][1]);
    fprintf(s->f, "H%.1f\"/>\n", s->right);
}

static void tip(const pithp_page *g, const cloud *k, int i)
{
    const pithp_result *r = &g->lab->result[k->which[i]];
    FILE *f = g->f;
    fputs("<title>", f);
    pithp_xml_text(f, r->title);
    fprintf(f, "\n%s accurate", pithp_percent(r->accuracy, 2).s);
    if (isfinite(r->low))
        fprintf(f, " (%.1f to %.1f)", 100 * r->low, 100 * r->high);
    fprintf(f, "\n%s %s", pithp_digits(k->x[i], 3).s, k->unit);
    if (isfinite(r->p) && k->which[i] != g->lab->run[r->run].reference)
        fprintf(f, "\nagainst float: McNemar p %s", pithp_p_value(r->p).s);
    fputs("</title>", f);
}

static void point(const pithp_page *g, const pithp_sheet *s, const cloud *k, int i)
{
    const pithp_result *r = &g->lab->result[k->which[i]];
    double x, y, low, high;
    int family = pithp_family(r->family);
    place(s, k, i, &x, &y);
    fprintf(s->f, "<g class=\"pt%s\" tabindex=\"0\">", k->front[i] ? "" : " dim");
    tip(g, k, i);
    if (!k->below[i] && pithp_axis_place(&s->y, 100 * r->low, &low) &&
        pithp_axis_place(&s->y, 100 * r->high, &high))
        fprintf(s->f, "<path class=\"whisker k%d\" d=\"M%.1f %.1fV%.1f\"/>", family, x,
                PITHP_MIN(low, s->bottom), PITHP_MAX(high, s->top));
    fprintf(s->f, "<circle class=\"hit\" cx=\"%.1f\" cy=\"%.1f\" r=\"13\"/>", x, y);
    pithp_sign(s->f, family, x, y, 5.5);
    fputs("</g>\n", s->f);
}

static void text_of(const pithp_page *g, const cloud *k, int i, bool narrow, char *text, size_t room)
{
    const pithp_result *r = &g->lab->result[k->which[i]];
    int most = narrow ? 22 : 34;
    snprintf(text, room, k->below[i] ? "%.*s (%.1f%%)" : "%.*s", most, r->label, k->y[i]);
}

static void draw_labels(const pithp_page *g, const pithp_sheet *s, const cloud *k, bool narrow)
{
    pithp_label label[PITHP_STEPS];
    int order[PITHP_STEPS], n = 0;
    char text[96];
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < k->n; i++)
            if (k->front[i] == (pass == 0)) {
                text_of(g, k, i, narrow, text, sizeof text);
                label[n] = (pithp_label){ .width = pithp_text_width(text, narrow ? 10.5 : 11.5),
                                          .height = 13,
                                          .must = pass == 0,
                                          .above = pass == 0 };
                place(s, k, i, &label[n].x, &label[n].y);
                order[n++] = i;
            }
    pithp_labels_place(label, n, 7, s->left + 2, s->top - 10, s->right + 12, s->bottom - 1);
    for (int m = 0; m < n; m++) {
        const pithp_label *l = &label[m];
        if (!l->shown)
            continue;
        double cx = fmax(l->left, fmin(l->x, l->left + l->width)),
               cy = fmax(l->top, fmin(l->y, l->top + l->height));
        double d = hypot(cx - l->x, cy - l->y);
        if (d > 15)
            fprintf(s->f, "<path class=\"leader\" d=\"M%.1f %.1fL%.1f %.1f\"/>", l->x + (cx - l->x) * 8 / d,
                    l->y + (cy - l->y) * 8 / d, cx, cy);
        text_of(g, k, order[m], narrow, text, sizeof text);
        pithp_text_at(s->f, l->left, l->top + 10.5, m < n && k->front[order[m]] ? "name" : "name dim",
                      "start", text);
    }
}

static void draw(pithp_page *g, const pithp_paper *paper, const void *user)
{
    const cloud *k = user;
    pithp_sheet s;
    lay(&s, k, paper);
    band(&s, k);
    pithp_sheet_axes(&s);
    draw_front(&s, k);
    draw_labels(g, &s, k, paper->narrow);
    for (int pass = 0; pass < 2; pass++) /* the front above the others */
        for (int i = 0; i < k->n; i++)
            if (k->front[i] == (pass == 1))
                point(g, &s, k, i);
}

/* ---- The section ------------------------------------------------------------------------------------------ */
static void save(pithp_page *g, const cloud *k, const char *name, const char *column)
{
    FILE *f = pithp_figure_open(g, "%s", name);
    pithp_csv_row(f, "ssss", "method", column, "accuracy", "on_front");
    for (int i = 0; i < k->n; i++)
        pithp_csv_row(f, "snnn", g->lab->result[k->which[i]].label, k->x[i],
                      g->lab->result[k->which[i]].accuracy, (double)k->front[i]);
}

static void legend(pithp_page *g)
{
    bool there[PITHP_STEPS] = { false };
    for (int i = 0; i < g->lab->n; i++)
        if (pithp_done(&g->lab->result[i]))
            there[pithp_family(g->lab->result[i].family)] = true;
    fputs("<ul class=\"legend\">", g->f);
    for (int k = 0; pithp_family_name(k) != NULL; k++) {
        if (!there[k])
            continue;
        fputs("<li><svg viewBox=\"-8 -8 16 16\" width=\"14\" height=\"14\" aria-hidden=\"true\">", g->f);
        pithp_sign(g->f, k, 0, 0, 5);
        fprintf(g->f, "</svg>%s</li>", pithp_family_name(k));
    }
    fputs("</ul>\n", g->f);
}

static const pithp_chart shape = { NULL, 1000, 500, 360, 420 };

static bool picture(pithp_page *g, const char *title, const char *x_label, const char *unit,
                    double (*cost)(const pithp_result *), const char *name, const char *column)
{
    cloud *k = PITHP_POOL_N(g->pool, cloud, 1);
    if (k == NULL)
        return false;
    *k = (cloud){ .x_label = x_label, .unit = unit, .cost = cost };
    if (gather(g, k) < 2)
        return false;
    pithp_chart chart = shape;
    chart.title = title;
    pithp_chart_put(g, chart, draw, k);
    save(g, k, name, column);
    return true;
}

static int with(const pithp_lab *lab, double (*cost)(const pithp_result *))
{
    int n = 0;
    for (int i = 0; i < lab->n; i++)
        n += pithp_done(&lab->result[i]) && cost(&lab->result[i]) > 0 && isfinite(lab->result[i].accuracy);
    return n;
}

static void sizes(pithp_page *g)
{
    static const struct {
        const char *name, *label, *csv;
        double (*cost)(const pithp_result *);
    } size[] = { { "packed", "size, packed (KB)", "pareto-packed", kb_packed },
                 { "gzip", "size, gzip (KB)", "pareto-gzip", kb_gzip },
                 { "file", "size of the file (KB)", "pareto-file", kb_file } };
    int first = -1, n = 0;
    for (int i = 0; i < 3; i++)
        if (with(g->lab, size[i].cost) > 1) {
            n++;
            if (first < 0 || with(g->lab, size[i].cost) > with(g->lab, size[first].cost))
                first = i;
        }
    if (n == 0)
        return;
    fputs("<h3>Accuracy against size</h3>\n<div class=\"tabs\">", g->f);
    if (n > 1) {
        fputs("<div role=\"tablist\" aria-label=\"which size\">", g->f);
        for (int i = 2; i >= 0; i--)
            if (with(g->lab, size[i].cost) > 1)
                fprintf(g->f,
                        "<button type=\"button\" role=\"tab\" aria-controls=\"size-%s\" "
                        "aria-selected=\"%s\">%s</button>",
                        size[i].name, i == first ? "true" : "false", size[i].name);
        fputs("</div>\n", g->f);
    }
    for (int i = 2; i >= 0; i--) {
        if (with(g->lab, size[i].cost) < 2)
            continue;
        fprintf(g->f, "<div role=\"tabpanel\" id=\"size-%s\"%s>\n", size[i].name,
                i == first ? "" : " hidden");
        picture(g, "Accuracy against size", size[i].label, "KB", size[i].cost, size[i].csv, "kb");
        fputs("</div>\n", g->f);
    }
    fputs("</div>\n", g->f);
}

void pithp_page_trade(pithp_page *g)
{
    bool size = with(g->lab, kb_file) > 1 || with(g->lab, kb_gzip) > 1 || with(g->lab, kb_packed) > 1,
         time = with(g->lab, latency) > 1;
    if (!size && !time)
        return;
    pithp_section(g, "trade", "Trade-offs", "What accuracy costs");
    pithp_note(g, "The line joins the methods that no other beats in both. Point at a sign, or touch it, for "
                  "its numbers and "
                  "its 95%% interval.");
    legend(g);
    if (size)
        sizes(g);
    if (time) {
        fputs("<h3>Accuracy against latency</h3>\n", g->f);
        picture(g, "Accuracy against latency", "one image (ms)", "ms", latency, "pareto-latency",
                "latency_ms");
    }
}
