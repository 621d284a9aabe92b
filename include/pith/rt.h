/* pith/rt.h: running an int8 .tflite, and nothing else. This is all of libpith-rt (cc prog.c -lpith-rt -lm), which holds no
   training code, no JSON, no BLAS and no threads; libpith has the same functions, with its faster kernels under them.

       pith_rt *rt = pith_rt_open("cats.tflite", (pith_rt_cfg){ 0 });
       int8_t logits[2];
       if (pith_rt_status(rt) || pith_rt_run(rt, (const void *[]){ pixels }, (void *[]){ logits }))
           fprintf(stderr, "%s\n", pith_rt_error(rt));
       pith_rt_free(rt);

   The file is mapped, and its weights are read where they lie; beside the map there is one arena for the activations and some
   kilobytes: libpith-rt reads an op, prepares it, runs it and forgets it. A packed file (pith pack, pith_pack_tflite) is unpacked
   into memory as it is opened and runs like the plain one, byte for byte; nothing stays mapped then. The bytes that come out are
   those of TensorFlow Lite Micro's reference kernels. A file is hostile until checked: nothing in it can make these functions read or write where they should not, or divide by zero; it must not
   change while it is open. */
#ifndef PITH_RT_H
#define PITH_RT_H

#include <pith/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pith_rt pith_rt;

/* All zero is fine. alloc, release: replace malloc and free; both or none; what alloc gives is aligned to 16 bytes, and NULL
   becomes PITH_ENOMEM. */
typedef struct {
    void *(*alloc)(void *alloc_user, size_t bytes);
    void (*release)(void *alloc_user, void *p);
    void *alloc_user;
} pith_rt_cfg;

/* Opens a model: maps the file or unpacks it, checks all of it and lays out the arena. Unpacking takes, until it is done, memory for
   the largest block of weights twice or three times beside what stays.
   ownership  the caller's: pith_rt_free
   errors     NULL: no memory at all. Else pith_rt_status says how it went, and a model that failed can only be asked for its
              error: PITH_ENOTFOUND, PITH_EIO (the path); PITH_EFORMAT (no .tflite, or a damaged one, packed or not); PITH_EINVAL (an op
              that there is no integer form of here, by name); PITH_ENOMEM. Since 0.1. */
PITH_API pith_rt *pith_rt_open(const char *path, pith_rt_cfg cfg);

/* The same of n bytes in memory, which must stay while the model lives and be aligned to 16 bytes. Packed ones need neither: they
   are done with when this returns. Since 0.1. */
PITH_API pith_rt *pith_rt_open_memory(const void *p, size_t n, pith_rt_cfg cfg);

PITH_API void pith_rt_free(pith_rt *rt); /* NULL is allowed */

PITH_API pith_status pith_rt_status(const pith_rt *rt);
/* The sentence ("" where all is well); the model's own. Since 0.1. */
PITH_API const char *pith_rt_error(const pith_rt *rt);

/* An input or output. type PITH_I8: real = scale * (q - zero_point); PITH_F32: numbers as they are.
   shape: one sample, first dimension 1; bytes of all of it; name: the model's own. */
typedef struct {
    const char *name;
    pith_dtype type;
    pith_shape shape;
    size_t bytes;
    float scale;
    int32_t zero_point;
} pith_rt_tensor;

/* Input or output i, from 0. False: there is none. Since 0.1. */
PITH_API bool pith_rt_input(const pith_rt *rt, int i, pith_rt_tensor *t);
PITH_API bool pith_rt_output(const pith_rt *rt, int i, pith_rt_tensor *t);

/* Runs one sample: inputs[i] and outputs[i] are the caller's, as many bytes as pith_rt_input and pith_rt_output say.
   Allocates nothing.
   errors   PITH_EINVAL: rt failed to open. Since 0.1. */
PITH_API pith_status pith_rt_run(pith_rt *rt, const void *const *inputs, void *const *outputs);

/* Bytes of memory: the arena of activations; the heap beyond it (the map is not counted; what a packed file was unpacked to is);
   the model's own, of the file as it was opened, packed or not; and its multiply-adds. Since 0.1. */
typedef struct {
    size_t arena, heap, model;
    int64_t macs;
} pith_rt_facts;
PITH_API pith_rt_facts pith_rt_info(const pith_rt *rt);

#ifdef __cplusplus
}
#endif
#endif
