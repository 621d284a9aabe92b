/* file/packed.c: leaves whose values are few: as codes of 1 to 8 bits, or as halves, when that loses nothing. */
#include "file/graph_json.h"
#include <math.h>
#include <string.h>

/* What the ops that read t say, if all who read it (among the saved nodes) say the same. */
static bool rule_for(const pithp_saved *s, const pith_tensor *t, pithp_stored *how)
{
    int users = 0;
    for (size_t i = s->id[t->id] + 1; i < s->n; i++) {
        const pith_tensor *u = s->nodes[i];
        for (int k = 0; k < u->n_in; k++) {
            if (u->in[k] != t)
                continue;
            bool found = false;
            for (size_t r = 0; r < pithp_stored_rules_n && !found; r++)
                found = pithp_stored_rules[r](u, k, how);
            if (!found || users++)
                return false;
        }
    }
    return users == 1;
}

pithp_st_dtype pithp_packed_type(const pithp_stored *how, bool scaled, pith_shape values, pith_shape *shape)
{
    *shape = values;
    if (scaled && how->bits == 8)
        return PITHP_ST_I8;
    *shape = PITH_SHAPE((int64_t)pithp_bits_bytes((size_t)pithp_count(values), how->bits));
    return PITHP_ST_U8;
}

/* Codes of t's values, one a byte, those of a scale with 2^(bits-1) added. False: they are not exactly codes. */
static bool codes_of(const pith_tensor *t, const pithp_stored *how, uint8_t *code)
{
    int64_t n = pithp_count(t->shape), inner = 1, half = 1 << (how->bits - 1);
    if (!how->scale) {
        const int32_t *v = t->value;
        for (int64_t i = 0; i < n; i++) {
            if (v[i] < 0 || v[i] >= 2 * half)
                return false;
            code[i] = (uint8_t)v[i];
        }
        return true;
    }
    const pith_real *v = t->value, *scale = how->scale->value;
    int64_t channels = pithp_count(how->scale->shape);
    for (int i = how->axis + 1; channels > 1 && i < t->shape.ndim; i++)
        inner *= t->shape.d[i];
    for (int64_t i = 0; i < n; i++) {
        pith_real sc = scale[i / inner % channels];
        double q = round((double)v[i] / (double)sc);
        if (!(q >= -(double)half && q < (double)half) || v[i] != sc * (pith_real)q)
            return false;
        code[i] = (uint8_t)((int)q + half);
    }
    return true;
}

pith_status pithp_pack_leaf(const pithp_saved *s, const pith_tensor *t, pithp_stored *how, void **codes)
{
    *codes = NULL;
    if (!rule_for(s, t, how) || t->dtype != (how->scale ? PITH_F32 : PITH_I32))
        return PITH_OK;
    size_t n = (size_t)pithp_count(t->shape);
    uint8_t *code = pithp_alloc(s->c, n, 1), *packed = NULL;
    if (!code)
        return PITH_ENOMEM;
    bool exact = codes_of(t, how, code);
    if (exact && how->scale && how->bits == 8) { /* as int8 */
        for (size_t i = 0; i < n; i++)
            code[i] = (uint8_t)(code[i] ^ 0x80u);
        *codes = code;
        return PITH_OK;
    }
    if (exact && (packed = pithp_alloc(s->c, pithp_bits_bytes(n, how->bits), 1)) != NULL)
        pithp_bits_pack(code, n, how->bits, packed);
    pithp_free(s->c, code);
    *codes = packed;
    return exact && !packed ? PITH_ENOMEM : PITH_OK;
}

/* Without a buffer of codes: each is taken from the bytes around it. */
void pithp_unpack_leaf(const uint8_t *codes, int bits, int64_t n, const pith_real *scale, int64_t channels,
                       int64_t inner, void *values)
{
    for (int64_t i = 0; i < n; i++) {
        size_t bit = (size_t)i * (size_t)bits, byte = bit / 8, shift = bit % 8;
        unsigned both = codes[byte];
        if (shift + (size_t)bits > 8)
            both |= (unsigned)codes[byte + 1] << 8;
        int code = (int)(both >> shift & ((1u << bits) - 1));
        if (!scale)
            ((int32_t *)values)[i] = code;
        else {
            code = bits == 8 ? (int8_t)code : code - (1 << (bits - 1));
            ((pith_real *)values)[i] = scale[i / inner % channels] * (pith_real)code;
        }
    }
}

pith_status pithp_pack_half(pith_ctx *c, const pith_tensor *t, void **halves)
{
    *halves = NULL;
    int64_t n = pithp_count(t->shape);
    const pith_real *v = t->value;
    for (int64_t i = 0; i < n; i++)
        if ((pith_real)pithp_half_to(pithp_half_from((float)v[i])) != v[i])
            return PITH_OK;
    uint16_t *h = PITHP_NEW_N(c, uint16_t, n);
    if (!h)
        return PITH_ENOMEM;
    for (int64_t i = 0; i < n; i++)
        h[i] = pithp_half_from((float)v[i]);
    *halves = h;
    return PITH_OK;
}
