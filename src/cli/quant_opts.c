/* cli/quant_opts.c: words of the command line to a pith_quant_cfg. */
#include "cli/quant_opts.h"

#include <string.h>

/* The place of a word (n bytes) in a list that NULL ends; -1: it is not there. */
static int word_at(const char *const *list, const char *word, size_t n)
{
    for (int i = 0; list[i] != NULL; i++)
        if (strlen(list[i]) == n && strncmp(list[i], word, n) == 0)
            return i;
    return -1;
}

static bool choose_improvers(const char *list, unsigned *improve)
{
    static const char *const names[] = { "cle", "bn", "bias", "adaround", NULL };
    *improve = 0;
    for (const char *at = list; at != NULL && *at != 0;) {
        size_t n = strcspn(at, ",");
        int i = word_at(names, at, n);
        if (i < 0) {
            say("--improve %.*s: not known; cle, bn, bias, adaround, with commas between", (int)n, at);
            return false;
        }
        *improve |= 1U << i; /* PITH_IMPROVE_EQUALIZE, _BN, _BIAS, _ADAROUND */
        at += n + (at[n] == ',');
    }
    return true;
}

bool quant_opts_cfg(const quant_opts *q, const char *scheme, uint64_t seed, pith_quant_cfg *f)
{
    static const char *const schemes[] = { "int8", "float16", "dynamic", "codebook", NULL };
    static const char *const methods[] = { "minmax", "average", "percentile", "mse", "entropy", NULL };
    int way = word_at(schemes, scheme, strlen(scheme)),
        method = q->calib == NULL ? 0 : word_at(methods, q->calib, strlen(q->calib));
    *f = (pith_quant_cfg){ .bits_weights = q->bits_weights,
                           .bits_activations = q->bits_activations,
                           .bits_ends = q->bits_ends,
                           .conv_per_tensor = q->conv_per_tensor,
                           .dense_per_channel = q->dense_per_channel,
                           .layers = q->layers,
                           .keep_norms = q->keep_norms,
                           .skip = q->skip,
                           .samples = q->samples,
                           .seed = seed,
                           .adaround_steps = q->adaround_steps,
                           .improve_samples = q->improve_samples };
    if (way < 0)
        say("--scheme %s: not known; int8, float16, dynamic or codebook", scheme);
    else if (method < 0)
        say("--calib %s: not known; minmax, average, percentile, mse or entropy", q->calib);
    else if (choose_improvers(q->improve, &f->improve)) {
        f->scheme = (pith_quant_scheme)way;
        f->calib.method = (pith_calib_method)method;
        f->calib.percentile = q->percentile;
        return true;
    }
    return false;
}

bool quant_few_bits(const quant_opts *q)
{
    const int bits[] = { q->bits_weights, q->bits_activations, q->bits_ends };
    bool few = false;
    for (int i = 0; i < 3; i++)
        few |= bits[i] > 0 && bits[i] < 8;
    return few;
}

bool qat_opts_cfg(const quant_opts *q, const qat_opts *a, int64_t steps, pith_quant_cfg *f)
{
    double share = a->freeze != 0 ? a->freeze : 0.5;
    int64_t freeze = share < 1 ? (int64_t)(share * (double)steps) : 0;
    if (!quant_opts_cfg(q, "int8", 0, f))
        return false;
    if (f->bits_activations > 0 && f->bits_activations < 8)
        f->calib.method = PITH_CALIB_MSE;
    f->observe_steps = a->observe;
    f->freeze_bn = freeze;
    f->freeze_ranges = freeze > (a->observe ? a->observe : 20) ? freeze : 0;
    if (a->lsq == NULL || strcmp(a->lsq, "auto") == 0)
        return true;
    f->lsq = strcmp(a->lsq, "on") == 0 ? 1 : -1;
    if (f->lsq > 0 || strcmp(a->lsq, "off") == 0)
        return true;
    say("--lsq %s: auto, on or off", a->lsq);
    return false;
}
