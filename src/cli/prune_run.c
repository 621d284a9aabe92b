/* cli/prune_run.c: what `pith prune` does with a model: checks, prunes and trains, scans. */
#include "cli/prune_opts.h"

#include <stdlib.h>

/* ---- Before a folder is made ---- */
static bool cut(pith_model *m, pith_data *d, const prune_start *s, bool quiet)
{
    pith_channels_result r;
    pith_channels_cfg cfg = s->cut;
    cfg.data = d;
    if (pith_channels_prune(m, cfg, &r) != PITH_OK)
        return false;
    if (!quiet)
        fprintf(stderr,
                "%lld of %lld channels are gone: %.1f M multiply-adds of %.1f M, %lld parameters of %lld, "
                "%.0f KB of "
                "activations of %.0f\n",
                (long long)r.gone, (long long)r.units, (double)r.macs[1] / 1e6, (double)r.macs[0] / 1e6,
                (long long)r.parameters[1], (long long)r.parameters[0], (double)r.ram[1] / 1024,
                (double)r.ram[0] / 1024);
    return true;
}

bool prune_check(const prune_opts *p, pith_model *m, pith_data *d, const prune_start *s, bool quiet)
{
    if (p->remove)
        return cut(m, d, s, quiet);
    pith_model *copy = pith_model_clone(m);
    const bool ok = copy != NULL && pith_prune(copy, d, s->cfg) == PITH_OK;
    pith_model_free(copy);
    return ok;
}

pith_status prune_job(void *start, pith_model *m, pith_data *d, pith_fit_cfg f)
{
    const prune_start *s = start;
    return pith_prune_fit(m, d, s->cfg, s->schedule, f);
}

/* ---- The scan ---- */
enum { MOST_LAYERS = 1024 };

static void show_progress(void *view, int done, int total) { progress_count(view, "layers", done, total); }

static json_t *scan_json(const pith_prune_scan_layer *l, const pith_prune_scan_result *r)
{
    json_t *layers = json_array(), *levels = json_array();
    for (int k = 0; k < PITH_SCAN_LEVELS; k++)
        json_array_append_new(levels, json_real(r->level[k]));
    for (int i = 0; i < r->n; i++) {
        json_t *loss = json_array();
        for (int k = 0; k < PITH_SCAN_LEVELS; k++)
            json_array_append_new(loss, json_real(l[i].loss[k]));
        json_array_append_new(layers,
                              json_pack("{s:o, s:I, s:o, s:f}", "name", json_bytes(l[i].name), "weights",
                                        (json_int_t)l[i].weights, "loss", loss, "proposed", l[i].proposed));
    }
    return json_pack("{s:f, s:f, s:o, s:o}", "loss", r->loss, "growth", r->growth, "levels", levels, "layers",
                     layers);
}

static void print_scan(const pith_prune_scan_layer *l, const pith_prune_scan_result *r)
{
    printf("loss %.4f; growth of it when a layer alone is pruned to\n%-34s %9s", r->loss, "layer", "weights");
    for (int k = 0; k < PITH_SCAN_LEVELS; k++)
        printf(" %7.0f%%", 100 * r->level[k]);
    printf("  proposed\n");
    for (int i = 0; i < r->n; i++) {
        printf("%-34.34s %9lld", l[i].name, (long long)l[i].weights);
        for (int k = 0; k < PITH_SCAN_LEVELS; k++)
            printf(" %8.4f", l[i].loss[k] - r->loss);
        printf(" %8.1f%%\n", 100 * l[i].proposed);
    }
    printf("\neach layer may let the loss grow by %.4f; go on with\n--layers '", r->growth);
    for (int i = 0; i < r->n; i++)
        printf("%s%s=%.3f", i ? "," : "", l[i].name, l[i].proposed);
    printf("'\n");
}

int prune_scan(const common *k, pith_model *m, pith_data *d, pith_prune_cfg cfg)
{
    pith_ctx *c = pith_model_ctx(m);
    progress_view view;
    pith_prune_scan_result r;
    pith_prune_scan_layer *l = calloc(MOST_LAYERS, sizeof *l);
    if (l == NULL) {
        say("prune: out of memory");
        pith_ctx_free(c);
        return EXIT_FAILED;
    }
    progress_open(&view, k->quiet);
    pith_status s =
        pith_prune_scan(m, d, cfg, (pith_prune_scan_cfg){ .progress = show_progress, .progress_user = &view },
                        l, MOST_LAYERS, &r);
    progress_close(&view);
    if (s != PITH_OK) {
        free(l);
        return failed(c);
    }
    if (k->json)
        print_json(scan_json(l, &r));
    else
        print_scan(l, &r);
    free(l);
    pith_ctx_free(c);
    return EXIT_DONE;
}
