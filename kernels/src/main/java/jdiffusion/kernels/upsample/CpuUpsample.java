package jdiffusion.kernels.upsample;

import java.lang.foreign.MemorySegment;
import jdiffusion.kernels.Operands;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.kernels.cpu.Cpu.Buffer;
import jdiffusion.kernels.cpu.Elements;
import jdiffusion.tensor.Tensor;

/** Nearest-neighbour upsampling by 2, channels last: every pixel becomes a square of four. */
public final class CpuUpsample {
    private final Cpu cpu;

    public CpuUpsample(Cpu cpu) {
        this.cpu = cpu;
    }

    /** See {@link jdiffusion.kernels.Backend#upsampleNearest}. */
    public void run(Tensor x, Tensor out) {
        Operands.float32OrBf16("upsampleNearest", x, out);
        check(x, out);
        int height = x.shape().dim(1);
        int width = x.shape().dim(2);
        cpu.workers().run(x.shape().dim(0) * height, (row, worker) -> {
            for (int copy = 0; copy < 2; copy++) {
                int to = (2 * row + copy) * 2 * width;
                if (x.type() == out.type()) {
                    repeat(x, row * width, width, out, to);
                } else {
                    convert(x, row * width, width, cpu.local(worker, Buffer.ROW, x.cols()), out, to);
                }
            }
        });
    }

    static void check(Tensor x, Tensor out) {
        Operands.images("upsampleNearest", x, out);
        if (out.shape().dim(0) != x.shape().dim(0) || out.shape().dim(1) != 2L * x.shape().dim(1)
                || out.shape().dim(2) != 2L * x.shape().dim(2) || out.cols() != x.cols()) {
            throw Operands.mismatch("upsampleNearest", "twice the height and width in out", x, out);
        }
    }

    /** Writes each of {@code n} pixels from {@code first} on twice, from pixel {@code to} of out on. */
    private static void repeat(Tensor x, int first, int n, Tensor out, int to) {
        long bytes = (long) x.cols() * x.type().bytes();
        for (int i = 0; i < n; i++) {
            long from = x.rowOffset(first + i);
            MemorySegment.copy(x.data(), from, out.data(), out.rowOffset(to + 2 * i), bytes);
            MemorySegment.copy(x.data(), from, out.data(), out.rowOffset(to + 2 * i + 1), bytes);
        }
    }

    /** The same between different types. */
    private static void convert(Tensor x, int first, int n, float[] pixel, Tensor out, int to) {
        int c = x.cols();
        for (int i = 0; i < n; i++) {
            Elements.read(x, (long) (first + i) * c, c, pixel, 0);
            Elements.write(pixel, 0, out, (long) (to + 2 * i) * c, c);
            Elements.write(pixel, 0, out, (long) (to + 2 * i + 1) * c, c);
        }
    }
}
