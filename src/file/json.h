/* file/json.h: jansson with the limits that a hostile file needs. */
#ifndef PITHP_FILE_JSON_H
#define PITHP_FILE_JSON_H

#include "base/base.h"
#include <jansson.h>

/* A tree of JSON takes up to forty times the room of its text; so its values are counted before it is
   grown. */
enum { PITHP_JSON_VALUES = 1 << 22, PITHP_JSON_DEPTH = 32 };

/* Parses text of n bytes: no duplicate keys, no NUL, UTF-8 only. `where` begins the message ("x.pith:
   header").
   ownership   *j is the caller's: json_decref; NULL after PITH_EFORMAT or PITH_ENOMEM. */
pith_status pithp_json_parse(pith_ctx *c, const char *where, const char *text, size_t n, json_t **j);

/* Whether pithp_json_parse would take it as far as size and depth go; writers ask before they write. */
pith_status pithp_json_limits(pith_ctx *c, const char *where, const char *text, size_t n);

/* A string from a file, made fit for a message: control characters replaced, cut between characters. Returns
   buf. */
enum { PITHP_SHOW = 96 };
const char *pithp_show(const char *s, char buf[PITHP_SHOW]);

#endif
