/* report/page_gallery.c: photographs: the worst mistakes, and where float and its compressed form disagree. */
#include "report/gallery.h"
#include "report/picture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SIDE = 96, SHOWN = 24, SHOWN_MOST = 60, PICTURE_BYTES = 1800000 };

static int by_badness(const void *a, const void *b)
{
    const pithp_mistake *p = a, *q = b;
    return p->badness != q->badness ? (p->badness < q->badness) - (p->badness > q->badness)
                                    : (p->i > q->i) - (p->i < q->i);
}

const char *pithp_class_name(const pithp_page *g, const pithp_result *r, int k, char room[24])
{
    const pithp_run *u = &g->lab->run[r->run];
    snprintf(room, 24, "%d", k);
    return k < u->classes ? u->class_name[k] : room;
}

double pithp_says(const pithp_result *r, int64_t i, int k) { return r->val.p[i * r->val.classes + k]; }

/* ---- The folder of photographs ---------------------------------------------------------------------------- */
static bool is_folder(const char *path)
{
    struct stat st;
    return path != NULL && path[0] != 0 && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* As the run names it: from here, or from where the run folder lies. "" where it is nowhere. */
const char *pithp_photographs(pithp_page *g, const pithp_run *u)
{
    const char *data = g->cfg.data != NULL ? g->cfg.data : u->data;
    if (data[0] == 0 || is_folder(data))
        return data;
    const char *beside = pithp_pool_text(g->pool, "%s/%s", u->dir, data),
               *above = pithp_pool_text(g->pool, "%s/../%s", u->dir, data);
    return is_folder(beside) ? beside : is_folder(above) ? above : "";
}

static int shown(const pithp_page *g)
{
    return g->cfg.pictures > 0 ? PITHP_MIN(g->cfg.pictures, SHOWN_MOST) : SHOWN;
}

static void picture(pithp_page *g, pithp_work *w, const char *folder, const char *path)
{
    const char *file = pithp_pool_text(g->pool, "%s/%s", folder, path);
    char *uri = NULL;
    if (folder[0] != 0 && file != NULL && g->cfg.pictures >= 0 && g->picture_bytes < PICTURE_BYTES)
        uri = pithp_picture_uri(g->pool, w, file, SIDE);
    if (uri == NULL) {
        fputs("<div class=\"nopic\">", g->f);
        pithp_put(g, path);
        fputs("</div>", g->f);
        return;
    }
    g->picture_bytes += (double)strlen(uri);
    fprintf(g->f, "<img src=\"%s\" width=\"%d\" height=\"%d\" alt=\"", uri, (int)SIDE, (int)SIDE);
    pithp_put(g, path);
    fputs("\" title=\"", g->f);
    pithp_put(g, path);
    fputs("\">", g->f);
}

void pithp_said(pithp_page *g, const char *who, const pithp_result *r, int64_t i)
{
    char room[24];
    bool right = r->val.predicted[i] == r->val.label[i];
    fprintf(g->f, "<span class=\"%s\">%s", right ? "right" : "wrong", who);
    pithp_put(g, pithp_class_name(g, r, r->val.predicted[i], room));
    fprintf(g->f, " %s</span>", pithp_percent(pithp_says(r, i, r->val.predicted[i]), 0).s);
}

/* ---- Mistakes -------------------------------------------------------------------------------------------- */
pithp_mistake *pithp_mistakes(pithp_page *g, const pithp_result *r, int64_t *n)
{
    const pithp_answers *a = &r->val;
    pithp_mistake *e = PITHP_POOL_N(g->pool, pithp_mistake, a->n);
    *n = 0;
    for (int64_t i = 0; i < a->n && e != NULL; i++)
        if (a->predicted[i] != a->label[i])
            e[(*n)++] =
                (pithp_mistake){ i, pithp_says(r, i, a->predicted[i]) - pithp_says(r, i, a->label[i]) };
    if (*n > 0)
        qsort(e, (size_t)*n, sizeof *e, by_badness);
    return e;
}

static void mistakes(pithp_page *g, pithp_work *w, const pithp_result *r, const char *folder)
{
    char room[24], other[24];
    const pithp_answers *a = &r->val;
    int64_t n;
    const pithp_mistake *e = pithp_mistakes(g, r, &n);
    if (n == 0)
        return;
    pithp_section(g, "mistakes", "Mistakes", "The worst mistakes");
    pithp_note(g,
               "%s: of %s mistakes on %s images, those it was surest of. Below each: what it says and how "
               "surely; what the image "
               "shows.",
               r->title, pithp_count_of((double)n).s, pithp_count_of((double)a->n).s);
    fputs("<div class=\"gallery\">\n", g->f);
    FILE *f = pithp_figure_open(g, "mistakes-%s", r->label);
    pithp_csv_row(f, "sssss", "path", "label", "predicted", "p_label", "p_predicted");
    for (int64_t k = 0; k < n; k++) {
        int64_t i = e[k].i;
        pithp_csv_row(f, "sssnn", a->path[i], pithp_class_name(g, r, a->label[i], room),
                      pithp_class_name(g, r, a->predicted[i], other), pithp_says(r, i, a->label[i]),
                      pithp_says(r, i, a->predicted[i]));
        if (k >= shown(g))
            continue;
        fputs("<figure>", g->f);
        picture(g, w, folder, a->path[i]);
        fputs("<figcaption>", g->f);
        pithp_said(g, "", r, i);
        fputs("<span>is ", g->f);
        pithp_put(g, pithp_class_name(g, r, a->label[i], room));
        fputs("</span></figcaption></figure>\n", g->f);
    }
    fputs("</div>\n", g->f);
}

/* ---- Disagreement ---------------------------------------------------------------------------------------- */
/* The int8 step that float is held against: the first after training, else while training, else the smallest. */
static const pithp_result *integers(const pithp_lab *lab, int run)
{
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < lab->n; i++) {
            const pithp_result *r = &lab->result[i];
            if (r->run == run && r->val.n > 0 && pithp_done(r) &&
                strcmp(r->family, pass ? "qat" : "ptq") == 0)
                return r;
        }
    int small = pithp_smallest(lab, run);
    return small >= 0 && small != lab->run[run].reference && lab->result[small].val.n > 0
               ? &lab->result[small]
               : NULL;
}

static void disagreement(pithp_page *g, pithp_work *w, const pithp_result *f, const pithp_result *q,
                         const char *folder)
{
    char room[24], other[24], third[24];
    int64_t n = 0;
    if (q == NULL || f->val.n != q->val.n || f->val.classes != q->val.classes)
        return;
    pithp_mistake *e = PITHP_POOL_N(g->pool, pithp_mistake, f->val.n);
    for (int64_t i = 0; i < f->val.n && e != NULL; i++)
        if (f->val.predicted[i] != q->val.predicted[i])
            e[n++] = (pithp_mistake){ i, fabs(pithp_says(f, i, f->val.predicted[i]) -
                                              pithp_says(q, i, f->val.predicted[i])) };
    if (n == 0)
        return;
    qsort(e, (size_t)n, sizeof *e, by_badness);
    pithp_section(g, "differ", "Differences", "Where float and int8 disagree");
    pithp_note(g,
               "float32 and \xe2\x80\x9c%s\xe2\x80\x9d give different classes to %s of %s images; those that "
               "moved most come first.",
               q->title, pithp_count_of((double)n).s, pithp_count_of((double)f->val.n).s);
    fputs("<div class=\"gallery\">\n", g->f);
    FILE *csv = pithp_figure_open(g, "differ-%s", q->label);
    pithp_csv_row(csv, "ssssss", "path", "label", "float", "int8", "p_float", "p_int8");
    for (int64_t k = 0; k < n; k++) {
        int64_t i = e[k].i;
        pithp_csv_row(csv, "ssssnn", f->val.path[i], pithp_class_name(g, f, f->val.label[i], room),
                      pithp_class_name(g, f, f->val.predicted[i], other),
                      pithp_class_name(g, q, q->val.predicted[i], third),
                      pithp_says(f, i, f->val.predicted[i]), pithp_says(q, i, q->val.predicted[i]));
        if (k >= shown(g))
            continue;
        fputs("<figure>", g->f);
        picture(g, w, folder, f->val.path[i]);
        fputs("<figcaption>", g->f);
        pithp_said(g, "float: ", f, i);
        pithp_said(g, "int8: ", q, i);
        fputs("<span>is ", g->f);
        pithp_put(g, pithp_class_name(g, f, f->val.label[i], room));
        fputs("</span></figcaption></figure>\n", g->f);
    }
    fputs("</div>\n", g->f);
}

/* Of one run: several would be about other images. */
void pithp_page_gallery(pithp_page *g)
{
    const pithp_run *u = &g->lab->run[0];
    const int at = u->reference >= 0 ? u->reference : 0;
    if (g->lab->n_runs > 1 || g->lab->n == 0 || g->lab->result[at].val.n == 0)
        return;
    pithp_work w = { .c = g->c };
    const char *folder = pithp_photographs(g, u);
    mistakes(g, &w, &g->lab->result[at], folder);
    disagreement(g, &w, &g->lab->result[at], u->reference >= 0 ? integers(g->lab, 0) : NULL, folder);
    pithp_work_free(&w);
}
