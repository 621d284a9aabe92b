/* compress/distill/pairs.c: which results of student and teacher are compared. */
#include "compress/distill/distill.h"
#include "graph/tap.h"

#include <string.h>

/* ---- Stages ------------------------------------------------------------------------------------------------
   Where a network's images have one size. What a stage hands on is its narrowest result: a bottleneck's output, not what the
   next block makes of it before it strides; of several the last. */
typedef struct {
    int64_t h, w;
    pith_tensor *t;
} stage;

static int find_stage(const stage *s, int n, int64_t h, int64_t w)
{
    for (int i = 0; i < n; i++)
        if (s[i].h == h && s[i].w == w)
            return i;
    return -1;
}

/* In order of the network; -1: no memory. Images of one place, and of the input's size, are no stages. */
static int stages(pith_model *m, stage s[PITHP_MAX_PAIRS])
{
    int n = 0;
    const pith_shape in = m->input->shape;
    uint8_t *reach = PITHP_NEW_N(m->ctx, uint8_t, m->g->n);
    if (reach == NULL)
        return -1;
    pithp_model_reach(m, reach);
    for (size_t id = 0; id < m->g->n; id++) {
        pith_tensor *t = m->g->nodes[id];
        const int64_t *d = t->shape.d;
        if (!reach[id] || t->kind != PITHP_NODE_OP || t->shape.ndim != 4 || d[1] * d[2] < 2 ||
            (in.ndim == 4 && d[1] == in.d[1] && d[2] == in.d[2] && d[3] <= in.d[3]))
            continue;
        int i = find_stage(s, n, d[1], d[2]);
        if (i < 0 && n < PITHP_MAX_PAIRS)
            s[n++] = (stage){ d[1], d[2], t };
        else if (i >= 0 && d[3] <= s[i].t->shape.d[3])
            s[i].t = t;
    }
    pithp_free(m->ctx, reach);
    return n;
}

static pith_status by_stage(pith_model *student, const pithp_teacher *t, pithp_pair *pairs, int *n)
{
    stage a[PITHP_MAX_PAIRS], b[PITHP_MAX_PAIRS];
    int n_a = stages(student, a), n_b = stages(t->m, b);
    if (n_a < 0 || n_b < 0)
        return PITH_ENOMEM;
    *n = 0;
    for (int i = 0; i < n_a; i++) {
        int j = find_stage(b, n_b, a[i].h, a[i].w);
        if (j >= 0)
            pairs[(*n)++] = (pithp_pair){ a[i].t, b[j].t };
    }
    if (*n > 0)
        return PITH_OK;
    return pithp_error(
        student->ctx, PITH_ESHAPE,
        "distillation: student '%s' and %s have no images of the same size inside; name pairs of "
        "layers, or choose another kind (response)",
        student->name, t->label);
}

/* ---- Names ----------------------------------------------------------------------------------------------- */
static pith_status joins(const pithp_pair *p, const pithp_teacher *t, const pith_distill_pair *names)
{
    char a[96], b[96];
    const pith_shape *s = &p->student->shape, *u = &p->teacher->shape;
    if (s->ndim == 4 && u->ndim == 4 && s->d[1] == u->d[1] && s->d[2] == u->d[2])
        return PITH_OK;
    return pithp_error(
        p->student->g->ctx, PITH_ESHAPE,
        "distillation: '%.60s' of the student is %s, '%.60s' of %s is %s; images [N,H,W,C] of the same "
        "height and width are expected: a 1x1 regressor joins any channels, but no sizes",
        names->student, pithp_shape_text(*s, a), names->teacher, t->label, pithp_shape_text(*u, b));
}

pith_status pithp_pairs(pith_model *student, pithp_teacher *t, const pith_distill_cfg *cfg, bool middle,
                        pithp_pair pairs[PITHP_MAX_PAIRS], int *n)
{
    if (cfg->n_pairs == 0) {
        pith_status s = by_stage(student, t, pairs, n);
        if (s == PITH_OK && middle) {
            pairs[0] = pairs[*n / 2];
            *n = 1;
        }
        return s;
    }
    for (*n = 0; *n < cfg->n_pairs; ++*n) {
        pithp_pair *p = &pairs[*n];
        p->student = pith_tap(student, cfg->pairs[*n].student);
        p->teacher = p->student == NULL ? NULL : pith_tap(t->m, cfg->pairs[*n].teacher);
        if (p->teacher == NULL)
            return student->ctx->status;
        pith_status s = joins(p, t, &cfg->pairs[*n]);
        if (s != PITH_OK)
            return s;
    }
    return PITH_OK;
}

/* ---- One vector a sample ---------------------------------------------------------------------------------- */
/* Back from the output along first operands, past what only rounds or scales it. */
static pith_tensor *before_last(const pith_model *m)
{
    pith_tensor *t = m->output;
    while (t != NULL && t->n_in > 0 && pithp_shape_eq(t->shape, m->output->shape))
        t = t->in[0];
    return t;
}

pith_tensor *pithp_embedding(pith_model *m, const char *name)
{
    char text[96];
    pith_tensor *t = name != NULL ? pith_tap(m, name) : before_last(m);
    if (t == NULL)
        return NULL;
    if (t->shape.ndim == 4)
        t = pith_global_avgpool(t);
    if (t->poison || t->shape.ndim == 2)
        return t->poison ? NULL : t;
    pithp_error(m->ctx, PITH_ESHAPE,
                "distillation: '%.60s' of model '%s' is %s; one vector a sample, [N,D], or an image, "
                "[N,H,W,C], is expected",
                name != NULL ? name : pith_name(t), m->name, pithp_shape_text(t->shape, text));
    return NULL;
}
