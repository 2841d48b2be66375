package jdiffusion.kernels.cuda;

import java.util.function.Supplier;
import jdiffusion.tensor.Tensor;

/**
 * Launches the kernels that work on rows as {@code rows.cuh} has them. Each comes in two versions: {@code _runs} reads
 * four neighbours at a time, {@code _elements} one, wherever tensors lie.
 */
public final class RowLaunch {
    private static final int RUN = 4;
    private static final int WARP = 32;
    private static final int MOST_THREADS = 256;
    private static final int MOST_BLOCKS_OF_Y = 65535;
    private static final int MOST_WARPS = 4;
    private static final int SHARED_BYTES = 48 << 10;
    /** So many blocks of one warp are in flight before rows share a block: few rows are spread over the card. */
    private static final int SINGLE_ROWS = 256;

    private final Cuda cuda;
    private final String file;

    /** @param file see {@link Cuda#kernel} */
    public RowLaunch(Cuda cuda, String file) {
        this.cuda = cuda;
        this.file = file;
    }

    /** How many neighbours can be read at a time from each of these tensors as [rows, cols] or vectors: 4 or 1. */
    public static int width(int rows, long cols, Tensor... tensors) {
        if (cols % RUN != 0) {
            return 1;
        }
        for (Tensor t : tensors) {
            if (t != null && (t.data().address() % ((long) RUN * t.type().bytes()) != 0
                    || rows > 1 && t.rows() > 1 && t.rowStride() % RUN != 0)) {
                return 1;
            }
        }
        return RUN;
    }

    /** Whether the elements of all these tensors lie side by side, so that they can be taken as one row. */
    public static boolean contiguous(Tensor... tensors) {
        for (Tensor t : tensors) {
            if (t != null && !t.isContiguous()) {
                return false;
            }
        }
        return true;
    }

    /**
     * One thread for each run, {@code for_each_run} of {@code rows.cuh}.
     *
     * @param kernel the name without its ending
     * @param width  as {@link #width} gave it
     */
    public void perRun(Supplier<String> what, String kernel, int rows, long cols, int width, KernelArgs args) {
        spread(what, kernel + ending(width), rows, cols / width, args);
    }

    /** The same with a kernel that has one version alone, for single elements. */
    public void perElement(Supplier<String> what, String kernel, int rows, long cols, KernelArgs args) {
        spread(what, kernel, rows, cols, args);
    }

    private void spread(Supplier<String> what, String entry, int rows, long runs, KernelArgs args) {
        if (rows == 0 || runs == 0) {
            return;
        }
        int threads = (int) Math.min(MOST_THREADS, Math.ceilDiv(runs, WARP) * WARP);
        int blocks = Math.toIntExact(Math.ceilDiv(runs, threads));
        cuda.kernel(file, entry).launch(what, blocks, Math.min(rows, MOST_BLOCKS_OF_Y), 1, threads, 0, args);
    }

    /** One warp for each row, which it keeps in shared memory: {@code staged_row} of {@code rows.cuh}. */
    public void perRow(Supplier<String> what, String kernel, int rows, int cols, int width, KernelArgs args) {
        if (rows == 0 || cols == 0) {
            return;
        }
        int rowBytes = Math.ceilDiv(cols, RUN) * RUN * Float.BYTES;
        int warps = Math.clamp(Math.min(SHARED_BYTES / rowBytes, Math.ceilDiv(rows, SINGLE_ROWS)), 1, MOST_WARPS);
        cuda.kernel(file, kernel + ending(width)).launch(what, Math.ceilDiv(rows, warps), 1, 1, warps * WARP,
                warps * rowBytes, args);
    }

    /** What tells the version of a kernel for runs of that width. */
    public static String ending(int width) {
        return width == RUN ? "_runs" : "_elements";
    }
}
