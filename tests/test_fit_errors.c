/* Trainings that cannot begin, go on or be saved: a clear word, nothing lost. Evaluation and prediction. */
#include "fit_help.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static const pith_fit_cfg small = { .epochs = 2, .batch = 16, .seed = 11, .opt = { .lr = 0.05 } };

static void expect(pith_ctx *c, pith_status got, pith_status want, const char *words)
{
    ck_assert_msg(got == want && pith_ctx_status(c) == want, "status %s, %s expected: %s",
                  pith_status_name(got), pith_status_name(want), pith_error_text(c));
    for (const char *w = words; *w;) { /* words separated by | */
        char word[80];
        size_t n = strcspn(w, "|");
        snprintf(word, sizeof word, "%.*s", (int)n, w);
        ck_assert_msg(strstr(pith_error_text(c), word) != NULL, "'%s' is not in: %s", word,
                      pith_error_text(c));
        w += n + (w[n] == '|');
    }
    pith_ctx_clear(c);
}

static pith_tensor *three(pith_model *m, pith_tensor *x, void *user)
{
    return pith_nn_linear(m, "head", pith_global_avgpool(x), 3);
}

static pith_tensor *picture(pith_model *m, pith_tensor *x, void *user) { return pith_relu(x); }

/* ---- Refused before the first step ---- */
START_TEST(refuses)
{
    fit_setup s = fit_begin(1);
    pith_model *m3 = pith_model_new(s.c, three, NULL, PITH_SHAPE(FIT_SIZE, FIT_SIZE, 3));
    expect(s.c, pith_fit(m3, s.d, small), PITH_EINVAL, "3 classes|has 2");
    pith_model *big = pith_model_new(s.c, fit_net, NULL, PITH_SHAPE(24, 24, 3));
    expect(s.c, pith_fit(big, s.d, small), PITH_EINVAL, "[1,24,24,3]|[1,16,16,3]");
    pith_model *odd = pith_model_new(s.c, picture, NULL, PITH_SHAPE(FIT_SIZE, FIT_SIZE, 3));
    expect(s.c, pith_fit(odd, s.d, small), PITH_ESHAPE, "logits");
    expect(s.c, pith_fit(s.m, NULL, small), PITH_EINVAL, "no data set");
    const pith_fit_cfg bad[] = { { .epochs = -1 },
                                 { .batch = -5 },
                                 { .accumulate = -1 },
                                 { .smoothing = 1 },
                                 { .smoothing = -0.5 },
                                 { .opt.lr = -1 },
                                 { .opt.ema_decay = 2 },
                                 { .resume = true },
                                 { .schedule.warmup_epochs = -3 },
                                 { .schedule.kind = (pith_schedule_kind)7 },
                                 { .save_every_minutes = -1 },
                                 { .accumulate = 1000 },
                                 { .augment.scale_min = 3 },
                                 { .epochs = 2000000000 },
                                 { .batch = 16, .accumulate = 7 },
                                 { .out = "" } };
    for (size_t i = 0; i < PITHP_LEN(bad); i++) {
        pith_status got = pith_fit(s.m, s.d, bad[i]);
        ck_assert_msg(got == PITH_EINVAL, "case %zu: %s", i, pith_status_name(got));
        expect(s.c, got, PITH_EINVAL, "");
    }
    pith_fit_cfg cfg = small;
    FILE *f = fopen(fit_path("file"), "w");
    fclose(f);
    cfg.out = fit_path("file/run");
    pith_status got = pith_fit(s.m, s.d, cfg);
    ck_assert_int_ne(got, PITH_OK);
    expect(s.c, got, got, "file");
    cfg.out = fit_path("nowhere");
    cfg.resume = true;
    expect(s.c, pith_fit(s.m, s.d, cfg), PITH_ENOTFOUND, "nowhere|last.pith");
    pith_ctx_free(s.c);
}
END_TEST

START_TEST(batch_larger_than_the_set)
{
    fit_setup s = fit_begin(1);
    pith_fit_cfg cfg = small;
    cfg.batch = 1000;
    ck_assert_msg(pith_fit(s.m, s.d, cfg) == PITH_OK, "%s", pith_error_text(s.c));
    pith_ctx_free(s.c);
}
END_TEST

/* ---- Resume: what must be as it was ---- */
START_TEST(resume_wants_the_same)
{
    volatile int stop = 1;
    fit_setup s = fit_begin(1);
    pith_fit_cfg cfg = small;
    cfg.out = fit_path("same");
    cfg.stop = &stop;
    expect(s.c, pith_fit(s.m, s.d, cfg), PITH_ESTOPPED, "epoch 1 of 2|0 of 6|saved");
    cfg.stop = NULL;
    cfg.resume = true;
    pith_fit_cfg other = cfg;
    other.epochs = 5;
    expect(s.c, pith_fit(s.m, s.d, other), PITH_EINVAL, "'epochs' was 2 and is 5 now");
    other = cfg;
    other.batch = 8;
    expect(s.c, pith_fit(s.m, s.d, other), PITH_EINVAL, "'batch' was 16 and is 8 now");
    other = cfg;
    other.opt.kind = PITH_OPT_ADAMW;
    expect(s.c, pith_fit(s.m, s.d, other), PITH_EINVAL, "'optimizer' was sgd and is adamw now");
    other = cfg;
    other.seed = 12;
    expect(s.c, pith_fit(s.m, s.d, other), PITH_EINVAL, "'seed'");
    uint8_t pixels[4 * 20 * 20 * 3] = { 0 };
    const int32_t labels[4] = { 0, 1, 0, 1 };
    pith_data *d = pith_data_pixels(s.c, pixels, labels, 4, 20, 20, NULL, 4, FIT_SIZE);
    other = cfg;
    other.opt.lr = 0.1;
    expect(s.c, pith_fit(s.m, s.d, other), PITH_EINVAL, "'lr' was 0.05 and is 0.1 now");
    expect(s.c, pith_fit(s.m, d, cfg), PITH_EINVAL, "'data' was");
    /* a model is no checkpoint, a broken file is none, another network's is none */
    ck_assert_int_eq(mkdir(fit_path("model"), 0777), 0);
    ck_assert_int_eq(pith_model_save(s.m, fit_path("model/last.pith"), false), PITH_OK);
    other = cfg;
    other.out = fit_path("model");
    expect(s.c, pith_fit(s.m, s.d, other), PITH_EFORMAT, "model/last.pith|checkpoint");
    ck_assert_int_eq(truncate(fit_path("model/last.pith"), 1000), 0);
    expect(s.c, pith_fit(s.m, s.d, other), PITH_EFORMAT, "model/last.pith");
    ck_assert_msg(pith_fit(s.m, s.d, cfg) == PITH_OK, "%s", pith_error_text(s.c));
    pith_ctx_free(s.c);
}
END_TEST

/* ---- Not finite ---- */
typedef struct {
    pith_model *m;
    int steps, at;
    const char *tensor;
    pith_real value;
} saboteur;

static void spoil(void *user, const pith_progress *p)
{
    saboteur *s = user;
    s->steps += p->event == 's';
    if (p->event == 's' && s->steps == s->at)
        ((pith_real *)pith_values(pith_model_find(s->m, s->tensor)))[0] = s->value;
}

START_TEST(nan_in_the_loss)
{
    static const struct {
        int at;
        const char *tensor, *words;
        float value;
    } cases[] = {
        { 8, "b2.expand.conv.weight", "epoch 2, step 3|b2.expand.conv.weight|last good checkpoint", NAN },
        { 12, "head.bias", "head.bias|last good checkpoint", INFINITY }, /* the last step: no loss sees it */
        { 6, "stem.bn.running_var", "stem.bn.running_var|last good checkpoint", NAN }
    };
    fit_setup s = fit_begin(1);
    char name[40];
    snprintf(name, sizeof name, "nan%d", _i);
    saboteur w = {
        .m = s.m, .at = cases[_i].at, .tensor = cases[_i].tensor, .value = (pith_real)cases[_i].value
    };
    pith_fit_cfg cfg = small;
    cfg.out = fit_path(name);
    cfg.progress = spoil;
    cfg.progress_user = &w;
    expect(s.c, pith_fit(s.m, s.d, cfg), PITH_ENAN, cases[_i].words);
    char last[60];
    snprintf(last, sizeof last, "%s/last.pith", name);
    pith_model *good = pith_model_load(s.c, fit_path(last));
    ck_assert_msg(good != NULL, "%s", pith_error_text(s.c));
    int64_t n;
    const pith_real *v = pith_model_weights(good, &n);
    for (int64_t i = 0; i < n; i++)
        ck_assert(isfinite(v[i]));
    pith_ctx_free(s.c);
}
END_TEST

START_TEST(learning_rate_too_high)
{
    fit_setup s = fit_begin(1);
    pith_model *m = pith_model_new(s.c, fit_net, NULL, PITH_SHAPE(FIT_SIZE, FIT_SIZE, 3));
    pith_fit_cfg cfg = small;
    cfg.opt.lr = 1e5;
    cfg.epochs = 20;
    cfg.out = fit_path("diverged");
    pith_status got = pith_fit(m, s.d, cfg);
    if (got != PITH_OK)
        expect(s.c, got, PITH_ENAN, "lower the learning rate");
    pith_ctx_free(s.c);
}
END_TEST

/* ---- A full disk, as a limit on the size of files ---- */
static void limit(rlim_t bytes)
{
    struct rlimit r;
    getrlimit(RLIMIT_FSIZE, &r);
    r.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &r);
}

typedef struct {
    int steps, notes, notes_not_saved;
} count;

static void fill_disk(void *user, const pith_progress *p)
{
    count *n = user;
    n->steps += p->event == 's';
    if (n->steps == 1)
        limit(1000);
    n->notes += p->event == 'n';
    n->notes_not_saved += p->event == 'n' && strstr(p->text, "not saved") != NULL;
}

START_TEST(full_disk)
{
    signal(SIGXFSZ, SIG_IGN);
    fit_setup s = fit_begin(1);
    pith_fit_cfg cfg = small;
    count n = { 0 };
    cfg.out = fit_path("full");
    cfg.progress_user = &n;
    limit(1000);
    expect(s.c, pith_fit(s.m, s.d, cfg), PITH_EIO, "last.pith"); /* known before anything is trained */
    limit(RLIM_INFINITY);
    cfg.progress = fill_disk;
    pith_status got = pith_fit(s.m, s.d, cfg); /* the disk fills up after the first step */
    limit(RLIM_INFINITY);
    ck_assert_int_eq(n.steps, 12); /* trained to the end, in memory; */
    ck_assert_int_ge(n.notes_not_saved, 1);
    expect(s.c, got, PITH_EIO, "last.pith"); /* the last save's failure is an error */
    cfg.resume = true;
    cfg.progress = NULL;
    ck_assert_msg(pith_fit(s.m, s.d, cfg) == PITH_OK, "%s",
                  pith_error_text(s.c)); /* the older one still goes on */
    pith_ctx_free(s.c);
}
END_TEST

typedef struct {
    long asked, fails_at, held;
} memory;

static void *give(void *user, size_t bytes)
{
    memory *m = user;
    if (++m->asked == m->fails_at)
        return NULL;
    void *p = malloc(bytes);
    m->held += p != NULL;
    return p;
}

static void take_back(void *user, void *p)
{
    memory *m = user;
    m->held -= p != NULL;
    free(p);
}

/* One training with evaluation and saves, whose allocation number fails_at fails. */
static pith_status train_in(memory *m, const char *out)
{
    pith_ctx *c =
        pith_ctx_new((pith_ctx_cfg){ .threads = 1, .alloc = give, .release = take_back, .alloc_user = m });
    if (c == NULL)
        return PITH_ENOMEM;
    uint8_t pixels[8 * 20 * 20 * 3];
    const int32_t labels[8] = { 0, 1, 0, 1, 0, 1, 0, 1 };
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)(i * 7);
    pith_data *d = pith_data_pixels(c, pixels, labels, 8, 20, 20, NULL, 5, FIT_SIZE);
    pith_model *net = d == NULL ? NULL : pith_model_new(c, fit_net, NULL, PITH_SHAPE(FIT_SIZE, FIT_SIZE, 3));
    pith_status s = net == NULL ? pith_ctx_status(c)
                                : pith_fit(net, d, (pith_fit_cfg){ .epochs = 2, .batch = 4, .out = out });
    ck_assert_msg(s == pith_ctx_status(c), "status %s", pith_status_name(s));
    pith_ctx_free(c);
    return s;
}

START_TEST(memory_runs_out)
{
    memory all = { 0 };
    ck_assert_int_eq(train_in(&all, fit_path("memory")), PITH_OK);
    ck_assert_int_eq(all.held, 0);
    for (long at = 1; at <= all.asked; at += 1 + at / 25) {
        memory m = { .fails_at = at };
        pith_status s = train_in(&m, fit_path("memory")); /* a save that fails on the way is tried again */
        ck_assert_msg(s == PITH_OK || s == PITH_ENOMEM, "allocation %ld: %s", at, pith_status_name(s));
        ck_assert_msg(m.held == 0, "allocation %ld: %ld blocks lost", at, m.held);
    }
}
END_TEST

/* ---- Evaluation and prediction ---- */
START_TEST(every_image_once)
{
    fit_setup s = fit_begin(2);
    pith_fit(s.m, s.d, small);
    int64_t correct = -1, per_class[2] = { 0 };
    double loss = 0;
    for (int64_t i = 0; i < FIT_VAL; i++)
        per_class[pith_data_at(s.d, pith_data_sample(s.d, PITH_VAL, i)).label]++;
    const int batches[] = { 0, 1, 7, 16, FIT_VAL, 1000 };
    for (size_t i = 0; i < PITHP_LEN(batches); i++) {
        pith_eval_result r;
        ck_assert_int_eq(pith_evaluate(s.m, s.d, PITH_VAL, batches[i], &r), PITH_OK);
        ck_assert_int_eq(r.n, FIT_VAL);
        ck_assert_int_eq(r.classes, 2);
        ck_assert_int_eq(r.confusion[0] + r.confusion[1], per_class[0]);
        ck_assert_int_eq(r.confusion[2] + r.confusion[3], per_class[1]);
        ck_assert_int_eq(r.confusion[0] + r.confusion[3], r.correct);
        ck_assert(r.accuracy == (double)r.correct / FIT_VAL);
        if (correct < 0)
            correct = r.correct, loss = r.loss;
        ck_assert_int_eq(r.correct, correct);
        ck_assert_double_eq_tol(r.loss, loss, 1e-5);
    }
    pith_eval_result r;
    expect(s.c, pith_evaluate(s.m, s.d, PITH_VAL, -1, &r), PITH_EINVAL, "batch");
    ck_assert_int_eq(pith_evaluate(s.m, s.d, PITH_TRAIN, 0, &r), PITH_OK);
    ck_assert_int_eq(r.n, FIT_TRAIN);
    pith_ctx_free(s.c);
}
END_TEST

START_TEST(predictions)
{
    enum { N = 150, PER = FIT_SIZE * FIT_SIZE * 3 };
    fit_setup s = fit_begin(1);
    pith_real *x = malloc(sizeof *x * N * PER), probs[2 * N], one[2];
    for (int i = 0; i < N * PER; i++)
        x[i] = (pith_real)sin(i * 0.37 + i / PER);
    ck_assert_int_eq(pith_predict(s.m, x, N, probs), PITH_OK);
    for (int i = 0; i < N; i++) {
        ck_assert_double_eq_tol((double)(probs[2 * i] + probs[2 * i + 1]), 1, 1e-5);
        ck_assert_int_eq(pith_predict(s.m, x + i * PER, 1, one), PITH_OK);
        ck_assert_double_eq_tol((double)one[0], (double)probs[2 * i], 1e-5);
    }
    /* the kept plan allocates nothing; a changed graph gets a new one */
    uint64_t before = pith_ctx_allocations(s.c);
    ck_assert_int_eq(pith_predict(s.m, x, N, probs), PITH_OK);
    ck_assert_uint_eq(pith_ctx_allocations(s.c), before);
    ck_assert_int_gt(pith_model_freeze(s.m, "b1.*", true), 0);
    ck_assert_int_eq(pith_predict(s.m, x, N, probs), PITH_OK);
    ck_assert_int_eq(pith_predict(s.m, x, 0, probs), PITH_OK);
    free(x);
    pith_ctx_free(s.c);
}
END_TEST

START_TEST(frozen_stays)
{
    fit_setup s = fit_begin(1);
    ck_assert_int_gt(pith_model_freeze(s.m, "b1.*", true), 0);
    pith_model *was = pith_model_clone(s.m);
    ck_assert_int_eq(pith_fit(s.m, s.d, small), PITH_OK);
    int same = 0, moved = 0;
    for (size_t i = 0; i < s.m->g->n; i++) {
        const pith_tensor *t = s.m->g->nodes[i];
        if (t->kind != PITHP_NODE_PARAM && t->kind != PITHP_NODE_STATE)
            continue;
        const pith_tensor *u = pith_model_find(was, t->name);
        bool equal = memcmp(t->value, u->value, (size_t)pith_size(t) * sizeof(pith_real)) == 0;
        bool frozen = strncmp(t->name, "b1.", 3) == 0;
        ck_assert_msg(equal == frozen, "%s %s", t->name, equal ? "did not move" : "moved");
        same += frozen;
        moved += !frozen;
    }
    ck_assert(same > 0 && moved > 0);
    pith_ctx_free(s.c);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("fit_errors");
    suite_test(s, "refuses", refuses);
    suite_test(s, "large_batch", batch_larger_than_the_set);
    suite_test(s, "resume_same", resume_wants_the_same);
    tcase_add_loop_test(suite_case(s, "nan"), nan_in_the_loss, 0, 3);
    suite_test(s, "diverges", learning_rate_too_high);
    suite_test(s, "full_disk", full_disk);
    suite_test(s, "memory", memory_runs_out);
    suite_test(s, "every_image_once", every_image_once);
    suite_test(s, "predictions", predictions);
    suite_test(s, "frozen", frozen_stays);
    return suite_run("fit_errors", s);
}
