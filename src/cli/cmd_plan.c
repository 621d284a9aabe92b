/* pith plan: what a model needs as int8 on a microcontroller, op by op, whether it fits, and what would. */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    common k;
    model_opts o;
    const char *flash_text, *ram_text;
    int64_t flash, ram; /* 0: no limit */
} options;

/* "512k", "1M", "524288": bytes; k is 1024. */
static bool read_bytes(const char *option, const char *text, int64_t *bytes)
{
    char *end;
    double v = text ? strtod(text, &end) : 0;
    *bytes = 0;
    if (text == NULL)
        return true;
    double unit = *end == 'k' || *end == 'K' ? 1024 : *end == 'm' || *end == 'M' ? 1024.0 * 1024 : 1;
    if (end != text && (unit == 1 ? *end == 0 : end[1] == 0) && v > 0 && v * unit < 1e12) {
        *bytes = (int64_t)(v * unit);
        return true;
    }
    say("plan: --%s %s: a size is expected, such as 512k, 1M or 65536", option, text);
    return false;
}

static bool fits(const options *o, const pith_needs *n)
{
    return (o->flash == 0 || n->flash <= o->flash) && (o->ram == 0 || n->ram <= o->ram);
}

static double kb(int64_t bytes) { return (double)bytes / 1024; }

/* ---- What would fit: widths and image sizes of the same family ---- */
typedef struct {
    double width;
    int size;
    pith_needs needs;
} choice;

enum { MOST_CHOICES = 4 };

static bool try_one(pith_ctx *c, const char *family, const options *o, int classes, double width, int size,
                    pith_needs *needs)
{
    model_opts with = o->o;
    with.width = width;
    with.image_size = size;
    with.classes = classes;
    pith_model *m = open_model(c, family, with);
    pith_needs_plan *p = m != NULL ? pith_needs_of_model(m, needs) : NULL;
    pith_needs_free(p);
    pith_model_free(m);
    pith_ctx_clear(c); /* what cannot be built at that size is no choice */
    return p != NULL && fits(o, needs);
}

/* For each image size, the widest network that fits; sizes from large to small. */
static int find_choices(pith_ctx *c, const char *family, const options *o, int classes, int size,
                        double width, choice *list)
{
    static const double widths[] = { 1, 0.85, 0.7, 0.5, 0.35, 0.25, 0.15, 0.1 };
    int n = 0;
    for (int p = size; p >= 16 && n < MOST_CHOICES; p = (int)(p * 0.8) / 8 * 8)
        for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
            choice x = { .width = widths[i] * width, .size = p };
            if (!try_one(c, family, o, classes, x.width, p, &x.needs))
                continue;
            if (n == 0 || list[n - 1].width < x.width)
                list[n++] = x;
            break;
        }
    return n;
}

/* ---- Telling ---- */
static void print_ops(const pith_needs_plan *p)
{
    pith_need x;
    printf("%-34s %-18s %14s %10s %10s %12s\n", "layer", "op", "output", "flash", "RAM", "mult-adds");
    for (int i = 0; pith_needs_op(p, i, &x); i++) {
        char shape[64];
        int at = 0;
        shape[0] = 0;
        for (int d = 1; d < x.out.ndim && at < 50; d++)
            at += snprintf(shape + at, sizeof shape - (size_t)at, "%s%lld", d > 1 ? "x" : "",
                           (long long)x.out.d[d]);
        printf("%-34.34s %-18.18s %14s %10lld %10lld %12lld\n", x.name, x.op, shape, (long long)x.flash,
               (long long)x.ram, (long long)x.macs);
    }
}

static void print_total(const options *o, const pith_needs *n, const char *peak, const char *heavy)
{
    printf("\nflash  %.1f KB of constants, the code on top (most in %s)", kb(n->flash), heavy);
    if (o->flash)
        printf("; %.1f KB there are: %s", kb(o->flash), n->flash <= o->flash ? "fits" : "too much");
    printf("\nRAM    %.1f KB of activations (peak in %s)", kb(n->ram), peak);
    if (o->ram)
        printf("; %.1f KB there are: %s", kb(o->ram), n->ram <= o->ram ? "fits" : "too much");
    printf("\n%.2f M multiply-adds in %d ops\n", (double)n->macs / 1e6, n->ops);
}

static void print_choices(const char *family, const choice *list, int n)
{
    if (n == 0) {
        printf("no smaller %s fits; 'pith plan' of another network may tell more ('pith info --build' lists "
               "them)\n",
               family);
        return;
    }
    printf("would fit, trained anew:\n");
    for (int i = 0; i < n; i++)
        printf(
            "  --model %s --width %.3g --image-size %d   flash %.1f KB, RAM %.1f KB, %.2f M multiply-adds\n",
            family, list[i].width, list[i].size, kb(list[i].needs.flash), kb(list[i].needs.ram),
            (double)list[i].needs.macs / 1e6);
}

static json_t *needs_json(const pith_needs *n)
{
    return json_pack("{s:I, s:I, s:I, s:i}", "flash", (json_int_t)n->flash, "ram", (json_int_t)n->ram, "macs",
                     (json_int_t)n->macs, "ops", n->ops);
}

static json_t *plan_json(const options *o, const pith_needs_plan *p, const pith_needs *n, const choice *list,
                         int m)
{
    json_t *j = needs_json(n), *layers = json_array(), *choices = json_array();
    pith_need x;
    for (int i = 0; pith_needs_op(p, i, &x); i++)
        json_array_append_new(layers, json_pack("{s:o, s:s, s:I, s:I, s:I}", "name", json_bytes(x.name), "op",
                                                x.op, "flash", (json_int_t)x.flash, "ram", (json_int_t)x.ram,
                                                "macs", (json_int_t)x.macs));
    for (int i = 0; i < m; i++) {
        json_t *one = needs_json(&list[i].needs);
        json_object_set_new(one, "width", json_real(list[i].width));
        json_object_set_new(one, "image_size", json_integer(list[i].size));
        json_array_append_new(choices, one);
    }
    json_object_set_new(j, "fits", json_boolean(fits(o, n)));
    json_object_set_new(j, "layers", layers);
    json_object_set_new(j, "would_fit", choices);
    return j;
}

static void heaviest(const pith_needs_plan *p, char peak[64], char heavy[64])
{
    pith_need x;
    int64_t ram = -1, flash = -1;
    for (int i = 0; pith_needs_op(p, i, &x); i++) {
        if (x.ram > ram)
            ram = x.ram, snprintf(peak, 64, "%s", x.name);
        if (x.flash > flash)
            flash = x.flash, snprintf(heavy, 64, "%s", x.name);
    }
}

/* ---- The whole ---- */
static int go(pith_ctx *c, const char *name, const options *o)
{
    pith_needs needs;
    char peak[64] = "", heavy[64] = "";
    choice list[MOST_CHOICES];
    int n = 0, classes, size;
    bool family = is_family(name) || strpbrk(name, "./") == NULL;
    pith_model *m = family ? open_model(c, name, o->o) : NULL;
    pith_runner *r = family || pith_ctx_status(c) ? NULL : pith_runner_open(c, name);
    pith_needs_plan *p = m ? pith_needs_of_model(m, &needs) : r ? pith_needs_of_runner(r, &needs) : NULL;
    if (p == NULL)
        return failed(c);
    m = m != NULL ? m : pith_runner_model(r);
    heaviest(p, peak, heavy);
    bool ok = fits(o, &needs);
    const char *kind = m != NULL ? pith_model_name(m) : "";
    if (!ok && is_family(kind)) {
        pith_shape in = pith_shape_of(pith_model_input(m));
        classes = (int)pith_size(pith_model_output(m));
        size = (int)in.d[1];
        n = find_choices(c, kind, o, classes, size, family && o->o.width > 0 ? o->o.width : 1, list);
    }
    if (o->k.json) {
        print_json(plan_json(o, p, &needs, list, n));
    } else {
        if (!o->k.quiet)
            print_ops(p);
        print_total(o, &needs, peak, heavy);
        if (!ok && is_family(kind))
            print_choices(kind, list, n);
    }
    pith_ctx_free(c);
    return ok ? EXIT_DONE : EXIT_FAILED;
}

static int run(int argc, char **argv)
{
    options o = { 0 };
    opt table[] = { TEXT("flash", 0, o.flash_text, "SIZE", "what there is for constants: 512k, 1M"),
                    TEXT("ram", 0, o.ram_text, "SIZE", "what there is for activations: 128k"),
                    NETWORK_OPTS(o.o), COMMON_OPTS(o.k), OPTS_END };
    const char *name = NULL;
    int n, status = opts_parse(&verb_plan, table, argc, argv, &name, &n);
    if (status >= 0)
        return status;
    if (!read_bytes("flash", o.flash_text, &o.flash) || !read_bytes("ram", o.ram_text, &o.ram))
        return EXIT_USAGE;
    pith_ctx *c = open_ctx(&o.k);
    return c == NULL ? EXIT_FAILED : go(c, name, &o);
}

const verb verb_plan = { "plan",   "what a model needs as int8 on a microcontroller, and what would fit",
                         "MODEL ", 1,
                         1,        run };
