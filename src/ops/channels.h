/* ops/channels.h: how channels go together. A slice is all that has one index in one dimension of a tensor: a channel of an
   activation, a filter of weights, a column of a dense layer's. Each op's file says, in a `const pithp_channels` that its
   descriptor points to, which slices of its operands and of its result are one and the same channel, so that none of them can
   go without the others. What an op does not speak of stays: an op without a rule keeps all its operands whole. */
#ifndef PITHP_OPS_CHANNELS_H
#define PITHP_OPS_CHANNELS_H

#include "graph/graph.h"

#define PITHP_OUT (-1) /* in place of an operand's number: the result */

/* Some slices of a dimension: at, at + 1, ... */
typedef struct {
    int side, dim;
    int64_t at;
} pithp_slices;

/* Whoever asks an op's rule: `tie` hears of n slices that are the same channels as n others, one to one. */
typedef struct pithp_ties pithp_ties;
struct pithp_ties {
    const pith_tensor *t; /* the op's node */
    void (*tie)(pithp_ties *k, pithp_slices a, pithp_slices b, int64_t n);
};

/* Which slices of a node's operands and result stay: how many of those from `from` to before `to`. */
typedef struct pithp_kept pithp_kept;
struct pithp_kept {
    const pith_tensor *t;
    int64_t (*count)(const pithp_kept *k, int side, int dim, int64_t from, int64_t to);
};

struct pithp_channels {
    void (*ties)(pithp_ties *k);
    /* Makes the node's attributes (a copy) fit what stays; NULL: they always fit. */
    void (*shrink)(const pithp_kept *k, void *attr);
    int scale; /* operand that multiplies every channel (a batch norm's gamma); 0: none */
    bool
        residual; /* the result is one operand where the other is zero: a branch may go, and leave the other */
};
typedef struct pithp_channels pithp_channels;

/* ---- For the ops' `ties` ---- */
/* Dimension a_dim of side a and dimension b_dim of side b, all of it; of one size. Absent operands are passed over. */
void pithp_tie(pithp_ties *k, int a, int a_dim, int b, int b_dim);
/* All dimensions of an operand that looks like the result. */
void pithp_tie_all(pithp_ties *k, int operand);
/* A vector of one number a channel, in operands from..to: dimension 0 with the last one of the result. */
void pithp_tie_vectors(pithp_ties *k, int from, int to);

/* Rules of many ops: the result looks like every operand, where that is not stretched to fit it; the last dimension stays,
   rows and columns are looked at in windows. */
void pithp_ties_same(pithp_ties *k);
extern const pithp_channels pithp_channels_same, pithp_channels_last;

#endif
