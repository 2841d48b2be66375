// A loader for gemm.cuh that reads weights in GGUF's blocks (jdiffusion.tensor.BlockFormat) and hands the product what
// ggml would dequantise to. Elements exist in registers and in the tile in shared memory, never in global memory.
//
// Layouts and arithmetic are those of ggml's ggml-common.h and ggml-quants.c: an element is scale * (code - bias),
// less the least of its group where the format has one, each operation rounded in float32; a scale is itself a product
// in the formats of 256. The result is rounded once, to the product's type.
//
// Blocks have 18 to 210 bytes and begin at any even address. So each row has a ring of 256 bytes in shared memory, into
// which whole sectors of it are copied, each once; a warp has 16 rows for itself. Every fourth tile the codes of the
// next four are cut out of the ring, a byte for each, with their scales; from then on formats are alike.
#pragma once
#include "gemm.cuh"

// Numbered as ggml does.
enum BlockFormat : int {
    Q4_0 = 2, Q4_1 = 3, Q5_0 = 6, Q5_1 = 7, Q8_0 = 8, Q2_K = 10, Q3_K = 11, Q4_K = 12, Q5_K = 13, Q6_K = 14
};

struct Blocks {
    const u8* p;     // [rows, row_bytes]
    int row_bytes;
    int format;
    int unit_bytes;  // that are asked for at once: 4 blocks of 32, or one of 256
    int unit_tiles;
    int bias;        // of codes
};

constexpr int AT_HAND = 256;      // bytes of a row, more than the sectors that any unit lies in
constexpr int SECTOR = 32;
constexpr int TILES_CUT = 4;      // tiles whose codes are cut out at once

// The low `bytes` of 16, and zeros after them.
static __device__ __forceinline__ void copy_async_part(u32 to, const void* from, int bytes) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(bytes) : "memory");
}

template <int BYTES> __device__ __forceinline__ u8* block_rings() {
    __shared__ __align__(AT_HAND) u8 rings[BYTES];
    return rings;
}

// Two threads a row. Of a tile, thread `half` of them has the elements 16 half to 16 half + 15, in four quads that it
// takes in the order first, first ^ 1, first ^ 2, first ^ 3: first differs between the threads whose rows or halves
// would otherwise meet in one bank.
template <typename T, int ROWS, int THREADS> struct BlockRows {
    typedef ::Blocks Operand;
    static_assert(THREADS == 2 * ROWS, "two threads a row");

    const Operand* o;
    const u8* from;  // the 16 bytes in which the row begins, or the 16 after them in the second half's thread
    int end;         // of the row, counted from there; before all of it in a row that is not there
    int loaded;      // up to where the row was asked for, counted likewise; the end of a sector
    int unit;        // where the present unit begins, counted from the first 16 bytes
    int tile;        // number of the next tile to land
    u32 ring;        // offset of the row's ring, and the swizzle in bits 4 to 6
    u32 to;          // of the first quad in a tile
    float offset;    // what a code is counted from, as a float of the form that value() makes
    u32 codes[TILES_CUT][4];
    float scale[TILES_CUT];
    float least[TILES_CUT];

    __device__ __forceinline__ static int half() {
        return threadIdx.x % 2;
    }

    __device__ __forceinline__ static int first_quad() {
        return half() | threadIdx.x / 8 & 2;
    }

    __device__ __forceinline__ void open(const Operand& operand, int first, int rows, int) {
        o = &operand;
        int row = threadIdx.x / 2;
        const u8* p = o->p + (long long)(first + row) * o->row_bytes;
        int skew = (int)((u64)p % 16);
        from = p - skew + half() * 16;
        end = first + row < rows ? skew + o->row_bytes - half() * 16 : -SECTOR;
        loaded = skew - (int)((u64)p % SECTOR);
        unit = skew;
        tile = 0;
        // Both the 16 bytes of 8 rows and the sectors of 4 touch every bank once.
        ring = row * AT_HAND | (row << 1 & 6 | row >> 2 & 1) << 4;
        to = chunk_offset(row, 2 * half()) ^ first_quad() * 8;
        offset = 8388608.0f + (float)o->bias;
        load(unit + o->unit_bytes);
        copy_commit();
        copy_wait<0>();
        __syncwarp();
    }

    __device__ __forceinline__ void fetch(u32) {
        // The last of the unit's codes have been cut out.
        if (tile % o->unit_tiles == o->unit_tiles - TILES_CUT + 1) {
            unit += o->unit_bytes;
            load(unit + o->unit_bytes);
        }
    }

    __device__ __forceinline__ void load(int limit) {
        u32 rings = shared_address(block_rings<ROWS * AT_HAND>());
#pragma unroll 1
        for (; loaded < limit; loaded += SECTOR) {
            copy_async_part(rings + (ring ^ (loaded + half() * 16 & (AT_HAND - 1))), from + loaded,
                            min(max(end - loaded, 0), 16));
        }
    }

    __device__ __forceinline__ void land(u32 at) {
        if (tile % TILES_CUT == 0) {
            cut();
            __syncwarp();
        }
#pragma unroll
        for (int j = 0; j < 4; j++) {
            u32 low = pack<T>(value(codes[0][j], 0), value(codes[0][j], 1));
            u32 high = pack<T>(value(codes[0][j], 2), value(codes[0][j], 3));
            asm volatile("st.shared.v2.b32 [%0], {%1, %2};" ::"r"(at + (to ^ j * 8)), "r"(low), "r"(high) : "memory");
        }
#pragma unroll
        for (int i = 1; i < TILES_CUT; i++) {
            scale[i - 1] = scale[i];
            least[i - 1] = least[i];
#pragma unroll
            for (int j = 0; j < 4; j++) {
                codes[i - 1][j] = codes[i][j];
            }
        }
        tile++;
    }

    // 2^23 + code is exact, and so is what is taken from it.
    __device__ __forceinline__ float value(u32 four, int byte) const {
        float code = __uint_as_float(__byte_perm(four, 0x4B000000, 0x7650 | byte)) - offset;
        return __fsub_rn(__fmul_rn(code, scale[0]), least[0]);
    }

    // ---- The ring, by the position in the row: all are even, and so is what a load of two or four bytes takes.

    __device__ __forceinline__ u32 word(int at) const {
        return *(const u32*)(block_rings<ROWS * AT_HAND>() + (ring ^ (at & (AT_HAND - 4))));
    }

    __device__ __forceinline__ float half_float(int at) const {
        return to_float(f16{(u16)(word(at) >> (at & 2) * 8)});
    }

    __device__ __forceinline__ u32 byte(int at) const {
        return word(at) >> (at & 3) * 8 & 0xFF;
    }

    // Four bytes `fixed + words` behind the unit's begin, words a multiple of 4. ALIGNED blocks are whole words; in
    // others they may lie in two, and the second is not read where it has nothing of them.
    template <bool ALIGNED> __device__ __forceinline__ u32 four(int fixed, int words) const {
        int at = unit + fixed + words;
        int split = ALIGNED ? 0 : (unit ^ fixed) & 2;
        return ALIGNED ? word(at) : __funnelshift_r(word(at), word(at + split * 2), split * 8);
    }

    template <bool ALIGNED> __device__ __forceinline__ u32 quad(int fixed, int words, int j) const {
        return four<ALIGNED>(fixed, words + (first_quad() ^ j) * 4);
    }

    // ---- Codes and scales of the next four tiles.

    __device__ __forceinline__ void cut() {
        int part = tile % o->unit_tiles / TILES_CUT;
        switch (o->format) {
            case Q4_0: cut_small<Q4_0, 18>(); break;
            case Q4_1: cut_small<Q4_1, 20>(); break;
            case Q5_0: cut_small<Q5_0, 22>(); break;
            case Q5_1: cut_small<Q5_1, 24>(); break;
            case Q8_0: cut_small<Q8_0, 34>(); break;
            case Q2_K: cut_2(part); break;
            case Q3_K: cut_3(part); break;
            case Q4_K: cut_4_or_5<false>(part); break;
            case Q5_K: cut_4_or_5<true>(part); break;
            default: cut_6(part);
        }
    }

    // A block is a tile: scale, perhaps least, perhaps the fifth bits of all codes, then the codes: bytes, or the first
    // 16 in the low halves of bytes and the others in the high halves.
    template <BlockFormat FORMAT, int BYTES> __device__ __forceinline__ void cut_small() {
        constexpr bool ALIGNED = BYTES % 4 == 0;
        constexpr bool LEAST = FORMAT == Q4_1 || FORMAT == Q5_1;
        constexpr bool FIFTH = FORMAT == Q5_0 || FORMAT == Q5_1;
#pragma unroll
        for (int i = 0; i < TILES_CUT; i++) {
            scale[i] = half_float(unit + i * BYTES);
            least[i] = LEAST ? -half_float(unit + i * BYTES + 2) : 0.0f;
            int at = i * BYTES + (LEAST ? 4 : 2);
            u32 fifth = FIFTH ? four<ALIGNED>(at, 0) >> half() * 16 : 0;
            at += FIFTH ? 4 : 0;
#pragma unroll
            for (int j = 0; j < 4; j++) {
                if (FORMAT == Q8_0) {
                    codes[i][j] = quad<ALIGNED>(at, half() * 16, j) ^ 0x80808080u;
                    continue;
                }
                codes[i][j] = quad<ALIGNED>(at, 0, j) >> half() * 4 & 0x0F0F0F0Fu;
                if (FIFTH) {
                    u32 bits = fifth >> (first_quad() ^ j) * 4 & 15;
                    codes[i][j] |= (bits * 0x00204081u & 0x01010101u) << 4;
                }
            }
        }
    }

    // 16 bytes of scales (low halves) and leasts (high) of 16 elements, two bits of codes, the factors of both.
    __device__ __forceinline__ void cut_2(int part) {
        float factor = half_float(unit + 80);
        float least_factor = half_float(unit + 82);
#pragma unroll
        for (int i = 0; i < TILES_CUT; i++) {
            u32 both = byte(unit + part * 8 + i * 2 + half());
            scale[i] = __fmul_rn(factor, (float)(both & 15));
            least[i] = __fmul_rn(least_factor, (float)(both >> 4));
#pragma unroll
            for (int j = 0; j < 4; j++) {
                codes[i][j] = quad<true>(16, part * 32 + half() * 16, j) >> i * 2 & 0x03030303u;
            }
        }
    }

    // The third bits of all codes, one bit of each byte for a tile; two bits; 16 scales of six bits; their factor.
    __device__ __forceinline__ void cut_3(int part) {
        u32 high = four<false>(104, 0) >> part * 4;
        u32 scales[2] = {four<false>(96, 0) >> part * 4 & 0x0F0F0F0Fu | (high & 0x03030303u) << 4,
                         four<false>(100, 0) >> part * 4 & 0x0F0F0F0Fu | (high >> 2 & 0x03030303u) << 4};
        float factor = half_float(unit + 108);
#pragma unroll
        for (int i = 0; i < TILES_CUT; i++) {
            int code = scales[i / 2] >> (i % 2 * 16 + half() * 8) & 63;
            scale[i] = __fmul_rn(factor, (float)(code - 32));
            least[i] = 0.0f;
#pragma unroll
            for (int j = 0; j < 4; j++) {
                u32 third = quad<false>(0, half() * 16, j) >> (part * 4 + i) & 0x01010101u;
                u32 low = quad<false>(32, part * 32 + half() * 16, j) >> i * 2 & 0x03030303u;
                codes[i][j] = low | third << 2;
            }
        }
    }

    // Factors of scales and of leasts, eight of each in six bits, with FIFTH the fifth bits, one bit of each byte for a
    // tile, and the codes, two tiles in the halves of bytes.
    template <bool FIFTH> __device__ __forceinline__ void cut_4_or_5(int part) {
        float factor = half_float(unit);
        float least_factor = half_float(unit + 2);
        u32 low = word(unit + 4);
        u32 middle = word(unit + 8);
        u32 high = word(unit + 12);
        u32 scales = low & 0x3F3F3F3Fu;
        u32 leasts = middle & 0x3F3F3F3Fu;
        if (part == 1) {
            scales = high & 0x0F0F0F0Fu | (low >> 6 & 0x03030303u) << 4;
            leasts = high >> 4 & 0x0F0F0F0Fu | (middle >> 6 & 0x03030303u) << 4;
        }
#pragma unroll
        for (int i = 0; i < TILES_CUT; i++) {
            scale[i] = __fmul_rn(factor, (float)(scales >> i * 8 & 0xFF));
            least[i] = __fmul_rn(least_factor, (float)(leasts >> i * 8 & 0xFF));
#pragma unroll
            for (int j = 0; j < 4; j++) {
                u32 two = quad<true>(FIFTH ? 48 : 16, part * 64 + i / 2 * 32 + half() * 16, j);
                codes[i][j] = two >> i % 2 * 4 & 0x0F0F0F0Fu;
                if (FIFTH) {
                    u32 fifth = quad<true>(16, half() * 16, j) >> (part * 4 + i);
                    codes[i][j] |= (fifth & 0x01010101u) << 4;
                }
            }
        }
    }

    // Four bits of the codes, two more, 16 scales, their factor.
    __device__ __forceinline__ void cut_6(int part) {
        float factor = half_float(unit + 208);
#pragma unroll
        for (int i = 0; i < TILES_CUT; i++) {
            scale[i] = __fmul_rn(factor, (float)(signed char)byte(unit + 192 + part * 8 + i * 2 + half()));
            least[i] = 0.0f;
#pragma unroll
            for (int j = 0; j < 4; j++) {
                u32 low = quad<false>(0, part * 64 + i % 2 * 32 + half() * 16, j) >> i / 2 * 4 & 0x0F0F0F0Fu;
                u32 high = quad<false>(128, part * 32 + half() * 16, j) >> i * 2 & 0x03030303u;
                codes[i][j] = low | high << 4;
            }
        }
    }
};
