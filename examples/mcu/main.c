/* main.c: the firmware. One image in, one answer out.

       qemu-system-arm ... -semihosting-config enable=on,arg=firmware,arg=IMAGES[,arg=ANSWERS]

   IMAGES holds one input, or several, each of the network's size: of an image its pixels minus 128. The answer to each is
   printed; ANSWERS, if it is named, receives the outputs' bytes. A count of instructions stands at the end: SysTick, gauged
   with a loop of known length, which is exact where the emulator counts (qemu -icount shift=0). */
#include MODEL_HEADER
#include "semihost.h"

#define JOIN_(a, b) a##b
#define JOIN(a, b)  JOIN_(a, b)
#define net_run     JOIN(MODEL, _run)
#define net_input   JOIN(MODEL, _input)
#define INPUT_SIZE  JOIN(MODEL_MACRO, _INPUT_SIZE)
#define OUTPUT_SIZE JOIN(MODEL_MACRO, _OUTPUT_SIZE)
#define MACS        JOIN(MODEL_MACRO, _MACS)

#define SYSTICK ((volatile uint32_t *)0xE000E010) /* control, reload, value */

static void print_number(int64_t v)
{
    char text[24], *p = text + sizeof text;
    int64_t a = v < 0 ? -v : v;
    *--p = 0;
    do
        *--p = (char)('0' + a % 10);
    while (a /= 10);
    if (v < 0)
        *--p = '-';
    semihost_print(p);
}

/* SysTick counts down from 2^24 - 1. */
static uint32_t ticks_since(uint32_t start) { return (start - SYSTICK[2]) & 0xffffff; }

/* Instructions that pass in 2^16 ticks. */
static uint32_t gauge(void)
{
    uint32_t n = 1u << 20, start, ticks;
    SYSTICK[1] = 0xffffff, SYSTICK[2] = 0, SYSTICK[0] = 5;
    start = SYSTICK[2];
    __asm__ volatile("1: subs %0, %0, #1\n\tbne 1b" : "+r"(n) : : "cc");
    ticks = ticks_since(start);
    return ticks ? (uint32_t)(((uint64_t)2 << 36) / ticks) : 0;
}

static void answer(const int8_t *out)
{
    int32_t best = 0, i;
#if defined(CLASS_NAMES)
    static const char *const names[] = { CLASS_NAMES };
#endif
    for (i = 1; i < OUTPUT_SIZE; i++)
        if (out[i] > out[best])
            best = i;
    semihost_print("class ");
    print_number(best);
#if defined(CLASS_NAMES)
    semihost_print(" ");
    semihost_print(names[best]);
#endif
    for (i = 0; i < OUTPUT_SIZE && i < 16; i++) {
        semihost_print(i ? "," : " of ");
        print_number(out[i]);
    }
    semihost_print("\n");
}

/* The words of the command line. */
static int split(char *line, char **word, int most)
{
    int n = 0;
    while (n < most) {
        while (*line == ' ')
            *line++ = 0;
        if (!*line)
            break;
        word[n++] = line;
        while (*line && *line != ' ')
            line++;
    }
    return n;
}

int main(void)
{
    static char line[1024];
    static int8_t out[OUTPUT_SIZE];
    char *word[3];
    const int words = semihost_arguments(line, sizeof line) ? 0 : split(line, word, 3);
    const uint32_t per = gauge();
    uint64_t ticks = 0;
    int64_t images = 0;
    const int in = words > 1 ? semihost_open(word[1], 0) : -1,
              to = words > 2 ? semihost_open(word[2], 1) : -1;
    if (in < 0 || (words > 2 && to < 0)) {
        semihost_print("usage: firmware IMAGES [ANSWERS]: a file cannot be opened\n");
        return 2;
    }
    for (; semihost_read(in, net_input(), INPUT_SIZE) == INPUT_SIZE; images++) {
        const uint32_t start = SYSTICK[2];
        if (net_run(net_input(), out))
            return 3;
        ticks += ticks_since(start);
        if (to < 0)
            answer(out);
        else if (semihost_write(to, out, OUTPUT_SIZE))
            return 4;
    }
    semihost_close(in);
    if (to >= 0)
        semihost_close(to);
    if (!images) {
        semihost_print("the file holds no whole input\n");
        return 5;
    }
    print_number(images);
    semihost_print(" images, ");
    print_number((int64_t)((ticks * per >> 16) / (uint64_t)images));
    semihost_print(" instructions each (with qemu -icount shift=0), ");
    print_number((int64_t)((ticks * per >> 16) / (uint64_t)images * 100 / MACS));
    semihost_print("/100 a multiply-add\n");
    return 0;
}
