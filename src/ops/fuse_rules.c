/* Which chains of nodes the planner replaces by one fused step. A rule looks at the last node of a chain. */
#include "ops/fused.h"
#include "ops/common.h"

#include <string.h>

typedef bool (*single_fn)(void *arg, const pith_tensor *x);

static bool act_of(const pith_op *op, pithp_act *act)
{
    static const struct {
        const pith_op *op;
        pithp_act act;
    } known[] = { { &pithp_op_relu, PITHP_ACT_RELU },
                  { &pithp_op_relu6, PITHP_ACT_RELU6 },
                  { &pithp_op_silu, PITHP_ACT_SILU },
                  { &pithp_op_sigmoid, PITHP_ACT_SIGMOID },
                  { &pithp_op_hard_swish, PITHP_ACT_HARD_SWISH },
                  { &pithp_op_hard_sigmoid, PITHP_ACT_HARD_SIGMOID } };
    for (size_t i = 0; i < PITHP_LEN(known); i++)
        if (op == known[i].op) {
            *act = known[i].act;
            return true;
        }
    return false;
}

static void absorb(pithp_fused *f, const pith_tensor *t)
{
    f->absorbed[f->n_absorbed++] = (pith_tensor *)(uintptr_t)t;
}

/* act(batch_norm(conv)) or batch_norm(conv) ending in t. t itself stays: it is the value that exists. */
static bool match_chain(const pith_tensor *t, single_fn single, void *arg, pithp_fused *f)
{
    pithp_conv_bn_act_attr a = { .act = PITHP_ACT_NONE };
    const pith_tensor *bn = t;
    if (act_of(t->op, &a.act)) {
        bn = t->in[0];
        if (!single(arg, bn))
            return false;
        absorb(f, bn);
    }
    if (bn->op != &pithp_op_batch_norm)
        return false;
    const pith_tensor *conv = bn->in[0];
    if (!single(arg, conv))
        return false;
    bool is_conv = conv->op == &pithp_op_conv2d || conv->op == &pithp_op_depthwise_conv2d;
    if (!is_conv || (conv->n_in > 2 && conv->in[2] != NULL))
        return false;
    absorb(f, conv);
    memcpy(&a.conv, conv->attr, sizeof a.conv);
    memcpy(&a.bn, bn->attr, sizeof a.bn);
    memcpy(f->attr.bytes, &a, sizeof a);
    f->op = &pithp_op_conv_bn_act;
    f->in[0] = conv->in[0];
    f->in[1] = conv->in[1];
    for (int i = 1; i <= 4; i++)
        f->in[1 + i] = bn->in[i];
    f->in[6] = NULL;
    f->n_in = 7;
    return true;
}

static bool conv_bn_act(const pith_tensor *t, single_fn single, void *arg, pithp_fused *f)
{
    return match_chain(t, single, arg, f);
}

/* act(batch_norm(conv)) + res: the add's other operand, of the same shape, joins as the residual. */
static bool conv_bn_act_add(const pith_tensor *t, single_fn single, void *arg, pithp_fused *f)
{
    if (t->op != &pithp_op_add || !pithp_shape_eq(t->in[0]->shape, t->in[1]->shape))
        return false;
    for (int side = 0; side < 2; side++) {
        const pith_tensor *branch = t->in[side], *res = t->in[1 - side];
        *f = (pithp_fused){ 0 };
        /* the branch must be the later one, so that everything it needs, and res, stand before this step */
        if (branch->kind != PITHP_NODE_OP || !single(arg, branch) || !match_chain(branch, single, arg, f))
            continue;
        absorb(f, branch);
        f->in[6] = (pith_tensor *)(uintptr_t)res;
        return true;
    }
    return false;
}

_Static_assert(sizeof(pithp_conv_bn_act_attr) <= sizeof(((pithp_fused *)0)->attr.bytes), "attr is too small");

const pithp_fuse_rule pithp_fuse_rules[] = { pithp_fuse_hybrid, pithp_fuse_quant_conv, pithp_fuse_quant_point,
                                             conv_bn_act_add, conv_bn_act };
const size_t pithp_fuse_rules_n = PITHP_LEN(pithp_fuse_rules);
