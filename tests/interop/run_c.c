/* run_c: an exported C source on a hosted machine: images from stdin, outputs to stdout. Built beside net.c, for machines of other
   sizes and byte orders and with sanitizers (mcu.sh). */
#include "net.h"
#include <stdio.h>

int main(void)
{
    static int8_t x[NET_INPUT_SIZE], y[NET_OUTPUT_SIZE];
    while (fread(x, 1, sizeof x, stdin) == sizeof x)
        if (net_run(x, y) != 0 || fwrite(y, 1, sizeof y, stdout) != sizeof y)
            return 1;
    return 0;
}
