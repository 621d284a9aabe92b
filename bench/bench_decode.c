/* bench_decode: photographs a second on one core, from a file's bytes to the image that is stored. usage:
   bench_decode [DIR [SIZE [REPEATS]]]   DIR is walked for files (or $PITH_REAL_DATA/cats-dogs-original); SIZE is
   the stored short side (96). All files are read into memory first; each round decodes all of them, by the thread's own clock,
   which stands still while a neighbour has the processor. Prints one JSON object: medians over the rounds,
   and the share of the time after libjpeg (reducing to the stored size and turning upright). */
#include "data/data.h"
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST = 4096 };

static struct {
    char *name;
    uint8_t *p;
    size_t n;
} file[MOST];
static int files;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int add_file(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)at;
    if (kind != FTW_F || files == MOST || st->st_size < 1)
        return 0;
    FILE *f = fopen(path, "rb");
    uint8_t *p = f ? malloc((size_t)st->st_size) : NULL;
    if (p && fread(p, 1, (size_t)st->st_size, f) == (size_t)st->st_size) {
        file[files].name = strdup(path);
        file[files].p = p;
        file[files++].n = (size_t)st->st_size;
    }
    if (f)
        fclose(f);
    return 0;
}

/* Seconds of a round; *bad: files that are no pictures. */
static double whole(pithp_work *w, int store, int *bad, uint64_t *hash)
{
    double start = now();
    *bad = 0;
    for (int i = 0; i < files; i++) {
        pithp_picture p;
        if (pithp_decode(w, file[i].p, file[i].n, store, 100000000, &p))
            (*bad)++;
        else
            *hash = pithp_hash_bytes(*hash, p.pixels, (size_t)p.width * (size_t)p.height * 3);
    }
    return now() - start;
}

/* The same without the reduction, for files that are JPEG. */
static double raw_only(pithp_work *w, int store)
{
    double start = now();
#ifdef HAVE_LIBJPEG
    for (int i = 0; i < files; i++) {
        pithp_raw raw;
        pithp_format f;
        if (!pithp_sniff(file[i].p, file[i].n, &f) && f == PITHP_JPEG)
            pithp_decode_jpeg(w, file[i].p, file[i].n, store, 100000000, &raw);
    }
#else
    (void)w, (void)store;
#endif
    return now() - start;
}

int main(int argc, char **argv)
{
    char dir[4096];
    const char *real = getenv("PITH_REAL_DATA");
    if (argc < 2 && !real) {
        printf("bench_decode: skipped: name a folder of photographs, or set PITH_REAL_DATA\n");
        return 0;
    }
    snprintf(dir, sizeof dir, "%s%s", argc > 1 ? argv[1] : real, argc > 1 ? "" : "/cats-dogs-original");
    int store = argc > 2 ? atoi(argv[2]) : 96, repeats = argc > 3 ? atoi(argv[3]) : 15, bad = 0;
    repeats = PITHP_MIN(PITHP_MAX(repeats, 1), 1000);
    if (nftw(dir, add_file, 16, 0) || !files || store < PITHP_MIN_SIDE || store > PITHP_MAX_SIDE) {
        fprintf(stderr, "bench_decode: %s: no files, or a stored side that is none\n", dir);
        return 1;
    }
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .threads = 1 });
    double *all = malloc((size_t)repeats * sizeof *all), *raw = malloc((size_t)repeats * sizeof *raw);
    if (!c || !all || !raw)
        return 1;
    pithp_work w = { .c = c };
    uint64_t hash = 0;
    whole(&w, store, &bad, &hash);
    hash = 0;
    for (int i = 0; i < repeats; i++) {
        uint64_t h = 0;
        all[i] = whole(&w, store, &bad, &h);
        hash = h;
        raw[i] = raw_only(&w, store);
    }
    qsort(all, (size_t)repeats, sizeof *all, by_value);
    qsort(raw, (size_t)repeats, sizeof *raw, by_value);
    double a = all[repeats / 2], r = raw[repeats / 2];
    printf(
        "{\"files\":%d,\"bad\":%d,\"store\":%d,\"img_per_s\":%.0f,\"img_per_s_best\":%.0f,\"jpeg_ms\":%.3f,"
        "\"reduce_ms\":%.3f,\"pixels\":\"%016llx\"}\n",
        files, bad, store, files / a, files / all[0], 1e3 * r / files, 1e3 * (a - r) / files,
        (unsigned long long)hash);
    pithp_work_free(&w);
    pith_ctx_free(c);
    for (int i = 0; i < files; i++) {
        free(file[i].name);
        free(file[i].p);
    }
    free(all);
    free(raw);
    return 0;
}
