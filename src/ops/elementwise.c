/* ops/elementwise.c: passes of the ops of one operand. */
#include "ops/elementwise.h"

void pithp_unary_forward(const pith_call *k, pithp_unary f)
{
    const pithp_unary_attr *a = k->attr;
    pithp_run_unary(pithp_call_env(k), f, k->in[0].data, pithp_count(k->out.shape), a ? (pith_real)a->p0 : 0,
                    a ? (pith_real)a->p1 : 0, k->out.data);
}

void pithp_unary_backward(const pith_call *k, pithp_unary f)
{
    const pithp_unary_attr *a = k->attr;
    if (!k->in[0].grad)
        return;
    /* Of x and y the kernel reads only what the op's `reads` asked for; the other must still be a pointer. */
    const pith_real *dy = k->out.grad, *x = k->in[0].data, *y = k->out.data;
    if (!x)
        x = y ? y : dy;
    if (!y)
        y = x;
    pithp_run_unary_grad(pithp_call_env(k), f, x, y, dy, pithp_count(k->out.shape), a ? (pith_real)a->p0 : 0,
                         a ? (pith_real)a->p1 : 0, k->in[0].grad, k->in[0].grad_add);
}
