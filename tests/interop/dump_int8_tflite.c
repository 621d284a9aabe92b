/* dump_int8_tflite DIR CASES: random integer graphs, CASES of each op, written by our exporter, with their inputs and our
   results, for TFLite Micro (check_tflite_int8.py) and ONNX Runtime (check_onnx_int8.py) to repeat. DIR gets NAME.tflite, NAME.onnx, NAME.x0, NAME.x1,
   NAME.y and a line in cases.txt: name, samples, inputs. */
#include "deploy/onnx/int8_emit.h"
#include "deploy/tflite/int8_emit.h"
#include "int8_cases.h"
#include <stdlib.h>
#include <string.h>

static int put(const char *dir, const char *name, const char *end, const void *p, size_t bytes)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s%s", dir, name, end);
    FILE *f = fopen(path, "wb");
    if (f == NULL)
        return 1;
    int bad = fwrite(p, 1, bytes, f) != bytes;
    return fclose(f) != 0 || bad;
}

static int write_case(const int8_case *k, const char *dir, const char *name, FILE *list)
{
    char path[4096], end[16];
    const pithp_qtensor *y = pithp_q_tensor(k->g, k->g->outputs[0]);
    snprintf(path, sizeof path, "%s/%s.tflite", dir, name);
    int bad = pithp_tfl_export_int8(k->g, NULL, path) != PITH_OK ||
              put(dir, name, ".y", k->out, k->out_count * pithp_dtype_size(y->dtype));
    snprintf(path, sizeof path, "%s/%s.onnx", dir, name);
    bad |= pithp_onnx_export_int8(k->g, NULL, true, path) != PITH_OK;
    for (int i = 0; i < k->g->n_inputs && !bad; i++) {
        const pithp_qtensor *x = pithp_q_tensor(k->g, k->g->inputs[i]);
        snprintf(end, sizeof end, ".x%d", i);
        bad = put(dir, name, end, k->in[i],
                  (size_t)(pithp_count(x->shape) * k->n) * pithp_dtype_size(x->dtype));
    }
    fprintf(list, "%s %lld %d\n", name, (long long)k->n, k->g->n_inputs);
    return bad;
}

int main(int argc, char **argv)
{
    char path[4096];
    if (argc != 3)
        return 2;
    snprintf(path, sizeof path, "%s/cases.txt", argv[1]);
    FILE *list = fopen(path, "w");
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .threads = 1 });
    int bad = c == NULL || list == NULL, cases = (int)strtol(argv[2], NULL, 10);
    for (int kind = 0; kind < int8_kinds && !bad; kind++) {
        const char *name = int8_kind_name(kind);
        if (strstr(name, "_any") || !strcmp(name, "table"))
            continue; /* what TFLite has no words for */
        for (int i = 0; i < cases && !bad; i++) {
            char one[128];
            int8_case k = int8_case_make(c, kind, 1000u + (uint32_t)i, true);
            snprintf(one, sizeof one, "%s-%d", name, i);
            bad = k.g == NULL || write_case(&k, argv[1], one, list);
            int8_case_free(&k);
        }
    }
    if (bad)
        fprintf(stderr, "%s: %s\n", argv[1],
                c && pith_ctx_status(c) ? pith_error_text(c) : "cannot be written");
    pith_ctx_free(c);
    return (list && fclose(list)) || bad;
}
