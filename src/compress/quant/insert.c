/* compress/quant/insert.c: fake_quant nodes are put exactly where the lowering will quantize: behind the input, behind every
   op (with the batch norm and the activation that join it), and behind weights. Ops whose result keeps its operand's scale
   (reshape, max pool) get none; concat shares one scale with all that it joins. */
#include "compress/quant/quant.h"
#include "ops/table.h"

#include <math.h>
#include <string.h>

/* Nodes whose results share a scale: found by `root`. */
typedef struct {
    int up;       /* node above, itself at the root */
    int observer; /* root: the node whose fake_quant keeps the range, the others obey; -1: none yet */
    bool fixed;   /* root: the scale is the contract's */
    pith_tensor *scale, *zero, *seen; /* root: of the new graph, made when first needed */
} place;

typedef struct {
    const pith_model *m;
    const pith_quant_cfg *cfg;
    bool qat;
    const pith_tensor **users;
    place *at;                       /* [nodes] */
    const pith_tensor *first, *last; /* layers with weights */
    pithp_rewrite *r;
    const pith_tensor *now; /* node being recorded, for what expand() builds */
} pass;

static const pithp_integer *form(const pith_tensor *t) { return t->op != NULL ? t->op->integer : NULL; }
static const char *layer(const pith_tensor *t) { return t->name ? t->name : t->op ? t->op->name : "input"; }

static bool folds_into(const pass *p,
                       const pith_tensor *t) /* t is a batch norm that its convolution takes in */
{
    return t->op == &pithp_op_batch_norm && t->in[0]->op != NULL &&
           pithp_quant_joined(t->in[0], p->users) == t;
}

/* ---- Which results share a scale ---- */
static place *root(const pass *p, size_t id)
{
    while (p->at[id].up != (int)id)
        id = (size_t)p->at[id].up;
    return &p->at[id];
}

static bool join(pass *p, const pith_tensor *a, const pith_tensor *b)
{
    place *x = root(p, a->id), *y = root(p, b->id);
    if (x == y)
        return true;
    if (x->fixed || y->fixed) {
        pithp_error(
            p->m->ctx, PITH_EINVAL,
            "layer '%s' joins '%s', whose scale is fixed by the integer arithmetic, with others: it has no "
            "integer form; put an add or a convolution between them",
            layer(b), layer(a));
        return false;
    }
    x->up = y->up; /* the later one's root */
    y->observer = PITHP_MAX(x->observer, y->observer);
    return true;
}

/* A joined pair (conv and its batch norm, or activation) has its result at the last of them; nothing reads the others'. */
static bool group(pass *p, const uint8_t *marks)
{
    for (size_t id = 0; id < p->m->g->n; id++)
        p->at[id] = (place){ .up = (int)id, .observer = -1 };
    p->at[p->m->input->id].fixed = true;
    for (size_t id = 0; id < p->m->g->n; id++) {
        const pith_tensor *t = p->m->g->nodes[id];
        const pithp_integer *n = form(t);
        if (!marks[id] || n == NULL)
            continue;
        p->at[id].fixed = n->kind == PITHP_INT_FIXED;
        bool alias = n->kind == PITHP_INT_PASS || n->kind == PITHP_INT_SAME;
        if (alias) { /* a fixed scale passes through */
            p->at[id].up = p->at[t->in[0]->id].up;
            continue;
        }
        for (int i = 0; i < t->n_in && n->kind == PITHP_INT_JOIN; i++)
            if (!join(p, t->in[i], t))
                return false;
        if (n->kind == PITHP_INT_JOIN)
            root(p, id)->observer = (int)id;
    }
    return true;
}

/* ---- Nodes of the new graph ---- */
static pith_tensor *poison(const pass *p) { return &p->r->to->g->poison; }

static pith_tensor *leaf(pass *p, const char *name, const char *what, int64_t n, const pith_real *values,
                         bool param)
{
    char *full = pithp_sprintf(p->m->ctx, "%s.%s", name, what);
    if (full == NULL)
        return poison(p);
    pith_tensor *t = param ? pithp_rewrite_param(p->r, full, PITH_SHAPE(n), values, false)
                           : pithp_rewrite_state(p->r, full, PITH_SHAPE(n), values);
    pithp_free(p->m->ctx, full);
    return t;
}

static bool learned(const pass *p, int bits)
{
    return p->qat && (p->cfg->lsq > 0 || (p->cfg->lsq == 0 && bits < 8));
}

static pith_tensor *apply(const pass *p, const pithp_fq_attr *a, const char *name, pith_tensor *x,
                          pith_tensor *scale, pith_tensor *zero, pith_tensor *seen)
{
    (void)p;
    return pith_op_apply(&pithp_op_fake_quant, a, name, PITHP_FQ_IN,
                         (pith_tensor *[]){ x, scale, zero, seen });
}

/* Scale and zero point that the arithmetic fixes. */
static pith_tensor *fixed_quant(pass *p, pith_tensor *y, const char *name, pith_real scale, pith_real zero)
{
    pithp_fq_attr a = { .bits = 8, .axis = -1, .samples = true };
    return apply(p, &a, name, y, leaf(p, name, "out.scale", 1, &scale, false),
                 leaf(p, name, "out.zero_point", 1, &zero, false), NULL);
}

/* Behind the result y of node t, whose place says with whom it shares. */
static pith_tensor *result_quant(pass *p, const pith_tensor *t, pith_tensor *y, int bits)
{
    place *s = root(p, t->id);
    bool lsq = learned(p, bits);
    const pith_quant_cfg *f = p->cfg;
    if (s->scale == NULL) {
        s->scale = leaf(p, layer(t), "out.scale", 1, NULL, lsq);
        s->zero = leaf(p, layer(t), "out.zero_point", 1, NULL, false);
        s->seen = leaf(p, layer(t), "out.seen", PITHP_SEEN, NULL, false);
    }
    pithp_fq_attr a = { .bits = bits,
                        .mode =
                            s->observer < 0 || s->observer == (int)t->id ? PITHP_FQ_OBSERVE : PITHP_FQ_FIXED,
                        .axis = -1,
                        .samples = true,
                        .momentum = f->momentum };
    if (p->qat) {
        a.start = f->observe_steps;
        a.freeze = lsq ? f->observe_steps : f->freeze_ranges;
    }
    return apply(p, &a, layer(t), y, s->scale, s->zero, a.mode == PITHP_FQ_OBSERVE ? s->seen : NULL);
}

/* ---- Weights ---- */
static int weight_bits(const pass *p, const pith_tensor *t)
{
    int bits = t == p->first || t == p->last ? p->cfg->bits_ends : p->cfg->bits_weights;
    return pithp_quant_layer_bits(p->cfg, layer(t), bits);
}

/* Behind the weights w of layer t. start: values to guess a learned scale from. */
static pith_tensor *weight_quant(pass *p, const pith_tensor *t, pith_tensor *w, pith_real *start)
{
    const pithp_integer *n = form(t);
    int64_t c = w->shape.d[n->axis];
    bool channels = n->folds ? !p->cfg->conv_per_tensor : p->cfg->dense_per_channel;
    pithp_fq_attr a = { .bits = weight_bits(p, t),
                        .mode = PITHP_FQ_FOLLOW,
                        .symmetric = true,
                        .narrow = true,
                        .axis = channels ? n->axis : -1 };
    bool lsq = learned(p, a.bits);
    int64_t scales = channels ? c : 1;
    pith_real *guess = NULL;
    if (lsq) {
        a.mode = PITHP_FQ_FIXED;
        guess = PITHP_NEW_N(p->m->ctx, pith_real, scales);
        if (guess == NULL || pithp_quant_learned_start(p->m->ctx, layer(t), &a, start, w->shape, guess)) {
            pithp_free(p->m->ctx, guess);
            return poison(p);
        }
    }
    char *name = pithp_sprintf(p->m->ctx, "%s.weight", layer(t));
    pith_tensor *q = poison(p);
    if (name != NULL)
        q = apply(p, &a, name, w, leaf(p, name, "scale", scales, guess, lsq),
                  leaf(p, name, "zero_point", scales, NULL, false), NULL);
    pithp_free(p->m->ctx, name);
    pithp_free(p->m->ctx, guess);
    return q;
}

/* What the layer's weights will be when the batch norm is folded in; NULL bn: as they are. */
static pith_real *folded_values(const pass *p, const pith_tensor *t, const pith_tensor *bn)
{
    const pith_tensor *w = t->in[form(t)->weight];
    int64_t n = pithp_count(w->shape), c = w->shape.d[form(t)->axis], axis = form(t)->axis;
    pith_real *v = PITHP_NEW_N(p->m->ctx, pith_real, n);
    for (int64_t i = 0; v != NULL && i < n; i++) {
        int64_t ch = axis == 0 ? i / (n / c) : i % c;
        v[i] = w->value != NULL ? ((const pith_real *)w->value)[i] : 1;
        if (bn != NULL)
            v[i] *= ((const pith_real *)bn->in[1]->value)[ch] /
                    (pith_real)sqrt((double)((const pith_real *)bn->in[4]->value)[ch] +
                                    ((const pithp_bn_attr *)bn->attr)->eps);
    }
    return v;
}

/* ---- Layers ---- */
/* A convolution with the batch norm behind it, for training: weights folded, the rest of the norm after the products. A bias
   of the convolution moves into the running mean. */
static pith_tensor *folded_layer(pass *p, const pith_tensor *bn)
{
    pithp_rewrite *r = p->r;
    const pith_tensor *t = bn->in[0], *b = t->n_in > 2 ? t->in[2] : NULL;
    const pithp_bn_attr *norm = bn->attr;
    pith_tensor *gamma = r->map[bn->in[1]->id], *beta = r->map[bn->in[2]->id], *mean = r->map[bn->in[3]->id],
                *var = r->map[bn->in[4]->id];
    pithp_fold_attr fold = { .eps = norm->eps, .depthwise = form(t)->axis != 0 };
    if (!pithp_norm_known(bn))
        return poison(p);
    pith_real *start = folded_values(p, t, bn),
              *moved = PITHP_NEW_N(p->m->ctx, pith_real, pithp_count(mean->shape));
    pith_tensor *y = poison(p);
    if (start != NULL && moved != NULL) {
        for (int64_t i = 0; i < pithp_count(mean->shape); i++)
            moved[i] = ((const pith_real *)bn->in[3]->value)[i] - (b ? ((const pith_real *)b->value)[i] : 0);
        pith_tensor *w = pith_op_apply(&pithp_op_fold_weight, &fold, t->name, 3,
                                       (pith_tensor *[]){ r->map[t->in[1]->id], gamma, var });
        w = weight_quant(p, t, w, start);
        y = pith_op_apply(t->op, t->attr, t->name, 2, (pith_tensor *[]){ r->map[t->id], w });
        pithp_folded_attr a = { norm->momentum, norm->eps, norm->frozen, p->cfg->freeze_bn };
        y = pith_op_apply(
            &pithp_op_folded_batch_norm, &a, bn->name, 6,
            (pith_tensor *[]){ y, gamma, beta, mean, var, leaf(p, layer(bn), "runs", 1, NULL, false) });
        if (!pithp_rewrite_fill(r, mean, moved))
            y = poison(p);
    }
    pithp_free(p->m->ctx, start);
    pithp_free(p->m->ctx, moved);
    return y;
}

static pith_tensor *weighted_layer(pass *p, const pith_tensor *t)
{
    int at = form(t)->weight;
    pith_tensor *in[PITH_OP_MAX_IN] = { NULL };
    for (int i = 0; i < t->n_in; i++)
        in[i] = pithp_rewrite_in(p->r, t, i);
    pith_real *start = folded_values(p, t, NULL);
    in[at] = start == NULL ? poison(p) : weight_quant(p, t, in[at], start);
    pithp_free(p->m->ctx, start);
    return pith_op_apply(t->op, t->attr, t->name, t->n_in, in);
}

static bool skipped(const pass *p, const pith_tensor *t)
{
    return p->cfg->skip != NULL && t->name != NULL && pithp_quant_matches(p->cfg->skip, t->name);
}

static pith_tensor *no_form(const pass *p, const pith_tensor *t)
{
    const pithp_integer *n = form(t);
    const char *instead = n != NULL ? n->instead : NULL;
    if (n != NULL && n->kind == PITHP_INT_CLAMP)
        instead = "the activation right behind a convolution, dense layer, add or mul whose result nothing "
                  "else reads";
    pithp_error(p->m->ctx, PITH_EINVAL,
                "layer '%s': op %s has no integer form here%s%s; or name the layer in `skip`", layer(t),
                t->op->name, instead ? "; the nearest that has one: " : "", instead ? instead : "");
    return poison(p);
}

static pith_tensor *between(void *arg, pith_tensor *y)
{
    pass *p = arg;
    const pithp_integer *n = y->op != NULL ? y->op->integer : NULL;
    if (y->poison || n == NULL)
        return y;
    return fixed_quant(p, y, layer(p->now), (pith_real)n->scale, (pith_real)n->zero);
}

/* The node itself, without the fake_quant behind it. */
static pith_tensor *record(pass *p, const pith_tensor *t)
{
    const pithp_integer *n = form(t);
    pith_tensor *in[PITH_OP_MAX_IN];
    if (folds_into(p, t))
        return p->qat ? folded_layer(p, t) : no_form(p, t);
    if (n->expand != NULL) {
        for (int i = 0; i < t->n_in; i++)
            in[i] = pithp_rewrite_in(p->r, t, i);
        p->now = t;
        p->r->to->g->scope = t->name;
        pith_tensor *y = n->expand(in, between, p);
        p->r->to->g->scope = NULL;
        return y;
    }
    return n->weight > 0 ? weighted_layer(p, t) : pithp_rewrite_copy(p->r, t);
}

static pith_tensor *insert_node(pithp_rewrite *r, const pith_tensor *t, void *user)
{
    pass *p = user;
    const pithp_integer *n = form(t);
    p->r = r;
    if (t->op == NULL)
        return pithp_rewrite_copy(r, t);
    const pith_tensor *next = pithp_quant_joined(t, p->users);
    if (next != NULL && next->op == &pithp_op_batch_norm && !skipped(p, t) && !skipped(p, next))
        return r->map[t->in[0]->id]; /* waits at its input for the batch norm */
    if (skipped(p, t))
        return pithp_rewrite_copy(r, t);
    bool clamp = n != NULL && n->kind == PITHP_INT_CLAMP;
    bool joined = clamp && t->in[0]->op != NULL && pithp_quant_joined(t->in[0], p->users) == t;
    if (n == NULL || (n->kind == PITHP_INT_NONE && !folds_into(p, t)) || (clamp && !joined))
        return no_form(p, t);
    pith_tensor *y = record(p, t);
    if (n->kind == PITHP_INT_PASS || (n->kind == PITHP_INT_SAME && !n->rounds) || next != NULL)
        return y;
    if (n->kind == PITHP_INT_FIXED)
        return fixed_quant(p, y, layer(t), (pith_real)n->scale, (pith_real)n->zero);
    return result_quant(p, t, y, t == p->m->output ? 8 : p->cfg->bits_activations);
}

/* The input is a node that passes never see: what reads it reads what stands here for it. */
static pith_tensor *quantize_input(pith_model *m, pithp_rewrite *r, pass *p)
{
    p->r = r;
    (void)m;
    return fixed_quant(p, r->to->input, "input", (pith_real)(1.0 / 128), 0);
}

static pith_tensor *first_node(pithp_rewrite *r, const pith_tensor *t, void *user)
{
    pass *p = user;
    if (r->map[p->m->input->id] == r->to->input &&
        !(p->cfg->skip && pithp_quant_matches(p->cfg->skip, "input"))) {
        pith_tensor *x = quantize_input(r->to, r, p);
        if (x->poison)
            return x;
        r->map[p->m->input->id] = x;
    }
    return insert_node(r, t, user);
}

static void find_ends(pass *p, const uint8_t *marks)
{
    for (size_t id = 0; id < p->m->g->n; id++) {
        const pith_tensor *t = p->m->g->nodes[id];
        if (!marks[id] || form(t) == NULL || form(t)->weight == 0)
            continue;
        p->first = p->first ? p->first : t;
        p->last = t;
    }
}

pith_status pithp_quant_insert(pith_model *m, const pith_quant_cfg *cfg, bool qat)
{
    pith_ctx *c = m->ctx;
    pass p = { .m = m, .cfg = cfg, .qat = qat };
    uint8_t *marks = PITHP_NEW_N(c, uint8_t, m->g->n);
    p.at = PITHP_NEW_N(c, place, m->g->n);
    p.users = pithp_quant_users(m);
    bool ok = marks != NULL && p.at != NULL && p.users != NULL;
    if (ok) {
        pithp_model_mark(m, marks);
        find_ends(&p, marks);
        ok = group(&p, marks) && pithp_model_rewrite(m, first_node, &p) == PITH_OK;
    }
    pithp_free(c, marks);
    pithp_free(c, p.at);
    pithp_free(c, p.users);
    return ok ? PITH_OK : c->status;
}
