/* tests/odd_files.h: the oddities of real sets of photographs, every file made here, each with what must come of it.

   All pictures show four colours, a quarter each, so that a few letters tell what is seen: k black, w white, r red, g green,
   b blue, d and l dark and light grey (85, 170), p pink (255, 128, 128, half transparent red on white). */
#ifndef PITH_TESTS_ODD_FILES_H
#define PITH_TESTS_ODD_FILES_H

#include "data_help.h"

enum { ODD_W = 48, ODD_H = 40, ODD_MOST = 600 };

typedef struct {
    char name[64];
    bytes file;
    const char *reason; /* a part of the reason why it cannot be used; NULL: it is a picture */
    int w, h;           /* of the picture, upright */
    char seen[5];       /* upper left, upper right, lower left, lower right */
    bool only_us;       /* other decoders may see it otherwise: not compared with them */
} odd_file;

typedef struct {
    odd_file file[ODD_MOST];
    size_t n;
} odd_files;

void odd_good(odd_files *o, bytes b, int w, int h, const char *seen, const char *name, ...)
    __attribute__((format(printf, 6, 7)));
void odd_bad(odd_files *o, bytes b, const char *reason, const char *name, ...)
    __attribute__((format(printf, 4, 5)));
/* The picture ODD_W x ODD_H with these quarters, [h,w,channels]; 1 is grey. malloc'd. */
uint8_t *odd_pixels(const char *seen, int channels);

/* Each adds its part of the collection. */
void odd_jpegs(odd_files *o);
void odd_cut_jpegs(odd_files *o);
void odd_exif(odd_files *o);
void odd_pngs(odd_files *o);
void odd_bmps(odd_files *o);
void odd_gifs(odd_files *o);
void odd_others(odd_files *o);

odd_files *odd_all(void); /* free with odd_free */
void odd_free(odd_files *o);

#endif
