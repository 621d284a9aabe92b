/* pith lr-find: which learning rate to train with: a sweep on a copy of the network, a plot and a value. */
#include "cli/cli.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    common k;
    recipe r;
    const char *data, *model, *out;
    model_opts net;
    int steps;
    double lr_min, lr_max, max_bad;
} find_opts;

static volatile int stop_flag; /* sig_atomic_t is int here */

static void on_interrupt(int sig)
{
    stop_flag = 1;
    signal(sig, SIG_DFL);
}

static void show_step(void *view, const pith_progress *p)
{
    progress_count(view, "trying learning rates", p->step, p->steps);
}

/* The table's path is the plot's with another ending. */
static void table_path(const char *plot, char *path, size_t room)
{
    const char *dot = strrchr(plot, '.'), *slash = strrchr(plot, '/');
    size_t n = dot != NULL && (slash == NULL || dot > slash) ? (size_t)(dot - plot) : strlen(plot);
    snprintf(path, room, "%.*s.csv", (int)n, plot);
}

static const pith_lr_point *at_rate(const pith_lr_point *p, int n, double lr)
{
    for (int i = 0; i < n; i++)
        if (p[i].lr == lr)
            return &p[i];
    return NULL;
}

/* Up to a bit above where the sweep began: a loss that ran away would press the rest flat. */
static void range(const pith_lr_point *p, int n, pith_plot_cfg *cfg)
{
    double low = INFINITY, high = -INFINITY;
    for (int i = 0; i < n; i++) {
        low = fmin(low, fmin(p[i].loss, p[i].smooth));
        high = fmax(high, p[i].smooth);
    }
    double begin = fmax(p[0].loss, p[0].smooth), top = fmin(high, begin + 1.2 * (begin - low) + 0.2);
    cfg->y_min = fmax(low - 0.02, 0);
    cfg->y_max = top > low ? top : high + 0.1;
}

static pith_status draw(pith_ctx *c, const find_opts *o, const char *name, const pith_lr_point *p,
                        const pith_lr_found *f)
{
    char title[200], text[64];
    const size_t n = (size_t)f->n;
    double *x = calloc(3 * n, sizeof *x);
    if (x == NULL)
        return PITH_ENOMEM;
    for (size_t i = 0; i < n; i++)
        x[i] = p[i].lr, x[n + i] = p[i].loss, x[2 * n + i] = p[i].smooth;
    const pith_plot_line lines[] = { { "loss of a step", x, x + n, f->n, true, false },
                                     { "smoothed", x, x + 2 * n, f->n, false, false } };
    snprintf(title, sizeof title, "Learning rates for %s", name);
    snprintf(text, sizeof text, "steepest descent: %.2g", f->lr);
    pith_plot_cfg cfg = {
        .title = title, .x_label = "learning rate", .y_label = "training loss", .log_x = true
    };
    range(p, f->n, &cfg);
    const pith_lr_point *best = at_rate(p, f->n, f->lr);
    pith_plot_mark mark = { best ? best->lr : NAN, best ? best->smooth : NAN, text };
    pith_status s = pith_plot_save(c, o->out, cfg, lines, 2, &mark, best != NULL);
    free(x);
    return s;
}

static pith_status tabulate(pith_ctx *c, const char *path, const pith_lr_point *p, int n)
{
    const pith_column columns[] = { { "lr", &p->lr, sizeof *p },
                                    { "loss", &p->loss, sizeof *p },
                                    { "smoothed", &p->smooth, sizeof *p } };
    return pith_csv_save(c, path, columns, 3, n);
}

static json_t *number(double v) { return isfinite(v) ? json_real(v) : json_null(); }

static void tell(const find_opts *o, const char *table, const pith_lr_found *f)
{
    if (o->k.json) {
        print_json(json_pack("{s:o, s:o, s:i, s:b, s:b, s:s, s:s}", "lr", number(f->lr), "lr_least",
                             number(f->lr_least), "steps", f->n, "diverged", f->diverged, "unsure", f->unsure,
                             "plot", o->out, "table", table));
        return;
    }
    if (isfinite(f->lr))
        printf("try --lr %.2g: there the loss falls fastest; it is least at %.2g%s\n", f->lr, f->lr_least,
               f->diverged ? ", and runs away soon after" : "");
    else
        printf("the loss never fell in %d steps: no learning rate can be recommended; look at the plot\n",
               f->n);
    if (f->unsure)
        printf("this is a guess: in %d steps the loss fell hardly more than it jumps about; --steps %d shows "
               "more, "
               "and the plot where the loss runs away\n",
               f->n, 4 * f->n);
    printf("plot     %s\ntable    %s\n", o->out, table);
}

static int find(find_opts *o, pith_ctx *c, pith_model *m, pith_data *d, pith_lr_find_cfg cfg)
{
    char table[1100];
    progress_view view;
    pith_lr_found found;
    int steps = cfg.steps ? cfg.steps : 120;
    pith_lr_point *points = calloc((size_t)steps, sizeof *points);
    if (points == NULL)
        return failed(NULL);
    cfg.steps = steps;
    cfg.fit.stop = &stop_flag;
    cfg.fit.progress = show_step;
    cfg.fit.progress_user = &view;
    signal(SIGINT, on_interrupt);
    signal(SIGTERM, on_interrupt);
    progress_open(&view, o->k.quiet);
    pith_status s = pith_lr_find(m, d, cfg, points, &found);
    progress_close(&view);
    table_path(o->out, table, sizeof table);
    if (s == PITH_OK && found.n == 0) {
        say("not even the first step, at learning rate %g, had a finite loss; choose a lower --lr-min",
            cfg.lr_min ? cfg.lr_min : 1e-4);
        free(points);
        pith_ctx_free(c);
        return EXIT_FAILED;
    }
    if (s == PITH_OK)
        s = draw(c, o, pith_model_name(m), points, &found);
    if (s == PITH_OK)
        s = tabulate(c, table, points, found.n);
    free(points);
    if (s != PITH_OK)
        return failed(c);
    tell(o, table, &found);
    pith_ctx_free(c);
    return EXIT_DONE;
}

/* Better told before the sweep than after it. */
static bool folder_there(const char *path)
{
    const char *slash = strrchr(path, '/');
    char folder[1024];
    snprintf(folder, sizeof folder, "%.*s", slash == NULL ? 1 : (int)(slash - path) + 1,
             slash == NULL ? "." : path);
    if (access(folder, W_OK) == 0)
        return true;
    say("%s: cannot be written: %s; choose another file with --out", path, strerror(errno));
    return false;
}

static int prepare(find_opts *o)
{
    pith_lr_find_cfg cfg = { .steps = o->steps, .lr_min = o->lr_min, .lr_max = o->lr_max };
    if (!recipe_read(&o->r, o->k.seed, &cfg.fit))
        return EXIT_USAGE;
    bool sgd = cfg.fit.opt.kind == PITH_OPT_SGD;
    double low = o->lr_min ? o->lr_min : sgd ? 1e-4 : 1e-6, high = o->lr_max ? o->lr_max : sgd ? 10 : 1;
    if (!(low < high)) {
        say("lr-find: from %g to %g: --lr-min has to be less than --lr-max", low, high);
        return EXIT_USAGE;
    }
    if (!folder_there(o->out))
        return EXIT_FAILED;
    pith_ctx *c = open_ctx(&o->k);
    if (c == NULL)
        return EXIT_FAILED;
    pith_data *d = open_data(c, o->data, o->net.image_size, &o->k, o->max_bad);
    if (d == NULL)
        return failed(c);
    o->net.image_size = pith_data_size(d);
    o->net.classes = pith_data_classes(d);
    o->net.channels = 3;
    pith_model *m = open_model(c, o->model, o->net);
    if (m == NULL)
        return failed(c);
    if (!recipe_fits(&o->r, m)) {
        pith_ctx_free(c);
        return EXIT_USAGE;
    }
    return find(o, c, m, d, cfg);
}

static int run(int argc, char **argv)
{
    find_opts o = { .model = "efnet-nano", .out = "lr-find.svg" };
    opt table[] = {
        TEXT("data", 'd', o.data, "DIR", "folder of photographs: a folder a class, or train/ and val/"),
        TEXT("model", 'm', o.model, "NAME", "network (default efnet-nano) or a model file to go on from"),
        TEXT("out", 'o', o.out, "FILE.svg",
             "the plot (default lr-find.svg); a table is written beside it, FILE.csv"),
        INT("steps", 0, o.steps, "N", 10, 100000, "training steps, each with a higher rate (default 120)"),
        REAL("lr-min", 0, o.lr_min, "LR", 1e-12, 1e6,
             "where the sweep begins (default 1e-4; adamw, rmsprop 1e-6)"),
        REAL("lr-max", 0, o.lr_max, "LR", 1e-12, 1e6, "where it ends (default 10; adamw, rmsprop 1)"),
        INT("image-size", 0, o.net.image_size, "P", 8, 1024,
            "side of the square the network sees (default 96)"),
        REAL("width", 0, o.net.width, "W", 0.05, 16, "channel multiplier (default 1)"),
        REAL("depth", 0, o.net.depth, "D", 0.05, 16, "repeat multiplier (default 1)"),
        REAL("dropout", 0, o.net.dropout, "P", 0, 0.95, "before the classifier (default 0)"),
        RECIPE_OPTS(o.r),
        REAL("max-bad", 0, o.max_bad, "SHARE", 0, 1, "share of unusable files allowed (default 0.01)"),
        COMMON_OPTS(o.k),
        OPTS_END,
    };
    const char *none;
    int n, status = opts_parse(&verb_lr_find, table, argc, argv, &none, &n);
    if (status >= 0)
        return status;
    if (o.data == NULL) {
        say("lr-find: --data DIR is needed: a folder with a folder of pictures for each class");
        return EXIT_USAGE;
    }
    if (o.out[0] == 0 || strlen(o.out) > 1000) {
        say("lr-find: --out: a file's name is expected");
        return EXIT_USAGE;
    }
    return prepare(&o);
}

const verb verb_lr_find = {
    "lr-find", "finds the learning rate to train with", "--data DIR --model NAME ", 0, 0, run
};
