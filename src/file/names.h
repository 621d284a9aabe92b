/* file/names.h: lists of names for messages, and the message of tensors that are not the model's. */
#ifndef PITHP_FILE_NAMES_H
#define PITHP_FILE_NAMES_H

#include "file/safetensors.h"

/* Names that find no room are counted. */
typedef struct {
    char text[300];
    size_t used, more;
} pithp_names;

void pithp_names_add(pithp_names *l, const char *name);
static inline bool pithp_names_any(const pithp_names *l) { return l->used || l->more; }

/* The error that lists both: PITH_EFORMAT. */
pith_status pithp_names_report(const pithp_st_file *f, const pithp_names *missing,
                               const pithp_names *surplus);

#endif
