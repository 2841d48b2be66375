// Linear layers with dense weights, out = epilogue(x w^T + bias): gemm.cuh's product for each type of product, way of
// reading x and w, and tile. Names: linear_<type>[_x][_w]_<tile>; x or w in the name is read by ConvertingRows (another
// type than the product's, or rows that are not aligned to 16 bytes), otherwise it goes straight to shared memory.
#pragma once
#include "gemm.cuh"

typedef Problems<Rows, Rows> Linears;

// Those with w in the name also add a side product: what an adapter makes of x, where its matrix is not merged.
// A converting loader holds 16 registers of elements on their way: a large tile then has an SM to itself. Activations
// to be rounded come in few rows, so x has no large tile.
#define LINEAR(name, tile, blocks, type, x_loader, w_loader, sided)      \
    extern "C" __global__ void __launch_bounds__(tile::THREADS, blocks)  \
    name(const __grid_constant__ Linears launch) {                       \
        gemm<tile, type, x_loader, w_loader, sided>(launch);             \
    }

#define LINEARS(type)                                                                             \
    LINEAR(linear_##type##_large, LargeTile, 2, type, AsyncRows, AsyncRows, false)                \
    LINEAR(linear_##type##_w_large, LargeTile, 1, type, AsyncRows, ConvertingRows, true)          \
    LINEAR(linear_##type##_small, SmallTile, 3, type, AsyncRows, AsyncRows, false)                \
    LINEAR(linear_##type##_x_small, SmallTile, 3, type, ConvertingRows, AsyncRows, false)         \
    LINEAR(linear_##type##_w_small, SmallTile, 3, type, AsyncRows, ConvertingRows, true)          \
    LINEAR(linear_##type##_x_w_small, SmallTile, 3, type, ConvertingRows, ConvertingRows, true)
