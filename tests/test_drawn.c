/* The drawn set: same pictures for the same seed whatever the threads, sane files, and a command that says
 * no clearly. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "suite.h"
#include "../datasets/draw.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SIZE = 48, BYTES = SIZE * SIZE * 3 };

/* Runs the command on words separated by blanks; *said is what it wrote, malloc'd. */
static int command(const char *words, char **said)
{
    char *line = NULL, *argv[24] = { "pith-draw" }, *text = NULL, *rest = NULL;
    size_t n = 0;
    int argc = 1;
    line = strdup(words);
    for (char *w = strtok_r(line, " ", &rest); w && argc < 23; w = strtok_r(NULL, " ", &rest))
        argv[argc++] = w;
    FILE *f = open_memstream(&text, &n);
    ck_assert_ptr_nonnull(f);
    /* A stream in memory has no descriptor: output goes to a file that is thrown away. */
    FILE *out = tmpfile();
    int status = draw_command(argc, argv, out, f);
    fclose(out);
    fclose(f);
    free(line);
    if (said)
        *said = text;
    else
        free(text);
    return status;
}

static int files_in(const char *dir, const char *suffix)
{
    DIR *d = opendir(dir);
    int n = 0;
    ck_assert_msg(d != NULL, "no folder %s", dir);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        size_t len = strlen(e->d_name), k = strlen(suffix);
        n += len > k && strcmp(e->d_name + len - k, suffix) == 0;
    }
    closedir(d);
    return n;
}

static char *contents(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    ck_assert_msg(f != NULL, "no file %s", path);
    char *p = malloc(1 << 20);
    *n = fread(p, 1, 1 << 20, f);
    fclose(f);
    return p;
}

START_TEST(picture_is_a_function_of_its_key)
{
    static uint8_t a[BYTES], b[BYTES];
    int q;
    ck_assert_int_eq(draw_picture(3, DRAW_TRAIN, DRAW_CAT, 5, SIZE, a, &q), 0);
    ck_assert(q >= 80 && q <= 95);
    draw_picture(3, DRAW_TRAIN, DRAW_CAT, 5, SIZE, b, &q);
    ck_assert_mem_eq(a, b, BYTES);
    const struct {
        int seed, split, cls, index;
    } others[] = { { 4, 0, 0, 5 }, { 3, 1, 0, 5 }, { 3, 0, 1, 5 }, { 3, 0, 0, 6 } };
    for (int i = 0; i < 4; i++) {
        draw_picture((uint64_t)others[i].seed, others[i].split, others[i].cls, (uint32_t)others[i].index,
                     SIZE, b, &q);
        ck_assert_mem_ne(a, b, BYTES);
    }
}
END_TEST

/* Every pose, pattern, backdrop and size; under the sanitizers this is the test that matters. */
START_TEST(pictures_are_neither_empty_nor_flat)
{
    static const int sizes[] = { DRAW_MIN_SIZE, 33, SIZE, 128, 200 };
    uint8_t *p = malloc(200 * 200 * 3);
    for (int i = 0; i < 300; i++) {
        int q, size = sizes[i % 10 < 8 ? 2 : i % 5], lo = 255, hi = 0;
        ck_assert_int_eq(draw_picture(9, i & 1, i / 2 & 1, (uint32_t)i, size, p, &q), 0);
        for (int k = 0; k < size * size * 3; k++) {
            lo = p[k] < lo ? p[k] : lo;
            hi = p[k] > hi ? p[k] : hi;
        }
        ck_assert_msg(hi - lo > 60, "picture %d has values %d to %d only", i, lo, hi);
    }
    free(p);
}
END_TEST

/* The mean colour is the crudest statistic; over many pictures the classes must agree in it. */
START_TEST(classes_have_the_same_mean_colour)
{
    static uint8_t p[BYTES];
    double mean[2][3] = { { 0 } };
    enum { N = 400 };
    for (int cls = 0; cls < 2; cls++)
        for (int i = 0; i < N; i++) {
            int q;
            draw_picture(1, DRAW_TRAIN, cls, (uint32_t)i, SIZE, p, &q);
            for (int k = 0; k < BYTES; k++)
                mean[cls][k % 3] += p[k] / (double)(BYTES / 3) / N;
        }
    for (int c = 0; c < 3; c++) /* a picture's mean spreads by about 35: the difference by 2.5 */
        ck_assert_msg(mean[0][c] - mean[1][c] < 8 && mean[1][c] - mean[0][c] < 8,
                      "channel %d: cats %.1f, dogs %.1f", c, mean[0][c], mean[1][c]);
}
END_TEST

START_TEST(threads_do_not_matter)
{
    char words[512], one[600], four[600];
    const char *dir = suite_dir();
    static const char *const some[] = { "train/cat/cat.0.jpg", "train/dog/dog.9.jpg", "val/cat/cat.3.jpg" };
    for (int t = 1; t <= 4; t += 3) {
        snprintf(words, sizeof words, "-o %s/t%d --train 20 --val 8 --size %d --seed 7 --threads %d", dir, t,
                 SIZE, t);
        ck_assert_int_eq(command(words, NULL), 0);
    }
    for (size_t i = 0; i < 3; i++) {
        size_t n, m;
        snprintf(one, sizeof one, "%s/t1/%s", dir, some[i]);
        snprintf(four, sizeof four, "%s/t4/%s", dir, some[i]);
        char *a = contents(one, &n), *b = contents(four, &m);
        ck_assert_uint_eq(n, m);
        ck_assert_mem_eq(a, b, n);
        ck_assert(n > 300 && (uint8_t)a[0] == 0xff && (uint8_t)a[1] == 0xd8);
        free(a);
        free(b);
    }
    snprintf(one, sizeof one, "%s/t4/train/dog", dir);
    ck_assert_int_eq(files_in(one, ".jpg"), 10);
    ck_assert_int_eq(files_in(one, ".part"), 0);
    snprintf(one, sizeof one, "%s/t4/val/cat", dir);
    ck_assert_int_eq(files_in(one, ".jpg"), 4);
}
END_TEST

START_TEST(wrong_use_is_refused)
{
    static const char *const bad[][2] = {
        { "", "-o DIR" },
        { "-o", "needs a value" },
        { "-o x --size 8", "16 to 1024" },
        { "-o x --size 12a", "whole number" },
        { "-o x --train -1", "whole number" },
        { "-o x --val 99999999999999999999", "whole number" },
        { "-o x --threads 0", "from 1" },
        { "-o x --train 0 --val 0", "nothing to draw" },
        { "-o x --frobnicate", "--frobnicate" },
        { "-o x y", "\"y\"" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char *said;
        int status = command(bad[i][0], &said);
        ck_assert_msg(status == 2, "pith-draw %s: status %d", bad[i][0], status);
        ck_assert_msg(strstr(said, bad[i][1]) != NULL, "pith-draw %s said: %s", bad[i][0], said);
        free(said);
    }
    ck_assert_int_eq(command("--help", NULL), 0);
}
END_TEST

START_TEST(folders_are_not_overwritten)
{
    char words[512], path[512], *said;
    const char *dir = suite_dir();
    snprintf(words, sizeof words, "-o %s/full --train 2 --val 0 --size 16", dir);
    ck_assert_int_eq(command(words, NULL), 0);
    ck_assert_int_eq(command(words, &said), 1);
    ck_assert_ptr_nonnull(strstr(said, "--force"));
    free(said);
    strcat(words, " --force");
    ck_assert_int_eq(command(words, NULL), 0);

    snprintf(path, sizeof path, "%s/file", dir);
    fclose(fopen(path, "w"));
    snprintf(words, sizeof words, "-o %s/file --train 2", dir);
    ck_assert_int_eq(command(words, &said), 1);
    ck_assert_ptr_nonnull(strstr(said, "a file of that name"));
    free(said);
    snprintf(words, sizeof words, "-o %s/no/such/place --train 2", dir);
    ck_assert_int_eq(command(words, &said), 1);
    ck_assert_ptr_nonnull(strstr(said, "No such file"));
    free(said);

    /* A picture that cannot be put in its place: one message, status 1, no half file. */
    snprintf(path, sizeof path, "%s/full/train/cat/cat.1.jpg", dir);
    mkdir(path, 0777);
    snprintf(words, sizeof words, "-o %s/full --train 40 --val 0 --size 16 --threads 3 --force", dir);
    ck_assert_int_eq(command(words, &said), 1);
    ck_assert_ptr_nonnull(strstr(said, "cat.1.jpg"));
    ck_assert_ptr_eq(strchr(said, '\n'), strrchr(said, '\n'));
    free(said);
    rmdir(path);
    snprintf(path, sizeof path, "%s/full/train/cat", dir);
    ck_assert_int_eq(files_in(path, ".part"), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("drawn");
    suite_test(s, "a picture is a function of its key", picture_is_a_function_of_its_key);
    suite_test(s, "pictures are neither empty nor flat", pictures_are_neither_empty_nor_flat);
    suite_test(s, "classes have the same mean colour", classes_have_the_same_mean_colour);
    suite_test(s, "threads do not matter", threads_do_not_matter);
    suite_test(s, "wrong use is refused", wrong_use_is_refused);
    suite_test(s, "folders are not overwritten", folders_are_not_overwritten);
    return suite_run("drawn", s);
}
