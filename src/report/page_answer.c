/* report/page_answer.c: what a reader wants to know first. */
#include "report/page.h"

#include <math.h>
#include <string.h>

/* "3.9 times smaller than float" */
static void ratio(pithp_page *g, double reference, double here, const char *more, const char *less)
{
    double times = reference / here;
    if (!isfinite(times) || here <= 0)
        return;
    if (fabs(times - 1) < 0.005)
        fputs(" <span class=\"soft\">as float</span>", g->f);
    else
        fprintf(g->f, " <span class=\"soft\">%s&times; %s</span>",
                pithp_digits(times > 1 ? times : 1 / times, 2).s, times > 1 ? more : less);
}

static void fact(pithp_page *g, const char *name, const char *value)
{
    fprintf(g->f, "<dt>%s</dt><dd>%s", name, value);
}

static void card(pithp_page *g, const char *head, const pithp_result *r, const pithp_result *reference)
{
    bool own = reference == NULL || reference == r;
    fputs("<article class=\"card\"><h3>", g->f);
    pithp_put(g, head);
    fputs("</h3><p class=\"method\">", g->f);
    pithp_put(g, r->title);
    fprintf(g->f, "</p><p class=\"big\">%s</p>", pithp_percent(r->accuracy, 2).s);
    if (isfinite(r->low) && isfinite(r->high))
        fprintf(g->f, "<p class=\"soft\">95%% interval %s to %s</p>", pithp_percent(r->low, 1).s,
                pithp_percent(r->high, 1).s);
    fputs("<dl>", g->f);
    double size = own && isfinite(r->file) ? r->file : pithp_least_bytes(r);
    if (isfinite(size)) {
        fact(g, "size", pithp_bytes(size).s);
        if (!own)
            ratio(g, isfinite(reference->file) ? reference->file : pithp_least_bytes(reference),
                  pithp_least_bytes(r), "smaller", "larger");
        fputs("</dd>", g->f);
    }
    if (isfinite(r->latency)) {
        fact(g, "latency", pithp_digits(r->latency, 3).s);
        fputs(" ms", g->f);
        if (!own)
            ratio(g, reference->latency, r->latency, "faster", "slower");
        fputs("</dd>", g->f);
    }
    if (isfinite(r->arena)) {
        fact(g, "RAM", pithp_bytes(r->arena).s);
        fputs("</dd>", g->f);
    }
    if (!own && isfinite(r->p)) {
        fact(g, "against float", "");
        fprintf(g->f, "%+.2f points</dd>", 100 * (r->accuracy - reference->accuracy));
        fact(g, "McNemar p", pithp_p_value(r->p).s);
        fputs("</dd>", g->f);
    }
    fputs("</dl></article>\n", g->f);
}

/* The sentence, where the run does not bring one. */
static void sentence(pithp_page *g, const pithp_run *u, const pithp_result *f, const pithp_result *small,
                     const pithp_result *fast)
{
    if (u->answer[0] != 0) {
        pithp_lead(g, "%s", u->answer);
        return;
    }
    if (small != NULL && small != f) {
        double saved = (isfinite(f->file) ? f->file : pithp_least_bytes(f)) / pithp_least_bytes(small);
        pithp_lead(g,
                   "\xe2\x80\x9c%s\xe2\x80\x9d is the smallest within %g point%s of float: %s instead of %s, "
                   "%s times smaller, "
                   "at %s accuracy against %s.",
                   small->title, pithp_points(u), pithp_points(u) == 1 ? "" : "s",
                   pithp_bytes(pithp_least_bytes(small)).s,
                   pithp_bytes(isfinite(f->file) ? f->file : pithp_least_bytes(f)).s,
                   pithp_digits(saved, 2).s, pithp_percent(small->accuracy, 2).s,
                   pithp_percent(f->accuracy, 2).s);
    } else {
        pithp_lead(g, "No method is smaller than float and within its allowance of accuracy.");
    }
    if (fast != NULL && fast != f && fast != small)
        pithp_lead(g, "\xe2\x80\x9c%s\xe2\x80\x9d is the fastest of them: %s ms an image instead of %s.",
                   fast->title, pithp_digits(fast->latency, 3).s, pithp_digits(f->latency, 3).s);
}

/* What the tests support, after Holm's correction for their number. */
static void verdict(pithp_page *g, int run)
{
    const pithp_lab *lab = g->lab;
    double p[PITHP_STEPS] = { 0 }, adjusted[PITHP_STEPS] = { 0 };
    int tests = 0, worse = 0, better = 0;
    for (int i = 0; i < lab->n; i++) {
        const pithp_result *r = &lab->result[i];
        bool counts = r->run == run && i != lab->run[run].reference && pithp_done(r);
        p[i] = counts ? r->p : (double)NAN;
        tests += !isnan(p[i]);
    }
    pithp_holm(p, lab->n, adjusted);
    for (int i = 0; i < lab->n; i++)
        if (adjusted[i] < 0.05) {
            worse += lab->result[i].only_float > lab->result[i].only_this;
            better += lab->result[i].only_float < lab->result[i].only_this;
        }
    if (tests > 0)
        pithp_note(g,
                   "Of %d methods compared with float on the same images, %d %s shown to be worse and %d to "
                   "be better; for "
                   "the others these images show no difference (exact McNemar tests at 5%%, Holm's "
                   "correction for %d tests).",
                   tests, worse, worse == 1 ? "is" : "are", better, tests);
}

static void one_run(pithp_page *g, int run)
{
    char text[96];
    const pithp_lab *lab = g->lab;
    const pithp_run *u = &lab->run[run];
    const pithp_result *f = u->reference < 0 ? NULL : &lab->result[u->reference];
    int small = pithp_smallest(lab, run), fast = pithp_fastest(lab, run);
    if (lab->n_runs > 1) {
        fputs("<h3 class=\"run\">", g->f);
        pithp_put(g, u->name);
        fputs("</h3>\n", g->f);
    }
    if (f == NULL) {
        if (u->answer[0] != 0)
            pithp_lead(g, "%s", u->answer);
        return;
    }
    sentence(g, u, f, small < 0 ? NULL : &lab->result[small], fast < 0 ? NULL : &lab->result[fast]);
    fputs("<div class=\"cards\">\n", g->f);
    card(g, "Float, the yardstick", f, NULL);
    const char *points = pithp_points(u) == 1 ? "" : "s";
    if (small >= 0 && small != u->reference) {
        snprintf(text, sizeof text,
                 small == fast ? "Smallest and fastest within %g point%s" : "Smallest within %g point%s",
                 pithp_points(u), points);
        card(g, text, &lab->result[small], f);
    }
    if (fast >= 0 && fast != small && fast != u->reference) {
        snprintf(text, sizeof text, "Fastest within %g point%s", pithp_points(u), points);
        card(g, text, &lab->result[fast], f);
    }
    fputs("</div>\n", g->f);
    verdict(g, run);
}

/* A training by itself: its accuracy is the answer. */
static void trainings(pithp_page *g)
{
    fputs("<div class=\"cards\">\n", g->f);
    for (int i = 0; i < g->lab->n; i++) {
        const pithp_result *r = &g->lab->result[i];
        if (!g->lab->run[r->run].lab && isfinite(r->accuracy))
            card(g, "Trained", r, NULL);
    }
    fputs("</div>\n", g->f);
}

void pithp_page_answer(pithp_page *g)
{
    bool any = false, plain = false;
    for (int k = 0; k < g->lab->n_runs; k++)
        any |= g->lab->run[k].lab && (g->lab->run[k].reference >= 0 || g->lab->run[k].answer[0] != 0);
    for (int i = 0; i < g->lab->n; i++)
        plain |= !g->lab->run[g->lab->result[i].run].lab && isfinite(g->lab->result[i].accuracy);
    if (!any && !plain)
        return;
    pithp_section(g, "answer", "Answer", "The answer");
    for (int k = 0; k < g->lab->n_runs; k++)
        if (g->lab->run[k].lab)
            one_run(g, k);
    if (plain)
        trainings(g);
}
