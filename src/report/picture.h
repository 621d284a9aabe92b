/* report/picture.h: photographs as small pictures within the page. */
#ifndef PITHP_REPORT_PICTURE_H
#define PITHP_REPORT_PICTURE_H

#include "data/data.h"
#include "report/store.h"

/* The middle square of a photograph, at most `side` pixels wide, as a PNG in a data URI of the pool; NULL where the file cannot be
   shown (no error), and when memory runs out (an error). */
char *pithp_picture_uri(pithp_pool *p, pithp_work *w, const char *path, int side);
/* The same of pixels [side,side,3]. */
char *pithp_pixels_uri(pithp_pool *p, const uint8_t *pixels, int side, size_t stride);

#endif
