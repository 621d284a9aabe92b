/* tests/odd_png.c: PNG in all its forms, written by hand (W3C, Portable Network Graphics, second edition). The pixel data is
   deflated without compression, so that no library is needed. */
#include "base/base.h"
#include "odd_files.h"
#include "suite.h"
#include <string.h>

enum { GREY = 0, RGB = 2, PALETTE = 3, GREY_ALPHA = 4, RGB_ALPHA = 6 };

static void be32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static void chunk(bytes *b, const char *type, const void *p, size_t n)
{
    uint8_t v[4];
    be32(v, (uint32_t)n);
    bytes_add(b, v, 4);
    bytes_add(b, type, 4);
    if (n)
        bytes_add(b, p, n);
    be32(v, pithp_crc32(pithp_crc32(0, type, 4), p, n));
    bytes_add(b, v, 4);
}

/* zlib's format around stored blocks. */
static bytes deflated(const bytes *raw)
{
    bytes z = { 0 };
    bytes_add(&z, "\x78\x01", 2);
    uint32_t a = 1, c = 0;
    for (size_t at = 0; at < raw->n || !at; at += 65535) {
        size_t n = PITHP_MIN(raw->n - at, (size_t)65535);
        uint8_t head[5] = { at + n == raw->n, (uint8_t)n, (uint8_t)(n >> 8), (uint8_t)~n,
                            (uint8_t)(~n >> 8) };
        bytes_add(&z, head, 5);
        bytes_add(&z, raw->p + at, n);
    }
    for (size_t i = 0; i < raw->n; i++) {
        a = (a + raw->p[i]) % 65521;
        c = (c + a) % 65521;
    }
    uint8_t sum[4];
    be32(sum, c << 16 | a);
    bytes_add(&z, sum, 4);
    return z;
}

typedef struct {
    int type, depth;
    bool interlaced, transparent; /* a tRNS chunk: white is see-through, or palette entry 0 half so */
    const uint8_t *rgb;           /* [h,w,3], quarters of full colours or greys */
} png_form;

/* The palette holds black and white, red, green and blue; index = nearest by equality. */
static const uint8_t palette[5][3] = {
    { 255, 0, 0 }, { 0, 255, 0 }, { 0, 0, 255 }, { 255, 255, 255 }, { 0, 0, 0 }
};

static unsigned sample(const png_form *f, const uint8_t *p, int channel)
{
    if (f->type == PALETTE) {
        for (unsigned i = 0; i < 5; i++)
            if (!memcmp(p, palette[i], 3))
                return i;
        return 4;
    }
    unsigned v = channel == 3 || (f->type == GREY_ALPHA && channel == 1) ? 255 : p[channel];
    return f->depth == 16 ? v * 257 : f->depth == 8 ? v : v >> (8 - f->depth);
}

/* One row of a pass: filter 0, then the samples, packed. */
static void row(bytes *raw, const png_form *f, int y, int x0, int dx)
{
    static const int channels[] = { 1, 0, 3, 1, 2, 0, 4 };
    bytes_add(raw, "\0", 1);
    unsigned byte = 0;
    int bits = 0;
    for (int x = x0; x < ODD_W; x += dx)
        for (int k = 0; k < channels[f->type]; k++) {
            unsigned v = sample(f, f->rgb + (y * ODD_W + x) * 3, k);
            for (int left = f->depth; left > 0; left -= PITHP_MIN(f->depth, 8)) {
                int n = PITHP_MIN(f->depth, 8);
                byte = byte << n | ((left > 8 ? v >> 8 : v) & ((1u << n) - 1));
                if ((bits += n) == 8) {
                    uint8_t out = (uint8_t)byte;
                    bytes_add(raw, &out, 1);
                    bits = 0, byte = 0;
                }
            }
        }
    if (bits) {
        uint8_t out = (uint8_t)(byte << (8 - bits));
        bytes_add(raw, &out, 1);
    }
}

static bytes samples(const png_form *f)
{
    static const int pass[7][4] = { { 0, 0, 8, 8 }, { 4, 0, 8, 8 }, { 0, 4, 4, 8 }, { 2, 0, 4, 4 },
                                    { 0, 2, 2, 4 }, { 1, 0, 2, 2 }, { 0, 1, 1, 2 } };
    bytes raw = { 0 };
    for (int i = 0; i < (f->interlaced ? 7 : 1); i++) {
        int x0 = f->interlaced ? pass[i][0] : 0, y0 = f->interlaced ? pass[i][1] : 0;
        int dx = f->interlaced ? pass[i][2] : 1, dy = f->interlaced ? pass[i][3] : 1;
        for (int y = y0; y < ODD_H; y += dy)
            row(&raw, f, y, x0, dx);
    }
    return raw;
}

static bytes png(const png_form *f)
{
    bytes b = { 0 }, raw = samples(f), z = deflated(&raw);
    uint8_t head[13] = {
        0, 0, 0, ODD_W, 0, 0, 0, ODD_H, (uint8_t)f->depth, (uint8_t)f->type, 0, 0, f->interlaced
    };
    bytes_add(&b, "\x89PNG\r\n\x1a\n", 8);
    chunk(&b, "IHDR", head, 13);
    if (f->type == PALETTE)
        chunk(&b, "PLTE", palette,
              (size_t)3 << (f->depth < 3 ? f->depth : 2)); /* 2, or 4 entries and one more */
    if (f->transparent && f->type == PALETTE)
        chunk(&b, "tRNS", "\x80", 1); /* red half transparent */
    else if (f->transparent)
        chunk(&b, "tRNS", f->depth == 16 ? "\xFF\xFF\xFF\xFF\xFF\xFF" : "\0\xFF\0\xFF\0\xFF",
              f->type == GREY ? 2 : 6);
    chunk(&b, "IDAT", z.p, z.n);
    chunk(&b, "IEND", "", 0);
    bytes_free(&raw);
    bytes_free(&z);
    return b;
}

static void add(odd_files *o, int type, int depth, bool interlaced, bool transparent)
{
    const char *source = type == PALETTE && depth == 1        ? "rggr"
                         : type == PALETTE                    ? "rgbw"
                         : type == GREY && depth == 1         ? "kwwk"
                         : type == GREY || type == GREY_ALPHA ? "kdlw"
                                                              : "rgbw";
    const char *seen = type == PALETTE && transparent ? depth == 1 ? "pggp" : "pgbw" : source;
    uint8_t *rgb = odd_pixels(source, 3);
    png_form f = { type, depth, interlaced, transparent, rgb };
    odd_good(o, png(&f), ODD_W, ODD_H, seen, "png-type%d-%d%s%s", type, depth,
             interlaced ? "-interlaced" : "", transparent ? "-transparent" : "");
    free(rgb);
}

static bytes usual(void)
{
    uint8_t *rgb = odd_pixels("rgbw", 3);
    png_form f = { RGB, 8, false, false, rgb };
    bytes b = png(&f);
    free(rgb);
    return b;
}

static void bad_heads(odd_files *o)
{
    static const struct {
        const char *name;
        size_t at;
        const char *p;
        size_t n;
        const char *reason;
    } t[] = { { "bomb", 16, "\0\0\xFD\xE8\0\0\xFD\xE8", 8, "larger than the limit of 100 million" },
              { "bomb-2g", 16, "\x7F\xFF\xFF\xFF\x7F\xFF\xFF\xFF", 8,
                "larger than the limit of 100 million" },
              { "bomb-wide", 16, "\x05\xF5\xE1\0\0\0\0\x10", 8, "larger than the limit of 100 million" },
              { "bomb-memory", 16, "\0\0\x1F\x40\0\0\x1F\x40", 8, "more than 256 MB" },
              { "no-width", 16, "\0\0\0\0", 4, "without pixels" },
              { "no-height", 20, "\0\0\0\0", 4, "without pixels" },
              { "narrow", 16, "\0\0\0\x07", 4, "smaller than 8 x 8" },
              { "larger-than-data", 20, "\0\0\1\0", 4, "damaged PNG" },
              { "depth-3", 24, "\3", 1, "damaged PNG" },
              { "depth-32", 24, "\x20", 1, "damaged PNG" },
              { "type-1", 25, "\1", 1, "damaged PNG" },
              { "type-9", 25, "\x09", 1, "damaged PNG" },
              { "palette-missing", 25, "\3", 1, "damaged PNG" },
              { "compression-1", 26, "\1", 1, "damaged PNG" },
              { "filter-1", 27, "\1", 1, "damaged PNG" },
              { "interlace-9", 28, "\x09", 1, "damaged PNG" },
              { "head-of-12", 11, "\x0C", 1, "damaged PNG" },
              { "data-too-long", 33, "\x7F\xFF\xFF\xFF", 4, "damaged PNG" },
              { "data-negative", 33, "\xFF\xFF\xFF\xFF", 4, "damaged PNG" },
              { "not-deflated", 41, "\xFF\xFF\xFF\xFF", 4, "damaged PNG" } };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        bytes b = usual();
        memcpy(b.p + t[i].at, t[i].p, t[i].n);
        odd_bad(o, b, t[i].reason, "png-%s", t[i].name);
    }
}

void odd_pngs(odd_files *o)
{
    static const int forms[][2] = { { GREY, 1 },        { GREY, 2 },      { GREY, 4 },      { GREY, 8 },
                                    { GREY, 16 },       { RGB, 8 },       { RGB, 16 },      { PALETTE, 1 },
                                    { PALETTE, 2 },     { PALETTE, 4 },   { PALETTE, 8 },   { GREY_ALPHA, 8 },
                                    { GREY_ALPHA, 16 }, { RGB_ALPHA, 8 }, { RGB_ALPHA, 16 } };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        for (int interlaced = 0; interlaced < 2; interlaced++)
            add(o, forms[i][0], forms[i][1], interlaced, false);
    add(o, PALETTE, 1, false, true);
    add(o, PALETTE, 8, false, true);
    add(o, PALETTE, 4, true, true);
    add(o, RGB, 8, false, true); /* white that is see-through is white on white */
    add(o, RGB, 16, true, true);
    add(o, GREY, 8, false, true);
    bad_heads(o);
    static const size_t ends[] = { 9, 16, 20, 30, 33, 37, 41, 60, 500, 3000 };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        bytes b = usual();
        b.n = ends[i];
        odd_bad(o, b, "damaged PNG", "png-cut-%zu", ends[i]);
    }
    bytes b = usual();
    bytes_add(&b, "trailing bytes", 14);
    odd_good(o, b, ODD_W, ODD_H, "rgbw", "png-tail");
    bytes pieces = { 0 };
    b = usual();
    bytes_add(&pieces, b.p, 33);
    chunk(&pieces, "tEXt", "Comment\0none", 12);
    bytes_add(&pieces, b.p + 33, b.n - 33 - 12);
    chunk(&pieces, "IDAT", "", 0); /* an empty piece of the data is allowed */
    chunk(&pieces, "IEND", "", 0);
    bytes_free(&b);
    odd_good(o, pieces, ODD_W, ODD_H, "rgbw", "png-text-and-empty-data");
}
