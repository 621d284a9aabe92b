/* tests/fuzz/fuzz_model.h: what holds for any opened file: it is a model that can be saved again, or it is said why not. */
#ifndef PITH_FUZZ_MODEL_H
#define PITH_FUZZ_MODEL_H

#include "file/model_file.h"
#include <stdlib.h>

static inline void fuzz_model(pith_ctx *c, pithp_st_file *f)
{
    pith_model *m = pithp_model_get(f);
    if (m) {
        pithp_st_writer w;
        pithp_st_writer_init(c, &w);
        if (pithp_model_put(m, &w) && w.status != PITH_EINVAL)
            abort();
        pithp_st_writer_free(&w);
        pith_model_info(m);
    } else if (!pith_ctx_status(c)) {
        abort();
    }
    pith_model_free(m);
}

#endif
