/* ops/fuse_quant.c: fake_quant(act(folded_batch_norm(conv))) becomes one step (quant_conv.c). */
#include "ops/fused.h"
#include "ops/integer.h"
#include "ops/quant_conv.h"
#include "ops/table.h"

#include <string.h>

typedef bool (*single_fn)(void *arg, const pith_tensor *x);

/* Goes down one node, which is absorbed. */
static const pith_tensor *down(const pith_tensor *t, single_fn single, void *arg, pithp_fused *f)
{
    const pith_tensor *x = t->in[0];
    if (!single(arg, x))
        return NULL;
    f->absorbed[f->n_absorbed++] = (pith_tensor *)(uintptr_t)x;
    return x;
}

static bool base_of(const pith_tensor *t, pithp_quant_conv_attr *a)
{
    a->dense = t->op == &pithp_op_dense;
    if (a->dense)
        return true;
    if (t->op != &pithp_op_conv2d && t->op != &pithp_op_depthwise_conv2d)
        return false;
    memcpy(&a->conv, t->attr, sizeof a->conv);
    return true;
}

static void operands(pithp_fused *f, const pith_tensor *base, const pith_tensor *norm)
{
    f->n_in = PITHP_QC_IN;
    for (int i = 0; i < PITHP_QC_IN; i++)
        f->in[i] = NULL;
    for (int i = 0; i < base->n_in; i++)
        f->in[i] = base->in[i];
    for (int i = 1; norm != NULL && i < norm->n_in; i++)
        f->in[PITHP_QC_BIAS + i] = norm->in[i];
}

_Static_assert(sizeof(pithp_quant_conv_attr) <= sizeof(((pithp_fused *)0)->attr.bytes), "attr is too small");

bool pithp_fuse_quant_conv(const pith_tensor *t, single_fn single, void *arg, pithp_fused *f)
{
    pithp_quant_conv_attr a = { .act = PITHP_ACT_NONE };
    const pith_tensor *at = t, *norm = NULL;
    if (pithp_fq_of_activation(t)) {
        a.out = t;
        at = down(t, single, arg, f);
    }
    if (at != NULL && (at->op == &pithp_op_relu || at->op == &pithp_op_relu6)) {
        a.act = at->op == &pithp_op_relu ? PITHP_ACT_RELU : PITHP_ACT_RELU6;
        at = down(at, single, arg, f);
    }
    if (at != NULL && at->op == &pithp_op_folded_batch_norm) {
        norm = at;
        a.norm = true;
        memcpy(&a.bn, norm->attr, sizeof a.bn);
        at = down(at, single, arg, f);
    }
    if (at == NULL || at->op == NULL || !base_of(at, &a) || (norm == NULL && a.out == NULL) ||
        (norm != NULL && at->n_in > 2 && at->in[2] != NULL)) {
        f->n_absorbed = 0;
        return false;
    }
    a.w = pithp_is_fake_quant(at->in[1]) ? at->in[1] : NULL;
    a.x = pithp_grid_of(at->in[0]);
    operands(f, at, norm);
    const pith_tensor *scale = a.out != NULL ? a.out->in[PITHP_FQ_SCALE] : NULL;
    if (f->train && scale != NULL && (scale->kind == PITHP_NODE_PARAM || scale->require_grad))
        f->in[PITHP_QC_SCALE] = a.out->in[PITHP_FQ_SCALE]; /* it has a gradient */
    f->op = &pithp_op_quant_conv;
    memcpy(f->attr.bytes, &a, sizeof a);
    return true;
}
