/* pith/nn.h: layers. A layer is an op with parameters of its own, named NAME.weight, NAME.bias, ...
   All take the model, a name (unique; dots make a hierarchy) and the input; all return the output or poison. */
#ifndef PITH_NN_H
#define PITH_NN_H

#include <pith/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Convolution with weights NAME.weight [out,R,S,C/groups] (normal, deviation sqrt(2/fan_out) as EfficientNet has it) and,
   if cfg.bias, NAME.bias [out] (zeros). x [N,H,W,C] -> [N,P,Q,out]. Since 0.1. */
PITH_API pith_tensor *pith_nn_conv2d(pith_model *m, const char *name, pith_tensor *x, pith_conv2d_cfg cfg);

/* Depthwise convolution, NAME.weight [1,R,S,C]; cfg.out is ignored. Since 0.1. */
PITH_API pith_tensor *pith_nn_depthwise_conv2d(pith_model *m, const char *name, pith_tensor *x,
                                               pith_conv2d_cfg cfg);

/* Batch norm: NAME.weight (gamma, ones), NAME.bias (beta, zeros), NAME.running_mean, NAME.running_var. Since 0.1. */
PITH_API pith_tensor *pith_nn_batch_norm(pith_model *m, const char *name, pith_tensor *x,
                                         pith_batch_norm_cfg cfg);

/* NAME.conv, NAME.bn, then the activation. Since 0.1. */
PITH_API pith_tensor *pith_nn_conv_bn_act(pith_model *m, const char *name, pith_tensor *x,
                                          pith_conv2d_cfg cfg, pith_act act);
PITH_API pith_tensor *pith_nn_depthwise_bn_act(pith_model *m, const char *name, pith_tensor *x,
                                               pith_conv2d_cfg cfg, pith_act act);

/* Mobile inverted bottleneck (Sandler et al. 2018, Tan and Le 2019): expand 1x1 (NAME.expand; absent when expand is 1),
   depthwise kernel x kernel (NAME.dw), project 1x1 without activation (NAME.project), plus the input where stride is 1
   and the channels stay. act 0: PITH_RELU6. Since 0.1. */
typedef struct {
    int64_t out;
    int expand, kernel, stride; /* 0: 4, 3, 1 */
    pith_act act;
} pith_mbconv_cfg;
PITH_API pith_tensor *pith_nn_mbconv(pith_model *m, const char *name, pith_tensor *x, pith_mbconv_cfg cfg);

/* y = x w^T + b: NAME.weight [out,in] (uniform, half-width 1/sqrt(in)), NAME.bias [out] (zeros). x [N,in] -> [N,out].
   Since 0.1. */
PITH_API pith_tensor *pith_nn_linear(pith_model *m, const char *name, pith_tensor *x, int64_t out);

/* A parameter or a piece of state of one's own. init: half-width of a uniform, or 0 for zeros. Since 0.1. */
PITH_API pith_tensor *pith_nn_param(pith_model *m, const char *name, pith_shape shape, double init,
                                    bool weight_decay);

#ifdef __cplusplus
}
#endif
#endif
