/* deploy/c/source.c: header and source of an exported model. */
#include "deploy/c/source.h"
#include "file/json.h"
#include <string.h>

/* ---- Names ---- */
pith_status pithp_c_name_of(pith_ctx *c, const char *path, pithp_c_name *name)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path, *dot = strrchr(base, '.');
    size_t n = dot && dot != base ? (size_t)(dot - base) : strlen(base);
    bool digit = n && base[0] >= '0' && base[0] <= '9';
    name->id = pithp_sprintf(c, "%s%.*s", digit ? "m" : "", (int)PITHP_MIN(n, 200), base);
    name->macro = name->id ? pithp_strdup(c, name->id) : NULL;
    if (!name->macro) {
        pithp_c_name_free(c, name);
        return PITH_ENOMEM;
    }
    for (char *p = name->id, *q = name->macro; *p; p++, q++) {
        bool lower = *p >= 'a' && *p <= 'z', upper = *p >= 'A' && *p <= 'Z', number = *p >= '0' && *p <= '9';
        if (!lower && !upper && !number)
            *p = '_';
        *q = (char)(lower ? *p - 'a' + 'A' : *p);
    }
    return PITH_OK;
}

void pithp_c_name_free(pith_ctx *c, pithp_c_name *name)
{
    pithp_free(c, name->id), pithp_free(c, name->macro);
    *name = (pithp_c_name){ 0 };
}

/* ---- The header ---- */
static void put_shape(pithp_text *t, const char *what, const pithp_c_name *name, const pithp_qtensor *x)
{
    char shape[96];
    pithp_text_printf(t,
                      "\n/* %s: int8 %s; the number q stands for SCALE * (q - ZERO). */\n"
                      "#define %s_%s_SIZE %lld\n#define %s_%s_SCALE %.9gf\n#define %s_%s_ZERO (%d)\n",
                      what, pithp_shape_text(x->shape, shape), name->macro, what,
                      (long long)pithp_count(x->shape), name->macro, what, (double)x->scale[0], name->macro,
                      what, x->zero);
}

/* Names of classes as strings of C: NAME_CLASS_NAMES, empty where the model has none that fit its output. */
static void put_classes(const pithp_c_emit *e, const char *json, const pithp_c_name *name, pithp_text *t)
{
    int64_t outputs = pithp_count(pithp_q_tensor(e->g, e->g->outputs[0])->shape);
    json_t *list = NULL;
    if (!json || t->status)
        return;
    t->status = pithp_json_parse(t->c, "the model's \"classes\"", json, strlen(json), &list);
    bool fit = !t->status && json_is_array(list) && (int64_t)json_array_size(list) == outputs;
    for (size_t i = 0; fit && i < json_array_size(list); i++)
        fit = json_is_string(json_array_get(list, i));
    if (fit)
        pithp_text_printf(t, "/* One a class, in the order of the output. */\n#define %s_CLASS_NAMES",
                          name->macro);
    for (size_t i = 0; fit && i < json_array_size(list); i++) {
        pithp_text_put(t, i ? ", " : " ");
        pithp_text_string(t, json_string_value(json_array_get(list, i)));
    }
    if (fit)
        pithp_text_put(t, "\n");
    json_decref(list);
}

static size_t ram_of(const pithp_c_emit *e) { return e->ram + e->ram_weights; }

static void put_sizes(const pithp_c_emit *e, const pithp_c_name *name, pithp_text *t)
{
    pithp_text_printf(t, "#define %s_FLASH_BYTES %zu\n#define %s_RAM_BYTES %zu\n#define %s_ARENA_BYTES %zu\n",
                      name->macro, e->flash, name->macro, ram_of(e), name->macro, e->ram);
}

static void put_needs(const pithp_c_emit *e, const pithp_c_emit *cmsis, const pithp_c_name *name,
                      pithp_text *t)
{
    char told[80] = "";
    if (e->ram_weights)
        snprintf(told, sizeof told, ", of which %zu of weights, which are packed in flash", e->ram_weights);
    pithp_text_printf(t,
                      " in int8. Written by pith " PITH_VERSION ".\n"
                      "   flash  %zu bytes of constants (exact), and the kernels' code\n"
                      "   RAM    %zu bytes (exact)%s, and the stack\n"
                      "   work   %lld multiply-adds a run",
                      e->flash, ram_of(e), told, (long long)pithp_q_macs(e->g));
    if (cmsis)
        pithp_text_printf(
            t,
            "\n   -D%s_CMSIS_NN, for the source and for what includes this: with Arm's CMSIS-NN, the "
            "same bytes;\n   flash %zu, RAM %zu bytes",
            name->macro, cmsis->flash, ram_of(cmsis));
    pithp_text_printf(
        t,
        " */\n#ifndef %s_H\n#define %s_H\n\n#include <stdint.h>\n\n#ifdef __cplusplus\nextern \"C\" "
        "{\n#endif\n\n",
        name->macro, name->macro);
    if (cmsis) {
        pithp_text_printf(t, "#if defined(%s_CMSIS_NN)\n", name->macro);
        put_sizes(cmsis, name, t);
        pithp_text_put(t, "#else\n");
    }
    put_sizes(e, name, t);
    if (cmsis)
        pithp_text_put(t, "#endif\n");
    pithp_text_printf(t, "#define %s_MACS %lldLL\n", name->macro, (long long)pithp_q_macs(e->g));
}

void pithp_c_header(const pithp_c_emit *e, const pithp_c_emit *cmsis, const pith_model *m,
                    const pithp_c_name *name, pithp_text *t)
{
    const pithp_qgraph *g = e->g;
    const char *classes = m ? pith_model_meta(m, "classes") : NULL;
    const pithp_qtensor *x = pithp_q_tensor(g, g->inputs[0]);
    pithp_text_printf(t, "/* %s.h: the network ", name->id);
    pithp_text_name(t, g->name);
    put_needs(e, cmsis, name, t);
    put_shape(t, "INPUT", name, x);
    if (x->shape.ndim == 4)
        pithp_text_printf(t, "#define %s_INPUT_H %lld\n#define %s_INPUT_W %lld\n#define %s_INPUT_C %lld\n",
                          name->macro, (long long)x->shape.d[1], name->macro, (long long)x->shape.d[2],
                          name->macro, (long long)x->shape.d[3]);
    if (x->scale[0] == 1.0f / 128 && x->zero == 0)
        pithp_text_put(t, "/* Of an image with pixels of 0 to 255: the pixel minus 128. */\n");
    put_shape(t, "OUTPUT", name, pithp_q_tensor(g, g->outputs[0]));
    put_classes(e, classes, name, t);
    pithp_text_printf(
        t,
        "\n/* Runs the network: in [%s_INPUT_SIZE], out [%s_OUTPUT_SIZE]. 0: done; -1: in or "
        "out is NULL%s. Not\n"
        "   reentrant: the arena is one. */\n"
        "int %s_run(const int8_t *in, int8_t *out);\n"
        "/* The input's place in the arena: what is written here need not be copied, and takes "
        "no memory elsewhere.\n"
        "   A run overwrites it. */\n"
        "int8_t *%s_input(void);\n"
        "/* Fills in [%s_INPUT_SIZE] with the input whose output is known, runs it and "
        "compares. 0: the same bytes; else\n"
        "   how many differ. Only with -D%s_SELFTEST, which also adds a main(). */\n"
        "int %s_selftest(void);\n\n#ifdef __cplusplus\n}\n#endif\n#endif\n",
        name->macro, name->macro,
        cmsis ? "; -2: CMSIS-NN refuses, or wants more\n   memory than the version this was written for" : "",
        name->id, name->id, name->macro, name->macro, name->id);
}

/* ---- The source ---- */
static bool in_flash(const pithp_c_emit *e, size_t i) { return !e->packed || e->consts[i].kind != 'w'; }

static void put_constants(const pithp_c_emit *e, const pithp_c_name *name, pithp_text *t)
{
    if (!e->n_consts)
        return;
    pithp_text_put(
        t, "\n/* ---- Constants: biases, factors, weights in the order they are read, tables ---- */\n"
           "static const struct {\n");
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < e->n_consts; i++)
            if ((e->consts[i].size == 4) == !pass && in_flash(e, i))
                pithp_text_printf(t, "    %s %c_%d[%zu];\n", pass ? "int8_t" : "int32_t", e->consts[i].kind,
                                  e->consts[i].node, e->consts[i].count);
    pithp_text_put(t, "} W = {\n");
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < e->n_consts && !t->status; i++) {
            const pithp_c_const *k = &e->consts[i];
            if ((k->size == 4) != !pass || !in_flash(e, i))
                continue;
            pithp_text_printf(t, "/* %c_%d */ {\n", k->kind, k->node);
            pithp_text_numbers(t, k->data, k->count, k->size, false);
            pithp_text_put(t, "},\n");
        }
    pithp_text_printf(t, "};\ntypedef char %s_flash_is_as_told[sizeof W == %s_FLASH_BYTES ? 1 : -1];\n",
                      name->id, name->macro);
}

static void put_kernels(const pithp_c_emit *e, pithp_text *t)
{
    if (!e->hard)
        pithp_text_put(t, "\n#define PITH_EASY 1\n");
    for (int i = 0; i < PITHP_C_KERNELS; i++)
        if (e->uses >> i & 1) {
            pithp_text_put(t, "\n");
            pithp_text_put(t, pithp_c_kernels[i]);
        }
}

static void put_run(const pithp_c_emit *e, const pithp_c_name *name, pithp_text *t)
{
    const pithp_qgraph *g = e->g;
    size_t in = e->offset[g->inputs[0]], out = e->offset[g->outputs[0]];
    pithp_text_printf(t,
                      "\n/* ---- The network ---- */\n"
                      "static union {\n    int32_t aligned;\n    int8_t bytes[%s_ARENA_BYTES];\n} arena;\n"
                      "#define A arena.bytes\n\n"
                      "int8_t *%s_input(void) { return A + %zu; }\n\n"
                      "int %s_run(const int8_t *in, int8_t *out)\n{\n"
                      "    if (!in || !out)\n        return -1;\n%s%s%s"
                      "    if (in != A + %zu)\n        copy(in, A + %zu, %s_INPUT_SIZE);\n",
                      name->macro, name->id, in, name->id,
                      e->ram_weights ? "    if (!unpacked)\n        " : "", e->ram_weights ? name->id : "",
                      e->ram_weights ? "_unpack();\n" : "", in, in, name->macro);
    pithp_text_put(t, e->body.p ? e->body.p : "");
    pithp_text_printf(t, "    copy(A + %zu, out, %s_OUTPUT_SIZE);\n    return 0;\n}\n", out, name->macro);
}

/* The same generator stands in the source. */
void pithp_c_golden_input(int8_t *x, size_t n)
{
    uint32_t state = 1;
    for (size_t i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        x[i] = (int8_t)((int)(state >> 24) - 128);
    }
}

static void put_selftest(const pithp_c_emit *e, const pithp_c_name *name, const int8_t *golden, pithp_text *t)
{
    const pithp_qgraph *g = e->g;
    pithp_text_printf(t,
                      "\n/* ---- The self-test: an input and the output that pith's engine gives ---- */\n"
                      "#if defined(%s_SELFTEST)\n"
                      "static const int8_t golden[%s_OUTPUT_SIZE] = {\n",
                      name->macro, name->macro);
    pithp_text_numbers(t, golden, (size_t)pithp_count(pithp_q_tensor(g, g->outputs[0])->shape), 1, false);
    pithp_text_printf(
        t,
        "};\n\nint %s_selftest(void)\n{\n"
        "    static int8_t out[%s_OUTPUT_SIZE];\n    int8_t *in = %s_input();\n"
        "    uint32_t state = 1;\n    int32_t i;\n    int differ = 0;\n"
        "    for (i = 0; i < %s_INPUT_SIZE; i++) {\n"
        "        state = (state * UINT32_C(1664525) + UINT32_C(1013904223)) & UINT32_C(0xffffffff);\n"
        "        in[i] = (int8_t)((int32_t)(state >> 24) - 128);\n    }\n"
        "    if (%s_run(in, out))\n        return -1;\n"
        "    for (i = 0; i < %s_OUTPUT_SIZE; i++)\n        differ += out[i] != golden[i];\n"
        "    return differ;\n}\n\nint main(void) { return %s_selftest() != 0; }\n#endif\n",
        name->id, name->macro, name->id, name->macro, name->id, name->macro, name->id);
}

static void put_network(const pithp_c_emit *e, const pithp_c_name *name, pithp_text *t)
{
    put_constants(e, name, t);
    put_kernels(e, t);
    pithp_c_put_unpack(e, name->id, t);
    put_run(e, name, t);
}

void pithp_c_source(const pithp_c_emit *e, const pithp_c_emit *cmsis, const pithp_c_name *name,
                    const int8_t *golden, pithp_text *t)
{
    pithp_text_printf(t, "/* %s.c: the network ", name->id);
    pithp_text_name(t, e->g->name);
    pithp_text_printf(t,
                      " in int8: C99, no floating point, no allocation, no library.\n"
                      "   %s.h has its interface and what it needs. Written by pith " PITH_VERSION ". */\n"
                      "#include \"%s.h\"\n",
                      name->id, name->id);
    if (cmsis) {
        pithp_text_printf(t, "\n#if defined(%s_CMSIS_NN)\n", name->macro);
        put_network(cmsis, name, t);
        pithp_text_put(t, "\n#else\n");
    }
    put_network(e, name, t);
    if (cmsis)
        pithp_text_put(t, "\n#endif\n");
    put_selftest(e, name, golden, t);
}
