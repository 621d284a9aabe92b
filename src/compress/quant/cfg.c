/* compress/quant/cfg.c: what a pith_quant_cfg says: defaults, checks, patterns of layer names. */
#include "compress/quant/quant.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_ROOM = 256 };

/* The next of the parts that commas separate, copied to buf; NULL after the last. A part that is too long ends the list. */
static const char *next_part(const char *at, char buf[NAME_ROOM])
{
    if (at == NULL || *at == 0)
        return NULL;
    size_t n = strcspn(at, ",");
    if (n >= NAME_ROOM)
        return NULL;
    memcpy(buf, at, n);
    buf[n] = 0;
    return at + n + (at[n] == ',');
}

bool pithp_quant_matches(const char *patterns, const char *name)
{
    char part[NAME_ROOM];
    for (const char *at = patterns; (at = next_part(at, part)) != NULL;)
        if (fnmatch(part, name, 0) == 0)
            return true;
    return false;
}

/* "pattern=bits": the bits, or 0 if it is not that. Cuts the pattern off. */
static int part_bits(char *part)
{
    char *eq = strrchr(part, '='), *end = NULL;
    if (eq == NULL || eq == part)
        return 0;
    long bits = strtol(eq + 1, &end, 10);
    *eq = 0;
    return end == eq + 1 || *end != 0 || bits < 2 || bits > 8 ? 0 : (int)bits;
}

int pithp_quant_layer_bits(const pith_quant_cfg *cfg, const char *name, int otherwise)
{
    char part[NAME_ROOM];
    for (const char *at = cfg->layers; (at = next_part(at, part)) != NULL;) {
        int bits = part_bits(part);
        if (bits > 0 && fnmatch(part, name, 0) == 0)
            return bits;
    }
    return otherwise;
}

/* Whether some op of the model has a name that the pattern matches. */
static bool matches_some(const pith_model *m, const char *pattern)
{
    for (size_t i = 0; i < m->g->n; i++)
        if (m->g->nodes[i]->op != NULL && m->g->nodes[i]->name != NULL &&
            fnmatch(pattern, m->g->nodes[i]->name, 0) == 0)
            return true;
    return false;
}

static pith_status patterns_check(const pith_model *m, const char *list, const char *verb, const char *what,
                                  bool bits)
{
    char part[NAME_ROOM], whole[NAME_ROOM];
    for (const char *at = list; at != NULL && *at != 0;) {
        size_t n = strcspn(at, ",");
        if (n >= NAME_ROOM)
            return pithp_error(m->ctx, PITH_EINVAL, "%s: %s: a pattern of %zu bytes; at most %d", verb, what,
                               n, NAME_ROOM - 1);
        at = next_part(at, part);
        snprintf(whole, sizeof whole, "%s", part);
        if (bits && part_bits(part) == 0)
            return pithp_error(m->ctx, PITH_EINVAL, "%s: %s: '%s'; PATTERN=BITS with 2 to 8 bits is expected",
                               verb, what, whole);
        if (!matches_some(m, part))
            return pithp_error(m->ctx, PITH_EINVAL,
                               "%s: %s: '%s' matches no layer of model '%s' (pith info lists them)", verb,
                               what, part, m->name);
    }
    return PITH_OK;
}

pith_status pithp_skip_check(const pith_model *m, const char *skip, const char *verb)
{
    return patterns_check(m, skip, verb, "skip", false);
}

pith_status pithp_quant_cfg_check(const pith_model *m, pith_quant_cfg *f)
{
    pith_ctx *c = m->ctx;
    f->bits_weights = f->bits_weights ? f->bits_weights : 8;
    f->bits_activations = f->bits_activations ? f->bits_activations : 8;
    if (f->bits_ends < 0)
        f->bits_ends = f->bits_weights;
    else if (f->bits_ends == 0)
        f->bits_ends = 8;
    f->samples = f->samples ? f->samples : 512;
    f->momentum = PITH_OR(f->momentum, 0.01);
    f->adaround_steps = f->adaround_steps ? f->adaround_steps : 500;
    f->improve_samples = f->improve_samples ? f->improve_samples : 256;
    f->observe_steps = f->observe_steps ? f->observe_steps : 20;
    const struct {
        const char *name;
        int64_t value, low, high;
    } range[] = { { "bits of weights", f->bits_weights, 2, 8 },
                  { "bits of activations", f->bits_activations, 4, 8 },
                  { "bits of the first and last layer", f->bits_ends, 2, 8 },
                  { "samples", f->samples, 1, 1 << 24 },
                  { "scheme", (int64_t)f->scheme, PITH_SCHEME_INT8, PITH_SCHEME_CODEBOOK },
                  { "improve", f->improve, 0, 2 * PITH_IMPROVE_ADAROUND - 1 },
                  { "adaround_steps", f->adaround_steps, 1, 1 << 24 },
                  { "improve_samples", f->improve_samples, 1, 1 << 20 },
                  { "lsq", f->lsq, -1, 1 },
                  { "observe_steps", f->observe_steps, 1, 1 << 24 },
                  { "freeze_ranges", f->freeze_ranges, 0, 1 << 24 },
                  { "freeze_bn", f->freeze_bn, 0, 1 << 24 } };
    for (size_t i = 0; i < PITHP_LEN(range); i++)
        if (range[i].value < range[i].low || range[i].value > range[i].high)
            return pithp_error(c, PITH_EINVAL, "quantization: %s: %lld; %lld to %lld is expected",
                               range[i].name, (long long)range[i].value, (long long)range[i].low,
                               (long long)range[i].high);
    if (!(f->momentum >= 0 && f->momentum <= 1))
        return pithp_error(c, PITH_EINVAL, "quantization: momentum %g; 0 to 1 is expected", f->momentum);
    if (f->keep_norms && (f->scheme != PITH_SCHEME_CODEBOOK || f->improve & PITH_IMPROVE_EQUALIZE))
        return pithp_error(c, PITH_EINVAL,
                           "quantization: batch norms can stay in the codebook scheme alone, without "
                           "equalisation; leave keep_norms (--keep-norms) out");
    if (f->freeze_ranges > 0 && f->freeze_ranges < f->observe_steps)
        return pithp_error(c, PITH_EINVAL,
                           "quantization: ranges freeze at step %lld, before they have been observed "
                           "for %lld steps",
                           (long long)f->freeze_ranges, (long long)f->observe_steps);
    pith_status s = patterns_check(m, f->layers, "quantization", "layers", true);
    return s ? s : pithp_skip_check(m, f->skip, "quantization");
}
