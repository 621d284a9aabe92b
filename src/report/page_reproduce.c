/* report/page_reproduce.c: how to get these numbers again. */
#include "report/page.h"

#include <math.h>

static void text_row(pithp_page *g, const char *name, const char *value)
{
    if (value[0] == 0)
        return;
    fprintf(g->f, "<tr><th scope=\"row\">%s</th><td>", name);
    pithp_put(g, value);
    fputs("</td></tr>\n", g->f);
}

static void facts(pithp_page *g, const pithp_run *u)
{
    char images[160] = "", net[300];
    if (isfinite(u->n_train) && isfinite(u->n_val))
        snprintf(images, sizeof images, "%s to train with, %s to validate", pithp_count_of(u->n_train).s,
                 pithp_count_of(u->n_val).s);
    int at = snprintf(net, sizeof net, "%.200s", u->model);
    if (isfinite(u->width) && u->width != 1 && u->width > 0)
        at += snprintf(net + at, sizeof net - (size_t)at, ", width %s", pithp_digits(u->width, 3).s);
    if (isfinite(u->depth) && u->depth != 1 && u->depth > 0)
        at += snprintf(net + at, sizeof net - (size_t)at, ", depth %s", pithp_digits(u->depth, 3).s);
    if (isfinite(u->image_size))
        snprintf(net + at, sizeof net - (size_t)at, ", %.0f x %.0f pixels", u->image_size, u->image_size);
    fputs("<div class=\"scroll\" tabindex=\"0\"><table class=\"facts\">\n", g->f);
    text_row(g, "network", net);
    text_row(g, "data", u->data);
    text_row(g, "images", images);
    text_row(g, "seed", pithp_digits(u->seed, 15).s);
    text_row(g, "pith", u->version);
    text_row(g, "processor", u->cpu);
    text_row(g, "threads", pithp_digits(u->threads, 3).s);
    text_row(g, "started", u->started);
    text_row(g, "took", pithp_seconds(u->seconds).s);
    fputs("</table></div>\n", g->f);
}

static void commands(pithp_page *g, int run)
{
    bool any = false;
    for (int i = 0; i < g->lab->n; i++) {
        const pithp_result *r = &g->lab->result[i];
        if (r->run != run || r->command[0] == 0)
            continue;
        if (!any)
            fputs("<details><summary>Each step by itself</summary>\n", g->f);
        any = true;
        fputs("<p class=\"step\">", g->f);
        pithp_put(g, r->title);
        fputs("</p><pre class=\"scroll\" tabindex=\"0\">", g->f);
        pithp_lines(g, r->command);
        fputs("</pre>\n", g->f);
    }
    if (any)
        fputs("</details>\n", g->f);
}

void pithp_page_reproduce(pithp_page *g)
{
    pithp_section(g, "reproduce", "Reproduce", "How to get these numbers again");
    for (int k = 0; k < g->lab->n_runs; k++) {
        const pithp_run *u = &g->lab->run[k];
        if (g->lab->n_runs > 1) {
            fputs("<h3 class=\"run\">", g->f);
            pithp_put(g, u->name);
            fputs("</h3>\n", g->f);
        }
        if (u->command[0] != 0) {
            fputs("<pre class=\"scroll\" tabindex=\"0\">", g->f);
            pithp_lines(g, u->command);
            fputs("</pre>\n", g->f);
        }
        facts(g, u);
        commands(g, k);
    }
    pithp_note(g, "The numbers behind every figure lie as CSV in the folder %s beside this page.", "figures");
}
