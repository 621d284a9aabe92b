/* Run folders made by hand. Every number follows from fixture_steps, so tests know what a report has to say. */
#include "report_help.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define NONE 0, 0, 0, 0, 0, 0
const fixture_step fixture_steps[FIXTURE_STEPS] = {
    { "float", "float32", "float", "done", "", 9, 1498, 1387, 1391, 2.61, 221184, 40, 32 },
    { "float16", "float16 weights", "cast", "done", "", 9, 751, 690, 688, 2.62, 221184, 0, 16 },
    { "dynamic", "int8 weights, dynamic range", "cast", "done", "", 10, 396, 331, 327, 2.05, 0, 0, 8 },
    { "ptq-w8a8", "int8, after training (min-max)", "ptq", "done", "", 9, 384, 322, 318, 0.93, 82944, 0, 8 },
    { "ptq-mse", "int8, after training (squared error)", "ptq", "done", "", 10, 384, 321, 317, 0.93, 82944, 0,
      8 },
    { "ptq-w4a8", "4-bit weights, after training", "ptq", "done", "", 14, 202, 171, 166, 0.94, 82944, 0, 4 },
    { "ptq-w4a4", "4-bit weights and activations, after training", "ptq", "done", "", 54, 202, 169, 165, 0.94,
      82944, 0, 4 },
    { "qat-w8a8", "int8, while training", "qat", "done", "", 8, 384, 320, 316, 0.93, 82944, 8, 8 },
    { "qat-w4a4", "4 bits, while training", "qat", "done", "", 11, 202, 168, 163, 0.94, 82944, 8, 4 },
    { "codebook-16", "16 shared values a layer", "codebook", "done", "", 10, 204, 160, 152, 2.63, 0, 4, 4 },
    { "prune-80", "80% of the weights pruned, int8", "prune", "done", "", 10, 384, 141, 118, 0.93, 82944, 5,
      8 },
    { "prune-90", "90% of the weights pruned, int8", "prune", "done", "", 16, 384, 96, 78, 0.93, 82944, 5,
      8 },
    { "channels-50", "half of the multiply-adds <removed> & \"int8\"", "channels", "failed",
      "channels: no group can be cut by 50% without <emptying> a layer", NONE, 0, 8 },
    { "distill-half", "half as wide, distilled, int8", "distill", "done", "", 13, 121, 104, 101, 0.41, 49152,
      30, 8 },
};
#undef NONE

/* ---- Files ----------------------------------------------------------------------------------------------- */
static FILE *create(const char *dir, const char *file)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", dir, file);
    for (char *p = path + 1; *p; p++)
        if (*p == '/') {
            *p = 0;
            if (mkdir(path, 0777) != 0 && errno != EEXIST)
                return NULL;
            *p = '/';
        }
    return fopen(path, "wb");
}

bool report_write(const char *dir, const char *file, const char *text)
{
    FILE *f = create(dir, file);
    return f != NULL && (fputs(text, f) >= 0) + (fclose(f) == 0) == 2;
}

static FILE *step_file(const char *dir, const fixture_step *s, const char *file)
{
    char name[256];
    snprintf(name, sizeof name, "steps/%s/%s", s->id, file);
    return create(dir, name);
}

/* ---- What a step says ------------------------------------------------------------------------------------ */
/* Images in an order that mixes them; the first `wrong` of it are wrong, so better steps' mistakes are among worse ones'; a
   step's own few differ. */
static int rank(const fixture_step *s, int i)
{
    int shift = s->family[0] == 'f' ? 0 : (int)(strlen(s->id) % 3);
    return (i * 77 + 13 + FIXTURE_IMAGES - shift) % FIXTURE_IMAGES;
}

bool fixture_right(const fixture_step *s, int i) { return rank(s, i) >= s->wrong; }

double fixture_p1(const fixture_step *s, int i)
{
    double sure = 0.505 + 0.49 * (((i * 31 + 7) % 97) / 97.0);
    bool one = (i % 2 == 1) == fixture_right(s, i);
    return round((one ? sure : 1 - sure) * 1e4) / 1e4;
}

static bool write_result(const char *dir, const fixture_step *s)
{
    FILE *f = step_file(dir, s, "result.json");
    if (f == NULL)
        return false;
    fprintf(f, "{\"id\":\"%s\",\"title\":\"", s->id);
    for (const char *p = s->title; *p; p++)
        fprintf(f, *p == '"' ? "\\\"" : "%c", *p);
    fprintf(f,
            "\",\"family\":\"%s\",\"status\":\"%s\",\"reason\":\"%s\",\"command\":\"pith %s --data "
            "photos\",\"from\":\"%s\"",
            s->family, s->status, s->reason, s->family, strcmp(s->id, "float") ? "float" : "");
    if (strcmp(s->status, "done") == 0) {
        int right = FIXTURE_IMAGES - s->wrong;
        fprintf(f, ",\"accuracy\":%.10f,\"correct\":%d,\"n\":%d", (double)right / FIXTURE_IMAGES, right,
                FIXTURE_IMAGES);
        fprintf(f,
                ",\"bytes\":{\"file\":%.0f,\"gzip\":%.0f,\"packed\":%.0f},\"parameters\":383490,\"nonzero\":%"
                "d,\"macs\":21200000",
                s->kb * 1024, s->gzip * 1024, s->packed * 1024,
                s->family[0] == 'p' && s->id[1] == 'r' ? 80123 : 383001);
        if (s->arena > 0)
            fprintf(f, ",\"arena\":%.0f", s->arena);
        else
            fputs(",\"arena\":null", f);
        fprintf(f, ",\"latency_ms\":%.3f,\"images_per_s\":%.1f", s->latency, 1600 / s->latency);
        fprintf(f,
                ",\"energy_mj\":{\"value\":%.3f,\"source\":\"21.2 M multiply-adds at 3.7 pJ (float32) or 0.2 "
                "pJ (int8), Horowitz "
                "2014\"},\"seconds\":%d,\"epochs\":%d,\"bits_weights\":%d,\"bits_activations\":%d",
                s->latency * 0.03, 12 + 30 * s->epochs, s->epochs, s->bits, s->bits);
        fprintf(f, ",\"exported\":\"model.tflite\",\"export_checked\":\"run by pith run: the same classes on "
                   "all images\",\"promise\":"
                   "\"within 1 of float\"");
    }
    fprintf(f, "}\n");
    return fclose(f) == 0;
}

static bool write_val(const char *dir, const fixture_step *s)
{
    FILE *f = step_file(dir, s, "val.csv");
    if (f == NULL)
        return false;
    fputs("path,label,predicted,p0,p1\n", f);
    for (int i = 0; i < FIXTURE_IMAGES; i++) {
        double p = fixture_p1(s, i);
        fprintf(f, "%s/img-%03d.bmp,%d,%d,%.4f,%.4f\n", i % 2 ? "dog" : "cat", i, i % 2, p > 0.5, 1 - p, p);
    }
    return fclose(f) == 0;
}

static bool write_log(const char *dir, const char *file, int epochs, int wrong, bool resumed)
{
    FILE *f = create(dir, file);
    double last = 1 - (double)wrong / FIXTURE_IMAGES;
    if (f == NULL)
        return false;
    fprintf(f, "{\"event\":\"start\",\"epoch\":1,\"step\":0,\"seconds\":0,\"epochs\":%d}\n", epochs);
    for (int e = 1; e <= epochs; e++) {
        double t = 1 - exp(-5.0 * e / epochs), from = epochs > 20 ? 0.55 : 0.86;
        double wiggle = 0.006 * sin(e * 2.3) * (epochs - e) / epochs;
        double acc = from + (last - from) * t / (1 - exp(-5.0)) + wiggle;
        fprintf(f,
                "{\"event\":\"epoch\",\"epoch\":%d,\"step\":%d,\"seconds\":%d,\"loss\":%.5f,\"accuracy\":%."
                "5f,\"val_loss\":%.5f,"
                "\"val_accuracy\":%.5f,\"lr\":%.6f,\"img_per_s\":580,\"peak_rss_mb\":224}\n",
                e, e * 219, e * 24, 1.05 - 0.9 * acc, acc - 0.02, 0.95 - 0.82 * acc, acc,
                0.05 * (1 + cos(3.14159 * e / epochs)));
        if (resumed && e == epochs / 3)
            fprintf(f,
                    "{\"event\":\"stop\",\"epoch\":%d,\"step\":1,\"seconds\":1}\n{\"event\":\"resume\","
                    "\"epoch\":%d,\"step\":1,\"seconds\":1}\n",
                    e + 1, e + 1);
    }
    fprintf(f, "{\"event\":\"end\",\"epoch\":%d,\"step\":%d,\"seconds\":%d}\n", epochs, epochs * 219,
            epochs * 24);
    return fclose(f) == 0;
}

/* ---- Layers and memory ----------------------------------------------------------------------------------- */
enum { LAYERS = 14 };

static void write_histogram(FILE *f, const char *key, double spread, double step, bool positive)
{
    fprintf(f, ",\"%s\":{\"from\":%g,\"to\":%g,\"counts\":[", key, positive ? 0.0 : -4 * spread,
            positive ? 6.0 : 4 * spread);
    for (int i = 0; i < 64; i++) {
        double x = positive ? 6.0 * i / 64 : (-4 + 8.0 * (i + 0.5) / 64),
               v = positive ? 9000 * exp(-1.2 * x) : 4000 * exp(-x * x / 2);
        if (step > 1) /* fewer values than bins */
            v = i % (int)step == 0 ? v * step : 0;
        fprintf(f, "%s%.0f", i ? "," : "", v);
    }
    fputs("]}", f);
}

static bool write_layers(const char *dir, const fixture_step *s)
{
    FILE *f = step_file(dir, s, "layers.json");
    if (f == NULL)
        return false;
    fputs("{\"layers\":[", f);
    for (int k = 0; k < LAYERS; k++) {
        int parameters = 432 + 4000 * k;
        bool pruned = s->id[0] == 'p' && s->id[1] == 'r';
        fprintf(f,
                "%s{\"name\":\"%s%d.%s\",\"kind\":\"conv2d\",\"parameters\":%d,\"nonzero\":%d,\"macs\":%d,"
                "\"weight_bits\":%d",
                k ? "," : "", k ? "blocks." : "stem.", k, k % 3 == 1 ? "depthwise" : "conv", parameters,
                pruned ? (int)(parameters * (s->wrong == 16 ? 0.1 : 0.2) * (1 + 0.5 * sin(k))) : parameters,
                1000000 + 90000 * k, s->bits);
        if (s->bits < 16)
            fprintf(f, ",\"sqnr_weight_db\":%.2f,\"sqnr_activation_db\":%.2f",
                    6.02 * s->bits - 8 + 3 * sin(k * 1.3), 6.02 * s->bits - 14 + 4 * cos(k * 0.9));
        if (s->bits < 16 && s->arena > 0)
            fprintf(f,
                    ",\"sqnr_weight_output_db\":%.2f,\"sqnr_activation_output_db\":%.2f,"
                    "\"sqnr_weight_accumulated_db\":%.2f,\"sqnr_activation_accumulated_db\":%.2f",
                    6.02 * s->bits - 2 + k, 6.02 * s->bits - 5 + k, 6.02 * s->bits - 6 - k,
                    6.02 * s->bits - 7 - k);
        write_histogram(f, "weight_histogram", 0.2 / (1 + k * 0.2), s->bits == 4 ? 5 : 1, false);
        write_histogram(f, "activation_histogram", 1, s->bits == 4 ? 5 : 1, true);
        if (s->bits == 4) { /* others' are those of the step they were made from */
            write_histogram(f, "weight_histogram_float", 0.2 / (1 + k * 0.2), 1, false);
            write_histogram(f, "activation_histogram_float", 1, 1, true);
        }
        fputs("}", f);
    }
    fputs("]", f);
    if (s->bits == 8 && s->arena > 0) {
        fputs(",\"memory\":[", f);
        for (int k = 0; k <= LAYERS; k++) {
            double bytes = k == 0 ? 27648 : 41472.0 / (1 + (k - 1) / 3);
            fprintf(f,
                    "%s{\"name\":\"%s %d\",\"bytes\":%.0f,\"offset\":%.0f,\"from_step\":%d,\"to_step\":%d}",
                    k ? "," : "", k ? "output of layer" : "input", k, bytes, k % 2 ? 41472.0 : 0.0,
                    k ? k - 1 : 0, k < LAYERS ? k : LAYERS - 1);
        }
        fprintf(f, "],\"arena\":%.0f", s->arena);
    }
    fputs("}\n", f);
    return fclose(f) == 0;
}

/* ---- Photographs: bitmaps of 48 x 40 pixels -------------------------------------------------------------- */
static void put32(unsigned char *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (unsigned char)(v >> (8 * i));
}

static bool write_image(const char *dir, int i)
{
    enum { W = 48, H = 40 };
    unsigned char head[54] = { 'B', 'M' };
    char name[64];
    snprintf(name, sizeof name, "photos/%s/img-%03d.bmp", i % 2 ? "dog" : "cat", i);
    FILE *f = create(dir, name);
    if (f == NULL)
        return false;
    put32(head + 2, 54 + W * H * 3);
    put32(head + 10, 54);
    put32(head + 14, 40);
    put32(head + 18, W);
    put32(head + 22, H);
    head[26] = 1;
    head[28] = 24;
    fwrite(head, 1, sizeof head, f);
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
            double cx = x - 24 + 6 * sin(i), cy = y - 18, r = sqrt(cx * cx + cy * cy * (i % 2 ? 0.6 : 1));
            bool in = r < 12 + i % 5, eye = fabs(fabs(cx) - 5) < 2 && fabs(cy - 3) < 2;
            fputc(eye ? 20 : in ? 90 + i % 40 : 200 - y, f);
            fputc(eye ? 20 : in ? 120 + 2 * (i % 30) : 190 - (i * 7) % 60, f);
            fputc(eye ? 20 : in ? (i % 2 ? 140 : 190) : 150 + (i * 13) % 80, f);
        }
    return fclose(f) == 0;
}

/* ---- Whole folders --------------------------------------------------------------------------------------- */
static bool write_step(const char *dir, const fixture_step *s)
{
    char log[256];
    bool good = write_result(dir, s);
    snprintf(log, sizeof log, "steps/%s/log.jsonl", s->id);
    if (strcmp(s->status, "done") != 0)
        return good;
    good = good && write_val(dir, s) && write_layers(dir, s);
    return good && (s->epochs == 0 || write_log(dir, log, s->epochs, s->wrong, s->epochs == 40));
}

bool report_fixture_lab(const char *dir)
{
    bool good = true;
    FILE *f = create(dir, "lab.json");
    if (f == NULL)
        return false;
    fprintf(f,
            "{\"pith\":\"0.1.0\",\"command\":\"pith lab --data photos --model efnet-nano --budget 60m -o "
            "RUN\",\"seed\":0,\"cpu\":\"a "
            "processor\",\"threads\":2,\"started\":\"2026-11-30 "
            "12:00\",\"seconds\":3420,\"data\":\"%s/photos\",\"model\":\"efnet-nano\","
            "\"width\":1.0,\"depth\":1.0,\"image_size\":96,\"budget_minutes\":60,\"classes\":[\"cat\","
            "\"dog\"],\"n_train\":1080,"
            "\"n_val\":%d,\"steps\":[",
            dir, FIXTURE_IMAGES);
    for (int k = 0; k < FIXTURE_STEPS; k++)
        fprintf(f, "%s\"%s\"", k ? "," : "", fixture_steps[k].id);
    fputs("]}\n", f);
    good = fclose(f) == 0;
    for (int k = 0; k < FIXTURE_STEPS && good; k++)
        good = write_step(dir, &fixture_steps[k]);
    for (int i = 0; i < FIXTURE_IMAGES && good; i++)
        good = write_image(dir, i);
    return good;
}

bool report_fixture_run(const char *dir)
{
    return report_write(dir, "args.json",
                        "{\"pith\":\"0.1.0\",\"train\":{\"data\":\"Pet "
                        "Images\",\"model\":\"efnet-nano\",\"epochs\":12,\"seed\":7}}") &&
           write_log(dir, "log.jsonl", 12, 11, true);
}
