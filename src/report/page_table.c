/* report/page_table.c: all methods in one table, sorted by whoever clicks on its head. */
#include "report/page.h"

#include <math.h>
#include <string.h>

/* A column: its value for sorting and for the CSV, and how it reads. */
typedef enum { BEST_LEAST, BEST_MOST, BEST_NONE } best_kind;
typedef struct {
    const char *head, *unit, *csv, *explains;
    size_t at; /* in pithp_result */
    best_kind best;
    pithp_num (*show)(double v);
} column;

static pithp_num milliseconds(double v) { return pithp_digits(v, 3); }
static pithp_num three(double v) { return pithp_digits(v, 3); }
static pithp_num bits(double v) { return pithp_digits(v, 2); }

#define AT(field) offsetof(pithp_result, field)
static const column columns[] = {
    { "file", "", "file_bytes", "the exported file", AT(file), BEST_LEAST, pithp_bytes },
    { "gzip", "", "gzip_bytes", "the file, compressed by gzip -9", AT(gzip), BEST_LEAST, pithp_bytes },
    { "packed", "", "packed_bytes", "the model as pith pack writes it", AT(packed), BEST_LEAST, pithp_bytes },
    { "RAM", "", "arena_bytes", "the arena of activations, batch 1", AT(arena), BEST_LEAST, pithp_bytes },
    { "mult-adds", "", "macs", "multiply-adds of one image", AT(macs), BEST_LEAST, pithp_short },
    { "parameters", "", "parameters", "weights and biases", AT(parameters), BEST_NONE, pithp_count_of },
    { "not zero", "", "nonzero", "parameters that are not zero", AT(nonzero), BEST_NONE, pithp_count_of },
    { "bits W", "", "bits_weights", "bits of a weight", AT(bits_weights), BEST_NONE, bits },
    { "bits A", "", "bits_activations", "bits of an activation", AT(bits_activations), BEST_NONE, bits },
    { "latency", "ms", "latency_ms", "one image, median", AT(latency), BEST_LEAST, milliseconds },
    { "throughput", "images/s", "images_per_s", "batches of 32", AT(throughput), BEST_MOST, three },
    { "energy", "mJ", "energy_mj", "estimated, one image; its source stands below", AT(energy), BEST_LEAST,
      three },
    { "took", "", "seconds", "what the step took", AT(seconds), BEST_NONE, pithp_seconds },
};
enum { COLUMNS = PITHP_LEN(columns) };

static double value(const pithp_result *r, const column *k)
{
    double v;
    memcpy(&v, (const char *)r + k->at, sizeof v);
    return v;
}

static bool any(const pithp_lab *lab, const column *k)
{
    for (int i = 0; i < lab->n; i++)
        if (isfinite(value(&lab->result[i], k)))
            return true;
    return false;
}

static double best_of(const pithp_lab *lab, const column *k)
{
    double best = NAN;
    for (int i = 0; i < lab->n && k->best != BEST_NONE; i++) {
        double v = value(&lab->result[i], k);
        if (pithp_done(&lab->result[i]) && isfinite(v) &&
            (isnan(best) || (k->best == BEST_LEAST ? v < best : v > best)))
            best = v;
    }
    return best;
}

/* ---- Cells ----------------------------------------------------------------------------------------------- */
static void head_cell(pithp_page *g, const char *text, const char *unit, const char *explains, bool number)
{
    fprintf(g->f, "<th scope=\"col\"%s><button type=\"button\" title=\"", number ? " class=\"num\"" : "");
    pithp_put(g, explains);
    fprintf(g->f, "\">%s", text);
    if (unit[0] != 0)
        fprintf(g->f, " <small>%s</small>", unit);
    fputs("</button></th>", g->f);
}

static void number_cell(pithp_page *g, double v, const char *text, bool best)
{
    if (isfinite(v))
        fprintf(g->f, "<td class=\"num%s\" data-v=\"%.9g\">%s</td>", best ? " best" : "", v, text);
    else
        fputs("<td class=\"num\"></td>", g->f);
}

/* The interval on the axis that all rows share. */
static void interval(pithp_page *g, const pithp_result *r, double from, double to)
{
    double width = 84, scale = width / (to - from);
    if (!isfinite(r->low) || !isfinite(r->high) || !(to > from))
        return;
    fprintf(g->f,
            "<svg class=\"ci\" viewBox=\"0 0 %.0f 12\" width=\"%.0f\" height=\"12\" aria-hidden=\"true\">"
            "<path class=\"ci-base\" d=\"M0 6H%.0f\"/><path class=\"ci-line k%d\" d=\"M%.1f 6H%.1f\"/>"
            "<circle class=\"sign k%d\" cx=\"%.1f\" cy=\"6\" r=\"3\"/></svg>",
            width, width, width, pithp_family(r->family), (r->low - from) * scale, (r->high - from) * scale,
            pithp_family(r->family), (r->accuracy - from) * scale);
}

static void accuracy_cells(pithp_page *g, const pithp_result *r, double from, double to)
{
    if (!isfinite(r->accuracy)) {
        fputs("<td class=\"num\"></td><td class=\"iv\"></td>", g->f);
        return;
    }
    fprintf(g->f, "<td class=\"num acc\" data-v=\"%.9g\">%s</td><td class=\"iv\" data-v=\"%.9g\">",
            r->accuracy, pithp_percent(r->accuracy, 2).s, r->low);
    interval(g, r, from, to);
    if (isfinite(r->low) && isfinite(r->high))
        fprintf(g->f, "<span class=\"soft\">%.1f to %.1f</span>", 100 * r->low, 100 * r->high);
    fputs("</td>", g->f);
}

static void against_cells(pithp_page *g, const pithp_result *r, const pithp_result *f, double adjusted)
{
    if (f == NULL || f == r || !isfinite(r->accuracy)) {
        fputs("<td class=\"num\"></td><td class=\"num\"></td>", g->f);
        return;
    }
    double d = r->accuracy - f->accuracy;
    fprintf(g->f, "<td class=\"num\" data-v=\"%.9g\">%+.2f</td>", d, 100 * d);
    if (isnan(r->p)) {
        fputs("<td class=\"num\"></td>", g->f);
        return;
    }
    fprintf(
        g->f,
        "<td class=\"num\" data-v=\"%.9g\" title=\"right only in float: %.0f; only here: %.0f\">%s%s</td>",
        r->p, r->only_float, r->only_this, pithp_p_value(r->p).s,
        adjusted < 0.05 ? d < 0 ? " <b title=\"worse\">&minus;</b>" : " <b title=\"better\">+</b>" : "");
}

/* 1: what was asked of the step was met, 0: it was not, -1: nobody can tell from here. */
static int kept(const pithp_result *r, const pithp_result *f)
{
    double v;
    if (f == NULL || f == r || !isfinite(r->accuracy) || !isfinite(f->accuracy))
        return -1;
    if (sscanf(r->promise, "within %lf of float", &v) == 1)
        return 100 * (f->accuracy - r->accuracy) <= v + 1e-9;
    if (sscanf(r->promise, "the same class on at least %lf%%", &v) == 1 && r->n > 0 && isfinite(r->differ))
        return 100 * (1 - r->differ / r->n) >= v - 1e-9;
    return -1;
}

static void promise_cell(pithp_page *g, const pithp_result *r, const pithp_result *f)
{
    const int met = kept(r, f);
    if (met < 0)
        fputs("<td class=\"promise\">", g->f);
    else
        fprintf(g->f, "<td class=\"promise\" data-v=\"%d\">", met);
    pithp_put(g, r->promise);
    if (met >= 0)
        fprintf(g->f, " <b class=\"%s\">%s</b>", met ? "right" : "wrong", met ? "kept" : "missed");
    fputs("</td>", g->f);
}

/* ---- Rows ------------------------------------------------------------------------------------------------ */
typedef struct {
    bool column[COLUMNS], against, promised;
    double best[COLUMNS], from, to;
    double adjusted[PITHP_STEPS];
    int n;
} shown;

static void name_cell(pithp_page *g, const pithp_result *r)
{
    int family = pithp_family(r->family);
    fprintf(g->f, "<th scope=\"row\" data-v=\"");
    pithp_put(g, r->title);
    fputs("\"><div><svg class=\"mark\" viewBox=\"-8 -8 16 16\" width=\"14\" height=\"14\" "
          "aria-hidden=\"true\">",
          g->f);
    pithp_sign(g->f, family, 0, 0, 5);
    fputs("</svg><span>", g->f);
    pithp_put(g, r->title);
    fputs("<small>", g->f);
    pithp_put(g, r->label);
    fputs("</small></span></div></th>", g->f);
}

/* Failed, skipped, or not there yet: the reason instead of numbers. */
static void reason_row(pithp_page *g, const shown *s, const pithp_result *r)
{
    fputs("<tr class=\"undone\">", g->f);
    name_cell(g, r);
    fprintf(g->f, "<td class=\"why\" colspan=\"%d\"><div><b>", s->n - 1);
    pithp_put(g, r->status);
    fputs("</b>", g->f);
    if (r->reason[0] != 0) {
        fputs(": ", g->f);
        pithp_put(g, r->reason);
    }
    fputs("</div></td></tr>\n", g->f);
}

static void row(pithp_page *g, const shown *s, int i)
{
    const pithp_result *r = &g->lab->result[i];
    const int at = g->lab->run[r->run].reference;
    if (!pithp_done(r)) {
        reason_row(g, s, r);
        return;
    }
    fputs(at == i ? "<tr class=\"yardstick\">" : "<tr>", g->f);
    name_cell(g, r);
    accuracy_cells(g, r, s->from, s->to);
    if (s->against)
        against_cells(g, r, at < 0 ? NULL : &g->lab->result[at], s->adjusted[i]);
    if (s->promised)
        promise_cell(g, r, at < 0 ? NULL : &g->lab->result[at]);
    for (int k = 0; k < COLUMNS; k++)
        if (s->column[k]) {
            double v = value(r, &columns[k]);
            number_cell(g, v, columns[k].show(v).s, v == s->best[k]);
        }
    fputs("</tr>\n", g->f);
}

static void look(const pithp_lab *lab, shown *s)
{
    double p[PITHP_STEPS] = { 0 };
    *s = (shown){ .from = 1, .to = 0, .n = 3 };
    for (int k = 0; k < COLUMNS; k++) {
        s->column[k] = any(lab, &columns[k]);
        s->best[k] = best_of(lab, &columns[k]);
        s->n += s->column[k];
    }
    for (int i = 0; i < lab->n; i++) {
        const pithp_result *r = &lab->result[i];
        p[i] = NAN;
        if (!pithp_done(r) || isnan(r->accuracy))
            continue;
        s->promised |= r->promise[0] != 0;
        s->from = fmin(s->from, fmin(r->low, r->accuracy)); /* fmin passes over NAN */
        s->to = fmax(s->to, fmax(r->high, r->accuracy));
        if (lab->run[r->run].reference >= 0 && lab->run[r->run].reference != i) {
            s->against = true;
            p[i] = r->p;
        }
    }
    pithp_holm(p, lab->n, s->adjusted);
    s->n += (s->against ? 2 : 0) + s->promised;
}

static void head(pithp_page *g, const shown *s)
{
    fputs("<div class=\"scroll\" tabindex=\"0\"><table class=\"results\" data-sort><thead><tr>", g->f);
    head_cell(g, "method", "", "what was done", false);
    head_cell(g, "accuracy", "", "share of validation images classed right", true);
    head_cell(g, "95% interval", "%", "Wilson's, for the number of images", false);
    if (s->against) {
        head_cell(g, "&Delta;", "points", "against float", true);
        head_cell(g, "McNemar", "p",
                  "exact, two-sided, on the same images; a sign where the difference stands after Holm's "
                  "correction",
                  true);
    }
    if (s->promised)
        head_cell(g, "promised", "", "what was asked of the method, and whether it was met", false);
    for (int k = 0; k < COLUMNS; k++)
        if (s->column[k])
            head_cell(g, columns[k].head, columns[k].unit, columns[k].explains, true);
    fputs("</tr></thead><tbody>\n", g->f);
}

/* Sources of the energies, and how files were checked: said once each, below. */
static void notes(pithp_page *g)
{
    for (int i = 0; i < g->lab->n; i++) {
        const char *source = g->lab->result[i].energy_source;
        bool said = source[0] == 0;
        for (int k = 0; k < i && !said; k++)
            said = strcmp(source, g->lab->result[k].energy_source) == 0;
        if (!said)
            pithp_note(g, "Energy: %s", source);
    }
    bool any_checked = false;
    for (int i = 0; i < g->lab->n; i++)
        any_checked |= g->lab->result[i].checked[0] != 0;
    if (!any_checked)
        return;
    fputs("<details><summary>How exported files were checked</summary><dl class=\"promises\">\n", g->f);
    for (int i = 0; i < g->lab->n; i++) {
        const pithp_result *r = &g->lab->result[i];
        if (r->checked[0] == 0)
            continue;
        fputs("<dt>", g->f);
        pithp_put(g, r->title);
        fputs("</dt><dd>", g->f);
        pithp_put(g, r->exported);
        fputs(r->exported[0] ? ": " : "", g->f);
        pithp_put(g, r->checked);
        fputs("</dd>\n", g->f);
    }
    fputs("</dl></details>\n", g->f);
}

static void save(pithp_page *g)
{
    FILE *f = pithp_figure_open(g, "table");
    if (f == NULL)
        return;
    fputs("\"method\",\"title\",\"family\",\"status\",\"reason\",\"accuracy\",\"correct\",\"n\",\"ci95_low\","
          "\"ci95_high\","
          "\"only_float\",\"only_this\",\"mcnemar_p\"",
          f);
    for (int k = 0; k < COLUMNS; k++)
        fprintf(f, ",\"%s\"", columns[k].csv);
    fputs(",\"promised\"\r\n", f);
    for (int i = 0; i < g->lab->n; i++) {
        const pithp_result *r = &g->lab->result[i];
        pithp_csv_cells(f, "sssssnnnnnnnn", r->label, r->title, r->family, r->status, r->reason, r->accuracy,
                        r->correct, r->n, r->low, r->high, r->only_float, r->only_this, r->p);
        for (int k = 0; k < COLUMNS; k++) {
            fputc(',', f);
            pithp_csv_cells(f, "n", value(r, &columns[k]));
        }
        fputc(',', f);
        pithp_csv_cells(f, "s", r->promise);
        fputs("\r\n", f);
    }
}

void pithp_page_table(pithp_page *g)
{
    shown s;
    bool numbers = false;
    for (int i = 0; i < g->lab->n; i++)
        numbers |= isfinite(g->lab->result[i].accuracy) || g->lab->result[i].reason[0] != 0;
    if (!numbers)
        return;
    look(g->lab, &s);
    pithp_section(g, "table", "Table", "Every method");
    if (s.against)
        pithp_note(g, "Click on a head to sort. Bold: the best of its column. A sign beside a p-value: worse "
                      "(\xe2\x88\x92) or "
                      "better (+) than float, after Holm's correction.");
    head(g, &s);
    for (int i = 0; i < g->lab->n; i++)
        row(g, &s, i);
    fputs("</tbody></table></div>\n", g->f);
    notes(g);
    save(g);
}
