/* kernels/float/dispatch.c: which table of row kernels a processor gets. */
#include "kernels/float/kernels.h"

extern const pithp_kern pithp_kern_base;

/* The double build compiles the base set only. */
#if defined(__x86_64__) && !defined(PITH_REAL_IS_DOUBLE) && !defined(PITHP_ONLY_BASE)
extern const pithp_kern pithp_kern_avx2, pithp_kern_avx512;
#define HAVE_X86 1
#endif

const pithp_kern *pithp_kern_get(pithp_isa isa)
{
#ifdef HAVE_X86
    if (isa == PITHP_ISA_AVX512) return &pithp_kern_avx512;
    if (isa == PITHP_ISA_AVX2) return &pithp_kern_avx2;
#endif
    (void)isa;
    return &pithp_kern_base;
}
