/* report/page_histograms.c: weights and activations of each layer, before quantization and after. */
#include "report/page.h"

#include <math.h>
#include <string.h>

enum { WIDTH = 210, HEIGHT = 70, BYTES = 1400000 };

static bool has(const pithp_result *r)
{
    for (int k = 0; k < r->n_layers; k++)
        if (r->layer[k].weight.n > 0 || r->layer[k].activation.n > 0)
            return true;
    return false;
}

/* In float: its own where it was kept, else that of the step it was made from. */
static const pithp_counts *earlier(const pithp_counts *own, const pithp_counts *origin)
{
    return own->n > 0 ? own : origin;
}

static const pithp_layer *find(const pithp_result *r, const char *name)
{
    for (int k = 0; r != NULL && k < r->n_layers; k++)
        if (strcmp(r->layer[k].name, name) == 0)
            return &r->layer[k];
    return NULL;
}

/* What the step was made from, where that has histograms; else float. */
static const pithp_result *origin(const pithp_lab *lab, const pithp_result *r)
{
    const int at = lab->run[r->run].reference;
    for (int i = 0; i < lab->n; i++)
        if (lab->result[i].run == r->run && strcmp(lab->result[i].id, r->from) == 0 && has(&lab->result[i]))
            return &lab->result[i];
    return at >= 0 && &lab->result[at] != r && has(&lab->result[at]) ? &lab->result[at] : NULL;
}

static double greatest(const pithp_counts *h)
{
    double most = 0;
    for (int i = 0; i < h->n; i++)
        most = fmax(most, h->count[i]);
    return most;
}

/* Filled, or the outline alone; from and to: of the picture. Heights are square roots: tails matter. Drawn in bins, then stretched:
   whole numbers are short. */
static void shape(FILE *f, const pithp_counts *h, double from, double to, const char *class)
{
    const double most = greatest(h), scale = WIDTH / (to - from);
    int at = 0, bins = 0;
    if (!(most > 0))
        return;
    fprintf(f, "<path class=\"%s\" transform=\"translate(%.1f %d) scale(%.4f 1)\" d=\"M0 0", class,
            (h->from - from) * scale, (int)HEIGHT, (h->to - h->from) / h->n * scale);
    for (int i = 0; i <= h->n; i++) {
        const int y = i < h->n ? -(int)lround((HEIGHT - 4) * sqrt(h->count[i] / most)) : 0;
        if (y != at) {
            if (bins > 0)
                fprintf(f, "h%d", bins);
            fprintf(f, "v%d", y - at);
            bins = 0;
        }
        at = y;
        bins++;
    }
    fputs("Z\"/>", f);
}

static void panel(pithp_page *g, const pithp_counts *h, const pithp_counts *before, const char *what)
{
    if (h->n == 0) {
        fputs("<div></div>", g->f);
        return;
    }
    bool two = before != NULL && before->n > 0;
    double from = two ? fmin(h->from, before->from) : h->from, to = two ? fmax(h->to, before->to) : h->to;
    fputs("<div>", g->f);
    pithp_svg_begin(g->f, "hist", what, WIDTH, HEIGHT + 14);
    shape(g->f, h, from, to, "after");
    if (two)
        shape(g->f, before, from, to, "before");
    fprintf(g->f, "<path class=\"pp-axis\" d=\"M0 %dH%d\"/>", (int)HEIGHT, (int)WIDTH);
    pithp_text_at(g->f, 0, HEIGHT + 12, "pp-tick", "start", pithp_digits(from, 2).s);
    pithp_text_at(g->f, WIDTH, HEIGHT + 12, "pp-tick", "end", pithp_digits(to, 2).s);
    fputs("</svg></div>", g->f);
}

static void one_step(pithp_page *g, const pithp_result *r)
{
    const pithp_result *f = origin(g->lab, r);
    fputs("<details><summary>", g->f);
    pithp_put(g, r->title);
    fputs("</summary>\n<div class=\"hists\"><span></span><span>weights</span><span>activations</span>\n",
          g->f);
    for (int k = 0; k < r->n_layers; k++) {
        const pithp_layer *l = &r->layer[k], *b = find(f, l->name);
        if (l->weight.n == 0 && l->activation.n == 0)
            continue;
        fputs("<span>", g->f);
        pithp_put(g, l->name);
        fputs("</span>", g->f);
        panel(g, &l->weight, earlier(&l->weight_float, b != NULL ? &b->weight : NULL), "weights");
        panel(g, &l->activation, earlier(&l->activation_float, b != NULL ? &b->activation : NULL),
              "activations");
        fputc('\n', g->f);
    }
    fputs("</div></details>\n", g->f);
}

static void save_counts(FILE *f, const pithp_result *r, const pithp_layer *l, const char *of,
                        const pithp_counts *h)
{
    for (int i = 0; i < h->n; i++)
        pithp_csv_row(f, "sssnnn", r->label, l->name, of, h->from + (h->to - h->from) * i / h->n,
                      h->from + (h->to - h->from) * (i + 1) / h->n, h->count[i]);
}

static void save(FILE *f, const pithp_result *r)
{
    for (int k = 0; k < r->n_layers; k++) {
        const pithp_layer *l = &r->layer[k];
        save_counts(f, r, l, "weights", &l->weight);
        save_counts(f, r, l, "weights in float", &l->weight_float);
        save_counts(f, r, l, "activations", &l->activation);
        save_counts(f, r, l, "activations in float", &l->activation_float);
    }
}

void pithp_page_histograms(pithp_page *g)
{
    FILE *f = NULL;
    long begun = 0;
    bool cut = false;
    for (int i = 0; i < g->lab->n; i++) {
        const pithp_result *r = &g->lab->result[i];
        if (!has(r))
            continue;
        if (f == NULL) {
            pithp_section(g, "histograms", "Histograms", "Weights and activations");
            pithp_note(g,
                       "Filled: as the method has them, rounded; line: before, in float. Heights go by the "
                       "square root, so that tails show; each picture has its own scale. Few bits show as "
                       "separate columns.");
            f = pithp_figure_open(g, "histograms");
            pithp_csv_row(f, "ssssss", "method", "layer", "of", "from", "to", "count");
            if (f == NULL)
                return;
            begun = ftell(g->f);
        }
        save(f, r);
        if (ftell(g->f) - begun < BYTES)
            one_step(g, r);
        else
            cut = true;
    }
    if (cut)
        pithp_note(g, "Those of the other methods stand in figures/histograms.csv.");
}
