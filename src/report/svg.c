/* report/svg.c: plots of lines as SVG: axes, ticks, legend, marks; light or dark as the reader has it. */
#include "report/sheet.h"

#include <math.h>
#include <pith/report.h>
#include <stdlib.h>
#include <string.h>

enum { COLOURS = 8 };

/* Told apart by readers with any colour vision (after Okabe and Ito, and Tol); on white and on near-black. */
static const char *const light[COLOURS] = { "#1f5fa8", "#c8453b", "#2a7f4f", "#a8660d",
                                            "#7a4fa3", "#0e7c86", "#a0446e", "#5b5b5b" };
static const char *const dark[COLOURS] = { "#7db4f0", "#ff8d80", "#7ed3a1", "#e8b45a",
                                           "#c3a3ee", "#6fd0d8", "#f09bc0", "#b9b9b9" };

typedef pithp_sheet sheet;

/* ---- Style ----------------------------------------------------------------------------------------------- */
static void palette(FILE *f, const char *paper, const char *ink, const char *soft, const char *grid,
                    const char *const *colour)
{
    fprintf(f, ".pp-paper{fill:%s}.pp-title,.pp-label,.pp-mark{fill:%s}.pp-tick{fill:%s}", paper, ink, soft);
    fprintf(f, ".pp-axis{stroke:%s}.pp-grid{stroke:%s}.pp-dot{fill:%s;stroke:%s}\n", soft, grid, ink, paper);
    for (int i = 0; i < COLOURS; i++)
        fprintf(f, ".pp-l%d{stroke:%s}.pp-p%d{fill:%s}", i, colour[i], i, colour[i]);
}

static void style(FILE *f)
{
    fputs("<style>\ntext{font-family:system-ui,'Helvetica Neue',Arial,sans-serif}"
          ".pp-title{font-size:15px;font-weight:600}.pp-label,.pp-mark{font-size:12px}.pp-tick{font-size:"
          "11px}\n"
          "path.pp-line{fill:none;stroke-width:1.8;stroke-linejoin:round}path.pp-faint{stroke-width:1;"
          "opacity:.4}"
          ".pp-axis,.pp-grid{fill:none;stroke-width:1}.pp-dot{stroke-width:1.5}\n",
          f);
    palette(f, "#ffffff", "#1c1c1c", "#5f5f5f", "#e4e4e4", light);
    fputs("\n@media (prefers-color-scheme: dark){", f);
    palette(f, "#16181b", "#ececec", "#a5a5a5", "#33373c", dark);
    fputs("}\n</style>\n", f);
}

/* ---- Parts ----------------------------------------------------------------------------------------------- */
static void draw_points(const sheet *s, const pith_plot_line *l, int colour)
{
    double x, y;
    for (int64_t i = 0; i < l->n; i++)
        if (pithp_axis_place(&s->x, l->x[i], &x) && pithp_axis_place(&s->y, l->y[i], &y))
            fprintf(s->f, "<circle class=\"pp-p%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\"/>\n", colour, x, y);
}

static void draw_line(const sheet *s, const pith_plot_line *l, int colour)
{
    bool pen_down = false;
    double x, y;
    fprintf(s->f, "<path class=\"pp-line pp-l%d%s\" clip-path=\"url(#pp-area)\" d=\"", colour,
            l->faint ? " pp-faint" : "");
    for (int64_t i = 0; i < l->n; i++) {
        bool there = pithp_axis_place(&s->x, l->x[i], &x) && pithp_axis_place(&s->y, l->y[i], &y);
        if (there) /* far outside is far enough */
            fprintf(s->f, "%s%.1f %.1f", pen_down ? "L" : "M", x, PITHP_MAX(PITHP_MIN(y, 1e5), -1e5));
        pen_down = there;
    }
    fputs("\"/>\n", s->f);
}

static void draw_marks(const sheet *s, const pith_plot_mark *marks, int n)
{
    double x, y;
    for (int i = 0; i < n; i++) {
        if (!pithp_axis_place(&s->x, marks[i].x, &x) || !pithp_axis_place(&s->y, marks[i].y, &y))
            continue;
        y = PITHP_MAX(PITHP_MIN(y, s->bottom), s->top);
        fprintf(s->f, "<circle class=\"pp-dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"4.5\"/>\n", x, y);
        if (marks[i].text == NULL)
            continue;
        bool fits = x + 10 + pithp_text_width(marks[i].text, 12) < s->right;
        pithp_text_at(s->f, fits ? x + 10 : x - 10, PITHP_MAX(y - 8, s->top + 12), "pp-mark",
                      fits ? "start" : "end", marks[i].text);
    }
}

static void draw_legend(const sheet *s, const pith_plot_line *lines, int n, double y)
{
    double x = s->left;
    for (int i = 0; i < n; i++) {
        if (lines[i].label == NULL)
            continue;
        if (lines[i].points)
            fprintf(s->f, "<circle class=\"pp-p%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\"/>\n", i % COLOURS, x + 9,
                    y - 4);
        else
            fprintf(s->f, "<path class=\"pp-line pp-l%d%s\" d=\"M%.1f %.1fh18\"/>\n", i % COLOURS,
                    lines[i].faint ? " pp-faint" : "", x, y - 4);
        pithp_text_at(s->f, x + 24, y, "pp-label", "start", lines[i].label);
        x += 24 + pithp_text_width(lines[i].label, 12) + 22;
    }
}

/* ---- The whole ------------------------------------------------------------------------------------------- */
static void ranges(sheet *s, const pith_plot_cfg *cfg, const pith_plot_line *lines, int n)
{
    s->x = (pithp_axis){ .log = cfg->log_x, .low = INFINITY, .high = -INFINITY };
    s->y = (pithp_axis){ .log = cfg->log_y, .low = INFINITY, .high = -INFINITY };
    bool given = cfg->y_min < cfg->y_max;
    for (int k = 0; k < n; k++)
        for (int64_t i = 0; i < lines[k].n; i++) {
            pithp_axis_take(&s->x, lines[k].x[i]);
            if (!given)
                pithp_axis_take(&s->y, lines[k].y[i]);
        }
    if (given) {
        pithp_axis_take(&s->y, cfg->y_min);
        pithp_axis_take(&s->y, cfg->y_max);
    }
}

static void draw(FILE *f, const pith_plot_cfg *cfg, const pith_plot_line *lines, int n_lines,
                 const pith_plot_mark *marks, int n_marks)
{
    sheet s = { .f = f, .x_label = cfg->x_label, .y_label = cfg->y_label };
    bool legend = false;
    for (int i = 0; i < n_lines; i++)
        legend |= lines[i].label != NULL;
    double title = cfg->title != NULL ? 30 : 8;
    ranges(&s, cfg, lines, n_lines);
    pithp_sheet_lay(&s, cfg->width, cfg->height, title + (legend ? 24 : 0) + 8, 20);
    if (!cfg->inline_svg)
        fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", f);
    fprintf(f,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
            "role=\"img\">\n",
            cfg->width, cfg->height, cfg->width, cfg->height);
    if (cfg->title != NULL) {
        fputs("<title>", f);
        pithp_xml_text(f, cfg->title);
        fputs("</title>\n", f);
    }
    style(f);
    fprintf(
        f,
        "<clipPath id=\"pp-area\"><rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/></clipPath>\n",
        s.left, s.top - 1, s.right - s.left, s.bottom - s.top + 2);
    fputs("<rect class=\"pp-paper\" width=\"100%\" height=\"100%\"/>\n", f);
    if (cfg->title != NULL)
        pithp_text_at(f, s.left, 22, "pp-title", "start", cfg->title);
    pithp_sheet_axes(&s);
    for (int pass = 1; pass >= 0; pass--) /* the faint ones behind */
        for (int i = 0; i < n_lines; i++)
            if (lines[i].faint == (pass == 1)) {
                if (lines[i].points)
                    draw_points(&s, &lines[i], i % COLOURS);
                else
                    draw_line(&s, &lines[i], i % COLOURS);
            }
    draw_marks(&s, marks, n_marks);
    draw_legend(&s, lines, n_lines, title + 14);
    fputs("</svg>\n", f);
}

static pith_status check(pith_ctx *c, const pith_plot_cfg *cfg, const pith_plot_line *lines, int n)
{
    int64_t points = 0;
    if (cfg->width < 200 || cfg->width > 4000 || cfg->height < 200 || cfg->height > 4000)
        return pithp_error(c, PITH_EINVAL, "plot: %d x %d pixels; 200 to 4000 each are expected", cfg->width,
                           cfg->height);
    if (n < 0 || n > COLOURS)
        return pithp_error(c, PITH_EINVAL, "plot: %d lines; 1 to %d are expected", n, (int)COLOURS);
    for (int k = 0; k < n; k++)
        for (int64_t i = 0; i < lines[k].n; i++)
            points += isfinite(lines[k].x[i]) && isfinite(lines[k].y[i]) &&
                      (!cfg->log_x || lines[k].x[i] > 0) && (!cfg->log_y || lines[k].y[i] > 0);
    return points > 0 ? PITH_OK : pithp_error(c, PITH_EINVAL, "plot: there is no point that could be drawn");
}

char *pith_plot_svg(pith_ctx *c, pith_plot_cfg cfg, const pith_plot_line *lines, int n_lines,
                    const pith_plot_mark *marks, int n_marks)
{
    cfg.width = cfg.width ? cfg.width : 720;
    cfg.height = cfg.height ? cfg.height : 420;
    if (check(c, &cfg, lines, n_lines) != PITH_OK)
        return NULL;
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    bool good = f != NULL;
    if (good) {
        draw(f, &cfg, lines, n_lines, marks, n_marks);
        good = !ferror(f);
        good = fclose(f) == 0 && good;
    }
    if (good)
        return text;
    free(text);
    pithp_nomem(c, "a plot");
    return NULL;
}

pith_status pith_plot_save(pith_ctx *c, const char *path, pith_plot_cfg cfg, const pith_plot_line *lines,
                           int n_lines, const pith_plot_mark *marks, int n_marks)
{
    char *text = pith_plot_svg(c, cfg, lines, n_lines, marks, n_marks);
    if (text == NULL)
        return c->status;
    pith_status e = pithp_file_write(c, path, text, strlen(text));
    free(text);
    return e;
}
