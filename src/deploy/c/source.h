/* deploy/c/source.h: the texts of an exported model. */
#ifndef PITHP_C_SOURCE_H
#define PITHP_C_SOURCE_H

#include "deploy/c/emit.h"
#include "graph/model.h"

/* A file's name as C has it: `id` for functions, `macro` for macros. Owned by the caller; freed with pithp_free. */
typedef struct {
    char *id, *macro;
} pithp_c_name;

pith_status pithp_c_name_of(pith_ctx *c, const char *path, pithp_c_name *name);
void pithp_c_name_free(pith_ctx *c, pithp_c_name *name);

/* cmsis: the same graph with calls of CMSIS-NN, compiled instead where NAME_CMSIS_NN is defined; NULL: there is none. */
void pithp_c_header(const pithp_c_emit *e, const pithp_c_emit *cmsis, const pith_model *m,
                    const pithp_c_name *name, pithp_text *t);
/* golden: the result of the input that the source's own generator makes. */
void pithp_c_source(const pithp_c_emit *e, const pithp_c_emit *cmsis, const pithp_c_name *name,
                    const int8_t *golden, pithp_text *t);
void pithp_c_harness(const pithp_c_emit *e, const pithp_c_name *name, pithp_text *t); /* harness.c */
void pithp_c_golden_input(int8_t *x, size_t n);

/* Texts of deploy/c/target, made when the library is built. */
extern const char *const pithp_c_kernels[PITHP_C_KERNELS];

#endif
