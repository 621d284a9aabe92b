/* run_rt DIR: libpith-rt alone, public header only: every case that dump_int8_tflite put into DIR (cases.txt: name, samples,
   inputs), run and compared byte for byte with what the writing machine's integer engine gave. */
#include <pith/rt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_IN = 10 };

static unsigned char *whole(const char *dir, const char *name, const char *end, size_t bytes)
{
    char path[4096];
    unsigned char *p = malloc(bytes + 1);
    snprintf(path, sizeof path, "%s/%s%s", dir, name, end);
    FILE *f = fopen(path, "rb");
    if (f == NULL || p == NULL || fread(p, 1, bytes + 1, f) != bytes) {
        fprintf(stderr, "%s: not %zu bytes\n", path, bytes);
        exit(2);
    }
    fclose(f);
    return p;
}

/* Outputs that differ; -1: it did not run. */
static long one(const char *dir, const char *name, long samples, int inputs, long *bytes)
{
    char path[4096], end[16];
    snprintf(path, sizeof path, "%s/%s.tflite", dir, name);
    pith_rt *rt = pith_rt_open(path, (pith_rt_cfg){ 0 });
    pith_rt_tensor x[MOST_IN], y;
    unsigned char *in[MOST_IN];
    const void *now[MOST_IN];
    long bad = 0;
    if (rt == NULL || pith_rt_status(rt) != PITH_OK || inputs > MOST_IN || !pith_rt_output(rt, 0, &y)) {
        fprintf(stderr, "%s: %s\n", path, rt ? pith_rt_error(rt) : "no memory");
        pith_rt_free(rt);
        return -1;
    }
    for (int i = 0; i < inputs; i++) {
        snprintf(end, sizeof end, ".x%d", i);
        if (!pith_rt_input(rt, i, &x[i]))
            return -1;
        in[i] = whole(dir, name, end, (size_t)samples * x[i].bytes);
    }
    unsigned char *want = whole(dir, name, ".y", (size_t)samples * y.bytes), *got = malloc(y.bytes);
    for (long k = 0; k < samples && bad >= 0; k++) {
        for (int i = 0; i < inputs; i++)
            now[i] = in[i] + (size_t)k * x[i].bytes;
        if (pith_rt_run(rt, now, (void *[]){ got }) != PITH_OK) {
            fprintf(stderr, "%s: %s\n", path, pith_rt_error(rt));
            bad = -1;
        } else {
            for (size_t i = 0; i < y.bytes; i++)
                bad += got[i] != want[(size_t)k * y.bytes + i];
        }
    }
    *bytes += samples * (long)y.bytes;
    for (int i = 0; i < inputs; i++)
        free(in[i]);
    free(want);
    free(got);
    pith_rt_free(rt);
    return bad;
}

int main(int argc, char **argv)
{
    char path[4096], name[128];
    long samples, bytes = 0, bad = 0, cases = 0;
    int inputs;
    snprintf(path, sizeof path, "%s/cases.txt", argc == 2 ? argv[1] : ".");
    FILE *f = fopen(path, "r");
    if (f == NULL) {
        fprintf(stderr, "%s cannot be opened\n", path);
        return 2;
    }
    for (; fscanf(f, "%127s %ld %d", name, &samples, &inputs) == 3; cases++) {
        long differ = one(argv[1], name, samples, inputs, &bytes);
        if (differ != 0)
            printf("%s: %ld different\n", name, differ);
        bad += differ != 0;
    }
    fclose(f);
    printf("%ld cases, %ld bytes, %ld cases with different ones\n", cases, bytes, bad);
    return bad != 0 || cases == 0;
}
