/* What the verbs share: contexts, models and data sets by name, errors in one form. */
#include "cli/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void say(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fputs("pith: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
}

static void log_line(void *user, pith_log_level level, const char *text)
{
    const common *k = user;
    if (level == PITH_LOG_WARN || k->verbose)
        fprintf(stderr, "pith: %s%s\n", level == PITH_LOG_WARN ? "warning: " : "", text);
}

int failed(pith_ctx *c)
{
    say("%s", c == NULL ? "out of memory" : pith_error_text(c));
    pith_ctx_free(c);
    return EXIT_FAILED;
}

pith_ctx *open_ctx(const common *k)
{
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){
        .seed = k->seed, .threads = k->threads, .log = log_line, .log_user = (void *)(uintptr_t)k });
    if (c != NULL && pith_ctx_status(c) == PITH_OK)
        return c;
    failed(c);
    return NULL;
}

void print_json(json_t *j)
{
    json_dumpf(j, stdout, JSON_REAL_PRECISION(10) | JSON_COMPACT);
    putchar('\n');
    json_decref(j);
}

json_t *json_bytes(const char *s)
{
    char text[4 * 4096 + 1];
    size_t at = 0;
    json_t *j = json_string(s);
    if (j != NULL)
        return j;
    for (; *s && at + 4 < sizeof text; s++)
        at +=
            (size_t)snprintf(text + at, sizeof text - at, (*s & 0x80) ? "\\x%02X" : "%c", (unsigned char)*s);
    text[at] = 0;
    return json_string(text);
}

bool is_family(const char *name)
{
    for (int i = 0; pith_family_list(i) != NULL; i++)
        if (strcmp(pith_family_list(i)->name, name) == 0)
            return true;
    return false;
}

/* A name that is neither a family nor looks like a file is taken for a misspelt family: its error lists them. */
pith_model *open_model(pith_ctx *c, const char *name, model_opts o)
{
    if (!is_family(name) && (strchr(name, '/') != NULL || strchr(name, '.') != NULL))
        return pith_model_load(c, name);
    return pith_model_family(c, name,
                             (pith_family_cfg){ .image_size = o.image_size,
                                                .classes = o.classes,
                                                .channels = o.channels,
                                                .width = o.width,
                                                .depth = o.depth,
                                                .dropout = o.dropout,
                                                .drop_connect = o.drop_connect,
                                                .style = o.torch ? PITH_STYLE_TORCH : PITH_STYLE_TF });
}

pith_model *open_student(pith_ctx *c, const char *name, model_opts o, const pith_data *d)
{
    o.image_size = pith_data_size(d);
    o.classes = pith_data_classes(d);
    o.channels = 3;
    pith_model *m = open_model(c, name, o);
    return m == NULL || remember_classes(m, d) != PITH_OK ? NULL : m;
}

int model_image_size(const pith_model *m)
{
    pith_shape s = pith_shape_of(pith_model_input(m));
    if (s.ndim == 4 && s.d[1] == s.d[2] && s.d[3] == 3)
        return (int)s.d[1];
    say("model '%s' takes no square RGB images; its input has %d sizes, the last %lld", pith_model_name(m),
        s.ndim - 1, (long long)s.d[s.ndim - 1]);
    return 0;
}

const char *class_name(const pith_model *m, int i, char buf[32])
{
    snprintf(buf, 32, "%d", i);
    const char *text = pith_model_meta(m, "classes");
    json_t *list = text ? json_loads(text, 0, NULL) : NULL;
    const char *name = json_string_value(json_array_get(list, (size_t)i));
    if (name != NULL)
        snprintf(buf, 32, "%s", name);
    json_decref(list);
    return buf;
}

pith_status remember_classes(pith_model *m, const pith_data *d)
{
    json_t *list = json_array();
    for (int i = 0; i < pith_data_classes(d); i++)
        json_array_append_new(list, json_string(pith_data_class_name(d, i)));
    char *text = json_dumps(list, JSON_COMPACT);
    pith_status s = text == NULL ? PITH_ENOMEM : pith_model_set_meta(m, "classes", text);
    free(text);
    json_decref(list);
    if (s == PITH_OK)
        s = pith_model_set_meta(m, "input",
                                "(pixel - 128) / 128, RGB, centre square of 7/8 of the short side");
    return s;
}

static bool show_decoding(void *user, int64_t done, int64_t total)
{
    progress_count(user, "decoding the photographs, once", done, total);
    return true;
}

pith_data *open_data(pith_ctx *c, const char *dir, int size, const common *k, double max_bad)
{
    progress_view view;
    progress_open(&view, k->quiet);
    pith_data *d = pith_data_images(
        c, dir,
        (pith_images_cfg){
            .size = size, .max_bad = max_bad, .progress = show_decoding, .progress_user = &view });
    progress_close(&view);
    if (d == NULL)
        return NULL;
    pith_data_report r = pith_data_get_report(d);
    for (int64_t i = 0; i < r.n_bad && i < 10; i++)
        say("left out: %s: %s", r.bad[i].path, r.bad[i].reason);
    if (r.n_bad > 10)
        say("... and %lld more: 'pith data check %s' lists all", (long long)(r.n_bad - 10), dir);
    return d;
}

/* ---- Files ---- */
static bool write_all(const char *path, const char *text, size_t n, bool keep)
{
    FILE *f = fopen(path, "wb");
    if (f == NULL)
        return false;
    bool ok = fwrite(text, 1, n, f) == n && fflush(f) == 0 && (!keep || fsync(fileno(f)) == 0);
    return (fclose(f) == 0) && ok;
}

bool save_text(const char *path, const char *text, size_t n)
{
    char *beside = NULL;
    struct stat is;
    if (stat(path, &is) == 0 &&
        !S_ISREG(is.st_mode)) /* a terminal, a pipe, /dev/null: written to, never replaced */
        return write_all(path, text, n, false);
    if (asprintf(&beside, "%s.tmp", path) < 0)
        return false;
    const bool ok = write_all(beside, text, n, true) && rename(beside, path) == 0;
    const int why = errno;
    if (!ok)
        unlink(beside);
    free(beside);
    errno = why;
    return ok;
}
