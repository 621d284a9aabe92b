/* data/layout.c: which folders are splits, which are classes, and what a flat file's name says. */
#include "data/data.h"
#include <string.h>
#include <strings.h>

/* The class in a flat name, "cat.123.jpg" or "shiba_inu_12.jpg": all before the last separator and its
   number. Its length, 0 if the name is no such name. */
static size_t flat_class(const char *name)
{
    const char *dot = strrchr(name, '.');
    if (!dot || dot == name)
        return 0;
    const char *digits = dot;
    while (digits > name && digits[-1] >= '0' && digits[-1] <= '9')
        digits--;
    if (digits == dot || digits == name || (digits[-1] != '.' && digits[-1] != '_'))
        return 0;
    return (size_t)(digits - 1 - name);
}

static const char *name_of(const pithp_listing *l, size_t i) { return l->names.p + l->e[i].name; }

static size_t count_dirs(const pithp_listing *l)
{
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++)
        n += l->e[i].is_dir;
    return n;
}

static size_t count_flat(const pithp_listing *l)
{
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++)
        n += l->e[i].is_file && flat_class(name_of(l, i)) > 0;
    return n;
}

static const char *find_dir(const pithp_listing *l, const char *name)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->e[i].is_dir && !strcasecmp(name_of(l, i), name))
            return name_of(l, i);
    return NULL;
}

/* A folder brings its split when it has train/ and no folder that is none of the known splits. */
static bool brings_split(const pithp_listing *l)
{
    static const char *const known[] = { "train", "val", "validation", "valid", "test", "test1" };
    for (size_t i = 0; i < l->n; i++) {
        bool is_known = !l->e[i].is_dir;
        for (size_t k = 0; k < PITHP_LEN(known) && !is_known; k++)
            is_known = !strcasecmp(name_of(l, i), known[k]);
        if (!is_known)
            return false;
    }
    return find_dir(l, "train") != NULL;
}

static pith_status list_below(pithp_scan *s, const char *rel, pithp_listing *l)
{
    *l = (pithp_listing){ 0 };
    char *path = rel[0] ? pithp_sprintf(s->c, "%s/%s", s->root, rel) : pithp_strdup(s->c, s->root);
    pith_status status = path ? pithp_list(s->c, path, l) : PITH_ENOMEM;
    pithp_free(s->c, path);
    return status;
}

/* An unpacked archive holds the folder that is meant: go into it. */
static pith_status descend(pithp_scan *s, pithp_listing *l, bool *went)
{
    *went = false;
    if (count_dirs(l) != 1 || count_flat(l) || brings_split(l))
        return PITH_OK;
    size_t i = 0;
    while (!l->e[i].is_dir)
        i++;
    pithp_listing inner;
    pith_status status = list_below(s, name_of(l, i), &inner);
    if (status)
        return status;
    size_t dirs = count_dirs(&inner);
    if (dirs < 2 && !brings_split(&inner) && !(dirs == 0 && count_flat(&inner) > 1)) {
        pithp_list_free(s->c, &inner);
        return PITH_OK;
    }
    char *deeper = pithp_sprintf(s->c, "%s/%s", s->root, name_of(l, i));
    if (!deeper) {
        pithp_list_free(s->c, &inner);
        return PITH_ENOMEM;
    }
    pithp_free(s->c, s->root);
    s->root = deeper;
    pithp_list_free(s->c, l);
    *l = inner;
    *went = true;
    return PITH_OK;
}

static pith_status add_flat(pithp_scan *s, const char *rel, const pithp_listing *l, size_t i, int split)
{
    const char *name = name_of(l, i);
    size_t n = flat_class(name);
    int label = -1;
    pith_status status = PITH_OK;
    if (n) {
        char *class = pithp_sprintf(s->c, "%.*s", (int)n, name);
        status = class ? pithp_scan_class(s, class, &label) : PITH_ENOMEM;
        pithp_free(s->c, class);
    }
    char *path = pithp_sprintf(s->c, "%s%s%s", rel, rel[0] ? "/" : "", name);
    if (!path)
        return PITH_ENOMEM;
    if (!status)
        status = pithp_scan_add(s, path, &l->e[i], label, split);
    pithp_free(s->c, path);
    return status;
}

/* Enters a folder and its class folders before anything is walked, so that no link takes them for a part of
   another. */
static pith_status claim_part(pithp_scan *s, const char *rel)
{
    pithp_listing l;
    pith_status status = list_below(s, rel, &l);
    for (size_t i = 0; i <= l.n && !status; i++) {
        bool again;
        if (i < l.n && !l.e[i].is_dir)
            continue;
        char *path = pithp_sprintf(s->c, "%s/%s/%s", s->root, rel, i < l.n ? name_of(&l, i) : "");
        status = path ? pithp_scan_enter(s, path, &again) : PITH_ENOMEM;
        pithp_free(s->c, path);
    }
    pithp_list_free(s->c, &l);
    return status;
}

/* Class folders, or flat names where there are none. */
static pith_status add_part(pithp_scan *s, const char *rel, int split)
{
    pithp_listing l;
    pith_status status = list_below(s, rel, &l);
    if (status)
        return status;
    bool flat = !count_dirs(&l) || (count_dirs(&l) == 1 && count_flat(&l) > 1);
    s->ignored += l.ignored;
    for (size_t i = 0; i < l.n && !status; i++) {
        if (flat && l.e[i].is_file) {
            status = add_flat(s, rel, &l, i, split);
        } else if (!flat && l.e[i].is_dir) {
            int label;
            status = pithp_scan_class(s, name_of(&l, i), &label);
            char *below = pithp_sprintf(s->c, "%s%s%s", rel, rel[0] ? "/" : "", name_of(&l, i));
            if (!status)
                status = below ? pithp_scan_walk(s, below, label, split, 0) : PITH_ENOMEM;
            pithp_free(s->c, below);
        } else {
            s->ignored++;
        }
    }
    pithp_list_free(s->c, &l);
    return status;
}

static pith_status has_classes(pithp_scan *s, const char *rel, bool *yes)
{
    pithp_listing l;
    pith_status status = list_below(s, rel, &l);
    if (!status)
        *yes = count_dirs(&l) || count_flat(&l);
    pithp_list_free(s->c, &l);
    return status;
}

/* train/ and the first of val/, validation/, valid/, test/ that has labelled images. */
static pith_status add_splits(pithp_scan *s, const pithp_listing *l)
{
    static const char *const candidates[] = { "val", "validation", "valid", "test" };
    const char *val = NULL;
    pith_status status = PITH_OK;
    for (size_t i = 0; i < PITHP_LEN(candidates) && !status; i++) {
        const char *name = find_dir(l, candidates[i]);
        bool good = false;
        if (name && !val)
            status = has_classes(s, name, &good);
        if (good)
            val = name;
        else if (name)
            pithp_log(s->c, PITH_LOG_INFO, "%s/%s is not used: %s", s->root, name,
                      val ? "another folder serves for validation" : "it has no labelled images");
    }
    s->own_split = val != NULL;
    if (!status)
        status = claim_part(s, find_dir(l, "train"));
    if (!status && val)
        status = claim_part(s, val);
    if (!status)
        status = add_part(s, find_dir(l, "train"), val ? (int)PITH_TRAIN : (int)PITHP_SPLIT_NONE);
    if (!status && val)
        status = add_part(s, val, PITH_VAL);
    return status;
}

pith_status pithp_layout(pithp_scan *s)
{
    pithp_listing l;
    pith_status status = list_below(s, "", &l);
    bool went = true;
    for (int depth = 0; depth < 8 && went && !status; depth++)
        status = descend(s, &l, &went);
    bool splits = !status && brings_split(&l);
    if (!status && !splits)
        status = claim_part(s, "");
    if (!status)
        status = splits ? add_splits(s, &l) : add_part(s, "", PITHP_SPLIT_NONE);
    pithp_list_free(s->c, &l);
    return status;
}
