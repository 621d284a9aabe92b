/* report/picture.c: PNG (ISO/IEC 15948) in base64. */
#include "report/picture.h"

#include <string.h>
#ifdef HAVE_ZLIB
#include <zlib.h>
#endif

static void put32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static uint8_t *chunk(uint8_t *at, const char *type, const uint8_t *data, size_t n)
{
    put32(at, (uint32_t)n);
    memcpy(at + 4, type, 4);
    if (n > 0)
        memmove(at + 8, data, n);
    put32(at + 8 + n, pithp_crc32(0, at + 4, n + 4));
    return at + 12 + n;
}

/* zlib's stream; without zlib, stored blocks (RFC 1950, 1951). room: n + n / 1000 + 64 bytes at least. */
static size_t deflate_all(const uint8_t *raw, size_t n, uint8_t *out, size_t room)
{
#ifdef HAVE_ZLIB
    uLongf length = room;
    if (compress2(out, &length, raw, n, 9) == Z_OK)
        return length;
#endif
    uint32_t a = 1, b = 0;
    size_t at = 2;
    out[0] = 0x78, out[1] = 0x01;
    for (size_t i = 0; i < n;) {
        size_t block = PITHP_MIN(n - i, 65535);
        out[at++] = i + block == n;
        out[at++] = (uint8_t)block, out[at++] = (uint8_t)(block >> 8);
        out[at++] = (uint8_t)~block, out[at++] = (uint8_t)(~block >> 8);
        memcpy(out + at, raw + i, block);
        at += block;
        i += block;
    }
    for (size_t i = 0; i < n; i++) {
        a = (a + raw[i]) % 65521;
        b = (b + a) % 65521;
    }
    put32(out + at, b << 16 | a);
    return at + 4;
}

static char *base64(pithp_pool *p, const uint8_t *data, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static const char head[] = "data:image/png;base64,";
    char *text = pithp_pool_take(p, sizeof head + (n + 2) / 3 * 4, 1), *to = text;
    if (text == NULL)
        return NULL;
    memcpy(to, head, sizeof head - 1);
    to += sizeof head - 1;
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)data[i] << 16 | (uint32_t)(i + 1 < n ? data[i + 1] : 0) << 8 |
                     (i + 2 < n ? data[i + 2] : 0);
        *to++ = digits[v >> 18];
        *to++ = digits[v >> 12 & 63];
        *to++ = digits[v >> 6 & 63];
        *to++ = digits[v & 63];
    }
    if (n % 3 != 0)
        to[-1] = '=';
    if (n % 3 == 1)
        to[-2] = '=';
    return text;
}

uint8_t *pithp_png(pithp_pool *p, const uint8_t *pixels, int width, int height, size_t stride, int channels,
                   size_t *size)
{
    static const uint8_t magic[] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n' };
    const size_t row = 1 + (size_t)channels * (size_t)width, n = row * (size_t)height,
                 room = n + n / 100 + 128;
    uint8_t *raw = pithp_pool_take(p, n, 1), *packed = pithp_pool_take(p, room, 1),
            *png = pithp_pool_take(p, room + 128, 1);
    if (raw == NULL || packed == NULL || png == NULL)
        return NULL;
    for (int y = 0; y < height; y++) { /* each pixel as its difference from the one before */
        const uint8_t *s = pixels + (size_t)y * stride;
        uint8_t *d = raw + (size_t)y * row;
        *d++ = 1;
        for (int x = 0; x < channels * width; x++)
            d[x] = (uint8_t)(s[x] - (x >= channels ? s[x - channels] : 0));
    }
    uint8_t header[13] = { 0 }, *at = png;
    put32(header, (uint32_t)width);
    put32(header + 4, (uint32_t)height);
    header[8] = 8, header[9] = channels == 4 ? 6 : 2; /* 8 bits, RGB with or without alpha */
    memcpy(at, magic, sizeof magic);
    at = chunk(at + sizeof magic, "IHDR", header, sizeof header);
    at = chunk(at, "IDAT", packed, deflate_all(raw, n, packed, room));
    at = chunk(at, "IEND", NULL, 0);
    *size = (size_t)(at - png);
    return png;
}

char *pithp_pixels_uri(pithp_pool *p, const uint8_t *pixels, int side, size_t stride, int channels)
{
    size_t n;
    const uint8_t *png = pithp_png(p, pixels, side, side, stride, channels, &n);
    return png == NULL ? NULL : base64(p, png, n);
}

char *pithp_picture_uri(pithp_pool *p, pithp_work *w, const char *path, int side)
{
    pithp_picture picture;
    if (pithp_decode_file(w, path, side, 100000000, &picture) != NULL)
        return NULL;
    int square = PITHP_MIN(picture.width, picture.height);
    size_t stride = 3 * (size_t)picture.width;
    const uint8_t *from = picture.pixels + (size_t)((picture.height - square) / 2) * stride +
                          3 * (size_t)((picture.width - square) / 2);
    return pithp_pixels_uri(p, from, square, stride, 3);
}
