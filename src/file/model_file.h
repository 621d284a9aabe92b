/* file/model_file.h: a model inside a safetensors file, for those who write more than a model into it
   (checkpoints). */
#ifndef PITHP_MODEL_FILE_H
#define PITHP_MODEL_FILE_H

#include "file/safetensors.h"
#include "graph/model.h"
#include <pith/file.h>

/* Metadata key of the graph, the prefix of the model's own meta keys, the version that is written. */
#define PITHP_GRAPH_KEY     "pith.graph"
#define PITHP_META_PREFIX   "meta."
#define PITHP_GRAPH_VERSION 1

/* A model's meta key that says how it was quantized: "float16", "codebook", .... */
#define PITHP_META_QUANTIZATION "quantization"

/* Limits of what is read. */
enum { PITHP_MAX_NODES = 1 << 16, PITHP_MAX_NAME = 1000 };

/* Adds graph, weights, state and meta to a file, all values as they are (pith_model_save packs what can be). m's weights must stay as they are until commit. */
pith_status pithp_model_put(const pith_model *m, pithp_st_writer *w);

/* What pith_model_save writes, in memory; freed with pithp_free. */
pith_status pithp_model_bytes(const pith_model *m, uint8_t **bytes, size_t *n);

/* Makes the model that an open file holds. NULL after an error. */
pith_model *pithp_model_get(const pithp_st_file *f);

/* Copies the weights and state of an open file into a model that stands already and has the same tensors. */
pith_status pithp_model_get_weights(pith_model *m, const pithp_st_file *f);

#endif
