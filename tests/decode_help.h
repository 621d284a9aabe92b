/* tests/decode_help.h: a context and a decoder's room for each test of pictures. */
#ifndef PITH_TESTS_DECODE_HELP_H
#define PITH_TESTS_DECODE_HELP_H

#include "data/data.h"
#include "data_help.h"
#include "suite.h"

static pith_ctx *c;
static pithp_work work;

static void setup(void)
{
    c = ctx_new(NULL, 1);
    work = (pithp_work){ .c = c };
}

static void teardown(void)
{
    ck_assert_msg(pith_ctx_status(c) == PITH_OK, "%s", pith_error_text(c));
    pithp_work_free(&work);
    pith_ctx_free(c);
}

#endif
