/* semihost.h: files and text of the computer that debugs or emulates the board (Arm's semihosting, version 2). A product
   reads its camera instead. */
#ifndef SEMIHOST_H
#define SEMIHOST_H

#include <stddef.h>

int semihost_open(const char *name, int write);             /* a handle; -1: cannot */
size_t semihost_read(int handle, void *to, size_t n);       /* bytes read */
int semihost_write(int handle, const void *from, size_t n); /* 0: done */
void semihost_close(int handle);
void semihost_print(const char *text);
int semihost_arguments(char *to, size_t n); /* the command line, words apart by blanks; 0: done */
_Noreturn void semihost_exit(int status);

#endif
