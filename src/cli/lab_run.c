/* The lab from its first step to its answer. */
#include "cli/lab.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* ---- lab.json ---- */
static json_t *cpu_name(void)
{
    char line[256];
    FILE *f = fopen("/proc/cpuinfo", "r");
    json_t *name = NULL;
    while (f != NULL && name == NULL && fgets(line, sizeof line, f) != NULL) {
        const char *colon = strchr(line, ':');
        line[strcspn(line, "\n")] = 0;
        if (strncmp(line, "model name", 10) == 0 && colon != NULL)
            name = json_bytes(colon + 2);
    }
    if (f != NULL)
        fclose(f);
    return name != NULL ? name : json_string("unknown");
}

static json_t *class_list(const lab *l)
{
    json_t *list = json_array();
    for (int i = 0; i < pith_data_classes(l->d); i++)
        json_array_append_new(list, json_bytes(pith_data_class_name(l->d, i)));
    return list;
}

static bool there(const lab *l, int i) { return l->step[i].result != NULL; }

static json_t *step_list(const lab *l)
{
    json_t *list = json_array();
    for (int i = 0; i < l->n; i++)
        if (l->step[i].chosen || there(l, i))
            json_array_append_new(list, json_string(l->rows[i].id));
    return list;
}

static json_t *describe(const lab *l, const char *started)
{
    const pith_build b = pith_build_info(l->c);
    json_t *j = json_pack(
        "{s:s, s:o, s:I, s:o, s:s, s:i, s:s, s:f, s:o, s:s, s:f, s:f, s:i, s:f, s:o, s:I, s:I, s:o}", "pith",
        PITH_VERSION, "command", json_bytes(l->command != NULL ? l->command : "pith lab"), "seed",
        (json_int_t)l->k.seed, "cpu", cpu_name(), "kernels", b.cpu, "threads", pith_ctx_threads(l->c),
        "started", started, "seconds", lab_clock() - l->started, "data", json_bytes(l->data), "model",
        l->model, "width", l->net.width ? l->net.width : 1.0, "depth", l->net.depth ? l->net.depth : 1.0,
        "image_size", pith_data_size(l->d), "budget_minutes", l->minutes, "classes", class_list(l), "n_train",
        (json_int_t)pith_data_count(l->d, PITH_TRAIN), "n_val", (json_int_t)pith_data_count(l->d, PITH_VAL),
        "steps", step_list(l));
    json_object_set_new(j, "plan", lab_plan_json(l));
    return j;
}

static json_t *save(lab *l, const char *started, bool ended)
{
    char path[1024];
    json_t *j = describe(l, started);
    if (ended)
        json_object_set_new(j, "answer", lab_answer(l));
    if (!lab_save_json(l, lab_path(l, NULL, "lab.json", path), j)) {
        say("%s", l->reason);
        json_decref(j);
        return NULL;
    }
    return j;
}

/* ---- Before anything is trained ---- */
static bool folders(const lab *l)
{
    char path[1024];
    const char *both[] = { l->out, lab_path(l, NULL, "steps", path) };
    for (int i = 0; i < 2; i++)
        if (mkdir(both[i], 0777) != 0 && errno != EEXIST) {
            say("%s: %s: the lab's folder cannot be made; choose another with --out", both[i],
                strerror(errno));
            return false;
        }
    return true;
}

static void warn_of_few(const lab *l)
{
    enum { FEW = 200 };
    const int64_t n = pith_data_count(l->d, PITH_VAL), all = n + pith_data_count(l->d, PITH_TRAIN);
    double low, high;
    pith_wilson(n - n / 10, n, &low, &high);
    if (n < FEW || all < 5 * FEW)
        say("warning: %lld images, of them %lld for validation: an accuracy of 90%% could be anything from "
            "%.0f%% to %.0f%%; "
            "take more pictures before believing the table",
            (long long)all, (long long)n, 100 * low, 100 * high);
}

/* ---- The whole ---- */
/* Results of steps that were not asked for, where they still fit: the report shows them too. */
static void others(lab *l)
{
    for (int i = 0; i < l->n; i++) {
        if (l->step[i].chosen)
            continue;
        lab_inputs(l, i);
        if (!lab_cached(l, i)) {
            json_decref(l->step[i].result);
            l->step[i].result = NULL;
        }
    }
}

static bool all_steps(lab *l)
{
    for (int i = 0; i < l->n; i++) {
        if (!l->step[i].chosen)
            continue;
        if (!lab_do(l, i) ||
            (l->stop != NULL && *l->stop && !l->step[i].cached && strcmp(lab_status(l, i), "done") != 0))
            return false;
        if (i == 0 && l->step[0].cached) {
            l->float_says = calloc((size_t)pith_data_count(l->d, PITH_VAL) + 1, sizeof *l->float_says);
            if (l->float_says == NULL || !lab_read_says(l, &l->rows[0], l->float_says))
                say("%s", l->reason[0] ? l->reason : "out of memory");
        }
        lab_show_step(l, i);
        if (l->stop != NULL && *l->stop)
            return false;
    }
    return true;
}

static int ended(lab *l, json_t *j)
{
    int bad = 0;
    const char *runs[] = { l->out };
    const bool page = pith_report_html(l->c, runs, 1, (pith_report_cfg){ 0 }) == PITH_OK;
    for (int i = 0; i < l->n; i++)
        bad += l->step[i].chosen && strcmp(lab_status(l, i), "done") != 0;
    const char *text = json_string_value(json_object_get(json_object_get(j, "answer"), "text"));
    if (l->k.json) {
        json_t *results = json_array();
        for (int i = 0; i < l->n; i++)
            if (l->step[i].chosen)
                json_array_append(results, l->step[i].result);
        json_object_set_new(j, "results", results);
        print_json(json_incref(j));
    } else {
        putchar('\n');
        lab_show_table(l, stdout);
        printf("\n%s\nresults  %s/lab.json, %s/steps/\n", text, l->out, l->out);
        if (page)
            printf("report   %s/report.html\n", l->out);
    }
    if (!page)
        say("the report: %s", pith_error_text(l->c));
    if (bad > 0)
        say("%d of the steps are not done: their result.json says why", bad);
    return bad > 0 || !page ? EXIT_FAILED : EXIT_DONE;
}

static void free_steps(lab *l)
{
    for (int i = 0; i < l->n; i++) {
        json_decref(l->step[i].result);
        l->step[i].result = NULL;
    }
    json_decref(l->warnings);
    l->warnings = NULL;
    free(l->float_says);
    l->float_says = NULL;
}

int lab_go(lab *l)
{
    char started[32];
    const time_t t = time(NULL);
    struct tm tm;
    strftime(started, sizeof started, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &tm));
    l->started = lab_clock();
    l->warnings = l->warnings != NULL ? l->warnings : json_array();
    warn_of_few(l);
    if (!lab_choose(l) || !folders(l)) {
        free_steps(l);
        return EXIT_USAGE;
    }
    progress_open(&l->view, l->k.quiet);
    if (!lab_plan(l)) {
        say("%s", pith_error_text(l->c));
        free_steps(l);
        return EXIT_FAILED;
    }
    json_t *j = save(l, started, false);
    int status = EXIT_FAILED;
    if (j != NULL && !all_steps(l)) {
        progress_close(&l->view);
        say("stopped; the same command goes on where it stopped");
    } else if (j != NULL) {
        others(l);
        json_decref(j);
        j = save(l, started, true);
        status = j != NULL ? ended(l, j) : EXIT_FAILED;
    }
    json_decref(j);
    free_steps(l);
    return status;
}
