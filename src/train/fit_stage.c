/* The stages of a training run: image size and frozen parameters, functions of the epoch alone, so that a resumed run
   finds the stage it was in. */
#include "train/fit.h"

#include <string.h>

/* ---- What is asked for ----------------------------------------------------------------------------------- */
int pithp_fit_size(const pithp_fit *f, int epoch)
{
    int size = pith_data_size(f->d);
    for (int i = 0; i < f->cfg.n_sizes && f->cfg.sizes[i].from_epoch <= epoch; i++)
        size = f->cfg.sizes[i].size;
    return size;
}

static bool frozen_at(const pithp_fit *f, int epoch)
{
    return f->cfg.n_freeze > 0 && (f->cfg.freeze_epochs == 0 || epoch < f->cfg.freeze_epochs);
}

static int trained(const pith_model *m)
{
    int n = 0;
    for (int i = 0; i < m->n_param_nodes; i++)
        n += !m->params[i]->frozen;
    return n;
}

pith_status pithp_freeze(pith_model *m, const char *const *patterns, int n)
{
    for (int i = 0; i < n; i++) {
        bool free_again = patterns[i][0] == '!';
        const char *pattern = patterns[i] + free_again;
        if (pith_model_freeze(m, pattern, !free_again) == 0)
            return pithp_error(
                m->ctx, PITH_ENOTFOUND,
                "training: freeze: no parameter's name matches '%.80s'; there are names such as "
                "'%.80s' ('pith info' lists them)",
                pattern, m->n_param_nodes > 0 ? pith_name(m->params[0]) : "");
    }
    if (n > 0 && trained(m) == 0)
        return pithp_error(
            m->ctx, PITH_EINVAL,
            "training: every parameter is frozen; free some, as with the pattern '!classifier.*'");
    return PITH_OK;
}

static pith_status freeze(pithp_fit *f) { return pithp_freeze(f->m, f->cfg.freeze, f->cfg.n_freeze); }

/* ---- Beginning and end ----------------------------------------------------------------------------------- */
/* Plans every stage once, the largest memory noted: what cannot be trained is refused before the first step. */
pith_status pithp_fit_stages_begin(pithp_fit *f)
{
    pith_status s = PITH_OK;
    f->size = pith_data_size(f->d);
    f->plan_bytes = pith_plan_bytes(f->t->plan);
    for (int i = 0; i < f->cfg.n_sizes && s == PITH_OK; i++) {
        if ((s = pith_trainer_replan(f->t, f->cfg.sizes[i].size)) == PITH_OK)
            f->plan_bytes = PITHP_MAX(f->plan_bytes, pith_plan_bytes(f->t->plan));
        f->size = f->cfg.sizes[i].size;
    }
    if (s != PITH_OK || f->cfg.n_freeze == 0)
        return s;
    f->n_flags = f->m->g->n;
    f->flags = PITHP_NEW_N(f->c, uint8_t, f->n_flags);
    if (f->flags == NULL)
        return PITH_ENOMEM;
    pithp_model_get_frozen(f->m, f->flags);
    s = freeze(f);
    pithp_model_set_frozen(f->m, f->flags, f->n_flags);
    f->stale = true;
    return s;
}

void pithp_fit_stages_end(pithp_fit *f)
{
    if (f->flags != NULL && f->frozen)
        pithp_model_set_frozen(f->m, f->flags, f->n_flags);
    pithp_free(f->c, f->flags);
}

/* ---- From one to the next -------------------------------------------------------------------------------- */
static void tell(pithp_fit *f, int epoch)
{
    char text[160];
    bool was = frozen_at(f, epoch - 1), is = frozen_at(f, epoch);
    if (f->st.step > 0 || epoch == 0)
        return;
    if (pithp_fit_size(f, epoch - 1) != pithp_fit_size(f, epoch)) {
        snprintf(text, sizeof text, "from here on images of %dx%d", f->size, f->size);
        pithp_fit_note(f, text);
    }
    if (was && !is) {
        snprintf(text, sizeof text, "from here on all %d tensors of parameters are trained", trained(f->m));
        pithp_fit_note(f, text);
    }
}

static pith_status renew(pithp_fit *f, bool loader)
{
    pith_status s = pith_trainer_replan(f->t, f->size);
    if (s == PITH_OK && f->e != NULL && (f->e = pithp_evaluator_get(f->m, f->val_batch)) == NULL)
        s = f->c->status;
    if (s != PITH_OK || !loader)
        return s;
    pith_loader_free(f->train);
    f->train = pithp_fit_loader(f, f->size);
    return f->train == NULL ? f->c->status : PITH_OK;
}

/* Before each epoch. Between stages there is nothing to do and nothing is allocated. */
pith_status pithp_fit_stage(pithp_fit *f)
{
    const int epoch = f->st.epoch, size = pithp_fit_size(f, epoch);
    bool freeze_now = frozen_at(f, epoch), resize = size != f->loader_size;
    pith_status s = PITH_OK;
    if (freeze_now != f->frozen) {
        f->stale = true;
        f->frozen = freeze_now;
        if (freeze_now)
            s = freeze(f);
        else
            pithp_model_set_frozen(f->m, f->flags, f->n_flags);
    }
    if (s == PITH_OK && (f->stale || size != f->size || resize)) {
        f->size = size;
        s = renew(f, resize);
        f->stale = false;
    }
    if (s == PITH_OK)
        tell(f, epoch);
    return s;
}

/* ---- Checks ---------------------------------------------------------------------------------------------- */
pith_status pithp_fit_check_stages(pith_ctx *c, const pith_fit_cfg *f, int data_size)
{
    if (f->n_sizes < 0 || f->n_sizes > PITHP_MAX_PATTERNS || (f->n_sizes > 0 && f->sizes == NULL))
        return pithp_error(c, PITH_EINVAL, "training: %d image sizes; 0 to %d are expected", f->n_sizes,
                           (int)PITHP_MAX_PATTERNS);
    for (int i = 0; i < f->n_sizes; i++) {
        const pith_size_step *s = &f->sizes[i];
        if (s->size < 8 || s->size > data_size)
            return pithp_error(
                c, PITH_EINVAL,
                "training: image size %d; 8 to %d, the size the data were opened with, is expected", s->size,
                data_size);
        if (i == 0 ? s->from_epoch != 0 : s->from_epoch <= f->sizes[i - 1].from_epoch)
            return pithp_error(
                c, PITH_EINVAL,
                "training: image size %d from epoch %d on; the first is expected from epoch 0, and "
                "each from a later one than that before",
                s->size, s->from_epoch);
        if (s->from_epoch >= f->epochs)
            return pithp_error(
                c, PITH_EINVAL,
                "training: image size %d from epoch %d on, but there are %d epochs; no image would "
                "be of that size",
                s->size, s->from_epoch, f->epochs);
    }
    if (f->n_freeze < 0 || f->n_freeze > PITHP_MAX_PATTERNS || (f->n_freeze > 0 && f->freeze == NULL))
        return pithp_error(c, PITH_EINVAL, "training: %d patterns to freeze; 0 to %d are expected",
                           f->n_freeze, (int)PITHP_MAX_PATTERNS);
    for (int i = 0; i < f->n_freeze; i++)
        if (f->freeze[i] == NULL || f->freeze[i][0] == 0 || strcmp(f->freeze[i], "!") == 0)
            return pithp_error(c, PITH_EINVAL, "training: pattern %d to freeze is empty", i + 1);
    if (f->freeze_epochs < 0 || (f->freeze_epochs > 0 && f->n_freeze == 0))
        return pithp_error(
            c, PITH_EINVAL,
            "training: freeze_epochs is %d; 0 or more is expected, and patterns of what to freeze",
            f->freeze_epochs);
    return PITH_OK;
}
