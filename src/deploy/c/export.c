/* deploy/c/export.c: from a model to its C files. */
#include "deploy/c/export.h"
#include "deploy/c/source.h"
#include "ops/integer.h"
#include <string.h>

enum { FILES = 3 };

pith_status pithp_c_plan(const pithp_qgraph *g, pithp_c_needs *needs)
{
    pithp_c_emit e;
    pith_status s = pithp_c_begin(g, false, false, &e);
    *needs = (pithp_c_needs){ e.flash, e.ram, s ? 0 : pithp_q_macs(g) };
    pithp_c_end(&e);
    return s;
}

/* The engine's answer to the self-test's input. */
static int8_t *golden(const pithp_qgraph *g)
{
    pith_ctx *c = g->ctx;
    size_t in = (size_t)pithp_count(pithp_q_tensor(g, g->inputs[0])->shape),
           out = (size_t)pithp_count(pithp_q_tensor(g, g->outputs[0])->shape);
    int8_t *x = pithp_alloc(c, in, 1), *y = pithp_alloc(c, out, 1);
    pithp_qplan *p = x && y ? pithp_qplan_new(g, (pithp_qplan_cfg){ 0 }) : NULL;
    if (p)
        pithp_c_golden_input(x, in);
    bool ok = p && pithp_qplan_run(p, 1, (const void *[]){ x }, (void *[]){ y }) == PITH_OK;
    pithp_qplan_free(p);
    pithp_free(c, x);
    if (ok)
        return y;
    pithp_free(c, y);
    return NULL;
}

/* All files, or none: everything is on the disk before the first gets its name. */
static pith_status save_all(pith_ctx *c, char *const *path, const pithp_text *text, int n)
{
    pithp_save save[FILES];
    int begun = 0;
    pith_status s = PITH_OK;
    for (int i = 0; i < n && !s; i++) {
        s = text[i].status;
        if (!s && !(s = pithp_save_begin(c, &save[i], path[i])))
            begun++;
        if (!s)
            s = pithp_save_write(c, &save[i], text[i].p, text[i].n);
        if (!s && fflush(save[i].f))
            s = pithp_error(c, PITH_EIO, "%s: cannot be written: no room, or the limit on file sizes",
                            path[i]);
    }
    for (int i = 0; i < begun; i++) {
        if (!s)
            s = pithp_save_commit(c, &save[i], false);
        if (s)
            pithp_save_abort(c, &save[i]);
    }
    return s;
}

static pith_status write_files(const pithp_c_emit *e, const pithp_c_emit *cmsis, const pith_model *m,
                               bool mlperf, const char *path)
{
    pith_ctx *c = e->c;
    size_t stem = strlen(path) - 2;
    pithp_c_name name = { 0 };
    pithp_text text[FILES];
    char *paths[FILES] = { pithp_sprintf(c, "%.*s.h", (int)stem, path), pithp_strdup(c, path),
                           pithp_sprintf(c, "%.*s_th.cpp", (int)stem, path) };
    int8_t *y = golden(e->g);
    for (int i = 0; i < FILES; i++)
        pithp_text_init(c, &text[i]);
    pith_status s = y && paths[0] && paths[1] && paths[2] ? pithp_c_name_of(c, path, &name) : PITH_ENOMEM;
    if (!s) {
        pithp_c_header(e, cmsis, m, &name, &text[0]);
        pithp_c_source(e, cmsis, &name, y, &text[1]);
        if (mlperf)
            pithp_c_harness(e, &name, &text[2]);
        s = save_all(c, paths, text, mlperf ? FILES : FILES - 1);
    } else if (c->status) {
        s = c->status;
    }
    for (int i = 0; i < FILES; i++) {
        pithp_text_free(&text[i]);
        pithp_free(c, paths[i]);
    }
    pithp_c_name_free(c, &name);
    pithp_free(c, y);
    return s;
}

pith_status pithp_c_export(const pithp_qgraph *g, const pith_model *m, pith_export_cfg cfg, const char *path)
{
    size_t n = strlen(path);
    if (n < 3 || strcmp(path + n - 2, ".c") != 0 || path[n - 3] == '/' || n > 4000)
        return pithp_error(
            g->ctx, PITH_EINVAL,
            "%s: C source is written to a file whose name ends in .c; its header, ending in .h, "
            "goes beside",
            path);
    pithp_c_emit e, cmsis = { 0 };
    pith_status s = pithp_c_begin(g, cfg.packed, false, &e);
    if (!s && cfg.cmsis_nn)
        s = pithp_c_begin(g, cfg.packed, true, &cmsis);
    if (!s)
        s = write_files(&e, cfg.cmsis_nn ? &cmsis : NULL, m, cfg.mlperf, path);
    pithp_c_end(&e);
    if (cmsis.g)
        pithp_c_end(&cmsis);
    return s;
}

pith_status pith_export_c(pith_model *m, const char *path, pith_export_cfg cfg)
{
    if (cfg.numbers != PITH_EXPORT_AUTO && cfg.numbers != PITH_EXPORT_INT8)
        return pithp_error(m->ctx, PITH_EINVAL,
                           "C source has int8 numbers only; numbers must be auto or int8");
    if (!pithp_model_quantized(m))
        return pithp_error(
            m->ctx, PITH_EINVAL,
            "model '%s' is not quantized, and C source has int8 numbers only; quantize it first (pith "
            "quantize, or pith qat)",
            pith_model_name(m));
    pithp_qgraph *g = pithp_lower_model(m);
    if (!g)
        return m->ctx->status;
    pith_status s = pithp_c_export(g, m, cfg, path);
    pithp_qgraph_free(g);
    return s;
}
