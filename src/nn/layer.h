/* nn/layer.h: what layers.c and blocks.c share. */
#ifndef PITHP_LAYER_H
#define PITHP_LAYER_H

#include "graph/model.h"
#include <pith/nn.h>

#define PITHP_NAME_ROOM 256

/* "name.part" in buf; false (with an error) if there is no room or the name is taken. */
bool pithp_layer_name(pith_model *m, char buf[PITHP_NAME_ROOM], const char *name, const char *part);

/* x is [N,H,W,C]; false with an error, or silently where x is poison. */
bool pithp_layer_image(pith_model *m, const char *name, const pith_tensor *x);

#endif
