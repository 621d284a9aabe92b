/* report/read_log.c: log.jsonl as trainings write it. */
#include "report/run.h"
#include "file/json.h"

#include <math.h>
#include <string.h>

static void take(pithp_curve *k, const pithp_object *o)
{
    const char *event = pithp_get_text(o, "event");
    double epoch = pithp_get_number(o, "epoch", 0, 1e9);
    if (strcmp(event, "resume") == 0 && k->n > 0)
        k->resume[k->n_resumes++] = k->epoch[k->n - 1].epoch; /* after what the log has of it */
    if (strcmp(event, "epoch") != 0 || isnan(epoch))
        return;
    k->epoch[k->n++] = (pithp_epoch){ .epoch = epoch,
                                      .loss = pithp_get_number(o, "loss", -1e300, 1e300),
                                      .accuracy = pithp_get_number(o, "accuracy", 0, 1),
                                      .val_loss = pithp_get_number(o, "val_loss", -1e300, 1e300),
                                      .val_accuracy = pithp_get_number(o, "val_accuracy", 0, 1),
                                      .lr = pithp_get_number(o, "lr", 0, 1e9),
                                      .img_per_s = pithp_get_number(o, "img_per_s", 0, 1e12),
                                      .seconds = pithp_get_number(o, "seconds", 0, 1e12) };
}

/* What stands behind the last line's end was being written: a training may be running. */
pith_status pithp_read_curve(pithp_pool *p, const char *dir, pithp_curve *k)
{
    pithp_object o = { .pool = p, .inside = "" };
    const char *path;
    char *text, *end;
    size_t n, lines = 0;
    *k = (pithp_curve){ 0 };
    pith_status s = pithp_read_text(p, dir, "log.jsonl", &path, &text, &n);
    if (s != PITH_OK || text == NULL)
        return s;
    for (size_t i = 0; i < n; i++)
        lines += text[i] == '\n';
    if (lines > 1000000)
        return pithp_error(p->c, PITH_EFORMAT, "%s: more than a million lines; expected one an epoch", path);
    k->epoch = PITHP_POOL_N(p, pithp_epoch, lines);
    k->resume = PITHP_POOL_N(p, double, lines);
    char *where = pithp_pool_take(p, strlen(path) + 32, 1);
    if (k->epoch == NULL || k->resume == NULL || where == NULL)
        return PITH_ENOMEM;
    o.path = where;
    for (size_t line = 1; line <= lines; line++, text = end + 1) {
        end = strchr(text, '\n');
        snprintf(where, strlen(path) + 32, "%s: line %zu", path, line);
        if (end == NULL)
            return pithp_error(p->c, PITH_EFORMAT, "%s: a zero byte; expected JSON", where);
        s = pithp_json_parse(p->c, where, text, (size_t)(end - text), &o.j);
        if (s == PITH_OK && !json_is_object(o.j))
            s = pithp_error(p->c, PITH_EFORMAT, "%s: a JSON object is expected", where);
        if (s == PITH_OK)
            take(k, &o);
        json_decref(o.j);
        if (p->c->status != PITH_OK)
            return p->c->status;
    }
    return s;
}
