/* data/augment.c: which variant of an image a training sees: a function of (seed, epoch, sample) alone. */
#include "data/data.h"
#include <math.h>

pith_augment_cfg pithp_augment_defaults(pith_augment_cfg a)
{
    a.scale_min = PITH_OR(a.scale_min, 0.35);
    a.scale_max = PITH_OR(a.scale_max, 1.0);
    a.ratio_min = PITH_OR(a.ratio_min, 3.0 / 4);
    a.ratio_max = PITH_OR(a.ratio_max, 4.0 / 3);
    a.flip = PITH_OR(a.flip, 0.5);
    a.brightness = PITH_OR(a.brightness, 0.2);
    a.contrast = PITH_OR(a.contrast, 0.2);
    a.saturation = PITH_OR(a.saturation, 0.2);
    a.hue = PITH_OR(a.hue, 0.0);
    a.rotate = PITH_OR(a.rotate, 0.0);
    a.cutout = PITH_OR(a.cutout, 0.0);
    a.cutout_min = PITH_OR(a.cutout_min, 0.02);
    a.cutout_max = PITH_OR(a.cutout_max, 0.33);
    a.mixup = PITH_OR(a.mixup, 0.0);
    a.cutmix = PITH_OR(a.cutmix, 0.0);
    a.mix = PITH_OR(a.mix, 1.0);
    return a;
}

void pithp_augment_key(const pith_augment_cfg *a, uint64_t *seed, uint32_t *epoch)
{
    if (a->variants == 0)
        return;
    *seed = a->variants_seed;
    *epoch %= (uint32_t)a->variants;
}

const char *pithp_augment_check(const pith_augment_cfg *a)
{
    if (!(a->scale_min > 0 && a->scale_min <= a->scale_max && a->scale_max <= 1))
        return "crop scale: expected 0 < scale_min <= scale_max <= 1";
    if (!(a->ratio_min >= 0.01 && a->ratio_min <= a->ratio_max && a->ratio_max <= 100))
        return "crop ratio: expected 0.01 <= ratio_min <= ratio_max <= 100";
    if (!(a->flip >= 0 && a->flip <= 1))
        return "flip: expected a probability from 0 to 1";
    if (!(a->brightness >= 0 && a->brightness <= 1 && a->contrast >= 0 && a->contrast <= 1 &&
          a->saturation >= 0 && a->saturation <= 1))
        return "brightness, contrast, saturation: expected 0 to 1";
    if (!(a->hue >= 0 && a->hue <= 0.5))
        return "hue: expected 0 to 0.5";
    if (!(a->rotate >= 0 && a->rotate <= 180))
        return "rotate: expected 0 to 180 degrees";
    if (!(a->cutout >= 0 && a->cutout <= 1 && a->mix >= 0 && a->mix <= 1))
        return "cutout, mix: expected a probability from 0 to 1";
    if (!(a->cutout_min > 0 && a->cutout_min <= a->cutout_max && a->cutout_max <= 1))
        return "cutout's area: expected 0 < cutout_min <= cutout_max <= 1";
    if (!((a->mixup == 0 || (a->mixup >= 0.01 && a->mixup <= 100)) &&
          (a->cutmix == 0 || (a->cutmix >= 0.01 && a->cutmix <= 100))))
        return "mixup, cutmix: expected 0 (off), or 0.01 to 100";
    if (a->variants < 0 || a->variants > 1000000)
        return "variants: expected 0 (another one every epoch), or 1 to 1000000";
    return NULL;
}

static double between(pithp_rand *r, double low, double high)
{
    return low + (high - low) * pithp_rand_uniform(r);
}

/* Ten tries at a crop of the wanted area and ratio, as everybody does; then the largest one in the middle. */
static void draw_crop(const pith_augment_cfg *a, pithp_rand *r, int w, int h, pithp_variant *v)
{
    double area = (double)w * h, low = log(a->ratio_min), high = log(a->ratio_max);
    for (int attempt = 0; attempt < 10; attempt++) {
        double target = area * between(r, a->scale_min, a->scale_max), ratio = exp(between(r, low, high));
        double cw = floor(sqrt(target * ratio) + 0.5), ch = floor(sqrt(target / ratio) + 0.5);
        if (!(cw >= 1 && cw <= w && ch >= 1 && ch <= h))
            continue;
        v->w = (int)cw;
        v->h = (int)ch;
        v->y = (int)pithp_rand_below(r, (uint64_t)(h - v->h) + 1);
        v->x = (int)pithp_rand_below(r, (uint64_t)(w - v->w) + 1);
        return;
    }
    double ratio = (double)w / h;
    v->w = ratio > a->ratio_max ? (int)floor(h * a->ratio_max + 0.5) : w;
    v->h = ratio < a->ratio_min ? (int)floor(w / a->ratio_min + 0.5) : h;
    v->w = PITHP_MIN(PITHP_MAX(v->w, 1), w);
    v->h = PITHP_MIN(PITHP_MAX(v->h, 1), h);
    v->x = (w - v->w) / 2;
    v->y = (h - v->h) / 2;
}

pithp_variant pithp_variant_draw(const pith_augment_cfg *a, uint64_t seed, uint32_t epoch, uint64_t sample,
                                 int w, int h)
{
    pithp_variant v = { 0 };
    pithp_rand crop = pithp_rand_at(seed, epoch, sample, PITHP_USE_CROP);
    pithp_rand flip = pithp_rand_at(seed, epoch, sample, PITHP_USE_FLIP);
    pithp_rand colour = pithp_rand_at(seed, epoch, sample, PITHP_USE_COLOUR);
    draw_crop(a, &crop, w, h, &v);
    v.flip = pithp_rand_uniform(&flip) < a->flip;
    v.colour = a->brightness > 0 || a->contrast > 0 || a->saturation > 0 || a->hue > 0;
    v.brightness = between(&colour, 1 - a->brightness, 1 + a->brightness);
    v.contrast = between(&colour, 1 - a->contrast, 1 + a->contrast);
    v.saturation = between(&colour, 1 - a->saturation, 1 + a->saturation);
    v.hue = between(&colour, -a->hue, a->hue);
    return v;
}

/* The centre square of 7/8 of the short side, but no fewer than `size` pixels where there are as many: what evaluation,
   prediction and the device see. Random crops show objects larger than the whole picture does; 7/8 (224 of 256) is
   the customary answer. Source: Szegedy et al. 2014; Touvron et al., "Fixing the train-test resolution discrepancy", 2019. */
pithp_variant pithp_variant_eval(int w, int h, int size)
{
    int whole = PITHP_MIN(w, h), side = PITHP_MIN(whole, PITHP_MAX(whole * 7 / 8, size));
    return (pithp_variant){ .x = (w - side) / 2, .y = (h - side) / 2, .w = side, .h = side };
}
