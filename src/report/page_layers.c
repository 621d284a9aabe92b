/* report/page_layers.c: layer by layer: what quantization leaves of the signal, and how many weights are zero. */
#include "report/page.h"

#include <math.h>
#include <string.h>

enum { SERIES = 8, ROWS = 160 };

typedef double (*layer_value)(const pithp_layer *l);
typedef struct {
    const char *title, *x_label, *unit;
    layer_value value;
    int which[PITHP_STEPS], n, drawn; /* results that have it; those that are drawn come first */
    const char *row[ROWS];            /* layers of the method that has most of them */
    int n_rows;
} dots;

static double weight_own(const pithp_layer *l) { return l->weight_noise.own; }
static double weight_output(const pithp_layer *l) { return l->weight_noise.output; }
static double activation_own(const pithp_layer *l) { return l->activation_noise.own; }
static double activation_output(const pithp_layer *l) { return l->activation_noise.output; }
static double activation_accumulated(const pithp_layer *l) { return l->activation_noise.accumulated; }
static double zeros(const pithp_layer *l)
{
    bool counts =
        l->parameters > 0 && l->nonzero <= l->parameters && !(l->macs <= 0); /* norms are never pruned */
    return counts ? 100 * (1 - l->nonzero / l->parameters) : (double)NAN;
}

static const pithp_layer *find(const pithp_result *r, const char *name)
{
    for (int k = 0; k < r->n_layers; k++)
        if (strcmp(r->layer[k].name, name) == 0)
            return &r->layer[k];
    return NULL;
}

static bool drawn(const pithp_page *g, const dots *d, const char *name)
{
    for (int m = 0; m < d->drawn; m++) {
        const pithp_layer *l = find(&g->lab->result[d->which[m]], name);
        if (l != NULL && isfinite(d->value(l)))
            return true;
    }
    return false;
}

static bool alike(const pithp_result *a, const pithp_result *b)
{
    return strcmp(a->family, b->family) == 0 && a->bits_weights == b->bits_weights &&
           a->bits_activations == b->bits_activations;
}

/* There are colours for a few: of many that are alike (calibrators) one, before a second of any. */
static void choose(const pithp_page *g, dots *d)
{
    bool taken[PITHP_STEPS] = { false };
    int order[PITHP_STEPS], n = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int m = 0; m < d->n && n < SERIES; m++) {
            bool first = true;
            for (int k = 0; k < m && pass == 0; k++)
                first = first && !alike(&g->lab->result[d->which[k]], &g->lab->result[d->which[m]]);
            n += first && !taken[m];
            taken[m] |= first;
        }
    d->drawn = n;
    n = 0;
    for (int chosen = 1; chosen >= 0; chosen--)
        for (int m = 0; m < d->n; m++)
            if (taken[m] == (chosen == 1))
                order[n++] = d->which[m];
    memcpy(d->which, order, (size_t)d->n * sizeof *order);
}

/* Those of which something can be drawn: for zeros, at least one in a hundred weights. */
static int gather(const pithp_page *g, dots *d)
{
    const pithp_result *rows = NULL;
    for (int i = 0; i < g->lab->n; i++) {
        const pithp_result *r = &g->lab->result[i];
        double all = 0, zero = 0;
        bool any = false;
        for (int k = 0; k < r->n_layers; k++) {
            any |= isfinite(d->value(&r->layer[k]));
            all += isfinite(zeros(&r->layer[k])) ? r->layer[k].parameters : 0;
            zero += isfinite(zeros(&r->layer[k])) ? r->layer[k].parameters - r->layer[k].nonzero : 0;
        }
        if (!any || (d->value == zeros && zero < 0.01 * all))
            continue;
        d->which[d->n++] = i;
        if (rows == NULL || r->n_layers > rows->n_layers)
            rows = r;
    }
    choose(g, d);
    for (int k = 0; rows != NULL && k < rows->n_layers && d->n_rows < ROWS; k++)
        if (drawn(g, d, rows->layer[k].name))
            d->row[d->n_rows++] = rows->layer[k].name;
    return d->n;
}

/* ---- Drawing --------------------------------------------------------------------------------------------- */
static double row_y(const pithp_sheet *s, const dots *d, int k)
{
    return s->top + (k + 0.5) * (s->bottom - s->top) / d->n_rows;
}

static void row_names(const pithp_sheet *s, const dots *d, int most)
{
    char text[96];
    for (int k = 0; k < d->n_rows; k++) {
        const char *name = d->row[k];
        double y = row_y(s, d, k);
        snprintf(text, sizeof text, (int)strlen(name) > most ? "%.*s\xe2\x80\xa6" : "%.*s", most, name);
        fprintf(s->f, "<path class=\"pp-grid\" d=\"M%.1f %.1fH%.1f\"/>", s->left, y, s->right);
        pithp_text_at(s->f, s->left - 6, y + 3.5, "pp-tick", "end", text);
    }
}

static void series(const pithp_page *g, const pithp_sheet *s, const dots *d, int m)
{
    const pithp_result *r = &g->lab->result[d->which[m]];
    for (int k = 0; k < d->n_rows; k++) {
        const pithp_layer *l = find(r, d->row[k]);
        double x;
        if (l == NULL || !pithp_axis_place(&s->x, d->value(l), &x))
            continue;
        fputs("<g class=\"pt\"><title>", s->f);
        pithp_xml_text(s->f, l->name);
        fputc('\n', s->f);
        pithp_xml_text(s->f, r->label);
        fprintf(s->f, ": %s %s</title><circle class=\"dot f%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"/></g>\n",
                pithp_digits(d->value(l), 3).s, d->unit, m, x, row_y(s, d, k));
    }
}

static void draw(pithp_page *g, const pithp_paper *paper, const void *user)
{
    const dots *d = user;
    pithp_sheet s = { .f = paper->f, .x_label = d->x_label };
    int most = paper->narrow ? 18 : 22;
    s.x = (pithp_axis){ .low = INFINITY, .high = -INFINITY };
    pithp_axis_take(&s.x, 0);
    if (d->value == zeros)
        pithp_axis_take(&s.x, 100);
    for (int m = 0; m < d->drawn; m++)
        for (int k = 0; k < g->lab->result[d->which[m]].n_layers; k++)
            pithp_axis_take(&s.x, d->value(&g->lab->result[d->which[m]].layer[k]));
    s.left = 6.2 * (most + 1) + 8;
    s.right = paper->width - 14;
    s.top = 4;
    s.bottom = paper->height - 44;
    pithp_axis_set(&s.x, s.left, s.right - s.left, 5, true);
    fputs("<path class=\"pp-grid\" d=\"", s.f);
    for (int i = 0; i < s.x.n_ticks; i++)
        fprintf(s.f, "M%.1f %.1fV%.1f", s.x.tick[i].position, s.top, s.bottom);
    fputs("\"/>\n", s.f);
    for (int i = 0; i < s.x.n_ticks; i++)
        pithp_text_at(s.f, s.x.tick[i].position, s.bottom + 15, "pp-tick", "middle", s.x.tick[i].text);
    pithp_text_at(s.f, (s.left + s.right) / 2, s.bottom + 36, "pp-label", "middle", d->x_label);
    row_names(&s, d, most);
    for (int m = d->drawn - 1; m >= 0; m--)
        series(g, &s, d, m);
}

/* ---- The section ------------------------------------------------------------------------------------------ */
static void legend(pithp_page *g, const dots *d)
{
    fputs("<ul class=\"legend\">", g->f);
    for (int m = 0; m < d->drawn; m++) {
        fprintf(g->f,
                "<li><svg viewBox=\"-8 -8 16 16\" width=\"14\" height=\"14\" aria-hidden=\"true\"><circle "
                "class=\"dot f%d\" "
                "r=\"5\"/></svg>",
                m);
        pithp_put(g, g->lab->result[d->which[m]].label);
        fputs("</li>", g->f);
    }
    fputs("</ul>\n", g->f);
    if (d->n > d->drawn)
        pithp_note(g, "%d of %d, one of each kind first; all stand in figures/layers.csv.", d->drawn, d->n);
}

/* One legend, one set of colours. */
static void same_series(dots *d, const dots *as)
{
    memcpy(d->which, as->which, sizeof d->which);
    d->n = as->n;
    d->drawn = as->drawn;
}

static void figure(pithp_page *g, const dots *d)
{
    double height = 15.0 * d->n_rows + 48;
    fputs("<div>", g->f);
    pithp_chart_put(g, (pithp_chart){ d->title, 480, height, 360, height }, draw, d);
    fputs("</div>\n", g->f);
}

static void save(pithp_page *g)
{
    FILE *f = pithp_figure_open(g, "layers");
    pithp_csv_row(f, "sssssssssssss", "method", "layer", "kind", "parameters", "nonzero", "macs",
                  "weight_bits", "sqnr_weight_db", "sqnr_activation_db", "sqnr_weight_output_db",
                  "sqnr_activation_output_db", "sqnr_weight_accumulated_db",
                  "sqnr_activation_accumulated_db");
    for (int i = 0; i < g->lab->n; i++)
        for (int k = 0; k < g->lab->result[i].n_layers; k++) {
            const pithp_layer *l = &g->lab->result[i].layer[k];
            const pithp_noise *w = &l->weight_noise, *a = &l->activation_noise;
            pithp_csv_row(f, "sssnnnnnnnnnn", g->lab->result[i].label, l->name, l->kind, l->parameters,
                          l->nonzero, l->macs, l->weight_bits, w->own, a->own, w->output, a->output,
                          w->accumulated, a->accumulated);
        }
}

/* Pictures with one legend, side by side. */
typedef struct {
    const char *title, *note;
    int n;
    struct {
        const char *title, *x_label, *unit;
        layer_value value;
    } part[2];
} group;

static const group groups[] = {
    { "What rounding does, layer by layer",
      "Signal to quantization noise of each layer's own numbers, when they alone are rounded. More is "
      "better; 6 dB "
      "are one bit. Layers from the input down to the classifier.",
      2,
      { { "Weights", "weights (dB)", "dB", weight_own },
        { "Activations", "activations (dB)", "dB", activation_own } } },
    { "What it costs at the output",
      "Signal to noise of the network's output, when only this layer is rounded: the leftmost dots are where "
      "bits "
      "are missing.",
      2,
      { { "Rounding these weights", "weights, at the output (dB)", "dB", weight_output },
        { "Rounding these activations", "activations, at the output (dB)", "dB", activation_output } } },
    { "What has added up by then",
      "Signal to noise of each layer's result, when everything before it is rounded too.",
      1,
      { { "Accumulated", "results, added up (dB)", "dB", activation_accumulated } } },
    { "Weights that are zero", NULL, 1, { { "Zeros", "weights that are zero (%)", "%", zeros } } },
};

static bool show_group(pithp_page *g, const group *x, bool begun)
{
    dots *d = PITHP_POOL_N(g->pool, dots, 2);
    int n[2] = { 0 }, most = 0;
    for (int k = 0; k < x->n && d != NULL; k++) {
        d[k] = (dots){ .title = x->part[k].title,
                       .x_label = x->part[k].x_label,
                       .unit = x->part[k].unit,
                       .value = x->part[k].value };
        n[k] = gather(g, &d[k]);
        most = n[k] > n[most] ? k : most;
    }
    if (n[0] + n[1] == 0)
        return false;
    if (!begun)
        pithp_section(g, "layers", "Layers", "Layer by layer");
    fputs("<h3>", g->f);
    pithp_put(g, x->title);
    fputs("</h3>\n", g->f);
    if (x->note != NULL)
        pithp_note(g, "%s", x->note);
    for (int k = 0; k < 2; k++)
        if (n[k] > 0 && k != most)
            same_series(&d[k], &d[most]);
    legend(g, &d[most]);
    fputs("<div class=\"two\">\n", g->f);
    for (int k = 0; k < 2; k++)
        if (n[k] > 0)
            figure(g, &d[k]);
    fputs("</div>\n", g->f);
    return true;
}

void pithp_page_layers(pithp_page *g)
{
    bool begun = false;
    for (size_t i = 0; i < PITHP_LEN(groups); i++)
        begun = show_group(g, &groups[i], begun) || begun;
    if (begun)
        save(g);
}
