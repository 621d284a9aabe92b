/* data/decode.c: what a file is, by its first bytes, and its way from there to a small upright image. */
#include "data/data.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The library's own memory is the context's, and the context belongs to one thread: take turns. */
bool pithp_work_need(pithp_work *w, void *pp, size_t *cap, size_t bytes)
{
    if (bytes <= *cap)
        return true;
    void *p, *q;
    memcpy(&p, pp, sizeof p);
    if (w->lock)
        pthread_mutex_lock(w->lock);
    pithp_free(w->c, p); /* nothing in it is worth keeping */
    q = pithp_alloc(w->c, bytes + bytes / 4, 1);
    if (w->lock)
        pthread_mutex_unlock(w->lock);
    memcpy(pp, &q, sizeof q);
    *cap = q ? bytes + bytes / 4 : 0;
    w->failed |= !q;
    return q != NULL;
}

void pithp_work_free(pithp_work *w)
{
    pithp_free(w->c, w->file);
    pithp_free(w->c, w->full);
    pithp_free(w->c, w->small);
    pithp_free(w->c, w->turned);
    pithp_free(w->c, w->taps);
    w->file = w->full = w->small = w->turned = w->taps = NULL;
    w->file_cap = w->full_cap = w->small_cap = w->turned_cap = w->taps_cap = 0;
}

const char *pithp_reason(pithp_work *w, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(w->reason, sizeof w->reason, fmt, ap);
    va_end(ap);
    return w->reason;
}

const char *pithp_check_area(pithp_work *w, int64_t width, int64_t height, int64_t max_pixels)
{
    if (width < 1 || height < 1)
        return "a picture without pixels";
    if (width < PITHP_MIN_SIDE || height < PITHP_MIN_SIDE)
        return pithp_reason(w, "%lld x %lld pixels: smaller than %d x %d", (long long)width,
                            (long long)height, (int)PITHP_MIN_SIDE, (int)PITHP_MIN_SIDE);
    if (height > max_pixels / width)
        return pithp_reason(w, "%lld x %lld pixels: larger than the limit of %lld million", (long long)width,
                            (long long)height, (long long)max_pixels / 1000000);
    return NULL;
}

static bool starts(const uint8_t *p, size_t n, const char *magic, size_t m)
{
    return n >= m && !memcmp(p, magic, m);
}
#define STARTS(magic) starts(p, n, magic, sizeof(magic) - 1)

/* After white space and a byte order mark, is it markup? */
static const char *sniff_text(const uint8_t *p, size_t n)
{
    if (STARTS("\xEF\xBB\xBF"))
        p += 3, n -= 3;
    while (n && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++, n--;
    char head[16] = { 0 };
    for (size_t i = 0; i < n && i < sizeof head - 1; i++)
        head[i] = (char)(p[i] >= 'A' && p[i] <= 'Z' ? p[i] + 32 : p[i]);
    if (!strncmp(head, "<!doctype html", 14) || !strncmp(head, "<html", 5) || !strncmp(head, "<head", 5))
        return "HTML page, not an image";
    if (!strncmp(head, "<svg", 4))
        return "SVG image (not supported)";
    if (!strncmp(head, "<?xml", 5))
        return "XML file, not an image";
    size_t i = 0;
    while (i < n && i < 256 && (p[i] == '\n' || p[i] == '\r' || p[i] == '\t' || (p[i] >= 32 && p[i] < 127)))
        i++;
    return n && (i == n || i == 256) ? "text file, not an image" : NULL;
}

const char *pithp_sniff(const uint8_t *p, size_t n, pithp_format *format)
{
    *format = PITHP_JPEG;
    if (!n)
        return "empty file";
    if (STARTS("\xFF\xD8")) /* a marker need not follow at once: libjpeg looks for it */
        return NULL;
    *format = PITHP_PNG;
    if (STARTS("\x89PNG\r\n\x1a\n"))
        return NULL;
    *format = PITHP_GIF;
    if (STARTS("GIF87a") || STARTS("GIF89a"))
        return NULL;
    *format = PITHP_BMP;
    if (STARTS("BM") && n >= 14)
        return NULL;
    if (STARTS("RIFF") && n >= 12 && !memcmp(p + 8, "WEBP", 4))
        return "WebP image (not supported)";
    if (n >= 12 && !memcmp(p + 4, "ftyp", 4))
        return !memcmp(p + 8, "avi", 3)                               ? "AVIF image (not supported)"
               : !memcmp(p + 8, "hei", 3) || !memcmp(p + 8, "mif", 3) ? "HEIC image (not supported)"
                                                                      : "video file, not an image";
    if (STARTS("II*\0") || STARTS("MM\0*"))
        return "TIFF image (not supported)";
    if (STARTS("\xFF\x0A") || STARTS("\0\0\0\x0CJXL "))
        return "JPEG XL image (not supported)";
    if (STARTS("\0\0\0\x0CjP  ") || STARTS("\xFF\x4F\xFF\x51"))
        return "JPEG 2000 image (not supported)";
    if (STARTS("8BPS"))
        return "Photoshop file (not supported)";
    if (STARTS("\0\0\1\0"))
        return "icon file (not supported)";
    if (STARTS("%PDF"))
        return "PDF document, not an image";
    if (STARTS("PK\3\4") || STARTS("\x1f\x8b") || STARTS("Rar!") || STARTS("7z\xBC\xAF"))
        return "archive, not an image";
    const char *text = sniff_text(p, n);
    if (text)
        return text;
    size_t zeros = 0;
    while (zeros < n && !p[zeros])
        zeros++;
    return zeros == n ? "nothing but zero bytes" : "not a known image format";
}

static const char *out_of_memory = "out of memory";

/* Reduces the middle of the raw picture to the size that is stored, and turns it upright. */
static const char *store_picture(pithp_work *w, const pithp_raw *raw, int store, pithp_picture *out)
{
    int side = PITHP_MIN(raw->width, raw->height), limit = side <= INT_MAX / 2 ? 2 * side : INT_MAX;
    int sw = PITHP_MIN(raw->width, limit), sh = PITHP_MIN(raw->height, limit);
    int x0 = (raw->width - sw) / 2, y0 = (raw->height - sh) / 2;
    int target = PITHP_MIN(side, store);
    int dw = (int)(((int64_t)sw * target + side / 2) / side),
        dh = (int)(((int64_t)sh * target + side / 2) / side);
    if (!pithp_work_need(w, &w->small, &w->small_cap, (size_t)dw * (size_t)dh * 3))
        return out_of_memory;
    const uint8_t *src = w->full + ((size_t)y0 * (size_t)raw->width + (size_t)x0) * 3;
    if (!pithp_reduce(w, src, (size_t)raw->width * 3, sw, sh, w->small, dw, dh))
        return out_of_memory;
    bool swap = raw->orientation >= 5;
    out->pixels = w->small;
    if (raw->orientation > 1) {
        if (!pithp_work_need(w, &w->turned, &w->turned_cap, (size_t)dw * (size_t)dh * 3))
            return out_of_memory;
        pithp_turn(w->small, dw, dh, raw->orientation, w->turned);
        out->pixels = w->turned;
    }
    out->width = swap ? dh : dw;
    out->height = swap ? dw : dh;
    out->full_width = swap ? raw->full_height : raw->full_width;
    out->full_height = swap ? raw->full_width : raw->full_height;
    return NULL;
}

const char *pithp_decode(pithp_work *w, const uint8_t *p, size_t n, int store, int64_t max_pixels,
                         pithp_picture *out)
{
    pithp_raw raw = { .orientation = 1 };
    const char *reason = pithp_sniff(p, n, &out->format);
    if (reason)
        return reason;
#ifdef HAVE_LIBJPEG
    if (out->format == PITHP_JPEG)
        reason = pithp_decode_jpeg(w, p, n, store, max_pixels, &raw);
    else
#endif
        reason = pithp_decode_stb(w, p, n, out->format, max_pixels, &raw);
    return reason ? reason : store_picture(w, &raw, store, out);
}

/* Not mapped: a file that shrinks under a mapping kills the process. */
static const char *read_file(pithp_work *w, const char *path, size_t *size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* not blocking: it may have become a pipe */
    struct stat st;
    if (fd < 0)
        return pithp_reason(w, "cannot be opened: %s", strerror(errno));
    const char *reason = NULL;
    size_t n = 0;
    if (fstat(fd, &st) || !S_ISREG(st.st_mode))
        reason = "not a regular file";
    else if (st.st_size > (off_t)PITHP_DECODE_MB << 20)
        reason = pithp_reason(w, "larger than %d MB", (int)PITHP_DECODE_MB);
    else if (!pithp_work_need(w, &w->file, &w->file_cap, (size_t)st.st_size + 1))
        reason = out_of_memory;
    while (!reason && n < (size_t)st.st_size) {
        ssize_t got = read(fd, w->file + n, (size_t)st.st_size - n);
        if (got < 0 && errno != EINTR)
            reason = pithp_reason(w, "cannot be read: %s", strerror(errno));
        else if (!got)
            break;
        else if (got > 0)
            n += (size_t)got;
    }
    close(fd);
    *size = n;
    return reason;
}

const char *pithp_decode_file(pithp_work *w, const char *path, int store, int64_t max_pixels,
                              pithp_picture *out)
{
    size_t n = 0;
    const char *reason = read_file(w, path, &n);
    return reason ? reason : pithp_decode(w, w->file, n, store, max_pixels, out);
}
