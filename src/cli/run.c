/* Runs of the verbs that train. */
#include "cli/run.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

/* The signal handler's flag: the one thing a handler may touch (sig_atomic_t is int here). */
static volatile int stop_flag;

static void on_interrupt(int sig)
{
    stop_flag = 1;
    signal(sig, SIG_DFL); /* a second one ends the program at once */
}

static bool exists(const char *dir, const char *file)
{
    char path[1024];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", dir, file);
    return stat(path, &st) == 0;
}

const volatile int *run_stop_flag(void)
{
    signal(SIGINT, on_interrupt);
    signal(SIGTERM, on_interrupt);
    return &stop_flag;
}

/* ---- A new run ---- */
static bool choose(run_folder *f, const char *base)
{
    if (f->out == NULL) {
        for (int i = 1; i < 100000; i++) {
            snprintf(f->room, sizeof f->room, "runs/%.400s-%d", base, i);
            if (!exists(f->room, ""))
                break;
        }
        mkdir("runs", 0777); /* an error shows when the folder itself is made */
        f->out = f->room;
    }
    if (!f->force && (exists(f->out, "last.pith") || exists(f->out, "args.json"))) {
        say("%s already holds a training: go on with 'pith %s --resume %s', choose another --out, or --force",
            f->out, f->verb, f->out);
        return false;
    }
    if (mkdir(f->out, 0777) != 0 && errno != EEXIST) {
        say("%s: %s: the run folder cannot be made; choose another with --out", f->out, strerror(errno));
        return false;
    }
    return true;
}

bool run_begin(run_folder *f, const char *base, const opt *table)
{
    char path[1024];
    if (!choose(f, base))
        return false;
    snprintf(path, sizeof path, "%s/args.json", f->out);
    json_t *j = json_pack("{s:s, s:o}", "pith", PITH_VERSION, f->verb, opts_json(table));
    bool ok = json_dump_file(j, path, JSON_INDENT(1)) == 0;
    json_decref(j);
    if (!ok)
        say("%s: cannot be written (%s); choose another folder with --out", path, strerror(errno));
    return ok;
}

/* ---- Options of an older one ---- */
bool run_read(run_folder *f, opt *table, json_t **keep)
{
    char path[1024];
    json_error_t e;
    const char *run = f->resume;
    snprintf(path, sizeof path, "%s/args.json", run);
    *keep = json_load_file(path, JSON_REJECT_DUPLICATES, &e);
    json_t *args = json_object_get(*keep, f->verb);
    if (args == NULL) {
        say("%s: %s; --resume wants the folder of a 'pith %s'", path,
            *keep ? "it holds the options of another verb" : e.text, f->verb);
        return false;
    }
    if (!opts_from_json(table, args, path))
        return false;
    snprintf(f->model, sizeof f->model, "%s/last.pith", run);
    f->out = f->resume = run;
    return true;
}

static json_t *options_of_any(json_t *args)
{
    const char *key;
    json_t *value;
    json_object_foreach(args, key, value)
    {
        if (json_is_object(value))
            return value;
    }
    return NULL;
}

/* `pith prune` calls it lr-schedule, for its own --schedule is another: both names, for whoever asks. */
static void learning_rate_schedule(json_t *args)
{
    json_t *kind = json_object_get(args, "lr-schedule");
    if (json_object_get(args, "granularity") != NULL || kind != NULL)
        json_object_set(args, "schedule", kind != NULL ? kind : json_null());
    else if ((kind = json_object_get(args, "schedule")) != NULL)
        json_object_set(args, "lr-schedule", kind);
}

bool run_inherit(const char *model, opt *table, const char *const *own, json_t **keep, double *lr)
{
    static const char *const never[] = { "model", "out",     "resume", "force", "threads", "json",
                                         "quiet", "verbose", "layers", "skip",  "samples" };
    char path[1024];
    const char *slash = strrchr(model, '/');
    struct stat st;
    json_error_t e;
    *lr = 0;
    snprintf(path, sizeof path, "%.*sargs.json", slash ? (int)(slash - model) + 1 : 0, model);
    if (stat(path, &st) != 0)
        return true;
    *keep = json_load_file(path, JSON_REJECT_DUPLICATES, &e);
    json_t *args = options_of_any(*keep);
    if (args == NULL) {
        say("%s: %s; it should hold the options of the training", path, *keep ? "no options" : e.text);
        return false;
    }
    *lr = json_number_value(json_object_get(args, "lr"));
    learning_rate_schedule(args);
    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        json_object_del(args, never[i]);
    for (; *own != NULL; own++)
        json_object_del(args, *own);
    return opts_from_json(table, args, path);
}

bool run_inherit_qat(const char *model, recipe *r, opt *table, json_t **keep)
{
    static const char *const own[] = { "epochs", "lr",     "warmup",         "init",
                                       "head",   "freeze", "unfreeze-after", NULL };
    double lr;
    if (!run_inherit(model, table, own, keep, &lr))
        return false;
    if (r->lr == 0 && lr > 0)
        r->lr = lr / 10;
    return true;
}

void run_qat_defaults(recipe *r, bool few_bits)
{
    /* With few bits a step of SGD is too short for some scales and too long for others: Adam's has the size of lr. */
    const bool silent = r->optimizer == NULL && r->lr == 0;
    bool sgd = r->optimizer == NULL || strcmp(r->optimizer, "sgd") == 0;
    r->epochs = r->epochs ? r->epochs : 8;
    r->batch = r->batch ? r->batch : 64;
    r->accumulate = r->accumulate ? r->accumulate : 1;
    if (silent && few_bits) {
        r->optimizer = "adamw";
        r->lr = 0.0005;
        sgd = false;
    }
    r->lr = r->lr != 0 || !sgd ? r->lr : 0.01 * r->batch * r->accumulate / 64;
    r->warmup = r->warmup != 0 ? r->warmup : 0.5;
}

int64_t run_steps(const recipe *r, const pith_data *d)
{
    return pith_data_count(d, PITH_TRAIN) / r->batch / r->accumulate * r->epochs;
}

/* ---- The training ---- */
enum { STEPS_A_POINT = 20 }; /* of TensorBoard's curves */

pith_status run_fit_job(const run_folder *f, pith_model *m, pith_data *d, pith_fit_cfg cfg, bool quiet,
                        run_job job)
{
    progress_view view;
    cfg.out = f->out;
    cfg.tensorboard = f->tensorboard ? STEPS_A_POINT : 0;
    cfg.resume = f->resume != NULL;
    cfg.stop = run_stop_flag();
    cfg.progress = progress_fit;
    cfg.progress_user = &view;
    progress_open(&view, quiet);
    pith_status s = job.fit != NULL ? job.fit(job.user, m, d, cfg) : pith_fit(m, d, cfg);
    progress_close(&view);
    if (s == PITH_ESTOPPED && !exists(f->out, "last.pith"))
        say("stopped before the first step: there is nothing to go on from");
    else if (s == PITH_ESTOPPED)
        say("stopped and saved; 'pith %s --resume %s' goes on as if nothing had happened", f->verb, f->out);
    return s;
}

pith_status run_fit(const run_folder *f, pith_model *m, pith_data *d, pith_fit_cfg cfg, bool quiet)
{
    return run_fit_job(f, m, d, cfg, quiet, (run_job){ 0 });
}

int run_ended(pith_ctx *c, pith_status s)
{
    if (s != PITH_ESTOPPED)
        return failed(c);
    pith_ctx_free(c);
    return EXIT_FAILED;
}

/* ---- Training a trained model on ---- */
int run_on_read(const verb *v, run_on *t, opt *table, int argc, char **argv,
                bool (*inherit)(void *user, opt *table, json_t **keep), void *user, json_t **keep)
{
    int n, status = opts_parse(v, table, argc, argv, &t->model, &n);
    if (status >= 0)
        return status;
    const bool fresh = t->run.resume == NULL;
    if (fresh && n == 0) {
        say("%s: a trained model (as run/last.pith) is needed", v->name);
        return EXIT_USAGE;
    }
    if (fresh ? !inherit(user, table, keep) : !run_read(&t->run, table, keep))
        return EXIT_FAILED;
    if (t->data == NULL) {
        say("%s: --data DIR is needed", v->name);
        return EXIT_USAGE;
    }
    t->model = fresh ? t->model : t->run.model;
    return -1;
}

pith_model *run_on_open(const run_on *t, pith_data **d)
{
    pith_ctx *c = open_ctx(&t->k);
    if (c == NULL)
        return NULL;
    pith_model *m = open_model(c, t->model, (model_opts){ 0 });
    const int size = m == NULL ? 0 : model_image_size(m);
    *d = size == 0 ? NULL : open_data(c, t->data, size, &t->k, t->max_bad);
    if (*d != NULL)
        return m;
    failed(c);
    return NULL;
}
