/* Any bytes as a model file: opened, every tensor looked at, the graph rebuilt and saved again. So that the
   fuzzer need not learn the outer layers first, the first byte chooses: 'g', the rest is the graph's JSON, of
   a file that brings some tensors; 'h', the rest is a header, with 224 bytes of data after it; else the rest
   is the file. */
#include "fuzz_model.h"
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
    fuzz_model(c, &f);
    pithp_st_close(&f);
    (void)*(volatile unsigned *)&sum;
}

#define DATA 224
static const char *const tensors = "\"},\"w\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]},"
                                   "\"v\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[16,32]},"
                                   "\"k\":{\"dtype\":\"F32\",\"shape\":[2,3,3,1],\"data_offsets\":[32,104]},"
                                   "\"d\":{\"dtype\":\"F32\",\"shape\":[1,3,3,2],\"data_offsets\":[104,176]},"
                                   "\"c0\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[176,184]},"
                                   "\"c1\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[184,192]},"
                                   "\"c2\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[192,196]},"
                                   "\"c3\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[196,200]},"
                                   "\"e\":{\"dtype\":\"F64\",\"shape\":[3],\"data_offsets\":[200,224]}}";

/* A graph as a string of a header: escaped as JSON needs it, byte by byte. */
static char *escape(char *at, const uint8_t *graph, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (graph[i] == '"' || graph[i] == '\\')
            *at++ = '\\', *at++ = (char)graph[i];
        else if (graph[i] < 32)
            at += sprintf(at, "\\u%04x", graph[i] ? graph[i] : 32);
        else
            *at++ = (char)graph[i];
    return at;
}

/* The file that an input stands for, of its exact size. */
static uint8_t *make(const uint8_t *data, size_t n, size_t *size)
{
    uint8_t *p = calloc(1, 8 + 40 + 6 * n + strlen(tensors) + 1 + DATA);
    char *at = (char *)p + 8;
    if (data[0] == 'g') {
        at += sprintf(at, "{\"__metadata__\":{\"pith.graph\":\"");
        at = escape(at, data + 1, n - 1);
        at += sprintf(at, "%s", tensors);
    } else if (data[0] == 'h') {
        memcpy(at, data + 1, n - 1);
        at += n - 1;
    } else {
        memcpy(p, data + 1, n - 1);
        *size = n - 1;
        return realloc(p, n);
    }
    uint64_t header = (uint64_t)(at - (char *)p - 8);
    memcpy(p, &header, 8);
    memset(at, 1, DATA);
    *size = 8 + header + DATA;
    return realloc(p, *size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static pith_ctx *c; /* making one costs more than a run */
    if (!c && !(c = pith_ctx_new((pith_ctx_cfg){ .threads = 1 })))
        abort();
    if (!size)
        return 0;
    size_t n, before = pith_ctx_memory(c, NULL);
    uint8_t *p = make(data, size, &n);
    use(c, p, n);
    if (getenv("FUZZ_SAY")) /* what a file of the corpus comes to */
        fprintf(stderr, "%s\n", pith_ctx_status(c) ? pith_error_text(c) : "loaded");
    pith_ctx_clear(c);
    if (pith_ctx_memory(c, NULL) != before)
        abort();
    free(p);
    return 0;
}
