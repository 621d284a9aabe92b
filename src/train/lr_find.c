/* The learning-rate finder: an exponential sweep on a copy of the model. */
#include "train/train.h"

#include <math.h>
#include <string.h>

/* ---- The sweep ------------------------------------------------------------------------------------------- */
typedef struct {
    pith_ctx *c;
    pith_lr_find_cfg cfg; /* defaults filled in */
    pith_model *copy;
    pith_trainer *t;
    pith_loader *l;
    pith_lr_point *points;
    pith_lr_found *found;
    double mean, least; /* running mean of the loss, and its least so far */
} sweep;

static bool next_batch(sweep *w, pith_batch *b)
{
    if (pith_loader_next(w->l, b))
        return true;
    return w->c->status == PITH_OK && pith_loader_next(w->l, b); /* an epoch ended */
}

/* NaN after an error. */
static double one_step(sweep *w, double lr)
{
    double sum = 0;
    int batches = w->cfg.fit.accumulate;
    for (int i = 0; i < batches; i++) {
        pith_batch b;
        if (!next_batch(w, &b))
            return NAN;
        sum += pithp_trainer_gradient(w->t, &b);
        if (isnan(sum))
            return NAN;
    }
    pith_opt_set_lr(w->t->opt, lr);
    return pithp_opt_step_scaled(w->t->opt, 1.0 / batches) == PITH_OK ? sum / batches : (double)NAN;
}

static void tell(const sweep *w, double lr, double loss)
{
    pith_progress p = { .event = 's',
                        .epoch = 1,
                        .epochs = 1,
                        .step = w->found->n,
                        .steps = w->cfg.steps,
                        .loss = loss,
                        .accuracy = NAN,
                        .lr = lr,
                        .val_loss = NAN,
                        .val_accuracy = NAN };
    if (w->cfg.fit.progress != NULL)
        w->cfg.fit.progress(w->cfg.fit.progress_user, &p);
}

/* True: it goes on. */
static bool note(sweep *w, double lr, double loss)
{
    const double keep = 0.8;
    int i = w->found->n++;
    w->points[i] = (pith_lr_point){ .lr = lr, .loss = loss };
    w->mean = i == 0 ? loss : keep * w->mean + (1 - keep) * loss;
    w->least = i == 0 ? loss : PITHP_MIN(w->least, w->mean);
    tell(w, lr, loss);
    w->found->diverged = w->mean > w->cfg.stop_factor * w->least;
    return !w->found->diverged;
}

static pith_status run(sweep *w)
{
    const double ratio = w->cfg.lr_max / w->cfg.lr_min;
    for (int i = 0; i < w->cfg.steps; i++) {
        if (w->cfg.fit.stop != NULL && *w->cfg.fit.stop)
            return pithp_error(w->c, PITH_ESTOPPED, "learning-rate finder: stopped after %d of %d steps", i,
                               w->cfg.steps);
        double lr = w->cfg.lr_min * pow(ratio, (double)i / (w->cfg.steps - 1)), loss = one_step(w, lr);
        if (isnan(loss) && w->c->status == PITH_ENAN) { /* just what was looked for */
            pith_ctx_clear(w->c);
            w->found->diverged = true;
            return PITH_OK;
        }
        if (isnan(loss))
            return w->c->status;
        if (!note(w, lr, loss))
            return PITH_OK;
    }
    return PITH_OK;
}

/* ---- What it shows --------------------------------------------------------------------------------------- */
static double smooth_width(int steps) { return PITHP_MAX(steps / 30.0, 1); }

/* Gaussian weights over the neighbours, a thirtieth of the sweep wide: noise goes, and nothing is delayed as a running
   mean would. */
void pithp_lr_smooth(pith_lr_point *p, int n, int steps)
{
    const double width = smooth_width(steps);
    const int reach = (int)ceil(3 * width);
    for (int i = 0; i < n; i++) {
        double sum = 0, weights = 0;
        for (int k = PITHP_MAX(i - reach, 0); k <= PITHP_MIN(i + reach, n - 1); k++) {
            double d = (k - i) / width, weight = exp(-0.5 * d * d);
            sum += weight * p[k].loss;
            weights += weight;
        }
        p[i].smooth = sum / weights;
    }
}

/* A smoothed value's deviation is that of a step over (2 sqrt(pi) width)^(1/2); its extremes over a sweep lie some four of
   them apart by chance alone. */
static bool fall_in_noise(const pith_lr_point *p, int least, int steps)
{
    double square = 0, highest = 0;
    for (int i = 0; i <= least; i++) {
        double d = p[i].loss - p[i].smooth;
        square += d * d;
        highest = i == 0 ? p[i].smooth : PITHP_MAX(highest, p[i].smooth);
    }
    if (least < 2)
        return true;
    double deviation = sqrt(square / (least + 1) / (2 * sqrt(M_PI) * smooth_width(steps)));
    return highest - p[least].smooth < 6 * deviation;
}

/* The rates stand at equal distances on a logarithmic axis: differences of neighbours are the slope. */
void pithp_lr_suggest(const pith_lr_point *p, int steps, pith_lr_found *found)
{
    int least = 0, steepest = -1;
    double slope = 0;
    for (int i = 1; i < found->n; i++)
        if (p[i].smooth < p[least].smooth)
            least = i;
    for (int i = 1; i < least; i++) {
        double s = p[i + 1].smooth - p[i - 1].smooth;
        if (s < slope)
            slope = s, steepest = i;
    }
    found->lr = steepest < 0 ? (double)NAN : p[steepest].lr;
    found->lr_least = found->n > 0 ? p[least].lr : (double)NAN;
    found->unsure = fall_in_noise(p, least, steps);
}

/* ---- Beginning ------------------------------------------------------------------------------------------- */
static void defaults(pith_lr_find_cfg *g, int64_t n_train)
{
    bool sgd = g->fit.opt.kind == PITH_OPT_SGD;
    g->fit.out = NULL;
    g->fit.resume = false;
    g->fit.opt.lr = 0;
    g->fit.opt.ema_decay = PITH_ZERO;
    g->fit.sizes = NULL;
    g->fit.n_sizes = 0;
    g->fit.schedule = (pith_schedule_cfg){ 0 };
    g->fit = pithp_fit_defaults(g->fit, n_train);
    g->lr_min = PITH_OR(g->lr_min, sgd ? 1e-4 : 1e-6);
    g->lr_max = PITH_OR(g->lr_max, sgd ? 10 : 1);
    g->stop_factor = PITH_OR(g->stop_factor, 3);
    g->steps = g->steps ? g->steps : 120;
}

static pith_status check(const sweep *w, const pith_data *d)
{
    const pith_lr_find_cfg *g = &w->cfg;
    if (!(g->lr_min > 0 && g->lr_min < g->lr_max && g->lr_max <= 1e6))
        return pithp_error(w->c, PITH_EINVAL,
                           "learning-rate finder: from %g to %g; 0 < lr_min < lr_max <= 1e6 is expected",
                           g->lr_min, g->lr_max);
    if (g->steps < 10 || g->steps > 100000)
        return pithp_error(w->c, PITH_EINVAL, "learning-rate finder: %d steps; 10 to 100000 are expected",
                           g->steps);
    if (!(g->stop_factor > 1))
        return pithp_error(w->c, PITH_EINVAL,
                           "learning-rate finder: stop_factor is %g; more than 1 is expected",
                           g->stop_factor);
    return pithp_fit_check(w->c, &g->fit, pith_data_size(d));
}

static pith_status make(sweep *w, const pith_model *m, pith_data *d)
{
    const pith_fit_cfg *f = &w->cfg.fit;
    w->copy = pith_model_clone(m);
    if (w->copy == NULL || pithp_freeze(w->copy, f->freeze, f->n_freeze) != PITH_OK)
        return w->c->status;
    w->t = pith_trainer_new(w->copy, (pith_trainer_cfg){ .batch = f->batch,
                                                         .smoothing = f->smoothing,
                                                         .opt = f->opt,
                                                         .soft = pithp_mixes(&f->augment) });
    if (w->t == NULL)
        return w->c->status;
    w->l = pith_loader_new(d, (pith_loader_cfg){ .split = PITH_TRAIN,
                                                 .batch = f->batch,
                                                 .seed = f->seed,
                                                 .shuffle = true,
                                                 .drop_last = true,
                                                 .augment = true,
                                                 .aug = f->augment });
    return w->l == NULL ? w->c->status : PITH_OK;
}

pith_status pith_lr_find(pith_model *m, pith_data *d, pith_lr_find_cfg cfg, pith_lr_point *points,
                         pith_lr_found *found)
{
    *found = (pith_lr_found){ .lr = NAN, .lr_least = NAN };
    if (m == NULL)
        return PITH_EINVAL;
    sweep w = { .c = m->ctx, .cfg = cfg, .points = points, .found = found };
    if (w.c->status)
        return w.c->status;
    if (d == NULL || points == NULL)
        return pithp_error(w.c, PITH_EINVAL, "learning-rate finder: no %s",
                           d == NULL ? "data set" : "points");
    if (pith_data_count(d, PITH_TRAIN) < 1)
        return pithp_error(w.c, PITH_EDATA, "learning-rate finder: the training split has no images");
    defaults(&w.cfg, pith_data_count(d, PITH_TRAIN));
    pith_status s = pithp_model_fits_data(m, d, "learning-rate finder");
    if (s == PITH_OK)
        s = check(&w, d);
    if (s == PITH_OK)
        s = make(&w, m, d);
    if (s == PITH_OK)
        s = run(&w);
    pith_loader_free(w.l);
    pith_trainer_free(w.t);
    pith_model_free(w.copy);
    if (s == PITH_OK) {
        pithp_lr_smooth(points, found->n, w.cfg.steps);
        pithp_lr_suggest(points, w.cfg.steps, found);
    }
    return s;
}
