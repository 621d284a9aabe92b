/* A training's recipe from the command line's options. */
#include "cli/cli.h"

#include <errno.h>
#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool choose(const char *value, const char *const *names, int n, int *out, const char *option)
{
    *out = 0;
    if (value == NULL)
        return true;
    for (int i = 0; i < n; i++)
        if (strcmp(names[i], value) == 0) {
            *out = i;
            return true;
        }
    char all[128] = "";
    for (int i = 0; i < n; i++)
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", i == 0 ? "" : ", ", names[i]);
    say("--%s %s: not known; there are %s", option, value, all);
    return false;
}

/* PATTERN=FACTOR; the last '=' counts. */
static bool read_scales(recipe *r)
{
    for (int i = 0; i < r->lr_scale.n; i++) {
        const char *text = r->lr_scale.text[i], *equals = strrchr(text, '=');
        char *end = NULL;
        size_t n = equals == NULL ? 0 : (size_t)(equals - text);
        double factor = equals == NULL ? -1 : strtod(equals + 1, &end);
        if (n == 0 || n >= sizeof r->patterns[0] || end == equals + 1 || *end != 0 ||
            !(factor >= 0 && factor <= 1e6)) {
            say("--lr-scale %s: PATTERN=FACTOR is expected, as 'classifier.*=10', the factor from 0 to 1e6",
                text);
            return false;
        }
        memcpy(r->patterns[i], text, n);
        r->patterns[i][n] = 0;
        r->scales[i] = (pith_lr_scale){ r->patterns[i], factor };
    }
    return true;
}

static bool read_freeze(const recipe *r)
{
    for (int i = 0; i < r->freeze.n; i++) {
        const char *text = r->freeze.text[i];
        if (text[text[0] == '!'] == 0) {
            say("--freeze '%s': a pattern of names is expected, as 'blocks.*'", text);
            return false;
        }
    }
    if (r->unfreeze_after > 0 && r->freeze.n == 0) {
        say("--unfreeze-after %d: there is nothing to unfreeze; --freeze PATTERN says what",
            r->unfreeze_after);
        return false;
    }
    return true;
}

/* "balanced", or a number for each class, in the order of their names. */
static bool read_weights(recipe *r)
{
    const char *at = r->class_weights;
    r->n_weights = 0;
    if (at == NULL || strcmp(at, "balanced") == 0)
        return true;
    for (;; at++) {
        char *end;
        double w = strtod(at, &end);
        if (end == at || !(w >= 0 && w <= 1e6) || (*end != ',' && *end != 0) || r->n_weights == CLASSES_MOST)
            break;
        r->weights[r->n_weights++] = w;
        if (*end == 0)
            return true;
        at = end;
    }
    say("--class-weights %s: 'balanced', or a number from 0 to 1e6 for each class (%d at most), as '1,2.5', "
        "is expected",
        r->class_weights, CLASSES_MOST);
    return false;
}

static bool mixes(const char *option, double a)
{
    if (a == 0 || a == PITH_ZERO || a >= 0.01)
        return true;
    say("--%s %g: 0 (off), or a number from 0.01 to 100 is expected", option, a);
    return false;
}

static pith_augment_cfg augmentation(const recipe *r)
{
    pith_augment_cfg a = {
        .scale_min = r->crop_min, .brightness = r->jitter, .contrast = r->jitter, .saturation = r->jitter
    };
    if (r->no_augment)
        a = (pith_augment_cfg){ .scale_min = 1,
                                .scale_max = 1,
                                .ratio_min = 1,
                                .ratio_max = 1,
                                .flip = PITH_ZERO,
                                .brightness = PITH_ZERO,
                                .contrast = PITH_ZERO,
                                .saturation = PITH_ZERO };
    a.hue = r->hue;
    a.rotate = r->rotate;
    a.cutout = r->cutout;
    a.mixup = r->mixup;
    a.cutmix = r->cutmix;
    a.mix = r->mix_share;
    return a;
}

bool recipe_read(recipe *r, uint64_t seed, pith_fit_cfg *f)
{
    static const char *const optimizers[] = { "sgd", "adamw", "rmsprop" }, *const schedules[] = {
        "cosine", "step", "constant", "onecycle", "exponential"
    };
    int kind, schedule;
    if (!choose(r->optimizer, optimizers, 3, &kind, "optimizer") ||
        !choose(r->schedule, schedules, 5, &schedule, "schedule") || !read_scales(r) || !read_freeze(r) ||
        !read_weights(r) || !mixes("mixup", r->mixup) || !mixes("cutmix", r->cutmix))
        return false;
    *f = (pith_fit_cfg){ .epochs = r->epochs,
                         .batch = r->batch,
                         .seed = seed,
                         .smoothing = r->smoothing,
                         .accumulate = r->accumulate,
                         .class_weights = r->n_weights > 0 ? r->weights : NULL,
                         .n_class_weights = r->n_weights,
                         .balance = r->class_weights != NULL && r->n_weights == 0,
                         .augment = augmentation(r),
                         .freeze = r->freeze.text,
                         .n_freeze = r->freeze.n,
                         .freeze_epochs = r->unfreeze_after };
    f->opt = (pith_opt_cfg){ .kind = (pith_opt_kind)kind,
                             .lr = r->lr,
                             .momentum = r->momentum,
                             .ema_decay = r->ema,
                             .weight_decay = r->weight_decay,
                             .clip_norm = r->clip,
                             .nesterov = true,
                             .lr_scale = r->scales,
                             .n_lr_scale = r->lr_scale.n };
    f->schedule = (pith_schedule_cfg){ .kind = (pith_schedule_kind)schedule,
                                       .warmup_epochs = r->warmup,
                                       .final_lr = r->final_lr,
                                       .gamma = r->gamma,
                                       .step_epochs = r->step_epochs };
    return true;
}

/* ---- Image sizes by epoch ---- */
static bool whole(const char **at, int low, int high, int *out)
{
    char *end;
    errno = 0;
    long v = strtol(*at, &end, 10);
    if (end == *at || errno != 0 || v < low || v > high)
        return false;
    *at = end;
    *out = (int)v;
    return true;
}

/* LOW:HIGH: four stages of equal length, as EfficientNetV2 was trained; sizes are multiples of 8 on the way. */
static void stages(recipe *r, int low, int high)
{
    enum { STAGES = 4 };
    int epochs = r->epochs ? r->epochs : 40;
    for (int i = 0; i < STAGES; i++) {
        int from = (int)lround((double)epochs * i / STAGES);
        int size = (int)lround((low + (double)(high - low) * i / (STAGES - 1)) / 8) * 8;
        if (r->n_sizes > 0 && r->sizes[r->n_sizes - 1].from_epoch == from)
            r->n_sizes--; /* fewer epochs than stages */
        r->sizes[r->n_sizes++] = (pith_size_step){ from, i == 0 ? low : i == STAGES - 1 ? high : size };
    }
}

static bool read_list(recipe *r, const char *at)
{
    for (; r->n_sizes < LIST_MOST; at++) {
        pith_size_step *s = &r->sizes[r->n_sizes], *before = s - 1;
        *s = (pith_size_step){ 0 };
        if (!whole(&at, 8, 1024, &s->size))
            return false;
        if (r->n_sizes > 0 &&
            (*at++ != '@' || !whole(&at, 1, 100000, &s->from_epoch) || s->from_epoch <= before->from_epoch))
            return false;
        r->n_sizes++;
        if (*at != ',')
            return *at == 0;
    }
    return false;
}

static bool read_sizes(recipe *r, const char *text)
{
    const char *at = text;
    int low, high;
    if (strchr(text, ':') == NULL)
        return read_list(r, text);
    if (!whole(&at, 8, 1024, &low) || *at++ != ':' || !whole(&at, 8, 1024, &high) || *at != 0)
        return false;
    stages(r, low, high);
    return true;
}

bool recipe_sizes(recipe *r, const char *text, int *size)
{
    *size = r->n_sizes = 0;
    if (text == NULL)
        return true;
    if (!read_sizes(r, text)) {
        say("--image-size %s: a size from 8 to 1024 (96), a range (64:96), or sizes with the epochs after "
            "which they "
            "come, these increasing (64,80@10,96@20), is expected",
            text);
        return false;
    }
    int epochs = r->epochs ? r->epochs : 40, last = r->sizes[r->n_sizes - 1].from_epoch;
    if (last >= epochs) {
        say("--image-size %s: there are %d epochs, so none comes after the %dth", text, epochs, last);
        return false;
    }
    for (int i = 0; i < r->n_sizes; i++)
        if (r->sizes[i].size > *size)
            *size = r->sizes[i].size;
    if (r->n_sizes == 1)
        r->n_sizes = 0; /* the same throughout: nothing progresses */
    return true;
}

/* ---- Patterns ---- */
static bool matches(const pith_model *m, const char *pattern)
{
    for (int i = 0; pith_model_param(m, i) != NULL; i++)
        if (pith_name(pith_model_param(m, i)) != NULL &&
            fnmatch(pattern, pith_name(pith_model_param(m, i)), 0) == 0)
            return true;
    return false;
}

static bool pattern_fits(const pith_model *m, const char *option, const char *pattern)
{
    if (matches(m, pattern))
        return true;
    say("--%s: no parameter of %s is called '%s'; the first is called '%s', and 'pith info' lists all layers",
        option, pith_model_name(m), pattern, pith_name(pith_model_param(m, 0)));
    return false;
}

static bool all_frozen(const recipe *r, const pith_model *m)
{
    const pith_tensor *p;
    for (int i = 0; (p = pith_model_param(m, i)) != NULL; i++) {
        bool frozen = false;
        for (int k = 0; k < r->freeze.n; k++) {
            const char *pattern = r->freeze.text[k];
            bool free_again = pattern[0] == '!';
            if (fnmatch(pattern + free_again, pith_name(p), 0) == 0)
                frozen = !free_again;
        }
        if (!frozen)
            return false;
    }
    return true;
}

bool recipe_fits(const recipe *r, const pith_model *m)
{
    for (int i = 0; i < r->lr_scale.n; i++)
        if (!pattern_fits(m, "lr-scale", r->patterns[i]))
            return false;
    for (int i = 0; i < r->freeze.n; i++)
        if (!pattern_fits(m, "freeze", r->freeze.text[i] + (r->freeze.text[i][0] == '!')))
            return false;
    if (r->freeze.n > 0 && all_frozen(r, m)) {
        say("--freeze: nothing is left to train; free some again, as with --freeze '!classifier.*'");
        return false;
    }
    return true;
}
