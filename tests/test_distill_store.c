/* tests/test_distill_store.c: what teachers say, kept: a training with a store is the training with the teacher, bit for bit; later ones
   pay nothing; what does not fit is refused and left alone. */
#include "distill_help.h"
#include <sys/stat.h>
#include <unistd.h>

static const pith_distill_cfg plain = { .kinds = PITH_DISTILL_RESPONSE | PITH_DISTILL_FEATURE |
                                                 PITH_DISTILL_RELATION };

static pith_fit_cfg recipe(int epochs, int variants)
{
    pith_fit_cfg f = distill_small;
    f.epochs = epochs;
    f.augment.variants = variants;
    f.augment.rotate = 10;
    return f;
}

/* One training; images: those that teachers looked at for stores. */
static pith_status run(const char *store, uint64_t seed, int epochs, int variants, bool two, bool remake,
                       pith_real **w, size_t *n, int64_t *images)
{
    fit_setup s = fit_begin(1);
    pith_model *t[] = { make_teacher(s.c),
                        pith_model_new(s.c, fit_net, NULL, PITH_SHAPE(FIT_SIZE, FIT_SIZE, 3)) };
    pith_distill_cfg cfg = plain;
    cfg.store = store;
    cfg.remake = remake;
    pith_fit_cfg f = recipe(epochs, variants);
    f.seed = seed;
    pith_distill *k = pith_distill_new(s.m, t, two ? 2 : 1, cfg);
    ck_assert_msg(k != NULL, "%s", pith_error_text(s.c));
    f.loss = pith_distill_loss(k);
    pith_status e = pith_fit(s.m, s.d, f);
    *images = pith_distill_info(k).images;
    ck_assert_msg(e == PITH_OK || e == PITH_ESTALE, "%s", pith_error_text(s.c));
    pith_distill_free(k);
    *w = weights_of(s.m, n);
    pith_ctx_free(s.c);
    return e;
}

START_TEST(equals_live)
{
    char *path = fit_path(_i == 0 ? "said" : "said-by-two");
    pith_real *live, *stored;
    size_t n_live, n_stored;
    int64_t images;
    bool two = _i == 1;
    ok(NULL, run(NULL, 4, 3, 2, two, false, &live, &n_live, &images));
    ck_assert_int_eq(images, 0);
    ok(NULL, run(path, 4, 3, 2, two, false, &stored, &n_stored, &images));
    ck_assert_int_eq(images, (two ? 2 : 1) * 2 * FIT_TRAIN);
    same_weights(live, n_live, stored, n_stored);
    free(stored);
    ok(NULL, run(path, 4, 3, 2, two, false, &stored, &n_stored, &images)); /* read, not made */
    ck_assert_int_eq(images, 0);
    same_weights(live, n_live, stored, n_stored);
    free(stored);
    free(live);
    ok(NULL, run(NULL, 5, 2, 1, two, false, &live, &n_live,
                 &images)); /* another seed, and fewer variants: another student */
    ok(NULL, run(path, 5, 2, 1, two, false, &stored, &n_stored, &images));
    ck_assert_int_eq(images, 0);
    same_weights(live, n_live, stored, n_stored);
    free(stored);
    free(live);
}
END_TEST

/* As many augmentations as epochs, from the run's own seed: what a training without any of this sees. */
START_TEST(variants_of_all_epochs)
{
    size_t n[2];
    pith_real *w[2];
    for (int i = 0; i < 2; i++) {
        fit_setup s = fit_begin(1);
        pith_fit_cfg f = recipe(2, i == 0 ? 0 : 2);
        f.augment.variants_seed = f.seed;
        ok(s.c, pith_fit(s.m, s.d, f));
        w[i] = weights_of(s.m, &n[i]);
        pith_ctx_free(s.c);
    }
    same_weights(w[0], n[0], w[1], n[1]);
    free(w[0]);
    free(w[1]);
}
END_TEST

/* K augmentations and no more, whatever the order and its seed. */
START_TEST(variants_come_again)
{
    enum { PER = FIT_SIZE * FIT_SIZE * 3 };
    fit_setup s = fit_begin(1);
    pith_real *first = calloc((size_t)2 * FIT_TRAIN * PER, sizeof *first);
    for (uint32_t epoch = 0; epoch < 5; epoch++) {
        pith_loader_cfg cfg = {
            .batch = 32, .seed = epoch / 2, .shuffle = true, .augment = true, .aug.variants = 2
        };
        pith_loader *l = pith_loader_new(s.d, cfg);
        int64_t differ = 0;
        ok(s.c, pith_loader_epoch(l, epoch, 0));
        for (pith_batch b; pith_loader_next(l, &b);)
            for (int i = 0; i < b.n; i++) {
                pith_real *was = first + (b.samples[i] * 2 + epoch % 2) * PER;
                if (epoch < 2)
                    memcpy(was, b.x + (int64_t)i * PER, PER * sizeof *was);
                ck_assert(!memcmp(was, b.x + (int64_t)i * PER, PER * sizeof *was));
                differ += memcmp(first + b.samples[i] * 2 * PER, was, PER * sizeof *was) != 0;
            }
        ck_assert_int_eq(differ, epoch % 2 ? FIT_TRAIN : 0);
        pith_loader_free(l);
    }
    free(first);
    pith_ctx_free(s.c);
}
END_TEST

/* ---- What does not fit ---- */
static uint64_t file_hash(const char *path)
{
    FILE *f = fopen(path, "rb");
    uint64_t h = 0;
    for (int ch; f != NULL && (ch = fgetc(f)) != EOF;)
        h = h * 31 + (uint64_t)ch;
    if (f != NULL)
        fclose(f);
    return h;
}

enum {
    OTHER_TEACHER,
    OTHER_LAYERS,
    OTHER_AUGMENT,
    OTHER_SEED,
    TOO_FEW,
    NO_STORE,
    SHORT,
    DAMAGED_HEAD,
    CHANGES
};
static const char *const says[] = { "another teacher made it",
                                    "other layers' outputs",
                                    "another augmentation",
                                    "another seed",
                                    "too few augmentations",
                                    "no store of a teacher",
                                    "cut short",
                                    "header is damaged" };

static void damage(const char *path, long at, bool cut)
{
    FILE *f = fopen(path, "r+b");
    struct stat st;
    ck_assert(f != NULL && stat(path, &st) == 0);
    if (cut)
        ck_assert_int_eq(truncate(path, st.st_size - 9), 0);
    else {
        fseek(f, at, SEEK_SET);
        int ch = fgetc(f);
        fseek(f, at, SEEK_SET);
        fputc(ch ^ 0x40, f);
    }
    fclose(f);
}

START_TEST(stale)
{
    char *path = fit_path("stale");
    pith_real *w;
    size_t n;
    int64_t images;
    ok(NULL, run(path, 1, 1, 2, false, true, &w, &n, &images));
    free(w);
    fit_setup s = fit_begin(1);
    pith_model *t = make_teacher(s.c);
    pith_distill_cfg cfg = plain;
    pith_fit_cfg f = recipe(1, 2);
    cfg.store = path;
    switch (_i) {
    case OTHER_TEACHER: pith_model_weights(t, NULL)[3] += PITHP_R(1e-3); break;
    case OTHER_LAYERS: cfg.kinds = PITH_DISTILL_RESPONSE; break;
    case OTHER_AUGMENT: f.augment.rotate = 11; break;
    case OTHER_SEED: f.augment.variants_seed = 1; break;
    case TOO_FEW: f.augment.variants = 3; break;
    case NO_STORE: damage(path, 0, false); break;
    case SHORT: damage(path, 0, true); break;
    default: damage(path, 40, false); break;
    }
    uint64_t before = file_hash(path);
    refused(s.c, pith_distill_fit(s.m, &t, 1, s.d, cfg, f) == PITH_OK, PITH_ESTALE, says[_i]);
    ck_assert_uint_eq(before, file_hash(path));
    cfg.remake = true;
    ok(s.c, pith_distill_fit(s.m, &t, 1, s.d, cfg, f));
    ck_assert(before != file_hash(path));
    pith_ctx_free(s.c);
}
END_TEST

START_TEST(damaged_values)
{
    char *path = fit_path("damaged");
    pith_real *w;
    size_t n;
    int64_t images;
    ok(NULL, run(path, 1, 1, 1, false, true, &w, &n, &images));
    free(w);
    damage(path, 128 + 4 * 50 + 2, false);
    fit_setup s = fit_begin(1);
    pith_model *t = make_teacher(s.c);
    pith_distill_cfg cfg = plain;
    cfg.store = path;
    refused(s.c, pith_distill_fit(s.m, &t, 1, s.d, cfg, recipe(1, 1)) == PITH_OK, PITH_EFORMAT,
            "augmentation 0 is damaged");
    pith_ctx_free(s.c);
}
END_TEST

/* Stopped while it is made: nothing is there, and what was there is as it was. */
static bool enough(void *user, int64_t done, int64_t total)
{
    ck_assert_int_eq(total, 2 * FIT_TRAIN);
    return done < *(int64_t *)user;
}

START_TEST(stopped)
{
    char *path = fit_path("stopped");
    int64_t most = 100;
    fit_setup s = fit_begin(1);
    pith_model *t = make_teacher(s.c);
    pith_distill_cfg cfg = plain;
    cfg.store = path;
    cfg.progress = enough;
    cfg.progress_user = &most;
    refused(s.c, pith_distill_fit(s.m, &t, 1, s.d, cfg, recipe(1, 2)) == PITH_OK, PITH_ESTOPPED,
            "nothing was stored");
    ck_assert_int_ne(access(path, F_OK), 0);
    most = 1000;
    ok(s.c, pith_distill_fit(s.m, &t, 1, s.d, cfg, recipe(1, 2)));
    pith_ctx_free(s.c);
}
END_TEST

START_TEST(impossible)
{
    fit_setup s = fit_begin(1);
    pith_model *t = make_teacher(s.c);
    pith_distill_cfg cfg = plain;
    pith_fit_cfg f = recipe(2, 2);
    cfg.store = "auto";
    refused(s.c, pith_distill_fit(s.m, &t, 1, s.d, cfg, f) == PITH_OK, PITH_EINVAL, "no packed cache");
    cfg.store = fit_path("impossible");
    cfg.store_most = 1000;
    refused(s.c, pith_distill_fit(s.m, &t, 1, s.d, cfg, f) == PITH_OK, PITH_EINVAL, "would take");
    cfg.store_most = 0;
    refused(s.c, pith_distill_fit(s.m, &t, 1, s.d, cfg, recipe(2, 0)) == PITH_OK, PITH_EINVAL,
            "augment.variants");
    f.augment.cutmix = 1;
    refused(s.c, pith_distill_fit(s.m, &t, 1, s.d, cfg, f) == PITH_OK, PITH_EINVAL, "mixup and cutmix");
    ck_assert_int_ne(access(cfg.store, F_OK), 0);
    f = recipe(2, -1);
    refused(s.c, pith_distill_fit(s.m, &t, 1, s.d, cfg, f) == PITH_OK, PITH_EINVAL, "augment.variants");
    cfg.store = fit_path("no/such/folder");
    refused(s.c, pith_distill_fit(s.m, &t, 1, s.d, cfg, recipe(2, 2)) == PITH_OK, PITH_ENOTFOUND,
            "no/such/folder");
    pith_ctx_free(s.c);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("distill_store");
    TCase *t = suite_case(s, "stores");
    tcase_add_loop_test(t, equals_live, 0, 2);
    tcase_add_test(t, variants_of_all_epochs);
    tcase_add_test(t, variants_come_again);
    tcase_add_loop_test(t, stale, 0, CHANGES);
    tcase_add_test(t, damaged_values);
    tcase_add_test(t, stopped);
    tcase_add_test(t, impossible);
    return suite_run("distill_store", s);
}
