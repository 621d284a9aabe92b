/* pith/file.h: models in files. The format is safetensors: weights as its tensors, the graph as JSON in one string
   ("pith.graph") of its __metadata__; any safetensors reader opens it. */
#ifndef PITH_FILE_H
#define PITH_FILE_H

#include <pith/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Writes graph, weights, state and meta. The file is complete or not there: it is written beside, synced and renamed;
   an older file of that name is kept as PATH.prev if keep_previous.
   errors   PITH_EIO: names the path and the system's reason; the older file is untouched. Since 0.1. */
PITH_API pith_status pith_model_save(const pith_model *m, const char *path, bool keep_previous);

/* Reads a model: no C function is needed; ops of a program's own must be registered before.
   errors   NULL: PITH_ENOTFOUND, PITH_EIO, PITH_EFORMAT (what, where in the file, what was expected). Since 0.1. */
PITH_API pith_model *pith_model_load(pith_ctx *c, const char *path);

#ifdef __cplusplus
}
#endif
#endif
