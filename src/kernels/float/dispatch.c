/* kernels/float/dispatch.c: which table of row kernels a processor gets. */
#include "kernels/float/kernels.h"

extern const pithp_kern pithp_kern_base;

/* The build says which sets its compiler could make; the double build has the base set only. */
#ifdef PITH_REAL_IS_DOUBLE
#undef PITHP_HAVE_AVX2
#undef PITHP_HAVE_AVX512
#endif
#ifdef PITHP_HAVE_AVX2
extern const pithp_kern pithp_kern_avx2;
#endif
#ifdef PITHP_HAVE_AVX512
extern const pithp_kern pithp_kern_avx512;
#endif

const pithp_kern *pithp_kern_get(pithp_isa isa)
{
#ifdef PITHP_HAVE_AVX512
    if (isa == PITHP_ISA_AVX512)
        return &pithp_kern_avx512;
#endif
#ifdef PITHP_HAVE_AVX2
    if (isa >= PITHP_ISA_AVX2)
        return &pithp_kern_avx2; /* also for a wider one that was not built */
#endif
    (void)isa;
    return &pithp_kern_base;
}
