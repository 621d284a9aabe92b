/* kernels/int8/dispatch.c: which set of integer kernels a processor gets. */
#include "kernels/int8/kernels.h"
#include <string.h>

/* The double build has the reference only. */
#ifdef PITH_REAL_IS_DOUBLE
#undef PITHP_HAVE_AVX2
#undef PITHP_HAVE_AVX512
#undef PITHP_HAVE_AVX512VNNI
#endif
#ifdef PITHP_HAVE_AVX2
extern const pithp_ikern pithp_i8_ikern_avx2;
#endif
#ifdef PITHP_HAVE_AVX512
extern const pithp_ikern pithp_i8_ikern_avx512;
#endif
#ifdef PITHP_HAVE_AVX512VNNI
extern const pithp_ikern pithp_i8_ikern_avx512vnni;
#endif

/* Best first. */
static const struct {
    const pithp_ikern *kern;
    pithp_isa isa; /* the context's set must be at least this */
    bool vnni;
} sets[] = {
#ifdef PITHP_HAVE_AVX512VNNI
    { &pithp_i8_ikern_avx512vnni, PITHP_ISA_AVX512, true },
#endif
#ifdef PITHP_HAVE_AVX512
    { &pithp_i8_ikern_avx512, PITHP_ISA_AVX512, false },
#endif
#ifdef PITHP_HAVE_AVX2
    { &pithp_i8_ikern_avx2, PITHP_ISA_AVX2, false },
#endif
    { NULL, PITHP_ISA_BASE, false },
};

pith_status pithp_ikern_choose(pith_ctx *c, const char *name, const pithp_ikern **kern)
{
    char possible[96] = "";
    for (size_t i = 0; i < PITHP_LEN(sets); i++) {
        const char *is = sets[i].kern ? sets[i].kern->name : "base";
        /* a set that is named may be any that the processor has */
        if (sets[i].isa > (name ? pithp_isa_cpu() : c->isa) || (sets[i].vnni && !pithp_isa_vnni()))
            continue;
        if (!name || !strcmp(name, is)) {
            *kern = sets[i].kern;
            return PITH_OK;
        }
        size_t at = strlen(possible);
        snprintf(possible + at, sizeof possible - at, "%s%s", at ? " or " : "", is);
    }
    return pithp_error(c, PITH_EINVAL, "no integer kernels are called \"%s\"; here they can be %s", name,
                       possible);
}
