/*
 * Tensor maps, in an encoding of the emulated device's own; TensorMap.java reads it. Part of cuda.c.
 *
 * A map is refused as the driver's manual says. Not supported are interleaved tensors, and patterns (swizzles) wider than
 * the box, for which no document says where the rows of the box lie.
 */

struct tensor_map {
    uint64_t magic, address;
    uint32_t last[5]; /* size of each dimension less one */
    uint8_t type, rank, interleave, swizzle, promotion, fill;
    uint16_t pixels, box[5]; /* pixels of a column; 0: the box is a tile */
    uint8_t steps[5], unused[5];
    uint64_t strides[4];
    int16_t lower[4], upper[4]; /* corners of the box of pixels */
    uint64_t rest[2];
};

_Static_assert(sizeof(struct tensor_map) == 128, "the size of a CUtensorMap");

/* What both kinds of maps have; steps of dimension 0 are ignored by them. */
static int encode_tensor(struct tensor_map *made, struct tensor_map *map, int type, uint32_t rank, void *address,
                         const uint64_t *dims, const uint64_t *strides, const uint32_t *steps, int interleave, int swizzle,
                         int promotion, int fill) {
    enum { TYPES = 13, MOST_SWIZZLE = 3, MOST_PROMOTION = 3, MOST_STEP = 8 };
    static const uint16_t is_float = 1 << 6 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 12;
    INITIALISED;
    REQUIRE(capability >= 90, CUDA_ERROR_NOT_SUPPORTED);
    REQUIRE(map && (uintptr_t) map % 64 == 0 && type >= 0 && type < TYPES && rank >= 1 && rank <= 5,
            CUDA_ERROR_INVALID_VALUE);
    REQUIRE(address && (uintptr_t) address % 16 == 0 && dims && steps && (rank == 1 || strides),
            CUDA_ERROR_INVALID_VALUE);
    REQUIRE(interleave >= 0 && interleave <= 2 && swizzle >= 0 && swizzle <= MOST_SWIZZLE && promotion >= 0
            && promotion <= MOST_PROMOTION && (fill == 0 || (fill == 1 && is_float >> type & 1)),
            CUDA_ERROR_INVALID_VALUE);
    REQUIRE(interleave == 0, CUDA_ERROR_NOT_SUPPORTED);
    *made = (struct tensor_map) {.magic = 0x3150414d54494444, .address = (uint64_t) address, .type = type, .rank = rank,
                                 .swizzle = swizzle, .promotion = promotion, .fill = fill};
    for (uint32_t i = 0; i < rank; i++) {
        REQUIRE(dims[i] >= 1 && dims[i] <= (uint64_t) 1 << 32 && steps[i] >= 1 && steps[i] <= MOST_STEP,
                CUDA_ERROR_INVALID_VALUE);
        made->last[i] = dims[i] - 1;
        made->steps[i] = steps[i];
        if (i > 0) {
            REQUIRE(strides[i - 1] % 16 == 0 && strides[i - 1] < (uint64_t) 1 << 40, CUDA_ERROR_INVALID_VALUE);
            made->strides[i - 1] = strides[i - 1];
        }
    }
    return CUDA_SUCCESS;
}

/* The part of a box along dimension 0 fills the width of its pattern. */
static int encode_inner(struct tensor_map *made, uint32_t elements) {
    enum { MOST_BOX = 256 };
    static const uint8_t bytes[] = {1, 2, 4, 4, 8, 8, 2, 4, 8, 2, 4, 4, 4};
    REQUIRE(elements >= 1 && elements <= MOST_BOX, CUDA_ERROR_INVALID_VALUE);
    uint32_t inner = elements * bytes[made->type], width = made->swizzle ? 16u << made->swizzle : inner;
    REQUIRE(inner % 16 == 0 && inner <= width, CUDA_ERROR_INVALID_VALUE);
    REQUIRE(inner == width, CUDA_ERROR_NOT_SUPPORTED);
    made->box[0] = elements;
    return CUDA_SUCCESS;
}

EXPORT int cuTensorMapEncodeTiled(struct tensor_map *map, int type, uint32_t rank, void *address, const uint64_t *dims,
                                  const uint64_t *strides, const uint32_t *box, const uint32_t *steps, int interleave,
                                  int swizzle, int promotion, int fill) {
    enum { MOST_BOX = 256 };
    struct tensor_map made;
    int result = encode_tensor(&made, map, type, rank, address, dims, strides, steps, interleave, swizzle, promotion, fill);
    if (result == CUDA_SUCCESS) {
        REQUIRE(box, CUDA_ERROR_INVALID_VALUE);
        for (uint32_t i = 0; i < rank; i++) {
            REQUIRE(box[i] >= 1 && box[i] <= MOST_BOX, CUDA_ERROR_INVALID_VALUE);
            made.box[i] = box[i];
        }
        result = encode_inner(&made, box[0]);
    }
    if (result == CUDA_SUCCESS) {
        *map = made;
    }
    return result;
}

EXPORT int cuTensorMapEncodeIm2col(struct tensor_map *map, int type, uint32_t rank, void *address, const uint64_t *dims,
                                   const uint64_t *strides, const int *lower, const int *upper, uint32_t channels,
                                   uint32_t pixels, const uint32_t *steps, int interleave, int swizzle, int promotion,
                                   int fill) {
    enum { MOST_PIXELS = 1024 };
    /* Corners have 16, 8 or 5 bits, by the number of dimensions. */
    static const int most_corner[] = {0, 0, 0, 1 << 15, 1 << 7, 1 << 4};
    struct tensor_map made;
    int result = encode_tensor(&made, map, type, rank, address, dims, strides, steps, interleave, swizzle, promotion, fill);
    if (result == CUDA_SUCCESS) {
        REQUIRE(rank >= 3 && lower && upper && pixels >= 1 && pixels <= MOST_PIXELS, CUDA_ERROR_INVALID_VALUE);
        for (uint32_t i = 0; i < rank - 2; i++) {
            int most = most_corner[rank];
            REQUIRE(lower[i] >= -most && lower[i] < most && upper[i] >= -most && upper[i] < most
                    && lower[i] <= (int64_t) made.last[i + 1] + upper[i], CUDA_ERROR_INVALID_VALUE);
            made.lower[i] = lower[i];
            made.upper[i] = upper[i];
        }
        made.pixels = pixels;
        result = encode_inner(&made, channels);
    }
    if (result == CUDA_SUCCESS) {
        *map = made;
    }
    return result;
}
