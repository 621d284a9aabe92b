/* Plans that run sample by sample: every sample gets what a plan of its own gives, to the last bit, whatever the threads; graphs
   whose samples mix are left alone. */
#include "base/base.h"
#include "graph/graph.h"
#include "graph/model.h"
#include "fail_alloc.h"
#include "suite.h"

#include <math.h>
#include <pith/pith.h>
#include <stdlib.h>
#include <string.h>

enum { MANY = 5 };

static pith_ctx *context(int threads, fail_hook *h)
{
    pith_ctx_cfg cfg = { .seed = 7, .threads = threads };
    if (h != NULL)
        cfg = (pith_ctx_cfg){ .seed = 7, .threads = threads, FAIL_ALLOC(h) };
    pith_ctx *c = pith_ctx_new(cfg);
    ck_assert(c != NULL);
    return c;
}

static void noise(pith_real *x, int64_t n)
{
    pithp_rand r = pithp_rand_at(3, 0, 1, PITHP_USE_OTHER);
    for (int64_t i = 0; i < n; i++)
        x[i] = (pith_real)pithp_rand_normal(&r);
}

static pith_plan *plan(pith_tensor *out, int64_t batch, bool constant)
{
    pith_plan *p = pith_plan_new(&out, 1, (pith_plan_cfg){ .batch = batch, .constant = constant });
    ck_assert_msg(p != NULL, "%s", pith_error_text(out->g->ctx));
    return p;
}

/* Results of n samples, `at_once` at a time. */
static void answers(pith_model *m, const pith_real *x, int n, int at_once, pith_real *y)
{
    pith_tensor *out = pith_model_output(m);
    const int64_t in = pith_size(pith_model_input(m)), k = pith_size(out);
    pith_plan *p = plan(out, at_once, true);
    for (int i = 0; i < n; i += at_once) {
        const int now = n - i < at_once ? n - i : at_once;
        memcpy(pith_plan_input(p, pith_model_input(m)), x + i * in, (size_t)(now * in) * sizeof *x);
        ck_assert_int_eq(pith_plan_forward(p, now, 0), PITH_OK);
        memcpy(y + i * k, pith_plan_value(p, out), (size_t)(now * k) * sizeof *y);
    }
    pith_plan_free(p);
}

static pith_model *family(pith_ctx *c, const char *name, int size, double width)
{
    pith_model *m = pith_model_family(
        c, name, (pith_family_cfg){ .classes = 3, .image_size = size, .width = width, .depth = 0.3 });
    ck_assert_msg(m != NULL, "%s", pith_error_text(c));
    return m;
}

static const struct {
    const char *name;
    int size;
    double width;
    bool lanes;
} nets[] = { { "efnet-nano", 96, 0.25, true },   { "efnet-micro", 64, 0.5, true },
             { "efnet-lite0", 64, 0.25, true },  { "mobilenet-v1", 96, 0.25, true },
             { "mobilenet-v2", 96, 0.35, true }, { "resnet8", 32, 1, true },
             { "lenet", 28, 1, false } };

/* The numbers of a plan of one sample are those of one of many, on 1, 2, 3 and 8 threads; a plan may run on fewer samples than
   it holds. lenet's weights outweigh what it computes of a picture: it stays as it was. */
START_TEST(same_bits)
{
    pith_real *x = NULL, one[MANY * 3], many[MANY * 3];
    static const int threads[] = { 1, 2, 3, 8 };
    for (size_t t = 0; t < PITHP_LEN(threads); t++) {
        pith_ctx *c = context(threads[t], NULL);
        pith_model *m = family(c, nets[_i].name, nets[_i].size, nets[_i].width);
        const int64_t in = pith_size(pith_model_input(m));
        pith_plan *p = plan(pith_model_output(m), MANY, false);
        ck_assert_int_eq(p->n_lanes > 0, nets[_i].lanes);
        ck_assert(!nets[_i].lanes || p->n_lanes == (threads[t] < MANY ? threads[t] : MANY));
        if (t == 0) {
            x = malloc((size_t)(MANY * in) * sizeof *x);
            noise(x, MANY * in);
            answers(m, x, MANY, 1, one);
        }
        answers(m, x, MANY, MANY, many);
        ck_assert(!nets[_i].lanes || memcmp(one, many, sizeof one) == 0);
        answers(m, x, MANY, 3, many); /* the second time two samples of three */
        ck_assert(!nets[_i].lanes || memcmp(one, many, sizeof one) == 0);
        pith_ctx_free(c);
    }
    free(x);
}
END_TEST

/* Weights that are computed: by the first run of each lane where they are constant; where they may change, by every run, and
   then not once for each sample. */
START_TEST(computed_weights)
{
    static const pith_quant_scheme schemes[] = { PITH_SCHEME_CODEBOOK, PITH_SCHEME_DYNAMIC };
    pith_ctx *c = context(2, NULL);
    pith_model *m = family(c, "efnet-nano", 96, 0.25);
    ck_assert_msg(pith_quantize(m, NULL, (pith_quant_cfg){ .scheme = schemes[_i] }) == PITH_OK, "%s",
                  pith_error_text(c));
    const int64_t in = pith_size(pith_model_input(m));
    pith_real *x = malloc((size_t)(MANY * in) * sizeof *x), one[MANY * 3], many[MANY * 3], changing[3];
    noise(x, MANY * in);
    answers(m, x, MANY, 1, one);
    answers(m, x, MANY, MANY, many);
    ck_assert_mem_eq(one, many, sizeof one);
    answers(m, x, MANY, 2, many); /* three runs of one plan */
    ck_assert_mem_eq(one, many, sizeof one);
    pith_plan *p = plan(pith_model_output(m), MANY, true), *q = plan(pith_model_output(m), MANY, false);
    ck_assert_int_gt(p->n_lanes, 0);
    ck_assert_int_eq(q->n_lanes, 0);
    pith_step_facts f, g; /* weights keep their shapes, results count samples */
    for (int i = 0; pith_plan_step(p, i, &f); i++)
        ck_assert(pith_plan_step(q, i, &g) && pithp_shape_eq(f.out, g.out) && f.macs == g.macs);
    memcpy(pith_plan_input(q, pith_model_input(m)), x, (size_t)in * sizeof *x);
    for (int i = 0; i < 2; i++) /* and it sees what changes */
        ck_assert_int_eq(pith_plan_forward(q, 1, 0), PITH_OK);
    memcpy(changing, pith_plan_value(q, pith_model_output(m)), sizeof changing);
    for (int k = 0; k < 3; k++)
        ck_assert_msg(fabs((double)(changing[k] - one[k])) < 1e-4, "%g, %g", (double)changing[k],
                      (double)one[k]);
    free(x);
    pith_ctx_free(c);
}
END_TEST

/* ---- Graphs whose samples mix ---- */
static pith_tensor *body(pith_model *m, pith_tensor *x)
{
    return pith_nn_conv_bn_act(m, "a", x, (pith_conv2d_cfg){ .out = 8, .kernel = 3 }, PITH_RELU);
}

static pith_tensor *over_samples(pith_model *m, pith_tensor *x, void *u)
{
    (void)u;
    x = body(m, x);
    return pith_add(x, pith_mean_axes(x, 1u, true)); /* the mean over all samples */
}

static pith_tensor *aligned_otherwise(pith_model *m, pith_tensor *x, void *u)
{
    (void)u;
    x = body(m, x);
    return pith_mul(x,
                    pith_global_avgpool(x)); /* [n,C] meets [n,H,W,C]: the samples stand against the width */
}

static const pith_net_fn mixed[] = { over_samples, aligned_otherwise };

START_TEST(left_alone)
{
    enum {
        SIDE = 5
    }; /* as many pixels a side as samples, so that a wrong rule would find the shapes in order */
    pith_ctx *c = context(2, NULL);
    pith_model *m = pith_model_new(c, mixed[_i], NULL, PITH_SHAPE(SIDE, SIDE, 8));
    if (m == NULL &&
        mixed[_i] == aligned_otherwise) { /* with one sample the shapes may be refused: as well */
        pith_ctx_free(c);
        return;
    }
    ck_assert_msg(m != NULL, "%s", pith_error_text(c));
    pith_tensor *out = pith_model_output(m);
    pith_plan *p = pith_plan_new(&out, 1, (pith_plan_cfg){ .batch = SIDE });
    ck_assert(p == NULL || p->n_lanes == 0);
    pith_ctx_free(c);
}
END_TEST

/* ---- The rest of a plan's interface ---- */
START_TEST(facts_and_faults)
{
    pith_ctx *c = context(2, NULL);
    pith_model *m = family(c, "efnet-nano", 96, 0.25);
    pith_plan *one = plan(pith_model_output(m), 1, true), *many = plan(pith_model_output(m), MANY, true);
    ck_assert_int_gt(many->n_lanes, 0);
    ck_assert(pith_plan_bytes(many) < MANY * pith_plan_bytes(one));
    ck_assert_int_eq(pith_plan_profile(many, true), PITH_OK);
    noise(pith_plan_input(many, pith_model_input(m)), MANY * pith_size(pith_model_input(m)));
    ck_assert_int_eq(pith_plan_forward(many, 0, 0), PITH_OK);
    pith_step_facts f, g;
    int n = 0;
    double ms = 0;
    for (; pith_plan_step(one, n, &f); n++) {
        ck_assert(pith_plan_step(many, n, &g));
        ck_assert_int_eq(g.macs, MANY * f.macs);
        ck_assert_int_eq(g.out.d[0], MANY);
        ms += g.forward_ms;
    }
    ck_assert(n > 10 && ms > 0 && !pith_plan_step(many, n, &g));

    ck_assert_ptr_null(pith_plan_find_nonfinite(many));
    pith_real *x = pith_plan_input(many, pith_model_input(m));
    x[(MANY - 1) * pith_size(pith_model_input(m)) + 100] = (pith_real)NAN; /* in the last sample */
    ck_assert_int_eq(pith_plan_forward(many, 0, 0), PITH_OK);
    ck_assert_ptr_nonnull(pith_plan_find_nonfinite(many));
    ck_assert_int_eq(pith_plan_forward(many, MANY + 1, 0), PITH_EINVAL);
    pith_ctx_free(c);
}
END_TEST

START_TEST(memory_runs_out)
{
    bool done = false;
    for (long at = 1; !done; at++) {
        fail_hook h = { 0 };
        pith_ctx *c = context(2, &h);
        pith_model *m = family(c, "efnet-nano", 64, 0.25);
        pith_tensor *out = pith_model_output(m);
        h.fail_at = h.made + at;
        pith_plan *p = pith_plan_new(&out, 1, (pith_plan_cfg){ .batch = MANY, .constant = true });
        done = p != NULL && h.made < h.fail_at;
        ck_assert(p != NULL || pith_ctx_status(c) == PITH_ENOMEM);
        if (done) {
            ck_assert_int_gt(p->n_lanes, 0);
            const long made = h.made;
            ck_assert_int_eq(pith_plan_forward(p, 0, 0), PITH_OK);
            ck_assert_int_eq(pith_plan_forward(p, 2, 0), PITH_OK);
            ck_assert_int_eq(h.made, made); /* a run allocates nothing */
        }
        pith_ctx_free(c);
        ck_assert_int_eq(h.live, 0);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("lanes");
    tcase_add_loop_test(suite_case(s, "same_bits"), same_bits, 0, (int)PITHP_LEN(nets));
    tcase_add_loop_test(suite_case(s, "left_alone"), left_alone, 0, (int)PITHP_LEN(mixed));
    tcase_add_loop_test(suite_case(s, "computed_weights"), computed_weights, 0, 2);
    suite_test(s, "facts_and_faults", facts_and_faults);
    suite_test(s, "memory_runs_out", memory_runs_out);
    return suite_run("lanes", s);
}
