/* tests/odd_bmp.c: BMP (two of the real set's files are such, named .jpg) and GIF, written by hand. */
#include "odd_files.h"
#include "suite.h"
#include <string.h>

static void le(bytes *b, uint64_t v, int n)
{
    for (int i = 0; i < n; i++, v >>= 8) {
        uint8_t byte = (uint8_t)v;
        bytes_add(b, &byte, 1);
    }
}

/* ---- BMP ----------------------------------------------------------------------------------------------------------- */

static const uint8_t colours[4][3] = { { 255, 0, 0 }, { 0, 255, 0 }, { 0, 0, 255 }, { 255, 255, 255 } };

/* Which of the four colours pixel x, y has. */
static unsigned which(int x, int y) { return (unsigned)((y >= ODD_H / 2) * 2 + (x >= ODD_W / 2)); }

typedef struct {
    int bits, head; /* 1, 4, 8, 16, 24 or 32 bits; the second header's bytes: 12 (OS/2), 40, 108 or 124 */
    bool down;      /* rows from top to bottom */
    int packing;    /* 0 none, 3 bit masks (16 bits: 565) */
} bmp_form;

static void pixel(bytes *row, const bmp_form *f, int x, int y, unsigned *byte)
{
    unsigned i = which(x, y) & (f->bits == 1 ? 1 : 3);
    const uint8_t *c = colours[i];
    if (f->bits < 8) {
        *byte = *byte << f->bits | i;
        if ((x + 1) * f->bits % 8 == 0)
            le(row, *byte, 1);
    } else if (f->bits == 8) {
        le(row, i, 1);
    } else if (f->bits == 16) {
        unsigned five = f->packing ? (unsigned)((c[0] >> 3) << 11 | (c[1] >> 2) << 5 | c[2] >> 3)
                                   : (unsigned)((c[0] >> 3) << 10 | (c[1] >> 3) << 5 | c[2] >> 3);
        le(row, five, 2);
    } else {
        le(row, (uint64_t)c[2] | (uint64_t)c[1] << 8 | (uint64_t)c[0] << 16 | (uint64_t)255 << 24,
           f->bits / 8);
    }
}

static bytes bmp(bmp_form f)
{
    bytes b = { 0 };
    unsigned entries = f.bits <= 8 ? 1u << f.bits : 0, masks = f.packing == 3 && f.head == 40 ? 12 : 0;
    uint64_t data = 14 + (uint64_t)f.head + masks + entries * (f.head == 12 ? 3 : 4);
    uint64_t row = ((uint64_t)ODD_W * (uint64_t)f.bits + 31) / 32 * 4;
    bytes_add(&b, "BM", 2);
    le(&b, data + row * ODD_H, 4);
    le(&b, 0, 4);
    le(&b, data, 4);
    le(&b, (uint64_t)f.head, 4);
    if (f.head == 12) {
        le(&b, ODD_W | ODD_H << 16, 4);
        le(&b, (uint64_t)(1 | f.bits << 16), 4);
    } else {
        le(&b, ODD_W, 4);
        le(&b, (uint32_t)(f.down ? -ODD_H : ODD_H), 4);
        le(&b, (uint64_t)(1 | f.bits << 16), 4);
        le(&b, (uint64_t)f.packing, 4);
        le(&b, row * ODD_H, 4);
        le(&b, 2835, 4);
        le(&b, 2835, 4);
        le(&b, 0, 8);
        if (masks || f.head > 40) {
            le(&b, f.bits == 16 ? 0xF800 : 0xFF0000, 4);
            le(&b, f.bits == 16 ? 0x07E0 : 0xFF00, 4);
            le(&b, f.bits == 16 ? 0x001F : 0xFF, 4);
        }
        for (int i = 52; i < f.head; i += 4)
            le(&b, i == 52 ? (f.bits == 32 ? 0xFF000000 : 0) : i == 56 ? 0x73524742 : 0, 4);
    }
    for (unsigned i = 0; i < entries; i++)
        le(&b,
           (uint64_t)colours[i & 3][2] | (uint64_t)colours[i & 3][1] << 8 | (uint64_t)colours[i & 3][0] << 16,
           f.head == 12 ? 3 : 4);
    for (int y = 0; y < ODD_H; y++) {
        unsigned byte = 0;
        size_t start = b.n;
        for (int x = 0; x < ODD_W; x++)
            pixel(&b, &f, x, f.down ? y : ODD_H - 1 - y, &byte);
        le(&b, 0, (int)(row - (b.n - start)));
    }
    return b;
}

void odd_bmps(odd_files *o)
{
    static const bmp_form t[] = { { 24, 40, false, 0 },  { 24, 40, true, 0 },   { 24, 12, false, 0 },
                                  { 24, 108, false, 0 }, { 24, 124, false, 0 }, { 32, 40, false, 0 },
                                  { 32, 40, true, 0 },   { 32, 40, false, 3 },  { 32, 124, false, 3 },
                                  { 16, 40, false, 0 },  { 16, 40, false, 3 },  { 8, 40, false, 0 },
                                  { 8, 40, true, 0 },    { 8, 12, false, 0 },   { 4, 40, false, 0 },
                                  { 1, 40, false, 0 } };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++)
        odd_good(o, bmp(t[i]), ODD_W, ODD_H, t[i].bits == 1 ? "rgrg" : "rgbw", "bmp-%d-head%d%s%s", t[i].bits,
                 t[i].head, t[i].down ? "-down" : "", t[i].packing ? "-masks" : "");
    static const struct {
        const char *name;
        size_t at;
        const char *p;
        size_t n;
        const char *reason;
    } bad[] = { { "bomb", 18, "\xE8\xFD\0\0\xE8\xFD\0\0", 8, "larger than the limit of 100 million" },
                { "bomb-down", 18, "\xE8\xFD\0\0\x18\2\xFF\xFF", 8, "larger than the limit of 100 million" },
                { "lowest-height", 22, "\0\0\0\x80", 4, "larger than the limit of 100 million" },
                { "negative-width", 18, "\xD0\xFF\xFF\xFF", 4, "without pixels" },
                { "no-height", 22, "\0\0\0\0", 4, "without pixels" },
                { "narrow", 18, "\7\0\0\0", 4, "smaller than 8 x 8" },
                { "longer-than-data", 22, "\xFF\0\0\0", 4, "truncated BMP" },
                { "data-behind-end", 10, "\xFF\xFF\xFF\x7F", 4, "truncated BMP" },
                { "rle", 30, "\1\0\0\0", 4, "damaged BMP" },
                { "jpeg-inside", 30, "\4\0\0\0", 4, "damaged BMP" },
                { "bits-7", 28, "\7\0", 2, "BMP" },
                { "bits-0", 28, "\0\0", 2, "damaged BMP" },
                { "head-of-13", 14, "\x0D\0\0\0", 4, "damaged BMP" } };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        bytes b = bmp(t[0]);
        memcpy(b.p + bad[i].at, bad[i].p, bad[i].n);
        odd_bad(o, b, bad[i].reason, "bmp-%s", bad[i].name);
    }
    static const size_t ends[] = { 14, 20, 30, 53, 54, 3000 };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        bytes b = bmp(t[0]);
        b.n = ends[i];
        odd_bad(o, b, "BMP", "bmp-cut-%zu", ends[i]);
    }
}

/* ---- GIF ----------------------------------------------------------------------------------------------------------- */

typedef struct {
    bool local, interlaced, transparent; /* of colour 0, red */
    int frames, x, y;                    /* where the frame lies on the screen */
} gif_form;

/* LZW with codes of nine bits that stand for themselves: the table is cleared before it grows. */
static void lzw(bytes *b, const uint8_t *p, size_t n)
{
    bytes codes = { 0 };
    uint64_t pool = 0;
    int held = 0;
    for (size_t i = 0; i <= n; i++) {
        unsigned pair[2] = { 256, i < n ? p[i] : 257 };
        for (int k = i % 200 && i < n; k < 2; k++) {
            pool |= (uint64_t)pair[k] << held;
            for (held += 9; held >= 8; held -= 8, pool >>= 8)
                le(&codes, pool & 255, 1);
        }
    }
    le(&codes, pool & 255, 1);
    le(b, 8, 1);
    for (size_t at = 0; at < codes.n; at += 255) {
        size_t part = codes.n - at < 255 ? codes.n - at : 255;
        le(b, part, 1);
        bytes_add(b, codes.p + at, part);
    }
    le(b, 0, 1);
    bytes_free(&codes);
}

static void table(bytes *b)
{
    for (unsigned i = 0; i < 256; i++)
        bytes_add(b, colours[i & 3], 3);
}

static bytes gif(const char *version, gif_form f)
{
    static const int start[4] = { 0, 4, 2, 1 }, step[4] = { 8, 8, 4, 2 };
    bytes b = { 0 };
    bytes_add(&b, version, 6);
    le(&b, (uint64_t)(ODD_W + f.x) | (uint64_t)(ODD_H + f.y) << 16, 4);
    le(&b, f.local ? 0x70 : 0xF7, 1);
    le(&b, 0, 2);
    if (!f.local)
        table(&b);
    for (int frame = 0; frame < f.frames; frame++) {
        if (f.frames > 1 || f.transparent) {
            bytes_add(&b, "\x21\xF9\4", 3);
            le(&b, f.transparent ? 1 : 0, 1);
            le(&b, 10, 2);
            le(&b, 0, 2); /* colour 0 */
        }
        le(&b, 0x2C, 1);
        le(&b, (uint64_t)f.x | (uint64_t)f.y << 16, 4);
        le(&b, ODD_W | ODD_H << 16, 4);
        le(&b, (f.local ? 0x87 : 0) | (f.interlaced ? 0x40 : 0), 1);
        if (f.local)
            table(&b);
        uint8_t pixels[ODD_W * ODD_H], *p = pixels;
        for (int pass = 0; pass < (f.interlaced ? 4 : 1); pass++)
            for (int y = f.interlaced ? start[pass] : 0; y < ODD_H; y += f.interlaced ? step[pass] : 1)
                for (int x = 0; x < ODD_W; x++)
                    *p++ = (uint8_t)((which(x, y) + (unsigned)frame) & 3);
        lzw(&b, pixels, sizeof pixels);
    }
    le(&b, 0x3B, 1);
    return b;
}

void odd_gifs(odd_files *o)
{
    static const struct {
        const char *name, *version, *seen;
        gif_form form;
    } t[] = { { "87a", "GIF87a", "rgbw", { .frames = 1 } },
              { "89a", "GIF89a", "rgbw", { .frames = 1 } },
              { "local-colours", "GIF89a", "rgbw", { .frames = 1, .local = true } },
              { "interlaced", "GIF89a", "rgbw", { .frames = 1, .interlaced = true } },
              { "transparent", "GIF89a", "wgbw", { .frames = 1, .transparent = true } },
              { "animated", "GIF89a", "rgbw", { .frames = 3 } },
              { "animated-local", "GIF89a", "rgbw", { .frames = 2, .local = true, .interlaced = true } } };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++)
        odd_good(o, gif(t[i].version, t[i].form), ODD_W, ODD_H, t[i].seen, "gif-%s", t[i].name);
    bytes b = gif("GIF89a", (gif_form){ .frames = 1 });
    bytes_add(&b, "behind the end", 14);
    odd_good(o, b, ODD_W, ODD_H, "rgbw", "gif-tail");
    b = gif("GIF89a", (gif_form){ .frames = 3 });
    b.n = b.n * 2 / 3; /* the first frame is whole */
    odd_good(o, b, ODD_W, ODD_H, "rgbw", "gif-animation-cut");
    odd_bad(o, gif("GIF89a", (gif_form){ .frames = 0 }), "GIF", "gif-no-frame");
    static const size_t ends[] = { 6, 9, 12, 13, 500, 781, 785, 791, 795, 2000 };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        b = gif("GIF89a", (gif_form){ .frames = 1 });
        b.n = ends[i];
        odd_bad(o, b, "GIF", "gif-cut-%zu", ends[i]);
    }
    static const struct {
        const char *name;
        size_t at;
        const char *p;
        size_t n;
        const char *reason;
    } bad[] = { { "bomb", 6, "\xE8\xFD\xE8\xFD", 4, "larger than the limit of 100 million" },
                { "no-screen", 6, "\0\0\0\0", 4, "without pixels" },
                { "narrow", 6, "\7\0", 2, "smaller than 8 x 8" },
                { "frame-outside", 782, "\xFF\xFF", 2, "damaged GIF" },
                { "code-size-13", 791, "\x0D", 1, "damaged GIF" },
                { "no-such-block", 781, "\x77", 1, "GIF" } };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        b = gif("GIF89a", (gif_form){ .frames = 1 });
        memcpy(b.p + bad[i].at, bad[i].p, bad[i].n);
        odd_bad(o, b, bad[i].reason, "gif-%s", bad[i].name);
    }
}
