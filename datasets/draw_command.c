/* The command pith-draw: options, threads, progress. */
#define _POSIX_C_SOURCE 200809L
#include "draw.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_PER_SPLIT = 1000000, MAX_THREADS = 256 };

static const char help[] =
    "usage: pith-draw -o DIR [options]\n"
    "Draws pictures of cats and dogs as JPEG files, to train a classifier on.\n"
    "\n"
    "  -o, --out DIR     where to: DIR/train/{cat,dog}/*.jpg and DIR/val/{cat,dog}/*.jpg\n"
    "      --train N     training pictures, both classes together (default 3000)\n"
    "      --val N       validation pictures, both classes together (default 600)\n"
    "      --size P      side of a picture in pixels, 16 to 1024 (default 128)\n"
    "      --seed S      another seed, another set (default 1)\n"
    "      --threads T   threads to draw with (default: one per processor)\n"
    "      --force       draw into a folder that is not empty; pictures of the same name are replaced\n"
    "      --quiet       say nothing but errors\n"
    "      --help        this text\n"
    "\n"
    "The same seed and size give the same pictures, whatever the number of threads; picture i does not "
    "depend on how\n"
    "many are drawn.  Exit status: 0 done, 1 failed, 2 wrong use.\n";

typedef struct {
    const char *dir;
    long long train, val, size, threads;
    unsigned long long seed;
    int force, quiet;
    FILE *out, *err;
    pthread_mutex_t lock;
    long long next, done; /* pictures taken by a thread, pictures written */
    int failed;
} job;

static int draw_one(job *j, long long k, uint8_t *rgb, char *path, size_t room, FILE *err)
{
    static const char *const split_name[] = { "train", "val" }, *const class_name[] = { "cat", "dog" };
    int split = k >= j->train, quality;
    long long i = split ? k - j->train : k;
    int cls = (int)(i % 2);
    if (draw_picture(j->seed, split, cls, (uint32_t)(i / 2), (int)j->size, rgb, &quality)) {
        fprintf(err, "pith-draw: out of memory\n");
        return -1;
    }
    snprintf(path, room, "%s/%s/%s/%s.%lld.jpg", j->dir, split_name[split], class_name[cls], class_name[cls],
             i / 2);
    return draw_write_jpeg(path, rgb, (int)j->size, quality, err);
}

static void *worker(void *arg)
{
    job *j = arg;
    size_t room = strlen(j->dir) + 64;
    uint8_t *rgb = malloc((size_t)j->size * (size_t)j->size * 3);
    char *path = malloc(room), *text = NULL;
    size_t text_size = 0;
    FILE *err = open_memstream(&text, &text_size); /* only the first failing thread's message is shown */
    int bad = !rgb || !path || !err;
    for (;;) {
        pthread_mutex_lock(&j->lock);
        long long k = j->next, total = j->train + j->val;
        if (bad && !j->failed) {
            j->failed = 1;
            if (err)
                fflush(err);
            fputs(text && *text ? text : "pith-draw: out of memory\n", j->err);
        }
        int stop = j->failed || k >= total;
        j->next += !stop;
        pthread_mutex_unlock(&j->lock);
        if (stop)
            break;
        bad = draw_one(j, k, rgb, path, room, err);
        pthread_mutex_lock(&j->lock);
        j->done += !bad;
        if (!j->quiet && isatty(fileno(j->out)) && j->done % 50 == 0)
            fprintf(j->out, "\rdrawing %lld of %lld", j->done, total), fflush(j->out);
        pthread_mutex_unlock(&j->lock);
    }
    if (err)
        fclose(err);
    free(text);
    free(path);
    free(rgb);
    return NULL;
}

static int draw_all(job *j)
{
    pthread_t id[MAX_THREADS];
    long long started = 0, want = j->threads < j->train + j->val ? j->threads : j->train + j->val;
    if (draw_make_folders(j->dir, j->force, j->err))
        return 1;
    pthread_mutex_init(&j->lock, NULL);
    while (started < want - 1 && pthread_create(&id[started], NULL, worker, j) == 0)
        started++;
    worker(j);
    while (started > 0)
        pthread_join(id[--started], NULL);
    pthread_mutex_destroy(&j->lock);
    if (j->failed)
        return 1;
    if (!j->quiet)
        fprintf(j->out, "%sdrew %lld pictures for training and %lld for validation into %s\n",
                isatty(fileno(j->out)) ? "\r" : "", j->train, j->val, j->dir);
    return fflush(j->out) ? 1 : 0;
}

static int number(const char *name, const char *text, long long lo, long long hi, long long *value, FILE *err)
{
    char *end;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    if (errno || end == text || *end || v < lo || v > hi) {
        fprintf(err, "pith-draw: --%s takes a whole number from %lld to %lld, not \"%s\"\n", name, lo, hi,
                text);
        return -1;
    }
    *value = v;
    return 0;
}

static const struct option options[] = {
    { "out", 1, NULL, 'o' },   { "train", 1, NULL, 't' }, { "val", 1, NULL, 'v' },
    { "size", 1, NULL, 's' },  { "seed", 1, NULL, 'S' },  { "force", 0, NULL, 'f' },
    { "quiet", 0, NULL, 'q' }, { "help", 0, NULL, 'h' },  { "threads", 1, NULL, 'T' },
    { NULL, 0, NULL, 0 },
};

/* Returns -1 to go on, or the exit status. */
static int parse(job *j, int argc, char **argv)
{
    long long seed = 1;
    int bad = 0, o;
    opterr = 0;
    optind = 0; /* glibc: start afresh, for callers that run the command twice */
    while (!bad && (o = getopt_long(argc, argv, ":o:h", options, NULL)) != -1)
        switch (o) {
        case 'o': j->dir = optarg; break;
        case 't': bad = number("train", optarg, 0, MAX_PER_SPLIT, &j->train, j->err); break;
        case 'v': bad = number("val", optarg, 0, MAX_PER_SPLIT, &j->val, j->err); break;
        case 's': bad = number("size", optarg, DRAW_MIN_SIZE, DRAW_MAX_SIZE, &j->size, j->err); break;
        case 'S': bad = number("seed", optarg, 0, LLONG_MAX, &seed, j->err); break;
        case 'T': bad = number("threads", optarg, 1, MAX_THREADS, &j->threads, j->err); break;
        case 'f': j->force = 1; break;
        case 'q': j->quiet = 1; break;
        case 'h': fputs(help, j->out); return fflush(j->out) ? 1 : 0;
        case ':':
            fprintf(j->err, "pith-draw: %s needs a value; see pith-draw --help\n", argv[optind - 1]);
            return 2;
        default:
            fprintf(j->err, "pith-draw: unknown option %s; see pith-draw --help\n", argv[optind - 1]);
            return 2;
        }
    j->seed = (unsigned long long)seed;
    if (bad)
        return 2;
    if (optind < argc) {
        fprintf(j->err, "pith-draw: unexpected argument \"%s\"; the folder goes after -o\n", argv[optind]);
        return 2;
    }
    if (!j->dir || !*j->dir) {
        fprintf(j->err, "pith-draw: say where to draw with -o DIR; see pith-draw --help\n");
        return 2;
    }
    if (j->train + j->val == 0) {
        fprintf(j->err, "pith-draw: --train and --val are both 0: nothing to draw\n");
        return 2;
    }
    return -1;
}

int draw_command(int argc, char **argv, FILE *out, FILE *err)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    job j = { .train = 3000, .val = 600, .size = 128, .out = out, .err = err };
    j.threads = cpus < 1 ? 1 : cpus > MAX_THREADS ? MAX_THREADS : cpus;
    int status = parse(&j, argc, argv);
    return status >= 0 ? status : draw_all(&j);
}
