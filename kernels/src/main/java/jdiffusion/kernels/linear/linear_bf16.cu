#include "linear.cuh"

LINEARS(bf16)
