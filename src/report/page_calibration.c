/* report/page_calibration.c: whether a network that says 90% is right nine times of ten. */
#include "report/page.h"

#include <math.h>
#include <pith/stats.h>
#include <string.h>

enum { SIDE = 240, LEFT = 34, TOP = 8, PLOT = 196, BARS = 26 };

static double x_at(double p) { return LEFT + PLOT * p; }
static double y_at(double p) { return TOP + PLOT * (1 - p); }

static void axes(FILE *f)
{
    fputs("<path class=\"pp-grid\" d=\"", f);
    for (int i = 0; i <= 4; i++)
        fprintf(f, "M%.1f %.1fh%dM%.1f %.1fv%d", x_at(0), y_at(i / 4.0), (int)PLOT, x_at(i / 4.0), y_at(1),
                (int)PLOT);
    fprintf(f, "\"/><path class=\"ideal\" d=\"M%.1f %.1fL%.1f %.1f\"/>\n", x_at(0), y_at(0), x_at(1),
            y_at(1));
    for (int i = 0; i <= 4; i += 2) {
        pithp_num t = pithp_percent(i / 4.0, 0);
        pithp_text_at(f, LEFT - 5, y_at(i / 4.0) + 4, "pp-tick", "end", t.s);
        pithp_text_at(f, x_at(i / 4.0), y_at(0) + 14 + BARS, "pp-tick",
                      i == 0   ? "start"
                      : i == 4 ? "end"
                               : "middle",
                      t.s);
    }
}

static void bin_shape(FILE *f, const pithp_bin *b, double most, int family)
{
    double low, high, x = x_at(b->confidence);
    if (!(b->n > 0) || isnan(b->accuracy) || isnan(b->confidence))
        return;
    pith_wilson((int64_t)round(b->accuracy * b->n), (int64_t)b->n, &low, &high);
    fputs("<g class=\"pt\" tabindex=\"0\"><title>", f);
    fprintf(f, "%.0f%% to %.0f%% sure: %s images\nsays %s, is right in %s</title>", 100 * b->from,
            100 * b->to, pithp_count_of(b->n).s, pithp_percent(b->confidence, 1).s,
            pithp_percent(b->accuracy, 1).s);
    fprintf(f, "<rect class=\"bar\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>",
            x_at(b->from) + 0.5, y_at(0) + 2, fmax(PLOT * (b->to - b->from) - 1, 1),
            fmax(BARS * b->n / most, 0.7));
    fprintf(f,
            "<path class=\"thin k%d\" d=\"M%.1f %.1fV%.1f\"/><circle class=\"hit\" cx=\"%.1f\" cy=\"%.1f\" "
            "r=\"9\"/>",
            family, x, y_at(low), y_at(high), x, y_at(b->accuracy));
    fprintf(f, "<circle class=\"sign k%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"/></g>\n", family, x,
            y_at(b->accuracy));
}

static void panel(pithp_page *g, const pithp_result *r)
{
    double most = 1;
    fputs("<figure><figcaption>", g->f);
    pithp_put(g, r->title);
    if (isfinite(r->ece))
        fprintf(g->f, " <span class=\"soft\">error %s</span>", pithp_percent(r->ece, 1).s);
    fputs("</figcaption>", g->f);
    pithp_svg_begin(g->f, "small", "Reliability", SIDE, TOP + PLOT + BARS + 22);
    axes(g->f);
    for (int k = 0; k < r->n_bins; k++)
        most = fmax(most, r->bin[k].n); /* passes over NAN */
    for (int k = 0; k < r->n_bins; k++)
        bin_shape(g->f, &r->bin[k], most, pithp_family(r->family));
    fputs("</svg></figure>\n", g->f);
}

static bool has(const pithp_result *r) { return r->n_bins > 0 && pithp_done(r); }

void pithp_page_calibration(pithp_page *g)
{
    int all = 0, at = 0;
    for (int i = 0; i < g->lab->n; i++)
        all += has(&g->lab->result[i]);
    if (all == 0)
        return;
    pithp_section(g, "calibration", "Calibration", "How sure it is, and how right");
    pithp_note(g, "Across: how sure the network says it is; upwards: how often it is right then, with 95%% "
                  "intervals. On the "
                  "diagonal it says the truth; below it is too sure. Grey: how many images. The error is the "
                  "mean distance from "
                  "the diagonal (expected calibration error).");
    FILE *f = pithp_figure_open(g, "reliability");
    pithp_csv_row(f, "ssssss", "method", "from", "to", "n", "confidence", "accuracy");
    for (int i = 0; i < g->lab->n; i++) {
        const pithp_result *r = &g->lab->result[i];
        if (!has(r))
            continue;
        pithp_panel(g, at++, all);
        panel(g, r);
        for (int k = 0; k < r->n_bins; k++)
            pithp_csv_row(f, "snnnnn", r->label, r->bin[k].from, r->bin[k].to, r->bin[k].n,
                          r->bin[k].confidence, r->bin[k].accuracy);
    }
    pithp_panels_end(g, all);
}
