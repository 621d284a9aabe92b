/* Which values of a training plan are never stored: batch norm and the activation are applied when the next step loads
   its input. That saves writing the normalised activation and reading it twice, a third of all passes over memory. */
#include "graph/graph.h"

const pithp_raw_rule *pithp_raw_rule_of(const pith_op *op)
{
    for (size_t i = 0; i < pithp_raw_rules_n; i++)
        if (pithp_raw_rules[i].op == op || pithp_raw_rules[i].raw == op)
            return &pithp_raw_rules[i];
    return NULL;
}

static void shapes_of(const pith_plan *p, const pithp_step *s, pith_shape shapes[PITH_OP_MAX_IN])
{
    for (int i = 0; i < s->n_in; i++)
        shapes[i] = s->in[i] < 0 ? (pith_shape){ -1, { 0 } } : p->values[s->in[i]].shape;
}

/* True if the step reads value v at its loading operand and can load it raw. */
static bool loads(const pith_plan *p, const pithp_step *s, int v)
{
    const pithp_raw_rule *r = pithp_raw_rule_of(s->op);
    pith_shape shapes[PITH_OP_MAX_IN];
    if (r == NULL || r->operand < 0 || s->in[r->operand] != v)
        return false;
    shapes_of(p, s, shapes);
    return r->loads(s->attr, shapes);
}

static bool may_stay_raw(const pith_plan *p, const pithp_step *s)
{
    const pithp_raw_rule *r = pithp_raw_rule_of(s->op);
    const pithp_value *out = &p->values[s->out];
    pith_shape shapes[PITH_OP_MAX_IN];
    if (r == NULL || r->raw == NULL || out->target || out->uses != 1)
        return false;
    shapes_of(p, s, shapes);
    if (!r->leaves(s->attr, shapes))
        return false;
    for (const pithp_step *next = s + 1; next < p->steps + p->n_steps; next++)
        if (loads(p, next, s->out))
            return true;
    return false;
}

void pithp_plan_raw(pith_plan *p)
{
    for (int i = 0; i < p->n_steps; i++) {
        pithp_step *s = &p->steps[i];
        if (!may_stay_raw(p, s))
            continue;
        p->values[s->out].raw = true;
        s->op = pithp_raw_rule_of(s->op)->raw;
    }
}
