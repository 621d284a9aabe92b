/* Packed model files: every bit comes back, from every kind of model; what is damaged is told, never crashed on. */
#include "compress/pack/pack.h"
#include "file/model_file.h"
#include "fit_help.h"
#include "quant_help.h"
#include "fail_alloc.h"

#include <pith/pith.h>

/* ---- Blocks ---- */
/* A file of one tensor, packed as a block, and what comes back. Gives the packed bytes. */
static size_t there_and_back(pith_ctx *c, pithp_st_dtype dtype, const void *p, size_t n, double *ideal)
{
    pithp_tobits b = { .c = c };
    *ideal = 0;
    ck_assert_int_eq(pithp_pack_block(&b, p, n, dtype, ideal), PITH_OK);
    pithp_tobits_byte(&b);
    size_t bytes = b.at / 8;
    /* as the only block of a file */
    pithp_st_writer w;
    uint8_t *whole, *packed;
    size_t whole_n;
    pithp_st_writer_init(c, &w);
    pithp_st_add(&w, "x", dtype, PITH_SHAPE((int64_t)(n / pithp_st_dtype_size(dtype)), 1), p);
    ck_assert_int_eq(pithp_st_render(&w, &whole, &whole_n), PITH_OK);
    pithp_st_writer_free(&w);
    pithp_tobits all = { .c = c };
    pithp_pack_text(&all, whole + 8, whole_n - 8 - n);
    pithp_tobits_append(&all, &b);
    packed = calloc(1, PITHP_PACK_HEAD + all.at / 8);
    memcpy(packed, PITHP_PACK_MAGIC, 8);
    memcpy(packed + 8, &(uint32_t){ PITHP_PACK_VERSION }, 4);
    memcpy(packed + 12, &(uint64_t){ whole_n }, 8);
    memcpy(packed + 20, &(uint32_t){ pithp_crc32(0, whole, whole_n) }, 4);
    memcpy(packed + 24, &(uint32_t){ pithp_crc32(0, all.p, all.at / 8) }, 4);
    memcpy(packed + PITHP_PACK_HEAD, all.p, all.at / 8);
    pithp_st_file f;
    ck_assert_msg(pithp_unpack(c, &f, "test", packed, PITHP_PACK_HEAD + all.at / 8) == PITH_OK, "%s",
                  pith_error_text(c));
    ck_assert(f.own_bytes == whole_n && memcmp(f.own, whole, whole_n) == 0);
    pithp_st_close(&f);
    pithp_free(c, whole);
    pithp_free(c, all.p);
    pithp_free(c, b.p);
    free(packed);
    return bytes;
}

/* Bytes of many kinds: kind decides how many values, and how often 0. */
static void fill(uint8_t *p, size_t n, size_t each, int kind)
{
    static const int values[] = { 1, 2, 16, 300, 1 << 30 };
    pithp_rand r = pithp_rand_at(8, (uint32_t)kind, 0, PITHP_USE_OTHER);
    for (size_t i = 0; i + each <= n; i += each) {
        uint64_t v = pithp_rand_below(&r, (uint64_t)values[kind % 5]) * 0x9E3779B97F4A7C15u;
        bool zero = pithp_rand_uniform(&r) < (kind / 5 == 1 ? 0.9 : kind / 5 == 2 ? 0.999 : 0);
        v = zero ? 0 : v;
        memcpy(p + i, &v, each);
    }
}

START_TEST(blocks)
{
    static const pithp_st_dtype types[] = { PITHP_ST_U8, PITHP_ST_I8, PITHP_ST_F16, PITHP_ST_F32,
                                            PITHP_ST_F64 };
    static const size_t counts[] = { 1, 2, 7, 400, 5000 };
    static uint8_t p[8 * 5000];
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .threads = 1 });
    size_t before = pith_ctx_memory(c, NULL);
    for (size_t t = 0; t < PITHP_LEN(types); t++)
        for (size_t k = 0; k < PITHP_LEN(counts); k++)
            for (int kind = 0; kind < 15; kind++) {
                double ideal;
                size_t each = pithp_st_dtype_size(types[t]), n = counts[k] * each;
                fill(p, n, each, kind);
                size_t bytes = there_and_back(c, types[t], p, n, &ideal);
                suite_check(bytes <= n + 1 && ideal <= 8 * (double)bytes,
                            "type %zu, %zu bytes, kind %d: %zu, bound %g", t, n, kind, bytes, ideal / 8);
            }
    ck_assert_int_eq(pith_ctx_memory(c, NULL), before);
    pith_ctx_free(c);
}
END_TEST

/* Codes of 1 to 7 bits, packed into bytes, are found again: within a tenth of their entropy. */
START_TEST(packed_codes)
{
    enum { N = 6000 };
    static uint8_t code[N], packed[N];
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .threads = 1 });
    for (int bits = 1; bits < 8; bits++) {
        pithp_rand r = pithp_rand_at(8, (uint32_t)bits, 0, PITHP_USE_OTHER);
        int64_t count[256] = { 0 };
        for (int i = 0; i < N; i++) {
            double u = pithp_rand_uniform(&r);
            code[i] = (uint8_t)(u * u * u * (1 << bits));
            count[code[i]]++;
        }
        double ideal, bound = pithp_entropy_bits(count, 256) / 8;
        pithp_bits_pack(code, N, bits, packed);
        size_t bytes = there_and_back(c, PITHP_ST_U8, packed, pithp_bits_bytes(N, bits), &ideal);
        suite_check((double)bytes < 1.1 * bound + 80, "%d bits: %zu bytes, entropy %g", bits, bytes, bound);
        ck_assert(ideal <= 8 * bound + 1);
    }
    pith_ctx_free(c);
}
END_TEST

/* By hand: of four symbols with counts 4, 2, 1, 1 the codes are 0, 10, 110, 111; a deep tree is made shallow. */
START_TEST(codes)
{
    pithp_huff h;
    pithp_huff_make((const int64_t[]){ 1, 4, 2, 1 }, 4, &h);
    ck_assert(h.length[0] == 3 && h.length[1] == 1 && h.length[2] == 2 && h.length[3] == 3);
    ck_assert(h.code[0] == 6 && h.code[1] == 0 && h.code[2] == 2 && h.code[3] == 7);
    int64_t fib[40] = { 1, 1 };
    double kraft = 0;
    for (int i = 2; i < 40; i++)
        fib[i] = fib[i - 1] + fib[i - 2];
    pithp_huff_make(fib, 40, &h);
    for (int i = 0; i < 40; i++) {
        ck_assert(h.length[i] >= 1 && h.length[i] <= PITHP_HUFF_MOST);
        kraft += 1.0 / (1 << h.length[i]);
    }
    ck_assert(kraft == 1);
}
END_TEST

START_TEST(text)
{
    static char s[20000];
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .threads = 1 });
    size_t n = 0;
    for (int i = 0; n < sizeof s - 100; i++)
        n += (size_t)sprintf(s + n, "{\"id\":%d,\"op\":\"conv2d\",\"inputs\":[%d,%d]},", i, i - 1, i - 2);
    pithp_tobits b = { .c = c };
    pithp_pack_text(&b, (uint8_t *)s, n);
    suite_check(b.at / 8 < n / 5, "%zu bytes of %zu", b.at / 8, n);
    pithp_free(c, b.p);
    pith_ctx_free(c);
}
END_TEST

/* ---- Models ---- */
static uint8_t *read_all(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    ck_assert_ptr_nonnull(f);
    fseek(f, 0, SEEK_END);
    *n = (size_t)ftell(f);
    rewind(f);
    uint8_t *p = malloc(*n + 1);
    ck_assert(fread(p, 1, *n, f) == *n);
    fclose(f);
    return p;
}

static void same_files(const char *a, const char *b)
{
    size_t na, nb;
    uint8_t *pa = read_all(a, &na), *pb = read_all(b, &nb);
    ck_assert(na == nb && memcmp(pa, pb, na) == 0);
    free(pa);
    free(pb);
}

/* Packs, unpacks to what saving writes, loads to what computes the same. */
static pith_pack_sizes round_trip(fit_setup *s)
{
    pith_pack_sizes z;
    static pith_real x[3 * FIT_SIZE * FIT_SIZE * 3], a[6], b[6];
    char *saved = fit_path("saved.pith"), *packed = fit_path("m.pack"), *back = fit_path("back.pith");
    ck_assert_int_eq(pith_model_save(s->m, saved, false), PITH_OK);
    ck_assert_msg(pith_model_pack(s->m, packed, &z) == PITH_OK, "%s", pith_error_text(s->c));
    ck_assert_msg(pith_unpack(s->c, packed, back) == PITH_OK, "%s", pith_error_text(s->c));
    same_files(saved, back);
    pith_model *m = pith_model_load(s->c, packed);
    ck_assert_msg(m != NULL, "%s", pith_error_text(s->c));
    for (size_t i = 0; i < PITHP_LEN(x); i++)
        x[i] = (pith_real)((double)(i * 37 % 101) / 50 - 1);
    ck_assert(pith_predict(s->m, x, 3, a) == PITH_OK && pith_predict(m, x, 3, b) == PITH_OK);
    ck_assert_mem_eq(a, b, sizeof a);
    pith_model_free(m);
    size_t n;
    free(read_all(packed, &n));
    ck_assert(z.packed == (int64_t)n && z.packed < z.file && z.entropy <= z.packed && z.zeros <= z.weights);
#ifdef HAVE_ZLIB
    ck_assert(z.gzip_file > 0 && z.gzip_file < z.file && z.gzip_int8 < z.gzip_floats);
#endif
    return z;
}

START_TEST(models)
{
    fit_setup s = fit_begin(1);
    ck_assert_int_eq(pith_fit(s.m, s.d, (pith_fit_cfg){ .epochs = 1, .batch = 32 }), PITH_OK);
    pith_pack_sizes z = round_trip(&s), sparse, shared, int8;
    ck_assert_int_eq(z.floats, 4 * pith_model_info(s.m).parameters);
    ck_assert_msg(pith_prune(s.m, NULL, (pith_prune_cfg){ .target = 0.8, .per_layer = true }) == PITH_OK,
                  "%s", pith_error_text(s.c));
    sparse = round_trip(&s);
    ck_assert(sparse.packed < z.packed && sparse.zeros * 2 > sparse.weights);
    pith_model *masked = s.m;
    s.m = pith_model_clone(masked);
    pith_quant_cfg q = { .scheme = PITH_SCHEME_CODEBOOK, .bits_weights = 4, .bits_ends = -1 };
    ck_assert_msg(pith_quantize(s.m, s.d, q) == PITH_OK, "%s", pith_error_text(s.c));
    shared = round_trip(&s);
    ck_assert(shared.packed < sparse.packed && shared.zeros == sparse.zeros &&
              shared.weights == sparse.weights);
    ck_assert_int_gt(pith_model_round_half(s.m), 0);
    ck_assert_int_eq(pith_model_round_half(s.m), 0);
    ck_assert_int_lt(round_trip(&s).packed, shared.packed);
    s.m = pith_model_clone(masked);
    ck_assert_int_eq(pith_quantize(s.m, s.d, (pith_quant_cfg){ .samples = 32 }), PITH_OK);
    int8 = round_trip(&s);
    ck_assert(int8.zeros >= sparse.zeros && int8.packed < int8.file);
    s.m = pith_model_clone(masked);
    ck_assert_int_eq(pith_quantize(s.m, s.d, (pith_quant_cfg){ .scheme = PITH_SCHEME_FLOAT16 }), PITH_OK);
    round_trip(&s);
    pith_ctx_free(s.c);
}
END_TEST

/* Batch norms behind shared values stay and train on; half of what they hold is then not needed, and the network says the same. */
START_TEST(norms_that_stay)
{
    fit_setup s = fit_begin(1);
    const pith_quant_cfg q = {
        .scheme = PITH_SCHEME_CODEBOOK, .bits_weights = 2, .bits_ends = -1, .keep_norms = true
    };
    ck_assert_int_eq(pith_fit(s.m, s.d, (pith_fit_cfg){ .epochs = 1, .batch = 32 }), PITH_OK);
    ck_assert_msg(pith_quantize(s.m, s.d, q) == PITH_OK, "%s", pith_error_text(s.c));
    int64_t channels = 0;
    for (size_t i = 0; i < s.m->g->n; i++)
        if (s.m->g->nodes[i]->op != NULL && strcmp(s.m->g->nodes[i]->op->name, "batch_norm") == 0)
            channels += pith_size(s.m->g->nodes[i]->in[1]);
    ck_assert_int_gt(channels, 100);
    ck_assert_int_eq(pith_fit(s.m, s.d, (pith_fit_cfg){ .epochs = 1, .batch = 32, .opt.lr = 0.001 }),
                     PITH_OK);
    static pith_real x[8 * FIT_SIZE * FIT_SIZE * 3], a[16], b[16];
    for (size_t i = 0; i < PITHP_LEN(x); i++)
        x[i] = (pith_real)((double)(i * 37 % 101) / 50 - 1);
    ck_assert_int_eq(pith_predict(s.m, x, 8, a), PITH_OK);
    const int64_t was = round_trip(&s).packed;
    ck_assert_int_gt(pith_model_round_half(s.m), 2 * channels);
    ck_assert_int_eq(pith_model_round_half(s.m), 0);
    ck_assert_int_eq(pith_predict(s.m, x, 8, b), PITH_OK);
    for (int i = 0; i < 16; i++)
        ck_assert_msg(fabs((double)(a[i] - b[i])) < 0.01, "%g, then %g", (double)a[i], (double)b[i]);
    ck_assert_int_lt(round_trip(&s).packed, was - 8 * channels);
    pith_ctx_free(s.c);
}
END_TEST

/* Scales that were learned are parameters, too: rounded, they would change what the integers say. What float16 does not reach
   stays a number, and without memory all stays as it is. */
START_TEST(half_leaves_alone)
{
    fail_hook h = { 0 };
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .seed = 3, .threads = 1, FAIL_ALLOC(&h) });
    pith_model *m = pith_model_new(c, fit_net, NULL, PITH_SHAPE(FIT_SIZE, FIT_SIZE, 3));
    ck_assert_int_eq(pith_qat(m, (pith_quant_cfg){ .bits_weights = 4 }), PITH_OK);
    int learned = 0, large = 0;
    for (int i = 0; i < m->n_param_nodes; i++) {
        const pith_tensor *t = m->params[i];
        pith_real *v = t->value;
        const bool first = t->shape.ndim == 1 && strstr(pith_name(t), ".scale") == NULL;
        for (int64_t k = 0; t->shape.ndim == 1 && k < pithp_count(t->shape); k++)
            v[k] = (pith_real)(first && k == 0 ? 1e5 : 0.1);
        large += first;
    }
    pith_real *was = malloc((size_t)m->n_params * sizeof *was);
    memcpy(was, m->weights, (size_t)m->n_params * sizeof *was);
    h.made = 0;
    h.fail_at = 1;
    ck_assert_int_eq(pith_model_round_half(m), 0);
    h.fail_at = 0;
    ck_assert_int_eq(pith_ctx_status(c), PITH_ENOMEM);
    pith_ctx_clear(c);
    ck_assert(memcmp(was, m->weights, (size_t)m->n_params * sizeof *was) == 0);
    free(was);
    ck_assert_int_gt(pith_model_round_half(m), 0);
    for (int i = 0; i < m->n_param_nodes; i++) {
        const pith_tensor *t = m->params[i];
        const pith_real *v = t->value;
        const bool scale = strstr(pith_name(t), ".scale") != NULL;
        learned += scale;
        for (int64_t k = 0; t->shape.ndim == 1 && k < pithp_count(t->shape); k++)
            ck_assert_msg(k == 0 && !scale ? v[k] == (pith_real)1e5 : (v[k] == (pith_real)0.1) == scale,
                          "%s[%d]: %g", pith_name(t), (int)k, (double)v[k]);
    }
    ck_assert_int_gt(learned, 2);
    ck_assert_int_gt(large, 2);
    pith_ctx_free(c);
}
END_TEST

/* ---- Damage ---- */
static void write_all(const char *path, const uint8_t *p, size_t n)
{
    FILE *f = fopen(path, "wb");
    ck_assert(f != NULL && fwrite(p, 1, n, f) == n && fclose(f) == 0);
}

START_TEST(damaged)
{
    fit_setup s = fit_begin(1);
    char *path = fit_path("d.pack"), *bad = fit_path("bad.pack"), *out = fit_path("out.pith");
    size_t n;
    ck_assert_int_eq(pith_model_pack(s.m, path, NULL), PITH_OK);
    uint8_t *p = read_all(path, &n);
    for (size_t at = 8; at < n; at += at < 64 ? 1 : 97) { /* the magic apart, any byte */
        p[at] ^= 0x10;
        write_all(bad, p, n);
        p[at] ^= 0x10;
        ck_assert_ptr_null(pith_model_load(s.c, bad));
        suite_check(pith_ctx_status(s.c) == PITH_EFORMAT && strstr(pith_error_text(s.c), "bad.pack") != NULL,
                    "byte %zu: %s", at, pith_error_text(s.c));
        pith_ctx_clear(s.c);
    }
    for (size_t cut = 1; cut < n; cut += 1 + cut / 3) {
        write_all(bad, p, n - cut);
        ck_assert_int_ne(pith_unpack(s.c, bad, out), PITH_OK);
        pith_ctx_clear(s.c);
    }
    /* with its checksum made right, so that the codes themselves are looked at */
    for (size_t at = PITHP_PACK_HEAD; at < n; at += 61) {
        uint8_t was = p[at];
        p[at] = (uint8_t)(was * 7 + 3);
        uint32_t crc = pithp_crc32(0, p + PITHP_PACK_HEAD, n - PITHP_PACK_HEAD);
        memcpy(p + 24, &crc, 4);
        pithp_st_file f;
        suite_check(p[at] == was || pithp_unpack(s.c, &f, "bad", p, n) == PITH_EFORMAT, "byte %zu", at);
        pith_ctx_clear(s.c);
        p[at] = was;
    }
    expect_in(s.c, pith_unpack(s.c, fit_path("none"), out), PITH_ENOTFOUND, "none");
    memcpy(p, PITHP_MAGIC_CACHE, 8);
    write_all(bad, p, n);
    expect_in(s.c, pith_unpack(s.c, bad, out), PITH_EFORMAT, "is a data set's cache of decoded photographs");
    ck_assert_int_eq(pith_model_save(s.m, bad, false), PITH_OK);
    expect_in(s.c, pith_unpack(s.c, bad, out), PITH_EFORMAT, "not a packed one");
    ck_assert_ptr_null(fopen(out, "rb"));
    expect_in(s.c, pith_model_pack(s.m, "/nowhere/m.pack", NULL), PITH_ENOTFOUND, "/nowhere");
    free(p);
    pith_ctx_free(s.c);
}
END_TEST

/* ---- Failing memory ---- */
START_TEST(failing_memory)
{
    fail_hook h = { 0 };
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .seed = 3, .threads = 1, FAIL_ALLOC(&h) });
    pith_model *m = pith_model_new(c, fit_net, NULL, PITH_SHAPE(FIT_SIZE, FIT_SIZE, 3));
    char *path = fit_path("mem.pack"), *out = fit_path("mem.pith");
    for (int step = 0; step < 2; step++) {
        int failures = 0;
        for (long at = 1;; at += 1 + at / 50) {
            pith_pack_sizes z;
            size_t before = pith_ctx_memory(c, NULL);
            h.made = 0;
            h.fail_at = at;
            pith_status s = step == 0 ? pith_model_pack(m, path, &z) : pith_unpack(c, path, out);
            bool reached = h.made >= at;
            h.fail_at = 0;
            suite_check(pith_ctx_memory(c, NULL) == before, "step %d, allocation %ld: memory is lost", step,
                        at);
            if (!reached)
                break;
            failures++;
            suite_check(s == PITH_ENOMEM || (step == 0 && s == PITH_OK), "%s at %ld", pith_status_name(s),
                        at);
            pith_ctx_clear(c);
        }
        ck_assert_int_gt(failures, 20);
    }
    pith_ctx_free(c);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("pack");
    suite_test(s, "blocks", blocks);
    suite_test(s, "packed_codes", packed_codes);
    suite_test(s, "codes", codes);
    suite_test(s, "text", text);
    suite_test(s, "models", models);
    suite_test(s, "norms_that_stay", norms_that_stay);
    suite_test(s, "half_leaves_alone", half_leaves_alone);
    suite_test(s, "damaged", damaged);
    suite_test(s, "failing_memory", failing_memory);
    return suite_run("pack", s);
}
