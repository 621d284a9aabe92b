/* cli/cli.h: what the verbs of the `pith` command share. Public headers only: a program of yours could do all of this. */
#ifndef PITH_CLI_H
#define PITH_CLI_H

#include <jansson.h>
#include <pith/pith.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* ---- Options -------------------------------------------------------------------------------------------------
   A verb's options are one table: it is parsed, shown by --help, written to args.json and read back from it. */
typedef enum { OPT_FLAG, OPT_INT, OPT_REAL, OPT_TEXT, OPT_LIST, OPT_SEED, OPT_END } opt_kind;

/* What an option that may be repeated was given. */
enum { LIST_MOST = 32, CLASSES_MOST = 1000 };
typedef struct {
    const char *text[LIST_MOST];
    int n;
} opt_list;

typedef struct {
    const char *name; /* "--batch" without the dashes */
    char letter;      /* 'o' for -o; 0: none */
    opt_kind kind;
    void *to;          /* bool, int, double, const char *, opt_list, uint64_t */
    const char *value; /* how the value is called in the help text */
    const char *help;
    double min, max; /* of OPT_INT and OPT_REAL */
    bool given;      /* set by opts_parse */
} opt;

#define FLAG(name, letter, to, help)                           \
    {                                                          \
        name, letter, OPT_FLAG, &(to), NULL, help, 0, 0, false \
    }
#define INT(name, letter, to, value, low, high, help)               \
    {                                                               \
        name, letter, OPT_INT, &(to), value, help, low, high, false \
    }
#define REAL(name, letter, to, value, low, high, help)               \
    {                                                                \
        name, letter, OPT_REAL, &(to), value, help, low, high, false \
    }
#define TEXT(name, letter, to, value, help)                     \
    {                                                           \
        name, letter, OPT_TEXT, &(to), value, help, 0, 0, false \
    }
#define LIST(name, letter, to, value, help)                     \
    {                                                           \
        name, letter, OPT_LIST, &(to), value, help, 0, 0, false \
    }
#define SEED(name, letter, to, value, help)                     \
    {                                                           \
        name, letter, OPT_SEED, &(to), value, help, 0, 0, false \
    }
#define OPTS_END                                        \
    {                                                   \
        NULL, 0, OPT_END, NULL, NULL, NULL, 0, 0, false \
    }

typedef struct {
    const char *name, *summary, *operands;
    int min_operands, max_operands;
    int (*run)(int argc, char **argv);
} verb;

/* Parses argv[1..]; operands[] gets what is not an option. Returns -1 to go on, else the exit status (help was printed,
   or the use was wrong and stderr says how). A real zero is stored as PITH_ZERO. */
int opts_parse(const verb *v, opt *table, int argc, char **argv, const char **operands, int *n_operands);
json_t *opts_json(const opt *table);                               /* all values, by name */
bool opts_from_json(opt *table, json_t *values, const char *path); /* says on stderr what does not fit */

/* ---- Common ground ------------------------------------------------------------------------------------------- */
typedef struct {
    bool json, quiet, verbose;
    int threads;
    uint64_t seed;
} common;

#define COMMON_OPTS(c)                                                                        \
    INT("threads", 0, (c).threads, "T", 1, 1024, "kernel threads (default: all processors)"), \
        SEED("seed", 0, (c).seed, "S", "seed of all random numbers (default 0)"),             \
        FLAG("json", 0, (c).json, "print one JSON object on standard output"),                \
        FLAG("quiet", 'q', (c).quiet, "no progress"),                                         \
        FLAG("verbose", 'v', (c).verbose, "tell more on standard error")

pith_ctx *open_ctx(const common *k); /* NULL after an error, which was printed */
int failed(pith_ctx *c);             /* prints the context's error, frees it, returns EXIT_FAILED */
void say(const char *fmt, ...) PITH_PRINTF(1, 2);             /* "pith: ..." on standard error */
void print_json(json_t *j);                                   /* prints and releases */
bool save_text(const char *path, const char *text, size_t n); /* all of it or nothing; errno says why not */
json_t *json_bytes(const char *s); /* a string of any encoding; bytes that are no UTF-8 become \xNN */

/* A model argument: the name of a family, or a file. classes 0: as the family has it. */
typedef struct {
    int image_size, classes, channels;
    double width, depth, dropout, drop_connect;
    bool torch; /* PITH_STYLE_TORCH */
} model_opts;

/* Options of a network by name that every verb has; train has its own sizes. */
#define STYLE_OPT(o) \
    FLAG("torch-style", 0, (o).torch, "pad and normalise as PyTorch's networks do (for timm's weights)")
#define NETWORK_OPTS(o)                                                                     \
    INT("image-size", 0, (o).image_size, "P", 4, 4096, "of a network by name"),             \
        INT("classes", 0, (o).classes, "K", 2, 100000, "of a network by name (default 2)"), \
        INT("channels", 0, (o).channels, "C", 1, 64, "of a network by name"),               \
        REAL("width", 0, (o).width, "W", 0.05, 16, "channel multiplier"),                   \
        REAL("depth", 0, (o).depth, "D", 0.05, 16, "repeat multiplier"), STYLE_OPT(o)
pith_model *open_model(pith_ctx *c, const char *name, model_opts o);
/* The same for a training on d: of its classes and size, which the model then remembers. NULL after an error. */
pith_model *open_student(pith_ctx *c, const char *name, model_opts o, const pith_data *d);
bool is_family(const char *name);
const char *class_name(const pith_model *m, int i,
                       char buf[32]);      /* from the model's "classes", else the number */
int model_image_size(const pith_model *m); /* 0, and it is said: the model does not take square RGB images */
pith_status remember_classes(pith_model *m, const pith_data *d);
pith_data *open_data(pith_ctx *c, const char *dir, int size, const common *k, double max_bad);

/* ---- answers.c: what a model says of every image of a split, in the data set's order -------------------------- */
typedef struct {
    int64_t n, right;
    int32_t *says, *labels; /* [n] */
    char *csv;              /* "path,label,predicted,p0,p1,..." */
    size_t csv_bytes;
} answers;
/* batch 0: 256. False after an error (of the model's or the data's context, or memory); answers_free in any case. */
bool answers_ask(pith_model *m, pith_data *d, pith_split split, int batch, answers *a);
void answers_free(answers *a);

typedef struct {
    int64_t differ, only_this,
        only_other; /* classed differently; right where the other is wrong, and the reverse */
    double p;       /* McNemar's, exact */
} paired;
paired answers_pair(const answers *a, const answers *other);

/* ---- recipe.c: how a network is trained; shared by train and lr-find ------------------------------------------ */
typedef struct {
    const char *optimizer, *schedule, *class_weights;
    int epochs, batch, accumulate, unfreeze_after;
    double lr, momentum, weight_decay, clip, ema, smoothing, warmup, final_lr, gamma, step_epochs;
    double crop_min, jitter, hue, rotate, cutout, mixup, cutmix, mix_share;
    bool no_augment;
    opt_list lr_scale, freeze;
    /* Made of the texts above by recipe_read: */
    pith_lr_scale scales[LIST_MOST];
    char patterns[LIST_MOST][128];
    pith_size_step sizes[LIST_MOST];
    int n_sizes, n_weights;
    double weights[CLASSES_MOST];
} recipe;

#define RECIPE_OPTS(r)                                                                                     \
    INT("batch", 'b', (r).batch, "B", 1, 65536, "images a step (default 64)"),                             \
        INT("accumulate", 0, (r).accumulate, "N", 1, 4096,                                                 \
            "batches whose gradients make one step (default 1)"),                                          \
        TEXT("optimizer", 0, (r).optimizer, "sgd|adamw|rmsprop",                                           \
             "default sgd, Nesterov momentum; rmsprop is TensorFlow's, as EfficientNet was trained"),      \
        REAL("lr", 0, (r).lr, "LR", 0, 100,                                                                \
             "peak learning rate (default 0.1 for a batch of 64, in proportion; adamw 0.001, rmsprop "     \
             "0.004)"),                                                                                    \
        LIST("lr-scale", 0, (r).lr_scale, "PATTERN=F",                                                     \
             "parameters of these names ('classifier.*=10') learn at F times the rate; may be repeated"),  \
        REAL("momentum", 0, (r).momentum, "M", 0, 0.9999, "of sgd and rmsprop (default 0.9)"),             \
        REAL("weight-decay", 0, (r).weight_decay, "WD", 0, 1,                                              \
             "not on batch norm and biases (default 1e-4; adamw 0.01, rmsprop 1e-5)"),                     \
        REAL("clip", 0, (r).clip, "NORM", 0, 1e9, "limit of the gradient's norm (default: none)"),         \
        REAL("ema", 0, (r).ema, "DECAY", 0, 0.999999,                                                      \
             "moving average of the weights (default 0.999); 0: off"),                                     \
        REAL("smoothing", 0, (r).smoothing, "S", 0, 0.9, "label smoothing (default 0.1)"),                 \
        TEXT("class-weights", 0, (r).class_weights, "balanced|W,W,...",                                    \
             "what an image of each class counts; balanced: every class as a whole the same (default 1)"), \
        LIST("freeze", 0, (r).freeze, "PATTERN",                                                           \
             "do not train parameters of these names; '!PATTERN' frees some again; may be repeated"),      \
        FLAG("no-augment", 0, (r).no_augment, "no random crops, flips or colours"),                        \
        REAL("crop-min", 0, (r).crop_min, "SHARE", 0.01, 1, "least area of a random crop (default 0.35)"), \
        REAL("jitter", 0, (r).jitter, "J", 0, 1, "of brightness, contrast, saturation (default 0.2)"),     \
        REAL("hue", 0, (r).hue, "H", 0, 0.5, "turns by at most H of the colour wheel (default 0)"),        \
        REAL("rotate", 0, (r).rotate, "DEG", 0, 180, "turns by at most DEG degrees (default 0)"),          \
        REAL("cutout", 0, (r).cutout, "P", 0, 1, "probability of a grey rectangle (default 0)"),           \
        REAL("mixup", 0, (r).mixup, "A", 0, 100,                                                           \
             "blends pairs of images, share from Beta(A,A) (default 0)"),                                  \
        REAL("cutmix", 0, (r).cutmix, "A", 0, 100, "pastes parts of other images, likewise (default 0)"),  \
        REAL("mix-share", 0, (r).mix_share, "P", 0, 1, "of the images that these two touch (default 1)")

/* What is of no use to lr-find. */
#define SCHEDULE_OPTS(r) SCHEDULE_OPTS_AS(r, "schedule")
#define SCHEDULE_OPTS_AS(r, kind)                                                                      \
    INT("epochs", 'e', (r).epochs, "E", 1, 100000, "passes over the training images (default 40)"),    \
        INT("unfreeze-after", 0, (r).unfreeze_after, "K", 1, 100000, "epochs; then all of it trains"), \
        TEXT(kind, 0, (r).schedule, "cosine|step|constant|onecycle|exponential",                       \
             "of the learning rate (default cosine)"),                                                 \
        REAL("warmup", 0, (r).warmup, "EPOCHS", 0, 1000,                                               \
             "of the learning rate (default 2; onecycle 0.3 of all)"),                                 \
        REAL("final-lr", 0, (r).final_lr, "LR", 0, 100, "where cosine and onecycle end"),              \
        REAL("gamma", 0, (r).gamma, "G", 0, 1, "factor of step (default 0.1) and exponential (0.97)"), \
        REAL("step-epochs", 0, (r).step_epochs, "EPOCHS", 0.001, 1e6,                                  \
             "between factors (default a third of all; exponential 2.4)")

/* Fills f from the recipe; false: it is said what is wrong, and the use was wrong. f points into r. */
bool recipe_read(recipe *r, uint64_t seed, pith_fit_cfg *f);
/* --image-size of a training: "96", "64:96" or "64,80@10,96@20". *size: the largest, that of the data; 0: text is NULL. */
bool recipe_sizes(recipe *r, const char *text, int *size);
/* Patterns that match none of the model's parameters: false, and it is said. */
bool recipe_fits(const recipe *r, const pith_model *m);

/* ---- Progress ------------------------------------------------------------------------------------------------ */
typedef struct {
    bool terminal, quiet;
    double last; /* when something was last shown */
    int width;   /* of the line that stands on the terminal now */
} progress_view;

void progress_open(progress_view *v, bool quiet);
void progress_fit(void *view, const pith_progress *p); /* of pith_fit */
void progress_count(progress_view *v, const char *what, int64_t done, int64_t total);
void progress_line(progress_view *v, const char *line); /* the living line; elsewhere one in half a minute */
void progress_close(progress_view *v);
void duration_text(double seconds, char buf[24]); /* 1:02:03 */

/* ---- Verbs --------------------------------------------------------------------------------------------------- */
extern const verb verb_train, verb_lr_find, verb_eval, verb_predict, verb_info, verb_bench, verb_data,
    verb_export, verb_quantize, verb_qat, verb_analyze, verb_distill, verb_pack, verb_unpack, verb_import,
    verb_run, verb_plan, verb_prune, verb_lab, verb_report;

#endif
