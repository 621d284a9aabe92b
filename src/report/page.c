/* report/page.c: the page's frame: sections, figures' files, pictures for wide and narrow screens. */
#include "report/page.h"

#include <stdlib.h>
#include <string.h>

/* ---- Text ------------------------------------------------------------------------------------------------ */
void pithp_put(pithp_page *g, const char *s) { pithp_xml_text(g->f, s); }

void pithp_lines(pithp_page *g, const char *s)
{
    while (*s) {
        size_t n = strcspn(s, "\n");
        char *line = pithp_pool_text(g->pool, "%.*s", (int)n, s);
        if (line != NULL)
            pithp_xml_text(g->f, line);
        s += n;
        if (*s == '\n') {
            fputc('\n', g->f);
            s++;
        }
    }
}

static void paragraph(pithp_page *g, const char *class, const char *fmt, va_list ap)
{
    char text[2048];
    vsnprintf(text, sizeof text, fmt, ap);
    fprintf(g->f, "<p class=\"%s\">", class);
    pithp_put(g, text);
    fputs("</p>\n", g->f);
}

void pithp_lead(pithp_page *g, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    paragraph(g, "lead", fmt, ap);
    va_end(ap);
}

void pithp_note(pithp_page *g, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    paragraph(g, "note", fmt, ap);
    va_end(ap);
}

void pithp_section(pithp_page *g, const char *id, const char *short_title, const char *title)
{
    pithp_sections_end(g);
    if (g->n_sections == PITHP_SECTIONS)
        return;
    g->id[g->n_sections] = id;
    g->title[g->n_sections++] = short_title;
    fprintf(g->f, "<section id=\"%s\">\n<h2>", id);
    pithp_put(g, title);
    fputs("</h2>\n", g->f);
}

void pithp_sections_end(pithp_page *g)
{
    if (g->n_sections > 0)
        fputs("</section>\n", g->f);
}

/* ---- Figures' numbers ------------------------------------------------------------------------------------- */
FILE *pithp_figure_open(pithp_page *g, const char *fmt, ...)
{
    char name[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(name, sizeof name, fmt, ap);
    va_end(ap);
    for (char *p = name; *p; p++)
        if (*p == '/')
            *p = '-'; /* a step of several runs: "run/step" */
    pithp_figure *x = &g->figure[g->n_figures < PITHP_FIGURES ? g->n_figures : PITHP_FIGURES - 1];
    if (g->n_figures == PITHP_FIGURES)
        return x->f; /* no run has so many */
    x->name = pithp_pool_text(g->pool, "%s", name);
    x->f = open_memstream(&x->text, &x->n);
    if (x->f == NULL || x->name == NULL) {
        pithp_nomem(g->c, "a figure's numbers");
        return NULL;
    }
    g->n_figures++;
    return x->f;
}

pith_status pithp_figures_save(pithp_page *g, const char *dir)
{
    pith_status s = g->n_figures > 0 ? pithp_mkdirs(g->c, dir) : PITH_OK;
    for (int i = 0; i < g->n_figures && s == PITH_OK; i++) {
        pithp_figure *x = &g->figure[i];
        bool good = fflush(x->f) == 0 && !ferror(x->f);
        char *path = pithp_pool_text(g->pool, "%s/%s.csv", dir, x->name);
        if (!good || path == NULL)
            return pithp_nomem(g->c, "a figure's numbers");
        s = pithp_file_write(g->c, path, x->text, x->n);
    }
    return s;
}

void pithp_figures_free(pithp_page *g)
{
    for (int i = 0; i < PITHP_FIGURES; i++) {
        if (g->figure[i].f != NULL)
            fclose(g->figure[i].f);
        free(g->figure[i].text);
    }
}

/* ---- Pictures -------------------------------------------------------------------------------------------- */
void pithp_svg_begin(FILE *f, const char *class, const char *title, double width, double height)
{
    fprintf(f,
            "<svg class=\"%s\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" height=\"%.0f\" role=\"img\" "
            "aria-label=\"",
            class, width, height, width, height);
    pithp_xml_text(f, title);
    fputs("\">\n", f);
}

void pithp_chart_put(pithp_page *g, pithp_chart chart, pithp_draw_fn draw, const void *user)
{
    pithp_paper wide = { g->f, chart.width, chart.height, false },
                narrow = { g->f, chart.narrow_width, chart.narrow_height, true };
    fputs("<div class=\"chart\">", g->f);
    pithp_svg_begin(g->f, "wide", chart.title, wide.width, wide.height);
    draw(g, &wide, user);
    fputs("</svg>\n", g->f);
    pithp_svg_begin(g->f, "narrow", chart.title, narrow.width, narrow.height);
    draw(g, &narrow, user);
    fputs("</svg></div>\n", g->f);
}

enum { PANELS = 6 };

void pithp_panel(pithp_page *g, int i, int all)
{
    if (i == 0)
        fputs("<div class=\"panels\">\n", g->f);
    if (i == PANELS && all > PANELS + 1)
        fprintf(g->f, "</div>\n<details><summary>%d more</summary><div class=\"panels\">\n", all - PANELS);
}

void pithp_panels_end(pithp_page *g, int all)
{
    fputs(all > PANELS + 1 ? "</div></details>\n" : "</div>\n", g->f);
}

/* ---- Families -------------------------------------------------------------------------------------------- */
static const struct {
    const char *key, *name;
} families[] = { { "float", "float" },
                 { "cast", "fewer bits, no training" },
                 { "ptq", "int8 after training" },
                 { "qat", "quantized while training" },
                 { "codebook", "shared values" },
                 { "prune", "weights pruned" },
                 { "channels", "channels removed" },
                 { "distill", "distilled" },
                 { "combination", "combinations" },
                 { "", "other" } };

int pithp_family(const char *name)
{
    int n = (int)PITHP_LEN(families);
    for (int i = 0; i < n - 1; i++)
        if (strcmp(families[i].key, name) == 0)
            return i;
    return n - 1;
}

const char *pithp_family_name(int index)
{
    return index < (int)PITHP_LEN(families) ? families[index].name : NULL;
}

/* Colour alone says nothing to some readers: each family has its shape, too. */
void pithp_sign(FILE *f, int family, double x, double y, double r)
{
    static const char *const shape[] = {
        NULL, /* a circle */
        "M-.9-.9H.9V.9H-.9Z",
        "M0-1.2 1.1.8H-1.1Z",
        "M0-1.25 1.25 0 0 1.25-1.25 0Z",
        "M0 1.2-1.1-.8H1.1Z",
        "M-.4-1.1H.4V-.4H1.1V.4H.4V1.1H-.4V.4H-1.1V-.4H-.4Z",
        "M-.55-1.1H.55L1.15 0 .55 1.1H-.55L-1.15 0Z",
        "M-1.2-.6H1.2V.6H-1.2Z",
        "M0-1.3.33-.42 1.24-.4.53.17.76 1.05 0 .55-.76 1.05-.53.17-1.24-.4-.33-.42Z",
        "M-.6-1.2H.6V1.2H-.6Z",
    };
    if (shape[family] == NULL)
        fprintf(f, "<circle class=\"sign k%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"/>", family, x, y, r);
    else
        fprintf(f, "<path class=\"sign k%d\" transform=\"translate(%.1f %.1f) scale(%.1f)\" d=\"%s\"/>",
                family, x, y, r, shape[family]);
}
