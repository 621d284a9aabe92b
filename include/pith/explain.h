/* pith/explain.h: where in a picture a network sees what it says. */
#ifndef PITH_EXPLAIN_H
#define PITH_EXPLAIN_H

#include <pith/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Grad-CAM. Of a class's score y (before the softmax) and the maps A of a layer, [h,w,C]: each map's weight is the mean of
   dy/dA over its places, and the result is max(0, sum of the weighted maps), divided by its greatest value (all zero where that
   is zero: nothing speaks for the class), and enlarged to the picture bilinearly, centres of pixels on centres of pixels.
   m         is not changed; dropout does nothing, batch norms use their running statistics. A quantized model is taken as its
             simulation in float, with gradients that pass straight through the rounding
   x         [n,H,W,C] pictures as the network wants them (pith_data_image_load, pith_batch)
   classes   [n] whose score; NULL: of each picture the class that the model says
   layer     whose maps, a name as pith_tap takes it; NULL: the last result with more than one place, which in a convolutional
             network is what the global pooling reads
   map       [n,H,W], from 0 to 1; written where there was no error
   errors    PITH_ENOTFOUND: no such layer; PITH_EINVAL: its result is no map, a class that is not there, n below 1; PITH_ESHAPE:
             an output that is not [1,K]; PITH_ENOMEM. Since 0.1.
   source    Selvaraju et al., "Grad-CAM: visual explanations from deep networks via gradient-based localization", ICCV 2017 */
PITH_API pith_status pith_grad_cam(const pith_model *m, const pith_real *x, int64_t n, const int32_t *classes,
                                   const char *layer, pith_real *map);

/* Writes a picture with its map laid over it as PNG, from blue (a little) over green to red (most), the more opaque the
   higher; where the map is 0 the picture is as it was.
   x         [height,width,3], pixel = 128 x + 128, as pith_data_image_load gives it
   map       [height,width] from 0 to 1; what is not finite counts as 0
   path      the file; it is complete or not there
   errors    PITH_EINVAL: a size below 1 or above 16384; PITH_EIO, PITH_ENOTFOUND: the path; PITH_ENOMEM. Since 0.1. */
PITH_API pith_status pith_cam_save(pith_ctx *c, const char *path, const pith_real *x, const pith_real *map,
                                   int height, int width);

#ifdef __cplusplus
}
#endif
#endif
