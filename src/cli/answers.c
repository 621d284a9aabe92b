/* What a model says of every image of a split: as val.csv tells it, and beside another model's answers. */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

enum { AT_ONCE = 256 };

/* ---- CSV ---- */
typedef struct {
    char *text;
    size_t n, room;
} growing;

static bool put(growing *g, const char *s, size_t n)
{
    if (g->n + n + 1 > g->room) {
        size_t room = 2 * (g->n + n + 1) + 4096;
        char *more = realloc(g->text, room);
        if (more == NULL)
            return false;
        g->text = more;
        g->room = room;
    }
    memcpy(g->text + g->n, s, n);
    g->n += n;
    return true;
}

/* A field of CSV: in quotation marks where it has to be. */
static bool put_field(growing *g, const char *s)
{
    if (strpbrk(s, ",\"\r\n") == NULL)
        return put(g, s, strlen(s));
    bool ok = put(g, "\"", 1);
    for (; *s && ok; s++)
        ok = put(g, *s == '"' ? "\"\"" : s, *s == '"' ? 2 : 1);
    return ok && put(g, "\"", 1);
}

static bool put_row(growing *g, const char *path, int label, int says, const pith_real *p, int classes)
{
    char text[64];
    bool ok = put_field(g, path);
    int n = snprintf(text, sizeof text, ",%d,%d", label, says);
    ok = ok && put(g, text, (size_t)n);
    for (int k = 0; k < classes && ok; k++) {
        n = snprintf(text, sizeof text, ",%.6g", (double)p[k]);
        ok = put(g, text, (size_t)n);
    }
    return ok && put(g, "\n", 1);
}

static bool put_header(growing *g, int classes)
{
    char text[32];
    bool ok = put(g, "path,label,predicted", 20);
    for (int k = 0; k < classes && ok; k++) {
        int n = snprintf(text, sizeof text, ",p%d", k);
        ok = put(g, text, (size_t)n);
    }
    return ok && put(g, "\n", 1);
}

/* ---- Answers ---- */
static int best_of(const pith_real *p, int classes)
{
    int best = 0;
    for (int k = 1; k < classes; k++)
        best = p[k] > p[best] ? k : best;
    return best;
}

/* Every image once, in the data set's order. */
static bool ask(pith_model *m, pith_data *d, pith_loader *loader, growing *g, answers *a)
{
    const int classes = pith_data_classes(d);
    pith_real *p = malloc(sizeof *p * AT_ONCE * (size_t)classes);
    int64_t at = 0;
    bool ok = p != NULL && put_header(g, classes);
    for (pith_batch b; ok && pith_loader_next(loader, &b);) {
        ok = pith_predict(m, b.x, b.n, p) == PITH_OK;
        for (int i = 0; i < b.n && ok; i++, at++) {
            const pith_real *q = p + (ptrdiff_t)i * classes;
            a->labels[at] = b.labels[i];
            a->says[at] = best_of(q, classes);
            a->right += a->says[at] == b.labels[i];
            ok = put_row(g, pith_data_at(d, b.samples[i]).path, b.labels[i], a->says[at], q, classes);
        }
    }
    free(p);
    return ok && at == a->n;
}

bool answers_ask(pith_model *m, pith_data *d, pith_split split, int batch, answers *a)
{
    const int64_t n = pith_data_count(d, split);
    const int most = batch > 0 && batch < AT_ONCE ? batch : AT_ONCE;
    growing g = { 0 };
    *a = (answers){ .n = n,
                    .says = calloc((size_t)n + 1, sizeof *a->says),
                    .labels = calloc((size_t)n + 1, sizeof *a->labels) };
    pith_loader *loader =
        a->says != NULL && a->labels != NULL
            ? pith_loader_new(d, (pith_loader_cfg){ .split = split, .batch = (int)(n < most ? n : most) })
            : NULL;
    const bool ok = loader != NULL && ask(m, d, loader, &g, a);
    pith_loader_free(loader);
    a->csv = g.text;
    a->csv_bytes = g.n;
    return ok;
}

void answers_free(answers *a)
{
    free(a->says);
    free(a->labels);
    free(a->csv);
    *a = (answers){ 0 };
}

paired answers_pair(const answers *a, const answers *other)
{
    paired p = { 0 };
    for (int64_t i = 0; i < a->n; i++) {
        const bool is = a->says[i] == a->labels[i], was = other->says[i] == a->labels[i];
        p.only_this += is && !was;
        p.only_other += was && !is;
        p.differ += a->says[i] != other->says[i];
    }
    p.p = pith_mcnemar(p.only_other, p.only_this);
    return p;
}
