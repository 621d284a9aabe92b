/* last.pith: a model file with what an exact resume needs beside it, under names that begin with
   "pith.train.".

   The model's own tensors hold the weights as they would be used: the moving average where one is kept.
   Then the raw weights stand in pith.train.weights; there, too, where the loss has parameters of its own. Moments and raw weights are whole blocks, laid out as
   the model lays them out; numbers stand in one JSON string, doubles among them as C99 hexadecimal. */
#include "file/model_file.h"
#include "train/train.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define KEY_STATE   PITHP_ST_TRAIN "state"
#define KEY_WEIGHTS PITHP_ST_TRAIN "weights"
#define KEY_M       PITHP_ST_TRAIN "m"
#define KEY_V       PITHP_ST_TRAIN "v"

/* ---- The numbers --------------------------------------------------------------------------------------- */
static json_t *hexfloat(double v)
{
    char text[40];
    snprintf(text, sizeof text, "%a", v);
    return json_string(text);
}

static char *state_text(const pith_opt *o, json_t *args, const pithp_fit_state *s)
{
    const pith_ctx *c = o->ctx;
    json_t *j = json_pack("{s:i s:O s:i s:I s:I s:o s:I s:I s:o s:o s:I s:I s:I s:s s:s s:s}", "version", 1,
                          "args", args, "epoch", s->epoch, "step", (json_int_t)s->step, "steps_done",
                          (json_int_t)s->steps_done, "loss_sum", hexfloat(s->loss_sum), "correct",
                          (json_int_t)s->correct, "seen", (json_int_t)s->seen, "best", hexfloat(s->best),
                          "seconds", hexfloat(s->seconds), "log_bytes", (json_int_t)s->log_bytes, "runs",
                          (json_int_t)s->runs, "opt_steps", (json_int_t)o->steps, "cpu",
                          pithp_isa_name(c->isa), "blas", c->blas.file, "blas_core", c->blas.core);
    char *text = j == NULL ? NULL : json_dumps(j, JSON_COMPACT);
    json_decref(j);
    return text;
}

static bool get_count(json_t *j, const char *key, int64_t *v)
{
    const json_t *x = json_object_get(j, key);
    *v = json_is_integer(x) ? json_integer_value(x) : -1;
    return *v >= 0;
}

static bool get_real(json_t *j, const char *key, double *v)
{
    const char *text = json_string_value(json_object_get(j, key));
    char *end = NULL;
    *v = text ? strtod(text, &end) : (double)NAN;
    return text != NULL && end != text && *end == 0 && isfinite(*v);
}

static bool get_state(json_t *j, pithp_fit_state *s, int64_t *opt_steps)
{
    int64_t epoch = -1, runs = -1;
    bool ok = get_count(j, "epoch", &epoch) && epoch <= 1000000 && get_count(j, "step", &s->step) &&
              get_count(j, "steps_done", &s->steps_done) && get_real(j, "loss_sum", &s->loss_sum) &&
              get_count(j, "correct", &s->correct) && get_count(j, "seen", &s->seen) &&
              get_real(j, "best", &s->best) && get_real(j, "seconds", &s->seconds) &&
              get_count(j, "log_bytes", &s->log_bytes) && get_count(j, "runs", &runs) &&
              get_count(j, "opt_steps", opt_steps) && s->correct <= s->seen;
    s->epoch = (int)epoch;
    s->runs = (uint64_t)runs;
    return ok;
}

/* Parameters that the loss alone needs (pith_loss_hook): no file of the model holds them, so the whole block is kept. */
static bool has_outside(const pith_opt *o, bool *outside)
{
    const pith_model *m = o->model;
    uint8_t *saved = PITHP_NEW_N(o->ctx, uint8_t, m->g->n);
    *outside = false;
    if (saved == NULL)
        return false;
    pithp_model_mark(m, saved);
    for (int i = 0; i < m->n_param_nodes; i++)
        *outside = *outside || !saved[m->params[i]->id];
    pithp_free(o->ctx, saved);
    return true;
}

/* ---- Saving -------------------------------------------------------------------------------------------- */
pith_status pithp_checkpoint_save(pith_opt *o, json_t *args, const pithp_fit_state *s, const char *path)
{
    pith_ctx *c = o->ctx;
    char *text = state_text(o, args, s);
    bool outside;
    if (text == NULL || !has_outside(o, &outside)) {
        free(text);
        return pithp_nomem(c, "a checkpoint");
    }
    pithp_st_writer w;
    pithp_st_writer_init(c, &w);
    pith_opt_swap_ema(o); /* the model holds the average now, o->ema the raw weights */
    pithp_model_put(o->model, &w);
    if (o->ema != NULL)
        pithp_st_add_real(&w, KEY_WEIGHTS, PITH_SHAPE(o->n_weights), o->ema);
    else if (outside)
        pithp_st_add_real(&w, KEY_WEIGHTS, PITH_SHAPE(o->n_weights), o->model->weights);
    pithp_st_add_real(&w, KEY_M, PITH_SHAPE(o->n_params), o->m);
    if (o->v != NULL)
        pithp_st_add_real(&w, KEY_V, PITH_SHAPE(o->n_params), o->v);
    pithp_st_add_meta(&w, KEY_STATE, text);
    pith_status status = pithp_st_commit(&w, path, true);
    pith_opt_swap_ema(o);
    pithp_st_writer_free(&w);
    free(text);
    return status;
}

/* ---- Loading ------------------------------------------------------------------------------------------- */
static pith_status load_blocks(pith_opt *o, const pithp_st_file *f)
{
    pith_model *m = o->model;
    bool outside;
    if (!has_outside(o, &outside))
        return PITH_ENOMEM;
    pith_status s = pithp_model_get_weights(m, f);
    if (s == PITH_OK && o->ema == NULL && outside)
        s = pithp_st_get_real(f, KEY_WEIGHTS, PITH_SHAPE(o->n_weights), m->weights);
    if (s == PITH_OK && o->ema != NULL) {
        pith_opt_swap_ema(o);
        o->swapped = false; /* the average has come to its place */
        s = pithp_st_get_real(f, KEY_WEIGHTS, PITH_SHAPE(o->n_weights), m->weights);
    }
    if (s == PITH_OK)
        s = pithp_st_get_real(f, KEY_M, PITH_SHAPE(o->n_params), o->m);
    if (s == PITH_OK && o->v != NULL)
        s = pithp_st_get_real(f, KEY_V, PITH_SHAPE(o->n_params), o->v);
    return s;
}

static pith_status args_same(pith_ctx *c, json_t *j, json_t *args, const char *path)
{
    const char *was, *is, *key = pithp_fit_args_differ(json_object_get(j, "args"), args, &was, &is);
    if (key == NULL)
        return PITH_OK;
    return pithp_error(
        c, PITH_EINVAL,
        "%s: cannot go on: '%s' was %.120s and is %s now; resume with the same data and options, or "
        "start a new run from these weights",
        path, key, was, is);
}

static void other_machine(const pith_ctx *c, json_t *j, char text[160])
{
    const char *cpu = json_string_value(json_object_get(j, "cpu"));
    const char *core = json_string_value(json_object_get(j, "blas_core"));
    text[0] = 0;
    if (cpu == NULL || core == NULL || strcmp(cpu, pithp_isa_name(c->isa)) != 0 ||
        strcmp(core, c->blas.core) != 0)
        snprintf(text, 160,
                 "made with %.12s kernels and BLAS core %.24s, goes on with %.12s and %.24s: not bit for bit",
                 cpu ? cpu : "unknown", core ? core : "unknown", pithp_isa_name(c->isa), c->blas.core);
}

pith_status pithp_checkpoint_load(pith_opt *o, json_t *args, pithp_fit_state *state, const char *path,
                                  char other[160])
{
    pith_ctx *c = o->ctx;
    pithp_st_file f;
    pith_status s = pithp_st_open(c, &f, path);
    if (s != PITH_OK)
        return s;
    const char *text = pithp_st_meta(&f, KEY_STATE);
    json_error_t e;
    json_t *j = text == NULL ? NULL : json_loads(text, JSON_REJECT_DUPLICATES, &e);
    if (j == NULL)
        s = pithp_error(
            c, PITH_EFORMAT, "%s: %s; a checkpoint that a training wrote (last.pith) is expected", path,
            text == NULL ? "a model, but no training's state in it" : "the training's state is not JSON");
    if (s == PITH_OK)
        s = args_same(c, j, args, path);
    if (s == PITH_OK && !get_state(j, state, &o->steps))
        s = pithp_error(c, PITH_EFORMAT, "%s: the training's state lacks a number, or one is absurd", path);
    if (s == PITH_OK)
        s = load_blocks(o, &f);
    if (s == PITH_OK)
        other_machine(c, j, other);
    json_decref(j);
    pithp_st_close(&f);
    return s;
}
