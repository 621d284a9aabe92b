/* report/report.c: the page as a whole: read, write in memory, save at once. */
#include "report/page.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_MB = 5 };

/* ---- The head -------------------------------------------------------------------------------------------- */
static const char *title_of(pithp_page *g)
{
    const pithp_run *u = &g->lab->run[0];
    if (g->cfg.title != NULL)
        return g->cfg.title;
    const char *t = g->lab->n_runs > 1 ? "Runs compared"
                    : u->model[0] != 0 ? pithp_pool_text(g->pool, "%s, %s", u->model,
                                                         u->lab ? "compressed every way" : "trained")
                                       : u->name;
    return t != NULL ? t : "";
}

/* One line below the title: what it was made of. */
static void subtitle(pithp_page *g, FILE *f)
{
    const pithp_run *u = &g->lab->run[0];
    fputs("<p class=\"sub\">", f);
    for (int k = 0; k < g->lab->n_runs && g->lab->n_runs > 1; k++) {
        fputs(k ? " &middot; " : "", f);
        pithp_xml_text(f, g->lab->run[k].name);
    }
    if (g->lab->n_runs == 1) {
        pithp_xml_text(f, u->data[0] != 0 ? u->data : u->name);
        if (isfinite(u->n_train) && isfinite(u->n_val))
            fprintf(f, " &middot; %s + %s images", pithp_count_of(u->n_train).s, pithp_count_of(u->n_val).s);
        if (isfinite(u->image_size))
            fprintf(f, " &middot; %.0f &times; %.0f pixels", u->image_size, u->image_size);
        if (u->started[0] != 0) {
            fputs(" &middot; ", f);
            pithp_xml_text(f, u->started);
        }
        if (isfinite(u->seconds))
            fprintf(f, " &middot; took %s", pithp_seconds(u->seconds).s);
    }
    fputs("</p>\n", f);
}

/* Nothing is fetched from anywhere: the policy forbids it to the browser, too. */
static void head(pithp_page *g, FILE *f)
{
    const char *title = title_of(g);
    fputs(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src "
        "'unsafe-inline'; script-src 'unsafe-inline'\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        "<meta name=\"color-scheme\" content=\"light dark\">\n<link rel=\"icon\" href=\"data:,\">\n<title>",
        f);
    pithp_xml_text(f, title);
    fprintf(f, "</title>\n<style>\n%s</style>\n</head>\n<body>\n", pithp_page_css);
    fputs("<header class=\"top\"><div><h1>", f);
    pithp_xml_text(f, title);
    fputs("</h1>\n", f);
    subtitle(g, f);
    fputs(
        "</div><button type=\"button\" id=\"theme\" aria-label=\"light or dark\"><svg viewBox=\"0 0 20 20\" "
        "width=\"20\" height=\"20\" aria-hidden=\"true\"><circle class=\"ring\" cx=\"10\" cy=\"10\" "
        "r=\"7.5\"/><path "
        "class=\"half\" d=\"M10 2.5a7.5 7.5 0 0 1 0 15Z\"/></svg></button></header>\n<nav "
        "aria-label=\"sections\">",
        f);
    for (int i = 0; i < g->n_sections; i++) {
        fprintf(f, "<a href=\"#%s\">", g->id[i]);
        pithp_xml_text(f, g->title[i]);
        fputs("</a>", f);
    }
    fputs("</nav>\n<main>\n", f);
}

static void foot(FILE *f)
{
    fprintf(f,
            "</main>\n<footer>Made by pith %s.</footer>\n<div id=\"tip\" role=\"status\" "
            "hidden></div>\n<script>\n%s"
            "</script>\n</body>\n</html>\n",
            PITH_VERSION, pithp_page_js);
}

/* ---- Writing --------------------------------------------------------------------------------------------- */
static void body(pithp_page *g)
{
    pithp_page_answer(g);
    pithp_page_table(g);
    pithp_page_trade(g);
    pithp_page_curves(g);
    pithp_page_confusion(g);
    pithp_page_calibration(g);
    pithp_page_gallery(g);
    pithp_page_cam(g);
    pithp_page_layers(g);
    pithp_page_histograms(g);
    pithp_page_memory(g);
    pithp_page_reproduce(g);
    pithp_sections_end(g);
}

/* Ends a stream in memory. */
static bool ended(FILE *f)
{
    bool good = f != NULL && !ferror(f);
    return (f == NULL || fclose(f) == 0) && good;
}

static pith_status save(pithp_page *g, const char *path, const char *text, size_t n)
{
    const char *slash = strrchr(path, '/');
    const char *figures =
        pithp_pool_text(g->pool, "%.*sfigures", slash != NULL ? (int)(slash - path) + 1 : 0, path);
    if (figures == NULL)
        return PITH_ENOMEM;
    if (n > (size_t)PAGE_MB << 20)
        return pithp_error(g->c, PITH_EINVAL,
                           "%s: the page would be %.1f MB, more than %d; report on fewer runs, or with fewer "
                           "pictures",
                           path, (double)n / 1048576, (int)PAGE_MB);
    pithp_save page; /* begun first: it is known then that its folder is there and may be written to */
    pith_status s = pithp_save_begin(g->c, &page, path);
    if (s == PITH_OK)
        s = pithp_figures_save(g, figures);
    if (s == PITH_OK)
        s = pithp_save_write(g->c, &page, text, n);
    if (s == PITH_OK)
        s = pithp_save_commit(g->c, &page, false);
    if (s != PITH_OK)
        pithp_save_abort(g->c, &page);
    return s;
}

static pith_status write_page(pithp_page *g, const char *path)
{
    char *inner = NULL, *all = NULL;
    size_t n_inner = 0, n_all = 0;
    g->f = open_memstream(&inner, &n_inner);
    if (g->f != NULL)
        body(g);
    bool good = ended(g->f);
    FILE *f = good ? open_memstream(&all, &n_all) : NULL;
    if (f != NULL) {
        head(g, f);
        fwrite(inner, 1, n_inner, f);
        foot(f);
    }
    good = ended(f) && good;
    if (!good && g->c->status == PITH_OK)
        pithp_nomem(g->c, "the page");
    pith_status s = g->c->status != PITH_OK ? g->c->status : save(g, path, all, n_all);
    free(inner);
    free(all);
    return s;
}

/* ---- Public ---------------------------------------------------------------------------------------------- */
pith_status pith_report_path(pith_ctx *c, const char *const *runs, int n, pith_report_cfg cfg, char *path,
                             size_t room)
{
    if (n < 1 || runs == NULL)
        return pithp_error(c, PITH_EINVAL, "report: no run; the folder of a run is expected");
    size_t end = strlen(runs[0]);
    while (end > 1 && runs[0][end - 1] == '/')
        end--;
    int need = cfg.out != NULL ? snprintf(path, room, "%s", cfg.out)
                               : snprintf(path, room, "%.*s/report.html", (int)end, runs[0]);
    if (need < 0 || (size_t)need >= room)
        return pithp_error(c, PITH_EINVAL, "report: the page's path is too long");
    return PITH_OK;
}

pith_status pith_report_html(pith_ctx *c, const char *const *runs, int n, pith_report_cfg cfg)
{
    char path[4096];
    if (c->status != PITH_OK)
        return c->status;
    if (pith_report_path(c, runs, n, cfg, path, sizeof path) != PITH_OK)
        return c->status;
    pithp_pool pool = { .c = c };
    pithp_lab *lab = PITHP_POOL_N(&pool, pithp_lab, 1);
    pithp_page *g = lab == NULL ? NULL : PITHP_POOL_N(&pool, pithp_page, 1);
    if (g != NULL && pithp_lab_read(&pool, runs, n, lab) == PITH_OK) {
        *g = (pithp_page){ .c = c, .pool = &pool, .lab = lab, .cfg = cfg };
        write_page(g, path);
        pithp_figures_free(g);
    }
    pithp_pool_free(&pool);
    return c->status;
}
