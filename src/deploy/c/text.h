/* deploy/c/text.h: text that grows, for files of source code. After a failure every call does nothing. */
#ifndef PITHP_C_TEXT_H
#define PITHP_C_TEXT_H

#include "base/base.h"

typedef struct {
    pith_ctx *c;
    char *p; /* ends in 0 once anything was written */
    size_t n, cap;
    pith_status status;
} pithp_text;

void pithp_text_init(pith_ctx *c, pithp_text *t);
void pithp_text_free(pithp_text *t); /* twice is allowed */
void pithp_text_put(pithp_text *t, const char *s);
void pithp_text_printf(pithp_text *t, const char *fmt, ...) PITH_PRINTF(2, 3);
/* Numbers of `size` bytes (1 or 4, signed; unsigned bytes where is_unsigned), with commas, so many on a line. */
void pithp_text_numbers(pithp_text *t, const void *p, size_t n, size_t size, bool is_unsigned);
/* A name of the model's or a layer's for a comment: what might end one becomes '_'. */
void pithp_text_name(pithp_text *t, const char *name);
void pithp_text_string(pithp_text *t, const char *s); /* as a string of C */

#endif
