/* semihost.c: one breakpoint instruction, the operation in r0, its arguments behind r1. */
#include "semihost.h"
#include <stdint.h>

enum { OPEN = 0x01, CLOSE = 0x02, WRITE0 = 0x04, WRITE = 0x05, READ = 0x06, CMDLINE = 0x15, EXIT = 0x20 };

static int call(int op, const void *arguments)
{
    register int r0 __asm__("r0") = op;
    register const void *r1 __asm__("r1") = arguments;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static size_t length(const char *s)
{
    size_t n = 0;
    while (s[n])
        n++;
    return n;
}

int semihost_open(const char *name, int write)
{
    const uintptr_t a[] = { (uintptr_t)name, write ? 5 : 1, length(name) }; /* wb, rb */
    return call(OPEN, a);
}

size_t semihost_read(int handle, void *to, size_t n)
{
    const uintptr_t a[] = { (uintptr_t)handle, (uintptr_t)to, n };
    return n - (size_t)call(READ, a);
}

int semihost_write(int handle, const void *from, size_t n)
{
    const uintptr_t a[] = { (uintptr_t)handle, (uintptr_t)from, n };
    return call(WRITE, a);
}

void semihost_close(int handle)
{
    const uintptr_t a[] = { (uintptr_t)handle };
    call(CLOSE, a);
}

void semihost_print(const char *text) { call(WRITE0, text); }

int semihost_arguments(char *to, size_t n)
{
    const uintptr_t a[] = { (uintptr_t)to, n };
    return call(CMDLINE, a);
}

void semihost_exit(int status)
{
    const uintptr_t a[] = { 0x20026, (uintptr_t)status }; /* the application ended, with this status */
    for (;;)
        call(EXIT, a);
}
