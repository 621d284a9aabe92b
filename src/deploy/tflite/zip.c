/* deploy/tflite/zip.c: associated files as an archive behind the model. Readers of zip look from the end of the file, and
   readers of FlatBuffers from its beginning, so both find what they want in one file.
   Source: PKWARE's APPNOTE.TXT, sections 4.3.7, 4.3.12, 4.3.16. Stored, no compression; offsets count from the beginning
   of the whole file. */
#include "deploy/tflite/metadata.h"
#include <string.h>

enum { LOCAL = 30, CENTRAL = 46, END = 22, MOST_FILES = 8, MOST_BYTES = 1 << 24 };

static uint8_t *grow(pithp_tfl *w, size_t n)
{
    if (w->status)
        return NULL;
    if (n > w->cap_tail - w->n_tail) {
        size_t cap = w->n_tail + n + 256;
        uint8_t *tail = pithp_realloc(w->c, w->tail, cap, 1);
        if (!tail) {
            w->status = PITH_ENOMEM;
            return NULL;
        }
        w->tail = tail;
        w->cap_tail = cap;
    }
    w->n_tail += n;
    return w->tail + w->n_tail - n;
}

static void put(uint8_t *p, size_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        p[i] = (uint8_t)(value >> 8 * i);
}

static size_t get(const uint8_t *p, int bytes)
{
    size_t v = 0;
    for (int i = bytes - 1; i >= 0; i--)
        v = v << 8 | p[i];
    return v;
}

void pithp_zip_add(pithp_tfl *w, const char *name, const void *p, size_t n)
{
    size_t length = strlen(name);
    if (n > MOST_BYTES || length > 255 || w->zip_files >= MOST_FILES)
        pithp_tfl_fail(
            w, pithp_error(w->c, PITH_EINVAL, "'%.60s' is too large to go along with a .tflite", name));
    uint8_t *h = grow(w, LOCAL + length + n);
    if (!h)
        return;
    memset(h, 0, LOCAL);
    put(h, 0x04034b50, 4);
    put(h + 4, 10, 2);          /* version 1.0 can read it */
    put(h + 6, 1 << 11, 2);     /* the name is UTF-8 */
    put(h + 12, 1 << 5 | 1, 2); /* 1980-01-01: the same bytes each time */
    put(h + 14, pithp_crc32(0, p, n), 4);
    put(h + 18, n, 4);
    put(h + 22, n, 4);
    put(h + 26, length, 2);
    memcpy(h + LOCAL, name, length);
    if (n)
        memcpy(h + LOCAL + length, p, n);
    w->zip_files++;
}

pith_status pithp_zip_close(pithp_tfl *w, size_t model_bytes)
{
    size_t files_end = w->n_tail, at = 0;
    for (size_t i = 0; i < w->zip_files && !w->status; i++) {
        size_t length = get(w->tail + at + 26, 2), n = get(w->tail + at + 18, 4);
        uint8_t *d = grow(w, CENTRAL + length);
        if (!d)
            break;
        const uint8_t *local = w->tail + at;
        memset(d, 0, CENTRAL);
        put(d, 0x02014b50, 4);
        put(d + 4, 10, 2);
        memcpy(d + 6, local + 4, 26); /* from "version needed" to the length of the name */
        put(d + 42, model_bytes + at, 4);
        memcpy(d + CENTRAL, local + LOCAL, length);
        at += LOCAL + length + n;
    }
    size_t directory = w->n_tail - files_end;
    uint8_t *e = w->zip_files ? grow(w, END) : NULL;
    if (!e)
        return w->status;
    memset(e, 0, END);
    put(e, 0x06054b50, 4);
    put(e + 8, w->zip_files, 2);
    put(e + 10, w->zip_files, 2);
    put(e + 12, directory, 4);
    put(e + 16, model_bytes + files_end, 4);
    return w->status;
}
