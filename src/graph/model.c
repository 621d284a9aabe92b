/* Models: tracing a network once, laying its weights out in flat blocks, copying. */
#include "graph/model.h"

#include <fnmatch.h>
#include <string.h>

static void model_destroy(pith_ctx *c, pithp_obj *o)
{
    pith_model *m = (pith_model *)o;
    for (size_t i = 0; i < m->n_meta; i++) {
        pithp_free(c, m->meta[i].key);
        pithp_free(c, m->meta[i].value);
    }
    pithp_free(c, m->meta);
    for (pithp_graph *g = m->g, *older; g != NULL; g = older) {
        older = g->older;
        pithp_graph_free_plans(c, g);
        pithp_destroy(c, &g->obj);
    }
    pithp_free(c, m->params);
    pithp_free(c, m->weights);
    pithp_free(c, m->grads);
    pithp_free(c, m->masks);
    pithp_free(c, m->name);
    pithp_free(c, m);
}

void pith_model_free(pith_model *m)
{
    if (m != NULL)
        pithp_destroy(m->ctx, &m->obj);
}

pith_model *pithp_model_begin(pith_ctx *c, const char *name, pith_shape input, const char *input_name)
{
    if (input.ndim < 1 || input.ndim >= PITH_MAX_DIMS) {
        pithp_error(c, PITH_EINVAL, "model '%s': the shape of one sample must have 1 to %d sizes", name,
                    PITH_MAX_DIMS - 1);
        return NULL;
    }
    pith_model *m = PITHP_NEW(c, pith_model);
    if (m == NULL)
        return NULL;
    m->ctx = c;
    m->g = pithp_graph_new(c);
    /* owned after its graph, so that it is destroyed before it and can take it along */
    pithp_own(c, &m->obj, model_destroy);
    if (m->g != NULL && (m->name = pithp_strdup(c, name)) != NULL) {
        m->g->defer = true;
        pith_shape batched = { input.ndim + 1, { 1 } };
        for (int i = 0; i < input.ndim; i++)
            batched.d[i + 1] = input.d[i];
        m->input = pithp_node_input(m->g, input_name, PITH_F32, batched);
        if (!m->input->poison)
            return m;
    }
    pith_model_free(m);
    return NULL;
}

static int64_t padded(const pith_tensor *t)
{
    int64_t lanes = 64 / (int64_t)sizeof(pith_real);
    return (pithp_count(t->shape) + lanes - 1) / lanes * lanes;
}

/* Counts, allocates the blocks, and hands out their pieces: parameters first, then state. */
static pith_status lay_out(pith_model *m)
{
    pithp_graph *g = m->g;
    int64_t at = 0;
    m->params = PITHP_NEW_N(m->ctx, pith_tensor *, g->n);
    if (m->params == NULL)
        return PITH_ENOMEM;
    for (size_t i = 0; i < g->n; i++)
        if (g->nodes[i]->kind == PITHP_NODE_PARAM) {
            m->params[m->n_param_nodes++] = g->nodes[i];
            m->n_params += padded(g->nodes[i]);
        } else if (g->nodes[i]->kind == PITHP_NODE_STATE) {
            m->n_weights += padded(g->nodes[i]);
        }
    m->n_weights += m->n_params;
    m->weights = PITHP_NEW_N(m->ctx, pith_real, m->n_weights + 1);
    m->grads = PITHP_NEW_N(m->ctx, pith_real, m->n_params + 1);
    if (m->weights == NULL || m->grads == NULL)
        return PITH_ENOMEM;
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < g->n; i++) {
            pith_tensor *t = g->nodes[i];
            if (t->kind != (pass == 0 ? PITHP_NODE_PARAM : PITHP_NODE_STATE))
                continue;
            t->value = m->weights + at;
            t->grad = pass == 0 ? m->grads + at : NULL;
            at += padded(t);
        }
    return PITH_OK;
}

static pith_status output_ok(pith_model *m, pith_tensor *out)
{
    char text[96];
    if (out == NULL || out->poison)
        return m->ctx->status ? m->ctx->status
                              : pithp_error(m->ctx, PITH_EINVAL,
                                            "model '%s': the network function returned no tensor", m->name);
    if (out->g != m->g)
        return pithp_error(m->ctx, PITH_EINVAL, "model '%s': the output was not built from the model's input",
                           m->name);
    if (out->kind != PITHP_NODE_OP || out->dtype != PITH_F32 || out->shape.ndim < 2)
        return pithp_error(m->ctx, PITH_ESHAPE, "model '%s': the output must be float32 [N,...], not %s %s",
                           m->name, pithp_dtype_name(out->dtype), pithp_shape_text(out->shape, text));
    return PITH_OK;
}

pith_status pithp_model_finish(pith_model *m, pith_tensor *output, bool fill)
{
    pith_status s = output_ok(m, output);
    if (s == PITH_OK)
        s = lay_out(m);
    if (s != PITH_OK)
        return s;
    m->output = output;
    m->g->defer = false;
    for (size_t i = 0; i < m->g->n && fill; i++) {
        pith_tensor *t = m->g->nodes[i];
        if (t->kind == PITHP_NODE_PARAM || t->kind == PITHP_NODE_STATE)
            pithp_node_fill(t);
    }
    return PITH_OK;
}

pith_model *pith_model_new(pith_ctx *c, pith_net_fn net, void *user, pith_shape input)
{
    pith_model *m = pithp_model_begin(c, "custom", input, "input");
    if (m == NULL)
        return NULL;
    if (pithp_model_finish(m, net(m, m->input, user), true) == PITH_OK)
        return m;
    pith_model_free(m);
    return NULL;
}

pith_ctx *pith_model_ctx(const pith_model *m) { return m->ctx; }
pith_tensor *pith_model_input(const pith_model *m) { return m->input; }
pith_tensor *pith_model_output(const pith_model *m) { return m->output; }
const char *pith_model_name(const pith_model *m) { return m->name; }
pith_tensor *pith_model_find(const pith_model *m, const char *name) { return pithp_graph_find(m->g, name); }

pith_tensor *pith_model_param(const pith_model *m, int i)
{
    return i < 0 || i >= m->n_param_nodes ? NULL : m->params[i];
}

pith_real *pith_model_weights(const pith_model *m, int64_t *n)
{
    if (n != NULL)
        *n = m->n_weights;
    return m->weights;
}

pith_tensor *pith_model_add_input(pith_model *m, const char *name, pith_dtype dtype, pith_shape shape)
{
    pith_shape batched = { shape.ndim + 1, { 1 } };
    for (int i = 0; i < shape.ndim && i < PITH_MAX_DIMS - 1; i++)
        batched.d[i + 1] = shape.d[i];
    pith_tensor *t = pithp_graph_find(m->g, name);
    if (t == NULL)
        return pithp_node_input(m->g, name, dtype, batched);
    if (t->kind == PITHP_NODE_INPUT && t->dtype == dtype && pithp_shape_eq(t->shape, batched))
        return t;
    pithp_error(m->ctx, PITH_EINVAL, "model '%s': '%s' is already the name of something else", m->name, name);
    return &m->g->poison;
}

/* A parameter can be frozen, and a node whose op has a boolean attribute "frozen" (batch norm). NULL: t cannot. */
static bool *frozen_flag(pith_tensor *t)
{
    if (t->kind == PITHP_NODE_PARAM)
        return &t->frozen;
    const pith_attr_field *f = t->kind == PITHP_NODE_OP ? t->op->fields : NULL;
    for (; f != NULL && f->name != NULL; f++)
        if (f->kind == PITH_ATTR_BOOL && strcmp(f->name, "frozen") == 0)
            return (bool *)((char *)t->attr + f->offset);
    return NULL;
}

void pithp_model_get_frozen(const pith_model *m, uint8_t *flags)
{
    for (size_t i = 0; i < m->g->n; i++) {
        const bool *f = frozen_flag(m->g->nodes[i]);
        flags[i] = f != NULL && *f;
    }
}

void pithp_model_set_frozen(pith_model *m, const uint8_t *flags, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool *f = frozen_flag(m->g->nodes[i]);
        if (f != NULL)
            *f = flags[i];
    }
    m->g->version++;
}

int pith_model_freeze(pith_model *m, const char *pattern, bool frozen)
{
    int matched = 0;
    for (size_t i = 0; i < m->g->n; i++) {
        pith_tensor *t = m->g->nodes[i];
        if (t->name == NULL || fnmatch(pattern, t->name, 0) != 0)
            continue;
        bool *f = frozen_flag(t);
        if (f != NULL)
            *f = frozen;
        matched += t->kind == PITHP_NODE_PARAM;
    }
    m->g->version++;
    return matched;
}

/* ---- What is saved ---- */
void pithp_model_mark(const pith_model *m, uint8_t *marks)
{
    memset(marks, 0, m->g->n);
    marks[m->output->id] = marks[m->input->id] = 1;
    for (size_t id = m->output->id + 1; id-- > 0;) {
        const pith_tensor *t = m->g->nodes[id];
        for (int i = 0; i < t->n_in && marks[id]; i++)
            if (t->in[i] != NULL)
                marks[t->in[i]->id] = 1;
    }
}
