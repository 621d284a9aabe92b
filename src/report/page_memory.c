/* report/page_memory.c: the arena while one image is classed: which tensor lies where, and when. */
#include "report/page.h"

#include <math.h>
#include <string.h>

static void slots(const pithp_sheet *s, const pithp_result *r)
{
    for (int k = 0; k < r->n_slots; k++) {
        const pithp_slot *m = &r->slot[k];
        double x0, x1, y0, y1;
        if (!pithp_axis_place(&s->x, m->from, &x0) || !pithp_axis_place(&s->x, m->to + 1, &x1) ||
            !pithp_axis_place(&s->y, m->offset / 1024, &y0) ||
            !pithp_axis_place(&s->y, (m->offset + m->bytes) / 1024, &y1))
            continue;
        fputs("<g class=\"pt\" tabindex=\"0\"><title>", s->f);
        pithp_xml_text(s->f, m->name);
        fprintf(s->f, "\n%s at %s, ", pithp_bytes(m->bytes).s, pithp_bytes(m->offset).s);
        if (m->from < 0)
            fputs("there before the first step, ", s->f);
        fprintf(s->f,
                "steps %.0f to %.0f</title><rect class=\"slot s%d\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
                "height=\"%.1f\" rx=\"2\"/></g>\n",
                fmax(m->from, 0), fmax(m->to, 0), k % 4, x0 + 0.5, y1, fmax(x1 - x0 - 1, 1),
                fmax(y0 - y1 - 0.5, 0.8));
    }
}

static void draw(pithp_page *g, const pithp_paper *paper, const void *user)
{
    const pithp_result *r = user;
    pithp_sheet s = { .f = paper->f, .x_label = "step of the plan", .y_label = "address (KB)" };
    double y;
    s.x = s.y = (pithp_axis){ .low = INFINITY, .high = -INFINITY };
    pithp_axis_take(&s.y, 0);
    for (int k = 0; k < r->n_slots; k++) {
        pithp_axis_take(&s.x, r->slot[k].from);
        pithp_axis_take(&s.x, r->slot[k].to + 1);
        pithp_axis_take(&s.y, (r->slot[k].offset + r->slot[k].bytes) / 1024);
    }
    pithp_axis_take(&s.y, r->plan / 1024);
    pithp_sheet_lay(&s, paper->width, paper->height, 14, 14);
    pithp_sheet_axes(&s);
    slots(&s, r);
    if (pithp_axis_place(&s.y, r->plan / 1024, &y)) {
        char text[80];
        snprintf(text, sizeof text, "arena: %s", pithp_bytes(r->plan).s);
        fprintf(s.f, "<path class=\"limit\" d=\"M%.1f %.1fH%.1f\"/>", s.left, y, s.right);
        pithp_text_at(s.f, s.right - 4, y - 5, "name", "end", text);
    }
    (void)g;
}

static bool same(const pithp_result *a, const pithp_result *b)
{
    bool equal = a->n_slots == b->n_slots;
    for (int k = 0; k < a->n_slots && equal; k++)
        equal = a->slot[k].bytes == b->slot[k].bytes && a->slot[k].offset == b->slot[k].offset &&
                a->slot[k].from == b->slot[k].from && a->slot[k].to == b->slot[k].to;
    return equal;
}

/* Quantized ways of one network have one plan: it is shown once. */
void pithp_page_memory(pithp_page *g)
{
    bool any = false;
    for (int i = 0; i < g->lab->n; i++) {
        const pithp_result *r = &g->lab->result[i];
        bool shown = r->n_slots == 0;
        for (int k = 0; k < i && !shown; k++)
            shown = same(r, &g->lab->result[k]);
        if (shown)
            continue;
        if (!any) {
            pithp_section(g, "memory", "Memory", "Memory, step by step");
            pithp_note(g, "Each block is a tensor: where it lies in the arena, and from which step of the "
                          "plan to which it is needed. What "
                          "is not needed any more makes room.");
        }
        any = true;
        fputs("<h3>", g->f);
        pithp_put(g, r->title);
        for (int k = i + 1; k < g->lab->n; k++)
            if (same(r, &g->lab->result[k]) && k < i + 6) {
                fputs(", ", g->f);
                pithp_put(g, g->lab->result[k].title);
            }
        fputs("</h3>\n", g->f);
        pithp_chart_put(g, (pithp_chart){ "Memory plan", 1000, 300, 360, 260 }, draw, r);
        FILE *f = pithp_figure_open(g, "memory-%s", r->label);
        pithp_csv_row(f, "sssss", "name", "bytes", "offset", "from_step", "to_step");
        for (int k = 0; k < r->n_slots; k++)
            pithp_csv_row(f, "snnnn", r->slot[k].name, r->slot[k].bytes, r->slot[k].offset, r->slot[k].from,
                          r->slot[k].to);
    }
}
