/* dump_mcu_net FAMILY FILE [ZEROS]: an untrained network of a microcontroller's size, with two classes: for comparing bytes,
   which needs no training. ZEROS: the share of each layer's weights that is pruned. */
#include <pith/pith.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    if (argc != 3 && argc != 4)
        return 2;
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .seed = 5, .threads = 1 });
    bool quarter = !strcmp(argv[1], "mobilenet-v1");
    pith_model *m = pith_model_family(
        c, argv[1],
        (pith_family_cfg){ .classes = 2, .image_size = quarter ? 96 : 0, .width = quarter ? 0.25 : 0 });
    const pith_prune_cfg cut = { .target = argc > 3 ? atof(argv[3]) : 0, .per_layer = true };
    bool bad = !m || (argc > 3 && pith_prune(m, NULL, cut) != PITH_OK) ||
               pith_model_save(m, argv[2], false) != PITH_OK;
    if (bad)
        fprintf(stderr, "%s\n", c ? pith_error_text(c) : "out of memory");
    pith_ctx_free(c);
    return bad;
}
