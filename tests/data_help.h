/* tests/data_help.h: folders and pictures for the tests of the data floor, all made here. */
#ifndef PITH_TESTS_DATA_HELP_H
#define PITH_TESTS_DATA_HELP_H

#include <pith/ctx.h>
#include <pith/data.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

typedef struct {
    uint8_t *p;
    size_t n, cap;
} bytes;

typedef enum { JPG, PNG, BMP } picture_kind;

/* A smooth picture with some texture, [h,w,channels]; malloc'd. */
uint8_t *draw(int w, int h, int channels, unsigned seed);
bytes encode(picture_kind kind, const uint8_t *pixels, int w, int h, int channels);
bytes picture(picture_kind kind, int w, int h, unsigned seed);
/* Forms of JPEG that only libjpeg writes; 4 channels are CMYK, YCCK with `ycck`. Empty without libjpeg. */
typedef struct {
    bool progressive, arithmetic, ycck, no_adobe, no_jfif;
    int restart;
    bool rgb;        /* stored as RGB, told by an Adobe marker */
    int h, v;        /* sampling of the first component; 0: 2 */
    bool by_channel; /* a scan for each component */
} jpeg_form;
bytes encode_jpeg(const uint8_t *pixels, int w, int h, int channels, jpeg_form form);
bytes with_exif(bytes jpeg, int orientation); /* frees its argument */
void bytes_add(bytes *b, const void *p, size_t n);
void bytes_free(bytes *b);

/* Formatted path below suite_dir(); good until the eighth call after it. */
const char *at(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void put(const char *path, const void *p, size_t n); /* makes the folders above */
void put_picture(const char *path, picture_kind kind, int w, int h, unsigned seed);
void put_bytes(const char *path, bytes b); /* frees b */
bytes slurp(const char *path);
void make_set(const char *name, int classes, int per_class); /* class folders a, b, ... of small JPEGs */

/* A context whose log is counted, and a failing allocator. */
typedef struct {
    int warnings, infos;
    char last_warning[1024];
    long allocations_left; /* < 0: no limit */
    long live;
} watch;
pith_ctx *ctx_new(watch *w, int threads);

#endif
