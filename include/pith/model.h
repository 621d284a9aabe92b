/* pith/model.h: a network as one graph: an input, an output, and all weights in one block. */
#ifndef PITH_MODEL_H
#define PITH_MODEL_H

#include <pith/ops.h>
#include <pith/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Builds the network: called once, with x float32 [1, H, W, C] standing for any number of samples; returns the output,
   float32 [1, ...]. Layers of pith/nn.h and ops of pith/ops.h may be mixed. */
typedef pith_tensor *(*pith_net_fn)(pith_model *m, pith_tensor *x, void *user);

/* Makes a model: runs `net` once, records the graph, lays out and initialises the weights (from the context's seed and
   each parameter's name).
   input      the shape of one sample, PITH_SHAPE(96, 96, 3)
   ownership  the context's
   errors     NULL after any error, which the context keeps. Since 0.1. */
PITH_API pith_model *pith_model_new(pith_ctx *c, pith_net_fn net, void *user, pith_shape input);

/* Where TensorFlow and PyTorch build the same network differently: TensorFlow pads SAME (the odd row or column below and
   right) and normalises with the constants that the network was published with (momentum 0.01, eps 1e-3; the project's own
   networks 0.1, 1e-3); PyTorch pads symmetrically, with momentum 0.1 and eps 1e-5. Weights trained in one style are
   wrong in the other. */
typedef enum { PITH_STYLE_TF = 0, PITH_STYLE_TORCH } pith_style;

/* A network of a known family by name: "efnet-nano", "efnet-micro", "efnet-lite0", "efnet-b0", "mobilenet-v1",
   "mobilenet-v2", "resnet8", "lenet"; pith_family_list names all.
   image_size 0: the family's own; classes 0: 2; channels 0: the family's own. width multiplies channels, which are
   rounded to multiples of 8 (lenet: to whole numbers), and depth repeats (0: 1). Since 0.1. */
typedef struct {
    int image_size, classes, channels;
    double width, depth;
    double dropout; /* before the classifier; 0: as published (README's table), PITH_ZERO none */
    /* efnet-*, mobilenet-v2: probability with which the last block's branch is dropped while training; those before it in
       proportion to their place. 0: none; EfficientNet was published with 0.2 */
    double drop_connect;
    pith_style style;
} pith_family_cfg;
PITH_API pith_model *pith_model_family(pith_ctx *c, const char *name, pith_family_cfg cfg);

/* The families: i counts from 0; NULL after the last. Since 0.1. */
typedef struct {
    const char *name, *summary;
    int image_size, channels;
} pith_family_info;
PITH_API const pith_family_info *pith_family_list(int i);

/* A copy with weights of its own, in the same context. NULL after an error. Since 0.1. */
PITH_API pith_model *pith_model_clone(const pith_model *m);
PITH_API void pith_model_free(pith_model *m);

PITH_API pith_ctx *pith_model_ctx(const pith_model *m);
PITH_API pith_tensor *pith_model_input(const pith_model *m);
PITH_API pith_tensor *pith_model_output(const pith_model *m);

/* Adds an input for targets, weights of samples and the like: first dimension the samples. shape: of one sample
   (PITH_SCALAR for labels). It is not saved with the model. Since 0.1. */
PITH_API pith_tensor *pith_model_add_input(pith_model *m, const char *name, pith_dtype dtype,
                                           pith_shape shape);

/* The parameter, state or node of that name; NULL if there is none (no error). Since 0.1. */
PITH_API pith_tensor *pith_model_find(const pith_model *m, const char *name);

/* What leaves the layer or block of that name: the last result in the graph whose node is called so, or so with a dot and more
   behind ("blocks.2" of efnet-nano is what "blocks.2.1" adds up). A loss may be built on it (pith/distill.h); it is the same
   node after batch norms were folded or fake quantization put in, if the tap is taken then.
   shape      of one sample, [1,H,W,C] mostly
   errors     NULL, with PITH_ENOTFOUND and the nearest names. Since 0.1. */
PITH_API pith_tensor *pith_tap(pith_model *m, const char *name);

/* Parameters in order: i counts from 0; NULL after the last. Since 0.1. */
PITH_API pith_tensor *pith_model_param(const pith_model *m, int i);

/* All weights at once, in the order of the block (parameters, then state); n elements. Values may be read and
   written; the pointer lives as long as the model. Since 0.1. */
PITH_API pith_real *pith_model_weights(const pith_model *m, int64_t *n);

/* Freezes (or frees) every parameter whose name matches the shell pattern ("blocks.*"); batch norms of matching names
   use their running statistics while frozen. Returns how many matched. Plans made before become stale. Since 0.1. */
PITH_API int pith_model_freeze(pith_model *m, const char *pattern, bool frozen);

/* Facts about the saved part of the graph, for one sample. bytes: of all weights as they would be saved. */
typedef struct {
    int64_t parameters, state, macs, bytes;
    int layers;
} pith_model_facts;
PITH_API pith_model_facts pith_model_info(const pith_model *m);

/* One entry a node that has work or weights, in order; false after the last. zeros: of its parameters, exactly zero; held: of
   those, the ones that a mask of pruning holds there (pith/prune.h). Since 0.1. */
typedef struct {
    const char *name, *op;
    pith_shape out;
    int64_t parameters, macs, zeros, held;
} pith_layer_facts;
PITH_API bool pith_model_layer(const pith_model *m, int i, pith_layer_facts *facts);

/* What goes into a model file beside graph and weights: strings by key ("classes" is a JSON list of class names,
   "input" says how pixels become numbers). Set copies; NULL removes. Get: the model's, NULL if absent. Since 0.1. */
PITH_API pith_status pith_model_set_meta(pith_model *m, const char *key, const char *value);
PITH_API const char *pith_model_meta(const pith_model *m, const char *key);
/* Enumerates the keys; NULL after the last. Since 0.1. */
PITH_API const char *pith_model_meta_key(const pith_model *m, int i);

/* The name the model was made by ("efnet-nano"; "custom" for a function's). Since 0.1. */
PITH_API const char *pith_model_name(const pith_model *m);

#ifdef __cplusplus
}
#endif
#endif
