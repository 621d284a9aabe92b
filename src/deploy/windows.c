/* deploy/windows.c: geometry of convolutions and pools for exporters. */
#include "deploy/windows.h"

pithp_extent pithp_conv_rows(const pithp_conv *g)
{
    return (pithp_extent){ g->h, g->p, (g->r - 1) * g->dil_h + 1, g->stride_h, g->pt };
}

pithp_extent pithp_conv_columns(const pithp_conv *g)
{
    return (pithp_extent){ g->w, g->q, (g->s - 1) * g->dil_w + 1, g->stride_w, g->pl };
}

void pithp_extent_amounts(pithp_extent x, int64_t *before, int64_t *after)
{
    *before = x.lead;
    *after = PITHP_MAX((x.out - 1) * x.stride + x.window - x.in - x.lead, 0);
}

static int64_t lead(const pith_tensor *t, const char *explicit_pad, const pithp_extent *x)
{
    switch (pithp_attr_int(t, "pad_mode")) {
    case PITH_SAME: return PITHP_MAX((x->out - 1) * x->stride + x->window - x->in, 0) / 2;
    case PITH_EXPLICIT: return pithp_attr_int(t, explicit_pad);
    default: return 0;
    }
}

void pithp_pool_extents(const pith_tensor *t, pith_shape x, pith_shape y, pithp_extent d[2])
{
    int64_t kernel = pithp_attr_int(t, "kernel"), kernel_w = pithp_attr_int(t, "kernel_w"),
            stride = pithp_attr_int(t, "stride"), stride_w = pithp_attr_int(t, "stride_w");
    kernel_w = kernel_w ? kernel_w : kernel;
    stride_w = stride_w ? stride_w : stride ? stride : kernel_w;
    d[0] = (pithp_extent){ x.d[1], y.d[1], kernel, stride ? stride : kernel, 0 };
    d[1] = (pithp_extent){ x.d[2], y.d[2], kernel_w, stride_w, 0 };
    d[0].lead = lead(t, "pad_top", &d[0]);
    d[1].lead = lead(t, "pad_left", &d[1]);
}
