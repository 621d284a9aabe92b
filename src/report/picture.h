/* report/picture.h: photographs as small pictures within the page. */
#ifndef PITHP_REPORT_PICTURE_H
#define PITHP_REPORT_PICTURE_H

#include "data/data.h"
#include "report/store.h"

/* The middle square of a photograph, at most `side` pixels wide, as a PNG in a data URI of the pool; NULL where the file cannot be
   shown (no error), and when memory runs out (an error). */
char *pithp_picture_uri(pithp_pool *p, pithp_work *w, const char *path, int side);
/* The same of pixels [side,side,channels], RGB or (4) RGBA. */
char *pithp_pixels_uri(pithp_pool *p, const uint8_t *pixels, int side, size_t stride, int channels);
/* A PNG file of pixels [height,width,channels] in memory of the pool: *size bytes. NULL: no memory. */
uint8_t *pithp_png(pithp_pool *p, const uint8_t *pixels, int width, int height, size_t stride, int channels,
                   size_t *size);

/* heat.c: the colour of a map's value, 0 to 1, and (fourth) how opaque it is. */
void pithp_heat(double value, uint8_t rgba[4]);

#endif
