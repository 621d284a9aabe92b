/* ops/stored_rules.c: which leaves a model file may hold in fewer bits, because of the op that reads them. Each rule stands
   in its op's file. */
#include "ops/codebook.h"
#include "ops/fake_quant.h"

const pithp_stored_rule pithp_stored_rules[] = { pithp_stored_codebook, pithp_stored_fake_quant };
const size_t pithp_stored_rules_n = PITHP_LEN(pithp_stored_rules);
