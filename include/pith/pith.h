/* pith/pith.h: everything. */
#ifndef PITH_PITH_H
#define PITH_PITH_H

#include <pith/channels.h>
#include <pith/ctx.h>
#include <pith/data.h>
#include <pith/distill.h>
#include <pith/explain.h>
#include <pith/export.h>
#include <pith/file.h>
#include <pith/model.h>
#include <pith/nn.h>
#include <pith/op.h>
#include <pith/ops.h>
#include <pith/pack.h>
#include <pith/prune.h>
#include <pith/quant.h>
#include <pith/quantizer.h>
#include <pith/report.h>
#include <pith/rt.h>
#include <pith/runner.h>
#include <pith/stats.h>
#include <pith/tensor.h>
#include <pith/train.h>

#endif
