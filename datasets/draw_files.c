/* Folders and JPEG files of the drawn set. */
#define _POSIX_C_SOURCE 200809L
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "draw.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef HAVE_LIBJPEG
#include <jpeglib.h>
#include <setjmp.h>

typedef struct {
    struct jpeg_error_mgr base;
    jmp_buf back;
} jpeg_trouble;

static void trouble(j_common_ptr j) { longjmp(((jpeg_trouble *)j->err)->back, 1); }

static void quiet(j_common_ptr j) { (void)j; }

/* Errors of libjpeg are write errors or lack of memory here; either way errno tells. */
static int encode(FILE *f, const uint8_t *rgb, int size, int quality)
{
    struct jpeg_compress_struct j;
    jpeg_trouble e;
    j.err = jpeg_std_error(&e.base);
    e.base.error_exit = trouble;
    e.base.output_message = quiet;
    if (setjmp(e.back)) {
        jpeg_destroy_compress(&j);
        return -1;
    }
    jpeg_create_compress(&j);
    jpeg_stdio_dest(&j, f);
    j.image_width = j.image_height = (JDIMENSION)size;
    j.input_components = 3;
    j.in_color_space = JCS_RGB;
    jpeg_set_defaults(&j);
    jpeg_set_quality(&j, quality, TRUE);
    jpeg_start_compress(&j, TRUE);
    while (j.next_scanline < j.image_height) {
        JSAMPROW row = (JSAMPROW)(uintptr_t)(rgb + (size_t)j.next_scanline * (size_t)size * 3);
        jpeg_write_scanlines(&j, &row, 1);
    }
    jpeg_finish_compress(&j);
    jpeg_destroy_compress(&j);
    return 0;
}
#else
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#define STBI_WRITE_NO_STDIO
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#include <stb/stb_image_write.h>
#pragma GCC diagnostic pop

static void write_bytes(void *f, void *data, int n) { fwrite(data, 1, (size_t)n, f); }

static int encode(FILE *f, const uint8_t *rgb, int size, int quality)
{
    return stbi_write_jpg_to_func(write_bytes, f, size, size, 3, rgb, quality) ? 0 : -1;
}
#endif

int draw_write_jpeg(const char *path, const uint8_t *rgb, int size, int quality, FILE *err)
{
    size_t n = strlen(path) + 8;
    char *part = malloc(n);
    if (!part) {
        fprintf(err, "pith-draw: out of memory\n");
        return -1;
    }
    snprintf(part, n, "%s.part", path);
    errno = 0;
    FILE *f = fopen(part, "wb");
    int bad = !f;
    if (f) {
        bad = encode(f, rgb, size, quality) || ferror(f);
        bad = fclose(f) || bad;
        bad = bad || rename(part, path);
    }
    if (bad) {
        fprintf(err, "pith-draw: cannot write %s: %s\n", path,
                errno ? strerror(errno) : "the JPEG encoder failed");
        if (f)
            unlink(part);
    }
    free(part);
    return bad ? -1 : 0;
}

static int make_folder(const char *path, FILE *err)
{
    struct stat st;
    if (mkdir(path, 0777) == 0)
        return 0;
    int why = errno;
    if (why == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return 0;
    fprintf(err, "pith-draw: cannot make the folder %s: %s\n", path,
            why == EEXIST ? "a file of that name is there" : strerror(why));
    return -1;
}

static int has_entries(const char *dir, FILE *err)
{
    DIR *d = opendir(dir);
    int found = 0;
    if (!d) {
        fprintf(err, "pith-draw: cannot look into %s: %s\n", dir, strerror(errno));
        return -1;
    }
    for (struct dirent *e; !found && (e = readdir(d)) != NULL;)
        found = strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(d);
    return found;
}

int draw_make_folders(const char *dir, int force, FILE *err)
{
    static const char *const below[] = { "train", "train/cat", "train/dog", "val", "val/cat", "val/dog" };
    size_t n = strlen(dir) + 16;
    if (make_folder(dir, err))
        return -1;
    int full = has_entries(dir, err);
    if (full < 0)
        return -1;
    if (full && !force) {
        fprintf(err, "pith-draw: %s is not empty; name a new folder, or say --force to draw into this one\n",
                dir);
        return -1;
    }
    char *path = malloc(n);
    int bad = !path;
    for (size_t i = 0; !bad && i < sizeof below / sizeof *below; i++) {
        snprintf(path, n, "%s/%s", dir, below[i]);
        bad = make_folder(path, err);
    }
    free(path);
    return bad ? -1 : 0;
}
