/* startup.c: what happens before main: the vector table, memory, the floating-point unit left off, unless the code
   has vectors (M55, -mfloat-abi=hard). */
#include <stdint.h>
#include "semihost.h"

extern uint32_t stack_top, data_from, data_start, data_end, bss_start, bss_end;
int main(void);

void reset(void)
{
    uint32_t *from = &data_from, *to;
#if defined(__ARM_FEATURE_MVE)
    *(volatile uint32_t *)0xE000ED88 |= 0xFu << 20; /* CPACR: coprocessors 10 and 11 */
    __asm__ volatile("dsb\n\tisb" : : : "memory");
#endif
    for (to = &data_start; to < &data_end;)
        *to++ = *from++;
    for (to = &bss_start; to < &bss_end;)
        *to++ = 0;
    semihost_exit(main());
}

static void fault(void)
{
    semihost_print("fault\n");
    semihost_exit(99);
}

__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {
    &stack_top,          (const void *)reset, (const void *)fault, (const void *)fault,
    (const void *)fault, (const void *)fault, (const void *)fault,
};
