/* ops/common.c: checks that op files share. */
#include "ops/common.h"
#include <string.h>

bool pithp_want_f32(pith_infer *q)
{
    for (int i = 0; i < q->n_in; i++)
        if (pithp_here(q, i) && q->in_dtype[i] != PITH_F32)
            return pith_op_fail(q, "operand %d is %s, but this op computes with float32 only", i,
                                pithp_dtype_name(q->in_dtype[i]));
    return true;
}

bool pithp_want_ndim(pith_infer *q, int i, int ndim, const char *letters)
{
    if (q->in[i].ndim == ndim)
        return true;
    return pith_op_fail(q, "operand %d has %d dimensions, expected %d: %s", i, q->in[i].ndim, ndim, letters);
}

bool pithp_result(pith_infer *q, pith_shape out)
{
    int64_t count;
    char text[96];
    if (out.ndim > PITH_MAX_DIMS)
        return pith_op_fail(q, "the result would have %d dimensions, at most %d are possible", out.ndim,
                            PITH_MAX_DIMS);
    if (!pithp_count_ok(out, &count))
        return pith_op_fail(q, "the result would be %s: a size below 1 or too many elements",
                            pithp_shape_text(out, text));
    q->out = out;
    q->out_dtype = PITH_F32;
    return true;
}

void pithp_clear_grad(const pith_val *v)
{
    if (v->grad && !v->grad_add)
        memset(v->grad, 0, (size_t)pithp_count(v->shape) * sizeof *v->grad);
}

bool pithp_shape_same(pith_infer *q) { return pithp_want_f32(q) && pithp_result(q, q->in[0]); }
