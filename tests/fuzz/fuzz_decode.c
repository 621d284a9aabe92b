/* Any bytes as a picture: the whole way from a file's bytes to the image that is stored. The first byte
   chooses the stored size; the rest is the file. A picture that comes out must keep what it promises. */
#include "data/data.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Small pictures teach a fuzzer as much as large ones, and sooner. */
static const int64_t max_pixels = 1 << 20;

static void check(const pithp_picture *p, int store)
{
    int side = PITHP_MIN(p->width, p->height), other = PITHP_MAX(p->width, p->height);
    int full = PITHP_MIN(p->full_width, p->full_height);
    unsigned sum = 0;
    for (size_t i = 0; i < (size_t)p->width * (size_t)p->height * 3; i++)
        sum += p->pixels[i];
    if (side < 1 || side > store || other > 2 * store || full < PITHP_MIN_SIDE ||
        (int64_t)p->full_width * p->full_height > max_pixels)
        abort();
    volatile unsigned sink = sum; /* every pixel was written: the memory sanitizer would tell */
    (void)sink;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static pith_ctx *c;
    if (!c && !(c = pith_ctx_new((pith_ctx_cfg){ .threads = 1 })))
        abort();
    if (!size)
        return 0;
    int store = pithp_store_size(8 + data[0] % 64);
    size_t n = size - 1, before = pith_ctx_memory(c, NULL);
    uint8_t *p = malloc(n ? n : 1);
    memcpy(p, data + 1, n);
    pithp_work w = { .c = c };
    pithp_picture out;
    const char *reason = pithp_decode(&w, p, n, store, max_pixels, &out);
    if (!reason)
        check(&out, store);
    else if (!*reason || strlen(reason) >= PITHP_REASON)
        abort();
    if (getenv("FUZZ_SAY"))
        fprintf(stderr, "%s\n", reason ? reason : "decoded");
    pithp_work_free(&w);
    pith_ctx_clear(c);
    if (pith_ctx_memory(c, NULL) != before)
        abort();
    free(p);
    return 0;
}
