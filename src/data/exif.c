/* data/exif.c: the one thing we want to know of EXIF: which side is up.
   EXIF 2.32 section 4.6: a TIFF header, then directories of 12-byte entries; orientation is tag 0x0112 of the
   first, type SHORT, count 1. Everything in it may lie, so every offset is checked and anything odd means
   "upright". */
#include "data/data.h"
#include <string.h>

static unsigned get16(const uint8_t *p, bool big)
{
    return big ? (unsigned)p[0] << 8 | p[1] : (unsigned)p[1] << 8 | p[0];
}

static uint32_t get32(const uint8_t *p, bool big)
{
    return big ? (uint32_t)get16(p, true) << 16 | get16(p + 2, true)
               : (uint32_t)get16(p + 2, false) << 16 | get16(p, false);
}

int pithp_exif_orientation(const uint8_t *p, size_t n)
{
    if (n < 14 || (memcmp(p, "II*\0", 4) && memcmp(p, "MM\0*", 4)))
        return 1;
    bool big = p[0] == 'M';
    size_t at = get32(p + 4, big);
    if (at < 8 || at > n - 2)
        return 1;
    size_t entries = get16(p + at, big);
    at += 2;
    for (size_t i = 0; i < entries && n - at >= 12; i++, at += 12) {
        if (get16(p + at, big) != 0x0112)
            continue;
        unsigned type = get16(p + at + 2, big), value = get16(p + at + 8, big);
        bool good = type == 3 && get32(p + at + 4, big) == 1 && value >= 1 && value <= 8;
        return good ? (int)value : 1;
    }
    return 1;
}

/* Marker segments up to the first scan: 0xFF, a marker, two bytes of length, the rest. ITU-T T.81, annex B. */
int pithp_jpeg_orientation(const uint8_t *p, size_t n)
{
    size_t at = 2;
    while (n >= 4 && at <= n - 4 && p[at] == 0xFF) {
        if (p[at + 1] == 0xFF) { /* fill bytes may stand before a marker */
            at++;
            continue;
        }
        size_t length = get16(p + at + 2, true);
        if (p[at + 1] == 0xDA || length < 2 || length > n - at - 2)
            return 1;
        if (p[at + 1] == 0xE1 && length > 8 && !memcmp(p + at + 4, "Exif\0", 5))
            return pithp_exif_orientation(p + at + 10, length - 8);
        at += 2 + length;
    }
    return 1;
}
