/* pith analyze: where accuracy goes when a model is quantized. */
#include "cli/quant_opts.h"

#include <math.h>
#include <string.h>

typedef struct {
    common k;
    quant_opts q;
    const char *data;
    double max_bad;
} analyze_opts;

/* JSON has no infinity: nothing changed is null. */
static json_t *decibel_json(double v) { return isfinite(v) ? json_real(v) : json_null(); }

static json_t *place_json(const pith_place *p)
{
    json_t *h = json_array();
    for (int i = 0; i < PITH_ANALYSIS_BINS; i++)
        json_array_append_new(h, json_integer(p->histogram[i]));
    return json_pack("{s:o, s:s, s:i, s:o, s:o, s:o, s:o, s:f, s:f, s:f, s:o}", "layer", json_bytes(p->layer),
                     "what", p->weights ? "weights" : "result", "bits", p->bits, "alone_db",
                     decibel_json(p->alone), "all_but_db", decibel_json(p->all_but), "accumulated_db",
                     decibel_json(p->accumulated), "own_db", decibel_json(p->own), "min", p->lo, "max", p->hi,
                     "clipped", p->clipped, "histogram", h);
}

static void put_json(const pith_analysis *a)
{
    int64_t images;
    double output = pith_analysis_output(a, &images);
    json_t *places = json_array(), *ranked = json_array();
    for (int i = 0; pith_analysis_place(a, i) != NULL; i++) {
        const pith_place *r = pith_analysis_ranked(a, i);
        json_array_append_new(places, place_json(pith_analysis_place(a, i)));
        json_array_append_new(ranked, json_pack("{s:o, s:s, s:o}", "layer", json_bytes(r->layer), "what",
                                                r->weights ? "weights" : "result", "all_but_db",
                                                decibel_json(r->all_but)));
    }
    print_json(json_pack("{s:I, s:o, s:o, s:o}", "images", (json_int_t)images, "output_db",
                         decibel_json(output), "places", places, "ranked", ranked));
}

static void put_place(const pith_place *p)
{
    printf("%-28.28s %-7s %4d %7.1f %7.1f %7.1f %10.4g %10.4g %7.3f%%\n", p->layer,
           p->weights ? "weights" : "result", p->bits, p->alone, p->all_but, p->accumulated, p->lo, p->hi,
           100 * p->clipped);
}

static void put_text(const pith_analysis *a)
{
    enum { TOP = 10 };
    int64_t images;
    double output = pith_analysis_output(a, &images);
    printf("signal to quantization noise in dB over %lld training images\n\n", (long long)images);
    printf("%-28s %-7s %4s %7s %7s %7s %10s %10s %8s\n", "layer", "what", "bits", "alone", "all but",
           "so far", "min", "max", "clipped");
    for (int i = 0; pith_analysis_place(a, i) != NULL; i++)
        put_place(pith_analysis_place(a, i));
    printf("\noutput, everything quantized: %.1f dB; best gains from leaving one place in float:\n", output);
    for (int i = 0; i < TOP && pith_analysis_ranked(a, i) != NULL; i++) {
        const pith_place *p = pith_analysis_ranked(a, i);
        printf("  %+6.2f dB  %s, %s\n", p->all_but - output, p->layer, p->weights ? "weights" : "result");
    }
}

static int analyze(const analyze_opts *o, const char *file, pith_quant_cfg f)
{
    pith_ctx *c = open_ctx(&o->k);
    if (c == NULL)
        return EXIT_FAILED;
    pith_model *m = open_model(c, file, (model_opts){ 0 });
    int size = m == NULL ? 0 : model_image_size(m);
    if (m != NULL && size == 0) {
        pith_ctx_free(c);
        return EXIT_FAILED;
    }
    pith_data *d = m == NULL ? NULL : open_data(c, o->data, size, &o->k, o->max_bad);
    pith_analysis *a = d == NULL ? NULL : pith_analyze(m, d, f);
    if (a == NULL)
        return failed(c);
    if (o->k.json)
        put_json(a);
    else
        put_text(a);
    pith_ctx_free(c);
    return EXIT_DONE;
}

static int run(int argc, char **argv)
{
    analyze_opts o = { .data = NULL };
    opt table[] = { TEXT("data", 'd', o.data, "DIR", "folder of photographs that the model was trained on"),
                    QUANT_OPTS(o.q),
                    REAL("max-bad", 0, o.max_bad, "SHARE", 0, 1,
                         "share of unusable files allowed (default 0.01)"),
                    COMMON_OPTS(o.k), OPTS_END };
    const char *file;
    pith_quant_cfg f;
    int n, status = opts_parse(&verb_analyze, table, argc, argv, &file, &n);
    if (status >= 0)
        return status;
    if (o.data == NULL) {
        say("analyze: --data DIR is needed: places are measured on its training images");
        return EXIT_USAGE;
    }
    return quant_opts_cfg(&o.q, "int8", o.k.seed, &f) ? analyze(&o, file, f) : EXIT_USAGE;
}

const verb verb_analyze = { "analyze",
                            "tells where accuracy goes when a float model is quantized, place by place",
                            "MODEL --data DIR ",
                            1,
                            1,
                            run };
