/* pith predict: what a model sees in pictures. */
#include "cli/cli.h"

#include <stdlib.h>

#define MAX_IMAGES 4096

typedef struct {
    pith_ctx *c;
    pith_model *m;
    int size, classes;
    pith_real *x, *p;
    json_t *all; /* NULL: print as we go */
} predictor;

static void tell(const predictor *s, const char *path)
{
    char buf[32];
    int best = 0;
    for (int k = 1; k < s->classes; k++)
        if (s->p[k] > s->p[best])
            best = k;
    if (s->all == NULL) {
        printf("%s: %s", path, class_name(s->m, best, buf));
        for (int k = 0; k < s->classes && k < 20; k++)
            printf("%s%s %.1f%%", k ? ", " : "  (", class_name(s->m, k, buf), 100 * (double)s->p[k]);
        printf(")\n");
        return;
    }
    json_t *probabilities = json_array();
    for (int k = 0; k < s->classes; k++)
        json_array_append_new(probabilities, json_real((double)s->p[k]));
    json_array_append_new(s->all, json_pack("{s:o, s:s, s:i, s:o}", "path", json_bytes(path), "class",
                                            class_name(s->m, best, buf), "index", best, "probabilities",
                                            probabilities));
}

/* A file that cannot be read is named and the others go on. */
static bool one(const predictor *s, const char *path)
{
    if (pith_data_image_load(s->c, path, s->size, s->x) == PITH_OK &&
        pith_predict(s->m, s->x, 1, s->p) == PITH_OK) {
        tell(s, path);
        return true;
    }
    say("%s", pith_error_text(s->c));
    pith_ctx_clear(s->c);
    return false;
}

static int run(int argc, char **argv)
{
    common k = { 0 };
    opt table[] = { COMMON_OPTS(k), OPTS_END };
    const char **operands = calloc(MAX_IMAGES + 1, sizeof *operands);
    int n,
        bad = 0,
        status = operands == NULL ? EXIT_FAILED : opts_parse(&verb_predict, table, argc, argv, operands, &n);
    if (status >= 0) {
        free(operands);
        return status;
    }
    predictor s = { .c = open_ctx(&k) };
    if (s.c != NULL)
        s.m = open_model(s.c, operands[0], (model_opts){ 0 });
    if (s.m == NULL) {
        free(operands);
        return s.c == NULL ? EXIT_FAILED : failed(s.c);
    }
    s.size = model_image_size(s.m);
    if (s.size == 0) {
        free(operands);
        pith_ctx_free(s.c);
        return EXIT_FAILED;
    }
    s.classes = (int)pith_size(pith_model_output(s.m));
    s.x = calloc((size_t)s.size * (size_t)s.size * 3 + 1, sizeof *s.x);
    s.p = calloc((size_t)s.classes, sizeof *s.p);
    s.all = k.json ? json_array() : NULL;
    for (int i = 1; i < n && s.x != NULL && s.p != NULL; i++)
        bad += !one(&s, operands[i]);
    if (k.json)
        print_json(json_pack("{s:o}", "images", s.all));
    free(s.x);
    free(s.p);
    free(operands);
    pith_ctx_free(s.c);
    return bad ? EXIT_FAILED : EXIT_DONE;
}

const verb verb_predict = { "predict",         "names what a model sees in pictures",
                            "MODEL IMAGE... ", 2,
                            MAX_IMAGES + 1,    run };
