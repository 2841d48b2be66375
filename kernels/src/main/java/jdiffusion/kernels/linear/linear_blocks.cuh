// Linear layers with weights in GGUF's blocks, out = epilogue(x w^T + bias): gemm.cuh's product with the loader of
// blocks.cuh. Names: linear_blocks_<type>[_x]_<tile>; x in the name is read by ConvertingRows (another type than the
// product's, or rows that are not aligned to 16 bytes), otherwise it goes straight to shared memory.
//
// Tiles are as wide as a warp's rings allow beside three stages: 96 x 64 by 4 warps of 48 x 32 each, or 64 x 64, in less
// than 48 KiB, so that two blocks share an SM.
#pragma once
#include "blocks.cuh"

typedef Problems<Rows, Blocks> BlockLinears;
typedef Tile<96, 64, 2, 2, 3> WideTile;
typedef Tile<64, 64, 2, 2, 3> NarrowTile;

#define LINEAR_BLOCKS(name, tile, type, x_loader)                                              \
    extern "C" __global__ void __launch_bounds__(tile::THREADS, 2)                             \
    name(const __grid_constant__ BlockLinears launch) {                                        \
        gemm<tile, type, x_loader, BlockRows, true>(launch);                                   \
    }

#define LINEARS_BLOCKS(type)                                                                   \
    LINEAR_BLOCKS(linear_blocks_##type##_wide, WideTile, type, AsyncRows)                      \
    LINEAR_BLOCKS(linear_blocks_##type##_small, NarrowTile, type, AsyncRows)                   \
    LINEAR_BLOCKS(linear_blocks_##type##_x_small, NarrowTile, type, ConvertingRows)
