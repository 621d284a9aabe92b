/* pith_fit: everything that can be refused is refused before the first step. */
#include "train/fit.h"

#include <errno.h>
#include <stdlib.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

/* ---- Beginning ----------------------------------------------------------------------------------------- */
static pith_status open_folder(pithp_fit *f)
{
    const char *out = f->cfg.out;
    if (out == NULL)
        return PITH_OK;
    if (out[0] == 0)
        return pithp_error(f->c, PITH_EINVAL, "training: the run folder's name is empty");
    pith_status s = pithp_mkdirs(f->c, out);
    if (s != PITH_OK)
        return s;
    f->last = pithp_sprintf(f->c, "%s/last.pith", out);
    f->best = pithp_sprintf(f->c, "%s/best.pith", out);
    f->early = pithp_sprintf(f->c, "%s/early.pith", out);
    if (f->last == NULL || f->best == NULL || f->early == NULL)
        return PITH_ENOMEM;
    bool there = access(f->last, F_OK) == 0;
    if (!there && f->cfg.resume)
        return pithp_error(f->c, PITH_ENOTFOUND, "%s: no last.pith in it to go on from", out);
    return PITH_OK;
}

static pith_status make_steps(pithp_fit *f)
{
    int64_t batches = pith_loader_batches(f->train);
    f->steps = batches / f->cfg.accumulate;
    if (f->steps > 0)
        return PITH_OK;
    return pithp_error(
        f->c, PITH_EINVAL,
        "training: an epoch of %lld batches of %d is less than one step of %d batches; choose a smaller "
        "batch or accumulate less",
        (long long)batches, f->cfg.batch, f->cfg.accumulate);
}

pith_loader *pithp_fit_loader(pithp_fit *f, int size)
{
    f->loader_size = size;
    return pith_loader_new(f->d, (pith_loader_cfg){ .split = PITH_TRAIN,
                                                    .batch = f->cfg.batch,
                                                    .seed = f->cfg.seed,
                                                    .shuffle = true,
                                                    .drop_last = true,
                                                    .augment = true,
                                                    .aug = f->cfg.augment,
                                                    .size = size });
}

static pith_status balance(pithp_fit *f)
{
    if (!f->cfg.balance)
        return PITH_OK;
    f->cfg.n_class_weights = pith_data_classes(f->d);
    f->cfg.class_weights = f->balanced = PITHP_NEW_N(f->c, double, f->cfg.n_class_weights);
    if (f->balanced == NULL)
        return f->c->status;
    pithp_class_weights_balance(f->d, f->balanced);
    return PITH_OK;
}

static pith_status make_parts(pithp_fit *f)
{
    const pith_fit_cfg *g = &f->cfg;
    if (balance(f) != PITH_OK)
        return f->c->status;
    if (g->loss != NULL && g->loss->begin != NULL && g->loss->begin(g->loss->user, f->m, f->d, g) != PITH_OK)
        return f->c->status;
    f->args = pithp_fit_args(f->m, f->d, g); /* before anything is frozen */
    if (f->args == NULL)
        return pithp_nomem(f->c, "the run's arguments");
    f->t = pith_trainer_new(f->m, (pith_trainer_cfg){ .batch = g->batch,
                                                      .smoothing = g->smoothing,
                                                      .opt = g->opt,
                                                      .soft = pithp_mixes(&g->augment),
                                                      .loss = g->loss,
                                                      .class_weights = g->class_weights,
                                                      .n_class_weights = g->n_class_weights });
    if (f->t == NULL || pithp_fit_stages_begin(f) != PITH_OK)
        return f->c->status;
    f->train = pithp_fit_loader(f, pithp_fit_size(f, 0));
    if (f->train == NULL)
        return f->c->status;
    int64_t n_val = pith_data_count(f->d, PITH_VAL);
    if (n_val > 0) {
        f->val_batch = (int)PITHP_MIN(n_val, PITHP_MIN(g->batch, 64));
        f->e = pithp_evaluator_get(f->m, f->val_batch);
        if (f->e == NULL)
            return f->c->status;
        f->val = pith_loader_new(f->d, (pith_loader_cfg){ .split = PITH_VAL, .batch = f->val_batch });
        if (f->val == NULL)
            return f->c->status;
    }
    return make_steps(f);
}

/* A model says the names of its classes wherever it goes. */
static pith_status name_classes(pithp_fit *f)
{
    json_t *names = json_array();
    for (int i = 0; i < pith_data_classes(f->d); i++)
        json_array_append_new(names, json_string_nocheck(pith_data_class_name(f->d, i)));
    char *text = json_dumps(names, JSON_COMPACT | JSON_ENSURE_ASCII);
    json_decref(names);
    if (text == NULL)
        return PITH_OK; /* names in no encoding that JSON knows */
    pith_status s = pith_model_set_meta(f->m, "classes", text);
    free(text);
    return s;
}

static pith_status begin_new(pithp_fit *f)
{
    f->st.best = -1;
    pith_status s = name_classes(f);
    if (s != PITH_OK || f->cfg.out == NULL)
        return s;
    s = pithp_runlog_open(f->c, &f->log, f->cfg.out, false, 0);
    if (s != PITH_OK)
        return s;
    json_t *line = pithp_fit_line(f, "start");
    json_object_set_new(line, "epochs", json_integer(f->cfg.epochs));
    json_object_set_new(line, "steps", json_integer(f->steps));
    json_object_set(line, "args", f->args);
    if (!pithp_runlog_line(&f->log, line))
        return pithp_error(f->c, PITH_EIO, "%s: cannot be written: %s", f->log.path, strerror(errno));
    s = f->cfg.tensorboard ? pithp_events_open(f->c, &f->events, f->cfg.out, false, 0, true) : PITH_OK;
    if (s != PITH_OK)
        return s;
    return pithp_fit_save(f); /* shows that the folder holds a checkpoint, before hours are spent */
}

static pith_status begin_resumed(pithp_fit *f)
{
    char other[160];
    pith_status s = pithp_checkpoint_load(f->t->opt, f->args, &f->st, f->last, other);
    if (s != PITH_OK)
        return s;
    const pithp_fit_state *st = &f->st;
    if (st->epoch > f->cfg.epochs || st->step > f->steps || st->steps_done != st->epoch * f->steps + st->step)
        return pithp_error(f->c, PITH_EFORMAT,
                           "%s: epoch %d, step %lld of %lld, %lld steps in all: these do not go together",
                           f->last, st->epoch, (long long)st->step, (long long)f->steps,
                           (long long)st->steps_done);
    f->t->runs = st->runs;
    f->lr = st->steps_done > 0 ? pithp_fit_lr(f, st->steps_done - 1) : 0;
    f->base_seconds = st->seconds;
    s = name_classes(f);
    if (s == PITH_OK)
        s = pithp_runlog_open(f->c, &f->log, f->cfg.out, true, st->log_bytes);
    if (s == PITH_OK && f->cfg.tensorboard)
        s = pithp_events_open(f->c, &f->events, f->cfg.out, true, st->steps_done, st->step == 0);
    if (s != PITH_OK)
        return s;
    pithp_runlog_line(&f->log, pithp_fit_line(f, "resume"));
    if (other[0] != 0)
        pithp_fit_note(f, other);
    if (st->epoch == f->cfg.epochs)
        pithp_fit_note(f, "this run was finished already");
    return PITH_OK;
}

static pith_status begin(pithp_fit *f)
{
    if (f->c->status)
        return f->c->status;
    if (f->d == NULL)
        return pithp_error(f->c, PITH_EINVAL, "training: no data set");
    if (pith_data_count(f->d, PITH_TRAIN) < 1)
        return pithp_error(f->c, PITH_EDATA, "training: the training split has no images");
    pith_status s = pithp_model_fits_data(f->m, f->d, "training");
    f->cfg = pithp_fit_defaults(f->cfg, pith_data_count(f->d, PITH_TRAIN));
    if (s == PITH_OK)
        s = pithp_fit_check(f->c, &f->cfg, pith_data_size(f->d));
    if (s == PITH_OK)
        s = open_folder(f);
    if (s == PITH_OK)
        s = make_parts(f);
    f->started = f->epoch_started = f->saved = pithp_now();
    if (s != PITH_OK)
        return s;
    if (f->cfg.resume)
        s = begin_resumed(f);
    if (s == PITH_OK && f->cfg.hook != NULL)
        s = f->cfg.hook->begin(f->cfg.hook->user, f->t, f->steps, f->cfg.epochs);
    if (s == PITH_OK && !f->cfg.resume)
        s = begin_new(f);
    return s;
}

/* ---- End ----------------------------------------------------------------------------------------------- */
/* The same error, with the place in the run and the way back. */
static pith_status explain_nan(pithp_fit *f)
{
    char text[700];
    snprintf(text, sizeof text, "%s", pith_error_text(f->c));
    json_t *line = pithp_fit_line(f, "nan");
    json_object_set_new(line, "text", json_string(text));
    pithp_runlog_line(&f->log, line);
    pith_ctx_clear(f->c);
    return pithp_error(f->c, PITH_ENAN, "epoch %d, step %lld: %s%s%s", f->st.epoch + 1,
                       (long long)f->st.step + 1, text, f->last ? "; the last good checkpoint is " : "",
                       f->last ? f->last : "");
}

static pith_status end_stopped(pithp_fit *f)
{
    pith_status s = pithp_fit_save(f);
    if (s != PITH_OK)
        return s == PITH_ENAN ? explain_nan(f) : s;
    pithp_runlog_line(&f->log, pithp_fit_line(f, "stop"));
    return pithp_error(f->c, PITH_ESTOPPED, "stopped in epoch %d of %d after %lld of %lld steps%s%s",
                       f->st.epoch + 1, f->cfg.epochs, (long long)f->st.step, (long long)f->steps,
                       f->last ? "; saved, go on by resuming from "
                               : "; nothing was saved, for there is no run folder",
                       f->last ? f->cfg.out : "");
}

static pith_status end(pithp_fit *f, pith_status s)
{
    if (s == PITH_ENAN)
        return explain_nan(f);
    if (s == PITH_ESTOPPED)
        return end_stopped(f);
    if (s != PITH_OK)
        return s;
    s = pithp_fit_save(f);
    if (s == PITH_ENAN)
        return explain_nan(f);
    pithp_runlog_line(&f->log, pithp_fit_line(f, "end"));
    return s;
}

static void take_down(pithp_fit *f, bool use_average)
{
    if (f->t != NULL && use_average)
        pith_opt_swap_ema(f->t->opt);
    pithp_fit_stages_end(f);
    pith_loader_free(f->train);
    pith_loader_free(f->val);
    pith_trainer_free(f->t);
    pithp_runlog_close(f->c, &f->log);
    pithp_events_close(f->c, &f->events);
    json_decref(f->args);
    pithp_free(f->c, f->balanced);
    pithp_free(f->c, f->last);
    pithp_free(f->c, f->best);
    pithp_free(f->c, f->early);
}

/* The plans are made: what the run will need at most is known before it starts. */
static void tell_memory(const pithp_fit *f)
{
    char text[160];
    snprintf(text, sizeof text, "memory: %.0f MB, of which %.0f MB to train and %.0f MB to evaluate",
             (double)(pith_ctx_memory(f->c, NULL) + f->plan_bytes - pith_plan_bytes(f->t->plan)) / 1e6,
             (double)f->plan_bytes / 1e6, f->e != NULL ? (double)pith_plan_bytes(f->e->plan) / 1e6 : 0.0);
    pithp_log(f->c, PITH_LOG_INFO, "%s", text);
    pith_progress p = { .event = 'm', .epochs = f->cfg.epochs, .steps = f->steps, .text = text };
    if (f->cfg.progress != NULL)
        f->cfg.progress(f->cfg.progress_user, &p);
}

pith_status pith_fit(pith_model *m, pith_data *d, pith_fit_cfg cfg)
{
    if (m == NULL)
        return PITH_EINVAL;
    pithp_fit f = { .c = m->ctx, .m = m, .d = d, .cfg = cfg };
    pith_status s = begin(&f);
    bool begun = s == PITH_OK;
    if (begun) {
        tell_memory(&f);
        s = end(&f, pithp_fit_epochs(&f));
    }
    take_down(&f, begun && s != PITH_ENAN);
    return s;
}
