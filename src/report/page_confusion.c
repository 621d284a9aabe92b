/* report/page_confusion.c: which classes are taken for which. */
#include "report/page.h"

#include <math.h>
#include <stdlib.h>

enum { MATRIX_MOST = 12, PAIRS = 15 };

static const char *class_name(const pithp_page *g, const pithp_result *r, int k, char room[24])
{
    const pithp_run *u = &g->lab->run[r->run];
    if (k < u->classes)
        return u->class_name[k];
    snprintf(room, 24, "%d", k);
    return room;
}

static int64_t *count(pithp_page *g, const pithp_result *r)
{
    const int n = r->val.classes;
    int64_t *m = PITHP_POOL_N(g->pool, int64_t, (size_t)n * (size_t)n);
    for (int64_t i = 0; i < r->val.n && m != NULL; i++)
        m[(int64_t)r->val.label[i] * n + r->val.predicted[i]]++;
    return m;
}

static void cell(pithp_page *g, double n, double of)
{
    double share = of > 0 ? n / of : 0;
    fprintf(g->f, "<td style=\"--v:%.3f\"%s><b>%s</b><small>%s</small></td>", share,
            share > 0.55 ? " class=\"deep\"" : "", pithp_count_of(n).s,
            of > 0 ? pithp_percent(share, 1).s : "");
}

static void matrix(pithp_page *g, const pithp_result *r, const int64_t *m)
{
    const int n = r->val.classes;
    char room[24];
    fputs("<div class=\"scroll\" tabindex=\"0\"><table class=\"confusion\"><thead><tr><td></td>", g->f);
    for (int k = 0; k < n; k++) {
        fputs("<th scope=\"col\">", g->f);
        pithp_put(g, class_name(g, r, k, room));
        fputs("</th>", g->f);
    }
    fputs("</tr></thead><tbody>\n", g->f);
    for (int i = 0; i < n; i++) {
        double of = 0;
        for (int k = 0; k < n; k++)
            of += (double)m[i * n + k];
        fputs("<tr><th scope=\"row\">", g->f);
        pithp_put(g, class_name(g, r, i, room));
        fputs("</th>", g->f);
        for (int k = 0; k < n; k++)
            cell(g, (double)m[i * n + k], of);
        fputs("</tr>\n", g->f);
    }
    fputs("</tbody></table></div>\n", g->f);
}

/* Of many classes: the pairs that are confused most. */
static void pairs(pithp_page *g, const pithp_result *r, const int64_t *m)
{
    const int n = r->val.classes;
    int64_t limit = INT64_MAX;
    char a[24], b[24];
    fputs("<ol class=\"pairs\">\n", g->f);
    for (int shown = 0; shown < PAIRS;) {
        int64_t most = 0;
        for (int64_t i = 0; i < (int64_t)n * n; i++)
            if (i / n != i % n && m[i] < limit && m[i] > most)
                most = m[i];
        if (most == 0)
            break;
        for (int64_t i = 0; i < (int64_t)n * n && shown < PAIRS; i++)
            if (i / n != i % n && m[i] == most) {
                fputs("<li>", g->f);
                pithp_put(g, class_name(g, r, (int)(i / n), a));
                fputs(" taken for ", g->f);
                pithp_put(g, class_name(g, r, (int)(i % n), b));
                fprintf(g->f, " <b>%s times</b></li>\n", pithp_count_of((double)most).s);
                shown++;
            }
        limit = most;
    }
    fputs("</ol>\n", g->f);
}

static void save(pithp_page *g, const pithp_result *r, const int64_t *m)
{
    FILE *f = pithp_figure_open(g, "confusion-%s", r->label);
    const int n = r->val.classes;
    char room[24];
    if (f == NULL)
        return;
    pithp_csv_text(f, "label");
    for (int k = 0; k < n; k++) {
        fputc(',', f);
        pithp_csv_text(f, class_name(g, r, k, room));
    }
    fputs("\r\n", f);
    for (int i = 0; i < n; i++) {
        pithp_csv_text(f, class_name(g, r, i, room));
        for (int k = 0; k < n; k++)
            fprintf(f, ",%lld", (long long)m[i * n + k]);
        fputs("\r\n", f);
    }
}

void pithp_page_confusion(pithp_page *g)
{
    int all = 0, at = 0;
    for (int i = 0; i < g->lab->n; i++)
        all += g->lab->result[i].val.n > 0;
    if (all == 0)
        return;
    pithp_section(g, "confusion", "Confusion", "What is taken for what");
    pithp_note(g, "Rows: what the images show. Columns: what the network says. Percentages are of the row.");
    for (int i = 0; i < g->lab->n; i++) {
        const pithp_result *r = &g->lab->result[i];
        int64_t *m = r->val.n > 0 ? count(g, r) : NULL;
        if (m == NULL)
            continue;
        pithp_panel(g, at++, all);
        fputs("<figure><figcaption>", g->f);
        pithp_put(g, r->title);
        fputs("</figcaption>", g->f);
        if (r->val.classes <= MATRIX_MOST)
            matrix(g, r, m);
        else
            pairs(g, r, m);
        fputs("</figure>\n", g->f);
        save(g, r, m);
    }
    pithp_panels_end(g, all);
}
