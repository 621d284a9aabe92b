/* tests/test_foreign.c: weights from and to files with timm's names and PyTorch's layouts. tests/interop compares with timm
   itself. */
#include "base/base.h"
#include "file_help.h"
#include <math.h>
#include <pith/pith.h>

static pith_model *net(const char *name, int classes, pith_style style)
{
    pith_model *m = pith_model_family(
        ctx, name, (pith_family_cfg){ .classes = classes, .image_size = 32, .style = style });
    ck_assert_msg(m != NULL, "%s: %s", name, pith_error_text(ctx));
    return m;
}

/* Values that tell every element from every other, and variances that are positive. */
static void number(pith_model *m)
{
    int64_t n;
    pith_real *w = pith_model_weights(m, &n);
    for (int64_t i = 0; i < n; i++)
        w[i] = (pith_real)(i + 1) / 1024;
}

static pith_real *copy_of(pith_model *m, int64_t *n)
{
    const pith_real *w = pith_model_weights(m, n);
    pith_real *copy = malloc((size_t)*n * sizeof *copy);
    memcpy(copy, w, (size_t)*n * sizeof *copy);
    return copy;
}

static bool same(const pith_model *a, const pith_model *b)
{
    int64_t n, k;
    const pith_real *u = pith_model_weights(a, &n), *v = pith_model_weights(b, &k);
    return n == k && memcmp(u, v, (size_t)n * sizeof *u) == 0;
}

/* ---- Names and layouts ---- */
static const struct {
    const char *here, *there;
    int64_t shape[4];
} names[] = { { "stem.conv.weight", "conv_stem.weight", { 32, 3, 3, 3 } },
              { "stem.bn.running_mean", "bn1.running_mean", { 32 } },
              { "blocks.0.0.dw.conv.weight", "blocks.0.0.conv_dw.weight", { 32, 1, 3, 3 } },
              { "blocks.0.0.dw.bn.bias", "blocks.0.0.bn1.bias", { 32 } },
              { "blocks.0.0.se.reduce.bias", "blocks.0.0.se.conv_reduce.bias", { 8 } },
              { "blocks.0.0.project.conv.weight", "blocks.0.0.conv_pw.weight", { 16, 32, 1, 1 } },
              { "blocks.0.0.project.bn.weight", "blocks.0.0.bn2.weight", { 16 } },
              { "blocks.2.1.expand.conv.weight", "blocks.2.1.conv_pw.weight", { 240, 40, 1, 1 } },
              { "blocks.2.1.expand.bn.weight", "blocks.2.1.bn1.weight", { 240 } },
              { "blocks.2.1.dw.conv.weight", "blocks.2.1.conv_dw.weight", { 240, 1, 5, 5 } },
              { "blocks.2.1.dw.bn.running_var", "blocks.2.1.bn2.running_var", { 240 } },
              { "blocks.2.1.se.expand.weight", "blocks.2.1.se.conv_expand.weight", { 240, 10, 1, 1 } },
              { "blocks.2.1.project.conv.weight", "blocks.2.1.conv_pwl.weight", { 40, 240, 1, 1 } },
              { "blocks.2.1.project.bn.bias", "blocks.2.1.bn3.bias", { 40 } },
              { "head.conv.weight", "conv_head.weight", { 1280, 320, 1, 1 } },
              { "head.bn.running_var", "bn2.running_var", { 1280 } },
              { "classifier.weight", "classifier.weight", { 7, 1280 } },
              { "classifier.bias", "classifier.bias", { 7 } } };

/* Element [k,c,r,s] of the file is [k,r,s,c] here; of a depthwise one [c,0,r,s] is [0,r,s,c]. */
static void same_elements(const pith_tensor *t, const pithp_st_tensor *f)
{
    pith_shape s = t->shape;
    const pith_real *here = t->value;
    float *there = malloc(f->bytes);
    memcpy(there, f->data, f->bytes);
    bool depthwise = s.ndim == 4 && s.d[0] == 1 && f->shape.d[0] == s.d[3];
    ck_assert_int_eq(pithp_count(s), f->count);
    for (int64_t i = 0; i < f->count; i++) {
        int64_t at = i;
        if (s.ndim == 4) {
            int64_t rs = s.d[1] * s.d[2], k = depthwise ? 0 : i / (s.d[3] * rs), c = i / rs % s.d[3];
            at = (k * rs + i % rs) * s.d[3] + c;
        }
        suite_check(there[i] == (float)here[at], "%s: element %lld", f->name, (long long)i);
    }
    free(there);
}

START_TEST(b0_entries)
{
    pith_model *m = net("efnet-b0", 7, PITH_STYLE_TORCH);
    pithp_st_file f;
    number(m);
    ck_assert_int_eq(pith_model_export_safetensors(m, in_dir("b0.safetensors")), PITH_OK);
    ck_assert_int_eq(pithp_st_open(ctx, &f, in_dir("b0.safetensors")), PITH_OK);
    ck_assert_uint_eq(f.n, 360);
    int counters = 0;
    for (size_t i = 0; i < f.n; i++)
        counters += strstr(f.tensors[i].name, ".num_batches_tracked") != NULL;
    ck_assert_int_eq(counters, 49);
    for (size_t i = 0; i < PITHP_LEN(names); i++) {
        const pithp_st_tensor *t = pithp_st_find(&f, names[i].there);
        ck_assert_msg(t != NULL, "%s is not there", names[i].there);
        for (int d = 0; d < t->shape.ndim; d++)
            ck_assert_msg(t->shape.d[d] == names[i].shape[d], "%s", t->name);
        same_elements(pith_model_find(m, names[i].here), t);
    }
    ck_assert_str_eq(pithp_st_meta(&f, "format"), "pt");
    pithp_st_close(&f);
}
END_TEST

/* Every network goes out and comes back. */
START_TEST(there_and_back)
{
    const pith_family_info *info = pith_family_list(_i);
    pith_model *a = net(info->name, 3, PITH_STYLE_TF), *b = net(info->name, 3, PITH_STYLE_TF);
    number(a);
    ck_assert_int_eq(pith_model_export_safetensors(a, in_dir("x")), PITH_OK);
    ck_assert_msg(pith_model_import_safetensors(b, in_dir("x"), (pith_import_cfg){ 0 }) == PITH_OK, "%s",
                  pith_error_text(ctx));
    int64_t n;
    for (int i = 0; pith_model_param(a, i); i++) {
        const pith_tensor *s = pith_model_param(a, i), *t = pith_model_param(b, i);
        n = pith_size(s);
        ck_assert_mem_eq(s->value, t->value, (size_t)n * sizeof(pith_real));
    }
    pith_model_free(b);
    pith_model_free(a);
}
END_TEST

/* ---- Files that do not fit ---- */
/* One tensor of the file differs, is left out, or is added. */
typedef struct {
    const char *skip, *add;
    pithp_st_dtype dtype; /* of all float tensors; BOOL: F32 */
    double poison;        /* goes into element 1 of `where` */
    const char *where;
} change;

static uint16_t half_of(float v, bool brain)
{
    uint32_t u;
    memcpy(&u, &v, 4);
    if (brain)
        return (uint16_t)(u >> 16);
    int e = (int)(u >> 23 & 255) - 127; /* normal numbers of few bits only */
    return (uint16_t)(u >> 16 & 0x8000) | (uint16_t)(v == 0 ? 0 : (e + 15) << 10 | (int)(u >> 13 & 1023));
}

static const char *rewrite(const char *from, change c)
{
    pithp_st_file f;
    pithp_st_writer w;
    void *blocks[1024];
    const float one = 1;
    size_t n = 0;
    const char *to = in_dir("changed");
    ck_assert_int_eq(pithp_st_open(ctx, &f, from), PITH_OK);
    pithp_st_writer_init(ctx, &w);
    for (size_t i = 0; i < f.n; i++) {
        const pithp_st_tensor *t = &f.tensors[i];
        if (c.skip && strcmp(t->name, c.skip) == 0)
            continue;
        float *v = blocks[n++] = malloc(t->bytes + 1);
        memcpy(v, t->data, t->bytes);
        pithp_st_dtype type = t->dtype;
        if (c.where && strcmp(t->name, c.where) == 0)
            v[1] = (float)c.poison;
        if (type == PITHP_ST_F32 && c.dtype != PITHP_ST_BOOL) {
            type = c.dtype;
            uint16_t *h = (uint16_t *)(void *)v;
            for (int64_t k = 0; k < t->count; k++) {
                float value = v[k];
                h[k] = half_of(value, c.dtype == PITHP_ST_BF16);
            }
        }
        pithp_st_add(&w, t->name, type, t->shape, v);
    }
    if (c.add)
        pithp_st_add(&w, c.add, PITHP_ST_F32, PITH_SHAPE(1), &one);
    ck_assert_int_eq(pithp_st_commit(&w, to, false), PITH_OK);
    pithp_st_writer_free(&w);
    pithp_st_close(&f);
    while (n > 0)
        free(blocks[--n]);
    return to;
}

static const char *written(const char *name, int classes)
{
    pith_model *m = net(name, classes, PITH_STYLE_TORCH);
    number(m);
    const char *path = in_dir("written");
    ck_assert_int_eq(pith_model_export_safetensors(m, path), PITH_OK);
    pith_model_free(m);
    return path;
}

/* Refused with these words, and no weight has changed. */
static void refused(pith_model *m, const char *path, bool new_head, const char *words)
{
    int64_t n, k;
    pith_real *before = copy_of(m, &n);
    ck_assert_int_eq(pith_model_import_safetensors(m, path, (pith_import_cfg){ new_head }), PITH_EFORMAT);
    expect_error(PITH_EFORMAT, words);
    ck_assert_mem_eq(before, pith_model_weights(m, &k), (size_t)n * sizeof *before);
    free(before);
}

START_TEST(refusals)
{
    pith_model *m = net("mobilenet-v1", 4, PITH_STYLE_TORCH);
    refused(m, written("mobilenet-v1", 5), false,
            "'classifier.weight' has shape [5,1024]; 'classifier.weight' of this "
            "mobilenet-v1 expects [4,1024] (another number of classes?");
    refused(m, written("mobilenet-v2", 4), false, "'blocks.0.0.conv_pw.weight' has shape [16,32,1,1]");
    refused(m, written("lenet", 4), false, "missing: conv_stem.weight, bn1.weight");
    refused(m, written("lenet", 4), false, "not expected: ");
    char good[4400];
    snprintf(good, sizeof good, "%s", written("mobilenet-v1", 4)); /* in_dir's buffers go round */
    refused(m, rewrite(good, (change){ .skip = "blocks.3.1.bn2.bias" }), false,
            "missing: blocks.3.1.bn2.bias; not expected: none");
    refused(m, rewrite(good, (change){ .add = "conv_tail.weight" }), false,
            "missing: none; not expected: conv_tail.weight");
    refused(m, rewrite(good, (change){ .add = "bn9.num_batches_tracked" }), false,
            "not expected: bn9.num_batches_tracked");
    refused(m, rewrite(good, (change){ .where = "blocks.1.0.conv_dw.weight", .poison = (double)NAN }), false,
            "'blocks.1.0.conv_dw.weight': element 1 is nan; finite numbers are expected");
    refused(m, rewrite(good, (change){ .where = "bn1.weight", .poison = (double)INFINITY }), false,
            "'bn1.weight': element 1 is inf");
    refused(m, rewrite(good, (change){ .where = "bn1.running_var", .poison = -1 }), false,
            "'bn1.running_var': element 1 is -1; a variance");
    ck_assert_int_eq(pith_model_save(m, in_dir("own"), false), PITH_OK);
    refused(m, in_dir("own"), false, "is a model of pith's own");
    ck_assert_int_eq(pith_model_import_safetensors(m, in_dir("nowhere"), (pith_import_cfg){ 0 }),
                     PITH_ENOTFOUND);
    expect_error(PITH_ENOTFOUND, "nowhere");
    /* files without counters, as some are written, are taken */
    ck_assert_int_eq(
        pith_model_import_safetensors(m, rewrite(good, (change){ .skip = "bn1.num_batches_tracked" }),
                                      (pith_import_cfg){ 0 }),
        PITH_OK);
}
END_TEST

/* Another number of classes: everything but the classifier is read, that is as a fresh model has it, and named. */
START_TEST(new_head)
{
    pith_model *m = net("efnet-micro", 4, PITH_STYLE_TORCH), *fresh = net("efnet-micro", 4, PITH_STYLE_TORCH);
    const char *path = written("efnet-micro", 5);
    number(m);
    ck_assert_int_eq(pith_model_import_safetensors(m, path, (pith_import_cfg){ .new_head = true }), PITH_OK);
    ck_assert_ptr_nonnull(strstr(logged, "'classifier.bias' [5] is left out"));
    for (int i = 0; pith_model_param(m, i); i++) {
        const pith_tensor *t = pith_model_param(m, i);
        bool head = strncmp(t->name, "classifier.", 11) == 0;
        const pith_tensor *f = pith_model_find(fresh, t->name);
        size_t bytes = (size_t)pith_size(t) * sizeof(pith_real);
        /* biases begin as zeros in both */
        ck_assert_msg((memcmp(t->value, f->value, bytes) == 0) == head, "%s", t->name);
    }
    /* and a file that has no classifier at all */
    change c = { .skip = "classifier.weight" };
    const char *once = rewrite(path, c);
    char kept[4400];
    snprintf(kept, sizeof kept, "%s.1", once);
    ck_assert_int_eq(rename(once, kept), 0);
    c.skip = "classifier.bias";
    ck_assert_int_eq(
        pith_model_import_safetensors(m, rewrite(kept, c), (pith_import_cfg){ .new_head = true }), PITH_OK);
    refused(m, kept, false, "classifier");
}
END_TEST

START_TEST(halves)
{
    pith_model *a = net("efnet-micro", 2, PITH_STYLE_TORCH), *b = net("efnet-micro", 2, PITH_STYLE_TORCH);
    int64_t n;
    pith_real *w = pith_model_weights(a, &n);
    for (int64_t i = 0; i < n; i++) /* exact in seven bits */
        w[i] = (pith_real)(1 + i % 64) / 16;
    ck_assert_int_eq(pith_model_export_safetensors(a, in_dir("full")), PITH_OK);
    static const pithp_st_dtype types[] = { PITHP_ST_F16, PITHP_ST_BF16 };
    ck_assert_int_eq(pith_model_import_safetensors(b, in_dir("full"), (pith_import_cfg){ 0 }), PITH_OK);
    pith_model *full = pith_model_clone(b);
    for (size_t i = 0; i < PITHP_LEN(types); i++) {
        number(b);
        const char *path = rewrite(in_dir("full"), (change){ .dtype = types[i] });
        ck_assert_int_eq(pith_model_import_safetensors(b, path, (pith_import_cfg){ 0 }), PITH_OK);
        for (int k = 0; pith_model_param(b, k); k++)
            ck_assert_mem_eq(pith_model_param(b, k)->value, pith_model_param(full, k)->value,
                             (size_t)pith_size(pith_model_param(b, k)) * sizeof(pith_real));
    }
    ck_assert(!same(a, net("efnet-micro", 2, PITH_STYLE_TORCH)));
}
END_TEST

/* Whatever allocation fails, the model stays and nothing leaks. */
START_TEST(no_memory)
{
    pith_model *m = net("resnet8", 2, PITH_STYLE_TORCH);
    const char *path = written("resnet8", 2);
    int64_t n, k;
    pith_real *before = copy_of(m, &n);
    pith_status s = PITH_ENOMEM;
    int failures = 0;
    for (long i = 0; s != PITH_OK; i++) {
        hook.left = i;
        s = pith_model_import_safetensors(m, path, (pith_import_cfg){ 0 });
        hook.left = -1;
        if (s == PITH_OK)
            break;
        failures++;
        ck_assert_int_eq(s, PITH_ENOMEM);
        pith_ctx_clear(ctx);
        ck_assert_mem_eq(before, pith_model_weights(m, &k), (size_t)n * sizeof *before);
    }
    ck_assert_int_gt(failures, 5);
    s = PITH_ENOMEM;
    for (long i = 0; s != PITH_OK; i++) {
        hook.left = i;
        s = pith_model_export_safetensors(m, in_dir("again"));
        hook.left = -1;
        pith_ctx_clear(ctx);
    }
    free(before);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("foreign");
    TCase *t = suite_case(s, "timm");
    int families = 0;
    while (pith_family_list(families))
        families++;
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, b0_entries);
    tcase_add_loop_test(t, there_and_back, 0, families);
    tcase_add_test(t, refusals);
    tcase_add_test(t, new_head);
    tcase_add_test(t, halves);
    tcase_add_test(t, no_memory);
    return suite_run("foreign", s);
}
