/* graph/graph.h: floor 2. Nodes, the graph that holds them, shapes, plans.

   A graph is an append-only list of nodes; a node's operands always have smaller ids, so id order is a topological
   order. The bare tensor engine records into the context's own graph, a model into the model's. */
#ifndef PITHP_GRAPH_H
#define PITHP_GRAPH_H

#include "base/base.h"
#include "graph/blocks.h"
#include "kernels/float/kernels.h"
#include <pith/op.h>
#include <pith/tensor.h>

typedef enum {
    PITHP_NODE_OP = 0,
    PITHP_NODE_DATA,  /* leaf with its own storage */
    PITHP_NODE_INPUT, /* a model's input or label: storage in the plan, first dimension is the batch */
    PITHP_NODE_PARAM, /* trainable leaf */
    PITHP_NODE_STATE  /* running statistics: saved with the model, no gradient */
} pithp_node_kind;

typedef struct pithp_graph pithp_graph;

/* How a parameter of a model gets its first values; drawn from (seed, hash of name). */
typedef enum { PITHP_INIT_ZERO = 0, PITHP_INIT_ONE, PITHP_INIT_NORMAL, PITHP_INIT_UNIFORM } pithp_init;

struct pith_tensor {
    pithp_graph *g;
    uint32_t id;
    pithp_node_kind kind;
    bool poison;
    const pith_op *op; /* of PITHP_NODE_OP */
    void *attr;
    int n_in;
    pith_tensor *in[PITH_OP_MAX_IN]; /* NULL: absent */
    char *name;                      /* may be NULL */
    pith_dtype dtype;
    pith_shape shape; /* as recorded; of nodes that depend on an input: with one sample */
    bool keep, require_grad, frozen, decay; /* decay: weight decay applies to this parameter */
    bool positive;                          /* PARAM: an op that reads it wants it so (pith_op) */
    pithp_init init;
    double init_scale; /* deviation or half-width */
    void *value;       /* leaves: DATA, PARAM, STATE */
    pith_real *grad;   /* PARAM, and DATA with require_grad */
    uint8_t
        *mask; /* PARAM of a model: 0 where the value is held at zero; NULL: nowhere. In the model's block */
    bool owns_value;                 /* else they lie in the model's flat blocks */
    pith_plan *run_plan, *back_plan; /* made by pith_run, pith_backward */
    const pith_plan *last_plan;      /* the plan that last computed this kept value */
};

struct pithp_graph {
    pithp_obj obj;
    pith_ctx *ctx;
    pith_tensor **nodes;
    size_t n, cap;
    uint64_t version; /* goes up when recorded nodes change (freezing, passes): older plans are stale */
    bool defer;       /* while a model is traced: it lays parameters out afterwards, in one block */
    pithp_graph
        *older; /* the graph that a pass replaced by this one: stale, kept for whoever holds its plans */
    const char *scope; /* name given to nodes that are built without one; a layer sets it while it builds */
    pithp_obj
        *cache; /* a higher floor's object that keeps a plan of this graph; destroyed before the plans are */
    pith_tensor poison;
};

pithp_graph *pithp_graph_new(pith_ctx *c);
pithp_graph *pithp_ctx_graph(pith_ctx *c); /* the bare engine's, made when first needed; NULL: no memory */
void pithp_graph_free_plans(pith_ctx *c, const pithp_graph *g);
pith_tensor *pithp_poison(pith_ctx *c); /* never NULL unless memory ran out at once */
pith_tensor *pithp_node_new(pithp_graph *g, pithp_node_kind kind, pith_dtype dtype, pith_shape shape,
                            const char *name);
pith_tensor *pithp_node_data(pithp_graph *g, pith_dtype dtype, pith_shape shape,
                             const void *data); /* NULL: zeroes */
pith_tensor *pithp_node_input(pithp_graph *g, const char *name, pith_dtype dtype, pith_shape shape);
pith_tensor *pithp_node_param(pithp_graph *g, const char *name, pith_shape shape, pithp_init init,
                              double scale, bool decay);
pith_tensor *pithp_node_state(pithp_graph *g, const char *name, pith_shape shape, pithp_init init);
pith_status pithp_node_fill(pith_tensor *t); /* value from init */
pith_tensor *pithp_graph_find(const pithp_graph *g, const char *name);

/* ops floor's table, given to the graph floor through the context at link time (ops/table.c). */
extern const pith_op *const pithp_op_table[];
extern const size_t pithp_op_table_n;

/* The next two are what op files use. */
static inline const pithp_env *pithp_call_env(const pith_call *k) { return (const pithp_env *)k->env; }

/* ---- Fusion ---------------------------------------------------------------------------------------------------
   A fused op exists only in plans. ops/ fills this table; the planner asks each rule at each node, in order. */
typedef struct {
    const pith_op *op;
    int n_in;
    pith_tensor *in[PITH_OP_MAX_IN];
    bool train;               /* in: the plan is for training */
    pith_tensor *absorbed[4]; /* nodes whose values then never exist */
    int n_absorbed;
    union {
        double align;
        uint8_t bytes[256];
    } attr;
} pithp_fused;

/* True if the node t (the last of the pattern) can be computed by one fused op. single(ctx, x): x is used only once
   and not kept, so it may be absorbed. */
typedef bool (*pithp_fuse_rule)(const pith_tensor *t, bool (*single)(void *arg, const pith_tensor *x),
                                void *arg, pithp_fused *out);
extern const pithp_fuse_rule pithp_fuse_rules[];
extern const size_t pithp_fuse_rules_n;

/* ---- Values that are never stored -----------------------------------------------------------------------------
   In a training plan, a step that normalises and activates may leave its result raw: what is stored is y, and whoever
   reads it computes act(scale*y + shift) as it loads. The one step that consumes it then also takes, in its backward
   pass, the two sums that the producer's batch norm needs first (pithp_conv_bwd.load_s1, load_s2), and leaves the gradient
   past the activation. */
typedef struct pithp_norm {
    const pith_real *scale, *shift, *mean; /* [C] */
    pith_real *s1, *s2;                    /* [C] the consumer's backward writes them */
    pithp_act act;
} pithp_norm;

typedef struct {
    const pith_op *op,
        *raw;    /* a step, and the one that does the same and leaves its result raw; NULL: only loads */
    int operand; /* the operand that it can load raw, or -1 */
    bool (*leaves)(const void *attr, const pith_shape *in);
    bool (*loads)(const void *attr, const pith_shape *in);
    pithp_norm (*norm)(const pith_call *k); /* of a raw step */
} pithp_raw_rule;
extern const pithp_raw_rule pithp_raw_rules[];
extern const size_t pithp_raw_rules_n;

/* ---- Brief storage --------------------------------------------------------------------------------------------
   How a model file may hold the values of a leaf, where that loses nothing. ops/ fills the table of rules: what the op
   that reads the leaf says about it.
   bits   of each code
   scale  NULL: the values are the whole numbers 0 .. 2^bits - 1 (int32 leaf); else a leaf, [1] or [size along axis], and
          the values are scale * code, -2^(bits-1) <= code < 2^(bits-1) */
typedef struct {
    int bits, axis;
    const pith_tensor *scale;
} pithp_stored;

typedef bool (*pithp_stored_rule)(const pith_tensor *user, int operand, pithp_stored *how);
extern const pithp_stored_rule pithp_stored_rules[];
extern const size_t pithp_stored_rules_n;

/* ---- Plans ---------------------------------------------------------------------------------------------------- */
typedef enum { PITHP_MEM_NONE = 0, PITHP_MEM_LEAF, PITHP_MEM_ARENA, PITHP_MEM_ALIAS } pithp_mem_kind;

typedef struct {
    pith_tensor *t;
    pith_shape shape;
    pith_dtype dtype;
    pithp_mem_kind mem;
    int alias;      /* value index whose memory this one shares (MEM_ALIAS) */
    int block;      /* arena block of the value, -1 none */
    int grad_block; /* arena block of the gradient, -1 none */
    int grad_alias; /* value index whose gradient memory this one shares, -1 none */
    bool need_grad, target, batched, raw;
    bool constant;   /* of a plan with cfg.constant: what no input enters; computed by the first run alone */
    pithp_norm norm; /* of a raw value */
    int step;        /* that computes it, -1 for leaves */
    int uses;
} pithp_value;

typedef struct {
    const pith_op *op;
    void *attr;
    const pith_tensor *t; /* node it stands for: name, id */
    int n_in, in[PITH_OP_MAX_IN], out;
    int aux_block, scratch_block, back_scratch_block, keep_block;
    size_t aux, scratch, scratch_back, keep;
    bool back; /* has a backward pass in this plan */
    bool grad_add[PITH_OP_MAX_IN], grad_shared[PITH_OP_MAX_IN];
    pith_call fwd, bwd;
    pith_val *fwd_in, *bwd_in;
} pithp_step;

struct pith_plan {
    pithp_obj obj;
    pithp_graph *g;
    uint64_t version;
    pith_plan_cfg cfg;
    int64_t batch, bound; /* capacity; samples it is bound to now */
    pithp_env env;
    pithp_value *values;
    int n_values, *value_of; /* value_of[node id], -1 */
    int n_value_of;
    pithp_step *steps;
    int n_steps, n_back; /* steps; of them those with backward */
    pithp_block *blocks;
    int n_blocks, cap_blocks;
    uint8_t *arena;
    size_t arena_bytes;
    int loss;           /* value index of the scalar that backward starts from, -1 */
    uint64_t fwd_count; /* forwards made by pith_backward: keys their random numbers */
    bool ran;
    double *best_ms; /* of every step, forward and backward, while profiling; else NULL */
    pith_plan *
        *lanes; /* [n_lanes] plans of one sample that do the work (lanes.c); none: the steps above do */
    int n_lanes;
};

/* Times: forward of step s is s, its backward 2*n_steps-1-s; -1 is before, 2*n_steps after the run. */
static inline int pithp_time_back(const pith_plan *p, int step) { return 2 * p->n_steps - 1 - step; }
static inline int pithp_time_end(const pith_plan *p) { return 2 * p->n_steps; }

/* plan.c calls these, in this order; each records its error. */
pith_status pithp_plan_collect(pith_plan *p, pith_tensor *const *targets, int n); /* values, steps, fusion */
void pithp_run_timed(void (*fn)(const pith_call *), const pith_call *k, double *best); /* lowers *best */
void pithp_plan_raw(pith_plan *p);                                  /* which values stay raw */
const pithp_raw_rule *pithp_raw_rule_of(const pith_op *op);         /* NULL: none */
pith_status pithp_plan_infer(pith_plan *p, int64_t n);              /* shapes for n samples */
pith_status pithp_plan_autograd(pith_plan *p);                      /* who needs a gradient, who writes it */
pith_status pithp_plan_layout(pith_plan *p);                        /* lifetimes, blocks, the arena */
pith_status pithp_plan_bind(pith_plan *p, int64_t n);               /* pointers and shapes into the calls */
int pithp_plan_block(pith_plan *p, size_t bytes, int from, int to); /* -1: no memory */
void *pithp_plan_data(const pith_plan *p, int v);                   /* of value v */
void pithp_steps_forward(pith_plan *p, uint64_t step);              /* every step of a bound plan */

/* lanes.c. make: p has steps and shapes; n_lanes stays 0 where lanes cannot be, or would not pay. */
pith_status pithp_lanes_make(pith_plan *p, pith_tensor *const *targets, int n_targets);
void pithp_lanes_forward(pith_plan *p, int64_t n, uint64_t step);
const char *pithp_lanes_nonfinite(pith_plan *p);
size_t pithp_lanes_bytes(const pith_plan *p);
void pithp_lanes_free(pith_plan *p);
pith_plan *pithp_plan_lane(pith_tensor *const *targets, int n_targets,
                           pith_plan_cfg cfg); /* of one thread, owned by the caller */
void pithp_plan_release(pith_plan *p);         /* NULL is allowed */

#endif
