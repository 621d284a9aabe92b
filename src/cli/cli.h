/* cli/cli.h: what the verbs of the `pith` command share. Public headers only: a program of yours could do all of this. */
#ifndef PITH_CLI_H
#define PITH_CLI_H

#include <jansson.h>
#include <pith/pith.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* ---- Options -------------------------------------------------------------------------------------------------
   A verb's options are one table: it is parsed, shown by --help, written to args.json and read back from it. */
typedef enum { OPT_FLAG, OPT_INT, OPT_REAL, OPT_TEXT, OPT_SEED, OPT_END } opt_kind;

typedef struct {
    const char *name; /* "--batch" without the dashes */
    char letter;      /* 'o' for -o; 0: none */
    opt_kind kind;
    void *to;          /* bool, int, double, const char *, uint64_t */
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
json_t *opts_json(const opt *table); /* all values, by name */
bool opts_from_json(opt *table, const json_t *values,
                    const char *path); /* says on stderr what does not fit */

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
void say(const char *fmt, ...) PITH_PRINTF(1, 2); /* "pith: ..." on standard error */
void print_json(json_t *j);                       /* prints and releases */
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
pith_model *open_model(pith_ctx *c, const char *name, model_opts o);
bool is_family(const char *name);
const char *class_name(const pith_model *m, int i,
                       char buf[32]);      /* from the model's "classes", else the number */
int model_image_size(const pith_model *m); /* 0, and it is said: the model does not take square RGB images */
pith_status remember_classes(pith_model *m, const pith_data *d);
pith_data *open_data(pith_ctx *c, const char *dir, int size, const common *k, double max_bad);

/* ---- Progress ------------------------------------------------------------------------------------------------ */
typedef struct {
    bool terminal, quiet;
    double last; /* when something was last shown */
    int width;   /* of the line that stands on the terminal now */
} progress_view;

void progress_open(progress_view *v, bool quiet);
void progress_fit(void *view, const pith_progress *p); /* of pith_fit */
void progress_count(progress_view *v, const char *what, int64_t done, int64_t total);
void progress_close(progress_view *v);

/* ---- Verbs --------------------------------------------------------------------------------------------------- */
extern const verb verb_train, verb_eval, verb_predict, verb_info, verb_bench, verb_data, verb_export,
    verb_quantize, verb_qat;

#endif
