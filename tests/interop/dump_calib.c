/* Ranges by every calibration method, for check_calib.py to find again: dump_calib FILE METHOD BITS SYMMETRIC reads float32
   values and prints the range with 17 digits. Methods count as in pith_calib_method. */
#include <pith/pith.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    FILE *f = argc == 5 ? fopen(argv[1], "rb") : NULL;
    if (!f)
        return 2;
    static float x[1 << 20];
    size_t n = fread(x, sizeof *x, sizeof x / sizeof *x, f);
    fclose(f);
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .threads = 1 });
    pith_calib_cfg cfg = { .method = (pith_calib_method)atoi(argv[2]),
                           .bits = atoi(argv[3]),
                           .symmetric = atoi(argv[4]) };
    pith_calib *k = pith_calib_new(c, cfg);
    double lo, hi;
    if (!k || pith_calib_observe(k, x, 1, (int64_t)n) || pith_calib_range(k, &lo, &hi)) {
        fprintf(stderr, "%s\n", pith_error_text(c));
        return 1;
    }
    printf("%.17g %.17g\n", lo, hi);
    pith_ctx_free(c);
    return 0;
}
