#include "linear.cuh"

LINEARS(f16)
