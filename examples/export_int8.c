/* export_int8: a trained model becomes integers and leaves as C source and as a .tflite.
   usage: export_int8 MODEL.pith DATA OUT     OUT.c, OUT.h and OUT.tflite are written; examples/mcu runs OUT.c on a board. */
#include <pith/pith.h>
#include <pith/export.h>
#include <pith/quant.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    char path[4096];
    if (argc != 4) {
        fprintf(stderr, "usage: %s MODEL.pith DATA OUT\n", argv[0]);
        return 2;
    }
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .seed = 1 });
    pith_model *m = c ? pith_model_load(c, argv[1]) : NULL;
    if (m != NULL) {
        int size = (int)pith_shape_of(pith_model_input(m)).d[1];
        pith_data *d = pith_data_images(c, argv[2], (pith_images_cfg){ .size = size });
        pith_eval_result before = { 0 }, after = { 0 };
        if (d != NULL) {
            pith_evaluate(m, d, PITH_VAL, 0, &before);
            pith_quantize(m, d, (pith_quant_cfg){ 0 });
            pith_evaluate(m, d, PITH_VAL, 0, &after); /* the integers themselves */
            snprintf(path, sizeof path, "%s.c", argv[3]);
            pith_export_c(m, path, (pith_export_cfg){ 0 });
            snprintf(path, sizeof path, "%s.tflite", argv[3]);
            pith_export_tflite(m, path, (pith_export_cfg){ 0 });
            if (!pith_ctx_status(c))
                printf("%.2f%% in float, %.2f%% in int8\n", 100 * before.accuracy, 100 * after.accuracy);
        }
    }
    int failed = c == NULL || pith_ctx_status(c) != PITH_OK;
    if (failed)
        fprintf(stderr, "%s\n", c ? pith_error_text(c) : "out of memory");
    pith_ctx_free(c);
    return failed;
}
