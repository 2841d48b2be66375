package jdiffusion.kernels.linear;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import jdiffusion.kernels.cuda.Cuda;
import jdiffusion.kernels.cuda.KernelArgs;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Weight;

/**
 * Linear layers on a CUDA device whose weights are 4-bit codes: {@code linear_nf4.cu} expands them on their way into
 * the product, so that memory holds and delivers the codes alone.
 */
final class CudaNf4 {
    private static final String FILE = "linear/linear_nf4";
    private static final String PREFIX = "linear_nf4_";
    /** Blocks of the wide tile that a launch must have to be worth it: about what fills a card of the middle class. */
    private static final int LEAST_WIDE_BLOCKS = 96;
    private static final int THREADS = 128;
    private static final int CODES_ALIGNMENT = 16;
    /** Elements of a row that two threads read together; rows of whole ones take the fast way. */
    private static final int RUN = 64;

    private final Cuda cuda;

    /** What the kernels are compiled for: tiles of out, [rows, 64]. */
    private enum Tile {
        WIDE(128), SMALL(64);

        private static final int COLS = 64;

        private final int rows;

        Tile(int rows) {
            this.rows = rows;
        }

        int blocks(LinearCall call) {
            return Math.multiplyExact(Math.ceilDiv(call.m(), rows), Math.ceilDiv(call.n(), COLS));
        }

        int blocks(List<LinearCall> calls) {
            return calls.stream().mapToInt(this::blocks).reduce(0, Math::addExact);
        }
    }

    CudaNf4(Cuda cuda) {
        this.cuda = cuda;
    }

    /** Runs layers of which none reads what another writes; every weight is a {@link Weight.FourBit}. */
    void run(List<LinearCall> calls) {
        Map<String, List<LinearCall>> byKernel = new LinkedHashMap<>();
        for (LinearCall call : calls) {
            byKernel.computeIfAbsent(kernel(call), _ -> new ArrayList<>()).add(call);
        }
        byKernel.forEach((kernel, together) -> {
            for (int i = 0; i < together.size(); i += GemmArgs.MOST_PROBLEMS) {
                launch(kernel, together.subList(i, Math.min(i + GemmArgs.MOST_PROBLEMS, together.size())));
            }
        });
    }

    /** The name of a kernel but for its tile. */
    private String kernel(LinearCall call) {
        DType type = GemmArgs.productType(cuda, call.x());
        return PREFIX + type.name().toLowerCase(Locale.ROOT) + (GemmArgs.isDirect(call.x(), type) ? "" : "_x")
                + (isWhole((Weight.FourBit) call.w()) ? "" : "_any");
    }

    /** Whether rows begin and end with blocks and with the units in which codes are loaded. */
    private static boolean isWhole(Weight.FourBit w) {
        return w.cols() % RUN == 0 && w.blockSize() % RUN == 0
                && w.codes().data().address() % CODES_ALIGNMENT == 0;
    }

    /** The wide tile is for many rows, read directly from both sides. */
    private static Tile tile(String kernel, List<LinearCall> calls) {
        int wide = Tile.WIDE.blocks(calls);
        boolean simple = !kernel.endsWith("_x") && !kernel.endsWith("_any");
        return simple && wide >= LEAST_WIDE_BLOCKS && Tile.SMALL.blocks(calls) > wide ? Tile.WIDE : Tile.SMALL;
    }

    private void launch(String kernel, List<LinearCall> calls) {
        Tile tile = tile(kernel, calls);
        KernelArgs args = cuda.args();
        int blocks = 0;
        for (LinearCall call : calls) {
            GemmArgs.rows(args, call.x());
            weight(args, (Weight.FourBit) call.w());
            GemmArgs.output(args, call, blocks);
            blocks += tile.blocks(call);
        }
        GemmArgs.rest(args, calls.size());
        cuda.kernel(FILE, kernel + "_" + tile.name().toLowerCase(Locale.ROOT))
                .launch(() -> "in 4 bits " + calls, blocks, 1, 1, THREADS, 0, args);
    }

    /** {@code struct FourBit} of {@code four_bit.cuh}. */
    private static void weight(KernelArgs args, Weight.FourBit w) {
        Weight.FourBit.Nested nested = w.nested();
        args.pointer(w.codes()).pointer(w.map()).pointer(w.absmax());
        args.pointer(nested == null ? null : nested.absmax()).pointer(nested == null ? null : nested.map());
        args.float32(nested == null ? 0 : nested.offset()).int32(Integer.numberOfTrailingZeros(w.blockSize()))
                .int32(nested == null ? 0 : Integer.numberOfTrailingZeros(nested.blockSize()));
    }
}
