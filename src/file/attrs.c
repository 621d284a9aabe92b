/* file/attrs.c: attributes of ops as JSON, by their tables of fields.
   Reals are written with 17 digits, which give back the same double; JSON has no word for infinities, so they
   are strings. */
#include "file/graph_json.h"
#include <limits.h>
#include <math.h>
#include <string.h>

json_t *pithp_shape_to_json(pith_shape s)
{
    json_t *j = s.ndim < 0 || s.ndim > PITH_MAX_DIMS ? NULL : json_array();
    for (int i = 0; j && i < s.ndim; i++)
        if (json_array_append_new(j, json_integer(s.d[i]))) {
            json_decref(j);
            return NULL;
        }
    return j;
}

bool pithp_shape_from_json(const json_t *j, pith_shape *s)
{
    size_t n = json_array_size(j);
    if (!json_is_array(j) || n > PITH_MAX_DIMS)
        return false;
    *s = (pith_shape){ .ndim = (int)n };
    for (size_t i = 0; i < n; i++) {
        const json_t *d = json_array_get(j, i);
        if (!json_is_integer(d))
            return false;
        s->d[i] = json_integer_value(d);
    }
    return true;
}

static json_t *real_to_json(double v)
{
    if (isfinite(v))
        return json_real(v);
    return json_string(isnan(v) ? "nan" : v > 0 ? "inf" : "-inf");
}

static bool real_from_json(const json_t *j, double *v)
{
    const char *word = json_string_value(j);
    if (!word) {
        *v = json_number_value(j);
        return json_is_number(j);
    }
    *v = !strcmp(word, "inf") ? (double)INFINITY : !strcmp(word, "-inf") ? -(double)INFINITY : (double)NAN;
    return !isnan(*v) || !strcmp(word, "nan");
}

static size_t size_of(pith_attr_kind kind)
{
    switch (kind) {
    case PITH_ATTR_INT: return sizeof(int);
    case PITH_ATTR_INT64: return sizeof(int64_t);
    case PITH_ATTR_REAL: return sizeof(double);
    case PITH_ATTR_BOOL: return sizeof(bool);
    case PITH_ATTR_SHAPE: return sizeof(pith_shape);
    }
    return SIZE_MAX;
}

bool pithp_attr_table_ok(const pith_op *op)
{
    if (!op->fields)
        return op->attr_size == 0;
    for (const pith_attr_field *f = op->fields; f->name; f++)
        if (size_of(f->kind) > op->attr_size || f->offset > op->attr_size - size_of(f->kind))
            return false;
    return true;
}

static json_t *field_to_json(const pith_attr_field *f, const void *attr)
{
    const void *at = (const char *)attr + f->offset;
    switch (f->kind) {
    case PITH_ATTR_INT: return json_integer(*(const int *)at);
    case PITH_ATTR_INT64: return json_integer(*(const int64_t *)at);
    case PITH_ATTR_REAL: return real_to_json(*(const double *)at);
    case PITH_ATTR_BOOL: return json_boolean(*(const bool *)at);
    case PITH_ATTR_SHAPE: return pithp_shape_to_json(*(const pith_shape *)at);
    }
    return NULL;
}

json_t *pithp_attr_to_json(const pith_op *op, const void *attr, const char **bad)
{
    json_t *j = json_object();
    *bad = NULL;
    for (const pith_attr_field *f = op->fields; j && f && f->name; f++)
        if (json_object_set_new(j, f->name, field_to_json(f, attr))) {
            *bad = f->name;
            json_decref(j);
            return NULL;
        }
    return j;
}

/* NULL, or what was expected instead. */
static const char *field_from_json(const pith_attr_field *f, const json_t *j, void *attr)
{
    void *at = (char *)attr + f->offset;
    json_int_t v = json_integer_value(j);
    switch (f->kind) {
    case PITH_ATTR_INT:
        if (!json_is_integer(j) || v < INT_MIN || v > INT_MAX)
            return "a whole number of 32 bits";
        *(int *)at = (int)v;
        return NULL;
    case PITH_ATTR_INT64: *(int64_t *)at = v; return json_is_integer(j) ? NULL : "a whole number";
    case PITH_ATTR_REAL: return real_from_json(j, at) ? NULL : "a number, \"inf\", \"-inf\" or \"nan\"";
    case PITH_ATTR_BOOL: *(bool *)at = json_is_true(j); return json_is_boolean(j) ? NULL : "true or false";
    case PITH_ATTR_SHAPE: return pithp_shape_from_json(j, at) ? NULL : "a list of at most 6 whole numbers";
    }
    return "a kind of attribute that this version knows";
}

bool pithp_attr_from_json(const pith_op *op, const json_t *j, void *attr, char why[200])
{
    const size_t room = 200;
    char show[PITHP_SHOW];
    size_t n = 0;
    for (const pith_attr_field *f = op->fields; f && f->name; f++, n++) {
        const json_t *value = json_object_get(j, f->name);
        const char *wanted = value ? field_from_json(f, value, attr) : "it";
        if (wanted) {
            snprintf(why, room, "attribute '%.60s' is %s; expected %s", f->name,
                     value ? "unusable" : "missing", wanted);
            return false;
        }
    }
    if (json_object_size(j) == n)
        return true;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)j, key, value)
    {
        const pith_attr_field *f = op->fields;
        while (f && f->name && strcmp(f->name, key))
            f++;
        if (!f || !f->name) {
            snprintf(why, room, "attribute '%s' is not one of op '%.60s'", pithp_show(key, show), op->name);
            break;
        }
    }
    return false;
}
