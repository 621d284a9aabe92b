/* base/kind.h: what a file is, by its first bytes. */
#ifndef PITHP_KIND_H
#define PITHP_KIND_H

#include "base/base.h"

/* What pith's own files begin with, 8 bytes each. */
#define PITHP_MAGIC_CACHE         "PITHDATA"
#define PITHP_MAGIC_PACKED        "PITHPACK"
#define PITHP_MAGIC_PACKED_TFLITE "PITHTFLP"
#define PITHP_MAGIC_STORE         "PITHSAID"
/* Copies the first bytes of a file, n at most; how many. 0 also where there is none, or not to be read, or no regular file. */
size_t pithp_peek(const char *path, void *p, size_t n);
/* What a file is ("a packed model"), of its n bytes or by its path; NULL: nothing that is known. */
const char *pithp_kind(const void *p, size_t n);
const char *pithp_kind_of(const char *path);
/* A data set's cache from when those, too, began with PITHP_MAGIC_PACKED. */
bool pithp_is_old_cache(const void *p, size_t n);

#endif
