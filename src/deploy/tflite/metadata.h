/* deploy/tflite/metadata.h: what a .tflite says about itself, as TensorFlow Lite's metadata readers want it: a FlatBuffer
   of its own in a buffer named TFLITE_METADATA, and the associated files in a zip archive appended to the model. */
#ifndef PITHP_TFLITE_METADATA_H
#define PITHP_TFLITE_METADATA_H

#include "deploy/tflite/writer.h"
#include "graph/model.h"

/* Adds name, input normalisation, and class names (labels.txt), as far as the model knows them.
   errors   PITH_EFORMAT: the model's list of classes is no JSON list of strings, one a class. */
void pithp_tfl_describe(pithp_tfl *w, const pith_model *m);

/* A zip archive, stored without compression, behind n bytes of model. Close does nothing if no file was added. */
void pithp_zip_add(pithp_tfl *w, const char *name, const void *p, size_t n);
pith_status pithp_zip_close(pithp_tfl *w, size_t model_bytes);

#endif
