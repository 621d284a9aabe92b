/* report/page_cam.c: photographs with what spoke for the network's answer laid over them (Grad-CAM). */
#include "report/gallery.h"
#include "report/picture.h"

#include <math.h>
#include <pith/data.h>
#include <pith/explain.h>
#include <pith/file.h>
#include <string.h>
#include <unistd.h>

/* SHOWN: of right answers, and of wrong ones. SIDE: larger pictures are reduced until they are below. */
enum { SHOWN = 6, SIDE = 129, SIZE_MOST = 1024 };

typedef struct {
    pithp_page *g;
    const pithp_result *r;
    const char *folder;
    pith_model *m;
    int size, by; /* the network's pictures; how many pixels of them become one */
    pith_real *x, *map;
    uint8_t *rgb, *rgba;
} cam;

/* ---- Pictures ---- */
static double mean_of(const cam *k, const pith_real *v, int channels, int channel, int row, int column)
{
    double sum = 0;
    for (int y = 0; y < k->by; y++)
        for (int x = 0; x < k->by; x++)
            sum += (double)v[((row * k->by + y) * k->size + column * k->by + x) * channels + channel];
    return sum / (k->by * k->by);
}

/* The picture as the network sees it, and the heat. */
static void put_pictures(const cam *k, const char *path)
{
    const int side = k->size / k->by;
    for (int i = 0; i < side * side; i++) {
        for (int ch = 0; ch < 3; ch++) {
            const double v = 128 * mean_of(k, k->x, 3, ch, i / side, i % side) + 128;
            k->rgb[3 * i + ch] = (uint8_t)lround(fmin(fmax(v, 0), 255));
        }
        pithp_heat(mean_of(k, k->map, 1, 0, i / side, i % side), k->rgba + 4 * i);
    }
    const char *under = pithp_pixels_uri(k->g->pool, k->rgb, side, 3 * (size_t)side, 3),
               *over = pithp_pixels_uri(k->g->pool, k->rgba, side, 4 * (size_t)side, 4);
    if (under == NULL || over == NULL)
        return;
    k->g->picture_bytes += (double)(strlen(under) + strlen(over));
    fprintf(k->g->f, "<span class=\"cam\"><img src=\"%s\" width=\"%d\" height=\"%d\" alt=\"", under, side,
            side);
    pithp_put(k->g, path);
    fputs("\" title=\"", k->g->f);
    pithp_put(k->g, path);
    fprintf(k->g->f, "\"><img class=\"heat\" src=\"%s\" width=\"%d\" height=\"%d\" alt=\"\"></span>", over,
            side, side);
}

/* A picture that cannot be shown is left out. */
static void show(const cam *k, int64_t i)
{
    char room[24];
    const pithp_answers *a = &k->r->val;
    const char *file = pithp_pool_text(k->g->pool, "%s/%s", k->folder, a->path[i]);
    const int32_t class = a->predicted[i];
    if (file == NULL || pith_data_image_load(k->g->c, file, k->size, k->x) != PITH_OK ||
        pith_grad_cam(k->m, k->x, 1, &class, NULL, k->map) != PITH_OK) {
        if (pith_ctx_status(k->g->c) != PITH_ENOMEM)
            pith_ctx_clear(k->g->c);
        return;
    }
    fputs("<figure>", k->g->f);
    put_pictures(k, a->path[i]);
    fputs("<figcaption>", k->g->f);
    pithp_said(k->g, "", k->r, i);
    fputs("<span>is ", k->g->f);
    pithp_put(k->g, pithp_class_name(k->g, k->r, a->label[i], room));
    fputs("</span></figcaption></figure>\n", k->g->f);
}

/* ---- Which ---- */
/* Right answers from all over the list, whose order is that of the classes. */
static void right_ones(const cam *k)
{
    const pithp_answers *a = &k->r->val;
    int64_t right = 0, seen = 0;
    int shown = 0;
    for (int64_t i = 0; i < a->n; i++)
        right += a->predicted[i] == a->label[i];
    for (int64_t i = 0; i < a->n && shown < SHOWN; i++) {
        if (a->predicted[i] != a->label[i])
            continue;
        if (seen++ >= (2 * shown + 1) * right / (2 * SHOWN)) {
            show(k, i);
            shown++;
        }
    }
}

static void wrong_ones(const cam *k)
{
    int64_t n;
    const pithp_mistake *e = pithp_mistakes(k->g, k->r, &n);
    for (int64_t i = 0; i < n && i < SHOWN; i++)
        show(k, e[i].i);
}

static void gallery(const cam *k)
{
    pithp_section(k->g, "cam", "Attention", "What it looks at");
    pithp_note(
        k->g,
        "%s, on pictures as the network sees them. Warm places spoke most for its answer (Grad-CAM, the last "
        "maps before the pooling); first some that it has right, then its worst mistakes.",
        k->r->title);
    fputs("<input type=\"checkbox\" id=\"heat\" checked><label for=\"heat\">show the heat</label>\n"
          "<div class=\"gallery\">\n",
          k->g->f);
    right_ones(k);
    wrong_ones(k);
    fputs("</div>\n", k->g->f);
}

static bool prepare(cam *k, const char *path)
{
    pith_ctx *c = k->g->c;
    k->m = pith_model_load(c, path);
    const pith_shape in = k->m != NULL ? pith_shape_of(pith_model_input(k->m)) : (pith_shape){ 0 };
    if (k->m == NULL || pith_size(pith_model_output(k->m)) != k->r->val.classes || in.ndim != 4 ||
        in.d[1] != in.d[2] || in.d[3] != 3 || in.d[1] > SIZE_MOST)
        return false;
    k->size = (int)in.d[1];
    while (k->size / ++k->by >= SIDE) {}
    const int64_t places = in.d[1] * in.d[1];
    k->x = PITHP_POOL_N(k->g->pool, pith_real, 3 * places);
    k->map = PITHP_POOL_N(k->g->pool, pith_real, places);
    k->rgb = PITHP_POOL_N(k->g->pool, uint8_t, 3 * places);
    k->rgba = PITHP_POOL_N(k->g->pool, uint8_t, 4 * places);
    if (k->x == NULL || k->map == NULL || k->rgb == NULL || k->rgba == NULL)
        return false;
    /* Whether there are maps is known before a heading stands there. */
    const int32_t class = 0;
    return pith_grad_cam(k->m, k->x, 1, &class, NULL, k->map) == PITH_OK;
}

/* Of one run's float network, where its model and the photographs are. */
void pithp_page_cam(pithp_page *g)
{
    const pithp_run *u = &g->lab->run[0];
    const pithp_result *r = u->reference >= 0 ? &g->lab->result[u->reference] : NULL;
    if (g->lab->n_runs > 1 || r == NULL || r->val.n == 0 || g->cfg.pictures < 0)
        return;
    cam k = { .g = g, .r = r, .folder = pithp_photographs(g, u) };
    const char *path = pithp_pool_text(g->pool, "%s/last.pith", r->dir);
    if (k.folder == NULL || k.folder[0] == 0 || path == NULL || access(path, R_OK) != 0)
        return;
    if (prepare(&k, path))
        gallery(&k);
    else if (pith_ctx_status(g->c) != PITH_ENOMEM)
        pith_ctx_clear(g->c); /* a model that cannot be read is told with its layers */
    pith_model_free(k.m);
}
