/* tests/export_help.h: networks that the suites of file formats write, and what they ask of files. */
#ifndef PITH_TESTS_EXPORT_HELP_H
#define PITH_TESTS_EXPORT_HELP_H

#include "file_help.h"
#include <pith/export.h>
#include <pith/nn.h>
#include <pith/op.h>
#include <unistd.h>

/* ---- Networks ---- */
static inline pith_tensor *conv_bn(pith_model *m, pith_tensor *x, void *user)
{
    pith_conv2d_cfg cfg = { .out = 4, .kernel = 3, .stride = 2, .bias = true };
    x = pith_nn_conv_bn_act(m, "stem", x, cfg, user ? *(pith_act *)user : PITH_RELU6);
    return pith_nn_linear(m, "head", pith_dropout(pith_global_avgpool(x), 0.5), 3);
}

static inline pith_model *model_of(pith_net_fn net, void *user)
{
    pith_model *m = pith_model_new(ctx, net, user, PITH_SHAPE(9, 8, 3));
    suite_check(m != NULL, "%s", pith_error_text(ctx));
    return m;
}

/* ---- An op that no format knows ---- */
static inline bool shape_mine(pith_infer *q)
{
    q->out = q->in[0];
    q->out_dtype = PITH_F32;
    return true;
}
static inline void forward_mine(const pith_call *k)
{
    memcpy(k->out.data, k->in[0].data, (size_t)k->out.shape.d[0] * sizeof(pith_real));
}
static const pith_op mine = {
    .name = "wavelet", .min_in = 1, .max_in = 1, .shape = shape_mine, .forward = forward_mine
};

static inline pith_tensor *unknown_op(pith_model *m, pith_tensor *x, void *user)
{
    (void)m, (void)user;
    return pith_op_apply(&mine, NULL, "layer7", 1, &x);
}

/* A file is these bytes or not there. It is removed. True: it was there. */
static inline bool whole_or_absent(const char *path, const uint8_t *bytes, size_t n_bytes)
{
    size_t n;
    if (access(path, F_OK) != 0)
        return false;
    uint8_t *p = slurp(path, &n);
    suite_check(n == n_bytes && !memcmp(p, bytes, n), "%s is not whole", path);
    free(p);
    unlink(path);
    return true;
}

/* However many allocations succeed, an export is whole, or says that memory ran out and leaves nothing behind. */
static inline void whole_at_every_allocation(pith_status (*export)(void *arg, const char *path), void *arg,
                                             int at_least)
{
    const char *path = in_dir("nomem");
    size_t n, bytes;
    int failures = 0;
    suite_check(export(arg, path) == PITH_OK, "%s", pith_error_text(ctx));
    uint8_t *whole = slurp(path, &n);
    unlink(path);
    bytes = pith_ctx_memory(ctx, NULL);
    for (pith_status s = PITH_ENOMEM; s != PITH_OK; failures++) {
        hook.left = failures;
        s = export(arg, path);
        hook.left = -1;
        suite_check(s == PITH_OK || (s == PITH_ENOMEM && pith_ctx_status(ctx) == PITH_ENOMEM),
                    "allocation %d", failures);
        suite_check(pith_ctx_memory(ctx, NULL) == bytes, "allocation %d leaks", failures);
        suite_check(whole_or_absent(path, whole, n) || s != PITH_OK, "allocation %d writes nothing",
                    failures);
        pith_ctx_clear(ctx);
    }
    ck_assert_int_gt(failures, at_least);
    free(whole);
}

#endif
