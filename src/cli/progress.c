/* Progress: one living line on a terminal, plain lines elsewhere and on a dumb one (a line an epoch, and at most one every half
   minute). There are no colours, so NO_COLOR has nothing to switch off. */
#include "cli/cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void progress_open(progress_view *v, bool quiet)
{
    const char *term = getenv("TERM");
    bool living = isatty(STDERR_FILENO) && (term == NULL || strcmp(term, "dumb") != 0);
    *v = (progress_view){ .terminal = living, .quiet = quiet, .last = now() };
}

/* Replaces the living line. */
static void show(progress_view *v, const char *line)
{
    int n = (int)strlen(line);
    fprintf(stderr, "\r%s%*s", line, v->width > n ? v->width - n : 0, "");
    fflush(stderr);
    v->width = n;
}

static void clear(progress_view *v)
{
    if (v->width > 0)
        fprintf(stderr, "\r%*s\r", v->width, "");
    v->width = 0;
}

void progress_close(progress_view *v) { clear(v); }

void duration_text(double seconds, char buf[24])
{
    long s = seconds > 0 && seconds < 1e7 ? lround(seconds) : 0;
    if (s >= 3600)
        snprintf(buf, 24, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(buf, 24, "%ld:%02ld", s / 60, s % 60);
}

static void bar(double share, char buf[32])
{
    int full = (int)lround(20 * (share < 0 ? 0 : share > 1 ? 1 : share));
    buf[0] = '[';
    for (int i = 0; i < 20; i++)
        buf[1 + i] = i < full ? '#' : '.';
    memcpy(buf + 21, "]", 2);
}

static void step(progress_view *v, const pith_progress *p)
{
    char line[200], left[24], b[32];
    double t = now();
    if (t - v->last < (v->terminal ? 0.1 : 30))
        return;
    v->last = t;
    duration_text(p->eta_seconds, left);
    bar((double)p->step / (double)(p->steps > 0 ? p->steps : 1), b);
    snprintf(line, sizeof line,
             "epoch %d/%d %s %lld/%lld  %.0f img/s  loss %.4f  accuracy %.1f%%  lr %.2g  left %s", p->epoch,
             p->epochs, v->terminal ? b : "", (long long)p->step, (long long)p->steps, p->img_per_s, p->loss,
             100 * p->accuracy, p->lr, left);
    if (v->terminal)
        show(v, line);
    else
        fprintf(stderr, "%s\n", line);
}

static void epoch(progress_view *v, const pith_progress *p)
{
    char took[24], left[24];
    duration_text(p->seconds, took);
    duration_text(p->eta_seconds, left);
    clear(v);
    fprintf(stderr, "epoch %d/%d  %.0f img/s  loss %.4f  accuracy %.2f%%", p->epoch, p->epochs, p->img_per_s,
            p->loss, 100 * p->accuracy);
    if (!isnan(p->val_accuracy))
        fprintf(stderr, "  validation: loss %.4f  accuracy %.2f%%", p->val_loss, 100 * p->val_accuracy);
    fprintf(stderr, "  lr %.2g  %s  left %s\n", p->lr, took, left);
    v->last = now();
}

void progress_fit(void *view, const pith_progress *p)
{
    progress_view *v = view;
    if (p->event == 'n') {
        clear(v);
        say("%s", p->text);
    }
    if (v->quiet)
        return;
    if (p->event == 'm')
        fprintf(stderr, "%s\n", p->text);
    if (p->event == 's')
        step(v, p);
    if (p->event == 'e')
        epoch(v, p);
}

void progress_count(progress_view *v, const char *what, int64_t done, int64_t total)
{
    char line[160], b[32];
    double t = now();
    if (v->quiet || (t - v->last < (v->terminal ? 0.1 : 10) && done != total))
        return;
    v->last = t;
    bar((double)done / (double)(total > 0 ? total : 1), b);
    snprintf(line, sizeof line, "%s %s %lld/%lld", what, b, (long long)done, (long long)total);
    if (v->terminal)
        show(v, line);
    else
        fprintf(stderr, "%s\n", line);
}

void progress_line(progress_view *v, const char *line)
{
    double t = now();
    if (v->quiet || t - v->last < (v->terminal ? 0.1 : 30))
        return;
    v->last = t;
    if (v->terminal)
        show(v, line);
    else
        fprintf(stderr, "%s\n", line);
}
