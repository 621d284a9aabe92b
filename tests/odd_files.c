/* tests/odd_files.c: what is no picture, and what the parts of the collection share. */
#include "odd_files.h"
#include "suite.h"
#include <string.h>

static void add(odd_files *o, bytes b, const char *fmt, va_list ap)
{
    ck_assert_uint_lt(o->n, ODD_MOST);
    odd_file *f = &o->file[o->n++];
    *f = (odd_file){ .file = b };
    vsnprintf(f->name, sizeof f->name, fmt, ap);
}

void odd_good(odd_files *o, bytes b, int w, int h, const char *seen, const char *name, ...)
{
    va_list ap;
    va_start(ap, name);
    add(o, b, name, ap);
    va_end(ap);
    odd_file *f = &o->file[o->n - 1];
    f->w = w;
    f->h = h;
    memcpy(f->seen, seen, 4);
}

void odd_bad(odd_files *o, bytes b, const char *reason, const char *name, ...)
{
    va_list ap;
    va_start(ap, name);
    add(o, b, name, ap);
    va_end(ap);
    o->file[o->n - 1].reason = reason;
}

static void colour_of(char letter, uint8_t *p, int channels)
{
    static const struct {
        char letter;
        uint8_t rgb[3];
    } t[] = { { 'k', { 0, 0, 0 } },       { 'w', { 255, 255, 255 } }, { 'r', { 255, 0, 0 } },
              { 'g', { 0, 255, 0 } },     { 'b', { 0, 0, 255 } },     { 'd', { 85, 85, 85 } },
              { 'l', { 170, 170, 170 } }, { 'p', { 255, 128, 128 } } };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++)
        if (t[i].letter == letter)
            memcpy(p, t[i].rgb, (size_t)(channels < 3 ? channels : 3));
}

uint8_t *odd_pixels(const char *seen, int channels)
{
    uint8_t *p = calloc((size_t)ODD_W * ODD_H, (size_t)channels);
    for (int y = 0; y < ODD_H; y++)
        for (int x = 0; x < ODD_W; x++)
            colour_of(seen[(y >= ODD_H / 2) * 2 + (x >= ODD_W / 2)], p + (y * ODD_W + x) * channels,
                      channels);
    return p;
}

#define TEXT(text) text, sizeof(text) - 1

/* What lies under the name of a photograph, and is none. */
void odd_others(odd_files *o)
{
    static const struct {
        const char *name, *p;
        size_t n;
        const char *reason;
    } t[] = { { "empty", TEXT(""), "empty file" },
              { "zeros", TEXT("\0\0\0\0\0\0\0\0\0\0\0\0"), "nothing but zero bytes" },
              { "html", TEXT("<!DOCTYPE html><html><body>404 Not Found"), "HTML page, not an image" },
              { "html-old", TEXT("\n\t <HTML>\n<HEAD>"), "HTML page, not an image" },
              { "html-bom", TEXT("\xEF\xBB\xBF<html>"), "HTML page, not an image" },
              { "svg", TEXT("<svg xmlns='http://www.w3.org/2000/svg'/>"), "SVG image" },
              { "xml", TEXT("<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>"), "XML file" },
              { "json", TEXT("{\"error\": \"not found\"}"), "text file" },
              { "text", TEXT("Photo unavailable\r\n"), "text file" },
              { "webp-lossy", TEXT("RIFF\x24\0\0\0WEBPVP8 \x18\0\0\0"), "WebP image" },
              { "webp-lossless", TEXT("RIFF\x24\0\0\0WEBPVP8L\x18\0\0\0"), "WebP image" },
              { "webp-extended", TEXT("RIFF\x24\0\0\0WEBPVP8X\x0A\0\0\0"), "WebP image" },
              { "riff-wave", TEXT("RIFF\x24\0\0\0WAVEfmt \x10\0\0\0"), "not a known image format" },
              { "avif",
                TEXT("\0\0\0\x20"
                     "ftypavif\0\0\0\0"),
                "AVIF image" },
              { "heic",
                TEXT("\0\0\0\x20"
                     "ftypheic\0\0\0\0"),
                "HEIC image" },
              { "mp4",
                TEXT("\0\0\0\x20"
                     "ftypisom\0\0\0\0"),
                "video file" },
              { "tiff-intel", TEXT("II*\0\x08\0\0\0\0\0"), "TIFF image" },
              { "tiff-motorola", TEXT("MM\0*\0\0\0\x08\0\0"), "TIFF image" },
              { "jpeg-xl", TEXT("\xFF\x0A\x80\x80"), "JPEG XL image" },
              { "jpeg-xl-box", TEXT("\0\0\0\x0CJXL \r\n\x87\n"), "JPEG XL image" },
              { "jpeg-2000", TEXT("\0\0\0\x0CjP  \r\n\x87\n"), "JPEG 2000 image" },
              { "jpeg-2000-stream", TEXT("\xFF\x4F\xFF\x51\0\x2F"), "JPEG 2000 image" },
              { "photoshop", TEXT("8BPS\0\1\0\0\0\0\0\0"), "Photoshop file" },
              { "icon", TEXT("\0\0\1\0\1\0\x20\x20"), "icon file" },
              { "pdf", TEXT("%PDF-1.4\n%\xE2\xE3"), "PDF document" },
              { "zip", TEXT("PK\3\4\x14\0\0\0"), "archive" },
              { "gzip", TEXT("\x1f\x8b\x08\0\0\0"), "archive" },
              { "rar", TEXT("Rar!\x1a\7\0"), "archive" },
              { "seven-zip", TEXT("7z\xBC\xAF\x27\x1C"), "archive" },
              { "ole", TEXT("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"),
                "not a known image format" }, /* Thumbs.db, renamed */
              { "one-byte", TEXT("\xFF"), "not a known image format" },
              { "pickle", TEXT("\x80\4\x95\x0B\0\0\0"), "not a known image format" } };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        bytes b = { 0 };
        bytes_add(&b, t[i].p, t[i].n);
        odd_bad(o, b, t[i].reason, "other-%s", t[i].name);
    }
}

odd_files *odd_all(void)
{
    odd_files *o = calloc(1, sizeof *o);
    ck_assert_ptr_nonnull(o);
    odd_others(o);
    odd_jpegs(o);
    odd_cut_jpegs(o);
    odd_exif(o);
    odd_pngs(o);
    odd_bmps(o);
    odd_gifs(o);
    return o;
}

void odd_free(odd_files *o)
{
    for (size_t i = 0; i < o->n; i++)
        bytes_free(&o->file[i].file);
    free(o);
}
