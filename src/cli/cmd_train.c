/* pith train: a folder of photographs in, a run folder with a trained model out. */
#include "cli/cli.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
    common k;
    recipe r;
    const char *data, *model, *init, *head, *out, *resume, *image_size;
    model_opts net;
    int eval_every;
    double max_bad, save_every;
    bool force;
} train_opts;

/* The signal handler's flag: the one thing a handler may touch (sig_atomic_t is int here). */
static volatile int stop_flag;

static void on_interrupt(int sig)
{
    stop_flag = 1;
    signal(sig, SIG_DFL); /* a second one ends the program at once */
}

static bool fit_cfg(train_opts *o, pith_fit_cfg *f)
{
    if (!recipe_read(&o->r, o->k.seed, f) || !recipe_sizes(&o->r, o->image_size, &o->net.image_size))
        return false;
    f->sizes = o->r.sizes;
    f->n_sizes = o->r.n_sizes;
    f->eval_every = o->eval_every;
    f->save_every_minutes = o->save_every;
    f->out = o->out;
    f->stop = &stop_flag;
    f->progress = progress_fit;
    return true;
}

/* ---- The run folder ---- */
static bool exists(const char *dir, const char *file, char path[1024])
{
    struct stat st;
    snprintf(path, 1024, "%s/%s", dir, file);
    return stat(path, &st) == 0;
}

static bool choose_folder(train_opts *o, char room[512])
{
    char path[1024];
    if (o->out == NULL) {
        const char *base = is_family(o->model) ? o->model : "model";
        for (int i = 1; i < 100000; i++) {
            snprintf(room, 512, "runs/%s-%d", base, i);
            if (!exists(room, "", path))
                break;
        }
        mkdir("runs", 0777); /* an error shows when the folder itself is made */
        o->out = room;
    }
    if (!o->force && (exists(o->out, "last.pith", path) || exists(o->out, "args.json", path))) {
        say("%s already holds a training: go on with 'pith train --resume %s', choose another --out, or "
            "--force",
            o->out, o->out);
        return false;
    }
    if (mkdir(o->out, 0777) != 0 && errno != EEXIST) {
        say("%s: %s: the run folder cannot be made; choose another with --out", o->out, strerror(errno));
        return false;
    }
    return true;
}

static bool write_args(const train_opts *o, const opt *table)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/args.json", o->out);
    json_t *j = json_pack("{s:s, s:o}", "pith", PITH_VERSION, "train", opts_json(table));
    bool ok = json_dump_file(j, path, JSON_INDENT(1)) == 0;
    json_decref(j);
    if (!ok)
        say("%s: cannot be written (%s); choose another folder with --out", path, strerror(errno));
    return ok;
}

/* Options of the interrupted run, except what this command line gives anew. *keep holds the texts. */
static bool read_args(train_opts *o, opt *table, json_t **keep)
{
    char path[1024];
    json_error_t e;
    snprintf(path, sizeof path, "%s/args.json", o->resume);
    *keep = json_load_file(path, JSON_REJECT_DUPLICATES, &e);
    if (*keep == NULL) {
        say("%s: %s; --resume wants the folder of a run", path, e.text);
        return false;
    }
    const char *run = o->resume;
    if (!opts_from_json(table, json_object_get(*keep, "train"), path))
        return false;
    o->out = o->resume = run;
    return true;
}

/* ---- The training ---- */
static pith_model *make_model(pith_ctx *c, train_opts *o, const pith_data *d)
{
    o->net.image_size = pith_data_size(d);
    o->net.classes = pith_data_classes(d);
    o->net.channels = 3;
    pith_model *m = open_model(c, o->model, o->net);
    pith_import_cfg import = { .new_head = o->head != NULL };
    if (m == NULL || remember_classes(m, d) != PITH_OK)
        return NULL;
    if (o->init != NULL && o->resume == NULL && /* a resumed run takes its weights from its checkpoint */
        pith_model_import_safetensors(m, o->init, import) != PITH_OK)
        return NULL;
    return m;
}

static int finish(const train_opts *o, pith_model *m, pith_data *d)
{
    pith_eval_result r;
    if (pith_evaluate(m, d, PITH_VAL, o->r.batch, &r) != PITH_OK)
        return failed(pith_model_ctx(m));
    if (o->k.json) {
        char last[1024];
        snprintf(last, sizeof last, "%s/last.pith", o->out);
        print_json(json_pack("{s:f, s:f, s:I, s:s, s:s}", "accuracy", r.accuracy, "loss", r.loss, "n",
                             (json_int_t)r.n, "model", last, "run", o->out));
    } else {
        printf("\naccuracy %.2f%% on %lld validation images (%lld right), loss %.4f\n", 100 * r.accuracy,
               (long long)r.n, (long long)r.correct, r.loss);
        printf("model    %s/last.pith\nlog      %s/log.jsonl\noptions  %s/args.json\n", o->out, o->out,
               o->out);
        printf("next     pith eval %s/last.pith --data %s\n", o->out, o->data);
    }
    pith_ctx_free(pith_model_ctx(m));
    return EXIT_DONE;
}

static int train(train_opts *o, const opt *table)
{
    pith_fit_cfg f;
    progress_view view;
    if (!fit_cfg(o, &f))
        return EXIT_USAGE;
    if (o->head != NULL && (strcmp(o->head, "new") != 0 || o->init == NULL)) {
        say("--head %s: only --head new is known, and only with --init FILE", o->head);
        return EXIT_USAGE;
    }
    pith_ctx *c = open_ctx(&o->k);
    if (c == NULL)
        return EXIT_FAILED;
    pith_data *d = open_data(c, o->data, o->net.image_size, &o->k, o->max_bad);
    pith_model *m = d == NULL ? NULL : make_model(c, o, d);
    if (m == NULL)
        return failed(c);
    if (!recipe_fits(&o->r, m)) {
        pith_ctx_free(c);
        return EXIT_USAGE;
    }
    char room[512];
    if (o->resume == NULL && (!choose_folder(o, room) || !write_args(o, table))) {
        pith_ctx_free(c);
        return EXIT_FAILED;
    }
    if (!o->k.quiet) {
        pith_model_facts facts = pith_model_info(m);
        fprintf(stderr,
                "%s: %lld parameters, %.1f M multiply-adds; %lld training and %lld validation images of %d "
                "classes at %dx%d; %s\n",
                pith_model_name(m), (long long)facts.parameters, (double)facts.macs / 1e6,
                (long long)pith_data_count(d, PITH_TRAIN), (long long)pith_data_count(d, PITH_VAL),
                pith_data_classes(d), pith_data_size(d), pith_data_size(d), o->out);
    }
    f.out = o->out;
    f.resume = o->resume != NULL;
    f.progress_user = &view;
    signal(SIGINT, on_interrupt);
    signal(SIGTERM, on_interrupt);
    progress_open(&view, o->k.quiet);
    pith_status s = pith_fit(m, d, f);
    progress_close(&view);
    if (s == PITH_ESTOPPED) {
        say("stopped and saved; 'pith train --resume %s' goes on as if nothing had happened", o->out);
        pith_ctx_free(c);
        return EXIT_FAILED;
    }
    return s == PITH_OK ? finish(o, m, d) : failed(c);
}

static int run(int argc, char **argv)
{
    train_opts o = { .model = "efnet-nano" };
    opt table[] = {
        TEXT("data", 'd', o.data, "DIR", "folder of photographs: a folder a class, or train/ and val/"),
        TEXT("model", 'm', o.model, "NAME", "network (default efnet-nano) or a model file to go on from"),
        TEXT("init", 0, o.init, "FILE", "weights to begin with: a safetensors file with timm's names"),
        TEXT("head", 0, o.head, "new", "with --init: the last layer's weights are drawn anew"),
        STYLE_OPT(o.net),
        TEXT("out", 'o', o.out, "RUN", "run folder (default runs/NAME-1, -2, ...)"),
        TEXT("resume", 'r', o.resume, "RUN", "go on with an interrupted run, bit for bit"),
        FLAG("force", 0, o.force, "overwrite a run folder that holds a training"),
        TEXT("image-size", 0, o.image_size, "P",
             "side of the square the network sees (default 96); 64:96 grows in four stages of equal length; "
             "64,80@10,96@20: 80 after 10 epochs, 96 after 20"),
        REAL("width", 0, o.net.width, "W", 0.05, 16, "channel multiplier (default 1)"),
        REAL("depth", 0, o.net.depth, "D", 0.05, 16, "repeat multiplier (default 1)"),
        REAL("dropout", 0, o.net.dropout, "P", 0, 0.95, "before the classifier (default: the network's own)"),
        REAL("drop-connect", 0, o.net.drop_connect, "P", 0, 0.95,
             "of residual branches, whole images (default 0)"),
        RECIPE_OPTS(o.r),
        SCHEDULE_OPTS(o.r),
        INT("eval-every", 0, o.eval_every, "N", 1, 100000, "epochs between evaluations (default 1)"),
        REAL("save-every", 0, o.save_every, "MINUTES", 0.01, 1e6, "within an epoch (default 5)"),
        REAL("max-bad", 0, o.max_bad, "SHARE", 0, 1, "share of unusable files allowed (default 0.01)"),
        COMMON_OPTS(o.k),
        OPTS_END,
    };
    const char *none;
    int n, status = opts_parse(&verb_train, table, argc, argv, &none, &n);
    if (status >= 0)
        return status;
    json_t *keep = NULL;
    if (o.resume != NULL && !read_args(&o, table, &keep))
        status = EXIT_FAILED;
    else if (o.data == NULL) {
        say("train: --data DIR is needed: a folder with a folder of pictures for each class");
        status = EXIT_USAGE;
    } else {
        status = train(&o, table);
    }
    json_decref(keep);
    return status;
}

const verb verb_train = { "train", "trains a network on a folder of photographs", "--data DIR ", 0, 0, run };
