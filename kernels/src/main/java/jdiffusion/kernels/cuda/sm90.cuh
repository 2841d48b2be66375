// What only cards of compute capability 9.0 have, and kernels of files that end in _sm90 use: barriers in shared memory
// that count bytes, the tensor memory accelerator (TMA), products of a warpgroup. After the PTX manual, "Asynchronous
// warpgroup level matrix instructions", "mbarrier" and "cp.async.bulk.tensor".
#pragma once
#include "device.cuh"

constexpr int WARPGROUP = 128;  // threads: four warps, the first of which has a number that 4 divides

// ---- A tensor's map: how the driver describes rows of memory to the TMA; opaque.

struct alignas(64) TensorMap {
    u64 opaque[16];
};

// ---- Barriers in shared memory. A phase is over when `count` threads have arrived and all expected bytes are there.
// Phases are told apart by their parity: the first has 0.

static __device__ __forceinline__ void open_barrier(u32 barrier, int count) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(count) : "memory");
}

// After all were opened by this thread and before other threads or the TMA use one; the others need a block's barrier.
static __device__ __forceinline__ void barriers_opened() {
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

static __device__ __forceinline__ void arrive(u32 barrier) {
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory");
}

static __device__ __forceinline__ void arrive_expecting(u32 barrier, u32 bytes) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes) : "memory");
}

// Waits until the phase of this parity is over.
static __device__ __forceinline__ void await(u32 barrier, u32 parity) {
    asm volatile(
            "{\n"
            ".reg .pred over;\n"
            "again:\n"
            "mbarrier.try_wait.parity.shared::cta.b64 over, [%0], %1;\n"
            "@!over bra again;\n"
            "}" ::"r"(barrier), "r"(parity) : "memory");
}

// ---- Clusters: blocks that run beside each other and see each other's shared memory, in which the same thing has the
// same address less the block's. The launch's blocks are numbered so that those of a cluster follow each other.

// All threads of the cluster that are left; what they did before is seen by all that were there.
static __device__ __forceinline__ void meet_cluster() {
    __syncwarp();
    asm volatile("barrier.cluster.arrive.release.aligned;\nbarrier.cluster.wait.acquire.aligned;" ::: "memory");
}

// What lies at an address of this block, in the block of that rank.
static __device__ __forceinline__ u32 in_block(u32 address, int rank) {
    u32 there;
    asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(there) : "r"(address), "r"(rank));
    return there;
}

// At a barrier of any block of the cluster.
static __device__ __forceinline__ void arrive_there(u32 barrier) {
    asm volatile("mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%0];" ::"r"(barrier) : "memory");
}

// As await(), for a barrier at which threads of other blocks arrive.
static __device__ __forceinline__ void await_cluster(u32 barrier, u32 parity) {
    asm volatile(
            "{\n"
            ".reg .pred over;\n"
            "again:\n"
            "mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 over, [%0], %1;\n"
            "@!over bra again;\n"
            "}" ::"r"(barrier), "r"(parity) : "memory");
}

// A ring's stage, and the parity of the phases of its barriers in this round.
template <int STAGES> struct RingPlace {
    int stage = 0;
    u32 parity = 0;

    __device__ __forceinline__ void next() {
        stage++;
        if (stage == STAGES) {
            stage = 0;
            parity ^= 1;
        }
    }
};

// ---- The TMA: a box of a tensor to shared memory, with zeros where the box lies outside the tensor. Its bytes, those
// zeros among them, count for the barrier. Coordinates are elements, the innermost first.

static __device__ __forceinline__ void copy_box(u32 to, const TensorMap& map, int x, int y, u32 barrier) {
    asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes"
                 " [%0], [%1, {%2, %3}], [%4];" ::"r"(to), "l"(&map), "r"(x), "r"(y), "r"(barrier) : "memory");
}

// The same to each block of the cluster whose rank's bit is in `ranks`, where the same barrier counts.
static __device__ __forceinline__ void copy_box_to(u16 ranks, u32 to, const TensorMap& map, int x, int y, u32 barrier) {
    asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.multicast::cluster"
                 " [%0], [%1, {%2, %3}], [%4], %5;" ::"r"(to), "l"(&map), "r"(x), "r"(y), "r"(barrier), "h"(ranks)
                 : "memory");
}

static __device__ __forceinline__ void copy_box(u32 to, const TensorMap& map, int x, int y, int z, int w, u32 barrier) {
    asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes"
                 " [%0], [%1, {%2, %3, %4, %5}], [%6];" ::"r"(to), "l"(&map), "r"(x), "r"(y), "r"(z), "r"(w),
                 "r"(barrier) : "memory");
}

// ---- Registers, which a warpgroup can give to the others of its block.

template <int REGISTERS> __device__ __forceinline__ void keep_registers() {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(REGISTERS));
}

template <int REGISTERS> __device__ __forceinline__ void take_registers() {
    asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(REGISTERS));
}

// ---- Tiles of operands in shared memory: rows of 128 bytes (64 elements), one behind the other from a multiple of
// 1024 bytes on. The 16-byte pieces of a row change places by exclusive-or with the row's number modulo 8, as the TMA
// writes them and the tensor cores read them ("128-byte swizzle").

constexpr int SWIZZLED_ROW = 128;
constexpr int SWIZZLED_GROUP = 8 * SWIZZLED_ROW;

// What tells the tensor cores of a tile: its address, the distance between groups of 8 rows, both in units of 16 bytes,
// and the swizzle. Where k runs along its rows, the next product is 32 bytes further. Where it is a row's number, a
// tile of more than 64 columns is several of 64, `apart` bytes from one to the next.
static __device__ __forceinline__ u64 operand_of(u32 tile, int apart = 16) {
    constexpr u64 SWIZZLE_128 = 1ull << 62;
    constexpr u64 GROUPS_APART = (u64)(SWIZZLED_GROUP >> 4) << 32;
    return SWIZZLE_128 | GROUPS_APART | (u64)(apart >> 4) << 16 | (tile & 0x3FFFF) >> 4;
}

constexpr u64 NEXT_32_BYTES = 32 >> 4;

// ---- Products of a warpgroup: sums [64, N] += a [64, 16] b [N, 16]^T, both operands in shared memory; of float8, 32
// of k in the same bytes. A thread has of sums, for every 8 columns, what it has of mma.m16n8k16's: warp w the rows
// 16 w to 16 w + 15. The products run on while the threads do; sums and operands may be touched again after
// products_wait().

// Registers and shared memory that this thread wrote before are seen by the products that follow.
static __device__ __forceinline__ void products_begin() {
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}

// What was begun since the last commit is a group.
static __device__ __forceinline__ void products_commit() {
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}

// Waits until at most `pending` groups are under way.
template <int pending> __device__ __forceinline__ void products_wait() {
    asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(pending) : "memory");
}

// The compiler must keep sums, and operands in registers, where they are while products are under way.
template <int COUNT> __device__ __forceinline__ void hold(float (&sums)[COUNT]) {
#pragma unroll
    for (int i = 0; i < COUNT; i++) {
        asm volatile("" : "+f"(sums[i])::"memory");
    }
}

template <int COUNT> __device__ __forceinline__ void hold(u32 (&operands)[COUNT][4]) {
#pragma unroll
    for (int i = 0; i < 4 * COUNT; i++) {
        asm volatile("" : "+r"(operands[i / 4][i % 4])::"memory");
    }
}

#define SUMS_32 \
    "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, " \
    "%20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}"

#define SUMS_36 \
    "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, " \
    "%20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35}"

#define SUMS_40 \
    "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, " \
    "%20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, %36, %37, %38, %39}"

#define SUMS_64 \
    "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, " \
    "%20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, %36, %37, %38, " \
    "%39, %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, " \
    "%58, %59, %60, %61, %62, %63}"

#define SUMS_128 \
    "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, " \
    "%20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, %36, %37, %38, " \
    "%39, %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, " \
    "%58, %59, %60, %61, %62, %63, %64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, " \
    "%77, %78, %79, %80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95, " \
    "%96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111, " \
    "%112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127}"

#define KEEP_4(x, i) "+f"(x[i]), "+f"(x[i + 1]), "+f"(x[i + 2]), "+f"(x[i + 3])
#define KEEP_8(x, i) KEEP_4(x, i), KEEP_4(x, i + 4)
#define KEEP_16(x, i) KEEP_4(x, i), KEEP_4(x, i + 4), KEEP_4(x, i + 8), KEEP_4(x, i + 12)
#define KEEP_32(x, i) KEEP_16(x, i), KEEP_16(x, i + 16)
#define KEEP_64(x, i) KEEP_32(x, i), KEEP_32(x, i + 32)

struct e4m3 {
    u8 bits;
};

// sums = a b^T, or with `adding` sums += a b^T.
template <typename T, int N>
__device__ __forceinline__ void multiply(float (&sums)[N / 2], u64 a, u64 b, bool adding);

// `shape` and `ending`: k of one product, and whether operands lie the other way, which only those of 16 bits can.
#define MULTIPLY(type, n, shape, ending, list, a, b, adding, ...)                                                 \
    template <> __device__ __forceinline__ void multiply<type, n>(float (&sums)[n / 2], u64 x, u64 y, bool add) { \
        asm volatile(                                                                                             \
                "{\n.reg .pred adding;\nsetp.ne.b32 adding, " adding ", 0;\n"                                     \
                "wgmma.mma_async.sync.aligned.m64n" #n shape ".f32." #type "." #type " " list ", " a ", " b       \
                ", adding, 1, 1" ending ";\n}"                                                                    \
                : __VA_ARGS__ : "l"(x), "l"(y), "r"((int)add) : "memory");                                        \
    }

#define MULTIPLY_80(type, shape, ending) \
    MULTIPLY(type, 80, shape, ending, SUMS_40, "%40", "%41", "%42", KEEP_32(sums, 0), KEEP_8(sums, 32))
#define MULTIPLY_128(type, shape, ending) \
    MULTIPLY(type, 128, shape, ending, SUMS_64, "%64", "%65", "%66", KEEP_64(sums, 0))
#define MULTIPLY_256(type, shape, ending) \
    MULTIPLY(type, 256, shape, ending, SUMS_128, "%128", "%129", "%130", KEEP_64(sums, 0), KEEP_64(sums, 64))

MULTIPLY_80(bf16, "k16", ", 0, 0")
MULTIPLY_80(f16, "k16", ", 0, 0")
MULTIPLY_128(bf16, "k16", ", 0, 0")
MULTIPLY_128(f16, "k16", ", 0, 0")
MULTIPLY_128(e4m3, "k32", "")
MULTIPLY_256(bf16, "k16", ", 0, 0")
MULTIPLY_256(f16, "k16", ", 0, 0")

// sums += a b^T with a in registers, four for 16 of k as mma.m16n8k16 has them, and b lying the other way: rows of 64
// columns of b^T, one for each of k. 16 of k further is 2048 bytes more.
template <typename T, int N>
__device__ __forceinline__ void multiply_rows(float (&sums)[N / 2], const u32 (&a)[4], u64 b);

#define MULTIPLY_ROWS(type, n, list, a, b, ...)                                                                       \
    template <>                                                                                                       \
    __device__ __forceinline__ void multiply_rows<type, n>(float (&sums)[n / 2], const u32 (&x)[4], u64 y) {          \
        asm volatile("{\n.reg .pred adding;\nsetp.eq.b32 adding, 0, 0;\n"                                             \
                     "wgmma.mma_async.sync.aligned.m64n" #n "k16.f32." #type "." #type " " list ", " a ", " b         \
                     ", adding, 1, 1, 1;\n}"                                                                          \
                     : __VA_ARGS__ : "r"(x[0]), "r"(x[1]), "r"(x[2]), "r"(x[3]), "l"(y) : "memory");                  \
    }

#define MULTIPLY_ROWS_OF(type)                                                                                        \
    MULTIPLY_ROWS(type, 64, SUMS_32, "{%32, %33, %34, %35}", "%36", KEEP_32(sums, 0))                                 \
    MULTIPLY_ROWS(type, 72, SUMS_36, "{%36, %37, %38, %39}", "%40", KEEP_32(sums, 0), KEEP_4(sums, 32))               \
    MULTIPLY_ROWS(type, 128, SUMS_64, "{%64, %65, %66, %67}", "%68", KEEP_64(sums, 0))                                \
    MULTIPLY_ROWS(type, 256, SUMS_128, "{%128, %129, %130, %131}", "%132", KEEP_64(sums, 0), KEEP_64(sums, 64))

MULTIPLY_ROWS_OF(bf16)
MULTIPLY_ROWS_OF(f16)

constexpr u64 NEXT_16_ROWS = 16 * SWIZZLED_ROW >> 4;

// ---- Barriers of some warps: number 1 to 15, `threads` of all that take part, those that only arrive among them.

static __device__ __forceinline__ void meet_at(int barrier, int threads) {
    asm volatile("bar.sync %0, %1;" ::"r"(barrier), "r"(threads) : "memory");
}

static __device__ __forceinline__ void pass_by(int barrier, int threads) {
    asm volatile("bar.arrive %0, %1;" ::"r"(barrier), "r"(threads) : "memory");
}
