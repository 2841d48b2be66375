package jdiffusion.kernels.join;

import java.lang.foreign.MemorySegment;
import jdiffusion.kernels.Operands;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.kernels.cpu.Cpu.Buffer;
import jdiffusion.kernels.cpu.Elements;
import jdiffusion.tensor.Tensor;

/** Two tensors side by side: each row of the output is one of the first and behind it one of the second. */
public final class CpuJoin {
    /** Elements of an item of work. */
    private static final int ITEM = 1 << 16;

    private final Cpu cpu;

    public CpuJoin(Cpu cpu) {
        this.cpu = cpu;
    }

    /** See {@link jdiffusion.kernels.Backend#joinChannels}. */
    public void run(Tensor a, Tensor b, Tensor out) {
        Operands.float32OrBf16("joinChannels", a, b, out);
        check(a, b, out);
        int atOnce = Math.max(1, ITEM / Math.max(1, out.cols()));
        cpu.workers().run(Math.ceilDiv(out.rows(), atOnce), (item, worker) -> {
            int first = item * atOnce;
            int end = Math.min(first + atOnce, out.rows());
            copy(a, out.columns(0, a.cols()), first, end, worker);
            copy(b, out.columns(a.cols(), out.cols()), first, end, worker);
        });
    }

    /** Whether the outer dimensions are equal, and the channels add up. */
    static void check(Tensor a, Tensor b, Tensor out) {
        Operands.activations("joinChannels", a, b, out);
        if (!fits(a, out) || !fits(b, out) || (long) a.cols() + b.cols() != out.cols()) {
            throw new IllegalArgumentException("joinChannels needs the channels of both in out, got " + a + " and " + b
                    + " for " + out);
        }
    }

    private static boolean fits(Tensor part, Tensor out) {
        int rank = out.shape().rank();
        boolean fits = rank > 0 && part.shape().rank() == rank;
        for (int i = 0; fits && i < rank - 1; i++) {
            fits = part.shape().dim(i) == out.shape().dim(i);
        }
        return fits;
    }

    /** Rows {@code first} to {@code end}. */
    private void copy(Tensor from, Tensor to, int first, int end, int worker) {
        int c = from.cols();
        if (from.type() == to.type()) {
            long bytes = (long) c * from.type().bytes();
            for (int row = first; row < end; row++) {
                MemorySegment.copy(from.data(), from.rowOffset(row), to.data(), to.rowOffset(row), bytes);
            }
            return;
        }
        float[] pixel = cpu.local(worker, Buffer.ROW, c);
        for (int row = first; row < end; row++) {
            Elements.read(from, (long) row * c, c, pixel, 0);
            Elements.write(pixel, 0, to, (long) row * c, c);
        }
    }
}
