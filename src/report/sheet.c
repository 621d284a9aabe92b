/* report/sheet.c: text and axes of pictures in SVG. */
#include "report/sheet.h"

#include <string.h>

/* ---- Text ------------------------------------------------------------------------------------------------ */
/* Bytes that are no UTF-8, and control characters, become '?'; what has a meaning in XML is escaped. */
void pithp_xml_text(FILE *f, const char *s)
{
    while (*s) {
        const unsigned char c = (unsigned char)*s;
        int more = c < 0x80                ? 0
                   : c >= 0xC2 && c < 0xE0 ? 1
                   : (c & 0xF0) == 0xE0    ? 2
                   : c >= 0xF0 && c < 0xF5 ? 3
                                           : -1;
        for (int i = 1; i <= more; i++)
            if ((s[i] & 0xC0) != 0x80)
                more = -1;
        if (more < 0 || (more == 0 && c < 32)) {
            fputc('?', f);
            s++;
            continue;
        }
        if (more == 0 && strchr("&<>\"", c) != NULL)
            fputs(c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : "&quot;", f);
        else
            fwrite(s, 1, (size_t)more + 1, f);
        s += more + 1;
    }
}

void pithp_text_at(FILE *f, double x, double y, const char *class, const char *anchor, const char *s)
{
    fprintf(f, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", class, x, y, anchor);
    pithp_xml_text(f, s);
    fputs("</text>\n", f);
}

double pithp_text_width(const char *s, double size)
{
    double n = 0;
    for (; *s; s++)
        n += (*s & 0xC0) != 0x80;
    return 0.56 * size * n;
}

/* ---- Axes ------------------------------------------------------------------------------------------------ */
void pithp_sheet_lay(pithp_sheet *s, double width, double height, double head, double tail)
{
    double widest = 0;
    s->top = head;
    s->bottom = height - (s->x_label != NULL ? 50 : 30);
    s->right = width - tail;
    pithp_axis_set(&s->y, s->bottom, s->top - s->bottom, PITHP_MAX((int)(s->bottom - s->top) / 55, 2), true);
    for (int i = 0; i < s->y.n_ticks; i++)
        widest = PITHP_MAX(widest, pithp_text_width(s->y.tick[i].text, 11));
    s->left = (s->y_label != NULL ? 26 : 6) + 12 + widest;
    pithp_axis_set(&s->x, s->left, s->right - s->left, PITHP_MAX((int)(s->right - s->left) / 80, 2), false);
}

void pithp_sheet_axes(const pithp_sheet *s)
{
    FILE *f = s->f;
    fputs("<path class=\"pp-grid\" d=\"", f);
    for (int i = 0; i < s->y.n_ticks; i++)
        if (!s->y.tick[i].minor)
            fprintf(f, "M%.1f %.1fH%.1f", s->left, s->y.tick[i].position, s->right);
    for (int i = 0; i < s->x.n_ticks; i++)
        if (!s->x.tick[i].minor)
            fprintf(f, "M%.1f %.1fV%.1f", s->x.tick[i].position, s->top, s->bottom);
    fputs("\"/>\n<path class=\"pp-axis\" d=\"", f);
    fprintf(f, "M%.1f %.1fV%.1fH%.1f", s->left, s->top, s->bottom, s->right);
    for (int i = 0; i < s->x.n_ticks; i++)
        fprintf(f, "M%.1f %.1fv%d", s->x.tick[i].position, s->bottom, s->x.tick[i].minor ? 3 : 5);
    for (int i = 0; i < s->y.n_ticks; i++)
        fprintf(f, "M%.1f %.1fh%d", s->left, s->y.tick[i].position, s->y.tick[i].minor ? -3 : -5);
    fputs("\"/>\n", f);
    for (int i = 0; i < s->x.n_ticks; i++)
        if (!s->x.tick[i].minor)
            pithp_text_at(f, s->x.tick[i].position, s->bottom + 18, "pp-tick", "middle", s->x.tick[i].text);
    for (int i = 0; i < s->y.n_ticks; i++)
        if (!s->y.tick[i].minor)
            pithp_text_at(f, s->left - 8, s->y.tick[i].position + 4, "pp-tick", "end", s->y.tick[i].text);
    if (s->x_label != NULL)
        pithp_text_at(f, (s->left + s->right) / 2, s->bottom + 38, "pp-label", "middle", s->x_label);
    if (s->y_label != NULL) {
        fprintf(
            f,
            "<text class=\"pp-label\" text-anchor=\"middle\" transform=\"translate(16 %.1f) rotate(-90)\">",
            (s->top + s->bottom) / 2);
        pithp_xml_text(f, s->y_label);
        fputs("</text>\n", f);
    }
}
