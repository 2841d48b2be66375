#include "linear_blocks.cuh"

LINEARS_BLOCKS(f16)
