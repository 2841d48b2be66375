#include "linear_blocks.cuh"

LINEARS_BLOCKS(bf16)
