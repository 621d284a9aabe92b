/* compress/quant/analyze.h: a quantized model whose places are switched off and on. One simulated model serves for all
   measurements: a fake_quant whose scale is 0 lets its operand pass, so places are switched by their scales, and weights
   exchanged where the model holds rounded ones. */
#ifndef PITHP_ANALYZE_H
#define PITHP_ANALYZE_H

#include "compress/quant/improve.h"

/* A leaf that holds one thing in float and another when quantized; NULL: nothing is exchanged. */
typedef struct {
    pith_tensor *t;
    pith_real *exact, *rounded; /* [n] */
    int64_t n;
} pithp_exchange;

typedef struct {
    const pith_tensor *f;  /* the fake_quant node */
    const pith_tensor *at; /* where its accumulated noise is measured: of weights, the layer's result */
    pithp_exchange w, bias;
    pith_real *scale;
    int64_t scales;
    double signal, noise, own_signal, own_noise;
} pithp_spot;

struct pith_analysis {
    pithp_obj obj;
    pith_ctx *c;
    pith_model *m; /* the simulation */
    pithp_images im;
    pithp_spot *s;
    pith_place *places; /* [n] */
    const pith_place **ranked;
    int n;
    pith_real *logits; /* in float, of all images */
    double output;
};

/* ---- analyze_look.c ---- */
void pithp_spots_turn(const pith_analysis *a, bool on); /* all of them */
/* Ranges, histograms, noise of each place and up to it. */
pith_status pithp_look_at_places(pith_analysis *a);
/* The output's noise: of each place alone, of all, and (all_but) of all but each. */
pith_status pithp_switch_through(pith_analysis *a, bool all_but);

#endif
