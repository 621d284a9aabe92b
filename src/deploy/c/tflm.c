/* deploy/c/tflm.c: a .tflite as an array of C, as `xxd -i` writes it, for TensorFlow Lite Micro. */
#include "deploy/c/source.h"
#include "deploy/tflite/int8_emit.h"
#include <pith/export.h>
#include <unistd.h>

/* The .tflite is written beside, under a name that nobody else has, and read back. */
static pith_status tflite_bytes(pith_model *m, const char *path, pith_export_cfg cfg, pithp_text *t,
                                size_t *bytes)
{
    pith_ctx *c = m->ctx;
    char *beside = pithp_sprintf(c, "%s.%ld.tflite", path, (long)getpid());
    pithp_map map = { 0 };
    if (!beside)
        return PITH_ENOMEM;
    pith_status s = pith_export_tflite(m, beside, cfg);
    if (!s && !(s = pithp_map_open(c, &map, beside))) {
        pithp_text_numbers(t, map.p, map.n, 1, true);
        *bytes = map.n;
        pithp_map_close(&map);
        s = t->status;
    }
    unlink(beside);
    pithp_free(c, beside);
    return s;
}

static void put_array(pithp_text *t, const pithp_c_name *name, const pith_model *m, const char *numbers,
                      size_t bytes)
{
    pithp_text_printf(t, "/* The network ");
    pithp_text_name(t, pith_model_name(m));
    pithp_text_printf(
        t,
        " as a .tflite, for TensorFlow Lite Micro:\n"
        "       extern const unsigned char %s_tflite[];\n"
        "       const tflite::Model *model = tflite::GetModel(%s_tflite);\n"
        "   Written by pith " PITH_VERSION ". */\n"
        "#ifdef __cplusplus\n#define PITH_EXTERN extern \"C\"\n#else\n#define PITH_EXTERN extern\n#endif\n"
        "#if defined(__GNUC__)\n#define PITH_ALIGNED __attribute__((aligned(16)))\n"
        "#elif defined(__cplusplus)\n#define PITH_ALIGNED alignas(16)\n#else\n"
        "#define PITH_ALIGNED _Alignas(16)\n#endif\n"
        "PITH_EXTERN const unsigned char %s_tflite[%zu];\n"
        "PITH_EXTERN const unsigned int %s_tflite_len;\n\n"
        "PITH_ALIGNED const unsigned char %s_tflite[%zu] = {\n",
        name->id, name->id, name->id, bytes, name->id, name->id, bytes);
    pithp_text_put(t, numbers);
    pithp_text_printf(t, "};\nconst unsigned int %s_tflite_len = %zu;\n", name->id, bytes);
}

pith_status pith_export_tflm(pith_model *m, const char *path, pith_export_cfg cfg)
{
    pith_ctx *c = m->ctx;
    pithp_text numbers, text;
    pithp_c_name name;
    size_t bytes = 0;
    pith_status s = pithp_c_name_of(c, path, &name);
    if (s)
        return s;
    pithp_text_init(c, &numbers), pithp_text_init(c, &text);
    if (!(s = tflite_bytes(m, path, cfg, &numbers, &bytes))) {
        put_array(&text, &name, m, numbers.p, bytes);
        s = text.status ? text.status : pithp_file_write(c, path, text.p, text.n);
    }
    pithp_text_free(&numbers), pithp_text_free(&text);
    pithp_c_name_free(c, &name);
    return s;
}
