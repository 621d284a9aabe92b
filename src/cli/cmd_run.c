/* pith run: one picture through a model of any of our formats, and exactly what went in and came out. */
#include "cli/cli.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    common k;
    const char *dump;
    double mean, std; /* of the pixels that the network wants; both 128: as pith trains */
} options;

/* The picture as the network wants it; NULL: it is said why not. */
static pith_real *picture(pith_ctx *c, const pith_runner_facts *f, const char *path, const options *o)
{
    pith_shape s = f->input;
    if (s.ndim != 4 || s.d[1] != s.d[2] || (s.d[3] != 3 && s.d[3] != 1)) {
        say("run: %s takes no square picture; its input has %d sizes, the last %lld", f->name, s.ndim - 1,
            (long long)s.d[s.ndim - 1]);
        return NULL;
    }
    size_t pixels = (size_t)(s.d[1] * s.d[2]);
    pith_real *x = malloc(pixels * 3 * sizeof *x);
    if (x == NULL || pith_data_image_load(c, path, (int)s.d[1], x) != PITH_OK) {
        say("%s", x == NULL ? "out of memory" : pith_error_text(c));
        free(x);
        return NULL;
    }
    for (size_t i = 0; i < pixels && s.d[3] == 1; i++) /* brightness, as JPEG has it */
        x[i] =
            (pith_real)0.299 * x[3 * i] + (pith_real)0.587 * x[3 * i + 1] + (pith_real)0.114 * x[3 * i + 2];
    for (size_t i = 0; i < pixels * (size_t)s.d[3] && (o->mean != 128 || o->std != 128); i++)
        x[i] = (pith_real)(((double)x[i] * 128 + 128 - o->mean) / o->std);
    return x;
}

static bool dump(const char *path, const void *p, size_t n)
{
    FILE *f = fopen(path, "wb");
    bool ok = f != NULL && fwrite(p, 1, n, f) == n;
    if (f != NULL && fclose(f) != 0)
        ok = false;
    if (!ok)
        say("%s: cannot be written: %s", path, strerror(errno));
    return ok;
}

static void softmax(const pith_real *v, int64_t n, double *p)
{
    double top = (double)v[0], sum = 0;
    for (int64_t i = 1; i < n; i++)
        top = (double)v[i] > top ? (double)v[i] : top;
    for (int64_t i = 0; i < n; i++)
        sum += p[i] = exp((double)v[i] - top);
    for (int64_t i = 0; i < n; i++)
        p[i] /= sum;
}

static void tell(const pith_runner *r, const pith_runner_result *y, const double *p, bool json)
{
    char buf[32];
    int64_t best = 0;
    for (int64_t i = 1; i < y->n; i++)
        if (y->values[i] > y->values[best])
            best = i;
    const char *name = pith_runner_class(r, (int)best);
    snprintf(buf, sizeof buf, "%lld", (long long)best);
    name = name != NULL ? name : buf;
    if (!json) {
        printf("%s", name);
        for (int64_t i = 0; i < y->n && i < 20; i++)
            printf("%s%.1f%%", i ? ", " : "  (", 100 * p[i]);
        printf(")\n");
        return;
    }
    json_t *probabilities = json_array(), *j;
    for (int64_t i = 0; i < y->n; i++)
        json_array_append_new(probabilities, json_real(p[i]));
    j = json_pack("{s:o, s:I, s:o}", "class", json_bytes(name), "index", (json_int_t)best, "probabilities",
                  probabilities);
    if (y->output_q != NULL) {
        json_t *q = json_array();
        for (int64_t i = 0; i < y->n; i++)
            json_array_append_new(q, json_integer(y->output_q[i]));
        json_object_set_new(j, "output_q", q);
    }
    print_json(j);
}

static int go(pith_ctx *c, const char *model, const char *image, const options *o)
{
    pith_runner_result y = { 0 };
    pith_runner *r = pith_runner_open(c, model);
    if (r == NULL)
        return failed(c);
    pith_runner_facts f = pith_runner_info(r);
    pith_real *x = picture(c, &f, image, o);
    double *p = NULL;
    int status = x != NULL ? EXIT_DONE : EXIT_FAILED;
    if (x != NULL && pith_runner_run(r, x, &y) != PITH_OK) {
        say("%s", pith_error_text(c));
        status = EXIT_FAILED;
    }
    if (status == EXIT_DONE && o->dump != NULL && !dump(o->dump, y.input, y.input_bytes))
        status = EXIT_FAILED;
    if (status == EXIT_DONE && (p = malloc((size_t)y.n * sizeof *p)) != NULL) {
        softmax(y.values, y.n, p);
        for (int64_t i = 0; i < y.n && f.probabilities; i++)
            p[i] = (double)y.values[i];
        tell(r, &y, p, o->k.json);
    }
    free(p);
    free(x);
    pith_ctx_free(c);
    return status;
}

static int run(int argc, char **argv)
{
    options o = { .mean = 128, .std = 128 };
    opt table[] = { TEXT("dump-input", 0, o.dump, "FILE", "write the exact bytes that the network is given"),
                    REAL("input-mean", 0, o.mean, "M", -1e6, 1e6,
                         "the network wants (pixel - M) / S (default 128, as pith trains)"),
                    REAL("input-std", 0, o.std, "S", 1e-6, 1e6, "see --input-mean (default 128)"),
                    COMMON_OPTS(o.k), OPTS_END };
    const char *operands[2];
    int n, status = opts_parse(&verb_run, table, argc, argv, operands, &n);
    if (status >= 0)
        return status;
    pith_ctx *c = open_ctx(&o.k);
    return c == NULL ? EXIT_FAILED : go(c, operands[0], operands[1], &o);
}

const verb verb_run = {
    "run", "runs one picture through a model file or a .tflite", "MODEL IMAGE ", 2, 2, run
};
