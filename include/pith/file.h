/* pith/file.h: models in files. The format is safetensors: weights as its tensors, the graph as JSON in one string
   ("pith.graph") of its __metadata__; any safetensors reader opens it. */
#ifndef PITH_FILE_H
#define PITH_FILE_H

#include <pith/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Writes graph, weights, state and meta. The file is complete or not there: it is written beside, synced and renamed;
   an older file of that name is kept as PATH.prev if keep_previous.
   errors   PITH_EIO: names the path and the system's reason; the older file is untouched. Since 0.1. */
PITH_API pith_status pith_model_save(const pith_model *m, const char *path, bool keep_previous);

/* Reads a model: no C function is needed; ops of a program's own must be registered before.
   errors   NULL: PITH_ENOTFOUND, PITH_EIO, PITH_EFORMAT (what, where in the file, what was expected). Since 0.1. */
PITH_API pith_model *pith_model_load(pith_ctx *c, const char *path);

/* Pretrained weights: reads a safetensors file with timm's names ("conv_stem.weight", "blocks.0.0.conv_dw.weight",
   "bn1.running_mean", ...; convolutions OIHW) into a model of the same network: efnet-b0 and efnet-lite0 take timm's
   efficientnet_b0 and efficientnet_lite0 in PITH_STYLE_TORCH, and tf_efficientnet_* in PITH_STYLE_TF; mobilenet-v1
   and mobilenet-v2 mobilenetv1_100 and mobilenetv2_*. Tensors of other networks have the names that their layers have
   here. F16, BF16 and F64 are converted; "num_batches_tracked" is passed over.
   new_head   the last layer's tensors are not read but drawn anew; those that the file has are named in warnings
   errors     PITH_ENOTFOUND, PITH_EIO; PITH_EFORMAT: a tensor of another shape or type (which, and what was expected), one
              that is not finite, missing and surplus tensors (named), or a file that pith_model_load should read. The model is
              unchanged. Since 0.1. */
typedef struct {
    bool new_head;
} pith_import_cfg;
PITH_API pith_status pith_model_import_safetensors(pith_model *m, const char *path, pith_import_cfg cfg);

/* The other way: all weights and running statistics with timm's names and PyTorch's layouts, so that timm's model of the
   same network and style loads them (load_state_dict with strict=True). A dense layer after pith_flatten keeps its order
   of inputs, rows columns channels, which PyTorch's flatten does not have (lenet).
   errors   as pith_model_save. Since 0.1. */
PITH_API pith_status pith_model_export_safetensors(const pith_model *m, const char *path);

#ifdef __cplusplus
}
#endif
#endif
