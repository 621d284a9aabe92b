/* ops/codebook.c: w[i] = centroid[index[i]]: weights that share at most 2^bits values.
   centroid [k], k <= 2^bits; index int32, any shape, whose shape w has. dcentroid[j] = sum over the i with index[i] = j of
   dw[i] (Han, Mao, Dally, "Deep compression", ICLR 2016, section 3.3), 0 for the centroid `zero`, which stays what it is.
   An index out of range, from a damaged file, means the nearest there is. */
#include "ops/codebook.h"
#include "ops/channels.h"
#include "ops/common.h"

enum { CHUNK = 16384 };

static const pith_attr_field fields[] = { { "bits", PITH_ATTR_INT, offsetof(pithp_codebook_attr, bits) },
                                          { "zero", PITH_ATTR_INT, offsetof(pithp_codebook_attr, zero) },
                                          PITH_ATTR_END };

/* Partial sums of the backward pass: at most PITHP_SLOTS runs of whole chunks. */
static int64_t chunks_of(int64_t n) { return (n + CHUNK - 1) / CHUNK; }
static int64_t slots_of(int64_t n) { return PITHP_MIN(PITHP_SLOTS, chunks_of(n)); }

static bool shape(pith_infer *q)
{
    const pithp_codebook_attr *a = q->attr;
    if (q->in_dtype[0] != PITH_F32 || q->in[0].ndim != 1 || q->in_dtype[1] != PITH_I32)
        return pith_op_fail(q, "the centroids must be float32 [k], the indices int32");
    if (a->bits < 1 || a->bits > 8 || q->in[0].d[0] > 1 << a->bits)
        return pith_op_fail(
            q, "%lld centroids for %d bits; 1 to 8 bits and at most 2^bits centroids are expected",
            (long long)q->in[0].d[0], a->bits);
    if (a->zero < -1 || a->zero >= q->in[0].d[0])
        return pith_op_fail(q, "the centroid that stays is %d; -1 (none) to %lld is expected", a->zero,
                            (long long)q->in[0].d[0] - 1);
    q->scratch_back = (size_t)(slots_of(pithp_count(q->in[1])) * q->in[0].d[0]) * sizeof(double);
    return pithp_result(q, q->in[1]);
}

static int64_t at(int32_t index, int64_t k) { return index < 0 ? 0 : index < k ? index : k - 1; }

static void forward_chunk(void *arg, int64_t tile, int thread)
{
    const pith_call *k = arg;
    const pith_real *centroid = k->in[0].data;
    const int32_t *index = k->in[1].data;
    int64_t n = pithp_count(k->out.shape), kk = k->in[0].shape.d[0], to = PITHP_MIN(n, (tile + 1) * CHUNK);
    (void)thread;
    for (int64_t i = tile * CHUNK; i < to; i++)
        ((pith_real *)k->out.data)[i] = centroid[at(index[i], kk)];
}

static void forward(const pith_call *k)
{
    pith_op_parallel(k, chunks_of(pithp_count(k->out.shape)), forward_chunk, (void *)(uintptr_t)k);
}

static void backward_slot(void *arg, int64_t slot, int thread)
{
    const pith_call *k = arg;
    const int32_t *index = k->in[1].data;
    int64_t n = pithp_count(k->out.shape), kk = k->in[0].shape.d[0], slots = slots_of(n),
            chunks = chunks_of(n);
    double *sum = (double *)k->scratch + slot * kk;
    (void)thread;
    for (int64_t j = 0; j < kk; j++)
        sum[j] = 0;
    int64_t to = PITHP_MIN(n, (slot + 1) * chunks / slots * CHUNK);
    for (int64_t i = slot * chunks / slots * CHUNK; i < to; i++)
        sum[at(index[i], kk)] += (double)k->out.grad[i];
}

static void backward(const pith_call *k)
{
    const pithp_codebook_attr *a = k->attr;
    int64_t n = pithp_count(k->out.shape), kk = k->in[0].shape.d[0], slots = slots_of(n);
    const double *sum = k->scratch;
    if (!k->in[0].grad)
        return;
    pith_op_parallel(k, slots, backward_slot, (void *)(uintptr_t)k);
    for (int64_t j = 0; j < kk; j++) {
        double d = 0;
        for (int64_t s = 0; s < slots && j != a->zero; s++)
            d += sum[s * kk + j];
        pith_real *g = &k->in[0].grad[j];
        *g = (k->in[0].grad_add ? *g : 0) + (pith_real)d;
    }
}

static void ties(pithp_ties *k) { pithp_tie_all(k, 1); }

static const pithp_channels channels = { .ties = ties };

const pith_op pithp_op_codebook = {
    .name = "codebook",
    .min_in = 2,
    .max_in = 2,
    .channels = &channels,
    .attr_size = sizeof(pithp_codebook_attr),
    .fields = fields,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .reads = PITH_READS_IN(1),
    .no_grad = 1u << 1,
};

pith_tensor *pith_codebook_weights(pith_tensor *centroids, pith_tensor *index, pith_codebook_weights_cfg cfg)
{
    pithp_codebook_attr a = { cfg.bits ? cfg.bits : 8, cfg.keep_zero ? cfg.zero : -1 };
    return pith_op_apply(&pithp_op_codebook, &a, NULL, 2, (pith_tensor *[]){ centroids, index });
}

/* A model file holds the indices in `bits` bits each. */
bool pithp_stored_codebook(const pith_tensor *user, int operand, pithp_stored *how)
{
    if (user->op != &pithp_op_codebook || operand != 1)
        return false;
    *how = (pithp_stored){ .bits = ((const pithp_codebook_attr *)user->attr)->bits };
    return true;
}
