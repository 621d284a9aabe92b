/* deploy/c/harness.c: the functions that MLPerf Tiny's benchmark asks of a submitter (mlcommons/tiny, benchmark/api), around an
   exported network. */
#include "deploy/c/source.h"

/* Pixels come as bytes of 0 to 255, other inputs as the int8 that the network takes. */
static void put_network(pithp_text *t, const pithp_c_name *name, bool pixels)
{
    const char *id = name->id, *m = name->macro;
    pithp_text_printf(
        t,
        "static int8_t result[%s_OUTPUT_SIZE];\n\n"
        "void th_load_tensor() {\n"
        "  int8_t *in = %s_input();\n"
        "  size_t n = ee_get_buffer(reinterpret_cast<uint8_t *>(in), %s_INPUT_SIZE);\n"
        "  if (n != %s_INPUT_SIZE) {\n"
        "    th_printf(\"Input db has %%d elements, expected %%d\\n\", (int)n, (int)%s_INPUT_SIZE);\n"
        "    return;\n  }\n",
        m, id, m, m, m);
    if (pixels)
        pithp_text_put(t, "  for (size_t i = 0; i < n; i++) in[i] = (int8_t)((int)(uint8_t)in[i] - 128);\n");
    pithp_text_printf(
        t,
        "  std::memcpy(input, in, n);\n"
        "}\n\n"
        "void th_infer() { %s_run(input, result); }\n\n"
        "void th_results() {\n"
        "  th_printf(\"m-results-[\");\n"
        "  for (int i = 0; i < %s_OUTPUT_SIZE; i++)\n"
        "    th_printf(\"%%s%%0.3f\", i ? \",\" : \"\", (double)(%s_OUTPUT_SCALE * (float)(result[i] - "
        "%s_OUTPUT_ZERO)));\n"
        "  th_printf(\"]\\r\\n\");\n"
        "}\n\n",
        id, m, m, m);
}

static const char rest[] =
    "/* ---- The board: define TH_MICROSECONDS, TH_GETCHAR and TH_SETUP for yours ---- */\n"
    "#ifndef TH_MICROSECONDS\n"
    "#include <ctime>\n"
    "#define TH_MICROSECONDS() ((unsigned long)(1e6 * (double)std::clock() / CLOCKS_PER_SEC))\n"
    "#endif\n"
    "#ifndef TH_GETCHAR\n"
    "#define TH_GETCHAR() std::getchar()\n"
    "#endif\n"
    "#ifndef TH_SETUP\n"
    "#define TH_SETUP() ((void)0)\n"
    "#endif\n\n"
    "void th_timestamp(void) { th_printf(EE_MSG_TIMESTAMP, TH_MICROSECONDS()); }\n"
    "void th_timestamp_initialize(void) {\n"
    "  th_printf(EE_MSG_TIMESTAMP_MODE);\n"
    "  th_timestamp();\n"
    "}\n"
    "char th_getchar() { return (char)TH_GETCHAR(); }\n"
    "void th_serialport_initialize(void) { TH_SETUP(); }\n"
    "void th_final_initialize(void) {}\n"
    "void th_pre() {}\n"
    "void th_post() {}\n"
    "void th_command_ready(char volatile *msg) { ee_serial_command_parser_callback((char *)msg); }\n\n"
    "int th_vprintf(const char *format, va_list ap) { return std::vprintf(format, ap); }\n"
    "void th_printf(const char *fmt, ...) {\n"
    "  va_list ap;\n"
    "  va_start(ap, fmt);\n"
    "  th_vprintf(fmt, ap);\n"
    "  va_end(ap);\n"
    "}\n"
    "int th_strncmp(const char *a, const char *b, size_t n) { return std::strncmp(a, b, n); }\n"
    "char *th_strncpy(char *to, const char *from, size_t n) { return std::strncpy(to, from, n); }\n"
    "size_t th_strnlen(const char *s, size_t n) {\n"
    "  size_t i = 0;\n"
    "  while (i < n && s[i]) i++;\n"
    "  return i;\n"
    "}\n"
    "char *th_strcat(char *to, const char *from) { return std::strcat(to, from); }\n"
    "char *th_strtok(char *s, const char *sep) { return std::strtok(s, sep); }\n"
    "int th_atoi(const char *s) { return std::atoi(s); }\n"
    "void *th_memset(void *p, int c, size_t n) { return std::memset(p, c, n); }\n"
    "void *th_memcpy(void *to, const void *from, size_t n) { return std::memcpy(to, from, n); }\n";

void pithp_c_harness(const pithp_c_emit *e, const pithp_c_name *name, pithp_text *t)
{
    const pithp_qtensor *x = pithp_q_tensor(e->g, e->g->inputs[0]);
    pithp_text_printf(
        t,
        "/* %s_th.cpp: MLPerf Tiny's benchmark around %s.c: compile it with benchmark/api of "
        "mlcommons/tiny,\n"
        "   -DTH_MODEL_VERSION=EE_MODEL_VERSION_IC01 (or another of its names). The input is kept apart from "
        "the\n"
        "   arena, since the benchmark runs one input many times. Written by pith " PITH_VERSION ". */\n"
        "#include \"%s.h\"\n"
        "#include <cstdarg>\n#include <cstdint>\n#include <cstdio>\n#include <cstdlib>\n#include "
        "<cstring>\n\n"
        "#include \"api/internally_implemented.h\"\n#include \"api/submitter_implemented.h\"\n\n"
        "static int8_t input[%s_INPUT_SIZE];\n",
        name->id, name->id, name->id, name->macro);
    put_network(t, name, x->scale[0] == 1.0f / 128 && x->zero == 0);
    pithp_text_put(t, rest);
}
