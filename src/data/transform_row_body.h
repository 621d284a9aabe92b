/* data/transform_row_body.h: transform_row.c's loop for vectors of P pixels, four lanes each (the fourth unused). It is included
   once for each P, with NAME(x) giving the names of that copy, and SPREAD(v, i), which repeats lane i of every pixel. */
typedef float NAME(vf) __attribute__((vector_size(16 * P)));
typedef int32_t NAME(vi) __attribute__((vector_size(16 * P)));

INLINE NAME(vf) NAME(whole)(NAME(vf) v)
{
    return __builtin_convertvector(__builtin_convertvector(v, NAME(vi)), NAME(vf));
}

INLINE NAME(vf) NAME(clamp255)(NAME(vf) v)
{
    const NAME(vf) zero = { 0 }, top = zero + 255.0f;
    NAME(vi) above = v > top, positive = v > zero;
    v = (NAME(vf))(((NAME(vi))v & ~above) | ((NAME(vi))top & above));
    return (NAME(vf))((NAME(vi))v & positive);
}

/* P pixels of output. w [taps][P][4]: their weights; first [P]: where each begins in the line. */
INLINE NAME(vf)
    NAME(pixels)(const float *w, const float *line, const int32_t *first, int taps, const pithp_colour *m)
{
    NAME(vf) v = { 0 };
    for (int k = 0; k < taps; k++) {
        NAME(vf) wk;
        memcpy(&wk, w + 4 * P * k, sizeof wk);
        v += wk * NAME(gather)(line + 3 * k, first);
    }
    v = NAME(whole)(v * 0x1p-16f + 0.5f);
    if (m) {
        v = NAME(repeat)(m->column[0]) * SPREAD(v, 0) + NAME(repeat)(m->column[1]) * SPREAD(v, 1) +
            NAME(repeat)(m->column[2]) * SPREAD(v, 2) + NAME(repeat)(m->offset);
        v = NAME(whole)(NAME(clamp255)(v) + 0.5f);
    }
    return (v - 128.0f) * 0x1p-7f;
}

INLINE void NAME(row_of)(const pithp_row *r, int taps, const pithp_colour *m, pith_real *out)
{
    const float *w = r->w;
    const size_t step = (size_t)4 * P * (size_t)r->max_taps;
    int x = 0;
    for (; x + P < r->size; x += P, w += step, out += 3 * P)
        NAME(store)(out, NAME(pixels)(w, r->line, r->first + x, taps, m));
    pith_real last[4 * P]; /* beyond the last pixel is another image, or nothing */
    NAME(store)(last, NAME(pixels)(w, r->line, r->first + x, taps, m));
    memcpy(out, last, (size_t)(r->size - x) * 3 * sizeof *out);
}

INLINE void NAME(row)(const pithp_row *r, pith_real *out)
{
    const pithp_colour copy = r->m ? *r->m : (pithp_colour){ 0 }, *m = r->m ? &copy : NULL;
    switch (r->taps) { /* the compiler unrolls the common cases */
    case 2: m ? NAME(row_of)(r, 2, m, out) : NAME(row_of)(r, 2, NULL, out); break;
    case 3: m ? NAME(row_of)(r, 3, m, out) : NAME(row_of)(r, 3, NULL, out); break;
    case 4: m ? NAME(row_of)(r, 4, m, out) : NAME(row_of)(r, 4, NULL, out); break;
    default: NAME(row_of)(r, r->taps, m, out);
    }
}
