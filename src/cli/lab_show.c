/* What the lab tells: a line a step, the table, and the answer in a sentence. */
#include "cli/lab.h"

#include <math.h>
#include <string.h>

static double number(const lab *l, int i, const char *key, const char *inner)
{
    const json_t *j = json_object_get(l->step[i].result, key);
    if (inner != NULL)
        j = json_object_get(j, inner);
    return json_is_number(j) ? json_number_value(j) : (double)NAN;
}

static bool done(const lab *l, int i) { return l->step[i].chosen && strcmp(lab_status(l, i), "done") == 0; }

static int chosen_before(const lab *l, int i)
{
    int n = 0;
    for (int k = 0; k < i; k++)
        n += l->step[k].chosen;
    return n;
}

/* ---- While it runs ---- */
void lab_show_progress(lab *l, const pith_progress *p)
{
    char left[24], line[200];
    const lab_row *r = &l->rows[l->now];
    const double share =
        ((double)(p->epoch - 1) + (double)p->step / (double)(p->steps > 0 ? p->steps : 1)) / p->epochs;
    if (p->event != 's')
        return;
    duration_text(
        lab_left(l, isnan(p->eta_seconds) ? l->step[l->now].estimate * (1 - share) : p->eta_seconds), left);
    snprintf(line, sizeof line,
             "[%2d/%d] %-15s epoch %d/%d  %3.0f%%  %.0f img/s  loss %.3f   all of it: %s left",
             chosen_before(l, l->now) + 1, chosen_before(l, l->n), r->id, p->epoch, p->epochs, 100 * share,
             p->img_per_s, p->loss, left);
    progress_line(&l->view, line);
}

void lab_show_step(lab *l, int i)
{
    char took[24];
    const json_t *reason = json_object_get(l->step[i].result, "reason");
    if (l->view.quiet)
        return;
    progress_close(&l->view);
    fprintf(stderr, "[%2d/%d] %-15s ", chosen_before(l, i) + 1, chosen_before(l, l->n), l->rows[i].id);
    if (!done(l, i)) {
        fprintf(stderr, "%s: %s\n", lab_status(l, i), json_string_value(reason));
        return;
    }
    duration_text(number(l, i, "seconds", NULL), took);
    fprintf(stderr, "%6.2f%%  %8.1f KB  %s%s\n", 100 * number(l, i, "accuracy", NULL),
            number(l, i, "bytes", "file") / 1024, l->step[i].cached ? "cached" : took, "");
}

/* ---- The table ---- */
static void cell(FILE *to, const char *format, double v, int width)
{
    if (isnan(v))
        fprintf(to, " %*s", width, "-");
    else
        fprintf(to, format, v);
}

static void table_row(const lab *l, int i, FILE *to)
{
    const json_t *ci = json_object_get(l->step[i].result, "ci95");
    fprintf(to, "%-15s", l->rows[i].id);
    if (!done(l, i)) {
        fprintf(to, " %s: %s\n", lab_status(l, i),
                json_string_value(json_object_get(l->step[i].result, "reason")));
        return;
    }
    fprintf(to, " %6.2f%% (%5.2f-%6.2f)", 100 * number(l, i, "accuracy", NULL),
            100 * json_number_value(json_array_get(ci, 0)), 100 * json_number_value(json_array_get(ci, 1)));
    cell(to, " %6.3f", number(l, i, "mcnemar", "p"), 6);
    cell(to, " %8.1f", number(l, i, "bytes", "file") / 1024, 8);
    cell(to, " %8.1f", number(l, i, "bytes", "gzip") / 1024, 8);
    cell(to, " %8.1f", number(l, i, "bytes", "packed") / 1024, 8);
    cell(to, " %7.1f", number(l, i, "arena", NULL) / 1024, 7);
    cell(to, " %7.2f", number(l, i, "macs", NULL) / 1e6, 7);
    cell(to, " %7.2f", number(l, i, "latency_ms", NULL), 7);
    cell(to, " %7.0f", number(l, i, "images_per_s", NULL), 7);
    cell(to, " %8.4f", number(l, i, "energy_mj", "value"), 8);
    fprintf(to, " %4d\n", l->step[i].epochs);
}

void lab_show_table(const lab *l, FILE *to)
{
    fprintf(to, "%-15s %23s %6s %8s %8s %8s %7s %7s %7s %7s %8s %4s\n", "", "accuracy (95% interval)", "p",
            "file KB", "gzip KB", "pack KB", "RAM KB", "M macs", "ms", "img/s", "mJ est.", "ep.");
    for (int i = 0; i < l->n; i++)
        if (l->step[i].chosen)
            table_row(l, i, to);
}

/* ---- The answer ---- */
/* What ships: the file, or the packed model where that is smaller. */
static double ships(const lab *l, int i)
{
    return fmin(number(l, i, "bytes", "file"), number(l, i, "bytes", "packed"));
}

/* The least of what is at most so many points below float; -1: nothing. */
static int best(const lab *l, bool smallest)
{
    int at = -1;
    const double floor = number(l, 0, "accuracy", NULL) - l->points / 100 - 1e-12;
    for (int i = 0; i < l->n; i++) {
        if (!done(l, i) || !(number(l, i, "accuracy", NULL) >= floor))
            continue;
        const double is = smallest ? ships(l, i) : number(l, i, "latency_ms", NULL),
                     was = at < 0     ? INFINITY
                           : smallest ? ships(l, at)
                                      : number(l, at, "latency_ms", NULL);
        at = is < was ? i : at;
    }
    return at;
}

static int sentence(const lab *l, int i, bool smallest, char *text, size_t room)
{
    const double p = number(l, i, "mcnemar", "p");
    int n = snprintf(text, room, "the %s is %s (%s): %.2f%%, ", smallest ? "smallest" : "fastest",
                     l->rows[i].id, l->rows[i].title, 100 * number(l, i, "accuracy", NULL));
    if (smallest)
        n += snprintf(text + n, room - (size_t)n, "%.0f KB, %.1f times smaller", ships(l, i) / 1024,
                      number(l, 0, "bytes", "file") / ships(l, i));
    else
        n += snprintf(text + n, room - (size_t)n, "%.2f ms an image, %.1f times as fast",
                      number(l, i, "latency_ms", NULL),
                      number(l, 0, "latency_ms", NULL) / number(l, i, "latency_ms", NULL));
    if (i > 0 && !isnan(p))
        n += snprintf(text + n, room - (size_t)n,
                      p < 0.05 ? " (its answers differ from float's beyond chance, p %.3f)"
                               : " (no difference from float that chance would not make, p %.2f)",
                      p);
    return n;
}

json_t *lab_answer(const lab *l)
{
    char text[1024] = "";
    size_t n;
    if (!done(l, 0))
        return json_pack("{s:n, s:n, s:f, s:s}", "smallest_within", "fastest_within", "points", l->points,
                         "text", "The float network is not there: nothing can be compared.");
    const int small = best(l, true), fast = best(l, false);
    n = (size_t)snprintf(text, sizeof text, "Within %g point%s of float32's %.2f%% on %.0f images, ",
                         l->points, l->points == 1 ? "" : "s", 100 * number(l, 0, "accuracy", NULL),
                         number(l, 0, "n", NULL));
    n += (size_t)sentence(l, small, true, text + n, sizeof text - n);
    n += (size_t)snprintf(text + n, sizeof text - n, "; ");
    n += (size_t)sentence(l, fast, false, text + n, sizeof text - n);
    snprintf(text + n, sizeof text - n, ".");
    return json_pack("{s:s, s:s, s:f, s:s}", "smallest_within", l->rows[small].id, "fastest_within",
                     l->rows[fast].id, "points", l->points, "text", text);
}
