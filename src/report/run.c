/* report/run.c: a run folder, `pith lab`'s or a training's. */
#include "report/run.h"

#include <math.h>
#include <pith/stats.h>
#include <string.h>
#include <sys/stat.h>

/* ---- A step ---------------------------------------------------------------------------------------------- */
/* Given, or of the counts. */
static void take_interval(pithp_result *r, const pithp_object *o)
{
    json_t *ci = pithp_get_array(o, "ci95", 2);
    if (json_array_size(ci) == 2) {
        r->low = json_number_value(json_array_get(ci, 0));
        r->high = json_number_value(json_array_get(ci, 1));
    }
    if (json_array_size(ci) == 2 && r->low >= 0 && r->low <= r->high && r->high <= 1)
        return;
    r->low = r->high = NAN;
    if (r->n >= 1 && r->correct <= r->n)
        pith_wilson((int64_t)r->correct, (int64_t)r->n, &r->low, &r->high);
}

static void take_numbers(pithp_result *r, const pithp_object *o)
{
    pithp_object bytes = pithp_get_object(o, "bytes"), test = pithp_get_object(o, "mcnemar"),
                 energy = pithp_get_object(o, "energy_mj");
    r->accuracy = pithp_get_number(o, "accuracy", 0, 1);
    r->correct = pithp_get_count(o, "correct");
    r->n = pithp_get_count(o, "n");
    take_interval(r, o);
    r->only_float = pithp_get_count(&test, "only_float");
    r->only_this = pithp_get_count(&test, "only_this");
    r->differ = pithp_get_count(o, "differ");
    r->p = pithp_get_number(&test, "p", 0, 1.000001);
    r->file = pithp_get_count(&bytes, "file");
    r->gzip = pithp_get_count(&bytes, "gzip");
    r->packed = pithp_get_count(&bytes, "packed");
    r->energy = pithp_get_number(&energy, "value", 0, 1e12);
    r->energy_source = pithp_get_text(&energy, "source");
    r->parameters = pithp_get_count(o, "parameters");
    r->nonzero = pithp_get_count(o, "nonzero");
    r->macs = pithp_get_count(o, "macs");
    r->arena = pithp_get_count(o, "arena");
    r->latency = pithp_get_number(o, "latency_ms", 0, 1e12);
    r->throughput = pithp_get_number(o, "images_per_s", 0, 1e12);
    r->seconds = pithp_get_number(o, "seconds", 0, 1e12);
    r->epochs = pithp_get_number(o, "epochs", 0, 1e9);
    r->bits_weights = pithp_get_number(o, "bits_weights", 0, 64);
    r->bits_activations = pithp_get_number(o, "bits_activations", 0, 64);
}

static void take_texts(pithp_result *r, const pithp_object *o)
{
    r->title = pithp_get_text(o, "title");
    r->family = pithp_get_text(o, "family");
    r->status = pithp_get_text(o, "status");
    r->reason = pithp_get_text(o, "reason");
    r->command = pithp_get_text(o, "command");
    r->from = pithp_get_text(o, "from");
    r->exported = pithp_get_text(o, "exported");
    r->checked = pithp_get_text(o, "export_checked");
    r->promise = pithp_get_text(o, "promise");
    if (r->title[0] == 0)
        r->title = r->id;
    if (r->status[0] == 0)
        r->status = o->j == NULL ? "running" : "done"; /* no result yet */
}

static pith_status read_step(pithp_pool *p, const pithp_run *run, pithp_result *r)
{
    pithp_object o;
    pith_status s = pithp_read_object(p, r->dir, "result.json", &o);
    if (s != PITH_OK)
        return s;
    take_texts(r, &o);
    take_numbers(r, &o);
    if (p->c->status == PITH_OK)
        pithp_read_curve(p, r->dir, &r->curve);
    if (p->c->status == PITH_OK)
        pithp_read_answers(p, r->dir, run, &r->val);
    if (p->c->status == PITH_OK)
        pithp_read_layers(p, r);
    if (p->c->status == PITH_OK)
        pithp_read_model(p, r);
    if (p->c->status != PITH_OK)
        return p->c->status;
    if (r->val.n > 0 && r->n > 0 && (double)r->val.n != r->n)
        return pithp_error(p->c, PITH_EFORMAT,
                           "%s/val.csv: %lld images, but result.json speaks of %.0f; the same are expected",
                           r->dir, (long long)r->val.n, r->n);
    return PITH_OK;
}

static pithp_result *new_result(pithp_pool *p, pithp_lab *lab, int run)
{
    if (lab->n == PITHP_STEPS) {
        pithp_error(p->c, PITH_EINVAL, "%s: more than %d steps in all runs; report on fewer runs",
                    lab->run[run].dir, (int)PITHP_STEPS);
        return NULL;
    }
    lab->result[lab->n] = (pithp_result){ .run = run };
    return &lab->result[lab->n];
}

/* A step's id is a folder's name: it may not lead elsewhere. */
static bool good_id(const char *s)
{
    return *s != 0 && *s != '.' && strlen(s) <= 100 &&
           strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-") == strlen(s);
}

static pith_status read_steps(pithp_pool *p, pithp_lab *lab, int run, const pithp_object *o)
{
    pithp_run *u = &lab->run[run];
    json_t *steps = pithp_get_array(o, "steps", PITHP_STEPS);
    for (size_t i = 0; i < json_array_size(steps) && p->c->status == PITH_OK; i++) {
        const char *id = json_string_value(json_array_get(steps, i));
        if (id == NULL || !good_id(id))
            return pithp_error(p->c, PITH_EFORMAT,
                               "%s: \"steps\": names of folders are expected, of letters, digits and ._+-",
                               o->path);
        pithp_result *r = new_result(p, lab, run);
        if (r == NULL)
            return p->c->status;
        r->id = id;
        r->dir = pithp_pool_text(p, "%s/steps/%s", u->dir, id);
        if (r->dir == NULL || read_step(p, u, r) != PITH_OK)
            return p->c->status;
        if (u->reference < 0 && strcmp(r->family, "float") == 0 && pithp_done(r))
            u->reference = lab->n;
        lab->n++;
    }
    return p->c->status;
}

/* ---- A plain training: args.json and a log ----------------------------------------------------------------- */
/* "pith train --data PetImages --epochs 40": what args.json holds, as one would type it. */
static const char *command_of(pithp_pool *p, const char *verb, json_t *options)
{
    const char *key, *text = pithp_pool_text(p, "pith %s", verb);
    json_t *v;
    json_object_foreach(options, key, v)
    {
        const char *s = json_string_value(v);
        if (text == NULL)
            break;
        if (s != NULL && s[0] != 0)
            text =
                pithp_pool_text(p, strpbrk(s, " '\"*$&;()|<>") ? "%s --%s '%s'" : "%s --%s %s", text, key, s);
        else if (json_is_true(v))
            text = pithp_pool_text(p, "%s --%s", text, key);
        else if (json_is_number(v) && json_number_value(v) != 0)
            text = pithp_pool_text(p, "%s --%s %.9g", text, key, json_number_value(v));
    }
    return text;
}

static void take_args(pithp_pool *p, pithp_run *u, const pithp_object *args)
{
    const char *verb;
    json_t *v;
    u->version = pithp_get_text(args, "pith");
    json_object_foreach(args->j, verb, v)
    {
        if (!json_is_object(v))
            continue;
        pithp_object o = pithp_get_object(args, verb);
        u->command = command_of(p, verb, v);
        u->data = pithp_get_text(&o, "data");
        u->model = pithp_get_text(&o, "model");
        u->seed = pithp_get_number(&o, "seed", 0, 2e19);
        u->threads = pithp_get_count(&o, "threads");
        break;
    }
}

static void from_curve(pithp_result *r)
{
    const pithp_curve *k = &r->curve;
    for (int i = 0; i < k->n; i++)
        if (!isnan(k->epoch[i].val_accuracy))
            r->accuracy = k->epoch[i].val_accuracy;
    if (k->n > 0) {
        r->epochs = k->epoch[k->n - 1].epoch;
        r->seconds = k->epoch[k->n - 1].seconds;
    }
}

static pith_status read_plain(pithp_pool *p, pithp_lab *lab, int run)
{
    pithp_run *u = &lab->run[run];
    pithp_object args;
    pith_status s = pithp_read_object(p, u->dir, "args.json", &args);
    pithp_result *r = s == PITH_OK ? new_result(p, lab, run) : NULL;
    if (r == NULL)
        return p->c->status;
    take_args(p, u, &args);
    r->id = u->name;
    r->dir = u->dir;
    if (p->c->status != PITH_OK || read_step(p, u, r) != PITH_OK)
        return p->c->status;
    if (args.j == NULL && r->curve.n == 0 && r->val.n == 0 && strcmp(r->status, "running") == 0)
        return pithp_error(
            p->c, PITH_ENOTFOUND,
            "%s: no run folder; lab.json (of pith lab) or args.json and log.jsonl (of pith train) are "
            "expected in it",
            u->dir);
    if (strcmp(r->status, "running") == 0)
        r->status = "done";
    if (isnan(r->accuracy))
        from_curve(r);
    lab->n++;
    return PITH_OK;
}

/* ---- A run ----------------------------------------------------------------------------------------------- */
static void take_classes(pithp_pool *p, pithp_run *u, const pithp_object *o)
{
    json_t *list = pithp_get_array(o, "classes", PITHP_CLASSES);
    int n = (int)json_array_size(list);
    u->class_name = PITHP_POOL_N(p, const char *, n);
    for (int i = 0; i < n && u->class_name != NULL; i++) {
        const char *s = json_string_value(json_array_get(list, (size_t)i));
        if (s == NULL)
            pithp_error(p->c, PITH_EFORMAT, "%s: \"classes\": a list of texts is expected", o->path);
        u->class_name[i] = s != NULL ? s : "";
        u->classes = i + 1;
    }
}

static void take_lab(pithp_pool *p, pithp_run *u, const pithp_object *o)
{
    pithp_object answer = pithp_get_object(o, "answer");
    u->lab = true;
    u->version = pithp_get_text(o, "pith");
    u->command = pithp_get_text(o, "command");
    u->cpu = pithp_get_text(o, "cpu");
    u->started = pithp_get_text(o, "started");
    u->data = pithp_get_text(o, "data");
    u->model = pithp_get_text(o, "model");
    u->seed = pithp_get_number(o, "seed", 0, 2e19);
    u->threads = pithp_get_count(o, "threads");
    u->seconds = pithp_get_number(o, "seconds", 0, 1e12);
    u->width = pithp_get_number(o, "width", 0, 1e6);
    u->depth = pithp_get_number(o, "depth", 0, 1e6);
    u->image_size = pithp_get_number(o, "image_size", 0, 1e6);
    u->budget = pithp_get_number(o, "budget_minutes", 0, 1e9);
    u->n_train = pithp_get_count(o, "n_train");
    u->n_val = pithp_get_count(o, "n_val");
    u->answer = pithp_get_text(&answer, "text");
    u->smallest = pithp_get_text(&answer, "smallest_within");
    u->fastest = pithp_get_text(&answer, "fastest_within");
    u->points = pithp_get_number(&answer, "points", 0, 100);
    take_classes(p, u, o);
}

/* The folder's own name, whatever slashes and dots stand behind it. */
static const char *base_name(pithp_pool *p, const char *path)
{
    size_t n = strlen(path);
    while (n > 1 && (path[n - 1] == '/' || (path[n - 1] == '.' && path[n - 2] == '/')))
        n--;
    size_t from = n;
    while (from > 0 && path[from - 1] != '/')
        from--;
    return pithp_pool_text(p, "%.*s", (int)(n - from), path + from);
}

static pith_status read_run(pithp_pool *p, pithp_lab *lab, const char *dir)
{
    struct stat st;
    int at = lab->n_runs++;
    pithp_run *u = &lab->run[at];
    pithp_object o;
    *u = (pithp_run){ .dir = dir,
                      .name = base_name(p, dir),
                      .reference = -1,
                      .version = "",
                      .command = "",
                      .cpu = "",
                      .started = "",
                      .data = "",
                      .model = "",
                      .answer = "",
                      .smallest = "",
                      .fastest = "",
                      .seed = NAN,
                      .threads = NAN,
                      .seconds = NAN,
                      .width = NAN,
                      .depth = NAN,
                      .image_size = NAN,
                      .budget = NAN,
                      .n_train = NAN,
                      .n_val = NAN,
                      .points = NAN };
    if (u->name == NULL)
        return PITH_ENOMEM;
    if (stat(dir, &st) != 0 || !S_ISDIR(st.st_mode))
        return pithp_error(p->c, PITH_ENOTFOUND, "%s: no such folder; the folder of a run is expected", dir);
    if (pithp_read_object(p, dir, "lab.json", &o) != PITH_OK)
        return p->c->status;
    if (o.j == NULL)
        return read_plain(p, lab, at);
    take_lab(p, u, &o);
    return p->c->status != PITH_OK ? p->c->status : read_steps(p, lab, at, &o);
}

/* The same images in the same order, or steps cannot be compared image by image. */
static pith_status check_order(pithp_pool *p, const pithp_lab *lab)
{
    for (int i = 0; i < lab->n; i++) {
        const pithp_result *r = &lab->result[i];
        const int at = lab->run[r->run].reference;
        const pithp_answers *a = &r->val, *b = at < 0 ? NULL : &lab->result[at].val;
        if (a->n == 0 || b == NULL || b->n == 0)
            continue;
        for (int64_t k = 0; k < PITHP_MAX(a->n, b->n); k++)
            if (k >= a->n || k >= b->n || strcmp(a->path[k], b->path[k]) != 0 || a->label[k] != b->label[k])
                return pithp_error(
                    p->c, PITH_EFORMAT,
                    "%s/val.csv: line %lld: the images and labels of %s/val.csv are expected, in its order",
                    r->dir, (long long)k + 2, lab->result[at].dir);
    }
    return PITH_OK;
}

/* What steps did not say of McNemar's test, their answers do. */
static void compare(pithp_lab *lab)
{
    for (int i = 0; i < lab->n; i++) {
        pithp_result *r = &lab->result[i];
        const int at = lab->run[r->run].reference;
        if (at < 0 || at == i || !isnan(r->p) || r->val.n == 0 || lab->result[at].val.n == 0)
            continue;
        const pithp_answers *a = &r->val, *b = &lab->result[at].val;
        r->only_float = r->only_this = 0;
        for (int64_t k = 0; k < a->n; k++) {
            bool here = a->predicted[k] == a->label[k], there = b->predicted[k] == b->label[k];
            r->only_float += there && !here;
            r->only_this += here && !there;
        }
        r->p = pith_mcnemar((int64_t)r->only_float, (int64_t)r->only_this);
    }
}

pith_status pithp_lab_read(pithp_pool *p, const char *const *runs, int n, pithp_lab *lab)
{
    *lab = (pithp_lab){ 0 };
    if (n < 1 || n > PITHP_RUNS)
        return pithp_error(p->c, PITH_EINVAL, "report: %d runs; 1 to %d are expected", n, (int)PITHP_RUNS);
    if ((lab->result = PITHP_POOL_N(p, pithp_result, PITHP_STEPS)) == NULL)
        return PITH_ENOMEM;
    for (int i = 0; i < n; i++)
        if (read_run(p, lab, runs[i]) != PITH_OK)
            return p->c->status;
    for (int i = 0; i < lab->n; i++) {
        pithp_result *r = &lab->result[i];
        const pithp_run *u = &lab->run[r->run];
        r->label = n > 1 && u->lab ? pithp_pool_text(p, "%s/%s", u->name, r->id) : r->id;
        if (r->label == NULL)
            return PITH_ENOMEM;
    }
    if (check_order(p, lab) != PITH_OK)
        return p->c->status;
    compare(lab);
    return PITH_OK;
}
