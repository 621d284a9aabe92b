/* file/foreign.c: timm's names and PyTorch's layouts.
   Source: github.com/huggingface/pytorch-image-models, timm/models/efficientnet.py and _efficientnet_blocks.py. */
#include "file/foreign.h"

#include <string.h>

/* ---- Names ------------------------------------------------------------------------------------------------------- */
/* Beginnings of names outside blocks, and of parts within them. A block that does not expand has one batch norm less, so
   what follows counts from a smaller number, and its last convolution is called conv_pw. */
typedef struct {
    const char *here, *expanding, *plain;
} part;

static const part outside[] = { { "stem.conv.", "conv_stem.", NULL },
                                { "stem.bn.", "bn1.", NULL },
                                { "head.conv.", "conv_head.", NULL },
                                { "head.bn.", "bn2.", NULL } };

static const part inside[] = { { "expand.conv.", "conv_pw.", NULL },
                               { "expand.bn.", "bn1.", NULL },
                               { "dw.conv.", "conv_dw.", "conv_dw." },
                               { "dw.bn.", "bn2.", "bn1." },
                               { "se.reduce.", "se.conv_reduce.", "se.conv_reduce." },
                               { "se.expand.", "se.conv_expand.", "se.conv_expand." },
                               { "project.conv.", "conv_pwl.", "conv_pw." },
                               { "project.bn.", "bn3.", "bn2." },
                               { "pw.conv.", NULL, "conv_pw." },
                               { "pw.bn.", NULL, "bn2." } };

static const part *find_part(const part *table, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strncmp(name, table[i].here, strlen(table[i].here)) == 0)
            return &table[i];
    return NULL;
}

/* Length of "blocks.S.I." at the beginning of name; 0: it does not begin so. */
static size_t block_prefix(const char *name)
{
    size_t n = strlen("blocks.");
    if (strncmp(name, "blocks.", n) != 0)
        return 0;
    for (int i = 0; i < 2; i++) {
        size_t digits = strspn(name + n, "0123456789");
        if (digits == 0 || name[n + digits] != '.')
            return 0;
        n += digits + 1;
    }
    return n;
}

static void name_of(const pith_model *m, const char *name, char out[PITHP_FOREIGN_NAME])
{
    char probe[PITHP_FOREIGN_NAME];
    size_t prefix = block_prefix(name);
    const part *p = prefix ? find_part(inside, PITHP_LEN(inside), name + prefix)
                           : find_part(outside, PITHP_LEN(outside), name);
    const char *to = p ? p->expanding : NULL;
    if (prefix) {
        snprintf(probe, sizeof probe, "%.*sexpand.conv.weight", (int)prefix, name);
        if (p && pithp_graph_find(m->g, probe) == NULL)
            to = p->plain;
    }
    if (to) /* else it keeps its own name */
        snprintf(out, PITHP_FOREIGN_NAME, "%.*s%s%s", (int)prefix, name, to, name + prefix + strlen(p->here));
    else
        snprintf(out, PITHP_FOREIGN_NAME, "%s", name);
}

/* ---- Layouts ----------------------------------------------------------------------------------------------------- */
/* Ops whose second operand PyTorch lays out in another way. */
static const struct {
    const char *op;
    bool depthwise;
} convolutions[] = { { "conv2d", false }, { "depthwise_conv2d", true } };

static void layout_of(const pith_model *m, const uint8_t *marks, pithp_foreign *f)
{
    const pith_shape s = f->shape = f->t->shape;
    for (size_t id = 0; id < m->g->n; id++) {
        const pith_tensor *user = m->g->nodes[id];
        if (!marks[id] || user->kind != PITHP_NODE_OP || user->n_in < 2 || user->in[1] != f->t)
            continue;
        for (size_t i = 0; i < PITHP_LEN(convolutions); i++)
            if (strcmp(user->op->name, convolutions[i].op) == 0) {
                f->images = true;
                f->depthwise = convolutions[i].depthwise;
            }
    }
    if (f->images)
        f->shape =
            f->depthwise ? PITH_SHAPE(s.d[3], 1, s.d[1], s.d[2]) : PITH_SHAPE(s.d[0], s.d[3], s.d[1], s.d[2]);
}

/* here [a,r,s,c]; there, of a dense convolution [a,c,r,s], of a depthwise one (a = 1) [c,1,r,s]: the same order. */
static void permute(const pithp_foreign *f, const pith_real *src, pith_real *dst, bool reading)
{
    const int64_t *d = f->t->shape.d;
    int64_t inner = d[1] * d[2], c_n = d[3];
    for (int64_t a = 0; a < d[0]; a++)
        for (int64_t i = 0; i < inner; i++)
            for (int64_t c = 0; c < c_n; c++) {
                int64_t here = (a * inner + i) * c_n + c, there = (a * c_n + c) * inner + i;
                dst[reading ? here : there] = src[reading ? there : here];
            }
}

void pithp_foreign_read(const pithp_foreign *f, const pith_real *there, pith_real *here)
{
    if (f->images)
        permute(f, there, here, true);
    else
        memcpy(here, there, (size_t)pithp_count(f->shape) * sizeof *here);
}

void pithp_foreign_write(const pithp_foreign *f, const pith_real *here, pith_real *there)
{
    if (f->images)
        permute(f, here, there, false);
    else
        memcpy(there, here, (size_t)pithp_count(f->shape) * sizeof *there);
}

/* ---- The list ---------------------------------------------------------------------------------------------------- */
/* The last op with parameters: walking from the output along first operands. */
static const pith_tensor *last_layer(const pith_model *m)
{
    const pith_tensor *t = m->output;
    while (t && t->kind == PITHP_NODE_OP) {
        for (int i = 1; i < t->n_in; i++)
            if (t->in[i] && t->in[i]->kind == PITHP_NODE_PARAM)
                return t;
        t = t->n_in > 0 ? t->in[0] : NULL;
    }
    return NULL;
}

static bool operand_of(const pith_tensor *op, const pith_tensor *t)
{
    for (int i = 0; op && i < op->n_in; i++)
        if (op->in[i] == t)
            return true;
    return false;
}

pithp_foreign *pithp_foreign_list(const pith_model *m, size_t *n)
{
    static const char variance[] = ".running_var";
    uint8_t *marks = PITHP_NEW_N(m->ctx, uint8_t, m->g->n);
    pithp_foreign *list = PITHP_NEW_N(m->ctx, pithp_foreign, m->g->n + 1);
    const pith_tensor *last = last_layer(m);
    *n = 0;
    if (marks == NULL || list == NULL) {
        pithp_free(m->ctx, marks);
        pithp_free(m->ctx, list);
        return NULL;
    }
    pithp_model_mark(m, marks);
    for (size_t id = 0; id < m->g->n; id++) {
        const pith_tensor *t = m->g->nodes[id];
        if (!marks[id] || (t->kind != PITHP_NODE_PARAM && t->kind != PITHP_NODE_STATE))
            continue;
        pithp_foreign *f = &list[(*n)++];
        const char *name = t->name ? t->name : "";
        size_t length = strlen(name);
        *f = (pithp_foreign){ .t = t, .head = operand_of(last, t) };
        f->variance = length > strlen(variance) && strcmp(name + length - strlen(variance), variance) == 0;
        name_of(m, name, f->name);
        layout_of(m, marks, f);
    }
    pithp_free(m->ctx, marks);
    return list;
}
