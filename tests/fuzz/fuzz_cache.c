/* Any bytes as a packed data set: read, and what was believed is used as a training uses it. The first byte
   chooses, so that the fuzzer need not guess hashes: bit 0 makes the checksums right, bit 1 the lengths that
   have to agree with the file's, bit 2 makes the split pith's own business; the rest is the file. */
#include "data/data.h"
#include "data/pack.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SEAL = 1, FIT = 2, SPLIT = 4 };

/* Lengths that must agree, made to agree; counts and offsets stay what they are. */
static void fit(uint8_t *p, size_t n)
{
    pithp_pack_head h;
    if (n < sizeof h)
        return;
    memcpy(&h, p, sizeof h);
    memcpy(h.magic, PITHP_MAGIC_CACHE, sizeof h.magic);
    h.version = PITHP_CACHE_VERSION;
    h.order = PITHP_CACHE_ORDER;
    h.file_bytes = n;
    h.index_bytes = n - h.index_offset;
    h.strings_bytes = h.index_bytes - ((uint64_t)h.n_images * sizeof(pithp_pack_rec) + (uint64_t)h.n_bad * 8 +
                                       (uint64_t)h.n_classes * 4);
    memcpy(p, &h, sizeof h);
    p[n - 1] = 0;
}

/* One sample as the loader makes it. */
static unsigned deliver(pith_ctx *c, const pith_data *d, int64_t index)
{
    enum { SIZE = 8 };
    pith_sample s = pith_data_at(d, index);
    static pith_real out[SIZE * SIZE * 3];
    unsigned sum =
        (unsigned)strlen(s.path) + s.pixels[0] + s.pixels[(size_t)s.width * (size_t)s.height * 3 - 1];
    if (s.label < 0 || s.label >= pith_data_classes(d) || (s.split != PITH_TRAIN && s.split != PITH_VAL))
        abort();
    void *memory = pithp_alloc(c, pithp_transform_bytes(SIZE, s.width, s.height), 1);
    if (memory == NULL)
        return sum;
    pithp_variant v = pithp_variant_eval(s.width, s.height, SIZE);
    pithp_transform_run(pithp_transform_at(memory, c->isa, SIZE, s.width, s.height), s.pixels, s.width,
                        s.height, &v, out);
    pithp_free(c, memory);
    return sum;
}

/* What pith_data_images does with a cache that it believes, then every image once. */
static unsigned use(pith_ctx *c, pith_data *d)
{
    unsigned sum = 0;
    if (pithp_split_by_hash(d, 0.25, 7) || pithp_data_index(d))
        return 0;
    pith_data_report r = pith_data_get_report(d);
    for (int64_t i = 0; i < r.n_bad; i++)
        sum += (unsigned)(strlen(r.bad[i].path) + strlen(r.bad[i].reason));
    for (int k = 0; k < r.classes; k++)
        sum += (unsigned)strlen(pith_data_class_name(d, k));
    for (int64_t i = 0; i < r.usable && i < 64; i++) {
        pithp_data_intact(d, i);
        sum += deliver(c, d, i);
    }
    for (int s = 0; s < 2; s++)
        for (int64_t i = 0; i < pith_data_count(d, (pith_split)s); i++)
            if (pith_data_sample(d, (pith_split)s, i) < 0 ||
                pith_data_sample(d, (pith_split)s, i) >= r.usable)
                abort();
    pith_data_verify(d);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static pith_ctx *c; /* making one costs more than a run */
    if (!c && !(c = pith_ctx_new((pith_ctx_cfg){ .threads = 1 })))
        abort();
    if (!size)
        return 0;
    size_t n = size - 1, before = pith_ctx_memory(c, NULL);
    uint8_t *p = malloc(n ? n : 1); /* of its exact size: the sanitizer sees a read past it */
    memcpy(p, data + 1, n);
    if (data[0] & FIT)
        fit(p, n);
    if (data[0] & SEAL)
        pithp_pack_seal(p, n);
    pith_data *d = pithp_data_new(c);
    if (!d)
        abort();
    d->size = 8;
    d->base = p;
    volatile unsigned sum = 0;
    const char *wrong = pithp_pack_parse(c, p, n, &d->pack);
    if (!wrong) {
        if (data[0] & SPLIT)
            d->pack.own_split = false;
        sum = use(c, d);
    }
    if (getenv("FUZZ_SAY")) /* what a file of the corpus comes to */
        fprintf(stderr, "%s\n", wrong ? wrong : pith_ctx_status(c) ? pith_error_text(c) : "read");
    pith_data_free(d);
    pith_ctx_clear(c);
    if (pith_ctx_memory(c, NULL) != before)
        abort();
    free(p);
    (void)sum;
    return 0;
}
