/* tests/odd_jpeg.c: JPEG as cameras, editors, scanners and broken downloads leave it. ITU-T T.81. */
#include "odd_files.h"
#include "suite.h"
#include <string.h>

static bytes jpeg(const char *seen, int channels, jpeg_form form)
{
    uint8_t *p = odd_pixels(seen, channels);
    bytes b = encode_jpeg(p, ODD_W, ODD_H, channels, form);
    free(p);
    return b;
}

static bytes plain(void) { return jpeg("rgbw", 3, (jpeg_form){ 0 }); }

/* Where the n-th marker begins (0: SOI); 0 when there are not as many. Scans are looked through. */
static size_t marker(const bytes *b, int n)
{
    for (size_t i = 0; i + 1 < b->n; i++)
        if (b->p[i] == 0xFF && b->p[i + 1] != 0 && b->p[i + 1] != 0xFF &&
            (b->p[i + 1] < 0xD0 || b->p[i + 1] > 0xD7)) {
            if (!n--)
                return i;
            if (b->p[i + 1] != 0xD8 && b->p[i + 1] != 0xD9 && i + 3 < b->n)
                i += 1 + (size_t)(b->p[i + 2] << 8 | b->p[i + 3]);
        }
    return 0;
}

static size_t marker_of(const bytes *b, uint8_t kind)
{
    for (int n = 0; n == 0 || marker(b, n); n++)
        if (b->p[marker(b, n) + 1] == kind)
            return marker(b, n);
    ck_abort_msg("no marker %02x", kind);
    return 0;
}

static bytes insert(bytes b, size_t at, const void *p, size_t n)
{
    bytes out = { 0 };
    bytes_add(&out, b.p, at);
    bytes_add(&out, p, n);
    bytes_add(&out, b.p + at, b.n - at);
    bytes_free(&b);
    return out;
}

static bytes cut(bytes b, size_t n)
{
    b.n = n;
    return b;
}

/* One byte of the frame header: 4 the precision, 5 to 8 the sides, 9 the components. */
static bytes frame(bytes b, size_t at, uint8_t value)
{
    b.p[marker_of(&b, 0xC0) + at] = value;
    return b;
}

static void forms(odd_files *o)
{
    static const struct {
        const char *name, *seen;
        int channels;
        jpeg_form form;
    } t[] = { { "baseline", "rgbw", 3, { 0 } },
              { "444", "rgbw", 3, { .h = 1, .v = 1 } },
              { "422", "rgbw", 3, { .h = 2, .v = 1 } },
              { "440", "rgbw", 3, { .h = 1, .v = 2 } },
              { "411", "rgbw", 3, { .h = 4, .v = 1 } },
              { "410", "rgbw", 3, { .h = 4, .v = 2 } },
              { "progressive", "rgbw", 3, { .progressive = true } },
              { "progressive-444", "rgbw", 3, { .progressive = true, .h = 1, .v = 1 } },
              { "restart-1", "rgbw", 3, { .restart = 1 } },
              { "restart-5", "rgbw", 3, { .restart = 5 } },
              { "progressive-restart", "rgbw", 3, { .progressive = true, .restart = 2 } },
              { "by-channel", "rgbw", 3, { .by_channel = true } },
              { "arithmetic", "rgbw", 3, { .arithmetic = true } },
              { "arithmetic-progressive", "rgbw", 3, { .arithmetic = true, .progressive = true } },
              { "arithmetic-restart", "rgbw", 3, { .arithmetic = true, .restart = 3 } },
              { "no-jfif", "rgbw", 3, { .no_jfif = true } },
              { "no-jfif-progressive", "rgbw", 3, { .no_jfif = true, .progressive = true } },
              { "rgb", "rgbw", 3, { .rgb = true, .no_jfif = true } },
              { "grey", "kdlw", 1, { 0 } },
              { "grey-progressive", "kdlw", 1, { .progressive = true } },
              { "grey-no-jfif", "kdlw", 1, { .no_jfif = true } },
              { "grey-arithmetic", "kdlw", 1, { .arithmetic = true } },
              { "grey-2x2", "kdlw", 1, { .h = 2, .v = 2 } } };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++)
        odd_good(o, jpeg(t[i].seen, t[i].channels, t[i].form), ODD_W, ODD_H, t[i].seen, "jpeg-%s", t[i].name);
    odd_bad(o, jpeg("kdlw", 2, (jpeg_form){ 0 }), "JPEG", "jpeg-two-components");
}

/* Four inks. Adobe's files are inverted: 255 is no ink. */
static void inks(odd_files *o)
{
    for (int adobe = 0; adobe < 2; adobe++)
        for (int ycck = 0; ycck <= adobe; ycck++)
            for (int progressive = 0; progressive < 2; progressive++) {
                uint8_t *p = odd_pixels("rgbw", 4);
                for (int i = 0; i < ODD_W * ODD_H * 4; i++)
                    p[i] = i % 4 == 3 ? adobe ? 255 : 0 : adobe ? p[i] : (uint8_t)(255 - p[i]);
                jpeg_form form = {
                    .ycck = ycck, .no_adobe = !adobe, .progressive = progressive, .h = 1, .v = 1
                };
                odd_good(o, encode_jpeg(p, ODD_W, ODD_H, 4, form), ODD_W, ODD_H, "rgbw", "jpeg-%s%s%s",
                         ycck ? "ycck" : "cmyk", adobe ? "-adobe" : "", progressive ? "-progressive" : "");
                o->file[o->n - 1].only_us = !adobe; /* what 255 means is then anybody's guess */
                free(p);
            }
}

/* Headers that nobody or nearly nobody reads, and nonsense in them. */
static void headers(odd_files *o)
{
    odd_bad(o, frame(plain(), 4, 12), "precision 12", "jpeg-12-bit");
    odd_bad(o, frame(plain(), 4, 16), "precision 16", "jpeg-16-bit");
    static const uint8_t kinds[] = { 0xC3, 0xC5, 0xC6, 0xC7, 0xCB, 0xCD, 0xCE, 0xCF };
    for (size_t i = 0; i < sizeof kinds; i++)
        odd_bad(o, frame(plain(), 1, kinds[i]), "JPEG", "jpeg-sof%d",
                kinds[i] - 0xC0); /* lossless, hierarchical */
    odd_bad(o, frame(plain(), 9, 0), "JPEG", "jpeg-no-components");
    odd_bad(o, frame(plain(), 9, 200), "JPEG", "jpeg-200-components");
    odd_bad(o, frame(frame(plain(), 7, 0), 8, 0), "JPEG", "jpeg-no-width");
    odd_bad(o, frame(frame(plain(), 5, 0), 6, 0), "JPEG", "jpeg-no-height"); /* DNL is read by nobody */
    odd_bad(o, frame(plain(), 11, 0), "JPEG", "jpeg-sampling-0");
    odd_bad(o, frame(plain(), 11, 0xF1), "JPEG", "jpeg-sampling-15");
    odd_bad(o, frame(plain(), 12, 3), "JPEG", "jpeg-no-such-table");
    odd_bad(o, frame(frame(plain(), 8, 7), 6, 64), "7 x 64 pixels: smaller", "jpeg-7-wide");
    static const uint16_t bombs[][2] = {
        { 65000, 65000 }, { 65500, 65500 }, { 65000, 2000 }, { 1600, 65000 }
    };
    for (size_t i = 0; i < 4; i++) {
        bytes b = plain();
        uint8_t sides[4] = { (uint8_t)(bombs[i][1] >> 8), (uint8_t)bombs[i][1], (uint8_t)(bombs[i][0] >> 8),
                             (uint8_t)bombs[i][0] };
        memcpy(b.p + marker_of(&b, 0xC0) + 5, sides, 4);
        odd_bad(o, b, "larger than the limit of 100 million", "jpeg-bomb-%dx%d", bombs[i][0], bombs[i][1]);
    }
    bytes b = plain(); /* 60,000 x 1,600: within the limit, and 600 bytes hold none of it */
    memcpy(b.p + marker_of(&b, 0xC0) + 5, "\x06\x40\xEA\x60", 4);
    odd_bad(o, b, "truncated JPEG", "jpeg-within-the-limit");
    b = jpeg("rgbw", 3, (jpeg_form){ .progressive = true, .h = 1, .v = 1 });
    memcpy(b.p + marker_of(&b, 0xC2) + 5, "\x27\x10\x27\x0F",
           4); /* 9,999 x 10,000: its coefficients take 600 MB */
    odd_bad(o, b, "decoding would take more than 256 MB", "jpeg-progressive-bomb");
}

/* A few bytes that make thousands of scans over a large picture. */
static void many_scans(odd_files *o)
{
    bytes b = jpeg("kdlw", 1, (jpeg_form){ .progressive = true });
    memcpy(b.p + marker_of(&b, 0xC2) + 5, "\x13\x88\x13\x88", 4); /* 5,000 x 5,000 */
    size_t scan = marker_of(&b, 0xDA), end = b.n - 2;
    bytes one = { 0 };
    bytes_add(&one, b.p + scan, end - scan);
    for (int i = 0; i < 300; i++)
        b = insert(b, end, one.p, one.n);
    bytes_free(&one);
    odd_bad(o, b, "JPEG", "jpeg-thousands-of-scans");
}

/* Bytes too many, where real files have them: all of it is read. */
static void surplus(odd_files *o)
{
    static const struct {
        const char *name, *p;
        size_t n;
    } tail[] = { { "text", "Photo by somebody", 17 },
                 { "zeros", "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16 },
                 { "second-end", "\xFF\xD9\xFF\xD9", 4 },
                 { "marker", "\xFF\xC0\xFF\xDA\xFF", 5 } };
    for (size_t i = 0; i < sizeof tail / sizeof *tail; i++) {
        bytes b = plain();
        bytes_add(&b, tail[i].p, tail[i].n);
        odd_good(o, b, ODD_W, ODD_H, "rgbw", "jpeg-tail-%s", tail[i].name);
    }
    bytes b = plain(), second = jpeg("wbgr", 3, (jpeg_form){ 0 });
    bytes_add(&b, second.p, second.n); /* the first picture is the picture */
    bytes_free(&second);
    odd_good(o, b, ODD_W, ODD_H, "rgbw", "jpeg-tail-second-picture");
    for (int n = 1; n < 20; n++) {
        b = plain();
        size_t at = marker(&b, n);
        if (!at)
            n = 20;
        if (at)
            odd_good(o, insert(b, at, "\0\0\x12\x34", 4), ODD_W, ODD_H, "rgbw", "jpeg-extraneous-before-%d",
                     n);
        else
            bytes_free(&b);
        b = plain();
        if (at)
            odd_good(o, insert(b, at, "\xFF\xFF\xFF", 3), ODD_W, ODD_H, "rgbw", "jpeg-fill-before-%d", n);
        else
            bytes_free(&b);
    }
    odd_good(o, insert(plain(), 2, "\xFF\xFE\0\x0Fno comment\0\xFF\xD8", 17), ODD_W, ODD_H, "rgbw",
             "jpeg-comment");
    odd_bad(o, insert(plain(), 0, "\n", 1), "not a known image format", "jpeg-late-start");
    odd_bad(o, insert(plain(), 2, "\xFF\xD8", 2), "JPEG", "jpeg-two-starts");
    odd_bad(o, insert(plain(), 2, "\xFF\xE1\xFF\xFF", 4), "JPEG", "jpeg-endless-segment");
    odd_good(o, insert(plain(), 2, "\xFF\xE1\0\1", 4), ODD_W, ODD_H, "rgbw",
             "jpeg-segment-of-1"); /* passed over */
}

void odd_jpegs(odd_files *o)
{
    forms(o);
    inks(o);
    headers(o);
    many_scans(o);
    surplus(o);
}

/* ---- Cut, and damaged in the middle -------------------------------------------------------------------------------- */

static void cut_everywhere(odd_files *o, const char *name, int channels, jpeg_form form)
{
    bytes whole = jpeg(channels == 1 ? "kdlw" : "rgbw", channels, form);
    for (int n = 1; marker(&whole, n); n++) {
        size_t at = marker(&whole, n);
        bool last = at == whole.n - 2, one_scan = !form.progressive && !form.by_channel;
        for (int part = 0; part < 3; part++) { /* before the marker, behind it, within its length */
            size_t end = at + (size_t)part + (part == 2);
            if (end >= whole.n - (last && part ? 1 : 0))
                continue;
            bytes b = cut(jpeg(channels == 1 ? "kdlw" : "rgbw", channels, form), end);
            if (last && one_scan) /* all of the picture is there */
                odd_good(o, b, ODD_W, ODD_H, channels == 1 ? "kdlw" : "rgbw", "cut-%s-%d-%d", name, n, part);
            else
                odd_bad(o, b, "truncated JPEG", "cut-%s-%d-%d", name, n, part);
        }
    }
    size_t scan = marker_of(&whole, 0xDA), end = whole.n - 2;
    for (int i = 1; i < 8; i++)
        odd_bad(
            o,
            cut(jpeg(channels == 1 ? "kdlw" : "rgbw", channels, form), scan + (end - scan) * (size_t)i / 8),
            "truncated JPEG", "cut-%s-scan-%d", name, i);
    bytes_free(&whole);
}

void odd_cut_jpegs(odd_files *o)
{
    cut_everywhere(o, "baseline", 3, (jpeg_form){ .h = 1, .v = 1 });
    cut_everywhere(o, "grey", 1, (jpeg_form){ 0 });
    cut_everywhere(o, "progressive", 3, (jpeg_form){ .progressive = true, .h = 1, .v = 1 });
    cut_everywhere(o, "by-channel", 3, (jpeg_form){ .by_channel = true, .h = 1, .v = 1 });
    bytes whole = plain();
    size_t scan = marker_of(&whole, 0xDA) + 14;
    bytes_free(&whole);
    bytes b = plain();
    memset(b.p + scan, 0, b.n - scan - 2);
    odd_bad(o, b, "JPEG", "jpeg-zeroed-scan");
    b = plain();
    b.p[scan + 20] = 0xFF, b.p[scan + 21] = 0xD9; /* the end, too early */
    odd_bad(o, b, "truncated JPEG", "jpeg-early-end");
    b = plain();
    memcpy(b.p + scan + 20, "\xFF\xC4\0\3\1", 5); /* a table in the middle of the scan */
    odd_bad(o, b, "truncated JPEG", "jpeg-marker-in-scan");
}

/* ---- Which side is up --------------------------------------------------------------------------------------------- */

static void put16(uint8_t *p, bool big, unsigned v)
{
    p[!big] = (uint8_t)(v >> 8);
    p[big] = (uint8_t)v;
}

static void put32(uint8_t *p, bool big, uint32_t v)
{
    put16(p + (big ? 0 : 2), big, v >> 16);
    put16(p + (big ? 2 : 0), big, v & 0xFFFF);
}

/* A TIFF block with one entry in its first directory. */
static void tiff(uint8_t p[26], bool big, uint32_t directory, unsigned entries, unsigned type, uint32_t count,
                 unsigned value)
{
    memset(p, 0, 26);
    memcpy(p, big ? "MM" : "II", 2);
    put16(p + 2, big, 42);
    put32(p + 4, big, directory);
    put16(p + 8, big, entries);
    put16(p + 10, big, 0x0112);
    put16(p + 12, big, type);
    put32(p + 14, big, count);
    put16(p + 18, big, value);
    put32(p + 22, big, 8); /* the next directory is this one again */
}

static bytes app1(bytes b, const char *head, const uint8_t *p, size_t n)
{
    size_t h = strlen(head) + (strcmp(head, "Exif") ? 1 : 2), length = 2 + h + n;
    uint8_t segment[512] = { 0xFF, 0xE1, (uint8_t)(length >> 8), (uint8_t)length };
    memcpy(segment + 4, head, strlen(head));
    memcpy(segment + 4 + h, p, n);
    return insert(b, 2, segment, 4 + h + n);
}

static void exif(odd_files *o, const uint8_t *p, size_t n, bool turned, const char *name)
{
    odd_good(o, app1(plain(), "Exif", p, n), turned ? ODD_H : ODD_W, turned ? ODD_W : ODD_H,
             turned ? "brwg" : "rgbw", "exif-%s", name);
    o->file[o->n - 1].only_us = !turned;
}

void odd_exif(odd_files *o)
{
    static const char *const seen[] = { "rgbw", "rgbw", "grwb", "wbgr", "bwrg",
                                        "rbgw", "brwg", "wgbr", "gwrb", "rgbw" };
    uint8_t t[300] = { 0 };
    for (int big = 0; big < 2; big++)
        for (unsigned side = 0; side <= 9; side++) {
            tiff(t, big, 8, 1, 3, 1, side);
            bool turned = side >= 5 && side <= 8;
            odd_good(o, app1(plain(), "Exif", t, 26), turned ? ODD_H : ODD_W, turned ? ODD_W : ODD_H,
                     seen[side], "exif-%s-%u", big ? "big" : "little", side);
        }
    static const struct {
        const char *name;
        uint32_t directory;
        unsigned entries, type;
        uint32_t count;
        bool turned;
    } wrong[] = { { "directory-behind", 5000, 1, 3, 1, false },
                  { "directory-at-0", 0, 1, 3, 1, false },
                  { "directory-at-end", 26, 1, 3, 1, false },
                  { "directory-huge", 0xFFFFFFFF, 1, 3, 1, false },
                  { "directory-odd", 0x7FFFFFFF, 1, 3, 1, false },
                  { "no-entries", 8, 0, 3, 1, false },
                  { "type-long", 8, 1, 4, 1, false },
                  { "type-text", 8, 1, 2, 1, false },
                  { "count-2", 8, 1, 3, 2, false },
                  { "count-huge", 8, 1, 3, 0xFFFFFFFF, false },
                  { "entries-65535", 8, 65535, 3, 1, true } };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        tiff(t, true, wrong[i].directory, wrong[i].entries, wrong[i].type, wrong[i].count, 6);
        exif(o, t, 26, wrong[i].turned, wrong[i].name);
    }
    tiff(t, true, 8, 1, 3, 1, 6); /* its directory leads to itself: the first one is all we read */
    exif(o, t, 26, true, "loop");
    exif(o, t, 12, false, "short");
    exif(o, t, 0, false, "empty");
    t[0] = 'X';
    exif(o, t, 26, false, "no-tiff");
    tiff(t, true, 8, 1, 3, 1, 6);
    odd_good(o,
             app1(app1(plain(), "Exif", t, 26), "http://ns.adobe.com/xap/1.0/", (const uint8_t *)"<x/>", 4),
             ODD_H, ODD_W, "brwg", "exif-behind-xmp");
    odd_good(o, app1(jpeg("rgbw", 3, (jpeg_form){ .no_jfif = true }), "Exif", t, 26), ODD_H, ODD_W, "brwg",
             "exif-no-jfif");
    odd_good(o, app1(jpeg("rgbw", 3, (jpeg_form){ .progressive = true }), "Exif", t, 26), ODD_H, ODD_W,
             "brwg", "exif-progressive");
}
