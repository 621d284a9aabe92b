/* file/names.c: lists of names for messages. */
#include "file/names.h"

#include "file/json.h"
#include <string.h>

void pithp_names_add(pithp_names *l, const char *name)
{
    char show[PITHP_SHOW];
    size_t n = strlen(pithp_show(name, show));
    if (l->more || l->used + n + 3 > sizeof l->text) {
        l->more++;
        return;
    }
    l->used +=
        (size_t)snprintf(l->text + l->used, sizeof l->text - l->used, "%s%s", l->used ? ", " : "", show);
}

pith_status pithp_names_report(const pithp_st_file *f, const pithp_names *missing, const pithp_names *surplus)
{
    char more[2][40] = { "", "" };
    if (missing->more)
        snprintf(more[0], sizeof more[0], " and %zu more", missing->more);
    if (surplus->more)
        snprintf(more[1], sizeof more[1], " and %zu more", surplus->more);
    return pithp_error(f->c, PITH_EFORMAT,
                       "%s: its tensors are not those of the model; missing: %s%s; not expected: %s%s",
                       f->path, missing->used ? missing->text : "none", more[0],
                       surplus->used ? surplus->text : "none", more[1]);
}
