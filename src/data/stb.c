/* data/stb.c: stb_image, with only the formats and the ways in that we use. It is compiled here and nowhere
   else. One request for memory is capped: a few bytes of PNG may inflate to gigabytes, whatever its header
   says. */
#ifdef HAVE_CONFIG_H
#include "config.h" /* HAVE_LIBJPEG */
#endif
#include <stddef.h>
#include <stdlib.h>

enum { LARGEST = 256 << 20 };

static void *stb_malloc(size_t n) { return n > LARGEST ? NULL : malloc(n); }
static void *stb_realloc(void *p, size_t n) { return n > LARGEST ? NULL : realloc(p, n); }

#define STBI_MALLOC(n)     stb_malloc(n)
#define STBI_REALLOC(p, n) stb_realloc(p, n)
#define STBI_FREE(p)       free(p)
#define STBI_NO_STDIO
#define STBI_NO_LINEAR
#define STBI_NO_HDR
#define STBI_ONLY_PNG
#define STBI_ONLY_BMP
#define STBI_ONLY_GIF
#ifndef HAVE_LIBJPEG
#define STBI_ONLY_JPEG
#endif
#define STBI_ASSERT(x) ((void)0) /* the library never aborts */
#define STB_IMAGE_STATIC
#define STB_IMAGE_IMPLEMENTATION

#pragma GCC diagnostic ignored "-Wall"
#pragma GCC diagnostic ignored "-Wextra"
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wunused-but-set-variable"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wcast-qual"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#pragma GCC diagnostic ignored "-Wimplicit-fallthrough"
/* An empty first IDAT chunk makes stb add 0 to a null pointer and copy nothing there: no harm in that. */
#ifdef __clang__
#pragma clang attribute push(__attribute__((no_sanitize("nonnull-attribute", "pointer-overflow"))), \
                             apply_to = function)
#endif
#include <stb_image.h> /* some warnings come at the end of the file: they stay off */
#ifdef __clang__
#pragma clang attribute pop
#endif

#include "data/stb.h"

bool pithp_stb_info(const uint8_t *p, size_t n, int *width, int *height, int *channels, bool *deep)
{
    *deep = stbi_is_16_bit_from_memory(p, (int)n);
    return stbi_info_from_memory(p, (int)n, width, height, channels);
}

uint8_t *pithp_stb_load(const uint8_t *p, size_t n, int *width, int *height, int channels)
{
    int found;
    return stbi_load_from_memory(p, (int)n, width, height, &found, channels);
}

void pithp_stb_free(uint8_t *pixels) { stbi_image_free(pixels); }

const char *pithp_stb_reason(void)
{
    const char *why = stbi_failure_reason();
    return why ? why : "no reason given";
}
