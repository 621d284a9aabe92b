/* base/kind.c: what a file is, by its first bytes: so that one in the wrong place is refused by its name. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "base/kind.h"
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOOK = 32, ST_HEADER = 100000000 };

/* The byte order's mark stands where a packed model has the size that it unpacks to, and a hash of what was decoded behind it:
   no model is that large. */
bool pithp_is_old_cache(const void *p, size_t n)
{
    uint32_t order, source;
    if (n < 20 || memcmp(p, PITHP_MAGIC_PACKED, 8) != 0)
        return false;
    memcpy(&order, (const uint8_t *)p + 12, sizeof order);
    memcpy(&source, (const uint8_t *)p + 16, sizeof source);
    return order == 0x01020304 && source != 0;
}

const char *pithp_kind(const void *data, size_t n)
{
    const uint8_t *p = data;
    static const struct {
        const char *bytes;
        size_t at;
        const char *what;
    } known[] = { { PITHP_MAGIC_CACHE, 0, "a data set's cache of decoded photographs" },
                  { PITHP_MAGIC_PACKED, 0, "a packed model" },
                  { PITHP_MAGIC_PACKED_TFLITE, 0, "a packed TensorFlow Lite model" },
                  { PITHP_MAGIC_STORE, 0, "a store of a teacher's outputs" },
                  { "TFL3", 4, "a TensorFlow Lite model" } };
    if (pithp_is_old_cache(p, n))
        return known[0].what;
    for (size_t i = 0; i < PITHP_LEN(known); i++) {
        const size_t length = strlen(known[i].bytes);
        if (n >= known[i].at + length && memcmp(p + known[i].at, known[i].bytes, length) == 0)
            return known[i].what;
    }
    uint64_t header = 0;
    for (int i = 7; i >= 0 && n > 8; i--)
        header = header << 8 | p[i];
    return n > 8 && p[8] == '{' && header >= 2 && header <= ST_HEADER ? "a model file (safetensors)" : NULL;
}

size_t pithp_peek(const char *path, void *p, size_t n)
{
    struct stat st;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    const ssize_t got = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? read(fd, p, n) : 0;
    if (fd >= 0)
        close(fd);
    return got > 0 ? (size_t)got : 0;
}

const char *pithp_kind_of(const char *path)
{
    uint8_t p[LOOK];
    const size_t n = pithp_peek(path, p, sizeof p);
    return pithp_kind(p, n);
}
