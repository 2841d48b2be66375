package jdiffusion.kernels.linear;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import jdiffusion.kernels.cuda.Cuda;
import jdiffusion.kernels.cuda.KernelArgs;
import jdiffusion.tensor.Weight;

/**
 * Linear layers on a CUDA device whose weights are 4-bit codes: {@code linear_nf4.cu} expands them on their way into
 * the product, so that memory holds and delivers the codes alone.
 */
final class CudaNf4 {
    private static final String FILE = "linear/linear_nf4";
    /** Blocks of the wide tile that a launch must have to be worth it: about what fills a card of the middle class. */
    private static final int LEAST_WIDE_BLOCKS = 96;
    private static final int THREADS = 128;
    private static final int CODES_ALIGNMENT = 16;
    /** Elements of a row that two threads read together; rows of whole ones take the fast way. */
    private static final int RUN = 64;

    private final Cuda cuda;

    /** What the kernels are compiled for: tiles of out, [rows, cols]. */
    private enum Tile {
        WIDE(128, 64), SMALL(64, 64);

        private final int rows;
        private final int cols;

        Tile(int rows, int cols) {
            this.rows = rows;
            this.cols = cols;
        }

        int blocks(LinearCall call) {
            return Math.ceilDiv(call.m(), rows) * Math.ceilDiv(call.n(), cols);
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

    private String kernel(LinearCall call) {
        boolean direct = GemmArgs.isDirect(cuda, call.x());
        boolean whole = isWhole((Weight.FourBit) call.w());
        String type = cuda.operandType().name().toLowerCase(Locale.ROOT);
        return "linear_nf4_" + type + (direct ? "" : "_x") + (whole ? "" : "_any")
                + (direct && whole && isWide(call) ? "_wide" : "_small");
    }

    /** Whether rows begin and end with blocks and with the units in which codes are loaded. */
    private static boolean isWhole(Weight.FourBit w) {
        return w.cols() % RUN == 0 && w.blockSize() % RUN == 0
                && w.codes().data().address() % CODES_ALIGNMENT == 0;
    }

    private static boolean isWide(LinearCall call) {
        return Tile.WIDE.blocks(call) >= LEAST_WIDE_BLOCKS;
    }

    private void launch(String kernel, List<LinearCall> calls) {
        Tile tile = kernel.endsWith("_wide") ? Tile.WIDE : Tile.SMALL;
        KernelArgs args = cuda.args();
        int blocks = 0;
        for (LinearCall call : calls) {
            GemmArgs.rows(args, call.x());
            weight(args, (Weight.FourBit) call.w());
            GemmArgs.output(args, call, blocks);
            blocks += tile.blocks(call);
        }
        GemmArgs.rest(args, calls.size());
        cuda.kernel(FILE, kernel).launch(() -> "linear in 4 bits: " + calls, blocks, 1, 1, THREADS, 0, args);
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
