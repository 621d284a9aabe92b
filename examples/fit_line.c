/* fit_line: the bare tensor engine, with no model in sight. Finds w and b of y = 3 x0 - 2 x1 + 0.5 x2 + 1 from samples. */
#include <pith/pith.h>
#include <stdio.h>

int main(void)
{
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .seed = 1 });
    if (c == NULL)
        return 1;

    pith_real x_data[64 * 3], y_data[64];
    for (int i = 0; i < 64; i++) {
        pith_real *x = x_data + 3 * i;
        for (int k = 0; k < 3; k++)
            x[k] = (pith_real)((i * (7 + 4 * k) + 3 * k) % 17) / 8 - 1;
        y_data[i] = 3 * x[0] - 2 * x[1] + (pith_real)0.5 * x[2] + 1;
    }

    /* Leaves: data is copied in; parameters start at zero. */
    pith_tensor *x = pith_leaf(c, PITH_F32, PITH_SHAPE(64, 3), x_data);
    pith_tensor *y = pith_leaf(c, PITH_F32, PITH_SHAPE(64, 1), y_data);
    pith_tensor *w = pith_param(c, PITH_SHAPE(1, 3)), *b = pith_param(c, PITH_SHAPE(1));

    /* Composing records; nothing is computed yet. */
    pith_tensor *loss = pith_mean(pith_square(pith_sub(pith_dense(x, w, b), y)));
    pith_opt *opt = pith_opt_new(c, (pith_opt_cfg){ .lr = 0.1, .weight_decay = PITH_ZERO });

    for (int step = 0; step < 300 && pith_ctx_status(c) == PITH_OK; step++) {
        pith_backward(loss); /* forward, then dloss/dw and dloss/db */
        pith_opt_step(opt);  /* moves w and b, clears their gradients */
        if (step % 50 == 0)
            printf("step %3d  loss %.6f\n", step, pith_item(loss));
    }
    if (pith_ctx_status(c) != PITH_OK) {
        fprintf(stderr, "%s\n", pith_error_text(c));
        pith_ctx_free(c);
        return 1;
    }
    const pith_real *v = pith_values(w), *bias = pith_values(b);
    printf("w = %.3f %.3f %.3f  b = %.3f\n", (double)v[0], (double)v[1], (double)v[2], (double)bias[0]);
    pith_ctx_free(c); /* frees everything made from it */
    return 0;
}
