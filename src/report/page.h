/* report/page.h: the page under construction, and its parts. */
#ifndef PITHP_REPORT_PAGE_H
#define PITHP_REPORT_PAGE_H

#include "report/csv.h"
#include "report/run.h"
#include "report/sheet.h"
#include <pith/report.h>

enum { PITHP_SECTIONS = 24, PITHP_FIGURES = 1024 };

/* Numbers behind a figure: a CSV file, written when the page is. */
typedef struct {
    const char *name;
    FILE *f;
    char *text;
    size_t n;
} pithp_figure;

typedef struct {
    pith_ctx *c;
    pithp_pool *pool;
    const pithp_lab *lab;
    pith_report_cfg cfg;
    FILE *f; /* what stands below the head */
    const char *id[PITHP_SECTIONS], *title[PITHP_SECTIONS];
    int n_sections;
    pithp_figure figure[PITHP_FIGURES];
    int n_figures;
    double picture_bytes; /* that galleries have taken */
} pithp_page;

/* ---- page.c ---------------------------------------------------------------------------------------------- */
/* Begins a section, ending the one before. short_title: in the row of links. */
void pithp_section(pithp_page *g, const char *id, const char *short_title, const char *title);
void pithp_sections_end(pithp_page *g);
void pithp_lead(pithp_page *g, const char *fmt, ...) PITH_PRINTF(2, 3); /* a paragraph; escaped */
void pithp_note(pithp_page *g, const char *fmt, ...) PITH_PRINTF(2, 3); /* the same, small */
void pithp_put(pithp_page *g, const char *s);                           /* escaped */
void pithp_lines(pithp_page *g, const char *s);                         /* escaped, lines kept */
/* Opens figures/NAME.csv; never NULL where memory is there, never closed by the caller. */
FILE *pithp_figure_open(pithp_page *g, const char *fmt, ...) PITH_PRINTF(2, 3);
/* Ends all figures and writes them below the folder. */
pith_status pithp_figures_save(pithp_page *g, const char *dir);
void pithp_figures_free(pithp_page *g);

/* A picture drawn twice: for desks and for telephones. `draw` gets the paper's size. */
typedef struct {
    FILE *f;
    double width, height;
    bool narrow;
} pithp_paper;
typedef void (*pithp_draw_fn)(pithp_page *g, const pithp_paper *paper, const void *user);
typedef struct {
    const char *title; /* for those who do not see it */
    double width, height, narrow_width, narrow_height;
} pithp_chart;
void pithp_chart_put(pithp_page *g, pithp_chart chart, pithp_draw_fn draw, const void *user);
/* <svg ...>, for small pictures that fit anywhere; the caller closes it. */
void pithp_svg_begin(FILE *f, const char *class, const char *title, double width, double height);

/* Begins panel i of `all`, where many would hide what follows: those after the first few are shown on demand. End them all. */
void pithp_panel(pithp_page *g, int i, int all);
void pithp_panels_end(pithp_page *g, int all);

/* Families of methods: colour class and sign. */
int pithp_family(const char *name);       /* index, the last one where unknown */
const char *pithp_family_name(int index); /* NULL: no more */
void pithp_sign(FILE *f, int family, double x, double y, double r);

/* ---- numbers.c: as people read them ------------------------------------------------------------------------ */
typedef struct {
    char s[48];
} pithp_num; /* "" where not finite */
pithp_num pithp_percent(double share, int digits);
pithp_num pithp_bytes(double n);    /* "384 KB": of 1024 bytes */
pithp_num pithp_count_of(double n); /* "383,490" */
pithp_num pithp_short(double n);    /* "21.2 M" */
pithp_num pithp_digits(double v, int significant);
pithp_num pithp_seconds(double s);
pithp_num pithp_p_value(double p); /* for HTML: "&lt; 0.001" */

/* What ships: the file, or the packed model where that is smaller. */
double pithp_least_bytes(const pithp_result *r);
/* Those whose accuracy is within the points of float's; -1: none, or no float. */
int pithp_smallest(const pithp_lab *lab, int run);
int pithp_fastest(const pithp_lab *lab, int run);
double pithp_points(const pithp_run *u);

/* ---- Sections: each leaves itself out where the runs have nothing for it ------------------------------------- */
void pithp_page_answer(pithp_page *g);
void pithp_page_table(pithp_page *g);
void pithp_page_trade(pithp_page *g);
void pithp_page_curves(pithp_page *g);
void pithp_page_confusion(pithp_page *g);
void pithp_page_calibration(pithp_page *g);
void pithp_page_gallery(pithp_page *g);
void pithp_page_cam(pithp_page *g);
void pithp_page_layers(pithp_page *g);
void pithp_page_histograms(pithp_page *g);
void pithp_page_memory(pithp_page *g);
void pithp_page_reproduce(pithp_page *g);

extern const char pithp_page_css[], pithp_page_js[]; /* page.css, page.js */

#endif
