/* base/shape.c: shapes and element types. */
#include "base/base.h"

int64_t pithp_count(pith_shape s)
{
    int64_t n = 1;
    for (int i = 0; i < s.ndim; i++)
        n *= s.d[i];
    return n;
}

bool pithp_count_ok(pith_shape s, int64_t *count)
{
    const int64_t most = (int64_t)1 << 40;
    if (s.ndim < 0 || s.ndim > PITH_MAX_DIMS)
        return false;
    int64_t n = 1;
    for (int i = 0; i < s.ndim; i++) {
        if (s.d[i] <= 0 || s.d[i] > most / n)
            return false;
        n *= s.d[i];
    }
    if (count)
        *count = n;
    return true;
}

bool pithp_shape_eq(pith_shape a, pith_shape b)
{
    if (a.ndim != b.ndim)
        return false;
    for (int i = 0; i < a.ndim; i++)
        if (a.d[i] != b.d[i])
            return false;
    return true;
}

const char *pithp_shape_text(pith_shape s, char buf[96])
{
    const size_t size = 96;
    size_t at = (size_t)snprintf(buf, size, "[");
    for (int i = 0; i < s.ndim && i < PITH_MAX_DIMS && at < size; i++)
        at += (size_t)snprintf(buf + at, size - at, i ? ",%lld" : "%lld", (long long)s.d[i]);
    if (at < size)
        snprintf(buf + at, size - at, "]");
    return buf;
}

size_t pithp_dtype_size(pith_dtype t)
{
    switch (t) {
    case PITH_F32: return sizeof(pith_real);
    case PITH_I32: return 4;
    case PITH_U8: return 1;
    case PITH_I8: return 1;
    }
    return 0;
}

const char *pithp_dtype_name(pith_dtype t)
{
    switch (t) {
    case PITH_F32: return "f32";
    case PITH_I32: return "i32";
    case PITH_U8: return "u8";
    case PITH_I8: return "i8";
    }
    return "unknown type";
}
