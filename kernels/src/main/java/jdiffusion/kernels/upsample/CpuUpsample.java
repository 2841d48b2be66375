package jdiffusion.kernels.upsample;

import java.lang.foreign.MemorySegment;
import jdiffusion.kernels.Operands;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.kernels.cpu.Cpu.Buffer;
import jdiffusion.kernels.cpu.Elements;
import jdiffusion.tensor.Tensor;

/** Nearest-neighbour upsampling by 2, channels last: every pixel becomes a square of four, or what is kept of it. */
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
        int outHeight = out.shape().dim(1);
        int outWidth = out.shape().dim(2);
        cpu.workers().run(x.shape().dim(0) * height, (row, worker) -> {
            int first = row / height * outHeight + row % height * 2;
            int copies = Math.min(2, outHeight - row % height * 2);
            for (int copy = 0; copy < copies; copy++) {
                int to = (first + copy) * outWidth;
                if (x.type() == out.type()) {
                    repeat(x, row * width, out, to, outWidth);
                } else {
                    convert(x, row * width, cpu.local(worker, Buffer.ROW, x.cols()), out, to, outWidth);
                }
            }
        });
    }

    static void check(Tensor x, Tensor out) {
        Operands.images("upsampleNearest", x, out);
        Operands.doubled("upsampleNearest", x, out);
        if (out.cols() != x.cols()) {
            throw Operands.mismatch("upsampleNearest", "equal channels", x, out);
        }
    }

    /** Writes {@code n} pixels from pixel {@code to} of out on, each pixel from {@code first} on twice. */
    private static void repeat(Tensor x, int first, Tensor out, int to, int n) {
        long bytes = (long) x.cols() * x.type().bytes();
        for (int i = 0; i < n; i++) {
            MemorySegment.copy(x.data(), x.rowOffset(first + i / 2), out.data(), out.rowOffset(to + i), bytes);
        }
    }

    /** The same between different types. */
    private static void convert(Tensor x, int first, float[] pixel, Tensor out, int to, int n) {
        int c = x.cols();
        for (int i = 0; i < n; i++) {
            if (i % 2 == 0) {
                Elements.read(x, (long) (first + i / 2) * c, c, pixel, 0);
            }
            Elements.write(pixel, 0, out, (long) (to + i) * c, c);
        }
    }
}
