/* What a step ships as, and whether that answers as the model does: it is read back by the reader of `pith run`. */
#include "cli/lab.h"

enum { LOOKED_AT = 64 };

typedef struct {
    int n, same;
} agreement;

static int best_of(const pith_real *v, int64_t n)
{
    int best = 0;
    for (int64_t k = 1; k < n; k++)
        best = v[k] > v[best] ? (int)k : best;
    return best;
}

/* Images from all over the validation split, one at a time. */
static bool look(lab *l, pith_runner *r, const int32_t *says, agreement *a)
{
    const int64_t n = pith_data_count(l->d, PITH_VAL), every = n > LOOKED_AT ? n / LOOKED_AT : 1;
    pith_loader *loader = pith_loader_new(l->d, (pith_loader_cfg){ .split = PITH_VAL, .batch = 1 });
    bool ok = loader != NULL;
    for (int64_t i = 0; ok && i < n && a->n < LOOKED_AT; i += every) {
        pith_batch b;
        pith_runner_result y;
        ok = pith_loader_epoch(loader, 0, i) == PITH_OK && pith_loader_next(loader, &b) &&
             pith_runner_run(r, b.x, &y) == PITH_OK;
        if (ok) {
            a->n++;
            a->same += best_of(y.values, y.n) == says[i];
        }
    }
    pith_loader_free(loader);
    return ok;
}

static bool check(lab *l, const char *path, const int32_t *says, json_t *result)
{
    agreement a = { 0 };
    char text[200];
    pith_runner *r = pith_runner_open(l->c, path);
    bool ok = r != NULL && look(l, r, says, &a), integers = false;
    if (ok) {
        pith_runner_facts f = pith_runner_info(r);
        integers = f.integers;
        snprintf(text, sizeof text,
                 "read back and run (%s, %s): the model's class on %d of %d validation images", f.format,
                 f.integers ? "integers" : "float", a.same, a.n);
        json_object_set_new(result, "export_checked", json_string(text));
    }
    pith_runner_free(r);
    /* floats of a converted graph may round a tie another way; integers may not */
    if (ok && a.same < a.n - (integers ? 0 : a.n / 50))
        return lab_fail(l, "%s answers otherwise than the model it was made from: on %d of %d images", path,
                        a.n - a.same, a.n);
    return ok;
}

static bool tflite(lab *l, const lab_row *r, pith_model *m, const int32_t *says, json_t *result)
{
    char path[1024];
    pith_export_cfg cfg = { .numbers = r->out == LAB_TFLITE_HALF ? PITH_EXPORT_F16 : PITH_EXPORT_AUTO };
    lab_path(l, r, "model.tflite", path);
    return pith_export_tflite(m, path, cfg) == PITH_OK && check(l, path, says, result);
}

/* What ships of a network quantized while training is its integers, not the floats behind them. */
static bool pack(const lab *l, const lab_row *r, const pith_model *m, char path[1024], pith_pack_sizes *z)
{
    pith_model *copy = pith_model_is_quantized(m) ? pith_model_clone(m) : NULL;
    bool ok = copy != NULL ? pith_qat_convert(copy) == PITH_OK : !pith_model_is_quantized(m);
    ok = ok && pith_model_pack(copy != NULL ? copy : m, lab_path(l, r, "model.pack", path), z) == PITH_OK;
    pith_model_free(copy);
    return ok;
}

bool lab_export_step(lab *l, const lab_row *r, pith_model *m, json_t *result, const int32_t *says)
{
    char packed[1024], file[1024];
    const char *name = "model.pack";
    pith_pack_sizes z;
    bool ships = r->out == LAB_TFLITE || r->out == LAB_TFLITE_HALF;
    if (!pack(l, r, m, packed, &z))
        return false;
    if (ships && tflite(l, r, m, says, result)) {
        name = "model.tflite";
    } else if (ships &&
               pith_ctx_status(l->c) == PITH_EINVAL) { /* the format, or our reader, has no word for it */
        json_object_set_new(result, "no_tflite", json_bytes(pith_error_text(l->c)));
        pith_ctx_clear(l->c);
        ships = false;
    } else if (ships) {
        return false;
    }
    if (!ships && !check(l, packed, says, result))
        return false;
    json_object_set_new(result, "exported", json_string(name));
    json_object_set_new(result, "bytes",
                        json_pack("{s:I, s:o, s:I, s:I}", "file",
                                  (json_int_t)lab_file_bytes(lab_path(l, r, name, file)), "gzip",
                                  z.gzip_file >= 0 ? json_integer(z.gzip_file) : json_null(), "packed",
                                  (json_int_t)z.packed, "model", (json_int_t)z.file));
    return true;
}
