/* pith predict: what a model sees in pictures. */
#include "cli/cli.h"

#include <pith/explain.h>
#include <stdlib.h>

#define MAX_IMAGES 4096

typedef struct {
    pith_ctx *c;
    pith_model *m;
    int size, classes;
    pith_real *x, *p, *map;
    json_t *all;             /* NULL: print as we go */
    const char *cam, *layer; /* where what spoke for the class goes; NULL: nowhere */
} predictor;

static int best_of(const predictor *s)
{
    int best = 0;
    for (int k = 1; k < s->classes; k++)
        if (s->p[k] > s->p[best])
            best = k;
    return best;
}

static void tell(const predictor *s, const char *path)
{
    char buf[32];
    const int best = best_of(s);
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

/* The picture with what spoke for its class. */
static bool look(const predictor *s)
{
    const int32_t class = best_of(s);
    return pith_grad_cam(s->m, s->x, 1, &class, s->layer, s->map) == PITH_OK &&
           pith_cam_save(s->c, s->cam, s->x, s->map, s->size, s->size) == PITH_OK;
}

/* A file that cannot be read is named and the others go on. */
static bool one(const predictor *s, const char *path)
{
    if (pith_data_image_load(s->c, path, s->size, s->x) == PITH_OK &&
        pith_predict(s->m, s->x, 1, s->p) == PITH_OK) {
        tell(s, path);
        if (s->cam == NULL || look(s))
            return true;
    }
    say("%s", pith_error_text(s->c));
    pith_ctx_clear(s->c);
    return false;
}

static int run(int argc, char **argv)
{
    common k = { 0 };
    const char *cam = NULL, *layer = NULL;
    opt table[] = { TEXT("cam", 0, cam, "FILE.png",
                         "write the picture with what spoke for its class laid over it (Grad-CAM)"),
                    TEXT("cam-layer", 0, layer, "NAME",
                         "the layer whose maps --cam shows (default: the last before the pooling)"),
                    COMMON_OPTS(k), OPTS_END };
    const char **operands = calloc(MAX_IMAGES + 1, sizeof *operands);
    int n,
        bad = 0,
        status = operands == NULL ? EXIT_FAILED : opts_parse(&verb_predict, table, argc, argv, operands, &n);
    if (status >= 0) {
        free(operands);
        return status;
    }
    if (cam != NULL && n > 2) {
        say("predict: --cam %s is of one picture, not of %d", cam, n - 1);
        free(operands);
        return EXIT_USAGE;
    }
    predictor s = { .c = open_ctx(&k), .cam = cam, .layer = layer };
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
    s.map = calloc((size_t)s.size * (size_t)s.size + 1, sizeof *s.map);
    s.p = calloc((size_t)s.classes, sizeof *s.p);
    s.all = k.json ? json_array() : NULL;
    for (int i = 1; i < n && s.x != NULL && s.map != NULL && s.p != NULL; i++)
        bad += !one(&s, operands[i]);
    if (k.json)
        print_json(json_pack("{s:o}", "images", s.all));
    free(s.x);
    free(s.map);
    free(s.p);
    free(operands);
    pith_ctx_free(s.c);
    return bad ? EXIT_FAILED : EXIT_DONE;
}

const verb verb_predict = { "predict",         "names what a model sees in pictures",
                            "MODEL IMAGE... ", 2,
                            MAX_IMAGES + 1,    run };
