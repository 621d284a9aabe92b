/* A network quantized while training, on 1,000 photographs: every logit of its simulation is the integer engine's.
   PITH_REAL_DATA names a folder with cats-dogs/{train,val}; PITH_QAT_MODEL, where it is set, a trained model of 96x96 pixels to
   judge; else efnet-nano trains for some steps first. */
#include "suite.h"
#include "train/train.h"

#include <pith/pith.h>
#include <stdlib.h>
#include <string.h>

enum { IMAGES = 1000, BATCH = 50, STEPS = 40 };

static const char *real;

static pith_data *photographs(pith_ctx *c)
{
    char dir[4096], cache[4096];
    snprintf(dir, sizeof dir, "%s/cats-dogs", real);
    snprintf(cache, sizeof cache, "%s/photos.pack", suite_dir());
    pith_data *d = pith_data_images(c, dir, (pith_images_cfg){ .size = 96, .cache = cache });
    ck_assert_msg(d != NULL, "%s", pith_error_text(c));
    return d;
}

/* Learned scales, batch norms and ranges that freeze half way: everything that moves has moved, and stands still. */
static pith_model *trained_a_little(pith_ctx *c, pith_data *d)
{
    pith_model *m = pith_model_family(c, "efnet-nano", (pith_family_cfg){ .classes = 2 });
    pith_quant_cfg q = { .lsq = 1, .freeze_bn = STEPS / 2, .freeze_ranges = STEPS / 2, .samples = 64 };
    ck_assert_msg(m != NULL && pith_qat_from(m, d, q) == PITH_OK, "%s", pith_error_text(c));
    pith_trainer *t = pith_trainer_new(m, (pith_trainer_cfg){ .batch = 16 });
    pith_loader *l =
        pith_loader_new(d, (pith_loader_cfg){ .split = PITH_TRAIN, .batch = 16, .shuffle = true });
    pith_batch b;
    ck_assert_msg(t != NULL && l != NULL, "%s", pith_error_text(c));
    for (int i = 0; i < STEPS; i++)
        ck_assert(pith_loader_next(l, &b) && pith_trainer_step(t, &b, 0.01) < 100);
    pith_loader_free(l);
    pith_trainer_free(t);
    return m;
}

START_TEST(simulation_is_the_integers)
{
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .seed = 2, .threads = 2 });
    pith_data *d = photographs(c);
    const char *file = getenv("PITH_QAT_MODEL");
    pith_model *m = file != NULL && file[0] != 0 ? pith_model_load(c, file) : trained_a_little(c, d);
    pithp_integers ints = { 0 };
    ck_assert_msg(m != NULL && pithp_integers_make(&ints, m, BATCH) == PITH_OK, "%s", pith_error_text(c));
    pith_tensor *out = pith_model_output(m);
    pith_plan *p = pith_plan_new(&out, 1, (pith_plan_cfg){ .batch = BATCH });
    pith_loader *l = pith_loader_new(d, (pith_loader_cfg){ .split = PITH_VAL, .batch = BATCH });
    const int64_t per_in = pith_size(pith_model_input(m)), k = pith_size(out);
    pith_real *y = malloc((size_t)(BATCH * k) * sizeof *y);
    int64_t seen = 0, other = 0, signs = 0;
    pith_batch b;
    ck_assert_msg(p != NULL && l != NULL && y != NULL, "%s", pith_error_text(c));
    for (; seen < IMAGES && pith_loader_next(l, &b); seen += b.n) {
        memcpy(pith_plan_input(p, pith_model_input(m)), b.x, (size_t)(b.n * per_in) * sizeof *b.x);
        ck_assert_int_eq(pith_plan_forward(p, b.n, 0), PITH_OK);
        ck_assert_int_eq(pithp_integers_run(&ints, b.x, b.n, y), PITH_OK);
        const pith_real *sim = pith_plan_value(p, out);
        for (int64_t i = 0; i < b.n * k; i++) {
            other += sim[i] != y[i];
            signs += y[i] > y[0];
        }
    }
    ck_assert_int_eq(seen, IMAGES);
    ck_assert_int_gt(signs, 0); /* they are not all the same number */
    ck_assert_msg(other == 0, "%d of %d logits differ", (int)other, (int)(seen * k));
    printf("%d images, %d logits, %d differ\n", (int)seen, (int)(seen * k), (int)other);
    free(y);
    pith_loader_free(l);
    pith_plan_free(p);
    pithp_integers_free(c, &ints);
    pith_ctx_free(c);
}
END_TEST

int main(void)
{
    real = getenv("PITH_REAL_DATA");
    if (real == NULL || real[0] == 0)
        suite_skip("set PITH_REAL_DATA to a folder that holds cats-dogs");
    Suite *s = suite_create("qat-photos");
    suite_test(s, "simulation_is_the_integers", simulation_is_the_integers);
    return suite_run("qat-photos", s);
}
