/* deploy/c/packed.c: weights in flash as blocks of a packed model file (file/pack.h), which the source unpacks into RAM before
   its first run (target/unpack.inc). */
#include "compress/pack/pack.h"
#include "deploy/c/emit.h"
#include <string.h>

enum { MOST = 1 << 28 }; /* bytes whose bits a 32-bit number counts */

/* The weights' constants leave the flash, one constant of all their blocks comes. */
void pithp_c_pack(pithp_c_emit *e)
{
    pithp_tobits b = { .c = e->c };
    double ideal = 0;
    for (size_t i = 0; i < e->n_consts && !e->status; i++) {
        const pithp_c_const *k = &e->consts[i];
        if (k->kind != 'w')
            continue;
        e->status = pithp_pack_block(&b, k->data, k->count, PITHP_ST_I8, &ideal);
        e->flash -= k->count;
        e->ram_weights += k->count;
    }
    pithp_tobits_byte(&b);
    const size_t bytes = b.at / 8;
    if (!e->status && bytes > MOST)
        e->status = pithp_error(e->c, PITH_EINVAL,
                                "the packed weights take %zu bytes; C source packs up to %d", bytes, MOST);
    if (e->ram_weights > 0 && !e->status) {
        int8_t *to = pithp_c_add(e, 'p', 0, bytes, 1);
        if (to != NULL)
            memcpy(to, b.p, bytes);
        e->uses |= PITHP_C_BIT(UNPACK);
    }
    pithp_free(e->c, b.p);
}

void pithp_c_put_unpack(const pithp_c_emit *e, const char *id, pithp_text *t)
{
    if (e->ram_weights == 0)
        return;
    pithp_text_put(t, "\n/* ---- Weights in RAM ---- */\nstatic struct {\n");
    for (size_t i = 0; i < e->n_consts; i++)
        if (e->consts[i].kind == 'w')
            pithp_text_printf(t, "    int8_t w_%d[%zu];\n", e->consts[i].node, e->consts[i].count);
    pithp_text_printf(t,
                      "} P;\nstatic int unpacked;\n\n"
                      "void %s_unpack(void)\n{\n    pith_bits b;\n"
                      "    b.p = (const uint8_t *)W.p_0, b.at = 0;\n",
                      id);
    for (size_t i = 0; i < e->n_consts; i++)
        if (e->consts[i].kind == 'w')
            pithp_text_printf(t, "    unpack(&b, P.w_%d, %zu);\n", e->consts[i].node, e->consts[i].count);
    pithp_text_put(t, "    unpacked = 1;\n}\n");
}
