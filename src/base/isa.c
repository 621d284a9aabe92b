/* base/isa.c: which kernel sets this build has and this processor runs. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "base/base.h"
#include <string.h>

/* libpith-rt has no other kernels and need not look (libgcc's looking takes 4 KB). */
#if (defined(__x86_64__) || defined(__i386__)) && !defined(PITHP_SMALL)
#define HAS(feature) __builtin_cpu_supports(feature)
#else
#define HAS(feature) 0
#endif

pithp_isa pithp_isa_cpu(void)
{
    bool avx2 = HAS("avx2") && HAS("fma");
    if (avx2 && HAS("avx512f") && HAS("avx512bw") && HAS("avx512vl") && HAS("avx512dq"))
        return PITHP_ISA_AVX512;
    return avx2 ? PITHP_ISA_AVX2 : PITHP_ISA_BASE;
}

bool pithp_isa_vnni(void) { return pithp_isa_cpu() == PITHP_ISA_AVX512 && HAS("avx512vnni"); }

bool pithp_isa_built(pithp_isa isa)
{
    switch (isa) {
    case PITHP_ISA_BASE: return true;
#ifdef PITHP_HAVE_AVX2
    case PITHP_ISA_AVX2: return true;
#endif
#ifdef PITHP_HAVE_AVX512
    case PITHP_ISA_AVX512: return true;
#endif
    default: return false;
    }
}

pithp_isa pithp_isa_best(void)
{
    pithp_isa isa = pithp_isa_cpu();
    while (!pithp_isa_built(isa))
        isa--;
    return isa;
}

static const char *const names[PITHP_ISA_COUNT] = { "base", "avx2", "avx512" };

const char *pithp_isa_name(pithp_isa isa) { return (unsigned)isa < PITHP_ISA_COUNT ? names[isa] : "unknown"; }

int pithp_isa_parse(const char *name)
{
    for (int i = 0; i < PITHP_ISA_COUNT; i++)
        if (name && !strcmp(name, names[i]))
            return i;
    return -1;
}
