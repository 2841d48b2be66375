#include "linear_nf4.cuh"

LINEARS_NF4(bf16)
