/* deploy/tflite/labels.h: the class names that a .tflite carries in a zip archive behind the model (zip.c writes it). */
#ifndef PITHP_TFLITE_LABELS_H
#define PITHP_TFLITE_LABELS_H

#include "graph/model.h"

typedef struct {
    char *text; /* the file, lines ended by 0 */
    char **name;
    int n;
} pithp_tfl_labels;

/* The lines of the stored file labels.txt in the archive at the end of these bytes; none where there is no archive.
   errors   PITH_EFORMAT: an archive that is damaged; PITH_ENOMEM. */
pith_status pithp_tfl_labels_read(pith_ctx *c, const uint8_t *p, size_t n, const char *path,
                                  pithp_tfl_labels *l);
void pithp_tfl_labels_free(pith_ctx *c, pithp_tfl_labels *l);
/* As m's "classes", where there are as many as m has outputs; and m's "classes" as labels (none, where it has no list). */
pith_status pithp_tfl_labels_keep(const pithp_tfl_labels *l, pith_model *m);
pith_status pithp_tfl_labels_of(const pith_model *m, pithp_tfl_labels *l);

#endif
