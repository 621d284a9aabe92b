/* How steps are made: by the functions that the verbs of the same names call, from the same words. */
#include "cli/lab.h"
#include "cli/run.h"

#include <string.h>
#include <unistd.h>

/* ---- Words ---- */
const char *lab_words_text(const lab *l, const lab_row *r, char buf[512])
{
    const char *at = r->words;
    size_t n = 0;
    while (*at != 0 && n < 511) {
        const bool first = strncmp(at, "FIRST", 5) == 0, head = strncmp(at, "HEAD", 4) == 0;
        int put = snprintf(buf + n, 512 - n, "%.*s", first || head ? 127 : 1,
                           first  ? l->first
                           : head ? l->head
                                  : at);
        n += (size_t)put;
        at += first ? 5 : head ? 4 : 1;
    }
    buf[n < 512 ? n : 511] = 0;
    return buf;
}

enum { WORDS_MOST = 32 };

/* Words into a verb's options, as the command line would set them. */
static bool parse(lab_job *j, opt *table, const char *words, char room[512])
{
    char *argv[WORDS_MOST + 1], *save = NULL;
    const char *none;
    const verb v = { j->row->verb, "", "", 0, 0, NULL };
    int argc = 1, n;
    argv[0] = (char *)(uintptr_t)v.name;
    snprintf(room, 512, "%s", words != NULL ? words : "");
    for (char *w = strtok_r(room, " ", &save); w != NULL && argc < WORDS_MOST; w = strtok_r(NULL, " ", &save))
        argv[argc++] = w;
    argv[argc] = NULL;
    if (opts_parse(&v, table, argc, argv, &none, &n) >= 0)
        return lab_fail(j->l, "'pith %s %s' is no command", j->row->verb, words);
    json_t *all = opts_json(table);
    if (j->args == NULL)
        j->args = all;
    else { /* a second verb's */
        json_object_update(j->args, all);
        json_decref(all);
    }
    return true;
}

static bool words_recipe(lab_job *j, const char *words, char room[512])
{
    opt table[] = { RECIPE_OPTS(j->r), SCHEDULE_OPTS(j->r), OPTS_END };
    return parse(j, table, words, room);
}

static bool read_train(lab_job *j) { return words_recipe(j, j->words, j->room[0]); }

static bool read_quantize(lab_job *j)
{
    const char *scheme = "int8";
    opt table[] = { TEXT("scheme", 0, scheme, "SCHEME", ""), QUANT_OPTS(j->quant), OPTS_END };
    if (!parse(j, table, j->words, j->room[0]) || !words_recipe(j, j->row->then, j->room[1]))
        return false;
    j->quant.adaround_steps = lab_adaround(j->l, j->row);
    return quant_opts_cfg(&j->quant, scheme, j->l->k.seed, &j->q);
}

static int64_t steps_of(const lab_job *j)
{
    recipe r = j->r;
    r.batch = r.batch ? r.batch : 64;
    r.accumulate = r.accumulate ? r.accumulate : 1;
    return run_steps(&r, j->l->d);
}

static bool read_qat(lab_job *j)
{
    opt table[] = { BITS_OPTS(j->quant), QAT_OPTS(j->qat), RECIPE_OPTS(j->r), SCHEDULE_OPTS(j->r), OPTS_END };
    if (!parse(j, table, j->words, j->room[0]))
        return false;
    j->r.epochs = j->epochs;
    run_qat_defaults(&j->r, quant_few_bits(&j->quant));
    return qat_opts_cfg(&j->quant, &j->qat, steps_of(j), &j->q);
}

static bool read_prune(lab_job *j)
{
    opt table[] = { PRUNE_OPTS(j->prune), RECIPE_OPTS(j->r), SCHEDULE_OPTS_AS(j->r, "lr-schedule"),
                    OPTS_END };
    return parse(j, table, j->words, j->room[0]) && prune_cfg(&j->prune, j->l->k.seed, &j->start);
}

static bool read_distill(lab_job *j)
{
    opt table[] = { DISTILL_OPTS(j->distill),
                    REAL("width", 0, j->width, "W", 0.05, 16, ""),
                    FLAG("qat", 0, j->student_qat, ""),
                    BITS_OPTS(j->quant),
                    QAT_OPTS(j->qat),
                    RECIPE_OPTS(j->r),
                    SCHEDULE_OPTS(j->r),
                    OPTS_END };
    if (!parse(j, table, j->words, j->room[0]) || !distill_opts_cfg(&j->distill, &j->knowledge))
        return false;
    j->r.epochs = j->epochs;
    if (!j->student_qat)
        return true;
    run_qat_defaults(&j->r, quant_few_bits(&j->quant));
    return qat_opts_cfg(&j->quant, &j->qat, steps_of(j), &j->q);
}

/* ---- Models ---- */
static pith_model *parent(const lab_job *j)
{
    char path[1024];
    const lab_row *from = lab_find(j->l, j->row->from, NULL);
    return from == NULL ? NULL : pith_model_load(j->l->c, lab_path(j->l, from, "last.pith", path));
}

static pith_model *network(const lab_job *j, double width)
{
    model_opts o = j->l->net;
    if (width != 0)
        o.width = width * (o.width != 0 ? o.width : 1);
    return open_student(j->l->c, j->l->model, o, j->l->d);
}

static bool start_train(lab_job *j)
{
    j->m = j->l->init != NULL ? pith_model_load(j->l->c, j->l->init) : network(j, 0);
    return j->m != NULL;
}

static bool start_quantize(lab_job *j)
{
    j->m = parent(j);
    return j->m != NULL && pith_quantize(j->m, j->l->d, j->q) == PITH_OK;
}

static bool start_qat(lab_job *j)
{
    j->m = parent(j);
    return j->m != NULL && pith_qat_from(j->m, j->l->d, j->q) == PITH_OK;
}

static bool start_prune(lab_job *j)
{
    pith_channels_cfg cut = j->start.cut;
    cut.data = j->l->d;
    j->m = parent(j);
    return j->m != NULL && (!j->prune.remove || pith_channels_prune(j->m, cut, NULL) == PITH_OK);
}

static bool start_distill(lab_job *j)
{
    if (j->student_qat)
        return start_qat(j);
    j->m = network(j, j->width);
    return j->m != NULL;
}

static pith_status train_prune(lab_job *j)
{
    return j->prune.remove ? pith_fit(j->m, j->l->d, j->fit)
                           : pith_prune_fit(j->m, j->l->d, j->start.cfg, j->start.schedule, j->fit);
}

static pith_status train_plain(lab_job *j) { return pith_fit(j->m, j->l->d, j->fit); }

static pith_status train_distill(lab_job *j)
{
    j->teacher = parent(j);
    if (j->teacher == NULL)
        return pith_ctx_status(j->l->c);
    pith_status s = pith_distill_fit(j->m, &j->teacher, 1, j->l->d, j->knowledge, j->fit);
    pith_model_free(j->teacher);
    return s;
}

/* ---- Verbs ---- */
static const struct {
    const char *verb;
    bool (*read)(lab_job *);
    bool (*start)(lab_job *);
    pith_status (*train)(lab_job *);
} ways[] = { { "train", read_train, start_train, train_plain },
             { "quantize", read_quantize, start_quantize, train_plain },
             { "qat", read_qat, start_qat, train_plain },
             { "prune", read_prune, start_prune, train_prune },
             { "distill", read_distill, start_distill, train_distill } };

static int way_of(const lab_job *j)
{
    for (int i = 0; i < (int)(sizeof ways / sizeof *ways); i++)
        if (strcmp(ways[i].verb, j->row->verb) == 0)
            return i;
    lab_fail(j->l, "there is no verb '%s'", j->row->verb);
    return -1;
}

bool lab_words(lab_job *j)
{
    int way = way_of(j);
    lab_words_text(j->l, j->row, j->words);
    if (way < 0 || !ways[way].read(j))
        return j->l->reason[0] != 0 ? false : lab_fail(j->l, "the words '%s' are refused", j->row->words);
    j->r.epochs = j->epochs;
    return recipe_read(&j->r, j->l->k.seed, &j->fit) || lab_fail(j->l, "its recipe is refused");
}

/* Bits that a quantized thing keeps: float parents have 32. */
void lab_bits(const lab *l, const lab_row *r, int *weights, int *activations)
{
    lab copy = *l; /* reading words says why they are refused, to nobody here */
    lab_job j = { .l = &copy, .row = r, .epochs = 1 };
    *weights = *activations = 32;
    const bool read = lab_words(&j);
    json_decref(j.args);
    if (!read)
        return;
    if (strcmp(r->verb, "prune") == 0 || strcmp(r->verb, "train") == 0 ||
        (strcmp(r->verb, "distill") == 0 && !j.student_qat))
        return;
    *weights = j.q.bits_weights ? j.q.bits_weights : 8;
    *activations = j.q.bits_activations ? j.q.bits_activations : 8;
    if (j.q.scheme == PITH_SCHEME_FLOAT16)
        *weights = *activations = 16;
    if (j.q.scheme == PITH_SCHEME_CODEBOOK)
        *activations = 32;
}

/* ---- A step ---- */
static void progress(void *user, const pith_progress *p)
{
    lab *l = user;
    lab_show_progress(l, p);
    if (l->watch != NULL)
        l->watch(l->watch_user, &l->rows[l->now], p);
}

/* What is older than this step's beginning must not be taken for its own. */
static void clear_folder(const lab *l, const lab_row *r)
{
    static const char *const old[] = { "last.pith", "last.pith.prev", "best.pith",    "log.jsonl",
                                       "val.csv",   "layers.json",    "model.tflite", "model.pack" };
    char path[1024];
    for (size_t i = 0; i < sizeof old / sizeof *old; i++)
        unlink(lab_path(l, r, old[i], path));
}

/* args.json, as the verb itself would have written it: other verbs inherit the recipe from there. */
bool lab_args(lab_job *j)
{
    char path[1024], seed[24];
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)j->l->k.seed);
    json_t *args =
        json_pack("{s:s, s:s, s:O}", "pith", PITH_VERSION, "words", j->words, j->row->verb, j->args);
    json_t *all = json_object_get(args, j->row->verb);
    json_object_set_new(all, "epochs", json_integer(j->epochs));
    json_object_set_new(all, "seed", json_string(seed));
    json_object_set_new(all, "data", json_bytes(j->l->data));
    bool ok = lab_save_json(j->l, lab_path(j->l, j->row, "args.json", path), args);
    json_decref(args);
    return ok;
}

static bool begin(lab_job *j, int way)
{
    clear_folder(j->l, j->row);
    return lab_args(j) && ways[way].start(j);
}

pith_status lab_make(lab_job *j, bool resume)
{
    lab *l = j->l;
    char dir[1024], last[1024];
    int way = lab_words(j) ? way_of(j) : -1;
    lab_path(l, j->row, "", dir);
    lab_path(l, j->row, "last.pith", last);
    if (way < 0)
        return PITH_EINVAL;
    if (resume)
        j->m = pith_model_load(l->c, last);
    if (resume ? j->m == NULL : !begin(j, way))
        return pith_ctx_status(l->c) ? pith_ctx_status(l->c) : PITH_EIO;
    if (j->epochs == 0)
        return pith_model_save(j->m, last, false);
    j->fit.out = dir;
    j->fit.resume = resume;
    j->fit.stop = l->stop;
    j->fit.progress = progress;
    j->fit.progress_user = l;
    return ways[way].train(j);
}
