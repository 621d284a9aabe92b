/* Taps: results inside a network by the names of its layers. A layer is made of several nodes, and a block of several layers; what
   is meant is what leaves it. */
#include "graph/tap.h"

#include <string.h>

void pithp_model_reach(const pith_model *m, uint8_t *reach)
{
    pithp_model_mark(m, reach);
    for (size_t id = 0; id < m->g->n; id++) {
        const pith_tensor *t = m->g->nodes[id];
        bool fed = t == m->input;
        for (int i = 0; i < t->n_in && reach[id]; i++)
            fed = fed || (t->in[i] != NULL && reach[t->in[i]->id]);
        reach[id] = reach[id] && fed;
    }
}

/* t lies in the layer or block `name`. */
static bool inside(const pith_tensor *t, const char *name, size_t n)
{
    return t->name != NULL && strncmp(t->name, name, n) == 0 && (t->name[n] == 0 || t->name[n] == '.');
}

/* Levenshtein's distance; long texts are cut. */
static int distance(const char *a, size_t n_a, const char *b)
{
    enum { MOST = 96 };
    int row[MOST + 1] = { 0 }, n = (int)PITHP_MIN(strlen(b), (size_t)MOST);
    for (int j = 0; j <= n; j++)
        row[j] = j;
    for (int i = 0; i < (int)PITHP_MIN(n_a, (size_t)MOST); i++) {
        int before = row[0]++;
        for (int j = 0; j < n; j++) {
            int change = before + (a[i] != b[j]), step = PITHP_MIN(row[j], row[j + 1]) + 1;
            before = row[j + 1];
            row[j + 1] = PITHP_MIN(change, step);
        }
    }
    return row[n];
}

/* ---- The names that were perhaps meant ---- */
enum { NEAR = 4 };
typedef struct {
    const char *name[NEAR];
    int length[NEAR], distance[NEAR], n;
} nearest;

static bool known(const nearest *k, const char *name, int length)
{
    for (int i = 0; i < k->n; i++)
        if (k->length[i] == length && strncmp(k->name[i], name, (size_t)length) == 0)
            return true;
    return false;
}

static void consider(nearest *k, const char *name, int length, const char *wanted)
{
    int d = distance(name, (size_t)length, wanted), at = k->n;
    if (known(k, name, length))
        return;
    while (at > 0 && k->distance[at - 1] > d)
        at--;
    if (at == NEAR)
        return;
    k->n = PITHP_MIN(k->n + 1, (int)NEAR);
    for (int i = k->n - 1; i > at; i--) {
        k->name[i] = k->name[i - 1];
        k->length[i] = k->length[i - 1];
        k->distance[i] = k->distance[i - 1];
    }
    k->name[at] = name;
    k->length[at] = length;
    k->distance[at] = d;
}

static void not_there(const pith_model *m, const uint8_t *reach, const char *name)
{
    nearest k = { .n = 0 };
    char text[512] = "";
    for (size_t id = 0; id < m->g->n; id++) {
        const char *has = m->g->nodes[id]->name;
        for (int i = 0; reach[id] && m->g->nodes[id] != m->input && has != NULL && i <= (int)strlen(has); i++)
            if (has[i] == '.' || has[i] == 0)
                consider(&k, has, i, name);
    }
    for (int i = 0; i < k.n; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s'%.*s'", i == 0 ? "" : ", ",
                 PITHP_MIN(k.length[i], 96), k.name[i]);
    pithp_error(
        m->ctx, PITH_ENOTFOUND,
        "tap: model '%s' has no layer or block '%.96s'; the nearest names are %s ('pith info' lists all)",
        m->name, name, k.n > 0 ? text : "none: its nodes have no names");
}

pith_tensor *pith_tap(pith_model *m, const char *name)
{
    if (m == NULL || m->ctx->status)
        return NULL;
    if (name == NULL || name[0] == 0) {
        pithp_error(m->ctx, PITH_EINVAL, "tap: the name of a layer or block is expected, as 'blocks.2'");
        return NULL;
    }
    uint8_t *reach = PITHP_NEW_N(m->ctx, uint8_t, m->g->n);
    pith_tensor *found = NULL;
    if (reach == NULL)
        return NULL;
    pithp_model_reach(m, reach);
    for (size_t id = 0; id < m->g->n; id++) {
        pith_tensor *t = m->g->nodes[id];
        if (reach[id] && t->kind == PITHP_NODE_OP && inside(t, name, strlen(name)))
            found = t;
    }
    if (found == NULL)
        not_there(m, reach, name);
    pithp_free(m->ctx, reach);
    return found;
}
