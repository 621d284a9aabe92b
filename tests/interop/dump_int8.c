/* dump_int8 DIR OUTPUTS [KIND]: random cases of each integer op, at least OUTPUTS results of each, for other runtimes to
   repeat: DIR/cases.jsonl, a line a case, and DIR/data.bin with all bytes. tests/interop/check_int8.py reads them. */
#include "int8_cases.h"
#include <stdlib.h>
#include <string.h>

static FILE *text, *data;
static long at;

static long bytes(const void *p, size_t n)
{
    long here = at;
    if (n && fwrite(p, 1, n, data) != n)
        exit(1);
    at += (long)n;
    return here;
}

static void write_tensor(const pithp_qtensor *t, const void *value, int64_t n)
{
    size_t size = (size_t)(pithp_count(t->shape) * (value && !t->data ? n : 1)) * pithp_dtype_size(t->dtype);
    fprintf(text,
            "{\"name\":\"%s\",\"dtype\":\"%s\",\"const\":%s,\"axis\":%d,\"zero\":%d,\"data\":%ld,\"shape\":[",
            t->name, pithp_dtype_name(t->dtype), t->data ? "true" : "false", t->axis, t->zero,
            bytes(t->data ? t->data : value, size));
    for (int i = 0; i < t->shape.ndim; i++)
        fprintf(text, "%s%lld", i ? "," : "", (long long)t->shape.d[i]);
    fprintf(text, "],\"scale\":[");
    for (int i = 0; i < t->n_scale; i++)
        fprintf(text, "%s%.9g", i ? "," : "", (double)t->scale[i]);
    fprintf(text, "]}");
}

static void write_case(const int8_case *k, const char *kind)
{
    const pithp_qnode *n = k->g->nodes[0];
    const pithp_qattr *a = &n->attr;
    fprintf(text, "{\"kind\":\"%s\",\"op\":\"%s\",\"n\":%lld,\"in\":[", kind, n->op->name, (long long)k->n);
    for (int i = 0, free_in = 0; i < n->n_in; i++) {
        const pithp_qtensor *t = pithp_q_in(k->g, n, i);
        fprintf(text, "%s", i ? "," : "");
        write_tensor(t, t->data ? NULL : k->in[free_in], k->n);
        free_in += !t->data;
    }
    fprintf(text, "],\"out\":");
    write_tensor(pithp_q_out(k->g, n), k->out, k->n);
    fprintf(text,
            ",\"stride\":[%lld,%lld],\"dilation\":[%lld,%lld],\"kernel\":[%lld,%lld],\"pad\":[%lld,%lld,%lld,"
            "%lld,%lld,%lld]",
            (long long)a->stride[0], (long long)a->stride[1], (long long)a->dilation[0],
            (long long)a->dilation[1], (long long)a->kernel[0], (long long)a->kernel[1], (long long)a->pad[0],
            (long long)a->pad[1], (long long)a->pad[2], (long long)a->pad[3], (long long)a->pad[4],
            (long long)a->pad[5]);
    fprintf(text, ",\"act\":%d,\"axis\":%d,\"beta\":%.17g,\"keep_dims\":%s}\n", (int)a->act, a->axis, a->beta,
            a->keep_dims ? "true" : "false");
}

static FILE *open_in(const char *dir, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return fopen(path, "wb");
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .threads = 1 });
    text = open_in(argv[1], "cases.jsonl");
    data = open_in(argv[1], "data.bin");
    if (!c || !text || !data)
        return 1;
    size_t want = (size_t)strtoull(argv[2], NULL, 10);
    for (int kind = 0; kind < int8_kinds; kind++) {
        const char *name = int8_kind_name(kind);
        if (strstr(name, "_any") || !strcmp(name, "table") || (argc > 3 && strcmp(argv[3], name)))
            continue; /* what TFLite has no words for */
        size_t done = 0;
        for (uint32_t seed = 0; done < want; seed++) {
            int8_case k = int8_case_make(c, kind, seed, true);
            if (!k.g)
                return 1;
            write_case(&k, name);
            done += k.out_count;
            int8_case_free(&k);
        }
    }
    pith_ctx_free(c);
    return fclose(text) || fclose(data);
}
