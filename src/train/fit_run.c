/* The epochs of a training run. Whatever is between two steps can be the end of a sitting: all that the
   next step depends on stands in the weights, the moments, and pithp_fit_state. */
#include "train/fit.h"

#include <math.h>
#include <pith/file.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

double pithp_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double seconds(const pithp_fit *f) { return f->base_seconds + pithp_now() - f->started; }

static bool stopped(const pithp_fit *f) { return f->cfg.stop != NULL && *f->cfg.stop; }

/* ---- Telling ------------------------------------------------------------------------------------------- */
static double eta(const pithp_fit *f)
{
    if (f->steps_here == 0)
        return NAN;
    double step = f->step_seconds / (double)f->steps_here;
    int64_t left = f->steps * f->cfg.epochs - f->st.steps_done;
    int every = f->cfg.eval_every < 0 ? f->cfg.epochs : f->cfg.eval_every;
    return step * (double)left + f->eval_seconds * ((f->cfg.epochs - f->st.epoch) / every);
}

static pith_progress progress(const pithp_fit *f, char event)
{
    const pithp_fit_state *s = &f->st;
    double seen = s->seen > 0 ? (double)s->seen : (double)NAN, now = pithp_now();
    return (pith_progress){ .event = event,
                            .epoch = PITHP_MIN(s->epoch + 1, f->cfg.epochs),
                            .epochs = f->cfg.epochs,
                            .step = s->step,
                            .steps = f->steps,
                            .loss = s->loss_sum / seen,
                            .accuracy = (double)s->correct / seen,
                            .lr = f->lr,
                            .img_per_s = (double)f->images / PITHP_MAX(now - f->epoch_started, 1e-9),
                            .seconds = seconds(f),
                            .eta_seconds = eta(f),
                            .val_loss = NAN,
                            .val_accuracy = NAN };
}

static void tell(const pithp_fit *f, const pith_progress *p)
{
    if (f->cfg.progress != NULL)
        f->cfg.progress(f->cfg.progress_user, p);
}

json_t *pithp_fit_line(const pithp_fit *f, const char *event)
{
    return json_pack("{s:s s:i s:I s:o}", "event", event, "epoch", PITHP_MIN(f->st.epoch + 1, f->cfg.epochs),
                     "step", (json_int_t)f->st.steps_done, "seconds", pithp_json_real(seconds(f)));
}

void pithp_fit_note(pithp_fit *f, const char *text)
{
    json_t *line = pithp_fit_line(f, "note");
    json_object_set_new(line, "text", json_string(text));
    pithp_runlog_line(&f->log, line);
    pithp_log(f->c, PITH_LOG_INFO, "%s", text);
    pith_progress p = progress(f, 'n');
    p.text = text;
    tell(f, &p);
}

static void log_epoch(pithp_fit *f, const pith_progress *p)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    json_t *line = pithp_fit_line(f, "epoch");
    json_object_set_new(line, "loss", pithp_json_real(p->loss));
    json_object_set_new(line, "accuracy", pithp_json_real(p->accuracy));
    json_object_set_new(line, "val_loss", pithp_json_real(p->val_loss));
    json_object_set_new(line, "val_accuracy", pithp_json_real(p->val_accuracy));
    json_object_set_new(line, "lr", pithp_json_real(p->lr));
    json_object_set_new(line, "img_per_s", pithp_json_real(p->img_per_s));
    json_object_set_new(line, "peak_rss_mb", json_integer(u.ru_maxrss / 1024));
    if (!pithp_runlog_line(&f->log, line))
        pithp_log(f->c, PITH_LOG_WARN, "%s: cannot be written", f->log.path);
}

/* Points of TensorBoard's curves; a file that cannot be written is no reason to end a training. */
static void put_events(pithp_fit *f, const pithp_scalar *s, int n)
{
    if (!pithp_events_put(&f->events, f->st.steps_done, s, n))
        pithp_log(f->c, PITH_LOG_WARN, "%s: cannot be written; the training goes on without", f->events.path);
}

static void tell_events(pithp_fit *f, const pith_progress *p)
{
    const pithp_scalar s[] = { { PITHP_EVENTS_EPOCH "loss", p->loss },
                               { PITHP_EVENTS_EPOCH "accuracy", p->accuracy },
                               { PITHP_EVENTS_EPOCH "val_loss", p->val_loss },
                               { PITHP_EVENTS_EPOCH "val_accuracy", p->val_accuracy },
                               { PITHP_EVENTS_EPOCH "lr", p->lr },
                               { PITHP_EVENTS_EPOCH "images_per_second", p->img_per_s } };
    put_events(f, s, (int)PITHP_LEN(s));
}

/* was: the state before the step. */
static void tell_step(pithp_fit *f, const pithp_fit_state *was)
{
    const pithp_fit_state *now = &f->st;
    double seen = (double)(now->seen - was->seen);
    if (f->cfg.tensorboard == 0 || now->steps_done % f->cfg.tensorboard != 0)
        return;
    const pithp_scalar s[] = { { "step/loss", (now->loss_sum - was->loss_sum) / seen },
                               { "step/accuracy", (double)(now->correct - was->correct) / seen },
                               { "step/lr", f->lr } };
    put_events(f, s, (int)PITHP_LEN(s));
}

/* ---- Saving -------------------------------------------------------------------------------------------- */
static pith_status weights_finite(const pithp_fit *f)
{
    const pithp_graph *g = f->m->g;
    for (size_t i = 0; i < g->n; i++) {
        const pith_tensor *t = g->nodes[i];
        if (t->kind != PITHP_NODE_PARAM && t->kind != PITHP_NODE_STATE)
            continue;
        const pith_real *v = t->value;
        for (int64_t k = 0, n = pithp_count(t->shape); k < n; k++)
            if (!isfinite(v[k]))
                return pithp_error(f->c, PITH_ENAN,
                                   "weights of '%s' are not finite any more; lower the learning rate, "
                                   "or limit the gradient (clip_norm)",
                                   pith_name(t));
    }
    return PITH_OK;
}

pith_status pithp_fit_save(pithp_fit *f)
{
    if (f->last == NULL)
        return PITH_OK;
    pith_status s = weights_finite(f);
    if (s != PITH_OK)
        return s;
    f->st.log_bytes = pithp_runlog_bytes(&f->log);
    f->st.seconds = seconds(f);
    f->st.runs = f->t->runs;
    f->saved = pithp_now();
    s = pithp_checkpoint_save(f->t->opt, f->args, &f->st, f->last);
    f->unsaved = s != PITH_OK;
    if (s != PITH_OK)
        return s;
    pith_progress p = progress(f, 'c');
    p.text = f->last;
    tell(f, &p);
    return PITH_OK;
}

/* In the middle of a run a full disk is no reason to lose it: say so, go on, try again next time. */
static pith_status forgive(pithp_fit *f, pith_status s)
{
    if (s == PITH_OK || s == PITH_ENAN)
        return s;
    char text[1100];
    snprintf(text, sizeof text, "not saved: %s; training goes on", pith_error_text(f->c));
    pith_ctx_clear(f->c);
    pithp_fit_note(f, text);
    return PITH_OK;
}

/* The weights as they would be used, as a model. path NULL: nowhere. */
static pith_status save_model(pithp_fit *f, const char *path)
{
    if (path == NULL)
        return PITH_OK;
    pith_opt_swap_ema(f->t->opt);
    pith_status s = pith_model_save(f->m, path, false);
    pith_opt_swap_ema(f->t->opt);
    return s;
}

static bool save_due(const pithp_fit *f)
{
    double minutes = PITH_OR(f->cfg.save_every_minutes, 0);
    return f->last != NULL && minutes > 0 && pithp_now() - f->saved >= 60 * minutes;
}

/* ---- Training ------------------------------------------------------------------------------------------ */
double pithp_fit_lr(const pithp_fit *f, int64_t step)
{
    return pith_schedule_lr(f->cfg.schedule, pithp_opt_defaults(f->cfg.opt).lr, step, f->steps,
                            f->cfg.epochs);
}

static double fit_momentum(const pithp_fit *f, int64_t step)
{
    pith_opt_cfg opt = pithp_opt_defaults(f->cfg.opt);
    return pith_schedule_momentum(f->cfg.schedule, opt.kind == PITH_OPT_ADAMW ? opt.beta1 : opt.momentum,
                                  step, f->steps, f->cfg.epochs);
}

static pith_status before_step(pithp_fit *f)
{
    char note[PITH_NOTE] = "";
    if (f->cfg.hook == NULL)
        return PITH_OK;
    pith_status e = f->cfg.hook->step(f->cfg.hook->user, f->t, f->st.steps_done, note);
    if (e == PITH_OK && note[0] != 0)
        pithp_fit_note(f, note);
    return e;
}

static pith_status one_step(pithp_fit *f)
{
    pithp_fit_state *s = &f->st, was = *s;
    double began = pithp_now();
    pith_status e = before_step(f);
    if (e != PITH_OK)
        return e;
    for (int i = 0; i < f->cfg.accumulate; i++) {
        pith_batch b;
        if (!pith_loader_next(f->train, &b))
            return f->c->status ? f->c->status
                                : pithp_error(f->c, PITH_EBUG, "training: the loader ended early");
        double loss = pithp_trainer_gradient(f->t, &b);
        if (isnan(loss))
            return f->c->status;
        s->loss_sum += loss * b.n;
        s->correct += pith_trainer_correct(f->t);
        s->seen += b.n;
        f->images += b.n;
    }
    f->lr = pithp_fit_lr(f, s->steps_done);
    pith_opt_set_lr(f->t->opt, f->lr);
    if (f->cfg.schedule.kind == PITH_ONECYCLE)
        pith_opt_set_momentum(f->t->opt, fit_momentum(f, s->steps_done));
    e = pithp_opt_step_scaled(f->t->opt, 1.0 / f->cfg.accumulate);
    if (e != PITH_OK)
        return e;
    s->step++;
    s->steps_done++;
    f->steps_here++;
    f->step_seconds += pithp_now() - began;
    tell_step(f, &was);
    pith_progress p = progress(f, 's');
    tell(f, &p);
    return PITH_OK;
}

static pith_status train_epoch(pithp_fit *f)
{
    pithp_fit_state *s = &f->st;
    if (s->step == f->steps)
        return PITH_OK; /* resumed between the last step and the evaluation */
    int64_t first = s->step * f->cfg.accumulate;
    pith_status e = pith_loader_epoch(f->train, (uint32_t)s->epoch, first);
    while (e == PITH_OK && s->step < f->steps) {
        if (stopped(f))
            return PITH_ESTOPPED;
        e = one_step(f);
        if (e == PITH_OK && s->step < f->steps && save_due(f))
            e = forgive(f, pithp_fit_save(f));
    }
    /* Having the end of the epoch said lets the loader prepare the next one meanwhile. */
    pith_batch b;
    if (e == PITH_OK && f->steps * f->cfg.accumulate == pith_loader_batches(f->train))
        pith_loader_next(f->train, &b);
    return e;
}

static bool evaluation_due(const pithp_fit *f)
{
    int done = f->st.epoch + 1;
    return f->e != NULL &&
           (done == f->cfg.epochs || (f->cfg.eval_every > 0 && done % f->cfg.eval_every == 0));
}

static pith_status evaluate(pithp_fit *f, pith_eval_result *r)
{
    double began = pithp_now();
    if (stopped(f))
        return PITH_ESTOPPED;
    pith_opt_swap_ema(f->t->opt);
    pith_status e = pithp_evaluate_with(f->e, f->val, f->cfg.stop, r);
    pith_opt_swap_ema(f->t->opt);
    f->eval_seconds = pithp_now() - began;
    return e;
}

/* Evaluation, log, files; then the state stands at the beginning of the next epoch. */
static pith_status end_epoch(pithp_fit *f)
{
    pith_progress p = progress(f, 'e'); /* before the evaluation, which is no part of img/s */
    bool better = false;
    if (evaluation_due(f)) {
        pith_eval_result r;
        pith_status e = evaluate(f, &r);
        if (e != PITH_OK)
            return e;
        p.val_loss = r.loss;
        p.val_accuracy = r.accuracy;
        better = r.accuracy > f->st.best;
        if (better)
            f->st.best = r.accuracy;
    }
    p.seconds = seconds(f);
    log_epoch(f, &p);
    tell_events(f, &p);
    f->st.epoch++;
    f->st.step = f->st.correct = f->st.seen = 0;
    f->st.loss_sum = 0;
    tell(f, &p);
    pith_status e = weights_finite(f);
    if (e == PITH_OK && better)
        e = forgive(f, save_model(f, f->best));
    if (e == PITH_OK && f->st.epoch == f->cfg.keep_after)
        e = forgive(f, save_model(f, f->early));
    if (e == PITH_OK && f->st.epoch < f->cfg.epochs)
        e = forgive(f, pithp_fit_save(f));
    return e;
}

pith_status pithp_fit_epochs(pithp_fit *f)
{
    pith_status e = PITH_OK;
    while (e == PITH_OK && f->st.epoch < f->cfg.epochs) {
        f->epoch_started = pithp_now();
        f->images = 0;
        e = pithp_fit_stage(f);
        if (e == PITH_OK)
            e = train_epoch(f);
        if (e == PITH_OK)
            e = end_epoch(f);
    }
    return e;
}
