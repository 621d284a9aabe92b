/* tests/data_help.c: see data_help.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "data_help.h"
#include "suite.h"
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#ifdef HAVE_LIBJPEG
#include <jpeglib.h>
#endif

#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#define STBI_WRITE_NO_STDIO
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#include <stb_image_write.h>

void bytes_add(bytes *b, const void *p, size_t n)
{
    if (b->n + n > b->cap) {
        b->cap = (b->n + n) * 2;
        b->p = realloc(b->p, b->cap);
        ck_assert_ptr_nonnull(b->p);
    }
    if (n)
        memcpy(b->p + b->n, p, n);
    b->n += n;
}

void bytes_free(bytes *b)
{
    free(b->p);
    *b = (bytes){ 0 };
}

uint8_t *draw(int w, int h, int channels, unsigned seed)
{
    uint8_t *p = malloc((size_t)w * (size_t)h * (size_t)channels), *q = p;
    uint32_t r = seed * 2654435761u + 12345;
    int phase = (int)(r >> 24);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            for (int k = 0; k < channels; k++) {
                r = r * 1664525u + 1013904223u;
                int wave =
                    (x * (3 + k) * 256 / w + y * (2 + (int)(seed % 5)) * 256 / h + phase * (k + 1)) & 511;
                int v = wave < 256 ? wave : 511 - wave;
                *q++ = (uint8_t)(k == 3 ? 255 : (v * 7 + (int)(r >> 24)) / 8);
            }
    return p;
}

static void add(void *to, void *p, int n) { bytes_add(to, p, (size_t)n); }

#ifdef HAVE_LIBJPEG
bytes encode_jpeg(const uint8_t *pixels, int w, int h, int channels, jpeg_form form)
{
    struct jpeg_compress_struct j;
    struct jpeg_error_mgr e;
    unsigned char *out = NULL;
    unsigned long n = 0;
    j.err = jpeg_std_error(&e);
    jpeg_create_compress(&j);
    jpeg_mem_dest(&j, &out, &n);
    j.image_width = (JDIMENSION)w;
    j.image_height = (JDIMENSION)h;
    j.input_components = channels;
    j.in_color_space = channels == 1   ? JCS_GRAYSCALE
                       : channels == 2 ? JCS_UNKNOWN
                       : channels == 4 ? JCS_CMYK
                                       : JCS_RGB;
    jpeg_set_defaults(&j);
    jpeg_set_quality(&j, 95, TRUE);
    if (form.ycck)
        jpeg_set_colorspace(&j, JCS_YCCK);
    if (form.progressive)
        jpeg_simple_progression(&j);
    if (form.rgb)
        jpeg_set_colorspace(&j, JCS_RGB);
    if (form.h && form.v) {
        j.comp_info[0].h_samp_factor = form.h;
        j.comp_info[0].v_samp_factor = form.v;
    }
    static const jpeg_scan_info scans[3] = { { 1, { 0 }, 0, 63, 0, 0 },
                                             { 1, { 1 }, 0, 63, 0, 0 },
                                             { 1, { 2 }, 0, 63, 0, 0 } };
    if (form.by_channel) {
        j.scan_info = scans;
        j.num_scans = channels;
    }
    j.arith_code = form.arithmetic;
    j.restart_interval = (unsigned)form.restart;
    if (form.no_adobe)
        j.write_Adobe_marker = FALSE;
    if (form.no_jfif)
        j.write_JFIF_header = FALSE;
    jpeg_start_compress(&j, TRUE);
    while (j.next_scanline < j.image_height) {
        JSAMPROW row = (JSAMPROW)(uintptr_t)(pixels + (size_t)j.next_scanline * (size_t)w * (size_t)channels);
        jpeg_write_scanlines(&j, &row, 1);
    }
    jpeg_finish_compress(&j);
    jpeg_destroy_compress(&j);
    return (bytes){ out, n, n };
}
#else
bytes encode_jpeg(const uint8_t *pixels, int w, int h, int channels, jpeg_form form)
{
    (void)pixels, (void)w, (void)h, (void)channels, (void)form;
    return (bytes){ 0 };
}
#endif

bytes encode(picture_kind kind, const uint8_t *pixels, int w, int h, int channels)
{
    bytes b = { 0 };
    if (kind == JPG && (b = encode_jpeg(pixels, w, h, channels, (jpeg_form){ 0 })).n)
        return b; /* stb's writer shifts bits out of an int, which the sanitizer reports */
    int good = kind == JPG   ? stbi_write_jpg_to_func(add, &b, w, h, channels, pixels, 95)
               : kind == PNG ? stbi_write_png_to_func(add, &b, w, h, channels, pixels, w * channels)
                             : stbi_write_bmp_to_func(add, &b, w, h, channels, pixels);
    ck_assert_int_ne(good, 0);
    return b;
}

bytes picture(picture_kind kind, int w, int h, unsigned seed)
{
    uint8_t *p = draw(w, h, 3, seed);
    bytes b = encode(kind, p, w, h, 3);
    free(p);
    return b;
}

/* SOI, then APP1 with a big-endian directory of one entry, then the rest. */
bytes with_exif(bytes jpeg, int orientation)
{
    static const uint8_t head[] = { 0xFF, 0xE1, 0, 34, 'E', 'x', 'i', 'f',  0, 0, 'M', 'M', 0, 42,
                                    0,    0,    0, 8,  0,   1,   1,   0x12, 0, 3, 0,   0,   0, 1 };
    uint8_t tail[] = { 0, (uint8_t)orientation, 0, 0, 0, 0, 0, 0 };
    bytes b = { 0 };
    bytes_add(&b, jpeg.p, 2);
    bytes_add(&b, head, sizeof head);
    bytes_add(&b, tail, sizeof tail);
    bytes_add(&b, jpeg.p + 2, jpeg.n - 2);
    bytes_free(&jpeg);
    return b;
}

const char *at(const char *fmt, ...)
{
    static char ring[8][2048];
    static int next;
    char *s = ring[next++ % 8];
    int n = snprintf(s, sizeof ring[0], "%s/", suite_dir());
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(s + n, sizeof ring[0] - (size_t)n, fmt, ap);
    va_end(ap);
    return s;
}

void put(const char *path, const void *p, size_t n)
{
    char *copy = strdup(path);
    for (char *s = copy + 1; *s; s++)
        if (*s == '/') {
            *s = 0;
            ck_assert(!mkdir(copy, 0777) || errno == EEXIST);
            *s = '/';
        }
    free(copy);
    FILE *f = fopen(path, "wb");
    ck_assert_msg(f != NULL, "%s: %s", path, strerror(errno));
    ck_assert_uint_eq(fwrite(p, 1, n, f), n);
    fclose(f);
}

void put_bytes(const char *path, bytes b)
{
    put(path, b.p, b.n);
    bytes_free(&b);
}

void put_picture(const char *path, picture_kind kind, int w, int h, unsigned seed)
{
    put_bytes(path, picture(kind, w, h, seed));
}

bytes slurp(const char *path)
{
    bytes b = { 0 };
    char buf[4096];
    FILE *f = fopen(path, "rb");
    ck_assert_msg(f != NULL, "%s: %s", path, strerror(errno));
    for (size_t n; (n = fread(buf, 1, sizeof buf, f)) > 0;)
        bytes_add(&b, buf, n);
    fclose(f);
    return b;
}

void make_set(const char *name, int classes, int per_class)
{
    for (int k = 0; k < classes; k++)
        for (int i = 0; i < per_class; i++)
            put_picture(at("%s/%c/%d.jpg", name, 'a' + k, i), JPG, 40 + (i * 7) % 30, 36 + (i * 5) % 40,
                        (unsigned)(k * 1000 + i));
}

static void on_log(void *user, pith_log_level level, const char *text)
{
    watch *w = user;
    w->infos += level == PITH_LOG_INFO;
    if (level != PITH_LOG_WARN)
        return;
    w->warnings++;
    snprintf(w->last_warning, sizeof w->last_warning, "%s", text);
}

static void *take(void *user, size_t n)
{
    watch *w = user;
    if (!w->allocations_left)
        return NULL;
    w->allocations_left -= w->allocations_left > 0;
    w->live++;
    return malloc(n);
}

static void give(void *user, void *p)
{
    watch *w = user;
    w->live -= p != NULL;
    free(p);
}

pith_ctx *ctx_new(watch *w, int threads)
{
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .threads = threads,
                                               .log = w ? on_log : NULL,
                                               .log_user = w,
                                               .alloc = w ? take : NULL,
                                               .release = w ? give : NULL,
                                               .alloc_user = w });
    ck_assert_ptr_nonnull(c);
    ck_assert_msg(pith_ctx_status(c) == PITH_OK, "%s", pith_error_text(c));
    return c;
}
