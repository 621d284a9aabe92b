/* dump_mcu_net FAMILY FILE: an untrained network of a microcontroller's size, with two classes: for comparing bytes,
   which needs no training. */
#include <pith/pith.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .seed = 5, .threads = 1 });
    bool quarter = !strcmp(argv[1], "mobilenet-v1");
    pith_model *m = pith_model_family(
        c, argv[1],
        (pith_family_cfg){ .classes = 2, .image_size = quarter ? 96 : 0, .width = quarter ? 0.25 : 0 });
    bool bad = !m || pith_model_save(m, argv[2], false) != PITH_OK;
    if (bad)
        fprintf(stderr, "%s\n", c ? pith_error_text(c) : "out of memory");
    pith_ctx_free(c);
    return bad;
}
