/* One step: found made, or made, measured, exported, and told in its result.json. */
#include "cli/lab.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Raised when what a step does has changed: its model is then made again. */
#define LAB_FORMAT "1"
/* Raised when more is told of a model than before: it is then looked at again, and stays. */
enum { LAB_MEASURED = 3 };

const char *lab_status(const lab *l, int i)
{
    const char *s = json_string_value(json_object_get(l->step[i].result, "status"));
    return s != NULL ? s : "";
}

static const char *text_of(const lab *l, int i, const char *key)
{
    const char *s = json_string_value(json_object_get(l->step[i].result, key));
    return s != NULL ? s : "";
}

/* Of all that a step is made of: a number that changes when any of it does. */
void lab_inputs(lab *l, int i)
{
    const lab_row *r = &l->rows[i];
    int from = -1;
    char text[512], says[512];
    uint64_t h = lab_hash_text(0, PITH_VERSION " " LAB_FORMAT);
    h = lab_hash_text(lab_hash_text(lab_hash_text(h, r->verb), lab_words_text(l, r, says)), r->then);
    snprintf(text, sizeof text, "%d %d %d %" PRIu64 " %016" PRIx64 " %d", l->step[i].epochs,
             lab_adaround(l, r), (int)r->out, l->k.seed, pith_data_fingerprint(l->d), pith_data_size(l->d));
    h = lab_hash_text(h, text);
    if (r->from == NULL || strcmp(r->verb, "distill") == 0) { /* these make a network by name */
        snprintf(text, sizeof text, "%s %g %g", l->model, l->net.width, l->net.depth);
        h = lab_hash_text(h, text);
    }
    if (r->from == NULL && l->init != NULL) {
        pith_model *m = pith_model_load(l->c, l->init);
        const uint64_t w = m != NULL ? lab_weights(m) : 0;
        h = lab_hash(h, &w, sizeof w);
        pith_model_free(m);
    }
    if (r->from != NULL && lab_find(l, r->from, &from) != NULL)
        h = lab_hash_text(lab_hash_text(h, text_of(l, from, "weights")), text_of(l, from, "inputs"));
    lab_hex(h, l->step[i].inputs);
}

static void load_result(lab *l, int i)
{
    char path[1024];
    json_decref(l->step[i].result);
    l->step[i].result = json_load_file(lab_path(l, &l->rows[i], "result.json", path), 0, NULL);
}

/* The model in last.pith, and whether its weights are those that were told. */
static pith_model *load_last(lab *l, int i, char weights[24])
{
    char path[1024];
    pith_model *m = pith_model_load(l->c, lab_path(l, &l->rows[i], "last.pith", path));
    if (m != NULL)
        lab_hex(lab_weights(m), weights);
    return m;
}

/* Made of the same, and done: the model that was told of is there. */
static bool made(lab *l, int i)
{
    char weights[24] = "";
    load_result(l, i);
    if (strcmp(lab_status(l, i), "done") != 0 || strcmp(text_of(l, i, "inputs"), l->step[i].inputs) != 0)
        return false;
    pith_model_free(load_last(l, i, weights));
    pith_ctx_clear(l->c);
    return strcmp(weights, text_of(l, i, "weights")) == 0;
}

/* Everything that is told of it today was told, and its files are there. */
static bool measured(const lab *l, int i)
{
    char path[1024];
    const json_t *result = l->step[i].result;
    const int64_t bytes = json_integer_value(json_object_get(json_object_get(result, "bytes"), "file"));
    return json_integer_value(json_object_get(result, "measured")) == LAB_MEASURED &&
           lab_file_bytes(lab_path(l, &l->rows[i], text_of(l, i, "exported"), path)) == bytes &&
           lab_file_bytes(lab_path(l, &l->rows[i], "val.csv", path)) > 0 &&
           lab_file_bytes(lab_path(l, &l->rows[i], "layers.json", path)) > 0;
}

bool lab_cached(lab *l, int i) { return made(l, i) && measured(l, i); }

/* ---- result.json ---- */
/* What names the parent in that verb's command. */
static const char *before_parent(const lab_row *r)
{
    if (strcmp(r->verb, "distill") != 0)
        return " ";
    return strstr(r->words, "--qat") != NULL ? " --model " : " --teacher ";
}

static json_t *command_of(const lab *l, int i)
{
    const lab_row *r = &l->rows[i];
    const bool named = r->from == NULL || strstr(r->words, "--width") != NULL;
    char *text = NULL, dir[1024], from[1024] = "", epochs[32] = "", seed[32] = "", words[512];
    lab_words_text(l, r, words);
    lab_path(l, r, "", dir);
    if (r->from != NULL)
        lab_path(l, lab_find(l, r->from, NULL), "last.pith", from);
    if (l->step[i].epochs > 0)
        snprintf(epochs, sizeof epochs, " --epochs %d", l->step[i].epochs);
    else if (lab_adaround(l, r) > 0)
        snprintf(epochs, sizeof epochs, " --adaround-steps %d", lab_adaround(l, r));
    if (l->k.seed != 0)
        snprintf(seed, sizeof seed, " --seed %" PRIu64, l->k.seed);
    int n =
        r->from == NULL && l->init != NULL ? asprintf(&text, "cp %s %s/last.pith", l->init, dir)
        : r->then != NULL
            ? asprintf(&text,
                       "pith quantize %s --data %s %s%s -o %s/shared.pith; pith train --model %s/shared.pith "
                       "--data %s %s%s%s -o %s",
                       from, l->data, words, seed, dir, dir, l->data, r->then, epochs, seed, dir)
            : asprintf(&text, "pith %s%s%s --data %s%s%s%s%s%s%s -o %s%s", r->verb,
                       from[0] ? before_parent(r) : "", from, l->data, named ? " --model " : "",
                       named ? l->model : "", words[0] ? " " : "", words, epochs, seed, dir,
                       strcmp(r->verb, "quantize") == 0 ? "/last.pith" : "");
    json_t *j = json_bytes(n >= 0 ? text : "");
    if (n >= 0)
        free(text);
    return j;
}

static json_t *head(const lab *l, int i, const char *status)
{
    const lab_row *r = &l->rows[i];
    int weights, activations;
    lab_bits(l, r, &weights, &activations);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:s*, s:s, s:i, s:i, s:i, s:s}", "id", r->id, "title",
                     r->title, "family", r->family, "status", status, "reason", "", "command",
                     command_of(l, i), "from", r->from, "inputs", l->step[i].inputs, "epochs",
                     l->step[i].epochs, "bits_weights", weights, "bits_activations", activations, "promise",
                     r->promise);
}

static bool put_result(lab *l, int i, json_t *result)
{
    char path[1024];
    json_decref(l->step[i].result);
    l->step[i].result = result;
    return lab_save_json(l, lab_path(l, &l->rows[i], "result.json", path), result);
}

static void tell(lab *l, int i, const char *status, const char *reason)
{
    json_t *j = head(l, i, status);
    json_object_set_new(j, "reason", json_bytes(reason));
    put_result(l, i, j);
}

/* ---- Making ---- */
/* Whether an interrupted training of the very same step lies in the folder. */
static bool interrupted(const lab *l, int i)
{
    char path[1024];
    return l->step[i].epochs > 0 && strcmp(lab_status(l, i), "running") == 0 &&
           strcmp(text_of(l, i, "inputs"), l->step[i].inputs) == 0 &&
           lab_file_bytes(lab_path(l, &l->rows[i], "last.pith", path)) > 0;
}

/* From here on the results are of what stands in last.pith, not of what is in memory. */
static bool measure(lab *l, int i, json_t *result)
{
    const lab_row *r = &l->rows[i];
    char weights[24];
    pith_model *m = load_last(l, i, weights);
    int32_t *says = calloc((size_t)pith_data_count(l->d, PITH_VAL) + 1, sizeof *says);
    bool ok = m != NULL && says != NULL;
    if (ok) {
        json_object_set_new(result, "weights", json_string(weights));
        if (r->out == LAB_PACK_HALF)
            pith_model_round_half(m);
        ok = lab_measure(l, r, m, result, says) && lab_export_step(l, r, m, result, says) &&
             lab_layers(l, r, m, (int)json_integer_value(json_object_get(result, "bits_weights")));
    }
    if (ok && strcmp(r->id, l->rows[0].id) == 0) {
        free(l->float_says);
        l->float_says = says;
        says = NULL;
    }
    free(says);
    pith_model_free(m);
    return ok;
}

static double seconds_before(const lab *l, int i)
{
    return json_number_value(json_object_get(l->step[i].result, "seconds_so_far"));
}

static pith_status make(lab *l, int i, bool resume)
{
    lab_job j = { .l = l, .row = &l->rows[i], .epochs = l->step[i].epochs };
    if (!resume) {
        tell(l, i, "running", "");
        if (l->reason[0] != 0)
            return PITH_EIO;
    }
    pith_status s = lab_make(&j, resume);
    pith_model_free(j.m);
    json_decref(j.args);
    return s;
}

/* The end of a step that took `seconds`: its model looked at, all of it told. What goes wrong is its result. */
static void conclude(lab *l, int i, json_t *result, double seconds, double began)
{
    if (measure(l, i, result)) {
        json_object_set_new(result, "measured", json_integer(LAB_MEASURED));
        json_object_set_new(result, "seconds",
                            json_real(began > 0 ? seconds + lab_clock() - began : seconds));
        if (json_array_size(l->warnings) > 0)
            json_object_set(result, "warnings", l->warnings);
        if (put_result(l, i, result))
            return;
    } else {
        json_decref(result);
    }
    tell(l, i, "failed", pith_ctx_status(l->c) ? pith_error_text(l->c) : l->reason);
}

/* The model stays as it was made, with the time that took and the warnings of that day. */
static void again(lab *l, int i)
{
    const json_t *was = l->step[i].result, *warnings = json_object_get(was, "warnings");
    const double seconds = json_number_value(json_object_get(was, "seconds"));
    lab_job j = { .l = l, .row = &l->rows[i], .epochs = l->step[i].epochs };
    if (warnings != NULL)
        json_array_extend(l->warnings, (json_t *)(uintptr_t)warnings);
    if (lab_words(&j))
        lab_args(&j);
    json_decref(j.args);
    conclude(l, i, head(l, i, "done"), seconds, 0);
}

static bool fresh(lab *l, int i)
{
    const double began = lab_clock();
    bool resume = interrupted(l, i);
    const double before = resume ? seconds_before(l, i) : 0;
    pith_status s = make(l, i, resume);
    if (s == PITH_ESTOPPED || (l->stop != NULL && *l->stop)) {
        pith_ctx_clear(l->c);
        json_t *j = head(l, i, "running");
        json_object_set_new(j, "seconds_so_far", json_real(before + lab_clock() - began));
        put_result(l, i, j);
        return false;
    }
    if (s == PITH_OK)
        conclude(l, i, head(l, i, "done"), before, began);
    else
        tell(l, i, "failed", pith_ctx_status(l->c) ? pith_error_text(l->c) : l->reason);
    return true;
}

static bool folder(lab *l, int i)
{
    char path[1024];
    lab_path(l, &l->rows[i], "", path);
    return mkdir(path, 0777) == 0 || errno == EEXIST ||
           lab_fail(l, "%s: cannot be made: %s", path, strerror(errno));
}

/* False: stopped. What goes wrong with a step is its result. */
bool lab_do(lab *l, int i)
{
    const lab_row *r = &l->rows[i];
    int from = -1;
    char reason[200];
    l->now = i;
    l->reason[0] = 0;
    json_array_clear(l->warnings);
    pith_ctx_clear(l->c);
    if (!folder(l, i)) {
        json_decref(l->step[i].result);
        l->step[i].result =
            json_pack("{s:s, s:s, s:s}", "id", r->id, "status", "failed", "reason", l->reason);
        return true;
    }
    if (r->from != NULL && lab_find(l, r->from, &from) != NULL && strcmp(lab_status(l, from), "done") != 0) {
        lab_inputs(l, i);
        snprintf(reason, sizeof reason, "its parent %s %s", r->from,
                 lab_status(l, from)[0] ? lab_status(l, from) : "is not there");
        tell(l, i, "skipped", reason);
        return true;
    }
    lab_inputs(l, i);
    if (!made(l, i))
        return fresh(l, i);
    l->step[i].cached = measured(l, i) && !l->measure;
    if (!l->step[i].cached)
        again(l, i);
    return true;
}
