/* Any bytes as a packed model file, or where the first byte is 't' as a packed .tflite. So that the fuzzer gets past the checksum,
   it is made right unless the first byte is 'c'. What unpacks is a safetensors file, whose tensors are looked at, or a .tflite,
   which is run. */
#include "file/model_file.h"
#include "file/pack.h"
#include <pith/rt.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void number(uint8_t *p, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

static void use(pith_ctx *c, const uint8_t *p, size_t n)
{
    pithp_st_file f;
    unsigned sum = 0;
    if (!pithp_is_packed(p, n) || pithp_unpack(c, &f, "fuzz", p, n))
        return;
    for (size_t i = 0; i < f.n; i++)
        for (size_t k = 0; k < f.tensors[i].bytes; k++)
            sum += f.tensors[i].data[k];
    pith_model_free(pithp_model_get(&f));
    pithp_st_close(&f);
    (void)*(volatile unsigned *)&sum;
}

/* One made of what opens runs once. */
static void use_tflite(pith_ctx *c, const uint8_t *p, size_t n)
{
    pithp_unpacked u;
    if (pithp_is_packed_tflite(p, n) && pithp_unpack_tflite(c, &u, "fuzz", p, n) == PITH_OK)
        pithp_free(c, u.own);
    pith_rt *rt = pith_rt_open_memory(p, n, (pith_rt_cfg){ 0 });
    pith_rt_tensor x, y;
    if (pith_rt_status(rt) == PITH_OK && pith_rt_input(rt, 0, &x) && pith_rt_output(rt, 0, &y) &&
        !pith_rt_input(rt, 1, &x) && !pith_rt_output(rt, 1, &y) && x.bytes < 1 << 20 && y.bytes < 1 << 20 &&
        pith_rt_info(rt).macs < 1 << 24) {
        void *in = calloc(x.bytes, 1), *out = calloc(y.bytes, 1);
        pith_rt_run(rt, (const void *[]){ in }, (void *[]){ out });
        free(in), free(out);
    }
    pith_rt_free(rt);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static pith_ctx *c;
    if (!c && !(c = pith_ctx_new((pith_ctx_cfg){ .threads = 1 })))
        abort();
    if (size < 1 + PITHP_PACK_HEAD)
        return 0;
    size_t before = pith_ctx_memory(c, NULL);
    uint8_t *p = malloc(size - 1);
    memcpy(p, data + 1, size - 1);
    if (data[0] != 'c') {
        memcpy(p, data[0] == 't' ? PITHP_PACK_MAGIC_TFLITE : PITHP_PACK_MAGIC, 8);
        number(p + 8, PITHP_PACK_VERSION, 4);
        number(p + 16, 0, 4); /* at most 4 GB asked for, and little of it got */
        p[15] = 0;
        number(p + 24, pithp_crc32(0, p + PITHP_PACK_HEAD, size - 1 - PITHP_PACK_HEAD), 4);
    }
    (pithp_is_packed_tflite(p, size - 1) ? use_tflite : use)(c, p, size - 1);
    pith_ctx_clear(c);
    if (pith_ctx_memory(c, NULL) != before)
        abort();
    free(p);
    return 0;
}
