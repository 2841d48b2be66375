package jdiffusion.kernels.conv2d;

import java.util.Arrays;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.Operands;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.kernels.cpu.Cpu.Buffer;
import jdiffusion.kernels.cpu.Gemm;
import jdiffusion.kernels.cpu.Widen;
import jdiffusion.kernels.cpu.Workers;
import jdiffusion.kernels.groupnorm.GroupNormCall;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;

/**
 * Convolution on the CPU: {@link DirectConv2d} or {@link TileConv2d}, or for strides above 1 a matrix product whose
 * left rows are the patches under the kernel, gathered a chunk at a time. The order along k is (y, x, channel):
 * channels-last, a row of a patch is then one run of memory.
 */
public final class CpuConv2d {
    private final Cpu cpu;
    private final DirectConv2d direct;
    private final TileConv2d tiles;
    private final Gemm gemm;
    private final Patches factors;

    public CpuConv2d(Cpu cpu) {
        this.cpu = cpu;
        direct = new DirectConv2d(cpu);
        tiles = new TileConv2d(cpu);
        gemm = new Gemm(cpu);
        factors = new Patches(cpu);
    }

    /**
     * Convolution of x [batch, h, w, cin] with weight [cout, cin, kh, kw] into out [batch, oh, ow, cout].
     *
     * @param bias     [cout], [batch, cout] or null
     * @param epilogue STORE or ADD without a gate
     */
    public void run(Conv2dShape shape, Tensor x, Tensor weight, Tensor bias, Epilogue epilogue, Tensor out) {
        shape.check(x, weight, bias, epilogue, out);
        Operands.float32("conv2d", x);
        Operands.float32("conv2d", out);
        if (DirectConv2d.takes(shape)) {
            direct(null, shape, false, x, weight, bias, epilogue, out);
            return;
        }
        if (Conv2dShape.hasBiasForEachImage(bias)) {
            for (int i = 0; i < shape.batch(); i++) {
                gathered(shape.single(), x.slice(i, i + 1), weight, bias.at(i), epilogue, out.slice(i, i + 1));
            }
        } else {
            gathered(shape, x, weight, bias, epilogue, out);
        }
    }

    private void gathered(Conv2dShape shape, Tensor x, Tensor weight, Tensor bias, Epilogue epilogue, Tensor out) {
        int k = shape.kernel() * shape.kernel() * shape.cin();
        factors.shape = shape;
        factors.x = x;
        factors.weight = weight;
        factors.reordered = cpu.shared(Buffer.B_PANEL, Math.multiplyExact(shape.cout(), k));
        cpu.workers().run(shape.cout(), factors.reorder);
        gemm.run(out.rows(), shape.cout(), k, factors, bias, epilogue, out);
        factors.x = null;
        factors.weight = null;
    }

    /** See {@link jdiffusion.kernels.Backend#normedConv2d}. */
    public void runNormed(GroupNormCall norm, Conv2dShape shape, Tensor x, Tensor weight, Tensor bias,
                          Epilogue epilogue, Tensor out) {
        shape.check(x, weight, bias, epilogue, out);
        Operands.float32("normedConv2d", x, out);
        if (!DirectConv2d.takes(shape)) {
            throw new IllegalArgumentException("normedConv2d needs a stride of 1, got " + shape);
        }
        direct(norm, shape, false, x, weight, bias, epilogue, out);
    }

    /** See {@link jdiffusion.kernels.Backend#upsampledConv2d}. */
    public void runDoubled(Tensor x, Tensor weight, Tensor bias, Tensor out) {
        UpsampledConv2d.shape(x, weight, bias, out);
        Operands.float32("upsampledConv2d", x, out);
        // The shape that counts here is that of the image as it is.
        var s = x.shape();
        direct(null, Conv2dShape.same(s.dim(0), s.dim(1), s.dim(2), s.dim(3), out.cols(), 3), true, x, weight, bias,
                Epilogue.STORE, out);
    }

    private void direct(GroupNormCall norm, Conv2dShape shape, boolean doubled, Tensor x, Tensor weight, Tensor bias,
                        Epilogue epilogue, Tensor out) {
        if (cpu.products().amx() != null) {
            tiles.run(norm, shape, doubled, x, weight, bias, epilogue, out);
        } else {
            direct.run(norm, shape, doubled, x, weight, bias, epilogue, out);
        }
    }

    private static final class Patches implements Gemm.Factors {
        private final Cpu cpu;
        private final Workers.Body reorder = this::reorder;
        private Conv2dShape shape;
        private Tensor x;
        private Tensor weight;
        /** [cout, kh, kw, cin] */
        private float[] reordered;

        Patches(Cpu cpu) {
            this.cpu = cpu;
        }

        private void reorder(int row, int worker) {
            int cin = shape.cin();
            int area = shape.kernel() * shape.kernel();
            float[] stored = cpu.local(worker, Buffer.A_PANEL, cin * area);
            long offset = (long) row * cin * area * weight.type().bytes();
            Widen.run(weight.data(), weight.type(), offset, stored, 0, cin * area);
            Widen.round(cpu.precision(), stored, 0, cin * area);
            for (int tap = 0; tap < area; tap++) {
                int at = (row * area + tap) * cin;
                for (int c = 0; c < cin; c++) {
                    reordered[at + c] = stored[c * area + tap];
                }
            }
        }

        @Override
        public void left(int pixel, float[] to, int at) {
            int size = shape.kernel();
            int cin = shape.cin();
            int image = pixel / (shape.outHeight() * shape.outWidth());
            int y0 = pixel / shape.outWidth() % shape.outHeight() * shape.stride() - shape.padLow();
            int x0 = pixel % shape.outWidth() * shape.stride() - shape.padLow();
            int from = Math.clamp(-x0, 0, size);
            int end = Math.clamp(shape.width() - x0, from, size);
            for (int ky = 0; ky < size; ky++) {
                int y = y0 + ky;
                int row = at + ky * size * cin;
                if (y < 0 || y >= shape.height() || from == end) {
                    Arrays.fill(to, row, row + size * cin, 0f);
                    continue;
                }
                Arrays.fill(to, row, row + from * cin, 0f);
                Arrays.fill(to, row + end * cin, row + size * cin, 0f);
                int inPixel = (image * shape.height() + y) * shape.width() + x0;
                if (x.rowStride() == cin) {
                    int count = (end - from) * cin;
                    Widen.run(x.data(), DType.F32, x.rowOffset(inPixel + from), to, row + from * cin, count);
                } else {
                    for (int kx = from; kx < end; kx++) {
                        Widen.run(x.data(), DType.F32, x.rowOffset(inPixel + kx), to, row + kx * cin, cin);
                    }
                }
            }
            Widen.round(cpu.precision(), to, at, size * size * cin);
        }

        @Override
        public void right(int row, int from, int count, float[] to, int at) {
            int k = shape.kernel() * shape.kernel() * shape.cin();
            System.arraycopy(reordered, row * k + from, to, at, count);
        }
    }
}
