/* base/own.c: what a context owns, and its one error: the part of a context that the small runtime has too. */
#include "base/base.h"

void pithp_own(pith_ctx *c, pithp_obj *o, void (*destroy)(pith_ctx *, pithp_obj *))
{
    o->destroy = destroy;
    o->prev = &c->owned;
    o->next = c->owned.next;
    o->next->prev = o;
    c->owned.next = o;
}

void pithp_disown(pith_ctx *c, pithp_obj *o)
{
    (void)c;
    if (!o->next)
        return;
    o->prev->next = o->next;
    o->next->prev = o->prev;
    o->next = o->prev = NULL;
}

void pithp_destroy(pith_ctx *c, pithp_obj *o)
{
    if (!o)
        return;
    pithp_disown(c, o);
    o->destroy(c, o);
}

void pithp_ring_open(pith_ctx *c) { c->owned.next = c->owned.prev = &c->owned; }

void pithp_ring_close(pith_ctx *c)
{
    while (c->owned.next != &c->owned)
        pithp_destroy(c, c->owned.next);
}

/* NULL is what a context is when memory ran out; asking it for its status says so. */

pith_status pith_ctx_status(const pith_ctx *c) { return c ? c->status : PITH_ENOMEM; }

const char *pith_error_text(const pith_ctx *c) { return c ? c->error : "out of memory for the context"; }

const char *pith_error_where(const pith_ctx *c) { return c ? c->where : ""; }

void pith_ctx_clear(pith_ctx *c)
{
    if (!c)
        return;
    c->status = PITH_OK;
    c->error[0] = c->where[0] = 0;
}
