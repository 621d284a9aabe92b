/* data/stb.h: what stb.c lends to decode_stb.c. */
#ifndef PITHP_STB_H
#define PITHP_STB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* n at most INT_MAX */
bool pithp_stb_info(const uint8_t *p, size_t n, int *width, int *height, int *channels, bool *deep);
uint8_t *pithp_stb_load(const uint8_t *p, size_t n, int *width, int *height,
                        int channels); /* NULL: see the reason */
void pithp_stb_free(uint8_t *pixels);
const char *pithp_stb_reason(void); /* of the last failure in this thread */

#endif
