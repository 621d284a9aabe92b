/* file/saved.c: which nodes of a model go into its file, and under which names. */
#include "file/graph_json.h"
#include <stdlib.h>
#include <string.h>

static bool has_values(const pith_tensor *t)
{
    return t->kind == PITHP_NODE_PARAM || t->kind == PITHP_NODE_STATE || t->kind == PITHP_NODE_DATA;
}

/* Names that would clash with a file's own or with those made up here are passed over. */
static bool fit_for_tensor(const char *name)
{
    return name && *name && strlen(name) <= PITHP_MAX_NAME && strcmp(name, "__metadata__") &&
           strncmp(name, "pith.", 5) && strncmp(name, "node.", 5);
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const pith_tensor *const *)a)->name, (*(const pith_tensor *const *)b)->name);
}

/* Gives every node with values the name it has, if no other has it too; then the others one by their
   number. */
static pith_status name_tensors(pithp_saved *s)
{
    const pith_tensor **named = pithp_alloc(s->c, s->n, sizeof *named);
    size_t n = 0;
    pith_status status = named ? PITH_OK : PITH_ENOMEM;
    for (size_t i = 0; !status && i < s->n; i++)
        if (has_values(s->nodes[i]) && fit_for_tensor(s->nodes[i]->name))
            named[n++] = s->nodes[i];
    if (n)
        qsort(named, n, sizeof *named, by_name);
    for (size_t i = 0; !status && i < n; i++) {
        bool doubled = (i > 0 && !strcmp(named[i]->name, named[i - 1]->name)) ||
                       (i + 1 < n && !strcmp(named[i]->name, named[i + 1]->name));
        if (!doubled && !(s->tensor[s->id[named[i]->id]] = pithp_strdup(s->c, named[i]->name)))
            status = PITH_ENOMEM;
    }
    for (size_t i = 0; !status && i < s->n; i++)
        if (has_values(s->nodes[i]) && !s->tensor[i] && !(s->tensor[i] = pithp_sprintf(s->c, "node.%zu", i)))
            status = PITH_ENOMEM;
    pithp_free(s->c, named);
    return status;
}

pith_status pithp_saved_init(pithp_saved *s, const pith_model *m)
{
    const pithp_graph *g = m->g;
    *s = (pithp_saved){ .c = m->ctx };
    uint8_t *marks = pithp_alloc(s->c, g->n, 1);
    if (!marks || !(s->nodes = pithp_alloc(s->c, g->n, sizeof *s->nodes)) ||
        !(s->id = PITHP_NEW_N(s->c, uint32_t, g->n)) || !(s->tensor = PITHP_NEW_N(s->c, char *, g->n))) {
        pithp_free(s->c, marks);
        return PITH_ENOMEM;
    }
    pithp_model_mark(m, marks);
    for (size_t i = 0; i < g->n; i++)
        if (marks[i]) {
            s->id[i] = s->n;
            s->nodes[s->n++] = g->nodes[i];
        }
    pithp_free(s->c, marks);
    return name_tensors(s);
}

void pithp_saved_free(pithp_saved *s)
{
    for (size_t i = 0; s->tensor && i < s->n; i++)
        pithp_free(s->c, s->tensor[i]);
    pithp_free(s->c, s->tensor);
    pithp_free(s->c, s->id);
    pithp_free(s->c, s->nodes);
    *s = (pithp_saved){ .c = s->c };
}
