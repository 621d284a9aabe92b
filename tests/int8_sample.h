/* tests/int8_sample.h: the integer graph that the suites of file formats write. */
#ifndef PITH_TESTS_INT8_SAMPLE_H
#define PITH_TESTS_INT8_SAMPLE_H

#include "export_help.h"
#include "graph/qgraph.h"

static const float pixel = 1.0f / 128;

/* A convolution, a depthwise one with padding that TensorFlow has no word for, a mean, a dense layer. */
static inline pithp_qgraph *sample(bool biases)
{
    enum { K = 4 };
    int8_t w[K * 27], dw[9 * K], fc[2 * K];
    float sw[K], sb[K], sd[K], sdb[K], sf = 0.02f, sfb = 0.05f * sf;
    int32_t bias[K] = { 5, -7, 0, 100 };
    for (size_t i = 0; i < sizeof w; i++)
        w[i] = (int8_t)(i * 37 % 255 - 127);
    for (size_t i = 0; i < sizeof dw; i++)
        dw[i] = (int8_t)(i * 91 % 255 - 127);
    for (size_t i = 0; i < sizeof fc; i++)
        fc[i] = (int8_t)(i * 11 - 40);
    for (int k = 0; k < K; k++) {
        sw[k] = 0.001f * (float)(k + 1);
        sb[k] = pixel * sw[k];
        sd[k] = 0.003f * (float)(k + 1);
        sdb[k] = 0.04f * sd[k];
    }
    pithp_qgraph *g = pithp_qgraph_new(ctx, "sample");
    int x = pithp_q_input(g, "x", PITH_I8, PITH_SHAPE(1, 9, 8, 3), (pithp_qparam){ pixel, 0 });
    int y =
        pithp_q_op(g, &pithp_qop_conv2d, "conv",
                   (int[]){ x, pithp_q_const(g, "conv/w", PITH_I8, PITH_SHAPE(K, 3, 3, 3), sw, K, 0, 0, w),
                            biases ? pithp_q_const(g, "conv/b", PITH_I32, PITH_SHAPE(K), sb, K, 0, 0, bias)
                                   : PITHP_QNONE },
                   biases ? 3 : 2, &(pithp_qattr){ .pad = { 1, 1, 1, 1 }, .act = PITHP_QRELU6 },
                   (pithp_qparam){ 0.04f, -128 });
    y = pithp_q_op(g, &pithp_qop_depthwise, "dw",
                   (int[]){ y, pithp_q_const(g, "dw/w", PITH_I8, PITH_SHAPE(1, 3, 3, K), sd, K, 3, 0, dw),
                            pithp_q_const(g, "dw/b", PITH_I32, PITH_SHAPE(K), sdb, K, 0, 0, bias) },
                   3, &(pithp_qattr){ .stride = { 2, 2 }, .pad = { 1, 1, 1, 1 } },
                   (pithp_qparam){ 0.07f, 3 });
    y = pithp_q_op(g, &pithp_qop_mean, "mean", &y, 1, NULL, (pithp_qparam){ 0.05f, 1 });
    y = pithp_q_op(g, &pithp_qop_dense, "head",
                   (int[]){ y, pithp_q_const(g, "head/w", PITH_I8, PITH_SHAPE(2, K), &sf, 1, 0, 0, fc),
                            pithp_q_const(g, "head/b", PITH_I32, PITH_SHAPE(2), &sfb, 1, 0, 0, bias) },
                   3, NULL, (pithp_qparam){ 0.1f, -4 });
    suite_check(pithp_q_output(g, y) == PITH_OK, "%s", pith_error_text(ctx));
    return g;
}

/* A graph with an op that no format knows. */
static inline pithp_qgraph *sample_table(void)
{
    pithp_qgraph *g = pithp_qgraph_new(ctx, "table");
    int x = pithp_q_input(g, "x", PITH_I8, PITH_SHAPE(1, 4), (pithp_qparam){ pixel, 0 });
    static const int8_t codes[256];
    pithp_q_output(g, pithp_q_op(g, &pithp_qop_table, "layer3", &x, 1, &(pithp_qattr){ .table = codes },
                                 (pithp_qparam){ pixel, 0 }));
    ck_assert_int_eq(pith_ctx_status(ctx), PITH_OK);
    return g;
}

#endif
