// Linear layers with dense weights, out = epilogue(x w^T + bias): gemm.cuh's product for each type of product, way of
// reading x and w, and tile. Names: linear_<type>[_x][_w]_<tile>; x or w in the name is read by ConvertingRows (another
// type than the product's, or rows that are not aligned to 16 bytes), otherwise it goes straight to shared memory.
#pragma once
#include "gemm.cuh"

typedef Problems<Rows, Rows> Linears;
typedef Problems<Rows, Rows, 1> GatedLinear;

// Those with w in the name also apply a scale and add a side product: what an adapter makes of x beside its matrix.
// A converting loader holds 16 registers of elements on their way: a large tile then has an SM to itself. Activations
// to be rounded come in few rows, so x has no large tile.
#define LINEAR(name, tile, blocks, type, x_loader, w_loader, sided)      \
    extern "C" __global__ void __launch_bounds__(tile::THREADS, blocks)  \
    name(const __grid_constant__ Linears launch) {                       \
        gemm<tile, type, x_loader, w_loader, sided>(launch);             \
    }

// linear_<type>_gated_<tile>: out = (x wv^T + bv) act(x wg^T + bg), w and bias holding wv and bv above wg and bg.
#define GATED_LINEAR(name, tile, blocks, type)                           \
    extern "C" __global__ void __launch_bounds__(tile::THREADS, blocks)  \
    name(const __grid_constant__ GatedLinear launch) {                   \
        gemm<tile, type, AsyncRows, AsyncHalves, false, true>(launch);   \
    }

#define LINEARS(type)                                                                             \
    GATED_LINEAR(linear_##type##_gated_broad, BroadTile, 1, type)                                 \
    GATED_LINEAR(linear_##type##_gated_large, LargeTile, 2, type)                                 \
    GATED_LINEAR(linear_##type##_gated_small, SmallTile, 3, type)                                 \
    LINEAR(linear_##type##_broad, BroadTile, 1, type, AsyncRows, AsyncRows, false)                \
    LINEAR(linear_##type##_large, LargeTile, 2, type, AsyncRows, AsyncRows, false)                \
    LINEAR(linear_##type##_w_large, LargeTile, 1, type, AsyncRows, ConvertingRows, true)          \
    LINEAR(linear_##type##_small, SmallTile, 3, type, AsyncRows, AsyncRows, false)                \
    LINEAR(linear_##type##_x_small, SmallTile, 3, type, ConvertingRows, AsyncRows, false)         \
    LINEAR(linear_##type##_w_small, SmallTile, 3, type, AsyncRows, ConvertingRows, true)          \
    LINEAR(linear_##type##_x_w_small, SmallTile, 3, type, ConvertingRows, ConvertingRows, true)
