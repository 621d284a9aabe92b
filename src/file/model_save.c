/* file/model_save.c: a model into a safetensors file. graph_json.h shows what the graph looks like there. */
#include "file/graph_json.h"
#include <stdlib.h>
#include <string.h>

static const char *const dtype_of[] = {
    [PITH_F32] = "f32", [PITH_I32] = "i32", [PITH_U8] = "u8", [PITH_I8] = "i8"
};
static const pithp_st_dtype stored[] = {
    [PITH_F32] = PITHP_ST_REAL, [PITH_I32] = PITHP_ST_I32, [PITH_U8] = PITHP_ST_U8, [PITH_I8] = PITHP_ST_I8
};
static const char *const kinds[] = { [PITHP_NODE_OP] = "op",
                                     [PITHP_NODE_DATA] = "data",
                                     [PITHP_NODE_INPUT] = "input",
                                     [PITHP_NODE_PARAM] = "param",
                                     [PITHP_NODE_STATE] = "state" };

static json_t *text_or_null(const char *s) { return s ? json_string(s) : json_null(); }

static pith_status refuse(const pithp_saved *s, size_t i, const char *why, const char *what)
{
    char show[PITHP_SHOW], shown[PITHP_SHOW];
    return pithp_error(s->c, PITH_EINVAL, "the model cannot be saved: node %zu ('%s') %s%s%s", i,
                       pithp_show(pith_name(s->nodes[i]), show), why, what ? " " : "",
                       what ? pithp_show(what, shown) : "");
}

/* Whatever loading would refuse is refused here, before anything is written. */
static pith_status saveable(const pithp_saved *s, size_t i, const pith_model *m)
{
    const pith_tensor *t = s->nodes[i];
    if (t->name && strlen(t->name) > PITHP_MAX_NAME)
        return refuse(s, i, "has a name of more than 1000 bytes; give it a shorter one", NULL);
    if (t->kind == PITHP_NODE_INPUT && t != m->input)
        return refuse(s, i, "is another input than the model's, and the output depends on it", NULL);
    if (t->kind != PITHP_NODE_OP)
        return PITH_OK;
    if (!pithp_attr_table_ok(t->op))
        return refuse(s, i, "has attributes, and the table of fields does not describe them, of op",
                      t->op->name);
    return PITH_OK;
}

/* The values of the saved nodes as they will stand in the file; NULL: as they are. */
typedef struct {
    pithp_stored *how; /* [n]; bits 16: halves */
    void **bytes;      /* [n] */
    size_t n;
} brief;

enum { HALF = 16 };

static void brief_free(pith_ctx *c, brief *b)
{
    for (size_t i = 0; b->bytes && i < b->n; i++)
        pithp_free(c, b->bytes[i]);
    pithp_free(c, b->bytes);
    pithp_free(c, b->how);
}

/* Whatever loses nothing: codes where the op that reads the leaf says so, halves in a model that was made float16. */
static pith_status brief_init(brief *b, const pithp_saved *s, const pith_model *m)
{
    const char *scheme = pith_model_meta(m, PITHP_META_QUANTIZATION);
    bool half = scheme && !strcmp(scheme, "float16");
    pith_status st = PITH_OK;
    b->n = s->n;
    b->how = PITHP_NEW_N(s->c, pithp_stored, s->n);
    b->bytes = PITHP_NEW_N(s->c, void *, s->n);
    if (!b->how || !b->bytes)
        return PITH_ENOMEM;
    for (size_t i = 0; i < s->n && !st; i++) {
        if (s->tensor[i])
            st = pithp_pack_leaf(s, s->nodes[i], &b->how[i], &b->bytes[i]);
        if (!st && half && s->nodes[i]->kind == PITHP_NODE_PARAM && !b->bytes[i]) {
            st = pithp_pack_half(s->c, s->nodes[i], &b->bytes[i]);
            b->how[i].bits = HALF;
        }
    }
    return st;
}

static json_t *stored_json(const pithp_saved *s, const pithp_stored *how)
{
    return json_pack("{s:i, s:i, s:o}", "bits", how->bits, "axis", how->scale ? how->axis : -1, "scale",
                     how->scale ? json_integer(s->id[how->scale->id]) : json_null());
}

static void put_values(const pithp_saved *s, size_t i, const brief *b, pithp_st_writer *w)
{
    const pith_tensor *t = s->nodes[i];
    pith_shape shape = t->shape;
    if (!b || !b->bytes[i])
        pithp_st_add(w, s->tensor[i], stored[t->dtype], shape, t->value);
    else if (b->how[i].bits == HALF)
        pithp_st_add(w, s->tensor[i], PITHP_ST_F16, shape, b->bytes[i]);
    else {
        pithp_st_dtype type = pithp_packed_type(&b->how[i], b->how[i].scale != NULL, t->shape, &shape);
        pithp_st_add(w, s->tensor[i], type, shape, b->bytes[i]);
    }
}

static json_t *inputs_json(const pithp_saved *s, const pith_tensor *t)
{
    json_t *j = json_array();
    for (int i = 0; i < t->n_in; i++)
        json_array_append_new(j, t->in[i] ? json_integer(s->id[t->in[i]->id]) : json_null());
    return j;
}

/* NULL: an error is recorded. */
static json_t *node_json(const pithp_saved *s, size_t i, const brief *b)
{
    const pith_tensor *t = s->nodes[i];
    const char *bad = NULL;
    json_t *j = json_pack("{s:I, s:s, s:o}", "id", (json_int_t)i, "kind", kinds[t->kind], "name",
                          text_or_null(t->name));
    int failed = !j;
    if (t->kind == PITHP_NODE_OP) {
        json_t *attrs = pithp_attr_to_json(t->op, t->attr, &bad);
        failed |= json_object_set_new(j, "op", json_string(t->op->name));
        failed |= json_object_set_new(j, "inputs", inputs_json(s, t));
        failed |= json_object_set_new(j, "attrs", attrs);
    } else if (t->kind != PITHP_NODE_INPUT) {
        failed |= json_object_set_new(j, "tensor", json_string(s->tensor[i]));
    }
    if (t->kind == PITHP_NODE_INPUT || t->kind == PITHP_NODE_DATA)
        failed |= json_object_set_new(j, "dtype", json_string(dtype_of[t->dtype]));
    if (t->kind == PITHP_NODE_PARAM) {
        failed |= json_object_set_new(j, "decay", json_boolean(t->decay));
        failed |= json_object_set_new(j, "frozen", json_boolean(t->frozen));
    }
    if (b && b->bytes[i] && b->how[i].bits != HALF)
        failed |= json_object_set_new(j, "stored", stored_json(s, &b->how[i]));
    failed |= json_object_set_new(j, "shape", pithp_shape_to_json(t->shape));
    if (!failed)
        return j;
    json_decref(j);
    if (bad)
        refuse(s, i, "has an unusable attribute", bad);
    else
        refuse(s, i, "has a name or attribute that is not valid UTF-8 (or memory ran out)", NULL);
    return NULL;
}

/* The graph as text, to be freed with free(); NULL: an error is recorded. */
static char *graph_text(const pithp_saved *s, const pith_model *m, const brief *b, pith_status *status)
{
    json_t *nodes = json_array(), *root = NULL;
    char *text = NULL;
    for (size_t i = 0; i < s->n && !*status; i++) {
        json_t *node = NULL;
        *status = saveable(s, i, m);
        if (!*status && (!(node = node_json(s, i, b)) || json_array_append_new(nodes, node)))
            *status = PITH_EINVAL;
    }
    if (!*status) {
        root = json_pack("{s:i, s:s, s:I, s:I, s:O}", "format", PITHP_GRAPH_VERSION, "name", m->name, "input",
                         (json_int_t)s->id[m->input->id], "output", (json_int_t)s->id[m->output->id], "nodes",
                         nodes);
        text = root ? json_dumps(root, JSON_COMPACT) : NULL;
        if (!text)
            *status =
                pithp_error(s->c, PITH_EINVAL,
                            "the model cannot be saved: its name is not valid UTF-8 (or memory ran out)");
        else
            *status = pithp_json_limits(s->c, "the model cannot be saved: its graph", text, strlen(text));
    }
    json_decref(root);
    json_decref(nodes);
    return text;
}

static pith_status put_meta(const pith_model *m, pithp_st_writer *w)
{
    for (size_t i = 0; i < m->n_meta && !w->status; i++) {
        char *key = pithp_sprintf(m->ctx, PITHP_META_PREFIX "%s", m->meta[i].key);
        if (!key)
            return w->status = PITH_ENOMEM;
        pithp_st_add_meta(w, key, m->meta[i].value);
        pithp_free(m->ctx, key);
    }
    return w->status;
}

/* b: filled in with what must live until commit; NULL: all values as they are. */
static pith_status put(const pith_model *m, pithp_st_writer *w, brief *b)
{
    pithp_saved s;
    char *text = NULL;
    if (w->status)
        return w->status;
    w->status = pithp_saved_init(&s, m);
    if (!w->status && (s.n > PITHP_MAX_NODES || strlen(m->name) > PITHP_MAX_NAME))
        w->status = pithp_error(
            m->ctx, PITH_EINVAL,
            "the model cannot be saved: it has %u nodes and a name of %zu bytes; files hold %d and %d", s.n,
            strlen(m->name), PITHP_MAX_NODES, PITHP_MAX_NAME);
    if (!w->status && b)
        w->status = brief_init(b, &s, m);
    if (!w->status)
        text = graph_text(&s, m, b, &w->status);
    if (!w->status)
        pithp_st_add_meta(w, PITHP_GRAPH_KEY, text);
    for (size_t i = 0; i < s.n && !w->status; i++)
        if (s.tensor[i])
            put_values(&s, i, b, w);
    pithp_masks_put(&s, w);
    free(text);
    pithp_saved_free(&s);
    return w->status ? w->status : put_meta(m, w);
}

pith_status pithp_model_put(const pith_model *m, pithp_st_writer *w) { return put(m, w, NULL); }

pith_status pithp_model_bytes(const pith_model *m, uint8_t **bytes, size_t *n)
{
    pithp_st_writer w;
    brief b = { 0 };
    pithp_st_writer_init(m->ctx, &w);
    put(m, &w, &b);
    pith_status s = pithp_st_render(&w, bytes, n);
    pithp_st_writer_free(&w);
    brief_free(m->ctx, &b);
    return s;
}

pith_status pith_model_save(const pith_model *m, const char *path, bool keep_previous)
{
    pithp_st_writer w;
    brief b = { 0 };
    pithp_st_writer_init(m->ctx, &w);
    put(m, &w, &b);
    pith_status s = pithp_st_commit(&w, path, keep_previous);
    pithp_st_writer_free(&w);
    brief_free(m->ctx, &b);
    return s;
}
