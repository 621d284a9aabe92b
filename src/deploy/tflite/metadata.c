/* deploy/tflite/metadata.c: the description of a model, its input and its output.
   Source: tensorflow_lite_support/metadata/metadata_schema.fbs (1.0.0 suffices), github.com/tensorflow/tflite-support. */
#include "deploy/tflite/metadata.h"
#include "file/json.h"
#include <string.h>

/* Fields and numbers of that schema. */
enum { MODEL_NAME, MODEL_DESCRIPTION, MODEL_VERSION, MODEL_SUBGRAPHS, MODEL_MIN_PARSER = 7 };
enum { SUBGRAPH_INPUTS = 2, SUBGRAPH_OUTPUTS };
enum { TENSOR_NAME, TENSOR_DESCRIPTION, TENSOR_CONTENT = 3, TENSOR_UNITS, TENSOR_STATS, TENSOR_FILES };
enum { CONTENT_TYPE, CONTENT_PROPERTIES };
enum { FEATURE_PROPERTIES = 1, IMAGE_PROPERTIES = 2 };
enum { IMAGE_COLOUR_SPACE = 0, RGB = 1, GRAYSCALE = 2 };
enum { UNIT_TYPE, UNIT_OPTIONS, NORMALIZATION = 1 };
enum { NORMALIZATION_MEAN, NORMALIZATION_STD };
enum { STATS_MAX, STATS_MIN };
enum { FILE_NAME, FILE_DESCRIPTION, FILE_TYPE, TENSOR_AXIS_LABELS = 2 };

#define LABELS "labels.txt"

/* The text of labels.txt, one name a line; NULL: the model names no classes, or it failed. */
static char *labels(pithp_tfl *w, const pith_model *m)
{
    const char *text = pith_model_meta(m, "classes");
    json_t *list = NULL;
    if (!text)
        return NULL;
    pith_status s = pithp_json_parse(w->c, "the model's \"classes\"", text, strlen(text), &list);
    size_t n = json_array_size(list), bytes = 1;
    pith_shape out = m->output->shape;
    bool ok = !s && json_is_array(list) && (int64_t)n == out.d[out.ndim - 1];
    for (size_t i = 0; i < n && ok; i++) {
        const char *name = json_string_value(json_array_get(list, i));
        ok = name && !strpbrk(name, "\r\n");
        bytes += name ? strlen(name) + 1 : 0;
    }
    if (!s && !ok)
        s = pithp_error(
            w->c, PITH_EFORMAT,
            "the model's \"classes\" is not a list of %lld names without line breaks, one for each "
            "output; set it anew (or remove it)",
            (long long)out.d[out.ndim - 1]);
    char *lines = s ? NULL : pithp_alloc(w->c, bytes, 1);
    for (size_t i = 0, at = 0; lines && i < n; i++)
        at += (size_t)snprintf(lines + at, bytes - at, "%s\n", json_string_value(json_array_get(list, i)));
    json_decref(list);
    if (!lines)
        pithp_tfl_fail(w, s ? s : PITH_ENOMEM);
    return lines;
}

static pithp_fb_ref one(pithp_fb *fb, pithp_fb_ref ref) { return ref ? pithp_fb_refs(fb, &ref, 1) : 0; }

static pithp_fb_ref empty(pithp_fb *fb)
{
    pithp_fb_table(fb);
    return pithp_fb_table_end(fb);
}

/* Two fields that are vectors of one float each. */
static pithp_fb_ref two_floats(pithp_fb *fb, float first, float second)
{
    pithp_fb_ref a = pithp_fb_vector(fb, &first, 1, sizeof first, 0),
                 b = pithp_fb_vector(fb, &second, 1, sizeof second, 0);
    pithp_fb_table(fb);
    pithp_fb_to(fb, 0, a);
    pithp_fb_to(fb, 1, b);
    return pithp_fb_table_end(fb);
}

/* Images: what the content is, and x = (pixel - 128)/128, the house's one input normalisation. */
static pithp_fb_ref input(pithp_fb *fb, const pith_model *m)
{
    pith_shape x = m->input->shape;
    bool image = x.ndim == 4 && (x.d[3] == 1 || x.d[3] == 3);
    pithp_fb_ref name = pithp_fb_string(fb, image ? "image" : "input"), properties, units = 0, stats = 0;
    pithp_fb_ref said = pithp_fb_string(fb, pith_model_meta(m, "input"));
    if (image) {
        pithp_fb_ref normalization = two_floats(fb, 128, 128);
        pithp_fb_table(fb);
        pithp_fb_u8(fb, UNIT_TYPE, NORMALIZATION, 0);
        pithp_fb_to(fb, UNIT_OPTIONS, normalization);
        units = one(fb, pithp_fb_table_end(fb));
        stats = two_floats(fb, 127.0f / 128, -1);
        pithp_fb_table(fb);
        pithp_fb_u8(fb, IMAGE_COLOUR_SPACE, x.d[3] == 3 ? RGB : GRAYSCALE, 0);
        properties = pithp_fb_table_end(fb);
    } else {
        properties = empty(fb);
    }
    pithp_fb_table(fb);
    pithp_fb_u8(fb, CONTENT_TYPE, image ? IMAGE_PROPERTIES : FEATURE_PROPERTIES, 0);
    pithp_fb_to(fb, CONTENT_PROPERTIES, properties);
    pithp_fb_ref content = pithp_fb_table_end(fb);
    pithp_fb_table(fb);
    pithp_fb_to(fb, TENSOR_NAME, name);
    pithp_fb_to(fb, TENSOR_DESCRIPTION, said);
    pithp_fb_to(fb, TENSOR_CONTENT, content);
    pithp_fb_to(fb, TENSOR_UNITS, units);
    pithp_fb_to(fb, TENSOR_STATS, stats);
    return pithp_fb_table_end(fb);
}

static pithp_fb_ref output(pithp_fb *fb, bool labelled)
{
    pithp_fb_ref name = pithp_fb_string(fb, "logits"), files = 0, properties = empty(fb);
    if (labelled) {
        pithp_fb_ref file = pithp_fb_string(fb, LABELS), what = pithp_fb_string(fb, "names of the classes");
        pithp_fb_table(fb);
        pithp_fb_to(fb, FILE_NAME, file);
        pithp_fb_to(fb, FILE_DESCRIPTION, what);
        pithp_fb_u8(fb, FILE_TYPE, TENSOR_AXIS_LABELS, 0);
        files = one(fb, pithp_fb_table_end(fb));
    }
    pithp_fb_table(fb);
    pithp_fb_u8(fb, CONTENT_TYPE, FEATURE_PROPERTIES, 0);
    pithp_fb_to(fb, CONTENT_PROPERTIES, properties);
    pithp_fb_ref content = pithp_fb_table_end(fb);
    pithp_fb_table(fb);
    pithp_fb_to(fb, TENSOR_NAME, name);
    pithp_fb_to(fb, TENSOR_CONTENT, content);
    pithp_fb_to(fb, TENSOR_FILES, files);
    return pithp_fb_table_end(fb);
}

static pith_status build(pithp_fb *fb, const pith_model *m, bool labelled, const uint8_t **p, size_t *n)
{
    pithp_fb_ref in = one(fb, input(fb, m)), out = one(fb, output(fb, labelled));
    pithp_fb_table(fb);
    pithp_fb_to(fb, SUBGRAPH_INPUTS, in);
    pithp_fb_to(fb, SUBGRAPH_OUTPUTS, out);
    pithp_fb_ref subgraphs = one(fb, pithp_fb_table_end(fb)), name = pithp_fb_string(fb, pith_model_name(m)),
                 parser = pithp_fb_string(fb, "1.0.0");
    pithp_fb_table(fb);
    pithp_fb_to(fb, MODEL_NAME, name);
    pithp_fb_to(fb, MODEL_SUBGRAPHS, subgraphs);
    pithp_fb_to(fb, MODEL_MIN_PARSER, parser);
    return pithp_fb_finish(fb, pithp_fb_table_end(fb), "M001", p, n);
}

void pithp_tfl_describe(pithp_tfl *w, const pith_model *m)
{
    pithp_fb fb;
    const uint8_t *p;
    size_t n;
    if (w->status)
        return;
    char *lines = labels(w, m);
    if (lines)
        pithp_zip_add(w, LABELS, lines, strlen(lines));
    pithp_fb_init(w->c, &fb);
    pithp_tfl_fail(w, build(&fb, m, lines != NULL, &p, &n));
    if (!w->status)
        pithp_tfl_add_metadata(w, "TFLITE_METADATA", p, n);
    pithp_fb_free(&fb);
    pithp_free(w->c, lines);
}
