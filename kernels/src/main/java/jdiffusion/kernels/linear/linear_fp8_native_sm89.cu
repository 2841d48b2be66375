// Linear layers with whole rows of e4m3 for cards whose mma multiplies float8, 8.9 and 12.0: linear_fp8.cuh.
#include "linear_fp8.cuh"

FLOAT8_LINEAR(linear_fp8_e4m3_broad, BroadTile, 1, e4m3, false, AsyncBytes)
FLOAT8_LINEAR(linear_fp8_e4m3_large, LargeTile, 2, e4m3, false, AsyncBytes)
FLOAT8_LINEAR(linear_fp8_e4m3_small, SmallTile, 3, e4m3, false, AsyncBytes)
