/* pith bench --profile: where a step's time goes, op by op, against the machine's limits. A pass's share is the time it
   would take at the limits (the longer of computing and moving) over the time it took. */
#include "cli/bench.h"

#include <math.h>

/* Seconds of the fastest of some runs of y. */
static double fastest(pith_tensor *y)
{
    double best = INFINITY, t;
    for (int i = 0; i < 6; i++) {
        t = bench_now();
        if (pith_run(y) != PITH_OK)
            return INFINITY;
        t = bench_now() - t;
        best = t < best ? t : best;
    }
    return best;
}

profile_limits probe_limits(pith_ctx *c)
{
    enum { SIDE = 1536, LONG = 1 << 25 };
    pith_tensor *a = pith_leaf(c, PITH_F32, PITH_SHAPE(SIDE, SIDE), NULL);
    pith_tensor *x = pith_leaf(c, PITH_F32, PITH_SHAPE(LONG), NULL);
    double product = fastest(pith_matmul(a, a)), pass = fastest(pith_scale(x, 2, 1));
    return (profile_limits){ .gmacs = 1e-9 * SIDE * SIDE * SIDE / product, .gbytes = 8e-9 * LONG / pass };
}

typedef struct {
    double ms, gmacs, gbytes, share;
} pass;

static pass pass_of(double ms, int64_t macs, int64_t bytes, profile_limits l)
{
    pass p = { .ms = ms };
    if (ms <= 0)
        return p;
    p.gmacs = 1e-6 * (double)macs / ms;
    p.gbytes = 1e-6 * (double)bytes / ms;
    p.share = fmax(p.gmacs / l.gmacs, p.gbytes / l.gbytes);
    return p;
}

static void print_pass(pass p)
{
    if (p.ms > 0)
        printf(" %8.3f %7.1f %6.1f %4.0f%%", p.ms, p.gmacs, p.gbytes, 100 * p.share);
    else
        printf(" %29s", "");
}

static void shape_text(pith_shape s, char *to, size_t room)
{
    int at = 0;
    to[0] = 0;
    for (int i = 0; i < s.ndim && at < (int)room - 1; i++)
        at += snprintf(to + at, room - (size_t)at, "%s%lld", i > 0 ? "x" : "", (long long)s.d[i]);
}

/* Memory in cache is faster than the limit, so a small step may show more than 100%. */
void profile_print(const pith_plan *p, profile_limits l)
{
    pith_step_facts f;
    double fwd = 0, bwd = 0, least = 0, bytes = 0;
    printf("limits here: %.0f G multiply-adds/s (a large matrix product), %.1f GB/s (read and write)\n",
           l.gmacs, l.gbytes);
    printf("%-26s %-14s %-18s %8s %7s %6s %5s %8s %7s %6s %5s\n", "step", "op", "result", "fwd ms", "GMAC/s",
           "GB/s", "share", "back ms", "GMAC/s", "GB/s", "share");
    for (int i = 0; pith_plan_step(p, i, &f); i++) {
        char shape[64];
        pass a = pass_of(f.forward_ms, f.macs, f.bytes_forward, l),
             b = pass_of(f.backward_ms, f.macs_backward, f.bytes_backward, l);
        shape_text(f.out, shape, sizeof shape);
        printf("%-26.26s %-14.14s %-18.18s", f.name, f.op, shape);
        print_pass(a);
        print_pass(b);
        putchar('\n');
        fwd += a.ms;
        bwd += b.ms;
        least += a.ms * a.share + b.ms * b.share;
        bytes += (double)(f.bytes_forward + f.bytes_backward);
    }
    printf("all steps: forward %.2f ms, backward %.2f ms; at the limits %.2f ms (%.0f%%); %.0f MB move\n",
           fwd, bwd, least, 100 * least / (fwd + bwd), 1e-6 * bytes);
}

json_t *profile_json(const pith_plan *p, profile_limits l)
{
    pith_step_facts f;
    json_t *steps = json_array();
    for (int i = 0; pith_plan_step(p, i, &f); i++)
        json_array_append_new(
            steps,
            json_pack("{s:s, s:s, s:f, s:f, s:I, s:I, s:I, s:I, s:f, s:f}", "name", f.name, "op", f.op,
                      "forward_ms", f.forward_ms, "backward_ms", f.backward_ms, "macs", (json_int_t)f.macs,
                      "macs_backward", (json_int_t)f.macs_backward, "bytes_forward",
                      (json_int_t)f.bytes_forward, "bytes_backward", (json_int_t)f.bytes_backward,
                      "share_forward", pass_of(f.forward_ms, f.macs, f.bytes_forward, l).share,
                      "share_backward", pass_of(f.backward_ms, f.macs_backward, f.bytes_backward, l).share));
    return json_pack("{s:f, s:f, s:o}", "limit_gmacs", l.gmacs, "limit_gbytes", l.gbytes, "steps", steps);
}
