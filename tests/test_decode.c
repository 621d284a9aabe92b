/* The data floor: what a file is, and what comes out of it. Every picture is made here. */
#include "decode_help.h"
#include <math.h>
#include <string.h>

/* Decodes in a block of exactly n bytes, so that a sanitizer sees a read past it. */
static const char *decode(const uint8_t *p, size_t n, int store, pithp_picture *out)
{
    uint8_t *exact = malloc(n ? n : 1);
    memcpy(exact, p, n);
    const char *reason = pithp_decode(&work, exact, n, store, 100000000, out);
    free(exact);
    return reason;
}

static void good(bytes b, int store, int w, int h)
{
    pithp_picture p;
    const char *reason = decode(b.p, b.n, store, &p);
    ck_assert_msg(!reason, "%s", reason);
    ck_assert_int_eq(p.width, w);
    ck_assert_int_eq(p.height, h);
}

static void bad(const void *p, size_t n, const char *reason)
{
    pithp_picture out;
    const char *found = decode(p, n, 128, &out);
    ck_assert_msg(found && strstr(found, reason), "expected \"%s\", found \"%s\"", reason,
                  found ? found : "a picture");
}

/* 8 by 8 pixels of two colours. */
static const uint8_t gif[] = { 'G', 'I', 'F', '8',  '9',  'a',  8,    0,    8,    0,    0x80, 0,   0, 0,
                               0,   0,   255, 255,  255,  0x2C, 0,    0,    0,    0,    8,    0,   8, 0,
                               0,   2,   7,   0x84, 0x8F, 0xA9, 0xCB, 0xED, 0x0F, 0x05, 0,    0x3B };

START_TEST(sizes)
{
    static const struct {
        int w, h, store, sw, sh;
    } t[] = { { 40, 30, 128, 40, 30 },     { 128, 128, 128, 128, 128 }, { 256, 128, 128, 256, 128 },
              { 400, 300, 128, 171, 128 }, { 300, 400, 128, 128, 171 }, { 900, 100, 128, 200, 100 },
              { 100, 900, 64, 64, 128 },   { 129, 131, 128, 128, 130 }, { 8, 8, 128, 8, 8 },
              { 8, 400, 128, 8, 16 },      { 1001, 333, 24, 48, 24 } };
    for (size_t i = 0; i < PITHP_LEN(t); i++)
        for (int kind = JPG; kind <= BMP; kind++) {
            bytes b = picture((picture_kind)kind, t[i].w, t[i].h, (unsigned)i);
            good(b, t[i].store, t[i].sw, t[i].sh);
            bytes_free(&b);
        }
    ck_assert_int_eq(pithp_store_size(96), 128);
    ck_assert_int_eq(pithp_store_size(224), 304);
    ck_assert_int_eq(pithp_store_size(8), 16);
}
END_TEST

/* The formats agree with the pixels they were made from. */
START_TEST(colours)
{
    uint8_t *pixels = draw(60, 50, 3, 7);
    for (int kind = JPG; kind <= BMP; kind++) {
        bytes b = encode((picture_kind)kind, pixels, 60, 50, 3);
        pithp_picture p;
        ck_assert_ptr_null(decode(b.p, b.n, 128, &p));
        ck_assert_int_eq((int)p.format, kind == JPG ? PITHP_JPEG : kind == PNG ? PITHP_PNG : PITHP_BMP);
        long sum = 0;
        for (int i = 0; i < 60 * 50 * 3; i++)
            sum += abs(p.pixels[i] - pixels[i]);
        ck_assert_msg(sum <= (kind == JPG ? 60 * 50 * 3 * 16L : 0), "format %d: mean error %g", kind,
                      sum / 9000.0);
        bytes_free(&b);
    }
    free(pixels);
}
END_TEST

START_TEST(transparency)
{
    uint8_t *rgba = draw(16, 16, 4, 1);
    for (int i = 0; i < 256; i++)
        rgba[4 * i + 3] = i < 128 ? 0 : 255;
    bytes b = encode(PNG, rgba, 16, 16, 4);
    pithp_picture p;
    ck_assert_ptr_null(decode(b.p, b.n, 128, &p));
    for (int i = 0; i < 256 * 3; i++)
        ck_assert_int_eq(p.pixels[i], i < 128 * 3 ? 255 : rgba[i / 3 * 4 + i % 3]);
    bytes_free(&b);
    free(rgba);
}
END_TEST

/* Corners of a picture: red, green over blue, white. */
static bytes corners(int w, int h)
{
    static const uint8_t colour[4][3] = { { 255, 0, 0 }, { 0, 255, 0 }, { 0, 0, 255 }, { 255, 255, 255 } };
    uint8_t *p = malloc((size_t)w * (size_t)h * 3);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            memcpy(p + (y * w + x) * 3, colour[(y >= h / 2) * 2 + (x >= w / 2)], 3);
    bytes b = encode(JPG, p, w, h, 3);
    free(p);
    return b;
}

static char corner(const pithp_picture *p, bool right, bool low)
{
    int x = right ? p->width - 4 : 3, y = low ? p->height - 4 : 3;
    const uint8_t *q = p->pixels + (y * p->width + x) * 3;
    return (q[0] > 128) + (q[1] > 128) + (q[2] > 128) == 3 ? 'w' : q[0] > 128 ? 'r' : q[1] > 128 ? 'g' : 'b';
}

/* EXIF 2.32, table "orientation": which side of the scene the first row and the first column show. */
START_TEST(orientation)
{
    static const char *const expected[] = { "rgbw", "rgbw", "grwb", "wbgr", "bwrg",
                                            "rbgw", "brwg", "wgbr", "gwrb", "rgbw" };
    for (int o = 0; o <= 9; o++) {
        bytes b = with_exif(corners(64, 32), o);
        pithp_picture p;
        ck_assert_ptr_null(decode(b.p, b.n, 128, &p));
        char found[5] = { corner(&p, 0, 0), corner(&p, 1, 0), corner(&p, 0, 1), corner(&p, 1, 1), 0 };
        ck_assert_msg(!strcmp(found, expected[o]), "orientation %d: %s", o, found);
        bool side = o >= 5 && o <= 8;
        ck_assert_int_eq(p.width, side ? 32 : 64);
        ck_assert_int_eq(p.full_height, side ? 64 : 32);
        bytes_free(&b);
    }
}
END_TEST

START_TEST(hostile_exif)
{
    static const uint8_t entry[] = {
        'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0
    };
    ck_assert_int_eq(pithp_exif_orientation(entry, sizeof entry), 6);
    for (size_t n = 0; n < sizeof entry - 1; n++) {
        uint8_t *p = malloc(n ? n : 1);
        memcpy(p, entry, n);
        ck_assert_int_eq(pithp_exif_orientation(p, n), 1);
        free(p);
    }
    bytes b = with_exif(corners(16, 16), 6);
    ck_assert_int_eq(pithp_jpeg_orientation(b.p, b.n), 6);
    for (size_t n = 0; n < 60; n++) {
        uint8_t *p = malloc(n ? n : 1);
        memcpy(p, b.p, n);
        ck_assert_int_eq(pithp_jpeg_orientation(p, n), n < 38 ? 1 : 6);
        free(p);
    }
    bytes_free(&b);
    uint32_t r = 1;
    for (int i = 0; i < 200000; i++) {
        uint8_t p[40];
        for (size_t k = 0; k < sizeof p; k++)
            p[k] = k < sizeof entry ? entry[k] : 0;
        for (int k = 0; k < 4; k++) {
            r = r * 1664525u + 1013904223u;
            p[(r >> 8) % sizeof p] = (uint8_t)(r >> 24);
        }
        int o = pithp_exif_orientation(p, sizeof p);
        ck_assert(o >= 1 && o <= 8);
    }
}
END_TEST

START_TEST(no_pictures)
{
#define BAD(text, reason) bad(text, sizeof(text) - 1, reason)
    BAD("", "empty file");
    BAD("<!DOCTYPE html><html>", "HTML page");
    BAD("  \n<HTML><head>", "HTML page");
    BAD("\xEF\xBB\xBF<html>", "HTML page");
    BAD("<?xml version=\"1.0\"?>", "XML");
    BAD("<svg xmlns=", "SVG");
    BAD("RIFF\x10\0\0\0WEBPVP8 ", "WebP image (not supported)");
    BAD("\0\0\0\x20"
        "ftypavif",
        "AVIF");
    BAD("\0\0\0\x20"
        "ftypheic",
        "HEIC");
    BAD("\0\0\0\x20"
        "ftypisom",
        "video");
    BAD("II*\0\x08\0\0\0", "TIFF");
    BAD("MM\0*\0\0\0\x08", "TIFF");
    BAD("8BPS\0\1", "Photoshop");
    BAD("%PDF-1.7", "PDF");
    BAD("PK\3\4", "archive");
    BAD("\0\0\1\0\1\0", "icon");
    BAD("\0\0\0\0\0\0\0\0", "zero bytes");
    BAD("hello, this is no picture", "text file");
    BAD("\x80\x91\x02\xF3", "not a known image format");
    BAD("GIF89a", "damaged GIF");
    BAD("\x89PNG\r\n\x1a\n", "damaged PNG");
    BAD("BM\0\0\0\0\0\0\0\0\x36\0\0\0", "damaged BMP: cut off");
    BAD("\xFF\xD8", "JPEG");
    BAD("\xFF\xD8\xFF", "JPEG");
    bytes tiny = picture(PNG, 7, 40, 1);
    bad(tiny.p, tiny.n, "7 x 40 pixels: smaller");
    bytes_free(&tiny);
}
END_TEST

/* Sides of 65,000 pixels in the header of a file of a few hundred bytes. */
START_TEST(bombs)
{
    for (int kind = JPG; kind <= BMP; kind++) {
        bytes b = picture((picture_kind)kind, 16, 16, 3);
        size_t i = 0;
        switch (kind) {
        case JPG:
            while (!(b.p[i] == 0xFF && b.p[i + 1] == 0xC0))
                i++;
            memcpy(b.p + i + 5, "\xFD\xE8\xFD\xE8", 4);
            break;
        case PNG: memcpy(b.p + 16, "\0\0\xFD\xE8\0\0\xFD\xE8", 8); break;
        default: memcpy(b.p + 18, "\xE8\xFD\0\0\xE8\xFD\0\0", 8);
        }
        bad(b.p, b.n, "65000 x 65000 pixels: larger than the limit of 100 million");
        bytes_free(&b);
    }
    bytes b = picture(PNG, 16, 16, 3);
    memcpy(b.p + 16, "\0\0\x1F\x40\0\0\x1F\x40", 8); /* 8000 x 8000: allowed in area, not in memory */
    bad(b.p, b.n, "more than 256 MB");
    bytes_free(&b);
}
END_TEST

#ifdef HAVE_LIBJPEG
enum { SPARE = 2 };
#else
enum { SPARE = 0 }; /* stb wants the end marker, too */
#endif

/* Cut anywhere: never taken for a whole picture, but where only the end marker of one scan is missing. */
START_TEST(truncated)
{
    bytes b = picture(JPG, 48, 40, 5);
    for (size_t n = 0; n < b.n; n++) {
        pithp_picture p;
        const char *reason = decode(b.p, n, 128, &p);
        ck_assert_msg((reason != NULL) == (n < b.n - SPARE), "%zu of %zu bytes: %s", n, b.n,
                      reason ? reason : "taken");
    }
    bytes_free(&b);
    for (int kind = PNG; kind <= BMP; kind++) {
        b = picture((picture_kind)kind, 20, 16, 5);
        for (size_t n = 0; n + 32 < b.n; n++) {
            pithp_picture p;
            ck_assert_msg(decode(b.p, n, 128, &p) != NULL, "format %d, %zu of %zu bytes", kind, n, b.n);
        }
        bytes_free(&b);
    }
    for (size_t n = 0; n < sizeof gif; n++) {
        pithp_picture p;
        ck_assert_int_eq(decode(gif, n, 128, &p) != NULL,
                         n < sizeof gif - 1); /* the last byte ends the file, not the frame */
    }
    good((bytes){ (uint8_t *)(uintptr_t)gif, sizeof gif, 0 }, 128, 8, 8);
}
END_TEST

/* What libjpeg's cousins write: all of them good. */
START_TEST(jpeg_forms)
{
    static const struct {
        int channels;
        jpeg_form form;
    } t[] = { { 1, { 0 } },
              { 3, { .progressive = true } },
              { 3, { .arithmetic = true } },
              { 3, { .restart = 2 } },
              { 3, { .no_jfif = true } },
              { 1, { .progressive = true, .no_jfif = true } },
              { 4, { 0 } },
              { 4, { .ycck = true } },
              { 4, { .no_adobe = true } },
              { 4, { .ycck = true, .progressive = true } } };
    for (size_t i = 0; i < PITHP_LEN(t); i++) {
        int ch = t[i].channels;
        uint8_t *src = draw(64, 48, ch, 3);
        for (int k = 3; ch == 4 && k < 64 * 48 * 4; k += 4)
            src[k] = 200; /* K, inverted where an Adobe marker stands */
        bytes b = encode_jpeg(src, 64, 48, ch, t[i].form);
        if (!b.n)
            break;
        pithp_picture p;
        const char *reason = decode(b.p, b.n, 128, &p);
        ck_assert_msg(!reason, "form %zu: %s", i, reason);
        long sum = 0;
        for (int q = 0; q < 64 * 48; q++)
            for (int k = 0; k < 3; k++) {
                int v = src[q * ch + (ch == 1 ? 0 : k)];
                if (ch == 4)
                    v = t[i].form.no_adobe ? (255 - v) * 55 / 255 : v * 200 / 255;
                sum += abs(p.pixels[q * 3 + k] - v);
            }
        ck_assert_msg(sum <= 64 * 48 * 3 * 16L, "form %zu: mean error %g", i, (double)sum / (64 * 48 * 3));
        /* of several scans, a cut one is never whole */
        for (size_t n = 0; t[i].form.progressive && n < b.n - 2; n += 7)
            ck_assert_ptr_nonnull(decode(b.p, n, 128, &p));
        bytes_free(&b);
        free(src);
    }
}
END_TEST

START_TEST(harmless_garbage)
{
    bytes b = picture(JPG, 48, 40, 5);
    bytes_add(&b, "trailing bytes that no decoder reads", 36);
    good(b, 128, 48, 40);
    bytes_free(&b);
    b = picture(JPG, 48, 40, 5); /* "extraneous bytes before marker": zeros in front of the end marker */
    b.n -= 2;
    bytes_add(&b, "\0\0\0\0\0\0\0\0\xFF\xD9", 10);
    good(b, 128, 48, 40);
    bytes_free(&b);
}
END_TEST

/* Bytes flipped at random: whatever comes out, it comes out. ASan and UBSan watch. */
START_TEST(mutations)
{
    uint32_t r = 99;
    for (int kind = JPG; kind <= BMP + 1; kind++) {
        bytes b = { 0 };
        if (kind <= BMP)
            b = picture((picture_kind)kind, 24, 20, 5);
        else
            bytes_add(&b, gif, sizeof gif);
        for (int i = 0; i < 3000; i++) {
            uint8_t *copy = malloc(b.n);
            memcpy(copy, b.p, b.n);
            for (int k = 0; k < 1 + i % 5; k++) {
                r = r * 1664525u + 1013904223u;
                size_t where = (r >> 4) % (i % 2 ? b.n : PITHP_MIN(b.n, 64));
                r = r * 1664525u + 1013904223u;
                copy[where] = (uint8_t)(r >> 24);
            }
            pithp_picture p;
            const char *reason = decode(copy, b.n, 16, &p);
            if (!reason)
                ck_assert(p.width >= 8 && p.height >= 8 && p.width <= 32 && p.height <= 32);
            free(copy);
        }
        bytes_free(&b);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("decode");
    TCase *t = suite_case(s, "decode");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, sizes);
    tcase_add_test(t, colours);
    tcase_add_test(t, transparency);
    tcase_add_test(t, orientation);
    tcase_add_test(t, hostile_exif);
    tcase_add_test(t, no_pictures);
    tcase_add_test(t, bombs);
    tcase_add_test(t, truncated);
    tcase_add_test(t, jpeg_forms);
    tcase_add_test(t, harmless_garbage);
    tcase_add_test(t, mutations);
    return suite_run("decode", s);
}
