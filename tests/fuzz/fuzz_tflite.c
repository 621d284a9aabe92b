/* Any bytes as a .tflite: opened by the runtime and run, if it lets itself be opened. So that the fuzzer need not invent
   FlatBuffers first, what does not begin as a file does is taken as changes to one of ours: the first byte chooses which (one
   of each integer op), then come changes of 8 bytes, place (3), size (1) and value (4). */
#include "../int8_cases.h"
#include "deploy/rt_engine.h"
#include "deploy/tflite/int8_emit.h"
#include <pith/rt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST_FILES = 64, ROOM = 1 << 20 };

static struct {
    uint8_t *p;
    size_t n;
} files[MOST_FILES];
static int n_files;
static uint8_t room[2 * ROOM];

static void keep(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        abort();
    uint8_t *p = malloc(1 << 20);
    size_t n = fread(p, 1, 1 << 20, f);
    fclose(f);
    files[n_files].p = p;
    files[n_files++].n = n;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    char dir[] = "/tmp/pith-fuzz-XXXXXX", path[64];
    (void)argc, (void)argv;
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .threads = 1 });
    if (!mkdtemp(dir) || pith_ctx_status(c))
        abort();
    snprintf(path, sizeof path, "%s/a.tflite", dir);
    for (int kind = 0; kind < int8_kinds && n_files < MOST_FILES; kind++) {
        if (strstr(int8_kind_name(kind), "_any") || !strcmp(int8_kind_name(kind), "table"))
            continue;
        int8_case k = int8_case_make(c, kind, 3, false);
        if (pithp_tfl_export_int8(k.g, NULL, path))
            abort();
        keep(path);
        int8_case_free(&k);
    }
    unlink(path);
    rmdir(dir);
    pith_ctx_free(c);
    return 0;
}

static void run(pith_rt *rt)
{
    const void *in[8];
    void *out[8];
    pith_rt_tensor t;
    pith_rt_facts f = pith_rt_info(rt);
    for (int i = 0; pith_rt_input(rt, i, &t); i++) {
        in[i] = room;
        if (t.bytes > ROOM)
            return;
    }
    for (int i = 0; pith_rt_output(rt, i, &t); i++) {
        out[i] = room + ROOM;
        if (t.bytes > ROOM)
            return;
    }
    if (f.macs < 1 << 22 && f.arena < 1 << 22 && pith_rt_run(rt, in, out))
        abort();
}

/* Memory is bounded as an embedder would bound it. */
static void *alloc(void *user, size_t n)
{
    (void)user;
    return n > (size_t)64 << 20 ? NULL : malloc(n);
}

static void release(void *user, void *p)
{
    (void)user;
    free(p);
}

static void use(const void *p, size_t n)
{
    pith_rt *rt = pith_rt_open_memory(p, n, (pith_rt_cfg){ .alloc = alloc, .release = release });
    if ((pith_rt_status(rt) == PITH_OK) != (pith_rt_error(rt)[0] == 0) || pith_rt_status(rt) == PITH_EBUG)
        abort();
    if (!pith_rt_status(rt))
        run(rt);
    pith_status s = pith_rt_status(rt);
    pith_rt_free(rt);
    pithp_tfl_file f;
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .threads = 1, .alloc = alloc, .release = release });
    bool steps = !pithp_tfl_open(c, &f, "the model", p, n) && pithp_rt_steps.open(&f);
    if (s != PITH_ENOMEM && pith_ctx_status(c) != PITH_ENOMEM && steps != (s == PITH_OK))
        abort(); /* op by op, as libpith-rt has it, the same files are let in */
    pith_ctx_free(c);
}

static size_t little(const uint8_t *p, int n)
{
    size_t v = 0;
    for (int i = n - 1; i >= 0; i--)
        v = v << 8 | p[i];
    return v;
}

static void change(uint8_t *p, size_t n, const uint8_t *data, size_t size)
{
    for (; size >= 8; data += 8, size -= 8) {
        size_t bytes = (size_t)1 << data[3] % 3, at = little(data, 3) % (n / bytes) * bytes;
        memcpy(p + at, data + 4, bytes);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool raw = size < 9 || !memcmp(data + 4, "TFL3", 4);
    int i = size ? data[0] % n_files : 0;
    size_t n = raw ? size : files[i].n;
    uint8_t *p = malloc(n + 1); /* malloc aligns to 16, and a sanitizer sees its end */
    if (n)
        memcpy(p, raw ? data : files[i].p, n);
    if (!raw)
        change(p, n, data + 1, size - 1);
    use(p, n);
    free(p);
    return 0;
}
