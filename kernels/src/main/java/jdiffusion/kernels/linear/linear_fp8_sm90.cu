// Linear layers with whole rows of e4m3 for cards of compute capability 9.0, whose mma has no float8: linear_sm90.cuh's
// products of x, rounded to e4m3 as linear_fp8.cuh says, by the weights as they are. A stage holds 128 of k in the
// bytes where bfloat16 has 64, and its products take half the time. What an adapter adds comes behind them, in stages
// of 64 of its rank: products of bfloat16, which the tensor cores add to the scaled sums.
//
// 128 x 128 of out: 64 sums and twice 64 of single stages are what a thread's registers hold. It is also the tile for
// few rows, so that sums do not depend on how many there are: one block makes those of up to 128, pairs of more.
#include "linear_sm90.cuh"

WARPGROUP_LINEAR(linear_fp8_e4m3_sm90_large, LargeWarpgroupTile, e4m3, false)
WARPGROUP_PAIR_LINEAR(linear_fp8_e4m3_sm90_pair_large, LargeWarpgroupPair, e4m3, false)
