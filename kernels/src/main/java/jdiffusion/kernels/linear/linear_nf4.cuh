// Linear layers with weights in 4 bits, out = epilogue(x w^T + bias): gemm.cuh's product with the loaders of
// four_bit.cuh. Names: linear_nf4_<type>[_x][_any]_<tile>; x in the name is read by ConvertingRows (another type than
// the product's, or rows that are not aligned to 16 bytes), otherwise it goes straight to shared memory; any is for
// weights whose rows are not whole blocks.
//
// Wide tile: 128 x 64 by 4 warps of 64 x 32 each. As many rows of x as the large dense tile, since every one of them
// shares the work of expanding codes, and half its columns, so that three stages (36 KiB) leave room for the scales.
#pragma once
#include "four_bit.cuh"

typedef Problems<Rows, FourBit> FourBitLinears;
typedef Tile<128, 64, 2, 2, 3> WideTile;

#define LINEAR_NF4(name, tile, type, x_loader, w_loader)                                       \
    extern "C" __global__ void __launch_bounds__(tile::THREADS, 2)                             \
    name(const __grid_constant__ FourBitLinears launch) {                                      \
        gemm<tile, type, x_loader, w_loader, true>(launch);                                    \
    }

#define LINEARS_NF4(type)                                                                      \
    LINEAR_NF4(linear_nf4_##type##_wide, WideTile, type, AsyncRows, FourBitRows)               \
    LINEAR_NF4(linear_nf4_##type##_small, SmallTile, type, AsyncRows, FourBitRows)             \
    LINEAR_NF4(linear_nf4_##type##_x_small, SmallTile, type, ConvertingRows, FourBitRows)      \
    LINEAR_NF4(linear_nf4_##type##_any_small, SmallTile, type, AsyncRows, FourBitElements)     \
    LINEAR_NF4(linear_nf4_##type##_x_any_small, SmallTile, type, ConvertingRows, FourBitElements)
