/* deploy/tflite/labels.c: names of classes, out of the archive behind a model. Source: PKWARE's APPNOTE.TXT, sections 4.3.7,
   4.3.12, 4.3.16. Only what is stored without compression is read. */
#include "deploy/tflite/labels.h"
#include "file/json.h"
#include <stdlib.h>
#include <string.h>

enum { LOCAL = 30, CENTRAL = 46, END = 22, MOST_FILES = 64, MOST_BYTES = 1 << 24 };

static uint32_t get(const uint8_t *p, int bytes)
{
    uint32_t v = 0;
    for (int i = bytes - 1; i >= 0; i--)
        v = v << 8 | p[i];
    return v;
}

static pith_status broken(pith_ctx *c, const char *path, const char *what)
{
    return pithp_error(c, PITH_EFORMAT, "%s: the archive of class names behind the model is damaged: %s",
                       path, what);
}

/* Data of the file whose entry in the directory is at d; NULL: it lies outside. */
static const uint8_t *data_of(const uint8_t *p, size_t n, const uint8_t *d, size_t bytes)
{
    size_t at = get(d + 42, 4);
    if (at > n || n - at < LOCAL || get(p + at, 4) != 0x04034b50)
        return NULL;
    size_t skip = LOCAL + get(p + at + 26, 2) + get(p + at + 28, 2);
    return n - at < skip || n - at - skip < bytes ? NULL : p + at + skip;
}

/* Entry of labels.txt in the directory of `files` at `at`: its data and size. */
static pith_status find(pith_ctx *c, const char *path, const uint8_t *p, size_t n, size_t at, unsigned files,
                        const uint8_t **data, size_t *bytes)
{
    static const char name[] = "labels.txt";
    for (unsigned i = 0; i < files; i++) {
        if (at > n || n - at < CENTRAL || get(p + at, 4) != 0x02014b50)
            return broken(c, path, "its directory ends too soon");
        const uint8_t *d = p + at;
        size_t length = get(d + 28, 2), skip = CENTRAL + length + get(d + 30, 2) + get(d + 32, 2);
        if (n - at < skip)
            return broken(c, path, "a name is longer than the file");
        if (length == sizeof name - 1 && !memcmp(d + CENTRAL, name, length) && get(d + 10, 2) == 0) {
            *bytes = get(d + 24, 4);
            *data = *bytes <= MOST_BYTES ? data_of(p, n, d, *bytes) : NULL;
            return *data ? PITH_OK : broken(c, path, "labels.txt lies outside the file");
        }
        at += skip;
    }
    return PITH_OK;
}

static pith_status lines(pith_ctx *c, const uint8_t *p, size_t n, pithp_tfl_labels *l)
{
    int count = 0;
    for (size_t i = 0; i < n; i++)
        count += p[i] == '\n';
    count += n && p[n - 1] != '\n';
    l->text = pithp_alloc(c, n + 1, 1);
    l->name = PITHP_NEW_N(c, char *, count + 1);
    if (!l->text || !l->name)
        return PITH_ENOMEM;
    memcpy(l->text, p, n);
    char *at = l->text;
    for (; l->n < count; l->n++) {
        l->name[l->n] = at;
        at += strcspn(at, "\n");
        if (at > l->name[l->n] && at[-1] == '\r')
            at[-1] = 0;
        *at++ = 0;
    }
    return PITH_OK;
}

pith_status pithp_tfl_labels_read(pith_ctx *c, const uint8_t *p, size_t n, const char *path,
                                  pithp_tfl_labels *l)
{
    const uint8_t *data = NULL;
    size_t bytes = 0;
    *l = (pithp_tfl_labels){ 0 };
    if (n < END || get(p + n - END, 4) != 0x06054b50)
        return PITH_OK;
    const uint8_t *e = p + n - END;
    unsigned files = get(e + 10, 2);
    if (files > MOST_FILES)
        return broken(c, path, "it says to hold more than 64 files");
    pith_status s = find(c, path, p, n - END, get(e + 16, 4), files, &data, &bytes);
    if (!s && data && memchr(data, 0, bytes))
        s = broken(c, path, "labels.txt holds a zero byte");
    if (!s && data && (s = lines(c, data, bytes, l)))
        pithp_tfl_labels_free(c, l);
    return s;
}

void pithp_tfl_labels_free(pith_ctx *c, pithp_tfl_labels *l)
{
    pithp_free(c, l->text);
    pithp_free(c, l->name);
    *l = (pithp_tfl_labels){ 0 };
}

/* ---- A model's list ------------------------------------------------------------------------------------------------*/
pith_status pithp_tfl_labels_keep(const pithp_tfl_labels *l, pith_model *m)
{
    if (!l->n || l->n != pithp_count(m->output->shape))
        return PITH_OK;
    json_t *list = json_array();
    for (int i = 0; i < l->n; i++)
        json_array_append_new(list, json_string(l->name[i])); /* refuses what is no UTF-8 */
    char *text = json_array_size(list) == (size_t)l->n ? json_dumps(list, JSON_COMPACT) : NULL;
    bool whole = json_array_size(list) == (size_t)l->n;
    pith_status s = text    ? pith_model_set_meta(m, "classes", text)
                    : whole ? pithp_nomem(m->ctx, "class names")
                            : PITH_OK;
    free(text);
    json_decref(list);
    return s;
}

pith_status pithp_tfl_labels_of(const pith_model *m, pithp_tfl_labels *l)
{
    const char *text = pith_model_meta(m, "classes");
    json_t *list = NULL;
    *l = (pithp_tfl_labels){ 0 };
    pith_status s =
        text ? pithp_json_parse(m->ctx, "the model's \"classes\"", text, strlen(text), &list) : PITH_OK;
    size_t bytes = 0, n = json_array_size(list);
    for (size_t i = 0; i < n; i++)
        bytes += json_string_length(json_array_get(list, i)) + 1;
    char *all = n ? pithp_alloc(m->ctx, bytes, 1) : NULL;
    if (n && !all)
        s = PITH_ENOMEM;
    for (size_t i = 0, at = 0; all && i < n; i++) {
        const char *name = json_string_value(json_array_get(list, i));
        for (; name && *name; name++)
            all[at++] = (char)(*name == '\n' ? ' ' : *name);
        all[at++] = '\n';
    }
    if (all)
        s = lines(m->ctx, (const uint8_t *)all, bytes, l);
    if (s)
        pithp_tfl_labels_free(m->ctx, l);
    pithp_free(m->ctx, all);
    json_decref(list);
    return s;
}
