/* predict: loads a model, with no C function of the network at hand, and asks it about a picture.
   usage: predict MODEL.pith IMAGE */
#include <pith/pith.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s MODEL.pith IMAGE\n", argv[0]);
        return 2;
    }
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ 0 });
    pith_model *m = c ? pith_model_load(c, argv[1]) : NULL;
    int failed = 1;
    if (m != NULL) {
        int size = (int)pith_shape_of(pith_model_input(m)).d[1],
            classes = (int)pith_size(pith_model_output(m));
        pith_real *x = calloc((size_t)size * (size_t)size * 3, sizeof *x),
                  *p = calloc((size_t)classes, sizeof *p);
        if (x && p && pith_data_image_load(c, argv[2], size, x) == PITH_OK &&
            pith_predict(m, x, 1, p) == PITH_OK) {
            printf("classes %s\n", pith_model_meta(m, "classes") ? pith_model_meta(m, "classes") : "unnamed");
            for (int k = 0; k < classes; k++)
                printf("class %d: %.1f%%\n", k, 100 * (double)p[k]);
            failed = 0;
        }
        free(x);
        free(p);
    }
    if (failed)
        fprintf(stderr, "%s\n", c ? pith_error_text(c) : "out of memory");
    pith_ctx_free(c);
    return failed;
}
