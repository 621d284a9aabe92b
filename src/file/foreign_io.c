/* file/foreign_io.c: weights from and to safetensors files with timm's names. A file is checked as a whole before the
   model's first weight changes. */
#include "file/foreign.h"
#include "file/json.h"
#include "file/model_file.h"
#include "file/names.h"

#include <math.h>
#include <string.h>

/* PyTorch's batch norms count their batches; nothing reads it. */
#define COUNTER ".num_batches_tracked"

typedef struct {
    pith_model *m;
    pithp_st_file f;
    pithp_foreign *list;
    size_t n;
    uint8_t *claimed; /* [f.n] */
    pith_real *room;  /* for the largest tensor */
    bool new_head;
} import;

static bool is_real(pithp_st_dtype t)
{
    return t == PITHP_ST_F16 || t == PITHP_ST_BF16 || t == PITHP_ST_F32 || t == PITHP_ST_F64;
}

static pith_status fits(const import *k, const pithp_foreign *w, const pithp_st_tensor *t)
{
    char have[96], want[96];
    if (!pithp_shape_eq(t->shape, w->shape))
        return pithp_error(k->f.c, PITH_EFORMAT, "%s: tensor '%s' has shape %s; '%s' of this %s expects %s%s",
                           k->f.path, w->name, pithp_shape_text(t->shape, have), pith_name(w->t), k->m->name,
                           pithp_shape_text(w->shape, want),
                           w->head ? " (another number of classes? a new head leaves it out)" : "");
    if (!is_real(t->dtype))
        return pithp_error(k->f.c, PITH_EFORMAT,
                           "%s: tensor '%s' has dtype %s; expected F32, F16, BF16 or F64", k->f.path, w->name,
                           pithp_st_dtype_name(t->dtype));
    pith_status s = pithp_st_get_real(&k->f, w->name, w->shape, k->room);
    for (int64_t i = 0; !s && i < t->count; i++)
        if (!isfinite(k->room[i]) || (w->variance && k->room[i] < 0))
            return pithp_error(k->f.c, PITH_EFORMAT, "%s: tensor '%s': element %lld is %g; %s expected",
                               k->f.path, w->name, (long long)i, (double)k->room[i],
                               w->variance ? "a variance, finite and not negative, is"
                                           : "finite numbers are");
    return s;
}

/* "X.num_batches_tracked" where X is a batch norm of the model. */
static bool is_counter(const import *k, const char *name)
{
    size_t n = strlen(name), tail = strlen(COUNTER), var = strlen(".running_var");
    if (n < tail || strcmp(name + n - tail, COUNTER) != 0)
        return false;
    for (size_t i = 0; i < k->n; i++)
        if (k->list[i].variance && strlen(k->list[i].name) == n - tail + var &&
            strncmp(k->list[i].name, name, n - tail) == 0)
            return true;
    return false;
}

static pith_status check(import *k)
{
    pithp_names missing = { 0 }, surplus = { 0 };
    pith_status s = PITH_OK;
    if (pithp_st_meta(&k->f, PITHP_GRAPH_KEY) != NULL)
        return pithp_error(k->f.c, PITH_EFORMAT,
                           "%s: is a model of pith's own, with its graph: load it as a model (--model)",
                           k->f.path);
    for (size_t i = 0; i < k->n; i++) {
        const pithp_st_tensor *t = pithp_st_find(&k->f, k->list[i].name);
        if (t)
            k->claimed[t - k->f.tensors] = 1;
        else if (!k->new_head || !k->list[i].head)
            pithp_names_add(&missing, k->list[i].name);
    }
    for (size_t i = 0; i < k->f.n; i++)
        if (!k->claimed[i] && !is_counter(k, k->f.tensors[i].name))
            pithp_names_add(&surplus, k->f.tensors[i].name);
    /* A tensor of another shape says more than a list of another network's names; so it is looked for first. */
    for (size_t i = 0; i < k->n && !s; i++) {
        const pithp_st_tensor *t = pithp_st_find(&k->f, k->list[i].name);
        if (t && !(k->new_head && k->list[i].head))
            s = fits(k, &k->list[i], t);
    }
    if (!s && (pithp_names_any(&missing) || pithp_names_any(&surplus)))
        s = pithp_names_report(&k->f, &missing, &surplus);
    return s;
}

static pith_status fill(import *k)
{
    pith_status s = PITH_OK;
    char text[96];
    for (size_t i = 0; i < k->n && !s; i++) {
        const pithp_foreign *w = &k->list[i];
        if (!k->new_head || !w->head) {
            s = pithp_st_get_real(&k->f, w->name, w->shape, k->room);
            if (!s)
                pithp_foreign_read(w, k->room, w->t->value);
            continue;
        }
        const pithp_st_tensor *t = pithp_st_find(&k->f, w->name);
        if (t)
            pithp_log(k->f.c, PITH_LOG_WARN, "%s: '%s' %s is left out: the head is new", k->f.path, w->name,
                      pithp_shape_text(t->shape, text));
        pithp_node_fill((pith_tensor *)(uintptr_t)w->t);
    }
    return s;
}

static int64_t largest(const pithp_foreign *list, size_t n)
{
    int64_t most = 1;
    for (size_t i = 0; i < n; i++)
        most = PITHP_MAX(most, pithp_count(list[i].shape));
    return most;
}

pith_status pith_model_import_safetensors(pith_model *m, const char *path, pith_import_cfg cfg)
{
import k = {.m = m, .new_head = cfg.new_head };
    pith_status s = pithp_st_open(m->ctx, &k.f, path);
    if (s)
        return s;
    k.list = pithp_foreign_list(m, &k.n);
    k.claimed = PITHP_NEW_N(m->ctx, uint8_t, k.f.n + 1);
    k.room = k.list ? PITHP_NEW_N(m->ctx, pith_real, largest(k.list, k.n)) : NULL;
    s = k.claimed && k.room ? check(&k) : PITH_ENOMEM;
    if (!s)
        s = fill(&k);
    if (!s)
        pithp_model_mask_apply(m);
    pithp_free(m->ctx, k.list);
    pithp_free(m->ctx, k.claimed);
    pithp_free(m->ctx, k.room);
    pithp_st_close(&k.f);
    return s;
}

/* ---- Writing ----------------------------------------------------------------------------------------------------- */
static void add_counter(pithp_st_writer *w, const pithp_foreign *f)
{
    static const int64_t none = 0;
    char name[PITHP_FOREIGN_NAME + sizeof COUNTER];
    snprintf(name, sizeof name, "%.*s%s", (int)(strlen(f->name) - strlen(".running_var")), f->name, COUNTER);
    pithp_st_add(w, name, PITHP_ST_I64, PITH_SCALAR, &none);
}

pith_status pith_model_export_safetensors(const pith_model *m, const char *path)
{
    size_t n;
    int64_t total = 1;
    pithp_st_writer w;
    pithp_foreign *list = pithp_foreign_list(m, &n);
    for (size_t i = 0; list && i < n; i++)
        total += pithp_count(list[i].shape);
    pith_real *room = list ? PITHP_NEW_N(m->ctx, pith_real, total) : NULL, *at = room;
    if (room == NULL) {
        pithp_free(m->ctx, list);
        return PITH_ENOMEM;
    }
    pithp_st_writer_init(m->ctx, &w);
    pithp_st_add_meta(&w, "format", "pt");
    for (size_t i = 0; i < n; i++) {
        pithp_foreign_write(&list[i], list[i].t->value, at);
        pithp_st_add_real(&w, list[i].name, list[i].shape, at);
        at += pithp_count(list[i].shape);
        if (list[i].variance)
            add_counter(&w, &list[i]);
    }
    pith_status s = pithp_st_commit(&w, path, false);
    pithp_st_writer_free(&w);
    pithp_free(m->ctx, room);
    pithp_free(m->ctx, list);
    return s;
}
