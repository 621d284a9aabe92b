/* Any bytes as a model file: opened, every tensor looked at, the graph rebuilt, saved parts compared. The first byte
   chooses: 0 the whole input is a file; else it is the graph's JSON (of a file that brings it a tensor "w" [2,3] and
   "v" [4]), so that the fuzzer need not learn the container before it reaches the graph. */
#include "file/model_file.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(pith_ctx *c, const void *p, size_t n)
{
    pithp_st_file f;
    unsigned sum = 0;
    if (pithp_st_open_memory(c, &f, "fuzz", p, n))
        return;
    for (size_t i = 0; i < f.n; i++) {
        const pithp_st_tensor *t = &f.tensors[i];
        pith_real *r = t->count < 100000 ? malloc((size_t)t->count * sizeof *r + 1) : NULL;
        for (size_t k = 0; k < t->bytes; k++)
            sum += t->data[k];
        if (r && pithp_st_get_real(&f, t->name, t->shape, r))
            pith_ctx_clear(c);
        if (pithp_st_find(&f, t->name) != t)
            abort();
        free(r);
    }
    for (size_t i = 0; i < f.n_meta; i++)
        if (pithp_st_meta(&f, f.meta[i].key) != f.meta[i].value)
            abort();
    pith_model *m = pithp_model_get(&f);
    if (m) { /* what was loaded can be saved */
        pithp_st_writer w;
        pithp_st_writer_init(c, &w);
        if (pithp_model_put(m, &w) && w.status != PITH_EINVAL)
            abort();
        pithp_st_writer_free(&w);
        pith_model_info(m);
    } else if (!pith_ctx_status(c)) {
        abort();
    }
    pith_model_free(m);
    pithp_st_close(&f);
    (void)*(volatile unsigned *)&sum;
}

/* A container around a graph. The text is escaped as JSON needs it, byte by byte. */
static uint8_t *wrap(const uint8_t *graph, size_t n, size_t *size)
{
    const char *rest = "\"},\"w\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},"
                       "\"v\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[24,40]}}";
    uint8_t *p = calloc(1, 8 + 40 + 6 * n + 200 + 40);
    char *at = (char *)p + 8;
    at += sprintf(at, "{\"__metadata__\":{\"pith.graph\":\"");
    for (size_t i = 0; i < n; i++)
        if (graph[i] == '"' || graph[i] == '\\')
            *at++ = '\\', *at++ = (char)graph[i];
        else if (graph[i] < 32)
            at += sprintf(at, "\\u%04x", graph[i] ? graph[i] : 32);
        else
            *at++ = (char)graph[i];
    at += sprintf(at, "%s", rest);
    uint64_t header = (uint64_t)((uint8_t *)at - p - 8);
    memcpy(p, &header, 8);
    *size = 8 + header + 40;
    return p;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .threads = 1 });
    if (!c)
        return 0;
    size_t n = size - 1, before = pith_ctx_memory(c, NULL);
    uint8_t *p = data[0] ? wrap(data + 1, n, &n) : malloc(n + !n);
    if (!data[0] && n)
        memcpy(p, data + 1, n);
    use(c, p, n);
    if (pith_ctx_memory(c, NULL) != before)
        abort();
    free(p);
    pith_ctx_free(c);
    return 0;
}
