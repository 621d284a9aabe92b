/* data/decode_jpeg.c: JPEG through libjpeg-turbo, reduced while decoding (scaled DCT) and turned into RGB.

   libjpeg's own fatal errors leave through longjmp to decode() below and nowhere else. Its warnings decide
   what counts as damaged: a file whose coded data ends early or cannot be followed is bad; one that merely
   has bytes too many, an odd header or no end marker after complete data is good. */
#include "data/data.h"
#ifdef HAVE_LIBJPEG
#include <setjmp.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

typedef struct {
    struct jpeg_error_mgr base;
    jmp_buf leave;
    pithp_work *w;
    bool hit_end, damaged, no_end_marker, several_scans;
    const char *reason; /* of our own making; else the library's text in w->reason */
} errors;

typedef struct {
    struct jpeg_decompress_struct j;
    struct jpeg_progress_mgr progress;
    errors e;
    int max_scans;
} decoder;

static void fatal(j_common_ptr j)
{
    errors *e = (errors *)j->err;
    int code = e->base.msg_code;
    if (!e->reason && (code == JERR_NO_BACKING_STORE || code == JERR_OUT_OF_MEMORY)) {
        e->reason = pithp_reason(e->w, "JPEG of several scans: decoding would take more than %d MB",
                                 (int)PITHP_DECODE_MB);
    } else if (!e->reason) {
        char text[JMSG_LENGTH_MAX];
        e->base.format_message(j, text);
        e->reason = pithp_reason(e->w, "damaged JPEG: %.90s", text);
    }
    longjmp(e->leave, 1);
}

static void message(j_common_ptr j, int level)
{
    errors *e = (errors *)j->err;
    if (level >= 0)
        return;
    switch (e->base.msg_code) {
    case JWRN_HIT_MARKER: e->hit_end = true; break;
    case JWRN_JPEG_EOF: e->no_end_marker = true; break;
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC:
    case JWRN_BOGUS_PROGRESSION: e->damaged = true; break;
    default: break;
    }
}

static void silence(j_common_ptr j) { (void)j; }

static _Noreturn void refuse(decoder *d, const char *reason)
{
    d->e.reason = reason;
    fatal((j_common_ptr)&d->j);
    __builtin_unreachable();
}

/* A progressive file of a few bytes may hold thousands of scans, each a walk over all blocks. */
static void watch(j_common_ptr j)
{
    decoder *d = (decoder *)j;
    if (d->j.input_scan_number > d->max_scans)
        refuse(d, "JPEG with too many scans");
}

/* The smallest of 1/8, 1/4, 1/2, 1 that leaves the short side no smaller than what is stored. */
static unsigned scale(int width, int height, int store)
{
    unsigned eighths = 1;
    int side = PITHP_MIN(width, height);
    while (eighths < 8 && (int64_t)side * eighths < (int64_t)store * 8)
        eighths *= 2;
    return eighths;
}

/* Adobe writes CMYK inverted, and says so by its marker. */
static void cmyk_row(const uint8_t *cmyk, uint8_t *rgb, int width, bool inverted)
{
    for (int x = 0; x < width; x++, cmyk += 4, rgb += 3)
        for (int k = 0; k < 3; k++) {
            int a = inverted ? cmyk[k] : 255 - cmyk[k], b = inverted ? cmyk[3] : 255 - cmyk[3];
            rgb[k] = (uint8_t)((a * b + 127) / 255);
        }
}

static void read_rows(decoder *d, pithp_work *w)
{
    int width = (int)d->j.output_width;
    size_t stride = (size_t)width * 3;
    bool cmyk = d->j.out_color_space == JCS_CMYK;
    JSAMPARRAY line = NULL;
    if (cmyk)
        line = d->j.mem->alloc_sarray((j_common_ptr)&d->j, JPOOL_IMAGE, (JDIMENSION)width * 4, 1);
    while (d->j.output_scanline < d->j.output_height) {
        uint8_t *row = w->full + d->j.output_scanline * stride;
        if (cmyk) {
            jpeg_read_scanlines(&d->j, line, 1);
            cmyk_row(line[0], row, width, d->j.saw_Adobe_marker);
        } else {
            jpeg_read_scanlines(&d->j, &row, 1);
        }
        if (d->e.hit_end || d->e.damaged)
            return; /* it will be refused: spare the rest */
    }
    jpeg_finish_decompress(&d->j);
}

/* May longjmp. */
static void decode(decoder *d, pithp_work *w, int store, int64_t max_pixels, pithp_raw *out)
{
    jpeg_read_header(&d->j, TRUE);
    const char *reason = pithp_check_area(w, d->j.image_width, d->j.image_height, max_pixels);
    if (reason)
        refuse(d, reason);
    d->e.several_scans = d->j.progressive_mode || jpeg_has_multiple_scans(&d->j);
    int64_t area = (int64_t)d->j.image_width * d->j.image_height;
    int64_t scans = 600000000 / area;
    d->max_scans = (int)PITHP_MIN(PITHP_MAX(scans, 12), 200);
    bool cmyk = d->j.jpeg_color_space == JCS_CMYK || d->j.jpeg_color_space == JCS_YCCK;
    d->j.out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
    d->j.scale_num = scale((int)d->j.image_width, (int)d->j.image_height, store);
    d->j.scale_denom = 8;
    out->full_width = (int)d->j.image_width;
    out->full_height = (int)d->j.image_height;
    jpeg_start_decompress(&d->j);
    out->width = (int)d->j.output_width;
    out->height = (int)d->j.output_height;
    if (!pithp_work_need(w, &w->full, &w->full_cap, (size_t)out->width * (size_t)out->height * 3))
        refuse(d, "out of memory");
    read_rows(d, w);
}

const char *pithp_decode_jpeg(pithp_work *w, const uint8_t *p, size_t n, int store, int64_t max_pixels,
                              pithp_raw *out)
{
    decoder d = { .e.w = w };
    d.j.err = jpeg_std_error(&d.e.base);
    d.e.base.error_exit = fatal;
    d.e.base.emit_message = message;
    d.e.base.output_message = silence;
    d.progress.progress_monitor = watch;
    d.max_scans = 200;
    if (setjmp(d.e.leave)) {
        jpeg_destroy_decompress(&d.j);
        return d.e.hit_end || d.e.no_end_marker ? "truncated JPEG" : d.e.reason;
    }
    jpeg_create_decompress(&d.j);
    d.j.progress = &d.progress;
    d.j.mem->max_memory_to_use = (long)PITHP_DECODE_MB << 20; /* of coefficients, in progressive files */
    jpeg_mem_src(&d.j, (unsigned char *)(uintptr_t)p, (unsigned long)n);
    out->orientation = pithp_jpeg_orientation(p, n);
    decode(&d, w, store, max_pixels, out);
    jpeg_destroy_decompress(&d.j);
    /* Without an end marker only a file of one scan is known to be complete. */
    if (d.e.hit_end || (d.e.no_end_marker && d.e.several_scans))
        return "truncated JPEG";
    return d.e.damaged ? "damaged JPEG: its coded data cannot be followed" : NULL;
}

#endif
