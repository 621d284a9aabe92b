/* Plots: ticks at round numbers, places where they belong, text that is XML, files whole or absent. */
#include "report/axis.h"
#include "suite.h"

#include <math.h>
#include <pith/ctx.h>
#include <pith/report.h>
#include <stdlib.h>
#include <string.h>

static pithp_axis axis(double low, double high, bool log, int wanted, bool rounded)
{
    pithp_axis a = { .log = log, .low = INFINITY, .high = -INFINITY };
    pithp_axis_take(&a, low);
    pithp_axis_take(&a, high);
    pithp_axis_set(&a, 100, 200, wanted, rounded);
    return a;
}

static void texts(const pithp_axis *a, const char *want)
{
    char all[400] = "";
    for (int i = 0; i < a->n_ticks; i++)
        if (!a->tick[i].minor)
            snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", all[0] ? " " : "", a->tick[i].text);
    ck_assert_str_eq(all, want);
}

START_TEST(linear_ticks)
{
    pithp_axis a = axis(0.13, 0.87, false, 5, true);
    texts(&a, "0.0 0.2 0.4 0.6 0.8 1.0");
    double p;
    ck_assert(pithp_axis_place(&a, 0.5, &p) && fabs(p - 200) < 1e-9);
    ck_assert(pithp_axis_place(&a, 0, &p) && fabs(p - 100) < 1e-9);
    ck_assert(!pithp_axis_place(&a, NAN, &p) && !pithp_axis_place(&a, INFINITY, &p));
    a = axis(0, 40, false, 6, false);
    texts(&a, "0 5 10 15 20 25 30 35 40");
    a = axis(-3, 3, false, 4, true);
    texts(&a, "-4 -2 0 2 4");
    a = axis(200000, 900000, false, 4, true);
    texts(&a, "2e5 4e5 6e5 8e5 1e6");
    a = axis(7, 7, false, 4, true); /* one value has a range, too */
    ck_assert(a.high > a.low && a.n_ticks >= 2);
}
END_TEST

START_TEST(logarithmic_ticks)
{
    pithp_axis a = axis(1e-5, 10, true, 8, false);
    texts(&a, "1e-5 1e-4 0.001 0.01 0.1 1 10");
    double p, q;
    ck_assert(pithp_axis_place(&a, 1e-2, &p) && fabs(p - 200) < 1e-9);
    ck_assert(!pithp_axis_place(&a, 0, &p) && !pithp_axis_place(&a, -1, &p));
    int minor = 0;
    for (int i = 0; i < a.n_ticks; i++)
        minor += a.tick[i].minor;
    ck_assert_int_eq(minor, 6 * 8);
    ck_assert(pithp_axis_place(&a, 2, &p) && pithp_axis_place(&a, 20, &q) && fabs(q - p - 200.0 / 6) < 1e-9);
    a = axis(0.3, 8, true, 8, false);
    texts(&a, "0.5 1 2 5");
    a = axis(1e-30, 1e30, true, 8, false);
    ck_assert(a.n_ticks >= 5 && a.n_ticks <= 12);
    a = axis(-5, 0, true, 8, false); /* nothing that has a place */
    ck_assert(a.high > a.low);
}
END_TEST

/* Tags that nest, attributes in quotes, no stray '<' or '&': what an XML reader would refuse. */
static void well_formed(const char *s)
{
    char open[32][16];
    int depth = 0;
    for (const char *p = s; *p; p++) {
        if (*p == '&')
            ck_assert_msg(!strncmp(p, "&amp;", 5) || !strncmp(p, "&lt;", 4) || !strncmp(p, "&gt;", 4) ||
                              !strncmp(p, "&quot;", 6),
                          "stray &: %.30s", p);
        ck_assert_msg((unsigned char)*p >= 32 || *p == '\n', "a control character");
        if (*p != '<')
            continue;
        const char *end = strchr(p, '>');
        ck_assert_msg(end != NULL && memchr(p + 1, '<', (size_t)(end - p - 1)) == NULL, "%.40s", p);
        int quotes = 0;
        for (const char *q = p; q < end; q++)
            quotes += *q == '"';
        ck_assert_int_eq(quotes % 2, 0);
        if (p[1] == '?') {
        } else if (p[1] == '/') {
            ck_assert_int_gt(depth, 0);
            size_t n = strlen(open[--depth]);
            ck_assert_msg(!strncmp(p + 2, open[depth], n) && p[2 + n] == '>', "%s closed by %.20s",
                          open[depth], p);
        } else if (end[-1] != '/') {
            ck_assert_int_lt(depth, 32);
            snprintf(open[depth++], sizeof open[0], "%.*s", (int)strcspn(p + 1, " >"), p + 1);
        }
        p = end;
    }
    ck_assert_int_eq(depth, 0);
}

static int count(const char *s, const char *what)
{
    int n = 0;
    for (; (s = strstr(s, what)) != NULL; s++)
        n++;
    return n;
}

START_TEST(a_plot)
{
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ 0 });
    double x[50], y[50], z[50];
    for (int i = 0; i < 50; i++) {
        x[i] = pow(10, -3 + i * 0.1);
        y[i] = i == 20 ? NAN : sin(i * 0.2);
        z[i] = y[i] + 0.1;
    }
    const pith_plot_line lines[] = { { "a < b & \"c\"", x, y, 50, true, false },
                                     { "bad \xff utf-8 \xc3\xa9 \xe2\x82", x, z, 50, false, false },
                                     { NULL, x, z, 50, false, true } };
    const pith_plot_mark marks[] = { { 0.1, 0.5, "here" }, { -1, 0, "nowhere" } };
    pith_plot_cfg cfg = { .title = "T <1>", .x_label = "x", .y_label = "y\x01", .log_x = true };
    char *svg = pith_plot_svg(c, cfg, lines, 3, marks, 2);
    ck_assert_msg(svg != NULL, "%s", pith_error_text(c));
    well_formed(svg);
    ck_assert(!strncmp(svg, "<?xml", 5));
    ck_assert_ptr_nonnull(strstr(svg, "a &lt; b &amp; &quot;c&quot;"));
    ck_assert_ptr_nonnull(strstr(svg, "bad ? utf-8 \xc3\xa9 ??"));
    ck_assert_ptr_nonnull(strstr(svg, "y?"));
    ck_assert_ptr_nonnull(strstr(svg, "prefers-color-scheme: dark"));
    ck_assert_ptr_nonnull(strstr(svg, ">here<"));
    ck_assert_ptr_null(strstr(svg, "nowhere"));
    ck_assert_ptr_null(strstr(svg, "nan"));
    ck_assert_int_eq(count(svg, "<circle class=\"pp-p2\""), 49); /* the gap has no point */
    const char *d = strstr(svg, "url(#pp-area)\" d=\"");
    ck_assert_ptr_nonnull(d);
    d += strlen("url(#pp-area)\" d=\"");
    int moves = 0;
    for (const char *p = d; *p != '"'; p++)
        moves += *p == 'M';
    ck_assert_int_eq(moves, 2); /* before and after the gap */
    free(svg);
    cfg.inline_svg = true;
    svg = pith_plot_svg(c, cfg, lines, 3, NULL, 0);
    ck_assert(svg != NULL && !strncmp(svg, "<svg", 4));
    free(svg);
    pith_ctx_free(c);
}
END_TEST

START_TEST(refuses)
{
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ 0 });
    const double x[] = { 1, 2 }, bad[] = { NAN, INFINITY };
    pith_plot_line lines[9] = { { "a", x, x, 2, false, false } };
    for (int i = 1; i < 9; i++)
        lines[i] = lines[0];
    ck_assert_ptr_null(pith_plot_svg(c, (pith_plot_cfg){ .width = 10 }, lines, 1, NULL, 0));
    ck_assert_int_eq(pith_ctx_status(c), PITH_EINVAL);
    pith_ctx_clear(c);
    ck_assert_ptr_null(pith_plot_svg(c, (pith_plot_cfg){ 0 }, lines, 9, NULL, 0));
    pith_ctx_clear(c);
    ck_assert_ptr_null(pith_plot_svg(c, (pith_plot_cfg){ 0 }, lines, 0, NULL, 0));
    pith_ctx_clear(c);
    lines[0].y = bad;
    ck_assert_ptr_null(pith_plot_svg(c, (pith_plot_cfg){ 0 }, lines, 1, NULL, 0));
    ck_assert_ptr_nonnull(strstr(pith_error_text(c), "no point"));
    pith_ctx_clear(c);
    lines[0].y = x;
    ck_assert_int_ne(pith_plot_save(c, "/nowhere/at/all.svg", (pith_plot_cfg){ 0 }, lines, 1, NULL, 0),
                     PITH_OK);
    ck_assert_ptr_nonnull(strstr(pith_error_text(c), "/nowhere/at/all.svg"));
    pith_ctx_free(c);
}
END_TEST

START_TEST(table)
{
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ 0 });
    const struct {
        double a, b;
    } rows[] = { { 1, 0.1 }, { -2.5e-7, NAN }, { 3, 12345678 } };
    const pith_column columns[] = { { "a", &rows[0].a, sizeof rows[0] },
                                    { "b \"c\"", &rows[0].b, sizeof rows[0] } };
    char path[600], text[200];
    snprintf(path, sizeof path, "%s/t.csv", suite_dir());
    ck_assert_msg(pith_csv_save(c, path, columns, 2, 3) == PITH_OK, "%s", pith_error_text(c));
    FILE *f = fopen(path, "rb");
    ck_assert_ptr_nonnull(f);
    text[fread(text, 1, sizeof text - 1, f)] = 0;
    fclose(f);
    ck_assert_str_eq(text, "\"a\",\"b \"\"c\"\"\"\r\n1,0.1\r\n-2.5e-07,\r\n3,12345678\r\n");
    ck_assert_int_ne(pith_csv_save(c, "/nowhere/t.csv", columns, 2, 3), PITH_OK);
    pith_ctx_free(c);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("plot");
    suite_test(s, "linear", linear_ticks);
    suite_test(s, "logarithmic", logarithmic_ticks);
    suite_test(s, "plot", a_plot);
    suite_test(s, "refuses", refuses);
    suite_test(s, "table", table);
    return suite_run("plot", s);
}
