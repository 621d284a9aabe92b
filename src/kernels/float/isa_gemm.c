/* kernels/float/isa_gemm.c: products of a tall matrix and a narrow one, as convolutions have them. BLAS copies both
   operands into a layout of its own at every call, which costs more than it brings where a side is 16 to 40; here the
   narrow operand is packed once for all tiles, or used as it lies, and the tall one is never copied.
   A block of MR rows by NV vectors of C stays in registers while one step of the sum after the other is added; each
   result is the same sum in the same order wherever it stands. */
#include "kernels/float/isa.h"
#include "kernels/float/vec.h"

/* Vectors across, and rows for 1 to 4 of them: as many as the registers hold. */
#ifdef __AVX512F__
#define NV_MAX 4
#define MR1    16
#define MR2    12
#define MR3    8
#define MR4    6
#else
#define NV_MAX 3
#define MR1    8
#define MR2    6
#define MR3    4
#define MR4    3 /* never used */
#endif
#define KC \
    192 /* steps of the sum between two visits to C: a panel of B this long fits the first-level cache */

typedef struct {
    int64_t k, ars, acs, bs, ldc;
    const pith_real *a, *b;
    pith_real *c;
    bool add;
} block;

/* AT: A is given transposed (ars == 1), so a step's MR values lie side by side; else each row has its own line. */
static ALWAYS void micro(const block *t, bool AT, int MR, int NV, int last)
{
    vec acc[16][4];
    const pith_real *b = t->b, *a[6];
    const int64_t ars = AT ? 1 : t->ars, acs = AT ? t->acs : 1;
#pragma GCC unroll 16
    for (int i = 0; i < MR; i++)
#pragma GCC unroll 4
        for (int v = 0; v < NV; v++)
            acc[i][v] = t->add ? vload_m(t->c + i * t->ldc + v * LANES, v == NV - 1 ? last : LANES) : vzero();
#pragma GCC unroll 6
    for (int i = 0; i < (MR + 2) / 3; i++)
        a[i] = t->a + 3 * i * ars; /* three rows a pointer: x86 scales by 4 and 8 */
    for (int64_t l = 0; l < t->k; l++) {
        vec bv[4];
#pragma GCC unroll 4
        for (int v = 0; v < NV; v++)
            bv[v] = vload_m(b + v * LANES, v == NV - 1 ? last : LANES);
#pragma GCC unroll 16
        for (int i = 0; i < MR; i++) {
            vec av = vset1(a[i / 3][i % 3 * ars]);
#pragma GCC unroll 4
            for (int v = 0; v < NV; v++)
                acc[i][v] = vfma(av, bv[v], acc[i][v]);
        }
#pragma GCC unroll 6
        for (int i = 0; i < (MR + 2) / 3; i++)
            a[i] += acs;
        b += t->bs;
    }
#pragma GCC unroll 16
    for (int i = 0; i < MR; i++)
#pragma GCC unroll 4
        for (int v = 0; v < NV; v++)
            vstore_m(t->c + i * t->ldc + v * LANES, acc[i][v], v == NV - 1 ? last : LANES);
}

static ALWAYS void rows(block t, int64_t m, bool AT, int MR, int NV, int last)
{
    const pith_real *a = t.a;
    pith_real *c = t.c;
    for (; m >= MR; m -= MR) {
        t.a = a, t.c = c;
        micro(&t, AT, MR, NV, last);
        a += MR * t.ars, c += MR * t.ldc;
    }
    for (; m >= 4 && MR > 4; m -= 4) {
        t.a = a, t.c = c;
        micro(&t, AT, 4, NV, last);
        a += 4 * t.ars, c += 4 * t.ldc;
    }
    for (; m >= 2; m -= 2) {
        t.a = a, t.c = c;
        micro(&t, AT, 2, NV, last);
        a += 2 * t.ars, c += 2 * t.ldc;
    }
    if (m > 0) {
        t.a = a, t.c = c;
        micro(&t, AT, 1, NV, last);
    }
}

#define PANEL(AT, NV)                       \
    if (last == LANES)                      \
        rows(*t, m, AT, MR##NV, NV, LANES); \
    else                                    \
        rows(*t, m, AT, MR##NV, NV, last)

static void panel_n(const block *t, int64_t m, int nv, int last)
{
    if (nv == 1) {
        PANEL(false, 1);
    } else if (nv == 2) {
        PANEL(false, 2);
    } else if (nv == 3) {
        PANEL(false, 3);
    } else {
        PANEL(false, 4);
    }
}

static void panel_t(const block *t, int64_t m, int nv, int last)
{
    if (nv == 1) {
        PANEL(true, 1);
    } else if (nv == 2) {
        PANEL(true, 2);
    } else if (nv == 3) {
        PANEL(true, 3);
    } else {
        PANEL(true, 4);
    }
}

/* Vectors of the next panel when `left` are still to come: as even as possible. */
static ALWAYS int panel_width(int64_t left)
{
    int64_t panels = (left + NV_MAX - 1) / NV_MAX;
    return (int)((left + panels - 1) / panels);
}

void KERN(gemm)(int64_t m, int64_t n, int64_t k, const pith_real *a, int64_t ars, int64_t acs,
                const pith_real *b, int64_t ldb, bool add, pith_real *c, int64_t ldc)
{
    int64_t vecs = (n + LANES - 1) / LANES, parts = (k + KC - 1) / KC;
    if (m <= 0 || n <= 0)
        return;
    if (k <= 0) { /* an empty sum */
        parts = 1;
        k = 0;
    }
    for (int64_t part = 0; part < parts; part++) {
        int64_t l = part * k / parts, end = (part + 1) * k / parts;
        for (int64_t v = 0; v < vecs;) {
            int nv = panel_width(vecs - v);
            int64_t j = v * LANES;
            block t = { .k = end - l,
                        .ars = ars,
                        .acs = acs,
                        .a = a + l * acs,
                        .c = c + j,
                        .ldc = ldc,
                        .add = add || part > 0 };
            t.bs = ldb ? ldb : nv * LANES;
            t.b = (ldb ? b + j : b + j * k) + l * t.bs;
            int last = (int)PITHP_MIN((int64_t)LANES, n - (v + nv - 1) * LANES);
            if (ars == 1 && acs != 1)
                panel_t(&t, m, nv, last);
            else
                panel_n(&t, m, nv, last);
            v += nv;
        }
    }
}

/* Panels one after the other, each [k, its vectors], columns beyond n zero. */
void KERN(gemm_pack)(bool tb, int64_t n, int64_t k, const pith_real *b, int64_t ldb, pith_real *out)
{
    int64_t vecs = (n + LANES - 1) / LANES;
    for (int64_t v = 0; v < vecs;) {
        int nv = panel_width(vecs - v);
        int64_t j0 = v * LANES, w = nv * LANES, fit = PITHP_MIN(w, n - j0);
        pith_real *to = out + j0 * k;
        for (int64_t l = 0; l < k; l++, to += w) {
            if (tb)
                for (int64_t j = 0; j < fit; j++)
                    to[j] = b[(j0 + j) * ldb + l];
            else
                memcpy(to, b + l * ldb + j0, (size_t)fit * sizeof *to);
            for (int64_t j = fit; j < w; j++)
                to[j] = 0;
        }
        v += nv;
    }
}
