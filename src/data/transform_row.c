/* data/transform_row.c: the inner loop of transform.c: columns blended, colour, normalisation of one row of output, with as many
   pixels in a vector as the processor's hold. Every float holds a whole number (transform.c), so all give the same bytes. */
#include "data/transform.h"
#include <string.h>

/* The vectors never cross a real call: everything that takes one is inlined. */
#if defined(__GNUC__)
#pragma GCC diagnostic ignored "-Wpsabi"
#endif
#define INLINE static inline __attribute__((always_inline))

typedef float v4f __attribute__((vector_size(16)));
typedef float v8f __attribute__((vector_size(32)));
typedef float v16f __attribute__((vector_size(64)));
typedef pith_real v4r __attribute__((vector_size(4 * sizeof(pith_real))));

/* ---- Loads and stores of pixels. A store writes four reals, the fourth into the next pixel, which comes after. ---- */
INLINE v4f gather_1(const float *p, const int32_t *first)
{
    v4f v;
    memcpy(&v, p + first[0], sizeof v);
    return v;
}

INLINE v4f repeat_1(const float *p) { return gather_1(p, &(const int32_t){ 0 }); }

INLINE void store_1(pith_real *out, v4f v)
{
    v4r y = __builtin_convertvector(v, v4r);
    memcpy(out, &y, sizeof y);
}

#define JOIN(a, b)  __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7)
#define PIXEL(v, i) __builtin_shufflevector(v, v, 4 * (i), 4 * (i) + 1, 4 * (i) + 2, 4 * (i) + 3)

INLINE v8f gather_2(const float *p, const int32_t *first)
{
    v4f a = gather_1(p, first), b = gather_1(p, first + 1);
    return JOIN(a, b);
}

INLINE v8f repeat_2(const float *p) { return gather_2(p, (const int32_t[2]){ 0 }); }

INLINE void store_2(pith_real *out, v8f v)
{
    store_1(out, PIXEL(v, 0));
    store_1(out + 3, PIXEL(v, 1));
}

INLINE v16f gather_4(const float *p, const int32_t *first)
{
    v8f a = gather_2(p, first), b = gather_2(p, first + 2);
    return __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}

INLINE v16f repeat_4(const float *p) { return gather_4(p, (const int32_t[4]){ 0 }); }

INLINE void store_4(pith_real *out, v16f v)
{
    store_1(out, PIXEL(v, 0));
    store_1(out + 3, PIXEL(v, 1));
    store_1(out + 6, PIXEL(v, 2));
    store_1(out + 9, PIXEL(v, 3));
}

#define P            1
#define NAME(x)      x##_1
#define SPREAD(v, i) __builtin_shufflevector(v, v, i, i, i, i)
#include "data/transform_row_body.h"
#undef P
#undef NAME
#undef SPREAD

static void row_base(const pithp_row *r, pith_real *out) { row_1(r, out); }

#if defined(__x86_64__)
#define P            2
#define NAME(x)      x##_2
#define SPREAD(v, i) __builtin_shufflevector(v, v, i, i, i, i, 4 + i, 4 + i, 4 + i, 4 + i)
#include "data/transform_row_body.h"
#undef P
#undef NAME
#undef SPREAD

#define P       4
#define NAME(x) x##_4
#define SPREAD(v, i)                                                                                  \
    __builtin_shufflevector(v, v, i, i, i, i, 4 + i, 4 + i, 4 + i, 4 + i, 8 + i, 8 + i, 8 + i, 8 + i, \
                            12 + i, 12 + i, 12 + i, 12 + i)
#include "data/transform_row_body.h"

__attribute__((target("avx2"))) static void row_avx2(const pithp_row *r, pith_real *out) { row_2(r, out); }

__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq"))) static void row_avx512(const pithp_row *r,
                                                                                     pith_real *out)
{
    row_4(r, out);
}
#endif

pithp_row_fn pithp_row_get(pithp_isa isa, int *pixels)
{
    *pixels = 1;
#if defined(__x86_64__)
    if (isa != PITHP_ISA_BASE) {
        *pixels = isa == PITHP_ISA_AVX512 ? 4 : 2;
        return isa == PITHP_ISA_AVX512 ? row_avx512 : row_avx2;
    }
#endif
    (void)isa;
    return row_base;
}
