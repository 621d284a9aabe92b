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

/* NAME.conv, NAME.bn (with cfg.bn_momentum and cfg.bn_eps), then the activation. Since 0.1. */
PITH_API pith_tensor *pith_nn_conv_bn_act(pith_model *m, const char *name, pith_tensor *x,
                                          pith_conv2d_cfg cfg, pith_act act);
PITH_API pith_tensor *pith_nn_depthwise_bn_act(pith_model *m, const char *name, pith_tensor *x,
                                               pith_conv2d_cfg cfg, pith_act act);

/* Squeeze-and-excitation (Hu et al. 2018): each channel of x times gate(expand(act(reduce(mean of x over rows and
   columns)))), reduce and expand being 1x1 convolutions with bias, NAME.reduce and NAME.expand, on [N,1,1,C].
   x [N,H,W,C] -> [N,H,W,C]. reduced: the channels in between, at least 1; act 0: PITH_RELU; gate 0: PITH_SIGMOID.
   Since 0.1. */
typedef struct {
    int64_t reduced;
    pith_act act, gate;
} pith_se_cfg;
PITH_API pith_tensor *pith_nn_se(pith_model *m, const char *name, pith_tensor *x, pith_se_cfg cfg);

/* Mobile inverted bottleneck (Sandler et al. 2018, Tan and Le 2019): expand 1x1 (NAME.expand; absent when expand is 1),
   depthwise kernel x kernel (NAME.dw), squeeze-and-excitation with `se` channels in between (NAME.se, with the block's
   activation; se 0: none), project 1x1 without activation (NAME.project), plus the input where stride is 1 and the
   channels stay; that branch is dropped with probability drop_connect while training (pith_drop_connect). act 0:
   PITH_RELU6. pad_mode: of the depthwise convolution; bn_*: as pith_conv2d_cfg has them.
   Since 0.1. */
typedef struct {
    int64_t out;
    int expand, kernel, stride; /* 0: 4, 3, 1 */
    pith_act act;
    int64_t se;
    double drop_connect;
    pith_pad_mode pad_mode;
    double bn_momentum, bn_eps;
} pith_mbconv_cfg;
PITH_API pith_tensor *pith_nn_mbconv(pith_model *m, const char *name, pith_tensor *x, pith_mbconv_cfg cfg);

/* Depthwise separable convolution (Howard et al. 2017): depthwise as cfg says (NAME.dw), then 1x1 to cfg.out channels
   (NAME.pw); batch norm and act after each. Since 0.1. */
PITH_API pith_tensor *pith_nn_separable(pith_model *m, const char *name, pith_tensor *x, pith_conv2d_cfg cfg,
                                        pith_act act);

/* Residual block of two convolutions (He et al. 2016, version 1): NAME.conv1 as cfg says, with batch norm and act,
   NAME.conv2 of the same kernel and stride 1, with batch norm; plus the input, or where stride or channels change a
   1x1 convolution of it without batch norm (NAME.shortcut); act over the sum. Since 0.1. */
PITH_API pith_tensor *pith_nn_residual(pith_model *m, const char *name, pith_tensor *x, pith_conv2d_cfg cfg,
                                       pith_act act);

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
