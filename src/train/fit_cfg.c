/* The recipe: every default of pith_fit stands here, and nowhere else. */
#include "train/train.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* Fields that keep their zeros are filled further down: by pithp_opt_defaults, pith_schedule_lr, the
   loader. A real zero stays PITH_ZERO, so that it can be handed on. */
pith_fit_cfg pithp_fit_defaults(pith_fit_cfg cfg, int64_t n_train)
{
    if (cfg.epochs == 0)
        cfg.epochs = 40;
    if (cfg.batch == 0)
        cfg.batch = 64;
    if (cfg.batch > n_train && n_train > 0)
        cfg.batch = (int)n_train;
    if (cfg.accumulate == 0)
        cfg.accumulate = 1;
    if (cfg.smoothing == 0)
        cfg.smoothing = 0.1;
    if (cfg.eval_every == 0)
        cfg.eval_every = 1;
    if (cfg.save_every_minutes == 0)
        cfg.save_every_minutes = 5;
    if (cfg.opt.kind == PITH_OPT_SGD) {
        if (cfg.opt.momentum == 0)
            cfg.opt.nesterov = true;
        if (cfg.opt.lr == 0)
            cfg.opt.lr = 0.1 * cfg.batch * cfg.accumulate / 64;
        if (cfg.opt.weight_decay == 0)
            cfg.opt.weight_decay = 1e-4;
    }
    if (cfg.opt.kind == PITH_OPT_RMSPROP &&
        cfg.opt.lr == 0) /* 0.016 for 256 images, as EfficientNet was trained */
        cfg.opt.lr = 0.016 * cfg.batch * cfg.accumulate / 256;
    if (cfg.opt.ema_decay == 0)
        cfg.opt.ema_decay = 0.999;
    return cfg;
}

bool pithp_mixes(const pith_augment_cfg *a)
{
    return PITH_OR(a->mixup, 0) != 0 || PITH_OR(a->cutmix, 0) != 0;
}

pith_status pithp_class_weights_check(pith_ctx *c, const double *w, int n, int classes)
{
    if (n != classes)
        return pithp_error(c, PITH_EINVAL,
                           "training: %d class weights, but %d classes; one for each is expected", n,
                           classes);
    double sum = 0;
    for (int i = 0; i < n; i++) {
        if (!(w[i] >= 0 && w[i] <= 1e6))
            return pithp_error(c, PITH_EINVAL, "training: class %d has weight %g; 0 to 1e6 is expected", i,
                               w[i]);
        sum += w[i];
    }
    return sum > 0 ? PITH_OK : pithp_error(c, PITH_EINVAL, "training: all class weights are 0");
}

/* w [classes]: the same weight for every class as a whole, 1 for an image on average. */
void pithp_class_weights_balance(const pith_data *d, double *w)
{
    int classes = pith_data_classes(d);
    int64_t n = pith_data_count(d, PITH_TRAIN), all = n + pith_data_count(d, PITH_VAL);
    for (int i = 0; i < classes; i++)
        w[i] = 0;
    for (int64_t i = 0; i < all; i++) {
        pith_sample s = pith_data_at(d, i);
        if (s.split == PITH_TRAIN)
            w[s.label]++;
    }
    for (int i = 0; i < classes; i++) /* a class without an image: whatever it is, nothing asks */
        w[i] = w[i] > 0 ? (double)n / (classes * w[i]) : 1;
}

static pith_status schedule_check(pith_ctx *c, const pith_schedule_cfg *s)
{
    const struct {
        const char *name;
        double value, high;
    } range[] = { { "warmup_epochs", PITH_OR(s->warmup_epochs, 0), 1e6 },
                  { "final_lr", PITH_OR(s->final_lr, 0), 1e6 },
                  { "gamma", PITH_OR(s->gamma, 0), 1e3 },
                  { "step_epochs", PITH_OR(s->step_epochs, 0), 1e6 },
                  { "min_momentum", PITH_OR(s->min_momentum, 0), 0.9999 } };
    if ((int)s->kind < PITH_COSINE || s->kind > PITH_EXPONENTIAL)
        return pithp_error(c, PITH_EINVAL,
                           "schedule: no kind %d; PITH_COSINE, PITH_STEP, PITH_CONSTANT, PITH_ONECYCLE or "
                           "PITH_EXPONENTIAL is expected",
                           (int)s->kind);
    for (size_t i = 0; i < PITHP_LEN(range); i++)
        if (!(range[i].value >= 0 && range[i].value <= range[i].high))
            return pithp_error(c, PITH_EINVAL, "schedule: %s is %g; 0 to %g is expected", range[i].name,
                               range[i].value, range[i].high);
    return PITH_OK;
}

pith_status pithp_fit_check(pith_ctx *c, const pith_fit_cfg *f, int data_size)
{
    const struct {
        const char *name;
        int value, high;
    } range[] = { { "epochs", f->epochs, 1000000 },
                  { "batch", f->batch, 65536 },
                  { "accumulate", f->accumulate, 65536 },
                  { "cycles of the schedule", PITHP_MAX(f->schedule.cycles, 1), f->epochs } };
    for (size_t i = 0; i < PITHP_LEN(range); i++)
        if (range[i].value < 1 || range[i].value > range[i].high)
            return pithp_error(c, PITH_EINVAL, "training: %s is %d; 1 to %d is expected", range[i].name,
                               range[i].value, range[i].high);
    double smoothing = PITH_OR(f->smoothing, 0);
    if (!(smoothing >= 0 && smoothing < 1))
        return pithp_error(c, PITH_EINVAL, "training: label smoothing is %g; 0 to less than 1 is expected",
                           smoothing);
    if (!(PITH_OR(f->save_every_minutes, 0) >= 0))
        return pithp_error(c, PITH_EINVAL, "training: save_every_minutes is %g; 0 or more is expected",
                           f->save_every_minutes);
    if (f->schedule.cycles < 0 || (f->schedule.cycles > 1 && f->epochs % f->schedule.cycles != 0))
        return pithp_error(
            c, PITH_EINVAL,
            "training: %d epochs do not divide into %d cycles of the schedule; choose a multiple", f->epochs,
            f->schedule.cycles);
    if (f->keep_after < 0 || f->keep_after > f->epochs || (f->keep_after > 0 && f->out == NULL))
        return pithp_error(c, PITH_EINVAL,
                           "training: keep_after is %d; 0 to %d epochs and a run folder are expected",
                           f->keep_after, f->epochs);
    if (f->tensorboard < 0 || (f->tensorboard > 0 && f->out == NULL))
        return pithp_error(c, PITH_EINVAL,
                           "training: tensorboard is %d; a number of steps between points and a run folder "
                           "are expected",
                           f->tensorboard);
    if (f->resume && f->out == NULL)
        return pithp_error(c, PITH_EINVAL,
                           "training: resume needs the run folder (out) that it shall go on from");
    if (f->balance && f->class_weights != NULL)
        return pithp_error(c, PITH_EINVAL,
                           "training: class weights are given, and balance asks for others; one of the two");
    pith_opt_cfg opt = pithp_opt_defaults(f->opt);
    pith_status s = pithp_opt_check(c, &opt);
    if (s == PITH_OK)
        s = schedule_check(c, &f->schedule);
    return s ? s : pithp_fit_check_stages(c, f, data_size);
}

/* ---- What a resume must find as it was ----------------------------------------------------------------- */
static void put_real(json_t *o, const char *key, double v)
{
    char text[40];
    if (v == PITH_ZERO)
        v = 0;
    snprintf(text, sizeof text, "%.15g", v); /* as short as reads back the same: it is shown in messages */
    if (strtod(text, NULL) != v)
        snprintf(text, sizeof text, "%.17g", v);
    json_object_set_new(o, key, json_string(text));
}

static void put_int(json_t *o, const char *key, int64_t v)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, v);
    json_object_set_new(o, key, json_string(text));
}

/* Appends to a text that is only there when there is something in it. */
static void PITH_PRINTF(3, 4) put_item(json_t *o, const char *key, const char *fmt, ...)
{
    char *item = NULL, *all = NULL;
    const char *old = json_string_value(json_object_get(o, key));
    va_list ap;
    va_start(ap, fmt);
    bool ok = vasprintf(&item, fmt, ap) >= 0;
    va_end(ap);
    if (ok && asprintf(&all, "%s%s%s", old ? old : "", old ? "," : "", item) >= 0) {
        json_object_set_new(o, key, json_string_nocheck(all));
        free(all);
    }
    if (ok)
        free(item);
}

static void put_hex(json_t *o, const char *key, uint64_t v)
{
    char text[24];
    snprintf(text, sizeof text, "%016" PRIx64, v);
    json_object_set_new(o, key, json_string(text));
}

static void put_opt(json_t *o, pith_opt_cfg f)
{
    f = pithp_opt_defaults(f);
    static const char *const kinds[] = { "sgd", "adamw", "rmsprop" };
    json_object_set_new(o, "optimizer", json_string(kinds[f.kind]));
    put_real(o, "lr", f.lr);
    if (f.kind != PITH_OPT_ADAMW)
        put_real(o, "momentum", f.momentum);
    if (f.kind == PITH_OPT_SGD)
        put_int(o, "nesterov", f.nesterov);
    if (f.kind == PITH_OPT_RMSPROP)
        put_real(o, "rho", f.rho);
    if (f.kind == PITH_OPT_ADAMW) {
        put_real(o, "beta1", f.beta1);
        put_real(o, "beta2", f.beta2);
    }
    if (f.kind != PITH_OPT_SGD)
        put_real(o, "eps", f.eps);
    put_real(o, "weight_decay", f.weight_decay);
    put_real(o, "clip_norm", f.clip_norm);
    put_real(o, "ema_decay", f.ema_decay);
    for (int i = 0; i < f.n_lr_scale; i++)
        put_item(o, "lr_scale", "%s=%.17g", f.lr_scale[i].pattern, f.lr_scale[i].factor);
}

static void put_schedule(json_t *o, const pith_schedule_cfg *s)
{
    static const char *const kinds[] = { "cosine", "step", "constant", "onecycle", "exponential" };
    json_object_set_new(o, "schedule", json_string(kinds[s->kind]));
    put_real(o, "warmup_epochs",
             s->warmup_epochs == 0 ? -1 : s->warmup_epochs); /* -1: the default, which is not 0 */
    put_real(o, "final_lr", s->final_lr == 0 ? -1 : s->final_lr);
    put_real(o, "gamma", s->gamma);
    put_real(o, "step_epochs", s->step_epochs);
    if (s->min_momentum != 0)
        put_real(o, "min_momentum", s->min_momentum);
    if (s->cycles > 1)
        put_int(o, "cycles", s->cycles);
}

static void put_augment(json_t *o, const pith_augment_cfg *a)
{
    const struct {
        const char *key;
        double value;
    } field[] = { { "scale_min", a->scale_min },
                  { "scale_max", a->scale_max },
                  { "ratio_min", a->ratio_min },
                  { "ratio_max", a->ratio_max },
                  { "flip", a->flip },
                  { "brightness", a->brightness },
                  { "contrast", a->contrast },
                  { "saturation", a->saturation },
                  { "hue", a->hue } };
    for (size_t i = 0; i < PITHP_LEN(field); i++)
        put_real(o, field[i].key, field[i].value == 0 ? -1 : field[i].value);
    /* What came later is only written where it is used: older runs know nothing of it and go on. */
    const struct {
        const char *key;
        double value;
    } later[] = { { "rotate", a->rotate },
                  { "cutout", a->cutout },
                  { "cutout_min", a->cutout_min },
                  { "cutout_max", a->cutout_max },
                  { "mixup", a->mixup },
                  { "cutmix", a->cutmix },
                  { "mix", a->mix } };
    for (size_t i = 0; i < PITHP_LEN(later); i++)
        if (later[i].value != 0)
            put_real(o, later[i].key, later[i].value);
    if (a->variants != 0) {
        put_int(o, "variants", a->variants);
        put_hex(o, "variants_seed", a->variants_seed);
    }
}

static void put_stages(json_t *o, const pith_fit_cfg *f)
{
    for (int i = 0; i < f->n_sizes; i++)
        put_item(o, "sizes", "%d@%d", f->sizes[i].size, f->sizes[i].from_epoch);
    for (int i = 0; i < f->n_freeze; i++)
        put_item(o, "freeze", "%s", f->freeze[i]);
    if (f->freeze_epochs > 0)
        put_int(o, "freeze_epochs", f->freeze_epochs);
}

json_t *pithp_fit_args(const pith_model *m, const pith_data *d, const pith_fit_cfg *f)
{
    json_t *o = json_object();
    if (o == NULL)
        return NULL;
    int frozen = 0;
    for (int i = 0; i < m->n_param_nodes; i++)
        frozen += m->params[i]->frozen;
    put_int(o, "parameters", m->n_params);
    put_int(o, "state", m->n_weights - m->n_params);
    put_int(o, "frozen", frozen);
    put_hex(o, "data", pith_data_fingerprint(d));
    put_hex(o, "context_seed", m->ctx->cfg.seed);
    put_hex(o, "seed", f->seed);
    put_int(o, "epochs", f->epochs);
    put_int(o, "batch", f->batch);
    put_int(o, "accumulate", f->accumulate);
    put_real(o, "smoothing", f->smoothing);
    for (int i = 0; i < f->n_class_weights && f->class_weights != NULL; i++)
        put_item(o, "class_weights", "%.17g", f->class_weights[i]);
    put_opt(o, f->opt);
    put_schedule(o, &f->schedule);
    put_augment(o, &f->augment);
    put_stages(o, f);
    if (f->hook != NULL && f->hook->key != NULL)
        json_object_set_new(o, "hook", json_string_nocheck(f->hook->key));
    if (f->loss != NULL && f->loss->key != NULL)
        json_object_set_new(o, "loss", json_string(f->loss->key));
    return o;
}

const char *pithp_fit_args_differ(json_t *saved, json_t *now, const char **was, const char **is)
{
    const char *key;
    json_t *value;
    json_object_foreach(now, key, value)
    {
        const json_t *old = json_object_get(saved, key);
        *is = json_string_value(value);
        *was = json_is_string(old) ? json_string_value(old) : "absent";
        if (*is == NULL || strcmp(*was, *is) != 0)
            return key;
    }
    json_object_foreach(saved, key, value)
    {
        *was = json_is_string(value) ? json_string_value(value) : "something";
        *is = "absent";
        if (json_object_get(now, key) == NULL)
            return key;
    }
    return NULL;
}
