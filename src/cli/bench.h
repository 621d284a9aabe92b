/* cli/bench.h: what `pith bench` is made of. */
#ifndef PITH_CLI_BENCH_H
#define PITH_CLI_BENCH_H

#include "cli/cli.h"

double bench_now(void); /* seconds */

/* What this machine can do with the threads of the context, measured by pith's own ops: a large matrix product, and a
   pass over memory that no cache holds. */
typedef struct {
    double gmacs, gbytes; /* 1e9 multiply-adds and bytes a second */
} profile_limits;

profile_limits probe_limits(pith_ctx *c); /* zeros: no memory for it */
void profile_print(const pith_plan *p, profile_limits limits);
json_t *profile_json(const pith_plan *p, profile_limits limits);

#endif
