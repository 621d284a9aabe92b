/* What a step's model is: right answers, sizes, memory, time, an estimate of energy. */
#include "cli/lab.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TIMED = 32, RUNS = 21 };

/* ---- Answers ---- */
/* What it says of the validation images, also beside the float network. */
static bool ask(lab *l, const lab_row *r, pith_model *m, json_t *result, int32_t *says)
{
    char path[1024];
    answers a;
    const int64_t n = pith_data_count(l->d, PITH_VAL);
    bool ok = answers_ask(m, l->d, PITH_VAL, 0, &a) &&
              lab_save_text(l, lab_path(l, r, "val.csv", path), a.csv, a.csv_bytes);
    const int64_t right = a.right;
    for (int64_t i = 0; i < n && ok; i++)
        says[i] = a.says[i];
    if (ok && l->float_says != NULL) {
        const paired p = answers_pair(&a, &(answers){ .n = n, .says = l->float_says });
        json_object_set_new(result, "mcnemar",
                            json_pack("{s:I, s:I, s:f}", "only_float", (json_int_t)p.only_other, "only_this",
                                      (json_int_t)p.only_this, "p", p.p));
        json_object_set_new(result, "differ", json_integer(p.differ));
    }
    answers_free(&a);
    if (!ok)
        return false;
    double low, high;
    pith_wilson(right, n, &low, &high);
    json_object_set_new(result, "accuracy", json_real((double)right / (double)n));
    json_object_set_new(result, "correct", json_integer(right));
    json_object_set_new(result, "n", json_integer(n));
    json_object_set_new(result, "ci95", json_pack("[f, f]", low, high));
    return true;
}

/* Labels and answers of a line, from its end: paths may hold commas. */
static bool last_fields(char *line, int classes, int *label, int *says)
{
    char *at = line + strlen(line);
    for (int k = 0; k < classes + 2; k++) {
        while (at > line && at[-1] != ',')
            at--;
        if (at == line)
            return false;
        at--;
    }
    return sscanf(at, ",%d,%d", label, says) == 2;
}

static bool read_answers(lab *l, const lab_row *r, int32_t *says, int32_t *labels)
{
    char path[1024], *line = NULL;
    size_t room = 0;
    const int64_t n = pith_data_count(l->d, PITH_VAL);
    int64_t at = 0;
    FILE *f = fopen(lab_path(l, r, "val.csv", path), "r");
    bool ok = f != NULL && getline(&line, &room, f) > 0;
    while (ok && at < n && getline(&line, &room, f) > 0) {
        int label, best;
        ok = last_fields(line, pith_data_classes(l->d), &label, &best);
        if (ok)
            labels[at] = label, says[at++] = best;
    }
    free(line);
    if (f != NULL)
        fclose(f);
    return (ok && at == n) ||
           lab_fail(l, "%s: it should have a line for each of %lld validation images", path, (long long)n);
}

bool lab_read_says(lab *l, const lab_row *r, int32_t *says)
{
    int32_t *labels = calloc((size_t)pith_data_count(l->d, PITH_VAL) + 1, sizeof *labels);
    bool ok = labels != NULL && read_answers(l, r, says, labels);
    free(labels);
    return ok;
}

/* ---- Time ---- */
static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

typedef struct {
    pith_runner *runner; /* integers, one image */
    pith_plan *plan;     /* floats */
    pith_model *m;       /* integers, many images */
    const pith_real *x;
    pith_real *probs;
    int n;
} timed;

static bool once(const timed *t)
{
    pith_runner_result y;
    if (t->runner != NULL)
        return pith_runner_run(t->runner, t->x, &y) == PITH_OK;
    if (t->plan != NULL)
        return pith_plan_forward(t->plan, t->n, 0) == PITH_OK;
    return pith_predict(t->m, t->x, t->n, t->probs) == PITH_OK;
}

/* Median of some runs, in milliseconds; NaN after an error. Slow ones are run less often. */
static double median(const timed *t)
{
    double ms[RUNS];
    int n = 0;
    if (!once(t))
        return NAN;
    for (const double first = lab_clock(); n < RUNS && (n < 3 || lab_clock() - first < 1); n++) {
        const double began = lab_clock();
        if (!once(t))
            return NAN;
        ms[n] = 1000 * (lab_clock() - began);
    }
    qsort(ms, (size_t)n, sizeof *ms, by_value);
    return ms[n / 2];
}

static double time_floats(pith_model *m, const pith_real *x, int n)
{
    pith_tensor *out = pith_model_output(m);
    pith_plan *p = pith_plan_new(&out, 1, (pith_plan_cfg){ .batch = n, .constant = true });
    if (p == NULL)
        return NAN;
    memcpy(pith_plan_input(p, pith_model_input(m)), x,
           (size_t)pith_size(pith_model_input(m)) * (size_t)n * sizeof *x);
    const double ms = median(&(timed){ .plan = p, .n = n });
    pith_plan_free(p);
    return ms;
}

/* Integers are made anew by every call of pith_predict: five batches less one tell what a batch costs. */
static double time_integers(pith_model *m, const pith_real *x, pith_real *probs)
{
    const double many = median(&(timed){ .m = m, .x = x, .probs = probs, .n = 5 * TIMED }),
                 one = median(&(timed){ .m = m, .x = x, .probs = probs, .n = TIMED });
    return many > one ? (many - one) / 4 : many / 5;
}

static bool times(lab *l, pith_model *m, bool integers, json_t *result)
{
    const size_t each = (size_t)pith_size(pith_model_input(m));
    pith_real *x = calloc(5 * TIMED * each, sizeof *x);
    pith_real *probs = calloc(5 * TIMED * (size_t)pith_data_classes(l->d), sizeof *probs);
    double one = NAN, batch = NAN;
    uint32_t noise = 1;
    for (size_t i = 0; i < 5 * TIMED * each && x != NULL; i++)
        x[i] = (pith_real)((int)((noise = noise * 1664525u + 1013904223u) >> 24) - 128) / 128;
    if (x != NULL && probs != NULL && integers) {
        pith_runner *runner = pith_runner_of(m);
        one = runner != NULL ? median(&(timed){ .runner = runner, .x = x }) : NAN;
        pith_runner_free(runner);
        batch = time_integers(m, x, probs);
    } else if (x != NULL && probs != NULL) {
        one = time_floats(m, x, 1);
        batch = time_floats(m, x, TIMED);
    }
    free(x);
    free(probs);
    if (isnan(one) || isnan(batch))
        return lab_fail(l, "out of memory");
    json_object_set_new(result, "latency_ms", json_real(one));
    json_object_set_new(result, "images_per_s", json_real(1000 * TIMED / batch));
    return true;
}

/* ---- Energy ---- */
/* pJ, 45 nm, 0.9 V: Horowitz, "Computing's energy problem (and what we can do about it)", ISSCC 2014, figure 1.1.9. Int8
   products are added up in 32 bits. */
enum { INT8, FLOAT16, FLOAT32 };
static const struct {
    const char *name;
    double multiply, add, bytes;
} arithmetic[] = { { "int8", 0.2, 0.1, 1 }, { "float16", 1.1, 0.4, 2 }, { "float32", 3.7, 0.9, 4 } };

static void energy(const pith_model *m, int weights, int activations, int64_t macs, json_t *result)
{
    const int kind = activations <= 8 ? INT8 : activations == 16 ? FLOAT16 : FLOAT32;
    const double each = arithmetic[kind].multiply + arithmetic[kind].add, sram = 10.0 / 8;
    double moved = (double)pith_model_info(m).parameters * weights / 8;
    pith_layer_facts f;
    char source[400];
    for (int i = 0; pith_model_layer(m, i, &f); i++) {
        double n = 1;
        for (int k = 0; k < f.out.ndim; k++)
            n *= (double)f.out.d[k];
        moved += 2 * n * arithmetic[kind].bytes;
    }
    snprintf(source, sizeof source,
             "estimate, not measured: %s multiply-adds at %.1f pJ, weights read once and results written and "
             "read once "
             "from 8 KB of SRAM at 10 pJ for 64 bits; 45 nm (Horowitz, ISSCC 2014); zeros are not left out",
             arithmetic[kind].name, each);
    json_object_set_new(result, "energy_mj",
                        json_pack("{s:f, s:f, s:s}", "value", ((double)macs * each + moved * sram) * 1e-9,
                                  "bytes_moved", moved, "source", source));
}

/* ---- All of it ---- */
bool lab_measure(lab *l, const lab_row *r, pith_model *m, json_t *result, int32_t *says)
{
    pith_integer_facts facts = { 0 };
    const bool integers = pith_model_is_quantized(m) && pith_integer_info(m, &facts) == PITH_OK;
    const int weights = (int)json_integer_value(json_object_get(result, "bits_weights")),
              activations = (int)json_integer_value(json_object_get(result, "bits_activations"));
    const pith_model_facts info = pith_model_info(m);
    int64_t zeros = 0;
    pith_layer_facts f;
    if (!integers)
        pith_ctx_clear(l->c); /* a scheme without integers is no error here */
    if (!ask(l, r, m, result, says) || !times(l, m, integers, result))
        return false;
    for (int i = 0; pith_model_layer(m, i, &f); i++)
        zeros += f.zeros;
    const int64_t macs = integers ? facts.macs : info.macs;
    json_object_set_new(result, "parameters", json_integer(info.parameters));
    json_object_set_new(result, "nonzero", json_integer(info.parameters - zeros));
    json_object_set_new(result, "macs", json_integer(macs));
    json_object_set_new(result, "arena", integers ? json_integer(facts.arena) : json_null());
    energy(m, weights, activations, macs, result);
    return true;
}
