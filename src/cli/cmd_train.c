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
    const char *data, *model, *init, *head, *out, *optimizer, *schedule, *resume;
    model_opts net;
    int epochs, batch, accumulate, eval_every;
    double lr, momentum, weight_decay, clip, ema, smoothing, warmup, max_bad, crop_min, jitter, save_every;
    bool no_augment, force;
} train_opts;

/* The signal handler's flag: the one thing a handler may touch (sig_atomic_t is int here). */
static volatile int stop_flag;

static void on_interrupt(int sig)
{
    stop_flag = 1;
    signal(sig, SIG_DFL); /* a second one ends the program at once */
}

static bool choose(const char *value, const char *const *names, int n, int *out, const char *option)
{
    *out = 0;
    if (value == NULL)
        return true;
    for (int i = 0; i < n; i++)
        if (strcmp(names[i], value) == 0) {
            *out = i;
            return true;
        }
    say("--%s %s: not known; 'pith train --help' lists what is", option, value);
    return false;
}

static bool fit_cfg(const train_opts *o, pith_fit_cfg *f)
{
    static const char *const optimizers[] = { "sgd", "adamw" }, *const schedules[] = { "cosine", "step",
                                                                                       "constant" };
    int kind, schedule;
    if (!choose(o->optimizer, optimizers, 2, &kind, "optimizer") ||
        !choose(o->schedule, schedules, 3, &schedule, "schedule"))
        return false;
    *f = (pith_fit_cfg){ .epochs = o->epochs,
                         .batch = o->batch,
                         .seed = o->k.seed,
                         .smoothing = o->smoothing,
                         .accumulate = o->accumulate,
                         .eval_every = o->eval_every,
                         .save_every_minutes = o->save_every,
                         .out = o->out,
                         .stop = &stop_flag,
                         .progress = progress_fit };
    f->opt = (pith_opt_cfg){ .kind = (pith_opt_kind)kind,
                             .lr = o->lr,
                             .momentum = o->momentum,
                             .ema_decay = o->ema,
                             .weight_decay = o->weight_decay,
                             .clip_norm = o->clip,
                             .nesterov = true };
    f->schedule = (pith_schedule_cfg){ .kind = (pith_schedule_kind)schedule, .warmup_epochs = o->warmup };
    f->augment = (pith_augment_cfg){
        .scale_min = o->crop_min, .brightness = o->jitter, .contrast = o->jitter, .saturation = o->jitter
    };
    if (o->no_augment)
        f->augment = (pith_augment_cfg){ .scale_min = 1,
                                         .scale_max = 1,
                                         .ratio_min = 1,
                                         .ratio_max = 1,
                                         .flip = PITH_ZERO,
                                         .brightness = PITH_ZERO,
                                         .contrast = PITH_ZERO,
                                         .saturation = PITH_ZERO };
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
    if (pith_evaluate(m, d, PITH_VAL, o->batch, &r) != PITH_OK)
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
        INT("image-size", 0, o.net.image_size, "P", 8, 1024,
            "side of the square the network sees (default 96)"),
        REAL("width", 0, o.net.width, "W", 0.05, 16, "channel multiplier (default 1)"),
        REAL("depth", 0, o.net.depth, "D", 0.05, 16, "repeat multiplier (default 1)"),
        REAL("dropout", 0, o.net.dropout, "P", 0, 0.95, "before the classifier (default: the network's own)"),
        REAL("drop-connect", 0, o.net.drop_connect, "P", 0, 0.95,
             "of residual branches, whole images (default 0)"),
        INT("epochs", 'e', o.epochs, "E", 1, 100000, "passes over the training images (default 40)"),
        INT("batch", 'b', o.batch, "B", 1, 65536, "images a step (default 64)"),
        INT("accumulate", 0, o.accumulate, "N", 1, 4096, "batches whose gradients make one step (default 1)"),
        TEXT("optimizer", 0, o.optimizer, "sgd|adamw", "default sgd, Nesterov momentum"),
        REAL("lr", 0, o.lr, "LR", 0, 100,
             "peak learning rate (default 0.1 for a batch of 64, in proportion)"),
        REAL("momentum", 0, o.momentum, "M", 0, 0.9999, "of sgd (default 0.9)"),
        REAL("weight-decay", 0, o.weight_decay, "WD", 0, 1, "not on batch norm and biases (default 1e-4)"),
        REAL("clip", 0, o.clip, "NORM", 0, 1e9, "limit of the gradient's norm (default: none)"),
        REAL("ema", 0, o.ema, "DECAY", 0, 0.999999, "moving average of the weights (default 0.999); 0: off"),
        REAL("smoothing", 0, o.smoothing, "S", 0, 0.9, "label smoothing (default 0.1)"),
        TEXT("schedule", 0, o.schedule, "cosine|step|constant", "of the learning rate (default cosine)"),
        REAL("warmup", 0, o.warmup, "EPOCHS", 0, 1000, "of the learning rate (default 2)"),
        REAL("crop-min", 0, o.crop_min, "SHARE", 0.01, 1, "least area of a random crop (default 0.35)"),
        REAL("jitter", 0, o.jitter, "J", 0, 1, "of brightness, contrast, saturation (default 0.2)"),
        FLAG("no-augment", 0, o.no_augment, "no random crops, flips or colours"),
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
