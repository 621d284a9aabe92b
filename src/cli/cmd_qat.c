/* pith qat: trains a trained model on with fake quantization, by the recipe of the run that it comes from. */
#include "cli/cli.h"

#include <errno.h>
#include <pith/quant.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct {
    common k;
    const char *model, *data, *out, *resume, *layers, *skip, *lsq;
    int bits_weights, bits_activations, bits_ends, observe;
    bool conv_per_tensor, dense_per_channel, force, no_augment;
    double freeze;
    int epochs, batch, accumulate;
    double lr, momentum, weight_decay, clip, ema, smoothing, warmup, max_bad, crop_min, jitter;
} qat_opts;

/* What the signal handler touches, and nothing else. */
static volatile int stop_flag;

static void on_interrupt(int sig)
{
    stop_flag = 1;
    signal(sig, SIG_DFL);
}

/* ---- The recipe: the float run's, but shorter and gentler ---- */
/* Options that the command line did not give, from the args.json beside the model; none there: the defaults. */
static bool inherit(qat_opts *o, opt *table, json_t **keep)
{
    char path[1024];
    const char *slash = strrchr(o->model, '/');
    snprintf(path, sizeof path, "%.*sargs.json", slash ? (int)(slash - o->model) + 1 : 0, o->model);
    struct stat st;
    if (stat(path, &st) != 0)
        return true;
    json_error_t e;
    *keep = json_load_file(path, JSON_REJECT_DUPLICATES, &e);
    json_t *train = json_object_get(*keep, "train");
    static const char *const own[] = { "epochs", "lr",      "warmup", "model", "out",    "resume",
                                       "force",  "threads", "json",   "quiet", "verbose" };
    if (train == NULL) {
        say("%s: %s; it should hold the options of the float training", path,
            *keep ? "no \"train\"" : e.text);
        return false;
    }
    double lr = json_number_value(json_object_get(train, "lr"));
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        json_object_del(train, own[i]);
    if (!opts_from_json(table, train, path))
        return false;
    if (o->lr == 0 && lr > 0)
        o->lr = lr / 10;
    return true;
}

static void defaults(qat_opts *o)
{
    o->epochs = o->epochs ? o->epochs : 8;
    o->batch = o->batch ? o->batch : 64;
    o->accumulate = o->accumulate ? o->accumulate : 1;
    o->lr = o->lr != 0 ? o->lr : 0.01 * o->batch * o->accumulate / 64;
    o->warmup = o->warmup != 0 ? o->warmup : 0.5;
    o->freeze = o->freeze != 0 ? o->freeze : 0.5;
}

static pith_fit_cfg fit_cfg(const qat_opts *o)
{
    pith_fit_cfg f = { .epochs = o->epochs,
                       .batch = o->batch,
                       .seed = o->k.seed,
                       .smoothing = o->smoothing,
                       .accumulate = o->accumulate,
                       .out = o->out,
                       .resume = o->resume != NULL,
                       .stop = &stop_flag,
                       .progress = progress_fit,
                       .opt = { .lr = o->lr,
                                .momentum = o->momentum,
                                .ema_decay = o->ema,
                                .weight_decay = o->weight_decay,
                                .clip_norm = o->clip,
                                .nesterov = true },
                       .schedule = { .warmup_epochs = o->warmup },
                       .augment = { .scale_min = o->crop_min,
                                    .brightness = o->jitter,
                                    .contrast = o->jitter,
                                    .saturation = o->jitter } };
    if (o->no_augment)
        f.augment = (pith_augment_cfg){ .scale_min = 1,
                                        .scale_max = 1,
                                        .ratio_min = 1,
                                        .ratio_max = 1,
                                        .flip = PITH_ZERO,
                                        .brightness = PITH_ZERO,
                                        .contrast = PITH_ZERO,
                                        .saturation = PITH_ZERO };
    return f;
}

static bool quant_cfg(const qat_opts *o, const pith_data *d, pith_quant_cfg *f)
{
    int64_t steps = pith_data_count(d, PITH_TRAIN) / o->batch / o->accumulate * o->epochs;
    int64_t freeze = o->freeze < 1 ? (int64_t)(o->freeze * (double)steps) : 0;
    *f = (pith_quant_cfg){ .bits_weights = o->bits_weights,
                           .bits_activations = o->bits_activations,
                           .bits_ends = o->bits_ends,
                           .conv_per_tensor = o->conv_per_tensor,
                           .dense_per_channel = o->dense_per_channel,
                           .layers = o->layers,
                           .skip = o->skip,
                           .observe_steps = o->observe,
                           .freeze_bn = freeze };
    f->freeze_ranges = freeze > (o->observe ? o->observe : 20) ? freeze : 0;
    if (o->lsq == NULL || strcmp(o->lsq, "auto") == 0)
        return true;
    f->lsq = strcmp(o->lsq, "on") == 0 ? 1 : -1;
    if (f->lsq > 0 || strcmp(o->lsq, "off") == 0)
        return true;
    say("--lsq %s: auto, on or off", o->lsq);
    return false;
}

/* ---- The run folder ---- */
static bool make_folder(const qat_opts *o, const opt *table)
{
    char path[1024];
    struct stat st;
    snprintf(path, sizeof path, "%s/last.pith", o->out);
    if (!o->force && stat(path, &st) == 0) {
        say("%s already holds a training: go on with 'pith qat --resume %s', choose another --out, or "
            "--force",
            o->out, o->out);
        return false;
    }
    if (mkdir(o->out, 0777) != 0 && errno != EEXIST) {
        say("%s: %s: the run folder cannot be made; choose another with --out", o->out, strerror(errno));
        return false;
    }
    snprintf(path, sizeof path, "%s/args.json", o->out);
    json_t *j = json_pack("{s:s, s:o}", "pith", PITH_VERSION, "qat", opts_json(table));
    bool ok = json_dump_file(j, path, JSON_INDENT(1)) == 0;
    json_decref(j);
    if (!ok)
        say("%s: cannot be written (%s); choose another folder with --out", path, strerror(errno));
    return ok;
}

/* Options of the interrupted run; the model is its own last.pith. */
static bool read_run(qat_opts *o, opt *table, json_t **keep, char model[1024])
{
    char path[1024];
    json_error_t e;
    const char *run = o->resume;
    snprintf(path, sizeof path, "%s/args.json", run);
    *keep = json_load_file(path, JSON_REJECT_DUPLICATES, &e);
    json_t *args = json_object_get(*keep, "qat");
    if (args == NULL) {
        say("%s: %s; --resume wants the folder of a 'pith qat'", path, *keep ? "no \"qat\"" : e.text);
        return false;
    }
    if (!opts_from_json(table, args, path))
        return false;
    snprintf(model, 1024, "%s/last.pith", run);
    o->out = o->resume = run;
    o->model = model;
    return true;
}

/* ---- The training ---- */
static int finish(const qat_opts *o, pith_model *m, pith_data *d)
{
    pith_eval_result r;
    pith_integer_facts facts = { 0 };
    pith_ctx *c = pith_model_ctx(m);
    if (pith_evaluate(m, d, PITH_VAL, o->batch, &r) != PITH_OK ||
        (o->skip == NULL && pith_integer_info(m, &facts) != PITH_OK))
        return failed(c);
    if (o->k.json)
        print_json(json_pack("{s:f, s:f, s:I, s:I, s:s}", "accuracy", r.accuracy, "loss", r.loss, "n",
                             (json_int_t)r.n, "bytes", (json_int_t)facts.bytes, "run", o->out));
    else
        printf(
            "\naccuracy %.2f%% in integers on %lld validation images (%lld right), loss %.4f\nweights  %.1f "
            "KB\nmodel    %s/last.pith\n",
            100 * r.accuracy, (long long)r.n, (long long)r.correct, r.loss, (double)facts.bytes / 1024,
            o->out);
    pith_ctx_free(c);
    return EXIT_DONE;
}

static int train(qat_opts *o, const opt *table)
{
    pith_quant_cfg q;
    progress_view view;
    pith_ctx *c = open_ctx(&o->k);
    if (c == NULL)
        return EXIT_FAILED;
    pith_model *m = open_model(c, o->model, (model_opts){ 0 });
    int size = m == NULL ? 0 : model_image_size(m);
    pith_data *d = size == 0 ? NULL : open_data(c, o->data, size, &o->k, o->max_bad);
    if (d == NULL)
        return failed(c);
    if (!quant_cfg(o, d, &q)) {
        pith_ctx_free(c);
        return EXIT_USAGE;
    }
    if (o->resume == NULL && (pith_qat(m, q) != PITH_OK))
        return failed(c);
    if (o->resume == NULL && !make_folder(o, table)) {
        pith_ctx_free(c);
        return EXIT_FAILED;
    }
    pith_fit_cfg f = fit_cfg(o);
    f.progress_user = &view;
    signal(SIGINT, on_interrupt);
    signal(SIGTERM, on_interrupt);
    progress_open(&view, o->k.quiet);
    pith_status s = pith_fit(m, d, f);
    progress_close(&view);
    if (s == PITH_ESTOPPED) {
        say("stopped and saved; 'pith qat --resume %s' goes on as if nothing had happened", o->out);
        pith_ctx_free(c);
        return EXIT_FAILED;
    }
    return s == PITH_OK ? finish(o, m, d) : failed(c);
}

static int run(int argc, char **argv)
{
    qat_opts o = { 0 };
    opt table[] = {
        TEXT("data", 'd', o.data, "DIR", "folder of photographs (default: the float run's)"),
        TEXT("out", 'o', o.out, "RUN", "run folder"),
        TEXT("resume", 'r', o.resume, "RUN", "go on with an interrupted run, bit for bit"),
        FLAG("force", 0, o.force, "overwrite a run folder that holds a training"),
        INT("bits-weights", 0, o.bits_weights, "B", 2, 8, "bits of weights (default 8)"),
        INT("bits-activations", 0, o.bits_activations, "B", 4, 8, "bits of activations (default 8)"),
        INT("bits-ends", 0, o.bits_ends, "B", 2, 8, "bits of the first and last layer's weights (default 8)"),
        TEXT("layers", 0, o.layers, "PATTERN=B,...", "bits of the weights of certain layers"),
        TEXT("skip", 0, o.skip, "PATTERN,...", "layers that stay in float"),
        FLAG("conv-per-tensor", 0, o.conv_per_tensor,
             "one scale for a convolution's weights, not one a channel"),
        FLAG("dense-per-channel", 0, o.dense_per_channel, "one scale for each output of a dense layer"),
        TEXT("lsq", 0, o.lsq, "auto|on|off", "learned step sizes (default auto: below 8 bits)"),
        INT("observe", 0, o.observe, "STEPS", 1, 1 << 24,
            "steps before activations are quantized (default 20)"),
        REAL("freeze", 0, o.freeze, "SHARE", 0.01, 1,
             "share of the run after which ranges and batch norms stay as they are (default 0.5)"),
        INT("epochs", 'e', o.epochs, "E", 1, 100000, "passes over the training images (default 8)"),
        INT("batch", 'b', o.batch, "B", 1, 65536, "images a step (default: the float run's)"),
        INT("accumulate", 0, o.accumulate, "N", 1, 4096, "batches whose gradients make one step"),
        REAL("lr", 0, o.lr, "LR", 0, 100, "peak learning rate (default: a tenth of the float run's)"),
        REAL("momentum", 0, o.momentum, "M", 0, 0.9999, "of sgd"),
        REAL("weight-decay", 0, o.weight_decay, "WD", 0, 1, "not on batch norm and biases"),
        REAL("clip", 0, o.clip, "NORM", 0, 1e9, "limit of the gradient's norm"),
        REAL("ema", 0, o.ema, "DECAY", 0, 0.999999, "moving average of the weights; 0: off"),
        REAL("smoothing", 0, o.smoothing, "S", 0, 0.9, "label smoothing"),
        REAL("warmup", 0, o.warmup, "EPOCHS", 0, 1000, "of the learning rate (default 0.5)"),
        REAL("crop-min", 0, o.crop_min, "SHARE", 0.01, 1, "least area of a random crop"),
        REAL("jitter", 0, o.jitter, "J", 0, 1, "of brightness, contrast, saturation"),
        FLAG("no-augment", 0, o.no_augment, "no random crops, flips or colours"),
        REAL("max-bad", 0, o.max_bad, "SHARE", 0, 1, "share of unusable files allowed"),
        COMMON_OPTS(o.k),
        OPTS_END,
    };
    char model[1024];
    json_t *keep = NULL;
    int n, status = opts_parse(&verb_qat, table, argc, argv, &o.model, &n);
    if (status >= 0)
        return status;
    bool fresh = o.resume == NULL;
    status = EXIT_USAGE;
    if (fresh && (n == 0 || o.out == NULL))
        say("qat: a trained model (as run/last.pith) and --out RUN are needed");
    else if (fresh ? !inherit(&o, table, &keep) : !read_run(&o, table, &keep, model))
        status = EXIT_FAILED;
    else if (o.data == NULL)
        say("qat: --data DIR is needed");
    else {
        defaults(&o);
        status = train(&o, table);
    }
    json_decref(keep);
    return status;
}

const verb verb_qat = {
    "qat", "trains a model on so that it survives quantization", "MODEL --data DIR --out RUN ", 0, 1, run
};
