/* data/decode_stb.c: PNG, BMP and GIF (first frame) through stb_image; JPEG, too, where libjpeg is absent.
   Transparency is laid on white. */
#include "data/data.h"
#include "data/stb.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static const char *const format_name[] = { "JPEG", "PNG", "BMP", "GIF" };

static const char *bad_format(pithp_work *w, pithp_format f)
{
    return pithp_reason(w, "damaged %s: %s", format_name[f], pithp_stb_reason());
}

static uint32_t big(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static uint32_t small(const uint8_t *p)
{
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

/* The sides that the header claims, before anybody acts on them; a negative height of a BMP means top to
   bottom. */
static bool claimed(const uint8_t *p, size_t n, pithp_format f, int64_t *width, int64_t *height)
{
    switch (f) {
    case PITHP_PNG:
        if (n < 24)
            return false;
        *width = big(p + 16);
        *height = big(p + 20);
        return true;
    case PITHP_GIF:
        if (n < 10)
            return false;
        *width = p[6] | p[7] << 8;
        *height = p[8] | p[9] << 8;
        return true;
    case PITHP_BMP:
        if (n < 26)
            return false;
        if (small(p + 14) == 12) { /* the header of OS/2 */
            *width = p[18] | p[19] << 8;
            *height = p[20] | p[21] << 8;
        } else {
            *width = (int32_t)small(p + 18);
            *height = llabs((int64_t)(int32_t)small(p + 22));
        }
        return true;
    default: *width = *height = PITHP_MIN_SIDE; return true; /* JPEG: pithp_stb_info finds its sides */
    }
}

/* stb fills what is missing of a BMP or a GIF in silence, so we look first whether all of it is there. */
static bool whole_bmp(const uint8_t *p, size_t n, int64_t width, int64_t height)
{
    bool os2 = small(p + 14) == 12;
    uint32_t bits = 0, packing = 0;
    if (n >= 34 && !os2) {
        bits = p[28] | (uint32_t)p[29] << 8;
        packing = small(p + 30);
    }
    if (!bits || bits > 64 || (packing != 0 && packing != 3))
        return true; /* stb has its own word on these */
    int64_t row = (width * bits + 31) / 32 * 4;
    return (int64_t)n - (int64_t)small(p + 10) >= row * height;
}

/* Behind the sub-blocks that begin at `at`, or 0 when they have no end. */
static size_t skip_blocks(const uint8_t *p, size_t n, size_t at)
{
    while (at < n && p[at])
        at += 1 + (size_t)p[at];
    return at < n ? at + 1 : 0;
}

static size_t table_bytes(uint8_t flags) { return flags & 0x80 ? 3 * ((size_t)2 << (flags & 7)) : 0; }

static bool whole_gif(const uint8_t *p, size_t n)
{
    size_t at = n > 13 ? 13 + table_bytes(p[10]) : n;
    while (at && at < n) {
        if (p[at] == 0x2C) /* the first frame: position, size, its own table, code size, data */
            return n - at > 11 && skip_blocks(p, n, at + 11 + table_bytes(p[at + 9])) > 0;
        at = p[at] == 0x21 ? skip_blocks(p, n, at + 2) : 0;
    }
    return false;
}

/* stb holds the inflated rows and the result at once, and a palette or a tRNS chunk makes channels of its
   own. */
static const char *check_memory(pithp_work *w, int width, int height, bool deep)
{
    int64_t bytes = (int64_t)width * height * (deep ? 16 : 8);
    if (bytes > (int64_t)PITHP_DECODE_MB << 20)
        return pithp_reason(w, "%d x %d pixels: decoding would take more than %d MB", width, height,
                            (int)PITHP_DECODE_MB);
    return NULL;
}

static void flatten(const uint8_t *rgba, size_t pixels, uint8_t *rgb)
{
    for (size_t i = 0; i < pixels; i++, rgba += 4, rgb += 3)
        for (int k = 0; k < 3; k++)
            rgb[k] = (uint8_t)((rgba[k] * rgba[3] + 255 * (255 - rgba[3]) + 127) / 255);
}

const char *pithp_decode_stb(pithp_work *w, const uint8_t *p, size_t n, pithp_format f, int64_t max_pixels,
                             pithp_raw *out)
{
    int width, height, channels;
    bool deep;
    if (n > INT_MAX)
        return "larger than 2 GB";
    int64_t cw, ch;
    if (!claimed(p, n, f, &cw, &ch))
        return pithp_reason(w, "damaged %s: cut off in its header", format_name[f]);
    const char *reason = pithp_check_area(w, cw, ch, max_pixels);
    if (reason)
        return reason;
    if ((f == PITHP_BMP && !whole_bmp(p, n, cw, ch)) || (f == PITHP_GIF && !whole_gif(p, n)))
        return pithp_reason(w, "truncated %s", format_name[f]);
    if (!pithp_stb_info(p, n, &width, &height, &channels, &deep))
        return bad_format(w, f);
    height = height < 0 ? -height : height; /* of a BMP from top to bottom; not INT_MIN, as claimed() saw */
    reason = pithp_check_area(w, width, height, max_pixels);
    if (!reason)
        reason = check_memory(w, width, height, deep);
    if (reason)
        return reason;
    int wanted = f == PITHP_JPEG ? 3 : 4, dw, dh;
    uint8_t *pixels = pithp_stb_load(p, n, &dw, &dh, wanted);
    if (!pixels)
        return bad_format(w, f);
    size_t area = (size_t)width * (size_t)height;
    if (dw != width || dh != height)
        reason = pithp_reason(w, "damaged %s: two sizes in one file", format_name[f]);
    else if (!pithp_work_need(w, &w->full, &w->full_cap, area * 3))
        reason = "out of memory";
    else if (wanted == 4)
        flatten(pixels, area, w->full);
    else
        memcpy(w->full, pixels, area * 3);
    pithp_stb_free(pixels);
    *out = (pithp_raw){ width, height, width, height, f == PITHP_JPEG ? pithp_jpeg_orientation(p, n) : 1 };
    return reason;
}
