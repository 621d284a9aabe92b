/* kernels/int8/isa_table.c: the table of one instruction set's integer kernels. */
#include "kernels/int8/isa.h"

#define STR2(x) #x
#define STR(x)  STR2(x)

extern const pithp_ikern IKERN(ikern);
const pithp_ikern IKERN(ikern) = { .name = STR(PITHP_ISA),
                                   .conv_pack = IKERN(conv_pack),
                                   .conv_run = IKERN(conv_run),
                                   .depthwise_pack = IKERN(depthwise_pack),
                                   .depthwise_run = IKERN(depthwise_run),
                                   .avgpool = IKERN(avgpool),
                                   .maxpool = IKERN(maxpool),
                                   .mean = IKERN(mean),
                                   .add = IKERN(add),
                                   .mul = IKERN(mul),
                                   .table = IKERN(table) };
