/* pith lab: a folder of photographs in, every method of compression compared in one table. */
#include "cli/lab.h"
#include "cli/run.h"

#include <stdlib.h>
#include <string.h>

/* "60m", "2h", "90s", "60": minutes. */
static bool read_budget(lab *l)
{
    char *end = NULL;
    double v = l->budget != NULL ? strtod(l->budget, &end) : 60;
    if (l->budget != NULL && end != l->budget) {
        v = *end == 'h' ? 60 * v : *end == 's' ? v / 60 : v;
        end += *end == 'h' || *end == 'm' || *end == 's';
    }
    l->minutes = v;
    if ((l->budget == NULL || (end != l->budget && *end == 0)) && v > 0 && v <= 1e5)
        return true;
    say("--budget %s: a time is expected, such as 60m, 2h or 90s", l->budget);
    return false;
}

/* The library's warnings belong to the step at work: its result.json has them. */
static void log_line(void *user, pith_log_level level, const char *text)
{
    const lab *l = user;
    if (level == PITH_LOG_WARN && l->warnings != NULL && json_array_size(l->warnings) < 20)
        json_array_append_new(l->warnings, json_bytes(text));
    if (l->k.verbose)
        fprintf(stderr, "pith: %s%s\n", level == PITH_LOG_WARN ? "warning: " : "", text);
}

static bool open_lab(lab *l)
{
    l->c = pith_ctx_new(
        (pith_ctx_cfg){ .seed = l->k.seed, .threads = l->k.threads, .log = log_line, .log_user = l });
    if (l->c == NULL || pith_ctx_status(l->c) != PITH_OK)
        return false;
    int size = l->net.image_size;
    if (l->init != NULL) {
        pith_model *m = pith_model_load(l->c, l->init);
        size = m != NULL ? model_image_size(m) : 0;
        if (m == NULL || size == 0)
            return false;
        pith_model_free(m);
    }
    l->d = open_data(l->c, l->data, size, &l->k, l->max_bad);
    return l->d != NULL;
}

static void list(void)
{
    for (int i = 0; i < lab_n_rows; i++)
        printf("%-15s %-12s %s\n", lab_rows[i].id, lab_rows[i].family, lab_rows[i].title);
}

static char *joined(int argc, char **argv)
{
    size_t n = sizeof "pith", at;
    for (int i = 0; i < argc; i++)
        n += strlen(argv[i]) + 1;
    char *text = malloc(n);
    if (text == NULL)
        return NULL;
    at = (size_t)snprintf(text, n, "pith");
    for (int i = 0; i < argc; i++)
        at += (size_t)snprintf(text + at, n - at, " %s", argv[i]);
    return text;
}

static int check(lab *l)
{
    if (l->data == NULL || l->out == NULL)
        say(l->data == NULL
                ? "lab: --data DIR is needed: a folder with a folder of pictures for each class"
                : "lab: --out RUN is needed: a folder for all results; the same one goes on with a lab");
    else if (!is_family(l->model))
        say("lab: --model %s: a network's name is expected, such as efnet-nano; --init FILE takes a trained "
            "one",
            l->model);
    else if (read_budget(l))
        return -1;
    return EXIT_USAGE;
}

static int run(int argc, char **argv)
{
    lab l = { .model = "efnet-nano", .points = 1, .rows = lab_rows, .n = lab_n_rows };
    bool show = false;
    opt table[] = {
        TEXT("data", 'd', l.data, "DIR", "folder of photographs: a folder a class, or train/ and val/"),
        TEXT("model", 'm', l.model, "NAME", "network (default efnet-nano)"),
        TEXT("init", 0, l.init, "FILE", "a trained model of that network: it is taken as the float network"),
        TEXT("out", 'o', l.out, "RUN",
             "folder of the results; one that is there is gone on with: what is done stays"),
        TEXT("budget", 0, l.budget, "TIME", "60m (default), 2h, 90s: kept by choosing epochs"),
        INT("epochs", 'e', l.epochs, "E", 1, 100000,
            "of the float network, the others in proportion; no budget then"),
        TEXT("only", 0, l.only, "ID,...", "these steps (patterns, or families) and those they come from"),
        TEXT("skip", 0, l.skip, "ID,...", "not these, nor what comes from them"),
        FLAG("measure", 0, l.measure,
             "measure again what is made already, as times on a machine that is quiet now"),
        FLAG("list", 0, show, "name all steps and end"),
        REAL("points", 0, l.points, "P", 0, 100, "below float that the answer allows (default 1)"),
        INT("image-size", 0, l.net.image_size, "P", 8, 1024,
            "side of the square the network sees (default 96)"),
        REAL("width", 0, l.net.width, "W", 0.05, 16, "channel multiplier (default 1)"),
        REAL("depth", 0, l.net.depth, "D", 0.05, 16, "repeat multiplier (default 1)"),
        REAL("max-bad", 0, l.max_bad, "SHARE", 0, 1, "share of unusable files allowed (default 0.01)"),
        COMMON_OPTS(l.k),
        OPTS_END,
    };
    const char *none;
    int n, status = opts_parse(&verb_lab, table, argc, argv, &none, &n);
    if (status >= 0)
        return status;
    if (show) {
        list();
        return EXIT_DONE;
    }
    status = check(&l);
    if (status >= 0)
        return status;
    char *command = joined(argc, argv);
    l.command = command;
    l.points = l.points == PITH_ZERO ? 0 : l.points;
    if (!open_lab(&l)) {
        free(command);
        return l.c != NULL && pith_ctx_status(l.c) == PITH_OK ? (pith_ctx_free(l.c), EXIT_FAILED)
                                                              : failed(l.c);
    }
    l.stop = run_stop_flag();
    status = lab_go(&l);
    pith_ctx_free(l.c);
    free(command);
    return status;
}

const verb verb_lab = {
    "lab", "trains a network and compares every way of making it smaller", "--data DIR -o RUN ", 0, 0, run
};
