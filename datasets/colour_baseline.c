/* pith-colour-baseline: how far does one get on a set of pictures without looking at shapes?  Describes
 * each picture by the statistics of its colours alone and fits a logistic regression, and asks the nearest
 * neighbours. */
#define _POSIX_C_SOURCE 200809L
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_JPEG
/* stb declares static functions it never defines; GCC says so only at the end of the file, so no pop for
 * this one. */
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-but-set-variable"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"
#include <stb/stb_image.h>
#pragma GCC diagnostic pop

enum {
    BINS = 16,
    CUBE = 4,
    D = 6 + 3 * BINS + CUBE * CUBE * CUBE + 1,
    NEIGHBOURS = 15
}; /* the last: constant 1 */

typedef struct {
    float *x; /* [n,D] */
    int *y;   /* 0 cat, 1 dog */
    int n, room;
} set;

static int fail(const char *what, const char *which)
{
    fprintf(stderr, "pith-colour-baseline: %s %s\n", what, which);
    return -1;
}

/* Means, standard deviations, a histogram per channel, and one of all three together. */
static void describe(const uint8_t *rgb, size_t pixels, float *f)
{
    double sum[3] = { 0 }, sq[3] = { 0 };
    memset(f, 0, D * sizeof *f);
    for (size_t i = 0; i < pixels; i++, rgb += 3) {
        for (int c = 0; c < 3; c++) {
            sum[c] += rgb[c];
            sq[c] += (double)rgb[c] * rgb[c];
            f[6 + c * BINS + rgb[c] * BINS / 256] += 1.0f / (float)pixels;
        }
        int cell = (rgb[0] / 64 * CUBE + rgb[1] / 64) * CUBE + rgb[2] / 64;
        f[6 + 3 * BINS + cell] += 1.0f / (float)pixels;
    }
    for (int c = 0; c < 3; c++) {
        double mean = sum[c] / (double)pixels;
        f[c] = (float)(mean / 255);
        f[3 + c] = (float)(sqrt(fmax(0, sq[c] / (double)pixels - mean * mean)) / 255);
    }
}

static int add_file(set *s, const char *path, int label)
{
    int w, h, comp;
    uint8_t *rgb = stbi_load(path, &w, &h, &comp, 3);
    if (!rgb)
        return fail("cannot read the JPEG file", path);
    if (s->n == s->room) {
        int room = s->room ? 2 * s->room : 1024;
        float *x = realloc(s->x, (size_t)room * D * sizeof *x);
        if (x)
            s->x = x;
        int *y = realloc(s->y, (size_t)room * sizeof *y);
        if (y)
            s->y = y;
        if (!x || !y) {
            stbi_image_free(rgb);
            return fail("out of memory at", path);
        }
        s->room = room;
    }
    describe(rgb, (size_t)w * (size_t)h, s->x + (size_t)s->n * D);
    s->y[s->n++] = label;
    stbi_image_free(rgb);
    return 0;
}

static int cmp_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int load(set *s, const char *dir, const char *split)
{
    static const char *const classes[] = { "cat", "dog" };
    char path[4096], file[4608];
    int bad = 0;
    for (int c = 0; c < 2; c++) {
        struct dirent **e;
        snprintf(path, sizeof path, "%s/%s/%s", dir, split, classes[c]);
        int n = scandir(path, &e, NULL, cmp_name);
        if (n < 0)
            return fail("cannot look into the folder", path);
        for (int i = 0; i < n; i++) {
            snprintf(file, sizeof file, "%s/%s", path, e[i]->d_name);
            if (!bad && e[i]->d_name[0] != '.')
                bad = add_file(s, file, c);
            free(e[i]);
        }
        free(e);
    }
    return bad ? -1 : s->n ? 0 : fail("no pictures in", path);
}

/* Both sets to zero mean and unit variance, by the training set's numbers; near-constant features to 0. */
static void standardise(set *t, set *v)
{
    for (int j = 0; j < D - 1; j++) {
        double m = 0, q = 0;
        for (int i = 0; i < t->n; i++)
            m += (double)t->x[(size_t)i * D + (size_t)j] / t->n;
        for (int i = 0; i < t->n; i++)
            q += pow(t->x[(size_t)i * D + (size_t)j] - m, 2) / t->n;
        float k = q > 1e-10 ? (float)(1 / sqrt(q)) : 0;
        for (int b = 0; b < 2; b++)
            for (int i = 0; i < (b ? v : t)->n; i++) {
                float *p = (b ? v : t)->x + (size_t)i * D + j;
                *p = fminf(fmaxf((*p - (float)m) * k, -5), 5); /* rare bins: no single picture may rule */
            }
    }
    for (int b = 0; b < 2; b++)
        for (int i = 0; i < (b ? v : t)->n; i++)
            (b ? v : t)->x[(size_t)i * D + D - 1] = 1;
}

static double score(const set *s, const float *w)
{
    int right = 0;
    for (int i = 0; i < s->n; i++) {
        float z = 0;
        for (int j = 0; j < D; j++)
            z += w[j] * s->x[(size_t)i * D + (size_t)j];
        right += (z > 0) == s->y[i];
    }
    return 100.0 * right / s->n;
}

/* Logistic regression, whole-set gradient descent with momentum, L2 penalty 0.001. */
static void fit(const set *t, float w[D])
{
    float g[D], m[D] = { 0 };
    memset(w, 0, D * sizeof *w);
    for (int step = 0; step < 500; step++) {
        memset(g, 0, sizeof g);
        for (int i = 0; i < t->n; i++) {
            const float *x = t->x + (size_t)i * D;
            float z = 0;
            for (int j = 0; j < D; j++)
                z += w[j] * x[j];
            float e = 1 / (1 + expf(-z)) - (float)t->y[i];
            for (int j = 0; j < D; j++)
                g[j] += e * x[j] / (float)t->n;
        }
        for (int j = 0; j < D; j++) {
            m[j] = 0.9f * m[j] - 0.05f * (g[j] + 0.001f * w[j]);
            w[j] += m[j];
        }
    }
}

static double neighbours(const set *t, const set *v)
{
    int right = 0;
    for (int i = 0; i < v->n; i++) {
        float best[NEIGHBOURS];
        int label[NEIGHBOURS] = { 0 }, votes = 0, found = 0;
        for (int k = 0; k < t->n; k++) {
            float d = 0;
            for (int j = 0; j < D; j++) {
                float e = v->x[(size_t)i * D + (size_t)j] - t->x[(size_t)k * D + (size_t)j];
                d += e * e;
            }
            int at = found < NEIGHBOURS ? found++ : d < best[NEIGHBOURS - 1] ? NEIGHBOURS - 1 : -1;
            for (; at > 0 && best[at - 1] > d; at--) {
                best[at] = best[at - 1];
                label[at] = label[at - 1];
            }
            if (at >= 0) {
                best[at] = d;
                label[at] = t->y[k];
            }
        }
        for (int k = 0; k < found; k++)
            votes += label[k];
        right += (2 * votes > found) == v->y[i];
    }
    return 100.0 * right / v->n;
}

int main(int argc, char **argv)
{
    static const char usage[] = "usage: pith-colour-baseline DIR [--below PERCENT]\n"
                                "Trains on the colour statistics of DIR/train/{cat,dog}/*.jpg, scores "
                                "DIR/val.  With --below, exits 1\n"
                                "if any score reaches PERCENT: the set could be told apart by colour.\n";
    double below = 101;
    char *end = NULL;
    if (argc > 1 && strcmp(argv[1], "--help") == 0)
        return fputs(usage, stdout) < 0;
    if (argc == 4 && strcmp(argv[2], "--below") == 0)
        below = strtod(argv[3], &end);
    if ((argc != 2 && argc != 4) || argv[1][0] == '-' || (argc == 4 && (!end || *end || end == argv[3]))) {
        fputs(usage, stderr);
        return 2;
    }
    set t = { 0 }, v = { 0 };
    float w[D];
    int status = 1;
    if (!load(&t, argv[1], "train") && !load(&v, argv[1], "val")) {
        standardise(&t, &v);
        fit(&t, w);
        double a = score(&v, w), b = neighbours(&t, &v);
        printf("%d training and %d validation pictures, %d colour statistics each\n", t.n, v.n, D - 1);
        printf("logistic regression: %.1f%% on training, %.1f%% on validation\n", score(&t, w), a);
        printf("%d nearest neighbours: %.1f%% on validation\n", NEIGHBOURS, b);
        status = fmax(a, b) >= below;
    }
    free(t.x);
    free(t.y);
    free(v.x);
    free(v.y);
    return status;
}
