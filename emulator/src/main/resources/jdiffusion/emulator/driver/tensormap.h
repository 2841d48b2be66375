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
    uint16_t unused, box[5];
    uint8_t steps[5], more_unused[5];
    uint64_t strides[4], rest[4];
};

_Static_assert(sizeof(struct tensor_map) == 128, "the size of a CUtensorMap");

EXPORT int cuTensorMapEncodeTiled(struct tensor_map *map, int type, uint32_t rank, void *address, const uint64_t *dims,
                                  const uint64_t *strides, const uint32_t *box, const uint32_t *steps, int interleave,
                                  int swizzle, int promotion, int fill) {
    enum { TYPES = 13, MOST_SWIZZLE = 3, MOST_PROMOTION = 3, MOST_BOX = 256, MOST_STEP = 8 };
    static const uint8_t bytes[TYPES] = {1, 2, 4, 4, 8, 8, 2, 4, 8, 2, 4, 4, 4};
    static const uint16_t is_float = 1 << 6 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 12;
    INITIALISED;
    REQUIRE(capability >= 90, CUDA_ERROR_NOT_SUPPORTED);
    REQUIRE(map && (uintptr_t) map % 64 == 0 && type >= 0 && type < TYPES && rank >= 1 && rank <= 5,
            CUDA_ERROR_INVALID_VALUE);
    REQUIRE(address && (uintptr_t) address % 16 == 0 && dims && box && steps && (rank == 1 || strides),
            CUDA_ERROR_INVALID_VALUE);
    REQUIRE(interleave >= 0 && interleave <= 2 && swizzle >= 0 && swizzle <= MOST_SWIZZLE && promotion >= 0
            && promotion <= MOST_PROMOTION && (fill == 0 || (fill == 1 && is_float >> type & 1)),
            CUDA_ERROR_INVALID_VALUE);
    REQUIRE(interleave == 0, CUDA_ERROR_NOT_SUPPORTED);
    struct tensor_map made = {.magic = 0x3150414d54494444, .address = (uint64_t) address, .type = type, .rank = rank,
                              .swizzle = swizzle, .promotion = promotion, .fill = fill};
    for (uint32_t i = 0; i < rank; i++) {
        REQUIRE(dims[i] >= 1 && dims[i] <= (uint64_t) 1 << 32 && box[i] >= 1 && box[i] <= MOST_BOX && steps[i] >= 1
                && steps[i] <= MOST_STEP, CUDA_ERROR_INVALID_VALUE);
        made.last[i] = dims[i] - 1;
        made.box[i] = box[i];
        made.steps[i] = steps[i];
        if (i > 0) {
            REQUIRE(strides[i - 1] % 16 == 0 && strides[i - 1] < (uint64_t) 1 << 40, CUDA_ERROR_INVALID_VALUE);
            made.strides[i - 1] = strides[i - 1];
        }
    }
    uint32_t inner = box[0] * bytes[type], width = swizzle ? 16u << swizzle : inner;
    REQUIRE(inner % 16 == 0 && inner <= width, CUDA_ERROR_INVALID_VALUE);
    REQUIRE(inner == width, CUDA_ERROR_NOT_SUPPORTED);
    *map = made;
    return CUDA_SUCCESS;
}
