/* Latency of an integer network of efnet-nano's shape at 96x96 (random weights; bench/peer_int8.py has the same network in
   ONNX Runtime). usage: bench_int8 [KERNELS|reference] [layers]: with "layers", microseconds of each op. */
#include "graph/qplan.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

static pith_ctx *c;
static pithp_qgraph *g;
static pithp_rand r;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* A layer with random weights whose sums' deviation is about a third of the result's range. */
static int layer(const pithp_qop *op, const char *name, int x, pith_shape ws, int axis, int stride,
                 pithp_qact act)
{
    int64_t k = ws.d[axis], n = pithp_count(ws), per = n / k;
    int8_t *w = malloc((size_t)n);
    int32_t *b = malloc((size_t)k * sizeof *b);
    float *sw = malloc((size_t)k * sizeof *sw), *sb = malloc((size_t)k * sizeof *sb);
    const pithp_qtensor *t = pithp_q_tensor(g, x);
    char wn[160], bn[160];
    snprintf(wn, sizeof wn, "%s/w", name), snprintf(bn, sizeof bn, "%s/b", name);
    for (int64_t i = 0; i < n; i++)
        w[i] = (int8_t)(pithp_rand_below(&r, 255) - 127);
    for (int64_t i = 0; i < k; i++) {
        sw[i] = (float)(0.01 + 0.01 * pithp_rand_uniform(&r)), sb[i] = t->scale[0] * sw[i];
        b[i] = (int32_t)pithp_rand_below(&r, 8001) - 4000;
    }
    bool conv = ws.ndim == 4;
    int64_t s = conv ? ws.d[1] : 1, in = t->shape.ndim == 4 ? t->shape.d[1] : 1;
    int64_t total = PITHP_MAX(((in + stride - 1) / stride - 1) * stride + s - in, 0);
    pithp_qattr a = { .stride = { stride, stride }, .act = act };
    for (int i = 0; i < 4; i++)
        a.pad[i] = i % 2 ? total - total / 2 : total / 2;
    int in3[3] = { x, pithp_q_const(g, wn, PITH_I8, ws, sw, (int)k, axis, 0, w),
                   pithp_q_const(g, bn, PITH_I32, PITH_SHAPE(k), sb, (int)k, 0, 0, b) };
    double size = 0.015 * (double)t->scale[0] * 74 * 75 * __builtin_sqrt((double)per);
    pithp_qparam out = { (float)(size / 50), act == PITHP_QLINEAR ? -3 : -128 };
    int y = pithp_q_op(g, op, name, in3, 3, &a, out);
    free(w), free(b), free(sw), free(sb);
    return y;
}

static int64_t channels(int x) { return pithp_q_tensor(g, x)->shape.d[3]; }

static int block(int x, const char *name, int expand, int kernel, int stride, int out)
{
    char n[128];
    int in = x;
    int64_t ci = channels(x), mid = ci * expand;
    if (expand > 1) {
        snprintf(n, sizeof n, "%s.expand", name);
        x = layer(&pithp_qop_conv2d, n, x, PITH_SHAPE(mid, 1, 1, ci), 0, 1, PITHP_QRELU);
    }
    snprintf(n, sizeof n, "%s.depthwise", name);
    x = layer(&pithp_qop_depthwise, n, x, PITH_SHAPE(1, kernel, kernel, mid), 3, stride, PITHP_QRELU);
    snprintf(n, sizeof n, "%s.project", name);
    x = layer(&pithp_qop_conv2d, n, x, PITH_SHAPE(out, 1, 1, mid), 0, 1, PITHP_QLINEAR);
    if (stride > 1 || ci != out)
        return x;
    snprintf(n, sizeof n, "%s.add", name);
    return pithp_q_op(g, &pithp_qop_add, n, (int[]){ in, x }, 2, NULL,
                      (pithp_qparam){ 1.4f * pithp_q_tensor(g, x)->scale[0], 2 });
}

static void network(void)
{
    static const int stages[][5] = {
        { 1, 3, 1, 16, 1 }, { 4, 3, 2, 24, 2 }, { 4, 5, 2, 40, 2 }, { 4, 3, 2, 80, 3 }, { 4, 5, 2, 112, 2 }
    };
    int x = pithp_q_input(g, "x", PITH_I8, PITH_SHAPE(1, 96, 96, 3), (pithp_qparam){ 1.0f / 128, 0 });
    x = layer(&pithp_qop_conv2d, "stem", x, PITH_SHAPE(16, 3, 3, 3), 0, 2, PITHP_QRELU);
    for (size_t s = 0; s < PITHP_LEN(stages); s++)
        for (int i = 0; i < stages[s][4]; i++) {
            char name[64];
            snprintf(name, sizeof name, "blocks.%zu.%d", s, i);
            x = block(x, name, stages[s][0], stages[s][1], i ? 1 : stages[s][2], stages[s][3]);
        }
    x = layer(&pithp_qop_conv2d, "head", x, PITH_SHAPE(256, 1, 1, channels(x)), 0, 1, PITHP_QRELU);
    x = pithp_q_op(g, &pithp_qop_mean, "pool", &x, 1, NULL,
                   (pithp_qparam){ pithp_q_tensor(g, x)->scale[0] / 2, -128 });
    x = layer(&pithp_qop_dense, "classifier", x, PITH_SHAPE(2, 256), 0, 1, PITHP_QLINEAR);
    pithp_q_output(g, x);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(const char *kernels, int64_t batch, int threads)
{
    bool ref = kernels && !strcmp(kernels, "reference");
    pithp_qplan *p = pithp_qplan_new(
        g, (pithp_qplan_cfg){
               .batch = batch, .threads = threads, .reference = ref, .kernels = ref ? NULL : kernels });
    int8_t *in = malloc((size_t)batch * 96 * 96 * 3), out[128];
    if (!p || !in)
        return;
    for (int64_t i = 0; i < batch * 96 * 96 * 3; i++)
        in[i] = (int8_t)(pithp_rand_u32(&r) >> 24);
    double t[301], end = now() + 3;
    int n = 0;
    for (; n < 301 && (n < 5 || now() < end); n++) {
        double t0 = now();
        pithp_qplan_run(p, batch, (const void *[]){ in }, (void *[]){ out });
        t[n] = now() - t0;
    }
    qsort(t, (size_t)n, sizeof *t, by_value);
    printf("batch %2lld, %d thread%s, %s: median %.3f ms, least %.3f ms, %.0f img/s; arena %zu kB\n",
           (long long)batch, threads, threads > 1 ? "s" : "", pithp_qplan_kernels(p), 1e3 * t[n / 2],
           1e3 * t[0], (double)batch / t[n / 2], pithp_qplan_arena(p) >> 10);
    pithp_qplan_free(p);
    free(in);
}

/* ---- Layers: the time between two results ------------------------------------------------------------------------------*/
static double last, spent[256];

static void watch(void *arg, int64_t sample, const pithp_qtensor *t, const void *data)
{
    double t1 = now();
    if (spent[t->node] == 0 || t1 - last < spent[t->node])
        spent[t->node] = t1 - last;
    last = now();
}

static void layers(const char *kernels)
{
    pithp_qplan *p = pithp_qplan_new(g, (pithp_qplan_cfg){ .kernels = kernels, .watch = watch });
    int8_t *in = calloc(96 * 96, 3), out[2];
    for (int i = 0; p && i < 300; i++) {
        last = now();
        pithp_qplan_run(p, 1, (const void *[]){ in }, (void *[]){ out });
    }
    double sum = 0;
    for (int i = 0; i < g->n_nodes; i++) {
        const pithp_qnode *n = g->nodes[i];
        double macs = n->op->macs ? (double)n->op->macs(g, n) : 0;
        sum += spent[i];
        printf("%-24s %-18s %8.2f us  %8.0f kMAC  %6.1f GMAC/s\n", n->name, n->op->name, 1e6 * spent[i],
               macs / 1e3, macs / spent[i] / 1e9);
    }
    printf("sum %.1f us\n", 1e6 * sum);
    pithp_qplan_free(p);
    free(in);
}

int main(int argc, char **argv)
{
    const char *kernels = argc > 1 && strcmp(argv[1], "best") ? argv[1] : NULL;
    c = pith_ctx_new((pith_ctx_cfg){ .seed = 1 });
    g = pithp_qgraph_new(c, "efnet-nano");
    r = pithp_rand_at(1, 0, 0, PITHP_USE_OTHER);
    network();
    if (pith_ctx_status(c)) {
        fprintf(stderr, "bench_int8: %s\n", pith_error_text(c));
        return 1;
    }
    printf("%.1f M multiply-adds, %zu kB of weights\n", (double)pithp_q_macs(g) / 1e6,
           pithp_q_bytes(g) >> 10);
    if (argc > 2)
        layers(kernels);
    measure(kernels, 1, 1);
    measure(kernels, 32, 2);
    int status = pith_ctx_status(c);
    if (status)
        fprintf(stderr, "bench_int8: %s\n", pith_error_text(c));
    pith_ctx_free(c);
    return status != 0;
}
