/* tests/int8_cases.h: random graphs of one integer op, with everything that may go wrong at its edge: zero points at the
   ends, windows over padding, strides, groups, channels of zeros, factors below 2^-31, near it, and above 1. */
#ifndef PITH_TESTS_INT8_CASES_H
#define PITH_TESTS_INT8_CASES_H

#include "graph/qplan.h"

typedef struct {
    pithp_qgraph *g;
    int64_t n;   /* samples */
    void *in[2]; /* values of the inputs; malloc'd, as is out */
    void *out;
    size_t out_count; /* elements, of all samples */
} int8_case;

extern const int int8_kinds;
const char *int8_kind_name(int kind);
/* Case `seed` of an op. The result is computed by the reference, if `run`. Draws again what the builder refuses. */
int8_case int8_case_make(pith_ctx *c, int kind, uint32_t seed, bool run);
void int8_case_free(int8_case *k);

#endif
