/* report/heat.c: maps as colours over pictures. */
#include "report/picture.h"

#include <math.h>
#include <pith/explain.h>

void pithp_heat(double value, uint8_t rgba[4])
{
    static const double stops[5][3] = {
        { 40, 50, 200 }, { 0, 150, 230 }, { 50, 190, 90 }, { 250, 205, 40 }, { 220, 35, 25 }
    };
    const double v = value > 0 ? fmin(value, 1) : 0, at = v * 4; /* NAN too is 0 */
    const int k = at < 3 ? (int)at : 3;
    for (int i = 0; i < 3; i++)
        rgba[i] = (uint8_t)lround(stops[k][i] + (at - k) * (stops[k + 1][i] - stops[k][i]));
    rgba[3] = (uint8_t)lround(190 * v);
}

static uint8_t blend(double under, uint8_t over, uint8_t opaque)
{
    under = under > 0 ? fmin(under, 255) : 0;
    return (uint8_t)lround(under + (over - under) * opaque / 255);
}

pith_status pith_cam_save(pith_ctx *c, const char *path, const pith_real *x, const pith_real *map, int height,
                          int width)
{
    enum { MOST = 16384 };
    if (c->status)
        return c->status;
    if (height < 1 || width < 1 || height > MOST || width > MOST)
        return pithp_error(c, PITH_EINVAL, "%s: a picture of %d x %d; 1 to %d a side are expected", path,
                           height, width, (int)MOST);
    pithp_pool pool = { .c = c };
    const size_t n = (size_t)height * (size_t)width;
    uint8_t *pixels = pithp_pool_take(&pool, n, 3), heat[4];
    for (size_t i = 0; i < n && pixels != NULL; i++) {
        pithp_heat((double)map[i], heat);
        for (size_t k = 0; k < 3; k++)
            pixels[3 * i + k] = blend(128 * (double)x[3 * i + k] + 128, heat[k], heat[3]);
    }
    size_t size = 0;
    uint8_t *png =
        pixels == NULL ? NULL : pithp_png(&pool, pixels, width, height, 3 * (size_t)width, 3, &size);
    if (png != NULL)
        pithp_file_write(c, path, png, size);
    pithp_pool_free(&pool);
    return c->status;
}
