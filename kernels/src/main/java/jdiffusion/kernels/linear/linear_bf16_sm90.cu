#include "linear_sm90.cuh"

WARPGROUP_LINEARS(bf16)
