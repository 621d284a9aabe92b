/* file/wants.c: the tensors of a file against those that a model wants. */
#include "file/graph_json.h"
#include "file/names.h"
#include <math.h>
#include <string.h>

static const pithp_st_dtype exact[] = {
    [PITH_F32] = PITHP_ST_REAL, [PITH_I32] = PITHP_ST_I32, [PITH_U8] = PITHP_ST_U8, [PITH_I8] = PITHP_ST_I8
};

static pith_status shape_and_type(const pithp_st_file *f, const pithp_st_tensor *t, const pithp_want *w)
{
    char show[PITHP_SHOW], have[96], want[96];
    pithp_show(t->name, show);
    if (w->stored.bits) {
        pith_shape packed;
        pithp_st_dtype type = pithp_packed_type(&w->stored, w->scale != NULL, w->shape, &packed);
        if (t->dtype == type && pithp_shape_eq(t->shape, packed))
            return PITH_OK;
        return pithp_error(f->c, PITH_EFORMAT, "%s: tensor '%s' is %s %s; codes of %d bits for %s are %s %s",
                           f->path, show, pithp_st_dtype_name(t->dtype), pithp_shape_text(t->shape, have),
                           w->stored.bits, pithp_shape_text(w->shape, want), pithp_st_dtype_name(type),
                           type == PITHP_ST_I8 ? "of the same shape" : "packed in one dimension");
    }
    bool real = t->dtype == PITHP_ST_F16 || t->dtype == PITHP_ST_BF16 || t->dtype == PITHP_ST_F32 ||
                t->dtype == PITHP_ST_F64;
    if (!pithp_shape_eq(t->shape, w->shape))
        return pithp_error(f->c, PITH_EFORMAT, "%s: tensor '%s' has shape %s; the model's graph expects %s",
                           f->path, show, pithp_shape_text(t->shape, have), pithp_shape_text(w->shape, want));
    if (w->dtype == PITH_F32 ? !real : t->dtype != exact[w->dtype])
        return pithp_error(f->c, PITH_EFORMAT, "%s: tensor '%s' has dtype %s; expected %s", f->path, show,
                           pithp_st_dtype_name(t->dtype),
                           w->dtype == PITH_F32 ? "F32 (or F16, BF16, F64)"
                                                : pithp_st_dtype_name(exact[w->dtype]));
    return PITH_OK;
}

pith_status pithp_want_fit(const pithp_st_file *f, const pithp_want *w, size_t n)
{
    char show[PITHP_SHOW];
    pithp_names missing = { 0 }, surplus = { 0 };
    pith_status s = PITH_OK;
    uint8_t *claimed = pithp_alloc(f->c, f->n + 1, 1);
    if (!claimed)
        return PITH_ENOMEM;
    for (size_t i = 0; i < n && !s; i++) {
        const pithp_st_tensor *t = pithp_st_find(f, w[i].tensor);
        if (!t) {
            pithp_names_add(&missing, w[i].tensor);
            continue;
        }
        const pithp_st_tensor *mask;
        s = pithp_mask_fit(f, &w[i], &mask);
        if (s)
            break;
        if (mask)
            claimed[mask - f->tensors]++;
        if (claimed[t - f->tensors]++)
            s = pithp_error(f->c, PITH_EFORMAT,
                            "%s: two nodes of the graph claim the tensor '%s'; expected one of them only",
                            f->path, pithp_show(t->name, show));
        else
            s = shape_and_type(f, t, &w[i]);
    }
    for (size_t i = 0; i < f->n && !s; i++)
        if (!claimed[i] && strncmp(f->tensors[i].name, PITHP_ST_TRAIN, strlen(PITHP_ST_TRAIN)))
            pithp_names_add(&surplus, f->tensors[i].name);
    pithp_free(f->c, claimed);
    if (!s && (pithp_names_any(&missing) || pithp_names_any(&surplus)))
        s = pithp_names_report(f, &missing, &surplus);
    return s;
}

/* Codes of a tensor to values; its scale has been read. */
static void fill_packed(const pithp_st_file *f, const pithp_want *w)
{
    const pithp_st_tensor *t = pithp_st_find(f, w->tensor);
    int64_t channels = w->scale ? pithp_count(w->scale->shape) : 1, inner = 1;
    for (int i = w->stored.axis + 1; channels > 1 && i < w->shape.ndim; i++)
        inner *= w->shape.d[i];
    pithp_unpack_leaf(t->data, w->stored.bits, pithp_count(w->shape), w->scale ? w->scale->to->value : NULL,
                      channels, inner, w->to->value);
}

static pith_status fill_plain(const pithp_st_file *f, const pithp_want *w)
{
    return w->dtype == PITH_F32 ? pithp_st_get_real(f, w->tensor, w->shape, w->to->value)
                                : pithp_st_get(f, w->tensor, exact[w->dtype], w->shape, w->to->value);
}

pith_status pithp_want_fill(const pithp_st_file *f, const pithp_want *w, size_t n)
{
    char show[PITHP_SHOW];
    const char *first = NULL;
    int64_t bad = 0;
    pith_status s = PITH_OK;
    for (size_t i = 0; i < n && !s; i++)
        if (!w[i].stored.bits)
            s = fill_plain(f, &w[i]);
    for (size_t i = 0; i < n && !s; i++) {
        if (w[i].stored.bits)
            fill_packed(f, &w[i]);
        const pith_real *v = w[i].to->value;
        for (int64_t k = 0; w[i].dtype == PITH_F32 && k < pithp_count(w[i].shape); k++)
            if (!isfinite(v[k])) {
                first = first ? first : w[i].tensor;
                bad++;
            }
    }
    if (first)
        pithp_log(f->c, PITH_LOG_WARN, "%s: %lld weights are not finite, the first of them in tensor '%s'",
                  f->path, (long long)bad, pithp_show(first, show));
    return s;
}
