/* pith/report.h: plots as SVG, tables as CSV, and the report of runs as one HTML page. */
#ifndef PITH_REPORT_H
#define PITH_REPORT_H

#include <pith/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One line of a plot.
   label    its name in the legend; NULL: not in the legend
   x, y     [n] points in order; where one is not finite (or not positive on a logarithmic axis) the line has a gap
   faint    thin and pale: raw values behind a smoothed line
   points   dots instead of a line */
typedef struct {
    const char *label;
    const double *x, *y;
    int64_t n;
    bool faint, points;
} pith_plot_line;

/* A marked place: a dot, with a text beside it; NULL text: none. */
typedef struct {
    double x, y;
    const char *text;
} pith_plot_mark;

/* How a plot looks. Texts are UTF-8 and may be NULL.
   width, height  in CSS pixels; 0: 720 and 420; 200 to 4000
   log_x, log_y   logarithmic axes
   y_min, y_max   range of the vertical axis where y_min < y_max; else that of the points
   inline_svg     without the XML declaration, to stand in an HTML page
   The colours follow the reader's light or dark setting (prefers-color-scheme). */
typedef struct {
    const char *title, *x_label, *y_label;
    int width, height;
    bool log_x, log_y, inline_svg;
    double y_min, y_max;
} pith_plot_cfg;

/* A plot of lines [n_lines] and marks [n_marks] as SVG text.
   ownership  malloc'd: free() it
   errors     NULL with PITH_EINVAL (absurd size, more than 8 labelled lines, nothing to draw) or PITH_ENOMEM. Since 0.1. */
PITH_API char *pith_plot_svg(pith_ctx *c, pith_plot_cfg cfg, const pith_plot_line *lines, int n_lines,
                             const pith_plot_mark *marks, int n_marks);

/* The same into a file, which is complete or not there at all.
   errors     those of pith_plot_svg; PITH_EIO. Since 0.1. */
PITH_API pith_status pith_plot_save(pith_ctx *c, const char *path, pith_plot_cfg cfg,
                                    const pith_plot_line *lines, int n_lines, const pith_plot_mark *marks,
                                    int n_marks);

/* A column of numbers; stride: bytes from one to the next (sizeof(double) for a plain array). */
typedef struct {
    const char *name;
    const double *values;
    size_t stride;
} pith_column;

/* Columns [n_columns] of n numbers each as CSV with a header line; what is not finite is an empty cell. The file is
   complete or not there at all.
   errors     PITH_EIO, PITH_ENOMEM. Since 0.1. */
PITH_API pith_status pith_csv_save(pith_ctx *c, const char *path, const pith_column *column, int n_columns,
                                   int64_t n);

/* ---- The report ----------------------------------------------------------------------------------------------
   How a report is written; all zero is the default.
   out        the page; NULL: report.html in the first run's folder. Its numbers go beside it, into figures/ as CSV
   data       the folder of photographs that galleries are taken from; NULL: the one the run names. Where it is not there, the
              galleries do without pictures
   pictures   most photographs of one gallery; 0: 24, -1: none
   title      of the page; NULL: made of what the runs are */
typedef struct {
    const char *out, *data, *title;
    int pictures;
} pith_report_cfg;

/* Writes one HTML page about runs [n], 1 to 16, side by side: folders of `pith lab`, or of trainings (args.json, log.jsonl).
   It opens with the answer and goes on with the table, accuracy against size and latency, curves, confusion, and so on;
   what the runs have no data for is left out. The page needs no network, and is below 5 MB.
   errors     PITH_ENOTFOUND: no run folder; PITH_EFORMAT naming file, place and what was expected; PITH_EINVAL; PITH_EIO;
              PITH_ENOMEM. The page is complete or not there at all. Since 0.1. */
PITH_API pith_status pith_report_html(pith_ctx *c, const char *const *runs, int n, pith_report_cfg cfg);

/* Where that page goes: cfg.out, or report.html in the first run's folder; path [room] is cut where there is no room.
   errors     PITH_EINVAL: no runs, or cut. Since 0.1. */
PITH_API pith_status pith_report_path(pith_ctx *c, const char *const *runs, int n, pith_report_cfg cfg,
                                      char *path, size_t room);

#ifdef __cplusplus
}
#endif
#endif
