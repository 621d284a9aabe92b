/* file/masks.c: masks in model files: one bit an element, lowest first, of the parameter that is node N of the file, as tensor
   "pith.mask.N", U8 in one dimension. */
#include "file/graph_json.h"
#include <string.h>

typedef char mask_name[32];

static const char *name_of(size_t node, mask_name name)
{
    snprintf(name, sizeof(mask_name), PITHP_ST_MASK "%zu", node);
    return name;
}

static pith_shape packed_shape(pith_shape values)
{
    return PITH_SHAPE((int64_t)pithp_bits_bytes((size_t)pithp_count(values), 1));
}

pith_status pithp_masks_put(const pithp_saved *s, pithp_st_writer *w)
{
    mask_name name;
    for (size_t i = 0; i < s->n && !w->status; i++) {
        const pith_tensor *t = s->nodes[i];
        if (!t->mask)
            continue;
        const size_t n = (size_t)pithp_count(t->shape);
        uint8_t *bits = pithp_alloc(s->c, pithp_bits_bytes(n, 1), 1);
        if (!bits)
            return w->status = PITH_ENOMEM;
        pithp_bits_pack(t->mask, n, 1, bits);
        pithp_st_add_copy(w, name_of(i, name), PITHP_ST_U8, packed_shape(t->shape), bits);
        pithp_free(s->c, bits);
    }
    return w->status;
}

pith_status pithp_mask_fit(const pithp_st_file *f, const pithp_want *w, const pithp_st_tensor **found)
{
    mask_name name;
    char have[96], want[96];
    *found = w->param ? pithp_st_find(f, name_of(w->node, name)) : NULL;
    if (!*found)
        return PITH_OK;
    pith_shape packed = packed_shape(w->shape);
    if ((*found)->dtype == PITHP_ST_U8 && pithp_shape_eq((*found)->shape, packed))
        return PITH_OK;
    return pithp_error(f->c, PITH_EFORMAT,
                       "%s: the mask '%s' of tensor '%s' is %s %s; a bit for each of its elements, U8 %s, is "
                       "expected",
                       f->path, name, w->tensor, pithp_st_dtype_name((*found)->dtype),
                       pithp_shape_text((*found)->shape, have), pithp_shape_text(packed, want));
}

pith_status pithp_masks_get(pith_model *m, const pithp_st_file *f, const pithp_want *w, size_t n)
{
    pith_status s = PITH_OK;
    pithp_model_mask_clear(m);
    for (size_t i = 0; i < n && !s; i++) {
        const pithp_st_tensor *t;
        s = pithp_mask_fit(f, &w[i], &t);
        if (s || !t)
            continue;
        const size_t count = (size_t)pithp_count(w[i].shape);
        uint8_t *keep = pithp_alloc(m->ctx, count, 1);
        if (!keep)
            return PITH_ENOMEM;
        pithp_bits_unpack(t->data, count, 1, keep);
        s = pithp_model_mask_param(m, (pith_tensor *)(uintptr_t)w[i].to, keep);
        pithp_free(m->ctx, keep);
    }
    return s;
}
