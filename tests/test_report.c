/* The report: what runs hold is what the page and the tables say; missing parts are left out. */
#include "report_dirs.h"

#include <math.h>
#include <pith/model.h>
#include <pith/stats.h>

/* ---- Help ------------------------------------------------------------------------------------------------ */
static int count(const char *s, const char *what)
{
    int n = 0;
    for (; (s = strstr(s, what)) != NULL; s++)
        n++;
    return n;
}

/* ---- The page -------------------------------------------------------------------------------------------- */
START_TEST(lab_page)
{
    const char *dir = new_dir("lab");
    ck_assert(report_fixture_lab(dir));
    char *page = page_of(dir);
    well_formed(page);
    ck_assert_uint_lt(strlen(page), 5 << 20);
    static const char *const sections[] = { "answer",    "table",       "trade",    "curves",
                                            "confusion", "calibration", "mistakes", "differ",
                                            "layers",    "histograms",  "memory",   "reproduce" };
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
        char id[64];
        snprintf(id, sizeof id, "<section id=\"%s\">", sections[i]);
        ck_assert_msg(count(page, id) == 1, "%s", id);
    }
    /* 9 mistakes, and those that float and int8 do not share, as pictures. */
    int differ = 0;
    for (int i = 0; i < FIXTURE_IMAGES; i++)
        differ += fixture_right(&fixture_steps[0], i) != fixture_right(&fixture_steps[3], i);
    ck_assert_int_gt(differ, 0);
    ck_assert_int_eq(count(page, "<img src=\"data:image/png;base64,iVBORw0KGgo"),
                     fixture_steps[0].wrong + differ);
    ck_assert_int_eq(count(page, ">float: "), differ);
    /* Each beside what was asked of it: within a point of float's 9 mistakes on 120 images, one more is not missed, two are. */
    int kept = 0, missed = 0;
    for (int k = 1; k < FIXTURE_STEPS; k++)
        if (strcmp(fixture_steps[k].status, "done") == 0)
            fixture_steps[k].wrong <= fixture_steps[0].wrong + 1 ? kept++ : missed++;
    ck_assert(kept > 0 && missed > 0);
    ck_assert_int_eq(count(page, "within 1 of float <b class=\"right\">kept</b>"), kept);
    ck_assert_int_eq(count(page, "within 1 of float <b class=\"wrong\">missed</b>"), missed);
    /* Layer by layer, in words that the headings have. */
    static const char *const charts[] = { "What rounding does, layer by layer", "What it costs at the output",
                                          "What has added up by then", "Weights that are zero" };
    for (size_t i = 0; i < sizeof charts / sizeof *charts; i++)
        ck_assert_msg(count(page, charts[i]) == 1, "%s", charts[i]);
    /* Texts of files are text: escaped, and the failed step says why. */
    ck_assert_ptr_nonnull(strstr(page, "half of the multiply-adds &lt;removed&gt; &amp; &quot;int8&quot;"));
    ck_assert_ptr_nonnull(
        strstr(page, "<b>failed</b>: channels: no group can be cut by 50% without &lt;emptying&gt; a layer"));
    ck_assert_ptr_null(strstr(page, "<removed>"));
    /* Numbers as people read them: 111 of 120 right; 1,498 KB. */
    ck_assert_ptr_nonnull(strstr(page, "92.50%"));
    ck_assert_ptr_nonnull(strstr(page, "1,498 KB"));
    ck_assert_ptr_nonnull(strstr(page, "21.2 M"));
    /* Within 1 point of 111 right are 110: of these prune-80 is the smallest. */
    ck_assert_ptr_nonnull(
        strstr(page, "\xe2\x80\x9c"
                     "80% of the weights pruned, int8\xe2\x80\x9d is the smallest within 1 point"));
    ck_assert_ptr_nonnull(strstr(page, "is the fastest of them"));
    /* No word of what would fetch something. */
    ck_assert_ptr_null(strstr(page, "http://"));
    ck_assert_ptr_null(strstr(page, "https://"));
    ck_assert_int_eq(count(page, "stopped and resumed after epoch 13"), 4); /* two figures, two widths */
    ck_assert_ptr_null(strstr(page, ">nan"));
    ck_assert_ptr_null(strstr(page, "\"nan"));
    free(page);
}
END_TEST

/* Figures' numbers are the inputs' own. */
START_TEST(lab_tables)
{
    const char *dir = new_dir("lab");
    char *table = slurp(path_in(dir, "figures/table.csv")),
         *curves = slurp(path_in(dir, "figures/curves.csv")),
         *pareto = slurp(path_in(dir, "figures/pareto-packed.csv")), want[400];
    ck_assert(table != NULL && curves != NULL && pareto != NULL);
    ck_assert_int_eq(count(table, "\r\n"), FIXTURE_STEPS + 1);
    int on_front = 0, drawn = 0, epochs = 0;
    for (int k = 0; k < FIXTURE_STEPS; k++) {
        const fixture_step *s = &fixture_steps[k];
        if (strcmp(s->status, "done") != 0)
            continue;
        snprintf(want, sizeof want, "\"%s\",\"%s\",\"%s\",\"done\",\"\",%.10g,%d,%d,", s->id, s->title,
                 s->family, round((double)(FIXTURE_IMAGES - s->wrong) / FIXTURE_IMAGES * 1e10) / 1e10,
                 FIXTURE_IMAGES - s->wrong, FIXTURE_IMAGES);
        ck_assert_msg(strstr(table, want) != NULL, "%s", want);
        bool front = true;
        for (int m = 0; m < FIXTURE_STEPS; m++) {
            const fixture_step *o = &fixture_steps[m];
            if (o->packed > 0 && o->packed <= s->packed && o->wrong <= s->wrong &&
                (o->packed < s->packed || o->wrong < s->wrong))
                front = false;
        }
        snprintf(want, sizeof want, "\"%s\",%.9g,", s->id, s->packed);
        const char *line = strstr(pareto, want);
        ck_assert_msg(line != NULL, "%s", want);
        ck_assert_int_eq(line[strcspn(line, "\r") - 1], front ? '1' : '0');
        on_front += front;
        drawn++;
        epochs += s->epochs;
        int wrong = 0, only_float = 0, only_this = 0;
        for (int i = 0; i < FIXTURE_IMAGES; i++) {
            wrong += !fixture_right(s, i);
            only_float += fixture_right(&fixture_steps[0], i) && !fixture_right(s, i);
            only_this += !fixture_right(&fixture_steps[0], i) && fixture_right(s, i);
        }
        ck_assert_int_eq(wrong, s->wrong);
        if (k == 0)
            continue;
        snprintf(want, sizeof want, ",%d,%d,%.12g,%.12g,%.12g,", only_float, only_this,
                 pith_mcnemar(only_float, only_this), s->kb * 1024, s->gzip * 1024);
        ck_assert_msg(strstr(table, want) != NULL, "%s: %s in\n%s", s->id, want, table);
    }
    ck_assert_int_gt(on_front, 1);
    ck_assert_int_eq(count(pareto, "\r\n"), drawn + 1);
    ck_assert_int_eq(count(curves, "\r\n"), epochs + 1);
    free(table);
    free(curves);
    free(pareto);
    char *layers = slurp(path_in(dir, "figures/layers.csv")),
         *memory = slurp(path_in(dir, "figures/memory-ptq-w8a8.csv")),
         *histograms = slurp(path_in(dir, "figures/histograms.csv"));
    ck_assert_int_eq(count(layers, "\r\n"), 14 * drawn + 1);
    ck_assert_ptr_nonnull(strstr(
        layers,
        "\"ptq-w8a8\",\"stem.0.conv\",\"conv2d\",432,432,1000000,8,40.16,38.16,46.16,43.16,42.16,41.16\r\n"));
    ck_assert_ptr_nonnull(
        strstr(layers, "\"float16\",\"stem.0.conv\",\"conv2d\",432,432,1000000,16,,,,,,\r\n"));
    ck_assert_int_eq(count(memory, "\r\n"), 16);
    ck_assert_ptr_nonnull(strstr(memory, "\"input 0\",27648,0,0,0\r\n"));
    int four = 0;
    for (int k = 0; k < FIXTURE_STEPS; k++)
        four += fixture_steps[k].bits == 4 && strcmp(fixture_steps[k].status, "done") == 0;
    ck_assert_int_gt(four, 0);
    ck_assert_int_eq(count(histograms, "\r\n"), (drawn + four) * 14 * 2 * 64 + 1);
    ck_assert_int_eq(count(histograms, "\"activations in float\""), four * 14 * 64);
    free(layers);
    free(memory);
    free(histograms);
    char *confusion = slurp(path_in(dir, "figures/confusion-float.csv"));
    int m[4] = { 0 };
    for (int i = 0; i < FIXTURE_IMAGES; i++)
        m[2 * (i % 2) + (fixture_p1(&fixture_steps[0], i) > 0.5)]++;
    snprintf(want, sizeof want, "\"label\",\"cat\",\"dog\"\r\n\"cat\",%d,%d\r\n\"dog\",%d,%d\r\n", m[0], m[1],
             m[2], m[3]);
    ck_assert_str_eq(confusion, want);
    free(confusion);
}
END_TEST

START_TEST(plain_runs)
{
    const char *dir = new_dir("run"), *both[2];
    ck_assert(report_fixture_run(dir));
    char *page = page_of(dir);
    well_formed(page);
    ck_assert_ptr_nonnull(
        strstr(page, "pith train --data 'Pet Images' --model efnet-nano --epochs 12 --seed 7"));
    ck_assert_ptr_nonnull(strstr(page, "<section id=\"curves\">"));
    ck_assert_ptr_null(strstr(page, "<section id=\"trade\">")); /* nothing to say: no empty heading */
    ck_assert_ptr_null(strstr(page, "<section id=\"confusion\">"));
    ck_assert_int_eq(count(page, "<h2>"), count(page, "<section"));
    free(page);
    /* Side by side, into a file of another place. */
    both[0] = new_dir("lab");
    both[1] = dir;
    char *out = path_in(suite_dir(), "both/side.html");
    mkdir(path_in(suite_dir(), "both"), 0777);
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ 0 });
    ck_assert_msg(pith_report_html(c, both, 2, (pith_report_cfg){ .out = out, .title = "A <b> & C" }) ==
                      PITH_OK,
                  "%s", pith_error_text(c));
    pith_ctx_free(c);
    page = slurp(path_in(suite_dir(), "both/side.html"));
    well_formed(page);
    ck_assert_ptr_nonnull(strstr(page, "<title>A &lt;b&gt; &amp; C</title>"));
    ck_assert_ptr_nonnull(strstr(page, ">lab/qat-w8a8<"));
    ck_assert_int_ge(count(page, ">run<"), 2); /* in the table and at its curve */
    free(page);
    char *curves = slurp(path_in(suite_dir(), "both/figures/curves.csv"));
    ck_assert(strstr(curves, "\"lab/float\",1,") != NULL && strstr(curves, "\"run\",12,") != NULL);
    free(curves);
}
END_TEST

/* A step has only its name and status: everything else is left out. */
START_TEST(nearly_nothing)
{
    const char *dir = new_dir("bare");
    ck_assert(report_write(dir, "lab.json", "{\"steps\":[\"float\",\"x\",\"y\"],\"model\":\"\\u0001<i>\"}"));
    ck_assert(report_write(dir, "steps/float/result.json",
                           "{\"family\":\"float\",\"status\":\"done\",\"accuracy\":null}"));
    ck_assert(
        report_write(dir, "steps/x/result.json", "{\"status\":\"skipped\",\"reason\":\"out of budget\"}"));
    char *page = page_of(dir);
    well_formed(page);
    ck_assert_int_eq(count(page, "<h2>"), count(page, "<section"));
    ck_assert_ptr_nonnull(strstr(page, "out of budget"));
    ck_assert_ptr_nonnull(strstr(page, "<b>running</b>")); /* y has no result yet */
    ck_assert_ptr_nonnull(strstr(page, "?&lt;i&gt;"));
    free(page);
}
END_TEST

/* The float network's model says what it looks at: six right answers, six wrong ones; without one there is no such section. */
START_TEST(attention)
{
    const char *dir = new_dir("looks");
    ck_assert(report_fixture_lab(dir));
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ 0 });
    pith_model *m = pith_model_family(c, "lenet", (pith_family_cfg){ .channels = 3 });
    ck_assert_msg(m != NULL && pith_model_save(m, path_in(dir, "steps/float/last.pith"), false) == PITH_OK,
                  "%s", pith_error_text(c));
    pith_ctx_free(c);
    char *page = page_of(dir);
    well_formed(page);
    ck_assert_int_eq(count(page, "<section id=\"cam\">"), 1);
    ck_assert_int_eq(count(page, "class=\"heat\""), 12);
    const char *section = strstr(page, "<section id=\"cam\">");
    char *end = strstr(section, "</section>");
    *end = 0;
    ck_assert(count(section, "<span class=\"right\">") == 6 && count(section, "<span class=\"wrong\">") == 6);
    ck_assert(count(section, "<span>is cat") >= 3 && count(section, "<span>is dog") >= 3);
    free(page);
    ck_assert(report_write(dir, "steps/float/last.pith", "no model"));
    page = page_of(dir);
    ck_assert_ptr_null(strstr(page, "id=\"cam\""));
    free(page);
}
END_TEST

/* A model beside the log tells its layers; one that is damaged is passed over. */
START_TEST(model_layers)
{
    const char *dir = new_dir("model");
    ck_assert(report_fixture_run(dir));
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ 0 });
    pith_model *m = pith_model_family(c, "lenet", (pith_family_cfg){ 0 });
    ck_assert_msg(m != NULL, "%s", pith_error_text(c));
    int64_t n;
    pith_real *w = pith_model_weights(m, &n);
    for (int64_t i = 0; i < n; i += 2)
        w[i] = 0;
    ck_assert_int_eq(pith_model_save(m, path_in(dir, "last.pith"), false), PITH_OK);
    char *page = page_of(dir), *layers = slurp(path_in(dir, "figures/layers.csv")), want[300];
    well_formed(page);
    ck_assert_ptr_nonnull(strstr(page, "Weights that are zero"));
    pith_layer_facts f;
    for (int i = 0; pith_model_layer(m, i, &f); i++) {
        snprintf(want, sizeof want, "\"model\",\"%s\",\"%s\",%lld,%lld,%lld,,,,,,,\r\n", f.name, f.op,
                 (long long)f.parameters, (long long)(f.parameters - f.zeros), (long long)f.macs);
        ck_assert_msg(f.parameters == 0 || strstr(layers, want) != NULL, "%s", want);
    }
    free(page);
    free(layers);
    pith_ctx_free(c);
    ck_assert(report_write(dir, "last.pith", "no model"));
    page = page_of(dir);
    ck_assert_ptr_null(strstr(page, "Weights that are zero"));
    free(page);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("report");
    suite_test(s, "lab page", lab_page);
    suite_test(s, "lab tables", lab_tables);
    suite_test(s, "plain runs", plain_runs);
    suite_test(s, "nearly nothing", nearly_nothing);
    suite_test(s, "attention", attention);
    suite_test(s, "model layers", model_layers);
    return suite_run("report", s);
}
