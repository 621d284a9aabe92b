/* The JSON of a model file's graph, changed token by token: what is left must load whole or be refused, and what loads must save. So
   that the fuzzer need not invent graphs, the first byte chooses one of ours (layers of every kind, fake quantization, int8 weights
   held as codes, codebooks, a family); then come changes of 4 bytes: which token (2), how (1), with what (1). */
#include "fuzz_model.h"
#include <pith/nn.h>
#include <pith/ops.h>
#include <pith/quant.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MODELS = 5, MOST_TOKENS = 1 << 16 };

static struct {
    uint8_t *p; /* the whole file */
    size_t n, header;
    struct {
        uint32_t at, n;
    } token[MOST_TOKENS];
    int tokens;
} file[MODELS];
static pith_ctx *c;

static pith_tensor *net(pith_model *m, pith_tensor *x, void *user)
{
    pith_conv2d_cfg conv = { .out = 4, .kernel = 3, .stride = 2, .groups = 1, .bias = true };
    pith_tensor *y = pith_nn_conv_bn_act(m, "stem", x, conv, PITH_SILU);
    y = pith_nn_depthwise_conv2d(m, "dw", y, (pith_conv2d_cfg){ .kernel = 3 });
    y = pith_add(y, pith_mul(y, pith_sigmoid(pith_mean(y))));
    (void)user;
    return pith_nn_linear(m, "head", pith_dropout(pith_global_avgpool(y), 0.2), 3);
}

static bool is_word(char ch)
{
    return ch && (strchr("+-.", ch) || (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z'));
}

/* Where numbers, words and strings stand in the header; strings of the graph have their quotes escaped. */
static void find_tokens(int i)
{
    const char *p = (const char *)file[i].p + 8;
    for (uint32_t at = 0; at < file[i].header && file[i].tokens < MOST_TOKENS;) {
        uint32_t n = 0;
        while (at + n < file[i].header && is_word(p[at + n]))
            n++;
        if (n) {
            file[i].token[file[i].tokens].at = at;
            file[i].token[file[i].tokens++].n = n;
        }
        at += n ? n : 1;
    }
}

static void keep(int i, const char *path)
{
    FILE *f = fopen(path, "rb");
    uint64_t header = 0;
    if (!f)
        abort();
    file[i].p = malloc(1 << 20);
    file[i].n = fread(file[i].p, 1, 1 << 20, f);
    fclose(f);
    memcpy(&header, file[i].p, 8);
    file[i].header = (size_t)header;
    if (8 + header > file[i].n)
        abort();
    find_tokens(i);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    char dir[] = "/tmp/pith-fuzz-XXXXXX", path[64];
    (void)argc, (void)argv;
    c = pith_ctx_new((pith_ctx_cfg){ .threads = 1 });
    if (!c || !mkdtemp(dir))
        abort();
    snprintf(path, sizeof path, "%s/a.pith", dir);
    for (int i = 0; i < MODELS; i++) {
        pith_model *m =
            i == 4 ? pith_model_family(c, "mobilenet-v2", (pith_family_cfg){ .image_size = 32, .width = 0.1 })
                   : pith_model_new(c, net, NULL, PITH_SHAPE(8, 8, 3));
        static const pith_quant_scheme schemes[] = { PITH_SCHEME_FLOAT16, PITH_SCHEME_DYNAMIC,
                                               PITH_SCHEME_CODEBOOK };
        if (i >= 1 && i <= 3)
            pith_quantize(m, NULL, (pith_quant_cfg){ .scheme = schemes[i - 1] });
        if (!m || pith_model_save(m, path, false))
            abort();
        keep(i, path);
        pith_model_free(m);
    }
    unlink(path);
    rmdir(dir);
    return 0;
}

/* One change of the text at *at bytes, into `to`, where there is room. */
static size_t change(int i, const uint8_t *d, const char *from, size_t n, char *to)
{
    static const char *const words[] = { "0",     "1",    "-1",    "2",          "3",
                                         "7",     "255",  "65536", "2147483648", "9223372036854775807",
                                         "1e308", "-0.5", "null",  "true",       "false",
                                         "f32",   "i8",   "input", "op",         "param",
                                         "state" };
    int t = (d[0] | d[1] << 8) % file[i].tokens;
    size_t at = file[i].token[t].at, old = file[i].token[t].n;
    const char *with = words[d[3] % PITHP_LEN(words)];
    size_t len = strlen(with);
    if (d[2] % 3 == 1) { /* another token of the same file */
        int other = (t + 1 + d[3]) % file[i].tokens;
        with = (const char *)file[i].p + 8 + file[i].token[other].at, len = file[i].token[other].n;
    } else if (d[2] % 3 == 2) {
        len = 0;
    }
    if (at + old > n || n + len > 1 << 20)
        return 0;
    memcpy(to, from, at);
    memcpy(to + at, with, len);
    memcpy(to + at + len, from + at + old, n - at - old);
    return n - old + len;
}

static void use(const uint8_t *p, size_t n)
{
    pithp_st_file f;
    if (pithp_st_open_memory(c, &f, "fuzz", p, n))
        return;
    fuzz_model(c, &f);
    pithp_st_close(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char text[2][1 << 21];
    if (size < 5)
        return 0;
    int i = data[0] % MODELS, side = 0;
    size_t n = file[i].header, before = pith_ctx_memory(c, NULL), rest = file[i].n - 8 - file[i].header;
    memcpy(text[0], file[i].p + 8, n);
    for (size_t at = 1; at + 4 <= size && at < 33; at += 4) {
        size_t m = change(i, data + at, text[side], n, text[!side]);
        if (m)
            n = m, side = !side;
    }
    uint8_t *p = malloc(8 + n + rest);
    uint64_t header = n;
    memcpy(p, &header, 8);
    memcpy(p + 8, text[side], n);
    memcpy(p + 8 + n, file[i].p + 8 + file[i].header, rest);
    use(p, 8 + n + rest);
    pith_ctx_clear(c);
    if (pith_ctx_memory(c, NULL) != before)
        abort();
    free(p);
    return 0;
}
