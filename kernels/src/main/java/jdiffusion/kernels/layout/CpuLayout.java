package jdiffusion.kernels.layout;

import jdiffusion.kernels.Operands;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.kernels.cpu.Cpu.Buffer;
import jdiffusion.kernels.cpu.Elements;
import jdiffusion.tensor.Tensor;

/** Images between channels-first, the layout of checkpoints' interfaces, and channels-last, that of the kernels. */
public final class CpuLayout {
    private final Cpu cpu;

    public CpuLayout(Cpu cpu) {
        this.cpu = cpu;
    }

    /** See {@link jdiffusion.kernels.Backend#channelsLast}. */
    public void channelsLast(Tensor x, Tensor out) {
        Operands.float32OrBf16("channelsLast", x, out);
        check("channelsLast", x, out, x, out);
        int height = x.shape().dim(2);
        int width = x.cols();
        int c = x.shape().dim(1);
        cpu.workers().run(x.shape().dim(0) * height, (row, worker) -> {
            float[] planes = cpu.local(worker, Buffer.ROW, c * width);
            float[] pixels = cpu.local(worker, Buffer.TILE, c * width);
            for (int k = 0; k < c; k++) {
                Elements.read(x, planeRow(row, k, c, height) * width, width, planes, k * width);
            }
            transpose(planes, c, width, pixels);
            Elements.write(pixels, 0, out, (long) row * width * c, width * c);
        });
    }

    /** See {@link jdiffusion.kernels.Backend#channelsFirst}. */
    public void channelsFirst(Tensor x, Tensor out) {
        Operands.float32OrBf16("channelsFirst", x, out);
        check("channelsFirst", x, out, out, x);
        int height = x.shape().dim(1);
        int width = x.shape().dim(2);
        int c = x.cols();
        cpu.workers().run(x.shape().dim(0) * height, (row, worker) -> {
            float[] pixels = cpu.local(worker, Buffer.ROW, c * width);
            float[] planes = cpu.local(worker, Buffer.TILE, c * width);
            Elements.read(x, (long) row * width * c, width * c, pixels, 0);
            transpose(pixels, width, c, planes);
            for (int k = 0; k < c; k++) {
                Elements.write(planes, k * width, out, planeRow(row, k, c, height) * width, width);
            }
        });
    }

    /** {@code first} is the one of both that is channels-first, {@code last} the other. */
    static void check(String operation, Tensor x, Tensor out, Tensor first, Tensor last) {
        Operands.images(operation, x, out);
        if (first.shape().dim(0) != last.shape().dim(0) || first.shape().dim(1) != last.cols()
                || first.shape().dim(2) != last.shape().dim(1) || first.cols() != last.shape().dim(2)) {
            throw Operands.mismatch(operation, "the same image in both layouts", x, out);
        }
    }

    /** The row of a channels-first tensor that holds channel {@code k} of image row {@code row} of the batch. */
    private static long planeRow(int row, int k, int c, int height) {
        return ((long) (row / height) * c + k) * height + row % height;
    }

    private static void transpose(float[] from, int rows, int cols, float[] to) {
        for (int r = 0; r < rows; r++) {
            for (int c = 0; c < cols; c++) {
                to[c * rows + r] = from[r * cols + c];
            }
        }
    }
}
