/* file/json.c: parsing JSON that somebody else wrote. */
#include "file/json.h"
#include <string.h>

/* Counts values and depth outside strings, with no regard for grammar: the parser has that. */
pith_status pithp_json_limits(pith_ctx *c, const char *where, const char *text, size_t n)
{
    int values = 0, depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < n; i++) {
        char ch = text[i];
        if (quoted) {
            if (ch == '\\')
                i++;
            else if (ch == '"')
                quoted = false;
            continue;
        }
        quoted = ch == '"';
        if (ch == '[' || ch == '{')
            depth++;
        else if (ch == ']' || ch == '}')
            depth--;
        values += ch == ',' || ch == ':' || ch == '[' || ch == '{';
        if (depth > PITHP_JSON_DEPTH || values > PITHP_JSON_VALUES)
            return pithp_error(c, PITH_EFORMAT,
                               "%s: byte %zu of the JSON: more than %d %s, the most that pith reads", where,
                               i, depth > PITHP_JSON_DEPTH ? PITHP_JSON_DEPTH : PITHP_JSON_VALUES,
                               depth > PITHP_JSON_DEPTH ? "levels of brackets" : "values");
    }
    return PITH_OK;
}

pith_status pithp_json_parse(pith_ctx *c, const char *where, const char *text, size_t n, json_t **j)
{
    json_error_t e;
    char why[PITHP_SHOW];
    *j = NULL;
    pith_status s = pithp_json_limits(c, where, text, n);
    if (s || (*j = json_loadb(text, n, JSON_REJECT_DUPLICATES, &e)))
        return s;
    if (json_error_code(&e) == json_error_out_of_memory)
        return pithp_nomem(c, where);
    return pithp_error(c, PITH_EFORMAT, "%s: byte %d of the JSON: %s", where, e.position,
                       pithp_show(e.text, why));
}

const char *pithp_show(const char *s, char buf[PITHP_SHOW])
{
    size_t n = strlen(s), most = PITHP_SHOW - 4;
    bool cut = n > most;
    if (cut)
        for (n = most; n > 0 && ((unsigned char)s[n] & 0xc0) == 0x80; n--) /* not inside a UTF-8 character */
            ;
    for (size_t i = 0; i < n; i++)
        buf[i] = (unsigned char)s[i] < 32 || s[i] == 127 ? '?' : s[i];
    memcpy(buf + n, cut ? "..." : "", cut ? 4 : 1);
    return buf;
}
