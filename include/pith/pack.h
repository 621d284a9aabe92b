/* pith/pack.h: model files and .tflite files made as small as their numbers allow, after Han, Mao, Dally, "Deep compression", ICLR
   2016: for each tensor its elements, their codes, or the places and codes of those that are not zero, in Huffman codes; whichever
   is least. Nothing is lost: what a packed file unpacks to is the file, byte for byte. pith_model_load and whatever reads models
   reads packed ones too. */
#ifndef PITH_PACK_H
#define PITH_PACK_H

#include <pith/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Sizes in bytes, side by side.
   floats   every weight, bias and batch-norm number of the network as float32, and nothing else
   int8     its weights as int8, one scale a channel and the rest as float32
   file     the model file (graph, names, biases, scales and all); packed: the packed one, all of it
   entropy  order-0 entropy of the tensors' elements as packed, tables of values included, and the packed header: what no code of
            single symbols could go below
   gzip_*   what gzip -9 makes of each; -1: pith was built without zlib
   weights, zeros   of the layers: how many there are, and how many of them are zero */
typedef struct {
    int64_t floats, int8, file, packed, entropy;
    int64_t gzip_floats, gzip_int8, gzip_file, gzip_packed;
    int64_t weights, zeros;
} pith_pack_sizes;

/* Writes m packed. The file is complete or not there.
   sizes    NULL, or filled in
   errors   as pith_model_save. Since 0.1. */
PITH_API pith_status pith_model_pack(const pith_model *m, const char *path, pith_pack_sizes *sizes);

/* Writes a .tflite packed, which pith_rt_open, pith_runner_open and pith_import_tflite take as they take the plain file. tflite
   may be packed already.
   sizes    NULL, or filled in: file is the .tflite, weights are its constants of two dimensions and more (zero: at their zero
            point); floats, int8 and their gzip are 0
   errors   PITH_ENOTFOUND, PITH_EIO: a path; PITH_EFORMAT: no .tflite, or a damaged one; PITH_ENOMEM. Nothing is then written.
            Since 0.1. */
PITH_API pith_status pith_pack_tflite(pith_ctx *c, const char *tflite, const char *path,
                                      pith_pack_sizes *sizes);

/* Whether a file is a .tflite, packed or not, by its first bytes. False, too: it is not to be read. Since 0.1. */
PITH_API bool pith_is_tflite(const char *path);

/* Writes the model file or .tflite that a packed one holds.
   errors   PITH_ENOTFOUND, PITH_EIO; PITH_EFORMAT: it is not packed, or damaged. Nothing is then written. Since 0.1. */
PITH_API pith_status pith_unpack(pith_ctx *c, const char *packed, const char *path);

/* Rounds what stands beside the weights of the layers (biases, gamma, beta, shared values of codebooks) to float16, which files
   hold in two bytes each; of a batch norm a factor and a term a channel stay (mean 0, variance 1). Weights and scales stay.
   So do numbers too large for float16. Returns how many numbers changed; without memory none do. Since 0.1. */
PITH_API int64_t pith_model_round_half(pith_model *m);

#ifdef __cplusplus
}
#endif
#endif
