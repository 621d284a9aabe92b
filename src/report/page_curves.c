/* report/page_curves.c: how the trainings went, epoch by epoch. */
#include "report/labels.h"
#include "report/page.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    int which[PITHP_STEPS], n; /* results that trained */
    bool loss;
} bundle;

/* Accuracy in percent, or the loss. */
static double of(const bundle *b, const pithp_epoch *e, bool train)
{
    double v = b->loss ? train ? e->loss : e->val_loss : 100 * (train ? e->accuracy : e->val_accuracy);
    return v;
}

static double validated(const bundle *b, const pithp_epoch *e) { return of(b, e, false); }

static void ranges(const pithp_page *g, const bundle *b, pithp_sheet *s)
{
    s->x = (pithp_axis){ .low = INFINITY, .high = -INFINITY };
    s->y = s->x;
    pithp_axis_take(&s->x, 0);
    for (int m = 0; m < b->n; m++) {
        const pithp_curve *k = &g->lab->result[b->which[m]].curve;
        for (int i = 0; i < k->n; i++) {
            double v = validated(b, &k->epoch[i]);
            pithp_axis_take(&s->x, k->epoch[i].epoch);
            pithp_axis_take(&s->y, v);
            if (b->n <= 2)
                pithp_axis_take(&s->y, of(b, &k->epoch[i], true));
        }
    }
}

/* ---- A line ---------------------------------------------------------------------------------------------- */
static void line(const pithp_sheet *s, const bundle *b, const pithp_curve *k, int colour, bool train)
{
    bool down = false;
    double x, y;
    int step = PITHP_MAX(1, k->n / 1500); /* finer than pixels is of no use */
    fprintf(s->f, "<path class=\"curve c%d%s%s\" d=\"", colour % 8, train ? " faint" : "",
            colour >= 8 ? " dash" : "");
    for (int i = 0; i < k->n; i += step) {
        bool there = pithp_axis_place(&s->x, k->epoch[i].epoch, &x) &&
                     pithp_axis_place(&s->y, of(b, &k->epoch[i], train), &y);
        if (there)
            fprintf(s->f, "%c%.1f %.1f", down ? 'L' : 'M', x, fmax(s->top, fmin(s->bottom, y)));
        down =
            there || (down && !train && isnan(of(b, &k->epoch[i], train))); /* not every epoch is evaluated */
    }
    fputs("\"/>\n", s->f);
}

static void resumes(const pithp_sheet *s, const bundle *b, const pithp_curve *k, int colour)
{
    double x, y;
    for (int r = 0; r < k->n_resumes; r++)
        for (int i = 0; i < k->n; i++)
            if (k->epoch[i].epoch == k->resume[r] && pithp_axis_place(&s->x, k->resume[r], &x) &&
                pithp_axis_place(&s->y, validated(b, &k->epoch[i]), &y))
                fprintf(s->f,
                        "<g class=\"pt\" tabindex=\"0\"><title>stopped and resumed after epoch "
                        "%.0f</title><circle "
                        "class=\"resume c%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"5\"/></g>\n",
                        k->resume[r], colour % 8, x, y);
}

/* What is under the pointer. */
static void hits(const pithp_sheet *s, const bundle *b, const pithp_result *r)
{
    const pithp_curve *k = &r->curve;
    double x, y;
    int step = PITHP_MAX(1, k->n / 120);
    for (int i = 0; i < k->n; i += step) {
        const pithp_epoch *e = &k->epoch[i];
        if (!pithp_axis_place(&s->x, e->epoch, &x) || !pithp_axis_place(&s->y, validated(b, e), &y) ||
            y > s->bottom)
            continue;
        fputs("<g class=\"pt\"><title>", s->f);
        pithp_xml_text(s->f, r->label);
        fprintf(s->f, "\nepoch %.0f\n", e->epoch);
        if (b->loss)
            fprintf(s->f, "loss %s, validation %s", pithp_digits(e->loss, 4).s,
                    pithp_digits(e->val_loss, 4).s);
        else
            fprintf(s->f, "validation %s, training %s", pithp_percent(e->val_accuracy, 2).s,
                    pithp_percent(e->accuracy, 2).s);
        fprintf(s->f, "</title><circle class=\"hit show\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"/></g>\n", x, y);
    }
}

/* ---- Names at the lines' ends ------------------------------------------------------------------------------ */
typedef struct {
    double x, y, to; /* the line's end; the name's middle */
    int m;
} line_end;

static int by_y(const void *a, const void *b)
{
    const line_end *p = a, *q = b;
    return p->y != q->y ? (p->y > q->y) - (p->y < q->y) : p->m - q->m;
}

static void name_text(const pithp_result *r, bool narrow, char *text, size_t room)
{
    int most = narrow ? 12 : 18, n = (int)strlen(r->label);
    if (n <= most)
        snprintf(text, room, "%s", r->label);
    else
        snprintf(text, room, "%.*s\xe2\x80\xa6", most - 1, r->label);
}

static void names(const pithp_page *g, const pithp_sheet *s, const bundle *b, bool narrow)
{
    line_end e[PITHP_STEPS];
    double y[PITHP_STEPS];
    int n = 0;
    for (int m = 0; m < b->n; m++) {
        const pithp_curve *k = &g->lab->result[b->which[m]].curve;
        for (int i = k->n - 1; i >= 0; i--)
            if (pithp_axis_place(&s->x, k->epoch[i].epoch, &e[n].x) &&
                pithp_axis_place(&s->y, validated(b, &k->epoch[i]), &e[n].y)) {
                e[n].y = fmin(s->bottom, e[n].y);
                e[n++].m = m;
                break;
            }
    }
    qsort(e, (size_t)n, sizeof *e, by_y);
    for (int i = 0; i < n; i++)
        y[i] = e[i].y;
    pithp_labels_spread(y, n, 14, s->top, s->bottom);
    for (int i = 0; i < n; i++) {
        char text[96];
        name_text(&g->lab->result[b->which[e[i].m]], narrow, text, sizeof text);
        fprintf(s->f,
                "<circle class=\"end c%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\"/><path class=\"leader\" "
                "d=\"M%.1f %.1fL%.1f "
                "%.1fH%.1f\"/>",
                e[i].m % 8, e[i].x, e[i].y, e[i].x + 4, e[i].y, s->right + 6, y[i], s->right + 9);
        fprintf(s->f, "<text class=\"name t%d\" x=\"%.1f\" y=\"%.1f\">", e[i].m % 8, s->right + 12, y[i] + 4);
        pithp_xml_text(s->f, text);
        fputs("</text>\n", s->f);
    }
}

static double tail(const pithp_page *g, const bundle *b, bool narrow)
{
    double most = 0;
    for (int m = 0; m < b->n; m++) {
        char text[96];
        name_text(&g->lab->result[b->which[m]], narrow, text, sizeof text);
        most = fmax(most, pithp_text_width(text, narrow ? 10.5 : 11.5));
    }
    return most + 18;
}

static void draw(pithp_page *g, const pithp_paper *paper, const void *user)
{
    const bundle *b = user;
    pithp_sheet s = { .f = paper->f, .x_label = "epoch", .y_label = b->loss ? "loss" : "accuracy (%)" };
    ranges(g, b, &s);
    pithp_sheet_lay(&s, paper->width, paper->height, 14, tail(g, b, paper->narrow));
    pithp_sheet_axes(&s);
    for (int m = b->n - 1; m >= 0 && b->n <= 2; m--)
        line(&s, b, &g->lab->result[b->which[m]].curve, m, true);
    for (int m = b->n - 1; m >= 0; m--)
        line(&s, b, &g->lab->result[b->which[m]].curve, m, false);
    for (int m = 0; m < b->n; m++) {
        hits(&s, b, &g->lab->result[b->which[m]]);
        resumes(&s, b, &g->lab->result[b->which[m]].curve, m);
    }
    names(g, &s, b, paper->narrow);
}

/* ---- The section ------------------------------------------------------------------------------------------ */
static void save(pithp_page *g, const bundle *b)
{
    FILE *f = pithp_figure_open(g, "curves");
    pithp_csv_row(f, "sssssssss", "method", "epoch", "loss", "accuracy", "val_loss", "val_accuracy", "lr",
                  "images_per_s", "seconds");
    for (int m = 0; m < b->n; m++) {
        const pithp_result *r = &g->lab->result[b->which[m]];
        for (int i = 0; i < r->curve.n; i++) {
            const pithp_epoch *e = &r->curve.epoch[i];
            pithp_csv_row(f, "snnnnnnnn", r->label, e->epoch, e->loss, e->accuracy, e->val_loss,
                          e->val_accuracy, e->lr, e->img_per_s, e->seconds);
        }
    }
}

static bool has(const pithp_page *g, const bundle *b)
{
    for (int m = 0; m < b->n; m++) {
        const pithp_curve *k = &g->lab->result[b->which[m]].curve;
        for (int i = 0; i < k->n; i++)
            if (isfinite(validated(b, &k->epoch[i])))
                return true;
    }
    return false;
}

/* One figure of accuracy and one of loss, side by side. */
static void figures(pithp_page *g, bundle *b, const char *head)
{
    double more = 14.0 * PITHP_MAX(0, b->n - 12);
    b->loss = false;
    bool accuracy = has(g, b);
    b->loss = true;
    bool loss = has(g, b);
    if (head != NULL && (accuracy || loss))
        fprintf(g->f, "<h3>%s</h3>\n", head);
    fputs("<div class=\"two\">\n", g->f);
    for (int k = 0; k < 2; k++) {
        b->loss = k == 1;
        if (!(b->loss ? loss : accuracy))
            continue;
        fputs("<div>", g->f);
        pithp_chart_put(g,
                        (pithp_chart){ b->loss ? "Loss by epoch" : "Accuracy by epoch", 480, 340 + more, 360,
                                       300 + more },
                        draw, b);
        fputs("</div>\n", g->f);
    }
    fputs("</div>\n", g->f);
}

static int longest(const pithp_page *g)
{
    int n = 0;
    for (int i = 0; i < g->lab->n; i++)
        n = PITHP_MAX(n, g->lab->result[i].curve.n);
    return n;
}

void pithp_page_curves(pithp_page *g)
{
    bundle *all = PITHP_POOL_N(g->pool, bundle, 3), *part = all + 1;
    int resumed = 0, most = longest(g);
    if (all == NULL)
        return;
    for (int i = 0; i < g->lab->n; i++) {
        const pithp_curve *k = &g->lab->result[i].curve;
        if (k->n == 0)
            continue;
        bundle *b = &part[k->n < 0.4 * most];
        all->which[all->n++] = b->which[b->n++] = i;
        resumed += k->n_resumes;
    }
    bool accuracy = has(g, all);
    all->loss = true;
    if (!accuracy && !has(g, all))
        return;
    pithp_section(g, "curves", "Training", "How training went");
    if (all->n <= 2)
        pithp_note(g, "Strong lines: validation images; pale ones: training images, as augmented.%s",
                   resumed ? " A ring: stopped there and resumed." : "");
    else
        pithp_note(g, "On the validation images, by the epoch of each training.%s",
                   resumed ? " A ring: stopped there and resumed." : "");
    /* A few epochs beside many would be a smudge in the corner. */
    bool both = part[1].n > 0;
    figures(g, &part[0], both ? "Long trainings" : NULL);
    if (both)
        figures(g, &part[1], "Short ones, that go on from others");
    save(g, all);
}
