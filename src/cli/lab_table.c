/* The table of steps. Parents stand before their children. Costs are of efnet-nano on a processor with AVX-512. In words, FIRST
   and HEAD stand for the names of the network's first and last layer with weights: the last is pruned to a target of its own,
   for ranked with all others it may lose everything; the first has three input channels, which do not divide by 4. */
#include "cli/lab.h"

/* Steps that quantize a trained network at once. */
#define PTQ(id, title, words, extra, out, promise)                                    \
    {                                                                                 \
        id, title, "ptq", "float", "quantize", words, NULL, 0, 0, extra, out, promise \
    }
#define QAT(id, title, words, epochs, out, promise)                                 \
    {                                                                               \
        id, title, "qat", "float", "qat", words, NULL, epochs, 1.8, 0, out, promise \
    }
/* Where few weights that matter go, a higher rate only carries the others away from where they had settled. */
#define PRUNE(id, title, lr, words, promise)                                                       \
    {                                                                                              \
        id, title, "prune", "float", "prune", words " --lr " lr " --warmup 0.5", NULL, 5, 1.05, 0, \
            LAB_TFLITE, promise                                                                    \
    }
/* A shared value's gradient is the sum over all weights that have it: Adam takes no notice of how many these are. */
#define SHARED(id, title, family, from, bits, words, lr, epochs, promise)                        \
    {                                                                                            \
        id, title, family, from, "quantize",                                                     \
            "--scheme codebook --bits-weights " bits " --bits-ends " bits words,                 \
            "--optimizer adamw --lr " lr " --warmup 0.1", epochs, 1.2, 0, LAB_PACK_HALF, promise \
    }

const lab_row lab_rows[] = {
    { "float", "float32, trained", "float", NULL, "train", "", NULL, 40, 1, 0, LAB_TFLITE,
      "92 to 93.5% on the photographs" },
    { "float16", "float16 weights", "cast", "float", "quantize", "--scheme float16", NULL, 0, 0, 0,
      LAB_TFLITE_HALF, "the same class on at least 99.8%" },
    { "dynamic", "int8 weights, activations as they come", "cast", "float", "quantize", "--scheme dynamic",
      NULL, 0, 0, 0, LAB_TFLITE, "the same class on at least 99% in LiteRT" },

    PTQ("ptq-w8a8", "int8, after training (min-max)", "", 600, LAB_TFLITE, "within 0.3 of float"),
    PTQ("ptq-average", "int8, ranges by moving average", "--calib average", 600, LAB_TFLITE, ""),
    PTQ("ptq-percentile", "int8, ranges by percentile", "--calib percentile", 600, LAB_TFLITE, ""),
    PTQ("ptq-mse", "int8, ranges by squared error", "--calib mse", 600, LAB_TFLITE, ""),
    PTQ("ptq-entropy", "int8, ranges by entropy", "--calib entropy", 600, LAB_TFLITE, ""),
    PTQ("ptq-cle", "int8, layers equalised", "--improve cle", 600, LAB_TFLITE, ""),
    PTQ("ptq-bn", "int8, batch norms re-estimated", "--improve bn", 900, LAB_TFLITE, ""),
    PTQ("ptq-bias", "int8, biases corrected", "--improve bias", 900, LAB_TFLITE, ""),
    PTQ("ptq-adaround", "int8, learned rounding", "--improve adaround", 36000, LAB_TFLITE, ""),
    PTQ("ptq-w4a8", "4-bit weights, after training", "--bits-weights 4 --improve adaround,bias", 36000,
        LAB_TFLITE, "within 0.7 of float"),
    PTQ("ptq-w4a4", "4 bits, after training",
        "--bits-weights 4 --bits-activations 4 --calib mse --improve adaround,bias", 36000, LAB_PACK,
        "within 5 of float"),

    QAT("qat-w8a8", "int8, trained on", "", 6, LAB_TFLITE, "within 0.1 of float"),
    QAT("qat-w4a8", "4-bit weights, trained on", "--bits-weights 4", 12, LAB_TFLITE, "within 0.3 of float"),
    QAT("qat-w2a8", "2-bit weights, trained on", "--bits-weights 2 --optimizer adamw --lr 0.001", 16,
        LAB_TFLITE, "within 3 of float"),
    QAT("qat-w4a4", "4 bits, trained on", "--bits-weights 4 --bits-activations 4", 8, LAB_PACK,
        "within 1.5 of float"),

    SHARED("code4", "16 shared values a layer, trained", "codebook", "float", "4", "", "0.0003", 1, ""),
    SHARED("code2", "4 shared values a layer, trained", "codebook", "float", "2", " --keep-norms", "0.001", 8,
           "within 2 of float"),

    PRUNE("prune50", "half of the weights at zero", "0.01", "--target 0.5 --layers HEAD=0.5",
          "within 0.3 of float"),
    PRUNE("prune80", "80% of the weights at zero", "0.03", "--target 0.8 --layers HEAD=0.8",
          "within 1 of float"),
    PRUNE("prune90", "90% of the weights at zero", "0.03", "--target 0.9 --layers HEAD=0.9",
          "within 2.5 of float"),
    PRUNE("prune-2of4", "2 of every 4 weights at zero", "0.03", "--granularity 2:4 --skip FIRST", ""),
    { "channels50", "half of the multiply-adds removed", "channels", "float", "prune",
      "--granularity channel --remove --target 0.5 --lr 0.03 --warmup 0.5", NULL, 16, 0.7, 0, LAB_TFLITE,
      "within 1.5 of float, 40% faster" },

    { "student", "half width, taught by float", "distill", "float", "distill", "--width 0.5", NULL, 40, 0.8,
      0, LAB_TFLITE, "" },

    { "prune80-int8", "80% at zero, then int8", "combination", "prune80", "quantize", "", NULL, 0, 0, 600,
      LAB_TFLITE, "" },
    SHARED("prune80-code4", "80% at zero, 16 shared values (deep compression)", "combination", "prune80", "4",
           "", "0.0003", 1, "16 times smaller, within 1 of float"),
    SHARED("prune90-code4", "90% at zero, 16 shared values (deep compression)", "combination", "prune90", "4",
           "", "0.0003", 4, "25 times smaller, within 2.5 of float"),
    { "channels50-int8", "half of the multiply-adds, int8", "combination", "channels50", "quantize", "", NULL,
      0, 0, 600, LAB_TFLITE, "" },
    { "student-int8", "half width, int8", "combination", "student", "quantize", "", NULL, 0, 0, 600,
      LAB_TFLITE, "" },
    { "distill-w4a4", "4 bits, trained on, taught by float", "combination", "float", "distill",
      "--qat --bits-weights 4 --bits-activations 4", NULL, 4, 2.2, 0, LAB_PACK, "within 1.5 of float" },
};
const int lab_n_rows = (int)(sizeof lab_rows / sizeof *lab_rows);
