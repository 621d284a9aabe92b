/* deploy/attr.c: attributes by name, through the table of fields that also writes them to model files: so an exporter need
   not know an op's private struct. */
#include "deploy/fgraph.h"
#include <string.h>

static const void *field(const pith_tensor *t, const char *name, pith_attr_kind *kind)
{
    const pith_attr_field *f = t->kind == PITHP_NODE_OP ? t->op->fields : NULL;
    for (; f && f->name; f++)
        if (!strcmp(f->name, name)) {
            *kind = f->kind;
            return (const char *)t->attr + f->offset;
        }
    return NULL;
}

int64_t pithp_attr_int(const pith_tensor *t, const char *name)
{
    pith_attr_kind kind;
    const void *p = field(t, name, &kind);
    if (!p)
        return 0;
    switch (kind) {
    case PITH_ATTR_INT: return *(const int *)p;
    case PITH_ATTR_INT64: return *(const int64_t *)p;
    case PITH_ATTR_BOOL: return *(const bool *)p;
    default: return 0;
    }
}

double pithp_attr_real(const pith_tensor *t, const char *name)
{
    pith_attr_kind kind;
    const void *p = field(t, name, &kind);
    return p && kind == PITH_ATTR_REAL ? *(const double *)p : 0;
}

pith_shape pithp_attr_shape(const pith_tensor *t, const char *name)
{
    pith_attr_kind kind;
    const void *p = field(t, name, &kind);
    return p && kind == PITH_ATTR_SHAPE ? *(const pith_shape *)p : PITH_SCALAR;
}
