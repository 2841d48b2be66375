package jdiffusion.lab;

import java.util.List;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;
import jdiffusion.emulator.KernelCounters;
import jdiffusion.lab.Puzzle.Demand;
import jdiffusion.lab.Puzzle.Expected;

/** The puzzles of {@code kernel learn}, from the first kernel to tensor cores. */
final class Puzzles {
    private static final Demand WHOLE_SECTORS = most("sectors for each that the bytes need", c -> (double)
            c.traffic().globalSectors / Math.max(1, c.traffic().globalIdealSectors), 1.05, "the lanes of a warp go to"
            + " places that lie apart; let neighbouring lanes take neighbouring elements");
    private static final Demand NO_CONFLICTS = most("cycles lost to bank conflicts", c ->
            c.traffic().sharedConflictCycles, 0, "look at the banks: word i lies in bank i % 32, and lanes that want"
            + " different words of one bank wait for each other; another length of the rows moves them apart");

    static final List<Puzzle> ALL = List.of(
        puzzle(1, "first-kernel", "add_ten<<<1,64>>>(in:x=rand(64), y=zeros(64))", "y", 1e-6,
            b -> i -> b.get("x").get(i) + 10, "each thread stores one element: y[i] = ..."),
        puzzle(2, "guard", "twice<<<4,256>>>(in:x=rand(1000), y=zeros(1000), 1000)", "y", 1e-6,
            b -> i -> 2 * b.get("x").get(i), "threads whose i is below n do their element, and the others nothing"),
        puzzle(3, "stride-loop", "squares<<<4,128>>>(in:x=rand(10000), y=zeros(10000), 10000)", "y", 1e-6,
            b -> i -> b.get("x").get(i) * b.get("x").get(i), "all threads together are gridDim.x * blockDim.x: go on"
            + " by as many, in a loop", WHOLE_SECTORS),
        puzzle(4, "sectors", "scale_rows<<<(2,8),(32,8)>>>(in:x=rand(64x64), in:scale=rand(64), y=zeros(64x64), 64)",
            "y", 1e-6, b -> i -> b.get("scale").get(i / 64) * b.get("x").get(i), "each row has a number of its own",
            WHOLE_SECTORS),
        puzzle(5, "barrier", "turn_round<<<3,128>>>(x=rand(384))", "x", 0,
            b -> i -> b.get("x").get(i / 128 * 128 + 127 - i % 128), "the first element of a block's 128 becomes its"
            + " last", least("requests to shared memory", c -> c.traffic().sharedRequests, 24,
                "let the elements pass through s")),
        puzzle(6, "banks", "transpose<<<(2,2),(32,8)>>>(in:x=rand(64x64), y=zeros(64x64), 64)", "y", 0,
            b -> i -> b.get("x").get(i % 64 * 64 + i / 64), "the tile is written by rows and read by columns",
            WHOLE_SECTORS, NO_CONFLICTS),
        puzzle(7, "warp-sum", "warp_sum<<<2,128>>>(in:x=rand(256), y=zeros(8))", "y", 1e-4,
            b -> i -> sum(b.get("x"), (int) i * 32, 32), "after __shfl_down_sync by 16 the first 16 lanes hold sums of"
            + " two; then by 8, 4, 2 and 1",
            most("requests to shared memory", c -> c.traffic().sharedRequests, 0, "the lanes can read each other's"
                + " registers; shared memory is not needed"),
            most("requests to global memory", c -> c.traffic().globalRequests, 16, "each lane reads one number, and the"
                + " first lane of a warp stores one")),
        puzzle(8, "block-sum", "block_sum<<<4,256>>>(in:x=rand(1024), y=zeros(4))", "y", 1e-3,
            b -> i -> sum(b.get("x"), (int) i * 256, 256), "the sums of all 8 warps belong to it",
            least("lanes that take part in an instruction, on average", KernelCounters::activeLanes, 20, "most threads"
                + " do nothing while one works: let each take one number"),
            most("requests to global memory", c -> c.traffic().globalRequests, 40, "each number is read once")),
        puzzle(9, "histogram", "histogram<<<4,256>>>(in:data=rand(4096,u8), bins=zeros(256,i32), 4096)", "bins", 0,
            b -> i -> IntStream.range(0, 4096).filter(k -> b.get("data").get(k) == i).count(), "bins[...]++ reads, adds"
            + " and writes; when two threads do that at once, one count is lost: atomicAdd does it in one piece",
            most("requests to global memory", c -> c.traffic().globalRequests, 192, "count in shared memory, and add"
                + " the sums of a block to bins at its end")),
        puzzle(10, "softmax", "softmax<<<4,32>>>(in:x=rand(4x128), y=zeros(4x128), 128, 300.0)", "y", 1e-5, b -> i -> {
            HostArray x = b.get("x");
            int row = (int) i / 128 * 128;
            double most = IntStream.range(0, 128).mapToDouble(k -> 300 * x.get(row + k)).max().orElseThrow();
            return Math.exp(300 * x.get(i) - most) / IntStream.range(0, 128)
                    .mapToDouble(k -> Math.exp(300 * x.get(row + k) - most)).sum();
        }, "NaN is infinity divided by infinity: exp(89) is too large for a float; take the largest number of the row"
            + " from all of them first", WHOLE_SECTORS),
        puzzle(11, "tiles", "product<<<(4,4),(16,16)>>>(in:a=rand(64x64), in:b=rand(64x64), c=zeros(64x64), 64)", "c",
            1e-4, b -> i -> IntStream.range(0, 64).mapToDouble(k -> b.get("a").get(i / 64 * 64 + k)
                * b.get("b").get(k * 64 + i % 64)).sum(), "wait with __syncthreads() until the tile is there, and again"
            + " until all have used it",
            most("sectors of global memory", c -> c.traffic().globalSectors, 6000, "each thread reads its whole row and"
                + " column; bring tiles into shared memory and let all threads of the block use them")),
        puzzle(12, "tensor-cores", "tensor_product<<<1,32>>>(in:a=rand(16x64,f16), in:b=rand(64x16,f16),"
            + " c=zeros(16x16))", "c", 1e-2, b -> i -> IntStream.range(0, 64).mapToDouble(k ->
                b.get("a").get(i / 16 * 64 + k) * b.get("b").get(k * 16 + i % 16)).sum(), "mma_sync(d, a, b, c)"
            + " computes d = a b + c; d and c may be the same",
            least("operations of tensor cores", KernelCounters::mmaFlops, 2 * 16 * 16 * 64, "use wmma::mma_sync")));

    private Puzzles() {}

    private static Puzzle puzzle(int number, String name, String launch, String result, double tolerance,
            Expected expected, String wrong, Demand... demands) {
        return new Puzzle(number, name, launch, result, tolerance, expected, wrong, List.of(demands));
    }

    private static Demand most(String what, ToDoubleFunction<KernelCounters> value, double limit, String hint) {
        return new Demand(what, value, false, limit, hint);
    }

    private static Demand least(String what, ToDoubleFunction<KernelCounters> value, double limit, String hint) {
        return new Demand(what, value, true, limit, hint);
    }

    private static double sum(HostArray array, int from, int count) {
        return IntStream.range(from, from + count).mapToDouble(array::get).sum();
    }
}
